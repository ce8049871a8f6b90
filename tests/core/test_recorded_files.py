"""Files that were recorded with earlier versions still give the same values, as docs/format/policy.md promises."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest

import lrcore
from lrcore.files.reference import TABLES, fields
from lrcore.records import Shape
from lrcore.schedules.kinds import KINDS
from tests import recorded

EXACT = 2e-14  # two values, each within 1e-14 of the formula

# What a file means where it leaves a field out. A number here never changes: docs/format/policy.md.
DEFAULTS: dict[str, dict[str, Any]] = {
    "constant": {},
    "linear": {"end_value": 0.0},
    "polynomial": {"end_value": 0.0, "power": 1.0},
    "cosine": {"end_value": 0.0, "exponent": 1.0},
    "exponential": {"decay_steps": 1.0, "staircase": False},
    "inverse_time": {"decay_rate": 1.0, "decay_steps": 1.0, "power": 1.0, "time_power": 1.0, "staircase": False},
    "logistic": {"end_value": 0.0},
    "piecewise_constant": {},
    "interpolate": {"shape": "linear", "power": None},
    "join": {"boundaries": None},
    "sum": {},
    "product": {},
    "clip": {"min_value": None, "max_value": None},
    "shift": {},
    "repeat": {"period": None, "mirror": False, "length_factor": 1.0, "value_factor": 1.0},
    "every": {},
    "clock": {"hold": False},
    "warmup": {"init_value": 0.0, "shape": "linear", "power": None},
    "cooldown": {"start": None, "end_value": 0.0, "shape": "linear", "power": None},
    "plateau": {
        "factor": 0.1, "patience": 10, "mode": "min", "rtol": 1e-4, "atol": 0.0, "cooldown": 0, "min_scale": 0.0, "eps": 0.0,
        "accumulate": 1, "accept_first": False, "watch_in_cooldown": True, "arithmetic": "lrcore",
    },
    "run": {
        "total": None, "updates_per_epoch": None, "dataset_size": None, "batch_size": None, "batches_per_epoch": None,
        "accumulate": None, "drop_last": None, "tokens_per_sample": None, "rounding": None,
    },
}  # fmt: skip


@pytest.mark.parametrize("path", recorded.FILES, ids=lambda path: path.name)
def test_a_recorded_file_still_gives_its_values(path: Path) -> None:
    then, now = recorded.records()[path.name], recorded.record(path)
    assert now.keys() == then.keys()
    assert now["fingerprint"] == then["fingerprint"]
    assert now["values"] == pytest.approx(then["values"], rel=EXACT, abs=0)
    assert now.get("scales", []) == pytest.approx(then.get("scales", []), rel=EXACT, abs=0)


def test_every_file_has_a_record() -> None:
    assert sorted(recorded.records()) == [path.name for path in recorded.FILES], "run: python -m tests.recorded"


@pytest.mark.parametrize("table", TABLES)
def test_the_defaults_of_a_table_are_those_of_format_1(table: str) -> None:
    found = {field.name: field.default for field in fields(table) if not field.required}
    beside = dict.fromkeys(["warmup", "cooldown", "total_steps"]) if table in KINDS else {}
    assert found == DEFAULTS.get(table, {}) | beside, (
        f"{table} of DEFAULTS, in this file, never changes for a released kind"
    )


def tables(plain: Any) -> list[tuple[str, dict[str, Any]]]:
    """Every table of a file with its name among `TABLES`."""
    if isinstance(plain, list):
        return [found for one in plain for found in tables(one)]
    if not isinstance(plain, dict):
        return []
    inner = [
        found
        for name, one in plain.items()
        for found in ([(name, one)] if name in TABLES and isinstance(one, dict) else tables(one))
    ]
    return [(plain["kind"], plain), *inner] if "kind" in plain else inner


@pytest.fixture(scope="module")
def held() -> list[tuple[str, dict[str, Any]]]:
    return [found for path in recorded.FILES for found in tables(recorded.plain(path))]


@pytest.mark.parametrize("table", TABLES)
def test_every_option_and_every_default_is_used_in_a_recorded_file(
    table: str, held: list[tuple[str, dict[str, Any]]]
) -> None:
    given = [set(one) for name, one in held if name == table]
    for field in fields(table):
        is_given = any(field.name in names for names in given)
        assert is_given or (table in KINDS and field.name in ("warmup", "cooldown", "total_steps")), (
            f"tests/data/files needs a file that gives {field.name} of {table}"
        )
        assert field.required or any(field.name not in names for names in given), (
            f"tests/data/files needs a file that leaves out {field.name} of {table}"
        )


def test_every_shape_is_in_recorded_files(held: list[tuple[str, dict[str, Any]]]) -> None:
    for table in ("interpolate", "warmup", "cooldown"):
        assert {one["shape"] for name, one in held if name == table and "shape" in one} == set(get_args(Shape))


def test_every_arithmetic_is_in_a_recorded_file(held: list[tuple[str, dict[str, Any]]]) -> None:
    [arithmetic] = [field for field in fields("plateau") if field.name == "arithmetic"]
    assert {one["arithmetic"] for _, one in held if "arithmetic" in one} == set(get_args(arithmetic.annotation))


def test_a_recorded_schedule_is_written_and_read_back_equal() -> None:
    for path in recorded.FILES:
        loaded = lrcore.load(path)
        assert "format" not in loaded.to_dict()
        for form in ("toml", "json", "yaml"):
            assert lrcore.loads(lrcore.dumps(loaded, form), form) == loaded
