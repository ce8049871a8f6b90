"""Problems that users of other schedulers met, where the schedule itself is to blame; docs/known-problems.md lists them."""

from __future__ import annotations

import copy
import itertools
import math
import multiprocessing
import pickle
from typing import Any

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
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Schedule,
    ScheduleError,
)
from tests.kinds import KINDS
from tests.strategies import schedules, steps

RUN = 20
LENGTHS = (0, 1, RUN - 1, RUN, RUN + 1)


# --- where phases begin and end ---------------------------------------------------------------------------------------


def test_a_boundary_is_the_first_update_with_the_new_value() -> None:
    schedule = PiecewiseConstant(boundaries=[30, 60], values=[1.0, 0.1, 0.01])
    assert [schedule(step) for step in (29, 30, 59, 60)] == [1.0, 0.1, 0.1, 0.01]


def test_each_piece_keeps_its_own_value() -> None:
    schedule = PiecewiseConstant(boundaries=[1, 2, 3], values=[4.0, 3.0, 2.0, 1.0])
    assert [schedule(step) for step in range(4)] == [4.0, 3.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("boundaries", "words"),
    [
        ([2.5], r"boundaries\[0\]: expected an integer >= 0 \(optimizer updates, .*\); got 2.5"),
        ([3, 2], r"boundaries\[1\]: expected at least 3, as boundaries rise; got 2"),
    ],
)
def test_a_boundary_that_could_not_be_met_is_refused(boundaries: list[Any], words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        PiecewiseConstant(boundaries=boundaries, values=[1.0] * (len(boundaries) + 1))


def test_a_decay_reaches_its_end_and_a_repeat_of_its_length_starts_over_instead() -> None:
    cosine = Cosine(init_value=1.0, end_value=0.1, decay_steps=3)
    assert cosine(3) == 0.1
    assert [Repeat(cosine)(step) for step in (2, 3)] == [cosine(2), 1.0]
    assert [Repeat(cosine, period=4)(step) for step in (3, 4)] == [0.1, 1.0]


def test_phases_lie_end_to_end() -> None:
    schedule = Cosine(init_value=1.0, end_value=0.1, decay_steps=280).warmup(20)
    assert [schedule(step) for step in (0, 20, 300)] == [0.0, 1.0, 0.1]
    values = [schedule(step) for step in range(301)]
    assert max(abs(a - b) for a, b in itertools.pairwise(values)) == pytest.approx(1 / 20)


def test_a_child_after_a_warmup_runs_by_its_own_clock() -> None:
    cosine = Cosine(init_value=1.0, decay_steps=5)
    assert [cosine.warmup(5)(step) for step in range(5, 12)] == [cosine(step) for step in range(7)]
    cycles = Repeat(Cosine(init_value=1.0, decay_steps=10)).warmup(5)
    assert [step for step in range(1, 36) if cycles(step) == 1.0] == [5, 15, 25, 35]


def test_a_warmup_begins_where_it_is_told() -> None:
    from_zero = [Constant(1.0).warmup(4)(step) for step in range(5)]
    skipping_zero = [Constant(1.0).warmup(3, init_value=0.25)(step) for step in range(4)]
    assert from_zero == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert skipping_zero == from_zero[1:]


def test_a_schedule_in_epochs_takes_a_warmup_in_updates() -> None:
    per_epoch = Every(PiecewiseConstant(boundaries=[2, 4, 8], values=[1.0, 0.5, 0.25, 0.125]), steps=100)
    schedule = per_epoch.warmup(100)
    table = {0: 0.0, 50: 0.5, 100: 1.0, 299: 1.0, 300: 0.5, 500: 0.25, 900: 0.125}
    assert {step: schedule(step) for step in table} == table


def test_phases_that_do_not_fit_are_refused() -> None:
    table = {"kind": "constant", "value": 1.0, "total_steps": 100, "warmup": {"steps": 80}, "cooldown": {"steps": 80}}
    with pytest.raises(ScheduleError, match="total_steps: expected at least 160, the steps of warmup and cooldown"):
        lrcore.from_dict(table)
    wsd = lrcore.warmup_stable_decay(peak_value=1.0, total_steps=1000, warmup_steps=100, decay_steps=200)
    assert [step for step in range(1200) if wsd(step) == 1.0] == list(range(100, 801))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "cosine", "init_value": 1.0}, "decay_steps: required; got none"),
        (
            {"kind": "cosine", "init_value": 1.0, "decay_steps": "10%"},
            "expected the run's total for '10%'; got none",
        ),
    ],
)
def test_a_length_is_a_number_of_updates_and_never_assumed(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ScheduleError, match=words):
        lrcore.from_dict(table)
    endless = InverseTime(init_value=1.0, power=0.5).warmup(10)
    assert math.isfinite(endless(10**9))


# --- sizes of nothing -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decay", LENGTHS)
@pytest.mark.parametrize("warmup", LENGTHS)
@pytest.mark.parametrize("shape", ["linear", "cosine", "1-sqrt", "1-square"])
def test_any_length_gives_finite_rates(shape: Any, warmup: int, decay: int) -> None:
    for schedule in (
        Cosine(init_value=1.0, decay_steps=decay).warmup(warmup, shape=shape),
        Linear(init_value=1.0, decay_steps=decay).warmup(warmup, shape=shape),
        Constant(1.0).warmup(warmup, shape=shape).cooldown(decay, start=warmup, shape=shape),
    ):
        assert schedule(warmup) == (1.0 if decay else 0.0)
        assert all(0.0 <= schedule(step) <= 1.0 for step in range(3 * RUN))
        assert schedule(warmup + decay) == schedule(10**9) == 0.0


