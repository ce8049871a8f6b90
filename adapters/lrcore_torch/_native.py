"""PyTorch's own schedulers as lrcore schedules. Both count the updates already made, in `last_epoch`.

Most of torch's classes multiply the rate that is in the optimizer, so what they give depends on where they begin: alone
with the rate the group was made with, in a SequentialLR at a milestone by their closed form or, where they have none,
with the rate of the update before. `_Start` says which.
"""

# ruff: noqa: SLF001 - torch keeps what a scheduler was made with in private attributes

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import Any, Literal, NamedTuple

from torch import Tensor
from torch.optim import lr_scheduler as torch_lr
from torch.optim.swa_utils import SWALR

import lrcore
from lrcore_torch._chain import replayed
from lrcore_torch._scheduler import LRScheduler

WHERE = "lrcore_torch.from_native"


def from_native(
    native: Any, *, parameter: Literal["lr", "momentum"] = "lr", group: int = 0, base_lr: float | None = None
) -> lrcore.Schedule | Any:
    """The schedule of a torch scheduler in one parameter group, however far it has run.

    What a scheduler was made with is read, and the rate that the group was made with (`initial_lr`), never the present
    one; a rate that was set by hand, or left by a scheduler outside this one, is not known to it.

    Args:
        native: a scheduler of `torch.optim.lr_scheduler`, or `torch.optim.swa_utils.SWALR`.
        parameter: "momentum" for what a CyclicLR or OneCycleLR does with the momentum, or with the first of the betas.
        group: number of the parameter group.
        base_lr: the rate before the scheduler began, for those that do not keep it: a SWALR that is at its end, and
            a ReduceLROnPlateau that may have reduced it. Of the latter over one group, the optimizer's own `lr` is taken
            where reductions lead from there to the present rate: give it where the group was made with another.

    Returns:
        A schedule that is equal to the native at every step; a `lrcore.Plateau` for ReduceLROnPlateau. A Python function
        inside the native goes on as a `lrcore.Function`, which cannot be written to a file. For an `LRScheduler` of
        ours, what it was made with, times what it multiplies in this group.

    Raises:
        lrcore.ScheduleError: the native is not one of torch's, has options for which it has no rate, has forgotten its
            base rate, or chains children that overwrite each other.

    Example:
        >>> import lrcore_torch, torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> native = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30, gamma=0.5)
        >>> lrcore_torch.from_native(native)
        Exponential(init_value=0.1, decay_rate=0.5, decay_steps=30.0, staircase=True)
    """
    _check(native, parameter, group)
    if base_lr is None:
        rate = _first_rate(native, group) if parameter == "lr" else 0.0
    elif type(native) in _FORGETFUL:
        rate = base_lr
    else:
        raise _refusal(f"expected no base_lr, which a {type(native).__name__} knows; got {base_lr}")
    return _converted(native, _Start(group, rate), parameter)


def native_step(native: Any) -> int:
    """The step that a torch scheduler has reached; for ReduceLROnPlateau the metrics that it was told.

    Raises:
        lrcore.ScheduleError: it is no scheduler of torch's.

    Example:
        >>> import lrcore_torch, torch
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        >>> native = torch.optim.lr_scheduler.StepLR(optimizer, step_size=30)
        >>> _ = optimizer.step()
        >>> native.step()
        >>> lrcore_torch.native_step(native)
        1
    """
    if isinstance(native, torch_lr.ChainedScheduler):
        return native_step(native._schedulers[0])
    if not isinstance(native, torch_lr.LRScheduler):
        raise lrcore.ScheduleError(
            "lrcore_torch.native_step", f"expected a scheduler of torch.optim; got {type(native).__name__}"
        )
    return max(0, int(native.last_epoch))


class _Start(NamedTuple):
    """Where a native begins.

    Attributes:
        group: number of the parameter group.
        rate: what it begins with.
        restarted: whether a SequentialLR begins it at a milestone: by its closed form if it has one, otherwise `rate`
            is that of the update before.
    """

    group: int
    rate: float
    restarted: bool = False


@dataclass(frozen=True)
class _Scaled:
    """A Python function times a number."""

    factor: float
    function: Callable[[int], float]

    def __call__(self, step: int) -> float:
        return self.factor * self.function(step)


