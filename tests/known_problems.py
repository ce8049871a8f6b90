"""Writes docs/known-problems.md from tests/known_problems.toml: `python -m tests.known_problems`."""

from __future__ import annotations

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "known-problems.md"
PROBLEMS: list[dict[str, Any]] = tomllib.loads((TESTS / "known_problems.toml").read_text(encoding="utf-8"))["problem"]


def page() -> str:
    """The page: one row for each problem."""
    shown = sum("tests" in problem for problem in PROBLEMS)
    still = sum(problem.get("still_happens", False) for problem in PROBLEMS)
    unmet = sum("open" in problem for problem in PROBLEMS)
    lines = [
        "# Known problems",
        "",
        f"{len(PROBLEMS)} problems that users of schedulers reported, and what keeps each of them out of lrcore: for {shown} of",
        f"them tests, which are in `tests/`. {still} still happen with the native schedulers of the releases that the tests run,",
        f"and are marked •. Open: {unmet or 'none'}. Written by `nox -s pages` from the table that the tests check.",
        "",
        "| | problem | seen in | kept out by |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_row, PROBLEMS)]) + "\n"


def _row(problem: dict[str, Any]) -> str:
    mark = " •" if problem.get("still_happens") else ""
    seen = ", ".join([problem["where"], *problem.get("threads", [])])
    tests = ", ".join(f"`{test}`" for test in problem.get("tests", []))
    unmet = f"**Open:** {problem['open']}" if "open" in problem else None
    answers = " ".join(filter(None, [problem.get("answer"), unmet, tests]))
    return f"| {problem['number']}{mark} | {problem['what']} | {seen} | {answers} |"


@cache
def named_tests(path: Path) -> frozenset[str]:
    """The names of the tests in a file, which needs no framework for this."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
