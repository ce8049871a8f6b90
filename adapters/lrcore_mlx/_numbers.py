"""Schedules of other numbers than the rate, such as weight decay."""

from __future__ import annotations

from typing import Any

import lrcore
from lrcore import adapting
from lrcore_mlx._optimizers import RATE, inside, schedule
from lrcore_mlx._schedule import as_schedule

WHERE = "lrcore_mlx.schedule_also"


def schedule_also(optimizer: Any, **schedules: adapting.Source) -> None:
    """Let schedules give other numbers of an optimizer at each update, by its own step.

    MLX schedules the rate alone; its optimizers read the other numbers as attributes. From here on each number is an array
    in `optimizer.state`, which an update that is compiled with that state among its inputs reads, in the type of the
    gradient. A number that MLX compares in Python, such as SGD's momentum and weight_decay, can be scheduled in eager
    training alone: MLX refuses to compile the comparison.

    Args:
        optimizer: an optimizer of MLX; of a `MultiOptimizer` one of its parts.
        **schedules: for each number a schedule, or what `as_schedule` takes: `weight_decay=schedule`.

    Raises:
        ScheduleError: the optimizer has no such number, or it is the rate.

    Example:
        >>> import lrcore, mlx.core as mx, mlx.optimizers as optim
        >>> optimizer = optim.AdamW(0.5, weight_decay=0.0)
        >>> schedule_also(optimizer, weight_decay=lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=2))
        >>> weight, used = {"w": mx.array(1.0)}, []
        >>> for _ in range(3):
        ...     weight = optimizer.apply_gradients({"w": mx.array(0.0)}, weight)
        ...     used.append(weight["w"].item())
        >>> used
        [0.75, 0.65625, 0.65625]
    """
    parts = inside(optimizer, WHERE)
    if len(parts) != 1:
        raise lrcore.ScheduleError(WHERE, "expected one optimizer; got a MultiOptimizer; give one of its optimizers")
    for name in schedules:
        if name == RATE:
            raise lrcore.ScheduleError(
                f"{WHERE}.{name}", "expected another number; build the optimizer with as_schedule"
            )
        if isinstance(getattr(parts[0], name, None), bool) or not isinstance(
            getattr(parts[0], name, None), (int, float)
        ):
            known = ", ".join(name for name, value in vars(parts[0]).items() if type(value) in (int, float))
            raise lrcore.ScheduleError(
                f"{WHERE}.{name}", f"expected a number of {type(optimizer).__name__}: {known or 'it has none'}"
            )
    rates = {name: as_schedule(source) for name, source in schedules.items()}
    for name, rate in rates.items():
        schedule(parts[0], rate, name)
    parts[0].__class__ = _scheduling(type(parts[0]), tuple(rates))


def _scheduling(optimizer: type, names: tuple[str, ...]) -> type:
    """The class of optimizer whose numbers come from its state, each in the type of the gradient."""

    class Scheduling(optimizer):  # type: ignore[misc]
        def apply_single(self, gradient: Any, parameter: Any, state: Any) -> Any:
            fixed = {name: getattr(self, name) for name in names}
            for name in names:
                setattr(self, name, self.state[name].astype(gradient.dtype))
            try:
                return super().apply_single(gradient, parameter, state)
            finally:  # an array that is being traced must not stay in the optimizer
                for name, value in fixed.items():
                    setattr(self, name, value)

    Scheduling.__name__, Scheduling.__qualname__ = optimizer.__name__, optimizer.__qualname__
    return Scheduling
