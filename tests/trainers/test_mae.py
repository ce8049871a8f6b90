"""MAE's flags beside its formula said again, and what is refused."""

from __future__ import annotations

import math

import pytest

from lrcore import Run, Schedule, ScheduleError, from_trainer
from tests.trainers.records import EXACT

FLAGS = "--epochs 40 --warmup_epochs 4 --blr 1.5e-4 --accum_iter 2 --min_lr 1e-6"


@pytest.mark.parametrize("warmup", [0.0, 4.0, 2.5])
@pytest.mark.parametrize("epoch", [5, 8])
def test_the_rate_is_asked_with_the_part_of_the_epoch(warmup: float, epoch: int) -> None:
    flags = {"epochs": 20, "warmup_epochs": warmup, "lr": "1e-3", "min_lr": 1e-5}
    schedule = from_trainer("mae", flags, run=Run(updates_per_epoch=epoch)).schedule
    assert isinstance(schedule, Schedule)
    for update in range(20 * epoch):
        at = update / epoch
        fall = 1e-5 + (1e-3 - 1e-5) * (1 + math.cos(math.pi * (at - warmup) / (20 - warmup))) / 2
        assert schedule(update) == pytest.approx(1e-3 * at / warmup if at < warmup else fall, abs=1e-3 * EXACT)


def test_blr_is_the_rate_of_256_samples() -> None:
    taken = from_trainer("mae", FLAGS, run=Run(batches_per_epoch=10, batch_size=4096))
    assert isinstance(taken.schedule, Schedule)
    assert taken.schedule(20) == 1.5e-4 * 4096 / 256
    assert taken.notes == ("From update 200 on MAE's cosine turns back; here its last value holds.",)


def test_what_is_missing_or_has_no_equal_is_refused() -> None:
    with pytest.raises(ScheduleError, match=r"mae: warmup_epochs: expected a number >= 0; got none"):
        from_trainer("mae", {"epochs": 40, "lr": 1e-3}, run=Run(updates_per_epoch=5))
    with pytest.raises(ScheduleError, match=r"expected a multiple of accum_iter, 2, for the last update .*; got 11"):
        from_trainer("mae", FLAGS, run=Run(batches_per_epoch=11, batch_size=4096))
    with pytest.raises(ScheduleError, match=r"mae: min_lr: expected a number >= 0; got none"):
        from_trainer(
            "mae", {"epochs": 50, "warmup_epochs": 5, "lr": 1, "finetune": "a.pth"}, run=Run(updates_per_epoch=5)
        )
