"""mmengine's `param_scheduler`: a list of schedulers that act on the current rate; mmengine/optim/scheduler/param_scheduler.py.

Each acts once when it is built, then after each batch, or after each epoch with by_epoch, which is the default; it does so at
its steps begin <= k < end and so ends one short, at k = end - begin - 1. Batches are counted, not updates: an accumulated
update is made at the last batch of its own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Shift,
)
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.recipes import one_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.acting import Acting, Curve, Factor, together
from lrcore.trainers.idioms import held, per_accumulated

FOLLOWS = "mmengine 0.10.7"
FACTS = {
    "lr": "the optimizer's rate, where the file has no optim_wrapper.optimizer.lr",
    "momentum": "the optimizer's momentum, or its first beta, where it is scheduled and the file lacks it",
    "weight_decay": "the optimizer's weight decay, where it is scheduled and the file lacks it",
}
LIST = "param_scheduler"

_ENDLESS = 10**9  # as in mmengine


class _Run(NamedTuple):
    """The lengths of the run, in batches."""

    batches_per_epoch: Callable[[], int]
    epochs: int | None
    batches: int | None
    accumulated: int
    by_iterations: bool
    """Whether the loop is IterBasedTrainLoop, for which the whole run is one epoch."""


class _Window(NamedTuple):
    """When a scheduler acts, and on what."""

    options: Options
    start: int
    period: int
    steps: int
    stretch: int
    base: float
    by_epoch: bool

    @property
    def last(self) -> int:
        return self.steps - 1

    def timing(self, name: str) -> tuple[str, int, int, int, bool]:
        return name, self.start, self.period, self.last, self.by_epoch

    def whole(self, name: str, default: Any = None, **limits: int) -> int:
        """A length in steps, which are batches where the scheduler was converted."""
        found: int = self.options.whole(name, **({} if default is None else {"default": default}), **limits)
        return found * self.stretch

    def floor(self) -> float | None:
        """The floor of a curve: an absolute one, or a ratio of the optimizer's value."""
        lowest = self.options.number("eta_min", default=None)
        ratio = self.options.number("eta_min_ratio", default=None)
        if lowest is not None and ratio is not None:
            raise self.options.error("eta_min_ratio", f"expected none beside eta_min; got {ratio!r}")
        return float(lowest) if lowest is not None else None if ratio is None else self.base * float(ratio)


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole configuration, or its param_scheduler alone."""
    wrapper = options.table("optim_wrapper")
    optimizer = (wrapper if "optimizer" in wrapper else options).table("optimizer")
    run = _lengths(options, wrapper, facts)
    given = options.tables("param_scheduler") if "param_scheduler" in options else [options]
    lists: dict[str, list[Options]] = {"lr": []}
    for one in given:
        lists.setdefault(_parameter(one.own()), []).append(one)
    taken = {name: _value(name, found, run, options, optimizer, facts) for name, found in lists.items()}
    also = {name: found for name, found in taken.items() if name != "lr" and isinstance(found, Schedule)}
    if len(also) != len(taken) - 1:
        raise options.error("param_scheduler", "expected a plateau of the rate; got one of another number")
    return Taken(taken["lr"], also)


def _lengths(options: Options, wrapper: Options, facts: Facts) -> _Run:
    train = options.table("train_cfg") if options.given("train_cfg") else options.table("runner")
    accumulated = wrapper.whole("accumulative_counts", default=1, least=1)
    if accumulated > 1 and facts.run.batches_per_epoch is None and facts.run.updates_per_epoch is not None:
        raise ScheduleError(
            "run.batches_per_epoch",
            f"expected the batches of an epoch, of which {accumulated} make an update; got none",
        )
    epochs = train.whole("max_epochs", default=None) or options.whole("max_epochs", "total_epochs", default=None)
    batches = train.whole("max_iters", default=None) or options.whole("max_iters", default=None)
    told, by_iterations = facts.updates(default=None), batches is not None and epochs is None
    if batches is None and epochs is None and told is not None:
        batches = told * accumulated
        if facts.run.batches_per_epoch or facts.run.updates_per_epoch or facts.run.dataset_size:
            epochs = math.ceil(batches / facts.batches_per_epoch())
    elif epochs is not None and batches is None:
        batches = epochs * facts.batches_per_epoch() if _states_epoch(facts) else None
    elif by_iterations:
        epochs = 1
    if told is not None and batches is not None and told != batches // accumulated:
        raise ScheduleError(
            "run.total", f"expected {batches // accumulated}, which the configuration says, or none; got {told}"
        )
    return _Run(facts.batches_per_epoch, epochs, batches, accumulated, by_iterations)


def _states_epoch(facts: Facts) -> bool:
    run = facts.run
    return (run.updates_per_epoch, run.batches_per_epoch, run.dataset_size) != (None, None, None)


# --- one number -------------------------------------------------------------------------------------------------------


def _value(
    name: str, given: Sequence[Options], run: _Run, options: Options, optimizer: Options, facts: Facts
) -> Schedule | Plateau:
    """The schedule of one number of the optimizer."""
    value = _first(name, options, optimizer, facts)
    machines = [one for one in given if _class(one) == "ReduceOnPlateau"]
    acting, base = [], value
    if len(cycles := [one for one in given if _class(one) == "OneCycle"]) > 1:
        raise cycles[1].error(
            "type", "expected one OneCycleLR, for a second overwrites the numbers of the first; got two"
        )
    for one in given:
        if one in machines:
            continue
        window = _window(one, run, base, facts)
        acting.append(_CLASSES[_class(one)](window))
        if _class(one) == "OneCycle":  # it overwrites what others take for the optimizer's value
            base = one.number("eta_max") / one.number("div_factor", default=25.0)
    schedule = together(acting, value, options.where("param_scheduler")) if acting else Constant(value)
    schedule = per_accumulated(schedule, run.accumulated)
    if len(machines) > 1:
        raise machines[1].error("type", "expected one plateau; got another")
    return _plateau(machines[0], schedule, value, acting) if machines else schedule


def _first(name: str, options: Options, optimizer: Options, facts: Facts) -> float:
    if name == "lr":
        return float(facts.lr(optimizer, "lr")) * _auto_scaled(options, facts)
    betas = optimizer.numbers("betas", default=[None])
    found = optimizer.number(name, default=betas[0] if name == "momentum" else None)
    found = facts.number(name, default=None) if found is None else found
    if found is None:
        raise ScheduleError("mmengine", f"expected the optimizer's {name}; got none; give it as {name}=...")
    return float(found)


def _auto_scaled(options: Options, facts: Facts) -> float:
    scale = options.table("auto_scale_lr")
    if not scale.flag("enable"):
        return 1.0
    accumulated = options.table("optim_wrapper").whole("accumulative_counts", default=1, least=1)
    return float(facts.batch_size() / accumulated / scale.number("base_batch_size", above=0))


def _parameter(options: Options) -> str:
    kind = str(options.word("type"))
    if kind.endswith("ParamScheduler"):
        return str(options.word("param_name"))
    return "momentum" if kind.endswith("Momentum") else "lr"


def _class(options: Options) -> str:
    kind = str(options.word("type")).rpartition(".")[2]
    plain = kind.removesuffix("ParamScheduler").removesuffix("Momentum").removesuffix("LR")
    if plain not in _CLASSES and plain != "ReduceOnPlateau":
        known = [f"{one}LR" for one in (*_CLASSES, "ReduceOnPlateau") if one != "QuadraticWarmup"]
        raise options.error("type", f"expected one of {', '.join(known)}; got {kind!r}{did_you_mean(kind, known)}")
    return plain


def _window(options: Options, run: _Run, base: float, facts: Facts) -> _Window:
    by_epoch = options.flag("by_epoch", default=True)
    converted = options.flag("convert_to_iter_based")
    if converted and not by_epoch:
        raise options.error("convert_to_iter_based", "expected by_epoch beside it; got by_epoch = false")
    options.ignore("verbose", "last_step", "_scope_")
    length = 1
    if by_epoch:
        length = run.batches if run.by_iterations and not converted and run.batches else run.batches_per_epoch()
    begin = options.number("begin", default=0, least=0) * (length if converted else 1)
    end = options.number("end", default=None)
    if end is None:
        end = run.epochs if by_epoch else run.batches
    if end is None:
        end = facts.updates() if _class(options) in _NEEDS_END else _ENDLESS
        end = math.ceil(end / length) if by_epoch and end != _ENDLESS else end
    end = min(int(end * length), _ENDLESS) if converted else end
    begin = int(begin)
    if end <= begin:
        raise options.error("end", f"expected more than begin, {begin}; got {end}")
    period = 1 if converted else length
    return _Window(
        options,
        begin * period,
        period,
        int(end) - begin,
        length if converted else 1,
        base,
        by_epoch and not converted,
    )


# --- factors ----------------------------------------------------------------------------------------------------------


def _linear(window: _Window) -> Acting:
    first = window.options.number("start_factor", default=1 / 3, above=0)
    last = window.options.number("end_factor", default=1.0, least=0)
    for name, factor in (("start_factor", first), ("end_factor", last)):
        if factor > 1:
            raise window.options.error(name, f"expected a number <= 1; got {factor!r}")
    steps = window.last

    def act(value: float, step: int) -> float:
        done = steps * first + (step - 1) * (last - first)
        return float(value * first if step == 0 else value * (1 + (last - first) / done))

    def curve(scale: float) -> Schedule:
        if steps == 0:
            return Constant(scale * first)
        return Linear(init_value=scale * first, end_value=scale * last, decay_steps=steps)

    return Factor(*window.timing("LinearLR"), act, curve=curve)


def _constant(window: _Window) -> Acting:
    factor = window.options.number("factor", default=1 / 3, above=0)
    if factor > 1:
        raise window.options.error("factor", f"expected a number <= 1; got {factor!r}")
    steps = window.last

    def act(value: float, step: int) -> float:
        return float(value * factor if step == 0 else value / factor if step == steps else value)

    def curve(scale: float) -> Schedule:
        if steps == 0:
            return Constant(scale * factor)
        return PiecewiseConstant(boundaries=[steps], values=[scale * factor, scale])

    return Factor(*window.timing("ConstantLR"), act, curve=curve, ticks=(0, steps))


def _multi_step(window: _Window) -> Acting:
    gamma = window.options.number("gamma", default=0.1)
    counts = Counter(one * window.stretch for one in window.options.wholes("milestones"))
    counts = Counter({step: count for step, count in counts.items() if 0 <= step <= window.last})
    steps = sorted(counts)

    def curve(scale: float) -> Schedule:
        values = [scale * gamma ** sum(counts[one] for one in steps[:number]) for number in range(len(steps) + 1)]
        return PiecewiseConstant(boundaries=steps, values=values)

    return Factor(
        *window.timing("MultiStepLR"), lambda value, step: value * gamma ** counts[step], curve=curve, ticks=steps
    )


def _step(window: _Window) -> Acting:
    gamma, size = window.options.number("gamma", default=0.1), window.whole("step_size", least=1)

    def curve(scale: float) -> Schedule:
        return _until(Exponential(init_value=scale, decay_rate=gamma, decay_steps=size, staircase=True), window)

    return Factor(
        *window.timing("StepLR"),
        lambda value, step: value * gamma if step and step % size == 0 else value,
        curve=curve,
        ticks=range(size, window.last + 1, size),
    )


def _exponential(window: _Window) -> Acting:
    gamma = window.options.number("gamma")
    return Factor(
        *window.timing("ExponentialLR"),
        lambda value, step: value * gamma if step else value,
        curve=lambda scale: _until(Exponential(init_value=scale, decay_rate=gamma), window),
    )


def _until(schedule: Schedule, window: _Window) -> Schedule:
    """The schedule as far as the scheduler acts."""
    if schedule.length is not None and schedule.length <= window.last:
        return schedule
    return schedule if window.steps >= _ENDLESS - window.start else held(schedule, window.last)


# --- curves -----------------------------------------------------------------------------------------------------------


def _cosine(window: _Window) -> Acting:
    """It takes the value over; where T_max is less than its steps it rises again, always to the optimizer's own value."""
    lowest, length = window.floor() or 0.0, window.options.whole("T_max", default=0) * window.stretch or window.steps
    climbs = window.last > length

    def left(step: int) -> float:
        return 0.0 if step % (2 * length) == length else math.cos(math.pi * step / (2 * length)) ** 2

    def act(value: float, step: int) -> float:
        if step == 0:
            return value
        if not left(step - 1):
            return value + (window.base - lowest) * left(length - 1)
        return left(step) / left(step - 1) * (value - lowest) + lowest

    def swing(top: float) -> Schedule:
        once = Cosine(init_value=top, end_value=lowest, decay_steps=length)
        return Repeat(once, mirror=True) if climbs else once

    def curve(value: float, step: int) -> Schedule:
        if not left(step) and climbs and not math.isclose(value, lowest, abs_tol=1e-14 * window.base):
            risen = act(value, step + 1)  # something else moved it at the very foot
            return _until(
                Join([Constant(value), Shift(after(risen, step + 1), step + 1)], boundaries=[step + 1]), window
            )
        return _until(after(value, step), window)

    def after(value: float, step: int) -> Schedule:
        top = lowest + (value - lowest) / left(step) if left(step) else window.base
        foot = ((step // length + 1) | 1) * length  # the next step at which it turns up
        if climbs and foot < window.last and not math.isclose(top, window.base, rel_tol=1e-13):
            return Join([swing(top), Shift(swing(window.base), foot)], boundaries=[foot])
        return swing(top)

    multiplies = None
    if lowest == 0 and not climbs:
        multiplies = Factor(*window.timing("CosineAnnealingLR"), act, curve=lambda scale: _until(swing(scale), window))
    return Curve(*window.timing("CosineAnnealingLR"), act, curve=curve, factor=multiplies)


def _poly(window: _Window) -> Acting:
    lowest, power = window.options.number("eta_min", default=0.0), window.options.number("power", default=1.0, above=0)
    steps = window.last

    def act(value: float, step: int) -> float:
        return float((value - lowest) * (1 - 1 / (steps - step + 1)) ** power + lowest) if step else value

    def fall(top: float) -> Schedule:
        if not steps:
            return Constant(top)
        if power == 1:
            return Linear(init_value=top, end_value=lowest, decay_steps=steps)
        return Polynomial(init_value=top, end_value=lowest, decay_steps=steps, power=power)

    def curve(value: float, step: int) -> Schedule:
        part = (1 - step / steps) ** power if step else 1.0
        return fall(lowest + (value - lowest) / part) if part else Constant(value)

    multiplies = Factor(*window.timing("PolyLR"), act, curve=fall) if lowest == 0 else None
    return Curve(*window.timing("PolyLR"), act, curve=curve, factor=multiplies)


def _cosine_restart(window: _Window) -> Acting:
    options, lowest = window.options, window.floor()
    if lowest is None:
        raise options.error("eta_min", "expected a number, or eta_min_ratio; got none")
    periods = [one * window.stretch for one in options.wholes("periods")]
    weights = options.numbers("restart_weights", default=[1.0])
    if len(periods) != len(weights) or min(periods, default=0) < 1:
        raise options.error(
            "restart_weights", f"expected one for each of the {len(periods)} periods; got {len(weights)}"
        )
    starts = [sum(periods[:number]) for number in range(len(periods))]
    end = min(sum(periods) - 1, window.last)
    plain = [
        Cosine(init_value=window.base * weight, end_value=lowest, decay_steps=period)
        for period, weight in zip(periods, weights, strict=True)
    ]

    def part_of(step: int) -> tuple[int, float]:
        number = max(index for index, start in enumerate(starts) if start <= step)
        return number, math.cos(math.pi * (step - starts[number]) / (2 * periods[number])) ** 2

    def act(value: float, step: int) -> float:
        if step > end:
            return value
        if step in starts:
            return float(plain[starts.index(step)](0))
        return part_of(step)[1] / part_of(step - 1)[1] * (value - lowest) + lowest

    def curve(value: float, step: int) -> Schedule:
        number, part = part_of(min(step, end))
        parts: list[Schedule] = list(plain)
        if not math.isclose(value, joined(parts)(step), rel_tol=1e-13):
            top = lowest + (value - lowest) / part
            parts[number] = Cosine(init_value=top, end_value=lowest, decay_steps=periods[number])
        return joined(parts)

    def joined(parts: list[Schedule]) -> Schedule:
        return held(Join(parts, boundaries=starts[1:]) if len(parts) > 1 else parts[0], end)

    return Curve("CosineRestartLR", window.start, window.period, end, window.by_epoch, act, curve=curve)


def _one_cycle(window: _Window) -> Acting:
    """It overwrites the rate at each of its steps."""
    options = window.options
    total = options.whole("total_steps", default=0) * window.stretch or window.steps
    if window.last >= total:
        raise options.error("total_steps", f"expected at least {window.steps}, up to which it acts; got {total}")
    top, first = options.number("eta_max"), options.number("eta_max") / options.number("div_factor", default=25.0)
    plain = one_cycle(
        init_value=first,
        peak_value=top,
        end_value=first / options.number("final_div_factor", default=1e4),
        total_steps=total,
        pct_start=options.number("pct_start", default=0.3),
        shape="cosine"
        if options.word("anneal_strategy", default="cos", choices=["cos", "linear"]) == "cos"
        else "linear",
        three_phase=options.flag("three_phase"),
    )
    return _overwriting("OneCycleLR", plain, window)


def _overwriting(name: str, plain: Schedule, window: _Window) -> Acting:
    whole = _until(plain, window)

    def curve(value: float, step: int) -> Schedule:
        if math.isclose(value, whole(step), rel_tol=1e-13):
            return whole
        after = Shift(whole, step + 1)
        return Join([whole, Constant(value), after], boundaries=[step, step + 1])

    return Curve(*window.timing(name), lambda _, step: float(whole(step)), curve=curve)


def _quadratic(window: _Window) -> Acting:
    """mmdet's warmup, which adds parts of the optimizer's own value."""
    base, steps = window.base, window.steps

    def act(value: float, step: int) -> float:
        return (value if step else 0.0) + base * (2 * step + 1) / steps**2

    whole = _until(Shift(Constant(base).warmup(steps, shape="power", power=2), 1), window)

    def curve(value: float, step: int) -> Schedule:
        return whole if math.isclose(value, whole(step), rel_tol=1e-13) else whole + (value - whole(step))

    return Curve(*window.timing("QuadraticWarmupLR"), act, curve=curve)


def _plateau(options: Options, schedule: Schedule, value: float, acting: Sequence[Acting]) -> Plateau:
    """torch's machine, whose reductions stay where nothing but factors acts on the rate."""
    lowest = options.number("min_value", default=0.0, least=0)
    if any(isinstance(one, Curve) for one in acting) or (acting and lowest):
        raise options.error(
            "type", "expected a plateau alone, or beside factors and without min_value; got other schedulers"
        )
    options.ignore("monitor", "verbose", "by_epoch")
    for name in ("begin", "end"):
        options.refuse(name, why="expected none, for a plateau counts from the first report")
    relative = options.word("threshold_rule", default="rel", choices=["rel", "abs"]) == "rel"
    threshold = options.number("threshold", default=1e-4)
    return Plateau(
        schedule,
        factor=options.number("factor", default=0.1),
        patience=options.whole("patience", default=10),
        mode="min" if options.word("rule", default="less", choices=["less", "greater"]) == "less" else "max",
        rtol=threshold if relative else 0.0,
        atol=0.0 if relative else threshold,
        cooldown=options.whole("cooldown", default=0),
        min_scale=min(lowest / value, 1.0) if value else 1.0,
        eps=options.number("eps", default=1e-8) / value if value else 0.0,
        arithmetic="torch",
    )


_CLASSES: dict[str, Callable[[_Window], Acting]] = {
    "Linear": _linear,
    "Constant": _constant,
    "MultiStep": _multi_step,
    "Step": _step,
    "Exponential": _exponential,
    "CosineAnnealing": _cosine,
    "Poly": _poly,
    "CosineRestart": _cosine_restart,
    "OneCycle": _one_cycle,
    "QuadraticWarmup": _quadratic,
}

_NEEDS_END = ("Linear", "Constant", "CosineAnnealing", "Poly", "OneCycle", "QuadraticWarmup")
