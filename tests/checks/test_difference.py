"""How two schedules differ, in numbers and in the words of their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import lrcore
from lrcore import Constant, Cosine, Every, Exponential, Linear, Plateau
from lrcore.checks.difference import Diff, diff

FILE = """kind = "cosine"
init_value = 0.1
total_steps = {total}
[warmup]
steps = {warmup}
"""


def written(folder: Path, name: str, **values: object) -> Path:
    path = folder / name
    path.write_text(FILE.format(**{"total": 100, "warmup": 10, **values}), encoding="utf-8")
    return path


def without_folder(found: Diff, folder: Path) -> list[str]:
    return str(found).replace(f"{folder}/", "").splitlines()


def test_one_changed_word_is_one_line(tmp_path: Path) -> None:
    found = diff(written(tmp_path, "a.toml"), written(tmp_path, "b.toml", total=200))
    values = [Cosine(init_value=0.1, decay_steps=steps).warmup(10) for steps in (90, 190)]
    start, largest = found.start, found.largest
    assert start
    assert largest
    assert start.step == 11
    assert abs(values[0](largest.step) - values[1](largest.step)) == max(
        abs(values[0](step) - values[1](step)) for step in range(201)
    )
    assert without_folder(found, tmp_path) == [
        f"They differ first at update 11: {values[0](11)!r} in a.toml, {values[1](11)!r} in b.toml.",
        f"They are furthest apart at update {largest.step}: {largest.first!r} in a.toml, {largest.second!r} in b.toml.",
        "total_steps: 100 in a.toml, 200 in b.toml",
    ]
    assert found.exit_status == 1


def test_lengths_are_compared_as_they_are_written(tmp_path: Path) -> None:
    """Of a run that is given, and of one that the file states."""
    files = [written(tmp_path, "a.toml", warmup='"10%"'), written(tmp_path, "b.toml", warmup='"2 epochs"')]
    found = diff(*files, run=lrcore.Run(updates_per_epoch=5))
    assert found.equal
    assert found.exit_status == 0
    assert without_folder(found, tmp_path) == [
        "Both have the same rate at every update.",
        "warmup.steps: '10%' in a.toml, '2 epochs' in b.toml",
    ]


@pytest.mark.parametrize(
    ("first", "second", "lines"),
    [
        (
            Constant(0.1),
            {"kind": "constant", "value": 0.2},
            ["They differ first at update 0: 0.1 in first, 0.2 in second.", "value: 0.1 in first, 0.2 in second"],
        ),
        (Constant(0.1), Constant(0.1), ["Both have the same rate at every update."]),
        (
            Constant(0.1),
            Constant(0.1 * (1 + 1e-15)),
            ["Both have the same rate at every update.", "value: 0.1 in first, "],
        ),
        (
            Every(Exponential(init_value=1.0, decay_rate=0.5), steps=10),
            Exponential(init_value=1.0, decay_rate=0.5, decay_steps=10, staircase=True),
            ["Both have the same rate at every update.", "kind: 'every' in first, 'exponential' in second"],
        ),
        (
            Linear(init_value=1.0, decay_steps=4).warmup(2),
            'kind = "linear"\ninit_value = 1.0\ndecay_steps = 4\n',
            [
                "They differ first at update 0: 0.0 in first, 1.0 in second.",
                "warmup: {'steps': 2} in first, none in second",
            ],
        ),
        (
            lambda step: 0.5,
            Constant(0.5),
            ["No difference was found before update 65,536; that none follows could not"],
        ),
    ],
)
def test_two_schedules_of_any_form_are_compared(first: object, second: object, lines: list[str]) -> None:
    found = str(diff(first, second)).splitlines()  # type: ignore[arg-type]
    for line, begins in zip(found, lines, strict=False):
        assert line.startswith(begins)


def test_plateaus_are_compared_by_their_fields() -> None:
    found = diff(*(Plateau(Constant(0.1), patience=patience) for patience in (3, 5)))
    assert str(found).splitlines() == [
        "Both have the same rate at every update.",
        "plateau.patience: 3 in first, 5 in second",
    ]
    assert found.exit_status == 1


def test_the_record_is_plain_data() -> None:
    found = diff(Constant(0.1), Constant(0.2)).to_dict()
    assert json.loads(json.dumps(found)) == {
        "equal": False,
        "start": {"update": 0, "first": 0.1, "second": 0.2},
        "largest": {"update": 0, "first": 0.1, "second": 0.2},
        "fields": [{"place": "value", "first": 0.1, "second": 0.2}],
    }


def test_what_is_no_schedule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(lrcore.ScheduleError, match="expected a file; there is none"):
        diff(tmp_path / "a.toml", Constant(0.1))
    with pytest.raises(lrcore.ScheduleError, match="second: expected a lrcore schedule"):
        diff(Constant(0.1), 7)  # type: ignore[arg-type]
