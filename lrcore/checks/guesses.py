"""First guesses of whole descriptions from the pieces of a log."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrcore.checks.description import HELD, INIT, NONE, ZERO, Description
from lrcore.checks.ends import with_ends
from lrcore.checks.forms import FORMS, SHAPES
from lrcore.checks.pieces import Piece
from lrcore.checks.points import Points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Guess = tuple[Description, "Numbers"]
Line = Callable[[float], float]


_FEWEST, _MOST, _LONGEST = 10, 100, 6_000  # points, and updates, of a log in which short cycles are searched
_SEARCHED = 100  # lengths that are tried for a warmup of one point


@dataclass(frozen=True)
class _Before:
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


def guesses(points: Points, pieces: list[Piece], lag: int) -> Iterator[Guess]:
    """Descriptions with rough constants, those of fewer constants first."""
    for before, body in _heads(points, pieces, lag):
        for form, start, numbers in _bodies(points, body, before, lag):
            ahead: tuple[float, ...] = () if before.way == NONE else (start,)
            if before.way == INIT:
                ahead = (start, before.line(float(lag)) if before.line else float(points.values[0]))
            given = {"warmup steps": start} if before.start is not None else {}
            if form == "restarts":
                given |= dict(zip(("cycle steps", "length_factor", "value_factor"), numbers[2:], strict=True))
            yield from with_ends(points, Description(form, before.way, lag, given), (*ahead, *numbers))


def _heads(points: Points, pieces: list[Piece], lag: int) -> Iterator[tuple[_Before, list[Piece]]]:
    """What may precede the body, and the pieces of the body."""
    strays = 0
    while strays < len(pieces) and pieces[strays].form == "stray":
        strays += 1
    rest = pieces[strays:]
    if strays == 0:
        first = pieces[0]
        if first.form == "linear" and len(pieces) > 1 and first.numbers[1] > 0:
            body = pieces[1:]
            yield _Before(ZERO, first.value, first.last + 1), body
            yield _Before(INIT, first.value, first.last + 1), body
        yield _Before(NONE, None, 0), pieces
        yield _Before(HELD, None, 0), pieces
    elif rest:
        last = rest[0].first - 1
        step, value = float(points.steps[last]) - lag, float(points.values[last])
        if step > 0 and value > 0:
            yield _Before(ZERO, lambda at: (at - lag) * value / step, last + 1), rest
        elif value == 0:
            yield _Before(ZERO, None, last + 1), rest
        if rest[0].form == "cosine" and last == 0 and value > 0:  # its top tells how long the warmup is
            yield _Before(INIT, _to_the_top(points, rest[0]), last + 1), rest
        if last >= 1:
            yield _Before(INIT, _through(points, last - 1, last), last + 1), rest
        elif step == 0:
            yield from _one_point(points, rest, lag)


def _to_the_top(points: Points, body: Piece) -> Line:
    """The straight line through the first point and the top of a cosine."""
    top, step, value = _top(body, points), float(points.steps[0]), float(points.values[0])
    slope = (body.value(top) - value) / (top - step) if top > step else math.nan
    return lambda at: value + slope * (at - step)


def _one_point(points: Points, rest: list[Piece], lag: int) -> Iterator[tuple[_Before, list[Piece]]]:
    """A warmup of which the log has its first update only: its length, if there is but one, or one that gives a round peak."""
    latest = int(points.steps[1]) - lag
    lengths = range(1, latest + 1)
    if latest > 1 and rest[0].form in ("constant", "cosine"):
        return
    for length in lengths if latest <= _SEARCHED else ():
        peak = rest[0].value(float(length + lag))
        if latest == 1 or abs(float(f"{peak:.2e}") - peak) <= 1e-9 * abs(peak):
            way = ZERO if points.values[0] == 0 else INIT
            yield _Before(way, None, 1, start=length), rest


def _through(points: Points, first: int, last: int) -> Line:
    """The straight line through two points."""
    steps, values = points.steps, points.values
    slope = float(values[last] - values[first]) / float(steps[last] - steps[first])
    return lambda at: float(values[first]) + slope * (at - float(steps[first]))


def _bodies(
    points: Points, pieces: list[Piece], before: _Before, lag: int
) -> Iterator[tuple[str, float, tuple[float, ...]]]:
    """Forms with the length of what precedes them and their constants."""
    whole = [piece for piece in pieces if piece.form != "stray"]
    if not whole:
        return
    start = _start(points, whole[0], before, lag)
    tail = whole[-1].numbers[0] if whole[-1].form == "constant" else None
    if pieces[-1].form == "stray":
        tail = float(points.values[-1])
    forms = [piece.form for piece in whole]
    falling = [form for form in forms if form != "constant"]
    if forms[0] == "constant":
        yield from _after_constant(points, whole, start, lag)
    elif len(falling) == 1 or before.way == NONE:
        yield from _single(points, whole[0], start, tail, before, lag)
    if before.way == NONE and len(whole) > 1 and forms[0] == forms[1] and forms[0] in ("cosine", "linear"):
        yield from _cycle(whole, tail, lag)
    if forms[0] == "cosine" and forms.count("cosine") > 1:
        yield from _restarts(points, whole, start)


def _start(points: Points, body: Piece, before: _Before, lag: int) -> float:
    """The update at which the body begins: where the line of the warmup meets it."""
    if before.start is not None:
        return before.start
    if body.form == "cosine" and before.way != NONE:
        top = _top(body, points)
        return top - lag
    if before.line is None:
        return 0.0 if before.way == NONE else max(0.0, float(points.steps[before.first]) - lag - 0.5)
    low, high = float(points.steps[max(before.first - 1, 0)]), float(points.steps[before.first])
    low, high = low - 1e-9, high + 1e-9

    def above(step: float) -> float:
        return before.line(step) - body.value(step)  # type: ignore[misc]

    if not (above(low) <= 0 <= above(high)):
        return (low if abs(above(low)) < abs(above(high)) else high) - lag
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if above(middle) > 0 else (middle, high)
    return low - lag


def _top(body: Piece, points: Points) -> float:
    """The step of the top from which a falling cosine comes."""
    _, _, turn, top = body.numbers
    period = 2 * math.pi / turn
    first = float(points.steps[body.first])
    while top > first + period / 4:
        top -= period
    while top < first - period * 3 / 4:
        top += period
    return top


def _single(
    points: Points, body: Piece, start: float, tail: float | None, before: _Before, lag: int
) -> Iterator[tuple[str, float, tuple[float, ...]]]:
    """One falling form."""
    begin = start + lag
    if body.form == "cosine":
        middle, radius, turn, _ = body.numbers
        top = _top(body, points)
        if before.way == NONE and abs(top - lag) > 0.5:
            return
        on = float(points.steps[body.last]) > top + 1.01 * math.pi / turn
        yield "cosine, mirrored" if on else "cosine", top - lag, (middle + radius, middle - radius, math.pi / turn)
    elif before.way == HELD:
        return
    elif body.form == "linear":
        peak, slope = body.value(begin), body.numbers[1]
        if slope >= 0:  # a warmup, which the form after it has
            return
        end = tail if tail is not None else 0.0
        yield "linear", start, (peak, end, max(1.0, (end - peak) / slope))
    elif body.form == "geometric":
        yield "exponential", start, (body.value(begin), body.numbers[1])
        if tail is not None and tail > 0:
            return
    elif body.form in ("inverse_sqrt", "inverse_time"):
        a, b = body.numbers
        yield body.form, start, (body.value(begin), begin + a / b)
    elif body.form == "power":
        end, _, zero, power = body.numbers
        if zero > begin:
            yield "polynomial", start, (body.value(begin), end, zero - begin, power)


def _after_constant(
    points: Points, pieces: list[Piece], start: float, lag: int
) -> Iterator[tuple[str, float, tuple[float, ...]]]:
    """A constant; and what comes after it."""
    first, peak = pieces[0], pieces[0].numbers[0]
    if len(pieces) == 1 and first.last == len(points) - 1:
        yield "constant", start, (peak,)
        return
    held = float(points.steps[first.last]) - lag - start
    over = pieces[-1].form == "constant" and len(pieces) > 1
    end = pieces[-1].numbers[0] if over else 0.0
    ended = float(points.steps[pieces[-1].first if over else -1]) - lag - start
    known = _COOLDOWNS.get(_kind(pieces[1])) if len(pieces) > 1 else None
    seen = over and pieces[-1].first - first.last > 1 and len(pieces) == 2  # points that no formula of their own gives
    for shape in (known,) if known else tuple(SHAPES) if seen else ():
        stable, length = held, max(1.0, ended - held)
        if known:
            stable, length, end = _cooldown(points, pieces[1], stable, end, peak, start + lag)
        yield f"stable, {shape}", start, (peak, stable, length, end)


def _kind(piece: Piece) -> str:
    """The form of a piece; of a power with its exponent, where it starts from its zero."""
    if piece.form != "power":
        return piece.form
    _, _, zero, power = piece.numbers
    return f"power {round(power, 6):g}" if piece.value(zero) > piece.value(zero + 1) else "power"


_COOLDOWNS = {
    "linear": "linear",
    "cosine": "cosine",
    "geometric": "exponential",
    "power 0.5": "1-sqrt",
    "power 2": "1-square",
}


def _cooldown(
    points: Points, piece: Piece, stable: float, end: float, peak: float, begin: float
) -> tuple[float, float, float]:
    """Where the cooldown begins, how long it is, and where it ends, as its piece says."""
    if piece.form == "linear":
        a, b = piece.numbers
        return (peak - a) / b - begin, (end - peak) / b, end
    if piece.form == "cosine":
        middle, radius, turn, top = piece.numbers
        period = 2 * math.pi / turn
        top += period * round((stable + begin - top) / period)
        return top - begin, math.pi / turn, middle - radius
    if piece.form == "geometric":
        a, b = piece.numbers
        end = end or float(points.values[-1])
        return (math.log(peak) - a) / b - begin, math.log(end / peak) / b, end
    _, _, zero, power = piece.numbers
    last, value = float(points.steps[piece.last]), float(points.values[piece.last])
    return zero - begin, (last - zero) * ((peak - end) / (peak - value)) ** (1 / power), end


def _cycle(pieces: list[Piece], tail: float | None, lag: int) -> Iterator[tuple[str, float, tuple[float, ...]]]:
    """A rise and a fall of one shape."""
    up, down = pieces[0], pieces[1]
    if up.form == "cosine":
        low, radius, turn, _ = up.numbers
        middle, below, slower, _ = down.numbers
        period = 2 * math.pi / turn
        top = up.numbers[3]
        while top < lag:
            top += period
        last = top + math.pi / slower - lag
        yield (
            "one-cycle, cosine",
            0.0,
            (low - radius, low + radius, middle - below, last + 1, (top - lag + 1) / (last + 1)),
        )
        return
    (a, b), (c, d) = up.numbers, down.numbers
    if not b > 0 > d:
        return
    top = (c - a) / (b - d)
    over = tail or 0.0
    last = (over - c) / d - lag
    yield "one-cycle, linear", 0.0, (a + b * lag, a + b * top, over, last + 1, (top - lag + 1) / (last + 1))


def _restarts(points: Points, pieces: list[Piece], start: float) -> Iterator[tuple[str, float, tuple[float, ...]]]:
    """Cosines, each of which begins where the one before it ends."""
    cosines = [piece for piece in pieces if piece.form == "cosine"]
    middle, radius, turn, _ = cosines[0].numbers
    other, radius_there, turn_there, _ = cosines[1].numbers
    factor = (other + radius_there) / (middle + radius)
    length = round(math.pi / turn)
    for growth in dict.fromkeys((float(f"{turn / turn_there:.4g}"), 1.0)):
        yield "restarts", start, (middle + radius, middle - radius, length, growth, float(f"{factor:.6g}"))


def short_cycles(points: Points, lag: int) -> Iterator[Guess]:
    """Restarts whose cycles have too few points to be recognised each by itself: all lengths are tried."""
    import numpy as np

    steps = (points.steps - lag).astype(np.float64)
    if not _FEWEST <= len(points) <= _MOST or steps[-1] > _LONGEST:
        return
    form, largest = FORMS["restarts"], np.abs(points.values).max()
    for growth in (1.0, 2.0):
        for length in range(2, int(steps[-1]) + 1):
            left = form.value(steps, 1.0, 0.0, float(length), growth, 1.0)
            spread = left - left.mean()
            if not spread.any():
                continue
            height = float(spread @ points.values / (spread @ spread))
            rest = points.values - points.values.mean() - height * spread
            if np.abs(rest).max() <= 1e-9 * largest and height > 0:
                end = float(points.values.mean() - height * left.mean())
                given = {"cycle steps": float(length), "length_factor": growth, "value_factor": 1.0}
                yield Description("restarts", NONE, lag, given), np.array([end + height, end, length, growth, 1.0])
                return
