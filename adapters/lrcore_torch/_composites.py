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


def owns_rate(scheduler: LRScheduler) -> bool:
    """Whether the scheduler alone determines the rate now: it is standalone or the active child of a SequentialLR."""
    caller: Any = _calling_composite(scheduler)
    if isinstance(caller, SequentialLR):
        return caller._schedulers[bisect_right(caller._milestones, caller.last_epoch)] is scheduler  # noqa: SLF001
    return not isinstance(caller, ChainedScheduler)


def is_standalone(scheduler: LRScheduler) -> bool:
    """Whether no composite, whose other children write the rate too, calls the scheduler now."""
    return not isinstance(_calling_composite(scheduler), (SequentialLR, ChainedScheduler))


def is_chained(scheduler: LRScheduler) -> bool:
    """Whether a ChainedScheduler calls the scheduler now."""
    return isinstance(_calling_composite(scheduler), ChainedScheduler)


def _calling_composite(scheduler: LRScheduler) -> object:
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
