"""The Model Garden's own schedules, as its OptimizerFactory builds them of a configuration, asked at every update."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.trainers.live.alone import without_top
from tests.trainers.live.native import Native
from tests.trainers.records import Given

without_top("official.modeling.optimization")
from official.modeling.optimization import lr_schedule  # noqa: E402 - its package has no top now

VERSION = "tf-models-official 2.20.0"
UPDATES = 150
DECAYS: dict[str, Any] = {
    "constant": float,
    "stepwise": lr_schedule.PiecewiseConstantDecayWithOffset,
    "polynomial": lr_schedule.PolynomialDecayWithOffset,
    "exponential": lr_schedule.ExponentialDecayWithOffset,
    "cosine": lr_schedule.CosineDecayWithOffset,
    "power": lr_schedule.DirectPowerDecay,
    "power_linear": lr_schedule.PowerAndLinearDecay,
    "power_with_offset": lr_schedule.PowerDecayWithOffset,
    "step_cosine_with_offset": lr_schedule.StepCosineDecayWithOffset,
}
WARMUPS: dict[str, Any] = {"linear": lr_schedule.LinearWarmup, "polynomial": lr_schedule.PolynomialWarmUp}


def runs(random: Random) -> Iterator[Native]:
    """Each decay with and without a warmup, over and over."""
    while True:
        for kind in DECAYS:
            yield run(kind, random)


def run(kind: str, random: Random) -> Native:
    steps = random.choice([1, 13, 40])
    warmup = random.choice(["none", *WARMUPS])
    start = 0 if warmup == "none" else steps
    options = _options(kind, start, random)
    config: dict[str, Any] = {"learning_rate": {"type": kind, kind: options}}
    rate: Any = options["learning_rate"] if kind == "constant" else DECAYS[kind](**options)
    if warmup != "none":
        more = {
            "linear": {"warmup_learning_rate": random.choice([0.0, 0.01])},
            "polynomial": {"power": random.choice([1.0, 2.0])},
        }
        config["warmup"] = {"type": warmup, warmup: {"warmup_steps": steps, **more[warmup]}}
        rate = WARMUPS[warmup](rate, **config["warmup"][warmup])
    last = options["boundaries"][-1] + options["offset"] if kind.startswith("step_cosine") else UPDATES
    values = [rate if isinstance(rate, float) else float(rate(step)) for step in range(min(last, UPDATES))]
    return Native(kind, Given("tf_models", {"optimizer_config": config}, float32=True), values)


def _options(kind: str, start: int, random: Random) -> dict[str, Any]:
    """Options that the class takes; an offset beyond the warmup where the trainer's formula goes on before it."""
    peak, steps = random.choice([0.1, 0.5]), random.choice([30, 120])
    offset = {"offset": random.choice([0, start])}
    later = {"offset": random.choice([0, start, start + 9])}
    power = {"power": random.choice([-0.5, -1.0])}
    boundaries = [random.choice([0, 5]), 40, 90]
    found: dict[str, dict[str, Any]] = {
        "constant": {"learning_rate": peak},
        "stepwise": {"boundaries": [20, 50], "values": [peak, 0.2, 0.01], **later},
        "polynomial": {
            "initial_learning_rate": peak,
            "decay_steps": steps,
            "end_learning_rate": random.choice([0.0, 1e-3]),
            "power": random.choice([1.0, 2.0, 0.5]),
            "cycle": random.choice([False, False, True]),
            **offset,
        },
        "exponential": {
            "initial_learning_rate": peak,
            "decay_steps": steps,
            "decay_rate": random.choice([0.5, 0.9]),
            "staircase": random.choice([False, True]),
            **later,
        },
        "cosine": {"initial_learning_rate": peak, "decay_steps": steps, "alpha": random.choice([0.0, 0.1]), **later},
        "power": {"initial_learning_rate": peak, **power},
        "power_linear": {
            "initial_learning_rate": peak,
            "total_decay_steps": random.choice([100, 140]),
            **power,
            **later,
            "linear_decay_fraction": random.choice([0.1, 0.25, 1.0]),
        },
        "power_with_offset": {
            "initial_learning_rate": peak,
            "pre_offset_learning_rate": random.choice([0.05, 1.0]),
            **power,
            **later,
        },
        "step_cosine_with_offset": {"boundaries": boundaries, "values": [peak, 0.2, 0.01], **offset},
    }
    return found[kind]
