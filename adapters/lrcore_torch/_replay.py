"""Replays torch's own schedulers step by step, to get the rates of a ChainedScheduler that no closed form gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import lrcore

_RUN_STATE = {
    "optimizer",
    "base_lrs",
    "lr_lambdas",
    "last_epoch",
    "_last_lr",
    "_step_count",
    "_is_initial",
    "_get_lr_called_within_step",
}


def replay(children: Sequence[Any], group: int, rate: float) -> lrcore.Function:
    """The rates that the children of a ChainedScheduler give one group, as a function of the step.

    Each child changes the rate in a way that depends on the step alone, so each rate follows from the previous one.
    """
    chain = ChainReplay(tuple((type(child), _constructor_options(child, group)) for child in children))
    return lrcore.recurrence(chain.first_rate(rate), chain)


@dataclass(frozen=True)
class ChainReplay:
    """Computes the rate after a step from the rate before it.

    Attributes:
        children: the class and the constructor options of each child, in the order of the chain.
    """

    children: tuple[tuple[type, dict[str, Any]], ...] = field(hash=False)

    def first_rate(self, rate: float) -> float:
        """The rate after step 0, which torch's constructor makes for each child."""
        optimizer = _stub_optimizer(rate)
        for child in self._children_before(optimizer, step=0):
            child._initial_step()  # noqa: SLF001 - the last call of torch's constructor
        return float(optimizer.param_groups[0]["lr"])

    def __call__(self, rate: float, step: int) -> float:
        optimizer = _stub_optimizer(rate)
        try:
            for child in self._children_before(optimizer, step):
                child.step()
        except ArithmeticError as error:
            raise lrcore.ScheduleError(f"ChainedScheduler at step {step}", f"expected a rate; got {error!r}") from error
        return float(optimizer.param_groups[0]["lr"])

    def _children_before(self, optimizer: Any, step: int) -> list[Any]:
        """Rebuild the children in their state before a step."""
        run = {"optimizer": optimizer, "last_epoch": step - 1, "_step_count": step, "_is_initial": False}
        children = []
        for cls, options in self.children:
            child: Any = object.__new__(cls)
            child.__dict__.update(options, **run)
            children.append(child)
        return children


def _stub_optimizer(rate: float) -> Any:
    """A stand-in with the attributes that torch's schedulers use of an optimizer."""
    updated = SimpleNamespace(_wrapped_by_lr_sched=True)
    return SimpleNamespace(param_groups=[{"lr": rate}], step=updated, _opt_called=True)


def _constructor_options(child: Any, group: int) -> dict[str, Any]:
    """The attributes of a child that do not change during a run, restricted to one group."""
    options = {name: value for name, value in vars(child).items() if name not in _RUN_STATE}
    options["base_lrs"] = [float(child.base_lrs[group])]
    if hasattr(child, "lr_lambdas"):
        options["lr_lambdas"] = [child.lr_lambdas[group]]
    return options
