"""NeMo's `optim.sched`; nemo/core/optim/lr_scheduler.py, and modelPT.py for the lengths.

Update t has f(t). The warmup of most classes rises from L / (W + 1) at update 0 to L at update W; after update max_steps the
rate is min_lr.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import (
    Clip,
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    Join,
    Linear,
    Polynomial,
    Shift,
)
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.recipes import cyclic, polynomial_cycle
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, check_total, class_name, late, per_epoch

FOLLOWS = "nemo-toolkit 3.0.0"
FACTS = {"lr": "the optimizer's rate, where the file has no optim.lr"}


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole YAML, its `optim`, or its `optim.sched` alone."""
    found = options.first_table("model.optim.sched", "optim.sched", "sched")
    sched = _flat(found, options).own()
    name = class_name(sched, "name", "_target_", known=_RULES, suffix="Params")
    sched.ignore("monitor", "reduce_on_plateau", "last_epoch", "t_num_workers", "interval", "frequency")
    parts = Parts(sched, options, facts)
    taken = _RULES[name](parts)
    left = sched.unused() if sched is not found else []
    notes = [f"Not used: {', '.join(left)}."] if left else []
    return replace(taken, notes=(*taken.notes, *parts.notes, *notes))


def _flat(sched: Options, root: Options) -> Options:
    """The options of an old `args: {name: auto, params: {...}}` beside the others."""
    args = sched.table("args")
    if not sched.given("args"):
        return sched
    inner = {name: args.raw(name) for name in args if name not in ("name", "params")}
    params = args.table("params")
    outer = {name: sched.raw(name) for name in sched if name != "args"}
    return Options({**outer, **inner, **{name: params.raw(name) for name in params}}, sched.where(), root=root)


class Parts:
    """What the classes are made of: the rate, the warmup, what follows it, and the end of the run."""

    def __init__(self, sched: Options, options: Options, facts: Facts) -> None:
        self.sched, self._options, self._facts = sched, options, facts
        self.notes: tuple[str, ...] = ()

    @property
    def lr(self) -> float:
        """The optimizer's rate."""
        rate: float = self._facts.lr(self._options.first_table("model.optim", "optim"), "lr")
        return rate

    def floor(self, default: float = 0.0) -> float:
        """min_lr, the rate after max_steps."""
        found: float = self.sched.number("min_lr", default=default)
        return found

    # --- lengths ----------------------------------------------------------------------------------------------------

    def steps(self, name: str, ratio: str) -> int | None:
        """A length as it is given, or a share of max_steps that is cut to a whole number."""
        if self.sched.given(name) and self.sched.given(ratio):
            raise self.sched.error(name, f"expected {name} or {ratio}; got both")
        if self.sched.given(ratio):
            return int(self.sched.number(ratio, least=0) * self.total())
        found: int | None = self.sched.whole(name, default=None)
        return found

    def warmup(self) -> int:
        """The updates of the warmup."""
        return self.steps("warmup_steps", "warmup_ratio") or 0

    def total(self) -> int:
        """max_steps: of the trainer if it has some, or the scheduler's own, or that of all epochs."""
        trainer = self._options.table("trainer")
        found = trainer.whole("max_steps", default=-1, least=-1)
        own = self.sched.whole("max_steps", default=None, least=-1)
        if found >= 0 and own not in (None, found):
            self.notes = (f"The trainer's max_steps, {found}, is used in place of the scheduler's, {own}.",)
        found = own if found < 0 else found
        if found is None and (self.sched.given("t_max_epochs") or trainer.given("max_epochs")):
            found = self._of_epochs(trainer)
        self.sched.ignore(*_EPOCHS)
        if found is None or found < 0:
            told: int | None = self._facts.updates(default=None)
            if told is None and found == -1:
                raise self.sched.error("max_steps", "expected the run's updates, for with -1 NeMo makes no scheduler")
            return int(self._facts.updates())
        check_total(self._facts, found)
        return int(found)

    def updates_per_epoch(self) -> int:
        """The updates of one epoch."""
        return self._facts.updates_per_epoch()

    def _of_epochs(self, trainer: Options) -> int:
        epochs = self.sched.whole("t_max_epochs", default=None)
        epochs = trainer.whole("max_epochs") if epochs is None else epochs
        accumulate = self.sched.whole("t_accumulate_grad_batches", default=None, least=1)
        accumulate = (
            trainer.whole("accumulate_grad_batches", default=None, least=1) if accumulate is None else accumulate
        )
        limit = self.sched.raw("t_limit_train_batches", default=trainer.raw("limit_train_batches", default=1.0))
        if limit == 1.0 and not isinstance(limit, int):
            return int(epochs * self._facts.updates_per_epoch(accumulate))
        if self._facts.run.batches_per_epoch is None:
            raise trainer.error(
                "limit_train_batches", f"expected the run's batches_per_epoch, of which it is a part; got {limit}"
            )
        batches = self._facts.run.batches_per_epoch
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * float(limit))
        return int(epochs * math.ceil(batches / (accumulate or self._facts.run.accumulate or 1)))

    # --- parts ------------------------------------------------------------------------------------------------------

    def after_warmup(self, body: Schedule, begun: int = 0) -> Schedule:
        """A warmup, and what follows it.

        Args:
            body: what follows; its step 0 is the warmup's last update, W.
            begun: how many updates of the body are over then, where its clock runs from elsewhere.
        """
        lr, steps = self.lr, self.warmup()
        if not steps:
            return body
        first = lr / (steps + 1)
        if not begun and body(0) == lr:
            return body.warmup(steps, init_value=first)
        rise = Constant(lr).warmup(steps, init_value=first)
        return Join([rise, Shift(body, begun + 1)], boundaries=[steps + 1])

    def ended(self, schedule: Schedule, default: float = 0.0) -> Schedule:
        """min_lr after update max_steps, or after a warmup that is longer."""
        end, floor = max(self.total(), self.warmup()) + 1, self.floor(default)
        if schedule.length is not None and schedule.length <= end and schedule(end) == floor:
            return schedule
        return Join([schedule, Constant(floor)], boundaries=[end])

    def held(self, body: Callable[[int], Schedule]) -> Schedule:
        """A warmup, the rate held, and what follows; without hold_steps what follows runs from update 0 on, under the warmup.

        Args:
            body: makes what follows, of the updates from its own beginning to max_steps.
        """
        warmup, hold = self.warmup(), self.steps("hold_steps", "hold_ratio")
        if hold is None:
            rest = self.total()
            return self.after_warmup(body(rest) if rest > 0 else Constant(self.lr), begun=warmup)
        rest = self.total() - warmup - hold
        fall = body(rest) if rest > 0 else Constant(self.lr)
        return self.after_warmup(Join([Constant(self.lr), fall], boundaries=[hold]) if hold else fall)

    def check_falls(self) -> None:
        """Refuse a rate below min_lr, as NeMo does."""
        if self.lr < self.floor():
            raise self.sched.error(
                "min_lr", f"expected at most the optimizer's rate, {self.lr:g}; got {self.floor():g}"
            )


