"""Configuration libraries build the scheduler from what their files say: LightningCLI with jsonargparse, and Hydra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from lightning.pytorch.cli import LightningCLI
from omegaconf import OmegaConf

import lrcore
import lrcore_torch
from tests.ecosystem.trainers.test_lightning import Weights
from tests.ecosystem.trainers.training import SCHEDULE, Data, LoggedWeight, movements, rates

PLATEAU = lrcore.Plateau(SCHEDULE, factor=0.5, patience=1)


def forms(folder: Path) -> dict[str, Any]:
    """What a configuration may give as a schedule, and the schedule."""
    path = folder / "schedule.toml"
    path.write_text(lrcore.dumps(SCHEDULE), encoding="utf-8")
    return {
        "a path": (str(path), SCHEDULE),
        "a table": (SCHEDULE.to_dict(), SCHEDULE),
        "a table of a plateau": (lrcore_dict(PLATEAU), PLATEAU),
        "a number": (0.25, lrcore.Constant(0.25)),
        "a list": ([SCHEDULE.to_dict()], [SCHEDULE]),
        "a list of null": ([None], [lrcore.Constant(0.5)]),
    }


def lrcore_dict(plateau: lrcore.Plateau) -> dict[str, Any]:
    return {**plateau.schedule.to_dict(), "plateau": {"factor": plateau.factor, "patience": plateau.patience}}


FORMS = ("a path", "a table", "a table of a plateau", "a number", "a list", "a list of null")


@pytest.mark.parametrize("form", ["a path", "a table of a plateau", "a number", "a list"])
def test_lightning_cli_builds_the_scheduler_and_trains_with_it(form: str, tmp_path: Path) -> None:
    given, schedule = forms(tmp_path)[form]
    configuration = {
        "trainer": {
            "max_epochs": 2,
            "logger": False,
            "enable_checkpointing": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "accelerator": "cpu",
            "default_root_dir": str(tmp_path),
        },
        "optimizer": {"class_path": "torch.optim.SGD", "init_args": {"lr": 0.5}},
        "lr_scheduler": {
            "class_path": "lrcore_torch.LRScheduler",
            "init_args": {"schedule": given, "attach": True, "also": {"momentum": {"kind": "constant", "value": 0.0}}},
        },
    }
    path = tmp_path / "config.yaml"
    OmegaConf.save(OmegaConf.create(configuration), path)
    weights = Weights()
    cli = LightningCLI(
        LoggedWeight,
        Data,
        args=["fit", "--config", str(path)],
        save_config_callback=None,
        trainer_defaults={"callbacks": [weights]},
    )
    scheduler: Any = cli.trainer.lr_scheduler_configs[0].scheduler
    assert scheduler.schedule == schedule
    if form == "a path":
        assert movements(weights.seen) == pytest.approx(rates(range(len(weights.seen))), rel=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_hydra_builds_the_scheduler(form: str, tmp_path: Path) -> None:
    given, schedule = forms(tmp_path)[form]
    configuration = OmegaConf.create(
        {"_target_": "lrcore_torch.LRScheduler", "schedule": given, "also": {"momentum": 0.0}, "attach": True}
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = instantiate(configuration, optimizer=optimizer)
    assert isinstance(scheduler, lrcore_torch.LRScheduler)
    assert scheduler.schedule == schedule
    optimizer.step()
    assert scheduler.last_epoch == 1
