"""What is known of a formula without evaluating it: its normal form, its repetition, its cycles laid out, its parts."""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from lrcore.curves.formulas import LARGEST, LAST_STEP, SCALARS, SYMMETRIC
from lrcore.curves.pieces import (
    Clipped,
    Constant,
    Cycle,
    Exponential,
    Formula,
    FrozenAt,
    InverseTime,
    Logistic,
    Pointwise,
    Ramp,
    Reverse,
    Stairs,
    UserFunction,
)
from lrcore.curves.timeline import Timeline

_SATURATION_LIMIT = 2**24
"""The steps or cycles within which a search expects a formula to reach 0 or the largest float64."""
_END_OF_LOGISTIC = 750  # time constants after the midpoint: e**-750 is 0 in float64
_MOST_UNROLLED = 2**12  # pieces of cycles that are laid out

# --- normal forms -----------------------------------------------------------------------------------------------------


def normal(formula: Formula, *, at_steps: bool = True) -> Formula:
    """The normal form: formulas that share it have equal values. Equal formulas may still have different normal forms.

    Args:
        formula: any formula.
        at_steps: whether it is evaluated at whole times only; this is false inside a cycle of a real length.

    Example:
        >>> normal(Stairs(Exponential(0.1, 0.5, 1, False), 10))
        Exponential(init=0.1, rate=0.5, decay_steps=10, staircase=True, origin=0)
    """
    match formula:
        case Ramp():
            return _normal_ramp(formula)
        case Exponential() | InverseTime():
            single = at_steps and formula.decay_steps == 1 and _is_whole(formula.origin)
            return replace(formula, staircase=True) if single else formula
        case Stairs(formula=inner):
            return _normal_stairs(replace(formula, formula=normal(inner)), at_steps=at_steps)
        case Cycle():
            return _normal_cycle(formula, at_steps=at_steps)
        case Reverse(timeline=inner, about=about):
            line = _normal_line(inner, at_steps=at_steps and _is_whole(about))
            return _single_constant(line) or replace(formula, timeline=line)
        case Pointwise(operation=operation, formulas=parts):
            return _normal_pointwise(operation, [normal(part, at_steps=at_steps) for part in parts])
        case Clipped(formula=inner, low=low, high=high):
            inner = normal(inner, at_steps=at_steps)
            return inner if (low, high) == (-LARGEST, LARGEST) else replace(formula, formula=inner)
    return formula


def _normal_line(line: Timeline, *, at_steps: bool) -> Timeline:
    """The timeline with its formulas in normal form; neighbours with the same normal form become one piece."""
    formulas_ = [normal(formula, at_steps=at_steps) for formula in line.formulas]
    pieces = list(zip(line.starts, formulas_, strict=True))
    kept = [pieces[0], *(after for before, after in itertools.pairwise(pieces) if before[1] != after[1])]
    return Timeline(tuple(start for start, _ in kept), tuple(formula for _, formula in kept))


def _single_constant(line: Timeline) -> Constant | None:
    """The constant that is the whole timeline; None if the timeline is anything else."""
    [*others, last] = line.formulas
    return last if isinstance(last, Constant) and not others else None


def _normal_ramp(ramp: Ramp) -> Formula:
    """The ramp without the options that do not change its values: `rising` does not matter for symmetric shapes."""
    if ramp.shape == "exponential":
        return replace(ramp, rising=False, parameter=1.0)
    if ramp.parameter == 1 and ramp.shape in SYMMETRIC:
        return replace(ramp, rising=False, shape="linear" if ramp.shape == "power" else ramp.shape)
    return ramp


def _normal_cycle(cycle: Cycle, *, at_steps: bool) -> Formula:
    """The cycle with its origin reduced to the first period."""
    whole = _is_whole(cycle.length) and _is_whole(cycle.origin)
    line = _normal_line(cycle.timeline, at_steps=at_steps and whole)
    if cycle.factor == 1 and (constant := _single_constant(line)):
        return constant
    period = cycle.period
    return replace(cycle, timeline=line, origin=cycle.origin % period if period and whole else cycle.origin)


