"""How the benchmarks measure: rivals alternate in one process, and what counts is the median of their ratios."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

REPETITIONS = 15
MORE_REPETITIONS = 45  # before a missed mark is believed: the machine may have been busy
SLICE = 2e-3  # seconds of one measurement
SLICES = 3  # of which the fastest counts


class Call(NamedTuple):
    """What is timed: a function of one argument, or of none where there is no argument.

    The clock is that of the CPU, which others on the machine do not lengthen.
    """

    function: Callable[..., Any]
    argument: Any = None

    def timer(self) -> timeit.Timer:
        """A timer without a wrapper around the function, which would hide part of a ratio."""
        names = {"function": self.function, "argument": self.argument}
        statement = "function()" if self.argument is None else "function(argument)"
        return timeit.Timer(statement, globals=names, timer=time.process_time)


class Spread(NamedTuple):
    """A median and the middle half of what was measured."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the report.

    Attributes:
        section: where the report shows it.
        what: what was measured.
        spread: the values, in `unit`.
        unit: what the values count: "x" for a ratio.
        mark: what the project set out to reach; None for what is shown without a mark.
        at_least: whether the mark is a lower limit.
        detail: the figures behind a ratio.
        limit: what keeps it from the mark, told where it is missed.
    """

    section: str
    what: str
    spread: Spread
    unit: str
    mark: float | None = None
    at_least: bool = False
    detail: str = ""
    limit: str = ""

    @property
    def met(self) -> bool:
        if self.mark is None:
            return True
        return self.spread.median >= self.mark if self.at_least else self.spread.median <= self.mark


@dataclass(frozen=True)
class Curve:
    """One line of a plot."""

    plot: str
    label: str
    x: list[float]
    y: list[float]


@dataclass
class Bench:
    """What one process measured."""

    versions: dict[str, str]
    figures: list[Figure] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def ratio(
        self, section: str, what: str, ours: Call, theirs: Call, mark: float | None = None, limit: str = ""
    ) -> None:
        """Add our time as a multiple of theirs."""

        def figure(repetitions: int) -> Figure:
            mine, other = alternating(ours, theirs, repetitions=repetitions)
            spread = spread_of([a / b for a, b in zip(mine, other, strict=True)])
            detail = f"{duration(statistics.median(mine))} against {duration(statistics.median(other))}"
            return Figure(section=section, what=what, spread=spread, unit="x", mark=mark, detail=detail, limit=limit)

        self.add_twice(figure)

    def speedup(self, section: str, what: str, ours: Call, theirs: Call, mark: float, limit: str = "") -> None:
        """Add how many times faster than they we are."""

        def figure(repetitions: int) -> Figure:
            mine, other = alternating(ours, theirs, repetitions=repetitions * 3 // 5)
            spread = spread_of([b / a for a, b in zip(mine, other, strict=True)])
            detail = f"{duration(statistics.median(mine))} against {duration(statistics.median(other))}"
            return Figure(
                section=section,
                what=what,
                spread=spread,
                unit="x faster",
                mark=mark,
                at_least=True,
                detail=detail,
                limit=limit,
            )

        self.add_twice(figure)

    def cost(
        self, section: str, what: str, call: Call, mark: float | None = None, unit: str = "us", limit: str = ""
    ) -> None:
        """Add what one call takes."""
        scale = {"us": 1e6, "ms": 1e3, "s": 1.0}[unit]

        def figure(repetitions: int) -> Figure:
            [times] = alternating(call, repetitions=repetitions)
            spread = spread_of([time * scale for time in times])
            return Figure(section=section, what=what, spread=spread, unit=unit, mark=mark, limit=limit)

        self.add_twice(figure)

    def extra(self, section: str, what: str, ours: Call, theirs: Call, mark: float, limit: str = "") -> None:
        """Add how many microseconds one call takes more than another."""

        def figure(repetitions: int) -> Figure:
            mine, other = alternating(ours, theirs, repetitions=repetitions)
            spread = spread_of([(a - b) * 1e6 for a, b in zip(mine, other, strict=True)])
            detail = f"{duration(statistics.median(mine))} against {duration(statistics.median(other))}"
            return Figure(section=section, what=what, spread=spread, unit="us", mark=mark, detail=detail, limit=limit)

        self.add_twice(figure)

    def add_twice(self, figure: Callable[[int], Figure]) -> None:
        """Add a figure; where it misses its mark, as it is after more repetitions."""
        first = figure(REPETITIONS)
        self.add(first if first.met else figure(MORE_REPETITIONS))

    def number(
        self, section: str, what: str, value: float, unit: str, mark: float | None = None, limit: str = ""
    ) -> None:
        """Add what does not vary: a size, a count, a largest error."""
        self.add(
            Figure(section=section, what=what, spread=Spread(value, value, value), unit=unit, mark=mark, limit=limit)
        )

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)
        print(line(figure), flush=True)

    def curve(self, plot: str, label: str, x: Sequence[float], y: Sequence[float]) -> None:
        self.curves.append(Curve(plot, label, [float(one) for one in x], [float(one) for one in y]))

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        measured = asdict(self)
        measured["machine"] = (
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
        )
        for plain, figure in zip(measured["figures"], self.figures, strict=True):
            plain["spread"] = list(figure.spread)
        path.write_text(json.dumps(measured, indent=1), encoding="utf-8")


def use_one_core() -> None:
    """Keep a compiler's threads from waiting for one another on a busy machine; to be called before it makes them."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])


def output() -> Path:
    """The file that a benchmark was asked to write."""
    return Path(sys.argv[1])


def alternating(*calls: Call, repetitions: int = REPETITIONS) -> list[list[float]]:
    """Seconds per call of each, measured in turn so that a busy machine hurts all alike."""
    timers = [call.timer() for call in calls]
    counts = [_enough(timer) for timer in timers]
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repetitions):
        slices = [
            [timer.timeit(count) / count for timer, count in zip(timers, counts, strict=True)]
            for _ in range(1 if 1 in counts else SLICES)
        ]
        for found, best in zip(times, map(min, zip(*slices, strict=True)), strict=True):
            found.append(best)
    return times


def seconds(call: Call) -> float:
    """The median of the seconds that one call takes, for a point of a curve."""
    [times] = alternating(call)
    return statistics.median(times)


def spread_of(values: Sequence[float]) -> Spread:
    low, median, high = statistics.quantiles(values, n=4)
    return Spread(median, low, high)


def _enough(timer: timeit.Timer) -> int:
    timer.timeit(1)  # the first call may compile
    count = 1
    while timer.timeit(count) < SLICE:
        count *= 2
    return count


def duration(time: float) -> str:
    """Seconds in a unit that leaves few digits."""
    for unit, scale in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if time * scale >= 1:
            return f"{time * scale:.3g} {unit}"
    return f"{time * 1e9:.3g} ns"


def line(figure: Figure) -> str:
    """A figure as one line of text."""
    text = f"{figure.section}: {figure.what}: {figure.spread.median:.3g} {figure.unit}"
    if figure.spread.low != figure.spread.high:
        text += f" ({figure.spread.low:.3g} to {figure.spread.high:.3g})"
    if figure.detail:
        text += f", {figure.detail}"
    if figure.mark is not None:
        wanted = f"{'at least' if figure.at_least else 'at most'} {figure.mark:g}"
        text += f"; mark: {wanted}, {'met' if figure.met else 'MISSED'}"
        if not figure.met and figure.limit:
            text += f": {figure.limit}"
    return text
