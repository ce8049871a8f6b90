"""Recipes and the names of Hugging Face: their values at informative steps, and what they refuse."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import lrcore

RUN = {"num_warmup_steps": 10, "num_training_steps": 110}


def test_the_lengths_of_a_run_may_be_given_to_any_name() -> None:
    assert lrcore.from_name("constant", learning_rate=0.1, **RUN) == lrcore.Constant(0.1)


def test_warmup_that_takes_the_whole_run_still_reaches_the_learning_rate() -> None:
    schedule = lrcore.from_name("linear", learning_rate=0.1, num_warmup_steps=10, num_training_steps=10)
    assert isinstance(schedule, lrcore.Schedule)
    assert [schedule(step) for step in (5, 9, 10)] == [0.05, pytest.approx(0.09), 0.0]


def test_warmup_stable_decay_by_name_may_have_no_stable_part() -> None:
    schedule = lrcore.from_name(
        "warmup_stable_decay",
        learning_rate=0.4,
        num_warmup_steps=4,
        num_decay_steps=16,
        num_training_steps=20,
        decay_type="linear",
    )
    assert isinstance(schedule, lrcore.Schedule)
    assert [schedule(step) for step in (0, 2, 4, 12, 20)] == pytest.approx([0, 0.2, 0.4, 0.2, 0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosin", RUN, r"from_name: expected one of .*; got 'cosin'; did you mean 'cosine'\?"),
        ("linear", {}, r"linear\.num_warmup_steps: required"),
        ("cosine", {"num_warmup_steps": 1}, r"cosine\.num_training_steps: required"),
        ("cosine", {**RUN, "num_cycle": 2}, r"cosine: expected options from .*; did you mean 'num_cycles'\?"),
        ("cosine_with_min_lr", RUN, r"cosine_with_min_lr\.min_lr: expected either min_lr or min_lr_rate"),
        ("cosine_with_min_lr", {**RUN, "min_lr": 0.1, "min_lr_rate": 0.1}, "expected either min_lr or min_lr_rate"),
        ("warmup_stable_decay", {"num_warmup_steps": 1, "num_decay_steps": 1}, "num_stable_steps: required"),
        ("reduce_lr_on_plateau", {"threshold_mode": "relative"}, "expected one of rel, abs; got 'relative'"),
        ("greedy", RUN, "greedy has no schedule"),
        (
            "warmup_stable_decay",
            {"num_warmup_steps": 15, "num_decay_steps": 10, "num_training_steps": 20},
            r"num_training_steps: expected at least num_warmup_steps \+ num_decay_steps = 25; got 20",
        ),
        (
            "warmup_stable_decay",
            {"num_warmup_steps": 15, "num_decay_steps": 10, "num_stable_steps": -3},
            "num_stable_steps: expected an integer >= 0 .*; got -3",
        ),
        ("inverse_sqrt", {"num_warmup_steps": 15, "timescale": 0}, "expected a number > 0.*; got 0"),
    ],
)
def test_a_wrong_name_or_option_is_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore.from_name(name, learning_rate=0.1, **options)


def test_the_absolute_limits_of_a_plateau_become_relative_ones() -> None:
    plateau = lrcore.from_name("reduce_lr_on_plateau", learning_rate=0.1, factor=0.1, patience=0, min_lr=0.02)
    assert isinstance(plateau, lrcore.Plateau)
    state = plateau.update(plateau.update(plateau.initial(), 1.0), 1.0)
    assert plateau.value(0, state) == pytest.approx(0.02)


def test_warmup_stable_decay_falls_in_its_last_updates() -> None:
    schedule = lrcore.warmup_stable_decay(
        peak_value=0.4, total_steps=100, warmup_steps=10, decay_steps=16, end_value=0.1, shape="1-sqrt"
    )
    assert [schedule(step) for step in (0, 10, 84, 88, 100, 999)] == pytest.approx([0, 0.4, 0.4, 0.25, 0.1, 0.1])
    triangle = lrcore.warmup_stable_decay(peak_value=0.4, total_steps=20, warmup_steps=4, decay_steps=16)
    assert [triangle(step) for step in (0, 4, 12, 20)] == pytest.approx([0, 0.4, 0.2, 0])
    with pytest.raises(lrcore.ScheduleError, match="expected at least warmup_steps \\+ decay_steps = 26; got 20"):
        lrcore.warmup_stable_decay(peak_value=0.4, total_steps=20, warmup_steps=10, decay_steps=16)


def test_one_cycle_has_the_real_knots_of_torch() -> None:
    cycle: dict[str, Any] = {"init_value": 0.25, "peak_value": 1.0, "end_value": 0.125, "total_steps": 10}
    schedule = lrcore.one_cycle(**cycle, pct_start=0.5)
    assert [schedule(step) for step in (0, 4, 9, 20)] == [0.25, 1.0, 0.125, 0.125]
    between = lrcore.one_cycle(**cycle, pct_start=0.35, shape="linear")
    assert max(between.values(range(10))) < 1.0  # the peak lies at 2.5
    back = lrcore.one_cycle(**cycle, pct_start=0.3, three_phase=True)
    assert [back(step) for step in (0, 2, 4, 9)] == [0.25, 1.0, 0.25, 0.125]


def test_one_cycle_may_rise_at_once_or_to_its_end() -> None:
    cycle: dict[str, Any] = {
        "init_value": 0.25,
        "peak_value": 1.0,
        "end_value": 0.0,
        "total_steps": 10,
        "shape": "linear",
    }
    falling = lrcore.one_cycle(**cycle, pct_start=0.0)
    assert [falling(step) for step in (0, 9)] == [pytest.approx(0.9), 0.0]
    rising = lrcore.one_cycle(**cycle, pct_start=1.0)
    assert [rising(step) for step in (0, 9, 10)] == [0.25, 1.0, 1.0]
    late = lrcore.one_cycle(**cycle, pct_start=0.9, three_phase=True)
    assert [late(step) for step in (8, 12, 16, 20)] == [1.0, 0.625, 0.25, 0.25]


@pytest.mark.parametrize("shape", ["linear", "cosine"])
@pytest.mark.parametrize("three_phase", [False, True])
@pytest.mark.parametrize(
    ("total", "share"), [(10, 0.0), (10, 0.05), (10, 0.09), (3, 0.3), (1, 0.5), (7, 0.1), (9, 0.2)]
)
def test_one_cycle_has_the_values_of_torch(total: int, share: float, three_phase: bool, shape: Any) -> None:
    """Also if the rise ends before step 0, so that the run begins in the fall."""
    turn = share * total
    ends = [turn - 1, *([2 * turn - 2] if three_phase else []), total - 1]
    values = [0.25, 1.0, *([0.25] if three_phase else []), 0.125]
    schedule = lrcore.one_cycle(
        init_value=0.25,
        peak_value=1.0,
        end_value=0.125,
        total_steps=total,
        pct_start=share,
        shape=shape,
        three_phase=three_phase,
    )
    for step in range(total):
        start, phase = 0.0, 0
        while step > ends[phase] and phase < len(ends) - 1:
            start, phase = ends[phase], phase + 1
        part = (step - start) / (ends[phase] - start) if ends[phase] != start else 1.0
        way = part if shape == "linear" else (1 - math.cos(math.pi * part)) / 2
        assert schedule(step) == pytest.approx(values[phase] + (values[phase + 1] - values[phase]) * way, rel=1e-12)


def test_each_mode_of_cyclic_has_its_heights() -> None:
    cycle: dict[str, Any] = {"base_value": 0.5, "peak_value": 1.5, "up_steps": 2, "down_steps": 4}
    assert [lrcore.cyclic(**cycle)(step) for step in (0, 2, 4, 6, 8)] == [0.5, 1.5, 1.0, 0.5, 1.5]
    assert [lrcore.cyclic(**cycle, mode="triangular2")(step) for step in (2, 8, 14)] == [1.5, 1.0, 0.75]
    assert lrcore.cyclic(**cycle, mode="exp_range", gamma=0.9)(8) == pytest.approx(0.5 + 0.9**8)
    with pytest.raises(lrcore.ScheduleError, match=r"cyclic\.mode: expected one of"):
        lrcore.cyclic(**{**cycle, "mode": "triangle"})
    with pytest.raises(lrcore.ScheduleError, match=r"cyclic\.gamma: expected none with mode 'triangular'"):
        lrcore.cyclic(**cycle, gamma=0.9)
    with pytest.raises(lrcore.ScheduleError, match=r"cyclic\.gamma: expected the factor per update"):
        lrcore.cyclic(**cycle, mode="exp_range")


def test_polynomial_cycle_has_the_values_of_its_formula() -> None:
    schedule = lrcore.polynomial_cycle(init_value=0.8, end_value=0.1, decay_steps=7, power=2.0)
    for step in range(60):
        length = 7 * max(1, math.ceil(step / 7))
        assert schedule(step) == pytest.approx(0.1 + 0.7 * (1 - step / length) ** 2, rel=1e-14)


def test_running_products_are_equal_whatever_steps_were_asked() -> None:
    asked, fresh = (lrcore.running_product(8.0, math.sqrt) for _ in range(2))
    assert asked(3) == 8.0 * math.sqrt(1) * math.sqrt(2) * math.sqrt(3)
    assert asked == fresh
    assert hash(asked) == hash(fresh)


def test_running_product_may_be_asked_in_any_order() -> None:
    asked: list[int] = []

    def half(step: int) -> float:
        asked.append(step)
        return 0.5

    schedule = lrcore.running_product(2.0, half)
    assert [schedule(step) for step in (4, 0, 2, 4)] == [0.125, 2.0, 0.5, 0.125]
    assert asked == [1, 2, 3, 4]


def test_running_product_may_be_asked_by_several_threads() -> None:
    def half(step: int) -> float:
        time.sleep(1e-4)
        return 0.5

    schedule = lrcore.running_product(8.0, half)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(schedule, [10] * 8))
    assert [schedule(step) for step in range(12)] == [8.0 * 0.5**step for step in range(12)]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cosine_with_restarts", {"num_cycles": 0}, r"cosine_with_restarts\.num_cycles: expected a .* > 0; got 0"),
        ("cosine_with_restarts", {"num_cycles": float("nan")}, "num_cycles: expected a finite number > 0; got nan"),
        ("cosine", {"num_cycles": 1e-320}, "cosine: expected numbers that give a schedule"),
        ("cosine", {"num_cycles": "1"}, r"cosine\.num_cycles: expected a finite number >= 0; got '1'"),
        ("cosine", {"num_cycles": float("inf")}, "num_cycles: expected a finite number >= 0; got inf"),
        ("linear", {"num_training_steps": "10"}, r"linear\.num_training_steps: expected an integer >= 0 .*; got '10'"),
        ("linear", {"num_warmup_steps": -1}, r"linear\.num_warmup_steps: expected an integer >= 0 .*; got -1"),
        ("cosine_with_min_lr", {"min_lr_rate": "0.1"}, r"min_lr_rate: expected a finite number; got '0\.1'"),
        (
            "warmup_stable_decay",
            {"num_decay_steps": 5, "decay_type": "sin"},
            r"stable_decay\.decay_type: expected one of",
        ),
        ("reduce_lr_on_plateau", {"patience": 1.5}, r"reduce_lr_on_plateau\.patience: expected an integer"),
    ],
)
def test_a_wrong_value_is_told_the_option_of_the_name(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore.from_name(name, learning_rate=0.1, **{**RUN, **options})


CYCLE: dict[str, Any] = {"init_value": 0.1, "peak_value": 1.0, "end_value": 0.0, "total_steps": 100}
STABLE: dict[str, Any] = {"peak_value": 1.0, "total_steps": 100, "warmup_steps": 10, "decay_steps": 10}
WAVE: dict[str, Any] = {"base_value": 0.1, "peak_value": 1.0, "up_steps": 4}
AGAIN: dict[str, Any] = {"init_value": 1.0, "end_value": 0.0, "decay_steps": 4}


@pytest.mark.parametrize(
    ("recipe", "right", "wrong", "message"),
    [
        (lrcore.one_cycle, CYCLE, {"pct_start": 1.5}, "pct_start: expected a number from 0 to 1; got 1.5"),
        (lrcore.one_cycle, CYCLE, {"pct_start": -0.1}, "pct_start: expected a number from 0 to 1; got -0.1"),
        (lrcore.one_cycle, CYCLE, {"total_steps": 0}, "total_steps: expected an integer >= 1 "),
        (lrcore.one_cycle, CYCLE, {"total_steps": 99.5}, "total_steps: expected an integer >= 1 "),
        (lrcore.one_cycle, CYCLE, {"peak_value": None}, "peak_value: expected a finite number; got None"),
        (lrcore.one_cycle, CYCLE, {"three_phase": "yes"}, "three_phase: expected true or false; got 'yes'"),
        (lrcore.one_cycle, CYCLE, {"shape": "cos"}, "shape: expected one of cosine, linear; got 'cos'"),
        (lrcore.warmup_stable_decay, STABLE, {"peak_value": "1"}, "peak_value: expected a finite number; got '1'"),
        (lrcore.warmup_stable_decay, STABLE, {"total_steps": "9"}, "total_steps: expected an integer >= 0 "),
        (lrcore.warmup_stable_decay, STABLE, {"decay_steps": -5}, "decay_steps: expected an integer >= 0 "),
        (lrcore.warmup_stable_decay, STABLE, {"shape": "power"}, "power: required with shape 'power'; got none"),
        (lrcore.warmup_stable_decay, STABLE, {"power": 2}, "power: goes with shape 'power' alone; got 2.0 "),
        (
            lrcore.warmup_stable_decay,
            STABLE,
            {"shape": "exponential"},
            "shape: 'exponential' needs two values of one sign",
        ),
        (lrcore.warmup_stable_decay, STABLE, {"power": -1}, "power: expected a finite number > 0; got -1"),
        (lrcore.cyclic, WAVE, {"up_steps": 0}, "up_steps: expected a number > 0, "),
        (lrcore.cyclic, WAVE, {"down_steps": -1}, "down_steps: expected a number from 0 "),
        (lrcore.cyclic, WAVE, {"mode": "triangle"}, "mode: expected one of triangular, triangular2, exp_range; got"),
        (lrcore.cyclic, WAVE, {"peak_value": "x", "mode": "triangular2"}, "peak_value: expected a finite number"),
        (lrcore.polynomial_cycle, AGAIN, {"decay_steps": 0}, "decay_steps: expected an integer >= 1 "),
        (lrcore.polynomial_cycle, AGAIN, {"end_value": "x"}, "end_value: expected a finite number; got 'x'"),
    ],
)
def test_a_wrong_argument_of_a_recipe_is_told_the_recipes_own_name(
    recipe: Any, right: dict[str, Any], wrong: dict[str, Any], message: str
) -> None:
    recipe(**right)
    with pytest.raises(lrcore.ScheduleError) as caught:
        recipe(**{**right, **wrong})
    assert str(caught.value).startswith(f"{recipe.__name__}.{message}")


def test_a_recipe_takes_the_numbers_of_numpy() -> None:
    steps, value = np.int64(100), np.float32(0.5)
    assert lrcore.one_cycle(**{**CYCLE, "total_steps": steps, "pct_start": value}) == lrcore.one_cycle(
        **{**CYCLE, "pct_start": 0.5}
    )


UNTYPED: Any = lrcore


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            UNTYPED.one_cycle,
            "one_cycle: expected init_value and peak_value and end_value and total_steps; got none; write one_cycle(init",
        ),
        (lambda: UNTYPED.one_cycle(0.1), "one_cycle: expected its arguments by name; got 1 without one; write one_"),
        (
            lambda: UNTYPED.Constant(1.0).warmup(),
            "Schedule.warmup: expected steps; got none; write warmup(steps=...)",
        ),
        (
            lambda: UNTYPED.Constant(1.0).warmup(5, steps=5),
            "Schedule.warmup: expected steps once; got it twice; write warmup(steps=...)",
        ),
        (
            lambda: UNTYPED.Constant(1.0).warmup(1, 2, "linear", 4, 5),
            "Schedule.warmup: expected only steps, init_value, shape, power without a name; got 5 without one; write",
        ),
        (
            lambda: UNTYPED.from_name("linear", 0.1),
            "from_name: expected only name without a name; got 2 without one; write from_name(name=..., learning_rate",
        ),
        (
            lambda: UNTYPED.from_name("linear", lr=0.1, num_warmup_steps=1, num_training_steps=9),
            "from_name: expected learning_rate; got none; lr is `learning_rate`",
        ),
        (lambda: UNTYPED.from_name("constant"), "from_name: expected learning_rate; got none; write from_name(name="),
        (lambda: UNTYPED.recurrence(1.0), "recurrence: expected following; got none; write recurrence(init_value="),
    ],
)
def test_a_wrong_call_of_a_function_is_told_in_one_sentence(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(TypeError) as caught:  # as of Python's own calls
        call()
    assert isinstance(caught.value, lrcore.ScheduleError)
    assert str(caught.value).startswith(message)


def test_a_plateau_over_a_rate_of_0_never_falls() -> None:
    plateau = lrcore.from_name("reduce_lr_on_plateau", learning_rate=0.0)
    assert isinstance(plateau, lrcore.Plateau)
    assert plateau.value(0, plateau.initial()) == 0.0
