"""What a user gave to `check` or `diff`, with its own words and what is known of its run."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from lrcore.files.reader import Reading, read, read_dict
from lrcore.mismatches import description
from lrcore.runs.run import Run, layered
from lrcore.sources import as_schedule_or_plateau, plain_copy


def reading_of(given: Any, run: Run | Mapping[str, Any] | None, where: str) -> tuple[str, Reading]:
    """The name of a source and what it holds.

    Args:
        given: a schedule, or a file, a text, a dict or a function that an adapter takes for one.
        run: what is known of the run.
        where: what a source without a file is called.

    Raises:
        ScheduleError: it is no schedule.

    Example:
        >>> name, reading = reading_of({"kind": "constant", "value": 0.1}, {"total": 10}, "first")
        >>> name, reading.schedule, reading.run
        ('first', Constant(value=0.1), Run(total=10))
    """
    if isinstance(given, PathLike) or (isinstance(given, str) and "\n" not in given and not given.startswith("{")):
        return fspath(given), read(given, run=run)
    if isinstance(given, Mapping):
        return where, read_dict(plain_copy(given), run=run)
    loaded = as_schedule_or_plateau(given, where=where)
    return where, Reading(loaded, [], description(loaded), Run() if run is None else layered(run, None))
