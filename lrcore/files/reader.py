"""Reads a schedule from TOML, JSON, YAML or a dict, and writes it.

Tables are read from the outside in. Each is checked against the fields of its kind before a schedule is made of it, so
that an error names the innermost path, what is required there, what was found and the nearest right word.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.files.formats import READERS, WRITERS
from lrcore.files.keys import Key, at, beneath, parts
from lrcore.files.placement import fields_of
from lrcore.hints import did_you_mean, hint
from lrcore.records import Record, short
from lrcore.runs.run import Run, layered
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import Plateau, PlateauOptions
from lrcore.schedules.schedule import DEEPEST, Cooldown, Schedule, Warmup

if TYPE_CHECKING:
    from lrcore.files.advice import Advice
    from lrcore.files.lengths import Resolved

FORMAT = 1
"""The version of the format of files: docs/format/policy.md says when it rises."""

_FORMATS = {"toml": "toml", "json": "json", "yaml": "yaml", "yml": "yaml"}
_STANDARD_INPUT = "standard input"
_ROOT_FIELDS = ("plateau", "run", "format", "$schema")
_RAMPS: dict[str, type[Warmup | Cooldown]] = {"warmup": Warmup, "cooldown": Cooldown}
_CHILD_FIELDS = {"schedule", "schedules"}
_ENDS_SHOWN = 60  # characters shown of each end of a long path
RecordT = TypeVar("RecordT", bound=Record)


class Reading(NamedTuple):
    """What a file gave: the schedule or plateau, the lengths that were texts, the table in its own words, and the run."""

    schedule: Schedule | Plateau
    lengths: list[Resolved]
    table: Mapping[str, Any]
    run: Run


def load(
    path: str | PathLike[str],
    key: Key | None = None,
    *,
    run: Run | Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Schedule | Plateau:
    """The schedule in a file, by its suffix: .toml, .json, .yaml or .yml (safe loading only).

    Beside the schedule there may be a table `plateau`: then it is a `Plateau`.

    Args:
        path: the file, UTF-8. "-" is standard input, which is read as TOML, else as JSON, else as YAML: no text is a
            schedule in two of them.
        key: a table inside a larger file: "train.schedule"; "groups[0]" or "groups.0" in a list; a name that holds a
            dot in quotes, '"a.b".lr', or as one of a list, ["a.b", "lr"]. Errors name places in the same way.
        run: what is known of the run, a `Run` or its arguments: with it, or with a table `run` in the file, lengths may be
            texts, "2%" or "5 epochs". What is given here replaces what the file says.
        overrides: values by their places in the table, {"warmup.steps": 500}: for a sweep. They are applied before
            anything is checked; None removes a field or a table.

    Returns:
        A `Schedule`, or a `Plateau` where the file has one: `isinstance(loaded, lrcore.Plateau)` tells them apart.

    Raises:
        ScheduleError: the file cannot be read or describes no schedule; one line that names the file, the place in
            it, what is required and what was found. Nothing is half-loaded.
        MissingExtraError: a YAML file without PyYAML.
    """
    return read(path, key, run=run, overrides=overrides).schedule


def read(
    path: str | PathLike[str],
    key: Key | None = None,
    *,
    run: Run | Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Reading:
    """What `load` returns, with what else was read beside it."""
    given = (key, run, overrides)
    if os.fspath(path) == "-":
        return _parsed(_standard_input(), None, _STANDARD_INPUT, *given)
    path = Path(path)
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in _FORMATS:
        known = ", ".join(f".{name}" for name in _FORMATS)
        raise ScheduleError(
            str(path), f"expected a file that ends in one of {known}; got {path.suffix or 'no suffix'!r}"
        )
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ScheduleError(str(path), "expected a file; there is none") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScheduleError(str(path), f"expected a file that can be read; got: {reason}") from None
    return _parsed(_decoded(data, str(path)), _FORMATS[suffix], str(path), *given)


def loads(
    text: str,
    format: str = "toml",  # noqa: A002 - users know the word
    key: Key | None = None,
    *,
    run: Run | Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Schedule | Plateau:
    r"""The schedule in a text, or the `Plateau`, as `load`.

    Args:
        text: what a file would hold.
        format: toml, json, yaml or yml.
        key: a table inside a larger text, as in `load`.
        run: what is known of the run, as in `load`.
        overrides: values by their places, as in `load`.

    Raises:
        ScheduleError: as `load`.

    Example:
        >>> loads('kind = "constant"\nvalue = 0.1')
        Constant(value=0.1)
        >>> loads('[[groups]]\nkind = "constant"\nvalue = 0.1', key="groups[0]")
        Constant(value=0.1)
    """
    format = _known_format(format)  # noqa: A001
    if not isinstance(text, str):
        raise ScheduleError("text", f"expected a str; got {type(text).__name__}")
    return _parsed(text, format, "", key, run, overrides).schedule


def read_text(text: str) -> Schedule | Plateau:
    """The schedule in a text that is read as TOML, else as JSON, else as YAML: no text is a schedule in two of them.

    Raises:
        ScheduleError: as `load`.
    """
    return _parsed(text, None, "").schedule


def from_dict(
    mapping: Mapping[str, Any],
    *,
    run: Run | Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Schedule | Plateau:
    """The schedule or the `Plateau` that a plain mapping describes, as `to_dict` writes it.

    Args:
        mapping: what a file would hold, with numbers of Python or numpy.
        run: what is known of the run, as in `load`.
        overrides: values by their places, as in `load`.

    Raises:
        ScheduleError: as `load`.

    Example:
        >>> from_dict({"kind": "cosine", "init_value": 0.1, "total_steps": 100, "warmup": {"steps": 10}})
        Cosine(init_value=0.1, decay_steps=90).warmup(steps=10)
    """
    return read_dict(mapping, run=run, overrides=overrides).schedule


def read_dict(
    mapping: Mapping[str, Any],
    *,
    run: Run | Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Reading:
    """What `from_dict` returns, with what else was read beside it."""
    return _Reader("", "dict").root(mapping, "", None, run, overrides)


def dumps(schedule: Schedule | Plateau, format: str = "toml") -> str:  # noqa: A002 - the word users know
    """The text of a file that `loads` reads back to an equal schedule.

    Args:
        schedule: what to write.
        format: toml, json, yaml or yml.

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
    format = _known_format(format)  # noqa: A001
    if not isinstance(schedule, (Schedule, Plateau)):
        raise ScheduleError("schedule", f"expected a lrcore schedule; got {short(schedule)}")
    return WRITERS[format](schedule.to_dict())


