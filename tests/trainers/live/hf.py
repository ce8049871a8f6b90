"""transformers' own get_scheduler, with the lengths that its Trainer works out, for every name of a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

import torch
from transformers import Trainer, TrainingArguments, get_scheduler

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "transformers 5.23.0"
KINDS: dict[str, Any] = {
    "linear": lambda random: {},
    "constant": lambda random: {},
    "constant_with_warmup": lambda random: {},
    "cosine": lambda random: random.choice([{}, {"num_cycles": random.choice([0.25, 1.0, 1.7])}]),
    "cosine_with_restarts": lambda random: {"num_cycles": random.randint(1, 5)},
    "polynomial": lambda random: random.choice([{}, {"power": random.choice([0.5, 2.0, 3]), "lr_end": 1e-6}]),
    "inverse_sqrt": lambda random: random.choice([{}, {"timescale": random.randint(1, 300)}]),
    "cosine_with_min_lr": lambda random: random.choice([{"min_lr": 1e-6}, {"min_lr_rate": "0.1"}]),
    "cosine_warmup_with_min_lr": lambda random: {
        "min_lr_rate": 0.05,
        **random.choice([{}, {"warmup_lr_rate": random.choice([0.0, 0.2])}]),
    },
    "warmup_stable_decay": lambda random: {
        "num_decay_steps": random.randint(0, 50),
        "warmup_type": random.choice(["linear", "cosine", "1-sqrt"]),
        "decay_type": random.choice(["linear", "cosine", "1-sqrt"]),
        "min_lr_ratio": random.choice([0.0, 0.1]),
    },
}


def runs(random: Random) -> Iterator[Native]:
    """Random arguments, lengths in steps or in epochs, warmups in steps or as a share."""
    while True:
        for kind, make in KINDS.items():
            kwargs, lengths, run = make(random), *_lengths(random)
            lr = 10 ** random.uniform(-5, -1)
            total = _updates(lengths, run)
            warmup = random.choice([0, 1, 0.03, 0.1, 0.29, random.randint(0, total // 2), total // 2])
            options = {"learning_rate": lr, "lr_scheduler_type": kind, "warmup_steps": warmup, **lengths}
            if kwargs:
                options["lr_scheduler_kwargs"] = kwargs
            yield Native(kind, Given("hf", options, run=run), _values(kind, lr, warmup, total, kwargs))


def _lengths(random: Random) -> tuple[dict[str, Any], Run]:
    if random.random() < 0.5:
        return {"max_steps": random.randint(150, 400), "num_train_epochs": 3.0}, Run()
    lengths = {
        "num_train_epochs": random.choice([1, 3.0, 1.1, 2.5]),
        "gradient_accumulation_steps": random.randint(1, 7),
    }
    return lengths, Run(batches_per_epoch=random.randint(700, 900))


def _updates(lengths: dict[str, Any], run: Run) -> int:
    args = SimpleNamespace(**{"max_steps": -1, "gradient_accumulation_steps": 1, **lengths})
    trainer = SimpleNamespace(get_total_train_batch_size=lambda args: 1, get_sp_size=lambda: 1, num_examples=len)
    values = Trainer.set_initial_training_values(trainer, args, range(run.batches_per_epoch or 100))
    return int(values[-1])


def _values(kind: str, lr: float, warmup: float, total: int, kwargs: dict[str, Any]) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    steps = TrainingArguments.get_warmup_steps(SimpleNamespace(warmup_steps=warmup), total)
    numbers = {name: float(value) if name == "min_lr_rate" else value for name, value in kwargs.items()}
    scheduler = get_scheduler(kind, optimizer, steps, total, scheduler_specific_kwargs=numbers)
    values = []
    for _ in range(total):
        values.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return values
