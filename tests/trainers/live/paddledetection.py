"""PaddleDetection's LearningRate, stepped after each update."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "paddledet 2.6.0"


def runs(random: Random) -> Iterator[Native]:
    module = _module()
    while True:
        for decay in (_cosine, _piecewise):
            epoch, warmup, first = random.randint(1, 9), _warmup(random), decay(random)
            schedulers = [first] if not first["use_warmup"] else [first, warmup]
            native, values = module.LearningRate(0.1, [dict(one) for one in schedulers])(epoch), []
            for _ in range(12 * epoch):
                values.append(float(native.last_lr))
                native.step()
            source = {"LearningRate": {"base_lr": 0.1, "schedulers": schedulers}}
            kind = "+".join(one["name"] for one in schedulers)
            yield Native(kind, Given("paddledetection", source, Run(batches_per_epoch=epoch)), values)


def _warmup(random: Random) -> dict[str, Any]:
    own = random.choice([{"steps": 0}, {"steps": 7}, {"epochs": 2, "steps": 3}, {"steps": 60}, {}])
    if random.random() < 0.5:
        return {"name": "ExpWarmup", "power": random.choice([1, 2, 3]), **own}
    return {"name": "LinearWarmup", "start_factor": random.choice([0.0, 1 / 3, 0.9]), **own}


def _cosine(random: Random) -> dict[str, Any]:
    return {
        "name": "CosineDecay",
        "max_epochs": random.choice([3, 10, 36]),
        "use_warmup": random.random() < 0.6,
        "min_lr_ratio": random.choice([0.0, 0.1]),
        "last_plateau_epochs": random.choice([0, 0, 1, 2]),
    }


def _piecewise(random: Random) -> dict[str, Any]:
    own = {"name": "PiecewiseDecay", "use_warmup": random.random() < 0.6}
    steps: dict[str, Any] = random.choice(
        [{"milestones": [8, 11]}, {"milestones": [1, 3], "gamma": [0.5, 0.2]}, {"milestones": [2, 4, 6]}]
    )
    if len(steps["milestones"]) == 3:
        steps["gamma"] = random.choice([0.1, 0.5])
    return {**own, **steps}


def _module() -> Any:
    folder = unpacked("paddledet==2.6.0") / "ppdet"
    same: Any = lambda found: found  # noqa: E731 - a decorator that does nothing
    for name in ("ppdet", "ppdet.core", "ppdet.utils", "ppdet.optimizer"):
        stub(name)
    stub("ppdet.core.workspace", register=same, serializable=same)
    stub("ppdet.optimizer.adamw", AdamWDL=None, build_adamwdl=None)
    stub("ppdet.utils.logger", setup_logger=logging.getLogger)
    return loaded(folder / "optimizer" / "optimizer.py", "ppdet.optimizer.optimizer")