@dataclass(frozen=True)
class _OfCycle:
    """A Python function of the number of the cycle, counted from 1, as one of the step."""

    function: Callable[[float], float]
    period: float

    def __call__(self, step: int) -> float:
        return self.function(math.floor(1 + step / self.period))


# --- the classes of which a rate is made ------------------------------------------------------------------------------


def _lambda(native: torch_lr.LambdaLR, start: _Start) -> lrcore.Schedule:
    return lrcore.Function(_Scaled(float(native.base_lrs[start.group]), native.lr_lambdas[start.group]))


def _multiplicative(native: torch_lr.MultiplicativeLR, start: _Start) -> lrcore.Schedule:
    factor = native.lr_lambdas[start.group]
    return lrcore.running_product(start.rate * factor(0) if start.restarted else start.rate, factor)


def _step(native: torch_lr.StepLR, start: _Start) -> lrcore.Schedule:
    width = _finite(native.step_size, "step_size")
    if width == 0:
        raise _refusal("expected a step_size other than 0, by which torch divides; got 0")
    # A step is a multiple of 5/2 when it is one of 5.
    steps = Fraction(abs(width)).numerator
    return lrcore.Exponential(init_value=start.rate, decay_rate=native.gamma, decay_steps=steps, staircase=True)


def _multi_step(native: torch_lr.MultiStepLR, start: _Start) -> lrcore.Schedule:
    given = sorted(native.milestones.elements())
    if start.restarted:  # the closed form counts what lies before, too
        boundaries = [max(milestone, 0) for milestone in given if milestone <= 0 or float(milestone).is_integer()]
    else:
        boundaries = [milestone for milestone in given if milestone >= 0 and float(milestone).is_integer()]
    values = list(accumulate([native.gamma] * len(boundaries), mul, initial=start.rate))
    return lrcore.PiecewiseConstant(boundaries=boundaries, values=values)


def _constant(native: torch_lr.ConstantLR, start: _Start) -> lrcore.Schedule:
    end = native.total_iters
    if start.restarted and end <= 0:
        return lrcore.Constant(start.rate)
    low = start.rate * native.factor
    if end < 1 or not float(end).is_integer():  # torch waits for a step that is equal to it
        return lrcore.Constant(low)
    return lrcore.PiecewiseConstant(boundaries=[end], values=[low, start.rate])


def _linear(native: torch_lr.LinearLR, start: _Start) -> lrcore.Schedule:
    first, last, end = native.start_factor, native.end_factor, _finite(native.total_iters, "total_iters")
    if start.restarted and end <= 0:
        _check_closed_form(native)
        return lrcore.Constant(start.rate * last)
    steps = max(0, math.floor(end))
    part = steps / end if steps else 0.0
    reached = first * (1 - part) + last * part
    return lrcore.Linear(init_value=start.rate * first, end_value=start.rate * reached, decay_steps=steps)


def _exponential(native: torch_lr.ExponentialLR, start: _Start) -> lrcore.Schedule:
    return lrcore.Exponential(init_value=start.rate, decay_rate=native.gamma)


def _polynomial(native: torch_lr.PolynomialLR, start: _Start) -> lrcore.Schedule:
    end, power = _finite(native.total_iters, "total_iters"), native.power
    if start.restarted and end <= 0:
        _check_closed_form(native)
        return lrcore.Constant(0.0 if power else start.rate)
    if power == 0 or end < 1:
        return lrcore.Constant(start.rate)
    if power < 0:
        raise _refusal(f"expected power >= 0, as the rate is infinite at step {end}; got {power}")
    if float(end).is_integer():
        return lrcore.Polynomial(init_value=start.rate, decay_steps=int(end), power=power)
    fall = lrcore.Interpolate(boundaries=[0, end], values=[start.rate, 0.0], shape="power", power=power)
    last = math.floor(end)
    return lrcore.Join([fall, lrcore.Constant(fall(last))], boundaries=[last])


