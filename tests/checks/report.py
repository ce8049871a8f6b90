"""Measures `audit` over random runs and prints the table of docs/audit.md: `python -m tests.checks.report --seeds 0:1000`."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lrcore.checks.audit import audit
from tests.checks.generator import CAUSES, REPORTED, UNRELATED, Run, run
from tests.checks.twins import twins

BEGIN, END = "<!-- figures -->", "<!-- end of the figures -->"
MANY = 30  # rows from which the target of 90 % holds


@dataclass(frozen=True)
class Verdict:
    """What `audit` said of one run.

    Attributes:
        run: the run.
        twins: the other causes that give the very same rows.
        causes: what was answered; empty where it was unexplained.
        seconds: how long it took.
    """

    run: Run
    twins: frozenset[str]
    causes: tuple[str, ...]
    seconds: float
    answer: str

    @property
    def told(self) -> bool:
        """Whether the rows tell the cause from others."""
        return not self.twins

    @property
    def right(self) -> bool:
        """Whether the true cause is the answer, or one of those listed; of an unrelated log, whether none is named."""
        return not self.causes if self.run.cause == UNRELATED else self.run.cause in self.causes

    @property
    def wrong(self) -> bool:
        """Whether causes are named, and the true one is not among them."""
        return bool(self.causes) and not self.right


def verdict(seed: int, folder: Path) -> Verdict:
    """Draw the run of a seed, and audit it."""
    drawn = run(seed)
    source = drawn.source(folder)
    start = time.process_time()
    found = audit(source, drawn.schedule)
    seconds = time.process_time() - start
    return Verdict(drawn, frozenset(twins(drawn)), found.causes, seconds, str(found))


def table(title: str, groups: Sequence[tuple[str, list[Verdict]]]) -> list[str]:
    """One table in Markdown: a row for each group."""
    lines = [f"| {title} | runs | cannot be told | right | not explained | wrong |", "|---|--:|--:|--:|--:|--:|"]
    for name, every in groups:
        told = [one for one in every if one.told]
        right = sum(one.right for one in told)
        wrong = sum(one.wrong for one in told)
        lines.append(
            f"| {name} | {len(every)} | {len(every) - len(told)} | {_share(right, len(told))} | "
            f"{len(told) - right - wrong} | {wrong} |"
        )
    return lines


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.3g} %)" if whole else "none"


def groups(
    every: Iterable[Verdict], key: Callable[[Verdict], str], order: Sequence[str]
) -> list[tuple[str, list[Verdict]]]:
    """The verdicts by a key, in an order."""
    listed = list(every)
    return [(name, [one for one in listed if key(one) == name]) for name in order]


def density(one: Verdict) -> str:
    """How many rows the log has, in words."""
    count = len(one.run.steps)
    return next(name for name, most in _DENSITIES.items() if count <= most)


_DENSITIES = {"10 to 29 rows": 29, "30 to 99 rows": 99, "100 to 399 rows": 399, "400 rows and more": 10**9}
_DIGITS = ("3", "4", "5", "6", "8", "full", "float32", "bfloat16")


def report(every: Sequence[Verdict]) -> str:
    """The page's figures in Markdown."""
    dense = [
        one for one in every if one.run.digits == "full" and len(one.run.steps) >= MANY and one.run.cause != UNRELATED
    ]
    unrelated = [one for one in every if one.run.cause == UNRELATED]
    follows = [one for one in every if one.run.cause == "follows"]
    told = [one for one in every if one.told]
    slowest = sorted(one.seconds for one in every)
    explained = sum(bool(one.causes) for one in unrelated if one.told)
    named, foreign = sum(one.right for one in dense if one.told), sum(one.told for one in unrelated)
    lines = [
        f"* With at least {MANY} rows and full digits the cause is named: {_share(named, sum(one.told for one in dense))}.",
        f"* Wrong causes: {_share(sum(one.wrong for one in told), len(told))}.",
        f"* Logs that have nothing to do with the schedule, and are explained: {_share(explained, foreign)}.",
        f"* Runs that follow and are called wrong: {_share(sum(one.causes != ('follows',) for one in follows), len(follows))}.",
        f"* CPU time for a log: {1e3 * slowest[len(slowest) // 2]:.0f} ms in the middle, {1e3 * slowest[-1]:.0f} ms at most.",
        "",
        *table("cause", groups(every, lambda one: one.run.cause, CAUSES)),
        "",
        *table("rows", groups(every, density, tuple(_DENSITIES))),
        "",
        *table("digits", groups(every, lambda one: one.run.digits, _DIGITS)),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure the seeds that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default=f"{REPORTED.start}:{REPORTED.stop}", help="first:stop")
    parser.add_argument("--write", type=Path, help="a page whose figures are to be replaced")
    given = parser.parse_args()
    first, stop = (int(one) for one in given.seeds.split(":"))
    with tempfile.TemporaryDirectory() as folder:
        every = [verdict(seed, Path(folder)) for seed in range(first, stop)]
    figures = f"Seeds {first} to {stop - 1}:\n\n{report(every)}\n"
    sys.stdout.write(figures)
    if given.write:
        write_figures(given.write, figures)


def write_figures(page: Path, figures: str) -> None:
    """Replace the figures of a page, which stand between two comments."""
    before, _, after = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{figures}{END}{after.partition(END)[2]}", encoding="utf-8")


if __name__ == "__main__":
    main()
