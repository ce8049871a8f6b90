"""The scheduler in static programs and in functions that to_static compiles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

import lrcore
from lrcore_paddle import LRScheduler
from tests.adapters.paddle_runs import (
    OTHER,
    SCHEDULE,
    float32,
    new_weight,
)
from tests.kinds import UPDATES


@pytest.fixture
def static() -> Iterator[None]:
    paddle.enable_static()
    try:
        yield
    finally:
        paddle.disable_static()


@pytest.mark.usefixtures("static")
@pytest.mark.filterwarnings("ignore:Tensor do not have 'place'")  # Paddle itself reads it
def test_a_static_program_moves_the_weights_by_the_schedule() -> None:
    main, start = paddle.static.Program(), paddle.static.Program()
    scheduler = LRScheduler(SCHEDULE)
    with paddle.static.program_guard(main, start):
        zero = paddle.nn.initializer.Constant(0.0)
        whole = paddle.static.create_parameter([1], "float32", default_initializer=zero)
        half = paddle.static.create_parameter(
            [1], "float32", attr=paddle.ParamAttr(learning_rate=0.5), default_initializer=zero
        )
        data = paddle.static.data("data", [1], "float32")
        paddle.optimizer.SGD(scheduler).minimize((whole * data + half * data).sum())
    executor = paddle.static.Executor()
    executor.run(start)
    right = np.zeros((2, 1), dtype=np.float32)
    for step in range(UPDATES):
        weights = executor.run(main, feed={"data": np.ones(1, "float32")}, fetch_list=[whole, half])
        rate = np.float32(SCHEDULE(step))
        right -= [[rate], [rate * np.float32(0.5)]]
        assert (np.array(weights) == right).all()
        scheduler.step()


def static_run(updates: int, path: str, *, load: bool = False) -> list[float]:
    """Train a static program, save it at the end, and return the weight after each update; `load` resumes from `path`."""
    main, start = paddle.static.Program(), paddle.static.Program()
    scheduler = LRScheduler(SCHEDULE)
    with paddle.utils.unique_name.guard(), paddle.static.program_guard(main, start):
        weight = paddle.static.create_parameter([1], "float32", name="weight")
        paddle.optimizer.Adam(scheduler).minimize((weight * paddle.static.data("data", [1], "float32")).sum())
    executor = paddle.static.Executor()
    executor.run(start)
    if load:
        paddle.static.load(main, path, executor)
        scheduler.set_state_dict(paddle.load(path + ".scheduler"))  # type: ignore[arg-type]
    found = []
    for _ in range(updates):
        [weights] = executor.run(main, feed={"data": np.ones(1, "float32")}, fetch_list=[weight])
        found.append(weights.item())
        scheduler.step()
    paddle.static.save(main, path)
    paddle.save(scheduler.state_dict(), path + ".scheduler")
    return found


@pytest.mark.usefixtures("static")
@pytest.mark.filterwarnings("ignore:Tensor do not have 'place'")
@pytest.mark.parametrize("made", [1, 9, 25])
def test_a_static_program_resumes_after_any_update(made: int, tmp_path: Path) -> None:
    path = str(tmp_path / "run")
    paddle.seed(1)
    whole = static_run(30, path)
    paddle.seed(1)
    assert static_run(made, path) == whole[:made]
    assert static_run(30 - made, path, load=True) == whole[made:]


@pytest.mark.usefixtures("static")
def test_a_list_is_refused_in_a_static_program() -> None:
    with pytest.raises(lrcore.ScheduleError, match="needs dynamic mode; got a static program; make one optimizer for"):
        LRScheduler([OTHER, OTHER])


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("count", [1, 2])
def test_a_training_step_that_to_static_compiles_uses_the_schedule(count: int, inside: bool) -> None:
    # Paddle imports modules in the first step of a process, which fails under pytest while a function is traced.
    paddle.optimizer.SGD(0.1, parameters=[new_weight()]).step()
    schedules = [SCHEDULE, SCHEDULE * 0.1][:count]
    scheduler = LRScheduler(schedules)
    weights = [new_weight() for _ in schedules]
    optimizer = paddle.optimizer.SGD(
        scheduler,
        parameters=[
            {"params": [weight], "learning_rate": rate} for weight, rate in zip(weights, scheduler.groups, strict=True)
        ],
    )

    @paddle.jit.to_static(full_graph=False)
    def update(data: Any) -> Any:
        loss = paddle.add_n([weight * data for weight in weights])
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        if inside:
            scheduler.step()
        return loss

    for step in range(20):
        for weight in weights:
            weight.set_value(paddle.zeros([]))
        update(paddle.ones([]))
        if not inside:
            scheduler.step()
        assert [0.0 - weight.item() for weight in weights] == [float32(one(step)) for one in schedules]
