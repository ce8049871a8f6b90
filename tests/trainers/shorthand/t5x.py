"""t5x's records hold the arguments of create_learning_rate_scheduler."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    return Given("t5x", options, float32=True)
