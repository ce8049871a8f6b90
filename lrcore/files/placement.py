"""Where the words of a file stand, where they belong, and how each format moves one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from lrcore.files.keys import at
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import PlateauOptions
from lrcore.schedules.schedule import DEEPEST, Cooldown, Warmup

BESIDE: dict[str, type[msgspec.Struct]] = {"warmup": Warmup, "cooldown": Cooldown, "plateau": PlateauOptions}
"""The tables that may stand beside the fields of a schedule; `plateau` beside the outermost alone."""


class Table(NamedTuple):
    """One table of a file: its place, what it holds and the fields that it may hold, each with whether it must."""

    path: str
    content: Mapping[Any, Any]
    fields: dict[str, bool]


@cache
def fields_of(cls: type[msgspec.Struct]) -> dict[str, bool]:
    """The names that a file has for the fields of a class, and which of them are required."""
    return {field.encode_name: field.required for field in msgspec.structs.fields(cls)}


def tables(top: Any, path: str) -> list[Table]:
    """The tables of a schedule, from the outside in; each once, for a table of YAML may contain itself."""
    return list(_tables(top, path, set(), 1))


def _tables(value: Any, path: str, seen: set[int], depth: int) -> Iterator[Table]:
    if not isinstance(value, Mapping) or id(value) in seen or depth > DEEPEST:
        return
    seen.add(id(value))
    kind = value.get("kind")
    own = fields_of(KINDS[kind]) if isinstance(kind, str) and kind in KINDS else {}
    also: dict[str, bool] = dict.fromkeys(("total_steps", "warmup", "cooldown"), False)
    if depth == 1:
        also["plateau"] = False
    yield Table(path, value, {"kind": True, **also, **own})
    for name, cls in BESIDE.items():
        if isinstance(value.get(name), Mapping):
            yield Table(at(path, name), value[name], fields_of(cls))
    yield from _tables(value.get("schedule"), at(path, "schedule"), seen, depth + 1)
    inside = value.get("schedules")
    if isinstance(inside, Sequence) and not isinstance(inside, str):
        for number, one in enumerate(inside):
            yield from _tables(one, f"{at(path, 'schedules')}[{number}]", seen, depth + 1)


def standing(word: str, here: str, known: Iterable[Table]) -> Table | None:
    """The table in which a word stands that is missed here: one that may not hold it, or need not."""
    for one in known:
        own = one.path.rpartition(".")[0] == here and one.fields.get(word) is False
        if one.path != here and word in one.content and (word not in one.fields or own):
            return one
    return None


def belonging(word: str, here: str, known: Sequence[Table]) -> Table | None:
    """The nearest table around or inside this one that may hold a word and lacks it."""
    around = [one for one in reversed(known) if _is_inside(here, one.path)]
    inside = [one for one in known if _is_inside(one.path, here)]
    return next((one for one in (*around, *inside) if word in one.fields and word not in one.content), None)


def move(source: str, target: str, format: str) -> str:  # noqa: A002 - the word users know
    """How a key gets from one table into another."""
    if not _is_inside(source, target):
        return {
            "toml": f"write it below {_header(target)}",
            "yaml": f"indent it below {_last(target)}",
            "json": f"write it within the braces of {target}",
        }.get(format, f"write it in {target}")
    return {
        "toml": f"move it out of {source}, for in TOML a key below {_header(source)} belongs to {source}",
        "yaml": f"move it out of {source}: indent it no deeper than {_last(source)}",
        "json": f"move it out of the braces of {source}",
    }.get(format, f"move it out of {source}")


def _is_inside(path: str, outer: str) -> bool:
    return path != outer and (not outer or path.startswith((f"{outer}.", f"{outer}[")))


def _header(path: str) -> str:
    """The line above the fields of a TOML table."""
    name = re.sub(r"\[\d+\]", "", path)
    return f"[[{name}]]" if path.endswith("]") else f"[{name}]"


def _last(path: str) -> str:
    return path.rpartition(".")[2]
