"""Tables hold the host's own values: the same bits where they look up, at most 1 ulp of float32 away where they are fitted."""

from __future__ import annotations

import pickle
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given
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
    Repeat,
    Schedule,
    ScheduleError,
    Sum,
)
from lrcore.curves.timeline import PIECE_LIMIT
from tests.accuracy import LARGEST, LAST, TINY, error
from tests.strategies import schedules


def evaluate(table: lrcore.Table, steps: Any, dtype: Any = "float32") -> Any:
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


@pytest.mark.parametrize("end_value", [0.0, 1e-5])
def test_the_end_is_exact_for_ever(end_value: float) -> None:
    for length in (10**6, 10**9):
        table = lrcore.lower(Cosine(init_value=0.1, end_value=end_value, decay_steps=length))
        assert evaluate(table, [length, length + 1, LAST]).tolist() == [np.float32(end_value).item()] * 3
        assert evaluate(table, length - 1000).item() > end_value


def is_beyond_cubics(schedule: Schedule) -> bool:
    """Whether it is longer than the frameworks count, or has as many pieces as no table may (half, as curves take several)."""
    line = schedule.timeline
    pieces = sum(1 for _ in islice(line.breakpoints(LAST), PIECE_LIMIT // 2))
    return max(schedule.length or 0, line.end or 0) > LAST or pieces == PIECE_LIMIT // 2


@given(schedules(longest=2_000_000, leaves=3), st.lists(st.integers(0, 3_000_000), min_size=50, max_size=50))
def test_random_schedules_are_within_one_ulp_or_ask_for_a_horizon(schedule: Schedule, steps: list[int]) -> None:
    try:
        table = lrcore.lower(schedule, method="cubics")
    except ScheduleError:
        assert is_beyond_cubics(schedule)
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


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "arguments", "words"),
    [
        (Linear(init_value=1.0, decay_steps=2**31), {}, "at most 2147483647 updates"),
        (PiecewiseConstant(boundaries=[2**31], values=[1.0, 0.5]), {}, "at most 2147483647 updates"),
        (Function(float), {}, "a horizon of at most 4194304 steps; got none"),
        (lambda step: 0.1, {}, "a horizon of at most 4194304 steps; got none"),
        (Function(float).warmup(5), {}, "a horizon of at most 4194304 steps; got none"),
        (Function(float), {"horizon": 2**22 + 1}, "a horizon of at most 4194304 steps; got 4194305"),
        (Function(float, horizon=10), {"method": "cubics"}, "looked up, not fitted"),
        (InverseTime(init_value=0.1), {"method": "lookup"}, "a horizon of at most 4194304 steps"),
        (InverseTime(init_value=0.1, decay_steps=2.5, staircase=True), {}, "at most 32768 pieces"),
        (Repeat(Cosine(init_value=0.1, decay_steps=2000), value_factor=0.99), {}, "at most 32768 pieces"),
        (Constant(0.1), {"horizon": -1}, "horizon: expected an integer >= 0"),
        (Constant(0.1), {"horizon": 2**31}, "at most 2147483647 updates"),
        (Constant(0.1), {"method": "cubic"}, "did you mean 'cubics'"),
        (0.1, {}, "expected a lrcore schedule or a function of the step"),
    ],
)  # fmt: skip
def test_what_no_table_can_hold_is_refused_in_one_sentence(
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


@pytest.mark.parametrize("length", [100, 10**9])
def test_a_table_pickles(length: int) -> None:
    table = lrcore.lower(Cosine(init_value=0.1, decay_steps=length))
    steps = np.arange(0, length, length // 100)
    assert evaluate(pickle.loads(pickle.dumps(table)), steps).tolist() == evaluate(table, steps).tolist()
