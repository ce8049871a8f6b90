"""Reads a log: chooses its columns, and states its clock and its precision."""

from __future__ import annotations

import contextlib
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from lrcore.checks.formats.digits import tolerances
from lrcore.checks.formats.log_files import Table, read_table
from lrcore.checks.log import Log
from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.records import short
from lrcore.runs.length import Length
from lrcore.runs.run import Run, layered

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Source: TypeAlias = str | PathLike[str] | Log | tuple[Any, Any]
Column: TypeAlias = str | tuple[str, str] | None

_LAGS = {"n": 0, "n-1": 1}
_STEP_NAMES = (
    "train/global_step",
    "trainer/global_step",
    "global_step",
    "num_updates",
    "step",
    "_step",
    "steps",
    "iteration",
    "iter",
    "update",
    "updates",
)
_RATE = re.compile(r"(?<![a-z])(lr|learning[ _-]?rates?)(?![a-z])")
# LearningRateMonitor's other columns, the ranges of W&B, and what Keras repeats for the validation.
_NO_RATE = re.compile(r"momentum|decay|__min$|__max$|(^|/)val_")
_HOLES = {"", "nan", "na", "null", "none"}
_SHOWN = 8  # names in an error
_PAIR = "expected the path of a log, or a pair of the steps and the rates"


def read_log(
    source: Source,
    *,
    column: Column = None,
    clock: str | None = None,
    run: Run | Mapping[str, Any] | None = None,
) -> Log:
    """The rates that a run wrote down, from a file or from two arrays.

    A file is recognised by what it holds: trainer_state.json of transformers; CSV by Lightning, by Keras' CSVLogger, and
    as W&B and TensorBoard export it; JSON, by lines or whole; an event file of TensorBoard or a folder of them.

    Args:
        source: the file or folder, or a pair of arrays, the steps and the rates; a `Log` stays as it is, but for its clock.
        column: the name of the column of rates, where there are several; or the names of the columns of steps and of rates.
        clock: "n" where row n shows the rate of update n, counted from 0; "n-1" where it shows the one of the update before.
            What is not given is taken from the format, or fitted later.
        run: what is known of the run, for a log of epochs: the updates of an epoch.

    Raises:
        ScheduleError: the file cannot be read, it is no log, or the columns are not clear without a name.
        MissingExtraError: TensorBoard's files without the package tensorboard.

    Example:
        >>> log = read_log(([0, 1, 2], [0.1, 0.05, float("nan")]))
        >>> log.steps.tolist(), log.values.tolist(), log.notes
        ([0, 1], [0.1, 0.05], ('1 of 3 rows has no rate and is left out.',))
    """
    where = _where(source)
    lag = _lag(clock, where)
    if isinstance(source, Log):
        return source if lag is None else replace(source, lag=lag)
    if isinstance(source, (str, PathLike)):
        table = read_table(Path(source))
        chosen = _columns(table, column)
    elif column is None:
        table, chosen = _pair(source), _Columns("steps", "rates")
    else:
        raise ScheduleError(where, f"expected no column beside two arrays; got {short(column)}")
    return _log(table, chosen, chosen.lag if lag is None else lag, None if run is None else layered(run, None))


@dataclass(frozen=True)
class _Columns:
    """The two columns that are read, and what their names tell.

    Attributes:
        steps: the name of the column of steps.
        rates: the name of the column of rates.
        lag: as in `Log`.
        epochs: whether the steps are epochs.
        notes: sentences.
    """

    steps: str
    rates: str
    lag: int | None = None
    epochs: bool = False
    notes: tuple[str, ...] = ()


def _where(source: Any) -> str:
    if isinstance(source, Log):
        return source.where
    return fspath(source) if isinstance(source, (str, PathLike)) else "log"


def _lag(clock: Any, where: str) -> int | None:
    if clock is None:
        return None
    if clock not in _LAGS:
        raise ScheduleError(where, f"expected a clock that is 'n' or 'n-1'; got {short(clock)}")
    return _LAGS[clock]


