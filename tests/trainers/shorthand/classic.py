"""Records of older recipes: torchvision's references, Swin, MAE, DINO. SlowFast has no importer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given | None:
    options = record["options"]
    found = next((write for prefix, write in _TRAINERS.items() if record["trainer"].startswith(prefix)), None)
    return found(options) if found else None


def _torchvision(options: dict[str, Any]) -> Given:
    names = {"E": "epochs", "sched": "lr_scheduler", "W": "lr_warmup_epochs", "method": "lr_warmup_method"}
    names |= {"decay": "lr_warmup_decay", "lr": "lr"}
    flags = {name: options[key] for key, name in names.items() if key in options}
    return Given("torchvision", flags, Run(updates_per_epoch=options["spe"]))


def _swin(options: dict[str, Any]) -> Given:
    train = {
        "EPOCHS": options["E"],
        "WARMUP_EPOCHS": options["W"],
        "BASE_LR": options["lr"],
        "WARMUP_LR": options["wlr"],
        "MIN_LR": options["mlr"],
        "LR_SCHEDULER": {"NAME": options["name"]},
    }
    return Given("swin", {"TRAIN": train}, Run(updates_per_epoch=options["spe"], batch_size=512))


def _mae(options: dict[str, Any]) -> Given:
    flags = {"lr": options["lr"], "epochs": options["E"], "warmup_epochs": options["W"], "min_lr": options["mlr"]}
    return Given("mae", flags, Run(updates_per_epoch=options["spe"]))


def _dino(options: dict[str, Any]) -> Given:
    flags = {"min_lr": options["final"], "epochs": options["epochs"], "warmup_epochs": options["warm"]}
    return Given("dino", flags, Run(updates_per_epoch=options["niter"]), {"lr": options["base"]})


_TRAINERS: dict[str, Callable[[dict[str, Any]], Given]] = {
    "torchvision": _torchvision,
    "Swin": _swin,
    "MAE": _mae,
    "DINO": _dino,
}
