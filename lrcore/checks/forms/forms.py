"""The forms that `infer` recognises, as data: their constants, their formula for real constants, and the schedule they are.

A formula here takes real numbers for lengths too, so that they can be fitted before they are rounded; what is reported is
computed by the schedule itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Linear,
    Polynomial,
    Repeat,
)
from lrcore.schedules.recipes import one_cycle
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

RATE, STEPS, TIME, POWER, SHARE, GROWTH, GIVEN = "rate", "steps", "time", "power", "share", "growth", "given"
"""What a constant is: a rate, whole updates, real updates, an exponent, a part of the run, a logarithm per update; or not
fitted."""


@dataclass(frozen=True)
class Form:
    """A schedule without its warmup, by its own clock.

    Attributes:
        name: what people call it.
        constants: the name and the nature of each constant.
        value: the rate at real times >= 0, of the constants in this order.
        schedule: what it is in lrcore, of the same constants.
        late: whether the schedule has a cooldown, which counts from the start of the warmup.
    """

    name: str
    constants: tuple[tuple[str, str], ...]
    value: Callable[..., Numbers]
    schedule: Callable[..., Schedule]
    late: bool = False


def _gone(at: Numbers, length: float) -> Numbers:
    import numpy as np

    part: Numbers = np.clip(at / length, 0.0, 1.0) if length > 0 else (at > 0).astype(np.float64)
    return part


def _linear_left(part: Numbers) -> Numbers:
    return 1 - part


def _cosine_left(part: Numbers) -> Numbers:
    import numpy as np

    left: Numbers = np.cos(math.pi / 2 * part) ** 2
    return left


def _root_left(part: Numbers) -> Numbers:
    import numpy as np

    left: Numbers = 1 - np.sqrt(part)
    return left


def _square_left(part: Numbers) -> Numbers:
    return 1 - part * part


SHAPES: dict[str, Callable[[Numbers], Numbers]] = {
    "linear": _linear_left,
    "cosine": _cosine_left,
    "1-sqrt": _root_left,
    "1-square": _square_left,
}
"""What each shape of a cooldown leaves of the way."""


def _blend(first: float, last: float, left: Numbers) -> Numbers:
    return first * left + last * (1 - left)


def _constant(at: Numbers, peak: float) -> Numbers:
    return at * 0 + peak


def _linear(at: Numbers, peak: float, end: float, length: float) -> Numbers:
    return _blend(peak, end, 1 - _gone(at, length))


def _cosine(at: Numbers, peak: float, end: float, length: float) -> Numbers:
    return _blend(peak, end, _cosine_left(_gone(at, length)))


def _mirrored(at: Numbers, peak: float, end: float, length: float) -> Numbers:
    import numpy as np

    left: Numbers = np.cos(math.pi / 2 * at / length) ** 2 if length > 0 else at * math.nan
    return _blend(peak, end, left)


def _polynomial(at: Numbers, peak: float, end: float, length: float, power: float) -> Numbers:
    left: Numbers = (1 - _gone(at, length)) ** power
    return end + (peak - end) * left


def _exponential(at: Numbers, peak: float, growth: float) -> Numbers:
    import numpy as np

    found: Numbers = peak * np.exp(growth * at)
    return found


def _inverse_sqrt(at: Numbers, peak: float, scale: float) -> Numbers:
    found: Numbers = peak / (1 + at / scale) ** 0.5
    return found


def _inverse_time(at: Numbers, peak: float, scale: float) -> Numbers:
    return peak / (1 + at / scale)


def _stable(shape: str) -> Form:
    left = SHAPES[shape]

    def value(at: Numbers, peak: float, stable: float, length: float, end: float) -> Numbers:
        return _blend(peak, end, left(_gone(at - stable, length)))

    def schedule(warm: int, peak: float, stable: int, length: int, end: float) -> Schedule:
        given: Any = shape
        return Constant(peak).cooldown(length, start=warm + stable, end_value=end, shape=given)

    constants = (("peak", RATE), ("stable steps", STEPS), ("cooldown steps", STEPS), ("end", RATE))
    return Form(f"constant and {shape} cooldown", constants, value, schedule, late=True)


def _stable_exponential() -> Form:
    def value(at: Numbers, peak: float, stable: float, length: float, end: float) -> Numbers:
        import numpy as np

        found: Numbers = peak * np.exp(np.log(end / peak) * _gone(at - stable, length))
        return found

    def schedule(warm: int, peak: float, stable: int, length: int, end: float) -> Schedule:
        return Constant(peak).cooldown(length, start=warm + stable, end_value=end, shape="exponential")

    constants = (("peak", RATE), ("stable steps", STEPS), ("cooldown steps", STEPS), ("end", RATE))
    return Form("constant and exponential cooldown", constants, value, schedule, late=True)


def _one_cycle(shape: str) -> Form:
    left = SHAPES[shape]

    def value(at: Numbers, init: float, peak: float, end: float, total: float, share: float) -> Numbers:
        import numpy as np

        top = share * total - 1
        rise = _blend(init, peak, left(_gone(at, top)))
        fall = _blend(peak, end, left(_gone(at - top, total - 1 - top)))
        return np.where(at < top, rise, fall)

    def schedule(init: float, peak: float, end: float, total: int, share: float) -> Schedule:
        given: Any = shape
        return one_cycle(
            init_value=init, peak_value=peak, end_value=end, total_steps=total, pct_start=share, shape=given
        )

    constants = (("init", RATE), ("peak", RATE), ("end", RATE), ("total steps", STEPS), ("pct_start", SHARE))
    return Form(f"one-cycle, {shape}", constants, value, schedule)


def _restarts(at: Numbers, peak: float, end: float, length: float, growth: float, factor: float) -> Numbers:
    import numpy as np

    if growth == 1:
        number = np.floor(at / length)
        part = at / length - number
    else:
        number = np.floor(np.log1p(at * (growth - 1) / length) / math.log(growth) + 1e-12)
        begin = length * (growth**number - 1) / (growth - 1)
        part = (at - begin) / (length * growth**number)
    return _blend(peak, end, _cosine_left(np.clip(part, 0.0, 1.0))) * factor**number


def _falls(power: bool = False) -> tuple[tuple[str, str], ...]:
    return (("peak", RATE), ("end", RATE), ("decay steps", STEPS), *((("power", POWER),) if power else ()))


FORMS: dict[str, Form] = {
    "constant": Form("constant", (("peak", RATE),), _constant, Constant),
    "linear": Form(
        "linear", _falls(), _linear, lambda peak, end, n: Linear(init_value=peak, end_value=end, decay_steps=n)
    ),
    "cosine": Form(
        "cosine", _falls(), _cosine, lambda peak, end, n: Cosine(init_value=peak, end_value=end, decay_steps=n)
    ),
    "cosine, mirrored": Form(
        "cosine up and down",
        _falls(),
        _mirrored,
        lambda peak, end, n: Repeat(Cosine(init_value=peak, end_value=end, decay_steps=n), mirror=True),
    ),
    "polynomial": Form(
        "polynomial",
        _falls(power=True),
        _polynomial,
        lambda peak, end, n, power: Polynomial(init_value=peak, end_value=end, decay_steps=n, power=power),
    ),
    "exponential": Form(
        "exponential",
        (("peak", RATE), ("growth", GROWTH)),
        _exponential,
        lambda peak, growth: exponential_of(peak, growth),  # noqa: PLW0108 - defined below
    ),
    "inverse_sqrt": Form(
        "inverse square root",
        (("peak", RATE), ("decay steps", TIME)),
        _inverse_sqrt,
        lambda peak, scale: InverseTime(init_value=peak, decay_steps=scale, power=0.5),
    ),
    "inverse_time": Form(
        "inverse time",
        (("peak", RATE), ("decay steps", TIME)),
        _inverse_time,
        lambda peak, scale: InverseTime(init_value=peak, decay_steps=scale),
    ),
    "restarts": Form(
        "cosine with restarts",
        (*_falls()[:2], ("cycle steps", STEPS), ("length_factor", GIVEN), ("value_factor", GIVEN)),
        _restarts,
        lambda peak, end, n, growth, factor: Repeat(
            Cosine(init_value=peak, end_value=end, decay_steps=n), length_factor=growth, value_factor=factor
        ),
    ),
    **{f"stable, {shape}": _stable(shape) for shape in SHAPES},
    "stable, exponential": _stable_exponential(),
    **{f"one-cycle, {shape}": _one_cycle(shape) for shape in ("cosine", "linear")},
}


# --- the factor of an exponential decay -------------------------------------------------------------------------------


def _factors() -> Iterable[tuple[float, int]]:
    """Factors that people choose, with their digits."""
    yield from ((tenths / 10, 1) for tenths in (5, 1, 9, 2, 8, 3, 7, 4, 6))
    yield from ((round(percent / 100, 2), 2) for percent in range(99, 0, -1) if percent % 10)
    yield from ((round(mille / 1000, 3), 3) for mille in range(999, 900, -1) if mille % 10)
    yield from ((round(part / 10_000, 4), 4) for part in range(9_999, 9_900, -1) if part % 10)


def exponential_of(init: float, growth: float, accuracy: float = 1e-9) -> Exponential:
    """The exponential of a logarithm per update: a factor of few digits each whole number of updates, if there is one.

    Args:
        init: the first value.
        growth: the natural logarithm of the factor per update.
        accuracy: how far the logarithm may be from the true one, relative.

    Example:
        >>> import math
        >>> exponential_of(0.1, math.log(0.97) / 2_500)
        Exponential(init_value=0.1, decay_rate=0.97, decay_steps=2500.0)
    """
    best: tuple[int, float, float] | None = None
    for factor, digits in _factors():
        period = math.log(factor) / growth
        whole = round(period)
        if whole >= 1 and abs(period - whole) <= accuracy * period:
            price = digits + len(str(whole).rstrip("0"))
            if best is None or price < best[0]:
                best = price, factor, float(whole)
    if best is None:
        return Exponential(init_value=init, decay_rate=math.exp(growth))
    return Exponential(init_value=init, decay_rate=best[1], decay_steps=best[2])
