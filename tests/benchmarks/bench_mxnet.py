"""MXNet: what an optimizer asks of the scheduler at an update, beside the native schedulers."""

from __future__ import annotations

from collections.abc import Callable

import mxnet as mx

import lrcore
import lrcore_mxnet
from tests.benchmarks.measure import Bench, Call, output

STEPS = 10**6
PARAMETERS = 10  # of a small network: Adam and most others ask once for each
LIMIT = (
    "with one parameter nothing is asked twice; the value is exact near the end, where the native loses its digits, and that "
    "alone takes about as long as the native"
)


def natives() -> dict[str, Callable[[], mx.lr_scheduler.LRScheduler]]:
    native = mx.lr_scheduler
    return {
        "FactorScheduler": lambda: native.FactorScheduler(STEPS // 40, factor=0.9, base_lr=1),
        "MultiFactorScheduler": lambda: native.MultiFactorScheduler([STEPS // 4, STEPS // 2], factor=0.1, base_lr=1),
        "PolyScheduler": lambda: native.PolyScheduler(STEPS, base_lr=1, final_lr=0.01),
        "PolyScheduler with warmup": lambda: native.PolyScheduler(STEPS, base_lr=1, warmup_steps=1000),
        "CosineScheduler": lambda: native.CosineScheduler(STEPS, base_lr=1, final_lr=0.01),
        "CosineScheduler with warmup": lambda: native.CosineScheduler(STEPS, base_lr=1, warmup_steps=1000),
    }


class Updates:
    """What an optimizer asks at its updates, one after the other."""

    def __init__(self, scheduler: Callable[[int], float], parameters: int) -> None:
        self.scheduler, self.parameters, self.made = scheduler, range(parameters), STEPS // 10

    def __call__(self) -> None:
        self.made += 1
        for _ in self.parameters:
            self.scheduler(self.made)


def main() -> None:
    bench = Bench({"lrcore": lrcore.__version__, "mxnet": mx.__version__})
    for name, make in natives().items():
        ours, native = lrcore_mxnet.LRScheduler(lrcore_mxnet.from_native(make())), make()
        section = "MXNet scheduler(num_update)"
        bench.ratio(section, f"{name}, asked again", Call(ours, STEPS // 2), Call(native, STEPS // 2), 1.0)
        for count, what in ((PARAMETERS, f"an update of {PARAMETERS} parameters"), (1, "an update of 1 parameter")):
            mine, theirs = Updates(ours, count), Updates(make(), count)
            bench.ratio(section, f"{name}, {what}", Call(mine), Call(theirs), 1.0, "" if "Factor" in name else LIMIT)
    bench.write(output())


if __name__ == "__main__":
    main()
