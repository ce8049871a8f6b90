"""Detectron2's records hold the SOLVER."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    return Given("detectron2", {"SOLVER": record["options"]})
