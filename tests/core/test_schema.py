"""The committed JSON Schema is that of the kinds, and agrees with what is read; run as a script, this file writes it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft7Validator

import lrcore
from lrcore.files.reference import TABLES, fields, summary
from lrcore.files.schema import schema
from lrcore.schedules.kinds import KINDS
from tests import recorded
from tests.core.test_config import CONSTANT, COSINE, LINEAR, WRONG
from tests.seeds import BOOK, MXNET, TORCH
from tests.strategies import schedules

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "lrcore" / "schedule.schema.json"
VALIDATOR: Any = Draft7Validator(schema())

# What one field alone cannot show.
FOR_LRCORE = {
    "nan",
    "inf",
    "too large",
    "negative rate",
    "unsorted boundaries",
    "too many values",
    "too few values",
    "no knots",
    "geometric from 0",
    "no update for a cosine",
    "no update for a line",
    "no update inside",
    "too short for ramps",
    "empty join",
    "no knots of a clock",
    "a clock that runs back",
    "two knots at one update",
    "too few times",
    "a time too small",
    "a cooldown by a clock that stands still",
    "empty sum",
    "join of endless parts",
    "boundaries of a join",
    "endless cycle",
    "cycle of nothing",
    "too many cycles",
    "crossed limits",
    "geometric warmup from 0",
    "shape without its power",
    "power without its shape",
    "cooldown without start",
    "too short in all",
}
NOT_JSON = {"number as a name"}


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def is_valid(plain: Any) -> bool:
    return bool(VALIDATOR.is_valid(plain))


def test_the_schema_is_a_valid_json_schema() -> None:
    Draft7Validator.check_schema(schema())


def test_the_committed_schema_is_up_to_date() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text(), "run: python -m tests.core.test_schema"


def test_every_kind_is_in_the_schema() -> None:
    assert schema()["definitions"]["any_kind"]["properties"]["kind"]["enum"] == list(KINDS)
    assert set(schema()["definitions"]) == {"any_kind", "schedule", *TABLES}


@pytest.mark.parametrize("table", TABLES)
def test_every_field_is_told_apart_from_its_type(table: str) -> None:
    described = [one for one in schema()["definitions"][table]["properties"].items() if one[0] in names(table)]
    assert [name for name, _ in described] == [field.name for field in fields(table)]
    for name, property_ in described:
        assert len(property_["description"].split()) > 1, name
        assert property_["description"] not in {field.type for field in fields(table)}
    assert schema()["definitions"][table]["description"] == summary(table)


def names(table: str) -> set[str]:
    return {field.name for field in fields(table)}


def test_the_fields_of_a_table_say_what_a_file_may_hold() -> None:
    steps, init_value, *_ = fields("warmup")
    assert steps[:6] == (
        "steps", "an integer >= 0 (optimizer updates, at most 2**53)", "updates", True, None,
        "length in updates; 0 is no warmup, whatever the other arguments: the schedule itself.",
    )  # fmt: skip
    assert init_value[:6] == ("init_value", "a finite number", "", False, 0.0, "value at step 0.")
    units = {field.name: field.unit for field in fields("plateau") if field.unit}
    assert units == {"patience": "reports", "cooldown": "reports", "accumulate": "metrics"}
    assert [field.unit for field in fields("join")] == ["", "updates", "", "", "updates"]


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.toml")), ids=lambda path: path.name)
def test_the_examples_are_valid(path: Path) -> None:
    assert is_valid(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("seed", [*BOOK, *MXNET, *TORCH], ids=lambda seed: seed.call)
def test_the_seeds_are_valid(seed: Any) -> None:
    assert is_valid(tomllib.loads(dedent(seed.toml)))


@given(schedules())
def test_whatever_lrcore_writes_is_valid(schedule: lrcore.Schedule) -> None:
    assert is_valid(json.loads(lrcore.dumps(schedule, "json")))


@pytest.mark.parametrize("name", [name for name in WRONG if name not in FOR_LRCORE | NOT_JSON])
def test_whatever_lrcore_refuses_is_not_valid(name: str) -> None:
    table, _, _ = WRONG[name]
    assert not is_valid(table)


@pytest.mark.parametrize("name", sorted(FOR_LRCORE))
def test_conditions_between_fields_are_left_to_lrcore(name: str) -> None:
    table, _, _ = WRONG[name]
    assert is_valid(table)


@pytest.mark.parametrize(
    "table",
    [
        {"kind": "cosine", "init_value": 1, "total_steps": 10},
        {"kind": "constant", "value": 1, "total_steps": 10, "cooldown": {"steps": 2}},
        {**COSINE, "plateau": {"factor": 0.5}},
        {**COSINE, "format": 1, "$schema": "./schedule.schema.json"},
        {"kind": "every", "steps": 3, "schedule": LINEAR, "warmup": {"steps": 1}},
    ],
)
def test_the_optional_keys_of_a_file_are_valid(table: dict[str, Any]) -> None:
    assert is_valid(table)
    lrcore.from_dict(table)


# --- one word is wrong ------------------------------------------------------------------------------------------------

VALUES = [3, 0.5, -1, "x", True, [1.5], {}, ["x"]]
LEAST: dict[str, dict[str, Any]] = {path.stem: recorded.plain(path) for path in recorded.FILES if path.stem in KINDS}
"""The least that each kind takes: tests/data/files/<kind>.toml."""
RAMPS = {"warmup": {"steps": 1}, "cooldown": {"steps": 1, "start": 9}}

WRAPPED: dict[str, tuple[Callable[[Any], Any], list[str | int]]] = {
    "at the top": (lambda table: table, []),
    "in a schedule": (lambda table: {"kind": "shift", "schedule": table, "steps": 1}, ["schedule"]),
    "in a list": (lambda table: {"kind": "sum", "schedules": [LINEAR, table]}, ["schedules", 1]),
    "deep": (
        lambda table: {"kind": "every", "steps": 2, "schedule": {"kind": "product", "schedules": [table]}},
        ["schedule", "schedules", 0],
    ),
}


def marks(table: Any) -> set[tuple[str | int, ...]]:
    """The places that an editor marks. No error may be nested, because an editor could not mark one place for it."""
    errors = list(VALIDATOR.iter_errors(table))
    assert not any(error.context for error in errors)
    return {tuple(error.absolute_path) for error in errors}


def test_the_shortest_file_of_each_kind_is_valid() -> None:
    for table in LEAST.values():
        assert is_valid({**table, **RAMPS, "plateau": {}})


@pytest.mark.parametrize("kind", LEAST)
def test_a_wrong_value_is_marked_where_it_stands_and_nowhere_else(kind: str) -> None:
    wrap, path = WRAPPED["deep"]
    for field in fields(kind)[:-1]:  # total_steps depends on the others
        for value in VALUES:
            found = marks(wrap({**LEAST[kind], field.name: value}))
            assert all(place[: len(path) + 1] == (*path, field.name) for place in found)


@pytest.mark.parametrize("ramp", RAMPS)
def test_a_wrong_value_of_a_ramp_is_marked_there(ramp: str) -> None:
    wrap, path = WRAPPED["in a list"]
    for field in fields(ramp):
        for value in VALUES:
            found = marks(wrap({**CONSTANT, **RAMPS, ramp: {**RAMPS[ramp], field.name: value}}))
            assert all(place[: len(path) + 2] == (*path, ramp, field.name) for place in found)
            assert bool(found) == is_refused({**CONSTANT, **RAMPS, ramp: {**RAMPS[ramp], field.name: value}})


def is_refused(table: dict[str, Any]) -> bool:
    try:
        lrcore.from_dict(table)
    except lrcore.ScheduleError as error:
        return not re.search("required with shape|goes with shape|two values of one sign", error.problem)
    return False


@pytest.mark.parametrize("where", WRAPPED)
@pytest.mark.parametrize("kind", LEAST)
def test_one_mistake_is_one_error(kind: str, where: str) -> None:
    wrap, path = WRAPPED[where]
    least = {**LEAST[kind], **RAMPS}
    mistakes: list[tuple[dict[str, Any], list[str], str]] = [
        ({**least, "kind": "cosin"}, ["kind"], "'cosin' is not one of"),
        ({**least, "kind": 3}, ["kind"], "3 is not one of"),
        ({name: value for name, value in least.items() if name != "kind"}, [], "'kind' is a required property"),
        ({**least, "no_such": 1}, ["no_such"], "1 should not be valid"),
        ({**least, "warmup": {"step": 1, "steps": 1}}, ["warmup", "step"], "1 should not be valid"),
        ({**least, "warmup": {"steps": 1, "shape": "line"}}, ["warmup", "shape"], "'line' is not one of"),
        ({**least, "cooldown": {}}, ["cooldown"], "'steps' is a required property"),
        ({**least, "cooldown": {"steps": 1, "start": -1}}, ["cooldown", "start"], "-1 is less than the minimum of 0"),
        ({**least, "warmup": 3}, ["warmup"], "3 is not of type 'object'"),
    ]
    mistakes += [
        ({other: value for other, value in least.items() if other != name}, [], f"'{name}' is a required property")
        for name in LEAST[kind]
        if name != "kind"
    ]
    for table, place, words in mistakes:
        [error] = VALIDATOR.iter_errors(wrap(table))
        assert [*error.absolute_path] == [*path, *place]
        assert words in error.message
        with pytest.raises(lrcore.ScheduleError):
            lrcore.from_dict(wrap(table))


@pytest.mark.parametrize(
    ("table", "place"),
    [
        (3, []),
        ([LINEAR], []),
        ({**COSINE, "plateau": {"patience": 1.5}}, ["plateau", "patience"]),
        ({**COSINE, "plateau": {"mode": "mni"}}, ["plateau", "mode"]),
        ({**COSINE, "plateau": {"patiance": 1}}, ["plateau", "patiance"]),
        ({**COSINE, "plateau": {"cooldown": {}}}, ["plateau", "cooldown"]),
        ({**COSINE, "total_steps": 30}, ["decay_steps"]),
        ({"kind": "cosine", "init_value": 1.0, "total_steps": "x"}, ["total_steps"]),
        ({**CONSTANT, "total_steps": 30}, []),
        ({**CONSTANT, "total_steps": 30, "cooldown": {"steps": 2, "start": 9}}, ["cooldown", "start"]),
        ({**COSINE, "format": 2}, ["format"]),
        ({**COSINE, "format": "1"}, ["format"]),
        ({**COSINE, "format": True}, ["format"]),
        ({**COSINE, "$schema": 3}, ["$schema"]),
        *[({"kind": "shift", "steps": 1, "schedule": {**COSINE, name: given}}, ["schedule", name])
          for name, given in {"plateau": {}, "format": 1, "$schema": ""}.items()],
    ],
)  # fmt: skip
def test_a_mistake_of_the_whole_table_is_one_error(table: Any, place: list[str]) -> None:
    [error] = VALIDATOR.iter_errors(table)
    assert [*error.absolute_path] == place
    with pytest.raises(lrcore.ScheduleError):
        lrcore.from_dict(table)


def test_two_wrong_words_are_two_errors_that_say_what_there_is() -> None:
    table = {**COSINE, "no_such": 1, "warmup": {"steps": 1, "x": {}}}
    assert marks(table) == {("no_such",), ("warmup", "x")}
    messages = {str(error.absolute_path[-1]): error.schema["errorMessage"] for error in VALIDATOR.iter_errors(table)}
    assert messages["no_such"].startswith("unknown field; cosine has init_value, end_value, decay_steps, exponent, ")
    assert messages["x"] == "unknown field; warmup has steps, init_value, shape, power"


if __name__ == "__main__":
    COMMITTED.write_text(text(), encoding="utf-8")
