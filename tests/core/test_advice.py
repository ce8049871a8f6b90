"""What an error in a file advises: where a word belongs, and the right form in the file's own syntax."""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

import numpy as np
import pytest
import tomli_w
import yaml

import lrcore
from lrcore.files.placement import BESIDE, fields_of
from tests.kinds import KINDS as EXAMPLES

FORMATS = ("toml", "json", "yaml", "dict")
PLAIN: dict[str, dict[str, Any]] = {
    name: one.to_dict()
    for name, one in EXAMPLES.items()
    if name in {"cosine", "exponential", "constant", "polynomial", "every"}
}
TABLES: dict[str, dict[str, Any]] = {
    "warmup": {"steps": 3},
    "cooldown": {"steps": 3, "start": 50},
    "plateau": {"patience": 3},
}
MOVED_OUT = {
    "toml": "move it out of {0}, for in TOML a key below [{0}] belongs to {0}",
    "json": "move it out of the braces of {0}",
    "yaml": "move it out of {0}: indent it no deeper than {1}",
    "dict": "move it out of {0}",
}
MOVED_IN = {
    "toml": "write it below [{0}]",
    "json": "write it within the braces of {0}",
    "yaml": "indent it below {1}",
    "dict": "write it in {0}",
}


def text_of(plain: dict[str, Any], format: str) -> str:  # noqa: A002 - the word users know
    if format == "toml":
        return tomli_w.dumps(plain)
    return json.dumps(plain) if format == "json" else yaml.safe_dump(plain)


def read(plain: dict[str, Any], format: str, key: str | None = None) -> Any:  # noqa: A002
    return lrcore.from_dict(plain) if format == "dict" else lrcore.loads(text_of(plain, format), format, key=key)


def refusal(plain: dict[str, Any], format: str, key: str | None = None) -> lrcore.ScheduleError:  # noqa: A002
    with pytest.raises(lrcore.ScheduleError) as caught:
        read(plain, format, key)
    assert "\n" not in str(caught.value)
    return caught.value


def way(forms: dict[str, str], format: str, path: str) -> str:  # noqa: A002
    return forms[format].format(path, path.rpartition(".")[2])


# --- a key in the wrong table -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("kind", "table"), list(itertools.product(PLAIN, TABLES)))
def test_every_field_under_the_header_of_another_table_is_told_the_way_out(kind: str, table: str, format: str) -> None:  # noqa: A002
    right = {**PLAIN[kind], table: TABLES[table]}
    read(right, format)
    for field in PLAIN[kind]:
        if field in TABLES or field in fields_of(BESIDE[table]):
            continue
        wrong = {name: value for name, value in right.items() if name != field}
        wrong[table] = {**TABLES[table], field: right[field]}
        error = refusal(wrong, format)
        assert error.where in {f"{table}.{field}", field}
        assert error.problem.endswith(way(MOVED_OUT, format, table))


@pytest.mark.parametrize("format", FORMATS)
def test_a_required_field_that_stands_in_an_inner_table_is_told_where_it_belongs(format: str) -> None:  # noqa: A002
    wrong = {"kind": "cosine", "decay_steps": 100, "warmup": {"steps": 3, "init_value": 0.1}}
    error = refusal(wrong, format)
    assert error.where == "init_value"
    assert error.problem == f"required; got none; it stands in warmup: {way(MOVED_OUT, format, 'warmup')}"
    alone = refusal({"kind": "cosine", "decay_steps": 100, "warmup": {"steps": 3}}, format)
    assert alone.problem == "required; got none"


@pytest.mark.parametrize("format", FORMATS)
def test_a_field_that_stands_outside_its_table_is_told_the_table(format: str) -> None:  # noqa: A002
    error = refusal({"kind": "constant", "value": 1, "steps": 3, "warmup": {"init_value": 0.5}}, format)
    assert error.where == "warmup.steps"
    assert error.problem.endswith(f"it stands in the outermost table: {way(MOVED_IN, format, 'warmup')}")
    error = refusal({"kind": "constant", "value": 1, "patience": 3, "plateau": {"factor": 0.5}}, format)
    assert error.problem.endswith(f"patience is a field of plateau: {way(MOVED_IN, format, 'plateau')}")


