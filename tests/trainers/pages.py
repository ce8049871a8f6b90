"""Writes docs/trainers.md and docs/trainers-conformance.md: `python -m tests.trainers.pages`, or `nox -s pages`.

The first shows examples/trainers/* with the commands of commands.toml, and what they print. The second shows what was
compared with the trainers' own code (tests/data/trainers/live/*.json) and with recorded runs, which are replayed here.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from importlib import import_module
from typing import Any

from click.testing import CliRunner

from lrcore import ScheduleError
from lrcore.show import cli
from lrcore.trainers import registry
from tests.frameworks import ROOT
from tests.trainers.records import DATA, RUNS

DOCS = ROOT / "docs"
EXAMPLES = ROOT / "examples" / "trainers"
REPLAYED = DATA / "replayed.json"
DIFFERENCES = ROOT / "tests" / "trainers" / "differences.toml"
LANGUAGES = {".json": "json", ".yaml": "yaml", ".yml": "yaml"}  # a block of TOML is taken for a schedule


def examples() -> dict[str, dict[str, str]]:
    """The example of each trainer: its file and its command."""
    found: dict[str, dict[str, str]] = tomllib.loads((EXAMPLES / "commands.toml").read_text(encoding="utf-8"))
    return {name: found[name] for name in registry.importers() if name in found}


def printed(command: str) -> tuple[str, list[str]]:
    """What a command prints, and its notes.

    Raises:
        AssertionError: it fails.
    """
    program, *words = shlex.split(command)
    with chdir(ROOT):
        result = CliRunner(env={**os.environ, "COLUMNS": "100"}).invoke(cli.main, words, prog_name=program)
    assert result.exit_code == 0, f"{command}: {result.output}"
    return result.stdout, result.stderr.splitlines()


def trainers() -> str:
    """The page of examples."""
    lines = [
        "# Trainers",
        "",
        "The configuration of each trainer as its project publishes it, shortened, the command that takes its schedule, and what the",
        "command prints. [Bring your schedule](how-to/convert.md) tells how the command works, and",
        "[the conformance of the importers](trainers-conformance.md) how each was compared. Written by `nox -s pages`.",
    ]
    for name, example in examples().items():
        lines += ["", f"## {name}", "", *_about(name), *_example(example)]
    return "\n".join(lines) + "\n"


def _about(name: str) -> Iterator[str]:
    """What the importer reads, which version it follows, and the facts that it takes."""
    yield f"{registry.TRAINERS[name]}. Follows {registry.follows(name)}."
    yield ""
    yield from (inspect.getdoc(import_module(f"lrcore.trainers.{name}")) or "").splitlines()
    facts = registry.facts_of(name)
    if facts:
        yield ""
        yield f"Facts: {'; '.join(f'`{fact}`, {what}' for fact, what in facts.items())}."
    yield ""


def _example(example: dict[str, str]) -> Iterator[str]:
    path = EXAMPLES / example["file"]
    yield from _block(LANGUAGES.get(path.suffix, "text"), path.read_text(encoding="utf-8"))
    schedule, notes = printed(example["command"])
    yield from ["", *_block("text", "\n".join(["$ " + example["command"].replace(" \\\n", " \\\n  "), *notes]))]
    yield from ["", *_block("toml", schedule)]


def _block(language: str, text: str) -> list[str]:
    return [f"```{language}", *text.strip("\n").splitlines(), "```"]


# --- conformance ------------------------------------------------------------------------------------------------------


def replayed() -> dict[str, list[dict[str, Any]]]:
    """For each trainer and version: its recorded runs, their updates and the largest difference."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for run in RUNS:
        given = run.given()
        if given is None or given.trainer not in registry.importers():
            continue
        key = (given.trainer, _version(run.record["version"]))
        row = rows.setdefault(key, {"version": key[1], "runs": 0, "updates": 0, "difference": 0.0, "refused": []})
        row["runs"] += 1
        try:
            row["difference"] = max(row["difference"], float(f"{run.difference(given.schedule()):.1e}"))
        except ScheduleError as error:
            row["refused"] = sorted({*row["refused"], error.problem.partition("; got")[0]})
        else:
            row["updates"] += len(run.compared()[0])
    return {
        name: found for name in registry.importers() if (found := [row for key, row in rows.items() if key[0] == name])
    }


def _version(text: str) -> str:
    """The version without the place of the formula in the trainer's code."""
    return re.sub(r"\s*\(float32\)|,? *float32$", "", text)


def conformance(recorded_runs: dict[str, list[dict[str, Any]]]) -> str:
    """The page of what was compared."""
    lines = [
        "# Conformance of the importers",
        "",
        "Each importer of `lrcore.from_trainer` beside its trainer, update by update. *live*: random options, given to the trainer's own code",
        "(`nox -s trainers`). *recorded*: runs that were recorded from the trainer's own code or, where it cannot be run alone, from its",
        "formula; every run of the tests replays them. The difference is the largest one, as a part of the run's largest rate: at most",
        "1e-12, or 2.4e-7 where the trainer computes in float32. *refused* counts as compared, too: an option that has no equal is one",
        "sentence, never a nearly right schedule. Written by `nox -s pages`.",
        "",
        "| trainer | what | version | runs | updates | largest difference | refused |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in registry.importers():
        live = [(f"live: {kind}", version, row) for version, kind, row in _live(name)]
        rows = [*live, *(("recorded", row["version"], row) for row in recorded_runs.get(name, []))]
        lines += [f"| {name} | {' | '.join(_cells(*row))} |" for row in rows]
        lines += (
            []
            if rows
            else [f"| {name} | restated by `tests/trainers/test_{name}.py` | {registry.follows(name)} | | | | |"]
        )
    return "\n".join([*lines, *_differences()]) + "\n"


def _differences() -> Iterator[str]:
    """The trainers' own mistakes, which the importers do not copy."""
    rows = tomllib.loads(DIFFERENCES.read_text(encoding="utf-8"))["difference"]
    yield from [
        "",
        "## Where the importers differ from their trainers",
        "",
        "| trainer | theirs | ours |",
        "|---|---|---|",
    ]
    yield from (f"| {row['trainer']} | {row['theirs']} | {row['ours']} |" for row in rows)


def _live(name: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    path = DATA / "live" / f"{name}.json"
    if not path.exists():
        return
    table = json.loads(path.read_text(encoding="utf-8"))
    for kind, row in table["kinds"].items():
        yield table["version"], kind, row


def _cells(what: str, version: str, row: dict[str, Any]) -> list[str]:
    difference = _difference(row) if row["updates"] else ""
    cells = [what, version, row["runs"], f"{row['updates']:,}", difference, "; ".join(row["refused"])]
    return [str(cell).replace("|", "\\|") for cell in cells]


def _difference(row: dict[str, Any]) -> str:
    return f"{row['difference']:.1e}" if row["difference"] else "0"


def main() -> None:
    """Replay the records and write the pages."""
    runs = replayed()
    REPLAYED.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    (DOCS / "trainers.md").write_text(trainers(), encoding="utf-8")
    (DOCS / "trainers-conformance.md").write_text(conformance(runs), encoding="utf-8")


if __name__ == "__main__":
    main()
