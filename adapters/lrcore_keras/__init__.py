"""lrcore schedules in Keras 3, on its TensorFlow, JAX and torch backends.

`LearningRateSchedule` goes into the optimizer and is saved with the model; `LearningRateScheduler` is a callback of
`model.fit`; `LRLogger` records the rate that each update used. All three take the step from the optimizer's update
counter, so a restored optimizer continues where it stopped.
"""

import lrcore

try:
    import keras  # noqa: F401 - imported first, to report a missing Keras by name
except ModuleNotFoundError as error:
    if error.name != "keras":  # Keras' own error names the missing backend
        raise
    raise lrcore.MissingExtraError("lrcore_keras", package="Keras", extra="keras") from error

from lrcore_keras._callback import LearningRateScheduler
from lrcore_keras._logger import LRLogger
from lrcore_keras._native import from_native, native_step
from lrcore_keras._schedule import LearningRateSchedule

__all__ = ["LRLogger", "LearningRateSchedule", "LearningRateScheduler", "from_native", "native_step"]
