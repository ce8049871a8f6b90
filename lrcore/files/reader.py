"""TOML, JSON, YAML or a dict to a schedule and back, and the words of every error about a file.

Tables are read from the outside in: each is checked against the fields of its kind before anything is made of it, so
that an error names the innermost place, what is required there, what was found and the nearest right word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import ScheduleError
from lrcore.files.formats import READERS, WRITERS
from lrcore.records import Record, did_you_mean, short
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import Plateau, PlateauOptions
from lrcore.schedules.schedule import DEEPEST, Cooldown, Schedule, Warmup

_SUFFIXES = {".toml": "toml", ".json": "json", ".yaml": "yaml", ".yml": "yaml"}
_RAMPS: dict[str, type[Warmup | Cooldown]] = {"warmup": Warmup, "cooldown": Cooldown}
_CHILDREN = {"schedule", "schedules"}
_ENDS_SHOWN = 60  # characters of a long path, from either end
RecordT = TypeVar("RecordT", bound=Record)


def load(path: str | PathLike[str], key: str | None = None) -> Schedule | Any:
    """The schedule in a file, by its suffix: .toml, .json, .yaml or .yml (safe loading only).

    Beside the schedule there may be a table `plateau`: then it is a `Plateau`.

    Args:
        path: the file, UTF-8.
        key: the dotted name of a table inside a larger file, "train.schedule".

    Raises:
        ScheduleError: the file cannot be read or describes no schedule; one line that names the file, the place in
            it, what is required and what was found. Nothing is half-loaded.
        MissingExtraError: a YAML file without PyYAML.
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        known = ", ".join(_SUFFIXES)
        raise ScheduleError(
            str(path), f"expected a file that ends in one of {known}; got {path.suffix or 'no suffix'!r}"
        )
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScheduleError(str(path), f"expected UTF-8 text; got a wrong byte at position {error.start}") from None
    except FileNotFoundError:
        raise ScheduleError(str(path), "expected a file; there is none") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScheduleError(str(path), f"expected a file that can be read; got: {reason}") from None
    return _parsed(text, _SUFFIXES[path.suffix.lower()], key, str(path))


def loads(text: str, format: str = "toml", key: str | None = None) -> Schedule | Any:  # noqa: A002 - users know the word
    r"""The schedule in a text, or the `Plateau`, as `load`.

    Args:
        text: what a file would hold.
        format: toml, json or yaml.
        key: the dotted name of a table inside a larger text.

    Raises:
        ScheduleError: as `load`.

    Example:
        >>> loads('kind = "constant"\nvalue = 0.1')
        Constant(value=0.1)
    """
    if format not in READERS:
        raise ScheduleError("format", f"expected one of {', '.join(READERS)}; got {format!r}")
    if not isinstance(text, str):
        raise ScheduleError("text", f"expected a str; got {type(text).__name__}")
    return _parsed(text, format, key, "")


def from_dict(mapping: Mapping[str, Any]) -> Schedule | Any:
    """The schedule or the `Plateau` that a plain mapping describes, as `to_dict` writes it.

    Raises:
        ScheduleError: as `load`.

    Example:
        >>> from_dict({"kind": "cosine", "init_value": 0.1, "total_steps": 100, "warmup": {"steps": 10}})
        Cosine(init_value=0.1, decay_steps=90).warmup(steps=10)
    """
    return _Reader("", "dict").root(mapping, "")


def dumps(schedule: Schedule | Plateau, format: str = "toml") -> str:  # noqa: A002 - the word users know
    """The text of a file that `loads` reads back to an equal schedule.

    Args:
        schedule: what to write.
        format: toml, json or yaml.

    Raises:
        ScheduleError: a Python function is inside, or the format is unknown.
        MissingExtraError: YAML without PyYAML.

    Example:
        >>> from lrcore import Constant
        >>> print(dumps(Constant(value=0.1).warmup(5)), end="")
        kind = "constant"
        value = 0.1
        <BLANKLINE>
        [warmup]
        steps = 5
    """
    if format not in WRITERS:
        raise ScheduleError("format", f"expected one of {', '.join(WRITERS)}; got {format!r}")
    if not isinstance(schedule, (Schedule, Plateau)):
        raise ScheduleError("schedule", f"expected a lrcore schedule; got {short(schedule)}")
    return WRITERS[format](schedule.to_dict())


