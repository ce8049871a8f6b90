"""Optimizers that wrap others, that skip updates inside, or that update by other methods than `step`."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from typing import Any

import pytest
import torch

import lrcore
import lrcore_torch
from tests.adapters.torch_loops import DEVICE, expected, parameter, sgd, update, used_rates

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)


# --- a state that is loaded before the first step ---------------------------------------------------------------------


@pytest.mark.parametrize("attached", [False, True])
def test_a_fresh_scheduler_rules_at_once_when_its_optimizer_loads_an_old_state(*, attached: bool) -> None:
    saved = sgd(lr=7.0).state_dict()
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, attach=attached)
    optimizer.load_state_dict(saved)
    assert scheduler.get_last_lr() == [FALLING(0)]
    assert update(optimizer) == [FALLING(0)]


# --- updates that are skipped inside ----------------------------------------------------------------------------------

GRADIENTS = (math.inf, 1.0, 1.0, math.nan, 1.0)
USED = [0.0, FALLING(0), FALLING(1), 0.0, FALLING(2)]


def movements_under_a_scaler(optimizer: torch.optim.Optimizer) -> list[float]:
    scaler = torch.amp.GradScaler(DEVICE.type, init_scale=4.0)
    moved = []
    for gradient in GRADIENTS:
        weight = optimizer.param_groups[0]["params"][0]
        weight.data.zero_()
        optimizer.zero_grad()
        scaler.scale(weight * gradient).sum().backward()
        scaler.step(optimizer)
        scaler.update()
        moved.append(-weight.item())
    return moved


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_attach_does_not_count_updates_that_a_fused_optimizer_skips(kind: Any) -> None:
    weight = torch.zeros(1, device=DEVICE, requires_grad=True)
    optimizer = kind([weight], fused=True)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, attach=True)
    assert movements_under_a_scaler(optimizer) == pytest.approx(USED, rel=1e-6)
    assert scheduler.last_epoch == 3


class SkipsInside(torch.optim.SGD):
    """An optimizer that is given the scaler, as GradScaler once did, and skips by itself."""

    _step_supports_amp_scaling = True

    def step(self, closure: Any = None, grad_scaler: Any = None) -> None:  # type: ignore[override]
        grad_scaler.unscale_(self)
        if not sum(one.item() for one in grad_scaler._found_inf_per_device(self).values()):
            super().step()


@pytest.mark.filterwarnings("ignore:GradScaler is going to stop:FutureWarning")
def test_attach_does_not_count_updates_that_an_optimizer_with_the_scaler_skips() -> None:
    optimizer = SkipsInside([parameter()])
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, attach=True)
    assert movements_under_a_scaler(optimizer) == USED
    assert scheduler.last_epoch == 3


# --- wrappers ---------------------------------------------------------------------------------------------------------


class Lookahead(torch.optim.Optimizer):
    """As pytorch_optimizer writes it: hooks for steps but none for loading; the groups are those of the optimizer inside."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.optimizer = optimizer
        self._optimizer_step_pre_hooks: Any = OrderedDict()
        self._optimizer_step_post_hooks: Any = OrderedDict()
        self._patch_step_function()  # type: ignore[no-untyped-call]

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optimizer.step(closure)

    def state_dict(self) -> Any:
        return {"base": self.optimizer.state_dict()}

    def add_param_group(self, param_group: Any) -> None:
        self.optimizer.add_param_group(param_group)

    def load_state_dict(self, state_dict: Any) -> None:
        self.optimizer.load_state_dict(state_dict["base"])


class LocalSGD(torch.optim.Optimizer):
    """As torch's PostLocalSGDOptimizer: no hooks, no defaults, and a reference to the groups of the optimizer inside."""

    def __init__(self, optim: torch.optim.Optimizer) -> None:
        self.optim = optim
        self.param_groups = optim.param_groups

    def step(self, closure: Any = None) -> Any:
        return self.optim.step(closure)

    def state_dict(self) -> Any:
        return self.optim.state_dict()

    def load_state_dict(self, state_dict: Any) -> None:
        self.optim.load_state_dict(state_dict)

    def add_param_group(self, param_group: Any) -> None:
        self.optim.add_param_group(param_group)


