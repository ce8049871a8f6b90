"""The torch scheduler with a rate on the GPU: `capturable` optimizers and CUDA graphs read each new rate."""

from __future__ import annotations

import pytest
import torch

import lrcore_torch
from tests.adapters.torch_loops import DEVICE, SCHEDULE, UPDATES, tensor

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch reports no CUDA device")

WARMING_UP = 3  # the updates before a graph is recorded, as torch's documentation asks for


def weights_of_adam(*, is_capturable: bool, is_recorded: bool) -> list[float]:
    """The weight after each update, with gradients that change."""
    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float64, device=DEVICE))
    gradient = torch.ones_like(weight)
    weight.grad = gradient
    rate = tensor(0.1) if is_capturable else 0.1
    optimizer = torch.optim.Adam([weight], lr=rate, capturable=is_capturable)
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)
    make_update = optimizer.step
    weights = []
    for update in range(UPDATES):
        gradient.fill_(1.0 + update % 3)
        if is_recorded and update == WARMING_UP:
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                optimizer.step()
            make_update = graph.replay
        make_update()
        scheduler.step()
        weights.append(weight.item())
    return weights


def test_a_capturable_optimizer_uses_the_rates_of_an_ordinary_one() -> None:
    ordinary = weights_of_adam(is_capturable=False, is_recorded=False)
    assert weights_of_adam(is_capturable=True, is_recorded=False) == pytest.approx(ordinary, rel=1e-9)


def test_a_recorded_graph_uses_the_rate_of_each_replay_and_not_that_of_its_recording() -> None:
    ordinary = weights_of_adam(is_capturable=False, is_recorded=False)
    assert weights_of_adam(is_capturable=True, is_recorded=True) == pytest.approx(ordinary, rel=1e-9)
