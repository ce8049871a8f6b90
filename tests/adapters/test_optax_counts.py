"""Every count of updates in optax' states is set and read; what counts anything else is left alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

import lrcore
import lrcore_optax
from lrcore import Linear, ScheduleError
from lrcore_optax._counts import COUNTERS

SCHEDULE = Linear(init_value=0.5, end_value=0.25, decay_steps=20).warmup(5)
RATE = lrcore_optax.as_schedule(SCHEDULE)
INNER = optax.adam(0.1)
WEIGHTS = {"weight": jnp.ones((4, 4))}

COUNTING: dict[str, Callable[[], Any]] = {
    "MultiSteps": lambda: optax.MultiSteps(INNER, 2),
    "add_decayed_weights": lambda: optax.add_decayed_weights(RATE),
    "add_noise": lambda: optax.add_noise(0.1, 0.1, jax.random.key(0)),
    "apply_every": lambda: optax.chain(optax.apply_every(2), optax.sgd(RATE)),
    "apply_if_finite": lambda: optax.apply_if_finite(INNER, 3),
    "conditionally_mask": lambda: optax.conditionally_mask(optax.identity(), lambda step: step < 3),
    "conditionally_transform": lambda: optax.conditionally_transform(INNER, lambda step: step < 9),
    "contrib.acprop": lambda: optax.contrib.acprop(0.1),
    "contrib.ademamix": lambda: optax.contrib.ademamix(RATE),
    "contrib.adopt": lambda: optax.contrib.adopt(RATE),
    "contrib.dadapt_adamw": lambda: optax.contrib.dadapt_adamw(RATE),
    "contrib.galore": lambda: optax.contrib.galore(RATE),
    "contrib.madgrad": lambda: optax.contrib.madgrad(RATE),
    "contrib.mechanize": lambda: optax.contrib.mechanize(INNER),
    "contrib.muon": lambda: optax.contrib.muon(RATE),
    "contrib.prodigy": lambda: optax.contrib.prodigy(RATE),
    "contrib.reduce_on_plateau": lambda: optax.chain(INNER, optax.contrib.reduce_on_plateau(accumulation_size=3)),
    "contrib.sam": lambda: optax.with_extra_args_support(
        optax.GradientTransformation(*optax.contrib.sam(INNER, optax.sgd(0.1), sync_period=2))
    ),
    "contrib.schedule_free": lambda: optax.contrib.schedule_free(INNER, RATE),
    "contrib.schedule_free_sgd": lambda: optax.contrib.schedule_free_sgd(0.1),
    "contrib.simplified_ademamix": lambda: optax.contrib.scale_by_simplified_ademamix(),
    "contrib.split_real_and_imaginary": lambda: optax.contrib.split_real_and_imaginary(INNER),
    "ema": lambda: optax.ema(0.9),
    "inject_hyperparams": lambda: optax.inject_hyperparams(optax.adam)(RATE),
    "masked": lambda: optax.masked(INNER, {"weight": True}),
    "partition": lambda: optax.partition({"all": INNER}, {"weight": "all"}),
    "scale_by_adam": optax.scale_by_adam,
    "scale_by_adamax": optax.scale_by_adamax,
    "scale_by_adan": optax.scale_by_adan,
    "scale_by_amsgrad": optax.scale_by_amsgrad,
    "scale_by_belief": optax.scale_by_belief,
    "scale_by_factored_rms": optax.scale_by_factored_rms,
    "scale_by_lion": optax.scale_by_lion,
    "scale_by_novograd": optax.scale_by_novograd,
    "scale_by_radam": optax.scale_by_radam,
    "scale_by_schedule": lambda: optax.scale_by_schedule(RATE),
    "scale_by_yogi": optax.scale_by_yogi,
}
NO_UPDATES = {
    "mini_step",  # MultiSteps: micro-batches of the current update
    "notfinite_count",  # apply_if_finite: rejected updates in a row
    "total_notfinite",
    "steps_since_sync",  # lookahead and contrib.sam
    "num_linesearch_steps",  # of one update
    "plateau_count",  # contrib.reduce_on_plateau: metrics
    "cooldown_count",
}


def integers_in(state: Any) -> dict[str, Any]:
    """The integer arrays of a state, by their paths; the keys of random numbers are unsigned and not among them."""
    leaves = jax.tree_util.tree_leaves_with_path(state)
    named = {jax.tree_util.keystr(path): leaf for path, leaf in leaves}
    return {path: leaf for path, leaf in named.items() if jnp.issubdtype(jnp.result_type(leaf), jnp.signedinteger)}


def trained(optimizer: Any, updates: int) -> dict[str, int]:
    """The integers in the state after some updates; the compiler leaves out everything else."""
    update = (
        optimizer.update if isinstance(optimizer, optax.MultiSteps) else optax.with_extra_args_support(optimizer).update
    )

    @jax.jit
    def run() -> dict[str, Any]:
        def step(state: Any, number: Any) -> tuple[Any, None]:
            return update(WEIGHTS, state, WEIGHTS, value=-number)[1], None

        return integers_in(jax.lax.scan(step, optimizer.init(WEIGHTS), jnp.arange(updates))[0])

    return {path: int(number) for path, number in run().items()}


@pytest.mark.parametrize("name", COUNTING)
def test_a_state_that_is_set_counts_as_one_that_was_trained(name: str) -> None:
    """Six updates: a whole number of periods for everything above that counts modulo two or three."""
    optimizer = COUNTING[name]()
    moved = lrcore_optax.set_step(optimizer.init(WEIGHTS), 6)
    wanted = trained(optimizer, 12 if name in {"MultiSteps", "contrib.sam"} else 6)
    found = {path: int(number) for path, number in integers_in(moved).items()}
    assert found == wanted
    assert 6 in {*wanted.values(), *(number - 1 for number in wanted.values())}
    assert lrcore_optax.current_step(moved) == lrcore_optax.native_step(moved) == 6


def made_of(function: Any) -> Any:
    """The state of a transformation that takes a learning rate or nothing; None for any other function."""
    needed = [one for one in inspect.signature(function).parameters.values() if one.default is one.empty]
    names = [one.name for one in needed if one.kind is not one.VAR_KEYWORD]
    if names not in ([], ["learning_rate"]):
        return None
    try:
        return jax.eval_shape(lambda: function(*[0.1 for _ in names]).init(WEIGHTS))
    except (AttributeError, TypeError, ValueError):
        return None


@pytest.mark.filterwarnings("ignore:Specifying a key:UserWarning", "ignore:`optimistic_adam` is deprecated")
def test_every_integer_in_a_state_of_optax_is_known() -> None:
    known = {counter.field for counter in COUNTERS} | NO_UPDATES
    found: dict[str, str] = {}
    for module in (optax, optax.contrib):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            found.update({path.rpartition(".")[2]: name for path in integers_in(made_of(function))})
    assert len(found) >= 5
    assert {field: name for field, name in found.items() if field not in known} == {}


def test_the_weights_after_a_set_step_move_by_the_rate_of_that_step() -> None:
    for name in ("add_decayed_weights", "apply_every", "scale_by_schedule"):
        optimizer = COUNTING[name]()
        state = lrcore_optax.set_step(optimizer.init(WEIGHTS), 7)
        if name == "apply_every":
            _, state = optimizer.update(WEIGHTS, state, WEIGHTS)
            change, _ = optimizer.update(jax.tree.map(jnp.zeros_like, WEIGHTS), state, WEIGHTS)
            assert float(change["weight"][0, 0]) == -np.float32(SCHEDULE(8))
            continue
        change, _ = optimizer.update(jax.tree.map(jnp.ones_like, WEIGHTS), state, WEIGHTS)
        before = 1.0 if name == "add_decayed_weights" else 0.0
        assert float(change["weight"][0, 0]) - before == pytest.approx(SCHEDULE(7))


@pytest.mark.parametrize("schedule", [SCHEDULE, RATE, lrcore.Plateau(SCHEDULE), SCHEDULE.to_dict()])
def test_schedule_free_goes_on_with_the_largest_rate_so_far(schedule: Any) -> None:
    optimizer = COUNTING["contrib.schedule_free"]()
    state = optimizer.init(WEIGHTS)
    for _ in range(7):
        _, state = optimizer.update(WEIGHTS, state, WEIGHTS)
    moved = lrcore_optax.set_step(optimizer.init(WEIGHTS), 7, schedule)
    assert (int(moved.step_count), float(moved.max_lr)) == (int(state.step_count), float(state.max_lr)) == (8, 0.5)
    assert float(lrcore_optax.set_step(moved, 0, schedule).max_lr) == 0.0
    loaded, _ = lrcore_optax.load_state_dict(optimizer.init(WEIGHTS), lrcore.save_state(7, SCHEDULE), SCHEDULE)
    assert float(loaded.max_lr) == 0.5


def test_a_parameter_with_the_name_of_a_count_stays_as_it_is() -> None:
    names = ["count", "count_m2", "gradient_step", "inner_state", "max_lr", "n", "step", "step_count", "t"]
    weights = dict.fromkeys(names, jnp.int32(1))
    state = lrcore_optax.set_step(optax.trace(0.9).init(weights) + optax.sgd(RATE).init(weights), 7)
    assert lrcore_optax.current_step(state) == 7


def test_the_shapes_of_a_state_are_refused_in_one_sentence() -> None:
    shapes = jax.eval_shape(optax.adam(RATE).init, WEIGHTS)
    for ask in (lrcore_optax.current_step, lambda state: lrcore_optax.state_dict(state, SCHEDULE)):
        with pytest.raises(
            ScheduleError, match=r"with its numbers; got shapes, as jax\.eval_shape gives them"
        ) as caught:
            ask(shapes)
        assert "\n" not in str(caught.value)
