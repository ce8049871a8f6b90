"""Schedules whose values each follow from the one before, computed with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

from msgspec import Struct

from lrcore.curves.pieces import finite
from lrcore.errors import ScheduleError
from lrcore.records import name_of, short
from lrcore.schedules.calls import explains_arguments
from lrcore.schedules.kinds import Function

_MAX_MARKS = 1024  # even, because every second mark is dropped at the limit
_RUN_LENGTH = 64
_MAX_RUNS = 2


@explains_arguments("recurrence")
def recurrence(init_value: float, following: Callable[[float, int], float]) -> Function:
    """value(0) = init_value, value(t) = following(value(t - 1), t). It cannot be written to a file.

    Steps may be asked in any order. Rising steps, and steps near those asked last, call `following` once for each new
    step. The memory is bounded: about 1,000 values are remembered, spread evenly over all steps so far, and any other step
    is computed again from the nearest of them below it. So `following` may be called more than once for the same step
    and must give the same value each time.

    Args:
        init_value: value at step 0.
        following: a Python function of the value before and of the step.

    Raises:
        ScheduleError: a wrong argument; when asked, if the function returns anything but a finite number.

    Example:
        >>> schedule = recurrence(1.0, lambda value, step: value / (1 + value))
        >>> [schedule(step) for step in (3, 0, 1)]
        [0.25, 1.0, 0.5]
    """
    _check_callable(following, "recurrence.following")
    return Function(_Following(finite("recurrence.init_value", init_value, 0), following))


@explains_arguments("running_product")
def running_product(init_value: float, factor: Callable[[int], float]) -> Function:
    """init_value times the product of factor(1), ..., factor(t). It cannot be written to a file.

    Its memory is that of `recurrence`: a step further back is computed again from the nearest of a bounded number of
    remembered products, so `factor` may be asked more than once for the same step and must give the same factor each time.

    Args:
        init_value: value at step 0.
        factor: a Python function of the step, >= 1.

    Raises:
        ScheduleError: a wrong argument; when asked, if a factor or a product is not a finite number.

    Source: `torch.optim.lr_scheduler.MultiplicativeLR`, `paddle.optimizer.lr.MultiplicativeDecay`.

    Example:
        >>> schedule = running_product(8.0, lambda step: 0.5)
        >>> [schedule(step) for step in (3, 0, 1)]
        [1.0, 8.0, 4.0]
    """
    _check_callable(factor, "running_product.factor")
    return Function(_RunningProduct(finite("running_product.init_value", init_value, 0), factor))


class _Run(NamedTuple):
    """The values at consecutive steps, from the step `first` on."""

    first: int
    values: tuple[float, ...]

    @property
    def last(self) -> int:
        return self.first + len(self.values) - 1


class _Memory(NamedTuple):
    """The remembered values. An instance is replaced as a whole, never changed, so that threads can share it.

    Attributes:
        stride: the steps between two marks.
        marks: the values at 0, stride, 2 stride, ... up to the largest step computed.
        runs: the latest values of up to two callers, such as training and a look at earlier steps; the last used is last.
    """

    stride: int
    marks: tuple[float, ...]
    runs: tuple[_Run, ...] = ()


class _Recurrence(Struct, frozen=True, dict=True):
    """A function of the step whose value follows from the one before. Its memory takes no part in equality and hash."""

    init_value: float

    def following(self, value: float, step: int) -> float:
        raise NotImplementedError

    def __call__(self, step: float) -> float:
        step = step if type(step) is int else self._as_int(step)
        for run in self._memory[0].runs:
            place = step - run.first
            if 0 <= place < len(run.values):
                return run.values[place]
        return self._compute(step)

    @cached_property
    def _memory(self) -> list[_Memory]:
        """The memory; a list of one, because a field of a frozen struct cannot be replaced."""
        return [_Memory(1, (self.init_value,))]

    def _as_int(self, step: float) -> int:
        """The step as an int. A stretched cycle evaluates between steps, where a recurrence has no value."""
        if float(step).is_integer():
            return int(step)
        raise ScheduleError(
            self._name,
            f"expected whole steps, as each value follows from the one before; got {step}; leave length_factor 1",
        )

    @cached_property
    def _name(self) -> str:
        return name_of(self)

    def _compute(self, step: int) -> float:
        """Compute the value at a step from the nearest remembered one, and update the memory."""
        stride, marks, runs = self._memory[0]
        number = min(step // stride, len(marks) - 1)
        start = _Run(number * stride, (marks[number],))
        for run in runs:
            if start.last <= run.last < step:
                start = run
        value, recent, name = start.values[-1], deque(start.values, _RUN_LENGTH), self._name
        for now in range(start.last + 1, step + 1):
            value = finite(name, self.following(value, now), now)
            recent.append(value)
            if now == stride * len(marks):
                marks = (*marks, value)
                if len(marks) > _MAX_MARKS:
                    marks, stride = marks[::2], stride * 2
        others = (run for run in runs if run is not start)
        moved = _Run(step + 1 - len(recent), tuple(recent))
        self._memory[0] = _Memory(stride, marks, (*others, moved)[-_MAX_RUNS:])
        return value


class _Following(_Recurrence, frozen=True):
    function: Callable[[float, int], float]

    def following(self, value: float, step: int) -> float:
        return self.function(value, step)


class _RunningProduct(_Recurrence, frozen=True):
    factor: Callable[[int], float]

    def following(self, value: float, step: int) -> float:
        return value * finite(self._name, self.factor(step), step)


def _check_callable(function: Any, where: str) -> None:
    if not callable(function):
        raise ScheduleError(where, f"expected a Python function; got {short(function)}")
