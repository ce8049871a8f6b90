"""torchtune's own lr_schedulers.py, loaded without the package around it; the recipes' length is written again here."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import torch

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "torchtune 0.6.1"
COSINE = "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup"


def _native() -> Any:
    package = importlib.util.find_spec("torchtune")
    assert package is not None
    assert package.submodule_search_locations
    memory = ModuleType("torchtune.training.memory")
    memory.OptimizerInBackwardWrapper = object  # type: ignore[attr-defined]
    names = ("torchtune", "torchtune.training")
    sys.modules.update({**{name: ModuleType(name) for name in names}, "torchtune.training.memory": memory})
    path = Path(next(iter(package.submodule_search_locations))) / "training" / "lr_schedulers.py"
    spec = importlib.util.spec_from_file_location("lr_schedulers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NATIVE = _native()


def runs(random: Random) -> Iterator[Native]:
    """Random recipes."""
    while True:
        batches, accumulate, epochs = random.randint(300, 900), random.randint(1, 8), random.randint(1, 3)
        most = random.choice([None, 50, 10_000])
        total = epochs * min(most or 10_000, batches // accumulate)
        arguments = {
            "num_warmup_steps": random.choice([0, 1, 20, total // 2, total, total + 9]),
            **random.choice([{}, {"num_cycles": random.choice([0.5, 0.3, 2])}]),
        }
        source = {
            "optimizer": {"_component_": "torch.optim.AdamW", "lr": 3e-4},
            "lr_scheduler": {"_component_": COSINE, **arguments},
            "epochs": epochs,
            "max_steps_per_epoch": most,
            "gradient_accumulation_steps": accumulate,
        }
        given = Given("torchtune", source, run=Run(batches_per_epoch=batches))
        yield Native("get_cosine_schedule_with_warmup", given, _stepped(arguments, total))


def _stepped(arguments: dict[str, Any], total: int) -> list[float]:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=3e-4)
    scheduler = NATIVE.get_cosine_schedule_with_warmup(optimizer, num_training_steps=total, **arguments)
    values = []
    for _ in range(total):
        values.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return values
