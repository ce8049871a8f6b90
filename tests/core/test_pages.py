"""The generated pages are those of the committed data."""

from __future__ import annotations

import json
import re
import tomllib

import pytest

from tests import readme_picture
from tests.frameworks import ROOT
from tests.parity import pages


def test_pages_are_up_to_date() -> None:
    counts = json.loads(pages.COMMITTED.read_text(encoding="utf-8"))
    assert (pages.DOCS / "conformance.md").read_text(encoding="utf-8") == pages.conformance(counts), "run nox -s pages"
    assert (pages.DOCS / "differences.md").read_text(encoding="utf-8") == pages.differences(), "run nox -s pages"


def test_the_picture_of_the_readme_shows_its_file() -> None:
    assert readme_picture.PICTURE.read_text(encoding="utf-8") == readme_picture.drawn(), "run nox -s pages"


@pytest.mark.parametrize(
    ("page", "row"),
    [("CONTRIBUTING.md", r"`lrcore/(\w+)(?:\.py|/)`"), ("docs/design.md", r"(?m)^  (\w+)(?:\.py|/) ")],
    ids=["contributing", "design"],
)
def test_the_rooms_on_a_page_are_those_of_the_layers_contract_in_its_order(page: str, row: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = next(one["layers"] for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "layers")
    rank = {room: number for number, layer in enumerate(layers) for room in layer.split(" | ") if room != "__main__"}
    text = (ROOT / page).read_text(encoding="utf-8")
    section = re.split(r"\n## (?:The rooms|Rooms)\n", text)[1].partition("\n## ")[0]
    rooms = re.findall(row, section)
    assert sorted(rooms) == sorted(rank)
    assert [rank[room] for room in rooms] == sorted(rank.values())
