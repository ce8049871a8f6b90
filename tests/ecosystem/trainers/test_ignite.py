"""ignite's handlers drive a scheduler: they count themselves, and ask `get_lr`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from ignite.handlers import LRScheduler, create_lr_scheduler_with_warmup

import lrcore
from tests.ecosystem.trainers.training import BATCHES, SCHEDULE, made, movements, rates

EPOCHS = 2


def run(model: Any, optimizer: Any, handler: Any, event: Any = Events.ITERATION_STARTED) -> list[float]:
    """What each update moved the weight by."""
    weights = []

    def update(engine: Engine, batch: torch.Tensor) -> None:
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()
        weights.append(model.value.item())

    trainer = Engine(update)
    if handler is not None:
        trainer.add_event_handler(event, handler)
    trainer.run([torch.ones(1, dtype=torch.float64)] * BATCHES, max_epochs=EPOCHS)
    return movements(weights)


def test_each_update_uses_the_schedule() -> None:
    model, optimizer, scheduler = made()
    moved = run(model, optimizer, LRScheduler(scheduler))
    assert moved == pytest.approx(rates(range(EPOCHS * BATCHES)), rel=1e-12)


def test_attached_it_needs_no_handler() -> None:
    model, optimizer, scheduler = made()
    scheduler.attach()
    assert run(model, optimizer, None) == pytest.approx(rates(range(EPOCHS * BATCHES)), rel=1e-12)
    assert scheduler.state_dict() == lrcore.save_state(EPOCHS * BATCHES, SCHEDULE)


def test_the_schedule_follows_a_warmup_of_ignite() -> None:
    model, optimizer, scheduler = made()
    warmup = create_lr_scheduler_with_warmup(scheduler, warmup_start_value=0.0, warmup_end_value=0.5, warmup_duration=6)
    moved = run(model, optimizer, warmup)
    assert moved[:6] == pytest.approx([0.1 * step for step in range(6)])
    assert moved[6:] == pytest.approx(rates(range(EPOCHS * BATCHES - 6)), rel=1e-12)


def test_values_can_be_simulated() -> None:
    _, _, scheduler = made()
    values = LRScheduler.simulate_values(num_events=20, lr_scheduler=scheduler)
    assert [value for _, value in values] == rates(range(20))
    assert scheduler.last_epoch == 0


def test_a_handler_goes_on_from_a_state() -> None:
    model, optimizer, scheduler = made()
    handler = LRScheduler(scheduler)
    run(model, optimizer, handler)
    state = handler.state_dict()
    model, optimizer, scheduler = made()
    fresh = LRScheduler(scheduler)
    fresh.load_state_dict(state)
    done = EPOCHS * BATCHES
    assert run(model, optimizer, fresh) == pytest.approx(rates(range(done, 2 * done)), rel=1e-12)
