"""Whether two schedules are the same: what is shown, what differs first, and what cannot be shown."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from lrcore import (
    Clip,
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Product,
    Repeat,
    Schedule,
    Shift,
    Sum,
)
from lrcore.compare import BUDGET, Difference, first_difference, largest_difference
from tests.strategies import neighbours, reread, rewritten, schedules, steps

HORIZON = 700
STAIRS = Exponential(init_value=0.1, decay_rate=0.99, decay_steps=10, staircase=True)
CYCLE = Repeat(Cosine(init_value=1.0, decay_steps=999_983))
OTHER_CYCLE = Repeat(Linear(init_value=1.0, decay_steps=1_000_003))
LARGEST = 1.7976931348623157e308
FLIPPING = Exponential(init_value=0.1, decay_rate=-1.01)
SLOW = Exponential(init_value=0.1, decay_rate=0.999_999_9)
FADING = SLOW * Exponential(init_value=1, decay_rate=0.5)  # 0 from step 1076 on


def staged(values: Any, width: int = 1) -> Schedule:
    """Values of which each holds for so many updates."""
    return PiecewiseConstant(boundaries=range(width, width * len(values), width), values=values)


FADING_CYCLES = Repeat(staged([1.0, 2.0], 500), value_factor=0.5)
GROWING_CYCLES = Repeat(staged([1.0, 0.0]), 2, value_factor=1.5)


def by_hand(first: Schedule, second: Schedule, until: int) -> int | None:
    return next((step for step in range(until) if first(step) != second(step)), None)


def epochs(changed: bool) -> Schedule:
    values = [0.1 / (number + 1) for number in range(3000)]
    return Every(staged(values[:2500] + [0.5] * 100 * changed + values[2500 + 100 * changed :]), steps=100)


# --- differences ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "step"),
    [
        (Join([STAIRS, Constant(1e-5)], [70_000]), Join([STAIRS, Constant(1e-5)], [130_000]), 70_000),
        (Join([Constant(1), Constant(2)], [100_000]), Join([Constant(1), Constant(2)], [2**40]), 100_000),
        (epochs(changed=False), epochs(changed=True), 250_000),
        (Constant(1), Join([Constant(1), Constant(2)], [10**15]), 10**15),
        (Linear(init_value=1, decay_steps=10**9), Linear(init_value=1, decay_steps=10**9, end_value=1e-9), 56),
        (Cosine(init_value=0.1, decay_steps=10**11), Cosine(init_value=0.1, decay_steps=10**11 + 1), 360_820),
        (
            Repeat(staged([1.0] * 9 + [2.0], 10_000), period=100_000),
            Repeat(staged([1.0] * 9 + [2.0, 3.0], 10_000), period=100_001),
            100_000,
        ),
        (Repeat(Join([CYCLE.schedule, Constant(0)]), 10**6), Repeat(CYCLE.schedule, 10**6), None),
        (
            Repeat(Join([CYCLE.schedule, Constant(0), Constant(3)], [999_983, 10**6 - 1]), 10**6),
            Repeat(CYCLE.schedule, 10**6),
            10**6 - 1,
        ),
        (CYCLE, Join([CYCLE.schedule] * 3), 3 * 999_983),
        (CYCLE, Every(CYCLE, 2), 1),
        (
            Every(Exponential(init_value=1, decay_rate=0.5, decay_steps=7), 5),
            Exponential(init_value=1, decay_rate=0.5, decay_steps=35),
            1,
        ),
        (Repeat(STAIRS, 70, length_factor=2), Repeat(STAIRS, 70, length_factor=3), 90),
        (Every(SLOW, 10**6), Every(SLOW, 10**6 + 1), 10**6),
        (
            CYCLE + OTHER_CYCLE,
            CYCLE + Repeat(Join([OTHER_CYCLE.schedule, Constant(5)], [1_000_002]), 1_000_003),
            1_000_002,
        ),
        (
            Repeat(Linear(init_value=1, decay_steps=29), 29.7),
            Repeat(Linear(init_value=1, decay_steps=29, end_value=1e-3), 29.7),
            1,
        ),
        (
            Exponential(init_value=0.1, decay_rate=1.01),
            Clip(Exponential(init_value=0.1, decay_rate=1.01), None, 1e300),
            69_654,
        ),
        (Exponential(init_value=0.1, decay_rate=0.9) * 0.3, Exponential(init_value=0.03, decay_rate=0.9), 1),
        (Repeat(staged([1.0, 2, 3, 4]), 4), Repeat(staged([1.0, 2, 3, 4, 1, 2]), 6), 6),
        (
            Repeat(Linear(init_value=1, decay_steps=7), mirror=True),
            Shift(Repeat(Linear(init_value=1, decay_steps=7), mirror=True), 7),
            0,
        ),
        (
            Repeat(Linear(init_value=1, decay_steps=1000), mirror=True),
            Interpolate(boundaries=range(0, 5000, 1000), values=[1, 0, 1, 0, 1]),
            4001,
        ),
        (FLIPPING, Join([FLIPPING, Constant(LARGEST)], [80_000]), 80_001),
        (Function(math.sqrt, 1000), Function(lambda step: math.sqrt(step) + (step > 900), 1000), 901),
        (FADING, Join([FADING, Repeat(staged([0.0, 0, 0, 5]), 4)], [2000]), 2003),
        (GROWING_CYCLES, Join([GROWING_CYCLES, Constant(LARGEST)], [10_000]), 10_001),
        (FADING_CYCLES, Join([FADING_CYCLES, Repeat(staged([0.0, 0, 0, 5]), 4)], [2_000_000]), 2_000_003),
        (
            Shift(Every(Repeat(staged([1.0, 2, 3, 4, 5, 6, 7]), 7), 10), 10),
            Shift(Every(Repeat(staged([1.0, 2, 3, 4, 5, 6, 8]), 7), 10), 10),
            50,
        ),
    ],
)
def test_the_first_step_that_differs_is_found(first: Schedule, second: Schedule, step: int | None) -> None:
    found = first_difference(first, second)
    if step is None:
        assert found is None
    else:
        assert found is not None
        assert found == Difference(step, first(step), second(step))
        assert found.first != found.second
        for before in {max(0, step - 1), step // 2, 0} - {step}:
            assert first(before) == second(before)
        assert first_difference(second, first) == Difference(step, second(step), first(step))
        assert first_difference(first, second, until=step) is None
        assert first_difference(first, second, until=step + 1) == found


@given(st.data(), neighbours())
def test_the_answer_is_that_of_comparing_every_step(data: st.DataObject, pair: tuple[Schedule, Schedule]) -> None:
    first, second = pair
    found, wanted = first_difference(first, second), by_hand(first, second, HORIZON)
    if found is None:
        assert wanted is None
        for step in data.draw(st.lists(steps(second), min_size=1, max_size=20)):
            assert first(step) == second(step)
    elif found.found and found.step < HORIZON:
        assert found == Difference(found.step, first(found.step), second(found.step))
        assert wanted == found.step
    else:
        assert wanted is None
        assert not found.found or found.first == first(found.step) != second(found.step) == found.second
    until = data.draw(st.integers(0, HORIZON))
    found = first_difference(first, second, until=until)
    assert (None if found is None else found.step) == by_hand(first, second, until)


REAL = Interpolate(boundaries=[0, 137.3, 293.7], values=[0.1, 0.7, 0.03])


@example(REAL, 300)
@example(Shift(Interpolate(boundaries=[0.7, 293.7], values=[0.1, 0.7]), 1), 200)
@example(Exponential(init_value=0.1, decay_rate=0.3, decay_steps=77.7).warmup(100), 300)
@given(schedules(leaves=2), st.integers(1, 200))
def test_cycles_are_compared_with_their_parts(schedule: Schedule, period: int) -> None:
    """Parts that begin at real times are rounded otherwise later on."""
    repeated, joined = Repeat(schedule, period), Join([schedule] * 14, range(period, 14 * period, period))
    found = first_difference(repeated, joined, until=14 * period)
    assert (found.step if found else None) == by_hand(repeated, joined, 14 * period)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_terms_that_change_places_may_change_the_last_bit(order: Any) -> None:
    terms = [Linear(init_value=init, decay_steps=101) for init in (0.1, 0.7, 1e-3)]
    for kind in (Sum, Product):
        first, second = kind(terms), kind([terms[place] for place in order])
        found = first_difference(first, second)
        assert (found.step if found else None) == by_hand(first, second, 102)


@given(st.data(), schedules())
def test_a_schedule_in_another_form_has_no_difference(data: st.DataObject, schedule: Schedule) -> None:
    other = data.draw(rewritten(schedule))
    assert by_hand(schedule, other, 100) is None
    assert first_difference(schedule, other) is None


@given(neighbours())
def test_the_largest_difference_is_that_of_comparing_every_step(pair: tuple[Schedule, Schedule]) -> None:
    first, second = pair
    sizes = [abs(first(step) - second(step)) for step in range(HORIZON)]
    found = largest_difference(first, second, until=HORIZON)
    if found is None:
        assert max(sizes) == 0
    else:
        assert (found.first, found.second) == (first(found.step), second(found.step))
        assert found.size == sizes[found.step]
        assert math.isclose(found.size, max(sizes), rel_tol=1e-13, abs_tol=1e-15 * abs(first(found.step)))


def test_the_largest_difference_is_found_in_a_period_and_beyond_a_long_common_part() -> None:
    first, second = Join([STAIRS, Constant(1e-5)], [70_000]), Join([STAIRS, Constant(1e-5)], [130_000])
    assert largest_difference(first, second) == Difference(70_000, 1e-5, second(70_000))
    assert largest_difference(CYCLE, CYCLE * 2.0) == Difference(0, 1.0, 2.0)
    assert largest_difference(STAIRS, STAIRS) is None
    late = largest_difference(Constant(1), Linear(init_value=1, end_value=3, decay_steps=100_000))
    assert late == Difference(100_000, 1.0, 3.0)
    fall = Linear(init_value=1, decay_steps=100_000)
    assert largest_difference(Constant(1), fall, until=90_000) == Difference(89_999, 1.0, fall(89_999))


# --- tolerance and rounding -------------------------------------------------------------------------------------------


def test_a_tolerance_is_relative_to_the_larger_value() -> None:
    first, second = Constant(100.0), PiecewiseConstant(boundaries=[10, 20], values=[100.0, 101.0, 99.0])
    assert first_difference(first, second) == Difference(10, 100.0, 101.0)
    assert first_difference(first, second, rtol=0.00995) == Difference(20, 100.0, 99.0)
    assert first_difference(second, first, rtol=0.00995) == Difference(20, 99.0, 100.0)
    assert first_difference(first, second, rtol=0.01) is None
    rounded = Exponential(init_value=0.1, decay_rate=0.9) * 0.3, Exponential(init_value=0.03, decay_rate=0.9)
    assert first_difference(*rounded, rtol=1e-14, until=6_000) is None
    long = Cosine(init_value=0.1, decay_steps=5000) * 0.3, Cosine(init_value=0.03, decay_steps=5000)
    assert first_difference(*long) is not None
    assert first_difference(*long, rtol=1e-14) is None


def looked_up(values: Any) -> Schedule:
    """A table as one formula, of which each value is asked for."""
    return Function(np.asarray(values).tolist().__getitem__, len(values) - 1)


@pytest.mark.parametrize(
    "schedule",
    [
        Cosine(init_value=0.1, decay_steps=3000, exponent=2.7),
        Polynomial(init_value=0.1, decay_steps=3000, power=1.7),
        InverseTime(init_value=0.1, power=0.7).cooldown(start=3000, steps=0),
        Exponential(init_value=0.1, decay_rate=0.3, decay_steps=1000.5).cooldown(start=3000, steps=0),
        Interpolate(boundaries=[0, 3000], values=[0.1, 0.001], shape="exponential"),
        Repeat(Linear(init_value=1, decay_steps=9), value_factor=0.9).cooldown(start=3000, steps=0),
    ],
)
def test_the_values_of_the_host_decide_and_not_those_of_numpy(schedule: Schedule) -> None:
    """A table of the values that numpy gives differs from the schedule where numpy rounds otherwise, and only there."""
    of_numpy, of_host = schedule.values(range(3001)), [schedule(step) for step in range(3001)]
    for late in (0, 1000):
        table = [*of_host[:late], *of_numpy[late:]]
        differ = [step for step in range(3001) if table[step] != of_host[step]]
        found = first_difference(schedule, looked_up(table))
        assert (found.step if found else None) == (differ[0] if differ else None)
    assert first_difference(schedule, looked_up(of_host)) is None
    assert first_difference(looked_up(of_numpy), schedule, rtol=1e-14) is None


def test_a_long_search_compares_the_values_of_the_host_to_its_end() -> None:
    schedule = Polynomial(init_value=0.1, decay_steps=200_000, power=1.7)
    of_numpy = schedule.values(range(200_001))
    table = [*(schedule(step) for step in range(150_000)), *of_numpy[150_000:].tolist()]
    found = first_difference(schedule, looked_up(table))
    wanted = next((step for step in range(150_000, 200_001) if table[step] != schedule(step)), None)
    assert (found.step if found else None) == wanted


# --- equal in another form --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Every(SLOW, 1000), Exponential(init_value=0.1, decay_rate=0.999_999_9, decay_steps=1000, staircase=True)),
        (Every(Exponential(init_value=1, decay_rate=0.9, decay_steps=7, staircase=True), 5), Every(Every(Exponential(init_value=1, decay_rate=0.9), 7), 5)),
        (Every(InverseTime(init_value=1, power=0.5), 30), InverseTime(init_value=1, power=0.5, decay_steps=30, staircase=True)),
        (Shift(Every(SLOW, 10), 3), Shift(Exponential(init_value=0.1, decay_rate=0.999_999_9, decay_steps=10, staircase=True), 3)),
        (Every(Shift(SLOW, 3), 10), Shift(Exponential(init_value=0.1, decay_rate=0.999_999_9, decay_steps=10, staircase=True), 30)),
        (CYCLE + OTHER_CYCLE, OTHER_CYCLE + CYCLE),
        (Sum([CYCLE, SLOW, OTHER_CYCLE]), (SLOW + CYCLE) + OTHER_CYCLE),
        (CYCLE + Repeat(Linear(init_value=2, decay_steps=1_000_003) * 0.5), OTHER_CYCLE + CYCLE),
        (Sum([CYCLE, Repeat(Linear(init_value=2, decay_steps=1_000_003) * 0.5), SLOW]), Sum([OTHER_CYCLE, CYCLE, SLOW])),
        (FADING, Join([FADING, Constant(0)], [2000])),
        (Every(SLOW + CYCLE, 6), Every(CYCLE, 6) + Every(SLOW, 6)),
        (Repeat(Repeat(staged([1.0, 2.0], 5), 10), 20), Repeat(staged([1.0, 2.0], 5), 10)),
        (Shift(CYCLE, 3 * 999_983), CYCLE),
        (Repeat(Linear(init_value=1, decay_steps=7), mirror=True), Shift(Repeat(Linear(init_value=1, decay_steps=7), mirror=True), 28)),
        (Repeat(staged([1.0, 2.0], 50), 100), Every(Repeat(staged([1.0, 2.0], 5), 10), 10)),
        (Interpolate(boundaries=[0, 10, 20], values=[0, 1, 0]), Linear(init_value=1, decay_steps=10).warmup(10)),
        (STAIRS + SLOW * 0.0, STAIRS),
        (Clip(STAIRS, min_value=1e-3), Clip(STAIRS, min_value=1e-3, max_value=7.0)),
        (Repeat(Constant(3), 7, mirror=True, length_factor=2), Constant(3)),
        (FADING_CYCLES, Join([FADING_CYCLES, Constant(0)], [2_000_000])),
        (Exponential(init_value=0.1, decay_rate=1.01), Join([Exponential(init_value=0.1, decay_rate=1.01), Constant(LARGEST)], [10**6])),
        (Exponential(init_value=0.1, decay_rate=-0.9), Join([Exponential(init_value=0.1, decay_rate=-0.9), Constant(0)], [10**5])),
        (CYCLE * Exponential(init_value=1, decay_rate=0.5), Join([CYCLE * Exponential(init_value=1, decay_rate=0.5), Constant(0)], [2000])),
        (Repeat(Linear(init_value=1, decay_steps=1000), mirror=True), Repeat(Interpolate(boundaries=[0, 1000, 2000], values=[1, 0, 1]), 2000)),
        (Function(math.sqrt, 100), Join([Function(math.sqrt), Constant(10)], [100])),
        (Function(math.sqrt) * SLOW, SLOW * Function(math.sqrt)),
    ],
)  # fmt: skip
def test_unequal_records_with_equal_values_have_no_difference(first: Schedule, second: Schedule) -> None:
    assert first != second
    assert first_difference(first, second) is None
    assert first_difference(second, first) is None


@pytest.mark.parametrize("period", [7.5, 2.25, 29.7])
def test_a_formula_that_is_asked_between_steps_is_not_taken_for_stairs(period: float) -> None:
    smooth = Exponential(init_value=1.0, decay_rate=0.5)
    stairs = Exponential(init_value=1.0, decay_rate=0.5, staircase=True)
    assert first_difference(smooth, stairs) is None
    first, second = Repeat(smooth, period), Repeat(stairs, period)
    step = by_hand(first, second, 100)
    assert step is not None
    assert first_difference(first, second) == Difference(step, first(step), second(step))
    for inner in (smooth, Linear(init_value=1.0, decay_steps=40), smooth + Linear(init_value=1.0, decay_steps=40)):
        first, second = Repeat(inner, period), Repeat(Every(inner, 1), period)
        assert first_difference(first, second) == Difference(step, first(step), second(step))


# --- what cannot be shown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "ended"),
    [
        (Every(SLOW, 1000) * 0.5, Every(Exponential(init_value=0.05, decay_rate=0.999_999_9), 1000), BUDGET),
        (Function(lambda step: 0.1), Constant(0.1), 2**16),
        (Function(lambda step: 0.1 if step < 3000 else 1 / 0), Constant(0.1), 3000),
        (Function(lambda step: 0.1 if step < 3 else math.nan, 10), Constant(0.1), 3),
        (Function(lambda step: 1 / 0, 0) * CYCLE, OTHER_CYCLE, 0),
    ],
)
def test_what_could_not_be_compared_is_not_called_equal(first: Schedule, second: Schedule, ended: int) -> None:
    found = first_difference(first, second)
    assert found is not None
    assert found == Difference(ended)
    assert not found.found
    assert largest_difference(first, second) is None


def test_a_difference_behind_a_part_that_is_too_long_is_not_called_the_first() -> None:
    long, late = Linear(init_value=1, decay_steps=2**30), Constant(2)
    first, second = Join([long, late]), Join([Linear(init_value=2, decay_steps=2**30) * 0.5, Constant(3)])
    assert first_difference(first, second) == Difference(BUDGET)


def test_a_mirrored_cycle_asks_for_the_value_at_its_turn() -> None:
    down = Linear(init_value=1, decay_steps=2**25)
    first, second = Repeat(down, 2**24, mirror=True), Repeat(Join([down, Constant(5)], [2**24]), 2**24, mirror=True)
    assert first(2**24) != second(2**24)
    assert first_difference(first, second) is not None
    assert first_difference(Repeat(down, 2**24), Repeat(Join([down, Constant(5)], [2**24]), 2**24)) is None


@given(schedules())
def test_a_schedule_does_not_differ_from_itself(schedule: Schedule) -> None:
    again = reread(schedule)
    assert first_difference(schedule, again) is None
    assert largest_difference(schedule, again) is None
    changed = schedule + Constant(1.0)
    assume(changed(0) != schedule(0))
    assert first_difference(schedule, changed) == Difference(0, schedule(0), changed(0))
