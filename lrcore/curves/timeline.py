"""Timelines: formulas with sorted starts, so that a value takes one bisection and one call, and the algebra of timelines."""

from __future__ import annotations

import itertools
import math
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Context, Decimal
from functools import cached_property
from typing import Any

from msgspec import Struct

from lrcore.curves.formulas import LARGEST, LAST_STEP, SCALARS, Library, TimeFunction
from lrcore.curves.pieces import Clipped, Constant, Cycle, Formula, FrozenAt, Pointwise, Reverse, Stairs, segment
from lrcore.errors import ScheduleError

MOST_PIECES = 2**18
"""The limit for sums, products and growing cycles, which may have many more pieces than their parts."""
LONGEST_COUNTED = 2**62  # updates; the sum of two such times fits int64
_DECIMAL_DIGITS = 100  # enough for 1.5**84, which has 84 decimals
_UNITS_OF_ONE = 1 << 1074  # 1.0 in units of the smallest float64
_START = operator.itemgetter(0)


class Timeline(Struct, frozen=True, dict=True):
    """Formulas and the times at which each begins; the first begins at 0.

    Attributes:
        starts: rising times. They are integers, except for knots of `interpolate` and cycles of `repeat`.
        formulas: one for each start; their t is the timeline's, not the time since the start.
        length: the updates that the schedule takes; None if it has no length of its own.
    """

    starts: tuple[float, ...]
    formulas: tuple[Formula, ...]
    length: int | None = None

    @cached_property
    def at(self) -> TimeFunction:
        """The value at a time. With stairs, the value of the present one is remembered."""
        value = self.bind(SCALARS)
        return _remembering(value, self.starts, self.formulas) if self.has_stairs else value

    @property
    def has_stairs(self) -> bool:
        """Whether two pieces or more keep their value for several steps: a curve and its constant end do not."""
        flat = (one for start, one in zip(self.starts, self.formulas, strict=True) if one.stair(math.ceil(start)))
        return len(list(itertools.islice(flat, 2))) == 2

    def stair(self, step: int) -> range:
        """The steps around `step` at which the value is known to be the same."""
        piece, held = _stair(step, self.starts, self.formulas)
        if held is None:
            return range(step, step + 1)
        first, end = max(piece[0], held[0], 0), min(piece[1], held[1], LONGEST_COUNTED)
        return range(math.ceil(first), max(math.ceil(end), step + 1))

    def counted_from(self, first: int) -> Timeline | None:
        """value(t - first), if it is the same to the bit; None if a time that is not whole would be rounded."""
        line = self.delayed(first)
        return line if line.delayed(-first) == Timeline(self.starts, self.formulas) else None

    @property
    def end(self) -> int | None:
        """The step from which the last piece is constant; None if it is not constant."""
        return math.ceil(self.starts[-1]) if self.formulas[-1].period == 1 else None

    @property
    def period(self) -> int | None:
        """The period of the last formula: 1 for a constant, None if it does not repeat."""
        return self.formulas[-1].period

    def bind(self, lib: Library) -> TimeFunction:
        """The function of t. If there are several formulas, each is bound at its first use."""
        formulas = self.formulas  # a closure over `self`, which caches `at`, would be a reference cycle
        if len(formulas) == 1:
            return formulas[0].bind(lib)
        return lib.select(self.starts, lambda number: formulas[number].bind(lib))

    def breakpoints(self, horizon: int) -> Iterator[int]:
        """The integer steps in (0, horizon), rising, at which the value may jump or bend."""
        for start, end, formula in zip(self.starts, (*self.starts[1:], horizon), self.formulas, strict=True):
            first, last = math.ceil(start), min(math.ceil(end), horizon)
            if first >= horizon:
                return
            if 0 < first < last:  # a piece that lies between two steps is never evaluated
                yield first
            yield from formula.breakpoints(first, last)

    # --- in time ------------------------------------------------------------------------------------------------------

    def before(self, time: float) -> Timeline:
        """The pieces that begin before `time`."""
        keep = bisect_left(self.starts, time)
        return Timeline(self.starts[:keep], self.formulas[:keep])

    def until(self, time: float) -> Timeline:
        """The timeline without the pieces after `time`. A piece that begins at `time` is frozen there."""
        kept = bisect_left(self.starts, time)
        starts, ends = self.starts[:kept], (*self.starts[1:kept], time)
        pieces = tuple(formula.until(end) for formula, end in zip(self.formulas[:kept], ends, strict=False))
        if self.starts[kept : kept + 1] == (time,):
            return Timeline((*starts, time), (*pieces, FrozenAt(self.formulas[kept], time)))
        return Timeline(starts, pieces)

    def delayed(self, by: float) -> Timeline:
        """value(t - by), as a part of a longer timeline: its first piece begins at `by`."""
        return Timeline(
            tuple(start + by for start in self.starts), tuple(formula.delayed(by) for formula in self.formulas)
        )

    def advanced(self, steps: int) -> Timeline:
        """value(t + steps)."""
        first = bisect_right(self.starts, steps) - 1
        starts = (0, *(start - steps for start in self.starts[first + 1 :]))
        length = None if self.length is None else max(0, self.length - steps)
        return Timeline(starts, tuple(formula.delayed(-steps) for formula in self.formulas[first:]), length)

    def postponed(self, steps: int) -> Timeline:
        """value(t - steps), and the first value until then."""
        body = self.delayed(steps)
        length = None if self.length is None else self.length + steps
        if isinstance(self.formulas[0], Constant):
            return Timeline((0, *body.starts[1:]), body.formulas, length)
        return Timeline((0, *body.starts), (Constant(self.at(0)), *body.formulas), length)

    def held(self) -> Timeline:
        """The timeline frozen at LAST_STEP, unless it becomes constant within LONGEST_COUNTED updates."""
        if self.end is not None and self.end <= LONGEST_COUNTED:
            return self
        line, now = self.before(LAST_STEP), sum(start <= LAST_STEP for start in self.starts) - 1
        frozen = FrozenAt(self.formulas[now], LAST_STEP)
        return Timeline((*line.starts, LAST_STEP), (*line.formulas, frozen), self.length)

    def decimated(self, width: int) -> Timeline:
        """value(t // width)."""
        formulas_ = tuple(formula if formula.period == 1 else Stairs(formula, width) for formula in self.formulas)
        starts = tuple(math.ceil(start) * width for start in self.starts)
        return _without_empty(starts, formulas_, None if self.length is None else self.length * width)

    def stretched(self, factor: float) -> Timeline:
        """value(t / factor)."""
        return Timeline(
            tuple(start * factor for start in self.starts),
            tuple(formula.stretched(factor) for formula in self.formulas),
        )

    # --- in value -----------------------------------------------------------------------------------------------------

    def clipped(self, low: float, high: float) -> Timeline:
        """The value clipped to [low, high]. A monotone formula is divided where it enters and leaves the interval."""
        starts: list[float] = []
        pieces: list[Formula] = []
        for start, end, formula in zip(self.starts, (*self.starts[1:], LAST_STEP), self.formulas, strict=True):
            for at, piece in _clipped_pieces(formula, start, end, low, high):
                starts.append(at)
                pieces.append(piece)
        return Timeline(tuple(starts), tuple(pieces), self.length)


