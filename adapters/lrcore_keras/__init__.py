"""lrcore schedules in Keras 3, on its TensorFlow, JAX and torch backends.

`LearningRateSchedule` goes into the optimizer and is saved with the model; `LearningRateScheduler` is a callback of
`model.fit`; `LRLogger` records the rate that each update really used. The step of all three is what the optimizer counts,
so a restored optimizer goes on where it was.
"""

import lrcore

try:
    import keras  # noqa: F401 - first, so that a missing Keras is named before anything else fails
except ModuleNotFoundError as error:
    if error.name != "keras":  # a backend is missing: Keras says which
        raise
    raise lrcore.MissingExtraError("lrcore_keras", package="Keras", extra="keras") from error

from lrcore_keras._callback import LearningRateScheduler
from lrcore_keras._logger import LRLogger
from lrcore_keras._native import from_native, native_step
from lrcore_keras._schedule import LearningRateSchedule

__all__ = ["LRLogger", "LearningRateSchedule", "LearningRateScheduler", "from_native", "native_step"]
