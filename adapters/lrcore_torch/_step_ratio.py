"""Detects that `scheduler.step()` runs k times for each `optimizer.step()`.

Trainers make this mistake with several processes and with micro-batches.
"""

from __future__ import annotations

from torch.optim import Optimizer

_STEPS_TO_JUDGE = 8  # with fewer, the loss scaler may just have skipped some updates
_STEPS_WATCHED = 256
_SEEN_MARK = 1  # truthy, as torch's schedulers require, but `is not True`, which they write at every update


class StepRatio:
    """Counts the scheduler's steps for each update at the beginning of a run."""

    def __init__(self, optimizer: Optimizer) -> None:
        _was_updated(optimizer)
        self._left = _STEPS_WATCHED
        self._steps: list[int] = []  # one count for each update

    def steps_per_update(self, optimizer: Optimizer) -> int | None:
        """Count a step and return the number of steps for each update: None until it is known, 1 if it varies."""
        if _was_updated(optimizer):
            self._steps.append(0)
        if self._steps:
            self._steps[-1] += 1
        self._left -= 1
        complete = self._steps[:-1]
        if not self._left or len(set(complete)) > 1:
            return 1
        if complete and (complete[0] == 1 or (len(complete) > 1 and sum(complete) >= _STEPS_TO_JUDGE)):
            return complete[0]
        return None


def _was_updated(optimizer: Optimizer) -> bool:
    """Whether `optimizer.step()` was called since the last call of this function.

    Torch's schedulers wrap `optimizer.step` to set `_opt_called = True`; we replace that by our mark.
    """
    attributes = vars(optimizer)
    called = attributes.get("_opt_called") is True
    if called:
        attributes["_opt_called"] = _SEEN_MARK
    return called
