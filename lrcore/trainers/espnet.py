"""ESPnet 2's `scheduler` and `scheduler_conf`; espnet2/schedulers/*.py, and torch's own classes.

The classes of ESPnet are built with one step and step after each update: update t has f(t+1). torch's step per update as well
(cycliclr, onecyclelr, CosineAnnealingWarmRestarts), or after each epoch (steplr, multisteplr, exponentiallr, CosineAnnealingLR).
With accum_grad an update is what follows several batches.
"""

from __future__ import annotations

import math
from itertools import accumulate

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    InverseTime,
    Join,
    PiecewiseConstant,
    Repeat,
    Shift,
)
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.recipes import cyclic, one_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, delayed, noam, per_epoch, plateau_of, told_total

FOLLOWS = "espnet 202511"
FACTS = {"lr": "the optimizer's rate, where the file has no optim_conf.lr"}

_MOMENTUM = "The momentum that the class cycles, unless cycle_momentum is false, is not taken."


class _Config:
    """scheduler_conf, and what else a class asks for; flags and short texts have the options in one table."""

    def __init__(self, options: Options, facts: Facts, number: str = "") -> None:
        self.options, self.facts, self.number = options, facts, number
        self.own = options.first_table(f"scheduler{number}_conf")
        if self.own is not options:
            self.own.own()
        self.own.ignore("last_epoch", "verbose")

    def lr(self) -> float:
        """The optimizer's rate."""
        lr: float = self.facts.lr(self.options.first_table(f"optim{self.number}_conf"), "lr")
        return lr

    def by_epoch(self, schedule: Schedule) -> Schedule:
        """A schedule of epochs."""
        accumulate = self.options.whole("accum_grad", default=1, least=1)
        return per_epoch(schedule, self.facts.updates_per_epoch(accumulate=accumulate))


def read(options: Options, facts: Facts) -> Taken:
    """Read a training configuration or flags; a second optimizer, as GANs have, is the group `optim2`."""
    taken = _taken(_Config(options, facts))
    if not options.given("optim2", "scheduler2"):
        return taken
    second = _taken(_Config(options, facts, "2"))
    if not isinstance(second.schedule, Schedule):
        raise options.error("scheduler2", "expected a schedule for the second optimizer; got a plateau")
    return Taken(taken.schedule, groups={"optim2": second.schedule}, notes=(*taken.notes, *second.notes))


def _taken(config: _Config) -> Taken:
    name = config.options.word(f"scheduler{config.number}", default=None, choices=list(_KINDS))
    if name is not None:
        return _KINDS[name](config)
    if config.options.given(f"scheduler{config.number}_conf") and list(config.own):
        raise config.options.error("scheduler", "expected the class that scheduler_conf is for; got none")
    return Taken(Constant(config.lr()))


# --- classes of ESPnet ------------------------------------------------------------------------------------------------


def _warmup(config: _Config) -> Taken:
    return Taken(ahead(noam(config.lr(), _warmup_steps(config))))


def _noam(config: _Config) -> Taken:
    width, steps = config.own.number("model_size", default=320.0, above=0.0), _warmup_steps(config)
    return Taken(ahead(noam(config.lr() / math.sqrt(width * steps), steps)))


def _tri_stage(config: _Config) -> Taken:
    own, lr = config.own, config.lr()
    names, defaults = ("warmup_ratio", "hold_ratio", "decay_ratio"), (0.1, 0.4, 0.5)
    ratios = [own.number(name, default=default, least=0.0) for name, default in zip(names, defaults, strict=True)]
    if not math.isclose(sum(ratios), 1.0):
        raise own.error("decay_ratio", f"expected three ratios whose sum is 1; got {ratios}")
    total = int(own.number("max_steps", default=25000.0, least=1.0))
    warmup, hold = (int(total * ratio) for ratio in ratios[:2])
    first, last = (_scale(own, f"{name}_lr_scale") for name in ("init", "final"))
    rise, start = Constant(lr).warmup(warmup, init_value=first * lr), warmup + hold
    if start == total:
        return Taken(ahead(rise))
    return Taken(ahead(rise.cooldown(total - start, start=start, end_value=last * lr, shape="exponential")))


def _scale(own: Options, name: str) -> float:
    scale: float = own.number(name, default=0.01, above=0.0)
    if scale > 1:
        raise own.error(name, f"expected a number > 0 and <= 1; got {scale:g}")
    return scale


def _piecewise_linear(config: _Config) -> Taken:
    """Straight lines between the knots, then the inverse square root of the optimizer's rate: a jump where they do not meet."""
    own, lr = config.own, config.lr()
    knots = own.numbers("warmup_steps_list", default=[0.0, 25000.0])
    rates = own.numbers("warmup_lr_list", default=[0.0, 0.001])
    if len(knots) != len(rates):
        raise own.error(
            "warmup_lr_list", f"expected {len(knots)} rates, one for each of warmup_steps_list; got {rates}"
        )
    after = math.floor(knots[-1]) + 1
    fall = InverseTime(init_value=lr * math.sqrt(knots[-1] / after), decay_steps=after, power=0.5)
    return Taken(ahead(Join([Interpolate(boundaries=knots, values=rates), fall], boundaries=[after])))


