"""The mathematics: each formula is written once, for plain floats and for numpy arrays.

A formula takes its numeric library and its parameters and returns the function of the time t. The libraries are
`SCALARS` (plain Python numbers), `arrays()` (numpy) and `exact_arrays()` (numpy, with results equal to those of `SCALARS`
to the bit). Times stay integers as long as possible: differences, quotients and remainders of steps are exact, and only
the ratio of two of them becomes a float.
"""

from __future__ import annotations

import math
import operator
import sys
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cache
from itertools import repeat
from typing import Any, Protocol, TypeAlias

Value: TypeAlias = Any  # a float, or a float64 array; times are ints, floats or arrays of either
TimeFunction: TypeAlias = Callable[[Any], Any]
Interval: TypeAlias = tuple[float, float]  # of steps: the first, and the one after the last
Check: TypeAlias = Callable[[Any, Any], float]  # (what a Python function returned, the time) -> the value, if valid

ROUNDING = sys.float_info.epsilon
LARGEST = sys.float_info.max
SMALLEST = sys.float_info.min
LAST_STEP = 2**53
"""The last step: beyond it float64 cannot represent every integer."""
EVER: Interval = (-math.inf, math.inf)
BLOCK = 2**14
"""Values computed at a time, few enough to stay in the processor's cache through all operations of a formula."""
_LARGE_LOG = 20.0  # of a base: from here the rounding of the exponent costs more than 1e-15
_LARGE_EXPONENT = 8.0  # from here the rounding of the base costs too many digits
_LARGE_BASE = 1e300  # from here the base of an inverse time may leave float64


class Library(Protocol):
    """The operations that formulas use, for one kind of number."""

    def sin(self, x: Value, /) -> Value: ...
    def sqrt(self, x: Value, /) -> Value: ...
    def exp(self, x: Value, /) -> Value: ...
    def log(self, x: Value, /) -> Value: ...
    def log1p(self, x: Value, /) -> Value: ...
    def expm1(self, x: Value, /) -> Value: ...
    def pow(self, base: Value, exponent: Value, /) -> Value:
        """base ** exponent, without the checks of `power`: for results that are known to be finite real numbers."""
        ...

    def power(self, base: Value, exponent: Value, /) -> Value: ...
    def minimum(self, x: Value, y: Value, /) -> Value: ...
    def where(self, condition: Value, x: Value, y: Value, /) -> Value: ...
    def clip(self, x: Value, low: float, high: float, /) -> Value: ...
    def bounded(self, function: TimeFunction, low: float, high: float, /) -> TimeFunction: ...
    def time(self, time: float, /) -> float:
        """The time, as a float if it is an integer that the library cannot subtract from a step."""
        ...

    def fmod(self, x: Value, y: float, /) -> Value: ...
    def round(self, x: Value, /) -> Value: ...
    def each(self, function: Callable[[Any], Any], checked: Check, /) -> TimeFunction: ...
    def fill(self, value: float, /) -> TimeFunction: ...
    def select(self, starts: Sequence[float], bind: Callable[[int], TimeFunction], /) -> TimeFunction:
        """The function whose start was the last one at or before t; `bind(i)` makes function i at its first use."""
        ...


