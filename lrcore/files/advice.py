"""What to do about an error in a file: the right word, the right place, the right form. Read when one is made."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lrcore.files import examples
from lrcore.files.keys import quoted
from lrcore.files.placement import BESIDE, belonging, fields_of, move, standing, tables
from lrcore.files.yaml_scalars import UnclearNumber
from lrcore.hints import did_you_mean, foreign
from lrcore.records import places_of
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.schedule import Schedule

_LENGTH = "(optimizer updates"
_QUANTITY = re.compile(r"\s*[0-9][0-9_.eE+-]*\s*(%|[A-Za-z]+)\s*")
"""A number with a unit behind it: 10%, 5 epochs."""


class Advice:
    """What an error says after what it found, "" where nothing can be said.

    Args:
        format: toml, json, yaml or dict, in whose syntax examples are.
        top: the outermost table of the schedule.
        path: its place in the file.
    """

    def __init__(self, format: str, top: Any, path: str) -> None:  # noqa: A002 - the word users know
        self.format = format
        self.tables = tables(top, path)

    def no_table(self, value: Any, name: str, beside: Mapping[str, Any]) -> str:
        """For a warmup, a cooldown or a plateau that is something else; `beside` is the table of its schedule."""
        if name == "plateau":
            return f"; {examples.plateau(value, self.format)}"
        return f"; {examples.ramp(name, value, beside, self.format)}"

    def no_schedule(self, value: Any, path: str) -> str:
        """For a schedule that is no table."""
        name = path.rpartition(".")[2]
        return f"; {examples.schedule('' if name.endswith(']') else name, value, self.format)}"

    def no_list(self, value: Any) -> str:
        """For schedules that are no list."""
        return f"; {examples.schedules(value, self.format)}"

    def no_kind(self, table: Mapping[str, Any], path: str) -> str:
        """For a schedule without a kind."""
        elsewhere = standing("kind", path, self.tables)
        if elsewhere:
            return f"; it stands in {elsewhere.path}: {move(elsewhere.path, path, self.format)}"
        for name, value in table.items():
            if isinstance(value, str) and (value in KINDS or foreign(value, ["kind"])):
                meaning = "" if value in KINDS else f"; {foreign(value, ['kind'])}"
                word = quoted(str(name))
                return f"; {word} = {value!r} seems to name it: write kind in the place of {word}{meaning}"
        return f"; known kinds: {', '.join(KINDS)}"

    def missing(self, name: str, path: str) -> str:
        """For a required field that is not there: where it stands."""
        elsewhere = standing(name, path, self.tables)
        if elsewhere is None:
            return ""
        return f"; it stands in {_shown(elsewhere.path)}: {move(elsewhere.path, path, self.format)}"

    def unknown(self, name: Any, value: Any, path: str, cls: Any, known: Iterable[str]) -> str:
        """For a field that does not exist: what it is here, where it belongs, how it is spelt, who else has it."""
        if not isinstance(name, str):
            return self.boolean(name)
        said = foreign(name, places_of(cls), known)
        if match := re.search(r"is `(warmup|cooldown)\.(\w+)`$", said):
            said += self._example(": ", match[1], {match[2]: value})
        right = belonging(name, path, self.tables)
        if right:
            also = " too" if said else ""
            way = f"{name} is a field of {_shown(right.path)}{also}: {move(path, right.path, self.format)}"
            said = f"{said}; {way}" if said else way
        if said:
            return f"; {said}"
        return did_you_mean(name, known) or self._other_owners(name, value, cls, known)

    def value(self, value: Any, problem: str) -> str:
        """For a value that is nearly right."""
        if isinstance(value, UnclearNumber):
            return f"; {value.reading}"
        if isinstance(value, bool):
            return self.boolean(value)
        if _LENGTH in problem and isinstance(value, str) and _QUANTITY.fullmatch(value):
            return "; lengths are in updates: multiply shares by those of the run, epochs by those of an epoch"
        if _LENGTH in problem and isinstance(value, float) and 0 < value < 1:
            return f"; lengths are in updates: for a share multiply {value} by those of the run"
        return "; write the number without quotes" if _is_number_in_quotes(value) else ""

    def boolean(self, value: Any) -> str:
        """For true and false, for which YAML has more words than people know."""
        known = isinstance(value, bool) and self.format == "yaml"
        return "; YAML reads yes, no, on and off as true and false: put a text in quotes" if known else ""

    def _example(self, before: str, name: str, table: dict[str, Any]) -> str:
        """What to write, with what the user gave, unless that is long."""
        text = examples.written(name, table, self.format)
        return f"{before}write {text}" if len(text) <= examples.LONGEST else ""

    def _other_owners(self, name: str, value: Any, cls: Any, known: Iterable[str]) -> str:
        """The tables that may stand beside and have such a field, or the kinds that have it."""
        beside = [one for one, owner in BESIDE.items() if one in known and name in fields_of(owner)]
        if beside:
            return f"; {name} is a field of {' and of '.join(beside)}{self._example(': ', beside[0], {name: value})}"
        kinds = [kind for kind, owner in KINDS.items() if name in fields_of(owner)] if issubclass(cls, Schedule) else []
        return f"; {name} is a field of {', '.join(kinds)}, not of {places_of(cls)[0]}" if kinds else ""


def _shown(path: str) -> str:
    return path or "the outermost table"


def _is_number_in_quotes(value: Any) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False
