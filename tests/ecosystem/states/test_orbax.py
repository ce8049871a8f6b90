"""orbax saves the state of an optimizer, and the run goes on bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import orbax.checkpoint as ocp
import pytest

import lrcore
import lrcore_optax

SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=30).warmup(10)
UPDATES = 60

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda: optax.sgd(lrcore_optax.as_schedule(SCHEDULE)),
    "adam with its rate in the state": lambda: optax.inject_hyperparams(optax.adam)(
        learning_rate=lrcore_optax.as_schedule(SCHEDULE)
    ),
    "accumulated": lambda: optax.MultiSteps(optax.adamw(lrcore_optax.as_schedule(SCHEDULE)), 3),
}


def go_on(optimizer: Any, start: Any, updates: int) -> tuple[Any, Any]:
    weights, state = start
    update = jax.jit(optimizer.update)
    for _ in range(updates):
        change, state = update(weights * 0.5 - 0.3, state, weights)
        weights = optax.apply_updates(weights, change)
    return weights, state


@pytest.mark.parametrize("done", [0, 1, 10, 31])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_run_goes_on_from_a_checkpoint(name: str, done: int, tmp_path: Path) -> None:
    optimizer = OPTIMIZERS[name]()
    weights = jnp.array([1.0, -2.0])
    start = (weights, optimizer.init(weights))
    half = go_on(optimizer, start, done)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "checkpoint", half)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "checkpoint", start)
    whole, _ = go_on(optimizer, start, UPDATES)
    again, _ = go_on(OPTIMIZERS[name](), restored, UPDATES - done)
    np.testing.assert_array_equal(again, whole)


def test_a_state_that_is_restored_without_a_target_can_be_read(tmp_path: Path) -> None:
    """orbax then gives dicts and lists, not the state's own tuples."""
    optimizer = OPTIMIZERS["sgd"]()
    weights = jnp.array([1.0, -2.0])
    state = go_on(optimizer, (weights, optimizer.init(weights)), 7)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "checkpoint", state)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "checkpoint")
    assert lrcore_optax.current_step(restored) == 7
    assert lrcore_optax.current_lr(restored, SCHEDULE) == SCHEDULE(6)
