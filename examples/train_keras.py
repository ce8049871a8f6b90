"""Train the digits network with Keras: lrcore_keras.LearningRateSchedule is the optimizer's learning rate in model.fit.

python examples/train_keras.py build/demo/keras.json
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras

import digits
import lrcore
import lrcore_keras
from record import Record


def train(data: digits.Digits, schedule: lrcore.Schedule, record: Record) -> keras.Model:
    """Make one update per batch, each with the learning rate of the schedule."""
    model = keras.Sequential(
        [
            keras.Input(data.hidden_weight.shape[:1]),
            keras.layers.Dense(digits.HIDDEN, activation="tanh"),
            keras.layers.Dense(digits.CLASSES),
            Probe(),
        ]
    )
    for layer, first_weight_and_bias in zip(model.layers[:2], data.layers, strict=True):
        layer.set_weights(first_weight_and_bias)
    model.compile(
        optimizer=keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(schedule)),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        data.training_batches(), steps_per_epoch=data.updates, shuffle=False, verbose=0, callbacks=[Measure(record)]
    )
    return model


class Probe(keras.layers.Layer):
    """Adds to the loss a weight that is 0 before every update and has gradient 1: SGD moves it by -learning rate."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.value = self.add_weight(shape=(), initializer="zeros", name="probe")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        self.add_loss(keras.ops.sum(self.value))  # the variable itself would count as new state of the layer
        return inputs


class Measure(keras.callbacks.Callback):
    """Records each update: `fit` alone gives the mean of an epoch's losses, and no learning rate.

    All is reached through `self.model`, which brings weights up to date where a backend (JAX) keeps them elsewhere.
    """

    def __init__(self, record: Record) -> None:
        super().__init__()
        self.record = record

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.reset_metrics()
        self.model.layers[-1].value.assign(0.0)
        self.adapter_learning_rate = float(self.model.optimizer.learning_rate)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.record.update(
            learning_rate=0.0 - float(self.model.layers[-1].value),
            adapter_learning_rate=self.adapter_learning_rate,
            loss=float(logs["loss"]),
        )


def accuracy(model: keras.Model, data: digits.Digits) -> float:
    """The share of the test images that are read correctly."""
    read = model.predict(data.test_images, verbose=0).argmax(axis=1)
    return float((read == data.test_labels).mean())


def main(output: Path) -> None:
    """Train, and write what was measured to `output`; the digits lie beside it."""
    data = digits.load(output.with_name("digits.npz"))
    schedule = lrcore.load(Path(__file__).with_name("schedule.toml"))
    assert isinstance(schedule, lrcore.Schedule)  # a file with a table `plateau` gives a lrcore.Plateau
    version = f"{keras.__version__} on {keras.backend.backend()}"
    device = str(keras.ops.zeros(1).device).rpartition("device:")[2].lower()
    record = Record("keras", version, device, data.updates)
    model = train(data, schedule, record)
    record.write(output, accuracy(model, data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
