"""gpt-neox's YAML against its formula, and what is refused."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from lrcore import Cosine, Run, ScheduleError, Shift, from_trainer

LR = 1e-3
OPTIMIZER = {"optimizer": {"type": "Adam", "params": {"lr": LR}}}


def formula(update: int, style: str, floor: float, warmup: float, end: int) -> float:
    """AnnealingLR.get_lr."""
    if warmup > 0 and update <= warmup:
        return LR * max(1, update) / warmup
    part = (update - warmup) / (end - warmup)
    return max(
        floor,
        {
            "linear": LR * (1 - part),
            "cosine": floor + (LR - floor) / 2 * (math.cos(math.pi * part) + 1),
            "exponential": LR * math.exp(-0.693 * part),
            "constant": LR,
        }[style],
    )


def test_every_style_follows_the_formula() -> None:
    random = Random(3)
    for _ in range(60):
        style = random.choice(["linear", "cosine", "exponential", "constant"])
        total, floor = random.randint(40, 200), random.choice([0.0, 1e-4])
        share, fraction = random.choice([0, 0.001, 0.01, 0.1, 1 / 3]), random.choice([None, 0.7])
        options = {"lr-decay-style": style, "train-iters": total, "warmup": share, "min-lr": floor}
        end = total if fraction is None else math.floor(total * fraction)
        schedule = from_trainer("gpt_neox", {**OPTIMIZER, **options, "lr_decay_fraction": fraction}).schedule
        last = end if style == "cosine" else total
        expected = np.array([formula(update, style, floor, share * end, end) for update in range(last)])
        got = schedule.values(range(last))  # type: ignore[union-attr]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13 * expected.max())


def test_a_warmup_begins_with_the_rate_of_update_one() -> None:
    options = {**OPTIMIZER, "lr_decay_style": "cosine", "min_lr": 1e-4, "warmup": 0.1, "lr": 5.0}
    taken = from_trainer("gpt_neox", options, run=Run(total=100))
    assert taken.schedule == Shift(Shift(Cosine(init_value=LR, end_value=1e-4, decay_steps=90).warmup(10), 1), -1)
    assert taken.notes == ("From update 100 on the trainer's cosine turns back, and lrcore holds its last value.",)


def test_a_scheduler_of_deepspeed_is_used_and_made_for_onebitadam() -> None:
    params = {"warmup_max_lr": LR, "warmup_num_steps": 10, "total_num_steps": 100}
    scheduler = {"scheduler": {"type": "WarmupDecayLR", "params": params}}
    expected = from_trainer("deepspeed", scheduler).schedule
    assert from_trainer("gpt_neox", {**OPTIMIZER, **scheduler, "train_iters": 7}).schedule == expected
    onebit = {"optimizer": {"type": "OneBitAdam", "params": {"lr": LR}}, "train_iters": 100, "warmup": 0.1}
    assert from_trainer("gpt_neox", onebit).schedule == expected


def test_notes() -> None:
    options = {**OPTIMIZER, "train_iters": 50, "use_mup": True, "lr_decay_iter": 3}
    assert from_trainer("gpt_neox", options).notes == (
        "use_mup divides the rate of a group by its width_mult, which the file does not say.",
        "The warmup is shorter than an update, and the first rate above the peak: 0.002.",
        "Not used: lr_decay_iter.",
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "gpt_neox: expected the run's total, in updates; got none"),
        ({"train_iters": 9, "optimizer": {}}, "gpt_neox: expected the optimizer's rate; got none; give it as lr=..."),
        ({"train_iters": 9, "warmup": 1.5}, "warmup: expected a share of the decay, from 0 to 1; got 1.5"),
        ({"train_iters": 9, "lr_decay_style": "WSD"}, "lr_decay_style: expected one of constant, linear, cosine"),
    ],
)
def test_refusals(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        from_trainer("gpt_neox", {**OPTIMIZER, **options})
    assert message in str(caught.value)
