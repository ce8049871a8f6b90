"""Hugging Face's TrainingArguments, and what stands on them: trl, alignment-handbook; transformers/training_args.py, trainer.py.

The schedule is `get_scheduler(lr_scheduler_type, ...)`, which is stepped after each applied update: update t has f(t). With a
`deepspeed` configuration that has a `scheduler`, DeepSpeed's is used.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.source import read_source
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.schedules.huggingface import from_name
from lrcore.schedules.schedule import Schedule
from lrcore.trainers import deepspeed
from lrcore.trainers.idioms import rises_again

FOLLOWS = "transformers 5.23.0"
FACTS = {
    "lr": "the optimizer's rate, where the file has no learning_rate",
    "version": "transformers' version, such as '4.45', where its rules differ: before 4.52 an epoch loses a last short accumulation",
}
_TABLES = ("training_args", "training_arguments", "TrainingArguments", "training")
TURNS_BACK = ("cosine", "cosine_with_min_lr", "cosine_warmup_with_min_lr")
_NO_END = ("constant", "constant_with_warmup", "inverse_sqrt", "reduce_lr_on_plateau")
NO_WARMUP = ("constant", "reduce_lr_on_plateau", "greedy")


def read(options: Options, facts: Facts) -> Taken:
    """Read TrainingArguments: a file, a dataclass, or flags."""
    return read_arguments(arguments(options), facts, {})


def read_arguments(options: Options, facts: Facts, defaults: dict[str, Any]) -> Taken:
    """The schedule of the arguments' table.

    Args:
        options: the table.
        facts: the facts.
        defaults: what another program puts into lr_scheduler_kwargs where they lack it.
    """
    lr, config = rate(options, facts), deepspeed_config(options)
    notes = _notes(options, facts, lr) + missing_deepspeed(config)
    if config.get("scheduler"):
        total = updates(options, facts)
        taken = by_deepspeed(config, options, facts, lr, total, warmup_steps(options, facts, total))
        options.ignore("lr_scheduler_type", "lr_scheduler_kwargs")
    else:
        taken = _by_name(options, facts, lr, defaults)
    return Taken(taken.schedule, taken.also, taken.groups, notes + taken.notes)


def arguments(options: Options) -> Options:
    """The table of TrainingArguments, whose names that begin with lr_ or warmup_ are the scheduler's own."""
    found = options.first_table(*_TABLES).own("lr_", "warmup")
    wrong = "lr_scheduler", "scheduler_type", "lr_scheduler_name", "num_warmup_steps"
    found.refuse(*wrong, why="expected TrainingArguments' own names, lr_scheduler_type and warmup_steps")
    return found


def rate(options: Options, facts: Facts) -> float:
    """The optimizer's rate, or the default of TrainingArguments."""
    found: float = facts.lr(options, "learning_rate", default=5e-5)
    return found


def kind_of(options: Options) -> str:
    """The name of the schedule; an enum may have been written with its class."""
    name: str = options.word("lr_scheduler_type", default="linear")
    return name.rpartition(".")[2].lower()


def _by_name(options: Options, facts: Facts, lr: float, defaults: dict[str, Any]) -> Taken:
    """What get_scheduler gives for the arguments."""
    kind = kind_of(options)
    lengths: dict[str, Any] = {}
    total = None
    if kind not in _NO_END or (kind not in NO_WARMUP and _is_share(options)):
        lengths["num_training_steps"] = total = updates(options, facts)
    notes: tuple[str, ...] = ()
    if kind not in NO_WARMUP:
        lengths["num_warmup_steps"] = warmup_steps(options, facts, total)
    elif options.number("warmup_steps", default=0.0) or options.number("warmup_ratio", default=0.0):
        notes += (f"A warmup has no effect: {kind} has none.",)
    if kind == "reduce_lr_on_plateau":
        notes += ("The plateau is told metric_for_best_model after each evaluation.",)
    if kind in TURNS_BACK and total is not None:
        notes += (rises_again(kind, total),)
    return Taken(named(options, kind, lr, lengths, defaults), notes=notes)


