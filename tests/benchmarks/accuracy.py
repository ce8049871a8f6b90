"""How far float32 rates are from a schedule's own float64 values, which other tests hold against many digits."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

import lrcore

LAST = 2**31 - 1
TINY = float(np.finfo(np.float32).tiny)


def errors(schedule: lrcore.Schedule, steps: Any, got: Any) -> Any:
    """The distance of each rate from the schedule's, in ulp of float32; below its normal numbers 0 is right."""
    wanted = schedule.values(steps)
    wanted = np.where(np.abs(wanted).astype(np.float32) < TINY, 0.0, wanted)
    got = np.asarray(got, dtype=np.float64)
    ulp = np.ldexp(1.0, np.maximum(np.frexp(wanted)[1], -125) - 24)
    return np.where(wanted == got, 0.0, np.abs(got - wanted) / ulp)


def telling_steps(length: int, schedule: lrcore.Schedule, some: int = 250_000) -> Any:
    """Both ends densely, cuts and their neighbours, where float32 stops counting, and many others."""
    chance = np.random.default_rng(0)
    cuts = [*islice(schedule.timeline.breakpoints(length + 1), 1000)]
    near = np.array([*cuts, 0, 2**24, length, LAST])[:, None] + np.arange(-4, 5)
    spread = np.geomspace(1, length, some).astype(np.int64)
    dense = np.arange(5000)
    steps = (near.ravel(), dense, length - dense, spread, length - spread, chance.integers(0, length + 1, some))
    return np.unique(np.clip(np.concatenate(steps), 0, LAST))
