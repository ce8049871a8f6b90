"""Paddle's own schedules, built as PaddleClas builds them: its releases on the package index do not have that file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from random import Random
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "PaddleClas d178931f, written again over paddle 3.3.1"


def runs(random: Random) -> Iterator[Native]:
    while True:
        for name, make in _MAKERS.items():
            epochs, epoch, by_epoch = random.randint(5, 12), random.randint(2, 15), random.random() < 0.3
            warmup = random.choice(
                [0, 0, 1, 2, epochs] + ([1.5] if name in ("Step", "ConstLR") and not by_epoch else [])
            )
            if name == "CosineFixmatch" or (name == "Linear" and by_epoch):  # whose warmup by epochs is a bug
                warmup = 0
            unit = 1 if by_epoch else epoch
            own, native, top = make(random, unit, epochs - warmup, epochs * epoch)
            native = _warmed(native, round(warmup * unit), top)
            values, updates = [], epochs * epoch
            for update in range(1, updates + 1):
                values.append(float(native.last_lr))
                if not by_epoch or update % epoch == 0:
                    native.step()
            lengths = {"warmup_epoch": warmup, "warmup_start_lr": 0.001} if warmup else {}
            table = {"name": name, "by_epoch": by_epoch, **own, **lengths}
            source = {"Global": {"epochs": epochs}, "Optimizer": {"name": "Momentum", "lr": table}}
            yield Native(name, Given("paddleclas", source, Run(batches_per_epoch=epoch)), values)


def _warmed(native: Any, steps: int, top: float) -> Any:
    from paddle.optimizer import lr

    return lr.LinearWarmup(native, steps, 0.001, top) if steps else native


def _made(name: str, options: dict[str, Any], top: float, **native: Any) -> tuple[dict[str, Any], Any, float]:
    from paddle.optimizer import lr

    return options, getattr(lr, name)(**native), top


def _constant(random: Random, unit: int, rest: float, total: int) -> Any:
    return _made("LambdaDecay", {"learning_rate": 0.1}, 0.1, learning_rate=0.1, lr_lambda=lambda _: 1.0)


def _cosine(random: Random, unit: int, rest: float, total: int) -> Any:
    if not rest:
        return _constant(random, unit, rest, total)
    own = {"learning_rate": 0.1, "eta_min": random.choice([0.0, 0.01])}
    return _made("CosineAnnealingDecay", own, 0.1, **own, T_max=int(rest * unit))


def _linear(random: Random, unit: int, rest: float, total: int) -> Any:
    if not rest:
        return _constant(random, unit, rest, total)
    own = {"learning_rate": 0.1, "end_lr": 0.002, "power": random.choice([1.0, 2.0]), "cycle": random.random() < 0.3}
    return _made("PolynomialDecay", own, 0.1, **own, decay_steps=int(rest * unit))


def _step(random: Random, unit: int, rest: float, total: int) -> Any:
    width = random.choice([1, 2] + ([2.4] if unit > 1 else []))
    own = {"learning_rate": 0.1, "gamma": random.choice([0.97, 0.1])}
    return _made("StepDecay", {**own, "step_size": width}, 0.1, **own, step_size=int(width * unit))


def _piecewise(random: Random, unit: int, rest: float, total: int) -> Any:
    own = {"decay_epochs": [2, 5], "values": [0.1, 0.01, 0.005]}
    return _made("PiecewiseDecay", own, 0.1, boundaries=[2 * unit, 5 * unit], values=own["values"])


def _multi_step(random: Random, unit: int, rest: float, total: int) -> Any:
    own = {"learning_rate": 0.1, "gamma": 0.3}
    return _made("MultiStepDecay", {**own, "milestones": [1, 4]}, 0.1, **own, milestones=[unit, 4 * unit])


def _cyclic(random: Random, unit: int, rest: float, total: int) -> Any:
    own = {
        "base_learning_rate": 0.01,
        "max_learning_rate": 0.1,
        "step_size_up": random.choice([3, 10]),
        "step_size_down": random.choice([None, 5]),
        "mode": random.choice(["triangular", "triangular2", "exp_range"]),
        "exp_gamma": 0.99,
    }
    return _made("CyclicLR", own, 0.01, **own)


def _one_cycle(random: Random, unit: int, rest: float, total: int) -> Any:
    own = {
        "max_learning_rate": 0.1,
        "divide_factor": random.choice([25.0, 10.0]),
        "end_learning_rate": 1e-5,
        "phase_pct": 0.3,
        "anneal_strategy": random.choice(["cos", "linear"]),
    }
    return _made("OneCycleLR", own, 0.1, **own, total_steps=total)


def _fixmatch(random: Random, unit: int, rest: float, total: int) -> Any:
    warmup, cycles = random.choice([0, 3]), random.choice([7 / 16, 1.0, 1.8])

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        return max(0.0, math.cos(math.pi * cycles * (step - warmup) / max(1, total - warmup)))

    own = {"learning_rate": 0.1, "num_warmup_steps": warmup, "num_cycles": cycles}
    return _made("LambdaDecay", own, 0.1, learning_rate=0.1, lr_lambda=factor)


_MAKERS = {
    "ConstLR": _constant,
    "Cosine": _cosine,
    "Linear": _linear,
    "Step": _step,
    "Piecewise": _piecewise,
    "MultiStepDecay": _multi_step,
    "Cyclic": _cyclic,
    "OneCycleLR": _one_cycle,
    "CosineFixmatch": _fixmatch,
}
