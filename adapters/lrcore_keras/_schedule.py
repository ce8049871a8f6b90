"""A schedule inside the optimizer: a table that the compiled training step reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras

import lrcore
from lrcore import adapting
from lrcore_keras._optimizers import asking_optimizer


@keras.saving.register_keras_serializable("lrcore")
class LearningRateSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule as the `learning_rate` of a Keras optimizer: every update uses schedule(updates already made).

    It is traced with the training step and holds no state, so it is right under `jit_compile`, `steps_per_execution`,
    distribution strategies and in custom loops, and several optimizers may share one. With `gradient_accumulation_steps`
    Keras counts micro-batches; here the optimizer that asks is found and its updates are counted. The rate has the bits
    of float32(schedule(step)) wherever the schedule's table is a lookup (`lrcore.lower`).

    The step is the optimizer's: `initial_epoch` of `fit` does not move it, a restored optimizer goes on where it was, and
    `optimizer.iterations.assign(step)` sets it (`step * k` micro-batches on `_iterations` under accumulation).

    A model is saved with the description of its schedule, which `load_model` takes, if its process has imported
    `lrcore_keras`; `load_weights` and `BackupAndRestore` bring the step alone, to the schedule that is configured. What Keras
    saves on its torch backend, with any rate, trains on no other, as it is that backend's own optimizer. There call
    `load_model(path, compile=False)`, `compile` and `optimizer.build(model.trainable_variables)`; then `load_weights(path)`
    brings weights, optimizer and step.

    Args:
        schedule: a schedule, or a Python function of the step, which cannot be saved with the model.
        horizon: the step from which the value is held, 2**31 - 1 at the latest; required for a Python function that states none
            itself.

    Raises:
        lrcore.ScheduleError: it is no schedule, or no table can hold it.

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
        micro_batches = getattr(asking_optimizer(step), "gradient_accumulation_steps", None)
        if micro_batches:
            steps = keras.ops.floor_divide(steps, micro_batches)
        return self._table.evaluate(keras.ops, steps, keras.ops.cast, self._dtype())

    def _dtype(self) -> Literal["float32", "float64"]:
        return "float64" if keras.config.floatx() == "float64" else "float32"

    def get_config(self) -> dict[str, Any]:
        """What a saved model holds.

        Raises:
            lrcore.ScheduleError: a Python function is inside, which cannot be written.
        """
        return {"schedule": self.schedule.to_dict(), "horizon": self.horizon}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """The schedule of a saved model; its table is built anew."""
        schedule: Any = lrcore.from_dict(config["schedule"])  # a plateau is refused by its type
        return cls(schedule, config["horizon"])
