"""Records whose options are nearly the trainer's own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given | None:
    options = {name: value for name, value in record["options"].items() if name != "config"}
    found = next((write for prefix, write in _TRAINERS.items() if record["trainer"].startswith(prefix)), None)
    return found(options) if found else None


_TRAINERS: dict[str, Callable[[dict[str, Any]], Given]] = {
    "big_vision": lambda options: Given("big_vision", options),
    "caffe": lambda options: Given("caffe", options),
    "darknet": lambda options: Given("darknet", {"net": options}, float32=True),
    "scenic": lambda options: Given("scenic", {"lr_configs": {"learning_rate_schedule": "compound", **options}}),
}
