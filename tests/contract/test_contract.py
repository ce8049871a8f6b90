"""The contract of every adapter: one set of tests for all frameworks, which measures how far the weights move."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lrcore
from tests.contract.harness import Loop, loops, resumable
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
    trained = loop(schedule, UPDATES, UPDATES if name == "function" else None)
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

    assert loop(function, UPDATES, UPDATES).rates == [float(np.float32(0.1 / (step + 1))) for step in range(UPDATES)]
    assert set(asked) == {int}


def test_a_function_that_gives_no_number_is_an_error_not_an_update(loop: Loop) -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected a finite number at step 3; got nan"):
        loop(lambda step: 0.1 if step < 3 else float("nan"), UPDATES, UPDATES)


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


def a_function(numerator: float) -> lrcore.Function:
    """Return a schedule whose function has the same name for any numerator."""

    def function(step: int) -> float:
        return numerator / (step + 1)

    return lrcore.Function(function, UPDATES)


def test_a_function_that_was_rewritten_is_not_taken_in_silence(resumable_loop: Loop) -> None:
    state = lrcore.save_state(17, a_function(0.1))
    assert resumable_loop(a_function(0.1), 3, state=state).rates == float32(a_function(0.1), range(17, 20))
    with pytest.raises(lrcore.ScheduleError, match=r"at step 0, .* it gave 0\.1 and the configured one gives 0\.2"):
        resumable_loop(a_function(0.2), 1, state=state)
    rates = resumable_loop(a_function(0.2), 3, state=state, on_mismatch="use_config").rates
    assert rates == float32(a_function(0.2), range(17, 20))


def test_a_list_of_one_schedule_is_that_schedule(resumable_loop: Loop) -> None:
    assert resumable_loop(SCHEDULE, 3, state=lrcore.save_state(17, [SCHEDULE])).rates == float32(
        SCHEDULE, range(17, 20)
    )
