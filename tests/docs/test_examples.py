"""The examples in README.md, in the pages of docs/ and in docstrings are run, each where its framework is installed.

A Python block of a page, or a `{change}` block of two schedules, belongs to the framework that it imports, and to the core if it imports none. A framework's
run executes the core's blocks too, for one block builds on another. Each TOML block, and each `{schedule}` block of the
site, is a schedule, and stands in the working directory as `schedule.toml` for the blocks that follow it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sybil import Document, Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.parsers.rest import DocTestParser

import lrcore
from tests.frameworks import NAMES

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "docs" / "recipes"  # which tests/recipes runs, each with its library
PAGES = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").glob("[!_]*/*.md")) if page.parent != RECIPES),
    *sorted((ROOT / "docs").glob("*.md")),
]
IMPORT = re.compile(rf"^\s*(?:>>> )?(?:import|from)\s+(?:lrcore_)?({'|'.join(NAMES)})\b", re.MULTILINE)


def save_schedule(example: Example) -> None:
    lrcore.loads(str(example.parsed))
    Path("schedule.toml").write_text(str(example.parsed), encoding="utf-8")


def run_change(example: Example) -> None:
    exec(compile(str(example.parsed), str(example.path), "exec"), example.namespace)


MARKDOWN = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser(language="toml", evaluator=save_schedule),
        CodeBlockParser(language="{schedule}", evaluator=save_schedule),
        CodeBlockParser(language="{change}", evaluator=run_change),
        SkipParser(),
    ]
)
DOCSTRINGS = Sybil(parsers=[DocTestParser()])


def parse(path: Path) -> Document:
    return (MARKDOWN if path.suffix == ".md" else DOCSTRINGS).parse(path)


def sources(framework: str | None) -> list[Path]:
    """The texts of one run that hold examples: the pages, and the docstrings of the core or of one adapter."""
    package = ROOT / "lrcore" if framework is None else ROOT / "adapters" / f"lrcore_{framework}"
    return [path for path in (*PAGES, *sorted(package.rglob("*.py"))) if list(parse(path))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    paths = sources(metafunc.config.getoption("framework"))
    metafunc.parametrize("path", paths, ids=[str(path.relative_to(ROOT)) for path in paths])


# What frameworks warn of themselves where the examples use them.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras, saving under numpy 2
@pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning")  # Paddle, in its data loader
@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning", "ignore::UserWarning:lightning")
def test_every_example_runs(
    path: Path, pytestconfig: pytest.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    framework = pytestconfig.getoption("framework")
    for example in parse(path):
        block = example.document.text[example.region.start : example.region.end]
        if path not in PAGES or set(IMPORT.findall(block)) <= {framework}:
            example.evaluate()
