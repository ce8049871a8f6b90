"""What people hand over as a configuration works as it lies there, or is refused in one sentence; nothing is executed."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lrcore
from lrcore import Plateau, Run, Schedule, ScheduleError
from lrcore.configs.facts import Facts
from lrcore.configs.flags import from_flags
from lrcore.configs.options import Options
from lrcore.configs.plain import plain
from lrcore.configs.source import read_source
from lrcore.trainers import registry
from tests.trainers.records import RUNS as RECORDED

SCHEDULER = {"type": "WarmupDecayLR", "params": {"warmup_num_steps": 10, "total_num_steps": 100}}
CONFIG = {"optimizer": {"params": {"lr": 3e-4}}, "scheduler": SCHEDULER}
EXPECTED = lrcore.from_trainer("deepspeed", CONFIG).schedule

YAML = """
optimizer:
  params: {lr: 3e-4}
scheduler:
  type: WarmupDecayLR
  params:
    warmup_num_steps: 10
    total_num_steps: 1e2
"""
TOML = """
[optimizer.params]
lr = 3e-4
[scheduler]
type = "WarmupDecayLR"
params = { warmup_num_steps = 10, total_num_steps = 100 }
"""
FLAGS = [
    "train.py",
    "--optimizer.params.lr=3e-4",
    "--scheduler.type",
    "WarmupDecayLR",
    "--scheduler.params.warmup-num-steps",
    "10",
    "--scheduler.params.total-num-steps=100",
]


class Kind(Enum):
    DECAY = "WarmupDecayLR"


@dataclass
class Parameters:
    warmup_num_steps: int = 10
    total_num_steps: int = 100


@dataclass
class Scheduler:
    type: Kind = Kind.DECAY
    params: Parameters = field(default_factory=Parameters)


class Mine(dict[str, Any]):
    """A mapping of a configuration library: iterating it gives something else, and some values cannot be had."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        yield from self.items()

    def keys(self) -> Any:
        return [*super().keys(), "missing"]


