"""Which schedule a log was made by: the description of the fewest and shortest constants that gives every point."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

from lrcore.checks.log import Log
from lrcore.checks.pieces import Piece
from lrcore.checks.points import Points, points_of
from lrcore.checks.recognising import answers, shape_of
from lrcore.checks.answers import Answer
from lrcore.errors import ScheduleError
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_FEWEST = 5  # points of a log that tells anything
_DEARER = 7.0  # bits; a description that costs this much less than another is taken, whatever they say between the points
_ROWS = 200_000  # at which two descriptions are compared
