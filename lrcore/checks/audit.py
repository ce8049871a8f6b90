"""Whether a run followed its schedule, and why not: all hypotheses are tried, and those that cost least are named.

A hypothesis is priced in bits, as in a shortest description of the log: its constants cost what it takes to write them, and
each row that it explains saves what that row says. An answer must save more than it costs over the rows at which it
differs from the schedule that was meant; for a wrong cause is worse than none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from lrcore.checks.causes import clocks
from lrcore.checks.causes.falls import plateau
from lrcore.checks.causes.fields import field
from lrcore.checks.causes.hypotheses import Case, Hypothesis, Segment, rate
from lrcore.checks.causes.rows import Rows
from lrcore.checks.causes.segments import segments
from lrcore.checks.log import Log
from lrcore.checks.logs import Column, Source, read_log
from lrcore.checks.readings import reading_of
from lrcore.runs.run import Run
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.sources import Source as ScheduleSource

Search = Callable[[Case], Iterator[Hypothesis]]
SEARCHES: tuple[Search, ...] = (
    clocks.steps_per_update,
    clocks.lengths,
    clocks.per_epoch,
    clocks.in_stairs,
    clocks.scale,
    field,
    clocks.shape,
    clocks.first_value,
    clocks.rebound,
    plateau,
    clocks.starts_over,
    segments,
)
"""One search for each cause, the simplest first."""

_LONGER = (clocks.lengths, field, clocks.shape)  # they make many schedules
_MARGIN = 10.0  # bits that an answer must save beyond its price
_EQUAL = 8.0  # bits within which answers are equal
_CERTAIN = 200.0  # bits that no answer saves by chance
_EQUAL_IN_WARMUP = 16.0  # there all of them give one straight line, and only their numbers differ
_LISTED = 3
_STANDING = 5  # rows of one rate that are worth a word
_FEW_DIGITS = 4
_LATE = "Row n shows the rate of update n - 1, counted from 0: the one that update used."
_NEXT = (
    "Row n shows the rate of update n, counted from 0: that of the next update, as transformers before 4.51, DeepSpeed and "
    "Lightning's monitor log it. The log alone is ahead."
)
_CLOCKS = (_NEXT, _LATE, "Row n shows the rate of update n - 2: the trainer asks its scheduler one update late.")


@dataclass(frozen=True, eq=False)
class Audit:
    """What an audit found. `str(audit)` is its answer in one to three sentences.

    Attributes:
        cause: follows, steps_per_update, lengths, per_epoch, scale, field, shape, first_value, rebound, plateau, segments
            or unexplained.
        causes: the causes that explain the log equally well, the simplest first; at most three.
        sentences: the answer.
        segments: the parts of the log, each with its clock.
        log: the log.
        schedule: the schedule that was meant, or the plateau.
        points: how many rows were compared.
        lag: row n shows the rate of update n - lag; None where the log does not tell.
        constants: the numbers of each cause that is listed.
        exit_status: 0 where the run followed, 1 for a deviation that is explained, 2 for one that is not.
    """

    cause: str
    causes: tuple[str, ...]
    sentences: tuple[str, ...]
    segments: tuple[Segment, ...]
    log: Log
    schedule: Schedule | Plateau
    points: int
    lag: int | None
    constants: tuple[dict[str, Any], ...] = ()
    exit_status: int = 0

    def __str__(self) -> str:
        return " ".join(self.sentences)

    def to_dict(self) -> dict[str, Any]:
        """The answer as data for JSON."""
        return {
            "cause": self.cause,
            "causes": list(self.causes),
            "answer": str(self),
            "constants": [dict(one) for one in self.constants],
            "segments": [
                {"first": one.first, "last": one.last, "offset": one.offset, "words": one.words}
                for one in self.segments
            ],
            "log": self.log.where,
            "points": self.points,
            "lag": self.lag,
            "notes": list(self.log.notes),
            "exit_status": self.exit_status,
        }

    def plot(self, path: str | PathLike[str], *, log_scale: bool = False) -> None:
        """Draw the intended and the logged rate, their difference, the segments and the cause into a file.

        Args:
            path: a file that ends in .png or .html.
            log_scale: whether the rates are drawn on a logarithmic scale.

        Raises:
            ScheduleError: another suffix.
            MissingExtraError: matplotlib or bokeh is not installed.
        """
        from lrcore.checks import picture

        picture.draw(self, path, log_scale=log_scale)


def audit(
    log: Source,
    schedule: ScheduleSource | Plateau,
    *,
    column: Column = None,
    clock: str | None = None,
    run: Run | Mapping[str, Any] | None = None,
) -> Audit:
    """Whether a run followed its schedule, and if not, why.

    Args:
        log: a file, or a pair of arrays, the steps and the rates; see `read_log`.
        schedule: the schedule that was meant: in any form that adapters take, or a plateau.
        column: the column of the rates, where the log has several.
        clock: "n" where row n shows the rate of update n, counted from 0; "n-1" where it shows the one before. Default: what
            the format says, or what fits.
        run: what is known of the run, for a log of epochs, and for lengths such as "5 epochs" in the file of the schedule.

    Raises:
        ScheduleError: the log cannot be read, or the schedule is none.

    Example:
        >>> from lrcore import Cosine
        >>> schedule = Cosine(init_value=1e-4, decay_steps=900).warmup(100)
        >>> steps = list(range(5, 500, 5))
        >>> print(audit((steps, [schedule(2 * step) for step in steps]), schedule))
        The scheduler moves 2 steps per update. First seen at update 5: logged 1e-05, scheduled 5e-06. Step it once per \
