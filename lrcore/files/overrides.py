"""Changes to a schedule's table before it is read: values by their places, as for a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lrcore.errors import ScheduleError
from lrcore.files.keys import at, parts
from lrcore.files.placement import BESIDE
from lrcore.hints import did_you_mean
from lrcore.records import short


def overridden(table: Any, overrides: Mapping[str, Any]) -> Any:
    """A copy of a table with other values.

    Args:
        table: a schedule's table; it stays as it is.
        overrides: values by their places, as errors name them: "warmup.steps", "schedules[0].decay_steps". None removes.

    Raises:
        ScheduleError: a place that does not exist, with the nearest one that does.

    Example:
        >>> overridden({"kind": "constant", "value": 1}, {"value": 2, "warmup.steps": 5})
        {'kind': 'constant', 'value': 2, 'warmup': {'steps': 5}}
    """
    if not isinstance(overrides, Mapping):
        raise ScheduleError("overrides", f"expected a dict of values by their places; got {short(overrides)}")
    for place, value in overrides.items():
        table = _with(table, list(parts(place)), value, "")
    return table


def _with(holder: Any, way: list[str], value: Any, path: str) -> Any:
    """A copy of a table or list in which the value at the end of a way is another."""
    name, rest = way[0], way[1:]
    if isinstance(holder, Sequence) and not isinstance(holder, str):
        number, entries = _index(holder, name, path), list(holder)
        if rest:
            value = _with(holder[number], rest, value, f"{path}[{number}]")
        entries[number : number + 1] = [] if value is None else [value]
        return entries
    if not isinstance(holder, Mapping):
        raise ScheduleError(f"overrides: {path or name}", f"expected a table; found {short(holder)}")
    copied, place = dict(holder), at(path, name)
    if rest and name not in copied and name in BESIDE and value is not None:
        copied[name] = {}
    if name not in copied and (rest or value is None):
        known = ", ".join(map(str, copied)) or "nothing"
        raise ScheduleError(
            f"overrides: {place}", f"expected one of {known}; there is none{did_you_mean(name, map(str, copied))}"
        )
    if rest:
        copied[name] = _with(copied[name], rest, value, place)
    elif value is None:
        del copied[name]
    else:
        copied[name] = value
    return copied


def _index(holder: Sequence[Any], name: str, path: str) -> int:
    if not name.isdecimal() or int(name) >= len(holder):
        some = f"an index from 0 to {len(holder) - 1}" if holder else "a list with entries"
        raise ScheduleError(f"overrides: {path}", f"expected {some}; got {short(name)}")
    return int(name)
