"""The scheduler and its callback in `Model.fit`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import paddle
import pytest

import lrcore
from lrcore_paddle import LRScheduler, LRSchedulerCallback
from tests.adapters.paddle_runs import (
    DYADIC,
    LOSSES,
    PLATEAU,
    SCHEDULE,
    Network,
    Rates,
    Run,
    expected,
    fit,
    train_on_plateau,
)

# Paddle warns of its own data loader.
pytestmark = pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning")


@pytest.mark.parametrize("callbacks", [[], [paddle.callbacks.LRScheduler()], [LRSchedulerCallback()]])
def test_model_fit_uses_the_next_rate_in_each_update(callbacks: list[Any]) -> None:
    scheduler = LRScheduler(DYADIC)
    assert fit(scheduler, 20, *callbacks, epochs=2) == expected(DYADIC, 0, 40)
    assert scheduler.last_epoch == 40


@pytest.mark.parametrize("callback", [paddle.callbacks.LRScheduler, LRSchedulerCallback])
def test_model_fit_may_step_once_per_epoch(callback: Any) -> None:
    moved = fit(LRScheduler(DYADIC), 3, callback(by_step=False, by_epoch=True), epochs=4)
    assert moved == [DYADIC(step // 3) for step in range(12)]


def test_paddles_own_callback_runs_too_fast_with_accumulation() -> None:
    scheduler = LRScheduler(DYADIC)
    with pytest.warns(
        UserWarning, match="one update of 2 batches .* runs 2 times too fast; give fit callbacks"
    ) as caught:
        fit(scheduler, 8, epochs=1, accumulate_grad_batches=2)
    assert len(caught) == 1
    assert scheduler.last_epoch == 8, "Paddle counts updates now: LRSchedulerCallback is no longer needed"


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_with_accumulation_the_callback_steps_once_per_update(every: int) -> None:
    scheduler = LRScheduler(DYADIC)
    # The last update of an epoch of seven batches has fewer batches. An update moves the weight by the sum of its gradients.
    moved = fit(scheduler, 7, LRSchedulerCallback(), epochs=2, accumulate_grad_batches=every)
    sizes = [min(every, 7 - first) for first in range(0, 7, every)] * 2
    assert [one for one in moved if one] == [size * DYADIC(update) for update, size in enumerate(sizes)]
    assert scheduler.last_epoch == len(sizes)


@pytest.mark.parametrize("batches", [2, 5, 7, 9, 14])
def test_an_accumulation_that_num_iters_cuts_short_is_no_update(batches: int) -> None:
    scheduler = LRScheduler(DYADIC)
    moved = fit(scheduler, 7, LRSchedulerCallback(), num_iters=batches, accumulate_grad_batches=2)
    assert scheduler.last_epoch == sum(one > 0 for one in moved)


def test_a_second_callback_that_steps_is_warned_of_once() -> None:
    with pytest.warns(
        UserWarning, match="left at step 1 after the batch before and is at 2 now: .* leave one"
    ) as caught:
        fit(LRScheduler(DYADIC), 8, LRSchedulerCallback(), paddle.callbacks.LRScheduler(), epochs=1)
    assert len(caught) == 1


def test_a_callback_that_has_nothing_to_step_is_warned_of_once() -> None:
    callback = LRSchedulerCallback()
    with pytest.warns(
        UserWarning, match="learning_rate is a scheduler; got a SGD without one, so there is nothing to step"
    ):
        fit(0.5, 4, callback)
    fit(0.5, 4, callback)


def test_model_fit_resumes_in_mid_epoch(tmp_path: Path) -> None:
    class Interrupt(paddle.callbacks.Callback):
        def on_train_batch_end(self, step: int, logs: Any = None) -> None:
            if step == 6:
                raise KeyboardInterrupt

    def train(batches: int, *callbacks: Any, load: bool = False) -> Any:
        names, path = paddle.base.unique_name.UniqueNameGenerator(), str(tmp_path / "model")
        with paddle.utils.unique_name.guard(names):
            model = paddle.Model(Network())
            optimizer = paddle.optimizer.Momentum(LRScheduler(SCHEDULE), parameters=model.parameters())
            model.prepare(optimizer, lambda out, _: out)
            if load:
                model.load(path)
            data = paddle.io.TensorDataset([paddle.ones([batches, 1]), paddle.ones([batches, 1])])
            try:
                model.fit(data, batch_size=1, verbose=0, callbacks=[LRSchedulerCallback(), *callbacks])
            except KeyboardInterrupt:
                model.save(path)
        return model.network.weight.item()

    whole = train(20)
    assert train(20, Interrupt()) != whole
    assert train(13, load=True) == whole


def test_model_load_restores_the_step_and_the_scale_of_a_plateau(tmp_path: Path) -> None:
    def prepared() -> tuple[Any, LRScheduler]:
        scheduler = LRScheduler(PLATEAU)
        with paddle.utils.unique_name.guard():
            model = paddle.Model(Network())
            model.prepare(paddle.optimizer.Adam(scheduler, parameters=model.parameters()), lambda out, _: out)
        return model, scheduler

    model, scheduler = prepared()
    for _ in range(12):
        model.train_batch([paddle.ones([1, 1])], [paddle.ones([1, 1])])
        scheduler.step()
        scheduler.report(0.7)
    model.save(str(tmp_path / "model"))
    scale = scheduler.plateau_state.scale if scheduler.plateau_state else 1.0
    assert scale < 1
    model, scheduler = prepared()
    model.load(str(tmp_path / "model"))
    assert (scheduler.last_epoch, scheduler.last_lr) == (12, SCHEDULE(12) * scale)


# --- plateaus ---------------------------------------------------------------------------------------------------------


class Losses(paddle.metric.Metric):
    """A metric whose value is the next of LOSSES after each evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.left = list(LOSSES)

    def name(self) -> str:
        return "error"

    def reset(self) -> None:
        pass

    def update(self, *args: Any) -> None:
        pass

    def accumulate(self) -> float:
        return self.left[0]


