"""timm's schedulers: `create_scheduler_v2`'s arguments, or the args.yaml of its train.py; timm/scheduler/*.py.

After epoch e train.py asks for t = e + 1, with --sched-on-updates after update u for t = u + 1. So t = 0 is never asked: the
first epoch (or update) has warmup_lr, or the optimizer's rate where there is no warmup. A warmup is laid over a clock that
runs already, unless warmup_prefix says otherwise: the epochs include it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple, TypeAlias

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
    Logistic,
    PiecewiseConstant,
    Polynomial,
    Repeat,
    Sum,
)
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, check_total, delayed, entered, per_epoch, straight, stretched, whole_or_real

FOLLOWS = "timm 1.0.31"
FACTS = {"lr": "the optimizer's rate, where the file has neither lr nor lr_base"}

_V2 = {
    "epochs": ("num_epochs", 300),
    "decay_epochs": ("decay_epochs", None),
    "milestones": ("decay_milestones", [90, 180, 270]),
    "warmup_epochs": ("warmup_epochs", 0),
    "noise": ("noise", None),
    "cycle_mul": ("cycle_mul", 1.0),
    "cycle_decay": ("cycle_decay", 0.1),
    "cycle_limit": ("cycle_limit", 1),
    "k_decay": ("k_decay", 1.0),
    "decay_fn": ("decay_fn", None),
    "timescale": ("stable_timescale", None),
}
"""Our word -> the argument of create_scheduler_v2, and its default."""

_ARGS = {
    "epochs": ("epochs", 100),
    "decay_epochs": ("decay_epochs", 30),
    "milestones": ("decay_milestones", [30, 60]),
    "warmup_epochs": ("warmup_epochs", 5),
    "noise": ("lr_noise", None),
    "cycle_mul": ("lr_cycle_mul", 1.0),
    "cycle_decay": ("lr_cycle_decay", 0.1),
    "cycle_limit": ("lr_cycle_limit", 1),
    "k_decay": ("lr_k_decay", 1.0),
    "decay_fn": ("lr_decay_fn", None),
    "timescale": ("lr_stable_timescale", None),
}
"""Our word -> the argument of train.py, and what `create_scheduler` takes where the namespace lacks it."""

_V2_ALONE = {name for name, _ in _V2.values()} - {name for name, _ in _ARGS.values()} | {
    "step_on_epochs",
    "plateau_mode",
}
_ARGS_ALONE = {name for name, _ in _ARGS.values()} - {name for name, _ in _V2.values()} | {"sched_on_updates"}
_OF_TRAIN_PY = ("model", "opt", "lr_base", "batch_size", "eval_metric", "start_epoch")

Curve: TypeAlias = Callable[[float, float], Schedule]
"""The schedule of one cycle, from one value to another."""


def read(options: Options, facts: Facts) -> Taken:
    """Read the arguments of create_scheduler_v2, or those of train.py."""
    plan = _plan(options, facts)
    if plan.kind == "none":
        return Taken(Constant(plan.lr))
    if plan.kind == "plateau":
        return _plateau(plan)
    curve, schedule, end = _KINDS[plan.kind](plan), None, plan.epochs
    if isinstance(curve, Schedule):
        schedule, end = curve, plan.epochs + (plan.warmup_epochs if plan.prefix else 0)
    else:
        schedule, end = _cycles(plan, curve)
    warmed = _warmed(plan, schedule)
    first = plan.first if plan.warmup else plan.lr
    if warmed(0) != first:
        warmed = delayed(first, ahead(warmed))
    check_total(facts, math.floor(end) * plan.updates_per_epoch)
    return Taken(plan.in_updates(warmed), notes=tuple(_notes(plan)))


class _Plan(NamedTuple):
    """What all schedulers of timm have; lengths are in epochs or updates, by the clock that asks them."""

    options: Options
    names: dict[str, tuple[str, Any]]
    kind: str
    lr: float
    lowest: float
    first: float
    epochs: float
    warmup_epochs: float
    prefix: bool
    updates_per_epoch: int
    by_epoch: bool

    def number(self, word: str, default: Any = None, **limits: float) -> Any:
        """A number by our word for it."""
        name, usual = self.names[word]
        return self.options.number(name, default=usual if default is None else default, **limits)

    def ticks(self, epochs: float) -> float:
        """A length in epochs by the scheduler's clock."""
        return epochs if self.by_epoch else epochs * self.updates_per_epoch

    @property
    def length(self) -> float:
        return self.ticks(self.epochs)

    @property
    def warmup(self) -> float:
        return self.ticks(self.warmup_epochs)

    def in_updates(self, schedule: Schedule) -> Schedule:
        return per_epoch(schedule, self.updates_per_epoch) if self.by_epoch else schedule


