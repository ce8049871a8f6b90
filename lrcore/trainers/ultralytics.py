"""Ultralytics YOLO's args.yaml; ultralytics/engine/trainer.py.

The rate changes by epochs, and a warmup over batches leads to that of the epoch; biases begin it at warmup_bias_lr. An update
gathers batches up to a nominal batch of nbs: one in the first update of the warmup, all of them at its end.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import Clock, Constant, Cosine, Linear, Product, Sum
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total, per_accumulated, per_epoch

FOLLOWS = "ultralytics 8.4.190"
FACTS = {"lr": "the rate that the optimizer auto finds, or where the file has no lr0"}

_WITHOUT_MOMENTUM = ("adam", "adamax", "adamw", "nadam", "radam")


def read(options: Options, facts: Facts) -> Taken:
    """Read args.yaml, or the arguments of model.train()."""
    options.own("lr0", "lrf", "warmup_", "cos_lr", "nbs")
    options.refuse("time", why="expected none, for hours of training are no length in updates")
    optimizer = options.word("optimizer", default="").lower()
    epochs, batches = options.whole("epochs", default=100, least=1), facts.batches_per_epoch()
    warmup = round(min(options.number("warmup_epochs", default=3.0, least=0), epochs - 1) * batches)
    clock = _Ramp(_accumulated(options, facts, epochs * batches), warmup)
    if clock.accumulated == 1:
        check_total(facts, epochs * batches)
    lr = _rate(options, facts, optimizer)
    end = lr * options.number("lrf", default=0.01)
    kind = Cosine if options.flag("cos_lr") else Linear
    regular = per_epoch(kind(init_value=lr, end_value=end, decay_steps=epochs), batches)
    first = options.number("warmup_bias_lr", default=0.1) if optimizer != "auto" else 0.0
    groups: dict[str, Schedule | float] = {"head": 3.0} if optimizer == "musgd" else {}
    also: dict[str, Schedule] = {}
    if warmup:
        rise = Product([Linear(init_value=0.0, end_value=1.0, decay_steps=warmup), regular])
        biases = Sum([rise, Linear(init_value=first, end_value=0.0, decay_steps=warmup)]) if first else rise
        groups["bias"] = clock.in_updates(biases)
        regular = rise
    if optimizer not in _WITHOUT_MOMENTUM:
        also["momentum"] = clock.in_updates(_momentum(options, optimizer, warmup))
    return Taken(clock.in_updates(regular), also, groups, tuple(_notes(optimizer)))


def _rate(options: Options, facts: Facts, optimizer: str) -> float:
    """lr0, unless the optimizer is auto: it replaces the rate by one of the run's length and the classes."""
    if optimizer != "auto":
        return float(facts.lr(options, "lr0", default=None) or facts.lr())
    options.ignore("lr0")
    if not facts.given("lr"):
        raise options.error(
            "optimizer", "expected one by name; got 'auto', which replaces lr0; give the rate it finds as lr=..."
        )
    return float(facts.number("lr"))


def _momentum(options: Options, optimizer: str, warmup: int) -> Schedule:
    options.ignore("momentum")
    momentum = 0.9 if optimizer == "auto" else options.number("momentum", default=0.937)
    first = options.number("warmup_momentum", default=0.8)
    return Linear(init_value=first, end_value=momentum, decay_steps=warmup) if warmup else Constant(momentum)


def _accumulated(options: Options, facts: Facts, batches: int) -> int:
    """The batches of an update after the warmup."""
    batch = options.number("batch")
    if batch < 1 or batch != int(batch):
        raise options.error("batch", f"expected the number of samples; got {options.raw('batch')!r}, which finds it")
    found: int = min(max(round(options.number("nbs", default=64, above=0) / batch), 1), batches)
    if found > 1 and facts.run.batches_per_epoch is None:
        raise ScheduleError(
            "run.batches_per_epoch", f"expected the batches of an epoch, of which {found} make an update; got none"
        )
    return found


# --- from batches to updates ------------------------------------------------------------------------------------------


class _Ramp:
    """The batch at which each update is made: in the warmup an update gathers ever more of them."""

    def __init__(self, accumulated: int, warmup: int) -> None:
        self.accumulated = accumulated
        self._ends = [0]
        last = accumulated
        for batch in range(1, warmup + 2 * accumulated + 2):
            if batch <= warmup:
                last = max(1, round(1 + (accumulated - 1) * batch / warmup))
            if batch - self._ends[-1] >= last:
                self._ends.append(batch)
        self._from_the_first = warmup > 0

    def in_updates(self, schedule: Schedule) -> Schedule:
        """A schedule of batches by updates."""
        if self.accumulated == 1 or not self._from_the_first:
            return per_accumulated(schedule, self.accumulated)
        ends, bends = self._ends, []
        for update in range(1, len(ends)):
            if update + 1 == len(ends) or ends[update + 1] - ends[update] != ends[update] - ends[update - 1]:
                bends.append(update)
        return Clock(schedule, boundaries=bends, times=[ends[update] for update in bends])


def _notes(optimizer: str) -> list[str]:
    notes = []
    if not optimizer:
        notes.append("lr0 is taken as it stands, since no optimizer is named; auto, the default, would replace it.")
    if optimizer == "musgd":
        notes.append("MuSGD gives three times the rate to the parts of the head that it boosts.")
    return notes
