"""The schedules of optax and what `from_native` makes of them: in float32 as they run, and in float64 with x64 on."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrcore
import lrcore_optax
from tests.adapters.optax_runs import enable_x64
from tests.parity.comparison import DIFFERENCES, Conformance, known_difference

UPDATES = 120
SINGLE = 3e-6
EXACT = 1e-11
COUNTS = [jnp.int32(step) for step in range(UPDATES)]
with enable_x64(True):
    DOUBLE_COUNTS = [jnp.float64(step) for step in range(UPDATES)]

Function = Callable[..., Any]

# Every option of each function, varied; the grid is all combinations. Rates and real lengths are float32 numbers, so that
# the native, which rounds them, means the same.
GRIDS: dict[Function, dict[str, list[Any]]] = {
    optax.constant_schedule: {"value": [0, 1, -0.25, *(0.3 * 0.5**power for power in range(20))]},
    optax.linear_schedule: {
        "init_value": [0.5, 0.0],
        "end_value": [0.0, 1, -0.25],
        "transition_steps": [-1, 1, 10.5, 400],
        "transition_begin": [0, 20.5, -3],
    },
    optax.polynomial_schedule: {
        "init_value": [0.5],
        "end_value": [0.0, 0.75],
        "power": [0, 0.5, 2.5],
        "transition_steps": [-1, 1, 30, 100.5],
        "transition_begin": [0, 7],
    },
    optax.piecewise_constant_schedule: {
        "init_value": [0.5, -1, 8.0],
        "boundaries_and_scales": [
            None,
            {},
            {10: 0.5},
            {0: 2.0, 30: 0.1},
            {5.5: 0.5, 5.75: 0.25, 100: 0.0},
            {40: 0.5, -3: 0.5, 20: 3},
            {1: 0.5, 2: 0.5, 3: 0.5, 119: 0.1, 500: 0.5},
        ],
    },
    optax.exponential_decay: {
        "init_value": [0.5],
        "transition_steps": [-1, 5, 7.5],
        "decay_rate": [0, 0.5, 1.03125],
        "transition_begin": [0, 12],
        "staircase": [False, True],
        "end_value": [None, 0.125, 0.75],
    },
    optax.cosine_decay_schedule: {
        "init_value": [-1],
        "decay_steps": [1, 60, 400],
        "alpha": [0.0, 0.1, 1.5, -0.5],
        "exponent": [0, 0.5, 1, 2.5],
    },
    optax.piecewise_interpolate_schedule: {
        "interpolate_type": ["linear", "cosine"],
        "init_value": [0.5, -2],
        "boundaries_and_scales": [
            None,
            {10: 0.5},
            {0: 2.0, 30: 0.25},
            {100: 0.0, 50: 3},
            {9.5: 0.5, 10.5: 3.0, 110.25: 0.1},
            {1: 0.5, 2: 3, 3: 0.5, 110: 4, 500: 0.5},
        ],
    },
    optax.linear_onecycle_schedule: {
        "transition_steps": [20, 119, 41.5],
        "peak_value": [0.5],
        "pct_start": [0.1, 0.7],
        "pct_final": [0.5, 0.85],
        "div_factor": [10],
        "final_div_factor": [0.5, 1e4],
    },
    optax.cosine_onecycle_schedule: {
        "transition_steps": [20, 119, 41.5],
        "peak_value": [0.5],
        "pct_start": [0, 0.3, 0.7],
        "div_factor": [10, 25.0],
        "final_div_factor": [0.5, 1e4],
    },
    optax.warmup_constant_schedule: {
        "init_value": [0.0, 0.1, 1],
        "peak_value": [0.5, -0.25],
        "warmup_steps": [1, 2, 10, 100, 400],
    },
    optax.warmup_cosine_decay_schedule: {
        "init_value": [0.7],
        "peak_value": [0.5, 0],
        "warmup_steps": [0, 40],
        "decay_steps": [41, 400],
        "end_value": [0.0, 0.75],
        "exponent": [1, 2.5],
    },
    optax.warmup_exponential_decay_schedule: {
        "init_value": [0.7],
        "peak_value": [0.5],
        "warmup_steps": [0, 40],
        "transition_steps": [9, 7.5],
        "decay_rate": [0.5, 1.03125],
        "transition_begin": [10],
        "staircase": [False, True],
        "end_value": [None, 0.25],
    },
    optax.sgdr_schedule: {
        "cosine_kwargs": [
            [
                {"init_value": low, "peak_value": 0.5, "warmup_steps": warmup, "decay_steps": 30, "end_value": end},
                {"init_value": 0.1, "peak_value": 1.0, "warmup_steps": 0, "decay_steps": length, "exponent": 2},
                {"init_value": end, "peak_value": 0.25, "warmup_steps": 1, "decay_steps": 20},
            ]
            for low, warmup, end, length in itertools.product([0.0, 0.75], [0, 7], [0.0, 0.125], [1, 9, 300])
        ],
    },
}
CASES = [
    pytest.param(function, dict(zip(grid, values, strict=True)), id=f"{function.__name__}-{number}")
    for function, grid in GRIDS.items()
    for number, values in enumerate(itertools.product(*grid.values()))
]


def rates(native: Callable[[Any], Any], counts: list[Any]) -> list[float]:
    """What the native gives for each count alone: those of an array it would divide by a rounded reciprocal."""
    return [float(native(count)) for count in counts]


def rates_at_once(native: Callable[[Any], Any], counts: list[Any]) -> list[float]:
    """The same for the natives that have no such division, and that take a millisecond for each count alone."""
    return [float(rate) for rate in jax.vmap(native)(jnp.array(counts))]


def in_float32(function: Function, options: dict[str, Any]) -> list[float]:
    return WALKS.get(function, rates)(function(**options), COUNTS)


def in_float64(function: Function, options: dict[str, Any]) -> list[float]:
    """The counts are float64 too: a quotient of an integer count is float32 even so."""
    with enable_x64(True):
        return WALKS.get(function, rates)(function(**options), DOUBLE_COUNTS)


WALKS = dict.fromkeys(
    [optax.piecewise_interpolate_schedule, optax.linear_onecycle_schedule, optax.cosine_onecycle_schedule],
    rates_at_once,
)


def check(conformance: Conformance, function: Function, options: dict[str, Any]) -> None:
    schedule: Any = lrcore_optax.from_native(function, **options)
    conformance.compare(function.__name__, schedule, in_float32(function, options), tolerance=SINGLE)
    conformance.compare(f"{function.__name__} in x64", schedule, in_float64(function, options), tolerance=EXACT)
    assert lrcore.loads(lrcore.dumps(schedule)) == schedule


@pytest.mark.parametrize(("function", "options"), CASES)
def test_native_and_import_agree(conformance: Conformance, function: Function, options: dict[str, Any]) -> None:
    check(conformance, function, options)


# --- any options ------------------------------------------------------------------------------------------------------


def single(low: float, high: float) -> st.SearchStrategy[float]:
    return st.floats(low, high, width=32)


LEVEL = single(-1, 1).filter(lambda level: abs(level) > 1e-3) | st.just(0.0)
PEAK = single(0.125, 1)
LENGTH = st.integers(1, 200)
REAL_LENGTH = LENGTH | st.integers(4, 800).map(lambda quarters: quarters / 4)
SCALES = st.dictionaries(st.integers(0, 200), single(0, 2).filter(lambda scale: scale == 0 or scale > 1e-3), max_size=6)
EXPONENT = single(0.5, 8)
WARMUP_COSINE = {
    "init_value": LEVEL,
    "peak_value": PEAK,
    "warmup_steps": st.integers(0, 60),
    "decay_steps": st.integers(61, 200),
    "end_value": LEVEL,
    "exponent": EXPONENT,
}
DECAY = {
    "transition_steps": REAL_LENGTH,
    "decay_rate": single(0.5, 1.0625),
    "transition_begin": st.integers(-5, 100),
    "staircase": st.booleans(),
    "end_value": st.none() | LEVEL,
}
OPTIONS: dict[Function, dict[str, st.SearchStrategy[Any]]] = {
    optax.linear_schedule: {
        "init_value": LEVEL,
        "end_value": LEVEL,
        "transition_steps": REAL_LENGTH | st.integers(-3, 3),
        "transition_begin": st.integers(-5, 100) | REAL_LENGTH,
    },
    optax.polynomial_schedule: {
        "init_value": LEVEL,
        "end_value": LEVEL,
        "power": EXPONENT,
        "transition_steps": REAL_LENGTH | st.integers(-3, 3),
        "transition_begin": st.integers(-5, 100) | REAL_LENGTH,
    },
    optax.piecewise_constant_schedule: {"init_value": LEVEL, "boundaries_and_scales": SCALES},
    optax.exponential_decay: {"init_value": LEVEL, **DECAY},
    optax.cosine_decay_schedule: {
        "init_value": LEVEL,
        "decay_steps": LENGTH,
        "alpha": single(-0.5, 2),
        "exponent": EXPONENT,
    },
    optax.piecewise_interpolate_schedule: {
        "interpolate_type": st.sampled_from(["linear", "cosine"]),
        "init_value": LEVEL,
        "boundaries_and_scales": SCALES,
    },
    optax.linear_onecycle_schedule: {
        "transition_steps": st.integers(20, 200),
        "peak_value": PEAK,
        "pct_start": single(0, 0.5),
        "pct_final": single(0.5625, 0.9375),
        "div_factor": single(0.5, 100),
        "final_div_factor": single(0.5, 1e4),
    },
    optax.cosine_onecycle_schedule: {
        "transition_steps": st.integers(80, 800).map(lambda quarters: quarters / 4),
        "peak_value": PEAK,
        "pct_start": single(0, 0.9375),
        "div_factor": single(0.5, 100),
        "final_div_factor": single(0.5, 1e4),
    },
    optax.warmup_constant_schedule: {"init_value": LEVEL, "peak_value": LEVEL, "warmup_steps": LENGTH},
    optax.warmup_cosine_decay_schedule: WARMUP_COSINE,
    optax.warmup_exponential_decay_schedule: {
        "init_value": LEVEL,
        "peak_value": PEAK,
        "warmup_steps": st.integers(0, 60),
        **DECAY,
    },
    optax.sgdr_schedule: {"cosine_kwargs": st.lists(st.fixed_dictionaries(WARMUP_COSINE), min_size=1, max_size=3)},
}


@pytest.mark.parametrize("function", OPTIONS)
@settings(max_examples=25)
@given(data=st.data())
def test_any_options_agree(conformance: Conformance, function: Function, data: st.DataObject) -> None:
    check(conformance, function, data.draw(st.fixed_dictionaries(OPTIONS[function])))


# --- parts, optimizers, own schedules ---------------------------------------------------------------------------------

PARTS: list[tuple[Function, dict[str, Any]]] = [
    (optax.constant_schedule, {"value": 0.25}),
    (optax.linear_schedule, {"init_value": 0.0, "end_value": 1.0, "transition_steps": 30}),
    (optax.cosine_decay_schedule, {"init_value": 1.0, "decay_steps": 60, "alpha": 0.1}),
    (optax.exponential_decay, {"init_value": 0.5, "transition_steps": 10, "decay_rate": 0.5, "staircase": True}),
]


def check_joined(conformance: Conformance, parts: Sequence[tuple[Function, Any]], boundaries: list[int]) -> None:
    imported = [lrcore_optax.from_native(function, **options) for function, options in parts]
    schedule: Any = lrcore_optax.from_native(optax.join_schedules, imported, boundaries)
    native = optax.join_schedules([function(**options) for function, options in parts], boundaries)
    conformance.compare("join_schedules", schedule, rates(native, COUNTS), tolerance=SINGLE)
    assert lrcore.loads(lrcore.dumps(schedule)) == schedule


@pytest.mark.parametrize("parts", list(itertools.permutations(PARTS)))
def test_joined_schedules_agree(conformance: Conformance, parts: Sequence[tuple[Function, Any]]) -> None:
    check_joined(conformance, parts, [10, 45, 80])


@settings(max_examples=25)
@given(
    parts=st.lists(st.sampled_from(PARTS), min_size=1, max_size=5), boundaries=st.lists(st.integers(0, 130), max_size=5)
)
def test_schedules_joined_in_any_order_agree(
    conformance: Conformance, parts: Sequence[tuple[Function, Any]], boundaries: list[int]
) -> None:
    check_joined(conformance, parts, boundaries)


def of_optimizer(native: Any) -> list[float]:
    """The rates that a compiled optimizer uses, one update after another."""
    optimizer = optax.scale_by_schedule(native)

    def update(state: Any, _: None) -> tuple[Any, jax.Array]:
        change, state = optimizer.update(jnp.float32(1), state)
        return state, change

    return [float(rate) for rate in jax.lax.scan(update, optimizer.init(jnp.float32(0)), length=UPDATES)[1]]


@pytest.mark.parametrize("function", GRIDS)
def test_rates_that_an_optimizer_uses_are_the_imports(conformance: Conformance, function: Function) -> None:
    options = {name: values[-1] for name, values in GRIDS[function].items()}
    schedule: Any = lrcore_optax.from_native(function, **options)
    conformance.compare(function.__name__, schedule, of_optimizer(function(**options)), tolerance=SINGLE)


def test_every_schedule_of_optax_is_compared() -> None:
    made = {function for name, function in vars(optax.schedules).items() if inspect.isfunction(function)}
    others = {optax.inject_hyperparams, optax.schedules.inject_stateful_hyperparams}
    assert made - others == {*GRIDS, optax.join_schedules}
    assert {*OPTIONS} == {*GRIDS} - {optax.constant_schedule}


def test_positional_and_exported_twice() -> None:
    by_name = lrcore_optax.from_native(optax.cosine_decay_schedule, init_value=0.5, decay_steps=60, alpha=0.5)
    assert lrcore_optax.from_native(optax.schedules.cosine_decay_schedule, 0.5, 60, 0.5) == by_name
    assert lrcore_optax.from_native(optax.cosine_decay_schedule, jnp.float32(0.5), 60, jnp.float32(0.5)) == by_name


def test_own_schedules_come_back() -> None:
    schedule = lrcore.Constant(0.25).warmup(5)
    assert lrcore_optax.from_native(lrcore_optax.as_schedule(schedule)) == schedule
    joined = lrcore_optax.from_native(optax.join_schedules, [lrcore_optax.as_schedule(schedule), math.sqrt], [10])
    assert joined == lrcore.Join([schedule, lrcore.Function(math.sqrt)], boundaries=[10])
    function = lrcore_optax.from_native(lambda count: 0.5 / (1 + count))
    assert [function(step) for step in (0, 1, 4)] == [0.5, 0.25, 0.1]
    with pytest.raises(lrcore.ScheduleError, match="cannot be written"):
        function.to_dict()


def test_step_is_the_optimizers() -> None:
    optimizer = optax.chain(optax.adam(optax.linear_schedule(0.5, 0.0, 4)), optax.contrib.reduce_on_plateau())
    state = optimizer.init(jnp.float32(0))
    for _ in range(3):
        _, state = optimizer.update(jnp.float32(1), state, value=1.0)
    assert lrcore_optax.native_step(state) == 3
    moved = lrcore_optax.set_step(state, 7)
    assert lrcore_optax.native_step(moved) == 7
    assert moved[1] == state[1]  # its count is of metrics


# --- plateau ----------------------------------------------------------------------------------------------------------

PLATEAUS: dict[str, list[Any]] = {
    "factor": [0.5, 0.25],
    "patience": [0, 1, 3],
    "rtol": [1e-4, 0.25],
    "atol": [0.0625],
    "cooldown": [0, 2],
    "accumulation_size": [1, 3],
    "min_scale": [0.1],
}
SERIES = [*(2.0 - 0.1 * number for number in range(15)), math.nan, *([0.6, 0.61, 0.55] * 8), math.inf, *[0.3] * 19]
METRICS = st.lists(
    st.sampled_from([1.0, 0.9, 0.5, 0.5, 0.45, 0.0, -1.0, 2.0, math.nan, math.inf, -math.inf]) | st.floats(-2, 2),
    min_size=60,
    max_size=60,
)


def check_plateau(conformance: Conformance, options: dict[str, Any], metrics: list[float]) -> None:
    native = optax.contrib.reduce_on_plateau(**options)

    def update(state: Any, metric: jax.Array) -> tuple[Any, jax.Array]:
        change, state = native.update(jnp.float32(1), state, value=metric)
        return state, change

    theirs = [float(scale) for scale in jax.lax.scan(update, native.init(jnp.float32(0)), jnp.array(metrics))[1]]
    plateau: Any = lrcore_optax.from_native(optax.contrib.reduce_on_plateau, **options)
    state, ours = plateau.initial(), []
    for metric in metrics:
        state = plateau.update(state, metric)
        ours.append(plateau.value(0, state))
    conformance.compare(
        "reduce_on_plateau", lrcore.Function(ours.__getitem__), theirs, tolerance=SINGLE, kind="plateau"
    )
    assert lrcore.loads(lrcore.dumps(plateau)) == plateau


@pytest.mark.parametrize("values", list(itertools.product(*PLATEAUS.values())))
def test_plateau_agrees(conformance: Conformance, values: tuple[Any, ...]) -> None:
    check_plateau(conformance, dict(zip(PLATEAUS, values, strict=True)), SERIES)


@settings(max_examples=25)
@given(
    metrics=METRICS,
    options=st.fixed_dictionaries(
        {},
        optional={
            "factor": single(0.0625, 0.9375),
            "patience": st.integers(-1, 5) | st.just(2.5),
            "rtol": st.sampled_from([1e-4, 0.1, 1.0]),
            "atol": st.sampled_from([0.0, 0.05]),
            "cooldown": st.integers(-1, 4),
            "accumulation_size": st.integers(0, 4),
            "min_scale": st.sampled_from([0.0, 0.05, 1.0]),
        },
    ),
)
def test_any_plateau_agrees(conformance: Conformance, metrics: list[float], options: dict[str, Any]) -> None:
    check_plateau(conformance, options, metrics)


@pytest.mark.parametrize("given_as", [lambda schedule: schedule, lrcore_optax.as_schedule])
def test_plateau_scales_what_is_given(given_as: Callable[[lrcore.Schedule], Any]) -> None:
    schedule = lrcore.Cosine(init_value=0.5, decay_steps=60)
    plateau: Any = lrcore_optax.from_native(optax.contrib.reduce_on_plateau, 0.5, base_lr=given_as(schedule))
    assert plateau == lrcore.Plateau(schedule, factor=0.5, patience=9, arithmetic="optax")
    of_number: Any = lrcore_optax.from_native(optax.contrib.reduce_on_plateau, base_lr=0.5)
    assert of_number.schedule == lrcore.Constant(0.5)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ((optax.cosine_decay_schedule, 0.5, 0), "takes; got: The cosine_decay_schedule requires positive"),
        ((optax.cosine_decay_schedule, 0.5), "missing a required argument: 'decay_steps'"),
        ((optax.cosine_decay_schedule, 0.5, 60, 0.0, -1), r"from_native\.exponent: expected a number >= 0"),
        ((optax.cosine_decay_schedule, 0.5, 60.5, 0.0, 2), r"Cosine\.decay_steps: expected an integer"),
        ((optax.polynomial_schedule, 0.5, 0, -1, 10), r"from_native\.power: expected a number >= 0"),
        ((optax.exponential_decay, 0.5, 10, -0.5), r"Exponential\.decay_rate: expected a finite number >= 0"),
        ((optax.exponential_decay, 0.5, 10, 0.5, 2.5), "expected an integer >= 0"),
        ((optax.piecewise_constant_schedule, 0.5, {5: -1.0}), "expects non-negative scale factors"),
        ((optax.piecewise_interpolate_schedule, "cubic", 0.5, {}), "must be either 'cosine' or 'linear'"),
        ((optax.piecewise_interpolate_schedule, "linear", 0.5, {-5: 2.0}), "expected a number from 0"),
        (
            (optax.piecewise_interpolate_schedule, "linear", 1, {9.5: 2, 10.25: 2}),
            "integers or 1 apart; got 9.5 and 10.25",
        ),
        ((optax.linear_onecycle_schedule, 100, 0.5, 0.3, 0.85, 0), "division by zero"),
        ((optax.warmup_constant_schedule, 0.0, 0.5, -1), "expected an integer >= 0"),
        ((optax.warmup_cosine_decay_schedule, 0.0, 0.5, 20, 10), "requires positive decay_steps"),
        ((optax.sgdr_schedule, []), "expected at least one schedule"),
        ((optax.sgdr_schedule, [{"init_value": 0.5}]), "missing"),
        ((optax.join_schedules, [], []), "expected at least one schedule"),
        (
            (optax.join_schedules, [optax.constant_schedule(1.0)], []),
            r"import it first: from_native\(optax.constant_schedule",
        ),
        ((optax.join_schedules, [lrcore.Constant(1.0)] * 2, [-5]), "expected integers >= 0; got -5"),
        ((optax.join_schedules, [lrcore.Constant(1.0)] * 2, [5.5]), "expected an integer >= 0"),
        ((optax.constant_schedule, jnp.array([1.0, 2.0])), r"expected a finite number; got \[1.0, 2.0\]"),
        ((optax.contrib.reduce_on_plateau, 1.5), "Factor must be in the range"),
        (
            (optax.contrib.reduce_on_plateau, 0.5, 10, 1e-4, 0.0, 0, 1, 2.0),
            r"Plateau\.min_scale: expected a number from 0 to 1",
        ),
        ((optax.cosine_decay_schedule(0.5, 60),), r"expected optax\.cosine_decay_schedule and its arguments"),
        ((optax.inject_hyperparams, optax.sgd), "expected one of constant_schedule, .*; got 'inject_hyperparams'"),
        ((lambda count: 0.5, 3), "expected one of constant_schedule"),
        ((0.5,), "got 0.5"),
    ],
)
def test_what_cannot_be_imported_is_said(call: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_optax.from_native(*call)


def test_only_a_plateau_has_a_base_rate() -> None:
    with pytest.raises(lrcore.ScheduleError, match="goes with reduce_on_plateau alone"):
        lrcore_optax.from_native(optax.constant_schedule, 0.5, base_lr=0.5)


# --- known differences ------------------------------------------------------------------------------------------------


def agree_at(
    counts: list[int], function: Function, *args: Any, compiled: bool = False, tolerance: float = SINGLE
) -> None:
    native = jax.jit(function(*args)) if compiled else function(*args)
    schedule: Any = lrcore_optax.from_native(function, *args)
    theirs, ours = [float(native(jnp.int32(count))) for count in counts], [schedule(count) for count in counts]
    assert theirs == pytest.approx(ours, rel=0, abs=tolerance * max(map(abs, ours)))


@known_difference("optax-polynomial-jitted")
@pytest.mark.parametrize("power", [0.5, 0.9])
def test_polynomial_that_is_compiled(power: float) -> None:
    agree_at([0, 3, 4], optax.polynomial_schedule, 0.1, 0.0, power, 3, compiled=True)


@known_difference("optax-staircase-jitted")
@pytest.mark.parametrize("steps", [41, 47, 55])
def test_staircase_that_is_compiled(steps: int) -> None:
    agree_at([steps * level for level in range(10)], optax.exponential_decay, 0.1, steps, 0.5, 0, True, compiled=True)


@known_difference("optax-onecycle-collisions")
@pytest.mark.parametrize(
    ("function", "options"),
    [
        (optax.linear_onecycle_schedule, (100, 0.5, 0.3, 1.0)),
        (optax.linear_onecycle_schedule, (100, 0.5, 0.5, 0.5)),
        (optax.linear_onecycle_schedule, (1, 0.5)),
        (optax.cosine_onecycle_schedule, (100, 0.5, 1.0)),
    ],
)
def test_phases_that_end_at_one_step(function: Function, options: tuple[Any, ...]) -> None:
    agree_at([0, 20, 49, 99, 100], function, *options)


@known_difference("optax-warmup-of-no-steps")
def test_warmup_of_no_steps() -> None:
    agree_at([0, 10], optax.warmup_constant_schedule, 0.0, 0.5, 0)


@known_difference("optax-growth-overflows")
def test_growth_beyond_float32() -> None:
    agree_at([38, 39], optax.exponential_decay, 1.0, 1, 10.0)


@known_difference("optax-options-rounded")
def test_rate_that_float32_does_not_have() -> None:
    agree_at([0, 399], optax.exponential_decay, 0.1, 1, 0.999)


@known_difference("optax-small-exponents")
def test_cosine_to_a_small_power() -> None:
    agree_at([388, 389, 390], optax.cosine_decay_schedule, 1.0, 390, 0.0, 0.1)


@known_difference("optax-neighbouring-steps")
def test_neighbouring_steps_far_out() -> None:
    native = optax.linear_schedule(1.0, 0.0, 2**26)
    schedule = lrcore_optax.from_native(optax.linear_schedule, 1.0, 0.0, 2**26)
    steps = (2**25, 2**25 + 1)
    assert (native(steps[0]) == native(steps[1])) == (schedule(steps[0]) == schedule(steps[1]))


@known_difference("optax-longer-than-int32")
@pytest.mark.parametrize(
    ("function", "options"),
    [
        (optax.linear_schedule, (0.5, 0.0, 2**31)),
        (optax.exponential_decay, (0.5, 2**31, 0.5)),
        (optax.piecewise_constant_schedule, (0.5, {2**31: 0.5})),
        (optax.piecewise_interpolate_schedule, ("linear", 0.5, {2**31: 0.5})),
    ],
)
def test_lengths_beyond_int32(function: Function, options: tuple[Any, ...]) -> None:
    try:
        agree_at([0, 2**20], function, *options)
    except OverflowError as error:
        raise AssertionError from error


def plateau_scales(metrics: list[float], patience: int) -> tuple[list[float], list[float], list[float]]:
    """Of the native, of what `from_native` makes of it, and of a plateau of lrcore's own with the same options."""
    native = optax.contrib.reduce_on_plateau(0.5, patience=patience, rtol=0.1)
    imported = lrcore_optax.from_native(optax.contrib.reduce_on_plateau, 0.5, patience=patience, rtol=0.1)
    own = lrcore.Plateau(lrcore.Constant(1.0), factor=0.5, patience=patience - 1, rtol=0.1)
    update = jax.jit(lambda state, metric: native.update(jnp.float32(1), state, value=metric))
    state, theirs = native.init(jnp.float32(0)), []
    for metric in metrics:
        change, state = update(state, metric)
        theirs.append(float(change))
    return theirs, told(imported, metrics), told(own, metrics)


