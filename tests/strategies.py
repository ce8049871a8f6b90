"""Random schedules for Hypothesis: every kind, inside one another, with and without warmup and cooldown."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from msgspec.structs import replace

import lrcore
from lrcore import Schedule
from lrcore.records import Shape
from tests import oracle

Draw = Callable[[st.SearchStrategy[Any]], Any]

SHAPES: tuple[Shape, ...] = (
    "linear",
    "cosine",
    "constant",
    "1-sqrt",
    "1-square",
    "sine",
    "log",
    "exponential",
    "power",
)
GROWTH_AT_MOST = 60  # pieces of a cycle that is repeated with growing length: the cycles multiply them

rates = st.one_of(st.sampled_from([0.0, 1e-8, 3e-4, 0.1, 1.0, -0.5]), st.floats(1e-6, 10.0))
powers = st.one_of(st.sampled_from([0.3, 0.5, 1.0, 2.0, 3.0, 9.0]), st.floats(0.3, 12.0))
places = st.one_of(st.integers(-40, 60), st.sampled_from([-7.3, 2.5, 29.7, 1000.1]))
times = st.one_of(st.integers(1, 40), st.sampled_from([2.5, 7.25, 29.7, 1000.0]))


def lengths(longest: int) -> st.SearchStrategy[int]:
    """Numbers of updates, small ones often."""
    return st.one_of(st.integers(0, 12), st.integers(0, longest))


def offsets(longest: int) -> st.SearchStrategy[int]:
    """Numbers of updates, ahead more often than behind."""
    return st.one_of(lengths(longest), lengths(longest), lengths(longest).map(int.__neg__))


def schedules(longest: int = 60, leaves: int = 5) -> st.SearchStrategy[Schedule]:
    """Trees of schedules, of which each part takes at most `longest` updates."""
    return st.recursive(_leaves(longest), lambda inner: _ramped(_combined(inner, longest), longest), max_leaves=leaves)


def segments(longest: int = 40) -> st.SearchStrategy[Schedule]:
    """Trees whose values lie on straight lines between their cuts: no curves, and no products of lines."""
    lines = st.builds(lrcore.Linear, init_value=rates, end_value=rates, decay_steps=lengths(longest))
    stairs = st.builds(_stairs, rates, st.floats(0.1, 0.9), times)
    leaves = st.one_of(_constants(), lines, stairs, _pieces(longest), _knots(longest, ("linear", "constant")))
    return st.recursive(leaves, lambda inner: _straight(inner, longest), max_leaves=4)


def steps(schedule: Schedule) -> st.SearchStrategy[int]:
    """Steps where something happens, their neighbours, and any others."""
    places = [round(start) + by for start in schedule.timeline.starts[:20] for by in (-1, 0, 1)]
    near = st.sampled_from([step for step in places if step >= 0])
    return st.one_of(near, st.integers(0, 200), st.integers(0, 10**9))


@st.composite
def neighbours(draw: Draw, longest: int = 60) -> tuple[Schedule, Schedule]:
    """A schedule, and the same one with one number or flag of its description changed."""
    schedule = draw(schedules(longest))
    plain = schedule.to_dict()
    path = draw(st.sampled_from(list(_numbers(plain))))
    holder: Any = plain
    for name in path[:-1]:
        holder = holder[name]
    holder[path[-1]] = draw(st.sampled_from(_changed(holder[path[-1]])))
    try:
        changed = lrcore.from_dict(plain)
    except lrcore.ScheduleError:
        reject()
    assert isinstance(changed, Schedule)
    return schedule, changed


def _numbers(plain: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all numbers and flags in a plain form."""
    if isinstance(plain, dict | list):
        for name, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from _numbers(value, (*path, name))
    elif not isinstance(plain, str):
        yield path


def _changed(value: float) -> list[float]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, max(0, value - 1), 2 * value, value + 1000]
    return [2 * value, value / 2, value + 1, -value, math.nextafter(value, math.inf)]


def reread(schedule: Schedule) -> Schedule:
    """The schedule that its plain form describes."""
    again = lrcore.from_dict(schedule.to_dict())
    assert isinstance(again, Schedule)
    return again


def rewritten(schedule: Schedule) -> st.SearchStrategy[Schedule]:
    """The same schedule in another form: the same operations on the same numbers, and so the same values."""
    ways: list[Callable[[Schedule], Schedule]] = [
        lambda one: lrcore.Join([one]),
        lambda one: lrcore.Every(one, 1),
        lambda one: lrcore.Shift(lrcore.Join([lrcore.Constant(7.0), one], [5]), 5),
        lambda one: lrcore.Join([one.warmup(0), lrcore.Shift(one, 17)], [17]),
        lambda one: lrcore.Shift(lrcore.Shift(one, -9), 9),
        lambda one: lrcore.Clip(one) * 1.0,
        lambda one: lrcore.Constant(0.0) + one,
        reread,
        _with_two_parts_swapped,
    ]
    two = st.sampled_from(ways)
    return st.builds(lambda first, second: second(first(schedule)), two, two)


def _with_two_parts_swapped(schedule: Schedule) -> Schedule:
    if isinstance(schedule, lrcore.Sum | lrcore.Product) and len(schedule.schedules) == 2:
        return replace(schedule, schedules=schedule.schedules[::-1])
    return schedule


# --- kinds ------------------------------------------------------------------------------------------------------------


@st.composite
def _leaves(draw: Draw, longest: int) -> Schedule:
    return draw(
        _ramped(st.one_of(_constants(), _decays(longest), _endless(), _pieces(longest), _knots(longest)), longest)
    )


def _constants() -> st.SearchStrategy[Schedule]:
    return st.builds(lrcore.Constant, rates)


