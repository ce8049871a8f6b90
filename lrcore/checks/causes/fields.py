"""Finds the one number of a description that, changed, would give the log's rates.

At a single row the rate is a function of the number. A grid of numbers brackets where this function passes the logged rate,
bisection finds the place, and all rows then say which numbers around it fit: an interval, of which the shortest is taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lrcore.checks.causes.clocks import shortest
from lrcore.checks.causes.descriptions import Family, families
from lrcore.checks.causes.hypotheses import Case, Hypothesis, counted, real_bits, whole_bits
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    from lrcore.checks.causes.rows import Mask, Steps, Values

_COARSE = 4  # numbers that show which rows depend on the field
_BRACKETS = 2  # that are looked into
_REFINEMENTS = 60
_LONGEST = 2.0**40  # a length beyond all runs


@dataclass(frozen=True, eq=False)
class Changed:
    """A schedule with another number, and the numbers that fit as well.

    Attributes:
        family: which number.
        value: the number.
        low: the smallest that fits.
        high: the largest.
        schedule: the schedule with `value`.
        closer: what the log would need to tell the number.
    """

    family: Family
    value: float
    low: float
    high: float
    schedule: Schedule
    closer: str = "closer points"

    @property
    def cost(self) -> float:
        """The price of the number in bits."""
        width = self.high - self.low + (1 if self.family.whole else 0)
        return whole_bits(self.value, width) if self.family.whole else real_bits(self.value, width)

    @property
    def sentence(self) -> str:
        """The number in the file's own words, beside the one that was meant."""
        family = self.family
        words = f"{family.place} is {self.shown()}, not {_number(family.was, family.whole)}"
        if family.also is not None:
            place, add = family.also
            if family.place == "total_steps":
                words += f" ({place} is {self.shown(add)}, not {_number(family.was + add, whole=True)})"
            else:
                words += ", with its end kept" if place == "cooldown.start" else ", with total_steps as planned"
        return words + (f"; the log has no {self.closer}." if self.high > self.low and family.whole else ".")

    def shown(self, add: float = 0.0) -> str:
        """The number, or the interval of whole numbers that fit."""
        low, high, whole = self.low + add, self.high + add, self.family.whole
        if not whole or low == high:
            return _number(self.value + add, whole)
        return (
            f"at least {_number(low, whole)}"
            if high > _LONGEST / 2
            else f"between {_number(low, whole)} and {_number(high, whole)}"
        )


def _number(value: float, whole: bool) -> str:
    return counted(value) if whole else f"{value:.10g}"


def field(case: Case) -> Iterator[Hypothesis]:
    """One number of the file changed."""
    every = list(families(case.schedule))
    for family in every:
        for changed in changes(case, family):
            curve = changed.schedule.values(case.rows.updates)
            yield Hypothesis(
                "field",
                4 + np.log2(len(every)) + changed.cost,
                curve,
                f"{family.place} = {changed.shown()}",
                (changed.sentence, _advice(changed)),
                {
                    "place": family.place,
                    "was": family.was,
                    "is": changed.value,
                    "low": changed.low,
                    "high": changed.high,
                },
            )


def _advice(changed: Changed) -> str:
    if changed.family.place in ("total_steps", "decay_steps") and changed.value < changed.family.was:
        return "The schedule is over before the run is: give it the run's own length."
    return f"Give the trainer {changed.family.place} = {_number(changed.family.was, changed.family.whole)}, or correct the file."


def changes(case: Case, family: Family, rows: Mask | None = None) -> Iterator[Changed]:
    """The numbers with which the schedule fits all rows, or those of a mask."""
    solver = _Solver(case, family, rows)
    found = solver.affine()
    if found is None:
        found = solver.bracketed()
    if found is not None:
        yield found


