"""What holds for every schedule: laws over random trees of all kinds."""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mpmath import mpf

import lrcore
from lrcore import Clip, Cosine, Every, Function, Join, Product, Repeat, Schedule, Shift, Sum
from lrcore.curves.formulas import LAST_STEP
from lrcore.records import Shape
from tests.kinds import KINDS
from tests.oracle import exact, knows_length, length
from tests.strategies import rates, schedules, segments, steps

ROOT = Path(__file__).parents[2]
BOUND = 1e-14  # relative to the largest term of a sum
SMALLEST = sys.float_info.min
HORIZON = 150
MONOTONE: tuple[Shape, ...] = ("linear", "cosine", "1-sqrt", "1-square")


def close(schedule: Schedule, step: int, value: float) -> bool:
    """Whether a value is the schedule's to within rounding."""
    wanted, size = exact(schedule.to_dict(), step)
    return bool(abs(mpf(value) - wanted) <= max(BOUND * size, SMALLEST))


def goes_one_way(values: Sequence[float]) -> bool:
    """Whether values only rise or only fall, but for the rounding of each."""
    changes, rounding = np.diff(values), 4 * math.ulp(max(map(abs, values), default=0.0))
    return bool((changes >= -rounding).all() or (changes <= rounding).all())


# --- values -----------------------------------------------------------------------------------------------------------


@given(st.data(), schedules())
def test_every_value_is_that_of_exact_arithmetic(data: st.DataObject, schedule: Schedule) -> None:
    for step in data.draw(st.lists(steps(schedule), min_size=1, max_size=4)):
        value = schedule(step)
        assert type(value) is float
        assert close(schedule, step, value)


@given(st.data(), schedules())
def test_an_array_of_steps_gives_the_values_one_by_one(data: st.DataObject, schedule: Schedule) -> None:
    asked = np.array(data.draw(st.lists(steps(schedule), max_size=8)), dtype=np.int64).reshape(-1, 1)
    values = schedule.values(asked)
    assert values.shape == asked.shape
    assert values.dtype == np.float64
    assert all(
        close(schedule, step, value) for step, value in zip(asked[:, 0].tolist(), values[:, 0].tolist(), strict=True)
    )


@given(st.data(), schedules())
def test_asking_changes_nothing(data: st.DataObject, schedule: Schedule) -> None:
    asked = data.draw(st.lists(steps(schedule), min_size=1, max_size=8))
    first = {step: schedule(step) for step in asked}
    schedule.values(np.arange(10))
    assert {step: schedule(step) for step in reversed(asked)} == first
    fresh = lrcore.from_dict(schedule.to_dict())
    assert isinstance(fresh, Schedule)
    assert {step: fresh(step) for step in sorted(asked)} == first


@given(st.data(), schedules())
def test_a_numpy_integer_is_a_step(data: st.DataObject, schedule: Schedule) -> None:
    step = data.draw(steps(schedule))
    counted: Any = np.int64(step)
    value = schedule(counted)
    assert value == schedule(step)
    assert type(value) is float


@given(schedules())
def test_after_its_end_a_schedule_holds_its_value(schedule: Schedule) -> None:
    ends = {end for end in (schedule.length, schedule.timeline.end) if end is not None}
    for end in ends:
        assert {schedule(end + later) for later in (0, 1, 2, 3, 50, 10**6, 2**52)} == {schedule(end)}


@given(schedules())
def test_the_length_is_that_of_the_parts(schedule: Schedule) -> None:
    plain = schedule.to_dict()
    assume(knows_length(plain))
    assert schedule.length == length(plain)


@given(schedules(), st.one_of(st.integers(0, 10), st.integers(0, 10**400)))
def test_a_step_may_be_any_integer(schedule: Schedule, later: int) -> None:
    """What goes on for ever, or past 2**62, holds its value from 2**53 on."""
    end = schedule.timeline.end
    last = LAST_STEP if end is None or end > 2**62 else max(end, LAST_STEP)
    assert schedule(last + later) == schedule.at(last + later) == schedule(last)
    assert schedule.values([min(last + later, 2**63 - 1)]).tolist() == schedule.values([last]).tolist()


@given(st.data(), schedules())
def test_the_period_repeats(data: st.DataObject, schedule: Schedule) -> None:
    line = schedule.timeline
    if line.period:
        step = math.ceil(line.starts[-1]) + data.draw(st.integers(0, 500))
        if step + line.period <= LAST_STEP:
            assert close(schedule, step + line.period, schedule(step))


# --- combinations -----------------------------------------------------------------------------------------------------


@given(st.data(), st.lists(schedules(leaves=2), min_size=1, max_size=4))
def test_a_join_is_its_parts_one_after_another(data: st.DataObject, parts: Sequence[Schedule]) -> None:
    count = len(parts) - 1
    boundaries = sorted(data.draw(st.lists(st.integers(0, 80), min_size=count, max_size=count)))
    joined = Join(parts, boundaries)
    for part, start, end in zip(parts, [0, *boundaries], [*boundaries, 120], strict=True):
        assert [joined(step) for step in range(start, end)] == [part(step - start) for step in range(start, end)]


