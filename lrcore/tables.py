"""What compiled frameworks evaluate instead of Python: a schedule lowered into arrays, read with integer arithmetic.

A compiled training step cannot call back into Python for a learning rate, and formulas rewritten in float32 disagree
with themselves and with one another. So a schedule becomes a table of its float64 values, and the one evaluation here is
written over a tiny array namespace (`Namespace`) that numpy, `jax.numpy` and `keras.ops` all are.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from lrcore.descriptions import Description, Steps
from lrcore.errors import ScheduleError
from lrcore.formulas import SCALARS
from lrcore.schedules import Function, Schedule, as_schedule
from lrcore.timeline import PIECE_LIMIT, Constant, Cycle, Exponential, Formula, InverseTime, Pointwise, Stairs, Timeline

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LAST_COUNT = 2**31 - 1
"""Where the frameworks' int32 counters end, and every table with them."""

LOOKUP_LIMIT = 2**18
LONGEST_LOOKUP = 2**22
HEAD = 256  # steps that are looked up one by one in every table
SAMPLES = 24
TOLERANCE = 0.1  # float32 ulp at the samples, beside the half of one that the last rounding costs
LEAST = 2**26  # of a polynomial, which rounding may change by 1.5 at any step: here an ulp of float32 is 8
NEGLIGIBLE = 2.0**-60  # beside the limit of an endless schedule
SMALLEST = 2.0**-127  # float32 has no normal number below its double
NODES = (0.0, 0.2813, 0.6792, 0.9604)  # Chebyshev's of degree 4, stretched until the first is at 0
HEADROOM = 1.004  # for what a cubic reaches between its samples

Array: TypeAlias = Any  # whatever the namespace computes with
Cast: TypeAlias = Callable[[Any, str], Any]
ArrayFunction: TypeAlias = Callable[[Any], Any]
Floating: TypeAlias = Literal["float32", "float64"]
Method: TypeAlias = Literal["auto", "lookup", "cubics"]


class Namespace(Protocol):
    """The operations that tables are evaluated with, as `numpy`, `jax.numpy` and `keras.ops` name them."""

    def clip(self, x: Array, low: int, high: int, /) -> Array: ...
    def floor_divide(self, x: Array, y: int, /) -> Array: ...
    def mod(self, x: Array, y: int, /) -> Array: ...
    def where(self, condition: Array, x: Array, y: Array, /) -> Array: ...
    def take(self, x: Array, indices: Array, /, *, axis: int) -> Array: ...
    def searchsorted(self, x: Array, values: Array, /, *, side: Literal["right"]) -> Array: ...
    def split(self, x: Array, sections: int, /, *, axis: int) -> Any: ...
    def reshape(self, x: Array, shape: Any, /) -> Array: ...
    def shape(self, x: Array, /) -> Any: ...
    def left_shift(self, x: Array, y: Array, /) -> Array: ...
    def right_shift(self, x: Array, y: int, /) -> Array: ...
    def bitwise_and(self, x: Array, y: int, /) -> Array: ...


class Table(Protocol):
    """A schedule as arrays.

    Attributes:
        method: `lookup` (one value per step) or `cubics` (piecewise cubic polynomials).
        nbytes: the size of the arrays.
    """

    @property
    def method(self) -> str: ...
    @property
    def nbytes(self) -> int: ...

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        """The values at some steps, computed by the array namespace of a framework: traced, compiled or eager.

        Args:
            xp: the namespace: `numpy`, `jax.numpy`, `keras.ops` or another with the operations of `Namespace`.
            step: an array of int32 or int64 of the framework, of any shape; below 0 it counts as 0, and the table's last
                value is held for ever.
            cast: `cast(array, name)` converts an array to a type: `keras.ops.cast`, or `lambda x, name: x.astype(name)`.
            dtype: the floating type of the result; float64 only where the framework has it switched on.

        Returns:
            An array of the shape of `step`.

        Example:
            >>> import numpy as np
            >>> from lrcore import Linear, lower
            >>> table = lower(Linear(init_value=1.0, end_value=0.0, decay_steps=4))
            >>> table.evaluate(np, np.array([0, 1, 4, 9]), lambda x, name: x.astype(name)).tolist()
            [1.0, 0.75, 0.0, 0.0]
        """
        ...


