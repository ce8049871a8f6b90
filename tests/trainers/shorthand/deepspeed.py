"""DeepSpeed's records hold the scheduler as it is, and the optimizer's rate."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    return Given("deepspeed", {"scheduler": options["scheduler"]}, facts={"lr": options["optimizer_lr"]})
