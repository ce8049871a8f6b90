"""A ChainedScheduler that is no product, as a function of the step: torch's own classes, run over a group of their own."""

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


@dataclass(frozen=True)
class Chain:
    """The rates of one group, up to the last step asked for.

    Attributes:
        rate: the rate before the children begin.
        children: class and options of each, in the order in which they are chained.
    """

    rate: float
    children: tuple[tuple[type, dict[str, Any]], ...] = field(hash=False)
    rates: list[float] = field(default_factory=list, init=False, compare=False, repr=False)
    running: list[Any] = field(default_factory=list, init=False, compare=False, repr=False)

    @classmethod
    def of(cls, children: Sequence[Any], group: int, rate: float) -> Chain:
        """What the live children of a chain would have done in one group."""
        return cls(rate, tuple((type(child), _options(child, group)) for child in children))

    def __call__(self, step: int) -> float:
        while len(self.rates) <= step:
            self._advance()
        return self.rates[step]

    def _advance(self) -> None:
        try:
            for child in self.running:
                child.step()
        except ArithmeticError as error:
            step = len(self.rates)
            self.running.clear()  # some children have made the step and some have not
            self.rates.clear()
            raise lrcore.ScheduleError(f"ChainedScheduler at step {step}", f"expected a rate; got {error!r}") from error
        if not self.running:
            self.running.extend(self._begun())
        self.rates.append(float(self.running[0].optimizer.param_groups[0]["lr"]))

    def _begun(self) -> list[Any]:
        """The children after their first step, over what they need of an optimizer."""
        updated = SimpleNamespace(_wrapped_by_lr_sched=True)
        optimizer = SimpleNamespace(param_groups=[{"lr": self.rate}], step=updated, _opt_called=True)
        children = []
        for cls, options in self.children:
            child: Any = object.__new__(cls)
            child.__dict__.update(options, optimizer=optimizer, last_epoch=-1)
            child._initial_step()  # noqa: SLF001 - what torch's constructor ends with
            children.append(child)
        return children


def _options(child: Any, group: int) -> dict[str, Any]:
    """What a child was made with, for one group."""
    options = {name: value for name, value in vars(child).items() if name not in _OF_THE_RUN}
    options["base_lrs"] = [float(child.base_lrs[group])]
    if hasattr(child, "lr_lambdas"):
        options["lr_lambdas"] = [child.lr_lambdas[group]]
    return options
