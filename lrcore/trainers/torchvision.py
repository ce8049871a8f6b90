"""The flags of torchvision's references: references/classification/train.py, and those of segmentation and detection.

Classification steps torch's schedulers once in an epoch, segmentation after each update; detection has a warmup of its own in
the first epoch.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Constant,
    Cosine,
    Exponential,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Repeat,
)
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total, per_epoch

FOLLOWS = "torchvision 017e9b99, torch 2.13.0"
FACTS = {
    "lr": "the rate, where the flags have none",
    "task": "classification (the default), segmentation or detection: whose flags they are",
}
_TURNS = "Past its end torch's cosine turns back, and so does this schedule."


def read(options: Options, facts: Facts) -> Taken:
    """Read the flags of a train.py."""
    options.own("lr_")
    kind = options.word("lr_scheduler", default="", choices=[*_SCHEDULERS, ""])
    task = "segmentation" if options.given("aux_loss") or kind == "polynomiallr" else "classification"
    task = facts.word("task", default="detection" if kind == "multisteplr" else task, choices=list(_TASKS))
    epochs = options.whole("epochs", least=1)
    check_total(facts, epochs * facts.updates_per_epoch())
    schedule = _TASKS[task](options, float(facts.lr(options, "lr")), epochs, facts.updates_per_epoch(), kind)
    return Taken(schedule, notes=(_TURNS,) if kind == "cosineannealinglr" else ())


def _classification(options: Options, lr: float, epochs: int, updates_per_epoch: int, kind: str) -> Schedule:
    warmup = options.whole("lr_warmup_epochs", default=0)
    main = _main(options, lr, epochs - warmup, kind or "steplr", step=30)
    return per_epoch(_warmed(options, main, lr, warmup), updates_per_epoch)


def _segmentation(options: Options, lr: float, epochs: int, updates_per_epoch: int, kind: str) -> Schedule:
    if kind not in ("", "polynomiallr"):
        raise options.error("lr_scheduler", f"expected none for segmentation; got {kind!r}")
    warmup = options.whole("lr_warmup_epochs", default=0) * updates_per_epoch
    main = Polynomial(init_value=lr, decay_steps=epochs * updates_per_epoch - warmup, power=0.9)
    return _warmed(options, main, lr, warmup, method="linear")


def _detection(options: Options, lr: float, epochs: int, updates_per_epoch: int, kind: str) -> Schedule:
    """The warmup multiplies, for at most 1000 updates of the first epoch."""
    main = per_epoch(_main(options, lr, epochs, kind or "multisteplr"), updates_per_epoch)
    steps = min(1000, updates_per_epoch - 1)
    return Linear(init_value=1 / 1000, end_value=1.0, decay_steps=steps) * main if steps else main


def _main(options: Options, lr: float, epochs: int, kind: str, step: int = 8) -> Schedule:
    """The scheduler in epochs, after the warmup."""
    gamma = options.number("lr_gamma", default=0.1)
    if kind == "steplr":
        size = options.whole("lr_step_size", default=step, least=1)
        return Exponential(init_value=lr, decay_rate=gamma, decay_steps=size, staircase=True)
    if kind == "exponentiallr":
        return Exponential(init_value=lr, decay_rate=gamma)
    if kind == "multisteplr":
        places = sorted(options.wholes("lr_steps", default=[16, 22]))
        values = [lr * gamma**count for count in range(len(places) + 1)]
        return PiecewiseConstant(boundaries=places, values=values)
    if kind == "polynomiallr":
        raise options.error("lr_scheduler", "expected one of classification's or detection's; got 'polynomiallr'")
    if epochs < 1:
        raise options.error("lr_warmup_epochs", "expected fewer than epochs for a cosine; got as many or more")
    floor = options.number("lr_min", default=0.0)
    return Repeat(Cosine(init_value=lr, end_value=floor, decay_steps=epochs), mirror=True)


def _warmed(options: Options, main: Schedule, lr: float, steps: int, method: str = "constant") -> Schedule:
    method = options.word("lr_warmup_method", default=method, choices=["linear", "constant"])
    decay = options.number("lr_warmup_decay", default=0.01)
    if not steps:
        return main
    if method == "linear":
        return main.warmup(steps, init_value=lr * decay)
    return Join([Constant(lr * decay), main], boundaries=[steps])


_SCHEDULERS = ("steplr", "cosineannealinglr", "exponentiallr", "multisteplr", "polynomiallr")
_TASKS = {"classification": _classification, "segmentation": _segmentation, "detection": _detection}
