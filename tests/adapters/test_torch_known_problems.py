"""Problems that users of torch's schedulers met; docs/known-problems.md lists them, and the tests that show the others."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from typing import Any

import pytest
import torch

import lrcore
import lrcore_torch
from tests.adapters.torch_loops import expected, sgd, update, used_rates
from tests.kinds import KINDS

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)
CYCLES = lrcore.Repeat(lrcore.Cosine(init_value=0.5, end_value=0.01, decay_steps=3), length_factor=2)


def test_schedulers_that_are_made_and_dropped_leave_nothing_behind() -> None:
    optimizer = sgd(lr=1.0)
    for schedule in (CYCLES, FALLING * 0.1, lrcore.Constant(0.0)):
        lrcore_torch.LRScheduler(optimizer, schedule)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(5))
    for _ in range(20):
        lrcore_torch.LRScheduler(optimizer, FALLING).load_state_dict(lrcore.save_state(5, FALLING))
    assert len(optimizer._optimizer_load_state_dict_post_hooks) <= 1  # that of the scheduler above
    relative = sgd(lr=1.0)
    lrcore_torch.LRScheduler(relative, lrcore.Constant(0.1))
    lrcore_torch.LRScheduler(relative, FALLING, relative=True)
    assert update(relative) == [FALLING(0)]


@pytest.mark.parametrize("start", range(12))
def test_cycles_may_be_entered_anywhere(start: int) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, CYCLES, last_epoch=start - 1)
    assert used_rates(optimizer, scheduler, 5) == expected(CYCLES, range(start, start + 5))


def test_steps_beyond_the_end_hold_and_do_not_raise() -> None:
    cycle = lrcore.one_cycle(init_value=0.01, peak_value=0.1, end_value=1e-4, total_steps=5)
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, cycle)
    assert used_rates(optimizer, scheduler, 8)[4:] == [[1e-4]] * 4


def test_several_steps_for_one_update_are_put_right_by_sync() -> None:
    """Trainers on several processes step once for each of them."""
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    for updates in range(5):
        scheduler.sync(updates)
        assert update(optimizer) == [FALLING(updates)]
        for _ in range(4):
            scheduler.step()


def test_a_checkpoint_of_before_the_step_is_put_right_by_sync() -> None:
    """A trainer may save between the update and the scheduler's step, and count the update itself."""
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    update(optimizer)
    state = scheduler.state_dict()
    fresh = sgd()
    resumed = lrcore_torch.LRScheduler(fresh, FALLING)
    resumed.load_state_dict(state)
    for _ in range(2):
        resumed.sync(4)
    assert used_rates(fresh, resumed, 3) == expected(FALLING, range(4, 7))


def test_the_same_checkpoint_continues_restarts_or_follows_another_schedule() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 6)
    other = lrcore.Constant(0.125)
    ways: list[tuple[lrcore.Schedule, Any]] = [(FALLING, "error"), (other, "use_config")]
    for schedule, policy in ways:
        fresh = sgd()
        resumed = lrcore_torch.LRScheduler(fresh, schedule, on_mismatch=policy)
        resumed.load_state_dict(scheduler.state_dict())
        assert update(fresh) == [schedule(6)]
    restarted = sgd()
    restarted.load_state_dict(optimizer.state_dict())
    lrcore_torch.LRScheduler(restarted, FALLING)
    assert update(restarted) == [FALLING(0)]


def test_the_rate_is_known_before_the_first_step() -> None:
    scheduler = lrcore_torch.LRScheduler(sgd(2), FALLING)
    assert scheduler.get_last_lr() == scheduler.get_lr() == [0.5, 0.5]


def test_all_that_is_scheduled_is_applied_when_a_state_is_loaded() -> None:
    decay = lrcore.Linear(init_value=0.1, decay_steps=10)
    optimizer = torch.optim.AdamW(sgd().param_groups[0]["params"])
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, also={"weight_decay": decay})
    scheduler.load_state_dict(lrcore.save_state(4, {"lr": FALLING, "weight_decay": decay}))
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (FALLING(4), decay(4))


@pytest.mark.parametrize("name", [name for name in KINDS if name != "function"])
def test_the_state_of_every_kind_is_plain(name: str) -> None:
    scheduler = lrcore_torch.LRScheduler(sgd(), KINDS[name])
    file = io.BytesIO()
    torch.save(scheduler.state_dict(), file)
    assert len(file.getvalue()) < 4096
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert loaded == scheduler.state_dict() == pickle.loads(pickle.dumps(loaded))


def test_right_use_is_silent_inside_a_composite() -> None:
    """torch's own SequentialLR steps its children in a way that it warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = sgd()
        children: list[Any] = [lrcore_torch.LRScheduler(optimizer, one) for one in (FALLING, CYCLES)]
        scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, children, milestones=[3])
        used = used_rates(optimizer, scheduler, 6)
    assert used == expected(FALLING, range(3)) + expected(CYCLES, range(3))


def test_a_rate_captured_as_a_number_does_not_change_later() -> None:
    optimizer = sgd(lr=torch.tensor(0.1, dtype=torch.float64))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    seen = []
    for _ in range(4):
        update(optimizer)
        seen.append(scheduler.get_last_lr())
        scheduler.step()
    assert seen == expected(FALLING, range(4))
    assert copy.deepcopy(scheduler.state_dict())["step"] == 4


@pytest.mark.parametrize("accumulated", [1, 2, 5])
def test_accumulation_does_not_change_the_curve(accumulated: int) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING).attach()
    used = []
    for micro_batch in range(6 * accumulated):
        if (micro_batch + 1) % accumulated == 0:
            used.append(update(optimizer))
    assert used == expected(FALLING, range(6))
    assert scheduler.last_epoch == 6


def test_an_epoch_without_a_step_is_made_up_for() -> None:
    """A trainer that steps with the validation misses epochs that have none."""
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Every(FALLING, steps=10))
    for epoch in range(3):
        scheduler.sync(epoch * 10)
        for _ in range(10):
            assert update(optimizer) == [FALLING(epoch)]


def test_how_far_a_schedule_has_come_is_known() -> None:
    """What is stepped once an epoch, or sized for another run, ends far from the end of its schedule."""
    schedule = lrcore.Cosine(init_value=0.3, decay_steps=4500).warmup(500)
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule)
    used_rates(optimizer, scheduler, 5)
    assert (scheduler.last_epoch, schedule.length) == (5, 5000)


def test_code_that_is_in_no_module_may_load_a_state() -> None:
    """As what runs examples, notebooks and configurations does it."""
    optimizer = sgd()
    names = {"scheduler": lrcore_torch.LRScheduler(optimizer, FALLING), "state": lrcore.save_state(5, FALLING)}
    exec("scheduler.load_state_dict(state)", names)
    assert update(optimizer) == [FALLING(5)]
