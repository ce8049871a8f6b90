"""Cuts a log into pieces of one formula each: the longest that fits, from the first point on.

A piece fits only if every point of it does, to the rounding of the log, so that a break is found at the exact point and
nothing is smoothed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrcore.checks.forms.fitting import least_squares, refined
from lrcore.checks.forms.points import Points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_FITTED = 64  # points that a formula is fitted to, before all are compared
_LONG = 6  # points of a simple piece after which no curve is tried
_FEWEST_OF_A_POWER = 5  # points before its end
_LONG_CURVE = 30  # points of any piece after which no power is tried
_MANY = ("power",)
_CURVES = ("cosine", "power")
_WIDEST = 20.0  # how many times the largest rate the radius of a cosine may be


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of the log that one formula gives.

    Attributes:
        form: constant, linear, geometric, inverse_sqrt, inverse_time, cosine, power; or stray, a point by itself.
        first: the number of its first point.
        last: the number of its last point.
        numbers: the constants of the formula, as `_FORMS` explains.
        value: the formula, of the step.
    """

    form: str
    first: int
    last: int
    numbers: tuple[float, ...]
    value: Callable[[float], float]

    @property
    def count(self) -> int:
        """How many points it has."""
        return self.last - self.first + 1


Found = tuple[tuple[float, ...], "Callable[[Numbers], Numbers]"]


def cut(points: Points, most: int = 12) -> list[Piece]:
    """The pieces of a log, in order; points that belong to none are `stray`. Stops after `most` pieces.

    Example:
        >>> import numpy as np
        >>> values = np.array([0.0, 1, 2, 3, 4, 4, 4, 4])
        >>> [(piece.form, piece.first, piece.last) for piece in cut(Points(np.arange(8), values, np.full(8, 1e-12)))]
        [('linear', 0, 4), ('constant', 5, 7)]
    """
    pieces: list[Piece] = []
    first = 0
    while first < len(points) and len(pieces) < most:
        piece = _longest(points, first)
        pieces.append(piece)
        first = piece.last + 1
        strays = len(pieces) >= 5 and all(piece.form == "stray" for piece in pieces[-5:])
        if strays:
            break
    return pieces


def _longest(points: Points, first: int) -> Piece:
    """The longest piece that begins at a point; of pieces equally long the one with the fewest constants."""
    best = Piece("stray", first, first, (), lambda step: math.nan)
    exact = bool((points.tolerances <= 1e-10 * abs(points.values).max()).all())
    for form, (least, _) in _FORMS.items():
        enough = _LONG if form not in _MANY else _LONG_CURVE
        if best.form != "stray" and ((exact and best.count >= enough) or best.last == len(points) - 1):
            break
        found = _extent(points, first, form, least if exact else least + 2)
        if found is not None and (best.form == "stray" or found[0] > best.last):
            last, (numbers, value) = found
            best = Piece(form, first, last, numbers, _of_one(value))
    return best


def _of_one(value: Callable[[Numbers], Numbers]) -> Callable[[float], float]:
    import numpy as np

    return lambda step: float(value(np.array([float(step)]))[0])


def _extent(points: Points, first: int, form: str, least: int) -> tuple[int, Found] | None:
    """The last point up to which a formula fits, with it: by doubling and halving a stretch that fits."""
    fit, end = _FORMS[form][1], len(points)

    def tried(width: int) -> Found | None:
        return fit(points.part(slice(first, first + width)))

    for width in _widths(form, least, end - first):
        found = tried(width)
        if found is not None:
            break
    else:
        return None
    bad = end - first + 1
    while width < bad - 1:
        wider = min(2 * width, bad - 1) if bad > end - first else (width + bad) // 2
        next_found = tried(wider)
        if next_found is None:
            bad = wider
        else:
            width, found = wider, next_found
    return first + width - 1, found