@pytest.mark.parametrize(
    "source",
    [
        CONFIG,
        json.dumps(CONFIG),
        Namespace(optimizer=Namespace(params=Namespace(lr=3e-4)), scheduler=SCHEDULER, fp16=True),
        SimpleNamespace(optimizer={"params": {"lr": np.float64(3e-4)}}, scheduler=SCHEDULER),
        {"optimizer": CONFIG["optimizer"], "scheduler": Scheduler()},
        Mine(optimizer=Mine(params=Mine(lr=3e-4)), scheduler=Mine(SCHEDULER)),
        FLAGS,
        tuple(FLAGS),
        " \\\n    ".join(FLAGS),
        "deepspeed " + " ".join(FLAGS) + "  # as it was started",
        {"optimizer.params.lr": 3e-4, "scheduler.params": SCHEDULER["params"], "scheduler": {"type": "WarmupDecayLR"}},
        {"optimizer": {"params": {"lr": ["3e-4"]}}, "scheduler": json.dumps(SCHEDULER)},
        {"optimizer": {"params": {"lr": "3e-4", "weight-decay": None}}, "scheduler": SCHEDULER},
        {
            "optimizer": {"params": {"lr": "${peak}"}},
            "peak": "${top.peak}",
            "top": {"peak": 3e-4},
            "scheduler": SCHEDULER,
        },
        {
            **CONFIG,
            "scheduler": {
                "type": "warmupdecaylr",
                "params": {"warmup-num-steps": np.array([10]), "total_num_steps": 100.0, "warmup_min_lr": "none"},
            },
        },
    ],
    ids=lambda source: type(source).__name__,
)
def test_a_configuration_is_read_as_it_lies_there(source: Any) -> None:
    assert lrcore.from_trainer("deepspeed", source).schedule == EXPECTED


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ds.json", "\ufeff" + json.dumps(CONFIG)),
        ("ds.yaml", YAML),
        ("ds.YML", "# tags name no class that is made\nwho: !!python/object:os.system {a: 1}\n" + YAML),
        ("ds.toml", TOML),
        ("with --dashes = .toml", TOML),
    ],
)
def test_a_file_is_read_by_its_suffix(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    for path in (tmp_path / name, str(tmp_path / name)):
        assert lrcore.from_trainer("deepspeed", path).schedule == EXPECTED


def test_a_tag_and_a_reference_of_yaml_are_data(tmp_path: Path) -> None:
    path = tmp_path / "hparams.yaml"
    path.write_text("lr: 0.1\nanneal: !new:a.b.Noam\n  peak: !ref <lr>\n  betas: !!python/tuple [0.9, 0.99]\n")
    options = Options(read_source(path, "x")[0], "x").table("anneal")
    assert (options.word("_target_"), options.number("peak"), options.numbers("betas")) == (
        "a.b.Noam",
        0.1,
        [0.9, 0.99],
    )


@pytest.mark.parametrize("suffix", ["py", "gin", "sh"])
def test_what_would_have_to_be_executed_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"config.{suffix}"
    path.write_text("raise SystemExit('executed')\n")
    with pytest.raises(ScheduleError, match=r"that need not be executed; .* hand over the resolved dict, or the flags"):
        lrcore.from_trainer("deepspeed", path)


@pytest.mark.parametrize("key", ["_BASE_", "_base_", "__base__", "BASE"])
def test_a_configuration_that_is_not_merged_is_refused(key: str) -> None:
    with pytest.raises(ScheduleError, match=f"expected a merged configuration; got {key} = .*; merge it first"):
        lrcore.from_trainer("deepspeed", {**CONFIG, key: ["../base.yaml"]})
    for nothing in (None, "", [], [""]):  # Swin prints BASE = [''] for a configuration that stands alone
        assert lrcore.from_trainer("deepspeed", {**CONFIG, key: nothing}).schedule == EXPECTED


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (bytes(range(256)), "expected "),
        (b"\xff\xfe\x00", "expected "),
        ("no/config.json", "no/config.json: expected a text file that can be read; got: No such file"),
        ("config.ini", "expected flags, or a file that ends in .json, .toml, .yaml, .yml; got 'config.ini'"),
        ("", "expected flags, or a file"),
        ("x" * 10_000, "expected flags, or a file"),
        ("{not json", "deepspeed: expected a configuration; got text that cannot be parsed"),
        ("--lr 'open", "flags: expected words as a shell splits them"),
        ([1, 2], "deepspeed: expected a table of options; got a list"),
        ([{"type": "WarmupLR"}], "deepspeed: expected a table of options; got a list"),
        (3, "expected the path of a configuration, a dict, a namespace, a dataclass or flags; got 3"),
        (None, "expected the path of a configuration"),
        (Kind, "expected the path of a configuration"),
        ({"scheduler": [1]}, "expected "),
        ({"scheduler": "{"}, "scheduler: expected a table; got '{'"),
        (
            {"scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": "???", "warmup_max_lr": 1}}},
            "got '???'; hand over the resolved configuration",
        ),
        ({"scheduler": {"type": "WarmupLR", "params": {"warmup_num_steps": 1e300}}}, "expected "),
    ],
)
def test_anything_else_is_refused_in_one_sentence(source: Any, message: str) -> None:
    with pytest.raises(ScheduleError, match=re.escape(message)):
        lrcore.from_trainer("deepspeed", source)


@pytest.mark.parametrize("suffix", ["json", "yaml", "toml"])
@pytest.mark.parametrize("content", [b"\xff\xfe{", b"3\n", b"{{{{", b"\x00"])
def test_a_file_of_anything_else_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"config.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ScheduleError, match=rf"config\.{suffix}"):
        lrcore.from_trainer("deepspeed", path)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    deep: Any = {}
    for _ in range(3_000):
        deep = {"scheduler": deep, "others": [deep]}
    path = tmp_path / "deep.json"
    path.write_text('{"scheduler":' * 3_000 + "{}" + "}" * 3_000)
    for source in (deep, path):
        with pytest.raises(ScheduleError, match=r"too many tables inside one another|cannot be parsed"):
            lrcore.from_trainer("deepspeed", source)