# --- columns ----------------------------------------------------------------------------------------------------------


def _columns(table: Table, column: Column) -> _Columns:
    """The columns of steps and of rates, by their names."""
    if isinstance(column, tuple):
        steps, rates = (_named(table, name) for name in column)
        return _Columns(steps, rates)
    rates = _rate_column(table) if column is None else _named(table, column)
    steps, notes = _step_column(table, rates)
    per_epoch = rates.rpartition("/")[2].startswith("epoch_") and table.epochs_in_tags
    used = rates.startswith("used_") or "_used_" in rates
    lag = 0 if rates.startswith("lr-") else 1 if used else None  # LearningRateMonitor; LRLogger of lrcore_keras
    return _Columns(steps, rates, lag, epochs=steps.lower() == "epoch" or per_epoch, notes=notes)


def _named(table: Table, name: str) -> str:
    """A column that was named, which has to be there."""
    if name not in table.names:
        raise ScheduleError(
            table.where, f"expected a column {short(name)}; got {_listed(table.names)}{did_you_mean(name, table.names)}"
        )
    return name


def _rate_column(table: Table) -> str:
    """The column of rates, if one alone can be it."""
    if table.rates:
        return table.rates
    found = [name for name in table.names if _RATE.search(name.lower()) and not _NO_RATE.search(name.lower())]
    if len(found) == 2 and found[1].replace("used_", "") == found[0]:  # LRLogger writes one rate under two names
        return found[1]
    if len(found) == 1:
        return found[0]
    if found:
        raise ScheduleError(
            table.where, f"expected one column of learning rates; got {_listed(found)}; name one as the column"
        )
    raise ScheduleError(
        table.where, f"expected a column of learning rates; got {_listed(table.names)}; {table.without_rates}"
    )


def _step_column(table: Table, rates: str) -> tuple[str, tuple[str, ...]]:
    """The column of steps, else of epochs, and a note where several could be it."""
    by_name = {name.lower(): name for name in reversed(table.names) if name != rates}
    found = [by_name[name] for name in (*_STEP_NAMES, "epoch") if name in by_name]
    if not found:
        raise ScheduleError(
            table.where,
            f"expected a column of steps; got {_listed(table.names)}; name both columns, that of the steps and that of the rates",
        )
    others = [name for name in found[1:] if name.lower() != "epoch"]
    note = f"The steps are those of column {found[0]}, not of {' or '.join(others)}."
    return found[0], (note,) if others else ()


def _listed(names: Sequence[str]) -> str:
    shown = [*names[:_SHOWN], *([f"{len(names) - _SHOWN} more"] if len(names) > _SHOWN else [])]
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)


def _pair(source: Any) -> Table:
    """A pair of arrays as a table."""
    if isinstance(source, (bytes, Mapping)) or not hasattr(source, "__len__") or len(source) != 2:
        raise ScheduleError("log", f"{_PAIR}; got {short(source)}")
    steps, rates = map(_cells, source)
    if len(steps) != len(rates):
        raise ScheduleError(
            "log", f"expected as many rates as steps; got {len(steps):,} steps and {len(rates):,} rates"
        )
    return Table("log", ("steps", "rates"), lambda *_: (steps, rates))


def _cells(column: Any) -> list[Any]:
    import numpy as np

    try:
        array = np.asarray(column)
    except Exception:  # noqa: BLE001 - ragged lists, and tensors that numpy cannot convert
        array = np.asarray(None)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iufO"):
        raise ScheduleError("log", f"{_PAIR}; got {short(column)}")
    cells: list[Any] = array.tolist()
    return cells


# --- numbers ----------------------------------------------------------------------------------------------------------


