"""Convert Paddle's own schedulers to lrcore schedules. Their `last_epoch` is the step: both count updates from 0."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from paddle.optimizer import lr

import lrcore
from lrcore import adapting
from lrcore_paddle._scheduler import LRScheduler

WHERE = "lrcore_paddle.from_native"


def from_native(native: Any) -> lrcore.Schedule | Any:
    """The schedule of a Paddle scheduler, however far it has run.

    Args:
        native: a scheduler of `paddle.optimizer.lr`, or of a subclass that does not change its rates.

    Returns:
        A schedule that is equal to the native at every step; a `lrcore.Plateau` at its beginning for ReduceOnPlateau. A
        Python function inside the native goes on as a `lrcore.Function`, which cannot be written to a file. For an `LRScheduler` of
        ours, what it was made with.

    Raises:
        lrcore.ScheduleError: the native is not one of Paddle's, or has options for which it has no rate.

    Example:
        >>> import paddle, lrcore_paddle
        >>> lrcore_paddle.from_native(paddle.optimizer.lr.StepDecay(0.1, step_size=30, gamma=0.5))
        Exponential(init_value=0.1, decay_rate=0.5, decay_steps=30.0, staircase=True)
    """
    if isinstance(native, LRScheduler):
        return native.schedule
    convert = _CONVERTERS.get(_paddles_class(type(native)))
    if convert is None:
        known = ", ".join(cls.__name__ for cls in _CONVERTERS)
        raise lrcore.ScheduleError(
            WHERE,
            f"expected one of {known}; got {type(native).__name__}; give its formula as lrcore.Function(f), where f(step) has the "
            "step in place of last_epoch",
        )
    return convert(native)


def native_step(native: lr.LRScheduler) -> int:
    """The step that a Paddle scheduler has reached; for ReduceOnPlateau, the number of metrics it was given.

    Example:
        >>> import paddle, lrcore_paddle
        >>> native = paddle.optimizer.lr.StepDecay(0.1, step_size=30)
        >>> native.step()
        >>> lrcore_paddle.native_step(native)
        1
    """
    if not isinstance(native, lr.LRScheduler):
        raise lrcore.ScheduleError(
            "lrcore_paddle.native_step", f"expected a scheduler of paddle.optimizer.lr; got {type(native).__name__}"
        )
    return int(native.last_epoch)


def _paddles_class(cls: type) -> type:
    """Return Paddle's class whose rates this class has: of a subclass its base, if it overrides nothing but `__init__` and the like."""
    base = next((one for one in cls.__mro__ if one in _CONVERTERS), cls)
    own = {name for one in cls.__mro__[: cls.__mro__.index(base)] for name in vars(one) if not name.startswith("__")}
    return cls if own & set(dir(base)) else base


class _Scaled:
    """The product of a number and a Python function of the step."""

    def __init__(self, factor: float, function: Callable[[int], float]) -> None:
        self.factor = factor
        self.function = function

    def __call__(self, step: int) -> float:
        return self.factor * self.function(step)