def _plan(options: Options, facts: Facts) -> _Plan:
    names = _form(options)
    options.own(
        "sched",
        "decay_",
        "warmup_",
        "min_lr",
        "cycle_",
        "k_decay",
        "stable_",
        "step_on",
        "lr_",
        "num_epochs",
        "patience_",
    )
    options.ignore("cooldown_epochs", "lr_noise_pct", "lr_noise_std", "noise_pct", "noise_std", "noise_seed")
    if options.given(noise := names["noise"][0]):
        raise options.error(
            noise, f"expected none, for noise that is drawn anew at each step has no equal; got {options.raw(noise)!r}"
        )
    on_updates = (
        options.flag("sched_on_updates") if names is _ARGS else not options.flag("step_on_epochs", default=True)
    )
    return _Plan(
        options,
        names,
        options.word("sched", default="cosine", choices=[*_KINDS, "plateau", "none"]),
        _rate(options, facts),
        options.number("min_lr", default=0.0, least=0),
        options.number("warmup_lr", default=1e-5),
        options.number(names["epochs"][0], default=names["epochs"][1], above=0),
        options.number("warmup_epochs", default=names["warmup_epochs"][1], least=0),
        options.flag("warmup_prefix"),
        _updates_per_epoch(options, facts),
        not on_updates,
    )


def _form(options: Options) -> dict[str, tuple[str, Any]]:
    """Whose arguments they are: the two differ in names and defaults."""
    v2, args = ([name for name in options if name in alone] for alone in (_V2_ALONE, _ARGS_ALONE))
    if v2 and args:
        raise options.error(
            args[0], f"expected the arguments of train.py or those of create_scheduler_v2; got {v2[0]} beside it"
        )
    return _ARGS if args or (not v2 and any(map(options.given, _OF_TRAIN_PY))) else _V2


def _rate(options: Options, facts: Facts) -> float:
    """The rate; where train.py has none, it scales lr_base by the batch of one update, or by the square root of it."""
    given = facts.lr(options, "lr", default=None)
    if given is not None or not options.given("lr_base"):
        return float(facts.lr(options, "lr"))
    batch = facts.batch_size(default=None)
    if batch is None:
        if not options.given("world_size"):
            facts.batch_size()
        accumulate = options.whole("grad_accum_steps", default=1, least=1)
        batch = options.whole("batch_size", least=1) * options.whole("world_size", least=1) * accumulate
    ratio = batch / options.number("lr_base_size", default=256, above=0)
    scale = options.word("lr_base_scale", default="")
    if not scale:
        adaptive = any(word in options.word("opt", default="sgd").lower() for word in ("ada", "lamb"))
        scale = "sqrt" if adaptive else "linear"
    return float(options.number("lr_base") * (math.sqrt(ratio) if scale == "sqrt" else ratio))


def _updates_per_epoch(options: Options, facts: Facts) -> int:
    given: int = options.whole("updates_per_epoch", default=0)
    stated = (facts.run.updates_per_epoch, facts.run.batches_per_epoch, facts.run.dataset_size) != (None, None, None)
    if given and not stated:
        return given
    found = facts.updates_per_epoch(accumulate=options.whole("grad_accum_steps", default=None, least=1))
    if given and found != given:
        raise options.error("updates_per_epoch", f"expected the run's {found}, or none; got {given}")
    return found


# --- schedulers with cycles -------------------------------------------------------------------------------------------


def _cosine(plan: _Plan) -> Curve:
    _no_k_decay(plan, "a cosine of a power of the time")
    return lambda hi, lo: stretched(lambda steps: Cosine(init_value=hi, end_value=lo, decay_steps=steps), plan.length)


def _poly(plan: _Plan) -> Curve:
    """The option decay_rate is the power."""
    power, k = plan.options.number("decay_rate", default=0.1, above=0), plan.number("k_decay", above=0)
    if k != 1 and power == 1:
        return lambda hi, lo: stretched(
            lambda steps: Constant(lo).warmup(steps, init_value=hi, shape="power", power=k), plan.length
        )
    _no_k_decay(plan, "a polynomial of a power of the time, unless its own power is 1,")
    return lambda hi, lo: stretched(
        lambda steps: Polynomial(init_value=hi, end_value=lo, decay_steps=steps, power=power), plan.length
    )


def _tanh(plan: _Plan) -> Curve:
    """A hyperbolic tangent of 3 x - 7 (1 - x), which starts a little below the rate and drops to min_lr at its end."""
    midpoint, time = 0.7 * plan.length, plan.length / 20
    return lambda hi, lo: Logistic(init_value=hi, end_value=lo, midpoint=midpoint, decay_steps=time)


