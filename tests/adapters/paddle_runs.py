"""Runs in Paddle that measure the weights: with SGD and gradient 1 a weight moves by the learning rate."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import paddle

import lrcore
from tests.kinds import KINDS, UPDATES

SCHEDULE = KINDS["cosine"]
OTHER = lrcore.Constant(0.25)
PLATEAU = lrcore.Plateau(SCHEDULE, factor=0.5, patience=1)
LOSSES = [0.9, 0.8, 0.85, 0.81, 0.82, 0.7, 0.75, 0.74, 0.73, 0.72]  # one report after every six updates


def falling(step: int) -> float:
    """A user's schedule function that can be pickled."""
    return 0.1 / (step + 3)


def float32(value: float) -> float:
    return float(np.float32(value))


def expected(schedule: lrcore.Schedule, first: int = 0, last: int = UPDATES) -> list[float]:
    return [float32(schedule(step)) for step in range(first, last)]


def new_weight() -> Any:
    return paddle.create_parameter([], "float32", default_initializer=paddle.nn.initializer.Constant(0.0))


class Run:
    """A weight trained with gradient 1. Every run has the same parameter names, as runs in several processes have."""

    def __init__(self, scheduler: Any, optimizer: Any = paddle.optimizer.SGD, **options: Any) -> None:
        self.scheduler = scheduler
        self.names = paddle.base.unique_name.UniqueNameGenerator()
        with paddle.utils.unique_name.guard(self.names):
            self.weight = new_weight()
            self.optimizer = optimizer(scheduler, parameters=[self.weight], **options)

    def update(self) -> None:
        (self.weight * 1.0).backward()
        with paddle.utils.unique_name.guard(self.names):
            self.optimizer.step()
        self.optimizer.clear_grad()

    def weights(self, count: int) -> list[float]:
        """Make `count` updates and return the weight after each."""
        found = []
        for _ in range(count):
            self.update()
            found.append(self.weight.item())
            self.scheduler.step()
        return found

    def rates(self, count: int) -> list[float]:
        """Make `count` updates and return the learning rate of each: the weight is set to 0 and moves by minus the rate."""
        found = []
        for _ in range(count):
            self.weight.set_value(paddle.zeros([]))
            found.append(0.0 - self.weights(1)[0])
        return found


def in_new_process(function: Any, *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def train_on_plateau(run: Run, first: int = 0, last: int = len(LOSSES)) -> list[float]:
    found = []
    for loss in LOSSES[first:last]:
        found += run.rates(6)
        run.scheduler.report(loss)
    return found


class Rates(paddle.callbacks.Callback):
    """A callback that records the rate of each batch: it sets the weight to 0 before, and the weight moves by minus the rate."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[float] = []

    def on_train_batch_begin(self, step: int, logs: Any = None) -> None:
        model: Any = self.model
        model.network.weight.set_value(paddle.zeros([]))

    def on_train_batch_end(self, step: int, logs: Any = None) -> None:
        model: Any = self.model
        self.found.append(0.0 - model.network.weight.item())


class Network(paddle.nn.Layer):
    """A network of one weight with gradient 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = new_weight()

    def forward(self, data: Any) -> Any:
        return self.weight * data.sum()


def fit(scheduler: Any, batches: int, *callbacks: Any, **options: Any) -> list[float]:
    """Train with `Model.fit` and return how far each batch moved the weight."""
    network, rates = Network(), Rates()
    model = paddle.Model(network)
    model.prepare(paddle.optimizer.SGD(scheduler, parameters=network.parameters()), lambda out, _: out)
    data = paddle.io.TensorDataset([paddle.ones([batches, 1]), paddle.ones([batches, 1])])
    model.fit(data, batch_size=1, verbose=0, callbacks=[*callbacks, rates], **options)
    return rates.found


DYADIC = lrcore.Linear(init_value=1.0, decay_steps=64)  # float32 holds its values and their sums exactly
