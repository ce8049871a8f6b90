"""The command `lrcore`: look at schedule files."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import click

import lrcore
from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.files.lengths import Resolved
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.show import describe, figure, plot
from lrcore.show.arguments import Command, Source, assignments, sources

WRONG = 2  # the exit code of an error
_MAX_WIDTH = 100  # columns


class _Commands(click.Group):
    """Commands that print an error as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (ScheduleError, MissingExtraError) as error:
            click.echo(f"lrcore: {error}", err=True)
            ctx.exit(WRONG)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(lrcore.__version__, prog_name="lrcore", message="%(prog)s %(version)s")
def main() -> None:
    """Look at learning-rate schedules in TOML, JSON and YAML files."""


def _count(text: str, least: int = 1) -> int:
    """A whole number, written as in files: 100000, 100_000 or 1e5."""
    try:
        number = Decimal(text)
        if least <= number <= LAST_STEP and number == int(number):
            return int(number)
    except (InvalidOperation, ValueError):  # no number, or NaN
        pass
    raise click.BadParameter(f"expected an integer from {least} to 2**53, such as 100_000 or 1e5; got {text!r}")


def _updates_made(text: str) -> int:
    return _count(text, 0)


key_option = click.option(
    "--key", metavar="KEY", help="A table inside each file: train.schedule, groups[0].  [or behind its name: FILE:KEY]"
)
steps_option = click.option(
    "--steps",
    type=_count,
    metavar="INTEGER",
    help="The last step shown.  [default: the schedule and a tenth more]",
)
run_option = click.option(
    "--run",
    multiple=True,
    metavar="NAME=VALUE",
    callback=assignments,
    help='What is known of the run: total=20_000, updates_per_epoch=500, "total=90 epochs".',
)
set_option = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="PLACE=VALUE",
    callback=assignments,
    help="Another value at a place in the file: warmup.steps=500. PLACE= removes it.",
)


@main.command(cls=Command)
@click.argument("file", metavar="FILE[:KEY]")
@key_option
@run_option
@set_option
@steps_option
@click.option("--ascii", "plain", is_flag=True, help="Draw without braille.  [default: where it cannot be written]")
def show(
    file: str, key: str | None, run: dict[str, Any], overrides: dict[str, Any], steps: int | None, plain: bool
) -> None:
    """Draw the schedule in a file, and tell its phases and values.

    FILE ends in .toml, .json, .yaml or .yml; - is standard input. KEY is a table inside it: run.toml:train.lr.
    """
    [source] = sources([file], key)
    loaded, lengths, *_ = source.read(run, overrides)
    if isinstance(sys.stdout, TextIOWrapper):  # print characters that the encoding lacks as question marks
        sys.stdout.reconfigure(errors="replace")
    width = min(shutil.get_terminal_size().columns, _MAX_WIDTH)
    lines = _shown(source.title(), loaded, steps, width, plain=plain or not _has_braille())
    for line in (*lines, *_length_lines(lengths)):
        click.echo(line, color=False if "NO_COLOR" in os.environ else None)


@main.command("plot", cls=Command)
@click.argument("files", metavar="FILE[:KEY]...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A .png, .svg or .pdf file.")
@key_option
@run_option
@set_option
@steps_option
@click.option("--log", is_flag=True, help="A logarithmic axis for the values.")
def plot_command(
    files: tuple[str, ...],
    output: Path,
    key: str | None,
    run: dict[str, Any],
    overrides: dict[str, Any],
    steps: int | None,
    log: bool,
) -> None:
    """Draw the schedules in files into one picture.

    Each may have a key of its own: run.toml:train.lr run.toml:train.wd. - is standard input.

    Needs matplotlib: pip install "lrcore[plot]".
    """
    given = sources(files, key)
    loaded = (_schedule(source.read(run, overrides).schedule) for source in given)
    schedules = dict(zip(_names(given), loaded, strict=True))
    last = steps or max(map(describe.display_range, schedules.values()))
    figure.to_file(schedules, output, last, log=log)


def _has_braille() -> bool:
    """Whether the output can show braille. The console of Linux has no glyphs for it."""
    console = os.environ.get("TERM") == "linux" and sys.stdout.isatty()
    try:
        plot.FULL.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return not console


