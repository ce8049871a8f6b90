from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lrcore
from lrcore import Run, Schedule, ScheduleError, from_trainer

NOAM: dict[str, Any] = {"lr_initial": 0.1, "n_warmup_steps": 10}


def schedule(name: str, run: Run | None = None, lr: float = 1.0, **own: Any) -> Schedule:
    found = from_trainer("speechbrain", {"lr_annealing": {"_target_": name, **own}}, run=run, lr=lr).schedule
    assert isinstance(found, Schedule)
    return found


def test_hparams_with_tags_and_references(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text(
        """
lr: 0.1
factor: 2
opt_class: !name:torch.optim.Adam
    lr: !ref <lr> * <factor>
lr_annealing: !new:speechbrain.nnet.schedulers.NoamScheduler
    lr_initial: !ref <lr>
    n_warmup_steps: !ref <factor> * 5
""",
        encoding="utf-8",
    )
    taken = from_trainer("speechbrain", path)
    assert taken.schedule == schedule("NoamScheduler", lr=0.2, **NOAM)
    assert taken.notes == ()


@pytest.mark.parametrize(
    "source",
    [
        {"noam_annealing": {"_target_": "speechbrain.nnet.schedulers.NoamScheduler", **NOAM}},
        {"any_name": {"class": "NoamScheduler", **NOAM}},
        {"_target_": "speechbrain.nnet.schedulers.NoamScheduler", **NOAM},
        {"lr_annealing": {"!new:speechbrain.nnet.schedulers.NoamScheduler": NOAM}},
    ],
)
def test_plain_tables_say_the_same(source: dict[str, Any]) -> None:
    assert from_trainer("speechbrain", source, lr=1.0).schedule == schedule("NoamScheduler", **NOAM)


def test_the_first_update_has_the_optimizers_rate() -> None:
    found = schedule("speechbrain.nnet.schedulers.NoamScheduler", **NOAM)
    assert [found(step) for step in (0, 1, 10)] == [1.0, pytest.approx(0.01), 0.1]
    config = {"lr_annealing": {"_target_": "NoamScheduler", **NOAM}}
    with pytest.raises(ScheduleError, match="expected the optimizer's rate; got none"):
        from_trainer("speechbrain", config)


def test_one_of_several_is_chosen_by_name() -> None:
    several = {
        "lr_annealing_model": {"_target_": "NoamScheduler", **NOAM},
        "lr_annealing_wav2vec": {"_target_": "InverseSquareRootScheduler", "warmup_steps": 10},
    }
    taken = from_trainer("speechbrain", several, lr=1.0)
    assert taken.schedule == schedule("NoamScheduler", **NOAM)
    assert taken.notes == ("Not taken: lr_annealing_wav2vec, of other optimizers; the fact annealing=... names one.",)
    other = from_trainer("speechbrain", several, lr=1.0, annealing="lr_annealing_wav2vec").schedule
    assert other == schedule("InverseSquareRootScheduler", warmup_steps=10)


def test_classes_of_epochs_change_after_each() -> None:
    run = Run(updates_per_epoch=3)
    found = schedule("LinearScheduler", run, initial_value=1.0, final_value=0.0, epoch_count=5)
    assert [found(step) for step in (0, 3, 6, 99)] == [1.0, 0.75, 0.5, 0.0]
    stairs = schedule("StepScheduler", run, initial_value=1.0)
    assert [stairs(step) for step in (0, 3, 6, 9)] == [1.0, 0.5, 0.5, 0.25]
    with pytest.raises(ScheduleError, match="expected the run's updates_per_epoch"):
        schedule("StepScheduler", initial_value=1.0)


def test_what_differs_past_the_end_is_a_note() -> None:
    own = {"lr": 0.1, "warmup": 10, "cooldown": 20, "total_steps": 100}
    taken = from_trainer("speechbrain", {"lr_annealing": {"_target_": "WarmCoolDecayLRSchedule", **own}}, lr=0.1)
    assert taken.notes == ("Past total_steps SpeechBrain's rate is negative; here it stays 0.",)
    assert isinstance(taken.schedule, lrcore.Schedule)
    assert [taken.schedule(step) for step in (100, 150)] == [0.0, 0.0]


@pytest.mark.parametrize(
    ("name", "own", "problem"),
    [
        ("NewBobScheduler", {"initial_value": 1.0}, "this class goes by how each metric differs from the one before"),
        ("ReduceLROnPlateau", {}, "this class goes by how each metric"),
        ("NoamSchedule", {}, "expected one of NoamScheduler"),
        ("CyclicCosineScheduler", {"n_warmup_steps": 5}, "each factor multiplies the rate before"),
        (
            "IntervalScheduler",
            {"intervals": [{"steps": 9, "lr": 1}, {"steps": 3, "lr": 1}]},
            "expected steps that rise",
        ),
        ("StepScheduler", {"initial_value": 1, "half_life": 3, "decay_drop": 2}, "expected none beside decay_factor"),
        ("LinearNoamScheduler", {"lr_initial": 1, "n_warmup_steps": 0, "n_keep_steps": 3}, "expected an integer >= 1"),
        ("NoamScheduler", {"lr_initial": "!ref <lr>", "n_warmup_steps": 3}, "hand over the resolved configuration"),
    ],
)
def test_what_has_no_equal_is_refused(name: str, own: dict[str, Any], problem: str) -> None:
    with pytest.raises(ScheduleError) as error:
        schedule(name, Run(updates_per_epoch=3), **own)
    assert problem in str(error.value)
