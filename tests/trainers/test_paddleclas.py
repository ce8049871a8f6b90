from __future__ import annotations

from typing import Any

import pytest

import lrcore
from lrcore import Plateau, Run, Schedule, ScheduleError, Taken, from_trainer

COSINE = {"name": "Cosine", "learning_rate": 0.1, "warmup_epoch": 1}


def taken(lr: dict[str, Any], epochs: int = 5, epoch: int = 10) -> Taken:
    config = {"Global": {"epochs": epochs}, "Optimizer": {"name": "Momentum", "lr": lr}}
    return from_trainer("paddleclas", config, run=Run(batches_per_epoch=epoch))


def schedule(lr: dict[str, Any], epochs: int = 5, epoch: int = 10) -> Schedule:
    found = taken(lr, epochs, epoch).schedule
    assert isinstance(found, Schedule)
    return found


def test_the_file_and_its_part_say_the_same() -> None:
    whole = taken(COSINE)
    down = lrcore.Cosine(init_value=0.1, end_value=0.0, decay_steps=40)
    assert whole.schedule == lrcore.Repeat(down, mirror=True).warmup(10)
    assert whole.notes == ("Past the last epoch the cosine rises again, as PaddleClas' does.",)
    parts: list[dict[str, Any]] = [{**COSINE, "epochs": 5}, {"lr": COSINE, "Global": {"epochs": "5"}}]
    for part in parts:
        assert from_trainer("paddleclas", part, run=Run(updates_per_epoch=10)).schedule == whole.schedule
    assert from_trainer("paddleclas", COSINE, run=Run(updates_per_epoch=10, total=50)).schedule == whole.schedule
    without = {"name": "Cosine", "warmup_epoch": 1, "epochs": 5, "step_each_epoch": 10}
    assert from_trainer("paddleclas", without, lr=0.1).schedule == whole.schedule


def test_updates_are_whole_groups_of_batches() -> None:
    config = {"Global": {"epochs": 2, "update_freq": 4}, "Optimizer": {"lr": {"name": "Cosine", "learning_rate": 1.0}}}
    found = from_trainer("paddleclas", config, run=Run(batches_per_epoch=11)).schedule
    assert isinstance(found, Schedule)
    assert found(4) == 0.0


def test_milestones_move_by_the_warmup() -> None:
    own = {"name": "Piecewise", "decay_epochs": [1, 2], "values": [1.0, 0.5, 0.1], "warmup_epoch": 1}
    found = schedule(own)
    assert [found(step) for step in (0, 5, 10, 19, 20, 30)] == [0.0, 0.5, 1.0, 1.0, 0.5, 0.1]


def test_a_learning_rate_replaces_the_lists_of_piecewise() -> None:
    own = {"name": "Piecewise", "learning_rate": 1.0, "decay_epochs": [1], "values": [1.0, 0.5]}
    found = schedule(own, epochs=90, epoch=1)
    assert [found(step) for step in (29, 30, 60)] == [1.0, 0.1, pytest.approx(0.01)]
    assert "uses neither decay_epochs nor values" in taken(own, epochs=90).notes[0]


def test_by_epoch_is_constant_in_each() -> None:
    found = schedule({"name": "Step", "learning_rate": 1.0, "step_size": 2, "gamma": 0.5, "by_epoch": True})
    assert [found(step) for step in (19, 20, 39, 40)] == [1.0, 0.5, 0.5, 0.25]


def test_a_warmup_by_epochs_before_linear_has_the_stated_length() -> None:
    own = {"name": "Linear", "learning_rate": 1.0, "warmup_epoch": 2, "by_epoch": True}
    assert "as many epochs long as it has updates" in taken(own).notes[0]
    assert schedule(own)(20) == 1.0


def test_several_optimizers_are_groups() -> None:
    optimizers = [
        {"AdamW": {"scope": "all", "lr": COSINE}},
        {"SGD": {"scope": "CenterLoss", "lr": {"learning_rate": 0.5}}},
    ]
    found = from_trainer(
        "paddleclas", {"Global": {"epochs": 5}, "Optimizer": optimizers}, run=Run(updates_per_epoch=10)
    )
    assert found.schedule == taken(COSINE).schedule
    assert found.groups == {"CenterLoss": lrcore.Constant(0.5)}


def test_a_plateau_is_stepped_after_each_epoch() -> None:
    own = {"name": "ReduceOnPlateau", "learning_rate": 0.1, "factor": 0.5, "patience": 3, "by_epoch": True}
    found = taken(own).schedule
    assert isinstance(found, Plateau)
    assert (found.factor, found.patience, found.arithmetic) == (0.5, 3, "paddle")


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ({"name": "Cosin"}, "'Cosine'"),
        ({"name": "Cosine", "warmup_epoch": 1.55}, "expected whole steps, which Paddle requires; got 34.5"),
        (
            {"name": "Cosine", "warmup_epoch": 1, "warmup_start_lr": 2},
            "expected less than 1, to which the warmup leads",
        ),
        ({"name": "Step", "step_size": 0.05, "gamma": 0.1}, "expected at least one update"),
        ({"name": "MultiStepDecay", "milestones": [1], "gamma": 1}, "expected less than 1, as Paddle requires"),
        ({"name": "ReduceOnPlateau"}, "no metric after an update"),
        (
            {"name": "ReduceOnPlateau", "by_epoch": True, "warmup_epoch": 1},
            "the warmup of a plateau without its metric",
        ),
    ],
)
def test_what_has_no_equal_is_refused(own: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        taken({"learning_rate": 1.0, **own})
    assert problem in str(error.value)


def test_lengths_are_asked_for_and_may_not_contradict() -> None:
    with pytest.raises(ScheduleError, match=r"epochs: expected an integer >= 1; got none; give it as Global.epochs"):
        from_trainer("paddleclas", COSINE, run=Run(updates_per_epoch=10))
    with pytest.raises(ScheduleError, match="expected the run's updates_per_epoch"):
        from_trainer("paddleclas", {**COSINE, "epochs": 5})
    with pytest.raises(ScheduleError, match="that make the run's total, 60; got 5"):
        from_trainer("paddleclas", {**COSINE, "epochs": 5}, run=Run(updates_per_epoch=10, total=60))


def test_an_unused_option_is_a_note() -> None:
    assert taken({**COSINE, "min_lr": 0.1}).notes[-1] == "Not used: Optimizer.lr.min_lr."
