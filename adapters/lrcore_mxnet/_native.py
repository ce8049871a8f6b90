"""Convert MXNet's own schedulers to lrcore schedules.

MXNet calls a scheduler with num_update = step + 1, during its warmup too. Its warmup does not delay the decay.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from typing import Any

import mxnet as mx
from mxnet.lr_scheduler import CosineScheduler, FactorScheduler, MultiFactorScheduler, PolyScheduler

import lrcore
from lrcore_mxnet._scheduler import LRScheduler
from lrcore_mxnet._update_counts import optimizer_of

WHERE = "lrcore_mxnet.from_native"


def from_native(native: Any) -> lrcore.Schedule | Any:
    """The schedule of an MXNet scheduler, whatever it was asked before.

    Args:
        native: a scheduler of `mxnet.lr_scheduler`; a function of num_update; or a scheduler of your own, not asked yet.
            The latter two become a `lrcore.Function`. A scheduler of your own may change when it is asked: a copy is asked
            once for each update, from the first one on.

    Returns:
        A schedule that is equal to the native at every step: the native asked for `num_update` gives `schedule(num_update - 1)`.
        For an `LRScheduler` of ours, what it was made with.

    Raises:
        lrcore.ScheduleError: the native is none of these, or has options for which it has no rate.

    Example:
        >>> import mxnet as mx, lrcore_mxnet
        >>> lrcore_mxnet.from_native(mx.lr_scheduler.FactorScheduler(250, factor=0.5, base_lr=1, stop_factor_lr=0))
        Clip(schedule=Exponential(init_value=1.0, decay_rate=0.5, decay_steps=250.0, staircase=True), min_value=0.0)
    """
    if isinstance(native, LRScheduler):
        return native.schedule
    if type(native) in _CONVERTERS:
        return _CONVERTERS[type(native)](native)
    if inspect.isroutine(native) or isinstance(native, partial):
        return lrcore.Function(_Counted(native))
    if (
        isinstance(native, type)
        or not callable(native)
        or type(native).__call__ is mx.lr_scheduler.LRScheduler.__call__
    ):
        known = ", ".join(cls.__name__ for cls in _CONVERTERS)
        raise lrcore.ScheduleError(
            WHERE,
            f"expected one of {known}, a subclass of LRScheduler with its own __call__, or a function of num_update; got {_shown(native)}",
        )
    return lrcore.Function(_Replayed(native))


def native_step(native: Any) -> int:
    """The updates that a trainer has made; MXNet's schedulers themselves do not know.

    Args:
        native: a `gluon.Trainer`, a `Module` whose optimizer is initialised, a `KVStore` or a `mxnet.optimizer.Optimizer`.

    Raises:
        lrcore.ScheduleError: it is none of these, or its distributed store counts the updates on its servers.

    Example:
        >>> import mxnet as mx, lrcore_mxnet
        >>> lrcore_mxnet.native_step(mx.optimizer.SGD())
        0
    """
    return int(optimizer_of(native, "lrcore_mxnet.native_step").num_update)


def _shown(native: Any) -> str:
    return f"the class {native.__name__}" if isinstance(native, type) else type(native).__name__


class _Counted:
    """Adapt a function of num_update to a function of the step."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __call__(self, step: int) -> Any:
        return self.function(step + 1)


class _Replayed:
    """Adapt a scheduler that may change when it is asked: it is asked once for each update, in order, and its rates are kept.

    Attributes:
        native: the scheduler before it is asked.
    """

    def __init__(self, native: Callable[[int], Any]) -> None:
        self.native = deepcopy(native)
        self._asked = deepcopy(native)
        self._rates: list[Any] = []

    def __call__(self, step: int) -> Any:
        while len(self._rates) <= step:
            self._rates.append(self._asked(len(self._rates) + 1))
        return self._rates[step]

    def __reduce__(self) -> Any:
        return _Replayed, (self.native,)


