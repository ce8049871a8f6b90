"""The callback that logs the rates used by updates, for History and TensorBoard."""

from __future__ import annotations

from typing import Any, Literal

import keras

import lrcore
from lrcore_keras._optimizers import (
    accumulation_steps,
    check_keras,
    current_rate,
    inner_optimizers,
    schedule_in,
    update_count,
)
from lrcore_keras._schedule import LearningRateSchedule


class RateLogger:
    """What the loggers of Keras 3 and Keras 2 have in common: everything but the class of the framework."""

    WHERE: str
    RATE_NAME: str
    model: Any
    params: Any

    def _configure(self, per: Literal["epoch", "update"]) -> None:
        check_per(per, self.WHERE)
        self.per = per
        self._last_rates: dict[str, float] = {}

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._last_rates = {}

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        batches = (self.params or {}).get("steps")
        if self.per == "update" or batches is None or batch + 1 >= batches:
            # Read the rates now: callbacks such as ReduceLROnPlateau change them at the end of the epoch.
            self._last_rates = used_rates(self.model.optimizer, self.RATE_NAME)
        if self.per == "update":
            self._log(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._last_rates = self._last_rates or used_rates(self.model.optimizer, self.RATE_NAME)
        self._log(logs)

    def _log(self, logs: dict[str, float] | None) -> None:
        if logs is not None:
            logs.update(self._last_rates | {f"used_{name}": rate for name, rate in self._last_rates.items()})


class LRLogger(RateLogger, keras.callbacks.Callback):
    """Logs the rate of the last update, whatever sets it: a schedule of lrcore or Keras, a callback, or your code.

    The rate is logged under two names: `learning_rate`, for History, and `used_learning_rate`, because TensorBoard writes the
    rate of the NEXT update as `epoch_learning_rate`. For a MultiOptimizer both names end in `_` and the name of the inner
    optimizer. List this callback before all that read logs or change the rate after a batch.

    Args:
        per: "epoch" logs at the end of each epoch; "update" after every batch too, which TensorBoard writes with
            `update_freq="batch"`. On the JAX backend this makes every batch wait.

    Example:
        >>> import keras, lrcore, lrcore_keras
        >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(schedule)), loss="mse")
        >>> data = keras.ops.ones((2, 1))
        >>> callbacks = [lrcore_keras.LRLogger()]
        >>> history = model.fit(data, data, batch_size=1, epochs=2, verbose=0, callbacks=callbacks)
        >>> history.history["learning_rate"]
        [0.375, 0.125]
    """

    WHERE = "lrcore_keras.LRLogger"
    RATE_NAME = "learning_rate"

    def __init__(self, per: Literal["epoch", "update"] = "epoch") -> None:
        keras.callbacks.Callback.__init__(self)
        self._configure(per)

    def set_model(self, model: Any) -> None:
        check_keras(self, model)
        super().set_model(model)


def check_per(per: Any, where: str) -> None:
    """Raise unless `per` is "update" or "epoch"."""
    if per not in ("update", "epoch"):
        raise lrcore.ScheduleError(f"{where}.per", f"expected update or epoch; got {per!r}")


def log_names(optimizer: Any, name: str) -> list[str]:
    """The names of the rates in the logs: one for each inner optimizer."""
    several = hasattr(getattr(optimizer, "inner_optimizer", optimizer), "optimizers")
    return [f"{name}_{inner.name}" if several else name for inner in inner_optimizers(optimizer)]


def used_rates(optimizer: Any, name: str) -> dict[str, float]:
    """The rate of the last update of each inner optimizer, by its name in the logs; without those that made no update."""
    inners = inner_optimizers(optimizer)
    return {
        name: _used_rate(inner)
        for name, inner in zip(log_names(optimizer, name), inners, strict=True)
        if update_count(inner)
    }


def _used_rate(optimizer: Any) -> float:
    schedule = schedule_in(optimizer)
    if schedule is None:
        return current_rate(optimizer)
    if isinstance(schedule, LearningRateSchedule):
        return schedule.rate_on_host(update_count(optimizer) - 1)
    if not hasattr(schedule, "get_config"):  # a function without arguments
        return float(schedule())
    return float(schedule(update_count(optimizer) * accumulation_steps(optimizer) - 1))