def _no_k_decay(plan: _Plan, what: str) -> None:
    name = plan.names["k_decay"][0]
    if plan.number("k_decay") != 1:
        raise plan.options.error(name, f"expected 1, for {what} has no equal; got {plan.options.raw(name)!r}")


def _cycles(plan: _Plan, curve: Curve) -> tuple[Schedule, float]:
    """The cycles, and the epochs of the run. The peak shrinks in each, the floor does not."""
    growth, decay = plan.number("cycle_mul", least=1), plan.number("cycle_decay")
    limit = plan.options.whole(plan.names["cycle_limit"][0], default=1)
    times = Fraction(limit) if growth == 1 else (Fraction(growth) ** limit - 1) / (Fraction(growth) - 1)
    end = math.ceil(times * Fraction(plan.length) - Fraction(1, 10**9))
    cooldown = plan.options.number("cooldown_epochs", default=0, least=0)
    epochs = max(float(times), 1.0) * plan.epochs + cooldown + (plan.warmup_epochs if plan.prefix else 0)
    if not end:
        return Constant(plan.lowest), epochs
    once = curve(plan.lr, plan.lowest)
    if limit > 1:
        once = _repeated(plan, curve, growth, decay)
    return (once if limit == 1 and once.length else Join([once, Constant(plan.lowest)], boundaries=[end])), epochs


def _repeated(plan: _Plan, curve: Curve, growth: float, decay: float) -> Schedule:
    period = whole_or_real(plan.length)
    if decay == 1:
        return Repeat(curve(plan.lr, plan.lowest), period, length_factor=growth)
    peaks = Repeat(curve(plan.lr, 0.0), period, length_factor=growth, value_factor=decay)
    return Sum([peaks, Repeat(curve(0.0, plan.lowest), period, length_factor=growth)]) if plan.lowest else peaks


# --- the others -------------------------------------------------------------------------------------------------------


def _step(plan: _Plan) -> Schedule:
    every = plan.ticks(plan.number("decay_epochs", default=None if plan.names is _ARGS else 90, above=0))
    rate = plan.options.number("decay_rate", default=0.1)
    return Exponential(init_value=plan.lr, decay_rate=rate, decay_steps=every, staircase=True)


def _constant(plan: _Plan) -> Schedule:
    return Constant(plan.lr)


def _multistep(plan: _Plan) -> Schedule:
    """A milestone acts one epoch (or update) early, since it is compared with t + 1."""
    name, usual = plan.names["milestones"]
    milestones = [plan.ticks(one) for one in plan.options.numbers(name, default=usual)]
    if milestones != sorted(milestones):
        raise plan.options.error(name, f"expected rising epochs; got {plan.options.raw(name)!r}")
    rate = plan.options.number("decay_rate", default=0.1)
    return PiecewiseConstant(
        boundaries=[max(math.ceil(one) - 1, 0) for one in milestones],
        values=[plan.lr * rate**number for number in range(len(milestones) + 1)],
    )


def _wsd(plan: _Plan) -> Schedule:
    length, decay = _wsd_lengths(plan)
    fall = plan.options.word(plan.names["decay_fn"][0], default="1-sqrt", choices=list(_FALLS))
    top = max(plan.lr, plan.lowest)
    return Join([Constant(top), _FALLS[fall](top, plan.lowest, decay)], boundaries=[length - decay])


def _rsqrt(plan: _Plan) -> Schedule:
    """The fall takes the inverse square root, which goes on, down to min_lr."""
    length, decay = _wsd_lengths(plan)
    fall = plan.options.word(plan.names["decay_fn"][0], default="linear", choices=list(_FALLS))
    scale = plan.options.number(plan.names["timescale"][0], default=None)
    scale = plan.warmup if scale is None else plan.ticks(scale)
    if scale <= 0:
        raise plan.options.error(plan.names["timescale"][0], "expected a number > 0 where there is no warmup; got none")
    stable: Schedule = InverseTime(init_value=plan.lr, decay_steps=scale, power=0.5)
    if plan.lowest:
        stable = Clip(stable, min_value=plan.lowest) - plan.lowest
    fallen = stable * Join([Constant(1.0), _FALLS[fall](1.0, 0.0, decay)], boundaries=[length - decay])
    return fallen + plan.lowest if plan.lowest else fallen


