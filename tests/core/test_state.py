"""What a checkpoint holds, and what happens when it is not what is configured."""

from __future__ import annotations

import json
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore import Constant, Cosine, Linear, Plateau, Polynomial

SAVED = Cosine(init_value=0.1, decay_steps=200).warmup(5)
CONFIGURED = Cosine(init_value=0.1, decay_steps=350).warmup(5)


def halves(step: int) -> float:
    return 0.5**step


def thirds(step: int) -> float:
    return 3.0**-step


def test_state_is_four_plain_keys() -> None:
    state = lrcore.save_state(7, SAVED)
    assert list(state) == ["format", "step", "schedule", "plateau"]
    assert {type(value) for value in state.values()} == {int, str}
    assert json.loads(json.dumps(state)) == pickle.loads(pickle.dumps(state)) == state
    assert lrcore.from_dict(json.loads(str(state["schedule"]))) == SAVED


def test_loading_gives_what_was_saved() -> None:
    plateau = Plateau(SAVED, patience=0)
    reported = plateau.update(plateau.update(plateau.initial(), 1.0), float("nan"))
    loaded = lrcore.load_state(lrcore.save_state(7, plateau, reported.to_dict()), plateau)
    assert (loaded.step, loaded.schedule) == (7, plateau)
    assert loaded.plateau is not None
    assert lrcore.PlateauState.from_dict(loaded.plateau) == reported
    assert lrcore.load_state(lrcore.save_state(7, SAVED), SAVED).plateau is None


def test_mismatch_names_the_first_step_both_values_and_the_fields() -> None:
    with pytest.raises(lrcore.ScheduleError) as caught:
        lrcore.load_state(lrcore.save_state(7, SAVED), CONFIGURED, where="adapter")
    assert str(caught.value) == (
        f"adapter: the saved schedule is not the configured one: at step 6 it gives {SAVED(6)!r} and the configured one "
        f"{CONFIGURED(6)!r} (decay_steps: 200 saved, 350 configured); set on_mismatch to keep_checkpoint or use_config"
    )


def test_policies() -> None:
    state = lrcore.save_state(7, SAVED)
    assert lrcore.load_state(state, CONFIGURED, "keep_checkpoint").schedule == SAVED
    assert lrcore.load_state(state, CONFIGURED, "use_config").schedule == CONFIGURED
    with pytest.raises(lrcore.ScheduleError, match=r"on_mismatch: expected one of .*did you mean 'use_config'"):
        lrcore.load_state(state, CONFIGURED, "use_confg")  # type: ignore[arg-type]


def test_other_words_for_the_same_values_are_no_mismatch() -> None:
    state = lrcore.save_state(7, Polynomial(init_value=1, decay_steps=5))
    assert lrcore.load_state(state, Linear(init_value=1, decay_steps=5)).step == 7
    plateaus = Plateau(Constant(0.1).warmup(0)), Plateau(Constant(0.1))
    assert lrcore.load_state(lrcore.save_state(7, plateaus[0]), plateaus[1]).schedule == plateaus[1]


