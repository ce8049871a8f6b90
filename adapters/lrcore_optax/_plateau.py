"""A plateau as a gradient transformation: `update` takes the metric, and all of it can be compiled."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

import lrcore
from lrcore import adapting

WHERE = "lrcore_optax.reduce_on_plateau"
HOW_TO_REPORT = (
    "give update() the metric as value=, in one update after each evaluation, and value=None in the others, or tell it between "
    "updates by lrcore_optax.report"
)
NOT_GIVEN: Any = object()


def reduce_on_plateau(plateau: lrcore.Plateau) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by the scale of a plateau, as `optax.contrib.reduce_on_plateau` does.

    Chain it after the optimizer that uses the plateau's schedule. Pass the metric to `update` as `value`; a reduction
    already applies to this update. An update with `value=None` keeps the scale, so a metric measured once an epoch is passed
    once an epoch. An update that is given no `value` at all keeps it, too, and one warning says so. Where other code calls
    `update` and passes no `value`, such as flax's `TrainState.apply_gradients`, use `lrcore_optax.report`.

    The state is a `lrcore.PlateauState` of arrays. A checkpoint of it does not contain the options. If they may change,
    `mode` above all, resume with `state_dict` and `load_state_dict`, which reset the parts that change their meaning.

    Args:
        plateau: the options; pass its schedule to the optimizer with `as_schedule`.

    Returns:
        A transformation whose `update` takes `value`, a number or None.

    Raises:
        ScheduleError: the argument is not a plateau.

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
    is_warned = False

    def init(params: Any) -> lrcore.PlateauState:
        floating = jnp.result_type(float)
        return lrcore.PlateauState._make(
            jnp.asarray(field, dtype=floating if isinstance(field, float) else jnp.int32) for field in plateau.initial()
        )

    def update(
        updates: Any, state: lrcore.PlateauState, params: Any = None, *, value: Any = NOT_GIVEN, **extra: Any
    ) -> tuple[Any, lrcore.PlateauState]:
        nonlocal is_warned
        if value is NOT_GIVEN and not is_warned:  # in a compiled update, while it is traced
            is_warned = True
            adapting.warn(f"{WHERE}: update() was given no value, so the plateau reduces nothing; {HOW_TO_REPORT}")
        if value is not None and value is not NOT_GIVEN:
            state = transition(state, _metric(value).astype(state.best.dtype))  # type: ignore[attr-defined]
        scale: Any = state.scale
        return jax.tree.map(lambda change: change * scale.astype(change.dtype), updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def _metric(value: Any) -> jax.Array:
    metric = jnp.asarray(value)
    if metric.shape or metric.dtype == bool:
        raise lrcore.ScheduleError(WHERE, f"expected a value that is one number; got {metric.dtype}{metric.shape}")
    return metric
