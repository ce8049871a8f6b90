"""Megatron's flags: their forms and lengths, the ramp of the batch, and what is refused."""

from __future__ import annotations

import math
from argparse import Namespace
from typing import Any

import numpy as np
import pytest

from lrcore import Constant, Cosine, Run, ScheduleError, from_trainer

FLAGS = {"lr": 1e-3, "min_lr": 1e-4, "lr_decay_style": "cosine", "train_iters": 100, "lr_warmup_iters": 10}
EXPECTED = Cosine(init_value=1e-3, end_value=1e-4, decay_steps=90).warmup(10)


@pytest.mark.parametrize(
    "source",
    [
        FLAGS,
        Namespace(**FLAGS, rampup_batch_size=None, lr_warmup_fraction=None),
        {name.replace("_", "-"): str(value) for name, value in FLAGS.items()},
        "--lr 1e-3 --min-lr 1e-4 --lr-decay-style cosine --train-iters 100 --lr-warmup-fraction 0.1",
        "torchrun pretrain_gpt.py --lr 1e-3 \\\n --min-lr 1e-4 --lr-decay-style cosine --train-iters=100 --lr-warmup-iters 10",
        {
            "train": {"train_iters": 100, "global_batch_size": 8},
            "optimizer": {"lr": 1e-3, "min_lr": 1e-4},
            "scheduler": {"lr_decay_style": "cosine", "lr_warmup_iters": 10},
        },
        {
            **FLAGS,
            "train_iters": None,
            "train_samples": 800,
            "lr_warmup_iters": 0,
            "lr_warmup_samples": 80,
            "global_batch_size": 8,
        },
    ],
)
def test_forms(source: Any) -> None:
    assert from_trainer("megatron", source).schedule == EXPECTED


def test_the_run_says_what_the_flags_lack() -> None:
    flags = {name: value for name, value in FLAGS.items() if name not in ("train_iters", "lr")}
    assert from_trainer("megatron", flags, run=Run(total=100), lr=1e-3).schedule == EXPECTED


def test_a_share_is_not_rounded_and_samples_need_not_fill_an_update() -> None:
    flags = {**FLAGS, "train_iters": None, "lr_warmup_iters": None, "train_samples": 1_003, "lr_warmup_fraction": 0.1}
    schedule = from_trainer("megatron", flags, run=Run(batch_size=7)).schedule
    warmup, decay = 100.3, 1_003
    for update in (0, 1, 14, 15, 100, 143, 144, 999):
        samples = 7 * update
        part = (min(samples, decay) - warmup) / (decay - warmup)
        cosine = 1e-4 + 9e-4 * (1 + math.cos(math.pi * part)) / 2
        assert schedule(update) == pytest.approx(1e-3 * samples / warmup if samples <= warmup else cosine, rel=1e-12)  # type: ignore[operator]


def test_a_growing_batch_is_a_clock() -> None:
    flags = {**FLAGS, "train_iters": None, "lr_warmup_iters": None, "train_samples": 1_000, "lr_warmup_samples": 50}
    schedule = from_trainer(
        "megatron", {**flags, "global_batch_size": 8, "rampup_batch_size": ["2", "2", "100"]}
    ).schedule
    samples, seen = 0, []
    for _ in range(60):
        seen.append(samples)
        samples += 8 if samples > 100 else min(8, 2 + 2 * int(samples / (100 / 3)))
    whole = Cosine(init_value=1e-3, end_value=1e-4, decay_steps=950).warmup(50)
    np.testing.assert_allclose(schedule.values(range(60)), whole.values(seen), rtol=1e-14)  # type: ignore[union-attr]


def test_steps_of_the_batch_are_a_clock_in_tokens() -> None:
    flags = {**FLAGS, "train_iters": None, "lr_warmup_iters": None, "train_samples": 1_000, "lr_warmup_samples": 50}
    steps = {"step_batch_size_schedule": "0:4, 1K:6 0.003M:16", "seq_length": 10}
    schedule = from_trainer("megatron", {**flags, **steps}).schedule
    samples, seen = 0, []
    for _ in range(90):
        seen.append(samples)
        samples += 4 if samples < 100 else 6 if samples < 300 else 16
    whole = Cosine(init_value=1e-3, end_value=1e-4, decay_steps=950).warmup(50)
    np.testing.assert_allclose(schedule.values(range(90)), whole.values(seen), rtol=1e-14)  # type: ignore[union-attr]


