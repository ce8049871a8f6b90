"""The commands audit, infer, diff and check: what they print, what they write, and their exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import lrcore
from lrcore.show import cli

REPORTS = Path(__file__).parents[1] / "data" / "logs" / "reports"
LOG, MEANT = REPORTS / "01_accelerate_num_processes.json", REPORTS / "01_accelerate_num_processes.intended.toml"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli.main, [str(one) for one in arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.toml"
    path.write_text('kind = "cosine"\ninit_value = 0.1\ntotal_steps = 1_000\n[warmup]\nsteps = 100\n')
    return path


def test_audit_says_the_cause_and_ends_with_its_status() -> None:
    found = run("audit", LOG, MEANT)
    assert found.stdout.startswith("The scheduler moves 2 steps per update. First seen at update 5: logged 8e-06")
    assert found.exit_code == 1


def test_audit_of_a_run_that_followed_ends_with_0(tmp_path: Path, file: Path) -> None:
    schedule = lrcore.load(file)
    assert isinstance(schedule, lrcore.Schedule)
    log = tmp_path / "log.csv"
    log.write_text("step,lr\n" + "".join(f"{step},{schedule(step)!r}\n" for step in range(0, 1_000, 10)))
    found = run("audit", log, file)
    assert found.stdout.startswith("Follows the schedule at 100 updates")
    assert found.exit_code == 0
    assert run("audit", log, file, "--set", "init_value=0.2").exit_code == 1


def test_audit_prints_json_and_draws(tmp_path: Path) -> None:
    picture = tmp_path / "audit.png"
    found = run("audit", LOG, MEANT, "--json", "-o", picture)
    assert json.loads(found.stdout)["cause"] == "steps_per_update"
    assert picture.stat().st_size > 1_000


@pytest.mark.parametrize("missing", ["log", "schedule"])
def test_an_audit_that_cannot_begin_ends_with_3(missing: str, tmp_path: Path) -> None:
    absent = tmp_path / "absent.json"
    found = run("audit", absent, MEANT) if missing == "log" else run("audit", LOG, absent)
    assert found.exit_code == 3
    assert found.stderr.count("\n") == 1
    assert "absent.json" in found.stderr


def test_infer_writes_a_schedule_and_says_what_it_found(tmp_path: Path) -> None:
    output = tmp_path / "found.toml"
    found = run("infer", LOG, "-o", output)
    assert found.exit_code == 0
    assert "a linear warmup" in found.stderr
    written = lrcore.load(output)
    assert isinstance(written, lrcore.Schedule)
    assert lrcore.audit(LOG, written).cause == "follows"


def test_infer_declines_in_words(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("step,lr\n" + "".join(f"{step},{0.1 + step * step % 7 / 100}\n" for step in range(40)))
    found = run("infer", log)
    assert found.exit_code == 2
    assert found.stdout


def test_diff_says_where_two_files_differ(file: Path) -> None:
    assert run("diff", file, file).exit_code == 0
    found = run("diff", file, file, "--set", "warmup.steps=50")
    assert found.exit_code == 1
    assert found.stdout.splitlines()[-1] == f"warmup.steps: 100 in {file}, 50 in {file} (changed)"
    assert json.loads(run("diff", file, file, "--set", "init_value=0.2", "--json").stdout)["start"]["update"] == 1


def test_check_says_what_is_probably_not_meant(file: Path) -> None:
    assert run("check", file).exit_code == 0
    found = run("check", file, "--run", "total=500")
    assert (found.exit_code, found.stdout.count("\n")) == (1, 1)
    assert "The run ends at 500" in found.stdout
    assert json.loads(run("check", file, "--run", "total=500", "--json").stdout)["findings"]
