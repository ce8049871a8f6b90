"""Compares natives with what `from_native` makes of them, and keeps count for the conformance page.

Each framework's tests fill one `Conformance`, which is written to build/conformance when they end; the differences that
are known stand in differences/, and each of them is a strict expected failure somewhere.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import lrcore

ROOM = Path(__file__).parent
ROOT = ROOM.parents[1]
COUNTS = ROOT / "build" / "conformance"

DIFFERENCES: list[dict[str, str]] = [
    {"framework": path.stem, **row}
    for path in sorted((ROOM / "differences").glob("*.toml"))
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["difference"]
]


def known_difference(name: str) -> pytest.MarkDecorator:
    """Marks the comparison that fails because of a row in differences/; if it passes, the native has changed."""
    [row] = [row for row in DIFFERENCES if row["name"] == name]
    return pytest.mark.xfail(strict=True, raises=AssertionError, reason=f"{name}: {row['native_does']}")


@dataclass
class Native:
    """What was compared of one native class."""

    kinds: set[str] = field(default_factory=set)
    curves: set[tuple[float, ...]] = field(default_factory=set)
    updates: int = 0
    largest: float = 0.0


@dataclass
class Conformance:
    """What was compared of one framework."""

    framework: str
    version: str
    natives: dict[str, Native] = field(default_factory=dict)

    def compare(
        self,
        native: str,
        ours: lrcore.Schedule,
        theirs: Sequence[float],
        *,
        tolerance: float,
        first: int = 0,
        kind: str | None = None,
    ) -> None:
        """Assert that both give the same rates, update by update, within `tolerance` of the native's peak.

        Args:
            native: name of the native class.
            ours: what `from_native` made of it.
            theirs: the native's rates for the updates from `first` on.
            tolerance: largest difference, as a part of the largest of the native's rates.
            first: the step of the first of them.
            kind: what the page calls it; default the kinds of `ours`.
        """
        peak = max((abs(rate) for rate in theirs), default=0.0) or 1.0
        differences = [abs(ours(first + step) - rate) / peak for step, rate in enumerate(theirs)]
        worst = max(range(len(theirs)), key=lambda step: _size(differences[step]), default=0)
        assert all(difference <= tolerance for difference in differences), (
            f"{native} at step {first + worst}: {theirs[worst]!r}, ours {ours(first + worst)!r}, from {ours!r}"
        )
        row = self.natives.setdefault(native, Native())
        row.kinds.add(kind or _kind(ours))
        row.curves.add(tuple(theirs))
        row.updates += len(theirs)
        row.largest = max([row.largest, *differences])

    def write(self) -> None:
        """Write the counts for the page; only option sets that gave different rates count."""
        COUNTS.mkdir(parents=True, exist_ok=True)
        natives = {
            name: {
                "kinds": sorted(row.kinds),
                "option_sets": len(row.curves),
                "updates": row.updates,
                "largest_difference": row.largest,
            }
            for name, row in sorted(self.natives.items())
        }
        counts = {"framework": self.framework, "version": self.version, "natives": natives}
        (COUNTS / f"{self.framework}.json").write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")


def _size(difference: float) -> float:
    return math.inf if math.isnan(difference) else difference


def _kind(schedule: lrcore.Schedule) -> str:
    """The outermost kind and those inside it, `repeat(cosine)`."""
    try:
        plain: dict[str, Any] = schedule.to_dict()
    except lrcore.ScheduleError:
        return "function"
    return _named(plain)


def _named(plain: dict[str, Any]) -> str:
    inner = [plain["schedule"]] if "schedule" in plain else plain.get("schedules", [])
    names = list(dict.fromkeys(_named(one) for one in inner if one["kind"] != "constant"))
    ramps = [name for name in ("warmup", "cooldown") if name in plain]
    return " + ".join([f"{plain['kind']}({', '.join(names)})" if names else plain["kind"], *ramps])
