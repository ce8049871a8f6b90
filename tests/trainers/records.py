"""Recorded runs of trainers' own schedulers, and what `from_trainer` is given for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import lrcore
from lrcore import Plateau, Run, Schedule, Taken

DATA = Path(__file__).parents[1] / "data" / "trainers"
SHORTHAND = Path(__file__).parent / "shorthand"
EXACT, IN_FLOAT32 = 1e-12, 2.4e-7  # of the largest recorded value


class Given(NamedTuple):
    """The arguments of `from_trainer` for a recorded run.

    Attributes:
        trainer: its name.
        source: the configuration, in the trainer's own words.
        run: the lengths that it lacks.
        facts: what it lacks besides.
        part: the name in `.also` or `.groups`, where the record is of another number than the rate.
        float32: whether the trainer computed in 32 bits.
    """

    trainer: str
    source: Any
    run: Run = Run()
    facts: dict[str, Any] = {}  # noqa: RUF012
    part: str | None = None
    float32: bool = False

    def taken(self) -> Taken:
        """What the importer makes of it."""
        return lrcore.from_trainer(self.trainer, self.source, run=self.run, **self.facts)

    def schedule(self) -> Schedule:
        """The schedule of which the record is."""
        taken = self.taken()
        if self.part is None:
            return taken.schedule.schedule if isinstance(taken.schedule, Plateau) else taken.schedule
        found = {**taken.also, **taken.groups}[self.part]
        if isinstance(found, Schedule):
            return found
        assert isinstance(taken.schedule, Schedule)
        return taken.schedule * found


class Recorded(NamedTuple):
    """One recorded run."""

    name: str
    record: dict[str, Any]

    def given(self) -> Given | None:
        """What `from_trainer` is given for it; None if its trainer has no importer that is asked for."""
        found = import_module(f"tests.trainers.shorthand.{self.name}").given(self.record)
        assert found is None or isinstance(found, Given)
        return found

    def difference(self, schedule: Schedule) -> float:
        """The largest difference from the recorded values, as a part of the largest of them."""
        steps, values = self.compared()
        return float(np.abs(schedule.values(steps) - values).max() / np.abs(values).max())

    def compared(self) -> tuple[np.ndarray, np.ndarray]:
        """The recorded steps and values, as far as the trainer's run agrees with its own formula."""
        until = self.record.get("compared_until") or max(self.record["steps"]) + 1
        rows = [row for row in zip(self.record["steps"], self.record["values"], strict=True) if row[0] < until]
        steps, values = zip(*rows, strict=True)
        return np.array(steps), np.array(values)


def recorded(*names: str) -> Iterator[Recorded]:
    """The recorded runs of these files, or of all."""
    for path in sorted(DATA.glob("*.jsonl")):
        if (SHORTHAND / f"{path.stem}.py").exists() and (not names or path.stem in names):
            for line in path.read_text(encoding="utf-8").splitlines():
                yield Recorded(path.stem, json.loads(line))
