"""icefall's Eden and Eden2, with the flags of its recipes; egs/librispeech/ASR/zipformer/optim.py, train.py.

The recipe counts the batch, then sets the rate, then updates: update t has batch t+1, and epoch t // batches of an epoch.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Interpolate, InverseTime, Product
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, per_epoch

FOLLOWS = "icefall 36e0420 (2026-06-11)"
FACTS = {
    "lr": "the optimizer's rate, where no base_lr is given",
    "warmup_start": "where the warmup begins, as a part of the rate: the recipe's script has it, not its flags",
}

_DEFAULTS = {"lr_batches": 7500.0, "lr_epochs": 3.5}


def read(options: Options, facts: Facts) -> Taken:
    """Read the flags of a recipe, or the arguments of Eden."""
    name = options.word("scheduler", "class", "_target_", "name", default="Eden").rpartition(".")[2]
    if name not in ("Eden", "Eden2"):
        raise options.error("scheduler", f"expected Eden or Eden2; got {name}")
    options.refuse("lr_hours", why="expected lr_epochs, for how much data a batch has is not known", unless=(None,))
    lr = facts.lr(options, "base_lr", "initial_lr", "lr")
    names = ("lr_batches", "lr_epochs") if name == "Eden" else ("lr_batches",)
    scales = {one: options.number(one, default=_DEFAULTS[one], above=0.0) for one in names}
    power = 0.25 if name == "Eden" else 0.5
    batches: Schedule = InverseTime(init_value=lr, decay_steps=scales["lr_batches"], power=power, time_power=2.0)
    rise, notes = _warmup(options, facts)
    schedule = ahead(batches if rise is None else Product([batches, rise]))
    if name == "Eden":
        epochs = InverseTime(init_value=1.0, decay_steps=scales["lr_epochs"], power=power, time_power=2.0)
        schedule = Product([schedule, per_epoch(epochs, facts.batches_per_epoch())])
    assumed = [f"{one} = {scales[one]:g}" for one in names if not options.given(one)]
    if assumed:
        notes.append(f"Taken from zipformer/train.py, since they are not given: {', '.join(assumed)}.")
    return Taken(schedule, notes=tuple(notes))


def _warmup(options: Options, facts: Facts) -> tuple[Schedule | None, list[str]]:
    """A factor that rises from warmup_start to 1 in warmup_batches, the first of which has been counted already."""
    told = facts.number("warmup_start", default=None, least=0.0)
    start = options.number("warmup_start", default=told, least=0.0)
    length, notes = options.number("warmup_batches", default=500.0, least=0.0), []
    if start is None:
        start = 0.5
        notes.append(
            "The warmup begins at half the rate, as Eden's does; zipformer/train.py gives it warmup_start=0.1."
        )
    if start > 1:
        raise options.error("warmup_start", f"expected a number from 0 to 1; got {start:g}")
    if length <= 1 or start == 1:
        return None, notes
    return Interpolate(boundaries=[0, length], values=[start, 1.0]), notes
