"""How many schedules `infer` recovers from random logs, as the Markdown table of the manual: `python -m tests.checks.infer_report`.

It was tuned on the seeds below 2,000; the reported ones begin at 1,000,000.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from lrcore.checks.infer import infer
from tests.checks.infer_runs import Drawn, draw, score
from tests.checks.report import write_figures

FIRST = 1_000_000
FULL, SHORT = 600, 150
SCORES = ("exact", "wrong", "declined")


def main() -> None:
    """Print both tables, and write them into the page that is named."""
    tables = (("full digits", False, FULL), ("4 to 8 digits", True, SHORT))
    found = ["\n".join(table(title, range(FIRST, FIRST + count), digits=digits)) for title, digits, count in tables]
    figures = "\n\n".join(found) + "\n"
    sys.stdout.write(figures)
    for page in map(Path, sys.argv[1:]):
        write_figures(page, figures)


def table(title: str, seeds: range, *, digits: bool) -> Iterator[str]:
    """A row for each form, each density and all, with the seeds and the time."""
    rows: dict[str, Counter[str]] = {}
    times = []
    for seed in seeds:
        drawn = draw(seed, digits)
        began = time.process_time()
        result = scored(drawn)
        times.append(time.process_time() - began)
        for name in (drawn.form, drawn.density, "all"):
            rows.setdefault(name, Counter())[result] += 1
    yield f"{len(seeds):,} random logs of {title}, seeds {seeds[0]:,} to {seeds[-1]:,}:\n"
    yield "| schedule | logs | recovered at every update | wrong between points | declined |"
    yield "|---|---|---|---|---|"
    yield from (row(name, rows[name]) for name in sorted(rows, key=_order))
    yield f"\nMean {sum(times) / len(times):.2f} s of one core a log, at most {max(times):.1f} s."


def scored(drawn: Drawn) -> str:
    """The score of one log."""
    found = infer(drawn.log())
    return score(drawn, found.schedule, drawn.lag if found.lag is None else found.lag)


def row(name: str, counts: Counter[str]) -> str:
    """A row of the table."""
    total = counts.total()
    shares = (f"{counts[result]:,} ({counts[result] / total:.1%})" for result in SCORES)
    return f"| {name} | {total:,} | {' | '.join(shares)} |"


def _order(name: str) -> tuple[bool, bool, str]:
    return name == "all", name.startswith(("every ", "irregular")), name


def totals(seeds: Iterable[int]) -> Counter[str]:
    """The scores of logs of full digits."""
    return Counter(scored(draw(seed)) for seed in seeds)


if __name__ == "__main__":
    main()
