"""DeepSpeed's `scheduler`: {type, params} of ds_config.json; deepspeed/runtime/lr_schedules.py.

The engine steps the scheduler after each update that was applied, and its constructor sets the first value, so that the
Warmup classes are one update late: update t has f(t-1). OneCycle and LRRangeTest count one ahead, and are not late.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Every,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Shift,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, delayed, endless_rise, late

FOLLOWS = "DeepSpeed 0.19.8"
FACTS = {
    "lr": "the optimizer's rate, where the file has no optimizer.params.lr",
    "warmup_num_steps": 'the warmup, where the file says "auto"',
}
Halves: TypeAlias = tuple[tuple[int, int], tuple[int, int]]
"""The updates of both halves of a cycle, and the number of stairs in each; 0 for a straight one."""
_MOST_STAIRS = 10_000
_STAIRS = 30_000  # of a rise without an end: frameworks that compile take a table of few more
_SHAPES = ("log", "linear")
_WITHOUT_BETAS = ("sgd", "adagrad", "rmsprop", "rprop", "asgd", "adadelta", "muon")


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole ds_config.json, or its `scheduler` alone."""
    scheduler = options.first_table("scheduler").own()
    if not scheduler.given("type"):
        raise options.error("scheduler", "expected a table with type and params; got none")
    kind = scheduler.word("type", choices=list(_KINDS))
    params = scheduler.table("params").own()
    params.ignore("last_batch_iteration")
    taken = _KINDS[kind](params, options.table("optimizer"), facts)
    return Taken(taken.schedule, taken.also, taken.groups, taken.notes + _horizon(params, facts))


def _horizon(params: Options, facts: Facts) -> tuple[str, ...]:
    """The note about a run that is not as long as total_num_steps, which DeepSpeed does not compare."""
    planned = None if params.is_auto("total_num_steps") else params.raw("total_num_steps")
    told = facts.updates(default=None)
    if None in (planned, told) or params.whole("total_num_steps") == told:
        return ()
    return (f"The schedule is planned for {params.whole('total_num_steps')} updates, and the run takes {told}.",)


# --- warmups ----------------------------------------------------------------------------------------------------------


def _warmup(params: Options, optimizer: Options, facts: Facts) -> Taken:
    steps, shape, notes = _length_and_shape(params, facts)
    tops = _peaks(params, None) or [facts.lr(optimizer.table("params"), "lr")]
    return _each_group(params, lambda lo, hi: late(_rise(lo, hi, steps, shape)), _lowest(params), tops, notes=notes)


def _warmup_decay(params: Options, optimizer: Options, facts: Facts) -> Taken:
    """The fall ends at warmup_min_lr, not at 0; where the warmup takes the whole run, the rate drops there at once."""
    steps, shape, notes = _length_and_shape(params, facts)
    rest = _total(params, facts) - steps
    tops = _peaks(params, 1e-3) or [facts.lr(optimizer.table("params"), "lr")]

    def one(lo: float, hi: float) -> Schedule:
        fall = Linear(init_value=hi, end_value=lo, decay_steps=rest) if rest > 0 else Constant(lo)
        return late(Join([_rise(lo, hi, steps, shape), fall], boundaries=[steps]))

    return _each_group(params, one, _lowest(params), tops, notes=notes)


def _warmup_cosine(params: Options, optimizer: Options, facts: Facts) -> Taken:
    """Ratios of the optimizer's rate. The first update has 0, whatever warmup_min_ratio is; the cosine starts one ahead."""
    lr = facts.lr(optimizer.table("params"), "lr")
    steps, shape, notes = _length_and_shape(params, facts)
    rise = _rise(lr * params.number("warmup_min_ratio", default=0.0), lr, steps, shape)
    end = lr * params.number("cos_min_ratio", default=1e-4, least=0)
    fall = Cosine(init_value=lr, end_value=end, decay_steps=max(1, _total(params, facts) - steps))
    return Taken(delayed(0.0, Join([rise, ahead(fall)], boundaries=[steps])), notes=notes)


