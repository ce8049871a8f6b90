"""The command `lrcore convert`: the schedule of a trainer's configuration as a file, its notes, and its other parts."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

import lrcore
from lrcore import Constant, Linear, Plateau, Taken
from lrcore.show import cli
from lrcore.trainers import registry

CONFIG = {
    "optimizer": {"params": {"lr": 3e-4}},
    "scheduler": {"type": "WarmupDecayLR", "params": {"warmup_num_steps": 10, "total_num_steps": "auto"}},
}
RUN = lrcore.Run(total=100)
PARTS = Taken(
    Linear(init_value=0.1, end_value=0.0, decay_steps=10),
    also={"weight_decay": Constant(0.05), "bias": Constant(0.9)},
    groups={"bias": 2.0, "head": Constant(0.3)},
    notes=("The trainer\ngoes on.",),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ds_config.json"
    path.write_text(json.dumps(CONFIG), encoding="utf-8")
    return path


@pytest.fixture
def with_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An importer whose configuration has other parts, in the place of DeepSpeed's."""
    monkeypatch.setattr(registry, "_module", lambda name: SimpleNamespace(FACTS={}, read=lambda options, facts: PARTS))


def run(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "80"}).invoke(cli.main, ["convert", *map(str, arguments)])


def test_convert_prints_toml_or_writes_the_file(file: Path, tmp_path: Path) -> None:
    expected = lrcore.from_trainer("deepspeed", file, run=RUN).schedule
    result = run(file, "--from", "deepspeed", "--run", "total=100")
    assert (result.exit_code, result.stderr) == (0, "")
    assert lrcore.loads(result.stdout, "toml") == expected
    written = tmp_path / "schedule.yaml"
    assert run(file, "--from", "deepspeed", "--run", "total=100", "-o", written).output == ""
    assert lrcore.load(written) == expected


def test_flags_stand_behind_two_dashes() -> None:
    flags = ["--scheduler.type", "WarmupLR", "--scheduler.params.warmup_num_steps", "50"]
    expected = lrcore.from_trainer("deepspeed", flags, lr=1e-3).schedule
    result = run("--from", "deepspeed", "--fact", "lr=1e-3", "--", *flags)
    assert lrcore.loads(result.stdout, "toml") == expected


def test_notes_go_to_standard_error_one_in_each_line(file: Path) -> None:
    result = run(file, "--from", "deepspeed", "--run", "total=100", "--fact", "warmup_num_steps=7")
    assert result.stderr == "note: Not used, since the configuration says it: warmup_num_steps.\n"
    assert lrcore.loads(result.stdout, "toml") == lrcore.from_trainer("deepspeed", CONFIG, run=RUN).schedule


@pytest.mark.usefixtures("with_parts")
def test_other_parts_are_named_and_written_when_they_are_asked_for(file: Path) -> None:
    result = run(file, "--from", "deepspeed")
    assert result.stderr == (
        "note: The trainer goes on.\n"
        "note: The configuration has other parts: weight_decay, also.bias, groups.bias, head; write one with --part "
        "weight_decay.\n"
    )
    assert lrcore.loads(result.stdout, "toml") == PARTS.schedule
    wanted = {"weight_decay": Constant(0.05), "also.bias": Constant(0.9), "groups.head": Constant(0.3)}
    for name, schedule in wanted.items():
        assert lrcore.loads(run(file, "--from", "deepspeed", "--part", name).stdout, "toml") == schedule


@pytest.mark.usefixtures("with_parts")
def test_the_number_of_a_group_multiplies_the_schedule(file: Path) -> None:
    written = lrcore.loads(run(file, "--from", "deepspeed", "--part", "groups.bias").stdout, "toml")
    assert not isinstance(written, Plateau)
    assert written(5) == 0.1


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("bias", "--part: expected also.bias or groups.bias; got 'bias'"),
        ("weight-decay", "got 'weight-decay'; did you mean 'weight_decay'?"),
        ("x", "--part: expected one of also.weight_decay, also.bias, groups.bias, groups.head; got 'x'"),
    ],
)
@pytest.mark.usefixtures("with_parts")
def test_a_wrong_part_is_refused(file: Path, part: str, message: str) -> None:
    result = run(file, "--from", "deepspeed", "--part", part)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ds_config.json", "--from", "deepsped"], "got 'deepsped'; did you mean 'deepspeed'?"),
        (["ds_config.json", "--from", "deepspeed"], "expected a text file that can be read"),
        (["train.sh", "--from", "deepspeed"], "expected a configuration that need not be executed"),
        (["ds_config.json"], "Missing option '--from'"),
        (["--from", "deepspeed"], "Missing argument 'SOURCE'"),
        (["a.json", "b.json", "--from", "deepspeed"], "expected one file, or flags behind --; got a.json and b.json"),
        (["a.json", "--from", "deepspeed", "--fact", "run=3"], "expected a fact of the trainer; got run"),
        (["a.json", "--from", "deepspeed", "--fact", "lr"], "expected NAME=VALUE; got 'lr'"),
        (["--from", "deepspeed", "--fact", "rate=1", "--", "--scheduler.type=WarmupLR"], "expected facts out of: lr"),
        (["--from", "deepspeed", "--", "--scheduler.type", "WarmupCosineLR"], "expected the optimizer's rate"),
        (
            ["--from", "deepspeed", "--fact", "lr=1", "-o", "x.txt", "--", "--scheduler.type=WarmupLR"],
            "format: expected one of toml, json, yaml, yml; got 'txt'",
        ),
    ],
)
def test_a_wrong_call_exits_with_status_2(arguments: list[Any], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_the_list_has_every_trainer_with_its_facts() -> None:
    result = run("--list")
    assert result.exit_code == 0
    for name in registry.importers():
        assert f"{name}: {registry.TRAINERS[name]}; follows {registry.follows(name)}\n" in result.stdout
    assert "    --fact warmup_num_steps=...  the warmup, where the file says" in result.stdout
