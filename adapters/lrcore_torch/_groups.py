"""The parameter groups of a torch optimizer: which numbers in them schedules drive, and how those are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor

import lrcore
from lrcore import adapting

Group: TypeAlias = dict[str, Any]
Source: TypeAlias = lrcore.Schedule | Callable[[int], float] | float
Schedules: TypeAlias = lrcore.Schedule | list[lrcore.Schedule]

_KEPT_SHARES = ("momentum", "betas")  # what a running mean keeps of its past: in [0, 1)
_NOT_DRIVEN = ("params", "lr", "initial_lr", "lr_scale")


class Target(NamedTuple):
    """One number in every parameter group, such as `weight_decay` or the first of `betas`, and what drives it."""

    key: str
    place: int | None
    schedules: Schedules

    def values(self, step: int, groups: Sequence[Group]) -> list[float]:
        """The number for each group."""
        for number, group in enumerate(groups):
            if self.key not in group:
                raise lrcore.ScheduleError(
                    f"{self.key} at step {step}", f"expected it in each group; got none in {number}"
                )
        values = evaluate(self.schedules, step, len(groups), self.key)
        if self.key in _KEPT_SHARES:
            for value in values:
                if not 0 <= value < 1:
                    raise lrcore.ScheduleError(f"{self.key} at step {step}", f"expected a value in [0, 1); got {value}")
        return values

    def write(self, groups: Sequence[Group], values: Sequence[float]) -> None:
        """Set the number in each group."""
        for number, group in enumerate(groups):
            if self.place is None:
                write(group, self.key, values[number])
            else:
                places = dict(enumerate(group[self.key]))
                write(places, self.place, values[number])
                group[self.key] = tuple(places.values())


def write(holder: dict[Any, Any], key: Any, value: float) -> None:
    """Set a number; a tensor is filled, so that code compiled or captured with it sees the new value."""
    held = holder[key]
    if type(held) is float or not isinstance(held, Tensor):  # the second question takes longer than all else
        holder[key] = value
    else:
        held.fill_(value)


def evaluate(schedules: Schedules, step: int, count: int, where: str) -> list[float]:
    """The value for each of `count` groups; groups with the same schedule share one evaluation."""
    if not isinstance(schedules, list):
        return [schedules.at(step)] * count
    if len(schedules) != count:
        raise lrcore.ScheduleError(where, f"expected one schedule for each of {count} groups; got {len(schedules)}")
    known: dict[int, float] = {}
    values = []
    for one in schedules:
        value = known.get(id(one))
        if value is None:
            value = known[id(one)] = one.at(step)
        values.append(value)
    return values


def as_schedules(source: Source | Sequence[Source], where: str) -> Schedules:
    """A schedule for all groups, or a list with one for each; a number is constant."""
    if isinstance(source, list | tuple):
        return [_as_schedule(one, f"{where}[{number}]") for number, one in enumerate(source)]
    return _as_schedule(source, where)


def _as_schedule(source: Any, where: str) -> lrcore.Schedule:
    given: Any = source  # which a check for a number would narrow to one that no parameter takes
    if isinstance(source, Real):
        return lrcore.Constant(given)
    try:
        return adapting.as_schedule(given)
    except lrcore.ScheduleError as error:
        raise lrcore.ScheduleError(where, error.problem) from None


def also_schedules(also: Mapping[str, Any], group: Group, where: str) -> dict[str, Any]:
    """The schedules of each key in `also`; for a key that holds a tuple, a list with those of each place."""
    schedules: dict[str, Any] = {}
    for key, source in also.items():
        place = f"{where}.also[{key!r}]"
        if key not in _driven(group) and not _is_first_beta(key, group):
            known = ", ".join(_driven(group))
            raise lrcore.ScheduleError(
                place, f"expected a key of the parameter groups with a number ({known}); got {key!r}"
            )
        if not isinstance(group.get(key), tuple | list):
            schedules[key] = as_schedules(source, place)
        elif isinstance(source, tuple | list) and len(source) == len(group[key]):
            schedules[key] = [as_schedules(one, f"{place}[{number}]") for number, one in enumerate(source)]
        else:
            required = f"a tuple of {len(group[key])}, each a schedule or a number"
            raise lrcore.ScheduleError(place, f"expected {required}; got {source!r}")
    if "momentum" in schedules and "betas" in schedules and _is_first_beta("momentum", group):
        raise lrcore.ScheduleError(f"{where}.also", "expected momentum or betas, of which it is the first; got both")
    return schedules


def _driven(group: Group) -> list[str]:
    """The keys that hold numbers, other than the rate."""
    return [key for key, value in group.items() if key not in _NOT_DRIVEN and _is_number(value)]


def _is_number(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return bool(value) and all(map(_is_number, value))
    return isinstance(value, Real | Tensor) and not isinstance(value, bool)


def targets(also: Mapping[str, Any], group: Group) -> list[Target]:
    """The numbers that the schedules of `also_schedules` drive."""
    found = []
    for key, schedules in also.items():
        if _is_first_beta(key, group):
            found.append(Target("betas", 0, schedules))
        elif isinstance(group[key], tuple | list):
            found += [Target(key, place, one) for place, one in enumerate(schedules)]
        else:
            found.append(Target(key, None, schedules))
    return found


def _is_first_beta(key: str, group: Group) -> bool:
    """The momentum of an optimizer that has betas is the first of them."""
    return key == "momentum" and key not in group and "betas" in group


def scale(group: Group, number: int) -> float:
    """The `lr_scale` of a group, as a Python float whatever kind of number it is."""
    try:
        return float(group["lr_scale"])
    except (TypeError, ValueError):
        raise lrcore.ScheduleError(
            f"lr_scale of group {number}", f"expected a number; got {group['lr_scale']!r}"
        ) from None


def initial_rate(group: Group) -> float:
    """The rate that a group was made with; a group that is new to the scheduler still has it."""
    if "initial_lr" not in group:
        group["initial_lr"] = float(group["lr"])
    return float(group["initial_lr"])
