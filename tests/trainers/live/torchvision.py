"""torch's own schedulers; how torchvision's references put them together is said again, for pip does not have its scripts."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from random import Random
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_lr

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "torch 2.13.0, put together as in torchvision 017e9b99"
KINDS = ("steplr", "cosineannealinglr", "exponentiallr", "segmentation", "detection")


def runs(random: Random) -> Iterator[Native]:
    warnings.simplefilter("ignore")
    for kind in itertools.cycle(KINDS):
        flags: dict[str, Any] = {"lr": random.choice([0.5, 0.01]), "epochs": random.choice([6, 12])}
        if kind != "detection":
            flags |= {"lr_warmup_epochs": random.choice([0, 1, 5]), "lr_warmup_decay": random.choice([0.01, 0.3])}
            flags["lr_warmup_method"] = random.choice(["linear", "constant"])
        if kind in KINDS[:3]:
            flags |= {
                "lr_scheduler": kind,
                "lr_step_size": random.choice([1, 3]),
                "lr_gamma": random.choice([0.1, 0.9]),
            }
            flags["lr_min"] = random.choice([0.0, 1e-4])
        facts = {} if kind in KINDS[:3] else {"task": kind}
        length = random.choice([1, 4, 9])
        yield Native(
            kind, Given("torchvision", flags, Run(updates_per_epoch=length), facts), _rates(kind, flags, length)
        )


def _rates(kind: str, flags: dict[str, Any], length: int) -> list[float]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=flags["lr"])
    scheduler, values, warmup = _scheduler(kind, optimizer, flags, length), [], None
    for epoch in range(flags["epochs"] + 1):
        if kind == "detection" and epoch == 0 and length > 1:
            warmup = torch_lr.LinearLR(optimizer, start_factor=1e-3, total_iters=min(1000, length - 1))
        for _ in range(length):
            values.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if epoch == 0 and warmup is not None:
                warmup.step()
            if kind == "segmentation":
                scheduler.step()
        if kind != "segmentation":
            scheduler.step()
    return values


def _scheduler(kind: str, optimizer: torch.optim.Optimizer, flags: dict[str, Any], length: int) -> Any:
    if kind == "detection":
        return torch_lr.MultiStepLR(optimizer, milestones=[16, 22], gamma=0.1)
    epochs, warmup = flags["epochs"], flags["lr_warmup_epochs"]
    if kind == "segmentation":
        warmup *= length
        main: Any = torch_lr.PolynomialLR(optimizer, total_iters=epochs * length - warmup, power=0.9)
    elif kind == "steplr":
        main = torch_lr.StepLR(optimizer, step_size=flags["lr_step_size"], gamma=flags["lr_gamma"])
    elif kind == "exponentiallr":
        main = torch_lr.ExponentialLR(optimizer, gamma=flags["lr_gamma"])
    else:
        main = torch_lr.CosineAnnealingLR(optimizer, T_max=epochs - warmup, eta_min=flags["lr_min"])
    if not warmup:
        return main
    decay = flags["lr_warmup_decay"]
    if flags["lr_warmup_method"] == "linear":
        rise: Any = torch_lr.LinearLR(optimizer, start_factor=decay, total_iters=warmup)
    else:
        rise = torch_lr.ConstantLR(optimizer, factor=decay, total_iters=warmup)
    return torch_lr.SequentialLR(optimizer, schedulers=[rise, main], milestones=[warmup])
