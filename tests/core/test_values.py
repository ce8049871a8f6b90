"""Every kind against an oracle of many digits that shares no code with it, from 0 to 2**53 updates."""

from __future__ import annotations

import contextlib
import itertools
import math
import random
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
from mpmath import mpf

import lrcore
from lrcore import Constant, Cosine, Exponential, Interpolate, InverseTime, Linear, Polynomial, Repeat, Schedule
from lrcore.records import Shape
from tests.oracle import exact

BOUND = mpf(10) ** -14  # relative to the value; where terms cancel, to the largest of them
SMALLEST = mpf(2) ** -1022  # below it float64 has fewer digits
ULPS = 4  # between one value and the same out of an array

LENGTHS = (1, 2, 3, 7, 100, 1000, 10**6, 10**9, 2**40, 2**53)
ENDS = ((0.1, 0.0), (0.0, 0.1), (0.3, 0.01), (1e-8, 1.0), (3e-4, 3e-5), (1.0, -0.5))
POWERS = (0.3, 0.5, 1, 2, 3.7, 8, 9, 20.5)
SHAPES: tuple[Shape, ...] = ("linear", "cosine", "constant", "1-sqrt", "1-square")
RATES = (0.0, 1e-300, 1e-6, math.exp(-1), 0.5, 0.999, 1 - 1e-8, 1.0, 1.0000001, 2.0)


def places(length: int) -> list[int]:
    """All steps of a short schedule; of a long one both ends, powers of ten from either, and some between."""
    if length <= 100:
        return list(range(length + 10))
    apart = [10**k for k in range(16) if 10**k < length]
    some = random.Random(length).sample(range(length), 12)
    found = {0, length // 2, length - 1, length, length + 1, 10 * length, *apart, *some}
    return sorted(step for step in found | {length - one for one in apart} if step <= 2**53)


def check(schedule: Schedule, steps: Iterable[int], bound: Any = BOUND) -> None:
    plain, steps = schedule.to_dict(), list(steps)
    for step, from_array in zip(steps, schedule.values(np.array(steps)).tolist(), strict=True):
        value, (wanted, size) = schedule(step), exact(plain, step)
        assert type(value) is float
        assert abs(mpf(value) - wanted) <= max(bound * size, SMALLEST), (step, value, float(wanted))
        assert abs(value - from_array) <= ULPS * math.ulp(size), (step, value, from_array)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("ends", ENDS)
def test_decays_have_the_exact_values(length: int, ends: tuple[float, float]) -> None:
    common: dict[str, Any] = {"init_value": ends[0], "end_value": ends[1], "decay_steps": length}
    check(Linear(**common), places(length))
    for power in POWERS:
        check(Polynomial(**common, power=power), places(length))
        check(Cosine(**common, exponent=power), places(length))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_power_of_100_has_the_exact_values(length: int) -> None:
    check(Polynomial(init_value=0.1, decay_steps=length, power=100), places(length))
    check(InverseTime(init_value=0.1, decay_steps=length, power=100), places(length))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_half_cosine_to_the_power_of_100_has_the_exact_values(length: int) -> None:
    """The power magnifies the last bit of the sine a hundredfold: 1e-14 holds for exponents up to 30."""
    check(Cosine(init_value=0.1, decay_steps=length, exponent=100), places(length), bound=5 * BOUND)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("inner", "outer"), ENDS)
def test_warmups_and_cooldowns_have_the_exact_values(length: int, inner: float, outer: float) -> None:
    ramps: list[Any] = [(shape, None) for shape in SHAPES] + [("power", power) for power in (*POWERS, 100)]
    if min(inner, outer) > 0:
        ramps.append(("exponential", None))
    for shape, power in ramps:
        warm = Constant(inner).warmup(length, init_value=outer, shape=shape, power=power)
        check(warm, places(length))
        start = min(5, 2**53 - length)
        cold = Constant(inner).cooldown(length, start=start, end_value=outer, shape=shape, power=power)
        check(cold, (step + start for step in places(length)))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("staircase", [False, True])
def test_endless_decays_have_the_exact_values(length: int, staircase: bool) -> None:
    for rate, period in itertools.product(RATES, (1, 7.25, 29.7, length, max(1, length / 3))):
        common: dict[str, Any] = {"init_value": 0.1, "decay_steps": period, "staircase": staircase}
        if rate > 0:
            check(Exponential(**common, decay_rate=rate), places(length))
        for power in (0.5, 1, 9):
            check(InverseTime(**common, decay_rate=rate, power=power), places(length))


