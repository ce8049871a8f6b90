"""Lowering: choose the clock of a schedule's table, then look its values up or fit cubics to them."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from weakref import WeakValueDictionary

from msgspec.structs import replace

from lrcore.curves.formulas import LARGEST, SCALARS, arrays, exact_arrays, in_blocks
from lrcore.curves.pieces import (
    Clipped,
    Clocked,
    Constant,
    Cycle,
    Exponential,
    Formula,
    FrozenAt,
    InverseTime,
    Logistic,
    Pointwise,
    Stairs,
    UserFunction,
    inner_formulas,
)
from lrcore.curves.timeline import Timeline
from lrcore.errors import ScheduleError
from lrcore.records import Record, Steps
from lrcore.schedules.kinds import as_schedule
from lrcore.schedules.schedule import Schedule
from lrcore.tables.table import Clock, Cubics, Floating, Lookup, Polynomials, Table, in_range, polynomial

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAST_COUNT = 2**31 - 1
"""The largest step of every table: the frameworks count in int32."""

PIECE_LIMIT = 32_768  # rows of a table of cubics
LOOKUP_LIMIT = 2**18  # entries up to which `auto` makes a lookup
LONGEST_LOOKUP = 2**22  # the longest horizon of a lookup, which then has one entry more
ARRAY_THRESHOLD = 128  # steps of one piece from which numpy is faster than one call per step
EXACT_HEAD = 256  # the first steps, each in a row of its own and therefore exact
SAMPLES_PER_CUBIC = 24  # intervals between the entries at which a cubic is compared with the schedule
TOLERANCE = 0.1  # error allowed at the samples, in ulp of float32; the final rounding adds up to 0.5
SMALLEST_FIXED_POINT = 2**26  # of a cubic's values: the rounding error of 1.5 units stays below 1/5 ulp of float32
NEGLIGIBLE_RATIO = 2.0**-60  # a value nearer to its limit than this part of the limit counts as settled
HALF_SMALLEST_NORMAL = 2.0**-127  # half of the smallest normal float32: smaller values become 0
TOLERANCE_FLOAT64 = 2e-15  # relative error allowed at the samples of a polynomial in float64
DEGREE_FLOAT64 = 7
CHEBYSHEV_NODES = (0.0, 0.2813, 0.6792, 0.9604)  # of degree 4 on [0, 1], scaled about 1 so that the first is 0
OVERSHOOT = 1.004  # factor by which a cubic may exceed its samples between them

ArrayFunction: TypeAlias = Callable[[Any], Any]
Fit: TypeAlias = Callable[[ArrayFunction, Any, Any], tuple[Any, Any]]
Distance: TypeAlias = Callable[[int], float]
Method: TypeAlias = Literal["auto", "lookup", "cubics"]


class Lowering(Record, frozen=True, kw_only=True):
    """The options of `lower`, checked."""

    horizon: Steps | None = None
    method: Method = "auto"
    dtype: Floating = "float32"


def lower(
    schedule: Schedule | Callable[[int], float],
    horizon: int | None = None,
    method: Method = "auto",
    dtype: Floating = "float32",
) -> Table:
    """The table of a schedule, for frameworks that compile.

    The schedule is cut at its horizon, and at 2**31 - 1, where the frameworks' counters end: nothing that comes later
    counts. The table holds the value of that step from there on, also where the schedule itself would go on moving.

    A schedule of at most 2**18 different steps (its last value is held, a cycle is counted once, and stairs by the step)
    becomes a lookup of its own float64 values: the same bits as in the frameworks that ask the host. A longer one becomes
    piecewise cubics: the same bits for the first 256 steps and wherever a piece begins, at most 1 ulp of float32 from them at
    every other step.

    Args:
        schedule: a schedule, or a Python function of the step.
        horizon: the step from which the table holds its value; needed for a Python function that states none itself.
        method: `lookup` (at most 2**22 steps), `cubics` (at most 32,768 pieces, no Python function inside), or `auto`: the
            former for up to 2**18 steps and for what has too many pieces.
        dtype: the type in which the table is exact. A lookup is exact in both. In float64 the fitted pieces are polynomials
            of degree 7 with a relative error of a few 1e-15; where terms of the schedule cancel, as in a ramp through zero,
            the error is relative to the largest value.

    Raises:
        ScheduleError: no method holds the schedule up to its horizon; the message says what each takes.

    Example:
        >>> from lrcore import Cosine
        >>> lower(Cosine(init_value=0.1, end_value=0.0, decay_steps=1000)).method
        'lookup'
        >>> lower(Cosine(init_value=0.1, end_value=0.0, decay_steps=1_000_000_000)).method
        'cubics'
    """
    schedule = as_schedule(schedule)
    request = Lowering(horizon=horizon, method=method, dtype=dtype)
    known = _TABLES.get((schedule, request))
    if known is not None:
        return known
    table = _lowered(schedule, request)
    if not any(map(_calls_python, schedule.timeline.formulas)):  # a function may give other values the next time
        _TABLES[schedule, request] = table
    return table


_TABLES: WeakValueDictionary[tuple[Schedule, Lowering], Table] = WeakValueDictionary()
"""The tables in use: equal schedules share one."""


def _lowered(schedule: Schedule, request: Lowering) -> Table:
    """The table of a schedule, computed."""
    where = f"lower({type(schedule).__name__})"
    last = LAST_COUNT if request.horizon is None else min(request.horizon, LAST_COUNT)
    line = schedule.timeline.until(last)
    clock = _clock(line, min(last, _settled_step(line, last) if line.end is None else line.end))
    calls_python = any(map(_calls_python, line.formulas))
    if request.method == "cubics" and calls_python:
        raise ScheduleError(where, "a Python function is looked up, not fitted; got method 'cubics'")
    only_lookup = request.method == "lookup" or calls_python
    short_enough = clock.entries <= LONGEST_LOOKUP + 1
    if only_lookup and not short_enough:
        asked = request.horizon or ("none" if clock.last == LAST_COUNT else clock.last)
        raise ScheduleError(
            where,
            f"a lookup takes a horizon of at most {_longest_lookup(clock)} steps; got {asked}; "
            "give the number of updates that you train for as horizon",
        )
    if only_lookup or (request.method == "auto" and clock.entries <= LOOKUP_LIMIT):
        return _lookup(line, clock)
    table = _cubics(line, clock) if request.dtype == "float32" else _polynomials(line, clock)
    if table is not None:
        return table
    if request.method == "auto" and short_enough:
        return _lookup(line, clock)
    raise ScheduleError(
        where,
        f"expected at most {PIECE_LIMIT} pieces; got more; give the number of updates that you train for as horizon",
    )


# --- the clock --------------------------------------------------------------------------------------------------------


def _clock(line: Timeline, last: int) -> Clock:
    """The clock up to step `last`: its tail is one period if the last piece repeats, otherwise the final staircases."""
    start, period = math.ceil(line.starts[-1]), line.period
    if period is None or period == 1 or start + period > last:
        return Clock(last, *_staircase_tail(line))
    tick, origin = _stair_grid(line.formulas[-1])
    tick = 1 if (start - origin) % tick else tick
    return Clock(last, start, tick, period // tick)


def _staircase_tail(line: Timeline) -> tuple[int, int]:
    """The start of the longest tail whose staircases change together, and the updates between two changes."""
    start = math.ceil(line.starts[-1])
    moving = [formula for formula in line.formulas if formula.period != 1]
    tick, origin = _stair_grid(moving[-1]) if moving else (1, 0)
    for begin, formula in zip(reversed(line.starts), reversed(line.formulas), strict=True):
        width, zero = (tick, origin) if formula.period == 1 else _stair_grid(formula)
        if width != tick or (zero - origin) % tick or (begin - origin) % tick:
            break
        start = int(begin)
    aligned = (start - origin) % tick == 0
    return start, tick if aligned else 1


def _stair_grid(formula: Formula) -> tuple[int, int]:
    """The width of a formula's stairs in whole updates, and a step at which a stair begins; a width of 1 without stairs."""
    match formula:
        case Stairs(width=width, origin=origin):
            grid = width, origin
        case Exponential(staircase=True) | InverseTime(staircase=True):
            grid = formula.decay_steps, formula.origin
        case Pointwise(formulas=parts):
            grids = {_stair_grid(part) for part in parts if part.period != 1}
            grid = grids.pop() if len(grids) == 1 else (1, 0)
        case Clipped(formula=inner):
            grid = _stair_grid(inner)
        case _:
            grid = 1, 0
    return (int(grid[0]), int(grid[1])) if all(float(number).is_integer() for number in grid) else (1, 0)


