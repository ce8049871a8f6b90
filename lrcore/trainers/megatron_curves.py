"""Megatron's curves: a warmup that need not be whole, then one of five styles, and the floor past the decay."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from lrcore.configs.options import Options
from lrcore.schedules.kinds import (
    Clip,
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
from lrcore.trainers.idioms import warmup_laid_over
from lrcore.trainers.megatron_lengths import Lengths

_STYLES = ("constant", "linear", "cosine", "inverse-square-root", "WSD")
_TAILS: dict[str, Any] = {"linear": "linear", "cosine": "cosine", "minus_sqrt": "1-sqrt", "exponential": ""}


def curve(options: Options, lengths: Lengths, first: float) -> Callable[[float, float], Schedule]:
    """The curve of a peak and a floor, in the lengths' unit."""
    style = options.word("lr_decay_style", default="linear", choices=_STYLES)
    decay, warmup = lengths.decay, lengths.warmup
    whole = int(warmup) if warmup.denominator == 1 else None

    def made(peak: float, floor: float) -> Schedule:
        if style == "inverse-square-root":
            return _inverse_square_root(lengths, peak, floor, first)
        if style == "WSD":
            return _stable(options, lengths, peak, floor, first)
        if whole is None:
            body = Constant(peak) if style == "constant" else _between(warmup, decay, peak, floor, style)
            return warmup_laid_over(body, warmup, first, peak)
        return plain(style, peak, floor, decay - whole).warmup(whole, init_value=first)

    return made


def plain(style: str, peak: float, floor: float, steps: int) -> Schedule:
    """A decay of whole length without a warmup."""
    if style == "constant":
        return Constant(peak)
    return (Cosine if style == "cosine" else Linear)(init_value=peak, end_value=floor, decay_steps=steps)


def _between(start: Fraction, end: int, peak: float, floor: float, shape: Any) -> Schedule:
    return Interpolate(boundaries=[float(start), end], values=[peak, floor], shape=shape)


def _inverse_square_root(lengths: Lengths, peak: float, floor: float, first: float) -> Schedule:
    """peak sqrt(W / n), at least the floor, and the floor at once past the decay; without a warmup W is one sample."""
    warmup, decay = lengths.warmup, lengths.decay
    if warmup.denominator == 1 and warmup:
        fall = InverseTime(init_value=peak, decay_steps=int(warmup), power=0.5)
        risen = Clip(fall, min_value=floor).warmup(int(warmup), init_value=first)
        return Join([risen, Constant(floor)], boundaries=[decay + 1])
    begin = math.floor(warmup) + 1
    start = peak * math.sqrt(max(warmup, Fraction(1)) / begin)
    clipped = Clip(InverseTime(init_value=start, decay_steps=begin, power=0.5), min_value=floor)
    rise = Interpolate(boundaries=[0, float(warmup)], values=[first, peak]) if warmup else Constant(peak)
    return Join([rise, clipped, Constant(floor)], boundaries=[begin, decay + 1])


def _stable(options: Options, lengths: Lengths, peak: float, floor: float, first: float) -> Schedule:
    """The peak until the tail begins, then the tail."""
    if lengths.tail is None:
        raise options.error("lr_wsd_decay_iters", "expected the length of the tail; got none")
    word = options.word("lr_wsd_decay_style", default="exponential", choices=list(_TAILS))
    start, shape = lengths.decay - lengths.tail, _TAILS[word]
    whole = lengths.warmup.denominator == 1 and lengths.warmup <= start
    if whole and shape:
        risen = Constant(peak).warmup(int(lengths.warmup), init_value=first)
        return risen.cooldown(lengths.tail, start=start, end_value=floor, shape=shape)
    if whole:
        return _halving(peak, floor, start - int(lengths.warmup), lengths.tail).warmup(
            int(lengths.warmup), init_value=first
        )
    skipped = max(0, -start)
    if shape:
        body = Constant(peak).cooldown(lengths.tail, start=max(0, start), end_value=floor, shape=shape)
    else:
        body = _halving(peak, floor, max(0, start), lengths.tail)
    return warmup_laid_over(Shift(body, skipped), lengths.warmup, first, peak)


def _halving(peak: float, floor: float, start: int, steps: int) -> Schedule:
    """From `start` on 2 * 0.5**x - 1 of the way is left, x the part of the steps that is gone."""
    way = peak - floor
    halves = Exponential(init_value=2 * way, decay_rate=0.5, decay_steps=steps)
    tail = Join([Sum([Constant(floor - way), halves]), Constant(floor)], boundaries=[steps])
    return Join([Constant(peak), tail], boundaries=[start]) if start else tail