def _normal_stairs(stairs: Stairs, *, at_steps: bool) -> Formula:
    """The stairs merged into their formula, where that keeps every value.

    A staircase decay gets longer steps, inner stairs get wider, and a sum or product becomes one of stairs.
    """
    inner, width, origin = stairs.formula, stairs.width, stairs.origin
    if isinstance(inner, Constant):
        return inner
    if not (_is_whole(width) and _is_whole(origin)):
        return stairs
    if width == 1 and at_steps:
        return normal(inner.delayed(origin))
    match inner:
        case Exponential() | InverseTime():
            length = inner.decay_steps * width
            if inner.staircase and _is_whole(inner.decay_steps) and _is_whole(inner.origin) and length <= LAST_STEP:
                return replace(inner, decay_steps=length, origin=origin + inner.origin * width)
        case Pointwise(operation=operation, formulas=parts):
            wide = [_normal_stairs(replace(stairs, formula=part), at_steps=at_steps) for part in parts]
            return _normal_pointwise(operation, wide)
        case Clipped():
            return replace(inner, formula=_normal_stairs(replace(stairs, formula=inner.formula), at_steps=at_steps))
        case Stairs():
            if _is_whole(inner.width) and _is_whole(inner.origin) and inner.width * width <= LAST_STEP:
                return Stairs(inner.formula, inner.width * width, origin + inner.origin * width)
    return stairs


def _normal_pointwise(operation: str, parts: Sequence[Formula]) -> Formula:
    """The sum or product, flattened and sorted as far as that keeps every value.

    It is computed from left to right: only the first two parts commute, and only a first part may be a nested sum.
    """
    first, *rest = [*sorted(parts[:2], key=lambda part: not isinstance(part, Pointwise)), *parts[2:]]
    inside = first.formulas if isinstance(first, Pointwise) and first.operation == operation else (first,)
    flat = [*inside, *rest]
    whole = Pointwise(operation, (*sorted(flat[:2], key=repr), *flat[2:]))
    return Constant(whole.bind(SCALARS)(0)) if all(isinstance(part, Constant) for part in flat) else whole


def _is_whole(time: float) -> bool:
    return float(time).is_integer()


# --- cycles laid out ---------------------------------------------------------------------------------------------------


def unrolled(formula: Formula, start: int, stop: int) -> Timeline | None:
    """The pieces of a formula between two steps, with its cycles laid out; None if it has no cycles, or too many.

    Only cycles of whole lengths and times are laid out: then every value stays the same to the bit.
    """
    pieces = list(itertools.islice(_laid_out(formula, start, stop), _MOST_UNROLLED + 1))
    if len(pieces) > _MOST_UNROLLED or pieces == [(start, formula)]:
        return None
    return Timeline((0, *(begin for begin, _ in pieces[1:])), tuple(piece for _, piece in pieces))


