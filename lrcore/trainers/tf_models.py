"""TensorFlow Model Garden's `optimizer_config`: official/modeling/optimization/lr_schedule.py, asked with the updates already made.

A decay counts from its `offset` on. A warmup takes the place of the decay's first updates, and rises to what the decay has at the
warmup's end: with `offset` = `warmup_steps` that is its beginning. `stepwise` changes one update after its boundaries.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Clip,
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Shift,
)
from lrcore.schedules.recipes import polynomial_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, delayed, product, waiting

FOLLOWS = "tf-models-official 2.20.0"
FACTS = {"lr": "initial_learning_rate, where the decay has none"}

_PLACES = ("trainer.optimizer_config", "params_override.trainer.optimizer_config", "optimizer_config")
_FAR = 10**9  # updates up to which a rate that grows without end is written


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole experiment, its `optimizer_config`, or the tables `learning_rate` and `warmup` alone."""
    config = options.first_table(*_PLACES)
    rate, warmup = config.table("learning_rate", required=True).own("type"), config.table("warmup").own("type")
    notes: list[str] = []
    kind = rate.word("type", choices=["constant", *_DECAYS])
    params = rate.table(kind).own()
    params.ignore("name")
    start = _warmup_steps(warmup)
    if kind == "constant":
        decay: Schedule = Constant(facts.lr(params, "learning_rate", default=0.1))
    else:
        decay = _DECAYS[kind](params, facts, start, notes)
    return Taken(_warmed(decay, warmup, start), notes=tuple(notes))


# --- warmups ----------------------------------------------------------------------------------------------------------


def _warmup_steps(warmup: Options) -> int:
    kind = warmup.word("type", default=None, choices=["linear", "polynomial"])
    steps: int = 0 if kind is None else warmup.table(kind).whole("warmup_steps")
    return steps


def _warmed(decay: Schedule, warmup: Options, steps: int) -> Schedule:
    """A warmup before `decay`, which begins at the warmup's end; polynomial ones take update 0 for update 1."""
    kind = warmup.word("type", default=None)
    if kind is None:
        return decay
    params = warmup.table(str(kind).lower()).own()
    params.ignore("name", "warmup_steps")
    if kind == "linear":
        return decay.warmup(steps, init_value=params.number("warmup_learning_rate", default=0.0))
    power = params.number("power", default=1.0, above=0.0)
    if not steps:
        return decay
    rise = decay.warmup(steps) if power == 1 else decay.warmup(steps, shape="power", power=power)
    return delayed(rise(1), ahead(rise))


# --- decays: each as it is from update `start` on ----------------------------------------------------------------------


def _from(curve: Schedule, params: Options, start: int, before: Callable[[int], Schedule] | None = None) -> Schedule:
    """The curve on the clock of updates less `offset`, from update `start` on.

    Where it is asked before its beginning, `before` gives what its formula has there.
    """
    gone = start - params.whole("offset", default=0, least=-_FAR)
    if gone >= 0:
        return Shift(curve, gone) if gone else curve
    return waiting(curve, -gone) if before is None else before(-gone)


