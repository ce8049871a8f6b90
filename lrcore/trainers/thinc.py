"""thinc's and spaCy's `[training.optimizer.learn_rate]`; thinc/schedules.py.

Update t has f(t). The triangular schedules count t + 1. Rates stand in the schedule itself, not in the optimizer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from configparser import Error, RawConfigParser
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.schedules.kinds import Clip, Constant, Exponential, Interpolate, InverseTime, Linear, Shift
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.recipes import cyclic
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, risen

FOLLOWS = "thinc 9.1.1"
FACTS: dict[str, str] = {}
_PATHS = "training.optimizer", "optimizer"
_DEFAULT = {"Adam.v1": 0.001, "RAdam.v1": 0.001}  # the rate of an optimizer without learn_rate


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole config.cfg, its optimizer, or the schedule of its learn_rate alone."""
    optimizer = options.first_table(*_PATHS)
    own = optimizer.first_table("learn_rate")
    if own is not optimizer or own.given("@schedules"):
        return _taken(own, facts)
    rate = optimizer.number("learn_rate", default=_DEFAULT.get(optimizer.word("@optimizers", default="")))
    if rate is None:
        raise optimizer.error("learn_rate", "expected a number, or a schedule with @schedules; got none")
    return Taken(Constant(rate))


def _taken(own: Options, facts: Facts) -> Taken:
    if _name(own) == "plateau":
        return _plateau(own.own(), facts)
    return Taken(_schedule(own, facts), notes=_notes(own, facts))


def _notes(own: Options, facts: Facts) -> tuple[str, ...]:
    """What a slanted triangle does after its end, also one that follows a constant."""
    while _name(own) == "constant_then":
        own = own.table("schedule")
    if _name(own) != "slanted_triangular":
        return ()
    end = _last(own.whole("num_steps"), facts)
    return (f"After update {end} thinc's rate falls further, and below 0; lrcore holds the value that it has there.",)


def _name(own: Options) -> str:
    """The schedule's name without its version, which is 1 for all."""
    given: str = own.word("@schedules")
    found = given.removesuffix(".v1")
    if found not in (*_RULES, "plateau"):
        known = [f"{name}.v1" for name in (*_RULES, "plateau")]
        raise own.error("@schedules", f"expected one of {', '.join(known)}; got {given!r}{did_you_mean(given, known)}")
    return found


def _schedule(own: Options, facts: Facts) -> Schedule:
    name = _name(own.own())
    if name == "plateau":
        raise own.error(
            "@schedules", "expected a plateau around the whole schedule, not inside another one; got plateau.v1"
        )
    return _RULES[name](own, facts)


# --- schedules --------------------------------------------------------------------------------------------------------


def _constant(own: Options, _facts: Facts) -> Schedule:
    return Constant(own.number("rate"))


def _constant_then(own: Options, facts: Facts) -> Schedule:
    """The schedule that follows keeps the clock of the run: it goes on as if it had been there from the start."""
    steps = own.whole("steps")
    after = _schedule(own.table("schedule", required=True), facts)
    return Constant(own.number("rate")).then(after, at=steps, clock="run") if steps else after


def _decaying(own: Options, _facts: Facts) -> Schedule:
    rate, decay, start = own.number("base_rate"), own.number("decay", least=0), own.number("t", default=0.0)
    left = 1 + decay * start
    if left <= 0:
        raise own.error("t", f"expected a time at which 1 + decay t is above 0; got {start:g}")
    return InverseTime(init_value=rate / left, decay_rate=decay / left)


def _compounding(own: Options, _facts: Facts) -> Schedule:
    start, stop = own.number("start"), own.number("stop")
    rate = own.number("compound", above=0)
    growing = Exponential(init_value=start * rate ** own.number("t", default=0.0), decay_rate=rate)
    return Clip(growing, min_value=stop) if start > stop else Clip(growing, max_value=stop)


