"""timm's schedulers: `create_scheduler_v2`'s arguments, or the args.yaml of its train.py; timm/scheduler/*.py.

After epoch e train.py asks for t = e + 1, with --sched-on-updates after update u for t = u + 1. So t = 0 is never asked: the
first epoch (or update) has warmup_lr, or the optimizer's rate where there is no warmup. A warmup is laid over a clock that
runs already, unless warmup_prefix says otherwise: the epochs include it.
"""

from __future__ import annotations

import math
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Constant
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, check_total, delayed
from lrcore.trainers.timm_schedulers import KINDS, Cycles, Plan, cycles, warmed

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
_OWN = ("sched", "decay_", "warmup_", "min_lr", "cycle_", "k_decay", "stable_", "lr_", "patience_")
_OF_TRAIN_PY = ("model", "opt", "lr_base", "batch_size", "eval_metric", "start_epoch")


def read(options: Options, facts: Facts) -> Taken:
    """Read the arguments of create_scheduler_v2, or those of train.py."""
    plan = _plan(options, facts)
    if plan.kind == "none":
        return Taken(Constant(plan.lr))
    if plan.kind == "plateau":
        return _plateau(plan)
    kind = KINDS[plan.kind](plan)
    schedule, end, epochs = Cycles(kind, None, plan.epochs) if isinstance(kind, Schedule) else cycles(plan, kind)
    if plan.kind not in ("step", "multistep", "constant"):
        epochs += options.number("cooldown_epochs", default=0, least=0)
    whole = warmed(plan, schedule, end)
    first = plan.first if plan.warmup else plan.lr
    if whole(0) != first:
        whole = delayed(first, ahead(whole))
    check_total(facts, math.floor(epochs + plan.warmup_epochs * plan.prefix) * plan.updates_per_epoch)
    return Taken(plan.in_updates(whole), notes=tuple(_notes(plan)))


def _plan(options: Options, facts: Facts) -> Plan:
    names = _form(options)
    options.own(*_OWN)
    options.ignore("cooldown_epochs", "lr_noise_pct", "lr_noise_std", "noise_pct", "noise_std", "noise_seed")
    if options.given(noise := names["noise"][0]):
        raise options.error(
            noise, f"expected none, for noise that is drawn anew at each step has no equal; got {options.raw(noise)!r}"
        )
    on_updates = (
        options.flag("sched_on_updates") if names is _ARGS else not options.flag("step_on_epochs", default=True)
    )
    return Plan(
        options,
        names,
        options.word("sched", default="cosine", choices=[*KINDS, "plateau", "none"]),
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


def _plateau(plan: Plan) -> Taken:
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


def _notes(plan: Plan) -> list[str]:
    options, notes = plan.options, []
    if options.given("layer_decay"):
        notes.append("layer_decay gives the layers rates of their own; this is the rate of lr_scale 1.")
    if plan.kind in ("cosine", "poly", "tanh") and plan.number("cycle_mul") != 1 and plan.number("cycle_limit") > 1:
        notes.append("timm finds a cycle by a logarithm, whose rounding can begin one a step late; here none does.")
    missing = [plan.names[word][0] for word in ("epochs", "warmup_epochs") if not options.given(plan.names[word][0])]
    if missing and plan.names is _ARGS:
        notes.append(f"Not given, so that create_scheduler's own default holds: {', '.join(missing)}.")
    return notes
