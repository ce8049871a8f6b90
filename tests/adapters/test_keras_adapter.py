"""Tests lrcore_keras by the weights of trained models, on whichever backend the process uses.

The model has one weight per update, and the batch of update i is a gradient of 1 for weight i alone: with SGD that weight
ends at minus the rate used by update i, bit for bit.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

import lrcore
import lrcore_keras
from lrcore import (
    Clip,
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Product,
    Repeat,
    Schedule,
    ScheduleError,
    Shift,
    Sum,
)

# Under numpy 2, Keras triggers this warning itself when it saves and in callbacks on the torch backend.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BACKEND = keras.config.backend()
UPDATES = 60
DATA = np.eye(UPDATES, dtype="float32")

COSINE = Cosine(init_value=0.1, end_value=0.001, decay_steps=40).warmup(10)
LINEAR = Linear(init_value=0.5, end_value=0.1, decay_steps=20)
KINDS: dict[str, Schedule] = {
    "constant": Constant(0.1),
    "linear": LINEAR,
    "polynomial": Polynomial(init_value=0.3, end_value=0.01, decay_steps=50, power=2.5),
    "cosine": COSINE,
    "exponential": Exponential(init_value=0.7, decay_rate=0.9, decay_steps=7, staircase=True),
    "inverse_time": InverseTime(init_value=0.2, power=0.5),
    "piecewise_constant": PiecewiseConstant(boundaries=[3, 40], values=[0.3, 0.2, 0.1]),
    "interpolate": Interpolate(boundaries=[0, 12.5, 40], values=[0.1, 0.9, 0.01], shape="cosine"),
    "function": Function(lambda step: 0.1 / (step + 1), horizon=UPDATES),
    "join": Join([LINEAR, COSINE]),
    "sum": Sum([LINEAR, COSINE]),
    "product": Product([LINEAR, COSINE]),
    "clip": Clip(LINEAR, min_value=0.2, max_value=0.4),
    "shift": Shift(COSINE, steps=5),
    "repeat": Repeat(Cosine(init_value=0.1, end_value=0.0, decay_steps=11), mirror=True),
    "every": Every(Exponential(init_value=0.3, decay_rate=0.5), steps=9),
    "cooldown": Constant(0.4).warmup(5, shape="1-sqrt").cooldown(steps=20, start=30),
}


def made_model(optimizer: Any, **options: Any) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((UPDATES,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(optimizer, loss=mean_output, **options)
    return model


@keras.saving.register_keras_serializable("lrcore_tests")
def mean_output(target: Any, output: Any) -> Any:
    return keras.ops.mean(output)


def fit(model: keras.Model, data: NDArray[Any] = DATA, callbacks: Sequence[Any] = (), **options: Any) -> dict[str, Any]:
    target = np.zeros((len(data), 1), "float32")
    history = model.fit(data, target, batch_size=1, shuffle=False, verbose=0, callbacks=list(callbacks), **options)
    return dict(history.history)


def used(model: keras.Model, layer: int = 0) -> list[float]:
    kernel = keras.ops.stop_gradient(keras.ops.convert_to_tensor(model.layers[layer].kernel))
    return [0.0 - float(weight) for weight in keras.ops.reshape(kernel, (-1,))]


def rates(schedule: Callable[[int], float], steps: int = UPDATES) -> list[float]:
    return [float(np.float32(schedule(step))) for step in range(steps)]


def sgd(schedule: Any = 0.01, **options: Any) -> keras.optimizers.SGD:
    return keras.optimizers.SGD(schedule, **options)


def driven(by: str, schedule: Any, **options: Any) -> tuple[keras.optimizers.SGD, list[Any]]:
    """An optimizer and its callbacks, with the schedule in the optimizer or in a callback; the rates are the same."""
    if by == "schedule":
        return sgd(lrcore_keras.LearningRateSchedule(schedule), **options), []
    return sgd(**options), [lrcore_keras.LearningRateScheduler(schedule)]


both = pytest.mark.parametrize("by", ["schedule", "callback"])


# --- the rate of every update -----------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_moves_the_weights_by_its_rates(by: str, kind: str) -> None:
    optimizer, callbacks = driven(by, KINDS[kind])
    model = made_model(optimizer)
    fit(model, callbacks=callbacks)
    assert used(model) == rates(KINDS[kind])


MODES: dict[str, dict[str, Any]] = {
    "uncompiled": {"jit_compile": False},
    "compiled": {"jit_compile": True},
    "eager": {"run_eagerly": True},
}
if BACKEND != "torch":  # the torch backend refuses more than one step per execution
    MODES |= {
        "four steps": {"steps_per_execution": 4},
        "four compiled": {"steps_per_execution": 4, "jit_compile": True},
    }


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch.compile triggers it itself
@pytest.mark.parametrize("mode", MODES)
def test_a_schedule_gives_its_rates_in_every_mode_of_execution(mode: str) -> None:
    model = made_model(sgd(lrcore_keras.LearningRateSchedule(COSINE)), **MODES[mode])
    fit(model)
    assert used(model) == rates(COSINE)


@both
@pytest.mark.parametrize("jit_compile", {"tensorflow": [False, True], "jax": [True], "torch": [False]}[BACKEND])
def test_accumulated_micro_batches_count_as_one_update(by: str, jit_compile: bool) -> None:
    optimizer, callbacks = driven(by, COSINE, gradient_accumulation_steps=4)
    model = made_model(optimizer, jit_compile=jit_compile)
    fit(model, DATA[:15].repeat(4, axis=0), callbacks=callbacks)
    assert used(model)[:15] == rates(COSINE, 15)


def test_keras_itself_counts_micro_batches() -> None:
    """Keras passes the count of micro-batches to a schedule. When this fails, `calling_optimizer` can be removed."""
    model = made_model(sgd(CountsUp(), gradient_accumulation_steps=4))
    fit(model, DATA[:3].repeat(4, axis=0))
    assert used(model)[:3] == [3.0, 7.0, 11.0]


class CountsUp(keras.optimizers.schedules.LearningRateSchedule):
    def __call__(self, step: Any) -> Any:
        return keras.ops.cast(step, "float32")

    def get_config(self) -> dict[str, Any]:
        return {}


def test_a_schedule_inside_another_schedule_counts_updates() -> None:
    class Half(keras.optimizers.schedules.LearningRateSchedule):
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __call__(self, step: Any) -> Any:
            return self.inner(step) * 0.5

    model = made_model(sgd(Half(lrcore_keras.LearningRateSchedule(COSINE)), gradient_accumulation_steps=2))
    fit(model, DATA[:6].repeat(2, axis=0))
    assert used(model)[:6] == [rate / 2 for rate in rates(COSINE, 6)]


def test_a_schedule_called_by_hand_takes_the_count_of_updates() -> None:
    schedule = lrcore_keras.LearningRateSchedule(COSINE)
    optimizer = sgd(schedule, gradient_accumulation_steps=4)
    model = made_model(optimizer)
    fit(model, DATA[:12])
    assert [float(schedule(step)) for step in range(UPDATES)] == rates(COSINE)
    assert float(schedule(optimizer.iterations)) == float(np.float32(COSINE(3)))
    assert float(optimizer.learning_rate) == float(np.float32(COSINE(3)))


def test_one_schedule_serves_two_optimizers() -> None:
    schedule = lrcore_keras.LearningRateSchedule(COSINE)
    first, second = made_model(sgd(schedule)), made_model(sgd(schedule, gradient_accumulation_steps=2))
    fit(first)
    fit(second, DATA[:6].repeat(2, axis=0))
    fit(first, DATA)
    assert used(second)[:6] == rates(COSINE, 6)
    assert used(first)[-1] == pytest.approx(COSINE(UPDATES - 1) + COSINE(2 * UPDATES - 1))


@both
def test_skipped_steps_do_not_count_as_updates(by: str) -> None:
    data = DATA.copy()
    data[3, 3] = data[7, 7] = np.inf
    optimizer, callbacks = driven(by, COSINE)
    model = made_model(keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=8.0))
    fit(model, data, callbacks=callbacks)
    made = [rate for batch, rate in enumerate(used(model)) if batch not in {3, 7}]
    assert made == rates(COSINE, UPDATES - 2)


def test_each_optimizer_of_several_has_its_own_schedule() -> None:
    model = two_layers([sgd(lrcore_keras.LearningRateSchedule(one)) for one in (COSINE, LINEAR)])
    fit(model)
    assert used(model, 1) == rates(COSINE)
    assert used(model, 2) == rates(LINEAR)


def two_layers(optimizers: Sequence[Any], *, by_function: bool = False) -> keras.Model:
    """A model with two parallel layers, each with its own optimizer."""
    inputs = keras.Input((UPDATES,))
    layers = [keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", name=name) for name in ("one", "two")]
    model = keras.Model(inputs, keras.layers.Add()([layer(inputs) for layer in layers]))
    first, second = optimizers
    if by_function:
        mapping: Any = lambda variable: first if "one" in variable.path else second  # noqa: E731
    else:
        mapping = keras.optimizers.OptimizerMap(second, {"one/kernel": first})
    model.compile(keras.optimizers.MultiOptimizer(mapping), loss=mean_output)
    return model


@pytest.mark.parametrize("by_function", [False, True])
def test_the_callback_drives_all_optimizers(by_function: bool) -> None:
    model = two_layers([sgd(name="first"), sgd(name="second")], by_function=by_function)
    history = fit(model, callbacks=[lrcore_keras.LearningRateScheduler(COSINE)])
    assert used(model, 1) == used(model, 2) == rates(COSINE)
    assert history["learning_rate_first"] == history["learning_rate_second"] == rates(COSINE)[-1:]


def test_an_optimizer_without_variables_does_not_set_the_step() -> None:
    optimizers = keras.optimizers.OptimizerMap(sgd(), {"nothing": sgd()})
    model = made_model(keras.optimizers.MultiOptimizer(optimizers))
    callback = lrcore_keras.LearningRateScheduler(COSINE)
    fit(model, callbacks=[callback])
    assert used(model) == rates(COSINE)
    assert callback.state_dict()["step"] == UPDATES


def test_per_epoch_the_step_is_the_number_of_the_epoch() -> None:
    callback = lrcore_keras.LearningRateScheduler(LINEAR, per="epoch")
    model = made_model(sgd())
    for epoch in range(5, 8):
        history = fit(model, DATA[3 * epoch :][:3], [callback], initial_epoch=epoch, epochs=epoch + 1)
        assert history["learning_rate"] == rates(LINEAR)[epoch : epoch + 1]
    assert used(model)[15:24] == np.repeat(rates(LINEAR)[5:8], 3).tolist()
    assert callback.state_dict()["step"] == 8


def test_initial_epoch_does_not_change_the_step_and_the_callback_warns() -> None:
    in_optimizer = made_model(sgd(lrcore_keras.LearningRateSchedule(COSINE)))
    fit(in_optimizer, initial_epoch=2, epochs=3)
    beside_it = made_model(sgd())
    with pytest.warns(
        UserWarning, match="initial_epoch: training begins with epoch 2, but the optimizer has made no update"
    ):
        fit(beside_it, callbacks=[lrcore_keras.LearningRateScheduler(COSINE)], initial_epoch=2, epochs=3)
    assert used(in_optimizer) == used(beside_it) == rates(COSINE)


def test_per_epoch_the_callback_warns_if_fit_begins_at_another_epoch_than_the_state() -> None:
    callback, model = lrcore_keras.LearningRateScheduler(LINEAR, per="epoch"), made_model(sgd())
    callback.load_state_dict(lrcore.save_state(4, LINEAR))
    step = callback.state_dict()["step"]
    history = fit(model, DATA[:1], [callback], initial_epoch=step, epochs=6)
    assert history["learning_rate"] == rates(LINEAR)[4:6]
    callback.load_state_dict(lrcore.save_state(4, LINEAR))
    with pytest.warns(
        UserWarning, match="begins with epoch 0, but the state that was loaded goes on with epoch 4; give that to fit"
    ):
        fit(model, DATA[:1], [callback])


def test_a_schedule_written_in_epochs_is_the_same_per_update() -> None:
    per_epoch, per_update = (made_model(sgd()) for _ in range(2))
    fit(per_epoch, DATA[:4], [lrcore_keras.LearningRateScheduler(LINEAR, per="epoch")], epochs=3)
    fit(per_update, DATA[:4], [lrcore_keras.LearningRateScheduler(Every(LINEAR, steps=4))], epochs=3)
    assert used(per_epoch) == used(per_update)
    assert used(per_epoch)[:4] == [pytest.approx(LINEAR(0) + LINEAR(1) + LINEAR(2), rel=1e-6)] * 4


@pytest.mark.parametrize("dtype", ["int32", "uint8", "float32"])
def test_a_step_may_be_of_any_type_and_shape(dtype: str) -> None:
    steps = keras.ops.cast(keras.ops.arange(UPDATES), dtype)
    found = lrcore_keras.LearningRateSchedule(COSINE)(steps)
    assert [float(rate) for rate in found] == rates(COSINE)


def test_the_rate_is_float64_where_keras_computes_in_float64() -> None:
    keras.config.set_floatx("float64")
    try:
        rate = lrcore_keras.LearningRateSchedule(COSINE)(7)
    finally:
        keras.config.set_floatx("float32")
    assert float(rate) == (
        COSINE(7) if BACKEND != "jax" else np.float32(COSINE(7))
    )  # JAX has float64 only with jax_enable_x64


def test_a_schedule_too_long_for_a_lookup_is_within_an_ulp() -> None:
    schedule = Cosine(init_value=0.1, end_value=0.0, decay_steps=10**9)
    keras_schedule = lrcore_keras.LearningRateSchedule(schedule)
    steps = [0, 1, 2**24 + 1, 10**8 + 7, 10**9 - 3, 10**9 - 1, 10**9, 2**31 - 1]
    for step in steps:
        exact = np.float32(schedule(step))
        assert abs(float(keras_schedule(step)) - float(exact)) <= np.spacing(exact)


# --- errors -----------------------------------------------------------------------------------------------------------


def test_an_optimizer_with_a_schedule_of_its_own_is_refused() -> None:
    model = made_model(sgd(lrcore_keras.LearningRateSchedule(COSINE)))
    with pytest.raises(
        ScheduleError, match=r"expected an optimizer whose learning_rate is a number; got sgd.* drop"
    ) as caught:
        fit(model, callbacks=[lrcore_keras.LearningRateScheduler(COSINE)])
    assert "\n" not in str(caught.value)
    assert used(model) == [0.0] * UPDATES
    callback = lrcore_keras.LearningRateScheduler(COSINE)
    callback.set_model(model)
    with pytest.raises(ScheduleError, match="whose learning_rate is a number"):
        callback.load_state_dict(lrcore.save_state(7, COSINE))
    assert int(model.optimizer.iterations) == 0


def test_a_function_in_the_optimizer_needs_a_horizon() -> None:
    with pytest.raises(ScheduleError, match="horizon"):
        lrcore_keras.LearningRateSchedule(lambda step: 0.1)


def test_a_function_keeps_its_value_from_the_horizon_on() -> None:
    schedule = lrcore_keras.LearningRateSchedule(lambda step: 0.1 * step, horizon=3)
    assert [float(schedule(step)) for step in (2, 3, 4, 99)] == [float(np.float32(0.1 * step)) for step in (2, 3, 3, 3)]


def test_a_function_cannot_be_saved(tmp_path: Path) -> None:
    model = made_model(sgd(lrcore_keras.LearningRateSchedule(lambda step: 0.1, horizon=3)))
    fit(model)
    with pytest.raises(ScheduleError, match="function"):
        model.save(tmp_path / "model.keras")


def test_a_plateau_in_the_optimizer_is_refused() -> None:
    with pytest.raises(ScheduleError, match="got a Plateau, which needs a metric; use the callback"):
        lrcore_keras.LearningRateSchedule(lrcore.Plateau(COSINE))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"per": "batch"}, r"LearningRateScheduler\.per: expected update or epoch; got 'batch'"),
        (
            {"on_mismatch": "ignore"},
            "on_mismatch: expected one of error, keep_checkpoint, use_config, same_past; got 'ignore'",
        ),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        lrcore_keras.LearningRateScheduler(COSINE, **arguments)


def test_a_schedule_that_fails_leaves_the_optimizer_as_it_was() -> None:
    def fails(step: int) -> float:
        return 0.1 if step < 3 else float("nan")

    callback, model = lrcore_keras.LearningRateScheduler(fails, per="update"), made_model(sgd())
    with pytest.raises(ScheduleError, match="finite"):
        fit(model, callbacks=[callback])
    assert used(model)[:4] == [float(np.float32(0.1))] * 3 + [0.0]
    assert float(model.optimizer.learning_rate) == float(np.float32(0.1))
    assert callback.state_dict()["step"] == 3


def test_sync_without_a_model_or_its_optimizer_is_refused() -> None:
    callback = lrcore_keras.LearningRateScheduler(PLATEAU)
    with pytest.raises(ScheduleError, match=r"call set_model\(model\) first"):
        callback.sync()
    model = keras.Sequential([keras.Input((UPDATES,)), keras.layers.Dense(1)])
    model.predict(DATA, verbose=0, callbacks=[callback])
    with pytest.raises(ScheduleError, match="expected a model with an optimizer; got none; call compile first"):
        callback.sync()


def test_the_error_without_keras_says_what_to_install() -> None:
    script = "import sys; sys.modules['keras'] = None; import lrcore_keras"
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, env=paths())
    assert done.stderr.splitlines()[-1].endswith(
        'lrcore_keras: needs Keras, which is not installed; run: pip install "lrcore[keras]"'
    )


def paths() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


# --- warnings ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(BACKEND == "torch", reason="the torch backend refuses more than one step per execution")
def test_the_callback_warns_that_steps_of_one_execution_share_a_rate() -> None:
    model = made_model(sgd(), steps_per_execution=4)
    with pytest.warns(UserWarning, match="steps_per_execution: 4 batches share one rate.* put a LearningRateSchedule"):
        fit(model, callbacks=[lrcore_keras.LearningRateScheduler(COSINE)])
    assert used(model) == np.repeat(rates(COSINE)[::4], 4).tolist()


@pytest.mark.skipif(BACKEND == "torch", reason="the torch backend refuses more than one step per execution")
@pytest.mark.filterwarnings("error")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_the_callback_does_not_warn_if_one_update_has_several_executions() -> None:
    model = made_model(sgd(gradient_accumulation_steps=8), steps_per_execution=4)
    fit(model, DATA[:12].repeat(8, axis=0), callbacks=[lrcore_keras.LearningRateScheduler(COSINE)])
    assert used(model)[:12] == rates(COSINE, 12)


class OtherWriter(keras.callbacks.Callback):
    """Overwrites the rate after the second and the third update."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch in {1, 2}:
            self.model.optimizer.learning_rate = 7.0


