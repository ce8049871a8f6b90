"""thinc's records hold the table of learn_rate as it is, and a remark."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    return Given("thinc", {"training": {"optimizer": {"learn_rate": options}}})