def _log(table: Table, chosen: _Columns, lag: int | None, run: Run | None) -> Log:
    """The log that two columns give."""
    import numpy as np

    cells = table.columns(chosen.steps, chosen.rates)
    if not cells[0]:
        raise ScheduleError(table.where, "expected a log of learning rates; got no row")
    places = _numbers(cells[0], chosen.steps, table.where)
    values = _numbers(cells[1], chosen.rates, table.where)
    kept = np.isfinite(values) & np.isfinite(places)
    if not kept.any():
        lacks = chosen.rates if not np.isfinite(values).any() else chosen.steps
        raise ScheduleError(table.where, f"expected numbers in column {lacks}; got {len(values):,} rows without one")
    written = itertools.compress(cells[1], kept.tolist())
    widths, precision = tolerances(values[kept], written)
    steps, counting = _steps(places[kept], chosen, table.where, run)
    notes = [*table.notes, *chosen.notes, *counting, *_left_out(values, places), *([precision] if precision else [])]
    epoch = _epoch(steps) if chosen.epochs and not (places[kept] % 1).any() else None
    return Log(table.where, steps, values[kept], widths, lag, tuple(notes), epoch)


def _epoch(steps: NDArray[np.int64]) -> int:
    """The updates of an epoch, from those that were made at the end of each."""
    import numpy as np

    return int(np.diff(np.unique(np.append(steps, 0))).min(initial=int(steps.max())))


def _numbers(cells: list[Any], name: str, where: str) -> NDArray[np.float64]:
    """The numbers of a column; NaN where there is none."""
    import numpy as np

    if bool not in set(map(type, cells)):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            return np.array(list(map(float, cells)))
    return np.array([_number(cell, row, name, where) for row, cell in enumerate(cells, 1)])


def _number(cell: Any, row: int, name: str, where: str) -> float:
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in _HOLES):
        return math.nan
    problem = f"expected numbers in column {name}; got {short(cell)} in row {row:,}"
    if isinstance(cell, bool):
        raise ScheduleError(where, problem)
    try:
        return float(cell)
    except (TypeError, ValueError, OverflowError):
        raise ScheduleError(where, problem) from None


def _left_out(values: NDArray[np.float64], places: NDArray[np.float64]) -> Iterator[str]:
    """Notes about the rows that lack a number."""
    import numpy as np

    rates, steps = np.isfinite(values), np.isfinite(places)
    for count, what in ((int((~rates).sum()), "rate"), (int((rates & ~steps).sum()), "step")):
        if count:
            rest = f"has no {what} and is left out" if count == 1 else f"have no {what} and are left out"
            yield f"{count:,} of {len(values):,} rows {rest}."


def _steps(
    places: NDArray[np.float64], chosen: _Columns, where: str, run: Run | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """The steps as whole numbers, and a note on how epochs were counted."""
    import numpy as np

    notes: tuple[str, ...] = ()
    if chosen.epochs:
        places, note = _updates(places, chosen.steps, where, run)
        notes = (note,)
    wrong = np.flatnonzero((places != np.floor(places)) | (places < 0) | (places > LAST_STEP))
    if wrong.size:
        found = float(places[wrong[0]])
        raise ScheduleError(where, f"expected whole steps from 0 to 2**53 in column {chosen.steps}; got {found!r}")
    return places.astype(np.int64), notes


def _updates(epochs: NDArray[np.float64], name: str, where: str, run: Run | None) -> tuple[NDArray[np.float64], str]:
    """The updates that were made when each row of a log of epochs was written, and how the epochs are counted."""
    import numpy as np

    if run is None:
        problem = f"expected steps; got epochs, in column {name}; give the run, Run(updates_per_epoch=...)"
        raise ScheduleError(where, problem)
    whole = not (epochs % 1).any()
    before = 1 if whole and epochs.min() != 1 else 0  # epoch 0 is written when one epoch is over
    numbers, back = np.unique(epochs, return_inverse=True)
    made = [_updates_after(Fraction(float(number)) + before, where, run) for number in numbers]
    note = f"Epochs are counted from {1 - before}." if whole else "A part of an epoch is the same part of its updates."
    return np.array(made, dtype=np.float64)[back], note


def _updates_after(epochs: Fraction, where: str, run: Run) -> int:
    return run.rounded(run.after(Fraction(0), Length(epochs, "epochs", f"{float(epochs):g} epochs"), where))
