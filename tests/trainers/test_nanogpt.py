"""nanoGPT's variables against get_lr of its train.py, and what is taken for granted."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest

from lrcore import Constant, Cosine, ScheduleError, from_trainer


def formula(update: int, peak: float, floor: float, warmup: int, end: int) -> float:
    """get_lr."""
    if update < warmup:
        return peak * (update + 1) / (warmup + 1)
    if update > end:
        return floor
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * (update - warmup) / (end - warmup)))


def test_the_rates_follow_the_formula() -> None:
    random = Random(5)
    for _ in range(30):
        end, floor = random.randint(20, 90), random.choice([0.0, 1e-5])
        warmup = random.choice([0, 1, end // 2, end - 1, end + 5])
        variables = {"learning_rate": "1e-3", "min_lr": floor, "warmup_iters": warmup, "lr_decay_iters": end}
        schedule = from_trainer("nanogpt", variables).schedule
        expected = [formula(update, 1e-3, floor, warmup, end) for update in range(120)]
        np.testing.assert_allclose(schedule.values(range(120)), expected, rtol=0, atol=1e-17)  # type: ignore[union-attr]


def test_forms_and_defaults() -> None:
    taken = from_trainer("nanogpt", "train.py --learning_rate=1e-3 --warmup_iters=100 --lr_decay_iters=1100")
    assert taken.schedule == Cosine(init_value=1e-3, end_value=6e-5, decay_steps=1_000).warmup(
        100, init_value=1e-3 / 101
    )
    assert taken.notes == ("Taken from train.py, since they are not given: min_lr = 6e-05.",)
    assert from_trainer("nanogpt", {"decay_lr": "False"}, lr=1e-3).schedule == Constant(1e-3)


def test_older_checkouts_begin_at_zero() -> None:
    variables = {"learning_rate": 1e-3, "warmup_iters": 100, "lr_decay_iters": 1_100}
    assert from_trainer("nanogpt", variables, checkout="2023-11").schedule(0) == 0  # type: ignore[operator]


def test_python_is_not_executed() -> None:
    with pytest.raises(ScheduleError, match="hand over the resolved dict, or the flags"):
        from_trainer("nanogpt", "config/train_gpt2.py")
