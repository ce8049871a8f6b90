"""What an adapter takes as a schedule: a schedule, a function of the step, or a file, a text or a dict that describes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, TypeAlias

from lrcore.errors import ScheduleError
from lrcore.files.reader import from_dict, load, read_text
from lrcore.records import short
from lrcore.schedules.kinds import as_schedule as _checked_schedule
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import DEEPEST, Schedule

Source: TypeAlias = Schedule | Callable[[int], float] | Mapping[str, Any] | str | PathLike[str]
"""What `as_schedule` takes. A mapping comes before str, as jsonargparse takes the first type that fits, and anything fits str."""


def as_schedule(given: Source, horizon: int | None = None, where: str = "schedule") -> Schedule:
    """The schedule that a user gave to an adapter, in any of its forms.

    Args:
        given: a schedule; a Python function of the step, which becomes a `Function`; the path of a schedule file; the text
            of one, which begins with "{" or has several lines; or a dict that describes a schedule, such as a part of a
            configuration.
        horizon: for a function: the step from which its value is held, as in `Function`.
        where: the argument, for messages.

    Raises:
        ScheduleError: it is none of these; the file, text or dict has a mistake, or describes a plateau.

    Example:
        >>> as_schedule(lambda step: 0.1 / (step + 1))(1)
        0.05
        >>> as_schedule({"kind": "constant", "value": 0.1})
        Constant(value=0.1)
    """
    schedule = as_schedule_or_plateau(given, horizon, where)
    if isinstance(schedule, Plateau):
        raise ScheduleError(where, f"expected a schedule; got {schedule!r}, which needs a metric")
    return schedule


def as_schedule_or_plateau(
    given: Source | Plateau, horizon: int | None = None, where: str = "schedule"
) -> Schedule | Plateau:
    """The schedule or the plateau that a user gave to an adapter; see `as_schedule`.

    Raises:
        ScheduleError: as `as_schedule`, which refuses a plateau besides.

    Example:
        >>> text = '{"kind": "constant", "value": 0.1, "plateau": {"patience": 3}}'
        >>> as_schedule_or_plateau(text).patience
        3
    """
    if isinstance(given, (Schedule, Plateau)):
        return given
    try:
        if isinstance(given, Mapping):
            return from_dict(plain_copy(given))
        if isinstance(given, str) and (given.lstrip().startswith("{") or "\n" in given):
            return read_text(given)
        if isinstance(given, (str, PathLike)):
            return load(given)
    except ScheduleError as error:
        raise ScheduleError(where, str(error)) from None
    except RecursionError:
        raise ScheduleError(where, f"expected at most {DEEPEST} schedules inside one another; got more") from None
    if isinstance(given, type) or not callable(given):
        raise ScheduleError(
            where,
            "expected a lrcore schedule, a function of the step, or the path, the text or the dict of a schedule file; got "
            f"{short(given)}",
        )
    return _checked_schedule(given, horizon)


def plain_copy(given: Any) -> Any:
    """Copy the mappings and sequences of a configuration library, such as OmegaConf, to dicts and lists."""
    if isinstance(given, Mapping):
        return {key: plain_copy(value) for key, value in given.items()}
    if isinstance(given, Sequence) and not isinstance(given, str):
        return [plain_copy(value) for value in given]
    return given
