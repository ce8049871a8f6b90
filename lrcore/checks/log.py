"""A log: the rates that a run wrote down, with what is known of their steps and their digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Log:
    """The rows of a log, in the order in which they were written.

    Attributes:
        where: the file, or "log", for messages.
        steps: the update that each row names, as it stands in the log; int64.
        values: the rate of each row; float64.
        tolerances: how far each rate may be from the true one because it was written with few digits; 0 where the digits
            are taken as exact.
        lag: row n shows the rate of update n - lag: 0 or 1; None where the format does not tell, so that it is fitted.
        notes: what the reader left out or took for granted, a sentence each.
        epoch: the updates of an epoch, where each row is that of a whole epoch, written at its end.
    """

    where: str
    steps: NDArray[np.int64]
    values: NDArray[np.float64]
    tolerances: NDArray[np.float64]
    lag: int | None = None
    notes: tuple[str, ...] = ()
    epoch: int | None = None
