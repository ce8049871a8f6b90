"""PyTorch's own schedulers as lrcore schedules. Both count the updates already made, in `last_epoch`.

Most of torch's classes multiply the rate that is in the optimizer, so their rates depend on where they begin. Alone, they
begin with the rate that the group was made with; at a milestone of a SequentialLR, with their closed form or, if they have
none, with the rate of the previous update. `_Start` says which.
"""

# ruff: noqa: SLF001 - torch keeps the arguments of a scheduler in private attributes

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
from lrcore_torch._replay import replay
from lrcore_torch._scheduler import LRScheduler

WHERE = "lrcore_torch.from_native"


def from_native(
    native: Any, *, parameter: Literal["lr", "momentum"] = "lr", group: int = 0, base_lr: float | None = None
) -> lrcore.Schedule | Any:
    """The schedule of a torch scheduler in one parameter group, however far it has run.

    It reads the arguments of the scheduler and the rate that the group was made with (`initial_lr`), not the present rate;
    so it ignores a rate that was set by hand or left by another scheduler.

    Args:
        native: a scheduler of `torch.optim.lr_scheduler`, or `torch.optim.swa_utils.SWALR`.
        parameter: "momentum" for the momentum, or the first of the betas, that a CyclicLR or OneCycleLR drives.
        group: number of the parameter group.
        base_lr: the rate before the scheduler began, for the schedulers that do not keep it: a SWALR that is at its end,
            and a ReduceLROnPlateau that may have reduced it. For a ReduceLROnPlateau over one group, the default is the
            optimizer's own `lr` if reductions lead from it to the present rate; give `base_lr` if the group had another.

    Returns:
        A schedule that is equal to the native at every step; a `lrcore.Plateau` for ReduceLROnPlateau. A Python function
        inside the native becomes a `lrcore.Function`, which cannot be written to a file. For an
        `lrcore_torch.LRScheduler` it is its schedule times the factors that it applies to this group.

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
    elif type(native) in _WITHOUT_BASE_RATE:
        rate = base_lr
    else:
        raise _error(f"expected no base_lr, which a {type(native).__name__} knows; got {base_lr}")
    return _converted(native, _Start(group, rate), parameter)


def native_step(native: Any) -> int:
    """The step that a torch scheduler has reached; for ReduceLROnPlateau, the number of metrics it was given.

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
    """Where a native scheduler begins, and with which rate.

    Attributes:
        group: number of the parameter group.
        rate: the rate it begins with; if it is restarted and has no closed form, the rate of the previous update.
        restarted: whether a SequentialLR begins it at a milestone.
    """

    group: int
    rate: float
    restarted: bool = False


@dataclass(frozen=True)
class _ScaledFunction:
    """A Python function times a number."""

    factor: float
    function: Callable[[int], float]

    def __call__(self, step: int) -> float:
        return self.factor * self.function(step)


@dataclass(frozen=True)
class _FunctionOfCycle:
    """Turns a Python function of the number of the cycle, counted from 1, into a function of the step."""

    function: Callable[[float], float]
    period: float

    def __call__(self, step: int) -> float:
        return self.function(math.floor(1 + step / self.period))


# --- classes that compute a rate themselves ---------------------------------------------------------------------------


def _lambda(native: torch_lr.LambdaLR, start: _Start) -> lrcore.Schedule:
    return lrcore.Function(_ScaledFunction(float(native.base_lrs[start.group]), native.lr_lambdas[start.group]))


def _multiplicative(native: torch_lr.MultiplicativeLR, start: _Start) -> lrcore.Schedule:
    factor = native.lr_lambdas[start.group]
    return lrcore.running_product(start.rate * factor(0) if start.restarted else start.rate, factor)


def _step(native: torch_lr.StepLR, start: _Start) -> lrcore.Schedule:
    width = _finite(native.step_size, "step_size")
    if width == 0:
        raise _error("expected a step_size other than 0, by which torch divides; got 0")
    # An integer step is a multiple of 5/2 exactly when it is a multiple of 5.
    steps = Fraction(abs(width)).numerator
    return lrcore.Exponential(init_value=start.rate, decay_rate=native.gamma, decay_steps=steps, staircase=True)


def _multi_step(native: torch_lr.MultiStepLR, start: _Start) -> lrcore.Schedule:
    given = sorted(native.milestones.elements())
    if start.restarted:  # the closed form also counts milestones below 0
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
    if end < 1 or not float(end).is_integer():  # torch tests step == total_iters, which is then never true
        return lrcore.Constant(low)
    return lrcore.PiecewiseConstant(boundaries=[end], values=[low, start.rate])


