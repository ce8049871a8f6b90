"""The pages of the importers are those of the committed examples and comparisons; the examples are run here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrcore.trainers import registry
from tests.trainers import pages
from tests.trainers.records import DATA, RUNS


def test_the_page_of_trainers_shows_what_the_examples_print() -> None:
    assert (pages.DOCS / "trainers.md").read_text(encoding="utf-8") == pages.trainers(), "run nox -s pages"


def test_the_page_of_conformance_is_that_of_the_committed_comparisons() -> None:
    runs = json.loads(pages.REPLAYED.read_text(encoding="utf-8"))
    page = (pages.DOCS / "trainers-conformance.md").read_text(encoding="utf-8")
    assert page == pages.conformance(runs), "run nox -s pages"
    assert sum(row["runs"] for rows in runs.values() for row in rows) == len(RUNS), "run nox -s pages"


@pytest.mark.parametrize("name", registry.importers())
def test_every_trainer_has_an_example_and_was_compared(name: str) -> None:
    assert name in pages.examples()
    runs = json.loads(pages.REPLAYED.read_text(encoding="utf-8"))
    compared = (DATA / "live" / f"{name}.json", Path(__file__).with_name(f"test_{name}.py"))
    assert name in runs or any(path.exists() for path in compared)
