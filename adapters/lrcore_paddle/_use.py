"""Find out how a scheduler is used, at its first step: by what it is called, and whether its groups' rates reach an optimizer."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import paddle


def callback_of_fit(caller: FrameType) -> Any | None:
    """Return the callback that `Model.fit` adds by itself, if the caller is one; None for any other caller."""
    callback = caller.f_locals.get("self")
    return callback if type(callback) is paddle.callbacks.LRScheduler else None


def is_paddles_scheduler(caller: FrameType) -> bool:
    """Whether one of Paddle's own schedulers calls, such as a LinearWarmup around this one."""
    return caller.f_globals.get("__name__") == paddle.optimizer.lr.__name__


def unused(tensors: Sequence[paddle.Tensor]) -> list[int]:
    """Return the indices of the tensors that nothing else refers to. Parameters refer to the rate of their group."""
    [references_of_none] = _references([object()])
    return [index for index, count in enumerate(_references(tensors)) if count == references_of_none]


def _references(objects: Sequence[object]) -> list[int]:
    return [sys.getrefcount(one) for one in objects]
