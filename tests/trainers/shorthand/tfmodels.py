"""The records of the Model Garden hold the options of decay and warmup in one table, and their classes in words."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    options = dict(record["options"])
    kind, _, warmup = options.pop("type").partition(" + ")
    config: dict[str, Any] = {}
    if warmup:
        name = warmup.split()[0]
        words = {
            "warmup_steps": "warmup_steps",
            "warmup_learning_rate": "warmup_learning_rate",
            "warmup_power": "power",
        }
        config["warmup"] = {"type": name, name: {words[one]: options.pop(one) for one in [*options] if one in words}}
    config["learning_rate"] = {"type": kind, kind: options}
    return Given("tf_models", {"trainer": {"optimizer_config": config}}, float32=True)
