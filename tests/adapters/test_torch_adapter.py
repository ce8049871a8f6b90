"""The torch scheduler in training: the weights show which rate every update used."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict

import lrcore
import lrcore_torch
from lrcore import adapting
from tests.adapters.torch_loops import DEVICE, SCHEDULE, expected, parameter, sgd, tensor, update, used_rates

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)
SCHEDULES = [
    SCHEDULE,
    FALLING,
    lrcore.Constant(0.1),
    lrcore.Linear(init_value=0.2, end_value=0.0, decay_steps=30).cooldown(10, start=20),
    lrcore.PiecewiseConstant(boundaries=[5, 50], values=[0.3, 0.2, 0.1]),
    lrcore.Repeat(lrcore.Cosine(init_value=0.05, end_value=0.0, decay_steps=10), length_factor=2),
    lrcore.Every(FALLING, steps=7),
    adapting.as_schedule(lambda step: 0.1 / (step + 1)),
]
OPTIMIZERS = [
    name
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and kind is not torch.optim.Optimizer
]


def bad_at(step: int, value: Any) -> Any:
    """A function that returns 0.1, but at `step` returns `value` or raises it."""

    def rate(now: int) -> Any:
        if now != step:
            return 0.1
        if isinstance(value, Exception):
            raise value
        return value

    return rate


# --- the rate used ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_weights_follow_the_schedule(schedule: lrcore.Schedule) -> None:
    optimizer = sgd(3)
    optimizer.param_groups[1]["lr_scale"] = 0.1
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule)
    assert used_rates(optimizer, scheduler, 200) == expected(schedule, range(200), 1.0, 0.1, 1.0)


def test_our_scheduler_is_a_torch_scheduler() -> None:
    scheduler = lrcore_torch.LRScheduler(sgd(), SCHEDULE)
    assert isinstance(scheduler, torch.optim.lr_scheduler.LRScheduler)
    assert not hasattr(scheduler, "total_steps")  # Accelerate stops stepping a scheduler that has it at that step
    assert not hasattr(scheduler, "_schedulers")  # SequentialLR treats a scheduler that has it as a composite


def test_a_plain_function_may_return_any_number() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, lambda step: np.float64(0.5) ** step)
    assert used_rates(optimizer, scheduler, 4) == [[1.0], [0.5], [0.25], [0.125]]
    assert type(optimizer.param_groups[0]["lr"]) is float
    assert [type(rate) for rate in scheduler.get_last_lr()] == [float]


def test_a_function_gives_rates_and_not_factors() -> None:
    """LambdaLR multiplies by the optimizer's rate: a function that returns the rate trains with its square."""
    optimizer = sgd(lr=1e-3)
    assert used_rates(optimizer, lrcore_torch.LRScheduler(optimizer, lambda _: 1e-3), 3) == [[1e-3]] * 3


@pytest.mark.parametrize("number", [0.25, np.float32(0.25), np.int64(2)], ids=repr)
def test_a_list_gives_each_group_a_schedule_or_a_number(number: Any) -> None:
    optimizer = sgd(3)
    scheduler = lrcore_torch.LRScheduler(optimizer, [SCHEDULE, number, SCHEDULE])
    assert used_rates(optimizer, scheduler, 30) == [[SCHEDULE(step), number, SCHEDULE(step)] for step in range(30)]


def test_groups_with_the_same_schedule_evaluate_it_once() -> None:
    asked: list[int] = []

    def rate(step: int) -> float:
        asked.append(step)
        return 0.1

    schedule = adapting.as_schedule(rate)
    for given in (schedule, [schedule] * 50):
        optimizer = sgd(50)
        scheduler = lrcore_torch.LRScheduler(optimizer, given)
        used_rates(optimizer, scheduler, 3)
        asked.clear()
        used_rates(optimizer, scheduler, 2)
        assert asked == [4, 5]


def test_relative_multiplies_initial_lr() -> None:
    optimizer = torch.optim.SGD([{"params": [parameter()], "lr": rate} for rate in (1.0, 0.1)])
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, relative=True)
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(5), 1.0, 0.1)
    optimizer.add_param_group({"params": [parameter()], "lr": 4.0})
    scheduler.step()
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(6, 11), 1.0, 0.1, 4.0)


def test_lr_scale_may_change_during_the_run() -> None:
    optimizer = sgd(2)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 5)
    optimizer.param_groups[1]["lr_scale"] = 0.5
    scheduler.sync()
    assert used_rates(optimizer, scheduler, 2) == expected(FALLING, range(5, 7), 1.0, 0.5)
    del optimizer.param_groups[1]["lr_scale"]
    scheduler.step()
    assert used_rates(optimizer, scheduler, 2) == expected(FALLING, range(8, 10), 1.0, 1.0)


