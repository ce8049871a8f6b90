"""What trainers write while they train is read as the schedule that they followed."""

from __future__ import annotations

from pathlib import Path

import pytest

from lrcore.checks.log import Log
from lrcore.checks.logs import read_log
from tests.checks import write_logs
from tests.checks.write_logs import SCHEDULE, UPDATES


def check_follows(log: Log, lag: int, rows: int = UPDATES) -> None:
    assert len(log.steps) == rows
    assert log.lag in (None, lag)
    assert (abs(log.values - SCHEDULE.values(log.steps - lag)) <= log.tolerances + 1e-15).all()


def test_lightning(tmp_path: Path) -> None:
    check_follows(read_log(write_logs.lightning_log(tmp_path)), 0)


def test_lightning_with_two_groups(tmp_path: Path) -> None:
    path = write_logs.lightning_log(tmp_path, groups=2)
    check_follows(read_log(path, column="lr-SGD/pg1"), 0)
    second = read_log(path, column="lr-SGD/pg2")
    assert second.values == pytest.approx(SCHEDULE.values(second.steps) / 10)


def test_lightning_that_accumulates(tmp_path: Path) -> None:
    """The monitor writes at each batch; the step is that of the update."""
    check_follows(read_log(write_logs.lightning_log(tmp_path, accumulated=4)), 0, 4 * UPDATES)


@pytest.mark.parametrize("resumed", [False, True])
def test_transformers(resumed: bool, tmp_path: Path) -> None:
    path = write_logs.transformers_log(tmp_path, resumed=resumed)
    check_follows(read_log(path), 1)
    check_follows(read_log(path.parent), 1)


def test_transformers_that_logs_every_fifth_update(tmp_path: Path) -> None:
    check_follows(read_log(write_logs.transformers_log(tmp_path, every=5)), 1, UPDATES // 5)


@pytest.mark.parametrize("as_tensors", [False, True])
def test_event_files(as_tensors: bool, tmp_path: Path) -> None:
    path = write_logs.torch_events(tmp_path, as_tensors=as_tensors)
    check_follows(read_log(path), 0)
    check_follows(read_log(tmp_path), 0)


def test_more_scalars_than_tensorboard_keeps_by_itself(tmp_path: Path) -> None:
    check_follows(read_log(write_logs.torch_events(tmp_path, updates=10_100)), 0, 10_100)


def test_a_second_file_that_writes_over_steps_of_the_first_is_kept_whole(tmp_path: Path) -> None:
    write_logs.torch_events(tmp_path)
    write_logs.torch_events(tmp_path, updates=10)
    assert read_log(tmp_path).steps.tolist() == [*range(UPDATES), *range(10)]


def test_json_lines(tmp_path: Path) -> None:
    check_follows(read_log(write_logs.json_lines(tmp_path)), 0)
