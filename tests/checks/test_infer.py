"""`infer` gives the very schedule that a log was made by, or says why the log does not tell it."""

from __future__ import annotations

import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrcore
from lrcore import Schedule
from lrcore.checks.infer import Inferred, infer
from tests.checks.infer_report import totals
from tests.checks.infer_runs import draw

EVERY_10 = range(0, 1_200, 10)
FORMS: dict[str, Schedule] = {
    "constant": lrcore.Constant(3e-4).warmup(100),
    "linear": lrcore.Linear(init_value=3e-4, end_value=3e-5, decay_steps=900).warmup(100),
    "linear without an end": lrcore.Linear(init_value=3e-4, decay_steps=2_000),
    "cosine": lrcore.Cosine(init_value=3e-4, end_value=3e-5, decay_steps=937).warmup(123, init_value=1e-6),
    "cosine that goes on": lrcore.Cosine(init_value=6e-4, end_value=6e-5, decay_steps=37_812).warmup(100),
    "cosine that swings back": lrcore.Repeat(lrcore.Cosine(init_value=3e-4, decay_steps=700), mirror=True),
    "polynomial": lrcore.Polynomial(init_value=3e-4, end_value=1e-7, decay_steps=950, power=2.0).warmup(50),
    "power below 1": lrcore.Polynomial(init_value=0.02, decay_steps=1_500, power=0.9),
    "exponential": lrcore.Exponential(init_value=0.1, decay_rate=0.97, decay_steps=240).warmup(30),
    "inverse square root": lrcore.InverseTime(init_value=5e-4, decay_steps=400, power=0.5).warmup(400, init_value=1e-7),
    "inverse time": lrcore.InverseTime(init_value=0.01, decay_steps=150),
    "equal stairs": lrcore.Exponential(init_value=0.1, decay_rate=0.1, decay_steps=300, staircase=True),
    "stairs": lrcore.PiecewiseConstant(boundaries=[600, 900], values=[0.1, 0.02, 0.01]),
    "warmup-stable-decay": lrcore.Constant(1e-3).warmup(60).cooldown(200, start=1_000, end_value=1e-4, shape="1-sqrt"),
    "cosine cooldown": lrcore.Constant(1e-3).warmup(60).cooldown(200, start=900, shape="cosine"),
    "exponential cooldown": lrcore.Constant(3e-5).cooldown(400, start=600, end_value=1.5e-6, shape="exponential"),
    "one-cycle": lrcore.one_cycle(init_value=0.004, peak_value=0.1, end_value=4e-7, total_steps=1_150),
    "straight one-cycle": lrcore.one_cycle(
        init_value=0.004, peak_value=0.1, end_value=4e-7, total_steps=1_155, shape="linear"
    ),
    "restarts": lrcore.Repeat(lrcore.Cosine(init_value=0.05, end_value=0.001, decay_steps=230)),
    "longer restarts": lrcore.Repeat(
        lrcore.Cosine(init_value=0.05, decay_steps=170), length_factor=2, value_factor=0.5
    ),
    "restarts that end": lrcore.Repeat(lrcore.Cosine(init_value=1e-4, decay_steps=225))
    .warmup(40)
    .cooldown(0, start=940),
    "per epoch": lrcore.Every(lrcore.Cosine(init_value=0.1, decay_steps=30), steps=50),
}


def logged(schedule: Schedule, steps: range, lag: int = 0) -> Inferred:
    """What is inferred from the rates that a run of a schedule logs."""
    return infer((steps, schedule.values(np.maximum(np.array(steps) - lag, 0))))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_recovered_to_the_number(name: str) -> None:
    found = logged(FORMS[name], EVERY_10)
    assert found.schedule == FORMS[name], str(found)
    assert (found.lag, found.exit_status) == (0, 0)


@pytest.mark.parametrize("name", ["linear", "cosine", "exponential", "warmup-stable-decay", "one-cycle", "restarts"])
def test_a_log_that_is_one_update_late_is_noticed(name: str) -> None:
    found = logged(FORMS[name], range(1, 1_201), lag=1)
    assert found.schedule == FORMS[name], str(found)
    assert found.lag == 1
    assert "Row n of the log shows the rate of update n - 1, counted from 0." in found.sentences


