from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore import Run, Schedule, ScheduleError, from_trainer


def schedule(total: int = 1000, **optimizer: Any) -> Schedule:
    found = from_trainer("levanter", {"optimizer": optimizer, "trainer": {"num_train_steps": total}}).schedule
    assert isinstance(found, Schedule)
    return found


def test_the_file_and_the_optimizer_alone_say_the_same() -> None:
    optimizer = {"type": "adam", "learning_rate": "3e-4", "warmup": 0.02, "lr_schedule": "cosine", "beta1": 0.9}
    whole = {
        "optimizer": optimizer,
        "trainer": {"num_train_steps": 5000, "train_batch_size": [{"start": 0, "value": 64}]},
    }
    taken = from_trainer("levanter", whole)
    expected = lrcore.Cosine(init_value=3e-4, end_value=3e-4 * 0.1, decay_steps=4900).warmup(100)
    assert taken.schedule == expected
    assert taken.notes == ()
    assert from_trainer("levanter", optimizer, run=Run(total=5000)).schedule == expected
    table = {**optimizer, "lr_schedule": {"type": "cosine", "exponent": 1.0}}
    assert from_trainer("levanter", table, run=Run(total=5000)).schedule == expected


def test_a_list_may_be_a_text() -> None:
    assert schedule(10, cycles="[3, 7]") == schedule(10, cycles=[3, 7])


def test_a_length_of_at_most_one_is_a_share() -> None:
    assert schedule(10, learning_rate=1.0, warmup=1, lr_schedule="constant", decay=0)(5) == 0.5
    assert schedule(10, learning_rate=1.0, warmup=2, lr_schedule="constant")(1) == 0.5


def test_weight_decay_and_adam_of_other_optimizers() -> None:
    optimizer = {"learning_rate": 0.02, "adam_lr": 6e-4, "adamc_weight_decay": True, "weight_decay": 0.1}
    taken = from_trainer("levanter", {"optimizer": optimizer}, run=Run(total=1000))
    adam = taken.groups["adam"]
    assert isinstance(adam, Schedule)
    assert [adam(10), taken.also["weight_decay"](10)] == [6e-4, 0.1]


@pytest.mark.parametrize(
    ("optimizer", "problem"),
    [
        ({"lr_schedule": "cosin"}, "'cosine'"),
        ({"warmup": 10.5}, "a share of at most 1, or whole updates"),
        ({"warmup": 1}, "expected at least one update beside the warmup"),
        ({"decay": 2000}, "expected at most the 1000 updates of a cycle; got 2000"),
        ({"cycles": [700, 300]}, "that fit one after another into 1000 updates"),
        ({"cycles": [300, 1700]}, "that fit one after another into 1000 updates"),
        ({"cycles": 1_000_000}, "expected at most 1,000 cycles, each of which is written out; got 1,000,000"),
        ({"cycles": 2, "cycle_length": 10}, "expected one of cycle_length, cycles and haps"),
        ({"lr_schedule": "inv", "min_lr_ratio": 0}, "expected a number > 0 and <= 1 for inv"),
        ({"lr_schedule": {"type": "power", "batch_size": 8}}, "seq_length"),
    ],
)
def test_what_levanter_cannot_do_is_refused(optimizer: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        schedule(**{"learning_rate": 1e-3, **optimizer})
    assert problem in str(error.value)


def test_the_length_is_asked_for_and_may_not_contradict() -> None:
    with pytest.raises(ScheduleError, match="expected the run's total"):
        from_trainer("levanter", {"optimizer": {}})
    with pytest.raises(ScheduleError, match=r"run\.total: expected 10, which the configuration says, or none; got 5"):
        from_trainer("levanter", {"trainer": {"num_train_steps": 10}}, run=Run(total=5))


# --- an independent statement of it -----------------------------------------------------------------------------------


def stated(
    total: int, lr: float, ratio: float, lengths: tuple[float, float, float], cycles: int, kind: str
) -> list[float]:
    """Update by update: where in its cycle it is, and what that means."""
    warm, rewarm, fall = lengths
    ends = [int(total / cycles * (number + 1)) for number in range(cycles)]
    values = []
    for step in range(total):
        number = next(index for index, end in enumerate(ends) if step < end)
        start = ends[number - 1] if number else 0
        length, at = ends[number] - start, step - start
        up = int((rewarm if number else warm) * length)
        down = int(fall * length)
        if at < up:
            low = 0.0 if number == 0 else lr if kind == "constant" else lr * ratio
            values.append(low + (lr - low) * at / up)
        elif at < length - down or kind == "constant":
            values.append(lr)
        else:
            at, gone = at - (length - down), (at - (length - down)) / down
            if kind == "cosine":
                values.append(lr * ratio + lr * (1 - ratio) * (1 + np.cos(np.pi * gone)) / 2)
            elif kind == "linear":
                values.append(lr + lr * (ratio - 1) * gone)
            else:
                values.append(lr / (1 + (1 / ratio - 1) * max(at, 1) / down))
    return values


def test_random_options_give_what_the_formula_says() -> None:
    random = Random(7)
    for _ in range(60):
        total, cycles = random.randint(20, 300), random.choice([1, 1, 2, 3])
        kind = random.choice(["constant", "cosine", "linear", "inv"])
        lr, ratio = random.choice([1e-3, 0.1]), random.choice([0.1, 0.5])
        lengths = random.choice([0.0, 0.1, 0.3]), random.choice([0.0, 0.2]), random.choice([0.2, 0.5, 0.7])
        names = dict(zip(("warmup", "rewarmup", "decay"), lengths, strict=True))
        found = schedule(total, learning_rate=lr, min_lr_ratio=ratio, cycles=cycles, lr_schedule=kind, **names)
        assert np.abs(found.values(range(total)) - stated(total, lr, ratio, lengths, cycles, kind)).max() <= 1e-12 * lr


@pytest.mark.parametrize("warmup", [0, 100, 20_000])
def test_the_inverse_root_waits_for_its_timescale(warmup: int) -> None:
    found = schedule(40_000, learning_rate=1.0, warmup=warmup, lr_schedule="inv_sqrt", min_lr_ratio=0.6)
    for step in (warmup, warmup + 5_000, warmup + 15_000, 39_999):
        assert found(step) == pytest.approx(max(0.6, min(1.0, (10_000 / max(step, 1)) ** 0.5)), rel=1e-13)


def test_power_counts_tokens() -> None:
    power = {"type": "power", "batch_size": 8, "seq_length": 1024}
    found = schedule(10_000, learning_rate=0.02, warmup=0.0, lr_schedule=power)
    for step in (1, 10, 1_000, 4_000, 9_999):
        assert found(step) == pytest.approx(min(0.02, 8 * 4.6 * (step * 8 * 1024) ** -0.51), rel=1e-13)
