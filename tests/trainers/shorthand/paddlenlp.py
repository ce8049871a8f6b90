"""PaddleNLP's records hold the options of the class or of get_scheduler in the words of a script, and the class in `trainer`."""

from __future__ import annotations

from typing import Any

from lrcore import Run
from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = {name: value for name, value in record["options"].items() if name != "name"}
    total = options.pop("training_steps", options.pop("total", None))
    name = record["trainer"].split()[-1]
    if name.endswith("WithWarmupDecay"):
        options = {"class": name, **options}
    return Given("paddlenlp", options, Run(total=total))
