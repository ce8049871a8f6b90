"""Keras: `fit` with the schedule in the optimizer, and with the schedule in a callback."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

import lrcore_keras
from lrcore.adapting import Policy
from tests.contract.harness import Loop, Source, Trained


class Weight(keras.layers.Layer):
    """A layer of one weight that is the loss: its gradient is 1."""

    def build(self, input_shape: Any) -> None:
        self.value = self.add_weight(shape=(), initializer="zeros", name="value")

    def call(self, inputs: Any) -> Any:
        self.add_loss(keras.ops.sum(self.value))
        return inputs


class Measure(keras.callbacks.Callback):
    """A callback that records the weight after every update and resets it to 0."""

    def __init__(self, trained: Trained, before_update: Any) -> None:
        super().__init__()
        self.trained = trained
        self.before_update = before_update
        self.reported = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.before_update()
        self.reported = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        weight = self.model.layers[-1].value
        self.trained.add(self.reported, weight)
        weight.assign(0.0)


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    # The torch backend has no `keras.distribution`. TensorFlow's device names begin with a path.
    device = str(keras.ops.zeros(1).device).rpartition("device:")[2].lower()
    return "" if device.startswith("cpu") else device


def fit(learning_rate: Any, callbacks: list[Any], updates: int, trained: Trained, before_update: Any) -> None:
    model = keras.Sequential([keras.Input((1,)), Weight()])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate))
    data = np.zeros((updates, 1), np.float32)
    model.fit(data, batch_size=1, verbose=0, callbacks=[*callbacks, Measure(trained, before_update)])


def in_optimizer(
    schedule: Source,
    updates: int,
    horizon: int | None = None,
    state: Any = None,
    *,
    with_reads: bool = False,
    on_mismatch: Policy = "error",
) -> Trained:
    """Train with the schedule in the optimizer. The adapter saves no state: the model saves the optimizer's count."""
    learning_rate = lrcore_keras.LearningRateSchedule(schedule, horizon)

    def before_update() -> None:
        if with_reads:
            learning_rate(7)
            learning_rate(0)
            learning_rate.get_config()

    trained = Trained()
    fit(learning_rate, [], updates, trained, before_update)
    return trained


def with_callback(
    schedule: Source,
    updates: int,
    horizon: int | None = None,
    state: Any = None,
    *,
    with_reads: bool = False,
    on_mismatch: Policy = "error",
) -> Trained:
    callback = lrcore_keras.LearningRateScheduler(schedule, on_mismatch=on_mismatch)
    if state is not None:
        callback.load_state_dict(state)

    def before_update() -> None:
        if with_reads:
            callback.state_dict()
            callback.sync()

    trained = Trained()
    fit(0.5, [callback], updates, trained, before_update)
    trained.state = callback.state_dict()
    return trained


LOOPS: dict[str, Loop] = {"optimizer": in_optimizer, "callback": with_callback}
RESUMABLE: dict[str, Loop] = {"callback": with_callback}
