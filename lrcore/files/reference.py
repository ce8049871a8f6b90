"""The fields of a file as data: the one source of the JSON Schema and of the manual's pages about files.

Names, types and defaults come from the classes, descriptions from their docstrings.
"""

from __future__ import annotations

import inspect
import re
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec

from lrcore.records import Record, Steps, in_words, unit_of
from lrcore.runs.run import Run
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import Plateau, PlateauOptions
from lrcore.schedules.schedule import Cooldown, Schedule, Warmup

TABLES: dict[str, type[Record]] = {
    **KINDS,
    "warmup": Warmup,
    "cooldown": Cooldown,
    "plateau": PlateauOptions,
    "run": Run,
}
"""Every table that a file may have: the kinds by their names, and warmup, cooldown, plateau and run."""

_DOCUMENTED: dict[str, Any] = {"warmup": Schedule.warmup, "cooldown": Schedule.cooldown, "plateau": Plateau}
_FILE_FIELDS = {
    "total_steps": (
        "updates of warmup, decay and cooldown together, in place of decay_steps; or, of a kind that has no end, where "
        "the cooldown ends, in place of its start"
    ),
    "format": "the format that the file is written for; 1 if it is left out",
    "$schema": "where an editor finds the JSON Schema of the file; lrcore does not read it",
}


class Field(NamedTuple):
    """One field of a table in a file.

    Attributes:
        name: its name in a file.
        type: what is required, in words.
        unit: what a number counts: "updates", "reports" or "".
        required: whether a file must have it.
        default: the value if it is left out; None if it has no default.
        description: what it means.
        annotation: its type in Python, without None.
    """

    name: str
    type: str
    unit: str
    required: bool
    default: Any
    description: str
    annotation: Any


def fields(table: str) -> tuple[Field, ...]:
    """The fields of one table; of a kind, those that every kind has (warmup, cooldown, total_steps) come last.

    Args:
        table: one of `TABLES`.

    Example:
        >>> [field.name for field in fields("cosine")]
        ['init_value', 'end_value', 'decay_steps', 'exponent', 'warmup', 'cooldown', 'total_steps']
        >>> fields("every")[1].type, fields("every")[1].unit
        ('an integer >= 1 (optimizer updates, at most 2**53)', 'updates')
    """
    cls, descriptions = TABLES[table], _argument_descriptions(table)
    hints = get_type_hints(cls, include_extras=True)
    if table in KINDS:
        descriptions |= {name: summary(name) for name in ("warmup", "cooldown")}
    own = [
        _field(one.encode_name, hints[one.name], descriptions[one.encode_name], one.default, required=one.required)
        for one in msgspec.structs.fields(cls)
    ]
    if table not in KINDS:
        return tuple(own)
    return (
        *sorted(own, key=lambda one: one.name in ("warmup", "cooldown")),
        _field("total_steps", Steps, file_field("total_steps")),
    )


def summary(table: str) -> str:
    """The description of a table: the first paragraph of its docstring."""
    return " ".join(_docstring(table).split("\n\n")[0].split())


def file_field(name: str) -> str:
    """The description of a field that only files have: total_steps, format or $schema."""
    return _FILE_FIELDS[name]


def _field(
    name: str, annotation: Any, description: str, default: Any = msgspec.NODEFAULT, *, required: bool = False
) -> Field:
    if type(None) in get_args(annotation):
        annotation = get_args(annotation)[0]
    default = None if default is msgspec.NODEFAULT else default
    return Field(name, in_words(annotation), unit_of(annotation), required, default, description, annotation)


def _docstring(table: str) -> str:
    return inspect.getdoc(_DOCUMENTED.get(table, TABLES[table])) or ""


def _argument_descriptions(table: str) -> dict[str, str]:
    """The descriptions in the section `Args` of a docstring, by name."""
    _, _, section = _docstring(table).partition("\nArgs:\n")
    descriptions: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line and not line.startswith("    "):
            break
        if begun := re.match(r"    (\w+): (.*)", line):
            descriptions[begun[1]] = [begun[2]]
        elif line:
            descriptions[next(reversed(descriptions))].append(line.strip())
    return {name: " ".join(lines) for name, lines in descriptions.items()}
