"""Files: what they may say, and one line of words for everything that is wrong with one."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
import lrcore.adapting
from lrcore import (
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Linear,
    PiecewiseConstant,
    ScheduleError,
)
from lrcore.files.keys import at
from tests.kinds import KINDS

DEEPEST = 100
CONSTANT = {"kind": "constant", "value": 1.0}
LINEAR = {"kind": "linear", "init_value": 1.0, "decay_steps": 5}
COSINE = {"kind": "cosine", "init_value": 0.1, "decay_steps": 10}
STEPS = "expected an integer >= 0 (optimizer updates, at most 2**53)"
WRITABLE = {name: schedule for name, schedule in KINDS.items() if name != "function"}


def refusal(made: Any, *arguments: Any, **options: Any) -> ScheduleError:
    """The error of a call, which is one line."""
    with pytest.raises(ScheduleError) as caught:
        made(*arguments, **options)
    assert "\n" not in str(caught.value)
    return caught.value


def nested(depth: int) -> dict[str, Any]:
    plain: dict[str, Any] = CONSTANT
    for _ in range(depth - 1):
        plain = {"kind": "every", "steps": 1, "schedule": plain}
    return plain


# --- what may be written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["toml", "json", "yaml"])
@pytest.mark.parametrize("name", WRITABLE)
def test_every_kind_is_read_back_equal_from_every_format(name: str, format: str, tmp_path: Path) -> None:  # noqa: A002
    schedule = WRITABLE[name]
    path = tmp_path / f"schedule.{format}"
    path.write_text(lrcore.dumps(schedule, format), encoding="utf-8")
    assert lrcore.load(path) == schedule == lrcore.load(str(path))


@pytest.mark.parametrize(
    ("table", "schedule"),
    [
        (
            {"kind": "cosine", "init_value": 3e-4, "total_steps": 100, "warmup": {"steps": 10}},
            Cosine(init_value=3e-4, decay_steps=90).warmup(10),
        ),
        (
            {"kind": "linear", "init_value": 1, "total_steps": 30, "warmup": {"steps": 5}, "cooldown": {"steps": 10}},
            Linear(init_value=1.0, decay_steps=15).warmup(5).cooldown(10),
        ),
        (
            {"kind": "constant", "value": 0.1, "total_steps": 30, "cooldown": {"steps": 10}},
            Constant(0.1).cooldown(10, start=20),
        ),
        ({"kind": "cosine", "init_value": 1, "total_steps": 6, "warmup": {"steps": 5}}, Cosine(init_value=1.0, decay_steps=1).warmup(5)),
        ({"kind": "cosine", "init_value": 1, "total_steps": 0, "warmup": {"steps": 0}}, Cosine(init_value=1.0, decay_steps=0)),
        ({"kind": "cosine", "init_value": 1, "decay_steps": 0, "warmup": {"steps": 5}}, Cosine(init_value=1.0, decay_steps=0).warmup(5)),
        ({"kind": "constant", "value": 1, "total_steps": 5, "warmup": {"steps": 3}, "cooldown": {"steps": 2}}, Constant(1.0).warmup(3).cooldown(2, start=3)),
        ({"kind": "constant", "value": 1, "total_steps": 2, "cooldown": {"steps": 2}}, Constant(1.0).cooldown(2, start=0)),
        ({"kind": "cosine", "init_value": 1, "decay_steps": 1e5}, Cosine(init_value=1.0, decay_steps=100_000)),
        ({"kind": "constant", "value": -0.0}, Constant(0.0)),
        ({"kind": "piecewise_constant", "boundaries": (1,), "values": np.array([1, 2])}, PiecewiseConstant(boundaries=[1], values=[1.0, 2.0])),
    ],
)  # fmt: skip
def test_a_table_gives_its_schedule(table: dict[str, Any], schedule: lrcore.Schedule) -> None:
    assert lrcore.from_dict(table) == schedule


def test_reading_leaves_the_table_alone() -> None:
    table = {"kind": "cosine", "init_value": 1, "total_steps": 10, "warmup": {"steps": 3}, "cooldown": {"steps": 1}}
    before = json.dumps(table)
    lrcore.from_dict(table)
    assert json.dumps(table) == before


def test_a_key_names_a_table_inside_a_larger_file(tmp_path: Path) -> None:
    path = tmp_path / "experiment.toml"
    path.write_text(
        'name = "run 7"\n[model]\nkind = "resnet"\n[train.schedule]\nkind = "constant"\nvalue = 0.1\n', encoding="utf-8"
    )
    assert lrcore.load(path, key="train.schedule") == Constant(0.1)
    with pytest.raises(
        ScheduleError, match=r"kind: required; got none; the table 'train.schedule' has one: ask for it by"
    ):
        lrcore.load(path)


def test_a_byte_order_mark_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text('kind = "constant"\nvalue = 0.1\n', encoding="utf-8-sig")
    assert lrcore.load(path) == Constant(0.1)


def test_yaml_may_merge_and_repeat_tables() -> None:
    text = "base: &base {kind: constant, value: 1}\nrun:\n  <<: *base\n  value: 2\n"
    assert lrcore.loads(text, "yaml", key="run") == Constant(2.0)


def test_a_hundred_schedules_inside_one_another_are_read() -> None:
    read = lrcore.from_dict(nested(DEEPEST))
    assert isinstance(read, lrcore.Schedule)
    assert read.depth == DEEPEST


# --- what is wrong in a table -----------------------------------------------------------------------------------------

WRONG = {
    "unknown kind": ({"kind": "cosin", "init_value": 1}, "kind", "got 'cosin'; did you mean 'cosine'?"),
    "capital kind": ({"kind": "Cosine"}, "kind", "did you mean 'cosine'?"),
    "kind is no word": ({"kind": 3}, "kind", "expected one of constant, linear,"),
    "no kind": ({"value": 1}, "kind", "required; got none"),
    "function": ({"kind": "function"}, "kind", "make it with lrcore.Function"),
    "unknown field": ({**COSINE, "init_valu": 1}, "init_valu", "did you mean 'init_value'?"),
    "field of another kind": ({**CONSTANT, "decay_steps": 3}, "decay_steps", "got an unknown field"),
    "own name of a field": ({"kind": "constant", "value": 1, "warmup_": {"steps": 1}}, "warmup_", "did you mean 'warmup'?"),
    "missing field": ({"kind": "cosine", "init_value": 1}, "decay_steps", "required; got none"),
    "text": ({**CONSTANT, "value": "high"}, "value", "expected a finite number; got 'high'"),
    "quoted number": ({**CONSTANT, "value": "0.1"}, "value", "got '0.1'; write the number without quotes"),
    "true": ({**CONSTANT, "value": True}, "value", "expected a finite number; got true"),
    "true steps": ({**COSINE, "decay_steps": True}, "decay_steps", f"{STEPS}; got true"),
    "nothing": ({**CONSTANT, "value": None}, "value", "expected a finite number; got None"),
    "nan": ({**CONSTANT, "value": math.nan}, "value", "expected a finite number; got nan"),
    "inf": ({**COSINE, "end_value": -math.inf}, "end_value", "expected a finite number; got -inf"),
    "too large": ({**CONSTANT, "value": 10**400}, "value", "expected a finite number; got 1000"),
    "negative length": ({**COSINE, "decay_steps": -3}, "decay_steps", f"{STEPS}; got -3"),
    "fractional length": ({**COSINE, "decay_steps": 3.5}, "decay_steps", f"{STEPS}; got 3.5"),
    "endless length": ({**COSINE, "decay_steps": 2**53 + 1}, "decay_steps", STEPS),
    "no power": ({**COSINE, "exponent": 0}, "exponent", "expected a finite number > 0; got 0"),
    "number for a flag": ({"kind": "exponential", "init_value": 1, "decay_rate": 0.5, "staircase": 1}, "staircase", "expected true or false; got 1"),
    "negative rate": (
        {"kind": "exponential", "init_value": 1, "decay_rate": -0.5, "decay_steps": 3},
        "decay_rate", "set staircase, or decay_steps = 1",
    ),
    "no period": ({"kind": "exponential", "init_value": 1, "decay_rate": 0.5, "decay_steps": 0}, "decay_steps", "expected a number > 0"),
    "unsorted boundaries": (
        {"kind": "piecewise_constant", "boundaries": [3, 30, 15], "values": [1, 2, 3, 4]},
        "boundaries[2]", "expected at least 30, as boundaries rise; got 15",
    ),
    "fractional boundary": ({"kind": "piecewise_constant", "boundaries": [1.5], "values": [1, 2]}, "boundaries[0]", f"{STEPS}; got 1.5"),
    "no list": ({"kind": "piecewise_constant", "boundaries": 15, "values": [1, 2]}, "boundaries", "expected a list; got 15"),
    "text in a list": ({"kind": "piecewise_constant", "boundaries": [1], "values": [1, "2"]}, "values[1]", "without quotes"),
    "too many values": ({"kind": "piecewise_constant", "boundaries": [5], "values": [1, 2, 3]}, "values", "expected 2 (one more than boundaries); got 3"),
    "too few values": ({"kind": "interpolate", "boundaries": [5, 6], "values": [1]}, "values", "expected 2 (one for each boundary); got 1"),
    "no knots": ({"kind": "interpolate", "boundaries": [], "values": []}, "boundaries", "expected at least one knot"),
    "geometric from 0": (
        {"kind": "interpolate", "boundaries": [0, 9], "values": [0, 1], "shape": "exponential"},
        "shape", "two values of one sign",
    ),
    "empty join": ({"kind": "join", "schedules": []}, "schedules", "expected at least one schedule; got none"),
    "empty sum": ({"kind": "sum", "schedules": []}, "schedules", "expected at least one schedule; got none"),
    "join of endless parts": ({"kind": "join", "schedules": [CONSTANT, CONSTANT]}, "boundaries", "schedules[0] (constant) has no length"),
    "boundaries of a join": ({"kind": "join", "schedules": [LINEAR, LINEAR], "boundaries": [1, 2]}, "boundaries", "expected 1 (one fewer than schedules); got 2"),
    "one for many": ({"kind": "join", "schedules": LINEAR}, "schedules", "expected a list of schedules; got a table"),
    "many for one": ({"kind": "every", "steps": 2, "schedule": [LINEAR]}, "schedule", "expected a table with a kind"),
    "a name for a schedule": ({"kind": "every", "steps": 2, "schedule": "cosine"}, "schedule", "expected a table with a kind; got 'cosine'"),
    "inside": ({"kind": "sum", "schedules": [CONSTANT, {**LINEAR, "decay_steps": -1}]}, "schedules[1].decay_steps", f"{STEPS}; got -1"),
    "ramp inside": (
        {"kind": "join", "schedules": [{"kind": "every", "steps": 2, "schedule": {**LINEAR, "warmup": {"stps": 1}}}]},
        "schedules[0].schedule.warmup.stps", "did you mean 'steps'?",
    ),
    "no tick": ({"kind": "every", "steps": 0, "schedule": LINEAR}, "steps", "expected an integer >= 1"),
    "endless cycle": ({"kind": "repeat", "schedule": CONSTANT}, "period", "required, since a constant schedule has no length"),
    "cycle of nothing": ({"kind": "repeat", "schedule": {**LINEAR, "decay_steps": 0}}, "period", "at least one update"),
    "shrinking cycles": ({"kind": "repeat", "schedule": LINEAR, "length_factor": 0.5}, "length_factor", "expected a number from 1"),
    "too many cycles": ({"kind": "repeat", "schedule": LINEAR, "length_factor": 1.00001}, "length_factor", "at most 262144 pieces up to step 2**53; got about 2361456"),
    "crossed limits": ({"kind": "clip", "schedule": LINEAR, "min_value": 2, "max_value": 1}, "min_value", "expected at most max_value (1.0); got 2.0"),
    "warmup is no table": ({**CONSTANT, "warmup": 3}, "warmup", "expected a table; got 3"),
    "warmup without steps": ({**CONSTANT, "warmup": {}}, "warmup.steps", "required; got none"),
    "warmup in quotes": ({**CONSTANT, "warmup": {"steps": "5"}}, "warmup.steps", "without quotes"),
    "unknown shape": ({**CONSTANT, "warmup": {"steps": 3, "shape": "linar"}}, "warmup.shape", "did you mean 'linear'?"),
    "geometric warmup from 0": ({**CONSTANT, "warmup": {"steps": 3, "shape": "exponential"}}, "warmup.shape", "two values of one sign"),
    "shape without its power": ({**CONSTANT, "warmup": {"steps": 3, "shape": "power"}}, "warmup.power", "required with shape 'power'"),
    "power without its shape": ({**CONSTANT, "warmup": {"steps": 3, "power": 2}}, "warmup.power", "goes with shape 'power' alone"),
    "cooldown without start": ({**CONSTANT, "cooldown": {"steps": 3}}, "cooldown.start", "required, since the schedule has no end"),
    "too short in all": ({"kind": "cosine", "init_value": 1, "total_steps": 3, "warmup": {"steps": 5}}, "total_steps", "expected at least 5"),
    "no update for a cosine": ({"kind": "cosine", "init_value": 1, "total_steps": 5, "warmup": {"steps": 5}}, "total_steps", "expected more than 5, the steps of warmup, which leave the cosine decay no update; got 5"),
    "no update for a line": ({"kind": "linear", "init_value": 1, "total_steps": 5, "warmup": {"steps": 3}, "cooldown": {"steps": 2}}, "total_steps", "expected more than 5, the steps of warmup and cooldown, which leave the linear decay no update; got 5"),
    "no update inside": ({"kind": "every", "steps": 9, "schedule": {"kind": "polynomial", "init_value": 1, "total_steps": 4, "cooldown": {"steps": 4}}}, "schedule.total_steps", "expected more than 4, the steps of cooldown"),
    "too short for ramps": ({"kind": "constant", "value": 1, "total_steps": 4, "warmup": {"steps": 3}, "cooldown": {"steps": 2}}, "total_steps", "expected at least 5, the steps of warmup and cooldown; got 4"),
    "both lengths": ({**COSINE, "total_steps": 30}, "total_steps", "expected decay_steps or total_steps; got both"),
    "total of the endless": ({**CONSTANT, "total_steps": 30}, "total_steps", "got a constant schedule with neither"),
    "total in words": ({"kind": "cosine", "init_value": 1, "total_steps": "many"}, "total_steps", "expected a number of updates, or a number and one of updates, epochs, samples, tokens, %; got 'many'"),
    "total in quotes": ({"kind": "cosine", "init_value": 1, "total_steps": "90"}, "total_steps", "without quotes"),
    "number as a name": ({1: 2}, "", "expected names of fields; got 1"),
    "number as a name inside": ({**CONSTANT, "warmup": {1: 2}}, "warmup.1", "got an unknown field"),
    "no table": ([CONSTANT], "", "expected a table with a kind"),
    "nothing at all": (None, "", "expected a table with a kind; got None"),
    "plateau inside": ({"kind": "every", "steps": 2, "schedule": {**LINEAR, "plateau": {}}}, "schedule.plateau", "got an unknown field"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_table_is_refused_at_its_place(name: str) -> None:
    table, place, rule = WRONG[name]
    error = refusal(lrcore.from_dict, table)
    assert error.where == place
    assert rule in error.problem


def test_a_schedule_deep_inside_a_table_is_not_searched_for() -> None:
    """Four levels are searched: a list of experiments is named, a whole file of another program is not."""
    near = {"a": {"b": {"c": {"d": CONSTANT}}}}
    assert "the table 'a.b.c.d' has one" in refusal(lrcore.from_dict, near).problem
    assert "has one" not in refusal(lrcore.from_dict, {"z": near}).problem


def test_an_error_about_something_else_than_a_table_shows_no_example() -> None:
    assert refusal(lrcore.from_dict, None).problem == "expected a table with a kind; got None"


@pytest.mark.parametrize("name", WRONG)
def test_an_error_about_a_file_names_the_file(name: str, tmp_path: Path) -> None:
    table, place, _ = WRONG[name]
    path = tmp_path / "schedule.json"
    path.write_text(json.dumps(table), encoding="utf-8")
    if name == "number as a name":  # JSON has none
        place = "kind"
    assert refusal(lrcore.load, path).where == ": ".join(part for part in (str(path), place) if part)


@pytest.mark.parametrize("format", ["json", "yaml"])
def test_a_hundred_and_one_inside_one_another_are_too_many(format: str) -> None:  # noqa: A002
    error = refusal(lrcore.loads, json.dumps(nested(DEEPEST + 1)), format)
    assert error.where.startswith("schedule.schedule.")
    assert len(str(error)) < 300
    assert "expected at most 100 schedules inside one another" in error.problem


@pytest.mark.parametrize(
    ("format", "text"), [("json", "[" * 100_000), ("toml", "a = " + "[" * 100_000), ("yaml", "[" * 3000)]
)
def test_nesting_that_is_too_deep_for_a_parser_is_refused_in_words(format: str, text: str) -> None:  # noqa: A002
    assert "inside one another" in refusal(lrcore.loads, text, format).problem


def test_schedules_made_in_python_have_the_same_limit_of_nesting() -> None:
    schedule: lrcore.Schedule = Constant(1.0)
    for _ in range(DEEPEST - 1):
        schedule = Every(schedule, 1)
    assert refusal(Every, schedule, 1).where == "Every"


def test_a_table_that_contains_itself_is_refused() -> None:
    assert "inside one another" in refusal(lrcore.loads, "&a\nkind: sum\nschedules: [*a]", "yaml").problem


# --- what is wrong in a text ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e-4", 3e-4), ("+3E-4", 3e-4), ("1e5", 1e5), ("1.e5", 1e5), (".5", 0.5), ("-.5e+1", -5.0), ("5.", 5.0), ("15e300", 15e300),
        ("1_000", 1000.0), ("1_000.5", 1000.5), ("0x1F", 31.0), ("0o17", 15.0), ("0b101", 5.0), ("-0", 0.0), ("01.5", 1.5),
        ("!!float 3", 3.0), ("!!int 3", 3.0), ("!!float 3e-4", 3e-4), ("!!int 1_0", 10.0),
    ],
)  # fmt: skip
def test_yaml_reads_numbers_as_people_write_them(text: str, value: float) -> None:
    assert lrcore.loads(f"kind: constant\nvalue: {text}", "yaml") == Constant(value)


def test_a_number_with_an_exponent_is_a_length_in_yaml_as_in_toml() -> None:
    text = "kind: cosine\ninit_value: 3e-4\ntotal_steps: 1e5\nwarmup: {steps: 2e3}\n"
    assert lrcore.loads(text, "yaml") == Cosine(init_value=3e-4, decay_steps=98_000).warmup(2_000)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0100", "got '0100'; line 2: YAML 1.1 reads 0100 as 64, YAML 1.2 as 100: write one of them"),
        ("-0_100", "line 2: YAML 1.1 reads -0_100 as -64, YAML 1.2 as -100: write one of them"),
        ("089", "line 2: a number has no leading zero: write 89"),
        ("007", "line 2: a number has no leading zero: write 7"),
        ("1:30", "got '1:30'; line 2: YAML 1.1 reads 1:30 as 90, YAML 1.2 as text: write the number"),
        ("-1:30.5", "line 2: YAML 1.1 reads -1:30.5 as -90.5, YAML 1.2 as text: write the number"),
        ("190:20:30", "YAML 1.1 reads 190:20:30 as 685230,"),
        ("2001-01-01", "got '2001-01-01'"),
        ("2001-99-99", "got '2001-99-99'"),
        ("1__000", "got '1__000'"),
        (".inf", "got inf"),
        ("-.Inf", "got -inf"),
        (".NAN", "got nan"),
        ("yes", "got true; YAML reads yes, no, on and off as true and false: put a text in quotes"),
        ("~", "got None"),
        ("'3e-4'", "got '3e-4'; write the number without quotes"),
        ("'0100'", "got '0100'; write the number without quotes"),
    ],
)
def test_yaml_refuses_a_number_that_it_would_read_as_another(text: str, rule: str) -> None:
    problem = refusal(lrcore.loads, f"kind: constant\nvalue: {text}", "yaml").problem
    assert problem.startswith("expected a finite number; got ")
    assert rule in problem


@pytest.mark.parametrize("text", ["!!int 0100", "!!int 1:30", "!!float 1:30", "!!float x", "!!int 1.5"])
def test_a_yaml_tag_does_not_make_another_number(text: str) -> None:
    assert "expected YAML" in refusal(lrcore.loads, f"kind: constant\nvalue: {text}", "yaml").problem


def test_the_error_for_an_unclear_number_in_a_list_names_its_line() -> None:
    text = "kind: piecewise_constant\nboundaries: [100]\nvalues:\n  - 1\n  - 010\n"
    error = refusal(lrcore.loads, text, "yaml")
    assert error.where == "values[1]"
    assert "line 5: YAML 1.1 reads 010 as 8" in error.problem


def test_times_and_modes_elsewhere_in_a_yaml_file_are_left_alone() -> None:
    text = "start: 12:30:00\nday: 2001-99-99\nmode: 0644\n=: 3\nlr: {kind: constant, value: 3e-4}\n"
    assert lrcore.loads(text, "yaml", key="lr") == Constant(3e-4)


def test_words_for_true_in_yaml_are_true_where_that_is_meant() -> None:
    text = "kind: exponential\ninit_value: 1\ndecay_rate: 0.5\nstaircase: {}\n"
    for word in ("yes", "On", "TRUE", "true"):
        assert lrcore.loads(text.format(word), "yaml") == Exponential(init_value=1.0, decay_rate=0.5, staircase=True)
    text = "kind: constant\nvalue: 1\nplateau: {mode: on}\n"
    assert "expected one of min, max; got true; YAML reads yes" in refusal(lrcore.loads, text, "yaml").problem
    assert "got true; YAML reads yes" in refusal(lrcore.loads, "on: constant", "yaml").problem


def test_a_number_below_one_is_told_how_a_share_is_written() -> None:
    for table in ({**CONSTANT, "warmup": {"steps": 0.1}}, {**COSINE, "decay_steps": 0.1}):
        assert "; for a share of the run write '10%'" in refusal(lrcore.from_dict, table).problem


@pytest.mark.parametrize(
    ("format", "text", "rule"),
    [
        ("toml", "kind = cosine", "expected TOML; got text that is not: Invalid value (at line 1, column"),
        ("toml", 'kind = "constant"\nvalue = 1\nvalue = 2', "expected TOML"),
        ("json", '{"kind":', "expected JSON"),
        ("json", '{"kind": "constant", "value": 1, "value": 2}', "key 'value' is given twice"),
        ("yaml", "kind: [", "expected YAML; got text that is not: while parsing a flow node"),
        ("yaml", "kind: constant\nvalue: 1\nvalue: 2", "key 'value' is given twice"),
        ("yaml", "kind: constant\n? [1]\n: 2", "unhashable key (at line 2"),
        ("yaml", '!!python/object/apply:os.system ["true"]', "could not determine a constructor"),
        ("yaml", "kind: \x07", "expected YAML"),
        ("toml", "  \n", "expected a schedule; got an empty text"),
        ("json", '{"kind": "constant", "value": 1' + "0" * 5000 + "}", "expected JSON"),
    ],
)
def test_a_text_that_is_not_of_its_format_is_refused(format: str, text: str, rule: str) -> None:  # noqa: A002
    assert rule in refusal(lrcore.loads, text, format).problem


def test_a_wrong_format_and_a_text_that_is_no_string_are_refused() -> None:
    assert str(refusal(lrcore.loads, "", "xml")) == "format: expected one of toml, json, yaml, yml; got 'xml'"
    assert refusal(lrcore.loads, "", ["toml"]).where == "format"
    assert refusal(lrcore.dumps, Constant(1.0), "xml").where == "format"
    assert "expected a str; got bytes" in str(refusal(lrcore.loads, b'kind = "constant"'))
    assert "expected a lrcore schedule; got 3" in str(refusal(lrcore.dumps, 3))


# --- what is wrong with a file ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("schedule.toml", "kind = 'constant'".encode("utf-16"), "expected UTF-8 text; got a wrong byte at position 0"),
        ("schedule.toml", b"# caf\xe9", "expected UTF-8 text; got a wrong byte at position 5"),
        ("schedule.toml", b"kind: constant", "expected TOML"),
        ("schedule.toml", b"", "expected a schedule; the file is empty"),
        ("schedule.yml", b"# nothing\n", "expected a table with a kind; got None"),
        (
            "schedule.txt",
            b"kind = 'constant'",
            "expected a file that ends in one of .toml, .json, .yaml, .yml; got '.txt'",
        ),
        ("schedule", b"kind = 'constant'", "got 'no suffix'"),
    ],
)
def test_a_file_that_cannot_be_decoded_is_refused_by_name(name: str, data: bytes, rule: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    error = refusal(lrcore.load, path)
    assert error.where == str(path)
    assert rule in error.problem


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    missing, directory = tmp_path / "missing.toml", tmp_path / "folder.toml"
    directory.mkdir()
    assert str(refusal(lrcore.load, missing)) == f"{missing}: expected a file; there is none"
    assert "expected a file that can be read" in refusal(lrcore.load, directory).problem
    assert "expected a file that can be read" in refusal(lrcore.load, "a\0.toml").problem


@pytest.mark.parametrize(
    ("key", "place", "rule"),
    [
        ("train.schedul", "train.schedul", "found epochs, schedule; did you mean 'schedule'?"),
        ("train.epochs", "train.epochs", "expected a table with a kind; got 3"),
        ("train.epochs.schedule", "train.epochs", "expected a table or a list; got 3"),
        ("train.schedule", "train.schedule.vlue", "did you mean 'value'?"),
    ],
)
def test_a_key_that_leads_nowhere_is_refused_at_its_place(key: str, place: str, rule: str) -> None:
    text = '[train]\nepochs = 3\n[train.schedule]\nkind = "constant"\nvlue = 1\n'
    error = refusal(lrcore.loads, text, key=key)
    assert error.where == place
    assert rule in error.problem


NESTED: dict[str, Any] = {
    "groups": [{"lr": CONSTANT}, {"lr": COSINE}, []],
    "a.b": [{"c[0]": CONSTANT, "": LINEAR, 'say "x"': COSINE, "it's": LINEAR, "é\n": CONSTANT}],
    "7": {"8": CONSTANT},
    "empty": [],
}


@pytest.mark.parametrize("format", ["json", "yaml", "yml"])
@pytest.mark.parametrize(
    ("key", "table"),
    [
        ("groups[1].lr", COSINE),
        ("groups.1.lr", COSINE),
        (["groups", 1, "lr"], COSINE),
        (("groups", "1", "lr"), COSINE),
        ('"a.b"[0]."c[0]"', CONSTANT),
        ("'a.b'.0.'c[0]'", CONSTANT),
        (["a.b", 0, "c[0]"], CONSTANT),
        (["a.b", 0, ""], LINEAR),
        ('"a.b"[0].""', LINEAR),
        ('"a.b"[0].say "x"', COSINE),
        ('"a.b"[0].it\'s', LINEAR),
        (r'"a.b"[0]."\u00e9\n"', CONSTANT),
        ("7.8", CONSTANT),
        (["7", 8], CONSTANT),
        ("[7].8", CONSTANT),
        ([np.str_("groups"), np.int64(1), "lr"], COSINE),
    ],
)
def test_a_key_reaches_into_lists_and_names_with_dots(key: Any, table: dict[str, Any], format: str) -> None:  # noqa: A002
    assert lrcore.loads(json.dumps(NESTED), format, key=key) == lrcore.from_dict(table)


def test_a_key_finds_numbers_that_yaml_has_for_names() -> None:
    text = "groups:\n  0: {kind: constant, value: 1}\n  1: {kind: constant, value: 2}\n"
    assert lrcore.loads(text, "yaml", "groups.1") == lrcore.loads(text, "yaml", ["groups", 1]) == Constant(2.0)


def test_a_key_may_begin_in_a_list() -> None:
    text = json.dumps([LINEAR, {"x": COSINE}])
    assert lrcore.loads(text, "json", "[1].x") == lrcore.loads(text, "json", "1.x") == lrcore.from_dict(COSINE)


def test_a_key_reaches_the_schedules_inside_a_schedule() -> None:
    text = json.dumps({"kind": "sum", "schedules": [LINEAR, {**COSINE, "plateau": {}}]})
    assert lrcore.loads(text, "json", "schedules[1]") == lrcore.from_dict({**COSINE, "plateau": {}})


MALFORMED: list[Any] = [
    *("", ".", ".a", "a.", "a..b", "a[", "a[x]", "a]", "a.[0]", "[0]a", "a[0]b", "a[]", '"a', '"a"b', "'a", "a[1.5]"),
    *([], (), 3, b"a", {"a": 1}),
]


@pytest.mark.parametrize(
    ("key", "place", "rule"),
    [
        ("groups[3]", "groups[3]", "expected an index from 0 to 2; got 3"),
        ("groups.3.lr", "groups[3]", "expected an index from 0 to 2; got 3"),
        ("groups[-1]", "groups[-1]", "expected an index from 0 to 2; got -1"),
        (["groups", -1], "groups[-1]", "expected an index from 0 to 2; got -1"),
        ("groups." + "9" * 5000, "groups[99", "expected an index from 0 to 2; got '999"),
        ("groups.lr", "groups.lr", "expected an index from 0 to 2; got 'lr'"),
        ("groups.\u0663", "groups.\u0663", "expected an index from 0 to 2; got '\u0663'"),
        ("empty[0]", "empty[0]", "expected a list with entries; got 0"),
        ("groups[0].lr.value.x", "groups[0].lr.value", "expected a table or a list; got 1.0"),
        ("groups[0].lr.kind.x", "groups[0].lr.kind", "expected a table or a list; got 'constant'"),
        ("groups", "groups", "expected a table with a kind; got a list; the table 'groups[0].lr' has one: ask for it by that key"),
        ("a", "a", 'expected a table of this name; found groups, "a.b", 7, empty'),
        (["a.b", 0, "c"], '"a.b"[0].c', 'found "c[0]", "", say "x", it\'s, "\\u00e9\\n"'),
        (["a.b", 0, "x.y"], '"a.b"[0]."x.y"', "expected a table of this name"),
        *[(key, "key", "expected the name of a table, as in train.groups[0].schedule, or a list of names and indices; got ")
          for key in MALFORMED],
        (r'"\x"', "key", "expected a name in quotes as JSON writes it"),
        (["a", 1.5], "key[1]", "expected a name or an index; got 1.5"),
        ([True], "key[0]", "expected a name or an index; got true"),
        ([None], "key[0]", "expected a name or an index; got None"),
    ],
)  # fmt: skip
def test_the_error_for_a_wrong_key_names_its_position(key: Any, place: str, rule: str) -> None:
    error = refusal(lrcore.loads, json.dumps(NESTED), "json", key=key)
    assert error.where.startswith(place)
    assert rule in error.problem
    assert len(str(error)) < 300


@pytest.mark.parametrize(
    "key", [["a.b", 0, "c[0]"], ["a.b", 0, 'say "x"'], ["a.b", 0, "é\n"], ["groups", 1, "lr"], ["7", "8"]]
)
def test_the_place_in_an_error_can_be_typed_as_a_key(key: list[str | int]) -> None:
    data = json.loads(json.dumps(NESTED))
    inner = data
    for part in key:
        inner = inner[part]
    inner["wa.rmup"] = {}
    where = refusal(lrcore.loads, json.dumps(data), "json", key).where
    assert refusal(lrcore.loads, json.dumps(data), "json", where).where == f"{where}.kind"
    typed = where.removesuffix('."wa.rmup"')
    assert refusal(lrcore.loads, json.dumps(data), "json", typed).where == where


@given(
    st.lists(st.text(max_size=4) | st.text("a.[]\"'\\0 \n-", max_size=5) | st.integers(0, 2), min_size=1, max_size=4)
)
def test_a_place_of_any_names_can_be_typed_as_a_key(key: list[str | int]) -> None:
    place, data = "", cast("Any", {**CONSTANT, "value": "wrong"})
    for part in key:
        place = f"{place}[{part}]" if isinstance(part, int) else at(place, part)
    for part in reversed(key):
        data = [data] * (part + 1) if isinstance(part, int) else {part: data}
    for given_key in (key, place):
        error = refusal(lrcore.loads, json.dumps(data), "json", given_key)
        assert "expected a finite number; got 'wrong'" in error.problem
        assert error.where == f"{place}.value" or "..." in error.where


def test_a_quoted_name_keeps_its_letters() -> None:
    assert refusal(lrcore.from_dict, {**CONSTANT, "é.x": 1}).where == '"é.x"'


def test_the_key_of_a_hint_can_be_typed() -> None:
    data = {"a.b": {"other": 1, "list": [3, {"x": CONSTANT}]}}
    problem = refusal(lrcore.loads, json.dumps(data), "json").problem
    key = problem.partition("the table '")[2].removesuffix("' has one: ask for it by that key")
    assert key == '"a.b".list[1].x'
    assert lrcore.loads(json.dumps(data), "json", key) == Constant(1.0)
    assert refusal(lrcore.from_dict, data).problem.endswith(" has one: give that one")


class Counted(list[Any]):
    """A list that counts how often it is looked through."""

    looks = 0

    def __iter__(self) -> Iterator[Any]:
        self.looks += 1
        return super().__iter__()


def test_the_search_for_a_hint_sees_each_list_once() -> None:  # YAML may hold one in very many places
    shared = Counted(["x"])
    error = refusal(lrcore.from_dict, {"a": [[shared, shared], shared], "b": shared})
    assert error.problem.startswith("required; got none; known kinds")
    assert shared.looks == 1


# --- what the outermost table says of itself --------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["toml", "json", "yaml"])
def test_a_file_may_say_its_format_and_its_schema(format: str) -> None:  # noqa: A002
    plain = lrcore.from_dict(COSINE)
    text = lrcore.dumps(plain, format)
    lines = {
        "toml": f'"$schema" = "./schedule.schema.json"\nformat = 1\n{text}',
        "json": text.replace("{", '{"$schema": "./schedule.schema.json", "format": 1,', 1),
        "yaml": f"$schema: ./schedule.schema.json\nformat: 1\n{text}",
    }
    read = lrcore.loads(lines[format], format)
    assert read == plain
    assert (read.to_dict(), read.fingerprint) == (COSINE, plain.fingerprint)
    assert lrcore.dumps(read, format) == text


def test_a_plateau_and_a_table_by_key_may_say_them_too() -> None:
    said = {**COSINE, "format": 1, "$schema": "x", "plateau": {"factor": 0.5}}
    plain = lrcore.from_dict({**COSINE, "plateau": {"factor": 0.5}})
    assert lrcore.from_dict(said) == plain
    assert lrcore.from_dict(said).fingerprint == plain.fingerprint
    assert lrcore.loads(json.dumps({"train": said}), "json", "train") == plain
    assert said["format"] == 1


def test_a_larger_file_may_use_the_key_format_for_itself() -> None:
    text = json.dumps({"format": "csv", "$schema": 3, "train": COSINE})
    assert lrcore.loads(text, "json", "train") == lrcore.from_dict(COSINE)
    assert "the table 'train' has one: ask for it by that key" in refusal(lrcore.loads, text, "json").problem


@pytest.mark.parametrize("table", [COSINE, {"kind": "of_the_future", "x": 1}, {"x": 1}, {**COSINE, "vlue": 1}])
def test_a_newer_format_is_reported_before_any_other_error(table: dict[str, Any]) -> None:
    error = refusal(lrcore.from_dict, {**table, "format": 2})
    assert str(error) == (
        "format: expected 1; got a schedule that is written for lrcore format 2; install a newer lrcore"
    )
    assert refusal(lrcore.loads, json.dumps({"a": {**COSINE, "format": 3}}), "json", "a").where == "a.format"


@pytest.mark.parametrize("number", ["1", "2", 1.0, 2.0, 0, -1, True, False, None, [1], {}])
def test_a_format_other_than_1_is_refused(number: Any) -> None:
    error = refusal(lrcore.from_dict, {**COSINE, "format": number})
    assert str(error).startswith("format: expected 1, the format of schedules; got ")


def test_a_schema_is_a_text() -> None:
    assert refusal(lrcore.from_dict, {**COSINE, "$schema": {}}).where == "$schema"


@pytest.mark.parametrize("name", ["format", "$schema"])
def test_format_and_schema_are_refused_in_inner_schedules(name: str) -> None:
    error = refusal(lrcore.from_dict, {"kind": "every", "steps": 2, "schedule": {**COSINE, name: 1}})
    assert error.where == f"schedule.{name}"
    assert "got an unknown field" in error.problem


def test_yml_is_yaml() -> None:
    assert lrcore.loads("kind: constant\nvalue: 0.1", format="yml") == Constant(0.1)
    assert lrcore.dumps(Constant(0.1), "yml") == lrcore.dumps(Constant(0.1), "yaml")
    assert "YAML" in refusal(lrcore.loads, "kind: [", "yml").problem


def test_without_pyyaml_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    for call in (lambda: lrcore.loads("kind: constant", "yaml"), lambda: lrcore.dumps(Constant(1.0), "yaml")):
        with pytest.raises(lrcore.MissingExtraError, match=r'run: pip install "lrcore\[yaml\]"'):
            call()


# --- what is wrong in Python ------------------------------------------------------------------------------------------

UNTYPED: Any = lrcore  # what a type checker would refuse before

BY_HAND = {
    "text": (lambda: UNTYPED.Constant("a"), "Constant.value"),
    "complex": (lambda: UNTYPED.Constant(1j), "Constant.value"),
    "boolean of numpy": (lambda: UNTYPED.Constant(np.bool_(True)), "Constant.value"),
    "nan of numpy": (lambda: UNTYPED.Constant(np.float32("nan")), "Constant.value"),
    "half a step": (lambda: UNTYPED.Cosine(init_value=1.0, decay_steps=0.5), "Cosine.decay_steps"),
    "negative rate": (lambda: UNTYPED.Exponential(init_value=1.0, decay_rate=-1.0, decay_steps=2), "Exponential.decay_rate"),
    "unsorted": (lambda: UNTYPED.Interpolate(boundaries=[2, 1], values=[1, 2]), "Interpolate.boundaries[1]"),
    "geometric": (lambda: UNTYPED.Interpolate(boundaries=[1, 2], values=[0, 2], shape="exponential"), "Interpolate.shape"),
    "empty": (lambda: UNTYPED.Join([]), "Join.schedules"),
    "one for many": (lambda: UNTYPED.Sum(Constant(1.0)), "Sum.schedules"),
    "function for schedule": (lambda: UNTYPED.Every(lambda step: 1.0, 3), "Every.schedule"),
    "crossed": (lambda: UNTYPED.Clip(Constant(1.0), min_value=2, max_value=1), "Clip.min_value"),
    "endless cycle": (lambda: UNTYPED.Repeat(Constant(1.0)), "Repeat.period"),
    "warmup": (lambda: UNTYPED.Constant(1.0).warmup(-1), "Warmup.steps"),
    "geometric warmup": (lambda: UNTYPED.Constant(1.0).warmup(3, shape="exponential"), "Constant.warmup.shape"),
    "endless cooldown": (lambda: UNTYPED.Constant(1.0).cooldown(3), "Constant.cooldown.start"),
    "factor": (lambda: UNTYPED.Constant(1.0) * True, "schedule * factor"),
    "no function": (lambda: UNTYPED.Function(3), "Function.function"),
    "a class": (lambda: UNTYPED.adapting.as_schedule(dict), "schedule"),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_HAND)
def test_a_wrong_call_is_refused_by_the_name_of_the_argument(name: str) -> None:
    make, place = BY_HAND[name]
    assert refusal(make).where == place


def test_numbers_of_every_library_are_numbers() -> None:
    numbers: list[Any] = [np.float32(0.5), np.float64(0.5), Decimal("0.5"), Fraction(1, 2), np.array(0.5)]
    assert {Constant(number) for number in numbers} == {Constant(0.5)}
    assert all(type(Constant(number).value) is float for number in [*numbers, 1, np.int64(1)])
    counts: list[Any] = [3, np.int8(3), np.uint64(3), 3.0]
    assert {Linear(init_value=1, decay_steps=count).decay_steps for count in counts} == {3}


def test_an_argument_of_no_such_name_gets_the_nearest() -> None:
    misspelt: dict[str, Any] = {"init_value": 1.0, "decay_step": 3}
    with pytest.raises(TypeError, match=r"^Cosine: .* got 'decay_step'; did you mean 'decay_steps'\?$"):
        Cosine(**misspelt)


@pytest.mark.parametrize("step", [1.0, -1, True, "1", None, np.float64(1)])
def test_a_step_is_an_integer_from_0_on(step: Any) -> None:
    assert refusal(Constant(1.0), step).where == "step"


@pytest.mark.parametrize("steps", [[1.5], [-1], [True], ["1"], np.array([2**63], np.uint64)])
def test_steps_are_integers_from_0_on(steps: Any) -> None:
    assert refusal(Constant(1.0).values, steps).where == "Constant.values"


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, True, 1j, 10**400])
def test_a_function_that_gives_no_number_is_named_with_the_step(value: Any) -> None:
    def broken(step: int) -> Any:
        return value if step == 7 else 0.5

    for asked, steps in ((Function(broken), 7), (Function(broken).values, [6, 7, 8])):
        error = refusal(asked, steps)
        assert error.where == "Function(test_a_function_that_gives_no_number_is_named_with_the_step.<locals>.broken)"
        assert "expected a finite number at step 7; got " in error.problem


def test_a_function_may_give_any_kind_of_number() -> None:
    given: list[Any] = [1, np.float32(0.5), np.int64(2), 0.25]
    assert Function(lambda step: given[step]).values(range(4)).tolist() == [1.0, 0.5, 2.0, 0.25]


def test_a_function_cannot_be_written() -> None:
    for schedule in (Function(math.sqrt), Every(Function(math.sqrt), 3).warmup(2)):
        for write in (schedule.to_dict, lambda: lrcore.dumps(schedule), lambda: schedule.fingerprint):  # noqa: B023
            assert "a Python function cannot be written to a file" in refusal(write).problem


def test_total_steps_and_a_cooldown_that_ends_elsewhere_contradict_one_another() -> None:
    text = 'kind="cosine"\ninit_value=1\ntotal_steps=1000\n[cooldown]\nstart=800\nsteps=100'
    with pytest.raises(ScheduleError, match=r"total_steps: expected 900, where the cooldown ends.*; got 1000"):
        lrcore.loads(text)
    read = lrcore.loads(text.replace("800", "900"))
    assert isinstance(read, lrcore.Schedule)
    assert read.length == 1000


@pytest.mark.parametrize("text", ["kind: constant\nvalue: !!bool foo", '!!int ""'])
def test_yaml_tags_that_do_not_fit_are_one_line(text: str) -> None:
    with pytest.raises(ScheduleError, match="expected YAML; got text that is not"):
        lrcore.loads(text, "yaml")


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_text_that_is_no_finite_number_gets_no_wrong_advice(value: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        lrcore.loads(f"kind: constant\nvalue: {value}", "yaml")
    assert str(caught.value) == f"value: expected a finite number; got '{value}'"
