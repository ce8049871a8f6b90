"""The kinds of schedule, one class for each."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from lrcore.curves import formulas, pieces, timeline
from lrcore.curves.timeline import Timeline
from lrcore.errors import ScheduleError
from lrcore.records import (
    CycleGrowth,
    NotNegative,
    Number,
    Offset,
    Period,
    Place,
    Positive,
    PositiveSteps,
    Shape,
    Steps,
    Time,
    name_of,
    short,
)
from lrcore.schedules.schedule import Schedule, check_power, kind_of, named_segment

_MAX_UPDATES = 2**512  # updates; with this limit every time fits float64, even after cycles are added to it


class Constant(Schedule, frozen=True, tag="constant"):
    """value(t) = value.

    Args:
        value: the learning rate.

    Example:
        >>> Constant(0.1)(5)
        0.1
    """

    value: Number

    def _lower(self) -> Timeline:
        return timeline.constant(self.value)


class Linear(Schedule, frozen=True, kw_only=True, tag="linear"):
    """value(t) = init (1 - t / D) + end t / D for t < D, end from D on: a polynomial of power 1.

    Args:
        init_value: value at step 0.
        end_value: value at and after step `decay_steps`.
        decay_steps: the length D in updates.

    Source: `torch.optim.lr_scheduler.LinearLR`, `optax.linear_schedule`.

    Example:
        >>> Linear(init_value=0.1, end_value=0.0, decay_steps=10)(5)
        0.05
    """

    init_value: Number
    end_value: Number = 0.0
    decay_steps: Steps

    def _lower(self) -> Timeline:
        return timeline.ramp("linear", self.init_value, self.end_value, self.decay_steps)


class Polynomial(Schedule, frozen=True, kw_only=True, tag="polynomial"):
    """value(t) = end + (init - end) (1 - t / D)**power for t < D, end from D on.

    Args:
        init_value: value at step 0.
        end_value: value at and after step `decay_steps`.
        decay_steps: the length D in updates.
        power: exponent > 0 of the remaining fraction 1 - t / D.

    Source: `keras.optimizers.schedules.PolynomialDecay`, `optax.polynomial_schedule`, `mxnet.lr_scheduler.PolyScheduler`.

    Example:
        >>> Polynomial(init_value=1.0, end_value=0.0, decay_steps=10, power=2)(5)
        0.25
    """

    init_value: Number
    end_value: Number = 0.0
    decay_steps: Steps
    power: Positive = 1.0

    def _lower(self) -> Timeline:
        return timeline.ramp("power", self.init_value, self.end_value, self.decay_steps, self.power)


class Cosine(Schedule, frozen=True, kw_only=True, tag="cosine"):
    """value(t) = end + (init - end) ((1 + cos(pi t / D)) / 2)**exponent for t < D, end from D on.

    Computed as init cos(pi t / 2D)**2 + end sin(pi t / 2D)**2, which keeps its digits at both ends.

    Args:
        init_value: value at step 0.
        end_value: value at and after step `decay_steps`.
        decay_steps: the length D in updates, of the decay alone.
        exponent: exponent > 0 of the half cosine, as in optax. Up to 30 the relative error is below 1e-14; a
            larger exponent magnifies the last bit of the sine: 3e-14 at 100.

    Source: Loshchilov and Hutter 2017, SGDR, https://arxiv.org/abs/1608.03983; `optax.cosine_decay_schedule`. torch's
    CosineAnnealingLR rises again after D: that is `Repeat(cosine, mirror=True)`.

    Example:
        >>> Cosine(init_value=0.1, end_value=0.0, decay_steps=100)(100)
        0.0
    """

    init_value: Number
    end_value: Number = 0.0
    decay_steps: Steps
    exponent: Positive = 1.0

    def _lower(self) -> Timeline:
        return timeline.ramp("cosine", self.init_value, self.end_value, self.decay_steps, self.exponent)


class Exponential(Schedule, frozen=True, kw_only=True, tag="exponential"):
    """value(t) = init decay_rate**(t / D), of whole periods only with `staircase`.

    Args:
        init_value: value at step 0.
        decay_rate: factor per period, >= 0; a negative one needs whole periods (staircase, or decay_steps = 1).
        decay_steps: the period D in updates, > 0; a time constant, so it may be any real number.
        staircase: whether the value changes at whole periods only.

    Source: `torch.optim.lr_scheduler.ExponentialLR` and `StepLR`, `keras.optimizers.schedules.ExponentialDecay`.

    Example:
        >>> Exponential(init_value=1.0, decay_rate=0.5, decay_steps=250, staircase=True)(500)
        0.25
    """

    init_value: Number
    decay_rate: Number
    decay_steps: Period = 1.0
    staircase: bool = False

    def _lower(self) -> Timeline:
        if self.decay_rate < 0 and not self.staircase and self.decay_steps != 1:
            raise ScheduleError(
                "Exponential.decay_rate",
                f"expected a finite number >= 0, for a negative one has no real power of t / {self.decay_steps}; "
                f"got {self.decay_rate}; set staircase, or decay_steps = 1",
            )
        if self.init_value == 0 or self.decay_rate == 1:
            return timeline.constant(self.init_value)
        if self.decay_rate == 0:
            first = math.ceil(self.decay_steps) if self.staircase else 1
            before_and_after = (pieces.Constant(self.init_value), pieces.Constant(0.0))
            return Timeline((0, first), before_and_after, first)
        # A cycle may evaluate the formula between steps, where a negative rate has no real power.
        staircase = self.staircase or self.decay_rate < 0
        formula = pieces.Exponential(self.init_value, self.decay_rate, self.decay_steps, staircase)
        return Timeline((0,), (formula,))


class InverseTime(Schedule, frozen=True, kw_only=True, tag="inverse_time"):
    """value(t) = init / (1 + decay_rate (t / D)**time_power)**power, of whole periods only with `staircase`.

    Args:
        init_value: value at step 0.
        decay_rate: how fast it falls, >= 0: after a period the value is init / (1 + decay_rate)**power.
        decay_steps: the period D in updates, > 0; a time constant, so it may be any real number.
        power: exponent > 0; 0.5 gives the inverse square root of Noam, T5 and the d2l book.
        time_power: exponent > 0 of the elapsed periods t / D; 2, with power = 0.25, gives a factor of Eden.
        staircase: whether the value changes at whole periods only.

    Source: `keras.optimizers.schedules.InverseTimeDecay`; Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Eden: Yao
    et al. 2023, Zipformer, https://arxiv.org/abs/2310.11230.

    Example:
        >>> InverseTime(init_value=0.1, power=0.5)(3)
        0.05
        >>> InverseTime(init_value=0.1, decay_steps=10, time_power=2)(10)
        0.05
    """

    init_value: Number
    decay_rate: NotNegative = 1.0
    decay_steps: Period = 1.0
    power: Positive = 1.0
    time_power: Positive = 1.0
    staircase: bool = False

    def _lower(self) -> Timeline:
        if self.init_value == 0 or self.decay_rate == 0:
            return timeline.constant(self.init_value)
        powers = self.power, self.time_power
        formula = pieces.InverseTime(self.init_value, self.decay_rate, self.decay_steps, *powers, self.staircase)
        return Timeline((0,), (formula,))


class Logistic(Schedule, frozen=True, kw_only=True, tag="logistic"):
    """value(t) = init / (1 + e**z) + end / (1 + e**-z), z = (t - midpoint) / D: a soft step from init to end.

    Args:
        init_value: the value long before `midpoint`, an asymptote: at step 0 some of the way is gone.
        end_value: the value long after it, an asymptote.
        midpoint: the update at which half of the way is gone; any real number.
        decay_steps: the time constant D in updates, > 0: at `midpoint` + 3 D, 5 % of the way are left. May be real.

    Source: policy sigmoid of Caffe and sig of darknet (D = 1 / gamma); the tanh scheduler of timm, `TanhLRScheduler`, where
    D = t_initial / (2 (ub - lb)) and midpoint = -2 lb D.

    Example:
        >>> schedule = Logistic(init_value=0.1, end_value=0.02, midpoint=1000, decay_steps=100)
        >>> [round(schedule(step), 4) for step in (0, 900, 1000, 1100, 2000)]
        [0.1, 0.0785, 0.06, 0.0415, 0.02]
    """

    init_value: Number
    end_value: Number = 0.0
    midpoint: Place
    decay_steps: Period

    def _lower(self) -> Timeline:
        if self.init_value == self.end_value:
            return timeline.constant(self.init_value)
        formula = pieces.Logistic(self.init_value, self.end_value, self.midpoint, self.decay_steps)
        return Timeline((0,), (formula,))


class PiecewiseConstant(Schedule, frozen=True, kw_only=True, tag="piecewise_constant"):
    """values[i] from boundaries[i - 1] on: a boundary is the first update with the new value.

    Args:
        boundaries: the updates at which the value changes, rising integers >= 0.
        values: one more than boundaries; the first holds before boundaries[0].

    Source: `optax.piecewise_constant_schedule`, `torch.optim.lr_scheduler.MultiStepLR`. Keras'
    `PiecewiseConstantDecay` changes one update later.

    Example:
        >>> schedule = PiecewiseConstant(boundaries=[15, 30], values=[0.5, 0.25, 0.125])
        >>> [schedule(step) for step in (14, 15, 30)]
        [0.5, 0.25, 0.125]
    """

    boundaries: tuple[Steps, ...]
    values_: tuple[Number, ...]

    if TYPE_CHECKING:

        def __init__(self, *, boundaries: Sequence[int], values: Sequence[float]) -> None: ...

    def _lower(self) -> Timeline:
        _check_rising(self.boundaries, "PiecewiseConstant.boundaries")
        _check_count(self.values_, len(self.boundaries) + 1, "PiecewiseConstant.values", "one more than boundaries")
        length = self.boundaries[-1] if self.boundaries else None
        return timeline.from_pieces((0, *self.boundaries), list(map(pieces.Constant, self.values_)), length)


class Interpolate(Schedule, frozen=True, kw_only=True, tag="interpolate"):
    """From values[i] at boundaries[i] to values[i + 1] at boundaries[i + 1], by one shape; held before and after.

    Args:
        boundaries: the knots, rising real numbers of updates, >= 0.
        values: one for each knot.
        shape: the way from one knot to the next: linear, cosine, constant (hold until the next
            knot), 1-sqrt, 1-square, sine, log, exponential or power.
        power: the exponent of shape power.

    Source: `torch.optim.lr_scheduler.OneCycleLR` (whose knots are real), `optax.piecewise_interpolate_schedule`.

    Example:
        >>> schedule = Interpolate(boundaries=[0, 10, 20], values=[0.0, 1.0, 0.5])
        >>> [schedule(step) for step in (5, 10, 15, 99)]
        [0.5, 1.0, 0.75, 0.5]
    """

    boundaries: tuple[Time, ...]
    values_: tuple[Number, ...]
    shape: Shape = "linear"
    power: Positive | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            *,
            boundaries: Sequence[float],
            values: Sequence[float],
            shape: Shape = "linear",
            power: float | None = None,
        ) -> None: ...

    def _lower(self) -> Timeline:
        check_power(self, "Interpolate")
        if not self.boundaries:
            raise ScheduleError("Interpolate.boundaries", "expected at least one knot; got none")
        _check_rising(self.boundaries, "Interpolate.boundaries")
        _check_count(self.values_, len(self.boundaries), "Interpolate.values", "one for each boundary")
        knots = [_exact_time(knot) for knot in self.boundaries]
        power = 1.0 if self.power is None else self.power
        parts: list[pieces.Formula] = [pieces.Constant(self.values_[0])]
        for (first, last), (start, end) in zip(
            itertools.pairwise(knots), itertools.pairwise(self.values_), strict=True
        ):
            empty = first == last
            parts.append(
                pieces.Constant(end)
                if empty
                else named_segment("Interpolate", self.shape, start, end, first, last, power)
            )
        parts.append(pieces.Constant(self.values_[-1]))
        return timeline.from_pieces((0, *knots), parts, math.ceil(knots[-1]))


class Function(Schedule, frozen=True, tag="function"):
    """A Python function of the step. It cannot be written to a file.

    Args:
        function: takes the step, an int >= 0, and returns a finite number.
        horizon: the step from which the value is held. Frameworks that compile (optax, a Keras schedule) need one,
            since they look the values up in a table; at most 2**22.

    Raises:
        ScheduleError: when asked, if the function returns anything but a finite number.

    Example:
        >>> Function(lambda step: 0.1 * 0.5**step)(2)
        0.025
    """

    function: Callable[[int], float]
    horizon: Steps | None = None

    def _lower(self) -> Timeline:
        if not callable(self.function):
            raise ScheduleError("Function.function", f"expected a function of the step; got {short(self.function)}")
        call = pieces.UserFunction(self.function, f"Function({name_of(self.function)})")
        if self.horizon is None:
            return Timeline((0,), (call,))
        return timeline.from_pieces((0, self.horizon), (call, pieces.FrozenAt(call, self.horizon)), self.horizon)


class Join(Schedule, frozen=True, tag="join"):
    """schedules[i](t - boundaries[i - 1]) from boundaries[i - 1] on: one schedule after another, each by its own clock.

    Args:
        schedules: one after another, at least one.
        boundaries: the updates at which the next one begins, rising integers, one fewer than schedules. Default: each part
            takes its own length; one of length 0 is over before it begins.

    Source: `torch.optim.lr_scheduler.SequentialLR`, `optax.join_schedules`.

    Example:
        >>> up = Linear(init_value=0.0, end_value=1.0, decay_steps=10)
        >>> schedule = Join([up, Exponential(init_value=1.0, decay_rate=0.5)])
        >>> [schedule(step) for step in (5, 10, 11)]
        [0.5, 1.0, 0.5]
    """

    schedules: tuple[Schedule, ...]
    boundaries: tuple[Steps, ...] | None = None

    if TYPE_CHECKING:

        def __init__(self, schedules: Sequence[Schedule], boundaries: Sequence[int] | None = None) -> None: ...

    def _lower(self) -> Timeline:
        _check_not_empty(self.schedules, "Join.schedules")
        boundaries = self._own_lengths() if self.boundaries is None else self.boundaries
        _check_count(boundaries, len(self.schedules) - 1, "Join.boundaries", "one fewer than schedules")
        _check_rising(boundaries, "Join.boundaries")
        return timeline.join([part.timeline for part in self.schedules], boundaries)

    def _own_lengths(self) -> tuple[int, ...]:
        boundaries, end = [], 0
        for number, part in enumerate(self.schedules[:-1]):
            if part.length is None:
                raise ScheduleError(
                    "Join.boundaries",
                    f"required, since schedules[{number}] ({kind_of(part)}) has no length of its own; got none",
                )
            end += part.length
            boundaries.append(end)
        return tuple(boundaries)


class Sum(Schedule, frozen=True, tag="sum"):
    """The sum of schedules at each step.

    Args:
        schedules: what is added, at least one.

    Example:
        >>> Sum([Constant(0.1), Linear(init_value=1.0, end_value=0.0, decay_steps=10)])(5)
        0.6
    """

    schedules: tuple[Schedule, ...]

    if TYPE_CHECKING:

        def __init__(self, schedules: Sequence[Schedule]) -> None: ...

    def _lower(self) -> Timeline:
        _check_not_empty(self.schedules, "Sum.schedules")
        return timeline.pointwise("sum", [part.timeline for part in self.schedules])


class Product(Schedule, frozen=True, tag="product"):
    """The product of schedules at each step; `schedule * 0.5` is one.

    Args:
        schedules: what is multiplied, at least one.

    Source: `torch.optim.lr_scheduler.ChainedScheduler` of factors.

    Example:
        >>> (Linear(init_value=1.0, end_value=0.0, decay_steps=10) * 0.5)(5)
        0.25
    """

    schedules: tuple[Schedule, ...]

    if TYPE_CHECKING:

        def __init__(self, schedules: Sequence[Schedule]) -> None: ...

    def _lower(self) -> Timeline:
        _check_not_empty(self.schedules, "Product.schedules")
        return timeline.pointwise("product", [part.timeline for part in self.schedules])


class Clip(Schedule, frozen=True, tag="clip"):
    """min(max(value, min_value), max_value): a clamp, where `end_value` is a floor that is reached smoothly.

    Args:
        schedule: what is kept between the limits.
        min_value: lower limit. Default: none.
        max_value: upper limit. Default: none.

    Source: `stop_factor_lr` of `mxnet.lr_scheduler.FactorScheduler`, `end_value` of `optax.exponential_decay`.

    Example:
        >>> schedule = Clip(Exponential(init_value=1.0, decay_rate=0.5), min_value=0.2)
        >>> [schedule(step) for step in (2, 3)]
        [0.25, 0.2]
    """

    schedule: Schedule
    min_value: Number | None = None
    max_value: Number | None = None

    def _lower(self) -> Timeline:
        low = -formulas.LARGEST if self.min_value is None else self.min_value
        high = formulas.LARGEST if self.max_value is None else self.max_value
        if low > high:
            raise ScheduleError("Clip.min_value", f"expected at most max_value ({high}); got {low}")
        return self.schedule.timeline.clipped(low, high)


class Shift(Schedule, frozen=True, tag="shift"):
    """schedule(max(t + steps, 0)): a schedule entered part-way; with a negative `steps`, begun later.

    Args:
        schedule: what is entered part-way, or begun later.
        steps: how many updates ahead. If negative: how many updates the first value is held before the schedule begins.

    Source: MXNet's clock, which asks a formula one step ahead; trainers that ask one update late.

    Example:
        >>> down = Linear(init_value=1.0, end_value=0.0, decay_steps=10)
        >>> Shift(down, steps=5)(0)
        0.5
        >>> [Shift(down, steps=-2)(step) for step in (0, 2, 3)]
        [1.0, 1.0, 0.9]
    """

    schedule: Schedule
    steps: Offset

    def _lower(self) -> Timeline:
        line = self.schedule.timeline
        return line.advanced(self.steps) if self.steps >= 0 else line.postponed(-self.steps)


class Repeat(Schedule, frozen=True, tag="repeat"):
    """The first `period` updates of a schedule, again and again: warm restarts, cyclic rates, a swing back up.

    Cycle n takes period * length_factor**n updates, in which the schedule is stretched, and is multiplied by
    value_factor**n; with `mirror` every second cycle runs backwards.

    Args:
        schedule: one cycle.
        period: length of the first cycle in updates, > 0; may be real. Default: the schedule's own length.
        mirror: run odd cycles backwards, as torch's CosineAnnealingLR does past T_max.
        length_factor: growth of the length per cycle, >= 1.
        value_factor: factor on the values per cycle.

    Source: Loshchilov and Hutter 2017, SGDR, https://arxiv.org/abs/1608.03983; Smith 2017, cyclical rates,
    https://arxiv.org/abs/1506.01186.

    Example:
        >>> schedule = Repeat(Cosine(init_value=0.1, end_value=0.0, decay_steps=10), length_factor=2)
        >>> [schedule(step) for step in (0, 10, 30, 70)]
        [0.1, 0.1, 0.1, 0.1]
    """

    schedule: Schedule
    period: Period | None = None
    mirror: bool = False
    length_factor: CycleGrowth = 1.0
    value_factor: Number = 1.0

    def _lower(self) -> Timeline:
        line = self.schedule.timeline
        period = _exact_time(self.period) if self.period is not None else line.length
        if period is None:
            raise ScheduleError(
                "Repeat.period",
                f"required, since a {kind_of(self.schedule)} schedule has no length of its own; got none",
            )
        if period == 0:
            raise ScheduleError("Repeat.period", "expected a schedule of at least one update to repeat; got length 0")
        if self.length_factor == 1:
            return timeline.cycles(line, period, mirror=self.mirror, value_factor=self.value_factor)
        return timeline.growing_cycles(
            line,
            period,
            mirror=self.mirror,
            value_factor=self.value_factor,
            length_factor=_exact_time(self.length_factor),
        )


class Every(Schedule, frozen=True, tag="every"):
    """schedule(t // steps): a schedule written in epochs, driven per update.

    Args:
        schedule: the schedule whose clock ticks once in `steps` updates.
        steps: updates per tick of its clock, >= 1: the steps of an epoch.

    Example:
        >>> per_epoch = Exponential(init_value=1.0, decay_rate=0.5)
        >>> schedule = Every(per_epoch, steps=100)
        >>> [schedule(step) for step in (99, 100)]
        [1.0, 0.5]
    """

    schedule: Schedule
    steps: PositiveSteps

    def _lower(self) -> Timeline:
        line = self.schedule.timeline.decimated(self.steps)
        if line.starts[-1] > _MAX_UPDATES:  # the factors of nested `Every` multiply
            raise ScheduleError(
                "Every.steps", "expected a schedule that takes at most 2**512 updates; got a longer one"
            )
        return line


KINDS: dict[str, type[Schedule]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        Constant,
        Linear,
        Polynomial,
        Cosine,
        Exponential,
        InverseTime,
        Logistic,
        PiecewiseConstant,
        Interpolate,
        Join,
        Sum,
        Product,
        Clip,
        Shift,
        Repeat,
        Every,
    )
}
"""The kinds that a file can name. `Function` is not among them: a file holds no code."""


def as_schedule(schedule: Schedule | Callable[[int], float], horizon: int | None = None) -> Schedule:
    """A schedule as it is; a Python function of the step as a `Function`.

    Args:
        schedule: either.
        horizon: for a function: the step from which its value is held, as in `Function`.

    Raises:
        ScheduleError: it is neither.

    Example:
        >>> as_schedule(lambda step: 0.1 / (step + 1))(1)
        0.05
    """
    if isinstance(schedule, Schedule):
        return schedule
    given: Any = schedule
    if isinstance(given, type) or not callable(given):
        raise ScheduleError("schedule", f"expected a lrcore schedule or a function of the step; got {short(given)}")
    function: Any = schedule
    return Function(function, horizon)


# --- checks -----------------------------------------------------------------------------------------------------------


def _check_rising(boundaries: Sequence[float], where: str) -> None:
    if all(map(operator.le, boundaries, boundaries[1:])):
        return
    for number, (before, after) in enumerate(itertools.pairwise(boundaries)):
        if after < before:
            raise ScheduleError(
                f"{where}[{number + 1}]", f"expected at least {before}, as boundaries rise; got {after}"
            )


def _check_count(given: Sequence[Any], count: int, where: str, rule: str) -> None:
    if len(given) != count:
        raise ScheduleError(where, f"expected {count} ({rule}); got {len(given)}")


def _check_not_empty(schedules: Sequence[Schedule], where: str) -> None:
    if not schedules:
        raise ScheduleError(where, "expected at least one schedule; got none")


def _exact_time(time: float) -> float:
    """Convert a whole time to an int, so that differences of times stay exact."""
    return int(time) if float(time).is_integer() else time
