"""The parameter groups of a torch optimizer: which numbers in them schedules drive, and how those are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.optim import Optimizer

import lrcore

Group: TypeAlias = dict[str, Any]
Source: TypeAlias = lrcore.Schedule | Callable[[int], float] | float
Schedules: TypeAlias = lrcore.Schedule | list[lrcore.Schedule]

_KEPT_SHARES = ("momentum", "betas")  # what a running mean keeps of its past: in [0, 1)


class Target(NamedTuple):
    """One number in every parameter group, such as `weight_decay` or the first of `betas`, and what drives it."""

    key: str
    place: int | None
    schedules: Schedules

    def values(self, step: int, count: int) -> list[float]:
        """The number for each of `count` groups."""
        values = evaluate(self.schedules, step, count, self.key)
        if self.key in _KEPT_SHARES:
            for value in values:
                if not 0 <= value < 1:
                    raise lrcore.ScheduleError(f"{self.key} at step {step}", f"expected a value in [0, 1); got {value}")
        return values

    def write(self, group: Group, value: float) -> None:
        """Set the number in one group."""
        if self.place is None:
            write(group, self.key, value)
        else:
            places = dict(enumerate(group[self.key]))
            write(places, self.place, value)
            group[self.key] = tuple(places.values())


def write(holder: dict[Any, Any], key: Any, value: float) -> None:
    """Set a number; a tensor is filled, so that code compiled or captured with it sees the new value."""
    held = holder[key]
    if type(held) is not float and isinstance(
        held, Tensor
    ):  # for a float the second question takes longer than all else
        held.fill_(value)
    else:
        holder[key] = value


def evaluate(schedules: Schedules, step: int, count: int, where: str) -> list[float]:
    """The value for each of `count` groups; groups with the same schedule share one evaluation."""
    if not isinstance(schedules, list):
        return [schedules.at(step)] * count
    if len(schedules) != count:
        raise lrcore.ScheduleError(where, f"expected one schedule for each of {count} groups; got {len(schedules)}")
    values = {id(one): one.at(step) for one in {id(one): one for one in schedules}.values()}
    return [values[id(one)] for one in schedules]


def as_schedules(source: Source | Sequence[Source], where: str) -> Schedules:
    """A schedule for all groups, or a list with one for each; a number is constant."""
    if isinstance(source, list | tuple):
        return [_as_schedule(one, f"{where}[{number}]") for number, one in enumerate(source)]
    return _as_schedule(source, where)


def _as_schedule(source: Any, where: str) -> lrcore.Schedule:
    if isinstance(source, int | float):
        return lrcore.Constant(source)
    try:
        return lrcore.as_schedule(source)
    except lrcore.ScheduleError as error:
        raise lrcore.ScheduleError(where, error.problem) from None


def also_schedules(also: Mapping[str, Any], group: Group, where: str) -> dict[str, Any]:
    """The schedules of each key in `also`; for a key that holds a tuple, a list with those of each place."""
    schedules: dict[str, Any] = {}
    for key, source in also.items():
        place = f"{where}.also[{key!r}]"
        if key in ("params", "lr") or (key not in group and not _is_first_beta(key, group)):
            known = ", ".join(name for name in group if name not in ("params", "lr", "initial_lr"))
            raise lrcore.ScheduleError(place, f"expected a key of the parameter groups ({known}); got {key!r}")
        if not isinstance(group.get(key), tuple | list):
            schedules[key] = as_schedules(source, place)
        elif isinstance(source, tuple | list) and len(source) == len(group[key]):
            schedules[key] = [as_schedules(one, f"{place}[{number}]") for number, one in enumerate(source)]
        else:
            required = f"a tuple of {len(group[key])}, each a schedule or a number"
            raise lrcore.ScheduleError(place, f"expected {required}; got {source!r}")
    return schedules


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


def separate_rates(optimizer: Optimizer) -> None:
    """Give each group a tensor of its own: torch puts one into all groups, where it can hold one rate only."""
    seen: set[int] = set()
    for holder in (*optimizer.param_groups, optimizer.defaults):
        rate = holder.get("lr")
        if isinstance(rate, Tensor) and id(rate) in seen:
            holder["lr"] = rate.clone()
        seen.add(id(rate))


class Written:
    """The rates as they were written last: they tell, without reading a device, whether someone else wrote one."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.held = [group["lr"] for group in groups]
        self.tensors = [rate for rate in self.held if type(rate) is not float and isinstance(rate, Tensor)]
        self.versions = [rate._version for rate in self.tensors]  # noqa: SLF001 - counts what is written in place
        self.alike = len(self.tensors) == len(self.held) and len({_kind(rate) for rate in self.tensors}) == 1

    def untouched(self, groups: Sequence[Group]) -> bool:
        """Whether the groups hold what they held."""
        if len(groups) != len(self.held):
            return False
        for group, rate in zip(groups, self.held, strict=True):
            if group["lr"] is not rate:
                return False
        return not self.tensors or [rate._version for rate in self.tensors] == self.versions  # noqa: SLF001

    def rehearsed(self, groups: Sequence[Group], arguments: Mapping[str, Any]) -> bool:
        """Whether a step was none: torch's checkpointing makes one with rates of 0 to give an optimizer its state."""
        return arguments == {"closure": None} and all(
            group["lr"] is not rate and holds(group["lr"], 0.0) for group, rate in zip(groups, self.held, strict=False)
        )

    def fill(self, value: float) -> None:
        """Write one value into tensors that are all alike: one is filled, and the others are copied in one call."""
        first, *others = self.tensors
        first.fill_(value)
        if others:
            torch._foreach_copy_(others, [first] * len(others))
        self.versions = [rate._version for rate in self.tensors]  # noqa: SLF001


def _kind(rate: Tensor) -> Any:
    return rate.dtype, rate.device, rate.shape


def holds(rate: Any, value: float) -> bool:
    """Whether a rate is `value` in the precision in which it is held."""
    return bool((rate == rate.new_full((), value)).all()) if isinstance(rate, Tensor) else bool(rate == value)
