"""Tests of the Paddle adapter that measure the weights: with SGD and gradient 1 a weight moves by the learning rate."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import paddle
import pytest

import lrcore
from lrcore_paddle import LRScheduler, LRSchedulerCallback
from tests.kinds import KINDS, UPDATES
from tests.processes import free_port, run_together

SCHEDULE = KINDS["cosine"]
OTHER = lrcore.Constant(0.25)
PLATEAU = lrcore.Plateau(SCHEDULE, factor=0.5, patience=1)
LOSSES = [0.9, 0.8, 0.85, 0.81, 0.82, 0.7, 0.75, 0.74, 0.73, 0.72]  # one report after every six updates
COUNT: Any = np.int64(40)  # the count of a trainer that counts with numpy

# Paddle's own code causes these warnings.
pytestmark = [
    pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:paddle"),
]


def falling(step: int) -> float:
    """A user's schedule function that can be pickled."""
    return 0.1 / (step + 3)


def float32(value: float) -> float:
    return float(np.float32(value))


def expected(schedule: lrcore.Schedule, first: int = 0, last: int = UPDATES) -> list[float]:
    return [float32(schedule(step)) for step in range(first, last)]


def new_weight() -> Any:
    return paddle.create_parameter([], "float32", default_initializer=paddle.nn.initializer.Constant(0.0))


class Run:
    """A weight trained with gradient 1. Every run has the same parameter names, as runs in several processes have."""

    def __init__(self, scheduler: Any, optimizer: Any = paddle.optimizer.SGD, **options: Any) -> None:
        self.scheduler = scheduler
        self.names = paddle.base.unique_name.UniqueNameGenerator()
        with paddle.utils.unique_name.guard(self.names):
            self.weight = new_weight()
            self.optimizer = optimizer(scheduler, parameters=[self.weight], **options)

    def update(self) -> None:
        (self.weight * 1.0).backward()
        with paddle.utils.unique_name.guard(self.names):
            self.optimizer.step()
        self.optimizer.clear_grad()

    def weights(self, count: int) -> list[float]:
        """Make `count` updates and return the weight after each."""
        found = []
        for _ in range(count):
            self.update()
            found.append(self.weight.item())
            self.scheduler.step()
        return found

    def rates(self, count: int) -> list[float]:
        """Make `count` updates and return the learning rate of each: the weight is set to 0 and moves by minus the rate."""
        found = []
        for _ in range(count):
            self.weight.set_value(paddle.zeros([]))
            found.append(0.0 - self.weights(1)[0])
        return found


