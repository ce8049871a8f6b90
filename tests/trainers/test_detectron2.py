"""Detectron2's SOLVER: its forms, DeepLab's polynomial, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lrcore import Cosine, Linear, PiecewiseConstant, Polynomial, Product, Run, Schedule, ScheduleError, from_trainer
from tests.trainers.records import EXACT

SOLVER = {"MAX_ITER": 90_000, "BASE_LR": 0.02, "STEPS": [60_000, 80_000], "IMS_PER_BATCH": 16}
EXPECTED = PiecewiseConstant(boundaries=[59_000, 79_000], values=[0.02, 0.02 * 0.1, 0.02 * 0.1**2])


@pytest.mark.parametrize(
    "source",
    [
        {"SOLVER": SOLVER, "MODEL": {"WEIGHTS": "R-50.pkl"}},
        SOLVER,
        {"SOLVER": {**SOLVER, "STEPS": "(60000, 80000)", "BASE_LR": "2e-2", "LR_SCHEDULER_NAME": "WarmupMultiStepLR"}},
        ["SOLVER.MAX_ITER=90000", "SOLVER.BASE_LR=0.02", "SOLVER.STEPS=(60000,80000)"],
    ],
)
def test_the_forms_of_one_configuration_give_one_schedule(source: Any) -> None:
    schedule = from_trainer("detectron2", source).schedule
    assert isinstance(schedule, Schedule)
    assert schedule(0) == 0.02 * 0.001
    assert [schedule(update) for update in (1000, 59_999, 60_000, 80_000)] == [
        EXPECTED(t) for t in (0, 1, 59_000, 79_000)
    ]


def test_a_step_is_early_in_a_long_run() -> None:
    solver = {**SOLVER, "MAX_ITER": 4_500_000, "STEPS": [2_000_000]}
    schedule = from_trainer("detectron2", solver).schedule
    assert isinstance(schedule, Schedule)
    assert (schedule(1_999_994), schedule(1_999_996)) == (0.02, 0.02 * 0.1)


def test_a_cosine_has_a_note_about_its_end() -> None:
    solver = {"LR_SCHEDULER_NAME": "WarmupCosineLR", "MAX_ITER": 500, "WARMUP_ITERS": 0, "BASE_LR": 0.02}
    taken = from_trainer("detectron2", solver)
    assert taken.schedule == Cosine(init_value=0.02, decay_steps=500)
    assert taken.notes == ("From update 500 on Detectron2's cosine turns back; here its last value holds.",)


def test_the_polynomial_of_deeplab_is_multiplied_by_its_warmup() -> None:
    solver = {"LR_SCHEDULER_NAME": "WarmupPolyLR", "MAX_ITER": 300, "WARMUP_ITERS": 50, "BASE_LR": 0.01}
    rise, fall = (
        Linear(init_value=0.001, end_value=1.0, decay_steps=50),
        Polynomial(init_value=0.01, decay_steps=300, power=0.9),
    )
    assert from_trainer("detectron2", solver).schedule == Product([rise, fall])
    ending = from_trainer("detectron2", {**solver, "POLY_LR_CONSTANT_ENDING": 0.9}).schedule
    assert isinstance(ending, Schedule)
    for update in range(300):
        factor, part = min(1.0, 0.001 + 0.999 * update / 50), (1 - update / 300) ** 0.9
        expected = 0.01 * max(part, 0.9) if update >= 50 else 0.01 * factor * part
        assert ending(update) == pytest.approx(expected, abs=0.01 * EXACT)


def test_the_rate_and_the_lengths_are_scaled_by_the_workers() -> None:
    solver = {**SOLVER, "REFERENCE_WORLD_SIZE": 8, "WARMUP_ITERS": 0}
    expected = PiecewiseConstant(boundaries=[30_000, 40_000], values=[0.04, 0.04 * 0.1, 0.04 * 0.1**2])
    assert from_trainer("detectron2", solver, world_size=16).schedule == expected
    assert from_trainer("detectron2", solver, run=Run(batch_size=32)).schedule == expected
    with pytest.raises(ScheduleError, match=r"detectron2: expected the run's world_size, .*; got none"):
        from_trainer("detectron2", solver)


def test_biases_are_a_group() -> None:
    assert from_trainer("detectron2", {**SOLVER, "BIAS_LR_FACTOR": 2.0}).groups == {"bias": 2.0}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"STEPS": [80_000, 60_000]},
            r"STEPS: expected rising iterations between 0 and MAX_ITER, 90000; got \[80000, 60",
        ),
        ({"STEPS": [90_000]}, r"STEPS: expected rising iterations between 0 and MAX_ITER"),
        (
            {"LR_SCHEDULER_NAME": "MultiStepLR"},
            "LR_SCHEDULER_NAME: expected one of WarmupMultiStepLR, .*; got 'MultiStepLR'",
        ),
        (
            {"LR_SCHEDULER_NAME": "WarmupCosineLR", "BASE_LR_END": 1},
            "BASE_LR_END: expected at most BASE_LR, 0.02; got 1",
        ),
        ({"WARMUP_METHOD": "cosine"}, "WARMUP_METHOD: expected one of linear, constant; got 'cosine'"),
        ({"WARMUP_ITERS": 90_000, "RESCALE_INTERVAL": True}, "RESCALE_INTERVAL: expected false where the warmup takes"),
    ],
)
def test_what_has_no_equal_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("detectron2", {**SOLVER, **changes})


def test_a_configuration_that_is_not_merged_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"expected a merged configuration; got _BASE_ = '../Base-RCNN-FPN.yaml'"):
        from_trainer("detectron2", {"_BASE_": "../Base-RCNN-FPN.yaml", "SOLVER": SOLVER})
    with pytest.raises(
        ScheduleError, match=r"run.total: expected 90000, which the configuration says, or none; got 10"
    ):
        from_trainer("detectron2", SOLVER, run=Run(total=10))
