"""The torch scheduler: the rate of every parameter group is a value of the schedule, written outright at every step."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex

import torch
from torch import optim

import lrcore
from lrcore_torch import _composites, _groups
from lrcore_torch._groups import Group, Schedules, Source, Target

WHERE = "lrcore_torch.LRScheduler"


class LRScheduler(optim.lr_scheduler.LRScheduler):
    """Sets the learning rate of each parameter group to `schedule(step) * group.get("lr_scale", 1)`.

    The step is the number of updates made; `last_epoch`, torch's word for it, is all that is held. Nothing is computed
    from the rate in the optimizer, so a resumed run cannot differ from one that never stopped. Call `step()` after every
    `optimizer.step()`, or `attach()` once. A rate that is a tensor stays that tensor and is filled in place, as
    `torch.compile` and CUDA graphs need; any other becomes a Python float.

    Args:
        optimizer: the optimizer to drive.
        schedule: a lrcore schedule, a Python function of the step, or a list with one for each parameter group; or a
            `lrcore.Plateau`, to which `report` gives a metric.
        relative: multiply each group's `initial_lr`, the rate that it was made with, by the schedule.
        also: schedules of other keys of the groups, {"weight_decay": schedule}. A number is constant, a list has one for
            each group, a tuple one for each place of a tuple: {"betas": (schedule, 0.999)}. `momentum` is the first
            beta of an optimizer that has betas instead.
        on_mismatch: what `load_state_dict` does when the saved schedule is not this one: "error", "keep_checkpoint" or
            "use_config".
        last_epoch: one less than the step to start at, as in torch.

    Raises:
        lrcore.ScheduleError: a schedule that cannot be used, or not one for each group. A schedule that fails during
            the run leaves the step, the optimizer and the state as they were.

    Source: the conventions of `torch.optim.lr_scheduler.LambdaLR`.

    Example:
        >>> import lrcore, lrcore_torch, torch
        >>> weight = torch.zeros(1, requires_grad=True)
        >>> optimizer = torch.optim.SGD([weight])
        >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
        >>> scheduler = lrcore_torch.LRScheduler(optimizer, schedule)
        >>> for update in range(3):
        ...     weight.grad = torch.ones(1)
        ...     _ = optimizer.step()
        ...     scheduler.step()
        >>> weight.item(), scheduler.get_last_lr()
        (-1.125, [0.125])
    """

    last_epoch: int
    schedule: Schedules
    plateau: lrcore.Plateau | None
    also: dict[str, Any]
    _targets: list[Target]
    _metric_state: lrcore.PlateauState | None
    _step_count: int

    def __init__(
        self,
        optimizer: optim.Optimizer,
        schedule: Source | Sequence[Source] | lrcore.Plateau,
        *,
        relative: bool = False,
        also: Mapping[str, Any] | None = None,
        on_mismatch: lrcore.Policy = "error",
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, optim.Optimizer):
            raise TypeError(f"{WHERE}: expected a torch.optim.Optimizer; got {type(optimizer).__name__}")
        lrcore.check_policy(on_mismatch, WHERE)
        self.optimizer = optimizer
        self.relative = relative
        self.on_mismatch: lrcore.Policy = on_mismatch
        self._configure(schedule, also or {})
        self._hook: Any = None
        self._load_hook: Any = None
        self._last_lr: list[Any] = []
        self._written = _groups.Written([])
        self._alike: float | None = None  # the float that all groups hold, where a step has nothing else to do
        self._may_warn_of_writer = True
        self._computed(max(last_epoch + 1, 0))  # refuses what cannot be evaluated before the optimizer is changed
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", float(group["lr"]))  # what torch asks for where it does not start at 0
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: Any = None, *, metrics: Any = None) -> None:
        """Go on to the next update: call it after every `optimizer.step()`.

        Args:
            epoch: the step to go to instead (deprecated in torch); `sync` does this without torch's warning. With a
                plateau it is the metric, as torch's ReduceLROnPlateau takes it and trainers pass it.
            metrics: a metric to `report` with this step.

        Raises:
            lrcore.ScheduleError: the schedule failed; nothing has changed.
            RuntimeError: `attach` already does this.
        """
        last = self._alike
        if last is not None and epoch is None and metrics is None:
            # The common case, written out for its speed: all groups hold the one float that was written last.
            groups = self.optimizer.param_groups
            for group in groups:
                if group["lr"] is not last or "lr_scale" in group:
                    break
            else:
                step = self.last_epoch + 1
                self._alike = rate = self.schedule.at(step)  # type: ignore[union-attr]
                for group in groups:
                    group["lr"] = rate
                self.last_epoch = step
                self._step_count += 1
                self._last_lr = [rate] * len(groups)
                return
        if self._hook is not None:
            raise RuntimeError(f"{WHERE}.step: expected no call, since attach() makes it after every update; got one")
        if self.plateau is not None and metrics is None:
            epoch, metrics = None, epoch
        self._advance(epoch, metrics)

    def report(self, metric: Any) -> None:
        """Tell the plateau a metric; the rates of the updates to come follow it at once.

        Args:
            metric: a number or a tensor of one element.

        Raises:
            lrcore.ScheduleError: it is not one, or the schedule is no `lrcore.Plateau`.
        """
        self._write(self.last_epoch, self._computed(self.last_epoch, self._reported(metric)))

    def get_lr(self) -> list[Any]:
        """The rate of each group at `last_epoch`, as Python floats; reading changes nothing."""
        return self._computed(self.last_epoch).rates

    _get_closed_form_lr = get_lr

    def sync(self, step: SupportsIndex | None = None) -> None:
        """Write the rates of the current step, or of the one given, into the optimizer at once.

        Args:
            step: updates already made, where something else counts them: a trainer's global step.

        Raises:
            lrcore.ScheduleError: `step` is not an integer >= 0.
        """
        number = self.last_epoch if step is None else lrcore.checked_step(step)
        self._write(number, self._computed(number))

    def attach(self) -> LRScheduler:
        """Step after every update that the optimizer makes, from its own hook, and return the scheduler.

        What GradScaler skips is no update, and micro-batches are none. The hook is lost where the optimizer is copied
        or unpickled: attach the copy again.

        Example:
            >>> import lrcore, lrcore_torch, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
            >>> scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Constant(0.1)).attach()
            >>> optimizer.step()
            >>> scheduler.last_epoch
            1
        """
        if self._hook is None:
            self._hook = self.optimizer.register_step_post_hook(self._after_update)
            self._alike = None  # which would leave `_written` behind
            self._written = _groups.Written(self.optimizer.param_groups)
        return self

    def detach(self) -> None:
        """Undo `attach`."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def state_dict(self) -> dict[str, Any]:
        """The state of the run: `lrcore.save_state`, the same in every framework."""
        step = max(self.last_epoch, 0)  # torch holds one that has not begun, in a SequentialLR, at -1
        plateau = self._metric_state.to_dict() if self._metric_state else None
        return lrcore.save_state(step, self._description(), plateau)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over a saved state and write its rates into the optimizer, whichever of the two was loaded first.

        Inside a SequentialLR the one whose turn it is writes. Inside a ChainedScheduler, where others have a say in the
        rate, none does: there, load the optimizer's state too.

        Raises:
            lrcore.ScheduleError: the state is not one of lrcore's, or its schedule differs and the policy is "error";
                nothing has changed.
        """
        where = f"{WHERE}.load_state_dict"
        loaded = lrcore.load_state(state_dict, self._description(), self.on_mismatch, where)
        before = self.__dict__.copy()
        try:
            self._adopt(loaded, where)
            values = self._computed(loaded.step)
        except Exception:
            self.__dict__.update(before)
            raise
        self.last_epoch, self._step_count = loaded.step, loaded.step + 1
        if _composites.has_its_turn(self):
            self._write(loaded.step, values)
        if _composites.is_alone(self):
            self._follow_the_optimizer()

    def __getstate__(self) -> dict[str, Any]:
        """All but the hooks, which a copied optimizer has not."""
        return {**self.__dict__, "_hook": None, "_load_hook": None}

    def _update_lr(self, epoch: int | None = None) -> None:
        """What torch's own `step`, and SequentialLR at a milestone, call."""
        step = self.last_epoch + 1 if epoch is None else epoch
        self._write(step, self._computed(step))

    @torch.compiler.disable  # what is traced here would be traced again for every value of the schedule
    def _advance(self, epoch: int | None = None, metrics: Any = None) -> None:
        step = self.last_epoch + 1 if epoch is None else lrcore.checked_step(epoch)
        usual = epoch is None and metrics is None and self._step_count > 1
        untouched = self._written.untouched(self.optimizer.param_groups)
        if usual and untouched and self._fills_alike():
            rate = self.schedule.at(step)  # type: ignore[union-attr]
            self._written.fill(rate)
            self.last_epoch = step
            self._step_count += 1
            self._last_lr = [rate] * len(self._last_lr)
            return
        values = self._computed(step, self._metric_state if metrics is None else self._reported(metrics))
        if self._step_count and not untouched:
            self._warn_of_writer(values.rates)
        if epoch is None and self._step_count > 1:
            self._step_count += 1
        else:
            super().step(epoch)  # for its warnings about the order of calls and about `epoch`
        self._write(step, values)

    def _fills_alike(self) -> bool:
        """Whether a step writes one value, and nothing else, into tensors that are alike."""
        if not (self._is_simple and self._written.alike):
            return False
        return not any("lr_scale" in group for group in self.optimizer.param_groups)

    def _after_update(self, optimizer: optim.Optimizer, args: Any, kwargs: dict[str, Any]) -> None:
        if not self._written.rehearsed(optimizer.param_groups, kwargs):
            self._advance()

    def _follow_the_optimizer(self) -> None:
        """Write again whenever the optimizer's own state is loaded later and brings the rate of its time along."""
        if self._load_hook is None:
            scheduler = weakref.ref(self)

            def write_again(_: optim.Optimizer) -> None:
                alive = scheduler()
                if alive is not None:
                    alive.sync()

            self._load_hook = self.optimizer.register_load_state_dict_post_hook(write_again)

    def _reported(self, metric: Any) -> lrcore.PlateauState:
        if self.plateau is None or self._metric_state is None:
            raise lrcore.ScheduleError(f"{WHERE}.report", f"expected a lrcore.Plateau to tell; got {self.schedule!r}")
        return self.plateau.update(self._metric_state, metric)

    def _computed(self, step: int, metric_state: lrcore.PlateauState | None = None) -> _Values:
        """All values of a step; nothing is written before all are known to be good."""
        groups = self.optimizer.param_groups
        state = metric_state or self._metric_state
        rates = _groups.evaluate(self.schedule, step, len(groups), f"{WHERE}.schedule")
        if state is not None:
            rates = [rate * state.scale for rate in rates]
        if self.relative:
            rates = [rate * _initial_rate(group) for rate, group in zip(rates, groups, strict=True)]
        for number, group in enumerate(groups):
            if "lr_scale" in group:
                rates[number] *= group["lr_scale"]
        if not all(map(math.isfinite, rates)):
            raise lrcore.ScheduleError(f"{WHERE}: step {step}", f"expected finite rates; got {rates}")
        return _Values(rates, [target.values(step, len(groups)) for target in self._targets], state)

    def _write(self, step: int, values: _Values) -> None:
        groups, rates = self.optimizer.param_groups, values.rates
        if len(self._last_lr) != len(groups):
            _groups.separate_rates(self.optimizer)
        for group, rate in zip(groups, rates, strict=True):
            _groups.write(group, "lr", rate)
        for target, numbers in zip(self._targets, values.others, strict=True):
            for group, number in zip(groups, numbers, strict=True):
                target.write(group, number)
        self.last_epoch = step
        self._metric_state = values.metric_state
        self._last_lr = rates
        self._written = _groups.Written(groups)
        usual = self._is_simple and self._hook is None and self._step_count > 1
        self._alike = rates[0] if usual and all(rate is rates[0] for rate in self._written.held) else None

    def _warn_of_writer(self, rates: Sequence[float]) -> None:
        if not self._may_warn_of_writer or not _composites.is_alone(self):
            return
        groups = self.optimizer.param_groups
        for number, (group, last, rate) in enumerate(zip(groups, self._last_lr, rates, strict=False)):
            if not _groups.holds(group["lr"], last):
                self._may_warn_of_writer = False
                warnings.warn(
                    f"{WHERE}: expected the rate {last} that was written into group {number}; got {float(group['lr'])}, "
                    f"written by something else; the schedule rules and sets {rate} (set a group's lr_scale to scale it)",
                    stacklevel=5,
                )
                return

    def _configure(self, schedule: Any, also: Mapping[str, Any]) -> None:
        self.plateau = schedule if isinstance(schedule, lrcore.Plateau) else None
        followed: Any = self.plateau.schedule if self.plateau else schedule
        self.schedule = _groups.as_schedules(followed, f"{WHERE}.schedule")
        self._metric_state = self.plateau.initial() if self.plateau else None
        self.also = _groups.also_schedules(also, self.optimizer.param_groups[0], WHERE)
        self._targets = _groups.targets(self.also, self.optimizer.param_groups[0])
        one = isinstance(self.schedule, lrcore.Schedule) and self.plateau is None
        self._is_simple = one and not self.relative and not self._targets

    def _adopt(self, loaded: lrcore.LoadedState, where: str) -> None:
        """Go on with what `_description` described."""
        described = loaded.schedule
        also = dict(described) if isinstance(described, Mapping) else {"lr": described}
        if "lr" not in also:
            raise lrcore.ScheduleError(where, f"expected a saved schedule of lr; got {', '.join(also)}")
        self._configure(also.pop("lr"), also)
        if self.plateau is not None and loaded.plateau is not None:
            self._metric_state = lrcore.PlateauState.from_dict(loaded.plateau, where)

    def _description(self) -> Any:
        schedule = self.plateau or self.schedule
        return {"lr": schedule, **self.also} if self.also else schedule


class _Values(NamedTuple):
    """What one step writes."""

    rates: list[float]
    others: list[list[float]]
    metric_state: lrcore.PlateauState | None


def _initial_rate(group: Group) -> float:
    """The rate that a group was made with; a group that is new to the scheduler still has it."""
    if "initial_lr" not in group:
        group["initial_lr"] = float(group["lr"])
    return float(group["initial_lr"])
