"""What XLA computes of long schedules: within an ulp of float32 at every step, and compiled in no time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lrcore_optax
from tests.accuracy import LONG, MILLION, error, telling_steps


@pytest.mark.parametrize("name", LONG)
def test_half_a_million_steps_of_a_long_schedule(name: str) -> None:
    steps = telling_steps(LONG[name], 400_000)
    assert len(steps) >= 500_000
    rates = jax.jit(jax.vmap(lrcore_optax.as_schedule(LONG[name])))(jnp.asarray(steps, dtype=jnp.int32))
    assert error(LONG[name], steps, rates).max() <= 1
    assert not np.isnan(rates).any()
    assert (np.asarray(rates) >= 0).all()


@pytest.mark.parametrize("name", MILLION)
def test_every_step_of_a_million(name: str) -> None:
    steps = np.arange(10**6 + 2)
    rate = lrcore_optax.as_schedule(MILLION[name])
    scanned = jax.jit(lambda: jax.lax.scan(lambda step, _: (step + 1, rate(step)), 0, length=len(steps))[1])()
    assert error(MILLION[name], steps, scanned).max() <= 1
    mapped = jax.jit(jax.vmap(rate))(jnp.asarray(steps, dtype=jnp.int32))
    assert (np.asarray(scanned) == np.asarray(mapped)).all()
