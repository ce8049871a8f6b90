"""thinc's schedules, resolved by its own registry and asked before each update, as its optimizers ask them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from random import Random
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.records import Given

VERSION = "thinc 9.1.1"


def runs(random: Random) -> Iterator[Native]:
    registry = import_module("thinc.api").registry
    while True:
        for name in (*_OPTIONS, "constant_then"):
            steps = random.randint(20, 400)
            options = _table(name, random, steps)
            try:
                made = registry.resolve({"learn_rate": options})["learn_rate"]
                values = [float(made(step)) for step in range(steps)]
            except ZeroDivisionError:  # thinc cannot compute it
                continue
            source = {"training": {"optimizer": {"@optimizers": "Adam.v1", "learn_rate": options}}}
            yield Native(name, Given("thinc", source, Run(total=steps)), values)


def _table(name: str, random: Random, steps: int) -> dict[str, Any]:
    """A table of [training.optimizer.learn_rate]; one that follows a constant has one of its own inside."""
    if name == "constant_then":
        inner = _table(random.choice(list(_OPTIONS)), random, steps)
        own = {"rate": random.choice([1, 0.01]), "steps": random.choice([0, 1, steps // 2]), "schedule": inner}
    else:
        own = _OPTIONS[name](random, steps)
    return {"@schedules": f"{name}.v1", **own}


_OPTIONS: dict[str, Any] = {
    "constant": lambda random, _steps: {"rate": random.choice([0.1, 1e-5])},
    "decaying": lambda random, _steps: {
        "base_rate": 0.01,
        "decay": random.choice([0.0, 1e-4, 0.5]),
        "t": random.choice([0.0, 3.5]),
    },
    "compounding": lambda random, _steps: {
        "start": random.choice([0.1, 1.0]),
        "stop": random.choice([0.01, 0.1, 4.0]),
        "compound": random.choice([0.99, 1.0, 1.02]),
        "t": random.choice([0.0, 3.5]),
    },
    "slanted_triangular": lambda random, steps: {
        "max_rate": 0.1,
        "num_steps": random.choice([steps, steps // 2, 2 * steps]),
        "cut_frac": random.choice([0.01, 0.1, 0.37, 0.9]),
        "ratio": random.choice([2, 32]),
        "t": random.choice([0.0, 0.0, 5.0]),
    },
    "warmup_linear": lambda random, steps: {
        "initial_rate": 5e-5,
        "warmup_steps": random.choice([0, 1, steps // 10, steps]),
        "total_steps": random.choice([steps, steps // 2, 2 * steps]),
    },
    "cyclic_triangular": lambda random, _steps: {"min_lr": 0.01, "max_lr": 0.2, "period": random.choice([1, 7, 30])},
}
