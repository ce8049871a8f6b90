"""The step of an optimizer, and the state of its schedules in the format of every adapter."""

from __future__ import annotations

from typing import Any

import lrcore
from lrcore import adapting
from lrcore_mlx._optimizers import RATE, go_to, inside, schedule, scheduled, step_of
from lrcore_mlx._plateau import PlateauSchedule, remind
from lrcore_mlx._schedule import TableSchedule


def current_step(optimizer: Any) -> int:
    """The updates already made.

    Args:
        optimizer: an optimizer of MLX, or a `MultiOptimizer` whose parts have made equally many.

    Raises:
        ScheduleError: it is no optimizer, or its parts differ.

    Example:
        >>> import mlx.optimizers as optim
        >>> current_step(optim.SGD(0.1))
        0
    """
    where = "lrcore_mlx.current_step"
    steps = {step_of(one) for one in inside(optimizer, where)}
    if len(steps) != 1:
        raise lrcore.ScheduleError(where, f"expected optimizers that made equally many updates; got {sorted(steps)}")
    return steps.pop()


def set_step(optimizer: Any, step: int) -> None:
    """Let an optimizer go on as after `step` updates: the next update has schedule(step).

    Moments stay as they are. `optimizer.learning_rate` is then the rate of the last update, as training leaves it. An
    update that is compiled with the optimizer's state among its inputs follows.

    Args:
        optimizer: an optimizer of MLX; of a `MultiOptimizer` every part is set.
        step: updates already made.

    Raises:
        ScheduleError: it is no optimizer, or no integer >= 0.

    Example:
        >>> import lrcore, lrcore_mlx, mlx.optimizers as optim
        >>> optimizer = optim.SGD(lrcore_mlx.as_schedule(lrcore.Linear(init_value=0.5, decay_steps=4)))
        >>> set_step(optimizer, 3)
        >>> current_step(optimizer), current_lr(optimizer)
        (3, 0.25)
    """
    where = "lrcore_mlx.set_step"
    checked = adapting.checked_step(step, where)
    for one in inside(optimizer, where):
        go_to(one, checked)


def current_lr(optimizer: Any) -> float:
    """The rate of the last update; before the first update, the rate of the first.

    Args:
        optimizer: an optimizer of MLX; or a `MultiOptimizer` whose parts have one rate.

    Raises:
        ScheduleError: it is no optimizer, or its parts have several rates.

    Example:
        >>> import mlx.optimizers as optim
        >>> current_lr(optim.SGD(0.5))
        0.5
    """
    where = "lrcore_mlx.current_lr"
    parts = inside(optimizer, where)
    for one in parts:
        if isinstance(rate := scheduled(one), PlateauSchedule):
            remind(one, rate, where)
    rates = {one.learning_rate.item() for one in parts}
    if len(rates) != 1:
        raise lrcore.ScheduleError(where, f"expected one rate; got {sorted(rates)}; ask each of optimizer.optimizers")
    return float(rates.pop())


def state_dict(optimizer: Any) -> dict[str, int | str]:
    """The state of the schedule in the format of every adapter, so that a run can continue in another framework.

    Args:
        optimizer: an optimizer with a lrcore schedule or plateau; a `MultiOptimizer` with several gives the state of a list.

    Raises:
        ScheduleError: no part of it has one, or its parts made different numbers of updates.

    Example:
        >>> import lrcore, lrcore_mlx, mlx.optimizers as optim
        >>> state_dict(optim.SGD(lrcore_mlx.as_schedule(lrcore.Constant(0.5))))
        {'format': 1, 'step': 0, 'schedule': '{"kind":"constant","value":0.5}', 'plateau': ''}
    """
    where = "lrcore_mlx.state_dict"
    following = _following(optimizer, where)
    for one, rate in following:
        if isinstance(rate, PlateauSchedule):
            remind(one, rate, where)
    return _follower(following, where).state(current_step(optimizer))


def load_state_dict(optimizer: Any, state: Any, on_mismatch: adapting.Policy = "error") -> None:
    """Let an optimizer go on where a saved run stopped: it sets the step, and with "keep_checkpoint" the schedule.

    Call it before the update is compiled, since a compiled update keeps its schedule.

    Args:
        optimizer: an optimizer with the configured schedule or plateau; or a `MultiOptimizer` of such.
        state: what `state_dict` of this or another adapter returned.
        on_mismatch: what to do if the saved schedule differs: raise ("error"), continue with the saved one
            ("keep_checkpoint"), with the configured one ("use_config"), or with the configured one if it gives the rate of
            every update already made, else raise ("same_past").

    Raises:
        ScheduleError: `state` is not such a state, its schedule differs and the policy refuses it, or the optimizer has no
            schedule of lrcore. Nothing has changed then.

    Example:
        >>> import lrcore, lrcore_mlx, mlx.optimizers as optim
        >>> schedule = lrcore.Linear(init_value=0.5, decay_steps=4)
        >>> optimizer = optim.SGD(lrcore_mlx.as_schedule(schedule))
        >>> load_state_dict(optimizer, lrcore.save_state(3, schedule))
        >>> current_step(optimizer)
        3
    """
    where = "lrcore_mlx.load_state_dict"
    following = _following(optimizer, where)
    follower, step = _follower(following, where).loaded(state, on_mismatch, where)
    followed = follower.schedule if isinstance(follower.schedule, list) else [follower.schedule]
    if len(followed) != len(following):
        raise lrcore.ScheduleError(
            where, f"expected a state of {len(following)} schedules, as configured; got {len(followed)}"
        )
    rates = [
        _rate(new, rate, follower, one) for (one, rate), new in zip(following, followed, strict=True)
    ]  # a table that cannot be made raises before anything changes
    for (one, _), rate in zip(following, rates, strict=True):
        schedule(one, rate)
    set_step(optimizer, step)


def _following(optimizer: Any, where: str) -> list[tuple[Any, TableSchedule | PlateauSchedule]]:
    """The optimizers inside whose rate a lrcore schedule gives, with it."""
    found = [(one, scheduled(one)) for one in inside(optimizer, where)]
    found = [(one, rate) for one, rate in found if isinstance(rate, (TableSchedule, PlateauSchedule))]
    if not found:
        raise lrcore.ScheduleError(
            where,
            f"expected an optimizer whose {RATE} a lrcore schedule gives; got none; build it with "
            "lrcore_mlx.as_schedule(schedule)",
        )
    return found


def _follower(following: list[tuple[Any, Any]], where: str) -> adapting.Follower:
    rates = [rate for _, rate in following]
    if len(rates) == 1 and isinstance(rates[0], PlateauSchedule):
        return rates[0].follower
    if any(isinstance(rate, PlateauSchedule) for rate in rates):
        raise lrcore.ScheduleError(
            where, "expected schedules, or one plateau; got a plateau among several; take the state of each optimizer"
        )
    schedules = [rate.schedule for rate in rates]
    return adapting.Follower(schedules[0] if len(schedules) == 1 else schedules)


def _rate(followed: Any, old: Any, follower: adapting.Follower, optimizer: Any) -> Any:
    """The function of the step for what is followed: the old one, if it is the same."""
    if isinstance(followed, lrcore.Plateau):
        return PlateauSchedule(follower, optimizer)
    if isinstance(old, TableSchedule) and old.schedule == followed:
        return old
    return TableSchedule(followed, None)
