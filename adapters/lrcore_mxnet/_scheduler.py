"""The scheduler class. MXNet calls it with `num_update`, which the optimizer raises before it asks for the rate."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from math import inf
from operator import index
from types import FrameType
from typing import Any

import mxnet as mx

import lrcore
from lrcore import adapting
from lrcore_mxnet._update_counts import optimizer_of, set_update_count, spread_counts_to_devices, undo_count

_NAME = "lrcore_mxnet.LRScheduler"
_HOW_TO_REPORT = "call report(metric) after each evaluation"


class LRScheduler(mx.lr_scheduler.LRScheduler):
    """The learning rate of update n (MXNet counts from 1) is schedule(n - 1), whatever was asked before.

    MXNet takes any function for its `lr_scheduler`: a schedule that is given without this would run one update ahead.

    `trainer.save_states(path)` saves the updates made and the scheduler. `trainer.load_states(path)` goes on with this
    scheduler after those updates: `on_mismatch` decides where the file has another schedule, a scheduler of MXNet or a
    fixed rate. What has no number of updates in its file, a `Module`, needs `load_state_dict(state, module)`.

    The rate is the schedule's own. An optimizer's `learning_rate` does not replace it; `lr_mult` of a parameter multiplies
    it. Adam, LAMB, RMSProp and others have a default `learning_rate`: give them `learning_rate=None`, or a warning says that
    it is not used. AdaDelta has no learning rate; Ftrl divides by it, so begin its warmup above 0.

    If a Python function raises an error, the weights and the counts stay as they were. Where a store makes the updates
    (MXNet's choice for several devices), MXNet prints the error and leaves the update out; pass `update_on_kvstore=False`.

    Args:
        schedule: a schedule, a `lrcore.Plateau`, a Python function of the step, or the path, the text or the dict of a
            schedule file.
        on_mismatch: what to do with a state whose schedule differs: "error", "keep_checkpoint", "use_config", or
            "same_past", which goes on with this one if every update already made had its rate.
        first: what the optimizer asks for at the first update: 1, but 0 for LBSGD.

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

    # The updates whose rate is known, from the first to the one after the last, and that rate.
    _kept: tuple[int, int, float]
    # Whether a schedule without stairs is followed, whose rate is kept for one update.
    _is_curve: bool
    # The step from which a warning says that the plateau was told no metric.
    _remind_from: float = inf
    _warned_of_first = False
    _warned_of_workers = False
    _saved_schedule: str | None = None  # the description of the schedule in the file that this scheduler was read from

    def __init__(
        self,
        schedule: adapting.Source | lrcore.Plateau,
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
        self._follow(adapting.Follower.of(schedule, f"{_NAME}.schedule"))
        if self.plateau_state is not None:
            self._remind_from = _NOT_CALLED

    @property
    def schedule(self) -> Any:
        return self._follower.schedule

    @property
    def plateau_state(self) -> lrcore.PlateauState | None:
        return self._follower.plateau_state

    def __call__(self, num_update: int) -> float:
        """The learning rate of update `num_update`; asking changes nothing.

        MXNet asks once for each parameter: a rate is kept for as long as it holds.
        """
        try:
            first, end, rate = self._kept
            if first <= num_update < end:
                return rate
            if self._is_curve and type(num_update) is int and num_update >= self.first:
                rate = self._rate_of_update(num_update)
                self._kept = num_update, num_update + 1, rate
                return rate
            return self._evaluate(_as_count(num_update))
        except Exception:
            _as_count(num_update)
            if self.first:
                undo_count(sys._getframe(1))  # noqa: SLF001 - the optimizer is reached by the caller's frame alone
            raise

    @property
    def base_lr(self) -> float:
        """The schedule's first value; MXNet's optimizers write here, which does not change it."""
        return self._rate_of_update(self.first)

    @base_lr.setter
    def base_lr(self, learning_rate: float) -> None:
        if learning_rate != self.base_lr:
            adapting.warn(
                f"{_NAME}: the optimizer's learning_rate {learning_rate!r} is not used, whatever MXNet prints: the schedule "
                f"alone gives the rate, and base_lr is still {self.base_lr!r}; pass learning_rate=None to the optimizer"
            )

    def report(self, metric: Any) -> None:
        """Tell a plateau the metric: the rates of the updates that follow are multiplied by its scale.

        Args:
            metric: a number or an NDArray of one element, as MXNet's losses are. Several workers report the same number.

        Raises:
            lrcore.ScheduleError: a schedule is followed, not a plateau; or the metric is not one number.
        """
        if type(metric) is mx.nd.NDArray and metric.size == 1:
            metric = metric.asscalar()  # NDArray has no `__float__`
        if _count_workers() > 1 and not self._warned_of_workers:
            self._warned_of_workers = True
            adapting.warn(
                f"{_NAME}.report: each worker follows its own plateau, and their rates and weights drift apart if they report "
                "different numbers: report the mean over the workers, the same on each"
            )
        self._follow(self._follower.told(metric, _NAME))

    def state_dict(self, trainer: Any) -> dict[str, int | str]:
        """The state after the updates that a trainer has made: four plain keys, the same in every adapter.

        Args:
            trainer: what follows this scheduler: a `gluon.Trainer`, `Module`, `KVStore` or optimizer.

        Raises:
            lrcore.ScheduleError: `trainer` is none of these, or follows another scheduler; or its distributed store makes
                the updates and counts them on its servers.
        """
        optimizer = optimizer_of(trainer, _NAME)
        if optimizer.lr_scheduler is not self:
            raise lrcore.ScheduleError(
                f"{_NAME}.state_dict",
                f"expected a trainer that follows this scheduler; got one with {optimizer.lr_scheduler!r}; call sync(trainer)",
            )
        return self._follower.state(optimizer.num_update)

    def load_state_dict(self, state: Mapping[str, Any], trainer: Any) -> None:
        """Go on after the update at which a state was saved, in this or another framework.

        The trainer follows this scheduler from then on and counts from the state's step. Loading twice is loading once.

        Adam, Nadam and FTML take their bias correction from the same count. Without the moments of the run, which a move from
        another framework leaves behind, the correction is missing: Adam's first updates move the weights 3 to 5 times as
        far. To move without moments, leave the count at 0 and train with `LRScheduler(lrcore.Shift(schedule, step))`.

        Args:
            state: what `state_dict` of any adapter returned.
            trainer: as in `state_dict`.

        Raises:
            lrcore.ScheduleError: the state is not one of lrcore's, or has another schedule with which `on_mismatch` does
                not go on. Nothing has changed then.
        """
        optimizer = optimizer_of(trainer, _NAME)
        set_update_count(optimizer, self._go_on(state))
        optimizer.lr_scheduler = self

    def sync(self, trainer: Any, step: int | None = None) -> None:
        """Make a trainer follow this scheduler, and with `step` count from there: the next update uses schedule(step).

        Where the trainer follows another lrcore scheduler, this is a load of its state: `on_mismatch` decides between the
        two schedules.

        Args:
            trainer: as in `state_dict`.
            step: updates already made; see `load_state_dict` for Adam. Default: what the trainer has counted.

        Raises:
            lrcore.ScheduleError: as `load_state_dict`; or `step` is not an integer >= 0.
        """
        optimizer = optimizer_of(trainer, _NAME)
        if step is not None:
            step = adapting.checked_step(step, f"{_NAME}.sync: step")
        found = optimizer.lr_scheduler
        if isinstance(found, LRScheduler) and found is not self:
            self._go_on(found._saved_state(optimizer.num_update))  # noqa: SLF001 - its own class
        if step is None:
            spread_counts_to_devices(optimizer, optimizer.param_dict)
        else:
            set_update_count(optimizer, step)
        optimizer.lr_scheduler = self

    def _go_on(self, state: Mapping[str, Any]) -> int:
        """Follow the schedule that `on_mismatch` chooses, the saved or the configured one, and return the step of the state."""
        if isinstance(self.schedule, _Unsaved):
            raise self.schedule.error()
        follower, step = self._follower.loaded(state, self.on_mismatch, _NAME)
        self._follow(follower)
        self._saved_schedule = None
        return step

    def _saved_state(self, step: int) -> dict[str, int | str]:
        """Return the state; of a scheduler that was read from a file, with the description of the schedule in that file.

        Pickle stores a Python function by its name: its code may have changed since.
        """
        if self._saved_schedule is None:
            return self._follower.state(step)
        plateau = None if self.plateau_state is None else self.plateau_state.to_dict()
        return {**lrcore.save_state(step, _NO_SCHEDULE, plateau), "schedule": self._saved_schedule}

    def __deepcopy__(self, memo: dict[int, Any]) -> LRScheduler:
        """Copy what may change; a Python function, which cannot always be pickled, is shared."""
        return copy(self)

    def __copy__(self) -> LRScheduler:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __reduce_ex__(self, protocol: Any) -> Any:
        if protocol == _PROTOCOL_FOR_SERVERS and self.plateau_state is not None and _is_worker():
            raise lrcore.ScheduleError(
                _NAME,
                "expected a schedule, since the store makes the updates on its servers, which a metric does not reach; got "
                f"{self.schedule!r}; pass update_on_kvstore=False to the trainer",
            )
        return super().__reduce_ex__(protocol)

    def __getstate__(self) -> dict[str, Any]:
        state = {name: value for name, value in vars(self).items() if name not in _NOT_PICKLED}
        state |= {"schedule": self.schedule, "plateau_state": self.plateau_state}
        state["_saved_schedule"] = self._saved_state(0)["schedule"]
        try:
            pickle.dumps(self.schedule)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            if _is_worker():
                raise lrcore.ScheduleError(
                    _NAME,
                    "expected a function that can be pickled, since MXNet may send the scheduler to its servers; got "
                    f"{self.schedule!r} ({error}); define it at the top of a module",
                ) from None
            # Raise no error outside a worker: MXNet has already opened, and so emptied, the file of `save_states`.
            state["schedule"] = _Unsaved(repr(self.schedule))
        return state

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        own = dict(state)
        schedule, plateau_state = own.pop("schedule"), own.pop("plateau_state")
        self.__dict__.update(own)
        self._follow(adapting.Follower(schedule, plateau_state, self._remind_from))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.schedule!r})"

    def _follow(self, follower: adapting.Follower) -> None:
        """Take the rates from a follower."""
        schedule = follower.schedule
        self._is_curve = isinstance(schedule, lrcore.Schedule) and not schedule.has_stairs
        self._rate_of_update = _function_of_update(follower, self.first)
        self._kept = _NOTHING
        self._follower = follower
        self._remind_from = follower.report_due

    def _evaluate(self, num_update: int) -> float:
        """Evaluate the rate of any update, of a staircase or a plateau too."""
        if num_update - self.first >= self._remind_from:
            self._remind(num_update - self.first)
        if num_update < self.first:
            self._warn_if_an_update_is_not_counted(sys._getframe(2))  # noqa: SLF001 - the caller of `__call__`
            num_update = self.first
        rate, step = self._rate_of_update(num_update), num_update - self.first
        holds = self.schedule.stair(step) if _has_stairs(self.schedule) else range(step, step + 1)
        self._kept = holds.start + self.first, min(holds.stop + self.first, num_update + _LONGEST_KEPT), rate
        return rate

    def _warn_if_an_update_is_not_counted(self, caller: FrameType) -> None:
        """Warn once, if an optimizer asks for the rate of an update before it counts that update."""
        if caller.f_code.co_name == "_get_lrs" and not self._warned_of_first:
            self._warned_of_first = True
            adapting.warn(
                f"{_NAME}: {type(caller.f_locals['self']).__name__} asks for the rate before it counts the update, so every "
                "update would have the rate of the one before; pass first=0"
            )

    def _remind(self, step: int) -> None:
        """Warn once that the plateau was told no metric; at the first call, only set the step of that warning.

        A trainer may begin at any update: the steps before the first call do not count.
        """
        if self._remind_from == _NOT_CALLED:
            self._follow(self._follower.counting_from(step))
        else:
            self._follow(self._follower.remind(step, _NAME, _HOW_TO_REPORT))


