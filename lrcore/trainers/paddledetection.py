"""PaddleDetection's `LearningRate`: base_lr and schedulers, a decay and then a warmup; ppdet/optimizer/optimizer.py.

The rates of the whole run are a table of updates, whose epochs have as many as the loader has batches; update t has entry t.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.records import short
from lrcore.schedules.kinds import Constant, Cosine, Join, PiecewiseConstant, Repeat
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import held

FOLLOWS = "PaddleDetection 666f597f (2024-10-18)"
FACTS = {"lr": "the optimizer's rate, where LearningRate has no base_lr"}
LIST = "schedulers"

_DEFAULTS = ({"name": "PiecewiseDecay"}, {"name": "LinearWarmup"})
_DECAYS, _WARMUPS = ("CosineDecay", "PiecewiseDecay"), ("LinearWarmup", "ExpWarmup")
_BACK = "Past max_epochs the cosine rises again, as PaddleDetection's does."


def read(options: Options, facts: Facts) -> Taken:
    """Read a merged configuration, or its LearningRate alone."""
    own = options.first_table("LearningRate")
    own.own(*(() if own is not options else ("base_lr", "schedulers")))
    lr = facts.lr(own, "base_lr", default=0.01)
    decay, *others = _schedulers(own)
    name = _name(decay, _DECAYS)
    if not decay.flag("use_warmup", default=True):
        return _without_warmup(decay, facts, lr, name)
    if not others:
        raise own.error("schedulers", f"expected a warmup after {name}, or use_warmup = false; got none")
    steps, rise = _warmup(others[0], facts, lr)
    return Taken(
        _cosine(decay, facts, lr, steps, rise) if name == "CosineDecay" else _stairs(decay, facts, lr, steps, rise)
    )


def _schedulers(own: Options) -> list[Options]:
    """The tables of the schedulers; a tag without options, `!ExpWarmup`, is a text."""
    given = own.values("schedulers", default=list(_DEFAULTS))
    named = [{"name": one.lstrip("!").strip()} if isinstance(one, str) else one for one in given]
    if not named or not all(isinstance(one, dict) for one in named):
        raise own.error("schedulers", f"expected a decay, and a warmup after it; got {short(given)}")
    return [own.inside(one, f"schedulers[{number}]").own() for number, one in enumerate(named)]


def _name(table: Options, choices: tuple[str, ...]) -> str:
    name: str = table.word("name", "_target_", "type", choices=choices)
    return name


# --- warmups ----------------------------------------------------------------------------------------------------------


def _warmup(table: Options, facts: Facts, lr: float) -> tuple[int, Schedule]:
    """The updates of the warmup, at least one, and the warmup to the base rate."""
    linear = _name(table, _WARMUPS) == "LinearWarmup"
    steps = table.whole("steps", default=500 if linear else 1000)
    epochs = table.whole("epochs", default=None)
    if epochs is not None and table.flag("epochs_first", default=True):
        steps = epochs * facts.batches_per_epoch()
    steps = max(steps, 1)
    if linear:
        first = lr * table.number("start_factor", default=1 / 3)
        return steps, Constant(lr).warmup(steps, init_value=first)
    return steps, Constant(lr).warmup(steps, shape="power", power=table.number("power", default=2.0, above=0.0))


def _onto(schedule: Schedule, steps: int, rise: Schedule) -> Schedule:
    """The warmup, then the schedule from its own beginning; as one schedule where they meet."""
    ramp = rise.warmup_
    assert ramp is not None
    if schedule(0) != rise(steps):
        return Join([rise, schedule], boundaries=[steps])
    return schedule.warmup(steps, init_value=ramp.init_value, shape=ramp.shape, power=ramp.power)


# --- decays -----------------------------------------------------------------------------------------------------------


def _cosine(table: Options, facts: Facts, lr: float, steps: int, rise: Schedule) -> Schedule:
    """A cosine from the end of the warmup to the last epochs, which have the floor; else the last update's rate is kept."""
    floor, total, plateau = _ends(table, facts, lr)
    rest = total - steps - plateau
    if total <= steps:
        return rise
    if rest <= 0:
        return Join([rise, Constant(floor)], boundaries=[steps])
    fall = _onto(Cosine(init_value=lr, end_value=floor, decay_steps=rest), steps, rise)
    return fall if plateau else held(fall, total - 1)


def _ends(table: Options, facts: Facts, lr: float) -> tuple[float, int, int]:
    epoch = facts.batches_per_epoch()
    floor = lr * table.number("min_lr_ratio", default=0.0)
    plateau = table.whole("last_plateau_epochs", default=0)
    return floor, table.whole("max_epochs", default=1000, least=1) * epoch, plateau * epoch


def _stairs(table: Options, facts: Facts, lr: float, steps: int, rise: Schedule) -> Schedule:
    """Milestones count from the beginning of the run; those in the warmup act at its end."""
    if table.given("values"):
        raise table.error("values", "expected none with a warmup, whose updates PaddleDetection would look up in it")
    milestones, rates = _milestones(table, facts, lr)
    after = [max(milestone - steps, 0) for milestone in milestones]
    return _onto(PiecewiseConstant(boundaries=after, values=rates), steps, rise)


def _milestones(table: Options, facts: Facts, lr: float) -> tuple[list[int], list[float]]:
    """Updates and rates; a gamma that is one number is divided by 10 from one milestone to the next."""
    epochs = table.wholes("milestones", default=[8, 11])
    if table.given("values"):
        table.ignore("gamma")
        rates = table.numbers("values")
    else:
        written = table.raw("gamma", default=[0.1, 0.01])
        factors = table.numbers("gamma", default=[0.1, 0.01])
        if not isinstance(written, list):
            factors = [factors[0] / 10**number for number in range(len(epochs))]
        rates = [lr, *(lr * factor for factor in factors)]
    if len(rates) != len(epochs) + 1:
        name = "values" if table.given("values") else "gamma"
        raise table.error(name, f"expected one for each of the milestones {epochs}; got {rates}")
    epoch = facts.batches_per_epoch()
    return [number * epoch for number in epochs], rates


def _without_warmup(table: Options, facts: Facts, lr: float, name: str) -> Taken:
    if name == "PiecewiseDecay":
        milestones, rates = _milestones(table, facts, lr)
        return Taken(PiecewiseConstant(boundaries=milestones, values=rates))
    floor, total, plateau = _ends(table, facts, lr)
    if plateau >= total:
        return Taken(Constant(floor))
    fall = Cosine(init_value=lr, end_value=floor, decay_steps=total - plateau)
    return Taken(fall) if plateau else Taken(Repeat(fall, mirror=True), notes=(_BACK,))
