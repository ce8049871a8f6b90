"""Converts the schedules of optax to lrcore.

The input is a function of `optax.schedules` with its arguments, since the closure that it returns does not expose them.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import optax
import optax.contrib

import lrcore
from lrcore import adapting
from lrcore_optax._counts import current_step
from lrcore_optax._schedule import TableSchedule

WHERE = "lrcore_optax.from_native"


def from_native(
    native: Any,
    *args: Any,
    base_lr: float | lrcore.Schedule | TableSchedule | None = None,
    **options: Any,
) -> lrcore.Schedule | Any:
    """Convert the schedule that a function of `optax.schedules` makes from these arguments.

    Args:
        native: the function, such as `optax.cosine_decay_schedule`; what `lrcore_optax.as_schedule` returned; or a
            function of the count of your own, which becomes a `lrcore.Function`.
        args: its arguments. For schedules among them (`join_schedules`), pass lrcore schedules, results of
            `lrcore_optax.as_schedule`, or Python functions of the step.
        base_lr: for `optax.contrib.reduce_on_plateau`: the rate that it scales, a number or a schedule; default 1.
        options: its arguments by name.

    Returns:
        A schedule with the native's value at every step; for reduce_on_plateau a `lrcore.Plateau`. The native already scales
        the update that receives the metric, as `lrcore_optax.reduce_on_plateau` does: so call `Plateau.update` before
        `Plateau.value`.

    Raises:
        lrcore.ScheduleError: an unknown function, or arguments that optax refuses or that make the rate infinite.

    Example:
        >>> import optax
        >>> from_native(optax.cosine_decay_schedule, 0.5, decay_steps=100, alpha=0.1)
        Cosine(init_value=0.5, end_value=0.05, decay_steps=100)
    """
    converter = _CONVERTERS.get(native) if callable(native) else None
    if converter is None:
        return _without_converter(native, args, options)
    given = _arguments(native, args, options)
    if native is optax.contrib.reduce_on_plateau:
        given["base_lr"] = 1.0 if base_lr is None else base_lr
    elif base_lr is not None:
        raise lrcore.ScheduleError(f"{WHERE}.base_lr", f"goes with reduce_on_plateau alone; got {base_lr!r}")
    return converter(**given)


def native_step(native: Any) -> int:
    """The number of updates already made, as the state of an optax optimizer counts them.

    Args:
        native: the state of an optimizer.

    Raises:
        lrcore.ScheduleError: the state holds no count, or counts that differ.

    Example:
        >>> import optax
        >>> native_step(optax.adam(optax.linear_schedule(0.5, 0.0, 4)).init(0.0))
        0
    """
    return current_step(native)


# --- one converter per function, with the same parameters -------------------------------------------------------------


def _constant(value: float) -> lrcore.Schedule:
    return lrcore.Constant(value)


def _linear(
    init_value: float, end_value: float, transition_steps: float, transition_begin: float = 0
) -> lrcore.Schedule:
    return _polynomial(init_value, end_value, 1, transition_steps, transition_begin)


def _polynomial(
    init_value: float, end_value: float, power: float, transition_steps: float, transition_begin: float
) -> lrcore.Schedule:
    if transition_steps <= 0 or power == 0:
        return lrcore.Constant(init_value)
    _check_exponent(power, "power")
    ramp: dict[str, Any] = {"init_value": init_value, "end_value": end_value, "decay_steps": transition_steps}
    if transition_begin <= 0 and _is_whole(transition_steps):
        return lrcore.Linear(**ramp) if power == 1 else lrcore.Polynomial(**ramp, power=power)
    begin = max(transition_begin, 0)
    shape: dict[str, Any] = {"shape": "linear"} if power == 1 else {"shape": "power", "power": power}
    return lrcore.Interpolate(boundaries=[begin, begin + transition_steps], values=[init_value, end_value], **shape)


def _piecewise_constant(init_value: float, boundaries_and_scales: Mapping[float, float] | None) -> lrcore.Schedule:
    boundaries, values = [], [init_value]
    for boundary, scale in sorted((boundaries_and_scales or {}).items()):
        boundaries.append(max(math.ceil(boundary), 0))
        values.append(values[-1] * scale)
    return lrcore.PiecewiseConstant(boundaries=boundaries, values=values)


def _exponential(
    init_value: float,
    transition_steps: float,
    decay_rate: float,
    transition_begin: int,
    staircase: bool,
    end_value: float | None,
) -> lrcore.Schedule:
    if transition_steps <= 0 or decay_rate == 0:
        return lrcore.Constant(init_value)
    decay: lrcore.Schedule = lrcore.Exponential(
        init_value=init_value, decay_rate=decay_rate, decay_steps=transition_steps, staircase=staircase
    )
    if transition_begin > 0:
        decay = decay.warmup(transition_begin, init_value=init_value, shape="constant")
    if end_value is None:
        return decay
    return lrcore.Clip(decay, min_value=end_value) if decay_rate < 1 else lrcore.Clip(decay, max_value=end_value)


def _cosine(init_value: float, decay_steps: float, alpha: float, exponent: float) -> lrcore.Schedule:
    if exponent == 0:
        return lrcore.Constant(init_value)
    _check_exponent(exponent, "exponent")
    end_value = init_value * alpha
    if exponent == 1 and not _is_whole(decay_steps):
        return lrcore.Interpolate(boundaries=[0, decay_steps], values=[init_value, end_value], shape="cosine")
    ramp: dict[str, Any] = {"init_value": init_value, "end_value": end_value, "decay_steps": decay_steps}
    return lrcore.Cosine(**ramp, exponent=exponent)


def _piecewise_interpolate(
    interpolate_type: Literal["linear", "cosine"],
    init_value: float,
    boundaries_and_scales: Mapping[float, float] | None,
) -> lrcore.Schedule:
    if not boundaries_and_scales:
        return lrcore.Constant(init_value)
    return _interpolate_scaled(interpolate_type, init_value, boundaries_and_scales.items())


def _linear_onecycle(
    transition_steps: float,
    peak_value: float,
    pct_start: float,
    pct_final: float,
    div_factor: float,
    final_div_factor: float,
) -> lrcore.Schedule:
    top, low = int(pct_start * transition_steps), int(pct_final * transition_steps)
    scales = [(top, div_factor), (low, 1 / div_factor), (transition_steps, 1 / final_div_factor)]
    return _interpolate_scaled("linear", peak_value / div_factor, scales)


def _cosine_onecycle(
    transition_steps: float, peak_value: float, pct_start: float, div_factor: float, final_div_factor: float
) -> lrcore.Schedule:
    top, end = int(pct_start * transition_steps), int(transition_steps)
    scales = [(top, div_factor), (end, 1 / (div_factor * final_div_factor))]
    return _interpolate_scaled("cosine", peak_value / div_factor, scales)


def _warmup_constant(init_value: float, peak_value: float, warmup_steps: int) -> lrcore.Schedule:
    return _with_warmup(init_value, peak_value, warmup_steps, lrcore.Constant(peak_value))


def _warmup_cosine(
    init_value: float, peak_value: float, warmup_steps: int, decay_steps: float, end_value: float, exponent: float
) -> lrcore.Schedule:
    alpha = 0.0 if peak_value == 0 else end_value / peak_value
    return _with_warmup(
        init_value, peak_value, warmup_steps, _cosine(peak_value, decay_steps - warmup_steps, alpha, exponent)
    )


def _warmup_exponential(init_value: float, peak_value: float, warmup_steps: int, **decay: Any) -> lrcore.Schedule:
    return _with_warmup(init_value, peak_value, warmup_steps, _exponential(peak_value, **decay))


def _sgdr(cosine_kwargs: Sequence[Mapping[str, Any]]) -> lrcore.Schedule:
    cycles = [from_native(optax.warmup_cosine_decay_schedule, **options) for options in cosine_kwargs]
    ends = itertools.accumulate(options["decay_steps"] for options in cosine_kwargs)
    return _join(cycles, list(ends)[:-1])


def _join(schedules: Sequence[Any], boundaries: Iterable[int]) -> lrcore.Schedule:
    """As in optax, a boundary overrides earlier ones that are not smaller, and schedules without a boundary are ignored."""
    parts: list[tuple[int, lrcore.Schedule]] = []
    for start, schedule in zip((0, *boundaries), schedules, strict=False):  # not strict, as in optax
        parts = [*(part for part in parts if part[0] < start), (start, _to_lrcore(schedule))]
    if parts and parts[0][0] < 0:
        raise lrcore.ScheduleError(f"{WHERE}.boundaries", f"expected integers >= 0; got {parts[0][0]}")
    if len(parts) == 1:
        return parts[0][1]
    return lrcore.Join([schedule for _, schedule in parts], boundaries=[start for start, _ in parts[1:]])


def _reduce_on_plateau(
    base_lr: float | lrcore.Schedule | TableSchedule,
    factor: float,
    patience: float,
    rtol: float,
    atol: float,
    cooldown: float,
    accumulation_size: float,
    min_scale: float,
) -> lrcore.Plateau:
    schedule = lrcore.Constant(base_lr) if isinstance(base_lr, (int, float)) else _to_lrcore(base_lr)
    if not (_is_whole(patience) and patience >= 0 and _is_whole(accumulation_size) and accumulation_size >= 1):
        return lrcore.Plateau(schedule, min_scale=1.0)  # optax tests counts with ==, so it never reduces
    return lrcore.Plateau(
        schedule,
        factor=factor,
        patience=int(patience) - 1,
        rtol=rtol,
        atol=atol,
        cooldown=max(int(cooldown), 0),
        min_scale=max(min_scale, 0.0),
        accumulate=int(accumulation_size),
        arithmetic="optax",
    )


_CONVERTERS: dict[Callable[..., Any], Callable[..., lrcore.Schedule | lrcore.Plateau]] = {
    optax.constant_schedule: _constant,
    optax.linear_schedule: _linear,
    optax.polynomial_schedule: _polynomial,
    optax.piecewise_constant_schedule: _piecewise_constant,
    optax.exponential_decay: _exponential,
    optax.cosine_decay_schedule: _cosine,
    optax.piecewise_interpolate_schedule: _piecewise_interpolate,
    optax.linear_onecycle_schedule: _linear_onecycle,
    optax.cosine_onecycle_schedule: _cosine_onecycle,
    optax.warmup_constant_schedule: _warmup_constant,
    optax.warmup_cosine_decay_schedule: _warmup_cosine,
    optax.warmup_exponential_decay_schedule: _warmup_exponential,
    optax.sgdr_schedule: _sgdr,
    optax.join_schedules: _join,
    optax.contrib.reduce_on_plateau: _reduce_on_plateau,
}


# --- helpers ----------------------------------------------------------------------------------------------------------


def _interpolate_scaled(
    shape: Literal["linear", "cosine"], init_value: float, scales: Iterable[tuple[float, float]]
) -> lrcore.Schedule:
    """Interpolate between knots, where each value is the previous one times a scale; scales at the same step multiply."""
    knots, values = [0.0], [init_value]
    for knot, scale in sorted(scales, key=lambda pair: pair[0]):
        if math.floor(knots[-1]) + 1 < knot < knots[-1] + 1:
            raise lrcore.ScheduleError(
                WHERE, f"expected boundaries that are integers or 1 apart; got {knots[-1]} and {knot}"
            )
        knots.append(knot)
        values.append(values[-1] * scale)
    return lrcore.Interpolate(boundaries=knots, values=values, shape=shape)


def _with_warmup(init_value: float, peak_value: float, steps: int, decay: lrcore.Schedule) -> lrcore.Schedule:
    """The decay after a warmup to `peak_value`; a join, if clipping makes the decay begin at another value."""
    if steps == 0:
        return decay
    if decay(0) == peak_value:
        return decay.warmup(steps, init_value=init_value)
    warmup = lrcore.Linear(init_value=init_value, end_value=peak_value, decay_steps=steps)
    return lrcore.Join([warmup, decay], boundaries=[steps])


def _to_lrcore(schedule: Any) -> lrcore.Schedule:
    if isinstance(schedule, TableSchedule):
        return schedule.schedule
    if factory := _optax_factory(schedule):
        raise lrcore.ScheduleError(
            WHERE,
            f"expected lrcore schedules as parts; got one of optax; import it first: from_native(optax.{factory}, ...)",
        )
    return adapting.as_schedule(schedule)


def _arguments(native: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
    """All arguments by name, with defaults; raises if optax refuses them."""
    try:
        bound = inspect.signature(native).bind(*args, **options)
        bound.apply_defaults()
        given = {name: list(value) if isinstance(value, Iterator) else value for name, value in bound.arguments.items()}
        native(**given)
    except (TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise lrcore.ScheduleError(WHERE, f"expected what optax.{native.__name__} takes; got: {error}") from None
    return given


def _without_converter(native: Any, args: tuple[Any, ...], options: dict[str, Any]) -> lrcore.Schedule:
    """Convert what has no converter: a schedule of lrcore, or a user's function of the count."""
    if factory := _optax_factory(native):
        raise lrcore.ScheduleError(
            WHERE, f"expected optax.{factory} and its arguments; got what it returned, which does not expose them"
        )
    from_optax = str(getattr(native, "__module__", "")).startswith("optax.")
    if not callable(native) or isinstance(native, type) or from_optax or args or options:
        known = ", ".join(function.__name__ for function in _CONVERTERS)
        raise lrcore.ScheduleError(
            WHERE, f"expected one of {known} and its arguments; got {getattr(native, '__name__', native)!r}"
        )
    return _to_lrcore(native)


def _optax_factory(schedule: Any) -> str | None:
    """The name of the optax function that returned this closure, or None."""
    function, local, _ = str(getattr(schedule, "__qualname__", "")).partition(".<locals>.")
    return function if local and schedule.__module__.startswith("optax.") else None


def _check_exponent(exponent: float, name: str) -> None:
    if exponent < 0:
        raise lrcore.ScheduleError(
            f"{WHERE}.{name}",
            f"expected a number >= 0, since with a negative one the rate is infinite at the end; got {exponent}",
        )


def _is_whole(number: float) -> bool:
    return float(number).is_integer()
