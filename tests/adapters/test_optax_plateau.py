"""A plateau in optax: the rates that the weights saw, compiled, are those of the host's machine."""

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
# Eighths are exact in float32, so that the host's float64 judges them alike.
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
    """An optimizer, and its update, compiled."""
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
        change, state = chained(plateau)[0].update(jnp.ones(()), state)
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


def test_bfloat16_updates_stay_bfloat16() -> None:
    optimizer = lrcore_optax.reduce_on_plateau(PLATEAUS[0])
    change, _ = optimizer.update(jnp.ones((), jnp.bfloat16), optimizer.init(None), value=0.5)
    assert change.dtype == jnp.bfloat16


def test_what_is_no_plateau_or_no_schedule_is_said() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected a lrcore\.Plateau; got Constant"):
        lrcore_optax.reduce_on_plateau(lrcore.Constant(0.1))  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match=r"chain lrcore_optax\.reduce_on_plateau"):
        lrcore_optax.as_schedule(PLATEAUS[0])  # type: ignore[arg-type]
