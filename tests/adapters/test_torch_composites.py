"""The torch scheduler inside torch's own composites, SequentialLR and ChainedScheduler."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import ChainedScheduler, CosineAnnealingLR, ExponentialLR, LinearLR, SequentialLR

import lrcore
import lrcore_torch
from tests.adapters.torch_loops import parameter, sgd, used_rates

FIRST = lrcore.Linear(init_value=0.1, end_value=0.3, decay_steps=20)
SECOND = lrcore.Exponential(init_value=0.5, decay_rate=0.9)
MILESTONES = [7, 15]
UPDATES = 25

Child = Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]


def ours(schedule: lrcore.Schedule) -> Child:
    return lambda optimizer: lrcore_torch.LRScheduler(optimizer, schedule)


def cosine(optimizer: torch.optim.Optimizer) -> CosineAnnealingLR:
    return CosineAnnealingLR(optimizer, 30)


def linear(optimizer: torch.optim.Optimizer) -> LinearLR:
    return LinearLR(optimizer, 0.1, 1.0, 30)


CHILDREN: dict[str, Sequence[Child]] = {
    "ours alone": [ours(FIRST), ours(SECOND), ours(FIRST)],
    "ours, native, ours": [ours(FIRST), cosine, ours(SECOND)],
    "native, ours, native": [linear, ours(SECOND), cosine],
    "ours, native, native": [ours(SECOND), linear, cosine],
}


def sequential(children: Sequence[Child], optimizer: torch.optim.Optimizer) -> SequentialLR:
    return SequentialLR(optimizer, [child(optimizer) for child in children], MILESTONES[: len(children) - 1])


def test_children_of_a_sequence_count_their_own_steps() -> None:
    optimizer = sgd(2)
    used = used_rates(optimizer, sequential(CHILDREN["ours alone"], optimizer), UPDATES)
    rates = (
        [FIRST(step) for step in range(7)] + [SECOND(step) for step in range(8)] + [FIRST(step) for step in range(10)]
    )
    assert used == [[rate, rate] for rate in rates]


def test_our_children_and_native_ones_take_turns_in_a_sequence() -> None:
    optimizer = sgd()
    used = used_rates(optimizer, sequential(CHILDREN["ours, native, ours"], optimizer), UPDATES)
    assert used[:7] == [[FIRST(step)] for step in range(7)]
    assert used[7] == [0.1]
    assert used[15:] == [[SECOND(step)] for step in range(10)]


@pytest.mark.parametrize("name", CHILDREN)
@pytest.mark.parametrize("order", ["optimizer first", "scheduler first"])
def test_a_sequence_resumes_anywhere(name: str, order: str) -> None:
    optimizer = sgd()
    composite = sequential(CHILDREN[name], optimizer)
    states, used = [], []
    for _ in range(UPDATES):
        states.append(copy.deepcopy((optimizer.state_dict(), composite.state_dict())))
        used += used_rates(optimizer, composite, 1)
    for done, (optimizer_state, composite_state) in enumerate(states):
        optimizer = sgd()
        composite = sequential(CHILDREN[name], optimizer)
        if order == "optimizer first":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        composite.load_state_dict(copy.deepcopy(composite_state))
        if order == "scheduler first":
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        assert used_rates(optimizer, composite, UPDATES - done) == used[done:]


@pytest.mark.parametrize("with_optimizer", [False, True])
def test_a_sequence_of_ours_resumes_without_the_optimizer_or_built_after_it(*, with_optimizer: bool) -> None:
    """Native schedulers do not: only the optimizer holds their rate."""
    optimizer = sgd()
    composite = sequential(CHILDREN["ours alone"], optimizer)
    states, used = [], []
    for _ in range(UPDATES):
        states.append(copy.deepcopy((optimizer.state_dict(), composite.state_dict())))
        used += used_rates(optimizer, composite, 1)
    for done, (optimizer_state, composite_state) in enumerate(states):
        optimizer = sgd()
        if with_optimizer:
            optimizer.load_state_dict(copy.deepcopy(optimizer_state))
        composite = sequential(CHILDREN["ours alone"], optimizer)
        composite.load_state_dict(copy.deepcopy(composite_state))
        assert used_rates(optimizer, composite, UPDATES - done) == used[done:]


@pytest.mark.parametrize("done", [0, 3, 7, 16])
def test_the_active_child_of_a_sequence_schedules_an_added_group(done: int) -> None:
    optimizer = sgd()
    composite = sequential(CHILDREN["ours alone"], optimizer)
    used_rates(optimizer, composite, done)
    optimizer.add_param_group({"params": [parameter()]})
    whole = sgd()
    rates = used_rates(whole, sequential(CHILDREN["ours alone"], whole), UPDATES)
    assert used_rates(optimizer, composite, UPDATES - done) == [[rate, rate] for [rate] in rates[done:]]


@pytest.mark.parametrize("done", [0, 3, 7, 16])
def test_the_active_child_of_a_sequence_rules_when_the_optimizer_loads_an_old_state(done: int) -> None:
    optimizer = sgd()
    composite = sequential(CHILDREN["ours alone"], optimizer)
    used_rates(optimizer, composite, done)
    optimizer.load_state_dict(sgd(lr=7.0).state_dict())
    whole = sgd()
    rates = used_rates(whole, sequential(CHILDREN["ours alone"], whole), UPDATES)
    assert used_rates(optimizer, composite, UPDATES - done) == rates[done:]


class Subclass(lrcore_torch.LRScheduler):
    """A user's subclass that overrides a method."""

    def load_state_dict(self, state_dict: Any) -> None:
        super().load_state_dict(state_dict)


