"""Paths inside a file. Errors write them in the syntax that the argument `key` takes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from numbers import Integral
from typing import Any, TypeAlias

from lrcore.errors import ScheduleError
from lrcore.records import short

Key: TypeAlias = str | Sequence[str | int]

_NAME = r"[^.\[\]\"'][^.\[\]]*"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'[^']*'"
_KEY_PART = re.compile(rf"(?P<dot>\.)?(?:\[(?P<index>-?[0-9]+)\]|(?P<quoted>{_QUOTED})|(?P<name>{_NAME}))")
_EXPECTED = "expected the name of a table, as in train.groups[0].schedule, or a list of names and indices"


def parts(key: Key) -> tuple[str, ...]:
    """The names and indices that lead to a table, the outermost first.

    Args:
        key: one text, train.groups[0].schedule or train.groups.0.schedule, in which a name that holds a dot is quoted
            ("a.b".lr); or a list of names and indices.

    Raises:
        ScheduleError: it is neither, or it is empty.

    Example:
        >>> parts('train."a.b"[0]')
        ('train', 'a.b', '0')
    """
    given: Any = key
    if isinstance(given, str):
        return _split(given)
    if not isinstance(given, Sequence) or isinstance(given, bytes) or not given:
        raise ScheduleError("key", f"{_EXPECTED}; got {short(given)}")
    for number, one in enumerate(given):
        if isinstance(one, bool) or not isinstance(one, (str, Integral)):
            raise ScheduleError(f"key[{number}]", f"expected a name or an index; got {short(one)}")
    return tuple(map(str, given))


def at(path: str, name: Any) -> str:
    """The path of a name in the table at `path`.

    Example:
        >>> at("train", "lr"), at("train", "a.b"), at("", "lr")
        ('train.lr', 'train."a.b"', 'lr')
    """
    return beneath(path, quoted(str(name)))


def beneath(path: str, place: str) -> str:
    """The path of a place inside the table at `path`, where the place is already formatted, such as values[1]."""
    return f"{path}.{place}" if path and place else path or place


def quoted(name: str) -> str:
    """Put a name in quotes if it would otherwise be read as something else in a key."""
    if re.fullmatch(_NAME, name) and name.isprintable():
        return name
    return json.dumps(name, ensure_ascii=not name.isprintable())


def _split(key: str) -> tuple[str, ...]:
    found, end = [], 0
    while end < len(key):
        part = _KEY_PART.match(key, end)
        is_index = part is not None and part["index"] is not None
        if part is None or (part["dot"] is not None) != (end > 0 and not is_index):
            break
        found.append(part["index"] or part["name"] or _unquoted(part["quoted"]))
        end = part.end()
    if not found or end < len(key):
        raise ScheduleError("key", f"{_EXPECTED}; got {short(key)}")
    return tuple(found)


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text)) if text.startswith('"') else text[1:-1]
    except ValueError:
        raise ScheduleError("key", f"expected a name in quotes as JSON writes it; got {short(text)}") from None
