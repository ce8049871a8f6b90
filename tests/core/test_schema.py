"""The committed JSON Schema is that of the kinds, and agrees with what is read; run as a script, this file writes it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

import lrcore
from lrcore.files.schema import schema
from lrcore.schedules.kinds import KINDS
from tests.core.test_config import COSINE, LINEAR, WRONG
from tests.seeds import BOOK, MXNET, TORCH
from tests.strategies import schedules

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "lrcore" / "schedule.schema.json"
VALIDATOR = Draft202012Validator(schema())

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
    "empty join",
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
    "too short for ramps",
    "no update for a cosine",
    "no update for a line",
    "no update inside",
}
NOT_JSON = {"number as a name"}


def text() -> str:
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def is_valid(plain: Any) -> bool:
    return bool(VALIDATOR.is_valid(plain))


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_committed_schema_is_up_to_date() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == text(), "run: python tests/core/test_schema.py"


def test_every_kind_is_in_it() -> None:
    kinds = {
        kind["properties"]["kind"]["enum"][0]
        for kind in schema()["$defs"].values()
        if "kind" in kind.get("properties", {})
    }
    assert kinds == set(KINDS)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("**/*.toml")), ids=lambda path: path.name)
def test_the_examples_are_valid(path: Path) -> None:
    assert is_valid(tomllib.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("seed", [*BOOK, *MXNET, *TORCH], ids=lambda seed: seed.call)
def test_the_seeds_are_valid(seed: Any) -> None:
    assert is_valid(tomllib.loads(dedent(seed.toml)))


@given(schedules())
def test_whatever_is_written_is_valid(schedule: lrcore.Schedule) -> None:
    assert is_valid(json.loads(lrcore.dumps(schedule, "json")))


@pytest.mark.parametrize("name", [name for name in WRONG if name not in FOR_LRCORE | NOT_JSON])
def test_what_is_refused_is_not_valid(name: str) -> None:
    table, _, _ = WRONG[name]
    assert not is_valid(table)


@pytest.mark.parametrize("name", sorted(FOR_LRCORE))
def test_what_several_fields_must_agree_on_is_left_to_lrcore(name: str) -> None:
    table, _, _ = WRONG[name]
    assert is_valid(table)


@pytest.mark.parametrize(
    "table",
    [
        {"kind": "cosine", "init_value": 1, "total_steps": 10},
        {"kind": "constant", "value": 1, "total_steps": 10, "cooldown": {"steps": 2}},
        {**COSINE, "plateau": {"factor": 0.5}},
        {"kind": "every", "steps": 3, "schedule": LINEAR, "warmup": {"steps": 1}},
    ],
)
def test_total_steps_and_a_plateau_are_valid(table: dict[str, Any]) -> None:
    assert is_valid(table)
    lrcore.from_dict(table)


if __name__ == "__main__":
    COMMITTED.write_text(text(), encoding="utf-8")
