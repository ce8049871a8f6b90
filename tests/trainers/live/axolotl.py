"""axolotl's own utils/schedulers.py, loaded alone, and transformers' get_scheduler.

Which of them is used, and the warmup's length, is written again in `_made`: the module that decides it imports all of axolotl.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import torch
from transformers import get_scheduler

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "axolotl 0.19.0"
KINDS: dict[str, Any] = {
    "cosine": lambda random: {},
    "cosine, quadratic warmup": lambda random: {"lr_quadratic_warmup": True},
    "cosine, floor": lambda random: {"cosine_min_lr_ratio": random.choice([0.05, 0.3])},
    "cosine, early floor": lambda random: {
        "cosine_min_lr_ratio": 0.1,
        "cosine_constant_lr_ratio": random.choice([0.7, 0.83]),
    },
    "linear": lambda random: {"lr_scheduler": "linear"},
    "constant_with_warmup": lambda random: {"lr_scheduler": "constant_with_warmup"},
    "one_cycle": lambda random: {
        "lr_scheduler": "one_cycle",
        "lr_scheduler_kwargs": random.choice(
            [{}, {"div_factor": 10.0, "final_div_factor": 50.0, "anneal_strategy": "linear"}]
        ),
    },
    "rex": lambda random: {"lr_scheduler": "rex", **random.choice([{}, {"cosine_min_lr_ratio": 0.1}])},
}


def _native() -> Any:
    package = importlib.util.find_spec("axolotl")
    assert package is not None
    assert package.submodule_search_locations
    path = Path(next(iter(package.submodule_search_locations))) / "utils" / "schedulers.py"
    spec = importlib.util.spec_from_file_location("schedulers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NATIVE = _native()


def runs(random: Random) -> Iterator[Native]:
    """Random warmups and lengths for each schedule, with and without jagged restarts."""
    while True:
        for kind, make in KINDS.items():
            total, lr = random.randint(120, 300), 10 ** random.uniform(-5, -2)
            options = {"learning_rate": lr, **make(random)}
            options.update(random.choice([{}, {"warmup_steps": random.choice([0, 1, 2, 40])}, {"warmup_ratio": 0.07}]))
            jagged = random.random() < 0.3
            if jagged:
                options.update(
                    jagged_restart_steps=random.choice([30, 50]), jagged_restart_warmup_steps=random.choice([None, 5])
                )
                options.update(random.choice([{}, {"jagged_restart_anneal_steps": 8}]))
            given = Given("axolotl", options, run=Run(total=total))
            yield Native(f"{kind}, jagged" if jagged else kind, given, _stepped(options, lr, total))


def _warmup(options: dict[str, Any], total: int) -> int:
    if options.get("warmup_steps") is not None:
        steps = options["warmup_steps"]
    elif options.get("warmup_ratio") is not None:
        steps = int(options["warmup_ratio"] * total)
    else:
        steps = min(int(0.03 * total), 100)
    return 2 if steps == 1 else steps


def _made(optimizer: Any, options: dict[str, Any], lr: float, total: int) -> Any:
    kind, ratio, warmup = (
        options.get("lr_scheduler", "cosine"),
        options.get("cosine_min_lr_ratio"),
        _warmup(options, total),
    )
    kwargs = options.get("lr_scheduler_kwargs", {})
    if kind == "one_cycle":
        given = {"pct_start": warmup / total, "anneal_strategy": "cos", **kwargs}
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=total, **given)
    if kind == "rex":
        floor = lr * ratio if ratio else 0
        return NATIVE.RexLR(optimizer, max_lr=lr, min_lr=floor, total_steps=total, num_warmup_steps=warmup)
    if options.get("lr_quadratic_warmup"):
        return NATIVE.get_cosine_schedule_with_quadratic_warmup(optimizer, warmup, total)
    if ratio and options.get("cosine_constant_lr_ratio"):
        places = {"constant_lr_ratio": options["cosine_constant_lr_ratio"], "min_lr_ratio": ratio}
        return NATIVE.get_cosine_schedule_with_warmup_decay_constant(optimizer, warmup, total, **places)
    if ratio:
        return NATIVE.get_cosine_schedule_with_min_lr(optimizer, warmup, total, min_lr_ratio=ratio)
    return get_scheduler(kind, optimizer, warmup, total, scheduler_specific_kwargs=kwargs)


def _stepped(options: dict[str, Any], lr: float, total: int) -> list[float]:
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = _made(optimizer, options, lr, total)
    if options.get("jagged_restart_steps"):
        lengths = options.get("jagged_restart_warmup_steps") or 10, options.get("jagged_restart_anneal_steps") or 1
        scale = options.get("cosine_min_lr_ratio") or 0.001
        scheduler = NATIVE.JaggedLRRestartScheduler(
            optimizer, scheduler, options["jagged_restart_steps"], *lengths, min_lr_scale=scale
        )
    values = []
    for update in range(total):
        values.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if update + 1 < total:
            scheduler.step()
    return values
