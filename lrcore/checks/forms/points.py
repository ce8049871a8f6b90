"""The points of a log as numbers to fit: steps, rates, and how far a rate may be from what a description gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lrcore.checks.log import Log

_FLOAT64 = 1e-12  # schedulers that multiply update after update lose some digits
_FLOAT32 = 1.5e-7
_BESIDE = 1.4  # of a tolerance: how far least squares may be off at the worst point where the best fit is just within
_AT_LEAST = 8  # distinct rates, before they are taken for float32


@dataclass(frozen=True, eq=False)
class Points:
    """Rows of a log in the order of their steps.

    Attributes:
        steps: the rows' steps, rising; int64.
        values: the rates.
        tolerances: how far a description may be from each rate.
    """

    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    tolerances: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.steps)

    def part(self, chosen: slice | NDArray[np.int64]) -> Points:
        """Some of the points.

        Example:
            >>> import numpy as np
            >>> points = Points(np.arange(4), np.ones(4), np.zeros(4))
            >>> points.part(slice(1, 3)).steps.tolist()
            [1, 2]
        """
        return Points(self.steps[chosen], self.values[chosen], self.tolerances[chosen])

    def loosened(self) -> Points:
        """The points with wider tolerances where digits are missing: least squares are a little beside the best fit."""
        import numpy as np

        rounded = self.tolerances > 1e-10 * np.abs(self.values).max()
        return Points(self.steps, self.values, np.where(rounded, _BESIDE * self.tolerances, self.tolerances))

    def thinned(self, most: int) -> Points:
        """At most about `most` points: all of the first and the last few, and of the others every n-th."""
        import numpy as np

        if len(self) <= most:
            return self
        ends = most // 8
        between = np.linspace(ends, len(self) - ends - 1, most - 2 * ends).astype(np.int64)
        return self.part(np.unique(np.concatenate([np.arange(ends), between, np.arange(len(self) - ends, len(self))])))

    def fit(self, values: NDArray[np.float64]) -> bool:
        """Whether these values are the logged ones, within their tolerances."""
        import numpy as np

        return bool(np.all(np.abs(values - self.values) <= self.tolerances))


def points_of(log: Log) -> Points:
    """The points of a log, with tolerances that the rounding of its numbers needs.

    Where a session goes back and its rows repeat those of the session before, the rows are put in the order of their steps.
    A row that repeats the step and the rate of the row before tells nothing new and is left out: Lightning writes one for
    each batch that it accumulates.
    """
    import numpy as np

    values = log.values
    size, largest = np.abs(values), float(np.abs(values).max(initial=0.0))
    single = len(np.unique(values)) >= _AT_LEAST and bool(np.all(values.astype(np.float32) == values))
    rounding = _FLOAT32 * (size + largest) if single else _FLOAT64 * size + 1e-15 * largest
    points = Points(log.steps, values, np.maximum(log.tolerances + rounding, 1e-300))
    if np.any(np.diff(points.steps) < 0) and _agree(points):
        points = points.part(np.argsort(points.steps, kind="stable"))
    news = np.flatnonzero((np.diff(points.steps) != 0) | (np.diff(points.values) != 0)) + 1
    return points.part(np.concatenate([[0], news]).astype(np.int64))


def _agree(points: Points) -> bool:
    """Whether rows of one step have one rate, so that a session that goes back hides nothing."""
    import numpy as np

    order = np.argsort(points.steps, kind="stable")
    same = np.diff(points.steps[order]) == 0
    return bool(np.any(same) and np.all(np.diff(points.values[order])[same] == 0))
