"""composer's schedulers, and llm-foundry's `scheduler`; composer/optim/scheduler.py, llmfoundry/optim/scheduler.py.

A scheduler gives a factor of the optimizer's rate at the time before the update. It counts in the unit of its own lengths:
batches (each is an update), samples or tokens.
"""

from __future__ import annotations

import itertools
import math
import operator
import re
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from lrcore.configs.facts import Facts
from lrcore.configs.options import REQUIRED, Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.runs.length import parsed
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Sum,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total, class_name, per_epoch, per_update, tokens_per_update

FOLLOWS = "composer 0.32.1, llm-foundry 0.22.0"
FACTS = {
    "lr": "the optimizer's rate, where the file has no optimizer.lr",
    "scale_schedule_ratio": "composer's argument, by which all lengths are multiplied",
}
Curve: TypeAlias = Callable[[Options, float], Callable[[int], Schedule]]
"""What makes, of a scheduler's options and the rate, a curve of so many steps."""

_TIME = re.compile(r"(.+?)(iter|ep|ba|sp|tok|dur|sec)", re.IGNORECASE)
_UNITS = {"updates": "ba", "epochs": "ep", "samples": "sp", "tokens": "tok"}


class Time(NamedTuple):
    """A time of composer.

    Attributes:
        value: a whole number, but with the unit dur a share.
        unit: ba, ep, sp, tok or dur.
    """

    value: float
    unit: str


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole YAML, or its `scheduler` alone."""
    kind, scheduler = _scheduler(options)
    times = Times(options, facts)
    lr = facts.lr(_optimizer(options), "lr")
    if times.is_written() and facts.run.total is not None:
        times.run()
    schedule = _RULES[kind](scheduler.own(), times, lr)
    if options.flag("step_schedulers_every_batch", default=True):
        return Taken(schedule, notes=times.notes())
    epoch = times.epoch()
    return Taken(per_epoch(per_update(schedule, epoch), epoch), notes=times.notes())


def _scheduler(options: Options) -> tuple[str, Options]:
    """The scheduler's class and table: `scheduler`, one of `schedulers`, or one whose key is its name."""
    found = options.tables("schedulers") if options.given("schedulers") else [options.first_table("scheduler")]
    named = {name: table for table in found for name in table if name in _NAMES and isinstance(table.raw(name), dict)}
    if len(named) == 1 and len(found) == 1:
        [(name, table)] = named.items()
        return _NAMES[name], table.table(name)
    if len(found) == 1 and not named:
        return _NAMES[class_name(found[0], "name", "_target_", "type", known=_NAMES)], found[0]
    why = "expected one scheduler, for composer applies the last alone though it says that they multiply"
    raise options.error("schedulers", f"{why}; got {len(named) or len(found)}")


def _optimizer(options: Options) -> Options:
    """The optimizer's table, or that of the optimizer's name inside it."""
    table = options.first_table("optimizer", "optimizers")
    inner = [name for name in table if isinstance(table.raw(name), dict)] if table is not options else []
    return table.table(inner[0]) if inner and not table.given("lr") else table


