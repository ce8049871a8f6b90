"""Tests of one model or one callback in several runs, and of callbacks of Keras beside ours."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import lrcore
import lrcore_keras
from lrcore import Constant, Linear, Plateau

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LINEAR = Linear(init_value=0.5, end_value=0.0, decay_steps=10)
PLATEAU = Plateau(Constant(0.5), factor=0.5, patience=0)


@keras.saving.register_keras_serializable("lrcore_tests")
class OneWeight(keras.layers.Layer):
    """A layer of one weight that is the loss: its gradient is 1."""

    def build(self, input_shape: Any) -> None:
        self.value = self.add_weight(shape=(), initializer="zeros", name="value")

    def call(self, inputs: Any) -> Any:
        self.add_loss(keras.ops.sum(self.value))
        return inputs


class Movement(keras.callbacks.Callback):
    """Records how far the weight moved in each update, and sets it back."""

    def __init__(self) -> None:
        super().__init__()
        self.rates: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        weight = self.model.layers[-1].value
        self.rates.append(0.0 - float(keras.ops.convert_to_numpy(weight)))
        weight.assign(0.0)


class Metric(keras.callbacks.Callback):
    """Adds a metric to the logs of each epoch, which gets worse."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["worse"] = float(epoch)


def made_model(rate: Any = 0.01) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), OneWeight()])
    model.compile(keras.optimizers.SGD(rate))
    return model


def train(model: keras.Model, *callbacks: Any, updates: int = 2, epochs: int = 1) -> tuple[list[float], dict[str, Any]]:
    movement = Movement()
    data = np.zeros((updates, 1), "float32")
    history = model.fit(data, batch_size=1, epochs=epochs, verbose=0, callbacks=[*callbacks, movement])
    return movement.rates, history.history


def reducing(**options: Any) -> lrcore_keras.LearningRateScheduler:
    return lrcore_keras.LearningRateScheduler(PLATEAU, monitor="worse", **options)


# --- several runs -----------------------------------------------------------------------------------------------------


def test_a_plateau_begins_anew_with_the_model_of_the_next_fold() -> None:
    callback = reducing()
    folds = [train(made_model(), Metric(), callback, epochs=3)[0] for _ in range(2)]
    assert folds[0] == folds[1] == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_a_plateau_goes_on_in_a_second_fit_of_one_model() -> None:
    callback, model = reducing(), made_model()
    train(model, Metric(), callback, epochs=3)
    assert train(model, Metric(), callback)[0] == [0.125, 0.125]


