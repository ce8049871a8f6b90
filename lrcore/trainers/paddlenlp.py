"""PaddleNLP's TrainingArguments and schedules; paddlenlp/trainer/trainer.py, trainer_utils.py, transformers/optimization.py.

The trainer steps after each update: update t has f(t). The scripts for large models, whose files have min_learning_rate, build their
schedule with last_epoch=0, which counts the first update before it is made: f(t+1).
"""

from __future__ import annotations

import math

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.huggingface import from_name
from lrcore.schedules.kinds import Constant, Cosine, Interpolate, Join, Linear, Shift
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import between, told_total

FOLLOWS = "paddlenlp 2.8.1"
FACTS = {"lr": "the optimizer's rate, where the file has no learning_rate"}

_OWN = ("learning_rate", "min_learning", "lr_", "warmup", "decay_steps", "num_cycles", "power", "max_lr", "min_lr")
_NAMES = ("linear", "cosine", "constant", "constant_with_warmup", "polynomial")
_BACK = "Past the end of the run PaddleNLP's cosine rises again; here the last value holds."


def read(options: Options, facts: Facts) -> Taken:
    """Read the JSON or flags of a script, or the arguments of one of the classes, with its name as `class` or `_target_`."""
    options.own(*_OWN)
    name = _class_name(options)
    lr = facts.lr(options, "learning_rate", "max_lr", default=5e-5)
    if name.endswith("AnnealingWithWarmupDecay"):
        kind = name.removesuffix("AnnealingWithWarmupDecay").lower()
        return Taken(_entered(options, _annealing(options, facts, lr, kind), -1))
    if name:
        return Taken(_entered(options, _class(options, facts, lr, name), -1))
    kind = options.word("lr_scheduler_type", default="linear", choices=_NAMES)
    if options.given("min_learning_rate") and kind in ("linear", "cosine"):
        return Taken(_entered(options, _annealing(options, facts, lr, kind), 0))
    return _named(options, facts, lr, kind)


def _class_name(options: Options) -> str:
    """The class that is named; a `name` or `type` that is no class is another thing's, such as the optimizer's or the run's."""
    for key in ("type", "name"):
        word = str(next(iter(options.words(key, default=[])), "")).rpartition(".")[2]
        if word in _CLASSES or word.endswith("AnnealingWithWarmupDecay"):
            return word
    name: str = options.word("_target_", "class", "lr_scheduler", "scheduler", default="")
    return name.rpartition(".")[2]


def _entered(options: Options, schedule: Schedule, default: int) -> Schedule:
    """A schedule that was built with last_epoch: its constructor makes one step more."""
    last = options.whole("last_epoch", default=default, least=-1)
    return Shift(schedule, last + 1) if last >= 0 else schedule


# --- the trainer's names ----------------------------------------------------------------------------------------------


def _named(options: Options, facts: Facts, lr: float, name: str) -> Taken:
    if name == "constant":
        options.ignore(*_OWN, "warmup_steps", "warmup_ratio")
        return Taken(Constant(lr))
    warmup = options.whole("warmup_steps", "num_warmup_steps", default=0)
    if name == "constant_with_warmup" and (warmup or not options.number("warmup_ratio", default=0.0)):
        return Taken(Constant(lr).warmup(warmup))
    total = _total(options, facts)
    warmup = warmup or int(options.number("warmup_ratio", default=0.0, least=0.0) * total)
    if name == "constant_with_warmup":
        return Taken(Constant(lr).warmup(warmup))
    end = options.whole("decay_steps", default=0) or total
    own = {
        "cosine": {"num_cycles": options.number("num_cycles", default=0.5, least=0.0)},
        "polynomial": {
            "lr_end": options.number("lr_end", default=1e-7),
            "power": options.number("power", default=1.0, above=0.0),
        },
    }.get(name, {})
    lengths = {"num_warmup_steps": warmup, "num_training_steps": end}
    schedule = from_name(name, learning_rate=lr, **lengths, **own)
    assert isinstance(schedule, Schedule)
    return Taken(schedule, notes=(_BACK,) if name == "cosine" else ())