@given(st.lists(schedules(leaves=2), min_size=1, max_size=3), st.integers(0, 300))
def test_a_sum_and_a_product_are_those_of_the_values(parts: Sequence[Schedule], step: int) -> None:
    values = [part(step) for part in parts]
    assert math.isclose(Sum(parts)(step), math.fsum(values), rel_tol=BOUND, abs_tol=BOUND * max(map(abs, values)))
    assert math.isclose(Product(parts)(step), math.prod(values), rel_tol=BOUND, abs_tol=SMALLEST)


@given(schedules(), st.integers(0, 300), st.sampled_from([2.0, 0.5, -1.0, 1.0]))
def test_a_number_scales_the_values(schedule: Schedule, step: int, factor: float) -> None:
    assert math.isclose((schedule * factor)(step), schedule(step) * factor, rel_tol=BOUND, abs_tol=SMALLEST)
    assert factor * schedule == schedule * factor


@given(schedules(), st.integers(0, 300), st.integers(0, 80))
def test_a_shift_gives_the_values_of_later_steps(schedule: Schedule, step: int, by: int) -> None:
    assert close(schedule, step + by, Shift(schedule, by)(step))


@given(schedules(), st.integers(0, 300), st.integers(1, 20))
def test_every_gives_one_value_for_so_many_updates(schedule: Schedule, step: int, width: int) -> None:
    assert Every(schedule, width)(step) == schedule(step // width)


@given(schedules(), st.integers(0, 300), st.integers(1, 50))
def test_a_cycle_begins_anew(schedule: Schedule, step: int, period: int) -> None:
    assert Repeat(schedule, period)(step) == schedule(step % period)


@given(schedules(), st.integers(0, 300), st.integers(1, 50))
def test_a_mirrored_cycle_runs_back_to_its_start(schedule: Schedule, step: int, period: int) -> None:
    number, left = divmod(step, period)
    assert Repeat(schedule, period, mirror=True)(step) == schedule(period - left if number % 2 else left)


@given(st.data(), schedules(), rates, rates)
def test_a_clip_keeps_to_its_limits(data: st.DataObject, schedule: Schedule, one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    step = data.draw(steps(schedule))
    value = Clip(schedule, low, high)(step)
    assert low <= value <= high
    if low < value < high:
        assert value == schedule(step)


@given(st.data(), schedules(leaves=2), st.integers(0, 60), rates)
def test_a_warmup_leads_to_the_first_value(data: st.DataObject, schedule: Schedule, count: int, first: float) -> None:
    shape = data.draw(st.sampled_from(MONOTONE))
    warm, peak = schedule.warmup(count, init_value=first, shape=shape), schedule(0)
    rise = [warm(step) for step in range(count)]
    assert rise[:1] in ([], [first])
    assert all(min(first, peak) <= value <= max(first, peak) for value in rise)
    assert goes_one_way(rise)
    assert all(close(schedule, step, warm(count + step)) for step in (0, 1, 7, 100))


@given(st.data(), schedules(leaves=2), st.integers(0, 60), st.integers(0, 60), rates)
def test_a_cooldown_leaves_from_the_value_at_its_start(
    data: st.DataObject, schedule: Schedule, start: int, count: int, last: float
) -> None:
    shape = data.draw(st.sampled_from(MONOTONE))
    cold = schedule.cooldown(count, start=start, end_value=last, shape=shape)
    assert [cold(step) for step in range(start)] == [schedule(step) for step in range(start)]
    fall, peak = [cold(start + step) for step in range(count + 2)], schedule(start)
    assert fall[0] == (peak if count else last)
    assert fall[count:] == [last, last]
    assert goes_one_way(fall)


@given(schedules(), rates)
def test_a_warmup_of_no_steps_is_none(schedule: Schedule, first: float) -> None:
    written = {**Join([schedule]).to_dict(), "warmup": {"steps": 0, "init_value": first, "shape": "cosine"}}
    for warm, bare in (
        (schedule.warmup(0, init_value=first, shape="cosine"), schedule),
        (lrcore.from_dict(written), Join([schedule])),
    ):
        assert warm == bare
        assert hash(warm) == hash(bare)
        assert warm.fingerprint == bare.fingerprint
        assert warm.to_dict() == bare.to_dict()


@given(
    st.integers(1, 1000), st.integers(0, 100), st.integers(0, 100), st.sampled_from(["linear", "cosine", "polynomial"])
)
def test_total_steps_counts_warmup_and_cooldown(rest: int, warmup: int, cooldown: int, kind: str) -> None:
    ends = {"kind": kind, "init_value": 0.3, "end_value": 0.1}
    ramps = {"warmup": {"steps": warmup}, "cooldown": {"steps": cooldown}}
    total = lrcore.from_dict({**ends, **ramps, "total_steps": warmup + rest + cooldown})
    assert total == lrcore.from_dict({**ends, **ramps, "decay_steps": rest})
    assert isinstance(total, Schedule)
    assert total.length == warmup + rest + cooldown


# --- cuts -------------------------------------------------------------------------------------------------------------


@given(segments())
def test_between_two_breakpoints_a_schedule_of_straight_parts_is_straight(schedule: Schedule) -> None:
    cuts = list(schedule.timeline.breakpoints(HORIZON))
    assert cuts == sorted(set(cuts))
    assert all(0 < cut < HORIZON for cut in cuts)
    for first, end in itertools.pairwise([0, *cuts, HORIZON]):
        values = [schedule(step) for step in range(first, end)]
        bends = np.abs(np.diff(values, 2))
        assert bends.max(initial=0.0) <= 1e-12 * np.abs(values).max(initial=1.0)


# --- identity ---------------------------------------------------------------------------------------------------------


@given(schedules())
def test_what_is_written_is_read_back_equal(schedule: Schedule) -> None:
    again: list[Schedule | lrcore.Plateau] = [
        *(lrcore.loads(lrcore.dumps(schedule, form), form) for form in ("toml", "json", "yaml")),
        lrcore.from_dict(schedule.to_dict()),
        pickle.loads(pickle.dumps(schedule)),
        copy.copy(schedule),
        copy.deepcopy(schedule),
        eval(repr(schedule), vars(lrcore).copy()),
    ]
    assert {other.fingerprint for other in again} == {schedule.fingerprint}
    assert {hash(other) for other in again} == {hash(schedule)}
    assert all(isinstance(other, Schedule) and other == schedule and other(17) == schedule(17) for other in again)


@given(schedules(leaves=2), schedules(leaves=2))
def test_a_fingerprint_tells_schedules_apart(one: Schedule, other: Schedule) -> None:
    assert (one.fingerprint == other.fingerprint) == (one == other)


def test_equal_numbers_make_equal_schedules() -> None:
    spelt: list[Any] = [
        {"kind": "cosine", "init_value": 1, "decay_steps": 10},
        {"decay_steps": 10.0, "kind": "cosine", "init_value": 1.0, "end_value": -0.0, "exponent": 1},
        {"kind": "cosine", "init_value": np.float32(1), "decay_steps": np.int8(10), "end_value": 0},
    ]
    made = [lrcore.from_dict(plain) for plain in spelt]
    assert len({*made}) == len({one.fingerprint for one in made}) == 1


@pytest.mark.parametrize("zero", [-0.0, np.float32(-0.0), np.array(-0.0)])
def test_a_negative_zero_is_a_zero(zero: Any) -> None:
    for signed, plain in (
        (lrcore.Constant(zero), lrcore.Constant(0.0)),
        (lrcore.Constant(1.0).warmup(3, init_value=zero, shape="power", power=2), lrcore.Constant(1.0).warmup(3, shape="power", power=2)),
        (lrcore.PiecewiseConstant(boundaries=[3], values=[zero, 1.0]), lrcore.PiecewiseConstant(boundaries=[3], values=[0.0, 1.0])),
        (lrcore.Interpolate(boundaries=[zero, 3], values=[1.0, zero]), lrcore.Interpolate(boundaries=[0, 3], values=[1.0, 0.0])),
    ):  # fmt: skip
        assert lrcore.dumps(signed) == lrcore.dumps(plain)
        assert signed.fingerprint == plain.fingerprint
        assert repr(signed) == repr(plain)
        assert [math.copysign(1.0, signed(step)) for step in (0, 3)] == [1.0, 1.0]


FINGERPRINTS = {
    "constant": "a4268470640a0ac9",
    "linear": "b4a4236dfeb20230",
    "polynomial": "d56e52a628ba05c6",
    "cosine": "db426755faf0e9b2",
    "exponential": "fcb0d85f2d06995c",
    "staircase": "0f2a9a4e71218c97",
    "inverse_time": "e2de0d97981a8461",
    "piecewise_constant": "9da151800839ed5c",
    "interpolate": "da8d5f3536d93de7",
    "join": "35f91c458386c09f",
    "sum": "da63a8c8ee8a8c68",
    "product": "d9975e7d790a57b9",
    "clip": "dee19c4929cae1a3",
    "shift": "83097de08881e2c0",
    "repeat": "11324ab447f67b37",
    "mirror": "64ed9c1199c23736",
    "every": "afbf0f08a7772461",
    "cooldown": "8b330343d6734e84",
}


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"function"}))
def test_a_fingerprint_never_changes(name: str) -> None:
    """Checkpoints hold it: what changes one of these breaks every checkpoint that was written before."""
    assert KINDS[name].fingerprint == FINGERPRINTS[name]


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    code = "import json, lrcore, sys; print(*[lrcore.from_dict(plain).fingerprint for plain in json.load(sys.stdin)])"
    written = {name: schedule.to_dict() for name, schedule in KINDS.items() if name != "function"}
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        run = subprocess.run(
            [sys.executable, "-c", code],
            input=json.dumps(list(written.values())),
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.split() == [FINGERPRINTS[name] for name in written]


def test_functions_are_equal_if_they_are_the_same() -> None:
    assert Function(math.sqrt) == Function(math.sqrt)
    assert Function(math.sqrt) != Function(math.exp)
    assert Cosine(init_value=1.0, decay_steps=1) != Cosine(init_value=1.0, decay_steps=1).cooldown(0)
