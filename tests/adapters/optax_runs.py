"""Saves runs in optax after every update and finishes them in another process."""

from __future__ import annotations

import functools
import importlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

import lrcore
import lrcore_optax

# A context manager; JAX before 0.8 has it among its experiments.
enable_x64: Any = (jax if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental")).enable_x64

UPDATES = 60
EPOCH = 6  # number of updates between two metrics
SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=40).warmup(10)
LONG = lrcore.Cosine(init_value=0.3, decay_steps=10**9).warmup(30)
PLATEAU = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
METRICS = [0.75, 0.5, 0.75, 0.25, 0.5, 0.25, 0.25, 0.125, 0.5, 0.5]

OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "sgd": lambda: optax.sgd(lrcore_optax.as_schedule(SCHEDULE)),
    "sgd, long": lambda: optax.sgd(lrcore_optax.as_schedule(LONG)),
    "sgd, plateau": lambda: plateau_after(optax.sgd(lrcore_optax.as_schedule(SCHEDULE))),
    "adam": lambda: optax.adam(lrcore_optax.as_schedule(SCHEDULE)),
    "adam, plateau": lambda: plateau_after(optax.adam(lrcore_optax.as_schedule(SCHEDULE))),
    "injected": lambda: optax.inject_hyperparams(optax.adam)(learning_rate=lrcore_optax.as_schedule(SCHEDULE)),
    "accumulated": lambda: optax.MultiSteps(optax.adamw(lrcore_optax.as_schedule(SCHEDULE)), 3),
}


def plateau_after(optimizer: Any) -> Any:
    return optax.chain(optimizer, lrcore_optax.reduce_on_plateau(PLATEAU))


class Run(NamedTuple):
    """The state of a run."""

    weights: Any
    opt_state: Any


def begun(name: str) -> Run:
    weights = jnp.array([1.0, -2.0])
    return Run(weights, _optimizer(name).init(weights))


def go_on(name: str, run: Run, done: int, updates: int) -> Run:
    for step in range(done, done + updates):
        epoch, left = divmod(step + 1, EPOCH)
        told = {"value": None if left else METRICS[epoch - 1]} if "plateau" in name else {}
        run = _update(name)(run, step, **told)
    return run


@functools.cache
def _optimizer(name: str) -> Any:
    return optax.with_extra_args_support(OPTIMIZERS[name]())


@functools.cache
def _update(name: str) -> Any:
    def update(run: Run, step: Any, **told: Any) -> Run:
        gradient = run.weights * 0.5 - 0.1 * (step % 7)
        change, opt_state = _optimizer(name).update(gradient, run.opt_state, run.weights, **told)
        return Run(optax.apply_updates(run.weights, change), opt_state)

    return jax.jit(update)


def pickled(file: Path, name: str, run: Run) -> None:
    """Save the weights and the state of the optimizer."""
    file.write_bytes(pickle.dumps(jax.device_get(run)))


def unpickled(file: Path, name: str) -> Run:
    run: Run = pickle.loads(file.read_bytes())
    return run


def plain(file: Path, name: str, run: Run) -> None:
    """Save the weights and, of the optimizer, only the `state_dict` that every framework can read."""
    file.write_text(json.dumps([run.weights.tolist(), lrcore_optax.state_dict(run.opt_state, configured(name))]))


def from_plain(file: Path, name: str) -> Run:
    weights, state = json.loads(file.read_text())
    opt_state, _ = lrcore_optax.load_state_dict(begun(name).opt_state, state, configured(name))
    return Run(jnp.array(weights), opt_state)


def configured(name: str) -> lrcore.Schedule | lrcore.Plateau:
    return PLATEAU if "plateau" in name else LONG if "long" in name else SCHEDULE


Save = Callable[[Path, str, Run], None]
Load = Callable[[Path, str], Run]
WAYS: dict[str, tuple[Save, Load]] = {"pickle": (pickled, unpickled), "plain": (plain, from_plain)}


def save_after_every_update(folder: Path, name: str, save: Save) -> list[float]:
    """The final weights of an uninterrupted run; after each update it saves a file named by the number of updates made."""
    run = begun(name)
    for done in range(UPDATES + 1):
        save(folder / str(done), name, run)
        run = go_on(name, run, done, 1 if done < UPDATES else 0)
    return weights_of(run)


def weights_of(run: Run) -> list[float]:
    weights: list[float] = run.weights.tolist()
    return weights


def finish_all(folder: Path, name: str, load: Load) -> list[list[float]]:
    """The final weights of the run, resumed from each of the files."""
    runs = (load(folder / str(done), name) for done in range(UPDATES + 1))
    return [weights_of(go_on(name, run, done, UPDATES - done)) for done, run in enumerate(runs)]


def ends(module: str, ways: dict[str, tuple[Save, Load]], saved: Iterable[str], folder: Path) -> dict[str, Any]:
    """The final weights of uninterrupted runs, and those of the same runs resumed by the main program of a module.

    Each run is named by its optimizer and the way of saving it: "sgd by pickle".
    """
    whole = {}
    for one in saved:
        name, way = one.split(" by ")
        (folder / one).mkdir()
        whole[one] = save_after_every_update(folder / one, name, ways[way][0])
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", module, str(folder)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    finished = json.loads((folder / "ends.json").read_text())
    return {one: (whole[one], finished[one]) for one in whole}


def main(ways: dict[str, tuple[Save, Load]]) -> None:
    """Finish the runs in each subfolder of the folder in `sys.argv` and write their final weights to `ends.json`."""
    saved, found = Path(sys.argv[1]), {}
    for folder in saved.iterdir():
        name, way = folder.name.split(" by ")
        found[folder.name] = finish_all(folder, name, ways[way][1])
    (saved / "ends.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(WAYS)
