"""For `tf_keras`, the Keras 2 that TensorFlow keeps: `lrcore_keras.keras2.LearningRateSchedule`.

Keras 2 and Keras 3 take each other's schedules for functions without arguments, so each needs a class of its own.
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

    What Keras 2 makes of the step: its legacy optimizers hand it over as float32, which rounds steps above 2**24; it leaves
    theirs out of `.keras` files and anyone's out of SavedModel folders; its LossScaleOptimizer counts the steps that it
    skips. `.h5` files name a class and not its module, and are loaded with
    `custom_objects={"LearningRateSchedule": lrcore_keras.keras2.LearningRateSchedule}`.

    Args:
        schedule: a schedule, or a Python function of the step, which cannot be saved with the model.
        horizon: the step from which the value is held, 2**31 - 1 at the latest; required for a Python function that states none
            itself.

    Raises:
        lrcore.ScheduleError: it is no schedule, or no table can hold it.

    Source: `tf_keras.optimizers.schedules.LearningRateSchedule`.
    """

    def __init__(self, schedule: lrcore.Schedule | Callable[[int], float], horizon: int | None = None) -> None:
        self._schedule = lrcore_keras.LearningRateSchedule(schedule, horizon)

    def __call__(self, step: Any) -> Any:
        """The rate for the update after `step` updates: a float32 scalar."""
        return self._schedule(step)

    def get_config(self) -> dict[str, Any]:
        """What a saved model holds; a Python function cannot be written."""
        return self._schedule.get_config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """The schedule of a saved model."""
        schedule: Any = lrcore.from_dict(config["schedule"])  # a plateau is refused by its type
        return cls(schedule, config["horizon"])
