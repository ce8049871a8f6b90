"""Describes a schedule: its phases in words, its most informative steps, and how much of it to show."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from lrcore.curves import pieces
from lrcore.curves.formulas import LARGEST, LAST_STEP, SCALARS
from lrcore.curves.pieces import Formula
from lrcore.curves.timeline import Timeline
from lrcore.schedules.kinds import (
    Clip,
    Every,
    Exponential,
    Function,
    InverseTime,
    Join,
    Logistic,
    Product,
    Repeat,
    Shift,
    Sum,
)
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule

_EXPONENTIAL_FALL = 100.0  # an exponential is shown until it has fallen by this factor
_INVERSE_TIME_FALL = 10.0  # inverse time, which falls slowly, until it has fallen by this one
_LOGISTIC_FALL = 100.0  # a logistic until a hundredth of the way is left
_CYCLES_SHOWN = 4
_MAX_BREAKPOINTS = 6  # whose values are listed
_MAX_PHASES = 12
_MAX_CHARACTERS = 300  # of the description of a phase
_DEFAULT_RANGE = 100  # steps shown of a schedule without a time scale


class Phase(NamedTuple):
    """What a schedule does from one step to another.

    Attributes:
        first: the first step of the phase.
        end: the first step after it; None if it never ends.
        words: its description.
    """

    first: int
    end: int | None
    words: str


def outline(schedule: Schedule) -> tuple[list[tuple[str, str]], str]:
    """The first phases, each as its span and its description, and a sentence about the others if there are more.

    Example:
        >>> from lrcore import Constant
        >>> outline(Constant(0.1).warmup(5))
        ([('steps 0 to 4', 'linear rise from 0 to 0.1'), ('from step 5', 'constant 0.1')], '')
    """
    spans = list(_spans(schedule.timeline))
    rows = [(_span(first, end), _shortened(_words(formula, first, end))) for formula, first, end in spans[:_MAX_PHASES]]
    others = len(spans) - len(rows)
    return rows, f"and {others:,} more, the last one from step {spans[-1][1]:,}" if others else ""


def marks(schedule: Schedule, steps: int) -> list[int]:
    """The steps at which a picture marks the start of a phase; none if there are too many phases.

    Example:
        >>> from lrcore import Constant
        >>> marks(Constant(0.1).warmup(5).cooldown(5, start=90), steps=100)
        [5, 90, 95]
    """
    firsts = [first for _, first, _ in _spans(schedule.timeline) if 0 < first < steps]
    return firsts if len(firsts) < _MAX_PHASES else []


def phases(schedule: Schedule) -> list[Phase]:
    """The phases of a schedule, one after another.

    Example:
        >>> from lrcore import Cosine
        >>> for phase in phases(Cosine(init_value=0.3, end_value=0.01, decay_steps=15).warmup(5)):
        ...     print(phase.first, phase.end, phase.words)
        0 5 linear rise from 0 to 0.3
        5 20 cosine fall from 0.3 to 0.01
        20 None constant 0.01
    """
    return [Phase(first, end, _words(formula, first, end)) for formula, first, end in _spans(schedule.timeline)]


def display_range(schedule: Schedule) -> int:
    """How many steps to show: the schedule's length and a tenth more.

    A schedule without an end is shown for what its form suggests: a few cycles, until an exponential has fallen to a
    hundredth or inverse time to a tenth, 1,000 steps of a Python function, 100 where nothing gives a scale.

    Example:
        >>> from lrcore import Constant, Exponential, Linear
        >>> display_range(Linear(init_value=0.1, decay_steps=100)), display_range(Constant(0.1))
        (110, 100)
        >>> display_range(Exponential(init_value=0.1, decay_rate=0.1, decay_steps=30, staircase=True))
        60
    """
    end = schedule.length or schedule.timeline.end
    if end and end < LAST_STEP // 2:
        return end + (end + 9) // 10
    warmup = 0 if schedule.warmup_ is None else schedule.warmup_.steps
    return max(1, math.ceil(min(round(warmup + _endless(schedule), 6), LAST_STEP)))


def display_steps(schedule: Schedule, steps: int) -> list[int]:
    """The most informative steps: 0, both sides of the first breakpoints and of the end, and the last step shown.

    Args:
        schedule: what is shown.
        steps: the last step shown.

    Example:
        >>> from lrcore import Constant
        >>> display_steps(Constant(0.1).warmup(5), steps=6)
        [0, 4, 5, 6]
    """
    breakpoints = [*itertools.islice(schedule.timeline.breakpoints(steps + 1), _MAX_BREAKPOINTS)]
    end = schedule.length
    if end and end <= steps:
        breakpoints.append(end)
    return sorted({0, steps, *breakpoints, *(place - 1 for place in breakpoints)})


def plateau_in_words(plateau: Plateau) -> str:
    """Describe when a plateau reduces the rate, and by how much.

    Example:
        >>> from lrcore import Constant
        >>> plateau_in_words(Plateau(Constant(0.1), factor=0.5, patience=5))
        'times 0.5 when more than 5 reports in a row are not better (lower by 0.0001 of the best)'
    """
    parts = [f"{number(plateau.rtol)} of the best"] if plateau.rtol else []
    parts += [number(plateau.atol)] if plateau.atol else []
    side = "lower" if plateau.mode == "min" else "higher"
    better = f"{side} by {' and '.join(parts)}" if parts else side
    better += "" if plateau.arithmetic == "lrcore" else f", by the rule of {plateau.arithmetic}"
    unit = "reports" if plateau.accumulate == 1 else f"means of {plateau.accumulate} reports"
    when = (
        f"when more than {plateau.patience} {unit} in a row are not better"
        if plateau.patience >= 0
        else "at each better report"
    )
    after = f", then {plateau.cooldown} without counting" if plateau.cooldown else ""
    floor = f", down to {number(plateau.min_scale)} of the schedule" if plateau.min_scale else ""
    return f"times {number(plateau.factor)} {when} ({better}){after}{floor}"


def number(value: float) -> str:
    """Format a value with six significant digits."""
    return f"{value:.6g}"


# --- phases -----------------------------------------------------------------------------------------------------------


def _spans(line: Timeline) -> Iterator[tuple[Formula, int, int | None]]:
    """Each formula of a timeline that applies at a step, with its first step and the first step after it."""
    firsts = [math.ceil(start) for start in line.starts]
    for formula, first, end in zip(line.formulas, firsts, [*firsts[1:], None], strict=True):
        if first != end:
            yield formula, first, end


def _shortened(words: str) -> str:
    """Shorten the description of a phase, which may be one of a hundred parts."""
    return words if len(words) <= _MAX_CHARACTERS else words[: _MAX_CHARACTERS - 3] + "..."


def _span(first: int, end: int | None) -> str:
    if end is None:
        return f"from step {first:,}" if first else "all steps"
    if end == first + 1:
        return f"step {first:,}"
    return f"steps {first:,} to {end - 1:,}"


def _words(formula: Formula, first: float, end: float | None) -> str:
    """Describe a formula from `first` to `end`, in its own time."""
    value = formula.bind(SCALARS)
    match formula:
        case pieces.Constant(constant):
            return f"constant {number(constant)}"
        case pieces.FrozenAt():
            return f"constant {number(value(first))}"
        case pieces.Ramp(last=last):
            start, stop = value(first), value(last if end is None else min(end, last))
            return f"{_shape(formula)} {'rise' if stop > start else 'fall'} from {number(start)} to {number(stop)}"
        case pieces.Exponential(rate=rate, decay_steps=period, staircase=staircase):
            every = "every" if staircase else "per"
            return f"exponential from {number(value(first))}, times {number(rate)} {every} {_steps(period)}"
        case pieces.InverseTime():
            return f"inverse time from {number(value(first))}: {_inverse_time(formula)}"
        case pieces.Logistic(init=init, end=last, midpoint=middle, decay_steps=period, origin=origin, scale=scale):
            way = f"logistic {'rise' if last > init else 'fall'} from {number(init)} to {number(last)}"
            return f"{way}, half-way at step {_time(origin + middle * scale)}, time constant {_time(period * scale)}"
        case pieces.UserFunction(name=name):
            return name
        case pieces.Stairs(formula=inner, width=width, origin=origin):
            ticks = [None if time is None else (time - origin) // width for time in (first, end)]
            return f"{_words(inner, ticks[0] or 0, ticks[1])}, one tick in {_steps(width)}"
        case pieces.Cycle():
            return _cycle(formula)
        case pieces.Reverse(timeline=inner, about=about):
            return "backwards: " + _inner(inner, 0 if end is None else about - end, about - first)
        case pieces.Pointwise(operation=operation, formulas=parts):
            return f"{operation} of " + " and ".join(f"({_words(part, first, end)})" for part in parts)
        case pieces.Clipped(formula=inner, low=low, high=high):
            limits = [f"at least {number(low)}"] if low > -LARGEST else []
            limits += [f"at most {number(high)}"] if high < LARGEST else []
            return f"{_words(inner, first, end)}, {' and '.join(limits)}"
        case _:
            return type(formula).__name__.lower()


def _shape(ramp: pieces.Ramp) -> str:
    exponent = number(ramp.parameter)
    if ramp.shape not in {"power", "cosine"} or ramp.parameter == 1:
        return ramp.shape
    return f"power {exponent}" if ramp.shape == "power" else f"{ramp.shape} (exponent {exponent})"


def _inverse_time(formula: pieces.InverseTime) -> str:
    ratio = "t" if formula.decay_steps == 1 else f"t / {number(formula.decay_steps)}"
    ratio = f"floor({ratio})" if formula.staircase else ratio
    if formula.time_power != 1:
        ratio = f"({ratio})" if " " in ratio and not formula.staircase else ratio
        ratio += f"^{number(formula.time_power)}"
    rated = ratio if formula.rate == 1 else f"{number(formula.rate)} {ratio}"
    power = "" if formula.power == 1 else f"^{number(formula.power)}"
    since = f", t from step {_time(formula.origin)}" if formula.origin else ""
    return f"{number(formula.init)} / (1 + {rated}){power}{since}"


def _cycle(cycle: pieces.Cycle) -> str:
    mirror = ", back and forth" if cycle.mirror else ""
    factor = f", each time multiplied by {number(cycle.factor)}" if cycle.factor != 1 else ""
    return f"again every {_steps(cycle.length)}{mirror}{factor}: {_inner(cycle.timeline, 0, cycle.length)}"


def _inner(line: Timeline, first: float, end: float) -> str:
    """Describe a timeline from `first` to `end`, in its own time."""
    ends = [*line.starts[1:], math.inf]
    spans = [(max(start, first), min(stop, end)) for start, stop in zip(line.starts, ends, strict=True)]
    parts = [
        (stop - start, _words(formula, start, stop))
        for formula, (start, stop) in zip(line.formulas, spans, strict=True)
        if start < stop
    ]
    return parts[0][1] if len(parts) == 1 else ", then ".join(f"{words} ({_steps(length)})" for length, words in parts)


def _steps(count: float) -> str:
    return "step" if count == 1 else f"{_time(count)} steps"


def _time(time: float) -> str:
    return f"{int(time):,}" if float(time).is_integer() else number(time)


# --- ranges -----------------------------------------------------------------------------------------------------------


def _endless(schedule: Schedule) -> float:
    """How many steps show the form of a schedule without an end."""
    match schedule:
        case Exponential(decay_rate=rate, decay_steps=period) if abs(rate) not in {0, 1}:
            return period * math.log(_EXPONENTIAL_FALL) / abs(math.log(abs(rate)))
        case InverseTime(decay_rate=rate, decay_steps=period, power=power, time_power=time_power) if rate > 0:
            logarithm = math.log(_INVERSE_TIME_FALL) / power  # of the base that gives the fall
            periods = (logarithm + math.log1p(-math.exp(-logarithm)) - math.log(rate)) / time_power
            return min(period * math.exp(min(periods, 600)), LAST_STEP)
        case Logistic(midpoint=middle, decay_steps=period):
            return middle + period * math.log(_LOGISTIC_FALL)
        case Repeat(schedule=inner, period=period, length_factor=growth):
            first = inner.length if period is None else period
            return sum((first or 0) * growth**cycle for cycle in range(_CYCLES_SHOWN))
        case Join(schedules=parts, boundaries=None):
            return sum(part.length or 0 for part in parts[:-1]) + display_range(parts[-1])
        case Join(schedules=parts, boundaries=boundaries):
            return (boundaries or (0,))[-1] + display_range(parts[-1])
        case Sum(schedules=parts) | Product(schedules=parts):
            return max(display_range(part) for part in parts)
        case Clip(schedule=inner):
            return display_range(inner)
        case Shift(schedule=inner, steps=steps):
            return display_range(inner) + max(0, -steps)
        case Every(schedule=inner, steps=width):
            return display_range(inner) * width
        case Function():
            return 10 * _DEFAULT_RANGE
        case _:
            return _DEFAULT_RANGE
