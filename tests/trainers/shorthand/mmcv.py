"""mmcv's records hold lr_config, the batches of an epoch and the optimizer's rate."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    runner = {name: options[name] for name in ("max_epochs", "max_iters") if name in options}
    config = {"lr_config": options["lr_config"], "optimizer": {"lr": options["lr"]}, "runner": runner}
    return Given("mmcv", config, Run(batches_per_epoch=options["epoch_length"]))
