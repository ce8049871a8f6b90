"""Writes docs/conformance.md and docs/differences.md from what the parity tests compared and know.

`python -m tests.parity.pages` takes the counts of the last runs from build/conformance into docs/conformance.json, and
writes both pages.
"""

from __future__ import annotations

import json
from typing import Any

from tests.frameworks import NAMES
from tests.parity.comparison import COUNTS, DIFFERENCES, ROOT

DOCS = ROOT / "docs"
COMMITTED = DOCS / "conformance.json"


def collected() -> dict[str, Any]:
    """The committed counts, with those of the last runs in their place."""
    known = json.loads(COMMITTED.read_text(encoding="utf-8")) if COMMITTED.exists() else {}
    for name in NAMES:
        path = COUNTS / f"{name}.json"
        if path.exists():
            known[name] = json.loads(path.read_text(encoding="utf-8"))
    return {name: known[name] for name in NAMES if name in known}


def conformance(counts: dict[str, Any]) -> str:
    """The page of what was compared."""
    lines = [
        "# Conformance",
        "",
        "Every native schedule, imported by `from_native` and compared with the running native, update by update. Written by",
        "`nox -s pages` from the last run of the tests. An option set counts once however many of its kind gave the same",
        "rates; the difference is the largest one, as a part of the native's largest rate.",
    ]
    for framework in counts.values():
        lines += [
            "",
            f"## {framework['framework']} {framework['version']}",
            "",
            "| native | becomes | option sets | updates | largest difference | known differences |",
            "|---|---|---|---|---|---|",
        ]
        for name, row in framework["natives"].items():
            rows = [
                f"[{one['name']}](differences.md#{one['name']})"
                for one in DIFFERENCES
                if one["framework"] == framework["framework"] and name in one["native"].split(", ")
            ]
            kinds = ", ".join(f"`{kind}`" for kind in _shortest(row["kinds"]))
            lines.append(
                f"| {name} | {kinds} | {row['option_sets']} | {row['updates']} | {row['largest_difference']:.1e} "
                f"| {', '.join(rows)} |"
            )
    return "\n".join(lines) + "\n"


def differences() -> str:
    """The page of what differs on purpose."""
    lines = [
        "# Known differences",
        "",
        "Where a native does something else than its documentation says, or than any user can want, lrcore gives the",
        "documented value. Written by `nox -s pages` from the table that the tests use; each row is an expected failure there.",
    ]
    for framework in NAMES:
        rows = [row for row in DIFFERENCES if row["framework"] == framework]
        lines += ["", f"## {framework}"] if rows else []
        for row in rows:
            lines += [
                "",
                f"### {row['name']}",
                "",
                f"* native: {row['native']} ({framework} {row['version']})",
                f"* it does: {row['native_does']}",
                f"* lrcore does: {row['lrcore_does']}",
                f"* why: {row['why']}",
            ]
    return "\n".join(lines) + "\n"


def _shortest(kinds: list[str]) -> list[str]:
    """At most three kinds, the plainest first."""
    return sorted(kinds, key=len)[:3]


def main() -> None:
    """Write the pages."""
    counts = collected()
    COMMITTED.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    (DOCS / "conformance.md").write_text(conformance(counts), encoding="utf-8")
    (DOCS / "differences.md").write_text(differences(), encoding="utf-8")


if __name__ == "__main__":
    main()
