"""OLMo-core's schedulers; olmo_core/optim/scheduler.py, and train/trainer.py for the lengths.

The trainer counts an update before it asks: update t has f(t + 1). Times are updates, or with `units: tokens` the tokens after
the update.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.records import Shape
from lrcore.schedules.kinds import Clock, Constant, Cosine, Interpolate, InverseTime, Join, Linear, Shift, Sum
from lrcore.schedules.schedule import Schedule
from lrcore.trainers import olmo_core_batches as batches
from lrcore.trainers.idioms import ahead, check_total, class_name, per_update, risen, told_total, total_tokens

FOLLOWS = "ai2-olmo-core 3.0.0"
FACTS = {"lr": "the optimizer's rate, where the file has no train_module.optim.lr"}
_CLASS = "_CLASS_", "type", "name", "class", "_target_"
_DECAYING = "WSD", "PowerLR", "CosWithWarmupAndLinearDecay"
_SHAPES: dict[str, Shape] = {"linear": "linear", "cosine": "cosine"}


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole configuration, or its `scheduler` alone."""
    own = options.first_table("train_module.scheduler", "scheduler", "optim.scheduler").own()
    own.refuse("lr_field", why="expected a scheduler of the rate, lr", unless=(None, "lr"))
    own.ignore("initial_lr_field")
    optim = options.first_table("train_module.optim", "optim", "optimizer")
    lr, callback = facts.lr(optim, "lr"), batches.callback(options)
    if callback is None:
        amount, end = _clock(own, options, facts)
        groups = {name: _asked(own, rate, end, amount) for name, rate in _groups(optim).items()}
        return Taken(_asked(own, lr, end, amount), groups=dict(groups), notes=_notes(own, end))
    stretches = batches.stretches(callback)
    groups = {name: _in_stretches(own, options, facts, rate, stretches) for name, rate in _groups(optim).items()}
    note = "The batch sizes are those of a run of one epoch."
    return Taken(_in_stretches(own, options, facts, lr, stretches), groups=dict(groups), notes=(note,))


def _asked(own: Options, lr: float, end: int, amount: int) -> Schedule:
    """A scheduler as it is asked: after the update is counted."""
    return ahead(per_update(scheduler(own, lr, end), amount))


def _in_stretches(
    own: Options, options: Options, facts: Facts, lr: float, stretches: list[batches.Stretch]
) -> Schedule:
    """A scheduler under batch sizes that change, each with the rate and the end of the run that belong to it."""
    in_tokens = own.word("units", default="steps", choices=["steps", "tokens"]) == "tokens"
    unit, value = _duration(options.first_table("trainer.max_duration", "max_duration"), options, facts)
    _check_needs_no_end(own, in_tokens, unit)
    knots = [*stretches[1:], stretches[-1]._replace(first=stretches[-1].first + 1)]
    times = [*[one.before for one in stretches[1:]], stretches[-1].before + stretches[-1].size]
    parts = []
    for stretch in stretches:
        reached = stretch.updates_to(value) if unit == "tokens" else value
        tokens = value if unit == "tokens" else stretch.before + (value - stretch.first) * stretch.size
        curve = scheduler(own, lr * batches.growth(stretch, _tokens(options, facts)), tokens if in_tokens else reached)
        curve = Clock(curve, boundaries=[knot.first for knot in knots], times=times) if in_tokens else curve
        parts.append(Shift(curve, 1 + stretch.first))
    return Join(parts, boundaries=[stretch.first for stretch in stretches[1:]]) if len(parts) > 1 else parts[0]


def _check_needs_no_end(own: Options, in_tokens: bool, unit: str) -> None:
    """OLMo-core refuses a horizon in updates that the batch sizes would move."""
    name = _NAMES[class_name(own, "_CLASS_", "type", "name", known=_NAMES)]
    if unit == "tokens" and not in_tokens and name not in ("ConstantScheduler", "WSD") and not own.given("t_max"):
        raise own.error("units", "expected tokens, or a t_max, with batch sizes that change; got steps")


def _groups(optim: Options) -> dict[str, float]:
    """The rates of parameter groups that have their own."""
    found = {}
    for group in optim.tables("group_overrides"):
        rate = group.table("opts").number("lr", default=None)
        if rate is not None:
            found[", ".join(group.words("params"))] = rate
    return found


# --- lengths ----------------------------------------------------------------------------------------------------------


def _clock(own: Options, options: Options, facts: Facts) -> tuple[int, int]:
    """What one update takes of the scheduler's unit, and the end of the run in it: max_steps or max_tokens."""
    duration = options.first_table("trainer.max_duration", "max_duration")
    unit, value = _duration(duration, options, facts)
    if own.word("units", default="steps", choices=["steps", "tokens"]) == "steps":
        return 1, _updates(unit, value, options, facts)
    amount = _tokens(options, facts)
    return amount, value if unit == "tokens" else value * amount


