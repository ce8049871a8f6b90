"""A scheduler of Paddle that a configuration library makes: Hydra, with OmegaConf's nodes, and jsonargparse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonargparse
import paddle
import pytest
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf

import lrcore
from lrcore_paddle import LRScheduler

SCHEDULE = lrcore.Cosine(init_value=0.5, decay_steps=8).warmup(2)
OTHER = lrcore.Constant(0.25)
PLATEAU = lrcore.Plateau(SCHEDULE, factor=0.5)


def forms(path: Path) -> dict[str, tuple[Any, Any]]:
    """Return what a configuration may hold as a schedule, with the schedule that it means; the path is that of `SCHEDULE`."""
    return {
        "path": (str(path), SCHEDULE),
        "dict": (SCHEDULE.to_dict(), SCHEDULE),
        "plateau": (PLATEAU.to_dict(), PLATEAU),
        "list": ([str(path), OTHER.to_dict()], [SCHEDULE, OTHER]),
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(SCHEDULE))
    return path


@pytest.mark.parametrize("form", forms(Path()))
def test_hydra_makes_the_optimizer_and_its_scheduler(form: str, path: Path) -> None:
    given, schedule = forms(path)[form]
    scheduler = {"_target_": "lrcore_paddle.LRScheduler", "schedule": given, "on_mismatch": "use_config"}
    config = OmegaConf.create({"_target_": "paddle.optimizer.SGD", "learning_rate": scheduler})
    weight = paddle.create_parameter([], "float32", default_initializer=paddle.nn.initializer.Constant(0.0))
    optimizer = instantiate(config, parameters=[weight])
    made = optimizer._learning_rate
    assert (made.schedule, made.on_mismatch) == (schedule, "use_config")
    made.sync(4)
    (weight * 1.0).backward()
    optimizer.step()
    assert weight.item() == pytest.approx(-SCHEDULE(4))


@pytest.mark.parametrize("form", forms(Path()))
def test_jsonargparse_makes_the_scheduler_that_a_yaml_file_describes(form: str, path: Path) -> None:
    given, schedule = forms(path)[form]
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(LRScheduler, "scheduler")
    parsed = parser.parse_string(yaml.safe_dump({"scheduler": {"schedule": given, "last_epoch": 3}}))
    made = parser.instantiate_classes(parsed).scheduler
    assert (made.schedule, made.last_epoch) == (schedule, 4)


def test_jsonargparse_makes_the_scheduler_that_a_command_line_names(path: Path) -> None:
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(paddle.optimizer.lr.LRScheduler, "scheduler")
    parsed = parser.parse_args(["--scheduler=lrcore_paddle.LRScheduler", f"--scheduler.schedule={path}"])
    assert parser.instantiate_classes(parsed).scheduler.schedule == SCHEDULE