@pytest.mark.parametrize("staircase", [False, True])
def test_inverse_time_to_the_power_of_100_has_the_exact_values(staircase: bool) -> None:
    decay = InverseTime(init_value=0.1, decay_rate=0.37, decay_steps=1000, power=100, staircase=staircase)
    check(decay, [*range(0, 3000, 7), *range(3000, 10**6, 9973)])


def test_a_rate_of_0_leaves_nothing_after_the_first_period() -> None:
    check(Exponential(init_value=0.1, decay_rate=0.0), range(5))
    check(Exponential(init_value=0.1, decay_rate=0.0, decay_steps=2.5, staircase=True), range(9))


@pytest.mark.parametrize("period", [3, 2.5, 1000])
def test_a_rate_of_0_leaves_nothing_after_step_0_between_whole_periods(period: float) -> None:
    decay = Exponential(init_value=0.1, decay_rate=0.0, decay_steps=period)
    check(decay, range(9))
    assert [decay(step) for step in (0, 1, 2)] == [0.1, 0.0, 0.0]
    assert decay.length == 1


def test_a_negative_rate_alternates() -> None:
    check(Exponential(init_value=0.1, decay_rate=-0.9), range(50))
    check(Exponential(init_value=0.1, decay_rate=-0.9, decay_steps=7, staircase=True), range(50))
    between_steps = Repeat(Exponential(init_value=1.0, decay_rate=-0.5), period=2.5)
    assert [between_steps(step) for step in range(6)] == [1.0, -0.5, 0.25, 1.0, -0.5, 1.0]
    assert between_steps.values(range(6)).tolist() == [1.0, -0.5, 0.25, 1.0, -0.5, 1.0]