def test_the_callback_warns_once_of_another_writer_and_overwrites_its_rate() -> None:
    model = made_model(sgd())
    with pytest.warns(
        UserWarning, match=r"something else set that of sgd\w* to 7\.0, where the schedule had set 0\.00999"
    ) as said:
        fit(model, callbacks=[lrcore_keras.LearningRateScheduler(COSINE), OtherWriter()])
    assert len([one for one in said if "something else" in str(one.message)]) == 1
    assert used(model) == rates(COSINE)


# --- resuming ---------------------------------------------------------------------------------------------------------


@both
def test_a_saved_model_goes_on_where_it_was(by: str, tmp_path: Path) -> None:
    optimizer, callbacks = driven(by, COSINE)
    model = made_model(optimizer)
    for start, stop in itertools.pairwise([0, 1, 2, 31, UPDATES]):
        fit(model, DATA[start:stop], callbacks=callbacks)
        model.save(tmp_path / "model.keras")
        model = keras.models.load_model(tmp_path / "model.keras")
        callbacks = driven(by, COSINE)[1]
    assert used(model) == rates(COSINE)


@both
def test_a_checkpoint_of_any_epoch_goes_on_where_it_was(by: str, tmp_path: Path) -> None:
    optimizer, callbacks = driven(by, COSINE)
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    fit(made_model(optimizer), DATA[:10], [*callbacks, checkpoint], epochs=3)
    for epoch in (1, 2, 3):
        model = keras.models.load_model(tmp_path / f"{epoch}.keras")
        fit(model, DATA[10 * epoch :], driven(by, COSINE)[1])
        assert used(model)[10 * epoch :] == rates(COSINE)[10 * epoch :]


