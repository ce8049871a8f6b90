"""The scheduler class. Its `last_epoch` is the step, and an optimizer reads the rate of that step from it."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from types import FrameType
from typing import Any, Self, TypeAlias

import paddle

import lrcore
from lrcore import adapting
from lrcore_paddle import _processes, _use

Source: TypeAlias = lrcore.Schedule | Callable[[int], float]
Followed: TypeAlias = lrcore.Schedule | lrcore.Plateau | list[lrcore.Schedule]

_NAME = "lrcore_paddle.LRScheduler"


class LRScheduler(paddle.optimizer.lr.LRScheduler):
    """The learning rate after `step()` was called n times is schedule(n): the first update uses schedule(0).

    Call `step()` after each `optimizer.step()`; in a static program after each `exe.run`. `Model.fit` calls it itself,
    after each batch: with `accumulate_grad_batches` or mixed precision give it a `LRSchedulerCallback`. With a GradScaler
    call it only where the scaler did not skip the update, for what was skipped is no update: where `scaler.update()` did
    not lower `scaler.state_dict()["scale"]`.

    The optimizer's state holds the scheduler's, so `optimizer.set_state_dict` restores both. The rate is computed anew,
    so that a changed schedule is used at once. Paddle refuses `optimizer.set_lr` while a scheduler is there: to change
    the rate in mid-run call `optimizer.set_lr_scheduler` with another (`last_epoch=n - 1` starts it at step n). LBFGS and
    Rprop take no scheduler, of Paddle's neither.

    A group's `learning_rate` multiplies the rate (in float32), as does `ParamAttr(learning_rate=...)`. For a schedule of
    its own give each group a part of `groups`; a list that takes another's place needs an optimizer that is made with it.

    Args:
        schedule: a schedule, a `lrcore.Plateau`, a Python function of the step, or a list of schedules, one for each
            parameter group. A plateau that is told no metric in 10,000 updates is warned of once.
        last_epoch: the updates made, less one: -1 starts at step 0.
        verbose: print each new rate.
        on_mismatch: what to do with a state whose schedule differs: "error", "keep_checkpoint", "use_config", or
            "same_past", which goes on with this one if every update already made had its rate.

    Attributes:
        schedule: the schedule, plateau or list of schedules that gives the rates.
        plateau_state: the state of a plateau; None for schedules.

    Raises:
        lrcore.ScheduleError: a wrong argument, or a list in a static program. A Python function that gives no finite
            number, when asked; step, rate and state are then as they were.

    Example:
        >>> import lrcore, lrcore_paddle, paddle
        >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
        >>> scheduler = lrcore_paddle.LRScheduler(schedule)
        >>> weight = paddle.create_parameter([], "float32", default_initializer=paddle.nn.initializer.Constant(0.0))
        >>> optimizer = paddle.optimizer.SGD(scheduler, parameters=[weight])
        >>> for _ in range(3):
        ...     (weight * 1.0).backward()
        ...     optimizer.step()
        ...     optimizer.clear_grad()
        ...     scheduler.step()
        >>> weight.item(), optimizer.get_lr()
        (-1.125, 0.125)

        A slower rate for the body of a network than for its head:

        >>> scheduler = lrcore_paddle.LRScheduler([schedule, schedule * 0.1])
        >>> head, body = paddle.nn.Linear(2, 1), paddle.nn.Linear(2, 2)
        >>> optimizer = paddle.optimizer.SGD(
        ...     scheduler,
        ...     parameters=[
        ...         {"params": head.parameters(), "learning_rate": scheduler.groups[0]},
        ...         {"params": body.parameters(), "learning_rate": scheduler.groups[1]},
        ...     ],
        ... )
    """

    last_epoch: int
    last_lr: float
    _report_due: float = inf  # the step at which to warn that the plateau was told no metric
    _epoch_due: float = inf  # the same, in Model.fit: the step after the first epoch
    _may_check_use: bool = False  # while Paddle's `__init__` calls `step`

    def __init__(
        self,
        schedule: Source | lrcore.Plateau | Sequence[Source],
        last_epoch: int = -1,
        verbose: bool = False,
        *,
        on_mismatch: adapting.Policy = "error",
    ) -> None:
        adapting.check_policy(on_mismatch, _NAME)  # an error now, not when a checkpoint is loaded
        if not hasattr(last_epoch, "__index__") or last_epoch < -1:
            raise lrcore.ScheduleError(f"{_NAME}.last_epoch", f"expected an integer >= -1; got {last_epoch!r}")
        self.schedule = _checked(schedule)
        self.plateau_state = _plateau_state(self.schedule, None)
        self.on_mismatch: adapting.Policy = on_mismatch
        # The rate as a function of the step, for each parameter group. The tensors hold the rates of all groups but the first.
        self._rules = _rate_functions(self.schedule, self.plateau_state)
        self._tensors = [_rate_tensor() for _ in self._rules[1:]]
        self._may_warn_of_writer = True
        self._may_warn_of_number = True
        self._report_due = inf if self.plateau_state is None else adapting.report_due(last_epoch + 1)
        # The rate last written to `last_lr`. It is the base rate at first, which Paddle refuses if it is negative.
        self._written = max(self._rules[0](0), 0.0)
        self._at: Callable[[int], float] | None = None  # the fast path; there is none before the use is checked
        super().__init__(self._written, last_epoch, verbose)
        # Loops ask whether a scheduler's module is Paddle's, to know that it has `step`. Its class has its own module.
        self.__module__ = paddle.optimizer.lr.__name__
        self._may_check_use = True

    @property
    def base_lr(self) -> float:
        """The rate of step 0, or 0.0 where that is negative. It cannot be set."""
        return max(self._rules[0](0), 0.0)

    @base_lr.setter
    def base_lr(self, value: float) -> None:
        if value != self.base_lr:  # Paddle's `__init__` sets the same
            raise lrcore.ScheduleError(
                f"{_NAME}.base_lr",
                f"expected {self.base_lr}, the schedule's first rate, as a schedule computes no rate from a base; got {value}; "
                "give optimizer.set_lr_scheduler a scheduler of another schedule",
            )

    @property
    def groups(self) -> tuple[float | paddle.Tensor, ...]:
        """The `learning_rate` of each parameter group, for a list of schedules.

        1.0 for the first, and for the others tensors that hold their rates.
        """
        return (1.0, *self._tensors)

    def get_lr(self) -> float:
        """The rate at `last_epoch`, as a Python float; reading changes nothing."""
        return self._rules[0](self.last_epoch)

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next update, or to the one given.

        Args:
            epoch: updates already made, in place of one more than before; `sync` takes the same without a warning.

        Raises:
            lrcore.ScheduleError: `epoch` is not an integer >= 0, or a Python function gives no finite number; nothing
                has changed then.
        """
        at = self._at
        if at is not None and epoch is None and self.last_lr == self._written and not self.verbose:
            # The fast path for the common case: one schedule, and nobody else has written to `last_lr`.
            step = self.last_epoch + 1
            self.last_lr = self._written = at(step)
            self.last_epoch = step
            return
        if self._may_check_use:
            self._check_use(sys._getframe(1))  # noqa: SLF001 - the caller is seen there alone
        if epoch is None:
            self._go_to(self.last_epoch + 1)
        else:
            self._go_to(self._checked_step(epoch, sys._getframe(1)))  # noqa: SLF001

    def sync(self, step: int | None = None) -> None:
        """Set the rate of the current step, or of the one given, at once.

        Args:
            step: updates already made, where something else counts them.

        Raises:
            lrcore.ScheduleError: as `step`.
        """
        self._go_to(self.last_epoch if step is None else adapting.checked_step(step, f"{_NAME}.sync: step"))

    def report(self, metric: Any) -> None:
        """Tell a plateau the metric: the rates of the updates that follow are multiplied by its scale.

        Where several processes train together, each has to report: the mean of their metrics counts, in all of them.

        Args:
            metric: a number or a tensor of one element.

        Raises:
            lrcore.ScheduleError: schedules are followed, not a plateau; or the metric is not one number.
        """
        if isinstance(self.schedule, list) or not isinstance(self.schedule, lrcore.Plateau):
            raise lrcore.ScheduleError(
                f"{_NAME}.report", f"expected a lrcore.Plateau, which alone uses metrics; got {self.schedule!r}"
            )
        assert self.plateau_state is not None
        state = self.schedule.update(self.plateau_state, metric)
        if _processes.are_several():
            mean = _processes.mean_of_all(metric, f"{_NAME}.report")
            state = self.schedule.update(self.plateau_state, mean)
        self._follow(self.schedule, state, self.last_epoch)
        self._report_due = self._epoch_due = inf

    def expect_report(self, updates: int | None) -> None:
        """Warn after so many further updates if a plateau was told no metric by then; None: do not expect one.

        A callback of `Model.fit` knows the updates of an epoch.
        """
        if self._report_due < inf:
            self._epoch_due = inf if updates is None else min(self._epoch_due, self.last_epoch + updates + 1)

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]  # Paddle declares a type of two keys
        """The four plain keys of every adapter, and Paddle's own `last_epoch` and `last_lr` for tools that read these."""
        plateau = None if self.plateau_state is None else self.plateau_state.to_dict()
        state = lrcore.save_state(self.last_epoch, self.schedule, plateau)
        return {**state, "last_epoch": self.last_epoch, "last_lr": self.last_lr}

    def set_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on after the update at which a state was saved, in this or another framework.

        Args:
            state_dict: what `state_dict` of any adapter returned. Loading twice is loading once.

        Raises:
            lrcore.ScheduleError: the state is not one of lrcore's, or has another schedule with which `on_mismatch` does
                not go on; nothing has changed then.
        """
        loaded = lrcore.load_state(state_dict, self.schedule, self.on_mismatch, _NAME)
        schedule = _checked(loaded.schedule)
        state = _plateau_state(schedule, loaded.plateau)
        self._follow(schedule, state, loaded.step)
        self._report_due = inf
        if state is not None:
            self._report_due = adapting.report_due(loaded.step, None if loaded.plateau is None else state)

    set_dict = set_state_dict
    load_state_dict = set_state_dict

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_at"}  # `_at` cannot be pickled

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._at = None
        self._may_check_use = True

    def __copy__(self) -> Self:
        """Return a copy whose groups have tensors of their own, so that its steps do not change the rates of this one."""
        copied = type(self).__new__(type(self))
        copied.__setstate__({**self.__getstate__(), "_tensors": [tensor.clone() for tensor in self._tensors]})
        return copied

    def _follow(self, schedule: Followed, plateau_state: lrcore.PlateauState | None, step: int) -> None:
        """Set the schedule, the plateau's state and the step. All rates are computed first: an error changes nothing."""
        functions = _rate_functions(schedule, plateau_state)
        if len(functions) != len(self._rules):
            raise lrcore.ScheduleError(
                _NAME,
                f"expected a state of {len(self._rules)} schedules, as configured; got one of {len(functions)}",
            )
        rates = [rate_at(step) for rate_at in functions]
        self.schedule, self.plateau_state, self._rules = schedule, plateau_state, functions
        self._at = None if self._may_check_use else _fast_function(schedule)
        self._write(step, rates)

    def _go_to(self, step: int) -> None:
        """Set the step and its rates, and warn of what has gone wrong before."""
        rates = [rate_at(step) for rate_at in self._rules]
        if self.last_lr != self._written:
            self._warn_of_writer()
        self._write(int(step), rates)
        if step >= min(self._report_due, self._epoch_due):
            self._warn_of_no_report()
        if self.verbose:
            print(f"Epoch {self.last_epoch}: {type(self).__name__} set learning rate to {self.last_lr}.")  # noqa: T201

    def _checked_step(self, epoch: Any, caller: FrameType) -> int:
        """Return the step that was given to `step`. A number that was meant as a metric or as an epoch is refused or warned of."""
        advice = "; a plateau is told its metric by report(metric)" if self.plateau_state is not None else ""
        try:
            step = adapting.checked_step(epoch, f"{_NAME}.step")
        except lrcore.ScheduleError as error:
            raise lrcore.ScheduleError(error.where, error.problem + advice) from None
        if self._may_warn_of_number and not _use.is_paddles_scheduler(caller):
            self._may_warn_of_number = False
            warnings.warn(
                f"{_NAME}: step({step}) is taken as {step} updates already made{advice}; call step() after each update, or "
                f"sync({step}) if the count is meant",
                stacklevel=3,
            )
        return step

    def _check_use(self, caller: FrameType) -> None:
        """Warn where the first step shows that a schedule, a plateau or the count of updates has no effect; then allow the fast path."""
        self._may_check_use = False
        self._at = _fast_function(self.schedule)
        missing = [index + 1 for index in _use.unused(self._tensors)]
        if missing:
            names = ", ".join(f"groups[{index}]" for index in missing)
            warnings.warn(
                f"{_NAME}: expected each part of groups as the learning_rate of a parameter group; got no use of {names}, so "
                'these schedules have no effect; write {"params": ..., "learning_rate": scheduler.groups[i]}',
                stacklevel=3,
            )
        callback = _use.callback_of_fit(caller)
        if callback is None:
            return
        self.expect_report(callback.params["steps"] if callback.by_step else 1)
        every = callback.model._accumulate  # noqa: SLF001 - no public attribute has it
        if callback.by_step and every > 1:
            warnings.warn(
                f"{_NAME}: Model.fit makes one update of {every} batches and steps the scheduler after each batch, so the "
                f"schedule runs {every} times too fast; give fit callbacks=[lrcore_paddle.LRSchedulerCallback()]",
                stacklevel=3,
            )

    def _warn_of_no_report(self) -> None:
        advice = "call report(metric) after each evaluation, or give Model.fit eval_data and a LRSchedulerCallback"
        if self.last_epoch >= self._epoch_due:
            warnings.warn(
                f"{_NAME}: Model.fit made an epoch and the plateau was told no metric, so it reduces nothing; {advice}",
                stacklevel=4,
            )
        else:
            adapting.warn_of_no_report(_NAME, advice, stacklevel=4)
        self._report_due = self._epoch_due = inf

    def _write(self, step: int, rates: Sequence[float]) -> None:
        """Set the step, `last_lr` to the first rate, and the tensors of the other groups to theirs."""
        self.last_epoch = step
        self.last_lr = self._written = rates[0]
        if self._tensors:
            for tensor, rate in zip(self._tensors, rates[1:], strict=True):
                tensor.fill_(rate)

    def _warn_of_writer(self) -> None:
        """Warn once that something else has written to `last_lr`."""
        if self._may_warn_of_writer:
            self._may_warn_of_writer = False
            warnings.warn(
                f"{_NAME}: last_lr was set to {self.last_lr} where the schedule had written {self._written}; the schedule "
                "overwrites it; for another rate give the optimizer another scheduler",
                stacklevel=3,
            )


