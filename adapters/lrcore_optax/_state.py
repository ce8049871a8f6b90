"""Reads and sets the parts of an optax state that a schedule depends on: counts of updates and the plateau's state."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

import lrcore
from lrcore import adapting
from lrcore_optax._plateau import HOW_TO_REPORT
from lrcore_optax._schedule import LAST_COUNT, TableSchedule

Scheduled = lrcore.Schedule | lrcore.Plateau | TableSchedule | Callable[[int], float]


def current_step(opt_state: Any) -> int:
    """The number of updates already made, as the state of an optimizer counts them.

    Args:
        opt_state: the state of an optax optimizer. It may be part of a larger state, restored from a checkpoint, replicated
            over devices or held by flax (`train_state.opt_state`, `nnx_optimizer.opt_state`).

    Raises:
        ScheduleError: the state holds no count, or counts that differ; the state is traced by a compilation.

    Example:
        >>> import optax
        >>> current_step(optax.sgd(optax.linear_schedule(0.5, 0.0, 4)).init(0.0))
        0
    """
    counts = _counts(opt_state)
    if len(counts) != 1:
        found = ", ".join(map(str, sorted(counts))) or "none"
        raise lrcore.ScheduleError("lrcore_optax.current_step", f"expected a state with one count; got {found}")
    return counts.pop()


def set_step(opt_state: Any, step: int) -> Any:
    """A copy of the state with another number of updates made: to skip ahead, to go back or to resume.

    This sets all counts in the state, including that of Adam's bias correction.

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
    count = min(adapting.checked_step(step, "lrcore_optax.set_step"), LAST_COUNT)
    if not _matching_leaves(opt_state, _is_count):
        raise lrcore.ScheduleError("lrcore_optax.set_step", "expected a state with a count of updates; got none")

    def with_count(path: Any, leaf: Any) -> Any:
        return jnp.full_like(leaf, count) if _is_count(path, leaf) or _is_multi_steps_count(path, leaf) else leaf

    return jax.tree_util.tree_map_with_path(with_count, opt_state, is_leaf=_is_optax_plateau_state)


def current_lr(opt_state: Any, schedule: Scheduled | None = None) -> float:
    """The learning rate of the last update; before the first update, the rate of the first.

    `optax.inject_hyperparams` keeps the rate in the state; for other optimizers pass the schedule. The rate includes the
    scale of a chained `lrcore_optax.reduce_on_plateau`. If that has received no metric in 10,000 updates, one warning says
    so.

    Args:
        opt_state: the state of an optax optimizer.
        schedule: the schedule of the optimizer; with a chained `reduce_on_plateau`, the plateau or its schedule.

    Raises:
        ScheduleError: without `schedule`, the state holds no learning rate, or those of several groups; with it, the state
            holds no count, or counts that differ; in both cases, states of plateaus that differ.

    Example:
        >>> import lrcore_optax
        >>> import optax
        >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
        >>> optimizer = optax.sgd(lrcore_optax.as_schedule(schedule))
        >>> current_lr(set_step(optimizer.init(0.0), 3), schedule)
        0.25
    """
    where = "lrcore_optax.current_lr"
    plateau = _plateau_state(opt_state, where)
    scale = 1.0 if plateau is None else plateau.scale
    _warn_if_no_report(opt_state, plateau, schedule, where)
    if schedule is not None:
        horizon = schedule.horizon if isinstance(schedule, TableSchedule) else None
        last = max(current_step(opt_state) - 1, 0)
        return _lrcore_schedule(schedule)(last if horizon is None else min(last, horizon)) * scale
    rates = _matching_leaves(opt_state, _is_rate)
    if len(rates) != 1:
        raise lrcore.ScheduleError(
            where,
            f"expected a state in which optax.inject_hyperparams keeps one learning rate; got {len(rates) or 'none'}; "
            "pass the schedule, or the state of one group",
        )
    return float(_flat_numbers(rates[0])[0]) * scale


