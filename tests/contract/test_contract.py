"""The contract of every adapter: one set of tests for all frameworks, which measures how far the weights move."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore.adapting import Policy
from tests.contract.harness import Loop, Trained, loops, resumable
from tests.kinds import KINDS, UPDATES

SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=20).warmup(6, init_value=0.02)
STATE_KEYS = ("format", "step", "schedule", "plateau")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    framework = str(metafunc.config.getoption("framework"))
    for name, loops_of in (("loop", loops), ("resumable_loop", resumable)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(
                name, loops_of(framework).values(), ids=[f"{framework}-{way}" for way in loops_of(framework)]
            )


def float32(schedule: lrcore.Schedule, steps: range) -> list[float]:
    return [float(np.float32(schedule(step))) for step in steps]


@pytest.mark.parametrize("name", KINDS)
def test_the_weight_moves_by_the_rate_of_the_schedule(loop: Loop, name: str) -> None:
    schedule = KINDS[name]
    trained = loop(schedule, UPDATES, horizon=UPDATES if name == "function" else None)
    assert trained.rates == float32(schedule, range(UPDATES))
    assert [float(np.float32(reported)) for reported in trained.reported] == trained.rates


def test_the_first_update_uses_the_value_at_0(loop: Loop) -> None:
    assert len({SCHEDULE(0), SCHEDULE(1)}) == 2
    assert loop(SCHEDULE, 1).rates == float32(SCHEDULE, range(1))


def test_past_its_end_the_schedule_holds(loop: Loop) -> None:
    schedule = lrcore.Linear(init_value=0.1, end_value=0.03, decay_steps=5)
    assert loop(schedule, UPDATES).rates[5:] == float32(lrcore.Constant(0.03), range(UPDATES - 5))


def test_reading_changes_nothing(loop: Loop) -> None:
    assert loop(SCHEDULE, UPDATES, with_reads=True) == loop(SCHEDULE, UPDATES)


def test_a_python_function_of_the_step_is_a_schedule(loop: Loop) -> None:
    asked: list[Any] = []

    def function(step: int) -> float:
        asked.append(type(step))
        return 0.1 / (step + 1)

    assert loop(function, UPDATES, horizon=UPDATES).rates == [
        float(np.float32(0.1 / (step + 1))) for step in range(UPDATES)
    ]
    assert set(asked) == {int}


def falling(numerator: float, fails_at: int = UPDATES + 1) -> lrcore.Function:
    """Return a schedule whose function has the same name for any numerator, and gives no number from a step on."""

    def function(step: int) -> float:
        return numerator / (step + 1) if step < fails_at else float("nan")

    return lrcore.Function(function, UPDATES)


def test_a_function_that_gives_no_number_is_an_error_and_makes_no_update(loop: Loop) -> None:
    trained = Trained()
    with pytest.raises(lrcore.ScheduleError, match=r"expected a finite number at step 3; got nan"):
        loop(falling(0.1, fails_at=3), UPDATES, horizon=UPDATES, trained=trained)
    assert trained.rates in ([], float32(falling(0.1), range(3)))  # a table is made before the first update


def test_a_run_whose_function_failed_goes_on_with_a_better_one(resumable_loop: Loop) -> None:
    trained = Trained()
    with pytest.raises(lrcore.ScheduleError):
        resumable_loop(falling(0.1, fails_at=3), UPDATES, horizon=UPDATES, trained=trained)
    step = trained.state.get("step", 0)
    assert step <= len(trained.rates)  # the last update is not counted where its step failed
    rates = resumable_loop(falling(0.2), 2, state=trained.state or None, on_mismatch="use_config").rates
    assert rates == float32(falling(0.2), range(step, step + 2))


def test_the_state_is_the_same_in_every_framework(resumable_loop: Loop) -> None:
    state = resumable_loop(SCHEDULE, 9).state
    assert {key: state[key] for key in STATE_KEYS} == lrcore.save_state(9, SCHEDULE)


def test_a_run_goes_on_where_another_framework_stopped(resumable_loop: Loop) -> None:
    trained = resumable_loop(SCHEDULE, 11, state=lrcore.save_state(17, SCHEDULE))
    assert trained.rates == float32(SCHEDULE, range(17, 28))
    assert trained.state["step"] == 28


def test_a_state_with_another_schedule_is_not_taken_in_silence(resumable_loop: Loop) -> None:
    state = lrcore.save_state(17, lrcore.Constant(0.5))
    with pytest.raises(lrcore.ScheduleError, match="schedule"):
        resumable_loop(SCHEDULE, 1, state=state)


def test_a_run_that_is_changed_later_on_goes_on_with_its_configuration(resumable_loop: Loop) -> None:
    state, longer = lrcore.save_state(17, SCHEDULE), SCHEDULE.cooldown(steps=5, start=19)
    with pytest.raises(lrcore.ScheduleError, match=r"at step 20 it gives .*set on_mismatch to same_past,"):
        resumable_loop(longer, 1, state=state)
    trained = resumable_loop(longer, 11, state=state, on_mismatch="same_past")
    assert trained.rates == float32(longer, range(17, 28))
    assert lrcore.load_state(trained.state, longer).step == 28


def test_a_run_that_was_another_one_does_not_go_on_as_the_same(resumable_loop: Loop) -> None:
    state, other = lrcore.save_state(17, SCHEDULE), SCHEDULE.cooldown(steps=5, start=12)
    with pytest.raises(lrcore.ScheduleError, match="at the 17 updates already made: at step 13 it gives"):
        resumable_loop(other, 1, state=state, on_mismatch="same_past")
    assert resumable_loop(other, 3, state={**state, "step": 0}, on_mismatch="same_past").state["step"] == 3


def test_a_function_that_was_rewritten_is_not_taken_in_silence(resumable_loop: Loop) -> None:
    state = lrcore.save_state(17, falling(0.1))
    assert resumable_loop(falling(0.1), 3, state=state).rates == float32(falling(0.1), range(17, 20))
    with pytest.raises(lrcore.ScheduleError, match=r"at step 0, .* it gave 0\.1 and the configured one gives 0\.2"):
        resumable_loop(falling(0.2), 1, state=state)
    rates = resumable_loop(falling(0.2), 3, state=state, on_mismatch="use_config").rates
    assert rates == float32(falling(0.2), range(17, 20))


def test_a_list_of_one_schedule_is_that_schedule(resumable_loop: Loop) -> None:
    assert resumable_loop(SCHEDULE, 3, state=lrcore.save_state(17, [SCHEDULE])).rates == float32(
        SCHEDULE, range(17, 20)
    )


# --- what may be given ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["a path", "the text of a file", "a dict"])
def test_a_schedule_may_be_given_as_a_file_holds_it(loop: Loop, form: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(SCHEDULE))
    given: Any = {"a path": str(path), "the text of a file": path.read_text(), "a dict": SCHEDULE.to_dict()}[form]
    assert loop(given, UPDATES).rates == float32(SCHEDULE, range(UPDATES))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("no-such-file.toml", r"no-such-file\.toml: expected a file; there is none"),
        ({"kind": "cosine", "init_value": 0.1, "decay_stepps": 9}, "decay_stepps.*decay_steps"),
        (object(), r"expected a lrcore schedule, a function of the step, or the path.*; got <object"),
    ],
)
def test_what_gives_no_schedule_is_refused_before_training(loop: Loop, given: Any, message: str) -> None:
    trained = Trained()
    with pytest.raises(lrcore.ScheduleError, match=message):
        loop(given, 1, trained=trained)
    assert trained.rates == []


def test_a_policy_that_does_not_exist_is_refused_before_training(resumable_loop: Loop) -> None:
    state: Any = lrcore.save_state(17, SCHEDULE)
    with pytest.raises(
        lrcore.ScheduleError, match=r"on_mismatch: expected one of error, keep_checkpoint.*; got 'ignore'"
    ):
        resumable_loop(SCHEDULE, 1, state=state, on_mismatch="ignore")


# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "followed"), [("keep_checkpoint", 0.5), ("use_config", 0.25)])
def test_a_policy_chooses_between_the_saved_and_the_configured_schedule(
    resumable_loop: Loop, policy: Policy, followed: float
) -> None:
    state = lrcore.save_state(17, lrcore.Constant(0.5))
    trained = resumable_loop(lrcore.Constant(0.25), 3, state=state, on_mismatch=policy)
    assert trained.rates == [followed] * 3
    assert {key: trained.state[key] for key in STATE_KEYS} == lrcore.save_state(20, lrcore.Constant(followed))


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"last_epoch": 3, "base_lrs": [0.1]}, "this is the state of a native scheduler"),
        ({**lrcore.save_state(17, SCHEDULE), "format": 2}, "format 2; install a newer lrcore"),
        ({**lrcore.save_state(17, SCHEDULE), "step": -1}, "step: expected an integer >= 0"),
        (lrcore.save_state(17, [SCHEDULE, SCHEDULE * 0.5]), "expected|differ|saved"),
    ],
    ids=["native", "newer", "negative step", "of several schedules"],
)
def test_a_state_that_is_no_state_of_this_run_is_refused(resumable_loop: Loop, state: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        resumable_loop(SCHEDULE, 1, state=state)


# --- plateau ----------------------------------------------------------------------------------------------------------

PLATEAU = lrcore.Plateau(lrcore.Cosine(init_value=0.1, decay_steps=200).warmup(5), mode="max", factor=0.5, patience=0)
METRICS = {2: 0.625, 4: 0.625, 7: 0.625, 8: 0.875}  # float32 holds each


def with_plateau(
    plateau: lrcore.Plateau, steps: range, metrics: Mapping[int, float], state: lrcore.PlateauState | None = None
) -> list[float]:
    """Return the rates of the updates, if the metrics are reported after so many of these updates."""
    state, rates = state or plateau.initial(), []
    for made, step in enumerate(steps):
        if made in metrics:
            state = plateau.update(state, metrics[made])
        rates.append(float(np.float32(plateau.schedule(step)) * np.float32(state.scale)))
    return rates


def test_a_plateau_reduces_the_rates_of_the_updates_after_a_report(resumable_loop: Loop) -> None:
    trained = resumable_loop(PLATEAU, 12, metrics=METRICS)
    assert trained.rates == with_plateau(PLATEAU, range(12), METRICS)
    assert trained.rates[9] == np.float32(PLATEAU.schedule(9)) * 0.25  # reduced twice


def test_a_plateau_goes_on_with_the_state_of_another_framework(resumable_loop: Loop) -> None:
    saved = lrcore.PlateauState(best=0.625, bad=0, cooldown=0, scale=0.5, reports=3, mean=0.0)
    state = lrcore.save_state(17, PLATEAU, saved.to_dict())
    trained = resumable_loop(PLATEAU, 6, state=state, metrics={2: 0.625})
    assert trained.rates == with_plateau(PLATEAU, range(17, 23), {2: 0.625}, saved)
    loaded = lrcore.load_state(trained.state, PLATEAU)
    assert (loaded.step, loaded.plateau) == (23, PLATEAU.update(saved, 0.625).to_dict())


def test_a_plateau_that_is_told_no_metric_is_warned_of_once(resumable_loop: Loop) -> None:
    state = lrcore.save_state(9_995, PLATEAU, PLATEAU.initial().to_dict())
    with pytest.warns(UserWarning, match="the plateau was told no metric") as caught:
        resumable_loop(PLATEAU, 12, state=state)
    assert len(caught) == 1


def test_a_plateau_that_is_told_a_metric_is_not_warned_of(resumable_loop: Loop) -> None:
    state = lrcore.save_state(9_995, PLATEAU, PLATEAU.initial().to_dict())
    assert resumable_loop(PLATEAU, 12, state=state, metrics={2: 0.625}).state["step"] == 10_007
