"""The rates as they were written last: what holds them, and whether someone else has written one since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from lrcore_torch._groups import Group, write


class Holders:
    """What the groups hold their rates in: Python floats, or tensors, which are filled in place.

    Floats are told apart by identity and tensors by the count of what was written in place: nothing reads a device.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        held = [group["lr"] for group in groups]
        self.tensors = [rate for rate in held if isinstance(rate, Tensor)]
        self.held = held if self.tensors else []  # floats alone are the rates that were written, which the caller has
        self.versions = self._versions()
        self.alike = len(self.tensors) == len(held) and len({_kind(rate) for rate in self.tensors}) == 1

    def untouched(self, groups: Sequence[Group], rates: Sequence[float]) -> bool:
        """Whether the groups hold what they held when `rates` were written."""
        held = self.held or rates
        if len(groups) != len(held):
            return False
        for number, group in enumerate(groups):
            if group["lr"] is not held[number]:
                return False
        return not self.tensors or self._versions() == self.versions

    def rehearsed(self, groups: Sequence[Group], rates: Sequence[float], arguments: Mapping[str, Any]) -> bool:
        """Whether a step was none: torch's checkpointing makes one with rates of 0 to give an optimizer its state."""
        held = self.held or rates
        return arguments == {"closure": None} and all(
            group["lr"] is not rate and holds(group["lr"], 0.0) for group, rate in zip(groups, held, strict=False)
        )

    def write(self, groups: Sequence[Group], rates: Sequence[float]) -> None:
        """Write one rate into each group, none of which holds anything new."""
        if not self.tensors:
            for number, group in enumerate(groups):
                group["lr"] = rates[number]
            return
        if self.alike and rates.count(rates[0]) == len(rates):
            first, *others = self.tensors
            first.fill_(rates[0])
            if others:  # one is filled, and the others are copied in one call
                torch._foreach_copy_(others, [first] * len(others))
        else:
            for group, rate in zip(groups, rates, strict=True):
                write(group, "lr", rate)
            self.held = [group["lr"] for group in groups]
        self.versions = self._versions()

    def _versions(self) -> list[int]:
        return [rate._version for rate in self.tensors]  # noqa: SLF001 - counts what is written in place


def separate_rates(optimizer: Optimizer) -> None:
    """Give each group a tensor of its own: torch puts one into all groups, where it can hold one rate only."""
    seen: set[int] = set()
    for holder in (*optimizer.param_groups, optimizer.defaults):
        rate = holder.get("lr")
        if isinstance(rate, Tensor) and id(rate) in seen:
            holder["lr"] = rate.clone()
        seen.add(id(rate))


def holds(rate: Any, value: float) -> bool:
    """Whether a rate is `value` in the precision in which it is held."""
    return bool((rate == rate.new_full((), value)).all()) if isinstance(rate, Tensor) else bool(rate == value)


def _kind(rate: Tensor) -> Any:
    return rate.dtype, rate.device, rate.shape
