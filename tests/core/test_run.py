"""Lengths as people write them: texts with a unit, what is known of a run, rounding, layers, and overrides."""

from __future__ import annotations

import json
import math
import re
from collections import UserList
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import lrcore
from lrcore import (
    Clock,
    Constant,
    Cosine,
    Every,
    Exponential,
    Interpolate,
    Join,
    Linear,
    PiecewiseConstant,
    Repeat,
    Run,
    Schedule,
    ScheduleError,
)
from lrcore.schedules import extending
from tests import strategies

COSINE = {"kind": "cosine", "init_value": 3e-4, "end_value": 3e-5, "total_steps": "100%", "warmup": {"steps": "2%"}}
read: Any = lrcore.from_dict  # gives a schedule or a plateau; each test knows which
LINEAR = {"kind": "linear", "init_value": 0.1}
RAMP = {"kind": "piecewise_constant", "boundaries": [100], "values": [10, 20]}  # of the batch size


def refusal(call: Any, *args: Any, **named: Any) -> str:
    with pytest.raises(ScheduleError) as caught:
        call(*args, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- a length ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        (7, 7),
        ("7 updates", 7),
        ("1 update", 1),
        ("1 epoch", 100),
        ("1 epoch(s)", 100),
        ("2.5 epochs", 250),
        ("2.5epochs", 250),
        (" 1_000 samples ", 100),
        ("1e4 tokens", 50),
        ("1.5E+4 tokens", 75),
        ("29%", 290),
        ("0.29 %", 3),
        ("12.34%", 123),
        ("0.01%", 1),
        ("0%", 0),
    ],
)
def test_a_length_is_a_number_and_a_unit(text: str | float, steps: int) -> None:
    run = Run(total=1_000, dataset_size=1_000, batch_size=10, tokens_per_sample=20)
    found = run.steps(text)
    assert (found, type(found)) == (steps, int)


@pytest.mark.parametrize("text", ["5 it", "5 min", "5 e", "epochs", "", "5", "5 %%", "- epochs", "1e99999 epochs", "9" * 99, None, True, [1], -1, float("nan")])  # fmt: skip
def test_what_is_no_length_is_refused(text: Any) -> None:
    message = refusal(Run(total=100, updates_per_epoch=10).steps, text)
    assert message.startswith("Run.steps: expected a number of updates, or a number and one of updates, epochs, ")


def test_a_number_in_quotes_is_told_to_drop_them() -> None:
    assert refusal(Run().steps, "500").endswith("; write 500 without quotes if it is a number of updates")


def test_a_negative_length_is_refused() -> None:
    assert refusal(Run(total=9).steps, "-5 epochs") == "Run.steps: expected a length >= 0; got '-5 epochs'"


@pytest.mark.parametrize(
    ("text", "lacking"),
    [
        ("2%", "total"),
        ("5 epochs", "updates_per_epoch"),
        ("5 samples", "batch_size"),
        ("5 tokens", "tokens_per_sample"),
    ],
)
def test_what_the_run_does_not_say_is_named(text: str, lacking: str) -> None:
    expected = (
        f"expected the run's {lacking} for {text!r}; got none; give it in [run] or as run=lrcore.Run({lacking}=...)"
    )
    assert refusal(Run().steps, text) == f"Run.steps: {expected}"
    assert refusal(read, {**LINEAR, "decay_steps": text}) == f"decay_steps: {expected}"


# --- a run ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "updates"),
    [
        ({"updates_per_epoch": 99.5}, 995),
        ({"dataset_size": 1_281_167, "batch_size": 256}, 50_050),
        ({"dataset_size": 1_281_167, "batch_size": 256, "drop_last": True}, 50_040),
        ({"batches_per_epoch": 1_001, "accumulate": 4}, 2_510),
        ({"batches_per_epoch": 1_001, "accumulate": 4, "drop_last": True}, 2_500),
        ({"batches_per_epoch": 1_001}, 10_010),
    ],
)
def test_the_updates_of_an_epoch_are_worked_out(known: dict[str, Any], updates: int) -> None:
    assert Run(**known).steps("10 epochs") == updates


def test_a_share_is_one_of_the_total_as_it_was_stated() -> None:
    run = Run(total="300e9 tokens", batch_size=1_024, tokens_per_sample=2_048)
    assert run.steps("2%") == run.steps("6e9 tokens") == round(6e9 / 1_024 / 2_048)