class Times:
    """The run in composer's words: how long it is, what the times of a scheduler are in it, and what an update takes of them."""

    def __init__(self, options: Options, facts: Facts) -> None:
        self._options, self._facts = options, facts
        given = options.number("scale_schedule_ratio", default=None, above=0)
        self.ratio: float = given or facts.number("scale_schedule_ratio", default=1.0, above=0)
        self._counted = False
        self._said: list[str] = []

    def notes(self) -> tuple[str, ...]:
        """What is taken for granted, and where the schedule ends before composer's."""
        counted = ("Every batch is counted as a full one.",) if self._counted else ()
        return (*counted, *self._said)

    def say(self, note: str) -> None:
        """Keep a note for the user."""
        self._said.append(note)

    # --- lengths ----------------------------------------------------------------------------------------------------

    def stated(self) -> Time | None:
        """The run's length as it is written in max_duration, before it is scaled, or as the run itself states it."""
        if self.is_written():
            raw = self._options.raw("max_duration")
            return Time(raw, "ep") if isinstance(raw, int) else _time(self._options, "max_duration")
        if self._facts.run.total is None:
            return None
        length = parsed(self._facts.run.total, "run.total")
        return Time(math.ceil(length.amount), _UNITS[length.unit])

    def is_written(self) -> bool:
        """Whether the configuration itself says how long the run is."""
        return self._options.given("max_duration")

    def run(self) -> Time:
        """The run's length; composer scales max_duration with the schedule."""
        time = self.stated()
        if time is None:
            raise self._options.error("max_duration", "expected the run's length, as '10ep' or '1000ba'; got none")
        ratio = self.ratio if self.is_written() else 1.0
        if time.unit == "dur" or int(time.value * ratio) < 1:
            raise self._options.error(
                "max_duration", f"expected a length of at least one {time.unit}; got {time.value:g}"
            )
        found = Time(int(time.value * ratio), time.unit)
        if self.is_written() and self._facts.run.total is not None:
            check_total(self._facts, self.updates(self.in_clock(found)))
        return found

    def of(self, table: Options, name: str, default: Any = REQUIRED, scaled: bool = True) -> Time:
        """A scheduler's length in batches, samples or tokens: composer cuts fractions off, in floats."""
        return self.converted(_time(table, name, default), scaled)

    def converted(self, time: Time, scaled: bool = True) -> Time:
        """A time in batches, samples or tokens."""
        if time.unit == "dur":
            run = self.run()
            if run.unit == "ep":
                return Time(int(time.value * self.epoch() * run.value), "ba")
            return Time(int(time.value * run.value), run.unit)
        time = self.in_clock(time)
        return Time(int(time.value * self.ratio), time.unit) if scaled else time

    def in_clock(self, time: Time) -> Time:
        """A time in epochs as one in batches."""
        return Time(time.value * self.epoch(), "ba") if time.unit == "ep" else time

    def epoch(self) -> int:
        """The batches of one epoch, which are its updates."""
        subset = self._options.whole("train_subset_num_batches", default=-1, least=-1)
        if subset < 0:
            return self._facts.updates_per_epoch()
        run = self._facts.run
        stated = run.updates_per_epoch or run.batches_per_epoch or run.dataset_size
        return int(subset) if stated is None else min(subset, self._facts.updates_per_epoch())

    # --- updates ----------------------------------------------------------------------------------------------------

    def amount(self, unit: str) -> int:
        """What one update takes of a unit."""
        if unit == "ba":
            return 1
        self._counted = True
        tables = self._options, self._options.table("variables"), self._options.table("model")
        batch = int(_first(tables, "global_train_batch_size") or self._facts.batch_size())
        if batch != (told := self._facts.batch_size(default=batch)):
            raise ScheduleError(
                "run.batch_size", f"expected {batch}, which the configuration says, or none; got {told}"
            )
        return batch if unit == "sp" else tokens_per_update(self._facts, batch, _first(tables, "max_seq_len"))

    def updates(self, time: Time) -> int:
        """The first update at or past a time in batches, samples or tokens."""
        return math.ceil(Fraction(time.value) / self.amount(time.unit))

    def driven(self, schedule: Schedule, unit: str) -> Schedule:
        """A schedule that is written in this unit, per update."""
        return per_update(schedule, self.amount(unit))


def _first(tables: Iterable[Options], name: str) -> int | None:
    found = [table.whole(name, default=None, least=1) for table in tables]
    return next((one for one in found if one is not None), None)


def _time(table: Options, name: str, default: Any = REQUIRED) -> Time:
    """A time as it is written: '100ba', '0.1dur'; 1e9tok and 1_000ba are understood too."""
    text = str(table.word(name, default=default)).strip()
    match = _TIME.fullmatch(text)
    try:
        value = float(match[1]) if match else math.nan
    except ValueError:
        value = math.nan
    unit = match[2].lower() if match else ""
    whole = unit == "dur" or value.is_integer()
    if unit in ("sec", "iter") or not math.isfinite(value) or not whole or value < 0:
        raise table.error(name, f"expected a time such as '100ba', '2ep', '1e9tok', '512sp' or '0.1dur'; got {text!r}")
    return Time(value if unit == "dur" else int(value), unit)