def _rise(lo: float, hi: float, steps: int, shape: str) -> Schedule:
    """The warmup; of the shape log the top is reached one update early."""
    if shape == "log":
        return Constant(hi).warmup(steps - 1, init_value=lo, shape="log")
    return Constant(hi).warmup(steps, init_value=lo)


def _length_and_shape(params: Options, facts: Facts) -> tuple[int, str, tuple[str, ...]]:
    """The warmup's length, at least 2, and its shape: log by default, and in place of a word that is unknown."""
    steps = _warmup_num_steps(params, facts)
    shape = params.word("warmup_type", default="log")
    notes = () if shape in _SHAPES else (f"DeepSpeed has no warmup_type {shape!r} and takes log.",)
    return max(2, steps), "linear" if shape == "linear" else "log", notes


def _warmup_num_steps(params: Options, facts: Facts) -> int:
    if not params.is_auto("warmup_num_steps"):
        return int(params.whole("warmup_num_steps", default=1000, least=1))
    if not facts.given("warmup_num_steps"):
        raise params.error("warmup_num_steps", "expected an integer; got 'auto'; give it as warmup_num_steps=...")
    return int(facts.whole("warmup_num_steps", least=1))


def _peaks(params: Options, default: float | None) -> list[float]:
    """The tops of the groups; none where they are left to the optimizer's rate."""
    if params.is_auto("warmup_max_lr"):
        return []
    found: list[float] = params.numbers("warmup_max_lr", default=[] if default is None else [default])
    return found


def _lowest(params: Options) -> list[float]:
    found: list[float] = [0.0] if params.is_auto("warmup_min_lr") else params.numbers("warmup_min_lr", default=[0.0])
    return found


def _total(params: Options, facts: Facts) -> int:
    total: int = facts.updates() if params.is_auto("total_num_steps") else params.whole("total_num_steps", least=1)
    return total


# --- cycles and range tests -------------------------------------------------------------------------------------------


def _one_cycle(params: Options, optimizer: Options, facts: Facts) -> Taken:
    """Up and down once, then lower and lower; the momentum goes the other way."""
    first = params.whole("cycle_first_step_size", default=2000, least=1)
    second = params.whole("cycle_second_step_size", default=first)
    stairs = params.number("cycle_first_stair_count", default=0.0)
    second_stairs = params.number("cycle_second_stair_count", default=stairs)
    if min(first, stairs) > _MOST_STAIRS or min(second, second_stairs) > _MOST_STAIRS:
        raise params.error("cycle_first_stair_count", f"expected at most {_MOST_STAIRS} stairs; got more")
    halves: Halves = ((first, int(stairs)), (second, int(second_stairs)))
    size = params.number("decay_step_size", default=0.0, least=0)
    rate = params.number("decay_lr_rate", default=0.0, least=0) if size else 0.0

    def one(lo: float, hi: float) -> Schedule:
        tail = InverseTime(init_value=lo, decay_rate=rate, decay_steps=size) if rate else Constant(lo)
        return _cycle(lo, hi, halves, tail)

    facts.ignore("lr")
    taken = _each_group(params, one, params.numbers("cycle_min_lr"), params.numbers("cycle_max_lr"))
    also, notes = _momentum(params, optimizer, halves, size)
    return Taken(taken.schedule, also, taken.groups, notes)


def _momentum(
    params: Options, optimizer: Options, halves: Halves, size: float
) -> tuple[dict[str, Schedule], tuple[str, ...]]:
    """betas[0], which starts at the least momentum, then falls from the greatest and rises again."""
    names = ("cycle_min_mom", "cycle_max_mom", "decay_mom_rate")
    if not params.flag("cycle_momentum", default=True) or optimizer.word("type", default="").lower() in _WITHOUT_BETAS:
        params.ignore(*names)
        return {}, ()
    lo, hi = (params.number(name, default=value) for name, value in zip(names, (0.8, 0.9), strict=False))
    rate = params.number("decay_mom_rate", default=0.0) if size else 0.0
    tail = endless_rise(hi, rate / size) if rate else Constant(hi)
    return {"momentum": delayed(lo, ahead(_cycle(hi, lo, halves, tail)))}, (
        "OneCycle cycles betas[0], which is `momentum`, and sets betas[1] to 0.99.",
    )


