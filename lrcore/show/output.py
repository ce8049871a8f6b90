"""Where a command puts a schedule: on the screen as TOML, or into a file of the format that its suffix names."""

from __future__ import annotations

from pathlib import Path

import click

import lrcore
from lrcore.errors import ScheduleError
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule

output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A .toml, .json or .yaml file.  [default: print TOML]"
)


def put(loaded: Schedule | Plateau, output: Path | None) -> None:
    """Print a schedule as TOML, or write it into a file.

    Raises:
        ScheduleError: the suffix names no format, or the file cannot be written.
    """
    if output is None:
        click.echo(lrcore.dumps(loaded, "toml"), nl=False)
        return
    text = lrcore.dumps(loaded, output.suffix.removeprefix("."))
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ScheduleError(str(output), f"expected a file that can be written; got: {error.strerror}") from None