def test_a_batch_ramp_is_resolved_from_left_to_right() -> None:
    ramp = {
        "kind": "piecewise_constant",
        "boundaries": ["1000 samples", "5000 samples", 400],
        "values": [10, 20, 40, 50],
    }
    run = Run(batch_size=ramp, total="20_000 samples", dataset_size=1_000, tokens_per_sample=2)
    # 100 updates of 10 samples, 200 of 20, 100 of 40, then 50 each: 1,000 + 4,000 + 4,000 + 11,000 samples
    assert run.steps("100%") == 400 + 220
    assert [run.steps(f"{count} epochs") for count in (1, 5, 9)] == [100, 300, 400]
    assert run.steps("2000 tokens") == 100
    assert Run(batch_size=PiecewiseConstant(boundaries=[100], values=[10, 20])).steps("3000 samples") == 200


def test_a_length_along_a_batch_ramp_depends_on_where_it_begins() -> None:
    ramp = {"kind": "piecewise_constant", "boundaries": [100], "values": [10, 20]}
    run = Run(total="3000 samples", batch_size=ramp)
    table = {
        "kind": "constant",
        "value": 1.0,
        "total_steps": "100%",
        "warmup": {"steps": "500 samples"},
        "cooldown": {"steps": "500 samples"},
    }
    assert read(table, run=run) == Constant(1.0).warmup(50).cooldown(25, start=175)


@pytest.mark.parametrize(("rounding", "steps"), [("nearest", 3), ("up", 3), ("down", 2)])
def test_rounding_is_chosen_by_the_run(rounding: Any, steps: int) -> None:
    assert Run(total=100, rounding=rounding).steps("2.5%") == steps
    assert Run(total=100, rounding=rounding).steps("0.1%") == 1


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"total": "5%"}, "Run.total: expected a length > 0 that is no share; got '5%'"),
        ({"total": 0}, "Run.total: expected a length > 0 that is no share; got 0"),
        ({"total": -3}, "Run.total: expected a number of updates, or"),
        ({"total": "5 it"}, "Run.total: expected a number of updates, or"),
        ({"updates_per_epoch": 0}, "Run.updates_per_epoch: expected a finite number > 0; got 0"),
        ({"batch_size": 0}, "Run.batch_size: expected an integer >= 1; got 0"),
        ({"batch_size": 2.5}, "Run.batch_size: expected an integer >= 1; got 2.5"),
        ({"batch_size": float("nan")}, "Run.batch_size: expected an integer >= 1; got nan"),
        ({"batch_size": {**RAMP, "boundaries": 5}}, "Run.batch_size.boundaries: expected a list; got 5"),
        ({"batch_size": {"kind": "linear"}}, "Run.batch_size: expected an integer >= 1, or a piecewise_constant"),
        ({"batch_size": {"kind": "piecewise_constant", "boundaries": [5, 5], "values": [1, 2, 3]}}, "Run.batch_size.boundaries[1]: expected a place after update 5"),
        ({"batch_size": {"kind": "piecewise_constant", "boundaries": ["1 epoch"], "values": [1, 2]}}, "Run.batch_size.boundaries[0]: expected updates or samples"),
        ({"batch_size": {"kind": "piecewise_constant", "boundaries": [5], "values": [1]}}, "Run.batch_size.values: expected 2 (one more than boundaries); got 1"),
        ({"rounding": "even"}, "Run.rounding: expected one of nearest, up, down; got 'even'"),
        ({"updates_per_epoch": 5, "dataset_size": 9}, "Run.dataset_size: expected one of updates_per_epoch, dataset_size, batches_per_epoch; got updates_per_epoch and dataset_size"),
        ({"totl": 5}, "Run: expected arguments out of total,"),
    ],
)  # fmt: skip
def test_a_wrong_run_is_refused(known: dict[str, Any], message: str) -> None:
    assert refusal(Run, **known).startswith(message)


def test_a_run_that_drops_every_batch_is_refused() -> None:
    run = Run(dataset_size=5, batch_size=10, drop_last=True)
    assert "expected an epoch of at least one update; got 0.5 with drop_last" in refusal(run.steps, "1 epoch")


def test_a_number_of_the_run_is_the_decimal_that_is_written() -> None:
    assert Run(updates_per_epoch=0.1, rounding="up").steps("10 epochs") == 1


def test_a_batch_ramp_may_hold_numbers_of_numpy() -> None:
    ramp = {"kind": "piecewise_constant", "boundaries": np.array([100]), "values": np.array([10, 20])}
    assert Run(batch_size=ramp).steps("2000 samples") == 150


def test_what_a_batch_ramp_would_not_follow_is_refused() -> None:
    ramp = PiecewiseConstant(boundaries=[100], values=[10, 20])
    assert "a piecewise_constant with boundaries and values; got" in refusal(Run, batch_size=ramp.warmup(5))
    run = Run(batch_size=ramp, dataset_size=1_005, drop_last=True)
    assert "Run.drop_last: has no effect with a batch_size that changes" in refusal(run.steps, "1 epoch")


