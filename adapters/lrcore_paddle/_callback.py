"""The callback that keeps a scheduler in step with the updates of `paddle.Model.fit`."""

from __future__ import annotations

import warnings
from typing import Any

import paddle

from lrcore_paddle._scheduler import LRScheduler


class LRSchedulerCallback(paddle.callbacks.LRScheduler):
    """Paddle's `callbacks.LRScheduler`, but one step for each update.

    `Model.fit` adds its own callback where none is given, and that one steps after every batch: also after each
    micro-batch of an accumulation, so that with `accumulate_grad_batches=k` a schedule runs k times too fast, and after
    an update that loss scaling has skipped. This one takes its place, for any scheduler; one warning says where something
    else steps the scheduler, too. A `lrcore.Plateau` is told a metric after every evaluation, for which `fit` needs
    `eval_data`; one warning says where it is told none. Paddle's `ReduceLROnPlateau` refuses optimizers that have a
    scheduler.

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
        self._left_at: int | None = None
        self._may_warn_of_other = True
        self._may_warn_of_metric = True
        self._reports: int | None = None  # what a plateau had been told when `fit` began

    def on_train_begin(self, logs: Any = None) -> None:
        self._left_at = None
        self._reports = self._told()

    def on_train_end(self, logs: Any = None) -> None:
        super().on_train_end(logs)
        if self._reports is not None and self._reports == self._told():
            self._warn_of_metric(
                "expected an evaluation, after which a plateau is told its metric; got none; give fit eval_data"
            )

    def on_train_batch_end(self, step: int, logs: Any = None) -> None:
        scheduler = self._scheduler()
        if scheduler is None:
            return
        if self._left_at not in (None, scheduler.last_epoch):
            self._warn_of_other(scheduler.last_epoch)
        if self._made_update(step):
            super().on_train_batch_end(step, logs)
        self._left_at = scheduler.last_epoch

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch, logs)
        if self.by_epoch:
            self._left_at = None

    def on_eval_end(self, logs: Any = None) -> None:
        scheduler = self._scheduler()
        if not isinstance(scheduler, LRScheduler) or scheduler.plateau_state is None:
            return
        if not logs or self.monitor not in logs:
            self._warn_of_metric(
                f"expected {self.monitor!r} among what was evaluated; got {', '.join(logs or ()) or 'nothing'}; the plateau was "
                "not told; name one of them as monitor"
            )
            return
        metric = logs[self.monitor]
        scheduler.report(metric[0] if isinstance(metric, list | tuple) else metric)

    def _scheduler(self) -> paddle.optimizer.lr.LRScheduler | None:
        model: Any = self.model
        rate = getattr(model._optimizer, "_learning_rate", None)  # noqa: SLF001 - as Paddle's own callbacks do
        return rate if isinstance(rate, paddle.optimizer.lr.LRScheduler) else None

    def _told(self) -> int | None:
        """How many metrics the plateau has been told; None where there is none."""
        scheduler = self._scheduler()
        state = scheduler.plateau_state if isinstance(scheduler, LRScheduler) else None
        return None if state is None else state.reports

    def _warn_of_metric(self, message: str) -> None:
        if self._may_warn_of_metric:
            self._may_warn_of_metric = False
            warnings.warn(f"lrcore_paddle.LRSchedulerCallback: {message}", stacklevel=3)

    def _made_update(self, step: int) -> bool:
        """Whether `Model.fit` updates after this batch: after every k-th, and after the last that the loader has."""
        model: Any = self.model
        cut_short = getattr(model, "num_iters", None) is not None and self.params["epochs"] == 1
        last = step + 1 == self.params["steps"] and not cut_short
        due = last or (step + 1) % model._accumulate == 0  # noqa: SLF001 - Paddle does not tell it otherwise
        scaler = getattr(model, "_scaler", None)
        return due and not (scaler is not None and scaler.is_enable() and bool(scaler._cache_found_inf))  # noqa: SLF001

    def _warn_of_other(self, found: int) -> None:
        if self._may_warn_of_other:
            self._may_warn_of_other = False
            warnings.warn(
                f"lrcore_paddle.LRSchedulerCallback: the scheduler was left at step {self._left_at} after the batch before "
                f"and is at {found} now: something else steps it, too; leave one of the two out",
                stacklevel=3,
            )
