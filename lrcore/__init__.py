"""Learning rates from step counts: one description, the same value at every update in every framework."""

from lrcore.config import dumps, from_dict, load, loads
from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.names import cyclic, from_name, one_cycle, polynomial_cycle, running_product, warmup_stable_decay
from lrcore.plateau import Plateau, PlateauState
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
    checked_step,
)
from lrcore.state import LoadedState, Policy, check_policy, load_state, save_state
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
    "Plateau",
    "PlateauState",
    "Policy",
    "Polynomial",
    "Product",
    "Repeat",
    "Schedule",
    "ScheduleError",
    "Shift",
    "Sum",
    "Table",
    "as_schedule",
    "check_policy",
    "checked_step",
    "cyclic",
    "dumps",
    "from_dict",
    "from_name",
    "load",
    "load_state",
    "loads",
    "lower",
    "one_cycle",
    "polynomial_cycle",
    "running_product",
    "save_state",
    "warmup_stable_decay",
]
