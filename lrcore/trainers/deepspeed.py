"""DeepSpeed's `scheduler`: {type, params} of ds_config.json; deepspeed/runtime/lr_schedules.py.

The engine steps the scheduler after each update that was applied, and its constructor sets the first value, so that the
Warmup classes are one update late: update t has f(t-1). OneCycle and LRRangeTest are not.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Constant, Cosine, Join, Linear
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, delayed, late

FOLLOWS = "DeepSpeed 0.19.8"
FACTS = {
    "lr": "the optimizer's rate, where the file has no optimizer.params.lr",
    "warmup_num_steps": 'the warmup, where the file says "auto"',
}


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole ds_config.json, or its `scheduler` alone."""
    scheduler = options.first_table("scheduler").own()
    optimizer = options.table("optimizer").table("params")
    kind = scheduler.word("type", choices=list(_KINDS))
    params = scheduler.table("params").own()
    params.ignore("last_batch_iteration")
    return _KINDS[kind](params, optimizer, facts)


def _warmup(params: Options, optimizer: Options, facts: Facts) -> Taken:
    hi = _peak(params, default=None)
    return Taken(late(_rise(params, facts, _lowest(params), facts.lr(optimizer, "lr") if hi is None else hi)[0]))


def _warmup_decay(params: Options, optimizer: Options, facts: Facts) -> Taken:
    """The fall ends at warmup_min_lr, not at 0; where the warmup takes the whole run, the rate drops there at once."""
    given = _peak(params, default=None if params.is_auto("warmup_max_lr") else 1e-3)
    hi, lo = facts.lr(optimizer, "lr") if given is None else given, _lowest(params)
    rise, warmup = _rise(params, facts, lo, hi)
    rest = _total(params, facts) - warmup
    fall = Linear(init_value=hi, end_value=lo, decay_steps=rest) if rest > 0 else Constant(lo)
    return Taken(late(Join([rise, fall], boundaries=[warmup])))


def _warmup_cosine(params: Options, optimizer: Options, facts: Facts) -> Taken:
    """Ratios of the optimizer's rate. The first update has 0, whatever warmup_min_ratio is; the cosine starts one ahead."""
    lr = facts.lr(optimizer, "lr")
    rise, warmup = _rise(params, facts, lr * params.number("warmup_min_ratio", default=0.0), lr)
    end = lr * params.number("cos_min_ratio", default=1e-4)
    fall = Cosine(init_value=lr, end_value=end, decay_steps=max(1, _total(params, facts) - warmup))
    return Taken(delayed(0.0, Join([rise, ahead(fall)], boundaries=[warmup])))


def _rise(params: Options, facts: Facts, lo: float, hi: float) -> tuple[Schedule, int]:
    """The warmup and its length; of the shape log, DeepSpeed's default, the top is reached one update early."""
    left = params.is_auto("warmup_num_steps")
    steps = max(2, facts.whole("warmup_num_steps") if left else params.whole("warmup_num_steps", default=1000))
    if params.word("warmup_type", default="log", choices=["log", "linear"]) == "log":
        return Constant(hi).warmup(steps - 1, init_value=lo, shape="log"), steps
    return Constant(hi).warmup(steps, init_value=lo), steps


def _peak(params: Options, default: float | None) -> float | None:
    return None if params.is_auto("warmup_max_lr") else params.number("warmup_max_lr", default=default)


def _lowest(params: Options) -> float:
    return 0.0 if params.is_auto("warmup_min_lr") else params.number("warmup_min_lr", default=0.0)


def _total(params: Options, facts: Facts) -> int:
    total: int = facts.updates() if params.is_auto("total_num_steps") else params.whole("total_num_steps", least=1)
    return total


_KINDS = {
    "WarmupLR": _warmup,
    "WarmupDecayLR": _warmup_decay,
    "WarmupCosineLR": _warmup_cosine,
}
