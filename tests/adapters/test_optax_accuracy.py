"""Long schedules compiled by XLA are within one ulp of float32; any schedule has the same bits compiled as on the host."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrcore
import lrcore_optax
from tests.accuracy import LAST, LONG, MILLION, error, telling_steps


@pytest.mark.parametrize("name", LONG)
def test_a_long_schedule_is_within_one_ulp_at_half_a_million_steps(name: str) -> None:
    steps = telling_steps(LONG[name], 400_000)
    assert len(steps) >= 500_000
    rates = jax.jit(jax.vmap(lrcore_optax.as_schedule(LONG[name])))(jnp.asarray(steps, dtype=jnp.int32))
    assert error(LONG[name], steps, rates).max() <= 1
    assert not np.isnan(rates).any()
    assert (np.asarray(rates) >= 0).all()


@pytest.mark.parametrize("name", MILLION)
def test_every_one_of_a_million_steps_is_within_one_ulp(name: str) -> None:
    steps = np.arange(10**6 + 2)
    rate = lrcore_optax.as_schedule(MILLION[name])
    scanned = jax.jit(lambda: jax.lax.scan(lambda step, _: (step + 1, rate(step)), 0, length=len(steps))[1])()
    assert error(MILLION[name], steps, scanned).max() <= 1
    mapped = jax.jit(jax.vmap(rate))(jnp.asarray(steps, dtype=jnp.int32))
    assert (np.asarray(scanned) == np.asarray(mapped)).all()


PARTS = st.builds(
    lambda kind, init, end, steps: kind(init_value=init, end_value=end, decay_steps=steps),
    st.sampled_from([lrcore.Cosine, lrcore.Linear]),
    st.floats(1e-3, 1.0),
    st.just(0.0) | st.floats(1e-6, 1.0),
    st.integers(0, 20) | st.integers(100_000, 50_000_000),
)


@settings(max_examples=25)
@given(parts=st.lists(PARTS, min_size=1, max_size=40), some=st.lists(st.integers(0, LAST), max_size=200))
def test_any_number_of_pieces_has_the_bits_of_the_host(parts: list[lrcore.Schedule], some: list[int]) -> None:
    schedule = lrcore.Join(parts)
    rate = lrcore_optax.as_schedule(schedule)
    cuts = np.array(list(schedule.timeline.breakpoints(LAST)), dtype=np.int64)
    near = np.concatenate([cuts - 1, cuts, cuts + 1, np.arange(600), LAST - np.arange(600), some])
    steps = np.resize(np.clip(near, 0, LAST), 2_048).astype(np.int32)  # one shape, one compilation
    assert jax.jit(rate)(jnp.asarray(steps)).tolist() == rate(steps).tolist()