def _duration(duration: Options, options: Options, facts: Facts) -> tuple[str, int]:
    """The run's length in steps or tokens."""
    if not duration.given("value", "unit"):
        if options.given("max_steps"):  # as an argument of the scheduler's own functions
            return "steps", told_total(facts, options, "max_steps")
        tokens = total_tokens(facts)
        return ("steps", facts.updates()) if tokens is None else ("tokens", tokens)
    unit = duration.word("unit", choices=["steps", "epochs", "tokens"])
    value = duration.whole("value", least=1)
    if unit == "epochs":
        unit, value = "steps", value * facts.updates_per_epoch()
    if facts.run.total is not None:
        check_total(facts, _updates(unit, value, options, facts))
    return unit, value


def _updates(unit: str, value: int, options: Options, facts: Facts) -> int:
    return -(-value // _tokens(options, facts)) if unit == "tokens" else value


def _tokens(options: Options, facts: Facts) -> int:
    """The tokens of one update; OLMo-core states its global batch size in tokens."""
    stated: int | None = options.table("data_loader").whole("global_batch_size", default=None, least=1)
    return int(facts.tokens_per_update()) if stated is None else stated


def _part(own: Options, name: str, end: int, default: float | None = None) -> int:
    """A length: `warmup`, or `warmup_steps` in older files, or `warmup_fraction` of the end, rounded half to even."""
    given: int | None = own.whole(name, f"{name}_steps", default=None)
    fraction: float | None = own.number(f"{name}_fraction", default=None, least=0)
    fraction = default if fraction is None and given is None else fraction
    if (given is None) == (fraction is None):
        got = "neither" if given is None else "both"
        raise own.error(name, f"expected either {name} or {name}_fraction; got {got}")
    return given if fraction is None else round(end * fraction)  # type: ignore[return-value]


def _horizon(own: Options, end: int) -> int:
    """The scheduler's own t_max, or the end of the run."""
    found: int = own.whole("t_max", default=end)
    return found


# --- values -----------------------------------------------------------------------------------------------------------


def _below(own: Options, name: str, peak: float) -> float:
    """A rate that OLMo-core wants below another one."""
    value: float = own.number(name, default=0.0, least=0)
    if value >= peak:
        raise own.error(name, f"expected less than the rate there, {peak:g}; got {value:g}")
    return value


def _warmed(own: Options, body: Schedule, steps: int, peak: float) -> Schedule:
    """A warmup from warmup_min_lr to the peak, where the body begins; a body of another first value follows with a jump."""
    if not steps:
        own.ignore("warmup_min_lr")
        return body
    return risen(body, steps, _below(own, "warmup_min_lr", peak), peak)


def _floor(own: Options, lr: float) -> float:
    return float(own.number("alpha_f", default=0.1)) * lr


# --- classes ----------------------------------------------------------------------------------------------------------


def scheduler(own: Options, lr: float, end: int) -> Schedule:
    """The curve of a scheduler over its own time, before it is asked one ahead.

    Args:
        own: the scheduler's table.
        lr: the initial rate.
        end: max_steps or max_tokens.
    """
    own.ignore("units", "lr_field", "initial_lr_field")
    return _CLASSES[_NAMES[class_name(own, *_CLASS, known=_NAMES)]](own, lr, end)


def _constant(_own: Options, lr: float, _end: int) -> Schedule:
    return Constant(lr)


def _constant_warmed(own: Options, lr: float, end: int) -> Schedule:
    return _warmed(own, Constant(lr), _part(own, "warmup", end), lr)


def _wsd(own: Options, lr: float, end: int) -> Schedule:
    """The warmup wins where it reaches into the decay, whose clock runs then already."""
    warmup, decay = _part(own, "warmup", end), _decay(own, end)
    rise, low = _warmed(own, Constant(lr), warmup, lr), _below(own, "decay_min_lr", lr)
    if warmup <= end - decay:
        return rise.cooldown(decay, start=end - decay, end_value=low)
    return _late_decay(rise, warmup, Linear(init_value=lr, end_value=low, decay_steps=decay), end)


def _late_decay(rise: Schedule, warmup: int, fall: Linear, end: int) -> Schedule:
    """A decay that the warmup reaches into."""
    return Join([rise, Shift(fall, warmup + 1 - end + fall.decay_steps)], boundaries=[warmup + 1])


def _decay(own: Options, end: int) -> int:
    own_default = None if own.given("decay", "decay_steps") else 0.1
    decay = _part(own, "decay", end, own_default)
    if not 0 < decay <= end:
        raise own.error("decay", f"expected a decay of 1 to {end}, the run; got {decay}")
    return decay


def _power(own: Options, lr: float, end: int) -> Schedule:
    """A power of the time in warmups, and a linear decay at the end."""
    power, warmup, decay = own.number("b", default=-0.51), _part(own, "warmup", end), _decay(own, end)
    if power >= 0:
        raise own.error("b", f"expected a negative number; got {power:g}")
    if not warmup or decay == end:
        raise own.error(
            "warmup", f"expected a warmup, and a decay that is shorter than the run; got {warmup} and {decay}"
        )
    rise = _warmed(own, InverseTime(init_value=lr, decay_steps=warmup, power=-power), warmup, lr)
    tail = lr * ((end - decay) / warmup) ** power
    low = _below(own, "decay_min_lr", tail)
    if warmup <= end - decay:
        return rise.cooldown(decay, start=end - decay, end_value=low)
    return _late_decay(rise, warmup, Linear(init_value=tail, end_value=low, decay_steps=decay), end)


def _linear(own: Options, lr: float, end: int) -> Schedule:
    warmup, steps = _part(own, "warmup", _horizon(own, end)), _horizon(own, end)
    low = _floor(own, lr)
    fall = Linear(init_value=lr, end_value=low, decay_steps=steps - warmup) if steps > warmup else Constant(low)
    return _warmed(own, fall, warmup, lr)


def _cosine(own: Options, lr: float, end: int) -> Schedule:
    warmup, steps = _part(own, "warmup", _horizon(own, end)), _horizon(own, end)
    low = _floor(own, lr)
    fall = Cosine(init_value=lr, end_value=low, decay_steps=steps - warmup) if steps > warmup else Constant(low)
    return _warmed(own, fall, warmup, lr)


def _half_cosine(own: Options, lr: float, end: int) -> Schedule:
    """The second half of a cosine, which begins half way down: the warmup rises to there."""
    warmup, steps = _part(own, "warmup", _horizon(own, end)), _horizon(own, end)
    low, rest = _floor(own, lr), steps - warmup
    whole = Cosine(init_value=lr, end_value=low, decay_steps=2 * max(rest, 1))
    half = Shift(whole, max(rest, 1))
    return _warmed(own, half if rest > 0 else Constant(low), warmup, half(0))


def _inverse_sqrt(own: Options, lr: float, end: int) -> Schedule:
    warmup, low = _part(own, "warmup", end), _floor(own, lr)
    if not warmup:
        own.ignore("warmup_min_lr")
        return Constant(low)
    fall: Schedule = InverseTime(init_value=lr - low, decay_steps=warmup, power=0.5)
    return _warmed(own, Sum([Constant(low), fall]) if low else fall, warmup, lr)


def _cosine_decayed(own: Options, lr: float, end: int) -> Schedule:
    decay = _decay(own, end)
    body = _cosine(own, lr, end)
    return body.cooldown(decay, start=end - decay, end_value=_below(own, "decay_min_lr", body(end - decay)))


def _exponential(own: Options, lr: float, end: int) -> Schedule:
    """A range test: the rate grows from lr_min to the optimizer's."""
    low = own.number("lr_min", default=1e-9, above=0)
    return Interpolate(boundaries=[0, end], values=[low, lr], shape="exponential")


# --- several parts ----------------------------------------------------------------------------------------------------


def _composable(own: Options, lr: float, _end: int) -> Schedule:
    """Stages of absolute lengths; the last value holds."""
    parts: list[Schedule] = []
    lengths, last = [], lr
    for stage in own.tables("stages"):
        start = _rate(stage, "start_lr", lr, last)
        last = _rate(stage, "end_lr", lr)
        lengths.append(stage.whole("duration", least=1))
        kind = Linear if _shape(stage) == "linear" else Cosine
        parts.append(kind(init_value=start, end_value=last, decay_steps=lengths[-1]))
    if not parts:
        raise own.error("stages", "expected at least one stage; got none")
    body = parts[0] if len(parts) == 1 else Join(parts, boundaries=list(itertools.accumulate(lengths[:-1])))
    return _overridden(own, body, lr)


def _rate(stage: Options, name: str, lr: float, default: float | None = None) -> float:
    """A rate as it is given, or a fraction of the initial one."""
    value: float | None = stage.number(name, default=None, least=0)
    fraction: float | None = stage.number(f"{name}_fraction", default=None, least=0)
    if value is not None and fraction is not None:
        raise stage.error(name, f"expected either {name} or {name}_fraction; got both")
    found = default if value is None and fraction is None else value if fraction is None else lr * fraction
    if found is None:
        raise stage.error(name, f"expected either {name} or {name}_fraction; got neither")
    return found


def _shape(stage: Options) -> Shape:
    return _SHAPES[stage.word("shape", default="linear", choices=list(_SHAPES))]


def _overridden(own: Options, body: Schedule, lr: float) -> Schedule:
    """A decay that replaces what was planned, from a place of the run on."""
    if not own.given("override_decay"):
        return body
    decay = own.table("override_decay")
    steps, start = decay.whole("duration", least=1), decay.whole("start")
    return body.cooldown(steps, start=start, end_value=_rate(decay, "end_lr", lr), shape=_shape(decay))


def _sequential(own: Options, lr: float, end: int) -> Schedule:
    """One scheduler after another, each with the last rate of the one before; a part ends AT its last update."""
    inner = own.tables("schedulers")
    longest = own.wholes("schedulers_max", "schedulers_max_steps")[: len(inner) - 1 or None]
    if len(longest) != len(inner) - 1:
        raise own.error(
            "schedulers_max", f"expected {len(inner) - 1}, one for each scheduler but the last; got {len(longest)}"
        )
    parts: list[Schedule] = []
    boundaries, rate, rest = [], lr, end
    for one, length in zip(inner, longest, strict=False):
        part = scheduler(one, rate, min(rest, length))
        parts.append(Shift(part, 1) if parts else part)
        rate = scheduler(one, rate, length)(length)
        boundaries.append(sum(longest[: len(parts)]) + 1)
        rest -= length
        if rest <= 0:
            return _overridden(own, parts[0] if len(parts) == 1 else Join(parts, boundaries=boundaries[:-1]), lr)
    last = scheduler(inner[-1], rate, rest)
    return _overridden(own, Join([*parts, Shift(last, 1)], boundaries=boundaries) if parts else last, lr)


def _wsds(own: Options, lr: float, _end: int) -> Schedule:
    """Periods of constant rates and decays; each ends AT its last update, with decay_min_lr."""
    lengths = own.wholes("period_lengths")
    if not lengths:
        raise own.error("period_lengths", "expected at least one; got none")
    peaks = [lr * one for one in own.numbers("period_lr_multipliers", default=[1.0] * len(lengths))]
    warmup = _part(own, "warmup", lengths[0])
    if len(peaks) != len(lengths) or min(lengths) < 1:
        raise own.error("period_lr_multipliers", f"expected one for each of {len(lengths)} periods; got {len(peaks)}")
    parts: list[Schedule] = []
    for number, (length, peak) in enumerate(zip(lengths, peaks, strict=True)):
        decay = _part(own, "decay", length)
        if (warmup if number == 0 else 0) + decay > length or (not decay and len(lengths) > 1):
            raise own.error("decay", f"expected one that fits into period {number}, of {length}; got {decay}")
        body = Constant(peak) if number else _warmed(own, Constant(peak), warmup, peak)
        low = _below(own, "decay_min_lr", peak)
        part = body.cooldown(decay, start=length - decay, end_value=low)
        parts.append(Shift(part, 1) if number else part)
    ends = [end + 1 for end in itertools.accumulate(lengths[:-1])]
    return Join(parts, boundaries=ends) if ends else parts[0]


def _notes(own: Options, end: int) -> tuple[str, ...]:
    if class_name(own, *_CLASS, known=_NAMES) not in (*_DECAYING, "wsd", "power_lr"):
        return ()
    unit = "token" if own.word("units", default="steps") == "tokens" else "update"
    return (f"After {unit} {end} OLMo-core's decay falls below its end value; lrcore holds that.",)


_CLASSES: dict[str, Callable[[Options, float, int], Schedule]] = {
    "ConstantScheduler": _constant,
    "ConstantWithWarmup": _constant_warmed,
    "WSD": _wsd,
    "PowerLR": _power,
    "LinearWithWarmup": _linear,
    "InvSqrtWithWarmup": _inverse_sqrt,
    "CosWithWarmup": _cosine,
    "HalfCosWithWarmup": _half_cosine,
    "CosWithWarmupAndLinearDecay": _cosine_decayed,
    "ComposableScheduler": _composable,
    "SequentialScheduler": _sequential,
    "WSDS": _wsds,
    "ExponentialScheduler": _exponential,
}
_WORDS = {
    "constant": "ConstantScheduler",
    "constant_with_warmup": "ConstantWithWarmup",
    "wsd": "WSD",
    "power_lr": "PowerLR",
    "linear_with_warmup": "LinearWithWarmup",
    "inv_sqrt_with_warmup": "InvSqrtWithWarmup",
    "cos_with_warmup": "CosWithWarmup",
    "half_cos_with_warmup": "HalfCosWithWarmup",
    "cos_with_warmup_and_linear_decay": "CosWithWarmupAndLinearDecay",
    "composable": "ComposableScheduler",
    "sequential": "SequentialScheduler",
    "wsds": "WSDS",
    "exponential": "ExponentialScheduler",
}
_NAMES = {**{name: name for name in _CLASSES}, **_WORDS}
"""The classes, and the registered words for them."""
