"""For `tf_keras`, the Keras 2 that TensorFlow keeps: `lrcore_keras.keras2.LearningRateSchedule`.

Keras 2 takes a schedule of Keras 3 for a function and calls it without arguments; Keras 3 does the same to a schedule of
Keras 2. So each needs its own class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import keras
import tf_keras

import lrcore
import lrcore_keras

if keras.config.backend() != "tensorflow":
    raise ImportError(
        "lrcore_keras.keras2: needs Keras 3 on its TensorFlow backend to compute with; "
        f"got {keras.config.backend()}; set KERAS_BACKEND=tensorflow"
    )


@tf_keras.saving.register_keras_serializable("lrcore")
class LearningRateSchedule(tf_keras.optimizers.schedules.LearningRateSchedule):
    """A schedule as the `learning_rate` of a `tf_keras` optimizer; Keras 3 has to be on its TensorFlow backend.

    Keras 2 has these limitations. Legacy optimizers pass the step as float32, which rounds steps above 2**24. `.keras` files
    do not contain the step of a legacy optimizer; SavedModel folders contain the step of none. LossScaleOptimizer counts
    skipped steps as updates. `.h5` files store the name of a class without its module; load them with
    `custom_objects={"LearningRateSchedule": lrcore_keras.keras2.LearningRateSchedule}`.

    Args:
        schedule: a schedule, or a Python function of the step, which cannot be saved with the model.
        horizon: the step from which the value is held, 2**31 - 1 at the latest; required for a Python function that states none
            itself.

    Raises:
        lrcore.ScheduleError: the argument is not a schedule, or no table can hold it.

    Source: `tf_keras.optimizers.schedules.LearningRateSchedule`.
    """

    def __init__(self, schedule: lrcore.Schedule | Callable[[int], float], horizon: int | None = None) -> None:
        self._schedule = lrcore_keras.LearningRateSchedule(schedule, horizon)

    def __call__(self, step: Any) -> Any:
        """The rate for the update after `step` updates: a float32 scalar."""
        return self._schedule(step)

    def get_config(self) -> dict[str, Any]:
        """The schedule and horizon, as a saved model stores them; a Python function cannot be saved."""
        return self._schedule.get_config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """Restore the schedule of a saved model."""
        schedule: Any = lrcore.from_dict(config["schedule"])  # the constructor refuses a plateau
        return cls(schedule, config["horizon"])
