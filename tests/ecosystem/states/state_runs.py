"""The runs of `optax_runs`, saved by flax and by orbax."""

from __future__ import annotations

from pathlib import Path

import flax.serialization
import orbax.checkpoint as ocp
from flax.training.train_state import TrainState

from tests.adapters import optax_runs
from tests.adapters.optax_runs import OPTIMIZERS, Load, Run, Save, begun


def orbax_saved(folder: Path, name: str, run: Run) -> None:
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(folder.absolute(), run._asdict())


def orbax_loaded(folder: Path, name: str) -> Run:
    with ocp.StandardCheckpointer() as checkpointer:
        return Run(**checkpointer.restore(folder.absolute(), begun(name)._asdict()))


def train_state(name: str, run: Run) -> TrainState:
    state = TrainState.create(apply_fn=None, params=run.weights, tx=OPTIMIZERS[name]())
    return state.replace(opt_state=run.opt_state)


def flax_saved(file: Path, name: str, run: Run) -> None:
    file.write_bytes(flax.serialization.to_bytes(train_state(name, run)))


def flax_loaded(file: Path, name: str) -> Run:
    state = flax.serialization.from_bytes(train_state(name, begun(name)), file.read_bytes())
    return Run(state.params, state.opt_state)


WAYS: dict[str, tuple[Save, Load]] = {"orbax": (orbax_saved, orbax_loaded), "flax": (flax_saved, flax_loaded)}

if __name__ == "__main__":
    optax_runs.main(WAYS)
