"""Hydra makes a schedule for optax from a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra.utils
import jax.numpy as jnp
import optax
import pytest
from omegaconf import OmegaConf

import lrcore
import lrcore_optax

SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=12).warmup(4)
TOML = lrcore.dumps(SCHEDULE)


@pytest.fixture(params=["dict", "text", "path"])
def given(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """A schedule as a configuration holds it."""
    path = tmp_path / "schedule.toml"
    path.write_text(TOML)
    return {"dict": SCHEDULE.to_dict(), "text": TOML, "path": str(path)}[request.param]


def test_a_target_with_a_schedule_makes_the_learning_rate_of_an_optimizer(given: Any) -> None:
    learning_rate = {"_target_": "lrcore_optax.as_schedule", "schedule": given}
    config = OmegaConf.create({"optimizer": {"_target_": "optax.sgd", "learning_rate": learning_rate}})
    optimizer = hydra.utils.instantiate(config.optimizer)
    state = lrcore_optax.set_step(optimizer.init(jnp.float32(0.0)), 7)
    change, state = optimizer.update(jnp.float32(1.0), state)
    assert -float(change) == jnp.float32(SCHEDULE(7))
    if isinstance(given, dict):
        assert lrcore_optax.current_lr(state, OmegaConf.create(given)) == SCHEDULE(7)
