"""mmcv's lr_config: its forms, its warmup, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lrcore import (
    Constant,
    Cosine,
    Every,
    Exponential,
    Linear,
    PiecewiseConstant,
    Product,
    Run,
    Schedule,
    ScheduleError,
    from_trainer,
)

EPOCHS = Run(batches_per_epoch=10)
WARMUP = {"warmup": "linear", "warmup_iters": 50, "warmup_ratio": 0.001}


@pytest.mark.parametrize(
    "source",
    [
        {"optimizer": {"type": "SGD", "lr": 0.02}, "lr_config": {"policy": "step", "step": [8, 11], **WARMUP}},
        {"optimizer": {"lr": "0.02"}, "lr_config": {"policy": "Step", "step": "8, 11", **WARMUP}, "total_epochs": 12},
        ["lr_config.policy=step", "lr_config.step=[8,11]", "optimizer.lr=0.02"]
        + [f"lr_config.{name}={value}" for name, value in WARMUP.items()],
    ],
)
def test_a_warmup_multiplies_what_the_policy_says(source: Any) -> None:
    steps = Every(PiecewiseConstant(boundaries=[8, 11], values=[0.02, 0.02 * 0.1, 0.02 * 0.1**2]), 10)
    expected = Product([Linear(init_value=0.001, end_value=1.0, decay_steps=50), steps])
    assert from_trainer("mmcv", source, run=EPOCHS).schedule == expected


def test_one_number_is_a_distance_and_a_list_are_places() -> None:
    every = from_trainer("mmcv", {"policy": "step", "step": 3, "by_epoch": False}, lr=0.1).schedule
    once = from_trainer("mmcv", {"policy": "step", "step": [3], "by_epoch": False}, lr=0.1).schedule
    assert from_trainer("mmcv", "policy=step step=[3] by_epoch=False", lr=0.1).schedule == once
    assert every == Exponential(init_value=0.1, decay_rate=0.1, decay_steps=3, staircase=True)
    assert once == PiecewiseConstant(boundaries=[3], values=[0.1, 0.1 * 0.1])


def test_the_length_comes_from_the_runner_or_the_run() -> None:
    policy = {"policy": "CosineAnnealing", "min_lr": 0, "by_epoch": False}
    expected = Cosine(init_value=0.1, end_value=0.0, decay_steps=120)
    stated = {"lr_config": policy, "runner": {"type": "EpochBasedRunner", "max_epochs": 12}}
    assert from_trainer("mmcv", stated, run=EPOCHS, lr=0.1).schedule == expected
    assert from_trainer("mmcv", policy, run=Run(total=120), lr=0.1).schedule == expected
    with pytest.raises(ScheduleError, match=r"run.total: expected 120, which the configuration says, or none; got 90"):
        from_trainer("mmcv", stated, run=Run(batches_per_epoch=10, total=90), lr=0.1)


def test_an_accumulated_update_has_the_rate_of_its_last_batch() -> None:
    config = {
        "lr_config": {"policy": "fixed", "warmup": "linear", "warmup_iters": 8},
        "optimizer_config": {"type": "GradientCumulativeOptimizerHook", "cumulative_iters": 4},
    }
    schedule = from_trainer("mmcv", config, run=EPOCHS, lr=1.0).schedule
    assert isinstance(schedule, Schedule)
    assert [round(schedule(update), 6) for update in range(3)] == [0.4375, 0.8875, 1.0]


def test_a_momentum_that_is_scheduled_is_a_note() -> None:
    taken = from_trainer(
        "mmcv", {"lr_config": {"policy": "fixed"}, "momentum_config": {"policy": "cyclic"}}, run=EPOCHS, lr=1
    )
    assert taken.schedule == Every(Constant(1.0), 10)
    assert taken.notes == ("momentum_config schedules the momentum, which is not read.",)


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ({"policy": "cosine"}, "mmcv: policy: expected one of fixed, .*; got 'cosine'"),
        ({"policy": "CosineAnnealing"}, "min_lr: expected min_lr or min_lr_ratio; got none"),
        ({"policy": "LinearAnnealing", "min_lr": 0, "min_lr_ratio": 0}, "min_lr: expected min_lr or .*; got both"),
        ({"policy": "cyclic", "by_epoch": True}, "by_epoch: expected false for Cyclic; got true"),
        ({"policy": "fixed", "warmup": "linear"}, "warmup_iters: expected an integer >= 1; got none"),
        ({"policy": "step", "step": [3, 2]}, r"step: expected a number > 0 or a rising list of them; got \[3, 2\]"),
        ({"policy": "CosineRestart", "min_lr": 0, "periods": [3, 4]}, "expected one for each of 2 periods; got 1"),
        (
            {"policy": "OneCycle", "max_lr": 1, "total_steps": 20},
            "total_steps: expected at least the run's 120; got 20",
        ),
    ],
)
def test_what_has_no_equal_is_refused(policy: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("mmcv", policy, run=Run(total=120, batches_per_epoch=10), lr=0.1)


def test_a_run_of_iterations_has_no_epochs() -> None:
    config = {"lr_config": {"policy": "poly"}, "runner": {"type": "IterBasedRunner", "max_iters": 100}}
    with pytest.raises(ScheduleError, match=r"by_epoch: expected false in a run of iterations; got true"):
        from_trainer("mmcv", config, run=EPOCHS, lr=0.1)
