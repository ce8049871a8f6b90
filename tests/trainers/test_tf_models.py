"""The importer of the Model Garden beside a restatement of its decays and warmups, and what it refuses."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore import Constant, Cosine, Schedule, ScheduleError
from tests.trainers.records import EXACT

UPDATES = 260


def stepwise(x: float, o: dict[str, Any]) -> float:
    return float(o["values"][sum(x > boundary for boundary in o["boundaries"])])


def exponential(x: float, o: dict[str, Any]) -> float:
    periods = x / o["decay_steps"]
    return float(o["initial_learning_rate"] * o["decay_rate"] ** (math.floor(periods) if o["staircase"] else periods))


def polynomial(x: float, o: dict[str, Any]) -> float:
    peak, end, steps = o["initial_learning_rate"], o["end_learning_rate"], o["decay_steps"]
    steps *= max(1, math.ceil(x / steps)) if o["cycle"] else 1
    return float((peak - end) * (1 - min(x, steps) / steps) ** o["power"] + end)


def cosine(x: float, o: dict[str, Any]) -> float:
    half = 0.5 + 0.5 * math.cos(math.pi * min(x, o["decay_steps"]) / o["decay_steps"])
    return float(o["initial_learning_rate"] * ((1 - o["alpha"]) * half + o["alpha"]))


def power(x: float, o: dict[str, Any]) -> float:
    return float(o["initial_learning_rate"] * max(x, 1) ** o["power"])


def power_linear(x: float, o: dict[str, Any]) -> float:
    total, part = o["total_decay_steps"], o["linear_decay_fraction"]
    return max(0.0, power(x, o) * min(1.0, (total - x) / (total * part))) if part else power(x, o)


def power_with_offset(x: float, o: dict[str, Any]) -> float:
    return min(o["pre_offset_learning_rate"], power(x, o) if x > 0 else o["pre_offset_learning_rate"])


def step_cosine_with_offset(x: float, o: dict[str, Any]) -> float:
    boundaries, values = o["boundaries"], o["values"]
    number = max(0, sum(x >= boundary for boundary in boundaries) - 1)
    if number == len(boundaries) - 1:
        return float(values[-1])  # no number in the trainer
    start = boundaries[number] if number else 0
    length, (first, last) = boundaries[number + 1] - boundaries[number], values[number : number + 2]
    return float((first - last) * (math.cos(math.pi * (x - start) / length) + 1) / 2 + last)


DECAYS: dict[str, Callable[[float, dict[str, Any]], float]] = {
    one.__name__: one
    for one in (
        stepwise,
        exponential,
        polynomial,
        cosine,
        power,
        power_linear,
        power_with_offset,
        step_cosine_with_offset,
    )
}


def rate(t: int, kind: str, o: dict[str, Any], warmup: tuple[str, dict[str, Any]]) -> float:
    def decay(t: int) -> float:
        return DECAYS[kind](t - (0 if kind == "power" else o["offset"]), o)

    name, options = warmup
    steps = options.get("warmup_steps", 0)
    if t >= steps:
        return decay(t)
    if name == "linear":
        first = options["warmup_learning_rate"]
        return float(first + t / steps * (decay(steps) - first))
    return float(decay(steps) * (max(t, 1) / steps) ** options["power"])


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("kind", DECAYS)
def test_any_decay_and_warmup_is_that_of_the_trainer(kind: str, seed: int) -> None:
    draw = random.Random(seed)
    steps = draw.choice([0, 1, 20])
    warmups = {
        "linear": {"warmup_steps": steps, "warmup_learning_rate": draw.choice([0.0, 0.01])},
        "polynomial": {"warmup_steps": steps, "power": draw.choice([1, 2, 0.5])},
        "none": {},
    }
    name = draw.choice([*warmups])
    start = steps if name != "none" else 0
    later = kind not in ("step_cosine_with_offset", "polynomial")
    options: dict[str, Any] = {
        "initial_learning_rate": draw.choice([0.1, 3e-4]),
        "offset": draw.choice([0, start, *([7, 33] if later else [])]),
        "decay_steps": draw.choice([10, 200]),
        "decay_rate": draw.choice([0.5, 0.97]),
        "staircase": draw.choice([True, False]),
        "end_learning_rate": draw.choice([0.0, 1e-4]),
        "power": draw.choice([-0.5, -1] if kind.startswith("power") else [1, 0.5, 2]),
        "cycle": draw.choice([True, False]),
        "alpha": draw.choice([0.0, 0.1]),
        "total_decay_steps": draw.choice([150, 300]),
        "linear_decay_fraction": draw.choice([0.0, 0.1, 0.33, 1.0]),
        "pre_offset_learning_rate": draw.choice([1e-2, 1e6]),
        "boundaries": [draw.choice([0, 10]), 50, 120],
        "values": [0.1, 0.3, 0.01] + ([0.001] if kind == "stepwise" else []),
    }
    config = {"learning_rate": {"type": kind, kind: options}}
    if name != "none":
        config["warmup"] = {"type": name, name: warmups[name]}
    schedule = lrcore.from_trainer("tf_models", {"optimizer_config": config}).schedule
    assert isinstance(schedule, Schedule)
    wanted = np.array([rate(t, kind, options, (name, warmups[name])) for t in range(UPDATES)])
    assert np.abs(schedule.values(range(UPDATES)) - wanted).max() <= EXACT * np.abs(wanted).max()


@pytest.mark.parametrize("offset", [5, 40, 130])
def test_a_polynomial_before_its_offset_is_higher(offset: int) -> None:
    options = {"initial_learning_rate": 0.1, "decay_steps": 50, "power": 2, "offset": offset, "end_learning_rate": 0.01}
    schedule = lrcore.from_trainer(
        "tf_models", {"learning_rate": {"type": "polynomial", "polynomial": options}}
    ).schedule
    assert isinstance(schedule, Schedule)
    wanted = np.array([polynomial(t - offset, {**options, "cycle": False}) for t in range(UPDATES)])
    assert np.abs(schedule.values(range(UPDATES)) - wanted).max() <= EXACT * wanted.max()


@pytest.mark.parametrize("exponent", [0, 0.5, 1, 2.5])
def test_a_positive_power_grows(exponent: float) -> None:
    options = {"initial_learning_rate": 0.1, "power": exponent}
    schedule = lrcore.from_trainer("tf_models", {"learning_rate": {"type": "power", "power": options}}).schedule
    assert isinstance(schedule, Schedule)
    wanted = np.array([power(t, options) for t in range(UPDATES)])
    assert np.abs(schedule.values(range(UPDATES)) / wanted - 1).max() <= EXACT


def test_every_form_gives_the_same() -> None:
    cosine = {"type": "cosine", "cosine": {"initial_learning_rate": 0.1, "decay_steps": 90, "offset": 10}}
    config = {"learning_rate": cosine, "warmup": {"type": "linear", "linear": {"warmup_steps": 10}}, "ema": None}
    expected = Cosine(init_value=0.1, decay_steps=90).warmup(10)
    for source in (config, {"optimizer_config": config}, {"trainer": {"train_steps": 100, "optimizer_config": config}}):
        assert lrcore.from_trainer("tf_models", source).schedule == expected
    constant = {"learning_rate": {"type": "constant"}, "warmup": {"type": None}}
    assert lrcore.from_trainer("tf_models", constant).schedule == Constant(0.1)


def test_where_the_trainer_has_no_number_is_a_note() -> None:
    options = {"boundaries": [10, 30], "values": [1.0, 0.5], "decay": 3}
    taken = lrcore.from_trainer(
        "tf_models", {"learning_rate": {"type": "step_cosine_with_offset", "step_cosine_with_offset": options}}
    )
    first, last, unused = taken.notes
    assert first.startswith(
        "The first cosine begins at update 0, not at 10, takes boundaries[1] - boundaries[0] updates"
    )
    assert last == "From update 30 on the trainer's rate is no number; here it is the last value."
    assert unused == "Not used: learning_rate.step_cosine_with_offset.decay."


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("cosin", {}, "got 'cosin'; did you mean 'cosine'?"),
        (
            "cosine",
            {"initial_learning_rate": 1},
            "learning_rate.cosine.decay_steps: expected an integer >= 1; got none",
        ),
        ("cosine", {"decay_steps": 9}, "tf_models: expected the optimizer's rate; got none; give it as lr=..."),
        ("stepwise", {"boundaries": [3], "values": [1]}, "expected rising updates, one fewer than values; got [3]"),
        (
            "step_cosine_with_offset",
            {"boundaries": [3], "values": [1]},
            "one for each of values, two at least; got [3]",
        ),
        (
            "step_cosine_with_offset",
            {"boundaries": [0, 3], "values": [1, 2], "offset": 5},
            "expected at most the warmup's length for step_cosine_with_offset; got 5 more",
        ),
        (
            "power_linear",
            {"initial_learning_rate": 1, "total_decay_steps": 9, "linear_decay_fraction": 2},
            "expected a share of at most 1; got 2",
        ),
    ],
)
def test_what_has_no_equal_is_refused(kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as error:
        lrcore.from_trainer("tf_models", {"learning_rate": {"type": kind, kind: options}})
    assert message in str(error.value)
