"""The schedules and callbacks of Keras and what `from_native` makes of them: in float32 as they run, and in float64."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.optimizers.schedules import (
    CosineDecay,
    CosineDecayRestarts,
    ExponentialDecay,
    InverseTimeDecay,
    PiecewiseConstantDecay,
    PolynomialDecay,
)

import lrcore
import lrcore_keras
from tests.parity.comparison import DIFFERENCES, Conformance, known_difference

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

UPDATES = 150
SINGLE = 3e-6
EXACT = 1e-11

# Every option of each class, varied; the grid is all combinations. Rates, parts and real lengths are float32 numbers, so
# that the native, which rounds them, means the same.
GRIDS: dict[type, dict[str, list[Any]]] = {
    CosineDecay: {
        "initial_learning_rate": [0.5, -0.25],
        "decay_steps": [1, 60, 40.5, 400],
        "alpha": [0.0, 0.125, 1.5],
        "warmup_target": [None, 1.0, 0.0],
        "warmup_steps": [0, 7],
    },
    CosineDecayRestarts: {
        "initial_learning_rate": [0.5],
        "first_decay_steps": [1, 20, 17.5, 400],
        "t_mul": [1, 2.0, 1.5],
        "m_mul": [1.0, 0.5, 1.25, -0.5],
        "alpha": [0.0, 0.125],
    },
    ExponentialDecay: {
        "initial_learning_rate": [0.5, -0.25],
        "decay_steps": [1, 7, 20.5],
        "decay_rate": [0.0, 0.5, 1.0, 1.0625],
        "staircase": [False, True],
    },
    InverseTimeDecay: {
        "initial_learning_rate": [0.5, -0.25],
        "decay_steps": [1, 7, 20.5],
        "decay_rate": [0.0, 0.125, 1, 30.0],
        "staircase": [False, True],
    },
    PiecewiseConstantDecay: {
        "boundaries": [[10, 30], [0, 149], [10, 10], [-5, 60], [20.75, 40.25], [-1, 0], [1, 2], [30, 1000]],
        "values": [[0.5, 0.25, 0.125], [0.0, 1.0, -0.5], [0.1, 0.1, 0.7]],
    },
    PolynomialDecay: {
        "initial_learning_rate": [0.5],
        "decay_steps": [1, 8, 60, 400],
        "end_learning_rate": [0.0, 0.125, 0.75],
        "power": [0, 0.5, 1.0, 2.5],
        "cycle": [False, True],
    },
}
CASES = [
    pytest.param(cls, dict(zip(grid, values, strict=True)), id=f"{cls.__name__}-{number}")
    for cls, grid in GRIDS.items()
    for number, values in enumerate(itertools.product(*grid.values()))
]


def rates(native: Any, updates: int = UPDATES) -> list[float]:
    """What the native gives for each step, asked all at once where its branches allow."""
    steps = np.arange(updates, dtype=np.int64)
    if isinstance(native, CosineDecay) and native.warmup_target is not None:
        return [float(native(step)) for step in steps]
    return [float(rate) for rate in keras.ops.convert_to_numpy(native(steps))]


def in_float64(options: dict[str, Any]) -> dict[str, Any]:
    """The native calculates in the type of its first value."""
    if "values" in options:
        return {**options, "values": [np.float64(value) for value in options["values"]]}
    return {**options, "initial_learning_rate": np.float64(options["initial_learning_rate"])}


def check(conformance: Conformance, cls: type, options: dict[str, Any]) -> None:
    schedule = lrcore_keras.from_native(cls(**options))
    conformance.compare(cls.__name__, schedule, rates(cls(**options)), tolerance=SINGLE)
    conformance.compare(f"{cls.__name__} in float64", schedule, rates(cls(**in_float64(options))), tolerance=EXACT)
    assert lrcore.loads(lrcore.dumps(schedule)) == schedule


@pytest.mark.parametrize(("cls", "options"), CASES)
def test_native_and_import_agree(conformance: Conformance, cls: type, options: dict[str, Any]) -> None:
    check(conformance, cls, options)


# --- any options ------------------------------------------------------------------------------------------------------


def single(low: float, high: float) -> st.SearchStrategy[float]:
    """Without subnormals: a third of the runs in which Hypothesis drew them beside TensorFlow could not be repeated."""
    return st.floats(low, high, width=32, allow_subnormal=False)


LEVEL = single(-1, 1).filter(lambda level: abs(level) > 1e-3) | st.just(0.0)
LENGTH = st.integers(8, 200)
REAL_LENGTH = LENGTH | st.integers(32, 800).map(lambda quarters: quarters / 4)
PIECES = st.lists(st.integers(-3, 160) | st.integers(0, 640).map(lambda quarters: quarters / 4), min_size=1, max_size=6)
OPTIONS: dict[type, st.SearchStrategy[dict[str, Any]]] = {
    CosineDecay: st.fixed_dictionaries(
        {"initial_learning_rate": LEVEL, "decay_steps": REAL_LENGTH},
        optional={
            "alpha": single(-0.5, 2),
            "warmup_target": st.none() | LEVEL,
            "warmup_steps": st.integers(0, 60),
        },
    ),
    CosineDecayRestarts: st.fixed_dictionaries(
        {"initial_learning_rate": LEVEL, "first_decay_steps": REAL_LENGTH},
        optional={
            "t_mul": st.sampled_from(
                [1.0, 1.75, 2, 3.5, 4.0, 5.0]
            ),  # the native takes a logarithm: see the differences
            "m_mul": single(-1.25, 1.25),
            "alpha": single(-0.5, 2),
        },
    ),
    ExponentialDecay: st.fixed_dictionaries(
        {"initial_learning_rate": LEVEL, "decay_steps": REAL_LENGTH, "decay_rate": single(0, 2)},
        optional={"staircase": st.booleans()},
    ),
    InverseTimeDecay: st.fixed_dictionaries(
        {"initial_learning_rate": LEVEL, "decay_steps": REAL_LENGTH, "decay_rate": single(0, 100)},
        optional={"staircase": st.booleans()},
    ),
    PiecewiseConstantDecay: PIECES.flatmap(
        lambda pieces: st.fixed_dictionaries(
            {
                "boundaries": st.just(sorted(pieces)),
                "values": st.lists(LEVEL, min_size=len(pieces) + 1, max_size=len(pieces) + 1),
            }
        )
    ),
    PolynomialDecay: st.fixed_dictionaries(
        {"initial_learning_rate": LEVEL, "decay_steps": LENGTH, "end_learning_rate": LEVEL},
        optional={"power": single(0.25, 8), "cycle": st.booleans()},
    ),
}


@pytest.mark.parametrize("cls", OPTIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_options_agree(conformance: Conformance, cls: type, data: st.DataObject) -> None:
    check(conformance, cls, data.draw(OPTIONS[cls]))


@settings(max_examples=25)
@given(peak=LEVEL, end=LEVEL, steps=REAL_LENGTH, power=single(0.25, 8))
def test_polynomials_of_real_length_agree(
    conformance: Conformance, peak: float, end: float, steps: float, power: float
) -> None:
    options = {"initial_learning_rate": peak, "end_learning_rate": end, "decay_steps": steps, "power": power}
    check(conformance, PolynomialDecay, options)


# --- as an optimizer and `fit` ask ------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", GRIDS)
def test_a_converted_schedule_gives_the_rates_that_an_optimizer_uses(conformance: Conformance, cls: type) -> None:
    options = {name: values[-1] for name, values in GRIDS[cls].items()}
    optimizer, weight = keras.optimizers.SGD(cls(**options)), keras.Variable(0.0)
    used = []
    for _ in range(60):
        weight.assign(0.0)
        optimizer.apply([keras.ops.ones(())], [weight])
        used.append(-float(weight.value))
    conformance.compare(cls.__name__, lrcore_keras.from_native(cls(**options)), used, tolerance=SINGLE)
    assert lrcore_keras.native_step(optimizer) == 60


def model_of(rate: float) -> keras.Model:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), loss="mse", metrics=["accuracy"])
    return model


def rate_of(model: keras.Model) -> float:
    return float(model.optimizer.learning_rate.value)


def halving(length: float) -> Callable[[int], float]:
    return lambda epoch: 0.5 * 0.5 ** (epoch / length)


@pytest.mark.parametrize("length", [*range(1, 11), *(5.5 + number for number in range(11))])
def test_function_of_the_epoch_agrees(conformance: Conformance, length: float) -> None:
    callback = keras.callbacks.LearningRateScheduler(halving(length))
    callback.set_model(model_of(0.1))
    theirs = []
    for epoch in range(60):
        callback.on_epoch_begin(epoch)
        theirs.append(rate_of(callback.model))
    schedule = lrcore_keras.from_native(callback)
    conformance.compare("LearningRateScheduler", schedule, theirs, tolerance=SINGLE)
    every = lrcore.Every(schedule, 10)
    assert [every(step) for step in (9, 10)] == [schedule(0), schedule(1)]


PLATEAUS: dict[str, list[Any]] = {
    "factor": [0.5, 0.0],
    "patience": [0, 1, 3],
    "min_delta": [0.0, 0.0625],
    "cooldown": [0, 1, 3],
    "min_lr": [0.0, 0.05],
    "mode": ["min", "max"],
}
SERIES = [*(2.0 - 0.1 * number for number in range(15)), math.nan, *([0.6, 0.61, 0.55] * 8), math.inf, *[0.3] * 19]
METRICS = st.lists(
    st.sampled_from([1.0, 0.9, 0.5, 0.5, 0.45, 0.0, -1.0, 2.0, math.nan, math.inf, -math.inf])
    | st.floats(-2, 2, allow_subnormal=False),
    min_size=60,
    max_size=60,
)


def check_plateau(conformance: Conformance, options: dict[str, Any], base_lr: float, metrics: list[float]) -> None:
    callback = keras.callbacks.ReduceLROnPlateau(**options)
    callback.set_model(MODEL)
    MODEL.optimizer.learning_rate = base_lr
    plateau: Any = lrcore_keras.from_native(callback, base_lr=base_lr)
    state, ours, theirs = plateau.initial(), [], []
    callback.on_train_begin()
    for epoch, metric in enumerate(metrics):
        callback.on_epoch_end(epoch, {callback.monitor: metric})
        theirs.append(rate_of(MODEL))
        state = plateau.update(state, metric)
        ours.append(plateau.value(0, state))
    conformance.compare(
        "ReduceLROnPlateau", lrcore.Function(ours.__getitem__), theirs, tolerance=SINGLE, kind="plateau"
    )
    assert lrcore_keras.from_native(callback, base_lr=base_lr) == plateau
    assert lrcore.loads(lrcore.dumps(plateau)) == plateau


@pytest.mark.parametrize("values", list(itertools.product(*PLATEAUS.values())))
def test_plateau_agrees(conformance: Conformance, values: tuple[Any, ...]) -> None:
    check_plateau(conformance, dict(zip(PLATEAUS, values, strict=True)), 0.5, SERIES)


@settings(max_examples=50)
@given(
    metrics=METRICS,
    base_lr=st.sampled_from([0.5, 0.1, 1e-3]),
    options=st.fixed_dictionaries(
        {},
        optional={
            "factor": single(0.0625, 0.9375) | st.sampled_from([0.0, -0.5]),
            "patience": st.integers(-1, 5) | st.just(2.5),
            "min_delta": st.sampled_from([0.0, 1e-4, 0.05, -0.1]),
            "cooldown": st.integers(-1, 4) | st.just(1.5),
            "min_lr": st.sampled_from([0.0, 0.0005, 0.05, 2.0]),
            "monitor": st.sampled_from(["loss", "val_loss", "val_accuracy"]),
            "mode": st.sampled_from(["auto", "min", "max"]),
        },
    ),
)
def test_any_plateau_agrees(
    conformance: Conformance, metrics: list[float], base_lr: float, options: dict[str, Any]
) -> None:
    check_plateau(conformance, options, base_lr, metrics)


def told_of_metrics() -> keras.Model:
    """A model that has seen a batch, so that its metrics say which way they get better."""
    model = model_of(0.1)
    model.fit(np.ones((1, 1)), np.ones((1, 1)), verbose=0)
    return model


MODEL = told_of_metrics()


@pytest.mark.parametrize(("patience", "tolerated"), [(0, 0), (1, 0), (3, 2)])
def test_patience_counts_one_less_than_ours(patience: int, tolerated: int) -> None:
    callback = keras.callbacks.ReduceLROnPlateau(patience=patience, factor=0.5, min_delta=0.0)
    callback.set_model(MODEL)
    MODEL.optimizer.learning_rate = 0.5
    callback.on_train_begin()
    theirs = []
    for epoch in range(9):
        callback.on_epoch_end(epoch, {"val_loss": -1.0})
        theirs.append(rate_of(MODEL))
    own = lrcore.Plateau(lrcore.Constant(0.5), patience=tolerated, factor=0.5)
    state, ours = own.initial(), []
    for _ in range(9):
        state = own.update(state, -1.0)
        ours.append(own.value(0, state))
    assert theirs == ours
    assert theirs.count(0.5) == 1 + tolerated  # the best one and the bad ones that are tolerated


def test_schedules_of_lrcore_keras_are_returned() -> None:
    schedule = lrcore.Constant(0.1).warmup(5)
    assert lrcore_keras.from_native(lrcore_keras.LearningRateSchedule(schedule)) is schedule
    assert lrcore_keras.from_native(lrcore_keras.LearningRateScheduler(schedule)) is schedule
    assert lrcore_keras.from_native(keras.callbacks.LearningRateScheduler(schedule)) is schedule


def test_native_step_is_the_count_of_the_optimizer() -> None:
    assert lrcore_keras.native_step(MODEL) == lrcore_keras.native_step(MODEL.optimizer) == 1
    with pytest.raises(lrcore.ScheduleError, match="expected an optimizer or a compiled model"):
        lrcore_keras.native_step(CosineDecay(0.1, 10))


# --- refusals ---------------------------------------------------------------------------------------------------------


class Own(CosineDecay):
    """A user's schedule: its formula is not known."""


