"""Finds misplaced fields of a file and the tables they belong to, and says how to move them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from lrcore.files.keys import at
from lrcore.runs.run import Run
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import PlateauOptions
from lrcore.schedules.schedule import DEEPEST, Cooldown, Warmup

OUTERMOST: dict[str, type[msgspec.Struct]] = {"plateau": PlateauOptions, "run": Run}
"""The tables that the outermost schedule alone may have beside its fields."""

BESIDE: dict[str, type[msgspec.Struct]] = {"warmup": Warmup, "cooldown": Cooldown, **OUTERMOST}
"""The tables that a schedule may have beside its fields."""


class Table(NamedTuple):
    """One table of a file: its path, its content, and the fields that it may have, each with whether it is required."""

    path: str
    content: Mapping[Any, Any]
    fields: dict[str, bool]


@cache
def fields_of(cls: type[msgspec.Struct]) -> dict[str, bool]:
    """The names of the fields of a class in a file, each with whether it is required."""
    return {field.encode_name: field.required for field in msgspec.structs.fields(cls)}


def tables(top: Any, path: str) -> list[Table]:
    """The tables of a schedule, outermost first. Each is listed once, because a YAML table may contain itself."""
    return list(_tables(top, path, set(), 1))


def _tables(value: Any, path: str, seen: set[int], depth: int) -> Iterator[Table]:
    if not isinstance(value, Mapping) or id(value) in seen or depth > DEEPEST:
        return
    seen.add(id(value))
    kind = value.get("kind")
    own = fields_of(KINDS[kind]) if isinstance(kind, str) and kind in KINDS else {}
    also: dict[str, bool] = dict.fromkeys(("total_steps", "warmup", "cooldown"), False)
    if depth == 1:
        also |= dict.fromkeys(OUTERMOST, False)
    yield Table(path, value, {"kind": True, **also, **own})
    for name, cls in BESIDE.items():
        if isinstance(value.get(name), Mapping):
            yield Table(at(path, name), value[name], fields_of(cls))
    yield from _tables(value.get("schedule"), at(path, "schedule"), seen, depth + 1)
    inside = value.get("schedules")
    if isinstance(inside, Sequence) and not isinstance(inside, str):
        for number, one in enumerate(inside):
            yield from _tables(one, f"{at(path, 'schedules')}[{number}]", seen, depth + 1)


def find_misplaced(word: str, here: str, known: Iterable[Table]) -> Table | None:
    """Find the table that has a field which is missing at `here`.

    Such a table does not know the field, or is directly inside `here` and does not require it.
    """
    for one in known:
        own = one.path.rpartition(".")[0] == here and one.fields.get(word) is False
        if one.path != here and word in one.content and (word not in one.fields or own):
            return one
    return None


def find_owner(word: str, here: str, known: Sequence[Table]) -> Table | None:
    """Find the nearest table around or inside `here` that may have such a field and lacks it."""
    around = [one for one in reversed(known) if _is_inside(here, one.path)]
    inside = [one for one in known if _is_inside(one.path, here)]
    return next((one for one in (*around, *inside) if word in one.fields and word not in one.content), None)


def move(source: str, target: str, format: str) -> str:  # noqa: A002 - the word users know
    """Say how to move a field from one table to another."""
    if not _is_inside(source, target):
        return {
            "toml": f"write it below {_header(target)}",
            "yaml": f"indent it below {_last_name(target)}",
            "json": f"write it within the braces of {target}",
        }.get(format, f"write it in {target}")
    return {
        "toml": f"move it out of {source}, for in TOML a key below {_header(source)} belongs to {source}",
        "yaml": f"move it out of {source}: indent it no deeper than {_last_name(source)}",
        "json": f"move it out of the braces of {source}",
    }.get(format, f"move it out of {source}")


def _is_inside(path: str, outer: str) -> bool:
    return path != outer and (not outer or path.startswith((f"{outer}.", f"{outer}[")))


def _header(path: str) -> str:
    """The header of a TOML table."""
    name = re.sub(r"\[\d+\]", "", path)
    return f"[[{name}]]" if path.endswith("]") else f"[{name}]"


def _last_name(path: str) -> str:
    return path.rpartition(".")[2]
