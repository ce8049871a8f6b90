"""A schedule with its table, as a value: what the classes share that frameworks call for a rate while they compile."""

from __future__ import annotations

from typing import Any, ClassVar

from lrcore.schedules.schedule import Schedule
from lrcore.tables.lowering import lower


class TabledSchedule:
    """A schedule and its table; an adapter's subclass says how the table is evaluated.

    Two of one class are equal if schedule and horizon are; it copies and pickles with these, and the table is made anew.

    Args:
        schedule: the schedule.
        horizon: the step from which its value is held; None if the table covers every step.

    Attributes:
        schedule: the schedule.
        horizon: the step from which its value is held.
        table: the table of its values in float32.
        where: the call that makes one, for messages.

    Raises:
        ScheduleError: no table can hold the schedule; see `lrcore.lower`.

    Example:
        >>> from lrcore import Constant
        >>> class InMine(TabledSchedule):
        ...     where = "mine.as_schedule"
        >>> InMine(Constant(0.1), None), InMine(Constant(0.1), None) == InMine(Constant(0.1), 9)
        (mine.as_schedule(Constant(value=0.1)), False)
    """

    where: ClassVar[str]

    def __init__(self, schedule: Schedule, horizon: int | None) -> None:
        self.schedule = schedule
        self.horizon = horizon
        self.table = lower(schedule, horizon)

    def __reduce__(self) -> Any:
        return type(self), (self.schedule, self.horizon)

    def __eq__(self, other: object) -> bool:
        """Whether class, schedule and horizon are equal."""
        return isinstance(other, TabledSchedule) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    def __repr__(self) -> str:
        horizon = "" if self.horizon is None else f", horizon={self.horizon}"
        return f"{self.where}({self.schedule!r}{horizon})"