def test_two_spellings_of_one_option_contradict_each_other() -> None:
    with pytest.raises(ScheduleError, match=r"x: min_lr: expected one value; got 1 and, as min-lr, 2"):
        Options({"min_lr": 1, "min-lr": 2}, "x")
    for values in ({"min_lr": 1, "min-lr": 1}, {"min_lr": 1, "min-lr": None}, {"min_lr": None, "min-lr": 1}):
        assert Options(values, "x").whole("min_lr") == 1


def test_a_number_that_yaml_reads_as_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("warmup: 0100\nat: 1:30\n")
    options = Options(read_source(path, "x")[0], "x")
    with pytest.raises(
        ScheduleError, match=r"x: warmup: expected an integer; got '0100'; line 1: YAML 1.1 reads 0100 as 64"
    ):
        options.whole("warmup")
    assert options.word("at") == "1:30"


def test_a_flag_may_be_negative_repeated_and_without_a_value() -> None:
    found = from_flags(
        ["--lr", "1", "--lr", "-2", "--milestones", "8", "11", "--fp16", "--", "train.py", "a.b=c", "+d=1"]
    )
    assert found == {"lr": "-2", "milestones": ["8", "11"], "fp16": True, "a": {"b": "c"}, "d": "1"}
    with pytest.raises(ScheduleError, match=r"--a\.b: expected a to be a table or a value; got both"):
        from_flags(["--a", "1", "--a.b", "2"])


def test_names_of_options_may_begin_with_a_sign() -> None:
    words = ["--_name", "tri_stage", "--@schedules=constant.v1", "-lr", "1"]
    assert from_flags(words) == {"_name": "tri_stage", "@schedules": "constant.v1", "lr": "1"}
    assert plain(Namespace(_name="tri_stage")) == {"_name": "tri_stage"}


def test_a_list_of_tables_may_be_a_text() -> None:
    listed = [{"type": "StepLR", "step_size": 3, "by_epoch": False, "end": 9}]
    expected = lrcore.from_trainer("mmengine", listed, lr=0.1)
    for text in (json.dumps(listed), str(listed)):
        assert lrcore.from_trainer("mmengine", [f"param_scheduler={text}"], lr=0.1) == expected


def test_names_that_lead_into_a_value_are_refused() -> None:
    with pytest.raises(ScheduleError, match=r"^a\.b: expected a to be a table or a value; got both$"):
        lrcore.from_trainer("deepspeed", {"a": 1, "a.b": 2})


def test_a_trainer_without_an_importer_is_no_trainer() -> None:
    with pytest.raises(
        ScheduleError, match=r"^trainer: expected one of hf, .*; got 'megatorn'; did you mean 'megatron'\?$"
    ):
        lrcore.from_trainer("megatorn", {})
    assert set(registry.importers()) <= set(registry.TRAINERS)


@pytest.mark.parametrize(
    ("trainer", "source", "problem"),
    [
        (
            "wenet",
            {"scheduler": "WarmupLR", "warmup_steps": []},
            r"warmup_steps: expected a number for each rate; got \[\]",
        ),
        ("paddleclas", {"epochs": 9, "Optimizer": []}, "Optimizer: expected a table for each optimizer; got none"),
        ("olmo_core", {"type": "WSDS", "period_lengths": []}, "period_lengths: expected at least one; got none"),
        ("megatron", {"lr_decay_iters": "none"}, "expected the run's total, in updates; got none"),
        ("levanter", {"cycles": 1e30, "num_train_steps": 9}, "cycles: expected at most 1,000 cycles, each of which"),
    ],
)
def test_an_empty_or_endless_list_is_refused(trainer: str, source: dict[str, Any], problem: str) -> None:
    facts = {} if trainer == "paddleclas" else {"lr": 0.1}
    run = Run(total=9) if trainer == "olmo_core" else None
    with pytest.raises(ScheduleError, match=problem):
        lrcore.from_trainer(trainer, source, run=run, **facts)


