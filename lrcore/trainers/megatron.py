"""Megatron-LM's flags: megatron/core/optimizer_param_scheduler.py; megatron/training/training.py makes samples of the lengths.

The scheduler counts samples; an update has the rate of the samples before it, f(n). A warmup that is a share is not rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import (
    Clip,
    Clock,
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    Shift,
    Sum,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.batch_ramps import Knots, equal_increments, read_steps, steps
from lrcore.trainers.idioms import told_total, warmup_laid_over

FOLLOWS = "megatron-core 0.16.1"
FACTS = {"lr": "the peak, where the flags have no --lr"}
_OWN = (
    "lr_",
    "min_lr",
    "decoupled_",
    "rampup_",
    "start_w",
    "end_w",
    "weight_decay_",
    "wsd_",
    "wd_",
    "init_lr",
    "max_lr",
)
_TABLES = ("train", "training", "model", "optim", "optimizer", "scheduler")
_STYLES = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
_TAILS: dict[str, Any] = {"linear": "linear", "cosine": "cosine", "minus_sqrt": "1-sqrt", "exponential": ""}
_TOKENS = ("lr_decay_tokens", "lr_warmup_tokens", "train_tokens")

_RAMP = "rampup_batch_size acts as in megatron-core 0.16; main of 2026-08 ignores it, and has step_batch_size_schedule."


def read(options: Options, facts: Facts) -> Taken:
    """Read flags, their YAML, Megatron Bridge's tables, or the arguments of OptimizerParamScheduler."""
    options = _flat(options).own(*_OWN)
    options.refuse(*_TOKENS, why="expected lengths in iterations or samples, and a batch that is constant or ramps up")
    options.ignore("lr_scheduler", *(name for name in options if name.endswith("opt_param_scheduler")))
    clock = _clock(options, facts)
    peak, floor = facts.lr(options, "lr", "max_lr"), options.number("min_lr", default=0.0, least=0)
    first = options.number("lr_warmup_init", "init_lr", default=0.0)
    curve = _curve(options, clock, first)
    groups: dict[str, Schedule | float] = {}
    if options.given("decoupled_lr"):
        top, least = options.number("decoupled_lr"), options.number("decoupled_min_lr", default=floor)
        groups["embedding_or_output"] = clock.in_updates(curve(top, least))
    _check_rates(options, first, floor, peak)
    notes = (_RAMP,) if options.given("rampup_batch_size") else ()
    return Taken(clock.in_updates(curve(peak, floor)), _weight_decay(options, clock), groups, notes)


def _flat(options: Options) -> Options:
    """The options of Megatron Bridge's tables as one; flags are one already."""
    tables = [options.raw(name) for name in _TABLES if isinstance(options.raw(name), dict)]
    if not tables:
        return options
    merged = {name: options.raw(name) for name in options if name not in _TABLES}
    for table in tables:
        merged.update({name: value for name, value in table.items() if value is not None})
    return Options(merged, options.where())


def _check_rates(options: Options, first: float, floor: float, peak: float) -> None:
    if not floor <= peak:
        raise options.error("min_lr", f"expected at most --lr = {peak!r}; got {floor!r}")
    if not first <= peak:
        raise options.error("lr_warmup_init", f"expected at most --lr = {peak!r}; got {first!r}")


# --- lengths ----------------------------------------------------------------------------------------------------------


class _Ticks(NamedTuple):
    """What the lengths count, and how updates become it.

    Attributes:
        total: the run.
        decay: where the decay ends.
        warmup: how long the warmup is; a share of the decay may be no whole number.
        tail: the length of WSD's tail, if it is given.
        knots: what the clock shows at updates; none where the lengths are updates.
    """

    total: int | None
    decay: int
    warmup: Fraction
    tail: int | None
    knots: Knots

    def in_updates(self, schedule: Schedule) -> Schedule:
        """The schedule by updates."""
        if not self.knots:
            return schedule
        boundaries, times = zip(*self.knots, strict=True)
        return Clock(schedule, boundaries=boundaries, times=times)


def _clock(options: Options, facts: Facts) -> _Ticks:
    samples = ("train_samples", "lr_decay_samples", "lr_decay_steps", "lr_warmup_samples", "lr_warmup_steps")
    ramps = options.values("rampup_batch_size", default=None)
    if not options.given("train_iters") and any(map(options.given, samples)):
        ticks = _by_samples(options, facts)
        if options.given("step_batch_size_schedule"):
            return _stepped(ticks, options)
        if ramps is not None:
            return _ramped(ticks, options, facts)
        batch = _batch(options, facts)
        keeps = _needs_samples(options, ticks, batch)
        return ticks._replace(knots=((1, batch),)) if keeps else _shortened(ticks, batch)
    options.refuse("step_batch_size_schedule", why="expected lengths in samples beside it")
    ticks = _by_updates(options, facts)
    if ramps is not None:
        return _ramped(_times(ticks, _batch(options, facts)), options, facts)
    if _needs_samples(options, ticks, 1):
        batch = _batch(options, facts)
        return _times(ticks, batch)._replace(knots=((1, batch),))
    return ticks