def _cosine(native: torch_lr.CosineAnnealingLR, start: _Start) -> lrcore.Schedule:
    half = abs(_finite(native.T_max, "T_max"))
    if half == 0:
        raise _refusal("expected a T_max other than 0, by which torch divides; got 0")
    if not float(half).is_integer():
        fall = lrcore.Interpolate(boundaries=[0, half], values=[start.rate, native.eta_min], shape="cosine")
        return lrcore.Repeat(fall, period=half, mirror=True)
    cosine = lrcore.Cosine(init_value=start.rate, end_value=native.eta_min, decay_steps=int(half))
    return lrcore.Repeat(cosine, mirror=True)


def _restarts(native: torch_lr.CosineAnnealingWarmRestarts, start: _Start) -> lrcore.Schedule:
    rate = float(native.base_lrs[start.group])
    cycle = lrcore.Cosine(init_value=rate, end_value=native.eta_min, decay_steps=native.T_0)
    return lrcore.Repeat(cycle, length_factor=native.T_mult)


def _swa(native: SWALR, start: _Start) -> lrcore.Schedule:
    make = {"cos": lrcore.Cosine, "linear": lrcore.Linear}[native._anneal_strategy]
    end = float(_groups(native)[start.group]["swa_lr"])
    return make(init_value=start.rate, end_value=end, decay_steps=native.anneal_epochs)


def _plateau(native: torch_lr.ReduceLROnPlateau, start: _Start) -> lrcore.Plateau:
    rate, lowest, relative = start.rate, native.min_lrs[start.group], native.threshold_mode == "rel"
    if native.patience < 0:
        raise _refusal(f"expected patience >= 0; got {native.patience}")
    return lrcore.Plateau(
        lrcore.Constant(rate),
        factor=max(native.factor, 0.0) if lowest >= 0 else native.factor,
        patience=native.patience,
        mode=native.mode,
        rtol=native.threshold if relative else 0.0,
        atol=0.0 if relative else native.threshold,
        cooldown=max(native.cooldown, 0),
        min_scale=min(max(lowest / rate, 0.0), 1.0) if rate > 0 else 1.0,
        eps=native.eps / rate if rate > 0 else 0.0,
        arithmetic="torch",
    )


# --- cycles, of the rate and of the momentum --------------------------------------------------------------------------


def _cyclic(native: torch_lr.CyclicLR, start: _Start) -> lrcore.Schedule:
    return _triangles(native, native.base_lrs[start.group], native.max_lrs[start.group])


def _cyclic_momentum(native: torch_lr.CyclicLR, start: _Start) -> lrcore.Schedule:
    return _triangles(native, native.max_momentums[start.group], native.base_momentums[start.group])


def _triangles(native: torch_lr.CyclicLR, foot: Any, top: Any) -> lrcore.Schedule:
    foot, top, period = float(foot), float(top), native.total_size
    up = _plainest(native.step_ratio * period, lambda steps: steps / period == native.step_ratio)
    custom = native._scale_fn_custom
    if up == period and period.as_integer_ratio()[1] > 1024:
        raise _refusal(
            f"expected a rise without a fall to take a whole number of updates, or halves of one; got {period}, at whose "
            "multiples rounding decides between the foot and the top"
        )
    if custom is None:
        down = _plainest(period - up, lambda steps: up + steps == period)
        return lrcore.cyclic(
            base_value=foot, peak_value=top, up_steps=up, down_steps=down, mode=native.mode, gamma=native.gamma
        )
    heights = lrcore.Function(_OfCycle(custom, period) if native.scale_mode == "cycle" else custom)
    triangle = lrcore.Interpolate(boundaries=[0, up, period], values=[0.0, top - foot, 0.0])
    return lrcore.Constant(foot) + lrcore.Repeat(triangle, period) * heights


def _one_cycle(native: torch_lr.OneCycleLR, start: _Start) -> lrcore.Schedule:
    group = _groups(native)[start.group]
    return _one_cycle_between(native, group["initial_lr"], group["max_lr"], group["min_lr"])


def _one_cycle_momentum(native: torch_lr.OneCycleLR, start: _Start) -> lrcore.Schedule:
    group = _groups(native)[start.group]
    return _one_cycle_between(native, group["max_momentum"], group["base_momentum"], group["max_momentum"])


