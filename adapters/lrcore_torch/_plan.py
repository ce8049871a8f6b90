"""Evaluates all numbers of a step: the rate of each parameter group, and what `also` drives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeAlias

import lrcore
from lrcore import adapting
from lrcore_torch._given import OWN, Group, columns, own_rate, parts
from lrcore_torch._rate_cells import write

Others: TypeAlias = list[list[float]]  # for each column: the number for each group in which it is driven

_NO_OTHERS: Others = []
_DECAY_FACTORS = ("momentum", "betas")  # decay factors of running means: in [0, 1)


class Column:
    """One number in every parameter group, such as `weight_decay` or the first of `betas`, and what drives it.

    Attributes:
        key: the key in the group.
        place: the index in the tuple that the group holds under the key; None if it holds a number.
        functions: which of the plan's functions drives it: one for all groups, or a list with one for each.
        driven: the numbers of the groups in which it is driven.
    """

    def __init__(self, key: str, place: int | None, functions: int | list[int]) -> None:
        self.key, self.place, self.functions = key, place, functions
        self.driven: Sequence[int] = ()
        self._is_decay_factor = key in _DECAY_FACTORS

    def own(self, group: Mapping[str, Any]) -> float:
        """The number that the group was made with."""
        held = group.get(OWN + self.key, group[self.key])
        return float(held if self.place is None else held[self.place])

    def bind(self, groups: Sequence[Group], step: int) -> None:
        """Find out in which groups it is driven.

        One schedule for all groups does not drive a group that was made with 0 while others were not: so biases are kept
        from weight decay.
        """
        for number, group in enumerate(groups):
            if self.key not in group:
                raise lrcore.ScheduleError(
                    f"{self.key} at step {step}", f"expected it in each group; got none in {number}"
                )
        self.driven = range(len(groups))
        if len(groups) > 1 and isinstance(self.functions, int):
            own = [self.own(group) for group in groups]
            if any(own):
                self.driven = [number for number, value in enumerate(own) if value]

    def numbers(self, values: Sequence[float], step: int, count: int) -> list[float]:
        """The number for each group in which it is driven, from the values of the plan's functions."""
        if isinstance(self.functions, int):
            found = [values[self.functions]] * len(self.driven)
        else:
            found = _one_for_each(self.functions, values, count, self.key)
        if self._is_decay_factor:
            for value in found:
                if not 0 <= value < 1:
                    raise lrcore.ScheduleError(f"{self.key} at step {step}", f"expected a value in [0, 1); got {value}")
        return found

    def write(self, groups: Sequence[Group], numbers: Sequence[float]) -> None:
        """Write the number into each group in which it is driven."""
        key, place = self.key, self.place
        for number, value in zip(self.driven, numbers, strict=True):
            group = groups[number]
            if place is None:
                write(group, key, value)
            else:
                places = dict(enumerate(group[key]))
                write(places, place, value)
                group[key] = tuple(places.values())


class Plan:
    """The functions that give all numbers of a step; equal schedules share one, so that a step asks each once.

    Attributes:
        schedule: what the rates follow: a schedule, a plateau, or a list with a schedule for each group.
        also: what other keys follow; for a key that holds a tuple, a list with the schedules of each place.
        relative: whether the rates are multiples of each group's `initial_lr`.
        columns: the numbers that `also` drives.
        shared: the function that gives the rate of every group without an `lr_scale`, if there is nothing else to write.
    """

    def __init__(self, follower: adapting.Follower, groups: Sequence[Group], where: str) -> None:
        self.schedule, self.also, self.relative = parts(follower.schedule, where)
        self._where = where
        self._state = follower.plateau_state
        self._functions: list[Callable[[int], float]] = []
        self._known: dict[Any, int] = {}
        self._rates = self._registered(self.schedule)
        self.columns = [
            Column(key, place, self._registered(one)) for key, place, one in columns(self.also, groups[0], where)
        ]
        self._first, *self._more = self._functions
        self._count = 0  # of groups, for which the columns are bound
        self.shared: Callable[[int], float] | None = None
        if self._rates == 0 and not (self.columns or self.relative or isinstance(self.schedule, lrcore.Plateau)):
            self.shared = self._first

    def numbers(self, step: int, groups: Sequence[Group]) -> tuple[list[float], Others]:
        """The rate of each group at a step, and the numbers of each column.

        Raises:
            lrcore.ScheduleError: a schedule fails, a rate is not finite, or a group has no schedule.
        """
        count = len(groups)
        if count != self._count:
            for column in self.columns:
                column.bind(groups, step)
            self._count = count
        values = [self._first(step)]
        if self._more:
            values += [function(step) for function in self._more]
        functions = self._rates
        if isinstance(functions, int):
            rates = [values[functions]] * count
        else:
            rates = _one_for_each(functions, values, count, f"{self._where}.schedule")
        self._multiply(rates, step, groups)
        return rates, [column.numbers(values, step, count) for column in self.columns] if self.columns else _NO_OTHERS

    def _multiply(self, rates: list[float], step: int, groups: Sequence[Group]) -> None:
        """Multiply the rates by the factors of the groups."""
        relative, has_factor = self.relative, False
        for number, group in enumerate(groups):
            if relative:
                rates[number] *= own_rate(group)
                has_factor = True
            if "lr_scale" in group:
                rates[number] *= scale(group, number)
                has_factor = True
        if has_factor and not isfinite(sum(rates)) and not all(map(isfinite, rates)):
            raise lrcore.ScheduleError(f"{self._where}: step {step}", f"expected finite rates; got {rates}")

    def _registered(self, schedules: Any) -> int | list[int]:
        """The number of a schedule's function, or the numbers of those of a list."""
        return [self._number(one) for one in schedules] if isinstance(schedules, list) else self._number(schedules)

    def _number(self, schedule: Any) -> int:
        try:
            known = self._known.setdefault(schedule, len(self._functions))
        except TypeError:  # a Python function that cannot be hashed is inside
            known = self._known.setdefault(id(schedule), len(self._functions))
        if known == len(self._functions):
            self._functions.append(adapting.Follower(schedule, self._state).at)
        return known


def _one_for_each(functions: list[int], values: Sequence[float], count: int, where: str) -> list[float]:
    """The value for each of `count` groups, where each has a schedule of its own."""
    if len(functions) != count:
        raise lrcore.ScheduleError(
            where,
            f"expected one schedule for each of {count} groups; got {len(functions)}; give a list of {count}, to follow() "
            "if the scheduler is running",
        )
    return [values[number] for number in functions]


def scale(group: Group, number: int) -> float:
    """The `lr_scale` of a group, converted to a Python float."""
    try:
        return float(group["lr_scale"])
    except (TypeError, ValueError):
        raise lrcore.ScheduleError(
            f"lr_scale of group {number}", f"expected a number; got {group['lr_scale']!r}"
        ) from None
