"""wenet's records hold its own tables; the class is in `trainer`."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given

_NAMES = {"wenet WarmupLR": "warmuplr", "wenet NoamHoldAnnealing": "NoamHoldAnnealing"}


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    return Given("wenet", {"scheduler": _NAMES[record["trainer"]], **options})