def test_what_would_have_no_effect_is_refused() -> None:
    assert refusal(read, COSINE, run=Run(total=9, accumulate=4)).startswith("run.accumulate: needs batches_per_epoch")
    assert refusal(read, COSINE, run=Run(total=9, drop_last=True)).startswith("run.drop_last: needs dataset_size or")
    assert refusal(Run(total=9, accumulate=4).steps, "5%").startswith("Run.accumulate: needs batches_per_epoch")


# --- texts in a schedule ----------------------------------------------------------------------------------------------


def test_a_file_states_its_run(tmp_path: Path) -> None:
    run = {"total": "300e9 tokens", "batch_size": 1_024, "tokens_per_sample": 2_048}
    path = tmp_path / "schedule.json"
    path.write_text(json.dumps({**COSINE, "run": run}))
    expected = Cosine(init_value=3e-4, end_value=3e-5, decay_steps=143_051 - 2_861).warmup(2_861)
    assert lrcore.load(path) == expected
    assert lrcore.load(path, run=Run(total=1_000)) == Cosine(init_value=3e-4, end_value=3e-5, decay_steps=980).warmup(
        20
    )


def test_nothing_of_the_run_is_left_in_the_schedule() -> None:
    schedule = read({**COSINE, "run": {"total": 1_000}})
    assert read(schedule.to_dict()) == schedule
    assert "run" not in schedule.to_dict()


def test_shares_of_one_hundred_percent_fill_the_run() -> None:
    part = {**LINEAR, "decay_steps": "25%"}
    joined = read({"kind": "join", "schedules": [part] * 4}, run=Run(total=1_001))
    assert isinstance(joined, Join)
    assert [one.length for one in joined.schedules] == [250, 251, 250, 250]
    assert joined.length == 1_001
    assert read({"kind": "join", "schedules": [part] * 4, "boundaries": ["25%", "50%", "75%"]}, run=Run(total=1_001))(
        250
    ) == joined(250)


def test_a_total_that_is_stated_in_the_schedule_is_the_total() -> None:
    table = {**LINEAR, "total_steps": 1_000, "warmup": {"steps": "10%"}, "cooldown": {"steps": "5%"}}
    assert read(table) == Linear(init_value=0.1, decay_steps=850).warmup(100).cooldown(50)
    epochs = {**table, "total_steps": "90 epochs"}
    assert read(epochs, run=Run(updates_per_epoch=10)) == Linear(init_value=0.1, decay_steps=765).warmup(90).cooldown(
        45
    )


def test_a_cooldown_has_a_start_in_any_unit() -> None:
    table = {"kind": "constant", "value": 0.1, "cooldown": {"steps": "20%", "start": "6 epochs"}}
    assert read(table, run=Run(total=1_000, updates_per_epoch=100)) == Constant(0.1).cooldown(200, start=600)


def test_where_real_numbers_are_taken_nothing_is_rounded() -> None:
    knots = {"kind": "interpolate", "boundaries": [0, "0.25%", "100%"], "values": [0, 1, 0]}
    assert read(knots, run=Run(total=1_001)) == Interpolate(boundaries=[0, 2.5025, 1_001], values=[0, 1, 0])
    decay = {"kind": "exponential", "init_value": 1.0, "decay_rate": 0.5, "decay_steps": "0.5 epochs"}
    assert read(decay, run=Run(updates_per_epoch=5)) == Exponential(init_value=1.0, decay_rate=0.5, decay_steps=2.5)


def test_knots_within_one_update_are_two_places() -> None:
    knots = {"kind": "interpolate", "boundaries": [0, "0.04%", "100%"], "values": [0, 1, 0]}
    assert read(knots, run=Run(total=1_001)).boundaries == (0, 0.4004, 1_001)


def test_a_part_with_real_knots_is_followed_at_the_next_whole_update() -> None:
    knots = {"kind": "interpolate", "boundaries": [0, "25.04%"], "values": [0, 1]}
    joined = {"kind": "join", "schedules": [knots, {**LINEAR, "decay_steps": "74.96%"}]}
    assert [part.length for part in read(joined, run=Run(total=1_000)).schedules] == [251, 749]
    ticks = {"kind": "every", "steps": 10, "schedule": {**knots, "boundaries": [0, 2.5]}}
    filled = {"kind": "sum", "schedules": [ticks], "cooldown": {"steps": "1000 samples"}}
    # The ticks end at update 30; from there 70 updates of 10 samples are left, then come updates of 20.
    assert read(filled, run=Run(batch_size=RAMP)).cooldown_.steps == 70 + 15


def test_of_ends_on_one_update_the_later_counts() -> None:
    knots = {"kind": "interpolate", "boundaries": [0, "3.5 updates", "4 updates"], "values": [0, 1, 0]}
    table = {**knots, "cooldown": {"steps": "2.2 updates"}}
    assert read(table, run=Run(rounding="up")).cooldown_.steps == 3


