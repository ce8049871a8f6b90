"""Constructors under names from elsewhere: their values at the telling steps, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

import lrcore

RUN = {"num_warmup_steps": 10, "num_training_steps": 110}


def test_options_that_a_name_does_not_use_may_be_given_as_theirs_may() -> None:
    assert lrcore.from_name("constant", learning_rate=0.1, **RUN) == lrcore.Constant(0.1)


def test_warmup_that_takes_the_whole_run_still_reaches_the_learning_rate() -> None:
    schedule = lrcore.from_name("linear", learning_rate=0.1, num_warmup_steps=10, num_training_steps=10)
    assert isinstance(schedule, lrcore.Schedule)
    assert [schedule(step) for step in (5, 9, 10)] == [0.05, pytest.approx(0.09), 0.0]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosin", RUN, r"from_name: expected one of .*; got 'cosin'; did you mean 'cosine'\?"),
        ("linear", {}, r"linear\.num_warmup_steps: required"),
        ("cosine", {"num_warmup_steps": 1}, r"cosine\.num_training_steps: required"),
        ("cosine", {**RUN, "num_cycle": 2}, r"cosine: expected options from .*; did you mean 'num_cycles'\?"),
        ("cosine_with_min_lr", RUN, r"cosine_with_min_lr\.min_lr: expected either min_lr or min_lr_rate"),
        ("cosine_with_min_lr", {**RUN, "min_lr": 0.1, "min_lr_rate": 0.1}, "expected either min_lr or min_lr_rate"),
        ("warmup_stable_decay", {"num_warmup_steps": 1, "num_decay_steps": 1}, "num_stable_steps: required"),
        ("reduce_lr_on_plateau", {"threshold_mode": "relative"}, "expected one of rel, abs; got 'relative'"),
        ("greedy", RUN, "greedy has no schedule"),
    ],
)
def test_what_a_name_cannot_be_is_said(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore.from_name(name, learning_rate=0.1, **options)


def test_plateau_has_the_limits_of_the_rate_as_parts_of_it() -> None:
    plateau = lrcore.from_name("reduce_lr_on_plateau", learning_rate=0.1, factor=0.1, patience=0, min_lr=0.02)
    assert isinstance(plateau, lrcore.Plateau)
    state = plateau.update(plateau.update(plateau.initial(), 1.0), 1.0)
    assert plateau.value(0, state) == pytest.approx(0.02)


def test_warmup_stable_decay_falls_in_its_last_updates() -> None:
    schedule = lrcore.warmup_stable_decay(
        peak_value=0.4, total_steps=100, warmup_steps=10, decay_steps=16, end_value=0.1, shape="1-sqrt"
    )
    assert [schedule(step) for step in (0, 10, 84, 88, 100, 999)] == pytest.approx([0, 0.4, 0.4, 0.25, 0.1, 0.1])
    with pytest.raises(lrcore.ScheduleError, match="expected at least warmup_steps \\+ decay_steps = 26; got 20"):
        lrcore.warmup_stable_decay(peak_value=0.4, total_steps=20, warmup_steps=10, decay_steps=16)


def test_one_cycle_has_the_real_knots_of_torch() -> None:
    schedule = lrcore.one_cycle(peak_value=1.0, total_steps=10, pct_start=0.5, div_factor=4, final_div_factor=2)
    assert [schedule(step) for step in (0, 4, 9, 20)] == [0.25, 1.0, 0.125, 0.125]
    between = lrcore.one_cycle(peak_value=1.0, total_steps=10, pct_start=0.35, shape="linear")
    assert max(between.values(range(10))) < 1.0  # the peak lies at 2.5


def test_one_cycle_without_a_rise_is_already_falling() -> None:
    schedule = lrcore.one_cycle(peak_value=1.0, total_steps=10, pct_start=0.0, shape="linear", final_div_factor=1)
    assert schedule(0) == pytest.approx(0.904)
    assert schedule(9) == pytest.approx(0.04)