_EPOCHS = "t_max_epochs", "t_accumulate_grad_batches", "t_limit_train_batches"


# --- warmup, then a curve to max_steps --------------------------------------------------------------------------------


def _annealing(curve: Callable[[Parts, int], Schedule], default: float = 0.0) -> Callable[[Parts], Taken]:
    """The rule of a class that has a warmup and then a curve of max_steps - W updates."""

    def rule(parts: Parts) -> Taken:
        rest = parts.total() - parts.warmup()
        body = curve(parts, rest) if rest > 0 else Constant(parts.lr)
        return Taken(parts.ended(parts.after_warmup(body), default))

    return rule


def _constant(parts: Parts, _rest: int) -> Schedule:
    return Constant(parts.lr)


def _linear(parts: Parts, rest: int) -> Schedule:
    return Linear(init_value=parts.lr, end_value=parts.floor(), decay_steps=rest)


def _square(parts: Parts, rest: int) -> Schedule:
    return Clip(Polynomial(init_value=parts.lr, decay_steps=rest, power=2), min_value=parts.floor(1e-5))


def _inverse_sqrt(parts: Parts, _rest: int) -> Schedule:
    return InverseTime(init_value=parts.lr, decay_steps=parts.warmup() + 1, power=0.5)


def _polynomial(parts: Parts, rest: int) -> Schedule:
    """A polynomial; `cycle` would start it again after max_steps, where min_lr holds."""
    parts.sched.ignore("cycle")
    return _power(parts, rest)


def _power(parts: Parts, steps: int) -> Schedule:
    power = parts.sched.number("power", default=1.0, least=0)
    if not power:
        return Constant(parts.lr)
    return Polynomial(init_value=parts.lr, end_value=parts.floor(), decay_steps=steps, power=power)


