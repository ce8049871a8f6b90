"""Every kind has an example file in the manual, and each of them is read."""

from __future__ import annotations

from pathlib import Path

import lrcore
from lrcore.schedules.kinds import KINDS

EXAMPLES = Path(__file__).parents[2] / "docs" / "format" / "examples"


def test_every_kind_has_an_example_of_its_own() -> None:
    loaded = {path.stem: lrcore.load(path) for path in EXAMPLES.glob("*.toml")}
    assert {name: type(schedule) for name, schedule in loaded.items()} == KINDS
