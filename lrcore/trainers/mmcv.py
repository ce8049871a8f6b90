"""mmcv's `lr_config`, of OpenMMLab's projects before mmengine; mmcv/runner/hooks/lr_updater.py.

The hook sets the rate before each batch, or before each epoch with by_epoch, which is the default; its clock starts at 0. A
warmup multiplies what the policy says, whose clock runs already.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

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
)
from lrcore.schedules.recipes import one_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total, per_accumulated, per_epoch

FOLLOWS = "mmcv 1.7.2"
FACTS = {"lr": "the optimizer's rate, where the file has no optimizer.lr"}


class _Plan(NamedTuple):
    """What every policy needs; its clock counts epochs or batches."""

    policy: Options
    lr: Callable[[], float]
    length: Callable[[], int]
    by_epoch: bool

    def floor(self) -> float:
        """min_lr, or min_lr_ratio of the optimizer's rate; one of them."""
        lowest, ratio = (self.policy.number(name, default=None) for name in ("min_lr", "min_lr_ratio"))
        if (lowest is None) == (ratio is None):
            got = "none" if lowest is None else "both"
            raise self.policy.error("min_lr", f"expected min_lr or min_lr_ratio; got {got}")
        return float(lowest) if lowest is not None else self.lr() * float(ratio)


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole configuration, or its lr_config alone."""
    policy = options.first_table("lr_config").own()
    accumulated = options.table("optimizer_config").whole("cumulative_iters", default=1, least=1)
    kind = policy.word("policy", choices=list(_POLICIES))
    by_epoch = policy.flag("by_epoch", default=kind not in ("Cyclic", "OneCycle"))
    plan = _Plan(
        policy,
        lambda: float(facts.lr(options.table("optimizer"), "lr")),
        lambda: _length(options, policy, facts, accumulated, by_epoch=by_epoch),
        by_epoch,
    )
    if by_epoch and kind in ("Cyclic", "OneCycle"):
        raise policy.error("by_epoch", f"expected false for {kind}; got true")
    regular = _POLICIES[kind](plan)
    batches = per_epoch(regular, facts.batches_per_epoch()) if by_epoch else regular
    _check_length(options, facts, accumulated)
    notes = ("momentum_config schedules the momentum, which is not read.",) if options.given("momentum_config") else ()
    return Taken(per_accumulated(_warmed(policy, batches, facts), accumulated), notes=notes)


def _length(options: Options, policy: Options, facts: Facts, accumulated: int, *, by_epoch: bool) -> int:
    """The run in epochs or batches."""
    epochs, batches = _stated(options)
    if by_epoch:
        if epochs is None and batches is not None:
            raise policy.error("by_epoch", "expected false in a run of iterations; got true")
        found: int = -(-facts.updates() * accumulated // facts.batches_per_epoch()) if epochs is None else epochs
        return found
    if batches is None:
        batches = facts.updates() * accumulated if epochs is None else epochs * facts.batches_per_epoch()
    return int(batches)


def _stated(options: Options) -> tuple[int | None, int | None]:
    """The epochs and the iterations that the configuration says."""
    runner = options.table("runner")
    epochs = runner.whole("max_epochs", default=None) or options.whole("total_epochs", "max_epochs", default=None)
    return epochs, runner.whole("max_iters", default=None) or options.whole("total_iters", "max_iters", default=None)


def _check_length(options: Options, facts: Facts, accumulated: int) -> None:
    epochs, batches = _stated(options)
    if facts.updates(default=None) is not None and (epochs or batches):
        check_total(facts, (batches or epochs * facts.batches_per_epoch()) // accumulated)  # type: ignore[operator]


def _warmed(policy: Options, regular: Schedule, facts: Facts) -> Schedule:
    kind = policy.word("warmup", default=None, choices=["constant", "linear", "exp"])
    if kind is None:
        policy.ignore("warmup_iters", "warmup_ratio", "warmup_by_epoch")
        return regular
    steps, ratio = policy.whole("warmup_iters", least=1), policy.number("warmup_ratio", default=0.1, above=0)
    if ratio > 1:
        raise policy.error("warmup_ratio", f"expected a number <= 1; got {ratio!r}")
    steps *= facts.batches_per_epoch() if policy.flag("warmup_by_epoch") else 1
    factor: Schedule = Linear(init_value=ratio, end_value=1.0, decay_steps=steps)
    if kind == "constant":
        factor = PiecewiseConstant(boundaries=[steps], values=[ratio, 1.0])
    elif kind == "exp":
        factor = Interpolate(boundaries=[0, steps], values=[ratio, 1.0], shape="exponential")
    return factor * regular


# --- policies, in epochs or batches -----------------------------------------------------------------------------------


def _fixed(plan: _Plan) -> Schedule:
    return Constant(plan.lr())


def _step(plan: _Plan) -> Schedule:
    """Every so many, or at these places."""
    lr, gamma = plan.lr(), plan.policy.number("gamma", default=0.1)
    given, lowest = plan.policy.wholes("step"), plan.policy.number("min_lr", default=None)
    if any(one <= 0 for one in given) or given != sorted(given):
        raise plan.policy.error("step", f"expected a number > 0 or a rising list of them; got {given}")
    stairs: Schedule = PiecewiseConstant(
        boundaries=given, values=[lr * gamma**count for count in range(len(given) + 1)]
    )
    if len(given) == 1 and not plan.policy.is_list("step"):
        stairs = Exponential(init_value=lr, decay_rate=gamma, decay_steps=given[0], staircase=True)
    return stairs if lowest is None else Clip(stairs, min_value=lowest)


def _exp(plan: _Plan) -> Schedule:
    return Exponential(init_value=plan.lr(), decay_rate=plan.policy.number("gamma"))


def _poly(plan: _Plan) -> Schedule:
    lowest, power = plan.policy.number("min_lr", default=0.0), plan.policy.number("power", default=1.0, above=0)
    return Polynomial(init_value=plan.lr(), end_value=lowest, decay_steps=plan.length(), power=power)


def _inv(plan: _Plan) -> Schedule:
    gamma, power = plan.policy.number("gamma", least=0), plan.policy.number("power", default=1.0, above=0)
    return InverseTime(init_value=plan.lr(), decay_rate=gamma, power=power)


def _cosine(plan: _Plan) -> Schedule:
    return Cosine(init_value=plan.lr(), end_value=plan.floor(), decay_steps=plan.length())


def _linear(plan: _Plan) -> Schedule:
    return Linear(init_value=plan.lr(), end_value=plan.floor(), decay_steps=plan.length())


def _flat_cosine(plan: _Plan) -> Schedule:
    start = round(plan.length() * plan.policy.number("start_percent", default=0.75, least=0))
    fall = Cosine(init_value=plan.lr(), end_value=plan.floor(), decay_steps=max(plan.length() - start, 0))
    return Join([Constant(plan.lr()), fall], boundaries=[start])


def _cosine_restart(plan: _Plan) -> Schedule:
    """A weight scales what is above the floor; mmengine's scales the whole."""
    lowest, lr = plan.floor(), plan.lr()
    periods, weights = plan.policy.wholes("periods"), plan.policy.numbers("restart_weights", default=[1.0])
    if len(periods) != len(weights) or min(periods, default=0) < 1:
        raise plan.policy.error(
            "restart_weights", f"expected one for each of {len(periods)} periods; got {len(weights)}"
        )
    parts = [
        Cosine(init_value=lowest + weight * (lr - lowest), end_value=lowest, decay_steps=period)
        for period, weight in zip(periods, weights, strict=True)
    ]
    return Join(parts, boundaries=list(itertools.accumulate(periods[:-1]))) if len(parts) > 1 else parts[0]