@pytest.mark.parametrize("scale", [0.5, 1, np.float64(0.5), np.float32(0.5), torch.tensor(0.5)], ids=repr)
def test_lr_scale_may_be_any_number_type_and_the_rate_is_a_float(scale: Any) -> None:
    optimizer = sgd()
    optimizer.param_groups[0]["lr_scale"] = scale
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(5), float(scale))
    assert {type(rate) for rate in (optimizer.param_groups[0]["lr"], *scheduler.get_last_lr())} == {float}


@pytest.mark.parametrize("lr", [0.7, tensor(0.7)], ids=["float", "tensor"])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("attached", [False, True])
def test_a_group_added_during_the_run_is_scheduled_from_the_next_update(
    *, attached: bool, relative: bool, lr: float | torch.Tensor
) -> None:
    optimizer = sgd(lr=copy.deepcopy(lr))
    options: dict[str, Any] = {"relative": relative, "also": {"weight_decay": FALLING}}
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, **options)
    if attached:
        scheduler.attach()
    scales = (0.7, 2.0) if relative else (1.0, 1.0)
    for step in range(6):
        if step == 3:
            optimizer.add_param_group({"params": [parameter()], **({"lr": 2.0} if relative else {})})
            assert optimizer.param_groups[1]["weight_decay"] == FALLING(3)
        assert update(optimizer) == expected(FALLING, range(step, step + 1), *scales)[0][: len(optimizer.param_groups)]
        if not attached:
            scheduler.step()


def test_a_group_appended_by_other_code_is_scheduled_from_the_next_step() -> None:
    optimizer = sgd(lr=0.7)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    optimizer.param_groups.append({**optimizer.param_groups[0], "params": [parameter()], "lr": 0.7})
    assert update(optimizer) == [FALLING(3), 0.7]
    scheduler.step()
    assert used_rates(optimizer, scheduler, 2) == expected(FALLING, range(4, 6), 1.0, 1.0)


def test_an_added_group_without_a_schedule_in_the_list_is_refused() -> None:
    optimizer = sgd(2)
    with pytest.raises(lrcore.ScheduleError, match="one schedule for each of 2 groups; got 3"):
        lrcore_torch.LRScheduler(optimizer, [FALLING] * 3)
    scheduler = lrcore_torch.LRScheduler(optimizer, [FALLING, SCHEDULE])
    optimizer.add_param_group({"params": [parameter()]})
    update(optimizer)
    with pytest.raises(lrcore.ScheduleError, match=r"one schedule for each of 3 groups; got 2; .* follow\(\)"):
        scheduler.step()
    scheduler.follow([FALLING, SCHEDULE, FALLING])
    scheduler.step()
    assert update(optimizer) == [FALLING(1), SCHEDULE(1), FALLING(1)]


def test_replaced_groups_are_scheduled() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    optimizer.param_groups = [dict(group) for group in optimizer.param_groups]
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(5))


def test_optimizers_that_share_a_schedule_count_their_own_steps() -> None:
    first, second = sgd(), sgd()
    schedulers = [lrcore_torch.LRScheduler(optimizer, FALLING) for optimizer in (first, second)]
    used_rates(first, schedulers[0], 10)
    assert used_rates(second, schedulers[1], 5) == expected(FALLING, range(5))


def test_a_second_scheduler_starts_at_its_own_first_value() -> None:
    optimizer = sgd()
    used_rates(optimizer, lrcore_torch.LRScheduler(optimizer, lrcore.Linear(init_value=0.1, decay_steps=3)), 5)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(5))


def test_the_default_dtype_does_not_round_the_rate() -> None:
    torch.set_default_dtype(torch.bfloat16)
    try:
        optimizer = sgd()
        scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
        assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(5))
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["float", "tensor"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_torch_optimizer_follows_the_schedule(name: str, lr: float | torch.Tensor) -> None:
    weight = torch.nn.Parameter(torch.ones(3, 2, device=DEVICE))
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)([weight], lr=copy.deepcopy(lr))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)

    def loss() -> torch.Tensor:
        weight.grad = torch.ones_like(weight)
        if name == "SparseAdam":
            weight.grad = weight.grad.to_sparse()
        return weight.sum()

    for step in range(4):
        assert float(optimizer.param_groups[0]["lr"]) == pytest.approx(FALLING(step))
        loss()
        optimizer.step(loss if name == "LBFGS" else None)  # type: ignore[arg-type]
        scheduler.step()
    assert isinstance(optimizer.param_groups[0]["lr"], torch.Tensor) == isinstance(lr, torch.Tensor)


