"""fvcore's own schedulers; how detectron2's build_lr_scheduler puts them together is said again, for pip does not have it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any

from fvcore.common import param_scheduler as fvcore

from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "fvcore 0.1.5.post20221221, put together as in detectron2 02b5c4e2"
KINDS = ("WarmupMultiStepLR", "WarmupCosineLR", "WarmupStepWithFixedGammaLR")
SHOWN = 3_000


def runs(random: Random) -> Iterator[Native]:
    for kind in itertools.cycle(KINDS):
        length = random.choice([10, 90, 777, 2000])
        solver: dict[str, Any] = {
            "LR_SCHEDULER_NAME": kind,
            "MAX_ITER": length,
            "BASE_LR": random.choice([0.02, 1e-4]),
            "BASE_LR_END": random.choice([0.0, 1e-5]),
            "GAMMA": random.choice([0.1, 0.5]),
            "STEPS": [*sorted(random.sample(range(1, length), random.choice([0, 1, 3]))), length + 5],
            "NUM_DECAYS": random.choice([1, 3, 6]),
            "WARMUP_FACTOR": random.choice([0.001, 0.0, 1 / 3]),
            "WARMUP_ITERS": random.choice([0, 1, length // 3, length - 1]),
            "WARMUP_METHOD": random.choice(["linear", "constant"]),
            "RESCALE_INTERVAL": random.random() < 0.4,
        }
        factor = _multiplier(solver)
        values = [solver["BASE_LR"] * factor(update / length) for update in range(length)]
        yield Native(kind, Given("detectron2", {"SOLVER": solver}), values)


def _multiplier(solver: dict[str, Any]) -> Any:
    steps = [one for one in solver["STEPS"] if one <= solver["MAX_ITER"]]
    if solver["LR_SCHEDULER_NAME"] == "WarmupMultiStepLR":
        values = [solver["GAMMA"] ** number for number in range(len(steps) + 1)]
        inner = fvcore.MultiStepParamScheduler(values, milestones=steps, num_updates=solver["MAX_ITER"])
    elif solver["LR_SCHEDULER_NAME"] == "WarmupCosineLR":
        inner = fvcore.CosineParamScheduler(1, solver["BASE_LR_END"] / solver["BASE_LR"])
    else:
        inner = fvcore.StepWithFixedGammaParamScheduler(1.0, solver["NUM_DECAYS"], solver["GAMMA"], solver["MAX_ITER"])
    length = min(solver["WARMUP_ITERS"] / solver["MAX_ITER"], 1.0)
    top = inner(0.0) if solver["RESCALE_INTERVAL"] else inner(length)
    first = solver["WARMUP_FACTOR"] * inner(0.0)
    linear = solver["WARMUP_METHOD"] == "linear"
    warmup = fvcore.LinearParamScheduler(first, top) if linear else fvcore.ConstantParamScheduler(first)
    scaling = ["rescaled", "rescaled" if solver["RESCALE_INTERVAL"] else "fixed"]
    return fvcore.CompositeParamScheduler([warmup, inner], [length, 1 - length], scaling)
