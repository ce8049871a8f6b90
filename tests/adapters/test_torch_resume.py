"""A torch run that is interrupted and resumed equals an uninterrupted one."""

from __future__ import annotations

import copy
import io
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import lrcore
import lrcore_torch
from tests.adapters.torch_loops import SCHEDULE, UPDATES, Run, expected, parameter, sgd, tensor, update, used_rates

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)
OTHER = lrcore.Cosine(init_value=0.6, end_value=0.01, decay_steps=40).warmup(10)


@pytest.fixture(scope="module")
def unbroken() -> list[float]:
    return Run().go_on(UPDATES).values()


# --- at any update ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", range(UPDATES + 1))
def test_a_run_resumes_after_any_update(done: int, unbroken: list[float]) -> None:
    file = io.BytesIO()
    Run().go_on(done).save(file)
    file.seek(0)
    assert Run().load(file).go_on(UPDATES - done).values() == unbroken


def test_a_run_resumes_after_any_update_in_a_new_process(tmp_path: Path, unbroken: list[float]) -> None:
    run = Run()
    for done in range(UPDATES + 1):
        run.save(tmp_path / f"{done}.pt")
        run.go_on(1)
    code = (
        "import pathlib, sys, warnings; from tests.adapters import torch_loops; warnings.simplefilter('error'); "
        "torch_loops.resume_all(pathlib.Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env=environment, timeout=120)
    ends = {file.read_text() for file in tmp_path.glob("*.txt")}
    assert len(list(tmp_path.glob("*.txt"))) == UPDATES + 1
    assert ends == {" ".join(map(repr, unbroken))}


@pytest.mark.parametrize("done", [1, 9, 10, 31, 59])
@pytest.mark.parametrize("lr", [0.05, tensor(0.05)], ids=["float", "tensor"])
@pytest.mark.parametrize("order", ["scheduler, optimizer", "optimizer, scheduler", "optimizer, build, scheduler"])
def test_the_order_of_construction_and_loading_does_not_matter(
    order: str, lr: float | torch.Tensor, done: int, unbroken: list[float]
) -> None:
    saved = Run(lr=copy.deepcopy(lr)).go_on(done)
    states = {"optimizer": saved.optimizer.state_dict(), "scheduler": saved.scheduler.state_dict()}
    run = Run(lr=copy.deepcopy(lr))
    for weight, value in zip(run.weights, saved.values(), strict=True):
        weight.data.fill_(value)
    for part in order.split(", "):
        if part == "build":
            run.scheduler = lrcore_torch.LRScheduler(run.optimizer, SCHEDULE)
        else:
            getattr(run, part).load_state_dict(copy.deepcopy(states[part]))
    assert run.go_on(UPDATES - done).values() == unbroken


@pytest.mark.parametrize("lr", [0.1, tensor(0.1)], ids=["float", "tensor"])
@pytest.mark.parametrize("done", [1, 3, 30])
def test_the_schedulers_state_alone_is_enough(done: int, lr: float | torch.Tensor) -> None:
    optimizer = sgd(lr=copy.deepcopy(lr))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, done)
    fresh = sgd(lr=copy.deepcopy(lr))
    resumed = lrcore_torch.LRScheduler(fresh, FALLING)
    for _ in range(2):
        resumed.load_state_dict(scheduler.state_dict())
        assert fresh.param_groups[0]["lr"] == FALLING(done)
        assert resumed.get_last_lr() == [FALLING(done)]
    assert used_rates(fresh, resumed, 5) == expected(FALLING, range(done, done + 5))


def test_a_resumed_scheduler_does_not_warn_of_its_next_step() -> None:
    """Torch warns if the first step precedes any update; a skipped update after a resume must not trigger this."""
    scheduler = lrcore_torch.LRScheduler(sgd(), FALLING)
    scheduler.load_state_dict(lrcore.save_state(5, FALLING))
    scheduler.step()
    assert scheduler.get_last_lr() == [FALLING(6)]