def _laid_out(formula: Formula, start: int, stop: int) -> Iterator[tuple[int, Formula]]:
    match formula:
        case Cycle(factor=1, length=length, origin=origin) if _is_at_whole_times(formula):
            for number in range(int((start - origin) // length), math.ceil((stop - origin) / length)):
                begin = int(origin + number * length)
                line = formula.timeline.before(length)
                if formula.mirror and number % 2:
                    line = Timeline((0,), (Reverse(formula.timeline, length),))
                for at, piece in zip(line.starts, line.formulas, strict=True):
                    if begin + at < stop:
                        yield max(start, int(begin + at)), piece.delayed(begin)
        case Pointwise(formulas=parts):
            lines = [list(itertools.islice(_laid_out(part, start, stop), _MOST_UNROLLED + 1)) for part in parts]
            for at in sorted({at for line in lines for at, _ in line}):
                now = [line[bisect_left(line, at + 1, key=lambda piece: piece[0]) - 1][1] for line in lines]
                yield at, replace(formula, formulas=tuple(now))
        case _:
            yield start, formula


def _is_at_whole_times(formula: Formula) -> bool:
    """Whether all times in a formula are whole, so that it can be delayed without rounding."""
    match formula:
        case Ramp(first=first, last=last):
            return _is_whole(first) and _is_whole(last)
        case Cycle(timeline=line, length=time) | Reverse(timeline=line, about=time):
            if not (_is_whole(time) and all(map(_is_whole, line.starts))):
                return False
    origin = getattr(formula, "origin", 0)
    return _is_whole(origin) and all(map(_is_at_whole_times, _parts(formula)))


# --- what is known of a formula ---------------------------------------------------------------------------------------


def repetition(formula: Formula, start: int, stop: int) -> tuple[int, int] | None:
    """A step, and the period of the values from there on (1 if they are constant); None if no repetition is known."""
    match formula:
        case Constant() | FrozenAt():
            return start, 1
        case Exponential(rate=rate) if -1 < rate < 0:
            return _saturation(replace(formula, rate=-rate), start, stop)
        case Exponential() | InverseTime():
            return _saturation(formula, start, stop)
        case Logistic():
            left = formula.scale * (formula.midpoint + _END_OF_LOGISTIC * formula.decay_steps)
            return max(start, math.ceil(formula.origin + left)), 1
        case Stairs():
            return _repetition_of_stairs(formula, start, stop)
        case Cycle(factor=1):
            return (start, formula.period) if formula.period else None
        case Cycle(length=length, factor=factor, origin=origin):
            faded = (
                _saturation(Exponential(1.0, abs(factor), 1, staircase=True), 0, _SATURATION_LIMIT)
                if abs(factor) < 1
                else None
            )
            return (max(start, math.ceil(origin + (faded[0] + 1) * length)), 1) if faded else None
        case Clipped(formula=inner):
            return repetition(inner, start, stop)
        case Pointwise():
            return _repetition_of_parts(formula, start, stop)
    return None


def _saturation(formula: Exponential | InverseTime, start: int, stop: int) -> tuple[int, int] | None:
    """The repetition (step, 1) of a monotone formula that reaches 0 or the largest float64 and stays there."""
    value, last = formula.bind(SCALARS), min(stop, start + _SATURATION_LIMIT)
    held = value(last)
    if formula.monotone and abs(held) in (0, LARGEST):
        return start + bisect_left(range(start, last), True, key=lambda step: value(step) == held), 1
    return None


def _repetition_of_stairs(stairs: Stairs, start: int, stop: int) -> tuple[int, int] | None:
    first, last = (max(0, math.floor((step - stairs.origin) / stairs.width)) for step in (start, stop))
    repeat = repetition(stairs.formula, first, last)
    if repeat is None or not (repeat[1] == 1 or _is_whole(stairs.width)):
        return None
    begin = max(start, math.ceil(stairs.origin + (repeat[0] + 1) * stairs.width))
    return begin, 1 if repeat[1] == 1 else int(repeat[1] * stairs.width)


def _repetition_of_parts(formula: Pointwise, start: int, stop: int) -> tuple[int, int] | None:
    """The repetition of a sum or product whose parts all repeat, or of a product with a part that stays 0."""
    repeats = [repetition(part, start, stop) for part in formula.formulas]
    known = [repeat for repeat in repeats if repeat]
    if formula.operation == "product":
        ended = [
            begin
            for part, (begin, period) in ((part, r) for part, r in zip(formula.formulas, repeats, strict=True) if r)
            if period == 1 and not calls_python(part) and part.bind(SCALARS)(begin) == 0
        ]
        if ended:
            return min(ended), 1
    if len(known) < len(repeats):
        return None
    return max(begin for begin, _ in known), math.lcm(*(period for _, period in known))


def tick(formula: Formula) -> float:
    """The steps between two changes of the value: the width of stairs, infinite for a constant, otherwise 0."""
    match formula:
        case Constant() | FrozenAt():
            return math.inf
        case Stairs(width=width) | Exponential(decay_steps=width, staircase=True):
            return width
        case InverseTime(decay_steps=width, staircase=True):
            return width
        case Pointwise() | Clipped():
            return min(map(tick, _parts(formula)))
    return 0


def calls_python(formula: Formula) -> bool:
    """Whether the formula calls a user's function, which may be slow or raise an error."""
    return isinstance(formula, UserFunction) or any(map(calls_python, _parts(formula)))


def _parts(formula: Formula) -> tuple[Formula, ...]:
    """The formulas inside a formula."""
    match formula:
        case Pointwise(formulas=parts):
            return parts
        case Cycle(timeline=inner) | Reverse(timeline=inner):
            return inner.formulas
        case Stairs(formula=part) | Clipped(formula=part) | FrozenAt(formula=part):
            return (part,)
    return ()
