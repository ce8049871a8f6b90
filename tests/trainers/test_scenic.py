"""The importer of scenic beside a restatement of its factors, and what it refuses."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore import Constant, Interpolate, Linear, Product, Run, Schedule, ScheduleError
from tests.trainers.records import EXACT

TOTAL = 300
NAMES = [
    *(
        "constant",
        "polynomial",
        "piecewise_constant",
        "piecewise_linear",
        "linear_warmup",
        "rsqrt_decay",
        "decay_every",
    ),
    *("cosine_decay", "linear_decay", "linear_cooldown"),
]


def rate(t: int, o: dict[str, Any]) -> float:
    """The product of the factors, one after another."""
    ratio = 1.0
    for name in o["factors"].split("*"):
        ratio = (
            (ratio - o["end_learning_rate"]) * fall(t, o) + o["end_learning_rate"]
            if name == "linear_decay"
            else ratio * factor(name, t, o)
        )
    return ratio


def fall(t: int, o: dict[str, Any]) -> float:
    return 1 - min(1.0, max(0.0, (t - o["warmup_steps"]) / (TOTAL - o["warmup_steps"])))


def factor(name: str, t: int, o: dict[str, Any]) -> float:
    warmup = o["warmup_steps"]
    events, factors = o["decay_events"], [1.0, *o["decay_factors"]]
    gone = sum(event < t for event in events)
    if name == "constant":
        return float(o["base_learning_rate"])
    if name == "polynomial":
        return float((1 - o["end_factor"]) * max(0.0, 1 - t / o["decay_steps"]) ** o["power"] + o["end_factor"])
    if name == "piecewise_constant":
        return factors[gone]
    if name == "piecewise_linear":
        lines = [*pairwise([0, *events]), (0, 0)]
        start, end = lines[gone]
        last = [*factors, factors[-1]][gone + 1]
        return factors[gone] + (last - factors[gone]) / max(1, end - start) * (t - start)
    if name == "linear_warmup":
        return min(1.0, o["warmup_alpha"] + t * (1 - o["warmup_alpha"]) / warmup) if warmup else 1.0
    if name == "rsqrt_decay":
        return math.sqrt(o["timescale"] / (o["timescale"] + t - warmup)) if t > warmup else 1.0
    if name == "decay_every":
        return float(o["decay_factor"] ** (t // o["steps_per_decay"]))
    if name == "linear_cooldown":
        return min(1.0, (TOTAL - max(t, warmup)) / o["cooldown_steps"])
    return cosine(max(0, t - warmup - o["start_decay_step"]), o)


def cosine(t: int, o: dict[str, Any]) -> float:
    cycle = o["steps_per_cycle"]
    length: float = cycle - int(o["warmup_steps"] / (TOTAL / cycle))
    number = 0
    while t >= length:
        t, length, number = t - int(length), length * o["t_mul"], number + 1
    half = 0.5 * o["m_mul"] ** number * (1 + math.cos(math.pi * t / length))
    return float((1 - o["alpha"]) * half + o["alpha"])


@pytest.mark.parametrize("seed", range(60))
def test_any_product_of_factors_is_that_of_scenic(seed: int) -> None:
    draw = random.Random(seed)
    options = {
        "learning_rate_schedule": "compound",
        "factors": "*".join(draw.sample(NAMES, draw.randint(1, 4))),
        "base_learning_rate": draw.choice([1.0, 0.5, 3e-4]),
        "warmup_steps": draw.choice([0, 1, 7, 50]),
        "warmup_alpha": draw.choice([0.0, 0.1]),
        "decay_steps": draw.choice([10, 250]),
        "end_factor": draw.choice([0.0, 0.1]),
        "power": draw.choice([0.5, 1, 2]),
        "decay_events": [draw.choice([1, 10, 99]), 100, 200],
        "decay_factors": [0.5, 0.7, 0.1],
        "timescale": draw.choice([10, 1000]),
        "decay_factor": draw.choice([0.5, 0.9]),
        "steps_per_decay": draw.choice([1, 33]),
        "steps_per_cycle": draw.choice([100, 150, 300]),
        "t_mul": draw.choice([1, 1, 2]),
        "m_mul": draw.choice([1.0, 0.5]),
        "alpha": draw.choice([0.0, 0.1]),
        "start_decay_step": draw.choice([0, 20]),
        "total_steps": TOTAL,
        "end_learning_rate": draw.choice([0.0, 1e-5, 0.1]),
        "cooldown_steps": draw.choice([1, 50, 280, 400]),
    }
    schedule = lrcore.from_trainer("scenic", {"lr_configs": options}).schedule
    assert isinstance(schedule, Schedule)
    wanted = np.array([rate(t, options) for t in range(TOTAL + 1)])
    assert np.abs(schedule.values(range(TOTAL + 1)) - wanted).max() <= EXACT * np.abs(wanted).max()


def test_every_form_gives_the_same() -> None:
    options = {"factors": "constant*linear_warmup", "base_learning_rate": 1.0, "warmup_steps": "10"}
    expected = Product([Constant(1.0), Linear(init_value=0.0, end_value=1.0, decay_steps=10)])
    whole = {"rng_seed": 0, "lr_configs": {"learning_rate_schedule": "compound", **options}}
    for source in (options, whole, [f"--lr_configs.{name}={value}" for name, value in options.items()]):
        assert lrcore.from_trainer("scenic", source).schedule == expected
    assert lrcore.from_trainer("scenic", {"lr_configs": {"base_learning_rate": 0.1}}).schedule == Constant(0.1)


def test_a_cooldown_takes_the_run_and_notes_its_end() -> None:
    taken = lrcore.from_trainer("scenic", {"factors": "linear_cooldown", "cooldown_steps": 20}, run=Run(total=100))
    assert taken.schedule == Interpolate(boundaries=[80, 100], values=[1.0, 0.0])
    assert taken.notes == ("Past update 100 scenic's cooldown goes below 0; here the rate stays 0.",)


def test_what_only_linear_decay_reads_is_a_note() -> None:
    options = {"factors": "constant * cosine_decay", "steps_per_cycle": 100, "end_learning_rate": 1e-5}
    taken = lrcore.from_trainer("scenic", options, lr=1.0)
    assert taken.notes == ("The cosine starts again at update 100, as scenic's does.", "Not used: end_learning_rate.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factors": "cosine"}, "expected factors out of constant, polynomial"),
        ({"learning_rate_schedule": "cosine"}, "expected 'compound', the only one that scenic has; got 'cosine'"),
        ({"factors": "linear_decay"}, "expected the run's total, in updates; got none"),
        ({"factors": "linear_decay", "total_steps": 5, "warmup_steps": 5}, "expected less than total_steps (5); got 5"),
        ({"factors": "cosine_decay", "steps_per_cycle": 9, "warmup_steps": 9}, "expected more than the warmup's share"),
        (
            {"factors": "piecewise_linear", "decay_events": [5, 2], "decay_factors": [1, 2]},
            "expected rising updates > 0",
        ),
        ({"factors": "linear_warmup", "warmup_steps": 3, "warmup_alpha": 2}, "expected a number <= 1"),
        ({"factors": "constant"}, "expected the optimizer's rate; got none; give it as lr=..."),
    ],
)
def test_what_has_no_equal_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as error:
        lrcore.from_trainer("scenic", options)
    assert message in str(error.value)
