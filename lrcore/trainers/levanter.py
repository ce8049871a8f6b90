"""levanter's `optimizer`: lr_schedule, warmup, decay, cycles; levanter/optim/config.py, OptimizerConfig.lr_scheduler.

optax asks the schedule with the updates already made, in float32: update t has f(t). A length of at most 1 is a share of its cycle,
rounded down; `warmup: 1` is the whole of it.
"""

from __future__ import annotations

import itertools
import math

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Clip, Constant, Cosine, InverseTime, Join, Linear
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, late, told_total

FOLLOWS = "levanter 9263f81 (2025-09-26)"
FACTS = {"lr": "the optimizer's rate, where the file has no optimizer.learning_rate"}

_OWN = ("learning_rate", "min_lr", "warmup", "decay", "rewarmup", "cooldown", "cycle", "lr_schedule", "haps", "stable")


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole YAML, or its `optimizer` alone."""
    optimizer = options.first_table("optimizer").own(*_OWN)
    trainer = options.first_table("trainer")
    total = told_total(facts, trainer if trainer.given("num_train_steps") else options, "num_train_steps")
    lr = facts.lr(optimizer, "learning_rate", default=6e-4)
    schedule = _schedule(optimizer, total, lr)
    also: dict[str, Schedule] = {}
    groups: dict[str, Schedule | float] = {}
    if optimizer.flag("adamc_weight_decay"):
        also["weight_decay"] = schedule * (optimizer.number("weight_decay", default=0.1) / lr)
    if optimizer.given("adam_lr"):  # of optimizers that give Adam the embeddings and the head
        groups["adam"] = _schedule(optimizer, total, optimizer.number("adam_lr"))
    notes = ("levanter counts the tokens of power in 32 bits, which overflow; here they do not.",)
    return Taken(schedule, also, groups, notes if _name(optimizer)[0] == "power" else ())


def _schedule(optimizer: Options, total: int, lr: float) -> Schedule:
    cooldown = _steps(optimizer, "cooldown", 0, total) or 0
    ends = _cycle_ends(optimizer, total - cooldown)
    floor = lr * optimizer.number("min_lr_ratio", default=0.1, least=0.0)
    parts, before = [], 0.0
    for number, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        name, default = ("rewarmup", 0.0) if number else ("warmup", 0.01)
        warmup = _steps(optimizer, name, default, end - start) or 0
        part, before = _cycle(optimizer, (lr, floor), (end - start, warmup), before)
        parts.append(part)
    if cooldown:
        parts.append(Linear(init_value=before, end_value=floor, decay_steps=cooldown))
    return Join(parts, boundaries=ends[: len(parts) - 1]) if len(parts) > 1 else parts[0]


def _cycle(
    optimizer: Options, rates: tuple[float, float], lengths: tuple[int, int], before: float
) -> tuple[Schedule, float]:
    """A warmup from what was before, the rate, and a decay; what a whole decay ends with."""
    (lr, floor), (length, warmup) = rates, lengths
    decay = _steps(optimizer, "decay", None, length)
    decay = length - warmup if decay is None else decay
    fall = _KINDS[_name(optimizer)[0]](_name(optimizer)[1], (lr, floor), (warmup, decay))
    stable = length - warmup - decay
    if stable + warmup < 0:
        raise optimizer.error("decay", f"expected at most the {length} updates of a cycle; got {decay}")
    body = Join([Constant(lr), fall], boundaries=[stable]) if stable > 0 else fall
    if not warmup:
        return body, fall(decay)
    if stable >= 0 and body(0) == lr:
        return body.warmup(warmup, init_value=before), fall(decay)
    rise = Linear(
        init_value=before, end_value=lr, decay_steps=warmup
    )  # the decay begins lower, or while it still rises
    return Join([rise, body], boundaries=[warmup + min(stable, 0)]), fall(decay)


# --- lengths ----------------------------------------------------------------------------------------------------------


def _steps(optimizer: Options, name: str, default: float | None, length: int) -> int | None:
    """A share of the cycle up to 1, else whole updates; None where nothing is given and there is no default."""
    given = optimizer.number(name, default=default, least=0.0)
    if given is None:
        return None
    if given > 1 and not float(given).is_integer():
        raise optimizer.error(name, f"expected a share of at most 1, or whole updates; got {given:g}")
    return int(given * length) if given <= 1 else int(given)


def _cycle_ends(optimizer: Options, total: int) -> list[int]:
    """Where cycles end; the last one takes what is left of the run."""
    given = [name for name in ("cycle_length", "cycles", "haps") if optimizer.given(name)]
    if len(given) > 1:
        raise optimizer.error(given[1], f"expected one of cycle_length, cycles and haps; got {' and '.join(given)}")
    name = given[0] if given else "cycles"
    ends = _ends(optimizer, name, total) if given else []
    if any(later <= earlier for earlier, later in itertools.pairwise([0, *ends])) or ends[-1:] > [total]:
        raise optimizer.error(name, f"expected cycles that fit one after another into {total} updates; got {ends}")
    return ends if ends[-1:] == [total] else [*ends, total]


def _ends(optimizer: Options, name: str, total: int) -> list[int]:
    listed = optimizer.is_list(name)
    if name == "cycle_length" and not listed:
        length = _steps(optimizer, name, 1, total)
        if not length:
            raise optimizer.error(name, "expected a cycle of at least one update; got 0")
        _check_count(optimizer, name, total // length)
        return [number * length for number in range(1, total // length)]
    if name == "cycles" and not listed:
        count = optimizer.whole(name, least=1)
        _check_count(optimizer, name, count)
        return [int(total / count * (number + 1)) for number in range(count - 1)]
    wholes: list[int] = optimizer.wholes(name)
    return list(itertools.accumulate(wholes)) if name == "cycle_length" else wholes


def _check_count(optimizer: Options, name: str, count: int) -> None:
    if count > 1000:
        raise optimizer.error(name, f"expected at most 1,000 cycles, each of which is written out; got {count:,}")


# --- decays -----------------------------------------------------------------------------------------------------------


def _name(optimizer: Options) -> tuple[str, Options]:
    """The decay's name, and its own options where it is a table."""
    table = optimizer.first_table("lr_schedule")
    if table is optimizer:
        return optimizer.word("lr_schedule", default="cosine", choices=list(_KINDS)), Options({}, "levanter")
    table.own()
    return table.word("type", choices=list(_KINDS)), table


