"""timm's own schedulers, asked as its train.py asks them: for t = u + 1 after update u, for t = e + 1 after epoch e."""

from __future__ import annotations

import itertools
import math
from argparse import Namespace
from collections.abc import Iterator
from random import Random
from typing import Any

import torch

from lrcore import Run
from tests.trainers.live.alone import without_top
from tests.trainers.live.native import Native
from tests.trainers.records import Given

without_top("timm")
from timm.scheduler.scheduler_factory import create_scheduler, create_scheduler_v2  # type: ignore[import-not-found,unused-ignore] # noqa: E402

VERSION = "timm 1.0.31"
KINDS = ("cosine", "tanh", "poly", "step", "multistep", "constant", "wsd", "rsqrt", "none")
AS_ARGUMENTS = {"num_epochs": "epochs", "cycle_mul": "lr_cycle_mul", "cycle_decay": "lr_cycle_decay"}
AS_ARGUMENTS |= {"cycle_limit": "lr_cycle_limit", "k_decay": "lr_k_decay", "decay_fn": "lr_decay_fn"}
AS_ARGUMENTS |= {"stable_timescale": "lr_stable_timescale"}


def runs(random: Random) -> Iterator[Native]:
    for sched in itertools.cycle(KINDS):
        options, lr, length = _options(random, sched), random.choice([0.5, 1e-3, 3e-4]), random.choice([1, 3, 7])
        if random.random() < 0.4:
            options["sched_on_updates"] = not options.pop("step_on_epochs")
            options = {AS_ARGUMENTS.get(name, name): value for name, value in options.items()}
            by_epoch, values = not options["sched_on_updates"], _rates(options, lr, length, as_arguments=True)
        else:
            by_epoch, values = options["step_on_epochs"], _rates(options, lr, length, as_arguments=False)
        given = Given("timm", options, Run(updates_per_epoch=length), {"lr": lr})
        yield Native(f"{sched} {'by epoch' if by_epoch else 'on updates'}", given, values)


def _options(random: Random, sched: str) -> dict[str, Any]:
    options: dict[str, Any] = {"sched": sched, "num_epochs": random.choice([2, 5, 12, 30])}
    options["step_on_epochs"] = random.random() < 0.5
    options["warmup_epochs"] = random.choice([0, 0, 1, 3, 4, 1.5, options["num_epochs"] + 2])
    options["warmup_lr"], options["min_lr"] = random.choice([0.0, 1e-6, 1e-2]), random.choice([0.0, 1e-6, 1e-4])
    options["warmup_prefix"] = random.random() < 0.5
    if sched in ("cosine", "tanh", "poly"):
        options["cycle_limit"] = random.choice([0, 1, 1, 2, 4])
        options["cycle_decay"], options["cycle_mul"] = (
            random.choice([0.1, 0.5, 1.0]),
            random.choice([1.0, 1.0, 1.5, 2.0]),
        )
        options["cooldown_epochs"] = random.choice([0, 2])
    if sched == "poly":
        options["decay_rate"], options["k_decay"] = random.choice([(1.0, 1.5), (0.9, 1.0), (2.0, 1.0), (1.0, 0.4)])
    if sched in ("step", "multistep"):
        options["decay_rate"] = random.choice([0.1, 0.97, 2.0])
    if sched == "step":
        options["decay_epochs"] = random.choice([1, 2.4, 3, 10])
    if sched == "multistep":
        options["decay_milestones"] = random.choice([[1], [1, 2, 3], [3, 3, 8], []])
    if sched in ("wsd", "rsqrt"):
        options["warmup_epochs"] = random.choice([0, 1, 2]) if options["num_epochs"] > 2 else random.choice([0, 1])
        options["decay_epochs"] = random.choice([0.6, 0.9, 1, 2 if options["num_epochs"] > 4 else 1])
        options["decay_fn"] = random.choice([None, "linear", "1-sqrt", "cosine", "power", "exp"])
        options["stable_timescale"] = random.choice([1.5, 10])
    return options


def _rates(options: dict[str, Any], lr: float, length: int, *, as_arguments: bool) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    if as_arguments:
        scheduler, epochs = create_scheduler(Namespace(**options), optimizer, updates_per_epoch=length)
    else:
        scheduler, epochs = create_scheduler_v2(optimizer, **options, updates_per_epoch=length)
    values = []
    for epoch in range(math.ceil(epochs) + 4):
        for update in range(epoch * length, (epoch + 1) * length):
            values.append(optimizer.param_groups[0]["lr"])
            if scheduler is not None:
                scheduler.step_update(num_updates=update + 1)
        if scheduler is not None:
            scheduler.step(epoch + 1)
    return values
