"""Tables: a schedule as arrays, which compiled frameworks evaluate with integer arithmetic.

A compiled training step cannot call Python for a learning rate, and a formula in float32 gives other bits in each
framework and compiler. So a schedule is lowered to a table of its float64 values. The one evaluation here uses only the
operations of `Namespace`, which numpy, `jax.numpy` and `keras.ops` share.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Array: TypeAlias = Any  # an array of the namespace's framework
Cast: TypeAlias = Callable[[Any, str], Any]
Floating: TypeAlias = Literal["float32", "float64"]


class Namespace(Protocol):
    """The operations that tables are evaluated with, as `numpy`, `jax.numpy` and `keras.ops` name them."""

    def clip(self, x: Array, low: int, high: int, /) -> Array: ...
    def floor_divide(self, x: Array, y: int, /) -> Array: ...
    def mod(self, x: Array, y: int, /) -> Array: ...
    def where(self, condition: Array, x: Array, y: Array, /) -> Array: ...
    def take(self, x: Array, indices: Array, /, *, axis: int) -> Array: ...
    def searchsorted(self, x: Array, values: Array, /, *, side: Literal["right"]) -> Array: ...
    def split(self, x: Array, sections: int, /, *, axis: int) -> Any: ...
    def reshape(self, x: Array, shape: Any, /) -> Array: ...
    def shape(self, x: Array, /) -> Any: ...
    def left_shift(self, x: Array, y: Array, /) -> Array: ...
    def right_shift(self, x: Array, y: int, /) -> Array: ...
    def bitwise_and(self, x: Array, y: int, /) -> Array: ...


class Table(Protocol):
    """A schedule as arrays.

    Attributes:
        method: `lookup` (one value per step), `cubics` (piecewise cubic polynomials, exact in float32) or `polynomials` (of
            degree 7, exact in float64).
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
            step: an array of int32 or int64 of the framework, of any shape; below 0 it counts as 0, and the table's last
                value is held for ever.
            cast: `cast(array, name)` converts an array to a type: `keras.ops.cast`, or `lambda x, name: x.astype(name)`.
            dtype: the floating type of the result; float64 only where the framework has it switched on. Cubics then keep the
                accuracy of float32: ask `lower` for a table of float64.

        Returns:
            An array of the shape of `step`.

        Example:
            >>> import numpy as np
            >>> from lrcore import Linear, lower
            >>> table = lower(Linear(init_value=1.0, end_value=0.0, decay_steps=4))
            >>> table.evaluate(np, np.array([0, 1, 4, 9]), lambda x, name: x.astype(name)).tolist()
            [1.0, 0.75, 0.0, 0.0]
        """
        ...


class Clock(Struct, frozen=True):
    """The map from a step to the index of its entry, in integers. Before the tail, each step has an entry of its own.

    Attributes:
        last: the step from which the table holds its value.
        start: the step at which the tail begins.
        tick: the updates that one entry of the tail lasts.
        period: the entries in one cycle of the tail; 0 if the tail does not repeat.
    """

    last: int
    start: int = 0
    tick: int = 1
    period: int = 0

    @property
    def entries(self) -> int:
        return self.start + (self.period or (self.last - self.start) // self.tick + 1)

    def entry(self, xp: Namespace, step: Array) -> Array:
        step = xp.clip(step, 0, self.last)
        if self.tick == 1 and not self.period:
            return step
        tail = step - self.start
        if self.tick > 1:
            tail = xp.floor_divide(tail, self.tick)
        if self.period:
            tail = xp.mod(tail, self.period)
        return xp.where(step < self.start, step, tail + self.start)

    def step(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first step of each entry."""
        import numpy as np

        return np.where(entries < self.start, entries, (entries - self.start) * self.tick + self.start)


class Lookup(Struct, frozen=True, eq=False, dict=True, weakref=True):
    """A table with one value per entry: the float64 value of the schedule, rounded once if float32 is asked for."""

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
        import numpy as np

        return in_range(self.values).astype(np.float32)

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        entry = cast(self.clock.entry(xp, step), "int32")
        return xp.take(self._float32 if dtype == "float32" else self.values, entry, axis=0)


