"""Paddle: the scheduler is the optimizer's learning rate, and the loop steps it after every update."""

from __future__ import annotations

from typing import Any

import paddle

import lrcore_paddle
from lrcore.adapting import Policy
from tests.contract.harness import Loop, Source, Trained


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    device = str(paddle.device.get_device())
    return "" if device == "cpu" else device


def train(
    schedule: Source,
    updates: int,
    horizon: int | None = None,
    state: Any = None,
    *,
    with_reads: bool = False,
    on_mismatch: Policy = "error",
) -> Trained:
    weight = paddle.create_parameter([1], "float32", default_initializer=paddle.nn.initializer.Constant(0.0))
    scheduler = lrcore_paddle.LRScheduler(schedule, on_mismatch=on_mismatch)
    optimizer = paddle.optimizer.SGD(scheduler, parameters=[weight])
    if state is not None:
        scheduler.set_state_dict(state)
    trained = Trained()
    for _ in range(updates):
        if with_reads:
            scheduler()
            scheduler.get_lr()
            scheduler.state_dict()
            scheduler.sync()
        reported = optimizer.get_lr()
        weight.sum().backward()
        optimizer.step()
        trained.add(reported, weight.item())
        optimizer.clear_grad()
        weight.set_value(paddle.zeros([1]))
        scheduler.step()
    trained.state = scheduler.state_dict()
    return trained


LOOPS: dict[str, Loop] = {"scheduler": train}
RESUMABLE = LOOPS
