"""axolotl's YAML: Hugging Face's schedules and its own; axolotl/core/trainers/mixins/scheduler.py, utils/schedulers.py.

Update t has f(t), but rex, and what jagged restarts multiply, are one ahead, f(t+1); a share of the run is rounded down.
"""

from __future__ import annotations

import math
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    Product,
    Repeat,
    Shift,
    Sum,
)
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.recipes import one_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers import hf
from lrcore.trainers.idioms import ahead, late, rises_again, told_total

FOLLOWS = "axolotl 0.19.0"
FACTS = {"lr": "the peak, where the file has no learning_rate"}


def read(options: Options, facts: Facts) -> Taken:
    """Read the YAML."""
    options.own("lr_scheduler", "lr_quadratic", "warmup_", "cosine_", "jagged_restart_", "log_sweep_")
    lr, config = facts.lr(options, "learning_rate"), hf.deepspeed_config(options)
    kind = options.word("lr_scheduler", default="cosine").lower()
    total = _updates(options, facts)
    warmup = _warmup_steps(options, total)
    if config.get("scheduler"):
        taken = hf.by_deepspeed(config, options, facts, lr, total, warmup)
        options.ignore("lr_scheduler", "lr_scheduler_kwargs")
    else:
        taken = _jagged(options, kind, _OWN.get(kind, _by_name)(options, kind, lr, total, warmup))
    return Taken(taken.schedule, taken.also, _groups(options, lr), hf.missing_deepspeed(config) + taken.notes)


# --- schedules --------------------------------------------------------------------------------------------------------


def _cosine(options: Options, kind: str, lr: float, total: int, warmup: int) -> Taken:
    """Hugging Face's, or with a quadratic warmup, or with a floor, which may be reached before the end."""
    least = options.number("cosine_min_lr_ratio", default=0.0, least=0)
    share = options.number("cosine_constant_lr_ratio", default=0.0, least=0)
    notes = (rises_again("cosine", total),)
    if options.flag("lr_quadratic_warmup"):
        decay = Cosine(init_value=lr, decay_steps=max(0, total - warmup))
        ignored = ("lr_quadratic_warmup takes the place of cosine_min_lr_ratio.",) if least else ()
        return Taken(_risen(decay, warmup, shape="power", power=2), notes=notes + ignored)
    if not least:
        taken = _by_name(options, kind, lr, total, warmup)
        ignored = ("cosine_constant_lr_ratio has no effect without cosine_min_lr_ratio.",) if share else ()
        return Taken(taken.schedule, notes=taken.notes + ignored)
    end = int(total * share) if share else total
    if share and end <= warmup:
        raise options.error(
            "cosine_constant_lr_ratio", f"expected a place past the warmup of {warmup}; got update {end}"
        )
    decay = Cosine(init_value=lr, end_value=least * lr, decay_steps=max(0, end - warmup))
    return Taken(_risen(decay, warmup), notes=() if share else notes)


def _by_name(options: Options, kind: str, lr: float, total: int, warmup: int) -> Taken:
    """Hugging Face's schedule of that name."""
    lengths = {} if kind in hf.NO_WARMUP else {"num_warmup_steps": warmup}
    schedule = hf.named(options, kind, lr, {**lengths, "num_training_steps": total}, {}, "lr_scheduler")
    return Taken(schedule, notes=(rises_again(kind, total),) if kind in hf.TURNS_BACK else ())


def _risen(decay: Schedule, warmup: int, **shape: Any) -> Schedule:
    """A warmup to the peak; where it takes the whole run, the decay is over before it begins."""
    if decay.length:
        return decay.warmup(warmup, **shape)
    peak = decay.to_dict()["init_value"]
    return Join([Constant(peak).warmup(warmup, **shape), decay], boundaries=[warmup])


def _rex(options: Options, kind: str, lr: float, total: int, warmup: int) -> Taken:
    """floor + (peak - floor) z / (0.1 + 0.9 z), z the part left: a mirrored inverse time; the floor from `total` on."""
    floor = lr * options.number("cosine_min_lr_ratio", default=0.0, least=0)
    if warmup > total:
        raise options.error("warmup_steps", f"expected at most the {total} updates of the run, for rex; got {warmup}")
    if warmup == total:
        rise = Linear(init_value=0.0, end_value=lr, decay_steps=warmup)
        return Taken(ahead(Join([rise, Constant(floor)], boundaries=[warmup + 1])))
    steps, way = total - warmup, (lr - floor) / 0.9
    left = Repeat(InverseTime(init_value=-way, decay_rate=9.0, decay_steps=steps), period=steps, mirror=True)
    fall = Join([Sum([Constant(floor + way), Shift(left, steps)]), Constant(floor)], boundaries=[steps])
    rise = Linear(init_value=0.0, end_value=lr, decay_steps=warmup)
    return Taken(ahead(Join([rise, fall], boundaries=[warmup]) if warmup else fall))