def test_a_given_clock_is_not_fitted() -> None:
    steps = np.arange(1, 500)
    rates = FORMS["cosine"].values(steps - 1)
    assert infer((steps, rates), clock="n-1").schedule == FORMS["cosine"]
    assert infer((steps, rates), clock="n").schedule != FORMS["cosine"]


STEPPED = lrcore.PiecewiseConstant(boundaries=[600, 900], values=[0.1, 0.02, 0.01]).warmup(100)


@pytest.mark.parametrize("schedule", [FORMS["cosine"], STEPPED])
def test_rates_of_float32_are_recovered(schedule: Schedule) -> None:
    assert infer((EVERY_10, schedule.values(EVERY_10).astype(np.float32))).schedule == schedule


def test_rates_of_six_digits_are_recovered() -> None:
    rates = [float(f"{rate:.5e}") for rate in FORMS["linear"].values(EVERY_10)]
    assert infer((EVERY_10, rates)).schedule == FORMS["linear"]


def test_the_sentences_say_how_many_points_each_piece_explains() -> None:
    assert logged(FORMS["linear"], EVERY_10).sentences == (
        "All 120 points, of updates 0 to 1,190, fit:",
        "  a linear warmup from 0 to 0.0003 in 100 updates (10 points),",
        "  a line from 0.0003 to 3e-05 in 900 updates (90 points),",
        "  then a constant 3e-05 (20 points).",
        "Row n of the log shows the rate of update n, counted from 0.",
    )