def in_new_process(function: Any, *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


# --- the rate of each update ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_update_uses_the_schedule(kind: str) -> None:
    assert Run(LRScheduler(KINDS[kind])).rates(UPDATES) == expected(KINDS[kind])


def test_a_python_function_is_a_schedule() -> None:
    assert Run(LRScheduler(falling)).rates(20) == expected(lrcore.Function(falling), 0, 20)


def test_rates_of_any_size() -> None:
    values = np.exp(np.random.default_rng(1).uniform(-80, 0, 400)).tolist()
    schedule = lrcore.PiecewiseConstant(boundaries=range(1, 400), values=values)
    assert Run(LRScheduler(schedule)).rates(400) == [float32(value) for value in values]


@pytest.mark.parametrize("optimizer", [paddle.optimizer.Momentum, paddle.optimizer.Adam, paddle.optimizer.AdamW])
def test_other_optimizers_hold_the_rate(optimizer: Any) -> None:
    run = Run(LRScheduler(SCHEDULE), optimizer)
    for step in range(20):
        run.update()
        assert run.optimizer._global_learning_rate().item() == float32(SCHEDULE(step))
        run.scheduler.step()


def test_float64_holds_the_schedule_to_the_last_bit() -> None:
    paddle.set_default_dtype("float64")
    try:
        run = Run(LRScheduler(SCHEDULE))
        run.update()
        run.scheduler.step()
        assert run.optimizer._global_learning_rate().item() == SCHEDULE(0)
        assert LRScheduler([OTHER, OTHER]).groups[1].dtype == paddle.float64  # type: ignore[union-attr]
    finally:
        paddle.set_default_dtype("float32")


def test_reading_is_pure_and_gives_python_floats() -> None:
    run = Run(LRScheduler(SCHEDULE))
    run.weights(9)
    for _ in range(3):
        for read in (run.scheduler.get_lr, run.scheduler, run.optimizer.get_lr):
            assert type(read()) is float
            assert read() == SCHEDULE(9)
    assert run.rates(20) == expected(SCHEDULE, 9, 29)


def test_last_epoch_step_and_sync_set_the_step() -> None:
    for made in range(UPDATES):
        assert LRScheduler(SCHEDULE, last_epoch=made - 1).last_lr == SCHEDULE(made)
    run = Run(LRScheduler(SCHEDULE, last_epoch=9))
    assert run.rates(3) == expected(SCHEDULE, 10, 13)
    for jump in (run.scheduler.step, run.scheduler.sync):
        with pytest.warns(match="taken as 40 updates") if jump == run.scheduler.step else nullcontext():
            jump(COUNT)
        assert type(run.scheduler.last_epoch) is int
        assert run.rates(3) == expected(SCHEDULE, 40, 43)
    run.scheduler.sync()
    assert run.rates(3) == expected(SCHEDULE, 43, 46)


def test_the_first_rate_is_paddles_base_lr_unless_it_is_negative() -> None:
    assert LRScheduler(OTHER).base_lr == 0.25
    assert LRScheduler(lrcore.Constant(-0.25)).base_lr == 0.0
    assert Run(LRScheduler(lrcore.Constant(-0.25))).rates(3) == [-0.25] * 3


def test_a_base_rate_set_by_hand_is_refused() -> None:
    run = Run(LRScheduler(OTHER))
    with pytest.raises(
        lrcore.ScheduleError, match=r"base_lr: expected 0\.25, .*; got 0\.5; give optimizer.set_lr_scheduler"
    ):
        run.scheduler.base_lr = 0.5
    run.scheduler.base_lr = 0.25
    assert run.rates(3) == [0.25] * 3


def test_a_loop_that_knows_paddles_schedulers_by_their_module() -> None:
    """Dive into Deep Learning trains so."""
    run, moved = Run(LRScheduler(SCHEDULE)), []
    for epoch in range(20):
        run.weight.set_value(paddle.zeros([]))
        run.update()
        moved.append(0.0 - run.weight.item())
        if run.scheduler.__module__ == paddle.optimizer.lr.__name__:
            run.scheduler.step()
        else:
            run.optimizer.set_lr(run.scheduler(epoch))
    assert moved == expected(SCHEDULE, 0, 20)
    assert type(pickle.loads(pickle.dumps(run.scheduler))) is LRScheduler


def test_verbose_prints_each_rate(capsys: pytest.CaptureFixture[str]) -> None:
    LRScheduler(OTHER, verbose=True).step()
    assert capsys.readouterr().out == (
        "Epoch 0: LRScheduler set learning rate to 0.25.\nEpoch 1: LRScheduler set learning rate to 0.25.\n"
    )


def test_a_step_that_is_given_is_warned_of_once() -> None:
    scheduler = LRScheduler(OTHER)
    with pytest.warns(
        UserWarning, match=r"step\(7\) is taken as 7 updates already made; call step\(\) .* or sync\(7\) if"
    ):
        scheduler.step(7)
    scheduler.step(8)
    assert scheduler.last_epoch == 8


@pytest.mark.parametrize("loss", [0.7, 37.0, paddle.to_tensor(0.7), paddle.to_tensor([37.0])])
@pytest.mark.parametrize("schedule", [OTHER, PLATEAU])
def test_a_loss_is_no_step(loss: Any, schedule: Any) -> None:
    scheduler = LRScheduler(schedule, last_epoch=8)
    advice = r"; a plateau is told its metric by report\(metric\)" if schedule is PLATEAU else ""
    with pytest.raises(
        lrcore.ScheduleError, match=r"(?s)LRScheduler.step: expected an integer >= 0, .*; got .*" + advice
    ):
        scheduler.step(loss)
    assert scheduler.last_epoch == 9
    with pytest.warns(UserWarning, match=r"step\(37\) is taken as 37 updates already made" + advice):
        scheduler.step(37)


def test_inside_a_native_warmup() -> None:
    ours = LRScheduler(SCHEDULE)
    run = Run(paddle.optimizer.lr.LinearWarmup(ours, warmup_steps=5, start_lr=0.0, end_lr=0.1))
    assert run.rates(25)[5:] == expected(SCHEDULE, 0, 20)


# --- static programs and to_static ------------------------------------------------------------------------------------


@pytest.fixture
def static() -> Iterator[None]:
    paddle.enable_static()
    try:
        yield
    finally:
        paddle.disable_static()


@pytest.mark.usefixtures("static")
@pytest.mark.filterwarnings("ignore:Tensor do not have 'place'")  # Paddle itself reads it
def test_a_static_program() -> None:
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
def test_a_static_program_is_interrupted_and_resumed(made: int, tmp_path: Path) -> None:
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


@pytest.mark.parametrize("count", [1, 2])
def test_a_whole_step_in_to_static(count: int) -> None:
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
        return loss

    for step in range(20):
        for weight in weights:
            weight.set_value(paddle.zeros([]))
        update(paddle.ones([]))
        scheduler.step()
        assert [0.0 - weight.item() for weight in weights] == [float32(one(step)) for one in schedules]


# --- Model.fit --------------------------------------------------------------------------------------------------------


class Rates(paddle.callbacks.Callback):
    """A callback that records the rate of each batch: it sets the weight to 0 before, and the weight moves by minus the rate."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[float] = []

    def on_train_batch_begin(self, step: int, logs: Any = None) -> None:
        model: Any = self.model
        model.network.weight.set_value(paddle.zeros([]))

    def on_train_batch_end(self, step: int, logs: Any = None) -> None:
        model: Any = self.model
        self.found.append(0.0 - model.network.weight.item())


class Network(paddle.nn.Layer):
    """A network of one weight with gradient 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = new_weight()

    def forward(self, data: Any) -> Any:
        return self.weight * data.sum()


def fit(scheduler: Any, batches: int, *callbacks: Any, **options: Any) -> list[float]:
    """Train with `Model.fit` and return how far each batch moved the weight."""
    network, rates = Network(), Rates()
    model = paddle.Model(network)
    model.prepare(paddle.optimizer.SGD(scheduler, parameters=network.parameters()), lambda out, _: out)
    data = paddle.io.TensorDataset([paddle.ones([batches, 1]), paddle.ones([batches, 1])])
    model.fit(data, batch_size=1, verbose=0, callbacks=[*callbacks, rates], **options)
    return rates.found


DYADIC = lrcore.Linear(init_value=1.0, decay_steps=64)  # float32 holds its values and their sums exactly


@pytest.mark.parametrize("callbacks", [[], [paddle.callbacks.LRScheduler()], [LRSchedulerCallback()]])
def test_model_fit_by_step(callbacks: list[Any]) -> None:
    scheduler = LRScheduler(DYADIC)
    assert fit(scheduler, 20, *callbacks, epochs=2) == expected(DYADIC, 0, 40)
    assert scheduler.last_epoch == 40


@pytest.mark.parametrize("callback", [paddle.callbacks.LRScheduler, LRSchedulerCallback])
def test_model_fit_by_epoch(callback: Any) -> None:
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
def test_model_fit_with_accumulation(every: int) -> None:
    scheduler = LRScheduler(DYADIC)
    # The last update of an epoch of seven batches has fewer batches. An update moves the weight by the sum of its gradients.
    moved = fit(scheduler, 7, LRSchedulerCallback(), epochs=2, accumulate_grad_batches=every)
    sizes = [min(every, 7 - first) for first in range(0, 7, every)] * 2
    assert [one for one in moved if one] == [size * DYADIC(update) for update, size in enumerate(sizes)]
    assert scheduler.last_epoch == len(sizes)


@pytest.mark.parametrize("batches", [2, 5, 7, 9, 14])
def test_model_fit_with_accumulation_that_is_cut_short(batches: int) -> None:
    scheduler = LRScheduler(DYADIC)
    moved = fit(scheduler, 7, LRSchedulerCallback(), num_iters=batches, accumulate_grad_batches=2)
    assert scheduler.last_epoch == sum(one > 0 for one in moved)


def test_something_else_that_steps_is_warned_of_once() -> None:
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


def test_model_fit_goes_on_in_mid_epoch(tmp_path: Path) -> None:
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


def test_model_save_and_load(tmp_path: Path) -> None:
    def prepared() -> tuple[Any, LRScheduler]:
        scheduler = LRScheduler(SCHEDULE)
        with paddle.utils.unique_name.guard():
            model = paddle.Model(Network())
            model.prepare(paddle.optimizer.Adam(scheduler, parameters=model.parameters()), lambda out, _: out)
        return model, scheduler

    model, scheduler = prepared()
    for _ in range(12):
        model.train_batch([paddle.ones([1, 1])], [paddle.ones([1, 1])])
        scheduler.step()
    model.save(str(tmp_path / "model"))
    model, scheduler = prepared()
    model.load(str(tmp_path / "model"))
    assert (scheduler.last_epoch, scheduler.last_lr) == (12, SCHEDULE(12))


# --- mixed precision and several processes ----------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.* can only be enabled on CUDAPlace")  # on a CPU they have no effect
def test_mixed_precision() -> None:
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
def test_an_update_that_loss_scaling_skips_is_none(scaler: Any, optimizer: Any) -> None:
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


def test_model_fit_with_loss_scaling(scaler: Any, monkeypatch: pytest.MonkeyPatch) -> None:
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


def train_in_parallel(folder: Path) -> None:
    """Train in one of two processes, which average their gradients, and report a metric of its own after each second update."""
    paddle.distributed.init_parallel_env()
    rank = paddle.distributed.get_rank()
    network, scheduler = Network(), LRScheduler(PLATEAU)
    parallel = paddle.DataParallel(network)
    optimizer = paddle.optimizer.SGD(scheduler, parameters=parallel.parameters())
    found = []
    for update in range(16):
        network.weight.set_value(paddle.zeros([]))
        parallel(paddle.full([1], 2.0 * rank)).backward()  # the gradient is 0 in process 0 and 2 in process 1
        optimizer.step()
        optimizer.clear_grad()
        scheduler.step()
        found.append(0.0 - network.weight.item())
        if update % 2:  # the mean of what the two report is the loss
            scheduler.report(LOSSES[update // 2] + (0.5 if rank else -0.5))
    state, right = PLATEAU.initial(), []
    for update in range(16):
        right.append(float32(PLATEAU.value(update, state)))
        if update % 2:
            state = PLATEAU.update(state, LOSSES[update // 2])
    assert state.scale < 1
    assert found == right, found
    # A process that exits first breaks the other's connection, so wait for both. A normal exit may abort in Paddle's threads.
    Path(folder, f"done {rank}").touch()
    while len(list(folder.glob("done *"))) < paddle.distributed.get_world_size():
        time.sleep(0.01)
    os._exit(0)


def test_two_processes_have_the_same_rates(tmp_path: Path) -> None:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    code = "from tests.adapters import test_paddle_adapter as t; t.train_in_parallel(t.Path(sys.argv[1]))"
    environments = [
        {
            "PADDLE_DISTRI_BACKEND": "gloo",
            "PADDLE_TRAINER_ID": str(rank),
            "PADDLE_TRAINERS_NUM": "2",
            "PADDLE_TRAINER_ENDPOINTS": ",".join(addresses),
            "PADDLE_CURRENT_ENDPOINT": address,
            "PADDLE_MASTER": addresses[0],
        }
        for rank, address in enumerate(addresses)
    ]
    run_together(code, environments, str(tmp_path))


# --- groups -----------------------------------------------------------------------------------------------------------


def test_a_groups_learning_rate_multiplies() -> None:
    scheduler, weights = LRScheduler(SCHEDULE), [new_weight(), new_weight(), new_weight()]
    groups: list[Any] = [
        {"params": [weights[0]]},
        {"params": [weights[1]], "learning_rate": 0.1},
        {"params": [weights[2]], "learning_rate": 0.0},
    ]
    optimizer = paddle.optimizer.SGD(scheduler, parameters=groups)
    for step in range(UPDATES):
        for weight in weights:
            weight.set_value(paddle.zeros([]))
        paddle.add_n(weights).backward()
        optimizer.step()
        optimizer.clear_grad()
        scheduler.step()
        rate = np.float32(SCHEDULE(step))
        assert [0.0 - weight.item() for weight in weights] == [rate, rate * np.float32(0.1), 0.0]


class GroupsRun:
    """A run of several parameter groups, each of one weight with its own schedule."""

    def __init__(self, *schedules: Any, optimizer: Any = paddle.optimizer.SGD, **options: Any) -> None:
        self.scheduler = LRScheduler(schedules, **options)
        with paddle.utils.unique_name.guard():
            self.weights = [new_weight() for _ in schedules]
            groups: Any = [
                {"params": [weight], "learning_rate": rate}
                for weight, rate in zip(self.weights, self.scheduler.groups, strict=True)
            ]
            self.optimizer = optimizer(self.scheduler, parameters=groups)

    def rates(self, count: int) -> list[list[float]]:
        found = []
        for _ in range(count):
            for weight in self.weights:
                weight.set_value(paddle.zeros([]))
            paddle.add_n(self.weights).backward()
            self.optimizer.step()
            self.optimizer.clear_grad()
            self.scheduler.step()
            found.append([0.0 - weight.item() for weight in self.weights])
        return found


GROUPS = [SCHEDULE, OTHER, lrcore.Function(falling)]


def expected_of_groups(first: int, last: int) -> list[list[float]]:
    return [[float32(schedule(step)) for schedule in GROUPS] for step in range(first, last)]


def test_each_group_has_its_own_schedule() -> None:
    assert GroupsRun(*GROUPS).rates(UPDATES) == expected_of_groups(0, UPDATES)


@pytest.mark.parametrize(
    "optimizer", ["Momentum", "Adam", "AdamW", "Adamax", "Adagrad", "RMSProp", "Lamb", "NAdam", "RAdam"]
)
def test_a_group_is_updated_as_by_an_optimizer_of_its_own(optimizer: str) -> None:
    schedules = [lrcore.Linear(init_value=0.5, end_value=0.1, decay_steps=30), OTHER]
    groups = GroupsRun(*schedules, optimizer=getattr(paddle.optimizer, optimizer))
    for _ in range(12):
        paddle.add_n(groups.weights).backward()
        groups.optimizer.step()
        groups.optimizer.clear_grad()
        groups.scheduler.step()
    alone = [Run(LRScheduler(one), getattr(paddle.optimizer, optimizer)).weights(12)[-1] for one in schedules]
    assert [weight.item() for weight in groups.weights] == alone


def test_schedules_that_reach_no_group_are_warned_of_once() -> None:
    first, second = new_weight(), new_weight()
    scheduler = LRScheduler([SCHEDULE, OTHER, OTHER])
    groups: Any = [{"params": [first]}, {"params": [second], "learning_rate": scheduler.groups[1]}]
    optimizer = paddle.optimizer.SGD(scheduler, parameters=groups)
    paddle.add_n([first, second]).backward()
    optimizer.step()
    with pytest.warns(UserWarning, match=r"got no use of groups\[2\], so these schedules have no effect; write"):
        scheduler.step()
    scheduler.step()
    with pytest.warns(UserWarning, match=r"got no use of groups\[1\], groups\[2\], so"):
        LRScheduler([SCHEDULE, OTHER, OTHER]).step()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_of_a_list_leaves_the_rates_of_the_original_alone(copied: Any) -> None:
    run = GroupsRun(*GROUPS)
    run.rates(3)
    other = copied(run.scheduler)
    other.sync(40)
    assert [float(rate) for rate in other.groups[1:]] == [float32(one(40)) for one in GROUPS[1:]]
    assert run.rates(3) == expected_of_groups(3, 6)


def test_a_copy_of_an_optimizer_has_the_groups_of_its_own_scheduler() -> None:
    run = GroupsRun(*GROUPS)  # Paddle can copy no optimizer that has made an update
    other = copy.deepcopy(run)
    other.scheduler.sync(40)
    assert run.rates(3) == expected_of_groups(0, 3)
    assert other.rates(3) == expected_of_groups(40, 43)


def test_groups_are_saved_and_resumed(tmp_path: Path) -> None:
    path = str(tmp_path / "optimizer")
    run = GroupsRun(*GROUPS)
    run.rates(20)
    paddle.save(run.optimizer.state_dict(), path)
    run = GroupsRun(*GROUPS)
    run.optimizer.set_state_dict(paddle.load(path))
    assert run.rates(20) == expected_of_groups(20, 40)
    state = run.scheduler.state_dict()
    run.scheduler.sync(3)
    assert run.rates(2) == expected_of_groups(3, 5)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        LRScheduler([SCHEDULE, OTHER]).set_state_dict(state)
    fewer = LRScheduler([SCHEDULE, OTHER]).state_dict()
    with pytest.raises(lrcore.ScheduleError, match=r"expected a state of one schedule, as configured; got \[Cosine"):
        LRScheduler(SCHEDULE, on_mismatch="keep_checkpoint").set_state_dict(fewer)
    with pytest.raises(lrcore.ScheduleError, match="expected a state of 3 schedules, as configured; got one of 2"):
        LRScheduler(GROUPS, on_mismatch="keep_checkpoint").set_state_dict(fewer)


# --- states -----------------------------------------------------------------------------------------------------------


def finish(folder: Path, schedule: Any, optimizer: str) -> list[list[float]]:
    """In a new process, load the checkpoint of each update but the last and train to the end; return the weights of each run."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for made in range(1, UPDATES):
            run = Run(LRScheduler(schedule), getattr(paddle.optimizer, optimizer))
            saved: Any = paddle.load(str(folder / str(made)))
            run.weight.set_value(saved["weight"])
            run.optimizer.set_state_dict(saved["optimizer"])
            found.append(run.weights(UPDATES - made))
    return found


@pytest.mark.parametrize(
    ("optimizer", "schedule"),
    [
        ("AdamW", SCHEDULE),
        ("Momentum", lrcore.Function(falling)),
        ("SGD", SCHEDULE),
        ("Lamb", SCHEDULE),
    ],
)
def test_interrupted_after_any_update(optimizer: str, schedule: Any, tmp_path: Path) -> None:
    run = Run(LRScheduler(schedule), getattr(paddle.optimizer, optimizer))
    whole = []
    for made in range(1, UPDATES + 1):
        whole += run.weights(1)
        paddle.save({"weight": run.weight, "optimizer": run.optimizer.state_dict()}, str(tmp_path / str(made)))
    rests = in_new_process(finish, tmp_path, schedule, optimizer)
    assert rests == [whole[made:] for made in range(1, UPDATES)]


def finish_without_states(states: list[Any], weights: list[float]) -> list[list[float]]:
    """Resume as `finish` does, with a stateless optimizer: a checkpoint is the weight and the scheduler's state."""
    found = []
    for made, state in enumerate(states[:-1], 1):
        run = Run(LRScheduler(SCHEDULE))
        run.weight.set_value(paddle.to_tensor(weights[made - 1]))
        run.scheduler.set_state_dict(state)
        found.append(run.weights(UPDATES - made))
    return found


def test_interrupted_after_any_update_without_the_optimizers_state() -> None:
    run = Run(LRScheduler(SCHEDULE))
    whole, states = [], []
    for _ in range(UPDATES):
        whole += run.weights(1)
        states.append(run.scheduler.state_dict())
    rests = in_new_process(finish_without_states, json.loads(json.dumps(states)), whole)
    assert rests == [whole[made:] for made in range(1, UPDATES)]


def test_the_state_is_that_of_every_adapter_and_paddles_keys() -> None:
    run = Run(LRScheduler(SCHEDULE))
    run.weights(12)
    state = run.scheduler.state_dict()
    assert state == {**lrcore.save_state(12, SCHEDULE), "last_epoch": 12, "last_lr": SCHEDULE(12)}
    assert state == json.loads(json.dumps(state))


@pytest.mark.parametrize("count", [1, 2])
def test_a_state_may_be_loaded_before_the_optimizer_is_made(count: int) -> None:
    schedules = [SCHEDULE, OTHER][:count]
    scheduler = LRScheduler(schedules)
    scheduler.set_state_dict(lrcore.save_state(9, schedules))
    weights = [new_weight() for _ in schedules]
    groups: Any = [
        {"params": [one], "learning_rate": rate} for one, rate in zip(weights, scheduler.groups, strict=True)
    ]
    optimizer = paddle.optimizer.SGD(scheduler, parameters=groups)
    paddle.add_n(weights).backward()
    optimizer.step()
    assert [0.0 - weight.item() for weight in weights] == [float32(schedule(9)) for schedule in schedules]


@pytest.mark.parametrize("load", ["set_state_dict", "set_dict", "load_state_dict"])
def test_a_state_of_another_adapter_is_continued(load: str) -> None:
    for made in range(0, UPDATES, 7):
        run = Run(LRScheduler(SCHEDULE))
        run.weights(5)
        for _ in range(2):  # a second load changes nothing
            getattr(run.scheduler, load)(lrcore.save_state(made, SCHEDULE))
        assert run.rates(3) == expected(SCHEDULE, made, made + 3)


def test_another_schedule_is_an_error_that_names_the_first_difference() -> None:
    scheduler = LRScheduler(OTHER)
    with pytest.raises(
        lrcore.ScheduleError, match=r"LRScheduler: the saved schedule is not .* at step 0 it gives 0\.0 "
    ):
        scheduler.set_state_dict(LRScheduler(SCHEDULE).state_dict())


def test_another_schedule_is_kept_from_the_checkpoint() -> None:
    run = Run(LRScheduler(OTHER, on_mismatch="keep_checkpoint"))
    run.scheduler.set_state_dict(lrcore.save_state(20, SCHEDULE))
    assert run.rates(10) == expected(SCHEDULE, 20, 30)


def test_another_schedule_from_the_configuration_is_used_at_once() -> None:
    saved = Run(LRScheduler(SCHEDULE))
    saved.weights(20)
    run = Run(LRScheduler(OTHER, on_mismatch="use_config"))
    run.optimizer.set_state_dict(saved.optimizer.state_dict())
    assert run.optimizer.get_lr() == 0.25
    assert run.rates(3) == [0.25] * 3
    assert run.scheduler.last_epoch == 23


NATIVE = paddle.optimizer.lr.ExponentialDecay(0.1, 0.5)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (None, "expected a state saved by lrcore"),
        (NATIVE.state_dict(), "this is the state of a native scheduler"),
        ({**lrcore.save_state(3, SCHEDULE), "step": -1}, "step: expected an integer >= 0, .*; got -1"),
        (lrcore.save_state(3, OTHER), "the saved schedule is not the configured one"),
    ],
)
def test_a_state_that_cannot_be_used_changes_nothing(state: Any, problem: str) -> None:
    run = Run(LRScheduler(SCHEDULE))
    run.weights(10)
    before = run.scheduler.state_dict()
    with pytest.raises(lrcore.ScheduleError, match=problem):
        run.scheduler.set_state_dict(state)
    assert run.scheduler.state_dict() == before
    assert run.rates(5) == expected(SCHEDULE, 10, 15)


def test_a_state_of_schedules_by_name_cannot_be_kept() -> None:
    scheduler = LRScheduler(SCHEDULE, on_mismatch="keep_checkpoint")
    with pytest.raises(lrcore.ScheduleError, match=r"expected a state of one schedule, .* got \{'lr': Cosine"):
        scheduler.set_state_dict(lrcore.save_state(3, {"lr": SCHEDULE, "momentum": OTHER}))
    assert scheduler.state_dict() == LRScheduler(SCHEDULE).state_dict()


def test_a_native_scheduler_can_read_the_state() -> None:
    state = LRScheduler(SCHEDULE, last_epoch=11).state_dict()
    with pytest.warns(UserWarning, match="unused values"):
        NATIVE.set_state_dict(state)  # type: ignore[arg-type]
    assert (NATIVE.last_epoch, NATIVE.last_lr) == (12, SCHEDULE(12))


def test_copies() -> None:
    for schedule in (SCHEDULE, lrcore.Function(falling), PLATEAU, [SCHEDULE, OTHER]):
        scheduler = LRScheduler(schedule, last_epoch=8)
        for one in (copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))):
            with pytest.warns(UserWarning, match="got no use of") if isinstance(schedule, list) else nullcontext():
                one.step()
            assert one.last_epoch == 10
            assert len(one.groups) == len(scheduler.groups)
        assert scheduler.last_epoch == 9


# --- other writers ----------------------------------------------------------------------------------------------------


def test_set_lr_is_refused_and_another_scheduler_is_not() -> None:
    run = Run(LRScheduler(SCHEDULE))
    run.weights(20)
    with pytest.raises(RuntimeError, match="can't be LRScheduler"):
        run.optimizer.set_lr(0.5)
    run.scheduler = LRScheduler(OTHER, last_epoch=19)
    run.optimizer.set_lr_scheduler(run.scheduler)
    assert run.rates(3) == [0.25] * 3
    run = Run(0.5)
    run.scheduler = LRScheduler(SCHEDULE)
    run.optimizer.set_lr_scheduler(run.scheduler)
    assert run.rates(3) == expected(SCHEDULE, 0, 3)


def test_a_hand_on_the_rate_is_warned_of_once_and_overruled() -> None:
    run = Run(LRScheduler(OTHER))
    run.scheduler.last_lr = 0.5
    with pytest.warns(UserWarning, match=r"last_lr was set to 0\.5 where the schedule had written 0\.25"):
        run.weights(1)
    assert run.rates(3) == [0.25] * 3
    run.scheduler.last_lr = 0.7
    assert run.rates(3) == [float32(0.7), 0.25, 0.25]


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "0.1", None])
def test_a_function_that_fails_changes_nothing_and_the_run_can_go_on(wrong: Any) -> None:
    broken = [True]
    run = Run(LRScheduler(lambda step: wrong if step == 5 and broken else SCHEDULE(step)))
    run.weights(4)
    run.update()
    before = run.scheduler.state_dict()
    with pytest.raises(lrcore.ScheduleError, match="expected a finite number at step 5"):
        run.scheduler.step()
    assert run.scheduler.state_dict() == before
    broken.clear()
    run.scheduler.step()
    assert run.rates(10) == expected(SCHEDULE, 5, 15)


