"""Paddle: `scheduler.step()` beside the native schedulers."""

from __future__ import annotations

from collections.abc import Iterator

import paddle
from paddle.optimizer import lr

import lrcore
import lrcore_paddle
from lrcore import Cosine, Schedule
from tests.benchmarks.measure import Bench, Call, output

STEPS = 10**8  # no measurement comes to the end
MARK = 1.0
LIMIT = (
    "the value alone takes longer than the native: it is exact at any step, or checked where a Python function gives it"
)


def pairs() -> Iterator[tuple[str, Schedule, lr.LRScheduler]]:
    """Yield each native with the schedule that a user would write for it, or that `from_native` makes of it."""
    cosine = Cosine(init_value=0.1, decay_steps=STEPS)
    yield "CosineAnnealingDecay", cosine, lr.CosineAnnealingDecay(0.1, STEPS)
    warmed_up = lr.LinearWarmup(lr.CosineAnnealingDecay(0.1, STEPS), 1_000, 0.0, 0.1)
    yield "LinearWarmup(CosineAnnealingDecay)", cosine.warmup(1_000), warmed_up
    for native in (
        lr.StepDecay(0.1, 1_000, 0.5),
        lr.MultiStepDecay(0.1, [1_000, 2_000, STEPS]),
        lr.PiecewiseDecay([1_000, 2_000, STEPS], [0.1, 0.05, 0.02, 0.01]),
        lr.CosineAnnealingWarmRestarts(0.1, 1_000, 2),
        lr.LinearLR(0.1, STEPS, 1.0, 0.1),
        lr.PolynomialDecay(0.1, STEPS, 0.001, 1.0),
        lr.OneCycleLR(0.1, STEPS),
        lr.CyclicLR(0.01, 0.1, 1_000),
        lr.NoamDecay(512, 4_000),
        lr.ExponentialDecay(0.1, 0.999999),
        lr.NaturalExpDecay(0.1, 1e-6),
        lr.InverseTimeDecay(0.1, 1e-6),
        lr.LambdaDecay(0.1, lambda step: 1 / (step + 1)),
    ):
        yield type(native).__name__, lrcore_paddle.from_native(native), native


def stepped(schedule: Schedule) -> lrcore_paddle.LRScheduler:
    """Return a scheduler after its first step, which looks how the scheduler is used."""
    scheduler = lrcore_paddle.LRScheduler(schedule)
    scheduler.step()
    return scheduler


def main() -> None:
    bench = Bench({"lrcore": lrcore.__version__, "paddle": paddle.__version__})
    section = "Paddle scheduler.step()"
    for name, schedule, native in pairs():
        bench.ratio(section, name, Call(stepped(schedule).step), Call(native.step), MARK, LIMIT)
    cosine, cheapest = Cosine(init_value=0.1, decay_steps=STEPS), Call(lr.ExponentialDecay(0.1, 0.999999).step)
    dearer = "our cosine to ExponentialDecay, Paddle's cheapest"
    bench.ratio(section, dearer, Call(stepped(cosine).step), cheapest, 1.5, LIMIT)
    bench.ratio(section, "the value of that cosine alone to ExponentialDecay", Call(cosine.at, STEPS // 4), cheapest)
    bench.write(output())


if __name__ == "__main__":
    main()
