"""A schedule inside the optimizer, evaluated from a table: in the compiled training step, or by numpy on the host."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np

import lrcore
from lrcore import adapting
from lrcore_keras._operations import OPERATIONS
from lrcore_keras._optimizers import count_on_host, find_caller, is_of_keras_2

WHERE = "lrcore_keras.LearningRateSchedule"
LAST_COUNT = 2**31 - 1  # the step from which every table holds its value
SMALLEST_NORMAL, LARGEST = (float(limit) for limit in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))


@keras.saving.register_keras_serializable("lrcore")
class LearningRateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule as the `learning_rate` of a Keras optimizer: every update uses schedule(updates already made).

    It holds no state, so it works under `jit_compile`, `steps_per_execution`, `gradient_accumulation_steps`, distribution
    strategies and in custom loops, and several optimizers may share one. The rate has the bits of float32(schedule(step))
    wherever the schedule's table is a lookup (`lrcore.lower`).

    The step is the optimizer's count of updates: a restored optimizer continues where it stopped, and so does a second `fit`.
    Compile with a new optimizer to begin at 0. `load_model` restores the schedule if `lrcore_keras` has been imported;
    `load_weights` and `BackupAndRestore` restore the step, and the configured schedule stays.

    Args:
        schedule: a schedule, a Python function of the step, or the path, text or dict of a schedule file. A function cannot be
            saved with the model.
        horizon: the step from which the value is held, 2**31 - 1 at the latest; required for a Python function that states none
            itself.

    Raises:
        lrcore.ScheduleError: the argument is not a schedule, or no table can hold it.

    Source: `keras.optimizers.schedules.LearningRateSchedule`.

    Example:
        >>> import keras, lrcore, lrcore_keras
        >>> schedule = lrcore.Cosine(init_value=0.5, end_value=0.0, decay_steps=100)
        >>> optimizer = keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(schedule))
        >>> float(optimizer.learning_rate)
        0.5
    """

    def __init__(self, schedule: adapting.Source, horizon: int | None = None) -> None:
        refuse_natives(schedule, f"{WHERE}.schedule")
        given = adapting.as_schedule_or_plateau(schedule, where=f"{WHERE}.schedule")
        if isinstance(given, lrcore.Plateau):
            raise lrcore.ScheduleError(
                WHERE,
                "expected a function of the step; got a Plateau, which needs a metric; use the callback LearningRateScheduler",
            )
        self.schedule = given
        self.horizon = horizon
        self._table = lrcore.lower(self.schedule, horizon)
        self._last = LAST_COUNT if horizon is None else min(horizon, LAST_COUNT)

    def __call__(self, step: Any = None) -> Any:
        """The rate for the update after `step` updates: a scalar tensor, float64 where that is Keras's `floatx`.

        Args:
            step: an integer or a tensor of integers; an optimizer passes its own counter, of micro-batches.

        Raises:
            lrcore.ScheduleError: the step is missing, as in an optimizer of Keras 2; or is a fraction.
        """
        if step is None:
            raise lrcore.ScheduleError(
                WHERE,
                "expected the step; got none; an optimizer of tf_keras (Keras 2) takes lrcore_keras.keras2.LearningRateSchedule",
            )
        optimizer, apply_locals = find_caller(step)
        if apply_locals is None:
            return self._rate(step, optimizer)
        # Keras asks once for each decayed variable. The rate is kept among the local variables of the optimizer's `apply`,
        # so that it is computed once and ends with that call.
        name = f"lrcore {id(self)}"
        if name not in apply_locals:
            apply_locals[name] = self._rate(step, optimizer)
        return apply_locals[name]

    def rate_on_host(self, step: int) -> float:
        """The rate for the update after `step` updates, with the bits that the optimizer uses; no tensor is made."""
        return float(self._evaluate_on_host(step))

    def _rate(self, step: Any, optimizer: Any) -> Any:
        accumulation = getattr(optimizer, "gradient_accumulation_steps", None) or 1
        steps = _whole(keras.ops.convert_to_tensor(step))
        count = count_on_host(steps)
        if count is not None:
            rate = self._evaluate_on_host(count // accumulation)
            return keras.ops.convert_to_tensor(rate)  # naming the dtype would make JAX warn where it has no float64
        if accumulation > 1:
            steps = keras.ops.floor_divide(steps, accumulation)
        return self._table.evaluate(OPERATIONS, steps, keras.ops.cast, self._dtype())

    def _evaluate_on_host(self, step: int) -> Any:
        """The rate as an array of numpy: from a lookup its entry, for cubics the value that they approximate."""
        if self._table.method == "lookup":
            rate = self._table.evaluate(np, np.asarray(step), lambda array, dtype: array.astype(dtype), self._dtype())
            return np.asarray(rate)
        value = self.schedule.at(min(max(step, 0), self._last))
        subnormal = abs(value) < SMALLEST_NORMAL  # tables hold 0 for these, since compilers differ in keeping them
        return np.asarray(0.0 if subnormal else min(max(value, -LARGEST), LARGEST), self._dtype())

    def _dtype(self) -> Literal["float32", "float64"]:
        return "float64" if keras.config.floatx() == "float64" else "float32"

    def get_config(self) -> dict[str, Any]:
        """The schedule and horizon, as a saved model stores them.

        Raises:
            lrcore.ScheduleError: the schedule contains a Python function, which cannot be saved.
        """
        return {"schedule": self.schedule.to_dict(), "horizon": self.horizon}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """Restore the schedule of a saved model; its table is rebuilt."""
        return cls(config["schedule"], config["horizon"])


def refuse_natives(given: Any, where: str) -> None:
    """Refuse what Keras itself takes and lrcore does not: schedules of Keras, functions of the epoch and the rate.

    Raises:
        lrcore.ScheduleError: it is one of these; the message says how it is converted.
    """
    if isinstance(given, keras.optimizers.schedules.LearningRateSchedule) or is_of_keras_2(given):
        module = "lrcore_keras.keras2" if is_of_keras_2(given) else "lrcore_keras"
        raise lrcore.ScheduleError(
            where, f"expected a schedule of lrcore; got {type(given).__name__}; convert it with {module}.from_native"
        )
    if inspect.isfunction(given) and not _takes_one_argument(given):
        raise lrcore.ScheduleError(
            where,
            f"expected a function of the step alone; got {given!r}; one that also takes the previous rate is no schedule: "
            "lrcore.recurrence makes one of it",
        )


def _takes_one_argument(function: Any) -> bool:
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        return False
    return True


def _whole(steps: Any) -> Any:
    """The steps, as integers if they are floating numbers that are whole; a traced tensor is refused by its type."""
    if "float" not in keras.backend.standardize_dtype(steps.dtype):
        return steps
    try:
        values = np.asarray(keras.ops.convert_to_numpy(steps))
    except Exception:  # noqa: BLE001 - each backend raises an exception of its own for a tensor that is traced
        raise lrcore.ScheduleError(WHERE, f"expected integers, the updates already made; got {steps.dtype}") from None
    if not (values == np.floor(values)).all():
        raise lrcore.ScheduleError(WHERE, f"expected whole numbers of updates; got {values.tolist()!r}")
    return keras.ops.convert_to_tensor(values.astype("int64"))
