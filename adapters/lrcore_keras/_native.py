"""Converts Keras' schedules to lrcore. A boundary in Keras is the last step of the old value; in lrcore, the first of the new."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, NamedTuple

import keras

import lrcore
from lrcore import adapting
from lrcore_keras._callback import LearningRateScheduler
from lrcore_keras._optimizers import inner_optimizers, is_of_keras_2, update_count
from lrcore_keras._schedule import LearningRateSchedule

WHERE = "lrcore_keras.from_native"


def from_native(native: Any, *, base_lr: float | None = None) -> lrcore.Schedule | Any:
    """Convert one of Keras' own schedules or callbacks, fresh or part-way through a run.

    Args:
        native: a schedule of `keras.optimizers.schedules`, or a callback: LearningRateScheduler over a function of the epoch
            alone, or ReduceLROnPlateau.
        base_lr: for ReduceLROnPlateau: the rate of the optimizer, which the callback does not store.

    Returns:
        A schedule with the native's value at every step that Keras passes to it; under `gradient_accumulation_steps` this is
        the count of micro-batches. For a LearningRateScheduler the step is the number of the epoch; per update use
        `lrcore.Every(schedule, steps_per_epoch)`. For ReduceLROnPlateau a `lrcore.Plateau`. For a schedule or callback of
        lrcore_keras, the lrcore schedule in it.

    Raises:
        lrcore.ScheduleError: the native is not one of Keras', depends on the rate that it set before, or has options with
            which its rate is not finite.

    Example:
        >>> import keras, lrcore_keras
        >>> native = keras.optimizers.schedules.CosineDecay(0.0, 900, alpha=0.1, warmup_target=0.5, warmup_steps=100)
        >>> lrcore_keras.from_native(native)
        Cosine(init_value=0.5, end_value=0.05, decay_steps=900).warmup(steps=100)
    """
    return convert(native, base_lr, NATIVES)


class Natives(NamedTuple):
    """Where the classes of one Keras are found.

    Attributes:
        where: the function that converts them, for messages.
        framework: the package, `keras` or `tf_keras`.
        ours: the classes of lrcore for this package.
    """

    where: str
    framework: ModuleType
    ours: tuple[Any, ...]


NATIVES = Natives(WHERE, keras, (LearningRateSchedule, LearningRateScheduler))


def convert(native: Any, base_lr: float | None, natives: Natives) -> lrcore.Schedule | Any:
    """Convert a native of one Keras; see `from_native`."""
    if isinstance(native, natives.ours):
        return native.schedule
    callbacks, schedules = natives.framework.callbacks, natives.framework.optimizers.schedules
    if type(native) is callbacks.ReduceLROnPlateau:
        return _plateau(native, base_lr, natives)
    if base_lr is not None:
        raise lrcore.ScheduleError(f"{natives.where}.base_lr", f"goes with ReduceLROnPlateau alone; got {base_lr}")
    if type(native) is callbacks.LearningRateScheduler:
        return _scheduler(native)
    for name, converter in _CONVERTERS.items():
        if type(native) is getattr(schedules, name):
            return converter(native)
    known = ", ".join([*_CONVERTERS, "LearningRateScheduler", "ReduceLROnPlateau"])
    raise lrcore.ScheduleError(
        natives.where, f"expected one of {known}; got {type(native).__name__}{_advice(native, natives)}"
    )


def _advice(native: Any, natives: Natives) -> str:
    """What to do with an object that is not converted."""
    if is_of_keras_2(native) and natives.framework is keras:
        return " of tf_keras, which is Keras 2; use lrcore_keras.keras2.from_native"
    if type(native).__module__.startswith("keras.") and natives.framework is not keras:
        return " of Keras 3; use lrcore_keras.from_native"
    return "; wrap its formula in lrcore.Function"


def native_step(native: Any) -> int:
    """The number of updates that an optimizer has made; Keras' schedules do not count them.

    Args:
        native: an optimizer of Keras 3 or Keras 2, or a model that is compiled with one.

    Raises:
        lrcore.ScheduleError: the argument is neither.

    Example:
        >>> import keras, lrcore_keras
        >>> lrcore_keras.native_step(keras.optimizers.SGD())
        0
    """
    optimizer = getattr(native, "optimizer", native)
    if not hasattr(optimizer, "iterations"):
        raise lrcore.ScheduleError(
            "lrcore_keras.native_step",
            f"expected an optimizer or a compiled model, which count the updates; got {type(native).__name__}",
        )
    return update_count((inner_optimizers(optimizer) or [optimizer])[0])


# --- one converter per class ------------------------------------------------------------------------------------------


def _exponential(native: Any) -> lrcore.Schedule:
    return lrcore.Exponential(
        init_value=_to_float(native.initial_learning_rate),
        decay_rate=_to_float(native.decay_rate),
        decay_steps=_to_float(native.decay_steps),
        staircase=bool(native.staircase),
    )


def _inverse_time(native: Any) -> lrcore.Schedule:
    return lrcore.InverseTime(
        init_value=_to_float(native.initial_learning_rate),
        decay_rate=_to_float(native.decay_rate),
        decay_steps=_to_float(native.decay_steps),
        staircase=bool(native.staircase),
    )


def _piecewise_constant(native: Any) -> lrcore.Schedule:
    last_steps = [int(boundary) for boundary in native.boundaries]  # Keras truncates fractions, too
    if last_steps != sorted(last_steps):
        raise lrcore.ScheduleError(
            WHERE,
            f"expected rising boundaries, since Keras adds up the values of others; got {list(native.boundaries)}",
        )
    return lrcore.PiecewiseConstant(
        boundaries=[max(last + 1, 0) for last in last_steps], values=[_to_float(value) for value in native.values]
    )


def _polynomial(native: Any) -> lrcore.Schedule:
    init_value, end_value = _to_float(native.initial_learning_rate), _to_float(native.end_learning_rate)
    steps, power = _to_float(native.decay_steps), _to_float(native.power)
    if power == 0:
        return lrcore.Constant(init_value)
    if power < 0:
        raise lrcore.ScheduleError(WHERE, f"expected power >= 0, as the rate is infinite at the end; got {power}")
    if not native.cycle and not steps.is_integer():
        return lrcore.Interpolate(boundaries=[0, steps], values=[init_value, end_value], shape="power", power=power)
    decay: dict[str, Any] = {"init_value": init_value, "end_value": end_value, "decay_steps": steps, "power": power}
    return lrcore.polynomial_cycle(**decay) if native.cycle else lrcore.Polynomial(**decay)


def _cosine(native: Any) -> lrcore.Schedule:
    steps, alpha = _to_float(native.decay_steps), _to_float(native.alpha)
    if native.warmup_target is None:
        return _half_cosine(_to_float(native.initial_learning_rate), alpha, steps)
    decay = _half_cosine(_to_float(native.warmup_target), alpha, steps)
    if native.warmup_steps == 0:
        return decay
    return decay.warmup(native.warmup_steps, init_value=_to_float(native.initial_learning_rate))


def _cosine_restarts(native: Any) -> lrcore.Schedule:
    options = {name: _to_float(value) for name, value in native.get_config().items() if name != "name"}
    peak, alpha, steps = options["initial_learning_rate"], options["alpha"], options["first_decay_steps"]
    cycle: dict[str, Any] = {
        "period": None if steps.is_integer() else steps,
        "length_factor": options["t_mul"],
        "value_factor": options["m_mul"],
    }
    if alpha == 0 or options["m_mul"] == 1:
        return lrcore.Repeat(_half_cosine(peak, alpha, steps), **cycle)
    return lrcore.Constant(alpha * peak) + lrcore.Repeat(_half_cosine((1 - alpha) * peak, 0.0, steps), **cycle)


def _scheduler(native: Any) -> lrcore.Schedule:
    if _accepts_rate(native.schedule):
        raise lrcore.ScheduleError(
            WHERE,
            "expected a function of the epoch alone; got one that also takes the previous rate, which is not a schedule: "
            f"{native.schedule!r}",
        )
    return adapting.as_schedule(native.schedule)


_CONVERTERS: dict[str, Callable[[Any], lrcore.Schedule]] = {
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _cosine_restarts,
    "ExponentialDecay": _exponential,
    "InverseTimeDecay": _inverse_time,
    "PiecewiseConstantDecay": _piecewise_constant,
    "PolynomialDecay": _polynomial,
}


def _plateau(native: Any, base_lr: float | None, natives: Natives) -> lrcore.Plateau:
    """Convert ReduceLROnPlateau.

    `min_lr` is absolute, `min_scale` is relative to the rate. Keras checks its counters after changing them, lrcore before:
    hence patience - 1 and cooldown - 1. Keras 2 computes in float64, and its first metric has to be a number.
    """
    keras_2 = is_of_keras_2(native)
    if base_lr is None or not base_lr > 0:
        raise lrcore.ScheduleError(
            f"{natives.where}.base_lr",
            f"expected the rate of the optimizer, > 0, as the callback does not know it; got {base_lr}",
        )
    factor, floor = _to_float(native.factor), _to_float(native.min_lr)
    if factor < 0 and floor < 0:
        raise lrcore.ScheduleError(WHERE, f"expected factor >= 0 or min_lr >= 0; got {factor} and {floor}")
    return lrcore.Plateau(
        lrcore.Constant(base_lr),
        mode=_mode_of_keras_2(native) if keras_2 else _mode(native),
        factor=max(factor, 0.0),
        patience=max(math.ceil(native.patience), 1) - 1,
        rtol=0.0,
        atol=abs(_to_float(native.min_delta)),
        cooldown=max(math.ceil(native.cooldown), 1) - 1,
        min_scale=min(max(floor / base_lr, 0.0), 1.0),
        accept_first=not keras_2,
        arithmetic="lrcore" if keras_2 else "keras",
    )


# --- helpers ----------------------------------------------------------------------------------------------------------


def _half_cosine(peak: float, alpha: float, steps: float) -> lrcore.Schedule:
    """A half cosine from `peak` to `alpha * peak`."""
    if not steps.is_integer():
        return lrcore.Interpolate(boundaries=[0, steps], values=[peak, alpha * peak], shape="cosine")
    return lrcore.Cosine(init_value=peak, end_value=alpha * peak, decay_steps=int(steps))


def _accepts_rate(function: Callable[..., Any]) -> bool:
    """Whether the function accepts (epoch, rate); Keras tries these arguments first, then the epoch alone."""
    try:
        inspect.signature(function).bind(0, 0.1)
    except TypeError:
        return False
    except ValueError:  # a builtin without a signature
        return True
    return True


def _mode_of_keras_2(native: Any) -> Literal["min", "max"]:
    return "min" if native.monitor_op(0.0, math.inf) else "max"


def _mode(native: Any) -> Literal["min", "max"]:
    """The mode; `auto` is resolved by Keras itself, from the metrics of the callback's model."""
    if native.mode != "auto":
        return "min" if native.mode == "min" else "max"
    resolved = copy.copy(native)
    try:
        resolved._set_monitor_op()  # noqa: SLF001 - Keras has no public method for this
    except (AttributeError, ValueError):
        raise lrcore.ScheduleError(
            f"{WHERE}.mode",
            f"expected a callback with mode 'min' or 'max', for its model does not tell which way "
            f"{native.monitor!r} gets better; got 'auto'",
        ) from None
    return "min" if resolved.monitor_op is keras.ops.less else "max"


def _to_float(value: Any) -> float:
    """Convert a number of Python, numpy or a backend to a float."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise lrcore.ScheduleError(WHERE, f"expected a number; got {value!r}") from None
