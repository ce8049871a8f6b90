"""levanter's records hold its optimizer's table and the length of the run."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = record["options"]
    trainer = {"num_train_steps": options["num_train_steps"]}
    return Given("levanter", {"optimizer": options["optimizer"], "trainer": trainer}, float32=True)