def test_a_saved_model_contains_the_description_of_its_schedule(tmp_path: Path) -> None:
    long = Cosine(init_value=0.1, end_value=0.0, decay_steps=200_000)
    model = made_model(sgd(lrcore_keras.LearningRateSchedule(long, horizon=150_000)))
    fit(model, DATA[:1])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").optimizer._learning_rate
    assert (loaded.schedule, loaded.horizon) == (long, 150_000)
    assert (tmp_path / "model.keras").stat().st_size < 30_000
    config = keras.saving.serialize_keras_object(model.optimizer)["config"]["learning_rate"]
    assert config["registered_name"] == "lrcore>LearningRateSchedule"
    assert json.loads(json.dumps(config["config"])) == {"schedule": long.to_dict(), "horizon": 150_000}


class Crash(keras.callbacks.Callback):
    def __init__(self, epoch: int, batch: int) -> None:
        super().__init__()
        self.place = (epoch, batch)
        self.epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == self.place:
            raise KeyboardInterrupt


@both
@pytest.mark.parametrize("save_freq", ["epoch", 4])
def test_a_crash_and_backup_and_restore_go_on_with_the_right_step(by: str, save_freq: Any, tmp_path: Path) -> None:
    backup = tmp_path / "backup"

    def trained(crash: Sequence[Any]) -> keras.Model:
        optimizer, callbacks = driven(by, COSINE)
        model = made_model(optimizer)
        fit(model, DATA[:10], [*callbacks, keras.callbacks.BackupAndRestore(backup, save_freq), *crash], epochs=3)
        return model

    with pytest.raises(KeyboardInterrupt):
        trained([Crash(epoch=1, batch=5)])
    kept = 10 if save_freq == "epoch" else 12
    model = trained([])
    assert int(model.optimizer.iterations) == kept + 20  # the interrupted epoch is repeated
    steps = [*range(10), *range(10, kept), *range(kept, kept + 20)]
    assert sum(used(model)) == pytest.approx(sum(map(COSINE, steps)), rel=1e-6)


