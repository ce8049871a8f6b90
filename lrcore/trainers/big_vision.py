"""big_vision's `schedule`: `create_learning_rate_schedule` of big_vision/utils.py, asked with the updates already made.

Lengths are `..._steps`, `..._examples`, `..._epochs` or `..._percent` (a share: 0.1); all but steps are rounded, halves to even. The
warmup and the cooldown multiply the curve. A whole configuration multiplies the schedule by `lr`, so that `end` is a part of `lr`
there; among the function's own arguments (`base`, ...) it is a rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.records import short
from lrcore.schedules.kinds import (
    Clock,
    Constant,
    Cosine,
    Interpolate,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Shift,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total, inverse_sqrt, product

FOLLOWS = "big_vision main 0127fb6 (2025-05-19)"
FACTS = {"lr": "lr, where the configuration has none"}


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole configuration, whose `schedule` may be a list of [pattern, schedule], or the function's own arguments."""
    config = options.first_table("config")
    lengths = _Lengths(config, facts)
    total = lengths.steps("total", config) or facts.updates()
    check_total(facts, total)
    given = config.raw("schedule")
    if given is None:
        config.own(
            "warmup_", "cooldown_", "decay_type", "timescale", "shift", "linear_end", "end", "power", "mults", "steps"
        )
        plan = _schedule(config, facts.lr(config, "base", "lr"), 1.0, lengths, total)
        return _taken({".*": plan}, config, lengths.notes)
    lr = facts.lr(config, "lr")
    found: dict[str, Schedule | None] = {}
    for pattern, values, place in _patterns(given, config):
        table = None if values is None else config.inside(values, place).own()
        if pattern not in found:  # the first that matches a parameter counts
            found[pattern] = None if table is None else _schedule(table, lr, lr, lengths, total)
    return _taken(found, config, lengths.notes)


def _patterns(given: Any, config: Options) -> list[tuple[str, Any, str]]:
    """The patterns of parameters with the options of their schedules, or None for frozen ones."""
    if isinstance(given, Mapping):
        return [(".*", given, "schedule")]
    pairs = given if isinstance(given, list) else [given]
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], (Mapping, type(None))):
            raise config.error(
                "schedule", f"expected a table, or a list of [pattern, table or none]; got {short(pair)}"
            )
    return [(str(pair[0]), pair[1], f"schedule[{number}]") for number, pair in enumerate(pairs)]


def _taken(found: Mapping[str, Schedule | None], config: Options, notes: list[str]) -> Taken:
    """The schedule of all parameters, or of the last pattern; the other patterns are groups, and so are lr_mults."""
    acting = [pattern for pattern, schedule in found.items() if schedule is not None]
    if not acting:
        raise config.error("schedule", "expected a schedule for some parameters; got none")
    main = found[".*" if ".*" in acting else acting[-1]]
    assert main is not None
    groups: dict[str, Schedule | float] = {
        pattern: 0.0 if schedule is None else schedule for pattern, schedule in found.items() if schedule is not main
    }
    for pair in config.values("lr_mults", default=[]):
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], (int, float)):
            raise config.error("lr_mults", f"expected a list of [pattern, number]; got {short(pair)}")
        groups[str(pair[0])] = groups.get(str(pair[0]), 1.0) * float(pair[1])
    if config.given("lr_mults"):
        notes = [*notes, "Each of lr_mults multiplies the schedule that its parameters have."]
    return Taken(main, groups=groups, notes=tuple(notes))


# --- one schedule -----------------------------------------------------------------------------------------------------


def _schedule(table: Options, base: float, unit: float, lengths: _Lengths, total: int) -> Schedule:
    """One schedule; `unit` is what 1.0 is in `end`."""
    base *= table.number("mult", default=1.0)
    if table.flag("scale_with_batchsize"):
        base *= lengths.batch_size() / 256
    warmup = lengths.steps("warmup", table, total) or 0
    if warmup >= total:
        raise table.error("warmup_steps", f"expected a warmup shorter than the run of {total} updates; got {warmup:g}")
    kind = table.word("decay_type", default="stair", choices=["cosine", "linear", "polynomial", "rsqrt", "stair"])
    if kind == "stair":
        factors = [_stair(table, base)]
        factors += [Interpolate(boundaries=[0, warmup], values=[0.0, 1.0])] if warmup else []
    elif kind == "rsqrt":
        factors = _rsqrt(table, base, warmup, lengths)
    else:
        factors = _decay(kind, table, base, unit, warmup, total)
    cooldown = lengths.steps("cooldown", table, total)
    if cooldown:
        factors.append(_cooldown(cooldown, total))
        lengths.notes = [f"Past update {total:,} the cooldown of big_vision goes below 0; here the rate stays 0."]
    return product(factors)