# --- rates that are tensors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,)])
def test_a_shared_rate_tensor_is_cloned_for_each_group_and_filled_in_place(shape: tuple[int, ...]) -> None:
    rate = tensor(0.1, torch.float32, shape)
    optimizer = sgd(2, lr=rate)
    optimizer.param_groups[1]["lr_scale"] = 5.0
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)
    held = [group["lr"] for group in optimizer.param_groups]
    assert held[0] is rate
    used = used_rates(optimizer, scheduler, 100)
    assert used == [pytest.approx(row, rel=1e-7) for row in expected(SCHEDULE, range(100), 1.0, 5.0)]
    assert all(group["lr"] is tensor for group, tensor in zip(optimizer.param_groups, held, strict=True))
    assert scheduler.get_last_lr() == [SCHEDULE(100), SCHEDULE(100) * 5.0]


def test_groups_that_share_a_tensor_again_get_their_own_again() -> None:
    optimizer = sgd(2, lr=tensor(0.5))
    optimizer.param_groups[1]["lr_scale"] = 0.5
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    shared = tensor(FALLING(3))
    for group in optimizer.param_groups:
        group["lr"] = shared
    with pytest.warns(UserWarning, match="written into group 1"):
        scheduler.step()
    assert used_rates(optimizer, scheduler, 3) == expected(FALLING, range(4, 7), 1.0, 0.5)


def test_groups_added_with_the_default_tensor_get_their_own() -> None:
    optimizer = sgd(1, lr=tensor(0.5))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, relative=True)
    used_rates(optimizer, scheduler, 5)
    for _ in range(2):
        optimizer.add_param_group({"params": [parameter()]})
    scheduler.step()
    assert len({id(group["lr"]) for group in optimizer.param_groups}) == 3
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.5, 0.5, 0.5]


def test_a_rate_tensor_replaced_by_loading_is_written() -> None:
    optimizer = sgd(1, lr=tensor(0.1))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    before = optimizer.param_groups[0]["lr"]
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    after = optimizer.param_groups[0]["lr"]
    assert after is not before
    scheduler.sync(1)
    assert update(optimizer) == [FALLING(1)]
    assert optimizer.param_groups[0]["lr"] is after


# --- other keys of the groups -----------------------------------------------------------------------------------------


def test_also_drives_weight_decay_and_betas() -> None:
    decay = lrcore.Linear(init_value=0.5, end_value=0.1, decay_steps=20)
    beta = lrcore.Linear(init_value=0.5, end_value=0.9, decay_steps=10)
    weight = parameter(1.0)
    optimizer = torch.optim.AdamW([weight], eps=1e-8)
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE, also={"weight_decay": decay, "betas": (beta, 0.95)})
    expected_weight, mean, square, kept, kept_square = 1.0, 0.0, 0.0, 1.0, 1.0
    for step in range(30):
        gradient = math.sin(step) + 2
        weight.grad = torch.full_like(weight, gradient)
        optimizer.step()
        scheduler.step()
        rate, first = SCHEDULE(step), beta(step)
        # AdamW of the paper, but as in torch the bias correction is the current beta to the power of the step count.
        mean, square = first * mean + (1 - first) * gradient, 0.95 * square + 0.05 * gradient**2
        kept, kept_square = first ** (step + 1), 0.95 ** (step + 1)
        expected_weight -= rate * decay(step) * expected_weight
        expected_weight -= rate * (mean / (1 - kept)) / (math.sqrt(square / (1 - kept_square)) + 1e-8)
        assert weight.item() == pytest.approx(expected_weight, rel=1e-12)


def test_also_takes_a_list_with_one_schedule_for_each_group() -> None:
    optimizer = sgd(2)
    scheduler = lrcore_torch.LRScheduler(optimizer, 0.1, also={"weight_decay": [FALLING, 0.0]})
    for step in range(3):
        assert [group["weight_decay"] for group in optimizer.param_groups] == [FALLING(step), 0.0]
        update(optimizer)
        scheduler.step()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.RMSprop, torch.optim.AdamW])
def test_momentum_is_the_first_beta_where_there_are_betas(kind: Any) -> None:
    optimizer = kind([parameter()])
    scheduler = lrcore_torch.LRScheduler(optimizer, 0.1, also={"momentum": FALLING})
    update(optimizer)
    scheduler.step()
    group = optimizer.param_groups[0]
    assert (group["betas"] if "betas" in group else (group["momentum"], 0.999)) == (FALLING(1), 0.999)


def test_also_refuses_a_group_without_the_key_before_any_group_changes() -> None:
    optimizer = sgd(2)
    optimizer.param_groups[0]["temperature"] = 1.0
    before = [dict(group) for group in optimizer.param_groups]
    with pytest.raises(lrcore.ScheduleError, match="temperature at step 0: expected it in each group; got none in 1"):
        lrcore_torch.LRScheduler(optimizer, FALLING, also={"temperature": FALLING})
    assert optimizer.param_groups == before