def _square_root(parts: Parts) -> Taken:
    """The root counts from update 0, so that the rate jumps after the warmup."""
    total, floor = parts.total(), parts.floor()
    body = Clip(Polynomial(init_value=parts.lr, decay_steps=max(total, 1), power=0.5), min_value=floor)
    return Taken(parts.ended(parts.after_warmup(body, begun=parts.warmup())))


def _cosine(parts: Parts) -> Taken:
    """With constant_steps, min_lr holds in the last ones, and the warmup rises from 0."""
    parts.check_falls()
    lr, floor, warmup = parts.lr, parts.floor(), parts.warmup()
    constant = parts.steps("constant_steps", "constant_ratio") or 0
    steps = parts.total() - warmup - constant
    if steps <= 0 and not warmup and constant:
        raise parts.sched.error("constant_steps", f"expected fewer than max_steps, {parts.total()}; got {constant}")
    body = Cosine(init_value=lr, end_value=floor, decay_steps=steps) if steps > 0 else Constant(lr)
    if not constant:
        return Taken(parts.ended(parts.after_warmup(body)))
    rise = body.warmup(warmup)
    return Taken(rise if steps > 0 else Join([rise, Constant(floor)], boundaries=[warmup + 1]))


# --- warmup, hold, then a curve ---------------------------------------------------------------------------------------


def _holding(curve: Callable[[Parts, int], Schedule]) -> Callable[[Parts], Taken]:
    """The rule of a class that holds the rate between the warmup and a curve."""

    def rule(parts: Parts) -> Taken:
        hold = parts.steps("hold_steps", "hold_ratio") or 0
        schedule = parts.held(lambda steps: curve(parts, steps))
        end = max(parts.total() + 1, parts.warmup() + max(hold, 1))
        return Taken(
            Join([schedule, Constant(parts.floor())], boundaries=[end]) if _goes_on(parts, schedule, end) else schedule
        )

    return rule


def _goes_on(parts: Parts, schedule: Schedule, end: int) -> bool:
    return schedule.length is None or schedule.length > end or schedule(end) != parts.floor()


def _one_minus_sqrt(parts: Parts, steps: int) -> Schedule:
    fall = Constant(parts.lr).cooldown(steps, start=0, shape="1-sqrt")
    return Clip(fall, min_value=parts.floor()) if parts.floor() else fall


def _noam_hold(parts: Parts) -> Taken:
    """The fall goes on from where the hold ends, whose updates do not count."""
    warmup, hold = parts.warmup(), parts.steps("hold_steps", "hold_ratio") or 0
    power, lr, floor = parts.sched.number("decay_rate", default=0.5), parts.lr, parts.floor()
    if not warmup:
        raise parts.sched.error(
            "warmup_steps", "expected a warmup, without which NeMo refuses NoamHoldAnnealing; got none"
        )
    fall: Schedule = InverseTime(init_value=lr, decay_steps=warmup, power=power) if power > 0 else Constant(lr)
    fall = Clip(fall, min_value=floor) if floor else fall
    body = Join([Constant(lr), fall], boundaries=[hold]) if hold else fall
    end = max(parts.total() + 1, warmup + max(hold, 1))
    return Taken(Join([parts.after_warmup(body), Constant(floor)], boundaries=[end]))


def _polynomial_hold(parts: Parts) -> Taken:
    """Without hold_steps the polynomial runs from update 0 on, but over max_steps - W updates."""
    if parts.steps("hold_steps", "hold_ratio") is not None:
        parts.sched.ignore("cycle")
        return _holding(_power)(parts)
    steps, power = parts.total() - parts.warmup(), parts.sched.number("power", default=1.0, least=0)
    body = _power(parts, steps) if steps > 0 else Constant(parts.lr)
    if parts.sched.flag("cycle") and power and steps > 0:
        body = polynomial_cycle(init_value=parts.lr, end_value=parts.floor(), decay_steps=steps, power=power)
    return Taken(parts.ended(parts.after_warmup(body, begun=parts.warmup())))


# --- inverse square roots of their own --------------------------------------------------------------------------------


def _noam(parts: Parts) -> Taken:
    """Update 0 has the value of update 1. It goes on after max_steps; min_lr holds after the warmup only."""
    parts.check_falls()
    warmup, floor = parts.warmup(), parts.floor()
    scale = parts.lr * parts.sched.number("d_model", above=0) ** -0.5
    parts.sched.ignore("max_steps", *_EPOCHS)
    if not warmup:
        fall: Schedule = InverseTime(init_value=scale, power=0.5)
        return Taken(late(Clip(fall, min_value=floor) if floor else fall))
    top = scale * warmup**-0.5
    fall = InverseTime(init_value=top, decay_steps=warmup, power=0.5)
    rise = Constant(top).warmup(warmup)
    if floor > top:
        return Taken(late(ahead(Join([rise, Constant(floor)], boundaries=[warmup + 1]))))
    return Taken(late(ahead((Clip(fall, min_value=floor) if floor else fall).warmup(warmup))))