class _Scalars:
    """Plain Python numbers. The results are those of the C library: infinite where Python would raise an error."""

    sin = staticmethod(math.sin)
    sqrt = staticmethod(math.sqrt)
    exp = staticmethod(math.exp)
    log1p = staticmethod(math.log1p)
    expm1 = staticmethod(math.expm1)
    fmod = staticmethod(math.fmod)
    pow = staticmethod(operator.pow)
    round = staticmethod(round)
    minimum = staticmethod(min)

    @staticmethod
    def time(time: float) -> float:
        """As for arrays of int64, so that the results are the same."""
        return time if type(time) is int and abs(time) <= 2**62 else float(time)

    @staticmethod
    def log(x: float) -> float:
        return math.log(x) if x > 0 else -math.inf

    @staticmethod
    def power(base: float, exponent: float) -> Value:
        try:
            return base**exponent
        except OverflowError:
            return -math.inf if base < 0 and exponent % 2 else math.inf

    @staticmethod
    def where(condition: bool, x: float, y: float) -> float:
        return x if condition else y

    @staticmethod
    def clip(x: float, low: float, high: float) -> float:
        return low if x < low else high if x > high else x

    @staticmethod
    def bounded(function: TimeFunction, low: float, high: float) -> TimeFunction:
        def value(t: float) -> float:
            x = function(t)
            return low if x < low else high if x > high else x

        return value

    @staticmethod
    def each(function: Callable[[Any], Any], checked: Check) -> TimeFunction:
        def value(t: float) -> Value:
            x = function(t)
            return x if type(x) is float and -LARGEST <= x <= LARGEST else checked(x, t)  # most values need no call

        return value

    @staticmethod
    def fill(value: float) -> TimeFunction:
        return lambda t: value

    @staticmethod
    def select(starts: Sequence[float], bind: Callable[[int], TimeFunction]) -> TimeFunction:
        later = tuple(starts[1:])
        if len(later) == 1:
            [change], (before, after) = later, map(bind, range(2))
            return lambda t: before(t) if t < change else after(t)
        if len(later) == 2:  # a warmup, a decay and its end
            (begin, end), (before, between, after) = later, map(bind, range(3))
            return lambda t: between(t) if begin <= t < end else before(t) if t < begin else after(t)

        def bind_at_first_use(t: float) -> Value:
            """Replaces itself by the function that applies at t."""
            number = bisect_right(later, t)
            functions[number] = bind(number)
            return functions[number](t)

        functions: list[TimeFunction] = [bind_at_first_use] * len(starts)
        return lambda t: functions[bisect_right(later, t)](t)


class _WideScalars(_Scalars):
    """Plain Python numbers, with times of any size: a clock counts in parts of an update."""

    @staticmethod
    def time(time: float) -> float:
        return time


SCALARS: Library = _Scalars()
WIDE_SCALARS: Library = _WideScalars()


def arrays() -> Library:
    """The numpy library. numpy is imported here, so that `import lrcore` does not import it."""
    import numpy as np

    class Arrays:
        sin = staticmethod(np.sin)
        sqrt = staticmethod(np.sqrt)
        exp = staticmethod(np.exp)
        log = staticmethod(np.log)
        log1p = staticmethod(np.log1p)
        expm1 = staticmethod(np.expm1)
        fmod = staticmethod(np.fmod)
        pow = staticmethod(operator.pow)
        round = staticmethod(np.rint)
        minimum = staticmethod(np.minimum)
        where = staticmethod(np.where)
        clip = staticmethod(np.clip)
        time = staticmethod(SCALARS.time)

        @staticmethod
        def power(base: Value, exponent: Value) -> Value:
            return np.power(base, np.asarray(exponent, dtype=np.float64))

        @staticmethod
        def bounded(function: TimeFunction, low: float, high: float) -> TimeFunction:
            return lambda t: np.clip(function(t), low, high)

        @staticmethod
        def each(function: Callable[[Any], Any], checked: Check) -> TimeFunction:
            def values(t: Value) -> Value:
                times = t.tolist()
                given = list(map(function, times))
                if {float, np.float64}.issuperset(map(type, given)):
                    found = np.array(given)
                    if np.isfinite(found).all():
                        return found
                return np.array(list(map(checked, given, times)))

            return values

        @staticmethod
        def fill(value: float) -> TimeFunction:
            return lambda t: np.full(t.shape, value)

        @staticmethod
        def select(starts: Sequence[float], bind: Callable[[int], TimeFunction]) -> TimeFunction:
            later = np.array(starts[1:], dtype=np.float64)
            function = cache(bind)

            def value(t: Value) -> Value:
                lowest, highest = np.searchsorted(later, (t.min(), t.max()), side="right").tolist()
                if lowest == highest:
                    return function(lowest)(t)
                piece = np.asarray(np.searchsorted(later, t, side="right"), dtype=np.int64)
                if (piece[1:] < piece[:-1]).any():
                    order = np.argsort(piece, kind="stable")
                    out = np.empty(t.shape)
                    out[order] = by_piece(t[order], piece[order])
                    return out
                return by_piece(t, piece)

            def by_piece(t: Value, piece: Value) -> Value:
                """The values at times that are sorted by piece."""
                out = np.empty(t.shape)
                firsts = [0, *(np.flatnonzero(np.diff(piece)) + 1).tolist()]
                for first, end, number in zip(firsts, [*firsts[1:], t.size], piece[firsts].tolist(), strict=True):
                    out[first:end] = function(number)(t[first:end])
                return out

            return value

    return Arrays()


