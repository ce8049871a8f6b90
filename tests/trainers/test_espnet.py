from __future__ import annotations

from typing import Any

import pytest

import lrcore
from lrcore import Plateau, Run, Schedule, ScheduleError, from_trainer

WARMUP = lrcore.Shift(lrcore.InverseTime(init_value=0.002, decay_steps=100, power=0.5).warmup(100), 1)


def schedule(name: str, run: Run | None = None, **conf: Any) -> Schedule:
    found = from_trainer("espnet", {"scheduler": name, "scheduler_conf": conf}, run=run, lr=1.0).schedule
    assert isinstance(found, Schedule)
    return found


@pytest.mark.parametrize(
    "source",
    [
        {"optim_conf": {"lr": 0.002}, "scheduler": "warmuplr", "scheduler_conf": {"warmup_steps": 100}, "max_epoch": 9},
        {"optim_conf": {"lr": "2e-3"}, "scheduler": "WarmupLR", "scheduler_conf": {"warmup_steps": "1e2"}},
        "asr.sh --optim_conf lr=0.002 --scheduler warmuplr --scheduler_conf warmup_steps=100",
        ["--optim_conf", '{"lr": 0.002}', "--scheduler", "warmuplr", "--scheduler-conf", "{'warmup_steps': 100}"],
    ],
)
def test_files_and_flags_say_the_same(source: Any) -> None:
    taken = from_trainer("espnet", source)
    assert taken.schedule == WARMUP
    assert taken.notes == ()


def test_no_scheduler_is_the_optimizers_rate() -> None:
    assert from_trainer("espnet", {"optim_conf": {"lr": 0.5}, "scheduler": None}).schedule == lrcore.Constant(0.5)
    with pytest.raises(ScheduleError, match="expected the class that scheduler_conf is for; got none"):
        from_trainer("espnet", {"scheduler_conf": {"warmup_steps": 3}}, lr=1.0)


def test_a_second_optimizer_is_a_group() -> None:
    gan = {
        "optim_conf": {"lr": 0.002},
        "scheduler": "warmuplr",
        "scheduler_conf": {"warmup_steps": 100},
        "optim2_conf": {"lr": 0.1},
        "scheduler2": "exponentiallr",
        "scheduler2_conf": {"gamma": 0.5},
    }
    taken = from_trainer("espnet", gan, run=Run(updates_per_epoch=10))
    second = taken.groups["optim2"]
    assert taken.schedule == WARMUP
    assert isinstance(second, Schedule)
    assert [second(step) for step in (9, 10)] == [0.1, 0.05]


def test_classes_of_torch_step_after_each_epoch_or_update() -> None:
    run = Run(updates_per_epoch=5)
    assert schedule("steplr", run, step_size=2, gamma=0.5)(10) == 0.5
    assert schedule("multisteplr", run, milestones=[1, 3])(15) == pytest.approx(0.01)
    assert schedule("CosineAnnealingLR", run, T_max=4)(10) == pytest.approx(0.5)
    assert schedule("CosineAnnealingWarmRestarts", T_0=4, T_mult=2)(4) == 1.0
    assert schedule("onecyclelr", max_lr=1.0, total_steps=100)(29) == 1.0
    assert schedule("cycliclr", base_lr=0.1, max_lr=1.0, step_size_up=4)(4) == 1.0


def test_accumulated_batches_make_one_update() -> None:
    config = {"scheduler": "exponentiallr", "scheduler_conf": {"gamma": 0.5}, "accum_grad": 4}
    found = from_trainer("espnet", config, run=Run(batches_per_epoch=9), lr=1.0).schedule
    assert isinstance(found, Schedule)
    assert [found(step) for step in (2, 3)] == [1.0, 0.5]


def test_a_plateau_after_a_warmup() -> None:
    conf = {"warmup_steps": 4, "factor": 0.5, "patience": 1, "min_lr": 0.1}
    taken = from_trainer("espnet", {"scheduler": "warmupReducelronplateau", "scheduler_conf": conf}, lr=1.0)
    assert isinstance(taken.schedule, Plateau)
    assert [taken.schedule.schedule(step) for step in range(6)] == [1.0, 0.25, 0.5, 0.75, 1.0, 1.0]
    assert (taken.schedule.factor, taken.schedule.min_scale) == (0.5, 0.1)
    assert "in the warmup is undone" in taken.notes[0]


def test_cycles_that_grow_are_written_out() -> None:
    conf = {"first_cycle_steps": 10, "cycle_mult": 2, "max_lr": 1.0, "min_lr": 0.1, "warmup_steps": 2}
    taken = from_trainer(
        "espnet", {"scheduler": "CosineAnnealingWarmupRestarts", "scheduler_conf": conf}, run=Run(total=50)
    )
    assert isinstance(taken.schedule, Schedule)
    assert [taken.schedule(step) for step in (0, 2, 10, 12, 28)] == [0.1, 1.0, 0.1, 1.0, 0.1]
    assert "written out as far as update 128" in taken.notes[0]


@pytest.mark.parametrize(
    ("name", "conf", "problem"),
    [
        ("lambdalr", {}, "a class whose options describe it"),
        ("warmuplrr", {}, "'warmuplr'"),
        ("warmuplr", {"warmup_steps": 0}, "expected a number > 0; got 0"),
        ("tristagelr", {"hold_ratio": 0.9}, "three ratios whose sum is 1"),
        ("piecewiselinearwarmuplr", {"warmup_lr_list": [0.1]}, "expected 2 rates"),
        (
            "exponentialdecaywarmup",
            {"max_lr": 1, "min_lr": 0.1, "total_steps": 5, "warmup_steps": 5},
            "less than total",
        ),
        ("cosineannealingwarmuprestarts", {"first_cycle_steps": 5, "warmup_steps": 5}, "less than first_cycle_steps"),
        ("cosineannealingwarmuprestarts", {"first_cycle_steps": 5, "cycle_mult": 0.9}, "expected the run's total"),
        ("steplr", {"step_size": 2}, "expected the run's updates_per_epoch"),
    ],
)
def test_what_has_no_equal_is_refused(name: str, conf: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        schedule(name, **conf)
    assert problem in str(error.value)


def test_a_text_that_is_no_table_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"expected a table; got '{warmup_steps: 100}'"):
        from_trainer("espnet", {"scheduler": "warmuplr", "scheduler_conf": "{warmup_steps: 100}"}, lr=1.0)


def test_an_unused_option_is_a_note() -> None:
    config = {"optim_conf": {"lr": 1.0}, "scheduler": "warmuplr", "scheduler_conf": {"warmup_step": 10}}
    assert from_trainer("espnet", config).notes == ("Not used: scheduler_conf.warmup_step.",)
