"""What TensorFlow computes of long schedules, in a graph and under XLA: within an ulp of float32."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

import lrcore_keras
from tests.accuracy import LONG, error, telling_steps

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("name", LONG)
def test_steps_of_a_long_schedule_asked_one_by_one(name: str, jit_compile: bool) -> None:
    steps = telling_steps(LONG[name], 4_000)
    rate = lrcore_keras.LearningRateSchedule(LONG[name])

    @tf.function(jit_compile=jit_compile)
    def ask(steps: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(rate, steps, fn_output_signature=tf.float32)

    rates = ask(tf.constant(steps, dtype=tf.int64)).numpy()
    assert error(LONG[name], steps, rates).max() <= 1
    assert not np.isnan(rates).any()
    assert (rates >= 0).all()
