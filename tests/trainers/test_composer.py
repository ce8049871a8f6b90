"""composer's and llm-foundry's configurations: their forms, their times, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import Constant, Cosine, Linear, Run, Schedule, ScheduleError, Taken


def taken(scheduler: dict[str, Any], run: Run | None = None, **others: Any) -> Taken:
    source = {"optimizer": {"lr": 0.1}, "scheduler": scheduler, **others}
    return lrcore.from_trainer("composer", source, run=run)


def schedule(scheduler: dict[str, Any], run: Run | None = None, **others: Any) -> Schedule:
    found = taken(scheduler, run, **others).schedule
    assert isinstance(found, Schedule)
    return found


COSINE = Cosine(init_value=0.1, end_value=0.05, decay_steps=90).warmup(10)


@pytest.mark.parametrize(
    "source",
    [
        {"scheduler": {"name": "cosine_with_warmup", "t_warmup": "10ba", "alpha_f": 0.5}, "max_duration": "100ba"},
        {"scheduler": {"cosine_with_warmup": {"t_warmup": "0.1dur", "alpha_f": "0.5"}}, "max_duration": "10ep"},
        {"schedulers": [{"cosine_decay_with_warmup": {"t_warmup": "1ep", "alpha_f": 0.5}}], "max_duration": 10},
        {"_target_": "composer.optim.CosineAnnealingWithWarmupScheduler", "t_warmup": "10BA", "alpha_f": [0.5]},
        {"name": "CosineAnnealingWithWarmupScheduler", "t_warmup": "1e1ba", "t_max": "100ba", "alpha_f": 0.5},
    ],
)
def test_a_configuration_is_read_in_each_of_its_forms(source: dict[str, Any]) -> None:
    run = Run(updates_per_epoch=10) if "max_duration" in source else Run(total=100)
    assert lrcore.from_trainer("composer", source, run=run, lr=0.1).schedule == COSINE


def test_references_are_followed() -> None:
    scheduler = {"cosine_with_warmup": {"t_warmup": "${variables.warmup}", "alpha_f": 0.5, "alpha": 1}}
    found = taken(scheduler, variables={"warmup": "10ba", "steps": "100ba"}, max_duration="${variables.steps}")
    assert (found.schedule, found.notes) == (COSINE, ("Not used: scheduler.cosine_with_warmup.alpha.",))


def test_a_share_of_the_run_is_cut_to_whole_batches_in_floats() -> None:
    warmup = {"name": "ConstantWithWarmupScheduler", "t_warmup": "0.29dur"}
    assert taken(warmup, max_duration="100ba").schedule == Constant(0.1).warmup(28)


def test_a_schedule_in_tokens_runs_by_their_clock() -> None:
    scheduler = {"name": "linear_decay_with_warmup", "t_warmup": "1000tok"}
    counted: dict[str, Any] = {"max_duration": "9000tok", "global_train_batch_size": 4, "max_seq_len": 100}
    found = schedule(scheduler, **counted)
    assert [found(step) for step in (0, 1, 3, 23)] == pytest.approx([0, 0.04, 0.1 * 78 / 80, 0], abs=1e-16)
    assert taken(scheduler, **counted).notes == ("Every batch is counted as a full one.",)


def test_the_warmup_is_not_scaled_with_the_schedule_unless_it_is_asked_for() -> None:
    linear = {"name": "LinearWithWarmupScheduler", "t_warmup": "10ba", "t_max": "100ba"}
    half = schedule(linear, max_duration="100ba", scale_schedule_ratio=0.5)
    assert [half(step) for step in (5, 10, 30, 50)] == pytest.approx([0.05, 0.1, 0.05, 0.0])
    scaled = schedule({**linear, "scale_warmup": True}, max_duration="100ba", scale_schedule_ratio=0.5)
    assert [scaled(step) for step in (4, 5, 9, 10)] == pytest.approx([0.08, 0.1, 0.1, 0.1])


def test_a_run_that_is_made_longer_stretches_t_max_which_composer_itself_does_not_compare_so() -> None:
    linear = {"name": "LinearWithWarmupScheduler", "t_warmup": "10ba", "t_max": "100ba"}
    found = taken(linear, max_duration="100ba", scale_schedule_ratio=2)
    assert found.schedule == Linear(init_value=0.1, decay_steps=190).warmup(10)
    assert found.notes == (
        "composer compares t_max with the scaled run and stops; lrcore scales both, as composer documents.",
    )


def test_a_scheduler_that_is_stepped_per_epoch_stands_still_in_each() -> None:
    linear = {"name": "LinearScheduler", "t_max": "4ep"}
    found = schedule(linear, Run(updates_per_epoch=5), max_duration="4ep", step_schedulers_every_batch=False)
    assert [found(step) for step in (0, 4, 5, 19)] == pytest.approx([0.1, 0.1, 0.075, 0.025])


def test_unused_options_and_restarts_that_go_on_are_notes() -> None:
    restarts = {"name": "CosineAnnealingWarmRestartsScheduler", "t_0": "10ba", "t_mult": 1.5, "alpha": 1}
    assert taken(restarts, max_duration="100ba").notes == (
        "The restarts are written out as far as twice the run; composer goes on with them, lrcore holds its last value.",
        "Not used: scheduler.alpha.",
    )


@pytest.mark.parametrize(
    ("scheduler", "others", "problem"),
    [
        ({"name": "cosin_with_warmup"}, {}, "did you mean 'cosine_with_warmup'"),
        ({"name": "cosine_decay", "t_max": "2h"}, {}, "scheduler.t_max: expected a time such as"),
        ({"name": "cosine_decay", "t_max": "1.5ba"}, {}, "scheduler.t_max: expected a time such as"),
        ({"name": "cosine_decay", "t_max": "0.001dur"}, {}, "expected a time that is not cut to 0"),
        ({"name": "step", "step_size": "2ep"}, {}, "expected the run's updates_per_epoch"),
        ({"name": "step", "step_size": "2sp"}, {}, "expected the run's batch_size"),
        ({"name": "constant_with_warmup", "t_warmup": "9sp"}, {}, "scheduler.t_warmup: expected the unit of t_max, ba"),
        (
            {"name": "constant_with_warmup", "t_warmup": "9ba", "t_max": "9ba"},
            {},
            "t_max: expected at least the run, 100ba",
        ),
        ({"name": "CosineAnnealingWarmRestartsScheduler", "t_0": "9ba", "t_mult": 0.5}, {}, "t_mult: expected cycles"),
        ({"name": "inv_sqrt_with_warmup", "t_warmup": "0.1dur"}, {}, "expected a time in the unit of max_duration, ba"),
        ({"name": "cosine_decay"}, {"run": Run(total=99)}, "run.total: expected 100, which the configuration says"),
    ],
)
def test_what_has_no_meaning_is_refused(scheduler: dict[str, Any], others: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        taken(scheduler, max_duration="100ba", **others)


def test_several_schedulers_are_refused() -> None:
    two = [{"step": {"step_size": "2ba"}}, {"constant": {}}]
    with pytest.raises(ScheduleError, match="composer applies the last alone though it says that they multiply"):
        lrcore.from_trainer("composer", {"schedulers": two}, lr=0.1)


@given(total=st.integers(2, 400), share=st.floats(0, 1), alpha=st.floats(0, 1), power=st.floats(0.1, 5))
def test_a_polynomial_is_that_of_its_formula(total: int, share: float, alpha: float, power: float) -> None:
    options = {"t_warmup": f"{share!r}dur", "alpha_f": alpha, "power": power}
    found = schedule({"name": "PolynomialWithWarmupScheduler", **options}, max_duration=f"{total}ba")
    warmup = int(share * total)
    for step in range(total + 3):
        gone = min(1.0, (step - warmup) / (total - warmup)) if total > warmup else 0.0
        factor = step / warmup if step < warmup else alpha + (1 - alpha) * (1 - gone) ** power
        assert math.isclose(found(step), 0.1 * factor, abs_tol=1e-13)


def test_the_run_itself_is_not_scaled_and_says_what_the_file_leaves_out() -> None:
    linear = {"name": "LinearScheduler", "t_max": "1dur"}
    assert schedule(linear, Run(total=100), scale_schedule_ratio=0.5).length == 100
    in_tokens = {"name": "LinearScheduler", "t_max": "4000tok"}
    found = schedule(in_tokens, Run(tokens_per_sample=100), global_train_batch_size=4)
    assert found(5) == pytest.approx(0.05)
    with pytest.raises(ScheduleError, match="expected 4, which the configuration says, or none; got 5"):
        schedule(in_tokens, Run(tokens_per_sample=100, batch_size=5), global_train_batch_size=4)
