"""What `lrcore.audit` answers: one run for each cause, the recorded reports, and what it must never say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrcore
from lrcore import Schedule
from lrcore.checks.audit import Audit
from tests.checks.generator import CAUSES, TUNING, Steps, Values, run

REPORTS = Path(__file__).parents[1] / "data" / "logs" / "reports"
COSINE = lrcore.Cosine(init_value=1e-4, decay_steps=900).warmup(100)
UPDATES = np.arange(4, 1100, 5)
"""The updates of a log that has a row in five, up to a hundred updates past the end."""


def audited(rates: Values, schedule: Schedule | lrcore.Plateau = COSINE, updates: Steps = UPDATES) -> Audit:
    """What is said of a log in which row n shows the rate of update n - 1."""
    return lrcore.audit((updates + 1, rates), schedule)


LOGS: dict[str, tuple[Callable[[], Values], str]] = {
    "follows": (
        lambda: COSINE.values(UPDATES),
        (
            "Follows the schedule at 220 updates, from 5 to 1,100. Row n shows the rate of update n - 1, counted from 0: the one "
            "that update used."
        ),
    ),
    "steps_per_update": (
        lambda: COSINE.values(2 * UPDATES),
        (
            "The scheduler moves 2 steps per update. First seen at update 5: logged 8e-06, scheduled 4e-06. Step it once per "
            "update, or double its lengths."
        ),
    ),
    "lengths": (
        lambda: lrcore.Cosine(init_value=1e-4, decay_steps=2700).warmup(300).values(UPDATES),
        (
            "All lengths are 3 times too long. First seen at update 5: logged 1.33333e-06, scheduled 4e-06. Divide them by 3, or "
            "step the scheduler 3 times per update."
        ),
    ),
    "per_epoch": (
        lambda: COSINE.values(UPDATES // 50),
        (
            "The scheduler moves once in 50 updates, not at each. First seen at update 5: logged 0, scheduled 4e-06. Step it at "
            "each update, or write the schedule in epochs inside an `every`."
        ),
    ),
    "shape": (
        lambda: lrcore.Linear(init_value=1e-4, decay_steps=900).warmup(100).values(UPDATES),
        (
            "The shape of the decay is linear, not cosine. First seen at update 105: logged 9.95556e-05, scheduled 9.99951e-05. "
            'Write kind = "linear" in the file, or set the trainer\'s to cosine.'
        ),
    ),
    "field": (
        lambda: lrcore.Cosine(init_value=1e-4, decay_steps=400).warmup(100).values(UPDATES),
        (
            "total_steps is 500, not 1,000 (decay_steps is 400, not 900). First seen at update 105: logged 9.99753e-05, scheduled "
            "9.99951e-05. The schedule is over before the run is: give it the run's own length."
        ),
    ),
    "first_value": (
        lambda: np.where(UPDATES == 4, 1e-4, COSINE.values(UPDATES)),
        (
            "Only the first value is apart: at update 5 the log has 0.0001, scheduled 4e-06. The optimizer had its own rate before "
            "the scheduler first set one; set the rate before the first update."
        ),
    ),
    "rebound": (
        lambda: COSINE.values(np.where(UPDATES <= 1000, UPDATES, 2000 - UPDATES)),
        (
            "The schedule ends at update 1,000, and the run goes on: past the end the rate swings back up, as it came down. First "
            "seen at update 1,005: logged 4.8738e-09, scheduled 0. Stop the run there, plan a longer schedule, or hold the last "
            "value, as lrcore does."
        ),
    ),
    "plateau": (
        lambda: COSINE.values(UPDATES) * np.where(UPDATES >= 600, 0.25, np.where(UPDATES >= 200, 0.5, 1.0)),
        (
            "A plateau lowers the rate: by a factor of 0.5 from updates 205 and 605 on. First seen at update 205: logged "
            "4.83706e-05, scheduled 9.67413e-05. A callback or scheduler such as ReduceLROnPlateau acts beside the schedule; take "
            "it out, or plan a [plateau]."
        ),
    ),
    "segments": (
        lambda: COSINE.values(np.where(UPDATES < 400, UPDATES, UPDATES - 400)),
        (
            "From update 405 on it is 400 updates behind: its state was not restored on resume. First seen at update 405: logged "
            "4e-06, scheduled 7.4393e-05. Save and load the scheduler's state with the checkpoint, or set its step to the run's."
        ),
    ),
    "unexplained": (
        lambda: np.where(UPDATES < 400, COSINE.values(UPDATES), 1e-4 * np.sin(UPDATES / 70.0) ** 2),
        (
            "Unexplained from update 405 on: logged 2.39816e-05, scheduled 7.4393e-05. It follows the schedule at the 80 updates "
            "before."
        ),
    ),
}


@pytest.mark.parametrize("cause", LOGS)
def test_each_cause_has_its_sentence(cause: str) -> None:
    rates, sentence = LOGS[cause]
    found = audited(rates())
    assert (found.cause, str(found)) == (cause, sentence)
    assert found.exit_status == {"follows": 0, "unexplained": 2}.get(cause, 1)
    assert found.points == 220


def test_causes_that_fit_alike_are_all_listed() -> None:
    found = audited(0.5 * COSINE.values(UPDATES))
    assert found.causes == ("scale", "field")
    assert str(found).startswith("The log fits 0.5 times the rate or init_value = 5e-05: the same at each of its rows.")
    first = UPDATES[:8]
    assert str(audited(COSINE.values(2 * first), updates=first)) == (
        "The log ends in the warmup; it fits 2 steps per update, twice the rate, or warmup.steps = 50. First seen at update 5: "
        "logged 8e-06, scheduled 4e-06. Log further to tell."
    )


def test_a_length_is_an_interval_where_the_log_is_sparse() -> None:
    updates = np.arange(9, 1000, 10)
    short = lrcore.Cosine(init_value=1e-4, decay_steps=6).warmup(100)
    found = audited(short.values(updates), updates=updates)
    assert str(found).startswith(
        "total_steps is between 101 and 109, not 1,000 (decay_steps is between 1 and 9, not 900)"
    )


def test_a_total_may_be_hardly_more_than_the_warmup() -> None:
    updates = np.arange(300)
    found = audited(lrcore.Cosine(init_value=1e-4, decay_steps=2).warmup(100).values(updates), updates=updates)
    assert str(found).startswith("total_steps is 102, not 1,000 (decay_steps is 2, not 900).")


def test_a_constant_that_explains_itself_alone_is_no_explanation() -> None:
    odd = audited(np.full(220, 1.23456789123456e-4), lrcore.Constant(1e-4))
    assert odd.cause == "unexplained"
    assert audited(np.full(220, 2e-4), lrcore.Constant(1e-4)).causes == ("scale", "field")


def test_a_length_is_an_interval_where_the_log_has_few_digits() -> None:
    longer = lrcore.Cosine(init_value=1e-4, decay_steps=29_900).warmup(100).values(UPDATES)
    found = audited(np.array([float(f"{rate:.6g}") for rate in longer]))
    assert "total_steps is between 29,9" in str(found)
    assert "; the log has no more digits." in str(found)


def test_a_boundary_with_none_on_its_other_side_is_found() -> None:
    stairs = lrcore.PiecewiseConstant(values=[0.1, 0.01, 0.001], boundaries=[30_000, 60_000])
    moved = lrcore.PiecewiseConstant(values=[0.1, 0.01, 0.001], boundaries=[30_000, 50_000])
    updates = np.arange(499, 90_000, 500)
    found = audited(moved.values(updates), stairs, updates)
    assert str(found).startswith(
        "boundaries[1] is between 50,000 and 50,499, not 60,000; the log has no closer points."
    )


def test_a_rate_that_jumps_and_stays_is_not_said_to_stand_still() -> None:
    rates = np.where(UPDATES < 500, COSINE.values(UPDATES), 1.2345e-3)
    assert str(audited(rates)).endswith("It follows the schedule at the 100 updates before.")


def test_a_state_that_is_lost_once_is_not_lost_each_time() -> None:
    updates = np.arange(9, 1600, 10)
    found = audited(COSINE.values(np.where(updates < 900, updates, updates - 900)), updates=updates)
    assert str(found).startswith("From update 910 on it is 900 updates behind: its state was not restored on resume.")


def test_the_clock_of_a_format_gives_way_where_only_the_other_fits(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text("lr-Adam,step\n" + "".join(f"{COSINE(int(one))!r},{one + 1}\n" for one in UPDATES))
    found = lrcore.audit(path, COSINE)
    assert (found.cause, found.lag) == ("follows", 1)
    assert str(found).endswith("Row n shows the rate of update n - 1, counted from 0: the one that update used.")
    assert lrcore.audit(path, COSINE, clock="n").cause != "follows"
    path.write_text("lr-Adam,step\n" + "".join(f"{COSINE(2 * int(one))!r},{one + 1}\n" for one in UPDATES))
    assert lrcore.audit(path, COSINE).cause == "steps_per_update"


def test_a_rate_that_is_set_once_per_epoch_moves_in_stairs() -> None:
    found = audited(COSINE.values(UPDATES // 98 * 98))
    assert str(found).startswith("The rate moves once in 98 updates, to where the schedule is by then. First seen at")
    assert found.cause == "per_epoch"


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_the_warmup_of_deepspeed_is_known_before_a_decay_too(lag: int) -> None:
    steps = np.arange(10, 3000, 10)
    asked, meant = steps - lag, lrcore.Linear(init_value=1e-4, decay_steps=2000).warmup(1000)
    found = lrcore.audit(
        (steps, np.where(asked < 1000, 1e-4 * np.log(1 + asked) / np.log(1000), meant.values(asked))), meant
    )
    assert str(found).startswith(
        "The shape of the warmup is log, not linear; DeepSpeed's warmup_type is log by default."
    )


def test_an_end_that_may_be_zero_is_zero() -> None:
    meant = lrcore.Cosine(init_value=3e-4, end_value=3e-5, decay_steps=900).warmup(100)
    logged = lrcore.Cosine(init_value=3e-4, decay_steps=900).warmup(100).values(UPDATES)
    found = audited(np.array([float(f"{rate:.6g}") for rate in logged]), meant)
    assert str(found).startswith("end_value is 0, not 3e-05.")


def test_epochs_that_are_logged_once_each_are_no_starts_again() -> None:
    steps = np.arange(391, 391 * 90 + 1, 391)
    meant = lrcore.Cosine(init_value=0.1, decay_steps=391 * 90)
    found = lrcore.audit((steps, meant.values(steps // 391 - 1)), meant)
    assert str(found).startswith("The scheduler moves once in 387 to 399 updates, not at each.")


def test_a_schedule_that_comes_back_gives_no_interval_of_clocks() -> None:
    meant, updates = (
        lrcore.Repeat(lrcore.Cosine(init_value=1e-3, end_value=1e-5, decay_steps=500)),
        np.arange(9, 3000, 10),
    )
    assert str(audited(meant.values(2 * updates), meant, updates)).startswith("The scheduler moves 2 steps per update.")


def test_a_first_value_is_listed_beside_a_warmup_of_one_row() -> None:
    meant, updates = lrcore.Cosine(init_value=2e-5, decay_steps=19_400).warmup(600), np.arange(499, 20_000, 500)
    rates = meant.values(updates)
    rates[0] = 2e-5
    assert "first_value" in audited(rates, meant, updates).causes


def test_one_update_alone_has_no_cause() -> None:
    for count in (1, 1000):
        found = lrcore.audit(([5] * count, [1e-5] * count), COSINE)
        assert str(found) == (
            "Unexplained from update 5 on: logged 1e-05, scheduled 5e-06. The log has one rate only, which cannot tell why."
        )


def test_a_later_horizon_is_a_segment() -> None:
    longer = lrcore.Cosine(init_value=1e-4, decay_steps=1900).warmup(100)
    found = audited(np.where(UPDATES < 400, COSINE.values(UPDATES), longer.values(UPDATES)))
    assert found.cause == "segments"
    assert str(found).startswith("From update 405 on total_steps is 2,000, not 1,000 (decay_steps is 1,900, not 900).")


def test_a_scheduler_that_is_made_anew_each_epoch_loses_its_clock() -> None:
    found = audited(COSINE.values(UPDATES % 130))
    assert found.cause == "segments"
    assert str(found).startswith("The schedule starts again every 130 updates")


def test_a_session_that_goes_back_and_goes_on_follows() -> None:
    updates = np.concatenate([UPDATES[:80], UPDATES[60:]])
    assert audited(COSINE.values(updates), updates=updates).cause == "follows"
    lost = np.concatenate([UPDATES[:80], UPDATES[60:] - UPDATES[60]])
    assert str(audited(COSINE.values(lost), updates=updates)).startswith(
        "From update 305 on it is 304 updates behind: its state"
    )


def test_a_plateau_that_was_meant_follows_with_its_own_factor() -> None:
    meant = lrcore.Plateau(COSINE, factor=0.5)
    found = audited(COSINE.values(UPDATES) * np.where(UPDATES >= 200, 0.5, 1.0), meant)
    assert (found.cause, found.exit_status) == ("plateau", 0)
    assert str(found).startswith("Follows the schedule times its plateau's factor of 0.5 from update 205 on.")
    assert audited(COSINE.values(UPDATES), meant).cause == "follows"
    other = audited(COSINE.values(UPDATES) * np.where(UPDATES >= 200, 0.2, 1.0), meant)
    assert str(other).startswith("The plateau's factor is 0.2, not 0.5: the rate falls from update 205 on.")
    assert (other.cause, other.exit_status) == ("plateau", 1)


@pytest.mark.parametrize(
    "write", [np.float32, lambda rates: [f"{rate:.3e}" for rate in rates]], ids=["float32", "4 digits"]
)
def test_rounding_is_no_deviation_and_hides_none(write: Callable[[Values], list[str]]) -> None:
    assert audited(np.array(write(COSINE.values(UPDATES)), dtype=np.float64)).cause == "follows"
    assert audited(np.array(write(COSINE.values(3 * UPDATES)), dtype=np.float64)).cause == "steps_per_update"


def test_a_log_of_one_rate_says_what_it_cannot_tell() -> None:
    constant = audited(np.full(220, 1e-4), lrcore.Constant(1e-4))
    assert str(constant).endswith("The log has one rate only, so it cannot tell whether the schedule moved.")
    assert str(audited(np.full(220, 1e-4))).endswith("The log has one rate only, which cannot tell why.")


def test_a_boundary_that_comes_late_is_found() -> None:
    stairs = lrcore.PiecewiseConstant(boundaries=[300, 600, 900], values=[0.1, 0.01, 0.001, 0.0001])
    late = lrcore.PiecewiseConstant(boundaries=[300, 702, 900], values=[0.1, 0.01, 0.001, 0.0001])
    found = audited(late.values(UPDATES), stairs)
    assert str(found).startswith("boundaries[1] is between 700 and 704, not 600; the log has no closer points.")


def test_a_rate_that_stands_still_is_said_to() -> None:
    found = audited(COSINE.values(np.minimum(UPDATES, 502)))
    assert found.cause == "unexplained"
    assert str(found).endswith("From there on the rate stands still: the scheduler may no longer be stepped.")


def test_a_schedule_that_is_a_python_function_is_audited_by_its_clock_and_height() -> None:
    function = lrcore.Function(COSINE.at)
    assert audited(COSINE.values(2 * UPDATES[:40]), function, UPDATES[:40]).cause == "steps_per_update"
    assert audited(np.sin(UPDATES) ** 2, function).cause == "unexplained"


LOGS_OF_TRAINERS = {
    "lightning.csv": None,
    "lightning-accumulated.csv": None,
    "lines.jsonl": None,
    "transformers.json": None,
    "transformers-resumed.json": None,
    "keras.csv": {"updates_per_epoch": 8},
}


@pytest.mark.parametrize("name", LOGS_OF_TRAINERS)
def test_real_logs_of_runs_that_followed(name: str) -> None:
    meant = lrcore.Cosine(init_value=0.1, end_value=0.001, decay_steps=30).warmup(10)
    found = lrcore.audit(REPORTS.parent / name, meant, run=LOGS_OF_TRAINERS[name])
    assert (found.cause, found.exit_status) == ("follows", 0)
    if name == "keras.csv":
        assert "A row shows the rate of the first update of its epoch" in str(found)


WORDS = {"k_steps_per_update": "steps_per_update", "warmup_shape": "shape", "horizon": "field", "log_offset": "follows"}
SAID = {
    "01_accelerate_num_processes": "The scheduler moves 2 steps per update.",
    "05_log_is_of_next_update": "Row n shows the rate of update n, counted from 0: that of the next update",
    "06_resume_restarts_schedule": "From update 405 on it is 400 updates behind: its state was not restored on resume.",
    "09_deepspeed_log_warmup": "The shape of the warmup is log, not linear; DeepSpeed's warmup_type is log by default.",
    "13_nemo_drops_to_min_lr": "total_steps is between 251 and 259, not 3,000",
    "16_fairseq_total_num_update": "total_steps is 20,000, not 60,000",
}


@pytest.mark.parametrize("name", SAID)
def test_reports_are_explained(name: str) -> None:
    expected = json.loads((REPORTS / f"{name}.expected.json").read_text(encoding="utf-8"))
    log = next(path for path in REPORTS.glob(f"{name}.*") if path.suffixes in ([".json"], [".csv"]))
    found = lrcore.audit(log, REPORTS / f"{name}.intended.toml")
    assert found.causes == (WORDS.get(expected["cause"], expected["cause"]),)
    assert SAID[name] in str(found)


def test_lengths_of_a_file_are_those_of_the_run(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(
        'kind = "cosine"\ninit_value = 1e-4\ntotal_steps = "100%"\n[warmup]\nsteps = "10%"\n', encoding="utf-8"
    )
    found = lrcore.audit((UPDATES + 1, COSINE.values(UPDATES)), path, run={"total": 1000})
    assert found.cause == "follows"


def test_a_clock_that_is_given_is_believed() -> None:
    log = (UPDATES + 1, COSINE.values(UPDATES))
    assert lrcore.audit(log, COSINE, clock="n-1").cause == "follows"
    assert "it is 1 update behind: row n shows another update than the clock" in str(
        lrcore.audit(log, COSINE, clock="n")
    )


@pytest.mark.parametrize("rates", [np.linspace(1, 1e305, 220), np.zeros(220), -COSINE.values(UPDATES) * 1e-310])
def test_rates_at_the_edge_of_float64_have_an_answer(rates: Values) -> None:
    assert audited(rates).exit_status in (1, 2)


@pytest.mark.parametrize(
    ("log", "problem"),
    [(([], []), "got no row"), (([1, 2], [0.1]), "got 2 steps"), (([1], ["x"]), "got"), ("none.csv", "there is none")],
    ids=["empty", "lengths", "text", "no file"],
)
def test_what_is_no_log_is_refused_in_one_sentence(log: Any, problem: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=problem):
        lrcore.audit(log, COSINE)


def test_the_answer_is_data_too() -> None:
    found = audited(COSINE.values(2 * UPDATES)).to_dict()
    assert json.loads(json.dumps(found))["constants"] == [{"k": 2, "k_at_most": 2}]
    assert found["answer"] == LOGS["steps_per_update"][1]


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([seed for seed in TUNING if CAUSES[seed % len(CAUSES)] == "follows"]))
def test_a_run_that_follows_is_never_called_wrong(seed: int) -> None:
    drawn = run(seed)
    assert lrcore.audit((drawn.steps, drawn.values), drawn.schedule).causes == ("follows",)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(TUNING), st.sampled_from(TUNING))
def test_any_log_beside_any_schedule_has_an_answer(first: int, second: int) -> None:
    log, meant = run(first), run(second)
    found = lrcore.audit((log.steps, log.values), meant.schedule)
    assert found.exit_status in (0, 1, 2)
    assert str(found)
    assert len(found.causes) <= 3


def test_a_long_log_is_compared_at_each_row() -> None:
    updates = 10 * np.arange(100_000)
    schedule = lrcore.Cosine(init_value=1e-4, decay_steps=990_000).warmup(10_000)
    rates = schedule.values(updates)
    rates[77_777] *= 1.001
    found = audited(rates, schedule, updates)
    assert str(found).startswith("Unexplained from update 777,771 on")
    assert audited(schedule.values(2 * updates), schedule, updates).cause == "steps_per_update"
