"""The torch scheduler in two processes: both use the same rates, and a distributed checkpoint restores them."""

from __future__ import annotations

from pathlib import Path

import pytest
from torch.multiprocessing.spawn import spawn

from tests.adapters import torch_processes


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    spawn(torch_processes.run, (str(folder),), nprocs=torch_processes.PROCESSES)
    return folder


@pytest.mark.parametrize("rank", range(torch_processes.PROCESSES))
@pytest.mark.parametrize("work", torch_processes.WORKS)
def test_training_and_checkpoints_in_two_processes(work: str, rank: int, results: Path) -> None:
    error = (results / f"{work} {rank}").read_text(encoding="utf-8")
    assert not error, error