def continued(model: keras.Model, callback: Any, state: Mapping[str, Any], start: int, *, first: bool) -> list[float]:
    """Load a state before or after `set_model`, finish the run and return the rates that it used."""
    if first:
        callback.load_state_dict(state)
    else:
        callback.set_model(model)
        callback.load_state_dict(state)
        assert float(model.optimizer.learning_rate) == rates(COSINE)[start]
    assert callback.state_dict() == state
    fit(model, DATA[start:], [callback])
    return used(model)[start:]


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("start", [0, 1, 30, 59])
def test_a_state_sets_the_step_of_a_new_model(start: int, first: bool) -> None:
    state = json.loads(json.dumps(lrcore.save_state(start, COSINE)))
    callback = lrcore_keras.LearningRateScheduler(COSINE)
    callback.load_state_dict(state)
    assert continued(made_model(sgd()), callback, state, start, first=first) == rates(COSINE)[start:]


def test_a_state_counts_updates_under_accumulation() -> None:
    callback, model = lrcore_keras.LearningRateScheduler(COSINE), made_model(sgd(gradient_accumulation_steps=4))
    callback.load_state_dict(lrcore.save_state(5, COSINE))
    fit(model, DATA[5:9].repeat(4, axis=0), [callback])
    assert used(model)[5:9] == rates(COSINE)[5:9]
    assert callback.state_dict() == lrcore.save_state(9, COSINE)


