"""The scheduler class. MXNet calls it with `num_update`, which the optimizer raises before it asks for the rate."""

from __future__ import annotations

import os
import pickle
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import inf
from operator import index
from typing import Any
from weakref import WeakSet

import mxnet as mx

import lrcore
from lrcore import adapting
from lrcore_mxnet._update_counts import optimizer_of, set_update_count, spread_counts_to_devices, undo_count

_NAME = "lrcore_mxnet.LRScheduler"
_MAX_SHOWN = 200  # characters of a schedule's name in an error message


class LRScheduler(mx.lr_scheduler.LRScheduler):
    """The learning rate of update n (MXNet counts from 1) is schedule(n - 1), whatever was asked before.

    MXNet takes any function for its `lr_scheduler`: a schedule that is given without this would run one update ahead.

    MXNet's optimizer counts the updates and the scheduler holds none, so what needs the count is given the trainer: a
    `gluon.Trainer`, a `Module` whose optimizer is initialised, a `KVStore`, or the optimizer itself. The rate is the schedule's own:
    an optimizer's `learning_rate` does not replace it, `lr_mult` of a parameter multiplies it. Adam, LAMB, RMSProp and
    others write their default `learning_rate` into every scheduler: give them `learning_rate=None`, or a warning says
    that the default is not used. Ftrl divides by the rate: begin its warmup above 0.

    To resume, `trainer.save_states(path)` saves the updates made and the scheduler too, and `trainer.load_states(path)`
    puts the saved scheduler in the place of yours: `scheduler.sync(trainer)` after it compares the two, applies
    `on_mismatch`, and makes this one the trainer's again. On other devices than those of the saved states it also has
    them count on, where MXNet counts afresh. `Module` saves no number of updates: keep `state_dict(module)` beside its
    files and call `load_state_dict(state, module)`, or pass `begin_num_update=state["step"]` to the optimizer.

    A distributed store that makes the updates counts them on its servers: what needs the count is refused there, but for a
    state that is loaded before the first update; `update_on_kvstore=False` has the workers count.

    An error in a Python function leaves the weights and the counts as they were. Where a store makes the updates, which
    is what MXNet chooses for several devices, MXNet prints the error and leaves the update out: a function that may fail
    needs a trainer with `update_on_kvstore=False`.

    Args:
        schedule: a schedule, a `lrcore.Plateau`, or a Python function of the step. A function that cannot be pickled, a
            lambda, is not in the file of `save_states`: `load_states` takes it from a scheduler that follows the same. A
            warning says so if its values have changed since.
            A plateau that is told no metric in 10,000 updates is warned of once.
        on_mismatch: what to do with a state whose schedule differs: "error", "keep_checkpoint", "use_config", or
            "same_past", which goes on with this one if every update already made had its rate.
        first: what the optimizer asks for at the first update: 1, but 0 for LBSGD. AdaDelta has no learning rate and
            never asks.

    Attributes:
        schedule: the schedule or plateau that gives the rates.
        plateau_state: the state of a plateau; None for a schedule.

    Raises:
        lrcore.ScheduleError: a wrong argument; when asked, a Python function that gives no finite number.

    Example:
        >>> import mxnet as mx, lrcore, lrcore_mxnet
        >>> schedule = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=15).warmup(5)
        >>> weight = mx.gluon.Parameter("weight", shape=1, init="zeros")
        >>> weight.initialize()
        >>> scheduler = lrcore_mxnet.LRScheduler(schedule)
        >>> trainer = mx.gluon.Trainer([weight], "sgd", {"lr_scheduler": scheduler})
        >>> for _ in range(7):
        ...     with mx.autograd.record():
        ...         loss = weight.data().sum()
        ...     loss.backward()
        ...     trainer.step(batch_size=1)
        >>> trainer.learning_rate == schedule(6)  # what the seventh update used
        True
    """

    _report_due: float = inf  # the step at which to warn that the plateau was told no metric

    def __init__(
        self,
        schedule: lrcore.Schedule | lrcore.Plateau | Callable[[int], float],
        *,
        on_mismatch: adapting.Policy = "error",
        first: int = 1,
    ) -> None:
        # MXNet's `__init__` is not called: it only stores the options of MXNet's own warmup.
        adapting.check_policy(on_mismatch, _NAME)  # an error now, not when a checkpoint is loaded
        if isinstance(schedule, mx.lr_scheduler.LRScheduler):
            raise lrcore.ScheduleError(
                _NAME,
                f"expected a schedule or a function of the step; got a {type(schedule).__name__}, which counts from 1; "
                "pass from_native(scheduler)",
            )
        if first not in (0, 1):
            raise lrcore.ScheduleError(f"{_NAME}.first", f"expected 0 or 1; got {first!r}")
        self.on_mismatch: adapting.Policy = on_mismatch
        self.first = int(first)
        self._follow(schedule if isinstance(schedule, lrcore.Plateau) else adapting.as_schedule(schedule))
        self._report_due = inf if self.plateau_state is None else _NOT_CALLED
        # False from when `load_states` unpickles a scheduler that may replace this one, until a trainer asks this one.
        self._in_use = True
        self._saved_schedule: str | None = None
        _live_schedulers.add(self)

    def __call__(self, num_update: int) -> float:
        """The learning rate of update `num_update`; asking changes nothing."""
        try:
            step = index(num_update) - self.first
        except TypeError:
            raise lrcore.ScheduleError(_NAME, f"expected an integer num_update; got {num_update!r}") from None
        self._in_use = True
        try:
            if step >= self._report_due:
                self._warn_if_no_report(step)
            return self._at(step if step > 0 else 0)
        except Exception:
            if self.first:
                undo_count(sys._getframe(1))  # noqa: SLF001 - the optimizer is reached by the caller's frame alone
            raise

    @property
    def base_lr(self) -> float:
        """The schedule's first value; MXNet's optimizers write here, which does not change it."""
        return self._at(0)

    @base_lr.setter
    def base_lr(self, learning_rate: float) -> None:
        if learning_rate != self.base_lr:
            warnings.warn(
                f"{_NAME}: the schedule alone gives the rate; the optimizer's learning_rate {learning_rate!r} is not "
                "used, whatever MXNet prints; pass learning_rate=None to the optimizer",
                stacklevel=2,
            )

    def report(self, metric: Any) -> None:
        """Tell a plateau the metric: the rates of the updates that follow are multiplied by its scale.

        Args:
            metric: a number or an NDArray of one element, as MXNet's losses are.

        Raises:
            lrcore.ScheduleError: a schedule is followed, not a plateau; or the metric is not one number.
        """
        if not isinstance(self.schedule, lrcore.Plateau):
            raise lrcore.ScheduleError(
                f"{_NAME}.report", f"expected a lrcore.Plateau, which alone uses metrics; got {self.schedule!r}"
            )
        assert self.plateau_state is not None
        if not self._in_use:
            warnings.warn(
                f"{_NAME}.report: states were loaded, and no trainer has asked this scheduler since: the trainer may follow "
                "the saved one instead; call sync(trainer) after load_states",
                stacklevel=2,
            )
        if type(metric) is mx.nd.NDArray and metric.size == 1:
            metric = metric.asscalar()  # NDArray has no `__float__`
        self._follow(self.schedule, self.schedule.update(self.plateau_state, metric))
        self._report_due = inf

    def state_dict(self, trainer: Any) -> dict[str, int | str]:
        """The state after the updates that a trainer has made: four plain keys, the same in every adapter.

        Args:
            trainer: what follows this scheduler: a `gluon.Trainer`, `Module`, `KVStore` or optimizer.

        Raises:
            lrcore.ScheduleError: `trainer` is none of these, or follows another scheduler.
        """
        optimizer = optimizer_of(trainer, _NAME)
        if optimizer.lr_scheduler is not self:
            raise lrcore.ScheduleError(
                f"{_NAME}.state_dict",
                f"expected a trainer that follows this scheduler; got one with {optimizer.lr_scheduler!r}; call sync(trainer)",
            )
        plateau = None if self.plateau_state is None else self.plateau_state.to_dict()
        state = lrcore.save_state(optimizer.num_update, self.schedule, plateau)
        return state if self._saved_schedule is None else {**state, "schedule": self._saved_schedule}

    def load_state_dict(self, state: Mapping[str, Any], trainer: Any) -> None:
        """Go on after the update at which a state was saved, in this or another framework.

        The trainer follows this scheduler from then on and counts from the state's step. Loading twice is loading once.

        Args:
            state: what `state_dict` of any adapter returned.
            trainer: as in `state_dict`.

        Raises:
            lrcore.ScheduleError: the state is not one of lrcore's, or has another schedule with which `on_mismatch` does
                not go on. Nothing has changed then.
        """
        optimizer = optimizer_of(trainer, _NAME)
        set_update_count(optimizer, self._load(state))
        self._attach_to(optimizer)

    def sync(self, trainer: Any, step: int | None = None) -> None:
        """Make a trainer follow this scheduler, and with `step` count from there: the next update uses schedule(step).

        Where the trainer follows another lrcore scheduler, one that `trainer.load_states` brought, this is a load of
        its state: `on_mismatch` decides between the two schedules.

        Args:
            trainer: as in `state_dict`.
            step: updates already made. Default: what the trainer has counted. Adam and others take the power of their
                bias correction from the same count.

        Raises:
            lrcore.ScheduleError: as `load_state_dict`; or `step` is not an integer >= 0.
        """
        optimizer = optimizer_of(trainer, _NAME)
        if step is not None:
            step = adapting.checked_step(step, f"{_NAME}.sync: step")
        found = optimizer.lr_scheduler
        if isinstance(found, LRScheduler) and found is not self:
            self._load(found.state_dict(optimizer))
        if step is None:
            spread_counts_to_devices(optimizer, trainer)
        else:
            set_update_count(optimizer, step)
        self._attach_to(optimizer)

    def __deepcopy__(self, memo: dict[int, Any]) -> LRScheduler:
        """Copy without `__setstate__`, which treats the new scheduler as one that `load_states` put in the place of this one."""
        copied = type(self)(self.schedule, on_mismatch=self.on_mismatch, first=self.first)
        copied._follow(self.schedule, self.plateau_state)  # noqa: SLF001 - its own class
        copied._report_due = self._report_due  # noqa: SLF001 - its own class
        return copied

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in ("_at", "_in_use")}
        state["_saved_schedule"] = _description(self.schedule)  # pickle stores only the name of a function
        try:
            pickle.dumps(self.schedule)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            if os.environ.get("DMLC_ROLE") == "worker":
                raise lrcore.ScheduleError(
                    _NAME,
                    "expected a function that can be pickled, since MXNet may send the scheduler to its servers; got "
                    f"{self.schedule!r} ({error}); define it at the top of a module",
                ) from None
            # Raise no error outside a worker: MXNet has already opened, and so emptied, the file of `save_states`.
            state["schedule"] = _Unsaved(self.schedule.in_full())
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        schedule = self.schedule.find() if isinstance(self.schedule, _Unsaved) else self.schedule
        self._follow(schedule, self.plateau_state)
        self._in_use = True
        self._warn_if_function_changed(state.get("_saved_schedule"))
        self._mark_replaced()
        _live_schedulers.add(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule!r})"

    def _follow(self, schedule: lrcore.Schedule | lrcore.Plateau, state: lrcore.PlateauState | None = None) -> None:
        """Set the schedule, the plateau's state (default: its initial state) and `_at`, the rate as a function of the step."""
        self._at: Callable[[int], float]
        if isinstance(schedule, lrcore.Plateau):
            state = state or schedule.initial()
            self._at = partial(schedule.value, state=state)
        else:
            self._at = schedule.at
        self.schedule = schedule
        self.plateau_state = state

    def _warn_if_no_report(self, step: int) -> None:
        """Warn once that the plateau was told no metric; at the first call, only set the step of that warning.

        A trainer may begin at any update: the steps before the first call do not count.
        """
        if self._report_due == _NOT_CALLED:
            self._report_due = adapting.report_due(step)
        else:
            self._report_due = inf
            adapting.warn_of_no_report(_NAME, "call report(metric) after each evaluation")

    def _warn_if_function_changed(self, saved: str | None) -> None:
        """Warn if the unpickled Python function gives other values than the saved description: its code has changed since.

        Args:
            saved: the description in the pickle.
        """
        self._saved_schedule = None
        if saved is None:  # a file of an earlier version has no description
            return
        try:
            lrcore.load_state({**lrcore.save_state(0, self.schedule), "schedule": saved}, self.schedule)
        except lrcore.ScheduleError as error:
            self._saved_schedule = saved
            warnings.warn(
                f"{_NAME}: the scheduler just loaded has a Python function that has changed since ({error.problem}); "
                "call sync(trainer) of the configured scheduler to apply on_mismatch",
                stacklevel=4,
            )

    def _mark_replaced(self) -> None:
        """Mark the schedulers that this unpickled one may replace, and warn if none of them has its schedule.

        `trainer.load_states` replaces the configured scheduler without a call to it: unpickling is all that can be seen.
        """
        described = _description(self.schedule)
        replaced = [scheduler for scheduler in _live_schedulers if _description(scheduler.schedule) == described]
        for scheduler in replaced:
            scheduler._in_use = False  # noqa: SLF001 - its own class
        if (
            _live_schedulers
            and not replaced
            and all(scheduler.on_mismatch != "keep_checkpoint" for scheduler in _live_schedulers)
        ):
            warnings.warn(
                f"{_NAME}: the scheduler just loaded has another schedule than the configured one and takes its place; "
                "call sync(trainer) of the configured scheduler to apply on_mismatch",
                stacklevel=3,
            )

    def _attach_to(self, optimizer: Any) -> None:
        """Make this the scheduler of an optimizer."""
        optimizer.lr_scheduler = self
        self._in_use = True

    def _load(self, state: Mapping[str, Any]) -> int:
        """Follow the schedule that `on_mismatch` chooses, the saved or the configured one, and return the step of the state."""
        loaded = lrcore.load_state(state, self.schedule, self.on_mismatch, _NAME)
        if not isinstance(loaded.schedule, lrcore.Schedule | lrcore.Plateau):
            raise lrcore.ScheduleError(_NAME, f"expected a state of one schedule; got one of {loaded.schedule!r}")
        has_plateau_state = isinstance(loaded.schedule, lrcore.Plateau) and loaded.plateau is not None
        plateau_state = lrcore.PlateauState.from_dict(loaded.plateau, _NAME) if has_plateau_state else None
        self._follow(loaded.schedule, plateau_state)
        self._report_due = inf if self.plateau_state is None else adapting.report_due(loaded.step, plateau_state)
        return loaded.step


_NOT_CALLED = 0  # `_report_due` of a plateau whose scheduler was not called yet: its first step is unknown
# Every scheduler that exists, to find the one that `load_states` replaces.
_live_schedulers: WeakSet[LRScheduler] = WeakSet()


def _description(schedule: lrcore.Schedule | lrcore.Plateau) -> str:
    """Return the description that a state has of a schedule. It describes a Python function by name and a few values."""
    return str(lrcore.save_state(0, schedule)["schedule"])


@dataclass(frozen=True)
class _Unsaved:
    """A placeholder in a pickle for a schedule whose Python function, such as a lambda, cannot be pickled."""

    name: str

    def find(self) -> lrcore.Schedule | lrcore.Plateau:
        """Return the schedule of this name that an existing scheduler follows."""
        for scheduler in _live_schedulers:
            if scheduler.schedule.in_full() == self.name:
                return scheduler.schedule
        name = self.name if len(self.name) <= _MAX_SHOWN else self.name[: _MAX_SHOWN - 3] + "..."
        raise lrcore.ScheduleError(
            _NAME,
            f"expected a scheduler in use that follows {name}, the schedule of the saved one, whose Python function cannot "
            "be pickled; got none; make it before the states are loaded, or define the function at the top of a module",
        )
