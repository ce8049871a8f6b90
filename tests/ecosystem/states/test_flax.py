"""flax's training states, linen's and nnx's, with a schedule of ours inside."""

from __future__ import annotations

import pickle
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

import lrcore
import lrcore_optax

SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=12).warmup(4)
UPDATES = 20


def optimizer() -> optax.GradientTransformation:
    return optax.sgd(lrcore_optax.as_schedule(SCHEDULE))


def rates(steps: range) -> list[float]:
    return [float(np.float32(SCHEDULE(step))) for step in steps]


def train_state() -> TrainState:
    return TrainState.create(apply_fn=None, params={"weight": jnp.float32(0.0)}, tx=optimizer())


@jax.jit
def update(state: TrainState) -> TrainState:
    """One update with gradient 1, from a weight of 0."""
    state = state.replace(params={"weight": jnp.float32(0.0)})
    return state.apply_gradients(grads={"weight": jnp.float32(1.0)})


def used(state: TrainState, updates: int) -> tuple[list[float], TrainState]:
    found = []
    for _ in range(updates):
        state = update(state)
        found.append(0.0 - float(state.params["weight"]))
    return found, state


def test_a_train_state_moves_by_the_schedule() -> None:
    found, state = used(train_state(), UPDATES)
    assert found == rates(range(UPDATES))
    assert lrcore_optax.current_step(state.opt_state) == int(state.step) == UPDATES
    assert lrcore_optax.current_lr(state.opt_state, SCHEDULE) == SCHEDULE(UPDATES - 1)


def test_the_step_of_a_train_state_does_not_move_the_schedule_and_ours_does() -> None:
    state = train_state().replace(step=10)
    assert used(state, 1)[0] == rates(range(1))
    moved = state.replace(opt_state=lrcore_optax.set_step(state.opt_state, 10))
    assert used(moved, 5)[0] == rates(range(10, 15))


def test_a_train_state_goes_on_from_what_was_pickled() -> None:
    _, state = used(train_state(), 7)
    kept = pickle.loads(pickle.dumps(jax.device_get(state.opt_state)))
    assert used(train_state().replace(opt_state=kept), 5)[0] == rates(range(7, 12))


def test_a_train_state_reports_to_its_plateau_between_updates() -> None:
    plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
    chained = optax.chain(optimizer(), lrcore_optax.reduce_on_plateau(plateau))
    state = TrainState.create(apply_fn=None, params={"weight": jnp.float32(0.0)}, tx=chained)
    with pytest.warns(UserWarning, match=r"update\(\) was given no value.*lrcore_optax\.report"):
        found, state = used(state, 3)
    for metric in (0.5, 0.5):
        state = state.replace(opt_state=lrcore_optax.report(state.opt_state, metric, plateau))
    assert found + used(state, 3)[0] == [*rates(range(3)), *(rate / 2 for rate in rates(range(3, 6)))]


class Weight(nnx.Module):
    def __init__(self) -> None:
        self.value = nnx.Param(jnp.float32(0.0))


@nnx.jit
def nnx_update(model: Weight, trained: Any) -> None:
    gradients = nnx.grad(lambda one: one.value[...])(model)
    trained.update(model, gradients, value=None)


def nnx_training() -> tuple[Weight, Any]:
    model = Weight()
    return model, nnx.Optimizer(model, optimizer(), wrt=nnx.Param)


def nnx_used(model: Weight, trained: Any, updates: int) -> list[float]:
    found = []
    for _ in range(updates):
        model.value[...] = jnp.float32(0.0)
        nnx_update(model, trained)
        found.append(0.0 - float(model.value[...]))
    return found


def test_an_nnx_optimizer_moves_by_the_schedule() -> None:
    model, trained = nnx_training()
    assert nnx_used(model, trained, UPDATES) == rates(range(UPDATES))
    assert lrcore_optax.current_step(trained.opt_state) == int(trained.step[...]) == UPDATES
    assert lrcore_optax.current_lr(trained.opt_state, SCHEDULE) == SCHEDULE(UPDATES - 1)


def test_an_nnx_optimizer_goes_on_from_any_adapters_state() -> None:
    model, trained = nnx_training()
    nnx_used(model, trained, 7)
    saved = lrcore_optax.state_dict(trained.opt_state, SCHEDULE)
    assert saved == lrcore.save_state(7, SCHEDULE)
    model, trained = nnx_training()
    trained.opt_state, _ = lrcore_optax.load_state_dict(trained.opt_state, saved, SCHEDULE)
    assert nnx_used(model, trained, 5) == rates(range(7, 12))


def test_an_nnx_optimizer_keeps_its_rate_and_its_plateau() -> None:
    plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
    injected = optax.inject_hyperparams(optax.sgd)(learning_rate=lrcore_optax.as_schedule(SCHEDULE))
    model = Weight()
    trained = nnx.Optimizer(model, optax.chain(injected, lrcore_optax.reduce_on_plateau(plateau)), wrt=nnx.Param)
    reported = plateau.update(plateau.update(plateau.initial(), 0.5), 0.5)
    saved = lrcore.save_state(7, plateau, reported.to_dict())
    trained.opt_state, _ = lrcore_optax.load_state_dict(trained.opt_state, saved, plateau)
    assert lrcore_optax.state_dict(trained.opt_state, plateau) == saved
    assert nnx_used(model, trained, 5) == [rate / 2 for rate in rates(range(7, 12))]
    assert lrcore_optax.current_lr(trained.opt_state) == rates(range(11, 12))[0] / 2
