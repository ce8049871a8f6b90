"""gpt-neox's records hold its YAML, with the optimizer's rate as `lr` and a remark in `name`."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name not in ("name", "lr")}
    optimizer = {"type": "Adam", "params": {"lr": record["options"]["lr"]}}
    return Given("gpt_neox", {**options, "optimizer": optimizer})
