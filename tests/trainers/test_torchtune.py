"""torchtune's recipes: forms, lengths, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from lrcore import Constant, Cosine, Run, ScheduleError, from_trainer

COSINE = "torchtune.training.lr_schedulers.get_cosine_schedule_with_warmup"
SCHEDULER = {"_component_": COSINE, "num_warmup_steps": 10}
RECIPE = {"optimizer": {"lr": "3e-4"}, "lr_scheduler": SCHEDULER, "epochs": 2, "gradient_accumulation_steps": 8}
EXPECTED = Cosine(init_value=3e-4, decay_steps=90).warmup(10)


@pytest.mark.parametrize(
    ("source", "run", "facts"),
    [
        (RECIPE, Run(batches_per_epoch=407), {}),
        (RECIPE, Run(updates_per_epoch=50), {}),
        (RECIPE, Run(dataset_size=1_629, batch_size=32), {}),
        (RECIPE, Run(total=100), {}),
        ({**RECIPE, "max_steps_per_epoch": 50}, Run(batches_per_epoch=9_999), {}),
        (SCHEDULER, Run(total=100), {"lr": 3e-4}),
        ({**SCHEDULER, "num_training_steps": 100}, Run(), {"lr": 3e-4}),
        (["optimizer.lr=3e-4", "lr_scheduler.num_warmup_steps=10"], Run(total=100), {}),
    ],
)
def test_forms(source: Any, run: Run, facts: dict[str, Any]) -> None:
    taken = from_trainer("torchtune", source, run=run, **facts)
    assert taken.schedule == EXPECTED
    assert taken.notes == ("From update 100 on the trainer's cosine turns back, and lrcore holds its last value.",)


def test_without_a_scheduler_the_rate_is_constant() -> None:
    taken = from_trainer("torchtune", {**RECIPE, "lr_scheduler": None})
    assert taken.schedule == Constant(3e-4)
    assert taken.notes == ("There is no lr_scheduler: the rate is constant.",)


@pytest.mark.parametrize(
    ("changes", "run", "message"),
    [
        ({}, Run(), "torchtune: expected the run's updates_per_epoch; got none"),
        (
            {},
            Run(total=99, updates_per_epoch=50),
            "epochs: expected 99 updates, which the run's total says, or no total; got 100",
        ),
        ({"optimizer": {}}, Run(total=9), "torchtune: expected the optimizer's rate; got none; give it as lr=..."),
        ({"lr_scheduler": {"_component_": COSINE}}, Run(total=9), "lr_scheduler.num_warmup_steps: expected an integer"),
        (
            {"lr_scheduler": {"_component_": "torch.optim.lr_scheduler.StepLR"}},
            Run(total=9),
            "_component_: expected get_cosine_schedule_with_warmup, which the recipes' arguments fit; got 'StepLR'",
        ),
    ],
)
def test_refusals(changes: dict[str, Any], run: Run, message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        from_trainer("torchtune", {**RECIPE, **changes}, run=run)
    assert message in str(caught.value)
