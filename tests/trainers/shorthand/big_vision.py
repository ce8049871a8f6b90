"""big_vision's records hold parts of a whole configuration."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    return Given("big_vision", options, float32=True)