def _wsd_lengths(plan: _Plan) -> tuple[int, int]:
    """The ticks after the warmup, which is always a prefix, and those of the fall among them."""
    length = plan.length if plan.prefix else plan.length - plan.warmup
    given = plan.number("decay_epochs", default=None if plan.names is _ARGS else 0.2)
    decay = round(given * length if 0 < given < 1 else plan.ticks(given))
    for name, ticks in (("epochs", length), ("warmup_epochs", plan.warmup)):
        if ticks != int(ticks):
            raise plan.options.error(plan.names[name][0], f"expected whole epochs or updates for wsd; got {ticks!r}")
    if not 0 < decay <= length:
        raise plan.options.error(
            "decay_epochs", f"expected a fall between 0 and the {length:g} after the warmup; got {decay}"
        )
    return int(length), decay


def _exponential_fall(hi: float, lo: float, steps: int) -> Schedule:
    """To a tenth of the way, which is moved and stretched so that it ends at `lo`."""
    scale = (hi - lo) / 0.9
    curve = Interpolate(boundaries=[0, steps], values=[scale, 0.1 * scale], shape="exponential")
    return curve + (lo - 0.1 * scale) if hi != lo else Constant(lo)


def _shaped_fall(shape: Any) -> Callable[[float, float, int], Schedule]:
    return lambda hi, lo, steps: Interpolate(boundaries=[0, steps], values=[hi, lo], shape=shape)


_FALLS: dict[str, Callable[[float, float, int], Schedule]] = {
    "linear": _shaped_fall("linear"),
    "1-sqrt": _shaped_fall("1-sqrt"),
    "power": _shaped_fall("1-sqrt"),  # its power is 0.5 unless a program sets it
    "cosine": _shaped_fall("cosine"),
    "exp": _exponential_fall,
}


def _plateau(plan: _Plan) -> Taken:
    """torch's plateau by epochs; in the warmup no metric reaches it."""
    options = plan.options
    if not plan.by_epoch:
        raise options.error("sched", "expected a schedule by epochs for plateau; got one on updates")
    metric = options.word("eval_metric", default="top1")
    mode = options.word("plateau_mode", default="min" if "loss" in metric else "max", choices=["min", "max"])
    options.ignore("warmup_prefix")
    if plan.warmup != int(plan.warmup):
        raise options.error("warmup_epochs", f"expected an integer for plateau; got {plan.warmup!r}")
    machine = Plateau(
        plan.in_updates(Constant(plan.lr).warmup(int(plan.warmup), init_value=plan.first)),
        factor=options.number("decay_rate", default=0.1),
        patience=options.whole("patience_epochs", default=10),
        mode=mode,
        min_scale=min(plan.lowest / plan.lr, 1.0),
        eps=1e-8 / plan.lr,
        arithmetic="torch",
    )
    early = f" No metric of the first {plan.warmup:g} epochs counts: report none of them." if plan.warmup else ""
    return Taken(machine, notes=(f"Report the metric once in an epoch.{early}",))


# --- the warmup -------------------------------------------------------------------------------------------------------


def _warmed(plan: _Plan, schedule: Schedule) -> Schedule:
    """The warmup before the schedule, or over the beginning of it."""
    steps = plan.warmup
    if not steps:
        return schedule
    prefix = plan.prefix or plan.kind in ("wsd", "rsqrt")
    after = math.ceil(steps)
    peak = entered(schedule, steps)(0) if plan.kind == "tanh" and not prefix else plan.lr
    if prefix and steps == after and schedule(0) == peak:
        return schedule.warmup(after, init_value=plan.first)
    rise = straight(plan.first, peak, steps)
    return Join([rise, entered(schedule, after - steps) if prefix else entered(schedule, after)], boundaries=[after])


def _notes(plan: _Plan) -> list[str]:
    options, notes = plan.options, []
    if options.given("layer_decay"):
        notes.append("layer_decay gives the layers rates of their own; this is the rate of lr_scale 1.")
    if plan.kind in ("cosine", "poly", "tanh") and plan.number("cycle_mul") != 1 and plan.number("cycle_limit") > 1:
        notes.append("timm finds a cycle by a logarithm, whose rounding can begin one a step late; here none does.")
    missing = [plan.names[word][0] for word in ("epochs", "warmup_epochs") if not options.given(plan.names[word][0])]
    if missing and plan.names is _ARGS:
        notes.append(f"Not given, so that create_scheduler's own default holds: {', '.join(missing)}.")
    return notes


_KINDS: dict[str, Callable[[_Plan], Schedule | Curve]] = {
    "cosine": _cosine,
    "tanh": _tanh,
    "poly": _poly,
    "step": _step,
    "multistep": _multistep,
    "constant": _constant,
    "wsd": _wsd,
    "rsqrt": _rsqrt,
}