def _linear(native: torch_lr.LinearLR, start: _Start) -> lrcore.Schedule:
    first, last, end = native.start_factor, native.end_factor, _finite(native.total_iters, "total_iters")
    if start.restarted and end <= 0:
        _check_closed_form_divisor(native)
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
        _check_closed_form_divisor(native)
        return lrcore.Constant(0.0 if power else start.rate)
    if power == 0 or end < 1:
        return lrcore.Constant(start.rate)
    if power < 0:
        raise _error(f"expected power >= 0, as the rate is infinite at step {end}; got {power}")
    if float(end).is_integer():
        return lrcore.Polynomial(init_value=start.rate, decay_steps=int(end), power=power)
    fall = lrcore.Interpolate(boundaries=[0, end], values=[start.rate, 0.0], shape="power", power=power)
    last = math.floor(end)
    return lrcore.Join([fall, lrcore.Constant(fall(last))], boundaries=[last])


def _cosine(native: torch_lr.CosineAnnealingLR, start: _Start) -> lrcore.Schedule:
    half = abs(_finite(native.T_max, "T_max"))
    if half == 0:
        raise _error("expected a T_max other than 0, by which torch divides; got 0")
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
    make = lrcore.Linear if native.anneal_func(0.25) == 0.25 else lrcore.Cosine  # older releases do not keep its name
    end = float(_groups(native)[start.group]["swa_lr"])
    return make(init_value=start.rate, end_value=end, decay_steps=native.anneal_epochs)


def _plateau(native: torch_lr.ReduceLROnPlateau, start: _Start) -> lrcore.Plateau:
    rate, lowest, relative = start.rate, native.min_lrs[start.group], native.threshold_mode == "rel"
    if native.patience < 0:
        raise _error(f"expected patience >= 0; got {native.patience}")
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
    up = _shortest_decimal(native.step_ratio * period, lambda steps: steps / period == native.step_ratio)
    custom = native._scale_fn_custom
    if up == period and period.as_integer_ratio()[1] > 1024:
        raise _error(
            f"expected a rise without a fall to take a whole number of updates, or halves of one; got {period}, at whose "
            "multiples rounding decides between the foot and the top"
        )
    if custom is None:
        down = _shortest_decimal(period - up, lambda steps: up + steps == period)
        return lrcore.cyclic(
            base_value=foot,
            peak_value=top,
            up_steps=up,
            down_steps=down,
            mode=native.mode,
            gamma=native.gamma if native.mode == "exp_range" else None,
        )
    heights = lrcore.Function(_FunctionOfCycle(custom, period) if native.scale_mode == "cycle" else custom)
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
        pct_start=_shortest_decimal((turn + 1) / total, lambda share: float(share * total) - 1 == turn),
        shape="cosine" if native._anneal_func_type == "cos" else "linear",
        three_phase=len(native._schedule_phases) == 3,
    )


def _shortest_decimal(number: float, fits: Callable[[float], bool]) -> float:
    """The decimal with the fewest digits that fits: torch keeps only a quotient of the argument, rounded in its last digits."""
    candidates = (float(f"{number:.{digits}g}") for digits in range(1, 18))
    return next((candidate for candidate in candidates if fits(candidate)), number)


# --- composites -------------------------------------------------------------------------------------------------------


def _sequential(native: torch_lr.SequentialLR, start: _Start) -> lrcore.Schedule:
    children, group = native._schedulers, start.group
    if len({id(child) for child in children}) < len(children):
        raise _error("expected a SequentialLR of different schedulers; got the same one twice")
    (_, number), *later = _active_children(native._milestones)
    parts = [_first_part(children[number], group, _initial_rate(native, group))]
    boundaries = [0]
    for boundary, number in later:
        child, before = children[number], boundary - 1 - boundaries[-1]
        rate = parts[-1](before) if type(child) in _WITHOUT_CLOSED_FORM else _first_rate(child, group)
        parts.append(_converted(child, _Start(group, rate, restarted=True)))
        boundaries.append(boundary)
    return lrcore.Join(parts, boundaries=boundaries[1:]) if later else parts[0]


