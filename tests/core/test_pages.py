"""The generated pages are those of the committed data."""

from __future__ import annotations

import json

from tests import readme_picture
from tests.parity import pages


def test_pages_are_up_to_date() -> None:
    counts = json.loads(pages.COMMITTED.read_text(encoding="utf-8"))
    assert (pages.DOCS / "conformance.md").read_text(encoding="utf-8") == pages.conformance(counts), "run nox -s pages"
    assert (pages.DOCS / "differences.md").read_text(encoding="utf-8") == pages.differences(), "run nox -s pages"


def test_the_picture_of_the_readme_shows_its_file() -> None:
    assert readme_picture.PICTURE.read_text(encoding="utf-8") == readme_picture.drawn(), "run nox -s pages"
