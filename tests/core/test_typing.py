"""What a type checker knows of what comes back: mypy and pyright hold each `assert_type` here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, assert_type, get_type_hints

import pytest

import lrcore
from lrcore import Plateau, Schedule

FROM_FILES: list[Callable[..., Any]] = [lrcore.load, lrcore.loads, lrcore.from_dict, lrcore.from_name]


@pytest.mark.parametrize("function", FROM_FILES, ids=lambda function: function.__name__)
def test_a_description_becomes_a_schedule_or_a_plateau(function: Callable[..., Any]) -> None:
    assert get_type_hints(function)["return"] == Schedule | Plateau


def test_a_schedule_and_a_plateau_are_told_apart_by_their_class(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[[groups]]\nkind = "constant"\nvalue = 0.1\nplateau = {}\n', encoding="utf-8")
    loaded = lrcore.load(path, key=["groups", 0])
    assert_type(loaded, Schedule | Plateau)
    assert isinstance(loaded, Plateau)
    assert_type(loaded.schedule, Schedule)
    assert_type(loaded.value(0, loaded.initial()), float)
    read = lrcore.loads('kind = "constant"\nvalue = 0.1')
    assert_type(read, Schedule | Plateau)
    assert isinstance(read, Schedule)
    assert_type(read(0), float)


def test_the_types_of_schedules_made_in_python_are_known() -> None:
    assert_type(lrcore.from_dict({"kind": "constant", "value": 0.1}), Schedule | Plateau)
    assert_type(lrcore.from_name("constant", learning_rate=0.1), Schedule | Plateau)
    assert_type(lrcore.dumps(lrcore.Constant(0.1)), str)
    assert_type(lrcore.Constant(0.1), lrcore.Constant)
    assert_type(lrcore.Constant(0.1).warmup(3).cooldown(3, start=9), Schedule)
    assert_type(lrcore.Constant(0.1) * 2, Schedule)
