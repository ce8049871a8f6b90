"""JAX: `jax.jit` compiles the schedule into the update."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

import lrcore
import lrcore_optax
from tests.contract.harness import Loop, Loops, Trained, Training


def accelerator() -> str:
    """The name of the accelerator that the tests use; empty if there is none."""
    device = jax.devices()[0]
    return "" if device.platform == "cpu" else str(device.device_kind)


def optimizer_with(given: Any, horizon: int | None) -> tuple[Any, Any, optax.GradientTransformationExtraArgs]:
    """Return the learning rate, what `state_dict` is given, and the optimizer."""
    if not isinstance(given, lrcore.Plateau):
        learning_rate = lrcore_optax.as_schedule(given, horizon)
        return learning_rate, learning_rate, optax.with_extra_args_support(optax.sgd(learning_rate))
    learning_rate = lrcore_optax.as_schedule(given.schedule, horizon)
    return learning_rate, given, optax.chain(optax.sgd(learning_rate), lrcore_optax.reduce_on_plateau(given))


def train(asked: Training, trained: Trained) -> None:
    learning_rate, followed, optimizer = optimizer_with(asked.schedule, asked.horizon)
    opt_state = optimizer.init(jnp.float32(0.0))
    if asked.state is not None:
        opt_state, schedule = lrcore_optax.load_state_dict(opt_state, asked.state, followed, asked.on_mismatch)
        learning_rate, followed, optimizer = optimizer_with(schedule, asked.horizon)

    @jax.jit
    def update(opt_state: Any, **report: Any) -> Any:
        change, opt_state = optimizer.update(jnp.float32(1.0), opt_state, **report)
        return optax.apply_updates(jnp.float32(0.0), change), opt_state

    for made in range(asked.updates):
        step = lrcore_optax.current_step(opt_state)
        if asked.with_reads:
            learning_rate(step + 7)
            learning_rate(jnp.int32(0))
            lrcore_optax.current_lr(opt_state, followed)
        reported = learning_rate(step)
        weight, opt_state = update(opt_state, value=asked.metrics.get(made))
        trained.add(reported, weight)
    trained.state = lrcore_optax.state_dict(opt_state, followed)


LOOPS: Loops = {"schedule": Loop(train)}
RESUMABLE = LOOPS
