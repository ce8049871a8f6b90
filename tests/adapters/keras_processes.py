"""Interrupts runs after every update and finishes them in another process, on the process's own backend.

python keras_processes.py save FOLDER: train without interruption and save after each update (with a plateau: each epoch).
python keras_processes.py finish FOLDER: rebuild, load and finish each saved run; print those that end with other weights.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

import lrcore
import lrcore_keras

UPDATES = 60
DATA = np.eye(UPDATES, dtype="float32")
LOSSES = [0.9, 0.8, 0.85, 0.84, 0.7, float("nan"), 0.71, 0.72, 0.69, 0.75]

COSINE = lrcore.Cosine(init_value=0.1, end_value=0.001, decay_steps=40).warmup(10)
PLATEAU = lrcore.Plateau(COSINE, factor=0.5, patience=1)
OPTIMIZERS: dict[str, Callable[[Any], keras.optimizers.Optimizer]] = {
    "SGD": keras.optimizers.SGD,
    "momentum": lambda rate: keras.optimizers.SGD(rate, momentum=0.9),
    "Adam": keras.optimizers.Adam,
}
STATELESS = "SGD"
EVERY = 1 if keras.config.backend() == "tensorflow" else 7
"""Finish one of this many interruptions; not every one on the other backends, to save time."""
RUNS = [
    ("schedule", "SGD"),
    ("schedule", "Adam"),
    ("callback", "SGD"),
    ("callback", "momentum"),
    ("plateau", "SGD"),
    ("plateau", "Adam"),
]


class Run:
    """A model, its optimizer and its schedule. A stop is a number of updates; with a plateau, a number of epochs."""

    def __init__(self, by: str, optimizer: str, folder: Path) -> None:
        self.path = folder / f"{by}-{optimizer}"
        self.schedule: Any = {"callback": COSINE, "plateau": PLATEAU}.get(by)
        self.stateless = optimizer == STATELESS
        self.epochs = len(LOSSES) if by == "plateau" else 1
        self.stops = self.epochs if by == "plateau" else UPDATES
        self.model = keras.Sequential(
            [keras.Input((UPDATES,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
        )
        rate = 0.01 if self.schedule else lrcore_keras.LearningRateSchedule(COSINE)
        self.model.compile(OPTIMIZERS[optimizer](rate), loss=mean_output, jit_compile=False)
        self.model.optimizer.build(self.model.trainable_variables)
        self.renew_callbacks()

    def renew_callbacks(self) -> None:
        """Replace the callbacks, and so drop their state."""
        self.callbacks = [lrcore_keras.LearningRateScheduler(self.schedule)] if self.schedule else []

    def fit(self, stop: int, *callbacks: Any) -> list[float]:
        """Train from a stop to the end and return the weights."""
        first = stop * UPDATES // self.stops
        epochs = {"initial_epoch": stop, "epochs": self.epochs} if self.epochs > 1 else {}
        batches = ((row[None], np.zeros((1, 1))) for row in DATA[first:])
        callbacks = (RecordedLosses(), *self.callbacks, *callbacks)
        if stop < self.stops:
            steps = UPDATES // self.epochs - (0 if epochs else first)
            self.model.fit(batches, shuffle=False, verbose=0, steps_per_epoch=steps, callbacks=callbacks, **epochs)
        weights: list[float] = self.model.get_weights()[0][:, 0].tolist()
        return weights

    def save(self, stop: int, model: keras.Model) -> None:
        """Save the weights and the step; with a stateful optimizer, the weights and the optimizer."""
        if not self.stateless:
            model.save_weights(self._file(stop, "weights.h5"))
            return
        np.save(self._file(stop, "npy"), model.get_weights()[0])
        state = self.callbacks[0].state_dict() if self.callbacks else int(model.optimizer.iterations)
        self._file(stop, "json").write_text(json.dumps(state))

    def load(self, stop: int) -> None:
        if not self.stateless:
            for callback in self.callbacks:
                callback.set_model(self.model)
            self.model.load_weights(self._file(stop, "weights.h5"))
            return
        self.model.set_weights([np.load(self._file(stop, "npy"))])
        state = json.loads(self._file(stop, "json").read_text())
        for callback in self.callbacks:
            callback.load_state_dict(state)
        if not self.callbacks:
            self.model.optimizer.iterations.assign(state)

    def _file(self, stop: int, kind: str) -> Path:
        return self.path.with_name(f"{self.path.name}-{stop}.{kind}")


@keras.saving.register_keras_serializable("lrcore_tests")
def mean_output(target: Any, output: Any) -> Any:
    return keras.ops.mean(output)


class RecordedLosses(keras.callbacks.Callback):
    """Adds a recorded validation loss to the logs of each epoch."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs["val_loss"] = LOSSES[epoch]


class SaveAtStops(keras.callbacks.Callback):
    """Saves a run at every stop: before the first update and after each update or epoch."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run
        self.stop = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._save()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.run.epochs == 1:
            self._save()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.run.epochs > 1:
            self._save()

    def _save(self) -> None:
        self.run.save(self.stop, self.model)
        self.stop += 1


def save(folder: Path) -> None:
    for names in RUNS:
        run = Run(*names, folder)
        run.path.with_suffix(".json").write_text(json.dumps(run.fit(0, SaveAtStops(run))))


def finish(folder: Path) -> Iterator[str]:
    """Finish all runs and yield those that end with other weights.

    Each model is built once, since tracing takes most of the time; so loading must overwrite all state of the last run.
    """
    for names in RUNS:
        run = Run(*names, folder)
        expected = json.loads(run.path.with_suffix(".json").read_text())
        for stop in range(0, run.stops + 1, 1 if run.epochs > 1 else EVERY):
            run.renew_callbacks()
            run.load(stop)
            if run.fit(stop) != expected:
                yield f"{run.path.name} after {stop}\n"


if __name__ == "__main__":
    command, place = sys.argv[1], Path(sys.argv[2])
    if command == "save":
        save(place)
    else:
        sys.stdout.writelines(finish(place))