def test_a_shift_behind_counts_the_ticks_of_its_clock() -> None:
    inner = {"kind": "shift", "steps": -2, "schedule": {**LINEAR, "decay_steps": "500 samples"}}
    table = {"kind": "every", "steps": 50, "schedule": inner}
    # The first 100 updates have 10 samples, and the two ticks of the shift are these.
    assert read(table, run=Run(batch_size={**RAMP, "values": [5, 10]})).schedule.schedule.decay_steps == 1


def test_inside_every_a_text_counts_ticks() -> None:
    inner = {"kind": "exponential", "init_value": 0.1, "decay_rate": 0.97, "decay_steps": "2.4 epochs"}
    table, run = {"kind": "every", "steps": "1 epoch", "schedule": inner}, Run(updates_per_epoch=5_004)
    expected = Exponential(init_value=0.1, decay_rate=0.97, decay_steps=2.4)
    assert read(table, run=run) == Every(expected, steps=5_004)
    whole = {**table, "schedule": {**LINEAR, "decay_steps": "2.5 epochs"}}
    assert refusal(read, whole, run=run) == (
        "schedule.decay_steps: expected a whole number of ticks, each of 5004 updates; got '2.5 epochs', 2.5 ticks"
    )
    assert read({**whole, "schedule": {**LINEAR, "decay_steps": "90 epochs"}}, run=run) == Every(
        Linear(init_value=0.1, decay_steps=90), steps=5_004
    )


def test_inside_a_clock_of_one_knot_a_text_counts_its_ticks() -> None:
    inner = {"kind": "cosine", "init_value": 0.1, "total_steps": "100%", "warmup": {"steps": "10 epochs"}}
    table = {"kind": "clock", "boundaries": [1], "times": [512], "schedule": inner}
    schedule = read(table, run=Run(total="90 epochs", updates_per_epoch=100))
    samples = Cosine(init_value=0.1, decay_steps=80 * 51_200).warmup(10 * 51_200)
    assert schedule == Clock(samples, boundaries=[1], times=[512])
    assert schedule(1_000) == 0.1


def test_inside_a_clock_of_several_knots_a_text_is_refused() -> None:
    inner = {**LINEAR, "decay_steps": "10%"}
    table: dict[str, Any] = {"kind": "clock", "boundaries": ["20%", "40%"], "times": [10, 30], "schedule": inner}
    assert refusal(read, table, run=Run(total=100)).startswith(
        "schedule: expected lengths in ticks of the clock, for it has"
    )
    plain = {**table, "schedule": {**LINEAR, "decay_steps": 40}}
    assert read(plain, run=Run(total=100)) == Clock(Linear(init_value=0.1, decay_steps=40), [20, 40], [10, 30])
    assert refusal(read, {**plain, "times": ["1%", "2%"]}, run=Run(total=100)).startswith(
        "times: expected numbers, for"
    )


def test_two_places_on_one_update_are_refused_as_they_were_written() -> None:
    run = Run(total=100)
    stairs = {"kind": "piecewise_constant", "boundaries": ["10.1%", "10.2%"], "values": [3, 2, 1]}
    assert refusal(read, stairs, run=run) == (
        "boundaries[1]: expected places at least one update apart; got '10.1%' and '10.2%', both at update 10"
    )
    assert "got '99.9%' and '100%', both at update 100" in refusal(
        read, {**COSINE, "warmup": {"steps": "99.9%"}}, run=run
    )


@pytest.mark.parametrize("rounding", ["nearest", "up"])
def test_parts_that_end_on_one_update_are_refused(rounding: Any) -> None:
    parts = [{**LINEAR, "decay_steps": "99.99%"}, {**LINEAR, "decay_steps": "0.01%"}]
    assert refusal(read, {"kind": "join", "schedules": parts}, run=Run(total=100, rounding=rounding)) == (
        "schedules[1].decay_steps: expected places at least one update apart; got '99.99%' and '0.01%', both at update 100"
    )


def test_a_length_that_no_number_can_be_is_refused() -> None:
    table = {"kind": "exponential", "init_value": 1, "decay_rate": 0.5, "decay_steps": "1e60 epochs"}
    assert "expected a number > 0, up to 2**53" in refusal(read, table, run=Run(updates_per_epoch=1e300))


def test_a_length_that_is_not_zero_takes_an_update() -> None:
    assert read({**COSINE, "warmup": {"steps": "0.001%"}}, run=Run(total=100)).warmup_.steps == 1
    table = {**LINEAR, "total_steps": "100%", "cooldown": {"steps": "0.001%"}}
    assert read(table, run=Run(total=100)) == Linear(init_value=0.1, decay_steps=99).cooldown(1)
    assert read(COSINE, run=Run(total=7)) == Cosine(init_value=3e-4, end_value=3e-5, decay_steps=6).warmup(1)


