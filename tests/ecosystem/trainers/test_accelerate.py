"""Accelerate: what its loops do to a scheduler, in one process and in two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator, debug_launcher
from accelerate.state import AcceleratorState

import lrcore
import lrcore_torch
from tests.ecosystem.trainers.training import SCHEDULE, made, movements, rates

UPDATES = 16


@pytest.fixture(autouse=True)
def fresh() -> None:
    """Accelerate keeps what it found out about the process, also where that is forked."""
    AcceleratorState._reset_state(reset_partial_state=True)


def train(accelerator: Accelerator, run: Any, batches: int = UPDATES) -> list[float]:
    """Accelerate's own loop over a model, an optimizer and a scheduler or None; the weight after each batch."""
    model, optimizer, scheduler = run
    weights = []
    for _ in range(batches):
        with accelerator.accumulate(model):
            accelerator.backward(model(torch.ones(1, dtype=torch.float64)))
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            optimizer.zero_grad()
        weights.append(accelerator.unwrap_model(model).value.item())
    return weights


def test_each_update_uses_the_schedule() -> None:
    accelerator = Accelerator(cpu=True)
    prepared = accelerator.prepare(*made())
    assert movements(train(accelerator, prepared)) == pytest.approx(rates(range(UPDATES)), rel=1e-12)


@pytest.mark.parametrize("attached", [False, True])
def test_accumulated_gradients_are_one_update(*, attached: bool) -> None:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=4)
    model, optimizer, scheduler = made()
    if attached:
        scheduler.attach()
        weights = train(accelerator, (*accelerator.prepare(model, optimizer), None), 4 * UPDATES)
    else:
        weights = train(accelerator, accelerator.prepare(model, optimizer, scheduler), 4 * UPDATES)
    assert movements(weights)[3::4] == pytest.approx(rates(range(UPDATES)), rel=1e-12)
    assert set(movements(weights)[:3]) == {0.0}
    assert scheduler.state_dict() == lrcore.save_state(UPDATES, SCHEDULE)


@pytest.mark.parametrize("attached", [False, True])
def test_an_optimizer_that_is_prepared_first_is_driven(*, attached: bool) -> None:
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
    model, optimizer = accelerator.prepare(*made()[:2])
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)
    if attached:
        scheduler.attach()
    run = (model, optimizer, None if attached else accelerator.prepare(scheduler))
    weights = train(accelerator, run, UPDATES)
    optimizer.load_state_dict(optimizer.state_dict())
    scheduler.load_state_dict(scheduler.state_dict())
    weights += train(accelerator, run, UPDATES)
    assert movements(weights)[1::2] == pytest.approx(rates(range(UPDATES)), rel=1e-12)


@pytest.mark.parametrize("done", [0, 1, 4, 15])
def test_a_run_goes_on_from_a_checkpoint(done: int, tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True)
    run = accelerator.prepare(*made())
    train(accelerator, run, done)
    accelerator.save_state(str(tmp_path))
    whole = train(accelerator, run, UPDATES - done)
    accelerator = Accelerator(cpu=True)
    resumed = accelerator.prepare(*made())
    accelerator.load_state(str(tmp_path))
    assert train(accelerator, resumed, UPDATES - done) == whole


WAYS: dict[str, Any] = {
    "prepared": lambda step: SCHEDULE(2 * step),  # Accelerate steps it once for each process, of which it warns
    "prepared, not stepped with the optimizer": SCHEDULE,
    "left out": SCHEDULE,
    "attached": SCHEDULE,
}


def run_in_two_processes(folder: str) -> None:
    """Train in all the ways, one after another, and leave what moved in files."""
    for way in WAYS:
        accelerator = Accelerator(cpu=True, step_scheduler_with_optimizer="not stepped" not in way)
        model, optimizer, scheduler = made()
        assert accelerator.num_processes == 2
        if way == "prepared":
            with pytest.warns(UserWarning, match="one call for each update; got 2"):
                weights = train(accelerator, accelerator.prepare(model, optimizer, scheduler))
        elif way.startswith("prepared"):
            weights = train(accelerator, accelerator.prepare(model, optimizer, scheduler))
        elif way == "attached":
            scheduler.attach()
            weights = train(accelerator, (*accelerator.prepare(model, optimizer), None))
        else:
            weights = train(accelerator, (*accelerator.prepare(model, optimizer), scheduler))
        Path(folder, f"{way} {accelerator.process_index}").write_text(json.dumps(movements(weights)), encoding="utf-8")


def test_two_processes_use_the_schedule_at_each_update(tmp_path: Path) -> None:
    debug_launcher(run_in_two_processes, (str(tmp_path),), num_processes=2)
    for way, rate in WAYS.items():
        for process in range(2):
            moved = json.loads((tmp_path / f"{way} {process}").read_text(encoding="utf-8"))
            assert moved == pytest.approx([rate(step) for step in range(UPDATES)], rel=1e-12), way