def state_dict(opt_state: Any, schedule: Scheduled) -> dict[str, int | str]:
    """The state of the schedule in the format of every adapter, so that a run can continue in another framework.

    Within optax a checkpoint of `opt_state` suffices to resume; it contains the counts, but not the schedule. If a plateau
    has received no metric in 10,000 updates, one warning says so.

    Args:
        opt_state: the state of an optax optimizer.
        schedule: the schedule of the optimizer; the plateau, if `reduce_on_plateau` is chained.

    Raises:
        ScheduleError: the state holds no count, or counts that differ; or, if a plateau is given, no state of one, or states
            that differ.

    Example:
        >>> import lrcore_optax
        >>> import optax
        >>> schedule = lrcore.Constant(0.1)
        >>> state_dict(optax.sgd(lrcore_optax.as_schedule(schedule)).init(0.0), schedule)
        {'format': 1, 'step': 0, 'schedule': '{"kind":"constant","value":0.1}', 'plateau': ''}
    """
    where = "lrcore_optax.state_dict"
    configured = _configured(schedule)
    _check_has_plateau(opt_state, configured, where)
    plateau = _plateau_state(opt_state, where)
    _warn_if_no_report(opt_state, plateau, schedule, where)
    plain = None if plateau is None else plateau.to_dict()
    return lrcore.save_state(current_step(opt_state), configured, plain)


