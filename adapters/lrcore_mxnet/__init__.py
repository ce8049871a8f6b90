"""lrcore in MXNet: `LRScheduler(schedule)` is the `lr_scheduler` of a `gluon.Trainer`, a `Module` or an optimizer."""

from importlib.metadata import version

import lrcore

try:
    import mxnet  # noqa: F401 - imported first, to report a missing MXNet in one sentence
except ModuleNotFoundError as error:
    if error.name != "mxnet":
        raise
    raise lrcore.MissingExtraError("lrcore_mxnet", package="MXNet", extra="mxnet") from None
except AttributeError as error:
    if "numpy" not in str(error).lower():
        raise
    raise ImportError(
        f"lrcore_mxnet: MXNet {version('mxnet')} needs numpy < 1.24, whose names it uses; got {version('numpy')}; "
        'run: pip install "numpy<1.24"'
    ) from None

from lrcore_mxnet._loading import apply_policy_to_loaded_states
from lrcore_mxnet._native import from_native, native_step
from lrcore_mxnet._scheduler import LRScheduler

__all__ = ["LRScheduler", "from_native", "native_step"]

apply_policy_to_loaded_states()