def exact_arrays() -> Library:
    """The numpy library with results equal to those of `SCALARS` to the bit, and faster than one call per time.

    IEEE 754 determines the results of arithmetic, remainders, roots and comparisons, so numpy computes those. Its sine,
    logarithms and powers may differ from the C library's in the last bit, so these call the C library for each number.
    """
    import numpy as np

    def each(function: Callable[..., float]) -> Callable[..., Value]:
        def values(*given: Value) -> Value:
            columns = [one.tolist() if isinstance(one, np.ndarray) else repeat(one) for one in given]
            size = next(one.size for one in given if isinstance(one, np.ndarray))
            return np.fromiter(map(function, *columns), dtype=np.float64, count=size)

        return values

    def each_power(function: Callable[[float, float], float]) -> Callable[[Value, Value], Value]:
        """One power for each run of equal integer exponents: exponents that count cycles or stairs have long runs."""
        values = each(function)

        def powers(base: Value, exponent: Value) -> Value:
            if isinstance(base, np.ndarray) or exponent.dtype != np.int64:
                return values(base, exponent)
            changes = np.flatnonzero(np.diff(exponent, prepend=exponent[0] - 1))
            return np.repeat(values(base, exponent[changes]), np.diff(changes, append=exponent.size))

        return powers

    base: Any = type(arrays())

    class ExactArrays(base):  # type: ignore[misc]
        sin = staticmethod(each(math.sin))
        exp = staticmethod(each(math.exp))
        log = staticmethod(each(SCALARS.log))
        log1p = staticmethod(each(math.log1p))
        expm1 = staticmethod(each(math.expm1))
        pow = staticmethod(each_power(operator.pow))
        power = staticmethod(each_power(SCALARS.power))

        @staticmethod
        def round(x: Value) -> Value:
            """Rounded to int64, since a Python function is called with integers; to floats if one reaches 2**53."""
            rounded = np.rint(x)
            return rounded.astype(np.int64) if np.abs(rounded).max(initial=0) < LAST_STEP else rounded

        @staticmethod
        def clip(x: Value, low: float, high: float) -> Value:
            """Not np.clip: in numpy 1 it returns 0.0 for -0.0."""
            return np.where(x < low, low, np.where(x > high, high, x))

        @staticmethod
        def bounded(function: TimeFunction, low: float, high: float) -> TimeFunction:
            return lambda t: ExactArrays.clip(function(t), low, high)

    exact: Any = ExactArrays()
    return exact  # type: ignore[no-any-return]


def in_blocks(function: TimeFunction, times: Any) -> Any:
    """The values of an array function at an array of times, computed block by block."""
    import numpy as np

    flat = times.ravel()
    values = np.empty(flat.shape)
    with np.errstate(all="ignore"):
        for first in range(0, flat.size, BLOCK):
            values[first : first + BLOCK] = function(flat[first : first + BLOCK])
    return values.reshape(times.shape)


