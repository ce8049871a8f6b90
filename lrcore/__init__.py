"""Learning rates from step counts: one description, the same value at every update in every framework."""

from typing import TYPE_CHECKING

from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.files.reader import dumps, from_dict, load, loads
from lrcore.schedules.huggingface import from_name
from lrcore.schedules.kinds import (
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
    Shift,
    Sum,
    as_schedule,
)
from lrcore.schedules.plateau import Plateau, PlateauState, report_due, warn_of_no_report
from lrcore.schedules.recipes import cyclic, one_cycle, polynomial_cycle, warmup_stable_decay
from lrcore.schedules.recurrences import recurrence, running_product
from lrcore.schedules.schedule import Schedule
from lrcore.schedules.steps import checked_step
from lrcore.state import LoadedState, Policy, check_policy, load_state, save_state
from lrcore.tables.lowering import lower
from lrcore.tables.table import Table

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
    "recurrence",
    "report_due",
    "running_product",
    "save_state",
    "warmup_stable_decay",
    "warn_of_no_report",
]

if not TYPE_CHECKING:  # a checker knows the names, and shall not take any other for one

    def __getattr__(name: str) -> object:
        """Say what a name of another library is here."""
        from lrcore.hints import missing_name

        raise missing_name(__name__, name)
