"""An inferred schedule in plain words: its parts, their numbers, and how many points of the log each explains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Every,
    Exponential,
    Interpolate,
    InverseTime,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
)
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CLOCKS = {
    0: "Row n of the log shows the rate of update n, counted from 0.",
    1: "Row n of the log shows the rate of update n - 1, counted from 0.",
    None: "The log does not tell whether row n shows the rate of update n or of update n - 1.",
}
Part = tuple[int, str]  # the update at which it begins, and its words


def told(
    schedule: Schedule, updates: NDArray[np.int64], lag: int | None, known: int | None, *, whole: bool = True
) -> tuple[str, ...]:
    """Sentences about a schedule that gives a log.

    Args:
        schedule: the schedule.
        updates: the updates of the log's points.
        lag: the clock that was found.
        known: the clock that was known before.
        whole: whether these are all points of the log, and not its first ones only.

    Example:
        >>> import lrcore, numpy
        >>> schedule = lrcore.Constant(0.1).warmup(10)
        >>> for sentence in told(schedule, numpy.arange(15), 0, 0):
        ...     print(sentence)
        All 15 points, of updates 0 to 14, fit:
          a linear warmup from 0 to 0.1 in 10 updates (10 points),
          a constant 0.1 (5 points).
    """
    import numpy as np

    parts = [part for part in _parts(schedule) if part[0] <= updates[-1]]
    starts = [start for start, _ in parts]
    counts = np.diff(np.searchsorted(updates, [-1, *starts[1:], 2**62]))
    first, last = int(updates[0]), int(updates[-1])
    lines = [
        f"  {words} ({count:,} point{'' if count == 1 else 's'})"
        for (_, words), count in zip(parts, counts, strict=True)
    ]
    sentences = [
        f"{'All' if whole else 'The first'} {len(updates):,} points, of updates {first:,} to {last:,}, fit:",
        *_punctuated(lines),
    ]
    if lag != known:
        sentences.append(_CLOCKS[lag])
    end = schedule.length
    if whole and end is not None and end > last + 1:
        sentences.append(f"The log ends at update {last:,}, before the schedule does, at update {end:,}.")
    if isinstance(schedule, Constant) and schedule.given().keys() <= {"value"}:
        sentences.append("A constant log does not tell what came before it and what comes after it.")
    return tuple(sentences)


def _punctuated(lines: list[str]) -> Iterator[str]:
    yield from (f"{line}," for line in lines[:-1])
    yield f"{lines[-1]}."


def _parts(schedule: Schedule) -> Iterator[Part]:
    """The warmup, the schedule by itself, its cooldown, and the value that is held at the end."""
    warmup, cooldown = schedule.warmup_, schedule.cooldown_
    start = 0
    if warmup is not None:
        start = warmup.steps
        first, peak = _rate(warmup.init_value), _rate(schedule(start))
        if warmup.shape == "constant":
            yield 0, f"a constant {first}"
        else:
            yield 0, f"a {warmup.shape} warmup from {first} to {peak} in {_updates(start)}"
    yield start, _WORDS[type(schedule)](schedule)
    end = schedule.length
    if cooldown is not None:
        begin = cooldown.start if cooldown.start is not None else (end or 0) - cooldown.steps
        if cooldown.steps:
            yield begin, f"a {cooldown.shape} cooldown to {_rate(cooldown.end_value)} in {_updates(cooldown.steps)}"
    if end is not None and (cooldown is not None or not isinstance(schedule, Constant | PiecewiseConstant)):
        yield end, f"then a constant {_rate(schedule(end))}"


def _rate(value: float) -> str:
    return f"{value:.12g}"


def _updates(count: float) -> str:
    if count == 1:
        return "1 update"
    return f"{count:,g} updates" if count < 1e6 else f"{count:,.0f} updates"


def _fall(name: str) -> Callable[[Any], str]:
    def words(schedule: Any) -> str:
        power = f" of power {schedule.power:g}" if isinstance(schedule, Polynomial) else ""
        way = f"from {_rate(schedule.init_value)} to {_rate(schedule.end_value)}"
        return f"a {name}{power} {way} in {_updates(schedule.decay_steps)}"

    return words


def _exponential(schedule: Any) -> str:
    stairs = "stairs" if schedule.staircase else "an exponential"
    return (
        f"{stairs} from {_rate(schedule.init_value)}, times {_rate(schedule.decay_rate)} "
        f"every {_updates(schedule.decay_steps)}"
    )


def _inverse_time(schedule: Any) -> str:
    name = "inverse square root" if schedule.power == 0.5 else "inverse time"
    return f"an {name} from {_rate(schedule.init_value)}, of time constant {_updates(schedule.decay_steps)}"


def _stairs(schedule: Any) -> str:
    jumps = ", ".join(
        f"{_rate(value)} from update {boundary:,}"
        for value, boundary in zip(schedule.values_[1:], schedule.boundaries, strict=True)
    )
    return f"stairs from {_rate(schedule.values_[0])}, {jumps}"


def _cycle(schedule: Any) -> str:
    knots = ", ".join(
        f"{_rate(value)} at update {_rate(place)}"
        for value, place in zip(schedule.values_, schedule.boundaries, strict=True)
    )
    return f"a one-cycle of shape {schedule.shape}: {knots}"


def _repeat(schedule: Any) -> str:
    inner = _WORDS[type(schedule.schedule)](schedule.schedule)
    longer = "" if schedule.length_factor == 1 else f", each {_rate(schedule.length_factor)} times as long"
    lower = "" if schedule.value_factor == 1 else f", each times {_rate(schedule.value_factor)}"
    if schedule.mirror:
        return f"{inner}, and up again, again and again"
    return f"restarts of {inner}{longer}{lower}"


def _every(schedule: Any) -> str:
    inner = " and ".join(words.replace(" updates", " epochs") for _, words in _parts(schedule.schedule))
    return f"once per epoch of {_updates(schedule.steps)}: {inner}"


_WORDS: dict[type, Callable[[Any], str]] = {
    Constant: lambda schedule: f"a constant {_rate(schedule.value)}",
    Linear: _fall("line"),
    Cosine: _fall("cosine"),
    Polynomial: _fall("polynomial"),
    Exponential: _exponential,
    InverseTime: _inverse_time,
    PiecewiseConstant: _stairs,
    Interpolate: _cycle,
    Repeat: _repeat,
    Every: _every,
}
