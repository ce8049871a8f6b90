"""The callback that steps a scheduler once for each update of `paddle.Model.fit`."""

from __future__ import annotations

import math
from typing import Any

import paddle

from lrcore import adapting
from lrcore_paddle._scheduler import LRScheduler


class LRSchedulerCallback(paddle.callbacks.LRScheduler):
    """Paddle's `callbacks.LRScheduler`, but one step for each update, and a metric for a plateau.

    Without it `Model.fit` adds Paddle's own callback, which steps after every batch: with `accumulate_grad_batches=k` k
    times for each update, and after an update that loss scaling skipped. This one takes its place, for any scheduler.
    A `lrcore.Plateau` is told a metric after every evaluation, for which `fit` needs `eval_data`.

    Args:
        by_step: step after each update.
        by_epoch: step after each epoch instead; then `by_step` must be False.
        monitor: what a plateau is told: "loss", or the name of a metric.

    Raises:
        ValueError: `by_step` and `by_epoch` are both set.

    Example:
        >>> import lrcore, lrcore_paddle, paddle
        >>> network = paddle.nn.Linear(1, 1)
        >>> scheduler = lrcore_paddle.LRScheduler(lrcore.Linear(init_value=0.1, decay_steps=10))
        >>> model = paddle.Model(network, inputs=[paddle.static.InputSpec([None, 1], "float32", "x")])
        >>> model.prepare(paddle.optimizer.SGD(scheduler, parameters=network.parameters()), paddle.mean)
        >>> data = paddle.io.TensorDataset([paddle.ones([8, 1])])
        >>> callback = lrcore_paddle.LRSchedulerCallback()
        >>> model.fit(data, batch_size=1, epochs=1, verbose=0, accumulate_grad_batches=4, callbacks=[callback])
        >>> scheduler.last_epoch  # eight batches, two updates
        2
    """

    def __init__(self, by_step: bool = True, by_epoch: bool = False, *, monitor: str = "loss") -> None:
        super().__init__(by_step, by_epoch)
        self.monitor = monitor
        self._step_left: int | None = None  # the scheduler's step after the last batch; None: do not compare
        self._warned_of: set[str] = set()

    def on_train_begin(self, logs: Any = None) -> None:
        self._step_left = None
        scheduler, model, batches = self._scheduler(), self._model(), self.params["steps"]
        if scheduler is None:
            optimizer = type(model._optimizer).__name__  # noqa: SLF001 - as Paddle's own callbacks do
            self._warn(
                "scheduler",
                f"expected an optimizer whose learning_rate is a scheduler; got a {optimizer} without one, so there is nothing "
                "to step",
            )
        elif isinstance(scheduler, LRScheduler) and batches:
            updates = math.ceil(batches / model._accumulate)  # noqa: SLF001 - no public attribute has it
            scheduler._expect_report(updates if self.by_step else 1)  # noqa: SLF001

    def on_train_batch_end(self, step: int, logs: Any = None) -> None:
        scheduler = self._scheduler()
        if scheduler is None:
            return
        found = scheduler.last_epoch
        if self._step_left not in (None, found):
            self._warn(
                "other stepper",
                f"the scheduler was left at step {self._step_left} after the batch before and is at {found} now: something else "
                "steps it, too; leave one of the two out",
            )
        if self._is_update(step):
            super().on_train_batch_end(step, logs)
        self._step_left = scheduler.last_epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.by_epoch:
            self._step_left = None

    def on_eval_end(self, logs: Any = None) -> None:
        scheduler = self._scheduler()
        if not isinstance(scheduler, LRScheduler) or scheduler.plateau_state is None:
            return
        if logs and self.monitor in logs:
            metric = logs[self.monitor]
            scheduler.report(metric[0] if isinstance(metric, list | tuple) else metric)
            return
        scheduler._expect_report(None)  # noqa: SLF001 - one warning is enough
        self._warn(
            "metric",
            f"expected {self.monitor!r} among what was evaluated; got {', '.join(logs or ()) or 'nothing'}; the plateau was not "
            "told; name one of them as monitor",
        )

    def _model(self) -> Any:
        return self.model

    def _scheduler(self) -> paddle.optimizer.lr.LRScheduler | None:
        rate = getattr(self._model()._optimizer, "_learning_rate", None)  # noqa: SLF001 - as Paddle's own callbacks do
        return rate if isinstance(rate, paddle.optimizer.lr.LRScheduler) else None

    def _is_update(self, step: int) -> bool:
        """Return whether `Model.fit` made an update after this batch.

        `fit` updates after every k-th batch and after the last batch of the loader. Where `num_iters` ends the first epoch
        early, `params["steps"]` is `num_iters`, and its last batch may not update. Loss scaling may skip an update.
        """
        model = self._model()
        cut_short = getattr(model, "num_iters", None) is not None and self.params["epochs"] == 1
        last = step + 1 == self.params["steps"] and not cut_short
        due = last or (step + 1) % model._accumulate == 0  # noqa: SLF001 - no public attribute has it
        return due and not _has_skipped(getattr(model, "_scaler", None))

    def _warn(self, subject: str, message: str) -> None:
        """Warn once of each subject."""
        if subject not in self._warned_of:
            self._warned_of.add(subject)
            adapting.warn(f"lrcore_paddle.LRSchedulerCallback: {message}")


def _has_skipped(scaler: Any) -> bool:
    """Return whether loss scaling skipped the last update."""
    if scaler is None or not scaler.is_enable():
        return False
    misspelt = "_cache_founf_inf"  # until Paddle 2.6
    return bool(vars(scaler).get("_cache_found_inf", vars(scaler).get(misspelt)))
