"""torchtune's recipes: `lr_scheduler` of the YAML; torchtune/training/lr_schedulers.py.

There is one scheduler, Hugging Face's cosine, which the recipe steps after each update: update t has f(t). The recipe passes
num_training_steps: epochs times the updates of an epoch, of which a last short accumulation is none.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.huggingface import from_name
from lrcore.schedules.kinds import Constant
from lrcore.trainers.idioms import rises_again, told_total

FOLLOWS = "torchtune 0.6.1"
FACTS = {"lr": "the optimizer's rate, where the file has no optimizer.lr"}
_COSINE = "get_cosine_schedule_with_warmup"
_OWN = ("_component_", "num_warmup_steps", "num_training_steps", "num_cycles")


def read(options: Options, facts: Facts) -> Taken:
    """Read a recipe's YAML, its `lr_scheduler`, or the arguments of the function."""
    lr = facts.lr(options.table("optimizer"), "lr")
    scheduler = options.table("lr_scheduler") if options.given("lr_scheduler") else options
    if not any(map(scheduler.given, _OWN)):
        return Taken(Constant(lr), notes=("There is no lr_scheduler: the rate is constant.",))
    scheduler.own(*("",) if scheduler is not options else _OWN)
    name = scheduler.word("_component_", default=_COSINE).rpartition(".")[2]
    if name != _COSINE:
        raise scheduler.error("_component_", f"expected {_COSINE}, which the recipes' arguments fit; got {name!r}")
    scheduler.ignore("last_epoch", "optimizer")
    total = _updates(options, scheduler, facts)
    warmup = scheduler.whole("num_warmup_steps")
    cycles = scheduler.number("num_cycles", default=0.5, least=0)
    schedule = from_name(
        "cosine", learning_rate=lr, num_warmup_steps=warmup, num_training_steps=total, num_cycles=cycles
    )
    return Taken(schedule, notes=(rises_again("cosine", total),))


def _updates(options: Options, scheduler: Options, facts: Facts) -> int:
    """The updates of the run: the function's argument, else epochs times what max_steps_per_epoch leaves of one."""
    run = facts.run
    if scheduler.given("num_training_steps") or not options.given("epochs") or _lacks_epochs(facts):
        return told_total(facts, scheduler, "num_training_steps")
    if run.updates_per_epoch is None and run.drop_last is None:
        facts.run = run.replace(drop_last=True)
    accumulate = options.whole("gradient_accumulation_steps", default=None, least=1)
    steps: int = facts.updates_per_epoch(accumulate=accumulate)
    total: int = options.whole("epochs", least=1) * min(steps, options.whole("max_steps_per_epoch", default=steps))
    told = facts.updates(default=None)
    if told not in (None, total):
        raise options.error("epochs", f"expected {told} updates, which the run's total says, or no total; got {total}")
    return total


def _lacks_epochs(facts: Facts) -> bool:
    """Whether the run says its updates, and not those of an epoch."""
    run = facts.run
    return run.total is not None and (run.updates_per_epoch, run.batches_per_epoch, run.dataset_size) == (
        None,
        None,
        None,
    )
