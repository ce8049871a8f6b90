"""Tests `lrcore_optax.as_schedule` by the changes of weights, in every way that JAX can run an update."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lrcore
import lrcore_optax
from lrcore import Clip, Constant, Cosine, Function, InverseTime, Join, Linear, Repeat, Schedule, ScheduleError
from tests.adapters.optax_runs import enable_x64
from tests.kinds import KINDS, UPDATES

ROOT = Path(__file__).parents[2]
LAST = 2**31 - 1
SHORT = Cosine(init_value=0.3, end_value=0.01, decay_steps=15).warmup(5)
LONG = Join(
    [Linear(init_value=0.0, end_value=0.3, decay_steps=10_000_000), Cosine(init_value=0.3, decay_steps=990_000_000)] * 2
)
HARD_STEPS = [
    0,
    1,
    255,
    256,
    257,
    10**7 - 1,
    10**7,
    10**7 + 1,
    2**24 + 1,
    10**9 - 2,
    10**9,
    2 * 10**9 - 1,
    LAST - 1,
    LAST,
]
SOME_STEPS = np.concatenate([HARD_STEPS, np.random.default_rng(0).integers(0, LAST, 2_000)]).astype(np.int32)


def rates(optimizer: Any, updates: int, opt_state: Any = None, update: Any = None, weight: Any = None) -> list[float]:
    """The learning rates used by gradient descent, read from the changes of a weight whose gradient is 1."""
    weight = jnp.float32(0) if weight is None else weight
    opt_state = optimizer.init(weight) if opt_state is None else opt_state
    update = jax.jit(optimizer.update) if update is None else update
    moved = []
    for _ in range(updates):
        change, opt_state = update(jnp.ones_like(weight), opt_state, weight)
        moved.append(0.0 - float(change))
    return moved


def host(schedule: Schedule, steps: Any) -> list[float]:
    return [float(np.float32(schedule(step))) for step in steps]


# --- the weights ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("mode", ["jit", "eager", "scan"])
def test_the_weight_moves_by_the_schedule(name: str, mode: str) -> None:
    schedule = KINDS[name]
    optimizer = optax.sgd(lrcore_optax.as_schedule(schedule, UPDATES if name == "function" else None))
    assert run(optimizer, mode) == host(schedule, range(UPDATES))


def run(optimizer: Any, mode: str) -> list[float]:
    if mode != "scan":
        return rates(optimizer, UPDATES, update=jax.jit(optimizer.update) if mode == "jit" else optimizer.update)

    def step(opt_state: Any, gradient: jax.Array) -> tuple[Any, jax.Array]:
        change, opt_state = optimizer.update(gradient, opt_state, gradient)
        return opt_state, 0.0 - change

    _, moved = jax.jit(lambda: jax.lax.scan(step, optimizer.init(jnp.float32(0)), jnp.ones(UPDATES)))()
    return [float(rate) for rate in moved]


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": optax.sgd,
    "chain": lambda rate: optax.chain(optax.identity(), optax.sgd(rate)),
    "scale_by_learning_rate": optax.scale_by_learning_rate,
    "scale_by_schedule": lambda rate: optax.chain(optax.scale_by_schedule(rate), optax.scale(-1.0)),
    "scale_by_schedule, negated": lambda rate: optax.scale_by_schedule(lambda count: -rate(count)),
    "inject_hyperparams": lambda rate: optax.inject_hyperparams(optax.sgd)(learning_rate=rate),
    "masked": lambda rate: optax.masked(optax.sgd(rate), True),
    "apply_if_finite": lambda rate: optax.apply_if_finite(optax.sgd(rate), 3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_drives_what_optax_builds(name: str) -> None:
    optimizer = OPTIMIZERS[name](lrcore_optax.as_schedule(SHORT))
    assert rates(optimizer, 25) == host(SHORT, range(25))


def test_accumulated_gradients_count_as_one_update() -> None:
    optimizer = optax.MultiSteps(optax.sgd(lrcore_optax.as_schedule(SHORT)), every_k_schedule=3)
    moved = rates(optimizer, 30)
    assert moved[2::3] == host(SHORT, range(10))
    assert set(moved[0::3] + moved[1::3]) == {0.0}


def test_a_rejected_update_is_none() -> None:
    optimizer = optax.apply_if_finite(optax.sgd(lrcore_optax.as_schedule(SHORT)), 3)
    opt_state = optimizer.init(jnp.float32(0))
    _, opt_state = optimizer.update(jnp.float32(1), opt_state)
    _, opt_state = optimizer.update(jnp.float32(jnp.nan), opt_state)
    change, _ = optimizer.update(jnp.float32(1), opt_state)
    assert -float(change) == np.float32(SHORT(1))


def test_groups_follow_schedules_of_their_own() -> None:
    schedules = {"slow": SHORT * 0.1, "fast": SHORT}
    groups = {name: optax.sgd(lrcore_optax.as_schedule(schedule)) for name, schedule in schedules.items()}
    optimizer = optax.partition(groups, {"slow": "slow", "fast": "fast"})
    weights = {"slow": jnp.float32(0), "fast": jnp.float32(0)}
    opt_state = optimizer.init(weights)
    update = jax.jit(optimizer.update)
    for step in range(25):
        change, opt_state = update(jax.tree.map(jnp.ones_like, weights), opt_state, weights)
        assert {name: -float(change[name]) + 0.0 for name in change} == {
            name: float(np.float32(schedule(step))) for name, schedule in schedules.items()
        }


def test_weight_decay_follows_a_schedule_of_its_own() -> None:
    decay = Linear(init_value=0.5, end_value=0.0, decay_steps=20)
    optimizer = optax.chain(
        optax.add_decayed_weights(lrcore_optax.as_schedule(decay)), optax.sgd(lrcore_optax.as_schedule(SHORT))
    )
    weight, opt_state = jnp.float32(1), optimizer.init(jnp.float32(1))
    for step in range(25):
        change, opt_state = optimizer.update(jnp.float32(0), opt_state, weight)
        assert -float(change) == pytest.approx(SHORT(step) * decay(step), rel=1e-6)


def test_bfloat16_weights_get_the_rate_in_float32() -> None:
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=lrcore_optax.as_schedule(Constant(0.1003)))
    weight = jnp.bfloat16(1)
    _, opt_state = optimizer.update(weight, optimizer.init(weight), weight)
    assert opt_state.hyperparams["learning_rate"].dtype == jnp.float32
    assert lrcore_optax.current_lr(opt_state) == np.float32(0.1003)


# --- x64 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [SHORT, LONG], ids=["lookup", "polynomials"])
def test_with_x64_the_rate_is_as_exact_as_float64(schedule: Schedule) -> None:
    rate = lrcore_optax.as_schedule(schedule)
    steps = [0, 3, 17, 200, 12_345_678, 999_999_990]
    exact = pytest.approx([schedule(step) for step in steps], rel=4e-15, abs=0)
    with enable_x64(True):
        assert rate(np.array(steps)).tolist() == exact
        assert jax.jit(rate)(jnp.array(steps)).tolist() == exact
        assert [float(rate(step)) for step in steps] == exact
        assert [float(rate(jnp.float64(step))) for step in steps] == exact
        weights = rates(optax.scale_by_learning_rate(rate), 3, weight=jnp.float64(0))
        assert weights == [schedule(step) for step in range(3)]
    assert rate(jnp.int32(3)).dtype == rate(3).dtype == jnp.float32


WITH_X64: dict[str, Callable[[Any], Any]] = {
    **OPTIMIZERS,
    "inject_hyperparams, adamw": lambda rate: optax.inject_hyperparams(optax.adamw)(rate, weight_decay=rate),
    "add_decayed_weights": lambda rate: optax.chain(optax.add_decayed_weights(rate), optax.sgd(0.1)),
    "apply_if_finite, injected": lambda rate: optax.apply_if_finite(optax.inject_hyperparams(optax.sgd)(rate), 3),
    "conditionally_transform": lambda rate: optax.conditionally_transform(
        optax.inject_hyperparams(optax.sgd)(rate), lambda step: step < 3
    ),
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", WITH_X64)
def test_with_x64_the_rate_takes_the_type_of_the_parameters(name: str, dtype: str) -> None:
    with enable_x64(True):
        optimizer = WITH_X64[name](lrcore_optax.as_schedule(SHORT))
        weight = jnp.ones(2, dtype)

        def step(carry: Any, _: None) -> tuple[Any, Any]:
            change, opt_state = optimizer.update(jnp.ones_like(weight), carry[1], carry[0])
            return (optax.apply_updates(carry[0], change), opt_state), change

        _, changes = jax.lax.scan(step, (weight, optimizer.init(weight)), length=4)
        assert changes.dtype == dtype


# --- the same bits in every compilation -------------------------------------------------------------------------------


def transformed() -> dict[str, Callable[[Any, Any], Any]]:
    def looped(rate: Any, steps: Any) -> Any:
        def body(carry: Any) -> Any:
            number, out = carry
            return number + 1, out.at[number].set(rate(steps[number]))

        return jax.lax.while_loop(lambda carry: carry[0] < len(steps), body, (0, jnp.zeros(len(steps))))[1]

    return {
        "eager": lambda rate, steps: rate(steps),
        "jit": lambda rate, steps: jax.jit(rate)(steps),
        "vmap": lambda rate, steps: jax.jit(jax.vmap(rate))(steps),
        "map": lambda rate, steps: jax.jit(lambda all_: jax.lax.map(rate, all_))(steps),
        "scan": lambda rate, steps: jax.jit(lambda all_: jax.lax.scan(lambda c, one: (c, rate(one)), 0, all_)[1])(
            steps
        ),
        "while": lambda rate, steps: jax.jit(lambda all_: looped(rate, all_))(steps),
        "grad": lambda rate, steps: jax.jit(jax.vmap(jax.grad(lambda x, one: x * rate(one)), (None, 0)))(1.0, steps),
        "checkpoint": lambda rate, steps: jax.jit(jax.checkpoint(rate))(steps),
        "without jit": without_jit,
    }


def without_jit(rate: Any, steps: Any) -> Any:
    with jax.disable_jit():
        return rate(steps)


@pytest.mark.parametrize("way", transformed())
def test_every_compilation_gives_the_same_bits(way: str) -> None:
    rate = lrcore_optax.as_schedule(LONG)
    on_host = rate(SOME_STEPS)
    values = transformed()[way](rate, jnp.asarray(SOME_STEPS))
    assert values.tolist() == on_host.tolist()
    exact = LONG.values(SOME_STEPS)
    assert (np.abs(on_host - exact) <= np.spacing(exact.astype(np.float32))).all()


EIGHT_DEVICES = """
import jax, jax.numpy as jnp, numpy as np, optax, lrcore, lrcore_optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
assert jax.device_count() == 8
schedule = lrcore.Cosine(init_value=0.3, decay_steps=10**9).warmup(1000)
rate = lrcore_optax.as_schedule(schedule)
steps = np.random.default_rng(0).integers(0, 10**9, 8 * 50).astype(np.int32)
spec = PartitionSpec("data")
"""

MAPPED = """
try:
    from jax import shard_map
