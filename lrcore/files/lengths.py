"""Turns the lengths in a file that are texts, such as "2%" or "5 epochs", into numbers of updates.

A length is read as the way between two places on the clock of the run. Places are rounded, not lengths: a length is the
difference of its rounded ends, so that parts meet, and shares of 100 % fill the run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

from lrcore.errors import ScheduleError
from lrcore.files.keys import at
from lrcore.files.placement import BESIDE, fields_of
from lrcore.records import annotations_of, holds_integers, short, unit_of, without_numpy
from lrcore.runs.length import parsed
from lrcore.runs.run import Run, is_total
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.schedule import DEEPEST

Tick = int | Fraction
Error = Callable[[str, str], ScheduleError]


class Resolved(NamedTuple):
    """A length in a file: its place, how it is written, and its number of updates; of ticks inside an `every`."""

    place: str
    written: str
    number: int | float


class _Point(NamedTuple):
    """A place on the clock of the run: the exact update, the whole update that it is rounded to, and its text, if any."""

    exact: Fraction
    whole: int
    text: str = ""

    def moved(self, length: float | Fraction, tick: Tick = 1) -> _Point:
        """The place that a number of ticks is away; a schedule with a real length ends at the next whole tick."""
        return _Point(self.exact + Fraction(length) * tick, self.whole + math.ceil(math.ceil(length) * tick))


_START = _Point(Fraction(0), 0)


def _order(point: _Point) -> tuple[int, Fraction]:
    """The order of ends: where two fall on one update, the later exact one is the end."""
    return point.whole, point.exact


def has_texts(table: Any, seen: set[int] | None = None) -> bool:
    """Whether a schedule's table has a text in the place of a length. Each table is looked at once: YAML may repeat one."""
    seen = set() if seen is None else seen
    if not isinstance(table, Mapping) or id(table) in seen:
        return False
    seen.add(id(table))
    beside = [(table.get(name), _lengths_of(cls)) for name, cls in BESIDE.items()]
    return (
        any(_is_text(table.get(name)) for name in ("total_steps", *_lengths_of_kind(table.get("kind"))))
        or any(isinstance(ramp, Mapping) and any(_is_text(ramp.get(name)) for name in names) for ramp, names in beside)
        or any(has_texts(one, seen) for one in [table.get("schedule"), *_list(_plain(table.get("schedules")))])
    )


def resolve(table: Any, path: str, run: Run, error: Error) -> tuple[Any, list[Resolved]]:
    """Replace the lengths in a schedule's table that are texts; what is wrong otherwise is left for the checks that follow.

    Args:
        table: the table of the outermost schedule.
        path: its place in the file.
        run: what is known of the run; where it states no total, the table's total_steps is the total.
        error: makes the error for a place and a problem.

    Returns:
        The table with numbers, and each length that was a text.

    Raises:
        ScheduleError: a text is no length, the run does not say what it needs, or two places fall on one update.
    """
    if run.total is None and isinstance(table, Mapping) and is_total(table.get("total_steps")):
        run = run.replace(total=table["total_steps"])
    resolver = _Resolver(run, error)
    resolved, _ = resolver.schedule(table, path, _START, 1)
    return resolved, resolver.found


