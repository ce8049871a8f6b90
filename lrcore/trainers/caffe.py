"""Caffe's solver.prototxt; src/caffe/solvers/sgd_solver.cpp, GetLearningRate. The first iteration is 0."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Constant, Exponential, InverseTime, Logistic, PiecewiseConstant, Polynomial
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total

FOLLOWS = "caffe 03a371d7"
FACTS = {"lr": "the rate, where the solver has no base_lr"}


def solver(text: str) -> dict[str, Any]:
    """The fields of a solver.prototxt; one that is repeated is a list, and what stands in braces is left out."""
    plain = re.sub(r"#[^\n]*", "", text)
    while (flat := re.sub(r"\w+\s*:?\s*\{[^{}]*\}", "", plain)) != plain:
        plain = flat
    found: dict[str, list[str]] = {}
    for name, quoted, bare in re.findall(r"(\w+)\s*:\s*(?:\"([^\"]*)\"|([^\s\"]+))", plain):
        found.setdefault(name, []).append(quoted or bare)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


READERS = {".prototxt": solver}


def read(options: Options, facts: Facts) -> Taken:
    """Read the fields of the solver."""
    options.own("lr_policy", "base_lr", "gamma", "power", "step")
    policy = options.word("lr_policy", choices=list(_POLICIES))
    length = options.whole("max_iter", default=0)
    if length:
        check_total(facts, length)
    schedule = _POLICIES[policy](options, float(facts.lr(options, "base_lr")), length or facts.updates(default=0))
    notes = ("Past max_iter Caffe's poly has no value; here it stays at 0.",) if policy == "poly" else ()
    return Taken(schedule, notes=notes)


def _fixed(options: Options, lr: float, length: int) -> Schedule:
    return Constant(lr)


def _step(options: Options, lr: float, length: int) -> Schedule:
    size, gamma = options.whole("stepsize", least=1), options.number("gamma", least=0)
    return Exponential(init_value=lr, decay_rate=gamma, decay_steps=size, staircase=True)


def _exp(options: Options, lr: float, length: int) -> Schedule:
    return Exponential(init_value=lr, decay_rate=options.number("gamma", least=0))


def _inv(options: Options, lr: float, length: int) -> Schedule:
    gamma, power = options.number("gamma", least=0), options.number("power", above=0)
    return InverseTime(init_value=lr, decay_rate=gamma, power=power)


def _multistep(options: Options, lr: float, length: int) -> Schedule:
    """At most one step in an iteration: one that is not after the one before it comes an iteration later."""
    gamma = options.number("gamma", least=0)
    places: list[int] = []
    for one in options.wholes("stepvalue", default=[]):
        places.append(max(one, places[-1] + 1 if places else 0))
    return PiecewiseConstant(boundaries=places, values=[lr * gamma**count for count in range(len(places) + 1)])


def _poly(options: Options, lr: float, length: int) -> Schedule:
    if not length:
        raise options.error("max_iter", "expected an integer >= 1 for poly; got none")
    return Polynomial(init_value=lr, decay_steps=length, power=options.number("power", above=0))


def _sigmoid(options: Options, lr: float, length: int) -> Schedule:
    """It rises."""
    gamma, middle = options.number("gamma", least=0), options.whole("stepsize", least=1)
    if gamma == 0:
        return Constant(lr / 2)
    return Logistic(init_value=0.0, end_value=lr, midpoint=middle, decay_steps=1 / gamma)


_POLICIES: dict[str, Callable[[Options, float, int], Schedule]] = {
    "fixed": _fixed,
    "step": _step,
    "exp": _exp,
    "inv": _inv,
    "multistep": _multistep,
    "poly": _poly,
    "sigmoid": _sigmoid,
}