def _one_cycle_between(native: torch_lr.OneCycleLR, first: Any, top: Any, last: Any) -> lrcore.Schedule:
    turn, total = native._schedule_phases[0]["end_step"], native.total_steps
    return lrcore.one_cycle(
        init_value=float(first),
        peak_value=float(top),
        end_value=float(last),
        total_steps=total,
        pct_start=_plainest((turn + 1) / total, lambda share: float(share * total) - 1 == turn),
        shape="cosine" if native._anneal_func_type == "cos" else "linear",
        three_phase=len(native._schedule_phases) == 3,
    )


def _plainest(number: float, fits: Callable[[float], bool]) -> float:
    """The number with the fewest digits that fits: torch keeps a quotient of what it was given, which has lost the last."""
    candidates = (float(f"{number:.{digits}g}") for digits in range(1, 18))
    return next((candidate for candidate in candidates if fits(candidate)), number)


# --- composites -------------------------------------------------------------------------------------------------------


def _sequential(native: torch_lr.SequentialLR, start: _Start) -> lrcore.Schedule:
    children, group = native._schedulers, start.group
    if len({id(child) for child in children}) < len(children):
        raise _refusal("expected a SequentialLR of different schedulers; got the same one twice")
    (_, number), *later = _turns(native._milestones)
    parts = [_rewound(children[number], group, _initial_rate(native, group))]
    boundaries = [0]
    for boundary, number in later:
        child, before = children[number], boundary - 1 - boundaries[-1]
        rate = parts[-1](before) if type(child) in _WITHOUT_CLOSED_FORM else _first_rate(child, group)
        parts.append(_converted(child, _Start(group, rate, restarted=True)))
        boundaries.append(boundary)
    return lrcore.Join(parts, boundaries=boundaries[1:]) if later else parts[0]