def _factor(native: FactorScheduler) -> lrcore.Schedule:
    steps, factor, stop = _whole_number(native.step, "step"), _non_negative(native.factor), float(native.stop_factor_lr)
    base = _initial_rate(native, native.count // steps, stop)
    if base * factor < stop:  # MXNet applies stop_factor_lr only when it decays: the first value may be lower
        return _with_warmup(native, lrcore.PiecewiseConstant(boundaries=[steps], values=[base, stop]))
    decay = lrcore.Exponential(init_value=base, decay_rate=factor, decay_steps=steps, staircase=True)
    return _with_warmup(native, lrcore.Clip(decay, min_value=stop))


def _multi_factor(native: MultiFactorScheduler) -> lrcore.Schedule:
    base = _initial_rate(native, native.cur_step_ind, -math.inf)
    boundaries = [math.floor(step) for step in native.step]  # num_update > s means: the step is >= floor(s)
    values = [base * native.factor**count for count in range(len(boundaries) + 1)]
    return _with_warmup(native, lrcore.PiecewiseConstant(boundaries=boundaries, values=values))


def _poly(native: PolyScheduler) -> lrcore.Schedule:
    if native.power < 0:
        raise lrcore.ScheduleError(WHERE, f"expected pwr >= 0, as the rate is infinite at the end; got {native.power}")
    decay = _decay_fields(native)
    if native.power == 0:
        return _warmup_and_decay(native, lrcore.Constant(native.base_lr_orig))
    return _warmup_and_decay(native, lrcore.Polynomial(**decay, power=native.power))


def _cosine(native: CosineScheduler) -> lrcore.Schedule:
    return _warmup_and_decay(native, lrcore.Cosine(**_decay_fields(native)))


_CONVERTERS: dict[type, Callable[[Any], lrcore.Schedule]] = {
    FactorScheduler: _factor,
    MultiFactorScheduler: _multi_factor,
    PolyScheduler: _poly,
    CosineScheduler: _cosine,
}


def _decay_fields(native: PolyScheduler | CosineScheduler) -> dict[str, Any]:
    """Return the fields that Polynomial and Cosine have in common."""
    if native.max_steps == 0:
        raise lrcore.ScheduleError(
            WHERE,
            f"expected max_update != warmup_steps, for which MXNet divides by 0; got {native.max_update} for both",
        )
    steps = max(native.max_steps, 0)
    return {"init_value": native.base_lr_orig, "end_value": native.final_lr, "decay_steps": steps}


def _warmup_and_decay(native: PolyScheduler | CosineScheduler, decay: lrcore.Schedule) -> lrcore.Schedule:
    """Put the warmup before a polynomial or cosine decay, and shift both by 1: MXNet evaluates them at num_update.

    Where max_update < warmup_steps, MXNet never decays: the rate is constant after the warmup.
    """
    if native.max_steps < 0:
        return _with_warmup(native, lrcore.Constant(native.base_lr))
    shape = native.warmup_mode
    return lrcore.Shift(decay.warmup(native.warmup_steps, init_value=native.warmup_begin_lr, shape=shape), 1)


def _with_warmup(native: Any, body: lrcore.Schedule) -> lrcore.Schedule:
    """Replace the first steps of `body` by the warmup: MXNet's warmup does not delay the decay."""
    steps = native.warmup_steps
    if steps <= 1:
        return body
    first, last = native.warmup_begin_lr, native.warmup_final_lr
    linear = lrcore.Linear(init_value=first, end_value=last, decay_steps=steps)
    rise = lrcore.Shift(linear, 1) if native.warmup_mode == "linear" else lrcore.Constant(first)
    return lrcore.Join([rise, lrcore.Shift(body, steps - 1)], boundaries=[steps - 1])


def _initial_rate(native: Any, decays: int, stop: float) -> float:
    """Return the rate before the first decay.

    MXNet multiplies `base_lr` at each decay, and an optimizer may have overwritten it. If `warmup_final_lr`, the original
    `base_lr`, decays to the current `base_lr`, it was not overwritten; else divide `base_lr` by the decays.

    Args:
        native: a FactorScheduler or a MultiFactorScheduler.
        decays: the number of decays made.
        stop: the lowest rate to which a decay goes.
    """
    rate = native.warmup_final_lr
    for _ in range(decays):
        rate = max(rate * native.factor, stop)
    if rate == native.base_lr:
        return float(native.warmup_final_lr)
    if native.base_lr == stop or (decays and native.factor == 0):
        raise lrcore.ScheduleError(
            WHERE, f"expected a scheduler that still knows its base_lr; got one that has decayed to {native.base_lr}"
        )
    return float(native.base_lr / native.factor**decays)


def _whole_number(steps: Any, name: str) -> int:
    if float(steps).is_integer():
        return int(steps)
    raise lrcore.ScheduleError(WHERE, f"expected a whole number of updates as {name}; got {steps}")


def _non_negative(factor: float) -> float:
    if factor < 0:
        raise lrcore.ScheduleError(WHERE, f"expected factor >= 0; got {factor}")
    return float(factor)
