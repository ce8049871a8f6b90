"""The formulas of timm's schedulers, and its warmup; timm/scheduler/*.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

from lrcore.configs.options import Options
from lrcore.schedules.kinds import (
    Clip,
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    InverseTime,
    Join,
    Logistic,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Sum,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import entered, per_epoch, straight, stretched, whole_or_real

Curve: TypeAlias = Callable[[float, float], Schedule]
"""The schedule of one cycle, from one value to another."""


class Cycles(NamedTuple):
    """A schedule in cycles, where min_lr takes over if it has no end of its own, and its epochs."""

    schedule: Schedule
    end: Fraction | None
    epochs: float


class Plan(NamedTuple):
    """What all schedulers of timm have; lengths are in epochs or updates, by the clock that asks them."""

    options: Options
    names: dict[str, tuple[str, Any]]
    kind: str
    lr: float
    lowest: float
    first: float
    epochs: float
    warmup_epochs: float
    prefix: bool
    updates_per_epoch: int
    by_epoch: bool

    def number(self, word: str, otherwise: Any = None, **limits: float) -> Any:
        """A number by our word for it; `otherwise` where the arguments have no default of their own."""
        name, usual = self.names[word]
        return self.options.number(name, default=otherwise if usual is None else usual, **limits)

    def ticks(self, epochs: float) -> float:
        """A length in epochs by the scheduler's clock."""
        return epochs if self.by_epoch else epochs * self.updates_per_epoch

    @property
    def length(self) -> float:
        return self.ticks(self.epochs)

    @property
    def warmup(self) -> float:
        return self.ticks(self.warmup_epochs)

    def in_updates(self, schedule: Schedule) -> Schedule:
        return per_epoch(schedule, self.updates_per_epoch) if self.by_epoch else schedule


# --- schedulers with cycles -------------------------------------------------------------------------------------------


def _cosine(plan: Plan) -> Curve:
    _no_k_decay(plan, "a cosine of a power of the time")
    return lambda hi, lo: stretched(lambda steps: Cosine(init_value=hi, end_value=lo, decay_steps=steps), plan.length)


def _poly(plan: Plan) -> Curve:
    """The option decay_rate is the power."""
    power, k = plan.options.number("decay_rate", default=0.1, above=0), plan.number("k_decay", above=0)
    if k != 1 and power == 1:
        return lambda hi, lo: stretched(
            lambda steps: Constant(lo).warmup(steps, init_value=hi, shape="power", power=k), plan.length
        )
    _no_k_decay(plan, "a polynomial of a power of the time, unless its own power is 1,")
    return lambda hi, lo: stretched(
        lambda steps: Polynomial(init_value=hi, end_value=lo, decay_steps=steps, power=power), plan.length
    )


def _tanh(plan: Plan) -> Curve:
    """A hyperbolic tangent of 3 x - 7 (1 - x), which starts a little below the rate and drops to min_lr at its end."""
    midpoint, time = 0.7 * plan.length, plan.length / 20
    return lambda hi, lo: Logistic(init_value=hi, end_value=lo, midpoint=midpoint, decay_steps=time)


def _no_k_decay(plan: Plan, what: str) -> None:
    name = plan.names["k_decay"][0]
    if plan.number("k_decay") != 1:
        raise plan.options.error(name, f"expected 1, for {what} has no equal; got {plan.options.raw(name)!r}")


def cycles(plan: Plan, curve: Curve) -> Cycles:
    """The cycles of a curve. The peak shrinks in each, the floor does not."""
    growth, decay = plan.number("cycle_mul", least=1), plan.number("cycle_decay")
    limit = plan.options.whole(plan.names["cycle_limit"][0], default=1, most=10_000)
    times = Fraction(limit) if growth == 1 else (Fraction(growth) ** limit - 1) / (Fraction(growth) - 1)
    once = curve(plan.lr, plan.lowest)
    schedule = once if limit <= 1 else _repeated(plan, curve, growth, decay)
    ends_itself = limit == 1 and once.length is not None
    epochs = max(float(times), 1.0) * plan.epochs
    return Cycles(schedule, None if ends_itself else times * Fraction(plan.length) - Fraction(1, 10**9), epochs)


def _repeated(plan: Plan, curve: Curve, growth: float, decay: float) -> Schedule:
    period = whole_or_real(plan.length)
    if decay == 1:
        return Repeat(curve(plan.lr, plan.lowest), period, length_factor=growth)
    peaks = Repeat(curve(plan.lr, 0.0), period, length_factor=growth, value_factor=decay)
    return Sum([peaks, Repeat(curve(0.0, plan.lowest), period, length_factor=growth)]) if plan.lowest else peaks


# --- the others -------------------------------------------------------------------------------------------------------


def _step(plan: Plan) -> Schedule:
    every = _divisor(plan.ticks(plan.number("decay_epochs", otherwise=90, above=0)))
    rate = plan.options.number("decay_rate", default=0.1)
    return Exponential(init_value=plan.lr, decay_rate=rate, decay_steps=every, staircase=True)


def _divisor(length: float) -> float:
    """The length by which t // length counts, in Python: 84 // 16.8 is 4, for the float 16.8 is a little more than 16.8."""
    written = Fraction(length).limit_denominator(10**6)
    return length * (1 + 2**-50) if Fraction(length) > written else length


def _constant(plan: Plan) -> Schedule:
    return Constant(plan.lr)