_NOT_CALLED = 0  # `_remind_from` of a plateau whose scheduler was not called yet: its first step is unknown
_NOT_PICKLED = {"_rate_of_update", "_is_curve", "_kept", "_follower"}
_NOTHING = (0, 0, 0.0)  # `_kept` before a rate is known: an empty interval
_LONGEST_KEPT = 2**20  # updates; Python compares small integers faster
_NO_SCHEDULE = lrcore.Constant(0.0)
_PROTOCOL_FOR_SERVERS = (
    0  # of pickle: a store sends the optimizer to its servers with it, `save_states` takes the default
)


def _as_count(num_update: Any) -> int:
    """Return an integer of Python or numpy as an int, and refuse anything else."""
    try:
        return index(num_update)
    except TypeError:
        raise lrcore.ScheduleError(_NAME, f"expected an integer num_update; got {num_update!r}") from None


def _has_stairs(schedule: Any) -> bool:
    return isinstance(schedule, lrcore.Schedule) and schedule.has_stairs


def _function_of_update(follower: adapting.Follower, first: int) -> Callable[[int], float]:
    """Return the rate as a function of num_update."""
    schedule = follower.schedule
    if isinstance(schedule, lrcore.Schedule):
        return schedule.at_counting_from(first)
    at = schedule.at if isinstance(schedule, _Unsaved) else follower.at
    return lambda number: at(number - first)


def _is_worker() -> bool:
    """Whether this process is one of several workers, which send their gradients to servers."""
    return os.environ.get("DMLC_ROLE") == "worker"


def _count_workers() -> int:
    """Return the number of processes that train together, by a distributed store or by Horovod."""
    if _is_worker():
        return int(os.environ.get("DMLC_NUM_WORKER", "1"))
    horovod: Any = sys.modules.get("horovod.mxnet")
    with suppress(ValueError):  # Horovod's before `init`
        return 1 if horovod is None else int(horovod.size())
    return 1


@dataclass(frozen=True)
class _Unsaved:
    """A placeholder in a pickle for a schedule whose Python function, such as a lambda, cannot be pickled."""

    name: str

    def __repr__(self) -> str:
        return self.name

    def at(self, step: int) -> float:
        raise self.error()

    def error(self) -> lrcore.ScheduleError:
        return lrcore.ScheduleError(
            _NAME,
            f"expected a function that can be pickled; got {self.name}, of which the file has the name only; load the states "
            "into a trainer whose scheduler follows it, or define the function at the top of a module",
        )
