"""Reads and sets the counts of updates in the state of an optax optimizer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

import lrcore
from lrcore import adapting
from lrcore_optax._schedule import LAST_COUNT, Scheduled, scaled_schedule


class Counter(NamedTuple):
    """An integer field in which a transformation counts updates.

    Attributes:
        field: its name.
        beside: a field that stands in the same state, by which it is told from a parameter of that name.
        first: the number before the first update.
    """

    field: str
    beside: str = ""
    first: int = 0


COUNTERS = (
    Counter("count"),  # scale_by_schedule, inject_hyperparams, scale_by_adam and most others
    Counter("step_count", beside="max_lr", first=1),  # contrib.schedule_free
    Counter("gradient_step", beside="mini_step"),  # MultiSteps; mini_step counts micro-batches
    Counter("t", beside="n"),  # scale_by_adan, contrib.scale_by_simplified_ademamix
    Counter("count_m2", beside="count"),  # contrib.scale_by_ademamix
    Counter("step", beside="inner_state"),  # conditionally_transform, conditionally_mask
)
"""The counts of updates in optax; the first of these that a state has is the one that schedules are given."""

NO_UPDATES = frozenset({"grad_acc", "plateau_count"})
"""Fields beside a `count` that counts something else: apply_every, modulo k, and contrib.reduce_on_plateau, metrics."""


def current_step(opt_state: Any) -> int:
    """The number of updates already made, as the state of an optimizer counts them.

    Args:
        opt_state: the state of an optax optimizer. It may be part of a larger state, restored from a checkpoint, replicated
            over devices or held by flax (`train_state.opt_state`, `nnx_optimizer.opt_state`).

    Raises:
        ScheduleError: the state holds no count, or counts that differ; it is traced by a compilation, or has shapes only.

    Example:
        >>> import optax
        >>> current_step(optax.sgd(optax.linear_schedule(0.5, 0.0, 4)).init(0.0))
        0
    """
    steps = steps_in(opt_state)
    if len(steps) != 1:
        found = ", ".join(map(str, sorted(steps))) or "none"
        raise lrcore.ScheduleError("lrcore_optax.current_step", f"expected a state with one count; got {found}")
    return steps.pop()


def set_step(opt_state: Any, step: int, schedule: Scheduled | None = None) -> Any:
    """A copy of the state with another number of updates made: to skip ahead, to go back or to resume.

    This sets every count of updates in the state, including that of Adam's bias correction. A position within an accumulation
    (`optax.MultiSteps`, `optax.apply_every`, `optax.lookahead`) stays as it is.

    Args:
        opt_state: the state of an optax optimizer.
        step: updates already made; the next update uses `schedule(step)`.
        schedule: the schedule of the optimizer: `optax.contrib.schedule_free` also remembers the largest rate so far, which is
            set if this is given.

    Raises:
        ScheduleError: `step` is not an integer >= 0, or the state holds no count.

    Example:
        >>> import optax
        >>> optimizer = optax.sgd(optax.linear_schedule(0.5, 0.0, 4))
        >>> change, _ = optimizer.update(jnp.float32(1.0), set_step(optimizer.init(0.0), 2))
        >>> float(change)
        -0.25
    """
    where = "lrcore_optax.set_step"
    made = adapting.checked_step(step, where)
    counts = {path: counter for path, _, counter in _counters_in(opt_state)}
    if not counts:
        raise lrcore.ScheduleError(where, "expected a state with a count of updates; got none")
    largest = None if schedule is None else _largest_rate(scaled_schedule(schedule, where), made)

    def replaced(path: Any, leaf: Any) -> Any:
        if path in counts:
            return jnp.full_like(leaf, min(made + counts[path].first, LAST_COUNT))
        if largest is not None and name_at(path, -1) == "max_lr":
            return jnp.full_like(leaf, largest)
        return leaf

    return jax.tree_util.tree_map_with_path(replaced, opt_state)


def steps_in(opt_state: Any) -> set[int]:
    """The numbers of updates made that the counts say; several where groups or replicas differ."""
    found: dict[Counter, set[int]] = defaultdict(set)
    for _, leaf, counter in _counters_in(opt_state):
        found[counter].update(int(number) - counter.first for number in numbers_in(leaf))
    return next((found[counter] for counter in COUNTERS if counter in found), set())


def _counters_in(opt_state: Any) -> Iterator[tuple[Any, Any, Counter]]:
    """The path, the array and the counter of each count of updates."""
    leaves = jax.tree_util.tree_leaves_with_path(opt_state, is_leaf=_is_empty)
    fields: dict[tuple[Any, ...], set[Any]] = defaultdict(set)
    for path, _ in leaves:
        names = names_of(path)
        for length in range(len(names)):
            fields[names[:length]].add(names[length])
    for path, leaf in leaves:
        *state, field = names_of(path) or ("",)
        counter = next((one for one in COUNTERS if one.field == field), None)
        beside = fields[tuple(state)]
        if counter and counter.beside in {"", *beside} and not beside & NO_UPDATES and _is_integer(leaf):
            yield path, leaf, counter


def _largest_rate(schedule: lrcore.Schedule, made: int) -> float:
    """The largest rate that schedule_free has been given: it asks for the rate of the next update; 0 before the first."""
    steps = np.unique(np.linspace(1, made, min(made, 2**16)).astype(np.int64))
    return float(schedule.values(steps).max(initial=0.0))


def _is_empty(node: Any) -> bool:
    """Whether the node has no arrays; it is a field nevertheless."""
    return node is None or (isinstance(node, (tuple, list, dict)) and not node)


def _is_integer(leaf: Any) -> bool:
    """Whether the leaf holds integers; a parameter with the name of a count does not."""
    return not _is_empty(leaf) and bool(jnp.issubdtype(jnp.result_type(leaf), jnp.integer))


def names_of(path: Any) -> tuple[Any, ...]:
    """The attributes, keys and indices of a path; named tuples restored as dicts have the same."""
    names = tuple(
        next((getattr(key, kind) for kind in ("name", "key", "idx") if hasattr(key, kind)), None) for key in path
    )
    return names[:-1] if names[-1:] == ("value",) else names  # flax's nnx wraps each array in a variable


def name_at(path: Any, position: int) -> Any:
    """The name at a position of a path, or None."""
    names = names_of(path)
    return names[position] if len(names) >= -position else None


def numbers_in(leaf: Any) -> list[Any]:
    """The numbers in an array; there are several in the states of replicas and populations."""
    if isinstance(leaf, (Tracer, jax.ShapeDtypeStruct)):
        kind = "a traced one" if isinstance(leaf, Tracer) else "shapes, as jax.eval_shape gives them"
        raise lrcore.ScheduleError(
            "lrcore_optax",
            f"expected the state of an optimizer between compiled updates, with its numbers; got {kind}; inside a compilation, "
            "call what as_schedule returned with a count of the state",
        )
    numbers: list[Any] = np.ravel(leaf).tolist()
    return numbers
