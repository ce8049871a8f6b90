"""Logs whose rate stands still between jumps: stairs, and schedules that move once an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from lrcore.checks.forms.answers import Answer, priced
from lrcore.checks.forms.points import Points
from lrcore.schedules.kinds import Every, Exponential, PiecewiseConstant
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SURE = 0.8  # of the weight that all possible numbers have together
_LONGEST_FACTOR = 6  # characters: 0.9775
_STAIRS = 12  # at most, of heights that follow no rule
_WEIGHTS = {1: 0.4 / 9, 2: 0.3 / 81, 3: 0.15 / 810}  # how often people choose a number of so many digits


@dataclass(frozen=True)
class Run:
    """Neighbouring points of one rate.

    Attributes:
        value: the rate.
        first: the step of the first.
        last: the step of the last.
        tolerance: how far the rate may be from the true one.
    """

    value: float
    first: int
    last: int
    tolerance: float


def runs_of(points: Points) -> list[Run]:
    """The runs of equal rates.

    Example:
        >>> import numpy as np
        >>> points = Points(np.arange(4), np.array([0.1, 0.1, 0.1, 0.01]), np.full(4, 1e-9))
        >>> [(run.value, run.first, run.last) for run in runs_of(points)]
        [(0.1, 0, 2), (0.01, 3, 3)]
    """
    import numpy as np

    change = np.abs(np.diff(points.values)) > points.tolerances[1:]
    starts = [0, *(np.flatnonzero(change) + 1).tolist(), len(points)]
    return [
        Run(float(points.values[a]), int(points.steps[a]), int(points.steps[b - 1]), float(points.tolerances[a]))
        for a, b in pairwise(starts)
    ]


def periods(runs: list[Run], ticks: list[int], origin: int) -> range:
    """The whole numbers of updates per tick with which each run lies in its tick; the last run may go on.

    Args:
        runs: the runs.
        ticks: the tick of each.
        origin: the step at which tick 0 begins.

    Example:
        >>> periods([Run(1, 0, 95, 0), Run(2, 100, 195, 0), Run(3, 200, 205, 0)], [0, 1, 2], 0)
        range(98, 101)
    """
    low, high = 1, 2**62
    for number, (run, tick) in enumerate(zip(runs, ticks, strict=True)):
        if tick > 0:
            high = min(high, (run.first - origin) // tick)
        if number < len(runs) - 1:
            low = max(low, (run.last - origin) // (tick + 1) + 1)
    return range(low, high + 1)


def likely(numbers: range) -> int | None:
    """The number that people choose far more often than all others of a range; None if there is none.

    Example:
        >>> likely(range(9_991, 10_001)), likely(range(51, 100)), likely(range(37, 38))
        (10000, None, 37)
    """
    if len(numbers) == 1:
        return numbers[0]
    if not 0 < len(numbers) <= 100_000:
        return None
    weights = {number: _weight(number) for number in numbers}
    best = max(weights, key=weights.__getitem__)
    return best if weights[best] >= _SURE * sum(weights.values()) else None


def _weight(number: int) -> float:
    digits = str(number)
    return _WEIGHTS.get(len(digits.rstrip("0")), 0.15 / (9 * 10.0 ** (len(digits) - 1)))


# --- whole schedules --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """A straight warmup before the stairs.

    Attributes:
        steps: its length; 0 where there is none.
        init: its first value.
        first: the number of the first point after it.
    """

    steps: int = 0
    init: float = 0.0
    first: int = 0


def staircases(points: Points, head: Head, lag: int, smooth: Callable[[Points], list[Answer]]) -> Iterator[Answer]:
    """Schedules of stairs that give every point; only where each jump is at a known update.

    Args:
        points: the log.
        head: the warmup.
        lag: row n shows the rate of update n - lag.
        smooth: infers the schedule of one value per epoch.
    """
    body = points.part(slice(head.first, None))
    runs, origin = runs_of(body), lag + head.steps
    if len(runs) < 2 or runs[0].first < origin:
        return
    geometric = list(_geometric(runs, origin))
    others = () if geometric else (*_per_epoch(runs, origin, len(body), smooth), *_chosen(runs, origin, len(body)))
    for schedule, notes in (*geometric, *others):
        whole = schedule.warmup(head.steps, init_value=head.init)
        if points.fit(whole.values(points.steps - lag)):
            yield priced(whole, lag, notes)


_Found = tuple[Schedule, tuple[str, ...]]


def _geometric(runs: list[Run], origin: int) -> Iterator[_Found]:
    """Each stair is the one before it times a factor, and all are equally long."""
    first, factor = runs[0].value, runs[1].value / runs[0].value if runs[0].value else 0.0
    if not 0 < factor < 1 or first < 0 or len(runs) < 3:
        return
    factor = shortest(factor, 1e-9)
    if len(repr(factor)) > _LONGEST_FACTOR:
        return
    ticks = [round((math.log(run.value) - math.log(first)) / math.log(factor)) if run.value > 0 else -1 for run in runs]
    if ticks != sorted(set(ticks)):
        return
    possible = periods(runs, ticks, origin)
    period = likely(possible)
    if period is not None:
        start = shortest(first, runs[0].tolerance)
        yield Exponential(init_value=start, decay_rate=factor, decay_steps=period, staircase=True), _open(possible)


def _per_epoch(runs: list[Run], origin: int, count: int, smooth: Callable[[Points], list[Answer]]) -> Iterator[_Found]:
    """One value per epoch, the values of a smooth schedule; epochs must be longer than the log's steps, else nothing tells."""
    import numpy as np

    if len(runs) < 4 or count < 1.4 * len(runs):
        return
    values = np.array([run.value for run in runs])
    tolerances = np.array([run.tolerance for run in runs])
    for ticks in _ticks(values):
        possible = periods(runs, ticks, origin)
        period = likely(possible)
        if period is not None:
            answers = smooth(Points(np.array(ticks), values, tolerances))
            yield from ((Every(inner.schedule, period), _open(possible)) for inner in answers[:1])


