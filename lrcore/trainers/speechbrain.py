"""SpeechBrain's `lr_annealing` of hparams; speechbrain/nnet/schedulers.py.

Recipes call it after the update (on_fit_batch_end), or after an epoch (on_stage_end): the first update, or epoch, has the optimizer's
own rate, which in many recipes is the peak, and update t has the value of the t-th call.
"""

from __future__ import annotations

import math

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Product,
    Repeat,
    Shift,
)
from lrcore.schedules.recipes import cyclic
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, delayed, noam, per_epoch

FOLLOWS = "speechbrain 1.1.2"
FACTS = {
    "lr": "the optimizer's own rate, where the file has no opt_class.lr",
    "annealing": "the name of the schedule, where the file has several",
}

_TARGET = ("_target_", "!new", "new", "class", "class_name", "type", "name")
_NAMES = ("lr_annealing", "noam_annealing", "lr_scheduler", "scheduler", "lr_annealing_model")
_ENDLESS = "Past total_steps the decay goes on, as SpeechBrain's does."


def read(options: Options, facts: Facts) -> Taken:
    """Read hparams, or the schedule's table alone."""
    own, others = _annealing(options, facts)
    name = own.word(*_TARGET).rpartition(".")[2].rpartition(":")[2]
    own.ignore(*_TARGET)
    if name not in _KINDS:
        name = Options({"class": name}, own.where()).word("class", choices=list(_KINDS))
    optimizer = options.first_table("opt_class", "model_opt_class", "optimizer", "Adam")
    if optimizer is options:
        optimizer = Options({}, options.where())
    lr = facts.lr(optimizer, "lr")
    schedule, notes = _KINDS[name](own, lr)
    if name in _PER_EPOCH:
        schedule = per_epoch(schedule, facts.updates_per_epoch())
    if others:
        notes = (*notes, f"Not taken: {', '.join(others)}, of other optimizers; the fact annealing=... names one.")
    return Taken(schedule, notes=notes)


def _annealing(options: Options, facts: Facts) -> tuple[Options, list[str]]:
    """The schedule's table, and the names of other schedules in the file."""
    found = [name for name in options if _is_schedule(options, name)]
    wanted = facts.word("annealing", default=None)
    if wanted is not None:
        chosen = options.table(wanted, required=True)
    elif found:
        wanted = next((name for name in _NAMES if name in found), found[0])
        chosen = options.table(wanted)
    else:
        chosen = options
    for name in chosen:
        if name.startswith("!new:"):
            values = {one: chosen.table(name).raw(one) for one in chosen.table(name)}
            return Options({"_target_": name, **values}, chosen.where()), []
    return chosen.own() if chosen is not options else chosen, [name for name in found if name != wanted]


def _is_schedule(options: Options, name: str) -> bool:
    table = options.raw(name)
    if not isinstance(table, dict):
        return False
    targets = [str(table[key]) for key in _TARGET if key in table]
    targets += [key for key in table if str(key).startswith("!new:")]
    known = any(target.rpartition(".")[2].rpartition(":")[2] in _KINDS for target in targets)
    return known or (name in _NAMES and bool(targets))


# --- called after each update -----------------------------------------------------------------------------------------

_Found = tuple[Schedule, tuple[str, ...]]


def _after(lr: float, schedule: Schedule) -> Schedule:
    """The optimizer's rate in update 0, then what the schedule has at the number of the call."""
    return schedule if schedule(0) == lr else delayed(lr, ahead(schedule))


def _noam(own: Options, lr: float) -> _Found:
    return _after(lr, _noam_of(own)), ()


def _noam_of(own: Options) -> Schedule:
    peak, steps = own.number("lr_initial"), own.number("n_warmup_steps", above=0.0)
    width = own.number("model_size", default=None, above=0.0)
    return noam(peak if width is None else peak / math.sqrt(width * steps), steps)


