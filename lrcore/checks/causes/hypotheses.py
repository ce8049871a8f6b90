"""What may have gone wrong: a hypothesis says which rates the run would have had, what it costs, and its sentence."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore.checks.causes.rows import Rows
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    from lrcore.checks.causes.rows import Mask, Steps, Values

Rates = Callable[["Steps"], "Values"]


@dataclass(frozen=True, eq=False)
class Segment:
    """Rows that follow one clock.

    Attributes:
        first: the step of its first row, as the log counts.
        last: the step of its last row.
        offset: how many updates the schedule's clock is ahead; None where no clock explains the rows.
        words: what happened at its beginning.
    """

    first: int
    last: int
    offset: int | None
    words: str = ""


@dataclass(frozen=True, eq=False)
class Case:
    """What is asked: did these rows follow this schedule?

    Attributes:
        schedule: the schedule that was meant, without a plateau.
        rows: the rows of the log.
        factor: the factor of the plateau that was meant; None without one.
    """

    schedule: Schedule
    rows: Rows
    factor: float | None = None

    @cached_property
    def scheduled(self) -> Values:
        """The rate that was meant for each row."""
        return self.schedule.values(self.rows.updates)

    @cached_property
    def off(self) -> Mask:
        """The rows that the schedule does not fit."""
        return ~self.rows.fits(self.scheduled)

    @cached_property
    def first_off(self) -> int:
        """The first row that the schedule does not fit; the number of rows where it fits all."""
        return int(np.argmax(self.off)) if self.off.any() else len(self.off)

    @cached_property
    def sample(self) -> Steps:
        """The rows by which a hypothesis is soon out of the question."""
        return self.rows.sample(self.off)

    def survivors(self, candidates: Steps, curve: Callable[[Steps, int], Values]) -> Steps:
        """The candidates whose curve fits each row of the sample; `curve(candidates, update)` has one rate for each."""
        for row in _spread(self.sample):
            if not len(candidates):
                break
            shown = curve(candidates, int(self.rows.updates[row]))
            candidates = candidates[np.abs(shown - self.rows.values[row]) <= self.rows.loosest[row]]
        return candidates


def _spread(sample: Steps) -> Steps:
    """The rows of a sample, such that those that come first are far apart."""
    order = sorted(range(len(sample)), key=lambda number: (number * 0.618) % 1)
    return sample[order]


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One explanation of all rows.

    Attributes:
        cause: its word.
        cost: the price of its constants in bits.
        curve: the rate of each row.
        short: what it says in a few words, for a list.
        sentences: what it says, and what to do.
        constants: its numbers, for programs.
        segments: the parts of the log, where it has several.
        explained: the rows that it explains; None for all of them.
    """

    cause: str
    cost: float
    curve: Values
    short: str
    sentences: tuple[str, ...]
    constants: dict[str, Any] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    explained: Mask | None = None


def whole_bits(number: float, width: float = 1.0) -> float:
    """The price of a whole number, which is less where it is round, or where a whole interval of numbers fits."""
    size = abs(number)
    plain = math.log2(1 + size / max(width, 1.0))
    text = f"{size:.0f}".rstrip("0")
    return min(plain, 2 + 3.3 * len(text)) + 1


def real_bits(number: float, width: float) -> float:
    """The price of a real number: of its decimal digits, or of its place among the numbers that fit."""
    size = abs(number)
    if size == 0:
        return 2.0
    digits = len(f"{size:.15e}".partition("e")[0].replace(".", "").rstrip("0"))
    return min(4 + 3.3 * digits, MOST_REAL, 4 + math.log2(1 + size / max(width, size * 1e-15)))


MOST_REAL = 54.0


def counted(number: float) -> str:
    """A number of updates, with its thousands set apart; a real one as it is."""
    return f"{int(number):,}" if float(number).is_integer() else f"{number:g}"


def rate(value: float) -> str:
    """A rate in a sentence: few digits where they say it all."""
    return f"{value:.6g}"
