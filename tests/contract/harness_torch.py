"""PyTorch: the loop steps the scheduler after every update."""

from __future__ import annotations

from typing import Any

import torch

import lrcore_torch
from lrcore.adapting import Policy
from tests.contract.harness import Loop, Source, Trained

DEVICE = torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else ""


def train(
    schedule: Source,
    updates: int,
    horizon: int | None = None,
    state: Any = None,
    *,
    with_reads: bool = False,
    on_mismatch: Policy = "error",
) -> Trained:
    weight = torch.zeros(1, device=DEVICE, requires_grad=True)
    optimizer = torch.optim.SGD([weight])
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule, on_mismatch=on_mismatch)
    if state is not None:
        scheduler.load_state_dict(state)
    trained = Trained()
    for _ in range(updates):
        if with_reads:
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
    trained.state = scheduler.state_dict()
    return trained


LOOPS: dict[str, Loop] = {"scheduler": train}
RESUMABLE = LOOPS