def _turns(milestones: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The steps at which another child has its turn, and its number, as torch's bisection finds it."""
    current = bisect_right(milestones, 0)
    yield 0, current
    for milestone in sorted(milestones):
        number = bisect_right(milestones, milestone)
        if milestone > 0 and number != current:
            if milestones[number - 1] != milestone or not float(milestone).is_integer():
                raise _refusal(
                    f"expected milestones that are rising integers, as torch begins no child anew at others; "
                    f"got {milestones}"
                )
            yield int(milestone), number
            current = number


def _rewound(first: Any, group: int, rate: float) -> lrcore.Schedule:
    """The first child, from the `initial_lr` that a SequentialLR puts back: not its own where a OneCycleLR changed it."""
    schedule: lrcore.Schedule = _converted(first, _Start(group, rate))
    if type(first) is not torch_lr.CosineAnnealingLR or not float(first.T_max).is_integer():
        return schedule
    own = _converted(first, _Start(group, _first_rate(first, group)))
    steps = abs(int(first.T_max))
    return own if own == schedule else lrcore.Join([schedule, lrcore.Shift(own, steps)], boundaries=[steps])


def _chained(native: torch_lr.ChainedScheduler, start: _Start) -> lrcore.Schedule:
    children = list(_links(native))
    if len(children) == 1:
        return _converted(children[0], start)
    for child in children:
        if type(child) not in _FACTORS:
            raise _refusal(
                f"expected children of a ChainedScheduler that change the rate they find; got {type(child).__name__}, "
                "which overwrites it; build the rates that you want of lrcore's kinds"
            )
    first, *others = [
        _converted(child, _Start(start.group, 1.0 if number else start.rate)) for number, child in enumerate(children)
    ]
    if all(_is_factor(child, children, start) for child in children):
        return lrcore.Product([first, *others])
    if any(getattr(child, "factor", 1) == 0 for child in children):
        raise _refusal("expected a factor other than 0, by which torch divides, in a ConstantLR chained with a cosine")
    return replayed(children, start.group, start.rate)


def _is_factor(child: Any, chain: list[Any], start: _Start) -> bool:
    """Whether a child only multiplies. Beyond its end a cosine adds: it is one if by then the others leave the rate."""
    if type(child) is not torch_lr.CosineAnnealingLR:
        return True
    others = lrcore.Product([_converted(one, _Start(start.group, 1.0)) for one in chain if one is not child])
    rests = others.length is not None and others.length <= abs(child.T_max) and others(others.length) == 1
    return child.eta_min == 0 and rests


def _links(native: Any) -> Iterator[Any]:
    """The children of a ChainedScheduler, and of those in it."""
    if type(native) is not torch_lr.ChainedScheduler:
        yield native
    else:
        for child in native._schedulers:
            yield from _links(child)


def _ours(native: LRScheduler, start: _Start) -> lrcore.Schedule | lrcore.Plateau:
    group = _groups(native)[start.group]
    factor = float(group.get("lr_scale", 1.0)) * (_initial_rate(native, start.group) if native.relative else 1.0)
    if native.plateau is not None:
        if factor == 1:
            return native.plateau
        raise _refusal(f"expected a plateau that nothing multiplies in group {start.group}; got the factor {factor}")
    schedule = native.schedule[start.group] if isinstance(native.schedule, list) else native.schedule
    return schedule if factor == 1 else schedule * factor


def _our_momentum(native: LRScheduler, start: _Start) -> lrcore.Schedule:
    schedule = native.also.get("momentum")
    if schedule is None:
        raise _refusal("expected a scheduler that drives the momentum; got one that does not")
    one: lrcore.Schedule = schedule[start.group] if isinstance(schedule, list) else schedule
    return one


# --- tables -----------------------------------------------------------------------------------------------------------

_CONVERTERS: dict[type, Callable[[Any, _Start], Any]] = {
    torch_lr.LambdaLR: _lambda,
    torch_lr.MultiplicativeLR: _multiplicative,
    torch_lr.StepLR: _step,
    torch_lr.MultiStepLR: _multi_step,
    torch_lr.ConstantLR: _constant,
    torch_lr.LinearLR: _linear,
    torch_lr.ExponentialLR: _exponential,
    torch_lr.PolynomialLR: _polynomial,
    torch_lr.CosineAnnealingLR: _cosine,
    torch_lr.CosineAnnealingWarmRestarts: _restarts,
    torch_lr.CyclicLR: _cyclic,
    torch_lr.OneCycleLR: _one_cycle,
    torch_lr.SequentialLR: _sequential,
    torch_lr.ChainedScheduler: _chained,
    torch_lr.ReduceLROnPlateau: _plateau,
    SWALR: _swa,
    LRScheduler: _ours,
}
_MOMENTA: dict[type, Callable[[Any, _Start], lrcore.Schedule]] = {
    torch_lr.CyclicLR: _cyclic_momentum,
    torch_lr.OneCycleLR: _one_cycle_momentum,
    LRScheduler: _our_momentum,
}
_FACTORS = (
    torch_lr.MultiplicativeLR,
    torch_lr.StepLR,
    torch_lr.MultiStepLR,
    torch_lr.ConstantLR,
    torch_lr.LinearLR,
    torch_lr.ExponentialLR,
    torch_lr.PolynomialLR,
    torch_lr.CosineAnnealingLR,
)
_WITHOUT_CLOSED_FORM = (torch_lr.MultiplicativeLR, SWALR)
_FORGETFUL = (torch_lr.ReduceLROnPlateau, SWALR)


def _check(native: Any, parameter: str, group: int) -> None:
    table: dict[str, dict[type, Any]] = {"lr": _CONVERTERS, "momentum": _MOMENTA}
    if parameter not in table:
        raise _refusal(f"expected lr or momentum as parameter; got {parameter!r}")
    if type(native) not in table[parameter]:
        raise _unknown(native, table[parameter])
    count = len(_groups(native) if type(native) is LRScheduler else _made_for(native))
    if group not in range(count) or isinstance(group, bool | float):
        raise _refusal(f"expected one of the {count} groups that the scheduler was made for, from 0 on; got {group}")
    if parameter == "momentum" and getattr(native, "cycle_momentum", True) is False:
        raise _refusal(f"expected a {type(native).__name__} with cycle_momentum; got one without")


def _converted(native: Any, start: _Start, parameter: str = "lr") -> Any:
    if parameter == "momentum":
        return _MOMENTA[type(native)](native, start)
    if type(native) not in _CONVERTERS:
        raise _unknown(native, _CONVERTERS)
    return _CONVERTERS[type(native)](native, start)


def _made_for(native: Any) -> list[Any]:
    """One value for each group that a scheduler was made for."""
    if type(native) in (torch_lr.SequentialLR, torch_lr.ChainedScheduler):
        return min((_made_for(child) for child in native._schedulers), key=len)
    values: list[Any] = native.min_lrs if type(native) is torch_lr.ReduceLROnPlateau else native.base_lrs
    return values


def _groups(native: Any) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = native.optimizer.param_groups
    return groups


# --- where a native began ---------------------------------------------------------------------------------------------


def _first_rate(native: Any, group: int) -> float:
    """The rate in a group before a scheduler that stands alone began."""
    if type(native) is torch_lr.ChainedScheduler:
        return _first_rate(native._schedulers[0], group)
    if type(native) in _BEGINNINGS:
        return _BEGINNINGS[type(native)](native, group)
    return float(native.base_lrs[group])


def _initial_rate(native: Any, group: int) -> float:
    return float(_groups(native)[group]["initial_lr"])


def _before_swa(native: SWALR, group: int) -> float:
    """Solved for the rate of which the present one is a mean with swa_lr, while enough of it is left."""
    rate, end, length = native._last_lr[group], float(_groups(native)[group]["swa_lr"]), native.anneal_epochs
    part = native.anneal_func(min(1.0, max(0, native._step_count - 1) / max(1, length)))
    if part == 0 or length == 0:
        return float(rate)
    if 1 - part < 1e-3:
        raise _refusal("expected a SWALR that still shows the rate it began with; got one at its end; give base_lr")
    first = (float(rate) - part * end) / (1 - part)
    precision = (1e-6 if isinstance(rate, Tensor) else 1e-12) / (1 - part)
    base = float(native.base_lrs[group])
    if math.isclose(base, first, rel_tol=precision):
        return base
    return _plainest(first, lambda plain: math.isclose(plain, first, rel_tol=precision))


def _before_plateau(native: torch_lr.ReduceLROnPlateau, group: int) -> float:
    """The rate of the group if it cannot have been reduced yet, otherwise one from which it was."""
    own, default = _groups(native)[group], native.optimizer.defaults.get("lr", 0.0)
    rate = float(own["lr"])
    if "initial_lr" in own:
        return float(own["initial_lr"])
    if native.last_epoch <= max(native.patience, 0):
        return rate
    if len(_groups(native)) == 1 and _falls_to(native, float(default), rate):
        return float(default)
    raise _refusal(
        f"expected a ReduceLROnPlateau that has not reduced the rate of group {group}; got one that may have; "
        "give base_lr, the rate before"
    )


def _falls_to(native: torch_lr.ReduceLROnPlateau, rate: float, reached: float) -> bool:
    """Whether reductions lead from one rate to another."""
    while rate != reached:
        lower = max(rate * native.factor, native.min_lrs[0])
        if rate - lower <= max(native.eps, 0.0):
            return False
        rate = lower
    return True


_BEGINNINGS: dict[type, Callable[[Any, int], float]] = {
    SWALR: _before_swa,
    torch_lr.ReduceLROnPlateau: _before_plateau,
    torch_lr.SequentialLR: _initial_rate,
}


# --- checks -----------------------------------------------------------------------------------------------------------


def _finite(length: Any, name: str) -> Any:
    if math.isfinite(length):
        return length
    raise _refusal(f"expected a finite {name}; got {length}")


def _check_closed_form(native: Any) -> None:
    """What a SequentialLR asks for at a milestone: 1 - t / total_iters to some power."""
    if native.total_iters == 0 or getattr(native, "power", 0) < 0:
        raise _refusal(
            f"expected total_iters of at least 1 in a {type(native).__name__} after a milestone, where torch divides "
            f"by 0; got {native.total_iters}"
        )


def _unknown(native: Any, table: dict[type, Any]) -> lrcore.ScheduleError:
    known = ", ".join(cls.__name__ for cls in table if cls is not LRScheduler)
    return _refusal(f"expected one of {known}; got {type(native).__name__}; wrap its formula in lrcore.Function")


def _refusal(problem: str) -> lrcore.ScheduleError:
    return lrcore.ScheduleError(WHERE, problem)
