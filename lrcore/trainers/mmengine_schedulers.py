"""What each of mmengine's schedulers does with the rate; mmengine/optim/scheduler/param_scheduler.py."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from lrcore.configs.options import Options
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Shift,
)
from lrcore.schedules.recipes import one_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.acting import Acting, Curve, Factor
from lrcore.trainers.idioms import held

ENDLESS = 10**9  # as in mmengine


class Window(NamedTuple):
    """When a scheduler acts, and on what."""

    options: Options
    start: int
    period: int
    steps: int
    stretch: int
    base: float
    by_epoch: bool

    @property
    def last(self) -> int:
        return self.steps - 1

    def timing(self, name: str) -> tuple[str, int, int, int, bool]:
        return name, self.start, self.period, self.last, self.by_epoch

    def whole(self, name: str, default: Any = None, **limits: int) -> int:
        """A length in steps, which are batches where the scheduler was converted."""
        found: int = self.options.whole(name, **({} if default is None else {"default": default}), **limits)
        return found * self.stretch

    def floor(self) -> float | None:
        """The floor of a curve: an absolute one, or a ratio of the optimizer's value."""
        lowest = self.options.number("eta_min", default=None)
        ratio = self.options.number("eta_min_ratio", default=None)
        if lowest is not None and ratio is not None:
            raise self.options.error("eta_min_ratio", f"expected none beside eta_min; got {ratio!r}")
        return float(lowest) if lowest is not None else None if ratio is None else self.base * float(ratio)


# --- factors ----------------------------------------------------------------------------------------------------------


def _linear(window: Window) -> Acting:
    first = window.options.number("start_factor", default=1 / 3, above=0)
    last = window.options.number("end_factor", default=1.0, least=0)
    for name, factor in (("start_factor", first), ("end_factor", last)):
        if factor > 1:
            raise window.options.error(name, f"expected a number <= 1; got {factor!r}")
    steps = window.last

    def act(value: float, step: int) -> float:
        done = steps * first + (step - 1) * (last - first)
        return float(value * first if step == 0 else value * (1 + (last - first) / done))

    def curve(scale: float) -> Schedule:
        if steps == 0:
            return Constant(scale * first)
        return Linear(init_value=scale * first, end_value=scale * last, decay_steps=steps)

    return Factor(*window.timing("LinearLR"), act, curve=curve)


def _constant(window: Window) -> Acting:
    factor = window.options.number("factor", default=1 / 3, above=0)
    if factor > 1:
        raise window.options.error("factor", f"expected a number <= 1; got {factor!r}")
    steps = window.last

    def act(value: float, step: int) -> float:
        return float(value * factor if step == 0 else value / factor if step == steps else value)

    def curve(scale: float) -> Schedule:
        if steps == 0:
            return Constant(scale * factor)
        return PiecewiseConstant(boundaries=[steps], values=[scale * factor, scale])

    return Factor(*window.timing("ConstantLR"), act, curve=curve, ticks=(0, steps))


def _multi_step(window: Window) -> Acting:
    gamma = window.options.number("gamma", default=0.1)
    counts = Counter(one * window.stretch for one in window.options.wholes("milestones"))
    counts = Counter({step: count for step, count in counts.items() if 0 <= step <= window.last})
    steps = sorted(counts)

    def curve(scale: float) -> Schedule:
        values = [scale * gamma ** sum(counts[one] for one in steps[:number]) for number in range(len(steps) + 1)]
        return PiecewiseConstant(boundaries=steps, values=values)

    return Factor(
        *window.timing("MultiStepLR"), lambda value, step: value * gamma ** counts[step], curve=curve, ticks=steps
    )


def _step(window: Window) -> Acting:
    gamma, size = window.options.number("gamma", default=0.1), window.whole("step_size", least=1)

    def curve(scale: float) -> Schedule:
        return _until(Exponential(init_value=scale, decay_rate=gamma, decay_steps=size, staircase=True), window)

    return Factor(
        *window.timing("StepLR"),
        lambda value, step: value * gamma if step and step % size == 0 else value,
        curve=curve,
        ticks=range(size, window.last + 1, size),
    )


