"""A ChainedScheduler that is no product: torch's own classes, run step by step over a group of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import lrcore

_OF_THE_RUN = {
    "optimizer",
    "base_lrs",
    "lr_lambdas",
    "last_epoch",
    "_last_lr",
    "_step_count",
    "_is_initial",
    "_get_lr_called_within_step",
}


def replayed(children: Sequence[Any], group: int, rate: float) -> lrcore.Function:
    """What the live children of a chain would have done to a rate in one group.

    What a child does to the rate that it finds depends on the step alone, so that each rate follows from the one before.
    """
    chain = Chain(tuple((type(child), _options(child, group)) for child in children))
    return lrcore.recurrence(chain.begun(rate), chain)


@dataclass(frozen=True)
class Chain:
    """The rate after a step, from the rate before it.

    Attributes:
        children: class and options of each, in the order in which they are chained.
    """

    children: tuple[tuple[type, dict[str, Any]], ...] = field(hash=False)

    def begun(self, rate: float) -> float:
        """The rate after the step 0 that torch makes of each child when it is constructed."""
        optimizer = _optimizer(rate)
        for child in self._over(optimizer, step=0):
            child._initial_step()  # noqa: SLF001 - what torch's constructor ends with
        return float(optimizer.param_groups[0]["lr"])

    def __call__(self, rate: float, step: int) -> float:
        optimizer = _optimizer(rate)
        try:
            for child in self._over(optimizer, step):
                child.step()
        except ArithmeticError as error:
            raise lrcore.ScheduleError(f"ChainedScheduler at step {step}", f"expected a rate; got {error!r}") from error
        return float(optimizer.param_groups[0]["lr"])

    def _over(self, optimizer: Any, step: int) -> list[Any]:
        """The children as they are before a step."""
        run = {"optimizer": optimizer, "last_epoch": step - 1, "_step_count": step, "_is_initial": False}
        children = []
        for cls, options in self.children:
            child: Any = object.__new__(cls)
            child.__dict__.update(options, **run)
            children.append(child)
        return children


def _optimizer(rate: float) -> Any:
    """What a scheduler needs of an optimizer."""
    updated = SimpleNamespace(_wrapped_by_lr_sched=True)
    return SimpleNamespace(param_groups=[{"lr": rate}], step=updated, _opt_called=True)


def _options(child: Any, group: int) -> dict[str, Any]:
    """What a child was made with, for one group."""
    options = {name: value for name, value in vars(child).items() if name not in _OF_THE_RUN}
    options["base_lrs"] = [float(child.base_lrs[group])]
    if hasattr(child, "lr_lambdas"):
        options["lr_lambdas"] = [child.lr_lambdas[group]]
    return options
