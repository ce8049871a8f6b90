"""Find out, by inspecting the caller's frame, whether a SequentialLR or ChainedScheduler calls our scheduler.

Torch's composites call their children without passing themselves.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from types import FrameType
from typing import Any

from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, SequentialLR


def calling_composite(scheduler: LRScheduler) -> SequentialLR | ChainedScheduler | None:
    """The composite that calls the scheduler now; None if none does."""
    caller = _caller(scheduler)
    return caller if isinstance(caller, (SequentialLR, ChainedScheduler)) else None


def rate_owner(scheduler: LRScheduler, composite: SequentialLR | ChainedScheduler | None) -> LRScheduler | None:
    """The scheduler that alone determines the rate: itself, or the active child of a SequentialLR; None in a chain."""
    if isinstance(composite, SequentialLR):
        parts: Any = composite
        active: LRScheduler = parts._schedulers[bisect_right(parts._milestones, parts.last_epoch)]  # noqa: SLF001
        return active
    return scheduler if composite is None else None


def _caller(scheduler: LRScheduler) -> object:
    """The torch object whose method called the scheduler's, directly or through `torch.compiler.disable`."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the frame is the only trace of the composite
    while frame is not None and _is_skipped(frame, scheduler):
        frame = frame.f_back
    # Read f_locals of torch's frames only: reading it keeps all local variables alive, and a training loop's are large.
    in_torch = frame is not None and frame.f_globals.get("__name__") == lr_scheduler.__name__
    return frame.f_locals.get("self") if frame is not None and in_torch else None


def _is_skipped(frame: FrameType, scheduler: LRScheduler) -> bool:
    """Whether a frame belongs to dynamo, to this package, or to a method of the scheduler itself."""
    code = frame.f_code
    if str(frame.f_globals.get("__name__")).startswith(("torch._dynamo", "lrcore_torch.")):
        return True
    return any(getattr(vars(cls).get(code.co_name), "__code__", None) is code for cls in type(scheduler).__mro__)
