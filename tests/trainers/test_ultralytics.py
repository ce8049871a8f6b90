"""Ultralytics' args.yaml beside its loop said again, and what is refused."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest

from lrcore import Run, Schedule, ScheduleError, from_trainer
from tests.trainers.records import EXACT

SGD = {"optimizer": "SGD", "lr0": 0.01, "epochs": 10, "batch": 64}


def _loop(args: dict[str, Any], batches: int) -> list[tuple[float, float, float]]:
    """The rates of weights and biases and the momentum, at each update."""
    epochs, made = args["epochs"], []
    warmup, last = round(min(args["warmup_epochs"], epochs - 1) * batches), -1
    gathered = full = min(max(round(64 / args["batch"]), 1), batches * epochs)
    for at in range(epochs * batches):
        part = (at // batches) / epochs
        part = (1 - math.cos(math.pi * part)) / 2 if args["cos_lr"] else part
        weight = bias = 0.01 * (1 + part * (args["lrf"] - 1))
        momentum = 0.937
        if at <= warmup and warmup:
            done = at / warmup
            gathered = max(1, round(1 + (full - 1) * done))
            weight, bias, momentum = weight * done, 0.1 + (bias - 0.1) * done, 0.8 + (0.937 - 0.8) * done
        if at - last >= gathered:
            last = at
            made.append((weight, bias, momentum))
    return made


@pytest.mark.parametrize("batch", [8, 16, 24, 64, 128])
def test_an_update_gathers_batches_up_to_the_nominal_batch(batch: int) -> None:
    random = Random(batch)
    for _ in range(6):
        args = {
            **SGD,
            "batch": batch,
            "warmup_epochs": random.choice([0.0, 0.4, 3.0, 20]),
            "lrf": random.choice([0.01, 1.0]),
        }
        args["cos_lr"], batches = random.random() < 0.5, random.choice([7, 15, 40])
        taken = from_trainer("ultralytics", args, run=Run(batches_per_epoch=batches))
        found = [taken.schedule, taken.groups.get("bias", taken.schedule), taken.also["momentum"]]
        for number, schedule in enumerate(found):
            assert isinstance(schedule, Schedule)
            expected = [rates[number] for rates in _loop(args, batches)]
            assert schedule.values(range(len(expected))) == pytest.approx(expected, abs=0.01 * EXACT)


def test_the_optimizer_auto_finds_a_rate_of_its_own() -> None:
    args, run = {**SGD, "optimizer": "auto"}, Run(batches_per_epoch=15)
    with pytest.raises(
        ScheduleError, match=r"ultralytics: optimizer: expected one by name; got 'auto', which replaces lr0"
    ):
        from_trainer("ultralytics", args, run=run)
    taken = from_trainer("ultralytics", args, run=run, lr=0.002)
    assert taken.groups["bias"] == taken.schedule  # whose warmup begins at 0 too


def test_a_file_without_an_optimizer_has_a_note() -> None:
    taken = from_trainer("ultralytics", "lr0=0.01 epochs=10 batch=64 cos_lr=True", run=Run(batches_per_epoch=15))
    assert taken.notes == (
        "lr0 is taken as it stands, since no optimizer is named; auto, the default, would replace it.",
    )
    assert from_trainer("ultralytics", {**SGD, "optimizer": "AdamW"}, run=Run(batches_per_epoch=15)).also == {}
    assert (
        from_trainer("ultralytics", {**SGD, "optimizer": "MuSGD"}, run=Run(batches_per_epoch=15)).groups["head"] == 3.0
    )


@pytest.mark.parametrize(
    ("changes", "run", "says"),
    [
        (
            {"batch": -1},
            Run(batches_per_epoch=15),
            "ultralytics: batch: expected the number of samples; got -1, which finds it",
        ),
        (
            {"time": 2.0},
            Run(batches_per_epoch=15),
            "time: expected none, for hours of training are no length in updates",
        ),
        (
            {"batch": 16},
            Run(updates_per_epoch=15),
            "run.batches_per_epoch: expected the batches of an epoch, of which 4 make",
        ),
        (
            {},
            Run(batches_per_epoch=15, total=10),
            "run.total: expected 150, which the configuration says, or none; got 10",
        ),
        ({}, Run(), "ultralytics: expected the run's batches_per_epoch; got none"),
    ],
)
def test_what_has_no_equal_is_refused(changes: dict[str, Any], run: Run, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("ultralytics", {**SGD, **changes}, run=run)
