"""Whether two schedules are the same function of the step, by proof and not by sampling.

Two timelines are compared piece by piece. Formulas with the same normal form have equal values. For the others every step
is compared; every tick if both are stairs; one common period if both repeat. If that takes more than `BUDGET` values,
equality is not shown, and the result says so.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from lrcore.curves import formulas
from lrcore.curves.formulas import BLOCK, LAST_STEP, SCALARS
from lrcore.curves.normal import is_slow, normal, repetition, tick, unrolled
from lrcore.curves.pieces import Cycle, Formula, Pointwise
from lrcore.curves.timeline import Timeline
from lrcore.schedules.schedule import Schedule

BUDGET = 2**24
"""The most values of each schedule that one comparison computes."""
_MOST_SLOW_VALUES = 2**16  # of one comparison that cannot be complete, where each value takes a call
_SCALAR_STEPS = 64  # the first steps, compared without numpy: most schedules that differ do so here
_SPARSE_TICK = 8  # steps per tick from which comparing the ticks alone is faster


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
    for span in _unequal_spans(first.timeline, second.timeline, _stop(until)):
        part = span.within(left)
        left -= part.count
        largest = max([largest, *(part.largest(block) for block in part.blocks())], key=lambda one: one.size)
    return largest if largest.found else None


def _stop(until: int | None) -> int:
    """The step below which steps are compared."""
    return LAST_STEP + 1 if until is None else until


_arrays = cache(formulas.exact_arrays)


class _Search:
    """One comparison: its tolerance, and how many values it may still compute."""

    def __init__(self, rtol: float, remaining: int = BUDGET) -> None:
        self.rtol = rtol
        self.remaining = remaining

    def timelines(self, first: Timeline, second: Timeline, stop: int, start: int = 0) -> Difference | None:
        """The first difference between two timelines from `start` to below `stop`."""
        found = (self._span(span) for span in _unequal_spans(first, second, stop, start))
        return next((difference for difference in found if difference), None)

    def _span(self, span: _Span) -> Difference | None:
        """The first difference in a span; its `found` is false where the budget ends the search."""
        complete = span.count <= self.remaining
        if not complete and self._has_equal_parts(span):
            return None
        part = span.within(self.remaining)
        if lines := part.unrolled():
            found = self.timelines(*lines, part.stop, part.start)
            return found if found or complete else Difference(part.stop)
        self.remaining -= part.count
        found = self._first_unequal_in_blocks(part)
        return found if found or complete else Difference(part.stop)

    def _first_unequal_in_blocks(self, span: _Span) -> Difference | None:
        """The first step at which the values differ. The first block is compared step by step, later ones as arrays."""
        blocks = span.blocks()
        for block in itertools.islice(blocks, 1):
            if difference := self._first_unequal_step(span, block):
                return difference
        for block in blocks:
            if difference := self._first_unequal_step(span, span.unequal_steps(block, self.rtol)):
                return difference
        return None

    def _first_unequal_step(self, span: _Span, steps: Iterable[int]) -> Difference | None:
        """The first of these steps at which the values differ or a user's function fails."""
        first, second = span.on_host
        rtol = self.rtol
        for step in steps:
            try:
                one, other = first(step), second(step)
            except Exception:  # noqa: BLE001 - a user's function may raise anything
                return Difference(step)
            if one != other and abs(one - other) > rtol * max(abs(one), abs(other)):
                return Difference(step, one, other)
        return None

    def _has_equal_parts(self, span: _Span) -> bool:
        """Whether both formulas combine their parts in the same way, and the parts are shown to be equal."""
        match span.first, span.second:
            case Pointwise(formulas=some) as one, Pointwise(formulas=others) as other:
                alike = one.operation == other.operation and len(some) == len(others)
                orders = (others, (others[1], others[0], *others[2:]))
                return alike and any(
                    self._search_for_parts().equal_pairs(zip(some, order, strict=True), span) for order in orders
                )
            case Cycle() as one, Cycle() as other:
                alike = replace(one, timeline=other.timeline) == other
                if alike and float(one.length).is_integer() and float(one.origin).is_integer():
                    length = int(one.length) + one.mirror
                    return self._search_for_parts().timelines(one.timeline, other.timeline, length) is None
        return False

    def _search_for_parts(self) -> _Search:
        """A search that compares parts: without a tolerance, and with a quarter of the remaining budget."""
        return _Search(0.0, self.remaining // 4)

    def equal_pairs(self, pairs: Iterable[tuple[Formula, Formula]], span: _Span) -> bool:
        """Whether the two formulas of each pair are shown to be equal over a span."""
        lines = ((Timeline((0,), (one,)), Timeline((0,), (other,))) for one, other in pairs)
        return all(self.timelines(one, other, span.stop, span.start) is None for one, other in lines)


# --- spans ------------------------------------------------------------------------------------------------------------


class _Span(Struct, frozen=True, dict=True):
    """Two formulas in their normal form, and the steps from `start` to below `stop` over which they are compared."""

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
    def tick(self) -> float:
        return min(tick(self.first), tick(self.second))

    @cached_property
    def count(self) -> int:
        """About how many values of each formula a complete search computes."""
        length = self.stop - self.start
        return length if self.tick < _SPARSE_TICK else math.ceil(2 * length / self.tick) + 1

    def within(self, count: int) -> _Span:
        """The span if it takes at most `count` values; otherwise its first steps, fewer if each takes a call."""
        if self.count <= count:
            return self
        most = _MOST_SLOW_VALUES if is_slow(self.first) or is_slow(self.second) else count
        return replace(self, stop=self.start + min(count, most))

    def unrolled(self) -> tuple[Timeline, Timeline] | None:
        """The span as two timelines with their cycles laid out; None if no cycle can be, or the span is short."""
        lines = [unrolled(formula, self.start, self.stop) for formula in (self.first, self.second)]
        if lines == [None, None] or self.stop - self.start <= _SCALAR_STEPS:
            return None
        first, second = (
            line or Timeline((0,), (one,)) for line, one in zip(lines, (self.first, self.second), strict=True)
        )
        return first, second

    def blocks(self) -> Iterator[Sequence[int]]:
        """The steps to compare: a short block, then long ones."""
        if self.tick < _SPARSE_TICK:
            places = [self.start, *range(self.start + _SCALAR_STEPS, self.stop, BLOCK), self.stop]
            yield from (range(*pair) for pair in itertools.pairwise(places))
            return
        ticks = heapq.merge(
            [self.start], *(one.breakpoints(self.start, self.stop) for one in (self.first, self.second))
        )
        yield list(itertools.islice(ticks, _SCALAR_STEPS))
        while block := list(itertools.islice(ticks, BLOCK)):
            yield block

    def unequal_steps(self, block: Sequence[int], rtol: float) -> Sequence[int]:
        """The steps of a block at which the values differ; all of them if a user's function fails."""
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
        """The largest difference in a block; of size 0 if a user's function fails."""
        try:
            if len(block) <= _SCALAR_STEPS:
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


def _unequal_spans(first: Timeline, second: Timeline, stop: int, start: int = 0) -> Iterator[_Span]:
    """The spans over which the normal forms differ, each cut after one common period if both formulas repeat."""
    for one, other, begin, end in _aligned(first, second, stop):
        start = max(start, begin)
        if one == other or end <= start:
            continue
        pair = normal(one), normal(other)
        if pair[0] == pair[1]:
            continue
        repeats = [repetition(formula, start, end) for formula in pair]
        known = [repeat for repeat in repeats if repeat]
        enough = math.inf
        if len(known) == len(pair):
            enough = max(step for step, _ in known) + math.lcm(*(period for _, period in known))
        yield _Span(*pair, start, int(min(end, enough)))


def _aligned(first: Timeline, second: Timeline, stop: int) -> Iterator[tuple[Formula, Formula, int, int]]:
    """Pairs of formulas, one of each timeline, with the first step and the end of the range over which both apply."""
    starts = [[math.ceil(start) for start in line.starts] for line in (first, second)]
    places = sorted({place for line in starts for place in line if place < stop})
    current = [0, 0]
    for start, end in itertools.pairwise([*places, stop]):
        for number, line in enumerate(starts):
            while current[number] + 1 < len(line) and line[current[number] + 1] <= start:
                current[number] += 1
        yield first.formulas[current[0]], second.formulas[current[1]], start, end
