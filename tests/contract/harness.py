"""The interface between the contract tests and the frameworks.

Each harness_<framework>.py has training loops that measure the learning rate of every update.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Protocol, TypeAlias

from lrcore import Schedule
from lrcore.adapting import Policy

Source: TypeAlias = Schedule | Callable[[int], float]


@dataclass
class Trained:
    """The measurements of one training run.

    Attributes:
        rates: the learning rate used by each update: with plain SGD and gradient 1, the weight moves by it.
        reported: the learning rate that the adapter reports before each update.
        state: the state that the adapter saves after the last update.
    """

    rates: list[float] = field(default_factory=list)
    reported: list[float] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)

    def add(self, reported: Any, weight: Any) -> None:
        """Record an update that moved the weight from 0 to `weight`."""
        self.reported.append(float(reported))
        self.rates.append(0.0 - float(weight))


class Loop(Protocol):
    """A function that trains one weight: on the accelerator, if there is one.

    Args:
        schedule: what the adapter is given.
        updates: the number of updates to make.
        horizon: the number of steps to tabulate, where the framework compiles a Python function.
        state: the saved state of an adapter from which to resume.
        with_reads: call every reading function of the adapter before each update, for other steps too.
        on_mismatch: the policy for a state of another schedule.
    """

    def __call__(
        self,
        schedule: Source,
        updates: int,
        horizon: int | None = None,
        state: Any = None,
        *,
        with_reads: bool = False,
        on_mismatch: Policy = "error",
    ) -> Trained: ...


def loops(framework: str) -> dict[str, Loop]:
    """Return a training loop for each way to use the adapter of a framework, by the name of the way."""
    found: dict[str, Loop] = _harness(framework).LOOPS
    return found


def resumable(framework: str) -> dict[str, Loop]:
    """Return the loops in which the adapter saves a state of its own."""
    found: dict[str, Loop] = _harness(framework).RESUMABLE
    return found


def _harness(framework: str) -> ModuleType:
    return importlib.import_module(f"tests.contract.harness_{framework}")
