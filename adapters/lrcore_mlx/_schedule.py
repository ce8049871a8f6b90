"""A schedule that MLX can compile: its table is evaluated inside the update."""

from __future__ import annotations

from typing import Any, NoReturn

import mlx.core as mx
import numpy as np

import lrcore
from lrcore import adapting
from lrcore_mlx._operations import Operations, cast

WHERE = "lrcore_mlx.as_schedule"
LAST_STEP = 2**31 - 1  # tables count in int32
_INTEGERS = (mx.uint64, mx.int64, mx.uint32, mx.int32, mx.uint16, mx.int16, mx.uint8, mx.int8)


def as_schedule(schedule: adapting.Source | TableSchedule, horizon: int | None = None) -> TableSchedule:
    """A rate for an optimizer of MLX: a function of the step, the updates already made.

    Up to 2**18 different steps the rate is float32(schedule(step)), bit for bit; beyond that at most 1 ulp from it, with the
    same bits eager and in `mx.compile`. It holds no state: the optimizer's `state["step"]` is the step.

    Args:
        schedule: a schedule; the path, the text or the dict of one; or a Python function of the step (looked up once here).
        horizon: the step from which the value is held; needed for a Python function, and then at most 2**22.

    Returns:
        A callable that takes the step of an optimizer, or numbers and arrays of Python, numpy and MLX, and returns float32.

    Raises:
        ScheduleError: no table can hold the schedule (see `lrcore.lower`); or it is a plateau, which is no function of the
            step.

    Example:
        >>> import lrcore, mlx.optimizers as optim
        >>> optimizer = optim.SGD(as_schedule(lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)))
        >>> optimizer.learning_rate.item()
        0.5
    """
    if isinstance(schedule, TableSchedule):
        return schedule if horizon is None else TableSchedule(schedule.schedule, horizon)
    found = adapting.as_schedule_or_plateau(schedule, horizon, WHERE)
    if isinstance(found, lrcore.Plateau):
        raise lrcore.ScheduleError(
            WHERE,
            "a plateau is no function of the step; give its `schedule` here and call "
            "lrcore_mlx.reduce_on_plateau(optimizer, plateau)",
        )
    return TableSchedule(found, horizon)


class TableSchedule(adapting.TabledSchedule):
    """What `as_schedule` returns; its table is evaluated in float32."""

    where = WHERE

    def __init__(self, schedule: lrcore.Schedule, horizon: int | None) -> None:
        super().__init__(schedule, horizon)
        self._operations = Operations()

    def __call__(self, step: Any) -> mx.array:
        return self.table.evaluate(self._operations, _steps(step), cast)  # type: ignore[no-any-return]

    def __mul__(self, factor: Any) -> NoReturn:
        """Say how a rate is scaled: by a number in the schedule."""
        raise lrcore.ScheduleError(
            f"{WHERE}(schedule) * factor",
            f"expected a schedule of lrcore; got {factor!r} for one of MLX; write as_schedule(schedule * factor)",
        )

    __rmul__ = __mul__


def _steps(step: Any) -> mx.array:
    """Steps as int32; clipped before the conversion could overflow."""
    if isinstance(step, mx.array):
        if step.dtype not in _INTEGERS:
            raise _error(step.dtype)
        wide = step if step.dtype in (mx.int64, mx.uint64) else step.astype(mx.int64)  # which holds LAST_STEP
        return mx.clip(wide, 0, LAST_STEP).astype(mx.int32)
    steps = np.asarray(min(max(step, 0), LAST_STEP) if isinstance(step, int) else step)
    if steps.dtype.kind not in "iu":
        raise _error(step)
    return mx.array(np.clip(steps, 0, LAST_STEP).astype(np.int32))


def _error(found: Any) -> lrcore.ScheduleError:
    return lrcore.ScheduleError(WHERE, f"expected whole numbers of updates already made; got {found!r}")
