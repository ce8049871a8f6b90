"""The interface between the contract tests and the frameworks.

Each harness_<framework>.py has training loops that measure the learning rate of every update.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, TypeAlias

from lrcore.adapting import Policy


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a loop is asked to do: train one weight, on the accelerator, if there is one.

    Attributes:
        schedule: what the adapter is given: a schedule in any of its forms, or a plateau.
        updates: the number of updates to make.
        horizon: the number of steps to tabulate, where the framework compiles a Python function.
        state: the saved state of an adapter from which to resume.
        with_reads: call every reading function of the adapter before each update, for other steps too.
        on_mismatch: the policy for a state of another schedule.
        metrics: the metric to report after so many updates of this loop.
    """

    schedule: Any
    updates: int
    horizon: int | None = None
    state: Any = None
    with_reads: bool = False
    on_mismatch: Policy = "error"
    metrics: Mapping[int, float] = field(default_factory=dict)


@dataclass
class Trained:
    """The measurements of one training run.

    Attributes:
        rates: the learning rate used by each update: with plain SGD and gradient 1, the weight moves by it.
        reported: the learning rate that the adapter reports before each update.
        state: the state that the adapter saves in the end, also where the loop fails.
    """

    rates: list[float] = field(default_factory=list)
    reported: list[float] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)

    def add(self, reported: Any, weight: Any) -> None:
        """Record an update that moved the weight from 0 to `weight`."""
        self.reported.append(float(reported))
        self.rates.append(0.0 - float(weight))


@dataclass(frozen=True)
class Loop:
    """A way to train with an adapter.

    Attributes:
        body: trains, and records each update as it is made.
    """

    body: Callable[[Training, Trained], None]

    def __call__(self, schedule: Any, updates: int, *, trained: Trained | None = None, **options: Any) -> Trained:
        """Train, and return what was measured.

        Args:
            schedule: what the adapter is given.
            updates: the number of updates to make.
            trained: where to record, for a test of a loop that fails.
            options: the other attributes of `Training`.
        """
        trained = Trained() if trained is None else trained
        self.body(Training(schedule=schedule, updates=updates, **options), trained)
        return trained


Loops: TypeAlias = dict[str, Loop]


def loops(framework: str) -> Loops:
    """Return a training loop for each way to use the adapter of a framework, by the name of the way."""
    found: Loops = _harness(framework).LOOPS
    return found


def resumable(framework: str) -> Loops:
    """Return the loops in which the adapter saves a state of its own, and may follow a plateau."""
    found: Loops = _harness(framework).RESUMABLE
    return found


def _harness(framework: str) -> ModuleType:
    return importlib.import_module(f"tests.contract.harness_{framework}")
