"""espnet's records hold the scheduler's name, its options and the optimizer's rate in one table."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given

_NAMES = {"cosineannealwarmuprestart": "cosineannealingwarmuprestarts"}


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    lr, total, scheduler = options.pop("lr", None), options.pop("total", None), options.pop("scheduler")
    source = {"scheduler": _NAMES.get(scheduler, scheduler), "scheduler_conf": options}
    return Given("espnet", source, Run(total=total), {} if lr is None else {"lr": lr})
