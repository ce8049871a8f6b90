"""What this adapter reads and sets in optimizers of MLX: steps, scheduled numbers, and the optimizers inside one."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import mlx.optimizers as optim

import lrcore

RATE = "learning_rate"


def inside(optimizer: Any, where: str) -> list[Any]:
    """The optimizers that a `MultiOptimizer` holds, of whatever depth; an optimizer itself is the only one.

    Raises:
        ScheduleError: it is no optimizer of MLX.
    """
    if isinstance(optimizer, optim.MultiOptimizer):
        return [one for part in optimizer.optimizers for one in inside(part, where)]
    if not isinstance(optimizer, optim.Optimizer):
        raise lrcore.ScheduleError(where, f"expected an optimizer of mlx.optimizers; got {optimizer!r}")
    return [optimizer]


def scheduled(optimizer: Any, name: str = RATE) -> Any:
    """The function that gives a number of the optimizer at each step; None where the number is fixed."""
    return optimizer._schedulers.get(name)  # noqa: SLF001 - MLX shows it nowhere else


def schedule(optimizer: Any, function: Any, name: str = RATE) -> None:
    """Let a function give a number of the optimizer, as its constructor does."""
    optimizer._maybe_schedule(name, function)  # noqa: SLF001 - meant for subclasses, and the only way after construction


def step_of(optimizer: Any) -> int:
    return int(optimizer.state["step"].item())


def go_to(optimizer: Any, step: int) -> None:
    """Set the step, and the numbers to those of the update before, as training leaves them."""
    optimizer.state["step"] = mx.array(step, mx.uint64)
    for name, function in optimizer._schedulers.items():  # noqa: SLF001
        optimizer.state[name] = function(mx.array(max(step - 1, 0), mx.uint64))
