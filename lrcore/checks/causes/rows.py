"""The rows of a log on one clock: which of them a curve fits, and how much each of them says, in bits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from lrcore.checks.log import Log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Steps: TypeAlias = NDArray[np.int64]
    Values: TypeAlias = NDArray[np.float64]
    Mask: TypeAlias = NDArray[np.bool_]

MOST_BITS = 40.0
"""What one row can say at most: a match to twelve digits."""
_EXACT = (1e-11, 1e-13)  # of the value, and of the largest one: what formulas in float64 differ by
_FLOAT32 = (3e-7, 1.2e-7)  # the same for a trainer that computes in float32

_EDGES = 4  # in a sample
_ROUND = 5  # digits of a decimal number that may be one of bfloat16 by chance: 0.5, 0.125


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a log, where row n shows the rate of update n - lag.

    Attributes:
        log: the log.
        lag: 0 or 1; 2 for trainers that ask one update late.
    """

    log: Log
    lag: int

    @property
    def values(self) -> Values:
        """The rate of each row."""
        return self.log.values

    @cached_property
    def updates(self) -> Steps:
        """The update whose rate each row shows."""
        return np.maximum(self.log.steps - self.lag, 0)

    @cached_property
    def peak(self) -> float:
        """The largest rate."""
        return float(np.abs(self.values).max(initial=0.0))

    @cached_property
    def widths(self) -> tuple[Values, ...]:
        """How far a curve may be from each row, from the strictest reading to the loosest: exact, float32, as written."""
        sizes = np.abs(self.values)
        exact, single = (part * sizes + whole * self.peak for part, whole in (_EXACT, _FLOAT32))
        written = np.maximum(self.log.tolerances, _half_steps(self.values)) * (1 + 1e-6) + exact
        return (exact, single, np.maximum(single, written)) if (written > single).any() else (exact, single)

    @property
    def loosest(self) -> Values:
        """The widths of the loosest reading."""
        return self.widths[-1]

    def fits(self, curve: Values) -> Mask:
        """The rows that a curve fits in the loosest reading."""
        return np.abs(curve - self.values) <= self.loosest

    def level(self, curve: Values, where: Mask | None = None) -> int | None:
        """The strictest reading in which a curve fits all rows, or those of a mask; None where it fits in none."""
        apart = np.abs(curve - self.values)
        for level, widths in enumerate(self.widths):
            if np.all((apart <= widths) if where is None else (apart <= widths)[where]):
                return level
        return None

    @cached_property
    def bits(self) -> tuple[Values, ...]:
        """What each row says beyond the row before it, for each reading: nothing where the rate stands still."""
        moved = np.abs(np.diff(self.values, prepend=0.0))
        return tuple(np.minimum(MOST_BITS, np.log2(1 + moved / (2 * widths + 1e-300))) for widths in self.widths)

    @cached_property
    def telling(self) -> Mask:
        """The rows at which the log has said another whole bit, in the loosest reading."""
        return np.diff(np.floor(np.cumsum(self.bits[-1])), prepend=0.0) > 0

    @cached_property
    def starts(self) -> Mask:
        """The rows at which a session starts, because the step goes back."""
        return np.diff(self.log.steps, prepend=self.log.steps[:1]) < 0

    def sample(self, off: Mask, count: int = 9) -> Steps:
        """A few rows that say most: of those that the schedule does not fit, and some that it fits."""
        edges = np.flatnonzero(np.diff(off))[:_EDGES]  # where the log leaves the schedule, and where the two meet again
        places: list[int] = [*edges.tolist(), *(edges + 1).tolist()]
        for mask, some in ((off, count), (~off, 3)):
            rows = np.flatnonzero(mask & self.telling)
            if len(rows) < some:
                rows = np.flatnonzero(mask)
            if len(rows):
                places += rows[np.unique(np.linspace(0, len(rows) - 1, some).astype(int))].tolist()
        return np.unique(np.array(places, dtype=np.int64))


def _half_steps(values: Values) -> Values:
    """Half of what neighbours of bfloat16 are apart, where all rates are such numbers and some are not round by chance."""
    sizes = np.abs(values)
    with np.errstate(over="ignore"):
        short = values.astype(np.float32)
    exact = bool(np.all(short == values)) and not (short.view(np.uint32) & 0xFFFF).any()
    if not exact or all(float(f"{one:.{_ROUND - 1}e}") == one for one in values.tolist()):
        return np.zeros_like(values)
    return np.where(sizes > 0, 2.0 ** (np.floor(np.log2(np.where(sizes > 0, sizes, 1.0))) - 8), 0.0)
