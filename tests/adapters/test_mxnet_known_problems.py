"""Tests against problems that users of MXNet's schedulers reported; docs/known-problems.md lists all problems and tests."""

from __future__ import annotations

from typing import Any

import mxnet as mx
import numpy as np
from mxnet import autograd, gluon

import lrcore
from lrcore_mxnet import LRScheduler

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)


def weight_and_trainer(scheduler: Any, **options: Any) -> tuple[Any, Any]:
    weight = gluon.Parameter("weight", shape=(1,), init="zeros")
    weight.initialize(ctx=mx.cpu())
    return weight, gluon.Trainer([weight], "sgd", {"lr_scheduler": scheduler, **options})


def used_rates(weight: Any, trainer: Any, updates: int) -> list[float]:
    rates = []
    for _ in range(updates):
        weight.set_data(mx.nd.zeros(1))
        with autograd.record():
            loss = weight.data().sum()
        loss.backward()
        trainer.step(1)
        rates.append(0.0 - weight.data().asscalar().item())
    return rates


def expected(steps: range) -> list[float]:
    return [float(np.float32(FALLING(step))) for step in steps]


def test_trainers_may_share_a_scheduler() -> None:
    scheduler = LRScheduler(FALLING)
    first, second = weight_and_trainer(scheduler), weight_and_trainer(scheduler)
    assert used_rates(*first, 7) == expected(range(7))
    assert used_rates(*second, 4) == expected(range(4))
    assert used_rates(*first, 3) == expected(range(7, 10))


def test_a_scheduler_asked_by_hand_advances_nothing() -> None:
    scheduler = LRScheduler(FALLING)
    weight, trainer = weight_and_trainer(scheduler)
    for step in range(5):
        scheduler(100)
        scheduler(step)
        assert trainer.learning_rate == FALLING(max(step - 1, 0))
        assert used_rates(weight, trainer, 1) == expected(range(step, step + 1))