def _ticks(values: NDArray[np.float64]) -> Iterator[list[int]]:
    """The epoch of each run: one after another; or, where the log skips epochs, by equal differences or factors."""
    import numpy as np

    yield list(range(len(values)))
    for scale in (values, np.log(np.abs(values) + 1e-300)):
        apart = np.abs(np.diff(scale))
        counts = apart / np.median(apart)
        whole = np.maximum(np.round(counts), 1)
        if np.all(np.abs(counts[:-1] - whole[:-1]) < 1e-6) and whole.max() > 1:
            yield [0, *np.cumsum(whole).astype(int).tolist()]


def _chosen(runs: list[Run], origin: int, count: int) -> Iterator[_Found]:
    """Stairs of any length and height."""
    if count < 3 * len(runs) or len(runs) > _STAIRS:
        return
    possible = [range(run.last - origin + 1, after.first - origin + 1) for run, after in pairwise(runs)]
    boundaries = [number for number in map(likely, possible) if number is not None]
    if len(boundaries) == len(possible):
        values = [shortest(run.value, run.tolerance) for run in runs]
        notes = tuple(note for interval in possible for note in _open(interval))
        yield PiecewiseConstant(boundaries=boundaries, values=values), notes


def _open(possible: range) -> tuple[str, ...]:
    """What is said of a number that the log gives as an interval."""
    if len(possible) == 1:
        return ()
    first, last = possible[0], possible[-1]
    return (
        f"{likely(possible):,} updates is the roundest number between {first:,} and {last:,}; the log has no closer points.",
    )


def shortest(value: float, tolerance: float) -> float:
    """The number of fewest digits within a tolerance.

    Example:
        >>> shortest(0.010000000000000002, 1e-15)
        0.01
    """
    rounded = (float(f"{value:.{digits}e}") for digits in range(17))
    return next(number for number in rounded if abs(number - value) <= tolerance or number == value)
