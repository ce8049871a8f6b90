"""The torch scheduler: every step writes the value of the schedule into each parameter group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, SupportsIndex

import torch
from torch import optim

import lrcore
from lrcore import adapting
from lrcore_torch import _composites, _given, _hooks, _rate_cells, _settings
from lrcore_torch._attachment import Attachment
from lrcore_torch._given import Given
from lrcore_torch._plan import Others, Plan
from lrcore_torch._step_ratio import StepRatio

WHERE = "lrcore_torch.LRScheduler"
_HOW_TO_REPORT = "call report(metric), or step(metrics=metric), after each evaluation"


class LRScheduler(optim.lr_scheduler.LRScheduler):
    """Sets the learning rate of each parameter group to `schedule(step) * group.get("lr_scale", 1)`.

    The step is the number of updates made; `last_epoch` is torch's name for it. Call `step()` after every
    `optimizer.step()`, or `attach` the scheduler once. A rate that is a tensor stays that tensor and is filled in place,
    as `torch.compile` and CUDA graphs need; any other becomes a Python float. An added group is scheduled from the next
    update.

    Args:
        optimizer: the optimizer to drive.
        schedule: a lrcore schedule, a Python function of the step, the path, text or dict of a schedule file, or a number;
            or a list of these, one for each group, in which None keeps the group's own rate; or a `lrcore.Plateau`, to
            which `report` gives a metric.
        relative: multiply each group's `initial_lr`, the rate that it was made with, by the schedule.
        also: schedules of other keys of the groups, {"weight_decay": schedule}: one for all groups, a list with one for
            each group, or a tuple with one for each place of a tuple: {"betas": (schedule, 0.999)}. One schedule leaves a
            group at 0 that was made with 0 while others were not. `momentum` is the first beta where there are betas.
        on_mismatch: what loading does when the saved schedule, or a saved `lr_scale` or (with `relative`) `initial_lr`,
            is not the configured one: "error", "keep_checkpoint", "use_config", or "same_past", which goes on with the
            configured one if every update already made had its rate.
        last_epoch: one less than the step to start at, as in torch.
        attach: call `attach` at once.

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
    _step_count: int

    def __init__(
        self,
        optimizer: optim.Optimizer,
        schedule: Sequence[Given] | Given,
        *,
        relative: bool = False,
        also: Mapping[str, Any] | None = None,
        on_mismatch: adapting.Policy = "error",
        last_epoch: int = -1,
        attach: bool = False,
    ) -> None:
        if not isinstance(optimizer, optim.Optimizer):
            raise TypeError(f"{WHERE}: expected a torch.optim.Optimizer; got {type(optimizer).__name__}")
        adapting.check_policy(on_mismatch, WHERE)
        first = 0 if last_epoch == -1 else adapting.checked_step(last_epoch, f"{WHERE}.last_epoch") + 1
        groups = optimizer.param_groups
        self.optimizer = optimizer
        self.on_mismatch: adapting.Policy = on_mismatch
        followed = _given.followed(schedule, also, groups, WHERE, relative=relative)
        self._follower = adapting.Follower.beginning(followed, first)
        self._plan = Plan(self._follower, groups, WHERE)
        self._attachment: Attachment | None = None
        self._step_ratio: StepRatio | None = None
        self._in_composite = False
        self._loaded_rates: list[float] = []
        self._warned: set[str] = set()
        self._groups_owner: Any = None
        self._last_lr: list[Any] = []
        self._used_lr: list[float] = []
        self._holders = _rate_cells.RateHolders([])
        self._first_numbers: Any = self._plan.numbers(first, groups)  # raises before the optimizer is changed
        _settings.warn_of_own_numbers(groups, self._plan, WHERE)
        for group in groups:
            group.setdefault("initial_lr", float(group["lr"]))  # torch requires it if last_epoch is not -1
        super().__init__(optimizer, first - 1)
        self._step_ratio = StepRatio(optimizer)
        self._register_hooks()
        if attach:
            self.attach()

    @property
    def schedule(self) -> Any:
        """What the rates follow: a schedule, a plateau, or a list with a schedule for each group; `follow` changes it."""
        schedule = self._plan.schedule
        return list(schedule) if isinstance(schedule, list) else schedule

    @property
    def also(self) -> dict[str, Any]:
        """What other keys of the groups follow."""
        return dict(self._plan.also)

    @property
    def relative(self) -> bool:
        """Whether the schedule multiplies each group's `initial_lr`."""
        return self._plan.relative

    @property
    def plateau_state(self) -> lrcore.PlateauState | None:
        """The state of the plateau; None without one."""
        return self._follower.plateau_state

    def step(self, epoch: Any = None, *, metrics: Any = None) -> None:
        """Go on to the next update: call it after every `optimizer.step()`.

        After `attach`, which counts the updates, a trainer may still call it, once an epoch or with a metric: it makes no step.

        Args:
            epoch: the step to go to instead (deprecated in torch); `sync` says the same. With a plateau it is the metric, as
                torch's ReduceLROnPlateau takes it and trainers pass it.
            metrics: a metric to `report` with this step.

        Raises:
            lrcore.ScheduleError: the schedule failed; nothing has changed.
            RuntimeError: a step is given after `attach`.
        """
        if self._is_watchful or epoch is not None or metrics is not None:
            self._step_with_care(epoch, metrics)
            return
        step, groups, last = self.last_epoch + 1, self.optimizer.param_groups, self._last_lr
        shared = self._plan.shared
        if shared is not None:  # the common case in short: all groups hold the one float that was written last
            held = last[0]
            for group in groups:
                if group["lr"] is not held or "lr_scale" in group:
                    break
            else:
                rate = shared(step)
                for group in groups:
                    group["lr"] = rate
                self.last_epoch, self._used_lr, self._last_lr = step, last, [rate] * len(groups)
                self._step_count += 1
                return
        self._go_to(step, self._follower, training=True)
        self._step_count += 1

    def report(self, metric: Any) -> None:
        """Give the plateau a metric, and write the rates that follow from it at once.

        Args:
            metric: a number or a tensor of one element.

        Raises:
            lrcore.ScheduleError: it is not one, or no `lrcore.Plateau` is followed.
        """
        self._go_to(self.last_epoch, self._follower.told(metric, WHERE))

    def follow(
        self, schedule: Sequence[Given] | Given, *, relative: bool | None = None, also: Mapping[str, Any] | None = None
    ) -> None:
        """Go on with another schedule from the step that is reached, and write its rates at once.

        Args:
            schedule: as in the constructor. A plateau takes over the scale of the one before; what it remembers of metrics
                is reset, with a warning, where its other options give that another meaning.
            relative: as in the constructor; as before, by default.
            also: as in the constructor; as before, by default.

        Raises:
            lrcore.ScheduleError: as in the constructor; nothing has changed.

        Example:
            >>> import lrcore, lrcore_torch, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
            >>> scheduler = lrcore_torch.LRScheduler(optimizer, 0.5)
            >>> scheduler.follow(0.25)
            >>> optimizer.param_groups[0]["lr"]
            0.25
        """
        where = f"{WHERE}.follow"
        relative = self.relative if relative is None else relative
        others = self.also if also is None else also
        followed = _given.followed(schedule, others, self.optimizer.param_groups, where, relative=relative)
        follower = adapting.Follower.beginning(followed, self.last_epoch)
        if follower.plateau is not None and self._follower.plateau is not None:
            follower, _ = follower.loaded(self.state_dict(), "use_config", where, several=True)
        self._go_to(self.last_epoch, follower)

    def get_lr(self) -> list[Any]:
        """The rate of each group at `last_epoch`, as Python floats; reading changes nothing."""
        return self._plan.numbers(self.last_epoch, self.optimizer.param_groups)[0]

    _get_closed_form_lr = get_lr

    def get_last_lr(self) -> list[Any]:
        """The rate of each group that was written last: the one of the next update."""
        self._warn_of_missed_updates()
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
        self._warn_of_missed_updates()
        return list(self._used_lr or self._last_lr)

    def sync(self, step: SupportsIndex | None = None) -> None:
        """Write the rates of the current step, or of the one given, into the optimizer at once.

        Args:
            step: updates already made, where something else counts them: a trainer's global step.

        Raises:
            lrcore.ScheduleError: `step` is not an integer >= 0.
        """
        number = self.last_epoch if step is None else adapting.checked_step(step)
        self._go_to(number, self._follower)
        self._step_ratio = None
        self._suppress_first_step_warning(number)

    def attach(self) -> LRScheduler:
        """Step after every update that the optimizer makes, from its own hook, and return the scheduler.

        Updates that GradScaler skips are not counted, nor are micro-batches; with a fused optimizer this reads one number
        from the device in each update. Copying or unpickling the optimizer drops the hook: attach the copy again.

        Raises:
            TypeError: the optimizer has no hooks, nor has one inside it.

        Example:
            >>> import lrcore, lrcore_torch, torch
            >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
            >>> scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Constant(0.1)).attach()
            >>> optimizer.step()
            >>> scheduler.last_epoch
            1
        """
        if self._attachment is None:
            attachment = Attachment(self.optimizer, self._after_update)
            if not attachment:
                name = type(self.optimizer).__name__
                raise TypeError(f"{WHERE}.attach: expected an optimizer with torch's hooks; got {name}; call step()")
            self._attachment = attachment
            self._is_watchful = True
            self._step_ratio = None
        return self

    def detach(self) -> None:
        """Undo `attach`."""
        if self._attachment is not None:
            self._attachment.remove()
            self._attachment = None

    def state_dict(self) -> dict[str, Any]:
        """The state of the run: `lrcore.save_state`, the same in every framework."""
        self._warn_of_missed_updates()
        return self._follower.state(max(self.last_epoch, 0))  # SequentialLR keeps a child that has not begun at -1

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore a saved state and write its rates into the optimizer, whose own state may be loaded before or after.

        The state of a native scheduler has a step and no schedule: with on_mismatch="use_config" the configured schedule
        goes on at its `last_epoch`. Inside a SequentialLR only the active child writes. Inside a ChainedScheduler, where
        other schedulers change the rate too, nothing is written: load the optimizer's state as well.

        Raises:
            lrcore.ScheduleError: the state is not one of lrcore's, or its schedule differs and the policy does not go on;
                nothing has changed.
        """
        where = f"{WHERE}.load_state_dict"
        follower, step = self._loaded(state_dict, where)
        self._find_composite()
        if _composites.owns_rate(self):
            self._go_to(step, follower, where)
        else:
            plan = Plan(follower, self.optimizer.param_groups, where)
            plan.numbers(step, self.optimizer.param_groups)  # raises before anything is changed
            self._follower, self._plan, self.last_epoch = follower, plan, step
            if _composites.is_chained(self) and self._loaded_rates:
                self._holders.write(self.optimizer.param_groups, self._loaded_rates)
        self._used_lr = []
        self._suppress_first_step_warning(step)

    def __getstate__(self) -> dict[str, Any]:
        """All attributes but the hooks, which a copied optimizer does not have, and the functions, which cannot be pickled."""
        return {**self.__dict__, "_attachment": None, "_plan": None, "_groups_owner": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a copied or unpickled scheduler, whose optimizer holds new objects as rates."""
        self.__dict__.update(state)
        self._plan = Plan(self._follower, self.optimizer.param_groups, WHERE)
        self._remember_holders()
        if not self._holders.tensors:
            pairs = zip(self.optimizer.param_groups, self._last_lr, strict=False)
            self._last_lr = [group["lr"] if group["lr"] == last else last for group, last in pairs]
        self._suppress_first_step_warning(1)
        self._register_hooks()

    # --- steps --------------------------------------------------------------------------------------------------------

    def _initial_step(self) -> None:
        """Write the first rates; torch's constructor calls this, and SequentialLR does so again for its first child."""
        self._step_count = 1
        self._is_watchful = True
        self._find_composite()
        numbers, self._first_numbers = self._first_numbers, None
        self._go_to(self.last_epoch + 1, self._follower, numbers=numbers)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Write the rates of a step; SequentialLR calls this at a milestone."""
        self._find_composite()
        self._go_to(self.last_epoch + 1 if epoch is None else epoch, self._follower)

    def _step_with_care(self, epoch: Any, metrics: Any) -> None:
        """Make one of the first steps, or one with a metric or to a given step; after `attach`, only take the metric."""
        if self._follower.plateau is not None and metrics is None and _composites.is_standalone(self):
            epoch, metrics = None, epoch
        if self._attachment is not None:
            if epoch is not None:
                raise RuntimeError(
                    f"{WHERE}.step: expected no argument, since attach() counts the updates; got {epoch}; sync() sets them"
                )
            if metrics is not None:
                self.report(metrics)
            return
        follower = self._follower if metrics is None else self._follower.told(metrics, WHERE)
        if epoch is None:
            self._advance(self.last_epoch + 1, follower)
            return
        step = adapting.checked_step(epoch)
        if _composites.is_standalone(self):  # an older SequentialLR calls step(0) at a milestone
            self._warn_once(
                "step",
                f"{WHERE}.step: expected no argument; got {epoch}, which is taken as the updates already made, and not as "
                "epochs; sync() sets them without this warning",
            )
        self._advance(step, follower)

    def _advance(self, step: int, follower: adapting.Follower) -> None:
        """Make a step of training, with the checks that the first steps need."""
        if self._is_watchful:
            if torch.compiler.is_compiling():  # tracing would recompile for every value of the schedule
                self._advance_untraced(step, follower)
                return
            self._watch()
        self._go_to(step, follower, training=True)
        self._step_count += 1

    @torch.compiler.disable
    def _advance_untraced(self, step: int, follower: adapting.Follower) -> None:
        self._advance(step, follower)

    def _after_update(self, arguments: Mapping[str, Any]) -> None:
        """Make a step; `attach` has the optimizer call this after every update."""
        if not self._holders.is_dry_run(self.optimizer.param_groups, self._last_lr, arguments):
            self._advance(self.last_epoch + 1, self._follower)

    def _go_to(
        self,
        step: int,
        follower: adapting.Follower,
        where: str = WHERE,
        *,
        training: bool = False,
        numbers: tuple[list[float], Others] | None = None,
    ) -> None:
        """Evaluate all numbers of a step, and then write them and keep the follower: a failure changes nothing.

        Args:
            step: the step.
            follower: what to follow.
            where: for messages.
            training: whether to warn if other code has written a rate.
            numbers: the numbers of the step, where they are known.
        """
        groups = self.optimizer.param_groups
        plan = self._plan if follower is self._follower else Plan(follower, groups, where)
        rates, others = plan.numbers(step, groups) if numbers is None else numbers
        if step >= follower.report_due:
            follower = follower.remind(step, WHERE, _HOW_TO_REPORT)
        last = self._last_lr
        if not self._holders.are_unchanged(groups, last):
            if training:
                self._warn_of_foreign_rate(rates)
            self._plan = plan
            self._remember_holders()
        self._holders.write(groups, rates)
        if others:
            for column, ones in zip(plan.columns, others, strict=True):
                column.write(groups, ones)
        if step != self.last_epoch:
            self._used_lr = last
        self.last_epoch, self._last_lr = step, rates
        self._follower, self._plan = follower, plan

    def _remember_holders(self) -> None:
        """Remember the objects that hold the rates, to detect a later write by other code, and the groups' own numbers."""
        groups = self.optimizer.param_groups
        _rate_cells.unshare_tensors(self.optimizer)
        _settings.remember_own_numbers(groups, self._plan)
        self._holders = _rate_cells.RateHolders(groups)
        self._is_watchful = True

    # --- hooks --------------------------------------------------------------------------------------------------------

    def _register_hooks(self) -> None:
        _hooks.call_after_adding(self.optimizer, self._after_adding)
        _hooks.call_around_loading(self.optimizer, self._before_loading, self._after_loading)

    def _before_loading(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Choose what the optimizer loads into its groups where the code gave them something else."""
        self._groups_owner = _hooks.shared_groups_owner(self.optimizer)
        where = f"{type(self.optimizer).__name__}.load_state_dict"
        return _settings.fitted_state(state, self.optimizer.param_groups, self._plan, self.on_mismatch, where)

    def _after_loading(self) -> None:
        """Write the rates again: the optimizer has restored those of its checkpoint."""
        if self._groups_owner is not None:  # loading made new groups there, which the wrapper does not know
            self.optimizer.param_groups = self._groups_owner.param_groups
        if not self._in_composite and self.last_epoch >= 0:
            self._loaded_rates = [float(group["lr"]) for group in self.optimizer.param_groups]
            self._go_to(self.last_epoch, self._follower)

    def _after_adding(self) -> None:
        """Write the rate of a new group, unless other code has written the old groups or a list has no schedule for it."""
        groups, last = self.optimizer.param_groups, self._last_lr
        if self._holders.are_unchanged(groups[: len(last)], last) and not isinstance(self._plan.schedule, list):
            self._warn_of_added_rates(groups[len(last) :])
            self._go_to(self.last_epoch, self._follower)

    # --- loading ------------------------------------------------------------------------------------------------------

    def _loaded(self, state: Mapping[str, Any], where: str) -> tuple[adapting.Follower, int]:
        """What to go on with, and the step."""
        native = _native_step(state)
        if native is not None and self.on_mismatch == "use_config":
            adapting.warn(
                f"{where}: this is the state of a native scheduler; its last_epoch {native} is taken as the updates already "
                "made"
            )
            return self._follower.counting_from(native), native
        try:
            return self._follower.loaded(state, self.on_mismatch, where, several=True)
        except lrcore.ScheduleError as error:
            if native is None:
                raise
            way = f"; on_mismatch=use_config goes on with the configured schedule at its last_epoch, {native}"
            raise lrcore.ScheduleError(error.where, error.problem + way) from None

    # --- what is watched ----------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Look for a composite, for a step before the first update, and for several steps in each update."""
        if self._step_count == 1:
            self._find_composite()
            self._check_first_step()
        if self._step_ratio is not None:
            self._check_step_ratio(self._step_ratio)
        needs_watching = self._step_ratio is not None or self._attachment is not None or bool(self._holders.tensors)
        self._is_watchful = needs_watching or self._step_count < 1

    def _find_composite(self) -> None:
        """Find out whether a SequentialLR or ChainedScheduler calls, whose other children write the rate, too."""
        self._in_composite = self._in_composite or not _composites.is_standalone(self)

    def _suppress_first_step_warning(self, step: int) -> None:
        """Count more steps than `step`: only at count 1 is an earlier update expected."""
        self._step_count = max(self._step_count, step + 1)

    def _check_first_step(self) -> None:
        """Warn, as torch's schedulers do, if the optimizer has made no update before the first step.

        Torch's constructor wraps `optimizer.step` to see its calls. Around another optimizer there may be other ways to
        update.
        """
        _, *inner = _hooks.wrapped_optimizers(self.optimizer)
        sees_updates = not inner and hasattr(self.optimizer.step, "_wrapped_by_lr_sched")
        if sees_updates and not getattr(self.optimizer, "_opt_called", False) and self._attachment is None:
            adapting.warn(
                f"{WHERE}.step: expected a call after `optimizer.step()`; got one before `optimizer.step()`, so that no update "
                "uses the first value of the schedule"
            )

    def _check_step_ratio(self, ratio: StepRatio) -> None:
        """Warn once if the caller steps several times for each update."""
        found = ratio.steps_per_update(self.optimizer)
        if found is not None:
            self._step_ratio = None
        if found is not None and found > 1:
            adapting.warn(
                f"{WHERE}.step: expected one call for each update; got {found}, so that the schedule runs {found} times as "
                "fast; attach() the scheduler instead, or sync() it with the number of updates"
            )

    def _warn_of_foreign_rate(self, rates: Sequence[float]) -> None:
        """Warn once if other code has written a rate since the last step."""
        if self._in_composite:
            return
        groups = self.optimizer.param_groups
        for number, (group, last, rate) in enumerate(zip(groups, self._last_lr, rates, strict=False)):
            if not _rate_cells.equals(group["lr"], last):
                self._warn_once(
                    "foreign",
                    f"{WHERE}: expected the rate {last} that was written into group {number}; got {float(group['lr'])}, "
                    f"written by something else; the schedule rules and sets {rate} (set a group's lr_scale to scale it)",
                )
                return

    def _warn_of_added_rates(self, added: Sequence[_given.Group]) -> None:
        """Warn once if an added group has a rate that is neither the optimizer's default nor the present one."""
        defaults = [getattr(one, "defaults", {}).get("lr") for one in _hooks.wrapped_optimizers(self.optimizer)]
        known = {float(rate) for rate in (*defaults, *self._last_lr) if rate is not None}
        for group in added:
            if not self.relative and "lr_scale" not in group and float(group["lr"]) not in known:
                self._warn_once(
                    "added",
                    f"{WHERE}: expected an added group without a rate of its own, which the schedule overwrites; got "
                    f"{float(group['lr']):g}; set relative=True, an lr_scale in the group, or follow() a list with a schedule "
                    "for each group",
                )

    def _warn_of_missed_updates(self) -> None:
        """Warn once if the optimizer is updated by something that calls no hook, after `attach`."""
        if self._attachment is not None and self._attachment.has_missed_updates():
            self._warn_once(
                "missed",
                f"{WHERE}.attach: expected updates by {type(self.optimizer).__name__}.step; got weights that change without "
                "it, so that the schedule stands still; call step() after each update instead",
            )

    def _warn_once(self, what: str, message: str) -> None:
        if what not in self._warned:
            self._warned.add(what)
            adapting.warn(message)


def _native_step(state: Any) -> int | None:
    """The updates that the state of a native scheduler counts; None for another state, or one that counts metrics."""
    if not isinstance(state, Mapping) or "format" in state or "num_bad_epochs" in state:
        return None
    children = state.get("_schedulers")
    if "last_epoch" not in state and isinstance(children, list) and children:  # a ChainedScheduler
        return _native_step(children[0])
    step = state.get("last_epoch")
    return step if isinstance(step, int) and step >= 0 else None