def _total(options: Options, facts: Facts) -> int:
    """max_steps, the run's total, or whole epochs of whole groups of batches."""
    steps = options.number("max_steps", "num_training_steps", default=0.0)
    if steps > 0 or facts.run.total is not None:
        stated = options if steps > 0 else Options({}, options.where())  # -1 is for none
        return told_total(facts, stated, "max_steps", "num_training_steps")
    epochs, group = options.number("num_train_epochs", default=3.0, above=0.0), _group(options)
    if facts.run.batches_per_epoch is not None:
        return int(max(facts.run.batches_per_epoch // group, 1) * epochs)
    return int(facts.updates_per_epoch() * epochs)


def _group(options: Options) -> int:
    group: int = options.whole("gradient_accumulation_steps", default=1, least=1)
    return group


# --- classes ----------------------------------------------------------------------------------------------------------


def _annealing(options: Options, facts: Facts, lr: float, kind: str) -> Schedule:
    """A warmup that need be no whole number of updates, a fall, and the floor past decay_steps."""
    floor = options.number("min_learning_rate", "min_lr", default=0.0)
    stated = options.whole("decay_steps", "decay_step", default=0)
    end = stated or _total(options, facts)
    warmup = options.number("warmup_steps", "warmup_step", default=0.0, least=0.0)
    if not warmup and (ratio := options.number("warmup_ratio", default=0.0, least=0.0)):
        warmup = ratio * _total(options, facts)
    if warmup >= end:
        rise = Interpolate(boundaries=[0, warmup], values=[0.0, lr])
        return Join([rise, Constant(floor)], boundaries=[math.floor(warmup) + 1]) if warmup else Constant(floor)
    if float(warmup).is_integer():
        ends = {"init_value": lr, "end_value": floor, "decay_steps": end - int(warmup)}
        fall: Schedule = Cosine(**ends) if kind == "cosine" else Linear(**ends)
        return fall.warmup(int(warmup))
    rise = Interpolate(boundaries=[0, warmup], values=[0.0, lr])
    tail = between(warmup, end, lr, floor, shape=kind)
    return Join([rise, tail], boundaries=[math.ceil(warmup)])


def _class(options: Options, facts: Facts, lr: float, name: str) -> Schedule:
    """The classes of LambdaDecay; a warmup that is no integer is a share of the run, rounded down."""
    if name not in _CLASSES:
        raise options.error(
            "class", f"expected one of {', '.join(_CLASSES)}, or an AnnealingWithWarmupDecay; got {name}"
        )
    warmup, written = options.number("warmup", default=0.0, least=0.0), options.raw("warmup")
    share = isinstance(written, float) or not float(warmup).is_integer()
    total = told_total(facts, options, "total_steps") if share or name != "ConstScheduleWithWarmup" else 0
    steps = math.floor(warmup * total) if share else int(warmup)
    lengths = {"num_warmup_steps": steps, "num_training_steps": total}
    if name == "ConstScheduleWithWarmup":
        return Constant(lr).warmup(steps)
    own: dict[str, float] = {}
    if name == "PolyDecayWithWarmup":
        own = {
            "lr_end": options.number("lr_end", default=1e-7),
            "power": options.number("power", default=1.0, above=0.0),
        }
    kind = _CLASSES[name]
    if name == "CosineDecayWithWarmup":
        hard = options.flag("with_hard_restarts")
        kind = "cosine_with_restarts" if hard else kind
        own = {"num_cycles": options.number("num_cycles", default=0.5 if hard else 1.0, above=0.0)}
    schedule = from_name(kind, learning_rate=lr, **lengths, **own)
    assert isinstance(schedule, Schedule)
    return schedule


_CLASSES = {
    "LinearDecayWithWarmup": "linear",
    "ConstScheduleWithWarmup": "constant_with_warmup",
    "CosineDecayWithWarmup": "cosine",
    "PolyDecayWithWarmup": "polynomial",
}
