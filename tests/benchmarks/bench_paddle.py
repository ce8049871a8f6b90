"""Paddle: `scheduler.step()` beside the native schedulers."""

from __future__ import annotations

import paddle
from paddle.optimizer import lr

import lrcore
import lrcore_paddle
from lrcore import Cosine, Exponential, Linear, Schedule
from tests.benchmarks.measure import Bench, Call, output

STEPS = 10**8  # no measurement comes to the end
MARKS = {"CosineAnnealingDecay": 1.0, "ExponentialDecay": 1.5}  # of which the latter is the cheapest
LIMIT = (
    "ExponentialDecay is one power in one method; the value of a cosine alone takes about as long as the mark allows"
)


def pairs() -> dict[str, tuple[Schedule, lr.LRScheduler]]:
    return {
        "CosineAnnealingDecay": (Cosine(init_value=0.1, decay_steps=STEPS), lr.CosineAnnealingDecay(0.1, STEPS)),
        "LinearLR": (Linear(init_value=0.1, end_value=0.01, decay_steps=STEPS), lr.LinearLR(0.1, STEPS, 1.0, 0.1)),
        "ExponentialDecay": (Exponential(init_value=0.1, decay_rate=0.999999), lr.ExponentialDecay(0.1, 0.999999)),
        "LinearWarmup(CosineAnnealingDecay)": (
            Cosine(init_value=0.1, decay_steps=STEPS).warmup(1000),
            lr.LinearWarmup(lr.CosineAnnealingDecay(0.1, STEPS), 1000, 0.0, 0.1),
        ),
    }


def main() -> None:
    bench = Bench({"lrcore": lrcore.__version__, "paddle": paddle.__version__})
    section, cosine = "Paddle scheduler.step()", pairs()["CosineAnnealingDecay"]
    for name, (schedule, native) in pairs().items():
        ours = lrcore_paddle.LRScheduler(schedule)
        bench.ratio(section, name, Call(ours.step), Call(native.step), MARKS.get(name))
    cheapest = lr.ExponentialDecay(0.1, 0.999999)
    ours = lrcore_paddle.LRScheduler(cosine[0])
    bench.ratio(
        section, "our cosine to ExponentialDecay, Paddle's cheapest", Call(ours.step), Call(cheapest.step), 1.5, LIMIT
    )
    value = Call(cosine[0].at, STEPS // 4)
    bench.ratio(section, "the value of that cosine alone to ExponentialDecay", value, Call(cheapest.step))
    bench.write(output())


if __name__ == "__main__":
    main()
