"""megatron-core's OptimizerParamScheduler and its ramp of the batch, loaded without the package around them.

The lengths in samples, which megatron/training/training.py makes of the flags, are written again in `_arguments`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "megatron-core 0.16.1"
STYLES = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
TAILS = ("linear", "cosine", "exponential", "minus_sqrt")


def _module(name: str) -> Any:
    package = importlib.util.find_spec("megatron")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(next(iter(package.submodule_search_locations))) / "core" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _stub() -> None:
    utils = ModuleType("megatron.core.utils")
    utils.log_single_rank = lambda *given: None  # type: ignore[attr-defined]
    sys.modules.update({"megatron.core": ModuleType("megatron.core"), "megatron.core.utils": utils})


_stub()
SCHEDULER = _module("optimizer_param_scheduler").OptimizerParamScheduler
RAMP = _module("num_microbatches_calculator").RampupBatchsizeNumMicroBatchesCalculator


def runs(random: Random) -> Iterator[Native]:
    """Every style and tail, in iterations and in samples, with real warmups, ramps, decoupled rates and weight decay."""
    while True:
        for style in STYLES:
            flags = _flags(random, style)
            kind = f"{style} {flags['lr_wsd_decay_style']}" if style == "WSD" else style
            given = Given("megatron", flags)
            values = _stepped(flags)
            yield Native(f"{kind}, ramp" if "rampup_batch_size" in flags else kind, given, values["lr"])
            yield Native("decoupled", given._replace(part="embedding_or_output"), values["decoupled"])
            yield Native("weight decay", given._replace(part="weight_decay"), values["wd"])


def _flags(random: Random, style: str) -> dict[str, Any]:
    batch = random.choice([1, 16, 48, 1000])
    flags: dict[str, Any] = {
        "lr": 3e-4,
        "min_lr": random.choice([0.0, 3e-5, 3e-4]),
        "lr_decay_style": style,
        "global_batch_size": batch,
        "lr_warmup_init": random.choice([0.0, 1e-6]),
        "decoupled_lr": 1e-3,
        "start_weight_decay": 0.01,
        "end_weight_decay": random.choice([0.01, 0.1]),
        "weight_decay_incr_style": random.choice(["linear", "cosine"]),
        "lr_wsd_decay_style": random.choice(TAILS),
        **random.choice([{}, {"decoupled_min_lr": 1e-5}]),
    }
    iterations = random.random() < 0.5

    def length(low: int, high: int) -> int:
        if iterations:
            return random.randint(low, high)
        return random.choice([batch * random.randint(low, high), random.randint(low * batch, high * batch)])

    unit = "iters" if iterations else "samples"
    flags["train_iters" if iterations else "train_samples"] = length(150, 250)
    flags.update(random.choice([{}, {f"lr_decay_{unit}": length(120, 260)}]))
    flags.update(
        random.choice(
            [
                {},
                {f"lr_warmup_{unit}": length(1, 100)},
                {"lr_warmup_fraction": random.choice([0.001, 0.01, 0.1, 0.29, 1 / 3])},
            ]
        )
    )
    if style == "WSD":
        flags[f"lr_wsd_decay_{unit}"] = length(1, 200)
    if not iterations and batch > 1 and random.random() < 0.4:
        flags["rampup_batch_size"] = [batch // 4, batch // 4, length(1, 60)]
    return flags


def _arguments(flags: dict[str, Any]) -> dict[str, Any]:
    iterations = "train_iters" in flags
    unit, scale = ("iters", flags["global_batch_size"]) if iterations else ("samples", 1)
    total = flags["train_iters" if iterations else "train_samples"]
    decay = flags.get(f"lr_decay_{unit}", total) * scale
    share = flags.get("lr_warmup_fraction")
    tail = flags.get(f"lr_wsd_decay_{unit}")
    return {
        "init_lr": flags["lr_warmup_init"],
        "max_lr": flags["lr"],
        "min_lr": flags["min_lr"],
        "lr_warmup_steps": flags.get(f"lr_warmup_{unit}", 0) * scale if share is None else share * decay,
        "lr_decay_steps": decay,
        "lr_decay_style": flags["lr_decay_style"],
        "start_wd": flags["start_weight_decay"],
        "end_wd": flags["end_weight_decay"],
        "wd_incr_steps": total * scale,
        "wd_incr_style": flags["weight_decay_incr_style"],
        "wsd_decay_steps": tail and tail * scale,
        "lr_wsd_decay_style": flags["lr_wsd_decay_style"],
    }


def _stepped(flags: dict[str, Any]) -> dict[str, list[float]]:
    other = {"max_lr": flags["decoupled_lr"], "min_lr": flags.get("decoupled_min_lr", flags["min_lr"])}
    groups: list[dict[str, Any]] = [{}, other]
    scheduler = SCHEDULER(SimpleNamespace(param_groups=groups), **_arguments(flags))
    batch, ramp = flags["global_batch_size"], None
    if "rampup_batch_size" in flags:
        first, increment, samples = flags["rampup_batch_size"]
        ramp = RAMP(batch, 1, 1, False, 0, first, increment, samples)
    values: dict[str, list[float]] = {"lr": [], "decoupled": [], "wd": []}
    for _ in range(400):
        for name, value in (("lr", groups[0]["lr"]), ("decoupled", groups[1]["lr"]), ("wd", groups[0]["weight_decay"])):
            values[name].append(value)
        if ramp is not None:
            ramp.update(scheduler.num_steps, consistency_check=False)
        scheduler.step(batch if ramp is None else ramp.current_global_batch_size)
    return values
