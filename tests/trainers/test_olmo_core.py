"""OLMo-core's configurations: their forms, the length of the run, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import Cosine, Run, Schedule, ScheduleError, Shift, Taken


def taken(own: dict[str, Any], run: Run | None = None, **others: Any) -> Taken:
    source = {"train_module": {"optim": {"lr": 0.1}, "scheduler": own}, **others}
    return lrcore.from_trainer("olmo_core", source, run=run)


def rates(own: dict[str, Any], total: int = 100) -> Schedule:
    found = taken(own, Run(total=total)).schedule
    assert isinstance(found, Schedule)
    return found


def duration(value: int, unit: str) -> dict[str, Any]:
    return {"trainer": {"max_duration": {"value": value, "unit": unit, "_CLASS_": "olmo_core.train.common.Duration"}}}


SCHEDULE = Shift(Cosine(init_value=0.1, end_value=0.05, decay_steps=90).warmup(10), 1)
COSINE = {"_CLASS_": "olmo_core.optim.scheduler.CosWithWarmup", "warmup": 10, "alpha_f": 0.5}


@pytest.mark.parametrize(
    ("own", "others", "run"),
    [
        (COSINE, duration(100, "steps"), Run()),
        (COSINE, duration(4, "epochs"), Run(updates_per_epoch=25)),
        (COSINE, {**duration(991, "tokens"), "data_loader": {"global_batch_size": 10}}, Run()),
        (COSINE, duration(991, "tokens"), Run(batch_size=5, tokens_per_sample=2)),
        ({"type": "cos_with_warmup", "warmup_fraction": 0.1, "alpha_f": "0.5"}, {}, Run(total=100)),
        (
            {"_CLASS_": "CosWithWarmup", "warmup_steps": [10], "warmup": None, "alpha_f": 0.5, "t_max": 100},
            {},
            Run(total=70),
        ),
    ],
)
def test_a_configuration_is_read_in_each_of_its_forms(own: dict[str, Any], others: dict[str, Any], run: Run) -> None:
    assert taken(own, run, **others).schedule == SCHEDULE
    alone = lrcore.from_trainer("olmo_core", {**own, **others}, run=run, lr=0.1)
    assert alone.schedule == SCHEDULE


def test_max_steps_may_stand_beside_the_scheduler() -> None:
    for source in ({"scheduler": COSINE, "max_steps": 100}, {**COSINE, "max_steps": 100, "lr_field": ["lr"]}):
        assert lrcore.from_trainer("olmo_core", source, lr=0.1).schedule == SCHEDULE
    with pytest.raises(ScheduleError, match=r"run\.total: expected 100, which the configuration says"):
        lrcore.from_trainer("olmo_core", {"scheduler": COSINE, "max_steps": 100}, run=Run(total=99), lr=0.1)


def test_a_schedule_in_tokens_is_asked_after_the_tokens_of_the_update() -> None:
    own = {**COSINE, "units": "tokens", "warmup": 15, "alpha_f": 0.0}
    found = taken(own, **duration(95, "tokens"), data_loader={"global_batch_size": 10}).schedule
    assert isinstance(found, Schedule)
    assert found(0) == pytest.approx(0.1 * 10 / 15)
    assert found(4) == pytest.approx(0.05 * (1 + math.cos(math.pi * 35 / 80)))


def test_a_part_of_a_sequence_ends_at_its_last_update_and_the_next_begins_with_its_rate() -> None:
    parts = [
        {"_CLASS_": "ConstantWithWarmup", "warmup": 4},
        {"_CLASS_": "LinearWithWarmup", "warmup": 0, "alpha_f": 0.5},
    ]
    found = rates({"_CLASS_": "SequentialScheduler", "schedulers": parts, "schedulers_max": [2]}, total=7)
    assert [found(step) for step in range(7)] == pytest.approx([0.025, 0.05, 0.045, 0.04, 0.035, 0.03, 0.025])


def test_an_override_replaces_what_was_planned() -> None:
    stages = [{"duration": 10, "start_lr": 0.0, "end_lr_fraction": 1.0}, {"duration": 90, "end_lr": 0.0}]
    override = {"start": 5, "duration": 5, "end_lr": 0.0, "shape": "linear"}
    found = rates({"type": "composable", "stages": stages, "override_decay": override})
    assert [found(step) for step in (0, 4, 6, 9, 50)] == pytest.approx([0.01, 0.05, 0.03, 0.0, 0.0], abs=1e-17)


def test_a_group_with_a_rate_of_its_own_has_a_schedule() -> None:
    overrides = [
        {"params": ["embeddings.weight"], "opts": {"lr": 0.2}},
        {"params": ["*.bias"], "opts": {"weight_decay": 0}},
    ]
    source = {"optim": {"lr": 0.1, "group_overrides": overrides}, "scheduler": {"type": "constant"}}
    found = lrcore.from_trainer("olmo_core", source, run=Run(total=9)).groups
    assert {name: one(3) for name, one in found.items() if isinstance(one, Schedule)} == {"embeddings.weight": 0.2}


def test_a_decay_that_goes_on_is_a_note() -> None:
    own = {"type": "wsd", "warmup": 3, "decay_steps": 10, "alpha_f": 1}
    assert taken(own, Run(total=20)).notes == (
        "After update 20 OLMo-core's decay falls below its end value; lrcore holds that.",
        "Not used: train_module.scheduler.alpha_f.",
    )


@pytest.mark.parametrize(
    ("own", "problem"),
    [
        ({"type": "cos_with_warmups"}, "scheduler.type: expected one of .* got 'cos_with_warmups'; did you mean"),
        ({"type": "wsd"}, "scheduler.warmup: expected either warmup or warmup_fraction; got neither"),
        ({"type": "wsd", "warmup": 3, "warmup_fraction": 0.1}, "expected either warmup or warmup_fraction; got both"),
        ({"type": "wsd", "warmup": 3, "decay": 0}, "scheduler.decay: expected a decay of 1 to 100, the run; got 0"),
        (
            {"type": "wsd", "warmup": 3, "warmup_min_lr": 0.5},
            "warmup_min_lr: expected less than the rate there, 0.1; got 0.5",
        ),
        ({"type": "wsd", "warmup": 3, "units": "tokens"}, "expected the run's tokens_per_sample"),
        ({"type": "constant", "lr_field": "momentum"}, "scheduler.lr_field: expected a scheduler of the rate, lr"),
        ({"type": "power_lr", "warmup": 3, "b": 0.5}, "scheduler.b: expected a negative number; got 0.5"),
        ({"type": "composable"}, "scheduler.stages: expected at least one stage; got none"),
        ({"type": "composable", "stages": [{"duration": 3}]}, "expected either end_lr or end_lr_fraction; got neither"),
        ({"type": "sequential", "schedulers": [{}], "schedulers_max": [1, 2]}, "scheduler"),
        (
            {"type": "wsds", "period_lengths": [5, 5], "warmup": 3, "decay": 3},
            "expected one that fits into period 0, of 5",
        ),
    ],
)
def test_what_has_no_meaning_is_refused(own: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        rates(own)


def with_batches(own: dict[str, Any], sizes: list[int], places: list[int], unit: str, end: dict[str, Any]) -> Schedule:
    events = [{"value": place, "unit": unit} for place in places]
    end["trainer"]["callbacks"] = {"batch": {"batch_sizes": sizes, "schedule": events}, "other": {"enabled": True}}
    found = taken(own, data_loader={"global_batch_size": 10}, **end).schedule
    assert isinstance(found, Schedule)
    return found


@pytest.mark.parametrize("unit", ["steps", "tokens"])
@pytest.mark.parametrize("length", ["steps", "tokens"])
def test_a_batch_that_grows_multiplies_the_rate_by_the_root_of_its_growth(unit: str, length: str) -> None:
    """Beside a run that is counted update by update: a larger batch waits for a whole number of its size."""
    own = {"type": "wsd", "warmup": 300, "decay": 600, "units": "tokens"}
    end = duration(70, "steps") if length == "steps" else duration(2005, "tokens")
    found = with_batches(own, [10, 40, 20], [0, 13, 40] if unit == "steps" else [0, 129, 1000], unit, end)
    seen, size, due = 0, 10, [(13, 129, 40), (40, 1000, 20)]
    for step in range(60):
        passed = [new for place, tokens, new in due if (step >= place if unit == "steps" else seen >= tokens)]
        if passed and (passed[-1] < size or seen % passed[-1] == 0):
            size = passed[-1]
        seen += size
        peak, last = 0.1 * math.sqrt(size / 10), 2005 if length == "tokens" else seen + (70 - step - 1) * size
        falling = peak * min(last - seen, 600) / 600 if seen > last - 600 else peak
        if seen < last:
            assert found(step) == pytest.approx(peak * seen / 300 if seen <= 300 else falling, rel=1e-12), step


@pytest.mark.parametrize(
    ("sizes", "places", "problem"),
    [
        ([10, 15], [0, 3], "expected a batch size that is a multiple or a part of 10; got 15"),
        ([10, 20], [1, 3], "expected 0 for the first batch size; got 1"),
        ([10, 20, 40], [0, 3, 4], "expected a place after update 4, where the batch before begins; got 4"),
        ([10, 20], [0, 3, 4], "expected one duration for each of 2 batch sizes; got 3"),
    ],
)
def test_batch_sizes_that_do_not_fit_are_refused(sizes: list[int], places: list[int], problem: str) -> None:
    with pytest.raises(ScheduleError, match=problem):
        with_batches({"type": "constant"}, sizes, places, "steps", duration(99, "steps"))


def test_a_horizon_in_updates_that_batch_sizes_would_move_is_refused() -> None:
    with pytest.raises(ScheduleError, match="expected tokens, or a t_max, with batch sizes that change; got steps"):
        with_batches({**COSINE}, [10, 20], [0, 4], "steps", duration(990, "tokens"))


@given(total=st.integers(2, 300), warmup=st.floats(0, 1), decay=st.floats(0, 1), low=st.floats(0, 0.09))
def test_a_decay_at_the_end_is_that_of_its_formula(total: int, warmup: float, decay: float, low: float) -> None:
    rise, fall = round(total * warmup), max(1, round(total * decay))
    found = rates({"type": "wsd", "warmup_fraction": warmup, "decay": fall, "decay_min_lr": low}, total)
    for step in range(1, total + 1):
        falling = low + (0.1 - low) * min(total - step, fall) / fall
        assert math.isclose(found(step - 1), 0.1 * step / rise if step <= rise else falling, abs_tol=1e-14)
