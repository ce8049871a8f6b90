"""Several schedules, one for each parameter group."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

import lrcore
from lrcore_paddle import LRScheduler
from tests.adapters.paddle_runs import (
    OTHER,
    SCHEDULE,
    Run,
    falling,
    float32,
    new_weight,
)
from tests.kinds import UPDATES


def test_the_learning_rate_of_a_group_multiplies_the_schedule() -> None:
    scheduler, weights = LRScheduler(SCHEDULE), [new_weight(), new_weight(), new_weight()]
    groups: list[Any] = [
        {"params": [weights[0]]},
        {"params": [weights[1]], "learning_rate": 0.1},
        {"params": [weights[2]], "learning_rate": 0.0},
    ]
    optimizer = paddle.optimizer.SGD(scheduler, parameters=groups)
    for step in range(UPDATES):
        for weight in weights:
            weight.set_value(paddle.zeros([]))
        paddle.add_n(weights).backward()
        optimizer.step()
        optimizer.clear_grad()
        scheduler.step()
        rate = np.float32(SCHEDULE(step))
        assert [0.0 - weight.item() for weight in weights] == [rate, rate * np.float32(0.1), 0.0]


class GroupsRun:
    """A run of several parameter groups, each of one weight with its own schedule."""

    def __init__(self, *schedules: Any, optimizer: Any = paddle.optimizer.SGD, **options: Any) -> None:
        self.scheduler = LRScheduler(schedules, **options)
        with paddle.utils.unique_name.guard():
            self.weights = [new_weight() for _ in schedules]
            groups: Any = [
                {"params": [weight], "learning_rate": rate}
                for weight, rate in zip(self.weights, self.scheduler.groups, strict=True)
            ]
            self.optimizer = optimizer(self.scheduler, parameters=groups)

    def rates(self, count: int) -> list[list[float]]:
        found = []
        for _ in range(count):
            for weight in self.weights:
                weight.set_value(paddle.zeros([]))
            paddle.add_n(self.weights).backward()
            self.optimizer.step()
            self.optimizer.clear_grad()
            self.scheduler.step()
            found.append([0.0 - weight.item() for weight in self.weights])
        return found


GROUPS = [SCHEDULE, OTHER, lrcore.Function(falling)]


def expected_of_groups(first: int, last: int) -> list[list[float]]:
    return [[float32(schedule(step)) for schedule in GROUPS] for step in range(first, last)]


def test_each_group_has_its_own_schedule() -> None:
    assert GroupsRun(*GROUPS).rates(UPDATES) == expected_of_groups(0, UPDATES)


@pytest.mark.filterwarnings("ignore:Op .* is executed through:DeprecationWarning")  # Paddle 2.6, of its own Adagrad
@pytest.mark.parametrize(
    "optimizer", ["Momentum", "Adam", "AdamW", "Adamax", "Adagrad", "RMSProp", "Lamb", "NAdam", "RAdam"]
)
def test_a_group_is_updated_as_by_an_optimizer_of_its_own(optimizer: str) -> None:
    schedules = [lrcore.Linear(init_value=0.5, end_value=0.1, decay_steps=30), OTHER]
    groups = GroupsRun(*schedules, optimizer=getattr(paddle.optimizer, optimizer))
    for _ in range(12):
        paddle.add_n(groups.weights).backward()
        groups.optimizer.step()
        groups.optimizer.clear_grad()
        groups.scheduler.step()
    alone = [Run(LRScheduler(one), getattr(paddle.optimizer, optimizer)).weights(12)[-1] for one in schedules]
    assert [weight.item() for weight in groups.weights] == alone


@pytest.mark.parametrize(("wired", "unused"), [(1, r"groups\[2\]"), (0, r"groups\[1\], groups\[2\]")])
def test_schedules_that_reach_no_group_are_warned_of_once_after_the_first_update(wired: int, unused: str) -> None:
    first, second = new_weight(), new_weight()
    scheduler = LRScheduler([SCHEDULE, OTHER, OTHER])
    scheduler.step()  # before there is an optimizer
    groups: Any = [{"params": [first]}, {"params": [second], "learning_rate": scheduler.groups[wired]}]
    optimizer = paddle.optimizer.SGD(scheduler, parameters=groups)
    paddle.add_n([first, second]).backward()
    optimizer.step()
    with pytest.warns(UserWarning, match=rf"got no use of {unused}, so these schedules have no effect; write"):
        scheduler.step()
    optimizer.step()
    scheduler.step()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_a_list_leaves_the_rates_of_the_original_alone(copied: Any) -> None:
    run = GroupsRun(*GROUPS)
    run.rates(3)
    other = copied(run.scheduler)
    other.sync(40)
    assert [float(rate) for rate in other.groups[1:]] == [float32(one(40)) for one in GROUPS[1:]]
    assert run.rates(3) == expected_of_groups(3, 6)


def test_a_copy_of_an_optimizer_has_the_groups_of_its_own_scheduler() -> None:
    run = GroupsRun(*GROUPS)  # Paddle can copy no optimizer that has made an update
    other = copy.deepcopy(run)
    other.scheduler.sync(40)
    assert run.rates(3) == expected_of_groups(0, 3)
    assert other.rates(3) == expected_of_groups(40, 43)


def test_a_run_with_groups_resumes_from_the_optimizers_state(tmp_path: Path) -> None:
    path = str(tmp_path / "optimizer")
    run = GroupsRun(*GROUPS)
    run.rates(20)
    paddle.save(run.optimizer.state_dict(), path)
    run = GroupsRun(*GROUPS)
    run.optimizer.set_state_dict(paddle.load(path))
    assert run.rates(20) == expected_of_groups(20, 40)
    state = run.scheduler.state_dict()
    run.scheduler.sync(3)
    assert run.rates(2) == expected_of_groups(3, 5)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        LRScheduler([SCHEDULE, OTHER]).set_state_dict(state)
    fewer = LRScheduler([SCHEDULE, OTHER]).state_dict()
    with pytest.raises(lrcore.ScheduleError, match=r"expected a state of one schedule, as configured; got \[Cosine"):
        LRScheduler(SCHEDULE, on_mismatch="keep_checkpoint").set_state_dict(fewer)
    with pytest.raises(lrcore.ScheduleError, match="expected a state of 3 schedules, as configured; got one of 2"):
        LRScheduler(GROUPS, on_mismatch="keep_checkpoint").set_state_dict(fewer)
