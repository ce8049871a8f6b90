"""What an adapter follows: schedules, with the state of a plateau among them; it changes only as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import inf
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from lrcore.errors import ScheduleError
from lrcore.records import short
from lrcore.schedules.plateau import Plateau, PlateauState, report_due, warn_of_no_report
from lrcore.schedules.schedule import Schedule
from lrcore.sources import as_schedule, as_schedule_or_plateau
from lrcore.state import Policy, load_state, save_state


class Follower(Struct, frozen=True, dict=True):
    """The schedules that an adapter follows, and what their plateau remembers.

    A follower does not change: what would change it returns a new one. An adapter evaluates the new follower first and
    keeps it then, so that a schedule that fails leaves the adapter as it was.

    Attributes:
        schedule: one schedule or plateau; or a list or a dict of them.
        plateau_state: the state of the plateau; None without one.
        report_due: the step from which `remind` warns that the plateau was told no metric; infinite if it need not.

    Example:
        >>> from lrcore import Constant, Plateau
        >>> follower = Follower.of(Plateau(Constant(0.1), factor=0.5, patience=0), "adapter")
        >>> told = follower.told(0.7, "adapter").told(0.7, "adapter")
        >>> follower.at(3), told.at(3)
        (0.1, 0.05)
    """

    schedule: Any
    plateau_state: PlateauState | None = None
    report_due: float = inf

    @classmethod
    def of(cls, given: Any, where: str, *, several: bool = False) -> Follower:
        """A follower of what a user gave, at its beginning.

        Args:
            given: what `as_schedule` takes, or a `Plateau`.
            where: the argument, for messages.
            several: whether a list, with a schedule for each group, may be given instead.

        Raises:
            ScheduleError: it is none of these, or an empty list.
        """
        if several and isinstance(given, Sequence) and not isinstance(given, str):
            if not given:
                raise ScheduleError(where, "expected one schedule for each parameter group; got none")
            return cls([as_schedule(one, where=f"{where}[{number}]") for number, one in enumerate(given)])
        return cls.beginning(as_schedule_or_plateau(given, where=where))

    @classmethod
    def beginning(cls, schedule: Any, step: int = 0) -> Follower:
        """A follower of lrcore's own objects, whose plateau was told nothing yet.

        Args:
            schedule: a schedule or a plateau; or a list or a dict of them.
            step: updates already made.
        """
        plateau = _plateau_in(schedule)
        return cls(schedule) if plateau is None else cls(schedule, plateau.initial(), report_due(step))

    @property
    def plateau(self) -> Plateau | None:
        """The plateau, by itself or in a dict; None without one."""
        return _plateau_in(self.schedule)

    @cached_property
    def functions(self) -> tuple[Callable[[int], float], ...]:
        """The rate as a function of the step, one for each schedule of a list, and no dict; it does not check the step."""
        schedules = self.schedule if isinstance(self.schedule, list) else [self.schedule]
        return tuple(_rate_function(one, self.plateau_state) for one in schedules)

    @property
    def at(self) -> Callable[[int], float]:
        """The rate as a function of the step, where one schedule or plateau is followed."""
        return self.functions[0]

    def told(self, metric: Any, where: str) -> Follower:
        """The follower after its plateau is told a metric.

        Raises:
            ScheduleError: there is no plateau, or the metric is not one number.
        """
        plateau, state = self.plateau, self.plateau_state
        if plateau is None or state is None:
            raise ScheduleError(
                f"{where}.report", f"expected a lrcore.Plateau, which alone uses metrics; got {self.schedule!r}"
            )
        return Follower(self.schedule, plateau.update(state, metric))

    def counting_from(self, step: int) -> Follower:
        """The follower where training begins at another step: `remind` counts from there."""
        return self if self.report_due == inf else replace(self, report_due=report_due(step))

    def remind(self, step: int, where: str, call: str) -> Follower:
        """Warn, if 10,000 updates were made and the plateau was told no metric; the follower returned warns no more.

        Args:
            step: updates made.
            where: the adapter.
            call: how a metric is reported there.
        """
        if step < self.report_due:
            return self
        warn_of_no_report(where, call)
        return replace(self, report_due=inf)

    def state(self, step: int) -> dict[str, int | str]:
        """The state of the run after `step` updates: see `lrcore.save_state`."""
        return save_state(step, self.schedule, None if self.plateau_state is None else self.plateau_state.to_dict())

    def loaded(self, state: Any, on_mismatch: Policy, where: str, *, several: bool = False) -> tuple[Follower, int]:
        """Read a state, and return the follower to go on with and the updates already made.

        Args:
            state: what `state` of any adapter returned.
            on_mismatch: which schedules go on where they differ: see `lrcore.load_state`.
            where: the adapter, for messages.
            several: whether the adapter can go on with a list or a dict where one schedule is followed.

        Raises:
            ScheduleError: as `lrcore.load_state`; or the state is one of several schedules where one is followed.
        """
        found = load_state(state, self.schedule, on_mismatch, where)
        if not several and _is_one(self.schedule) and not _is_one(found.schedule):
            raise ScheduleError(where, f"expected a state of one schedule, as configured; got {short(found.schedule)}")
        begun = Follower.beginning(found.schedule, found.step)
        if begun.plateau_state is None or found.plateau is None:
            return begun, found.step
        told = PlateauState.from_dict(found.plateau, where)
        return Follower(found.schedule, told, report_due(found.step, told)), found.step


def _is_one(schedule: Any) -> bool:
    return isinstance(schedule, (Schedule, Plateau))


def _plateau_in(schedule: Any) -> Plateau | None:
    if isinstance(schedule, Plateau):
        return schedule
    parts = schedule.values() if isinstance(schedule, Mapping) else ()
    return next((one for one in parts if isinstance(one, Plateau)), None)


def _rate_function(schedule: Schedule | Plateau, state: PlateauState | None) -> Callable[[int], float]:
    if isinstance(schedule, Schedule):
        return schedule.at
    at, scale = schedule.schedule.at, 1.0 if state is None else state.scale
    return lambda step: at(step) * scale