def _t5(parts: Parts) -> Taken:
    constant, end = parts.sched.whole("constant_steps", least=1), parts.total() + 1
    parts.sched.refuse("constant_ratio", why="expected constant_steps, without which NeMo's class fails")
    level = constant**-0.5
    fall = InverseTime(init_value=level, decay_steps=constant, power=0.5)
    schedule = Join([Constant(level), fall, Constant(parts.floor())], boundaries=[constant, max(end, constant + 1)])
    return Taken(schedule, notes=("T5InverseSquareRootAnnealing does not use the optimizer's rate.",))


# --- torch's classes --------------------------------------------------------------------------------------------------


def _step(parts: Parts) -> Taken:
    gamma, size = parts.sched.number("gamma", default=0.1), parts.sched.whole("step_size", least=1)
    return Taken(Exponential(init_value=parts.lr, decay_rate=gamma, decay_steps=size, staircase=True))


def _exponential(parts: Parts) -> Taken:
    """The one class, with the plateau, that is stepped per epoch."""
    per = Exponential(init_value=parts.lr, decay_rate=parts.sched.number("gamma", default=0.9))
    return Taken(per_epoch(per, parts.updates_per_epoch()))


def _plateau(parts: Parts) -> Taken:
    sched, lr = parts.sched, parts.lr
    sched.ignore("verbose")
    threshold = sched.number("threshold", default=1e-4)
    relative = sched.word("threshold_mode", default="rel", choices=["rel", "abs"]) == "rel"
    plateau = Plateau(
        Constant(lr),
        factor=sched.number("factor", default=0.1, least=0),
        patience=sched.whole("patience", default=10),
        mode=sched.word("mode", default="min", choices=["min", "max"]),
        rtol=threshold if relative else 0.0,
        atol=0.0 if relative else threshold,
        cooldown=sched.whole("cooldown", default=0),
        min_scale=min(max(parts.floor() / lr, 0.0), 1.0),
        eps=sched.number("eps", default=1e-8) / lr,
        arithmetic="torch",
    )
    return Taken(plateau, notes=("Report the monitored metric once after each epoch's validation.",))


def _cyclic(parts: Parts) -> Taken:
    sched = parts.sched
    up = sched.whole("step_size_up", default=2000, least=1)
    shape: dict[str, Any] = {
        "up_steps": up,
        "down_steps": sched.whole("step_size_down", default=up),
        "mode": sched.word("mode", default="triangular", choices=["triangular", "triangular2", "exp_range"]),
    }
    if shape["mode"] == "exp_range":
        shape["gamma"] = sched.number("gamma", default=1.0)
    sched.ignore("scale_mode")
    schedule = cyclic(base_value=sched.number("base_lr"), peak_value=sched.number("max_lr"), **shape)
    if not sched.flag("cycle_momentum", default=True):
        return Taken(schedule)
    low, high = sched.number("base_momentum", default=0.8), sched.number("max_momentum", default=0.9)
    return Taken(schedule, also={"momentum": cyclic(base_value=high, peak_value=low, **shape)})


_RULES: dict[str, Callable[[Parts], Taken]] = {
    "WarmupPolicy": _annealing(_constant),
    "WarmupHoldPolicy": _holding(_constant),
    "SquareAnnealing": _annealing(_square, default=1e-5),
    "CosineAnnealing": _cosine,
    "NoamAnnealing": _noam,
    "NoamHoldAnnealing": _noam_hold,
    "WarmupHoldAnnealOneMinusSquareRoot": _holding(_one_minus_sqrt),
    "WarmupHoldAnnealLinear": _holding(_linear),
    "WarmupAnnealing": _annealing(_linear),
    "InverseSquareRootAnnealing": _annealing(_inverse_sqrt),
    "T5InverseSquareRootAnnealing": _t5,
    "SquareRootAnnealing": _square_root,
    "PolynomialDecayAnnealing": _annealing(_polynomial),
    "PolynomialHoldDecayAnnealing": _polynomial_hold,
    "StepLR": _step,
    "ExponentialLR": _exponential,
    "ReduceLROnPlateau": _plateau,
    "CyclicLR": _cyclic,
}