def test_a_run_that_says_too_little_is_asked_by_name() -> None:
    with pytest.raises(
        ScheduleError, match=r"expected the run's updates_per_epoch; got none; give it as run=lrcore.Run"
    ):
        Facts({}, Run(total="3 epochs"), "x").updates_per_epoch()


# --- nothing else than a ScheduleError ------------------------------------------------------------------------------


def words(name: str) -> list[str]:
    """The words that an importer knows: its options and their choices."""
    text = Path(str(import_module(f"lrcore.trainers.{name}").__file__)).read_text(encoding="utf-8")
    return sorted({word for part in re.findall(r'"([^"\n{}]{1,60})"', text) for word in part.split(".")})


NUMBERS = st.one_of(st.integers(-2, 200), st.floats(), st.sampled_from([0, 1, 1e-3, 0.5, 10**400, 2**53, -1e300]))
ANYTHING = st.one_of(
    *(NUMBERS, NUMBERS.map(str), st.none(), st.booleans(), st.text(max_size=8), st.binary(max_size=4)),
    *(st.lists(NUMBERS, max_size=3), st.just({}), st.just("${lr}")),
)


def configurations(name: str) -> st.SearchStrategy[Any]:
    """Tables of the importer's words with numbers, words and anything else as their values."""
    word = st.sampled_from(words(name))

    def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(st.lists(inner, max_size=4), st.dictionaries(word, inner, max_size=8))

    value = st.recursive(st.one_of(word, ANYTHING), larger, max_leaves=20)
    return st.dictionaries(st.one_of(word, st.text(max_size=4)), value, max_size=12)


def leaves(config: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of a configuration's values."""
    inner = config.items() if isinstance(config, dict) else enumerate(config) if isinstance(config, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from leaves(value, (*path, key))


def changed(config: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The configuration with another value at a path."""
    if not path:
        return value
    items = dict(config) if isinstance(config, dict) else dict(enumerate(config))
    items[path[0]] = changed(items[path[0]], path[1:], value)
    return items if isinstance(config, dict) else list(items.values())


SOURCES = [(one.trainer, plain(one.source), one.run, one.facts) for run in RECORDED if (one := run.given()) is not None]
RUNS = [
    Run(),
    Run(total=100),
    Run(total=1, updates_per_epoch=1),
    Run(total="3 epochs", batches_per_epoch=7, accumulate=2, batch_size=3, tokens_per_sample=5),
]


@pytest.mark.parametrize("name", registry.importers())
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(data=st.data(), run=st.sampled_from(RUNS), with_rate=st.booleans())
def test_nothing_but_a_sentence_is_raised_for_random_tables(
    name: str, data: st.DataObject, run: Run, with_rate: bool
) -> None:
    facts = {"lr": 0.1} if with_rate and "lr" in registry.facts_of(name) else {}
    taken_or_refused(name, data.draw(configurations(name)), run, facts)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source[0])
@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_nothing_but_a_sentence_is_raised_for_a_wrong_value(
    source: tuple[str, Any, Run, Any], data: st.DataObject
) -> None:
    name, config, run, facts = source
    for path in data.draw(st.lists(st.sampled_from([*leaves(config)]), min_size=1, max_size=2, unique=True)):
        with suppress(KeyError, TypeError, IndexError):  # a table on its way was replaced before
            config = changed(config, path, data.draw(ANYTHING))
    taken_or_refused(name, config, data.draw(st.sampled_from([run, run, *RUNS])), facts)


def taken_or_refused(name: str, source: Any, run: Run, facts: Mapping[str, Any]) -> None:
    """Take the schedule; a refusal is a sentence that says what is expected."""
    try:
        taken = lrcore.from_trainer(name, source, run=run, **facts)
    except ScheduleError as error:
        if not re.search(r"expected |needs |has ", str(error)):
            raise
        return
    schedule = taken.schedule.schedule if isinstance(taken.schedule, Plateau) else taken.schedule
    assert [schedule(step) for step in (0, 1, 50, 10**6)]
    assert all(isinstance(one, Schedule) for one in taken.also.values())
    assert all(note.endswith(".") for note in taken.notes)
