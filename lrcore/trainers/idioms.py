"""What several trainers do with a schedule: warmups over a running clock, one update late or ahead, lengths that are no whole updates."""

from __future__ import annotations

import math
from typing import Any

from lrcore.schedules.kinds import Clock, Constant, Every, Interpolate, Join, Linear, Product, Shift
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
