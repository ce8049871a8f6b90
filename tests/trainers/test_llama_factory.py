"""LLaMA-Factory's YAML: what it adds to Hugging Face's arguments."""

from __future__ import annotations

from typing import Any

import pytest

from lrcore import Constant, Run, from_trainer

YAML = {
    "stage": "sft",
    "learning_rate": 1.0e-4,
    "lr_scheduler_type": "cosine",
    "num_train_epochs": 3.0,
    "warmup_ratio": 0.1,
}
RUN = Run(batches_per_epoch=400)


def test_the_schedules_are_those_of_hugging_face() -> None:
    yaml = {**YAML, "gradient_accumulation_steps": 8}
    assert from_trainer("llama_factory", yaml, run=RUN).schedule == from_trainer("hf", yaml, run=RUN).schedule


@pytest.mark.parametrize(
    ("kwargs", "stable", "decay"),
    [
        (None, 360, 720),
        ({"num_decay_steps": 100}, 360, 100),
        ('{"num_stable_steps": 500, "min_lr_ratio": 0.1}', 500, 720),
    ],
)
def test_the_lengths_of_warmup_stable_decay_are_completed(kwargs: Any, stable: int, decay: int) -> None:
    yaml = {**YAML, "lr_scheduler_type": "warmup_stable_decay", "lr_scheduler_kwargs": kwargs}
    end = 1e-5 if stable == 500 else 0.0
    expected = (
        Constant(1e-4).warmup(120, init_value=end).cooldown(decay, start=120 + stable, end_value=end, shape="cosine")
    )
    assert from_trainer("llama_factory", yaml, run=RUN).schedule == expected


def test_lora_plus_multiplies_the_rate_of_its_matrices() -> None:
    groups = from_trainer("llama_factory", {**YAML, "loraplus_lr_ratio": 16.0}, run=RUN).groups
    assert groups == {"lora_B": 16.0, "lora_embedding_B": pytest.approx(0.01)}