def test_tensor_betas_are_filled_in_place() -> None:
    betas = (tensor(0.9), tensor(0.999))
    optimizer = torch.optim.AdamW([parameter()], lr=tensor(0.1), betas=betas, foreach=False)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, also={"momentum": FALLING})
    update(optimizer)
    scheduler.step()
    assert optimizer.param_groups[0]["betas"][0] is betas[0]
    assert betas[0].item() == pytest.approx(FALLING(1))


@pytest.mark.parametrize(
    ("also", "words"),
    [
        (
            {"weigth_decay": FALLING},
            r"also\['weigth_decay'\]: expected a key of the parameter groups with a number \(betas, eps,",
        ),
        ({"lr": FALLING}, r"also\['lr'\]: expected a key"),
        ({"amsgrad": 1.0}, r"also\['amsgrad'\]: expected a key of the parameter groups with a number"),
        (
            {"momentum": 0.9, "betas": (0.9, 0.99)},
            "also: expected momentum or betas, of which it is the first; got both",
        ),
        ({"betas": FALLING}, r"also\['betas'\]: expected a tuple of 2, each a schedule or a number"),
        ({"betas": (FALLING, object())}, r"also\['betas'\]\[1\]: expected a lrcore schedule"),
        ({"weight_decay": [FALLING, FALLING]}, "weight_decay: expected one schedule for each of 1 groups; got 2"),
        ({"momentum": 1.0}, r"betas at step 0: expected a value in \[0, 1\); got 1.0"),
    ],
)
def test_also_refuses_other_forms_and_says_what_it_expects(also: dict[str, Any], words: str) -> None:
    optimizer = torch.optim.AdamW([parameter()])
    with pytest.raises(lrcore.ScheduleError, match=words):
        lrcore_torch.LRScheduler(optimizer, SCHEDULE, also=also)
    assert optimizer.param_groups[0]["lr"] == 1e-3


# --- step, attach, sync -----------------------------------------------------------------------------------------------


def test_attach_counts_updates_and_not_micro_batches() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING).attach()
    used = []
    for batch in range(40):
        if batch % 4 == 3:
            used += update(optimizer)
            optimizer.zero_grad()
    assert used == [FALLING(step) for step in range(10)]
    assert scheduler.last_epoch == 10


def test_attach_does_not_count_updates_that_gradscaler_skips() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING).attach()
    scaler = torch.amp.GradScaler(DEVICE.type, init_scale=4.0)
    used = []
    for gradient in (math.inf, 1.0, 1.0, math.nan, 1.0):
        weight = optimizer.param_groups[0]["params"][0]
        weight.data.zero_()
        optimizer.zero_grad()
        scaler.scale(weight * gradient).sum().backward()
        scaler.step(optimizer)
        scaler.update()
        used.append(-weight.item())
    assert used == [0.0, FALLING(0), FALLING(1), 0.0, FALLING(2)]
    assert scheduler.last_epoch == 3


@pytest.mark.parametrize("lr", [0.1, tensor(0.1)], ids=["float", "tensor"])
def test_attach_counts_updates_at_a_scheduled_rate_of_0(lr: float | torch.Tensor) -> None:
    optimizer = sgd(lr=copy.deepcopy(lr))
    scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Constant(0.1).cooldown(0, start=2)).attach()
    for _ in range(4):
        optimizer.step(closure=None)
    assert scheduler.last_epoch == 4


def test_step_after_attach_makes_no_step() -> None:
    """Lightning calls `step` once an epoch, however the scheduler counts."""
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING).attach().attach()
    for step in range(4):
        assert update(optimizer) == [FALLING(step)]
        scheduler.step()
        assert scheduler.last_epoch == step + 1
    with pytest.raises(
        RuntimeError, match=r"step: expected no argument, since attach\(\) counts the updates; got 2; sync"
    ):
        scheduler.step(2)
    scheduler.detach()
    scheduler.detach()
    assert used_rates(optimizer, scheduler, 3) == expected(FALLING, range(4, 7))


class Wrapper(torch.optim.Optimizer):
    """A wrapper as trainers write it: a subclass that does not call `Optimizer.__init__` and delegates to another one."""

    def __init__(self, optimizer: Any) -> None:
        self.optimizer = optimizer
        self.defaults = getattr(optimizer, "defaults", {})

    @property
    def param_groups(self) -> Any:
        return self.optimizer.param_groups

    def step(self, closure: Any = None) -> None:
        self.optimizer.step()

    def load_state_dict(self, state_dict: Any) -> None:
        self.optimizer.load_state_dict(state_dict)


