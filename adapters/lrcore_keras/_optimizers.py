"""Reads and sets the state of a Keras optimizer, and finds the optimizer that calls a schedule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import keras

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
    return int(optimizer.gradient_accumulation_steps or 1)


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


def calling_optimizer(step: Any) -> Any:
    """The optimizer that calls the schedule with its own counter as `step`; None if there is no such caller.

    Keras passes a schedule only the counter, which has no reference to its optimizer. The optimizer is found as `self` in
    the frames of the callers.
    """
    if not is_variable(step):
        return None
    try:
        raise LookupError  # noqa: TRY301 - torch.compile warns about `sys._getframe`, but not about a traceback
    except LookupError as error:
        frame = error.__traceback__.tb_frame if error.__traceback__ else None
    while frame is not None:
        caller: Any = frame.f_locals.get("self")
        if isinstance(caller, keras.optimizers.Optimizer) and caller._iterations is step:  # noqa: SLF001
            return caller
        frame = frame.f_back
    return None
