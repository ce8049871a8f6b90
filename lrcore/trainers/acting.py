"""Schedulers that act on the current rate one after another, as mmengine's do, as one schedule.

A factor multiplies the rate at some of its ticks, whatever the rate is. A curve takes the rate over at its beginning, and draws
it towards a floor of its own. The run is cut where one acts on the curve of another, which goes on from the changed rate.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import Constant, Join, Product, Shift
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import per_epoch

_MOST_PIECES = 100


@dataclass(frozen=True)
class Acting:
    """One scheduler of the list.

    Attributes:
        name: what it is called in messages.
        start: the update of its tick 0.
        period: updates in one tick.
        last: the last tick at which it acts.
        by_epoch: whether its ticks are epochs; it then acts after those whose ticks are updates.
        act: the rate after a tick, of the rate before it and the tick.
        ticks: the ticks at which it changes the rate, rising, if they are few.
    """

    name: str
    start: int
    period: int
    last: int
    by_epoch: bool
    act: Callable[[float, int], float]
    ticks: Sequence[int] | None = field(default=None, kw_only=True)

    def tick(self, update: int) -> int | None:
        """The tick of an update, if it acts there."""
        tick, rest = divmod(update - self.start, self.period)
        return tick if not rest and 0 <= tick <= self.last else None

    def next(self, update: int) -> float:
        """The first update after this one at which it acts."""
        after = max((update - self.start) // self.period + 1, 0)
        if self.ticks is not None:
            place = bisect_left(self.ticks, after)
            after = self.ticks[place] if place < len(self.ticks) else self.last + 1
        return self.start + after * self.period if after <= self.last else math.inf

    def entered(self, ticks: Schedule, update: int) -> Schedule:
        """A schedule of its ticks, by updates, from this update on."""
        updates = per_epoch(ticks, self.period)
        return Shift(updates, update - self.start) if update != self.start else updates


@dataclass(frozen=True)
class Factor(Acting):
    """A scheduler that multiplies; `curve` gives its factors so far, by ticks, times a scale."""

    curve: Callable[[float], Schedule] = field(kw_only=True)

    def over(self, update: int) -> bool:
        """Whether it has done all that it does."""
        return self.next(update) == math.inf

    def from_(self, update: int, scale: float) -> Schedule:
        """Its factors from this update on, the first of which is the scale."""
        if update >= self.start:
            reached = self.curve(1.0)(min((update - self.start) // self.period, self.last))
            return self.entered(self.curve(scale / reached if reached else 0.0), update)
        if self.curve(1.0)(0) == 1:
            return self.entered(self.curve(scale), update)
        return Join([Constant(scale), self.entered(self.curve(scale), self.start)], boundaries=[self.start - update])


@dataclass(frozen=True)
class Curve(Acting):
    """A scheduler that takes the rate over; `curve` gives its ticks if the rate is `value` at tick `tick`.

    `factor` is the same as a factor, where it is one since its floor is 0.
    """

    curve: Callable[[float, int], Schedule] = field(kw_only=True)
    factor: Factor | None = field(default=None, kw_only=True)

    def from_(self, update: int, value: float) -> Schedule:
        """What it makes of the rate from this update on."""
        return self.entered(self.curve(value, min((update - self.start) // self.period, self.last)), update)


def together(schedulers: Sequence[Acting], value: float, where: str) -> Schedule:
    """The schedule of all that act, in this order, on the rate `value`.

    Raises:
        ScheduleError: a factor and a curve with a floor act at each tick side by side, which no formula says.
    """
    schedulers = [_multiplying(one, schedulers) for one in schedulers]
    pieces: list[Schedule] = []
    boundaries: list[int] = []
    update: float = 0
    before = value
    while update < math.inf:
        value = _acted(schedulers, int(update), before)
        piece, until = _run(schedulers, int(update), value)
        if until <= update or len(pieces) >= _MOST_PIECES:
            raise ScheduleError(
                where,
                "expected schedulers that act one after another, or without a floor, so that they multiply; got "
                f"{_names(schedulers, int(update))} side by side, which have no formula together",
            )
        boundaries.append(int(update))
        pieces.append(piece)
        if until < math.inf:
            before = piece(int(until - update) - 1)
        update = until
    return pieces[0] if len(pieces) == 1 else Join(pieces, boundaries=boundaries[1:])


def _multiplying(one: Acting, schedulers: Sequence[Acting]) -> Acting:
    """A curve without a floor as a factor, where another scheduler acts in its time."""
    factor = one.factor if isinstance(one, Curve) else None
    beside = any(other is not one and _overlap(one, other) for other in schedulers)
    return factor if factor is not None and beside else one


def _overlap(one: Acting, other: Acting) -> bool:
    ends = (one.start + one.last * one.period, other.start + other.last * other.period)
    return one.start <= ends[1] and other.start <= ends[0]


def _acted(schedulers: Sequence[Acting], update: int, value: float) -> float:
    """The rate after all that act at this update: first those of single updates, then those of epochs; at 0 as listed."""
    order = schedulers if not update else sorted(schedulers, key=lambda one: one.by_epoch)
    for one in order:
        tick = one.tick(update)
        if tick is not None:
            value = one.act(value, tick)
    return value


def _run(schedulers: Sequence[Acting], update: int, value: float) -> tuple[Schedule, float]:
    """The longest piece from this update on that one formula says, and where it ends."""
    factors = [one for one in schedulers if isinstance(one, Factor) and not one.over(update)]
    curves = [one for one in schedulers if isinstance(one, Curve)]
    best, until = None, _next(curves, update)
    for curve in curves:
        others = _next([one for one in schedulers if one is not curve], update)
        if curve.start <= update and others > until:
            best, until = curve, others
    return (best.from_(update, value) if best else _product(factors, update, value)), until


def _next(schedulers: Iterable[Acting], update: int) -> float:
    return min((one.next(update) for one in schedulers), default=math.inf)


def _product(factors: Sequence[Factor], update: int, value: float) -> Schedule:
    if not factors:
        return Constant(value)
    first, *rest = factors
    parts = [first.from_(update, value), *(one.from_(update, 1.0) for one in rest)]
    return parts[0] if not rest else Product(parts)


def _names(schedulers: Sequence[Acting], update: int) -> str:
    acting = [one.name for one in schedulers if one.next(update) < math.inf and one.start <= update + one.period]
    return " and ".join(acting)
