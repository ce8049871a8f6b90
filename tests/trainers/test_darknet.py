"""darknet's .cfg beside its formula said again, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

from lrcore import Constant, Run, Schedule, ScheduleError, from_trainer
from tests.trainers.records import EXACT

CFG = """
[net]
# Training
batch=64
subdivisions=16
learning_rate=0.0013   ; of one GPU
burn_in=1000
max_batches = 500500
policy=steps
steps=400000,450000
scales=.1,.1

[convolutional]
filters=32
learning_rate=7
"""


def _rate(net: dict[str, Any], batch: int) -> float:
    lr, power = net["learning_rate"], net.get("power", 4)
    if batch < net["burn_in"]:
        return float(lr * (batch / net["burn_in"]) ** power)
    if net["policy"] == "steps":
        return float(lr * math.prod(s for step, s in zip(net["steps"], net["scales"], strict=True) if step <= batch))
    if net["policy"] == "sgdr":
        start, cycle = 0, net["sgdr_cycle"]
        while start + cycle < batch:
            start, cycle = start + cycle, cycle * net["sgdr_mult"]
        lowest = net["learning_rate_min"]
        return float(lowest + (lr - lowest) * (1 + math.cos((batch - start) * math.pi / cycle)) / 2)
    return {
        "constant": lambda: lr,
        "step": lambda: lr * net["scale"] ** (batch // net["step"]),
        "exp": lambda: lr * net["gamma"] ** batch,
        "poly": lambda: lr * (1 - batch / net["max_batches"]) ** power,
        "sigmoid": lambda: lr / (1 + math.exp(net["gamma"] * (batch - net["step"]))),
    }[net["policy"]]()


@pytest.mark.parametrize("policy", ["constant", "step", "steps", "exp", "poly", "sigmoid", "sgdr"])
def test_the_first_update_is_batch_1(policy: str) -> None:
    random = Random(20)
    for _ in range(8):
        net: dict[str, Any] = {"policy": policy, "learning_rate": 0.01, "max_batches": 400, "scale": 0.5}
        net |= {"burn_in": random.choice([0, 1, 30]), "step": random.choice([1, 50]), "steps": [20, 20, 90]}
        net |= {"scales": [0.1, 2.0, 0.3], "gamma": random.choice([0.9, 0.02]), "learning_rate_min": 1e-4}
        net |= {"sgdr_cycle": random.choice([7, 60, 500]), "sgdr_mult": random.choice([1, 2, 3])}
        net |= random.choice([{}, {"power": 2}])
        schedule = from_trainer("darknet", {"net": net}).schedule
        assert isinstance(schedule, Schedule)
        for update in range(400):
            assert schedule(update) == pytest.approx(_rate(net, update + 1), abs=0.02 * EXACT)


def test_a_cfg_is_read_as_far_as_its_first_section(tmp_path: Path) -> None:
    path = tmp_path / "yolov4.cfg"
    path.write_text(CFG)
    schedule = from_trainer("darknet", path).schedule
    assert isinstance(schedule, Schedule)
    assert [schedule(update) for update in (998, 999, 400_000)] == pytest.approx([0.0013 * 0.999**4, 0.0013, 0.00013])


@pytest.mark.parametrize(
    ("net", "says"),
    [
        ({"policy": "random"}, "darknet: policy: expected a policy that is a function of the batch; got 'random'"),
        ({"policy": "cosine"}, "policy: expected one of constant, .*; got 'cosine'"),
        ({"policy": "steps", "steps": "3,2", "scales": ".1,.1"}, "steps: expected rising batches; got '3,2'"),
        ({"policy": "steps", "steps": [3], "scales": [0.1, 0.1]}, "scales: expected one for each of 1 steps; got 2"),
        ({"policy": "poly"}, "max_batches: expected an integer >= 1 for poly; got none"),
    ],
)
def test_what_has_no_equal_is_refused(net: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("darknet", net, lr=0.1)


def test_the_run_is_as_long_as_the_file_says() -> None:
    assert from_trainer("darknet", {"max_batches": 10}, lr=0.1).schedule == Constant(0.1)
    with pytest.raises(ScheduleError, match=r"run.total: expected 10, which the configuration says, or none; got 20"):
        from_trainer("darknet", {"max_batches": 10}, run=Run(total=20), lr=0.1)
