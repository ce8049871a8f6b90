"""lrcore in optax: `lrcore_optax.as_schedule(schedule)` is an `optax.Schedule`, for any optimizer and transformation."""

import lrcore

try:
    import jax  # noqa: F401 - imported here, to report a missing JAX in one sentence
    import optax  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in {"jax", "optax"}:
        raise
    raise lrcore.MissingExtraError("lrcore_optax", package="JAX and optax", extra="optax") from None

from lrcore_optax._counts import current_step, set_step
from lrcore_optax._native import from_native, native_step
from lrcore_optax._plateau import reduce_on_plateau
from lrcore_optax._schedule import as_schedule
from lrcore_optax._state import current_lr, load_state_dict, report, state_dict, to_arrays

__all__ = [
    "as_schedule",
    "current_lr",
    "current_step",
    "from_native",
    "load_state_dict",
    "native_step",
    "reduce_on_plateau",
    "report",
    "set_step",
    "state_dict",
    "to_arrays",
]
