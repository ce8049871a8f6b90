"""Tests of problems that users of optax's schedules met; docs/known-problems.md lists them all, with their tests."""

from __future__ import annotations

import inspect
from typing import Any

import jax.numpy as jnp
import optax
import pytest

import lrcore
import lrcore_optax

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.5)
UPDATES = 4
TAKES_A_NUMBER = {"optimistic_adam", "rprop", "scale_by_rprop", "sm3"}
SEARCHES = {"lbfgs"}  # finds its step size by line search, whatever the learning rate


def optimizers() -> list[str]:
    """The names of all functions in optax that take a learning rate."""
    found = []
    for name, made in inspect.getmembers(optax, inspect.isfunction):
        if "learning_rate" in inspect.signature(made).parameters and not name.startswith("_"):
            found.append(name)
    return found


def movements(optimizer: Any, by_hand: Any = None) -> list[float]:
    """The change of a weight by each update; `by_hand`, if given, is the rate written into the state before the update."""
    weight = jnp.full((2, 2), 0.5)
    state = optimizer.init(weight)
    moved = []
    for step in range(UPDATES):
        if by_hand is not None:
            state.hyperparams["learning_rate"] = jnp.float32(by_hand(step))
        update, state = optimizer.update(jnp.ones_like(weight), state, weight)
        weight = optax.apply_updates(weight, update)
        moved.append(float(update[0, 0]))
    return moved


def test_every_listed_exception_is_an_optimizer() -> None:
    assert set(optimizers()) > TAKES_A_NUMBER | SEARCHES


@pytest.mark.filterwarnings("ignore:Specifying a key:UserWarning")  # raised by noisy_sgd
@pytest.mark.parametrize("name", sorted({*optimizers()} - TAKES_A_NUMBER - SEARCHES))
def test_every_optimizer_that_takes_a_rate_takes_a_schedule(name: str) -> None:
    made = getattr(optax, name)
    by_hand = movements(optax.inject_hyperparams(made)(learning_rate=0.1), FALLING)
    assert movements(made(learning_rate=lrcore_optax.as_schedule(FALLING))) == pytest.approx(by_hand, rel=1e-4)


@pytest.mark.filterwarnings("ignore:`optimistic_adam` is deprecated")
@pytest.mark.parametrize("name", sorted(TAKES_A_NUMBER))
def test_an_optimizer_that_takes_a_number_does_not_take_a_schedule_in_silence(name: str) -> None:
    with pytest.raises((TypeError, ValueError)):
        movements(getattr(optax, name)(learning_rate=lrcore_optax.as_schedule(FALLING)))
