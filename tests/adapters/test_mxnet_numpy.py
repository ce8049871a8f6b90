"""MXNet's numpy arrays, which MXNet 2 uses everywhere: the same loops as with NDArrays, and nothing that MXNet 2 has removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon

import lrcore
import lrcore_mxnet

SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=40)


@pytest.fixture(autouse=True)
def _numpy_arrays() -> Iterator[None]:
    mx.npx.set_np()
    yield
    mx.npx.reset_np()


class Run:
    """A trainer of one weight with gradient 1, on the devices with some numbers."""

    def __init__(self, scheduler: Any, devices: Sequence[int] = (0,)) -> None:
        self.devices = [mx.cpu(number) for number in devices]
        self.weight = gluon.Parameter("weight", shape=(1,), init="zeros")
        self.weight.initialize(None, self.devices)
        self.trainer = gluon.Trainer([self.weight], "sgd", {"lr_scheduler": scheduler, "learning_rate": None})

    def rates(self, count: int) -> list[float]:
        """Make `count` updates and return the rate of each: the weight is set to 0 and moves by minus the rate."""
        found = []
        for _ in range(count):
            self.weight.set_data(mx.np.zeros(1))
            with autograd.record():
                losses = [self.weight.data(device).sum() for device in self.devices]
            autograd.backward(losses)
            self.trainer.step(len(self.devices))
            found.append(0.0 - float(self.weight.list_data()[0].item()))
        return found


def expected(first: int, last: int) -> list[float]:
    return [float(np.float32(SCHEDULE(step))) for step in range(first, last)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
@pytest.mark.parametrize("devices", [(0,), (3,), (0, 1), (2, 3)])
def test_a_run_trains_and_resumes_on_other_devices(devices: tuple[int, ...], tmp_path: Path) -> None:
    path, first = str(tmp_path / "states"), lrcore_mxnet.LRScheduler(SCHEDULE)
    run = Run(first)
    assert run.rates(10) == expected(0, 10)
    assert lrcore_mxnet.native_step(run.trainer) == first.state_dict(run.trainer)["step"] == 10
    run.trainer.save_states(path)

    scheduler = lrcore_mxnet.LRScheduler(SCHEDULE)
    resumed = Run(scheduler, devices)
    resumed.trainer.load_states(path)
    assert resumed.rates(3) == expected(10, 13)
    scheduler.sync(resumed.trainer)
    assert resumed.rates(3) == expected(13, 16)
    scheduler.sync(resumed.trainer, 3)
    assert resumed.rates(3) == expected(3, 6)
    scheduler.load_state_dict(lrcore.save_state(30, SCHEDULE), resumed.trainer)
    assert resumed.rates(3) == expected(30, 33)


def test_a_metric_may_be_a_numpy_array_of_mxnet() -> None:
    scheduler = lrcore_mxnet.LRScheduler(lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=0))
    for _ in range(2):
        scheduler.report(mx.np.array(0.7))
    assert Run(scheduler).rates(1) == [0.25]
