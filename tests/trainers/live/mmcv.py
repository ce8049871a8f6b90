"""mmcv's own hooks, called as its runner calls them: before each epoch and before each batch."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

from lrcore import Run
from tests.trainers.live.alone import without_top
from tests.trainers.live.native import Native
from tests.trainers.records import Given

sys.modules["cv2"] = ModuleType("cv2")
for package in ("mmcv", "mmcv.runner", "mmcv.runner.hooks"):  # which import OpenCV, and what torch no longer has
    without_top(package)
from mmcv.utils.misc import is_list_of  # noqa: E402

sys.modules["mmcv"].is_list_of = is_list_of  # type: ignore[attr-defined]
from mmcv.runner.hooks import lr_updater  # noqa: E402

VERSION = "mmcv 1.7.2"
POLICIES = (
    "fixed",
    "step",
    "exp",
    "poly",
    "inv",
    "CosineAnnealing",
    "FlatCosineAnnealing",
    "CosineRestart",
    "Cyclic",
    "OneCycle",
    "LinearAnnealing",
)


def runs(random: Random) -> Iterator[Native]:
    for policy in itertools.cycle(POLICIES):
        epochs, length, lr = random.choice([3, 8, 13]), random.choice([1, 4, 11]), random.choice([0.1, 2e-4])
        config = _policy(random, policy, epochs, length)
        source = {"lr_config": {"policy": policy, **config}, "optimizer": {"lr": lr}, "runner": {"max_epochs": epochs}}
        kind = f"{policy} with a warmup" if "warmup" in config else policy
        values = _rates(policy, config, lr, epochs, length)
        yield Native(kind, Given("mmcv", source, Run(batches_per_epoch=length)), values)


def _policy(random: Random, policy: str, epochs: int, length: int) -> dict[str, Any]:
    by_epoch = policy not in ("Cyclic", "OneCycle") and random.random() < 0.6
    whole = epochs if by_epoch else epochs * length
    made: dict[str, Any] = {"by_epoch": by_epoch}
    if random.random() < 0.5:
        made["warmup"] = random.choice(["constant", "linear", "exp"])
        made["warmup_iters"] = random.randint(1, epochs)
        made["warmup_ratio"], made["warmup_by_epoch"] = random.choice([0.1, 1e-3, 1.0]), random.random() < 0.5
    floor = random.choice([{"min_lr": 1e-5}, {"min_lr_ratio": 0.01}, {"min_lr": 0.0}])
    policies: dict[str, dict[str, Any]] = {
        "fixed": {},
        "step": {
            "step": random.choice([random.randint(1, whole), sorted(random.randint(1, whole) for _ in range(3))]),
            "gamma": random.choice([0.1, 0.7]),
            "min_lr": random.choice([None, 1e-4]),
        },
        "exp": {"gamma": random.choice([0.9, 0.99])},
        "poly": {"power": random.choice([0.9, 1.0, 2.0]), "min_lr": random.choice([0.0, 1e-4])},
        "inv": {"gamma": random.choice([0.01, 1.0]), "power": random.choice([0.75, 1.0])},
        "CosineAnnealing": floor,
        "LinearAnnealing": floor,
        "FlatCosineAnnealing": {**floor, "start_percent": random.choice([0.0, 0.5, 0.72])},
        "CosineRestart": {**floor, "periods": [whole // 3 or 1, whole], "restart_weights": [1.0, 0.4]},
        "Cyclic": {
            "target_ratio": random.choice([(10, 1e-4), (0.85 / 0.95, 1)]),
            "cyclic_times": random.randint(1, 3),
            "step_ratio_up": random.choice([0.0, 0.4]),
            "anneal_strategy": random.choice(["cos", "linear"]),
            "gamma": random.choice([1, 0.8]),
        },
        "OneCycle": {
            "max_lr": random.choice([0.3, 0.01]),
            "total_steps": whole + random.randint(0, 5) if whole > 4 else whole + 5,
            "pct_start": random.choice([0.05, 0.3, 0.5]),
            "anneal_strategy": random.choice(["cos", "linear"]),
            "three_phase": random.random() < 0.3,
        },
    }
    return made | policies[policy]


def _rates(policy: str, config: dict[str, Any], lr: float, epochs: int, length: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    loader = range(length)
    runner = SimpleNamespace(optimizer=optimizer, epoch=0, iter=0, max_epochs=epochs, max_iters=epochs * length)
    runner.data_loader = loader
    name = f"{policy.title() if policy == policy.lower() else policy}LrUpdaterHook"
    hook = getattr(lr_updater, name)(**config)
    hook.before_run(runner)
    values = []
    for runner.epoch in range(epochs):
        hook.before_train_epoch(runner)
        for _ in loader:
            hook.before_train_iter(runner)
            values.append(optimizer.param_groups[0]["lr"])
            runner.iter += 1
    return values
