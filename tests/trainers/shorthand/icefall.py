"""icefall's records hold the options of its recipe's flags and of Eden, and the batches of an epoch."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    batches = options.pop("batches_per_epoch", None)
    return Given("icefall", {"scheduler": record["trainer"].split()[-1], **options}, Run(batches_per_epoch=batches))
