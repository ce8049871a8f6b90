"""Which tests run: without `--framework` those of the core, with `--framework=NAME` those of that framework.

Two frameworks never share a process, so that one is chosen by name; a framework that was named and cannot be imported
is an error, not a skip.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.frameworks import NAMES, describe, load

TESTS = Path(__file__).parent
CORE_ROOMS = {"core", "properties", "trainers"}
FRAMEWORK_ROOMS = {"contract", "parity", "adapters", "training"}
ROOMS_TO_NAME = {"ecosystem", "browser", "recipes"}  # which run where their folder is named, and nowhere else

# The same examples in every run, so that a change is what makes a test fail; `deep` looks for new ones.
settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=5_000, deadline=None)
settings.load_profile("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--framework", choices=list(NAMES), help="run the tests of this framework")


def pytest_configure(config: pytest.Config) -> None:
    name = config.getoption("framework")
    if name is None:
        return
    try:
        load(name)
    except ImportError as error:
        raise pytest.UsageError(f"--framework={name}: {name} cannot be imported: {error}") from error


def pytest_report_header(config: pytest.Config) -> str:
    name = config.getoption("framework")
    if name is None:
        return f"framework: none; the tests of {', '.join(NAMES)} need --framework=NAME"
    return f"framework: {describe(name)}"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the folders and the files that belong to another framework than the one of this run."""
    name, room = config.getoption("framework"), _room(collection_path)
    if room in ROOMS_TO_NAME:
        return not is_named(TESTS / room, config) or None
    if name is None:
        return room in FRAMEWORK_ROOMS or None
    others = [f"test_{other}_" for other in NAMES if other != name]
    return room in CORE_ROOMS or collection_path.name.startswith(tuple(others)) or None


def is_named(folder: Path, config: pytest.Config) -> bool:
    """Whether the command line names a folder or something in it."""
    return any(Path(argument.split("::")[0]).resolve().is_relative_to(folder) for argument in config.args)


def _room(path: Path) -> str:
    return path.relative_to(TESTS).parts[0] if path != TESTS and path.is_relative_to(TESTS) else ""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `framework` runs for the one chosen, whose name is then in the test's."""
    if "framework" in metafunc.fixturenames:
        name = metafunc.config.getoption("framework")
        if name is None:
            raise pytest.UsageError(f"{metafunc.function.__name__} needs --framework=NAME")
        metafunc.parametrize("framework", [name], scope="session")
