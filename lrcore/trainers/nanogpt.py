"""nanoGPT's variables; get_lr of train.py, which is asked before update t: f(t).

A file of config/ is Python, which is never executed: hand over its variables as a dict, or as flags.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.schedules.kinds import Constant, Cosine, Join, Linear

FOLLOWS = "nanoGPT main 2025-11"
FACTS = {
    "lr": "the peak, where there is no learning_rate",
    "checkout": "the date of the checkout, such as '2023-11': before 2024-12 the warmup begins at 0",
}
_DEFAULTS = {"learning_rate": 6e-4, "warmup_iters": 2_000, "lr_decay_iters": 600_000, "min_lr": 6e-5}


def read(options: Options, facts: Facts) -> Taken:
    """Read the variables; those that are not given have the values of train.py."""
    options.own("lr_", "min_lr", "warmup_", "decay_lr")
    peak = facts.lr(options, "learning_rate", default=_DEFAULTS["learning_rate"])
    missing = [
        name for name in _DEFAULTS if not options.given(name) and not (name == "learning_rate" and facts.given("lr"))
    ]
    if not options.flag("decay_lr", default=True):
        options.ignore("warmup_iters", "lr_decay_iters", "min_lr")
        return Taken(Constant(peak), notes=_notes([name for name in missing if name == "learning_rate"]))
    warmup = options.whole("warmup_iters", default=_DEFAULTS["warmup_iters"])
    steps = options.whole("lr_decay_iters", default=_DEFAULTS["lr_decay_iters"], least=1) - warmup
    floor = options.number("min_lr", default=_DEFAULTS["min_lr"])
    first = 0.0 if str(facts.raw("checkout", default="9999")) < "2024-12" else peak / (warmup + 1)
    if steps > 0:
        decay = Cosine(init_value=peak, end_value=floor, decay_steps=steps)
        return Taken(decay.warmup(warmup, init_value=first), notes=_notes(missing))
    rise = Linear(init_value=first, end_value=peak, decay_steps=warmup)
    return Taken(Join([rise, Constant(floor)], boundaries=[warmup]), notes=_notes(missing))


def _notes(missing: list[str]) -> tuple[str, ...]:
    taken = ", ".join(f"{name} = {_DEFAULTS[name]:g}" for name in missing)
    return (f"Taken from train.py, since they are not given: {taken}.",) if missing else ()
