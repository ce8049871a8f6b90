"""The schedulers of three tutorials, each beside its lrcore file: as they are called there, and in which clock.

The book's own classes are asked with the step (0 for the first update or epoch); MXNet's with the number of the update,
one more; PyTorch's count steps.
"""

from __future__ import annotations

from textwrap import dedent
from typing import NamedTuple

from lrcore import Schedule, loads


class Seed(NamedTuple):
    """A scheduler as the tutorial makes it, and the schedule file that trains with the same rates."""

    call: str
    toml: str

    @property
    def schedule(self) -> Schedule:
        schedule = loads(dedent(self.toml))
        assert isinstance(schedule, Schedule)
        return schedule


# Dive into Deep Learning, the chapter on learning-rate scheduling: classes of its own.
BOOK = [
    Seed(
        "SquareRootScheduler(lr=0.1)",
        """
        kind = "inverse_time"
        init_value = 0.1
        power = 0.5
        """,
    ),
    Seed(  # it decays before it gives its first value, which is 2.0 * 0.9
        "FactorScheduler(factor=0.9, stop_factor_lr=1e-2, base_lr=2.0)",
        """
        kind = "clip"
        min_value = 1e-2
        [schedule]
        kind = "exponential"
        init_value = 1.8
        decay_rate = 0.9
        """,
    ),
    Seed(
        "MultiFactorScheduler(step=[15, 30], factor=0.5, base_lr=0.5)",
        """
        kind = "piecewise_constant"
        boundaries = [15, 30]
        values = [0.5, 0.25, 0.125]
        """,
    ),
    Seed(
        "CosineScheduler(max_update=20, base_lr=0.3, final_lr=0.01)",
        """
        kind = "cosine"
        init_value = 0.3
        end_value = 0.01
        decay_steps = 20
        """,
    ),
    Seed(
        "CosineScheduler(20, warmup_steps=5, base_lr=0.3, final_lr=0.01)",
        """
        kind = "cosine"
        init_value = 0.3
        end_value = 0.01
        total_steps = 20
        [warmup]
        steps = 5
        """,
    ),
    Seed(
        'CosineScheduler(20, warmup_steps=5, base_lr=0.5, final_lr=0.01, warmup_begin_lr=0.05, warmup_mode="constant")',
        """
        kind = "cosine"
        init_value = 0.5
        end_value = 0.01
        total_steps = 20
        [warmup]
        steps = 5
        init_value = 0.05
        shape = "constant"
        """,
    ),
    Seed(
        "ConstantScheduler(lr=0.3)",
        """
        kind = "constant"
        value = 0.3
        """,
    ),
]

# The MXNet tutorial; what it asks for update n is the value of lrcore at step n - 1.
MXNET = [
    Seed(
        "FactorScheduler(base_lr=1, step=250, factor=0.5)",
        """
        kind = "clip"
        min_value = 1e-8
        [schedule]
        kind = "exponential"
        init_value = 1.0
        decay_rate = 0.5
        decay_steps = 250
        staircase = true
        """,
    ),
    Seed(
        "MultiFactorScheduler(base_lr=1, step=[250, 750, 900], factor=0.5)",
        """
        kind = "piecewise_constant"
        boundaries = [250, 750, 900]
        values = [1.0, 0.5, 0.25, 0.125]
        """,
    ),
    Seed(
        "PolyScheduler(base_lr=1, final_lr=1e-3, max_update=800, pwr=2)",
        """
        kind = "shift"
        steps = 1
        [schedule]
        kind = "polynomial"
        init_value = 1.0
        end_value = 1e-3
        decay_steps = 800
        power = 2
        """,
    ),
    Seed(
        "CosineScheduler(base_lr=1, final_lr=1e-3, max_update=800)",
        """
        kind = "shift"
        steps = 1
        [schedule]
        kind = "cosine"
        init_value = 1.0
        end_value = 1e-3
        decay_steps = 800
        """,
    ),
    Seed(
        "CosineScheduler(base_lr=1, final_lr=1e-3, max_update=800, warmup_steps=100)",
        """
        kind = "shift"
        steps = 1
        [schedule]
        kind = "cosine"
        init_value = 1.0
        end_value = 1e-3
        total_steps = 800
        [schedule.warmup]
        steps = 100
        """,
    ),
    Seed(
        'PolyScheduler(base_lr=1, max_update=800, warmup_steps=100, warmup_begin_lr=0.1, warmup_mode="constant")',
        """
        kind = "shift"
        steps = 1
        [schedule]
        kind = "polynomial"
        init_value = 1.0
        total_steps = 800
        power = 2
        [schedule.warmup]
        steps = 100
        init_value = 0.1
        shape = "constant"
        """,
    ),
    Seed(  # the clock of the steps does not wait for the warmup, which ends at update 100 and step 99
        "FactorScheduler(base_lr=1, step=250, factor=0.5, warmup_steps=100, warmup_begin_lr=0.1)",
        """
        kind = "join"
        boundaries = [99]
        [[schedules]]
        kind = "shift"
        steps = 1
        schedule = { kind = "linear", init_value = 0.1, end_value = 1.0, decay_steps = 100 }
        [[schedules]]
        kind = "shift"
        steps = 99
        [schedules.schedule]
        kind = "clip"
        min_value = 1e-8
        schedule = { kind = "exponential", init_value = 1.0, decay_rate = 0.5, decay_steps = 250, staircase = true }
        """,
    ),
    Seed(
        "MultiFactorScheduler(base_lr=1, step=[250, 750, 900], factor=0.5, warmup_steps=100, "
        'warmup_begin_lr=0.1, warmup_mode="constant")',
        """
        kind = "piecewise_constant"
        boundaries = [99, 250, 750, 900]
        values = [0.1, 1.0, 0.5, 0.25, 0.125]
        """,
    ),
]

# The PyTorch tutorial, whose optimizer has the rate 0.1; its loop counts epochs.
TORCH = [
    Seed(
        "StepLR(optimizer, step_size=10, gamma=0.1)",
        """
        kind = "exponential"
        init_value = 0.1
        decay_rate = 0.1
        decay_steps = 10
        staircase = true
        """,
    ),
    Seed(
        "MultiStepLR(optimizer, milestones=[15, 25], gamma=0.1)",
        """
        kind = "piecewise_constant"
        boundaries = [15, 25]
        values = [0.1, 0.01, 0.001]
        """,
    ),
    Seed(
        "ExponentialLR(optimizer, gamma=0.95)",
        """
        kind = "exponential"
        init_value = 0.1
        decay_rate = 0.95
        """,
    ),
    Seed(  # it rises again after T_max
        "CosineAnnealingLR(optimizer, T_max=50)",
        """
        kind = "repeat"
        mirror = true
        [schedule]
        kind = "cosine"
        init_value = 0.1
        decay_steps = 50
        """,
    ),
]
