"""What a Keras optimizer is asked: the optimizers inside it, the updates they have made, who is asking for a rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import keras

_N = TypeVar("_N", int, float)


def parts(optimizer: Any) -> list[Any]:
    """The optimizers that change weights: those inside a LossScaleOptimizer or a MultiOptimizer, or itself."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    return list(getattr(optimizer, "optimizers", [optimizer]))


def updates(optimizer: Any) -> int:
    """The updates made; micro-batches that are only accumulated and skipped steps are none."""
    return _number(int, optimizer.iterations)


def is_in_use(optimizer: Any) -> bool:
    """Whether it was given a batch."""
    return _number(int, optimizer._iterations) > 0  # noqa: SLF001 - in public it counts updates


def micro_batches(optimizer: Any) -> int:
    """The batches of one update."""
    return int(optimizer.gradient_accumulation_steps or 1)


def rate(optimizer: Any) -> float:
    """The rate that the optimizer holds, as it rounded it."""
    return _number(float, optimizer.learning_rate)


def _number(kind: Callable[[Any], _N], variable: Any) -> _N:
    """A mirrored variable is no number: of the public ways only this slow one reads it, and without a warning."""
    try:
        return kind(variable)
    except TypeError:
        return kind(keras.ops.stop_gradient(variable))


def set_updates(optimizer: Any, step: int) -> None:
    """Go on as if `step` updates had been made."""
    for one in {id(one): one for one in (optimizer, *parts(optimizer))}.values():
        one._iterations.assign(step * micro_batches(one))  # noqa: SLF001 - Keras has no setter


def is_variable(value: Any) -> bool:
    """Whether it can be set. In older Keras the variables of a backend are no instances of `keras.Variable`."""
    return hasattr(value, "assign")


def asking_optimizer(step: Any) -> Any:
    """The optimizer whose own counter `step` is and that is asking for a rate now; None for any other step.

    Keras hands a schedule the counter and nothing else, and the counter does not know its optimizer: the caller does.
    """
    if not is_variable(step):
        return None
    try:
        raise LookupError  # noqa: TRY301 - torch.compile warns of `sys._getframe`, but not of this
    except LookupError as error:
        frame = error.__traceback__.tb_frame if error.__traceback__ else None
    while frame is not None:
        caller: Any = frame.f_locals.get("self")
        if isinstance(caller, keras.optimizers.Optimizer) and caller._iterations is step:  # noqa: SLF001
            return caller
        frame = frame.f_back
    return None
