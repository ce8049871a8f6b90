"""DINO's cosine_scheduler, which BEiT and ConvNeXt have too: their flags, or its own arguments; utils.py.

The warmup includes its end, so that the peak comes twice. The same curve rises the weight decay and the teacher's momentum.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import Constant, Cosine, Join, Linear
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import check_total

FOLLOWS = "dino 144f7056"
FACTS = {"lr": "the rate as it is applied; DINO scales its flag by the batch"}

_OF_DINO = ("batch_size_per_gpu", "momentum_teacher", "teacher_temp", "warmup_teacher_temp", "local_crops_number")


def read(options: Options, facts: Facts) -> Taken:
    """Read the flags, or the arguments of cosine_scheduler."""
    options.own("warmup_", "min_lr", "final_value", "start_warmup_value")
    options.ignore("warmup_teacher_temp", "warmup_teacher_temp_epochs")
    epoch = options.whole("niter_per_ep", default=0) or facts.updates_per_epoch()
    epochs = options.whole("epochs", least=1)
    length = epochs * epoch
    check_total(facts, length)
    steps = options.whole("warmup_steps", default=-1, least=-1)
    warmup = steps if steps > 0 else options.whole("warmup_epochs", default=0) * epoch
    if warmup > length:
        raise options.error("warmup_epochs", f"expected at most the run's {length} updates; got {warmup}")
    lowest = options.number("min_lr", "final_value")
    first = options.number("start_warmup_value", default=0.0)
    notes: list[str] = []
    schedule = _curve(_rate(options, facts, notes), lowest, length, warmup, first)
    return Taken(schedule, _others(options, length), notes=tuple(notes))


def _curve(base: float, final: float, length: int, warmup: int = 0, first: float = 0.0) -> Schedule:
    fall = Cosine(init_value=base, end_value=final, decay_steps=length - warmup)
    if not warmup:
        return fall
    rise = Linear(init_value=first, end_value=base, decay_steps=warmup - 1) if warmup > 1 else Constant(first)
    return Join([rise, fall], boundaries=[warmup])


def _others(options: Options, length: int) -> dict[str, Schedule]:
    also: dict[str, Schedule] = {}
    if options.given("weight_decay") and options.given("weight_decay_end"):
        also["weight_decay"] = _curve(options.number("weight_decay"), options.number("weight_decay_end"), length)
    if options.given("momentum_teacher"):
        also["teacher_momentum"] = _curve(options.number("momentum_teacher"), 1.0, length)
    return also


def _rate(options: Options, facts: Facts, notes: list[str]) -> float:
    """DINO's flag is the rate of 256 samples; the others, and the function, take it as it stands."""
    given, told = options.number("lr", "base_value", default=None), facts.number("lr", default=None)
    if given is None:
        return float(facts.lr())
    scaled = any(map(options.given, _OF_DINO))
    if scaled and (told is None or facts.batch_size(default=None)):
        given = given * facts.batch_size() / 256
    elif options.given("lr") and told is None:
        notes.append("lr is taken as it stands, since nothing else is a flag of DINO, which scales it by the batch.")
    if told is not None and told != given and (not scaled or facts.batch_size(default=None)):
        raise ScheduleError("lr", f"expected {given!r}, which the configuration says, or none; got {told!r}")
    return float(given if told is None else told)
