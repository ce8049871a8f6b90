"""Learning rates from step counts: one description, the same value at every update in every framework."""

from lrcore.config import dumps, from_dict, load, loads
from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.schedules import (
    Clip,
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Product,
    Repeat,
    Schedule,
    Shift,
    Sum,
    as_schedule,
)
from lrcore.state import LoadedState, load_state, save_state
from lrcore.tables import Table, lower

__version__ = "0.1.0"

__all__ = [
    "Clip",
    "Constant",
    "Cosine",
    "Every",
    "Exponential",
    "Function",
    "Interpolate",
    "InverseTime",
    "Join",
    "Linear",
    "LoadedState",
    "MissingExtraError",
    "PiecewiseConstant",
    "Polynomial",
    "Product",
    "Repeat",
    "Schedule",
    "ScheduleError",
    "Shift",
    "Sum",
    "Table",
    "as_schedule",
    "dumps",
    "from_dict",
    "load",
    "load_state",
    "loads",
    "lower",
    "save_state",
]
