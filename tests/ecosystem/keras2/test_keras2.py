"""Keras 2, as TensorFlow keeps it in tf_keras, with the class that is made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

import lrcore
import lrcore_keras
from lrcore_keras.keras2 import LearningRateSchedule
from tests.kinds import KINDS, UPDATES

SCHEDULE = KINDS["cosine"]


class Weight(tf_keras.layers.Layer):
    """One weight that is the loss, so that its gradient is 1."""

    def build(self, input_shape: Any) -> None:
        self.value = self.add_weight(shape=(), initializer="zeros", name="value")

    def call(self, inputs: Any) -> Any:
        self.add_loss(self.value)
        return inputs


class Measure(tf_keras.callbacks.Callback):
    """Reads the weight after each batch and sets it back."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        weight = self.model.layers[-1].value
        self.rates.append(0.0 - float(weight.numpy()))
        weight.assign(0.0)


def compiled(optimizer: Any, **options: Any) -> Any:
    model = tf_keras.Sequential([tf_keras.layers.InputLayer((1,)), Weight()])
    model.compile(optimizer, **options)
    return model


def used(model: Any, updates: int) -> list[float]:
    measure = Measure()
    model.fit(np.zeros((updates, 1), np.float32), batch_size=1, verbose=0, callbacks=[measure])
    return measure.rates


def rates(schedule: lrcore.Schedule, steps: range) -> list[float]:
    return [float(np.float32(schedule(step))) for step in steps]


@pytest.mark.parametrize("name", KINDS)
def test_each_update_uses_the_schedule(name: str) -> None:
    horizon = UPDATES if name == "function" else None
    model = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(KINDS[name], horizon)))
    assert used(model, UPDATES) == rates(KINDS[name], range(UPDATES))


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"run_eagerly": True}], ids=str)
def test_however_the_step_runs(options: dict[str, Any]) -> None:
    model = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(SCHEDULE)), **options)
    assert used(model, UPDATES) == rates(SCHEDULE, range(UPDATES))


def test_the_legacy_optimizers() -> None:
    model = compiled(tf_keras.optimizers.legacy.SGD(LearningRateSchedule(SCHEDULE)))
    assert used(model, UPDATES) == rates(SCHEDULE, range(UPDATES))


def test_a_saved_model_goes_on_where_it_was(tmp_path: Path) -> None:
    model = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(SCHEDULE)))
    used(model, 7)
    model.save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras", custom_objects={"Weight": Weight})
    assert used(loaded, 20) == rates(SCHEDULE, range(7, 27))


def test_an_old_file_names_the_class_only(tmp_path: Path) -> None:
    model = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(SCHEDULE)))
    used(model, 7)
    model.save(tmp_path / "model.h5")
    classes = {"Weight": Weight, "LearningRateSchedule": LearningRateSchedule}
    loaded = tf_keras.models.load_model(tmp_path / "model.h5", custom_objects=classes)
    assert used(loaded, 20) == rates(SCHEDULE, range(7, 27))


@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_a_backup_goes_on_where_it_was(save_freq: Any, tmp_path: Path) -> None:
    def trained(*callbacks: Any) -> list[float]:
        model, measure = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(SCHEDULE))), Measure()
        backup = tf_keras.callbacks.BackupAndRestore(tmp_path, save_freq)
        data = np.zeros((6, 1), np.float32)
        model.fit(data, batch_size=1, epochs=3, verbose=0, callbacks=[measure, backup, *callbacks])
        return measure.rates

    with pytest.raises(KeyboardInterrupt):
        trained(Crash())
    assert trained() == rates(SCHEDULE, range(6 if save_freq == "epoch" else 9, 18))


class Crash(tf_keras.callbacks.Callback):
    """Ends the run amid the second epoch."""

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if int(self.model.optimizer.iterations) == 10:
            raise KeyboardInterrupt


def test_what_keras_3_is_given_keras_2_does_not_take() -> None:
    """Why there is a class of its own."""
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'step'"):
        tf_keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(SCHEDULE))
