"""The book's own scheduler classes, in plain Python, beside the files that replace them.

Their formulas are those of the book; where a class there changes itself at every call, its first pass through the steps is
what counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

import lrcore
from tests.seeds import BOOK, MXNET, TORCH, Seed

EPOCHS = 200
UPDATES_PER_EPOCH = 235
EXACT = 1e-12

Scheduler = Callable[[int], float]


def SquareRootScheduler(lr: float) -> Scheduler:
    return lambda t: lr * pow(t + 1.0, -0.5)


def FactorScheduler(factor: float, stop_factor_lr: float, base_lr: float) -> Scheduler:
    rates = [base_lr]
    for _ in range(EPOCHS):
        rates.append(max(stop_factor_lr, rates[-1] * factor))
    return lambda t: rates[t + 1]


def MultiFactorScheduler(step: list[int], factor: float, base_lr: float) -> Scheduler:
    return lambda t: base_lr * math.prod(factor for boundary in step if boundary <= t)


def CosineScheduler(
    max_update: int,
    base_lr: float,
    final_lr: float,
    warmup_steps: int = 0,
    warmup_begin_lr: float = 0.0,
    warmup_mode: str = "linear",
) -> Scheduler:
    def rate(t: int) -> float:
        if t < warmup_steps:
            rise = (base_lr - warmup_begin_lr) * t / warmup_steps
            return warmup_begin_lr + (rise if warmup_mode == "linear" else 0.0)
        done = min(t - warmup_steps, max_update - warmup_steps) / (max_update - warmup_steps)
        return final_lr + (base_lr - final_lr) * (1 + math.cos(math.pi * done)) / 2

    return rate


def ConstantScheduler(lr: float) -> Scheduler:
    return lambda t: lr


def parametrized(seeds: list[Seed]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seed", seeds, ids=[seed.call for seed in seeds])


@parametrized(BOOK)
def test_the_file_gives_the_rates_of_the_class(seed: Seed) -> None:
    scheduler: Scheduler = eval(seed.call, globals())
    schedule = seed.schedule
    for t in range(EPOCHS):
        assert schedule(t) == pytest.approx(scheduler(t), rel=EXACT, abs=0)


@parametrized(BOOK)
def test_the_same_file_drives_each_update_of_an_epoch(seed: Seed) -> None:
    scheduler: Scheduler = eval(seed.call, globals())
    inner = seed.schedule.to_dict()
    schedule = lrcore.from_dict({"kind": "every", "steps": UPDATES_PER_EPOCH, "schedule": inner})
    assert isinstance(schedule, lrcore.Schedule)
    for epoch in range(40):
        first, last = epoch * UPDATES_PER_EPOCH, (epoch + 1) * UPDATES_PER_EPOCH - 1
        assert schedule(first) == schedule(last) == pytest.approx(scheduler(epoch), rel=EXACT, abs=0)


@parametrized([*BOOK, *MXNET, *TORCH])
@pytest.mark.parametrize("format", ["toml", "json", "yaml"])
def test_every_file_can_be_written_in_every_format(seed: Seed, format: str) -> None:  # noqa: A002
    schedule = seed.schedule
    assert lrcore.loads(lrcore.dumps(schedule, format), format) == schedule