@pytest.mark.parametrize("format", FORMATS)
def test_a_field_in_the_wrong_one_of_two_schedules_is_told_the_right_one(format: str) -> None:  # noqa: A002
    inner = {"kind": "cosine", "init_value": 0.1, "decay_steps": 10}
    error = refusal({"kind": "repeat", "schedule": {**inner, "length_factor": 2}}, format)
    assert error.where == "schedule.length_factor"
    assert error.problem.endswith(
        f"length_factor is a field of the outermost table: {way(MOVED_OUT, format, 'schedule')}"
    )
    outside = {"kind": "repeat", "exponent": 2, "schedule": inner}
    assert refusal(outside, format).problem.endswith(
        f"exponent is a field of schedule: {way(MOVED_IN, format, 'schedule')}"
    )
    ticks = {"kind": "every", "schedule": {**inner, "steps": 2}}
    problem = refusal(ticks, format).problem
    assert problem == f"required; got none; it stands in schedule: {way(MOVED_OUT, format, 'schedule')}"


def test_a_field_that_its_table_must_have_is_not_taken_from_it() -> None:
    ticks = {"kind": "every", "schedule": PLAIN["constant"], "warmup": {"steps": 3}}
    assert refusal(ticks, "toml").problem == "required; got none"
    twice = {**PLAIN["constant"], "steps": 3, "warmup": {"steps": 5}}
    assert "write it below [warmup]" not in refusal(twice, "toml").problem


def test_the_nearest_table_that_may_have_a_field_is_named() -> None:
    inner = {"kind": "cosine", "init_value": 0.1, "decay_steps": 10, "length_factor": 2}
    twice = {"kind": "repeat", "schedule": {"kind": "repeat", "schedule": inner}}
    assert "length_factor is a field of schedule: move it out of schedule.schedule" in refusal(twice, "dict").problem
    between = {"kind": "shift", "steps": 1, "mirror": True, "schedule": {"kind": "repeat", "schedule": PLAIN["cosine"]}}
    outer = {"kind": "repeat", "schedule": between}
    assert "mirror is a field of the outermost table: move it out of schedule" in refusal(outer, "dict").problem


def test_a_key_below_the_header_of_a_list_belongs_to_its_last_table() -> None:
    ends = {"kind": "constant", "value": 1, "boundaries": [3]}
    problem = refusal({"kind": "join", "schedules": [PLAIN["cosine"], ends]}, "toml").problem
    assert problem.endswith(
        "move it out of schedules[1], for in TOML a key below [[schedules]] belongs to schedules[1]"
    )


@pytest.mark.parametrize("format", ["toml", "json", "yaml"])
def test_places_inside_a_list_and_below_a_key_are_written_out(format: str) -> None:  # noqa: A002
    linear = {"kind": "linear", "init_value": 1, "warmup": {"steps": 3, "decay_steps": 10}}
    plain = {
        "train": {"lr": {"kind": "join", "schedules": [{"kind": "constant", "value": 1}, linear], "boundaries": [3]}}
    }
    error = refusal(plain, format, key="train.lr")
    assert error.where == "train.lr.schedules[1].warmup.decay_steps"
    header = {
        "toml": "[train.lr.schedules.warmup]",
        "json": "the braces of train.lr.schedules[1].warmup",
        "yaml": "than warmup",
    }
    assert header[format] in error.problem


@pytest.mark.parametrize("table", TABLES)
def test_a_kind_below_the_header_of_a_ramp_is_told_to_move_out(table: str) -> None:
    text = f'[{table}]\nkind = "constant"\nvalue = 0.1\n'
    with pytest.raises(
        lrcore.ScheduleError, match=f"kind: .*(it stands in {table}|kind is a field of .*): move it out of {table}, "
    ):
        lrcore.loads(text)


def test_another_word_for_kind_is_told_to_be_kind() -> None:
    problem = refusal({"type": "cosine", "init_value": 1, "decay_steps": 3}, "json").problem
    assert problem == "required; got none; type = 'cosine' seems to name it: write kind in the place of type"
    problem = refusal({"_target_": "StepLR"}, "dict").problem
    assert "write kind in the place of _target_; StepLR is kind `exponential` with" in problem
    assert "known kinds: constant," in refusal({"name": "run 7"}, "dict").problem


