"""The torch scheduler: the rate of every parameter group is a value of the schedule, written outright at every step."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any, SupportsIndex

import torch
from torch import optim

import lrcore
from lrcore import adapting
from lrcore_torch import _composites, _following, _groups, _written
from lrcore_torch._groups import Schedules, Source, Target
from lrcore_torch._pace import Pace

WHERE = "lrcore_torch.LRScheduler"
_OF_RATES = f"{WHERE}.schedule"


class LRScheduler(optim.lr_scheduler.LRScheduler):
    """Sets the learning rate of each parameter group to `schedule(step) * group.get("lr_scale", 1)`.

    The step is the number of updates made; `last_epoch`, torch's word for it, is all that is held. Nothing is computed
    from the rate in the optimizer, so a resumed run cannot differ from one that never stopped. Call `step()` after every
    `optimizer.step()`, or `attach()` once. A rate that is a tensor stays that tensor and is filled in place, as
    `torch.compile` and CUDA graphs need; any other becomes a Python float. A group that is added is scheduled from the
    next update, and a state that the optimizer loads does not bring its rate along.

    Where something else writes a rate, or steps several times for each update, one warning says so; and where a plateau has
    been told no metric in 10,000 updates.

    Args:
        optimizer: the optimizer to drive.
        schedule: a lrcore schedule, a Python function of the step, or a list with one for each parameter group; or a
            `lrcore.Plateau`, to which `report` gives a metric.
        relative: multiply each group's `initial_lr`, the rate that it was made with, by the schedule.
        also: schedules of other keys of the groups, {"weight_decay": schedule}. A number is constant, a list has one for
            each group, a tuple one for each place of a tuple: {"betas": (schedule, 0.999)}. `momentum` is the first
            beta of an optimizer that has betas instead.
        on_mismatch: what `load_state_dict` does when the saved schedule is not this one: "error", "keep_checkpoint",
            "use_config", or "same_past", which goes on with this one if every update already made had its rate.
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
    _report_due: float = inf  # the step at which a plateau that was told no metric is warned of
    _step_count: int

    def __init__(
        self,
        optimizer: optim.Optimizer,
        schedule: Source | Sequence[Source] | lrcore.Plateau,
        *,
        relative: bool = False,
        also: Mapping[str, Any] | None = None,
        on_mismatch: adapting.Policy = "error",
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, optim.Optimizer):
            raise TypeError(f"{WHERE}: expected a torch.optim.Optimizer; got {type(optimizer).__name__}")
        adapting.check_policy(on_mismatch, WHERE)
        first = 0 if last_epoch == -1 else adapting.checked_step(last_epoch, f"{WHERE}.last_epoch") + 1
        self.optimizer = optimizer
        self.on_mismatch: adapting.Policy = on_mismatch
        self._configure(schedule, also or {}, relative=relative)
        self._hook: Any = None
        self._follows = False
        self._last_lr: list[Any] = []
        self._used_lr: list[float] = []
        self._holders = _written.Holders([])
        self._pace: Pace | None = None
        self._steady = False  # whether all that a step does is to write one float into all groups
        self._may_warn_of_writer = True
        self._report_due = adapting.report_due(first) if self.plateau else inf
        self._rates(first, self._metric_state)  # what cannot be evaluated is refused before the optimizer is changed
        self._others(first)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", float(group["lr"]))  # what torch asks for where it does not start at 0
        super().__init__(optimizer, first - 1)
        self._pace = Pace(optimizer)
        _following.call_after_adding(optimizer, self._group_added)

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
        if self._steady and epoch is None and metrics is None:
            # The common case, written out for its speed: all groups hold the one float that was written last.
            groups, last = self.optimizer.param_groups, self._last_lr
            held = last[0]
            for group in groups:
                if group["lr"] is not held or "lr_scale" in group:
                    break
            else:
                step = self.last_epoch + 1
                rate = self.schedule.at(step)  # type: ignore[union-attr]
                for group in groups:
                    group["lr"] = rate
                self.last_epoch = step
                self._step_count += 1
                self._used_lr = last
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
        self._go_to(self.last_epoch, self._reported(metric))

    def get_lr(self) -> list[Any]:
        """The rate of each group at `last_epoch`, as Python floats; reading changes nothing."""
        return self._rates(self.last_epoch, self._metric_state)

    _get_closed_form_lr = get_lr

    def get_last_lr(self) -> list[Any]:
        """The rate of each group that was written last: the one of the next update."""
        return list(self._last_lr)

    def get_used_lr(self) -> list[float]:
        """The rate of each group in the update before the last step: what a log of that update should show.

        Where no step has been made since the start, or since a state was loaded, those of the update to come.

        Example:
            >>> import lrcore, lrcore_torch, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
            >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
            >>> scheduler = lrcore_torch.LRScheduler(optimizer, schedule).attach()
            >>> optimizer.step()
            >>> scheduler.get_used_lr(), scheduler.get_last_lr()
            ([0.5], [0.375])
        """
        return list(self._used_lr or self._last_lr)

    def sync(self, step: SupportsIndex | None = None) -> None:
        """Write the rates of the current step, or of the one given, into the optimizer at once.

        Args:
            step: updates already made, where something else counts them: a trainer's global step.

        Raises:
            lrcore.ScheduleError: `step` is not an integer >= 0.
        """
        number = self.last_epoch if step is None else adapting.checked_step(step)
        self._go_to(number, self._metric_state)
        self._pace = None
        self._begin_at(number)

    def attach(self) -> LRScheduler:
        """Step after every update that the optimizer makes, from its own hook, and return the scheduler.

        What GradScaler skips is no update, and micro-batches are none. The hook is lost where the optimizer is copied
        or unpickled: attach the copy again.

        Raises:
            TypeError: the optimizer is a wrapper around something that has no hooks.

        Example:
            >>> import lrcore, lrcore_torch, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
            >>> scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Constant(0.1)).attach()
            >>> optimizer.step()
            >>> scheduler.last_epoch
            1
        """
        if self._hook is None:
            hooked = _following.hooked(self.optimizer)
            if hooked is None:
                name = type(self.optimizer).__name__
                raise TypeError(f"{WHERE}.attach: expected an optimizer with torch's hooks; got {name}; call step()")
            self._hook = hooked.register_step_post_hook(self._after_update)
            self._steady = False
            self._pace = None
            self._follow_the_optimizer()
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
            lrcore.ScheduleError: the state is not one of lrcore's, or its schedule differs and the policy does not go on;
                nothing has changed.
        """
        where = f"{WHERE}.load_state_dict"
        loaded = lrcore.load_state(state_dict, self._description(), self.on_mismatch, where)
        before = self.__dict__.copy()
        try:
            self._adopt(loaded, where)
            rates, others = self._rates(loaded.step, self._metric_state), self._others(loaded.step)
        except Exception:
            self.__dict__.update(before)
            raise
        self.last_epoch, self._used_lr = loaded.step, []
        self._begin_at(loaded.step)
        if _composites.has_its_turn(self):
            self._look()
            self._set(loaded.step, rates, others, self._metric_state)
        if _composites.is_alone(self):
            self._follow_the_optimizer()

    def __getstate__(self) -> dict[str, Any]:
        """All but the hook, which a copied optimizer has not."""
        return {**self.__dict__, "_hook": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A copy, whose rates are other objects, and in whose optimizer torch's check of the first step finds nothing."""
        self.__dict__.update(state)
        self._look()
        if not self._holders.tensors:
            pairs = zip(self.optimizer.param_groups, self._last_lr, strict=False)
            self._last_lr = [group["lr"] if group["lr"] == last else last for group, last in pairs]
        self._begin_at(1)
        _following.call_after_adding(self.optimizer, self._group_added)
        if self._follows:
            _following.call_after_loading(self.optimizer, self._rewrite)

    def _update_lr(self, epoch: int | None = None) -> None:
        """What torch's own `step`, and SequentialLR at a milestone, call."""
        self._go_to(self.last_epoch + 1 if epoch is None else epoch, self._metric_state)

    def _advance(self, epoch: int | None = None, metrics: Any = None) -> None:
        if torch.compiler.is_compiling():  # what is traced would be traced again for every value of the schedule
            self._advance_untraced(epoch, metrics)
            return
        step = self.last_epoch + 1 if epoch is None else adapting.checked_step(epoch)
        state = self._metric_state if metrics is None else self._reported(metrics)
        rates = self._rates(step, state)
        others = self._others(step) if self._targets else []
        untouched = self._holders.untouched(self.optimizer.param_groups, self._last_lr)
        if self._step_count:
            if not untouched:
                self._warn_of_writer(rates)
            if self._pace is not None:
                self._check_pace(self._pace)
            if not self._follows and _composites.is_alone(self):
                self._follow_the_optimizer()
        if epoch is None and self._step_count > 1:
            self._step_count += 1
        else:
            super().step(epoch)  # for its warnings about the order of calls and about `epoch`
            untouched = False
        if not untouched:
            self._look()
        self._set(step, rates, others, state)

    @torch.compiler.disable
    def _advance_untraced(self, epoch: int | None, metrics: Any) -> None:
        self._advance(epoch, metrics)

    def _after_update(self, optimizer: optim.Optimizer, args: Any, kwargs: dict[str, Any]) -> None:
        if not self._holders.rehearsed(optimizer.param_groups, self._last_lr, kwargs):
            self._advance()

    def _follow_the_optimizer(self) -> None:
        """Write again whenever the optimizer's own state is loaded later and brings the rate of its time along."""
        if not self._follows:
            self._follows = True
            _following.call_after_loading(self.optimizer, self._rewrite)

    def _group_added(self) -> None:
        """Give a new group its rate, unless the others hold another scheduler's, or a list has none for it."""
        old = self.optimizer.param_groups[: len(self._last_lr)]
        if self._holders.untouched(old, self._last_lr) and not isinstance(self.schedule, list):
            self._rewrite()

    def _reported(self, metric: Any) -> lrcore.PlateauState:
        if self.plateau is None or self._metric_state is None:
            raise lrcore.ScheduleError(f"{WHERE}.report", f"expected a lrcore.Plateau to tell; got {self.schedule!r}")
        state = self.plateau.update(self._metric_state, metric)
        self._report_due = inf
        return state

    def _rates(self, step: int, state: lrcore.PlateauState | None) -> list[float]:
        """The rate of each group."""
        groups = self.optimizer.param_groups
        rates = _groups.evaluate(self.schedule, step, len(groups), _OF_RATES)
        if state is not None:
            rates = [rate * state.scale for rate in rates]
        for number, group in enumerate(groups):
            if self.relative:
                rates[number] *= _groups.initial_rate(group)
            if "lr_scale" in group:
                rates[number] *= _groups.scale(group, number)
        if not isfinite(sum(rates)) and not all(map(isfinite, rates)):
            raise lrcore.ScheduleError(f"{WHERE}: step {step}", f"expected finite rates; got {rates}")
        return rates

    def _others(self, step: int) -> list[list[float]]:
        """The values of `also`: for each target one for each group."""
        groups = self.optimizer.param_groups
        return [target.values(step, groups) for target in self._targets]

    def _rewrite(self) -> None:
        self._go_to(self.last_epoch, self._metric_state)

    def _go_to(self, step: int, state: lrcore.PlateauState | None) -> None:
        """Write the values of a step, all of which are known to be good before one is written."""
        rates, others = self._rates(step, state), self._others(step)
        self._look()
        self._set(step, rates, others, state)

    def _begin_at(self, step: int) -> None:
        """Have torch take no later step for the first one, of which it warns where it sees no update before."""
        self._step_count = max(self._step_count, step + 1)

    def _look(self) -> None:
        """See what the groups hold now."""
        _written.separate_rates(self.optimizer)
        self._holders = _written.Holders(self.optimizer.param_groups)

    def _set(self, step: int, rates: list[float], others: list[list[float]], state: lrcore.PlateauState | None) -> None:
        groups = self.optimizer.param_groups
        self._holders.write(groups, rates)
        if others:
            for target, numbers in zip(self._targets, others, strict=True):
                target.write(groups, numbers)
        if step != self.last_epoch:
            self._used_lr = self._last_lr
        self.last_epoch = step
        self._metric_state = state
        self._last_lr = rates
        if step >= self._report_due:
            self._report_due = inf
            adapting.warn_of_no_report(WHERE, "call report(metric), or step(metrics=metric), after each evaluation", 4)
        self._steady = (
            self._is_simple
            and self._hook is None
            and not self._holders.tensors
            and self._step_count > 1  # what torch and we warn of at the beginning is behind it
            and self._pace is None
        )

    def _check_pace(self, pace: Pace) -> None:
        """Warn once of a caller that steps several times for each update."""
        found = pace.steps_per_update(self.optimizer)
        if found is not None:
            self._pace = None
        if found is not None and found > 1:
            warnings.warn(
                f"{WHERE}.step: expected one call for each update; got {found}, so that the schedule runs {found} times as "
                "fast; attach() the scheduler instead, or sync() it with the number of updates",
                stacklevel=4,
            )

    def _warn_of_writer(self, rates: Sequence[float]) -> None:
        if not self._may_warn_of_writer or not _composites.is_alone(self):
            return
        groups = self.optimizer.param_groups
        for number, (group, last, rate) in enumerate(zip(groups, self._last_lr, rates, strict=False)):
            if not _written.holds(group["lr"], last):
                self._may_warn_of_writer = False
                warnings.warn(
                    f"{WHERE}: expected the rate {last} that was written into group {number}; got {float(group['lr'])}, "
                    f"written by something else; the schedule rules and sets {rate} (set a group's lr_scale to scale it)",
                    stacklevel=4,
                )
                return

    def _configure(self, schedule: Any, also: Mapping[str, Any], *, relative: bool) -> None:
        self.relative = relative
        self.plateau = schedule if isinstance(schedule, lrcore.Plateau) else None
        followed: Any = self.plateau.schedule if self.plateau else schedule
        self.schedule = _groups.as_schedules(followed, _OF_RATES)
        self._metric_state = self.plateau.initial() if self.plateau else None
        self.also = _groups.also_schedules(also, self.optimizer.param_groups[0], WHERE)
        self._targets = _groups.targets(self.also, self.optimizer.param_groups[0])
        one = isinstance(self.schedule, lrcore.Schedule) and self.plateau is None
        self._is_simple = one and not relative and not self._targets

    def _adopt(self, loaded: adapting.LoadedState, where: str) -> None:
        """Go on with what `_description` described."""
        described = loaded.schedule
        also = dict(described) if isinstance(described, Mapping) else {"lr": described}
        relative = "lr" not in also
        rates = also.pop("relative_lr" if relative else "lr", None)
        if rates is None:
            raise lrcore.ScheduleError(where, f"expected a saved schedule of lr; got {', '.join(also)}")
        self._configure(rates, also, relative=relative)
        if self.plateau is not None and loaded.plateau is not None:
            self._metric_state = lrcore.PlateauState.from_dict(loaded.plateau, where)
        remembered = self._metric_state if loaded.plateau is not None else None
        self._report_due = adapting.report_due(loaded.step, remembered) if self.plateau else inf

    def _description(self) -> Any:
        schedule = self.plateau or self.schedule
        if self.relative:
            return {"relative_lr": schedule, **self.also}
        return {"lr": schedule, **self.also} if self.also else schedule