def test_the_number_of_groups_may_change() -> None:
    optimizer = sgd(1)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    other = sgd(4)
    resumed = lrcore_torch.LRScheduler(other, FALLING)
    resumed.load_state_dict(scheduler.state_dict())
    assert used_rates(other, resumed, 2) == expected(FALLING, range(3, 5), 1.0, 1.0, 1.0, 1.0)


def test_every_scheduled_key_resumes() -> None:
    options: dict[str, Any] = {"also": {"weight_decay": FALLING, "betas": (FALLING, [0.99, 0.95])}}
    schedules = [SCHEDULE, FALLING]
    unbroken = Run(schedules, **options).go_on(UPDATES).values()
    for done in (0, 1, 20, 59):
        file = io.BytesIO()
        Run(schedules, **options).go_on(done).save(file)
        file.seek(0)
        assert Run(schedules, **options).load(file).go_on(UPDATES - done).values() == unbroken


@pytest.mark.parametrize("done", [0, 1, 20])
def test_a_relative_run_resumes(done: int) -> None:
    unbroken = Run(relative=True).go_on(UPDATES).values()
    file = io.BytesIO()
    Run(relative=True).go_on(done).save(file)
    file.seek(0)
    assert Run(relative=True).load(file).go_on(UPDATES - done).values() == unbroken


@pytest.mark.parametrize("with_group", ["saved", "added before loading", "added later"])
@pytest.mark.parametrize("scheduler_first", [False, True])
def test_a_run_that_added_a_group_resumes(with_group: str, *, scheduler_first: bool) -> None:
    def made(groups: int) -> tuple[torch.optim.Optimizer, lrcore_torch.LRScheduler]:
        optimizer = torch.optim.SGD([{"params": [parameter()], "lr": rate} for rate in (2.0, 1.0)[:groups]])
        return optimizer, lrcore_torch.LRScheduler(optimizer, FALLING, relative=True)

    optimizer, scheduler = made(1)
    used_rates(optimizer, scheduler, 3)
    if with_group != "added later":
        optimizer.add_param_group({"params": [parameter()], "lr": 1.0})
    used_rates(optimizer, scheduler, 2)
    states = [optimizer.state_dict(), scheduler.state_dict()]
    resumed = made(2 if with_group == "saved" else 1)
    if with_group == "added before loading":
        resumed[0].add_param_group({"params": [parameter()], "lr": 1.0})
    pairs = list(zip(resumed, copy.deepcopy(states), strict=True))
    for part, state in reversed(pairs) if scheduler_first else pairs:
        part.load_state_dict(state)
    if with_group == "added later":
        resumed[0].add_param_group({"params": [parameter()], "lr": 1.0})
    assert used_rates(*resumed, 3) == expected(FALLING, range(5, 8), 2.0, 1.0)


# --- the state --------------------------------------------------------------------------------------------------------


def test_the_state_is_the_same_in_every_framework() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)
    used_rates(optimizer, scheduler, 7)
    state = scheduler.state_dict()
    assert state == lrcore.save_state(7, SCHEDULE) == json.loads(json.dumps(state))
    assert {type(value) for value in state.values()} == {int, str}
    assert len(json.dumps(state)) < 1024


def test_a_state_saved_in_another_framework_loads() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    scheduler.load_state_dict(lrcore.save_state(12, FALLING))
    assert update(optimizer) == [FALLING(12)]


def rate(step: int) -> float:
    return 0.1 / (step + 1)


def test_a_python_function_resumes_and_is_not_saved() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, rate)
    used_rates(optimizer, scheduler, 4)
    file = io.BytesIO()
    torch.save((optimizer.state_dict(), scheduler.state_dict()), file)
    file.seek(0)
    optimizer_state, state = torch.load(file, weights_only=True)
    optimizer = sgd()
    resumed = lrcore_torch.LRScheduler(optimizer, rate)
    optimizer.load_state_dict(optimizer_state)
    resumed.load_state_dict(state)
    assert used_rates(optimizer, resumed, 3) == [[rate(step)] for step in range(4, 7)]
    assert " at 0x" not in json.dumps(state)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("a path", "expected a state saved by lrcore, a dict; got 'a path'"),
        ({}, "expected a state saved by lrcore, with format, step, schedule, plateau; got no keys"),
        (
            {**lrcore.save_state(3, SCHEDULE), "format": 99},
            "format: expected 1; got a state written for lrcore format 99",
        ),
        ({**lrcore.save_state(3, SCHEDULE), "step": -1}, "step: expected an integer >= 0, .*; got -1"),
    ],
)
def test_a_foreign_state_is_refused_and_changes_nothing(state: Any, words: str) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 2)
    with pytest.raises(lrcore.ScheduleError, match=words):
        scheduler.load_state_dict(state)
    assert used_rates(optimizer, scheduler, 2) == expected(FALLING, range(2, 4))


