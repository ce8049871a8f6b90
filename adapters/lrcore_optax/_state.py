"""Reads the rate and the schedule's state from the state of an optax optimizer, and puts a saved one there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lrcore
from lrcore import adapting
from lrcore_optax._counts import current_step, name_at, numbers_in, set_step, steps_in
from lrcore_optax._plateau import HOW_TO_REPORT
from lrcore_optax._schedule import Scheduled, TableSchedule, configured, scaled_schedule


def current_lr(opt_state: Any, schedule: Scheduled | None = None, name: str = "learning_rate") -> float:
    """The learning rate of the last update; before the first update, the rate of the first.

    `optax.inject_hyperparams` keeps the rate in the state; for other optimizers pass the schedule. The rate includes the
    scale of a chained `lrcore_optax.reduce_on_plateau`. If that has received no metric in 10,000 updates, one warning says
    so.

    Args:
        opt_state: the state of an optax optimizer.
        schedule: the schedule of the optimizer; with a chained `reduce_on_plateau`, the plateau or its schedule.
        name: what the state calls the rate, where no schedule is given: the argument of the optimizer that holds it.

    Raises:
        ScheduleError: without `schedule`, the state holds no such hyperparameter, or those of several groups; with it, the
            state holds no count, or counts that differ; in both cases, states of plateaus that differ.

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
        return scaled_schedule(schedule, where)(last if horizon is None else min(last, horizon)) * scale
    hyperparams = _hyperparams(opt_state)
    rates = [value for found, value in hyperparams if found == name]
    if len(rates) != 1:
        others = ", ".join(sorted({str(found) for found, _ in hyperparams} - {name}))
        raise lrcore.ScheduleError(
            where,
            f"expected a state in which optax.inject_hyperparams keeps one {name}; got {len(rates) or 'none'}"
            + (f", and {others}; give the name of the one to read as name=" if others and not rates else "")
            + "; pass the schedule, or the state of one group",
        )
    return float(numbers_in(rates[0])[0]) * scale


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
    followed = configured(schedule, where)
    _check_has_plateau(opt_state, followed, where)
    plateau = _plateau_state(opt_state, where)
    _warn_if_no_report(opt_state, plateau, followed, where)
    return adapting.Follower(followed, plateau).state(current_step(opt_state))


def to_arrays(state: Mapping[str, int | str]) -> dict[str, Any]:
    """What `state_dict` returned, as arrays of numpy: for orbax' StandardCheckpointer, which takes no text.

    `load_state_dict` reads the arrays as it reads the dict.

    Args:
        state: what `state_dict` of this or another adapter returned.

    Example:
        >>> to_arrays(lrcore.save_state(7, lrcore.Constant(0.1)))["step"]
        array(7)
    """
    return {
        key: np.frombuffer(value.encode() + b"\n", dtype=np.uint8) if isinstance(value, str) else np.array(value)
        for key, value in state.items()
    }


def _without_arrays(state: Any) -> Any:
    """The state that `to_arrays` was given, from its arrays; anything else as it is."""
    if not isinstance(state, Mapping):
        return state
    return {key: _plain_value(np.asarray(value)) if hasattr(value, "dtype") else value for key, value in state.items()}


def _plain_value(array: Any) -> Any:
    return array.tobytes().decode().removesuffix("\n") if array.dtype == np.uint8 and array.ndim else array.tolist()


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
    follower = adapting.Follower.of(configured(schedule, where), where)
    follower, step = follower.loaded(_without_arrays(state), on_mismatch, where)
    _check_has_plateau(opt_state, follower.schedule, where)
    scaled = scaled_schedule(follower.schedule, where)
    opt_state = set_step(opt_state, step, scaled)
    if follower.plateau_state is not None:
        opt_state = _with_plateau_state(opt_state, follower.plateau_state)
        _report_due[scaled] = follower.report_due
    return opt_state, follower.schedule


def _hyperparams(opt_state: Any) -> list[tuple[Any, Any]]:
    """The names and values that `optax.inject_hyperparams` keeps."""
    leaves = jax.tree_util.tree_leaves_with_path(opt_state)
    return [(name_at(path, -1), leaf) for path, leaf in leaves if name_at(path, -2) == "hyperparams"]


def report(opt_state: Any, metric: Any, plateau: Scheduled) -> Any:
    """A copy of the state whose plateau was told a metric; a reduction holds from the next update on.

    For code that calls the optimizer's `update` for you and passes no `value`, such as flax's `TrainState.apply_gradients`.

    Args:
        opt_state: the state of an optax optimizer with a chained `reduce_on_plateau`.
        metric: the metric, one number.
        plateau: the plateau that was chained.

    Raises:
        ScheduleError: it is no plateau, the metric is not one number, or the state holds no state of a plateau.

    Example:
        >>> import lrcore_optax
        >>> plateau = lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, patience=0)
        >>> state = lrcore_optax.reduce_on_plateau(plateau).init(None)
        >>> for metric in [0.7, 0.7]:
        ...     state = report(state, metric, plateau)
        >>> float(state.scale)
        0.5
    """
    where = "lrcore_optax"
    followed = configured(plateau, where)
    _check_has_plateau(opt_state, followed, f"{where}.report")
    told = adapting.Follower(followed, _plateau_state(opt_state, f"{where}.report")).told(metric, where)
    return _with_plateau_state(opt_state, told.plateau_state)


# --- the plateau in a state -------------------------------------------------------------------------------------------


# The step from which a plateau without a metric is warned about, by the plateau's schedule.
_report_due: dict[Any, float] = {}


def _warn_if_no_report(opt_state: Any, plateau: lrcore.PlateauState | None, schedule: Any, where: str) -> None:
    """Warn once if the plateau has received no metric in many updates."""
    if plateau is None or plateau.reports:
        return
    scaled = None if schedule is None else scaled_schedule(schedule, where)
    due = _report_due.get(scaled)
    if max(steps_in(opt_state), default=0) >= (adapting.report_due(0) if due is None else due):
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
        columns = {name_at(path, -1): numbers_in(array) for path, array in jax.tree_util.tree_leaves_with_path(leaf)}
        rows = zip(*columns.values(), strict=True)
        states += [lrcore.PlateauState(**dict(zip(columns, row, strict=True))) for row in rows]
    different = len(set(map(str, states)))  # as text, since NaN != NaN
    if different > 1:
        raise lrcore.ScheduleError(where, f"expected the state of one plateau; got {different} that differ")
    return states[0] if states else None


def _with_plateau_state(opt_state: Any, state: lrcore.PlateauState | None) -> Any:
    def fill(path: Any, array: Any) -> Any:
        return jnp.full_like(array, getattr(state, name_at(path, -1)))

    def replace(leaf: Any) -> Any:
        return jax.tree_util.tree_map_with_path(fill, leaf) if _is_plateau_state(leaf) else leaf

    return jax.tree.map(replace, opt_state, is_leaf=_is_plateau_state)


def _plateau_leaves(opt_state: Any) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(opt_state, is_leaf=_is_plateau_state) if _is_plateau_state(leaf)]


def _is_plateau_state(leaf: Any) -> bool:
    """Whether the leaf is a PlateauState, possibly restored as a dict."""
    names = set(lrcore.PlateauState._fields)
    return isinstance(leaf, lrcore.PlateauState) or (isinstance(leaf, dict) and leaf.keys() == names)
