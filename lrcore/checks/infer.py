"""Which schedule a log was made by: the description of the fewest and shortest constants that gives every point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from os import PathLike
from typing import TYPE_CHECKING, Any

from lrcore.checks.forms.answers import Answer
from lrcore.checks.forms.pieces import Piece, cut
from lrcore.checks.forms.points import Points, points_of
from lrcore.checks.forms.recognising import answers
from lrcore.checks.forms.words import told
from lrcore.checks.log import Log
from lrcore.checks.logs import Column, Source, read_log
from lrcore.runs.run import Run
from lrcore.schedules.schedule import Schedule

_FEWEST = 5  # points of a log that tells anything
_CHEAPER = 7.0  # bits by which a description is taken before another one that differs from it between the points
_ROWS = 200_000  # at most so many updates at which two descriptions are compared
_SAME = 1e-9  # of the largest rate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Inferred:
    """What a log tells of its schedule.

    Attributes:
        schedule: the schedule; None where the log does not tell it.
        log: the log.
        lag: row n of the log shows the rate of update n - lag; None where the log does not tell.
        sentences: what was found, and what the log leaves open.
    """

    schedule: Schedule | None
    log: Log
    lag: int | None
    sentences: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    @property
    def exit_status(self) -> int:
        """The exit status of the command: 0 where a schedule was found, else 2."""
        return 2 if self.schedule is None else 0

    def to_dict(self) -> dict[str, Any]:
        """The plain form, for JSON.

        Example:
            >>> infer(([0, 1, 2, 3, 4], [1.0, 0.75, 0.5, 0.25, 0.0])).to_dict()["schedule"]["kind"]
            'linear'
        """
        return {
            "schedule": None if self.schedule is None else self.schedule.to_dict(),
            "lag": self.lag,
            "points": len(self.log.steps),
            "sentences": list(self.sentences),
        }

    def plot(self, path: str | PathLike[str], *, log_scale: bool = False) -> None:
        """Write a picture of the log and of the schedule.

        Args:
            path: a file that ends in .png, .svg, .pdf or .html.
            log_scale: whether the axis of the rates is logarithmic.
        """
        from lrcore.checks.picture import draw

        draw(self, path, log_scale=log_scale)


def infer(
    log: Source, *, column: Column = None, clock: str | None = None, run: Run | Mapping[str, Any] | None = None
) -> Inferred:
    """The schedule that a log was made by.

    It is the description of the fewest and shortest constants that gives every point: a straight warmup and one of constant,
    linear, cosine, polynomial, exponential, inverse square root, inverse time, stairs, a cooldown, one-cycle, restarts, and
    each of them once per epoch. Where two descriptions fit that differ between the points, there is no answer.

    Args:
        log: what `read_log` takes: the path of a log, or a pair of arrays, the steps and the rates.
        column: the column of rates, where there are several; or the columns of steps and of rates.
        clock: "n" where row n shows the rate of update n, counted from 0; "n-1" where it shows the one of the update before.
            Default: what the format says, else what fits better.
        run: what is known of the run, for a log of epochs: the updates of an epoch.

    Raises:
        ScheduleError: the log cannot be read.

    Example:
        >>> import lrcore
        >>> schedule = lrcore.Cosine(init_value=3e-4, end_value=3e-5, decay_steps=900).warmup(100)
        >>> steps = range(0, 1_000, 10)
        >>> found = infer((steps, schedule.values(steps)))
        >>> found.schedule == schedule
        True
        >>> print(found)
        All 100 points, of updates 0 to 990, fit:
          a linear warmup from 0 to 0.0003 in 100 updates (10 points),
          a cosine from 0.0003 to 3e-05 in 900 updates (90 points).
        Row n of the log shows the rate of update n, counted from 0.
        The log ends at update 990, before the schedule does, at update 1,000.
    """
    import numpy as np

    taken = read_log(log, column=column, clock=clock, run=run)
    with np.errstate(all="ignore"):  # a formula may overflow far from the points; it fits none of them then
        return _inferred(taken)


def _inferred(log: Log) -> Inferred:
    points = points_of(log)
    refused = _refused(points)
    if refused:
        return Inferred(None, log, log.lag, (refused,))
    lags = tuple(lag for lag in (0, 1) if log.lag in (None, lag) and points.steps[0] >= lag)
    pieces = cut(points.loosened())
    found = answers(points, pieces, lags)
    if not found:
        return Inferred(None, log, log.lag, _unexplained(points, pieces, lags))
    rival = _rival(found, points)
    if rival is not None:
        return Inferred(None, log, log.lag, _undecided(found[0], rival))
    return _answered(found, log, points)


def _refused(points: Points) -> str:
    """Why a log tells nothing; empty if it may."""
    import numpy as np

    back = np.flatnonzero(np.diff(points.steps) <= 0)
    if back.size:
        before, after = int(points.steps[back[0]]), int(points.steps[back[0] + 1])
        return f"The steps do not rise: {before:,} is followed by {after:,}; give each session by itself."
    if len(points) < _FEWEST:
        return f"The log has too few points, {len(points)}, to tell a schedule; at least {_FEWEST} are needed."
    return ""


def _answered(found: list[Answer], log: Log, points: Points) -> Inferred:
    """The cheapest answer, in words."""
    best = found[0]
    updates = points.steps - best.lag
    either = any(other.lag != best.lag and _equal(other, best, updates) for other in found if _near(other, best))
    lag = None if either else best.lag
    return Inferred(best.schedule, log, lag, (*told(best.schedule, updates, lag, log.lag), *best.notes))


def _rival(found: list[Answer], points: Points) -> Answer | None:
    """An answer about as cheap as the best, which differs from it between the points, and not in the log's clock alone."""
    import numpy as np

    best, first, last = found[0], int(points.steps[0]), int(points.steps[-1])
    rows = np.unique(np.linspace(first, last, min(last - first + 1, _ROWS)).astype(np.int64))
    for other in found[1:]:
        apart = other.schedule.values(rows - other.lag) - best.schedule.values(rows - best.lag)
        differs = bool(np.any(np.abs(apart) > _SAME * np.abs(points.values).max() + points.tolerances.max()))
        if _near(other, best) and differs and not _equal(other, best, rows - best.lag):
            return other
    return None


