"""Tables hold the host's own values: the same bits where they look up, at most 1 ulp of float32 away where they are fitted."""

from __future__ import annotations

import pickle
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import lrcore
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
    ScheduleError,
    Shift,
    Sum,
    adapting,
)
from lrcore.tables.table import polynomial
from tests.accuracy import LARGEST, LAST, TINY, error
from tests.kinds import KINDS
from tests.strategies import schedules

MANY_PIECES = 600
thirds = st.integers(-(2**30) // 3, 2**30 // 3)  # coefficients whose sum stays below 2**30, as those that are fitted do
STAIRS = Exponential(init_value=0.1, decay_rate=0.9999999, decay_steps=10, staircase=True)


def never(step: int) -> float:
    raise AssertionError(f"asked for step {step}")


def evaluate(table: adapting.Table, steps: Any, dtype: Any = "float32") -> Any:
    return table.evaluate(np, np.asarray(steps), lambda array, name: array.astype(name), dtype)


def host(schedule: Schedule, steps: Any) -> list[float]:
    """The schedule's own values, rounded once to float32."""
    rounded = np.array([schedule(step) for step in steps]).clip(-LARGEST, LARGEST).astype(np.float32)
    return np.where(np.abs(rounded) < TINY, 0, rounded).tolist()


# --- lookups ----------------------------------------------------------------------------------------------------------

SHORT = {
    "constant": Constant(0.1),
    "warmup and cosine": Cosine(init_value=0.3, end_value=0.01, decay_steps=95).warmup(5),
    "pieces": PiecewiseConstant(boundaries=[10, 50], values=[0.3, 0.2, 0.1]),
    "per epoch": Every(Linear(init_value=1.0, end_value=0.1, decay_steps=7), steps=9),
    "cycles after a warmup": Repeat(Linear(init_value=0.7, end_value=0.1, decay_steps=7)).warmup(5),
    "mirrored": Repeat(Cosine(init_value=0.7, end_value=0.1, decay_steps=9), mirror=True),
    "cycles per epoch": Every(Repeat(Linear(init_value=0.7, end_value=0.1, decay_steps=7)), steps=3).warmup(4),
    "endless stairs": Exponential(init_value=0.1, decay_rate=0.1, decay_steps=30, staircase=True),
    "endless stairs after a warmup": Exponential(init_value=0.1, decay_rate=0.5, decay_steps=30, staircase=True).warmup(7),
    "endless stairs, halved": Every(Exponential(init_value=0.1, decay_rate=0.9), steps=17) * 0.5,
    "endless stairs of a real width": Exponential(init_value=0.1, decay_rate=0.5, decay_steps=7.25, staircase=True),
    "endless and fading": Exponential(init_value=0.1, decay_rate=0.9),
    "alternating": Exponential(init_value=0.1, decay_rate=-0.9),
    "fading towards a floor": Sum([Constant(0.01), Repeat(Linear(init_value=0.1, decay_steps=8), mirror=True, value_factor=0.5)]),
    "beyond float32": Exponential(init_value=1e300, decay_rate=0.5, decay_steps=10),
    "function": Function(lambda step: 0.1 / (step + 1), horizon=60),
    "function per epoch": Every(Function(lambda epoch: 0.1 / (epoch + 1), horizon=6), steps=10),
    "repeated function": Repeat(Function(lambda step: 0.1 / (step + 1)), period=11),
}  # fmt: skip


@pytest.mark.parametrize("name", SHORT)
def test_a_lookup_holds_the_bits_of_the_host(name: str) -> None:
    schedule = SHORT[name]
    table = lrcore.lower(schedule)
    steps = [*range(3000), 10**6, 2**24 + 1, LAST - 1, LAST]
    assert table.method == "lookup"
    assert evaluate(table, steps).tolist() == host(schedule, steps)


def test_a_lookup_in_float64_holds_the_very_values() -> None:
    schedule = SHORT["warmup and cosine"]
    values = evaluate(lrcore.lower(schedule), range(120), "float64")
    assert values.dtype == np.float64
    assert values.tolist() == [schedule(step) for step in range(120)]


def test_stairs_take_one_entry_for_each_step_of_the_stairs() -> None:
    schedule = Every(Cosine(init_value=0.1, decay_steps=300), steps=1_000_000).warmup(500)
    table = lrcore.lower(schedule)
    assert table.nbytes == (500 + 301) * 8
    steps = 500 + np.arange(300) * 1_000_000
    for near in (steps - 1, steps, steps + 1):
        assert evaluate(table, near).tolist() == host(schedule, near.tolist())


def test_a_cycle_of_stairs_is_held_once_and_by_its_steps() -> None:
    schedule = Every(Repeat(Linear(init_value=0.7, end_value=0.1, decay_steps=7)), steps=1000).warmup(501)
    table = lrcore.lower(schedule)
    steps = (501 + np.arange(20)[:, None] * 1000 + np.array([-1, 0, 1])).ravel()
    assert table.nbytes == (501 + 7) * 8
    assert evaluate(table, steps).tolist() == host(schedule, steps.tolist())


def test_a_cycle_is_held_once() -> None:
    table = lrcore.lower(Repeat(Cosine(init_value=0.1, decay_steps=1000), mirror=True).warmup(10))
    assert table.nbytes == 2010 * 8


@pytest.mark.parametrize("method", ["lookup", "cubics"])
@pytest.mark.parametrize("integer", ["int32", "int64"])
def test_steps_have_any_shape(method: Any, integer: str) -> None:
    schedule = Linear(init_value=1.0, decay_steps=10)
    table = lrcore.lower(schedule, method=method)
    values = evaluate(table, np.array([[1, 2, 3], [4, -5, 60]], dtype=integer))
    assert values.tolist() == [host(schedule, [1, 2, 3]), host(schedule, [4, 0, 60])]
    assert evaluate(table, np.array(5, dtype=integer)).shape == ()


# --- cubics -----------------------------------------------------------------------------------------------------------


def long_schedules(steps: int) -> dict[str, Schedule]:
    rate = 3e-4
    cosine, rise = (
        Cosine(init_value=rate, decay_steps=steps // 100),
        Linear(init_value=0.0, end_value=rate, decay_steps=steps // 100),
    )
    return {
        "cosine": Cosine(init_value=rate, decay_steps=steps),
        "cosine with a floor": Cosine(init_value=rate, end_value=rate / 10, decay_steps=steps),
        "cosine, exponent": Cosine(init_value=rate, decay_steps=steps, exponent=1.7),
        "exponential": Exponential(init_value=rate, decay_rate=0.9999),
        "exponential, slow": Exponential(init_value=rate, decay_rate=1e-6, decay_steps=steps),
        "exponential, growing": Exponential(init_value=rate, decay_rate=2.0, decay_steps=steps / 100),
        "polynomial": Polynomial(init_value=rate, decay_steps=steps, power=2),
        "polynomial, root": Polynomial(init_value=rate, decay_steps=steps, power=0.3),
        "linear": Linear(init_value=rate, decay_steps=steps),
        "warmup": Constant(rate).warmup(steps),
        "steep rise": Linear(init_value=9.1 / 3000, end_value=9.1, decay_steps=steps),
        "inverse square root": InverseTime(init_value=rate, power=0.5),
        "inverse square root per epoch": Every(InverseTime(init_value=rate, power=0.5), steps=391).warmup(1000),
        "noam": InverseTime(init_value=rate, power=0.5, decay_steps=4000).warmup(4000),
        "stable, then 1-sqrt": Constant(rate).warmup(steps // 50).cooldown(steps=steps // 10, start=steps - steps // 10, shape="1-sqrt"),
        "restarts": Repeat(Cosine(init_value=rate, decay_steps=steps // 64), length_factor=2),
        "cyclic": Repeat(Linear(init_value=rate, end_value=5 * rate, decay_steps=steps // 3), mirror=True),
        "one cycle": Interpolate(boundaries=[0, 0.3 * steps - 1, steps - 1], values=[rate / 25, rate, rate / 25e4], shape="cosine"),
        "through zero": Linear(init_value=1.0, end_value=-0.7, decay_steps=steps),
        "clipped": Clip(Exponential(init_value=rate, decay_rate=1e-6, decay_steps=steps), min_value=rate / 3),
        "a hundred pieces": Join([part for _ in range(50) for part in (rise, cosine)]),
        "tiny": Linear(init_value=1e-36, decay_steps=steps),
    }  # fmt: skip


def telling_steps(steps: int, schedule: Schedule) -> Any:
    """Both ends densely, every cut and its neighbours, where float32 stops counting, and many others."""
    chance = np.random.default_rng(0)
    cuts = [*islice(schedule.timeline.breakpoints(steps + 1), 1000)]
    near = np.array([*cuts, 0, 2**24, steps, LAST])[:, None] + np.arange(-4, 5)
    spread = np.geomspace(1, steps, 20_000).astype(np.int64)
    some = (
        near.ravel(),
        np.arange(5_000),
        steps - np.arange(5_000),
        spread,
        steps - spread,
        chance.integers(0, LAST, 20_000),
    )
    return np.unique(np.clip(np.concatenate(some), 0, LAST))


MILLION = long_schedules(10**6)


@pytest.mark.parametrize("name", MILLION)
def test_every_step_of_a_million_is_within_one_ulp(name: str) -> None:
    schedule = MILLION[name]
    table = lrcore.lower(schedule, method="cubics")
    steps = np.arange(10**6 + 100)
    values = evaluate(table, steps)
    assert table.method == "cubics"
    assert table.nbytes <= 2**20
    assert error(schedule, steps, values).max() < 0.75


@pytest.mark.parametrize("steps", [10**9, LAST])
@pytest.mark.parametrize("name", MILLION)
def test_a_very_long_schedule_is_within_one_ulp(name: str, steps: int) -> None:
    schedule = long_schedules(steps)[name]
    table = lrcore.lower(schedule)
    where = telling_steps(steps, schedule)
    values = evaluate(table, where)
    assert table.nbytes <= 2**20
    assert error(schedule, where, values).max() < 0.75
    assert error(schedule, where, evaluate(table, where, "float64")).max() < 0.25


@pytest.mark.parametrize("name", MILLION)
def test_cubics_have_the_bits_of_the_host_at_first_and_where_pieces_begin(name: str) -> None:
    schedule = MILLION[name]
    cuts = [] if name in {"cyclic", "inverse square root per epoch"} else list(schedule.timeline.breakpoints(10**6 + 1))
    steps = [*range(256), *cuts]
    assert evaluate(lrcore.lower(schedule, method="cubics"), steps).tolist() == host(schedule, steps)


@pytest.mark.parametrize("steps", [10**6, 10**9])
@pytest.mark.parametrize("name", MILLION)
def test_a_table_for_float64_is_as_exact_as_float64(name: str, steps: int) -> None:
    schedule = long_schedules(steps)[name]
    table = lrcore.lower(schedule, method="cubics", dtype="float64")
    where = telling_steps(steps, schedule)
    where = where[where <= table.clock.last]  # type: ignore[attr-defined]
    wanted, got = schedule.values(where), evaluate(table, where, "float64")
    cancelled = 1.0 if name == "through zero" else 0.0
    assert (np.abs(got - wanted) <= 4e-15 * np.maximum(np.abs(wanted), cancelled)).all()
    assert got[:256].tolist() == [schedule(step) for step in where[:256].tolist()]
    assert (
        pickle.loads(pickle.dumps(table)).evaluate(np, where, lambda array, name: array.astype(name)).dtype == "float32"
    )


def test_a_lookup_is_exact_in_float64_as_it_is() -> None:
    table = lrcore.lower(SHORT["warmup and cosine"], dtype="float64")
    assert table.method == "lookup"
    assert evaluate(table, 50, "float64").item() == SHORT["warmup and cosine"](50)


@given(st.integers(0, 2**30 - 1), st.integers(-(2**30), 2**30), st.lists(thirds, min_size=3, max_size=3))
def test_a_polynomial_in_fixed_point_is_exact_to_within_one_and_a_half(u: int, c0: int, others: list[int]) -> None:
    c1, c2, c3 = others
    part = Fraction(u, 2**30)
    wanted = c0 + part * (c1 + part * (c2 + part * c3))
    got = polynomial(np, *(np.int32(number) for number in (u, c0, c1, c2, c3)))
    assert abs(int(got) - wanted) <= Fraction(3, 2)


@pytest.mark.parametrize("width", [2, 3, 50])
def test_a_piece_of_one_value_is_one_cubic_however_short(width: int) -> None:
    schedule = PiecewiseConstant(
        boundaries=range(1000, 1000 + 200 * width, width), values=np.linspace(1.0, 0.1, 201).tolist()
    )
    table = lrcore.lower(schedule, method="cubics")
    assert table.nbytes == (256 + 200) * 32  # the last of the first 256 goes on until step 1000
    steps = range(900, 1200 + 200 * width)
    assert evaluate(table, steps).tolist() == host(schedule, steps)


@pytest.mark.parametrize("end_value", [0.0, 1e-5])
def test_the_last_value_is_exact_for_ever(end_value: float) -> None:
    for length in (10**6, 10**9):
        table = lrcore.lower(Cosine(init_value=0.1, end_value=end_value, decay_steps=length))
        assert evaluate(table, [length, length + 1, LAST]).tolist() == [np.float32(end_value).item()] * 3
        assert evaluate(table, length - 1000).item() > end_value


@given(schedules(longest=2_000_000, leaves=3), st.lists(st.integers(0, 3_000_000), min_size=50, max_size=50))
def test_random_schedules_are_within_one_ulp_or_ask_for_a_horizon(schedule: Schedule, steps: list[int]) -> None:
    try:
        table = lrcore.lower(schedule, method="cubics")
    except ScheduleError:
        assert len(breakpoints(schedule, LAST)) == MANY_PIECES
        table = lrcore.lower(schedule, horizon=10_000)
        steps = [step % 10_000 for step in steps]
    values = evaluate(table, steps).astype(np.float64)
    wanted = schedule.values(steps).clip(-LARGEST, LARGEST)
    wanted = np.where(np.abs(wanted).astype(np.float32) < TINY, 0.0, wanted)
    ulp = np.ldexp(1.0, np.frexp(np.maximum(np.abs(wanted), TINY))[1] - 24)
    # In a sum of terms that cancel, float64 itself is only exact relative to the terms.
    assert (np.abs(values - wanted) <= np.maximum(ulp, 1e-13 * np.abs(wanted).max(initial=0))).all()


@given(schedules(longest=60), st.lists(st.integers(0, 10**6), max_size=20))
def test_random_lookups_hold_the_bits_of_the_host(schedule: Schedule, steps: list[int]) -> None:
    table = lrcore.lower(schedule, horizon=20_000)
    steps = [step % 20_000 for step in steps] + list(range(150))
    assert table.method == "lookup"
    assert evaluate(table, steps).tolist() == host(schedule, steps)


def test_a_cycle_that_is_0_at_whole_steps_alone_is_not_taken_for_0() -> None:
    """The second cycle of 2.5 updates asks its ramp half-way; the deep profile found that the table held 0 throughout."""
    ramp = Repeat(Linear(init_value=0.0, end_value=1.0, decay_steps=1))
    for schedule in (Repeat(ramp, period=2.5), Repeat(ramp, period=2.5, value_factor=0.9)):
        table = lrcore.lower(schedule, horizon=1_000)
        assert schedule(3) > 0
        assert evaluate(table, list(range(1_000))).tolist() == host(schedule, list(range(1_000)))


def test_cycles_settle_as_slowly_as_the_largest_of_many_pieces() -> None:
    pieces = PiecewiseConstant(boundaries=range(1, 40_001), values=[0.0] * 40_000 + [0.1])
    schedule = Repeat(pieces, period=40_020, value_factor=1e-12)
    steps = [40_000, 80_020, 80_040, 120_040, 160_060, 200_080]
    assert evaluate(lrcore.lower(schedule), steps).tolist() == host(schedule, steps)


# --- the bits of the host ---------------------------------------------------------------------------------------------

GROWING = {
    "lengths beyond 2**53": Repeat(Cosine(init_value=0.3, end_value=0.01, decay_steps=7), length_factor=2.0**45, mirror=True),
    "times beyond 2**63": Repeat(Shift(Exponential(init_value=0.1, decay_rate=0.9, decay_steps=1e6), steps=10**6), period=7, length_factor=2.0**45),
    "lines beyond 2**63": Repeat(Shift(Linear(init_value=0.9, end_value=0.1, decay_steps=10**6), steps=10), period=7, length_factor=2.0**53),
    "lines beyond 2**53": Repeat(Linear(init_value=0.0, end_value=0.1, decay_steps=7), length_factor=2.0**53 - 1),
    "a geometric fall": Repeat(Interpolate(boundaries=[0, 9], values=[0.1, 1e-5], shape="exponential"), length_factor=2.0**52),
    "growing values": Repeat(Linear(init_value=-0.3, end_value=0.1, decay_steps=500), value_factor=-1.5),
    "a steep power": Polynomial(init_value=0.1, end_value=1e-4, decay_steps=900, power=30),
    "a cosine to a power": Cosine(init_value=0.1, end_value=1e-4, decay_steps=900, exponent=1.7),
    "a zero below zero": Clip(Linear(init_value=-1e-300, decay_steps=700) * Linear(init_value=1e-300, decay_steps=900), min_value=0.0),
    "real cycles of a function": Repeat(Every(Function([0.1 / (step + 1) for step in range(100)].__getitem__), steps=3), period=300, length_factor=1.5),
}  # fmt: skip


@pytest.mark.parametrize("name", [*KINDS, *long_schedules(3000), *GROWING])
def test_a_lookup_has_the_very_values_of_every_kind(name: str) -> None:
    schedule = {**KINDS, **long_schedules(3000), **GROWING}[name]
    values = evaluate(lrcore.lower(schedule, horizon=4000, method="lookup"), range(4000), "float64")
    wanted = np.array([schedule(step) for step in range(4000)])
    kept = (np.abs(wanted) >= TINY) | (wanted == 0)
    assert values[kept].tobytes() == wanted[kept].tobytes()
    assert (np.abs(values[~kept]) < TINY).all()


@given(schedules(longest=1500), st.integers(0, 3000))
def test_a_lookup_has_the_very_values_of_random_schedules(schedule: Schedule, horizon: int) -> None:
    values = evaluate(lrcore.lower(schedule, horizon, method="lookup"), range(0, 3001, 3), "float64")
    wanted = np.array([schedule(min(step, horizon)) for step in range(0, 3001, 3)])
    kept = np.abs(wanted) >= TINY
    assert values[kept].tobytes() == wanted[kept].tobytes()


@pytest.mark.parametrize(
    ("schedule", "asked"),
    [
        (lambda function: Function(function, horizon=300), range(301)),
        (lambda function: Function(function, horizon=10**9).warmup(7).cooldown(steps=9, start=307), range(301)),
        (lambda function: Every(Function(function, horizon=300), steps=7), range(301)),
        (lambda function: Repeat(Function(function), period=300), range(300)),
        (lambda function: Repeat(Function(function), period=300, mirror=True), range(301)),
        (lambda function: Repeat(Function(function), period=300, value_factor=0.01), range(300)),
        (lambda function: Join([Function(function), Constant(0.1)], boundaries=[300]), range(300)),
    ],
)
def test_a_function_is_asked_for_whole_steps_and_for_none_that_no_update_uses(schedule: Any, asked: range) -> None:
    calls: list[int] = []

    def function(step: int) -> float:
        calls.append(step)
        return 0.1 / (step + 1)

    lrcore.lower(schedule(function))
    assert set(calls) == set(asked)
    assert {type(step) for step in calls} == {int}


def test_a_function_is_asked_for_integers_by_a_clock_of_real_time() -> None:
    types = set()

    def function(step: int) -> float:
        types.add(type(step))
        return 0.1 / (step + 1)

    lrcore.lower(Repeat(Every(Function(function), steps=3), period=301, length_factor=1.5), horizon=4000)
    assert types == {int}


@pytest.mark.parametrize(
    ("schedule", "asked"),
    [
        (lambda function: Function(function, horizon=500), 501),
        (lambda function: Repeat(Function(function), period=500), 500),
        (lambda function: Every(Function(function, horizon=500), steps=7), 501),
    ],
)
def test_each_step_of_a_function_is_asked_once(schedule: Any, asked: int) -> None:
    calls: list[int] = []

    def function(step: int) -> float:
        calls.append(step)
        return 0.1

    lrcore.lower(schedule(function))
    assert sorted(calls) == list(range(asked))


# --- stairs -----------------------------------------------------------------------------------------------------------

FALL, SLOW = Exponential(init_value=0.5, decay_rate=0.9), InverseTime(init_value=0.25, power=0.5)


@pytest.mark.parametrize("combined", [Sum, Product])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Every(FALL, steps=4), Every(SLOW, steps=6)),
        (Every(FALL, steps=6), Every(SLOW, steps=4)),
        (Every(FALL, steps=4), Shift(Every(SLOW, steps=4), steps=1)),
        (Every(FALL, steps=4), SLOW),
        (Every(FALL, steps=4), Every(Repeat(Linear(init_value=1.0, decay_steps=5)), steps=6)),
    ],
)
def test_stairs_of_two_clocks_change_where_either_does(combined: Any, first: Schedule, second: Schedule) -> None:
    schedule = combined([first, second])
    assert evaluate(lrcore.lower(schedule, horizon=600), range(601)).tolist() == host(schedule, range(601))


@pytest.mark.parametrize("limits", [{"min_value": 0.02}, {"max_value": 0.3}, {"min_value": 0.02, "max_value": 0.3}])
@pytest.mark.parametrize(
    ("inner", "entries"), [(Repeat(FALL, period=50), 50), (Repeat(Linear(init_value=0.5, decay_steps=9), value_factor=0.9), 8000)]
)  # fmt: skip
def test_clipped_stairs_take_one_entry_for_each_step_of_the_stairs(inner: Schedule, entries: int, limits: Any) -> None:
    schedule = Clip(Every(inner, steps=10_000), **limits)
    table = lrcore.lower(schedule)
    steps = (np.arange(1, 200)[:, None] * 10_000 + np.array([-1, 0, 1])).ravel()
    assert table.nbytes <= entries * 8
    assert evaluate(table, steps).tolist() == host(schedule, steps.tolist())


def test_scaled_stairs_take_one_entry_for_each_step_of_the_stairs() -> None:
    schedule = Every(Repeat(FALL, period=50), steps=10_000) * 0.5
    steps = (np.arange(1, 200)[:, None] * 10_000 + np.array([-1, 0, 1])).ravel()
    assert lrcore.lower(schedule).nbytes == 50 * 8
    assert evaluate(lrcore.lower(schedule), steps).tolist() == host(schedule, steps.tolist())


def test_clipped_stairs_that_are_fitted_bend_where_their_steps_do() -> None:
    schedule = Clip(Every(Repeat(Cosine(init_value=0.1, decay_steps=10**6)), steps=5), min_value=0.02)
    table = lrcore.lower(schedule)
    steps = np.arange(0, 10**7, 991)
    assert table.method == "cubics"
    assert error(schedule, steps, evaluate(table, steps)).max() < 0.75


# --- limits that are approached ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "limit"),
    [
        (FALL, 0.0),
        (FALL * FALL * FALL, 0.0),
        (FALL * -0.5, 0.0),
        (FALL + Constant(0.01), 0.01),
        ((FALL + Constant(0.01)) * -0.5, -0.005),
        ((FALL + Constant(2.0**-30)) * 2.0**30, 1.0),
        (Clip(FALL + Constant(0.01), max_value=0.3), 0.01),
        (Clip(FALL, min_value=1e-3), 1e-3),
        (Clip(FALL * FALL + Constant(0.01), min_value=0.02), 0.02),
        (Clip(FALL * -1, max_value=-1e-3, min_value=-0.2), -1e-3),
    ],
)
def test_a_table_ends_where_its_type_no_longer_tells_the_value_from_its_limit(schedule: Schedule, limit: float) -> None:
    near = abs(limit) * 2.0**-53 or 2.0**-127
    close = next(step for step in range(5000) if abs(schedule(step) - limit) < near)
    entries = lrcore.lower(schedule).nbytes // 8
    assert close < entries <= close + 60
    assert limit or entries == close + 1
    assert evaluate(lrcore.lower(schedule), LAST).item() == np.float32(limit)


# --- the end of the counters ------------------------------------------------------------------------------------------

BILLION = 10**9
COSINE = Cosine(init_value=0.1, end_value=1e-3, decay_steps=BILLION)
LATE = PiecewiseConstant(boundaries=range(1, 40_001), values=[0.0] * 39_999 + [0.1, 0.0])
RESTARTS = Repeat(Cosine(init_value=0.1, decay_steps=1000), value_factor=0.5)
LATE_FUNCTION = Repeat(Join([COSINE, Function(never)], boundaries=[2**31]), period=4 * BILLION)
MANY = PiecewiseConstant(boundaries=range(2**31, 2**31 + 40_000), values=[0.1] * 40_000 + [0.2])

REACHING_FAR: dict[str, tuple[Schedule, dict[str, Any]]] = {
    "a limit that is met later": (Clip(InverseTime(init_value=0.01, power=0.5), min_value=1e-8), {}),
    "a decay that ends later": (Linear(init_value=0.1, decay_steps=3 * BILLION), {}),
    "a warmup that ends later": (Constant(0.1).warmup(3 * BILLION), {}),
    "a cooldown that begins later": (COSINE.cooldown(steps=BILLION, start=3 * BILLION), {}),
    "a boundary one later": (PiecewiseConstant(boundaries=[2**31], values=[1.0, 0.5]), {}),
    "a boundary at the end": (PiecewiseConstant(boundaries=[LAST], values=[1.0, 0.5]), {}),
    "a real knot before the end": (Interpolate(boundaries=[0, LAST - 0.5, 2**33], values=[0.1, 0.2, 0.3]), {}),
    "a cycle that ends later": (Repeat(COSINE, period=2.5 * BILLION), {}),
    "an epoch that ends later": (Every(Linear(init_value=0.1, decay_steps=9), steps=BILLION), {}),
    "cycles that grow": (Repeat(Cosine(init_value=0.1, decay_steps=BILLION), length_factor=3), {}),
    "many pieces later": (MANY, {}),
    "many pieces later, in a sum": (COSINE + MANY, {}),
    "many pieces later, in a clip": (Clip(Join([COSINE, MANY], boundaries=[BILLION]), max_value=0.05), {}),
    "many pieces later, in a cycle": (Repeat(Join([COSINE, MANY], boundaries=[BILLION]), period=4 * BILLION), {}),
    "a function later": (Join([COSINE, Function(never)], boundaries=[2**31]), {}),
    "a function later, in a clip": (Clip(Join([COSINE, Function(never)], boundaries=[2**31]), max_value=0.05), {}),
    "a function later, in a cycle": (LATE_FUNCTION, {}),
    "a function later, per epoch": (Every(Join([COSINE, Function(never)], boundaries=[BILLION]), steps=3), {}),
    "a function later, in a cycle per epoch": (Every(Repeat(Join([COSINE, Function(never)], boundaries=[BILLION]), period=4 * BILLION), steps=3), {}),
    "a function later, in a clip of a cycle": (Clip(LATE_FUNCTION, max_value=0.05), {}),
    "a function later, in a cycle of a sum": (LATE_FUNCTION + COSINE, {}),
    "a function at the end": (Join([COSINE, Function(lambda step: 0.5 / (step + 1))], boundaries=[LAST]), {}),
    "a function after a cycle": (Join([Repeat(Join([COSINE, Function(never)], boundaries=[50]), period=90), COSINE], boundaries=[40]), {}),
    "a function of which little is asked": (Join([Function(lambda step: 0.5 / (step + 1), horizon=BILLION), Constant(0.1)], boundaries=[99]), {}),
    "a function that is over": (Shift(Function(lambda step: 0.5 / (step + 1), horizon=50), steps=60) * COSINE, {}),
    "a function at the horizon": (Join([COSINE, Function(lambda step: 0.5 / (step + 1))], boundaries=[BILLION]), {"horizon": BILLION}),
    "a function before its own horizon": (Function(lambda step: 0.5 / (step + 1), horizon=BILLION), {"horizon": 1000}),
    "a function before the end of a cycle": (Repeat(Function(([0.5] * 200 + [0.1] * 801).__getitem__), period=10**6, value_factor=0.5), {"horizon": 1000}),
    "a function before the end of a cycle, per epoch": (Every(Repeat(Function(([0.5] * 11).__getitem__), period=100, value_factor=0.5), steps=100), {"horizon": 1000}),
    "a cycle that began earlier": (Shift(Repeat(PiecewiseConstant(boundaries=[100, 200], values=[1.0, 0.5, 0.2]), period=1000), steps=90), {"horizon": 50}),
    "a horizon later": (COSINE, {"horizon": 2**31}),
    "a horizon much later": (InverseTime(init_value=0.1), {"horizon": 2**53}),
    "no horizon": (COSINE, {"horizon": 0}),
    "a clip of cycles that fade": (Clip(RESTARTS, min_value=1e-8), {}),
    "a clip of cycles that fade, scaled": (Clip(RESTARTS, min_value=1e-8) * 0.3, {}),
    "a clip of cycles that fade to a floor": (Clip(RESTARTS + Constant(0.01), max_value=0.05), {}),
    "a clip of cycles that fade between its limits": (Clip(RESTARTS, min_value=-0.1, max_value=0.05), {}),
    "a clip of a clip of cycles that fade": (Clip(Clip(RESTARTS, min_value=1e-8), max_value=0.05), {}),
    "a scaled sum of a floor and cycles that fade": ((RESTARTS + Constant(0.01)) * 0.3, {}),
    "a floor and cycles that fade, per epoch": (Every(RESTARTS + Constant(0.01), steps=391), {}),
    "cycles that fade from a negative limit": (Clip(RESTARTS * -1, max_value=-1e-8), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", REACHING_FAR)
def test_nothing_after_the_last_count_matters(name: str) -> None:
    schedule, arguments = REACHING_FAR[name]
    end = min(arguments.get("horizon", LAST), LAST)
    table = lrcore.lower(schedule, **arguments)
    spread = np.linspace(0, end, 2000).astype(np.int64).tolist()
    steps = sorted({*near_breakpoints(schedule, end), *range(min(end, 500)), *spread})
    values = evaluate(table, steps)
    assert error(schedule, np.array(steps), values).max() < 0.75
    if table.method == "lookup":
        assert values.tolist() == host(schedule, steps)
    assert evaluate(table, [min(end + 1, LAST), LAST]).tolist() == [values[-1]] * 2
    assert table.nbytes <= 2**20


@given(schedules(longest=1000, leaves=3), st.integers(2**31, 2**53), st.booleans())
def test_a_part_that_begins_after_the_last_count_is_as_if_it_were_not_there(
    schedule: Schedule, boundary: int, python: bool
) -> None:
    later = Function(never) if python else STAIRS
    assert table_or_words(Join([schedule, later], boundaries=[boundary])) == table_or_words(schedule)


@given(schedules(longest=1000, leaves=3))
def test_a_schedule_cut_at_its_end_is_the_schedule(schedule: Schedule) -> None:
    assume(schedule.length is not None)
    assert table_or_words(schedule, horizon=schedule.length) == table_or_words(schedule)


def table_or_words(schedule: Schedule, **arguments: Any) -> Any:
    """What can be compared: the size of a table and many of its values, or what is wrong with the schedule."""
    try:
        table = lrcore.lower(schedule, **arguments)
    except ScheduleError as error:
        return error.problem
    steps = np.concatenate([np.arange(1500), np.geomspace(1500, LAST, 1500).astype(np.int64)])
    return table.method, table.nbytes, evaluate(table, steps).tobytes()


@given(schedules(longest=2_000_000, leaves=3), st.one_of(st.integers(0, 9000), st.integers(0, 2**32)))
def test_a_table_is_the_schedule_up_to_its_horizon(schedule: Schedule, horizon: int) -> None:
    try:
        table = lrcore.lower(schedule, horizon=horizon)
    except ScheduleError:
        assert horizon > 2**22
        assert len(breakpoints(schedule, horizon)) == MANY_PIECES
        horizon = 2**20
        table = lrcore.lower(schedule, horizon=horizon)
    end = min(horizon, LAST)
    steps = near_breakpoints(schedule, end)
    values, wanted = evaluate(table, steps), np.array(host(schedule, steps))
    # In a sum of terms that cancel, float64 itself is only exact relative to the terms.
    slack = 1e-13 * np.abs(wanted).max()
    ulp = np.ldexp(1.0, np.frexp(np.maximum(np.abs(wanted), TINY))[1] - 24)
    assert (np.abs(values - wanted) <= np.maximum(ulp, slack)).all()
    assert evaluate(table, [end + 1, LAST] if end < LAST else [LAST]).tolist()[-1] == evaluate(table, end).item()


def breakpoints(schedule: Schedule, end: int) -> list[int]:
    """Where pieces begin up to a step, at most as many as may take more cubics than a table has."""
    return list(islice(schedule.timeline.breakpoints(end + 1), MANY_PIECES))


def near_breakpoints(schedule: Schedule, end: int) -> list[int]:
    """Steps up to `end`: the first, the last, where something happens and its neighbours."""
    places = [0, end, end // 2, *breakpoints(schedule, end)[:300]]
    return sorted({min(max(place + by, 0), end) for place in places for by in (-1, 0, 1)})


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "arguments", "words"),
    [
        (Function(float), {}, "a horizon of at most 4194304 steps; got none"),
        (lambda step: 0.1, {}, "a horizon of at most 4194304 steps; got none"),
        (Function(float).warmup(5), {}, "a horizon of at most 4194304 steps; got none"),
        (Function(float), {"horizon": 2**22 + 1}, "a horizon of at most 4194304 steps; got 4194305"),
        (Function(float), {"horizon": 2**40}, "a horizon of at most 4194304 steps; got 1099511627776"),
        (Function(never, horizon=10**9), {}, "a horizon of at most 4194304 steps; got 1000000000"),
        (Every(Function(float), steps=10), {}, "a horizon of at most 41943049 steps; got none"),
        (Every(Repeat(Function(float), period=10**7), steps=10), {}, "a horizon of at most 4194304 steps; got none"),
        (Clip(Function(float), max_value=0.1), {}, "a horizon of at most 4194304 steps; got none"),
        (COSINE + Function(float), {}, "a horizon of at most 4194304 steps; got none"),
        (Repeat(Function(float), period=10**9), {}, "a horizon of at most 4194304 steps; got none"),
        (Shift(Repeat(Function(float), period=BILLION, mirror=True, length_factor=2), steps=BILLION), {}, "steps; got none"),
        (Function(float, horizon=10), {"method": "cubics"}, "looked up, not fitted"),
        (InverseTime(init_value=0.1), {"method": "lookup"}, "a horizon of at most 4194304 steps"),
        (InverseTime(init_value=0.1, decay_steps=2.5, staircase=True), {}, "at most 32768 pieces"),
        (Repeat(Cosine(init_value=0.1, decay_steps=2000), value_factor=0.99), {}, "at most 32768 pieces"),
        (Repeat(STAIRS, period=2**31 - 2), {}, "at most 32768 pieces"),
        (Repeat(LATE, period=5 * 10**6, value_factor=0.5), {}, "at most 32768 pieces"),
        (Repeat(STAIRS, period=2**40, mirror=True, value_factor=0.5), {}, "at most 32768 pieces"),
        (Constant(0.1), {"horizon": -1}, "horizon: expected an integer >= 0"),
        (Constant(0.1), {"method": "cubic"}, "did you mean 'cubics'"),
        (0.1, {}, "expected a lrcore schedule or a function of the step"),
    ],
)  # fmt: skip
def test_a_schedule_that_no_table_can_hold_is_refused_in_one_sentence(
    schedule: Any, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ScheduleError) as caught:
        lrcore.lower(schedule, **arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_horizon_makes_a_lookup_of_anything() -> None:
    schedule = InverseTime(init_value=0.1, decay_steps=2.5, staircase=True)
    table = lrcore.lower(schedule, horizon=1000)
    assert table.method == "lookup"
    assert evaluate(table, range(1001)).tolist() == host(schedule, range(1001))
    assert evaluate(table, [1001, LAST]).tolist() == [np.float32(schedule(1000)).item()] * 2


def test_too_many_pieces_are_looked_up_while_that_is_possible() -> None:
    restarts = Repeat(Cosine(init_value=0.1, decay_steps=1000), value_factor=0.9)
    stairs = InverseTime(init_value=0.1, decay_steps=2.5, staircase=True)
    for table in (lrcore.lower(restarts), lrcore.lower(stairs, horizon=300_000)):
        assert table.method == "lookup"
    assert evaluate(lrcore.lower(restarts), range(1000, 900_000, 777)).tolist() == host(
        restarts, range(1000, 900_000, 777)
    )


def test_a_function_is_held_from_its_horizon_on() -> None:
    table = lrcore.lower(lambda step: 0.5**step, horizon=3)
    assert evaluate(table, range(6)).tolist() == [1.0, 0.5, 0.25, 0.125, 0.125, 0.125]


def test_a_schedule_made_of_many_pieces_may_have_as_many() -> None:
    schedule = LATE * 0.5 + Linear(init_value=0.1, decay_steps=50_000)
    steps = [0, 39_998, 39_999, 40_000, 49_999, 50_000]
    assert evaluate(lrcore.lower(schedule), steps).tolist() == host(schedule, steps)
    most = PiecewiseConstant(boundaries=range(1, 2**18), values=[0.1] * 2**18)
    assert (most * 0.5)(2**18) == 0.05
    with pytest.raises(
        ScheduleError, match=r"Repeat\.length_factor: expected at most 262144 pieces up to step 2\*\*53"
    ):
        Repeat(LATE, length_factor=2)
    with pytest.raises(ScheduleError, match=r"Sum\.schedules: expected at most 262144 pieces; got 262145"):
        Sum([most, PiecewiseConstant(boundaries=[2**20], values=[0.1, 0.2])])


@pytest.mark.parametrize("length", [100, 10**9])
def test_a_table_pickles(length: int) -> None:
    table = lrcore.lower(Cosine(init_value=0.1, decay_steps=length))
    steps = np.arange(0, length, length // 100)
    assert evaluate(pickle.loads(pickle.dumps(table)), steps).tolist() == evaluate(table, steps).tolist()