def test_a_state_loaded_after_a_fold_applies_to_the_next_model() -> None:
    callback = reducing()
    train(made_model(), Metric(), callback, epochs=3)
    state = callback.state_dict()
    train(made_model(), Metric(), callback)
    callback.load_state_dict(state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert train(made_model(), Metric(), callback)[0] == [0.125, 0.125]


@pytest.mark.parametrize("per", ["update", "epoch"])
def test_the_callback_warns_without_the_plateaus_state_of_a_loaded_model_which_load_weights_gives_it(
    per: Any, tmp_path: Path
) -> None:
    path, callback = tmp_path / "model.keras", reducing(per=per)
    model = made_model()
    train(model, Metric(), callback, epochs=3)
    model.save(path)
    loaded = keras.models.load_model(path)
    with pytest.warns(
        UserWarning, match=r"plateau: (?i:sgd)\w* has made 6 updates.*told of no metric.*model.load_weights\(path\)"
    ):
        train(loaded, Metric(), reducing(per=per))
    loaded, fresh = keras.models.load_model(path), reducing(per=per)
    fresh.set_model(loaded)
    loaded.load_weights(path)
    assert fresh.plateau_state == callback.plateau_state
    assert train(loaded, Metric(), fresh)[0] == [0.125, 0.125]


def test_the_callback_warns_if_a_second_stage_begins_amid_its_schedule() -> None:
    model = made_model()
    train(model, lrcore_keras.LearningRateScheduler(Constant(0.25)), updates=4)
    with pytest.warns(
        UserWarning,
        match=r"step: (?i:sgd)\w* has made 4 updates, so the schedule begins at step 4, but its last rate was 0\.25 and",
    ) as caught:
        rates, _ = train(model, lrcore_keras.LearningRateScheduler(LINEAR))
    assert rates == [float(np.float32(LINEAR(step))) for step in (4, 5)]
    assert "lrcore.Join([lrcore.Constant(0.25), schedule], [4])" in str(caught[0].message)


def test_the_advice_for_a_second_stage_begins_its_schedule_at_0() -> None:
    model = made_model()
    train(model, lrcore_keras.LearningRateScheduler(Constant(0.25)), updates=4)
    moved = lrcore.Join([Constant(0.25), LINEAR], [4])
    rates, _ = train(model, lrcore_keras.LearningRateScheduler(moved))
    assert rates == [float(np.float32(LINEAR(step))) for step in (0, 1)]


@pytest.mark.parametrize("same", [True, False])
def test_the_callback_warns_if_training_begins_past_the_end_of_the_schedule(same: bool) -> None:
    model, callback = made_model(), lrcore_keras.LearningRateScheduler(LINEAR)
    train(model, callback, updates=12)
    again = callback if same else lrcore_keras.LearningRateScheduler(LINEAR)
    with pytest.warns(
        UserWarning,
        match=r"step: (?i:sgd)\w* has made 12 updates, so the schedule begins at step 12, where the rate is 0",
    ):
        train(model, again)


def test_a_run_that_continues_gives_no_warning(tmp_path: Path) -> None:
    model = made_model()
    train(model, lrcore_keras.LearningRateScheduler(LINEAR), updates=4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, loaded):
        assert train(one, lrcore_keras.LearningRateScheduler(LINEAR))[0] == [
            float(np.float32(LINEAR(n))) for n in (4, 5)
        ]


# --- callbacks of Keras beside ours -----------------------------------------------------------------------------------


class Halves(keras.callbacks.Callback):
    """Halves the rate at the end of each epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 2


OTHERS: dict[str, Callable[[], Any]] = {
    "ReduceLROnPlateau": lambda: keras.callbacks.ReduceLROnPlateau(
        monitor="loss", patience=1, factor=0.5, min_delta=1e9
    ),
    "another callback": Halves,
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("per", ["epoch", "update"])
def test_the_logger_logs_the_rate_of_the_last_update_and_not_of_the_next(other: str, per: Any) -> None:
    rates, history = train(made_model(0.5), OTHERS[other](), lrcore_keras.LRLogger(per), epochs=4)
    assert history["learning_rate"] == history["used_learning_rate"] == rates[1::2]
    assert rates[-1] < 0.5


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.filterwarnings("ignore:lrcore_keras.LearningRateScheduler. learning_rate:UserWarning")
def test_the_callback_logs_the_rate_of_the_last_update(other: str) -> None:
    rates, history = train(made_model(), OTHERS[other](), lrcore_keras.LearningRateScheduler(Constant(0.5)), epochs=4)
    assert history["learning_rate"] == rates[1::2] == [0.5] * 4


# --- what is given ----------------------------------------------------------------------------------------------------


def test_the_callback_warns_once_that_a_bare_function_is_called_per_update_unless_per_is_given() -> None:
    def halved(number: int) -> float:
        return 0.5**number

    with pytest.warns(
        UserWarning, match=r'per: the function is called with the number of updates.*give per="epoch" or'
    ) as caught:
        callback = lrcore_keras.LearningRateScheduler(halved)
    assert len(caught) == 1
    assert train(made_model(), callback, epochs=2)[0] == [1.0, 0.5, 0.25, 0.125]
    per_epoch = lrcore_keras.LearningRateScheduler(halved, per="epoch")
    assert train(made_model(), per_epoch, epochs=2)[0] == [1.0, 1.0, 0.5, 0.5]
    lrcore_keras.LearningRateScheduler(lrcore.Function(halved), per="update")
    lrcore_keras.LearningRateScheduler(lrcore.Function(halved))


@pytest.mark.parametrize("form", ["path", "text", "dict"])
@pytest.mark.parametrize("where", ["optimizer", "callback"])
def test_a_schedule_may_be_given_as_a_file_a_text_or_a_dict(form: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(LINEAR, format="toml"))
    given: Any = {"path": path, "text": json.dumps(LINEAR.to_dict()), "dict": LINEAR.to_dict()}[form]
    if where == "optimizer":
        rates, _ = train(made_model(lrcore_keras.LearningRateSchedule(given)))
    else:
        rates, _ = train(made_model(), lrcore_keras.LearningRateScheduler(given))
    assert rates == [float(np.float32(LINEAR(step))) for step in (0, 1)]


def test_a_file_of_a_plateau_is_refused_inside_the_optimizer_and_followed_by_the_callback(tmp_path: Path) -> None:
    path = tmp_path / "plateau.json"
    path.write_text(json.dumps(PLATEAU.to_dict()))
    with pytest.raises(lrcore.ScheduleError, match="got a Plateau, which needs a metric; use the callback"):
        lrcore_keras.LearningRateSchedule(str(path))
    callback = lrcore_keras.LearningRateScheduler(str(path), monitor="worse")
    assert callback.schedule == PLATEAU
    assert train(made_model(), Metric(), callback, epochs=3)[0] == [0.5, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_half_an_update_is_refused() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected whole numbers of updates; got 1\.5"):
        lrcore_keras.LearningRateSchedule(LINEAR)(1.5)


@pytest.mark.parametrize("place", [lrcore_keras.LearningRateScheduler, lrcore_keras.LearningRateSchedule])
def test_schedules_of_keras_and_functions_of_the_rate_are_refused_with_the_way_to_convert_them(place: Any) -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"got CosineDecay; convert it with lrcore_keras\.from_native"):
        place(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(lrcore.ScheduleError, match=r"expected a function of the step alone; .*lrcore\.recurrence"):
        place(lambda epoch, rate: rate * 0.9)


def test_a_step_on_the_host_gets_the_rate_of_a_long_schedule_to_the_bit() -> None:
    long = lrcore.Exponential(init_value=0.5, decay_rate=0.99999)
    rate = lrcore_keras.LearningRateSchedule(long, horizon=10**9)
    expected = [float(np.float32(long(step))) for step in (0, 1_000_003, 2_000_000)]
    assert [float(rate(step)) for step in (0, 1_000_003, 2_000_000)] == expected
    assert float(rate(8_800_000)) == 0.0  # below the normal numbers of float32
    held = lrcore_keras.LearningRateSchedule(long, horizon=400_000)
    assert float(held(10**9)) == float(np.float32(long(400_000)))
