"""Caffe's solver beside its formula said again, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lrcore import Constant, PiecewiseConstant, Schedule, ScheduleError, from_trainer
from tests.trainers.records import EXACT

PROTOTXT = """
net: "models/train_val.prototxt"   # the network
base_lr: 0.001
lr_policy: "multistep"
gamma: 0.1
stepvalue: 80000
stepvalue: 100000
net_state { level: 3 stage: "base_lr: 7" }
max_iter: 120000
"""


def _rates(solver: dict[str, Any]) -> list[float]:
    lr, gamma, done, found = solver["base_lr"], solver["gamma"], 0, []
    for step in range(solver["max_iter"]):
        if done < len(solver["stepvalue"]) and step >= solver["stepvalue"][done]:
            done += 1
        policies: dict[str, Any] = {
            "fixed": lambda step: lr,
            "step": lambda step: lr * gamma ** (step // solver["stepsize"]),
            "exp": lambda step: lr * gamma**step,
            "inv": lambda step: lr * (1 + gamma * step) ** -solver["power"],
            "multistep": lambda _, done=done: lr * gamma**done,
            "poly": lambda step: lr * (1 - step / solver["max_iter"]) ** solver["power"],
            "sigmoid": lambda step: lr / (1 + math.exp(-gamma * (step - solver["stepsize"]))),
        }
        found.append(policies[solver["lr_policy"]](step))
    return found


@pytest.mark.parametrize("policy", ["fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid"])
def test_each_policy_is_its_formula(policy: str) -> None:
    random = Random(20)
    for _ in range(8):
        solver = {"lr_policy": policy, "base_lr": 0.01, "max_iter": 200, "power": random.choice([0.75, 2.0])}
        solver |= {"gamma": random.choice([0.1, 0.99, 1e-3]), "stepsize": random.choice([1, 30])}
        solver["stepvalue"] = random.choice([[], [0, 50], [20, 20, 21, 90], [50, 30]])
        schedule = from_trainer("caffe", solver).schedule
        assert isinstance(schedule, Schedule)
        assert schedule.values(range(200)) == pytest.approx(_rates(solver), abs=0.01 * EXACT)


def test_a_prototxt_is_read(tmp_path: Path) -> None:
    path = tmp_path / "solver.prototxt"
    path.write_text(PROTOTXT)
    expected = PiecewiseConstant(boundaries=[80_000, 100_000], values=[0.001, 0.001 * 0.1, 0.001 * 0.1**2])
    assert from_trainer("caffe", path).schedule == expected


def test_what_is_not_used_is_a_note() -> None:
    taken = from_trainer("caffe", {"lr_policy": "fixed", "base_lr": 0.1, "gamma": 0.1, "momentum": 0.9})
    assert (taken.schedule, taken.notes) == (Constant(0.1), ("Not used: gamma.",))


@pytest.mark.parametrize(
    ("solver", "says"),
    [
        ({}, "caffe: lr_policy: expected a text; got none"),
        ({"lr_policy": "plateau"}, "lr_policy: expected one of fixed, .*; got 'plateau'"),
        ({"lr_policy": "step", "gamma": 0.1}, "stepsize: expected an integer >= 1; got none"),
        ({"lr_policy": "poly", "power": 1}, "max_iter: expected an integer >= 1 for poly; got none"),
        ({"lr_policy": "exp", "gamma": -1}, "gamma: expected a number >= 0; got -1"),
    ],
)
def test_what_has_no_equal_is_refused(solver: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("caffe", solver, lr=0.1)
