"""The names of Hugging Face's `get_scheduler`, and the equivalent schedules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from lrcore.errors import ScheduleError
from lrcore.hints import hint
from lrcore.records import NotNegative, Number, Period, Positive, Shape, Steps, short
from lrcore.schedules.calls import checked_arguments, explains_arguments
from lrcore.schedules.kinds import Constant, Cosine, Interpolate, InverseTime, Join, Linear, Polynomial, Repeat, Shift
from lrcore.schedules.plateau import Factor, Patience, Plateau, Reports
from lrcore.schedules.schedule import Schedule


def _constant(*, learning_rate: Number) -> Schedule:
    return Constant(learning_rate)


def _constant_with_warmup(*, learning_rate: Number, num_warmup_steps: Steps) -> Schedule:
    return Constant(learning_rate).warmup(num_warmup_steps)


def _linear(*, learning_rate: Number, num_warmup_steps: Steps, num_training_steps: Steps) -> Schedule:
    rest = _decay_steps(num_warmup_steps, num_training_steps)
    return _with_warmup(Linear(init_value=learning_rate, decay_steps=rest), learning_rate, num_warmup_steps)


def _polynomial(
    *,
    learning_rate: Number,
    num_warmup_steps: Steps,
    num_training_steps: Steps,
    lr_end: Number = 1e-7,
    power: Positive = 1.0,
) -> Schedule:
    rest = _decay_steps(num_warmup_steps, num_training_steps)
    decay = Polynomial(init_value=learning_rate, end_value=lr_end, decay_steps=rest, power=power)
    return _with_warmup(decay, learning_rate, num_warmup_steps)


def _inverse_sqrt(*, learning_rate: Number, num_warmup_steps: Steps, timescale: Period | None = None) -> Schedule:
    scale = (num_warmup_steps or 10_000) if timescale is None else timescale
    return InverseTime(init_value=learning_rate, decay_steps=scale, power=0.5).warmup(num_warmup_steps)


def _cosine(
    *, learning_rate: Number, num_warmup_steps: Steps, num_training_steps: Steps, num_cycles: NotNegative = 0.5
) -> Schedule:
    rest = _decay_steps(num_warmup_steps, num_training_steps)
    return _with_warmup(_cosine_periods(learning_rate, 0.0, rest, num_cycles), learning_rate, num_warmup_steps)


_MOST_CYCLES = 10_000  # each is two knots


def _cosine_with_restarts(
    *, learning_rate: Number, num_warmup_steps: Steps, num_training_steps: Steps, num_cycles: Positive = 1
) -> Schedule:
    from fractions import Fraction

    if num_cycles > _MOST_CYCLES:
        raise ScheduleError("cosine_with_restarts.num_cycles", f"expected at most {_MOST_CYCLES}; got {num_cycles:g}")
    rest = _decay_steps(num_warmup_steps, num_training_steps)
    starts = [Fraction(rest) * number / Fraction(num_cycles) for number in range(math.ceil(num_cycles) + 1)]
    knots = [float(start) for start in starts for _ in range(2)][1:-1]
    values = [learning_rate, 0.0] * (len(starts) - 1)
    restarts = Interpolate(boundaries=knots, values=values, shape="cosine")
    return _with_warmup(Join([restarts, Constant(0.0)], boundaries=[rest]), learning_rate, num_warmup_steps)


def _cosine_with_min_lr(
    *,
    learning_rate: Number,
    num_warmup_steps: Steps,
    num_training_steps: Steps,
    num_cycles: NotNegative = 0.5,
    min_lr: Number | None = None,
    min_lr_rate: Number | None = None,
) -> Schedule:
    end = _end_value(learning_rate, min_lr, min_lr_rate, "cosine_with_min_lr")
    rest = _decay_steps(num_warmup_steps, num_training_steps)
    return _with_warmup(_cosine_periods(learning_rate, end, rest, num_cycles), learning_rate, num_warmup_steps)


def _cosine_warmup_with_min_lr(
    *,
    learning_rate: Number,
    num_warmup_steps: Steps,
    num_training_steps: Steps,
    num_cycles: NotNegative = 0.5,
    min_lr: Number | None = None,
    min_lr_rate: Number | None = None,
    warmup_lr_rate: Number | None = None,
) -> Schedule:
    """Hugging Face's version is one update ahead: its peak is at num_warmup_steps - 1."""
    end = _end_value(learning_rate, min_lr, min_lr_rate, "cosine_warmup_with_min_lr")
    decay = _cosine_periods(learning_rate, end, max(1, _decay_steps(num_warmup_steps, num_training_steps)), num_cycles)
    if warmup_lr_rate is None or num_warmup_steps == 0:
        return Shift(decay.warmup(num_warmup_steps), 1)
    first = learning_rate * warmup_lr_rate
    if num_warmup_steps == 1:
        return Join([Constant(first), Shift(decay, 1)], boundaries=[1])
    return decay.warmup(num_warmup_steps - 1, init_value=first)


