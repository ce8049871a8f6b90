"""torchtitan's `[lr_scheduler]`; torchtitan/components/optimizer/lr_scheduler.py.

A warmup, a constant rate and a decay. Update t has f(t), in which the warmup counts t + 1: it reaches the peak at its last
update, and the run's last update is one step above the end of the decay.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.records import Shape
from lrcore.schedules.kinds import Constant
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total

FOLLOWS = "torchtitan 0.3.0"
FACTS = {"lr": "the optimizer's rate, where the file has no optimizer.lr"}
_SHAPES: dict[str, Shape] = {"linear": "linear", "sqrt": "1-sqrt", "cosine": "cosine"}
_TABLES = "lr_scheduler", "optimizer", "training"


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole TOML or configuration object, or its `[lr_scheduler]` alone."""
    whole = any(map(options.given, _TABLES))
    own = (options.table("lr_scheduler") if whole else options).own()
    options.table("training").refuse("warmup_steps", why="expected [lr_scheduler], as torchtitan has it since 2025-02")
    lr, total = facts.lr(options.table("optimizer"), "lr"), _total(own, options, facts)
    warmup = min(own.whole("warmup_steps", default=200), total)
    ratio = own.number("decay_ratio", default=None, least=0)
    decay = total - warmup if ratio is None else min(round(total * ratio), total - warmup)
    return Taken(_schedule(own, lr, warmup, total, decay), notes=_notes(own, total, decay))


def _total(own: Options, options: Options, facts: Facts) -> int:
    """The horizon: total_steps, which may be longer or shorter than the run, or the run itself."""
    steps: int | None = options.table("training").whole("steps", default=None, least=1)
    if steps is not None:
        check_total(facts, steps)
    found: int = own.whole("total_steps", default=steps, least=1) or facts.updates()
    return found


def _schedule(own: Options, lr: float, warmup: int, total: int, decay: int) -> Schedule:
    shape = _SHAPES[own.word("decay_type", default="linear", choices=list(_SHAPES))]
    end = lr * own.number("min_lr_factor", "lr_min", default=0.0)
    schedule = Constant(lr).warmup(warmup - 1, init_value=lr / warmup) if warmup else Constant(lr)
    return schedule.cooldown(decay, start=total - decay, end_value=end, shape=shape) if decay else schedule


def _notes(own: Options, total: int, decay: int) -> tuple[str, ...]:
    notes = []
    if decay:
        what = "rises again" if own.word("decay_type", default="linear").lower() == "cosine" else "falls further"
        notes.append(f"After update {total} torchtitan's rate {what}; lrcore holds the end value.")
    if own.given("lr_min"):
        notes.append(f"lr_min, the name in older versions, is read as min_lr_factor by the rule of {FOLLOWS}.")
    return tuple(notes)