update, or double its lengths.
    """
    meant = reading_of(schedule, run, "schedule")[1].schedule
    read = read_log(log, column=column, clock=clock, run=run)
    base, factor = (meant.schedule, meant.factor) if isinstance(meant, Plateau) else (meant, None)
    cases = [Case(base, Rows(read, lag), factor) for lag in _lags(read)]
    late = [Case(base, Rows(read, 2), factor)] if read.lag is None and read.steps.min() >= 2 else []
    other = [] if clock is not None else [Case(base, Rows(fitted, lag), factor) for fitted, lag in _other_clock(read)]
    with np.errstate(all="ignore"):  # a hypothesis that leaves float64 fits no row
        return (
            _following(cases, meant)
            or _following(other, meant)
            or _explained(cases, meant, SEARCHES)
            or _following(late, meant)
            or _explained(late, meant, (clocks.shape,))
            or _explained(other, meant, SEARCHES)
            or _unexplained(cases, meant)
        )


def _lags(log: Log) -> list[int]:
    """The clocks to try: the one that the format has, or both."""
    if log.lag is not None:
        return [log.lag]
    whole = [log.epoch] if log.epoch is not None and log.epoch > 1 else []
    return [0, 1, *whole] if log.steps.min() >= 1 else [0]


def _clock(lag: int) -> str:
    """What a clock that was fitted means."""
    if lag < len(_CLOCKS):
        return _CLOCKS[lag]
    return f"A row shows the rate of the first update of its epoch, {lag:,} before its end, as a callback sets it for each epoch."


def _other_clock(log: Log) -> list[tuple[Log, int]]:
    """The clock that the format should not have: a column of its name may be written by another hand."""
    if log.lag is None or log.steps.min() < 1:
        return []
    return [(replace(log, lag=None), 1 - log.lag)]


# --- answers ----------------------------------------------------------------------------------------------------------


def _following(cases: list[Case], meant: Schedule | Plateau) -> Audit | None:
    """The run followed its schedule, on one clock or on both."""
    fitting = [case for case in cases if case.first_off == len(case.off)]
    fitting = fitting or [case for case in cases if _follows_as_written(case)]
    if not fitting:
        return None
    strictest = min(case.rows.level(case.scheduled) or 0 for case in fitting)
    best = [case for case in fitting if (case.rows.level(case.scheduled) or 0) == strictest]
    case, log = best[0], best[0].rows.log
    lag = case.rows.lag if len(best) == 1 else None
    part = Segment(int(log.steps[0]), int(log.steps[-1]), 0, "follows the schedule")
    fitted = log.lag is None and lag is not None and log.steps.min() >= 1
    words = [
        f"Follows the schedule at {_updates(len(log.steps))}, from {int(log.steps.min()):,} to {int(log.steps.max()):,}.",
        *([_clock(lag or 0)] if fitted else []),
        *_limits(case),
    ]
    return Audit("follows", ("follows",), tuple(words), (part,), log, meant, len(log.steps), lag)


def _follows_as_written(case: Case) -> bool:
    """Whether each rate is the scheduled one to the digits of the log, be they so few that they are taken as exact."""
    values = case.rows.values.tolist()
    digits = max(len(f"{abs(one):.15e}".partition("e")[0].replace(".", "").rstrip("0")) for one in values)
    if not 2 <= digits <= _FEW_DIGITS:
        return False
    return all(
        float(f"{one:.{digits - 1}e}") == value for one, value in zip(case.scheduled.tolist(), values, strict=True)
    )


def _updates(count: int) -> str:
    return f"{count:,} update{'' if count == 1 else 's'}"


def _limits(case: Case) -> list[str]:
    """What a log that agrees cannot tell: it is constant, or ends in the warmup."""
    if len(np.unique(case.rows.values)) == 1 and len(case.off) > 1:
        return ["The log has one rate only, so it cannot tell whether the schedule moved."]
    if _in_warmup(case):
        return ["The log ends in the warmup, and says nothing of what comes after."]
    return []


def _in_warmup(case: Case) -> bool:
    warmup = case.schedule.warmup_
    return warmup is not None and int(case.rows.updates.max()) <= warmup.steps


def _explained(cases: list[Case], meant: Schedule | Plateau, searches: Sequence[Search]) -> Audit | None:
    """The hypotheses that explain the log at the lowest price, if it says enough."""
    if cases and np.ptp(cases[0].rows.log.steps) == 0:
        return None  # one update alone is explained by some number or other
    priced: list[_Priced] = []
    quick = [search for search in searches if search not in _LONGER]
    for case in (likely := _likely(cases)):
        priced += _priced(case, quick)
    for case in _still_likely(priced, likely) if priced else likely:
        priced += _priced(case, [search for search in searches if search in _LONGER])
    if not priced:
        return None
    priced.sort(key=lambda one: -one[0])
    return _answer(_listed(priced), meant)


def _still_likely(priced: list[_Priced], cases: list[Case]) -> list[Case]:
    """The clocks for which the longer searches are worth while: one alone where it explains full digits already."""
    score, case, hypothesis = max(priced, key=lambda one: one[0])
    certain = hypothesis.cause != "segments" and score > _CERTAIN
    certain = certain and case.rows.level(hypothesis.curve, hypothesis.explained) == 0
    return [case] if certain else cases


def _priced(case: Case, searches: Iterable[Search]) -> list[_Priced]:
    """What each search finds on one clock, with what it saves."""
    found = [(case, hypothesis) for search in searches for hypothesis in search(case)]
    scores = [_score(case, hypothesis) for case, hypothesis in found]
    return [(score, *one) for score, one in zip(scores, found, strict=True) if score is not None]


def _likely(cases: list[Case]) -> list[Case]:
    """The clocks to explain: the one by which the log begins as it was meant, where only one does."""
    if len(cases) < 2:
        return cases
    begun = [float(case.rows.bits[-1][: case.first_off].sum()) for case in cases]
    best = int(np.argmax(begun))
    return [cases[best]] if begun[best] >= 60 and begun[best] >= 3 * sorted(begun)[-2] else cases


def _score(case: Case, hypothesis: Hypothesis) -> float | None:
    """What a hypothesis saves in bits; None where it does not fit, or says no more than it costs."""
    explained = np.ones(len(case.off), dtype=bool) if hypothesis.explained is None else hypothesis.explained
    level = case.rows.level(hypothesis.curve, explained)
    if level is None:
        return None
    bits = case.rows.bits[level]
    differs = explained & (np.abs(hypothesis.curve - case.scheduled) > case.rows.widths[level])
    differs[2:] |= differs[1:-1] & differs[:-2]  # the row at which the two meet again says when
    if hypothesis.cause != "first_value" and float(bits[differs].sum()) < hypothesis.cost + _MARGIN:
        return None
    return float(bits[explained].sum()) - hypothesis.cost


_Priced = tuple[float, Case, Hypothesis]


def _listed(priced: list[_Priced]) -> list[_Priced]:
    """The answers that are as good as the best: one for each cause, at most three."""
    best, case, _ = priced[0]
    equal = _EQUAL_IN_WARMUP if _in_warmup(case) else _EQUAL
    listed: list[_Priced] = []
    causes: set[str] = set()
    for one in priced:
        if one[0] >= best - equal and one[2].cause not in causes and len(listed) < _LISTED:
            listed.append(one)
            causes.add(one[2].cause)
    apart = [one for one in priced if one[2].cause == "first_value" and "first_value" not in causes]
    return [*listed, *apart][:_LISTED]  # where all rows but the first follow, that is always possible


def _answer(listed: list[_Priced], meant: Schedule | Plateau) -> Audit:
    _, case, first = listed[0]
    log = case.rows.log
    names = tuple(one.cause for _, _, one in listed)
    planned = first.cause == "plateau" and isinstance(meant, Plateau) and first.constants["factor"] == meant.factor
    sentences = [*_alone(case, first)] if len(listed) == 1 else [*_several(case, [one for _, _, one in listed])]
    segments = first.segments or (Segment(int(log.steps[0]), int(log.steps[-1]), None, first.short),)
    return Audit(
        first.cause,
        names,
        tuple(sentences),
        segments,
        log,
        meant,
        len(log.steps),
        case.rows.lag,
        tuple(one.constants for _, _, one in listed),
        0 if planned and len(listed) == 1 else 1,
    )


def _alone(case: Case, hypothesis: Hypothesis) -> Iterator[str]:
    first, *rest = hypothesis.sentences
    yield first
    if hypothesis.cause != "first_value":
        yield f"First seen at {_seen(case)}."
    yield from rest


def _several(case: Case, found: list[Hypothesis]) -> Iterator[str]:
    *others, last = (one.short for one in found)
    listed = f"{', '.join(others)}{',' if len(others) > 1 else ''} or {last}"
    if _in_warmup(case):
        yield f"The log ends in the warmup; it fits {listed}."
    else:
        yield f"The log fits {listed}: the same at each of its rows."
    yield f"First seen at {_seen(case)}."
    yield "Log further to tell." if _in_warmup(case) else found[0].sentences[-1]


def _seen(case: Case) -> str:
    row = min(case.first_off, len(case.off) - 1)
    step = int(case.rows.log.steps[row])
    return f"update {step:,}: logged {rate(case.rows.values[row])}, scheduled {rate(case.scheduled[row])}"


def _stands_still(case: Case) -> bool:
    """Whether the rate stopped on the way of the schedule, and did not jump to where it stands."""
    values, row = case.rows.values, case.first_off
    before, now, scheduled = float(values[row - 1]), float(values[row]), float(case.scheduled[row])
    stopped = min(before, scheduled) <= now <= max(before, scheduled)
    return stopped and len(values) - row >= _STANDING and bool(np.ptp(values[row:]) == 0)


def _unexplained(cases: list[Case], meant: Schedule | Plateau) -> Audit:
    """No hypothesis is worth its price; the log is on its schedule up to a row, if it ever was."""
    case = max(cases, key=lambda one: one.first_off)
    log, row = case.rows.log, case.first_off
    values = f"logged {rate(case.rows.values[row])}, scheduled {rate(case.scheduled[row])}"
    words = [f"Unexplained from update {int(log.steps[row]):,} on: {values}."]
    if len(np.unique(case.rows.values)) == 1:
        words.append("The log has one rate only, which cannot tell why.")
    elif row:
        words.append(f"It follows the schedule at the {_updates(row)} before.")
        if _stands_still(case):
            words.append("From there on the rate stands still: the scheduler may no longer be stepped.")
    parts = [Segment(int(log.steps[row]), int(log.steps[-1]), None, "unexplained")]
    if row:
        parts.insert(0, Segment(int(log.steps[0]), int(log.steps[row - 1]), 0, "follows the schedule"))
    return Audit("unexplained", (), tuple(words), tuple(parts), log, meant, len(log.steps), case.rows.lag, (), 2)
