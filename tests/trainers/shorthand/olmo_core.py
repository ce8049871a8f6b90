"""OLMo-core's records hold the scheduler's fields; its class is the record's trainer."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    source = {
        "train_module": {
            "optim": {"lr": options["lr"]},
            "scheduler": {"_CLASS_": record["trainer"].split()[-1], **options["scheduler"]},
        },
        "data_loader": {"global_batch_size": options["tokens_per_step"]},
    }
    return Given("olmo_core", source, Run(total=options["max_steps"]))
