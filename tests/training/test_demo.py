"""Each training script of `examples/`, run as a user runs it, makes the updates that numpy makes by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import digits
from tests import numpy_trainer

EXAMPLES = Path(digits.__file__).parent
WARMUP_FIRST_CYCLE_AND_RESTART = 200


@pytest.fixture(scope="module")
def runs(framework: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the framework's script and the reference measured on the same small task."""
    folder = tmp_path_factory.mktemp("demo")
    data = numpy_trainer.small_digits(epochs=WARMUP_FIRST_CYCLE_AND_RESTART // 2)
    data.save(folder / "digits.npz")
    numpy_trainer.train(data, folder / "numpy.json")
    subprocess.run([sys.executable, EXAMPLES / f"train_{framework}.py", folder / "trained.json"], check=True)
    trained, reference = (json.loads((folder / name).read_text()) for name in ("trained.json", "numpy.json"))
    return trained, reference


def test_every_update_uses_the_schedules_float32(runs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    trained, reference = runs
    assert trained["updates"] == WARMUP_FIRST_CYCLE_AND_RESTART
    assert trained["learning_rates"] == reference["learning_rates"]


def test_the_adapter_names_the_rate_that_was_used(runs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    trained, _ = runs
    assert np.float32(trained["adapter_learning_rates"]).tolist() == trained["learning_rates"]


def test_losses_and_accuracy_are_those_of_the_reference(runs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    trained, reference = runs
    assert trained["losses"] == pytest.approx(reference["losses"], abs=1e-3)
    assert trained["losses"][-1] < trained["losses"][0] / 2
    assert trained["accuracy"] == pytest.approx(reference["accuracy"], abs=0.02)


def test_the_record_names_framework_version_and_device(
    framework: str, runs: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    trained, _ = runs
    assert trained["framework"] == framework
    assert trained["version"][0].isdigit()
    assert trained["device"]
