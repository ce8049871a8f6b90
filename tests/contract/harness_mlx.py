"""MLX: the schedule in the optimizer, in an eager update and in one that `mx.compile` makes."""

from __future__ import annotations

from functools import partial
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim

import lrcore
import lrcore_mlx
from tests.contract.harness import Loop, Loops, Trained, Training


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    return "" if mx.default_device().type == mx.DeviceType.cpu else str(mx.default_device())


def optimizer_with(given: Any, horizon: int | None) -> Any:
    if not isinstance(given, lrcore.Plateau):
        return optim.SGD(lrcore_mlx.as_schedule(given, horizon))
    optimizer = optim.SGD(0.0)
    lrcore_mlx.reduce_on_plateau(optimizer, given)
    return optimizer


def train(asked: Training, trained: Trained, *, compiled: bool) -> None:
    optimizer = optimizer_with(asked.schedule, asked.horizon)
    if asked.state is not None:
        lrcore_mlx.load_state_dict(optimizer, asked.state, asked.on_mismatch)
    optimizer.init({"weight": mx.array(0.0)})

    def update() -> mx.array:
        return optimizer.apply_gradients({"weight": mx.array(1.0)}, {"weight": mx.array(0.0)})["weight"]

    if compiled:
        update = partial(mx.compile, inputs=optimizer.state, outputs=optimizer.state)(update)
    for made in range(asked.updates):
        if made in asked.metrics:
            lrcore_mlx.report(optimizer, asked.metrics[made])
        if asked.with_reads:
            lrcore_mlx.as_schedule(asked.schedule)(7)
            lrcore_mlx.state_dict(optimizer)
            lrcore_mlx.current_lr(optimizer)
        weight = update()
        trained.add(lrcore_mlx.current_lr(optimizer), weight.item())
    trained.state = lrcore_mlx.state_dict(optimizer)


LOOPS: Loops = {
    "eager": Loop(partial(train, compiled=False)),
    "compiled": Loop(partial(train, compiled=True)),
}
RESUMABLE = LOOPS
