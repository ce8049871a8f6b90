"""darknet's [net] section; src/network.c, get_current_rate. It computes in 32 bits.

The first update is batch 1. The burn-in is laid over the policy, whose clock is the run's.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    Join,
    Logistic,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Shift,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, check_total

FOLLOWS = "darknet (AlexeyAB) 59596d78"
FACTS = {"lr": "the rate, where the section has no learning_rate"}


def first_section(text: str) -> dict[str, Any]:
    """The options of a .cfg's first section, which is [net] or [network]."""
    found: dict[str, str] = {}
    sections = 0
    for line in text.splitlines():
        plain = re.split(r"[#;]", line)[0].strip()
        sections += plain.startswith("[")
        if sections > 1:
            break
        name, equals, value = plain.partition("=")
        if equals:
            found[name.strip()] = value.strip()
    return {"net": found}


READERS = {".cfg": first_section}


def read(options: Options, facts: Facts) -> Taken:
    """Read a .cfg, or the options of its [net] section."""
    net = options.first_table("net", "network").own(
        "policy", "learning_rate", "steps", "scales", "sgdr", "burn_in", "gamma"
    )
    policy = net.word("policy", default="constant", choices=[*_POLICIES, "random"])
    if policy == "random":
        raise net.error("policy", "expected a policy that is a function of the batch; got 'random'")
    lr, length = float(facts.lr(net, "learning_rate")), net.whole("max_batches", default=0)
    if length:
        check_total(facts, length)
    else:
        length = facts.updates(default=0)
    schedule = _POLICIES[policy](net, lr, length)
    burn_in = net.whole("burn_in", default=0)
    if burn_in > 1:
        power = net.number("power", default=4.0, above=0)
        rise = ahead(Constant(lr).warmup(burn_in, shape="power", power=power))
        schedule = Join([rise, Shift(schedule, burn_in - 1)], boundaries=[burn_in - 1])
    notes = ("Past max_batches darknet's poly has no value; here it stays at 0.",) if policy == "poly" else ()
    return Taken(schedule, notes=notes)


# --- policies, from the first update on, which is batch 1 -------------------------------------------------------------


def _constant(net: Options, lr: float, length: int) -> Schedule:
    return Constant(lr)


def _step(net: Options, lr: float, length: int) -> Schedule:
    size, scale = net.whole("step", default=1, least=1), net.number("scale", default=1.0)
    return ahead(Exponential(init_value=lr, decay_rate=scale, decay_steps=size, staircase=True))


def _steps(net: Options, lr: float, length: int) -> Schedule:
    steps, scales = net.wholes("steps"), net.numbers("scales")
    if len(steps) != len(scales):
        raise net.error("scales", f"expected one for each of {len(steps)} steps; got {len(scales)}")
    if steps != sorted(steps):
        raise net.error("steps", f"expected rising batches; got {net.raw('steps')!r}")
    values = list(itertools.accumulate([lr, *scales], lambda rate, scale: rate * scale))
    return ahead(PiecewiseConstant(boundaries=steps, values=values))


def _exp(net: Options, lr: float, length: int) -> Schedule:
    return ahead(Exponential(init_value=lr, decay_rate=net.number("gamma", default=1.0)))


def _poly(net: Options, lr: float, length: int) -> Schedule:
    if not length:
        raise net.error("max_batches", "expected an integer >= 1 for poly; got none")
    return ahead(Polynomial(init_value=lr, decay_steps=length, power=net.number("power", default=4.0, above=0)))


def _sig(net: Options, lr: float, length: int) -> Schedule:
    gamma, middle = net.number("gamma", default=1.0), net.whole("step", default=1)
    if gamma == 0:
        return Constant(lr / 2)
    first, last = (lr, 0.0) if gamma > 0 else (0.0, lr)
    return ahead(Logistic(init_value=first, end_value=last, midpoint=middle, decay_steps=1 / abs(gamma)))


def _sgdr(net: Options, lr: float, length: int) -> Schedule:
    """Each cycle ends in its last batch, and the next begins one batch on its way."""
    lowest = net.number("learning_rate_min", default=1e-5)
    cycle, growth = net.whole("sgdr_cycle", default=length, least=1), net.whole("sgdr_mult", default=2, least=1)
    if growth == 1:
        return Repeat(ahead(Cosine(init_value=lr, end_value=lowest, decay_steps=cycle)), cycle)
    count = max(1, math.ceil(math.log(1 + max(length, cycle) * (growth - 1) / cycle, growth)) + 1)
    lengths = [cycle * growth**number for number in range(count)]
    parts = [ahead(Cosine(init_value=lr, end_value=lowest, decay_steps=one)) for one in lengths]
    return Join(parts, boundaries=list(itertools.accumulate(lengths[:-1])))


_POLICIES: dict[str, Callable[[Options, float, int], Schedule]] = {
    "constant": _constant,
    "step": _step,
    "steps": _steps,
    "exp": _exp,
    "poly": _poly,
    "sigmoid": _sig,
    "sig": _sig,
    "sgdr": _sgdr,
}
