"""The commands that compare a schedule with a log, with another one, or with what is usually meant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import click

import lrcore
from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.show.arguments import Command, key_option, run_option, set_option, sources
from lrcore.show.output import output_option, put

UNREADABLE = 3  # the exit status of an audit that could not begin
_SLOW = 1.0  # seconds after which a command says that it is still at work

column_option = click.option(
    "--column", metavar="NAME", help="The column of the rates, where the log has several.  [default: the only one]"
)
clock_option = click.option(
    "--clock",
    type=click.Choice(["n", "n-1"]),
    help="Whether row n of the log shows the rate of update n or of update n-1.  [default: what fits]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead.")
log_option = click.option("--log", "log_scale", is_flag=True, help="A logarithmic axis for the rates in the picture.")


@click.command(cls=Command)
@click.argument("log", metavar="LOG")
@click.argument("file", metavar="FILE[:KEY]")
@column_option
@clock_option
@key_option
@run_option
@set_option
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A picture: a .png, .svg, .pdf or .html file.")
@log_option
@json_option
@click.pass_context
def audit(
    context: click.Context,
    log: str,
    file: str,
    column: str | None,
    clock: Any,
    key: str | None,
    run: dict[str, Any],
    overrides: dict[str, Any],
    output: Path | None,
    log_scale: bool,
    as_json: bool,
) -> None:
    """Say whether a run followed its schedule, and if not, why.

    LOG is what the run wrote: trainer_state.json, a CSV file, JSON lines, or event files of TensorBoard. FILE is the schedule that
    was meant; KEY is a table inside it.

    Exit status: 0 it follows, 1 it deviates and the cause is said, 2 it deviates and is not explained, 3 something cannot be read.
    """
    try:
        [source] = sources([file], key)
        schedule = source.read(run, overrides).schedule
        with _patience("comparing the log with what may have happened"):
            found = lrcore.audit(log, schedule, column=column, clock=clock, run=run or None)
        _say(found, as_json=as_json)
        if output is not None:
            found.plot(output, log_scale=log_scale)
    except (ScheduleError, MissingExtraError) as error:
        click.echo(f"lrcore: {error}", err=True)
        context.exit(UNREADABLE)
    context.exit(found.exit_status)


@click.command(cls=Command)
@click.argument("log", metavar="LOG")
@column_option
@clock_option
@run_option
@output_option
@json_option
@click.pass_context
def infer(
    context: click.Context,
    log: str,
    column: str | None,
    clock: Any,
    run: dict[str, Any],
    output: Path | None,
    as_json: bool,
) -> None:
    """Write the schedule that a log shows; what it cannot tell is said and not written.

    LOG is what the run wrote: trainer_state.json, a CSV file, JSON lines, or event files of TensorBoard.
    """
    with _patience("looking for a schedule"):
        found = lrcore.infer(log, column=column, clock=clock, run=run or None)
    if as_json:
        _say(found, as_json=True)
    else:
        click.echo(str(found), err=found.schedule is not None)
    if found.schedule is not None and (output is not None or not as_json):
        put(found.schedule, output)
    context.exit(found.exit_status)


@click.command(cls=Command)
@click.argument("first", metavar="FILE[:KEY]")
@click.argument("second", metavar="FILE[:KEY]")
@key_option
@run_option
@set_option
@json_option
@click.pass_context
def diff(
    context: click.Context,
    first: str,
    second: str,
    key: str | None,
    run: dict[str, Any],
    overrides: dict[str, Any],
    as_json: bool,
) -> None:
    """Say where two schedules differ: the first update, the largest difference, and the fields.

    --set changes the second one. Exit status: 0 equal, 1 different, 2 something cannot be read.
    """
    from lrcore.checks.difference import compared, side

    one, other = sources([first, second], key)
    changed = " (changed)" if overrides and one == other else ""
    sides = (side(one.path(), one.read(run, {})), side(other.path() + changed, other.read(run, overrides)))
    with _patience("comparing every update"):
        found = compared(*sides)
    _say(found, as_json=as_json)
    context.exit(found.exit_status)


@click.command(cls=Command)
@click.argument("file", metavar="FILE[:KEY]")
@key_option
@run_option
@set_option
@json_option
@click.pass_context
def check(
    context: click.Context,
    file: str,
    key: str | None,
    run: dict[str, Any],
    overrides: dict[str, Any],
    as_json: bool,
) -> None:
    """Say what in a schedule is probably not meant: a sentence with its place for each.

    Exit status: 0 nothing was found, 1 something was, 2 the file cannot be read.
    """
    from lrcore.checks.lint import checked

    [source] = sources([file], key)
    found = checked(source.path(), source.read(run, overrides))
    _say(found, as_json=as_json)
    context.exit(found.exit_status)


def _say(found: Any, *, as_json: bool) -> None:
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else str(found))


@contextmanager
def _patience(what: str) -> Iterator[None]:
    """Say on standard error that the command is still at work, if it takes longer than a second."""
    timer = Timer(_SLOW, click.echo, [f"lrcore: {what} ..."], {"err": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
