"""The base class of schedules: a frozen description that is also a pure function of the step.

A description has the fields of a file, checked and normalised at construction. Each kind implements `_lower`, which
returns its timeline; values, arrays, tables, plots and adapters are computed from the timeline.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from msgspec.structs import force_setattr, replace

from lrcore.curves import formulas, pieces, timeline
from lrcore.curves.timeline import Timeline
from lrcore.errors import ScheduleError, ScheduleTypeError
from lrcore.records import (
    Number,
    Positive,
    Record,
    Shape,
    Steps,
    annotations_of,
    digest,
    json_text,
    name_of,
    short,
)
from lrcore.schedules.arithmetic import ScheduleArithmetic
from lrcore.schedules.calls import explains_arguments
from lrcore.schedules.pictures import Pictures
from lrcore.schedules.steps import adapter_of, checked_step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

DEEPEST = 100  # schedules inside one another
_LONGEST_SHOWN = 50  # entries of a list in `repr`
_SHOWN_OF_LONGER = 10  # entries of a longer one


class Warmup(Record, frozen=True, kw_only=True):
    """The rise before a schedule: see `Schedule.warmup`."""

    HOW: ClassVar[str] = "; the method schedule.warmup(steps) gives one, warmup=None takes it away"

    steps: Steps
    init_value: Number = 0.0
    shape: Shape = "linear"
    power: Positive | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_power(self, "warmup")


class Cooldown(Record, frozen=True, kw_only=True):
    """The fall after a schedule: see `Schedule.cooldown`."""

    HOW: ClassVar[str] = "; the method schedule.cooldown(steps) gives one, cooldown=None takes it away"

    steps: Steps
    start: Steps | None = None
    end_value: Number = 0.0
    shape: Shape = "linear"
    power: Positive | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_power(self, "cooldown")


class Schedule(
    ScheduleArithmetic,
    Pictures,
    Record,
    frozen=True,
    kw_only=True,
    dict=True,
    tag_field="kind",
    rename={"warmup_": "warmup", "cooldown_": "cooldown", "values_": "values"},
):
    """A learning rate (or another hyperparameter) as a pure function of the step.

    The step is the number of optimizer updates already made, 0 for the first. After its end a schedule holds its last
    value. Schedules are immutable, hashable and picklable; `*` and `/` scale one, `+` and `-` combine two or move one.

    Example:
        >>> from lrcore import Cosine
        >>> schedule = Cosine(init_value=0.3, end_value=0.01, decay_steps=15).warmup(5)
        >>> [schedule(step) for step in (0, 5, 20, 1000)]
        [0.0, 0.3, 0.01, 0.01]
    """

    # The underscores avoid a clash with the methods; files call the fields `warmup` and `cooldown`.
    warmup_: Warmup | None = None
    cooldown_: Cooldown | None = None

    def __init_subclass__(cls) -> None:
        """Refuse a subclass outside lrcore: files and states name a kind, and no other program would know this one."""
        super().__init_subclass__()
        if cls.__module__.partition(".")[0] != "lrcore":
            raise ScheduleTypeError(
                cls.__name__,
                "expected one of lrcore's own kinds, because files and states are read back by the name of a kind; "
                f"got a subclass of {cls.__mro__[1].__name__}; write a formula as lrcore.Function(formula) and a combination "
                "of kinds as a function that returns it, or add the kind to lrcore (CONTRIBUTING.md)",
            )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.warmup_ is not None and self.warmup_.steps == 0:  # equals the schedule without a warmup
            force_setattr(self, "warmup_", None)
        if self.depth > DEEPEST:
            raise ScheduleError(
                type(self).__name__, f"expected at most {DEEPEST} schedules inside one another; got more"
            )
        self.timeline  # noqa: B018 - raises here what would fail at the first update

    def __call__(self, step: int) -> float:
        """The value for the update after `step` updates.

        Args:
            step: updates already made: an integer >= 0, of Python or numpy. A schedule that goes on for ever, or past
                2**62, holds its value from step 2**53 on, where float64 no longer tells neighbouring steps apart.

        Raises:
            ScheduleError: `step` is not such an integer, or a Python function inside gives no finite number.
        """
        if type(step) is not int or step < 0:
            step = checked_step(step)
        return self.at(step)

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        """The call that makes the schedule; a list of more than 50 is shortened to its first ten."""
        return self._call(_format_short)

    def in_full(self) -> str:
        """The call that makes the schedule, complete.

        Example:
            >>> from lrcore import PiecewiseConstant
            >>> schedule = PiecewiseConstant(boundaries=range(1, 100), values=[0.1] * 100)
            >>> len(repr(schedule)), len(schedule.in_full())
            (146, 926)
        """
        return self._call(_format_full)

    def _call(self, format_value: Callable[[Any], str]) -> str:
        given = self.given()
        ramps = [(name, given.pop(name)) for name in ("warmup", "cooldown") if name in given]
        calls = "".join(f".{name}({_format_arguments(ramp.given(), format_value)})" for name, ramp in ramps)
        return f"{type(self).__name__}({_format_arguments(given, format_value)}){calls}"

    @cached_property
    def _hash(self) -> int:
        return super().__hash__()

    @cached_property
    def at(self) -> Callable[[int], float]:
        """The same function without the check of `step`: what a training loop calls."""
        return self._evaluated_timeline.at

    def values(self, steps: ArrayLike) -> NDArray[np.float64]:
        """The values at an array of steps.

        Args:
            steps: integers from 0 to 2**63 - 1, of any shape.

        Returns:
            float64 of the same shape, within a few units in the last place of `schedule(step)`.

        Raises:
            ScheduleError: the array holds something other than integers from 0 to 2**63 - 1.

        Example:
            >>> from lrcore import Linear
            >>> Linear(init_value=1.0, end_value=0.0, decay_steps=4).values([0, 1, 2, 9]).tolist()
            [1.0, 0.75, 0.5, 0.0]
        """
        import numpy as np

        try:
            array = np.asarray(steps)
        except Exception:  # noqa: BLE001 - ragged lists, and tensors that numpy cannot convert
            array = np.asarray(None)
        if array.size == 0:
            return np.zeros(array.shape)
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > np.iinfo(np.int64).max:
            adapter = adapter_of(steps)
            instead = f"; use {adapter}" if adapter else ""
            raise ScheduleError(
                f"{type(self).__name__}.values", f"expected integers from 0 to 2**63 - 1; got {short(steps)}{instead}"
            )
        values: NDArray[np.float64] = formulas.in_blocks(self._array_function, array.astype(np.int64, copy=False))
        return values

    @cached_property
    def timeline(self) -> Timeline:
        """The schedule as sorted start steps and their formulas; everything else is computed from it."""
        line = self._lower()
        if self.warmup_ is not None:
            line = _add_warmup(line, self.warmup_, f"{type(self).__name__}.warmup")
        if self.cooldown_ is not None:
            line = _add_cooldown(line, self.cooldown_, f"{type(self).__name__}.cooldown")
        return line

    @cached_property
    def depth(self) -> int:
        """How deep schedules are nested, this one included."""
        return 1 + max((child.depth for child in self.children), default=0)

    @property
    def children(self) -> tuple[Schedule, ...]:
        """The schedules that this one is made of."""
        fields = (getattr(self, name) for name in _child_fields(type(self)))
        return tuple(itertools.chain.from_iterable(field if isinstance(field, tuple) else (field,) for field in fields))

    @property
    def length(self) -> int | None:
        """The updates until the schedule has reached its last value; None if it has no such step of its own."""
        return self.timeline.length

    @cached_property
    def text(self) -> str:
        """The plain form as one JSON text, the same for equal schedules; it is made once.

        Raises:
            ScheduleError: a Python function is inside, which cannot be written.

        Example:
            >>> from lrcore import Constant
            >>> Constant(0.1).text
            '{"kind":"constant","value":0.1}'
        """
        return json_text(self.to_dict())

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that are the same for equal schedules, on every machine and in every version.

        Example:
            >>> from lrcore import Constant
            >>> Constant(0.1).fingerprint == Constant(value=0.1).fingerprint
            True
        """
        return digest(self.text)

    @cached_property
    def few_values(self) -> tuple[tuple[int, float], ...]:
        """Steps and values by which a state identifies a Python function, which it cannot contain.

        The steps are the same for every schedule, up to its end; a step at which the function raises an error is left
        out.
        """
        found = []
        last = self.timeline.end
        for step in (0, *(first * 10**power for power in range(4) for first in (1, 2, 5)), 10_000, 100_000):
            if last is None or step <= last:
                with suppress(Exception):
                    found.append((step, self.at(step)))
        return tuple(found)

    def to_dict(self) -> dict[str, Any]:
        """The plain form that a file holds; `lrcore.from_dict` reads it back.

        Raises:
            ScheduleError: a Python function is inside, which cannot be written.
        """
        return {"kind": kind_of(self), **super().to_dict()}

    @explains_arguments("warmup")
    def warmup(
        self, steps: int, init_value: float = 0.0, shape: Shape = "linear", power: float | None = None
    ) -> Schedule:
        """Rise to the schedule's first value before it begins; its own clock starts after the warmup.

        The shape is the cooldown of that name run backwards in time, so `1-sqrt` is 1 - sqrt(1 - t / steps); `constant`
        holds `init_value` and then jumps.

        Args:
            steps: length in updates; 0 is no warmup, whatever the other arguments: the schedule itself.
            init_value: value at step 0.
            shape: of the rise: linear, cosine, constant, 1-sqrt, 1-square, exponential or power.
            power: the exponent p of shape power, (t / steps)**p.

        Raises:
            ScheduleError: a wrong argument, or shape exponential between values that are 0 or differ in sign.

        Example:
            >>> from lrcore import Constant
            >>> schedule = Constant(0.4).warmup(4)
            >>> [schedule(step) for step in range(6)]
            [0.0, 0.1, 0.2, 0.30000000000000004, 0.4, 0.4]
        """
        warmup = Warmup(steps=steps, init_value=init_value, shape=shape, power=power)
        if warmup.steps == 0:
            return self
        return replace(self._without_ramps(), warmup_=warmup)

    @explains_arguments("cooldown")
    def cooldown(
        self,
        steps: int,
        start: int | None = None,
        end_value: float = 0.0,
        shape: Shape = "linear",
        power: float | None = None,
    ) -> Schedule:
        """Fall from the value at `start` to `end_value`, and hold that.

        With x = (t - start) / steps the shapes leave 1 - x (linear), (1 + cos(pi x)) / 2 (cosine), 1 - sqrt(x) (1-sqrt),
        1 - x**2 (1-square) or (1 - x)**power (power) of the way; exponential is a geometric fall; constant drops at once.

        Args:
            steps: length in updates; with 0 the end value holds from `start` on.
            start: the first update of the fall, warmup included. Default: where the schedule itself ends.
            end_value: value at and after `start + steps`.
            shape: of the fall: linear, cosine, constant, 1-sqrt, 1-square, exponential or power.
            power: the exponent of shape power.

        Raises:
            ScheduleError: a wrong argument, or no `start` for a schedule that has no end of its own.

        Example:
            >>> from lrcore import Constant
            >>> schedule = Constant(0.4).cooldown(steps=4, start=10)
            >>> [schedule(step) for step in (9, 10, 12, 14, 99)]
            [0.4, 0.4, 0.2, 0.0, 0.0]
        """
        cooldown = Cooldown(steps=steps, start=start, end_value=end_value, shape=shape, power=power)
        from lrcore.schedules.kinds import Join

        base = self if self.cooldown_ is None else Join((self,))
        return replace(base, cooldown_=cooldown)

    @explains_arguments("then")
    def then(self, other: Schedule, at: int, clock: Literal["own", "run"] = "own") -> Schedule:
        """This schedule up to update `at`, and another one from there on.

        Args:
            other: what follows.
            at: the first update of the other schedule.
            clock: "own": the other schedule begins there at its step 0. "run": it goes on at step `at`, as if it had been
                planned so from the start, with a jump where the two differ.

        Raises:
            ScheduleError: `other` is no schedule, `at` no integer >= 0, or the clock unknown.

        Example:
            >>> from lrcore import Constant, Linear
            >>> down = Linear(init_value=0.4, end_value=0.0, decay_steps=8)
            >>> own, run = (Constant(0.4).then(down, at=4, clock=clock) for clock in ("own", "run"))
            >>> [own(step) for step in (3, 4, 8)], [run(step) for step in (3, 4, 8)]
            ([0.4, 0.4, 0.2], [0.4, 0.2, 0.0])
        """
        from lrcore.schedules.kinds import Join, Shift

        where = "Schedule.then"
        if not isinstance(other, Schedule):
            raise ScheduleError(f"{where}: other", f"expected a lrcore schedule; got {short(other)}")
        if clock not in ("own", "run"):
            raise ScheduleError(f"{where}: clock", f"expected own or run; got {short(clock)}")
        begin = checked_step(at, f"{where}: at")
        return Join([self, other if clock == "own" else Shift(other, steps=begin)], boundaries=[begin])

    def _without_ramps(self) -> Schedule:
        """The schedule, in a `Join` if it already has a warmup or a cooldown: a new warmup comes before both."""
        from lrcore.schedules.kinds import Join

        return self if self.warmup_ is None and self.cooldown_ is None else Join((self,))

    @cached_property
    def _array_function(self) -> Callable[[Any], Any]:
        return self._evaluated_timeline.bind(formulas.arrays())

    @cached_property
    def _evaluated_timeline(self) -> Timeline:
        """The timeline that `__call__`, `at` and `values` evaluate: it takes any step, however large."""
        return self.timeline.held()

    def _lower(self) -> Timeline:
        raise NotImplementedError(f"{type(self).__name__} has no timeline")


