"""A framework is a folder and a row of adapters/frameworks.toml; these tests say what a row still misses."""

from __future__ import annotations

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from lrcore.schedules.steps import ADAPTERS
from tests.frameworks import NAMES, ROOT, TABLE

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS = {contract["name"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
EVERY_IMPORT = {name for row in TABLE.values() for name in row["imports"]}


def test_each_folder_of_an_adapter_has_a_row() -> None:
    folders = {path.name.removeprefix("lrcore_") for path in (ROOT / "adapters").glob("lrcore_*") if path.is_dir()}
    assert folders == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_extra_of_that_name_installs_the_framework(name: str) -> None:
    assert name in PYPROJECT["project"]["optional-dependencies"]


@pytest.mark.parametrize("name", NAMES)
def test_the_oldest_release_that_is_tested_is_the_floor_of_the_requirement(name: str) -> None:
    floors = {
        requirement.name: next(one.version for one in requirement.specifier if one.operator == ">=")
        for requirement in map(Requirement, PYPROJECT["project"]["optional-dependencies"][name])
        if ">=" in str(requirement.specifier)
    }
    oldest = TABLE[name]["oldest"]
    pins = {one.name: one.specifier for one in map(Requirement, [*oldest["pins"], *oldest.get("bare", [])])}
    assert floors
    for package, floor in floors.items():
        [pin] = pins[package]
        assert pin.operator == "=="
        assert SpecifierSet(f"=={floor}.*").contains(pin.version), package


def test_what_older_releases_lack_names_tests_that_exist() -> None:
    rows = tomllib.loads((ROOT / "tests" / "releases.toml").read_text(encoding="utf-8"))["row"]
    for test in (test for row in rows for test in row.get("tests", [])):
        path, _, function = test.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        assert all(f" {part.split('[')[0]}(" in text for part in function.split("::") if part), test


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "path",
    [
        "tests/contract/harness_{}.py",
        "tests/parity/test_{}_native.py",
        "tests/parity/differences/{}.toml",
        "tests/adapters/test_{}_adapter.py",
        "tests/benchmarks/bench_{}.py",
        "examples/train_{}.py",
        "docs/frameworks/{}.md",
        "adapters/lrcore_{}/py.typed",
    ],
)
def test_each_framework_has_its_files(name: str, path: str) -> None:
    assert (ROOT / path.format(name)).exists()


@pytest.mark.parametrize("name", NAMES)
def test_an_adapter_may_import_no_other_framework(name: str) -> None:
    """The contract that import-linter checks: [[tool.importlinter.contracts]] in pyproject.toml."""
    contract = CONTRACTS[f"lrcore_{name} imports no other framework"]
    assert contract["source_modules"] == [f"lrcore_{name}"]
    # Keras runs on three backends, and its adapter may know none of them by name.
    assert set(contract["forbidden_modules"]) == EVERY_IMPORT - set(TABLE[name]["imports"]) | (
        {"tensorflow"} if name == "keras" else set()
    )


def test_the_contracts_between_core_and_adapters_name_every_adapter() -> None:
    adapters = {f"lrcore_{name}" for name in NAMES}
    assert set(PYPROJECT["tool"]["importlinter"]["root_packages"]) == {"lrcore", *adapters}
    assert set(CONTRACTS["adapters do not know each other"]["modules"]) == adapters
    assert set(CONTRACTS["adapters use the core's public names"]["source_modules"]) == adapters
    assert (
        set(CONTRACTS["the core imports no framework and no adapter"]["forbidden_modules"]) == adapters | EVERY_IMPORT
    )


def test_a_step_that_is_a_tensor_of_any_framework_has_the_advice_to_use_its_adapter() -> None:
    """ADAPTERS in lrcore/schedules/steps.py repeats these, because frameworks.toml is not in the wheel."""
    named = {package: call.partition(".")[0] for package, call in ADAPTERS.items()}
    assert named == {package: f"lrcore_{name}" for name, row in TABLE.items() for package in row["tensors"]}


def test_ruff_and_mypy_know_every_framework() -> None:
    banned = PYPROJECT["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
    assert set(banned) >= EVERY_IMPORT
    untyped = {module for override in PYPROJECT["tool"]["mypy"]["overrides"] for module in override["module"]}
    assert untyped >= {f"lrcore_{name}.*" for name in NAMES} | {f"train_{name}" for name in NAMES}
