"""Swin Transformer's and SimMIM's TRAIN; lr_scheduler.py over timm's schedulers, main.py.

After update u main.py asks for step u, not u + 1, so that everything is one update late. The three rates of the file are
those of 512 samples in an update.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import Cosine, Exponential, Linear, PiecewiseConstant
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total, delayed, late, warmup_over

FOLLOWS = "Swin-Transformer f82860bf, timm 1.0.31"
FACTS = {"lr": "the optimizer's rate as it is applied, where the rates of the file are scaled already"}


class _Plan(NamedTuple):
    """The lengths in updates, and the scaled rates."""

    train: Options
    lr: float
    lowest: float
    first: float
    updates_per_epoch: int
    length: int
    warmup: int

    @property
    def scheduler(self) -> Options:
        return self.train.table("LR_SCHEDULER")


def read(options: Options, facts: Facts) -> Taken:
    """Read a merged configuration, or its TRAIN alone."""
    train = options.first_table("TRAIN")
    scheduler = train.table("LR_SCHEDULER").own()
    accumulate = train.whole("ACCUMULATION_STEPS", default=1, least=1)
    batches = facts.run.batches_per_epoch
    if batches is not None and batches % accumulate:
        raise ScheduleError(
            "run.batches_per_epoch", f"expected a multiple of ACCUMULATION_STEPS, {accumulate}; got {batches}"
        )
    epoch, scale = facts.updates_per_epoch(accumulate), _scale(train, facts)
    length = int(train.number("EPOCHS", default=300, above=0) * epoch)
    check_total(facts, length)
    plan = _Plan(
        train,
        train.number("BASE_LR", default=facts.number("lr", default=5e-4)) * scale,
        train.number("MIN_LR", default=5e-6) * scale,
        train.number("WARMUP_LR", default=5e-7) * scale,
        epoch,
        length,
        int(train.number("WARMUP_EPOCHS", default=20, least=0) * epoch),
    )
    name = scheduler.word("NAME", default="cosine", choices=list(_KINDS))
    schedule = _KINDS[name](plan)
    notes = ["The rates of the file are taken as scaled already, for lr is given."] if facts.given("lr") else []
    if name == "linear":
        notes.append(f"From update {length} on Swin's line falls below its end; here it holds.")
    first = plan.first if plan.warmup else plan.lr
    return Taken(late(schedule) if schedule(0) == first else delayed(first, schedule), notes=tuple(notes))


def _scale(train: Options, facts: Facts) -> float:
    """512 samples are the rates as they stand. A rate that is given is the one applied: the file's are scaled then."""
    told = facts.number("lr", default=None)
    if told is None:
        return float(facts.batch_size() / 512)
    given = train.number("BASE_LR", default=told)
    if given != told:
        raise ScheduleError(
            "lr", f"expected BASE_LR, {given!r}, if the rates are scaled already, or none; got {told!r}"
        )
    return 1.0


def _cosine(plan: _Plan) -> Schedule:
    if not plan.scheduler.flag("WARMUP_PREFIX", default=True):
        whole = Cosine(init_value=plan.lr, end_value=plan.lowest, decay_steps=plan.length)
        return warmup_over(whole, plan.warmup, plan.first, plan.lr)
    rest = _rest(plan)
    return Cosine(init_value=plan.lr, end_value=plan.lowest, decay_steps=rest).warmup(
        plan.warmup, init_value=plan.first
    )


def _linear(plan: _Plan) -> Schedule:
    """To a hundredth of the rate, whatever MIN_LR is."""
    fall = Linear(init_value=plan.lr, end_value=plan.lr * 0.01, decay_steps=_rest(plan))
    return fall.warmup(plan.warmup, init_value=plan.first)


def _step(plan: _Plan) -> Schedule:
    every = int(plan.scheduler.number("DECAY_EPOCHS", default=30, above=0) * plan.updates_per_epoch)
    rate = plan.scheduler.number("DECAY_RATE", default=0.1)
    stairs = Exponential(init_value=plan.lr, decay_rate=rate, decay_steps=every, staircase=True)
    return stairs.warmup(plan.warmup, init_value=plan.first)


def _multistep(plan: _Plan) -> Schedule:
    places = [int(one * plan.updates_per_epoch) for one in plan.scheduler.numbers("MULTISTEPS")]
    if places != sorted(places) or not places or places[0] < plan.warmup:
        raise plan.scheduler.error(
            "MULTISTEPS", f"expected rising epochs after the warmup; got {plan.scheduler.raw('MULTISTEPS')!r}"
        )
    gamma = plan.scheduler.number("GAMMA", default=0.1)
    values = [plan.lr * gamma**count for count in range(len(places) + 1)]
    stairs = PiecewiseConstant(boundaries=places, values=values)
    return warmup_over(stairs, plan.warmup, plan.first, plan.lr)


def _rest(plan: _Plan) -> int:
    if plan.warmup >= plan.length:
        raise plan.train.error("WARMUP_EPOCHS", f"expected fewer than EPOCHS; got {plan.train.raw('WARMUP_EPOCHS')!r}")
    return plan.length - plan.warmup


_KINDS: dict[str, Callable[[_Plan], Schedule]] = {
    "cosine": _cosine,
    "linear": _linear,
    "step": _step,
    "multistep": _multistep,
}
