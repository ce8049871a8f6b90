"""What MLX alone has: compiled updates, optimizers inside one, schedules of other numbers, states that MLX saves."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
import pytest
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

import lrcore
import lrcore_mlx

SCHEDULE = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=40).warmup(5)
LONG = lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=2**31 - 1).warmup(10_000)
TELLING = np.unique(np.concatenate([np.arange(2_000), np.random.default_rng(1).integers(0, 2**31 - 1, 2_000)]))


def updated(optimizer: Any, gradient: float = 1.0, weight: float = 0.0, dtype: Any = mx.float32) -> float:
    """The weight after one update."""
    weights = {"w": mx.array(weight, dtype)}
    return float(optimizer.apply_gradients({"w": mx.array(gradient, dtype)}, weights)["w"].item())


@pytest.mark.parametrize("schedule", [SCHEDULE, LONG, lrcore.Repeat(SCHEDULE, 70), lrcore.Every(SCHEDULE, 37)])
def test_eager_and_compiled_rates_have_the_bits_of_the_table(schedule: lrcore.Schedule) -> None:
    rate = lrcore_mlx.as_schedule(schedule)
    expected = rate.table.evaluate(np, TELLING, lambda array, name: array.astype(name))
    steps = mx.array(TELLING.astype(np.uint64))
    assert (np.array(rate(steps)) == expected).all()
    assert (np.array(mx.compile(rate)(steps)) == expected).all()


def test_a_model_trains_in_a_compiled_update() -> None:
    model, optimizer = nn.Linear(2, 1), optim.Adam(lrcore_mlx.as_schedule(SCHEDULE))
    state = [model.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def update(features: mx.array) -> None:
        gradients = nn.value_and_grad(model, lambda model, features: model(features).sum())(model, features)[1]
        optimizer.update(model, gradients)

    rates: list[Any] = []
    for _ in range(60):
        update(mx.ones((1, 2)))
        rates.append(lrcore_mlx.current_lr(optimizer))
    assert np.array_equal(rates, np.float32(SCHEDULE.values(range(60))))
    lrcore_mlx.set_step(optimizer, 7)
    update(mx.ones((1, 2)))
    assert lrcore_mlx.current_step(optimizer) == 8
    assert lrcore_mlx.current_lr(optimizer) == np.float32(SCHEDULE(7))


@pytest.mark.parametrize("step", [3, np.int64(3), np.array(3), mx.array(3, mx.int8), mx.array(3, mx.uint64)])
def test_a_step_may_be_any_integer(step: Any) -> None:
    assert lrcore_mlx.as_schedule(SCHEDULE)(step).item() == np.float32(SCHEDULE(3))


@pytest.mark.parametrize("step", [2**63, 2**31, np.uint64(2**64 - 1), mx.array(2**62, mx.uint64)])
def test_a_step_past_the_last_of_a_table_holds_its_value(step: Any) -> None:
    assert lrcore_mlx.as_schedule(SCHEDULE)(step).item() == np.float32(0.01)


@pytest.mark.parametrize("step", [3.0, np.float32(3), mx.array(3.0)])
def test_a_step_that_is_no_integer_is_refused(step: Any) -> None:
    with pytest.raises(lrcore.ScheduleError, match="expected whole numbers of updates already made; got"):
        lrcore_mlx.as_schedule(SCHEDULE)(step)


def test_a_schedule_of_lrcore_that_is_given_as_it_is_says_what_to_use() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"lrcore_mlx\.as_schedule\(schedule\)"):
        SCHEDULE(mx.array(3.0))  # type: ignore[arg-type]


def test_a_rate_is_scaled_in_the_schedule() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"write as_schedule\(schedule \* factor\)"):
        _ = lrcore_mlx.as_schedule(SCHEDULE) * 0.5


def test_a_plateau_is_no_function_of_the_step() -> None:
    with pytest.raises(lrcore.ScheduleError, match="reduce_on_plateau"):
        lrcore_mlx.as_schedule(lrcore.Plateau(SCHEDULE))  # type: ignore[arg-type]


def test_rates_are_copied_and_pickled_with_their_schedule() -> None:
    rate = lrcore_mlx.as_schedule(SCHEDULE, 30)
    for other in (copy.deepcopy(rate), pickle.loads(pickle.dumps(rate))):
        assert other == rate
        assert other(7).item() == rate(7).item()


# --- several optimizers -----------------------------------------------------------------------------------------------


def two() -> Any:
    parts = [optim.SGD(lrcore_mlx.as_schedule(SCHEDULE * 0.1)), optim.SGD(lrcore_mlx.as_schedule(SCHEDULE))]
    return optim.MultiOptimizer(parts, [lambda name, weight: name.startswith("body")])


def test_each_optimizer_of_several_follows_its_schedule() -> None:
    optimizer, weights = two(), {"body": mx.array(0.0), "head": mx.array(0.0)}
    for step in range(12):
        moved = optimizer.apply_gradients({"body": mx.array(1.0), "head": mx.array(1.0)}, weights)
        assert -moved["body"].item() == np.float32((SCHEDULE * 0.1)(step))
        assert -moved["head"].item() == np.float32(SCHEDULE(step))
    assert lrcore_mlx.current_step(optimizer) == 12
    with pytest.raises(lrcore.ScheduleError, match=r"expected one rate; got .* ask each of optimizer\.optimizers"):
        lrcore_mlx.current_lr(optimizer)


def test_the_state_of_several_optimizers_is_that_of_a_list() -> None:
    optimizer, fresh = two(), two()
    lrcore_mlx.set_step(optimizer, 9)
    state = lrcore_mlx.state_dict(optimizer)
    assert state == lrcore.save_state(9, [SCHEDULE * 0.1, SCHEDULE])
    lrcore_mlx.load_state_dict(fresh, state)
    assert [part.learning_rate.item() for part in fresh.optimizers] == [
        np.float32((SCHEDULE * 0.1)(8)),
        np.float32(SCHEDULE(8)),
    ]


def test_parts_that_made_different_numbers_of_updates_are_refused() -> None:
    optimizer = two()
    lrcore_mlx.set_step(optimizer.optimizers[0], 3)
    with pytest.raises(lrcore.ScheduleError, match=r"made equally many updates; got \[0, 3\]"):
        lrcore_mlx.current_step(optimizer)


def test_a_state_of_a_fixed_rate_is_refused() -> None:
    with pytest.raises(lrcore.ScheduleError, match="whose learning_rate a lrcore schedule gives; got none"):
        lrcore_mlx.state_dict(optim.SGD(0.1))


def test_what_is_no_optimizer_is_refused() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected an optimizer of mlx\.optimizers; got 3"):
        lrcore_mlx.current_step(3)


def test_a_load_that_fails_changes_nothing() -> None:
    optimizer = optim.SGD(lrcore_mlx.as_schedule(SCHEDULE))
    lrcore_mlx.set_step(optimizer, 4)
    before = lrcore_mlx.state_dict(optimizer)
    with pytest.raises(lrcore.ScheduleError):
        lrcore_mlx.load_state_dict(optimizer, lrcore.save_state(9, lrcore.Constant(0.5)))
    assert lrcore_mlx.state_dict(optimizer) == before


# --- MLX's own checkpoints --------------------------------------------------------------------------------------------


def test_a_checkpoint_of_mlx_resumes_schedule_and_plateau(tmp_path: Path) -> None:
    plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
    optimizer, fresh = optim.SGD(0.0, momentum=0.5), optim.SGD(0.0, momentum=0.5)
    for one in (optimizer, fresh):
        lrcore_mlx.reduce_on_plateau(one, plateau)
    for metric in (0.7, 0.7):
        updated(optimizer)
        lrcore_mlx.report(optimizer, metric)
    path = str(tmp_path / "state.safetensors")
    mx.save_safetensors(path, dict(tree_flatten(optimizer.state)))
    fresh.state = tree_unflatten(list(mx.load(path).items()))
    assert updated(fresh) == updated(optimizer)
    assert fresh.learning_rate.item() == np.float32(SCHEDULE(2)) * np.float32(0.5)


def test_a_plateau_among_several_optimizers_is_given_to_one() -> None:
    optimizer = two()
    plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
    with pytest.raises(lrcore.ScheduleError, match="give one of its optimizers"):
        lrcore_mlx.reduce_on_plateau(optimizer, plateau)
    with pytest.raises(lrcore.ScheduleError, match=r"call lrcore_mlx\.reduce_on_plateau first"):
        lrcore_mlx.report(optimizer, 0.5)
    lrcore_mlx.reduce_on_plateau(optimizer.optimizers[0], plateau)
    for metric in (0.5, 0.5):
        lrcore_mlx.report(optimizer, metric)
    assert optimizer.optimizers[0].state["plateau_scale"].item() == 0.5
    with pytest.raises(lrcore.ScheduleError, match="a plateau among several; take the state of each optimizer"):
        lrcore_mlx.state_dict(optimizer)


# --- other numbers ----------------------------------------------------------------------------------------------------

DECAY = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=8)


@pytest.mark.parametrize("compiled", [False, True])
def test_weight_decay_follows_its_schedule(compiled: bool) -> None:
    optimizer = optim.AdamW(lrcore_mlx.as_schedule(SCHEDULE), weight_decay=0.1)
    lrcore_mlx.schedule_also(optimizer, weight_decay=DECAY)
    optimizer.init({"w": mx.array(1.0)})

    def update() -> Any:
        return optimizer.apply_gradients({"w": mx.array(0.0)}, {"w": mx.array(1.0)})["w"]

    if compiled:
        update = partial(mx.compile, inputs=optimizer.state, outputs=optimizer.state)(update)
    moved = [update().item() for _ in range(12)]
    assert moved == pytest.approx([1 - SCHEDULE(step) * DECAY(step) for step in range(12)], rel=1e-6)
    assert optimizer.weight_decay == 0.1  # the constant stays, and no array of a trace takes its place
    assert type(optimizer).__name__ == "AdamW"


def test_another_number_keeps_the_type_of_the_weights() -> None:
    optimizer = optim.AdamW(0.5, weight_decay=0.0)
    lrcore_mlx.schedule_also(optimizer, weight_decay=DECAY)
    weights = optimizer.apply_gradients({"w": mx.array(0.0, mx.bfloat16)}, {"w": mx.array(1.0, mx.bfloat16)})
    assert weights["w"].dtype == mx.bfloat16
    assert weights["w"].item() == 0.75


def test_momentum_follows_its_schedule_in_eager_training() -> None:
    optimizer = optim.SGD(1.0, momentum=0.9)
    lrcore_mlx.schedule_also(optimizer, momentum=lrcore.PiecewiseConstant(boundaries=[1], values=[0.9, 0.25]))
    updated(optimizer)
    assert updated(optimizer) == -1.25


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("learning_rate", "build the optimizer with as_schedule"),
        ("weight_decey", r"expected a number of AdamW: .*weight_decay"),
        ("betas", "expected a number of AdamW"),
        ("bias_correction", "expected a number of AdamW"),
    ],
)
def test_a_number_that_cannot_be_scheduled_is_refused(name: str, message: str) -> None:
    optimizer = optim.AdamW(0.5)
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_mlx.schedule_also(optimizer, **{name: DECAY})
    assert type(optimizer) is optim.AdamW
