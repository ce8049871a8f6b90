"""mmengine's own schedulers, built with the runner's defaults and stepped as its hook does: after each batch, after each epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

import mmengine.optim.scheduler  # noqa: F401
import torch
from mmengine.registry import PARAM_SCHEDULERS

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "mmengine 0.10.7"
CLASSES = (
    "Linear",
    "Constant",
    "MultiStep",
    "Step",
    "Exponential",
    "CosineAnnealing",
    "Poly",
    "CosineRestart",
    "OneCycle",
)


def runs(random: Random) -> Iterator[Native]:
    for kind in itertools.cycle([*CLASSES, "warmup, then", "at once", "warmup, then", "three"]):
        epochs, length = random.choice([4, 7, 12]), random.choice([1, 3, 10])
        schedulers = _list(random, kind, epochs, length)
        lr = random.choice([0.1, 2e-4])
        config = {"param_scheduler": schedulers, "train_cfg": {"max_epochs": epochs}}
        values = _rates(schedulers, lr, epochs, length)
        if values is not None:
            yield Native(
                f"{kind}LR" if kind in CLASSES else kind,
                Given("mmengine", config, Run(batches_per_epoch=length), {"lr": lr}),
                values,
            )


def _list(random: Random, kind: str, epochs: int, length: int) -> list[dict[str, Any]]:
    if kind in CLASSES:
        return [_scheduler(random, kind, epochs, length)]
    if kind == "warmup, then":
        steps = random.randint(1, epochs * length - 1)
        warmup = {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": steps}
        return [warmup, _scheduler(random, random.choice(CLASSES), epochs, length)]
    kinds = [random.choice(CLASSES) for _ in range(2 if kind == "at once" else 3)]
    return [_scheduler(random, one, epochs, length) for one in kinds]


def _scheduler(random: Random, kind: str, epochs: int, length: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": f"{kind}LR"}
    made["by_epoch"] = by_epoch = random.random() < 0.6
    if by_epoch and random.random() < 0.4:
        made["convert_to_iter_based"] = True
    whole = epochs if by_epoch else epochs * length
    if random.random() < 0.5:
        made["begin"] = random.randint(0, whole - 1)
        if random.random() < 0.6:
            made["end"] = random.randint(made["begin"] + 1, whole + 2)
    steps = made.get("end", whole) - made.get("begin", 0)
    if kind == "OneCycle" and steps < 4:  # its own rounding is seen beside the small rates of a few steps
        return _scheduler(random, "Poly", epochs, length)
    return made | _OPTIONS[kind](random, steps)


def _floor(random: Random) -> dict[str, Any]:
    return random.choice([{}, {"eta_min": 0.0}, {"eta_min": 1e-5}, {"eta_min_ratio": 0.05}])


def _periods(random: Random, steps: int) -> dict[str, Any]:
    periods = [random.randint(1, max(steps // 2, 1)) for _ in range(random.choice([1, 2, 3]))]
    weights = [random.choice([1.0, 0.5, 0.3]) for _ in periods]
    return {"periods": periods, "restart_weights": weights, **(_floor(random) or {"eta_min": 1e-6})}


_OPTIONS: dict[str, Any] = {
    "Linear": lambda random, _: {
        "start_factor": random.choice([1e-3, 0.5, 1.0]),
        "end_factor": random.choice([1.0, 0.2]),
    },
    "Constant": lambda random, _: {"factor": random.choice([1 / 3, 0.1])},
    "MultiStep": lambda random, steps: {
        "milestones": sorted(random.randint(0, steps + 2) for _ in range(random.choice([1, 2, 4]))),
        "gamma": random.choice([0.1, 0.5, 1.5]),
    },
    "Step": lambda random, steps: {"step_size": random.randint(1, steps + 1), "gamma": random.choice([0.1, 0.9])},
    "Exponential": lambda random, _: {"gamma": random.choice([0.9, 0.99])},
    "CosineAnnealing": lambda random, steps: {
        **_floor(random),
        **random.choice([{}, {}, {"T_max": random.randint(1, steps + 3)}]),
    },
    "Poly": lambda random, _: {"eta_min": random.choice([0.0, 1e-4]), "power": random.choice([1.0, 0.9, 2.0])},
    "CosineRestart": _periods,
    "OneCycle": lambda random, _: {
        "eta_max": random.choice([0.5, 0.01]),
        "pct_start": random.choice([0.05, 0.3, 0.7]),
        "anneal_strategy": random.choice(["cos", "linear"]),
        "three_phase": random.random() < 0.3,
    },
}


def _rates(schedulers: list[dict[str, Any]], lr: float, epochs: int, length: int) -> list[float] | None:
    """The rate of each update; None where mmengine itself divides by zero."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    built, values = [], []
    try:
        for one in schedulers:
            config = {"end": epochs if one["by_epoch"] else epochs * length, **one}
            built.append(PARAM_SCHEDULERS.build(config, default_args={"optimizer": optimizer, "epoch_length": length}))
        for _ in range(epochs):
            for _ in range(length):
                values.append(optimizer.param_groups[0]["lr"])
                _step(one for one in built if not one.by_epoch)
            _step(one for one in built if one.by_epoch)
    except (ZeroDivisionError, ValueError):
        return None
    return values


def _step(schedulers: Any) -> None:
    for one in schedulers:
        one.step()
