"""The flags of DINO, BEiT and ConvNeXt, and the arguments of cosine_scheduler."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from lrcore import Cosine, Run, Schedule, ScheduleError, from_trainer
from tests.trainers.records import EXACT

EPOCHS = Run(updates_per_epoch=13)


@pytest.mark.parametrize("warmup", [0, 1, 4, 20])
@pytest.mark.parametrize("first", [0.0, 1e-5])
def test_the_peak_comes_twice(warmup: int, first: float) -> None:
    arguments = {"base_value": 5e-4, "final_value": 1e-6, "epochs": 20, "niter_per_ep": 13}
    arguments |= {"warmup_epochs": warmup, "start_warmup_value": first}
    schedule = from_trainer("dino", arguments).schedule
    assert isinstance(schedule, Schedule)
    rise, rest = np.linspace(first, 5e-4, warmup * 13), 260 - warmup * 13
    fall = [1e-6 + (5e-4 - 1e-6) * (1 + math.cos(math.pi * t / rest)) / 2 for t in range(rest)]
    assert schedule.values(range(260)) == pytest.approx([*rise, *fall], abs=5e-4 * EXACT)


def test_the_flags_of_dino_are_scaled_by_the_batch() -> None:
    flags = "--lr 0.0005 --min_lr 1e-6 --epochs 20 --warmup_epochs 0 --batch_size_per_gpu 64 --momentum_teacher 0.996"
    flags += " --weight_decay 0.04 --weight_decay_end 0.4"
    taken = from_trainer("dino", flags, run=Run(updates_per_epoch=13, batch_size=1024))
    assert taken.schedule == Cosine(init_value=0.002, end_value=1e-6, decay_steps=260)
    assert taken.also == {
        "weight_decay": Cosine(init_value=0.04, end_value=0.4, decay_steps=260),
        "teacher_momentum": Cosine(init_value=0.996, end_value=1.0, decay_steps=260),
    }
    with pytest.raises(ScheduleError, match=r"expected the run's batch_size, the samples of one update; got none"):
        from_trainer("dino", flags, run=EPOCHS)


def test_the_flags_of_beit_stand_as_they_are_and_count_warmup_steps() -> None:
    flags = {"lr": 1.5e-3, "min_lr": 1e-5, "epochs": 20, "warmup_epochs": 5, "warmup_steps": 11}
    taken = from_trainer("dino", flags, run=EPOCHS)
    assert isinstance(taken.schedule, Schedule)
    assert [taken.schedule(update) for update in (0, 10, 11)] == [0.0, 1.5e-3, 1.5e-3]
    assert "lr is taken as it stands" in taken.notes[0]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"warmup_epochs": 21}, "warmup_epochs: expected at most the run's 260 updates; got 273"),
        ({"min_lr": None}, "dino: min_lr: expected a number; got none"),
        ({"lr": None}, "dino: expected the optimizer's rate; got none"),
    ],
)
def test_what_is_wrong_or_missing_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ScheduleError, match=says):
        from_trainer("dino", {"lr": 1.0, "min_lr": 0.0, "epochs": 20, **changes}, run=EPOCHS)