@pytest.mark.parametrize(
    ("native", "message"),
    [
        (Own(0.1, 10), r"expected one of CosineDecay, .*; got Own; wrap its formula in lrcore\.Function"),
        (0.1, "got float"),
        (CosineDecay("0.1s", 10), "expected a number; got '0.1s'"),
        (CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=2.5), r"Warmup\.steps: expected an integer >= 0"),
        (CosineDecay(0.1, 10, warmup_target=0.5, warmup_steps=-2), r"Warmup\.steps: expected an integer >= 0"),
        (CosineDecayRestarts(0.1, 10, t_mul=0.5), r"length_factor: expected a number from 1"),
        (ExponentialDecay(0.1, 10, -0.5), r"decay_rate: expected a finite number >= 0"),
        (InverseTimeDecay(0.1, 10, -0.5), r"decay_rate: expected a finite number >= 0"),
        (PiecewiseConstantDecay([30, 10], [1.0, 0.5, 0.25]), r"expected rising boundaries, .*; got \[30, 10\]"),
        (PolynomialDecay(0.1, 10, power=-1.0), "expected power >= 0"),
        (PolynomialDecay(0.1, 10.5, cycle=True), r"decay_steps: expected an integer"),
        (keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate), "expected a function of the epoch alone"),
        (keras.callbacks.LearningRateScheduler(lambda epoch, gamma=0.9: gamma**epoch), "of the epoch alone"),
        (keras.callbacks.LearningRateScheduler(max), "of the epoch alone"),
        (keras.callbacks.ReduceLROnPlateau(), r"base_lr: expected the rate of the optimizer, > 0, .*; got None"),
    ],
)
def test_natives_that_cannot_be_converted_are_refused(native: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_keras.from_native(native)


@pytest.mark.parametrize(
    ("options", "base_lr", "message"),
    [
        ({}, 0.0, "expected the rate of the optimizer, > 0, .*; got 0.0"),
        ({"monitor": "accuracy"}, 0.1, r"mode: .* its model does not tell which way 'accuracy' gets better"),
        ({"factor": -0.5, "min_lr": -0.1}, 0.1, r"expected factor >= 0 or min_lr >= 0; got -0\.5 and -0\.1"),
    ],
)
def test_plateaus_that_cannot_be_converted_are_refused(options: dict[str, Any], base_lr: float, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_keras.from_native(keras.callbacks.ReduceLROnPlateau(**options), base_lr=base_lr)


def test_only_a_plateau_needs_the_base_rate() -> None:
    with pytest.raises(lrcore.ScheduleError, match="goes with ReduceLROnPlateau alone"):
        lrcore_keras.from_native(CosineDecay(0.1, 10), base_lr=0.1)


# --- known differences ------------------------------------------------------------------------------------------------


def agree_at(steps: list[int], native: Any, *, compiled: bool = False) -> None:
    ask = tf.function(native.__call__) if compiled else native
    schedule = lrcore_keras.from_native(native)
    try:
        theirs = [float(ask(tf.constant(step, "int64"))) for step in steps]
    except (TypeError, LookupError, tf.errors.InvalidArgumentError) as error:
        raise AssertionError from error
    assert theirs == pytest.approx([schedule(step) for step in steps], rel=SINGLE)


@known_difference("keras-multiples-compiled")
@pytest.mark.parametrize(
    ("native", "multiple"),
    [
        (ExponentialDecay(0.1, 41, 0.5, staircase=True), 41),
        (InverseTimeDecay(0.1, 41, 0.5, staircase=True), 41),
        (PolynomialDecay(0.1, 7, cycle=True), 21),
        (CosineDecayRestarts(0.1, 41, t_mul=1.0), 41),
    ],
)
def test_compiled_natives_at_multiples_of_their_period(native: Any, multiple: int) -> None:
    agree_at([multiple, multiple + 1], native, compiled=True)


@known_difference("keras-restarts-rounded")
def test_restart_that_a_logarithm_misses() -> None:
    agree_at([20, 21, 22], CosineDecayRestarts(0.1, 10, t_mul=1.1))


@known_difference("keras-options-rounded")
@pytest.mark.parametrize("native", [ExponentialDecay(0.1, 1, 0.999), CosineDecayRestarts(0.1, 1, t_mul=1.05)])
def test_options_that_float32_does_not_have(native: Any) -> None:
    agree_at(list(range(360, 400)), native)


@known_difference("keras-integer-rate")
@pytest.mark.parametrize(
    "native",
    [
        CosineDecay(1, 10),
        CosineDecayRestarts(1, 10),
        ExponentialDecay(1, 10, 0.5),
        InverseTimeDecay(1, 10, 0.5),
        PolynomialDecay(1, 10, 0.5),
        PiecewiseConstantDecay([2, 4], [1, 0.5, 0.25]),
    ],
)
def test_rate_that_is_an_integer(native: Any) -> None:
    agree_at([0, 1, 5, 10], native)


@known_difference("keras-piecewise-of-one-value")
def test_pieces_without_a_boundary() -> None:
    agree_at([0, 10], PiecewiseConstantDecay([], [0.1]))


@known_difference("keras-growth-overflows")
def test_growth_beyond_float32() -> None:
    agree_at([38, 39], ExponentialDecay(1.0, 1, 10.0))


@known_difference("keras-neighbouring-steps")
def test_neighbouring_steps_far_out() -> None:
    native = PolynomialDecay(1.0, 2**26, 0.0)
    schedule = lrcore_keras.from_native(native)
    before, after = 2**25, 2**25 + 1
    assert bool(native(before) == native(after)) == (schedule(before) == schedule(after))


@known_difference("keras-epoch-function-of-integers")
def test_function_that_returns_an_integer() -> None:
    callback = keras.callbacks.LearningRateScheduler(lambda epoch: 1)
    callback.set_model(MODEL)
    schedule = lrcore_keras.from_native(callback)
    try:
        callback.on_epoch_begin(0)
    except ValueError as error:
        raise AssertionError from error
    assert rate_of(MODEL) == schedule(0)


def test_every_difference_is_shown() -> None:
    marks = [mark for test in globals().values() for mark in getattr(test, "pytestmark", [])]
    shown = {mark.kwargs["reason"].partition(":")[0] for mark in marks if mark.name == "xfail"}
    assert shown == {row["name"] for row in DIFFERENCES if row["framework"] == "keras"}
