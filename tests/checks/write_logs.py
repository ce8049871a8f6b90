"""Trains small models and lets frameworks write their logs: the recordings in tests/data/logs, and live in tests/ecosystem.

`python -m tests.checks.write_logs torch` (or keras), in an environment of that framework, writes the recordings anew.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lrcore

DATA = Path(__file__).parents[1] / "data" / "logs"
SCHEDULE = lrcore.Cosine(init_value=0.1, end_value=0.001, decay_steps=30).warmup(10)
UPDATES = 40
BATCHES = 8


# --- torch ------------------------------------------------------------------------------------------------------------


def _torch_model() -> tuple[Any, Any]:
    """A layer, and eight batches of ones."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    torch.manual_seed(0)
    return torch.nn.Linear(1, 1), DataLoader(TensorDataset(torch.ones(BATCHES, 1)))


def lightning_log(folder: Path, *, groups: int = 1, accumulated: int = 1) -> Path:
    """What CSVLogger writes of LearningRateMonitor and of a loss; a second group has a tenth of the rate."""
    import lightning
    import torch
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import CSVLogger

    model, loader = _torch_model()

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch: Any, number: int) -> Any:
            loss = self.model(batch[0]).square().mean()
            self.log("train_loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            parts = [{"params": [one]} for one in self.model.parameters()]
            optimizer = torch.optim.SGD(parts if groups > 1 else self.model.parameters(), lr=1.0)
            factors: list[Callable[[int], float]] = [SCHEDULE, lambda step: SCHEDULE(step) / 10]
            scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factors[:groups])
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    logger = CSVLogger(folder)
    trainer = lightning.Trainer(
        max_steps=UPDATES,
        accumulate_grad_batches=accumulated,
        logger=logger,
        callbacks=[LearningRateMonitor("step")],
        log_every_n_steps=1,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )
    trainer.fit(Module(), loader)
    return Path(logger.log_dir) / "metrics.csv"


def transformers_log(folder: Path, *, resumed: bool = False, every: int = 1) -> Path:
    """The trainer_state.json of transformers' Trainer; resumed, the run was broken off and goes on from update 20."""
    trainer = _transformers_trainer(folder, every)
    trainer.train()
    if resumed:
        trainer = _transformers_trainer(folder, every)
        trainer.train(resume_from_checkpoint=str(folder / "checkpoint-20"))
    return folder / f"checkpoint-{UPDATES}" / "trainer_state.json"


def _transformers_trainer(folder: Path, every: int) -> Any:
    import torch
    from transformers import Trainer, TrainingArguments

    layer, _ = _torch_model()

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, ones: Any, **_: Any) -> dict[str, Any]:
            return {"loss": self.layer(ones).square().mean()}

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, SCHEDULE.at)
    arguments = TrainingArguments(
        str(folder),
        max_steps=UPDATES,
        per_device_train_batch_size=1,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_steps=every,
        save_steps=20,
    )
    data: Any = [{"ones": torch.ones(1)}] * BATCHES
    return Trainer(model, arguments, train_dataset=data, optimizers=(optimizer, scheduler))


def _torch_loop(note: Callable[[int, float, float], None], updates: int = UPDATES) -> None:
    """A loop by hand, which notes the rate of each update and its loss."""
    import torch

    model, _ = _torch_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, SCHEDULE)
    for step in range(updates):
        loss = model(torch.ones(1)).square().mean()
        loss.backward()
        note(step, optimizer.param_groups[0]["lr"], loss.item())
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()


def torch_events(folder: Path, *, as_tensors: bool = False, updates: int = UPDATES) -> Path:
    """An event file of TensorBoard by torch, of scalars or of tensors."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(folder) as writer:

        def note(step: int, rate: float, loss: float) -> None:
            writer.add_scalar("train/lr", rate, step, new_style=as_tensors)
            writer.add_scalar("train/loss", loss, step, new_style=as_tensors)

        _torch_loop(note, updates)
    return next(folder.glob("events.out.tfevents.*"))


def json_lines(folder: Path) -> Path:
    """A line of JSON for each update."""
    path = folder / "log.jsonl"
    with path.open("w", encoding="utf-8") as file:
        _torch_loop(lambda step, rate, loss: print(json.dumps({"step": step, "lr": rate, "loss": loss}), file=file))
    return path


# --- keras ------------------------------------------------------------------------------------------------------------


def keras_log(folder: Path, *, inside: bool = False) -> Path:
    """What CSVLogger writes in five epochs: with a callback that sets the rate of each, or with a schedule in the optimizer."""
    import keras

    path = folder / "training.csv"
    if inside:
        rate: Any = keras.optimizers.schedules.CosineDecay(0.1, UPDATES)
        callbacks: list[Any] = [keras.callbacks.CSVLogger(str(path))]
    else:
        rate = 0.1
        scheduler = keras.callbacks.LearningRateScheduler(lambda epoch: SCHEDULE(BATCHES * epoch))
        callbacks = [scheduler, keras.callbacks.CSVLogger(str(path))]
    _keras_fit(rate, callbacks)
    return path


def keras_events(folder: Path, *, per_update: bool = False) -> Path:
    """Event files of TensorBoard by Keras, whose scalars are tensors, in one folder for each part of the data.

    Keras writes the rate at the end of an epoch; per update, the callback of lrcore writes the rate that was used.
    """
    import keras

    import lrcore_keras

    rate = lrcore_keras.LearningRateSchedule(SCHEDULE)
    before: list[Any] = [lrcore_keras.LRLogger(per="update")] if per_update else []
    board = keras.callbacks.TensorBoard(str(folder), update_freq="batch" if per_update else "epoch", write_graph=False)
    _keras_fit(rate, [*before, board])
    return folder


def _keras_fit(rate: Any, callbacks: list[Any]) -> None:
    import keras
    import numpy as np

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), loss="mse")
    ones = np.ones((BATCHES, 1), dtype="float32")
    model.fit(ones, ones, batch_size=1, epochs=UPDATES // BATCHES, verbose=0, callbacks=callbacks)


# --- recordings -------------------------------------------------------------------------------------------------------

RECORDINGS: dict[str, dict[str, Callable[[Path], Path]]] = {
    "torch": {
        "lightning.csv": lightning_log,
        "lightning-groups.csv": lambda folder: lightning_log(folder, groups=2),
        "lightning-accumulated.csv": lambda folder: lightning_log(folder, accumulated=4),
        "transformers.json": transformers_log,
        "transformers-resumed.json": lambda folder: transformers_log(folder, resumed=True),
        "torch.tfevents": torch_events,
        "torch-tensors.tfevents": lambda folder: torch_events(folder, as_tensors=True),
        "lines.jsonl": json_lines,
    },
    "keras": {
        "keras.csv": keras_log,
        "keras-inside.csv": lambda folder: keras_log(folder, inside=True),
        "keras.tfevents": lambda folder: next(keras_events(folder).rglob("*tfevents*")),
        "keras-updates.tfevents": lambda folder: next(keras_events(folder, per_update=True).rglob("*tfevents*")),
    },
}


def record(framework: str) -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    for name, write in RECORDINGS[framework].items():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(write(Path(folder)), DATA / name)


if __name__ == "__main__":
    record(sys.argv[1])