def _warmup_step(config: _Config) -> Taken:
    """Stairs that count epochs of steps_per_epoch from the beginning of the one in which the warmup ends."""
    own, lr, steps = config.own, config.lr(), _warmup_steps(config)
    epoch = own.whole("steps_per_epoch", default=10000, least=1)
    width = epoch * own.whole("step_size", default=1, least=1)
    stairs = Exponential(init_value=lr, decay_rate=own.number("gamma", default=0.1), decay_steps=width, staircase=True)
    gone = math.floor(steps) % epoch  # of that epoch
    if float(steps).is_integer():
        return Taken(ahead(Shift(stairs, gone).warmup(int(steps))))
    rise, after = Interpolate(boundaries=[0, steps], values=[0.0, lr]), math.floor(steps) + 1
    return Taken(ahead(Join([rise, Shift(stairs, gone + 1)], boundaries=[after])))


def _exponential_warmup(config: _Config) -> Taken:
    """Without warm_from_zero the warmup has the optimizer's rate, after a first update with max_lr."""
    own = config.own
    top, bottom = own.number("max_lr", above=0.0), own.number("min_lr", above=0.0)
    warmup, total = own.whole("warmup_steps", default=0), own.whole("total_steps", least=1)
    if warmup >= total:
        raise own.error("warmup_steps", f"expected less than total_steps ({total}); got {warmup}")
    fall = Exponential(init_value=top, decay_rate=bottom / top, decay_steps=total - warmup)
    if own.flag("warm_from_zero"):
        body = Join([ahead(Constant(top).warmup(warmup)), fall], boundaries=[warmup]) if warmup else fall
        return Taken(delayed(0.0, ahead(body)))
    if warmup <= 1:
        return Taken(Join([Constant(top), fall], boundaries=[1]) if warmup else fall)
    kept = Join([Constant(config.lr()), fall], boundaries=[warmup - 1])
    return Taken(delayed(top, kept))


def _cosine_restarts(config: _Config) -> Taken:
    """Each cycle has its warmup; the next one is cycle_mult times as long without it, rounded down. Update 0 has min_lr."""
    own = config.own
    top, floor = own.number("max_lr", default=0.1), own.number("min_lr", default=0.001)
    length, warmup = own.whole("first_cycle_steps", least=1), own.whole("warmup_steps", default=0)
    growth, gamma = own.number("cycle_mult", default=1.0, least=0.0), own.number("gamma", default=1.0)
    if warmup >= length:
        raise own.error("warmup_steps", f"expected less than first_cycle_steps ({length}); got {warmup}")
    if growth == 1:
        body = _equal_cycles(top, floor, length, warmup, gamma)
        return Taken(body if warmup else delayed(floor, ahead(body)))
    parts: list[Schedule] = []
    ends, total = [0], config.facts.updates(default=None)
    while ends[-1] < (2**31 if total is None else 2 * total) and length and len(parts) < 1000:
        parts.append(_cycle(top * gamma ** len(parts), floor, length, warmup))
        ends.append(ends[-1] + length)
        length = int((length - warmup) * growth) + warmup
    if ends[-1] < (2**31 if total is None else total):
        total = config.facts.updates()  # which says how many cycles are needed
        raise own.error(
            "cycle_mult", f"expected at most 1,000 cycles in {total} updates, none of length 0; got {growth:g}"
        )
    body = Join(parts, boundaries=ends[1:-1])
    note = f"The cycles are written out as far as update {ends[-1]:,}; then the last value holds."
    return Taken(body if warmup else delayed(floor, ahead(body)), notes=(note,))


def _equal_cycles(top: float, floor: float, length: int, warmup: int, gamma: float) -> Schedule:
    """The tops are multiplied by gamma, the floor is not."""
    if gamma == 1 or floor == 0:
        return Repeat(_cycle(top, floor, length, warmup), period=length, value_factor=gamma)
    feet = Cosine(init_value=0.0, end_value=floor, decay_steps=length - warmup).warmup(warmup, init_value=floor)
    tops = Repeat(_cycle(top, 0.0, length, warmup), period=length, value_factor=gamma)
    return Repeat(feet, period=length) + tops


def _cycle(top: float, floor: float, length: int, warmup: int) -> Schedule:
    if length == warmup:  # of cycles that become shorter
        return Constant(top).warmup(warmup, init_value=floor)
    return Cosine(init_value=top, end_value=floor, decay_steps=length - warmup).warmup(warmup, init_value=floor)


def _warmup_plateau(config: _Config) -> Taken:
    """Not built with a step: update 0 has the optimizer's rate, update t that of t."""
    steps = _warmup_steps(config)
    rise = noam(config.lr(), steps)
    top = math.floor(steps)
    schedule = delayed(config.lr(), ahead(Join([rise, Constant(rise(top))], boundaries=[top])))
    note = "A reduction in the warmup is undone by ESPnet at the next update; here it would stay."
    return Taken(_plateau_of(config, schedule), notes=(note,))


