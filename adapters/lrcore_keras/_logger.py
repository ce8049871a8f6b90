"""A callback that logs the rates used by updates, for History and TensorBoard."""

from __future__ import annotations

from typing import Any, Literal

import keras

import lrcore
from lrcore_keras._optimizers import accumulation_steps, current_rate, inner_optimizers, update_count
from lrcore_keras._schedule import LearningRateSchedule


class LRLogger(keras.callbacks.Callback):
    """Logs the rate of the last update, whatever sets it: a schedule of lrcore or Keras, a callback, or your code.

    With a schedule, the optimizer's `learning_rate` is the rate of the NEXT update, and the TensorBoard callback writes that as
    `epoch_learning_rate`. So this callback logs the rate under two names: `learning_rate`, for History, and
    `used_learning_rate`, which TensorBoard does not overwrite. For a MultiOptimizer both names end in `_` and the name of the
    inner optimizer. List this callback before the callbacks that read logs.

    While gradients accumulate, a rate set by a callback is already that of the coming update. bfloat16 variables are updated
    with the rate rounded to bfloat16; the logged rate is not rounded.

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

    def __init__(self, per: Literal["epoch", "update"] = "epoch") -> None:
        super().__init__()
        check_per(per, "lrcore_keras.LRLogger")
        self.per = per

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        if self.per == "update":
            self._log(logs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._log(logs)

    def _log(self, logs: dict[str, float] | None) -> None:
        if logs is not None:
            rates = used_rates(self.model.optimizer)
            logs.update(rates | {f"used_{name}": rate for name, rate in rates.items()})


def check_per(per: Any, where: str) -> None:
    """Raise unless `per` is "update" or "epoch"."""
    if per not in ("update", "epoch"):
        raise lrcore.ScheduleError(f"{where}.per", f"expected update or epoch; got {per!r}")


def used_rates(optimizer: Any) -> dict[str, float]:
    """The rate of the last update of each inner optimizer, by its name in the logs; without those that made no update."""
    several = hasattr(getattr(optimizer, "inner_optimizer", optimizer), "optimizers")
    return {
        f"learning_rate_{inner.name}" if several else "learning_rate": _used_rate(inner)
        for inner in inner_optimizers(optimizer)
        if update_count(inner)
    }


def _used_rate(optimizer: Any) -> float:
    schedule = optimizer._learning_rate  # noqa: SLF001 - the public property returns the schedule's value
    if isinstance(schedule, LearningRateSchedule):
        return float(schedule(update_count(optimizer) - 1))
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        return float(schedule(update_count(optimizer) * accumulation_steps(optimizer) - 1))
    return current_rate(optimizer)
