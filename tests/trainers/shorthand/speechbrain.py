"""speechbrain's records hold the class in `trainer`, its options, and the optimizer's own rate."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    lr, epoch = options.pop("optimizer_lr", None), options.pop("updates_per_epoch", None)
    target = "speechbrain.nnet.schedulers." + record["trainer"].removeprefix("speechbrain ")
    source = {"lr_annealing": {"_target_": target, **options}}
    facts = {} if lr is None else {"lr": lr}
    return Given("speechbrain", source, Run(updates_per_epoch=epoch), facts)
