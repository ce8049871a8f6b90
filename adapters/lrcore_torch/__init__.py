"""lrcore in PyTorch: `lrcore_torch.LRScheduler(optimizer, schedule)` is a `torch.optim.lr_scheduler.LRScheduler`."""

import lrcore

try:
    import torch  # noqa: F401 - imported first, so that a missing torch is reported in one sentence
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise lrcore.MissingExtraError("lrcore_torch", package="PyTorch", extra="torch") from None

from lrcore_torch._native import from_native, native_step
from lrcore_torch._scheduler import LRScheduler

__all__ = ["LRScheduler", "from_native", "native_step"]
