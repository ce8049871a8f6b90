"""The Trainer of Hugging Face runs the loop, saves and resumes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments

import lrcore
import lrcore_torch
from tests.ecosystem.trainers.training import SCHEDULE, Weight, movements, rates

UPDATES = 16


class Model(torch.nn.Module):
    """As the Trainer calls it: by the names of what is in a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = Weight()

    def forward(self, ones: torch.Tensor, **_: Any) -> dict[str, torch.Tensor]:
        return {"loss": self.weight(ones)}


class Weights(TrainerCallback):
    """The weight after each update."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.seen: list[float] = []

    def on_optimizer_step(self, *_: Any, **__: Any) -> None:
        self.seen.append(self.model.weight.value.item())


def trained(
    folder: Path,
    schedule: lrcore.Schedule | lrcore.Plateau = SCHEDULE,
    resume: Path | None = None,
    scheduler: Any = None,
    callbacks: Sequence[TrainerCallback] = (),
    **options: Any,
) -> tuple[list[float], Trainer]:
    """What the weight was after each update, and the Trainer."""
    model = Model()
    optimizer = torch.optim.SGD(model.parameters())
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule, **(scheduler or {}))
    weights = Weights(model)
    arguments = TrainingArguments(
        str(folder),
        max_steps=UPDATES,
        per_device_train_batch_size=1,
        max_grad_norm=0.0,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
        logging_steps=1,
        **{"save_strategy": "no", **options},
    )
    data: Any = [{"ones": torch.ones(1, dtype=torch.float64)}] * 8
    trainer = Trainer(
        model,
        arguments,
        train_dataset=data,
        eval_dataset=data,
        optimizers=(optimizer, scheduler),
        callbacks=[weights, *callbacks],
    )
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    return weights.seen, trainer


def test_each_update_uses_the_schedule(tmp_path: Path) -> None:
    weights, trainer = trained(tmp_path)
    assert movements(weights) == pytest.approx(rates(range(UPDATES)), rel=1e-12)
    logged = [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]
    assert logged == pytest.approx(rates(range(UPDATES)))


def test_accumulated_gradients_are_one_update(tmp_path: Path) -> None:
    weights, _ = trained(tmp_path, gradient_accumulation_steps=4)
    assert movements(weights) == pytest.approx(rates(range(UPDATES)), rel=1e-12)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_a_run_goes_on_from_a_checkpoint(accumulated: int, tmp_path: Path) -> None:
    options: dict[str, Any] = {"gradient_accumulation_steps": accumulated}
    whole, _ = trained(tmp_path, save_strategy="steps", save_steps=3, **options)
    checkpoints = sorted(tmp_path.glob("checkpoint-*"))
    assert len(checkpoints) == UPDATES // 3 + 1  # and one at the end
    for checkpoint in checkpoints:
        done = int(checkpoint.name.removeprefix("checkpoint-"))
        weights, _ = trained(tmp_path / "again", resume=checkpoint, **options)
        assert weights == whole[done:]


def test_another_schedule_is_not_taken_in_silence(tmp_path: Path) -> None:
    trained(tmp_path, save_strategy="steps", save_steps=10)
    other = lrcore.Constant(0.125)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        trained(tmp_path, other, tmp_path / "checkpoint-10")
    weights, _ = trained(tmp_path, other, tmp_path / "checkpoint-10", {"on_mismatch": "use_config"})
    assert movements(weights)[1:] == [0.125] * 5


class Report(TrainerCallback):
    """Gives each evaluation's loss to the plateau of the Trainer's scheduler."""

    def on_evaluate(self, *_: Any, metrics: Any, lr_scheduler: Any, **__: Any) -> None:
        lr_scheduler.report(metrics["eval_loss"])


def test_the_metrics_of_evaluations_reach_a_plateau(tmp_path: Path) -> None:
    """The loss is the weight itself, which falls: with mode max no evaluation is an improvement."""
    plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0, mode="max")
    weights, trainer = trained(
        tmp_path,
        plateau,
        callbacks=[Report()],
        eval_strategy="steps",
        eval_steps=4,
        eval_on_start=True,
        label_names=["ones"],
    )
    scales = [1.0] * 4 + [0.5] * 4 + [0.25] * 4 + [0.125] * 4
    assert movements(weights) == pytest.approx([SCHEDULE(step) * scales[step] for step in range(UPDATES)], rel=1e-12)
    assert trainer.lr_scheduler.plateau_state.reports == 5
