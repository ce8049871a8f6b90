"""OLMo's `scheduler`; olmo/optim.py, and olmo/train.py for the lengths.

The trainer counts an update before it asks: update t has f(t + 1). Times are updates, or with `units: tokens` the tokens after
the update.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Clip, Constant, Cosine, InverseTime, Join, Linear, Product, Shift, Sum
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import ahead, check_total, class_name, per_update, risen, tokens_per_update, total_tokens

FOLLOWS = "ai2-olmo 0.6.0"
FACTS = {"lr": "the optimizer's rate, where the file has no optimizer.learning_rate"}


def read(options: Options, facts: Facts) -> Taken:
    """Read a whole YAML, or its `scheduler` alone."""
    whole = any(map(options.given, ("scheduler", "optimizer", "model")))
    own = (options.table("scheduler") if whole else options).own()
    own.ignore("grad_clip_warmup_steps", "grad_clip_warmup_factor")
    if options.flag("reset_optimizer_state") and not options.flag("reset_trainer_state") and options.given("load_path"):
        why = "expected a run that keeps its optimizer's state, for OLMo lays another warmup over the one that goes on"
        raise options.error("reset_optimizer_state", f"{why}; got true")
    kind = class_name(own, "name", known=_RULES) if own.given("name") else "cosine_with_warmup"
    return Taken(_RULES[kind](Parts(own, options, facts)))


class Parts:
    """What the schedulers are made of: the rates, the warmup, and the end of the run, in the scheduler's unit."""

    def __init__(self, own: Options, options: Options, facts: Facts) -> None:
        self.own, self._options, self._facts = own, options, facts
        optimizer = options.first_table("optimizer")
        self.lr: float = facts.lr(optimizer, "learning_rate", "lr")
        self.low: float = self.lr * own.number("alpha_f", default=0.1)

    @cached_property
    def warmup(self) -> int:
        """The warmup, whose fraction of an update or token is cut off."""
        return int(self.own.number("t_warmup", default=100, least=0))

    @cached_property
    def rest(self) -> int:
        """What is left after the warmup; 0 if nothing is."""
        stated = self.own.number("t_max", default=None)
        return max(0, (self._end() if stated is None else int(stated)) - self.warmup)

    def _end(self) -> int:
        """max_steps or max_tokens."""
        unit, value = self._duration()
        if self._amount() == 1:
            return self._updates(unit, value)
        return value if unit == "tokens" else value * self._tokens()

    def _duration(self) -> tuple[str, int]:
        """max_duration: updates, '1ep' or '2e12T'."""
        if not self._options.given("max_duration"):
            tokens = total_tokens(self._facts)
            return ("steps", self._facts.updates()) if tokens is None else ("tokens", tokens)
        text = str(self._options.raw("max_duration")).strip()
        unit, number = ("tokens", text[:-1]) if text.endswith("T") else ("steps", text.removesuffix("ep"))
        value = int(Options({"max_duration": number}, self._options.where()).number("max_duration", above=0))
        value = value * self._facts.updates_per_epoch() if text.endswith("ep") else value
        if self._facts.run.total is not None:
            check_total(self._facts, self._updates(unit, value))
        return unit, value

    def _updates(self, unit: str, value: int) -> int:
        return -(-value // self._tokens()) if unit == "tokens" else value

    def _amount(self) -> int:
        """What one update takes of the scheduler's unit."""
        return self._tokens() if self.own.word("units", default="steps", choices=["steps", "tokens"]) == "tokens" else 1

    def _tokens(self) -> int:
        """The tokens of one update."""
        batch = self._options.whole("global_train_batch_size", default=None, least=1)
        length = self._options.table("model").whole("max_sequence_length", default=None, least=1)
        length = self._options.whole("max_sequence_length", default=None, least=1) if length is None else length
        return tokens_per_update(self._facts, batch, length)

    def warmed(self, body: Schedule) -> Schedule:
        """A warmup from warmup_min_lr, a tenth of the rate by default, and the body; asked after the update is counted."""
        first = self.own.number("warmup_min_lr", default=0.1 * self.lr, least=0)
        if self.warmup and first >= self.lr:
            raise self.own.error(
                "warmup_min_lr", f"expected less than the optimizer's rate, {self.lr:g}; got {first:g}"
            )
        return self.asked(risen(body, self.warmup, first, self.lr))

    def asked(self, schedule: Schedule) -> Schedule:
        """A schedule of the scheduler's unit, per update."""
        return ahead(per_update(schedule, self._amount()))

    def updates(self) -> int:
        """The updates to the end of the curve."""
        return -(-(self.warmup + self.rest) // self._amount())


def _constant(parts: Parts) -> Schedule:
    parts.own.ignore("units", "t_warmup", "t_max", "warmup_min_lr")
    return Constant(parts.lr)


def _constant_warmed(parts: Parts) -> Schedule:
    parts.own.ignore("t_max")
    return parts.warmed(Constant(parts.lr))


def _cosine(parts: Parts) -> Schedule:
    if not parts.rest:
        return parts.warmed(Constant(parts.low))
    return parts.warmed(Cosine(init_value=parts.lr, end_value=parts.low, decay_steps=parts.rest))


def _linear(parts: Parts) -> Schedule:
    if not parts.rest:
        return parts.warmed(Constant(parts.low))
    return parts.warmed(Linear(init_value=parts.lr, end_value=parts.low, decay_steps=parts.rest))


def _envelope(parts: Parts) -> Schedule:
    """A cosine under a line."""
    if not parts.rest:
        return parts.warmed(Constant(parts.low))
    line = Linear(init_value=1.0, end_value=0.0, decay_steps=parts.rest)
    above = Product([line, Cosine(init_value=parts.lr - parts.low, decay_steps=parts.rest)])
    return parts.warmed(Sum([Constant(parts.low), above]) if parts.low else above)


def _inverse_sqrt(parts: Parts) -> Schedule:
    parts.own.ignore("t_max")
    return parts.warmed(_root(parts))


def _root(parts: Parts) -> Schedule:
    """Without a warmup, which is its time constant, the rate is 0."""
    return InverseTime(init_value=parts.lr, decay_steps=parts.warmup, power=0.5) if parts.warmup else Constant(0.0)


def _higher(parts: Parts) -> Schedule:
    """The higher of the cosine and the inverse square root: a join at the updates at which the other one gets ahead."""
    cosine, root = _cosine(parts), parts.warmed(_root(parts))
    steps = range(parts.updates() + 1)
    higher = root.values(steps) > cosine.values(steps)
    boundaries = [int(step) + 1 for step in (higher[1:] != higher[:-1]).nonzero()[0]]
    rows = [root if higher[step] else cosine for step in (0, *boundaries)]
    if higher[-1]:
        rows[-1] = Clip(root, min_value=parts.low)
    parted = [Shift(row, at) if at else row for row, at in zip(rows, (0, *boundaries), strict=True)]
    return Join(parted, boundaries=boundaries) if boundaries else parted[0]


_RULES: dict[str, Callable[[Parts], Schedule]] = {
    "cosine_with_warmup": _cosine,
    "linear_with_warmup": _linear,
    "inverse_sqrt_with_warmup": _inverse_sqrt,
    "max_scheduler": _higher,
    "constant": _constant,
    "cosine_linear_envelope": _envelope,
    "constant_with_warmup": _constant_warmed,
}
