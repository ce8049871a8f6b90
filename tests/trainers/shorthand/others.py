"""Records of the trainers that have few of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given | None:
    options = record["options"]
    found = next((write for prefix, write in _TRAINERS.items() if record["trainer"].startswith(prefix)), None)
    return found(options) if found else None


def _ultralytics(options: dict[str, Any]) -> Given:
    names = {"lr0": "lr0", "lrf": "lrf", "cos": "cos_lr", "E": "epochs", "we": "warmup_epochs", "wb": "warmup_bias_lr"}
    arguments = {name: options[key] for key, name in names.items()} | {"optimizer": "SGD", "batch": options["batch"]}
    return Given("ultralytics", arguments, Run(batches_per_epoch=options["nb"]))


_TRAINERS: dict[str, Callable[[dict[str, Any]], Given]] = {"ultralytics": _ultralytics}
