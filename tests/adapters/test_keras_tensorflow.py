"""Tests lrcore_keras with features of TensorFlow alone: tapes, `tf.function`, distribution strategies, TensorBoard."""

from __future__ import annotations

import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import lrcore_keras
from lrcore import Cosine

# Under numpy 2, TensorFlow and Keras trigger this warning themselves.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

UPDATES = 60
DATA = np.eye(UPDATES, dtype="float32")
COSINE = Cosine(init_value=0.1, end_value=0.001, decay_steps=40).warmup(10)
RATES = [float(np.float32(COSINE(step))) for step in range(UPDATES)]


def dense() -> keras.layers.Dense:
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    layer.build((None, UPDATES))
    return layer


def used(layer: keras.layers.Dense) -> list[float]:
    return [0.0 - float(weight) for weight in layer.kernel.value.numpy()[:, 0]]


def mean_output(target: Any, output: Any) -> Any:
    return keras.ops.mean(output)


COMPILERS: dict[str, Callable[[Any], Any]] = {
    "eager": lambda update: update,
    "graph": tf.function,
    "xla": tf.function(jit_compile=True),
}


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_tape_loop_uses_the_schedule_in_one_trace(compiler: str) -> None:
    layer, traces = dense(), []
    optimizer = keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(COSINE))
    optimizer.build(layer.trainable_variables)

    def update(row: tf.Tensor) -> None:
        traces.append(row)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer(row))
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)

    compiled = COMPILERS[compiler](update)
    for row in DATA:
        compiled(tf.constant(row[None]))
    assert used(layer) == RATES
    assert len(traces) == (UPDATES if compiler == "eager" else 1)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_sync_drives_a_tape_loop_in_one_trace(compiler: str) -> None:
    model, traces = keras.Sequential([dense()]), []
    model.compile(keras.optimizers.SGD(), loss=mean_output)
    model.optimizer.build(model.trainable_variables)
    scheduler = lrcore_keras.LearningRateScheduler(COSINE)
    scheduler.set_model(model)

    def update(row: tf.Tensor) -> None:
        traces.append(row)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model(row))
        gradients = tape.gradient(loss, model.trainable_variables)
        model.optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    compiled = COMPILERS[compiler](update)
    for row in DATA:
        scheduler.sync()
        compiled(tf.constant(row[None]))
    assert used(model.layers[0]) == RATES
    assert len(traces) == (UPDATES if compiler == "eager" else 1)


