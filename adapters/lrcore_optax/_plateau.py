"""A plateau as a gradient transformation: the metric comes with an update, and all is compiled."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import optax

import lrcore
from lrcore import adapting

WHERE = "lrcore_optax.reduce_on_plateau"
TELL = "give update() the metric as value=, in one update after each evaluation"


def reduce_on_plateau(plateau: lrcore.Plateau) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by the scale of a plateau, as `optax.contrib.reduce_on_plateau` does.

    Chain it after the optimizer that follows the plateau's schedule. A metric is told as `value`; it lowers the very
    update that it comes with. Updates without a `value` keep the scale, so that a metric of each epoch may be told once an
    epoch. Where none ever has one nothing is reduced: a compiled update cannot say so, but `state_dict` and `current_lr`
    warn after 10,000 updates. What calls `update` for you has to hand the `value` on; flax's `TrainState.apply_gradients`
    does not.

    The state is a `lrcore.PlateauState` of arrays. A checkpoint of it does not hold the options: where they may change,
    `mode` above all, resume with `state_dict` and `load_state_dict`, which begin anew what then means something else.

    Args:
        plateau: its options; the schedule in it goes to the optimizer, through `as_schedule`.

    Returns:
        A transformation whose `update` takes `value`, a number.

    Raises:
        ScheduleError: it is no plateau.

    Source: `optax.contrib.reduce_on_plateau`.

    Example:
        >>> import jax.numpy as jnp, lrcore, lrcore_optax, optax
        >>> plateau = lrcore.Plateau(lrcore.Constant(0.5).warmup(2), factor=0.5, patience=0)
        >>> optimizer = optax.chain(
        ...     optax.sgd(lrcore_optax.as_schedule(plateau.schedule)), lrcore_optax.reduce_on_plateau(plateau)
        ... )
        >>> weight, state, used = jnp.zeros(()), optimizer.init(jnp.zeros(())), []
        >>> for loss in [0.9, 0.8, 0.8, 0.7]:
        ...     change, state = optimizer.update(jnp.ones(()), state, value=loss)
        ...     used.append(-float(change))
        >>> used
        [0.0, 0.25, 0.25, 0.25]
    """
    if not isinstance(plateau, lrcore.Plateau):
        raise lrcore.ScheduleError(WHERE, f"expected a lrcore.Plateau; got {plateau!r}")
    transition = plateau.transition(jnp.where)
    calls_without_value = itertools.count(1)
    report_due = adapting.report_due(0)

    def init(params: Any) -> lrcore.PlateauState:
        floating = jnp.result_type(float)
        return lrcore.PlateauState._make(
            jnp.asarray(one, dtype=floating if isinstance(one, float) else jnp.int32) for one in plateau.initial()
        )

    def update(
        updates: Any, state: lrcore.PlateauState, params: Any = None, *, value: Any = None, **extra: Any
    ) -> tuple[Any, lrcore.PlateauState]:
        nonlocal report_due
        if value is None and next(calls_without_value) == report_due:  # a compiled update calls this once
            adapting.warn_of_no_report(WHERE, TELL)
        if value is not None:
            report_due = 0
            state = transition(state, _metric(value).astype(state.best.dtype))  # type: ignore[attr-defined]
        scale: Any = state.scale
        return jax.tree.map(lambda change: change * scale.astype(change.dtype), updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def _metric(value: Any) -> jax.Array:
    metric = jnp.asarray(value)
    if metric.shape or metric.dtype == bool:
        raise lrcore.ScheduleError(WHERE, f"expected a value that is one number; got {metric.dtype}{metric.shape}")
    return metric
