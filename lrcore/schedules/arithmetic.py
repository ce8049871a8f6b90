"""What operators make of schedules, and the sentence for those that have no answer.

A schedule is a function of the step and no number: it can be scaled and added to, and everything else is asked of its
values.
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


def _refused(form: str, advice: str) -> Callable[..., NoReturn]:
    """The method of an operator that has no answer. In `form` {} is the class; in `advice` {value} is where numbers are."""

    def refuse(self: NoNumber, *_: Any) -> NoReturn:
        problem = f"expected a number; got {short(self)}; {advice.format(value=self._value)}"
        raise ScheduleTypeError(form.format(type(self).__name__), problem)

    return refuse


class NoNumber:
    """Operators that only numbers have."""

    __slots__ = ()
    __array_ufunc__ = None  # so that a number or an array of numpy asks the schedule what `*` and `+` mean
    _value = "schedule(step)"

    __lt__ = _refused("{} < other", _ASK)
    __le__ = _refused("{} <= other", _ASK)
    __gt__ = _refused("{} > other", _ASK)
    __ge__ = _refused("{} >= other", _ASK)
    __float__ = _refused("float({})", _ASK)
    __int__ = _refused("int({})", _ASK)
    __round__ = _refused("round({})", _COMPUTE)
    __abs__ = _refused("abs({})", _COMPUTE)
    __pow__ = _refused("{} ** other", _COMPUTE)
    __rpow__ = _refused("other ** {}", _COMPUTE)
    __mod__ = _refused("{} % other", _COMPUTE)
    __rmod__ = _refused("other % {}", _COMPUTE)
    __floordiv__ = _refused("{} // other", _COMPUTE)
    __rfloordiv__ = _refused("other // {}", _COMPUTE)
    __rtruediv__ = _refused("other / {}", _COMPUTE)


class ScheduleArithmetic(NoNumber):
    """`schedule * 2`, `schedule / 2`, `schedule + other`, `schedule - 0.1`, `-schedule`, `sum(schedules)`."""

    __slots__ = ()

    def __mul__(self: Schedule, factor: float | Schedule) -> Schedule:  # type: ignore[misc]
        """The schedule times a number, or the product of two."""
        if _is_plateau(factor):
            return NotImplemented
        from lrcore.schedules.kinds import Product

        return Product((self, _operand(factor, "schedule * factor")))

    __rmul__ = __mul__

    def __truediv__(self: Schedule, divisor: float) -> Schedule:  # type: ignore[misc]
        """The schedule divided by a number."""
        return self * _inverse(divisor, "schedule / divisor")

    def __add__(self: Schedule, other: float | Schedule) -> Schedule:  # type: ignore[misc]
        """The sum with a number or another schedule. Plus 0 it is the schedule itself; a sum takes one more part.

        So `sum(schedules)`, which starts from 0, is `Sum(schedules)`, however many they are.
        """
        if _is_plateau(other):
            return NotImplemented
        from lrcore.schedules.kinds import Sum

        added = _operand(other, "schedule + other")
        return self if added is not other and not added(0) else Sum((*_parts(self), added))

    def __radd__(self: Schedule, other: float) -> Schedule:  # type: ignore[misc]
        return self + other

    def __sub__(self: Schedule, other: float | Schedule) -> Schedule:  # type: ignore[misc]
        """The schedule less a number or another schedule."""
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
    """`plateau * 2` and `plateau / 2`: the same plateau over its schedule scaled."""

    __slots__ = ()
    _value = "plateau.value(step, state)"

    def __mul__(self: Plateau, factor: float | Schedule) -> Plateau:  # type: ignore[misc]
        """The plateau of the scaled schedule."""
        return self.replace(schedule=self.schedule * _operand(factor, "plateau * factor"))

    __rmul__ = __mul__

    def __truediv__(self: Plateau, divisor: float) -> Plateau:  # type: ignore[misc]
        """The plateau of the schedule divided by a number."""
        return self.replace(schedule=self.schedule * _inverse(divisor, "plateau / divisor"))

    def __neg__(self: Plateau) -> Plateau:  # type: ignore[misc]
        return self * -1.0

    __add__ = __radd__ = _refused("{} + other", _ADD)
    __sub__ = _refused("{} - other", _ADD)
    __rsub__ = _refused("other - {}", _ADD)


# --- the other side ---------------------------------------------------------------------------------------------------


def _is_plateau(value: Any) -> bool:
    return isinstance(value, PlateauArithmetic)


def _is_schedule(value: Any) -> bool:
    return isinstance(value, ScheduleArithmetic)


def _parts(schedule: Schedule) -> tuple[Schedule, ...]:
    """What a sum adds up, so that a long sum is not a deep one."""
    from lrcore.schedules.kinds import Sum

    bare = isinstance(schedule, Sum) and schedule.warmup_ is None and schedule.cooldown_ is None
    return schedule.children if bare else (schedule,)


def _operand(value: Any, where: str) -> Schedule:
    """A schedule as it is, a number as a constant one."""
    from lrcore.schedules.kinds import Constant

    return value if _is_schedule(value) else Constant(_number(value, where, "a finite number or a schedule"))


def _number(value: Any, where: str, expected: str = "a finite number") -> float:
    """A number of Python or numpy, or of any library that tells its value."""
    from lrcore.schedules.kinds import Constant

    try:
        return Constant(value).value
    except Exception:  # noqa: BLE001 - a traced tensor, which has no value yet, raises its framework's own
        raise ScheduleTypeError(where, f"expected {expected}; got {short(value)}{_instead(value)}") from None


def _instead(value: Any) -> str:
    """What to do with what is no number."""
    if _is_schedule(value):
        return "; compute with the values of both, in a lrcore.Function if a schedule shall come of it"
    if adapter := adapter_of(value):
        return f"; compute with what the adapter gives, {adapter}"
    return "; wrap a Python function in lrcore.Function" if callable(value) else ""


def _inverse(divisor: Any, where: str) -> float:
    number = _number(divisor, where)
    inverse = 1 / number if number else math.inf
    if math.isinf(inverse):
        raise ScheduleTypeError(where, f"expected a finite number that is not 0; got {short(divisor)}")
    return inverse
