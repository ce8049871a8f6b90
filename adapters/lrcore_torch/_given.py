"""Turns what a user gives for the rates and for other keys into what a follower follows, and back into its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, TypeAlias

from torch import Tensor

import lrcore
from lrcore import adapting

Group: TypeAlias = dict[str, Any]
Given: TypeAlias = float | lrcore.Plateau | adapting.Source | None  # jsonargparse takes the first that fits
OWN = "initial_"  # torch keeps the rate that a group was made with as `initial_lr`; we do so with other keys

_NEVER_DRIVEN = ("params", "lr", "lr_scale")


def followed(
    schedule: Sequence[Given] | Given,
    also: Mapping[str, Any] | None,
    groups: Sequence[Group],
    where: str,
    *,
    relative: bool,
) -> Any:
    """What a follower follows: one schedule, a plateau or a list; a dict of them if there is more to save.

    Raises:
        lrcore.ScheduleError: something given is no schedule, or `also` has a key that no schedule can drive.
    """
    rates = _rates(schedule, groups, f"{where}.schedule", relative=relative)
    others = {key: _of_key(key, given, groups[0], f"{where}.also[{key!r}]") for key, given in (also or {}).items()}
    if relative:
        return {"relative_lr": rates, **others}
    return {"lr": rates, **others} if others else rates


def parts(schedules: Any, where: str) -> tuple[Any, dict[str, Any], bool]:
    """What the rates follow, what other keys follow, and whether the rates are relative; the inverse of `followed`."""
    if not isinstance(schedules, Mapping):
        return schedules, {}, False
    others = dict(schedules)
    relative = "lr" not in others
    rates = others.pop("relative_lr" if relative else "lr", None)
    if rates is None:
        raise lrcore.ScheduleError(where, f"expected a saved schedule of lr; got {', '.join(others)}")
    return rates, others, relative


def columns(others: Mapping[str, Any], group: Group, where: str) -> Iterator[tuple[str, int | None, Any]]:
    """The key, the place in its tuple (None for a number), and the schedules, of each number that `also` drives.

    Raises:
        lrcore.ScheduleError: a group has no such key with a number.
    """
    if "momentum" in others and "betas" in others and _is_first_beta("momentum", group):
        raise lrcore.ScheduleError(f"{where}.also", "expected momentum or betas, of which it is the first; got both")
    for key, schedules in others.items():
        if _is_first_beta(key, group):
            yield "betas", 0, schedules
        elif isinstance(_checked(key, group, f"{where}.also[{key!r}]"), tuple | list):
            for place, one in enumerate(schedules):
                yield key, place, one
        else:
            yield key, None, schedules


def _rates(given: Any, groups: Sequence[Group], where: str, *, relative: bool) -> Any:
    if not _is_list(given):
        return adapting.Follower.of(_constant(given), where).schedule
    own = [1.0 if relative else own_rate(group) for group in groups]
    if len(given) > len(own) and None in given:
        raise lrcore.ScheduleError(where, f"expected one schedule for each of {len(own)} groups; got {len(given)}")
    each = [_constant(own[number] if one is None else one) for number, one in enumerate(given)]
    return adapting.Follower.of(each, where, several=True).schedule


def _of_key(key: str, given: Any, group: Group, where: str) -> Any:
    held = None if _is_first_beta(key, group) else _checked(key, group, where)
    if not isinstance(held, tuple | list):
        return _schedules(given, where)
    if _is_list(given) and len(given) == len(held):
        return [_schedules(one, f"{where}[{number}]") for number, one in enumerate(given)]
    raise lrcore.ScheduleError(where, f"expected a tuple of {len(held)}, each a schedule or a number; got {given!r}")


def _schedules(given: Any, where: str) -> Any:
    if _is_list(given):
        return [adapting.as_schedule(_constant(one), where=f"{where}[{number}]") for number, one in enumerate(given)]
    return adapting.as_schedule(_constant(given), where=where)


def _constant(given: Any) -> Any:
    """A number as a schedule; anything else as it is."""
    return lrcore.Constant(float(given)) if isinstance(given, Real) and not isinstance(given, bool) else given


def _is_list(given: Any) -> bool:
    return isinstance(given, Sequence) and not isinstance(given, str)


def own_rate(group: Group) -> float:
    """The rate that a group was made with."""
    rate: Any = group.get(f"{OWN}lr")
    return float(group["lr"] if rate is None else rate)


def _checked(key: str, group: Group, where: str) -> Any:
    """What a group has under a key that schedules can drive."""
    drivable = [name for name, value in group.items() if _is_drivable(name) and _is_number(value)]
    if key not in drivable:
        raise lrcore.ScheduleError(
            where, f"expected a key of the parameter groups with a number ({', '.join(drivable)}); got {key!r}"
        )
    return group[key]


def _is_drivable(key: str) -> bool:
    return key not in _NEVER_DRIVEN and not key.startswith(OWN)


def _is_number(value: Any) -> bool:
    """Whether a value is a number, a tensor, or a tuple or list of them."""
    if isinstance(value, tuple | list):
        return bool(value) and all(map(_is_number, value))
    return isinstance(value, Real | Tensor) and not isinstance(value, bool)


def _is_first_beta(key: str, group: Group) -> bool:
    """Whether the key is `momentum` and the optimizer has betas instead, the first of which is its momentum."""
    return key == "momentum" and key not in group and "betas" in group