def _checked(schedule: Any) -> Followed:
    """Return the plateau, the schedule or the list of schedules that an argument gives, with functions as schedules."""
    if isinstance(schedule, lrcore.Plateau):
        return schedule
    if not isinstance(schedule, list | tuple):
        return _checked_one(schedule)
    if not schedule:
        raise lrcore.ScheduleError(_NAME, "expected one schedule for each parameter group; got none")
    if not paddle.in_dynamic_mode():
        raise lrcore.ScheduleError(
            _NAME, "a list of schedules needs dynamic mode; got a static program; make one optimizer for each group"
        )
    return [_checked_one(part) for part in schedule]


def _checked_one(schedule: Any) -> lrcore.Schedule:
    if isinstance(schedule, paddle.optimizer.lr.LRScheduler):
        raise lrcore.ScheduleError(
            _NAME,
            f"expected a schedule or a function of the step; got a {type(schedule).__name__}; pass from_native(scheduler)",
        )
    return adapting.as_schedule(schedule)


def _plateau_state(schedule: Followed, saved: Mapping[str, Any] | None) -> lrcore.PlateauState | None:
    """Return the saved state of a plateau, or its initial one if none was saved; None for schedules."""
    if isinstance(schedule, list) or not isinstance(schedule, lrcore.Plateau):
        return None
    return schedule.initial() if saved is None else lrcore.PlateauState.from_dict(saved, _NAME)


def _rate_functions(schedule: Followed, plateau_state: lrcore.PlateauState | None) -> list[Callable[[int], float]]:
    """Return the rate as a function of the step, one function for each schedule."""
    if isinstance(schedule, list):
        return [*schedule]
    if isinstance(schedule, lrcore.Plateau):
        assert plateau_state is not None
        return [partial(schedule.value, state=plateau_state)]
    return [schedule]


def _fast_function(schedule: Followed) -> Callable[[int], float] | None:
    """Return the schedule's `at`, which does not check its argument; None for a plateau or a list."""
    if isinstance(schedule, list):
        return None
    return None if isinstance(schedule, lrcore.Plateau) else schedule.at


def _rate_tensor() -> paddle.Tensor:
    """Return a tensor for the rate of one group, in the precision that Paddle uses for an optimizer's rate."""
    return paddle.to_tensor(0.0, dtype="float64" if paddle.get_default_dtype() == "float64" else "float32")
