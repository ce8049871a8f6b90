"""Small training loops in torch whose weights show which learning rate was used."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

import lrcore
import lrcore_torch

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
UPDATES = 60
SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=40).warmup(10)


def parameter(value: float = 0.0) -> torch.Tensor:
    return torch.full((1,), value, dtype=torch.float64, device=DEVICE, requires_grad=True)


def tensor(value: float, dtype: torch.dtype = torch.float64, shape: tuple[int, ...] = ()) -> torch.Tensor:
    """A tensor rate on the device of the weights."""
    return torch.full(shape, value, dtype=dtype, device=DEVICE)


def sgd(groups: int = 1, *, lr: Any = 0.1, **options: Any) -> torch.optim.SGD:
    """Plain SGD over groups of one float64 parameter each."""
    return torch.optim.SGD([{"params": [parameter()]} for _ in range(groups)], lr=lr, **options)


def update(optimizer: torch.optim.Optimizer) -> list[float]:
    """Make one update with gradient 1 from weights of 0, and return the rate that plain SGD used in each group."""
    weights = [group["params"][0] for group in optimizer.param_groups]
    for weight in weights:
        weight.data.zero_()
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    return [0.0 - weight.item() for weight in weights]


def used_rates(optimizer: torch.optim.Optimizer, scheduler: Any, updates: int) -> list[list[float]]:
    """The rate that each group used at each update; the scheduler is stepped after each."""
    used = []
    for _ in range(updates):
        used.append(update(optimizer))
        scheduler.step()
    return used


def expected(schedule: lrcore.Schedule, steps: range, *scales: float) -> list[list[float]]:
    return [[schedule(step) * scale for scale in scales or (1.0,)] for step in steps]


class Run:
    """AdamW on two groups with gradients that depend on the weights: one wrong rate changes every later update."""

    def __init__(self, schedule: Any = SCHEDULE, lr: Any = 0.05, **options: Any) -> None:
        self.weights = [parameter(1.0), parameter(-2.0)]
        groups = [{"params": [weight]} for weight in self.weights]
        self.optimizer = torch.optim.AdamW(groups, lr=lr, foreach=False)
        self.scheduler = lrcore_torch.LRScheduler(self.optimizer, schedule, **options)

    def go_on(self, updates: int) -> Run:
        for _ in range(updates):
            for number, weight in enumerate(self.weights):
                weight.grad = weight.detach() * 0.5 + number - 0.3
            self.optimizer.step()
            self.scheduler.step()
        return self

    def values(self) -> list[float]:
        return [weight.item() for weight in self.weights]

    def save(self, file: Path | io.BytesIO) -> None:
        state = {
            "weights": [weight.detach() for weight in self.weights],
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
        }
        torch.save(state, file)

    def load(self, file: Path | io.BytesIO) -> Run:
        state = torch.load(file, weights_only=True)
        for weight, saved in zip(self.weights, state["weights"], strict=True):
            weight.data.copy_(saved)
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        return self


def resume_all(folder: Path) -> None:
    """Finish the run from each checkpoint in a folder, and write its final weights to a file beside the checkpoint."""
    for checkpoint in folder.glob("*.pt"):
        run = Run().load(checkpoint)
        run.go_on(UPDATES - int(checkpoint.stem))
        checkpoint.with_suffix(".txt").write_text(" ".join(map(repr, run.values())))
