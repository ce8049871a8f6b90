"""OLMo-core's schedulers, asked after the update is counted, as its trainer asks them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from enum import StrEnum
from random import Random
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "ai2-olmo-core 3.0.0"
TOKENS = 4096


class _Registrable:
    @classmethod
    def register(cls, _name: str) -> Any:
        return lambda found: found


class _Config:
    pass


def runs(random: Random) -> Iterator[Native]:
    warnings.simplefilter("ignore")
    module = _module()
    while True:
        for name in _OPTIONS:
            steps, lr = random.randint(3, 400), random.choice([3e-4, 0.1])
            tokens = random.random() < 0.3 and name not in ("ComposableScheduler", "SequentialScheduler", "WSDS")
            amount = TOKENS if tokens else 1
            options = _options(name, random, steps, amount, lr)
            try:
                made = _made(module, name, options)
                values = [float(made.get_lr(lr, (step + 1) * amount, steps * amount)) for step in range(steps)]
            except (AssertionError, ZeroDivisionError, RuntimeError, ValueError):  # OLMo-core refuses it
                continue
            own = {"_CLASS_": f"olmo_core.optim.scheduler.{name}", "units": "tokens" if tokens else "steps", **options}
            source = {
                "train_module": {"optim": {"lr": lr}, "scheduler": own},
                "data_loader": {"global_batch_size": TOKENS},
            }
            yield Native(name, Given("olmo_core", source, Run(total=steps)), values)


def _made(module: Any, name: str, options: dict[str, Any]) -> Any:
    options = dict(options)
    if "schedulers" in options:
        options["schedulers"] = [
            _made(module, one["_CLASS_"], {key: one[key] for key in one if key != "_CLASS_"})
            for one in options["schedulers"]
        ]
        options["schedulers_max"] = list(options["schedulers_max"])
    if "stages" in options:
        options["stages"] = [module.ComposableSchedulerStage(**one) for one in options["stages"]]
    if "override_decay" in options:
        options["override_decay"] = module.OverrideDecay(**options["override_decay"])
    return getattr(module, name)(**options)


def _module() -> Any:
    folder = unpacked("ai2-olmo-core==3.0.0") / "olmo_core"
    stub("olmo_core")
    stub("olmo_core.config", Config=_Config, Registrable=_Registrable, StrEnum=StrEnum)
    stub("olmo_core.distributed")
    stub("olmo_core.distributed.utils", get_rank=lambda: 1)
    stub("olmo_core.exceptions", OLMoConfigurationError=ValueError)
    stub("olmo_core.optim")
    stub("olmo_core.optim.config", INITIAL_LR_FIELD="initial_lr", LR_FIELD="lr")
    return loaded(folder / "optim" / "scheduler.py", "olmo_core.optim.scheduler")


# --- random options, typical and unusual ------------------------------------------------------------------------------

_OPTIONS = {
    "ConstantScheduler": (),
    "ConstantWithWarmup": ("warmup",),
    "WSD": ("warmup", "decay"),
    "PowerLR": ("warmup", "decay", "b"),
    "LinearWithWarmup": ("warmup", "alpha_f", "t_max"),
    "InvSqrtWithWarmup": ("warmup", "alpha_f"),
    "CosWithWarmup": ("warmup", "alpha_f", "t_max"),
    "HalfCosWithWarmup": ("warmup", "alpha_f", "t_max"),
    "CosWithWarmupAndLinearDecay": ("warmup", "alpha_f", "t_max", "decay"),
    "ComposableScheduler": ("stages", "override_decay"),
    "SequentialScheduler": ("schedulers", "override_decay"),
    "WSDS": ("periods",),
    "ExponentialScheduler": ("lr_min",),
}


def _options(name: str, random: Random, steps: int, amount: int, lr: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in _OPTIONS[name]:
        found.update(_OPTION[one](random, steps * amount, lr))
    return found


def _warmup(random: Random, end: int, lr: float) -> dict[str, Any]:
    share = random.choice([0.0, 0.01, 0.07, 0.1, 0.5, 0.97, 1.0])
    start = {"warmup_min_lr": random.choice([0.0, lr / 10])}
    return {"warmup_fraction": share, **start} if random.random() < 0.4 else {"warmup": int(share * end), **start}


def _decay(random: Random, end: int, lr: float) -> dict[str, Any]:
    share = random.choice([0.05, 0.1, 0.35, 1.0])
    low = {"decay_min_lr": random.choice([0.0, lr / 50])}
    if random.random() < 0.4:
        return {"decay_fraction": share, **low}
    return {"decay": max(1, int(share * end)), "decay_fraction": None, **low}


def _stages(random: Random, end: int, lr: float) -> dict[str, Any]:
    stages: list[dict[str, Any]] = [
        {
            "duration": random.randint(1, max(1, end // 2)),
            "shape": random.choice(["linear", "cosine"]),
            **random.choice([{"end_lr_fraction": 0.5}, {"end_lr": lr / 3}, {"end_lr": 0.0}]),
            **random.choice([{}, {}, {"start_lr": 0.0}, {"start_lr_fraction": 0.8}]),
        }
        for _ in range(random.randint(1, 4))
    ]
    return {"stages": stages}


def _override(random: Random, end: int, lr: float) -> dict[str, Any]:
    if random.random() < 0.5:
        return {}
    decay = {"start": random.randint(0, end), "duration": random.randint(1, end), "end_lr": lr / 10}
    return {"override_decay": {**decay, "shape": random.choice(["linear", "cosine"])}}


def _schedulers(random: Random, end: int, lr: float) -> dict[str, Any]:
    lengths = [max(1, int(end * random.choice([0.1, 0.4]))) for _ in range(random.randint(1, 2))]
    kinds = ["ConstantWithWarmup", "CosWithWarmup", "WSD", "InvSqrtWithWarmup", "LinearWithWarmup"]
    inner = [
        {"_CLASS_": kind, **_options(kind, random, length, 1, 1e-6)}
        for length in [*lengths, end - sum(lengths)]
        for kind in [random.choice(kinds)]
    ]
    return {"schedulers": inner, "schedulers_max": lengths}


def _periods(random: Random, end: int, lr: float) -> dict[str, Any]:
    count = random.randint(1, 3)
    lengths = [max(2, end // (count + random.randint(0, 1))) for _ in range(count)]
    found = {"period_lengths": lengths, "warmup": lengths[0] // 5, "warmup_min_lr": random.choice([0.0, lr / 20])}
    found |= random.choice([{"decay_fraction": 0.3}, {"decay": 1}])
    if random.random() < 0.5:
        found["period_lr_multipliers"] = [random.choice([1.0, 0.5, 1.5]) for _ in lengths]
    return found | {"decay_min_lr": random.choice([0.0, lr / 100])}


_OPTION: dict[str, Any] = {
    "warmup": _warmup,
    "decay": _decay,
    "alpha_f": lambda random, _end, _lr: {"alpha_f": random.choice([0.0, 0.1, 0.3])},
    "t_max": lambda random, end, _lr: random.choice([{}, {"t_max": end // 2}, {"t_max": 2 * end}]),
    "b": lambda random, _end, _lr: {"b": random.choice([-0.51, -1.0])},
    "lr_min": lambda random, _end, _lr: {"lr_min": random.choice([1e-9, 1e-5])},
    "stages": _stages,
    "override_decay": _override,
    "schedulers": _schedulers,
    "periods": _periods,
}
