"""MLX: an update with a table beside one with a native schedule, and the accuracy of both."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np

import lrcore
import lrcore_mlx
from lrcore import Cosine, Exponential, Linear, Schedule
from tests.benchmarks.accuracy import errors, telling_steps
from tests.benchmarks.measure import Bench, Call, output, use_one_core

RATE = 3e-4
SOME = 5_000
MARK = 1.05
LIMIT = "the native computes a few floating-point operations of the step, the table a gather; a kernel of MLX takes some microseconds"


def pairs(length: int) -> dict[str, tuple[Schedule, Any]]:
    return {
        "cosine to 0": (Cosine(init_value=RATE, decay_steps=length), optim.cosine_decay(RATE, length)),
        "linear to 0": (Linear(init_value=RATE, decay_steps=length), optim.linear_schedule(RATE, 0.0, length)),
        "0.9999 ** t": (Exponential(init_value=RATE, decay_rate=0.9999), optim.exponential_decay(RATE, 0.9999)),
    }


def update(rate: Any, *, compiled: bool) -> Callable[[], Any]:
    """One update of ten weights of 256 numbers by SGD with momentum."""
    optimizer = optim.SGD(rate, momentum=0.9)
    weights = {str(number): mx.zeros(256) for number in range(10)}
    gradients = {name: mx.ones(256) for name in weights}
    optimizer.init(weights)

    def apply() -> Any:
        return optimizer.apply_gradients(gradients, weights)

    step = partial(mx.compile, inputs=optimizer.state, outputs=optimizer.state)(apply) if compiled else apply
    return lambda: mx.eval(step(), optimizer.state)


def costs(bench: Bench) -> None:
    for length, method in ((10**5, "lookup"), (10**6, "cubics")):
        schedule, native = pairs(length)["cosine to 0"]
        rate, what = lrcore_mlx.as_schedule(schedule), f"cosine of {length:.0e} steps ({method}) to cosine_decay"
        for compiled in (True, False):
            section = f"MLX: an update of SGD with momentum, {'compiled' if compiled else 'eager'}"
            ours, theirs = (Call(update(one, compiled=compiled)) for one in (rate, native))
            bench.ratio(section, what, ours, theirs, MARK, LIMIT)


def accuracy(bench: Bench) -> None:
    for length in (10**6, 2**31 - 1):
        for name, (schedule, native) in pairs(length).items():
            steps = telling_steps(length, schedule, SOME)
            counts = mx.array(steps.astype(np.uint64))
            for who, rate, mark in (("compiled", lrcore_mlx.as_schedule(schedule), 1.0), ("native", native, None)):
                worst = errors(schedule, steps, np.array(mx.compile(rate)(counts))).max()
                what = f"{name}, {length:.3g} steps, {who}: largest error at {steps.size:,} steps"
                bench.number("MLX: values", what, worst, "ulp", mark)


def main() -> None:
    use_one_core()
    bench = Bench({"lrcore": lrcore.__version__, "mlx": mx.__version__})
    costs(bench)
    accuracy(bench)
    bench.write(output())


if __name__ == "__main__":
    main()