@cache
def _child_fields(cls: type[Schedule]) -> list[str]:
    """The names of the fields that hold a schedule or a list of schedules."""

    def holds(annotation: Any) -> bool:
        return isinstance(annotation, type) and issubclass(annotation, Schedule)

    return [name for name, one in annotations_of(cls).items() if any(map(holds, (one, *get_args(one))))]


# --- warmup and cooldown ----------------------------------------------------------------------------------------------


def _add_warmup(line: Timeline, warmup: Warmup, where: str) -> Timeline:
    power = 1.0 if warmup.power is None else warmup.power
    rise = named_segment(where, warmup.shape, warmup.init_value, line.at(0), 0, warmup.steps, power, rising=True)
    body = line.delayed(warmup.steps)
    length = None if line.length is None else line.length + warmup.steps
    return Timeline((0, *body.starts), (rise, *body.formulas), length)


def _add_cooldown(line: Timeline, cooldown: Cooldown, where: str) -> Timeline:
    start = line.length if cooldown.start is None else cooldown.start
    if start is None:
        raise ScheduleError(f"{where}.start", "required, since the schedule has no end of its own; got none")
    power = 1.0 if cooldown.power is None else cooldown.power
    first = cooldown.end_value if cooldown.shape == "constant" else line.at(start)
    end = start + cooldown.steps
    fall = named_segment(where, cooldown.shape, first, cooldown.end_value, start, end, power)
    body = line.before(start)
    return timeline.from_pieces(
        (*body.starts, start, end), (*body.formulas, fall, pieces.Constant(cooldown.end_value)), end
    )