except ImportError:  # before JAX 0.8
    from jax.experimental.shard_map import shard_map
mesh = Mesh(np.array(jax.devices()), ("data",))
sharded = jax.device_put(steps, NamedSharding(mesh, spec))
mapped = jax.jit(shard_map(rate, mesh=mesh, in_specs=spec, out_specs=spec))(sharded)
each = jax.pmap(rate)(steps.reshape(8, 50)).reshape(-1)
automatic = jax.jit(rate)(sharded)
assert rate(steps).tolist() == mapped.tolist() == each.tolist() == automatic.tolist()

optimizer = optax.sgd(rate)
state = jax.pmap(lambda weight: optimizer.init(weight))(jnp.zeros(8))
for step in range(5):
    change, state = jax.pmap(optimizer.update)(jnp.ones(8), state)
    assert (0.0 - change).tolist() == [float(np.float32(schedule(step)))] * 8
state = lrcore_optax.set_step(state, 500)
assert lrcore_optax.current_step(state) == 500
change, state = jax.pmap(optimizer.update)(jnp.ones(8), state)
assert (0.0 - change).tolist() == [float(np.float32(schedule(500)))] * 8
"""

EXPLICIT_AXES = """
from jax.sharding import AxisType
for schedule in (schedule, lrcore.Cosine(init_value=0.3, decay_steps=600)):
    rate = lrcore_optax.as_schedule(schedule)
    with jax.set_mesh(jax.make_mesh((8,), ("data",), axis_types=(AxisType.Explicit,))):
        explicit = jax.device_put(steps, spec)
        values = [jax.jit(rate)(explicit), rate(explicit), jax.jit(jax.vmap(rate))(explicit)]
        assert [one.tolist() for one in values] == [rate(steps).tolist()] * 3
        assert all(jax.typeof(one).sharding.spec == spec for one in values)
        optimizer = optax.adamw(rate)
        population = jax.device_put(jnp.zeros((8, 2)), spec)
        state = lrcore_optax.set_step(jax.vmap(optimizer.init)(population), 500)
        change, state = jax.jit(jax.vmap(optimizer.update))(population + 1, state, population)
        assert lrcore_optax.current_step(state) == 501
