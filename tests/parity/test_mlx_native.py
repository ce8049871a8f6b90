"""The schedules of MLX and what `from_native` makes of them, in float32 as they run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
import numpy as np
import pytest

import lrcore
import lrcore_mlx
from tests.parity.comparison import Conformance

UPDATES = 120
SINGLE = 3e-6
STEPS = np.arange(UPDATES)

Function = Callable[..., Any]

GRIDS: dict[Function, dict[str, list[Any]]] = {
    optim.exponential_decay: {"init": [0.5, -1.0, 0.0], "decay_rate": [0.0, 0.5, 0.96875, 1, 1.03125]},
    optim.step_decay: {"init": [0.5, -1.0], "decay_rate": [0.0, 0.5, 1.03125], "step_size": [1, 7, 30, 400]},
    optim.cosine_decay: {"init": [0.5, -1], "decay_steps": [1, 60, 37.5, 400], "end": [0.0, 0.125, 0.75]},
    optim.linear_schedule: {"init": [0.5, 0.0, -1], "end": [0.0, 0.125, 1], "steps": [1, 60, 37.5, 400]},
}
CASES = [
    pytest.param(function, dict(zip(grid, values, strict=True)), id=f"{function.__name__}-{number}")
    for function, grid in GRIDS.items()
    for number, values in enumerate(itertools.product(*grid.values()))
]
JOINED: list[tuple[list[tuple[Function, tuple[Any, ...]]], list[int]]] = [
    ([(optim.cosine_decay, (0.5, 40))], []),
    ([(optim.linear_schedule, (0.0, 0.5, 10)), (optim.cosine_decay, (0.5, 60))], [10]),
    ([(optim.linear_schedule, (0.0, 0.5, 10)), (optim.step_decay, (0.5, 0.5, 7)), (optim.cosine_decay, (0.5, 9))], [10, 60]),
    ([(optim.linear_schedule, (0.0, 0.5, 10)), (optim.step_decay, (0.5, 0.5, 7)), (optim.cosine_decay, (0.5, 9))], [60, 10]),
    ([(optim.linear_schedule, (0.0, 0.5, 10)), (optim.exponential_decay, (0.5, 0.5))], [0]),
]  # fmt: skip


def rates(native: Any) -> list[float]:
    """The rate of each update, as an optimizer of MLX has it."""
    optimizer, found = optim.SGD(native), []
    for _ in STEPS:
        optimizer.apply_gradients({"w": mx.array(1.0)}, {"w": mx.array(0.0)})
        found.append(optimizer.learning_rate.item())
    return found


def check(conformance: Conformance, name: str, schedule: lrcore.Schedule, native: Any) -> None:
    conformance.compare(name, schedule, rates(native), tolerance=SINGLE)
    assert lrcore.loads(lrcore.dumps(schedule)) == schedule


@pytest.mark.parametrize(("function", "options"), CASES)
def test_native_and_import_agree(conformance: Conformance, function: Function, options: dict[str, Any]) -> None:
    schedule = lrcore_mlx.from_native(function, **options)
    check(conformance, function.__name__, schedule, function(**options))


@pytest.mark.parametrize(("parts", "boundaries"), JOINED)
def test_joined_schedules_agree(
    conformance: Conformance, parts: list[tuple[Function, tuple[Any, ...]]], boundaries: list[int]
) -> None:
    native = optim.join_schedules([function(*given) for function, given in parts], boundaries)
    ours = [lrcore_mlx.from_native(function, *given) for function, given in parts]
    schedule = lrcore_mlx.from_native(optim.join_schedules, ours, boundaries)
    check(conformance, "join_schedules", schedule, native)


@pytest.mark.parametrize(
    ("native", "given", "message"),
    [
        (optim.cosine_decay(0.5, 9), (), r"expected one of exponential_decay, .*with its arguments; got <function"),
        (optim.cosine_decay, (0.5,), r"cosine_decay\): expected arguments that MLX takes; missing"),
        (optim.join_schedules, ([optim.cosine_decay(0.5, 9)], [3]), r"expected arguments that MLX takes; Received 1"),
    ],
)
def test_what_cannot_be_taken_is_refused(native: Any, given: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_mlx.from_native(native, *given)


def test_a_state_of_mlx_gives_its_step() -> None:
    optimizer = optim.Adam(optim.cosine_decay(0.5, 9))
    for _ in range(3):
        optimizer.apply_gradients({"w": mx.array(1.0)}, {"w": mx.array(0.0)})
    assert lrcore_mlx.native_step(optimizer) == 3