def named(
    options: Options,
    kind: str,
    lr: float,
    lengths: dict[str, Any],
    defaults: dict[str, Any],
    option: str = "lr_scheduler_type",
) -> Any:
    """What get_scheduler gives for a name, which an option has, with lr_scheduler_kwargs over these defaults."""
    kwargs = {**defaults, **_kwargs(options)}
    try:
        return from_name(kind, learning_rate=lr, **lengths, **kwargs)
    except ScheduleError as error:
        _, _, inner = error.where.partition(".")
        known = error.where.startswith(kind)
        place = f"lr_scheduler_kwargs.{inner}" if inner else "lr_scheduler_kwargs" if known else option
        raise options.error(place, error.problem) from None


def _kwargs(options: Options) -> dict[str, Any]:
    """lr_scheduler_kwargs, with texts that are numbers as numbers; null is not set."""
    if options.raw("lr_scheduler_kwargs") in (None, "", "null", "None"):
        return {}
    table = options.table("lr_scheduler_kwargs")
    return {name: _plain(table, name) for name in table if table.given(name)}


def _plain(table: Options, name: str) -> Any:
    try:
        number = table.number(name)
    except ScheduleError:
        return table.raw(name)
    return int(number) if float(number).is_integer() else number


def _notes(options: Options, facts: Facts, lr: float) -> tuple[str, ...]:
    if options.given("learning_rate") or facts.given("lr"):
        return ()
    return (f"There is no learning_rate: {lr!r}, the default of TrainingArguments, was taken.",)


# --- DeepSpeed --------------------------------------------------------------------------------------------------------


def deepspeed_config(options: Options) -> dict[str, Any]:
    """The DeepSpeed configuration: a table, the path of one, or empty; its path may count from the arguments' file."""
    given = options.raw("deepspeed")
    if given in (None, "", "null", "None", False):
        return {}
    if isinstance(given, str) and not given.lstrip().startswith("{") and not Path(given).exists():
        beside = Path(options.where()).parent / given
        if not beside.exists():
            return {"missing": given}
        given = beside
    config = read_source(given, options.where("deepspeed"))[0]
    return config if isinstance(config, dict) else {}


def by_deepspeed(config: dict[str, Any], options: Options, facts: Facts, lr: float, total: int, warmup: int) -> Taken:
    """DeepSpeed's scheduler, whose words auto are filled with the arguments; what differs from them is refused, as theirs."""
    table = Options(config, options.where("deepspeed"))
    params = table.table("scheduler").table("params")
    filled: dict[str, Any] = {
        "warmup_min_lr": 0.0,
        "warmup_max_lr": lr,
        "total_num_steps": total,
        "warmup_num_steps": max(1, warmup),
    }
    for name in ("warmup_max_lr", "total_num_steps", "warmup_num_steps"):
        _match(params, name, filled[name])
    _match(table.table("optimizer").table("params"), "lr", lr)
    given = {name: filled.get(name, "auto") if params.is_auto(name) else params.raw(name) for name in params}
    scheduler = {"type": table.table("scheduler").raw("type"), "params": given}
    plain = {"scheduler": scheduler, "optimizer": {"type": table.table("optimizer").raw("type"), "params": {"lr": lr}}}
    taken = deepspeed.read(Options(plain, options.where("deepspeed")), facts)
    note = "The scheduler of the DeepSpeed configuration is used, not that of the arguments."
    return Taken(taken.schedule, taken.also, taken.groups, (note, *taken.notes))


def missing_deepspeed(config: dict[str, Any]) -> tuple[str, ...]:
    """The note about a DeepSpeed file that is not there."""
    missing = config.get("missing")
    return (
        (f"{missing} was not found, and taken for a DeepSpeed configuration without a scheduler.",) if missing else ()
    )


