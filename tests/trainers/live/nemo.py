"""NeMo's schedulers, made by its own prepare_lr_scheduler and stepped after each update, as Lightning steps them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from random import Random
from typing import Any

import torch

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "nemo-toolkit 3.0.0"


def runs(random: Random) -> Iterator[Native]:
    warnings.simplefilter("ignore")
    module = _module()
    names = [name for name in module.AVAILABLE_SCHEDULERS if name != "ReduceLROnPlateau"]
    while True:
        for name in names:
            total, epoch = random.randint(10, 300), random.randint(3, 30)
            sched = {"name": name, "max_steps": total, **_options(name, random, total)}
            lr = random.choice([0.01, 5.0, 1e-3])
            optimizer = torch.optim.SGD([torch.zeros(1)], lr=lr, momentum=0.9)
            try:
                made = module.prepare_lr_scheduler(optimizer, sched)
                values = list(_stepped(optimizer, made, int(total * 1.4), epoch))
            except (ValueError, AssertionError, ZeroDivisionError):  # NeMo refuses it
                continue
            yield Native(
                name, Given("nemo", {"optim": {"lr": lr, "sched": sched}}, Run(updates_per_epoch=epoch)), values
            )


def _stepped(optimizer: Any, made: dict[str, Any], updates: int, epoch: int) -> Iterator[float]:
    for update in range(updates):
        yield optimizer.param_groups[0]["lr"]
        if made["interval"] == "step" or (update + 1) % epoch == 0:
            made["scheduler"].step()


def _module() -> Any:
    folder = unpacked("nemo-toolkit==3.0.0") / "nemo"
    stub("nemo")
    stub("nemo.core")
    stub("nemo.core.classes")
    stub("nemo.core.classes.common", safe_instantiate=None)
    stub("nemo.core.config")
    loaded(folder / "core" / "config" / "schedulers.py", "nemo.core.config.schedulers")
    stub("nemo.utils", logging=logging)
    stub("nemo.utils.model_utils", maybe_update_config_version=lambda config: config)
    return loaded(folder / "core" / "optim" / "lr_scheduler.py", "nemo_lr_scheduler")


# --- random options, typical and unusual ------------------------------------------------------------------------------


def _length(name: str, random: Random, total: int) -> dict[str, Any]:
    share = random.choice([None, 0.0, 0.01, 0.07, 0.29, 0.5, 1.0, 1.1])
    if share is None:
        return {}
    return {f"{name}_ratio": share} if random.random() < 0.4 else {f"{name}_steps": int(share * total)}


def _options(name: str, random: Random, total: int) -> dict[str, Any]:
    warmup, low = _length("warmup", random, total), {"min_lr": random.choice([0.0, 1e-4, 0.002])}
    hold = {**warmup, **_length("hold", random, total), **low}
    power = {"power": random.choice([0.5, 1.0, 3.0]), "cycle": random.random() < 0.5}
    return {
        "CosineAnnealing": {**warmup, **_length("constant", random, total), **low},
        "NoamAnnealing": {**warmup, **low, "d_model": random.choice([256, 1024])},
        "NoamHoldAnnealing": {**hold, "decay_rate": random.choice([0.5, 1.0, 0.3])},
        "WarmupHoldPolicy": hold,
        "WarmupHoldAnnealOneMinusSquareRoot": hold,
        "WarmupHoldAnnealLinear": hold,
        "T5InverseSquareRootAnnealing": {"constant_steps": random.choice([1, 10, total]), **low},
        "PolynomialDecayAnnealing": {**warmup, **low, **power},
        "PolynomialHoldDecayAnnealing": {**hold, **power},
        "StepLR": {"step_size": random.choice([1, 7, 30]), "gamma": 0.5},
        "ExponentialLR": {"gamma": random.choice([0.5, 0.97])},
        "CyclicLR": {
            "base_lr": 0.01,
            "max_lr": 0.2,
            "step_size_up": random.choice([3, 17]),
            "step_size_down": random.choice([None, 20]),
            "mode": random.choice(["triangular", "triangular2", "exp_range"]),
            "gamma": random.choice([1.0, 0.99]),
        },
    }.get(name, {**warmup, **low})
