"""lrcore in Paddle: `LRScheduler(schedule)` is the learning rate of an optimizer; the callback steps it in `Model.fit`."""

import lrcore

try:
    import paddle  # noqa: F401 - imported first, to report a missing Paddle in one sentence
except ModuleNotFoundError as error:
    if error.name != "paddle":
        raise
    raise lrcore.MissingExtraError("lrcore_paddle", package="PaddlePaddle", extra="paddle") from None

from lrcore_paddle._callback import LRSchedulerCallback
from lrcore_paddle._native import from_native, native_step
from lrcore_paddle._scheduler import LRScheduler

__all__ = ["LRScheduler", "LRSchedulerCallback", "from_native", "native_step"]