class NextLoss(paddle.callbacks.Callback):
    def __init__(self, losses: Losses) -> None:
        super().__init__()
        self.losses = losses

    def on_eval_end(self, logs: Any = None) -> None:
        self.losses.left.pop(0)


def fit_on_plateau(scheduler: LRScheduler, *callbacks: Any) -> list[float]:
    network, losses = Network(), Losses()
    model = paddle.Model(network)
    model.prepare(paddle.optimizer.SGD(scheduler, parameters=network.parameters()), lambda out, _: out, losses)
    data = paddle.io.TensorDataset([paddle.ones([6, 1]), paddle.ones([6, 1])])
    rates = Rates()
    model.fit(data, data, 1, len(LOSSES), verbose=0, callbacks=[*callbacks, rates, NextLoss(losses)])
    return rates.found


def test_model_fit_tells_a_plateau() -> None:
    right = train_on_plateau(Run(LRScheduler(PLATEAU)))
    assert fit_on_plateau(LRScheduler(PLATEAU), LRSchedulerCallback(monitor="error")) == right
    with pytest.warns(
        UserWarning, match="expected 'accuracy' among what was evaluated; got .*error.*; the plateau was"
    ):
        found = fit_on_plateau(LRScheduler(PLATEAU), LRSchedulerCallback(monitor="accuracy"))
    assert found == expected(SCHEDULE)
    assert fit_on_plateau(LRScheduler(SCHEDULE), LRSchedulerCallback(monitor="accuracy")) == expected(SCHEDULE)


@pytest.mark.parametrize("callbacks", [[], [LRSchedulerCallback()]])
@pytest.mark.parametrize("every", [1, 4])
def test_a_fit_that_tells_a_plateau_nothing_says_so_after_the_first_epoch(callbacks: list[Any], every: int) -> None:
    class Epochs(paddle.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            found.append(len(caught))

    found: list[int] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", "lrcore_paddle.LRScheduler: .* told no metric")
        scheduler = LRScheduler(PLATEAU)
        for _ in range(2):
            fit(scheduler, 6, *callbacks, Epochs(), epochs=3, accumulate_grad_batches=every)
    assert found == [0, 0, 1, 1, 1, 1]
    assert "Model.fit made an epoch and the plateau was told no metric" in str(caught[0].message)


def test_a_plateau_that_was_told_in_a_fit_is_not_warned_of_after_another_state_is_loaded() -> None:
    scheduler = LRScheduler(PLATEAU)
    fit(scheduler, 6, LRSchedulerCallback(), epochs=1)
    scheduler.report(0.5)
    scheduler.load_state_dict(lrcore.save_state(90, PLATEAU, PLATEAU.initial().to_dict()))
    scheduler.step()
    assert scheduler.last_epoch == 91


def test_a_plateau_that_another_callback_tells_is_not_warned_of() -> None:
    class Report(paddle.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            scheduler.report(LOSSES[epoch])

    scheduler = LRScheduler(PLATEAU)
    assert fit(scheduler, 6, Report(), epochs=len(LOSSES)) == train_on_plateau(Run(LRScheduler(PLATEAU)))