def _slanted_triangular(own: Options, facts: Facts) -> Schedule:
    """A short rise and a long fall. The top is at int(num_steps * cut_frac), so that the fall may end before the last update."""
    steps, share = own.whole("num_steps", least=1), own.number("cut_frac", default=0.1, above=0)
    ratio, start = own.number("ratio", default=32, above=0), own.whole("t", default=0)
    top, cut = own.number("max_rate"), int(steps * share)
    if share >= 1 or cut < 1:
        raise own.error("cut_frac", f"expected a rise of at least one of {steps} updates, and a fall; got {share:g}")
    end = max(_last(steps, facts) + start, cut + 1)

    def rate(part: float) -> float:
        return float(top * (1 + part * (ratio - 1)) / ratio)

    values = [rate(0), rate(1), rate(1 - (end - cut) / (cut * (1 / share - 1)))]
    return Shift(Interpolate(boundaries=[0, cut, end], values=values), 1 + start)


def _last(steps: int, facts: Facts) -> int:
    """num_steps, or the updates of a run that is longer."""
    return max(steps, int(facts.updates(default=0)))


def _warmup_linear(own: Options, _facts: Facts) -> Schedule:
    rate, warmup, total = own.number("initial_rate"), own.whole("warmup_steps"), own.whole("total_steps")
    fall = Linear(init_value=rate, decay_steps=total - warmup) if total > warmup else Constant(0.0)
    return risen(fall, warmup, 0.0, rate)


def _cyclic_triangular(own: Options, _facts: Facts) -> Schedule:
    low, high = own.number("min_lr"), own.number("max_lr")
    return ahead(cyclic(base_value=low, peak_value=high, up_steps=own.whole("period", least=1)))


def _plateau(own: Options, facts: Facts) -> Taken:
    """A plateau of a score that is to rise; its best score stays after a reduction."""
    schedule = _schedule(own.table("schedule", required=True), facts)
    patience, factor = own.whole("max_patience"), own.number("scale", least=0)
    if factor >= 1:
        raise own.error("scale", f"expected a number below 1, which lowers the rate; got {factor:g}")
    if not patience:
        return Taken(schedule, notes=("With max_patience = 0 thinc's plateau never lowers the rate.",))
    plateau = Plateau(schedule, factor=factor, patience=patience - 1, mode="max", rtol=0.0, accept_first=True)
    return Taken(plateau, notes=("Report the score once after each evaluation.",))


_RULES: dict[str, Callable[[Options, Facts], Schedule]] = {
    "constant": _constant,
    "constant_then": _constant_then,
    "decaying": _decaying,
    "compounding": _compounding,
    "slanted_triangular": _slanted_triangular,
    "warmup_linear": _warmup_linear,
    "cyclic_triangular": _cyclic_triangular,
}


# --- config.cfg -------------------------------------------------------------------------------------------------------


def read_cfg(text: str) -> dict[str, Any]:
    r"""A config.cfg as tables: sections with dotted names, values in JSON; what is no JSON is a text.

    Example:
        >>> read_cfg('[training.optimizer]\nlearn_rate = 0.01')
        {'training': {'optimizer': {'learn_rate': 0.01}}}
    """
    parser = RawConfigParser(comment_prefixes=("#", ";"), delimiters=("=",), default_section="\0")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text)
    except Error as error:
        raise ValueError(str(error).partition("\n")[0]) from None
    found: dict[str, Any] = {}
    for section in sorted(parser.sections(), key=lambda name: name.count(".")):
        table = found
        for name in section.split("."):
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                raise ScheduleError(f"[{section}]", f"expected {name} to be a section or a value; got both")
        table.update({name: _value(written) for name, written in parser.items(section)})
    return found


def _value(written: str) -> Any:
    """A value; a reference such as ${training:max_steps} is written with a dot."""
    text = re.sub(r"^\$\{([\w.]+):([\w.]+)\}$", r"${\1.\2}", written.strip().strip('"') if "${" in written else written)
    try:
        return json.loads(text)
    except ValueError:
        return text


READERS = {".cfg": read_cfg}
