"""What the weights do under `lrcore_optax.as_schedule`, in every way that JAX runs an update."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrcore_optax
from lrcore import Cosine
from tests.kinds import KINDS, UPDATES

LONG = Cosine(init_value=0.3, decay_steps=10**9).warmup(1000)
LAST = 2**31 - 1


def rates_of(optimizer: Any, updates: int, opt_state: Any = None, jit: Any = jax.jit) -> list[float]:
    """The learning rates that plain gradient descent moves a weight by, whose gradient is 1."""
    update = jit(optimizer.update)
    opt_state = optimizer.init(jnp.float32(0)) if opt_state is None else opt_state
    rates = []
    for _ in range(updates):
        change, opt_state = update(jnp.float32(1), opt_state, jnp.float32(0))
        rates.append(-float(change) + 0.0)
    return rates


def host(schedule: Any, steps: Any) -> list[float]:
    return [float(np.float32(schedule(step))) for step in steps]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("jit", [jax.jit, lambda function: function], ids=["jit", "eager"])
def test_the_weight_moves_by_the_schedule(name: str, jit: Any) -> None:
    schedule = KINDS[name]
    optimizer = optax.sgd(lrcore_optax.as_schedule(schedule, UPDATES if name == "function" else None))
    assert rates_of(optimizer, UPDATES, jit=jit) == host(schedule, range(UPDATES))
