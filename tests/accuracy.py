"""Long schedules and the steps at which a table of them is judged, for every framework that compiles."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from lrcore import Cosine, Exponential, InverseTime, Join, Linear, Polynomial, Schedule

LAST = 2**31 - 1
BILLION = 10**9
TINY = float(np.finfo(np.float32).tiny)
LARGEST = float(np.finfo(np.float32).max)

LONG: dict[str, Schedule] = {
    "warmup and cosine": Cosine(init_value=3e-4, end_value=0.0, decay_steps=BILLION - 2_000).warmup(2_000),
    "cosine to a floor": Cosine(init_value=3e-4, end_value=3e-5, decay_steps=BILLION),
    "linear rise": Linear(init_value=0.0, end_value=3e-4, decay_steps=LAST),
    "square": Polynomial(init_value=3e-4, end_value=0.0, decay_steps=BILLION, power=2.0),
    "exponential": Exponential(init_value=3e-4, decay_rate=0.9999),
    "inverse square root": InverseTime(init_value=3e-4, decay_steps=10_000, power=0.5),
    "down to float32's smallest": Linear(init_value=1e-36, end_value=0.0, decay_steps=BILLION),
    "a hundred pieces": Join(
        [
            kind(init_value=3e-4, end_value=3e-6 * number, decay_steps=10**7)
            for number in range(50)
            for kind in (Cosine, Linear)
        ]
    ),
}
MILLION: dict[str, Schedule] = {
    "cosine": Cosine(init_value=3e-4, end_value=0.0, decay_steps=10**6),
    "linear rise": Linear(init_value=0.0, end_value=3e-4, decay_steps=10**6),
    "restless": Join([Cosine(init_value=3e-4, end_value=3e-6, decay_steps=10**4) for _ in range(100)]),
}


def telling_steps(schedule: Schedule, count: int) -> Any:
    """Both ends, every breakpoint and its neighbours, steps around 2**24, and random steps: about `count`."""
    end = min(schedule.length or LAST, LAST - 1)
    random = np.random.default_rng(0).integers(0, end, count)
    logarithmic = np.geomspace(1, end, count // 4).astype(np.int64)
    cuts = np.array(list(islice(schedule.timeline.breakpoints(end), 10_000)), dtype=np.int64)
    special = np.concatenate([cuts + offset for offset in (-1, 0, 1)] + [2**24 + np.arange(-4, 5)])
    ends = np.concatenate([np.arange(count // 8), end - np.arange(count // 8)])
    steps = np.concatenate([random, logarithmic, special, ends, [end, end + 1]])
    return np.unique(steps[(steps >= 0) & (steps <= end + 1)])


def error(schedule: Schedule, steps: Any, got: Any) -> Any:
    """How far values are from the schedule's own, in ulp of float32; below its normal numbers 0 is wanted."""
    wanted = schedule.values(steps).clip(-LARGEST, LARGEST)
    wanted = np.where(np.abs(wanted).astype(np.float32) < TINY, 0.0, wanted)
    distance = np.abs(np.asarray(got, dtype=np.float64) - wanted) / np.ldexp(1.0, np.frexp(wanted)[1] - 24)
    return np.where(wanted == got, 0.0, distance)
