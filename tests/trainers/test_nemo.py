"""NeMo's configurations: their forms, the length of the run, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import Constant, Cosine, Plateau, Run, Schedule, ScheduleError


def rates(sched: dict[str, Any], run: Run | None = None, lr: float = 0.1, **others: Any) -> Schedule:
    source = {"model": {"optim": {"lr": lr, "sched": sched}}, **others}
    found = lrcore.from_trainer("nemo", source, run=run).schedule
    assert isinstance(found, Schedule)
    return found


NAMES = {"name": "CosineAnnealing", "warmup_steps": 9, "min_lr": 0.05}
COSINE = Cosine(init_value=0.1, end_value=0.05, decay_steps=91).warmup(9, init_value=0.01)


@pytest.mark.parametrize(
    "source",
    [
        {"model": {"optim": {"lr": 0.1, "sched": {**NAMES, "max_steps": 100}}}},
        {"optim": {"lr": "0.1", "sched": NAMES}, "trainer": {"max_steps": 100}},
        {"optim": {"lr": 0.1, "sched": {**NAMES, "max_steps": None}}, "trainer": {"max_epochs": 10, "max_steps": -1}},
        {"lr": 0.1, "sched": {"name": "cosineannealing", "max_steps": 100, "args": {"name": "auto", "params": NAMES}}},
        {"_target_": "nemo.core.config.schedulers.CosineAnnealingParams", **NAMES, "name": None, "t_max_epochs": 10},
        [
            "model.optim.lr=0.1",
            "++model.optim.sched.max_steps=100",
            *(f"model.optim.sched.{k}={v}" for k, v in NAMES.items()),
        ],
    ],
)
def test_a_configuration_is_read_in_each_of_its_forms(source: Any) -> None:
    asks_epochs = "epochs" in str(source)
    run = Run(updates_per_epoch=10) if asks_epochs else Run()
    lr = {} if "lr" in str(source).replace("min_lr", "") else {"lr": 0.1}
    assert lrcore.from_trainer("nemo", source, run=run, **lr).schedule == COSINE


def test_references_are_followed_and_unused_options_of_any_form_are_notes() -> None:
    params = {"warmup_steps": "${model.warmup}", "max_steps": 100, "min_lr": 0.05, "decay": 3}
    old = {"name": "CosineAnnealing", "args": {"name": "auto", "params": params}}
    for sched in (old, {"name": "CosineAnnealing", **params}):
        taken = lrcore.from_trainer("nemo", {"model": {"warmup": 9, "optim": {"lr": 0.1, "sched": sched}}})
        assert taken.schedule == COSINE
        assert "decay." in taken.notes[0]


def test_the_epochs_of_the_trainer_are_counted_in_groups_of_batches() -> None:
    trainer = {"max_epochs": 3, "accumulate_grad_batches": 4, "limit_train_batches": 0.5}
    found = rates({"name": "WarmupAnnealing"}, Run(batches_per_epoch=41), trainer=trainer)
    assert found.length == 15


def test_the_floor_holds_after_the_last_update() -> None:
    found = rates({"name": "InverseSquareRootAnnealing", "max_steps": 8, "min_lr": 0.001})
    assert [found(step) for step in (3, 8, 9)] == pytest.approx([0.05, 0.1 / 3, 0.001])


def test_a_root_without_a_rate_says_so() -> None:
    sched = {"name": "T5InverseSquareRootAnnealing", "constant_steps": 4, "max_steps": 100}
    taken = lrcore.from_trainer("nemo", {"sched": sched})
    assert taken.notes == ("T5InverseSquareRootAnnealing does not use the optimizer's rate.",)
    assert isinstance(taken.schedule, Schedule)
    assert [taken.schedule(step) for step in (0, 4, 25)] == [0.5, 0.5, 0.2]


def test_torch_classes_are_taken_too() -> None:
    assert rates({"name": "ExponentialLR", "gamma": 0.5}, Run(updates_per_epoch=5))(10) == 0.025
    taken = lrcore.from_trainer(
        "nemo", {"lr": 0.1, "sched": {"name": "ReduceLROnPlateau", "patience": 3, "min_lr": 0.05}}
    )
    assert taken.schedule == Plateau(Constant(0.1), patience=3, min_scale=0.5, eps=1e-7, arithmetic="torch")


def test_momentum_cycles_against_the_rate() -> None:
    sched = {"name": "CyclicLR", "base_lr": 0.1, "max_lr": 0.5, "step_size_up": 4}
    assert lrcore.from_trainer("nemo", {"sched": sched}).also["momentum"](4) == 0.8


@pytest.mark.parametrize(
    ("sched", "run", "problem"),
    [
        (
            {"name": "CosineAnneling"},
            None,
            "optim.sched.name: expected one of WarmupPolicy, ",
        ),
        ({"name": "CosineAnnealing"}, None, "nemo: expected the run's total, in updates"),
        (
            {"name": "CosineAnnealing", "max_steps": -1},
            None,
            "expected the run's updates, for with -1 NeMo makes no scheduler",
        ),
        (
            {"name": "CosineAnnealing", "max_steps": 9},
            Run(total=10),
            "run.total: expected 9, which the configuration says",
        ),
        (
            {"name": "CosineAnnealing", "max_steps": 9, "min_lr": 1},
            None,
            "expected at most the optimizer's rate, 0.1; got 1",
        ),
        (
            {"name": "WarmupPolicy", "warmup_steps": 1, "warmup_ratio": 0.1, "max_steps": 9},
            None,
            "expected warmup_steps or warmup_ratio; got",
        ),
        ({"name": "NoamHoldAnnealing", "max_steps": 9}, None, "expected a warmup, without which NeMo refuses"),
        ({"name": "NoamAnnealing", "max_steps": 9}, None, "optim.sched.d_model: expected a number > 0; got none"),
        (
            {"name": "T5InverseSquareRootAnnealing", "max_steps": 9},
            None,
            "constant_steps: expected an integer >= 1; got none",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(sched: dict[str, Any], run: Run | None, problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        rates(sched, run)


@given(total=st.integers(1, 300), warmup=st.integers(0, 320), hold=st.integers(0, 100), low=st.floats(0, 0.1))
def test_a_held_rate_falls_as_its_formula_says(total: int, warmup: int, hold: int, low: float) -> None:
    lengths = {"max_steps": total, "warmup_steps": warmup, "hold_steps": hold}
    found = rates({"name": "WarmupHoldAnnealLinear", "min_lr": low, **lengths})
    for step in range(total + 3):
        expected = low if step > total else 0.1  # what holds where neither rule below does
        if warmup and step <= warmup:
            expected = 0.1 * (step + 1) / (warmup + 1)
        elif step < warmup + hold:
            expected = 0.1
        elif step <= total and total > warmup + hold:
            expected = 0.1 - (0.1 - low) * (step - warmup - hold) / (total - warmup - hold)
        assert math.isclose(found(step), expected, abs_tol=1e-13)
