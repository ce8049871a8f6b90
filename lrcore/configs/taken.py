"""What an importer takes from a trainer's configuration."""

from __future__ import annotations

from dataclasses import dataclass, field

from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule


@dataclass(frozen=True)
class Taken:
    """The schedule that a trainer applies, and what else its configuration says.

    Attributes:
        schedule: the learning rate: a `Schedule`, or a `Plateau` where the trainer lowers the rate by a metric.
        also: schedules of other numbers, such as `weight_decay` and `momentum`.
        groups: what the configuration gives to parts of the network, by their name: a schedule of their own, or a number that
            multiplies the schedule.
        notes: sentences: options of the scheduler that were not used, where the trainer differs past the end of the run, what
            was taken for granted.
    """

    schedule: Schedule | Plateau
    also: dict[str, Schedule] = field(default_factory=dict)
    groups: dict[str, Schedule | float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