def _noam_interval(own: Options, lr: float) -> _Found:
    """Noam's, multiplied by a rate more after each of anneal_steps."""
    steps, rates = own.wholes("anneal_steps"), own.numbers("anneal_rates")
    if len(rates) < len(steps):
        raise own.error("anneal_rates", f"expected {len(steps)} rates, one for each of anneal_steps; got {rates}")
    factors = [1.0]
    for _, rate in sorted(zip(steps, rates, strict=False)):
        factors.append(factors[-1] * rate)
    stairs = PiecewiseConstant(boundaries=[step + 1 for step in sorted(steps)], values=factors)
    return _after(lr, Product([_noam_of(own), stairs])), ()


def _linear_noam(own: Options, lr: float) -> _Found:
    """A warmup, a hold, and the inverse of the time (no root)."""
    peak, warmup = own.number("lr_initial"), own.whole("n_warmup_steps", least=1)
    fall = InverseTime(init_value=peak, decay_steps=warmup)
    return _after(lr, _hold(peak, own.whole("n_keep_steps"), fall).warmup(warmup)), ()


def _linear_warmup(own: Options, lr: float) -> _Found:
    peak, warmup = own.number("initial_value"), own.whole("num_warmup_steps")
    rest = own.whole("num_training_steps") - warmup
    if rest <= 0:
        rise = Constant(peak).warmup(warmup)
        return _after(lr, Join([rise, Constant(0.0)], boundaries=[warmup]) if warmup else Constant(0.0)), ()
    return _after(lr, Linear(init_value=peak, decay_steps=rest).warmup(warmup)), ()


def _inverse_sqrt(own: Options, lr: float) -> _Found:
    """1 / sqrt(max(warmup_steps, n)), whatever the optimizer's rate is."""
    hold = max(own.whole("warmup_steps"), 1)
    first = 1 / math.sqrt(hold)
    fall = InverseTime(init_value=first, decay_steps=hold, power=0.5)
    return _after(lr, Join([Constant(first), fall], boundaries=[hold])), ()


def _cyclic_cosine(own: Options, lr: float) -> _Found:
    """A wave of 2 total_steps whose top is at the end of n_warmup_steps."""
    if not own.given("lr_initial"):
        raise own.error(
            "lr_initial", "expected a number, for without one each factor multiplies the rate before; got none"
        )
    warmup, total = own.whole("n_warmup_steps", least=1), own.whole("total_steps", default=100_000, least=1)
    wave = Repeat(Cosine(init_value=own.number("lr_initial"), decay_steps=total), mirror=True)
    return _after(lr, Shift(wave, -warmup % (2 * total)) if warmup % (2 * total) else wave), ()


def _cyclic(own: Options, lr: float) -> _Found:
    own.refuse("scale_fn", why="expected none, for a Python function is not read", unless=(None,))
    own.ignore("scale_mode")
    mode = own.word("mode", default="triangular", choices=["triangular", "triangular2", "exp_range"])
    gamma = own.number("gamma", default=1.0)
    schedule = cyclic(
        base_value=own.number("base_lr", default=0.001),
        peak_value=own.number("max_lr", default=0.006),
        up_steps=own.number("step_size", default=2000.0, above=0.0),
        mode=mode,
        gamma=gamma if mode == "exp_range" else None,
    )
    return _after(lr, schedule), ()


def _interval(own: Options, lr: float) -> _Found:
    intervals = [one for one in own.tables("intervals") if one.whole("steps") > 0]
    steps, rates = [one.whole("steps") for one in intervals], [one.number("lr") for one in intervals]
    if steps != sorted(set(steps)):
        raise own.error("intervals", f"expected steps that rise; got {steps}")
    return PiecewiseConstant(boundaries=steps, values=[lr, *rates]), ()


def _warm_exponential(own: Options, lr: float) -> _Found:
    """One call later than the others: the first call has the first value."""
    peak, warmup, factor = own.number("lr"), own.whole("n_warmup_steps"), own.number("decay_factor", default=0.1)
    rest = own.whole("total_steps") - warmup
    if rest <= 0:
        raise own.error("total_steps", f"expected more than n_warmup_steps ({warmup}); got {rest + warmup}")
    fall = Exponential(init_value=peak, decay_rate=factor, decay_steps=rest) if factor < 1 else Constant(peak)
    return delayed(lr, fall.warmup(warmup)), (_ENDLESS,)


