"""torchtitan's configurations: their forms, the horizon, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import Constant, Run, Schedule, ScheduleError, Taken

TOML = """
[optimizer]
lr = 8e-4
[training]
steps = 100
[lr_scheduler]
warmup_steps = 8
decay_ratio = 0.5
decay_type = "sqrt"
min_lr_factor = 0.25
"""
SCHEDULE = Constant(8e-4).warmup(7, init_value=1e-4).cooldown(50, start=50, end_value=2e-4, shape="1-sqrt")


def taken(own: dict[str, Any], steps: int = 100, run: Run | None = None) -> Taken:
    source = {"lr_scheduler": own, "optimizer": {"lr": 0.1}, "training": {"steps": steps}}
    return lrcore.from_trainer("torchtitan", source, run=run)


def rates(own: dict[str, Any], steps: int = 100) -> Schedule:
    found = taken(own, steps).schedule
    assert isinstance(found, Schedule)
    return found


def test_a_configuration_is_read_in_each_of_its_forms(tmp_path: Path) -> None:
    (tmp_path / "debug.toml").write_text(TOML, encoding="utf-8")
    own = {"warmup_steps": 8, "decay_ratio": "0.5", "decay_type": "sqrt", "lr_min": 0.25}
    flags = "--optimizer.lr 8e-4 --training.steps=100 " + " ".join(f"--lr_scheduler.{k} {v}" for k, v in own.items())
    found = [
        lrcore.from_trainer("torchtitan", str(tmp_path / "debug.toml")),
        lrcore.from_trainer("torchtitan", flags),
        lrcore.from_trainer("torchtitan", {**own, "total_steps": None}, run=Run(total=100), lr=8e-4),
    ]
    assert [one.schedule for one in found] == [SCHEDULE] * 3


def test_the_defaults_hold_where_there_is_no_table() -> None:
    found = lrcore.from_trainer("torchtitan", {"optimizer": {"lr": 0.2}, "training": {"steps": 1000}}).schedule
    assert found == Constant(0.2).warmup(199, init_value=0.001).cooldown(800, start=200)


def test_the_horizon_may_be_longer_than_the_run() -> None:
    found = taken({"warmup_steps": 0, "total_steps": 400, "decay_type": "cosine"}, run=Run(total=100))
    assert found.schedule == Constant(0.1).cooldown(400, start=0, shape="cosine")
    assert found.notes == ("After update 400 torchtitan's rate rises again; lrcore holds the end value.",)


def test_an_unused_option_and_an_older_name_are_notes() -> None:
    assert taken({"lr_min": 0.1, "decay_ratio": 0, "warmup": 5}).notes == (
        "lr_min, the name in older versions, is read as min_lr_factor by the rule of torchtitan 0.3.0.",
        "Not used: lr_scheduler.warmup.",
    )


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (
            {"lr_scheduler": {"decay_type": "exp"}, "training": {"steps": 9}},
            "decay_type: expected one of linear, sqrt, cosine",
        ),
        ({"lr_scheduler": {"decay_ratio": -1}, "training": {"steps": 9}}, "decay_ratio: expected a number >= 0"),
        ({"lr_scheduler": {"warmup_steps": 0}}, "expected the run's total"),
        ({"training": {"warmup_steps": 9, "steps": 9}}, "training.warmup_steps: expected \\[lr_scheduler\\]"),
    ],
)
def test_what_has_no_meaning_is_refused(source: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        lrcore.from_trainer("torchtitan", source, lr=0.1)


def test_a_run_of_another_length_is_refused() -> None:
    with pytest.raises(ScheduleError, match="expected 100, which the configuration says"):
        taken({}, run=Run(total=99))


@given(steps=st.integers(1, 300), warmup=st.integers(0, 320), ratio=st.none() | st.floats(0, 1), low=st.floats(0, 1))
def test_a_linear_decay_is_that_of_its_formula(steps: int, warmup: int, ratio: float | None, low: float) -> None:
    found = rates({"warmup_steps": warmup, "decay_ratio": ratio, "min_lr_factor": low}, steps)
    rise = min(warmup, steps)
    fall = steps - rise if ratio is None else min(round(steps * ratio), steps - rise)
    for step in range(steps):
        gone = (step - (steps - fall)) / fall if fall and step >= steps - fall else 0.0
        factor = (step + 1) / rise if step < rise else 1 - (1 - low) * gone
        assert math.isclose(found(step), 0.1 * factor, abs_tol=1e-14)
