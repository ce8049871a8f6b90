"""Mixed precision, whose loss scaling skips updates."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import paddle
import pytest

from lrcore_paddle import LRScheduler, LRSchedulerCallback
from tests.adapters.paddle_runs import (
    DYADIC,
    SCHEDULE,
    Run,
    expected,
    fit,
    float32,
)


@pytest.mark.filterwarnings("ignore:.* can only be enabled on CUDAPlace")  # on a CPU they have no effect
def test_mixed_precision_uses_the_schedule() -> None:
    run, scaler = Run(LRScheduler(SCHEDULE)), paddle.amp.GradScaler()
    for step in range(20):
        run.weight.set_value(paddle.zeros([]))
        with paddle.amp.auto_cast(dtype="bfloat16"):
            loss = run.weight * 1.0
        scaler.scale(loss).backward()
        scaler.step(run.optimizer)
        scaler.update()
        run.optimizer.clear_grad()
        run.scheduler.step()
        assert 0.0 - run.weight.item() == float32(SCHEDULE(step))


@pytest.fixture
def scaler(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A GradScaler that is enabled on a CPU too, where Paddle disables it."""
    place = SimpleNamespace(is_gpu_place=lambda: True)
    with monkeypatch.context() as patched:
        patched.setattr("paddle.amp.grad_scaler._dygraph_tracer", lambda: SimpleNamespace(_expected_place=place))
        # A scale that is never lowered: lowering it raises an error with this numpy.
        scaler = paddle.amp.GradScaler(decr_every_n_nan_or_inf=100)
    monkeypatch.setattr(paddle.amp.grad_scaler.amp_global_state(), "amp_dtype", "float16")
    assert scaler.is_enable()
    return scaler


@pytest.mark.parametrize("optimizer", [paddle.optimizer.SGD, paddle.optimizer.Momentum, paddle.optimizer.AdamW])
def test_an_update_that_loss_scaling_skips_is_not_counted(scaler: Any, optimizer: Any) -> None:
    whole = Run(LRScheduler(SCHEDULE), optimizer).weights(18)
    run = Run(LRScheduler(SCHEDULE), optimizer)
    found = []
    for batch in range(20):
        before = run.weight.item()
        scaler.scale(run.weight * (float("inf") if batch in (3, 11) else 1.0)).backward()
        with paddle.utils.unique_name.guard(run.names):
            scaler.step(run.optimizer)
        scaler.update()
        run.optimizer.clear_grad()
        if scaler.state_dict()["decr_count"] == 0:
            run.scheduler.step()
            found.append(run.weight.item())
        else:
            assert run.weight.item() == before
    assert found == whole


def test_the_callback_does_not_count_an_update_that_loss_scaling_skips(
    scaler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paddle.amp, "auto_cast", lambda **_: nullcontext())

    class Overflow(paddle.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            model: Any = self.model
            model._adapter._amp_level, model._scaler = "O1", scaler

        def on_train_batch_begin(self, step: int, logs: Any = None) -> None:
            scaler._scale = paddle.to_tensor([float("inf") if step in (1, 4) else 2.0])

    scheduler = LRScheduler(DYADIC)
    moved = fit(scheduler, 8, LRSchedulerCallback(), Overflow(), epochs=1)
    assert moved == [*expected(DYADIC, 0, 1), 0.0, *expected(DYADIC, 1, 3), 0.0, *expected(DYADIC, 3, 6)]
    assert scheduler.last_epoch == 6
