"""Formulas as data: the pieces of a timeline.

A piece knows how to move in time, how to stretch, where it may jump or bend, and how to become a function of t over one
numeric library. The mathematics itself is in `formulas`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from lrcore.curves import formulas
from lrcore.curves.formulas import EVER, ROUNDING, SCALARS, Interval, Library, TimeFunction, stair_around
from lrcore.errors import ScheduleError

if TYPE_CHECKING:
    from typing import Self

    from lrcore.curves.timeline import Timeline


_MOST_TICKS = 2**512  # of a clock in one update; with this limit every time fits float64


class Formula(Protocol):
    """A function of t as data.

    `period` is 1 for a constant, the period of a cycle if it is an integer, and None otherwise.
    """

    @property
    def period(self) -> int | None: ...
    @property
    def monotone(self) -> bool: ...
    def bind(self, lib: Library) -> TimeFunction: ...
    def stair(self, t: int) -> Interval | None:
        """The interval of steps around t in which a staircase or a constant keeps its value; None for any other formula."""
        ...

    def delayed(self, by: float) -> Formula:
        """The formula whose value at t is this one's at t - by."""
        ...

    def stretched(self, factor: float) -> Formula:
        """The formula whose value at t is this one's at t / factor."""
        ...

    def until(self, time: float) -> Formula:
        """The formula without the inner pieces that are not needed up to `time`."""
        ...

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        """The integer steps in (first, last), rising, at which the formula jumps or bends."""
        ...


class _Untruncated(Struct, frozen=True):
    """A formula that `until` does not shorten."""

    def until(self, time: float) -> Self:
        return self


class _Smooth(_Untruncated, frozen=True):
    """A formula that is monotone, does not repeat and has no breakpoints, unless it says otherwise."""

    @property
    def period(self) -> int | None:
        return None

    @property
    def monotone(self) -> bool:
        return True

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        return iter(())

    def stair(self, t: int) -> Interval | None:
        return None


class Constant(_Smooth, frozen=True, gc=False):
    """The same value at every t."""

    value: float

    @property
    def period(self) -> int:
        return 1

    def stair(self, t: int) -> Interval:
        return EVER

    def bind(self, lib: Library) -> TimeFunction:
        return lib.fill(self.value)

    def delayed(self, by: float) -> Constant:
        return self

    def stretched(self, factor: float) -> Constant:
        return self


class Ramp(_Smooth, frozen=True, gc=False):
    """From `start` at `first` to `end` at `last`.

    `parameter` is the exponent of the shapes power and cosine, and the length with which the shape log was written: a
    clock that stretches the ramp does not change it.
    """

    shape: str
    start: float
    end: float
    first: float
    last: float
    parameter: float = 1.0
    rising: bool = False

    def bind(self, lib: Library) -> TimeFunction:
        if self.shape == "exponential":
            return formulas.geometric(lib, self.start, self.end, self.first, self.last)
        return formulas.ramp(
            lib, self.shape, self.start, self.end, self.first, self.last, self.parameter, rising=self.rising
        )

    def delayed(self, by: float) -> Ramp:
        return replace(self, first=self.first + by, last=self.last + by)

    def stretched(self, factor: float) -> Ramp:
        return replace(self, first=times(self.first, factor), last=times(self.last, factor))


class Exponential(_Smooth, frozen=True, gc=False):
    """init * rate**((t - origin) / decay_steps)."""

    init: float
    rate: float
    decay_steps: float
    staircase: bool
    origin: float = 0

    @property
    def monotone(self) -> bool:
        return self.rate >= 0

    def bind(self, lib: Library) -> TimeFunction:
        return formulas.exponential(lib, self.init, self.rate, self.origin, self.decay_steps, staircase=self.staircase)

    def stair(self, t: int) -> Interval | None:
        return stair_around(t, self.decay_steps, self.origin) if self.staircase else None

    def delayed(self, by: float) -> Exponential:
        return replace(self, origin=self.origin + by)

    def stretched(self, factor: float) -> Exponential:
        return replace(self, origin=times(self.origin, factor), decay_steps=times(self.decay_steps, factor))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        return _multiples(self.origin, self.decay_steps, first, last) if self.staircase else iter(())


