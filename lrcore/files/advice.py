"""The advice in errors about a file: the right word, place or form. It is imported at the first error."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from lrcore.files import examples
from lrcore.files.keys import quoted
from lrcore.files.placement import BESIDE, fields_of, find_misplaced, find_owner, move, tables
from lrcore.files.yaml_scalars import UnclearNumber
from lrcore.hints import did_you_mean, foreign
from lrcore.records import places_of
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.schedule import Schedule

_LENGTH_EXPECTED = "(optimizer updates"
"""Part of the message of an error that expects a length."""


class Advice:
    """The advice at the end of an error message; each method returns "" if there is none.

    Args:
        format: the syntax of examples: toml, json, yaml or dict.
        top: the outermost table of the schedule.
        path: its place in the file.
    """

    def __init__(self, format: str, top: Any, path: str) -> None:  # noqa: A002 - the word users know
        self.format = format
        self.tables = tables(top, path)

    def no_table(self, value: Any, name: str, beside: Mapping[str, Any]) -> str:
        """For a warmup, a cooldown or a plateau that is not a table; `beside` is the table of its schedule."""
        if name == "plateau":
            return f"; {examples.plateau(value, self.format)}"
        if name == "run":
            return f"; write {examples.formatted('run', {'total': value or 10_000}, self.format)}"
        return f"; {examples.ramp(name, value, beside, self.format)}"

    def no_schedule(self, value: Any, path: str) -> str:
        """For a schedule that is not a table."""
        name = path.rpartition(".")[2]
        return f"; {examples.schedule('' if name.endswith(']') else name, value, self.format)}"

    def no_list(self, value: Any) -> str:
        """For `schedules` that is not a list."""
        return f"; {examples.schedules(value, self.format)}"

    def no_kind(self, table: Mapping[str, Any], path: str) -> str:
        """For a schedule without a kind."""
        elsewhere = find_misplaced("kind", path, self.tables)
        if elsewhere:
            return f"; it stands in {elsewhere.path}: {move(elsewhere.path, path, self.format)}"
        for name, value in table.items():
            if isinstance(value, str) and (value in KINDS or foreign(value, ["kind"])):
                meaning = "" if value in KINDS else f"; {foreign(value, ['kind'])}"
                word = quoted(str(name))
                return f"; {word} = {value!r} seems to name it: write kind in the place of {word}{meaning}"
        return f"; known kinds: {', '.join(KINDS)}"

    def missing(self, name: str, path: str) -> str:
        """For a missing required field: the place where the file has it instead."""
        elsewhere = find_misplaced(name, path, self.tables)
        if elsewhere is None:
            return ""
        return f"; it stands in {_path_in_words(elsewhere.path)}: {move(elsewhere.path, path, self.format)}"

    def unknown(self, name: Any, value: Any, path: str, cls: Any, known: Iterable[str]) -> str:
        """For an unknown field: its name in lrcore, its right table, its spelling, or the kinds that have it."""
        if not isinstance(name, str):
            return self.boolean(name)
        said = foreign(name, places_of(cls), known)
        if match := re.search(r"is `(warmup|cooldown)\.(\w+)`$", said):
            said += self._example(": ", match[1], {match[2]: value})
        right = find_owner(name, path, self.tables)
        if right:
            also = " too" if said else ""
            way = f"{name} is a field of {_path_in_words(right.path)}{also}: {move(path, right.path, self.format)}"
            said = f"{said}; {way}" if said else way
        if said:
            return f"; {said}"
        return did_you_mean(name, known) or self._other_owners(name, value, cls, known)

    def value(self, value: Any, problem: str) -> str:
        """For a value of the wrong type or in the wrong unit."""
        if isinstance(value, UnclearNumber):
            return f"; {value.reading}"
        if isinstance(value, bool):
            return self.boolean(value)
        if _LENGTH_EXPECTED in problem and isinstance(value, float) and 0 < value < 1:
            return f"; for a share of the run write '{100 * value:.10g}%'"
        return "; write the number without quotes" if _is_number_in_quotes(value) else ""

    def boolean(self, value: Any) -> str:
        """For a boolean of YAML, which also reads yes, no, on and off as booleans."""
        known = isinstance(value, bool) and self.format == "yaml"
        return "; YAML reads yes, no, on and off as true and false: put a text in quotes" if known else ""

    def _example(self, before: str, name: str, table: dict[str, Any]) -> str:
        """What to write, with the values of the user; "" if that is too long."""
        text = examples.formatted(name, table, self.format)
        return f"{before}write {text}" if len(text) <= examples.MAX_CHARACTERS else ""

    def _other_owners(self, name: str, value: Any, cls: Any, known: Iterable[str]) -> str:
        """The tables beside the field, or else the kinds, that have such a field."""
        beside = [one for one, owner in BESIDE.items() if one in known and name in fields_of(owner)]
        if beside:
            return f"; {name} is a field of {' and of '.join(beside)}{self._example(': ', beside[0], {name: value})}"
        kinds = [kind for kind, owner in KINDS.items() if name in fields_of(owner)] if issubclass(cls, Schedule) else []
        return f"; {name} is a field of {', '.join(kinds)}, not of {places_of(cls)[0]}" if kinds else ""


def _path_in_words(path: str) -> str:
    return path or "the outermost table"


def _is_number_in_quotes(value: Any) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False