def _exponential(window: Window) -> Acting:
    gamma = window.options.number("gamma")
    return Factor(
        *window.timing("ExponentialLR"),
        lambda value, step: value * gamma if step else value,
        curve=lambda scale: _until(Exponential(init_value=scale, decay_rate=gamma), window),
    )


def _until(schedule: Schedule, window: Window) -> Schedule:
    """The schedule as far as the scheduler acts."""
    if schedule.length is not None and schedule.length <= window.last:
        return schedule
    return schedule if window.steps >= ENDLESS - window.start else held(schedule, window.last)


# --- curves -----------------------------------------------------------------------------------------------------------


def _cosine(window: Window) -> Acting:
    """It takes the value over; where T_max is less than its steps it rises again, always to the optimizer's own value."""
    lowest, length = window.floor() or 0.0, window.options.whole("T_max", default=0) * window.stretch or window.steps
    climbs = window.last > length

    def left(step: int) -> float:
        return 0.0 if step % (2 * length) == length else math.cos(math.pi * step / (2 * length)) ** 2

    def act(value: float, step: int) -> float:
        if step == 0:
            return value
        if not left(step - 1):
            return value + (window.base - lowest) * left(length - 1)
        return left(step) / left(step - 1) * (value - lowest) + lowest

    def swing(top: float) -> Schedule:
        once = Cosine(init_value=top, end_value=lowest, decay_steps=length)
        return Repeat(once, mirror=True) if climbs else once

    def curve(value: float, step: int) -> Schedule:
        if not left(step) and climbs and not math.isclose(value, lowest, abs_tol=1e-14 * window.base):
            risen = act(value, step + 1)  # something else moved it at the very foot
            return _until(
                Join([Constant(value), Shift(after(risen, step + 1), step + 1)], boundaries=[step + 1]), window
            )
        return _until(after(value, step), window)

    def after(value: float, step: int) -> Schedule:
        top = lowest + (value - lowest) / left(step) if left(step) else window.base
        foot = ((step // length + 1) | 1) * length  # the next step at which it turns up
        if climbs and foot < window.last and not math.isclose(top, window.base, rel_tol=1e-13):
            return Join([swing(top), Shift(swing(window.base), foot)], boundaries=[foot])
        return swing(top)

    multiplies = None
    if lowest == 0 and not climbs:
        multiplies = Factor(*window.timing("CosineAnnealingLR"), act, curve=lambda scale: _until(swing(scale), window))
    return Curve(*window.timing("CosineAnnealingLR"), act, curve=curve, factor=multiplies)


def _poly(window: Window) -> Acting:
    lowest, power = window.options.number("eta_min", default=0.0), window.options.number("power", default=1.0, above=0)
    steps = window.last

    def act(value: float, step: int) -> float:
        return float((value - lowest) * (1 - 1 / (steps - step + 1)) ** power + lowest) if step else value

    def fall(top: float) -> Schedule:
        if not steps:
            return Constant(top)
        if power == 1:
            return Linear(init_value=top, end_value=lowest, decay_steps=steps)
        return Polynomial(init_value=top, end_value=lowest, decay_steps=steps, power=power)

    def curve(value: float, step: int) -> Schedule:
        part = (1 - step / steps) ** power if step else 1.0
        return fall(lowest + (value - lowest) / part) if part else Constant(value)

    multiplies = Factor(*window.timing("PolyLR"), act, curve=fall) if lowest == 0 else None
    return Curve(*window.timing("PolyLR"), act, curve=curve, factor=multiplies)


def _cosine_restart(window: Window) -> Acting:
    options, lowest = window.options, window.floor()
    if lowest is None:
        raise options.error("eta_min", "expected a number, or eta_min_ratio; got none")
    periods = [one * window.stretch for one in options.wholes("periods")]
    weights = options.numbers("restart_weights", default=[1.0])
    if len(periods) != len(weights) or min(periods, default=0) < 1:
        raise options.error(
            "restart_weights", f"expected one for each of the {len(periods)} periods; got {len(weights)}"
        )
    starts = [sum(periods[:number]) for number in range(len(periods))]
    end = min(sum(periods) - 1, window.last)
    plain = [
        Cosine(init_value=window.base * weight, end_value=lowest, decay_steps=period)
        for period, weight in zip(periods, weights, strict=True)
    ]

    def part_of(step: int) -> tuple[int, float]:
        number = max(index for index, start in enumerate(starts) if start <= step)
        return number, math.cos(math.pi * (step - starts[number]) / (2 * periods[number])) ** 2

    def act(value: float, step: int) -> float:
        if step > end:
            return value
        if step in starts:
            return float(plain[starts.index(step)](0))
        return part_of(step)[1] / part_of(step - 1)[1] * (value - lowest) + lowest

    def curve(value: float, step: int) -> Schedule:
        number, part = part_of(min(step, end))
        parts: list[Schedule] = list(plain)
        if not math.isclose(value, joined(parts)(step), rel_tol=1e-13):
            top = lowest + (value - lowest) / part
            parts[number] = Cosine(init_value=top, end_value=lowest, decay_steps=periods[number])
        return joined(parts)

    def joined(parts: list[Schedule]) -> Schedule:
        return held(Join(parts, boundaries=starts[1:]) if len(parts) > 1 else parts[0], end)

    return Curve("CosineRestartLR", window.start, window.period, end, window.by_epoch, act, curve=curve)


def _one_cycle(window: Window) -> Acting:
    """It overwrites the rate at each of its steps."""
    options = window.options
    total = options.whole("total_steps", default=0) * window.stretch or window.steps
    if window.last >= total:
        raise options.error("total_steps", f"expected at least {window.steps}, up to which it acts; got {total}")
    top, first = options.number("eta_max"), options.number("eta_max") / options.number("div_factor", default=25.0)
    plain = one_cycle(
        init_value=first,
        peak_value=top,
        end_value=first / options.number("final_div_factor", default=1e4),
        total_steps=total,
        pct_start=options.number("pct_start", default=0.3),
        shape="cosine"
        if options.word("anneal_strategy", default="cos", choices=["cos", "linear"]) == "cos"
        else "linear",
        three_phase=options.flag("three_phase"),
    )
    return _overwriting("OneCycleLR", plain, window)


def _overwriting(name: str, plain: Schedule, window: Window) -> Acting:
    whole = _until(plain, window)

    def curve(value: float, step: int) -> Schedule:
        if math.isclose(value, whole(step), rel_tol=1e-13):
            return whole
        after = Shift(whole, step + 1)
        return Join([whole, Constant(value), after], boundaries=[step, step + 1])

    return Curve(*window.timing(name), lambda _, step: float(whole(step)), curve=curve)


def _quadratic(window: Window) -> Acting:
    """mmdet's warmup, which adds parts of the optimizer's own value."""
    base, steps = window.base, window.steps

    def act(value: float, step: int) -> float:
        return (value if step else 0.0) + base * (2 * step + 1) / steps**2

    whole = _until(Shift(Constant(base).warmup(steps, shape="power", power=2), 1), window)

    def curve(value: float, step: int) -> Schedule:
        return whole if math.isclose(value, whole(step), rel_tol=1e-13) else whole + (value - whole(step))

    return Curve(*window.timing("QuadraticWarmupLR"), act, curve=curve)


CLASSES: dict[str, Callable[[Window], Acting]] = {
    "Linear": _linear,
    "Constant": _constant,
    "MultiStep": _multi_step,
    "Step": _step,
    "Exponential": _exponential,
    "CosineAnnealing": _cosine,
    "Poly": _poly,
    "CosineRestart": _cosine_restart,
    "OneCycle": _one_cycle,
    "QuadraticWarmup": _quadratic,
}