def test_a_state_sets_the_step_of_each_optimizer() -> None:
    callback, model = lrcore_keras.LearningRateScheduler(COSINE), two_layers([sgd(), sgd()], by_function=True)
    callback.load_state_dict(lrcore.save_state(50, COSINE))
    fit(model, DATA[50:], [callback])
    assert used(model, 1)[50:] == used(model, 2)[50:] == rates(COSINE)[50:]


def test_another_schedule_in_a_state_is_reported() -> None:
    callback = lrcore_keras.LearningRateScheduler(Constant(0.2))
    with pytest.raises(
        ScheduleError, match=r"LearningRateScheduler: the saved schedule .* at step 0 it gives 0\.1 .* 0\.2"
    ):
        callback.load_state_dict(lrcore.save_state(7, Constant(0.1)))
    assert callback.state_dict() == lrcore.save_state(0, Constant(0.2))


@pytest.mark.parametrize(("policy", "rate"), [("keep_checkpoint", 0.1), ("use_config", 0.2)])
def test_on_mismatch_chooses_the_schedule_to_continue_with(policy: Any, rate: float) -> None:
    callback, model = lrcore_keras.LearningRateScheduler(Constant(0.2), on_mismatch=policy), made_model(sgd())
    callback.load_state_dict(lrcore.save_state(7, Constant(0.1)))
    fit(model, DATA[:1], [callback])
    assert used(model)[:1] == [float(np.float32(rate))]


