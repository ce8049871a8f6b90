"""DeepSpeed's own lr_schedules.py, loaded without the package around it, which would build its operators."""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any

import torch

from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "DeepSpeed 0.19.8"
LR = 3e-4


def _lr_schedules() -> ModuleType:
    package = importlib.util.find_spec("deepspeed")
    assert package is not None
    assert package.submodule_search_locations
    utils = ModuleType("deepspeed.utils")
    utils.logger = logging.getLogger("deepspeed")  # type: ignore[attr-defined]
    utils.logger.setLevel(logging.ERROR)
    sys.modules.update({"deepspeed": ModuleType("deepspeed"), "deepspeed.utils": utils})
    path = Path(package.submodule_search_locations[0]) / "runtime" / "lr_schedules.py"
    spec = importlib.util.spec_from_file_location("lr_schedules", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NATIVE = _lr_schedules()


def _warmup(random: Random) -> dict[str, Any]:
    return {
        "warmup_num_steps": random.choice([1, 2, 3, random.randint(4, 150)]),
        **random.choice([{}, {"warmup_type": "linear"}, {"warmup_type": "log"}, {"warmup_type": "cubic"}]),
    }


def _decay(random: Random) -> dict[str, Any]:
    return {"total_num_steps": random.choice([50, 160, 250]), **_warmup(random)}


def _rates(random: Random) -> dict[str, Any]:
    return {"warmup_min_lr": random.choice([0, 1e-5, [1e-6]]), **random.choice([{}, {"warmup_max_lr": 1e-3}])}


def _one_cycle(random: Random) -> dict[str, Any]:
    params = {
        "cycle_min_lr": 1e-4,
        "cycle_max_lr": random.choice([1e-3, 1e-4, 0.02]),
        "cycle_first_step_size": random.choice([1, 30, 64, random.randint(5, 100)]),
        "cycle_second_step_size": random.choice([None, 0, 70, random.randint(1, 100)]),
        "cycle_first_stair_count": random.choice([0, -1, 4, 7, 200]),
        "cycle_second_stair_count": random.choice([None, 0, 5, 10]),
        "decay_step_size": random.choice([0, 10, 2.5]),
        "decay_lr_rate": random.choice([0.0, 0.5]),
        "decay_mom_rate": random.choice([0.0, 0.01]),
    }
    return {name: value for name, value in params.items() if value is not None}


def _range_test(random: Random) -> dict[str, Any]:
    return {
        "lr_range_test_min_lr": 1e-4,
        "lr_range_test_step_size": random.choice([1, 10, 37]),
        "lr_range_test_step_rate": random.choice([0.5, 5.0]),
        "lr_range_test_staircase": random.random() < 0.5,
    }


KINDS = {
    "WarmupLR": lambda random: {**_warmup(random), **_rates(random)},
    "WarmupDecayLR": lambda random: {**_decay(random), **_rates(random)},
    "WarmupCosineLR": lambda random: {
        **_decay(random),
        **random.choice([{}, {"warmup_min_ratio": 0.1, "cos_min_ratio": random.choice([0, 0.05])}]),
    },
    "OneCycle": _one_cycle,
    "LRRangeTest": _range_test,
}


def runs(random: Random) -> Iterator[Native]:
    """Random parameters of each class; of OneCycle the momentum too."""
    while True:
        for kind, make in KINDS.items():
            params = make(random)
            source = {"scheduler": {"type": kind, "params": params}}
            given = Given("deepspeed", source, facts={"lr": LR})
            rates, momentums = _stepped(kind, params)
            yield Native(kind, given, rates)
            if kind == "OneCycle":
                yield Native("OneCycle momentum", given._replace(part="momentum"), momentums)


def _stepped(kind: str, params: dict[str, Any]) -> tuple[list[float], list[float]]:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=LR)
    scheduler = getattr(NATIVE, kind)(optimizer, **params)
    rates, momentums = [], []
    for _ in range(300):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        momentums.append(float(optimizer.param_groups[0]["betas"][0]))
        scheduler.step()
    return rates, momentums
