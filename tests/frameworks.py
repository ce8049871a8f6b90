"""The frameworks as the tests see them: their names, how to import one, its version and the device that it uses."""

from __future__ import annotations

import importlib
import tomllib
import warnings
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[1]
TABLE: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "adapters" / "frameworks.toml").read_text(encoding="utf-8"))
NAMES = tuple(TABLE)


def load(name: str) -> ModuleType:
    """Import one framework. Two of them never share a process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a framework warns of while it is imported is not about lrcore
        return importlib.import_module(name)


def version(name: str) -> str:
    """The version of a framework. `mlx` is a namespace without one, so its package is asked."""
    return getattr(load(name), "__version__", None) or metadata.version(name)


def describe(name: str) -> str:
    """One line: the framework, its version, and the device its tests use."""
    return f"{name} {version(name)} on {accelerator(name) or 'the CPU: it reports no accelerator'}"


def accelerator(name: str) -> str:
    """The name of the accelerator that the framework's tests use; empty if there is none."""
    found: str = importlib.import_module(f"tests.contract.harness_{name}").accelerator()
    return found
