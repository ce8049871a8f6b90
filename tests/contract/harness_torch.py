"""PyTorch: the loop steps the scheduler after every update."""

from __future__ import annotations

import torch

import lrcore_torch
from tests.contract.harness import Loop, Loops, Trained, Training

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else ""


def train(asked: Training, trained: Trained) -> None:
    weight = torch.zeros(1, device=DEVICE, requires_grad=True)
    optimizer = torch.optim.SGD([weight])
    scheduler = lrcore_torch.LRScheduler(optimizer, asked.schedule, on_mismatch=asked.on_mismatch)
    if asked.state is not None:
        scheduler.load_state_dict(asked.state)
    try:
        for made in range(asked.updates):
            if made in asked.metrics:
                scheduler.report(asked.metrics[made])
            if asked.with_reads:
                scheduler.get_lr()
                scheduler.get_last_lr()
                scheduler.state_dict()
                scheduler.sync()
            reported = scheduler.get_last_lr()[0]
            weight.grad = torch.ones_like(weight)
            optimizer.step()
            trained.add(reported, weight.item())
            weight.data.zero_()
            scheduler.step()
    finally:
        trained.state = scheduler.state_dict()


LOOPS: Loops = {"scheduler": Loop(train)}
RESUMABLE = LOOPS
