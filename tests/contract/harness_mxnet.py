"""MXNet: a `gluon.Trainer` calls the scheduler at every update."""

from __future__ import annotations

import mxnet as mx

import lrcore_mxnet
from tests.contract.harness import Loop, Loops, Trained, Training

DEVICE = mx.gpu() if mx.context.num_gpus() else mx.cpu()


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    return "gpu(0)" if mx.context.num_gpus() else ""


def train(asked: Training, trained: Trained) -> None:
    weight = mx.gluon.Parameter("weight", shape=(1,), init="zeros")
    weight.initialize(ctx=DEVICE)
    scheduler = lrcore_mxnet.LRScheduler(asked.schedule, on_mismatch=asked.on_mismatch)
    trainer = mx.gluon.Trainer([weight], "sgd", {"lr_scheduler": scheduler})
    if asked.state is not None:
        scheduler.load_state_dict(asked.state, trainer)
    try:
        for made in range(asked.updates):
            if made in asked.metrics:
                scheduler.report(asked.metrics[made])
            update = trainer.optimizer.num_update + 1
            if asked.with_reads:
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
    finally:
        trained.state = scheduler.state_dict(trainer)


LOOPS: Loops = {"scheduler": Loop(train)}
RESUMABLE = LOOPS