def test_a_picture_shows_the_log_and_the_schedule(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    logged(FORMS["cosine"], EVERY_10).plot(tmp_path / "cosine.png")
    assert (tmp_path / "cosine.png").read_bytes().startswith(b"\x89PNG")


def test_a_log_that_ends_early_says_so() -> None:
    found = logged(FORMS["cosine"], range(0, 800, 10))
    assert found.schedule == FORMS["cosine"]
    assert "The log ends at update 790, before the schedule does, at update 1,060." in found.sentences


def test_a_constant_log_tells_no_more_than_the_constant() -> None:
    found = logged(lrcore.Constant(3e-4), EVERY_10)
    assert found.schedule == lrcore.Constant(3e-4)
    assert "A constant log does not tell what came before it and what comes after it." in found.sentences


# --- what is not told is not written ----------------------------------------------------------------------------------


def declined(found: Inferred) -> str:
    assert (found.schedule, found.exit_status) == (None, 2), str(found)
    return str(found)


def test_four_points_are_too_few() -> None:
    assert declined(logged(FORMS["cosine"], range(0, 40, 10))) == (
        "The log has too few points, 4, to tell a schedule; at least 5 are needed."
    )


def test_a_log_that_ends_in_the_warmup_is_declined() -> None:
    assert declined(logged(FORMS["cosine"], range(100))) == (
        "The log ends in the warmup: the rate rises in a straight line from update 0 to 99. Log further to tell."
    )


def test_noise_is_declined() -> None:
    noise = random.Random(0)
    rates = [noise.uniform(1e-5, 1e-3) for _ in range(200)]
    assert declined(infer((range(200), rates))) == "Unexplained from update 0 on: no recognised form gives the rates."


def test_a_jump_that_is_not_planned_is_where_the_explanation_ends() -> None:
    rates = FORMS["linear"].values(range(800))
    rates[400:] = FORMS["linear"].values(range(50, 450))
    assert "Unexplained from update 400 on: logged 0.00015, scheduled 0.00021." in declined(infer((range(800), rates)))


def test_a_jump_between_two_far_points_is_declined() -> None:
    assert declined(logged(lrcore.PiecewiseConstant(boundaries=[1_234], values=[0.1, 0.01]), range(0, 5_000, 50))) == (
        "The rate goes from 0.1 to 0.01 between updates 1,201 and 1,250; the log has no closer points."
    )


def test_a_round_number_is_taken_before_all_others_between_two_points() -> None:
    found = logged(lrcore.PiecewiseConstant(boundaries=[4_000], values=[0.1, 0.01]), range(5, 8_000, 10))
    assert found.schedule == lrcore.PiecewiseConstant(boundaries=[4_000], values=[0.1, 0.01])
    assert found.sentences[-1] == (
        "4,000 updates is the roundest number between 3,996 and 4,005; the log has no closer points."
    )


def test_steps_that_go_back_are_declined() -> None:
    steps = [*range(100), *range(50, 100)]
    rates = FORMS["linear"].values([*range(100), *range(50)])
    assert declined(infer((steps, rates))) == (
        "The steps do not rise: 99 is followed by 50; give each session by itself."
    )


def test_a_session_that_repeats_the_rates_of_the_one_before_hides_nothing() -> None:
    steps = [*range(0, 610, 10), *range(500, 1200, 10)]
    found = infer((steps, FORMS["linear"].values(steps)))
    assert found.schedule == FORMS["linear"]
    assert found.sentences[0] == "All 120 points, of updates 0 to 1,190, fit:"


def test_a_step_of_two_rates_is_declined() -> None:
    rates = [*FORMS["linear"].values(range(100)), 5.0]
    assert "99 is followed by 99" in declined(infer(([*range(100), 99], rates)))


def test_a_row_that_is_written_twice_counts_once() -> None:
    steps = np.repeat(np.arange(0, 1_200, 10), 2)
    found = infer((steps, FORMS["cosine"].values(steps)))
    assert found.schedule == FORMS["cosine"]
    assert found.sentences[0] == "All 120 points, of updates 0 to 1,190, fit:"


def test_a_log_of_epochs_needs_the_run() -> None:
    path = LOGS.parent / "keras.csv"
    with pytest.raises(lrcore.ScheduleError, match="expected steps; got epochs"):
        infer(path)
    assert infer(path, run=lrcore.Run(updates_per_epoch=10)).log.steps.size


# --- logs of runs ---------------------------------------------------------------------------------------------------

LOGS = Path(__file__).parents[1] / "data" / "logs" / "reports"
RUNS: dict[str, Schedule] = {
    "restarts.trainer_state.json": lrcore.Repeat(lrcore.Cosine(init_value=0.001, decay_steps=7)).warmup(3),
    "01_accelerate_num_processes.json": lrcore.Cosine(init_value=1e-4, decay_steps=450).warmup(50),
    "05_log_is_of_next_update.json": lrcore.Repeat(lrcore.Cosine(init_value=1e-4, decay_steps=25)).cooldown(
        0, start=100
    ),
    "16_fairseq_total_num_update.csv": lrcore.Linear(init_value=3e-5, end_value=1e-9, decay_steps=19_500).warmup(500),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_log_of_a_run_tells_its_schedule(name: str) -> None:
    assert infer(LOGS / name).schedule == RUNS[name]


# --- as a whole -------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_what_is_inferred_is_inferred_again_from_its_own_log(seed: int) -> None:
    log = draw(seed).log()
    found = infer(log)
    if found.schedule is None or found.lag is None:
        return
    again = infer((log.steps, found.schedule.values(log.steps - found.lag)), clock=("n", "n-1")[found.lag])
    assert again.schedule == found.schedule


def test_most_random_logs_are_recovered_and_hardly_any_wrongly() -> None:
    scores = totals(range(2_000_000, 2_000_060))
    assert scores["exact"] >= 54
    assert scores["wrong"] <= 1


def test_a_long_log_takes_less_than_two_seconds() -> None:
    began = time.process_time()
    found = logged(FORMS["cosine that goes on"], range(0, 37_500, 25))
    assert found.schedule == FORMS["cosine that goes on"]
    assert time.process_time() - began < 2


def test_the_record_is_plain() -> None:
    plain = logged(FORMS["cosine"], EVERY_10).to_dict()
    assert lrcore.from_dict(plain["schedule"]) == FORMS["cosine"]
    assert (plain["lag"], plain["points"], plain["sentences"][0]) == (
        0,
        120,
        "All 120 points, of updates 0 to 1,190, fit:",
    )
