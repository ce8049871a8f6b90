"""The arithmetic operators of schedules, and the errors of the operators that they do not support.

A schedule is a function of the step, not a number. Schedules can be scaled, added and multiplied; any other computation
needs the value at a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from lrcore.errors import ScheduleTypeError
from lrcore.records import short
from lrcore.schedules.steps import adapter_of

if TYPE_CHECKING:
    from lrcore.schedules.plateau import Plateau
    from lrcore.schedules.schedule import Schedule

_ASK = "ask {value} for a number, or give the schedule to an adapter, such as lrcore_torch.LRScheduler"
_COMPUTE = "compute with {value}, in a lrcore.Function if a schedule shall come of it"
_ADD = "a plateau scales all of its schedule, so add there: plateau.replace(schedule=plateau.schedule + other)"


def _unsupported(form: str, advice: str) -> Callable[..., NoReturn]:
    """Return an operator method that raises a ScheduleTypeError.

    Args:
        form: the operation, with {} for the name of the class.
        advice: what to do instead, with {value} for the call that gives a number.
    """

    def refuse(self: NoNumber, *_: Any) -> NoReturn:
        problem = f"expected a number; got {short(self)}; {advice.format(value=self._value_call)}"
        raise ScheduleTypeError(form.format(type(self).__name__), problem)

    return refuse


class NoNumber:
    """Refuses the operators that only numbers have."""

    __slots__ = ()
    __array_ufunc__ = None  # makes numpy's numbers and arrays call the schedule's own `*` and `+`
    _value_call = "schedule(step)"

    __lt__ = _unsupported("{} < other", _ASK)
    __le__ = _unsupported("{} <= other", _ASK)
    __gt__ = _unsupported("{} > other", _ASK)
    __ge__ = _unsupported("{} >= other", _ASK)
    __float__ = _unsupported("float({})", _ASK)
    __int__ = _unsupported("int({})", _ASK)
    __round__ = _unsupported("round({})", _COMPUTE)
    __abs__ = _unsupported("abs({})", _COMPUTE)
    __pow__ = _unsupported("{} ** other", _COMPUTE)
    __rpow__ = _unsupported("other ** {}", _COMPUTE)
    __mod__ = _unsupported("{} % other", _COMPUTE)
    __rmod__ = _unsupported("other % {}", _COMPUTE)
    __floordiv__ = _unsupported("{} // other", _COMPUTE)
    __rfloordiv__ = _unsupported("other // {}", _COMPUTE)
    __rtruediv__ = _unsupported("other / {}", _COMPUTE)


class ScheduleArithmetic(NoNumber):
    """`schedule * 2`, `schedule / 2`, `schedule + other`, `schedule - 0.1`, `-schedule`, `sum(schedules)`."""

    __slots__ = ()

    def __mul__(self: Schedule, factor: float | Schedule) -> Schedule:  # type: ignore[misc]
        """The schedule times a number or another schedule."""
        if _is_plateau(factor):
            return NotImplemented
        from lrcore.schedules.kinds import Product

        return Product((self, _operand(factor, "schedule * factor")))

    __rmul__ = __mul__

    def __truediv__(self: Schedule, divisor: float) -> Schedule:  # type: ignore[misc]
        """The schedule divided by a number."""
        return self * _inverse(divisor, "schedule / divisor")

    def __add__(self: Schedule, other: float | Schedule) -> Schedule:  # type: ignore[misc]
        """The sum with a number or another schedule. Adding 0 gives the schedule itself; adding to a `Sum` appends a term.

        Therefore `sum(schedules)`, which starts from 0, equals `Sum(schedules)`.
        """
        if _is_plateau(other):
            return NotImplemented
        from lrcore.schedules.kinds import Sum

        added = _operand(other, "schedule + other")
        return self if added is not other and not added(0) else Sum((*_terms(self), added))

    def __radd__(self: Schedule, other: float) -> Schedule:  # type: ignore[misc]
        return self + other

    def __sub__(self: Schedule, other: float | Schedule) -> Schedule:  # type: ignore[misc]
        """The schedule minus a number or another schedule."""
        if _is_plateau(other):
            return NotImplemented
        return self + (-other if _is_schedule(other) else -_number(other, "schedule - other"))

    def __rsub__(self: Schedule, other: float) -> Schedule:  # type: ignore[misc]
        return -self + other

    def __neg__(self: Schedule) -> Schedule:  # type: ignore[misc]
        """The schedule with the opposite sign."""
        return self * -1.0

    def __pos__(self: Schedule) -> Schedule:  # type: ignore[misc]
        return self


class PlateauArithmetic(NoNumber):
    """`plateau * 2` and `plateau / 2`: the same plateau with a scaled schedule."""

    __slots__ = ()
    _value_call = "plateau.value(step, state)"

    def __mul__(self: Plateau, factor: float | Schedule) -> Plateau:  # type: ignore[misc]
        """The plateau of the scaled schedule."""
        return self.replace(schedule=self.schedule * _operand(factor, "plateau * factor"))

    __rmul__ = __mul__

    def __truediv__(self: Plateau, divisor: float) -> Plateau:  # type: ignore[misc]
        """The plateau of the schedule divided by a number."""
        return self.replace(schedule=self.schedule * _inverse(divisor, "plateau / divisor"))

    def __neg__(self: Plateau) -> Plateau:  # type: ignore[misc]
        return self * -1.0

    __add__ = __radd__ = _unsupported("{} + other", _ADD)
    __sub__ = _unsupported("{} - other", _ADD)
    __rsub__ = _unsupported("other - {}", _ADD)


# --- operands ---------------------------------------------------------------------------------------------------------


def _is_plateau(value: Any) -> bool:
    return isinstance(value, PlateauArithmetic)


def _is_schedule(value: Any) -> bool:
    return isinstance(value, ScheduleArithmetic)


def _terms(schedule: Schedule) -> tuple[Schedule, ...]:
    """The terms of a sum, which keep repeated additions flat; any other schedule is one term."""
    from lrcore.schedules.kinds import Sum

    bare = isinstance(schedule, Sum) and schedule.warmup_ is None and schedule.cooldown_ is None
    return schedule.children if bare else (schedule,)


def _operand(value: Any, where: str) -> Schedule:
    """Return a schedule as it is, and a number as a `Constant`."""
    from lrcore.schedules.kinds import Constant

    return value if _is_schedule(value) else Constant(_number(value, where, "a finite number or a schedule"))


def _number(value: Any, where: str, expected: str = "a finite number") -> float:
    """Convert a number of Python, numpy or another library to a float."""
    from lrcore.schedules.kinds import Constant

    try:
        return Constant(value).value
    except Exception:  # noqa: BLE001 - a traced tensor has no value; each framework raises an exception of its own
        raise ScheduleTypeError(where, f"expected {expected}; got {short(value)}{_advice(value)}") from None


def _advice(value: Any) -> str:
    """The advice for an operand that is not a number."""
    if _is_schedule(value):
        return "; compute with the values of both, in a lrcore.Function if a schedule shall come of it"
    if adapter := adapter_of(value):
        return f"; compute with the rate that the adapter gives, as in scale * learning_rate(count) with {adapter}"
    return "; wrap a Python function in lrcore.Function" if callable(value) else ""


def _inverse(divisor: Any, where: str) -> float:
    number = _number(divisor, where)
    inverse = 1 / number if number else math.inf
    if math.isinf(inverse):
        raise ScheduleTypeError(where, f"expected a finite number that is not 0; got {short(divisor)}")
    return inverse
