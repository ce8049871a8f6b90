"""How two schedules differ: the first update, the largest difference, and the fields in the words of the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lrcore.checks.readings import reading_of
from lrcore.compare import Difference, first_difference, largest_difference
from lrcore.files.reader import Reading
from lrcore.mismatches import ChangedField, changed_fields
from lrcore.runs.run import Run
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.sources import Source

TOLERANCE = 1e-14
"""The part of a value by which two schedules may differ and still count as equal."""
_NO_FIELDS = ("format", "$schema")  # of a file, which say nothing about the schedule


@dataclass(frozen=True)
class Side:
    """One of two schedules that are compared.

    Attributes:
        name: what it is called: a file, or "first" and "second".
        schedule: the schedule, without a plateau around it.
        words: its description as its file has it.
    """

    name: str
    schedule: Schedule = field(repr=False)
    words: Any = field(repr=False)


@dataclass(frozen=True)
class Diff:
    """How two schedules differ; `str` of it is what `lrcore diff` prints.

    Attributes:
        first: one schedule.
        second: the other.
        start: the first update at which they differ, with both values; where `found` is false, the update up to which
            no difference was found, but equality could not be shown. None where they are equal at every update.
        largest: the update at which they are furthest apart, with both values; None where no difference was found.
        fields: the fields in which the descriptions differ.
    """

    first: Side
    second: Side
    start: Difference | None
    largest: Difference | None
    fields: tuple[ChangedField, ...]

    @property
    def equal(self) -> bool:
        """Whether both have the same rate at every update, and the same plateau."""
        return self.start is None and not any(one.place.startswith("plateau") for one in self.fields)

    @property
    def exit_status(self) -> int:
        """0 where they are equal, 1 where they differ or could not be shown to be equal, as of the command diff."""
        return 0 if self.equal else 1

    def __str__(self) -> str:
        return "\n".join([*self._sentences(), *(self._words(one) for one in self.fields)])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        places = {"start": self.start, "largest": self.largest}
        return {
            "equal": self.equal,
            **{
                name: None if one is None else {"update": one.step, "first": one.first, "second": one.second}
                for name, one in places.items()
            },
            "fields": [one._asdict() for one in self.fields],
        }

    def _sentences(self) -> Iterator[str]:
        if self.start is None:
            yield "Both have the same rate at every update."
        elif not self.start.found:
            yield f"No difference was found before update {self.start.step:,}; that none follows could not be shown."
        else:
            yield f"They differ first at update {self._at(self.start)}."
            if self.largest is not None and self.largest.step != self.start.step:
                yield f"They are furthest apart at update {self._at(self.largest)}."

    def _at(self, place: Difference) -> str:
        return f"{place.step:,}: {place.first!r} in {self.first.name}, {place.second!r} in {self.second.name}"

    def _words(self, one: ChangedField) -> str:
        return one.words(f"in {self.first.name}", f"in {self.second.name}")


def diff(first: Source | Plateau, second: Source | Plateau, *, run: Run | Mapping[str, Any] | None = None) -> Diff:
    """How two schedules differ, at every update and in the words of their files.

    Args:
        first: a schedule, or a file, a text, a dict or a function that an adapter takes for one.
        second: another.
        run: what is known of the run, for files whose lengths are texts.

    Raises:
        ScheduleError: one of them is no schedule.

    Example:
        >>> from lrcore import Linear
        >>> print(diff(Linear(init_value=1.0, decay_steps=4), Linear(init_value=1.0, decay_steps=5)))
        They differ first at update 1: 0.75 in first, 0.8 in second.
        They are furthest apart at update 4: 0.0 in first, 0.2 in second.
        decay_steps: 4 in first, 5 in second
    """
    sides = (side(*reading_of(given, run, name)) for given, name in ((first, "first"), (second, "second")))
    return compared(*sides)


def compared(first: Side, second: Side) -> Diff:
    """How two sides differ.

    Example:
        >>> from lrcore import Constant
        >>> side = Side("one", Constant(0.1), {"kind": "constant", "value": 0.1})
        >>> compared(side, side).equal
        True
    """
    start = first_difference(first.schedule, second.schedule, TOLERANCE)
    largest = largest_difference(first.schedule, second.schedule) if start and start.found else None
    fields = (one for one in changed_fields(first.words, second.words) if one.place not in _NO_FIELDS)
    return Diff(first, second, start, largest, tuple(fields))


def side(name: str, reading: Reading) -> Side:
    """One side of a comparison, of what a file holds."""
    loaded = reading.schedule
    return Side(name, loaded.schedule if isinstance(loaded, Plateau) else loaded, reading.table)
