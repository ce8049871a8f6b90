"""mmengine's param_scheduler: its forms, the order in which schedulers act, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lrcore import (
    Constant,
    Cosine,
    Every,
    Join,
    Linear,
    PiecewiseConstant,
    Plateau,
    Product,
    Run,
    Schedule,
    ScheduleError,
    from_trainer,
)
from tests.trainers.records import EXACT

EPOCHS = Run(batches_per_epoch=10)
WARMUP = {"type": "LinearLR", "start_factor": 0.001, "by_epoch": False, "begin": 0, "end": 51}
COSINE = {"type": "CosineAnnealingLR", "T_max": 50, "by_epoch": False, "begin": 50, "end": 101}


def test_a_whole_configuration_reads_as_its_page_says() -> None:
    config = {
        "optim_wrapper": {"type": "OptimWrapper", "optimizer": {"type": "SGD", "lr": 0.02, "momentum": 0.9}},
        "train_cfg": {"type": "EpochBasedTrainLoop", "max_epochs": 12},
        "param_scheduler": [WARMUP, {"type": "MultiStepLR", "milestones": [8, 11], "gamma": 0.1}],
    }
    schedule = from_trainer("mmengine", config, run=EPOCHS).schedule
    steps = Every(PiecewiseConstant(boundaries=[8, 11], values=[1.0, 0.1, 0.1**2]), 10)
    assert schedule == Product([Linear(init_value=0.02 * 0.001, end_value=0.02, decay_steps=50), steps])


@pytest.mark.parametrize(
    "source",
    [
        [WARMUP | {"end": 50}, COSINE],
        {"param_scheduler": [WARMUP | {"end": 50}, COSINE]},
        {"param_scheduler": [WARMUP | {"end": 50}, COSINE | {"type": "mmengine.CosineAnnealingLR"}]},
        {
            "param_scheduler": [
                WARMUP | {"end": "50"},
                COSINE | {"type": "CosineAnnealingParamScheduler", "param_name": "lr"},
            ]
        },
    ],
)
def test_the_list_alone_is_read_too(source: Any) -> None:
    expected = Join(
        [
            Linear(init_value=0.02 * 0.001, end_value=0.02, decay_steps=49),
            Cosine(init_value=0.02, end_value=0.0, decay_steps=50),
        ],
        boundaries=[50],
    )
    assert from_trainer("mmengine", source, run=EPOCHS, lr=0.02).schedule == expected


def test_the_rate_of_an_accumulated_update_is_that_of_its_last_batch() -> None:
    config = {"param_scheduler": WARMUP, "optim_wrapper": {"accumulative_counts": 4, "optimizer": {"lr": 1.0}}}
    schedule = from_trainer("mmengine", config, run=Run(batches_per_epoch=10)).schedule
    assert isinstance(schedule, Schedule)
    plain = Linear(init_value=0.001, end_value=1.0, decay_steps=50)
    assert [schedule(update) for update in range(20)] == pytest.approx([plain(4 * update + 3) for update in range(20)])


def test_momentum_goes_its_own_way() -> None:
    config = [COSINE, {"type": "LinearMomentum", "start_factor": 0.5, "end": 11, "by_epoch": False}]
    taken = from_trainer("mmengine", config, run=EPOCHS, lr=0.1, momentum=0.8)
    assert taken.also == {"momentum": Linear(init_value=0.4, end_value=0.8, decay_steps=10)}
    with pytest.raises(
        ScheduleError, match=r"mmengine: expected the optimizer's momentum; got none; give it as momentum="
    ):
        from_trainer("mmengine", config, run=EPOCHS, lr=0.1)


def test_auto_scale_lr_scales_before_all_else() -> None:
    config = {"param_scheduler": [], "auto_scale_lr": {"enable": True, "base_batch_size": 16}}
    assert from_trainer("mmengine", config, run=Run(batch_size=64), lr=0.02).schedule == Constant(0.08)


def test_the_quadratic_warmup_of_mmdet_adds_parts() -> None:
    config = [{"type": "QuadraticWarmupLR", "by_epoch": True, "begin": 0, "end": 5, "convert_to_iter_based": True}]
    schedule = from_trainer("mmengine", config, run=EPOCHS, lr=0.01).schedule
    assert isinstance(schedule, Schedule)
    rate = 0.0
    for step in range(60):
        rate += 0.01 * (2 * step + 1) / 50**2 if step < 50 else 0.0
        assert schedule(step) == pytest.approx(rate, abs=0.01 * EXACT)


def test_a_plateau_is_torchs_machine() -> None:
    config = [
        {
            "type": "ReduceOnPlateauLR",
            "monitor": "acc",
            "rule": "greater",
            "factor": 0.5,
            "patience": 3,
            "min_value": 0.01,
        }
    ]
    plateau = from_trainer("mmengine", config, run=EPOCHS, lr=0.1).schedule
    assert isinstance(plateau, Plateau)
    assert (plateau.mode, plateau.patience) == ("max", 3)
    assert plateau.min_scale == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("schedulers", "says"),
    [
        ({"type": "CosineLR"}, r"mmengine: param_scheduler\[0\].type: expected one of LinearLR, .*; got 'CosineLR'"),
        ({"type": "StepLR", "step_size": 2, "begin": 3, "end": 3}, r"end: expected more than begin, 3; got 3"),
        ({"type": "LinearLR", "start_factor": 0}, r"start_factor: expected a number > 0; got 0"),
        ({"type": "CosineRestartLR", "periods": [3]}, r"eta_min: expected a number, or eta_min_ratio; got none"),
        (COSINE | {"eta_min": 0.1, "eta_min_ratio": 0.1}, r"eta_min_ratio: expected none beside eta_min; got 0.1"),
        (
            [WARMUP | {"end": 1000}, COSINE | {"begin": 0, "end": 1000, "T_max": 1000, "eta_min": 1e-5}],
            r"expected schedulers that act one after another, or without a floor, .*; got LinearLR and CosineAnnealingLR",
        ),
        (COSINE | {"convert_to_iter_based": True}, "expected by_epoch beside it; got by_epoch = false"),
    ],
)
def test_what_has_no_equal_is_refused(schedulers: Any, says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("mmengine", {"param_scheduler": schedulers, "train_cfg": {"max_epochs": 100}}, run=EPOCHS, lr=0.1)


def test_a_length_that_is_needed_is_asked_for() -> None:
    with pytest.raises(ScheduleError, match=r"expected the run's total, in updates; got none"):
        from_trainer("mmengine", [{"type": "PolyLR", "by_epoch": False}], lr=0.1)
    config = {"param_scheduler": WARMUP, "train_cfg": {"max_epochs": 12}}
    with pytest.raises(ScheduleError, match=r"run.total: expected 120, which the configuration says, or none; got 100"):
        from_trainer("mmengine", config, run=Run(batches_per_epoch=10, total=100), lr=0.1)


def test_a_run_of_iterations_is_one_epoch() -> None:
    config = {"param_scheduler": [{"type": "StepLR", "step_size": 1}], "train_cfg": {"max_iters": 40}}
    assert from_trainer("mmengine", config, run=EPOCHS, lr=0.1).schedule(39) == 0.1  # type: ignore[operator]
