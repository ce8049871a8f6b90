"""mmengine's `param_scheduler`: a list of schedulers that act on the current rate; mmengine/optim/scheduler/param_scheduler.py.

Each acts once when it is built, then after each batch, or after each epoch with by_epoch, which is the default; it does so at
its steps begin <= k < end and so ends one short, at k = end - begin - 1. Batches are counted, not updates: an accumulated
update is made at the last batch of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.schedules.kinds import Constant
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.acting import Acting, Curve, together
from lrcore.trainers.idioms import per_accumulated
from lrcore.trainers.mmengine_schedulers import CLASSES, ENDLESS, Window

FOLLOWS = "mmengine 0.10.7"
FACTS = {
    "lr": "the optimizer's rate, where the file has no optim_wrapper.optimizer.lr",
    "momentum": "the optimizer's momentum, or its first beta, where it is scheduled and the file lacks it",
    "weight_decay": "the optimizer's weight decay, where it is scheduled and the file lacks it",
}
LIST = "param_scheduler"

_NEEDS_END = ("Linear", "Constant", "CosineAnnealing", "Poly", "OneCycle", "QuadraticWarmup")


class _Run(NamedTuple):
    """The lengths of the run, in batches."""

    batches_per_epoch: Callable[[], int]
    epochs: int | None
    batches: int | None
    accumulated: int
    by_iterations: bool
    """Whether the loop is IterBasedTrainLoop, for which the whole run is one epoch."""


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
        acting.append(CLASSES[_class(one)](window))
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
    if plain not in CLASSES and plain != "ReduceOnPlateau":
        known = [f"{one}LR" for one in (*CLASSES, "ReduceOnPlateau") if one != "QuadraticWarmup"]
        raise options.error("type", f"expected one of {', '.join(known)}; got {kind!r}{did_you_mean(kind, known)}")
    return plain


def _window(options: Options, run: _Run, base: float, facts: Facts) -> Window:
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
        end = facts.updates() if _class(options) in _NEEDS_END else ENDLESS
        end = math.ceil(end / length) if by_epoch and end != ENDLESS else end
    end = min(int(end * length), ENDLESS) if converted else end
    begin = int(begin)
    if end <= begin:
        raise options.error("end", f"expected more than begin, {begin}; got {end}")
    period = 1 if converted else length
    return Window(
        options,
        begin * period,
        period,
        int(end) - begin,
        length if converted else 1,
        base,
        by_epoch and not converted,
    )


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
