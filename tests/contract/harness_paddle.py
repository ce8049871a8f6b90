"""Paddle: the scheduler is the optimizer's learning rate, and the loop steps it after every update."""

from __future__ import annotations

import paddle

import lrcore_paddle
from tests.contract.harness import Loop, Loops, Trained, Training


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    device = str(paddle.device.get_device())
    return "" if device == "cpu" else device


def train(asked: Training, trained: Trained) -> None:
    weight = paddle.create_parameter([1], "float32", default_initializer=paddle.nn.initializer.Constant(0.0))
    scheduler = lrcore_paddle.LRScheduler(asked.schedule, on_mismatch=asked.on_mismatch)
    optimizer = paddle.optimizer.SGD(scheduler, parameters=[weight])
    if asked.state is not None:
        scheduler.load_state_dict(asked.state)
    try:
        for made in range(asked.updates):
            if made in asked.metrics:
                scheduler.report(asked.metrics[made])
            if asked.with_reads:
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
    finally:
        trained.state = scheduler.state_dict()


LOOPS: Loops = {"scheduler": Loop(train)}
RESUMABLE = LOOPS
