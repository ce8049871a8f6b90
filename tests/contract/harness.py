"""What the contract asks of each framework: real training loops that measure, in harness_<framework>.py."""

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
    """What one training run showed.

    Attributes:
        rates: what the weight moved by, update after update: with plain SGD and gradient 1, the learning rate used.
        said: what the adapter said before each of them.
        state: what the adapter saves after the last.
    """

    rates: list[float] = field(default_factory=list)
    said: list[float] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)

    def add(self, said: Any, weight: Any) -> None:
        """Note an update that moved the weight from 0 to this."""
        self.said.append(float(said))
        self.rates.append(0.0 - float(weight))


class Loop(Protocol):
    """Trains one weight on the accelerator, if there is one.

    `horizon` is for frameworks that compile a Python function; `state` is what an adapter saved, to go on from, with the
    policy `on_mismatch` if it has another schedule; a `curious` loop asks the adapter everything that can be asked before each update, about other steps too.
    """

    def __call__(
        self,
        schedule: Source,
        updates: int,
        horizon: int | None = None,
        state: Any = None,
        *,
        curious: bool = False,
        on_mismatch: Policy = "error",
    ) -> Trained: ...


def loops(framework: str) -> dict[str, Loop]:
    """The ways to use the adapter of a framework, by name."""
    found: dict[str, Loop] = _harness(framework).LOOPS
    return found


def resumable(framework: str) -> dict[str, Loop]:
    """Those of them in which the adapter saves a state of its own."""
    found: dict[str, Loop] = _harness(framework).RESUMABLE
    return found


def _harness(framework: str) -> ModuleType:
    return importlib.import_module(f"tests.contract.harness_{framework}")