def _cycle(lo: float, hi: float, halves: Halves, tail: Schedule) -> Schedule:
    """From `lo` to `hi` and back, in stairs where a half has a number of them."""
    (up, up_stairs), (down, down_stairs) = halves
    if up_stairs <= 0 and down_stairs <= 0 and down:
        return Join([Interpolate(boundaries=[0, up, up + down], values=[lo, hi, lo]), tail], boundaries=[up + down])
    parts = [_stairs(lo, hi, up, up_stairs), _falling_stairs(hi, lo, down, down_stairs), tail]
    return Join(parts, boundaries=[up, up + down])


def _stairs(start: float, end: float, size: int, count: int) -> Schedule:
    """Each stair begins at the first update at or past its place."""
    if count <= 0:
        return Linear(init_value=start, end_value=end, decay_steps=size)
    if size % count == 0:
        return Every(Linear(init_value=start, end_value=end, decay_steps=count), size // count)
    levels = _levels(size, count)
    places = [-(-level * size // count) for level in levels[1:]]
    return PiecewiseConstant(boundaries=places, values=[start + (end - start) * level / count for level in levels])


def _falling_stairs(start: float, end: float, size: int, count: int) -> Schedule:
    """Each stair begins after its place: only the first update is at the top."""
    if count <= 0 or size == 0:
        return Linear(init_value=start, end_value=end, decay_steps=size)
    if size % count == 0:
        return Shift(_stairs(start, end, size, count), size // count - 1)
    levels = _levels(size, count)
    places = [(count - level) * size // count + 1 for level in levels[:0:-1]]
    return PiecewiseConstant(boundaries=places, values=[end + (start - end) * level / count for level in levels[::-1]])


def _levels(size: int, count: int) -> list[int]:
    """The stairs that some update stands on: all, or those of the updates where there are fewer."""
    return list(range(count + 1)) if count <= size else [update * count // size for update in range(size + 1)]


def _range_test(params: Options, optimizer: Options, facts: Facts) -> Taken:
    """A rise without an end, whose first value is lr_range_test_min_lr."""
    size = params.whole("lr_range_test_step_size", default=2000, least=1)
    rate = params.number("lr_range_test_step_rate", default=1.0)
    stairs = params.flag("lr_range_test_staircase") and size > 1

    def one(lo: float) -> Schedule:
        return Every(endless_rise(lo, rate, _STAIRS), size) if stairs else endless_rise(lo, rate / size)

    facts.ignore("lr")
    notes = (f"The rise has no end; {_STAIRS} stairs of it are written.",) if stairs else ()
    return _each_group(params, one, params.numbers("lr_range_test_min_lr", default=[1e-3]), notes=notes)


def _each_group(
    params: Options, one: Callable[..., Schedule], *values: Sequence[float], notes: tuple[str, ...] = ()
) -> Taken:
    """One schedule for each group of parameters where the file lists values; a value that is alone is for all."""
    count = max(map(len, values))
    if any(len(given) not in (1, count) for given in values):
        lengths = " and ".join(str(len(given)) for given in values)
        raise params.error("", f"expected lists of one length, one value for each group of parameters; got {lengths}")
    rows = [list(given) * count if len(given) == 1 else given for given in values]
    schedules = list(map(one, *rows))
    groups: dict[str, Schedule | float] = {f"param_groups[{number}]": made for number, made in enumerate(schedules)}
    return Taken(schedules[0], groups=groups if count > 1 else {}, notes=notes)


_KINDS: dict[str, Callable[[Options, Options, Facts], Taken]] = {
    "WarmupLR": _warmup,
    "WarmupDecayLR": _warmup_decay,
    "WarmupCosineLR": _warmup_cosine,
    "OneCycle": _one_cycle,
    "LRRangeTest": _range_test,
}