class InverseTime(_Smooth, frozen=True, gc=False):
    """init / (1 + rate * ((t - origin) / decay_steps)**time_power)**power."""

    init: float
    rate: float
    decay_steps: float
    power: float
    time_power: float
    staircase: bool
    origin: float = 0

    def bind(self, lib: Library) -> TimeFunction:
        return formulas.inverse_time(
            lib,
            self.init,
            self.rate,
            self.origin,
            self.decay_steps,
            self.power,
            self.time_power,
            staircase=self.staircase,
        )

    def stair(self, t: int) -> Interval | None:
        return stair_around(t, self.decay_steps, self.origin) if self.staircase else None

    def delayed(self, by: float) -> InverseTime:
        return replace(self, origin=self.origin + by)

    def stretched(self, factor: float) -> InverseTime:
        return replace(self, origin=times(self.origin, factor), decay_steps=times(self.decay_steps, factor))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        return _multiples(self.origin, self.decay_steps, first, last) if self.staircase else iter(())


class Logistic(_Smooth, frozen=True, gc=False):
    """init / (1 + e**z) + end / (1 + e**-z), z = ((t - origin) / scale - midpoint) / decay_steps."""

    init: float
    end: float
    midpoint: float | Fraction
    decay_steps: float | Fraction
    origin: float = 0
    scale: float = 1

    def bind(self, lib: Library) -> TimeFunction:
        return formulas.logistic(
            lib, self.init, self.end, self.midpoint, self.decay_steps, origin=self.origin, scale=self.scale
        )

    def delayed(self, by: float) -> Logistic:
        return replace(self, origin=self.origin + by)

    def stretched(self, factor: float) -> Logistic:
        return replace(self, origin=times(self.origin, factor), scale=self.scale * factor)

    def on_clock(self, slope: Fraction, start: Fraction) -> Logistic:
        """The logistic whose value at t is this one's at slope * t + start."""
        middle = Fraction(self.origin) + Fraction(self.midpoint) * Fraction(self.scale)
        period = Fraction(self.decay_steps) * Fraction(self.scale)
        return Logistic(self.init, self.end, (middle - start) / slope, period / slope)


class UserFunction(_Untruncated, frozen=True):
    """A user's Python function of (t - origin) / scale. Every value that it returns is checked."""

    function: Any
    name: str
    origin: float = 0
    scale: float = 1

    @property
    def period(self) -> None:
        return None

    @property
    def monotone(self) -> bool:
        return False

    def bind(self, lib: Library) -> TimeFunction:
        origin, scale = lib.time(self.origin), self.scale
        value = lib.each(self.function, partial(finite, self.name))
        if scale != 1:
            return lambda t: value((t - origin) / scale)
        return (lambda t: value(t - origin)) if origin else value

    def stair(self, t: int) -> None:
        return None

    def delayed(self, by: float) -> UserFunction:
        return replace(self, origin=self.origin + by)

    def stretched(self, factor: float) -> UserFunction:
        return replace(self, origin=times(self.origin, factor), scale=self.scale * factor)

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        return iter(range(first + 1, last))


class FrozenAt(_Smooth, frozen=True):
    """The value that a formula has at one time, as a constant; it is computed at each call, not when it is bound."""

    formula: Formula
    at: float

    @property
    def period(self) -> int:
        return 1

    def bind(self, lib: Library) -> TimeFunction:
        function = self.formula.bind(SCALARS)

        def value(t: Any) -> Any:
            return lib.fill(function(self.at))(t)

        return value

    def stair(self, t: int) -> Interval:
        return EVER

    def delayed(self, by: float) -> FrozenAt:
        return self

    def stretched(self, factor: float) -> FrozenAt:
        return self


