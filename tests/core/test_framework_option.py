"""The option --framework: a named framework is tested or fails, and the header names those that are left out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.frameworks import NAMES

ROOT = Path(__file__).parents[2]


def run_pytest(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_framework_that_is_named_but_absent_is_an_error() -> None:
    run = run_pytest("--framework=mxnet", "tests/contract")
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert "mxnet cannot be imported" in run.stderr


def test_without_a_framework_the_header_says_what_is_left_out() -> None:
    run = run_pytest("tests/contract")
    assert run.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert f"{', '.join(NAMES)} need --framework=NAME" in run.stdout
