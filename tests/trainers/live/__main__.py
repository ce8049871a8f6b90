"""Compare one importer, or several, with the trainer's own code, and write what was compared."""

from __future__ import annotations

import json
import random
import sys
from importlib import import_module
from itertools import islice
from typing import Any

import numpy as np

from lrcore import ScheduleError
from tests.trainers.records import DATA, EXACT, IN_FLOAT32

RUNS = 60
SEED = 20


def compare(name: str, runs: int = RUNS) -> dict[str, Any]:
    """The table of one trainer: for each kind its runs, updates, the largest difference, and what was refused.

    Raises:
        AssertionError: a difference beyond the bound.
    """
    module = import_module(f"tests.trainers.live.{name}")
    kinds: dict[str, dict[str, Any]] = {}
    for native in islice(module.runs(random.Random(SEED)), runs):
        row = kinds.setdefault(native.kind, {"runs": 0, "updates": 0, "difference": 0.0, "refused": []})
        try:
            schedule = native.given.schedule()
        except ScheduleError as error:
            row["refused"] = sorted({*row["refused"], error.problem.partition("; got")[0]})
            continue
        values = np.array(native.values)
        difference = float(np.abs(schedule.values(range(len(values))) - values).max() / (np.abs(values).max() or 1.0))
        bound = IN_FLOAT32 if native.given.float32 else EXACT
        assert difference <= bound, f"{native}: {difference}"
        row.update(
            runs=row["runs"] + 1,
            updates=row["updates"] + len(values),
            difference=max(row["difference"], float(f"{difference:.1e}")),
        )
    return {"version": module.VERSION, "kinds": dict(sorted(kinds.items()))}


def main() -> None:
    """Compare the trainers that are named on the command line."""
    (DATA / "live").mkdir(exist_ok=True)
    for name in sys.argv[1:]:
        table = compare(name)
        (DATA / "live" / f"{name}.json").write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        print(name, table)  # noqa: T201 - what it is run for


if __name__ == "__main__":
    main()
