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
        f"Users of other schedulers have reported these {len(PROBLEMS)} problems. For {shown} of them a test in `tests/` shows that lrcore",
        f"does not have it, and the rest are answered in words. {still}, marked •, still happen with the native schedulers of the",
        f"releases that the tests run. Open in lrcore: {unmet or 'none'}. `nox -s pages` writes this page.",
        "",
        "| | problem | seen in | in lrcore |",
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