"""


def run_on_eight_devices(program: str) -> None:
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "adapters")])}
    run_ = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", EIGHT_DEVICES + program],
        env=os.environ | flags | path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run_.returncode == 0, run_.stderr


def test_eight_devices_give_the_same_bits() -> None:
    run_on_eight_devices(MAPPED)


def test_eight_devices_on_a_mesh_with_explicit_axes_give_the_same_bits() -> None:
    run_on_eight_devices(EXPLICIT_AXES)


HUNDRED_PIECES = Join(
    [Linear(init_value=0.1, end_value=1.0 + 1 / part, decay_steps=2 * 10**7) for part in range(1, 101)]
)


@pytest.mark.parametrize("schedule", [SHORT, LONG, HUNDRED_PIECES], ids=["lookup", "cubics", "a hundred pieces"])
def test_the_graph_is_small_and_traced_once(schedule: Schedule) -> None:
    rate = lrcore_optax.as_schedule(schedule)
    traces = []

    def counted(count: Any) -> Any:
        traces.append(count)
        return rate(count)

    assert equations(jax.make_jaxpr(rate)(jnp.int32(0)).jaxpr) <= 100
    assert jax.jit(rate).lower(jnp.int32(0)).compile().cost_analysis()["flops"] <= 150
    rates(optax.sgd(counted), 5)
    assert len(traces) == 1


def equations(jaxpr: Any) -> int:
    inner = [value for equation in jaxpr.eqns for value in jax.tree.leaves(list(equation.params.values()))]
    jaxprs = [getattr(value, "jaxpr", value) for value in inner]
    return len(jaxpr.eqns) + sum(equations(one) for one in jaxprs if hasattr(one, "eqns"))


# --- counts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [SHORT, LONG], ids=["lookup", "cubics"])
@pytest.mark.parametrize(
    ("count", "step"),
    [
        (3, 3),
        (np.int64(2**40), LAST),
        (2**31, LAST),
        (2**70, LAST),
        (np.uint64(2**63), LAST),
        (np.int8(5), 5),
        (7.0, 7),
        (np.float16(3), 3),
        (float("inf"), LAST),
        (-4, 0),
        (np.array(2), 2),
        (jnp.uint32(2**32 - 1), LAST),
        (jnp.int8(5), 5),
        (jnp.float32(7), 7),
        (jnp.bfloat16(4), 4),
        (jnp.float32(3e9), LAST),
        (jnp.int32(-4), 0),
    ],
)  # fmt: skip
def test_any_number_is_a_count(schedule: Schedule, count: Any, step: int) -> None:
    value = lrcore_optax.as_schedule(schedule)(count)
    assert (value.shape, value.dtype, value.weak_type) == ((), jnp.float32, False)
    assert float(value) == np.float32(schedule(step))


COUNTS = [0.25, 7.5, 12.75, 4.0, -1.5, 1e6]


@pytest.mark.parametrize("schedule", [SHORT, LONG], ids=["lookup", "cubics"])
def test_between_two_updates_the_rate_is_interpolated(schedule: Schedule) -> None:
    rate, steps = lrcore_optax.as_schedule(schedule), [max(int(count // 1), 0) for count in COUNTS]
    now, then = np.array(host(schedule, steps)), np.array(host(schedule, [step + 1 for step in steps]))
    exact = pytest.approx(now + (np.clip(COUNTS, 0, None) - steps) * (then - now), rel=2e-7)
    assert rate(COUNTS).tolist() == exact
    assert [float(rate(count)) for count in COUNTS] == exact
    assert [float(rate(jnp.float32(count))) for count in COUNTS] == exact
    assert jax.jit(rate)(jnp.array(COUNTS)).tolist() == exact


@pytest.mark.parametrize("schedule", [SHORT, LONG], ids=["lookup", "cubics"])
def test_the_derivative_by_the_count_is_the_difference_to_the_next_update(schedule: Schedule) -> None:
    rate = lrcore_optax.as_schedule(schedule)
    slopes = jax.jit(jax.vmap(jax.grad(rate)))(jnp.array(COUNTS))
    differences = [float(rate(int(count) + 1) - rate(int(count))) if count > 0 else 0.0 for count in COUNTS]
    assert slopes.tolist() == pytest.approx(differences, rel=1e-6)
    assert [float(jax.grad(rate)(count)) for count in COUNTS] == slopes.tolist()


def test_a_float_that_is_no_number_gives_no_rate() -> None:
    assert np.isnan(jax.jit(lrcore_optax.as_schedule(SHORT))(jnp.nan))


def test_arrays_of_counts_can_be_plotted() -> None:
    rate = lrcore_optax.as_schedule(SHORT)
    for counts in ([0, 1, 2], np.linspace(0, 2, 3), np.arange(3, dtype=np.uint8), range(3), jnp.arange(3)):
        assert rate(counts).tolist() == host(SHORT, range(3))


@pytest.mark.parametrize("count", [float("nan"), "3", None, True, 1j, jnp.bool_(True)])
def test_what_is_no_count_is_refused(count: Any) -> None:
    with pytest.raises(ScheduleError, match="count: expected the number of updates already made; got"):
        lrcore_optax.as_schedule(SHORT)(count)


# --- functions, pickles, refusals -------------------------------------------------------------------------------------


def halving(step: int) -> float:
    return 0.5**step


def test_a_python_function_is_looked_up_over_its_horizon() -> None:
    rate = lrcore_optax.as_schedule(halving, horizon=4)
    assert rates(optax.sgd(rate), 7) == [1.0, 0.5, 0.25, 0.125, 0.0625, 0.0625, 0.0625]


def test_a_python_function_without_a_horizon_is_refused_in_one_sentence() -> None:
    with pytest.raises(ScheduleError, match="horizon of at most 4194304 steps; got none; give the number") as caught:
        lrcore_optax.as_schedule(halving)
    assert "\n" not in str(caught.value)


def test_a_schedule_of_too_many_pieces_takes_a_horizon() -> None:
    schedule = Repeat(Cosine(init_value=0.1, decay_steps=100_000), value_factor=0.9)
    words = "expected at most 32768 pieces; got more; give the number of updates that you train for as horizon"
    with pytest.raises(ScheduleError, match=words):
        lrcore_optax.as_schedule(schedule)
    rate = lrcore_optax.as_schedule(schedule, horizon=1_000_000)
    for step in (123_456, 1_000_000, 2_000_000):
        exact = schedule(min(step, 1_000_000))
        assert float(rate(jnp.int32(step))) == pytest.approx(exact, rel=1.2e-7)


@pytest.mark.parametrize(
    "schedule",
    [
        Linear(init_value=0.1, decay_steps=3 * 10**9),
        Clip(InverseTime(init_value=0.01, power=0.5), min_value=1e-8),
        Join([Cosine(init_value=0.1, decay_steps=10**9), Function(halving)], boundaries=[2**31]),
    ],
)
def test_what_comes_after_the_last_count_does_not_matter(schedule: Schedule) -> None:
    rate = lrcore_optax.as_schedule(schedule)
    for step in (0, 255, 123_456, 1_999_999_999, LAST):
        assert float(rate(jnp.int32(step))) == pytest.approx(schedule(step), rel=1.2e-7)


def test_a_function_that_fails_is_refused_before_the_first_update() -> None:
    with pytest.raises(ScheduleError, match="expected a finite number at step 3"):
        lrcore_optax.as_schedule(lambda step: 0.1 if step < 3 else float("nan"), horizon=10)


@pytest.mark.parametrize("schedule", [SHORT, LONG, halving], ids=["lookup", "cubics", "function"])
def test_it_pickles(schedule: Any) -> None:
    rate = lrcore_optax.as_schedule(schedule, horizon=10 if schedule is halving else None)
    again = pickle.loads(pickle.dumps(rate))
    assert again(SOME_STEPS).tolist() == rate(SOME_STEPS).tolist()
    assert again == rate
    assert repr(again) == repr(rate)


def test_equal_schedules_share_a_compilation_that_takes_them_as_static() -> None:
    traces = []

    def rate_at(rate: Any, count: Any) -> Any:
        traces.append(rate)
        return rate(count)

    compiled = jax.jit(rate_at, static_argnums=0)
    for schedule in (SHORT, lrcore.loads(lrcore.dumps(SHORT)), SHORT * 2.0):
        compiled(lrcore_optax.as_schedule(schedule), 3)  # type: ignore[arg-type]
    assert len(traces) == 2


def test_equal_schedules_share_one_table() -> None:
    again = lrcore_optax.as_schedule(lrcore.loads(lrcore.dumps(LONG)))
    assert again.table is lrcore_optax.as_schedule(LONG).table
    assert lrcore_optax.as_schedule(LONG, horizon=10**9).table is not again.table


def test_a_function_that_changed_has_a_table_of_its_own() -> None:
    rate = [0.5]
    before = lrcore_optax.as_schedule(lambda step: rate[0], horizon=3)
    function = before.schedule
    rate[0] = 0.25
    assert (float(before(0)), float(lrcore_optax.as_schedule(function, horizon=3)(0))) == (0.5, 0.25)


TOML = 'kind = "cosine"\ninit_value = 0.3\nend_value = 0.01\ndecay_steps = 15\nwarmup = {steps = 5}\n'


def test_a_path_a_text_and_a_dict_are_schedules(tmp_path: Path) -> None:
    (tmp_path / "schedule.toml").write_text(TOML)
    for given in (tmp_path / "schedule.toml", str(tmp_path / "schedule.toml"), TOML, SHORT.to_dict()):
        assert lrcore_optax.as_schedule(given) == lrcore_optax.as_schedule(SHORT)
    with pytest.raises(
        ScheduleError, match=r"lrcore_optax\.as_schedule: no-such\.toml: expected a file; there is none"
    ):
        lrcore_optax.as_schedule("no-such.toml")


def test_a_schedule_of_optax_is_taken_back() -> None:
    rate = lrcore_optax.as_schedule(SHORT, horizon=8)
    assert lrcore_optax.as_schedule(rate) == rate
    assert repr(rate) == f"lrcore_optax.as_schedule({SHORT!r}, horizon=8)"
    assert lrcore_optax.as_schedule(rate, horizon=9) == lrcore_optax.as_schedule(SHORT, horizon=9) != rate


# --- reading and setting ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [7, 2**24 + 1, LAST - 1])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_can_be_set_to_any_step(name: str, step: int) -> None:
    rate = lrcore_optax.as_schedule(LONG)
    optimizer = OPTIMIZERS[name](rate)
    opt_state = lrcore_optax.set_step(optimizer.init(jnp.float32(0)), step)
    assert lrcore_optax.current_step(opt_state) == step
    assert rates(optimizer, 2, opt_state) == [float(rate(step)), float(rate(step + 1))]


def test_setting_a_step_moves_accumulation_and_every_group_but_no_parameter() -> None:
    inner = optax.partition(
        {"a": optax.adam(lrcore_optax.as_schedule(SHORT)), "b": optax.sgd(0.1)},
        {"count": "a", "gradient_step": "a", "x": "b"},
    )
    optimizer = optax.MultiSteps(inner, every_k_schedule=2)
    weights = dict.fromkeys(["count", "gradient_step", "x"], jnp.float32(1))
    opt_state = lrcore_optax.set_step(optimizer.init(weights), 7)
    assert lrcore_optax.current_step(opt_state) == 7
    assert int(opt_state.gradient_step) == 7
    moments = optax.tree.get_all_with_path(opt_state, "mu")
    assert jax.tree.leaves([tree for _, tree in moments]) == [0.0, 0.0]


@pytest.mark.parametrize("step", [5, np.int8(5), np.array(5), jnp.int32(5)])
def test_a_step_is_any_integer(step: Any) -> None:
    opt_state = optax.sgd(lrcore_optax.as_schedule(SHORT)).init(0.0)
    assert lrcore_optax.current_step(lrcore_optax.set_step(opt_state, step)) == 5


@pytest.mark.parametrize("step", [-1, 1.5, True, "3", None, np.array([5])])
def test_a_step_that_is_none_is_refused(step: Any) -> None:
    opt_state = optax.sgd(lrcore_optax.as_schedule(SHORT)).init(0.0)
    with pytest.raises(ScheduleError, match=r"lrcore_optax\.set_step: expected an integer >= 0"):
        lrcore_optax.set_step(opt_state, step)


def test_a_state_without_a_count_is_refused() -> None:
    opt_state = optax.sgd(0.1).init(jnp.float32(0))
    with pytest.raises(ScheduleError, match="expected a state with a count of updates; got none"):
        lrcore_optax.set_step(opt_state, 3)
    with pytest.raises(ScheduleError, match="expected a state with one count; got none"):
        lrcore_optax.current_step(opt_state)


def test_the_rate_used_can_be_read_back() -> None:
    rate = lrcore_optax.as_schedule(SHORT)
    plain, injected = optax.sgd(rate), optax.inject_hyperparams(optax.adam)(learning_rate=rate)
    plain_state, injected_state = plain.init(jnp.float32(0)), injected.init(jnp.float32(0))
    assert lrcore_optax.current_lr(injected_state) == lrcore_optax.current_lr(plain_state, rate) == SHORT(0)
    for step in range(12):
        change, plain_state = plain.update(jnp.float32(1), plain_state)
        _, injected_state = injected.update(jnp.float32(1), injected_state)
        used = 0.0 - float(change)
        assert used == lrcore_optax.current_lr(injected_state) == np.float32(SHORT(step))
        assert lrcore_optax.current_lr(plain_state, SHORT) == lrcore_optax.current_lr(plain_state, rate) == SHORT(step)
        assert lrcore_optax.current_step(plain_state) == lrcore_optax.current_step(injected_state) == step + 1


def test_beyond_its_horizon_the_rate_that_is_read_is_the_one_used() -> None:
    rate = lrcore_optax.as_schedule(SHORT, horizon=8)
    optimizer = optax.sgd(rate)
    opt_state = lrcore_optax.set_step(optimizer.init(jnp.float32(0)), 13)
    assert rates(optimizer, 1, opt_state) == host(SHORT, [8])
    assert lrcore_optax.current_lr(opt_state, rate) == SHORT(8) != SHORT(12)


def test_a_rate_written_by_hand_does_not_last() -> None:
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=lrcore_optax.as_schedule(SHORT))
    opt_state = optimizer.init(jnp.float32(0))
    opt_state.hyperparams["learning_rate"] = jnp.float32(9)
    assert rates(optimizer, 5, opt_state) == host(SHORT, range(5))


@pytest.mark.parametrize("helper", [lrcore_optax.current_step, lrcore_optax.current_lr])
def test_what_is_not_known_inside_a_compilation_is_said(helper: Any) -> None:
    optimizer = optax.inject_hyperparams(optax.sgd)(learning_rate=lrcore_optax.as_schedule(SHORT))
    opt_state = optimizer.init(jnp.float32(0))
    with pytest.raises(
        ScheduleError, match="expected the state of an optimizer between compiled updates; got a traced"
    ):
        jax.jit(helper)(opt_state)
    moved = jax.jit(lambda state: lrcore_optax.set_step(state, 7))(opt_state)
    assert lrcore_optax.current_step(moved) == 7


def test_a_rate_that_no_state_holds_is_refused() -> None:
    rate = lrcore_optax.as_schedule(SHORT)
    group = optax.inject_hyperparams(optax.sgd)(learning_rate=rate)
    both = optax.partition({"a": group, "b": group}, {"x": "a", "y": "b"}).init({"x": 0.0, "y": 0.0})
    for opt_state, found in ((optax.sgd(rate).init(0.0), "none"), (both, "2")):
        with pytest.raises(ScheduleError, match=f"keeps one learning_rate; got {found}; pass the schedule"):
            lrcore_optax.current_lr(opt_state)


def test_a_rate_of_another_name_is_read_by_its_name() -> None:
    scaled = optax.inject_hyperparams(optax.scale_by_learning_rate)(lrcore_optax.as_schedule(SHORT))
    other = optax.inject_hyperparams(optax.scale)(step_size=lrcore_optax.as_schedule(SHORT))
    for optimizer, name in ((scaled, "learning_rate"), (other, "step_size")):
        opt_state = optimizer.init(jnp.float32(0))
        for _ in range(3):
            _, opt_state = optimizer.update(jnp.float32(1), opt_state, jnp.float32(0))
        assert lrcore_optax.current_lr(opt_state, name=name) == np.float32(SHORT(2))
    with pytest.raises(
        ScheduleError, match=r"keeps one learning_rate; got none, and step_size; give the name .* as name="
    ):
        lrcore_optax.current_lr(opt_state)


# --- resuming ---------------------------------------------------------------------------------------------------------


def test_a_path_a_text_and_a_dict_are_schedules_wherever_one_is_taken(tmp_path: Path) -> None:
    (tmp_path / "schedule.toml").write_text(TOML)
    opt_state = lrcore_optax.set_step(optax.sgd(lrcore_optax.as_schedule(SHORT)).init(0.0), 8)
    for given in (str(tmp_path / "schedule.toml"), TOML, SHORT.to_dict()):
        state = lrcore_optax.state_dict(opt_state, given)
        assert lrcore_optax.load_state_dict(opt_state, state, given)[1] == SHORT
        assert lrcore_optax.current_lr(opt_state, given) == SHORT(7)


def test_the_state_is_that_of_every_adapter() -> None:
    rate = lrcore_optax.as_schedule(SHORT)
    optimizer = optax.adam(rate)
    opt_state = lrcore_optax.set_step(optimizer.init(jnp.float32(0)), 8)
    state = lrcore_optax.state_dict(opt_state, rate)
    assert state == lrcore_optax.state_dict(opt_state, SHORT) == lrcore.save_state(8, SHORT)
    loaded, schedule = lrcore_optax.load_state_dict(optimizer.init(jnp.float32(0)), state, rate)
    assert schedule == SHORT
    assert jax.tree.leaves(loaded) == jax.tree.leaves(opt_state)
    again, _ = lrcore_optax.load_state_dict(loaded, state, rate)
    assert jax.tree.leaves(again) == jax.tree.leaves(opt_state)


def test_a_state_as_arrays_is_read_like_the_state() -> None:
    plateau = lrcore.Plateau(SHORT, factor=0.5)
    optimizer = optax.chain(optax.sgd(lrcore_optax.as_schedule(SHORT)), lrcore_optax.reduce_on_plateau(plateau))
    opt_state = lrcore_optax.set_step(optimizer.init(0.0), 8)
    for schedule in (SHORT, plateau):
        state = lrcore_optax.state_dict(opt_state, plateau) if schedule is plateau else lrcore.save_state(8, SHORT)
        arrays = lrcore_optax.to_arrays(state)
        assert {array.dtype.kind for array in arrays.values()} <= {"i", "u"}
        loaded, _ = lrcore_optax.load_state_dict(optimizer.init(0.0), jax.tree.map(jnp.asarray, arrays), schedule)
        assert lrcore_optax.current_step(loaded) == 8


def test_a_state_of_another_schedule_is_reported() -> None:
    opt_state, state = optax.sgd(lrcore_optax.as_schedule(SHORT)).init(0.0), lrcore.save_state(8, LONG)
    with pytest.raises(ScheduleError, match=r"lrcore_optax\.load_state_dict: the saved schedule is not the configured"):
        lrcore_optax.load_state_dict(opt_state, state, SHORT)
    policies: list[Any] = [("keep_checkpoint", LONG), ("use_config", SHORT)]
    for policy, expected in policies:
        loaded, schedule = lrcore_optax.load_state_dict(opt_state, state, SHORT, on_mismatch=policy)
        assert schedule == expected
        assert rates(optax.sgd(lrcore_optax.as_schedule(schedule)), 3, loaded) == host(expected, range(8, 11))


# --- lrcore schedules called with arrays of JAX -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda: jax.jit(SHORT)(3),
        lambda: jax.jit(SHORT.values)(jnp.arange(3)),
        lambda: jax.vmap(SHORT)(jnp.arange(3)),
        lambda: jax.grad(SHORT)(3.0),
        lambda: SHORT(jnp.arange(3)),  # type: ignore[arg-type]
        lambda: SHORT(jnp.float32(3)),  # type: ignore[arg-type]
        lambda: jax.lax.scan(lambda carry, step: (carry, SHORT(step)), 0, jnp.arange(3)),
        lambda: jax.jit(lambda factor: (SHORT * factor)(0))(2.0),
        lambda: jax.jit(lambda factor: (factor * SHORT)(0))(2.0),
    ],
)
def test_a_schedule_that_is_traced_names_the_adapter(ask: Callable[[], Any]) -> None:
    with pytest.raises(ScheduleError, match=r"got .*(Trace[dr]|Array).*lrcore_optax\.as_schedule\(schedule\)"):
        ask()


@pytest.mark.parametrize(
    "make",
    [
        lambda traced: SHORT * traced,
        lambda traced: traced * SHORT,
        lambda traced: SHORT / traced,
        lambda traced: SHORT + traced,
        lambda traced: traced * lrcore_optax.as_schedule(SHORT),
        lambda traced: lrcore_optax.as_schedule(SHORT) * traced,
        lambda traced: Cosine(init_value=traced, decay_steps=15),
        lambda traced: Linear(init_value=0.1, decay_steps=traced),
        lambda traced: SHORT.replace(warmup=None).warmup(5, init_value=traced),
        lambda traced: lrcore_optax.from_native(optax.cosine_decay_schedule, traced, 10),
    ],
)
def test_a_traced_parameter_is_refused_with_the_form_that_is_right(make: Callable[[Any], Any]) -> None:
    with pytest.raises(
        ScheduleError, match=r"got .*Trace[dr].* (scale \* learning_rate\(count\)|lambda count: factor \*)"
    ) as caught:
        jax.jit(make)(2.0)
    assert "\n" not in str(caught.value)


def test_a_sweep_over_peak_rates_multiplies_the_rate() -> None:
    rate = lrcore_optax.as_schedule(SHORT)

    def moved(scale: Any) -> Any:
        optimizer = optax.sgd(lambda count: scale * rate(count))

        def update(opt_state: Any, _: None) -> tuple[Any, Any]:
            change, opt_state = optimizer.update(jnp.float32(1), opt_state)
            return opt_state, 0.0 - change

        return jax.lax.scan(update, optimizer.init(jnp.float32(0)), length=8)[1]

    scales = jnp.array([0.5, 1.0, 2.0])
    sweep = jax.jit(jax.vmap(moved))(scales)
    assert sweep.tolist() == [host(SHORT * float(scale), range(8)) for scale in scales]
    slopes = jax.jacfwd(moved)(1.0)
    assert slopes.tolist() == host(SHORT, range(8))


def test_a_number_times_a_rate_is_refused_with_the_form_that_is_right() -> None:
    for refused in (lambda: 2 * lrcore_optax.as_schedule(SHORT), lambda: lrcore_optax.as_schedule(SHORT) * 2):
        with pytest.raises(ScheduleError, match=r"write as_schedule\(schedule \* factor\) for a number"):
            refused()


def test_numbers_of_jax_that_have_a_value_are_numbers() -> None:
    assert SHORT(jnp.int32(3)) == SHORT(3)  # type: ignore[arg-type]
    assert SHORT.values(jnp.arange(30)).tolist() == SHORT.values(range(30)).tolist()
    assert jnp.float32(2) * SHORT == SHORT * jnp.float32(2) == SHORT * 2  # type: ignore[operator]