def test_a_plateau_may_become_a_plain_schedule() -> None:
    callback, model = lrcore_keras.LearningRateScheduler(COSINE, on_mismatch="use_config"), made_model(sgd())
    callback.load_state_dict(lrcore.save_state(30, PLATEAU, PLATEAU.initial()._replace(scale=0.5).to_dict()))
    fit(model, DATA[30:], [callback])
    assert used(model)[30:] == rates(COSINE)[30:]


def test_sync_writes_the_rate_of_a_step() -> None:
    callback, model = lrcore_keras.LearningRateScheduler(COSINE), made_model(sgd())
    callback.set_model(model)
    callback.sync(30)
    assert float(model.optimizer.learning_rate) == rates(COSINE)[30]
    callback.sync()
    assert float(model.optimizer.learning_rate) == rates(COSINE)[0]


# --- plateau ----------------------------------------------------------------------------------------------------------

LOSSES = [0.9, 0.8, 0.85, 0.84, 0.7, float("nan"), 0.71, 0.72, 0.69, 0.75]
PLATEAU = lrcore.Plateau(COSINE, factor=0.5, patience=1)


class RecordedLosses(keras.callbacks.Callback):
    """Adds a recorded validation loss to the logs of each epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_loss"] = LOSSES[epoch]


def plateau_rates() -> Iterator[float]:
    state = PLATEAU.initial()
    for epoch, loss in enumerate(LOSSES):
        yield from (float(np.float32(PLATEAU.value(step, state))) for step in range(6 * epoch, 6 * epoch + 6))
        state = PLATEAU.update(state, loss)


@pytest.mark.parametrize("stop", [0, 3, 4, 7, 9])
def test_a_plateau_interrupted_at_any_epoch_goes_on(stop: int) -> None:
    state: Any = lrcore_keras.LearningRateScheduler(PLATEAU).state_dict()
    found: list[float] = []
    for first, last in ((0, stop), (stop, len(LOSSES))):
        callback, model = lrcore_keras.LearningRateScheduler(PLATEAU), made_model(sgd())
        callback.load_state_dict(json.loads(json.dumps(state)))
        batches = ((row[None], np.zeros((1, 1))) for row in DATA[6 * first :])
        model.fit(
            batches,
            shuffle=False,
            steps_per_epoch=6,
            initial_epoch=first,
            epochs=last,
            callbacks=[RecordedLosses(), callback],
            verbose=0,
        )
        found += used(model)[6 * first : 6 * last]
        state = callback.state_dict()
    assert found == list(plateau_rates())
    assert 0.2 < found[29] / rates(COSINE)[29] < 0.6  # the plateau reduced the rate


def plateau_run(backup: Path | None, crash: Sequence[Any] = (), *, backup_first: bool = False) -> list[float]:
    """Train ten epochs of six updates, or until the crash; return the sum of the rates used by each weight."""
    model = made_model(sgd())
    ours = [RecordedLosses(), lrcore_keras.LearningRateScheduler(PLATEAU)]
    saves = [keras.callbacks.BackupAndRestore(backup)] if backup else []
    callbacks = [*saves, *ours] if backup_first else [*ours, *saves]
    with contextlib.suppress(KeyboardInterrupt):
        fit(model, DATA[:6], [*callbacks, *crash], epochs=len(LOSSES))
    return used(model)


def test_backup_and_restore_restores_a_plateau(tmp_path: Path) -> None:
    for epoch, batch in ((3, 1), (7, 5), (9, 0)):
        plateau_run(tmp_path, [Crash(epoch, batch)])
    assert plateau_run(tmp_path) == plateau_run(None)


@pytest.mark.parametrize("backup", [False, True])
def test_the_callback_warns_if_a_plateau_has_missed_an_epoch(backup: bool, tmp_path: Path) -> None:
    message = r"plateau: training begins with epoch 3, but the plateau has been told of {} epochs; call load_state_dict"
    if backup:
        plateau_run(tmp_path, [Crash(3, 1)], backup_first=True)
        with pytest.warns(UserWarning, match=message.format(2)):
            plateau_run(tmp_path, backup_first=True)
    else:
        callbacks = [RecordedLosses(), lrcore_keras.LearningRateScheduler(PLATEAU, per="epoch")]
        with pytest.warns(UserWarning, match=message.format(0)):
            fit(made_model(sgd()), DATA[:1], callbacks, initial_epoch=3, epochs=4)


def test_weights_with_a_plateaus_state_load_with_and_without_the_callback(tmp_path: Path) -> None:
    weights = tmp_path / "model.weights.h5"
    told, model = lrcore_keras.LearningRateScheduler(PLATEAU), made_model(sgd())
    fit(model, DATA[:6], [RecordedLosses(), told], epochs=5)
    model.save_weights(weights)
    without, plain = built(made_model(sgd())), tmp_path / "plain.weights.h5"
    without.save_weights(plain)
    without.load_weights(weights)
    assert int(without.optimizer.iterations) == 30
    callback, model = lrcore_keras.LearningRateScheduler(PLATEAU), built(made_model(sgd()))
    callback.set_model(model)
    model.load_weights(weights)
    assert callback.state_dict() == told.state_dict() != lrcore.save_state(30, PLATEAU, PLATEAU.initial().to_dict())
    model.load_weights(plain)
    assert callback.state_dict() == {**told.state_dict(), "step": 0}


def test_loading_weights_of_another_plateau_is_an_error(tmp_path: Path) -> None:
    model = built(made_model(sgd()))
    for schedule in (PLATEAU, lrcore.Plateau(LINEAR)):
        lrcore_keras.LearningRateScheduler(schedule).set_model(model)
        if schedule is PLATEAU:
            model.save_weights(tmp_path / "model.weights.h5")
    with pytest.raises(ValueError, match="the saved schedule is not the configured one: their plateaus differ"):
        model.load_weights(tmp_path / "model.weights.h5")


def test_loading_weights_of_a_plateau_with_another_mode_keeps_the_rate_and_warns(tmp_path: Path) -> None:
    """The best metric is reset, since under the new mode better values would count as worse."""
    weights = tmp_path / "model.weights.h5"
    told, model = lrcore_keras.LearningRateScheduler(PLATEAU), made_model(sgd())
    fit(model, DATA[:6], [RecordedLosses(), told], epochs=4)
    model.save_weights(weights)
    higher = lrcore.Plateau(COSINE, factor=0.5, patience=1, mode="max")
    callback, model = lrcore_keras.LearningRateScheduler(higher, on_mismatch="use_config"), built(made_model(sgd()))
    callback.set_model(model)
    with pytest.warns(
        UserWarning, match=r"the plateau's mode was 'min' and is 'max': best 0\.8 becomes -inf.*scale 0\.5 is kept"
    ):
        model.load_weights(weights)
    remembered = lrcore.PlateauState.from_dict(json.loads(str(callback.state_dict()["plateau"])))
    assert remembered == higher.initial()._replace(scale=0.5, reports=4)


def test_backup_and_restore_keeps_the_rate_of_a_plateau_with_another_mode(tmp_path: Path) -> None:
    plateau_run(tmp_path, [Crash(4, 1)])
    higher = lrcore.Plateau(COSINE, factor=0.5, patience=99, mode="max")
    callback, model = lrcore_keras.LearningRateScheduler(higher, on_mismatch="use_config"), made_model(sgd())
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.warns(UserWarning, match=r"the plateau's mode was 'min' and is 'max': best 0\.8 becomes -inf"):
        fit(model, DATA[:6], [RecordedLosses(), callback, backup], epochs=len(LOSSES))
    whole = COSINE.values(range(60)).reshape(10, 6) * np.repeat([[1.0], [0.5]], [4, 6], axis=0)
    assert used(model)[:6] == pytest.approx(whole.sum(axis=0), rel=1e-5)


def test_sync_warns_once_if_a_loop_reports_no_metric() -> None:
    callback, model = lrcore_keras.LearningRateScheduler(PLATEAU), made_model(sgd())
    callback.set_model(model)
    callback.sync(9_999)
    with pytest.warns(UserWarning, match=r"10,000 updates .* told no metric, .*; call report\(metric\)"):
        callback.sync(10_000)
    callback.sync(30_000)
    callback = lrcore_keras.LearningRateScheduler(PLATEAU)
    callback.set_model(model)
    callback.load_state_dict(lrcore.save_state(9_000, PLATEAU, PLATEAU.initial()._replace(reports=3).to_dict()))
    callback.sync(18_999)
    callback.report(0.5)
    callback.sync(30_000)
    callback.on_epoch_end(0)  # a metric was reported in this epoch
    with pytest.warns(
        UserWarning, match="monitor: an epoch ended without 'val_loss'; its logs have nothing, .*; give fit valid"
    ):
        callback.on_epoch_end(1)
    without = lrcore_keras.LearningRateScheduler(COSINE)
    without.set_model(model)
    without.sync(30_000)


def built(model: keras.Model) -> keras.Model:
    """Build the optimizer's variables; Keras loads no optimizer state into an unbuilt one."""
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_custom_loop_reports_to_a_plateau_at_the_end_of_an_epoch() -> None:
    callback, model = lrcore_keras.LearningRateScheduler(PLATEAU), made_model(sgd())
    callback.set_model(model)
    for epoch, loss in enumerate(LOSSES):
        for row in DATA[6 * epoch : 6 * epoch + 6]:
            callback.sync()
            model.train_on_batch(row[None], np.zeros((1, 1)))
        callback.on_epoch_end(epoch, {"val_loss": loss})
    assert used(model) == list(plateau_rates())