def _parsed(text: str, format: str, key: str | None, where: str) -> Schedule | Plateau:  # noqa: A002
    if not text.strip():
        raise ScheduleError(
            where, "expected a schedule; got an empty text" if not where else "expected a schedule; the file is empty"
        )
    try:
        data = READERS[format](text)
    except RecursionError:
        raise ScheduleError(where, f"expected at most {DEEPEST} schedules inside one another; got more") from None
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ScheduleError(where, f"expected {format.upper()}; got text that is not: {reason}") from None
    reader = _Reader(where, format)
    path = ""
    for name in key.split(".") if key else ():
        path = f"{path}.{name}" if path else name
        data = reader.table(data, path.rpartition(".")[0])
        if name not in data:
            known = ", ".join(map(str, data)) or "nothing"
            raise reader.error(path, f"expected a table of this name; found {known}{did_you_mean(name, data)}")
        data = data[name]
    return reader.root(data, path)


# --- tables -----------------------------------------------------------------------------------------------------------


class _Reader:
    """Turns nested tables into schedules; knows the file, for errors."""

    def __init__(self, file: str, format: str) -> None:  # noqa: A002
        self.file = file
        self.format = format

    def error(self, path: str, problem: str) -> ScheduleError:
        if len(path) > 2 * _ENDS_SHOWN:
            path = f"{path[:_ENDS_SHOWN]}...{path[-_ENDS_SHOWN:]}"
        return ScheduleError(": ".join(part for part in (self.file, path) if part), problem)

    def table(self, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise self.error(path, f"expected a table with a kind; got {_found(value)}")
        for name in value:
            if not isinstance(name, str):
                raise self.error(path, f"expected names of fields; got {_found(name)}")
        return dict(value)

    def root(self, value: Any, path: str) -> Schedule | Plateau:
        """The outermost schedule, beside which a table `plateau` may stand."""
        table = self.table(value, path)
        inner = "" if "kind" in table else _first_with_a_kind(table)
        if inner:
            found = _at(path, inner)
            raise self.error(
                _at(path, "kind"), f"required; got none; the table {found!r} has one: ask for it by that key"
            )
        if "plateau" not in table:
            return self.schedule(table, path, 1)
        options = self.record(table.pop("plateau"), _at(path, "plateau"), PlateauOptions)
        return Plateau(self.schedule(table, path, 1), **options.given())

    def schedule(self, value: Any, path: str, depth: int) -> Schedule:
        if depth > DEEPEST:
            raise self.error(path, f"expected at most {DEEPEST} schedules inside one another; got more")
        table = self.table(value, path)
        kind = self.kind(table, path)
        ramps = {
            name: self.record(table.pop(name), _at(path, name), cls) for name, cls in _RAMPS.items() if name in table
        }
        self.total_steps(table, ramps, kind, path)
        self.check_names(table, kind, path, extra=(*_RAMPS, "total_steps", *(["plateau"] if depth == 1 else [])))
        for name in _CHILDREN & table.keys():
            table[name] = self.children(name, table[name], _at(path, name), depth)
        made: Schedule = self.made(kind, table | ramps, path)
        return made

    def kind(self, table: dict[str, Any], path: str) -> type[Schedule]:
        if "kind" not in table:
            raise self.error(_at(path, "kind"), f"required; got none; known kinds: {', '.join(KINDS)}")
        name = table.pop("kind")
        if name == "function":
            raise self.error(_at(path, "kind"), "a Python function cannot be in a file; make it with lrcore.Function")
        if not isinstance(name, str) or name not in KINDS:
            known = f"expected one of {', '.join(KINDS)}"
            raise self.error(_at(path, "kind"), f"{known}; got {_found(name)}{did_you_mean(name, KINDS)}")
        return KINDS[name]

    def record(self, value: Any, path: str, cls: type[RecordT]) -> RecordT:
        """A table without a kind: a warmup, a cooldown, a plateau."""
        if not isinstance(value, Mapping):
            raise self.error(path, f"expected a table; got {_found(value)}")
        table = dict(value)
        self.check_names(table, cls, path)
        made: RecordT = self.made(cls, table, path)
        return made

    def children(self, name: str, value: Any, path: str, depth: int) -> Any:
        if name == "schedule":
            return self.schedule(value, path, depth + 1)
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise self.error(path, f"expected a list of schedules; got {_found(value)}")
        return tuple(self.schedule(one, f"{path}[{number}]", depth + 1) for number, one in enumerate(value))

    def total_steps(self, table: dict[str, Any], ramps: dict[str, Any], kind: type[Schedule], path: str) -> None:
        """`total_steps` counts the warmup and the cooldown too; a schedule is stored without it."""
        if "total_steps" not in table:
            return
        place = _at(path, "total_steps")
        given = table.pop("total_steps")
        try:
            total = Warmup(steps=given).steps
        except ScheduleError as error:
            raise self.error(place, error.problem + self.hint(given)) from None
        warmup, cooldown = (ramps[name].steps if name in ramps else 0 for name in _RAMPS)
        rest = total - warmup - cooldown
        if rest < 0 or (rest == 0 < total and kind in _WITH_A_LENGTH):
            raise self.error(place, _too_short(total, ramps, kind))
        if "cooldown" in ramps and ramps["cooldown"].start not in (None, total - cooldown):
            end = ramps["cooldown"].start + cooldown
            raise self.error(
                place, f"expected {end}, where the cooldown ends, or a cooldown without start; got {total}"
            )
        if kind in _WITH_A_LENGTH:
            if "decay_steps" in table:
                raise self.error(place, "expected decay_steps or total_steps; got both")
            table["decay_steps"] = rest
        elif "cooldown" in ramps and ramps["cooldown"].start is None:
            ramps["cooldown"] = msgspec.structs.replace(ramps["cooldown"], start=total - cooldown)
        else:
            name = kind.__struct_config__.tag
            raise self.error(
                place, f"needs a kind with decay_steps, or a cooldown without start; got a {name} schedule with neither"
            )

    def check_names(
        self, table: dict[str, Any], cls: type[msgspec.Struct], path: str, extra: Sequence[str] = ()
    ) -> None:
        fields = {field.encode_name: field.required for field in msgspec.structs.fields(cls)}
        known = [*(name for name in fields if name not in extra), *extra]
        for name in table:
            if name not in known:
                hint = did_you_mean(name, known)
                raise self.error(_at(path, name), f"expected one of {', '.join(known)}; got an unknown field{hint}")
        for name, required in fields.items():
            if required and name not in table:
                raise self.error(_at(path, name), "required; got none")

    def made(self, cls: Any, fields: dict[str, Any], path: str) -> Any:
        try:
            return cls(**fields)
        except ScheduleError as error:
            _, _, place = error.where.partition(".")
            raise self.error(_at(path, place), error.problem + self.hint(_value_at(place, fields))) from None

    def hint(self, value: Any) -> str:
        """What to do about a number in quotes."""
        try:
            number = float(value) if isinstance(value, str) else None
        except ValueError:
            number = None
        if number is None or not math.isfinite(number):
            return ""
        if self.format == "yaml":
            return f"; YAML reads {value} as text: write {_with_a_point(number)}"
        return "; write the number without quotes"


_WITH_A_LENGTH = [
    kind
    for kind in KINDS.values()
    if any(field.name == "decay_steps" and field.required for field in msgspec.structs.fields(kind))
]


def _too_short(total: int, ramps: Mapping[str, Any], kind: type[Schedule]) -> str:
    """What is wrong with a total that its warmup and cooldown take or exceed: the two numbers that meet."""
    taken = [name for name in _RAMPS if name in ramps and ramps[name].steps]
    least = sum(ramps[name].steps for name in taken)
    steps = f"{least}, the steps of {' and '.join(taken)}"
    if kind not in _WITH_A_LENGTH:
        return f"expected at least {steps}; got {total}"
    decay = f"{kind.__struct_config__.tag} decay"
    if total < least:
        return f"expected at least {steps}, and more for the {decay}; got {total}"
    return f"expected more than {steps}, which leave the {decay} no update; got {total}; raise it, or shorten them"


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path and name else path or name


def _first_with_a_kind(table: Mapping[Any, Any], levels: int = 3) -> str:
    """The dotted name of the first table in a larger one that describes a schedule; "" if none is near."""
    for name, value in table.items():
        if isinstance(value, Mapping) and levels:
            described = any(value.get("kind") == kind for kind in KINDS)  # other tables of a file have kinds too
            inner = "" if described else _first_with_a_kind(value, levels - 1)
            if described or inner:
                return _at(str(name), inner)
    return ""


def _value_at(place: str, fields: Mapping[str, Any]) -> Any:
    """What was given at a place like `values[1]`."""
    name, *indices = place.replace("]", "").split("[")
    value = fields.get(name)
    for index in indices:
        value = value[int(index)] if isinstance(value, Sequence) else None
    return value


def _found(value: Any) -> str:
    return "a table" if isinstance(value, Mapping) else short(value)


def _with_a_point(number: float) -> str:
    """A number as YAML reads it: digits, or a point before the exponent."""
    if number.is_integer() and abs(number) <= LAST_STEP:
        return str(int(number))
    digits, _, exponent = f"{number!r}".partition("e")
    point = digits if "." in digits else f"{digits}.0"
    return f"{point}e{exponent}" if exponent else point
