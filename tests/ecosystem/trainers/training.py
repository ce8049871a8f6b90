"""One weight whose gradient is 1: with plain SGD it moves by the learning rate, whoever runs the loop."""

from __future__ import annotations

from typing import Any

import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

import lrcore
import lrcore_torch

SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=12).warmup(4)
BATCHES = 8


class Weight(torch.nn.Module):
    """The weight, in float64; the loss is the weight times a mean of ones."""

    def __init__(self) -> None:
        super().__init__()
        self.value = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return self.value * batch.mean()


def made(**options: Any) -> tuple[Weight, torch.optim.SGD, lrcore_torch.LRScheduler]:
    model = Weight()
    optimizer = torch.optim.SGD(model.parameters())
    return model, optimizer, lrcore_torch.LRScheduler(optimizer, SCHEDULE, **options)


def loader(batches: int = BATCHES) -> DataLoader[Any]:
    return DataLoader(TensorDataset(torch.ones(batches, 1, dtype=torch.float64)))


def rates(steps: range) -> list[float]:
    return [SCHEDULE(step) for step in steps]


def movements(weights: list[float]) -> list[float]:
    """What each update moved the weight by, from what it was after each; the first began at 0."""
    return [before - after for before, after in zip([0.0, *weights], weights, strict=False)]


class LoggedWeight(lightning.LightningModule):
    """The weight as Lightning trains it, without optimizers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Weight()

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        loss: torch.Tensor = self.model(batch[0])
        return loss


class Data(lightning.LightningDataModule):
    def train_dataloader(self) -> DataLoader[Any]:
        return loader()
