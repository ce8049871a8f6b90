"""What flax and orbax saved after any update is finished by another process, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters import optax_runs
from tests.adapters.optax_runs import OPTIMIZERS, UPDATES
from tests.ecosystem.states import state_runs

SAVED = [
    *(f"{name} by flax" for name in OPTIMIZERS),
    *(f"{name} by orbax" for name in ("injected", "adam, plateau")),
]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return optax_runs.ends(state_runs.__name__, state_runs.WAYS, SAVED, tmp_path_factory.mktemp("saved"))


@pytest.mark.parametrize("saved", SAVED)
def test_a_run_that_another_process_finishes_ends_as_if_never_interrupted(ends: dict[str, Any], saved: str) -> None:
    whole, finished = ends[saved]
    assert finished == [whole] * (UPDATES + 1)