def _widths(form: str, least: int, most: int) -> list[int]:
    """How many points are tried first: the fewest; for a curve, of which few points may be too flat to tell, the most."""
    if form not in _CURVES:
        return [width for width in (least, 4 * least) if width <= most][: 1 if form == "constant" else 2]
    widths = [most // 4**power for power in range(20)]
    return [*(width for width in widths if width > 2 * least), *([least] if least <= most else [])]


# --- formulas of two constants, straight lines after a change of scale ------------------------------------------------


def _constant(points: Points) -> Found | None:
    import numpy as np

    level = float(np.median(points.values))
    fits = points.fit(np.full(len(points), level))
    return ((level,), lambda step: np.full(step.shape, level)) if fits else None


def _straight(
    forward: Callable[[Numbers], Numbers], slope: Callable[[Numbers], Numbers], back: Callable[[Numbers], Numbers]
) -> Callable[[Points], Found | None]:
    """A fit of back(a + b t): `forward` undoes `back`, `slope` is its derivative."""
    import numpy as np

    def fit(points: Points) -> Found | None:
        values = points.values
        if forward is not _same and values.min() <= 0:
            return None
        steps = points.steps.astype(np.float64)
        middle, half = (steps[0] + steps[-1]) / 2, (steps[-1] - steps[0]) / 2
        weights = 1 / (np.abs(slope(values)) * points.tolerances)
        columns = np.stack([weights, weights * (steps - middle) / half], axis=1)
        a, b = least_squares(columns, weights * forward(values))

        def value(at: Numbers) -> Numbers:
            return back(a + b * (at - middle) / half)

        with np.errstate(all="ignore"):
            fits = points.fit(value(steps))
        return ((a - b * middle / half, b / half), value) if fits and b != 0 else None

    return fit


def _same(values: Numbers) -> Numbers:
    return values


def _log(values: Numbers) -> Numbers:
    import numpy as np

    logarithms: Numbers = np.log(values)
    return logarithms


def _exp(values: Numbers) -> Numbers:
    import numpy as np

    powers: Numbers = np.exp(values)
    return powers


# --- curves -----------------------------------------------------------------------------------------------------------


def _curve(
    formula: Callable[[Numbers, Numbers], Numbers],
    guesses: Callable[[], list[tuple[float, ...]]],
    linear: Callable[[Numbers, tuple[float, ...]], Numbers],
    read: Callable[[Numbers, float, float], tuple[float, ...] | None],
    fixed: int = 0,
) -> Callable[[Points], Found | None]:
    """A fit of a formula with linear constants first and curved ones last, on a scale where the stretch is -1 to 1."""
    import numpy as np

    def fit(points: Points) -> Found | None:
        steps = points.steps.astype(np.float64)
        middle, half = (steps[0] + steps[-1]) / 2, (steps[-1] - steps[0]) / 2
        size = float(np.abs(points.values).max()) or 1.0
        scaled = Points((steps - middle) / half, points.values / size, points.tolerances / size)
        few = scaled.thinned(_FITTED)
        starts = []
        for guess in guesses():
            columns = linear(few.steps, guess)  # type: ignore[arg-type]
            weighted = columns / few.tolerances[:, None]
            factors = least_squares(weighted, few.values / few.tolerances)
            rest = weighted @ factors - few.values / few.tolerances
            starts.append((float(np.nan_to_num(rest @ rest, nan=np.inf)), np.array([*factors, *guess])))
        for start in _best_of_each(starts, fixed):
            free = np.arange(len(start)) < len(start) - fixed
            numbers, largest = refined(formula, start, free, few)
            if largest > 1 and fixed == 0:
                numbers, _ = refined(formula, numbers, free, few)
            with np.errstate(all="ignore"):
                fits = scaled.fit(formula(scaled.steps, numbers))  # type: ignore[arg-type]
            if fits and fixed and np.count_nonzero(scaled.steps * numbers[2] < 1) < _FEWEST_OF_A_POWER:
                fits = False  # the others lie where the power has ended
            read_numbers = read(numbers, middle, half) if fits else None
            if read_numbers is not None:
                return _scaled(read_numbers, size), lambda at, n=numbers: size * formula((at - middle) / half, n)
        return None

    return fit


def _best_of_each(starts: list[tuple[float, Numbers]], fixed: int) -> list[Numbers]:
    """The two best of all first guesses; where the last number is fixed, the best of each and then its neighbours."""
    ordered = [start for _, start in sorted(starts, key=lambda start: start[0])]
    if not fixed:
        return ordered[:2]
    best: dict[float, Numbers] = {}
    for start in ordered:
        best.setdefault(float(start[-1]), start)
    return list(best.values())


def _scaled(numbers: tuple[float, ...], size: float) -> tuple[float, ...]:
    """The numbers with their first two, which are rates, in the log's unit."""
    return (numbers[0] * size, numbers[1] * size, *numbers[2:])


def _cosine_columns(u: Numbers, guess: tuple[float, ...]) -> Numbers:
    import numpy as np

    turn = math.sqrt(guess[0])
    return np.stack([np.ones_like(u), np.sin(turn * u) / turn, 2 * (np.sin(turn * u / 2) / turn) ** 2], axis=1)


def _cosine_value(u: Numbers, numbers: Numbers) -> Numbers:
    import numpy as np

    level, slope, bend, square = numbers
    turn = math.sqrt(square) if square > 0 else math.nan
    found: Numbers = level + slope * np.sin(turn * u) / turn + bend * 2 * (np.sin(turn * u / 2) / turn) ** 2
    return found


def _cosine_numbers(numbers: Numbers, middle: float, half: float) -> tuple[float, ...] | None:
    """(middle level, radius > 0, turn, step of the top next to the stretch)."""
    level, slope, bend, square = map(float, numbers)
    turn = math.sqrt(square)
    if abs(bend) > _WIDEST * square:
        return None
    across, along = -bend / square, slope / turn
    radius = math.hypot(across, along)
    top = math.atan2(along, across) / turn
    return level + bend / square, radius, turn / half, middle + half * top


def _cosine_guesses() -> list[tuple[float, ...]]:
    return [(turn * turn,) for turn in (0.01, 0.04, 0.1, 0.2, 0.4, 0.7, 1.0, 1.3, 1.6, 2.0, 2.5, 3.1)]


def _power_columns(u: Numbers, guess: tuple[float, ...]) -> Numbers:
    import numpy as np

    return np.stack([np.ones_like(u), _power_value(u, np.array([0.0, 1.0, *guess]))], axis=1)


def _power_value(u: Numbers, numbers: Numbers) -> Numbers:
    """The value and slope in the middle, the inverse of the distance of the zero, the power."""
    import numpy as np

    level, slope, inverse, power = numbers
    base = np.maximum(1 - u * inverse, 0.0)
    found: Numbers = level + slope / (inverse * power) * (1 - base**power)
    return found


def _power_numbers(numbers: Numbers, middle: float, half: float) -> tuple[float, ...] | None:
    """(level at the zero, value in the middle, step of the zero, power)."""
    level, slope, inverse, power = map(float, numbers)
    if not 0.1 < power < 20 or abs(power - 1) < 0.02:  # a straight line is another form
        return None
    return level + slope / (inverse * power), level, middle + half / inverse, power


def _power_guesses() -> list[tuple[float, ...]]:
    near = (0.999, 0.9, 0.6, 0.3, 0.1)
    return [(side * inverse, power) for power in _POWERS for inverse in near for side in (1, -1)]


def _power(points: Points) -> Found | None:
    """A power of those that people choose; else any."""
    return _CHOSEN_POWER(points) or (_ANY_POWER(points) if len(points) > 8 else None)


_POWERS = (2.0, 0.5, 0.9, 3.0, 1.5, 4.0)
_CHOSEN_POWER = _curve(_power_value, _power_guesses, _power_columns, _power_numbers, fixed=1)
_ANY_POWER = _curve(_power_value, _power_guesses, _power_columns, _power_numbers)
_FORMS: dict[str, tuple[int, Callable[[Points], Found | None]]] = {
    # the fewest points of a piece, and its fit: (numbers, formula) if all points fit
    "constant": (2, _constant),  # (level,)
    "linear": (3, _straight(_same, lambda v: v * 0 + 1, _same)),  # a + b t: (a, b)
    "geometric": (4, _straight(_log, lambda v: 1 / v, _exp)),  # exp(a + b t)
    "inverse_sqrt": (4, _straight(lambda v: v**-2, lambda v: -2 * v**-3, lambda v: abs(v) ** -0.5)),  # (a + b t)**-0.5
    "inverse_time": (4, _straight(lambda v: 1 / v, lambda v: v**-2, lambda v: 1 / v)),  # 1 / (a + b t)
    "cosine": (5, _curve(_cosine_value, _cosine_guesses, _cosine_columns, _cosine_numbers)),
    "power": (5, _power),
}