def _stair(
    t: int, starts: tuple[float, ...], formulas: tuple[Formula, ...]
) -> tuple[tuple[float, float], tuple[float, float] | None]:
    """The interval of the piece at t, and the one around t in which its formula keeps its value."""
    number = max(bisect_right(starts, t) - 1, 0)
    end = starts[number + 1] if number + 1 < len(starts) else math.inf
    return (starts[number], end), formulas[number].stair(t)


def _remembering(value: TimeFunction, starts: tuple[float, ...], formulas: tuple[Formula, ...]) -> TimeFunction:
    """The same function, which computes a value that holds for several steps once.

    One tuple is replaced as a whole, so that threads that ask at the same time do not see half of it.
    """
    kept: tuple[float, float, float | None] = (0, 0, None)  # an interval, and the value in it or None where it varies

    def at(t: Any) -> Any:
        nonlocal kept
        first, end, held = kept
        if first <= t < end:
            return value(t) if held is None else held
        found = value(t)
        if type(t) is int:
            (first, end), stair = _stair(t, starts, formulas)
            kept = (max(first, stair[0]), min(end, stair[1]), found) if stair else (first, end, None)
        return found

    return at


def constant(value: float, length: int | None = None) -> Timeline:
    """The same value at every step."""
    return Timeline((0,), (Constant(value),), length)


def ramp(shape: str, start: float, end: float, length: int, power: float = 1.0, *, rising: bool = False) -> Timeline:
    """From `start` at step 0 to exactly `end` at step `length`, constant from there on."""
    if length == 0:
        return constant(end, 0)
    return Timeline((0, length), (segment(shape, start, end, 0, length, power, rising=rising), Constant(end)), length)


def join(timelines: Sequence[Timeline], boundaries: Sequence[int]) -> Timeline:
    """The timelines in sequence: each begins at its boundary with its own t = 0; one of length 0 is skipped."""
    starts: list[float] = []
    pieces: list[Formula] = []
    for timeline, start, end in zip(timelines, (0, *boundaries), (*boundaries, math.inf), strict=True):
        if start < end:
            part = timeline.before(end - start).delayed(start)
            starts += part.starts
            pieces += part.formulas
    last = timelines[-1].length
    length = None if last is None else (boundaries[-1] if boundaries else 0) + last
    return Timeline(tuple(starts), tuple(pieces), length)


