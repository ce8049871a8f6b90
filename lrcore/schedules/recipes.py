"""Well-known schedules that are built from the kinds."""

from __future__ import annotations

from typing import Literal

from lrcore.errors import ScheduleError
from lrcore.records import Number, Period, Positive, PositiveSteps, Shape, Share, Steps, Time
from lrcore.schedules.calls import checks_arguments, explains_arguments
from lrcore.schedules.kinds import (
    Constant,
    Exponential,
    Interpolate,
    InverseTime,
    Join,
    Polynomial,
    Repeat,
    Shift,
)
from lrcore.schedules.schedule import Schedule


@explains_arguments("warmup_stable_decay")
@checks_arguments
def warmup_stable_decay(
    *,
    peak_value: Number,
    total_steps: Steps,
    warmup_steps: Steps,
    decay_steps: Steps,
    end_value: Number = 0.0,
    shape: Shape = "linear",
    power: Positive | None = None,
) -> Schedule:
    """Rise to a constant, and fall in the last `decay_steps` of `total_steps` updates.

    Args:
        peak_value: the constant.
        total_steps: updates of the whole run.
        warmup_steps: updates of the linear rise from 0.
        decay_steps: updates of the fall.
        end_value: value at and after `total_steps`.
        shape: how it falls: linear, cosine, 1-sqrt, 1-square, sine, log, exponential, power or
            constant.
        power: the exponent of shape power.

    Raises:
        ScheduleError: a wrong argument, or a warmup and a decay that do not fit into `total_steps`.

    Source: Hu et al. 2024, MiniCPM, https://arxiv.org/abs/2404.06395; the tail 1-sqrt: Haegele et al. 2024,
    https://arxiv.org/abs/2405.18392.

    Example:
        >>> schedule = warmup_stable_decay(peak_value=0.3, total_steps=100, warmup_steps=10, decay_steps=20)
        >>> [schedule(step) for step in (0, 10, 80, 90, 100)]
        [0.0, 0.3, 0.3, 0.15, 0.0]
    """
    start = total_steps - decay_steps
    if start < warmup_steps:
        raise ScheduleError(
            "warmup_stable_decay.total_steps",
            f"expected at least warmup_steps + decay_steps = {warmup_steps + decay_steps}; got {total_steps}",
        )
    schedule = Constant(peak_value).warmup(warmup_steps)
    return schedule.cooldown(decay_steps, start=start, end_value=end_value, shape=shape, power=power)


@explains_arguments("one_cycle")
@checks_arguments
def one_cycle(
    *,
    init_value: Number,
    peak_value: Number,
    end_value: Number,
    total_steps: PositiveSteps,
    pct_start: Share = 0.3,
    shape: Literal["cosine", "linear"] = "cosine",
    three_phase: bool = False,
) -> Schedule:
    """Rise to a peak and fall far below the start, between the knots of torch's OneCycleLR.

    The rise ends at pct_start * total_steps - 1 and the last fall at total_steps - 1, both real numbers; with
    `three_phase` a fall back to the first value, as long as the rise, comes between. The end value is held. With a large
    `pct_start` there is no last fall, because the phases before it take the whole run.

    Args:
        init_value: value at step 0; max_lr / div_factor in torch.
        peak_value: value at the top; max_lr in torch.
        end_value: value from total_steps - 1 on; init_value / final_div_factor in torch.
        total_steps: updates of the whole run.
        pct_start: part of the run that rises, from 0 to 1.
        shape: cosine or linear.
        three_phase: fall back to the first value before the last fall.

    Raises:
        ScheduleError: a wrong argument.

    Source: `torch.optim.lr_scheduler.OneCycleLR`; Smith and Topin 2018, https://arxiv.org/abs/1708.07120.

    Example:
        >>> schedule = one_cycle(init_value=0.0, peak_value=1.0, end_value=0.5, total_steps=11, pct_start=0.5)
        >>> [round(schedule(step), 3) for step in (0, 4, 5, 10, 11)]
        [0.0, 0.97, 0.99, 0.5, 0.5]
    """
    turn = float(pct_start * total_steps)
    if turn < 1:  # the phases before the last fall end before step 0: start within the fall
        ahead, top = (2, init_value) if three_phase else (1, peak_value)
        knots = [ahead * turn, total_steps - 1 + ahead]
        return Shift(Interpolate(boundaries=knots, values=[top, end_value], shape=shape), ahead)
    knots, values = [0, turn - 1], [init_value, peak_value]
    if three_phase:
        knots.append(2 * turn - 2)
        values.append(init_value)
    if knots[-1] < total_steps - 1:
        knots.append(total_steps - 1)
        values.append(end_value)
    return Interpolate(boundaries=knots, values=values, shape=shape)


