"""OLMo's records hold the scheduler as it is, and beside it what a batch is and how long the run is."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    source = {
        "scheduler": options["scheduler"],
        "optimizer": {"learning_rate": options["learning_rate"]},
        "max_duration": options.get("max_duration"),
        "global_train_batch_size": options.get("global_train_batch_size"),
        "model": {"max_sequence_length": options.get("max_sequence_length")},
    }
    return Given("olmo", source, Run(total=options.get("max_steps")))