class Clock(Struct, frozen=True):
    """How a step becomes the number of an entry, in integers. One entry is one step up to the tail.

    Attributes:
        last: the step from which the value is held.
        start: the step at which the tail begins.
        tick: the updates for which one entry of the tail holds.
        period: the entries in one cycle of the tail; 0 if it does not repeat.
    """

    last: int
    start: int = 0
    tick: int = 1
    period: int = 0

    @property
    def entries(self) -> int:
        return self.start + (self.period or (self.last - self.start) // self.tick + 1)

    def entry(self, xp: Namespace, step: Array) -> Array:
        step = xp.clip(step, 0, self.last)
        if self.tick == 1 and not self.period:
            return step
        tail = step - self.start
        if self.tick > 1:
            tail = xp.floor_divide(tail, self.tick)
        if self.period:
            tail = xp.mod(tail, self.period)
        return xp.where(step < self.start, step, tail + self.start)

    def step(self, entries: NDArray[np.int64]) -> NDArray[np.int64]:
        """The first step of each entry."""
        import numpy as np

        return np.where(entries < self.start, entries, (entries - self.start) * self.tick + self.start)


class Lookup(Struct, frozen=True, eq=False, dict=True):
    """A table with one value per entry: exactly the float64 value of the schedule, rounded once."""

    clock: Clock
    values: NDArray[np.float64]

    @property
    def method(self) -> str:
        return "lookup"

    @property
    def nbytes(self) -> int:
        return self.values.nbytes

    @cached_property
    def _float32(self) -> NDArray[np.float32]:
        import numpy as np

        return _in_range(self.values).astype(np.float32)

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        entry = cast(self.clock.entry(xp, step), "int32")
        return xp.take(self._float32 if dtype == "float32" else self.values, entry, axis=0)


class Cubics(Struct, frozen=True, eq=False):
    """A table of cubic polynomials, evaluated in fixed point.

    Row i holds for the entries from starts[i] on. With u = (entry - start) 2**shift / 2**30, in [0, 1), the value is
    (c0 + u (c1 + u (c2 + u c3))) root**2, the sum in 32-bit integers: a compiler may fuse and reorder floating-point sums
    as it likes, but there is none here, so every compiler gives the same bits. Nor is there a constant factor: multiplied
    with a row's before anything else, as TensorFlow does, it would leave float32's range.

    Attributes:
        starts: the first entry of each row.
        rows: start, shift, c0, c1, c2, c3 of each row.
        roots: a power of two for each row, so that small values keep their digits.
    """

    clock: Clock
    starts: NDArray[np.int32]
    rows: NDArray[np.int32]
    roots: NDArray[np.float32]

    @property
    def method(self) -> str:
        return "cubics"

    @property
    def nbytes(self) -> int:
        return self.starts.nbytes + self.rows.nbytes + self.roots.nbytes

    def evaluate(self, xp: Any, step: Array, cast: Cast, dtype: Floating = "float32") -> Array:
        entry = xp.reshape(cast(self.clock.entry(xp, step), "int32"), (-1,))
        row = cast(xp.searchsorted(self.starts, entry, side="right"), "int32") - 1
        start, shift, *coefficients = xp.split(xp.take(self.rows, row, axis=0), 6, axis=1)
        elapsed = xp.left_shift(xp.reshape(entry, (-1, 1)) - start, shift)
        fixed = xp.reshape(_polynomial(xp, elapsed, *coefficients), xp.shape(step))
        root = cast(xp.reshape(xp.take(self.roots, row, axis=0), xp.shape(step)), dtype)
        return cast(fixed, dtype) * root * root


def _polynomial(xp: Namespace, u: Array, c0: Array, c1: Array, c2: Array, c3: Array) -> Array:
    """c0 + u (c1 + u (c2 + u c3)) in 32-bit integers, u in units of 2**-30, to within 1.5."""
    high, low = xp.right_shift(u, 15), xp.bitwise_and(u, 2**15 - 1)

    def times_u(c: Array) -> Array:
        top, bottom = xp.right_shift(c, 16), xp.bitwise_and(c, 2**16 - 1)
        rest = xp.right_shift(bottom * high, 1) + top * low + xp.right_shift(bottom * low, 16)
        return 2 * (top * high) + xp.right_shift(rest + 2**13, 14)

    return c0 + times_u(c1 + times_u(c2 + times_u(c3)))


class Lowering(Description, frozen=True, kw_only=True):
    """What `lower` is asked for, checked."""

    horizon: Steps | None = None
    method: Method = "auto"


def lower(schedule: Schedule | Callable[[int], float], horizon: int | None = None, method: Method = "auto") -> Table:
    """The table of a schedule, for frameworks that compile.

    A schedule of at most 2**18 different steps (its last value is held, a cycle is counted once, and stairs by the step)
    becomes a lookup of its own float64 values: the same bits as in the frameworks that ask the host. A longer one becomes
    piecewise cubics: the same bits for the first 256 steps and wherever a piece begins, at most 1 ulp of float32 from them at
    every other step up to 2**31 - 1.

    Args:
        schedule: a schedule, or a Python function of the step.
        horizon: the step from which the table holds its value; needed for a Python function that states none itself.
        method: `lookup` (at most 2**22 steps), `cubics` (at most 32,768 pieces, no Python function inside), or `auto`: the
            former for up to 2**18 steps and for what has too many pieces.

    Raises:
        ScheduleError: the schedule is longer than 2**31 - 1 updates, or no method holds it; the message says which horizon
            would.

    Example:
        >>> from lrcore import Cosine
        >>> lower(Cosine(init_value=0.1, end_value=0.0, decay_steps=1000)).method
        'lookup'
        >>> lower(Cosine(init_value=0.1, end_value=0.0, decay_steps=1_000_000_000)).method
        'cubics'
    """
    schedule = as_schedule(schedule)
    request = Lowering(horizon=horizon, method=method)
    where = f"lower({type(schedule).__name__})"
    clock = _clock(schedule.timeline, _last_step(schedule, request.horizon, where))
    calls_python = _calls_python(schedule)
    if request.method == "cubics" and calls_python:
        raise ScheduleError(where, "a Python function is looked up, not fitted; got method 'cubics'")
    only_lookup = request.method == "lookup" or calls_python
    short_enough = clock.entries <= LONGEST_LOOKUP + 1
    if only_lookup and not short_enough:
        raise ScheduleError(
            where,
            f"a lookup takes a horizon of at most {LONGEST_LOOKUP} steps; got {request.horizon or 'none'}; "
            "give the number of updates that you train for as horizon",
        )
    if only_lookup or (request.method == "auto" and clock.entries <= LOOKUP_LIMIT):
        return _lookup(schedule, clock)
    table = _cubics(schedule, clock)
    if table is not None:
        return table
    if request.method == "auto" and short_enough:
        return _lookup(schedule, clock)
    raise ScheduleError(
        where,
        f"expected at most {PIECE_LIMIT} pieces; got more; give the number of updates that you train for as horizon",
    )


# --- the clock --------------------------------------------------------------------------------------------------------


def _last_step(schedule: Schedule, horizon: int | None, where: str) -> int:
    """The step from which the value does not change, as far as the frameworks count and float32 can tell."""
    line = schedule.timeline
    reach = max(schedule.length or 0, line.end or 0) if horizon is None else horizon
    if reach > LAST_COUNT:
        raise ScheduleError(
            where,
            f"expected at most {LAST_COUNT} updates, where the frameworks' counters end; got {reach}; "
            "give the number of updates that you train for as horizon",
        )
    return min(step for step in (LAST_COUNT, line.end, _faded(line), horizon) if step is not None)


def _clock(line: Timeline, last: int) -> Clock:
    start, period = math.ceil(line.starts[-1]), line.period
    if period is not None and period > 1:
        tick, origin = _grid(line.formulas[-1])
        tick = 1 if (start - origin) % tick else tick
        clock = Clock(last, start, tick, period // tick)
    else:
        clock = Clock(last, *_stairs(line))
    return clock if clock.start + clock.period * clock.tick <= last else Clock(last)


def _stairs(line: Timeline) -> tuple[int, int]:
    """The step from which one clock drives all stairs to the end, and the updates of its tick."""
    start = math.ceil(line.starts[-1])
    moving = [formula for formula in line.formulas if formula.period != 1]
    tick, origin = _grid(moving[-1]) if moving else (1, 0)
    for begin, formula in zip(reversed(line.starts), reversed(line.formulas), strict=True):
        width, zero = (tick, origin) if formula.period == 1 else _grid(formula)
        if width != tick or (zero - origin) % tick or (begin - origin) % tick:
            break
        start = int(begin)
    aligned = (start - origin) % tick == 0
    return start, tick if aligned else 1


def _grid(formula: Formula) -> tuple[int, int]:
    """The whole updates for which a formula of stairs holds each value, and a step at which it changes; 1 if it has none."""
    match formula:
        case Stairs(width=width, origin=origin):
            grid = width, origin
        case Exponential(staircase=True) | InverseTime(staircase=True):
            grid = formula.decay_steps, formula.origin
        case Pointwise(formulas=parts):
            grids = {_grid(part) for part in parts if part.period != 1}
            grid = grids.pop() if len(grids) == 1 else (1, 0)
        case _:
            grid = 1, 0
    return (int(grid[0]), int(grid[1])) if all(float(number).is_integer() for number in grid) else (1, 0)


def _by_entry(line: Timeline, clock: Clock) -> Timeline:
    """The timeline with entries for steps, good for its cuts."""
    if clock.tick == 1:
        return line

    def formula_by_entry(formula: Formula) -> Formula:
        match formula:
            case Stairs(formula=inner, origin=origin):
                return inner.moved(clock.start - (clock.start - origin) // clock.tick)
            case Exponential() | InverseTime():
                return replace(formula, staircase=False)
            case Pointwise(formulas=parts):
                return replace(formula, formulas=tuple(map(formula_by_entry, parts)))
        return formula

    before = sum(start < clock.start for start in line.starts)
    tail = [clock.start + (math.ceil(start) - clock.start) // clock.tick for start in line.starts[before:]]
    slow = map(formula_by_entry, line.formulas[before:])
    return Timeline((*line.starts[:before], *tail), (*line.formulas[:before], *slow))


def _faded(line: Timeline) -> int | None:
    """The step from which float32 no longer tells the last formula from its limit; None if there is no such step."""
    start, formula = math.ceil(line.starts[-1]), line.formulas[-1]
    parts = formula.formulas if isinstance(formula, Pointwise) and formula.operation == "sum" else (formula,)
    limit = math.fsum(part.value for part in parts if isinstance(part, Constant))
    moving = [part for part in parts if not isinstance(part, Constant)]
    small = abs(limit) * NEGLIGIBLE or SMALLEST

    def negligible(step: int) -> bool:
        return math.fsum(_bound(part, step) for part in moving) < small

    if not moving or not negligible(LAST_COUNT):
        return None
    return start + bisect_left(range(start, LAST_COUNT), True, key=negligible)


def _bound(formula: Formula, step: int) -> float:
    """What a formula does not exceed, either way, from a step on."""
    match formula:
        case Constant() | InverseTime():
            return abs(float(formula.bind(SCALARS)(step)))
        case Exponential(rate=rate) if abs(rate) <= 1:
            return abs(float(formula.bind(SCALARS)(step)))
        case Stairs(inner, width, origin):
            return _bound(inner, int((step - origin) // width))
        case Cycle(line, length, _, factor, origin) if abs(factor) <= 1:
            return float(_peak(line, length) * abs(factor) ** ((step - origin) // length))
        case Pointwise("sum", parts):
            return math.fsum(_bound(part, step) for part in parts)
        case Pointwise("product", parts):
            return math.prod(_bound(part, step) for part in parts)
    return math.inf


@lru_cache(maxsize=16)
def _peak(line: Timeline, length: float) -> float:
    """Not less than what one cycle reaches: twice what it shows at its cuts and between them."""
    end = math.ceil(length)
    steps = {0, end, *islice(line.cuts(end), PIECE_LIMIT), *(end * part // SAMPLES for part in range(SAMPLES))}
    return 2 * max(abs(float(line.at(step))) for step in steps)


def _calls_python(schedule: Schedule) -> bool:
    return isinstance(schedule, Function) or any(map(_calls_python, schedule.children))


def _lookup(schedule: Schedule, clock: Clock) -> Lookup:
    import numpy as np

    at: Callable[[int], float] = schedule.at
    steps = clock.step(np.arange(clock.entries)).tolist()
    return Lookup(clock, np.fromiter(map(at, steps), dtype=np.float64, count=clock.entries))


# --- fitting ----------------------------------------------------------------------------------------------------------
#
# All rows are fitted at once. A candidate is the cubic through four of its steps; it is compared with the schedule at up
# to SAMPLES more, in the very integers that will be evaluated, and halved if it misses. A single step always fits.


def _cubics(schedule: Schedule, clock: Clock) -> Cubics | None:
    """The cubics, None if there would be too many."""
    import numpy as np

    cuts = islice(_by_entry(schedule.timeline, clock).cuts(clock.entries), PIECE_LIMIT)
    starts = np.unique([*range(min(HEAD, clock.entries)), *cuts])
    ends = np.append(starts[1:], clock.entries)
    fitted = np.empty((0, 7), dtype=np.int64)

    def value(entries: NDArray[np.int64]) -> NDArray[np.float64]:
        return schedule.values(clock.step(entries))

    while starts.size:
        if len(fitted) + starts.size > PIECE_LIMIT:
            return None
        rows, fits = _fit(value, starts, ends)
        fitted = np.concatenate([fitted, rows[fits]])
        starts, ends = starts[~fits], ends[~fits]
        middles = (starts + ends) // 2
        starts, ends = np.concatenate([starts, middles]), np.concatenate([middles, ends])
    fitted = fitted[np.argsort(fitted[:, 0])]
    exponents = fitted[:, 6]
    fitted[:, 2] = _first_values(schedule, clock.step(fitted[:, 0]), exponents)
    rows32 = fitted[:, :6].astype(np.int32)
    return Cubics(clock, rows32[:, 0].copy(), rows32, np.ldexp(np.float32(1), (exponents - 31) // 2))


def _fit(value: ArrayFunction, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> tuple[Any, Any]:
    """Rows (start, shift, c0, c1, c2, c3, exponent) of value 2**(31 - exponent), exponents odd, and which of them fit."""
    import numpy as np

    last = (ends - starts - 1)[:, None]
    shift = 30 - np.frexp(last)[1]
    nodes = np.rint(last * np.array(NODES)).astype(np.int64)
    samples = last * np.arange(SAMPLES + 1) // SAMPLES
    values = _in_range(value(starts[:, None] + np.concatenate([nodes, samples], axis=1)))
    exponent = np.minimum(np.frexp(np.abs(values).max(axis=1, keepdims=True) * HEADROOM)[1], 128) | 1
    wanted = np.ldexp(values, 31 - exponent)
    coefficients = np.rint(_through(nodes * 2.0 ** (shift - 30), wanted[:, :4]))
    sound = (np.abs(coefficients[:, 1:]).sum(axis=1) < 2**30) & (shift[:, 0] >= 0)
    coefficients[~sound, 1:] = 0
    columns = [column[:, None].astype(np.int32) for column in coefficients.T]
    got = _polynomial(np, (samples << np.maximum(shift, 0)).astype(np.int32), *columns)
    wanted = wanted[:, 4:]
    missed = np.abs(got - wanted) > TOLERANCE * np.ldexp(1.0, np.frexp(wanted)[1] - 24)
    steady = (np.abs(wanted).min(axis=1) >= LEAST) | ~coefficients[:, 1:].any(axis=1)
    fits = sound & steady & ~missed.any(axis=1) | (last[:, 0] == 0)
    return np.column_stack([starts, shift, coefficients.astype(np.int64), exponent]), fits


def _through(u: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cubics through four points of which the first is at 0; constants where the points are fewer."""
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


def _first_values(schedule: Schedule, steps: NDArray[np.int64], exponents: NDArray[np.int64]) -> NDArray[np.int64]:
    """c0 of each row from the host's own value, such that its float32 is that of the value: no second rounding."""
    import numpy as np

    values = _in_range(np.array([schedule.at(step) for step in steps.tolist()]))
    wanted = np.ldexp(values, 31 - exponents)
    c0 = np.rint(wanted)
    return (c0 + np.where(c0.astype(np.float32) != wanted.astype(np.float32), np.sign(wanted - c0), 0)).astype(np.int64)


def _in_range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for what float32 has no normal number for, since compilers differ there; its largest one for what is beyond."""
    import numpy as np

    limits = np.finfo(np.float32)
    clipped = np.clip(values, limits.min, limits.max)
    return np.where(np.abs(clipped).astype(np.float32) < limits.tiny, 0.0, clipped)