def told(plateau: Any, metrics: list[float]) -> list[float]:
    state, scales = plateau.initial(), []
    for metric in metrics:
        state = plateau.update(state, metric)
        scales.append(plateau.value(0, state))
    return scales


WORSE = [number / 128 - 1 for number in range(12)]


@known_difference("optax-plateau-below-zero")
def test_plateau_of_a_metric_below_zero() -> None:
    theirs, _, own = plateau_scales(WORSE, patience=2)
    assert theirs == own


def test_plateau_below_zero_reduces_by_our_rule_alone() -> None:
    theirs, imported, own = plateau_scales(WORSE, patience=2)
    assert theirs == imported == [1.0] * 12
    assert own == [0.5 ** (number // 2) for number in range(12)]


@pytest.mark.parametrize("patience", [1, 3])
def test_patience_counts_one_less_than_ours(patience: int) -> None:
    theirs, imported, own = plateau_scales([1.0] * 9, patience)
    assert theirs == imported == own
    assert theirs.count(1.0) == patience  # the best one and the bad ones that are tolerated


def test_every_difference_is_shown() -> None:
    marks = [mark for test in globals().values() for mark in getattr(test, "pytestmark", [])]
    shown = {mark.kwargs["reason"].partition(":")[0] for mark in marks if mark.name == "xfail"}
    assert shown == {row["name"] for row in DIFFERENCES if row["framework"] == "optax"}
