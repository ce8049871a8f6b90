"""A plateau as a gradient transformation: the metric comes with an update, and all is compiled."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import optax

import lrcore


def reduce_on_plateau(plateau: lrcore.Plateau) -> optax.GradientTransformationExtraArgs:
    """Multiply updates by the scale of a plateau, as `optax.contrib.reduce_on_plateau` does.

    Chain it after the optimizer that follows the plateau's schedule. A metric is told as `value`; it lowers the very
    update that it comes with. Updates without a `value` keep the scale, so that a metric of each epoch may be told once an
    epoch. The state is a `lrcore.PlateauState` of arrays.

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
        raise lrcore.ScheduleError("lrcore_optax.reduce_on_plateau", f"expected a lrcore.Plateau; got {plateau!r}")
    transition = plateau.transition(jnp.where)

    def init(params: Any) -> lrcore.PlateauState:
        return as_arrays(plateau.initial())

    def update(
        updates: Any, state: lrcore.PlateauState, params: Any = None, *, value: Any = None, **extra: Any
    ) -> tuple[Any, lrcore.PlateauState]:
        if value is not None:
            state = transition(state, jnp.asarray(value, dtype=state.best.dtype))  # type: ignore[attr-defined]
        scale: Any = state.scale
        return jax.tree.map(lambda change: change * scale.astype(change.dtype), updates), state

    return optax.GradientTransformationExtraArgs(init, update)


def as_arrays(state: lrcore.PlateauState) -> Any:
    """The state of a plateau as JAX holds it."""
    floating = jnp.result_type(float)
    return lrcore.PlateauState._make(
        jnp.asarray(one, dtype=floating if isinstance(one, float) else jnp.int32) for one in state
    )


def plateau_state(opt_state: Any) -> lrcore.PlateauState | None:
    """The plateau's state inside that of an optimizer, as plain numbers; None if there is none."""
    found = [leaf for leaf in jax.tree.leaves(opt_state, is_leaf=_is_plateau_state) if _is_plateau_state(leaf)]
    return lrcore.PlateauState(*(one.item() for one in found[0])) if found else None


def with_plateau_state(opt_state: Any, state: lrcore.PlateauState) -> Any:
    """The state of an optimizer with another state of its plateau."""

    def changed(leaf: Any) -> Any:
        return as_arrays(state) if _is_plateau_state(leaf) else leaf

    return jax.tree.map(changed, opt_state, is_leaf=_is_plateau_state)


def _is_plateau_state(leaf: Any) -> bool:
    return isinstance(leaf, lrcore.PlateauState)