def test_the_state_of_a_native_scheduler_is_refused_by_name() -> None:
    native = torch.optim.lr_scheduler.StepLR(sgd(), 10)
    with pytest.raises(lrcore.ScheduleError, match="this is the state of a native scheduler"):
        lrcore_torch.LRScheduler(sgd(), FALLING).load_state_dict(native.state_dict())


# --- another schedule than the saved one ------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["none", "first", "last"])
@pytest.mark.parametrize(("policy", "rules"), [("keep_checkpoint", SCHEDULE), ("use_config", OTHER)])
def test_a_policy_decides_between_two_schedules(policy: Any, rules: lrcore.Schedule, optimizer: str) -> None:
    saved = sgd()
    scheduler = lrcore_torch.LRScheduler(saved, SCHEDULE)
    used_rates(saved, scheduler, 20)
    fresh = sgd()
    resumed = lrcore_torch.LRScheduler(fresh, OTHER, on_mismatch=policy)
    if optimizer == "first":
        fresh.load_state_dict(saved.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    if optimizer == "last":
        fresh.load_state_dict(saved.state_dict())
    assert used_rates(fresh, resumed, 5) == expected(rules, range(20, 25))
    assert resumed.state_dict() == lrcore.save_state(25, rules)


def test_by_default_another_schedule_is_an_error_that_changes_nothing() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, OTHER)
    used_rates(optimizer, scheduler, 3)
    state = scheduler.state_dict()
    with pytest.raises(lrcore.ScheduleError, match=r"load_state_dict: .* at step 1 it gives .*init_value: 0.3 saved"):
        scheduler.load_state_dict(lrcore.save_state(20, SCHEDULE))
    assert scheduler.state_dict() == state
    assert used_rates(optimizer, scheduler, 2) == expected(OTHER, range(3, 5))


def test_a_list_for_another_number_of_groups_is_refused_and_may_be_replaced() -> None:
    state = lrcore.save_state(4, [SCHEDULE, FALLING])
    with pytest.raises(lrcore.ScheduleError, match="for a list of 2 was saved and a list of 3 is configured"):
        lrcore_torch.LRScheduler(sgd(3), [SCHEDULE, FALLING, OTHER]).load_state_dict(state)
    optimizer = sgd(3)
    resumed = lrcore_torch.LRScheduler(optimizer, [SCHEDULE, FALLING, OTHER], on_mismatch="use_config")
    resumed.load_state_dict(state)
    assert update(optimizer) == [SCHEDULE(4), FALLING(4), OTHER(4)]


def test_another_form_of_schedules_is_kept_if_it_fits_the_groups() -> None:
    optimizer = sgd(2)
    scheduler = lrcore_torch.LRScheduler(optimizer, [SCHEDULE, FALLING], also={"momentum": FALLING})
    state = scheduler.state_dict()
    fresh = sgd(2)
    resumed = lrcore_torch.LRScheduler(fresh, OTHER, on_mismatch="keep_checkpoint")
    resumed.load_state_dict(state)
    assert fresh.param_groups[0]["momentum"] == FALLING(0)
    assert resumed.state_dict() == state
    three = lrcore_torch.LRScheduler(sgd(3), OTHER, on_mismatch="keep_checkpoint")
    with pytest.raises(lrcore.ScheduleError, match="one schedule for each of 3 groups; got 2"):
        three.load_state_dict(state)
    assert three.state_dict() == lrcore.save_state(0, OTHER)
    adam = lrcore_torch.LRScheduler(torch.optim.Adagrad([parameter()]), OTHER, on_mismatch="keep_checkpoint")
    with pytest.raises(lrcore.ScheduleError, match=r"also\['momentum'\]: expected a key of the parameter groups"):
        adam.load_state_dict(state)


