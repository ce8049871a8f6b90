"""Staircases: where a value holds for several steps, a schedule says so and computes it once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrcore import (
    Clip,
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Product,
    Repeat,
    Schedule,
    Shift,
)
from lrcore.curves.formulas import LAST_STEP, SCALARS
from tests.kinds import KINDS
from tests.strategies import schedules, steps

FACTOR = Exponential(init_value=1.0, decay_rate=0.5, decay_steps=250, staircase=True)
STAIRCASES: dict[str, tuple[Schedule, int, range]] = {
    "exponential": (FACTOR, 260, range(250, 500)),
    "inverse_time": (InverseTime(init_value=1.0, decay_steps=10, staircase=True), 9, range(10)),
    "piecewise_constant": (PiecewiseConstant(boundaries=[10, 30], values=[0.1, 0.01, 0.001]), 12, range(10, 30)),
    "clip": (Clip(FACTOR, min_value=0.3), 260, range(250, 500)),
    "every": (Every(Linear(init_value=1.0, decay_steps=9), 100), 399, range(300, 400)),
    "product": (Product([FACTOR, PiecewiseConstant(boundaries=[300], values=[1.0, 0.5])]), 260, range(250, 300)),
    "shift": (Shift(FACTOR, 100), 0, range(150)),
    "warmup": (FACTOR.warmup(7), 8, range(7, 257)),
    "its warmup": (FACTOR.warmup(7), 3, range(3, 4)),
    "a curve": (Cosine(init_value=1.0, decay_steps=10), 3, range(3, 4)),
    "a time constant that is not whole": (
        Exponential(init_value=1.0, decay_rate=0.5, decay_steps=2.5, staircase=True),
        3,
        range(3, 4),
    ),
}


@pytest.mark.parametrize("name", STAIRCASES)
def test_a_schedule_says_where_its_value_holds(name: str) -> None:
    schedule, step, stair = STAIRCASES[name]
    assert schedule.stair(step) == stair
    assert len({schedule(one) for one in (stair.start, step, stair.stop - 1)}) == 1


def test_a_curve_with_a_constant_end_is_no_staircase() -> None:
    assert not Cosine(init_value=1.0, decay_steps=10).warmup(3).has_stairs
    assert FACTOR.has_stairs
    assert PiecewiseConstant(boundaries=[5], values=[1.0, 0.5]).has_stairs


@given(st.data(), schedules())
def test_what_a_schedule_remembers_does_not_change_its_values(data: st.DataObject, schedule: Schedule) -> None:
    computed = schedule.timeline.held().bind(SCALARS)
    from_one = schedule.at_counting_from(1)
    for step in data.draw(st.lists(steps(schedule), min_size=1, max_size=6)):
        stair = schedule.stair(step)
        assert step in stair
        assert schedule.at(step) == from_one(step + 1) == computed(step)
        assert computed(stair.start) == computed(stair.stop - 1) == computed(step)


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_the_same_in_any_order_and_with_another_first_count(kind: str) -> None:
    schedule, order = KINDS[kind], random.Random(7)
    computed, from_one = schedule.timeline.held().bind(SCALARS), schedule.at_counting_from(1)
    for step in [
        *range(70),
        *order.choices(range(10**6), k=50),
        *order.choices(range(70), k=200),
        LAST_STEP,
        LAST_STEP + 9,
    ]:
        assert schedule.at(step) == from_one(step + 1) == computed(step)


def test_the_value_of_a_stair_is_computed_once() -> None:
    asked: list[int] = []

    def rate(epoch: int) -> float:
        asked.append(epoch)
        return 0.1 / (epoch + 1)

    at = Every(Function(rate), 100).at
    assert [at(step) for step in (0, 1, 99, 0, 100, 150, 3)] == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.1]
    assert asked == [0, 1, 0]


def test_a_time_that_is_not_whole_is_remembered_by_no_staircase() -> None:
    inner = PiecewiseConstant(boundaries=[1, 2], values=[3.0, 2.0, 1.0])
    growing = Repeat(inner, period=3, length_factor=1.5)
    assert [growing(step) for step in range(12)] == [growing.timeline.bind(SCALARS)(step) for step in range(12)]


def test_a_knot_that_would_be_rounded_is_not_moved() -> None:
    schedule = Repeat(Linear(init_value=1.0, decay_steps=9), period=3.7)
    from_one = schedule.at_counting_from(1)
    assert [from_one(step + 1) for step in range(500)] == [schedule(step) for step in range(500)]


def test_threads_that_ask_at_the_same_time_get_their_own_values() -> None:
    schedule = Join([Constant(float(number)) for number in range(100)], boundaries=range(10, 1000, 10))

    def ask(seed: int) -> bool:
        order = random.Random(seed)
        return all(schedule.at(step) == step // 10 for step in order.choices(range(1000), k=20_000))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(4)))
