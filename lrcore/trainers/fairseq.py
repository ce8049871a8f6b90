"""fairseq's `lr_scheduler`: {_name: ...}, or its flags; fairseq/optim/lr_scheduler/*.py.

The trainer asks `step_update(num_updates)` before each update, also at the beginning of an epoch: update t has f(t). Updates are
counted, not batches: update_freq is the accumulation.
"""

from __future__ import annotations

import math

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Clip,
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    InverseTime,
    Join,
    PiecewiseConstant,
    Polynomial,
    Product,
    Repeat,
    Sum,
)
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, per_epoch, told_total

FOLLOWS = "fairseq 0.12.2"
FACTS = {"lr": "the optimizer's rate, where the file has no optimization.lr"}

_OWN = ("lr_", "warmup_", "phase_", "force_", "end_learning", "total_num", "t_mult", "min_lr", "max_lr", "shrink_min")


class _Config:
    """The scheduler's options, and what it takes from `optimization`; flags have both in one table."""

    def __init__(self, options: Options, facts: Facts) -> None:
        self.own = options.first_table("lr_scheduler")
        self.optimization = options.first_table("optimization")
        self.facts = facts
        nested = self.own is not options or options.given("_name")
        self.own.own(*(() if nested else _OWN))
        self.own.ignore("lr", "max_update", "maximize_best_checkpoint_metric", "_target_")
        self.metric = options.first_table("checkpoint")

    def peak(self) -> float:
        """The one rate that there is."""
        lr: float = self.facts.lr(self._table("lr"), "lr")
        return lr

    def rates(self) -> list[float]:
        """The rates of the first epochs."""
        found: list[float] = self._table("lr").numbers("lr", default=None) or [self.peak()]
        return found if len(found) > 1 else [self.peak()]

    def updates(self) -> int:
        """The updates of the run."""
        return told_total(self.facts, self._table("max_update"), "max_update")

    def epoch(self) -> int:
        """The updates of an epoch."""
        frequency = self.optimization.wholes("update_freq", default=[1])
        if len(set(frequency)) > 1:
            raise self.optimization.error("update_freq", f"expected one number for all epochs; got {frequency}")
        return self.facts.updates_per_epoch(accumulate=frequency[0])

    def _table(self, name: str) -> Options:
        return self.own if self.own.given(name) else self.optimization


def read(options: Options, facts: Facts) -> Taken:
    """Read a configuration of hydra, its `lr_scheduler` alone, or flags."""
    config = _Config(options, facts)
    return _KINDS[_name(config.own)](config)


def _name(own: Options) -> str:
    """The scheduler's name; the name of its class, with or without its module, counts as it."""
    written: str = own.word("_name", "lr_scheduler", "name", "_target_", default="fixed")
    registered = _CLASSES.get(written.rpartition(".")[2])
    if registered is not None:
        return registered
    name: str = own.word("_name", "lr_scheduler", "name", "_target_", choices=list(_KINDS), default="fixed")
    return name


def _fixed(config: _Config) -> Taken:
    """A rate for each of the first epochs, and from epoch force_anneal on lr_shrink at each; the first update has 1/W."""
    rates, anneal, shrink = config.rates(), config.own.whole("force_anneal", default=None), _shrink(config)
    warmup = config.own.whole("warmup_updates", default=0)
    if len(rates) == 1 and anneal is None:
        return Taken(ahead(Constant(rates[0]).warmup(warmup)) if warmup else Constant(rates[0]))
    epochs: Schedule = PiecewiseConstant(boundaries=range(1, len(rates)), values=rates)
    if anneal is not None:
        first = max(anneal, 1)
        fall = Exponential(init_value=rates[-1] * shrink ** (first + 1 - anneal), decay_rate=shrink)
        epochs = Join([epochs, fall], boundaries=[first - 1])
    epochs = per_epoch(epochs, config.epoch())
    return Taken(Product([ahead(Constant(1.0).warmup(warmup)), epochs]) if warmup else epochs)