@pytest.mark.parametrize(
    ("saved", "configured", "message"),
    [
        ([SAVED, SAVED], [SAVED, CONFIGURED], r"group 1: at step 6 .*\(\[1\]\.decay_steps: 200 saved"),
        ({"lr": SAVED, "momentum": SAVED}, {"lr": SAVED, "momentum": CONFIGURED}, "momentum: at step 6"),
        ([SAVED, SAVED], [SAVED], "they are not of one form"),
        (SAVED, [SAVED], "they are not of one form"),
        (
            Plateau(SAVED),
            Plateau(SAVED, patience=3),
            r"plateaus differ \(plateau\.patience: none saved, 3 configured\)",
        ),
        (Plateau(SAVED), Plateau(CONFIGURED), "at step 6 it gives"),
        (Plateau(SAVED), SAVED, "they are not of one form"),
        (lrcore.Function(halves), lrcore.Function(thirds), "not of one form .*halves.* saved, .*thirds"),
        (
            Linear(init_value=1.0, decay_steps=10**9),
            Linear(init_value=1.0, decay_steps=10**9, end_value=1e-9),
            "at step 56 it gives",
        ),
        (
            lrcore.PiecewiseConstant(boundaries=[10**8], values=[1, 2]),
            lrcore.PiecewiseConstant(boundaries=[10**8 + 7], values=[1, 2]),
            "at step 100000000 it gives 2.0 and the configured one 1.0",
        ),
    ],
)
def test_mismatches_of_every_form(saved: Any, configured: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore.load_state(lrcore.save_state(7, saved), configured)
    assert lrcore.load_state(lrcore.save_state(7, saved), configured, "use_config").schedule == configured


def test_python_function_is_known_by_its_name_and_cannot_be_kept() -> None:
    state = lrcore.save_state(7, lrcore.Function(halves))
    assert lrcore.load_state(state, lrcore.Function(halves)).step == 7
    with pytest.raises(lrcore.ScheduleError, match="a Python function cannot be kept from a checkpoint"):
        lrcore.load_state(state, Constant(0.1), "keep_checkpoint")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "expected a state saved by lrcore, a dict; got None"),
        ({}, "expected a state saved by lrcore, with format, step, schedule, plateau; got no keys"),
        ({"last_epoch": 3, "base_lrs": [0.1]}, "got last_epoch, base_lrs; this is the state of a native scheduler"),
        ({"format": 2}, "format: expected 1; got 2"),
        ({"step": -1}, "step: expected an integer >= 0, .*; got -1"),
        ({"step": True}, "step: expected an integer >= 0, .*; got true"),
        ({"schedule": "{"}, "schedule: expected a JSON text; got '{'"),
        ({"schedule": '{"kind":"cosin"}'}, "schedule: kind: expected one of .*did you mean 'cosine'"),
        ({"plateau": 3}, "plateau: expected a JSON text; got 3"),
        ({"schedule": ""}, "schedule: expected a JSON text; got ''"),
        ({"schedule": "[" * 100_000}, "schedule: expected a JSON text"),
    ],
)
def test_foreign_states_are_said(state: Any, message: str) -> None:
    if isinstance(state, dict) and state and "last_epoch" not in state:
        state = {**lrcore.save_state(7, SAVED), **state}
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore.load_state(state, CONFIGURED)


def test_a_state_with_a_warmup_of_no_steps_is_that_of_none() -> None:
    """As it was written when a warmup of 0 steps still was one."""
    written = '{"decay_steps":200,"init_value":0.1,"kind":"cosine","warmup":{"steps":0}}'
    state = {"format": 1, "step": 7, "schedule": written, "plateau": ""}
    assert lrcore.load_state(state, Cosine(init_value=0.1, decay_steps=200)).step == 7


class Called:
    """An object that is called like a function."""

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self.asked: list[int] = []

    def __call__(self, step: int) -> float:
        self.asked.append(step)
        return self.factor


@pytest.mark.parametrize(
    ("functions", "others"),
    [
        ([partial(pow, 0.5) for _ in range(2)], partial(pow, 0.25)),
        ([Called(0.5) for _ in range(2)], Called(0.25)),
        (
            [lrcore.running_product(0.5, halves).function for _ in range(2)],
            lrcore.running_product(0.5, thirds).function,
        ),
    ],
)
def test_what_is_called_like_a_function_is_known_in_every_process(functions: list[Any], others: Any) -> None:
    first, second = (lrcore.Function(function) for function in functions)
    state = lrcore.save_state(7, first)
    first(3)
    assert " at 0x" not in str(state["schedule"])
    assert lrcore.load_state(state, second).step == 7
    with pytest.raises(lrcore.ScheduleError, match="is not the configured one"):
        lrcore.load_state(state, lrcore.Function(others))


def test_step_of_a_state_is_an_integer() -> None:
    assert lrcore.load_state({**lrcore.save_state(7, SAVED), "step": np.int64(7)}, SAVED).step == 7
    for step in (-1, 2.7, True, "5"):
        with pytest.raises(lrcore.ScheduleError, match="save_state: expected an integer >= 0"):
            lrcore.save_state(step, SAVED)  # type: ignore[arg-type]
