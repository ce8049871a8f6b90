"""The report of a run of the benchmarks: report.json, and with all of them measured docs/benchmarks.md and its plots.

    python -m tests.benchmarks.report build/bench torch core

prints what those two measured; without names it takes all, and writes the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from typing import Any

from matplotlib import rcParams
from matplotlib.figure import Figure as Canvas

from tests import frameworks
from tests.benchmarks.measure import Curve, Figure, Spread, line

NAMES = ("core", *frameworks.NAMES)
PAGE = Path(__file__).parents[2] / "docs/benchmarks.md"
EXACT = 1e-2  # where a logarithmic axis shows an error of 0

PLOTS = {
    "steps": ("Cost against the step", "step", "us"),
    "groups": ("Cost of torch's scheduler.step() against the parameter groups", "parameter groups", "us"),
    "growth": ("Time against the number of pieces of one schedule", "pieces", "ms"),
    "pieces": ("Cost against the number of pieces", "pieces", "us"),
    "error": ("Largest error of a cosine to 0 in 1e6 steps, in 200 parts", "step", "ulp of float32"),
    "length-error": ("Largest error against the length of the schedule", "steps", "ulp of float32"),
    "length-cost": ("Cost against the length of the schedule", "steps", "see the legend"),
}

INTRODUCTION = """# Benchmarks

`nox -s bench` measures everything here and writes this page. {machine}.

lrcore and its rival take turns in one process, so that a busy machine hurts both; {versions}.
A time is CPU time, and what JAX and TensorFlow compile runs on one core, so that no thread waits for another. Each figure is
the median of 15 repetitions (9 for a million values), or of three times as many where the first ones missed the mark; beside it
stands the middle half of them. An error is counted in units in the last place of float32, against the schedule's own float64 values.

{summary}
"""


def read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    found["figures"] = [Figure(**{**figure, "spread": Spread(*figure["spread"])}) for figure in found["figures"]]
    found["curves"] = [Curve(**curve) for curve in found["curves"]]
    return found


def main() -> None:
    folder, names = Path(sys.argv[1]), sys.argv[2:] or list(NAMES)
    results = [read(folder, name) for name in names]
    figures: list[Figure] = [figure for result in results for figure in result["figures"]]
    for figure in figures:
        print(line(figure))
    print(summary(figures))
    report = {
        "machine": results[0]["machine"],
        "versions": versions(results),
        "figures": [plain(figure) for figure in figures],
        "curves": [vars(curve) for result in results for curve in result["curves"]],
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    if set(names) == set(NAMES):
        PAGE.write_text(page(results, figures), encoding="utf-8")
        draw([curve for result in results for curve in result["curves"]])


def plain(figure: Figure) -> dict[str, Any]:
    return {**vars(figure), "spread": figure.spread._asdict(), "met": figure.met}


def versions(results: Iterable[dict[str, Any]]) -> dict[str, str]:
    return {name: version for result in results for name, version in result["versions"].items() if name != "numpy"}


def summary(figures: list[Figure]) -> str:
    marked = [figure for figure in figures if figure.mark is not None]
    missed = [figure for figure in marked if not figure.met]
    text = f"{len(marked)} figures have a mark; {len(marked) - len(missed)} meet it."
    if missed:
        text += " These miss it:\n\n" + "\n".join(
            f"* {one.section}, {one.what}: {number(one.spread.median)} {one.unit}, mark {mark(one)}."
            + (f" What limits it: {one.limit}." if one.limit else "")
            for one in missed
        )
    return text


def page(results: list[dict[str, Any]], figures: list[Figure]) -> str:
    """The page as Markdown."""
    named = ", ".join(f"{name} {version}" for name, version in versions(results).items())
    parts = [INTRODUCTION.format(machine=results[0]["machine"], versions=named, summary=summary(figures)), "## Scale\n"]
    parts += [f"![{title}](benchmarks/{name}.svg)\n" for name, (title, _, _) in PLOTS.items()]
    for section, group in groupby(figures, key=lambda figure: figure.section):
        parts.append(f"## {section}\n\n" + table(list(group)))
    return "\n".join(parts)


def table(figures: list[Figure]) -> str:
    heads = ("", "measured", "middle half", "times", "mark", "met")
    rows = [
        (
            figure.what,
            f"{number(figure.spread.median)} {figure.unit}",
            middle(figure.spread),
            figure.detail,
            mark(figure),
            "" if figure.mark is None else "yes" if figure.met else "**no**",
        )
        for figure in figures
    ]
    used = [column for column in range(len(heads)) if column < 2 or any(row[column] for row in rows)]
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line_[column] for column in used) + " |\n" for line_ in lines)


def middle(spread: Spread) -> str:
    return "" if spread.low == spread.high else f"{number(spread.low)} to {number(spread.high)}"


def mark(figure: Figure) -> str:
    if figure.mark is None:
        return ""
    return f"{'at least' if figure.at_least else 'at most'} {figure.mark:g}"


def number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e6 else f"{value:.3g}"


def draw(curves: list[Curve]) -> None:
    """The plots, with the same bytes for the same figures."""
    rcParams["svg.hashsalt"], rcParams["svg.fonttype"] = "lrcore", "none"
    folder = PAGE.with_suffix("")
    folder.mkdir(exist_ok=True)
    for name, (title, x, y) in PLOTS.items():
        canvas = Canvas(figsize=(7, 4), layout="constrained")
        axes = canvas.add_subplot(
            title=title, xlabel=x, ylabel=y, xscale="linear" if name == "error" else "log", yscale="log"
        )
        for curve in curves:
            if curve.plot == name:
                marker = "" if name == "error" else "o"
                axes.plot(
                    curve.x,
                    [max(one, EXACT) if "error" in name else one for one in curve.y],
                    marker=marker,
                    label=curve.label,
                )
        axes.grid(alpha=0.3)
        axes.legend()
        canvas.savefig(folder / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