def test_relative_and_absolute_schedules_are_not_confused() -> None:
    saved: dict[bool, Any] = {}
    for relative in (False, True):
        optimizer = sgd(lr=2.0)
        scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, relative=relative)
        used_rates(optimizer, scheduler, 4)
        saved[relative] = scheduler.state_dict()
    for relative, state in saved.items():
        fresh = sgd(lr=2.0)
        with pytest.raises(lrcore.ScheduleError, match=r"they are not of one form, .*relative_lr"):
            lrcore_torch.LRScheduler(fresh, FALLING, relative=not relative).load_state_dict(state)
        for policy, rules in {"keep_checkpoint": relative, "use_config": not relative}.items():
            way: Any = policy
            resumed = lrcore_torch.LRScheduler(fresh, FALLING, relative=not relative, on_mismatch=way)
            resumed.load_state_dict(state)
            assert update(fresh) == [FALLING(4) * (2.0 if rules else 1.0)]


def test_an_unknown_policy_is_refused_at_construction() -> None:
    policy: Any = "keep"
    with pytest.raises(
        lrcore.ScheduleError, match="on_mismatch: expected one of error, keep_checkpoint, use_config, same_past"
    ):
        lrcore_torch.LRScheduler(sgd(), FALLING, on_mismatch=policy)


# --- a metric ---------------------------------------------------------------------------------------------------------

METRICS = [1.0, 0.8, 0.9, 0.85, 0.81, 0.7, math.nan, 0.71, math.inf, 0.72, 0.69, 0.69, 0.69, 0.69, 0.5, 0.6, 0.7, 0.8]
PER_EPOCH = 3


def plateau() -> lrcore.Plateau:
    return lrcore.Plateau(lrcore.Constant(0.4).warmup(5), factor=0.5, patience=1, cooldown=1)


def with_metrics(optimizer: torch.optim.Optimizer, scheduler: lrcore_torch.LRScheduler, metrics: list[float]) -> Any:
    used = []
    for metric in metrics:
        used += used_rates(optimizer, scheduler, PER_EPOCH)
        scheduler.report(torch.tensor(metric, dtype=torch.float64))
    return used


def test_a_plateau_multiplies_the_schedule() -> None:
    optimizer = sgd(2)
    optimizer.param_groups[1]["lr_scale"] = 0.1
    used = with_metrics(optimizer, lrcore_torch.LRScheduler(optimizer, plateau()), METRICS)
    state, rates = plateau().initial(), []
    for epoch, metric in enumerate(METRICS):
        rates += [plateau().value(epoch * PER_EPOCH + update, state) for update in range(PER_EPOCH)]
        state = plateau().update(state, metric)
    assert used == [[rate, rate * 0.1] for rate in rates]
    assert len(set(rates[5:])) > 3


def test_a_run_resumes_after_any_metric() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, plateau())
    used, states = [], []
    for metric in METRICS:
        states.append(json.dumps(scheduler.state_dict()))
        used += with_metrics(optimizer, scheduler, [metric])
    for epoch, state in enumerate(states):
        optimizer = sgd()
        scheduler = lrcore_torch.LRScheduler(optimizer, plateau())
        scheduler.load_state_dict(json.loads(state))
        assert with_metrics(optimizer, scheduler, METRICS[epoch:]) == used[epoch * PER_EPOCH :]


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1,)], ids=["optimizer first", "scheduler first", "alone"])
@pytest.mark.parametrize("lr", [2.0, tensor(2.0)], ids=["float", "tensor"])
@pytest.mark.parametrize("attached", [False, True])
def test_a_run_with_a_plateau_and_other_keys_resumes_after_any_metric(
    lr: float | torch.Tensor, order: tuple[int, ...], *, attached: bool
) -> None:
    def made() -> tuple[torch.optim.Optimizer, lrcore_torch.LRScheduler]:
        optimizer = sgd(2, lr=copy.deepcopy(lr))
        optimizer.param_groups[1]["lr_scale"] = 0.5
        scheduler = lrcore_torch.LRScheduler(optimizer, plateau(), relative=True, also={"weight_decay": FALLING})
        return optimizer, scheduler.attach() if attached else scheduler

    def go_on(optimizer: torch.optim.Optimizer, scheduler: lrcore_torch.LRScheduler, metrics: list[float]) -> Any:
        used = []
        for metric in metrics:
            for _ in range(PER_EPOCH):
                used += [update(optimizer), [group["weight_decay"] for group in optimizer.param_groups]]
                if not attached:
                    scheduler.step()
            scheduler.report(metric)
        return used

    unbroken = go_on(*made(), METRICS)
    for done in range(len(METRICS) + 1):
        run = made()
        used = go_on(*run, METRICS[:done])
        states = [copy.deepcopy(part.state_dict()) for part in run]
        run = made()
        for number in order:
            run[number].load_state_dict(states[number])
        assert used + go_on(*run, METRICS[done:]) == unbroken


