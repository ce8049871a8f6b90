"""The torch scheduler: every step writes the value of the schedule into each parameter group."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from math import inf, isfinite
from typing import Any, SupportsIndex

import torch
from torch import optim

import lrcore
from lrcore import adapting
from lrcore_torch import _composites, _groups, _hooks, _rate_cells
from lrcore_torch._groups import Schedules, Source, Target
from lrcore_torch._step_ratio import StepRatio

WHERE = "lrcore_torch.LRScheduler"
# torch 2.2 has it under a private name; the compiler knows both.
_is_compiling = getattr(torch.compiler, "is_compiling", None) or torch._utils.is_compiling  # noqa: SLF001
_SCHEDULE_ARGUMENT = f"{WHERE}.schedule"


class LRScheduler(optim.lr_scheduler.LRScheduler):
    """Sets the learning rate of each parameter group to `schedule(step) * group.get("lr_scale", 1)`.

    The step is the number of updates made; `last_epoch`, torch's name for it, is the only state, beside that of a
    plateau. The rate in the optimizer is never read to compute the next one, so a resumed run equals an uninterrupted
    one. Call `step()` after every `optimizer.step()`, or `attach()` once. A rate that is a tensor stays that tensor and is
    filled in place, as `torch.compile` and CUDA graphs need; any other becomes a Python float. An added group is scheduled
    from the next update. If the optimizer loads its own state, the rate in that state is overwritten.

    The scheduler warns once if other code writes a rate, if it is stepped several times for each update, or if a plateau
    is given no metric in 10,000 updates.

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
    _report_due: float = inf  # at this step, warn that the plateau was given no metric
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
        self._step_hook: Any = None
        self._has_load_hook = False
        self._last_lr: list[Any] = []
        self._used_lr: list[float] = []
        self._holders = _rate_cells.RateHolders([])
        self._step_ratio: StepRatio | None = None
        self._can_use_fast_path = False  # whether a step only writes one float into all groups
        self._may_warn_of_foreign_rate = True
        self._report_due = adapting.report_due(first) if self.plateau else inf
        self._rates(first, self._metric_state)  # raise for a bad schedule before the optimizer is changed
        self._other_values(first)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", float(group["lr"]))  # torch requires it if last_epoch is not -1
        super().__init__(optimizer, first - 1)
        self._step_ratio = StepRatio(optimizer)
        _hooks.call_after_adding(optimizer, self._on_group_added)

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
        if self._can_use_fast_path and epoch is None and metrics is None:
            # The common case, inlined for speed: all groups hold the one float that was written last.
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
        if self._step_hook is not None:
            raise RuntimeError(f"{WHERE}.step: expected no call, since attach() makes it after every update; got one")
        if self.plateau is not None and metrics is None:
            epoch, metrics = None, epoch
        self._advance(epoch, metrics)

    def report(self, metric: Any) -> None:
        """Give the plateau a metric, and write the rates that follow from it at once.

        Args:
            metric: a number or a tensor of one element.

        Raises:
            lrcore.ScheduleError: it is not one, or the schedule is no `lrcore.Plateau`.
        """
        self._go_to(self.last_epoch, self._plateau_state_after(metric))

    def get_lr(self) -> list[Any]:
        """The rate of each group at `last_epoch`, as Python floats; reading changes nothing."""
        return self._rates(self.last_epoch, self._metric_state)

    _get_closed_form_lr = get_lr

    def get_last_lr(self) -> list[Any]:
        """The rate of each group that was written last: the one of the next update."""
        return list(self._last_lr)

    def get_used_lr(self) -> list[float]:
        """The rate of each group in the update before the last step: the one to log for that update.

        Before the first step, and after a state is loaded, these are the rates of the next update.

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
        self._step_ratio = None
        self._suppress_first_step_warning(number)

    def attach(self) -> LRScheduler:
        """Step after every update that the optimizer makes, from its own hook, and return the scheduler.

        Updates that GradScaler skips are not counted, nor are micro-batches. Copying or unpickling the optimizer drops
        the hook: attach the copy again.

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
        if self._step_hook is None:
            hooked = _hooks.optimizer_with_hooks(self.optimizer)
            if hooked is None:
                name = type(self.optimizer).__name__
                raise TypeError(f"{WHERE}.attach: expected an optimizer with torch's hooks; got {name}; call step()")
            self._step_hook = hooked.register_step_post_hook(self._after_update)
            self._can_use_fast_path = False
            self._step_ratio = None
            self._register_load_hook()
        return self

    def detach(self) -> None:
        """Undo `attach`."""
        if self._step_hook is not None:
            self._step_hook.remove()
            self._step_hook = None

    def state_dict(self) -> dict[str, Any]:
        """The state of the run: `lrcore.save_state`, the same in every framework."""
        step = max(self.last_epoch, 0)  # SequentialLR keeps a child that has not begun at -1
        plateau = self._metric_state.to_dict() if self._metric_state else None
        return lrcore.save_state(step, self._description(), plateau)

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a saved state and write its rates into the optimizer, whose own state may be loaded before or after.

        Inside a SequentialLR only the active child writes. Inside a ChainedScheduler, where other schedulers change the
        rate too, nothing is written: load the optimizer's state as well.

        Raises:
            lrcore.ScheduleError: the state is not one of lrcore's, or its schedule differs and the policy does not go on;
                nothing has changed.
        """
        where = f"{WHERE}.load_state_dict"
        loaded = lrcore.load_state(state_dict, self._description(), self.on_mismatch, where)
        before = self.__dict__.copy()
        try:
            self._configure_from_state(loaded, where)
            rates, others = self._rates(loaded.step, self._metric_state), self._other_values(loaded.step)
        except Exception:
            self.__dict__.update(before)
            raise
        self.last_epoch, self._used_lr = loaded.step, []
        self._suppress_first_step_warning(loaded.step)
        if _composites.owns_rate(self):
            self._remember_holders()
            self._apply(loaded.step, rates, others, self._metric_state)
        if _composites.is_standalone(self):
            self._register_load_hook()

    def __getstate__(self) -> dict[str, Any]:
        """All attributes but the step hook, which a copied optimizer does not have."""
        return {**self.__dict__, "_step_hook": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copied or unpickled scheduler.

        The copy re-reads the rates, which are new objects in its optimizer, and suppresses torch's warning that it was
        stepped before `optimizer.step`.
        """
        self.__dict__.update(state)
        self._remember_holders()
        if not self._holders.tensors:
            pairs = zip(self.optimizer.param_groups, self._last_lr, strict=False)
            self._last_lr = [group["lr"] if group["lr"] == last else last for group, last in pairs]
        self._suppress_first_step_warning(1)
        _hooks.call_after_adding(self.optimizer, self._on_group_added)
        if self._has_load_hook:
            _hooks.call_after_loading(self.optimizer, self._rewrite)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Write the rates of the next step; torch's own `step`, and SequentialLR at a milestone, call this."""
        self._go_to(self.last_epoch + 1 if epoch is None else epoch, self._metric_state)

    def _advance(self, epoch: int | None = None, metrics: Any = None) -> None:
        """Make a step, with every check and warning."""
        if _is_compiling():  # tracing would recompile for every value of the schedule
            self._advance_untraced(epoch, metrics)
            return
        step = self.last_epoch + 1 if epoch is None else adapting.checked_step(epoch)
        state = self._metric_state if metrics is None else self._plateau_state_after(metrics)
        rates = self._rates(step, state)
        others = self._other_values(step) if self._targets else []
        unchanged = self._holders.are_unchanged(self.optimizer.param_groups, self._last_lr)
        if self._step_count:
            if not unchanged:
                self._warn_of_foreign_rate(rates)
            if self._step_ratio is not None:
                self._check_step_ratio(self._step_ratio)
            if not self._has_load_hook and _composites.is_standalone(self):
                self._register_load_hook()
        if epoch is None and self._step_count > 1:
            self._step_count += 1
        else:
            super().step(epoch)  # issues torch's warnings about the order of calls and about `epoch`
            unchanged = False
        if not unchanged:
            self._remember_holders()
        self._apply(step, rates, others, state)

    @torch.compiler.disable
    def _advance_untraced(self, epoch: int | None, metrics: Any) -> None:
        self._advance(epoch, metrics)

    def _after_update(self, optimizer: optim.Optimizer, args: Any, kwargs: dict[str, Any]) -> None:
        """Make a step; `attach` registers this as the hook after `optimizer.step`."""
        if not self._holders.is_dry_run(optimizer.param_groups, self._last_lr, kwargs):
            self._advance()

    def _register_load_hook(self) -> None:
        """Have the rates written again after `optimizer.load_state_dict`, which restores the rate of its checkpoint."""
        if not self._has_load_hook:
            self._has_load_hook = True
            _hooks.call_after_loading(self.optimizer, self._rewrite)

    def _on_group_added(self) -> None:
        """Write the rate of a new group, unless other code has written the old groups or a list has no schedule for it."""
        old = self.optimizer.param_groups[: len(self._last_lr)]
        if self._holders.are_unchanged(old, self._last_lr) and not isinstance(self.schedule, list):
            self._rewrite()

    def _plateau_state_after(self, metric: Any) -> lrcore.PlateauState:
        """The state of the plateau after a metric; this also cancels the warning that no metric was given."""
        if self.plateau is None or self._metric_state is None:
            raise lrcore.ScheduleError(f"{WHERE}.report", f"expected a lrcore.Plateau to tell; got {self.schedule!r}")
        state = self.plateau.update(self._metric_state, metric)
        self._report_due = inf
        return state

    def _rates(self, step: int, state: lrcore.PlateauState | None) -> list[float]:
        """The rate of each group at a step."""
        groups = self.optimizer.param_groups
        rates = _groups.evaluate(self.schedule, step, len(groups), _SCHEDULE_ARGUMENT)
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

    def _other_values(self, step: int) -> list[list[float]]:
        """The values of `also` at a step: for each target, one value for each group."""
        groups = self.optimizer.param_groups
        return [target.values(step, groups) for target in self._targets]

    def _rewrite(self) -> None:
        """Write the values of the current step again."""
        self._go_to(self.last_epoch, self._metric_state)

    def _go_to(self, step: int, state: lrcore.PlateauState | None) -> None:
        """Evaluate all values of a step, and then write them: an evaluation that fails changes nothing."""
        rates, others = self._rates(step, state), self._other_values(step)
        self._remember_holders()
        self._apply(step, rates, others, state)

    def _suppress_first_step_warning(self, step: int) -> None:
        """Set torch's count of steps to more than `step`: only at count 1 does torch check for an earlier update."""
        self._step_count = max(self._step_count, step + 1)

    def _remember_holders(self) -> None:
        """Remember the objects that hold the rates now, to detect a later write by other code."""
        _rate_cells.unshare_tensors(self.optimizer)
        self._holders = _rate_cells.RateHolders(self.optimizer.param_groups)

    def _apply(
        self, step: int, rates: list[float], others: list[list[float]], state: lrcore.PlateauState | None
    ) -> None:
        """Write evaluated values into the groups, and make the step and the state the current ones."""
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
            adapting.warn_of_no_report(WHERE, "call report(metric), or step(metrics=metric), after each evaluation")
        self._can_use_fast_path = (
            self._has_plain_schedule
            and self._step_hook is None
            and not self._holders.tensors
            and self._step_count > 1  # the warnings about the first step are done
            and self._step_ratio is None
        )

    def _check_step_ratio(self, ratio: StepRatio) -> None:
        """Warn once if the caller steps several times for each update."""
        found = ratio.steps_per_update(self.optimizer)
        if found is not None:
            self._step_ratio = None
        if found is not None and found > 1:
            warnings.warn(
                f"{WHERE}.step: expected one call for each update; got {found}, so that the schedule runs {found} times as "
                "fast; attach() the scheduler instead, or sync() it with the number of updates",
                stacklevel=4,
            )

    def _warn_of_foreign_rate(self, rates: Sequence[float]) -> None:
        """Warn once if other code has written a rate since the last step."""
        if not self._may_warn_of_foreign_rate or not _composites.is_standalone(self):
            return
        groups = self.optimizer.param_groups
        for number, (group, last, rate) in enumerate(zip(groups, self._last_lr, rates, strict=False)):
            if not _rate_cells.equals(group["lr"], last):
                self._may_warn_of_foreign_rate = False
                warnings.warn(
                    f"{WHERE}: expected the rate {last} that was written into group {number}; got {float(group['lr'])}, "
                    f"written by something else; the schedule rules and sets {rate} (set a group's lr_scale to scale it)",
                    stacklevel=4,
                )
                return

    def _configure(self, schedule: Any, also: Mapping[str, Any], *, relative: bool) -> None:
        """Set the schedules, and everything that is derived from them."""
        self.relative = relative
        self.plateau = schedule if isinstance(schedule, lrcore.Plateau) else None
        followed: Any = self.plateau.schedule if self.plateau else schedule
        self.schedule = _groups.as_schedules(followed, _SCHEDULE_ARGUMENT)
        self._metric_state = self.plateau.initial() if self.plateau else None
        self.also = _groups.also_schedules(also, self.optimizer.param_groups[0], WHERE)
        self._targets = _groups.targets(self.also, self.optimizer.param_groups[0])
        one = isinstance(self.schedule, lrcore.Schedule) and self.plateau is None
        self._has_plain_schedule = one and not relative and not self._targets

    def _configure_from_state(self, loaded: adapting.LoadedState, where: str) -> None:
        """Set the schedules and the plateau's state from a saved state; the inverse of `_description`."""
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
        """The schedules as `lrcore.save_state` stores them: one schedule, or a mapping if there is more to save."""
        schedule = self.plateau or self.schedule
        if self.relative:
            return {"relative_lr": schedule, **self.also}
        return {"lr": schedule, **self.also} if self.also else schedule
