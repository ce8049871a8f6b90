"""Long schedules on the backend of this process, compiled as Keras compiles: errors are within one ulp of float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

import lrcore_keras
from tests.accuracy import LONG, error, telling_steps

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

BACKEND = keras.config.backend()


def _compilers() -> dict[str, Callable[[Any], Any]]:
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return {"graph": tf.function, "xla": tf.function(jit_compile=True)}
    if BACKEND == "jax":
        import jax

        return {"jit": jax.jit}
    return {"eager": lambda function: function}


COMPILERS = _compilers()


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", LONG)
def test_rates_of_half_a_million_steps_are_within_one_ulp(name: str, compiler: str) -> None:
    """Evaluate a thousand steps at a time, since XLA compares every step with every piece at once."""
    steps = telling_steps(LONG[name], 400_000)
    assert len(steps) >= 500_000
    check(name, np.resize(steps, (len(steps) // 1000 + 1, 1000)), compiler)


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", LONG)
def test_rates_of_single_steps_are_within_one_ulp(name: str, compiler: str) -> None:
    """Evaluate scalars, as an optimizer does: compilers generate other code for a scalar than for an array."""
    check(name, telling_steps(LONG[name], 1_000), compiler)


def check(name: str, steps: Any, compiler: str) -> None:
    """Evaluate one row of steps after another and check the errors."""
    rate = lrcore_keras.LearningRateSchedule(LONG[name])
    ask = COMPILERS[compiler](lambda steps: keras.ops.map(rate, steps))
    integer = "int64" if BACKEND == "tensorflow" else "int32"  # the dtype of the optimizers' counters
    rates = keras.ops.convert_to_numpy(ask(keras.ops.convert_to_tensor(steps, dtype=integer)))
    assert error(LONG[name], steps, rates).max() <= 1
    assert not np.isnan(rates).any()
    assert (rates >= 0).all()
