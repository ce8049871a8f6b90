"""What a configuration lacks: the lengths of the run, and facts such as the optimizer's rate."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from lrcore.configs.options import REQUIRED, Options
from lrcore.errors import ScheduleError
from lrcore.runs.length import parsed
from lrcore.runs.run import Run


class Facts(Options):
    """The facts that were given beside a configuration: `lr=`, a version, and the lengths of a `Run`.

    A fact is read as an option is. What the run does not state is an error that names its argument.

    Example:
        >>> facts = Facts({"lr": 3e-4}, Run(batches_per_epoch=1_001), "hf")
        >>> facts.number("lr"), facts.updates_per_epoch(accumulate=4)
        (0.0003, 251)
        >>> facts.updates()
        Traceback (most recent call last):
        ...
        lrcore.errors.ScheduleError: hf: expected the run's total, in updates; got none; give it as run=lrcore.Run(total=...)
    """

    def __init__(self, facts: Mapping[str, Any], run: Run | None, trainer: str) -> None:
        super().__init__(facts, trainer)
        self.run = run or Run()
        self._trainer = trainer

    def lr(self, options: Options | None = None, *names: str, default: Any = REQUIRED) -> Any:
        """The optimizer's rate: from the configuration under one of these names, else the fact `lr`; where both say it, alike."""
        given = None
        if options is not None and not any(map(options.is_auto, names)):
            given = options.number(*names, default=None)
        told = self.number("lr", default=None)
        if given is not None and told is not None and given != told:
            raise ScheduleError("lr", f"expected {given!r}, which the configuration says, or none; got {told!r}")
        found = told if given is None else given
        if found is None and default is REQUIRED:
            raise ScheduleError(self._trainer, "expected the optimizer's rate; got none; give it as lr=...")
        return default if found is None else found

    def updates(self, default: Any = REQUIRED) -> Any:
        """The updates of the whole run."""
        if self.run.total is None:
            if default is REQUIRED:
                raise self._lacks("total, in updates", "total")
            return default
        self.run.check_acts("run")
        return self.run.steps("100%")

    def updates_per_epoch(self, accumulate: int | None = None) -> int:
        """The updates of one epoch, a whole number.

        Args:
            accumulate: how many batches the configuration accumulates for one update, if it says so.
        """
        exact = self.exact_updates_per_epoch(accumulate)
        if exact.denominator != 1:
            raise ScheduleError(
                "run.updates_per_epoch", f"expected an integer for {self._trainer}; got {float(exact)!r}"
            )
        return int(exact)

    def exact_updates_per_epoch(self, accumulate: int | None = None) -> Fraction:
        """The updates of one epoch, which may be a fraction where short groups of batches are carried over."""
        run = self.run
        if accumulate is not None and run.batches_per_epoch is not None:
            if run.accumulate not in (None, accumulate):
                raise ScheduleError(
                    "run.accumulate",
                    f"expected {accumulate}, which the configuration says, or none; got {run.accumulate}",
                )
            run = run.replace(accumulate=accumulate)
        if run.updates_per_epoch is None and run.batches_per_epoch is None and run.dataset_size is None:
            raise self._lacks("updates_per_epoch", "updates_per_epoch")
        run.check_acts("run")
        return run.after(Fraction(0), parsed("1 epoch"), self._trainer)

    def batches_per_epoch(self) -> int:
        """The batches of one epoch, for trainers that count batches; without accumulation they are the updates."""
        if self.run.batches_per_epoch is not None:
            return self.run.batches_per_epoch
        if self.run.updates_per_epoch is None and self.run.dataset_size is None:
            raise self._lacks("batches_per_epoch", "batches_per_epoch")
        return self.updates_per_epoch()

    def batch_size(self, default: Any = REQUIRED) -> Any:
        """The samples of one update."""
        if self.run.batch_size is None:
            if default is REQUIRED:
                raise self._lacks("batch_size, the samples of one update", "batch_size")
            return default
        if not isinstance(self.run.batch_size, int):
            raise ScheduleError("run.batch_size", f"expected one integer for {self._trainer}; got one that changes")
        return self.run.batch_size

    def tokens_per_update(self) -> Fraction:
        """The tokens of one update."""
        if self.run.tokens_per_sample is None:
            raise self._lacks("tokens_per_sample", "tokens_per_sample")
        return Fraction(self.run.tokens_per_sample) * int(self.batch_size())

    def _lacks(self, what: str, name: str) -> ScheduleError:
        return ScheduleError(
            self._trainer, f"expected the run's {what}; got none; give it as run=lrcore.Run({name}=...)"
        )