@pytest.mark.filterwarnings("ignore:.* got no use of groups")  # the optimizer has no groups
@pytest.mark.parametrize("failing", [1, 2, 7])
@pytest.mark.parametrize(
    "form", [lrcore.Function, lambda rate: [OTHER, rate], lambda rate: lrcore.Plateau(lrcore.Function(rate))]
)
def test_a_function_that_raises_changes_nothing_in_any_way_to_step(form: Any, failing: int) -> None:
    broken: list[bool] = []

    def rate(step: int) -> float:
        if step == failing and broken:
            raise ZeroDivisionError
        return SCHEDULE(step)

    # "use_config" accepts a state although the function gives other values.
    run = Run(LRScheduler(form(rate), on_mismatch="use_config"))
    run.weights(failing - 1)
    scheduler = run.scheduler
    before = scheduler.state_dict(), run.optimizer.get_lr(), [float(one) for one in scheduler.groups]
    broken.append(True)
    for step in (
        scheduler.step,
        lambda: scheduler.sync(failing),
        lambda: scheduler.set_state_dict({**scheduler.state_dict(), "step": failing}),
    ):
        with pytest.raises(ZeroDivisionError):
            step()
        assert (scheduler.state_dict(), run.optimizer.get_lr(), [float(one) for one in scheduler.groups]) == before


