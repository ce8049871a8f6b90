"""Tests of problems that users of Keras' schedules met; docs/known-problems.md lists them all, with their tests."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import pytest

import lrcore
import lrcore_keras
from tests.contract.harness import Trained
from tests.contract.harness_keras import Measure, Weight

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)


def compiled(learning_rate: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), Weight()])
    model.compile(keras.optimizers.SGD(learning_rate))
    return model


def used(model: keras.Model, callbacks: list[Any], updates: int, **options: Any) -> list[float]:
    trained = Trained()
    data = np.zeros((updates, 1), np.float32)
    model.fit(data, batch_size=1, verbose=0, callbacks=[*callbacks, Measure(trained, lambda: None)], **options)
    return trained.rates


def rates(schedule: lrcore.Schedule, steps: range) -> list[float]:
    return [float(np.float32(schedule(step))) for step in steps]


def test_a_state_continues_a_run_after_a_new_compile() -> None:
    """`compile` replaces the optimizer by one with an update count of 0."""
    callback = lrcore_keras.LearningRateScheduler(FALLING)
    model = compiled(0.1)
    used(model, [callback], 7)
    state = callback.state_dict()
    model.compile(keras.optimizers.SGD(0.1))
    callback.load_state_dict(state)
    assert used(model, [callback], 5) == rates(FALLING, range(7, 12))


def test_a_new_optimizer_begins_a_schedule_again() -> None:
    finished = lrcore.Linear(init_value=0.5, end_value=0.125, decay_steps=4)
    model = compiled(lrcore_keras.LearningRateSchedule(finished))
    assert used(model, [], 6)[4:] == [0.125, 0.125]
    model.compile(keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(finished)))
    assert used(model, [], 2) == rates(finished, range(2))


def test_the_first_update_of_an_inverse_square_root_is_finite() -> None:
    schedule = lrcore.InverseTime(init_value=0.5, power=0.5)
    assert used(compiled(lrcore_keras.LearningRateSchedule(schedule)), [], 3) == rates(schedule, range(3))


def test_the_callback_overwrites_the_rate_of_another_callback_and_warns() -> None:
    reduce = keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.1, min_delta=1e9)
    ours = lrcore_keras.LearningRateScheduler(FALLING)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        moved = used(compiled(0.1), [ours, reduce], 2, epochs=6)
    assert moved == rates(FALLING, range(12))
    [warning] = [str(one.message) for one in caught if "lrcore_keras" in str(one.message)]
    assert "something else set that of" in warning and "the schedule rules" in warning


def test_a_plateau_reduces_the_rates_of_a_schedule() -> None:
    plateau = lrcore.Plateau(FALLING, factor=0.5, patience=0)
    callback = lrcore_keras.LearningRateScheduler(plateau, monitor="worse")
    model = compiled(0.1)
    moved = used(model, [Worse(), callback], 2, epochs=3)
    assert moved == rates(FALLING, range(4)) + rates(FALLING * 0.5, range(4, 6))


class Worse(keras.callbacks.Callback):
    """Adds a metric to the logs that gets worse in every epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["worse"] = float(epoch)


@pytest.mark.parametrize("where", ["weight_decay", "momentum"])
def test_a_schedule_as_weight_decay_or_momentum_is_an_error(where: str) -> None:
    """Keras evaluates a schedule only as the learning rate."""
    options: dict[str, Any] = {where: lrcore_keras.LearningRateSchedule(FALLING)}

    def train() -> None:
        model = keras.Sequential([keras.Input((1,)), Weight()])
        model.compile(keras.optimizers.SGD(0.1, **options))
        used(model, [], 1)

    with pytest.raises((TypeError, ValueError)):
        train()
