"""WeNet's `scheduler` and `scheduler_conf`; wenet/utils/scheduler.py, wenet/utils/train_utils.py.

The trainer sets the scheduler back by one step before it begins, so that the first value comes twice: update t has what the class
gives for t-1. With accum_grad an update is what follows several batches.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Clip, Constant, InverseTime, Join
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, late, noam, told_total

FOLLOWS = "wenet 0154699 (2025-12-19)"
FACTS = {"lr": "the optimizer's rate, where the file has no optim_conf.lr"}


def read(options: Options, facts: Facts) -> Taken:
    """Read a training configuration; the rates of `optim_conf.modules` are groups."""
    own, optimizer = options.first_table("scheduler_conf"), options.first_table("optim_conf")
    if own is not options:
        own.own()
    own.ignore("last_epoch")
    own.refuse("device_factor", why="expected 1, or a WeNet that has none", unless=(None, 1))
    name = options.word("scheduler", default="warmuplr", choices=list(_KINDS))
    modules: list[str] = optimizer.words("modules", default=[])
    rates = optimizer.numbers("lr", default=None) if modules else None
    if rates is None:
        return Taken(late(_KINDS[name](own, facts, facts.lr(optimizer, "lr"), 0)))
    if len(rates) != len(modules) + 1:
        raise optimizer.error("lr", f"expected {len(modules) + 1} rates, one more than modules; got {rates}")
    *groups, rest = [late(_KINDS[name](own, facts, lr, number)) for number, lr in enumerate(rates)]
    return Taken(rest, groups=dict(zip(modules, groups, strict=True)))


def _warmup(own: Options, facts: Facts, lr: float, group: int) -> Schedule:
    """The inverse square root through its peak; without a warmup lr is that of the first update."""
    given = own.numbers("warmup_steps", default=[25000.0])
    if not given or (len(given) > 1 and group >= len(given)):
        raise own.error("warmup_steps", f"expected a number for each rate; got {given}")
    steps = given[group if len(given) > 1 else 0]
    if steps < 0:
        raise own.error("warmup_steps", f"expected a number >= 0; got {steps:g}")
    return ahead(noam(lr, steps)) if steps else InverseTime(init_value=lr, power=0.5)


def _noam_hold(own: Options, facts: Facts, lr: float, group: int) -> Schedule:
    """A warmup to the rate, a hold, a power of what has passed since it; min_lr from max_steps on."""
    total = told_total(facts, own, "max_steps")
    warmup, hold = _length(own, "warmup", total), _length(own, "hold", total)
    if not warmup:
        raise own.error("warmup_steps", "expected at least 1, for the decay is counted in warmups; got 0")
    floor, power = own.number("min_lr", default=0.0), own.number("decay_rate", default=0.5, above=0.0)
    fall: Schedule = InverseTime(init_value=lr, decay_steps=warmup, power=power)
    fall = Clip(fall, min_value=floor) if floor else fall
    body = Join([Constant(lr), fall], boundaries=[hold]) if hold else fall
    end = max(total, warmup, warmup + hold - 1) + 1
    return Join([body.warmup(warmup, init_value=lr / (warmup + 1)), Constant(floor)], boundaries=[end])


def _length(own: Options, name: str, total: int) -> int:
    """Updates, or a share of the run, rounded down."""
    steps, ratio = own.whole(f"{name}_steps", default=None), own.number(f"{name}_ratio", default=None)
    if steps is not None and ratio is not None:
        raise own.error(f"{name}_ratio", f"expected none beside {name}_steps; got {ratio:g}")
    return int(ratio * total) if ratio is not None else steps or 0


_KINDS = {"warmuplr": _warmup, "NoamHoldAnnealing": _noam_hold}
