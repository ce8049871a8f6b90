"""composer's records hold the scheduler as it is, the run's length, and what a batch is."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    source = {
        "scheduler": options["scheduler"],
        "optimizer": {"lr": options["lr"]},
        "scale_schedule_ratio": options.get("ssr"),
        **{name: options.get(name) for name in ("max_duration", "global_train_batch_size", "max_seq_len")},
    }
    return Given("composer", source, Run(batches_per_epoch=options.get("dataloader_len")))
