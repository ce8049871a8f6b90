"""t5x's `create_learning_rate_scheduler` of t5x/utils.py: a product of named factors, asked with the updates already made.

`rsqrt_decay` is 1 / sqrt(max(t, warmup_steps)): the rate is flat for `warmup_steps`, which are no warmup there. The rate is never
below `min_learning_rate`, not even at update 0 of a warmup. All factors go on past the end of the run.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.hints import did_you_mean
from lrcore.schedules.kinds import Clip, Constant, Cosine, Exponential, Interpolate, Join, Linear, Repeat
from lrcore.schedules.schedule import Schedule
from lrcore.trainers.idioms import inverse_sqrt, product, waiting

FOLLOWS = "t5x main cc342d4 (2026-04-21)"
FACTS = {"lr": "base_learning_rate, where the configuration has none"}

_PLACES = (
    "gin.utils.create_learning_rate_scheduler",
    "utils.create_learning_rate_scheduler",
    "create_learning_rate_scheduler",
    "gin.trainer.Trainer.learning_rate_fn",
    "trainer.Trainer.learning_rate_fn",
    "learning_rate_fn",
)


def read(options: Options, facts: Facts) -> Taken:
    """Read the arguments of create_learning_rate_scheduler: a dict, or flags: --gin.utils.create_learning_rate_scheduler.factors=..."""
    given = options.first_table(*_PLACES).own()
    given.ignore("name", "_target_")
    names = given.word("factors", default="constant * linear_warmup * rsqrt_decay").strip("'\"").split("*")
    factors = [_factor(name.strip(), given, facts) for name in names]
    least = given.number("min_learning_rate", default=1e-8, least=0.0)
    return Taken(waiting(Clip(product(factors), min_value=least), given.whole("step_offset", default=0)))


def _factor(name: str, given: Options, facts: Facts) -> Schedule:
    known = ["constant", *_FACTORS]
    if name not in known:
        problem = f"expected factors out of {', '.join(known)}; got {name!r}{did_you_mean(name, known)}"
        raise given.error("factors", problem)
    if name not in ("constant", "linear_decay"):
        return _FACTORS[name](given)
    base = Constant(facts.lr(given, "base_learning_rate", default=0.5))
    return base if name == "constant" else product([base, _linear_decay(given)])


def _warmup_steps(given: Options) -> int:
    """A length of at least 1: with 0 t5x divides by it, and the rate of its first update is no number."""
    steps: int = given.whole("warmup_steps", default=1000, least=1)
    return steps


def _linear_warmup(given: Options) -> Schedule:
    return Linear(init_value=0.0, end_value=1.0, decay_steps=_warmup_steps(given))


def _linear_decay(given: Options) -> Schedule:
    """A warmup, then a fall by `decay_factor` in each update."""
    slope = given.number("decay_factor", default=0.5, least=0.0)
    fall = Interpolate(boundaries=[0, 1 / slope], values=[1.0, 0.0]) if slope else Constant(1.0)
    return Join([_linear_warmup(given), fall], boundaries=[_warmup_steps(given)])


def _rsqrt_normalized_decay(given: Options) -> Schedule:
    steps = _warmup_steps(given)
    return waiting(inverse_sqrt(1.0, steps), steps)


def _rsqrt_decay(given: Options) -> Schedule:
    steps = _warmup_steps(given)
    return waiting(inverse_sqrt(steps**-0.5, steps), steps)


def _decay_every(given: Options) -> Schedule:
    factor = given.number("decay_factor", default=0.5)
    steps = given.whole("steps_per_decay", default=20_000, least=1)
    return Exponential(init_value=1.0, decay_rate=factor, decay_steps=steps, staircase=True)


def _cosine_decay(given: Options) -> Schedule:
    """Cosines to 0 from the end of the warmup on, each of which begins at the top again."""
    cycle = Cosine(init_value=1.0, decay_steps=given.whole("steps_per_cycle", default=100_000, least=1))
    return waiting(Repeat(cycle), given.whole("warmup_steps", default=1000))


_FACTORS = {
    "linear_warmup": _linear_warmup,
    "linear_decay": _linear_decay,
    "rsqrt_decay": _rsqrt_decay,
    "rsqrt_normalized_decay": _rsqrt_normalized_decay,
    "decay_every": _decay_every,
    "cosine_decay": _cosine_decay,
}