def _stepwise(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    boundaries, values = params.wholes("boundaries"), params.numbers("values")
    if len(values) != len(boundaries) + 1 or any(after <= before for before, after in pairwise(boundaries)):
        raise params.error("boundaries", f"expected rising updates, one fewer than values; got {boundaries}")
    return _from(PiecewiseConstant(boundaries=[one + 1 for one in boundaries], values=values), params, start)


def _exponential(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    peak, rate = facts.lr(params, "initial_learning_rate"), params.number("decay_rate", above=0.0)
    steps, staircase = params.whole("decay_steps", least=1), params.flag("staircase")

    def curve(peak: float) -> Schedule:
        return Exponential(init_value=peak, decay_rate=rate, decay_steps=steps, staircase=staircase)

    def before(updates: int) -> Schedule:
        """Higher by whole periods, so that the curve is entered part-way."""
        periods = -(-updates // steps)
        return Shift(curve(peak * rate**-periods), periods * steps - updates)

    return _from(curve(peak), params, start, before)


def _polynomial(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    peak, steps = facts.lr(params, "initial_learning_rate"), params.whole("decay_steps", least=1)
    end, power = params.number("end_learning_rate", default=1e-4), params.number("power", default=1.0, above=0.0)

    def curve(peak: float, steps: int) -> Schedule:
        if power == 1:
            return Linear(init_value=peak, end_value=end, decay_steps=steps)
        return Polynomial(init_value=peak, end_value=end, decay_steps=steps, power=power)

    def before(updates: int) -> Schedule:
        """The same curve, begun earlier and higher."""
        return curve(end + (peak - end) * ((steps + updates) / steps) ** power, steps + updates)

    if params.flag("cycle"):
        cycle = polynomial_cycle(init_value=peak, end_value=end, decay_steps=steps, power=power)
        return _from(cycle, params, start, _refused(params, "a cycle"))
    return _from(curve(peak, steps), params, start, before)


def _cosine(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    peak, steps = facts.lr(params, "initial_learning_rate"), params.whole("decay_steps", least=1)
    end = peak * params.number("alpha", default=0.0)
    curve = Cosine(init_value=peak, end_value=end, decay_steps=steps)

    def before(updates: int) -> Schedule:
        """The mirror image: the cosine rises to its peak at the offset."""
        rise = Repeat(Cosine(init_value=peak, end_value=end, decay_steps=steps), mirror=True)
        return Join([Shift(rise, -updates % (2 * steps)), curve], boundaries=[updates])

    return _from(curve, params, start, before)


def _power(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    curve = waiting(_power_from_one(facts.lr(params, "initial_learning_rate"), params), 1)
    return Shift(curve, start) if start else curve


def _power_from_one(peak: float, params: Options) -> Schedule:
    """The rate peak * (t + 1) ** power."""
    power = params.number("power", default=-0.5)
    if power < 0:
        return InverseTime(init_value=peak, power=-power)
    if power == 0:
        return Constant(peak)
    return ahead(Constant(peak * _FAR**power).warmup(_FAR, shape="power", power=power))


def _power_linear(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    """In the last part of `total_decay_steps` the rate falls to 0 besides."""
    total, part = params.whole("total_decay_steps", least=1), params.number("linear_decay_fraction", default=0.1)
    if part > 1:
        raise params.error("linear_decay_fraction", f"expected a share of at most 1; got {part}")
    curve = waiting(_power_from_one(facts.lr(params, "initial_learning_rate"), params), 1)
    fall = [Interpolate(boundaries=[total - total * part, total], values=[1.0, 0.0])] if part > 0 else []
    return _from(product([curve, *fall]), params, start)


def _power_with_offset(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    """A constant up to `offset` and at it, which is the greatest rate after it, too."""
    first, peak = params.number("pre_offset_learning_rate", default=1e6), facts.lr(params, "initial_learning_rate")
    offset = params.whole("offset", default=0)
    whole = Join([Constant(first), _power_from_one(peak, params)], boundaries=[offset + 1])
    return Shift(Clip(whole, max_value=first), start) if start else Clip(whole, max_value=first)


def _step_cosine(params: Options, facts: Facts, start: int, notes: list[str]) -> Schedule:
    """A cosine from each value to the next one, and after the last boundary, where the trainer's rate is no number, the last value."""
    boundaries, values = params.wholes("boundaries"), params.numbers("values")
    rising = all(after > before for before, after in pairwise(boundaries))
    if len(boundaries) != len(values) or len(values) < 2 or not rising or boundaries[0] < 0:
        raise params.error(
            "boundaries", f"expected rising updates, one for each of values, two at least; got {boundaries}"
        )
    parts: list[Schedule] = [
        Cosine(init_value=first, end_value=last, decay_steps=after - before)
        for (before, after), (first, last) in zip(pairwise(boundaries), pairwise(values), strict=True)
    ]
    if boundaries[0]:
        parts[0] = Repeat(parts[0], mirror=True)
        notes.append(
            f"The first cosine begins at update 0, not at {boundaries[0]:,}, takes boundaries[1] - boundaries[0] updates, and swings "
            "until boundaries[1], as the trainer's does."
        )
    offset = params.whole("offset", default=0, least=-_FAR)
    notes.append(
        f"From update {boundaries[-1] + offset:,} on the trainer's rate is no number; here it is the last value."
    )
    curve = Join([*parts, Constant(values[-1])], boundaries=boundaries[1:])
    return _from(curve, params, start, _refused(params, "step_cosine_with_offset"))


def _refused(params: Options, what: str) -> Callable[[int], Schedule]:
    def before(updates: int) -> Schedule:
        raise params.error("offset", f"expected at most the warmup's length for {what}; got {updates} more")

    return before


_DECAYS = {
    "stepwise": _stepwise,
    "exponential": _exponential,
    "polynomial": _polynomial,
    "cosine": _cosine,
    "power": _power,
    "power_linear": _power_linear,
    "power_with_offset": _power_with_offset,
    "step_cosine_with_offset": _step_cosine,
}