@pytest.mark.parametrize("by_name", [True, False])
def test_step_takes_a_metric(by_name: bool) -> None:
    """Trainers pass a ReduceLROnPlateau its metric once an epoch, as a positional argument."""
    constant = lrcore.Plateau(lrcore.Constant(0.4), factor=0.5, patience=1)
    optimizer, native_optimizer = sgd(), sgd(lr=0.4)
    scheduler = lrcore_torch.LRScheduler(optimizer, constant)
    native = torch.optim.lr_scheduler.ReduceLROnPlateau(native_optimizer, factor=0.5, patience=1)
    for metric in METRICS:
        assert update(optimizer) == update(native_optimizer)
        if by_name:
            scheduler.step(metrics=metric)
        else:
            scheduler.step(metric)
        native.step(metric)
    assert scheduler.last_epoch == len(METRICS)
    assert scheduler.get_last_lr()[0] < 0.4


def test_report_requires_a_plateau_and_a_number() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    with pytest.raises(
        lrcore.ScheduleError, match=r"report: expected a lrcore.Plateau, which alone uses metrics; got Exponential"
    ):
        scheduler.step(metrics=0.5)
    assert scheduler.last_epoch == 3
    scheduler = lrcore_torch.LRScheduler(optimizer, plateau())
    state = scheduler.state_dict()
    with pytest.raises(lrcore.ScheduleError, match="expected a metric that is one number"):
        scheduler.report("bad")
    assert scheduler.state_dict() == state


@pytest.mark.parametrize(("policy", "rate"), [("keep_checkpoint", 0.2), ("use_config", 0.1)])
def test_a_policy_distinguishes_a_plateau_from_its_schedule(policy: Any, rate: float) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Plateau(lrcore.Constant(0.4), factor=0.5, patience=0))
    for metric in (1.0, 2.0):
        scheduler.report(metric)
    fresh = sgd()
    resumed = lrcore_torch.LRScheduler(fresh, lrcore.Constant(0.1), on_mismatch=policy)
    resumed.load_state_dict(scheduler.state_dict())
    assert update(fresh) == [rate]


def test_another_mode_drops_the_best_metric_with_a_warning_and_keeps_the_rate() -> None:
    """The best value of the other mode would make better metrics count as worse."""
    saved = lrcore_torch.LRScheduler(sgd(), lrcore.Plateau(lrcore.Constant(0.4), mode="max", factor=0.5, patience=0))
    for metric in (-3.0, -4.0):
        saved.report(metric)
    optimizer = sgd()
    lower = lrcore.Plateau(lrcore.Constant(0.4), factor=0.5, patience=0)
    resumed = lrcore_torch.LRScheduler(optimizer, lower, on_mismatch="use_config")
    with pytest.warns(
        UserWarning, match=r"load_state_dict: the plateau's mode was 'max' and is 'min': best -3\.0 becomes inf"
    ):
        resumed.load_state_dict(saved.state_dict())
    assert update(optimizer) == [0.2]
    for metric, rate in ((-2.0, 0.2), (-2.5, 0.2), (-2.4, 0.1)):
        resumed.report(metric)
        assert resumed.get_last_lr() == [rate]


