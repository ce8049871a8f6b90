"""First guesses of whole descriptions from the pieces of a log."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lrcore.checks.forms.description import HELD, INIT, NONE, Description
from lrcore.checks.forms.ends import with_ends
from lrcore.checks.forms.forms import FORMS, SHAPES
from lrcore.checks.forms.pieces import Piece
from lrcore.checks.forms.points import Points
from lrcore.checks.forms.warmups import Before, heads, start_of, top_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Guess = tuple[Description, "Numbers"]
Found = tuple[str, float, tuple[float, ...]]
"""A form, the length of what precedes it, and its constants."""

_FEWEST, _MOST, _LONGEST = 10, 100, 6_000  # points, and updates, of a log in which short cycles are searched


def guesses(points: Points, pieces: list[Piece], lag: int) -> Iterator[Guess]:
    """Descriptions with rough constants, those of fewer constants first."""
    for before, body in heads(points, pieces, lag):
        for form, start, numbers in _bodies(points, body, before, lag):
            ahead: tuple[float, ...] = () if before.way == NONE else (start,)
            if before.way == INIT:
                ahead = (start, before.line(float(lag)) if before.line else float(points.values[0]))
            given = {"warmup steps": start} if before.start is not None else {}
            if form == "restarts":
                given |= dict(zip(("cycle steps", "length_factor", "value_factor"), numbers[2:], strict=True))
            yield from with_ends(points, Description(form, before.way, lag, given), (*ahead, *numbers))


def _bodies(points: Points, pieces: list[Piece], before: Before, lag: int) -> Iterator[Found]:
    """Forms with the length of what precedes them and their constants."""
    whole = [piece for piece in pieces if piece.form != "stray"]
    if not whole:
        return
    start = start_of(points, whole[0], before, lag)
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


def _single(points: Points, body: Piece, start: float, tail: float | None, before: Before, lag: int) -> Iterator[Found]:
    """One falling form."""
    begin = start + lag
    if body.form == "cosine":
        middle, radius, turn, _ = body.numbers
        top = top_of(body, points)
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
    elif body.form in ("inverse_sqrt", "inverse_time"):
        a, b = body.numbers
        yield body.form, start, (body.value(begin), begin + a / b)
    elif body.form == "power":
        end, _, zero, power = body.numbers
        if zero > begin:
            yield "polynomial", start, (body.value(begin), end, zero - begin, power)


def _after_constant(points: Points, pieces: list[Piece], start: float, lag: int) -> Iterator[Found]:
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
        if min(end, peak) <= 0:
            return math.nan, math.nan, end
        return (math.log(peak) - a) / b - begin, (math.log(end) - math.log(peak)) / b, end
    _, _, zero, power = piece.numbers
    last, value = float(points.steps[piece.last]), float(points.values[piece.last])
    return zero - begin, (last - zero) * ((peak - end) / (peak - value)) ** (1 / power), end


def _cycle(pieces: list[Piece], tail: float | None, lag: int) -> Iterator[Found]:
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


def _restarts(points: Points, pieces: list[Piece], start: float) -> Iterator[Found]:
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