def test_a_text_in_a_constructor_says_what_to_use() -> None:
    for call in (lambda: Cosine(init_value=1.0, decay_steps="10%"), lambda: Constant(1.0).warmup("10%")):  # type: ignore[arg-type]
        assert refusal(call).endswith("got '10%'; here lengths are numbers: use run.steps('10%') of a lrcore.Run")
    assert Cosine(init_value=1.0, decay_steps=Run(total=50).steps("10%")).decay_steps == 5


def test_numbers_and_lists_of_numpy_count_as_those_of_python() -> None:
    inner = {"kind": "exponential", "init_value": 0.1, "decay_rate": 0.97, "decay_steps": "2.4 epochs"}
    for steps in (5_004, np.int64(5_004), np.float32(5_004)):
        every = {"kind": "every", "steps": steps, "schedule": inner}
        assert read(every, run=Run(updates_per_epoch=5_004)).schedule.decay_steps == 2.4
        whole = {**LINEAR, "total_steps": steps, "warmup": {"steps": "50%"}}
        assert read(whole) == Linear(init_value=0.1, decay_steps=2_502).warmup(2_502)
    for ahead in (100, np.int64(100)):  # from there on an update has 20 samples
        table = {**LINEAR, "decay_steps": "2000 samples", "warmup": {"steps": ahead}}
        assert read(table, run=Run(batch_size=RAMP)) == Linear(init_value=0.1, decay_steps=100).warmup(100)
    numpy_count: Any = np.int64(5)
    assert Run(total=100).steps(numpy_count) == 5


@pytest.mark.parametrize("boundaries", [("10%", "20%"), UserList(["10%", "20%"]), np.array(["10%", "20%"]), list(np.array(["10%", "20%"]))])  # fmt: skip
def test_any_list_may_hold_texts(boundaries: Any) -> None:
    stairs = {"kind": "piecewise_constant", "boundaries": boundaries, "values": [3, 2, 1]}
    assert read(stairs, run=Run(total=100)) == PiecewiseConstant(boundaries=[10, 20], values=[3, 2, 1])
    joined = {"kind": "join", "boundaries": boundaries, "schedules": UserList([{**LINEAR, "decay_steps": "5%"}] * 3)}
    assert read(joined, run=Run(total=100)).boundaries == (10, 20)


def test_a_table_that_contains_itself_twice_is_refused_at_once() -> None:
    table: dict[str, Any] = {"kind": "join"}
    table["schedules"] = [table, table, {**LINEAR, "decay_steps": "5%"}]
    assert "expected at most 100 schedules inside one another; got more" in refusal(read, table, run=Run(total=100))


def test_a_run_stands_in_the_outermost_table_alone() -> None:
    table = {"kind": "every", "steps": 2, "schedule": {**LINEAR, "decay_steps": 5, "run": {"total": 5}}}
    assert "schedule.run: expected one of" in refusal(read, table)


def test_a_table_by_key_takes_its_own_run_or_else_that_of_the_file() -> None:
    text = '[run]\ntotal = 500\n[a]\nkind = "linear"\ninit_value = 1\ndecay_steps = "10%"\n'
    assert lrcore.loads(text, key="a") == Linear(init_value=1, decay_steps=50)
    assert lrcore.loads(f"{text}[a.run]\ntotal = 700\n", key="a") == Linear(init_value=1, decay_steps=70)


def test_the_run_of_another_program_is_not_read_where_no_length_needs_it() -> None:
    text = '[run]\nname = "x"\n[a]\nkind = "linear"\ninit_value = 1\ndecay_steps = {}\n'
    assert lrcore.loads(text.format(10), key="a") == Linear(init_value=1, decay_steps=10)
    assert refusal(lrcore.loads, text.format('"10%"'), key="a").startswith("run.name: expected one of total,")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"totall": 3}, "run.totall: expected one of total, .*; did you mean 'total'?"),
        ({"total": "5%"}, "run.total: expected a length > 0 that is no share; got '5%'"),
    ],
)
def test_a_wrong_run_in_a_file_is_named_by_its_place(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        read({**COSINE, "run": table})


def test_a_run_that_is_no_table_is_shown_as_one() -> None:
    assert refusal(lrcore.loads, 'kind = "constant"\nvalue = 1\nrun = 500\n').endswith("; write run = {total = 500}")


# --- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lower", "upper", "updates"),
    [
        ({"updates_per_epoch": 10}, {"dataset_size": 70, "batch_size": 10}, 7),
        ({"dataset_size": 70, "batch_size": 10}, {"updates_per_epoch": 10}, 10),
        ({"dataset_size": 75, "batch_size": 10}, {"drop_last": True}, 7),
        ({"dataset_size": 75, "batch_size": 10}, {"batch_size": 25}, 3),
        ({"batches_per_epoch": 40}, {"accumulate": 4}, 10),
        ({"batches_per_epoch": 40, "accumulate": 4}, {"updates_per_epoch": 3}, 3),
    ],
)
def test_an_upper_layer_replaces_a_lower_one(lower: dict[str, Any], upper: dict[str, Any], updates: int) -> None:
    table = {**LINEAR, "decay_steps": "1 epoch", "run": lower}
    for run in (Run(**upper), upper):
        assert read(table, run=run) == Linear(init_value=0.1, decay_steps=updates)


