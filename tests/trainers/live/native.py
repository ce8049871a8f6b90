"""One configuration of a trainer, and what the trainer itself did with it."""

from __future__ import annotations

from typing import NamedTuple

from tests.trainers.records import Given


class Native(NamedTuple):
    """One configuration and what the trainer did with it.

    Attributes:
        kind: the scheduler's class or word, by which runs are counted.
        given: the arguments of `from_trainer`.
        values: the trainer's rate at each update of the run, from 0 on.
    """

    kind: str
    given: Given
    values: list[float]
