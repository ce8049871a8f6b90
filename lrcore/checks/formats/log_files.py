"""The files that hold logs: one reader for each format, which gives a table of named columns."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import msgspec

from lrcore.errors import ScheduleError
from lrcore.records import short

Columns: TypeAlias = Callable[[str, str], tuple[list[Any], list[Any]]]

_KNOWN = "trainer_state.json, CSV, JSON lines or event files of TensorBoard"
_NAME_IT = "name the one that holds them as the column"
_KERAS = (
    "Keras' CSVLogger has no rate of a schedule inside the optimizer: list the callback lrcore_keras.LRLogger before it"
)
_IN_FOLDERS = ("trainer_state.json", "metrics.csv")  # as transformers and Lightning name the log in a folder of a run
_EXPORTED = ("Wall time", "Step", "Value")  # TensorBoard's columns
_LOG_OF_A_CALL = "W&B's Step counts calls of wandb.log, which need not be updates."


@dataclass(frozen=True)
class Table:
    """What a file holds, before its columns are chosen.

    Attributes:
        where: the file, for messages.
        names: the names of the columns.
        columns: gives the cells of two columns that are named: numbers, texts, or None where there is none.
        rates: the column of rates where the format has one for them.
        without_rates: what to do where no column is named like a rate.
        epochs_in_tags: whether a name that begins with epoch_ has epochs for steps, as in the event files of Keras.
        notes: what was left out, a sentence each.
    """

    where: str
    names: tuple[str, ...]
    columns: Columns
    rates: str | None = None
    without_rates: str = _NAME_IT
    epochs_in_tags: bool = False
    notes: tuple[str, ...] = ()


def read_table(path: Path) -> Table:
    """The table in a file, or in a folder of a run; what it is, is seen in what it holds.

    Raises:
        ScheduleError: it cannot be read, or is no log.
    """
    if path.is_dir():
        return _in_folder(path)
    where = str(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ScheduleError(where, "expected a file; there is none") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ScheduleError(where, f"expected a file that can be read; got: {reason}") from None
    if "tfevents" in path.name:
        return _event_files(path)
    text = _text(data, where)
    if not text.strip():
        raise ScheduleError(where, "expected a log of learning rates; the file is empty")
    return _json(text, where) if text.lstrip()[0] in "{[" else _csv(text, where)


def _in_folder(path: Path) -> Table:
    """The folder of a run with a log of a known name, or with event files."""
    for name in _IN_FOLDERS:
        if (path / name).is_file():
            return read_table(path / name)
    if next(path.rglob("*tfevents*"), None) is not None:
        return _event_files(path)
    raise ScheduleError(str(path), f"expected {_KNOWN}; got a folder without any")


def _event_files(path: Path) -> Table:
    from lrcore.checks.formats.event_files import scalars

    points = scalars(path)
    return Table(str(path), ("step", *points), lambda _, tag: points[tag](), epochs_in_tags=True)


def _text(data: bytes, where: str) -> str:
    """The text of a file; other data is of another kind."""
    try:
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        problem = f"expected {_KNOWN}; got a file of another kind, which begins with {data[:8]!r}"
        raise ScheduleError(where, problem)
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json(text: str, where: str) -> Table:
    """A trainer_state.json, a list or lines of rows, or an object of columns."""
    try:
        data = _decoded(text)
    except ValueError:
        return _json_lines(text, where)
    except RecursionError:
        raise ScheduleError(where, f"expected {_KNOWN}; got JSON that is nested too deeply") from None
    if isinstance(data, list):
        return _json_rows(data, where)
    if isinstance(data.get("log_history"), list):
        return _trainer_state(data["log_history"], where)
    if data and all(isinstance(column, list) for column in data.values()):
        return _json_columns(data, where)
    if "kind" in data:
        raise _is_schedule(where)
    return _json_rows([data], where)


def _decoded(text: str) -> Any:
    """JSON as Python reads it, NaN included; msgspec is several times as fast, and refuses NaN."""
    try:
        return msgspec.json.decode(text)
    except ValueError:
        return json.loads(text)


def _trainer_state(history: list[Any], where: str) -> Table:
    """The log_history of transformers' Trainer; other rows of it are of evaluations."""
    rates = [row for row in history if isinstance(row, dict) and "learning_rate" in row]
    table = _json_rows(rates or history, where)
    return replace(table, rates="learning_rate" if "learning_rate" in table.names else None)


