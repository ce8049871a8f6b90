"""MXNet: a `gluon.Trainer` calls the scheduler at every update."""

from __future__ import annotations

from typing import Any

import mxnet as mx

import lrcore_mxnet
from lrcore.adapting import Policy
from tests.contract.harness import Loop, Source, Trained

DEVICE = mx.gpu() if mx.context.num_gpus() else mx.cpu()


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    return "gpu(0)" if mx.context.num_gpus() else ""


def train(
    schedule: Source,
    updates: int,
    horizon: int | None = None,
    state: Any = None,
    *,
    with_reads: bool = False,
    on_mismatch: Policy = "error",
) -> Trained:
    weight = mx.gluon.Parameter("weight", shape=(1,), init="zeros")
    weight.initialize(ctx=DEVICE)
    scheduler = lrcore_mxnet.LRScheduler(schedule, on_mismatch=on_mismatch)
    trainer = mx.gluon.Trainer([weight], "sgd", {"lr_scheduler": scheduler})
    if state is not None:
        scheduler.load_state_dict(state, trainer)
    trained = Trained()
    for _ in range(updates):
        update = trainer.optimizer.num_update + 1
        if with_reads:
            scheduler(update + 7)
            scheduler(1)
            float(scheduler.base_lr)
            scheduler.state_dict(trainer)
            float(trainer.learning_rate)
        reported = scheduler(update)
        with mx.autograd.record():
            loss = weight.data().sum()
        loss.backward()
        trainer.step(1)
        trained.add(reported, weight.data().asscalar())
        weight.set_data(mx.nd.zeros(1))
    trained.state = scheduler.state_dict(trainer)
    return trained


LOOPS: dict[str, Loop] = {"scheduler": train}
RESUMABLE = LOOPS
