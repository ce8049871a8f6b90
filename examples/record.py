"""What one training run leaves behind: a JSON file for `report.py`, and a progress line while it runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PROGRESS_EVERY = 40


class Record:
    """Collects what happened at each update of one framework's run."""

    def __init__(self, framework: str, version: str, device: str, updates: int) -> None:
        self.framework = framework
        self.version = version
        self.device = device
        self.updates = updates
        self.learning_rates: list[float] = []
        self.adapter_learning_rates: list[float] = []
        self.losses: list[float] = []

    def update(self, *, learning_rate: float, adapter_learning_rate: float, loss: float) -> None:
        """Note one update: the learning rate the weights moved by, the one the adapter named, the loss of the batch."""
        self.learning_rates.append(learning_rate)
        self.adapter_learning_rates.append(adapter_learning_rate)
        self.losses.append(loss)
        done = len(self.losses)
        if done % PROGRESS_EVERY == 0 or done == self.updates:
            line = f"{self.framework}: update {done:4} of {self.updates}, learning rate {learning_rate:.4f}, loss {loss:.4f}"
            rewrite = sys.stderr.isatty() and done < self.updates
            print(line, end="\r" if rewrite else "\n", file=sys.stderr, flush=True)

    def write(self, path: Path, accuracy: float) -> None:
        """Write the run; every float32 measured is exact in it, since JSON numbers carry a float64."""
        path.parent.mkdir(parents=True, exist_ok=True)
        result = {
            "framework": self.framework,
            "version": self.version,
            "device": self.device,
            "updates": len(self.losses),
            "learning_rates": self.learning_rates,
            "adapter_learning_rates": self.adapter_learning_rates,
            "losses": self.losses,
            "accuracy": accuracy,
        }
        path.write_text(json.dumps(result, indent=1), encoding="utf-8")