def _constant(own: Options, rates: tuple[float, float], lengths: tuple[int, int]) -> Schedule:
    return Constant(rates[0])


def _cosine(own: Options, rates: tuple[float, float], lengths: tuple[int, int]) -> Schedule:
    exponent = own.number("exponent", default=1.0, above=0.0)
    return Cosine(init_value=rates[0], end_value=rates[1], decay_steps=_some(own, lengths), exponent=exponent)


def _linear(own: Options, rates: tuple[float, float], lengths: tuple[int, int]) -> Schedule:
    """optax keeps the first value where a linear decay has no length."""
    if not lengths[1]:
        return Constant(rates[0])
    return Linear(init_value=rates[0], end_value=rates[1], decay_steps=lengths[1])


def _inverse(own: Options, rates: tuple[float, float], lengths: tuple[int, int]) -> Schedule:
    """It reaches the floor at its end; its first update has the value of the second."""
    (lr, floor), decay = rates, _some(own, lengths)
    if not 0 < floor <= lr:
        raise own.error("min_lr_ratio", f"expected a number > 0 and <= 1 for inv; got {floor / lr if lr else 0:g}")
    fall = InverseTime(init_value=lr, decay_rate=lr / floor - 1, decay_steps=decay)
    return late(ahead(Clip(fall, min_value=floor)))


def _inverse_sqrt(own: Options, rates: tuple[float, float], lengths: tuple[int, int]) -> Schedule:
    """The rate until `timescale` updates after the cycle's beginning, then by the root of what has passed since it."""
    (lr, floor), (warmup, _) = rates, lengths
    timescale = own.number("timescale", default=10_000.0, least=1.0)
    begin = max(math.ceil(timescale) - warmup, 0)
    first = lr * math.sqrt(timescale / (begin + warmup))
    fall = InverseTime(init_value=first, decay_steps=begin + warmup, power=0.5)
    body = Join([Constant(lr), fall], boundaries=[begin]) if begin else fall
    return Clip(body, min_value=floor) if floor else body


def _power(own: Options, rates: tuple[float, float], lengths: tuple[int, int]) -> Schedule:
    """batch_size a tokens**b, and at most the rate."""
    lr, batch = rates[0], own.whole("batch_size", least=1)
    tokens = batch * own.whole("seq_length", least=1)
    a, b = own.number("a", default=4.6, above=0.0), own.number("b", default=-0.51)
    if b >= 0:
        raise own.error("b", f"expected a number < 0; got {b:g}")
    begin = max(math.ceil((lr / (batch * a)) ** (1 / b) / tokens), 1) if lr else 1
    fall = InverseTime(init_value=batch * a * float(begin * tokens) ** b, decay_steps=begin, power=-b)
    return Join([Constant(lr), Clip(fall, max_value=lr)], boundaries=[begin])


def _some(own: Options, lengths: tuple[int, int]) -> int:
    if not lengths[1]:
        raise own.error("decay", "expected at least one update beside the warmup; got 0")
    return lengths[1]


_KINDS = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "inv": _inverse,
    "inv_sqrt": _inverse_sqrt,
    "power": _power,
}