def _match(table: Options, name: str, argument: float) -> None:
    if table.given(name) and not table.is_auto(name) and table.number(name) != argument:
        raise table.error(name, f"expected auto, or {argument!r} as in TrainingArguments; got {table.raw(name)!r}")


# --- lengths ----------------------------------------------------------------------------------------------------------


def updates(options: Options, facts: Facts) -> int:
    """The updates of the run: max_steps, or num_train_epochs of so many updates, rounded up."""
    told: int | None = facts.updates(default=None)
    stated = int(options.number("max_steps", default=-1))
    if stated <= 0 and (told is None or _knows_epochs(facts)):
        epochs = options.number("num_train_epochs", default=3.0, above=0)
        stated = math.ceil(epochs * _updates_per_epoch(options, facts))
    if told is not None and stated > 0 and told != stated:
        raise options.error(
            "max_steps" if options.given("max_steps") else "num_train_epochs",
            f"expected {told} updates, which the run's total says, or no total; got {stated}",
        )
    return stated if stated > 0 else int(told or 0)


def _knows_epochs(facts: Facts) -> bool:
    run = facts.run
    return (run.updates_per_epoch, run.batches_per_epoch, run.dataset_size) != (None, None, None)


def _updates_per_epoch(options: Options, facts: Facts) -> int:
    """Batches that are left over at the end of an epoch make an update, since transformers 4.52."""
    accumulate: int | None = options.whole("gradient_accumulation_steps", default=None, least=1)
    if version(facts) < (4, 52) and facts.run.batches_per_epoch is not None:
        return max(1, facts.run.batches_per_epoch // (accumulate or facts.run.accumulate or 1))
    return facts.updates_per_epoch(accumulate=accumulate)


def warmup_steps(options: Options, facts: Facts, total: int | None) -> int:
    """The warmup: a whole number of updates, or a share of the run, rounded up."""
    steps, ratio = (options.number(name, default=None, least=0) for name in ("warmup_steps", "warmup_ratio"))
    if steps and ratio and not facts.given("version"):
        raise options.error(
            "warmup_ratio",
            f"expected warmup_steps = {steps:g} or a ratio, for transformers 4 takes the steps and 5.0 the ratio; got "
            "both; say which by version='4' or version='5'",
        )
    given = ratio if ratio is not None and (not steps or version(facts) >= (5,)) else steps or 0.0
    if given >= 1 and given is not ratio:
        return int(given)
    return math.ceil((total or 0) * given)


def _is_share(options: Options) -> bool:
    """Whether the warmup needs the length of the run."""
    steps = options.number("warmup_steps", default=0.0)
    return bool(0 < steps < 1 or options.number("warmup_ratio", default=0.0))


def lora_groups(options: Options, lr: float) -> dict[str, Schedule | float]:
    """LoRA+: the rate of the matrices B, and that of the embeddings' B, as parts of the rate."""
    ratio = options.number("loraplus_lr_ratio", default=None)
    if ratio is None:
        return {}
    return {
        "lora_B": ratio,
        "lora_embedding_B": part(options, options.number("loraplus_lr_embedding", default=1e-6), lr),
    }


def part(options: Options, rate: float, lr: float) -> float:
    """A group's rate as a part of the rate."""
    if lr == 0:
        raise options.error("learning_rate", "expected a rate above 0, of which a group's rate is a part; got 0.0")
    return rate / lr


def version(facts: Facts) -> tuple[int, ...]:
    """transformers' version, the newest if it is not given; "4" is the newest 4."""
    text = str(facts.raw("version", default=FOLLOWS.removeprefix("transformers ")))
    try:
        return (*(int(part) for part in text.lstrip("v").split(".")), 99)
    except ValueError:
        raise facts.error("version", f"expected a version such as '4.45'; got {text!r}") from None
