"""Records of trainers whose options are written as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given | None:
    found = next((make for name, make in TRAINERS.items() if record["trainer"].startswith(name)), None)
    return None if found is None else found(record["options"])


def _big_vision(options: dict[str, Any]) -> Given:
    return Given("big_vision", options)


def _scenic(options: dict[str, Any]) -> Given:
    return Given("scenic", {"lr_configs": {"learning_rate_schedule": "compound", **options}})


TRAINERS: dict[str, Callable[[dict[str, Any]], Given]] = {"big_vision": _big_vision, "scenic": _scenic}
"""By how the trainer's name in the record begins."""
