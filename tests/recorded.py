"""Schedule files of earlier versions, and what each gave: run as a script, this file records those that have no record.

`tests/data/files` holds the files; `tests/data/recorded.json` the fingerprint of each, its values at a few steps and, of a
plateau, its scale after each of `METRICS`. A record is never made anew: docs/format/policy.md says why.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

import lrcore

DATA = Path(__file__).parent / "data"
FILES = sorted((DATA / "files").iterdir())
RECORDS = DATA / "recorded.json"

STEPS = [0, 1, 2, 3, 5, 7, 8, 10, 11, 12, 15, 19, 20, 21, 29, 30, 31, 40, 47, 60, 99, 100, 101, 1_000, 123_456]
METRICS = [1.0, 0.9, 0.89995, 0.5, 0.6, 0.7, 0.6, 0.55, 0.52, 0.51, 0.4, 0.45, *[0.41] * 24, 0.3, 0.35, 0.2]


def record(path: Path) -> dict[str, Any]:
    """What a file gives today."""
    loaded = lrcore.load(path)
    schedule: Any = loaded.schedule if isinstance(loaded, lrcore.Plateau) else loaded
    recorded = {"fingerprint": loaded.fingerprint, "values": [schedule(step) for step in STEPS]}
    if isinstance(loaded, lrcore.Plateau):
        state, scales = loaded.initial(), []
        for metric in METRICS:
            state = loaded.update(state, metric)
            scales.append(state.scale)
        recorded["scales"] = scales
    return recorded


def plain(path: Path) -> Any:
    """What a file holds, as its parser gives it."""
    text = path.read_text(encoding="utf-8")
    parse: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads, ".yaml": yaml.safe_load}
    return parse[path.suffix](text)


def records() -> dict[str, Any]:
    """What was recorded of each file, by its name."""
    read: dict[str, Any] = json.loads(RECORDS.read_text(encoding="utf-8"))
    return read


if __name__ == "__main__":
    held = records() if RECORDS.exists() else {}
    held |= {path.name: record(path) for path in FILES if path.name not in held}
    lines = [f" {json.dumps(name)}: {json.dumps(held[name])}" for name in sorted(held)]
    RECORDS.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
