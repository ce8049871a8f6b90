"""timm's records hold create_scheduler_v2's arguments, and the optimizer's rate."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given

REMARKS = ("spe", "lr", "returned_num_epochs")


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    own = {name: value for name, value in options.items() if name not in REMARKS}
    return Given("timm", own, Run(updates_per_epoch=options["spe"]), {"lr": options["lr"]})
