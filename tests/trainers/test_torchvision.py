"""The flags of torchvision's references."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import pytest

from lrcore import (
    Cosine,
    Every,
    Exponential,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Run,
    ScheduleError,
    from_trainer,
)

EPOCHS = Run(updates_per_epoch=10)


@pytest.mark.parametrize(
    "source",
    [
        "--lr 0.5 --epochs 60 --lr-scheduler cosineannealinglr --lr-warmup-epochs 5 --lr-warmup-method linear",
        Namespace(lr=0.5, epochs=60, lr_scheduler="CosineAnnealingLR", lr_warmup_epochs=5, lr_warmup_method="linear"),
    ],
)
def test_a_recipe_reads_as_its_page_says(source: Any) -> None:
    swing = Repeat(Cosine(init_value=0.5, end_value=0.0, decay_steps=55), mirror=True)
    taken = from_trainer("torchvision", source, run=EPOCHS)
    assert taken.schedule == Every(swing.warmup(5, init_value=0.5 * 0.01), 10)
    assert taken.notes == ("Past its end torch's cosine turns back, and so does this schedule.",)


def test_stairs_are_the_default() -> None:
    stairs = Exponential(init_value=0.1, decay_rate=0.1, decay_steps=30, staircase=True)
    assert from_trainer("torchvision", {"lr": 0.1, "epochs": 90}, run=EPOCHS).schedule == Every(stairs, 10)


def test_segmentation_steps_after_each_update() -> None:
    flags = {"lr": 0.01, "epochs": 30}
    expected = Polynomial(init_value=0.01, decay_steps=300, power=0.9)
    assert from_trainer("torchvision", flags, run=EPOCHS, task="segmentation").schedule == expected
    assert from_trainer("torchvision", {**flags, "aux_loss": True}, run=EPOCHS).schedule == expected


def test_detection_warms_up_in_the_first_epoch() -> None:
    flags = "--lr 0.02 --epochs 26 --lr-steps 16 22 --lr-scheduler multisteplr"
    steps = Every(PiecewiseConstant(boundaries=[16, 22], values=[0.02, 0.02 * 0.1, 0.02 * 0.1**2]), 10)
    expected = Linear(init_value=0.001, end_value=1.0, decay_steps=9) * steps
    assert from_trainer("torchvision", flags, run=EPOCHS).schedule == expected


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"lr": 0.1}, "torchvision: epochs: expected an integer >= 1; got none"),
        ({"lr": 0.1, "epochs": 9, "lr_scheduler": "cosine"}, "lr_scheduler: expected one of steplr, .*; got 'cosine'"),
        (
            {"lr": 0.1, "epochs": 9, "lr_warmup_epochs": 9, "lr_scheduler": "cosineannealinglr"},
            "expected fewer than epochs",
        ),
        (
            {"lr": 0.1, "epochs": 9, "lr_warmup_epochs": 1, "lr_warmup_method": "exp"},
            "expected one of linear, constant",
        ),
        ({"lr": 0.1, "epochs": 9, "lr_scheduler": "steplr", "aux_loss": True}, "expected none for segmentation"),
    ],
)
def test_what_is_wrong_or_missing_is_refused(flags: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("torchvision", flags, run=EPOCHS)