@pytest.mark.parametrize("attached", [False, True])
def test_a_wrapped_optimizer_uses_the_hooks_of_the_inner_one(*, attached: bool) -> None:
    optimizer = Wrapper(sgd())
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    if attached:
        scheduler.attach()
    for step in range(4):
        assert update(optimizer) == [FALLING(step)]
        if not attached:
            scheduler.step()
    optimizer.load_state_dict(sgd().state_dict())
    assert update(optimizer) == [FALLING(4)]


def test_attach_refuses_an_optimizer_without_hooks() -> None:
    scheduler = lrcore_torch.LRScheduler(Wrapper(SimpleNamespace(param_groups=sgd().param_groups)), FALLING)
    with pytest.raises(TypeError, match="attach: expected an optimizer with torch's hooks; got Wrapper"):
        scheduler.attach()


@pytest.mark.parametrize("schedule", [FALLING, SCHEDULE], ids=["from 0.5", "from 0"])
@pytest.mark.parametrize("lr", [0.1, tensor(0.1)], ids=["float", "tensor"])
def test_attach_does_not_count_the_dry_run_of_distributed_checkpoint(
    schedule: lrcore.Schedule, lr: float | torch.Tensor
) -> None:
    """torch.distributed.checkpoint makes one step at lr 0 before it saves or loads, to create the optimizer's state."""
    model = torch.nn.Linear(1, 1, bias=False, device=DEVICE, dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=copy.deepcopy(lr))
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule).attach()
    get_optimizer_state_dict(model, optimizer)
    assert scheduler.last_epoch == 0
    for step in range(3):
        assert update(optimizer) == [schedule(step)]


def test_sync_goes_to_the_step_of_another_counter() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    for global_step in (7, np.int64(3), 3, 1000):
        scheduler.sync(global_step)
        assert update(optimizer) == [FALLING(int(global_step))]
        assert scheduler.last_epoch == global_step
    scheduler.step()
    assert update(optimizer) == [FALLING(1001)]


@pytest.mark.parametrize("step", [-1, 1.5, True, "3"])
def test_sync_refuses_what_is_not_a_step(step: Any) -> None:
    scheduler = lrcore_torch.LRScheduler(sgd(), FALLING)
    with pytest.raises(lrcore.ScheduleError, match="expected an integer >= 0, the number of updates already made"):
        scheduler.sync(step)
    assert scheduler.last_epoch == 0


def test_step_with_a_number_goes_to_that_step_and_warns_once() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    update(optimizer)
    with pytest.warns(
        UserWarning, match="step: expected no argument; got 5, which is taken as the updates already made"
    ):
        scheduler.step(5)
    assert (scheduler.last_epoch, update(optimizer)) == (5, [FALLING(5)])
    scheduler.step(7)
    assert (scheduler.last_epoch, update(optimizer)) == (7, [FALLING(7)])


@pytest.mark.parametrize("last_epoch", [-2, 1.5, True, "3", None])
def test_last_epoch_must_be_a_step_or_minus_1(last_epoch: Any) -> None:
    optimizer = sgd(lr=0.7)
    with pytest.raises(lrcore.ScheduleError, match="last_epoch: expected an integer >= 0"):
        lrcore_torch.LRScheduler(optimizer, FALLING, last_epoch=last_epoch)
    assert optimizer.param_groups[0]["lr"] == 0.7
    assert type(lrcore_torch.LRScheduler(optimizer, FALLING, last_epoch=np.int64(3)).last_epoch) is int  # type: ignore[arg-type]


@pytest.mark.parametrize("relative", [False, True])
def test_last_epoch_starts_in_mid_schedule(*, relative: bool) -> None:
    """Torch's SequentialLR would start in its first part, and torch refuses a fresh optimizer."""
    schedule = lrcore.Join([SCHEDULE, FALLING], boundaries=[3])
    optimizer = sgd(lr=1.0)
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule, last_epoch=6, relative=relative)
    assert used_rates(optimizer, scheduler, 5) == expected(FALLING, range(4, 9))


def test_a_framework_may_set_last_epoch_and_call_get_lr() -> None:
    """Ignite increments `last_epoch` and writes the result of `get_lr` itself."""
    optimizer = sgd(2)
    optimizer.param_groups[1]["lr_scale"] = 0.1
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    for step in range(1, 10):
        scheduler.last_epoch += 1
        assert scheduler.get_lr() == scheduler.get_lr() == expected(FALLING, range(step, step + 1), 1.0, 0.1)[0]
    assert scheduler.get_last_lr() == [FALLING(0), FALLING(0) * 0.1]


def test_reading_the_rates_changes_nothing() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    state = scheduler.state_dict()
    scheduler.get_last_lr().clear()
    scheduler.get_used_lr().clear()
    with ThreadPoolExecutor(4) as pool:
        rates = list(pool.map(lambda _: (scheduler.get_lr(), scheduler.get_last_lr()), range(100)))
    assert rates == [([FALLING(3)], [FALLING(3)])] * 100
    assert scheduler.state_dict() == state
    assert used_rates(optimizer, scheduler, 2) == expected(FALLING, range(3, 5))