def test_arguments_that_cannot_be_used() -> None:
    with pytest.raises(
        lrcore.ScheduleError, match="expected one of error, keep_checkpoint, use_config, same_past; got 'raise'"
    ):
        LRScheduler(SCHEDULE, on_mismatch="raise")  # type: ignore[arg-type]
    with pytest.raises(
        lrcore.ScheduleError, match=r"LRScheduler\.schedule: expected a lrcore schedule, a function .*; got 0\.1"
    ):
        LRScheduler(0.1)  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match="expected one schedule for each parameter group; got none"):
        LRScheduler([])
    for native in (NATIVE, [SCHEDULE, NATIVE]):
        with pytest.raises(lrcore.ScheduleError, match=r"got a ExponentialDecay; pass from_native\(scheduler\)"):
            LRScheduler(native)  # type: ignore[arg-type]
    for last_epoch in (-2, 2.5, "3", None):
        with pytest.raises(lrcore.ScheduleError, match=r"last_epoch: expected an integer >= -1; got "):
            LRScheduler(SCHEDULE, last_epoch=last_epoch)  # type: ignore[arg-type]
    scheduler = LRScheduler(SCHEDULE)
    for step in (-1, 2.5, True):
        with pytest.raises(lrcore.ScheduleError, match="step: expected an integer >= 0"):
            scheduler.step(step)  # type: ignore[arg-type]
        assert scheduler.last_epoch == 0


