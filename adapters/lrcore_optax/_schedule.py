"""A schedule that JAX can trace: its table is evaluated inside the compiled update."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Literal, NoReturn, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

import lrcore
from lrcore import adapting
from lrcore_optax._namespace import TableNamespace

WHERE = "lrcore_optax.as_schedule"
LAST_COUNT = 2**31 - 1  # the counters of optax stop here
LAST_FLOAT_COUNT = 2**31 - 2**7  # the largest float32 <= LAST_COUNT


def as_schedule(schedule: adapting.Source | TableSchedule, horizon: int | None = None) -> TableSchedule:
    """A schedule for optax: `count -> learning rate`, count being the updates already made.

    Up to 2**18 different steps the rate is float32(schedule(count)), bit for bit; beyond that at most 1 ulp from it, with the
    same bits eager, compiled, scanned, mapped and sharded. It is traced once per compilation, holds no state and pickles;
    two made from equal schedules are equal and share one table.

    The rate is a strong float32, so that bfloat16 parameters do not round it in `optax.inject_hyperparams`. With x64 on it
    is a weak float64, which takes the type of the parameters as a Python number does, and as exact as their type.

    A floating count is for plots and derivatives: between two updates the rate is interpolated linearly, so `jax.grad` gives
    the difference between the next update's rate and this one's. A traced scale is multiplied with the rate:
    `lambda count: scale * learning_rate(count)`.

    Args:
        schedule: a schedule; the path, the text or the dict of one; or a Python function of the step (looked up once here, on
            the host).
        horizon: the step from which the value is held; needed for a Python function, and then at most 2**22. What a schedule
            does after 2**31 - 1, where the counters of optax stop, has no effect.

    Returns:
        An `optax.Schedule`: a callable that takes what optax counts with, and also numbers and arrays of Python and numpy,
        as plots pass them. Counts are clipped to 0 ... 2**31 - 1.

    Raises:
        ScheduleError: no table can hold the schedule; see `lrcore.lower`.

    Example:
        >>> import optax
        >>> learning_rate = as_schedule(lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4))
        >>> optimizer = optax.sgd(learning_rate)
        >>> [float(learning_rate(count)) for count in range(6)]
        [0.5, 0.375, 0.25, 0.125, 0.0, 0.0]
    """
    if isinstance(schedule, TableSchedule):
        return schedule if horizon is None else TableSchedule(schedule.schedule, horizon)
    found = adapting.as_schedule_or_plateau(schedule, horizon, WHERE)
    if isinstance(found, lrcore.Plateau):
        raise lrcore.ScheduleError(
            WHERE,
            "a plateau is no function of the step; give its `schedule` here and chain lrcore_optax.reduce_on_plateau",
        )
    return TableSchedule(found, horizon)


class TableSchedule(adapting.TabledSchedule):
    """What `as_schedule` returns. Equal ones are one static argument, so that JAX compiles them once."""

    where = WHERE

    def __call__(self, count: Any) -> jax.Array:
        if isinstance(count, jax.Array):
            return self._compiled(count)
        counts, fraction = _host_counts(count)
        if not counts.ndim and not fraction:  # a call of compiled code is cheaper than a dozen calls of numpy
            with jax.ensure_compile_time_eval():  # a number is known inside an enclosing compilation, too
                return self._compiled(np.int32(counts))
        return jnp.asarray(self._evaluate(np, counts, fraction, _default_float()))

    def __mul__(self, factor: Any) -> NoReturn:
        """Say how a rate is scaled: by a number in the schedule, by a traced array in the function of the count."""
        raise lrcore.ScheduleError(
            "lrcore_optax.as_schedule(schedule) * factor",
            f"expected a schedule of lrcore; got {factor!r} for one of optax; write as_schedule(schedule * factor) for a "
            "number, and for a traced array lambda count: factor * as_schedule(schedule)(count)",
        )

    __rmul__ = __mul__

    @cached_property
    def _compiled(self) -> Callable[[Any], jax.Array]:
        """The jitted evaluation; `inline=True` merges its operations into an enclosing compilation."""

        def evaluate(count: jax.Array) -> jax.Array:
            if jnp.issubdtype(count.dtype, jnp.floating):
                wide = count.astype(jnp.promote_types(count.dtype, jnp.float32))
                return self._evaluate(_NAMESPACE, *_split(jnp, wide, LAST_FLOAT_COUNT, "int32"), wide.dtype.name)
            return self._evaluate(_NAMESPACE, _jax_counts(count), None, _default_float())

        def rate(count: jax.Array) -> jax.Array:
            found = _with_automatic_sharding(evaluate, count)
            is_strong = found.ndim or found.dtype == jnp.float32 or jnp.issubdtype(count.dtype, jnp.floating)
            return found if is_strong else jax.lax.full_like(0.0, found)

        return jax.jit(rate, inline=True)

    @cached_property
    def _float64(self) -> adapting.Table:
        """The table that is exact in float64; a lookup is exact in both types."""
        is_exact = self.table.method == "lookup"
        return self.table if is_exact else lrcore.lower(self.schedule, self.horizon, dtype="float64")

    def _evaluate(self, xp: Any, counts: Any, fraction: Any, dtype: Any) -> Any:
        """The rates at integer counts, or between each and the next one where there is a fraction."""
        table = self._float64 if dtype == "float64" else self.table
        rate = table.evaluate(xp, counts, _cast, dtype)
        if fraction is None:
            return rate
        return rate + fraction.astype(dtype) * (table.evaluate(xp, counts + 1, _cast, dtype) - rate)


Scheduled: TypeAlias = adapting.Source | lrcore.Plateau | TableSchedule
"""What a function that reads or sets a state takes as the schedule of the optimizer."""


def configured(given: Scheduled, where: str) -> lrcore.Schedule | lrcore.Plateau:
    """The schedule or plateau that a user gave, in any of its forms."""
    if isinstance(given, TableSchedule):
        return given.schedule
    return adapting.as_schedule_or_plateau(given, where=f"{where}.schedule")


def scaled_schedule(given: Scheduled, where: str) -> lrcore.Schedule:
    """The schedule itself, or the one that a plateau scales."""
    found = configured(given, where)
    return found.schedule if isinstance(found, lrcore.Plateau) else found


def _with_automatic_sharding(function: Callable[[jax.Array], jax.Array], array: jax.Array) -> jax.Array:
    """Call the function; on a mesh with explicit axes, where a gather asks for the sharding of its result, with that of `array`."""
    if not hasattr(jax, "set_mesh"):  # which older releases lack, and with it explicit axes
        return function(array)
    sharding = jax.typeof(array).sharding
    if jax.sharding.AxisType.Explicit not in sharding.mesh.axis_types:
        return function(array)
    return jax.sharding.auto_axes(function, out_sharding=sharding)(array)


_NAMESPACE = TableNamespace()


def _default_float() -> Literal["float32", "float64"]:
    """The dtype that JAX gives to `float`: float64 if x64 is enabled, else float32."""
    return "float64" if jnp.result_type(float) == jnp.float64 else "float32"


def _cast(array: Any, name: str) -> Any:
    return array.astype(name)


def _host_counts(count: Any) -> tuple[Any, Any]:
    """Numbers of Python and numpy as integer counts and fractions, or None; clipped before a conversion could overflow."""
    counts = np.asarray(min(max(count, 0), LAST_COUNT) if isinstance(count, int) else count)
    if counts.dtype.kind == "f":
        counts = counts.astype(np.float64)
    if counts.dtype.kind not in "iuf" or np.isnan(counts).any():
        raise _count_error(count)
    if counts.dtype.kind != "f":
        return np.clip(counts, 0, LAST_COUNT).astype(np.int64), None
    return _split(np, counts, LAST_COUNT, "int64")


def _split(xp: Any, counts: Any, last: int, integer: str) -> tuple[Any, Any]:
    """Floating counts as integers, up to `last`, and the fractions above them."""
    within = xp.clip(counts, 0, last)
    whole = xp.floor(within)
    return whole.astype(integer), within - whole


def _jax_counts(count: jax.Array) -> jax.Array:
    """Integer arrays of JAX as int32; clipped before the conversion could overflow."""
    if not jnp.issubdtype(count.dtype, jnp.integer):
        raise _count_error(count)
    if jnp.iinfo(count.dtype).max > LAST_COUNT:
        count = jnp.clip(count, 0, LAST_COUNT)
    return count.astype(jnp.int32)


def _count_error(count: Any) -> lrcore.ScheduleError:
    return lrcore.ScheduleError("count", f"expected the number of updates already made; got {count!r}")
