"""transformers' records hold TrainingArguments, and a remark in `name`; LLaMA-Factory's are among them."""

from __future__ import annotations

from typing import Any

from tests.trainers.records import Given


def given(record: dict[str, Any]) -> Given:
    trainer = "llama_factory" if "llama" in record["trainer"].lower() else "hf"
    return Given(trainer, {name: value for name, value in record["options"].items() if name != "name"})