class Sam(torch.optim.Optimizer):
    """Sharpness-aware minimization, as its users write it: an update is `step`, or `first_step` and `second_step`."""

    def __init__(self, base: torch.optim.Optimizer) -> None:
        super().__init__(base.param_groups, base.defaults)
        self.base_optimizer = base
        self.param_groups = base.param_groups

    def first_step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.add_(0.125)

    def second_step(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                weight.data.sub_(0.125)
        self.base_optimizer.step()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.first_step()
        self.second_step()


@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("wrapper", [Lookahead, LocalSGD, Sam])
def test_a_wrapped_optimizer_trains_loads_and_takes_groups_like_any(wrapper: Any, *, attached: bool) -> None:
    def made() -> tuple[Any, lrcore_torch.LRScheduler]:
        optimizer = wrapper(sgd())
        return optimizer, lrcore_torch.LRScheduler(optimizer, FALLING, attach=attached)

    def go_on(optimizer: Any, scheduler: lrcore_torch.LRScheduler, updates: int) -> list[list[float]]:
        if not attached:
            return used_rates(optimizer, scheduler, updates)
        return [update(optimizer) for _ in range(updates)]

    optimizer, scheduler = made()
    assert go_on(optimizer, scheduler, 3) == expected(FALLING, range(3))
    states = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
    optimizer, scheduler = made()
    scheduler.load_state_dict(states[1])
    optimizer.load_state_dict(states[0])
    assert go_on(optimizer, scheduler, 3) == expected(FALLING, range(3, 6))
    optimizer.add_param_group({"params": [parameter()]})
    assert go_on(optimizer, scheduler, 3) == expected(FALLING, range(6, 9), 1.0, 1.0)


@pytest.mark.parametrize("attached", [False, True])
def test_two_steps_of_sam_are_one_update(*, attached: bool) -> None:
    base = sgd()
    optimizer = Sam(base)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, attach=attached)
    weight = base.param_groups[0]["params"][0]
    used = []
    for number in range(6):
        weight.data.zero_()
        weight.grad = torch.ones_like(weight)
        if number == 4:
            optimizer.step()
        else:
            optimizer.first_step()
            optimizer.second_step()
        used.append(-weight.item())
        if not attached:
            scheduler.step()
    assert used == [FALLING(step) for step in range(6)]
    scheduler.detach()
    base.step()
    assert scheduler.last_epoch == 6


class Subclass(torch.optim.SGD):
    """An optimizer that calls the `step` of its base class, and may fail before."""

    fails = False

    def step(self, closure: Any = None) -> Any:  # type: ignore[override]
        if self.fails:
            raise RuntimeError("out of memory")
        return super().step(closure)


@pytest.mark.parametrize("kind", [Subclass, lambda weights: Sam(Subclass(weights))], ids=["alone", "in a wrapper"])
def test_a_subclass_of_an_optimizer_makes_one_update_for_each_step(kind: Any) -> None:
    sgd()  # torch hooks the base class when it is first used
    optimizer = kind([parameter()])
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, attach=True)
    assert [update(optimizer) for _ in range(3)] == expected(FALLING, range(3))
    Subclass.fails = True
    try:
        with pytest.raises(RuntimeError, match="out of memory"):
            update(optimizer)
    finally:
        Subclass.fails = False
    assert [update(optimizer) for _ in range(3)] == expected(FALLING, range(3, 6))
    assert scheduler.last_epoch == 6


class UpdatesElsewhere(torch.optim.SGD):
    """An optimizer whose `step` its users do not call."""

    @torch.no_grad()
    def finish(self) -> None:
        for group in self.param_groups:
            for weight in group["params"]:
                weight.sub_(group["lr"] * weight.grad)


@pytest.mark.parametrize("read", ["get_last_lr", "get_used_lr", "state_dict"])
def test_an_attached_scheduler_that_sees_updates_and_no_hook_warns_once(read: str) -> None:
    optimizer = UpdatesElsewhere([parameter()])
    weight = optimizer.param_groups[0]["params"][0]
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, attach=True)
    getattr(scheduler, read)()
    torch.nn.init.trunc_normal_(weight)
    getattr(scheduler, read)()  # initialising the weights is no update
    for _ in range(40):
        weight.grad = torch.ones_like(weight)
        optimizer.finish()
    with pytest.warns(
        UserWarning, match="expected updates by UpdatesElsewhere.step; got weights that change without it"
    ):
        getattr(scheduler, read)()
    getattr(scheduler, read)()


def test_an_attached_scheduler_that_is_called_does_not_warn_of_other_changes_of_the_weights() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, attach=True)
    update(optimizer)
    for _ in range(40):
        optimizer.param_groups[0]["params"][0].data.zero_()
    assert scheduler.state_dict()["step"] == 1