def _period(scheduler: Options, times: Times, name: str, default: Any = REQUIRED) -> Time:
    """A length by which composer divides."""
    time = times.of(scheduler, name, default)
    if time.value < 1:
        raise scheduler.error(name, "expected a time that is not cut to 0; got one that is")
    return time


# --- schedules --------------------------------------------------------------------------------------------------------


def _step(scheduler: Options, times: Times, lr: float) -> Schedule:
    size, gamma = _period(scheduler, times, "step_size"), scheduler.number("gamma", default=0.1)
    stairs = Exponential(init_value=lr, decay_rate=gamma, decay_steps=size.value, staircase=True)
    return times.driven(stairs, size.unit)


def _exponential(scheduler: Options, times: Times, lr: float) -> Schedule:
    period = _period(scheduler, times, "decay_period", "1ep")
    fall = Exponential(init_value=lr, decay_rate=scheduler.number("gamma"), decay_steps=period.value)
    return times.driven(fall, period.unit)


def _constant(scheduler: Options, times: Times, lr: float) -> Schedule:
    """A factor until t_max, after which the optimizer's rate itself holds."""
    alpha = scheduler.number("alpha", default=1.0)
    if alpha == 1:
        scheduler.ignore("t_max")
        return Constant(lr)
    end = times.updates(times.of(scheduler, "t_max", "1dur"))
    return PiecewiseConstant(boundaries=[end], values=[alpha * lr, lr])


def _multi_step(scheduler: Options, times: Times, lr: float) -> Schedule:
    return _stairs(scheduler, times, lr, 0)


def _multi_step_warmed(scheduler: Options, times: Times, lr: float) -> Schedule:
    """The milestones are counted from the run's beginning; one inside the warmup acts at its end."""
    warmup = times.of(scheduler, "t_warmup", scaled=False)
    start = times.updates(warmup)
    stairs = _stairs(scheduler, times, lr, start)
    if times.amount(warmup.unit) == 1 and stairs(0) == lr and _rise_time(scheduler, times) == warmup:
        return stairs.warmup(start)
    rise = times.driven(_rise(lr, _rise_time(scheduler, times)), warmup.unit)
    return Join([rise, stairs], boundaries=[start]) if start else stairs


def _stairs(scheduler: Options, times: Times, lr: float, start: int) -> Schedule:
    gamma = scheduler.number("gamma", default=0.1)
    texts = scheduler.values("milestones")
    found = [_time(Options({"milestones": text}, scheduler.where()), "milestones") for text in texts]
    places = sorted(max(0, times.updates(times.converted(time)) - start) for time in found)
    values = list(itertools.accumulate([lr] + [gamma] * len(places), operator.mul))
    return PiecewiseConstant(boundaries=places, values=values)


def _restarts(scheduler: Options, times: Times, lr: float) -> Schedule:
    """Cosines again and again; each length is that of the one before times t_mult, cut to a whole number."""
    first, factor = _period(scheduler, times, "t_0"), scheduler.number("t_mult", default=1.0, above=0)
    low = lr * scheduler.number("alpha_f", default=0.0)

    def cycle(steps: int) -> Schedule:
        return Cosine(init_value=lr, end_value=low, decay_steps=steps)

    if factor.is_integer():
        return times.driven(Repeat(cycle(int(first.value)), length_factor=factor), first.unit)
    run = times.updates(times.in_clock(times.run())) * times.amount(first.unit)
    lengths = list(_lengths(scheduler, int(first.value), factor, run))
    parts = [cycle(steps) for steps in lengths]
    if int(factor * lengths[-1]) == lengths[-1]:
        parts[-1] = Repeat(parts[-1])
    else:
        times.say(
            "The restarts are written out as far as twice the run; composer goes on with them, lrcore holds its last value."
        )
    return times.driven(Join(parts, boundaries=list(itertools.accumulate(lengths[:-1]))), first.unit)


