"""The oracle: every kind computed a second time with many digits, from its plain form, without any code of lrcore.

Times are fractions and values are mpmath numbers. Each value comes with its size, the largest term that it is the sum
of: where terms of different sign cancel, an error can only be judged against that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from mpmath import mp, mpf

DIGITS = 80  # 50 remain where a weight of 1e-32 is one minus another
_MP: Any = mp  # its log has no type
LARGEST = mpf(2) ** 1024 - mpf(2) ** 970


class Exact(NamedTuple):
    """A value and the largest term in it."""

    value: Any
    size: Any


def exact(plain: Mapping[str, Any], t: Fraction | int) -> Exact:
    """The value at a time of the schedule whose plain form this is."""
    with mp.workdps(DIGITS):
        return _at(plain, Fraction(t))


def length(plain: Mapping[str, Any]) -> int | None:
    """The updates that the schedule itself takes."""
    inner = _LENGTHS[plain["kind"]](plain)
    if inner is not None and "warmup" in plain:
        inner += plain["warmup"]["steps"]
    if "cooldown" in plain:
        inner = _cooldown_start(plain, inner) + plain["cooldown"]["steps"]
    return inner


# --- what every kind has ----------------------------------------------------------------------------------------------


def _at(plain: Mapping[str, Any], t: Fraction) -> Exact:
    body = {name: value for name, value in plain.items() if name != "cooldown"}
    if "cooldown" in plain:
        start = _cooldown_start(plain, length(body))
        if t >= start:
            return _cooldown(plain["cooldown"], _at(body, Fraction(start)), t - start)
    if "warmup" in plain:
        bare = {name: value for name, value in body.items() if name != "warmup"}
        steps = plain["warmup"]["steps"]
        return _at(bare, t - steps) if t >= steps else _warmup(plain["warmup"], _at(bare, Fraction(0)), t)
    return _KINDS[plain["kind"]](plain, t)


def _cooldown_start(plain: Mapping[str, Any], inner: int | None) -> int:
    start = plain["cooldown"].get("start", inner)
    assert start is not None
    return int(start)


def _cooldown(cooldown: Mapping[str, Any], first: Exact, elapsed: Fraction) -> Exact:
    end, shape = _number(cooldown.get("end_value", 0.0)), cooldown.get("shape", "linear")
    if shape == "constant":
        return end
    return _mix(first, end, shape, elapsed, cooldown["steps"], cooldown.get("power", 1.0))


def _warmup(warmup: Mapping[str, Any], last: Exact, t: Fraction) -> Exact:
    """The cooldown from the last value to the first, run backwards."""
    first, shape = _number(warmup.get("init_value", 0.0)), warmup.get("shape", "linear")
    if shape == "constant":
        return first
    return _mix(last, first, shape, warmup["steps"] - t, warmup["steps"], warmup.get("power", 1.0))


def _mix(start: Exact, end: Exact, shape: str, elapsed: Fraction, steps: Fraction | int, power: float) -> Exact:
    """From `start` at 0 to `end` at `steps`, held there."""
    if elapsed >= steps:
        return end
    x = _real(elapsed / Fraction(steps))
    if shape == "exponential":
        if start.value == end.value:
            return start
        value = (1 if start.value > 0 else -1) * abs(start.value) ** (1 - x) * abs(end.value) ** x
        return Exact(value, abs(value) * max(start.size / abs(start.value), end.size / abs(end.value)))
    weight = _WEIGHTS[shape](x, _real(Fraction(steps)) if shape == "log" else power)
    value = start.value * weight + end.value * (1 - weight)
    return Exact(value, max(start.size * weight, end.size * (1 - weight)))


_WEIGHTS: dict[str, Any] = {
    "linear": lambda x, power: 1 - x,
    "cosine": lambda x, power: ((1 + mp.cos(mp.pi * x)) / 2) ** mpf(power),
    "power": lambda x, power: (1 - x) ** mpf(power),
    "1-sqrt": lambda x, power: 1 - mp.sqrt(x),
    "1-square": lambda x, power: 1 - x * x,
    "sine": lambda x, power: mp.cos(mp.pi * x / 2),
    "log": lambda x, steps: _MP.log(1 + mpf(steps) * (1 - x)) / _MP.log(1 + mpf(steps)),
}


# --- kinds ------------------------------------------------------------------------------------------------------------


def _constant(plain: Mapping[str, Any], t: Fraction) -> Exact:
    return _number(plain["value"])


def _decay(plain: Mapping[str, Any], t: Fraction) -> Exact:
    shape = {"linear": "linear", "polynomial": "power", "cosine": "cosine"}[plain["kind"]]
    power = plain.get("exponent" if shape == "cosine" else "power", 1.0)
    ends = _number(plain["init_value"]), _number(plain.get("end_value", 0.0))
    return _mix(*ends, shape, t, plain["decay_steps"], power)


def _periods(plain: Mapping[str, Any], t: Fraction) -> Any:
    period = Fraction(plain.get("decay_steps", 1.0))
    whole = plain.get("staircase", False) or plain.get("decay_rate", 1.0) < 0
    return _real(Fraction(_ended(t, period)) if whole else t / period)


def _ended(t: Fraction, period: Fraction) -> int:
    """The periods that have ended at t; one that ends within the rounding of t has, as ten of 3.7 have at 37."""
    number = t // period
    rounding = 0 if period.denominator == 1 else t * Fraction(1, 2**52)
    return number + ((number + 1) * period - t <= rounding)


def _exponential(plain: Mapping[str, Any], t: Fraction) -> Exact:
    return _number(mpf(plain["init_value"]) * mpf(plain["decay_rate"]) ** _periods(plain, t))


def _inverse_time(plain: Mapping[str, Any], t: Fraction) -> Exact:
    base = 1 + mpf(plain.get("decay_rate", 1.0)) * _periods(plain, t) ** mpf(plain.get("time_power", 1.0))
    return _number(mpf(plain["init_value"]) / base ** mpf(plain.get("power", 1.0)))


def _logistic(plain: Mapping[str, Any], t: Fraction) -> Exact:
    z = _real((t - Fraction(plain["midpoint"])) / Fraction(plain["decay_steps"]))
    terms = [mpf(plain["init_value"]) / (1 + mp.exp(z)), mpf(plain.get("end_value", 0.0)) / (1 + mp.exp(-z))]
    return Exact(sum(terms), max(map(abs, terms)))


def _piecewise_constant(plain: Mapping[str, Any], t: Fraction) -> Exact:
    return _number(plain["values"][sum(boundary <= t for boundary in plain["boundaries"])])


def _interpolate(plain: Mapping[str, Any], t: Fraction) -> Exact:
    knots, values = [Fraction(knot) for knot in plain["boundaries"]], [_number(value) for value in plain["values"]]
    number = sum(knot <= t for knot in knots)
    if number in {0, len(knots)}:
        return values[max(number - 1, 0)]
    before, after = number - 1, number
    shape, power = plain.get("shape", "linear"), plain.get("power", 1.0)
    if shape == "constant":
        return values[before]
    return _mix(values[before], values[after], shape, t - knots[before], knots[after] - knots[before], power)


def _join(plain: Mapping[str, Any], t: Fraction) -> Exact:
    boundaries = _boundaries(plain)
    number = sum(boundary <= t for boundary in boundaries)
    return _at(plain["schedules"][number], t - (boundaries[number - 1] if number else 0))


def _boundaries(plain: Mapping[str, Any]) -> Sequence[int]:
    if "boundaries" in plain:
        return list(plain["boundaries"])
    lengths = [length(part) or 0 for part in plain["schedules"][:-1]]
    return [sum(lengths[: number + 1]) for number in range(len(lengths))]


def _sum(plain: Mapping[str, Any], t: Fraction) -> Exact:
    terms = [_at(part, t) for part in plain["schedules"]]
    return Exact(_held(mp.fsum(term.value for term in terms)), max(term.size for term in terms))


def _product(plain: Mapping[str, Any], t: Fraction) -> Exact:
    factors = [_at(part, t) for part in plain["schedules"]]
    return Exact(_held(mp.fprod(one.value for one in factors)), mp.fprod(one.size for one in factors))


def _clip(plain: Mapping[str, Any], t: Fraction) -> Exact:
    inner = _at(plain["schedule"], t)
    value = inner.value
    if plain.get("min_value") is not None:
        value = max(value, mpf(plain["min_value"]))
    if plain.get("max_value") is not None:
        value = min(value, mpf(plain["max_value"]))
    return Exact(value, max(inner.size, abs(value)))


def _shift(plain: Mapping[str, Any], t: Fraction) -> Exact:
    return _at(plain["schedule"], max(t + plain["steps"], Fraction(0)))


def _every(plain: Mapping[str, Any], t: Fraction) -> Exact:
    return _at(plain["schedule"], Fraction(t // plain["steps"]))


def _clock(plain: Mapping[str, Any], t: Fraction) -> Exact:
    return _at(plain["schedule"], _shown(plain, t))


def _shown(plain: Mapping[str, Any], t: Fraction) -> Fraction:
    """What a clock shows at t."""
    points = [(0, Fraction(0)), *zip(plain["boundaries"], map(Fraction, plain["times"]), strict=True)]
    if t >= points[-1][0] and plain.get("hold", False):
        return points[-1][1]
    number = min(sum(step <= t for step, _ in points) - 1, len(points) - 2)
    (first, before), (second, after) = points[number : number + 2]
    return before + (t - first) * (after - before) / (second - first)


def _clock_step(plain: Mapping[str, Any], time: int) -> int | None:
    """The first step at which a clock shows a time; None if it never does."""
    last = plain["boundaries"][-1]
    if _shown(plain, Fraction(last)) >= time:
        return next(step for step in range(last + 1) if _shown(plain, Fraction(step)) >= time)
    rate = _shown(plain, Fraction(last + 1)) - _shown(plain, Fraction(last))
    step = math.ceil(last + (time - _shown(plain, Fraction(last))) / rate) if rate else 2**62
    return step if step < 2**62 else None


def _clock_length(plain: Mapping[str, Any]) -> int | None:
    inner = length(plain["schedule"])
    return None if inner is None else _clock_step(plain, inner)


def _repeat(plain: Mapping[str, Any], t: Fraction) -> Exact:
    period = _period(plain)
    number, left, stretch = _cycle(t, period, Fraction(str(plain.get("length_factor", 1.0))))
    inner = left / stretch
    if plain.get("mirror", False) and number % 2:
        inner = period - inner
    value = _at(plain["schedule"], inner)
    scale = mpf(plain.get("value_factor", 1.0)) ** number
    return Exact(_held(value.value * scale), value.size * abs(scale))


def _period(plain: Mapping[str, Any]) -> Fraction:
    period = plain.get("period", length(plain["schedule"]))
    assert period is not None
    return Fraction(period)


def _cycle(t: Fraction, period: Fraction, growth: Fraction) -> tuple[int, Fraction, Fraction]:
    """The number of the cycle, the time in it, and how much longer than the first it is."""
    if growth == 1:
        number = _ended(t, period)
        return number, max(t - number * period, Fraction(0)), Fraction(1)
    number, start, stretch = 0, Fraction(0), Fraction(1)
    while start + period * stretch <= t:
        number, start, stretch = number + 1, start + period * stretch, stretch * growth
    return number, t - start, stretch


_KINDS: dict[str, Any] = {
    "constant": _constant,
    "linear": _decay,
    "polynomial": _decay,
    "cosine": _decay,
    "exponential": _exponential,
    "inverse_time": _inverse_time,
    "logistic": _logistic,
    "piecewise_constant": _piecewise_constant,
    "interpolate": _interpolate,
    "join": _join,
    "sum": _sum,
    "product": _product,
    "clip": _clip,
    "shift": _shift,
    "repeat": _repeat,
    "every": _every,
    "clock": _clock,
}


# --- lengths ----------------------------------------------------------------------------------------------------------


def _no_length(plain: Mapping[str, Any]) -> None:
    return None


def _join_length(plain: Mapping[str, Any]) -> int | None:
    last = length(plain["schedules"][-1])
    return None if last is None else sum(_boundaries(plain)[-1:]) + last


def _shift_length(plain: Mapping[str, Any]) -> int | None:
    inner = length(plain["schedule"])
    return None if inner is None else max(0, inner - plain["steps"])


def _every_length(plain: Mapping[str, Any]) -> int | None:
    inner = length(plain["schedule"])
    return None if inner is None else inner * int(plain["steps"])


def _longest(plain: Mapping[str, Any]) -> int | None:
    """The length of the longest part. A part without a length counts with the step from which it is constant."""
    lengths = [length(part) for part in plain["schedules"]]
    ends = [rests(part) if own is None else own for part, own in zip(plain["schedules"], lengths, strict=True)]
    return None if None in ends or lengths.count(None) == len(lengths) else max(end for end in ends if end is not None)


def knows_length(plain: Mapping[str, Any]) -> bool:
    """Whether `length` is sure.

    It is not where only values tell that a part without a length rests: a clip may end what goes on for ever, a cycle may
    hold one value, a product with 0 is 0, and a clock may stand still.
    """
    parts = _parts(plain)
    unsized = [part for part in parts if plain["kind"] in {"sum", "product"} and length(part) is None]
    return all(map(knows_length, parts)) and not any(
        _has(part, {"clip", "repeat", "product", "clock"}) for part in unsized
    )


def _has(plain: Mapping[str, Any], kinds: set[str]) -> bool:
    return plain["kind"] in kinds or any(_has(part, kinds) for part in _parts(plain))


def _parts(plain: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [*plain.get("schedules", []), *([plain["schedule"]] if "schedule" in plain else [])]


def rests(plain: Mapping[str, Any]) -> int | None:
    """The step from which a schedule without a length never changes; None if it may change for ever."""
    end = _RESTS[plain["kind"]](plain)
    return end if end is None or "warmup" not in plain else end + int(plain["warmup"]["steps"])


def _later(plain: Mapping[str, Any]) -> int | None:
    """The step from which all parts rest."""
    ends = [rests(part) if length(part) is None else length(part) for part in plain["schedules"]]
    return None if None in ends else max(end for end in ends if end is not None)


def _join_rests(plain: Mapping[str, Any]) -> int | None:
    last = rests(plain["schedules"][-1])
    return None if last is None else sum(_boundaries(plain)[-1:]) + last


def _shift_rests(plain: Mapping[str, Any]) -> int | None:
    inner = rests(plain["schedule"])
    return max(0, inner - plain["steps"]) if inner else inner


def _every_rests(plain: Mapping[str, Any]) -> int | None:
    inner = rests(plain["schedule"])
    return None if inner is None else inner * int(plain["steps"])


def _clock_rests(plain: Mapping[str, Any]) -> int | None:
    if length(plain["schedule"]) is not None:  # the clock does not get there, or takes more than 2**62 updates
        return None
    inner = rests(plain["schedule"])
    return inner if inner in {None, 0} else _clock_step(plain, inner or 0)


_RESTS: dict[str, Any] = {
    "constant": lambda plain: 0,
    "exponential": lambda plain: 0 if plain["init_value"] == 0 or plain["decay_rate"] == 1 else None,
    "inverse_time": lambda plain: 0 if plain["init_value"] == 0 or plain.get("decay_rate", 1.0) == 0 else None,
    "logistic": lambda plain: 0 if plain["init_value"] == plain.get("end_value", 0.0) else None,
    "piecewise_constant": lambda plain: 0,
    "join": _join_rests,
    "sum": _later,
    "product": _later,
    "clip": lambda plain: None,
    "shift": _shift_rests,
    "repeat": lambda plain: None,
    "every": _every_rests,
    "clock": _clock_rests,
}


_LENGTHS: dict[str, Any] = {
    "constant": _no_length,
    "linear": lambda plain: plain["decay_steps"],
    "polynomial": lambda plain: plain["decay_steps"],
    "cosine": lambda plain: plain["decay_steps"],
    "exponential": _no_length,
    "inverse_time": _no_length,
    "logistic": _no_length,
    "piecewise_constant": lambda plain: plain["boundaries"][-1] if plain["boundaries"] else None,
    "interpolate": lambda plain: math.ceil(plain["boundaries"][-1]),
    "join": _join_length,
    "sum": _longest,
    "product": _longest,
    "clip": lambda plain: length(plain["schedule"]),
    "shift": _shift_length,
    "repeat": _no_length,
    "every": _every_length,
    "clock": _clock_length,
}


# --- numbers ----------------------------------------------------------------------------------------------------------


def _real(fraction: Fraction) -> Any:
    return mpf(fraction.numerator) / fraction.denominator


def _number(value: Any) -> Exact:
    held = _held(mpf(value))
    return Exact(held, abs(held))


def _held(value: Any) -> Any:
    """Growth that leaves float64 holds the largest finite number."""
    return min(max(value, -LARGEST), LARGEST)
