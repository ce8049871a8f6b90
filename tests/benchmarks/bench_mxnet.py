"""MXNet: one call of the scheduler, which the optimizer makes at every update."""

from __future__ import annotations

import mxnet as mx

import lrcore
import lrcore_mxnet
from lrcore import Cosine, Polynomial
from tests.benchmarks.measure import Bench, Call, output

STEPS = 10**6


def main() -> None:
    bench = Bench({"lrcore": lrcore.__version__, "mxnet": mx.__version__})
    section, asked = "MXNet scheduler(num_update)", STEPS // 2
    cosine = lrcore_mxnet.LRScheduler(Cosine(init_value=0.1, decay_steps=STEPS))
    warmed = lrcore_mxnet.LRScheduler(Cosine(init_value=0.1, decay_steps=STEPS).warmup(1000))
    polynomial = lrcore_mxnet.LRScheduler(Polynomial(init_value=0.1, decay_steps=STEPS, power=2))
    native = mx.lr_scheduler
    bench.cost(section, "cosine", Call(cosine, asked), 0.5)
    bench.cost(section, "warmup and cosine", Call(warmed, asked), 0.5)
    bench.ratio(
        section, "cosine to CosineScheduler", Call(cosine, asked), Call(native.CosineScheduler(STEPS, 0.1), asked)
    )
    bench.ratio(
        section, "polynomial to PolyScheduler", Call(polynomial, asked), Call(native.PolyScheduler(STEPS, 0.1), asked)
    )
    bench.write(output())


if __name__ == "__main__":
    main()
