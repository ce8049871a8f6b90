from __future__ import annotations

from typing import Any

import pytest

import lrcore
from lrcore import Plateau, Run, ScheduleError, from_trainer

FLAGS = "fairseq-train data --lr-scheduler inverse_sqrt --lr 0.0005 --warmup-updates 4000 --warmup-init-lr 1e-07 --fp16"


def test_flags_namespaces_and_hydra_say_the_same() -> None:
    own: dict[str, Any] = {"warmup_updates": "4_000", "warmup_init_lr": 1e-7}
    hydra: dict[str, Any] = {"optimization": {"lr": [5e-4]}, "lr_scheduler": {"_name": "inverse_sqrt", **own}}
    words = ["lr_scheduler._name=inverse_sqrt", "lr_scheduler.warmup_updates=4000", "lr_scheduler.warmup_init_lr=1e-7"]
    flat = {"lr_scheduler": "inverse_sqrt", "lr": [5e-4], "dropout": 0.1, **own}
    sources: list[Any] = [FLAGS, hydra, flat, [*words, "optimization.lr=[5e-4]"], {**hydra["lr_scheduler"], "lr": 5e-4}]
    taken = [from_trainer("fairseq", source) for source in sources]
    assert len({one.schedule for one in taken}) == 1
    assert not any(one.notes for one in taken)
    alone = from_trainer("fairseq", hydra["lr_scheduler"], lr=5e-4)
    assert alone.schedule == taken[0].schedule


def test_a_class_counts_as_its_name() -> None:
    expected = from_trainer("fairseq", {"_name": "inverse_sqrt", "warmup_updates": 10}, lr=0.5)
    for name in ("InverseSquareRootSchedule", "fairseq.optim.lr_scheduler.InverseSquareRootSchedule"):
        assert from_trainer("fairseq", {"_name": name, "warmup_updates": 10}, lr=0.5) == expected


def test_the_default_is_one_rate() -> None:
    assert from_trainer("fairseq", {"optimization": {"lr": [0.25]}}).schedule == lrcore.Constant(0.25)


def test_rates_of_epochs_count_updates() -> None:
    config = {"optimization": {"lr": [1.0, 0.5], "update_freq": [4]}, "lr_scheduler": {"_name": "fixed"}}
    schedule = from_trainer("fairseq", config, run=Run(batches_per_epoch=9)).schedule
    assert isinstance(schedule, lrcore.Schedule)
    assert [schedule(step) for step in (2, 3)] == [1.0, 0.5]  # 4 + 4 + 1 batches


def test_a_plateau_waits_for_the_warmup() -> None:
    config = {"lr_scheduler": {"_name": "reduce_lr_on_plateau", "lr_shrink": 0.5, "warmup_updates": 10}}
    taken = from_trainer("fairseq", config, lr=0.1)
    assert isinstance(taken.schedule, Plateau)
    assert taken.schedule.factor == 0.5
    assert "no metric before the warmup is over" in taken.notes[0]


@pytest.mark.parametrize(
    ("scheduler", "problem"),
    [
        ({"_name": "manual"}, "write the rates as a piecewise_constant"),
        ({"_name": "pass_through"}, "a schedule of its own"),
        ({"_name": "cosin"}, "'cosine'"),
        ({"_name": "cosine", "t_mult": 0.5}, "expected at least 1, for shorter and shorter periods end; got 0.5"),
        ({"_name": "cosine", "min_lr": 1.0}, "expected less than lr"),
        ({"_name": "cosine"}, "expected the run's total"),
        ({"_name": "tri_stage", "phase_ratio": "(0.2, 0.4, 0.5)"}, "three numbers whose sum is 1"),
        ({"_name": "tri_stage", "warmup_steps": 10}, "expected at least 1, for fairseq divides by it; got 0"),
        ({"_name": "inverse_sqrt", "warmup_updates": 0}, "expected an integer >= 1; got 0"),
        ({"_name": "polynomial_decay", "force_anneal": 3}, "it falls by what the rate is at that epoch"),
        ({"_name": "triangular", "max_lr": 1e-4}, "expected more than lr"),
        ({"_name": "fixed", "force_anneal": 3}, "expected the run's updates_per_epoch"),
    ],
)
def test_what_has_no_equal_is_refused(scheduler: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError, match=None) as error:
        from_trainer("fairseq", {"optimization": {"lr": [1e-3]}, "lr_scheduler": scheduler})
    assert problem in str(error.value)


def test_a_run_that_contradicts_max_update_is_refused() -> None:
    config = {"optimization": {"lr": [1e-3], "max_update": 100}, "lr_scheduler": {"_name": "polynomial_decay"}}
    with pytest.raises(ScheduleError, match=r"run\.total: expected 100, which the configuration says, or none; got 50"):
        from_trainer("fairseq", config, run=Run(total=50))


def test_an_unused_option_is_a_note() -> None:
    config = {"lr_scheduler": {"_name": "step", "lr_decay": 0.5, "lr_decay_perid": 10}}
    assert from_trainer("fairseq", config, lr=0.1).notes == ("Not used: lr_scheduler.lr_decay_perid.",)