class Cubics(Struct, frozen=True, eq=False, weakref=True):
    """A table of cubic polynomials, evaluated in fixed point.

    Row i holds for the entries from starts[i] on. With u = (entry - start) 2**shift / 2**30, in [0, 1), the value is
    (c0 + u (c1 + u (c2 + u c3))) root**2. The polynomial is computed in 32-bit integers, which give the same bits
    with every compiler; floating-point sums may be fused and reordered. The factor root**2 includes the 2**-31 of the fixed
    point: TensorFlow would multiply a factor common to all rows by that of the row first and leave float32's range.

    Attributes:
        starts: the first entry of each row, rising.
        rows: start, shift, c0, c1, c2, c3 of each row.
        roots: the square root of each row's scale, a power of two; scales differ so that small values keep their digits.
    """

    clock: Clock
    starts: NDArray[np.int32]
    rows: NDArray[np.int32]
    roots: NDArray[np.float32]

    @property
    def method(self) -> str:
        return "cubics"

    @property
    def nbytes(self) -> int:
        return self.starts.nbytes + self.rows.nbytes + self.roots.nbytes

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        entry = xp.reshape(cast(self.clock.entry(xp, step), "int32"), (-1,))
        row = cast(xp.searchsorted(self.starts, entry, side="right"), "int32") - 1
        start, shift, *coefficients = xp.split(xp.take(self.rows, row, axis=0), 6, axis=1)
        elapsed = xp.left_shift(xp.reshape(entry, (-1, 1)) - start, shift)
        fixed = xp.reshape(polynomial(xp, elapsed, *coefficients), xp.shape(step))
        root = cast(xp.reshape(xp.take(self.roots, row, axis=0), xp.shape(step)), dtype)
        return cast(fixed, dtype) * root * root


class Polynomials(Struct, frozen=True, eq=False, weakref=True):
    """A table of polynomials of degree 7 in float64.

    Row i holds for the entries from starts[i] on. With u = (entry - start) * width, in [0, 1), the value is
    c0 + u (c1 + u (c2 + ... + u c7)).

    Attributes:
        starts: the first entry of each row, rising.
        rows: width, c0 ... c7 of each row.
    """

    clock: Clock
    starts: NDArray[np.int32]
    rows: NDArray[np.float64]

    @property
    def method(self) -> str:
        return "polynomials"

    @property
    def nbytes(self) -> int:
        return self.starts.nbytes + self.rows.nbytes

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        entry = xp.reshape(cast(self.clock.entry(xp, step), "int32"), (-1,))
        row = cast(xp.searchsorted(self.starts, entry, side="right"), "int32") - 1
        width, *coefficients = xp.split(xp.take(self.rows, row, axis=0), self.rows.shape[1], axis=1)
        elapsed = cast(entry - xp.take(self.starts, row, axis=0), "float64")
        u = xp.reshape(elapsed, (-1, 1)) * width
        value = coefficients.pop()
        while coefficients:
            value = coefficients.pop() + u * value
        return cast(xp.reshape(value, xp.shape(step)), dtype)


def polynomial(xp: Namespace, u: Array, c0: Array, c1: Array, c2: Array, c3: Array) -> Array:
    """c0 + u (c1 + u (c2 + u c3)) in 32-bit integers, u in units of 2**-30; the error is below 1.5."""
    high, low = xp.right_shift(u, 15), xp.bitwise_and(u, 2**15 - 1)

    def times_u(c: Array) -> Array:
        top, bottom = xp.right_shift(c, 16), xp.bitwise_and(c, 2**16 - 1)
        rest = xp.right_shift(bottom * high, 1) + top * low + xp.right_shift(bottom * low, 16)
        return 2 * (top * high) + xp.right_shift(rest + 2**13, 14)

    return c0 + times_u(c1 + times_u(c2 + times_u(c3)))


def in_range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The values clipped to the range of float32, and 0 for those that would be subnormal in it.

    Compilers differ in whether they keep subnormal numbers.
    """
    import numpy as np

    limits = np.finfo(np.float32)
    clipped = np.clip(values, limits.min, limits.max)
    return np.where(np.abs(clipped).astype(np.float32) < limits.tiny, 0.0, clipped)
