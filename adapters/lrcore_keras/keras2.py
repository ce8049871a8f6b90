"""For `tf_keras`, the Keras 2 that TensorFlow keeps: the names of `lrcore_keras`, for models of Keras 2.

Keras 2 takes a schedule of Keras 3 for a function and calls it without arguments; Keras 3 does the same to a schedule of
Keras 2, and the callbacks of one do not know the optimizers of the other. So each needs its own classes. Keras 3 has to be on
its TensorFlow backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import keras
import tf_keras

import lrcore
import lrcore_keras
from lrcore import adapting
from lrcore_keras._callback import Per, RateCallback
from lrcore_keras._logger import RateLogger
from lrcore_keras._native import Natives, convert, native_step
from lrcore_keras._optimizers import check_keras

if keras.config.backend() != "tensorflow":
    raise ImportError(
        "lrcore_keras.keras2: needs Keras 3 on its TensorFlow backend to compute with; "
        f"got {keras.config.backend()}; set KERAS_BACKEND=tensorflow"
    )

__all__ = ["LRLogger", "LearningRateSchedule", "LearningRateScheduler", "from_native", "native_step"]


@tf_keras.saving.register_keras_serializable("lrcore")
class LearningRateSchedule(tf_keras.optimizers.schedules.LearningRateSchedule):
    """A schedule as the `learning_rate` of a `tf_keras` optimizer.

    Keras 2 has these limitations. Legacy optimizers pass the step as float32, which rounds steps above 2**24. `.keras` files
    do not contain the step of a legacy optimizer; SavedModel folders contain the step of none. LossScaleOptimizer counts
    skipped steps as updates. `.h5` files store the name of a class without its module; load them with
    `custom_objects={"LearningRateSchedule": lrcore_keras.keras2.LearningRateSchedule}`.

    Args:
        schedule: a schedule, a Python function of the step, or the path, text or dict of a schedule file. A function cannot be
            saved with the model.
        horizon: the step from which the value is held, 2**31 - 1 at the latest; required for a Python function that states none
            itself.

    Raises:
        lrcore.ScheduleError: the argument is not a schedule, or no table can hold it.

    Source: `tf_keras.optimizers.schedules.LearningRateSchedule`.
    """

    def __init__(self, schedule: adapting.Source, horizon: int | None = None) -> None:
        self._schedule = lrcore_keras.LearningRateSchedule(schedule, horizon)

    @property
    def schedule(self) -> lrcore.Schedule:
        """The schedule that the optimizer follows."""
        return self._schedule.schedule

    def __call__(self, step: Any = None) -> Any:
        """The rate for the update after `step` updates: a float32 scalar.

        Raises:
            lrcore.ScheduleError: the step is missing, as in an optimizer of Keras 3.
        """
        if step is None:
            raise lrcore.ScheduleError(
                "lrcore_keras.keras2.LearningRateSchedule",
                "expected the step; got none; an optimizer of Keras 3 takes lrcore_keras.LearningRateSchedule",
            )
        is_traced = not hasattr(step, "numpy")
        if is_traced and "float" in str(getattr(step, "dtype", "")):
            step = keras.ops.cast(
                step, "int64"
            )  # a legacy optimizer passes its count of updates in the type of the weights
        return self._schedule(step)

    def get_config(self) -> dict[str, Any]:
        """The schedule and horizon, as a saved model stores them; a Python function cannot be saved."""
        return self._schedule.get_config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """Restore the schedule of a saved model."""
        return cls(config["schedule"], config["horizon"])


class LearningRateScheduler(RateCallback, tf_keras.callbacks.LearningRateScheduler):
    """Writes schedule(step) into the model's optimizer before every update of `tf_keras.Model.fit`.

    It is `lrcore_keras.LearningRateScheduler` for Keras 2, with its arguments and methods. The logs have the rate as `lr`.
    Keras 2 does not save the state of a plateau: save `state_dict()` beside the model, and give it to `load_state_dict`.

    Source: `tf_keras.callbacks.LearningRateScheduler`.
    """

    WHERE = "lrcore_keras.keras2.LearningRateScheduler"
    RATE_NAME = "lr"
    HOW_TO_RESTORE = "call load_state_dict"

    def __init__(
        self,
        schedule: adapting.Source | lrcore.Plateau,
        per: Per | None = None,
        *,
        monitor: str = "val_loss",
        on_mismatch: adapting.Policy = "error",
    ) -> None:
        tf_keras.callbacks.Callback.__init__(self)
        self._configure(schedule, per, monitor, on_mismatch)

    def set_model(self, model: Any) -> None:
        check_keras(self, model)
        super().set_model(model)
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            self._begin_with(optimizer)


class LRLogger(RateLogger, tf_keras.callbacks.Callback):
    """Logs the rate of the last update as `lr` and `used_lr`: `lrcore_keras.LRLogger` for Keras 2, with its arguments."""

    WHERE = "lrcore_keras.keras2.LRLogger"
    RATE_NAME = "lr"

    def __init__(self, per: Literal["epoch", "update"] = "epoch") -> None:
        tf_keras.callbacks.Callback.__init__(self)
        self._configure(per)

    def set_model(self, model: Any) -> None:
        check_keras(self, model)
        super().set_model(model)


def from_native(native: Any, *, base_lr: float | None = None) -> lrcore.Schedule | Any:
    """Convert a schedule or callback of `tf_keras`: `lrcore_keras.from_native` for Keras 2, with its arguments.

    Raises:
        lrcore.ScheduleError: as `lrcore_keras.from_native`.
    """
    return convert(native, base_lr, NATIVES)


NATIVES = Natives("lrcore_keras.keras2.from_native", tf_keras, (LearningRateSchedule, LearningRateScheduler))
