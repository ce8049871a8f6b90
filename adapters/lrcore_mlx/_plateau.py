"""A plateau: its scale is a part of the optimizer's state, so that a compiled update reads it."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

import lrcore
from lrcore import adapting
from lrcore_mlx._optimizers import inside, schedule, scheduled, step_of
from lrcore_mlx._schedule import TableSchedule

WHERE = "lrcore_mlx.reduce_on_plateau"
HOW_TO_REPORT = "call lrcore_mlx.report(optimizer, metric) after each evaluation"
SCALE = "plateau_scale"


class PlateauSchedule:
    """The rate of an optimizer that follows a plateau: the schedule at the step, times the scale in the optimizer's state.

    Attributes:
        follower: the plateau and its state.
    """

    def __init__(self, follower: adapting.Follower, optimizer: Any, horizon: int | None = None) -> None:
        self._rate = TableSchedule(follower.schedule.schedule, horizon)
        self._optimizer = optimizer
        self.follow(follower)

    def follow(self, follower: adapting.Follower) -> None:
        """Go on with this state of the plateau."""
        self.follower = follower
        self._optimizer.state[SCALE] = mx.array(follower.plateau_state.scale, mx.float32)  # type: ignore[union-attr]

    def __call__(self, step: Any) -> mx.array:
        return self._rate(step) * self._optimizer.state[SCALE]


def reduce_on_plateau(optimizer: Any, plateau: adapting.Source | lrcore.Plateau) -> None:
    """Let an optimizer follow a plateau; `report` then tells it a metric, and a reduction holds from the next update on.

    The scale of the plateau is `optimizer.state["plateau_scale"]`: an update that is compiled with the optimizer's state
    among its inputs reads it. Call this before the update is compiled.

    Args:
        optimizer: an optimizer of MLX, whose rate the plateau's schedule replaces; of a `MultiOptimizer` one of its parts.
        plateau: a plateau; or the path, the text or the dict of one.

    Raises:
        ScheduleError: it is no plateau, or no single optimizer.

    Example:
        >>> import lrcore, mlx.core as mx, mlx.optimizers as optim
        >>> optimizer = optim.SGD(0.5)
        >>> reduce_on_plateau(optimizer, lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=0))
        >>> for metric in [0.7, 0.7]:
        ...     report(optimizer, metric)
        >>> optimizer.apply_gradients({"w": mx.array(1.0)}, {"w": mx.array(0.0)})["w"].item()
        -0.25
    """
    follower = adapting.Follower.of(plateau, WHERE)
    if follower.plateau is None:
        raise lrcore.ScheduleError(WHERE, f"expected a lrcore.Plateau; got {follower.schedule!r}")
    if len(inside(optimizer, WHERE)) != 1:
        raise lrcore.ScheduleError(WHERE, "expected one optimizer; got a MultiOptimizer; give one of its optimizers")
    [optimizer] = inside(optimizer, WHERE)
    schedule(optimizer, PlateauSchedule(follower.counting_from(step_of(optimizer)), optimizer))


def report(optimizer: Any, metric: Any) -> None:
    """Tell the plateau of an optimizer a metric; a reduction holds from the next update on.

    Args:
        optimizer: an optimizer that `reduce_on_plateau` was given.
        metric: one number.

    Raises:
        ScheduleError: the optimizer follows no plateau, or the metric is not one number.

    Example:
        >>> import lrcore, mlx.optimizers as optim
        >>> optimizer = optim.SGD(0.5)
        >>> reduce_on_plateau(optimizer, lrcore.Plateau(lrcore.Constant(0.5), factor=0.1, patience=0))
        >>> report(optimizer, 0.7)
    """
    where = "lrcore_mlx"
    found = [rate for one in inside(optimizer, where) if isinstance(rate := scheduled(one), PlateauSchedule)]
    if not found:
        raise lrcore.ScheduleError(
            f"{where}.report", "expected an optimizer with a plateau; got none; call lrcore_mlx.reduce_on_plateau first"
        )
    for rate in found:
        rate.follow(rate.follower.told(metric, where))


def remind(optimizer: Any, rate: PlateauSchedule, where: str) -> None:
    """Warn once, if the plateau was told no metric in many updates."""
    rate.follower = rate.follower.remind(step_of(optimizer), where, HOW_TO_REPORT)
