"""OLMo's configurations: their forms, the length of the run, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import Constant, Cosine, Run, Schedule, ScheduleError, Shift

SCHEDULE = Shift(Cosine(init_value=0.1, end_value=0.05, decay_steps=90).warmup(10, init_value=0.02), 1)
COSINE = {"name": "cosine_with_warmup", "t_warmup": 10, "alpha_f": 0.5, "warmup_min_lr": 0.02}
BATCH: dict[str, Any] = {"global_train_batch_size": 4, "model": {"max_sequence_length": 10}}


def rates(own: dict[str, Any], run: Run | None = None, **others: Any) -> Schedule:
    found = lrcore.from_trainer(
        "olmo", {"optimizer": {"learning_rate": 0.1}, "scheduler": own, **others}, run=run
    ).schedule
    assert isinstance(found, Schedule)
    return found


@pytest.mark.parametrize(
    ("others", "run"),
    [
        ({"max_duration": 100}, None),
        ({"max_duration": "1e2"}, None),
        ({"max_duration": "4ep"}, Run(updates_per_epoch=25)),
        ({"max_duration": "3961T", **BATCH}, Run(total=100)),
        ({"max_duration": "3961T"}, Run(batch_size=4, tokens_per_sample=10)),
        ({}, Run(total=100)),
    ],
)
def test_the_length_of_the_run_is_read_in_each_of_its_forms(others: dict[str, Any], run: Run | None) -> None:
    assert rates(COSINE, run, **others) == SCHEDULE


@pytest.mark.parametrize(
    "own", [{**COSINE, "t_max": 100}, {**COSINE, "name": None, "t_max": "1e2", "t_warmup": "10.9"}]
)
def test_the_scheduler_alone_is_read(own: dict[str, Any]) -> None:
    assert lrcore.from_trainer("olmo", own, lr=0.1).schedule == SCHEDULE


def test_the_defaults_hold_where_there_is_no_table() -> None:
    source = {"run_name": "tiny", "optimizer": {"learning_rate": 0.1}, "max_duration": 1000}
    taken = lrcore.from_trainer("olmo", source)
    cosine = Cosine(init_value=0.1, end_value=0.1 * 0.1, decay_steps=900).warmup(100, init_value=0.1 * 0.1)
    assert (taken.schedule, taken.notes) == (Shift(cosine, 1), ())


def test_a_schedule_in_tokens_is_asked_after_the_tokens_of_the_update() -> None:
    own = {"name": "linear_with_warmup", "units": "tokens", "t_warmup": 60, "alpha_f": 0.0}
    found = rates(own, **BATCH, max_duration="200T")
    assert [found(step) for step in range(6)] == pytest.approx([0.07, 0.1 * 12 / 14, 0.1 * 8 / 14, 0.1 * 4 / 14, 0, 0])


def test_the_higher_of_two_is_a_join_where_they_cross() -> None:
    found = rates({"name": "max_scheduler", "t_warmup": 20, "alpha_f": 0.1, "t_max": 400})
    cosine = rates({"name": "cosine_with_warmup", "t_warmup": 20, "alpha_f": 0.1, "t_max": 400})
    root = rates({"name": "inverse_sqrt_with_warmup", "t_warmup": 20})
    assert all(found(step) == pytest.approx(max(cosine(step), root(step))) for step in range(4000))


def test_a_constant_takes_no_lengths_and_an_unknown_option_is_a_note() -> None:
    taken = lrcore.from_trainer("olmo", {"scheduler": {"name": "constant", "t_warmup": 9, "warmup": 3}}, lr=0.1)
    assert (taken.schedule, taken.notes) == (Constant(0.1), ("Not used: scheduler.warmup.",))


@pytest.mark.parametrize(
    ("own", "others", "problem"),
    [
        ({"name": "cosine"}, {}, "scheduler.name: expected one of cosine_with_warmup, linear_with_warmup"),
        (COSINE, {}, "olmo: expected the run's total, in updates"),
        (COSINE, {"max_duration": "9 days"}, "max_duration: expected a number > 0; got '9 days'"),
        (COSINE, {"max_duration": 9, "run": Run(total=8)}, "run.total: expected 9, which the configuration says"),
        ({**COSINE, "units": "tokens"}, {"max_duration": 9}, "expected the run's batch_size"),
        (
            {**COSINE, "warmup_min_lr": 0.1},
            {"max_duration": 9},
            "expected less than the optimizer's rate, 0.1; got 0.1",
        ),
        (
            COSINE,
            {"reset_optimizer_state": True, "load_path": "step9"},
            "OLMo lays another warmup over the one that goes on",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(own: dict[str, Any], others: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        rates(own, **others)


@given(total=st.integers(1, 300), warmup=st.integers(0, 320), alpha=st.floats(0, 1), low=st.none() | st.floats(0, 0.09))
def test_an_envelope_is_that_of_its_formula(total: int, warmup: int, alpha: float, low: float | None) -> None:
    own = {"name": "cosine_linear_envelope", "t_warmup": warmup, "alpha_f": alpha, "warmup_min_lr": low}
    found, first, last = rates(own, max_duration=total), 0.01 if low is None else low, 0.1 * alpha
    for step in range(1, total + 3):
        gone = min(1.0, (step - warmup) / (total - warmup)) if total > warmup else 1.0
        down = last + (1 - gone) * (0.1 - last) * (1 + math.cos(math.pi * gone)) / 2
        up = first + (0.1 - first) * step / warmup if warmup else 0.1
        assert math.isclose(found(step - 1), up if step < warmup else down, abs_tol=1e-14)
