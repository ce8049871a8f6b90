"""A schedule inside the optimizer, evaluated from a table in the compiled training step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras

import lrcore
from lrcore import adapting
from lrcore_keras._operations import OPERATIONS
from lrcore_keras._optimizers import calling_optimizer


@keras.saving.register_keras_serializable("lrcore")
class LearningRateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule as the `learning_rate` of a Keras optimizer: every update uses schedule(updates already made).

    It is traced with the training step and holds no state, so it works under `jit_compile`, `steps_per_execution`,
    distribution strategies and in custom loops, and several optimizers may share one. With `gradient_accumulation_steps`
    Keras passes the count of micro-batches; this class finds the calling optimizer and uses its count of updates. The rate
    has the bits of float32(schedule(step)) wherever the schedule's table is a lookup (`lrcore.lower`).

    The step is the optimizer's: `initial_epoch` of `fit` does not move it, a restored optimizer continues where it stopped, and
    `optimizer.iterations.assign(step)` sets it (`step * k` micro-batches on `_iterations` under accumulation).

    A saved model contains the schedule, and `load_model` restores it if `lrcore_keras` has been imported. `load_weights` and
    `BackupAndRestore` restore only the step; the configured schedule stays. A model saved on the torch backend contains that
    backend's own optimizer class, whatever its rate, and does not train on another backend. To continue on another, call
    `load_model(path, compile=False)`, `compile` and `optimizer.build(model.trainable_variables)`; then `load_weights(path)`
    restores weights, optimizer and step.

    Args:
        schedule: a schedule, or a Python function of the step, which cannot be saved with the model.
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

    def __init__(self, schedule: lrcore.Schedule | Callable[[int], float], horizon: int | None = None) -> None:
        if isinstance(schedule, lrcore.Plateau):
            raise lrcore.ScheduleError(
                "lrcore_keras.LearningRateSchedule",
                "expected a function of the step; got a Plateau, which needs a metric; use the callback LearningRateScheduler",
            )
        self.schedule = adapting.as_schedule(schedule)
        self.horizon = horizon
        self._table = lrcore.lower(self.schedule, horizon)

    def __call__(self, step: Any) -> Any:
        """The rate for the update after `step` updates: a scalar tensor, float64 where that is Keras's `floatx`.

        Args:
            step: an integer or a tensor of integers; an optimizer passes its own counter, of micro-batches.
        """
        steps = keras.ops.convert_to_tensor(step)
        accumulation = getattr(calling_optimizer(step), "gradient_accumulation_steps", None)
        if accumulation:
            steps = keras.ops.floor_divide(steps, accumulation)
        return self._table.evaluate(OPERATIONS, steps, keras.ops.cast, self._dtype())

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
        schedule: Any = lrcore.from_dict(config["schedule"])  # the constructor refuses a plateau
        return cls(schedule, config["horizon"])