def test_decoupled_rates_and_weight_decay() -> None:
    decays = {"start_weight_decay": 0.0, "end_weight_decay": 0.1, "weight_decay_incr_style": "linear"}
    taken = from_trainer("megatron", {**FLAGS, "decoupled_lr": 1e-2, **decays})
    assert taken.groups["embedding_or_output"] == Cosine(init_value=1e-2, end_value=1e-4, decay_steps=90).warmup(10)
    assert taken.also["weight_decay"](50) == 0.05
    assert from_trainer("megatron", {**FLAGS, "weight_decay": 0.1}).also == {"weight_decay": Constant(0.1)}


def test_the_arguments_of_the_scheduler_itself_count_samples() -> None:
    arguments = {
        "init_lr": 0.0,
        "max_lr": 1e-3,
        "min_lr": 1e-4,
        "lr_warmup_steps": 80,
        "lr_decay_steps": 800,
        "lr_decay_style": "cosine",
        "start_wd": 0.0,
        "end_wd": 0.1,
        "wd_incr_steps": 1_600,
        "wd_incr_style": "linear",
    }
    taken = from_trainer("megatron", arguments, run=Run(batch_size=8))
    assert taken.schedule == EXPECTED
    assert taken.also["weight_decay"](100) == 0.05


def test_the_inverse_square_root_drops_to_its_floor_where_the_decay_ends() -> None:
    schedule = from_trainer("megatron", {**FLAGS, "lr_decay_style": "inverse-square-root"}).schedule
    assert [schedule(update) for update in (10, 40, 101)] == [1e-3, 5e-4, 1e-4]  # type: ignore[operator]


def test_what_is_not_used_is_noted() -> None:
    assert from_trainer("megatron", {**FLAGS, "lr_decay_stile": "WSD"}).notes == ("Not used: lr_decay_stile.",)


@pytest.mark.parametrize(
    ("flags", "run", "message"),
    [
        ({"lr": None}, Run(), "megatron: expected the optimizer's rate; got none; give it as lr=..."),
        ({"train_iters": None}, Run(), "megatron: expected the run's total, in updates; got none"),
        ({}, Run(total=50), "run.total: expected 100, which the configuration says, or none; got 50"),
        (
            {"lr_warmup_fraction": 0.1},
            Run(),
            "lr_warmup_iters: expected lr_warmup_fraction or lr_warmup_iters; got both",
        ),
        ({"lr_warmup_iters": 100}, Run(), "lr_warmup_iters: expected a warmup that ends before the decay does, at 100"),
        (
            {"lr_decay_samples": 100},
            Run(),
            "lr_decay_samples: expected lengths in iterations, as train_iters is; got 100",
        ),
        ({"lr_decay_tokens": 100}, Run(), "lr_decay_tokens: expected lengths in iterations or samples"),
        ({"lr_decay_style": "WSD"}, Run(), "lr_wsd_decay_iters: expected the length of the tail; got none"),
        ({"lr_decay_style": "square"}, Run(), "lr_decay_style: expected one of constant, linear, cosine"),
        ({"min_lr": 1e-2}, Run(), "min_lr: expected at most --lr = 0.001; got 0.01"),
        ({"train_iters": None, "train_samples": 1_000, "lr_warmup_iters": 0}, Run(), "expected the run's batch_size"),
        ({"rampup_batch_size": [3, 2, 9], "global_batch_size": 8}, Run(), "an increment that leads to 8, and samples"),
        ({"step_batch_size_schedule": "0:8"}, Run(), "step_batch_size_schedule: expected lengths in samples beside it"),
        (
            {
                "train_iters": None,
                "lr_warmup_iters": None,
                "train_samples": 9,
                "seq_length": 9,
                "step_batch_size_schedule": "9:8",
            },
            Run(),
            "step_batch_size_schedule: expected places in tokens from 0 on and sizes",
        ),
        (
            {
                "train_iters": None,
                "lr_decay_iters": 100,
                "weight_decay_incr_style": "linear",
                "start_weight_decay": 0,
                "end_weight_decay": 1,
            },
            Run(),
            "train_iters: expected the length of the run, for a weight decay that changes; got none",
        ),
        ({"weight_decay_incr_style": "cosine"}, Run(), "start_weight_decay: expected a number"),
    ],
)
def test_refusals(flags: dict[str, Any], run: Run, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        from_trainer("megatron", {**FLAGS, **flags}, run=run)
    assert message in str(caught.value)
