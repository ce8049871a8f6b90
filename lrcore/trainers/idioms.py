"""What several trainers do with a schedule: warmups over a running clock, one update late or ahead, lengths that are no whole updates."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.runs.length import parsed
from lrcore.schedules.kinds import Clock, Constant, Every, Interpolate, InverseTime, Join, Linear, Product, Shift
from lrcore.schedules.plateau import Arithmetic, Plateau
from lrcore.schedules.schedule import Schedule


def late(schedule: Schedule) -> Schedule:
    """One update late, f(t-1): the trainer steps its schedule once before it counts; the first value comes twice."""
    return Shift(schedule, -1)


def ahead(schedule: Schedule) -> Schedule:
    """One update ahead, f(t+1): the trainer counts the update before it asks."""
    return Shift(schedule, 1)


def delayed(first: float, schedule: Schedule, updates: int = 1) -> Schedule:
    """Another value in the first updates, then the schedule from its own beginning."""
    return Join([Constant(first), schedule], boundaries=[updates]) if updates else schedule


def held(schedule: Schedule, at: int) -> Schedule:
    """The schedule as far as update `at`, whose value holds from then on."""
    return Join([schedule, Constant(schedule(at))], boundaries=[at]) if at else Constant(schedule(0))


def per_epoch(schedule: Schedule, updates_per_epoch: int) -> Schedule:
    """A schedule of epochs, whose value is constant in each."""
    return schedule if updates_per_epoch == 1 else Every(schedule, updates_per_epoch)


def warmup_over(schedule: Schedule, steps: int, first: float, peak: float) -> Schedule:
    """A warmup that is laid over a clock that runs already: it rises to `peak`, then drops onto the schedule."""
    if not steps:
        return schedule
    return Join(
        [Linear(init_value=first, end_value=peak, decay_steps=steps), Shift(schedule, steps)], boundaries=[steps]
    )


def warmup_onto(schedule: Schedule, steps: int, first: float) -> Schedule:
    """A warmup that is laid over a clock that runs already, and that rises to what the schedule has at its end."""
    return Shift(schedule, steps).warmup(steps, init_value=first) if steps else schedule


def warmup_times(schedule: Schedule, steps: int, ratio: float) -> Schedule:
    """A warmup that multiplies the schedule, whose clock runs already."""
    return Product([Linear(init_value=ratio, end_value=1.0, decay_steps=steps), schedule]) if steps else schedule


def per_update(schedule: Schedule, amount: float) -> Schedule:
    """A schedule of samples or tokens, of which each update takes `amount`."""
    return schedule if amount == 1 else Clock(schedule, boundaries=[1], times=[amount])


def between(start: float, end: float, first: float, last: float, **shape: Any) -> Schedule:
    """A curve between two places of the run that need not be whole updates; it counts from the first update at or past `start`."""
    return Shift(Interpolate(boundaries=[start, end], values=[first, last], **shape), math.ceil(start))


def waiting(schedule: Schedule, start: int) -> Schedule:
    """The schedule from update `start` on, f(max(0, t - start)): its first value is held until then."""
    return Shift(schedule, -start) if start else schedule


def product(factors: Sequence[Schedule]) -> Schedule:
    """The product of factors; a single one as it is."""
    return factors[0] if len(factors) == 1 else Product(factors)


def inverse_sqrt(peak: float, timescale: float) -> Schedule:
    """The rate peak / sqrt(1 + t / timescale)."""
    return InverseTime(init_value=peak, decay_steps=timescale, power=0.5)


def noam(peak: float, steps: float) -> Schedule:
    """peak sqrt(n / steps), or n / steps in the warmup, for n updates made: the inverse square root that goes through its peak."""
    if float(steps).is_integer():
        return InverseTime(init_value=peak, decay_steps=steps, power=0.5).warmup(int(steps))
    first = math.ceil(steps)
    rise = Interpolate(boundaries=[0, steps], values=[0.0, peak])
    fall = InverseTime(init_value=peak * math.sqrt(steps / first), decay_steps=first, power=0.5)
    return Join([rise, fall], boundaries=[first])


def warmup_laid_over(schedule: Schedule, steps: Fraction, first: float, peak: float) -> Schedule:
    """A warmup laid over a clock that runs already, which need not be whole: it has the update at its end too."""
    if not steps:
        return schedule
    begin = math.floor(steps) + 1
    rise = Interpolate(boundaries=[0, float(steps)], values=[first, peak])
    return Join([rise, Shift(schedule, begin)], boundaries=[begin])


def endless_rise(first: float, rate: float, steps: int = 10**9) -> Schedule:
    """first * (1 + rate * t): a straight line without an end, of which a billion updates are written."""
    return Linear(init_value=first, end_value=first * (1 + rate * steps), decay_steps=steps)


def told_total(facts: Facts, options: Options, *names: str) -> int:
    """The updates of the run: what the configuration says, else the run; where they differ the run's total is refused."""
    stated: int = options.whole(*names, default=0)
    if stated:
        check_total(facts, stated)
        return stated
    return int(facts.updates())