def _multistep(plan: Plan) -> Schedule:
    """A milestone acts one epoch (or update) early, since it is compared with t + 1."""
    name, usual = plan.names["milestones"]
    milestones = [plan.ticks(one) for one in plan.options.numbers(name, default=usual)]
    if milestones != sorted(milestones):
        raise plan.options.error(name, f"expected rising epochs; got {plan.options.raw(name)!r}")
    rate = plan.options.number("decay_rate", default=0.1)
    return PiecewiseConstant(
        boundaries=[max(math.ceil(one) - 1, 0) for one in milestones],
        values=[plan.lr * rate**number for number in range(len(milestones) + 1)],
    )


def _wsd(plan: Plan) -> Schedule:
    length, decay = _wsd_lengths(plan)
    fall = plan.options.word(plan.names["decay_fn"][0], default="1-sqrt", choices=list(_FALLS))
    top = max(plan.lr, plan.lowest)
    return Join([Constant(top), _FALLS[fall](top, plan.lowest, decay)], boundaries=[length - decay])


def _rsqrt(plan: Plan) -> Schedule:
    """The fall takes the inverse square root, which goes on, down to min_lr."""
    length, decay = _wsd_lengths(plan)
    fall = plan.options.word(plan.names["decay_fn"][0], default="linear", choices=list(_FALLS))
    scale = plan.options.number(plan.names["timescale"][0], default=None)
    scale = plan.warmup if scale is None else plan.ticks(scale)
    if scale <= 0:
        raise plan.options.error(plan.names["timescale"][0], "expected a number > 0 where there is no warmup; got none")
    stable: Schedule = InverseTime(init_value=plan.lr, decay_steps=scale, power=0.5)
    if plan.lowest:
        stable = Clip(stable, min_value=plan.lowest) - plan.lowest
    fallen = stable * Join([Constant(1.0), _FALLS[fall](1.0, 0.0, decay)], boundaries=[length - decay])
    return fallen + plan.lowest if plan.lowest else fallen


def _wsd_lengths(plan: Plan) -> tuple[int, int]:
    """The ticks after the warmup, which is always a prefix, and those of the fall among them."""
    length = plan.length if plan.prefix else plan.length - plan.warmup
    given = plan.number("decay_epochs", otherwise=0.2)
    decay = round(given * length if 0 < given < 1 else plan.ticks(given))
    for name, ticks in (("epochs", length), ("warmup_epochs", plan.warmup)):
        if ticks != int(ticks):
            raise plan.options.error(plan.names[name][0], f"expected whole epochs or updates for wsd; got {ticks!r}")
    if not 0 < decay <= length:
        raise plan.options.error(
            "decay_epochs", f"expected a fall between 0 and the {length:g} after the warmup; got {decay}"
        )
    return int(length), decay


def _exponential_fall(hi: float, lo: float, steps: int) -> Schedule:
    """To a tenth of the way, which is moved and stretched so that it ends at `lo`."""
    scale = (hi - lo) / 0.9
    curve = Interpolate(boundaries=[0, steps], values=[scale, 0.1 * scale], shape="exponential")
    return curve + (lo - 0.1 * scale) if hi != lo else Constant(lo)


def _shaped_fall(shape: Any) -> Callable[[float, float, int], Schedule]:
    return lambda hi, lo, steps: Interpolate(boundaries=[0, steps], values=[hi, lo], shape=shape)


_FALLS: dict[str, Callable[[float, float, int], Schedule]] = {
    "linear": _shaped_fall("linear"),
    "1-sqrt": _shaped_fall("1-sqrt"),
    "power": _shaped_fall("1-sqrt"),  # its power is 0.5 unless a program sets it
    "cosine": _shaped_fall("cosine"),
    "exp": _exponential_fall,
}


# --- the warmup -------------------------------------------------------------------------------------------------------


def warmed(plan: Plan, schedule: Schedule, end: Fraction | None = None) -> Schedule:
    """The warmup before the schedule, or over the beginning of it; from its end on, if there is one, min_lr."""
    steps, prefix = plan.warmup, plan.prefix or plan.kind in ("wsd", "rsqrt")
    after = math.ceil(steps)
    whole = _risen(plan, schedule, end, prefix=prefix) if steps else schedule
    if end is None:
        return whole
    place = max(math.ceil(end + Fraction(steps) if prefix else end), after)
    return Join([whole, Constant(plan.lowest)], boundaries=[place]) if place else Constant(plan.lowest)


def _risen(plan: Plan, schedule: Schedule, end: Fraction | None, *, prefix: bool) -> Schedule:
    steps, after, peak = plan.warmup, math.ceil(plan.warmup), plan.lr
    if plan.kind == "tanh" and not prefix:
        peak = entered(schedule, steps)(0) if end is None or steps < end else plan.lowest
    if prefix and steps == after and schedule(0) == peak:
        return schedule.warmup(after, init_value=plan.first)
    rise = straight(plan.first, peak, steps)
    return Join([rise, entered(schedule, after - steps) if prefix else entered(schedule, after)], boundaries=[after])


KINDS: dict[str, Callable[[Plan], Schedule | Curve]] = {
    "cosine": _cosine,
    "tanh": _tanh,
    "poly": _poly,
    "step": _step,
    "multistep": _multistep,
    "constant": _constant,
    "wsd": _wsd,
    "rsqrt": _rsqrt,
}
