"""One run that moves from PyTorch to Paddle to JAX to MLX, and cannot be told from one that never moved.

Each phase is a process of its own, in an environment of its own; between them lies one file with the weights and the state
that every adapter of lrcore saves. `nox -s move` runs

python examples/move_between_frameworks.py torch build/move/run.json      # begins
python examples/move_between_frameworks.py paddle build/move/run.json     # goes on
python examples/move_between_frameworks.py optax build/move/run.json
python examples/move_between_frameworks.py mlx build/move/run.json
python examples/move_between_frameworks.py check build/move/run.json      # compares with a run that stayed in numpy
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import lrcore

SCHEDULE = lrcore.Cosine(init_value=0.03, end_value=0.001, decay_steps=45).warmup(15)
UPDATES = 20  # of each phase: too few to arrive, so that one wrong rate shows in the weights
TOLERANCE = 1e-6  # each framework adds up in an order of its own


@dataclass
class Run:
    """What lies in the file."""

    weights: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    state: dict[str, Any] = field(default_factory=lambda: lrcore.save_state(0, SCHEDULE))
    phases: list[str] = field(default_factory=list)


def data() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What is fitted: 32 points on a plane."""
    features = np.random.default_rng(0).normal(size=(32, 3)).astype(np.float32)
    return features, features @ np.array([1.0, -2.0, 3.0], np.float32)


def in_torch(run: Run) -> None:
    """Plain SGD with PyTorch."""
    import torch

    import lrcore_torch

    features, targets = map(torch.from_numpy, data())
    weights = torch.tensor(run.weights, requires_grad=True)
    optimizer = torch.optim.SGD([weights])
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)
    scheduler.load_state_dict(run.state)
    for _ in range(UPDATES):
        optimizer.zero_grad()
        ((features @ weights - targets) ** 2).mean().backward()
        optimizer.step()
        scheduler.step()
    run.weights, run.state = weights.tolist(), scheduler.state_dict()


def in_paddle(run: Run) -> None:
    """Plain SGD with Paddle."""
    import paddle

    import lrcore_paddle

    features, targets = map(paddle.to_tensor, data())
    weights = paddle.create_parameter([3], "float32")
    weights.set_value(np.array(run.weights, np.float32))
    scheduler = lrcore_paddle.LRScheduler(SCHEDULE)
    scheduler.set_state_dict(run.state)
    optimizer = paddle.optimizer.SGD(scheduler, parameters=[weights])
    for _ in range(UPDATES):
        ((features @ weights - targets) ** 2).mean().backward()
        optimizer.step()
        optimizer.clear_grad()
        scheduler.step()
    run.weights, run.state = weights.tolist(), scheduler.state_dict()


def in_optax(run: Run) -> None:
    """Plain SGD with JAX and optax."""
    import jax
    import jax.numpy as jnp
    import optax

    import lrcore_optax

    features, targets = data()
    weights = jnp.array(run.weights, jnp.float32)
    optimizer = optax.sgd(lrcore_optax.as_schedule(SCHEDULE))
    state, _ = lrcore_optax.load_state_dict(optimizer.init(weights), run.state, SCHEDULE)

    @jax.jit
    def update(weights: Any, state: Any) -> tuple[Any, Any]:
        gradient = jax.grad(lambda one: ((features @ one - targets) ** 2).mean())(weights)
        change, state = optimizer.update(gradient, state, weights)
        return optax.apply_updates(weights, change), state

    for _ in range(UPDATES):
        weights, state = update(weights, state)
    run.weights, run.state = weights.tolist(), lrcore_optax.state_dict(state, SCHEDULE)


def in_mlx(run: Run) -> None:
    """Plain SGD with MLX."""
    import mlx.core as mx
    import mlx.optimizers as optim

    import lrcore_mlx

    features, targets = map(mx.array, data())
    weights = mx.array(run.weights)
    optimizer = optim.SGD(lrcore_mlx.as_schedule(SCHEDULE))
    lrcore_mlx.load_state_dict(optimizer, run.state)
    gradient = mx.grad(lambda one: ((features @ one - targets) ** 2).mean())
    for _ in range(UPDATES):
        weights = optimizer.apply_gradients(gradient(weights), weights)
    run.weights, run.state = weights.tolist(), lrcore_mlx.state_dict(optimizer)


PHASES = {"torch": in_torch, "paddle": in_paddle, "optax": in_optax, "mlx": in_mlx}


def unmoved(updates: int) -> NDArray[np.float32]:
    """The weights of a run that stays in numpy, and asks the schedule itself."""
    features, targets = data()
    weights = np.zeros(3, np.float32)
    for step in range(updates):
        gradient = features.T @ (features @ weights - targets) * np.float32(2 / len(targets))
        weights -= np.float32(SCHEDULE(step)) * gradient
    return weights


def check(run: Run) -> None:
    """Say how far the run is from the unmoved one; exit with status 1 where that is too far."""
    expected = unmoved(run.state["step"])
    distance = float(np.abs(expected - np.array(run.weights)).max() / np.abs(expected).max())
    print(f"{run.state['step']} updates in {', '.join(run.phases)}: weights {run.weights}")
    print(f"all in numpy: weights {expected.tolist()}, at most {distance:.1e} away")
    if not distance < TOLERANCE:
        sys.exit(1)


def main(what: str, file: Path) -> None:
    """Go on with the run in the file, or begin one; or check it."""
    run = Run(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else Run()
    if what == "check":
        check(run)
    elif what in PHASES:
        PHASES[what](run)
        run.phases.append(what)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(run)), encoding="utf-8")
    else:
        sys.exit(f"expected one of {', '.join(PHASES)}, check; got {what}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
