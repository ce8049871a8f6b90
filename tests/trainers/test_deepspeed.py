"""DeepSpeed's scheduler: forms, groups of parameters, stairs against their formula, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from lrcore import Constant, Run, ScheduleError, Shift, from_trainer

LINEAR = {"warmup_num_steps": 10, "warmup_max_lr": 0.1, "warmup_type": "linear"}


def scheduler(kind: str, **params: Any) -> dict[str, Any]:
    return {"scheduler": {"type": kind, "params": params}}


def test_the_whole_file_or_its_scheduler(tmp_path: Path) -> None:
    expected = Shift(Constant(0.1).warmup(10), -1)
    path = tmp_path / "ds_config.json"
    path.write_text(json.dumps({"train_batch_size": 8, **scheduler("WarmupLR", **LINEAR)}), encoding="utf-8")
    whole = {"optimizer": {"params": {"lr": 0.1}}, **scheduler("WarmupLR", **{**LINEAR, "warmup_max_lr": None})}
    for source in (path, str(path), scheduler("WarmupLR", **LINEAR)["scheduler"], whole):
        assert from_trainer("deepspeed", source).schedule == expected


def test_the_params_may_stand_beside_the_name() -> None:
    expected = from_trainer("deepspeed", scheduler("WarmupLR", **LINEAR))
    for name in ("type", "lr_schedule"):
        assert from_trainer("deepspeed", {name: "WarmupLR", **LINEAR}) == expected
    flags = "--lr_schedule WarmupLR --warmup_num_steps 10 --warmup_max_lr 0.1 --warmup_type linear"
    assert from_trainer("deepspeed", flags) == expected


def test_auto_is_filled_from_the_facts_and_the_run() -> None:
    words = {"warmup_max_lr": "auto", "warmup_min_lr": "auto", "warmup_num_steps": "auto", "total_num_steps": "auto"}
    given = {"warmup_max_lr": 0.1, "warmup_num_steps": 10, "total_num_steps": 50}
    filled = from_trainer(
        "deepspeed", scheduler("WarmupDecayLR", **words), run=Run(total=50), lr=0.1, warmup_num_steps=10
    )
    assert filled.schedule == from_trainer("deepspeed", scheduler("WarmupDecayLR", **given)).schedule


def test_a_run_of_another_length_is_noted() -> None:
    taken = from_trainer("deepspeed", scheduler("WarmupDecayLR", **LINEAR, total_num_steps=50), run=Run(total=40))
    assert taken.notes == ("The schedule is planned for 50 updates, and the run takes 40.",)


def test_lists_give_each_group_a_schedule() -> None:
    taken = from_trainer("deepspeed", scheduler("WarmupLR", **{**LINEAR, "warmup_max_lr": [0.1, 0.2]}))
    assert {name: group(99) for name, group in taken.groups.items()} == {  # type: ignore[operator]
        "param_groups[0]": 0.1,
        "param_groups[1]": 0.2,
    }
    assert taken.schedule == taken.groups["param_groups[0]"]


def test_momentum_goes_the_other_way() -> None:
    cycle = scheduler("OneCycle", cycle_min_lr=0.1, cycle_max_lr=1.0, cycle_first_step_size=4)
    taken = from_trainer("deepspeed", cycle)
    assert [round(taken.also["momentum"](step), 3) for step in range(10)] == [
        *(0.8, 0.875, 0.85, 0.825, 0.8, 0.825, 0.85, 0.875, 0.9, 0.9)
    ]
    assert taken.notes == ("OneCycle cycles betas[0], which is `momentum`, and sets betas[1] to 0.99.",)
    assert not from_trainer("deepspeed", {**cycle, "optimizer": {"type": "SGD"}}).also


def test_stairs_follow_the_formula() -> None:
    random = Random(1)
    for _ in range(50):
        up, down, first, second = (random.randint(1, 40) for _ in range(4))
        params = {
            "cycle_min_lr": 0.1,
            "cycle_max_lr": 1.1,
            "cycle_first_step_size": up,
            "cycle_second_step_size": down,
            "cycle_first_stair_count": first,
            "cycle_second_stair_count": second,
        }
        rising = [math.floor(step * first / up) / first for step in range(up + 1)]
        falling = [math.floor((down - step) * second / down) / second for step in range(1, down + 1)]
        schedule = from_trainer("deepspeed", scheduler("OneCycle", **params)).schedule
        got = schedule.values(range(up + down + 1))  # type: ignore[union-attr]
        np.testing.assert_allclose(got, 0.1 + np.array(rising + falling), rtol=0, atol=1e-14)


def test_an_unknown_shape_is_deepspeeds_default_and_a_note() -> None:
    taken = from_trainer("deepspeed", scheduler("WarmupLR", **{**LINEAR, "warmup_type": "cubic", "warmup_num": 5}))
    assert (
        taken.schedule == from_trainer("deepspeed", scheduler("WarmupLR", **{**LINEAR, "warmup_type": "log"})).schedule
    )
    assert taken.notes == (
        "DeepSpeed has no warmup_type 'cubic' and takes log.",
        "Not used: scheduler.params.warmup_num.",
    )


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"optimizer": {}}, "deepspeed: scheduler: expected a table with type and params; got none"),
        (scheduler("Warmup"), "deepspeed: scheduler.type: expected one of WarmupLR, WarmupDecayLR"),
        (scheduler("WarmupLR"), "deepspeed: expected the optimizer's rate; got none; give it as lr=..."),
        (scheduler("WarmupDecayLR", warmup_num_steps=5), "scheduler.params.total_num_steps: expected an integer >= 1"),
        (scheduler("WarmupDecayLR", total_num_steps="auto"), "expected the run's total, in updates; got none"),
        (
            scheduler("LRRangeTest", lr_range_test_min_lr=[]),
            "expected a rate for each group of parameters; got an empty",
        ),
        (scheduler("WarmupLR", warmup_num_steps=0), "warmup_num_steps: expected an integer >= 1; got 0"),
        (scheduler("WarmupLR", warmup_num_steps="auto"), "got 'auto'; give it as warmup_num_steps=..."),
        (
            scheduler("WarmupLR", warmup_min_lr=[0, 0, 0], warmup_max_lr=[1, 2]),
            "deepspeed: scheduler.params: expected lists of one length, one value for each group of parameters; got 3 and 2",
        ),
    ],
)
def test_refusals(source: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        from_trainer("deepspeed", source)
    assert message in str(caught.value)
