"""A schedule that gives every point of a log, and what its numbers cost."""

from __future__ import annotations

from dataclasses import dataclass

from lrcore.schedules.schedule import Schedule


@dataclass(frozen=True)
class Answer:
    """A schedule that gives every point of a log.

    Attributes:
        schedule: the schedule.
        lag: row n of the log shows the rate of update n - lag.
        price: what its numbers cost, in bits.
        notes: what the log leaves open, a sentence each.
    """

    schedule: Schedule
    lag: int
    price: float
    notes: tuple[str, ...] = ()


def priced(schedule: Schedule, lag: int, notes: tuple[str, ...] = ()) -> Answer:
    """The answer with its price."""
    return Answer(schedule, lag, price_of(schedule), notes)


def price_of(schedule: Schedule) -> float:
    """The bits of all numbers in a schedule's description: those that people choose have few digits and cost little.

    Example:
        >>> from lrcore import Cosine
        >>> price_of(Cosine(init_value=3e-4, decay_steps=1000)) < price_of(Cosine(init_value=3.1e-4, decay_steps=1001))
        True
    """
    return _price(schedule.to_dict())


def _price(part: object) -> float:
    if isinstance(part, dict):
        return 3.0 + sum(map(_price, part.values()))
    if isinstance(part, list):
        return sum(map(_price, part))
    if isinstance(part, bool) or not isinstance(part, int | float):
        return 1.0
    return _price_of_number(part)


def _price_of_number(number: float) -> float:
    """The bits of one number: 2 for its size, 3.3 for each digit that is not a zero at an end."""
    if number == 0:
        return 1.0
    digits = repr(float(number)).lstrip("-").split("e")[0].replace(".", "").strip("0")
    return 2.0 + 3.3 * len(digits)