def _warmup_stable_decay(
    *,
    learning_rate: Number,
    num_warmup_steps: Steps,
    num_decay_steps: Steps,
    num_training_steps: Steps | None = None,
    num_stable_steps: Steps | None = None,
    warmup_type: Shape = "linear",
    decay_type: Shape = "cosine",
    min_lr_ratio: Number = 0.0,
    num_cycles: NotNegative = 0.5,
) -> Schedule:
    if num_stable_steps is None:
        if num_training_steps is None:
            raise ScheduleError("warmup_stable_decay.num_stable_steps", "required without num_training_steps; got none")
        num_stable_steps = num_training_steps - num_warmup_steps - num_decay_steps
        if num_stable_steps < 0:
            least = num_warmup_steps + num_decay_steps
            raise ScheduleError(
                "warmup_stable_decay.num_training_steps",
                f"expected at least num_warmup_steps + num_decay_steps = {least}; got {num_training_steps}",
            )
    end = learning_rate * min_lr_ratio
    start = num_warmup_steps + num_stable_steps
    stable = Constant(learning_rate).warmup(num_warmup_steps, init_value=end, shape=warmup_type)
    if decay_type == "cosine" and num_cycles != 0.5:
        waves = _cosine_periods(learning_rate, end, num_decay_steps, num_cycles)
        return Join([stable, waves, Constant(end)], boundaries=[start, start + num_decay_steps])
    return stable.cooldown(num_decay_steps, start=start, end_value=end, shape=decay_type)


def _reduce_lr_on_plateau(
    *,
    learning_rate: Number,
    mode: Literal["min", "max"] = "min",
    factor: Factor = 0.1,
    patience: Patience = 10,
    threshold: Number = 1e-4,
    threshold_mode: Literal["rel", "abs"] = "rel",
    cooldown: Reports = 0,
    min_lr: NotNegative = 0.0,
    eps: NotNegative = 1e-8,
) -> Plateau:
    """torch's ReduceLROnPlateau; its absolute `min_lr` and `eps` are divided by the learning rate."""
    relative = threshold_mode == "rel"
    return Plateau(
        Constant(learning_rate),
        mode=mode,
        factor=factor,
        patience=patience,
        rtol=threshold if relative else 0.0,
        atol=0.0 if relative else threshold,
        cooldown=cooldown,
        min_scale=min(min_lr / learning_rate, 1.0) if learning_rate > 0 else 1.0,
        eps=eps / learning_rate if learning_rate > 0 else 0.0,
        arithmetic="torch",
    )


def _greedy(**options: Any) -> Schedule:
    raise ScheduleError(
        "from_name",
        "greedy has no schedule: it raises and lowers the rate by the metric of the run; "
        "use reduce_lr_on_plateau, which only lowers it",
    )


_NAMES: dict[str, Callable[..., Schedule | Plateau]] = {
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _cosine_with_restarts,
    "polynomial": _polynomial,
    "constant": _constant,
    "constant_with_warmup": _constant_with_warmup,
    "inverse_sqrt": _inverse_sqrt,
    "reduce_lr_on_plateau": _reduce_lr_on_plateau,
    "cosine_with_min_lr": _cosine_with_min_lr,
    "cosine_warmup_with_min_lr": _cosine_warmup_with_min_lr,
    "warmup_stable_decay": _warmup_stable_decay,
    "greedy": _greedy,
}
_LENGTH_OPTIONS = ("num_warmup_steps", "num_training_steps")