# --- plateaus ---------------------------------------------------------------------------------------------------------


def train_on_plateau(run: Run, first: int = 0, last: int = len(LOSSES)) -> list[float]:
    found = []
    for loss in LOSSES[first:last]:
        found += run.rates(6)
        run.scheduler.report(loss)
    return found


def test_a_plateau_scales_the_updates_that_follow() -> None:
    state, right = PLATEAU.initial(), []
    for epoch, loss in enumerate(LOSSES):
        right += [float32(PLATEAU.value(step, state)) for step in range(6 * epoch, 6 * epoch + 6)]
        state = PLATEAU.update(state, loss)
    assert state.scale < 1
    assert train_on_plateau(Run(LRScheduler(PLATEAU))) == right


def finish_on_plateau(states: list[Any]) -> list[list[float]]:
    """In a new process, resume from the state of each epoch and train to the end."""
    found = []
    for epoch, state in enumerate(states):
        run = Run(LRScheduler(PLATEAU))
        run.scheduler.set_state_dict(state)
        found.append(train_on_plateau(run, first=epoch))
    return found


def test_a_plateau_interrupted_after_any_epoch() -> None:
    run = Run(LRScheduler(PLATEAU))
    whole, states = [], []
    for epoch in range(len(LOSSES)):
        states.append(run.scheduler.state_dict())
        whole += train_on_plateau(run, epoch, epoch + 1)
    rests = in_new_process(finish_on_plateau, json.loads(json.dumps(states)))
    assert rests == [whole[6 * epoch :] for epoch in range(len(LOSSES))]


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