def _warm_cool(own: Options, lr: float) -> _Found:
    """The cooldown starts lower than where the decay has come to, for it counts the warmup as decay."""
    peak, warmup, cooldown = own.number("lr"), own.whole("warmup"), own.whole("cooldown")
    rate = own.number("decay_factor", default=0.75, above=0.0)
    every, start = own.number("decay_every", default=100_000.0, above=0.0), own.whole("total_steps") - cooldown
    decay = Exponential(init_value=peak, decay_rate=rate, decay_steps=every).warmup(warmup)
    if not cooldown:
        return _after(lr, decay), (_ENDLESS,)
    first = max(warmup, start + 1)
    fall = Linear(init_value=peak * rate ** (start / every), decay_steps=cooldown)
    note = "Past total_steps SpeechBrain's rate is negative; here it stays 0."
    return _after(lr, Join([decay, Shift(fall, first - start)], boundaries=[first])), (note,)


def _tri_stage(own: Options, lr: float) -> _Found:
    """The decay has no end."""
    peak, warmup = own.number("lr"), own.whole("warmup_steps", least=1)
    own.ignore("total_steps")
    last = own.number("final_lr_scale", default=0.05, above=0.0)
    fall = Exponential(init_value=peak, decay_rate=last, decay_steps=own.whole("decay_steps", least=1))
    first = peak * own.number("init_lr_scale", default=0.01)
    body = _hold(peak, own.whole("hold_steps"), fall).warmup(warmup, init_value=first)
    return _after(lr, body), (_ENDLESS,)


def _hold(peak: float, steps: int, fall: Schedule) -> Schedule:
    return Join([Constant(peak), fall], boundaries=[steps]) if steps else fall


# --- called after each epoch ------------------------------------------------------------------------------------------


def _linear(own: Options, lr: float) -> _Found:
    first, count = own.number("initial_value"), own.whole("epoch_count", least=1)
    last = own.number("final_value") if count > 1 else first
    return _after(lr, Linear(init_value=first, end_value=last, decay_steps=count - 1)), ()


def _step(own: Options, lr: float) -> _Found:
    """The first stair is one epoch shorter."""
    first, half = own.number("initial_value"), own.number("half_life", default=0.0)
    if half and (own.given("decay_factor") or own.given("decay_drop")):
        raise own.error("half_life", f"expected none beside decay_factor and decay_drop; got {half:g}")
    factor = own.number("decay_factor", default=0.0) or 0.5
    drop = own.number("decay_drop", default=0.0) or 2.0
    if half:
        factor, drop = math.exp(-math.log(2) / half), 1.0
    stairs = Exponential(init_value=first, decay_rate=factor, decay_steps=drop, staircase=True)
    return _after(lr, ahead(stairs)), ()


def _refused(own: Options, lr: float) -> _Found:
    why = "expected a schedule of updates or epochs, for this class goes by how each metric differs from the one before"
    raise own.error("_target_", f"{why}; got {own.raw(*_TARGET)}")


_PER_EPOCH = ("LinearScheduler", "StepScheduler")
_KINDS = {
    "NoamScheduler": _noam,
    "NoamIntervalScheduler": _noam_interval,
    "LinearNoamScheduler": _linear_noam,
    "LinearWarmupScheduler": _linear_warmup,
    "InverseSquareRootScheduler": _inverse_sqrt,
    "CyclicCosineScheduler": _cyclic_cosine,
    "CyclicLRScheduler": _cyclic,
    "IntervalScheduler": _interval,
    "WarmAndExpDecayLRSchedule": _warm_exponential,
    "WarmCoolDecayLRSchedule": _warm_cool,
    "TriStageLRSchedule": _tri_stage,
    "LinearScheduler": _linear,
    "StepScheduler": _step,
    "NewBobScheduler": _refused,
    "ReduceLROnPlateau": _refused,
}
