"""lrcore in MLX: `lrcore_mlx.as_schedule(schedule)` is a rate for any optimizer of `mlx.optimizers`, eager and compiled."""

import lrcore

try:
    import mlx.core
    import mlx.optimizers  # noqa: F401
except ModuleNotFoundError as error:
    if error.name not in {"mlx", "mlx.core", "mlx.optimizers"}:
        raise
    raise lrcore.MissingExtraError("lrcore_mlx", package="MLX", extra="mlx") from None

from lrcore_mlx._native import from_native, native_step
from lrcore_mlx._numbers import schedule_also
from lrcore_mlx._plateau import reduce_on_plateau, report
from lrcore_mlx._schedule import as_schedule
from lrcore_mlx._state import current_lr, current_step, load_state_dict, set_step, state_dict

__all__ = [
    "as_schedule",
    "current_lr",
    "current_step",
    "from_native",
    "load_state_dict",
    "native_step",
    "reduce_on_plateau",
    "report",
    "schedule_also",
    "set_step",
    "state_dict",
]
