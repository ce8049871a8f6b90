from __future__ import annotations

import math
from pathlib import Path
from random import Random
from typing import Any

import pytest

import lrcore
from lrcore import Run, Schedule, ScheduleError, from_trainer

COSINE = """
epoch: 36
LearningRate:
  base_lr: 0.01
  schedulers:
  - !CosineDecay
    max_epochs: 36
  - !LinearWarmup
    start_factor: 0.
    epochs: 5
OptimizerBuilder:
  optimizer: {type: Momentum, momentum: 0.9}
"""


def schedule(decay: dict[str, Any], warmup: dict[str, Any] | None, epoch: int = 10, lr: float = 1.0) -> Schedule:
    schedulers = [decay] if warmup is None else [decay, warmup]
    source = {"LearningRate": {"base_lr": lr, "schedulers": schedulers}}
    found = from_trainer("paddledetection", source, run=Run(batches_per_epoch=epoch)).schedule
    assert isinstance(found, Schedule)
    return found


def test_tags_names_and_the_list_alone_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ppyoloe.yml"
    path.write_text(COSINE, encoding="utf-8")
    run = Run(batches_per_epoch=11)
    schedulers = [{"name": "CosineDecay", "max_epochs": 36}, {"name": "LinearWarmup", "start_factor": 0, "epochs": 5}]
    taken = from_trainer("paddledetection", path, run=run)
    assert taken.notes == ()
    assert (
        from_trainer("paddledetection", {"base_lr": 0.01, "schedulers": schedulers}, run=run).schedule == taken.schedule
    )
    assert from_trainer("paddledetection", schedulers, run=run, lr=0.01).schedule == taken.schedule


def test_a_tag_without_options_and_the_defaults() -> None:
    found = from_trainer(
        "paddledetection", ["!PiecewiseDecay ", "!ExpWarmup "], run=Run(batches_per_epoch=200)
    ).schedule
    expected = lrcore.PiecewiseConstant(boundaries=[600, 1200], values=[0.01, 0.001, 0.0001])
    assert found == expected.warmup(1000, shape="power", power=2)
    bare = from_trainer("paddledetection", {"LearningRate": {"base_lr": 0.01}}, run=Run(batches_per_epoch=200)).schedule
    assert isinstance(bare, Schedule)
    assert bare(0) == pytest.approx(0.01 / 3)


def test_one_gamma_falls_tenfold() -> None:
    found = schedule({"name": "PiecewiseDecay", "gamma": 0.5, "milestones": [1, 2, 3], "use_warmup": False}, None)
    assert [found(step) for step in (0, 10, 20, 30)] == [1.0, 0.5, 0.05, 0.005]


def stated(step: int, lr: float, warmup: tuple[int, float], lengths: tuple[int, int], ratio: float) -> float:
    """Entry `step` of the table: the warmup's own, then the cosine of each update of the run, then the last one."""
    (steps, factor), (total, plateau), floor = warmup, lengths, lr * ratio
    if step < steps or total <= steps:
        part = min(step / steps, 1.0)
        return lr * (factor * (1 - part) + part)
    step = min(step, total - 1)
    if step >= total - plateau:
        return floor
    gone = (step - steps) / (total - steps - plateau)
    return floor + (lr - floor) * 0.5 * (math.cos(gone * math.pi) + 1)


def test_random_options_give_what_the_table_says() -> None:
    random = Random(11)
    for _ in range(60):
        epoch, epochs, lr = random.randint(1, 9), random.randint(1, 12), random.choice([0.01, 1.0])
        plateau, ratio = random.choice([0, 0, 1, 3]), random.choice([0.0, 0.1])
        decay = {"name": "CosineDecay", "max_epochs": epochs, "min_lr_ratio": ratio, "last_plateau_epochs": plateau}
        factor, own = random.choice([0.0, 0.3]), random.choice([{"steps": 0}, {"steps": 13}, {"epochs": 2, "steps": 5}])
        steps = max(own["epochs"] * epoch if "epochs" in own else own["steps"], 1)
        found = schedule(decay, {"name": "LinearWarmup", "start_factor": factor, **own}, epoch, lr)
        for step in range(2 * epochs * epoch):
            expected = stated(step, lr, (steps, factor), (epochs * epoch, plateau * epoch), ratio)
            assert found(step) == pytest.approx(expected, abs=1e-12 * lr)


def test_a_cosine_without_warmup_rises_again() -> None:
    config = {"base_lr": 1.0, "schedulers": [{"name": "CosineDecay", "max_epochs": 2, "use_warmup": False}]}
    taken = from_trainer("paddledetection", config, run=Run(batches_per_epoch=10))
    assert taken.notes == ("Past max_epochs the cosine rises again, as PaddleDetection's does.",)
    assert isinstance(taken.schedule, Schedule)
    assert [taken.schedule(step) for step in (0, 20, 40)] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"_BASE_": ["a.yml"], "LearningRate": {}}, "expected a merged configuration"),
        ({"schedulers": [{"name": "CosineDecay"}]}, "expected a warmup after CosineDecay"),
        ({"schedulers": [{"name": "LinearWarmup"}, {"name": "CosineDecay"}]}, "expected one of CosineDecay, Piecewise"),
        (
            {"schedulers": [{"name": "PiecewiseDecay", "values": [1, 2, 3]}, {"name": "LinearWarmup"}]},
            "none with a warmup",
        ),
        ({"schedulers": [{"name": "PiecewiseDecay", "gamma": [0.1]}, {"name": "LinearWarmup"}]}, "one for each of the"),
    ],
)
def test_what_has_no_equal_is_refused(config: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        from_trainer("paddledetection", config, run=Run(batches_per_epoch=10))
    assert problem in str(error.value)


def test_the_batches_of_an_epoch_are_asked_for() -> None:
    with pytest.raises(ScheduleError, match="expected the run's batches_per_epoch"):
        from_trainer("paddledetection", {"LearningRate": {}})


def test_an_unused_option_is_a_note() -> None:
    config = {"LearningRate": {"schedulers": [{"name": "CosineDecay", "use_warmup": False, "min_lr": 0.1}]}}
    notes = from_trainer("paddledetection", config, run=Run(batches_per_epoch=10)).notes
    assert notes[-1] == "Not used: LearningRate.schedulers[0].min_lr."