@explains_arguments("from_name")
def from_name(name: str, *, learning_rate: float, **options: Any) -> Schedule | Plateau:
    """The schedule that Hugging Face's `get_scheduler` gives for a name; past the end it holds, where theirs rebounds.

    As in theirs, a warmup that takes all of num_training_steps, or more, leaves the decay no update: the run only rises.

    Args:
        name: linear, cosine, cosine_with_restarts, polynomial, constant, constant_with_warmup, inverse_sqrt,
            reduce_lr_on_plateau, cosine_with_min_lr, cosine_warmup_with_min_lr or warmup_stable_decay.
        learning_rate: the optimizer's rate, which their factors multiply.
        options: num_warmup_steps and num_training_steps (both may be given to any name, as theirs), and the name's own
            options as in transformers: num_cycles, lr_end, power, timescale, min_lr, min_lr_rate, ...

    Returns:
        A schedule; for reduce_lr_on_plateau a `Plateau`.

    Raises:
        ScheduleError: an unknown name or option, a missing one, a wrong value; greedy, which is no schedule.

    Source: `transformers.get_scheduler`.

    Example:
        >>> from_name("linear", learning_rate=0.1, num_warmup_steps=10, num_training_steps=110)
        Linear(init_value=0.1, decay_steps=100).warmup(steps=10)
    """
    if name not in _NAMES:
        known = ", ".join(_NAMES)
        raise ScheduleError(
            "from_name",
            f"expected one of {known}; got {short(name)}{hint(name, ['name', 'kind'], _NAMES, python=True)}",
        )
    make = _NAMES[name]
    if name == "greedy":
        return make()
    from inspect import signature  # importing inspect takes as long as importing lrcore

    parameters = signature(make).parameters
    for option in options:
        if option not in parameters and option not in _LENGTH_OPTIONS:
            raise ScheduleError(
                name,
                f"expected options from {', '.join(parameters)}; "
                f"got {option!r}{hint(option, ['from_name'], parameters, python=True)}",
            )
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option != "learning_rate" and options.get(option) is None:
            raise ScheduleError(f"{name}.{option}", "required; got none")
    given = checked_arguments(name, make, {"learning_rate": learning_rate, **options})
    try:
        return make(**given)
    except ArithmeticError as error:
        raise ScheduleError(name, f"expected numbers that give a schedule; got {given} ({error})") from None


def _decay_steps(num_warmup_steps: int, num_training_steps: int) -> int:
    """The updates after the warmup; 0 if the warmup takes the whole run or more."""
    return max(0, num_training_steps - num_warmup_steps)


def _with_warmup(decay: Schedule, learning_rate: float, steps: int) -> Schedule:
    """Put a linear warmup before the decay.

    A decay of 0 updates starts at its end value, so the warmup to the learning rate is joined to it.
    """
    if decay(0) == learning_rate:
        return decay.warmup(steps)
    return Join([Linear(init_value=0.0, end_value=learning_rate, decay_steps=steps), decay], boundaries=[steps])


def _end_value(learning_rate: float, min_lr: float | None, min_lr_rate: float | None, name: str) -> float:
    """The end value, which exactly one of `min_lr` and `min_lr_rate` gives."""
    if (min_lr is None) == (min_lr_rate is None):
        raise ScheduleError(f"{name}.min_lr", f"expected either min_lr or min_lr_rate; got {min_lr} and {min_lr_rate}")
    return min_lr if min_lr is not None else learning_rate * (min_lr_rate or 0.0)


def _cosine_periods(init_value: float, end_value: float, steps: int, num_cycles: float) -> Schedule:
    """`num_cycles` periods of a cosine in `steps` updates, then constant; half a period is the usual decay."""
    if num_cycles == 0.5:
        return Cosine(init_value=init_value, end_value=end_value, decay_steps=steps)
    if steps == 0 or num_cycles == 0:
        return Constant(init_value)
    from fractions import Fraction

    half = float(Fraction(steps) / Fraction(num_cycles) / 2)
    wave = Repeat(Interpolate(boundaries=[0, half], values=[init_value, end_value], shape="cosine"), half, mirror=True)
    return Join([wave, Constant(wave(steps))], boundaries=[steps])