def _active_children(milestones: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The steps at which another child becomes active, each with the child's number, as torch's bisection finds it."""
    current = bisect_right(milestones, 0)
    yield 0, current
    for milestone in sorted(milestones):
        number = bisect_right(milestones, milestone)
        if milestone > 0 and number != current:
            if milestones[number - 1] != milestone or not float(milestone).is_integer():
                raise _error(
                    f"expected milestones that are rising integers, as torch begins no child anew at others; "
                    f"got {milestones}"
                )
            yield int(milestone), number
            current = number


def _first_part(first: Any, group: int, rate: float) -> lrcore.Schedule:
    """The schedule of the first child, which begins at the `initial_lr` that SequentialLR restores.

    That differs from the child's own base rate if a OneCycleLR has changed `initial_lr`.
    """
    schedule: lrcore.Schedule = _converted(first, _Start(group, rate))
    if type(first) is not torch_lr.CosineAnnealingLR or not float(first.T_max).is_integer():
        return schedule
    own = _converted(first, _Start(group, _first_rate(first, group)))
    steps = abs(int(first.T_max))
    return own if own == schedule else lrcore.Join([schedule, lrcore.Shift(own, steps)], boundaries=[steps])


def _chained(native: torch_lr.ChainedScheduler, start: _Start) -> lrcore.Schedule:
    children = list(_flattened(native))
    if len(children) == 1:
        return _converted(children[0], start)
    for child in children:
        if type(child) not in _MULTIPLIERS:
            raise _error(
                f"expected children of a ChainedScheduler that change the rate they find; got {type(child).__name__}, "
                "which overwrites it; build the rates that you want of lrcore's kinds"
            )
    first, *others = [
        _converted(child, _Start(start.group, 1.0 if number else start.rate)) for number, child in enumerate(children)
    ]
    if all(_is_multiplier(child, children, start) for child in children):
        return lrcore.Product([first, *others])
    if any(getattr(child, "factor", 1) == 0 for child in children):
        raise _error("expected a factor other than 0, by which torch divides, in a ConstantLR chained with a cosine")
    return replay(children, start.group, start.rate)


def _is_multiplier(child: Any, chain: list[Any], start: _Start) -> bool:
    """Whether a child only multiplies the rate.

    Beyond its end a cosine adds to the rate, so it counts only if by then the others no longer change the rate.
    """
    if type(child) is not torch_lr.CosineAnnealingLR:
        return True
    others = lrcore.Product([_converted(one, _Start(start.group, 1.0)) for one in chain if one is not child])
    rests = others.length is not None and others.length <= abs(child.T_max) and others(others.length) == 1
    return child.eta_min == 0 and rests


def _flattened(native: Any) -> Iterator[Any]:
    """The children of a ChainedScheduler, with nested chains flattened."""
    if type(native) is not torch_lr.ChainedScheduler:
        yield native
    else:
        for child in native._schedulers:
            yield from _flattened(child)


def _ours(native: LRScheduler, start: _Start) -> lrcore.Schedule | lrcore.Plateau:
    group = _groups(native)[start.group]
    factor = float(group.get("lr_scale", 1.0)) * (_initial_rate(native, start.group) if native.relative else 1.0)
    if isinstance(native.schedule, lrcore.Plateau):
        if factor == 1:
            return native.schedule
        raise _error(f"expected a plateau that nothing multiplies in group {start.group}; got the factor {factor}")
    schedule = native.schedule[start.group] if isinstance(native.schedule, list) else native.schedule
    return schedule if factor == 1 else schedule * factor


def _our_momentum(native: LRScheduler, start: _Start) -> lrcore.Schedule:
    schedule = native.also.get("momentum")
    if schedule is None:
        raise _error("expected a scheduler that drives the momentum; got one that does not")
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
_MOMENTUM_CONVERTERS: dict[type, Callable[[Any, _Start], lrcore.Schedule]] = {
    torch_lr.CyclicLR: _cyclic_momentum,
    torch_lr.OneCycleLR: _one_cycle_momentum,
    LRScheduler: _our_momentum,
}
_MULTIPLIERS = (
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
_WITHOUT_BASE_RATE = (torch_lr.ReduceLROnPlateau, SWALR)


def _check(native: Any, parameter: str, group: int) -> None:
    table: dict[str, dict[type, Any]] = {"lr": _CONVERTERS, "momentum": _MOMENTUM_CONVERTERS}
    if parameter not in table:
        raise _error(f"expected lr or momentum as parameter; got {parameter!r}")
    if type(native) not in table[parameter]:
        raise _unknown(native, table[parameter])
    count = len(_groups(native) if type(native) is LRScheduler else _values_per_group(native))
    if group not in range(count) or isinstance(group, bool | float):
        raise _error(f"expected one of the {count} groups that the scheduler was made for, from 0 on; got {group}")
    if parameter == "momentum" and getattr(native, "cycle_momentum", True) is False:
        raise _error(f"expected a {type(native).__name__} with cycle_momentum; got one without")


def _converted(native: Any, start: _Start, parameter: str = "lr") -> Any:
    if parameter == "momentum":
        return _MOMENTUM_CONVERTERS[type(native)](native, start)
    if type(native) not in _CONVERTERS:
        raise _unknown(native, _CONVERTERS)
    return _CONVERTERS[type(native)](native, start)


def _values_per_group(native: Any) -> list[Any]:
    """A list with one value for each group that a scheduler was made for; only its length is used."""
    if type(native) in (torch_lr.SequentialLR, torch_lr.ChainedScheduler):
        return min((_values_per_group(child) for child in native._schedulers), key=len)
    values: list[Any] = native.min_lrs if type(native) is torch_lr.ReduceLROnPlateau else native.base_lrs
    return values


def _groups(native: Any) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = native.optimizer.param_groups
    return groups


# --- the rate before a native -----------------------------------------------------------------------------------------


def _first_rate(native: Any, group: int) -> float:
    """The rate of a group before a standalone scheduler began."""
    if type(native) is torch_lr.ChainedScheduler:
        return _first_rate(native._schedulers[0], group)
    if type(native) in _FIRST_RATES:
        return _FIRST_RATES[type(native)](native, group)
    return float(native.base_lrs[group])


def _initial_rate(native: Any, group: int) -> float:
    return float(_groups(native)[group]["initial_lr"])


def _first_rate_of_swa(native: SWALR, group: int) -> float:
    """The rate before a SWALR, solved from the present one, a weighted mean of it and swa_lr.

    It cannot be solved once the weight of the first rate is below 1e-3.
    """
    rate, end, length = native._last_lr[group], float(_groups(native)[group]["swa_lr"]), native.anneal_epochs
    part = native.anneal_func(min(1.0, max(0, native._step_count - 1) / max(1, length)))
    if part == 0 or length == 0:
        return float(rate)
    if 1 - part < 1e-3:
        raise _error("expected a SWALR that still shows the rate it began with; got one at its end; give base_lr")
    first = (float(rate) - part * end) / (1 - part)
    precision = (1e-6 if isinstance(rate, Tensor) else 1e-12) / (1 - part)
    base = float(native.base_lrs[group])
    if math.isclose(base, first, rel_tol=precision):
        return base
    return _shortest_decimal(first, lambda plain: math.isclose(plain, first, rel_tol=precision))


def _first_rate_of_plateau(native: torch_lr.ReduceLROnPlateau, group: int) -> float:
    """The rate before a ReduceLROnPlateau: the group's, if it cannot have been reduced yet, or else the optimizer's default."""
    own, default = _groups(native)[group], native.optimizer.defaults.get("lr", 0.0)
    rate = float(own["lr"])
    if "initial_lr" in own:
        return float(own["initial_lr"])
    if native.last_epoch <= max(native.patience, 0):
        return rate
    if len(_groups(native)) == 1 and _can_be_reduced_to(native, float(default), rate):
        return float(default)
    raise _error(
        f"expected a ReduceLROnPlateau that has not reduced the rate of group {group}; got one that may have; "
        "give base_lr, the rate before"
    )


def _can_be_reduced_to(native: torch_lr.ReduceLROnPlateau, rate: float, reached: float) -> bool:
    """Whether repeated reductions lead from `rate` to `reached`."""
    while rate != reached:
        lower = max(rate * native.factor, native.min_lrs[0])
        if rate - lower <= max(native.eps, 0.0):
            return False
        rate = lower
    return True


_FIRST_RATES: dict[type, Callable[[Any, int], float]] = {
    SWALR: _first_rate_of_swa,
    torch_lr.ReduceLROnPlateau: _first_rate_of_plateau,
    torch_lr.SequentialLR: _initial_rate,
}


# --- checks -----------------------------------------------------------------------------------------------------------


def _finite(length: Any, name: str) -> Any:
    if math.isfinite(length):
        return length
    raise _error(f"expected a finite {name}; got {length}")


def _check_closed_form_divisor(native: Any) -> None:
    """Refuse a division by 0 in the closed form, 1 - t / total_iters to some power, that SequentialLR uses."""
    if native.total_iters == 0 or getattr(native, "power", 0) < 0:
        raise _error(
            f"expected total_iters of at least 1 in a {type(native).__name__} after a milestone, where torch divides "
            f"by 0; got {native.total_iters}"
        )


def _unknown(native: Any, table: dict[type, Any]) -> lrcore.ScheduleError:
    known = ", ".join(cls.__name__ for cls in table if cls is not LRScheduler)
    return _error(f"expected one of {known}; got {type(native).__name__}; wrap its formula in lrcore.Function")


def _error(problem: str) -> lrcore.ScheduleError:
    return lrcore.ScheduleError(WHERE, problem)
