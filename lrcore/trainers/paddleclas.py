"""PaddleClas' `Optimizer.lr`; ppcls/optimizer/learning_rate.py, ppcls/engine/train/train.py.

Paddle's schedules are stepped after each update, or with by_epoch after each epoch: update t has f(t). After a warmup a schedule begins
at its own update 0, so milestones move by the warmup.
"""

from __future__ import annotations

import math

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules import kinds
from lrcore.schedules.kinds import Clip, Exponential, Interpolate, Join, PiecewiseConstant, Polynomial, Repeat
from lrcore.schedules.recipes import cyclic, one_cycle, polynomial_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import per_epoch, plateau_of

FOLLOWS = "PaddleClas d178931f (2024-10-18)"
FACTS = {"lr": "the optimizer's rate, where Optimizer.lr has no learning_rate"}

_BACK = "Past the last epoch the cosine rises again, as PaddleClas' does."


class _Config:
    """The options of one schedule, and the lengths that it is built with."""

    def __init__(self, own: Options, root: Options, facts: Facts) -> None:
        self.own, self.facts = own, facts
        self._global = root.first_table("Global")
        self.by_epoch: bool = own.flag("by_epoch")
        own.ignore("last_epoch", "verbose", "step_each_epoch", "epochs")

    def lr(self, name: str = "learning_rate") -> float:
        """The base rate."""
        lr: float = self.facts.lr(self.own, name)
        return lr

    def epoch(self) -> int:
        """The updates of an epoch: whole groups of update_freq batches."""
        stated = self.own.whole("step_each_epoch", default=None, least=1)
        group = self._global.whole("update_freq", default=1, least=1)
        if stated is not None:
            return int(stated)
        if self.facts.run.batches_per_epoch is not None and group > 1:
            return self.facts.run.batches_per_epoch // group or self.facts.run.batches_per_epoch
        return self.facts.updates_per_epoch()

    def epochs(self) -> int:
        """The epochs of the run: what the file says, else the run's total."""
        table = self._global if self._global.given("epochs") else self.own
        stated, total = table.whole("epochs", default=None, least=1), self.facts.updates(default=None)
        if total is not None and (total % self.epoch() or stated not in (None, total // self.epoch())):
            raise table.error(
                "epochs", f"expected epochs of {self.epoch()} updates that make the run's total, {total}; got {stated}"
            )
        if stated is None and total is None:
            raise table.error(
                "epochs", "expected an integer >= 1; got none; give it as Global.epochs, or the run a total"
            )
        return int(stated or (total or 0) // self.epoch())

    def ticks(self, epochs: float, name: str) -> int:
        """Epochs as steps of the schedule, which are updates unless it is stepped by epochs."""
        steps = epochs if self.by_epoch else epochs * self.epoch()
        if not float(steps).is_integer():
            raise self.own.error(name, f"expected whole steps, which Paddle requires; got {steps:g}")
        return int(steps)

    def warmup_epochs(self) -> float:
        """warmup_epoch, at most all epochs."""
        given = self.own.number("warmup_epoch", default=0.0, least=0.0)
        return min(given, self.epochs()) if given else 0.0

    def rest(self) -> int:
        """What the warmup leaves."""
        return self.ticks(self.epochs() - self.warmup_epochs(), "warmup_epoch")

    def warmed(self, schedule: Schedule, top: float) -> Schedule:
        """The schedule after a straight line to `top`, per update or per epoch."""
        epochs, first = self.warmup_epochs(), self.own.number("warmup_start_lr", default=0.0)
        steps = self.ticks(epochs, "warmup_epoch") if self.by_epoch else round(epochs * (self.epoch() if epochs else 1))
        if steps and first >= top:
            raise self.own.error(
                "warmup_start_lr", f"expected less than {top:g}, to which the warmup leads; got {first:g}"
            )
        if steps and schedule(0) == top:
            schedule = schedule.warmup(steps, init_value=first)
        elif steps:
            rise = kinds.Linear(init_value=first, end_value=top, decay_steps=steps)
            schedule = Join([rise, schedule], boundaries=[steps])
        return per_epoch(schedule, self.epoch()) if self.by_epoch else schedule


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole configuration, or its lr alone; of a list of optimizers the first is the schedule, the others are groups."""
    if isinstance(options.raw("Optimizer"), list):
        named = [(one, next(iter(one), None)) for one in options.tables("Optimizer")]
        tables = [one.table(name) for one, name in named if name is not None]
        if not tables:
            raise options.error("Optimizer", "expected a table for each optimizer; got none")
        first, *others = [(str(one.raw("scope")), _taken(one.table("lr").own(), options, facts)) for one in tables]
        groups = {scope: one.schedule for scope, one in others if isinstance(one.schedule, Schedule)}
        if len(groups) < len(others):
            raise options.error(
                "Optimizer", "expected schedules that no metric lowers beside the first; got ReduceOnPlateau"
            )
        return Taken(first[1].schedule, groups=dict(groups), notes=first[1].notes)
    own = options.first_table("Optimizer.lr", "lr")
    return _taken(own if own is options else own.own(), options, facts)


def _taken(own: Options, root: Options, facts: Facts) -> Taken:
    config = _Config(own, root, facts)
    name = own.word("name", default=None, choices=list(_KINDS))
    if name is None:
        return Taken(kinds.Constant(config.lr()))
    return _KINDS[name](config)


def _constant(config: _Config) -> Taken:
    """This class has no warmup; ConstLR has."""
    return Taken(kinds.Constant(config.lr()))


def _constant_with_warmup(config: _Config) -> Taken:
    return Taken(config.warmed(kinds.Constant(config.lr()), config.lr()))


def _linear(config: _Config) -> Taken:
    own, lr, rest = config.own, config.lr(), config.rest()
    end, power = own.number("end_lr", default=0.0), own.number("power", default=1.0, above=0.0)
    notes: tuple[str, ...] = ()
    if config.by_epoch and config.warmup_epochs():
        notes = (
            "PaddleClas makes this warmup as many epochs long as it has updates; here it has warmup_epoch epochs.",
        )
    if rest <= 0:
        return Taken(config.warmed(kinds.Constant(lr), lr), notes=notes)
    if own.flag("cycle"):
        fall = polynomial_cycle(init_value=lr, end_value=end, decay_steps=rest, power=power)
    else:
        fall = Polynomial(init_value=lr, end_value=end, decay_steps=rest, power=power)
    return Taken(config.warmed(fall, lr), notes=notes)


def _cosine(config: _Config) -> Taken:
    lr, rest, floor = config.lr(), config.rest(), config.own.number("eta_min", default=0.0)
    if rest <= 0:
        return Taken(config.warmed(kinds.Constant(lr), lr))
    fall = Repeat(kinds.Cosine(init_value=lr, end_value=floor, decay_steps=rest), mirror=True)
    return Taken(config.warmed(fall, lr), notes=(_BACK,))


def _step(config: _Config) -> Taken:
    """The width of a stair is rounded down to whole updates."""
    own, lr, width = config.own, config.lr(), config.own.number("step_size", above=0.0)
    steps = config.ticks(width, "step_size") if config.by_epoch else int(width * config.epoch())
    if not steps:
        raise own.error("step_size", f"expected at least one update; got {width:g} epochs")
    stairs = Exponential(init_value=lr, decay_rate=own.number("gamma"), decay_steps=steps, staircase=True)
    return Taken(config.warmed(stairs, lr))


def _piecewise(config: _Config) -> Taken:
    """With a learning_rate the lists are not used: a tenth every 30 epochs."""
    own, rates = config.own, config.own.numbers("values", default=None)
    places = own.numbers("decay_epochs", default=None)
    notes: tuple[str, ...] = ()
    if own.number("learning_rate", default=0.0):
        places = list(range(30, config.epochs(), 30))
        rates = [own.number("learning_rate") * 0.1**number for number in range(len(places) + 1)]
        notes = ("With learning_rate set, PaddleClas uses neither decay_epochs nor values: a tenth every 30 epochs.",)
    if rates is None or places is None or len(rates) != len(places) + 1:
        raise own.error("values", f"expected one more than decay_epochs, {places}; got {rates}")
    steps = [math.ceil(place if config.by_epoch else place * config.epoch()) for place in places]
    return Taken(config.warmed(PiecewiseConstant(boundaries=steps, values=rates), rates[0]), notes=notes)


def _multi_step(config: _Config) -> Taken:
    own, lr, rate = config.own, config.lr(), config.own.number("gamma", default=0.1)
    places = own.numbers("milestones")
    if rate >= 1:
        raise own.error("gamma", f"expected less than 1, as Paddle requires; got {rate:g}")
    steps = [math.ceil(place if config.by_epoch else place * config.epoch()) for place in places]
    rates = [lr * rate**number for number in range(len(steps) + 1)]
    return Taken(config.warmed(PiecewiseConstant(boundaries=steps, values=rates), lr))


def _cyclic(config: _Config) -> Taken:
    own = config.own
    own.refuse("scale_fn", why="expected none, for a Python function is not read", unless=(None,))
    own.ignore("scale_mode")
    base, gamma = config.lr("base_learning_rate"), own.number("exp_gamma", default=1.0)
    mode = own.word("mode", default="triangular", choices=["triangular", "triangular2", "exp_range"])
    waves = cyclic(
        base_value=base,
        peak_value=own.number("max_learning_rate"),
        up_steps=own.whole("step_size_up", least=1),
        down_steps=own.whole("step_size_down", default=None),
        mode=mode,
        gamma=gamma if mode == "exp_range" else None,
    )
    return Taken(config.warmed(waves, base))


def _one_cycle(config: _Config) -> Taken:
    """As long as all epochs, also after a warmup, and in updates also where it is stepped by epochs; the end is absolute."""
    own, top = config.own, config.lr("max_learning_rate")
    linear = own.word("anneal_strategy", default="cos", choices=["cos", "linear"]) == "linear"
    cycle = one_cycle(
        init_value=top / own.number("divide_factor", default=25.0, above=0.0),
        peak_value=top,
        end_value=own.number("end_learning_rate", default=1e-10),
        total_steps=config.epochs() * config.epoch(),
        pct_start=own.number("phase_pct", default=0.3, least=0.0),
        shape="linear" if linear else "cosine",
        three_phase=own.flag("three_phase"),
    )
    return Taken(config.warmed(cycle, top))


def _fixmatch(config: _Config) -> Taken:
    """A part of a cosine that falls below 0 and is cut there."""
    own, lr, warmup = config.own, config.lr(), config.own.whole("num_warmup_steps")
    half = max(1, config.epochs() * config.epoch() - warmup) / own.number("num_cycles", default=7 / 16, above=0.0)
    wave = Repeat(Interpolate(boundaries=[0, half], values=[lr, -lr], shape="cosine"), period=half, mirror=True)
    schedule = Clip(wave, min_value=0.0).warmup(warmup)
    return Taken(per_epoch(schedule, config.epoch()) if config.by_epoch else schedule)


def _plateau(config: _Config) -> Taken:
    own, lr = config.own, config.lr()
    if not config.by_epoch:
        raise own.error("by_epoch", "expected true, for PaddleClas has no metric after an update; got false")
    own.refuse("warmup_epoch", why="expected none, for PaddleClas steps the warmup of a plateau without its metric")
    return Taken(plateau_of(own, kinds.Constant(lr), lr, eps="epsilon", arithmetic="paddle"))


_KINDS = {
    "Constant": _constant,
    "ConstLR": _constant_with_warmup,
    "Linear": _linear,
    "Cosine": _cosine,
    "Step": _step,
    "Piecewise": _piecewise,
    "MultiStepDecay": _multi_step,
    "Cyclic": _cyclic,
    "OneCycleLR": _one_cycle,
    "CosineFixmatch": _fixmatch,
    "ReduceOnPlateau": _plateau,
}
