"""The schedules of trainers' configurations give optax the rates that the trainers recorded them for, near and far."""

from __future__ import annotations

import numpy as np
import pytest

import lrcore_optax
from tests.accuracy import error
from tests.trainers.records import RUNS, Recorded

UPDATES = 30


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_an_imported_schedule_trains(run: Recorded) -> None:
    schedule = run.schedule()
    steps = np.array([*range(UPDATES), *run.far_steps()], dtype=np.int32)
    horizon = int(steps[-1]) + 1 if schedule.length is None else None  # a staircase without an end needs one
    assert error(schedule, steps, lrcore_optax.as_schedule(schedule, horizon)(steps)).max() <= 1
