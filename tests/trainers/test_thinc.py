"""spaCy's and thinc's configurations: their forms, the score's plateau, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import Constant, Linear, Plateau, Run, Schedule, ScheduleError

SCHEDULE = Linear(init_value=5e-5, decay_steps=19_750).warmup(250)
OPTIONS = {"@schedules": "warmup_linear.v1", "warmup_steps": 250, "total_steps": 20_000, "initial_rate": 5e-5}
CFG = """
[training]
max_steps = 20000
; the optimizer of spaCy's quickstart
[training.optimizer]
@optimizers = "Adam.v1"
beta1 = 0.9
[training.optimizer.learn_rate]
@schedules = "warmup_linear.v1"
warmup_steps = 250
total_steps = ${training:max_steps}
initial_rate = 5e-5
"""


def rates(options: dict[str, Any], run: Run | None = None) -> Schedule:
    found = lrcore.from_trainer("thinc", {"training": {"optimizer": {"learn_rate": options}}}, run=run).schedule
    assert isinstance(found, Schedule)
    return found


def test_a_config_file_is_read_as_it_lies_there(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").write_text(CFG, encoding="utf-8")
    taken = lrcore.from_trainer("thinc", tmp_path / "config.cfg")
    assert (taken.schedule, taken.notes) == (SCHEDULE, ())


@pytest.mark.parametrize(
    "source",
    [OPTIONS, {"learn_rate": OPTIONS}, {"optimizer": {"learn_rate": {**OPTIONS, "@schedules": "warmup_linear"}}}],
)
def test_a_part_of_the_configuration_is_enough(source: dict[str, Any]) -> None:
    assert lrcore.from_trainer("thinc", source).schedule == SCHEDULE


def test_a_rate_without_a_schedule_is_constant() -> None:
    assert lrcore.from_trainer("thinc", {"training": {"optimizer": {"learn_rate": 0.01}}}).schedule == Constant(0.01)
    assert lrcore.from_trainer("thinc", {"training": {"optimizer": {"@optimizers": "Adam.v1"}}}).schedule == Constant(
        0.001
    )


def test_a_schedule_after_a_constant_keeps_the_clock_of_the_run() -> None:
    found = rates({"@schedules": "constant_then.v1", "rate": 1.0, "steps": 1000, "schedule": OPTIONS})
    assert (found(999), found(1000)) == (1.0, SCHEDULE(1000))


def test_a_plateau_watches_a_score_that_is_to_rise() -> None:
    options = {
        "@schedules": "plateau.v1",
        "max_patience": 2,
        "scale": 0.5,
        "schedule": {"@schedules": "constant.v1", "rate": 0.1},
    }
    plateau = lrcore.from_trainer("thinc", options).schedule
    assert isinstance(plateau, Plateau)
    state, seen = plateau.initial(), []
    for score in (0.5, 0.4, 0.6, 0.6, 0.5, 0.7, 0.1, 0.1):
        state = plateau.update(state, score)
        seen.append(plateau.value(0, state))
    assert seen == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025]


def test_a_triangle_falls_until_the_last_update_and_says_what_thinc_does_then() -> None:
    options = {"@schedules": "slanted_triangular.v1", "max_rate": 1.0, "num_steps": 19, "ratio": 32}
    found = rates(options)
    assert [found(step) for step in (0, 9, 18, 30)] == pytest.approx([1.0, 1 / 32, -30 / 32, -30 / 32])
    note = "After update 30 thinc's rate falls further, and below 0; lrcore holds the value that it has there."
    assert lrcore.from_trainer("thinc", options, run=Run(total=30)).notes == (note,)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"@schedules": "warmup_linaer.v1"}, "@schedules: expected one of .*; did you mean 'warmup_linear.v1'"),
        ({"@schedules": "warmup_linear.v1"}, "initial_rate: expected a number; got none"),
        ({"@schedules": "constant_then.v1", "steps": 3}, "schedule: expected a table; got none"),
        ({"@schedules": "decaying.v1", "base_rate": 1, "decay": -1}, "decay: expected a number >= 0; got -1"),
        (
            {"@schedules": "slanted_triangular.v1", "max_rate": 1, "num_steps": 5},
            "cut_frac: expected a rise of at least one of 5",
        ),
        ({}, "learn_rate.@schedules: expected a text; got none"),
    ],
)
def test_what_has_no_meaning_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        rates(options)


def test_an_optimizer_without_a_rate_is_refused() -> None:
    with pytest.raises(ScheduleError, match="learn_rate: expected a number, or a schedule with @schedules; got none"):
        lrcore.from_trainer("thinc", {"training": {"optimizer": {"@optimizers": "SGD.v1"}}})


def test_a_plateau_inside_another_schedule_is_refused() -> None:
    inner = {
        "@schedules": "plateau.v1",
        "max_patience": 2,
        "scale": 0.5,
        "schedule": {"@schedules": "constant.v1", "rate": 1},
    }
    with pytest.raises(ScheduleError, match="expected a plateau around the whole schedule, not inside another one"):
        rates({"@schedules": "constant_then.v1", "rate": 1.0, "steps": 9, "schedule": inner})


@pytest.mark.parametrize(
    ("text", "problem"), [("learn_rate = 1", "cannot be parsed"), ("[a]\nb = 1\n[a.b]\nc = 2", "got both")]
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "config.cfg").write_text(text, encoding="utf-8")
    with pytest.raises(ScheduleError, match=problem):
        lrcore.from_trainer("thinc", str(tmp_path / "config.cfg"))


@given(start=st.floats(0.01, 1), stop=st.floats(0.01, 1), factor=st.floats(0.9, 1.1), ahead=st.floats(0, 9))
def test_a_compounding_rate_is_that_of_its_formula(start: float, stop: float, factor: float, ahead: float) -> None:
    found = rates({"@schedules": "compounding.v1", "start": start, "stop": stop, "compound": factor, "t": ahead})
    for step in (0, 1, 7, 60):
        value = start * factor ** (step + ahead)
        assert math.isclose(found(step), max(value, stop) if start > stop else min(value, stop), rel_tol=1e-13)