# --- what goes wrong --------------------------------------------------------------------------------------------------


FORMS: dict[str, Any] = {
    "list": lambda optimizer, bad: lrcore_torch.LRScheduler(optimizer, [FALLING, bad]),
    "also": lambda optimizer, bad: lrcore_torch.LRScheduler(optimizer, FALLING, also={"weight_decay": bad}),
    "also a list": lambda optimizer, bad: lrcore_torch.LRScheduler(optimizer, FALLING, also={"momentum": [0.1, bad]}),
    "relative": lambda optimizer, bad: lrcore_torch.LRScheduler(optimizer, bad, relative=True),
    "plateau": lambda optimizer, bad: lrcore_torch.LRScheduler(
        optimizer, lrcore.Plateau(adapting.as_schedule(bad), factor=0.5, patience=0)
    ),
    "attached": lambda optimizer, bad: lrcore_torch.LRScheduler(optimizer, bad).attach(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("lr", [0.7, tensor(0.7)], ids=["float", "tensor"])
@pytest.mark.parametrize("value", [math.nan, ZeroDivisionError("in the schedule")], ids=repr)
def test_a_failing_schedule_in_any_form_changes_nothing(
    value: Any, lr: float | torch.Tensor, step: int, form: str
) -> None:
    optimizer = sgd(2, lr=copy.deepcopy(lr))
    scheduler = FORMS[form](optimizer, bad_at(step, value))

    def all_of_it() -> Any:
        groups = [{key: one for key, one in group.items() if key != "params"} for group in optimizer.param_groups]
        return copy.deepcopy(groups), scheduler.state_dict(), scheduler.get_last_lr(), scheduler.get_used_lr()

    def go_on() -> None:
        update(optimizer)
        if form != "attached":
            scheduler.step()

    for _ in range(step - 1):
        go_on()
    before = all_of_it()
    for _ in range(2):
        with pytest.raises((lrcore.ScheduleError, ZeroDivisionError)):
            go_on()
    assert all_of_it() == before
    scheduler.sync(step + 1)
    go_on()
    assert scheduler.last_epoch == step + 2


@pytest.mark.parametrize("value", [math.nan, math.inf, "0.1", None, ZeroDivisionError("in the schedule")], ids=repr)
@pytest.mark.parametrize("step", [1, 4])
def test_a_failing_schedule_changes_nothing(step: int, value: Any) -> None:
    optimizer = torch.optim.AdamW([parameter()])
    also = {"weight_decay": FALLING}
    scheduler = lrcore_torch.LRScheduler(optimizer, bad_at(step, value), also=also)
    for _ in range(step - 1):
        update(optimizer)
        scheduler.step()
    update(optimizer)
    group, state = dict(optimizer.param_groups[0]), scheduler.state_dict()
    error = type(value) if isinstance(value, Exception) else lrcore.ScheduleError
    for _ in range(2):
        with pytest.raises(error):
            scheduler.step()
    assert optimizer.param_groups[0] == group
    assert (scheduler.state_dict(), scheduler.last_epoch, scheduler.get_last_lr()) == (state, step - 1, [0.1])
    scheduler.sync(step + 1)
    assert optimizer.param_groups[0]["weight_decay"] == FALLING(step + 1)


def test_a_failing_schedule_of_another_key_does_not_change_the_rate() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING, also={"momentum": bad_at(2, 1.5)})
    update(optimizer)
    scheduler.step()
    with pytest.raises(lrcore.ScheduleError, match=r"momentum at step 2: expected a value in \[0, 1\); got 1.5"):
        scheduler.step()
    assert optimizer.param_groups[0]["lr"] == FALLING(1)


@pytest.mark.parametrize(
    ("scale", "words"),
    [
        (math.nan, "step 4: expected finite rates"),
        (math.inf, "step 4: expected finite rates"),
        (None, "lr_scale of group 0: expected a number; got None"),
        ([1.0], r"lr_scale of group 0: expected a number; got \[1.0\]"),
    ],
)
def test_lr_scale_must_be_a_finite_number(scale: Any, words: str) -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    optimizer.param_groups[0]["lr_scale"] = scale
    with pytest.raises(lrcore.ScheduleError, match=words):
        scheduler.step()
    assert (update(optimizer), scheduler.last_epoch) == ([FALLING(3)], 3)


def test_a_schedule_that_fails_at_its_first_step_leaves_the_optimizer_unchanged() -> None:
    optimizer = sgd(lr=0.7)
    before = dict(optimizer.param_groups[0])
    with pytest.raises(ZeroDivisionError):
        lrcore_torch.LRScheduler(optimizer, lambda step: 1 / step)
    assert optimizer.param_groups[0] == before


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("model", SCHEDULE), TypeError, "expected a torch.optim.Optimizer; got str"),
        ((None, "cosine"), lrcore.ScheduleError, "LRScheduler.schedule: .*cosine"),
        (
            (None, b"cosine"),
            lrcore.ScheduleError,
            "LRScheduler.schedule: expected a lrcore schedule, .*; got b'cosine'",
        ),
        ((None, [SCHEDULE, "cosine"]), lrcore.ScheduleError, r"LRScheduler.schedule\[1\]: .*cosine"),
    ],
)
def test_wrong_arguments_are_named(arguments: tuple[Any, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        lrcore_torch.LRScheduler(arguments[0] or sgd(2), arguments[1])


@pytest.mark.parametrize("also", ["weight_decay", [SCHEDULE]])
def test_also_must_be_a_dict(also: Any) -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"also: expected a dict, such as \{'weight_decay': schedule\}; got"):
        lrcore_torch.LRScheduler(sgd(), SCHEDULE, also=also)


def test_stepping_before_the_optimizer_warns_once() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    with pytest.warns(UserWarning, match=r"before `optimizer\.step"):
        scheduler.step()
    update(optimizer)
    scheduler.step()
    assert update(optimizer) == [FALLING(2)]


@pytest.mark.parametrize("steps", [2, 3, 4, 8])
def test_several_steps_for_each_update_warn_once(steps: int) -> None:
    optimizer = sgd(2)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(8):
            update(optimizer)
            for _ in range(steps):
                scheduler.step()
    words = f"step: expected one call for each update; got {steps}, so that the schedule runs {steps} times as fast"
    assert [words in str(warning.message) for warning in caught] == [True]
    assert caught[0].filename == __file__


def test_a_varying_number_of_steps_for_each_update_does_not_warn() -> None:
    """A loss scaler that skips updates makes the number vary."""
    optimizer = sgd(2)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    scaler = torch.amp.GradScaler(DEVICE.type, init_scale=4.0)
    weight = optimizer.param_groups[0]["params"][0]
    for step, gradient in enumerate((1.0, math.inf, 1.0, math.nan, 1.0, math.inf, 1.0, 1.0, math.inf, 1.0)):
        weight.data.zero_()
        optimizer.zero_grad()
        scaler.scale(weight * gradient).sum().backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
        assert -weight.item() == (FALLING(step) if gradient == 1.0 else 0.0)


def test_updates_without_a_gradient_are_counted() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    for step in range(20):
        optimizer.param_groups[0]["params"][0].grad = None
        if step % 2:
            assert update(optimizer) == [FALLING(step)]
        else:
            optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("done", [0, 1, 20])
def test_a_state_loaded_by_the_optimizer_alone_does_not_restore_its_rate(done: int) -> None:
    """Some runs restore the best weights and continue the schedule."""
    optimizer = sgd(2)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, done)
    saved = copy.deepcopy(optimizer.state_dict())
    used_rates(optimizer, scheduler, 5)
    optimizer.load_state_dict(saved)
    assert used_rates(optimizer, scheduler, 3) == expected(FALLING, range(done + 5, done + 8), 1.0, 1.0)


