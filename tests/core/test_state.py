"""What a checkpoint holds, and what happens when it is not what is configured."""

from __future__ import annotations

import json
import math
import pickle
import re
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore import Constant, Cosine, Linear, Plateau, Polynomial
from tests.kinds import KINDS

SAVED = Cosine(init_value=0.1, decay_steps=200).warmup(5)
CONFIGURED = Cosine(init_value=0.1, decay_steps=350).warmup(5)


def halves(step: int) -> float:
    return 0.5**step


def thirds(step: int) -> float:
    return 3.0**-step


def test_a_state_has_four_plain_keys() -> None:
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


def test_each_policy_takes_its_schedule() -> None:
    state = lrcore.save_state(7, SAVED)
    assert lrcore.load_state(state, CONFIGURED, "keep_checkpoint").schedule == SAVED
    assert lrcore.load_state(state, CONFIGURED, "use_config").schedule == CONFIGURED
    with pytest.raises(lrcore.ScheduleError, match=r"on_mismatch: expected one of .*did you mean 'use_config'"):
        lrcore.load_state(state, CONFIGURED, "use_confg")  # type: ignore[arg-type]


def test_another_form_of_the_same_values_is_no_mismatch() -> None:
    state = lrcore.save_state(7, Polynomial(init_value=1, decay_steps=5))
    assert lrcore.load_state(state, Linear(init_value=1, decay_steps=5)).step == 7
    plateaus = Plateau(Constant(0.1).warmup(0)), Plateau(Constant(0.1))
    assert lrcore.load_state(lrcore.save_state(7, plateaus[0]), plateaus[1]).schedule == plateaus[1]


def test_a_field_that_is_left_out_has_its_default() -> None:
    for configured, change in (
        (SAVED.cooldown(steps=3, end_value=1), "cooldown: none saved, {'steps': 3, 'end_value': 1.0} configured"),
        (
            Cosine(init_value=0.1, decay_steps=200).warmup(5, init_value=0.01),
            "warmup.init_value: 0.0 saved, 0.01 configured",
        ),
        (Cosine(init_value=0.1, end_value=0.01, decay_steps=200).warmup(5), "end_value: 0.0 saved, 0.01 configured"),
        (Plateau(SAVED, accept_first=True), "plateau.accept_first: false saved, true configured"),
        (Plateau(SAVED, mode="max"), "plateau.mode: 'min' saved, 'max' configured"),
    ):
        saved = Plateau(SAVED) if isinstance(configured, Plateau) else SAVED
        with pytest.raises(lrcore.ScheduleError, match=rf"\({re.escape(change)}\)"):
            lrcore.load_state(lrcore.save_state(7, saved), configured)


