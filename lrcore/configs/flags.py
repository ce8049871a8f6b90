"""Command-line flags as a dict: `--lr 1e-4 --lr-decay-style cosine`, and dotted words such as `optim.sched.name=Noam`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from typing import Any

from lrcore.errors import ScheduleError

_FLAG = re.compile(r"-{1,3}[A-Za-z]|--[_@]")
_ASSIGNMENT = re.compile(r"[+~]{0,2}([A-Za-z_@][\w.@/-]*)=(.*)", re.DOTALL)


_DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_][\w-]*)+")


def are_flags(words: Iterable[Any]) -> bool:
    """Whether a list holds the words of a command line, rather than the tables of a configuration."""
    words = list(words)
    texts = all(isinstance(word, (str, int, float)) for word in words)
    return texts and any(isinstance(word, str) and (_FLAG.match(word) or _ASSIGNMENT.fullmatch(word)) for word in words)


def split(text: str) -> list[str]:
    """The words of a command as a shell would split them; nothing is expanded or executed."""
    try:
        return shlex.split(re.sub(r"\\\s*\n", " ", text), comments=True)
    except ValueError as error:
        raise ScheduleError("flags", f"expected words as a shell splits them; got {text[:60]!r} ({error})") from None


def from_flags(words: Iterable[Any]) -> dict[str, Any]:
    """The options that flags give: texts, lists of texts where several words follow, true where none does.

    A flag that is given twice has its last value, as in argparse. A dot leads into a table.

    Example:
        >>> from_flags(["train.py", "--lr", "1e-4", "--milestones", "8", "11", "--fp16", "--optim.name=adam"])
        {'lr': '1e-4', 'milestones': ['8', '11'], 'fp16': True, 'optim': {'name': 'adam'}}
    """
    found: dict[str, Any] = {}
    name, values = "", []
    for word in [*map(str, words), "--"]:
        flag = _FLAG.match(word)
        assignment = _ASSIGNMENT.fullmatch(word.lstrip("-") if flag else word)
        if not (flag or assignment or word == "--"):
            values.append(word)
            continue
        if name:
            _put(found, name, values, f"--{name}")
        name, values = "", []
        if assignment:
            _put(found, assignment[1], [assignment[2]], f"--{assignment[1]}")
        elif flag:
            name = word.lstrip("-")
    return found


def nested(config: dict[Any, Any]) -> dict[Any, Any]:
    """A configuration whose names lead into tables by dots, as trackers of experiments flatten them, as tables.

    Example:
        >>> nested({"optimizer.lr": 0.1, "optimizer": {"name": "adam"}})
        {'optimizer': {'name': 'adam', 'lr': 0.1}}
    """
    found = {name: value for name, value in config.items() if not _is_dotted(name)}
    for name, value in config.items():
        if _is_dotted(name):
            _put(found, name, [value])
    return found


def _is_dotted(name: Any) -> bool:
    return isinstance(name, str) and bool(_DOTTED.fullmatch(name))


def _put(found: dict[Any, Any], name: str, values: list[Any], place: str = "") -> None:
    *tables, last = name.split(".")
    for table in tables:
        inner = found.setdefault(table, {})
        if not isinstance(inner, dict):
            raise ScheduleError(place or name, f"expected {table} to be a table or a value; got both")
        found = inner
    found[last] = True if not values else values[0] if len(values) == 1 else values
