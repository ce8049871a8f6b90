"""Detectron2's SOLVER; detectron2/solver/build.py and lr_scheduler.py over fvcore/common/param_scheduler.py.

Update u has the group's rate times f(u / MAX_ITER). fvcore adds 1e-6 to that part of the run before it compares it with a
place, so that from 1e6 iterations on a step or the end of the warmup is early: places are found with its own arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import Clip, Constant, Cosine, Join, Linear, PiecewiseConstant, Polynomial, Repeat, Shift
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total

FOLLOWS = "detectron2 02b5c4e2, fvcore 0.1.5.post20221221"
FACTS = {
    "lr": "the rate, where the file has no SOLVER.BASE_LR",
    "world_size": "the workers of the run, where SOLVER.REFERENCE_WORLD_SIZE scales the rate and the lengths by them",
}

_EPSILON = 1e-6  # WHERE_EPSILON of fvcore


class _Plan(NamedTuple):
    """The solver, as far as all schedulers share it; lengths in updates."""

    solver: Options
    lr: float
    length: int
    warmup: int
    rescaled: bool
    scale: float

    @property
    def entry(self) -> int:
        """The first update after the warmup."""
        part = min(self.warmup / self.length, 1.0)
        return _first(self.warmup, self.length, lambda update: update / self.length + _EPSILON > part)

    def part(self, update: int) -> float:
        """The part of the run that the scheduler sees at an update after the warmup."""
        where, warm = update / self.length, self.warmup / self.length
        return (where - warm) / (1 - warm) if self.rescaled else where

    def place(self, guess: float, holds: Callable[[float], bool]) -> int:
        """The first update at which something holds of the part of the run, moved a little forward."""
        if self.rescaled:
            guess = self.warmup + guess * (1 - self.warmup / self.length)
        return _first(guess, self.length, lambda update: holds(self.part(update) + _EPSILON))


def _first(guess: float, length: int, holds: Callable[[int], bool]) -> int:
    update = max(int(guess - _EPSILON * length) - 3, 0)
    while not holds(update):
        update += 1
    return update


def read(options: Options, facts: Facts) -> Taken:
    """Read a merged configuration, or its SOLVER alone."""
    solver = options.first_table("SOLVER").own(
        "LR_", "GAMMA", "STEPS", "NUM_DECAYS", "BASE_LR", "WARMUP_", "RESCALE", "POLY_"
    )
    name = solver.word("LR_SCHEDULER_NAME", default="WarmupMultiStepLR", choices=[*_KINDS, "WarmupPolyLR"])
    plan = _plan(solver, facts)
    schedule = _poly(plan) if name == "WarmupPolyLR" else _warmed(plan, _KINDS[name])
    notes = []
    if name == "WarmupCosineLR":
        notes.append(f"From update {plan.length} on Detectron2's cosine turns back; here its last value holds.")
    bias = solver.number("BIAS_LR_FACTOR", default=1.0)
    return Taken(schedule, groups={} if bias in (None, 1) else {"bias": bias}, notes=tuple(notes))


def _plan(solver: Options, facts: Facts) -> _Plan:
    stated = solver.whole("MAX_ITER", default=None, least=1)
    scale = _scale(solver, facts)
    length = facts.updates(default=40_000) if stated is None else round(stated / scale)
    if stated is not None:
        check_total(facts, length)
    warmup = round(solver.whole("WARMUP_ITERS", default=1000) / scale)
    rate = facts.lr(solver, "BASE_LR", default=0.001) * scale
    return _Plan(solver, rate, length, min(warmup, length), solver.flag("RESCALE_INTERVAL"), scale)


def _scale(solver: Options, facts: Facts) -> float:
    """How much larger the run's batch is than the file's, which is that of REFERENCE_WORLD_SIZE workers."""
    reference, workers = solver.whole("REFERENCE_WORLD_SIZE", default=0), facts.whole("world_size", default=0)
    batch, samples = solver.whole("IMS_PER_BATCH", default=16, least=1), facts.batch_size(default=None)
    if not reference:
        return 1.0
    if not workers and samples is None:
        raise ScheduleError(
            "detectron2",
            "expected the run's world_size, for REFERENCE_WORLD_SIZE is not 0; got none; give it as world_size=...",
        )
    return float(workers / reference if workers else samples / batch)


# --- the warmup -------------------------------------------------------------------------------------------------------


def _warmed(plan: _Plan, kind: Callable[[_Plan], Schedule]) -> Schedule:
    """The warmup leads to what the schedule has at its end, or with RESCALE_INTERVAL to the beginning of the schedule."""
    solver = plan.solver
    factor = solver.number("WARMUP_FACTOR", default=0.001)
    constant = solver.word("WARMUP_METHOD", default="linear", choices=["linear", "constant"]) == "constant"
    if plan.rescaled and plan.warmup >= plan.length:
        raise solver.error("RESCALE_INTERVAL", "expected false where the warmup takes the whole run; got true")
    schedule, first = kind(plan), plan.lr * factor
    if not plan.warmup:
        return schedule
    start, entry = plan.warmup if plan.rescaled else 0, plan.entry
    after = _entered(schedule, entry - start)
    if constant:
        rise: Schedule = Constant(first)
    else:
        rise = Linear(init_value=first, end_value=schedule(plan.warmup - start), decay_steps=plan.warmup)
    if not constant and entry == plan.warmup:
        return after.warmup(entry, init_value=first)
    return Join([rise, after], boundaries=[entry])


def _entered(schedule: Schedule, at: int) -> Schedule:
    """The schedule from an update on, which is a little before its beginning where fvcore ends the warmup early."""
    if at >= 0:
        return Shift(schedule, at) if at else schedule
    if isinstance(schedule, Cosine):  # it is asked before its beginning, where a cosine rises as it falls after it
        return Shift(Repeat(schedule, mirror=True), 2 * schedule.decay_steps + at)
    return Shift(schedule, at)


# --- the schedulers, by their own clock -------------------------------------------------------------------------------


def _multi_step(plan: _Plan) -> Schedule:
    solver = plan.solver
    given = [round(one / plan.scale) for one in solver.wholes("STEPS", default=[30_000])]
    steps = [one for one in given if one <= plan.length]
    if any(after <= before for before, after in zip([0, *steps], [*steps, plan.length], strict=True)):
        raise solver.error("STEPS", f"expected rising iterations between 0 and MAX_ITER, {plan.length}; got {given}")
    start = plan.warmup if plan.rescaled else 0
    places = [plan.place(one, lambda part, one=one: int(part * plan.length) >= one) - start for one in steps]  # type: ignore[misc]
    return _stairs(plan, places, solver.number("GAMMA", default=0.1))


def _fixed_gamma(plan: _Plan) -> Schedule:
    """Equal pieces, one more than decays."""
    pieces = plan.solver.whole("NUM_DECAYS", default=3, least=1, most=10_000) + 1
    start = plan.warmup if plan.rescaled else 0
    places = [
        plan.place(plan.length * number / pieces, lambda part, number=number: int(part * pieces) >= number) - start  # type: ignore[misc]
        for number in range(1, pieces)
    ]
    return _stairs(plan, places, plan.solver.number("GAMMA", default=0.1, above=0))


def _stairs(plan: _Plan, places: list[int], gamma: float) -> Schedule:
    values = [plan.lr * gamma**number for number in range(len(places) + 1)]
    return PiecewiseConstant(boundaries=places, values=values)


def _cosine(plan: _Plan) -> Schedule:
    end = plan.solver.number("BASE_LR_END", default=0.0, least=0)
    if end > plan.lr:
        raise plan.solver.error("BASE_LR_END", f"expected at most BASE_LR, {plan.lr!r}; got {end!r}")
    length = plan.length - plan.warmup if plan.rescaled else plan.length
    return Cosine(init_value=plan.lr, end_value=end, decay_steps=length)


def _poly(plan: _Plan) -> Schedule:
    """DeepLab's, which its project adds: the warmup multiplies; with a constant ending the rate stays there after it."""
    solver = plan.solver
    factor = solver.number("WARMUP_FACTOR", default=0.001)
    constant = solver.word("WARMUP_METHOD", default="linear", choices=["linear", "constant"]) == "constant"
    power, ending = (
        solver.number("POLY_LR_POWER", default=0.9, above=0),
        solver.number("POLY_LR_CONSTANT_ENDING", default=0.0),
    )
    solver.ignore("RESCALE_INTERVAL")
    fall = Polynomial(init_value=plan.lr, end_value=0.0, decay_steps=plan.length, power=power)
    after: Schedule = Clip(fall, min_value=ending * plan.lr) if ending > 0 else fall
    if not plan.warmup:
        return after
    rise: Schedule = Linear(init_value=factor, end_value=1.0, decay_steps=plan.warmup)
    if constant:
        rise = PiecewiseConstant(boundaries=[plan.warmup], values=[factor, 1.0])
    if ending <= 0 or fall(plan.warmup) >= ending * plan.lr:
        return rise * after
    return Join([rise * fall, Shift(after, plan.warmup)], boundaries=[plan.warmup])


_KINDS: dict[str, Callable[[_Plan], Schedule]] = {
    "WarmupMultiStepLR": _multi_step,
    "WarmupCosineLR": _cosine,
    "WarmupStepWithFixedGammaLR": _fixed_gamma,
}
