"""Tests of problems that users of torch's schedulers reported; docs/known-problems.md lists them with all their tests."""

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


def test_dropped_schedulers_leave_no_hooks_behind() -> None:
    optimizer = sgd(lr=1.0)
    for schedule in (CYCLES, FALLING * 0.1, lrcore.Constant(0.0)):
        lrcore_torch.LRScheduler(optimizer, schedule)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(5))
    for _ in range(20):
        lrcore_torch.LRScheduler(optimizer, FALLING).load_state_dict(lrcore.save_state(5, FALLING))
    assert len(optimizer._optimizer_load_state_dict_post_hooks) <= 1  # the hook of the scheduler above
    relative = sgd(lr=1.0)
    lrcore_torch.LRScheduler(relative, lrcore.Constant(0.1))
    lrcore_torch.LRScheduler(relative, FALLING, relative=True)
    assert update(relative) == [FALLING(0)]


@pytest.mark.parametrize("start", range(12))
def test_a_run_may_start_at_any_step_of_a_cycle(start: int) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, CYCLES, last_epoch=start - 1)
    assert used_rates(optimizer, scheduler, 5) == expected(CYCLES, range(start, start + 5))


def test_steps_beyond_the_end_hold_the_last_rate() -> None:
    cycle = lrcore.one_cycle(init_value=0.01, peak_value=0.1, end_value=1e-4, total_steps=5)
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, cycle)
    assert used_rates(optimizer, scheduler, 8)[4:] == [[1e-4]] * 4


def test_sync_corrects_several_steps_for_one_update() -> None:
    """Trainers with several processes step once for each process."""
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    for updates in range(5):
        scheduler.sync(updates)
        assert update(optimizer) == [FALLING(updates)]
        for _ in range(4):
            scheduler.step()


def test_sync_corrects_a_checkpoint_saved_before_the_step() -> None:
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


def test_loading_a_state_writes_every_scheduled_value() -> None:
    decay = lrcore.Linear(init_value=0.1, decay_steps=10)
    optimizer = torch.optim.AdamW(sgd().param_groups[0]["params"])
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, also={"weight_decay": decay})
    scheduler.load_state_dict(lrcore.save_state(4, {"lr": FALLING, "weight_decay": decay}))
    group = optimizer.param_groups[0]
    assert (group["lr"], group["weight_decay"]) == (FALLING(4), decay(4))


@pytest.mark.parametrize("name", [name for name in KINDS if name != "function"])
def test_the_state_of_every_kind_holds_plain_values(name: str) -> None:
    scheduler = lrcore_torch.LRScheduler(sgd(), KINDS[name])
    file = io.BytesIO()
    torch.save(scheduler.state_dict(), file)
    assert len(file.getvalue()) < 4096
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert loaded == scheduler.state_dict() == pickle.loads(pickle.dumps(loaded))


def test_correct_use_inside_a_composite_does_not_warn() -> None:
    """SequentialLR steps its children in a way that makes torch's own schedulers warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = sgd()
        children: list[Any] = [lrcore_torch.LRScheduler(optimizer, one) for one in (FALLING, CYCLES)]
        scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, children, milestones=[3])
        used = used_rates(optimizer, scheduler, 6)
    assert used == expected(FALLING, range(3)) + expected(CYCLES, range(3))


def test_a_rate_read_as_a_number_does_not_change_later() -> None:
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
def test_gradient_accumulation_does_not_change_the_rates(accumulated: int) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING).attach()
    used = []
    for micro_batch in range(6 * accumulated):
        if (micro_batch + 1) % accumulated == 0:
            used.append(update(optimizer))
    assert used == expected(FALLING, range(6))
    assert scheduler.last_epoch == 6


def test_sync_makes_up_for_an_epoch_without_a_step() -> None:
    """A trainer that steps after validation makes no step in an epoch without one."""
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Every(FALLING, steps=10))
    for epoch in range(3):
        scheduler.sync(epoch * 10)
        for _ in range(10):
            assert update(optimizer) == [FALLING(epoch)]


def test_last_epoch_and_length_show_the_progress() -> None:
    """A schedule that is stepped once an epoch, or is sized for another run, stops far from its end."""
    schedule = lrcore.Cosine(init_value=0.3, decay_steps=4500).warmup(500)
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule)
    used_rates(optimizer, scheduler, 5)
    assert (scheduler.last_epoch, schedule.length) == (5, 5000)


def test_code_outside_any_module_may_load_a_state() -> None:
    """Tools that run examples, notebooks and configurations execute code without a module name."""
    optimizer = sgd()
    names = {"scheduler": lrcore_torch.LRScheduler(optimizer, FALLING), "state": lrcore.save_state(5, FALLING)}
    exec("scheduler.load_state_dict(state)", names)
    assert update(optimizer) == [FALLING(5)]
