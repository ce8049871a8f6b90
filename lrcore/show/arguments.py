"""The arguments of a command: FILE or FILE:KEY, as in run.toml:train.lr; - is standard input."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from lrcore.errors import ScheduleError
from lrcore.files.reader import Reading, read

_STANDARD_INPUT = "standard input"
_FILE_AND_KEY = re.compile(r"(.*?\.(?:toml|json|yaml|yml)):(.*)", re.IGNORECASE | re.DOTALL)


class Command(click.Command):
    """A command that takes -:KEY for a table in standard input, not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Replace the - of -:KEY by the name of standard input in errors."""
        return super().parse_args(ctx, [re.sub("^-:", f"{_STANDARD_INPUT}:", one) for one in args])


class Source(NamedTuple):
    """Where a schedule is: a file, and the table inside it if it is not the whole file."""

    file: str
    key: str | None

    def read(self, run: Mapping[str, Any], overrides: Mapping[str, Any]) -> Reading:
        """Read the schedule, with what --run and --set say."""
        return read(self.file, self.key, run=run or None, overrides=overrides)

    def title(self) -> str:
        """The title in a picture: the name of the file, with the key."""
        return self._with_key(_STANDARD_INPUT if self.file == "-" else Path(self.file).name)

    def path(self) -> str:
        """The title with the folder, for several files of the same name."""
        return self._with_key(_STANDARD_INPUT if self.file == "-" else str(Path(self.file)))

    def _with_key(self, file: str) -> str:
        return file if self.key is None else f"{file}:{self.key}"


def sources(arguments: Sequence[str], key: str | None) -> list[Source]:
    """The sources that the arguments of a command name; `key`, from --key, applies to all of them.

    Raises:
        ScheduleError: a key stands behind a file and in --key too, or standard input is asked twice.
    """
    found = [_source(argument) for argument in arguments]
    for argument, source in zip(arguments, found, strict=True):
        if key is not None and source.key is not None:
            raise ScheduleError(argument, f"expected a key behind the file or in --key; got both, --key {key}")
    if sum(source.file == "-" for source in found) > 1:
        raise ScheduleError("-", "expected standard input once, for it can be read only once; got it twice")
    return [source if key is None else Source(source.file, key) for source in found]


def texts(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> dict[str, str | None]:
    """The texts by their names that NAME=VALUE gives; "" is None."""
    found = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not (sign and name.strip()):
            raise click.BadParameter(f"expected NAME=VALUE; got {text!r}", context, parameter)
        found[name.strip()] = value.strip() or None
    return found


def assignments(context: click.Context, parameter: click.Parameter, given: Sequence[str]) -> dict[str, Any]:
    """The values by their names that NAME=VALUE gives: a number, true or a list as in TOML, else a text; "" is None."""
    return {name: _value(text) for name, text in texts(context, parameter, given).items()}


key_option = click.option(
    "--key", metavar="KEY", help="A table inside each file: train.schedule, groups[0].  [or behind its name: FILE:KEY]"
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


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _source(argument: str) -> Source:
    """Split FILE:KEY, except at the colon of a Windows drive or of an existing file's own name."""
    if _is_file(argument):
        return Source(argument, None)
    drive, rest = os.path.splitdrive(argument)
    for colon in reversed([number for number, letter in enumerate(rest) if letter == ":"]):
        file = drive + rest[:colon]
        if file in ("-", _STANDARD_INPUT):
            return Source("-", rest[colon + 1 :])
        if _is_file(file):
            return Source(file, rest[colon + 1 :])
    absent = _FILE_AND_KEY.fullmatch(rest)
    return Source(drive + absent[1], absent[2]) if absent else Source(argument, None)


def _is_file(name: str) -> bool:
    """Whether a file or a pipe of this name exists."""
    try:
        return Path(name).exists() and not Path(name).is_dir()
    except (OSError, ValueError):  # not a valid file name
        return False
