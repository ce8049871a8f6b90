"""What others build on the frameworks: these tests run where they are named, as by `nox -s ecosystem`, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import is_named

HERE = Path(__file__).parent
ABOUT_THE_RATE = pytest.mark.filterwarnings("error:.*lrcore", "error:.*lr_scheduler")


def pytest_configure(config: pytest.Config) -> None:
    """Trainers warn of themselves and of each other, also while they are imported."""
    if is_named(HERE, config):
        config.addinivalue_line("filterwarnings", "ignore")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(ABOUT_THE_RATE)
