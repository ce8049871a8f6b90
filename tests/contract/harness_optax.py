"""JAX: `jax.jit` compiles the schedule into the update."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

import lrcore_optax
from lrcore.adapting import Policy
from tests.contract.harness import Loop, Source, Trained


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    device = jax.devices()[0]
    return "" if device.platform == "cpu" else str(device.device_kind)


def train(
    schedule: Source,
    updates: int,
    horizon: int | None = None,
    state: Any = None,
    *,
    with_reads: bool = False,
    on_mismatch: Policy = "error",
) -> Trained:
    learning_rate = lrcore_optax.as_schedule(schedule, horizon)
    optimizer = optax.sgd(learning_rate)
    opt_state = optimizer.init(jnp.float32(0.0))
    if state is not None:
        opt_state, _ = lrcore_optax.load_state_dict(opt_state, state, schedule, on_mismatch)

    @jax.jit
    def update(opt_state: Any) -> Any:
        change, opt_state = optimizer.update(jnp.float32(1.0), opt_state)
        return optax.apply_updates(jnp.float32(0.0), change), opt_state

    trained = Trained()
    for _ in range(updates):
        step = lrcore_optax.current_step(opt_state)
        if with_reads:
            learning_rate(step + 7)
            learning_rate(jnp.int32(0))
            lrcore_optax.current_lr(opt_state, schedule)
        reported = learning_rate(step)
        weight, opt_state = update(opt_state)
        trained.add(reported, weight)
    trained.state = lrcore_optax.state_dict(opt_state, schedule)
    return trained


LOOPS: dict[str, Loop] = {"schedule": train}
RESUMABLE = LOOPS