def pointwise(operation: str, timelines: Sequence[Timeline]) -> Timeline:
    """The sum or product of timelines; constants are folded."""
    count = len({start for timeline in timelines for start in timeline.starts})
    if count > MOST_PIECES:
        raise ScheduleError(f"{operation.title()}.schedules", f"expected at most {MOST_PIECES} pieces; got {count}")
    changes = [
        (start, number, formula)
        for number, timeline in enumerate(timelines)
        for start, formula in zip(timeline.starts, timeline.formulas, strict=True)
    ]
    changes.sort(key=_START)
    combined = _Folded(operation, len(timelines))
    starts: list[float] = []
    pieces: list[Formula] = []
    for start, changed in itertools.groupby(changes, key=_START):
        for _, number, formula in changed:
            combined.put(number, formula)
        starts.append(start)
        pieces.append(combined.formula())
    lengths = [timeline.end if timeline.length is None else timeline.length for timeline in timelines]
    known = [length for length in lengths if length is not None]
    sized = any(timeline.length is not None for timeline in timelines)
    return Timeline(tuple(starts), tuple(pieces), max(known) if sized and len(known) == len(lengths) else None)


def cycles(timeline: Timeline, period: float, *, mirror: bool, value_factor: float) -> Timeline:
    """The first `period` updates of the timeline, repeated for ever."""
    inner = _one_cycle(timeline, period, mirror=mirror)
    # `period == 1` does not suffice: it also holds for one-step cycles, which still vary between whole steps.
    if len(inner.formulas) == 1 and isinstance(inner.formulas[0], Constant | FrozenAt) and value_factor == 1:
        return inner
    return Timeline((0,), (Cycle(inner, period, mirror, value_factor),))


def growing_cycles(
    timeline: Timeline, period: float, *, mirror: bool, value_factor: float, length_factor: float
) -> Timeline:
    """Cycles that are each `length_factor` times as long as the one before, laid out up to LAST_STEP."""
    inner = _one_cycle(timeline, period, mirror=mirror)
    starts: list[float] = []
    pieces: list[Formula] = []
    scale = 1.0
    count = math.log1p(LAST_STEP / period * (length_factor - 1)) / math.log(length_factor)
    if count * len(inner.starts) > MOST_PIECES:
        raise ScheduleError(
            "Repeat.length_factor",
            f"expected at most {MOST_PIECES} pieces up to step 2**53; got about {count * len(inner.starts):.0f}",
        )
    for number, (start, stretch, turn) in enumerate(_growing_spans(period, length_factor)):
        part = inner.stretched(stretch)
        if mirror and number % 2:
            part = Timeline((0,), (Reverse(part, turn),))
        part = part.before(turn).delayed(start)
        starts += part.starts
        pieces += [_scaled(formula, scale) for formula in part.formulas]
        scale = min(max(scale * value_factor, -LARGEST), LARGEST)
    return Timeline(tuple(starts), tuple(pieces))


def _one_cycle(timeline: Timeline, period: float, *, mirror: bool) -> Timeline:
    """The pieces of one cycle. A mirrored cycle begins with the value at `period` itself, so it includes that piece."""
    return timeline.before(math.nextafter(period, math.inf) if mirror else period)


class _Folded:
    """A sum or product of formulas that can be replaced one at a time; its constants are folded into one."""

    def __init__(self, operation: str, count: int) -> None:
        self.operation = operation
        self.numbers: _ExactSum | _OrderedProduct = _ExactSum(count) if operation == "sum" else _OrderedProduct(count)
        self.others: dict[int, Formula] = {}

    def put(self, number: int, formula: Formula) -> None:
        self.others.pop(number, None)
        if isinstance(formula, Constant):
            self.numbers.put(number, formula.value)
        else:
            self.numbers.put(number, self.numbers.neutral)
            self.others[number] = formula

    def formula(self) -> Formula:
        folded = self.numbers.folded()
        if not self.others or (self.operation == "product" and folded == 0):
            return Constant(folded)
        others = [self.others[number] for number in sorted(self.others)]
        if folded == self.numbers.neutral:
            return others[0] if len(others) == 1 else Pointwise(self.operation, tuple(others))
        return Pointwise(self.operation, (*others, Constant(folded)))


