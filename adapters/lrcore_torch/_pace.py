"""Whether a scheduler is stepped once for each update, which trainers on several processes and micro-batches get wrong."""

from __future__ import annotations

from torch.optim import Optimizer

_ENOUGH = 8  # steps at one pace: fewer may be updates that a loss scaler skipped
_WATCHED = 256


class Pace:
    """Counts steps and updates at the beginning of a run; the weights tell when there was an update."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._versions = _versions(optimizer)
        self._left = _WATCHED
        self._steps: list[int] = []  # after each update

    def steps_per_update(self, optimizer: Optimizer) -> int | None:
        """Count a step, and say how many there are to an update: 1 also where that varies, None while it is not known."""
        versions = _versions(optimizer)
        if versions != self._versions:
            self._versions = versions
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


def _versions(optimizer: Optimizer) -> int:
    """A number that every update raises."""
    return sum(weight._version for group in optimizer.param_groups for weight in group["params"])  # noqa: SLF001