class _OfCycle:
    """Adapt a Python function of the cycle number, counted from 1, to a function of the step."""

    def __init__(self, function: Callable[[float], float], period: float) -> None:
        self.function = function
        self.period = period

    def __call__(self, step: int) -> float:
        return self.function(1 + step // self.period)


def _noam(native: lr.NoamDecay) -> lrcore.Schedule:
    steps = _whole_number(native.warmup_steps, "warmup_steps")
    peak = native.base_lr * native.d_model**-0.5 * steps**-0.5
    return lrcore.InverseTime(init_value=peak, decay_steps=steps, power=0.5).warmup(steps)


def _piecewise(native: lr.PiecewiseDecay) -> lrcore.Schedule:
    values = [*native.values[: len(native.boundaries)], native.values[-1]]
    return lrcore.PiecewiseConstant(boundaries=_non_decreasing(native.boundaries), values=values)


def _natural_exponential(native: lr.NaturalExpDecay) -> lrcore.Schedule:
    return lrcore.Exponential(init_value=native.base_lr, decay_rate=math.exp(-1), decay_steps=1 / native.gamma)


def _inverse_time(native: lr.InverseTimeDecay) -> lrcore.Schedule:
    if native.gamma < 0:
        raise lrcore.ScheduleError(
            WHERE, f"expected gamma >= 0, as the rate is infinite at step {-1 / native.gamma:g}; got {native.gamma}"
        )
    return lrcore.InverseTime(init_value=native.base_lr, decay_rate=native.gamma)


def _polynomial(native: lr.PolynomialDecay) -> lrcore.Schedule:
    make = lrcore.polynomial_cycle if native.cycle else lrcore.Polynomial
    return make(init_value=native.base_lr, end_value=native.end_lr, decay_steps=native.decay_steps, power=native.power)


def _warmup(native: lr.LinearWarmup) -> lrcore.Schedule:
    inner = native.learning_rate
    if isinstance(inner, lr.ReduceOnPlateau):
        raise lrcore.ScheduleError(
            WHERE,
            "a ReduceOnPlateau inside LinearWarmup is told the step as its metric, by Paddle; "
            "import it alone and give its schedule a warmup",
        )
    after = from_native(inner) if isinstance(inner, lr.LRScheduler) else lrcore.Constant(inner)
    if not isinstance(after, lrcore.Schedule):
        raise lrcore.ScheduleError(
            WHERE, f"expected one schedule inside LinearWarmup; got {after!r}; give what is inside a warmup of its own"
        )
    start, end, steps = native.start_lr, native.end_lr, native.warmup_steps
    if after(0) == end:
        return after.warmup(steps, init_value=start)
    return lrcore.Join([lrcore.Linear(init_value=start, end_value=end, decay_steps=steps), after], boundaries=[steps])


def _exponential(native: lr.ExponentialDecay) -> lrcore.Schedule:
    return lrcore.Exponential(init_value=native.base_lr, decay_rate=native.gamma)


def _multi_step(native: lr.MultiStepDecay) -> lrcore.Schedule:
    boundaries = _non_decreasing(native.milestones)
    values = [native.base_lr * native.gamma**count for count in range(len(boundaries) + 1)]
    return lrcore.PiecewiseConstant(boundaries=boundaries, values=values)


def _step(native: lr.StepDecay) -> lrcore.Schedule:
    return lrcore.Exponential(
        init_value=native.base_lr, decay_rate=native.gamma, decay_steps=native.step_size, staircase=True
    )


def _lambda(native: lr.LambdaDecay) -> lrcore.Schedule:
    return lrcore.Function(_Scaled(native.base_lr, native.lr_lambda))


def _multiplicative(native: lr.MultiplicativeDecay) -> lrcore.Schedule:
    return lrcore.running_product(native.base_lr, native.lr_lambda)


def _cosine(native: lr.CosineAnnealingDecay) -> lrcore.Schedule:
    half = lrcore.Cosine(init_value=native.base_lr, end_value=native.eta_min, decay_steps=native.T_max)
    return lrcore.Repeat(half, mirror=True)


def _restarts(native: lr.CosineAnnealingWarmRestarts) -> lrcore.Schedule:
    cycle = lrcore.Cosine(init_value=native.base_lr, end_value=native.eta_min, decay_steps=native.T_0)
    return lrcore.Repeat(cycle, length_factor=native.T_mult)


def _linear(native: lr.LinearLR) -> lrcore.Schedule:
    rate = native.base_lr
    return lrcore.Linear(
        init_value=rate * native.start_factor,
        end_value=rate * native.end_factor,
        decay_steps=_whole_number(native.total_steps, "total_steps"),
    )


def _one_cycle(native: lr.OneCycleLR) -> lrcore.Schedule:
    init_value, peak_value, *_, end_value = native._lr_config  # noqa: SLF001 - Paddle keeps the options nowhere else
    return lrcore.one_cycle(
        init_value=init_value,
        peak_value=peak_value,
        end_value=end_value,
        total_steps=native.total_steps,
        pct_start=(native._step_config[1] + 1) / native.total_steps,  # noqa: SLF001
        shape="cosine" if native.anneal_func == native._cos_annealing else "linear",  # noqa: SLF001
        three_phase=len(native._lr_config) == 4,  # noqa: SLF001
    )


def _cyclic(native: Any) -> lrcore.Schedule:
    up, base, period = round(native.step_up_pct * native.cycle_size), native.base_lr, int(native.cycle_size)
    if getattr(native.scale_fn, "__self__", None) == native:
        return lrcore.cyclic(
            base_value=base,
            peak_value=native.max_lr,
            up_steps=up,
            down_steps=period - up,
            mode=native.mode,
            gamma=native.gamma if native.mode == "exp_range" else None,
        )
    heights = native.scale_fn if native.scale_mode == "iterations" else _OfCycle(native.scale_fn, native.cycle_size)
    triangle = lrcore.Interpolate(boundaries=[0, up, period], values=[0.0, native.amplitude, 0.0])
    return lrcore.Constant(base) + lrcore.Repeat(triangle) * lrcore.Function(heights)


def _plateau(native: lr.ReduceOnPlateau) -> lrcore.Plateau:
    rate, relative = native.base_lr, native.threshold_mode == "rel"
    if native.last_lr != rate:
        adapting.warn(
            f"{WHERE}: the ReduceOnPlateau has reduced its rate from {rate} to {native.last_lr}, and the Plateau begins at {rate} "
            "again; to go on with the reduced rate, load lrcore.save_state(step, plateau, state.to_dict()) with state = "
            f"plateau.initial()._replace(scale={native.last_lr / rate})"
        )
    lowest = native.min_lr / rate if rate > 0 else 1.0
    return lrcore.Plateau(
        lrcore.Constant(rate),
        factor=max(native.factor, 0.0) if native.min_lr >= 0 else native.factor,
        patience=native.patience,
        mode=native.mode,
        rtol=native.threshold if relative else 0.0,
        atol=0.0 if relative else native.threshold,
        cooldown=native.cooldown,
        min_scale=min(lowest, 1.0),
        eps=native.epsilon / rate if rate > 0 else 0.0,
        accept_first=True,
        watch_in_cooldown=False,
        arithmetic="paddle" if relative else "torch",
    )


_CONVERTERS: dict[type, Callable[[Any], Any]] = {
    lr.NoamDecay: _noam,
    lr.PiecewiseDecay: _piecewise,
    lr.NaturalExpDecay: _natural_exponential,
    lr.InverseTimeDecay: _inverse_time,
    lr.PolynomialDecay: _polynomial,
    lr.LinearWarmup: _warmup,
    lr.ExponentialDecay: _exponential,
    lr.MultiStepDecay: _multi_step,
    lr.StepDecay: _step,
    lr.LambdaDecay: _lambda,
    lr.MultiplicativeDecay: _multiplicative,
    lr.CosineAnnealingDecay: _cosine,
    lr.CosineAnnealingWarmRestarts: _restarts,
    lr.LinearLR: _linear,
    lr.OneCycleLR: _one_cycle,
    lr.CyclicLR: _cyclic,
    lr.ReduceOnPlateau: _plateau,
}


def _non_decreasing(given: Sequence[float]) -> list[int]:
    """Return the boundaries as whole steps, made non-decreasing.

    Paddle uses the first boundary above the step, so a boundary below an earlier one has no effect.
    """
    return [max(0, math.ceil(boundary)) for boundary in accumulate(given, max)]


def _whole_number(steps: Any, name: str) -> int:
    if float(steps).is_integer() and steps >= 0:
        return int(steps)
    raise lrcore.ScheduleError(WHERE, f"expected a whole number of updates as {name}; got {steps}")
