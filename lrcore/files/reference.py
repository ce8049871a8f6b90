"""What a file may say, field by field: the one source of the JSON Schema and of the pages about files.

Names, types and defaults are those of the classes; the descriptions are read from their docstrings.
"""

from __future__ import annotations

import inspect
import re
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from lrcore.records import Record, Steps, in_words
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import Plateau, PlateauOptions
from lrcore.schedules.schedule import Cooldown, Schedule, Warmup

TABLES: dict[str, type[Record]] = {**KINDS, "warmup": Warmup, "cooldown": Cooldown, "plateau": PlateauOptions}
"""Every table that a file may hold: the kinds by their names, and the three that stand beside them."""

_DOCUMENTED: dict[str, Any] = {"warmup": Schedule.warmup, "cooldown": Schedule.cooldown, "plateau": Plateau}
_OF_FILES = {
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
        name: as a file has it.
        type: what is required, in words.
        unit: what a number counts: "updates", "reports" or "".
        required: whether a file must have it.
        default: what holds where it is left out; None for nothing.
        description: what it means.
        annotation: the type as Python has it, without None.
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
    cls, told = TABLES[table], _arguments(table)
    hints = get_type_hints(cls, include_extras=True)
    if table in KINDS:
        told |= {name: summary(name) for name in ("warmup", "cooldown")}
    own = [
        _field(one.encode_name, hints[one.name], told[one.encode_name], one.default, required=one.required)
        for one in msgspec.structs.fields(cls)
    ]
    if table not in KINDS:
        return tuple(own)
    return (
        *sorted(own, key=lambda one: one.name in ("warmup", "cooldown")),
        _field("total_steps", Steps, of_files("total_steps")),
    )


def summary(table: str) -> str:
    """What a table is, in the first paragraph of its docstring."""
    return " ".join(_text(table).split("\n\n")[0].split())


def of_files(name: str) -> str:
    """The description of what only a file has: total_steps, format, $schema."""
    return _OF_FILES[name]


def _field(
    name: str, annotation: Any, description: str, default: Any = msgspec.NODEFAULT, *, required: bool = False
) -> Field:
    if type(None) in get_args(annotation):
        annotation = get_args(annotation)[0]
    default = None if default is msgspec.NODEFAULT else default
    return Field(name, in_words(annotation), _unit(annotation), required, default, description, annotation)


def _unit(annotation: Any) -> str:
    if get_origin(annotation) is tuple:
        return _unit(get_args(annotation)[0])
    if get_origin(annotation) is not Annotated:
        return ""
    return str((annotation.__metadata__[0].extra or {}).get("unit", ""))


def _text(table: str) -> str:
    return inspect.getdoc(_DOCUMENTED.get(table, TABLES[table])) or ""


def _arguments(table: str) -> dict[str, str]:
    """The section `Args` of a docstring: a text for each name."""
    _, _, section = _text(table).partition("\nArgs:\n")
    told: dict[str, list[str]] = {}
    for line in section.splitlines():
        if line and not line.startswith("    "):
            break
        if begun := re.match(r"    (\w+): (.*)", line):
            told[begun[1]] = [begun[2]]
        elif line:
            told[next(reversed(told))].append(line.strip())
    return {name: " ".join(lines) for name, lines in told.items()}