def test_the_default_rounding_replaces_one_below() -> None:
    table = {**LINEAR, "decay_steps": "1.21%", "run": {"total": 1_000, "rounding": "up"}}
    assert read(table).decay_steps == 13
    assert read(table, run=Run(rounding="nearest")).decay_steps == 12


@pytest.mark.parametrize("run", [5, "90 epochs", [], {5: 5}])
def test_what_is_no_run_is_refused(run: Any) -> None:
    message = refusal(read, {**LINEAR, "decay_steps": "10%"}, run=run)
    assert message == f"run: expected a lrcore.Run or a dict of its arguments; got {run!r}"


def test_a_batch_size_above_leaves_no_updates_per_epoch_below() -> None:
    table = {**LINEAR, "decay_steps": "1 epoch", "run": {"updates_per_epoch": 10}}
    assert "expected the run's updates_per_epoch for '1 epoch'" in refusal(read, table, run=Run(batch_size=4))


# --- overrides --------------------------------------------------------------------------------------------------------


def test_overrides_change_values_by_their_places() -> None:
    table = {"kind": "join", "schedules": [{**LINEAR, "decay_steps": 5}, {"kind": "constant", "value": 1}]}
    changed = read(table, overrides={"schedules[0].decay_steps": 10, "schedules[0].init_value": 0.5})
    assert changed == Join([Linear(init_value=0.5, decay_steps=10), Constant(1.0)])
    assert table["schedules"][0] == {**LINEAR, "decay_steps": 5}  # the table given stays as it is


def test_an_override_makes_a_ramp_and_none_removes_one() -> None:
    run = Run(total=100)
    assert read(COSINE, run=run, overrides={"cooldown.steps": "10%"}).cooldown_.steps == 10
    assert read(COSINE, run=run, overrides={"warmup": None}) == Cosine(init_value=3e-4, end_value=3e-5, decay_steps=100)
    assert read(COSINE, run=run, overrides={"end_value": None}).end_value == 0
    assert read(COSINE, overrides={"run.total": 50}) == read(COSINE, run=Run(total=50))


def test_overrides_apply_to_the_table_of_a_key() -> None:
    text = '[a]\nkind = "constant"\nvalue = 1\n'
    assert lrcore.loads(text, key="a", overrides={"value": 2}) == Constant(2.0)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (
            "warmp.steps",
            5,
            "overrides: warmp: expected one of kind, init_value, .*; there is none; did you mean 'warmup'",
        ),
        ("warmup.stepps", 5, "warmup.stepps: expected one of steps, .*did you mean 'steps'"),
        ("init_valu", None, "overrides: init_valu: expected one of .*; there is none; did you mean 'init_value'"),
        ("init_value.x", 5, "overrides: init_value: expected a table; found 0.0003"),
        ("schedules[0].x", 5, "overrides: schedules: expected one of"),
        ("a..b", 5, "key: expected the name of a table"),
    ],
)
def test_an_override_of_a_place_that_does_not_exist_is_refused(place: str, value: Any, message: str) -> None:
    with pytest.raises(ScheduleError, match=message.replace("[0]", r"\[0\]")):
        read(COSINE, run=Run(total=100), overrides={place: value})


def test_a_sweep_is_a_loop() -> None:
    peaks = [read(COSINE, run=Run(total=100), overrides={"init_value": rate})(2) for rate in (1e-3, 3e-3)]
    assert peaks == [1e-3, 3e-3]


# --- laws -------------------------------------------------------------------------------------------------------------


