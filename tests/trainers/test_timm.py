"""timm's arguments as people have them: args.yaml, flags, or those of create_scheduler_v2."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

import lrcore
from lrcore import Constant, Cosine, Every, Exponential, Join, Plateau, Run, Schedule, ScheduleError, from_trainer

EPOCHS = Run(updates_per_epoch=10)
COSINE = Every(Cosine(init_value=0.5, end_value=1e-6, decay_steps=30).warmup(5, init_value=1e-5), 10)


@pytest.mark.parametrize(
    ("source", "facts"),
    [
        ({"num_epochs": 30, "warmup_epochs": 5, "warmup_prefix": True, "min_lr": 1e-6}, {"lr": 0.5}),
        ({"sched": "cosine", "epochs": 30, "warmup_prefix": True, "min_lr": "1e-6", "lr": 0.5, "lr_noise": None}, {}),
        (Namespace(sched="cosine", epochs=30, warmup_epochs=[5], warmup_prefix=True, min_lr=1e-6), {"lr": 0.5}),
        ("--sched cosine --epochs 30 --warmup-prefix --min-lr 1e-6 --lr 0.5 --lr-cycle-limit 1", {}),
    ],
)
def test_the_forms_of_one_configuration_give_one_schedule(source: Any, facts: dict[str, Any]) -> None:
    assert from_trainer("timm", source, run=EPOCHS, **facts).schedule == COSINE


def test_a_warmup_is_laid_over_the_epochs_unless_it_is_a_prefix() -> None:
    options = {"num_epochs": 8, "warmup_epochs": 2, "step_on_epochs": False, "updates_per_epoch": 1, "warmup_lr": 0.0}
    schedule = from_trainer("timm", options, lr=1.0).schedule
    assert isinstance(schedule, Schedule)
    assert [round(schedule(update), 4) for update in range(4)] == [0.0, 0.5, 0.8536, 0.6913]


def test_the_defaults_are_those_of_the_function_whose_arguments_they_are() -> None:
    of_function = from_trainer("timm", {"sched": "step", "num_epochs": 300}, run=Run(updates_per_epoch=1), lr=1.0)
    of_train_py = from_trainer("timm", {"sched": "step", "epochs": 100}, run=Run(updates_per_epoch=1), lr=1.0)
    assert of_function.schedule == Exponential(init_value=1.0, decay_rate=0.1, decay_steps=90, staircase=True)
    assert isinstance(of_train_py.schedule, Join)  # five epochs of warmup, and 0.1 in 30
    assert of_train_py.notes == ("Not given, so that create_scheduler's own default holds: warmup_epochs.",)


@pytest.mark.parametrize(("opt", "lr"), [("sgd", 0.4), ("lamb", 0.2)])
def test_lr_base_is_scaled_by_the_batch_of_one_update(opt: str, lr: float) -> None:
    options = {"sched": "constant", "warmup_epochs": 0, "lr": None, "lr_base": 0.1, "opt": opt, "batch_size": 128}
    run = Run(batch_size=1024, updates_per_epoch=10)
    assert from_trainer("timm", options, run=run).schedule == Every(Constant(lr), 10)
    with pytest.raises(ScheduleError, match=r"expected the run's batch_size, the samples of one update; got none"):
        from_trainer("timm", options, run=EPOCHS)


def test_a_plateau_is_torchs_machine_over_the_warmup() -> None:
    options = {"sched": "plateau", "epochs": 20, "warmup_epochs": 2, "patience_epochs": 3, "eval_metric": "loss"}
    taken = from_trainer("timm", {**options, "decay_rate": 0.5}, run=EPOCHS, lr=0.1)
    assert isinstance(taken.schedule, Plateau)
    assert (taken.schedule.patience, taken.schedule.mode, taken.schedule.arithmetic) == (3, "min", "torch")
    assert "No metric of the first 2 epochs counts" in taken.notes[0]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"noise": [0.4, 0.9]}, "timm: noise: expected none, for noise that is drawn anew at each step has no equal"),
        ({"epochs": 3, "num_epochs": 3}, "timm: epochs: expected the arguments of train.py or those of create_sch"),
        ({"k_decay": 2}, "timm: k_decay: expected 1, for a cosine of a power of the time has no equal; got 2"),
        ({"sched": "poly", "k_decay": 2, "decay_rate": 0.9}, "timm: k_decay: expected 1, for a polynomial of a"),
        ({"sched": "wsd", "num_epochs": 4, "decay_epochs": 5}, "decay_epochs: expected a fall between 0 and the 4"),
        ({"sched": "rsqrt", "num_epochs": 4}, "timm: stable_timescale: expected a number > 0 where there is no warmup"),
        ({"sched": "multistep", "decay_milestones": [5, 3]}, r"expected rising epochs; got \[5, 3\]"),
        ({"sched": "cosin"}, "timm: sched: expected one of .*; got 'cosin'; did you mean 'cosine'"),
        ({"cycle_mul": 0.5}, "timm: cycle_mul: expected a number >= 1; got 0.5"),
        ({"sched": "plateau", "step_on_epochs": False}, "timm: sched: expected a schedule by epochs for plateau"),
    ],
)
def test_what_has_no_equal_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("timm", options, run=EPOCHS, lr=0.1)


def test_a_run_of_another_length_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"run.total: expected 300, which the configuration says, or none; got 200"):
        from_trainer("timm", {"num_epochs": 30}, run=Run(updates_per_epoch=10, total=200), lr=0.1)


def test_what_the_schedule_does_not_use_is_a_note() -> None:
    taken = from_trainer("timm", {"num_epochs": 30, "patience_epochs": 5, "decay_rate": 0.3}, run=EPOCHS, lr=0.1)
    assert taken.notes == ("Not used: patience_epochs, decay_rate.",)
    assert lrcore.loads(lrcore.dumps(taken.schedule, "yaml"), "yaml") == taken.schedule
