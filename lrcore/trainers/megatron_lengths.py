"""What Megatron's schedules count: updates where all lengths are whole ones, else samples, and the clock that shows them."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.errors import ScheduleError
from lrcore.schedules.kinds import Clock
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.batch_ramps import Knots, equal_increments, read_steps, steps
from lrcore.trainers.idioms import told_total


class Lengths(NamedTuple):
    """What the lengths count, and how updates become it.

    Attributes:
        total: the run.
        decay: where the decay ends.
        warmup: how long the warmup is; a share of the decay may be no whole number.
        tail: the length of WSD's tail, if it is given.
        knots: what the clock shows at updates; none where the lengths are updates.
    """

    total: int | None
    decay: int
    warmup: Fraction
    tail: int | None
    knots: Knots

    def in_updates(self, schedule: Schedule) -> Schedule:
        """The schedule by updates."""
        if not self.knots:
            return schedule
        boundaries, times = zip(*self.knots, strict=True)
        return Clock(schedule, boundaries=boundaries, times=times)


def read_lengths(options: Options, facts: Facts) -> Lengths:
    """The lengths of the flags, in iterations or in samples."""
    samples = ("train_samples", "lr_decay_samples", "lr_decay_steps", "lr_warmup_samples", "lr_warmup_steps")
    ramps = options.values("rampup_batch_size", default=None)
    if not options.given("train_iters") and any(map(options.given, samples)):
        ticks = _by_samples(options, facts)
        if options.given("step_batch_size_schedule"):
            return _stepped(ticks, options)
        if ramps is not None:
            return _ramped(ticks, options, facts)
        batch = _batch(options, facts)
        keeps = _needs_samples(options, ticks, batch)
        return ticks._replace(knots=((1, batch),)) if keeps else _shortened(ticks, batch)
    options.refuse("step_batch_size_schedule", why="expected lengths in samples beside it")
    ticks = _by_updates(options, facts)
    if ramps is not None:
        return _ramped(_times(ticks, _batch(options, facts)), options, facts)
    if _needs_samples(options, ticks, 1):
        batch = _batch(options, facts)
        return _times(ticks, batch)._replace(knots=((1, batch),))
    return ticks


def _needs_samples(options: Options, ticks: Lengths, batch: int) -> bool:
    """Whether the curve is one of samples: an inverse square root, whose warmup is at least one sample."""
    return bool(options.raw("lr_decay_style") == "inverse-square-root" and ticks.warmup < batch)


def _by_updates(options: Options, facts: Facts) -> Lengths:
    others = ("train_samples", "lr_decay_samples", "lr_warmup_samples", "lr_wsd_decay_samples")
    options.refuse(*others, why="expected lengths in iterations, as train_iters is")
    needed = options.given("train_iters") or facts.run.total is not None or not options.given("lr_decay_iters")
    total = told_total(facts, options, "train_iters") if needed else None
    decay = options.whole("lr_decay_iters", default=total, least=1)
    warmup = _warmup(options, decay, "lr_warmup_iters")
    return Lengths(total, decay, warmup, options.whole("lr_wsd_decay_iters", default=None, least=1), ())


def _by_samples(options: Options, facts: Facts) -> Lengths:
    others = ("lr_decay_iters", "lr_warmup_iters", "lr_wsd_decay_iters")
    options.refuse(*others, why="expected lengths in samples, as train_samples is")
    total = options.whole("train_samples", "wd_incr_steps", default=None, least=1)
    names = ("lr_decay_samples", "lr_decay_steps")
    decay = options.whole(*names, default=total, least=1) if total else options.whole(*names, least=1)
    tail = options.whole("lr_wsd_decay_samples", "wsd_decay_steps", default=None, least=1)
    return Lengths(total, decay, _warmup(options, decay, "lr_warmup_samples", "lr_warmup_steps"), tail, ())


def _warmup(options: Options, decay: int, *names: str) -> Fraction:
    """The warmup, which ends before the decay does."""
    share = options.number("lr_warmup_fraction", default=None, least=0)
    steps = options.number(*names, default=0.0, least=0)
    if share is not None and steps:
        raise options.error(names[0], f"expected lr_warmup_fraction or {names[0]}; got both")
    found = Fraction(repr(share)) * decay if share is not None else Fraction(repr(steps))
    if found >= decay:
        raise options.error(
            "lr_warmup_fraction" if share is not None else names[0],
            f"expected a warmup that ends before the decay does, at {decay}; got {float(found):g}",
        )
    return found


def _batch(options: Options, facts: Facts) -> int:
    """The samples of an update."""
    given = options.whole("global_batch_size", default=None, least=1)
    told = facts.batch_size(default=None)
    if given and told and given != told:
        raise options.error("global_batch_size", f"expected the run's batch_size, {told}, or none; got {given}")
    found: int = given or facts.batch_size()
    return found


def _times(ticks: Lengths, batch: int) -> Lengths:
    total, decay, warmup, tail, _ = ticks
    return Lengths(total and total * batch, decay * batch, warmup * batch, tail and tail * batch, ())


def _shortened(ticks: Lengths, batch: int) -> Lengths:
    """Lengths in updates where all of them are whole ones, else in samples."""
    total, decay, warmup, tail, _ = ticks
    if any(length % batch for length in (total or 0, decay, tail or 0)) or warmup % batch:
        return ticks._replace(knots=((1, batch),))
    return Lengths(total and total // batch, decay // batch, warmup / batch, tail and tail // batch, ())


def _ramped(ticks: Lengths, options: Options, facts: Facts) -> Lengths:
    options.refuse("decrease_batch_size_if_needed", why="expected a batch ramp whose sizes are used as they are")
    sizes = options.wholes("rampup_batch_size")
    batch = _batch(options, facts)
    if len(sizes) != 3 or sizes[1] <= 0 or batch <= sizes[0] or (batch - sizes[0]) % sizes[1]:
        raise options.error(
            "rampup_batch_size", f"expected a first size, an increment that leads to {batch}, and samples; got {sizes}"
        )
    return ticks._replace(knots=equal_increments(sizes[0], sizes[1], sizes[2], batch))


def _stepped(ticks: Lengths, options: Options) -> Lengths:
    options.refuse("decrease_batch_size_if_needed", "global_batch_size", why="expected step_batch_size_schedule alone")
    try:
        sizes = read_steps(options.word("step_batch_size_schedule"), options.whole("seq_length", least=1))
    except ValueError as error:
        if isinstance(error, ScheduleError):
            raise
        problem = "expected places in tokens from 0 on and sizes, such as '0:768 250B:1536'"
        raise options.error(
            "step_batch_size_schedule", f"{problem}; got {options.raw('step_batch_size_schedule')!r}"
        ) from None
    return ticks._replace(knots=steps(sizes))
