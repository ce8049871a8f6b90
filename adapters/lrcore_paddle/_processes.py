"""The metric of a plateau in a run of several processes: all of them need the same, or their rates drift apart."""

from __future__ import annotations

import threading
import warnings
from statistics import fmean
from typing import Any

import paddle
from paddle import distributed
from paddle.base import dygraph

PATIENCE = 60.0  # seconds for which one process waits for the others without a word


def are_several() -> bool:
    """Whether several processes train together. Paddle knows the world's size before it connects the processes."""
    return bool(distributed.is_initialized()) and distributed.get_world_size() > 1


def mean_of_all(metric: Any, where: str) -> float:
    """Return the mean of the metrics that the processes give, the same number in each; it waits for all of them."""
    own = float(metric.item() if hasattr(metric, "item") else metric)
    told: list[Any] = []
    reminder = threading.Timer(PATIENCE, _remind, [where])
    reminder.daemon = True
    reminder.start()
    try:
        with dygraph.base.guard():  # in a static program, too
            distributed.all_gather(told, paddle.to_tensor([own], dtype="float64"))
            return fmean(one.item() for one in told)
    finally:
        reminder.cancel()


def _remind(where: str) -> None:
    warnings.warn(
        f"{where}: this process waits since {PATIENCE:g} seconds for the metric of the others; each process has to report one",
        stacklevel=1,
    )