def _json_lines(text: str, where: str) -> Table:
    """One object a line; a last line that was not written to its end is left out."""
    with contextlib.suppress(ValueError):
        return _json_rows(msgspec.json.Decoder().decode_lines(text), where)
    rows: list[Any] = []
    notes: tuple[str, ...] = ()
    lines = [line for line in text.splitlines() if line.strip()]
    for number, line in enumerate(lines, 1):
        try:
            rows.append(_decoded(line))
        except (ValueError, RecursionError):
            if number < len(lines) or number == 1:
                problem = f"expected {_KNOWN}; got text that is none, in line {number:,}: {short(line)}"
                raise ScheduleError(where, problem) from None
            notes = ("The last line is not complete and is left out.",)
    return _json_rows(rows, where, notes)


def _json_rows(rows: list[Any], where: str, notes: tuple[str, ...] = ()) -> Table:
    """Rows that are objects; or lists of three numbers, as TensorBoard exports them."""
    if rows and all(isinstance(row, list) and len(row) == 3 for row in rows):
        rows = [dict(zip(_EXPORTED, row, strict=True)) for row in rows]
    wrong = next((row for row in rows if not isinstance(row, dict)), None)
    if wrong is not None or not rows:
        found = short(wrong) if rows else "no row"
        raise ScheduleError(where, f"expected rows that are JSON objects; got {found}")
    names = tuple(dict.fromkeys(itertools.chain.from_iterable(rows)))

    def columns(steps: str, rates: str) -> tuple[list[Any], list[Any]]:
        return [row.get(steps) for row in rows], [row.get(rates) for row in rows]

    return Table(where, names, columns, _EXPORTED[2] if names == _EXPORTED else None, notes=notes)


def _json_columns(data: Mapping[str, list[Any]], where: str) -> Table:
    """An object of columns, as Keras' History is written."""
    if len({len(column) for column in data.values()}) > 1:
        lengths = ", ".join(f"{len(column):,} {name}" for name, column in data.items())
        raise ScheduleError(where, f"expected columns of one length; got {lengths}")
    return Table(where, tuple(data), lambda steps, rates: (data[steps], data[rates]))


# --- CSV --------------------------------------------------------------------------------------------------------------


def _csv(text: str, where: str) -> Table:
    """Rows of cells below a line of names: by Lightning, by Keras, as W&B and TensorBoard export them, or by hand."""
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    names = tuple(name.strip() for name in next(csv.reader([head], delimiter=delimiter), ()))
    if len(names) < 2 or len(set(names)) < len(names):
        raise _no_table(text, names, where)
    notes = (_LOG_OF_A_CALL,) if "Step" in names and any(name.endswith("__MIN") for name in names) else ()
    return Table(
        where,
        names,
        lambda steps, rates: _csv_columns(_Lines(text, delimiter, where), names, (steps, rates)),
        _EXPORTED[2] if names == _EXPORTED else None,
        _KERAS if names[0] == "epoch" and "step" not in names else _NAME_IT,
        notes=notes,
    )


class _Lines(NamedTuple):
    """The text of a CSV file and how its cells are parted."""

    text: str
    delimiter: str
    where: str

    def cells(self) -> Iterator[list[str]]:
        """The cells of each line below the names."""
        lines = csv.reader(io.StringIO(self.text), delimiter=self.delimiter)
        try:
            next(lines)
            yield from filter(None, lines)
        except csv.Error as error:
            problem = f"expected rows of cells; got line {lines.line_num:,}, which is none: {error}"
            raise ScheduleError(self.where, problem) from None


def _csv_columns(lines: _Lines, names: tuple[str, ...], chosen: tuple[str, str]) -> tuple[list[Any], list[Any]]:
    """The cells of two columns. Names that stand below again, where logs were joined, are no row."""
    pick = operator.itemgetter(*(names.index(name) for name in chosen))
    try:
        cells = list(itertools.chain.from_iterable(map(pick, lines.cells())))
    except IndexError:
        rest = [""] * len(names)
        cells = list(itertools.chain.from_iterable(pick(line + rest) for line in lines.cells()))
    steps, rates = cells[::2], cells[1::2]
    if chosen[1] in rates:
        rows = [rate != chosen[1] for rate in rates]
        return list(itertools.compress(steps, rows)), list(itertools.compress(rates, rows))
    return steps, rates


def _no_table(text: str, names: tuple[str, ...], where: str) -> ScheduleError:
    """Why a text is no table: it is a schedule file, or its first line does not name columns."""
    if re.search(r"^\s*kind\s*[=:]", text, re.MULTILINE):
        return _is_schedule(where)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        return ScheduleError(where, f"expected columns with names of their own; got {short(twice[0])} twice")
    return ScheduleError(where, f"expected {_KNOWN}; got text whose first line names no columns: {short(text[:60])}")


def _is_schedule(where: str) -> ScheduleError:
    return ScheduleError(where, f"expected a log ({_KNOWN}); got a schedule file; the log comes first")