def test_a_field_of_other_kinds_is_told_which_kinds_have_it() -> None:
    assert (
        "staircase is a field of exponential, inverse_time, not of cosine"
        in refusal({**PLAIN["cosine"], "staircase": True}, "toml").problem
    )
    assert (
        "start is a field of cooldown: write cooldown = {start = 5}"
        in refusal({**PLAIN["constant"], "start": 5}, "toml").problem
    )
    assert 'write "warmup": {"steps": 50}' in refusal({**PLAIN["constant"], "warmup_steps": 50}, "json").problem


def test_a_table_that_contains_itself_many_times_is_looked_at_once() -> None:
    text = "&a\nkind: sum\nschedules: [{kind: every, schedule: {kind: constant, value: 1}}, *a, *a, *a]"
    with pytest.raises(lrcore.ScheduleError, match=r"schedules\[0\]\.steps: required"):
        lrcore.loads(text, "yaml")


# --- no table where one is meant --------------------------------------------------------------------------------------

NO_TABLE: dict[str, tuple[str, Any, Any]] = {
    "steps": ("warmup", 500, {"steps": 500}),
    "whole float": ("warmup", 5.0, {"steps": 5}),
    "steps as text": ("warmup", "500", {"steps": 500}),
    "share": ("warmup", 0.1, {"steps": 100}),
    "shape": ("warmup", "cosine", {"steps": 100, "shape": "cosine"}),
    "true": ("warmup", True, {"steps": 100}),
    "list": ("warmup", [1], {"steps": 100}),
    "word": ("warmup", "long", {"steps": 100}),
    "cooldown": ("cooldown", 30, {"steps": 30}),
    "patience": ("plateau", 7, {"factor": 0.1, "patience": 7}),
    "factor": ("plateau", 0.5, {"factor": 0.5, "patience": 10}),
    "mode": ("plateau", "max", {"factor": 0.1, "patience": 10, "mode": "max"}),
    "plateau": ("plateau", True, {"factor": 0.1, "patience": 10}),
}


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", NO_TABLE)
def test_the_error_for_a_number_in_place_of_a_table_shows_the_table(name: str, format: str) -> None:  # noqa: A002
    field, value, table = NO_TABLE[name]
    base = {"kind": "cosine", "init_value": 0.1, "total_steps": 1000}
    error = refusal({**base, field: value}, format)
    assert error.where == field
    assert f"expected a table; got {str(value).lower() if value is True else repr(value)}; write " in error.problem
    assert shown(error.problem, format) == {field: table}
    read({**base, field: table}, format)


def shown(problem: str, format: str) -> Any:  # noqa: A002
    """The example in an error, read as a file of its format."""
    text = re.split(", with steps", problem.rpartition("; write ")[2])[0]
    if format == "toml":
        return tomllib_loads(text)
    return (
        json.loads(f"{{{text}}}") if format == "json" else yaml.safe_load(text if format == "yaml" else f"{{{text}}}")
    )


