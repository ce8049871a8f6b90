"""Whether a scheduler is stepped once for each update, which trainers on several processes and micro-batches get wrong."""

from __future__ import annotations

from torch.optim import Optimizer

_ENOUGH = 8  # steps at one pace: fewer may be updates that a loss scaler skipped
_WATCHED = 256
_SEEN = 1  # true, for torch's schedulers ask for no more, and not the True that they write at every update


class Pace:
    """Counts steps and updates at the beginning of a run."""

    def __init__(self, optimizer: Optimizer) -> None:
        _was_called(optimizer)
        self._left = _WATCHED
        self._steps: list[int] = []  # after each update

    def steps_per_update(self, optimizer: Optimizer) -> int | None:
        """Count a step, and say how many there are to an update: 1 also where that varies, None while it is not known."""
        if _was_called(optimizer):
            self._steps.append(0)
        if self._steps:
            self._steps[-1] += 1
        self._left -= 1
        complete = self._steps[:-1]
        if not self._left or len(set(complete)) > 1:
            return 1
        if complete and (complete[0] == 1 or (len(complete) > 1 and sum(complete) >= _ENOUGH)):
            return complete[0]
        return None


def _was_called(optimizer: Optimizer) -> bool:
    """Whether `optimizer.step()` was called since this was asked last; torch's schedulers have it leave a note."""
    notes = vars(optimizer)
    called = notes.get("_opt_called") is True
    if called:
        notes["_opt_called"] = _SEEN
    return called
