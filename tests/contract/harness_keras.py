"""Keras: `fit` with the schedule in the optimizer, and with the schedule in a callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

import lrcore_keras
from tests.contract.harness import Loop, Loops, Trained, Training


class Weight(keras.layers.Layer):
    """A layer of one weight that is the loss: its gradient is 1."""

    def build(self, input_shape: Any) -> None:
        self.value = self.add_weight(shape=(), initializer="zeros", name="value")

    def call(self, inputs: Any) -> Any:
        self.add_loss(keras.ops.sum(self.value))
        return inputs


class Measure(keras.callbacks.Callback):
    """A callback that records the weight after every update and resets it to 0.

    Args:
        trained: where to record.
        before: called before each update.
        after: called after each update with the number of updates made.
    """

    def __init__(
        self, trained: Trained, before: Callable[[], None], after: Callable[[int], None] = lambda made: None
    ) -> None:
        super().__init__()
        self.trained = trained
        self.before = before
        self.after = after
        self.reported = 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.before()
        self.reported = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        weight = self.model.layers[-1].value
        self.trained.add(self.reported, weight)
        weight.assign(0.0)
        self.after(batch + 1)


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    # The torch backend has no `keras.distribution`. TensorFlow's device names begin with a path.
    device = str(keras.ops.zeros(1).device).rpartition("device:")[2].lower()
    return "" if device.startswith("cpu") else device


def fit(learning_rate: Any, callbacks: list[Any], updates: int) -> None:
    model = keras.Sequential([keras.Input((1,)), Weight()])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate))
    data = np.zeros((updates, 1), np.float32)
    model.fit(data, batch_size=1, verbose=0, callbacks=callbacks)


def in_optimizer(asked: Training, trained: Trained) -> None:
    """Train with the schedule in the optimizer. The adapter saves no state: the model saves the optimizer's count."""
    given: Any = asked.schedule
    learning_rate = lrcore_keras.LearningRateSchedule(given, asked.horizon)

    def before() -> None:
        if asked.with_reads:
            learning_rate(7)
            learning_rate(0)
            learning_rate.get_config()

    fit(learning_rate, [Measure(trained, before)], asked.updates)


def with_callback(asked: Training, trained: Trained) -> None:
    callback = lrcore_keras.LearningRateScheduler(asked.schedule, per="update", on_mismatch=asked.on_mismatch)
    if asked.state is not None:
        callback.load_state_dict(asked.state)

    def before() -> None:
        if asked.with_reads:
            callback.state_dict()
            callback.sync()

    def after(made: int) -> None:
        if made in asked.metrics:
            callback.report(asked.metrics[made])

    try:
        fit(0.5, [callback, Measure(trained, before, after)], asked.updates)
    finally:
        trained.state = callback.state_dict()


LOOPS: Loops = {"optimizer": Loop(in_optimizer), "callback": Loop(with_callback)}
RESUMABLE: Loops = {"callback": Loop(with_callback)}