def _needs_samples(options: Options, ticks: _Ticks, batch: int) -> bool:
    """Whether the curve is one of samples: an inverse square root, whose warmup is at least one sample."""
    return bool(options.raw("lr_decay_style") == "inverse-square-root" and ticks.warmup < batch)


def _by_updates(options: Options, facts: Facts) -> _Ticks:
    others = ("train_samples", "lr_decay_samples", "lr_warmup_samples", "lr_wsd_decay_samples")
    options.refuse(*others, why="expected lengths in iterations, as train_iters is")
    total = told_total(facts, options, "train_iters")
    decay = options.whole("lr_decay_iters", default=total, least=1)
    warmup = _warmup(options, decay, "lr_warmup_iters")
    return _Ticks(total, decay, warmup, options.whole("lr_wsd_decay_iters", default=None, least=1), ())


def _by_samples(options: Options, facts: Facts) -> _Ticks:
    others = ("lr_decay_iters", "lr_warmup_iters", "lr_wsd_decay_iters")
    options.refuse(*others, why="expected lengths in samples, as train_samples is")
    total = options.whole("train_samples", default=None, least=1)
    names = ("lr_decay_samples", "lr_decay_steps")
    decay = options.whole(*names, default=total, least=1) if total else options.whole(*names, least=1)
    tail = options.whole("lr_wsd_decay_samples", "wsd_decay_steps", default=None, least=1)
    return _Ticks(total, decay, _warmup(options, decay, "lr_warmup_samples", "lr_warmup_steps"), tail, ())


def _warmup(options: Options, decay: int, *names: str) -> Fraction:
    """The warmup, which ends before the decay does."""
    share = options.number("lr_warmup_fraction", default=None, least=0)
    steps = options.number(*names, default=0.0, least=0)
    if share is not None and steps:
        raise options.error(names[0], f"expected lr_warmup_fraction or {names[0]}; got both")
    found = Fraction(repr(share)) * decay if share is not None else Fraction(repr(steps))
    if found >= decay:
        raise options.error(
            "lr_warmup_fraction" if share is not None else names[0],
            f"expected a warmup that ends before the decay does, at {decay}; got {float(found):g}",
        )
    return found


def _batch(options: Options, facts: Facts) -> int:
    """The samples of an update."""
    given = options.whole("global_batch_size", default=None, least=1)
    told = facts.batch_size(default=None)
    if given and told and given != told:
        raise options.error("global_batch_size", f"expected the run's batch_size, {told}, or none; got {given}")
    found: int = given or facts.batch_size()
    return found


def _times(ticks: _Ticks, batch: int) -> _Ticks:
    total, decay, warmup, tail, _ = ticks
    return _Ticks(total and total * batch, decay * batch, warmup * batch, tail and tail * batch, ())