def test_a_subclass_resumes_in_a_sequence() -> None:
    def made() -> tuple[torch.optim.Optimizer, SequentialLR]:
        optimizer = sgd()
        children: Any = [Subclass(optimizer, FIRST), Subclass(optimizer, SECOND)]
        return optimizer, SequentialLR(optimizer, children, [7])

    optimizer, composite = made()
    used_rates(optimizer, composite, 3)
    state = copy.deepcopy(composite.state_dict())
    optimizer, composite = made()
    composite.load_state_dict(state)
    assert used_rates(optimizer, composite, 2) == [[FIRST(3)], [FIRST(4)]]


def chained(optimizer: torch.optim.Optimizer, *, last: bool) -> ChainedScheduler:
    schedulers = [lrcore_torch.LRScheduler(optimizer, SECOND), ExponentialLR(optimizer, 0.5)]
    return ChainedScheduler(schedulers[::-1] if last else schedulers, optimizer)


def test_in_a_chain_ours_overwrites_the_rate_and_later_children_change_it() -> None:
    """Like any absolute schedule, ours discards earlier factors, and a later factor never accumulates; use `Product`."""
    optimizer = sgd()
    used = used_rates(optimizer, chained(optimizer, last=True), 10)
    assert used == [[SECOND(step)] for step in range(10)]
    optimizer = sgd()
    used = used_rates(optimizer, chained(optimizer, last=False), 10)
    assert used == [[SECOND(0)], *([SECOND(step) * 0.5] for step in range(1, 10))]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("done", [1, 5])
def test_a_chain_resumes_with_the_optimizer(done: int, *, last: bool) -> None:
    optimizer = sgd()
    composite = chained(optimizer, last=last)
    used_rates(optimizer, composite, done)
    states = copy.deepcopy((optimizer.state_dict(), composite.state_dict()))
    used = used_rates(optimizer, composite, 10)
    for order in (0, 1):
        optimizer = sgd()
        composite = chained(optimizer, last=last)
        holders: list[Any] = [optimizer, composite]
        for holder, state in list(zip(holders, copy.deepcopy(states), strict=True))[:: 1 if order else -1]:
            holder.load_state_dict(state)
        assert used_rates(optimizer, composite, 10) == used


def test_swalr_begins_at_the_rate_of_our_scheduler() -> None:
    optimizer = sgd()
    used_rates(optimizer, lrcore_torch.LRScheduler(optimizer, SECOND), 5)
    averaging = torch.optim.swa_utils.SWALR(optimizer, swa_lr=0.05, anneal_epochs=2, anneal_strategy="linear")
    used = used_rates(optimizer, averaging, 4)
    assert used[0] == [SECOND(5)]
    assert used[3] == [0.05]
