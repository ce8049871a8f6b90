"""Importers against recorded runs of the trainers' own schedulers, at every recorded update."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import lrcore
from lrcore.show import cli
from tests.trainers.records import EXACT, IN_FLOAT32, RUNS, Recorded


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_an_importer_gives_the_recorded_rates(run: Recorded) -> None:
    given = run.given()
    assert given is not None
    assert run.difference(given.schedule()) <= (IN_FLOAT32 if given.float32 else EXACT)


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_an_imported_schedule_is_written_read_again_and_shown(run: Recorded, tmp_path: Path) -> None:
    schedule = run.schedule()
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(schedule, "toml"), encoding="utf-8")
    assert lrcore.load(path) == schedule
    shown = CliRunner().invoke(cli.main, ["show", str(path)])
    assert shown.exit_code == 0, shown.output
    assert f"fingerprint {schedule.fingerprint}" in shown.output
