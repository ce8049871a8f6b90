"""ESPnet's schedulers, stepped after each update as its trainer does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "espnet 202511"

_CLASSES = {
    "warmuplr": ("warmup_lr", "WarmupLR"),
    "noamlr": ("noam_lr", "NoamLR"),
    "tristagelr": ("tristage_lr", "TristageLR"),
    "piecewiselinearwarmuplr": ("piecewise_linear_warmup_lr", "PiecewiseLinearWarmupLR"),
    "warmupsteplr": ("warmup_step_lr", "WarmupStepLR"),
    "exponentialdecaywarmup": ("exponential_decay_warmup", "ExponentialDecayWarmup"),
    "cosineannealingwarmuprestarts": ("cosine_anneal_warmup_restart", "CosineAnnealingWarmupRestarts"),
    "warmupreducelronplateau": ("warmup_reducelronplateau", "WarmupReduceLROnPlateau"),
}


def runs(random: Random) -> Iterator[Native]:
    import torch

    folder = unpacked("espnet==202511") / "espnet2" / "schedulers"
    for name in ("espnet2", "espnet2.schedulers"):
        stub(name)
    loaded(folder / "abs_scheduler.py", "espnet2.schedulers.abs_scheduler")
    classes = {name: getattr(loaded(folder / f"{file}.py", file), found) for name, (file, found) in _CLASSES.items()}
    while True:
        for name, scheduler in classes.items():
            total, lr, options = random.randint(20, 400), random.choice([1e-3, 2.0]), _OPTIONS[name](random)
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
            with suppress(ZeroDivisionError):  # of cycles that shrink to nothing
                values = list(_stepped(scheduler(optimizer, **options), optimizer, total))
                source = {"optim_conf": {"lr": lr}, "scheduler": name, "scheduler_conf": options}
                yield Native(name, Given("espnet", source, Run(total=total)), values)


def _stepped(native: Any, optimizer: Any, total: int) -> Iterator[float]:
    for _ in range(total):
        yield float(optimizer.param_groups[0]["lr"])
        optimizer.step()
        native.step()


def _warmup(random: Random) -> Any:
    return random.choice([1, 10, 33, 50.5, 1000])


def _tri_stage(random: Random) -> dict[str, Any]:
    warmup, hold = random.choice([(0.1, 0.4), (0.0, 0.5), (0.3, 0.0), (0.0, 0.0), (0.5, 0.5)])
    scales = {"init_lr_scale": random.choice([0.01, 1.0]), "final_lr_scale": random.choice([0.01, 0.5])}
    lengths = {"warmup_ratio": warmup, "hold_ratio": hold, "decay_ratio": 1.0 - warmup - hold}
    return {"max_steps": random.choice([100, 37, 250.0]), **scales, **lengths}


def _piecewise(random: Random) -> dict[str, Any]:
    return random.choice(
        [
            {"warmup_steps_list": [0, 10, 60], "warmup_lr_list": [0.0, 5e-4, 1e-3]},
            {"warmup_steps_list": [5, 20.5], "warmup_lr_list": [1e-4, 1e-3]},
        ]
    )


def _steps(random: Random) -> dict[str, Any]:
    own = {"steps_per_epoch": random.choice([7, 30]), "step_size": random.choice([1, 3]), "gamma": 0.5}
    return {"warmup_steps": _warmup(random), **own}


def _exponential(random: Random) -> dict[str, Any]:
    own = {"max_lr": 0.1, "min_lr": random.choice([1e-4, 0.2]), "warm_from_zero": random.random() < 0.5}
    return {"total_steps": random.choice([60, 300]), "warmup_steps": random.choice([0, 1, 2, 20, 59]), **own}


def _restarts(random: Random) -> dict[str, Any]:
    own = {"cycle_mult": random.choice([1.0, 1.0, 1.5, 2.0, 0.9]), "gamma": random.choice([1.0, 0.5])}
    rates = {"max_lr": 0.1, "min_lr": random.choice([0.0, 0.001])}
    return {"first_cycle_steps": random.choice([15, 40]), "warmup_steps": random.choice([0, 1, 14]), **own, **rates}


_OPTIONS = {
    "warmuplr": lambda random: {"warmup_steps": _warmup(random)},
    "noamlr": lambda random: {"warmup_steps": _warmup(random), "model_size": random.choice([256, 320.5])},
    "tristagelr": _tri_stage,
    "piecewiselinearwarmuplr": _piecewise,
    "warmupsteplr": _steps,
    "exponentialdecaywarmup": _exponential,
    "cosineannealingwarmuprestarts": _restarts,
    "warmupreducelronplateau": lambda random: {"warmup_steps": _warmup(random), "patience": 2},
}
