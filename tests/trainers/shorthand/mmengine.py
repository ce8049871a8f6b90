"""mmengine's records hold param_scheduler, the batches of an epoch and the optimizer's rate."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    train = {name: options[name] for name in ("max_epochs", "max_iters") if name in options}
    config = {"param_scheduler": options["param_scheduler"], "train_cfg": {"by_epoch": "max_epochs" in train, **train}}
    return Given("mmengine", config, Run(batches_per_epoch=options["epoch_length"]), {"lr": options["lr"]})
