"""torchtitan's schedulers, made by its Config.build and stepped after each update, as its trainer steps them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random
from typing import Any

import torch

from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "torchtitan 0.3.0"


class _Configurable:
    class Config:
        pass


def runs(random: Random) -> Iterator[Native]:
    config = _config()
    while True:
        for kind in ("linear", "sqrt", "cosine"):
            steps, lr = random.randint(2, 400), random.choice([8e-4, 0.1])
            options = {
                "warmup_steps": random.choice([0, 1, steps // 10, steps // 2, steps, 2 * steps]),
                "total_steps": random.choice([None, None, 2 * steps, steps + 1]),
                "decay_ratio": random.choice([None, None, 0.0, 0.1, 0.35, 0.8, 1.0]),
                "decay_type": kind,
                "min_lr_factor": random.choice([0.0, 0.1, 1.0]),
            }
            optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr)
            built = config(**options).build(optimizers=[optimizer], training_steps=steps)
            values = list(_stepped(optimizer, built, steps))
            tables = {"optimizer": {"lr": lr}, "training": {"steps": steps}}
            yield Native(kind, Given("torchtitan", {"lr_scheduler": options, **tables}), values)


def _stepped(optimizer: Any, built: Any, steps: int) -> Iterator[float]:
    for _ in range(steps):
        yield optimizer.param_groups[0]["lr"]
        built.step()


def _config() -> Any:
    folder = unpacked("torchtitan==0.3.0") / "torchtitan" / "components" / "optimizer"
    stub("torchtitan.config", Configurable=_Configurable)
    stub("torchtitan")
    stub("torchtitan.tools")
    stub("torchtitan.tools.logging", logger=logging.getLogger("torchtitan"))
    stub("torchtitan.components")
    stub("torchtitan.components.optimizer")
    stub("torchtitan.components.optimizer.optimizer", OptimizersContainer=object)
    name = "torchtitan.components.optimizer.lr_scheduler"
    logging.disable(logging.WARNING)
    return loaded(folder / "lr_scheduler.py", name).LRSchedulersContainer.Config
