"""Schedules in the configurations of Hydra and jsonargparse, as Keras users write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hydra
import keras
import numpy as np
import pytest
from jsonargparse import ArgumentParser
from omegaconf import OmegaConf

import lrcore
import lrcore_keras

STEPS = lrcore.PiecewiseConstant(boundaries=[2, 5], values=[0.5, 0.25, 0.125]).warmup(2)
YAML = """
peak: 0.5
optimizer:
  _target_: keras.optimizers.SGD
  learning_rate:
    _target_: lrcore_keras.LearningRateSchedule
    schedule:
      kind: piecewise_constant
      boundaries: [2, 5]
      values: ["${peak}", 0.25, 0.125]
      warmup: {steps: 2}
callback:
  _target_: lrcore_keras.LearningRateScheduler
  schedule: schedule.toml
  per: epoch
"""


def rates(optimizer: Any) -> list[float]:
    weight = keras.Variable(0.0)
    optimizer.build([weight])
    found = []
    for _ in range(9):
        optimizer.apply([keras.ops.ones(())], [weight])
        found.append(0.0 - float(weight))
        weight.assign(0.0)
    return found


def test_hydra_builds_an_optimizer_and_a_callback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("schedule.toml").write_text(lrcore.dumps(STEPS, format="toml"))
    configuration = OmegaConf.create(YAML)
    optimizer = hydra.utils.instantiate(configuration.optimizer)
    assert rates(optimizer) == [float(np.float32(STEPS(step))) for step in range(9)]
    callback = hydra.utils.instantiate(configuration.callback)
    assert (callback.schedule, callback.per) == (STEPS, "epoch")


@pytest.mark.parametrize("form", ["path", "dict"])
def test_jsonargparse_builds_a_schedule(form: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(STEPS, format="toml"))
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(lrcore_keras.LearningRateSchedule, "rate")
    given: Any = str(path) if form == "path" else STEPS.to_dict()
    built = parser.instantiate_classes(parser.parse_object({"rate": {"schedule": given}}))
    assert built.rate.schedule == STEPS
