"""The errors and warnings of lrcore: one sentence each, `<where>: <what is required>; got <value><; what to do>`."""

from __future__ import annotations

import sys
import warnings


class ScheduleError(ValueError):
    """A schedule, a schedule file or a saved state that cannot be used.

    Attributes:
        where: the place: a class and field, or a file and the path inside it.
        problem: what is required there, what was found and what to do.

    Example:
        >>> str(ScheduleError("Cosine.decay_steps", "expected an integer >= 0; got -3"))
        'Cosine.decay_steps: expected an integer >= 0; got -3'
    """

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(where, problem)
        self.where = where
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else self.problem


class ScheduleTypeError(ScheduleError, TypeError):
    """A call or an operator that Python itself would refuse with a `TypeError`: caught as either.

    Example:
        >>> from lrcore import Cosine
        >>> try:
        ...     Cosine(0.1, 0, 100)
        ... except TypeError as error:
        ...     print(type(error).__name__)
        ScheduleTypeError
    """


class MissingExtraError(ImportError):
    """A framework or an optional package that is not installed, with the command that installs it.

    Example:
        >>> str(MissingExtraError("lrcore_torch", package="PyTorch", extra="torch"))
        'lrcore_torch: needs PyTorch, which is not installed; run: pip install "lrcore[torch]"'
    """

    def __init__(self, where: str, *, package: str, extra: str) -> None:
        super().__init__(f'{where}: needs {package}, which is not installed; run: pip install "lrcore[{extra}]"')


def warn(message: str) -> None:
    """Warn at the line that called lrcore: the nearest caller that belongs neither to lrcore nor to an adapter of it."""
    level, frame = 0, sys._getframe(0)  # noqa: SLF001 - `skip_file_prefixes` of warnings.warn needs Python 3.12
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("lrcore"):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level + 1)