def _cyclic(plan: _Plan) -> Schedule:
    """Up to a multiple of the rate and down to a part of it; with gamma each cycle is lower."""
    lr, gamma = plan.lr(), plan.policy.number("gamma", default=1.0, above=0)
    cycles = plan.policy.whole("cyclic_times", default=1, least=1)
    period = plan.length() // cycles
    rise = int(plan.policy.number("step_ratio_up", default=0.4, least=0) * period)
    highest, *rest = plan.policy.numbers("target_ratio", default=[10.0, 1e-4])
    lowest = rest[0] if rest else highest / 1e5
    shape = (
        "cosine" if plan.policy.word("anneal_strategy", default="cos", choices=["cos", "linear"]) == "cos" else "linear"
    )
    if not period or rise >= period:
        raise plan.policy.error(
            "cyclic_times", f"expected cycles of at least one update; got {period} with a rise of {rise}"
        )

    def cycle(scale: float) -> Schedule:
        top = lr * (1 - scale + highest * scale)
        if not rise:
            ends = [lr * highest, lr * (1 - scale + lowest * scale)]
            return Interpolate(boundaries=[0, period], values=ends, shape=shape)  # type: ignore[arg-type]
        values = [lr, top, lr * lowest]
        return Interpolate(boundaries=[0, rise, period], values=values, shape=shape)  # type: ignore[arg-type]

    if gamma == 1:
        return Repeat(cycle(1.0), period)
    count = -(-plan.length() // period)
    parts = [cycle(gamma**number) for number in range(count)]
    return Join(parts, boundaries=[period * number for number in range(1, count)])


def _one_cycle(plan: _Plan) -> Schedule:
    """torch's; it takes max_lr, not the optimizer's rate."""
    policy = plan.policy
    top, total = policy.number("max_lr"), policy.whole("total_steps", default=None)
    if total is not None and total < plan.length():
        raise policy.error("total_steps", f"expected at least the run's {plan.length()}; got {total}")
    first = top / policy.number("div_factor", default=25.0)
    return one_cycle(
        init_value=first,
        peak_value=top,
        end_value=first / policy.number("final_div_factor", default=1e4),
        total_steps=plan.length() if total is None else total,
        pct_start=policy.number("pct_start", default=0.3),
        shape="cosine"
        if policy.word("anneal_strategy", default="cos", choices=["cos", "linear"]) == "cos"
        else "linear",
        three_phase=policy.flag("three_phase"),
    )


_POLICIES: dict[str, Callable[[_Plan], Schedule]] = {
    "fixed": _fixed,
    "step": _step,
    "exp": _exp,
    "poly": _poly,
    "inv": _inv,
    "CosineAnnealing": _cosine,
    "FlatCosineAnnealing": _flat_cosine,
    "CosineRestart": _cosine_restart,
    "Cyclic": _cyclic,
    "OneCycle": _one_cycle,
    "LinearAnnealing": _linear,
}