def check_total(facts: Facts, updates: int) -> None:
    """Refuse a run that is said to be of another length than the configuration says; a part of an update is no other length."""
    if facts.run.total is None:
        return
    told = facts.run.after(Fraction(0), parsed(facts.run.total), "run.total")
    if abs(told - updates) >= 1:
        raise ScheduleError(
            "run.total", f"expected {updates}, which the configuration says, or none; got {float(told):g}"
        )


def rises_again(kind: str, total: int) -> str:
    """The note about a trainer whose curve turns back where the run ends."""
    return f"From update {total} on the trainer's {kind} turns back, and lrcore holds its last value."


def total_tokens(facts: Facts) -> int | None:
    """The run's total, where it is stated in tokens: trainers that count tokens round it otherwise than a run does."""
    total = None if facts.run.total is None else parsed(facts.run.total)
    return math.ceil(total.amount) if total is not None and total.unit == "tokens" else None


def whole_or_real(length: float) -> float:
    """A length as an integer where it is one."""
    return int(length) if float(length).is_integer() else length


def straight(first: float, last: float, length: float) -> Schedule:
    """A straight line whose length need not be a whole number of updates."""
    if float(length).is_integer():
        return Linear(init_value=first, end_value=last, decay_steps=int(length))
    return Interpolate(boundaries=[0, length], values=[first, last])


def stretched(curve: Callable[[int], Schedule], length: float) -> Schedule:
    """A curve whose length need not be a whole number of updates."""
    steps = math.ceil(length)
    return curve(steps) if steps == length else Clock(curve(steps), boundaries=[1], times=[steps / length])


def entered(schedule: Schedule, at: float) -> Schedule:
    """A schedule from time `at` on, which need not be a whole update: the value at t is that of at + t."""
    whole = math.ceil(at)
    if whole == at:
        return Shift(schedule, whole) if whole else schedule
    return Shift(Clock(schedule, boundaries=[whole, whole + 1], times=[at, at + 1]), whole)


def per_accumulated(schedule: Schedule, batches: int) -> Schedule:
    """A schedule of batches, of which an update accumulates several: it has the rate of its last batch."""
    return schedule if batches == 1 else Clock(Shift(schedule, batches - 1), boundaries=[1], times=[batches])


def class_name(options: Options, *names: str, known: Iterable[str], suffix: str = "") -> str:
    """A class in the spelling of `known`, whatever its capitals, the module and the suffix that it is written with."""
    given, known = options.word(*names).rpartition(".")[2].removesuffix(suffix), list(known)
    for one in known:
        if one.lower() == given.lower():
            return one
    found, near = next(filter(options.given, names)), did_you_mean(given, known)
    raise options.error(found, f"expected one of {', '.join(known)}; got {given!r}{near}")


def risen(body: Schedule, steps: int, first: float, peak: float) -> Schedule:
    """A warmup to `peak`, then the body from its beginning, with a jump if it begins elsewhere."""
    if not steps:
        return body
    if body(0) == peak:
        return body.warmup(steps, init_value=first)
    return Join([Linear(init_value=first, end_value=peak, decay_steps=steps), body], boundaries=[steps])


def tokens_per_update(facts: Facts, batch: int | None, length: int | None) -> int:
    """The tokens of one update, for which the configuration may say the samples, the tokens of one, both or nothing."""
    samples = int(facts.batch_size()) if batch is None else batch
    if length is None and facts.run.tokens_per_sample is None:
        return int(facts.tokens_per_update())  # it raises the error that says what is lacking
    return samples * int(length or facts.run.tokens_per_sample or 0)


def plateau_of(
    options: Options, schedule: Schedule, lr: float, *, eps: str = "eps", arithmetic: Arithmetic = "torch"
) -> Plateau:
    """A plateau by the options of torch's ReduceLROnPlateau, or of Paddle's, which calls `eps` otherwise; `lr` is what they divide."""
    relative = options.word("threshold_mode", default="rel", choices=["rel", "abs"]) == "rel"
    threshold = options.number("threshold", default=1e-4)
    return Plateau(
        schedule,
        factor=options.number("factor", default=0.1),
        patience=options.whole("patience", default=10),
        mode=options.word("mode", default="min", choices=["min", "max"]),
        rtol=threshold if relative else 0.0,
        atol=0.0 if relative else threshold,
        cooldown=options.whole("cooldown", default=0),
        min_scale=min(options.number("min_lr", default=0.0, least=0.0) / lr, 1.0),
        eps=options.number(eps, default=1e-8, least=0.0) / lr,
        arithmetic=arithmetic,
    )
