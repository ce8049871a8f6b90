"""What is probably not meant in a schedule is said, and what is ordinary is not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import lrcore
from lrcore import (
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Interpolate,
    Join,
    Linear,
    PiecewiseConstant,
    Plateau,
    Repeat,
    Run,
    Shift,
)
from lrcore.checks.lint import check

ROOT = Path(__file__).parents[2]
STAIRS = PiecewiseConstant(boundaries=[30, 60], values=[0.1, 0.01, 0.001])
COSINE = Cosine(init_value=0.1, decay_steps=100)

REMARKS: dict[str, tuple[Any, int | None, list[str]]] = {
    "a hole": (
        PiecewiseConstant(boundaries=[10, 20, 40], values=[0.1, 0.0, 0.1, 0.05]),
        None,
        ["The rate is 0 at updates 10 to 19."],
    ),
    "one update at 0": (
        Interpolate(boundaries=[0, 50, 100], values=[0.1, 0.0, 0.1]),
        None,
        ["The rate is 0 at update 50."],
    ),
    "several": (
        Repeat(Interpolate(boundaries=[0, 10, 20], values=[0.1, 0.0, 0.1])),
        60,
        ["The rate is 0 at several updates, the first of them 10 and the last 50."],
    ),
    "a warmup that holds 0": (
        COSINE.warmup(5, shape="constant"),
        None,
        ["The rate is 0 at updates 1 to 4."],
    ),
    "nothing at all": (Constant(0.0), None, ["The rate is 0 at every update."]),
    "below 0": (
        Linear(init_value=0.1, end_value=-0.1, decay_steps=10),
        None,
        ["The rate is negative at updates 6 to 9; the lowest is -0.08 at update 9.", "The rate is 0 at update 5."],
    ),
    "a warmup over half of the run": (
        COSINE.warmup(80),
        150,
        [
            "warmup.steps: The warmup takes 80 of the 150 updates of the run.",
            "The run ends at 150, and the schedule is planned for 180 updates.",
        ],
    ),
    "a warmup over half of the schedule": (
        COSINE.warmup(200),
        None,
        ["warmup.steps: The warmup takes 200 of the 300 updates of the schedule."],
    ),
    "a warmup inside": (
        Join([COSINE.warmup(80), Constant(0.001)], boundaries=[150]),
        150,
        ["schedules[0].warmup.steps: The warmup takes 80 of the 150 updates of the run."],
    ),
    "a run that goes on": (
        COSINE,
        150,
        ["The schedule ends at 0 at update 100, and the run goes on until 150."],
    ),
    "a run that ends early": (COSINE, 80, ["The run ends at 80, and the schedule is planned for 100 updates."]),
    "an epoch that was left out": (
        Every(Linear(init_value=1.0, end_value=0.1, decay_steps=10), steps=50),
        450,
        ["The run ends at 450, and the schedule is planned for 500 updates."],
    ),
    "a stair that is never reached": (
        STAIRS,
        50,
        ["boundaries[1]: 60 is never reached, for the run ends at 50."],
    ),
    "a stair behind a warmup": (
        STAIRS.warmup(5),
        60,
        ["boundaries[1]: 60 is never reached, for the run ends 55 updates after the warmup."],
    ),
    "a stair of epochs": (
        Every(STAIRS, steps=100),
        5_000,
        ["schedule.boundaries[1]: 60 is never reached, for its part ends at 50."],
    ),
    "a stair that its part cuts off": (
        Join([STAIRS, COSINE], boundaries=[40]),
        None,
        ["schedules[0].boundaries[1]: 60 is never reached, for its part ends at 40."],
    ),
    "a part that the run cuts off": (
        Join([Constant(0.1), COSINE], boundaries=[200]),
        150,
        ["boundaries[0]: 200 is never reached, for the run ends at 150."],
    ),
    "a cooldown that is never reached": (
        Constant(0.1).cooldown(10, start=90),
        50,
        ["cooldown.start: 90 is never reached, for the run ends at 50."],
    ),
    "a stair behind the cooldown": (
        STAIRS.cooldown(10, start=40),
        None,
        ["boundaries[1]: 60 is never reached, for the cooldown begins at 40."],
    ),
    "a stair in a cycle": (
        Repeat(STAIRS, period=40),
        None,
        ["schedule.boundaries[1]: 60 is never reached, for its part ends at 40."],
    ),
    "a plateau's schedule": (Plateau(STAIRS), 50, ["boundaries[1]: 60 is never reached, for the run ends at 50."]),
    "a long run": (
        PiecewiseConstant(boundaries=[10**6, 10**6 + 1], values=[0.1, 0.0, 0.1]),
        10**7,
        ["The rate is 0 at update 1,000,000."],
    ),
}

ORDINARY: dict[str, tuple[Any, int | None]] = {
    "a first update of 0": (COSINE.warmup(10), None),
    "a run as long as the schedule": (COSINE, 100),
    "a last update one step above the end": (COSINE, 99),
    "a last update at the end": (COSINE, 101),
    "an epoch that was rounded": (Cosine(init_value=0.1, decay_steps=10_000), 9_960),
    "a run that goes on at a rate above 0": (Cosine(init_value=0.1, end_value=0.001, decay_steps=100), 1_000),
    "a boundary equal to the run": (STAIRS, 60),
    "jumps of restarts": (Repeat(COSINE), 1_000),
    "jumps of stairs": (Exponential(init_value=0.1, decay_rate=0.5, decay_steps=10, staircase=True), 1_000),
    "a warmup before a schedule without an end": (Constant(0.1).warmup(500), None),
    "a schedule that is begun late": (Shift(STAIRS, steps=-10), 70),
    "a function": (Function(lambda step: 0.1 / (step + 1)), None),
}


@pytest.mark.parametrize("case", REMARKS)
def test_what_is_probably_not_meant_is_said(case: str) -> None:
    schedule, total, sentences = REMARKS[case]
    found = check(schedule, None if total is None else Run(total=total))
    assert str(found).splitlines() == [f"schedule: {sentence}" for sentence in sentences]
    assert found.exit_status == 1


@pytest.mark.parametrize("case", ORDINARY)
def test_what_is_ordinary_is_not(case: str) -> None:
    schedule, total = ORDINARY[case]
    found = check(schedule, None if total is None else Run(total=total))
    assert found.findings == ()
    assert found.exit_status == 0
    assert str(found) == f"schedule: nothing to remark in {found.updates:,} updates"


FILE = """kind = "cosine"
init_value = 0.1
total_steps = "100%"
[warmup]
steps = "0.01%"
[run]
total = 2_000
"""


def test_a_warmup_below_one_update_is_said_in_the_words_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(FILE, encoding="utf-8")
    found = check(path)
    assert str(found) == f"{path}: warmup.steps: '0.01%' is 0.2 of an update, and is taken as one."
    assert check(path, Run(total=20_000)).findings == ()
    assert json.loads(json.dumps(found.to_dict())) == {
        "where": str(path),
        "updates": 2_000,
        "findings": [
            {"place": "warmup.steps", "sentence": "'0.01%' is 0.2 of an update, and is taken as one."},
        ],
    }


def test_what_is_no_schedule_is_refused() -> None:
    with pytest.raises(lrcore.ScheduleError, match="expected a lrcore schedule"):
        check(7)  # type: ignore[arg-type]


# --- the examples of this repository ----------------------------------------------------------------------------------

BLOCK = re.compile(r"```(?:toml|\{schedule\})\n(.*?)```", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
TEXTS = {
    **{
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for folder in ("docs", "examples")
        for path in sorted((ROOT / folder).rglob("*.toml"))
    },
    **{
        f"{page.relative_to(ROOT)}, {number}": f"{text}\n"
        for page in PAGES
        for number, text in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
    },
}
MEANT: dict[str, list[str]] = {}
"""Examples that show what is remarked, with the remarks."""


@pytest.mark.parametrize("name", TEXTS)
def test_the_examples_of_the_manual_give_no_remark_that_is_not_meant(name: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(TEXTS[name], encoding="utf-8")
    assert [str(one) for one in check(path).findings] == MEANT.get(name, [])