@pytest.mark.parametrize("attached", [False, True])
@pytest.mark.parametrize("lr", [0.5, tensor(0.5)], ids=["float", "tensor"])
@pytest.mark.parametrize("scale", [None, 0.5])
def test_get_used_lr_is_the_rate_of_the_last_update(
    scale: float | None, lr: float | torch.Tensor, *, attached: bool
) -> None:
    optimizer = sgd(2, lr=copy.deepcopy(lr))
    if scale is not None:
        optimizer.param_groups[1]["lr_scale"] = scale
    restarts = lrcore.Repeat(lrcore.Cosine(init_value=0.5, end_value=0.01, decay_steps=4))
    scheduler = lrcore_torch.LRScheduler(optimizer, lrcore.Plateau(restarts, factor=0.5, patience=0))
    if attached:
        scheduler.attach()
    assert scheduler.get_used_lr() == scheduler.get_last_lr()
    for step in range(12):
        used = update(optimizer)
        if not attached:
            scheduler.step()
        scheduler.report(float(step))
        assert scheduler.get_used_lr() == used


@pytest.mark.parametrize("lr", [0.5, tensor(0.5)], ids=["float", "tensor"])
@pytest.mark.parametrize("after", [0, 1, 5])
def test_a_foreign_rate_warns_once_and_is_overwritten(lr: float | torch.Tensor, after: int) -> None:
    optimizer = sgd(2, lr=copy.deepcopy(lr))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, after)
    group = optimizer.param_groups[1]
    for step in range(after, after + 4):
        group["lr"] = 7.0 if isinstance(lr, float) else group["lr"].fill_(7.0)
        assert update(optimizer) == [FALLING(step), 7.0]
        if step == after:
            words = f"expected the rate {FALLING(step)} that was written into group 1; got 7.0,"
            with pytest.warns(UserWarning, match=words) as caught:
                scheduler.step()
            assert caught[0].filename == __file__
        else:
            scheduler.step()
    assert update(optimizer) == [FALLING(after + 4)] * 2