class OwnStep(keras.Model):
    """A model that overrides `train_step`."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = dense()

    def call(self, rows: Any) -> Any:
        return self.dense(rows)

    def train_step(self, data: Any) -> dict[str, Any]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self(data, training=True))
        self.optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": loss}


@pytest.mark.parametrize("by", ["schedule", "callback"])
@pytest.mark.parametrize("run_eagerly", [False, True])
def test_a_custom_training_step_uses_the_schedule(by: str, run_eagerly: bool) -> None:
    model = OwnStep()
    callbacks = [lrcore_keras.LearningRateScheduler(COSINE)] if by == "callback" else []
    model.compile(
        keras.optimizers.SGD(0.01 if callbacks else lrcore_keras.LearningRateSchedule(COSINE)), run_eagerly=run_eagerly
    )
    model.fit(DATA, batch_size=1, shuffle=False, verbose=0, callbacks=callbacks)
    assert used(model.dense) == RATES


class TwoOptimizers(OwnStep):
    """A model whose `train_step` applies its own optimizers in turn and not the one from `compile`."""

    def __init__(self, *optimizers: keras.optimizers.Optimizer) -> None:
        super().__init__()
        self.optimizers = optimizers

    def train_step(self, data: Any) -> dict[str, Any]:
        for optimizer in self.optimizers:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(self(data, training=True))
            optimizer.apply(tape.gradient(loss, self.trainable_variables), self.trainable_variables)
        return {"loss": 0.0}


def test_two_optimizers_of_one_training_step_use_their_own_schedules() -> None:
    first, second = (keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(one)) for one in (COSINE, COSINE * 2))
    model = TwoOptimizers(first, second)
    model.compile()
    model.fit(DATA, batch_size=1, shuffle=False, verbose=0)
    assert used(model.dense) == pytest.approx([3 * rate for rate in RATES])


def test_the_callback_warns_once_if_the_models_optimizer_is_not_used() -> None:
    model = TwoOptimizers(keras.optimizers.SGD(0.5))
    model.compile()
    with pytest.warns(UserWarning, match="optimizer: that of the model has made no update in a whole epoch") as said:
        model.fit(DATA, verbose=0, epochs=3, callbacks=[lrcore_keras.LearningRateScheduler(COSINE)])
    assert len([one for one in said if "lrcore" in str(one.message)]) == 1


def test_weight_decay_uses_the_rate_of_the_schedule() -> None:
    layer = dense()
    layer.kernel.assign(tf.ones_like(layer.kernel))
    optimizer = keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(COSINE), weight_decay=0.5)
    for step in range(5):
        before = layer.kernel.value.numpy()
        optimizer.apply([tf.zeros_like(layer.kernel)], [layer.kernel])
        assert layer.kernel.value.numpy() == pytest.approx(before * (1 - 0.5 * COSINE(step)), rel=1e-6)


def optimizer_of(count: int, rate: Any, **options: Any) -> tuple[keras.optimizers.Optimizer, list[Any]]:
    """An AdamW over `count` weights, which asks for the rate once for each of them."""
    weights = [keras.Variable(np.ones(2, "float32")) for _ in range(count)]
    optimizer = keras.optimizers.AdamW(rate, **options)
    optimizer.build(weights)
    return optimizer, weights


def test_weight_decay_of_many_weights_asks_for_one_rate() -> None:
    def nodes(rate: Any) -> int:
        optimizer, weights = optimizer_of(20, rate)
        update = tf.function(lambda: optimizer.apply([tf.ones(2)] * 20, weights))
        return len(update.get_concrete_function().graph.get_operations())

    long = Cosine(init_value=0.1, decay_steps=10**6)
    assert nodes(lrcore_keras.LearningRateSchedule(long)) < nodes(keras.optimizers.schedules.CosineDecay(0.1, 10**6))


@pytest.mark.parametrize("compiler", COMPILERS)
def test_two_updates_in_one_trace_have_two_rates(compiler: str) -> None:
    layer = dense()
    optimizer = keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(COSINE))
    optimizer.build(layer.trainable_variables)

    def update(first: tf.Tensor, second: tf.Tensor) -> None:
        for row in (first, second):
            optimizer.apply([row[:, None]], layer.trainable_variables)

    compiled = COMPILERS[compiler](update)
    for first, second in zip(DATA[::2], DATA[1::2], strict=True):
        compiled(tf.constant(first), tf.constant(second))
    assert used(layer) == RATES


@pytest.mark.parametrize("compiler", COMPILERS)
def test_accumulated_gradients_and_weight_decay_use_one_rate(compiler: str) -> None:
    optimizer, [weight] = optimizer_of(
        1, lrcore_keras.LearningRateSchedule(COSINE), weight_decay=0.5, gradient_accumulation_steps=2
    )
    compiled = COMPILERS[compiler](lambda: optimizer.apply([tf.zeros(2)], [weight]))
    expected = 1.0
    for step in range(5):
        for _ in range(2):
            compiled()
        expected *= 1 - 0.5 * COSINE(step)
        assert weight.numpy() == pytest.approx(expected, rel=1e-6)


def test_the_rate_that_is_kept_for_an_update_keeps_no_gradient_alive() -> None:
    optimizer, weights = optimizer_of(2, lrcore_keras.LearningRateSchedule(COSINE))
    gradients = [tf.ones(2), tf.ones(2)]
    kept = weakref.ref(gradients[0])
    optimizer.apply(gradients, weights)
    del gradients
    assert kept() is None


def test_tensorboard_records_the_rates_that_were_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, list[float]] = {}
    board = keras.callbacks.TensorBoard(tmp_path, update_freq="batch")
    # Record the scalars instead of writing files, for which the callback needs another package.
    monkeypatch.setattr(
        board.summary, "scalar", lambda name, value, step: told.setdefault(name, []).append(float(value))
    )
    model = keras.Sequential([dense()])
    model.compile(keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(COSINE)), loss=mean_output)
    callbacks = [lrcore_keras.LRLogger("update"), board]
    model.fit(DATA[:10], np.zeros((10, 1)), batch_size=1, shuffle=False, verbose=0, epochs=2, callbacks=callbacks)
    assert told["batch_learning_rate"] == RATES[:20]
    assert told["epoch_used_learning_rate"] == [RATES[9], RATES[19]]
    assert told["epoch_learning_rate"] == [RATES[10], RATES[20]]  # Keras writes the rate of the next update


MIRRORED = """
import sys, keras, numpy, tensorflow as tf
import lrcore, lrcore_keras

tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
schedule = lrcore.Cosine(init_value=0.1, end_value=0.001, decay_steps=40).warmup(10)
rows = numpy.eye(60, dtype="float32")


def half_of_mean_output(target, output):
    return keras.ops.mean(output) / 2  # the optimizer adds the gradients of the two replicas


def trained(rate, callbacks, data, **options):
    with strategy.scope():
        model = keras.Sequential([keras.Input((60,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(keras.optimizers.SGD(rate, **options), loss=half_of_mean_output, jit_compile=False)
    model.fit(data, numpy.zeros((len(data), 1)), batch_size=2, shuffle=False, verbose=0, callbacks=callbacks)
    return (0.0 - model.get_weights()[0][:, 0]).tolist()


expected = [float(numpy.float32(schedule(step))) for step in range(60)]
each_replica_one_row = rows.repeat(2, axis=0)
assert trained(lrcore_keras.LearningRateSchedule(schedule), [], each_replica_one_row) == expected
assert trained(0.01, [lrcore_keras.LearningRateScheduler(schedule)], each_replica_one_row) == expected

with strategy.scope():
    weight = keras.Variable(numpy.zeros((60,), "float32"))
    optimizer = keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(schedule))
    optimizer.build([weight])


@tf.function
def update(row):
    strategy.run(lambda: optimizer.apply([row / 2], [weight]))


for row in rows:
    update(tf.constant(row))
assert (0.0 - weight.numpy()).tolist() == expected
print("all mirrored")
"""


def test_mirrored_devices_use_the_schedule() -> None:
    """This runs in a new process, since logical devices must be configured before TensorFlow is initialized."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", MIRRORED], check=False, capture_output=True, text=True, env=environment
    )
    assert done.stdout == "all mirrored\n", done.stderr
