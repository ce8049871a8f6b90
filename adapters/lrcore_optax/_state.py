"""Reading and setting what a schedule depends on in the state of an optax optimizer: its counts of updates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lrcore
from lrcore_optax._plateau import plateau_state, with_plateau_state
from lrcore_optax._schedule import LAST_COUNT, TableSchedule

Scheduled = lrcore.Schedule | lrcore.Plateau | TableSchedule | Callable[[int], float]


def current_step(opt_state: Any) -> int:
    """The number of updates already made, as the state of an optimizer counts them.

    Raises:
        ScheduleError: the state holds no count, or counts that differ.

    Example:
        >>> import optax
        >>> current_step(optax.sgd(optax.linear_schedule(0.5, 0.0, 4)).init(0.0))
        0
    """
    counts = {int(number) for leaf in _leaves(opt_state, _is_count) for number in np.ravel(leaf)}
    if len(counts) != 1:
        found = ", ".join(map(str, sorted(counts))) or "none"
        raise lrcore.ScheduleError("lrcore_optax.current_step", f"expected a state with one count; got {found}")
    return counts.pop()


def set_step(opt_state: Any, step: int) -> Any:
    """The same state after another number of updates: to skip ahead, to go back or to resume.

    All counts in the state are set, also the one by which Adam corrects its averages.

    Args:
        opt_state: the state of an optax optimizer.
        step: updates already made; the next update uses `schedule(step)`.

    Raises:
        ScheduleError: `step` is not an integer >= 0, or the state holds no count.

    Example:
        >>> import optax
        >>> optimizer = optax.sgd(optax.linear_schedule(0.5, 0.0, 4))
        >>> change, _ = optimizer.update(jnp.float32(1.0), set_step(optimizer.init(0.0), 2))
        >>> float(change)
        -0.25
    """
    count = min(_checked_step(step), LAST_COUNT)
    if not _leaves(opt_state, _is_count):
        raise lrcore.ScheduleError("lrcore_optax.set_step", "expected a state with a count of updates; got none")

    def moved(path: Any, leaf: Any) -> Any:
        return jnp.full_like(leaf, count) if _is_count(path, leaf) or _is_outer_count(path) else leaf

    return jax.tree_util.tree_map_with_path(moved, opt_state, is_leaf=_counts_metrics)


def current_lr(opt_state: Any, schedule: Scheduled | None = None) -> float:
    """The learning rate of the update just made, before any update that of the first.

    `optax.inject_hyperparams` keeps it in the state; for other optimizers name the schedule, which is asked then.

    Args:
        opt_state: the state of an optax optimizer.
        schedule: what the optimizer is driven by.

    Raises:
        ScheduleError: without `schedule`: the state holds no learning rate, or those of several groups.

    Example:
        >>> import lrcore_optax
        >>> import optax
        >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
        >>> optimizer = optax.sgd(lrcore_optax.as_schedule(schedule))
        >>> current_lr(set_step(optimizer.init(0.0), 3), schedule)
        0.25
    """
    if schedule is not None:
        return _lrcore_schedule(schedule)(max(current_step(opt_state) - 1, 0))
    rates = _leaves(opt_state, _is_rate)
    if len(rates) != 1:
        raise lrcore.ScheduleError(
            "lrcore_optax.current_lr",
            f"expected a state in which optax.inject_hyperparams keeps one learning rate; got {len(rates) or 'none'}; "
            "pass the schedule, or the state of one group",
        )
    return float(np.ravel(rates[0])[0])


def state_dict(opt_state: Any, schedule: Scheduled) -> dict[str, int | str]:
    """The state of the schedule as every adapter saves it, so that a run can go on in another framework.

    A checkpoint of `opt_state` alone resumes in optax too; it has the counts, but not the schedule.

    Args:
        opt_state: the state of an optax optimizer.
        schedule: what the optimizer is driven by; the plateau, where `reduce_on_plateau` is chained.

    Raises:
        ScheduleError: the state holds no count, or counts that differ.

    Example:
        >>> import lrcore_optax
        >>> import optax
        >>> schedule = lrcore.Constant(0.1)
        >>> state_dict(optax.sgd(lrcore_optax.as_schedule(schedule)).init(0.0), schedule)
        {'format': 1, 'step': 0, 'schedule': '{"kind":"constant","value":0.1}', 'plateau': ''}
    """
    plateau = plateau_state(opt_state)
    plain = None if plateau is None else plateau.to_dict()
    return lrcore.save_state(current_step(opt_state), _configured(schedule), plain)


def load_state_dict(
    opt_state: Any,
    state: Any,
    schedule: Scheduled,
    on_mismatch: lrcore.Policy = "error",
) -> tuple[Any, Any]:
    """The state of an optimizer at the step that a saved state says, and the schedule to go on with.

    Args:
        opt_state: the state of an optax optimizer, as `init` or a checkpoint gives it.
        state: what `state_dict` of this or another adapter returned.
        schedule: the configured schedule or plateau.
        on_mismatch: what to do when the saved schedule differs: raise ("error"), go on with the saved one
            ("keep_checkpoint"; build the optimizer with what is returned) or with the configured one ("use_config").

    Raises:
        ScheduleError: it is no such state, its schedule differs and the policy is "error", or `opt_state` has no count.

    Example:
        >>> import lrcore_optax
        >>> import optax
        >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
        >>> optimizer = optax.sgd(lrcore_optax.as_schedule(schedule))
        >>> opt_state, schedule = load_state_dict(optimizer.init(0.0), lrcore.save_state(3, schedule), schedule)
        >>> current_step(opt_state)
        3
    """
    where = "lrcore_optax.load_state_dict"
    loaded = lrcore.load_state(state, _configured(schedule), on_mismatch, where)
    opt_state = set_step(opt_state, loaded.step)
    if loaded.plateau is not None:
        opt_state = with_plateau_state(opt_state, lrcore.PlateauState.from_dict(loaded.plateau, where))
    return opt_state, loaded.schedule


def _checked_step(step: Any) -> int:
    if isinstance(step, bool) or not isinstance(step, (int, np.integer)) or step < 0:
        raise lrcore.ScheduleError(
            "lrcore_optax.set_step", f"expected an integer >= 0, the number of updates already made; got {step!r}"
        )
    return int(step)


def _lrcore_schedule(schedule: Any) -> lrcore.Schedule:
    return lrcore.as_schedule(schedule.schedule if isinstance(schedule, TableSchedule | lrcore.Plateau) else schedule)


def _configured(schedule: Scheduled) -> lrcore.Schedule | lrcore.Plateau:
    return schedule if isinstance(schedule, lrcore.Plateau) else _lrcore_schedule(schedule)


def _leaves(opt_state: Any, wanted: Callable[[Any, Any], bool]) -> list[Any]:
    leaves = jax.tree_util.tree_leaves_with_path(opt_state, is_leaf=_counts_metrics)
    return [leaf for path, leaf in leaves if wanted(path, leaf)]


def _counts_metrics(node: Any) -> bool:
    """Whether it is the state of `optax.contrib.reduce_on_plateau`, whose `count` is not of updates."""
    return "plateau_count" in (node if isinstance(node, dict) else getattr(node, "_fields", ()))


def _is_count(path: Any, leaf: Any) -> bool:
    """Whether it is a `count`; a parameter of that name is no integer."""
    return _name(path, -1) == "count" and jnp.issubdtype(jnp.result_type(leaf), jnp.integer)


def _is_outer_count(path: Any) -> bool:
    """Whether it is what `optax.MultiSteps` counts updates by, beside the counts of the optimizer inside."""
    return _name(path, -1) == "gradient_step"


def _is_rate(path: Any, leaf: Any) -> bool:
    return _name(path, -1) == "learning_rate" and _name(path, -2) == "hyperparams"


def _name(path: Any, place: int) -> Any:
    """The attribute or the key at one place of a path; checkpoints restore named tuples as dicts."""
    key = path[place] if len(path) >= -place else None
    return getattr(key, "name", None) or getattr(key, "key", None)