# --- helpers that keep digits -----------------------------------------------------------------------------------------


def _product_error(a: Value, b: Value, product: Value) -> Value:
    """a * b - product exactly (Dekker 1971), where product = fl(a * b) and nothing overflows or underflows."""
    a_top = 134217729.0 * a
    a_high = a_top - (a_top - a)
    a_low = a - a_high
    b_top = 134217729.0 * b
    b_high = b_top - (b_top - b)
    b_low = b - b_high
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _one_plus_error(x: Value, total: Value) -> Value:
    """1 + x - total exactly (Knuth 1969), where total = fl(1 + x)."""
    part = total - 1.0
    return (1.0 - (total - part)) + (x - part)


def _quotient_error(n: Value, d: float, quotient: Value) -> Value:
    """n / d - quotient, where quotient = fl(n / d)."""
    product = quotient * d
    return ((n - product) - _product_error(quotient, d, product)) / d


def fractional_power(lib: Library, base: float) -> Callable[[Value, float], Value]:
    """(n, d) -> base ** (n / d); if |log(base)| is large, corrected for the rounding of n / d."""
    power = lib.power
    slope = math.log(abs(base)) if base else 0.0
    if abs(slope) < _LARGE_LOG:
        return lambda n, d: power(base, n / d)

    def value(n: Value, d: float) -> Value:
        quotient = n / d
        return power(base, quotient) * (1.0 + slope * _quotient_error(n, d, quotient))

    return value


def ratio_power(lib: Library, exponent: float) -> Callable[[Value, float], Value]:
    """(n, d) -> (n / d) ** exponent; if the exponent is large, corrected for the rounding of n / d."""
    power, fast_power = lib.power, lib.pow
    if exponent <= _LARGE_EXPONENT:
        return lambda n, d: fast_power(n / d, exponent)

    def value(n: Value, d: float) -> Value:
        quotient = n / d
        return power(quotient, exponent) + exponent * _quotient_error(n, d, quotient) * power(quotient, exponent - 1)

    return value


def times_power(lib: Library, base: float) -> Callable[[Value, Value], Value]:
    """(x, n) -> x * base ** n; a growing power, which may overflow before the product, is multiplied in halves."""
    fast_power, power, clip = lib.pow, lib.power, lib.clip
    if abs(base) <= 1:
        return lambda x, n: x * fast_power(base, n)

    def value(x: Value, n: Value) -> Value:
        half = n // 2
        return x * clip(power(base, half), -LARGEST, LARGEST) * clip(power(base, n - half), -LARGEST, LARGEST)

    return value


def split(lib: Library, period: float, origin: float = 0) -> Callable[[Value], tuple[Value, Value]]:
    """t -> (whole periods since the origin, remainder). Whole periods use integers, real ones fmod; both are exact.

    A period counts as complete if it ends within the rounding error of t: ten periods of 3.7 end at 37, though the float
    3.7 is a little larger.
    """
    before, origin = _periods_before(lib, origin, period)
    if isinstance(period, Fraction) and lib is WIDE_SCALARS:
        exact = period

        def value(t: Value) -> tuple[Value, Value]:
            elapsed = t - origin
            number = elapsed // exact
            left = elapsed - number * exact
            ended = exact - left <= elapsed * Fraction(ROUNDING)
            return (number + 1, 0) if ended else (number, left)

    elif (period <= LAST_STEP or lib is WIDE_SCALARS) and float(period).is_integer():
        whole = int(period)

        def value(t: Value) -> tuple[Value, Value]:
            elapsed = t - origin
            return elapsed // whole, elapsed % whole

    else:
        fmod, rounded, where, period = lib.fmod, lib.round, lib.where, float(period)

        def value(t: Value) -> tuple[Value, Value]:
            elapsed = t - origin
            left = fmod(elapsed, period)
            ended = period - left <= elapsed * ROUNDING
            return rounded((elapsed - left) / period) + ended, where(ended, 0.0, left)

    if before == 0:
        return value

    def value_since(t: Value) -> tuple[Value, Value]:
        number, left = value(t)
        return number - before, left

    return value_since


