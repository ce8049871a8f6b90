"""Random logs of schedules that people train with, and the score of what `infer` makes of them.

A run is a form (constant, linear, cosine, polynomial, exponential, inverse square root, stairs; each without or with a linear
warmup; warmup-stable-decay, one-cycle, restarts, per epoch), numbers as people choose them, and the updates that were logged.
Drawn with a seed, so that the seeds that were tuned on and the seeds that are reported can be kept apart.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import lrcore
from lrcore import Schedule
from lrcore.checks.log import Log
from lrcore.checks.logs import read_log

Draw = random.Random
RELATIVE = 1e-9  # two rates that differ by less are the same: a log of full digits tells more


@dataclass(frozen=True)
class Drawn:
    """A schedule, and what a run of it wrote down.

    Attributes:
        form: the name of the form, `+warmup` where one precedes it.
        density: which updates were logged.
        digits: significant digits that were written; None for all.
        lag: row n shows the rate of update n - lag.
        schedule: what was trained with.
        steps: the rows' steps.
    """

    form: str
    density: str
    digits: int | None
    lag: int
    schedule: Schedule
    steps: NDArray[np.int64]

    def log(self) -> Log:
        """What the run wrote."""
        values = self.schedule.values(self.steps - self.lag)
        if self.digits is not None:
            values = np.array([float(f"{value:.{self.digits - 1}e}") for value in values])
        return read_log((self.steps, values))


def draw(seed: int, digits: bool = False) -> Drawn:
    """One run; with `digits`, of a log of 4 to 8 digits."""
    rng = random.Random(seed)
    form = rng.choice(list(FORMS))
    density = rng.choice(["every update", "every 10", "every 50", "irregular"])
    points = round(20 * 75 ** rng.random())
    steps = _steps(rng, density, points)
    lag = rng.choice([0, 1])
    if lag and steps[0] == 0:
        steps = steps + 1
    total = _length(rng, (steps[-1] + 1) / rng.choice([1.0, 1.0, rng.uniform(0.4, 0.95), rng.uniform(1.05, 1.3)]))
    warmup = _warmup(rng, total) if form in WITH_WARMUP and rng.random() < 0.5 else None
    body = FORMS[form](rng, total - warmup.steps if warmup else total)
    schedule = body.warmup(warmup.steps, init_value=warmup.share * body(0)) if warmup else body
    name = f"{form} + warmup" if warmup else form
    return Drawn(name, density, rng.randint(4, 8) if digits else None, lag, schedule, steps)


def score(drawn: Drawn, schedule: Schedule | None, lag: int) -> str:
    """`exact`, `wrong` or `declined`: a schedule is right if it gives the rate of every update between the logged ones.

    Args:
        drawn: the run.
        schedule: what was inferred from its log.
        lag: the clock that was inferred with it.
    """
    if schedule is None:
        return "declined"
    rows = np.arange(drawn.steps[0], drawn.steps[-1] + 1)
    true, found = drawn.schedule.values(rows - drawn.lag), schedule.values(np.maximum(rows - lag, 0))
    near_zero = 1e-15 * np.abs(true).max()  # where a rate is the difference of two larger ones
    relative = RELATIVE if drawn.digits is None else 10.0 ** (1 - drawn.digits)
    return "exact" if np.all(np.abs(found - true) <= relative * np.abs(true) + near_zero) else "wrong"


# --- what was logged --------------------------------------------------------------------------------------------------


def _steps(rng: Draw, density: str, points: int) -> NDArray[np.int64]:
    if density == "irregular":
        return np.array(sorted(rng.sample(range(points * rng.randint(3, 60)), points)), dtype=np.int64)
    gap = {"every update": 1, "every 10": 10, "every 50": 50}[density]
    first = rng.choice([0, gap])
    return np.arange(points, dtype=np.int64) * gap + first


# --- numbers as people choose them ------------------------------------------------------------------------------------


def _length(rng: Draw, about: float) -> int:
    """A number of updates: round more often than not."""
    digits = rng.choice([1, 2, 2, 3, 9])
    return max(4, round(float(f"{about:.{digits - 1}e}")))


def _peak(rng: Draw) -> float:
    digits = rng.choice(["1", "1", "2", "3", "3", "4", "5", "6", "8", "1.5", "2.5", "1.2", "6.5", "2.75", "1.337"])
    return float(f"{digits}e{rng.randint(-5, -1)}")


def _end(rng: Draw, peak: float) -> float:
    """The last value: 0, a share of the peak, or a number of its own."""
    odd = float(f"{rng.choice(['1', '2.7', '5', '8.3'])}e{math.floor(math.log10(peak)) - rng.randint(1, 4)}")
    return rng.choice([0.0, 0.0, float(f"{peak / 10:.12g}"), float(f"{peak / 100:.12g}"), odd])


@dataclass(frozen=True)
class _Warmup:
    steps: int
    share: float  # of the peak at step 0


def _warmup(rng: Draw, total: int) -> _Warmup:
    fixed = [steps for steps in (10, 50, 100, 500, 1_000, 2_000, 4_000) if total / 50 <= steps <= total / 3]
    share = max(1, round(total * rng.choice([0.01, 0.02, 0.03, 0.05, 0.06, 0.1, 0.1, 0.2])))
    steps = rng.choice([*fixed, share, share])
    return _Warmup(steps, rng.choice([0.0, 0.0, 0.0, 0.001, 0.1]))


# --- forms ------------------------------------------------------------------------------------------------------------


def _constant(rng: Draw, total: int) -> Schedule:
    return lrcore.Constant(_peak(rng))


def _linear(rng: Draw, total: int) -> Schedule:
    peak = _peak(rng)
    return lrcore.Linear(init_value=peak, end_value=_end(rng, peak), decay_steps=total)


def _cosine(rng: Draw, total: int) -> Schedule:
    peak = _peak(rng)
    return lrcore.Cosine(init_value=peak, end_value=_end(rng, peak), decay_steps=total)


def _polynomial(rng: Draw, total: int) -> Schedule:
    peak, power = _peak(rng), rng.choice([0.5, 0.9, 1.5, 2.0, 2.0, 3.0])
    return lrcore.Polynomial(init_value=peak, end_value=_end(rng, peak), decay_steps=total, power=power)


def _exponential(rng: Draw, total: int) -> Schedule:
    rate = rng.choice([0.5, 0.9, 0.95, 0.96, 0.97, 0.1])
    period = _length(rng, max(1.0, total * math.log(rate) / math.log(rng.choice([0.3, 0.1, 0.01]))))
    return lrcore.Exponential(init_value=_peak(rng), decay_rate=rate, decay_steps=period)


def _inverse_sqrt(rng: Draw, total: int) -> Schedule:
    scale = _length(rng, total * rng.choice([0.01, 0.05, 0.1, 0.3]))
    return lrcore.InverseTime(init_value=_peak(rng), decay_steps=scale, power=0.5)


def _stairs(rng: Draw, total: int) -> Schedule:
    peak, factor = _peak(rng), rng.choice([0.1, 0.1, 0.5, 0.2, 0.3])
    if rng.random() < 0.5:
        period = _length(rng, total / rng.randint(2, 8))
        return lrcore.Exponential(init_value=peak, decay_rate=factor, decay_steps=period, staircase=True)
    shares = rng.choice([(0.5,), (0.5, 0.75), (0.6, 0.8), (0.3, 0.6, 0.9), (0.8, 0.9)])
    boundaries = [round(total * share) for share in shares]
    values = [peak * factor**count for count in range(len(shares) + 1)]
    return lrcore.PiecewiseConstant(boundaries=boundaries, values=values)


def _warmup_stable_decay(rng: Draw, total: int) -> Schedule:
    peak, warmup = _peak(rng), _warmup(rng, total)
    decay = max(2, round(total * rng.choice([0.1, 0.2, 0.2, 0.3])))
    shape = rng.choice(["linear", "linear", "cosine", "1-sqrt"])
    return lrcore.warmup_stable_decay(
        peak_value=peak,
        total_steps=total,
        warmup_steps=warmup.steps,
        decay_steps=min(decay, total - warmup.steps),
        end_value=_end(rng, peak),
        shape=shape,  # type: ignore[arg-type]
    )


def _one_cycle(rng: Draw, total: int) -> Schedule:
    peak, division = _peak(rng), rng.choice([25.0, 25.0, 10.0])
    return lrcore.one_cycle(
        init_value=peak / division,
        peak_value=peak,
        end_value=peak / division / rng.choice([1e4, 1e4, 100.0]),
        total_steps=max(total, 10),
        pct_start=rng.choice([0.3, 0.3, 0.25, 0.1, 0.4, 0.5]),
        shape=rng.choice(["cosine", "cosine", "linear"]),  # type: ignore[arg-type]
    )


def _restarts(rng: Draw, total: int) -> Schedule:
    peak, growth = _peak(rng), rng.choice([1, 1, 2])
    cycles = rng.randint(2, 6) if growth == 1 else rng.choice([3, 7])
    cycle = lrcore.Cosine(init_value=peak, end_value=_end(rng, peak), decay_steps=_length(rng, total / cycles))
    return lrcore.Repeat(cycle, length_factor=growth)


def _per_epoch(rng: Draw, total: int) -> Schedule:
    epochs = rng.choice([5, 10, 20, 30, 50, 90, 100])
    inner = rng.choice([_linear, _cosine, _exponential])(rng, epochs)
    return lrcore.Every(inner, steps=max(1, _length(rng, total / epochs) if total > 8 * epochs else total // epochs))


FORMS: dict[str, Callable[[Draw, int], Schedule]] = {
    "constant": _constant,
    "linear": _linear,
    "cosine": _cosine,
    "polynomial": _polynomial,
    "exponential": _exponential,
    "inverse square root": _inverse_sqrt,
    "stairs": _stairs,
    "warmup-stable-decay": _warmup_stable_decay,
    "one-cycle": _one_cycle,
    "restarts": _restarts,
    "per epoch": _per_epoch,
}
WITH_WARMUP = ("constant", "linear", "cosine", "polynomial", "exponential", "inverse square root", "stairs")
