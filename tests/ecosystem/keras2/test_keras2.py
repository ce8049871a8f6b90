"""Keras 2, as TensorFlow keeps it in tf_keras, with the class that is made for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

import lrcore
import lrcore_keras.keras2
from lrcore_keras.keras2 import LearningRateSchedule, LearningRateScheduler, LRLogger, from_native, native_step
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
def test_each_update_uses_the_schedule_in_every_mode_of_execution(options: dict[str, Any]) -> None:
    model = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(SCHEDULE)), **options)
    assert used(model, UPDATES) == rates(SCHEDULE, range(UPDATES))


def test_legacy_optimizers_use_the_schedule() -> None:
    model = compiled(tf_keras.optimizers.legacy.SGD(LearningRateSchedule(SCHEDULE)))
    assert used(model, UPDATES) == rates(SCHEDULE, range(UPDATES))


def test_a_saved_model_goes_on_where_it_was(tmp_path: Path) -> None:
    model = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(SCHEDULE)))
    used(model, 7)
    model.save(tmp_path / "model.keras")
    loaded = tf_keras.models.load_model(tmp_path / "model.keras", custom_objects={"Weight": Weight})
    assert used(loaded, 20) == rates(SCHEDULE, range(7, 27))


def test_an_h5_file_loads_with_the_class_as_a_custom_object(tmp_path: Path) -> None:
    model = compiled(tf_keras.optimizers.SGD(LearningRateSchedule(SCHEDULE)))
    used(model, 7)
    model.save(tmp_path / "model.h5")
    classes = {"Weight": Weight, "LearningRateSchedule": LearningRateSchedule}
    loaded = tf_keras.models.load_model(tmp_path / "model.h5", custom_objects=classes)
    assert used(loaded, 20) == rates(SCHEDULE, range(7, 27))


@pytest.mark.parametrize("save_freq", ["epoch", 3])
def test_backup_and_restore_continues_at_the_step(save_freq: Any, tmp_path: Path) -> None:
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


# --- callbacks --------------------------------------------------------------------------------------------------------

OPTIMIZERS = {"new": tf_keras.optimizers.SGD, "legacy": tf_keras.optimizers.legacy.SGD}
PLATEAU = lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=0)


class Worse(tf_keras.callbacks.Callback):
    """Adds a metric to the logs of each epoch, which gets worse."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["worse"] = float(epoch)


def fitted(model: Any, *callbacks: Any, epochs: int = 1, updates: int = 2) -> tuple[list[float], dict[str, Any]]:
    measure = Measure()
    data = np.zeros((updates, 1), np.float32)
    history = model.fit(data, batch_size=1, epochs=epochs, verbose=0, callbacks=[*callbacks, measure])
    return measure.rates, history.history


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_callback_writes_the_rate_of_each_update(optimizer: str) -> None:
    callback = LearningRateScheduler(SCHEDULE)
    moved, history = fitted(compiled(OPTIMIZERS[optimizer](0.01)), callback, updates=20, epochs=2)
    assert moved == rates(SCHEDULE, range(40))
    assert history["lr"] == [moved[19], moved[39]]
    assert callback.state_dict() == lrcore.save_state(40, SCHEDULE)


def test_the_callback_goes_on_with_a_state() -> None:
    callback = LearningRateScheduler(SCHEDULE)
    callback.load_state_dict(lrcore.save_state(30, SCHEDULE))
    assert fitted(compiled(tf_keras.optimizers.SGD(0.01)), callback, updates=10)[0] == rates(SCHEDULE, range(30, 40))


def test_the_callback_reduces_on_a_plateau_and_begins_anew_with_another_model() -> None:
    callback = LearningRateScheduler(PLATEAU, monitor="worse")
    for _ in range(2):
        moved, _ = fitted(compiled(tf_keras.optimizers.SGD(0.01)), Worse(), callback, epochs=3)
        assert moved == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_callback_refuses_an_optimizer_with_a_schedule(optimizer: str) -> None:
    """Keras 2 itself would overwrite the callback's rate without a word."""
    model = compiled(OPTIMIZERS[optimizer](LearningRateSchedule(SCHEDULE)))
    with pytest.raises(
        lrcore.ScheduleError, match="whose learning_rate is a number; got SGD with a schedule of its own"
    ):
        fitted(model, LearningRateScheduler(SCHEDULE))


def test_the_callback_warns_where_a_bare_function_is_asked_per_update() -> None:
    with pytest.warns(
        UserWarning, match=r"keras2\.LearningRateScheduler\.per: the function is called with the number of upd"
    ):
        LearningRateScheduler(lambda step: 0.1)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("per", ["update", "epoch"])
def test_the_logger_logs_what_the_last_update_used(optimizer: str, per: Any) -> None:
    model = compiled(OPTIMIZERS[optimizer](LearningRateSchedule(SCHEDULE)))
    moved, history = fitted(model, LRLogger(per), updates=4, epochs=2)
    assert history["lr"] == history["used_lr"] == [moved[3], moved[7]]


