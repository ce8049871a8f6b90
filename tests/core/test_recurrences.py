"""Schedules of which each value follows from the one before: the values of a plain loop, in any order, in little memory."""

from __future__ import annotations

import copy
import math
import pickle
import random
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore

LONG = 5000  # more than is remembered


def factor(step: int) -> float:
    """Near 1, and rounded differently at each step."""
    return 1.0 + math.sin(step) / 100


def logistic(value: float, step: int) -> float:
    return 3.7 * value * (1.0 - value) + 1e-3 / step


PRODUCTS = list(accumulate(range(1, LONG + 1), lambda value, step: value * factor(step), initial=0.3))
ORBIT = list(accumulate(range(1, LONG + 1), logistic, initial=0.3))
MADE: list[tuple[Callable[[], lrcore.Schedule], list[float]]] = [
    (lambda: lrcore.running_product(0.3, factor), PRODUCTS),
    (lambda: lrcore.recurrence(0.3, logistic), ORBIT),
]


class Asked:
    """A factor that counts how often it was asked, and for which steps."""

    def __init__(self) -> None:
        self.steps: Counter[int] = Counter()

    def __call__(self, step: int) -> float:
        self.steps[step] += 1
        return factor(step)


@pytest.mark.parametrize(("make", "values"), MADE)
@given(asked=st.lists(st.integers(0, LONG), min_size=1, max_size=12))
def test_any_order_has_the_bits_of_a_loop(
    make: Callable[[], lrcore.Schedule], values: list[float], asked: list[int]
) -> None:
    schedule = make()
    assert [schedule(step) for step in asked] == [values[step] for step in asked]
    assert schedule.values(asked).tolist() == [values[step] for step in asked]


@pytest.mark.parametrize(("make", "values"), MADE)
def test_every_step_has_the_bits_of_a_loop(make: Callable[[], lrcore.Schedule], values: list[float]) -> None:
    upwards, downwards, mixed = make(), make(), make()
    order = random.Random(0).sample(range(LONG + 1), 1000)
    assert upwards.values(np.arange(LONG + 1)).tolist() == values
    assert downwards.values(np.arange(LONG + 1)[::-1]).tolist() == values[::-1]
    assert [mixed(step) for step in order] == [values[step] for step in order]


def test_rising_steps_ask_for_each_factor_once() -> None:
    asked = Asked()
    schedule = lrcore.running_product(0.3, asked)
    for step in range(LONG):
        schedule(step)
        schedule(max(0, step - 1))  # as a logger looks at the rate that was used
        schedule(max(0, step - 50))
        schedule(0)
    assert asked.steps == Counter(range(1, LONG))


def test_a_step_far_back_asks_for_few_factors_and_does_not_slow_training() -> None:
    asked = Asked()
    schedule = lrcore.running_product(0.3, asked)
    schedule(LONG)
    asked.steps.clear()
    for later, back in enumerate(random.Random(0).sample(range(LONG), 200)):
        before = asked.steps.total()
        assert schedule(back) == PRODUCTS[back]
        assert asked.steps.total() - before <= LONG / 500
        before = asked.steps.total()
        schedule(LONG + 1 + later)
        assert asked.steps.total() - before == 1


def test_the_memory_does_not_grow() -> None:
    schedule = lrcore.running_product(0.3, factor)
    schedule(2**12)
    tracemalloc.start()
    try:
        schedule(2**14)
        schedule.values(range(2**14, 2**14 + 1000))
        schedule.values(random.Random(0).sample(range(2**14), 300))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 100_000  # one float of each step takes 32 bytes: half a million


def test_a_new_step_costs_the_same_however_many_there_were() -> None:
    def seconds(first: int) -> float:
        schedule = lrcore.running_product(0.3, factor)
        schedule(first)
        start = time.process_time()
        for step in range(first, first + 500):
            schedule(step)
        return time.process_time() - start

    assert min(seconds(10**5) for _ in range(3)) < 10 * max(seconds(2000) for _ in range(3))


def test_remembered_values_are_not_part_of_the_schedule() -> None:
    asked, fresh = (lrcore.running_product(0.3, factor) for _ in range(2))
    asked(LONG)
    assert asked == fresh
    assert hash(asked) == hash(fresh)
    assert repr(asked) == repr(fresh) == "Function(function=_RunningProduct(0.3, factor))"
    assert pickle.dumps(asked.function) == pickle.dumps(fresh.function)
    for copied in (copy.copy(asked), copy.deepcopy(asked), pickle.loads(pickle.dumps(asked))):
        assert copied == asked
        assert copied(LONG) == PRODUCTS[LONG]
    assert lrcore.load_state(lrcore.save_state(7, asked), fresh).step == 7


@pytest.mark.parametrize(("make", "values"), MADE)
def test_equal_functions_make_equal_schedules(make: Callable[[], lrcore.Schedule], values: list[float]) -> None:
    assert make() == make()
    assert hash(make()) == hash(make())


def test_threads_that_ask_together_get_the_bits_of_a_loop() -> None:
    schedule = lrcore.running_product(0.3, factor)
    orders = [random.Random(seed).sample(range(LONG + 1), 300) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda order: [schedule(step) for step in order], orders))
    assert found == [[PRODUCTS[step] for step in order] for order in orders]


def test_a_function_that_fails_leaves_the_remembered_values() -> None:
    def failing(step: int) -> float:
        if step == 7:
            raise KeyError(step)
        return factor(step)

    schedule = lrcore.running_product(0.3, failing)
    for step in (5, 9, 6, 9):
        if step == 9:
            with pytest.raises(KeyError):
                schedule(step)
        else:
            assert schedule(step) == PRODUCTS[step]


@pytest.mark.parametrize("given", [math.nan, math.inf, None, "0.5", True])
def test_a_factor_that_is_no_number_is_named_with_its_step(given: Any) -> None:
    def half(step: int) -> Any:
        return 0.5 if step < 4 else given

    def halved(value: float, step: int) -> Any:
        return value / 2 if step < 4 else given

    for schedule in (lrcore.running_product(1.0, half), lrcore.recurrence(1.0, halved)):
        with pytest.raises(lrcore.ScheduleError, match=r"expected a finite number at step 4; got "):
            schedule(6)
        assert schedule(3) == 0.125


def test_a_cycle_asks_at_whole_steps_or_is_refused_in_a_sentence() -> None:
    schedule = lrcore.running_product(1.0, lambda step: 0.5)
    again = lrcore.Repeat(schedule, period=2.0)
    assert [again(step) for step in range(4)] == again.values(range(4)).tolist() == [1.0, 0.5, 1.0, 0.5]
    stretched = lrcore.Repeat(schedule, period=2, length_factor=2)
    assert [stretched(step) for step in (1, 2, 4)] == [0.5, 1.0, 0.5]
    for asked in (stretched, lambda step: stretched.values([step])):
        with pytest.raises(lrcore.ScheduleError, match=r"expected whole steps, .*; got 0\.5; leave length_factor 1"):
            asked(3)


@pytest.mark.parametrize("make", [lrcore.running_product, lrcore.recurrence])
@pytest.mark.parametrize(
    ("first", "function", "words"),
    [
        ("1", math.sqrt, "init_value: expected a finite number at step 0; got '1'"),
        (math.inf, math.sqrt, "init_value: expected a finite number at step 0; got inf"),
        (1.0, 0.5, "expected a Python function; got 0.5"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, first: Any, function: Any, words: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=words):
        make(first, function)