def _stair(table: Options, base: float) -> Schedule:
    """`mults` multiply the base, not one another."""
    steps, mults = table.wholes("steps", default=[]), table.numbers("mults", default=[])
    if len(steps) != len(mults):
        raise table.error("mults", f"expected {len(steps)} numbers, one for each of steps; got {len(mults)}")
    return (
        PiecewiseConstant(boundaries=steps, values=[base, *(base * mult for mult in mults)])
        if steps
        else Constant(base)
    )


def _rsqrt(table: Options, base: float, warmup: float, lengths: _Lengths) -> list[Schedule]:
    """base / sqrt(1 + (t + shift - warmup) / timescale), and its first value in the warmup; it goes on past the end."""
    examples = table.number("timescale_examples", default=None, above=0.0)
    timescale = (
        table.number("timescale", default=10_000, above=0.0) if examples is None else examples / lengths.batch_size()
    )
    shift = table.number("shift", default=0.0)
    if shift <= -timescale:
        raise table.error("shift", f"expected a number > {-timescale:g}; got {shift}")
    if float(warmup).is_integer():
        return [_shifted_rsqrt(base, timescale, shift).warmup(int(warmup))]
    start = math.ceil(warmup)
    first = Constant(base / math.sqrt(1 + shift / timescale))
    curve = Join([first, _shifted_rsqrt(base, timescale, shift + start - warmup)], boundaries=[start])
    return [curve, Interpolate(boundaries=[0, warmup], values=[0.0, 1.0])]


def _shifted_rsqrt(base: float, timescale: float, shift: float) -> Schedule:
    if shift >= 0 and float(shift).is_integer():
        curve = inverse_sqrt(base, timescale)
        return Shift(curve, int(shift)) if shift else curve
    return inverse_sqrt(base / math.sqrt(1 + shift / timescale), timescale + shift)


def _decay(kind: str, table: Options, base: float, unit: float, warmup: float, total: int) -> list[Schedule]:
    """From the end of the warmup to the end of the run, where it holds."""
    power = 1.0 if kind == "cosine" else table.number("power", default=1.0, above=0.0)
    end = 0.0 if kind == "cosine" else unit * table.number("end", "linear_end", default=0.0)

    def curve(steps: int) -> Schedule:
        if kind == "cosine":
            return Cosine(init_value=base, end_value=end, decay_steps=steps)
        if power == 1:
            return Linear(init_value=base, end_value=end, decay_steps=steps)
        return Polynomial(init_value=base, end_value=end, decay_steps=steps, power=power)

    if float(warmup).is_integer():
        return [curve(total - int(warmup)).warmup(int(warmup))]
    before, after = math.floor(warmup), math.ceil(warmup)
    knots = {before: 0.0, after: (after - warmup) / (total - warmup), total: 1.0}
    knots.pop(0, None)
    running = Clock(curve(1), boundaries=[*knots], times=[*knots.values()], hold=True)
    return [running, Interpolate(boundaries=[0, warmup], values=[0.0, 1.0])]


def _cooldown(steps: float, total: int) -> Schedule:
    """A factor that falls to 0 at the end of the run."""
    start = max(0.0, total - steps)
    return Interpolate(boundaries=[start, total], values=[min(1.0, total / steps), 0.0])


class _Lengths:
    """Lengths in updates, as big_vision's `steps` works them out of what the configuration and the run say."""

    def __init__(self, config: Options, facts: Facts) -> None:
        self.notes: list[str] = []
        self._facts = facts
        said = config.number("batch_size", default=None, above=0.0)
        self._batch_size = config.table("input").number("batch_size", default=None, above=0.0) if said is None else said
        self._data_size = config.number("data_size", default=None, above=0.0)

    def batch_size(self) -> float:
        """The samples of one update."""
        return float(self._facts.batch_size()) if self._batch_size is None else float(self._batch_size)

    def steps(self, prefix: str, table: Options, total: int | None = None) -> Any:
        """The length of this name in updates, or None; of a number of steps as it is, else rounded, and 1 at least if it is not 0."""
        found = [unit for unit in ("steps", "examples", "epochs", "percent") if table.given(f"{prefix}_{unit}")]
        if len(found) > 1:
            raise table.error(f"{prefix}_{found[0]}", f"expected one unit of {prefix}; got {' and '.join(found)}")
        if not found:
            return None
        name = f"{prefix}_{found[0]}"
        if prefix == "total" and found[0] == "steps":
            return table.whole(name, least=1)
        amount = table.number(name, least=0.0)
        if found[0] == "steps":
            return amount
        if found[0] == "percent" and (total is None or amount > 1):
            raise table.error(name, f"expected a share of the run from 0 to 1; got {amount}")
        return max(1, round(self._in_updates(amount, found[0], total or 0))) if amount else 0

    def _in_updates(self, amount: float, unit: str, total: int) -> float:
        if unit == "percent":
            return amount * total
        if unit == "examples":
            return amount / self.batch_size()
        data_size = self._facts.run.dataset_size if self._data_size is None else self._data_size
        epoch = float(self._facts.exact_updates_per_epoch()) if data_size is None else data_size / self.batch_size()
        return amount * epoch
