"""What compiled frameworks evaluate instead of Python: a schedule lowered into arrays, read with integer arithmetic.

A compiled training step cannot call back into Python for a learning rate, and formulas rewritten in float32 disagree
with themselves and with one another. So a schedule becomes a table of its float64 values, and the one evaluation here is
written over a tiny array namespace (`Namespace`) that numpy, `jax.numpy` and `keras.ops` all are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from lrcore.errors import ScheduleError
from lrcore.schedules import Function, Schedule, as_schedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAST_COUNT = 2**31 - 1
"""Where the frameworks' int32 counters end, and every table with them."""

LOOKUP_LIMIT = 2**18
FUNCTION_LIMIT = 2**22

Array: TypeAlias = Any  # whatever the namespace computes with
Cast: TypeAlias = Callable[[Any, str], Any]
Floating: TypeAlias = Literal["float32", "float64"]


class Namespace(Protocol):
    """The operations that tables are evaluated with, as `numpy`, `jax.numpy` and `keras.ops` name them."""

    def clip(self, x: Array, low: int, high: int, /) -> Array: ...
    def floor_divide(self, x: Array, y: int, /) -> Array: ...
    def mod(self, x: Array, y: int, /) -> Array: ...
    def where(self, condition: Array, x: Array, y: Array, /) -> Array: ...
    def take(self, x: Array, indices: Array, /, *, axis: int) -> Array: ...


class Table(Protocol):
    """A schedule as arrays.

    Attributes:
        method: `lookup` (one value per step) or `cubics` (piecewise cubic polynomials).
        nbytes: the size of the arrays.
    """

    @property
    def method(self) -> str: ...
    @property
    def nbytes(self) -> int: ...

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        """The values at some steps, computed by the array namespace of a framework: traced, compiled or eager.

        Args:
            xp: the namespace: `numpy`, `jax.numpy`, `keras.ops` or another with the operations of `Namespace`.
            step: an integer array of the framework, of any shape; below 0 it counts as 0, and the table's last value
                is held for ever.
            cast: `cast(array, dtype_name)` converts an array: `keras.ops.cast`, or `lambda x, dtype: x.astype(dtype)`.
            dtype: the floating type of the result; float64 only where the framework has it switched on.

        Returns:
            An array of the shape of `step`.

        Example:
            >>> import numpy as np
            >>> from lrcore import Linear, lower
            >>> table = lower(Linear(init_value=1.0, end_value=0.0, decay_steps=4))
            >>> table.evaluate(np, np.array([0, 1, 4, 9]), np.ndarray.astype).tolist()
            [1.0, 0.75, 0.0, 0.0]
        """
        ...


@dataclass(frozen=True)
class Clock:
    """How a step becomes the number of an entry, in integers: by ticks, to the last one, and round the last cycle.

    Attributes:
        tick: updates for which one entry holds.
        last: the last entry, from which the value never changes.
        start: the entry at which the cycle begins.
        period: entries in a cycle, 0 for none.
    """

    tick: int
    last: int
    start: int = 0
    period: int = 0

    @property
    def entries(self) -> int:
        return self.start + self.period if self.period else self.last + 1

    def entry(self, xp: Namespace, step: Array) -> Array:
        entry = xp.clip(step, 0, min((self.last + 1) * self.tick - 1, LAST_COUNT))
        if self.tick > 1:
            entry = xp.floor_divide(entry, self.tick)
        if self.period:
            entry = xp.where(entry < self.start, entry, self.start + xp.mod(entry - self.start, self.period))
        return entry


@dataclass(frozen=True, eq=False)
class Lookup:
    """A table with one value per entry: exactly the float64 value of the schedule, rounded once."""

    clock: Clock
    values: NDArray[np.float64]

    @property
    def method(self) -> str:
        return "lookup"

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    @cached_property
    def _float32(self) -> NDArray[np.float32]:
        return _float32(self.values)

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        entry = cast(self.clock.entry(xp, step), "int32")
        return xp.take(self._float32 if dtype == "float32" else self.values, entry, axis=0)


def lower(schedule: Schedule | Callable[[int], float], horizon: int | None = None) -> Table:
    """The table of a schedule, for frameworks that compile.

    A schedule of at most 2**18 different steps (its last value is held, and a cycle is counted once) becomes a lookup of
    its own float64 values: the same bits as in the frameworks that ask the host.

    Args:
        schedule: a schedule, or a Python function of the step.
        horizon: the step from which the table holds its value; needed for a Python function that states none itself,
            and then at most 2**22.

    Raises:
        ScheduleError: the schedule is longer than 2**31 - 1 updates, or a Python function has no horizon or one that is
            too far.

    Example:
        >>> from lrcore import Cosine
        >>> lower(Cosine(init_value=0.1, end_value=0.0, decay_steps=1000)).method
        'lookup'
    """
    schedule = as_schedule(schedule)
    where = f"lower({type(schedule).__name__})"
    clock = _clock(schedule, horizon, where)
    limit = FUNCTION_LIMIT + 1 if _calls_python(schedule) else LOOKUP_LIMIT
    if clock.entries > limit:
        raise ScheduleError(
            where,
            f"expected a horizon of at most {limit - 1} updates to look up; got {clock.entries - 1}; pass horizon",
        )
    return _lookup(schedule, clock)


def _clock(schedule: Schedule, horizon: int | None, where: str) -> Clock:
    line = schedule.timeline
    reach = max(schedule.length or 0, line.end or 0) if horizon is None else horizon
    if reach > LAST_COUNT:
        raise ScheduleError(
            where, f"expected at most {LAST_COUNT} updates, where the frameworks' counters end; got {reach}"
        )
    last = min(reached for reached in (LAST_COUNT, line.end, horizon) if reached is not None)
    start, period = math.ceil(line.starts[-1]), line.period
    if period is None or start + period > last:
        return Clock(1, last)
    return Clock(1, last, start, period)


def _calls_python(schedule: Schedule) -> bool:
    return isinstance(schedule, Function) or any(map(_calls_python, schedule._children()))  # noqa: SLF001


def _lookup(schedule: Schedule, clock: Clock) -> Lookup:
    import numpy as np

    at: Callable[[int], float] = schedule.at
    steps: Iterable[int] = range(0, clock.entries * clock.tick, clock.tick)
    return Lookup(clock, np.fromiter(map(at, steps), dtype=np.float64, count=clock.entries))


def _float32(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """The nearest float32, the largest one for what is beyond it, and 0 below its normal range: compilers disagree there."""
    import numpy as np

    limit = np.finfo(np.float32)
    rounded = np.clip(values, limit.min, limit.max).astype(np.float32)
    return np.where(np.abs(rounded) < limit.tiny, np.float32(0), rounded)