def named_segment(
    where: str, shape: str, start: float, end: float, first: float, last: float, power: float, *, rising: bool = False
) -> pieces.Formula:
    """Make a ramp; its errors name the schedule that it belongs to."""
    try:
        return pieces.segment(shape, start, end, first, last, power, rising=rising)
    except ScheduleError as error:
        raise ScheduleError(f"{where}.{error.where}", error.problem) from None


# --- checks -----------------------------------------------------------------------------------------------------------


def check_power(ramp: Any, name: str) -> None:
    """Require the exponent of shape `power`, and refuse one with any other shape."""
    if ramp.shape == "power" and ramp.power is None:
        raise ScheduleError(f"{name}.power", "required with shape 'power'; got none")
    if ramp.shape != "power" and ramp.power is not None:
        raise ScheduleError(f"{name}.power", f"goes with shape 'power' alone; got {ramp.power} with {ramp.shape!r}")


def _format_arguments(given: dict[str, Any], format_value: Callable[[Any], str]) -> str:
    return ", ".join(f"{name}={format_value(value)}" for name, value in given.items())


def _format_short(value: Any) -> str:
    """Format a value for `repr`: of a long list the first entries."""
    if isinstance(value, tuple) and len(value) > _LONGEST_SHOWN:
        first = ", ".join(map(_format_short, value[:_SHOWN_OF_LONGER]))
        return f"({first}, ... {len(value) - _SHOWN_OF_LONGER:,} more)"
    return _format_argument(value)


def _format_full(value: Any) -> str:
    """Format a value for `in_full`."""
    if isinstance(value, Schedule):
        return value.in_full()
    if isinstance(value, tuple) and value and isinstance(value[0], Schedule):
        return f"({', '.join(map(_format_full, value))}{',' if len(value) == 1 else ''})"
    return _format_argument(value)


def _format_argument(value: Any) -> str:
    """Format a Python function by its name, which is the same in every process, and anything else by its repr."""
    return name_of(value) if callable(value) and not isinstance(value, Schedule) else repr(value)


def kind_of(schedule: Schedule) -> str:
    """The name of the schedule's kind in a file."""
    return str(type(schedule).__struct_config__.tag)
