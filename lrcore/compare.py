"""Whether two schedules are the same function of the step, by proof and not by sampling.

Two timelines are compared piece by piece. Formulas that are equal in their normal form have equal values. Where they are
not, every step is compared; where both are stairs, every tick; where both repeat, one common period. Where that takes more
than `BUDGET` values, equality is not shown, and the result says so.
"""

from __future__ import annotations

import heapq
import itertools
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from lrcore.curves import formulas
from lrcore.curves.formulas import LARGEST, LAST_STEP, SCALARS, SYMMETRIC
from lrcore.curves.pieces import (
    Clipped,
    Constant,
    Cycle,
    Exponential,
    Formula,
    FrozenAt,
    InverseTime,
    Pointwise,
    Ramp,
    Reverse,
    Stairs,
    UserFunction,
)
from lrcore.curves.timeline import Timeline
from lrcore.schedules.schedule import BLOCK, Schedule

BUDGET = 2**24
"""Values of each schedule that one comparison computes at most."""
_CALLS = 2**16  # values one by one, of a Python function for example, where equality cannot be shown anyway
_FIRST = 64  # steps that are compared without numpy: most pairs differ here
_SPARSE = 8  # steps to a tick from which on it is faster to compare at the ticks alone


class Difference(Struct, frozen=True):
    """Where two schedules differ, or where the search for a difference ended.

    Attributes:
        step: the first step at which they differ; where none was found, the first step that was not compared.
        first: the value of the first schedule at `step`; None where no difference was found.
        second: the value of the second one.
    """

    step: int
    first: float | None = None
    second: float | None = None

    @property
    def found(self) -> bool:
        """Whether the two differ at `step`; if not, they could not be shown to be equal."""
        return self.first is not None

    @property
    def size(self) -> float:
        """How far apart the two values are."""
        return 0.0 if self.first is None or self.second is None else abs(self.first - self.second)


def first_difference(
    first: Schedule, second: Schedule, rtol: float = 0.0, until: int | None = None
) -> Difference | None:
    """The first step at which two schedules differ, None where they are shown to be equal.

    Args:
        first: a schedule.
        second: another.
        rtol: values count as equal if they differ by no more than this part of the larger one.
        until: the steps below it are compared; None for all up to 2**53.

    Returns:
        None only if the values are equal at every one of these steps. Otherwise the difference; or, where the two could
        not be shown to be equal within `BUDGET` values, the step at which the search for one ended.

    Example:
        >>> from lrcore import Every, Exponential, Linear
        >>> first_difference(Linear(init_value=1.0, decay_steps=4), Linear(init_value=1.0, decay_steps=5))
        Difference(step=1, first=0.75, second=0.8)
        >>> per_epoch = Exponential(init_value=1.0, decay_rate=0.5)
        >>> stairs = Exponential(init_value=1.0, decay_rate=0.5, decay_steps=10, staircase=True)
        >>> first_difference(Every(per_epoch, steps=10), stairs) is None
        True
    """
    if first == second:
        return None
    return _Search(rtol).timelines(first.timeline, second.timeline, _stop(until))


def largest_difference(first: Schedule, second: Schedule, until: int | None = None) -> Difference | None:
    """The step at which the values of two schedules are furthest apart, the first of several.

    Args:
        first: a schedule.
        second: another.
        until: the steps below it are compared; None for all up to 2**53.

    Returns:
        None where no difference was found. Of what takes more than `BUDGET` values the beginning alone is searched.

    Example:
        >>> from lrcore import Linear
        >>> largest_difference(Linear(init_value=1.0, decay_steps=4), Linear(init_value=1.0, decay_steps=8))
        Difference(step=4, first=0.0, second=0.5)
    """
    largest, left = Difference(0), BUDGET
    for span in _unequal(first.timeline, second.timeline, _stop(until)):
        part = span.within(left)
        left -= part.count
        largest = max([largest, *(part.largest(block) for block in part.blocks())], key=lambda one: one.size)
    return largest if largest.found else None


def _stop(until: int | None) -> int:
    return LAST_STEP + 1 if until is None else until


_arrays = cache(formulas.arrays)


