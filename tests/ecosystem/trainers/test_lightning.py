"""Lightning runs the loop, saves and resumes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger

import lrcore
import lrcore_torch
from tests.ecosystem.trainers.training import BATCHES, SCHEDULE, Weight, loader, movements, rates

EPOCHS = 2
OTHER = lrcore.Constant(0.125)


class Module(lightning.LightningModule):
    def __init__(
        self, schedule: lrcore.Schedule | lrcore.Plateau = SCHEDULE, interval: str = "step", **options: Any
    ) -> None:
        super().__init__()
        self.model = Weight()
        self.schedule = schedule
        self.interval = interval
        self.options = options

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        loss: torch.Tensor = self.model(batch[0])
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters())
        scheduler = lrcore_torch.LRScheduler(optimizer, self.schedule, **self.options)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": self.interval}}


class Weights(Callback):
    """The weight after each batch."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def on_train_batch_end(self, trainer: Any, module: Any, *_: Any) -> None:
        self.seen.append(module.model.value.item())


def fit(folder: Path, module: Module, callbacks: list[Any], resume: Path | None = None, **options: Any) -> Any:
    options = {"max_epochs": EPOCHS, "logger": False, "enable_checkpointing": False, **options}
    trainer = lightning.Trainer(
        default_root_dir=folder,
        callbacks=callbacks,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        **options,
    )
    trainer.fit(module, loader(), ckpt_path=resume)
    return trainer


def test_each_update_uses_the_schedule(tmp_path: Path) -> None:
    weights = Weights()
    fit(tmp_path, Module(), [weights])
    assert movements(weights.seen) == pytest.approx(rates(range(EPOCHS * BATCHES)), rel=1e-12)


def test_each_epoch_uses_the_schedule_where_the_interval_is_an_epoch(tmp_path: Path) -> None:
    weights = Weights()
    fit(tmp_path, Module(interval="epoch"), [weights], max_epochs=4)
    by_epoch = [SCHEDULE(epoch) for epoch in range(4) for _ in range(BATCHES)]
    assert movements(weights.seen) == pytest.approx(by_epoch, rel=1e-12)


def test_accumulated_gradients_are_one_update(tmp_path: Path) -> None:
    weights = Weights()
    trainer = fit(tmp_path, Module(), [weights], accumulate_grad_batches=4)
    assert movements(weights.seen)[3::4] == pytest.approx(rates(range(EPOCHS * BATCHES // 4)), rel=1e-12)
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == EPOCHS * BATCHES // 4


def test_attached_it_needs_no_place_in_the_module(tmp_path: Path) -> None:
    class Attached(Module):
        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.SGD(self.parameters())
            lrcore_torch.LRScheduler(optimizer, SCHEDULE).attach()
            return optimizer

    weights = Weights()
    fit(tmp_path, Attached(), [weights], accumulate_grad_batches=2)
    assert movements(weights.seen)[1::2] == pytest.approx(rates(range(EPOCHS * BATCHES // 2)), rel=1e-12)


def test_the_monitor_logs_the_rates(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    fit(tmp_path, Module(), [LearningRateMonitor("step")], logger=logger, log_every_n_steps=1)
    with (Path(logger.log_dir) / "metrics.csv").open(encoding="utf-8") as file:
        logged = [float(row["lr-SGD"]) for row in csv.DictReader(file)]
    assert logged == pytest.approx(rates(range(EPOCHS * BATCHES)))


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_fit_goes_on_from_any_checkpoint(accumulated: int, tmp_path: Path) -> None:
    """In the middle of an epoch, at its end, and where the run is over."""
    whole = Weights()
    every = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=1)
    options: dict[str, Any] = {"accumulate_grad_batches": accumulated}
    fit(tmp_path, Module(), [whole, every], enable_checkpointing=True, **options)
    checkpoints = sorted(tmp_path.glob("step=*.ckpt"))
    updates = EPOCHS * BATCHES // accumulated
    assert len(checkpoints) == updates
    for checkpoint in checkpoints:
        done = int(checkpoint.stem.removeprefix("step="))
        weights = Weights()
        module = Module()
        fit(tmp_path, module, [weights], checkpoint, **options)
        assert weights.seen == whole.seen[done * accumulated :]
        assert module.model.value.item() == whole.seen[-1]


def test_another_schedule_is_not_taken_in_silence(tmp_path: Path) -> None:
    every = ModelCheckpoint(tmp_path, "{step}", save_top_k=-1, every_n_train_steps=4)
    fit(tmp_path, Module(), [every], enable_checkpointing=True)

    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        fit(tmp_path, Module(OTHER), [], tmp_path / "step=4.ckpt")
    weights = Weights()
    fit(tmp_path, Module(OTHER, on_mismatch="use_config"), [weights], tmp_path / "step=4.ckpt")
    assert movements(weights.seen)[1:] == [0.125] * (EPOCHS * BATCHES - 5)


class ToldOfEpochs(Module):
    """Tells a plateau a loss that stops getting better."""

    def on_train_epoch_end(self) -> None:
        scheduler: Any = self.lr_schedulers()
        scheduler.report(max(2 - self.current_epoch, 0))


@pytest.mark.parametrize("epochs", [1, 3, 4, 6])
def test_a_plateau_goes_on_from_a_checkpoint(epochs: int, tmp_path: Path) -> None:
    plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
    whole, first, second = Weights(), Weights(), Weights()
    fit(tmp_path, ToldOfEpochs(plateau), [whole], max_epochs=8)
    trainer = fit(tmp_path, ToldOfEpochs(plateau), [first], max_epochs=epochs)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    fit(tmp_path, ToldOfEpochs(plateau), [second], tmp_path / "half.ckpt", max_epochs=8)
    assert first.seen + second.seen == whole.seen
    assert movements(whole.seen)[-1] == pytest.approx(SCHEDULE(10**6) * 0.5**4, rel=1e-9)


class Monitored(Module):
    """Logs a loss that stops getting better, for Lightning to pass to a plateau; the scheduler counts the updates itself."""

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(self.parameters())
        scheduler = lrcore_torch.LRScheduler(optimizer, self.schedule, attach=True)
        monitored = {"scheduler": scheduler, "monitor": "loss", "reduce_on_plateau": True, "interval": "epoch"}
        return {"optimizer": optimizer, "lr_scheduler": monitored}

    def on_train_epoch_end(self) -> None:
        self.log("loss", float(max(2 - self.current_epoch, 0)))


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_monitored_plateau_has_a_warmup_by_update(accumulated: int, tmp_path: Path) -> None:
    plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
    weights, first, second = Weights(), Weights(), Weights()
    options: dict[str, Any] = {"accumulate_grad_batches": accumulated}
    fit(tmp_path, Monitored(plateau), [weights], max_epochs=8, **options)
    used, state = [], plateau.initial()
    for epoch in range(8):
        updates = BATCHES // accumulated
        used += [plateau.value(epoch * updates + update, state) for update in range(updates)]
        state = plateau.update(state, float(max(2 - epoch, 0)))
    assert movements(weights.seen[accumulated - 1 :: accumulated]) == pytest.approx(used, rel=1e-9)
    trainer = fit(tmp_path, Monitored(plateau), [first], max_epochs=5, **options)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    fit(tmp_path, Monitored(plateau), [second], tmp_path / "half.ckpt", max_epochs=8, **options)
    assert first.seen + second.seen == weights.seen
