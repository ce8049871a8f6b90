"""Least squares: numbers of a formula that bring it to the points, from a first guess."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lrcore.checks.forms.points import Points

    Numbers: TypeAlias = NDArray[np.float64]
    Formula: TypeAlias = Callable[[Numbers, Numbers], Numbers]

_ROUNDS = 40
_GOOD = 0.02  # of the tolerance: nothing is gained by going on


def misfit(formula: Formula, numbers: Numbers, points: Points) -> Numbers:
    """The distance of each rate from the formula, in tolerances; infinite where the formula gives no number."""
    import numpy as np

    with np.errstate(all="ignore"):
        found = (formula(points.steps.astype(np.float64), numbers) - points.values) / points.tolerances
    return np.where(np.isfinite(found), found, np.inf)


def refined(formula: Formula, guess: Numbers, free: NDArray[np.bool_], points: Points) -> tuple[Numbers, float]:
    """The numbers nearest to the guess that fit best, by damped Gauss-Newton steps; and the largest misfit.

    Args:
        formula: of the steps and the numbers.
        guess: the first numbers.
        free: which of them may change.
        points: what is to be fitted.
    """
    import numpy as np

    numbers, damping, stuck = guess.copy(), 1e-6, 0
    found = misfit(formula, numbers, points)
    largest = float(np.abs(found).max())
    if not free.any() or not np.isfinite(largest):
        return numbers, largest
    cost = float(found @ found)
    for _ in range(_ROUNDS):
        slopes = slopes_at(formula, numbers, free, points)
        step = None if slopes is None else _step(formula, numbers, free, points, slopes, found, damping)
        if step is None:
            break
        numbers, found, damping = step
        before, cost = cost, float(found @ found)
        stuck = stuck + 1 if cost > 0.7 * before else 0
        largest = float(np.abs(found).max())
        if largest < _GOOD or stuck > 4:
            break
    return numbers, largest


def _step(
    formula: Formula,
    numbers: Numbers,
    free: NDArray[np.bool_],
    points: Points,
    slopes: Numbers,
    found: Numbers,
    damping: float,
) -> tuple[Numbers, Numbers, float] | None:
    """Better numbers, their misfit and the damping for the next step; None if no damping makes them better."""
    import numpy as np

    sizes = np.maximum(np.sqrt((slopes * slopes).sum(axis=0)), 1e-300)
    for _ in range(6):
        trial = numbers.copy()
        trial[free] -= _damped(slopes / sizes, found, damping) / sizes
        there = misfit(formula, trial, points)
        with np.errstate(over="ignore"):
            better = float(there @ there) < float(found @ found)
        if better:
            return trial, there, damping / 100
        damping = max(damping, 1e-12) * 30
    return None


def least_squares(columns: Numbers, target: Numbers) -> Numbers:
    """The factors with which the columns come nearest to the target; NaN where a number is not finite."""
    import numpy as np

    if not (np.all(np.isfinite(columns)) and np.all(np.isfinite(target))):
        return np.full(columns.shape[1], np.nan)
    try:
        return np.linalg.lstsq(columns, target, rcond=1e-14)[0].astype(np.float64)
    except np.linalg.LinAlgError:  # the sum of the squares overflows
        return np.full(columns.shape[1], np.nan)


def _damped(slopes: Numbers, found: Numbers, damping: float) -> Numbers:
    """The step of least squares; with damping, a shorter one."""
    import numpy as np

    count = slopes.shape[1]
    if damping > 1e-13:
        slopes = np.vstack([slopes, np.sqrt(damping) * np.eye(count)])
        found = np.concatenate([found, np.zeros(count)])
    return least_squares(slopes, found)


def slopes_at(formula: Formula, numbers: Numbers, free: NDArray[np.bool_], points: Points) -> Numbers | None:
    """How the misfit changes with each free number: central differences."""
    import numpy as np

    columns = []
    for index in np.flatnonzero(free):
        width = 1e-6 * max(abs(numbers[index]), 1e-12)
        ahead, behind = numbers.copy(), numbers.copy()
        ahead[index] += width
        behind[index] -= width
        columns.append((misfit(formula, ahead, points) - misfit(formula, behind, points)) / (2 * width))
    slopes = np.stack(columns, axis=1)
    return slopes if np.all(np.isfinite(slopes)) else None