def stair_around(t: int, width: float, origin: float) -> Interval | None:
    """The interval around t in which (t - origin) // width does not change; None where it is not a matter of integers."""
    if not (float(width).is_integer() and type(origin) is int):
        return None
    first = t - (t - origin) % int(width)
    return first, first + int(width)


def _periods_before(lib: Library, origin: float, period: float) -> tuple[float, float]:
    """(periods, remainder) of an origin too large for int64 arithmetic, so that the remainder is small; else (0, origin)."""
    if abs(origin) <= 2**62 or not float(period).is_integer():
        return 0, lib.time(origin)
    before = -(-int(origin) // int(period))
    return lib.time(before), lib.time(int(origin) - before * int(period))


# --- shapes: how a ramp goes from one value to another ----------------------------------------------------------------
#
# A shape takes the library, the length and its parameter, if it has one. It returns two functions of (elapsed, remaining):
# the weight of the first value and the weight of the second. Neither is computed by subtraction, which would cost digits
# at one end.

Weight: TypeAlias = Callable[[Value, Value], Value]


def _cosine(lib: Library, length: float, power: float) -> tuple[Weight, Weight]:
    """cos(pi/2 x)**(2 power) and one minus that."""
    sin, turn = lib.sin, math.pi / 2 / length

    def left(elapsed: Value, remaining: Value) -> Value:
        root = sin(turn * remaining)
        return lib.power(root * root, power)

    def reached(elapsed: Value, remaining: Value) -> Value:
        near = lib.log1p(-lib.pow(sin(turn * lib.minimum(elapsed, remaining)), 2))
        logarithm = lib.where(elapsed < remaining, near, 2 * lib.log(sin(turn * remaining)))
        return -lib.expm1(power * logarithm)

    return left, reached


def _power(lib: Library, length: float, power: float) -> tuple[Weight, Weight]:
    """(1 - x)**power and one minus that."""
    ratio = ratio_power(lib, power)

    def reached(elapsed: Value, remaining: Value) -> Value:
        near = lib.log1p(-(lib.minimum(elapsed, remaining) / length))
        logarithm = lib.where(elapsed < remaining, near, lib.log(remaining / length))
        return -lib.expm1(power * logarithm)

    return lambda elapsed, remaining: ratio(remaining, length), reached


def _one_minus_sqrt(lib: Library, length: float, parameter: float) -> tuple[Weight, Weight]:
    sqrt = lib.sqrt
    return (
        lambda elapsed, remaining: remaining / length / (1 + sqrt(elapsed / length)),
        lambda elapsed, remaining: sqrt(elapsed / length),
    )


def _one_minus_square(lib: Library, length: float, parameter: float) -> tuple[Weight, Weight]:
    def reached(elapsed: Value, remaining: Value) -> Value:
        part = elapsed / length
        return part * part

    return lambda elapsed, remaining: remaining / length * (1 + elapsed / length), reached


def _sine(lib: Library, length: float, parameter: float) -> tuple[Weight, Weight]:
    """cos(pi/2 x) and one minus that, which is 2 sin(pi/4 x)**2."""
    sin, where, turn = lib.sin, lib.where, math.pi / 2 / length

    def reached(elapsed: Value, remaining: Value) -> Value:
        root = sin(turn / 2 * elapsed)
        return where(elapsed < remaining, 2.0 * root * root, 1.0 - sin(turn * remaining))

    return lambda elapsed, remaining: sin(turn * remaining), reached


def _log(lib: Library, length: float, count: float) -> tuple[Weight, Weight]:
    """log(1 + count (1 - x)) / log(1 + count) and one minus that."""
    log, log1p, where, minimum = lib.log, lib.log1p, lib.where, lib.minimum
    whole, lost_in_all = math.log1p(count), count / (1.0 + count)

    def reached(elapsed: Value, remaining: Value) -> Value:
        lost = lost_in_all * (elapsed / length)
        near = log1p(-minimum(lost, 0.5))
        far = log((1.0 + count * (remaining / length)) / (1.0 + count))
        return where(remaining == 0, 1.0, where(lost < 0.5, near, far) / -whole)

    return lambda elapsed, remaining: log1p(count * (remaining / length)) / whole, reached


SHAPES: dict[str, Callable[[Library, float, float], tuple[Weight, Weight]]] = {
    "cosine": _cosine,
    "power": _power,
    "1-sqrt": _one_minus_sqrt,
    "1-square": _one_minus_square,
    "sine": _sine,
    "log": _log,
}


def _linear(lib: Library, start: float, end: float, first: float, last: float) -> TimeFunction:
    """start * (1 - x) + end * x, x = (t - first) / (last - first)."""
    length = float(last - first)
    return lambda t: start * ((last - t) / length) + end * ((t - first) / length)


def _half_cosine(lib: Library, start: float, end: float, first: float, last: float) -> TimeFunction:
    """start * cos(pi/2 x)**2 + end * sin(pi/2 x)**2; the smaller square is computed, the other is one minus it."""
    sin, turn = lib.sin, math.pi / 2 / (last - first)

    def early(t: Value) -> Value:
        root = sin(turn * (t - first))
        reached = root * root
        return start * (1.0 - reached) + end * reached

    def late(t: Value) -> Value:
        root = sin(turn * (last - t))
        left = root * root
        return start * left + end * (1.0 - left)

    return lib.select((first, (first + last) // 2), (early, late).__getitem__)


SYMMETRIC = {"linear": _linear, "power": _linear, "cosine": _half_cosine}
"""The common ramps, of power 1. Each equals its mirror image, so `rising` makes no difference."""


# --- formulas ---------------------------------------------------------------------------------------------------------


def ramp(
    lib: Library, shape: str, start: float, end: float, first: float, last: float, parameter: float, rising: bool
) -> TimeFunction:
    """start * w + end * (1 - w) for first <= t < last, w the shape's weight.

    With `rising`, as in a warmup, it is the mirror image in time of the ramp from `end` to `start`. The value stays
    between `start` and `end`.
    """
    first, last, low, high = lib.time(first), lib.time(last), min(start, end), max(start, end)
    if parameter == 1 and shape in SYMMETRIC:
        even = SYMMETRIC[shape](lib, start, end, first, last)
        # With one end 0 the value is a product that cannot exceed the other end.
        return even if 0 in (start, end) else lib.bounded(even, low, high)
    of_left, of_reached = SHAPES[shape](lib, float(last - first), parameter)
    left, reached = (end, start) if rising else (start, end)

    def blend(elapsed: Value, remaining: Value) -> Value:
        return left * of_left(elapsed, remaining) + reached * of_reached(elapsed, remaining)

    def fade(elapsed: Value, remaining: Value) -> Value:
        return left * of_left(elapsed, remaining)

    value = blend if reached else fade
    return lib.bounded(
        (lambda t: value(last - t, t - first)) if rising else (lambda t: value(t - first, last - t)), low, high
    )


def geometric(lib: Library, start: float, end: float, first: float, last: float) -> TimeFunction:
    """start**(1 - x) * end**x for first <= t < last, x = (t - first) / (last - first); start and end have one sign."""
    first, last = lib.time(first), lib.time(last)
    sign, length = math.copysign(1.0, start), float(last - first)
    of_start, of_end = fractional_power(lib, abs(start)), fractional_power(lib, abs(end))
    clip, low, high = lib.clip, min(start, end), max(start, end)
    return lambda t: clip(sign * of_start(last - t, length) * of_end(t - first, length), low, high)


def exponential(lib: Library, init: float, rate: float, origin: float, period: float, staircase: bool) -> TimeFunction:
    """init * rate**((t - origin) / period).

    The power of the whole periods and that of the rest are separate factors, so that a large t loses no digits.
    """
    if period == 1 and abs(rate) <= 1 and not staircase:
        fast_power = lib.pow
        return lambda t: init * fast_power(rate, t - origin)
    scaled, parts, fraction = times_power(lib, rate), split(lib, period, origin), fractional_power(lib, rate)

    def value(t: Value) -> Value:
        whole, left = parts(t)
        return scaled(init, whole) if staircase else scaled(init, whole) * fraction(left, period)

    return value if abs(rate) <= 1 else lib.bounded(value, -LARGEST, LARGEST)


def inverse_time(
    lib: Library,
    init: float,
    rate: float,
    origin: float,
    period: float,
    exponent: float,
    time_exponent: float,
    staircase: bool,
) -> TimeFunction:
    """init / (1 + rate * ((t - origin) / period)**time_exponent)**exponent; with `staircase`, (t - origin) // period."""
    power, parts, start = lib.power, split(lib, period, origin), lib.time(origin)
    if exponent > _LARGE_EXPONENT or time_exponent != 1:
        return _inverse_time_of_powers(lib, init, rate, origin, period, exponent, time_exponent, staircase)
    if staircase:
        return lambda t: init / power(1.0 + rate * parts(t)[0], exponent)
    if exponent == 1:  # a power of 1 changes no bit
        return lambda t: init / (1.0 + rate * ((t - start) / period))
    return lambda t: init / power(1.0 + rate * ((t - start) / period), exponent)


def _inverse_time_of_powers(
    lib: Library,
    init: float,
    rate: float,
    origin: float,
    period: float,
    exponent: float,
    time_exponent: float,
    staircase: bool,
) -> TimeFunction:
    """`inverse_time` for exponents that magnify rounding: corrected for the rounding of the time and of the base.

    Before the base leaves float64, the 1 in it no longer counts, and the two powers become one.
    """
    power, where, parts, start = lib.power, lib.where, split(lib, period, origin), lib.time(origin)

    def elapsed(t: Value) -> tuple[Value, float]:
        return (parts(t)[0], 1.0) if staircase else (t - start, period)

    def value(t: Value) -> Value:
        n, d = elapsed(t)
        periods = n / d
        raised = power(periods, time_exponent)
        grown = rate * raised
        base = 1.0 + grown
        rounding = time_exponent * (_quotient_error(n, d, periods) / (periods + SMALLEST))
        error = _product_error(rate, raised, grown) + grown * rounding
        lost = exponent * (_one_plus_error(grown, base) + error) / base
        # An intermediate result overflows only where the value is 0.
        return init / power(base, exponent) * (1.0 - where(abs(lost) < 1.0, lost, 0.0))

    scale = SCALARS.power(rate, 1 / time_exponent)

    def leading(t: Value) -> Value:
        n, d = elapsed(t)
        return init / power(scale * (n / d), exponent * time_exponent)

    logarithm = (math.log(_LARGE_BASE) - math.log(rate)) / time_exponent
    if time_exponent == 1 or logarithm > math.log(2**63 / period):
        return value
    change = max(origin + period * math.exp(logarithm), math.nextafter(origin, math.inf))
    return lib.select((origin, change), (value, leading).__getitem__)


def logistic(
    lib: Library,
    init: float,
    end: float,
    midpoint: float | Fraction,
    period: float | Fraction,
    origin: float,
    scale: float,
) -> TimeFunction:
    """init / (1 + e**z) + end / (1 + e**-z), z = ((t - origin) / scale - midpoint) / period.

    Only e**-|z| is computed, which cannot overflow, and corrected for the rounding of z.
    """
    exp, where, start = lib.exp, lib.where, lib.time(origin)
    middle, middle_rest = _two_floats(Fraction(midpoint) * Fraction(scale))
    width, width_rest = _two_floats(Fraction(period) * Fraction(scale))

    def value(t: Value) -> Value:
        elapsed = t - start
        n = elapsed - middle
        moved = n - elapsed
        lost = (elapsed - (n - moved)) - (middle + moved) - middle_rest
        z = n / width
        late = z >= 0
        rounding = (lost - z * width_rest) / width + _quotient_error(n, width, z)
        small = exp(-abs(z)) * (1.0 - where(late, rounding, -rounding))
        less, more = small / (1.0 + small), 1.0 / (1.0 + small)
        return init * where(late, less, more) + end * where(late, more, less)

    return lib.bounded(value, min(init, end), max(init, end))


def _two_floats(exact: Fraction) -> tuple[float, float]:
    """The float nearest to a number, and the rest."""
    nearest = float(exact)
    return nearest, float(exact - Fraction(nearest))


def stairs(lib: Library, inner: TimeFunction, origin: float, width: float) -> TimeFunction:
    """inner((t - origin) // width): inner time advances by 1 every `width` updates."""
    if origin == 0 and float(width).is_integer():
        whole = int(width)
        return lambda t: inner(t // whole)
    parts = split(lib, width, origin)
    return lambda t: inner(parts(t)[0])


def on_clock(
    lib: Library, bind: Callable[[Library], TimeFunction], rate: int, start: Any, *, small: bool
) -> TimeFunction:
    """The function that `bind` makes, at rate * t + start, which is computed exactly.

    Args:
        lib: the numeric library.
        bind: makes the inner function with a library.
        rate: the ticks of the clock in one update.
        start: the tick at t = 0, an int or a Fraction.
        small: whether all times inside fit int64.
    """
    inner = bind(WIDE_SCALARS)

    def value(t: Any) -> Any:
        return inner(rate * t + start if type(t) is int else rate * Fraction(t) + start)

    if lib is SCALARS or lib is WIDE_SCALARS:
        return value
    of_arrays, one_by_one = bind(lib), lib.each(value, lambda found, t: float(found))
    most = (2**62 - abs(start)) // rate

    def values(t: Value) -> Value:
        if small and t.dtype.kind == "i" and type(start) is int and abs(t).max() <= most:
            return of_arrays(rate * t + start)
        return one_by_one(t)

    return values


def cycle(lib: Library, inner: TimeFunction, origin: float, period: float, mirror: bool, factor: float) -> TimeFunction:
    """inner((t - origin) mod period) * factor**(number of the cycle); with `mirror`, odd cycles run backwards."""
    parts = split(lib, period, origin)

    def place(t: Value) -> tuple[Value, Value]:
        number, left = parts(t)
        return number, lib.where(number % 2 == 1, period - left, left) if mirror else left

    if factor == 1:
        return lambda t: inner(place(t)[1])
    scaled = times_power(lib, factor)

    def value(t: Value) -> Value:
        number, left = place(t)
        return scaled(inner(left), number)

    return lib.bounded(value, -LARGEST, LARGEST)


def total(lib: Library, terms: Sequence[TimeFunction]) -> TimeFunction:
    """The sum of the terms, clipped to the finite float64 numbers."""
    first, rest, clip = terms[0], terms[1:], lib.clip

    def value(t: Value) -> Value:
        result = first(t)
        for term in rest:
            result = clip(result + term(t), -LARGEST, LARGEST)
        return result

    return value


def product(lib: Library, factors: Sequence[TimeFunction]) -> TimeFunction:
    """The product of the factors, clipped to the finite float64 numbers."""
    first, rest, clip = factors[0], factors[1:], lib.clip

    def value(t: Value) -> Value:
        result = first(t)
        for factor in rest:
            result = clip(result * factor(t), -LARGEST, LARGEST)
        return result

    return value