class _Search:
    """One comparison: what counts as equal, and how many values may still be computed."""

    def __init__(self, rtol: float, left: int = BUDGET) -> None:
        self.rtol = rtol
        self.left = left

    def timelines(self, first: Timeline, second: Timeline, stop: int, start: int = 0) -> Difference | None:
        found = (self._span(span) for span in _unequal(first, second, stop, start))
        return next((difference for difference in found if difference), None)

    def _span(self, span: _Span) -> Difference | None:
        complete = span.count <= self.left
        if not complete and self._same_parts(span):
            return None
        part = span.within(self.left)
        self.left -= part.count
        found = self._seen(part)
        if not part.same_bits:  # numpy's powers and sines are not the host's to the last bit, and the host decides
            checked = part.stop if complete else part.start + _CALLS
            steps = itertools.chain.from_iterable(part.blocks())
            found = self._walked(part, steps, found.step if found else checked) or found
        return found if found or complete else Difference(part.stop)

    def _seen(self, span: _Span) -> Difference | None:
        """The first step at which numpy's values differ and the host's do too."""
        blocks = span.blocks()
        for block in itertools.islice(blocks, 1):
            if difference := self._walked(span, block):
                return difference
        for block in blocks:
            seen = span.apart(block, self.rtol)
            if difference := self._walked(span, seen):
                return difference
        return None

    def _walked(self, span: _Span, steps: Iterable[int], before: float = math.inf) -> Difference | None:
        """The first of these steps at which the values that the schedules give differ."""
        first, second = span.on_host
        rtol = self.rtol
        for step in steps:
            if step >= before:
                break
            try:
                one, other = first(step), second(step)
            except Exception:  # noqa: BLE001 - a user's function may raise anything
                return Difference(step)
            if one != other and abs(one - other) > rtol * max(abs(one), abs(other)):
                return Difference(step, one, other)
        return None

    def _same_parts(self, span: _Span) -> bool:
        """Whether both formulas are made in the same way of parts that are shown to be equal."""
        match span.first, span.second:
            case Pointwise(formulas=some) as one, Pointwise(formulas=others) as other:
                alike = one.operation == other.operation and len(some) == len(others)
                orders = (others, (others[1], others[0], *others[2:]))
                return alike and any(self._smaller().pairs(zip(some, order, strict=True), span) for order in orders)
            case Cycle() as one, Cycle() as other:
                alike = replace(one, timeline=other.timeline) == other
                if alike and _is_whole(one.length) and _is_whole(one.origin):
                    length = int(one.length) + one.mirror
                    return self._smaller().timelines(one.timeline, other.timeline, length) is None
        return False

    def _smaller(self) -> _Search:
        """A search for a part of the whole, of which each value has to be the same."""
        return _Search(0.0, self.left // 4)

    def pairs(self, pairs: Iterable[tuple[Formula, Formula]], span: _Span) -> bool:
        """Whether formulas are shown to be equal over a span, one by one."""
        lines = ((Timeline((0,), (one,)), Timeline((0,), (other,))) for one, other in pairs)
        return all(self.timelines(one, other, span.stop, span.start) is None for one, other in lines)


# --- spans ------------------------------------------------------------------------------------------------------------


class _Span(Struct, frozen=True, dict=True):
    """Two formulas in their normal form over the steps from `start` to below `stop`."""

    first: Formula
    second: Formula
    start: int
    stop: int

    @cached_property
    def on_host(self) -> tuple[Callable[[int], float], Callable[[int], float]]:
        return self.first.bind(SCALARS), self.second.bind(SCALARS)

    @cached_property
    def in_arrays(self) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
        library = _arrays()
        return self.first.bind(library), self.second.bind(library)

    @cached_property
    def same_bits(self) -> bool:
        """Whether numpy gives the very values of the host."""
        return _is_plain_arithmetic(self.first) and _is_plain_arithmetic(self.second)

    @cached_property
    def tick(self) -> float:
        return min(_tick(self.first), _tick(self.second))

    @cached_property
    def count(self) -> int:
        """About how many values a complete search takes."""
        length = self.stop - self.start
        return length if self.tick < _SPARSE else math.ceil(2 * length / self.tick) + 1

    def within(self, count: int) -> _Span:
        """The span if it takes so many values at most, otherwise its first steps; fewer of a Python function."""
        if self.count <= count:
            return self
        most = _CALLS if _calls_python(self.first) or _calls_python(self.second) else count
        return replace(self, stop=self.start + min(count, most))

    def blocks(self) -> Iterator[Sequence[int]]:
        """The steps to compare, the first few and then many at a time."""
        if self.tick < _SPARSE:
            places = [self.start, *range(self.start + _FIRST, self.stop, BLOCK), self.stop]
            yield from (range(*pair) for pair in itertools.pairwise(places))
            return
        ticks = heapq.merge(
            [self.start], *(one.breakpoints(self.start, self.stop) for one in (self.first, self.second))
        )
        yield list(itertools.islice(ticks, _FIRST))
        while block := list(itertools.islice(ticks, BLOCK)):
            yield block

    def apart(self, block: Sequence[int], rtol: float) -> Sequence[int]:
        """The steps of a block at which numpy's values differ; all, if a user's function fails there."""
        import numpy as np

        try:
            first, second = self._values(block)
        except Exception:  # noqa: BLE001 - a user's function may raise anything
            return block
        differ = first != second
        if rtol and differ.any():
            differ &= np.abs(first - second) > rtol * np.maximum(np.abs(first), np.abs(second))
        places: list[int] = np.flatnonzero(differ).tolist()
        return [block[place] for place in places]

    def largest(self, block: Sequence[int]) -> Difference:
        """The largest difference in a block; of size 0 if a user's function fails there."""
        try:
            if len(block) <= _FIRST:
                pairs = (Difference(step, *(one(step) for one in self.on_host)) for step in block)
                return max(pairs, key=lambda one: one.size)
            first, second = self._values(block)
            step = block[int(abs(first - second).argmax())]
            return Difference(step, *(one(step) for one in self.on_host))
        except Exception:  # noqa: BLE001 - a user's function may raise anything
            return Difference(block[0])

    def _values(self, block: Sequence[int]) -> tuple[Any, Any]:
        import numpy as np

        steps = np.arange(block.start, block.stop) if isinstance(block, range) else np.array(block)
        with np.errstate(all="ignore"):
            first, second = (function(steps) for function in self.in_arrays)
        return first, second


def _unequal(first: Timeline, second: Timeline, stop: int, start: int = 0) -> Iterator[_Span]:
    """The spans over which the formulas are not the same, each up to where both repeat themselves."""
    for one, other, begin, end in _aligned(first, second, stop):
        start = max(start, begin)
        if one == other:
            continue
        pair = normal(one), normal(other)
        if pair[0] == pair[1]:
            continue
        repeats = [_repetition(formula, start, end) for formula in pair]
        known = [repeat for repeat in repeats if repeat]
        enough = math.inf
        if len(known) == len(pair):
            enough = max(begin for begin, _ in known) + math.lcm(*(period for _, period in known))
        yield _Span(*pair, start, int(min(end, enough)))


def _aligned(first: Timeline, second: Timeline, stop: int) -> Iterator[tuple[Formula, Formula, int, int]]:
    """The formulas of two timelines side by side, with the steps between which both hold."""
    starts = [[math.ceil(start) for start in line.starts] for line in (first, second)]
    places = sorted({place for line in starts for place in line if place < stop})
    current = [0, 0]
    for start, end in itertools.pairwise([*places, stop]):
        for number, line in enumerate(starts):
            while current[number] + 1 < len(line) and line[current[number] + 1] <= start:
                current[number] += 1
        yield first.formulas[current[0]], second.formulas[current[1]], start, end


# --- normal forms -----------------------------------------------------------------------------------------------------


def normal(formula: Formula, *, at_steps: bool = True) -> Formula:
    """The formula in a form that others with the very same values share, as far as that is known.

    Args:
        formula: any.
        at_steps: whether it is asked at whole times alone; not so in a cycle of a real length.

    Example:
        >>> normal(Stairs(Exponential(0.1, 0.5, 1, False), 10))
        Exponential(init=0.1, rate=0.5, decay_steps=10, staircase=True, origin=0)
    """
    match formula:
        case Ramp():
            return _normal_ramp(formula)
        case Exponential() | InverseTime():
            single = at_steps and formula.decay_steps == 1 and _is_whole(formula.origin)
            return replace(formula, staircase=True) if single else formula
        case Stairs(formula=inner):
            return _normal_stairs(replace(formula, formula=normal(inner)), at_steps=at_steps)
        case Cycle():
            return _normal_cycle(formula, at_steps=at_steps)
        case Reverse(timeline=inner, about=about):
            line = _normal_line(inner, at_steps=at_steps and _is_whole(about))
            return _one_constant(line) or replace(formula, timeline=line)
        case Pointwise(operation=operation, formulas=parts):
            return _normal_pointwise(operation, [normal(part, at_steps=at_steps) for part in parts])
        case Clipped(formula=inner, low=low, high=high):
            inner = normal(inner, at_steps=at_steps)
            return inner if (low, high) == (-LARGEST, LARGEST) else replace(formula, formula=inner)
    return formula


def _normal_line(line: Timeline, *, at_steps: bool) -> Timeline:
    """The timeline of formulas in their normal form; of equal ones that follow each other only the first is kept."""
    formulas_ = [normal(formula, at_steps=at_steps) for formula in line.formulas]
    pieces = list(zip(line.starts, formulas_, strict=True))
    kept = [pieces[0], *(after for before, after in itertools.pairwise(pieces) if before[1] != after[1])]
    return Timeline(tuple(start for start, _ in kept), tuple(formula for _, formula in kept))


def _one_constant(line: Timeline) -> Constant | None:
    """What a timeline is at any time, if it is one constant."""
    [*others, last] = line.formulas
    return last if isinstance(last, Constant) and not others else None


def _normal_ramp(ramp: Ramp) -> Formula:
    """A ramp of power 1 that is its own mirror image is the same in each direction."""
    if ramp.shape == "exponential":
        return replace(ramp, rising=False, power=1.0)
    if ramp.power == 1 and ramp.shape in SYMMETRIC:
        return replace(ramp, rising=False, shape="linear" if ramp.shape == "power" else ramp.shape)
    return ramp


def _normal_cycle(cycle: Cycle, *, at_steps: bool) -> Formula:
    """A cycle that begins in its first period: it is the same one whole periods later."""
    whole = _is_whole(cycle.length) and _is_whole(cycle.origin)
    line = _normal_line(cycle.timeline, at_steps=at_steps and whole)
    if cycle.factor == 1 and (constant := _one_constant(line)):
        return constant
    period = cycle.period
    return replace(cycle, timeline=line, origin=cycle.origin % period if period and whole else cycle.origin)


def _normal_stairs(stairs: Stairs, *, at_steps: bool) -> Formula:
    """Stairs of an exponential or of inverse time are one; of a sum, the sum of stairs; of stairs, wider stairs."""
    inner, width, origin = stairs.formula, stairs.width, stairs.origin
    if isinstance(inner, Constant):
        return inner
    if not (_is_whole(width) and _is_whole(origin)):
        return stairs
    if width == 1 and at_steps:
        return normal(inner.delayed(origin))
    match inner:
        case Exponential() | InverseTime():
            length = inner.decay_steps * width
            if inner.staircase and _is_whole(inner.decay_steps) and _is_whole(inner.origin) and length <= LAST_STEP:
                return replace(inner, decay_steps=length, origin=origin + inner.origin * width)
        case Pointwise(operation=operation, formulas=parts):
            wide = [_normal_stairs(replace(stairs, formula=part), at_steps=at_steps) for part in parts]
            return _normal_pointwise(operation, wide)
        case Clipped():
            return replace(inner, formula=_normal_stairs(replace(stairs, formula=inner.formula), at_steps=at_steps))
        case Stairs():
            if _is_whole(inner.width) and _is_whole(inner.origin) and inner.width * width <= LAST_STEP:
                return Stairs(inner.formula, inner.width * width, origin + inner.origin * width)
    return stairs


def _normal_pointwise(operation: str, parts: Sequence[Formula]) -> Formula:
    """Parts are taken from left to right: the first two may change places, and a sum that comes first is its own terms."""
    first, *rest = [*sorted(parts[:2], key=lambda part: not isinstance(part, Pointwise)), *parts[2:]]
    inside = first.formulas if isinstance(first, Pointwise) and first.operation == operation else (first,)
    flat = [*inside, *rest]
    whole = Pointwise(operation, (*sorted(flat[:2], key=repr), *flat[2:]))
    return Constant(whole.bind(SCALARS)(0)) if all(isinstance(part, Constant) for part in flat) else whole


def _is_whole(time: float) -> bool:
    return float(time).is_integer()


# --- what is known of a formula ---------------------------------------------------------------------------------------


def _repetition(formula: Formula, start: int, stop: int) -> tuple[int, int] | None:
    """A step, and the period with which the values repeat from there on (1: they stay); None where it is not known."""
    match formula:
        case Constant() | FrozenAt():
            return start, 1
        case Exponential(rate=rate) if -1 < rate < 0:
            return _held(replace(formula, rate=-rate), start, stop)
        case Exponential() | InverseTime():
            return _held(formula, start, stop)
        case Stairs():
            return _repetition_of_stairs(formula, start, stop)
        case Cycle(factor=1):
            return (start, formula.period) if formula.period else None
        case Cycle(length=length, factor=factor, origin=origin):
            faded = _held(Exponential(1.0, abs(factor), 1, staircase=True), 0, BUDGET) if abs(factor) < 1 else None
            return (max(start, math.ceil(origin + (faded[0] + 1) * length)), 1) if faded else None
        case Clipped(formula=inner):
            return _repetition(inner, start, stop)
        case Pointwise():
            return _joint_repetition(formula, start, stop)
    return None


def _held(formula: Exponential | InverseTime, start: int, stop: int) -> tuple[int, int] | None:
    """The step from which a formula that falls or grows is 0 or the largest number."""
    value, last = formula.bind(SCALARS), min(stop, start + BUDGET)
    held = value(last)
    if formula.monotone and abs(held) in (0, LARGEST):
        return start + bisect_left(range(start, last), True, key=lambda step: value(step) == held), 1
    return None


def _repetition_of_stairs(stairs: Stairs, start: int, stop: int) -> tuple[int, int] | None:
    first, last = (max(0, math.floor((step - stairs.origin) / stairs.width)) for step in (start, stop))
    repeat = _repetition(stairs.formula, first, last)
    if repeat is None or not (repeat[1] == 1 or _is_whole(stairs.width)):
        return None
    begin = max(start, math.ceil(stairs.origin + (repeat[0] + 1) * stairs.width))
    return begin, 1 if repeat[1] == 1 else int(repeat[1] * stairs.width)


def _joint_repetition(formula: Pointwise, start: int, stop: int) -> tuple[int, int] | None:
    """What repeats when all parts do; a product also stays 0 when a part does."""
    repeats = [_repetition(part, start, stop) for part in formula.formulas]
    known = [repeat for repeat in repeats if repeat]
    if formula.operation == "product":
        ended = [
            begin
            for part, (begin, period) in ((part, r) for part, r in zip(formula.formulas, repeats, strict=True) if r)
            if period == 1 and not _calls_python(part) and part.bind(SCALARS)(begin) == 0
        ]
        if ended:
            return min(ended), 1
    if len(known) < len(repeats):
        return None
    return max(begin for begin, _ in known), math.lcm(*(period for _, period in known))


def _tick(formula: Formula) -> float:
    """The steps between two changes of stairs, infinite for a constant; 0 for what may change at each step."""
    match formula:
        case Constant() | FrozenAt():
            return math.inf
        case Stairs(width=width) | Exponential(decay_steps=width, staircase=True):
            return width
        case InverseTime(decay_steps=width, staircase=True):
            return width
        case Pointwise() | Clipped():
            return min(map(_tick, _inside(formula)))
    return 0


def _is_plain_arithmetic(formula: Formula) -> bool:
    """Whether values come from operations that numpy and Python's floats round alike: no power, no sine."""
    match formula:
        case Exponential() | InverseTime():
            return False
        case Ramp(shape=shape, power=power):
            return power == 1 and shape in ("linear", "1-sqrt", "1-square")
        case Cycle(factor=factor) if factor != 1:
            return False
    return all(map(_is_plain_arithmetic, _inside(formula)))


def _calls_python(formula: Formula) -> bool:
    return isinstance(formula, UserFunction) or any(map(_calls_python, _inside(formula)))


def _inside(formula: Formula) -> tuple[Formula, ...]:
    """The formulas that a formula is made of."""
    match formula:
        case Pointwise(formulas=parts):
            return parts
        case Cycle(timeline=inner) | Reverse(timeline=inner):
            return inner.formulas
        case Stairs(formula=part) | Clipped(formula=part):
            return (part,)
    return ()
