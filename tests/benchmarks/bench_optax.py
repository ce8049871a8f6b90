"""optax: the compiled rate beside the native one: its graph, its cost in an update and in a scan, and its error."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lrcore
import lrcore_optax
from lrcore import Cosine, Exponential, Join, Linear, Schedule
from tests.benchmarks.accuracy import errors, telling_steps
from tests.benchmarks.measure import Bench, Call, Figure, alternating, output, seconds, spread_of, use_one_core

RATE = 3e-4
LAST = 2**31 - 1
SCANNED = 20_000
PART = 2 * 10**6
Rate = Callable[[Any], Any]


def pieces(count: int) -> tuple[Schedule, Rate]:
    """A join of ramps, and what optax has for it."""
    ours = [Linear(init_value=0.1, end_value=1.0 + 1 / part, decay_steps=PART) for part in range(1, count + 1)]
    theirs = [optax.linear_schedule(0.1, 1.0 + 1 / part, PART) for part in range(1, count + 1)]
    return Join(ours), optax.join_schedules(theirs, [PART * part for part in range(1, count)])


def equations(jaxpr: Any) -> int:
    """The equations of a graph and of those inside it."""
    inner = [value for equation in jaxpr.eqns for value in jax.tree.leaves(list(equation.params.values()))]
    graphs = [getattr(value, "jaxpr", value) for value in inner]
    return len(jaxpr.eqns) + sum(equations(one) for one in graphs if hasattr(one, "eqns"))


def scan(rate: Rate) -> Callable[[int], Any]:
    """The sum of the rates of many updates, in one compiled loop."""

    def body(state: tuple[Any, Any], _: None) -> tuple[Any, None]:
        count, total = state
        return (count + 1, total + rate(count)), None

    @jax.jit
    def loop(count: Any) -> Any:
        return jax.lax.scan(body, (count, jnp.float32(0)), None, length=SCANNED)[0][1]

    return lambda first: loop(jnp.int32(first)).block_until_ready()


def update(rate: Rate) -> Callable[[], Any]:
    """One compiled update of 256 weights with momentum."""
    optimizer, weights = optax.sgd(rate, momentum=0.9), jnp.zeros(256)
    state, gradient = optimizer.init(weights), jnp.ones(256)

    @jax.jit
    def step(state: Any, gradient: Any) -> Any:
        updates, state = optimizer.update(gradient, state)
        return updates, state

    return lambda: jax.block_until_ready(step(state, gradient))


def graphs(bench: Bench) -> None:
    """A hundred pieces in one graph."""
    section, (schedule, native) = "optax: 100 pieces", pieces(100)
    rate = lrcore_optax.as_schedule(schedule)
    jax.jit(jnp.sin).lower(jnp.float32(0)).compile()  # the first compilation of a process takes longer
    for name, one, mark in (("lrcore_optax", rate, 100.0), ("optax.join_schedules", native, None)):
        bench.number(
            section, f"{name}: equations", equations(jax.make_jaxpr(one)(jnp.int32(0)).jaxpr), "equations", mark
        )
        begin = time.process_time()
        jax.jit(lambda count, one=one: one(count)).lower(jnp.int32(0)).compile()
        bench.number(section, f"{name}: compilation", time.process_time() - begin, "s of CPU", mark and 1.0)
    per_step(bench, section, "lrcore_optax", rate, 30.0)
    per_step(bench, section, "optax.join_schedules", native, None)


def per_step(bench: Bench, section: str, name: str, rate: Rate, mark: float | None) -> None:
    call = Call(scan(rate), PART)

    def figure(repetitions: int) -> Figure:
        [times] = alternating(call, repetitions=repetitions)
        spread = spread_of([1e9 * one / SCANNED for one in times])
        return Figure(section=section, what=f"{name}: each step in lax.scan", spread=spread, unit="ns", mark=mark)

    bench.add_twice(figure)


def updates(bench: Bench) -> None:
    """A whole jitted update."""
    steps = 10**6
    cases: dict[str, tuple[Schedule, Rate]] = {
        "cosine of 1e5 steps (lookup)": (
            Cosine(init_value=RATE, decay_steps=10**5),
            optax.cosine_decay_schedule(RATE, 10**5),
        ),
        "cosine of 1e6 steps (cubics)": (
            Cosine(init_value=RATE, decay_steps=steps),
            optax.cosine_decay_schedule(RATE, steps),
        ),
        "warmup and cosine": (
            Cosine(init_value=RATE, decay_steps=steps).warmup(1000),
            optax.warmup_cosine_decay_schedule(0.0, RATE, 1000, steps + 1000),
        ),
        "100 pieces": pieces(100),
    }
    for name, (schedule, native) in cases.items():
        ours, theirs = update(lrcore_optax.as_schedule(schedule)), update(native)
        bench.ratio(
            "optax: a jitted update of SGD with momentum",
            name,
            Call(ours),
            Call(theirs),
            1.0,
            CUBICS if "lookup" not in name else LOOKUP,
        )


BILLION = 10**9
LONG: dict[str, tuple[Schedule, Rate]] = {
    "linear of 1e9 steps": (Linear(init_value=RATE, decay_steps=BILLION), optax.linear_schedule(RATE, 0.0, BILLION)),
    "cosine of 1e9 steps": (Cosine(init_value=RATE, decay_steps=BILLION), optax.cosine_decay_schedule(RATE, BILLION)),
    "warmup and cosine of 1e9 steps": (
        Cosine(init_value=RATE, decay_steps=BILLION).warmup(1000),
        optax.warmup_cosine_decay_schedule(0.0, RATE, 1000, BILLION + 1000),
    ),
}


def long_schedules(bench: Bench) -> None:
    """A rate by itself: in the body of a compiled loop, for many counts at once, and without a compilation."""
    for name, (schedule, native) in LONG.items():
        ours = lrcore_optax.as_schedule(schedule)
        bench.ratio(
            "optax: a step in lax.scan", name, Call(scan(ours), PART), Call(scan(native), PART), 2.0, FIXED_POINT
        )
        bench.ratio("optax: vmap over 1e6 counts", name, mapped(ours), mapped(native), 2.0, FIXED_POINT)
        bench.ratio("optax: a rate without a compilation", name, eager(ours), eager(native), 1.0)


def mapped(rate: Rate) -> Call:
    """The rates of a million counts at once."""
    rates, counts = jax.jit(jax.vmap(rate)), jnp.arange(10**6, dtype=jnp.int32) * 900
    return Call(lambda: jax.block_until_ready(rates(counts)))


def eager(rate: Rate) -> Call:
    """The rate of one count, without a compilation."""
    return Call(lambda: jax.block_until_ready(rate(jnp.int32(12_345))))


FIXED_POINT = (
    "a cubic is evaluated in 32-bit integers, which have the same bits in every compilation and on the host: some forty operations "
    "where the native has a dozen in float32, and is up to 1e7 ulp off; the search is one bucket and one comparison"
)
LOOKUP = "a table is one more buffer for each call to hand over, about 0.1 us"
CUBICS = (
    "XLA's CPU compiler makes a kernel of the search in a table of cubics, which is started by itself (about 0.3 us), and none of "
    "the native rate, which is a part of the update's own; in the body of lax.scan it makes one of all"
)


def accuracy(bench: Bench) -> None:
    """The compiled rates of both, against the schedule's own float64."""
    for length in (10**6, 10**9, LAST):
        cases: dict[str, tuple[Schedule, Rate]] = {
            "cosine to 0": (Cosine(init_value=RATE, decay_steps=length), optax.cosine_decay_schedule(RATE, length)),
            "linear to 0": (Linear(init_value=RATE, decay_steps=length), optax.linear_schedule(RATE, 0.0, length)),
            "0.9999 ** t": (Exponential(init_value=RATE, decay_rate=0.9999), optax.exponential_decay(RATE, 1, 0.9999)),
        }
        for name, (schedule, native) in cases.items():
            steps = telling_steps(length, schedule)
            for who, rate, mark in (("lrcore_optax", lrcore_optax.as_schedule(schedule), 1.0), ("optax", native, None)):
                worst = errors(schedule, steps, compiled(rate, steps)).max()
                what = f"{name}, {length:.3g} steps, {who}: largest error at {steps.size:,} steps"
                bench.number("optax: compiled values", what, worst, "ulp", mark)