def _lengths(scheduler: Options, length: int, factor: float, run: int) -> Iterator[int]:
    """The cycles' lengths as far as twice the run, or until they stay the same."""
    start = 0
    while start <= 2 * run + 1:
        if length < 1 and start < run:
            raise scheduler.error("t_mult", f"expected cycles that do not shrink to nothing in the run; got {factor:g}")
        if length < 1:
            return
        yield length
        if int(factor * length) == length:
            return
        start, length = start + length, int(factor * length)


def _inverse_sqrt(scheduler: Options, times: Times, lr: float) -> Schedule:
    """llm-foundry's: an inverse square root after the warmup, and a linear cooldown at the end."""
    floor = scheduler.number("alpha_f_decay", default=0.0)
    last = scheduler.number("alpha_f_cooldown", default=0.0)
    if floor < last:
        raise scheduler.error("alpha_f_decay", f"expected at least alpha_f_cooldown, {last:g}; got {floor:g}")
    lengths = [_in_units_of_the_run(scheduler, times, name) for name in ("t_warmup", "t_scale", "t_cooldown")]
    warmup, scale, cooldown = [int(one.value) for one in lengths]
    if not scale:
        raise scheduler.error("t_scale", "expected a time that is not cut to 0; got one that is")
    fall: Schedule = InverseTime(init_value=(1 - floor) * lr, decay_steps=scale, power=0.5)
    body = (Sum([Constant(floor * lr), fall]) if floor else fall).warmup(warmup)
    start = max(int(times.of(scheduler, "t_max", "1dur").value) - cooldown, warmup)
    end_value = last * lr if cooldown else body(start)
    return times.driven(body.cooldown(cooldown, start=start, end_value=end_value), lengths[0].unit)


def _in_units_of_the_run(scheduler: Options, times: Times, name: str) -> Time:
    time = _time(scheduler, name)
    run = times.stated()
    if time.unit == "dur" or (run is not None and times.is_written() and time.unit != run.unit):
        unit = "one of ba, ep, sp, tok" if run is None else run.unit
        raise scheduler.error(name, f"expected a time in the unit of max_duration, {unit}; got {time.unit}")
    return times.converted(time, scaled=name != "t_warmup")


# --- curves, without and with a warmup --------------------------------------------------------------------------------


def _unwarmed(curve: Curve, scheduler: Options, times: Times, lr: float) -> Schedule:
    end = _period(scheduler, times, "t_max", "1dur")
    return times.driven(curve(scheduler, lr)(int(end.value)), end.unit)


def _warmed(curve: Curve, scheduler: Options, times: Times, lr: float) -> Schedule:
    """A curve from the warmup's end to t_max; where the warmup is as long, its first value holds."""
    warmup, end = times.of(scheduler, "t_warmup", scaled=False), times.of(scheduler, "t_max", "1dur")
    if warmup.unit != end.unit:
        raise scheduler.error("t_warmup", f"expected the unit of t_max, {end.unit}; got {warmup.unit}")
    _check_reaches(scheduler, times)
    made = curve(scheduler, lr)
    body = made(int(end.value - warmup.value)) if end.value > warmup.value else Constant(made(1)(0))
    steps, rise = int(warmup.value), _rise_time(scheduler, times)
    if rise == warmup:
        return times.driven(body.warmup(steps), end.unit)
    return times.driven(Join([_rise(body(0), rise), body], boundaries=[steps]) if steps else body, end.unit)


def _rise_time(scheduler: Options, times: Times) -> Time:
    """How long the warmup takes to the top: scaled only with scale_warmup, although the curve begins where it is not."""
    return times.of(scheduler, "t_warmup", scaled=scheduler.flag("scale_warmup", default=False))


def _rise(peak: float, time: Time) -> Schedule:
    return Linear(init_value=0.0, end_value=peak, decay_steps=max(1, int(time.value)))