# --- classes of torch -------------------------------------------------------------------------------------------------


def _plateau(config: _Config) -> Taken:
    return Taken(_plateau_of(config, Constant(config.lr())))


def _plateau_of(config: _Config, schedule: Schedule) -> Plateau:
    return plateau_of(config.own, schedule, config.lr())


def _step(config: _Config) -> Taken:
    width, rate = config.own.whole("step_size", least=1), config.own.number("gamma", default=0.1)
    stairs = Exponential(init_value=config.lr(), decay_rate=rate, decay_steps=width, staircase=True)
    return Taken(config.by_epoch(stairs))


def _multi_step(config: _Config) -> Taken:
    milestones, rate = sorted(config.own.wholes("milestones")), config.own.number("gamma", default=0.1)
    values = list(accumulate(milestones, lambda lr, _: lr * rate, initial=config.lr()))
    return Taken(config.by_epoch(PiecewiseConstant(boundaries=milestones, values=values)))


def _exponential(config: _Config) -> Taken:
    return Taken(config.by_epoch(Exponential(init_value=config.lr(), decay_rate=config.own.number("gamma"))))


def _cosine(config: _Config) -> Taken:
    """It rises again after T_max epochs."""
    length, floor = config.own.whole("T_max", least=1), config.own.number("eta_min", default=0.0)
    fall = Cosine(init_value=config.lr(), end_value=floor, decay_steps=length)
    return Taken(config.by_epoch(Repeat(fall, mirror=True)))


def _warm_restarts(config: _Config) -> Taken:
    length, floor = config.own.whole("T_0", least=1), config.own.number("eta_min", default=0.0)
    fall = Cosine(init_value=config.lr(), end_value=floor, decay_steps=length)
    return Taken(Repeat(fall, length_factor=config.own.whole("T_mult", default=1, least=1)))


def _one_cycle(config: _Config) -> Taken:
    own, top = config.own, config.own.number("max_lr")
    own.ignore("cycle_momentum", "base_momentum", "max_momentum")
    if own.given("epochs") and not own.given("total_steps"):
        total = own.whole("epochs", least=1) * own.whole("steps_per_epoch", least=1)
    else:
        total = told_total(config.facts, own, "total_steps")
    first = top / own.number("div_factor", default=25.0, above=0.0)
    schedule = one_cycle(
        init_value=first,
        peak_value=top,
        end_value=first / own.number("final_div_factor", default=1e4, above=0.0),
        total_steps=total,
        pct_start=own.number("pct_start", default=0.3, least=0.0),
        shape="linear"
        if own.word("anneal_strategy", default="cos", choices=["cos", "linear"]) == "linear"
        else "cosine",
        three_phase=own.flag("three_phase"),
    )
    return Taken(schedule, notes=(_MOMENTUM,) if own.flag("cycle_momentum", default=True) else ())


def _cyclic(config: _Config) -> Taken:
    own = config.own
    own.ignore("cycle_momentum", "base_momentum", "max_momentum")
    own.refuse("scale_fn", why="expected none, for a Python function is not read", unless=(None,))
    mode = own.word("mode", default="triangular", choices=["triangular", "triangular2", "exp_range"])
    gamma = own.number("gamma", default=1.0)
    schedule = cyclic(
        base_value=own.number("base_lr"),
        peak_value=own.number("max_lr"),
        up_steps=own.number("step_size_up", default=2000.0, above=0.0),
        down_steps=own.number("step_size_down", default=None),
        mode=mode,
        gamma=gamma if mode == "exp_range" else None,
    )
    return Taken(schedule, notes=(_MOMENTUM,) if own.flag("cycle_momentum", default=True) else ())


def _lambda(config: _Config) -> Taken:
    raise config.options.error("scheduler", "expected a class whose options describe it; got lambdalr")


def _warmup_steps(config: _Config) -> float:
    steps: float = config.own.number("warmup_steps", default=25000.0, above=0.0)
    return steps


_KINDS = {
    "warmuplr": _warmup,
    "noamlr": _noam,
    "tristagelr": _tri_stage,
    "piecewiselinearwarmuplr": _piecewise_linear,
    "warmupsteplr": _warmup_step,
    "exponentialdecaywarmup": _exponential_warmup,
    "cosineannealingwarmuprestarts": _cosine_restarts,
    "cosineannealwarmuprestart": _cosine_restarts,  # as its file is called
    "warmupreducelronplateau": _warmup_plateau,
    "reducelronplateau": _plateau,
    "steplr": _step,
    "multisteplr": _multi_step,
    "exponentiallr": _exponential,
    "cosineannealinglr": _cosine,
    "cosineannealingwarmrestarts": _warm_restarts,
    "onecyclelr": _one_cycle,
    "cycliclr": _cyclic,
    "lambdalr": _lambda,
}
