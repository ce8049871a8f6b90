"""For the sessions `oldest` and `newest`: leaves out the tests of what a release lacks, and writes down how many passed.

`python -m pytest -p tests.releases --framework=keras --result=build/releases/keras-oldest.json ...` runs the tests, and
`python -m tests.releases` writes docs/versions.md from such files.
"""

from __future__ import annotations

import datetime as dt
import json
import platform
import tomllib
from collections import Counter
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.frameworks import NAMES, ROOT, TABLE, accelerator

ROWS: list[dict[str, Any]] = tomllib.loads((ROOT / "tests" / "releases.toml").read_text(encoding="utf-8"))["row"]
RESULTS = ROOT / "build" / "releases"
COMMITTED = ROOT / "docs" / "versions.json"
PAGE = ROOT / "docs" / "versions.md"
SESSIONS = ("oldest", "newest", "gpu")


# --- the plugin -------------------------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--result", type=Path, required=True, help="the file that tells how many tests passed")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Record(config), "record")
    for row in ROWS:
        if not is_satisfied(row["needs"]):
            for one in row.get("warnings", []):
                config.addinivalue_line("filterwarnings", one)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files that cannot even be imported."""
    return collection_path.relative_to(ROOT).as_posix() in lacking() or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reasons = lacking()
    for item in items:
        reason = reasons.get(item.nodeid, reasons.get(item.nodeid.split("[")[0]))
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))


def lacking() -> dict[str, str]:
    """The tests and files that are left out here, each with its reason."""
    return {
        test: f"{row['what']} needs {row['needs']}"
        for row in ROWS
        if not is_satisfied(row["needs"])
        for test in row.get("tests", [])
    }


def is_satisfied(requirement: str) -> bool:
    """Whether a package is installed in a release that the requirement allows."""
    wanted = Requirement(requirement)
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


class Record:
    """Counts the results, and writes them when the tests have run."""

    def __init__(self, config: pytest.Config) -> None:
        self.path = Path(str(config.getoption("result")))
        self.framework = str(config.getoption("framework"))
        self.outcomes: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            expected = hasattr(report, "wasxfail") and report.outcome == "skipped"
            self.outcomes["expected to fail" if expected else report.outcome] += 1

    def pytest_sessionfinish(self) -> None:
        files = sorted(test for test in lacking() if "::" not in test)
        result = {
            "framework": self.framework,
            "packages": {name: metadata.version(name) for name in map(_name, TABLE[self.framework]["pins"])},
            "device": accelerator(self.framework) or "CPU",
            "python": platform.python_version(),
            "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
            "outcomes": dict(self.outcomes),
            "files left out": files,
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def _name(requirement: str) -> str:
    return Requirement(requirement).name


# --- the page ---------------------------------------------------------------------------------------------------------


def collected() -> dict[str, Any]:
    """The committed results, with those of the last runs in their place."""
    known = json.loads(COMMITTED.read_text(encoding="utf-8")) if COMMITTED.exists() else {}
    for key in (f"{name}-{session}" for name in NAMES for session in SESSIONS):
        path = RESULTS / f"{key}.json"
        if path.exists():
            known[key] = json.loads(path.read_text(encoding="utf-8"))
    return known


def page(results: dict[str, Any]) -> str:
    """The page of the releases that were tested."""
    lines = [
        "# Versions",
        "",
        "The oldest and the newest release of each framework that lrcore's tests of adapter, contract, parity and training were run",
        "with, beside the one of the ordinary run (in `adapters/frameworks.toml`). Written by `python -m tests.releases` from the",
        "results of `nox -s oldest newest`. A test is skipped where the release lacks what it tests, and where a machine lacks what",
        "the test needs.",
        "",
        "| framework | run | releases | Python | device | passed | known differences | skipped | failed | date |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {TABLE[name]['title']} | {session} | {_cells(results[f'{name}-{session}'])} |"
            for name in NAMES
            for session in SESSIONS
            if f"{name}-{session}" in results
        ),
        "",
        f"Not run yet: {', '.join(_not_run(results)) or 'none'}. The runs on a GPU are made by `tests/gpu.py`.",
        "",
        "## What is left out where",
        "",
        "| tests of | need |",
        "|---|---|",
        *(f"| {row['what']} | `{row['needs']}` |" for row in ROWS),
    ]
    return "\n".join(lines) + "\n"


def _cells(row: dict[str, Any]) -> str:
    releases = ", ".join(f"{name} {version}" for name, version in row["packages"].items())
    counts = [row["outcomes"].get(one, 0) for one in ("passed", "expected to fail", "skipped", "failed")]
    return " | ".join(map(str, [releases, row["python"], row["device"], *counts, row["date"]]))


def _not_run(results: dict[str, Any]) -> list[str]:
    """The sessions without a result; torch and optax are those with tests for a GPU."""
    every = [
        f"{name}-{session}" for name in NAMES for session in SESSIONS if session != "gpu" or name in {"torch", "optax"}
    ]
    return [one.replace("-", " ") for one in every if one not in results]


def main() -> None:
    results = collected()
    COMMITTED.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
