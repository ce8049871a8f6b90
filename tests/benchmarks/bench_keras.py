"""Keras: an update with a schedule in the optimizer, and the error of compiled rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers import schedules

import lrcore
import lrcore_keras
from lrcore import Cosine, Exponential, Linear, Schedule
from tests.benchmarks.accuracy import errors, telling_steps
from tests.benchmarks.measure import Bench, Call, output, use_one_core

RATE = 3e-4
LAST = 2**31 - 1
SOME = 5_000
KERNELS = (
    "a cubic is computed in 32-bit integers, some forty operations of which TensorFlow starts each by itself in a graph"
)
ONCE = "the rate is computed once an update; what remains is the time of the 100 weights, which is the native's own"
DECAYED = 100  # AdamW asks for the rate once for each of them
SGD_MARK, ADAMW_MARK = 1.05, 0.9


def pairs(length: int) -> dict[str, tuple[Schedule, Any]]:
    return {
        "cosine to 0": (Cosine(init_value=RATE, decay_steps=length), schedules.CosineDecay(RATE, length)),
        "linear to 0": (Linear(init_value=RATE, decay_steps=length), schedules.PolynomialDecay(RATE, length, 0.0)),
        "0.9999 ** t": (Exponential(init_value=RATE, decay_rate=0.9999), schedules.ExponentialDecay(RATE, 1, 0.9999)),
    }


MODES: dict[str, Callable[[Any], Any]] = {
    "a graph": tf.function,
    "XLA": tf.function(jit_compile=True),
    "eager": lambda function: function,
}


def update(optimizer: Any, mode: str = "a graph", count: int = 1) -> Callable[[], Any]:
    """One update of `count` weights of 256 numbers by an optimizer."""
    weights = [keras.Variable(np.zeros(256, dtype="float32")) for _ in range(count)]
    optimizer.build(weights)
    gradients = [tf.ones(256)] * count
    return MODES[mode](lambda: optimizer.apply(gradients, weights))


def sgd(rate: Any) -> Any:
    return keras.optimizers.SGD(rate, momentum=0.9)


def compiled(rate: Any, steps: Any, *, jit: bool) -> Any:
    """One rate after another, as the updates of a training loop ask for them."""
    loop = tf.function(lambda counts: tf.map_fn(rate, counts, fn_output_signature=tf.float32), jit_compile=jit)
    return loop(tf.constant(steps, dtype=tf.int32)).numpy()


def costs(bench: Bench) -> None:
    for length, method in ((10**5, "lookup"), (10**6, "cubics")):
        schedule, native = pairs(length)["cosine to 0"]
        rate, what = (
            lrcore_keras.LearningRateSchedule(schedule),
            f"cosine of {length:.0e} steps ({method}) to CosineDecay",
        )
        limit = KERNELS if method == "cubics" else ""
        for mode in MODES:
            both = Call(update(sgd(rate), mode)), Call(update(sgd(native), mode))
            bench.ratio(f"Keras: an update of SGD with momentum in {mode}", what, *both, SGD_MARK, limit)
        for mode in ("a graph", "XLA"):
            both = (
                Call(update(keras.optimizers.AdamW(rate), mode, DECAYED)),
                Call(update(keras.optimizers.AdamW(native), mode, DECAYED)),
            )
            bench.ratio(
                f"Keras: an update of AdamW with {DECAYED} decayed weights in {mode}", what, *both, ADAMW_MARK, ONCE
            )


def accuracy(bench: Bench) -> None:
    for length in (10**6, LAST):
        for name, (schedule, native) in pairs(length).items():
            steps = telling_steps(length, schedule, SOME)
            ours = lrcore_keras.LearningRateSchedule(schedule)
            for who, rate, jit, mark in (
                ("graph", ours, False, 1.0),
                ("XLA", ours, True, 1.0),
                ("native, graph", native, False, None),
            ):
                worst = errors(schedule, steps, compiled(rate, steps, jit=jit)).max()
                what = f"{name}, {length:.3g} steps, {who}: largest error at {steps.size:,} steps"
                bench.number("Keras: compiled values", what, worst, "ulp", mark)


def scale(bench: Bench) -> None:
    """The error of the native rate against the step."""
    length = 10**6
    schedule, native = pairs(length)["cosine to 0"]
    steps = np.arange(length + 1)
    edges = np.linspace(0, length + 1, 201).astype(np.int64)[:-1]
    worst = np.maximum.reduceat(
        errors(schedule, steps, tf.function(native)(tf.constant(steps, tf.int32)).numpy()), edges
    )
    bench.curve("error", "Keras CosineDecay, graph", edges.tolist(), worst.tolist())


def main() -> None:
    use_one_core()
    bench = Bench({"lrcore": lrcore.__version__, "keras": keras.__version__, "tensorflow": tf.__version__})
    for measure in (costs, accuracy, scale):
        measure(bench)
    bench.write(output())


if __name__ == "__main__":
    main()
