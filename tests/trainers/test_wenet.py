from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from lrcore import Run, Schedule, ScheduleError, from_trainer


def schedule(name: str, run: Run | None = None, lr: float = 0.002, **conf: Any) -> Schedule:
    source = {"optim_conf": {"lr": lr}, "scheduler": name, "scheduler_conf": conf}
    found = from_trainer("wenet", source, run=run).schedule
    assert isinstance(found, Schedule)
    return found


def test_the_first_value_comes_twice() -> None:
    found = schedule("warmuplr", warmup_steps=4, lr=1.0)
    assert [found(step) for step in (0, 1, 2, 4, 16)] == [0.25, 0.25, 0.5, 1.0, 0.5]


def test_modules_have_rates_and_warmups_of_their_own() -> None:
    config = {
        "optim_conf": {"lr": [1.0, 2.0], "modules": ["ctc"]},
        "scheduler": "warmuplr",
        "scheduler_conf": {"warmup_steps": [0, 4]},
    }
    taken = from_trainer("wenet", config)
    ctc = taken.groups["ctc"]
    assert isinstance(ctc, Schedule)
    assert isinstance(taken.schedule, Schedule)
    assert [ctc(step) for step in (0, 1, 4)] == [1.0, 1.0, 0.5]
    assert [taken.schedule(step) for step in (1, 4)] == [0.5, 2.0]


def stated(step: int, lr: float, lengths: tuple[int, int, int], rate: float, floor: float) -> float:
    """NoamHoldAnnealing at the number of its step."""
    warmup, hold, total = lengths
    if step <= warmup:
        return lr * (step + 1) / (warmup + 1)
    if step < warmup + hold:
        return lr
    if step > total:
        return floor
    return max(floor, lr * (warmup / (step - hold)) ** rate)


def test_random_options_give_what_the_formula_says() -> None:
    random = Random(3)
    for _ in range(60):
        total, lr = random.randint(20, 300), random.choice([1e-3, 1.0])
        lengths = random.choice([1, 10, total // 3, total]), random.choice([0, 1, 10, total // 2]), total
        rate, floor = random.choice([0.5, 1.0, 0.3]), random.choice([0.0, lr / 3])
        conf: dict[str, Any] = {"warmup_steps": lengths[0], "hold_steps": lengths[1], "max_steps": total}
        found = schedule("NoamHoldAnnealing", lr=lr, decay_rate=rate, min_lr=floor, **conf)
        expected = [stated(max(step - 1, 0), lr, lengths, rate, floor) for step in range(2 * total)]
        assert np.abs(found.values(range(2 * total)) - expected).max() <= 1e-12 * lr


@pytest.mark.parametrize(
    ("name", "conf", "problem"),
    [
        ("warmuplr", {"warmup_steps": -1}, "expected a number >= 0; got -1"),
        ("warmuplr", {"warmup_steps": 5, "device_factor": 2}, "expected 1, or a WeNet that has none; got 2"),
        ("NoamHoldAnnealing", {"warmup_steps": 5}, "expected the run's total"),
        ("NoamHoldAnnealing", {"hold_steps": 5, "max_steps": 9}, "the decay is counted in warmups"),
        ("NoamHoldAnnealing", {"warmup_steps": 5, "warmup_ratio": 0.1, "max_steps": 9}, "none beside warmup_steps"),
        ("cosine", {}, "expected one of warmuplr, NoamHoldAnnealing"),
    ],
)
def test_what_has_no_equal_is_refused(name: str, conf: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        schedule(name, **conf)
    assert problem in str(error.value)


def test_an_unused_option_is_a_note() -> None:
    config = {"optim_conf": {"lr": 1.0}, "scheduler": "warmuplr", "scheduler_conf": {"warmup_step": 10}}
    assert from_trainer("wenet", config).notes == ("Not used: scheduler_conf.warmup_step.",)
