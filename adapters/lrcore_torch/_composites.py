"""Torch's composites, SequentialLR and ChainedScheduler: they call their children without saying who they are."""

from __future__ import annotations

import sys
from bisect import bisect_right
from typing import Any

from torch.optim.lr_scheduler import ChainedScheduler, LRScheduler, SequentialLR


def has_its_turn(scheduler: LRScheduler) -> bool:
    """Whether the rate in the optimizer is the scheduler's own, given the composite, if any, that calls it now."""
    caller: Any = _caller_of(scheduler)
    if isinstance(caller, SequentialLR):
        return caller._schedulers[bisect_right(caller._milestones, caller.last_epoch)] is scheduler  # noqa: SLF001
    return not isinstance(caller, ChainedScheduler)


def is_alone(scheduler: LRScheduler) -> bool:
    """Whether no composite, in which others write the rate too, calls the scheduler now."""
    return not isinstance(_caller_of(scheduler), (SequentialLR, ChainedScheduler))


def _caller_of(scheduler: LRScheduler) -> object:
    """The object whose method called the scheduler's, be it through `torch.compiler.disable`."""
    frame = sys._getframe(2)  # noqa: SLF001 - a composite hands its child nothing but the call
    while frame.f_back is not None and (
        frame.f_locals.get("self") is scheduler or str(frame.f_globals.get("__name__")).startswith("torch._dynamo")
    ):
        frame = frame.f_back
    return frame.f_locals.get("self")