@pytest.mark.parametrize("total", range(1, 6))
@pytest.mark.parametrize("pct_start", [0.0, 0.2, 0.3, 1.0])
def test_one_cycle_of_very_few_updates_stays_between_its_values(pct_start: float, total: int) -> None:
    schedule = lrcore.one_cycle(
        init_value=0.04, peak_value=1.0, end_value=1e-4, total_steps=total, pct_start=pct_start, shape="cosine"
    )
    assert all(1e-4 <= schedule(step) <= 1.0 for step in range(10))
    if pct_start == 0.0 and total > 1:
        assert schedule(0) == 1.0 or schedule(0) > schedule(1)


def test_zero_is_a_rate_like_any_other() -> None:
    assert [Linear(init_value=0.0, end_value=1.0, decay_steps=2)(step) for step in range(3)] == [0.0, 0.5, 1.0]
    assert Join([Constant(0.0), Constant(1.0)], boundaries=[3])(3) == 1.0
    assert InverseTime(init_value=1.0, power=0.5)(0) == 1.0


# --- past the end -----------------------------------------------------------------------------------------------------


def test_past_its_end_a_decay_holds_and_stays_real() -> None:
    for schedule in (
        Cosine(init_value=1.0, end_value=0.1, decay_steps=100),
        Polynomial(init_value=1.0, end_value=0.1, decay_steps=100, power=0.9),
        Linear(init_value=1.0, end_value=0.1, decay_steps=100),
        lrcore.one_cycle(init_value=0.04, peak_value=1.0, end_value=0.1, total_steps=101),
    ):
        assert {schedule(step) for step in (100, 101, 105, 1000, 10**9)} == {0.1}
        assert type(schedule(105)) is float


def test_an_end_is_a_rate_and_a_floor_is_a_clip() -> None:
    to_a_tenth = Linear(init_value=1.0, end_value=0.1, decay_steps=10)
    values = [to_a_tenth(step) for step in range(11)]
    assert values == sorted(set(values), reverse=True)
    assert values[-1] == 0.1
    floored = Clip(Linear(init_value=1.0, decay_steps=10), min_value=0.3)
    assert [floored(step) for step in (6, 7, 8, 10)] == pytest.approx([0.4, 0.3, 0.3, 0.3])
    assert Cosine(init_value=1e-3, end_value=1e-5, decay_steps=10)(10) == 1e-5


def test_a_longer_schedule_for_a_run_that_goes_on_is_said_with_both_rates() -> None:
    saved = lrcore.save_state(80, Cosine(init_value=1.0, decay_steps=100))
    with pytest.raises(
        ScheduleError, match=r"at step 1 it gives 0\.99975.* and the configured one 0\.99993.*100 saved, 200"
    ):
        lrcore.load_state(saved, Cosine(init_value=1.0, decay_steps=200))


# --- schedules of schedules -------------------------------------------------------------------------------------------


@given(st.data(), schedules())
def test_a_join_of_one_schedule_equals_that_schedule(data: st.DataObject, schedule: Schedule) -> None:
    step = data.draw(steps(schedule))
    assert Join([Join([schedule])])(step) == schedule(step)


def test_a_join_in_a_join_is_not_shifted() -> None:
    two = Join([Constant(0.05), Constant(0.02)], boundaries=[3])
    three = Join([two, Constant(0.01)], boundaries=[6])
    assert [three(step) for step in range(8)] == [0.05] * 3 + [0.02] * 3 + [0.01] * 2


def test_a_product_loses_no_factor() -> None:
    restarts = Repeat(Cosine(init_value=1.0, decay_steps=7))
    drops = PiecewiseConstant(boundaries=[10, 20], values=[1.0, 0.1, 0.01])
    assert [(restarts * drops)(step) for step in range(40)] == [restarts(step) * drops(step) for step in range(40)]


def test_any_part_of_a_composite_may_be_entered_first() -> None:
    schedule = Join([Linear(init_value=0.1, end_value=1.0, decay_steps=3), Exponential(init_value=1.0, decay_rate=0.9)])
    assert schedule(5) == pytest.approx(0.81)
    backwards = [schedule(step) for step in reversed(range(20))]
    assert backwards[::-1] == [schedule(step) for step in range(20)]


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_large_steps_are_told_apart() -> None:
    schedule = Linear(init_value=1.0, decay_steps=2**25)
    assert schedule(2**24) - schedule(2**24 + 1) == 2.0**-25
    tokens = Cosine(init_value=1.0, decay_steps=2**33)
    assert 1.0 > tokens(2**31 - 1) > tokens(2**31 + 5) > 0.0
    assert Constant(0.5).warmup(2**40)(2**39) == 0.25


# --- saving -----------------------------------------------------------------------------------------------------------


def rate(step: int) -> float:
    return 0.1 / (step + 3)


PICKLED = {**KINDS, "function": lrcore.Function(rate)}


def values_elsewhere(schedule: Schedule) -> list[float]:
    return [schedule(step) for step in range(100)]


@pytest.mark.parametrize("name", PICKLED)
def test_every_kind_is_copied_and_pickled(name: str) -> None:
    schedule = PICKLED[name]
    schedule(3)
    for other in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule))):
        assert other == schedule
        assert values_elsewhere(other) == values_elsewhere(schedule)


def test_schedules_go_to_processes_that_are_spawned() -> None:
    kinds = [schedule for name, schedule in KINDS.items() if name != "function"]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(values_elsewhere, kinds) == [values_elsewhere(schedule) for schedule in kinds]


def test_a_schedule_cannot_be_changed_behind_what_was_derived_from_it() -> None:
    schedule: Any = Exponential(init_value=1.0, decay_rate=0.5)
    with pytest.raises(AttributeError):
        schedule.decay_rate = 0.9