@settings(max_examples=200)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.integers(1_000, 10**9))
def test_parts_meet_and_the_end_is_the_total(parts: list[int], total: int) -> None:
    # Shares in whole percents, the last one filling up to 100 %.
    filled = [*parts, 200 - sum(parts)]
    texts = [f"{part / 2}%" for part in filled]
    tables = [{**LINEAR, "decay_steps": text} for text in texts]
    joined = read({"kind": "join", "schedules": tables}, run=Run(total=total))
    assert joined.length == total
    ends = [sum(filled[: number + 1]) for number in range(len(filled) - 1)]
    stated = {"kind": "join", "schedules": tables, "boundaries": [f"{end / 2}%" for end in ends]}
    assert read(stated, run=Run(total=total)).length == total
    lengths = [one.length for one in joined.schedules]
    assert all(abs(length - Fraction(part * total, 200)) < 1 for length, part in zip(lengths, filled, strict=True))


@settings(max_examples=200)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(100, 10**12))
def test_a_whole_schedule_ends_at_its_total(warmup: int, cooldown: int, total: int) -> None:
    table = {**LINEAR, "total_steps": "100%", "warmup": {"steps": f"{warmup}%"}, "cooldown": {"steps": f"{cooldown}%"}}
    schedule = read(table, run=Run(total=total))
    assert schedule.length == total
    assert read(schedule.to_dict()) == schedule


# --- another schedule from an update on -------------------------------------------------------------------------------

DOWN = Linear(init_value=0.4, end_value=0.0, decay_steps=8)


def test_another_schedule_follows_on_its_own_clock_or_on_the_clock_of_the_run() -> None:
    own, run = Constant(0.4).then(DOWN, at=4), Constant(0.4).then(DOWN, at=4, clock="run")
    assert [own(step) for step in range(3, 14)] == [0.4, *(DOWN(step) for step in range(10))]
    assert [run(step) for step in range(3, 14)] == [0.4, *(DOWN(step) for step in range(4, 14))]
    assert read(run.to_dict()) == run


def test_what_follows_from_the_first_update_on_is_all() -> None:
    for clock in ("own", "run"):
        followed = Constant(0.4).then(DOWN, at=0, clock=clock)
        assert [followed(step) for step in range(10)] == [DOWN(step) for step in range(10)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"other": 0.1, "at": 4}, "Schedule.then: other: expected a lrcore schedule; got 0.1"),
        ({"other": DOWN, "at": -4}, "Schedule.then: at: expected an integer >= 0, the number of updates already made; got -4"),
        ({"other": DOWN, "at": 4, "clock": "wall"}, "Schedule.then: clock: expected own or run; got 'wall'"),
    ],
)  # fmt: skip
def test_a_wrong_continuation_is_refused(arguments: dict[str, Any], message: str) -> None:
    assert refusal(Constant(0.4).then, **arguments) == message


# --- a run that is under way ------------------------------------------------------------------------------------------


COSINE_RUN = Cosine(init_value=1.0, end_value=0.1, decay_steps=90).warmup(10)
STABLE = Constant(1.0).warmup(10).cooldown(20, start=80)


@pytest.mark.parametrize(
    ("schedule", "at", "expected"),
    [
        (COSINE_RUN, 5, Cosine(init_value=1.0, end_value=0.1, decay_steps=190).warmup(10)),
        (COSINE_RUN, 50, Clock(Cosine(init_value=1.0, end_value=0.1, decay_steps=90), [40, 190], [40, 90]).warmup(10)),
        (STABLE, 5, Constant(1.0).warmup(10).cooldown(20, start=180)),
        (STABLE, 80, Constant(1.0).warmup(10).cooldown(20, start=180)),
        (STABLE, 90, Clock(STABLE, [90, 200], [90, 100])),
        (Every(Linear(init_value=1.0, decay_steps=10), steps=10), 35, Every(Clock(Linear(init_value=1.0, decay_steps=10), [3, 20], [3, 10]), steps=10)),
    ],
)  # fmt: skip
def test_what_is_under_way_is_stretched_and_what_has_not_begun_is_planned_anew(
    schedule: Schedule, at: int, expected: Schedule
) -> None:
    assert schedule.extended(at=at, end=200) == expected


def test_the_parts_of_a_join_that_are_to_come_keep_their_warmups() -> None:
    parts = [
        Linear(init_value=0.0, end_value=1.0, decay_steps=10),
        Constant(1.0),
        Cosine(init_value=1.0, decay_steps=40).warmup(5),
    ]
    longer = Join(parts, boundaries=[10, 30]).extended(at=15, end=135)
    assert longer == Join([parts[0], parts[1], Cosine(init_value=1.0, decay_steps=85).warmup(5)], boundaries=[10, 45])


def test_sixty_extensions_are_one_clock_of_sixty_knots() -> None:
    schedule, at = COSINE_RUN, 50
    for _ in range(60):
        assert schedule.length is not None
        before, schedule = schedule, schedule.extended(at=at, end=schedule.length + 100)
        assert schedule.values(range(at)) == pytest.approx(before.values(range(at)), rel=1e-14, abs=0)
        at += 60
    assert len(lrcore.dumps(schedule, "json")) < 4_000
    assert schedule.depth <= 3
    assert schedule.length == 6_100


