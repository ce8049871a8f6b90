"""The importer of big_vision beside a restatement of its function, its lengths, its lists of patterns, and what it refuses."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore import Constant, Cosine, Linear, Run, Schedule, ScheduleError
from tests.trainers.records import EXACT

TOTAL = 200


def rate(t: int, o: dict[str, Any]) -> float:
    base, warmup, cooldown = o["base"], o.get("warmup_steps", 0), o.get("cooldown_steps", 0)
    gone = min(1.0, max(0.0, (t - warmup) / (TOTAL - warmup)))
    kind = o["decay_type"]
    if kind == "cosine":
        base *= 0.5 + 0.5 * math.cos(math.pi * gone)
    elif kind == "rsqrt":
        base /= math.sqrt(1 + (max(t - warmup, 0) + o["shift"]) / o["timescale"])
    elif kind == "stair":
        base *= [1.0, *o["mults"]][sum(step <= t for step in o["steps"])]
    else:
        base = o["end"] + (base - o["end"]) * (1 - gone) ** o["power"]
    base *= min(1.0, t / warmup) if warmup else 1.0
    return float(base * (min(1.0, (TOTAL - t) / cooldown) if cooldown else 1.0))


@pytest.mark.parametrize("seed", range(60))
def test_any_schedule_is_that_of_the_function(seed: int) -> None:
    draw = random.Random(seed)
    options = {
        "total_steps": TOTAL,
        "base": draw.choice([1e-3, 0.1]),
        "decay_type": draw.choice(["cosine", "linear", "polynomial", "rsqrt", "stair"]),
        "warmup_steps": draw.choice([0, 1, 10, 10, 0.1, 2.5, 199]),
        "cooldown_steps": draw.choice([0, 0, 1, 50, 0.5, 300]),
        "end": draw.choice([0.0, 1e-5, 0.2]),
        "power": draw.choice([1, 2, 0.5]),
        "timescale": draw.choice([10, 1000]),
        "shift": draw.choice([0, 20, -5, 2.5]),
        "steps": [10, 60, 150],
        "mults": [0.5, 0.1, 0.3],
    }
    schedule = lrcore.from_trainer("big_vision", options).schedule
    assert isinstance(schedule, Schedule)
    wanted = np.array([rate(t, options) for t in range(TOTAL + 1)])
    assert np.abs(schedule.values(range(TOTAL + 1)) - wanted).max() <= EXACT * np.abs(wanted).max()


@pytest.mark.parametrize(
    ("lengths", "run", "expected"),
    [
        ({"total_steps": 1000, "warmup_steps": 100}, Run(), (1000, 100)),
        ({"total_steps": 1000, "warmup_percent": 0.1}, Run(), (1000, 100)),
        ({"total_epochs": 3, "warmup_epochs": 0.5, "input": {"batch_size": 10}}, Run(dataset_size=105), (32, 5)),
        ({"total_examples": 1050, "warmup_examples": 21, "batch_size": 10}, Run(), (105, 2)),
        ({"warmup_examples": 1}, Run(total=50, batch_size=10), (50, 1)),
        ({"warmup_epochs": 2}, Run(total=50, updates_per_epoch=7.5), (50, 15)),
    ],
)
def test_lengths_have_units(lengths: dict[str, Any], run: Run, expected: tuple[int, int]) -> None:
    total, warmup = expected
    schedule = lrcore.from_trainer("big_vision", {"decay_type": "cosine", **lengths}, run=run, lr=0.1).schedule
    assert schedule == Cosine(init_value=0.1, decay_steps=total - warmup).warmup(warmup)


def test_a_whole_configuration_multiplies_its_schedule_by_lr() -> None:
    schedule = {"decay_type": "linear", "linear_end": 0.1, "mult": 0.5}
    config = {"lr": 1e-3, "total_steps": 100, "schedule": schedule, "optax_name": "scale_by_adam", "wd": 1e-4}
    expected = Linear(init_value=5e-4, end_value=1e-4, decay_steps=100)
    for source in (config, {"config": config}):
        assert lrcore.from_trainer("big_vision", source).schedule == expected


def test_patterns_are_groups() -> None:
    frozen, head = [".*/embedding/.*", None], ["head/.*", {"decay_type": "linear", "mult": 10, "warmup_step": 3}]
    config = {
        "lr": 1e-3,
        "total_steps": 100,
        "schedule": [frozen, head, [".*", {"decay_type": "cosine"}], ["head/.*", {}]],
        "lr_mults": [["head/.*", 0.5], [".*/bias", 2.0]],
    }
    taken = lrcore.from_trainer("big_vision", config)
    linear = Linear(init_value=1e-3 * 10, end_value=0.0, decay_steps=100)
    assert taken.schedule == Cosine(init_value=1e-3, decay_steps=100)
    assert taken.groups == {".*/embedding/.*": 0.0, "head/.*": linear * 0.5, ".*/bias": 2.0}
    assert taken.notes == (
        "Each of lr_mults multiplies the schedule that its parameters have.",
        "Not used: schedule[1].warmup_step.",
    )


def test_the_rate_grows_with_the_batch_and_the_end_of_a_cooldown_is_a_note() -> None:
    options = {"scale_with_batchsize": True, "batch_size": 512, "cooldown_steps": 10, "total_steps": 100}
    taken = lrcore.from_trainer("big_vision", options, lr=0.1)
    assert taken.schedule == Constant(0.2) * lrcore.Interpolate(boundaries=[90, 100], values=[1.0, 0.0])
    assert taken.notes == ("Past update 100 the cooldown of big_vision goes below 0; here the rate stays 0.",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "big_vision: expected the run's total, in updates; got none"),
        ({"total_steps": 9}, "big_vision: expected the optimizer's rate; got none"),
        ({"total_steps": 9, "base": 1, "decay_type": "cos"}, "decay_type: expected one of cosine, linear"),
        (
            {"total_steps": 9, "base": 1, "warmup_steps": 9},
            "expected a warmup shorter than the run of 9 updates; got 9",
        ),
        (
            {"total_steps": 9, "base": 1, "warmup_steps": 1, "warmup_percent": 0.1},
            "expected one unit of warmup; got steps",
        ),
        ({"total_steps": 9, "base": 1, "warmup_percent": 10}, "expected a share of the run from 0 to 1; got 10"),
        ({"total_steps": 9, "base": 1, "steps": [3], "mults": []}, "mults: expected 1 numbers, one for each of steps"),
        ({"total_steps": 9, "base": 1, "warmup_epochs": 1}, "expected the run's updates_per_epoch; got none"),
        ({"total_steps": 9, "lr": 1, "schedule": [["a", None]]}, "expected a schedule for some parameters; got none"),
        ({"total_steps": 9, "lr": 1, "schedule": [3]}, "expected a table, or a list of [pattern, table or none]"),
    ],
)
def test_what_has_no_equal_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as error:
        lrcore.from_trainer("big_vision", options)
    assert message in str(error.value)


def test_the_length_of_the_run_may_not_contradict_the_configuration() -> None:
    with pytest.raises(ScheduleError, match=r"run.total: expected 9, which the configuration says, or none; got 10"):
        lrcore.from_trainer("big_vision", {"total_steps": 9, "base": 1.0}, run=Run(total=10))
