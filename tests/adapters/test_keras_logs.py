"""What Keras writes while it trains is read as the schedule that it followed, or what is missing is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

import lrcore
from lrcore.checks.logs import read_log
from tests.checks import write_logs
from tests.checks.write_logs import BATCHES, SCHEDULE, UPDATES

RUN = lrcore.Run(updates_per_epoch=BATCHES)

# What Keras warns of itself under numpy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_a_csv_of_a_callback_has_the_rate_of_each_epoch(tmp_path: Path) -> None:
    log = read_log(write_logs.keras_log(tmp_path), run=RUN)
    assert log.steps.tolist() == [8, 16, 24, 32, 40]
    assert log.values == pytest.approx([SCHEDULE(step - BATCHES) for step in log.steps], rel=1e-7)


def test_a_csv_has_no_rate_of_a_schedule_in_the_optimizer(tmp_path: Path) -> None:
    with pytest.raises(lrcore.ScheduleError, match="no rate of a schedule inside the optimizer"):
        read_log(write_logs.keras_log(tmp_path, inside=True), run=RUN)


def test_event_files_have_the_rate_at_the_end_of_each_epoch(tmp_path: Path) -> None:
    """Which is that of the next update."""
    pytest.importorskip("tensorboard")
    log = read_log(write_logs.keras_events(tmp_path), run=RUN)
    assert log.steps.tolist() == [8, 16, 24, 32, 40]
    assert log.values == pytest.approx([SCHEDULE(step) for step in log.steps], rel=1e-6)


def test_event_files_of_the_callback_have_the_rate_of_each_update(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log = read_log(write_logs.keras_events(tmp_path, per_update=True), column="batch_used_learning_rate")
    assert (len(log.steps), log.lag) == (UPDATES, 1)
    assert log.values == pytest.approx(SCHEDULE.values(log.steps - 1), rel=1e-6)