def compiled(rate: Rate, steps: Any) -> Any:
    return jax.jit(rate)(jnp.asarray(steps, dtype=jnp.int32))


def scale(bench: Bench) -> None:
    """The error against the step and the length, and the cost against the number of pieces."""
    length = 10**6
    steps = np.arange(length + 1)
    schedule, native = Cosine(init_value=RATE, decay_steps=length), optax.cosine_decay_schedule(RATE, length)
    edges = np.linspace(0, length + 1, 201).astype(np.int64)
    for label, rate in (("lrcore_optax, compiled", lrcore_optax.as_schedule(schedule)), ("optax, compiled", native)):
        worst = np.maximum.reduceat(errors(schedule, steps, compiled(rate, steps)), edges[:-1])
        bench.curve("error", label, edges[:-1].tolist(), worst.tolist())

    lengths = [*(10**exponent for exponent in range(3, 10)), LAST]
    worst_of = []
    for length in lengths:
        schedule = Cosine(init_value=RATE, decay_steps=length)
        steps = telling_steps(length, schedule)
        worst_of.append(errors(schedule, steps, compiled(optax.cosine_decay_schedule(RATE, length), steps)).max())
    bench.curve("length-error", "optax, cosine to 0", lengths, worst_of)

    counts = [1, 10, 100, 1000]
    ours = [1e6 * seconds(Call(scan(lrcore_optax.as_schedule(pieces(count)[0])), PART)) / SCANNED for count in counts]
    bench.curve("pieces", "lrcore_optax, in lax.scan", counts, ours)
    few = counts[:3]  # XLA takes minutes for a thousand native pieces
    theirs = [1e6 * seconds(Call(scan(pieces(count)[1]), PART)) / SCANNED for count in few]
    bench.curve("pieces", "optax.join_schedules, in lax.scan", few, theirs)


def main() -> None:
    use_one_core()
    bench = Bench({"lrcore": lrcore.__version__, "optax": optax.__version__, "jax": jax.__version__})
    for measure in (graphs, updates, long_schedules, accuracy, scale):
        measure(bench)
    bench.write(output())


if __name__ == "__main__":
    main()