def _near(other: Answer, best: Answer) -> bool:
    """Whether an answer costs about as much as the best."""
    return other.price <= best.price + _CHEAPER


def _equal(other: Answer, best: Answer, updates: NDArray[np.int64]) -> bool:
    """Whether two answers are the same schedule, whatever rows of the log their updates are."""
    import numpy as np

    return bool(np.array_equal(other.schedule.values(updates), best.schedule.values(updates)))


def _undecided(best: Answer, rival: Answer) -> tuple[str, ...]:
    sentence = (
        f"Two schedules give all points and differ between them: {best.schedule!r} and {rival.schedule!r}. "
        "Log more often to tell."
    )
    return (sentence,)


def _unexplained(points: Points, pieces: list[Piece], lags: tuple[int, ...]) -> tuple[str, ...]:
    """What can be said of a log that no recognised form gives."""
    first = pieces[0]
    if first.form == "linear" and first.numbers[1] > 0 and first.last >= len(points) - 2:
        start, end = int(points.steps[0]), int(points.steps[-1])
        sentence = (
            f"The log ends in the warmup: the rate rises in a straight line from update {start:,} to {end:,}. "
            "Log further to tell."
        )
        return (sentence,)
    jumps = _jumps(points, pieces)
    if jumps:
        return jumps
    for count in range(min(len(pieces) - 1, 4), 0, -1):
        last = pieces[count - 1].last
        part = points.part(slice(0, last + 1))
        if pieces[count - 1].form != "stray" and len(part) >= _FEWEST:
            found = answers(part, pieces[:count], lags)
            if found:
                return _explained_until(found[0], points, last)
    return (f"Unexplained from update {int(points.steps[0]):,} on: no recognised form gives the rates.",)


def _jumps(points: Points, pieces: list[Piece]) -> tuple[str, ...]:
    """For stairs whose jumps the log does not show exactly: between which updates they are."""
    stairs = pieces[1:] if pieces[0].form == "linear" else pieces
    if len(stairs) < 2 or any(piece.form != "constant" for piece in stairs):
        return ()
    return tuple(
        f"The rate goes from {before.numbers[0]:.6g} to {after.numbers[0]:.6g} between updates "
        f"{int(points.steps[before.last]) + 1:,} and {int(points.steps[after.first]):,}; the log has no closer points."
        for before, after in pairwise(stairs)
    )


def _explained_until(found: Answer, points: Points, last: int) -> tuple[str, ...]:
    """Sentences about the part that is explained, and the first update that is not."""
    import numpy as np

    rates = found.schedule.values(points.steps - found.lag)
    missed = np.flatnonzero(np.abs(rates - points.values) > points.tolerances)
    wrong = int(missed[0]) if missed.size else last + 1
    update = int(points.steps[wrong])
    return (
        *told(found.schedule, points.steps[:wrong] - found.lag, found.lag, found.lag, whole=False),
        f"Unexplained from update {update:,} on: logged {points.values[wrong]:.6g}, scheduled {rates[wrong]:.6g}.",
    )