def _one_cycle(options: Options, kind: str, lr: float, total: int, warmup: int) -> Taken:
    """torch's OneCycleLR, which rises in the warmup; it cycles the momentum too, which lrcore does not write here."""
    table = options.table("lr_scheduler_kwargs")
    start = lr / table.number("div_factor", default=25.0, above=0)
    word = table.word("anneal_strategy", default="cos", choices=("cos", "linear"))
    schedule = one_cycle(
        init_value=start,
        peak_value=lr,
        end_value=start / table.number("final_div_factor", default=1e4, above=0),
        total_steps=total,
        pct_start=table.number("pct_start", default=warmup / total, least=0),
        shape="cosine" if word == "cos" else "linear",
        three_phase=table.flag("three_phase"),
    )
    names = ("cycle_momentum", "base_momentum", "max_momentum")
    table.ignore(*names)
    cycles = table.flag("cycle_momentum", default=True)
    notes = ("OneCycleLR cycles betas[0] too, by its own base_momentum and max_momentum.",) if cycles else ()
    table.own()
    return Taken(schedule, notes=notes)


def _log_sweep(options: Options, kind: str, lr: float, total: int, warmup: int) -> Taken:
    """A geometric rise in the warmup's updates, one late; as in the versions that had it."""
    steps = options.whole("num_steps", "warmup_steps", least=2)
    first = options.number("log_sweep_min_lr", "min_lr", default=1e-10, above=0)
    last = options.number("log_sweep_max_lr", "max_lr", default=10.0, above=0)
    rise = late(Exponential(init_value=first, decay_rate=last / first, decay_steps=steps - 1))
    return Taken(Join([rise, Constant(last)], boundaries=[steps]))


_OWN = {"cosine": _cosine, "rex": _rex, "one_cycle": _one_cycle, "log_sweep": _log_sweep}


def _jagged(options: Options, kind: str, taken: Taken) -> Taken:
    """Restarts, each with a warmup of its own and a fall before it, that multiply the schedule one update ahead."""
    restart = options.whole("jagged_restart_steps", default=0)
    if not restart:
        return taken
    if kind == "one_cycle" or isinstance(taken.schedule, Plateau):
        problem = f"expected a schedule that can be asked at any update, as restarts do; got {kind}"
        raise options.error("jagged_restart_steps", problem)
    warmup = options.whole("jagged_restart_warmup_steps", default=0) or 10
    anneal = options.whole("jagged_restart_anneal_steps", default=0) or 1
    if anneal >= restart or warmup >= restart:
        raise options.error("jagged_restart_steps", f"expected more than its warmup and its anneal; got {restart}")
    least = options.number("cosine_min_lr_ratio", default=0.0) or 0.001
    start = restart - anneal
    rise = Linear(init_value=least, end_value=1.0, decay_steps=warmup)
    fall = Shift(Interpolate(boundaries=[start, restart], values=[1.0, least]), warmup)
    cycles = Shift(Repeat(Join([rise, fall], boundaries=[warmup]), period=restart), start)
    factor: Schedule = Join([Constant(1.0), cycles], boundaries=[start])
    if kind == "rex":  # its clock is one ahead, and sets that of the restarts
        factor = ahead(factor)
    return Taken(ahead(Product([taken.schedule, factor])), taken.also, taken.groups, taken.notes)


# --- lengths and groups -----------------------------------------------------------------------------------------------


def _updates(options: Options, facts: Facts) -> int:
    """The updates of the run: max_steps, else the run's total, else what num_epochs of its samples make."""
    if options.whole("max_steps", default=0) or facts.run.total is not None:
        return told_total(facts, options, "max_steps")
    epochs: float = options.number("num_epochs", default=1.0, above=0)
    if options.flag("sample_packing"):
        return math.floor(facts.updates_per_epoch() * epochs)
    run = facts.run
    if run.dataset_size is not None:
        return math.ceil(run.dataset_size * epochs / int(facts.batch_size()))
    if run.batches_per_epoch is not None and epochs != 1:
        problem = f"expected the run's total, or its dataset_size and batch_size; got {epochs:g}"
        raise options.error("num_epochs", problem)
    accumulate: int | None = options.whole("gradient_accumulation_steps", default=None, least=1)
    return math.ceil(facts.updates_per_epoch(accumulate=accumulate) * epochs)


def _warmup_steps(options: Options, total: int) -> int:
    """The warmup: updates, or a share of the run, rounded down; 3 percent, at most 100, by default. 1 becomes 2."""
    steps = options.whole("warmup_steps", default=None)
    ratio = options.number("warmup_ratio", default=None, least=0)
    if steps and ratio:
        raise options.error("warmup_ratio", "expected warmup_steps or warmup_ratio; got both")
    if steps is None:
        steps = min(int(0.03 * total), 100) if ratio is None else int(ratio * total)
    return 2 if steps == 1 else int(steps)


def _groups(options: Options, lr: float) -> dict[str, Schedule | float]:
    """Rates of parts of the network, as parts of the rate."""
    groups = hf.lora_groups(options, lr)
    for group in options.tables("lr_groups"):
        groups[group.word("name")] = hf.part(options, group.number("lr"), lr)
    scale, rate = (options.number(name, default=None) for name in ("embedding_lr_scale", "embedding_lr"))
    if scale or rate:
        groups["embeddings"] = scale or hf.part(options, rate, lr)
    return groups