def _inverse_sqrt(config: _Config) -> Taken:
    lr, warmup = config.peak(), config.own.whole("warmup_updates", default=4000, least=1)
    first = config.own.number("warmup_init_lr", default=-1.0)
    fall = InverseTime(init_value=lr, decay_steps=warmup, power=0.5)
    return Taken(fall.warmup(warmup, init_value=max(first, 0.0)))


def _polynomial(config: _Config) -> Taken:
    """The end value holds from total_num_update on, also where the warmup would take longer."""
    own, lr = config.own, config.peak()
    own.refuse("force_anneal", why="expected none, for it falls by what the rate is at that epoch", unless=(None,))
    warmup, power = own.whole("warmup_updates", default=0), own.number("power", default=1.0, above=0.0)
    end = own.number("end_learning_rate", default=0.0)
    total = own.whole("total_num_update", default=0) or config.updates()
    if warmup >= total:
        return Taken(Join([Constant(lr).warmup(warmup), Constant(end)], boundaries=[warmup + 1]))
    return Taken(Polynomial(init_value=lr, end_value=end, decay_steps=total - warmup, power=power).warmup(warmup))


def _cosine(config: _Config) -> Taken:
    """Restarts at each period, by default one for the whole run; each is lr_shrink times as high, and its floor too."""
    own, lr = config.own, config.peak()
    floor, growth, warmup = own.number("min_lr", default=0.0), own.number("t_mult", default=1.0), _warmup(config)
    if lr <= floor:
        raise own.error("min_lr", f"expected less than lr ({lr:g}); got {floor:g}")
    if growth < 1:
        raise own.error("t_mult", f"expected at least 1, for shorter and shorter periods end; got {growth:g}")
    period = own.number("lr_period_updates", default=-1.0)
    if period <= 0:
        period = config.updates() - warmup
    first = own.number("warmup_init_lr", default=-1.0)
    first = floor if first < 0 else first
    if period <= 0:
        return Taken(Constant(lr).warmup(warmup, init_value=first))
    one: Schedule = Interpolate(boundaries=[0, period], values=[lr, floor], shape="cosine")
    if float(period).is_integer():
        one = Cosine(init_value=lr, end_value=floor, decay_steps=int(period))
    again = Repeat(one, period=period, length_factor=growth, value_factor=_shrink(config))
    note = "At some restarts fairseq's rounded logarithm gives the minimum of the old period; here the new one begins."
    return Taken(again.warmup(warmup, init_value=first), notes=(note,) if growth != 1 else ())


def _tri_stage(config: _Config) -> Taken:
    own, lr = config.own, config.peak()
    ratios = own.numbers("phase_ratio", default=None)
    if ratios is None:
        warmup, hold, decay = (own.whole(f"{stage}_steps", default=0) for stage in ("warmup", "hold", "decay"))
    else:
        if len(ratios) != 3 or sum(ratios) != 1:
            raise own.error("phase_ratio", f"expected three numbers whose sum is 1; got {ratios}")
        own.ignore("warmup_steps", "hold_steps", "decay_steps")
        warmup, hold, decay = (int(config.updates() * ratio) for ratio in ratios)
    if not decay:
        raise own.error("decay_steps", "expected at least 1, for fairseq divides by it; got 0")
    first = lr * own.number("init_lr_scale", default=0.01)
    last = lr * own.number("final_lr_scale", default=0.01, above=0.0)
    rise = Constant(lr).warmup(warmup, init_value=first)
    return Taken(rise.cooldown(decay, start=warmup + hold, end_value=last, shape="exponential"))


