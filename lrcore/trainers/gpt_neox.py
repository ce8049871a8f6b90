"""gpt-neox's YAML: AnnealingLR of megatron/learning_rates.py, whose lengths megatron/training.py works out.

Update t has f(t), but a warmup begins with the rate of update 1. The warmup is a share of the decay, which is not rounded. A
`scheduler` for DeepSpeed in the same file is used in its place, and OneBitAdam has one made for it.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Clip, Constant, Cosine, Exponential, Interpolate, Linear
from lrcore.schedules.schedule import Schedule
from lrcore.trainers import deepspeed
from lrcore.trainers.idioms import ahead, delayed, late, rises_again, told_total, warmup_laid_over

FOLLOWS = "gpt-neox main 2026-05-20"
FACTS = {"lr": "the optimizer's rate, where the file has no optimizer.params.lr"}
_STYLES = ("constant", "linear", "cosine", "exponential")


def read(options: Options, facts: Facts) -> Taken:
    """Read the merged YAML."""
    if options.table("scheduler").given("type"):
        return deepspeed.read(options, facts)
    options.own("lr_", "min_lr", "warmup")
    if options.table("optimizer").word("type", default="").lower() == "onebitadam":
        return _by_deepspeed(options, facts)
    style = options.word("lr_decay_style", default="linear", choices=_STYLES)
    peak = _rate(options, facts)
    floor = options.number("min_lr", default=0.0, least=0)
    total = _decay_iters(options, facts)
    warmup = Fraction(repr(options.number("warmup", default=0.01, least=0))) * total
    if warmup > total:
        raise options.error("warmup", f"expected a share of the decay, from 0 to 1; got {options.raw('warmup')}")
    notes = [rises_again("cosine", total)] if style == "cosine" else []
    if options.flag("use_mup"):
        notes.append(
            "use_mup divides the rate of a group by its width_mult, which the file does not say.",
        )
    curve = _curve(style, peak, floor, warmup, total)
    if 0 < warmup < 1:
        notes.append(
            f"The warmup is shorter than an update, and the first rate above the peak: {peak / float(warmup):g}."
        )
        return Taken(delayed(peak / float(warmup), ahead(curve)), notes=tuple(notes))
    return Taken(late(ahead(curve)) if warmup else curve, notes=tuple(notes))


def _rate(options: Options, facts: Facts) -> float:
    params = options.table("optimizer").table("params")
    rate: float = facts.lr(params if params.given("lr") else options, "lr")
    return rate


def _by_deepspeed(options: Options, facts: Facts) -> Taken:
    """OneBitAdam, whose scheduler DeepSpeed makes."""
    options.ignore("lr_decay_style", "min_lr", "lr_decay_fraction")
    total = told_total(facts, options, "train_iters")
    params = {
        "warmup_max_lr": _rate(options, facts),
        "warmup_num_steps": int(total * options.number("warmup", default=0.01, least=0)),
        "total_num_steps": options.whole("lr_decay_iters", default=total, least=1),
    }
    scheduler = {"scheduler": {"type": "WarmupDecayLR", "params": params}}
    taken = deepspeed.read(Options(scheduler, options.where("scheduler")), facts)
    return Taken(taken.schedule, notes=("OneBitAdam has DeepSpeed's WarmupDecayLR, not lr_decay_style.",))


def _decay_iters(options: Options, facts: Facts) -> int:
    """The length of the decay, warmup included."""
    if options.given("lr_decay_iters"):
        return int(options.whole("lr_decay_iters", least=1))
    share: float = options.number("lr_decay_fraction", default=1.0, above=0)
    return max(1, math.floor(told_total(facts, options, "train_iters") * share))


def _curve(style: str, peak: float, floor: float, warmup: Fraction, total: int) -> Schedule:
    """The warmup, then a decay that is never below the floor."""
    if warmup == total:
        return Constant(peak).warmup(total)
    whole = warmup.denominator == 1
    start = 0.0 if whole else float(warmup)
    decay = _decay(style, peak, floor, start, float(total - warmup))
    body = Clip(decay, min_value=floor) if floor > (0 if style in ("linear", "exponential") else peak) else decay
    return body.warmup(int(warmup)) if whole else warmup_laid_over(body, warmup, 0.0, peak)


def _decay(style: str, peak: float, floor: float, start: float, steps: float) -> Schedule:
    """The decay that begins at `start`, which need not be whole."""
    if style == "constant":
        return Constant(peak)
    if style == "exponential":
        first = peak * math.exp(0.693 * start / steps)
        return Exponential(init_value=first, decay_rate=math.exp(-0.693), decay_steps=steps)
    cosine = style == "cosine"
    end = floor if cosine else 0.0
    if not start:
        return (Cosine if cosine else Linear)(init_value=peak, end_value=end, decay_steps=int(steps))
    shape: Any = style
    return Interpolate(boundaries=[start, start + steps], values=[peak, end], shape=shape)
