"""Plans a schedule anew from an update on, so that it ends at another update: see `Schedule.extended`.

What has not begun at that update is planned anew, and what is under way is stretched: a clock runs slower from there on. A
warmup, a cooldown that has not begun, the period of a repeat and the tick of an `every` keep their length.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

from lrcore.errors import ScheduleError
from lrcore.schedules import kinds
from lrcore.schedules.schedule import Schedule

_WHERE = "Schedule.extended"
_THEN = "use schedule.then(other, at=...) for another schedule from there on"


def extended(schedule: Schedule, at: int, end: int, was: int | None) -> Schedule:
    """See `Schedule.extended`; the arguments are checked integers."""
    stated = stated_end(schedule) if was is None else was
    if stated is None:
        raise ScheduleError(
            f"{_WHERE}: was",
            f"required, since the schedule does not say where the run ends; got none; give it, or {_THEN}",
        )
    if at >= stated:
        raise ScheduleError(
            f"{_WHERE}: at", f"expected an update before {stated}, the end of the schedule; got {at}; {_THEN}"
        )
    if end <= at:
        raise ScheduleError(f"{_WHERE}: end", f"expected an update after {at}, where the new plan begins; got {end}")
    try:
        return _replanned(schedule, at, end, stated)
    except ScheduleError as error:
        if error.where.startswith(_WHERE):
            raise
        raise ScheduleError(
            _WHERE, f"this schedule cannot be stretched from update {at} on ({error}); {_THEN}"
        ) from None


def stated_end(schedule: Schedule) -> int | None:
    """The update at which a run of the schedule ends, as far as the schedule says; None if it does not say."""
    if schedule.cooldown_ is None:
        if isinstance(schedule, kinds.PiecewiseConstant):  # its last value holds to the end of the run
            return None
        if isinstance(schedule, kinds.Join) and stated_end(schedule.schedules[-1]) is None:
            return None
        if (
            isinstance(schedule, (kinds.Clip, kinds.Shift, kinds.Every, kinds.Clock))
            and stated_end(schedule.schedule) is None
        ):
            return None
    return schedule.length


def _replanned(schedule: Schedule, at: int, end: int, was: int) -> Schedule:
    """The schedule that agrees with this one up to `at` and has at `end` the value that this one has at `was`."""
    if end == was:
        return schedule
    warmup = 0 if schedule.warmup_ is None else schedule.warmup_.steps
    if schedule.cooldown_ is None:
        body = _body(schedule.replace(warmup=None), max(at - warmup, 0), end - warmup, was - warmup, warmup)
        return body if schedule.warmup_ is None else body.replace(warmup=schedule.warmup_)
    cooldown, bare = schedule.cooldown_, schedule.replace(warmup=None, cooldown=None)
    start = warmup + (bare.length or 0) if cooldown.start is None else cooldown.start
    if at > start:
        return _stretched(schedule, at, end, was)
    later = start + end - was
    if later < max(at, warmup):
        raise ScheduleError(
            f"{_WHERE}: end",
            f"expected at least {max(at, warmup) + cooldown.steps}, for the cooldown keeps its {cooldown.steps} updates; got {end}",
        )
    begun, left = max(at - warmup, 0), start - warmup
    body = _body(bare, begun, later - warmup, left, warmup) if begun < left else bare
    own_end = body.length is not None and body.length + warmup == later
    moved = cooldown.replace(start=None if own_end and cooldown.start is None else later)
    return body.replace(warmup=schedule.warmup_, cooldown=moved)


def _body(schedule: Schedule, at: int, end: int, was: int, before: int) -> Schedule:
    """`_replanned` for a schedule without ramps, on the clock behind its warmup."""
    if end <= at:
        raise ScheduleError(
            f"{_WHERE}: end",
            f"expected more than {before + at}, the updates that are past or in the warmup; got {before + end}",
        )
    return _BODIES.get(type(schedule), _stretched)(schedule, at, end, was)


# --- one function for each way to plan a kind anew --------------------------------------------------------------------


def _stretched(schedule: Schedule, at: int, end: int, was: int) -> Schedule:
    """Run the rest of a schedule on a slower clock: it shows `at` at update `at` and `was` at `end`."""
    knots = [(at, at), (end, was)] if at else [(end, was)]
    return kinds.Clock(schedule, boundaries=[one for one, _ in knots], times=[time for _, time in knots])


def _unchanged(schedule: Schedule, at: int, end: int, was: int) -> Schedule:
    """A constant, or a repeat, which gets more cycles."""
    return schedule


def _longer(schedule: Any, at: int, end: int, was: int) -> Schedule:
    """A decay that has not begun and ends with the run gets another length."""
    if at == 0 and schedule.decay_steps == was:
        longer: Schedule = schedule.replace(decay_steps=end)
        return longer
    return _stretched(schedule, at, end, was)


def _clock(schedule: kinds.Clock, at: int, end: int, was: int) -> Schedule:
    """A clock gets another knot, so that it does not lie in another one."""
    past = [knot for knot in zip(schedule.boundaries, schedule.times, strict=True) if knot[0] < at]
    knots = [*past, *([(at, _shown(schedule, at))] if at else []), (end, _shown(schedule, was))]
    return schedule.replace(boundaries=[one for one, _ in knots], times=[time for _, time in knots])


def _shown(clock: kinds.Clock, step: int) -> float:
    """What a clock shows at a step."""
    knots = [
        (0, Fraction(0)),
        *((one, Fraction(time)) for one, time in zip(clock.boundaries, clock.times, strict=True)),
    ]
    for (first, earlier), (second, later) in pairwise(knots):
        if step <= second or (second == knots[-1][0] and not clock.hold):
            exact = earlier + (step - first) * (later - earlier) / (second - first)
            return int(exact) if exact.denominator == 1 else float(exact)
    return clock.times[-1]


def _every(schedule: kinds.Every, at: int, end: int, was: int) -> Schedule:
    """The schedule inside ends with the last whole tick; the tick keeps its length."""
    tick = schedule.steps
    ticks = (at // tick, end // tick, -(-was // tick))
    if ticks[1] <= ticks[0]:
        raise ScheduleError(
            f"{_WHERE}: end", f"expected an update after the tick of {tick} updates that is under way; got {end}"
        )
    return kinds.Every(_replanned(schedule.schedule, *ticks), steps=tick)


def _shift(schedule: kinds.Shift, at: int, end: int, was: int) -> Schedule:
    steps = schedule.steps
    inside = _replanned(schedule.schedule, max(at + steps, 0), end + steps, was + steps)
    return kinds.Shift(inside, steps=steps)


def _clip(schedule: kinds.Clip, at: int, end: int, was: int) -> Schedule:
    return schedule.replace(schedule=_replanned(schedule.schedule, at, end, was))


def _each(schedule: kinds.Sum | kinds.Product, at: int, end: int, was: int) -> Schedule:
    return schedule.replace(schedules=[_replanned(one, at, end, was) for one in schedule.schedules])


def _join(schedule: kinds.Join, at: int, end: int, was: int) -> Schedule:
    """The part that is under way is stretched, and those to come are planned anew, each in proportion to its length."""
    begins = [0, *(schedule._own_lengths() if schedule.boundaries is None else schedule.boundaries)]  # noqa: SLF001
    ends = [*begins[1:], was]
    rate = Fraction(end - at, was - at)
    moved = [one if one <= at else at + round((one - at) * rate) for one in ends]
    parts: list[Schedule] = []
    for part, begin, until, later_begin, later in zip(
        schedule.schedules, begins, ends, [0, *moved], moved, strict=False
    ):
        begun = max(at - begin, 0)
        parts.append(
            part if until <= at or begin >= was else _replanned(part, begun, later - later_begin, until - begin)
        )
    return kinds.Join(parts, boundaries=moved[:-1])


_BODIES: dict[type[Schedule], Callable[[Any, int, int, int], Schedule]] = {
    kinds.Constant: _unchanged,
    kinds.Repeat: _unchanged,
    kinds.Linear: _longer,
    kinds.Polynomial: _longer,
    kinds.Cosine: _longer,
    kinds.Clock: _clock,
    kinds.Every: _every,
    kinds.Shift: _shift,
    kinds.Clip: _clip,
    kinds.Sum: _each,
    kinds.Product: _each,
    kinds.Join: _join,
}
"""How each kind is planned anew; any other is stretched."""
