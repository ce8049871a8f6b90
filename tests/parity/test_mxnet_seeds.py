"""The schedulers of the MXNet tutorial, run live beside their files."""

from __future__ import annotations

from typing import Any

import mxnet as mx
import pytest

from tests.seeds import MXNET, Seed

UPDATES = 1500


@pytest.mark.parametrize("seed", MXNET, ids=[seed.call for seed in MXNET])
def test_the_file_gives_the_rates_of_the_native(seed: Seed) -> None:
    native: Any = eval(seed.call, vars(mx.lr_scheduler))
    schedule = seed.schedule
    for step in range(UPDATES):
        assert schedule(step) == pytest.approx(native(step + 1), rel=1e-12, abs=1e-15)
