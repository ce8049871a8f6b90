"""Reads and sets the state of an optimizer of Keras 3 or Keras 2, and finds the optimizer that calls a schedule."""

from __future__ import annotations

import numbers
from collections.abc import Callable, MutableMapping
from typing import Any, NamedTuple, TypeVar

import keras
import numpy as np

import lrcore

_N = TypeVar("_N", int, float)


def inner_optimizers(optimizer: Any) -> list[Any]:
    """The optimizers that change weights: those inside a LossScaleOptimizer or MultiOptimizer, or else itself."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(optimizer, "optimizers", [optimizer]))


def update_count(optimizer: Any) -> int:
    """The number of updates made; accumulated micro-batches and skipped steps do not count."""
    return _number(int, optimizer.iterations)


def has_seen_a_batch(optimizer: Any) -> bool:
    """Whether the optimizer has received a batch, with or without an update."""
    return _number(int, optimizer._iterations) > 0  # noqa: SLF001 - `iterations` counts updates


def accumulation_steps(optimizer: Any) -> int:
    """The number of batches per update."""
    return int(getattr(optimizer, "gradient_accumulation_steps", None) or 1)  # Keras 2 has none


def steps_per_execution(model: Any) -> int:
    """The number of batches between two calls of the callbacks."""
    given = getattr(model, "steps_per_execution", None) or getattr(model, "_steps_per_execution", None)
    return 1 if given is None else _number(int, given)


def schedule_in(optimizer: Any) -> Any:
    """The schedule that the optimizer asks itself, or the function without arguments; None if its rate is a number."""
    rate = getattr(optimizer, "_learning_rate", None)  # the public property returns the schedule's value
    if rate is None:
        rate = optimizer.learning_rate  # the legacy optimizers of Keras 2
    return rate if callable(rate) else None


def check_keras(callback: Any, model: Any) -> None:
    """Refuse a model of the other Keras: its `fit` accepts the callback, but its optimizers differ.

    Raises:
        lrcore.ScheduleError: the callback is for Keras 3 and the model of Keras 2, or the other way round.
    """
    wanted, found = is_of_keras_2(callback), is_of_keras_2(model)
    if wanted != found:
        names = {True: "tf_keras, which is Keras 2", False: "Keras 3"}
        other = "lrcore_keras.keras2" if found else "lrcore_keras"
        raise lrcore.ScheduleError(
            callback.WHERE,
            f"expected a model of {names[wanted]}; got one of {names[found]}; use {other}.{type(callback).__name__}",
        )


def is_of_keras_2(value: Any) -> bool:
    """Whether the object's class, or one of its bases, belongs to tf_keras."""
    return any(cls.__module__.partition(".")[0] == "tf_keras" for cls in type(value).__mro__)


def current_rate(optimizer: Any) -> float:
    """The rate stored in the optimizer, rounded to the variable's dtype."""
    return _number(float, optimizer.learning_rate)


def _number(kind: Callable[[Any], _N], variable: Any) -> _N:
    """Convert a variable to a Python number.

    `int` and `float` refuse variables mirrored by MirroredStrategy. `stop_gradient`, though slow, reads them through the
    public API without a warning.
    """
    try:
        return kind(variable)
    except TypeError:
        return kind(keras.ops.stop_gradient(variable))


def set_update_count(optimizer: Any, step: int) -> None:
    """Set the counters of the optimizer and its inner optimizers as if `step` updates had been made."""
    distinct = {id(each): each for each in (optimizer, *inner_optimizers(optimizer))}
    for each in distinct.values():
        each._iterations.assign(step * accumulation_steps(each))  # noqa: SLF001 - Keras has no setter


def is_variable(value: Any) -> bool:
    """Whether the value can be assigned to. In older Keras, backend variables are not instances of `keras.Variable`."""
    return hasattr(value, "assign")


class Caller(NamedTuple):
    """The optimizer that calls a schedule, and the local variables of its running `apply`; None where there is none."""

    optimizer: Any
    apply_locals: MutableMapping[str, Any] | None


def find_caller(step: Any) -> Caller:
    """Find the optimizer that calls a schedule with its own counter as `step`.

    Keras passes a schedule only the counter, which has no reference to its optimizer. The optimizer is found as `self` in
    the frames of the callers.
    """
    if not is_variable(step):
        return Caller(None, None)
    try:
        raise LookupError  # noqa: TRY301 - torch.compile warns about `sys._getframe`, but not about a traceback
    except LookupError as error:
        # Not this frame: its `f_locals` would refer to itself, and keep the gradients of the callers alive.
        frame = error.__traceback__.tb_frame.f_back if error.__traceback__ else None
    found = None
    while frame is not None:
        caller: Any = frame.f_locals.get("self")
        if found is None and isinstance(caller, keras.optimizers.Optimizer) and caller._iterations is step:  # noqa: SLF001
            found = caller
        if found is not None and caller is found and frame.f_code.co_name == "apply":
            return Caller(found, frame.f_locals)
        frame = frame.f_back
    return Caller(found, None)


def count_on_host(step: Any) -> int | None:
    """The step as an int, if it is one number in the memory of the host; None if it is traced, an array or on a device."""
    if isinstance(step, numbers.Integral):
        return int(step)
    value = step.value if isinstance(step, keras.Variable) else step
    if len(value.shape) or "cpu" not in str(getattr(value, "device", None)).lower():
        return None
    try:
        return int(np.asarray(value))
    except (NotImplementedError, TypeError):  # a tensor of a TensorFlow graph on the CPU
        return None