def load_state_dict(
    opt_state: Any,
    state: Any,
    schedule: Scheduled,
    on_mismatch: adapting.Policy = "error",
) -> tuple[Any, Any]:
    """Set the state of an optimizer to a saved step, and return it with the schedule to continue with.

    Args:
        opt_state: the state of an optax optimizer, from `init` or a checkpoint.
        state: what `state_dict` of this or another adapter returned.
        schedule: the configured schedule or plateau.
        on_mismatch: what to do if the saved schedule differs: raise ("error"), continue with the saved one
            ("keep_checkpoint"; build the optimizer with the returned schedule), with the configured one ("use_config"), or
            with the configured one if it gives the rate of every update already made, else raise ("same_past").

    Raises:
        ScheduleError: `state` is not such a state; its schedule differs and the policy refuses it; `opt_state` has no count;
            or the schedule to continue with is a plateau, and `opt_state` has no state of one.

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
    _check_has_plateau(opt_state, loaded.schedule, where)
    opt_state = set_step(opt_state, loaded.step)
    if loaded.plateau is not None:
        plateau_state = lrcore.PlateauState.from_dict(loaded.plateau, where)
        opt_state = _with_plateau_state(opt_state, plateau_state)
        _report_due[_lrcore_schedule(loaded.schedule)] = adapting.report_due(loaded.step, plateau_state)
    elif isinstance(loaded.schedule, lrcore.Plateau):
        opt_state = _with_plateau_state(opt_state, loaded.schedule.initial())
        _report_due[_lrcore_schedule(loaded.schedule)] = adapting.report_due(loaded.step)
    return opt_state, loaded.schedule


def _lrcore_schedule(schedule: Any) -> lrcore.Schedule:
    return adapting.as_schedule(schedule.schedule if isinstance(schedule, TableSchedule | lrcore.Plateau) else schedule)


def _configured(schedule: Scheduled) -> lrcore.Schedule | lrcore.Plateau:
    return schedule if isinstance(schedule, lrcore.Plateau) else _lrcore_schedule(schedule)


# --- the counts and the rates in a state ------------------------------------------------------------------------------


def _counts(opt_state: Any) -> set[int]:
    return {int(number) for leaf in _matching_leaves(opt_state, _is_count) for number in _flat_numbers(leaf)}


def _matching_leaves(opt_state: Any, wanted: Callable[[Any, Any], bool]) -> list[Any]:
    leaves = jax.tree_util.tree_leaves_with_path(opt_state, is_leaf=_is_optax_plateau_state)
    return [leaf for path, leaf in leaves if wanted(path, leaf)]


def _is_optax_plateau_state(node: Any) -> bool:
    """Whether the node is a state of `optax.contrib.reduce_on_plateau`, whose `count` does not count updates."""
    return "plateau_count" in (node if isinstance(node, dict) else getattr(node, "_fields", ()))


def _is_count(path: Any, leaf: Any) -> bool:
    return _path_name(path, -1) == "count" and _is_integer(leaf)


def _is_multi_steps_count(path: Any, leaf: Any) -> bool:
    """Whether the leaf is the count of updates in `optax.MultiSteps`, which its inner optimizer has, too."""
    return _path_name(path, -1) == "gradient_step" and _is_integer(leaf)


def _is_integer(leaf: Any) -> bool:
    """Whether the leaf holds integers; a parameter with the name of a count does not."""
    return bool(jnp.issubdtype(jnp.result_type(leaf), jnp.integer))


def _is_rate(path: Any, leaf: Any) -> bool:
    return _path_name(path, -1) == "learning_rate" and _path_name(path, -2) == "hyperparams"


def _path_name(path: Any, position: int) -> Any:
    """The attribute or key at a position of a path; both, since checkpoints restore named tuples as dicts."""
    names = [getattr(key, "name", None) or getattr(key, "key", None) for key in path]
    if names[-1:] == ["value"]:  # flax's nnx wraps each array in a variable
        names.pop()
    return names[position] if len(names) >= -position else None


def _flat_numbers(leaf: Any) -> list[Any]:
    """The numbers in an array; there are several in the states of replicas and populations."""
    if isinstance(leaf, Tracer):
        raise lrcore.ScheduleError(
            "lrcore_optax",
            "expected the state of an optimizer between compiled updates; got a traced one; inside, call what as_schedule "
            "returned with a count of the state",
        )
    numbers: list[Any] = np.ravel(leaf).tolist()
    return numbers


# --- the plateau in a state -------------------------------------------------------------------------------------------


# The step from which a plateau without a metric is warned about, by the plateau's schedule.
_report_due: dict[Any, float] = {}


def _warn_if_no_report(opt_state: Any, plateau: lrcore.PlateauState | None, schedule: Any, where: str) -> None:
    """Warn once if the plateau has received no metric in many updates."""
    if plateau is None or plateau.reports:
        return
    scaled = None if schedule is None else _lrcore_schedule(schedule)
    due = _report_due.get(scaled)
    if max(_counts(opt_state), default=0) >= (adapting.report_due(0) if due is None else due):
        _report_due[scaled] = math.inf
        adapting.warn_of_no_report(where, HOW_TO_REPORT)


def _check_has_plateau(opt_state: Any, schedule: Any, where: str) -> None:
    if isinstance(schedule, lrcore.Plateau) and not _plateau_leaves(opt_state):
        raise lrcore.ScheduleError(
            where, "expected the state of an optimizer with a plateau; got none; chain lrcore_optax.reduce_on_plateau"
        )


def _plateau_state(opt_state: Any, where: str) -> lrcore.PlateauState | None:
    """The plateau's state in the state of an optimizer, as Python numbers; None if there is none."""
    states = []
    for leaf in _plateau_leaves(opt_state):
        columns = {
            _path_name(path, -1): _flat_numbers(array) for path, array in jax.tree_util.tree_leaves_with_path(leaf)
        }
        rows = zip(*columns.values(), strict=True)
        states += [lrcore.PlateauState(**dict(zip(columns, row, strict=True))) for row in rows]
    different = len(set(map(str, states)))  # as text, since NaN != NaN
    if different > 1:
        raise lrcore.ScheduleError(where, f"expected the state of one plateau; got {different} that differ")
    return states[0] if states else None


def _with_plateau_state(opt_state: Any, state: lrcore.PlateauState) -> Any:
    def fill(path: Any, array: Any) -> Any:
        return jnp.full_like(array, getattr(state, _path_name(path, -1)))

    def replace(leaf: Any) -> Any:
        return jax.tree_util.tree_map_with_path(fill, leaf) if _is_plateau_state(leaf) else leaf

    return jax.tree.map(replace, opt_state, is_leaf=_is_plateau_state)


def _plateau_leaves(opt_state: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(opt_state, is_leaf=_is_plateau_state) if _is_plateau_state(leaf)]


def _is_plateau_state(leaf: Any) -> bool:
    """Whether the leaf is a PlateauState, possibly restored as a dict."""
    names = set(lrcore.PlateauState._fields)
    return isinstance(leaf, lrcore.PlateauState) or (isinstance(leaf, dict) and leaf.keys() == names)