def _check_reaches(scheduler: Options, times: Times) -> None:
    """composer refuses a t_max before the end of the run, if it can compare the two; neither is scaled here."""
    end, run = _time(scheduler, "t_max", "1dur"), times.stated()
    if run is None or end.unit == "dur":
        return
    end, run = times.in_clock(end), times.in_clock(run)
    if end.unit != run.unit:
        return
    if end.value < (run.value if times.is_written() else run.value / times.ratio):
        raise scheduler.error(
            "t_max", f"expected at least the run, {run.value:.0f}{run.unit}; got {end.value:.0f}{end.unit}"
        )
    if times.is_written() and end.value < int(run.value * times.ratio):
        times.say("composer compares t_max with the scaled run and stops; lrcore scales both, as composer documents.")


def _level(scheduler: Options, lr: float) -> Callable[[int], Schedule]:
    value = scheduler.number("alpha", default=1.0) * lr
    return lambda _steps: Constant(value)


def _line(scheduler: Options, lr: float) -> Callable[[int], Schedule]:
    first, last = scheduler.number("alpha_i", default=1.0) * lr, scheduler.number("alpha_f", default=0.0) * lr
    return lambda steps: Linear(init_value=first, end_value=last, decay_steps=steps)


def _wave(scheduler: Options, lr: float) -> Callable[[int], Schedule]:
    last = scheduler.number("alpha_f", default=0.0) * lr
    return lambda steps: Cosine(init_value=lr, end_value=last, decay_steps=steps)


def _power(default: Any, scheduler: Options, lr: float) -> Callable[[int], Schedule]:
    power, last = scheduler.number("power", default=default, least=0), scheduler.number("alpha_f", default=0.0) * lr
    if not power:
        return lambda _steps: Constant(lr)
    return lambda steps: Polynomial(init_value=lr, end_value=last, decay_steps=steps, power=power)


_RULES: dict[str, Callable[[Options, Times, float], Schedule]] = {
    "StepScheduler": _step,
    "MultiStepScheduler": _multi_step,
    "ConstantScheduler": _constant,
    "LinearScheduler": partial(_unwarmed, _line),
    "ExponentialScheduler": _exponential,
    "CosineAnnealingScheduler": partial(_unwarmed, _wave),
    "CosineAnnealingWarmRestartsScheduler": _restarts,
    "PolynomialScheduler": partial(_unwarmed, partial(_power, REQUIRED)),
    "MultiStepWithWarmupScheduler": _multi_step_warmed,
    "ConstantWithWarmupScheduler": partial(_warmed, _level),
    "LinearWithWarmupScheduler": partial(_warmed, _line),
    "CosineAnnealingWithWarmupScheduler": partial(_warmed, _wave),
    "PolynomialWithWarmupScheduler": partial(_warmed, partial(_power, 2.0)),
    "InverseSquareRootWithWarmupScheduler": _inverse_sqrt,
}
_WORDS = {
    "step": "StepScheduler",
    "multistep": "MultiStepScheduler",
    "constant": "ConstantScheduler",
    "linear_decay": "LinearScheduler",
    "exponential": "ExponentialScheduler",
    "cosine_decay": "CosineAnnealingScheduler",
    "cosine_warmrestart": "CosineAnnealingWarmRestartsScheduler",
    "polynomial": "PolynomialScheduler",
    "multistep_with_warmup": "MultiStepWithWarmupScheduler",
    "constant_with_warmup": "ConstantWithWarmupScheduler",
    "linear_decay_with_warmup": "LinearWithWarmupScheduler",
    "cosine_with_warmup": "CosineAnnealingWithWarmupScheduler",
    "cosine_decay_with_warmup": "CosineAnnealingWithWarmupScheduler",
    "polynomial_with_warmup": "PolynomialWithWarmupScheduler",
    "inv_sqrt_with_warmup": "InverseSquareRootWithWarmupScheduler",
}
_NAMES = {**{name: name for name in _RULES}, **_WORDS}
"""The classes, and the words of llm-foundry and of composer's old YAML files for them."""
