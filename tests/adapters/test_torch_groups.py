"""What the code gives to the parameter groups acts, is warned of once, or is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import lrcore
import lrcore_torch
from tests.adapters.torch_loops import expected, parameter, sgd, tensor, update, used_rates

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)
OTHER = lrcore.Linear(init_value=0.25, end_value=0.0, decay_steps=10)


def with_rates(*rates: Any, **options: Any) -> torch.optim.SGD:
    """SGD with a group for each rate."""
    return torch.optim.SGD([{"params": [parameter()], "lr": rate, **options} for rate in rates])


# --- rates of their own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [(1e-3, 0.1), (0.0, 0.1), (tensor(1e-3), tensor(0.1))], ids=repr)
def test_one_schedule_over_groups_with_different_rates_warns_and_names_the_ways_to_keep_them(rates: Any) -> None:
    optimizer = with_rates(*copy.deepcopy(rates))
    with pytest.warns(UserWarning, match=r"got .*, 0\.1; set relative=True, an lr_scale .*, or a list") as caught:
        scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    assert [warning.filename for warning in caught] == [__file__]
    assert used_rates(optimizer, scheduler, 3) == expected(FALLING, range(3), 1.0, 1.0)


@pytest.mark.parametrize(
    ("options", "schedule"),
    [
        ({"relative": True}, FALLING),
        ({}, [FALLING, OTHER]),
    ],
    ids=["relative", "a list"],
)
def test_different_rates_that_are_kept_do_not_warn(options: Any, schedule: Any) -> None:
    optimizer = with_rates(1e-3, 0.1)
    used_rates(optimizer, lrcore_torch.LRScheduler(optimizer, schedule, **options), 3)


def test_different_rates_beside_an_lr_scale_do_not_warn() -> None:
    optimizer = with_rates(1e-3, 0.1)
    optimizer.param_groups[0]["lr_scale"] = 0.01
    lrcore_torch.LRScheduler(optimizer, FALLING)


def test_a_second_scheduler_on_the_same_groups_does_not_warn_again() -> None:
    optimizer = with_rates(1e-3, 0.1)
    with pytest.warns(UserWarning, match="groups with one rate"):
        lrcore_torch.LRScheduler(optimizer, FALLING)
    lrcore_torch.LRScheduler(optimizer, OTHER)


def test_an_added_group_with_a_rate_of_its_own_warns_once() -> None:
    optimizer = sgd(lr=0.7)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    optimizer.add_param_group({"params": [parameter()]})
    optimizer.add_param_group({"params": [parameter()], "lr": FALLING(0)})
    with pytest.warns(UserWarning, match="expected an added group without a rate of its own, .*; got 2; set relative"):
        optimizer.add_param_group({"params": [parameter()], "lr": 2.0})
    optimizer.add_param_group({"params": [parameter()], "lr": 3.0})
    assert used_rates(optimizer, scheduler, 2) == expected(FALLING, range(2), *[1.0] * 5)


def test_none_in_a_list_keeps_the_rate_of_a_group() -> None:
    optimizer = with_rates(1e-3, 0.1, 0.0)
    scheduler = lrcore_torch.LRScheduler(optimizer, [None, FALLING, None])
    used = used_rates(optimizer, scheduler, 5)
    assert used == [[1e-3, FALLING(step), 0.0] for step in range(5)]
    state = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    optimizer = with_rates(1e-3, 0.1, 0.0)
    resumed = lrcore_torch.LRScheduler(optimizer, [None, FALLING, None])
    optimizer.load_state_dict(state[0])
    resumed.load_state_dict(state[1])
    assert update(optimizer) == [1e-3, FALLING(5), 0.0]


def test_none_in_a_relative_list_keeps_the_rate_of_a_group() -> None:
    optimizer = with_rates(1e-3, 0.1)
    scheduler = lrcore_torch.LRScheduler(optimizer, [None, FALLING], relative=True)
    assert used_rates(optimizer, scheduler, 3) == [[1e-3, FALLING(step) * 0.1] for step in range(3)]


# --- other keys -------------------------------------------------------------------------------------------------------


def decays(optimizer: torch.optim.Optimizer) -> list[float]:
    return [group["weight_decay"] for group in optimizer.param_groups]


def with_decays(*values: Any, kind: Any = torch.optim.AdamW) -> torch.optim.Optimizer:
    made: torch.optim.Optimizer = kind([{"params": [parameter()], "weight_decay": value} for value in values])
    return made


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_group_without_weight_decay_stays_without_where_others_have_some(kind: Any) -> None:
    optimizer = with_decays(0.1, 0.0, kind=kind)
    scheduler = lrcore_torch.LRScheduler(optimizer, 0.1, also={"weight_decay": OTHER})
    for step in range(3):
        assert decays(optimizer) == [OTHER(step), 0.0]
        update(optimizer)
        scheduler.step()
    optimizer.add_param_group({"params": [parameter()], "weight_decay": 0.0})
    optimizer.add_param_group({"params": [parameter()], "weight_decay": 0.1})
    assert decays(optimizer) == [OTHER(3), 0.0, 0.0, OTHER(3)]


def test_a_schedule_drives_the_weight_decay_of_all_groups_where_all_had_none() -> None:
    optimizer = sgd(2)
    lrcore_torch.LRScheduler(optimizer, 0.1, also={"weight_decay": OTHER})
    assert decays(optimizer) == [0.25, 0.25]


@pytest.mark.parametrize("order", ["optimizer, build", "build, optimizer"])
def test_a_group_without_weight_decay_is_known_again_where_the_schedule_has_reached_0(order: str) -> None:
    falling_to_0 = lrcore.PiecewiseConstant(boundaries=[2, 4], values=[0.1, 0.0, 0.2])
    optimizer = with_decays(0.1, 0.0)
    scheduler = lrcore_torch.LRScheduler(optimizer, 0.1, also={"weight_decay": falling_to_0})
    used_rates(optimizer, scheduler, 3)
    assert decays(optimizer) == [0.0, 0.0]
    states = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    optimizer = with_decays(0.1, 0.0)
    if order == "optimizer, build":
        optimizer.load_state_dict(states[0])
    resumed = lrcore_torch.LRScheduler(optimizer, 0.1, also={"weight_decay": falling_to_0})
    if order == "build, optimizer":
        optimizer.load_state_dict(states[0])
    resumed.load_state_dict(states[1])
    update(optimizer)
    resumed.step()
    assert decays(optimizer) == [0.2, 0.0]


def test_one_schedule_over_different_weight_decays_warns() -> None:
    optimizer = with_decays(0.1, 0.3, 0.0)
    with pytest.warns(UserWarning, match=r"groups with one weight_decay, .*; got 0\.1, 0\.3; give a list"):
        lrcore_torch.LRScheduler(optimizer, 0.1, also={"weight_decay": OTHER})
    assert decays(optimizer) == [0.25, 0.25, 0.0]
    lrcore_torch.LRScheduler(with_decays(0.1, 0.3), 0.1, also={"weight_decay": [OTHER, 0.3]})


def test_a_group_with_a_beta_of_0_keeps_it() -> None:
    groups = [{"params": [parameter()], "betas": betas} for betas in ((0.9, 0.999), (0.0, 0.999))]
    optimizer = torch.optim.AdamW(groups)
    lrcore_torch.LRScheduler(optimizer, 0.1, also={"momentum": OTHER})
    assert [group["betas"] for group in optimizer.param_groups] == [(0.25, 0.999), (0.0, 0.999)]


# --- factors in the code and in a saved optimizer ---------------------------------------------------------------------


def scaled(scale: float | None) -> tuple[torch.optim.Optimizer, Callable[..., lrcore_torch.LRScheduler]]:
    optimizer = sgd(2)
    if scale is not None:
        optimizer.param_groups[0]["lr_scale"] = scale
    return optimizer, lambda **options: lrcore_torch.LRScheduler(optimizer, FALLING, **options)


@pytest.mark.parametrize(("saved", "configured"), [(None, 0.1), (0.5, 0.1), (0.5, None)])
@pytest.mark.parametrize("way", ["manual", "attached"])
def test_another_lr_scale_in_the_saved_optimizer_is_decided_by_the_policy(
    saved: float | None, configured: float | None, way: str
) -> None:
    optimizer, make = scaled(saved)
    used_rates(optimizer, make(), 3)
    state = optimizer.state_dict()
    for policy in ("error", "same_past"):
        fresh, make = scaled(configured)
        scheduler = make(on_mismatch=policy, attach=way == "attached")
        before = scheduler.state_dict()
        with pytest.raises(
            lrcore.ScheduleError, match=r"lr_scale that the code gave group 0, .*; set on_mismatch to keep"
        ):
            fresh.load_state_dict(copy.deepcopy(state))
        assert scheduler.state_dict() == before
        assert update(fresh) == [FALLING(0) * (configured or 1.0), FALLING(0)]
    for policy, scale in (("keep_checkpoint", saved), ("use_config", configured)):
        fresh, make = scaled(configured)
        scheduler = make(on_mismatch=policy, attach=way == "attached")
        fresh.load_state_dict(copy.deepcopy(state))
        scheduler.sync(3)
        assert update(fresh) == [FALLING(3) * (scale or 1.0), FALLING(3)]


def test_an_equal_lr_scale_in_the_saved_optimizer_is_no_mismatch() -> None:
    optimizer, make = scaled(0.5)
    used_rates(optimizer, make(), 3)
    fresh, make = scaled(0.5)
    resumed = make()
    fresh.load_state_dict(optimizer.state_dict())
    assert used_rates(fresh, resumed, 1) == [[FALLING(0) * 0.5, FALLING(0)]]


@pytest.mark.parametrize(("policy", "base"), [("error", None), ("keep_checkpoint", 2.0), ("use_config", 4.0)])
def test_another_initial_lr_in_the_saved_optimizer_is_decided_by_the_policy(policy: Any, base: float | None) -> None:
    optimizer = sgd(lr=2.0)
    used_rates(optimizer, lrcore_torch.LRScheduler(optimizer, FALLING, relative=True), 3)
    fresh = sgd(lr=4.0)
    resumed = lrcore_torch.LRScheduler(fresh, FALLING, relative=True, on_mismatch=policy)
    if base is None:
        with pytest.raises(lrcore.ScheduleError, match="initial_lr that the code gave group 0, 4; got 2"):
            fresh.load_state_dict(optimizer.state_dict())
    else:
        fresh.load_state_dict(optimizer.state_dict())
        assert used_rates(fresh, resumed, 1) == [[FALLING(0) * base]]


def test_a_saved_optimizer_without_a_scheduler_keeps_the_initial_lr_of_the_code() -> None:
    fresh = sgd(lr=4.0)
    scheduler = lrcore_torch.LRScheduler(fresh, FALLING, relative=True)
    fresh.load_state_dict(sgd(lr=2.0).state_dict())
    assert used_rates(fresh, scheduler, 1) == [[FALLING(0) * 4.0]]


# --- another schedule for a live scheduler ----------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [0.1, tensor(0.1)], ids=["float", "tensor"])
def test_follow_goes_on_with_another_schedule_at_the_same_step(lr: Any) -> None:
    optimizer = sgd(2, lr=copy.deepcopy(lr))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, also={"weight_decay": 0.0})
    used_rates(optimizer, scheduler, 3)
    scheduler.follow(OTHER)
    assert used_rates(optimizer, scheduler, 2) == expected(OTHER, range(3, 5), 1.0, 1.0)
    scheduler.follow([FALLING, OTHER])
    assert used_rates(optimizer, scheduler, 2) == [[FALLING(step), OTHER(step)] for step in range(5, 7)]
    assert scheduler.schedule == [FALLING, OTHER]
    assert scheduler.state_dict() == lrcore.save_state(
        7, {"lr": [FALLING, OTHER], "weight_decay": lrcore.Constant(0.0)}
    )


def test_follow_refuses_what_the_constructor_refuses_and_changes_nothing() -> None:
    optimizer = sgd(2)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    bad: list[Any] = [[FALLING] * 3, lambda _: float("nan"), "no-such-file.toml", {"kind": "cosin"}]
    for given in bad:
        with pytest.raises(lrcore.ScheduleError):
            scheduler.follow(given)
    assert used_rates(optimizer, scheduler, 2) == expected(FALLING, range(3, 5), 1.0, 1.0)


def test_follow_keeps_the_scale_of_a_plateau() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Plateau(lrcore.Constant(0.4), factor=0.5, patience=0))
    for metric in (1.0, 2.0):
        scheduler.report(metric)
    scheduler.follow(lrcore.Plateau(lrcore.Constant(0.8), factor=0.5, patience=3))
    assert update(optimizer) == [0.4]
    scheduler.follow(lrcore.Constant(0.8))
    assert (update(optimizer), scheduler.plateau_state) == ([0.8], None)


def test_a_schedule_cannot_be_assigned_past_the_checks() -> None:
    scheduler: Any = lrcore_torch.LRScheduler(sgd(), FALLING)
    with pytest.raises(AttributeError):
        scheduler.schedule = OTHER


# --- what is given as a schedule --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["path", "text", "dict", "list of paths", "also"])
def test_a_schedule_may_be_a_path_a_text_or_a_dict(form: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(FALLING), encoding="utf-8")
    forms: dict[str, Any] = {
        "path": path,
        "text": path.read_text(encoding="utf-8"),
        "dict": FALLING.to_dict(),
        "list of paths": [str(path)],
        "also": 0.5,
    }
    optimizer = sgd()
    also = {"weight_decay": str(path)} if form == "also" else None
    scheduler = lrcore_torch.LRScheduler(optimizer, forms[form], also=also)
    if form == "also":
        assert decays(optimizer) == [FALLING(0)]
    else:
        assert used_rates(optimizer, scheduler, 3) == expected(FALLING, range(3))


def test_a_file_may_hold_a_plateau(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    plateau = lrcore.Plateau(lrcore.Constant(0.4), factor=0.5, patience=0)
    path.write_text(lrcore.dumps(plateau), encoding="utf-8")
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, path)
    assert scheduler.schedule == plateau
    scheduler.report(1.0)
    scheduler.report(1.0)
    assert update(optimizer) == [0.2]


# --- how often a function is asked ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["one", "a list", "relative", "also", "tensor", "attached", "plateau"])
def test_a_function_is_asked_once_for_each_step(form: str) -> None:
    asked: list[int] = []

    def rate(step: int) -> float:
        asked.append(step)
        return 0.1

    optimizer = sgd(2, lr=tensor(0.1) if form == "tensor" else 0.1)
    given: dict[str, Any] = {"a list": [rate, rate], "plateau": lrcore.Plateau(lrcore.Function(rate))}
    scheduler = lrcore_torch.LRScheduler(
        optimizer,
        given.get(form, rate),
        relative=form == "relative",
        also={"weight_decay": rate} if form == "also" else None,
        attach=form == "attached",
    )
    for _ in range(5):
        update(optimizer)
        if form != "attached":
            scheduler.step()
    assert asked == list(range(6))
