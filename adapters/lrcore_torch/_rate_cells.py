"""Writes the rates into the parameter groups, and detects that someone else overwrote one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lrcore_torch._given import Group


class RateHolders:
    """Remembers the objects that hold the rates of the groups: Python floats, or tensors, which are filled in place.

    A foreign write is detected by the identity of a float and by the version counter of a tensor; neither reads from a
    device.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        held = [group["lr"] for group in groups]
        self.tensors = [rate for rate in held if isinstance(rate, Tensor)]
        self.held = held if self.tensors else []  # plain floats need no copy: the caller passes the rates it wrote
        self.versions = self._versions()
        self.same_layout = len(self.tensors) == len(held) and len({_layout(rate) for rate in self.tensors}) == 1

    def are_unchanged(self, groups: Sequence[Group], rates: Sequence[float]) -> bool:
        """Whether nobody else has changed the rates of the groups since `rates` were written."""
        held = self.held or rates
        if len(groups) != len(held):
            return False
        for number, group in enumerate(groups):
            if group["lr"] is not held[number]:
                return False
        return not self.tensors or self._versions() == self.versions

    def is_dry_run(self, groups: Sequence[Group], rates: Sequence[float], arguments: Mapping[str, Any]) -> bool:
        """Whether a step is the one that torch.distributed.checkpoint makes at lr 0 to create the optimizer's state.

        It updates no weight and must not be counted.
        """
        held = self.held or rates
        return arguments == {"closure": None} and all(
            group["lr"] is not rate and equals(group["lr"], 0.0) for group, rate in zip(groups, held, strict=False)
        )

    def write(self, groups: Sequence[Group], rates: Sequence[float]) -> None:
        """Write one rate into each group; each must still hold the remembered object."""
        if not self.tensors:
            for number, group in enumerate(groups):
                group["lr"] = rates[number]
            return
        if self.same_layout and rates.count(rates[0]) == len(rates):
            first, *others = self.tensors
            first.fill_(rates[0])
            if others:  # fill one, and copy it to all others in one call
                torch._foreach_copy_(others, [first] * len(others))
        else:
            for group, rate in zip(groups, rates, strict=True):
                write(group, "lr", rate)
            self.held = [group["lr"] for group in groups]
        self.versions = self._versions()

    def _versions(self) -> list[int]:
        return [rate._version for rate in self.tensors]  # noqa: SLF001 - counts the writes in place


def unshare_tensors(optimizer: Optimizer) -> None:
    """Give each group a rate tensor of its own: torch puts the same one into all groups."""
    seen: set[int] = set()
    for holder in (*optimizer.param_groups, getattr(optimizer, "defaults", {})):
        rate = holder.get("lr")
        if isinstance(rate, Tensor) and id(rate) in seen:
            holder["lr"] = rate.clone()
        seen.add(id(rate))


def write(holder: dict[Any, Any], key: Any, value: float) -> None:
    """Write a number; a tensor is filled in place, so that compiled or captured code sees the new value."""
    held = holder[key]
    if type(held) is float or not isinstance(held, Tensor):  # isinstance of Tensor is slow: test for a float first
        holder[key] = value
    else:
        held.fill_(value)


def equals(rate: Any, value: float) -> bool:
    """Whether a rate equals `value` rounded to the precision of the rate."""
    return bool((rate == rate.new_full((), value)).all()) if isinstance(rate, Tensor) else bool(rate == value)


def _layout(rate: Tensor) -> Any:
    return rate.dtype, rate.device, rate.shape
