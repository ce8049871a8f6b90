"""The importer of t5x beside a restatement of its factors, and what it refuses."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore import Clip, Constant, Linear, Product, Schedule, ScheduleError
from tests.trainers.records import EXACT

FACTORS: dict[str, Callable[[int, dict[str, Any]], float]] = {
    "constant": lambda t, o: o["base_learning_rate"],
    "linear_warmup": lambda t, o: min(1.0, t / o["warmup_steps"]),
    "linear_decay": lambda t, o: (
        o["base_learning_rate"] * min(t / o["warmup_steps"], 1 + o["decay_factor"] * (o["warmup_steps"] - t))
    ),
    "rsqrt_decay": lambda t, o: max(t, o["warmup_steps"]) ** -0.5,
    "rsqrt_normalized_decay": lambda t, o: math.sqrt(o["warmup_steps"] / max(t, o["warmup_steps"])),
    "decay_every": lambda t, o: o["decay_factor"] ** (t // o["steps_per_decay"]),
    "cosine_decay": lambda t, o: (
        0.5 + 0.5 * math.cos(math.pi * (max(0, t - o["warmup_steps"]) % o["steps_per_cycle"]) / o["steps_per_cycle"])
    ),
}


def rate(t: int, options: dict[str, Any]) -> float:
    t = max(0, t - options["step_offset"])
    return max(
        options["min_learning_rate"], math.prod(FACTORS[name](t, options) for name in options["factors"].split(" * "))
    )


@pytest.mark.parametrize("seed", range(30))
def test_any_product_of_factors_is_that_of_t5x(seed: int) -> None:
    draw = random.Random(seed)
    options = {
        "factors": " * ".join(draw.sample([*FACTORS], draw.randint(1, 4))),
        "base_learning_rate": draw.choice([1.0, 0.5, 3e-4]),
        "warmup_steps": draw.choice([1, 7, 50]),
        "decay_factor": draw.choice([0.5, 0.01, 0.9]),
        "steps_per_decay": draw.choice([1, 20, 33]),
        "steps_per_cycle": draw.choice([10, 64]),
        "step_offset": draw.choice([0, 0, 5]),
        "min_learning_rate": draw.choice([1e-8, 0.0, 1e-2]),
    }
    schedule = lrcore.from_trainer("t5x", options).schedule
    assert isinstance(schedule, Schedule)
    wanted = np.array([rate(t, options) for t in range(300)])
    assert np.abs(schedule.values(range(300)) - wanted).max() <= EXACT * wanted.max()


def test_every_form_gives_the_same() -> None:
    options = {"factors": "constant*linear_warmup", "base_learning_rate": 1.0, "warmup_steps": 10}
    expected = Clip(Product([Constant(1.0), Linear(init_value=0.0, end_value=1.0, decay_steps=10)]), min_value=1e-8)
    flags = [f"--gin.utils.create_learning_rate_scheduler.{name}={value}" for name, value in options.items()]
    flags[0] = flags[0].replace("constant*linear_warmup", "'constant * linear_warmup'")
    for source in (options, {"utils": {"create_learning_rate_scheduler": options}}, ["train.py", *flags]):
        assert lrcore.from_trainer("t5x", source).schedule == expected
    del options["base_learning_rate"]
    assert lrcore.from_trainer("t5x", options, lr=1.0).schedule == expected


def test_what_is_not_used_is_a_note() -> None:
    taken = lrcore.from_trainer("t5x", {"factors": "decay_every", "base_learning_rate": 0.1, "name": "mine"})
    assert taken.notes == ("Not used: base_learning_rate.",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factors": "constant * rsqrt_decy"}, "got 'rsqrt_decy'; did you mean 'rsqrt_decay'?"),
        ({"factors": "linear_warmup", "warmup_steps": 0}, "t5x: warmup_steps: expected an integer >= 1; got 0"),
        ({"factors": "rsqrt_decay", "warmup_steps": 0}, "t5x: warmup_steps: expected an integer >= 1; got 0"),
        ({"min_learning_rate": -1}, "t5x: min_learning_rate: expected a number >= 0; got -1"),
    ],
)
def test_what_has_no_equal_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as error:
        lrcore.from_trainer("t5x", options)
    assert message in str(error.value)
