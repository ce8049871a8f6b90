"""Converts the schedules of MLX to lrcore.

The input is a function of `mlx.optimizers` with its arguments, since the closure that it returns does not show them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

import mlx.optimizers as optim

import lrcore
from lrcore import adapting
from lrcore_mlx._schedule import TableSchedule
from lrcore_mlx._state import current_step

WHERE = "lrcore_mlx.from_native"


def from_native(native: Any, *args: Any, **options: Any) -> lrcore.Schedule:
    """Convert the schedule that a function of `mlx.optimizers` makes from these arguments.

    Args:
        native: the function, such as `mlx.optimizers.cosine_decay`; or what `lrcore_mlx.as_schedule` returned.
        args: its arguments. For schedules among them (`join_schedules`), pass lrcore schedules, results of
            `lrcore_mlx.as_schedule`, or Python functions of the step.
        options: its arguments by name.

    Returns:
        A schedule with the native's value at every step.

    Raises:
        lrcore.ScheduleError: an unknown function, or arguments that MLX refuses.

    Example:
        >>> import mlx.optimizers as optim
        >>> from_native(optim.cosine_decay, 0.5, 100, end=0.05)
        Cosine(init_value=0.5, end_value=0.05, decay_steps=100)
    """
    if isinstance(native, TableSchedule) and not (args or options):
        return native.schedule
    if not isinstance(native, FunctionType) or native not in _CONVERTERS:
        known = ", ".join(function.__name__ for function in _CONVERTERS)
        raise lrcore.ScheduleError(WHERE, f"expected one of {known}, with its arguments; got {native!r}")
    try:
        given = inspect.signature(native).bind(*args, **options)
        native(*args, **options)  # which checks the arguments
    except (TypeError, ValueError) as error:
        raise lrcore.ScheduleError(
            f"{WHERE}({native.__name__})", f"expected arguments that MLX takes; {error}"
        ) from None
    given.apply_defaults()
    return _CONVERTERS[native](**given.arguments)


def native_step(native: Any) -> int:
    """The number of updates already made, as an optimizer of MLX counts them.

    Args:
        native: the optimizer.

    Raises:
        lrcore.ScheduleError: it is no optimizer, or its parts made different numbers of updates.

    Example:
        >>> import mlx.optimizers as optim
        >>> native_step(optim.Adam(optim.cosine_decay(0.5, 10)))
        0
    """
    return current_step(native)


def _exponential(init: float, decay_rate: float) -> lrcore.Schedule:
    return lrcore.Exponential(init_value=init, decay_rate=decay_rate)


def _step(init: float, decay_rate: float, step_size: int) -> lrcore.Schedule:
    return lrcore.Exponential(init_value=init, decay_rate=decay_rate, decay_steps=step_size, staircase=True)


def _cosine(init: float, decay_steps: float, end: float) -> lrcore.Schedule:
    if float(decay_steps).is_integer():
        return lrcore.Cosine(init_value=init, end_value=end, decay_steps=decay_steps)  # type: ignore[arg-type]
    return lrcore.Interpolate(boundaries=[0, decay_steps], values=[init, end], shape="cosine")


def _linear(init: float, end: float, steps: float) -> lrcore.Schedule:
    if float(steps).is_integer():
        return lrcore.Linear(init_value=init, end_value=end, decay_steps=steps)  # type: ignore[arg-type]
    return lrcore.Interpolate(boundaries=[0, steps], values=[init, end])


def _join(schedules: Sequence[Any], boundaries: Sequence[int]) -> lrcore.Schedule:
    """A later boundary overrides an earlier one that is not smaller."""
    parts: list[tuple[int, lrcore.Schedule]] = []
    for start, schedule in zip((0, *boundaries), schedules, strict=True):
        parts = [*(part for part in parts if part[0] < start), (start, _to_lrcore(schedule))]
    if parts[0][0] < 0:
        raise lrcore.ScheduleError(f"{WHERE}.boundaries", f"expected integers >= 0; got {parts[0][0]}")
    if len(parts) == 1:
        return parts[0][1]
    return lrcore.Join([schedule for _, schedule in parts], boundaries=[start for start, _ in parts[1:]])


def _to_lrcore(schedule: Any) -> lrcore.Schedule:
    return schedule.schedule if isinstance(schedule, TableSchedule) else adapting.as_schedule(schedule, where=WHERE)


_CONVERTERS: dict[Callable[..., Any], Callable[..., lrcore.Schedule]] = {
    optim.exponential_decay: _exponential,
    optim.step_decay: _step,
    optim.cosine_decay: _cosine,
    optim.linear_schedule: _linear,
    optim.join_schedules: _join,
}
