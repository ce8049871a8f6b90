from __future__ import annotations

from typing import Any

import pytest

import lrcore
from lrcore import Run, Schedule, ScheduleError, from_trainer

_KEYS = ("class", "_target_", "type", "name")


@pytest.mark.parametrize(
    "source",
    [
        {"learning_rate": 3e-05, "warmup_ratio": 0.1, "max_steps": 100, "do_train": True, "output_dir": "x"},
        ["--learning_rate", "3e-5", "--warmup-steps", "10", "--max_steps", "100"],
        {"learning_rate": 3e-05, "lr_scheduler_type": "LINEAR", "warmup_steps": 10, "max_steps": 100},
    ],
)
def test_files_and_flags_say_the_same(source: Any) -> None:
    taken = from_trainer("paddlenlp", source)
    assert taken.schedule == lrcore.Linear(init_value=3e-5, decay_steps=90).warmup(10)
    assert taken.notes == ()


def test_a_class_may_stand_under_any_usual_name() -> None:
    arguments = {"max_lr": 3e-5, "min_lr": 3e-6, "warmup_step": 30, "decay_step": 100}
    found = [from_trainer("paddlenlp", {key: "CosineAnnealingWithWarmupDecay", **arguments}) for key in _KEYS]
    assert all(one == found[0] for one in found)
    assert from_trainer("paddlenlp", {"name": "a-run", "max_steps": 9}).schedule == lrcore.Linear(
        init_value=5e-5, decay_steps=9
    )


def test_a_script_for_large_models_is_one_update_ahead() -> None:
    config = {
        "learning_rate": 3e-5,
        "min_learning_rate": 3e-6,
        "warmup_steps": 30,
        "decay_steps": 100,
        "max_steps": 120,
    }
    expected = lrcore.Linear(init_value=3e-5, end_value=3e-6, decay_steps=70).warmup(30)
    assert from_trainer("paddlenlp", config).schedule == lrcore.Shift(expected, 1)
    own = {
        "class": "LinearAnnealingWithWarmupDecay",
        "max_lr": 3e-5,
        "min_lr": 3e-6,
        "warmup_step": 30,
        "decay_step": 100,
    }
    assert from_trainer("paddlenlp", own).schedule == expected
    assert from_trainer("paddlenlp", {**own, "last_epoch": 0}).schedule == lrcore.Shift(expected, 1)


def test_epochs_are_whole_groups_of_batches() -> None:
    config = {"learning_rate": 1.0, "num_train_epochs": 2.5, "gradient_accumulation_steps": 4}
    found = from_trainer("paddlenlp", config, run=Run(batches_per_epoch=11)).schedule
    assert found == lrcore.Linear(init_value=1.0, decay_steps=5)
    assert from_trainer("paddlenlp", config, run=Run(updates_per_epoch=2)).schedule == found
    assert from_trainer("paddlenlp", config, run=Run(total=5)).schedule == found


def test_a_cosine_that_rises_again_is_noted() -> None:
    taken = from_trainer("paddlenlp", {"lr_scheduler_type": "cosine", "max_steps": 10}, lr=1.0)
    assert taken.notes == ("Past the end of the run PaddleNLP's cosine rises again; here the last value holds.",)
    assert isinstance(taken.schedule, Schedule)
    assert taken.schedule(15) == 0.0


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"lr_scheduler_type": "cosin"}, "'cosine'"),
        ({"lr_scheduler_type": "cosine"}, "expected the run's updates_per_epoch"),
        ({"class": "NoamDecay"}, "or an AnnealingWithWarmupDecay; got NoamDecay"),
        ({"warmup_steps": 1.5, "max_steps": 9}, "expected an integer; got 1.5"),
    ],
)
def test_what_has_no_equal_is_refused(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        from_trainer("paddlenlp", config, lr=1.0)
    assert problem in str(error.value)


def test_a_run_that_contradicts_max_steps_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"run\.total: expected 100, which the configuration says, or none; got 50"):
        from_trainer("paddlenlp", {"max_steps": 100}, run=Run(total=50))


def test_an_unused_option_is_a_note() -> None:
    config = {"lr_scheduler_type": "linear", "warmup_step": 10, "max_steps": 100}
    assert from_trainer("paddlenlp", config, lr=1.0).notes == ("Not used: warmup_step.",)
