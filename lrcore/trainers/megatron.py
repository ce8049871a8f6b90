"""Megatron-LM's flags: megatron/core/optimizer_param_scheduler.py; megatron/training/training.py makes samples of the lengths.

The scheduler counts samples; an update has the rate of the samples before it, f(n). A warmup that is a share is not rounded.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Constant
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.megatron_curves import curve, plain
from lrcore.trainers.megatron_lengths import Lengths, read_lengths

FOLLOWS = "megatron-core 0.16.1"
FACTS = {"lr": "the peak, where the flags have no --lr"}
_OWN = (
    "lr_",
    "min_lr",
    "max_lr",
    "init_lr",
    "decoupled_",
    "rampup_",
    "start_w",
    "end_w",
    "weight_decay_",
    "wsd_",
    "wd_",
)
_TABLES = ("train", "training", "model", "optim", "optimizer", "scheduler")
_TOKENS = ("lr_decay_tokens", "lr_warmup_tokens", "train_tokens")
_RAMP = "rampup_batch_size acts as in megatron-core 0.16; main of 2026-08 ignores it, and has step_batch_size_schedule."


def read(options: Options, facts: Facts) -> Taken:
    """Read flags, their YAML, Megatron Bridge's tables, or the arguments of OptimizerParamScheduler."""
    options = _flat(options).own(*_OWN)
    options.refuse(*_TOKENS, why="expected lengths in iterations or samples, and a batch that is constant or ramps up")
    options.ignore("lr_scheduler", *(name for name in options if name.endswith("opt_param_scheduler")))
    lengths = read_lengths(options, facts)
    peak, floor = facts.lr(options, "lr", "max_lr"), options.number("min_lr", default=0.0, least=0)
    first = options.number("lr_warmup_init", "init_lr", default=0.0)
    made = curve(options, lengths, first)
    groups: dict[str, Schedule | float] = {}
    if options.given("decoupled_lr"):
        top, least = options.number("decoupled_lr"), options.number("decoupled_min_lr", default=floor)
        groups["embedding_or_output"] = lengths.in_updates(made(top, least))
    _check_rates(options, first, floor, peak)
    notes = (_RAMP,) if options.given("rampup_batch_size") else ()
    return Taken(lengths.in_updates(made(peak, floor)), _weight_decay(options, lengths), groups, notes)


def _flat(options: Options) -> Options:
    """The options of Megatron Bridge's tables as one; flags are one already."""
    tables = [options.raw(name) for name in _TABLES if isinstance(options.raw(name), dict)]
    if not tables:
        return options
    merged = {name: options.raw(name) for name in options if name not in _TABLES}
    for table in tables:
        merged.update({name: value for name, value in table.items() if value is not None})
    return Options(merged, options.where())


def _check_rates(options: Options, first: float, floor: float, peak: float) -> None:
    if not floor <= peak:
        raise options.error("min_lr", f"expected at most --lr = {peak!r}; got {floor!r}")
    if not first <= peak:
        raise options.error("lr_warmup_init", f"expected at most --lr = {peak!r}; got {first!r}")


def _weight_decay(options: Options, lengths: Lengths) -> dict[str, Schedule]:
    """The weight decay: constant, or from start to end over the run."""
    style = options.word(
        "weight_decay_incr_style", "wd_incr_style", default="constant", choices=("constant", "linear", "cosine")
    )
    start, end = (options.number(f"{end}_weight_decay", f"{end}_wd", default=None) for end in ("start", "end"))
    if style == "constant":
        decay = options.number("weight_decay", default=start)
        return {} if decay is None else {"weight_decay": Constant(decay)}
    if start is None or end is None:
        missing = "start_weight_decay" if start is None else "end_weight_decay"
        raise options.error(missing, f"expected a number, for weight_decay_incr_style = {style}; got none")
    if lengths.total is None:
        raise options.error("train_iters", "expected the length of the run, for a weight decay that changes; got none")
    return {"weight_decay": lengths.in_updates(plain(style, start, end, lengths.total))}