def _by_entry(line: Timeline, clock: Clock) -> Timeline:
    """The timeline indexed by entry instead of step; only its `breakpoints` are meaningful."""
    if clock.tick == 1:
        return line

    def formula_by_entry(formula: Formula) -> Formula:
        match formula:
            case Stairs(formula=inner, origin=origin):
                return inner.delayed(clock.start - (clock.start - origin) // clock.tick)
            case Exponential() | InverseTime():
                return replace(formula, staircase=False)
            case Pointwise(formulas=parts):
                return replace(formula, formulas=tuple(map(formula_by_entry, parts)))
            case Clipped(formula=inner):
                return replace(formula, formula=formula_by_entry(inner))
        return formula

    before = sum(start < clock.start for start in line.starts)
    tail = [clock.start + (math.ceil(start) - clock.start) // clock.tick for start in line.starts[before:]]
    slow = map(formula_by_entry, line.formulas[before:])
    return Timeline((*line.starts[:before], *tail), (*line.formulas[:before], *slow))


def _settled_step(line: Timeline, last: int) -> int:
    """The first step from which float32 cannot tell the last formula from its limit, `last` if there is none before it."""
    start = math.ceil(line.starts[-1])
    limit, distance = _limit_and_distance(line.formulas[-1], last)
    small = min(abs(limit), LARGEST) * NEGLIGIBLE_RATIO or HALF_SMALLEST_NORMAL
    return start + bisect_left(range(start, last), True, key=lambda step: distance(step) < small)


def _limit_and_distance(formula: Formula, last: float) -> tuple[float, Distance]:
    """The limit of a formula, and a function: the largest distance from the limit at a step and later ones, up to `last`."""
    match formula:
        case Constant() | FrozenAt():
            return float(formula.bind(SCALARS)(0)), lambda step: 0.0
        case InverseTime():
            value = formula.bind(SCALARS)
            return 0.0, lambda step: abs(float(value(step)))
        case Logistic(init=init, end=end):
            gap = min(abs(init - end), LARGEST)
            left = replace(formula, init=gap, end=0.0).bind(SCALARS)
            return end, lambda step: float(left(step))
        case Exponential(rate=rate) if abs(rate) <= 1:
            value = formula.bind(SCALARS)
            return 0.0, lambda step: abs(float(value(step)))
        case Stairs(inner, width, origin):
            limit, distance = _limit_and_distance(inner, (last - origin) // width)
            return limit, lambda step: distance(int((step - origin) // width))
        case Cycle(length=length, factor=factor, origin=origin) if _never_grows(formula, last):
            peak = _peak_bound(formula)
            return 0.0, lambda step: peak * abs(factor) ** ((step - origin) // length)
        case Clocked(inner, rate, first):
            limit, distance = _limit_and_distance(inner, rate * last + first)
            return limit, lambda step: distance(math.floor(rate * step + first))
        case Clipped(inner, low, high):
            return _limit_of_clip(*_limit_and_distance(inner, last), low, high)
        case Pointwise(operation, parts):
            limits, distances = zip(*(_limit_and_distance(part, last) for part in parts), strict=True)
            return _limit_of_sum(limits, distances) if operation == "sum" else _limit_of_product(limits, distances)
    return 0.0, lambda step: math.inf


def _limit_of_clip(limit: float, distance: Distance, low: float, high: float) -> tuple[float, Distance]:
    """The limit and distance of a clipped formula, from those of the formula inside."""

    def clipped(step: int) -> float:
        far = distance(step)
        return 0.0 if limit + far <= low or limit - far >= high else far

    return min(max(limit, low), high), clipped


def _limit_of_sum(limits: Sequence[float], distances: Sequence[Distance]) -> tuple[float, Distance]:
    """The limit and distance of a sum, from those of its terms."""
    return sum(limits), lambda step: sum(distance(step) for distance in distances)


def _limit_of_product(limits: Sequence[float], distances: Sequence[Distance]) -> tuple[float, Distance]:
    """The limit and distance of a product, from those of its factors."""

    def distance_of_product(step: int) -> float:
        far = [distance(step) for distance in distances]
        most = [abs(limit) + one for limit, one in zip(limits, far, strict=True)]
        if 0 in limits:
            return math.prod(most)
        return sum(one * math.prod(most[:n] + most[n + 1 :]) for n, one in enumerate(far))

    return math.prod(limits), distance_of_product


def _never_grows(cycle: Cycle, last: float) -> bool:
    """Whether the steps up to `last` hold a whole cycle, and no cycle exceeds the one before.

    Cycles of equal size settle only if all their values are 0. A Python function is not called to find that out.
    """
    is_bounded = abs(cycle.factor) < 1 or (abs(cycle.factor) == 1 and not _calls_python(cycle))
    return is_bounded and last - cycle.origin >= cycle.length


def _peak_bound(cycle: Cycle) -> float:
    """An upper bound of one cycle: twice the largest sample; infinite if it has too many breakpoints to sample them all."""
    line, end = cycle.timeline, math.ceil(cycle.length)
    most = LONGEST_LOOKUP if end <= LONGEST_LOOKUP and abs(cycle.factor) < 1 else PIECE_LIMIT
    breakpoints = list(islice(line.breakpoints(end), most + 1))
    if len(breakpoints) > most:
        return math.inf
    steps: set[float] = {0, end, *breakpoints, *(end * part // SAMPLES_PER_CUBIC for part in range(SAMPLES_PER_CUBIC))}
    calls_python = _calls_python(cycle)
    if not cycle.mirror and calls_python:
        steps.remove(end)  # it belongs to the next cycle: do not call the function there
    if not float(cycle.length).is_integer() and not calls_python:
        steps |= {step - 0.5 for step in steps if step}  # later cycles are evaluated between whole steps, too
    return 2 * max(abs(float(line.at(step))) for step in steps)


def _calls_python(formula: Formula) -> bool:
    """Whether the formula calls a user's function with each step; FrozenAt calls it with one time only and does not count."""
    return isinstance(formula, UserFunction) or any(map(_calls_python, inner_formulas(formula)))


def _longest_lookup(clock: Clock) -> int:
    """The longest horizon that this clock covers with LONGEST_LOOKUP + 1 entries."""
    tick = 1 if clock.period else clock.tick
    return max(LONGEST_LOOKUP, clock.start + (LONGEST_LOOKUP + 1 - clock.start) * tick - 1)


def _lookup(line: Timeline, clock: Clock) -> Lookup:
    import numpy as np

    return Lookup(clock, _exact_values(line, clock.step(np.arange(clock.entries))))


def _exact_values(line: Timeline, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """The values of `line.at` at rising steps, to the bit; each piece is bound once, a piece with many steps to numpy."""
    import numpy as np

    exact, values, first = exact_arrays(), np.empty(steps.shape), 0
    ends = [*np.searchsorted(steps, line.starts[1:]).tolist(), steps.size]
    for formula, end in zip(line.formulas, ends, strict=True):
        if isinstance(formula, Constant):
            values[first:end] = formula.value
        elif end - first >= ARRAY_THRESHOLD:
            values[first:end] = in_blocks(formula.bind(exact), steps[first:end])
        elif end > first:
            values[first:end] = list(map(formula.bind(SCALARS), steps[first:end].tolist()))
        first = end
    return values


# --- fitting ----------------------------------------------------------------------------------------------------------
#
# All rows are fitted at once. The candidate for a row is the cubic through four of its entries. It is evaluated in the
# table's integer arithmetic and compared with the schedule at SAMPLES_PER_CUBIC + 1 entries. A row that misses is halved;
# a row of a single entry always fits.


def _cubics(line: Timeline, clock: Clock) -> Cubics | None:
    """The table of cubics; None if it needs more than PIECE_LIMIT rows."""
    import numpy as np

    fitted = _fitted_rows(_fit, line, clock)
    if fitted is None:
        return None
    exponents = fitted[:, 6]
    fitted[:, 2] = _constant_terms(line, clock.step(fitted[:, 0]), exponents)
    rows32 = fitted[:, :6].astype(np.int32)
    return Cubics(clock, rows32[:, 0].copy(), rows32, np.ldexp(np.float32(1), (exponents - 31) // 2))


def _polynomials(line: Timeline, clock: Clock) -> Polynomials | None:
    """The table of polynomials in float64; None if it needs more than PIECE_LIMIT rows.

    No polynomial has a small relative error where terms of the schedule cancel: there its own values are inexact.
    """
    import numpy as np

    fitted = _fitted_rows(_fit_float64, line, clock)
    if fitted is None:
        steps = np.unique([0, *islice(line.breakpoints(clock.last + 1), PIECE_LIMIT), clock.last])
        largest = np.abs(_exact_values(line, steps)).max()
        fitted = _fitted_rows(partial(_fit_float64, slack=TOLERANCE_FLOAT64 * largest), line, clock)
    if fitted is None:
        return None
    starts = fitted[:, 0].astype(np.int32)
    fitted[:, 2] = _exact_values(line, clock.step(starts.astype(np.int64)))
    return Polynomials(clock, starts, fitted[:, 1:].copy())


def _fitted_rows(fit: Fit, line: Timeline, clock: Clock) -> NDArray[Any] | None:
    """Rows that fit, sorted by their first entry; None if there would be more than PIECE_LIMIT."""
    import numpy as np

    breakpoints = islice(_by_entry(line, clock).breakpoints(clock.entries), PIECE_LIMIT)
    starts = np.unique([*range(min(EXACT_HEAD, clock.entries)), *breakpoints])
    ends = np.append(starts[1:], clock.entries)
    found, count, function = [], 0, line.bind(arrays())

    def value(entries: NDArray[np.int64]) -> Any:
        return in_blocks(function, clock.step(entries))

    while starts.size:
        if count + starts.size > PIECE_LIMIT:
            return None
        rows, fits = fit(value, starts, ends)
        found.append(rows[fits])
        count += len(found[-1])
        starts, ends = starts[~fits], ends[~fits]
        middles = (starts + ends) // 2
        starts, ends = np.concatenate([starts, middles]), np.concatenate([middles, ends])
    fitted = np.concatenate(found)
    return fitted[np.argsort(fitted[:, 0])]


def _fit(value: ArrayFunction, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[Any, Any]:
    """Rows (start, shift, c0, c1, c2, c3, exponent), and which of them fit.

    The polynomial of a row gives value * 2**(31 - exponent). The exponent is odd, so that the scale has a square root.
    """
    import numpy as np

    last = (ends - starts - 1)[:, None]
    shift = 30 - np.frexp(last)[1]
    nodes = np.rint(last * np.array(CHEBYSHEV_NODES)).astype(np.int64)
    samples = last * np.arange(SAMPLES_PER_CUBIC + 1) // SAMPLES_PER_CUBIC
    values = in_range(value(starts[:, None] + np.concatenate([nodes, samples], axis=1)))
    exponent = np.minimum(np.frexp(np.abs(values).max(axis=1, keepdims=True) * OVERSHOOT)[1], 128) | 1
    wanted = np.ldexp(values, 31 - exponent)
    coefficients = np.rint(_cubics_through(nodes * 2.0 ** (shift - 30), wanted[:, :4]))
    sound = (np.abs(coefficients[:, 1:]).sum(axis=1) < 2**30) & (shift[:, 0] >= 0)
    coefficients[~sound, 1:] = 0
    columns = [column[:, None].astype(np.int32) for column in coefficients.T]
    got = polynomial(np, (samples << np.maximum(shift, 0)).astype(np.int32), *columns)
    wanted = wanted[:, 4:]
    missed = np.abs(got - wanted) > TOLERANCE * np.ldexp(1.0, np.frexp(wanted)[1] - 24)
    steady = (np.abs(wanted).min(axis=1) >= SMALLEST_FIXED_POINT) | ~coefficients[:, 1:].any(axis=1)
    fits = sound & steady & ~missed.any(axis=1) | (last[:, 0] == 0)
    return np.column_stack([starts, shift, coefficients.astype(np.int64), exponent]), fits


def _fit_float64(
    value: ArrayFunction, starts: NDArray[np.int64], ends: NDArray[np.int64], slack: float = 0.0
) -> tuple[Any, Any]:
    """Rows (start, width, c0 ... c7), and which of them fit; a row too short for its nodes is a constant.

    An absolute error of `slack` is allowed beside the relative one.
    """
    import numpy as np

    powers = np.arange(DEGREE_FLOAT64 + 1)
    last = (ends - starts - 1)[:, None]
    width = np.ldexp(1.0, -np.frexp(last)[1])
    nodes = np.rint(last * (1 - np.cos(np.pi * powers / DEGREE_FLOAT64)) / 2).astype(np.int64)
    samples = last * np.arange(2 * SAMPLES_PER_CUBIC + 1) // (2 * SAMPLES_PER_CUBIC)
    values = value(starts[:, None] + np.concatenate([nodes, samples], axis=1))
    known, wanted = values[:, : powers.size], values[:, powers.size :]
    coefficients = np.where(powers, 0.0, known[:, :1])
    long = (np.diff(nodes) > 0).all(axis=1)
    scale = np.abs(known[long]).max(axis=1, keepdims=True, initial=np.finfo(np.float64).tiny)
    matrix = (nodes[long] * width[long])[:, :, None] ** powers
    got = np.zeros_like(wanted)
    with np.errstate(over="ignore", invalid="ignore"):
        coefficients[long] = np.linalg.solve(matrix, (known[long] / scale)[:, :, None])[:, :, 0] * scale
        for column in reversed(coefficients.T):
            got = column[:, None] + samples * width * got
        fits = (np.abs(got - wanted) <= TOLERANCE_FLOAT64 * np.abs(wanted) + slack).all(axis=1) | (last[:, 0] == 0)
    return np.column_stack([starts, width, coefficients]), fits


def _cubics_through(u: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Coefficients of the cubics through four points each, the first at u = 0; a constant where two points coincide."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (y[:, 1:] - y[:, :1]) / u[:, 1:]
        bend = np.diff(slope) / np.diff(u[:, 1:])
        c3 = (bend[:, 1] - bend[:, 0]) / (u[:, 3] - u[:, 1])
        c2 = bend[:, 0] - c3 * (u[:, 1] + u[:, 2])
        c1 = slope[:, 0] - c2 * u[:, 1] - c3 * u[:, 1] ** 2
    coefficients = np.column_stack([y[:, 0], c1, c2, c3])
    coefficients[~np.isfinite(coefficients).all(axis=1), 1:] = 0
    return coefficients


def _constant_terms(line: Timeline, steps: NDArray[np.int64], exponents: NDArray[np.int64]) -> NDArray[np.int64]:
    """c0 of each row: the value at its first entry, rounded so that float32(c0) == float32(value).

    Plain rounding to an integer, then to float32, would round twice.
    """
    import numpy as np

    values = in_range(_exact_values(line, steps))
    wanted = np.ldexp(values, 31 - exponents)
    c0 = np.rint(wanted)
    return (c0 + np.where(c0.astype(np.float32) != wanted.astype(np.float32), np.sign(wanted - c0), 0)).astype(np.int64)
