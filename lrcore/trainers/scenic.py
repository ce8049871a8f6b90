"""scenic's `lr_configs` of scenic/train_lib/lr_schedules.py: a product of named factors, asked with the updates already made.

`piecewise_constant` changes one update after its event. `linear_decay` acts on what stands before it in `factors`, and it alone
reads `end_learning_rate`. `cosine_decay` takes the warmup's share off each cycle.
"""

from __future__ import annotations

import itertools

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.hints import did_you_mean
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Sum,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import inverse_sqrt, product, waiting

FOLLOWS = "scenic main 00091de"
FACTS = {"lr": "base_learning_rate, where lr_configs has none"}


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole configuration, or its `lr_configs` alone."""
    given = options.first_table("lr_configs").own()
    given.ignore("name")
    kind = given.word("learning_rate_schedule", default="compound" if given.given("factors") else None)
    if kind is None:
        return Taken(Constant(facts.lr(given, "base_learning_rate")))
    if kind != "compound":
        raise given.error("learning_rate_schedule", f"expected 'compound', the only one that scenic has; got {kind!r}")
    factors: list[Schedule] = []
    notes: list[str] = []
    for word in given.word("factors").split("*"):
        name = word.strip()
        if name == "linear_decay":
            factors = [_linear_decay(factors, given, facts)]
        elif name in _FACTORS:
            factors.append(_FACTORS[name](given, facts, notes))
        else:
            known = [*_FACTORS, "linear_decay"]
            problem = f"expected factors out of {', '.join(known)}; got {name!r}{did_you_mean(name, known)}"
            raise given.error("factors", problem)
    return Taken(product(factors), notes=tuple(notes))


def _constant(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    return Constant(facts.lr(given, "base_learning_rate"))


def _polynomial(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    steps, end = given.whole("decay_steps", least=1), given.number("end_factor")
    return Polynomial(init_value=1.0, end_value=end, decay_steps=steps, power=given.number("power", above=0.0))


def _piecewise_constant(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    """Each factor begins one update after its event."""
    events, factors = _events(given)
    return PiecewiseConstant(boundaries=[event + 1 for event in events], values=[1.0, *factors])


def _piecewise_linear(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    """Scenic adds 1e-6 to the length of a line, against a division by 0; in float32 this is lost from 16 updates on."""
    events, factors = _events(given)
    return Interpolate(boundaries=[0, *events], values=[1.0, *factors])


def _events(given: Options) -> tuple[list[int], list[float]]:
    """The events, which rise, and one factor for each."""
    events, factors = given.wholes("decay_events"), given.numbers("decay_factors")
    if (
        not events
        or len(events) != len(factors)
        or any(after <= before for before, after in itertools.pairwise([0, *events]))
    ):
        raise given.error("decay_events", f"expected rising updates > 0, one for each of decay_factors; got {events}")
    return events, factors


def _linear_warmup(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    steps = given.whole("warmup_steps")
    alpha = given.number("warmup_alpha", default=0.0)
    if alpha > 1:
        raise given.error("warmup_alpha", f"expected a number <= 1, from which the warmup rises; got {alpha}")
    return Linear(init_value=alpha, end_value=1.0, decay_steps=steps)


def _rsqrt_decay(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    timescale = given.number("timescale", default=10_000, above=0.0)
    return waiting(inverse_sqrt(1.0, timescale), given.whole("warmup_steps", default=0))


def _decay_every(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    steps = given.whole("steps_per_decay", least=1)
    return Exponential(init_value=1.0, decay_rate=given.number("decay_factor"), decay_steps=steps, staircase=True)


def _cosine_decay(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    warmup, cycle = given.whole("warmup_steps", default=0), given.whole("steps_per_cycle", least=1)
    total = given.whole("total_steps", default=cycle, least=1)
    steps = cycle - int(warmup / (total / cycle))
    if steps < 1:
        raise given.error(
            "steps_per_cycle", f"expected more than the warmup's share of a cycle, {cycle - steps}; got {cycle}"
        )
    start = warmup + given.whole("start_decay_step", default=0)
    growth, peaks = given.number("t_mul", default=1.0, least=1.0), given.number("m_mul", default=1.0, least=0.0)
    alpha = given.number("alpha", default=0.0)
    if growth != 1:
        notes.append(
            "Where scenic's logarithm is rounded down at a restart, one update of its rate is at the bottom; here a cycle begins there."
        )
    elif total == cycle:
        notes.append(f"The cosine starts again at update {start + steps:,}, as scenic's does.")
    floor = alpha if peaks == 1 else 0.0
    cycles = Repeat(
        Cosine(init_value=1.0, end_value=floor, decay_steps=steps), length_factor=growth, value_factor=peaks
    )
    lifted = cycles if floor == alpha else Sum([cycles * (1 - alpha), Constant(alpha)])
    return waiting(lifted, start)


def _linear_cooldown(given: Options, facts: Facts, notes: list[str]) -> Schedule:
    """A fall to 0 at the end of the run; where it begins within the warmup, it waits for the warmup's end."""
    total, steps = _total(given, facts), given.whole("cooldown_steps", least=1)
    start = max(given.whole("warmup_steps", default=0), total - steps)
    if start >= total:
        raise given.error("warmup_steps", f"expected less than total_steps ({total}); got {start}")
    notes.append(f"Past update {total:,} scenic's cooldown goes below 0; here the rate stays 0.")
    return Interpolate(boundaries=[start, total], values=[min(1.0, (total - start) / steps), 0.0])


def _linear_decay(before: list[Schedule], given: Options, facts: Facts) -> Schedule:
    """(what stands before it - end) * (1 - the part of the run that is gone) + end."""
    total, warmup = _total(given, facts), given.whole("warmup_steps", default=0)
    if warmup >= total:
        raise given.error("warmup_steps", f"expected less than total_steps ({total}); got {warmup}")
    end = given.number("end_learning_rate", default=0.0)
    fall = waiting(Linear(init_value=1.0, end_value=0.0, decay_steps=total - warmup), warmup)
    if not end:
        return product([*before, fall])
    above = Sum([product(before or [Constant(1.0)]), Constant(-end)])
    return Sum([product([above, fall]), Constant(end)])


def _total(given: Options, facts: Facts) -> int:
    said = given.whole("total_steps", default=None, least=1)
    total: int = facts.updates() if said is None else said
    return total


_FACTORS = {
    "constant": _constant,
    "polynomial": _polynomial,
    "piecewise_constant": _piecewise_constant,
    "piecewise_linear": _piecewise_linear,
    "linear_warmup": _linear_warmup,
    "rsqrt_decay": _rsqrt_decay,
    "decay_every": _decay_every,
    "cosine_decay": _cosine_decay,
    "linear_cooldown": _linear_cooldown,
}
