"""Hugging Face's names give the values of transformers' own schedules, update by update."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import get_scheduler

import lrcore
from tests.parity.comparison import Conformance, known_difference

RATE = 0.07
LENGTHS = st.tuples(st.integers(0, 30), st.integers(0, 90)).map(lambda pair: (pair[0], sum(pair)))
CYCLES = st.sampled_from([0.5, 1.0, 1.5, 0.25, 2.0, 0.8])
RATES = st.sampled_from([0.0, 0.1, 0.5, 1.0])

OPTIONS: dict[str, Any] = {
    "constant": st.just({}),
    "constant_with_warmup": st.just({}),
    "linear": st.just({}),
    "cosine": st.fixed_dictionaries({}, optional={"num_cycles": CYCLES}),
    "cosine_with_restarts": st.fixed_dictionaries({}, optional={"num_cycles": st.integers(1, 7)}),
    "polynomial": st.fixed_dictionaries(
        {}, optional={"lr_end": st.sampled_from([0.0, 1e-5, 0.01]), "power": st.sampled_from([0.5, 1.0, 2.0, 3.3])}
    ),
    "inverse_sqrt": st.fixed_dictionaries({}, optional={"timescale": st.integers(1, 100)}),
    "cosine_with_min_lr": st.one_of(
        st.fixed_dictionaries({"min_lr_rate": RATES}, optional={"num_cycles": CYCLES}),
        st.fixed_dictionaries({"min_lr": st.sampled_from([0.0, 0.01])}),
    ),
    "cosine_warmup_with_min_lr": st.fixed_dictionaries(
        {"min_lr_rate": RATES}, optional={"num_cycles": CYCLES, "warmup_lr_rate": RATES}
    ),
}


def theirs(name: str, updates: int, **options: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=RATE)
    warmup, total = options.pop("num_warmup_steps", None), options.pop("num_training_steps", None)
    scheduler = get_scheduler(name, optimizer, warmup, total, options)
    rates = []
    for _ in range(updates):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(name: str, updates: int, **options: Any) -> list[float]:
    schedule = lrcore.from_name(name, learning_rate=RATE, **options)
    assert isinstance(schedule, lrcore.Schedule)
    return [schedule(step) for step in range(updates)]


def compare(conformance: Conformance, name: str, updates: int, **options: Any) -> None:
    schedule = lrcore.from_name(name, learning_rate=RATE, **options)
    assert isinstance(schedule, lrcore.Schedule)
    conformance.compare(f"transformers {name}", schedule, theirs(name, updates, **options), tolerance=1e-11)
    assert lrcore.from_dict(schedule.to_dict()) == schedule
    assert schedule(10 * updates + 10) == pytest.approx(schedule(10 * updates + 11), rel=0.1)


@pytest.mark.parametrize("name", OPTIONS)
@given(data=st.data())
def test_a_name_gives_the_values_of_transformers(conformance: Conformance, name: str, data: st.DataObject) -> None:
    warmup, total = data.draw(LENGTHS)
    assume(name != "polynomial" or total > warmup)  # theirs divides 0 by 0
    past = 0 if name.startswith("cosine") else 20  # theirs rebounds
    compare(
        conformance, name, total + past, num_warmup_steps=warmup, num_training_steps=total, **data.draw(OPTIONS[name])
    )


@given(
    lengths=st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20)),
    options=st.fixed_dictionaries(
        {},
        optional={
            "warmup_type": st.sampled_from(["linear", "cosine", "1-sqrt"]),
            "decay_type": st.sampled_from(["linear", "cosine", "1-sqrt"]),
            "min_lr_ratio": RATES,
            "num_cycles": CYCLES,
        },
    ),
)
def test_warmup_stable_decay_gives_the_values_of_transformers(
    conformance: Conformance, lengths: tuple[int, int, int], options: dict[str, Any]
) -> None:
    warmup, stable, decay = lengths
    given = {"num_warmup_steps": warmup, "num_decay_steps": decay, **options}
    compare(conformance, "warmup_stable_decay", sum(lengths) + 10, num_stable_steps=stable, **given)
    compare(conformance, "warmup_stable_decay", sum(lengths) + 10, num_training_steps=sum(lengths), **given)


BEYOND: dict[str, dict[str, Any]] = {
    "cosine": {},
    "cosine_with_min_lr": {"min_lr_rate": 0.1},
    "cosine_warmup_with_min_lr": {"min_lr_rate": 0.1},
}


@known_difference("transformers-beyond-the-end")
@pytest.mark.parametrize("name", BEYOND)
def test_the_schedule_of_transformers_rises_again_beyond_its_end(name: str) -> None:
    options = {"num_warmup_steps": 5, "num_training_steps": 25, **BEYOND[name]}
    assert theirs(name, 46, **options)[45] == pytest.approx(ours(name, 46, **options)[45])


@pytest.mark.parametrize("name", BEYOND)
def test_our_schedule_holds_beyond_its_end(name: str) -> None:
    rates = ours(name, 46, num_warmup_steps=5, num_training_steps=25, **BEYOND[name])
    assert set(rates[25:]) == {min(rates[1:])}


@known_difference("transformers-restart-missed")
def test_transformers_misses_a_restart() -> None:
    options = {"num_warmup_steps": 0, "num_training_steps": 44, "num_cycles": 22}
    assert theirs("cosine_with_restarts", 31, **options)[30] == pytest.approx(RATE)


def test_our_schedule_does_not_miss_the_restart() -> None:
    rates = ours("cosine_with_restarts", 44, num_warmup_steps=0, num_training_steps=44, num_cycles=22)
    assert rates[::2] == [RATE] * 22


@known_difference("transformers-polynomial-without-decay")
def test_a_polynomial_of_transformers_without_decay_steps_stays_at_its_peak() -> None:
    try:
        rates = theirs("polynomial", 9, num_warmup_steps=5, num_training_steps=5)
    except ZeroDivisionError:
        rates = []
    assert rates == pytest.approx(ours("polynomial", 9, num_warmup_steps=5, num_training_steps=5))


def test_our_polynomial_without_decay_steps_is_at_its_end_after_the_warmup() -> None:
    rates = ours("polynomial", 9, num_warmup_steps=5, num_training_steps=5)
    assert rates == pytest.approx([RATE * step / 5 for step in range(5)] + [1e-7] * 4)


@settings(max_examples=200)
@given(
    metrics=st.lists(
        st.sampled_from([0.1, 0.2, 0.3, 0.29999, 1.0, -1.0, -0.99999, float("nan"), float("inf")]), max_size=60
    ),
    options=st.fixed_dictionaries(
        {},
        optional={
            "mode": st.sampled_from(["min", "max"]),
            "factor": st.sampled_from([0.5, 0.1]),
            "patience": st.integers(0, 3),
            "threshold": st.sampled_from([1e-4, 0.1]),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.sampled_from([0.0, 0.001]),
        },
    ),
)
def test_reduce_lr_on_plateau_gives_the_rates_of_torch(
    conformance: Conformance, metrics: list[float], options: dict[str, Any]
) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(()))], lr=RATE)
    native = get_scheduler("reduce_lr_on_plateau", optimizer, scheduler_specific_kwargs=options)
    plateau = lrcore.from_name("reduce_lr_on_plateau", learning_rate=RATE, **options)
    assert isinstance(plateau, lrcore.Plateau)
    state = plateau.initial()
    mine, natives = [], []
    for metric in metrics:
        native.step(metric)
        state = plateau.update(state, metric)
        mine.append(plateau.value(0, state))
        natives.append(optimizer.param_groups[0]["lr"])
    schedule = lrcore.Function(mine.__getitem__)
    conformance.compare("transformers reduce_lr_on_plateau", schedule, natives, tolerance=1e-11, kind="plateau")