def test_another_mode_forgets_the_best_metric_aloud_and_keeps_the_rate() -> None:
    """The best metric of the other mode would be compared in the wrong direction. The optimizer's state has the scheduler's."""
    higher, lower = (lrcore.Plateau(OTHER, factor=0.5, patience=0, mode=mode) for mode in ("max", "min"))
    saved, configured = Run(LRScheduler(higher)), Run(LRScheduler(lower, on_mismatch="use_config"))
    for metric in (-3.0, -4.0):
        saved.scheduler.report(metric)
    with pytest.warns(UserWarning, match=r"the plateau's mode was 'max' and is 'min': best -3\.0 becomes inf"):
        configured.optimizer.set_state_dict(saved.optimizer.state_dict())
    rate = saved.scheduler.last_lr
    for metric, expected_rate in ((-2.0, rate), (-2.5, rate), (-2.4, rate / 2)):
        configured.scheduler.report(metric)
        assert configured.scheduler.last_lr == expected_rate


def test_a_plateau_that_is_never_told_is_warned_of_once() -> None:
    scheduler = LRScheduler(PLATEAU)
    scheduler.sync(9_999)
    with pytest.warns(UserWarning, match=r"10,000 updates .* told no metric, .*; call report\(metric\)"):
        scheduler.step()
    scheduler.sync(30_000)
    never_told, told = (
        lrcore.save_state(9_990, PLATEAU, PLATEAU.initial()._replace(reports=n).to_dict()) for n in (0, 3)
    )
    for state, due in ((never_told, 10_000), (told, 19_990)):
        scheduler = LRScheduler(PLATEAU)
        scheduler.set_state_dict(state)
        scheduler.sync(due - 1)
        with pytest.warns(UserWarning, match="told no metric"):
            scheduler.step()
    scheduler.set_state_dict(told)
    scheduler.report(0.5)
    scheduler.sync(30_000)
    LRScheduler(SCHEDULE).sync(30_000)


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


