"""The check of a step, and the advice for one that a framework holds in a tensor."""

from __future__ import annotations

import operator
from typing import Any

from lrcore.errors import ScheduleError
from lrcore.records import short

ADAPTERS = {
    "jax": "lrcore_optax.as_schedule(schedule)",
    "jaxlib": "lrcore_optax.as_schedule(schedule)",
    "tensorflow": "lrcore_keras.LearningRateSchedule(schedule)",
    "keras": "lrcore_keras.LearningRateSchedule(schedule)",
    "torch": "lrcore_torch.LRScheduler(optimizer, schedule)",
    "mxnet": "lrcore_mxnet.LRScheduler(schedule)",
    "paddle": "lrcore_paddle.LRScheduler(schedule)",
    "mlx": "lrcore_mlx.as_schedule(schedule)",
}
"""The call that uses a schedule in a framework, by the package of its tensors: `tensors` in adapters/frameworks.toml."""


def checked_step(step: Any, where: str = "step") -> int:
    """The step as a Python integer; adapters check a given step before they count on from it.

    Raises:
        ScheduleError: it is no integer >= 0, of Python, numpy or another library.

    Example:
        >>> checked_step(7)
        7
    """
    try:
        number = -1 if isinstance(step, bool) or _is_floating(step) else operator.index(step)
    except Exception:  # noqa: BLE001 - each framework raises an exception of its own for a tensor without a value
        number = -1
    if number < 0:
        raise ScheduleError(
            where, f"expected an integer >= 0, the number of updates already made; got {short(step)}{_advice(step)}"
        )
    return number


def _is_floating(step: Any) -> bool:
    """Whether a tensor holds floating numbers: Paddle's `__index__` cuts their fraction off, so that a loss would be a step."""
    return "float" in str(getattr(step, "dtype", ""))


def _advice(step: Any) -> str:
    is_array = type(step).__module__ == "numpy" and bool(getattr(step, "ndim", 0))
    if is_array or isinstance(step, (list, tuple)):
        return "; ask schedule.values(steps) for several"
    adapter = adapter_of(step)
    return f"; use {adapter}, or schedule(int(step)) where the step has a value" if adapter else ""


def adapter_of(value: Any) -> str | None:
    """The call that uses a schedule in the framework of a tensor; None for any other value.

    The package of the tensor's class names the framework, so that none is imported.

    Example:
        >>> adapter_of(7) is None
        True
    """
    packages = [base.__module__.partition(".")[0] for base in type(value).__mro__]
    return next((ADAPTERS[package] for package in packages if package in ADAPTERS), None)
