"""axolotl's YAML: lengths, its own schedules, groups, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lrcore import Cosine, Run, ScheduleError, from_trainer

YAML = {"learning_rate": "2e-4", "lr_scheduler": "cosine", "warmup_steps": 10}
RUN = Run(total=100)
EXPECTED = Cosine(init_value=2e-4, decay_steps=90).warmup(10)


@pytest.mark.parametrize(
    ("changes", "run"),
    [
        ({}, RUN),
        ({"max_steps": 100, "num_epochs": 7}, Run()),
        ({"warmup_steps": None, "warmup_ratio": 0.1}, RUN),
        ({"lr_scheduler": None}, RUN),
        ({"num_epochs": 2.5}, Run(dataset_size=1_270, batch_size=32)),
        ({"num_epochs": 2, "sample_packing": True}, Run(updates_per_epoch=50)),
        ({"num_epochs": 1, "gradient_accumulation_steps": 4}, Run(batches_per_epoch=399)),
    ],
)
def test_forms_and_lengths(changes: dict[str, Any], run: Run) -> None:
    assert from_trainer("axolotl", {**YAML, **changes}, run=run).schedule == EXPECTED


@pytest.mark.parametrize(
    ("warmup", "steps"),
    [({}, 3), ({"warmup_steps": 1}, 2), ({"warmup_steps": 0}, 0), ({"warmup_ratio": 0.079}, 7)],
)
def test_warmups(warmup: dict[str, Any], steps: int) -> None:
    options = {"learning_rate": 2e-4, "lr_scheduler": "cosine", **warmup}
    expected = Cosine(init_value=2e-4, decay_steps=100 - steps).warmup(steps)
    assert from_trainer("axolotl", options, run=RUN).schedule == expected


def test_a_floor_may_be_reached_before_the_end() -> None:
    options = {**YAML, "cosine_min_lr_ratio": 0.5, "cosine_constant_lr_ratio": 0.8}
    taken = from_trainer("axolotl", options, run=RUN)
    assert taken.schedule == Cosine(init_value=2e-4, end_value=1e-4, decay_steps=70).warmup(10)
    assert taken.notes == ()


def test_rex_falls_late_and_holds_its_floor() -> None:
    schedule = from_trainer("axolotl", {**YAML, "lr_scheduler": "rex", "cosine_min_lr_ratio": 0.1}, run=RUN).schedule
    left = 0.5
    expected = 2e-5 + 1.8e-4 * left / (0.1 + 0.9 * left)
    assert schedule(54) == pytest.approx(expected, rel=1e-14)  # type: ignore[operator]
    assert [schedule(update) for update in (0, 9, 99, 500)] == pytest.approx([2e-5, 2e-4, 2e-5, 2e-5], rel=1e-14)  # type: ignore[operator]


def test_groups_are_parts_of_the_rate() -> None:
    groups = {
        "lr_groups": [{"name": "attention", "modules": ["q_proj"], "lr": 1e-4}],
        "embedding_lr_scale": 0.5,
        "loraplus_lr_ratio": 16,
    }
    assert from_trainer("axolotl", {**YAML, **groups}, run=RUN).groups == {
        "lora_B": 16,
        "lora_embedding_B": 1e-6 / 2e-4,
        "attention": 0.5,
        "embeddings": 0.5,
    }


def test_a_deepspeed_file_that_is_not_there_is_noted() -> None:
    taken = from_trainer("axolotl", {**YAML, "deepspeed": "deepspeed_configs/zero2.json", "cosine_ratio": 1}, run=RUN)
    assert taken.notes == (
        "deepspeed_configs/zero2.json was not found, and taken for a DeepSpeed configuration without a scheduler.",
        "From update 100 on the trainer's cosine turns back, and lrcore holds its last value.",
        "Not used: cosine_ratio.",
    )


@pytest.mark.parametrize(
    ("changes", "run", "message"),
    [
        ({}, Run(), "axolotl: expected the run's updates_per_epoch; got none"),
        ({"max_steps": 9}, RUN, "run.total: expected 9, which the configuration says, or none; got 100"),
        ({"num_epochs": 3}, Run(batches_per_epoch=50), "num_epochs: expected the run's total, or its dataset_size"),
        ({"warmup_ratio": 0.1}, RUN, "warmup_ratio: expected warmup_steps or warmup_ratio; got both"),
        ({"lr_scheduler": "rexx"}, RUN, "lr_scheduler: expected one of"),
        (
            {"lr_scheduler": "rex", "warmup_steps": 101},
            RUN,
            "warmup_steps: expected at most the 100 updates of the run",
        ),
        (
            {"cosine_min_lr_ratio": 0.1, "cosine_constant_lr_ratio": 0.1},
            RUN,
            "cosine_constant_lr_ratio: expected a place past the warmup of 10; got update 10",
        ),
        (
            {"lr_scheduler": "one_cycle", "jagged_restart_steps": 40},
            RUN,
            "expected a schedule that can be asked at any update",
        ),
        (
            {"jagged_restart_steps": 10},
            RUN,
            "jagged_restart_steps: expected more than its warmup and its anneal; got 10",
        ),
    ],
)
def test_refusals(changes: dict[str, Any], run: Run, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        from_trainer("axolotl", {**YAML, **changes}, run=run)
    assert message in str(caught.value)