def test_a_plateau_that_another_callback_tells_is_not_warned_of() -> None:
    class Report(paddle.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            scheduler.report(LOSSES[epoch])

    scheduler = LRScheduler(PLATEAU)
    assert fit(scheduler, 6, Report(), epochs=len(LOSSES)) == train_on_plateau(Run(LRScheduler(PLATEAU)))


def test_a_metric_may_be_a_tensor() -> None:
    scheduler = LRScheduler(lrcore.Plateau(OTHER, factor=0.5, patience=0))
    for loss in (0.5, [0.6], [[0.7]]):
        scheduler.report(paddle.to_tensor(loss))
    assert scheduler.last_lr == 0.0625
    with pytest.raises(lrcore.ScheduleError, match="expected a metric that is one number"):
        scheduler.report(paddle.zeros([2]))


def test_a_metric_without_a_plateau_is_refused() -> None:
    for schedule in (OTHER, [OTHER]):
        with pytest.raises(lrcore.ScheduleError, match=r"report: expected a lrcore.Plateau, .* got .*Constant"):
            LRScheduler(schedule).report(0.5)
    scheduler = LRScheduler(PLATEAU)
    before = scheduler.state_dict()
    with pytest.raises(lrcore.ScheduleError, match="expected a metric that is one number"):
        scheduler.report("low")
    assert scheduler.state_dict() == before


# --- importing --------------------------------------------------------------------------------------------------------


def test_a_missing_paddle_is_one_sentence() -> None:
    code = "import sys; sys.modules['paddle'] = None; import lrcore_paddle"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.rstrip().endswith(
        'lrcore_paddle: needs PaddlePaddle, which is not installed; run: pip install "lrcore[paddle]"'
    )