class _ExactSum:
    """The exact sum of float64 numbers, as integers in units of 2**-1074, the smallest float64."""

    neutral = 0.0

    def __init__(self, count: int) -> None:
        self.terms = [0] * count
        self.total = 0

    def put(self, number: int, value: float) -> None:
        numerator, denominator = value.as_integer_ratio()
        term = numerator << (1075 - denominator.bit_length())
        self.total += term - self.terms[number]
        self.terms[number] = term

    def folded(self) -> float:
        """The float64 nearest to the sum, clipped to the largest finite one."""
        try:
            return self.total / _UNITS_OF_ONE
        except OverflowError:
            return LARGEST if self.total > 0 else -LARGEST


class _OrderedProduct:
    """The product of numbers from left to right: another order would round differently."""

    neutral = 1.0

    def __init__(self, count: int) -> None:
        self.factors = [1.0] * count

    def put(self, number: int, value: float) -> None:
        self.factors[number] = value

    def folded(self) -> float:
        """The product, clipped to the finite float64 numbers; 0 if a factor is 0, even if the others overflow."""
        product = math.prod(self.factors)
        return 0.0 if math.isnan(product) else min(max(product, -LARGEST), LARGEST) + 0.0


def _scaled(formula: Formula, factor: float) -> Formula:
    combined = _Folded("product", 2)
    combined.put(0, formula)
    combined.put(1, Constant(factor))
    return combined.formula()


def _clipped_pieces(
    formula: Formula, start: float, end: float, low: float, high: float
) -> Iterable[tuple[float, Formula]]:
    """The pieces of a clipped formula: a monotone one is divided into constants and the part between the limits."""
    if isinstance(formula, Constant):
        return [(start, Constant(min(max(formula.value, low), high)))]
    if not (formula.monotone and start < end and float(start).is_integer() and float(end).is_integer()):
        return [(start, Clipped(formula, low, high))]
    first, last = int(start), int(end)
    value = formula.bind(SCALARS)
    rising = value(first) <= value(last)
    outer, inner = (low, high) if rising else (high, low)

    def reached(limit: float, t: float) -> bool:
        return bool(value(t) >= limit if rising else value(t) <= limit)

    enter = _first_time(lambda t: reached(outer, t), first, last)
    leave = _first_time(lambda t: reached(inner, t), math.floor(enter), last)
    starts = (first, enter, max(enter, leave), last)
    pieces = (Constant(outer), formula, Constant(inner))
    return [(at, piece) for (at, until), piece in zip(itertools.pairwise(starts), pieces, strict=True) if at < until]


def _first_time(reached: Callable[[float], bool], first: int, last: int) -> float:
    """The first time in [first, last) at which `reached` holds, `last` if there is none; it must hold from there on.

    The time is exact to the float, because a stretched cycle is evaluated between whole steps.
    """
    if first >= last or reached(first):
        return first
    if not reached(last):
        return last
    below, above = first, last
    while below < above:
        middle = (below + above) // 2
        below, above = (below, middle) if reached(middle) else (middle + 1, above)
    if above == first:
        return first
    before, time = above - 1.0, float(above)
    while before < (between := (before + time) / 2) < time:
        before, time = (before, between) if reached(between) else (between, time)
    return above if time == above else time


def _without_empty(starts: Sequence[float], pieces: Sequence[Formula], length: int | None) -> Timeline:
    """The timeline without empty pieces: of several that begin together, the last is kept."""
    if all(map(operator.lt, starts, starts[1:])):
        return Timeline(tuple(starts), tuple(pieces), length)
    ends = (*starts[1:], math.inf)
    kept = [(start, piece) for start, end, piece in zip(starts, ends, pieces, strict=True) if start < end]
    return Timeline(tuple(start for start, _ in kept), tuple(piece for _, piece in kept), length)


def from_pieces(starts: Sequence[float], pieces: Sequence[Formula], length: int | None = None) -> Timeline:
    """The timeline of some pieces; empty ones are dropped."""
    return _without_empty(starts, pieces, length)


def _growing_spans(period: float, factor: float) -> Iterator[tuple[float, float, float]]:
    """Yields (start, stretch factor, length) of each cycle up to LAST_STEP.

    They are computed in decimal, as the numbers are written: in binary, 1000 * (1 + 1.1 + 1.1**2) is above 3310.
    """
    exact = Context(prec=_DECIMAL_DIGITS)
    length, growth = Decimal(str(period)), Decimal(str(factor))
    start, stretch = Decimal(0), Decimal(1)
    while start < LAST_STEP:
        turn = exact.multiply(length, stretch)
        yield _integer_if_whole(start), _integer_if_whole(stretch), _integer_if_whole(turn)
        start, stretch = exact.add(start, turn), exact.multiply(stretch, growth)


def _integer_if_whole(exact: Decimal) -> float:
    """The number as an int if it is whole, so that differences of times stay exact; otherwise as a float."""
    return int(exact) if exact == exact.to_integral_value() else float(exact)
