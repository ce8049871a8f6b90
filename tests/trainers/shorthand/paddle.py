"""Records of PaddleDetection and PaddleClas hold their own tables, with the lengths beside them."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given | None:
    options = {name: value for name, value in record["options"].items() if name != "config"}
    if record["trainer"].startswith("PaddleDetection"):
        batches = options.pop("step_per_epoch")
        return Given("paddledetection", {"LearningRate": options}, Run(batches_per_epoch=batches))
    if record["trainer"].startswith("PaddleClas"):
        epochs, batches = options.pop("epochs"), options.pop("spe")
        source = {"Global": {"epochs": epochs}, "Optimizer": {"lr": options}}
        return Given("paddleclas", source, Run(batches_per_epoch=batches))
    return None
