"""axolotl's records hold its YAML, and the updates of the run as `total`."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name not in ("name", "total")}
    return Given("axolotl", options, run=Run(total=record["options"]["total"]))
