"""The host path: lrcore beside lrsched, the fastest of its kind, and what lrcore's tables cost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lrsched
import numpy as np
import yaml

import lrcore
from lrcore import (
    Clip,
    Clock,
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Product,
    Repeat,
    Schedule,
    Shift,
    Sum,
)
from tests.benchmarks.accuracy import errors, telling_steps
from tests.benchmarks.growth import growth
from tests.benchmarks.measure import Bench, Call, Figure, output, seconds, spread_of

LAST = 2**31 - 1
MILLION = 10**6
EXAMPLE = Path(__file__).parents[2] / "examples/schedule.toml"


def warmup_cosine(steps: int) -> Schedule:
    return Cosine(init_value=0.3, end_value=0.01, decay_steps=steps).warmup(steps // 100)


def their_warmup_cosine(steps: int) -> Callable[[int], float]:
    cosine = lrsched.cosine(base_lr=0.3, min_lr=0.01, total_steps=steps)
    return lrsched.with_warmup(cosine, warmup_steps=steps // 100, start_lr=0.0)


def calls(bench: Bench) -> None:
    """One value of one schedule."""
    section, schedule, theirs = "One value", warmup_cosine(100_000), their_warmup_cosine(100_000)
    bench.cost(section, "schedule(step), warmup and cosine", Call(schedule, 50_000), 0.5)
    bench.ratio(section, "schedule(step) to lrsched", Call(schedule, 50_000), Call(theirs, 50_000), 1.2)
    bench.ratio(section, "schedule.at(step) to lrsched", Call(schedule.at, 50_000), Call(theirs, 50_000), 1.0)
    joined = join(1000)
    bench.cost(section, "a join of 1,000 parts, schedule(step) in the last", Call(joined, 99_950), 2.0)
    endless = Repeat(Cosine(init_value=0.3, end_value=0.01, decay_steps=1000))
    bench.ratio(section, "step 1e9 to step 500 of restarts", Call(endless, 10**9 + 500), Call(endless, 500), 1.2)
    cosine = Cosine(init_value=0.3, end_value=0.01, decay_steps=10**6)
    for what, boundary, tick in (("512 samples an update", 1, 512), ("37 ticks in 100 updates", 100, 37)):
        clock = Clock(cosine, boundaries=[boundary], times=[tick])
        bench.extra(section, f"a clock of {what}, over its schedule", Call(clock, 1_000), Call(cosine, 1_000), 0.15)


def join(pieces: int) -> Schedule:
    return Join([Linear(init_value=1.0, end_value=0.5, decay_steps=100)] * pieces)


def kinds() -> dict[str, tuple[Schedule, Callable[[int], float]]]:
    """A million steps of every kind, and lrsched's schedule of the same or, where it has none, the nearest shape."""
    n, third = MILLION, MILLION // 3

    def function(step: int) -> float:
        return 0.1 / (step + 1)

    cosine, their_cosine = (
        Cosine(init_value=0.3, end_value=0.01, decay_steps=n),
        lrsched.cosine(base_lr=0.3, min_lr=0.01, total_steps=n),
    )
    exponential, their_exponential = (
        Exponential(init_value=0.3, decay_rate=0.9999),
        lrsched.exponential(base_lr=0.3, gamma=0.9999),
    )
    triangle = Repeat(Linear(init_value=0.0, end_value=0.29, decay_steps=2000), mirror=True)
    return {
        "constant": (Constant(0.1), lrsched.constant(lr=0.1)),
        "linear": (Linear(init_value=0.3, end_value=0.01, decay_steps=n), lrsched.linear(base_lr=0.3, end_lr=0.01, total_steps=n)),
        "polynomial": (Polynomial(init_value=0.3, end_value=0.01, decay_steps=n, power=0.9), lrsched.polynomial(base_lr=0.3, end_lr=0.01, total_steps=n, power=0.9)),
        "cosine": (cosine, their_cosine),
        "exponential": (exponential, their_exponential),
        "exponential, stairs": (
            Exponential(init_value=0.3, decay_rate=0.5, decay_steps=third, staircase=True),
            lrsched.step_decay(base_lr=0.3, drop=0.5, step_size=third),
        ),
        "inverse_time": (InverseTime(init_value=0.3, power=0.5), lrsched.inverse_sqrt(base_lr=0.3, warmup_steps=1)),
        "piecewise_constant": (
            PiecewiseConstant(boundaries=[third, 2 * third], values=[0.3, 0.03, 0.003]),
            lrsched.multi_step(base_lr=0.3, milestones=[third, 2 * third], gamma=0.1),
        ),
        "interpolate": (
            Interpolate(boundaries=[0, 0.3 * n, n], values=[0.012, 0.3, 3e-5], shape="cosine"),
            lrsched.one_cycle(max_lr=0.3, total_steps=n, pct_start=0.3, initial_div=25.0, final_div=1e4),
        ),
        "join": (
            Join([Cosine(init_value=0.3, end_value=0.01, decay_steps=third)] * 3),
            lrsched.sequential([(third, lrsched.cosine(base_lr=0.3, min_lr=0.01, total_steps=third))] * 3),
        ),
        "sum of a product": (
            Sum([Constant(0.01), Product([triangle, Exponential(init_value=1.0, decay_rate=0.99999)])]),
            lrsched.exp_range(min_lr=0.01, max_lr=0.3, step_size=2000, gamma=0.99999),
        ),
        "clip": (Clip(exponential, min_value=0.1), their_exponential),
        "shift": (Shift(cosine, steps=1000), their_cosine),
        "repeat": (
            Repeat(Cosine(init_value=0.3, end_value=0.01, decay_steps=1000), length_factor=2),
            lrsched.cosine_restarts(base_lr=0.3, min_lr=0.01, period=1000, t_mult=2),
        ),
        "repeat, mirror": (triangle, lrsched.triangular(min_lr=0.0, max_lr=0.29, step_size=2000)),
        "every": (Every(Cosine(init_value=0.3, end_value=0.01, decay_steps=1000), steps=1000), their_cosine),
        "warmup": (warmup_cosine(n), their_warmup_cosine(n)),
        "cooldown": (
            Constant(0.3).warmup(1000).cooldown(steps=third, start=2 * third, shape="1-sqrt"),
            lrsched.warmup_stable_decay(base_lr=0.3, warmup_steps=1000, decay_steps=third, total_steps=3 * third, final_lr=0.0, warmup_start=0.0, decay_shape="1-sqrt"),
        ),
        "function": (Function(function), function),
    }  # fmt: skip