@pytest.mark.parametrize("shape", SHAPES)
def test_real_knots_have_the_exact_values(shape: Shape) -> None:
    """As torch's OneCycleLR has them: the phases end at p T - 1."""
    for length in (10, 100, 10**6, 10**9):
        knots = [0, 0.3 * length - 1, 0.45 * length + 1 / 3, length - 1]
        schedule = Interpolate(boundaries=knots, values=[0.004, 0.1, 0.05, 0.0], shape=shape)
        steps = {round(knot) + by for knot in knots for by in (-1, 0, 1, 2)} | set(places(length))
        check(schedule, sorted(step for step in steps if step >= 0))


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("period", [7, 2.5, 29.7, 1000])
def test_cycles_have_the_exact_values(period: float, mirror: bool) -> None:
    inner = Cosine(init_value=0.1, end_value=0.001, decay_steps=20).warmup(5)
    schedule = Repeat(inner, period=period, mirror=mirror, value_factor=0.99)
    check(schedule, [*range(100), 10**6, 10**6 + 1])


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("growth", [2, 3, 10])
def test_growing_cycles_have_the_exact_values(growth: int, mirror: bool) -> None:
    schedule = Repeat(Cosine(init_value=0.1, decay_steps=10), length_factor=growth, mirror=mirror, value_factor=0.8)
    starts = [10 * (growth**number - 1) // (growth - 1) for number in range(1, 12)]
    check(schedule, sorted({step for start in starts for step in (start - 1, start, start + 1)}))


def test_cycles_that_grow_by_a_fraction_begin_where_decimals_say() -> None:
    """1000, 1100, 1210 and 1331 are sums of powers of 1.1, which binary numbers miss."""
    schedule = Repeat(Cosine(init_value=0.1, decay_steps=1000), length_factor=1.1)
    assert [schedule(step) for step in (1000, 2100, 3310, 4641)] == [0.1] * 4
    assert max(schedule(step) for step in (999, 2099, 3309, 4640)) < 1e-6


def test_cycles_of_real_length_begin_within_the_rounding_of_their_time() -> None:
    schedule = Repeat(Linear(init_value=0.1, decay_steps=20), period=29.7, length_factor=1.5)
    for step in places(10**6):
        assert schedule(step) == pytest.approx(float(exact(schedule.to_dict(), step).value), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("growth", [3, 4])
def test_a_clip_holds_between_steps_too(growth: int) -> None:
    """A stretched cycle asks its schedule at fractions of a step."""
    for low, high in ((0.45, 1.0), (0.05, 0.72), (0.25, 0.25)):
        clip = lrcore.Clip(Linear(init_value=1.0, decay_steps=10), min_value=low, max_value=high)
        check(Repeat(clip, length_factor=growth), range(300))


LATER = {
    "line": Linear(init_value=0.9, end_value=0.1, decay_steps=10_000),
    "power": Polynomial(init_value=0.9, end_value=0.1, decay_steps=10_000, power=2.5),
    "wave": Cosine(init_value=0.9, end_value=0.1, decay_steps=10_000),
    "geometric": Interpolate(boundaries=[0, 10_000], values=[0.9, 0.1], shape="exponential"),
    "exponential": Exponential(init_value=0.9, decay_rate=0.5, decay_steps=1000),
    "inverse": InverseTime(init_value=0.9, power=0.5),
    "inverse, high power": InverseTime(init_value=0.9, power=20, decay_steps=100_000),
    "stairs": lrcore.Every(Exponential(init_value=0.9, decay_rate=0.99), steps=7),
    "cycle": Repeat(Linear(init_value=0.9, end_value=0.1, decay_steps=7)),
    "function": lrcore.Function(lambda step: 0.9 / (1 + step)),
}


@pytest.mark.parametrize("growth", [2.0**28, 2.0**50, 2.0**53])
@pytest.mark.parametrize("name", LATER)
def test_cycles_may_begin_before_and_end_after_what_an_integer_of_numpy_holds(name: str, growth: float) -> None:
    """The second cycle of a part entered at step 5000 begins 5000 * growth updates before step 0."""
    schedule = Repeat(lrcore.Shift(LATER[name], steps=5000), period=40, length_factor=growth)
    steps = [0, 39, 40, 41, 10**9, 2**40, 2**53 - 1, 2**53]
    assert schedule.values(steps) == pytest.approx([schedule(step) for step in steps], rel=1e-14)
    if name != "function":
        check(schedule, steps)


@pytest.mark.parametrize("name", ["exponential", "inverse", "inverse, high power", "stairs", "cycle", "function"])
def test_cycles_may_have_begun_longer_ago_than_an_integer_of_numpy_holds(name: str) -> None:
    """The second cycle is 2**53 times as slow, and was entered 5000 of its steps after its beginning."""
    schedule = Repeat(lrcore.Shift(LATER[name], steps=5000), period=40, length_factor=2.0**53)
    steps = [0, 39, 40, 41, 10**9, 2**40, 2**53 - 1, 2**53]
    assert schedule.values(steps) == pytest.approx([schedule(step) for step in steps], rel=1e-14)


def test_the_last_step_of_a_very_long_line_is_exact() -> None:
    """It ends at 2**53 + 1, which is no float64."""
    schedule = Repeat(Linear(init_value=1.0, decay_steps=3), length_factor=3002399751580330)
    check(schedule, [2**53 - 2, 2**53 - 1, 2**53])


# --- the edges of float64 ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "schedule",
    [
        Exponential(init_value=1.0, decay_rate=2.0),
        Exponential(init_value=1.0, decay_rate=1.5, decay_steps=3.5),
        Exponential(init_value=1.0, decay_rate=2.0, staircase=True, decay_steps=7),
        Exponential(init_value=1.0, decay_rate=2.0) + Exponential(init_value=1.0, decay_rate=3.0),
        Exponential(init_value=1.0, decay_rate=2.0) * 1e300,
        Repeat(Constant(1.0).cooldown(5, start=5), value_factor=1e100),
        Repeat(Constant(1.0).cooldown(5, start=5), value_factor=1e100, length_factor=2),
        Linear(init_value=1.0, end_value=1.7e308, decay_steps=10_000) * 2.0,
    ],
    ids=repr,
)
def test_growth_holds_the_largest_number(schedule: Schedule) -> None:
    largest = np.finfo(np.float64).max
    steps = [*range(990, 1100), 10**4, 10**5, 10**9, 2**53]
    values = [schedule(step) for step in steps]
    assert max(values) == largest
    assert all(math.isfinite(value) for value in values)
    assert np.isfinite(schedule.values(steps)).all()


@pytest.mark.parametrize("staircase", [False, True])
def test_growth_that_alternates_keeps_its_sign_at_the_largest_number(staircase: bool) -> None:
    largest = float(np.finfo(np.float64).max)
    growth = Exponential(init_value=1.0, decay_rate=-3.0, staircase=staircase)
    cycles = Repeat(Linear(init_value=-1.0, end_value=-1.0, decay_steps=1), value_factor=-3.0)
    for step in (2000, 2001, 2002, 2003, 10**9, 10**9 + 1):
        assert growth(step) == growth.values([step])[0] == (-largest if step % 2 else largest)
        assert cycles(step) == cycles.values([step])[0] == (largest if step % 2 else -largest)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_value_that_leaves_float64_keeps_its_sign(sign: float) -> None:
    huge, largest = Constant(sign * 1.7e308), sign * float(np.finfo(np.float64).max)
    line = Linear(init_value=sign * 1.7e308, end_value=sign * 1.6e308, decay_steps=10)
    for schedule in (
        huge + huge,
        lrcore.Sum([huge] * 1000),
        line + huge,
        line + line,
        huge * 2.0,
        line * 2.0,
        Exponential(init_value=sign, decay_rate=2.0).warmup(5).cooldown(5, start=5000, end_value=largest),
        Repeat(huge, period=5, value_factor=2.0, length_factor=2),
    ):
        assert schedule(5010) == schedule.values([5010])[0] == largest


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_line_that_leaves_float64_on_its_way_keeps_its_sign(sign: float) -> None:
    line = Linear(init_value=sign * 1.7e308, end_value=sign * 1.6e308, decay_steps=10)
    for schedule in (line + line, line + Constant(sign * 1.7e308), line * 2.0):
        assert schedule(5) == schedule.values([5])[0] == sign * float(np.finfo(np.float64).max)


def test_growing_cycles_that_alternate_keep_their_sign_at_the_largest_number() -> None:
    """Cycles of 5, 10, 20 and 40 updates, of which the second is finite."""
    schedule = Repeat(Linear(init_value=1.0, end_value=1.0, decay_steps=5), value_factor=-1e200, length_factor=2)
    largest = float(np.finfo(np.float64).max)
    assert [schedule(step) for step in (0, 5, 15, 35)] == [1.0, -1e200, largest, -largest]


def test_a_product_of_numbers_is_no_negative_zero() -> None:
    for schedule in (Constant(0.0) * -1.0, Constant(1e-300) * Constant(-1e-300)):
        assert math.copysign(1.0, schedule(0)) == 1.0


@pytest.mark.parametrize("rate", [1.5, 2.0, -3.0, 10.0])
def test_growth_is_exact_where_only_its_power_leaves_float64(rate: float) -> None:
    last = int((math.log(1e307) - math.log(1e-8)) / math.log(abs(rate)))
    check(Exponential(init_value=1e-8, decay_rate=rate), range(last - 40, last))
    cycles = Repeat(Linear(init_value=1e-8, decay_steps=2), value_factor=rate)
    check(cycles, range(2 * last - 80, 2 * last))


@pytest.mark.parametrize(
    "schedule",
    [
        Exponential(init_value=0.1, decay_rate=5e-324, decay_steps=2**53),
        Exponential(init_value=0.1, decay_rate=0.5, decay_steps=2.0**-53),
        InverseTime(init_value=0.1, decay_rate=1.7e308, decay_steps=2.0**-53, power=100, staircase=True),
        InverseTime(init_value=0.1, decay_rate=1.7e308, power=1.7e308),
        Linear(init_value=1.7e308, end_value=-1.7e308, decay_steps=10),
        Cosine(init_value=1.7e308, end_value=1.6e308, decay_steps=10, exponent=1.7e308),
        Polynomial(init_value=5e-324, decay_steps=10, power=1e-300),
        Constant(1.7e308).warmup(10, init_value=5e-324, shape="exponential"),
        Exponential(init_value=-1.0, decay_rate=-3.0) + Exponential(init_value=1.0, decay_rate=3.0),
        Repeat(Linear(init_value=1.0, decay_steps=10), value_factor=-1.7e308, period=2.0**-53, mirror=True),
        Repeat(Linear(init_value=1.0, decay_steps=2**53), length_factor=2**53),
        lrcore.Every(lrcore.Every(Cosine(init_value=1.0, decay_steps=2**53), 2**53), 2**53),
        lrcore.Repeat(lrcore.Every(lrcore.Every(Cosine(init_value=1.0, decay_steps=2**53), 2**53), 3), length_factor=2),
        lrcore.Shift(Linear(init_value=1.0, decay_steps=10).warmup(2**53), 2**53),
    ],
    ids=repr,
)
def test_no_value_is_ever_nan(schedule: Schedule) -> None:
    steps = [0, 1, 2, 3, 9, 10, 11, 1023, 1024, 1025, 10**9, 2**53 - 1, 2**53]
    assert all(math.isfinite(schedule(step)) for step in steps)
    assert np.isfinite(schedule.values(steps)).all()


# --- the edges of counting --------------------------------------------------------------------------------------------

HUGE = (2**53, 2**53 + 1, 2**63, 2**1023, 2**1024, 10**400, 10**5000)


@pytest.mark.parametrize(
    ("schedule", "limit"),
    [
        (Exponential(init_value=0.1, decay_rate=0.99), 0.0),
        (Exponential(init_value=0.1, decay_rate=0.5, decay_steps=3.7), 0.0),
        (Exponential(init_value=0.1, decay_rate=0.5, decay_steps=7, staircase=True), 0.0),
        (Exponential(init_value=-0.1, decay_rate=2.0), -float(np.finfo(np.float64).max)),
        (InverseTime(init_value=1.0), 1 / (1 + 2**53)),
        (InverseTime(init_value=1.0, decay_steps=0.1, power=50), 0.0),
        (InverseTime(init_value=1.0, decay_steps=2.0**53), 0.5),
        (InverseTime(init_value=0.1).warmup(2**53), 0.1),
        (InverseTime(init_value=0.1).warmup(2**53, init_value=0.3, shape="constant"), 0.1),
        (InverseTime(init_value=0.1).warmup(3).warmup(2**53, init_value=0.3), 0.0),
        (Linear(init_value=1.0, end_value=0.25, decay_steps=2**53).warmup(2**53), 0.25),
        (lrcore.Shift(lrcore.Every(Linear(init_value=1.0, decay_steps=2**53), 2**20), 2**53), 1 - 2**-19),
        (Repeat(Linear(init_value=1.0, decay_steps=10)), 0.8),  # 2**53 ends in 2
        (Repeat(Linear(init_value=1.0, decay_steps=10), value_factor=0.5), 0.0),
        (lrcore.Clip(Exponential(init_value=0.1, decay_rate=0.5), min_value=0.01), 0.01),
        (lrcore.Shift(InverseTime(init_value=1.0), 2**53), 1 / (1 + 2**54)),
        (lrcore.Every(InverseTime(init_value=1.0), 2**52), 1 / 3),
        (lrcore.Function(lambda step: 0.1 / (step + 1)), 0.1 / (2**53 + 1)),
        (Constant(0.5) + Exponential(init_value=0.1, decay_rate=0.5), 0.5),
        (lrcore.running_product(0.5, lambda step: 0.5).cooldown(3, start=5), 0.0),
    ],
    ids=repr,
)
def test_a_step_of_any_size_has_a_value(schedule: Schedule, limit: float) -> None:
    """From 2**53 on what goes on for ever, or past 2**62, holds its value; what ends later goes on to its end."""
    end = 0 if schedule.length is None or schedule.length > 2**62 else schedule.length
    for step in (step for step in HUGE if step >= end):
        assert schedule(step) == schedule.at(step) == pytest.approx(limit, rel=1e-14)
        assert type(schedule(step)) is float
    for step in (step for step in (2**53, 2**62, 2**62 + 1, 2**63 - 1) if step >= end):
        assert schedule.values([step])[0] == pytest.approx(limit, rel=1e-14)
        assert schedule.values(np.array([step], np.uint64))[0] == pytest.approx(limit, rel=1e-14)


@pytest.mark.parametrize(
    "inner", [Linear(init_value=1.0, decay_steps=2**53), Repeat(Linear(init_value=1.0, decay_steps=3))]
)
def test_clocks_inside_one_another_end_in_a_sentence_or_give_values(inner: Schedule) -> None:
    schedule = inner
    with pytest.raises(lrcore.ScheduleError) if inner.length else contextlib.nullcontext():
        for _ in range(30):
            schedule = lrcore.Every(schedule, 2**53)
    for outer in (schedule, schedule.warmup(5), Repeat(schedule, period=7), schedule.cooldown(3, start=5)):
        assert all(math.isfinite(outer(step)) for step in (0, 9, *HUGE))
        assert np.isfinite(outer.values([0, 9, 2**53, 2**63 - 1])).all()
        assert lrcore.lower(outer, horizon=100).method == "lookup"


NO_STEPS = (-1, -(10**5000), True, 5.0, "5", None, np.float64(5), np.bool_(True))


@pytest.mark.parametrize("step", NO_STEPS, ids=lambda step: type(step).__name__)
def test_something_that_is_not_a_step_is_refused_in_one_sentence(step: Any) -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"^step: expected an integer >= 0, .*; got .*$"):
        Constant(0.1)(step)