def test_the_logger_is_not_misled_by_a_reduction_at_the_end_of_the_epoch() -> None:
    reduce = tf_keras.callbacks.ReduceLROnPlateau(monitor="loss", patience=1, factor=0.5, min_delta=1e9)
    moved, history = fitted(compiled(tf_keras.optimizers.SGD(0.5)), reduce, LRLogger(), epochs=4)
    assert history["lr"] == moved[1::2]
    assert moved[-1] < 0.5


# --- schedules of Keras 2 ---------------------------------------------------------------------------------------------

schedules = tf_keras.optimizers.schedules
NATIVES = {
    "exponential": schedules.ExponentialDecay(0.5, 7, 0.9, staircase=True),
    "inverse time": schedules.InverseTimeDecay(0.5, 7, 0.9),
    "piecewise": schedules.PiecewiseConstantDecay([3, 9], [0.5, 0.25, 0.125]),
    "polynomial": schedules.PolynomialDecay(0.5, 20, 0.01, power=2.0),
    "cycle": schedules.PolynomialDecay(0.5, 7, 0.01, cycle=True),
    "cosine": schedules.CosineDecay(0.0, 20, alpha=0.1, warmup_target=0.5, warmup_steps=10),
    "restarts": schedules.CosineDecayRestarts(0.5, 7, t_mul=2.0, m_mul=0.5, alpha=0.1),
}


@pytest.mark.parametrize("name", NATIVES)
def test_a_schedule_of_keras_2_is_converted(name: str) -> None:
    converted = from_native(NATIVES[name])
    steps = range(60)
    native = [float(NATIVES[name](step)) for step in steps]
    assert [converted(step) for step in steps] == pytest.approx(native, rel=2e-5, abs=1e-7)


@pytest.mark.parametrize("mode", ["auto", "max"])
def test_reduce_on_plateau_of_keras_2_is_converted(mode: str) -> None:
    def native() -> Any:
        return tf_keras.callbacks.ReduceLROnPlateau(
            "worse", 0.5, patience=1, mode=mode, cooldown=1, min_lr=0.1, min_delta=0.5
        )

    expected, _ = fitted(compiled(tf_keras.optimizers.SGD(0.5)), Worse(), native(), epochs=9)
    callback = LearningRateScheduler(from_native(native(), base_lr=0.5), monitor="worse")
    assert fitted(compiled(tf_keras.optimizers.SGD(0.5)), Worse(), callback, epochs=9)[0] == pytest.approx(expected)
    assert (expected[-1] < 0.5) == (mode == "auto")


def test_what_is_converted_already_is_given_back() -> None:
    assert from_native(LearningRateSchedule(SCHEDULE)) == from_native(LearningRateScheduler(SCHEDULE)) == SCHEDULE
    assert native_step(compiled(tf_keras.optimizers.SGD(0.1))) == 0


# --- two Kerases ------------------------------------------------------------------------------------------------------


def test_a_schedule_of_the_other_keras_is_refused_with_the_name_of_the_right_one() -> None:
    with pytest.raises(
        lrcore.ScheduleError, match=r"got none; an optimizer of tf_keras .* takes lrcore_keras\.keras2\.L"
    ):
        tf_keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(SCHEDULE))
    with pytest.raises(
        lrcore.ScheduleError, match=r"got none; an optimizer of Keras 3 takes lrcore_keras\.LearningRateSch"
    ):
        float(keras.optimizers.SGD(LearningRateSchedule(SCHEDULE)).learning_rate)


@pytest.mark.parametrize("name", ["LearningRateScheduler", "LRLogger"])
def test_a_callback_of_the_other_keras_is_refused_with_the_name_of_the_right_one(name: str) -> None:
    argument = (SCHEDULE,) if name == "LearningRateScheduler" else ()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = np.zeros((1, 1), np.float32)
    with pytest.raises(lrcore.ScheduleError, match=rf"got one of Keras 3; use lrcore_keras\.{name}"):
        model.fit(data, data, callbacks=[getattr(lrcore_keras.keras2, name)(*argument)], verbose=0)
    with pytest.raises(
        lrcore.ScheduleError, match=rf"got one of tf_keras, which is Keras 2; use lrcore_keras\.keras2\.{name}"
    ):
        fitted(compiled(tf_keras.optimizers.SGD(0.1)), getattr(lrcore_keras, name)(*argument))


def test_a_native_of_the_other_keras_is_refused_with_the_name_of_the_right_function() -> None:
    with pytest.raises(
        lrcore.ScheduleError, match=r"got CosineDecay of tf_keras, .*; use lrcore_keras\.keras2\.from_native"
    ):
        lrcore_keras.from_native(NATIVES["cosine"])
    with pytest.raises(lrcore.ScheduleError, match=r"got CosineDecay of Keras 3; use lrcore_keras\.from_native"):
        from_native(keras.optimizers.schedules.CosineDecay(0.1, 10))
