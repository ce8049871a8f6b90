"""The program that each of the two gloo processes of `test_torch_distributed` runs.

The processes run all tests in turn, because starting them is slow.
"""

from __future__ import annotations

import os
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.device_mesh import init_device_mesh
from torch.nn.parallel import DistributedDataParallel

import lrcore
import lrcore_torch

PROCESSES = 2
SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=8).warmup(4)
OTHER = lrcore.Constant(0.125)


def run(rank: int, folder: str) -> None:
    """Join the process group, run every function in WORKS, and write a file with the error, if any, of each."""
    warnings.filterwarnings("error", module="lrcore_torch|torch.optim|tests")
    store = f"file://{folder}/store"
    dist.init_process_group("gloo", init_method=store, rank=rank, world_size=PROCESSES)
    for name, work in WORKS.items():
        try:
            work(Path(folder))
            result = ""
        except BaseException:  # noqa: BLE001 - the test reports it
            result = traceback.format_exc()
        Path(folder, f"{name} {rank}").write_text(result, encoding="utf-8")
    # A process that exits early breaks the other's connection, so wait for it. On a busy machine torch's threads may abort
    # the interpreter at a normal exit, so skip it: all results are in files.
    Path(folder, f"done {rank}").touch()
    while not all(Path(folder, f"done {other}").exists() for other in range(PROCESSES)):
        time.sleep(0.01)
    os._exit(0)


def linear() -> torch.nn.Linear:
    """A layer with two float64 weights of 0, whose gradients are 1 for an input of ones."""
    model = torch.nn.Linear(2, 1, bias=False, dtype=torch.float64)
    torch.nn.init.zeros_(model.weight)
    return model


def train(model: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler: Any, updates: int) -> None:
    for _ in range(updates):
        optimizer.zero_grad()
        model(torch.ones(1, 2, dtype=torch.float64)).sum().backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def check(weights: torch.Tensor, schedule: lrcore.Schedule, steps: range, before: float = 0.0) -> None:
    end = before
    for step in steps:
        end -= schedule(step)
    assert (weights - end).abs().max() < 1e-15, (weights, end)


def data_parallel(folder: Path) -> None:
    model = DistributedDataParallel(linear())
    optimizer = torch.optim.SGD(model.parameters())
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)
    train(model, optimizer, scheduler, 12)
    check(model.module.weight.detach(), SCHEDULE, range(12))
    states: list[Any] = [None] * PROCESSES
    dist.all_gather_object(states, scheduler.state_dict())
    assert states[0] == states[1] == lrcore.save_state(12, SCHEDULE)


def zero_redundancy(folder: Path) -> None:
    from torch.distributed.optim import ZeroRedundancyOptimizer  # the import warns about torch's own modules

    model = DistributedDataParallel(torch.nn.Sequential(linear(), torch.nn.Identity()))
    optimizer = ZeroRedundancyOptimizer(model.parameters(), optimizer_class=torch.optim.SGD, lr=0.1)
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE, also={"weight_decay": 0.0})
    train(model, optimizer, scheduler, 6)
    scheduler.attach()
    train(model, optimizer, None, 6)
    check(model.module[0].weight.detach(), SCHEDULE, range(12))


def sharded(folder: Path) -> None:
    """Train with FSDP2, and resume from a distributed checkpoint."""
    first = Sharded(SCHEDULE)
    first.train(6)
    first.save(folder / "checkpoint")
    resumed = Sharded(SCHEDULE)
    resumed.load(folder / "checkpoint")
    for one in (first, resumed):
        one.train(6)
        check(one.weights(), SCHEDULE, range(12))
    changed = Sharded(OTHER, on_mismatch="use_config")
    changed.load(folder / "checkpoint")
    before = changed.weights()[0, 0].item()
    changed.train(2)
    check(changed.weights(), OTHER, range(2), before)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        Sharded(OTHER).load(folder / "checkpoint")


class Sharded:
    """A model whose weights are sharded over both processes."""

    def __init__(self, schedule: lrcore.Schedule, **options: Any) -> None:
        self.model = linear()
        from torch.distributed.fsdp import fully_shard  # which torch has since 2.6

        fully_shard(self.model, mesh=init_device_mesh("cpu", (PROCESSES,)))
        self.optimizer = torch.optim.SGD(self.model.parameters())
        self.scheduler = lrcore_torch.LRScheduler(self.optimizer, schedule, **options)

    def train(self, updates: int) -> None:
        train(self.model, self.optimizer, self.scheduler, updates)

    def weights(self) -> torch.Tensor:
        weight: Any = self.model.weight
        return weight.detach().full_tensor()  # type: ignore[no-any-return]

    def save(self, path: Path) -> None:
        model, optimizer = get_state_dict(self.model, self.optimizer)
        save({"model": model, "optimizer": optimizer, "scheduler": self.scheduler}, checkpoint_id=path)

    def load(self, path: Path) -> None:
        model, optimizer = get_state_dict(self.model, self.optimizer)
        state = {"model": model, "optimizer": optimizer, "scheduler": self.scheduler}
        load(state, checkpoint_id=path)
        set_state_dict(self.model, self.optimizer, model_state_dict=model, optim_state_dict=optimizer)


WORKS = {"DDP": data_parallel, "ZeroRedundancyOptimizer": zero_redundancy, "FSDP2 and DCP": sharded}