class _Solver:
    """One search: for a number of one family that fits the rows of one case."""

    def __init__(self, case: Case, family: Family, where: Mask | None) -> None:
        self.case, self.family = case, family
        self.where = np.ones(len(case.off), dtype=bool) if where is None else where
        few = case.sample if where is None else case.rows.sample(case.off & where)
        self.few = few[self.where[few]]
        self.updates, self.logged = case.rows.updates[self.few], case.rows.values[self.few]
        self.widths = case.rows.loosest[self.few]

    def at(self, number: float, updates: Steps) -> Values | None:
        """The rates with a number; None where no schedule has it."""
        schedule = self.family.make(number)
        return None if schedule is None else schedule.values(updates)

    def affine(self) -> Changed | None:
        """A number that the rates depend on in a straight line, as they do on most end values: all rows give an interval."""
        family = self.family
        if family.whole or family.length or not len(self.few):
            return None
        unit = family.was or self.case.rows.peak or 1.0
        lines = [self.at(number, self.updates) for number in (0.0, unit, 2 * unit)]
        if any(line is None for line in lines):
            return None
        zero, one, two = (np.asarray(line) for line in lines)
        if np.any(np.abs(two - 2 * one + zero) > 1e-12 * max(1e-300, float(np.abs(two).max()))):
            return None
        updates = self.case.rows.updates[self.where]
        start, end = self.at(0.0, updates), self.at(unit, updates)
        assert start is not None
        assert end is not None
        return self.in_interval(start, (end - start) / unit, 0.0)

    def in_interval(self, base: Values, slopes: Values, number: float) -> Changed | None:
        """The shortest number at which rates base + slopes (x - number) fit, in the strictest reading that has one."""
        rows = self.case.rows
        logged = rows.values[self.where]
        moving = np.abs(slopes) > 1e-12 * np.abs(slopes).max(initial=0.0)
        if not moving.any():
            return None
        for widths in rows.widths:
            width = widths[self.where]
            if np.any(np.abs(logged - base)[~moving] > 2 * width[~moving]):
                continue
            ends = [(logged + sign * width - base)[moving] / slopes[moving] for sign in (-1, 1)]
            low, high = (float(one) + number for one in (np.minimum(*ends).max(), np.maximum(*ends).min()))
            if low > high:
                continue
            for value in (shortest(low, high), (low + high) / 2):
                found = self.checked(value, low, high)
                if found is not None:
                    return found
        return None

    def checked(self, value: float, low: float, high: float) -> Changed | None:
        schedule = self.family.make(value)
        if schedule is None or value == self.family.was:
            return None
        if self.case.rows.level(schedule.values(self.case.rows.updates), self.where) is None:
            return None
        return Changed(self.family, value, low, high, schedule, self.closer(low, high))

    def closer(self, low: float, high: float) -> str:
        """What would tell the numbers of an interval apart: more digits, if both ends give other rates at the rows."""
        if not self.family.whole or low == high:
            return "closer points"
        first, last = self.at(low, self.updates), self.at(high, self.updates)
        differ = first is not None and last is not None and not np.array_equal(first, last)
        written = bool((self.case.rows.log.tolerances[self.few] > 0).any())
        return "more digits" if differ and written else "closer points"

    # --- numbers that bend the curve ----------------------------------------------------------------------------------

    def bracketed(self) -> Changed | None:
        """Bracket the number on a grid, and refine the brackets that most rows agree on."""
        if not len(self.few):
            return None
        every = self.grid()
        if self.stiff(*self.table(every[:: max(1, len(every) // 5)] + every[-1:])):
            return None
        grid, table = self.table(every)
        if len(grid) < 2:
            return None
        near = np.abs(table) <= self.widths
        for number in np.flatnonzero(near.all(axis=1)).tolist():
            if grid[number] != self.family.was and (found := self.settled(float(grid[number]))):
                return found
        crossed = (np.sign(table[:-1]) != np.sign(table[1:])) | near[:-1] | near[1:]
        turned = (table[:-1] * table[1:] < 0) & ~near[:-1] & ~near[1:]
        votes = crossed.sum(axis=1) * turned.any(axis=1)
        for bracket in np.argsort(-votes, kind="stable")[:_BRACKETS].tolist():
            if votes[bracket] == 0:
                break
            size = np.abs(table[bracket + 1] - table[bracket]) / self.widths
            row = int(np.argmax(np.where(turned[bracket], size, -1.0)))
            ends = (float(table[bracket, row]), float(table[bracket + 1, row]))
            root = self.root(float(grid[bracket]), float(grid[bracket + 1]), row, ends)
            if root is not None and (found := self.settled(root)):
                return found
        return self.between(grid, table) if self.family.whole else None

    def stiff(self, numbers: Values, table: Values) -> bool:
        """Whether a row that is off does not depend on the number, by a few numbers on both sides of the one that was meant."""
        if len(numbers) < _COARSE or not numbers[0] < self.family.was < numbers[-1]:
            return False
        return bool(np.any((np.ptp(table, axis=0) <= self.widths) & (np.abs(table[0]) > 2 * self.widths)))

    def between(self, grid: Values, table: Values) -> Changed | None:
        """Bisect by all rows at once, as stairs need: below the number some rows are too low and none too high, or the reverse."""
        signs = np.sign(table) * (np.abs(table) > self.widths)
        sides = signs.max(axis=1) + signs.min(axis=1)
        mixed = (signs.max(axis=1) > 0) & (signs.min(axis=1) < 0)
        for bracket in np.flatnonzero((sides[:-1] * sides[1:] < 0) & ~mixed[:-1] & ~mixed[1:]).tolist()[:_BRACKETS]:
            low, high, below = float(grid[bracket]), float(grid[bracket + 1]), float(sides[bracket])
            while high - low > 1:
                middle = float(int((low + high) / 2))
                line = self.at(middle, self.updates)
                if line is None:
                    break
                apart = (line - self.logged) * (np.abs(line - self.logged) > self.widths)
                if not apart.any():
                    return self.whole_interval(middle)
                low, high = (middle, high) if apart[np.argmax(np.abs(apart))] * below > 0 else (low, middle)
        return None

    def table(self, grid: list[float]) -> tuple[Values, Values]:
        """The numbers that a schedule can have, and how far the rates with each are above the logged ones."""
        numbers, lines = [], []
        for number in grid:
            line = self.at(number, self.updates)
            if line is not None and np.all(np.isfinite(line)):
                numbers.append(number)
                lines.append(line - self.logged)
        return np.array(numbers), np.array(lines)

    def grid(self) -> list[float]:
        """Numbers around the one that was meant, and small ones."""
        was = float(self.family.was)
        if self.family.whole:
            least, last = float(self.family.least), float(self.case.rows.updates.max(initial=0)) + 1
            small = [least + one for one in (0, 1, 2, 3, 5, 8)]
            around = [was * 2 ** (power / 2) for power in range(-16, 17)]
            along = [last * 2 ** (power / 2) for power in range(-8, 5)]
            whole = {float(round(one)) for one in (*small, was - 1, was + 1, *around, *along)}
            return sorted(one for one in whole if one >= least)
        step = 2 if self.family.length else 4
        unit = was or self.case.rows.peak
        signs = (1,) if was else (-1, 1)
        return sorted({0.0, was, *(sign * unit * 2 ** (power / step) for sign in signs for power in range(-16, 17))})

    def root(self, low: float, high: float, row: int, ends: tuple[float, float]) -> float | None:
        """Close the bracket by false position, and by halves where that is slow."""
        updates, width = self.updates[row : row + 1], self.widths[row]
        below, above = ends
        for number in range(_REFINEMENTS):
            middle = (low + high) / 2 if number % 3 == 2 else low + (high - low) * below / (below - above)
            if self.family.whole:
                middle = min(max(float(round(middle)), low + 1), high - 1)
            if not low < middle < high:
                break
            line = self.at(middle, updates)
            if line is None:
                return None
            size = float(line[0] - self.logged[row])
            if abs(size) <= (width if self.family.whole else 1e-3 * width):
                return middle
            low, high, below, above = (
                (middle, high, size, above) if (size > 0) == (below > 0) else (low, middle, below, size)
            )
        return high if self.family.whole else (low + high) / 2

    def settled(self, number: float) -> Changed | None:
        """The numbers around one that fit all rows."""
        if self.family.whole:
            return self.whole_interval(number)
        return self.real_interval(number) or self.checked(number, number, number)

    def whole_interval(self, number: float) -> Changed | None:
        for value in (number, number - 1, number + 1):
            if value >= 0 and self.fits(value):
                low, high = self.edge(value, -1), self.edge(value, 1)
                best = self.roundest(low, high)
                return self.checked(best, low, high) or self.checked(value, low, high)
        return None

    def fits(self, value: float) -> bool:
        line = self.at(value, self.updates)
        return line is not None and bool(np.all(np.abs(line - self.logged) <= self.widths))

    def edge(self, value: float, sign: int) -> float:
        """The last whole number in one direction with which the sample fits."""
        step = 1.0
        while value + sign * step >= 0 and step < _LONGEST and self.fits(value + sign * step):
            value, step = value + sign * step, 2 * step
        while step >= 1:
            if value + sign * step >= 0 and self.fits(value + sign * step):
                value += sign * step
            step /= 2
        return value

    @staticmethod
    def roundest(low: float, high: float) -> float:
        return low if low == high else float(round(min(max(shortest(low, high), low), high)))

    def real_interval(self, number: float) -> Changed | None:
        """Straighten the curve at the root, and let all rows say which numbers fit."""
        updates = self.case.rows.updates[self.where]
        step = 1e-6 * (abs(number) or 1.0)
        base, other = self.at(number, updates), self.at(number + step, updates)
        if base is None or other is None:
            return None
        return self.in_interval(base, (other - base) / step, number)
