"""Swin's TRAIN beside its formulas said again, and what is refused."""

from __future__ import annotations

import math
from bisect import bisect_right
from random import Random
from typing import Any

import pytest

from lrcore import Run, Schedule, ScheduleError, from_trainer
from tests.trainers.records import EXACT


def _rate(name: str, train: dict[str, Any], epoch: int, t: int) -> float:
    """The rate that the scheduler gives for step t."""
    length, warmup, scheduler = train["EPOCHS"] * epoch, train["WARMUP_EPOCHS"] * epoch, train["LR_SCHEDULER"]
    lr, first, lowest = train["BASE_LR"], train["WARMUP_LR"], train["MIN_LR"]
    if t < warmup:
        return float(first + t * (lr - first) / warmup)
    if name == "cosine":
        if scheduler["WARMUP_PREFIX"]:
            t, length = t - warmup, length - warmup
        return float(lowest + (lr - lowest) * (1 + math.cos(math.pi * t / length)) / 2 if t < length else lowest)
    if name == "linear":
        return float(lr - 0.99 * lr * (t - warmup) / (length - warmup))
    if name == "step":
        return float(lr * scheduler["DECAY_RATE"] ** ((t - warmup) // int(scheduler["DECAY_EPOCHS"] * epoch)))
    return float(lr * scheduler["GAMMA"] ** bisect_right([one * epoch for one in scheduler["MULTISTEPS"]], t))


@pytest.mark.parametrize("name", ["cosine", "linear", "step", "multistep"])
def test_each_scheduler_is_one_update_late(name: str) -> None:
    random = Random(20)
    for _ in range(12):
        train: dict[str, Any] = {
            "EPOCHS": random.randint(6, 30),
            "WARMUP_EPOCHS": random.choice([0, 1, 5]),
            "BASE_LR": 5e-4,
        }
        train |= {"WARMUP_LR": random.choice([0.0, 5e-7]), "MIN_LR": random.choice([0.0, 5e-6])}
        scheduler = {"NAME": name, "WARMUP_PREFIX": random.random() < 0.5, "DECAY_EPOCHS": random.choice([1, 2.5])}
        scheduler |= {"DECAY_RATE": 0.3, "GAMMA": 0.2, "MULTISTEPS": [5, random.randint(5, 29)]}
        train["LR_SCHEDULER"], epoch = scheduler, random.choice([2, 7])
        schedule = from_trainer("swin", {"TRAIN": train}, run=Run(updates_per_epoch=epoch, batch_size=512)).schedule
        assert isinstance(schedule, Schedule)
        for update in range(train["EPOCHS"] * epoch):
            expected = _rate(name, train, epoch, max(update - 1, 0))
            assert schedule(update) == pytest.approx(expected, abs=5e-4 * EXACT)


def test_the_rates_of_the_file_are_those_of_512_samples() -> None:
    train = {"TRAIN": {"EPOCHS": 10, "WARMUP_EPOCHS": 2, "BASE_LR": 5e-4, "WARMUP_LR": 5e-7}}
    twice = from_trainer("swin", train, run=Run(updates_per_epoch=3, batch_size=1024)).schedule
    assert isinstance(twice, Schedule)
    assert (twice(0), twice(7)) == (1e-6, 1e-3)
    with pytest.raises(ScheduleError, match=r"expected the run's batch_size, the samples of one update; got none"):
        from_trainer("swin", train, run=Run(updates_per_epoch=3))
    scaled = from_trainer("swin", train, run=Run(updates_per_epoch=3), lr=5e-4)
    assert scaled.notes == ("The rates of the file are taken as scaled already, for lr is given.",)


@pytest.mark.parametrize(
    ("train", "says"),
    [
        ({"EPOCHS": 5}, "swin: TRAIN.WARMUP_EPOCHS: expected fewer than EPOCHS; got"),
        (
            {"LR_SCHEDULER": {"NAME": "multistep", "MULTISTEPS": [3]}},
            "MULTISTEPS: expected rising epochs after the warmup",
        ),
        ({"LR_SCHEDULER": {"NAME": "poly"}}, "TRAIN.LR_SCHEDULER.NAME: expected one of cosine, .*; got 'poly'"),
    ],
)
def test_what_has_no_equal_is_refused(train: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("swin", {"TRAIN": train}, run=Run(updates_per_epoch=3, batch_size=512))
