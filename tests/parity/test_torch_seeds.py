"""The schedulers of the PyTorch tutorial, run live beside their files."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from tests.seeds import TORCH, Seed

EPOCHS = 130
PEAK = 0.1


@pytest.mark.parametrize("seed", TORCH, ids=[seed.call for seed in TORCH])
def test_the_file_gives_the_rates_of_the_native(seed: Seed) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    native: Any = eval(seed.call, {**vars(lr_scheduler), "optimizer": optimizer})
    schedule = seed.schedule
    for epoch in range(EPOCHS):
        # torch multiplies the rate of the step before, and so drifts by a few units in the last place.
        assert schedule(epoch) == pytest.approx(native.get_last_lr()[0], rel=1e-12, abs=1e-15 * PEAK)
        optimizer.step()
        native.step()
