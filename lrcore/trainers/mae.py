"""MAE's flags; util/lr_sched.py.

The rate is asked with the part of the epoch that is over, before the first batch of each accumulated update.
"""

from __future__ import annotations

import math

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import Cosine, Join
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total, entered, straight, stretched

FOLLOWS = "mae be47fef7"
FACTS = {"lr": "the optimizer's rate, where there are neither lr nor blr"}

_OF_FINETUNING = ("finetune", "layer_decay", "drop_path", "nb_classes")


def read(options: Options, facts: Facts) -> Taken:
    """Read the flags of main_pretrain.py, main_finetune.py or main_linprobe.py, whose defaults differ: lengths are required."""
    options.own("warmup_", "min_lr", "blr")
    accumulate = options.whole("accum_iter", default=1, least=1)
    batches = facts.run.batches_per_epoch
    if batches is not None and batches % accumulate:
        raise ScheduleError(
            "run.batches_per_epoch",
            f"expected a multiple of accum_iter, {accumulate}, for the last update of an epoch is a short one; got {batches}",
        )
    epoch = facts.updates_per_epoch(accumulate)
    epochs, warmup = options.number("epochs", above=0), options.number("warmup_epochs", least=0)
    finetuned = any(map(options.given, _OF_FINETUNING))
    lowest = options.number("min_lr", least=0) if finetuned else options.number("min_lr", default=0.0, least=0)
    length = math.ceil(epochs * epoch)
    check_total(facts, length)
    notes = [f"From update {length} on MAE's cosine turns back; here its last value holds."]
    if options.given("layer_decay"):
        notes.append("layer_decay gives the layers rates of their own; this is the rate of lr_scale 1.")
    schedule = _half_cosine(_rate(options, facts), lowest, warmup * epoch, (epochs - warmup) * epoch)
    return Taken(schedule, notes=tuple(notes))


def _half_cosine(lr: float, lowest: float, warmup: float, rest: float) -> Schedule:
    """A warmup from 0 and half a cosine; neither need be a whole number of updates."""
    if rest <= 0:
        return straight(0.0, lr, warmup)
    fall = stretched(lambda steps: Cosine(init_value=lr, end_value=lowest, decay_steps=steps), rest)
    first = math.ceil(warmup)
    if first == warmup:
        return fall.warmup(first)
    return Join([straight(0.0, lr, warmup), entered(fall, first - warmup)], boundaries=[first])


def _rate(options: Options, facts: Facts) -> float:
    """lr, or blr for each 256 samples of an update."""
    if facts.lr(options, "lr", default=None) is None and options.given("blr"):
        return float(options.number("blr") * facts.batch_size() / 256)
    return float(facts.lr(options, "lr"))
