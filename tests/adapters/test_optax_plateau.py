"""Plateaus in optax: compiled updates use the rates that `lrcore.Plateau` computes on the host."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
import lrcore_optax

WARMED = lrcore.Cosine(init_value=0.5, end_value=0.1, decay_steps=30).warmup(4)
PLATEAUS = [
    lrcore.Plateau(WARMED, factor=0.5, patience=1),
    lrcore.Plateau(WARMED, factor=0.3, patience=0, cooldown=2, min_scale=0.05, mode="max"),
    lrcore.Plateau(WARMED, factor=0.5, patience=1, accumulate=3, arithmetic="optax"),
    lrcore.Plateau(WARMED, factor=0.5, patience=0, rtol=0.0, atol=0.25, accept_first=True, watch_in_cooldown=False),
]
# Eighths are exact in float32, so comparisons in float32 agree with those in the host's float64.
METRICS = [
    0.875,
    0.75,
    0.75,
    0.875,
    math.nan,
    0.625,
    math.inf,
    0.625,
    0.625,
    0.5,
    0.5,
    0.5,
    0.5,
    -math.inf,
    0.25,
    0.5,
] * 2


@cache
def chained(plateau: lrcore.Plateau) -> tuple[Any, Any]:
    """An optimizer with the plateau, and its compiled update."""
    optimizer = optax.chain(
        optax.sgd(lrcore_optax.as_schedule(plateau.schedule)), lrcore_optax.reduce_on_plateau(plateau)
    )
    return optimizer, jax.jit(lambda state, value: optimizer.update(jnp.ones(()), state, value=value))


def begun(plateau: lrcore.Plateau) -> Any:
    return chained(plateau)[0].init(jnp.zeros(()))


def used(plateau: lrcore.Plateau, state: Any, metrics: list[float]) -> tuple[list[float], Any]:
    rates = []
    for metric in metrics:
        change, state = chained(plateau)[1](state, metric)
        rates.append(-float(change))
    return rates, state


def expected(plateau: lrcore.Plateau, metrics: list[float]) -> list[float]:
    state, rates = plateau.initial(), []
    for step, metric in enumerate(metrics):
        state = plateau.update(state, metric)
        rates.append(float(np.float32(plateau.schedule(step)) * np.float32(state.scale)))
    return rates


@pytest.mark.parametrize("plateau", PLATEAUS)
def test_weights_move_by_the_schedule_times_the_scale(plateau: lrcore.Plateau) -> None:
    rates, _ = used(plateau, begun(plateau), METRICS)
    assert rates == pytest.approx(expected(plateau, METRICS), rel=3e-7)
    assert len({round(rate / plateau.schedule(step), 4) for step, rate in enumerate(rates) if step}) > 1


@given(metrics=st.lists(st.integers(-8, 8).map(lambda eighths: eighths / 8), min_size=1, max_size=40))
def test_scanned_machine_is_the_hosts(metrics: list[float]) -> None:
    plateau = PLATEAUS[0]
    padded = jnp.array([*metrics, *[0.0] * (40 - len(metrics))])  # one shape, one compilation
    state, ours = plateau.initial(), []
    for metric in metrics:
        state = plateau.update(state, metric)
        ours.append(state.scale)
    assert scanned(padded)[: len(metrics)].tolist() == pytest.approx(ours, rel=1e-6)


@jax.jit
def scanned(metrics: jax.Array) -> jax.Array:
    transition = PLATEAUS[0].transition(jnp.where)

    def report(state: Any, metric: jax.Array) -> tuple[Any, Any]:
        state = transition(state, metric)
        return state, state.scale

    return jax.lax.scan(report, lrcore_optax.reduce_on_plateau(PLATEAUS[0]).init(jnp.zeros(())), metrics)[1]


def test_updates_without_a_metric_keep_the_scale() -> None:
    plateau = lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=0)
    _, state = used(plateau, begun(plateau), [1.0, 1.0])
    for _ in range(3):
        change, state = chained(plateau)[0].update(jnp.ones(()), state, value=None)
        assert float(change) == -0.25


@pytest.mark.parametrize("plateau", PLATEAUS)
def test_interrupted_after_any_update(plateau: lrcore.Plateau) -> None:
    whole, _ = used(plateau, begun(plateau), METRICS)
    for cut in range(len(METRICS)):
        _, state = used(plateau, begun(plateau), METRICS[:cut])
        saved = json.loads(json.dumps(lrcore_optax.state_dict(state, plateau)))
        resumed, schedule = lrcore_optax.load_state_dict(begun(plateau), saved, plateau)
        assert schedule == plateau
        assert used(plateau, resumed, METRICS[cut:])[0] == whole[cut:]


@pytest.mark.parametrize("made", [optax.sgd, optax.inject_hyperparams(optax.sgd)])
def test_the_rate_that_is_read_has_the_scale(made: Any) -> None:
    plateau = PLATEAUS[0]
    optimizer = optax.chain(
        made(learning_rate=lrcore_optax.as_schedule(WARMED)), lrcore_optax.reduce_on_plateau(plateau)
    )
    state = optimizer.init(jnp.zeros(()))
    for metric in METRICS:
        change, state = optimizer.update(jnp.ones(()), state, value=metric)
        ways = [plateau, WARMED, *([None] if made is not optax.sgd else [])]
        assert [lrcore_optax.current_lr(state, way) for way in ways] == pytest.approx([-float(change)] * len(ways))
    assert lrcore_optax.current_lr(state, plateau) < WARMED(len(METRICS) - 1)


def test_the_replicas_of_a_plateau_are_one() -> None:
    plateau = PLATEAUS[0]
    _, single = used(plateau, begun(plateau), METRICS[:9])
    saved = lrcore_optax.state_dict(single, plateau)
    replicas = jax.vmap(chained(plateau)[0].init)(jnp.zeros(3))
    loaded, _ = lrcore_optax.load_state_dict(replicas, saved, plateau)
    assert jax.tree.map(jnp.shape, loaded) == jax.tree.map(jnp.shape, replicas)
    assert lrcore_optax.state_dict(loaded, plateau) == saved
    assert lrcore_optax.current_lr(loaded, plateau) == lrcore_optax.current_lr(single, plateau)


def test_plateaus_that_differ_have_no_one_state() -> None:
    groups = {"a": chained(PLATEAUS[0])[0], "b": chained(PLATEAUS[1])[0]}
    optimizer = optax.partition(groups, {"x": "a", "y": "b"})
    weights = {"x": jnp.zeros(()), "y": jnp.zeros(())}
    state = optimizer.init(weights)
    for metric in (0.5, 0.25):
        _, state = optimizer.update(weights, state, weights, value=metric)
    with pytest.raises(lrcore.ScheduleError, match=r"state_dict: expected the state of one plateau; got 2 that differ"):
        lrcore_optax.state_dict(state, PLATEAUS[0])


def test_a_plateau_that_is_not_chained_is_noticed() -> None:
    plateau = PLATEAUS[0]
    saved = lrcore_optax.state_dict(begun(plateau), plateau)
    bare = optax.sgd(lrcore_optax.as_schedule(WARMED)).init(jnp.zeros(()))
    with pytest.raises(lrcore.ScheduleError, match=r"load_state_dict: expected .* got none; chain lrcore_optax"):
        lrcore_optax.load_state_dict(bare, saved, plateau)
    with pytest.raises(lrcore.ScheduleError, match=r"state_dict: expected .* got none; chain lrcore_optax"):
        lrcore_optax.state_dict(bare, plateau)


def test_a_state_without_a_plateau_begins_one_anew() -> None:
    plateau = PLATEAUS[0]
    _, state = used(plateau, begun(plateau), METRICS)
    loaded, _ = lrcore_optax.load_state_dict(state, lrcore.save_state(3, WARMED), plateau, on_mismatch="use_config")
    assert used(plateau, loaded, [0.5]) == used(plateau, lrcore_optax.set_step(begun(plateau), 3), [0.5])


@pytest.mark.parametrize("value", [np.array([0.5]), jnp.ones((2, 2)), [0.5], True])
def test_a_metric_is_one_number(value: Any) -> None:
    optimizer, _ = chained(PLATEAUS[0])
    with pytest.raises(lrcore.ScheduleError, match="expected a value that is one number; got"):
        optimizer.update(jnp.ones(()), begun(PLATEAUS[0]), value=value)


def test_bfloat16_updates_stay_bfloat16() -> None:
    optimizer = lrcore_optax.reduce_on_plateau(PLATEAUS[0])
    change, _ = optimizer.update(jnp.ones((), jnp.bfloat16), optimizer.init(None), value=0.5)
    assert change.dtype == jnp.bfloat16


def test_what_is_no_plateau_or_no_schedule_is_said() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected a lrcore\.Plateau; got Constant"):
        lrcore_optax.reduce_on_plateau(lrcore.Constant(0.1))  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match=r"chain lrcore_optax\.reduce_on_plateau"):
        lrcore_optax.as_schedule(PLATEAUS[0])  # type: ignore[arg-type]


# --- negative metrics, mode changes, no metric ------------------------------------------------------------------------


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_ever_worse_values_below_zero_reduce_in_a_compiled_update(mode: Any, accumulate: int) -> None:
    plateau = lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=1, mode=mode, accumulate=accumulate)
    sign = 1 if mode == "min" else -1
    worse = [sign * (number // accumulate / 1024 - 1) for number in range(7 * accumulate)]
    rates, state = used(plateau, begun(plateau), worse)
    judged = [0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.0625]  # the scaled rate after 0, 1, ... judged metrics
    assert rates == [judged[(number + 1) // accumulate] for number in range(7 * accumulate)]
    assert lrcore_optax.current_lr(state, plateau) == 0.0625


def test_another_mode_forgets_the_best_metric_aloud_and_keeps_the_rate() -> None:
    """The best metric is reset, since under the new mode better values would count as worse."""
    higher, lower = (lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=0, mode=mode) for mode in ("max", "min"))
    _, state = used(higher, begun(higher), [-3.0, -4.0])
    saved = lrcore_optax.state_dict(state, higher)
    with pytest.warns(UserWarning, match=r"the plateau's mode was 'max' and is 'min': best -3\.0 becomes inf"):
        resumed, _ = lrcore_optax.load_state_dict(begun(lower), saved, lower, on_mismatch="use_config")
    assert used(lower, resumed, [-2.0, -2.5, -2.25])[0] == [0.25, 0.25, 0.125]


def test_a_plateau_that_is_never_told_is_warned_of_once() -> None:
    plateau = lrcore.Plateau(lrcore.Constant(0.25), patience=77)
    state = lrcore_optax.set_step(begun(plateau), 9_999)
    lrcore_optax.current_lr(state, plateau)
    lrcore_optax.state_dict(state, plateau)
    _, state = chained(plateau)[0].update(jnp.ones(()), state, value=None)
    with pytest.warns(
        UserWarning, match=r"current_lr: 10,000 updates .* told no metric, .*; give update\(\) the metric as value="
    ):
        lrcore_optax.current_lr(state, plateau)
    lrcore_optax.current_lr(state, plateau.schedule)
    lrcore_optax.state_dict(state, plateau)

    _, told = used(plateau, state, [1.0])
    fresh, _ = lrcore_optax.load_state_dict(state, lrcore.save_state(50_000, plateau.schedule), plateau, "use_config")
    for quiet in (told, fresh):
        lrcore_optax.state_dict(quiet, plateau)
    with pytest.warns(UserWarning, match="state_dict: 10,000 updates"):
        lrcore_optax.state_dict(lrcore_optax.set_step(fresh, 60_000), plateau)


@pytest.mark.parametrize("compiled", [True, False])
def test_an_update_that_is_given_no_value_is_warned_of_once(compiled: bool) -> None:
    plateau = lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=0)
    optimizer = optax.chain(optax.sgd(0.5), lrcore_optax.reduce_on_plateau(plateau))
    update = jax.jit(optimizer.update) if compiled else optimizer.update
    state = optimizer.init(jnp.zeros(()))
    with pytest.warns(UserWarning, match=r"update\(\) was given no value, so the plateau reduces nothing; give update"):
        change, state = update(jnp.ones(()), state)
    update(jnp.ones(()), state)
    assert float(change) == -0.5


def test_an_update_with_the_value_none_is_not_warned_of() -> None:
    _, state = chained(PLATEAUS[0])[1](begun(PLATEAUS[0]), None)
    assert used(PLATEAUS[0], state, METRICS[:3])


def test_a_plateau_is_told_between_updates() -> None:
    plateau = PLATEAUS[0]
    told = state = begun(plateau)
    for metric in METRICS[:9]:
        told = lrcore_optax.report(told, metric, plateau)
        _, state = chained(plateau)[1](state, metric)
    assert lrcore_optax.state_dict(lrcore_optax.set_step(told, 9), plateau) == lrcore_optax.state_dict(state, plateau)
    assert used(plateau, lrcore_optax.set_step(told, 9), [0.5]) == used(plateau, state, [0.5])


def test_a_report_without_a_plateau_or_a_number_is_refused() -> None:
    plateau = PLATEAUS[0]
    for state, metric, followed, words in (
        (begun(plateau), 0.5, WARMED, "expected a lrcore.Plateau"),
        (begun(plateau), "low", plateau, "expected a metric that is one number"),
        (optax.sgd(0.1).init(jnp.zeros(())), 0.5, plateau, "expected the state of an optimizer with a plateau"),
    ):
        with pytest.raises(lrcore.ScheduleError, match=words):
            lrcore_optax.report(state, metric, followed)
