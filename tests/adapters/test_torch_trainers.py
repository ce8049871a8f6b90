"""The schedules of trainers' configurations give torch the rates that the trainers recorded them for, near and far."""

from __future__ import annotations

import pytest

import lrcore_torch
from tests.adapters.torch_loops import expected, sgd, used_rates
from tests.trainers.records import RUNS, Recorded

UPDATES = 30


@pytest.mark.parametrize("run", RUNS, ids=str)
def test_an_imported_schedule_trains(run: Recorded) -> None:
    schedule = run.schedule()
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule)
    assert used_rates(optimizer, scheduler, UPDATES) == expected(schedule, range(UPDATES))
    for step in run.far_steps():
        scheduler.sync(step)
        assert scheduler.get_last_lr() == [schedule(step)]