@explains_arguments("cyclic")
@checks_arguments
def cyclic(
    *,
    base_value: Number,
    peak_value: Number,
    up_steps: Period,
    down_steps: Time | None = None,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    gamma: Number | None = None,
) -> Schedule:
    """Rise and fall in straight lines, again and again; the height of the triangles stays, halves or decays.

    Args:
        base_value: value at the foot of each triangle.
        peak_value: value at the top of the first.
        up_steps: updates of a rise, > 0; may be real.
        down_steps: updates of a fall. Default: up_steps.
        mode: triangular (constant height), triangular2 (halved each cycle) or exp_range (times gamma**t).
        gamma: factor per update; exp_range needs it, and the other modes have none.

    Raises:
        ScheduleError: a wrong argument.

    Source: `torch.optim.lr_scheduler.CyclicLR`; Smith 2017, https://arxiv.org/abs/1506.01186.

    Example:
        >>> schedule = cyclic(base_value=0.0, peak_value=1.0, up_steps=2, mode="triangular2")
        >>> [schedule(step) for step in range(8)]
        [0.0, 0.5, 1.0, 0.5, 0.0, 0.25, 0.5, 0.25]
    """
    if gamma is not None and mode != "exp_range":
        raise ScheduleError("cyclic.gamma", f"expected none with mode {mode!r}, which has no such factor; got {gamma}")
    if gamma is None and mode == "exp_range":
        raise ScheduleError("cyclic.gamma", "expected the factor per update of mode 'exp_range'; got none")
    knots = [0, up_steps, up_steps + (up_steps if down_steps is None else down_steps)]
    if mode == "triangular":
        return Repeat(Interpolate(boundaries=knots, values=[base_value, peak_value, base_value]), knots[-1])
    height = Interpolate(boundaries=knots, values=[0.0, peak_value - base_value, 0.0])
    if gamma is None:
        return Constant(base_value) + Repeat(height, knots[-1], value_factor=0.5)
    return Constant(base_value) + Repeat(height, knots[-1]) * Exponential(init_value=1.0, decay_rate=gamma)


@explains_arguments("polynomial_cycle")
@checks_arguments
def polynomial_cycle(
    *, init_value: Number, end_value: Number, decay_steps: PositiveSteps, power: Positive = 1.0
) -> Schedule:
    """A polynomial decay that starts again each time it has ended, each time longer and lower.

    value(t) = end + (init - end) (1 - t / (k D))**power with k = max(1, ceil(t / D)): the end value is reached at every
    multiple of D, and the step after it is back on a decay of k D updates.

    Args:
        init_value: value at step 0.
        end_value: value at every multiple of `decay_steps`.
        decay_steps: the length D of the first decay in updates, >= 1.
        power: exponent > 0.

    Raises:
        ScheduleError: a wrong argument.

    Source: `keras.optimizers.schedules.PolynomialDecay(cycle=True)`.

    Example:
        >>> schedule = polynomial_cycle(init_value=1.0, end_value=0.0, decay_steps=4)
        >>> [schedule(step) for step in (0, 2, 4, 5, 8)]
        [1.0, 0.5, 0.0, 0.375, 0.0]
    """
    decay = Polynomial(init_value=init_value - end_value, decay_steps=decay_steps, power=power)
    heights = InverseTime(init_value=1.0, decay_steps=decay_steps, power=power, staircase=True)
    later = Constant(end_value) + Repeat(Shift(decay, 1), decay_steps) * heights
    return Join([Constant(init_value), later], boundaries=[1])
