"""fairseq's records hold the options of the class, whose name is in `trainer`."""

from __future__ import annotations

import re
from typing import Any

from lrcore import Run
from tests.trainers.records import Given

_NAMES = {
    "TriStageLRSchedule": "tri_stage",
    "InverseSquareRootSchedule": "inverse_sqrt",
    "PolynomialDecayLRSchedule": "polynomial_decay",
    "CosineLRSchedule": "cosine",
    "FixedLRSchedule": "fixed",
    "TriangularLRSchedule": "triangular",
    "StepLRSchedule": "step",
}


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    epoch = options.pop("updates_per_epoch", None)
    optimization = {name: options.pop(name) for name in ("lr", "max_update") if name in options}
    scheduler = {"_name": _NAMES[re.sub(r"^fairseq ", "", record["trainer"])], **options}
    return Given("fairseq", {"optimization": optimization, "lr_scheduler": scheduler}, Run(updates_per_epoch=epoch))