def tomllib_loads(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


def test_the_error_for_a_share_gives_the_steps_if_the_total_is_known() -> None:
    problem = refusal({"kind": "cosine", "init_value": 1, "total_steps": 3000, "warmup": 0.1}, "toml").problem
    assert problem.endswith("write warmup = {steps = 300}, with steps in updates: 0.1 times those of the run")
    problem = refusal({"kind": "cosine", "init_value": 1, "decay_steps": 3000, "warmup": 0.1}, "toml").problem
    assert problem.endswith(", with steps in updates: 0.1 times those of the run")


@pytest.mark.parametrize("format", FORMATS)
def test_the_error_for_a_cooldown_without_a_start_shows_one(format: str) -> None:  # noqa: A002
    error = refusal({"kind": "constant", "value": 1, "cooldown": 30}, format)
    table = shown(error.problem, format)
    assert table == {"cooldown": {"start": 1000, "steps": 30}}
    assert read({"kind": "constant", "value": 1, **table}, format).length == 1030


@pytest.mark.parametrize(
    ("name", "value"),
    [*itertools.product(("warmup", "cooldown"), (False, 0, "0", None)), ("plateau", False), ("plateau", None)],
)
def test_an_empty_value_for_a_table_is_told_to_be_left_out(name: str, value: Any) -> None:
    assert refusal({**PLAIN["constant"], name: value}, "dict").problem.endswith(f"; leave it out for no {name}")


def test_an_array_is_not_taken_for_a_table() -> None:
    for name in TABLES:
        assert "expected a table; got array" in refusal({**PLAIN["constant"], name: np.arange(3)}, "dict").problem


def test_yaml_fields_that_are_not_indented_below_their_table_are_told_so() -> None:
    with pytest.raises(lrcore.ScheduleError) as caught:
        lrcore.loads("kind: constant\nvalue: 1\nwarmup:\nsteps: 500\n", "yaml")
    assert caught.value.problem == "expected a table; got None; its fields stand beside it: write warmup: {steps: 500}"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    "kind",
    ["constant", "linear", "polynomial", "cosine", "exponential", "inverse_time", "piecewise_constant", "interpolate"],
)
def test_the_error_for_a_name_in_place_of_a_schedule_shows_the_schedule(kind: str, format: str) -> None:  # noqa: A002
    problem = refusal({"kind": "shift", "steps": 1, "schedule": kind}, format).problem
    table = shown(problem, format)
    assert table["schedule"]["kind"] == kind
    read({"kind": "shift", "steps": 1, **table}, format)


@pytest.mark.parametrize("format", FORMATS)
def test_the_error_for_a_schedule_in_place_of_a_list_shows_the_list(format: str) -> None:  # noqa: A002
    one = {"kind": "constant", "value": 0.5}
    table = shown(refusal({"kind": "sum", "schedules": one}, format).problem, format)
    assert table == {"schedules": [one]}
    table = shown(refusal({"kind": "sum", "schedules": "linear"}, format).problem, format)
    read({"kind": "sum", **table}, format)
    long = {"kind": "piecewise_constant", "boundaries": list(range(50)), "values": [0.1] * 51}
    assert len(refusal({"kind": "sum", "schedules": long}, format).problem) < 300


def test_a_list_for_a_schedule_and_a_name_in_a_list_are_told_what_to_write() -> None:
    problem = refusal({"kind": "every", "steps": 2, "schedule": [PLAIN["constant"]]}, "toml").problem
    assert "several schedules are the `schedules` of kind 'join', 'sum' or 'product'" in problem
    error = refusal({"kind": "sum", "schedules": ["linear"]}, "toml")
    assert error.where == "schedules[0]"
    assert error.problem.endswith('; write {kind = "linear", init_value = 0.1, decay_steps = 1000}')
    assert refusal({"kind": "sum", "schedules": [0.5]}, "toml").problem.endswith(
        'write {kind = "constant", value = 0.5}'
    )


# --- what is long or strange ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("value", ["x" * 5000, list(range(500)), "two\nlines", {"a": {"b": [1, {"c": 2}]}}])
def test_an_error_stays_one_short_line_whatever_was_given(value: Any, format: str) -> None:  # noqa: A002
    for field in ("warmup_steps", "start", "warmup", "cooldown", "plateau", "lr", "schedule"):
        assert len(str(refusal({**PLAIN["constant"], field: value}, format))) < 700
    for field in ("schedule", "schedules"):
        assert len(str(refusal({"kind": "join", field: value}, format))) < 700


@pytest.mark.parametrize("word", ["lr\n", "T_max\x1b[31m", "typ\ne", "l" * 10**5, "", " ", "\N{SNOWMAN}", "a.b"])
def test_a_strange_name_of_a_field_stays_in_one_line(word: str) -> None:
    assert refusal({**PLAIN["cosine"], word: 1}, "json").problem.isprintable()
    assert refusal({word: "cosine"}, "json").problem.isprintable()
    assert refusal({**PLAIN["constant"], "start": np.zeros((3, 3))}, "dict").problem.isprintable()


@pytest.mark.parametrize("format", ["toml", "json", "dict"])
def test_the_words_that_yaml_reads_as_true_are_explained_for_yaml_alone(format: str) -> None:  # noqa: A002
    assert refusal({"kind": "constant", "value": True}, format).problem == "expected a finite number; got true"