@pytest.mark.parametrize(
    ("saved", "configured", "message"),
    [
        ([SAVED, SAVED], [SAVED, CONFIGURED], r"group 1: at step 6 .*\(\[1\]\.decay_steps: 200 saved"),
        ({"lr": SAVED, "momentum": SAVED}, {"lr": SAVED, "momentum": CONFIGURED}, "momentum: at step 6"),
        ([SAVED, SAVED], [SAVED], "they are not of one form"),
        (SAVED, [SAVED, SAVED], "for one schedule was saved and a list of 2 is configured"),
        (
            {"lr": SAVED},
            {"lr": SAVED, "momentum": SAVED},
            "a dict of lr was saved and a dict of lr, momentum is configured",
        ),
        (
            {"lr": SAVED, "momentum": SAVED},
            {"lr": SAVED},
            "a dict of lr, momentum was saved and a dict of lr is configured",
        ),
        (SAVED, {"lr": SAVED}, "for one schedule was saved and a dict of lr is configured"),
        ({"lr": SAVED, "momentum": CONFIGURED}, {"lr": Constant(0.1), "momentum": SAVED}, "lr: at step 0 it gives"),
        ([CONFIGURED, SAVED], [SAVED, Constant(0.1)], "group 1: at step 0 it gives"),
        (
            Plateau(SAVED),
            Plateau(SAVED, patience=3),
            r"plateaus differ \(plateau\.patience: 10 saved, 3 configured\)",
        ),
        (Plateau(SAVED), Plateau(CONFIGURED), "configured one: at step 6 it gives"),
        (Plateau(SAVED), Plateau(CONFIGURED, patience=3), "their plateaus differ, and at step 6 it gives"),
        (Plateau(SAVED), CONFIGURED, "a plateau was saved and one schedule is configured, and at step 6 it gives"),
        (Plateau(SAVED), SAVED, "for a plateau was saved and one schedule is configured"),
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
def test_each_form_of_mismatch_is_reported(saved: Any, configured: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore.load_state(lrcore.save_state(7, saved), configured)
    assert lrcore.load_state(lrcore.save_state(7, saved), configured, "use_config").schedule == configured


def test_a_message_lists_five_changes_at_most() -> None:
    options: dict[str, Any] = {"factor": 0.5, "patience": 3, "mode": "max", "rtol": 0.1, "cooldown": 2, "eps": 0.1}
    with pytest.raises(lrcore.ScheduleError) as caught:
        lrcore.load_state(lrcore.save_state(7, Plateau(SAVED)), Plateau(SAVED, **options))
    assert str(caught.value).count(" saved, ") == 5


def test_a_saved_python_function_cannot_be_restored() -> None:
    state = lrcore.save_state(7, lrcore.Function(halves))
    with pytest.raises(lrcore.ScheduleError, match="a Python function cannot be kept from a checkpoint"):
        lrcore.load_state(state, Constant(0.1), "keep_checkpoint")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (None, "expected a state saved by lrcore, a dict; got None"),
        ({}, "expected a state saved by lrcore, with format, step, schedule, plateau; got no keys"),
        ({"last_epoch": 3, "base_lrs": [0.1]}, "got last_epoch, base_lrs; this is the state of a native scheduler"),
        ({"format": 2}, "format: expected 1; got a state written for lrcore format 2; install a newer lrcore"),
        ({"format": 0}, "format: expected 1; got 0"),
        ({"format": "1"}, "format: expected 1; got '1'"),
        ({"step": -1}, "step: expected an integer >= 0, .*; got -1"),
        ({"step": True}, "step: expected an integer >= 0, .*; got true"),
        ({"schedule": "{"}, "schedule: expected a JSON text; got '{'"),
        ({"schedule": '{"kind":"cosin"}'}, "schedule: kind: expected one of .*did you mean 'cosine'"),
        ({"plateau": 3}, "plateau: expected a JSON text; got 3"),
        ({"schedule": ""}, "schedule: expected a JSON text; got ''"),
        ({"schedule": "[" * 100_000}, "schedule: expected a JSON text"),
    ],
)
def test_a_state_of_another_kind_is_refused(state: Any, message: str) -> None:
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
def test_the_name_of_a_callable_object_is_the_same_in_every_process(functions: list[Any], others: Any) -> None:
    first, second = (lrcore.Function(function) for function in functions)
    state = lrcore.save_state(7, first)
    first(3)
    assert " at 0x" not in str(state["schedule"])
    assert lrcore.load_state(state, second).step == 7
    with pytest.raises(lrcore.ScheduleError, match="is not the configured one"):
        lrcore.load_state(state, lrcore.Function(others))


def test_the_step_of_a_state_is_an_integer() -> None:
    assert lrcore.load_state({**lrcore.save_state(7, SAVED), "step": np.int64(7)}, SAVED).step == 7
    for step in (-1, 2.7, True, "5"):
        with pytest.raises(lrcore.ScheduleError, match="save_state: expected an integer >= 0"):
            lrcore.save_state(step, SAVED)  # type: ignore[arg-type]


# --- forms ------------------------------------------------------------------------------------------------------------


def test_a_list_of_one_schedule_is_that_schedule() -> None:
    for one in (SAVED, Plateau(SAVED), lrcore.Function(halves)):
        for saved, configured in (
            (one, [one]),
            ([one], one),
            ({"lr": [one]}, {"lr": one}),
            ({"lr": one}, {"lr": [one]}),
        ):
            assert lrcore.load_state(lrcore.save_state(7, saved), configured).schedule == configured


def test_a_kept_schedule_has_the_configured_form() -> None:
    for saved, configured, kept in (
        ([SAVED], CONFIGURED, SAVED),
        (SAVED, [CONFIGURED], [SAVED]),
        ([Plateau(SAVED)], Plateau(CONFIGURED), Plateau(SAVED)),
        ({"lr": [SAVED]}, {"lr": CONFIGURED}, {"lr": SAVED}),
        ([lrcore.Function(halves), SAVED], [lrcore.Function(halves), CONFIGURED], [lrcore.Function(halves), SAVED]),
    ):
        assert lrcore.load_state(lrcore.save_state(7, saved), configured, "keep_checkpoint").schedule == kept


# --- the past ---------------------------------------------------------------------------------------------------------

BRANCH = SAVED.cooldown(steps=10, start=50)  # the first step that differs is 51


@pytest.mark.parametrize("form", [lambda one: one, lambda one: [one, one], lambda one: {"lr": one}, Plateau])
def test_same_past_goes_on_with_the_configuration(form: Any) -> None:
    saved, configured = form(SAVED), form(BRANCH)
    for step in (0, 1, 50, 51):
        assert lrcore.load_state(lrcore.save_state(step, saved), configured, "same_past").schedule == configured
    for step in (52, 10**6, 10**9):
        with pytest.raises(
            lrcore.ScheduleError, match=rf"at the {step} updates already made: .*at step 51 it gives"
        ) as caught:
            lrcore.load_state(lrcore.save_state(step, saved), configured, "same_past")
        assert "set on_mismatch to keep_checkpoint or use_config" in str(caught.value)


def test_same_past_is_offered_only_where_it_helps() -> None:
    for step, offered in ((51, True), (52, False)):
        with pytest.raises(lrcore.ScheduleError, match="at step 51 it gives") as caught:
            lrcore.load_state(lrcore.save_state(step, [SAVED, SAVED]), [BRANCH, SAVED])
        assert ("same_past" in str(caught.value)) == offered


def test_before_the_first_update_same_past_accepts_every_schedule() -> None:
    for configured in (CONFIGURED, [SAVED, SAVED], {"lr": SAVED}, Plateau(SAVED, patience=3), lrcore.Function(halves)):
        assert lrcore.load_state(lrcore.save_state(0, SAVED), configured, "same_past").schedule == configured


def test_same_past_refuses_a_state_of_another_form() -> None:
    with pytest.raises(lrcore.ScheduleError, match="updates already made: they are not of one form"):
        lrcore.load_state(lrcore.save_state(7, {"lr": SAVED}), {"lr": SAVED, "momentum": SAVED}, "same_past")


def test_same_past_compares_a_plateau_by_its_reports() -> None:
    """Other options would have judged the metrics otherwise; without metrics, and without a reduction, nothing was judged."""
    plateau, other = Plateau(SAVED), Plateau(SAVED, patience=3, mode="max")
    told = plateau.update(plateau.initial(), 1.0)
    reduced = told._replace(scale=0.1)
    for saved, state, configured, goes_on in (
        (plateau, None, other, None),
        (plateau, plateau.initial(), other, None),
        (plateau, told, Plateau(BRANCH), told),
        (plateau, reduced, Plateau(BRANCH), reduced),
        (plateau, told, BRANCH, None),
        (SAVED, None, other, None),
    ):
        loaded = lrcore.load_state(lrcore.save_state(7, saved, state and state.to_dict()), configured, "same_past")
        assert loaded.schedule == configured
        assert loaded.plateau == (goes_on and goes_on.to_dict())
    for state, configured, message in (
        (told, other, "their plateaus differ, and the saved one had been told 1 metrics"),
        (reduced, SAVED, "the saved plateau had reduced the rate to 0.1 of its schedule, and none is configured"),
        (told, Plateau(CONFIGURED), "at step 6 it gives"),
    ):
        with pytest.raises(lrcore.ScheduleError, match=message):
            lrcore.load_state(lrcore.save_state(7, plateau, state.to_dict()), configured, "same_past")


# --- Python functions -------------------------------------------------------------------------------------------------


def named(body: Any) -> lrcore.Function:
    def rate(step: int) -> float:
        return float(body(step))

    return lrcore.Function(rate)


FORMS: list[Any] = [
    lambda one: one,
    lambda one: one * 2.0,
    lambda one: one.warmup(0),
    Plateau,
    lambda one: [SAVED, one],
    lambda one: {"lr": Plateau(one * 2.0), "momentum": SAVED},
]


@pytest.mark.parametrize("form", FORMS)
def test_a_function_is_known_by_its_name_and_a_few_values(form: Any) -> None:
    state = lrcore.save_state(7, form(named(lambda step: 0.1 / (step + 1))))
    same = form(named(lambda step: 1 / (10 * (step + 1))))  # but for the last bit of some values
    assert lrcore.load_state(state, same).schedule is same
    for body, step in (
        (lambda step: 0.2 / (step + 1), 0),
        (lambda step: 0.1 / (step + 1) if step < 30 else 0.0, 50),
        (lambda step: 0.1 / (step + 1) if step < 7000 else 1 / 0, 10_000),
    ):
        with pytest.raises(
            lrcore.ScheduleError, match=rf"not the configured one: .*at step {step}, .* it gave"
        ) as caught:
            lrcore.load_state(state, form(named(body)))
        assert ("same_past" in str(caught.value)) == (step > 7)
        assert "keep_checkpoint" not in str(caught.value)
        assert lrcore.load_state(state, form(named(body)), "use_config").step == 7
    later = form(named(lambda step: 0.1 / (step + 1) if step < 7 else 0.0))
    assert lrcore.load_state(state, later, "same_past").schedule is later
    changed = form(named(lambda step: 0.1 / (step + 1) if step < 5 else 0.0))
    assert lrcore.load_state({**state, "step": 5}, changed, "same_past").schedule is changed
    with pytest.raises(lrcore.ScheduleError, match=r"at the 7 updates already made: .*at step 5, "):
        lrcore.load_state(state, changed, "same_past")


def test_another_function_with_the_same_values_is_not_shown_to_be_the_same() -> None:
    def other(step: int) -> float:
        return halves(step)

    with pytest.raises(lrcore.ScheduleError, match=r"could not be shown .* the name is another one \(python: .*halves"):
        lrcore.load_state(lrcore.save_state(7, lrcore.Function(halves)), lrcore.Function(other))
    with pytest.raises(lrcore.ScheduleError, match=r"could not be shown .* a few values say too little, and none is"):
        lrcore.load_state(lrcore.save_state(7, named(lambda step: 0.1)), Constant(0.1))
    with pytest.raises(lrcore.ScheduleError, match=r"could not be shown .* no difference was found below step 65536"):
        lrcore.load_state(lrcore.save_state(7, Constant(0.1)), named(lambda step: 0.1))
    for function in (lrcore.Function(lambda step: 0.1, 500), lrcore.Function(lambda step: 0.1, 0)):
        assert lrcore.load_state(lrcore.save_state(7, Constant(0.1)), function).step == 7


def test_a_function_is_asked_once_and_may_fail_beyond_its_use() -> None:
    asked: list[int] = []

    def rate(step: int) -> float:
        asked.append(step)
        return ([0.1] * 60)[step]

    schedule = lrcore.Function(rate)
    both = [schedule, schedule * 2.0]
    states = [lrcore.save_state(step, both) for step in range(3)]
    assert len({state["schedule"] for state in states}) == 1
    assert sorted(asked) == sorted([*{*asked}] * 2)  # once for each of the two schedules
    assert max(asked) == 100_000
    assert len(str(states[0]["schedule"])) < 500
    assert lrcore.load_state(states[2], both).step == 2
    asked.clear()
    held = json.loads(str(lrcore.save_state(7, lrcore.Function(rate, horizon=20))["schedule"]))
    assert [step for step, _ in held["few_values"]] == [0, 1, 2, 5, 10, 20]
    assert max(asked) == 20


def test_a_function_that_always_fails_is_saved_but_not_recognised() -> None:
    state = lrcore.save_state(7, named(lambda step: math.nan))
    with pytest.raises(lrcore.ScheduleError, match="could not be shown"):
        lrcore.load_state(state, named(lambda step: math.nan))


@pytest.mark.parametrize("values", [None, 3, "x", [1], [["a", 1]], [[0, None]], [[-1, 0.1]]])
def test_values_that_were_tampered_with_are_ignored(values: Any) -> None:
    state = lrcore.save_state(7, lrcore.Function(halves))
    plain = {**json.loads(str(state["schedule"])), "few_values": values}
    with pytest.raises(lrcore.ScheduleError, match="could not be shown"):
        lrcore.load_state({**state, "schedule": json.dumps(plain)}, lrcore.Function(halves))


# --- states of earlier versions ---------------------------------------------------------------------------------------

RECORDED = Path(__file__).parents[1] / "data" / "states"
COSINE = Cosine(init_value=0.1, decay_steps=200).warmup(5)
MAXIMUM = Plateau(COSINE, factor=0.5, patience=0, mode="max")
SAVED_WITH: dict[str, Any] = {
    **{name: schedule for name, schedule in KINDS.items() if name != "function"},
    "plateau": MAXIMUM,
    "list": [COSINE, COSINE * 0.1],
    "list_of_one": [COSINE],
    "dict": {"lr": MAXIMUM, "weight_decay": Constant(0.01)},
    "function": lrcore.Function(halves),
    "function_inside": {"lr": lrcore.Function(halves) * 2.0, "weight_decay": Constant(0.01)},
}


def recorded(name: str) -> Any:
    return json.loads((RECORDED / f"{name}.json").read_text())


def test_every_recorded_state_is_loaded() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == SAVED_WITH.keys()


@pytest.mark.parametrize("name", sorted(SAVED_WITH.keys() - {"function", "function_inside"}))
def test_a_state_of_an_earlier_version_loads(name: str) -> None:
    loaded = lrcore.load_state(recorded(name), SAVED_WITH[name])
    assert (loaded.step, loaded.schedule) == (17, SAVED_WITH[name])
    if name in ("plateau", "dict"):
        state = lrcore.PlateauState.from_dict(loaded.plateau)
        assert (state.best, state.scale, state.reports) == (0.6, 0.5, 3)
    kept = lrcore.load_state(recorded(name), Constant(0.7), "keep_checkpoint").schedule
    assert kept == (COSINE if name == "list_of_one" else SAVED_WITH[name])
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        lrcore.load_state(recorded(name), Constant(0.7))


@pytest.mark.parametrize("name", ["function", "function_inside"])
def test_a_function_saved_by_an_earlier_version_is_not_recognised(name: str) -> None:
    for policy in ("error", "same_past"):
        with pytest.raises(
            lrcore.ScheduleError,
            match=r"could not be shown to be .* no values, as earlier versions of lrcore wrote it; set on_mismatch to use_config",
        ):
            lrcore.load_state(recorded(name), SAVED_WITH[name], policy)
    loaded = lrcore.load_state(recorded(name), SAVED_WITH[name], "use_config")
    assert (loaded.step, loaded.schedule) == (17, SAVED_WITH[name])