def test_a_foreign_write_of_the_same_rate_does_not_warn() -> None:
    optimizer = sgd(1, lr=tensor(0.5, torch.float32))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    for step in range(4):
        optimizer.param_groups[0]["lr"] = tensor(FALLING(step), torch.float32)
        update(optimizer)
        scheduler.step()
    assert scheduler.last_epoch == 4


def test_a_warning_raised_as_an_error_changes_nothing() -> None:
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 3)
    optimizer.param_groups[0]["lr"] = 7.0
    with pytest.raises(UserWarning, match="got 7"):
        scheduler.step()
    assert (scheduler.last_epoch, optimizer.param_groups[0]["lr"]) == (3, 7.0)


# --- copies -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
@pytest.mark.parametrize("lr", [0.1, tensor(0.1)], ids=["float", "tensor"])
def test_a_copy_continues_with_its_own_optimizer(lr: float | torch.Tensor, copied: Any) -> None:
    optimizer = sgd(2, lr=copy.deepcopy(lr))
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE).attach()
    first_optimizer, first = copied((optimizer, scheduler))
    assert used_rates(first_optimizer, first, 3) == expected(SCHEDULE, range(3), 1.0, 1.0)
    update(optimizer)
    update(optimizer)
    other_optimizer, other = copied((optimizer, scheduler))
    assert other.optimizer is other_optimizer
    other_optimizer.load_state_dict(first_optimizer.state_dict())
    other_optimizer.add_param_group({"params": [parameter()]})
    assert used_rates(other_optimizer, other, 11) == expected(SCHEDULE, range(2, 13), 1.0, 1.0, 1.0)
    other.attach()
    update(other_optimizer)
    assert (other.last_epoch, scheduler.last_epoch, len(optimizer.param_groups)) == (14, 2, 2)


def test_no_variable_of_the_caller_is_kept_alive() -> None:
    """The batch and the outputs of the first update, for example, may be large."""
    optimizer, batch = sgd(), torch.zeros(1)
    dropped = weakref.ref(batch)
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 1)
    update(optimizer)
    scheduler.step()
    scheduler.load_state_dict(scheduler.state_dict())
    optimizer.param_groups[0]["lr"] = 7.0
    with pytest.warns(UserWarning, match="got 7"):
        scheduler.step()
    del batch
    assert dropped() is None


def test_a_scheduler_and_its_optimizer_are_freed_without_the_collector() -> None:
    def run() -> None:
        optimizer = sgd()
        used_rates(optimizer, lrcore_torch.LRScheduler(optimizer, FALLING), 3)

    run()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            run()
        assert gc.collect() == 0
    finally:
        gc.enable()


# --- a schedule given tensors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ask",
    [
        lambda: SCHEDULE(torch.tensor(3.0)),  # type: ignore[arg-type]
        lambda: SCHEDULE(torch.arange(3)),  # type: ignore[arg-type]
        lambda: SCHEDULE(torch.nn.Parameter(torch.tensor(3.0))),  # type: ignore[arg-type]
        lambda: SCHEDULE(torch.tensor(3, device="meta")),  # type: ignore[arg-type]
        lambda: torch.vmap(SCHEDULE)(torch.arange(3)),
        lambda: SCHEDULE * torch.ones(2),  # type: ignore[operator]
        lambda: torch.ones(2) * SCHEDULE,
    ],
)
def test_a_schedule_given_another_tensor_names_the_adapter(ask: Any) -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"got .*tensor.*lrcore_torch\.LRScheduler\(optimizer, schedule\)"):
        ask()


def test_a_schedule_takes_a_tensor_of_one_number() -> None:
    assert SCHEDULE(torch.tensor(3)) == SCHEDULE(3)  # type: ignore[arg-type]
    assert SCHEDULE.values(torch.arange(30)).tolist() == SCHEDULE.values(range(30)).tolist()
    assert torch.tensor(2.0) * SCHEDULE == SCHEDULE * torch.tensor(2.0) == SCHEDULE * 2  # type: ignore[operator]


def test_a_schedule_passed_as_lr_names_the_adapter() -> None:
    schedule: Any = SCHEDULE
    with pytest.raises(
        lrcore.ScheduleError, match=r"give the schedule to an adapter, such as lrcore_torch\.LRScheduler"
    ):
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=schedule)
