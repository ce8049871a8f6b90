"""The pages of docs/recipes are run as they stand, each where its library is installed: `nox -s recipes`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.test_examples import MARKDOWN

PAGES = sorted((Path(__file__).parents[2] / "docs" / "recipes").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_recipe_runs_as_it_stands(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    examples = list(MARKDOWN.parse(page))
    assert examples
    for example in examples:
        example.namespace["__name__"] = __name__  # MindSpore looks for the source of a class in its module
        example.evaluate()
