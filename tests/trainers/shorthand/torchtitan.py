"""torchtitan's records hold [lr_scheduler] as it is, the optimizer's rate and the run's updates."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    source = {
        "lr_scheduler": options["lr_scheduler"],
        "optimizer": {"lr": options["lr"]},
        "training": {"steps": options["training_steps"]},
    }
    return Given("torchtitan", source)