@main.command(cls=Command)
@click.argument("file", metavar="FILE[:KEY]")
@click.option("--at", required=True, type=_updates_made, metavar="INTEGER", help="Updates already made.")
@click.option("--end", required=True, type=_count, metavar="INTEGER", help="The update at which the run is to end.")
@click.option("--was", type=_count, metavar="INTEGER", help="Where it was to end.  [default: where the schedule ends]")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A .toml, .json or .yaml file.  [default: print TOML]"
)
@key_option
@run_option
@set_option
def extend(
    file: str,
    at: int,
    end: int,
    was: int | None,
    output: Path | None,
    key: str | None,
    run: dict[str, Any],
    overrides: dict[str, Any],
) -> None:
    """Plan a schedule anew from an update on, so that the run trains longer.

    The past stays as it was and the rate does not jump: see lrcore.Schedule.extended.
    """
    [source] = sources([file], key)
    loaded = source.read(run, overrides).schedule
    longer = _schedule(loaded).extended(at, end, was)
    text = lrcore.dumps(
        loaded.replace(schedule=longer) if isinstance(loaded, Plateau) else longer,
        "toml" if output is None else output.suffix.removeprefix("."),
    )
    if output is None:
        click.echo(text, nl=False)
    else:
        _write(output, text)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScheduleError(str(path), f"expected a file that can be written; got: {error.strerror}") from None


@main.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of schedule files, for editors."""
    click.echo(Path(lrcore.__file__).with_name("schedule.schema.json").read_text(encoding="utf-8"), nl=False)


def _names(given: list[Source]) -> list[str]:
    """The names in the legend: the titles, with their folders if two are equal."""
    titles = [source.title() for source in given]
    return titles if len(set(titles)) == len(titles) else [source.path() for source in given]


def _schedule(loaded: Schedule | Plateau) -> Schedule:
    return loaded.schedule if isinstance(loaded, Plateau) else loaded


# --- what `show` prints -----------------------------------------------------------------------------------------------


def _shown(
    name: str, loaded: Schedule | Plateau, steps: int | None, width: int, *, plain: bool = False
) -> Iterator[str]:
    schedule = _schedule(loaded)
    last = steps or describe.display_range(schedule)
    picture = plot.in_terminal(schedule, last, width)
    yield click.style(name, bold=True)
    yield ""
    yield plot.in_ascii(picture) if plain else picture
    yield ""
    yield from _phase_lines(loaded, width)
    yield ""
    yield from _value_lines(schedule, last)
    yield ""
    yield f"fingerprint {loaded.fingerprint}"


def _phase_lines(loaded: Schedule | Plateau, width: int) -> Iterator[str]:
    rows, more = describe.outline(_schedule(loaded))
    margin = max(len(head) for head in [*(head for head, _ in rows), "plateau"])
    for head, words in rows:
        yield from _row(head, words, margin, width)
    yield from textwrap.wrap(more, width)
    if isinstance(loaded, Plateau):
        yield from _row("plateau", describe.plateau_in_words(loaded), margin, width)


def _row(head: str, text: str, margin: int, width: int) -> Iterator[str]:
    """Wrap a text beside its head."""
    indent = " " * (margin + 2)
    yield from textwrap.wrap(
        text, width, initial_indent=f"{head:<{margin}}  ", subsequent_indent=indent, break_long_words=False
    )


def _length_lines(lengths: list[Resolved]) -> Iterator[str]:
    """Each length that the file states as a text, with the number that it is."""
    if lengths:
        yield ""
    margin = max((len(one.place) for one in lengths), default=0)
    written = max((len(one.written) for one in lengths), default=0)
    for one in lengths:
        yield f"{one.place:<{margin}}  {one.written:<{written}}  = {one.number:,}"


def _value_lines(schedule: Schedule, last: int) -> Iterator[str]:
    steps = describe.display_steps(schedule, last)
    margin = max(len(f"{step:,}") for step in steps)
    for step in steps:
        yield f"step {step:>{margin},}  {schedule(step):.10g}"