@settings(max_examples=150)
@given(strategies.schedules(), st.integers(0, 60), st.integers(1, 200), st.integers(1, 100))
def test_an_extension_has_the_same_past_no_jump_and_the_same_end(
    schedule: Schedule, at: int, more: int, rest: int
) -> None:
    stated = extending.stated_end(schedule)
    was = stated or at + rest
    assume(at < was)
    try:
        longer = schedule.extended(at=at, end=was + more, was=was)
    except ScheduleError as error:
        refused = str(error)
    else:
        refused = ""
        assert longer.values(range(at)) == pytest.approx(schedule.values(range(at)), rel=1e-12, abs=1e-300)
        assert read(longer.to_dict()) == longer
        if stated and not {"every", "repeat"} & set(re.findall(r'"kind":"(\w+)"', schedule.text)):
            assert longer(was + more) == pytest.approx(schedule(was), rel=1e-9, abs=1e-300)
    assert not refused or "schedule.then(" in refused or ": end: expected" in refused


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: COSINE_RUN.extended(at=100, end=200), "Schedule.extended: at: expected an update before 100, the end of the schedule; got 100; use schedule.then"),
        (lambda: COSINE_RUN.extended(at=50, end=50), "Schedule.extended: end: expected an update after 50, where the new plan begins; got 50"),
        (lambda: STABLE.extended(at=50, end=60), "Schedule.extended: end: expected at least 70, for the cooldown keeps its 20 updates; got 60"),
        (lambda: PiecewiseConstant(boundaries=[5], values=[1, 2]).extended(at=3, end=9), "Schedule.extended: was: required, since the schedule does not say where the run ends"),
        (lambda: Repeat(DOWN).extended(at=3, end=9), "Schedule.extended: was: required, since the schedule does not say where the run ends"),
        (lambda: lrcore.Function(lambda step: 0.1, horizon=9).extended(at=3, end=20), "Schedule.extended: this schedule cannot be stretched from update 3 on"),
        (lambda: COSINE_RUN.extended(at=-1, end=50), "Schedule.extended: at: expected an integer >= 0"),
    ],
)  # fmt: skip
def test_a_wrong_extension_is_refused(call: Any, message: str) -> None:
    assert refusal(call).startswith(message)


def test_an_extension_has_the_past_of_its_checkpoint() -> None:
    state = lrcore.save_state(50, COSINE_RUN)
    longer = COSINE_RUN.extended(at=50, end=300)
    assert lrcore.load_state(state, longer, on_mismatch="same_past").schedule == longer
    again = longer.extended(at=120, end=400)
    assert lrcore.load_state(lrcore.save_state(120, longer), again, on_mismatch="same_past").schedule == again


def test_a_run_with_another_past_is_told_how_to_keep_it() -> None:
    state = lrcore.save_state(50, COSINE_RUN)
    planned = Cosine(init_value=1.0, end_value=0.1, decay_steps=290).warmup(10)
    message = refusal(lrcore.load_state, state, planned, on_mismatch="same_past")
    assert "saved.extended(at=50, end=...) or .then keeps the past" in message


def megatron_consumed(start: int, increment: int, ramp: int, last: int, updates: int) -> list[int]:
    """Return the samples that Megatron's --rampup-batch-size has consumed before each update: brute force."""
    per_increment, consumed, found = ramp / ((last - start) // increment), 0, []
    for _ in range(updates):
        found.append(consumed)
        consumed += last if consumed > ramp else min(start + int(consumed / per_increment) * increment, last)
    return found


def test_a_batch_ramp_of_megatron_is_a_clock() -> None:
    consumed = megatron_consumed(start=32, increment=32, ramp=100_000, last=512, updates=3_000)
    sizes = np.diff(consumed)
    bends = [1 + int(at) for at in np.flatnonzero(np.diff(sizes))]  # the first update of another size
    clock = [*bends, len(consumed) - 1]
    warmup, decay, top, low = 50_000, 1_200_000, 6e-4, 6e-5
    in_samples = Cosine(init_value=top, end_value=low, decay_steps=decay - warmup).warmup(warmup)
    schedule = Clock(in_samples, boundaries=clock, times=[consumed[one] for one in clock])

    def megatron(samples: int) -> float:
        if samples <= warmup:
            return top * samples / warmup
        share = min((samples - warmup) / (decay - warmup), 1.0)
        return low + (top - low) * 0.5 * (math.cos(math.pi * share) + 1.0)

    assert schedule.values(range(3_000)) == pytest.approx(
        [megatron(one) for one in consumed], rel=1e-12, abs=1e-12 * top
    )
