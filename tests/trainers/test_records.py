"""Importers against recorded runs of the trainers' own schedulers, at every recorded update."""

from __future__ import annotations

import pytest

import lrcore
from tests.trainers.records import EXACT, IN_FLOAT32, Recorded, recorded

RUNS = [one for one in recorded() if one.given() is not None]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.name}-{run.record['trainer']}"[:60])
def test_an_importer_gives_the_recorded_rates(run: Recorded) -> None:
    given = run.given()
    assert given is not None
    assert run.difference(given.schedule()) <= (IN_FLOAT32 if given.float32 else EXACT)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: f"{run.name}-{run.record['trainer']}"[:60])
def test_an_imported_schedule_is_written_and_read_again(run: Recorded) -> None:
    given = run.given()
    assert given is not None
    schedule = given.schedule()
    assert lrcore.loads(lrcore.dumps(schedule, "toml"), "toml") == schedule