@pytest.mark.parametrize("attached", [False, True])
def test_a_plateau_without_a_metric_warns_once(*, attached: bool) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, plateau())
    if attached:
        scheduler.attach()

    def go_on() -> None:
        update(optimizer)
        if not attached:
            scheduler.step()

    scheduler.sync(9_998)
    go_on()
    with pytest.warns(
        UserWarning, match=r"10,000 updates .* told no metric, .*; call report\(metric\), or step\(metrics="
    ):
        go_on()
    for _ in range(3):
        go_on()


@pytest.mark.parametrize("form", [lambda one: one, copy.deepcopy], ids=["itself", "copied"])
def test_only_a_plateau_that_waits_for_a_metric_warns(form: Any) -> None:
    def began(schedule: Any, state: Any = None) -> lrcore_torch.LRScheduler:
        scheduler = lrcore_torch.LRScheduler(sgd(), schedule)
        if state is not None:
            scheduler.load_state_dict(state)
        return form(scheduler)  # type: ignore[no-any-return]

    never_told = lrcore.save_state(9_990, plateau(), plateau().initial().to_dict())
    told = lrcore.save_state(9_990, plateau(), plateau().update(plateau().initial(), 1.0).to_dict())
    for state, due in ((never_told, 10_000), (told, 19_990)):
        scheduler = began(plateau(), state)
        scheduler.sync(due - 1)
        with pytest.warns(UserWarning, match="told no metric"):
            scheduler.sync(due)
    began(lrcore.Constant(0.4)).sync(10**6)
    scheduler = began(plateau(), never_told)
    scheduler.report(1.0)
    scheduler.sync(10**6)
    scheduler = lrcore_torch.LRScheduler(sgd(), plateau(), last_epoch=9_998)
    scheduler.sync(19_998)  # it began at step 9,999


# --- the state of a native scheduler ----------------------------------------------------------------------------------


def native_state(kind: str) -> dict[str, Any]:
    optimizer = sgd()
    step = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    chain = torch.optim.lr_scheduler.ChainedScheduler([step, torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)])
    native: Any = {"StepLR": step, "ChainedScheduler": chain}[kind]
    for _ in range(7):
        update(optimizer)
        native.step()
    return native.state_dict()  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", ["StepLR", "ChainedScheduler"])
def test_the_configured_schedule_goes_on_at_the_step_of_a_native_state(kind: str) -> None:
    state = native_state(kind)
    with pytest.raises(
        lrcore.ScheduleError, match="use_config goes on with the configured schedule at its last_epoch, 7"
    ):
        lrcore_torch.LRScheduler(sgd(), FALLING).load_state_dict(state)
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, on_mismatch="use_config")
    with pytest.warns(UserWarning, match="its last_epoch 7 is taken as the updates already made"):
        scheduler.load_state_dict(state)
    assert used_rates(optimizer, scheduler, 3) == expected(FALLING, range(7, 10))


def test_the_state_of_a_native_plateau_gives_no_step() -> None:
    """Its last_epoch counts metrics, not updates."""
    native = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd())
    native.step(1.0)
    scheduler = lrcore_torch.LRScheduler(sgd(), FALLING, on_mismatch="use_config")
    with pytest.raises(lrcore.ScheduleError, match=r"this is the state of a native scheduler$"):
        scheduler.load_state_dict(native.state_dict())


@pytest.mark.parametrize("by_name", [True, False])
def test_an_attached_plateau_takes_a_metric_by_step_and_makes_none(by_name: bool) -> None:
    """Trainers pass a metric to `step` once an epoch, while the scheduler counts the updates itself."""
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, plateau(), attach=True)
    state = plateau().initial()
    for metric in METRICS:
        for _ in range(PER_EPOCH):
            assert update(optimizer) == [plateau().value(scheduler.last_epoch - 1, state)]
        state = plateau().update(state, metric)
        if by_name:
            scheduler.step(metrics=metric)
        else:
            scheduler.step(metric)
    assert scheduler.last_epoch == len(METRICS) * PER_EPOCH
    assert scheduler.plateau_state == state
