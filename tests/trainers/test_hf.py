"""Hugging Face's TrainingArguments in the forms that people have them, their lengths, and what is refused."""

from __future__ import annotations

import json
from argparse import Namespace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from lrcore import Constant, Cosine, Linear, Plateau, Run, ScheduleError, from_name, from_trainer

COSINE = {"learning_rate": 1e-3, "lr_scheduler_type": "cosine"}
EXPECTED = Cosine(init_value=1e-3, decay_steps=90).warmup(10)
AUTO = dict.fromkeys(("warmup_min_lr", "warmup_max_lr", "warmup_num_steps", "total_num_steps"), "auto")


class SchedulerType(Enum):
    """As transformers has it."""

    COSINE = "cosine"


@pytest.mark.parametrize(
    "source",
    [
        {**COSINE, "max_steps": 100, "warmup_steps": 10},
        {**COSINE, "max_steps": "100", "warmup_steps": 0.1, "learning_rate": "1e-3"},
        {**COSINE, "max_steps": 100, "warmup_ratio": 0.1, "warmup_steps": 0, "lr_scheduler_kwargs": None},
        {**COSINE, "max_steps": 100, "warmup_steps": 10, "lr_scheduler_type": SchedulerType.COSINE},
        {**COSINE, "max_steps": 100, "warmup_steps": 10, "lr_scheduler_type": "SchedulerType.COSINE"},
        Namespace(**COSINE, max_steps=[100], warmup_steps=10, lr_scheduler_kwargs="{}"),
        {"training_args": {**COSINE, "max_steps": 100, "warmup_steps": 10}},
        "--learning_rate 1e-3 --lr-scheduler-type cosine --max_steps 100 --warmup_ratio=0.1",
        [
            "train.py",
            "--learning_rate",
            "1e-3",
            "--lr_scheduler_type",
            "cosine",
            "--max_steps",
            "100",
            "--warmup_steps",
            "10",
        ],
    ],
)
def test_forms(source: Any) -> None:
    assert from_trainer("hf", source).schedule == EXPECTED


@pytest.mark.parametrize(
    ("run", "facts", "updates"),
    [
        (Run(batches_per_epoch=1_001), {}, 753),
        (Run(batches_per_epoch=1_001), {"version": "4.45.2"}, 750),
        (Run(batches_per_epoch=1_001), {"version": "4"}, 753),
        (Run(batches_per_epoch=3), {"version": 4.45}, 3),
        (Run(updates_per_epoch=251), {}, 753),
        (Run(dataset_size=16_005, batch_size=64), {}, 753),
        (Run(total=100), {}, 100),
    ],
)
def test_epochs_count_in_updates(run: Run, facts: dict[str, Any], updates: int) -> None:
    options = {**COSINE, "num_train_epochs": 3, "gradient_accumulation_steps": 4}
    assert from_trainer("hf", options, run=run, **facts).schedule.length == updates  # type: ignore[union-attr]


def test_what_is_accumulated_may_be_said_by_the_run() -> None:
    schedule = from_trainer(
        "hf", {**COSINE, "num_train_epochs": 3}, run=Run(batches_per_epoch=1_001, accumulate=4)
    ).schedule
    assert schedule == Cosine(init_value=1e-3, decay_steps=753)


def test_the_options_of_a_name_may_be_a_table_or_a_text() -> None:
    expected = from_name(
        "cosine_with_min_lr", learning_rate=1e-3, num_training_steps=100, num_warmup_steps=0, min_lr=1e-5
    )
    for kwargs in ({"min_lr": 1e-5}, '{"min_lr": "1e-5"}', "{'min_lr': 1e-05}"):
        options = {**COSINE, "lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": kwargs, "max_steps": 100}
        assert from_trainer("hf", options).schedule == expected


def test_what_was_taken_for_granted_and_what_differs_is_noted() -> None:
    taken = from_trainer("hf", {"lr_scheduler_type": "cosine", "max_steps": 9, "warmup_step": 3})
    assert taken.notes == (
        "There is no learning_rate: 5e-05, the default of TrainingArguments, was taken.",
        "From update 9 on the trainer's cosine turns back, and lrcore holds its last value.",
        "Not used: warmup_step.",
    )
    assert from_trainer("hf", {"max_steps": 9}, lr=0.1).schedule == Linear(init_value=0.1, decay_steps=9)


