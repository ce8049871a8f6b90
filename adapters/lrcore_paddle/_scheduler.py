"""The scheduler class. Its `last_epoch` is the step, and an optimizer reads the rate of that step from it."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from math import inf
from types import FrameType
from typing import Any, Self

import paddle

import lrcore
from lrcore import adapting
from lrcore.adapting import Follower, Source
from lrcore_paddle import _processes, _use

_NAME = "lrcore_paddle.LRScheduler"


class LRScheduler(paddle.optimizer.lr.LRScheduler):
    """The learning rate after `step()` was called n times is schedule(n): the first update uses schedule(0).

    Call `step()` once for each update, after `optimizer.step()`; in a static program after `exe.run`. `Model.fit` calls it
    itself: give it a `LRSchedulerCallback`. The optimizer's state holds the scheduler's, so `optimizer.set_state_dict`
    restores both, and the rate is computed anew. The manual's page on Paddle has mixed precision and changes in mid-run.

    A group's `learning_rate` multiplies the rate (in float32), as does `ParamAttr(learning_rate=...)`. Schedules of their
    own reach the groups through the parts of `groups`; a part that reaches none is warned of.

    Args:
        schedule: a schedule, a `lrcore.Plateau`, a Python function of the step, the path, the text or the dict of a schedule
            file; or a list of these, but plateaus, one for each parameter group.
        last_epoch: the updates made, less one: -1 starts at step 0.
        verbose: print each new rate.
        on_mismatch: what to do with a state whose schedule differs: "error", "keep_checkpoint", "use_config", or
            "same_past", which goes on with this one if every update already made had its rate.

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
    # `step` takes its fast path with this function of the step. None while a step has more to do: see `_choose_path`.
    _at: Callable[[int], float] | None = None
    _may_check_use: bool = False  # while Paddle's `__init__` calls `step`
    _hidden_rate: float | None = None  # the schedule's rate, where another was written to `last_lr`
    _epoch_due: float = inf  # the step after the first epoch of `Model.fit`, by which a plateau is told a metric

    def __init__(
        self,
        schedule: Sequence[Source] | Source | lrcore.Plateau,
        last_epoch: int = -1,
        verbose: bool = False,
        *,
        on_mismatch: adapting.Policy = "error",
    ) -> None:
        adapting.check_policy(on_mismatch, _NAME)  # an error now, not when a checkpoint is loaded
        if not hasattr(last_epoch, "__index__") or last_epoch < -1:
            raise lrcore.ScheduleError(f"{_NAME}.last_epoch", f"expected an integer >= -1; got {last_epoch!r}")
        self._follower = _followed(schedule).counting_from(last_epoch + 1)
        self.on_mismatch: adapting.Policy = on_mismatch
        self._tensors = [_rate_tensor() for _ in self._follower.functions[1:]]  # the rates of all groups but the first
        self._may_warn_of_number = self._may_warn_of_writer = True
        super().__init__(self.base_lr, last_epoch, verbose)
        # Loops ask whether a scheduler's module is Paddle's, to know that it has `step`. Its class has a module of its own.
        self.__module__ = paddle.optimizer.lr.__name__
        self._may_check_use, self._at = True, None

    @property
    def schedule(self) -> Any:
        """The schedule, plateau or list of schedules that gives the rates."""
        return self._follower.schedule

    @property
    def plateau_state(self) -> lrcore.PlateauState | None:
        """The state of a plateau; None for schedules."""
        return self._follower.plateau_state

    @property
    def groups(self) -> tuple[float | paddle.Tensor, ...]:
        """The `learning_rate` of each parameter group, for a list of schedules.

        1.0 for the first, and for the others tensors that hold their rates.
        """
        return (1.0, *self._tensors)

    @property
    def last_lr(self) -> float:
        """The rate of the next update."""
        return self._rate

    @last_lr.setter
    def last_lr(self, rate: float) -> None:
        self._hidden_rate, self._rate, self._at = getattr(self, "_rate", rate), rate, None

    @property
    def base_lr(self) -> float:
        """The rate of step 0, or 0.0 where that is negative, which Paddle refuses. It cannot be set."""
        return max(self._follower.at(0), 0.0)

    @base_lr.setter
    def base_lr(self, rate: float) -> None:
        if rate != self.base_lr:  # Paddle's `__init__` sets the same
            raise lrcore.ScheduleError(
                f"{_NAME}.base_lr",
                f"expected {self.base_lr}, the schedule's first rate, as a schedule computes no rate from a base; got {rate}; "
                "give optimizer.set_lr_scheduler a scheduler of another schedule",
            )

    @property
    def verbose(self) -> bool:
        """Whether each new rate is printed."""
        return self._verbose

    @verbose.setter
    def verbose(self, verbose: bool) -> None:
        self._verbose, self._at = verbose, None

    def get_lr(self) -> float:
        """The rate at `last_epoch`, as a Python float; reading changes nothing."""
        return self._follower.at(self.last_epoch)

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next update, or to the one given.

        Args:
            epoch: updates already made, in place of one more than before; `sync` takes the same without a warning.

        Raises:
            lrcore.ScheduleError: `epoch` is not an integer >= 0, or a Python function gives no finite number; nothing
                has changed then.
        """
        at = self._at
        if at is not None and epoch is None:
            step = self.last_epoch + 1
            self._rate = at(step)
            self.last_epoch = step
            return
        caller = sys._getframe(1)  # noqa: SLF001 - how `step` is used is seen there alone
        if self._may_check_use:
            self._check_use(caller)
        self._go_to(self.last_epoch + 1 if epoch is None else self._given_step(epoch, caller), self._follower)

    def sync(self, step: int | None = None) -> None:
        """Set the rate of the current step, or of the one given, at once.

        Args:
            step: updates already made, where something else counts them.

        Raises:
            lrcore.ScheduleError: as `step`.
        """
        given = self.last_epoch if step is None else step
        self._go_to(adapting.checked_step(given, f"{_NAME}.sync: step"), self._follower)

    def report(self, metric: Any) -> None:
        """Tell a plateau the metric: the rates of the updates that follow are multiplied by its scale.

        Where several processes train together, each has to report: the mean of their metrics counts, in all of them.

        Args:
            metric: a number or a tensor of one element.

        Raises:
            lrcore.ScheduleError: schedules are followed, not a plateau; or the metric is not one number.
        """
        told = self._follower.told(metric, _NAME)
        if _processes.are_several():
            told = self._follower.told(_processes.mean_of_all(metric, f"{_NAME}.report"), _NAME)
        self._go_to(self.last_epoch, told)

    def _expect_report(self, updates: int | None) -> None:
        """Warn after so many further updates if a plateau was told no metric by then; None: do not expect one.

        A callback of `Model.fit` knows the updates of an epoch.
        """
        self._epoch_due = inf if updates is None else min(self._epoch_due, self.last_epoch + updates + 1)

    def state_dict(self) -> dict[str, Any]:  # type: ignore[override]  # Paddle declares a type of two keys
        """The four plain keys of every adapter, and Paddle's own `last_epoch` and `last_lr` for tools that read these."""
        return {**self._follower.state(self.last_epoch), "last_epoch": self.last_epoch, "last_lr": self.last_lr}

    def set_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on after the update at which a state was saved, in this or another framework.

        Args:
            state_dict: what `state_dict` of any adapter returned. Loading twice is loading once.

        Raises:
            lrcore.ScheduleError: the state is not one of lrcore's, or has another schedule with which `on_mismatch` does
                not go on; nothing has changed then.
        """
        follower, step = self._follower.loaded(state_dict, self.on_mismatch, _NAME)
        here, there = len(self._follower.functions), len(follower.functions)
        if here != there:
            raise lrcore.ScheduleError(
                _NAME, f"expected a state of {here} schedules, as configured; got one of {there}"
            )
        self._go_to(step, follower)

    set_dict = set_state_dict
    load_state_dict = set_state_dict

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule!r})"

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: not the fast function, which cannot be, nor the tensors, which Paddle 3.0 cannot pickle."""
        return {name: value for name, value in vars(self).items() if name not in {"_at", "_tensors"}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._may_check_use = True
        self._tensors = [_rate_tensor(rate_at(self.last_epoch)) for rate_at in self._follower.functions[1:]]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy that shares its tensors with an optimizer that is copied together with it."""
        copied = memo[id(self)] = type(self).__new__(type(self))
        copied.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        copied.__dict__.update(_tensors=copy.deepcopy(self._tensors, memo))
        return copied

    def _go_to(self, step: int, follower: Follower) -> None:
        """Set the step, the rates and what is followed. All rates are computed first, so that an error changes nothing."""
        rates = [rate_at(step) for rate_at in follower.functions]
        if self._hidden_rate not in (None, self.last_lr):
            self._warn_of_writer()
        self._follower, self.last_epoch, self._rate, self._hidden_rate = follower, int(step), rates[0], None
        for tensor, rate in zip(self._tensors, rates[1:], strict=True):
            tensor.fill_(rate)
        self._remind()
        if self.verbose:
            print(f"Epoch {self.last_epoch}: {type(self).__name__} set learning rate to {self.last_lr}.")  # noqa: T201
        self._choose_path()

    def _choose_path(self) -> None:
        """Let `step` take its fast path if one schedule is followed and a step has nothing to warn of or to print."""
        busy = self._may_check_use or self._tensors or self.verbose or self._follower.report_due < inf
        self._at = None if busy else self._follower.at

    def _given_step(self, epoch: Any, caller: FrameType) -> int:
        """Return the step that was given to `step`, which refuses or warns of a number that may be a metric or an epoch."""
        advice = "; a plateau is told its metric by report(metric)" if self.plateau_state is not None else ""
        try:
            step = adapting.checked_step(epoch, f"{_NAME}.step")
        except lrcore.ScheduleError as error:
            raise lrcore.ScheduleError(error.where, error.problem + advice) from None
        if self._may_warn_of_number and not _use.is_paddles_scheduler(caller):
            self._may_warn_of_number = False
            adapting.warn(
                f"{_NAME}: step({step}) is taken as {step} updates already made{advice}; call step() after each update, or "
                f"sync({step}) if the count is meant"
            )
        return step

    def _check_use(self, caller: FrameType) -> None:
        """Warn if the first step shows that a schedule or a plateau has no effect, or that batches are counted as updates."""
        self._may_check_use = False
        unused = ", ".join(f"groups[{index + 1}]" for index in _use.unused(self._tensors))
        if unused:
            adapting.warn(
                f"{_NAME}: expected each part of groups as the learning_rate of a parameter group; got no use of {unused}, so "
                'these schedules have no effect; write {"params": ..., "learning_rate": scheduler.groups[i]}'
            )
        callback = _use.callback_of_fit(caller)
        if callback is None:
            return
        self._expect_report(callback.params["steps"] if callback.by_step else 1)
        every = callback.model._accumulate  # noqa: SLF001 - no public attribute has it
        if callback.by_step and every > 1:
            adapting.warn(
                f"{_NAME}: Model.fit makes one update of {every} batches and steps the scheduler after each batch, so the "
                f"schedule runs {every} times too fast; give fit callbacks=[lrcore_paddle.LRSchedulerCallback()]"
            )

    def _remind(self) -> None:
        """Warn once if an epoch of `Model.fit` or 10,000 updates were made and the plateau was told no metric."""
        follower = self._follower
        advice = "call report(metric) after each evaluation, or give Model.fit eval_data and a LRSchedulerCallback"
        if follower.report_due == inf or self.last_epoch < self._epoch_due:
            self._follower = follower.remind(self.last_epoch, _NAME, advice)
            return
        self._follower = Follower(follower.schedule, follower.plateau_state)
        adapting.warn(
            f"{_NAME}: Model.fit made an epoch and the plateau was told no metric, so it reduces nothing; {advice}"
        )

    def _warn_of_writer(self) -> None:
        """Warn once that something else has written to `last_lr`."""
        if self._may_warn_of_writer:
            self._may_warn_of_writer = False
            adapting.warn(
                f"{_NAME}: last_lr was set to {self.last_lr} where the schedule had written {self._hidden_rate}; the schedule "
                "overwrites it; for another rate give the optimizer another scheduler"
            )


def _followed(given: Any) -> Follower:
    """Return a follower of what the constructor was given."""
    for one in given if isinstance(given, Sequence) else [given]:
        if isinstance(one, paddle.optimizer.lr.LRScheduler):
            raise lrcore.ScheduleError(
                _NAME,
                f"expected a schedule or a function of the step; got a {type(one).__name__}; pass from_native(scheduler)",
            )
    follower = Follower.of(given, f"{_NAME}.schedule", several=True)
    if isinstance(follower.schedule, list) and not paddle.in_dynamic_mode():
        raise lrcore.ScheduleError(
            _NAME, "a list of schedules needs dynamic mode; got a static program; make one optimizer for each group"
        )
    return follower


def _rate_tensor(rate: float = 0.0) -> paddle.Tensor:
    """Return a tensor for the rate of one group, in the precision that Paddle uses for an optimizer's rate."""
    return paddle.to_tensor(rate, dtype="float64" if paddle.get_default_dtype() == "float64" else "float32")
