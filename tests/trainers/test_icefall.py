from __future__ import annotations

from random import Random
from typing import Any

import pytest

from lrcore import Run, Schedule, ScheduleError, from_trainer

FLAGS = "./zipformer/train.py --world-size 8 --base-lr 0.045 --lr-batches 7500 --lr-epochs 3.5"


def stated(step: int, lr: float, scales: tuple[float, float], warmup: tuple[float, float], epoch: int) -> float:
    """Eden by its own words."""
    (batches, epochs), (length, start), batch = scales, warmup, step + 1
    decay = ((batch**2 + batches**2) / batches**2) ** -0.25
    decay *= (((step // epoch) ** 2 + epochs**2) / epochs**2) ** -0.25
    return lr * decay * (1.0 if batch >= length else start + (1 - start) * batch / length)


def test_random_options_give_what_eden_says() -> None:
    random = Random(5)
    for _ in range(40):
        lr, scales = random.choice([0.045, 1.0]), (random.choice([5.0, 7500.0, 0.5]), random.choice([3.5, 6.0, 0.2]))
        warmup, epoch = (
            (random.choice([0.0, 1.0, 20.5, 500.0]), random.choice([0.0, 0.1, 0.5, 1.0])),
            random.randint(1, 90),
        )
        own = {"lr_batches": scales[0], "lr_epochs": scales[1], "warmup_batches": warmup[0], "warmup_start": warmup[1]}
        found = from_trainer("icefall", {"base_lr": lr, **own}, run=Run(batches_per_epoch=epoch)).schedule
        assert isinstance(found, Schedule)
        for step in (0, 1, 19, 20, epoch - 1, epoch, 499, 500, 7_000):
            assert found(step) == pytest.approx(stated(step, lr, scales, warmup, epoch), rel=1e-12)


def test_eden2_counts_batches_alone() -> None:
    own = {"scheduler": "Eden2", "lr_batches": 10, "warmup_batches": 0, "warmup_start": 0.5}
    found = from_trainer("icefall", own, lr=1.0).schedule
    assert isinstance(found, Schedule)
    assert found(9) == pytest.approx(2**-0.5)


def test_where_the_warmup_begins_is_said_or_noted() -> None:
    run = Run(batches_per_epoch=1000)
    taken = from_trainer("icefall", FLAGS, run=run)
    told = from_trainer("icefall", FLAGS, run=run, warmup_start=0.5)
    assert taken.schedule == told.schedule
    assert told.notes == ()
    assert taken.notes == (
        "The warmup begins at half the rate, as Eden's does; zipformer/train.py gives it warmup_start=0.1.",
    )
    bare = from_trainer("icefall", {"base_lr": 0.045}, run=run, warmup_start=0.1)
    assert "lr_batches = 7500, lr_epochs = 3.5" in bare.notes[0]


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ({"lr_hours": 3000}, "expected lr_epochs, for how much data a batch has is not known; got 3000"),
        ({"scheduler": "Noam"}, "expected Eden or Eden2; got Noam"),
        ({"lr_epochs": 0}, "expected a number > 0; got 0"),
        ({"warmup_start": 2}, "expected a number from 0 to 1; got 2"),
        ({}, "expected the run's batches_per_epoch"),
    ],
)
def test_what_has_no_equal_is_refused(own: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        from_trainer("icefall", own, lr=0.045)
    assert problem in str(error.value)
