"""An interrupted and resumed optax run ends with the weights of an uninterrupted one."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters import optax_runs
from tests.adapters.optax_runs import OPTIMIZERS, UPDATES, WAYS

WITHOUT_A_STATE_OF_ITS_OWN = ["sgd", "sgd, long", "sgd, plateau"]
SAVED = [
    *(f"{name} by pickle" for name in OPTIMIZERS),
    *(f"{name} by plain" for name in WITHOUT_A_STATE_OF_ITS_OWN),
]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return optax_runs.ends(optax_runs.__name__, WAYS, SAVED, tmp_path_factory.mktemp("saved"))


@pytest.mark.parametrize("saved", SAVED)
def test_a_run_that_another_process_finishes_ends_as_if_never_interrupted(ends: dict[str, Any], saved: str) -> None:
    whole, finished = ends[saved]
    assert finished == [whole] * (UPDATES + 1)