def _triangular(config: _Config) -> Taken:
    """The tops shrink; the feet too with shrink_min, so that a whole triangle does."""
    own, foot, shrink = config.own, config.peak(), _shrink(config)
    top = own.number("max_lr")
    if top <= foot:
        raise own.error("max_lr", f"expected more than lr ({foot:g}); got {top:g}")
    half = math.floor(own.number("lr_period_updates", default=5000.0, least=2.0) / 2)
    knots = [0, half, 2 * half]
    if own.flag("shrink_min") or shrink == 1:
        one = Interpolate(boundaries=knots, values=[foot, top, foot])
        return Taken(Repeat(one, period=2 * half, value_factor=shrink))
    feet = Repeat(Interpolate(boundaries=knots, values=[foot, 0.0, foot]), period=2 * half)
    tops = Repeat(Interpolate(boundaries=knots, values=[0.0, top, 0.0]), period=2 * half, value_factor=shrink)
    return Taken(Sum([feet, tops]))


def _step(config: _Config) -> Taken:
    own, lr, warmup = config.own, config.peak(), _warmup(config)
    floor, rate = own.number("min_lr", default=0.0, least=0.0), own.number("lr_decay", default=0.5)
    if rate > 1:
        raise own.error("lr_decay", f"expected at most 1; got {rate:g}")
    if lr <= floor:
        raise own.error("min_lr", f"expected less than lr ({lr:g}); got {floor:g}")
    period = own.whole("lr_deacy_period", "lr_decay_period", default=25000, least=1)
    first = own.number("warmup_init_lr", default=-1.0)
    stairs = Exponential(init_value=lr, decay_rate=rate, decay_steps=period, staircase=True)
    body = Clip(stairs, min_value=floor) if floor > 0 or rate < 0 else stairs
    return Taken(body.warmup(warmup, init_value=floor if first < 0 else first))


def _plateau(config: _Config) -> Taken:
    """torch's plateau, which sees the validation loss once the warmup is over."""
    own, lr, warmup = config.own, config.peak(), _warmup(config)
    first = own.number("warmup_init_lr", default=-1.0)
    higher = config.metric.flag("maximize_best_checkpoint_metric")
    plateau = Plateau(
        Constant(lr).warmup(warmup, init_value=max(first, 0.0)),
        factor=_shrink(config),
        patience=own.whole("lr_patience", default=0),
        mode="max" if higher else "min",
        rtol=own.number("lr_threshold", default=1e-4),
        eps=1e-8 / lr,
        arithmetic="torch",
    )
    note = "fairseq reports no metric before the warmup is over, and one after each validation from then on."
    return Taken(plateau, notes=(note,) if warmup else ())


def _refused(config: _Config) -> Taken:
    name = config.own.raw("_name", "lr_scheduler", "name")
    instead = (
        "write the rates as a piecewise_constant" if name == "manual" else "the optimizer has a schedule of its own"
    )
    raise config.own.error("_name", f"expected a schedule that the options describe; got {name}; {instead}")


def _warmup(config: _Config) -> int:
    steps: int = config.own.whole("warmup_updates", default=0)
    return steps


def _shrink(config: _Config) -> float:
    factor: float = config.own.number("lr_shrink", default=0.1)
    return factor


_CLASSES = {
    "FixedLRSchedule": "fixed",
    "InverseSquareRootSchedule": "inverse_sqrt",
    "PolynomialDecayLRSchedule": "polynomial_decay",
    "CosineLRSchedule": "cosine",
    "TriStageLRSchedule": "tri_stage",
    "TriangularLRSchedule": "triangular",
    "StepLRSchedule": "step",
    "ReduceLROnPlateauLRSchedule": "reduce_lr_on_plateau",
    "ManualSchedule": "manual",
    "PassThroughScheduleSchedule": "pass_through",
}
_KINDS = {
    "fixed": _fixed,
    "inverse_sqrt": _inverse_sqrt,
    "polynomial_decay": _polynomial,
    "cosine": _cosine,
    "tri_stage": _tri_stage,
    "triangular": _triangular,
    "step": _step,
    "reduce_lr_on_plateau": _plateau,
    "manual": _refused,
    "pass_through": _refused,
}