def _decays(longest: int) -> st.SearchStrategy[Schedule]:
    ends = {"init_value": rates, "end_value": rates, "decay_steps": lengths(longest)}
    return st.one_of(
        st.builds(lrcore.Linear, **ends),
        st.builds(lrcore.Polynomial, **ends, power=powers),
        st.builds(lrcore.Cosine, **ends, exponent=powers),
    )


def _endless() -> st.SearchStrategy[Schedule]:
    common = {"init_value": rates, "decay_steps": times, "staircase": st.booleans()}
    return st.one_of(
        st.builds(lrcore.Exponential, **common, decay_rate=st.floats(1e-3, 1.01)),
        st.builds(lrcore.Exponential, init_value=rates, decay_rate=st.floats(-1.01, -1e-3)),
        st.builds(lrcore.InverseTime, **common, decay_rate=st.floats(0.0, 10.0), power=powers, time_power=powers),
        st.builds(lrcore.Logistic, init_value=rates, end_value=rates, midpoint=places, decay_steps=times),
    )


@st.composite
def _pieces(draw: Draw, longest: int) -> Schedule:
    boundaries = sorted(draw(st.lists(lengths(longest), max_size=4)))
    values = draw(st.lists(rates, min_size=len(boundaries) + 1, max_size=len(boundaries) + 1))
    return lrcore.PiecewiseConstant(boundaries=boundaries, values=values)


def _stairs(init_value: float, decay_rate: float, decay_steps: float) -> Schedule:
    return lrcore.Exponential(init_value=init_value, decay_rate=decay_rate, decay_steps=decay_steps, staircase=True)


@st.composite
def _knots(draw: Draw, longest: int, shapes: Sequence[Shape] = SHAPES) -> Schedule:
    knots = st.one_of(lengths(longest), st.integers(0, 8 * longest).map(lambda eighths: eighths / 8))
    boundaries = sorted(draw(st.lists(knots, min_size=1, max_size=4)))
    values = draw(st.lists(rates, min_size=len(boundaries), max_size=len(boundaries)))
    shape = draw(st.sampled_from([shape for shape in shapes if shape != "exponential" or min(values) > 0]))
    power = draw(powers) if shape == "power" else None
    return lrcore.Interpolate(boundaries=boundaries, values=values, shape=shape, power=power)


# --- combinations -----------------------------------------------------------------------------------------------------


def _combined(inner: st.SearchStrategy[Schedule], longest: int) -> st.SearchStrategy[Schedule]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _joins(some, longest),
        st.builds(lrcore.Sum, some),
        st.builds(lrcore.Product, some),
        _clips(inner),
        st.builds(lrcore.Shift, inner, offsets(longest)),
        st.builds(lrcore.Every, inner, st.integers(1, 9)),
        _repeats(inner),
    )


def _straight(inner: st.SearchStrategy[Schedule], longest: int) -> st.SearchStrategy[Schedule]:
    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _joins(some, longest),
        st.builds(lrcore.Sum, some),
        st.builds(lrcore.Shift, inner, offsets(longest)),
        st.builds(lrcore.Every, inner, st.integers(1, 9)),
        _repeats(inner),
        _ramped(inner, longest, ("linear", "constant")),
    )


@st.composite
def _joins(draw: Draw, some: st.SearchStrategy[Sequence[Schedule]], longest: int) -> Schedule:
    parts = draw(some)
    if all(oracle.length(part.to_dict()) is not None for part in parts[:-1]) and draw(st.booleans()):
        return lrcore.Join(parts)
    count = len(parts) - 1
    return lrcore.Join(parts, sorted(draw(st.lists(lengths(longest), min_size=count, max_size=count))))


@st.composite
def _clips(draw: Draw, inner: st.SearchStrategy[Schedule]) -> Schedule:
    low, high = sorted(draw(st.tuples(rates, rates)))
    return lrcore.Clip(
        draw(inner),
        min_value=draw(st.sampled_from([None, low])),
        max_value=draw(st.sampled_from([None, high])),
    )


@st.composite
def _repeats(draw: Draw, inner: st.SearchStrategy[Schedule]) -> Schedule:
    schedule = draw(inner)
    period = draw(st.none() | times) if oracle.length(schedule.to_dict()) else draw(times)
    # Later cycles of real length begin at times that float64 has to round.
    grows = len(schedule.timeline.starts) <= GROWTH_AT_MOST and (period is None or float(period).is_integer())
    return lrcore.Repeat(
        schedule,
        period=period,
        mirror=draw(st.booleans()),
        length_factor=draw(st.sampled_from([1, 2, 3])) if grows else 1,
        value_factor=draw(st.sampled_from([1.0, 0.5, 0.9])),
    )


@st.composite
def _ramped(draw: Draw, inner: st.SearchStrategy[Schedule], longest: int, shapes: Sequence[Shape] = SHAPES) -> Schedule:
    schedule = draw(inner)
    if draw(st.booleans()):
        arguments = draw(_ramp(schedule(0), "init_value", longest, shapes))
        schedule = schedule.warmup(**arguments)
    if draw(st.booleans()):
        end = oracle.length(schedule.to_dict())
        start = draw(lengths(longest)) if end is None else draw(st.sampled_from([None, end // 2, end + 5]))
        arguments = draw(_ramp(schedule(end if start is None else start), "end_value", longest, shapes))
        schedule = schedule.cooldown(**arguments, start=start)
    return schedule


@st.composite
def _ramp(draw: Draw, value: float, other: str, longest: int, shapes: Sequence[Shape]) -> dict[str, Any]:
    outer = draw(rates)
    shape = draw(st.sampled_from([shape for shape in shapes if shape != "exponential" or min(value, outer) > 0]))
    power = draw(powers) if shape == "power" else None
    return {"steps": draw(lengths(longest)), other: outer, "shape": shape, "power": power}
