"""Torch's composites, SequentialLR and ChainedScheduler: they call their children without saying who they are."""

from __future__ import annotations

import sys
from bisect import bisect_right
from types import FrameType
from typing import Any

from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, SequentialLR


def has_its_turn(scheduler: LRScheduler) -> bool:
    """Whether the rate in the optimizer is the scheduler's own, given the composite, if any, that calls it now."""
    caller: Any = _composite_above(scheduler)
    if isinstance(caller, SequentialLR):
        return caller._schedulers[bisect_right(caller._milestones, caller.last_epoch)] is scheduler  # noqa: SLF001
    return not isinstance(caller, ChainedScheduler)


def is_alone(scheduler: LRScheduler) -> bool:
    """Whether no composite, in which others write the rate too, calls the scheduler now."""
    return not isinstance(_composite_above(scheduler), (SequentialLR, ChainedScheduler))


def _composite_above(scheduler: LRScheduler) -> object:
    """The scheduler of torch whose method called this one's, be it through `torch.compiler.disable`."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - a composite hands its child nothing but the call
    while frame is not None and _is_passed_through(frame, scheduler):
        frame = frame.f_back
    # Only there: a frame keeps all its variables alive once they were asked for, and a training loop's are large.
    in_torch = frame is not None and frame.f_globals.get("__name__") == lr_scheduler.__name__
    return frame.f_locals.get("self") if frame is not None and in_torch else None


def _is_passed_through(frame: FrameType, scheduler: LRScheduler) -> bool:
    code = frame.f_code
    if str(frame.f_globals.get("__name__")).startswith(("torch._dynamo", "lrcore_torch.")):
        return True
    return any(getattr(vars(cls).get(code.co_name), "__code__", None) is code for cls in type(scheduler).__mro__)
