"""What is probably not meant in a schedule: rates of 0, phases that the run cuts off, boundaries that it never reaches."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from lrcore.checks.readings import reading_of
from lrcore.curves.formulas import LAST_STEP
from lrcore.files.lengths import Resolved
from lrcore.files.reader import Reading
from lrcore.runs.length import parsed
from lrcore.runs.run import Run
from lrcore.schedules import kinds
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.sources import Source

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_VALUES = 2**18  # of which a longer run is looked at in even steps and at both sides of its breakpoints
_UNKNOWN = 100  # updates of a schedule without an end whose run is not known either
_LONG = 0.01  # of the run; less is how epochs are rounded


class Finding(NamedTuple):
    """One remark: the place in the schedule, "" for the whole, and a sentence."""

    place: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}" if self.place else self.sentence


@dataclass(frozen=True)
class Checked:
    """What `check` found; `str` of it is what `lrcore check` prints.

    Attributes:
        where: the file, or "schedule".
        schedule: what was checked.
        updates: how many updates of it were looked at: those of the run, else those up to the schedule's end.
        findings: the remarks.
    """

    where: str
    schedule: Schedule
    updates: int
    findings: tuple[Finding, ...]

    @property
    def exit_status(self) -> int:
        """0 where nothing was found, else 1."""
        return 1 if self.findings else 0

    def __str__(self) -> str:
        if not self.findings:
            return f"{self.where}: nothing to remark in {self.updates:,} updates"
        return "\n".join(f"{self.where}: {one}" for one in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return {"where": self.where, "updates": self.updates, "findings": [one._asdict() for one in self.findings]}


def check(schedule: Source | Plateau, run: Run | Mapping[str, Any] | None = None) -> Checked:
    """What is probably not meant in a schedule, each in a sentence with its place.

    A rate of 0 beyond the first update, a negative rate, a warmup below one update or over half of the run, a run that goes
    on long after a schedule that ended at 0, a run that is shorter than what is planned, a boundary that is never reached.

    Args:
        schedule: a schedule, or a file, a text, a dict or a function that an adapter takes for one.
        run: what is known of the run; a file may say it too, in its table `run`.

    Raises:
        ScheduleError: it is no schedule.

    Example:
        >>> from lrcore import PiecewiseConstant
        >>> stairs = PiecewiseConstant(boundaries=[30_000, 60_000], values=[0.1, 0.01, 0.001])
        >>> print(check(stairs, Run(total=50_000)))
        schedule: boundaries[1]: 60,000 is never reached, for the run ends at 50,000.
    """
    return checked(*reading_of(schedule, run, "schedule"))


def checked(where: str, reading: Reading) -> Checked:
    """What is probably not meant in what a file holds: see `check`.

    Args:
        where: the name of the file.
        reading: what it holds.
    """
    schedule = reading.schedule.schedule if isinstance(reading.schedule, Plateau) else reading.schedule
    end = None if reading.run.total is None else reading.run.steps("100%")
    updates = end or schedule.length or schedule.timeline.end or _UNKNOWN
    findings = [
        *_values(schedule, min(updates, LAST_STEP), end),
        *_lengths(schedule, end, reading.lengths, reading.run),
    ]
    return Checked(where, schedule, updates, tuple(findings))


# --- values -----------------------------------------------------------------------------------------------------------


def _values(schedule: Schedule, updates: int, end: int | None) -> Iterator[Finding]:
    """Remarks about the rates of the run."""
    steps = _steps(schedule, updates)
    values = schedule.values(steps)
    yield from _negative(steps, values)
    yield from _zeros(steps, values, end)


def _steps(schedule: Schedule, updates: int) -> NDArray[np.int64]:
    """The updates that are looked at: all of them, or even steps and both sides of the breakpoints."""
    import numpy as np

    if updates <= _MOST_VALUES:
        return np.arange(updates)
    breakpoints = [*itertools.islice(schedule.timeline.breakpoints(updates), _MOST_VALUES)]
    even = np.linspace(0, updates - 1, _MOST_VALUES).astype(np.int64)
    places = np.array(breakpoints, dtype=np.int64)
    return np.unique(np.concatenate([even, places, np.maximum(places - 1, 0)]))


def _negative(steps: NDArray[np.int64], values: NDArray[np.float64]) -> Iterator[Finding]:
    below = values < 0
    if below.any():
        lowest = int(values.argmin())
        yield Finding(
            "",
            f"The rate is negative at {_places(steps[below])}; the lowest is {values[lowest]:.6g} at update {steps[lowest]:,}.",
        )


def _zeros(steps: NDArray[np.int64], values: NDArray[np.float64], end: int | None) -> Iterator[Finding]:
    """Rates of 0: those at the end of a run that is known are another remark, or none if they are few."""
    import numpy as np

    zero = values == 0
    if zero.all() and len(zero) > 1:
        yield Finding("", "The rate is 0 at every update.")
        return
    zero[0] = False
    if end is not None and zero[-1]:
        first = int(np.flatnonzero(~zero)[-1]) + 1
        start, zero[first:] = int(steps[first]), False
        if end - start > max(1, end * _LONG):
            yield Finding("", f"The schedule ends at 0 at update {start:,}, and the run goes on until {end:,}.")
    if zero.any():
        yield Finding("", f"The rate is 0 at {_places(steps[zero])}.")


def _places(steps: NDArray[np.int64]) -> str:
    """Updates in words: one, a range, or the first of several, which are not counted where not all were looked at."""
    first, last = int(steps[0]), int(steps[-1])
    if first == last:
        return f"update {first:,}"
    if last - first == len(steps) - 1:
        return f"updates {first:,} to {last:,}"
    return f"several updates, the first of them {first:,} and the last {last:,}"


# --- lengths ----------------------------------------------------------------------------------------------------------


def _lengths(schedule: Schedule, end: int | None, lengths: list[Resolved], run: Run) -> Iterator[Finding]:
    """Remarks about warmups, the planned length and boundaries."""
    yield from _short_warmups(lengths, run)
    yield from _long_warmups(schedule, end)
    unreached = [*_unreached(schedule, end, "", "the run ends at {:,}")]
    yield from unreached
    planned = schedule.length
    if not unreached and end is not None and planned is not None and planned - end > max(1, end * _LONG):
        yield Finding("", f"The run ends at {end:,}, and the schedule is planned for {planned:,} updates.")


def _short_warmups(lengths: list[Resolved], run: Run) -> Iterator[Finding]:
    """Warmups whose text is less than an update; a length that is not 0 becomes one update at least."""
    for place, text, number in lengths:
        if place.endswith("warmup.steps") and number == 1:
            exact = run.after(Fraction(0), parsed(text), place)
            if exact < 1:
                yield Finding(place, f"{text!r} is {float(exact):.3g} of an update, and is taken as one.")


def _long_warmups(schedule: Schedule, end: int | None) -> Iterator[Finding]:
    """Warmups, on the clock of the run, that take more than half of it, or of the schedule if the run is not known."""
    for place, part in _at_the_start(schedule, ""):
        steps = 0 if part.warmup_ is None else part.warmup_.steps
        whole = end if end is not None else schedule.length
        if whole is not None and steps * 2 > whole and (end is not None or steps < whole):
            rest = "the run" if end is not None else "the schedule"
            yield Finding(f"{place}warmup.steps", f"The warmup takes {steps:,} of the {whole:,} updates of {rest}.")


def _at_the_start(schedule: Schedule, place: str) -> Iterator[tuple[str, Schedule]]:
    """The schedule and those inside that begin with it and have its clock, each with the path before its fields."""
    yield place, schedule
    if isinstance(schedule, kinds.Join):
        yield from _at_the_start(schedule.schedules[0], f"{place}schedules[0].")
    elif isinstance(schedule, (kinds.Sum, kinds.Product)):
        for number, part in enumerate(schedule.schedules):
            yield from _at_the_start(part, f"{place}schedules[{number}].")
    elif isinstance(schedule, kinds.Clip):
        yield from _at_the_start(schedule.schedule, f"{place}schedule.")


def _unreached(schedule: Schedule, end: float | None, place: str, ends: str) -> Iterator[Finding]:
    """Boundaries past the end of what a schedule is asked for. One at the end is how a stair is often written.

    Args:
        schedule: a schedule, with its own clock.
        end: the time on this clock at which it is left; None where it is not.
        place: the path before its fields.
        ends: what ends there, with the place of that time.
    """
    start = None if schedule.cooldown_ is None else schedule.cooldown_.start
    if start is not None:
        if end is not None and start > end:
            yield _never(f"{place}cooldown.start", start, end, ends)
        elif end is None or start < end:
            end, ends = start, "the cooldown begins at {:,}"
    if end is not None and schedule.warmup_ is not None:
        end, ends = max(end - schedule.warmup_.steps, 0), ends.replace("at {:,}", "{:,} updates after the warmup")
    if isinstance(schedule, (kinds.PiecewiseConstant, kinds.Join)):
        for number, boundary in enumerate(schedule.boundaries or ()):
            if end is not None and boundary > end:
                yield _never(f"{place}boundaries[{number}]", boundary, end, ends)
    for name, part, until in _parts(schedule, end):
        yield from _unreached(part, until, f"{place}{name}.", ends if until == end else "its part ends at {:,}")


def _parts(schedule: Schedule, end: float | None) -> Iterator[tuple[str, Schedule, float | None]]:
    """The schedules inside, with their names and the time on their own clocks at which they are left."""
    if isinstance(schedule, kinds.Join):
        for number, (part, first, last) in enumerate(_spans(schedule, end)):
            yield f"schedules[{number}]", part, None if last is None else last - first
    elif isinstance(schedule, (kinds.Sum, kinds.Product)):
        yield from ((f"schedules[{number}]", part, end) for number, part in enumerate(schedule.schedules))
    elif isinstance(schedule, kinds.Clip):
        yield "schedule", schedule.schedule, end
    elif isinstance(schedule, kinds.Shift):
        yield "schedule", schedule.schedule, None if end is None else end + schedule.steps
    elif isinstance(schedule, kinds.Every):
        yield "schedule", schedule.schedule, None if end is None else math.ceil(end / schedule.steps)
    elif isinstance(schedule, kinds.Repeat):
        yield "schedule", schedule.schedule, schedule.period


def _spans(join: kinds.Join, end: float | None) -> Iterator[tuple[Schedule, int, float | None]]:
    """The parts of a join that are reached, each with its first update and its end."""
    firsts = [0, *(join.boundaries or itertools.accumulate(part.length or 0 for part in join.schedules[:-1]))]
    for part, first, after in zip(join.schedules, firsts, [*firsts[1:], None], strict=True):
        if end is None or first < end:
            yield part, first, end if after is None or (end is not None and end < after) else after


def _never(place: str, boundary: float, end: float, ends: str) -> Finding:
    whole = int(end) if float(end).is_integer() else end
    return Finding(place, f"{boundary:,} is never reached, for {ends.format(whole)}.")