def test_a_name_without_an_end_needs_no_length_and_a_plateau_no_warmup() -> None:
    options = {"learning_rate": 1e-3, "lr_scheduler_type": "constant_with_warmup", "warmup_steps": 5}
    assert from_trainer("hf", options).schedule == Constant(1e-3).warmup(5)
    taken = from_trainer("hf", {**options, "lr_scheduler_type": "reduce_lr_on_plateau"})
    assert isinstance(taken.schedule, Plateau)
    assert taken.notes == (
        "A warmup has no effect: reduce_lr_on_plateau has none.",
        "The plateau is told metric_for_best_model after each evaluation.",
    )


def test_a_scheduler_of_deepspeed_is_filled_and_used(tmp_path: Path) -> None:
    arguments = {**COSINE, "max_steps": 100, "warmup_steps": 10}
    config = {"scheduler": {"type": "WarmupDecayLR", "params": AUTO}}
    path = tmp_path / "ds.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    params = {"warmup_max_lr": 1e-3, "warmup_num_steps": 10, "total_num_steps": 100}
    expected = from_trainer("deepspeed", {"scheduler": {"type": "WarmupDecayLR", "params": params}}).schedule
    for given in (config, str(path), json.dumps(config)):
        taken = from_trainer("hf", {**arguments, "deepspeed": given})
        assert taken.schedule == expected
        assert taken.notes == ("The scheduler of the DeepSpeed configuration is used, not that of the arguments.",)
    without = {**arguments, "deepspeed": {"zero_optimization": {"stage": 2}}}
    assert from_trainer("hf", without).schedule == EXPECTED


@pytest.mark.parametrize(
    ("options", "run", "message"),
    [
        ({}, Run(), "hf: expected the run's updates_per_epoch; got none"),
        (
            {"max_steps": 5},
            Run(total=9),
            "hf: max_steps: expected 9 updates, which the run's total says, or no total; got 5",
        ),
        ({"max_steps": 5, "warmup_steps": 2, "warmup_ratio": 0.1}, Run(), "say which by version='4' or version='5'"),
        ({"lr_scheduler": "cosine"}, Run(), "hf: lr_scheduler: expected TrainingArguments' own names"),
        ({"lr_scheduler_type": "cosin"}, Run(total=9), "hf: lr_scheduler_type: expected one of linear, cosine"),
        ({"lr_scheduler_type": "greedy"}, Run(total=9), "hf: lr_scheduler_type: greedy has no schedule"),
        (
            {"lr_scheduler_kwargs": {"min_lr": 1}},
            Run(total=9),
            "hf: lr_scheduler_kwargs: expected options from learning_rate, num_warmup_steps, num_training_steps",
        ),
        (
            {"max_steps": 5, "deepspeed": {"scheduler": {"type": "WarmupLR", "params": {"warmup_max_lr": 1}}}},
            Run(),
            "scheduler.params.warmup_max_lr: expected auto, or 0.001 as in TrainingArguments; got 1",
        ),
    ],
)
def test_refusals(options: dict[str, Any], run: Run, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        from_trainer("hf", {"learning_rate": 1e-3, **options}, run=run)
    assert message in str(caught.value)


def test_more_cycles_than_a_schedule_holds_are_refused() -> None:
    config = {"lr_scheduler_type": "cosine_with_restarts", "max_steps": 9, "lr_scheduler_kwargs": {"num_cycles": 1e30}}
    with pytest.raises(ScheduleError, match=r"lr_scheduler_kwargs\.num_cycles: expected at most 10000; got 1e\+30"):
        from_trainer("hf", config)


@pytest.mark.parametrize("name", ["learning_rate", "num_training_steps", "name"])
def test_what_the_trainer_gives_is_refused_in_the_kwargs(name: str) -> None:
    config = {"lr_scheduler_type": "cosine", "max_steps": 9, "lr_scheduler_kwargs": {name: 1}}
    with pytest.raises(
        ScheduleError, match=rf"lr_scheduler_kwargs\.{name}: expected none, for the trainer gives it; got 1"
    ):
        from_trainer("hf", config)
