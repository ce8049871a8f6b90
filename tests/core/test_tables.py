"""Tables hold the host's own values: the same bits where they look up."""

from __future__ import annotations

import numpy as np
import pytest

import lrcore
from lrcore import Constant, Cosine, Every, Function, Linear, PiecewiseConstant, Repeat


def evaluate(table: lrcore.Table, steps: object, dtype: str = "float32") -> np.ndarray:
    return table.evaluate(np, np.asarray(steps), np.ndarray.astype, dtype)


SHORT = {
    "constant": Constant(0.1),
    "warmup and cosine": Cosine(init_value=0.3, end_value=0.01, decay_steps=95).warmup(5),
    "stairs": PiecewiseConstant(boundaries=[10, 50], values=[0.3, 0.2, 0.1]),
    "per epoch": Every(Linear(init_value=1.0, end_value=0.1, decay_steps=7), steps=9),
    "cycles after a warmup": Repeat(Linear(init_value=0.7, end_value=0.1, decay_steps=7)).warmup(5),
    "mirrored": Repeat(Cosine(init_value=0.7, end_value=0.1, decay_steps=9), mirror=True),
    "function": Function(lambda step: 0.1 / (step + 1), horizon=60),
}


@pytest.mark.parametrize("name", SHORT)
def test_a_lookup_holds_the_bits_of_the_host(name: str) -> None:
    schedule = SHORT[name]
    table = lrcore.lower(schedule)
    steps = [*range(200), 2**24 + 1, 2**31 - 1]
    expected = [schedule(step) for step in steps]
    assert table.method == "lookup"
    assert evaluate(table, steps).tolist() == np.float32(expected).tolist()
    assert evaluate(table, steps, "float64").tolist() == expected
