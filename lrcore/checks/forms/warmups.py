"""What precedes a form in a log: a warmup, of many points or of few, or nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lrcore.checks.forms.description import HELD, INIT, NONE, ZERO
from lrcore.checks.forms.pieces import Piece
from lrcore.checks.forms.points import Points

Line = Callable[[float], float]

_SEARCHED = 100  # lengths that are tried for a warmup of one point


@dataclass(frozen=True)
class Before:
    """What precedes the body: a warmup or nothing.

    Attributes:
        way: one of the words of `description`.
        line: the warmup's straight line; None where there is none.
        first: the number of the body's first point.
        start: the length of the warmup, where no line tells it.
    """

    way: str
    line: Line | None
    first: int
    start: int | None = None


def heads(points: Points, pieces: list[Piece], lag: int) -> Iterator[tuple[Before, list[Piece]]]:
    """What may precede the body, and the pieces of the body."""
    strays = next((number for number, piece in enumerate(pieces) if piece.form != "stray"), len(pieces))
    rest = pieces[strays:]
    if strays and rest:
        yield from ((before, rest) for before in _of_few_points(points, rest, lag))
    elif rest:
        first = pieces[0]
        if first.form == "linear" and len(pieces) > 1 and first.numbers[1] > 0:
            yield Before(ZERO, first.value, first.last + 1), pieces[1:]
            yield Before(INIT, first.value, first.last + 1), pieces[1:]
        yield Before(NONE, None, 0), pieces
        yield Before(HELD, None, 0), pieces


def _of_few_points(points: Points, rest: list[Piece], lag: int) -> Iterator[Before]:
    """Warmups of one or a few points, too few to be a piece."""
    last = rest[0].first - 1
    step, value = float(points.steps[last]) - lag, float(points.values[last])
    if step > 0 and value > 0:
        yield Before(ZERO, lambda at: (at - lag) * value / step, last + 1)
    elif value == 0:
        yield Before(ZERO, None, last + 1)
    if rest[0].form == "cosine" and last == 0 and value > 0:  # its top tells how long the warmup is
        yield Before(INIT, _to_the_top(points, rest[0]), last + 1)
    if last >= 1:
        yield Before(INIT, _through(points, last - 1, last), last + 1)
    elif step == 0:
        yield from _of_its_first_point(points, rest[0], lag)


def _to_the_top(points: Points, body: Piece) -> Line:
    """The straight line through the first point and the top of a cosine."""
    top, step, value = top_of(body, points), float(points.steps[0]), float(points.values[0])
    slope = (body.value(top) - value) / (top - step) if top > step else math.nan
    return lambda at: value + slope * (at - step)


def _of_its_first_point(points: Points, body: Piece, lag: int) -> Iterator[Before]:
    """A warmup of which the log has update 0 only: its length, if there is but one, or one that gives a round peak."""
    latest = int(points.steps[1]) - lag
    if latest > 1 and (body.form in ("constant", "cosine") or latest > _SEARCHED):
        return
    for length in range(1, latest + 1):
        peak = body.value(float(length + lag))
        if latest == 1 or abs(float(f"{peak:.2e}") - peak) <= 1e-9 * abs(peak):
            yield Before(ZERO if points.values[0] == 0 else INIT, None, 1, start=length)


def _through(points: Points, first: int, last: int) -> Line:
    """The straight line through two points."""
    steps, values = points.steps, points.values
    slope = float(values[last] - values[first]) / float(steps[last] - steps[first])
    return lambda at: float(values[first]) + slope * (at - float(steps[first]))


def start_of(points: Points, body: Piece, before: Before, lag: int) -> float:
    """The update at which the body begins."""
    if before.start is not None:
        return before.start
    if before.way == NONE:
        return 0.0
    if body.form == "cosine":
        return top_of(body, points) - lag
    if before.line is None:
        return max(0.0, float(points.steps[before.first]) - lag - 0.5)
    last, first = (float(points.steps[number]) for number in (max(before.first - 1, 0), before.first))
    return _meeting(before.line, body.value, last - 1e-9, first + 1e-9) - lag


def _meeting(line: Line, curve: Line, low: float, high: float) -> float:
    """Where a rising line meets a curve, by halving; the nearer end if they do not meet between two steps."""

    def above(step: float) -> float:
        return line(step) - curve(step)

    if not (above(low) <= 0 <= above(high)):
        return low if abs(above(low)) < abs(above(high)) else high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) > 0 else (middle, high)
    return low


def top_of(body: Piece, points: Points) -> float:
    """The step of the top from which a falling cosine comes: the last one, or one a little after the first point."""
    _, _, turn, top = body.numbers
    period = 2 * math.pi / turn
    latest = float(points.steps[body.first]) + period / 4
    return top - period * math.ceil((top - latest) / period)