def _shortened(ticks: _Ticks, batch: int) -> _Ticks:
    """Lengths in updates where all of them are whole ones, else in samples."""
    total, decay, warmup, tail, _ = ticks
    if any(length % batch for length in (total or 0, decay, tail or 0)) or warmup % batch:
        return ticks._replace(knots=((1, batch),))
    return _Ticks(total and total // batch, decay // batch, warmup / batch, tail and tail // batch, ())


def _ramped(ticks: _Ticks, options: Options, facts: Facts) -> _Ticks:
    options.refuse("decrease_batch_size_if_needed", why="expected a batch ramp whose sizes are used as they are")
    sizes = options.wholes("rampup_batch_size")
    batch = _batch(options, facts)
    if len(sizes) != 3 or sizes[1] <= 0 or batch <= sizes[0] or (batch - sizes[0]) % sizes[1]:
        raise options.error(
            "rampup_batch_size", f"expected a first size, an increment that leads to {batch}, and samples; got {sizes}"
        )
    return ticks._replace(knots=equal_increments(sizes[0], sizes[1], sizes[2], batch))


def _stepped(ticks: _Ticks, options: Options) -> _Ticks:
    options.refuse("decrease_batch_size_if_needed", "global_batch_size", why="expected step_batch_size_schedule alone")
    try:
        sizes = read_steps(options.word("step_batch_size_schedule"), options.whole("seq_length", least=1))
    except ValueError as error:
        if isinstance(error, ScheduleError):
            raise
        problem = "expected places in tokens from 0 on and sizes, such as '0:768 250B:1536'"
        raise options.error(
            "step_batch_size_schedule", f"{problem}; got {options.raw('step_batch_size_schedule')!r}"
        ) from None
    return ticks._replace(knots=steps(sizes))


# --- curves -----------------------------------------------------------------------------------------------------------


def _curve(options: Options, ticks: _Ticks, first: float) -> Callable[[float, float], Schedule]:
    """The curve of a peak and a floor, in the lengths' unit."""
    style = options.word("lr_decay_style", default="linear", choices=_STYLES)
    decay, warmup = ticks.decay, ticks.warmup
    whole = int(warmup) if warmup.denominator == 1 else None

    def made(peak: float, floor: float) -> Schedule:
        if style == "inverse-square-root":
            return _inverse_square_root(ticks, peak, floor, first)
        if style == "WSD":
            return _stable(options, ticks, peak, floor, first)
        if whole is None:
            body = Constant(peak) if style == "constant" else _between(warmup, decay, peak, floor, style)
            return warmup_laid_over(body, warmup, first, peak)
        return _plain(style, peak, floor, decay - whole).warmup(whole, init_value=first)

    return made


def _plain(style: str, peak: float, floor: float, steps: int) -> Schedule:
    if style == "constant":
        return Constant(peak)
    return (Cosine if style == "cosine" else Linear)(init_value=peak, end_value=floor, decay_steps=steps)


def _between(start: Fraction, end: int, peak: float, floor: float, shape: Any) -> Schedule:
    return Interpolate(boundaries=[float(start), end], values=[peak, floor], shape=shape)


def _inverse_square_root(ticks: _Ticks, peak: float, floor: float, first: float) -> Schedule:
    """peak sqrt(W / n), at least the floor, and the floor at once past the decay; without a warmup W is one sample."""
    warmup, decay = ticks.warmup, ticks.decay
    if warmup.denominator == 1 and warmup:
        fall = InverseTime(init_value=peak, decay_steps=int(warmup), power=0.5)
        risen = Clip(fall, min_value=floor).warmup(int(warmup), init_value=first)
        return Join([risen, Constant(floor)], boundaries=[decay + 1])
    begin = math.floor(warmup) + 1
    start = peak * math.sqrt(max(warmup, Fraction(1)) / begin)
    clipped = Clip(InverseTime(init_value=start, decay_steps=begin, power=0.5), min_value=floor)
    rise = Interpolate(boundaries=[0, float(warmup)], values=[first, peak]) if warmup else Constant(peak)
    return Join([rise, clipped, Constant(floor)], boundaries=[begin, decay + 1])


def _stable(options: Options, ticks: _Ticks, peak: float, floor: float, first: float) -> Schedule:
    """The peak until the tail begins, then the tail."""
    if ticks.tail is None:
        raise options.error("lr_wsd_decay_iters", "expected the length of the tail; got none")
    word = options.word("lr_wsd_decay_style", default="exponential", choices=list(_TAILS))
    start, shape = ticks.decay - ticks.tail, _TAILS[word]
    whole = ticks.warmup.denominator == 1 and ticks.warmup <= start
    if whole and shape:
        risen = Constant(peak).warmup(int(ticks.warmup), init_value=first)
        return risen.cooldown(ticks.tail, start=start, end_value=floor, shape=shape)
    if whole:
        return _halving(peak, floor, start - int(ticks.warmup), ticks.tail).warmup(int(ticks.warmup), init_value=first)
    skipped = max(0, -start)
    if shape:
        body = Constant(peak).cooldown(ticks.tail, start=max(0, start), end_value=floor, shape=shape)
    else:
        body = _halving(peak, floor, max(0, start), ticks.tail)
    return warmup_laid_over(Shift(body, skipped), ticks.warmup, first, peak)


def _halving(peak: float, floor: float, start: int, steps: int) -> Schedule:
    """From `start` on 2 * 0.5**x - 1 of the way is left, x the part of the steps that is gone."""
    way = peak - floor
    halves = Exponential(init_value=2 * way, decay_rate=0.5, decay_steps=steps)
    tail = Join([Sum([Constant(floor - way), halves]), Constant(floor)], boundaries=[steps])
    return Join([Constant(peak), tail], boundaries=[start]) if start else tail


# --- weight decay -----------------------------------------------------------------------------------------------------


def _weight_decay(options: Options, ticks: _Ticks) -> dict[str, Schedule]:
    """The weight decay: constant, or from start to end over the run."""
    style = options.word(
        "weight_decay_incr_style", "wd_incr_style", default="constant", choices=("constant", "linear", "cosine")
    )
    start, end = (options.number(f"{end}_weight_decay", f"{end}_wd", default=None) for end in ("start", "end"))
    if style == "constant":
        decay = options.number("weight_decay", default=start)
        return {} if decay is None else {"weight_decay": Constant(decay)}
    if start is None or end is None:
        missing = "start_weight_decay" if start is None else "end_weight_decay"
        raise options.error(missing, f"expected a number, for weight_decay_incr_style = {style}; got none")
    steps = options.whole("wd_incr_steps", default=ticks.total, least=1)
    return {"weight_decay": ticks.in_updates(_plain(style, start, end, steps))}