class _Resolver:
    """Walks through the tables of a file.

    `zero` is the place where the clock of a schedule reads 0, and `tick` the updates in one of its steps: not one inside an
    `every` or a `clock`, where nothing is rounded, since only whole ticks are taken.
    """

    def __init__(self, run: Run, error: Error) -> None:
        self.run = run
        self.error = error
        self.found: list[Resolved] = []
        self.depth = 0

    def schedule(self, given: Any, path: str, zero: _Point, tick: Tick) -> tuple[Any, _Point]:
        """Return a schedule's table with numbers, and the place where it ends; its beginning if it has no end."""
        kind = given.get("kind") if isinstance(given, Mapping) else None
        if not isinstance(kind, str) or kind not in KINDS:
            return given, zero
        if self.depth == DEEPEST:  # a table of YAML may contain itself
            raise self.error(path, f"expected at most {DEEPEST} schedules inside one another; got more")
        self.depth += 1
        resolved = self.known_schedule(given, kind, path, zero, tick)
        self.depth -= 1
        return resolved

    def known_schedule(
        self, given: Mapping[str, Any], kind: str, path: str, zero: _Point, tick: Tick
    ) -> tuple[dict[str, Any], _Point]:
        """Resolve the ramps, the total and the body of a schedule whose kind is known."""
        table = {
            name: _plain_table(value) if name in BESIDE and isinstance(value, Mapping) else _plain(value)
            for name, value in given.items()
        }
        warmup, cooldown = (_table(table.get(name)) for name in ("warmup", "cooldown"))
        ramps, cooling = at(path, "warmup"), at(path, "cooldown")
        risen = self.length(warmup, "steps", ramps, zero, tick)
        total = self.length(table, "total_steps", path, zero, tick)
        if "total_steps" in table and cooldown.get("start") is None:
            begun = self.length(cooldown, "steps", cooling, total, tick, sign=-1)
            self.check_apart(risen, begun, at(path, "total_steps"))
            self.body(table, kind, path, risen, tick)
            return table, total
        end = self.body(table, kind, path, risen, tick)
        begun = self.length(cooldown, "start", cooling, zero, tick) if cooldown.get("start") is not None else end
        return table, self.length(cooldown, "steps", cooling, begun, tick)

    def body(self, table: dict[str, Any], kind: str, path: str, zero: _Point, tick: Tick) -> _Point:
        """Resolve the fields and the schedules of a kind, and return the place where it ends."""
        if kind in ("every", "clock", "shift", "join"):
            end: _Point = getattr(self, kind)(table, path, zero, tick)
            return end
        ends = [zero]
        for name, whole in _lengths_of_kind(kind).items():
            if isinstance(table.get(name), list):
                ends += self.places(table, name, at(path, name), zero, tick, whole=whole)
            else:
                ends.append(self.length(table, name, path, zero, tick, whole=whole))
        if "schedule" in table:
            table["schedule"], end = self.schedule(table["schedule"], at(path, "schedule"), zero, tick)
            ends.append(end)
        for number, one in enumerate(parts := _list(table.get("schedules"))):
            parts[number], end = self.schedule(one, f"{at(path, 'schedules')}[{number}]", zero, tick)
            ends.append(end)
        if parts:
            table["schedules"] = parts
        return max(ends, key=_order)

    def join(self, table: dict[str, Any], path: str, zero: _Point, tick: Tick) -> _Point:
        """Resolve a `join`, whose parts begin at its boundaries; without them, where the part before ends."""
        given = isinstance(table.get("boundaries"), list)
        begins = self.places(table, "boundaries", at(path, "boundaries"), zero, tick) if given else []
        end, parts = zero, _list(table.get("schedules"))
        for number, one in enumerate(parts):
            begin = begins[number - 1] if 0 < number <= len(begins) else end
            parts[number], end = self.schedule(one, f"{at(path, 'schedules')}[{number}]", begin, tick)
        if parts:
            table["schedules"] = parts
        return end

    def every(self, table: dict[str, Any], path: str, zero: _Point, tick: Tick) -> _Point:
        """Resolve an `every`, whose schedule runs on a clock of its own."""
        self.length(table, "steps", path, zero, tick)
        steps = int(table["steps"]) if _is_number(table.get("steps")) and table["steps"] >= 1 else 1
        table["schedule"], end = self.schedule(table.get("schedule"), at(path, "schedule"), _START, tick * steps)
        return zero.moved(end.whole)

    def clock(self, table: dict[str, Any], path: str, zero: _Point, tick: Tick) -> _Point:
        """Resolve a `clock`. With one knot its ticks are all alike, so that texts inside can be converted to them."""
        if _is_text(table.get("times")):
            raise self.error(
                at(path, "times"),
                f"expected numbers, for these are ticks of the clock itself; got {short(table['times'])}",
            )
        if isinstance(table.get("boundaries"), list):
            self.places(table, "boundaries", at(path, "boundaries"), zero, tick)
        knots = [table.get("boundaries"), table.get("times")]
        if all(
            isinstance(one, list) and len(one) == 1 and _is_number(one[0]) and one[0] > 0 for one in knots
        ) and not table.get("hold"):
            inner = tick * Fraction(table["boundaries"][0]) / Fraction(table["times"][0])
            table["schedule"], end = self.schedule(table.get("schedule"), at(path, "schedule"), _START, inner)
            return zero.moved(end.exact)
        if has_texts(table.get("schedule")):
            problem = "expected lengths in ticks of the clock, for it has several knots or holds; got a text; write numbers, or one knot"
            raise self.error(at(path, "schedule"), problem)
        return zero

    def shift(self, table: dict[str, Any], path: str, zero: _Point, tick: Tick) -> _Point:
        """Resolve a `shift`, whose schedule begins before it; after it, if the number is negative."""
        moved = self.length(table, "steps", path, zero, tick)
        if _is_number(table.get("steps")) and table["steps"] < 0:
            moved = zero.moved(table["steps"], tick)
        earlier = _Point(2 * zero.exact - moved.exact, 2 * zero.whole - moved.whole)
        table["schedule"], end = self.schedule(table.get("schedule"), at(path, "schedule"), earlier, tick)
        return max(zero, end, key=_order)  # the schedule may be over before it is entered

    def places(
        self, table: dict[str, Any], name: str, where: str, zero: _Point, tick: Tick, *, whole: bool = True
    ) -> list[_Point]:
        """Resolve a list of places on the clock of a schedule."""
        numbers, found = list(table[name]), [zero]
        for number in range(len(numbers)):
            found.append(self.number(numbers, number, f"{where}[{number}]", zero, tick, whole=whole))
            if whole:
                self.check_apart(found[-2], found[-1], f"{where}[{number}]")
        table[name] = numbers
        return found[1:]

    def length(
        self,
        table: dict[str, Any],
        name: str,
        path: str,
        begin: _Point,
        tick: Tick,
        *,
        whole: bool = True,
        sign: int = 1,
    ) -> _Point:
        """Resolve a field that is a length, and return its other end; `begin` if the field is absent."""
        return self.number(table, name, at(path, name), begin, tick, whole=whole, sign=sign) if name in table else begin

    def number(
        self, holder: Any, key: Any, where: str, begin: _Point, tick: Tick, *, whole: bool, sign: int = 1
    ) -> _Point:
        """Replace a text by the number of updates, or ticks, from `begin` on; before it with sign -1; return the other end."""
        text = holder[key]
        if not isinstance(text, str):
            return begin.moved(sign * text, tick) if _is_number(text) and text >= 0 else begin
        try:
            exact = self.run.after(begin.exact, parsed(text), where, sign)
        except ScheduleError as error:
            raise self.error(where, error.problem) from None
        length, end = sign * (exact - begin.exact), _Point(exact, self.run.rounded(exact), text)
        if not whole:
            number: int | float = _real(length / tick)
            end = end._replace(whole=begin.moved(number, tick).whole)
        elif tick != 1:
            number = self.whole_ticks(length / tick, text, where, tick)
        else:
            if exact != begin.exact and sign * (end.whole - begin.whole) < 1:
                if begin.exact != begin.whole:  # both were rounded
                    self.check_apart(*((begin, end) if sign > 0 else (end, begin)), where)
                end = end._replace(whole=begin.whole + sign)  # a single length that is not 0 takes an update
            number = abs(end.whole - begin.whole)
        holder[key] = number
        self.found.append(Resolved(where, text, number))
        return end

    def whole_ticks(self, ticks: Fraction, text: str, where: str, tick: Tick) -> int:
        if ticks.denominator != 1:
            problem = f"expected a whole number of ticks, each of {_shown(tick)} updates; got {text!r}, {float(ticks):g} ticks"
            raise self.error(where, problem)
        return int(ticks)

    def check_apart(self, first: _Point, second: _Point, where: str) -> None:
        """Refuse two places of which one is a text, if they differ and fall on one update."""
        if (first.text or second.text) and first.exact < second.exact and first.whole >= second.whole:
            before, after = first.text or first.whole, second.text or second.whole
            problem = f"expected places at least one update apart; got {before!r} and {after!r}, both at update {second.whole}"
            raise self.error(where, problem)


@cache
def _lengths_of(cls: Any) -> dict[str, bool]:
    """The fields of a class that count updates, by their names in files, each with whether it is a whole number."""
    annotations = dict(zip(fields_of(cls), annotations_of(cls).values(), strict=True))
    return {name: holds_integers(one) for name, one in annotations.items() if unit_of(one) == "updates"}


def _lengths_of_kind(kind: Any) -> dict[str, bool]:
    return _lengths_of(KINDS[kind]) if isinstance(kind, str) and kind in KINDS else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _real(number: Fraction) -> float:
    """A number as a float; one that is too large for float64 as a number that no field takes."""
    return float(min(number, Fraction(10**300)))


def _shown(tick: Tick) -> str:
    return str(tick) if isinstance(tick, int) else f"{float(tick):g}"


def _is_text(value: Any) -> bool:
    value = _plain(value)
    return isinstance(value, str) or any(issubclass(one, str) for one in set(map(type, _list(value))))


def _plain(value: Any) -> Any:
    """A value as Python's own number, text or list, where it is one of numpy or another sequence."""
    value = without_numpy(value)
    return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else value


def _plain_table(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in table.items()}


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
