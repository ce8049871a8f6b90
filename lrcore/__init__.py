"""Learning rates from step counts: one description, the same value at every update in every framework."""

from typing import TYPE_CHECKING

from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.files.reader import dumps, from_dict, load, loads
from lrcore.runs.run import Run
from lrcore.schedules.huggingface import from_name
from lrcore.schedules.kinds import (
    Clip,
    Clock,
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    Logistic,
    PiecewiseConstant,
    Polynomial,
    Product,
    Repeat,
    Shift,
    Sum,
)
from lrcore.schedules.plateau import Plateau, PlateauState
from lrcore.schedules.recipes import cyclic, one_cycle, polynomial_cycle, warmup_stable_decay
from lrcore.schedules.recurrences import recurrence, running_product
from lrcore.schedules.schedule import Schedule
from lrcore.state import load_state, save_state
from lrcore.tables.lowering import lower

if TYPE_CHECKING:
    from lrcore.checks.audit import audit
    from lrcore.checks.difference import diff
    from lrcore.checks.lint import check
    from lrcore.configs.taken import Taken
    from lrcore.trainers.registry import from_trainer

__version__ = "0.1.0"

__all__ = [
    "Clip",
    "Clock",
    "Constant",
    "Cosine",
    "Every",
    "Exponential",
    "Function",
    "Interpolate",
    "InverseTime",
    "Join",
    "Linear",
    "Logistic",
    "MissingExtraError",
    "PiecewiseConstant",
    "Plateau",
    "PlateauState",
    "Polynomial",
    "Product",
    "Repeat",
    "Run",
    "Schedule",
    "ScheduleError",
    "Shift",
    "Sum",
    "Taken",
    "audit",
    "check",
    "cyclic",
    "diff",
    "dumps",
    "from_dict",
    "from_name",
    "from_trainer",
    "load",
    "load_state",
    "loads",
    "lower",
    "one_cycle",
    "polynomial_cycle",
    "recurrence",
    "running_product",
    "save_state",
    "warmup_stable_decay",
]

_LATER = {
    "Taken": "lrcore.configs.taken",
    "audit": "lrcore.checks.audit",
    "check": "lrcore.checks.lint",
    "diff": "lrcore.checks.difference",
    "from_trainer": "lrcore.trainers.registry",
}
"""Public names whose modules are imported when they are first asked for: training does not need them."""

if not TYPE_CHECKING:  # a checker knows the names, and shall not take any other for one

    def __getattr__(name: str) -> object:
        """Import a name of `_LATER`; say where a name for adapters is, or what a name of another library is here."""
        if name in _LATER:
            from importlib import import_module

            found = globals()[name] = getattr(import_module(_LATER[name]), name)
            return found
        from lrcore.adapting import __all__ as for_adapters
        from lrcore.hints import missing_name

        if name in for_adapters:
            problem = (
                f"module 'lrcore' has no attribute {name!r}; it is lrcore.adapting.{name}, for authors of adapters"
            )
            raise AttributeError(problem, name=name)
        raise missing_name(__name__, name)

    def __dir__() -> list[str]:
        """The names of the module, with those of `_LATER`."""
        return sorted({*globals(), *__all__})
