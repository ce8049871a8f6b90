"""nanoGPT's records hold its variables, and a remark in `name`."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    return Given("nanogpt", {name: value for name, value in record["options"].items() if name != "name"})