def test_the_callback_warns_once_of_an_epoch_without_the_metric() -> None:
    callback = lrcore_keras.LearningRateScheduler(PLATEAU)
    with pytest.warns(UserWarning, match="monitor: an epoch ended without 'val_loss'; its logs have loss") as said:
        fit(made_model(sgd()), DATA[:1], [callback], epochs=3)
    assert len([one for one in said if one.category is UserWarning]) == 1
    assert callback.state_dict()["plateau"] == lrcore_keras.LearningRateScheduler(PLATEAU).state_dict()["plateau"]


# --- logging ----------------------------------------------------------------------------------------------------------


class RecordedLogs(keras.callbacks.Callback):
    """Records the logs that later callbacks, such as TensorBoard, receive."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[dict[str, float]] = []
        self.epochs: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches.append(dict(logs))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append(dict(logs))


@both
def test_the_logger_records_what_each_update_used(by: str) -> None:
    optimizer, callbacks = driven(by, COSINE)
    model, seen = made_model(optimizer), RecordedLogs()
    history = fit(model, DATA[:10], [lrcore_keras.LRLogger("update"), *callbacks, seen], epochs=2)
    assert [logs["learning_rate"] for logs in seen.batches] == rates(COSINE, 20)
    assert [logs["used_learning_rate"] for logs in seen.epochs] == [rates(COSINE)[9], rates(COSINE)[19]]
    assert history["learning_rate"] == [rates(COSINE)[9], rates(COSINE)[19]]


def test_the_logger_counts_updates_under_accumulation() -> None:
    model, seen = (
        made_model(sgd(lrcore_keras.LearningRateSchedule(COSINE), gradient_accumulation_steps=3)),
        RecordedLogs(),
    )
    fit(model, DATA[:9], [lrcore_keras.LRLogger("update"), seen])
    assert "learning_rate" not in seen.batches[1]
    assert [logs["learning_rate"] for logs in seen.batches[2:]] == [rates(COSINE)[batch // 3] for batch in range(7)]


def test_the_logger_records_the_rates_of_a_schedule_of_keras() -> None:
    for micro_batches, last in ((None, 9.0), (4, 7.0)):
        model = made_model(sgd(CountsUp(), gradient_accumulation_steps=micro_batches))
        assert fit(model, DATA[:10], [lrcore_keras.LRLogger()])["learning_rate"] == [last]


def test_the_logger_names_each_of_several_optimizers() -> None:
    schedules = {"first": COSINE, "second": LINEAR}
    model = two_layers([sgd(lrcore_keras.LearningRateSchedule(one), name=name) for name, one in schedules.items()])
    history = fit(model, DATA[:10], [lrcore_keras.LRLogger()])
    for name, one in schedules.items():
        assert history[f"learning_rate_{name}"] == history[f"used_learning_rate_{name}"] == rates(one)[9:10]


def test_correct_use_gives_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for by in ("schedule", "callback"):
            optimizer, callbacks = driven(by, COSINE)
            fit(made_model(optimizer), DATA[:10], [*callbacks, lrcore_keras.LRLogger("update")], epochs=2)


# --- lrcore schedules called with tensors -----------------------------------------------------------------------------


def test_a_schedule_called_with_a_tensor_names_the_adapter_to_use() -> None:
    schedule: Any = Constant(0.1)
    for tensor in (keras.Variable(3.0), keras.Input((2,))):
        with pytest.raises(ScheduleError, match=r"lrcore_keras\.LearningRateSchedule\(schedule\)"):
            schedule(tensor)
    with pytest.raises(ScheduleError, match=r"use lrcore_(keras|optax|torch)\.\w+\("):
        schedule(keras.ops.arange(3))  # an array of the backend


@pytest.mark.parametrize("steps", [1.5, np.array([0.0, 2.5]), keras.ops.convert_to_tensor(2.5)])
def test_a_fraction_of_an_update_is_refused(steps: Any) -> None:
    rate = lrcore_keras.LearningRateSchedule(lrcore.Linear(init_value=1.0, decay_steps=4))
    with pytest.raises(lrcore.ScheduleError, match="expected whole numbers of updates; got"):
        rate(steps)
    assert float(rate(keras.ops.convert_to_tensor(2.0))) == 0.5