def arrays(bench: Bench) -> None:
    """All values of a million steps."""
    steps = np.arange(MILLION)
    for name, (schedule, theirs) in kinds().items():
        limit = "a Python function is called once for each step by either" if name == "function" else ""
        sampled = Call(lambda theirs=theirs: lrsched.sample(theirs, num_steps=MILLION))
        bench.speedup("A million values", name, Call(schedule.values, steps), sampled, 10, limit)


def imports(bench: Bench) -> None:
    """The CPU time of fresh processes; both have their bytecode, as what pip installs has."""
    show = f"import sys; sys.argv = ['lrcore', 'show', {str(EXAMPLE)!r}]; from lrcore.show.cli import main; main()"
    for what, code, mark in (("import lrcore", "import lrcore", 50.0), ("lrcore show schedule.toml", show, 300.0)):
        process_time(code)

        def figure(repetitions: int, code: str = code, what: str = what, mark: float = mark) -> Figure:
            over = [process_time(code) - process_time("pass") for _ in range(repetitions)]
            return Figure(
                section="Start",
                what=f"{what}, CPU time over bare Python",
                spread=spread_of([1e3 * one for one in over]),
                unit="ms",
                mark=mark,
            )

        bench.add_twice(figure)


def process_time(code: str) -> float:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], env=env, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def families(steps: int) -> dict[str, Schedule]:
    """Long schedules of the shapes that frameworks have."""
    rate = 3e-4
    rise, fall = (
        Linear(init_value=0.0, end_value=rate, decay_steps=steps // 100),
        Cosine(init_value=rate, decay_steps=steps // 100),
    )
    return {
        "cosine to 0": Cosine(init_value=rate, decay_steps=steps),
        "warmup and cosine": warmup_cosine(steps),
        "linear to 0": Linear(init_value=rate, decay_steps=steps),
        "rise from 0": Linear(init_value=0.0, end_value=rate, decay_steps=steps),
        "polynomial": Polynomial(init_value=rate, decay_steps=steps, power=2),
        "0.9999 ** t": Exponential(init_value=rate, decay_rate=0.9999),
        "1e-6 ** (t / T)": Exponential(init_value=rate, decay_rate=1e-6, decay_steps=steps),
        "inverse square root": InverseTime(init_value=rate, power=0.5).warmup(4000),
        "stable, then 1-sqrt": Constant(rate).warmup(steps // 50).cooldown(steps=steps // 10, start=steps - steps // 10, shape="1-sqrt"),
        "restarts": Repeat(Cosine(init_value=rate, decay_steps=steps // 64), length_factor=2),
        "cyclic": Repeat(Linear(init_value=rate, end_value=5 * rate, decay_steps=steps // 3), mirror=True),
        "one cycle": Interpolate(boundaries=[0, 0.3 * steps - 1, steps - 1], values=[rate / 25, rate, rate / 25e4], shape="cosine"),
        "100 pieces": Join([part for _ in range(50) for part in (rise, fall)]),
    }  # fmt: skip


def host_table(table: Any) -> Callable[[Any], Any]:
    return lambda steps: table.evaluate(np, steps, lambda array, name: array.astype(name))


def tables(bench: Bench) -> None:
    """What lowering takes, and how near a table is."""
    for name, schedule in families(10**9).items():
        begin = time.process_time()
        table = lrcore.lower(schedule)
        took = time.process_time() - begin
        steps = telling_steps(10**9, schedule)
        worst = errors(schedule, steps, host_table(table)(steps)).max()
        bench.number("Tables of 1e9 steps", f"{name}: building", took, "s", 1.0)
        bench.number("Tables of 1e9 steps", f"{name}: size", table.nbytes / 2**20, "MiB", 1.0)
        bench.number("Tables of 1e9 steps", f"{name}: largest error at {steps.size:,} steps", worst, "ulp", 1.0)


def scale(bench: Bench) -> None:
    """Steps from 1e3 to 2**31 - 1, and 1 to 1,000 pieces."""
    lengths = [*(10**exponent for exponent in range(3, 10)), LAST]
    building, error, asking = [], [], []
    for length in lengths:
        schedule = Cosine(init_value=3e-4, decay_steps=length)
        begin = time.process_time()
        table = lrcore.lower(schedule)
        building.append(time.process_time() - begin)
        steps = telling_steps(length, schedule)
        error.append(errors(schedule, steps, host_table(table)(steps)).max())
        asking.append(1e6 * seconds(Call(schedule, length // 2)))
    bench.curve("length-cost", "lrcore: one value, in us", lengths, asking)
    bench.curve("length-cost", "lrcore: building the table, in s of CPU", lengths, building)
    bench.curve("length-error", "lrcore, cosine to 0", lengths, error)

    places = [*(10**exponent for exponent in range(1, 8)), 10**8, 10**9, LAST]
    restarts = Repeat(Cosine(init_value=0.3, end_value=0.01, decay_steps=100_000))
    theirs = lrsched.cosine_restarts(base_lr=0.3, min_lr=0.01, period=100_000, t_mult=1)
    bench.curve("steps", "lrcore, restarts", places, [1e6 * seconds(Call(restarts, step)) for step in places])
    bench.curve("steps", "lrsched, restarts", places, [1e6 * seconds(Call(theirs, step)) for step in places])

    counts = [1, 3, 10, 30, 100, 300, 1000]
    part = lrsched.linear(base_lr=1.0, end_lr=0.5, total_steps=100)
    ours = [1e6 * seconds(Call(join(count), 100 * count - 50)) for count in counts]
    other = [1e6 * seconds(Call(lrsched.sequential([(100, part)] * count), 100 * count - 50)) for count in counts]
    bench.curve("pieces", "lrcore, Python", counts, ours)
    bench.curve("pieces", "lrsched, Python", counts, other)


def main() -> None:
    bench = Bench(
        {
            "lrcore": lrcore.__version__,
            "lrsched": lrsched.__version__,
            "numpy": np.__version__,
            "PyYAML": yaml.__version__,
        }
    )
    for measure in (calls, arrays, imports, tables, scale, growth):
        measure(bench)
    bench.write(output())


if __name__ == "__main__":
    main()