class Stairs(Struct, frozen=True):
    """formula((t - origin) // width): inner time advances by 1 every `width` updates."""

    formula: Formula
    width: float
    origin: float = 0

    @property
    def period(self) -> int | None:
        inner = self.formula.period
        return inner if inner is None or inner == 1 else _whole_period(inner * self.width)

    @property
    def monotone(self) -> bool:
        return self.formula.monotone

    def bind(self, lib: Library) -> TimeFunction:
        return formulas.stairs(lib, self.formula.bind(lib), self.origin, self.width)

    def stair(self, t: int) -> Interval | None:
        return stair_around(t, self.width, self.origin)

    def delayed(self, by: float) -> Stairs:
        return replace(self, origin=self.origin + by)

    def stretched(self, factor: float) -> Stairs:
        return replace(self, origin=times(self.origin, factor), width=times(self.width, factor))

    def until(self, time: float) -> Stairs:
        ticks, _ = formulas.split(SCALARS, self.width, self.origin)(time)
        return replace(self, formula=self.formula.until(ticks))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        return _multiples(self.origin, self.width, first, last)


class Cycle(Struct, frozen=True):
    """A timeline that repeats. With `mirror`, odd cycles run backwards. Each cycle is `factor` times the one before."""

    timeline: Timeline
    length: float
    mirror: bool
    factor: float
    origin: float = 0

    @property
    def period(self) -> int | None:
        if self.factor != 1:
            return None
        return _whole_period(self.length * 2 if self.mirror else self.length)

    @property
    def monotone(self) -> bool:
        return False

    def bind(self, lib: Library) -> TimeFunction:
        inner = self.timeline.bind(lib)
        return formulas.cycle(lib, inner, self.origin, self.length, mirror=self.mirror, factor=self.factor)

    def stair(self, t: int) -> None:
        return None

    def delayed(self, by: float) -> Cycle:
        return replace(self, origin=self.origin + by)

    def stretched(self, factor: float) -> Cycle:
        return replace(
            self,
            timeline=self.timeline.stretched(factor),
            length=times(self.length, factor),
            origin=times(self.origin, factor),
        )

    def until(self, time: float) -> Cycle:
        return replace(self, timeline=self.timeline.until(time - self.origin))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        number = max(0, int((first - self.origin) // self.length))
        while (start := self.origin + number * self.length) < last:
            turned = self.mirror and number % 2
            reach = math.ceil(self.length if turned else min(self.length, last - start))
            changes = heapq.merge(self.timeline.starts, self.timeline.breakpoints(reach))
            places: Iterable[float] = (start + change for change in changes)  # a generator: there may be very many
            if turned:
                places = [start, *sorted(start + self.length - change for change in changes)]
            until = min(last, math.ceil(start + self.length) + 1)
            for step in (step for place in places for step in _steps_around(place)):
                if first < step < until:
                    first = step
                    yield step
            number += 1


class Reverse(_Untruncated, frozen=True):
    """timeline(about - t): the timeline backwards. A forward cycle always precedes it, so `until` cannot drop a piece."""

    timeline: Timeline
    about: float

    @property
    def period(self) -> None:
        return None

    @property
    def monotone(self) -> bool:
        return False

    def bind(self, lib: Library) -> TimeFunction:
        inner, about = self.timeline.bind(lib), lib.time(self.about)
        return lambda t: inner(about - t)

    def stair(self, t: int) -> None:
        return None

    def delayed(self, by: float) -> Reverse:
        return replace(self, about=self.about + by)

    def stretched(self, factor: float) -> Reverse:
        return replace(self, timeline=self.timeline.stretched(factor), about=times(self.about, factor))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        inner = self.timeline.breakpoints(math.floor(self.about - first) + 1)
        steps = {step for change in inner for step in _steps_around(self.about - change)}
        yield from sorted(step for step in steps if first < step < last)


class Clocked(Struct, frozen=True):
    """formula(rate * t + start): the formula by a clock that ticks `rate` times in an update.

    `units` ticks are one update of the schedule inside. `rate` and `units` are ints, `start` is an int or a Fraction.
    """

    formula: Formula
    rate: int
    start: Any
    units: int

    @property
    def fits_arrays(self) -> bool:
        """Whether the times inside, of at most 2**53 updates, fit int64."""
        return self.units <= 2**9

    @property
    def period(self) -> int | None:
        inner = self.formula.period
        return None if inner is None else inner // math.gcd(inner, self.rate)

    @property
    def monotone(self) -> bool:
        return self.formula.monotone

    def bind(self, lib: Library) -> TimeFunction:
        return formulas.on_clock(lib, self.formula.bind, self.rate, self.start, small=self.fits_arrays)

    def stair(self, t: int) -> None:
        return None

    def delayed(self, by: float) -> Clocked:
        return replace(self, start=_exact(self.start - self.rate * Fraction(by)))

    def stretched(self, factor: float) -> Clocked:
        return Clocked(
            self.formula.stretched(factor),
            self.rate,
            _exact(self.start * Fraction(factor)),
            math.ceil(self.units * factor),
        )

    def until(self, time: float) -> Clocked:
        return replace(self, formula=self.formula.until(float(self.rate * time + self.start)))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        ticks = math.floor(self.rate * first + self.start), math.ceil(self.rate * last + self.start)
        for tick in self.formula.breakpoints(*ticks):
            step = math.ceil(Fraction(tick - self.start) / self.rate)
            if first < step < last:
                first = step
                yield step


class Pointwise(Struct, frozen=True):
    """The sum or the product of formulas."""

    operation: str
    formulas: tuple[Formula, ...]

    @property
    def period(self) -> int | None:
        periods = [formula.period for formula in self.formulas]
        return None if None in periods else math.lcm(*[period for period in periods if period])

    @property
    def monotone(self) -> bool:
        return False

    def bind(self, lib: Library) -> TimeFunction:
        combine = formulas.total if self.operation == "sum" else formulas.product
        return combine(lib, [formula.bind(lib) for formula in self.formulas])

    def stair(self, t: int) -> Interval | None:
        firsts, ends = [], []
        for formula in self.formulas:
            if (held := formula.stair(t)) is None:
                return None
            firsts.append(held[0])
            ends.append(held[1])
        return max(firsts), min(ends)

    def delayed(self, by: float) -> Pointwise:
        return replace(self, formulas=tuple(formula.delayed(by) for formula in self.formulas))

    def stretched(self, factor: float) -> Pointwise:
        return replace(self, formulas=tuple(formula.stretched(factor) for formula in self.formulas))

    def until(self, time: float) -> Pointwise:
        return replace(self, formulas=tuple(formula.until(time) for formula in self.formulas))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        return _merged(formula.breakpoints(first, last) for formula in self.formulas)


class Clipped(Struct, frozen=True):
    """A formula whose value is clipped to [low, high]."""

    formula: Formula
    low: float
    high: float

    @property
    def period(self) -> int | None:
        return self.formula.period

    @property
    def monotone(self) -> bool:
        return self.formula.monotone

    def bind(self, lib: Library) -> TimeFunction:
        return lib.bounded(self.formula.bind(lib), self.low, self.high)

    def stair(self, t: int) -> Interval | None:
        return self.formula.stair(t)

    def delayed(self, by: float) -> Clipped:
        return replace(self, formula=self.formula.delayed(by))

    def stretched(self, factor: float) -> Clipped:
        return replace(self, formula=self.formula.stretched(factor))

    def until(self, time: float) -> Clipped:
        return replace(self, formula=self.formula.until(time))

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        return self.formula.breakpoints(first, last)


def segment(
    shape: str, start: float, end: float, first: float, last: float, power: float = 1.0, *, rising: bool = False
) -> Formula:
    """A ramp from `start` to `end`; a constant `start` if both are equal or the shape is `constant`."""
    if start == end or shape == "constant":
        return Constant(start)
    if shape == "exponential" and min(start, end) <= 0 <= max(start, end):
        raise ScheduleError("shape", f"'exponential' needs two values of one sign, not 0; got {start} and {end}")
    return Ramp(shape, start, end, first, last, last - first if shape == "log" else power, rising)


def on_clock(formula: Formula, slope: Fraction, start: Fraction) -> Formula:
    """The formula whose value at t is this one's at slope * t + start, without loss: a tick divides all times evenly."""
    if formula.period == 1 and isinstance(formula, Constant | FrozenAt):
        return formula
    if isinstance(formula, Logistic):
        return formula.on_clock(slope, start)
    units = math.lcm(slope.denominator, start.denominator, *_parts_of_an_update(formula))
    if units > _MOST_TICKS:
        raise ScheduleError(
            "Clock.times",
            "expected clocks that divide an update into at most 2**512 parts; got more; write fewer digits",
        )
    rate, first = int(slope * units), int(start * units)
    if rate == units == 1:
        return formula.delayed(-first)
    exact: Any = Fraction(units)
    return Clocked(formula.stretched(exact) if units != 1 else formula, rate, first, units)


def _parts_of_an_update(formula: Formula) -> Iterator[int]:
    """The denominators of the times of a formula that need not be whole and are no lengths of a stair or a cycle."""
    match formula:
        case Ramp(first=first, last=last):
            yield from (Fraction(first).denominator, Fraction(last).denominator)
        case Exponential(staircase=False) | InverseTime(staircase=False):
            yield from (Fraction(formula.origin).denominator, Fraction(formula.decay_steps).denominator)
        case Pointwise(formulas=parts):
            for part in parts:
                yield from _parts_of_an_update(part)
        case Clipped(formula=part):
            yield from _parts_of_an_update(part)
        case Cycle(timeline=line) | Reverse(timeline=line):
            for part in line.formulas:
                yield from _parts_of_an_update(part)
        case Clocked(start=start):
            yield Fraction(start).denominator


def inner_formulas(formula: Formula) -> tuple[Formula, ...]:
    """The formulas that a formula evaluates at its own times; () for any other, also for FrozenAt, which holds one value."""
    match formula:
        case Stairs(formula=inner) | Clipped(formula=inner) | Clocked(formula=inner):
            return (inner,)
        case Cycle(timeline=line) | Reverse(timeline=line):
            return line.formulas
        case Pointwise(formulas=parts):
            return parts
    return ()


def asks_python_between_steps(formula: Formula) -> bool:
    """Whether a clock inside the formula asks a Python function for the value between two steps."""
    if isinstance(formula, Clocked) and formula.units != 1 and _asks_python(formula.formula):
        return True
    return any(map(asks_python_between_steps, inner_formulas(formula)))


def _asks_python(formula: Formula) -> bool:
    """Whether a formula asks a Python function at each of its times; stairs ask at whole times only."""
    if isinstance(formula, Stairs):
        return False
    return isinstance(formula, UserFunction) or any(map(_asks_python, inner_formulas(formula)))


def times(time: Any, factor: Any) -> Any:
    """The product of a time and a factor; if the factor is a Fraction, exactly, as an int if it is whole."""
    return _exact(Fraction(time) * factor) if isinstance(factor, Fraction) else time * factor


def _exact(time: Fraction) -> int | Fraction:
    """The time, as an int if it is whole."""
    return int(time) if time.denominator == 1 else time


# --- where pieces change ---------------------------------------------------------------------------------------------


def _steps_around(place: float) -> tuple[int, ...]:
    """The integer steps at which a change of an inner timeline may show, if it falls at the time `place`.

    A change shows at `place`, or one step later in a mirrored cycle. If `place` is not whole, it may be off by one step.
    """
    below = math.floor(place)
    return (below, below + 1) if place == below else (below, below + 1, below + 2)


def _multiples(origin: float, width: float, first: int, last: int) -> Iterator[int]:
    """The integer steps in (first, last) at which (t - origin) // width changes."""
    number = max(1, math.floor((first - origin) / width))
    while (step := math.ceil(origin + number * width * (1 - ROUNDING))) < last:
        if step > first:
            yield step
        number += 1 if width >= 1 else max(1, math.floor(1 / width))


def _merged(streams: Iterable[Iterator[int]]) -> Iterator[int]:
    """The sorted union of sorted streams, without duplicates."""
    previous = None
    for step in heapq.merge(*streams):
        if step != previous:
            yield step
        previous = step


def _whole_period(period: float) -> int | None:
    """The period as an integer; None if it is not whole."""
    return int(period) if isinstance(period, int) or period.is_integer() else None


def finite(name: str, value: Any, step: Any) -> float:
    """The value that a Python function returned for a step, as a float; it must be a finite number."""
    if type(value) is float and math.isfinite(value):
        return value
    if isinstance(value, (bool, str, bytes, complex)):
        number = math.nan
    else:
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
    if not math.isfinite(number):
        raise ScheduleError(name, f"expected a finite number at step {step}; got {value!r}")
    return number