# --- texts ------------------------------------------------------------------------------------------------------------


def _known_format(format: Any) -> str:  # noqa: A002
    if not isinstance(format, str) or format not in _FORMATS:
        raise ScheduleError("format", f"expected one of {', '.join(_FORMATS)}; got {short(format)}")
    return _FORMATS[format]


def _standard_input() -> str:
    try:
        return _decoded(sys.stdin.buffer.read(), _STANDARD_INPUT)
    except (OSError, AttributeError) as error:  # sys.stdin of a notebook or a windowed program has no `buffer`
        reason = error if isinstance(error, OSError) else "none that is open"
        raise ScheduleError(_STANDARD_INPUT, f"expected an input that can be read; got: {reason}") from None


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScheduleError(where, f"expected UTF-8 text; got a wrong byte at position {error.start}") from None


def _parsed(
    text: str,
    format: str | None,  # noqa: A002
    where: str,
    key: Key | None = None,
    run: Run | Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> Reading:
    """The schedule in a text; if the format is None, every format is tried."""
    if not text.strip():
        raise ScheduleError(
            where,
            f"expected a schedule; {'got an empty text' if where in ('', _STANDARD_INPUT) else 'the file is empty'}",
        )
    try:
        format, data = _in_any_format(text) if format is None else (format, READERS[format](text))  # noqa: A001
    except RecursionError:
        raise ScheduleError(where, f"expected at most {DEEPEST} schedules inside one another; got more") from None
    except ValueError as error:
        expected = "TOML, JSON or YAML" if format is None else format.upper()
        raise ScheduleError(where, f"expected {expected}; got text that is not: {_one_line(error)}") from None
    reader = _Reader(where, format)
    path, file_run = "", data.get("run") if key is not None and isinstance(data, Mapping) else None
    for part in parts(key) if key is not None else ():
        data, path = reader.inside(data, part, path)
    return reader.root(data, path, file_run, run, overrides)


def _in_any_format(text: str) -> tuple[str, Any]:
    """The first format in which the text is a table or a list, and its data."""
    problems = []
    for name, read in READERS.items():
        try:
            data = read(text)
        except MissingExtraError as error:
            problems.append(str(error))
        except ValueError as error:
            problems.append(f"{name.upper()}: {_one_line(error)}")
        else:
            if isinstance(data, (Mapping, list)):
                return name, data
            problems.append(f"{name.upper()}: it is no table")
    raise ValueError("; ".join(problems))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


# --- tables -----------------------------------------------------------------------------------------------------------


class _Reader:
    """Reads schedules from nested tables; its errors name the file and the path."""

    def __init__(self, file: str, format: str) -> None:  # noqa: A002
        self.file = file
        self.format = format
        self.top: tuple[Any, str] = ({}, "")

    def error(self, path: str, problem: str) -> ScheduleError:
        if len(path) > 2 * _ENDS_SHOWN:
            path = f"{path[:_ENDS_SHOWN]}...{path[-_ENDS_SHOWN:]}"
        return ScheduleError(": ".join(part for part in (self.file, path) if part), problem)

    @cached_property
    def advice(self) -> Advice:
        """The advice for errors, which is imported at the first one."""
        from lrcore.files.advice import Advice

        return Advice(self.format, *self.top)

    def table(self, value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            inside = path != self.top[1]
            advice = self.advice.no_schedule(value, path) if inside else ""
            raise self.error(path, f"expected a table with a kind; got {_found(value)}{advice}")
        for name in value:
            if not isinstance(name, str):
                raise self.error(path, f"expected names of fields; got {_found(name)}{self.advice.boolean(name)}")
        return dict(value)

    def inside(self, value: Any, part: str, path: str) -> tuple[Any, str]:
        """Look up a name or an index in the table or list at `path`; return the value and its path."""
        if isinstance(value, Mapping):
            names, place = {str(name): name for name in value}, at(path, part)
            if part not in names:
                known = ", ".join(at("", name) for name in names) or "nothing"
                raise self.error(place, f"expected a table of this name; found {known}{did_you_mean(part, names)}")
            return value[names[part]], place
        if not _is_list(value):
            raise self.error(path, f"expected a table or a list; got {_found(value)}")
        is_index = re.fullmatch("-?[0-9]+", part)
        place = f"{path}[{part}]" if is_index else at(path, part)
        if not re.fullmatch("[0-9]{1,15}", part) or int(part) >= len(value):
            some = f"an index from 0 to {len(value) - 1}" if value else "a list with entries"
            raise self.error(place, f"expected {some}; got {part if is_index and len(part) < 16 else short(part)}")
        return value[int(part)], f"{path}[{int(part)}]"

    def root(
        self,
        value: Any,
        path: str,
        file_run: Any,
        run: Run | Mapping[str, Any] | None,
        overrides: Mapping[str, Any] | None,
    ) -> Reading:
        """Read the outermost schedule, which may have the tables `plateau` and `run`.

        Args:
            value: the table.
            path: its place in the file.
            file_run: the table `run` of the whole file, for a table without its own.
            run: what is known of the run beside the file.
            overrides: values by their places in the table.
        """
        if overrides:
            from lrcore.files.overrides import overridden

            value = overridden(value, overrides)
        self.top = value, path
        self.check_has_kind(value, path)
        table = self.table(value, path)
        self.check_root_fields(table, path)
        table, lengths, known = self.in_updates(table, path, file_run, run)
        options = self.record(table, "plateau", path, PlateauOptions) if "plateau" in table else None
        schedule = self.schedule(table, path, 1)
        return Reading(schedule if options is None else Plateau(schedule, **options.given()), lengths, value, known)

    def in_updates(
        self, table: dict[str, Any], path: str, file_run: Any, run: Run | Mapping[str, Any] | None
    ) -> tuple[dict[str, Any], list[Resolved], Run]:
        """Remove the table `run`, and replace lengths that are texts by numbers of updates; what is known of the run."""
        from lrcore.files.lengths import has_texts, resolve

        own, with_texts = "run" in table, has_texts(table)
        if not own and not with_texts and run is None:
            return table, [], Run()
        place = at(path, "run") if own else "run"
        stated = self.record(table, "run", path, Run) if own else None
        if stated is None and with_texts and file_run is not None:
            stated = self.record({"run": file_run}, "run", "", Run)
        known = stated or Run()
        if run is not None:
            known = layered(run, stated)
        try:
            known.check_acts("run")
        except ScheduleError as error:
            raise self.error(at(place, error.where.partition(".")[2]), error.problem) from None
        table, lengths = resolve(table, path, known, self.error) if with_texts else (table, [])
        return table, lengths, known

    def check_has_kind(self, value: Any, path: str) -> None:
        """Refuse a larger table or a list that has a schedule inside, and name the key of that schedule."""
        beside = [value.get(name) for name in (*_RAMPS, "plateau")] if isinstance(value, Mapping) else []
        # A kind may be written below the header of another table.
        is_misplaced = any(isinstance(one, Mapping) and "kind" in one for one in beside)
        is_here = is_misplaced or (isinstance(value, Mapping) and "kind" in value)
        inner = "" if is_here else _find_schedule(value, path)
        if not inner:
            return
        hint = f"the table '{inner}' has one: {'give that one' if self.format == 'dict' else 'ask for it by that key'}"
        if isinstance(value, Mapping):
            raise self.error(at(path, "kind"), f"required; got none; {hint}")
        raise self.error(path, f"expected a table with a kind; got a list; {hint}")

    def check_root_fields(self, table: dict[str, Any], path: str) -> None:
        """Check the fields `format` and `$schema` of the outermost table, and remove them."""
        number = table.pop("format", FORMAT)
        whole = isinstance(number, int) and not isinstance(number, bool)
        if whole and number > FORMAT:
            raise self.error(
                at(path, "format"),
                f"expected {FORMAT}; got a schedule that is written for lrcore format {number}; install a newer lrcore",
            )
        if not whole or number != FORMAT:
            raise self.error(at(path, "format"), f"expected {FORMAT}, the format of schedules; got {short(number)}")
        schema = table.pop("$schema", "")
        if not isinstance(schema, str):
            raise self.error(
                at(path, "$schema"), f"expected a text, where an editor finds the schema; got {_found(schema)}"
            )

    def schedule(self, value: Any, path: str, depth: int) -> Schedule:
        if depth > DEEPEST:
            raise self.error(path, f"expected at most {DEEPEST} schedules inside one another; got more")
        table = self.table(value, path)
        kind = self.kind(table, path)
        ramps = {name: self.record(table, name, path, cls) for name, cls in _RAMPS.items() if name in table}
        self.total_steps(table, ramps, kind, path)
        self.check_names(table, kind, path, extra=(*_RAMPS, "total_steps", *(_ROOT_FIELDS if depth == 1 else ())))
        for name in _CHILD_FIELDS & table.keys():
            table[name] = self.children(name, table[name], at(path, name), depth)
        made: Schedule = self.construct(kind, table | ramps, path)
        return made

    def kind(self, table: dict[str, Any], path: str) -> type[Schedule]:
        if "kind" not in table:
            raise self.error(at(path, "kind"), f"required; got none{self.advice.no_kind(table, path)}")
        name = table.pop("kind")
        if name == "function":
            raise self.error(at(path, "kind"), "a Python function cannot be in a file; make it with lrcore.Function")
        if not isinstance(name, str) or name not in KINDS:
            known = f"expected one of {', '.join(KINDS)}"
            raise self.error(at(path, "kind"), f"{known}; got {_found(name)}{hint(name, ['kind'], KINDS)}")
        return KINDS[name]

    def record(self, beside: dict[str, Any], name: str, path: str, cls: type[RecordT]) -> RecordT:
        """Read a warmup, a cooldown or a plateau, and remove it from the table of its schedule."""
        value, path = beside[name], at(path, name)
        if not isinstance(value, Mapping):
            found = f"{_found(value)}{self.advice.no_table(value, name, beside)}"
            raise self.error(path, f"expected a table; got {found}")
        table = dict(beside.pop(name))
        self.check_names(table, cls, path)
        made: RecordT = self.construct(cls, table, path)
        return made

    def children(self, name: str, value: Any, path: str, depth: int) -> Any:
        if name == "schedule":
            return self.schedule(value, path, depth + 1)
        if not _is_list(value):
            found = f"{_found(value)}{self.advice.no_list(value)}"
            raise self.error(path, f"expected a list of schedules; got {found}")
        return tuple(self.schedule(one, f"{path}[{number}]", depth + 1) for number, one in enumerate(value))

    def total_steps(self, table: dict[str, Any], ramps: dict[str, Any], kind: type[Schedule], path: str) -> None:
        """Replace `total_steps`, which includes warmup and cooldown, by `decay_steps` or the start of the cooldown."""
        if "total_steps" not in table:
            return
        place = at(path, "total_steps")
        given = table.pop("total_steps")
        try:
            total = Warmup(steps=given).steps
        except ScheduleError as error:
            raise self.error(place, error.problem + self.advice.value(given, error.problem)) from None
        warmup, cooldown = (ramps[name].steps if name in ramps else 0 for name in _RAMPS)
        rest = total - warmup - cooldown
        if rest < 0 or (rest == 0 < total and kind in _KINDS_WITH_DECAY_STEPS):
            raise self.error(place, _too_few_steps(total, ramps, kind))
        if "cooldown" in ramps and ramps["cooldown"].start not in (None, total - cooldown):
            end = ramps["cooldown"].start + cooldown
            raise self.error(
                place, f"expected {end}, where the cooldown ends, or a cooldown without start; got {total}"
            )
        if kind in _KINDS_WITH_DECAY_STEPS:
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
        fields = fields_of(cls)
        known = [*(name for name in fields if name not in extra), *extra]
        for name, value in table.items():
            if name not in known:
                found = f"got an unknown field{self.advice.unknown(name, value, path, cls, known)}"
                raise self.error(at(path, name), f"expected one of {', '.join(known)}; {found}")
        for name, required in fields.items():
            if required and name not in table:
                raise self.error(at(path, name), f"required; got none{self.advice.missing(name, path)}")

    def construct(self, cls: Any, fields: dict[str, Any], path: str) -> Any:
        try:
            return cls(**fields)
        except ScheduleError as error:
            _, _, place = error.where.partition(".")
            advice = self.advice.value(_value_at(place, fields), error.problem)
            raise self.error(beneath(path, place), error.problem + advice) from None


_KINDS_WITH_DECAY_STEPS = [kind for kind in KINDS.values() if fields_of(kind).get("decay_steps")]


def _too_few_steps(total: int, ramps: Mapping[str, Any], kind: type[Schedule]) -> str:
    """The problem of a `total_steps` that the warmup and the cooldown fill or exceed."""
    taken = [name for name in _RAMPS if name in ramps and ramps[name].steps]
    least = sum(ramps[name].steps for name in taken)
    steps = f"{least}, the steps of {' and '.join(taken)}"
    if kind not in _KINDS_WITH_DECAY_STEPS:
        return f"expected at least {steps}; got {total}"
    decay = f"{kind.__struct_config__.tag} decay"
    if total < least:
        return f"expected at least {steps}, and more for the {decay}; got {total}"
    return f"expected more than {steps}, which leave the {decay} no update; got {total}; raise it, or shorten them"


def _find_schedule(value: Any, path: str, levels: int = 3, seen: set[int] | None = None) -> str:
    """The path of the first schedule inside a value, searched to a depth of `levels`; "" if there is none."""
    seen = set() if seen is None else seen
    if id(value) in seen:  # aliases of YAML may repeat one value in very many places
        return ""
    seen.add(id(value))
    if isinstance(value, Mapping):
        inside = [(at(path, name), one) for name, one in value.items() if name not in {*_RAMPS, "plateau", "run"}]
    elif _is_list(value):
        inside = [(f"{path}[{number}]", one) for number, one in enumerate(value)]
    else:
        return ""
    for place, one in inside:
        # Tables of other programs may have a kind, too.
        if isinstance(one, Mapping) and any(one.get("kind") == kind for kind in KINDS):
            return place
        if levels and (found := _find_schedule(one, place, levels - 1, seen)):
            return found
    return ""


def _value_at(place: str, fields: Mapping[str, Any]) -> Any:
    """The value of a field or of an entry, such as `values[1]`."""
    name, *indices = place.replace("]", "").split("[")
    value = fields.get(name)
    for index in indices:
        value = value[int(index)] if isinstance(value, Sequence) else None
    return value


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _found(value: Any) -> str:
    return "a table" if isinstance(value, Mapping) else short(value)
