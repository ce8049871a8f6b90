"""Tests of the MXNet adapter that measure the weights: with SGD and gradient 1 a weight moves by the learning rate."""

from __future__ import annotations

import copy
import gc
import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon
from mxnet.contrib import amp

import lrcore
from lrcore_mxnet import LRScheduler
from tests.kinds import KINDS, UPDATES
from tests.processes import free_port, run_together

SCHEDULE = KINDS["cosine"]
OTHER = lrcore.Constant(0.25)
DYADIC = lrcore.Linear(init_value=1.0, decay_steps=64)  # float32 holds its values and their sums exactly
PLATEAU = lrcore.Plateau(SCHEDULE, factor=0.5, patience=1)
LOSSES = [0.9, 0.8, 0.85, 0.81, 0.82, 0.7, 0.75, 0.74, 0.73, 0.72]  # one report after every six updates
COUNT: Any = np.int64(40)  # the count of a trainer that counts with numpy
DEVICE = mx.gpu() if mx.context.num_gpus() else mx.cpu()


def falling(step: int) -> float:
    """A user's schedule function that can be pickled."""
    return 0.1 / (step + 3)


class Run:
    """A trainer of one weight, on one or several devices, with gradient 1."""

    def __init__(
        self,
        scheduler: Any,
        optimizer: str = "sgd",
        devices: Sequence[Any] = (DEVICE,),
        kvstore: str | None = "device",
        *,
        update_on_kvstore: bool | None = None,
        **options: Any,
    ) -> None:
        self.devices = list(devices)
        self.weight = gluon.Parameter("weight", shape=(1,), init="zeros")
        self.weight.initialize(ctx=self.devices)
        options = {"lr_scheduler": scheduler, **options}
        self.trainer = gluon.Trainer([self.weight], optimizer, options, kvstore, update_on_kvstore=update_on_kvstore)
        # A store sums the gradients of the devices: the batch size divides the sum.
        self.batch_size = len(self.devices) if kvstore else 1

    def update(self) -> None:
        with autograd.record():
            losses = [self.weight.data(device).sum() for device in self.devices]
        autograd.backward(losses)
        self.trainer.step(self.batch_size)

    def weights(self, count: int) -> list[float]:
        """Make `count` updates and return the weight after each; check that all devices have the same weight."""
        found = []
        for _ in range(count):
            self.update()
            values = {data.asscalar().item() for data in self.weight.list_data()}
            found.append(values.pop())
            assert not values
        return found

    def rates(self, count: int) -> list[float]:
        """Make `count` updates and return the learning rate of each: the weight is set to 0 and moves by minus the rate."""
        found = []
        for _ in range(count):
            self.weight.set_data(mx.nd.zeros(1))
            found.append(0.0 - self.weights(1)[0])
        return found


def expected(schedule: lrcore.Schedule, first: int = 0, last: int = UPDATES) -> list[float]:
    return [float(np.float32(schedule(step))) for step in range(first, last)]


def in_new_process(function: Any, *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


# --- the rate of each update ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_update_uses_the_schedule(kind: str) -> None:
    assert Run(LRScheduler(KINDS[kind])).rates(UPDATES) == expected(KINDS[kind])


def test_a_python_function_is_a_schedule() -> None:
    assert Run(LRScheduler(falling)).rates(20) == expected(lrcore.Function(falling), 0, 20)


@pytest.mark.parametrize(
    ("kvstore", "devices", "update_on_kvstore"),
    [
        *(
            (kvstore, devices, on)
            for kvstore in ("device", "local", None)
            for devices in (1, 2)
            for on in (None, False)
        ),
        ("device", 2, True),
        ("local", 2, True),
    ],
)
def test_every_store_and_number_of_devices(kvstore: str | None, devices: int, update_on_kvstore: bool | None) -> None:
    run = Run(
        LRScheduler(SCHEDULE),
        devices=[mx.cpu(number) for number in range(devices)],
        kvstore=kvstore,
        update_on_kvstore=update_on_kvstore,
    )
    assert run.weights(UPDATES) == Run(LRScheduler(SCHEDULE)).weights(UPDATES)


@pytest.mark.parametrize("optimizer", ["sgd", "nag", "signum"])
def test_other_optimizers_move_by_the_rate(optimizer: str) -> None:
    run = Run(LRScheduler(SCHEDULE), optimizer, learning_rate=None, momentum=0.0)
    assert run.rates(UPDATES) == expected(SCHEDULE)


def test_lbsgd_counts_from_0() -> None:
    scheduler = LRScheduler(SCHEDULE, first=0)
    run = Run(scheduler, "lbsgd", warmup_epochs=0)
    assert run.rates(30) == expected(SCHEDULE, 0, 30)
    state = scheduler.state_dict(run.trainer)
    assert state["step"] == 30
    resumed = Run(scheduler, "lbsgd", warmup_epochs=0)
    scheduler.load_state_dict(state, resumed.trainer)
    assert resumed.rates(30) == expected(SCHEDULE, 30, 60)


def test_lr_mult_multiplies_the_rate_before_it_is_rounded() -> None:
    for factor in (1.0, 0.1, 0.0):
        run = Run(LRScheduler(SCHEDULE))
        run.weight.lr_mult = factor
        assert run.rates(UPDATES) == [float(np.float32(SCHEDULE(step) * factor)) for step in range(UPDATES)]


def test_begin_num_update_enters_the_schedule_there() -> None:
    assert Run(LRScheduler(SCHEDULE), begin_num_update=17).rates(20) == expected(SCHEDULE, 17, 37)


def test_a_weight_that_is_updated_less_often_gets_the_rate_of_the_moment() -> None:
    often, seldom = (gluon.Parameter(name, shape=(1,), init="zeros") for name in ("often", "seldom"))
    often.initialize()
    seldom.initialize()
    trainer = gluon.Trainer([often, seldom], "sgd", {"lr_scheduler": LRScheduler(SCHEDULE)})
    for step in range(30):
        used = [often, seldom] if step % 3 == 2 else [often]
        for weight in used:
            weight.set_data(mx.nd.zeros(1))
        with autograd.record():
            losses = [weight.data().sum() for weight in used]
        autograd.backward(losses)
        trainer.step(1, ignore_stale_grad=True)
        for weight in used:
            assert 0.0 - weight.data().asscalar() == np.float32(SCHEDULE(step))


def test_trainer_learning_rate_is_what_the_last_update_used() -> None:
    run = Run(LRScheduler(SCHEDULE))
    assert run.trainer.learning_rate == SCHEDULE(0)
    run.weights(9)
    assert run.trainer.learning_rate == SCHEDULE(8)
    with pytest.raises(UserWarning, match="set_learning_rate"):
        run.trainer.set_learning_rate(0.5)


def train_on_servers(update_on_kvstore: bool) -> None:
    """Train in one of two workers; a server process sums their gradients and, with `update_on_kvstore`, makes the updates."""
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler, kvstore="dist_sync", update_on_kvstore=update_on_kvstore)
    run.batch_size = 2
    state = lrcore.save_state(9, SCHEDULE)
    if update_on_kvstore:
        scheduler.load_state_dict(state, run.trainer)
        found = run.weights(12)
        assert found == np.cumsum([-np.float32(rate) for rate in expected(SCHEDULE, 9, 21)]).tolist(), found
        for use in (scheduler.state_dict, scheduler.sync):
            with pytest.raises(lrcore.ScheduleError, match=r"got one whose store, dist_sync, makes and counts them"):
                use(run.trainer)
    else:
        run.update()  # not measured: in MXNet's first update, a worker may use the other's gradient as the initial weight
        scheduler.load_state_dict(state, run.trainer)
        found = run.rates(12)
        assert found == expected(SCHEDULE, 9, 21), found
        assert scheduler.state_dict(run.trainer) == lrcore.save_state(21, SCHEDULE)


@pytest.mark.parametrize("update_on_kvstore", [True, False])
def test_two_workers_and_a_server(update_on_kvstore: bool) -> None:
    code = f"from tests.adapters.test_mxnet_adapter import train_on_servers; train_on_servers({update_on_kvstore})"
    group = {
        "DMLC_PS_ROOT_URI": "127.0.0.1",
        "DMLC_PS_ROOT_PORT": str(free_port()),
        "DMLC_NUM_SERVER": "1",
        "DMLC_NUM_WORKER": "2",
    }
    run_together(code, [group | {"DMLC_ROLE": role} for role in ("scheduler", "server", "worker", "worker")])


# --- Module -----------------------------------------------------------------------------------------------------------


def trained_module(scheduler: Any, batches: int, kvstore: str | None = "local", **options: Any) -> Any:
    """Return a Module whose `fit` has trained its one weight with gradient 1."""
    weight, label = mx.sym.var("weight", shape=(1,)), mx.sym.var("softmax_label")
    loss = mx.sym.MakeLoss(mx.sym.broadcast_mul(mx.sym.var("data"), weight) + 0 * label)
    module = mx.mod.Module(loss)
    module.fit(
        mx.io.NDArrayIter(mx.nd.ones((batches, 1)), mx.nd.ones((batches, 1)), batch_size=1),
        eval_metric=mx.metric.Loss(),
        num_epoch=1,
        kvstore=kvstore,
        optimizer_params={"lr_scheduler": scheduler, **options},
        arg_params={"weight": mx.nd.zeros(1)},
        allow_missing=True,
    )
    return module


def value_of(module: Any) -> float:
    return float(module.get_params()[0]["weight"].asscalar())


@pytest.mark.parametrize("kvstore", ["local", "device", None])
def test_module_fit(kvstore: str | None) -> None:
    for batches in (1, 2, 30):
        module = trained_module(LRScheduler(DYADIC), batches, kvstore)
        assert value_of(module) == -sum(expected(DYADIC, 0, batches))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
def test_module_loses_the_count_and_the_state_brings_it_back(tmp_path: Path) -> None:
    path = str(tmp_path / "optimizer")
    scheduler = LRScheduler(DYADIC)
    module = trained_module(scheduler, 10)
    module.save_optimizer_states(path)
    state = scheduler.state_dict(module)
    assert state["step"] == 10

    module = trained_module(LRScheduler(DYADIC), 1)
    module.load_optimizer_states(path)
    assert module._optimizer.num_update == 1, "MXNet keeps the count now: the docstring can say so"

    resumed = LRScheduler(DYADIC)
    module = trained_module(resumed, 1)
    resumed.load_state_dict(state, module)
    before = value_of(module)
    module.forward_backward(mx.io.DataBatch([mx.nd.ones((1, 1))], [mx.nd.ones((1, 1))]))
    module.update()
    assert before - value_of(module) == DYADIC(10)

    module = trained_module(LRScheduler(DYADIC), 1, begin_num_update=state["step"])
    assert -value_of(module) == DYADIC(10)


def test_a_bucketing_module() -> None:
    def symbol_of_bucket(key: int) -> Any:
        weight, label = mx.sym.var("weight", shape=(1,)), mx.sym.var("softmax_label")
        loss = mx.sym.MakeLoss(mx.sym.broadcast_mul(mx.sym.var("data"), weight) + 0 * label)
        return loss, ("data",), ("softmax_label",)

    scheduler = LRScheduler(DYADIC)
    module = mx.mod.BucketingModule(symbol_of_bucket, default_bucket_key=1)
    module.bind([("data", (1, 1))], [("softmax_label", (1, 1))])
    module.init_params(mx.init.Zero())
    module.init_optimizer(optimizer_params={"lr_scheduler": scheduler})
    for key in (1, 2, 1, 2, 2):
        shapes = {"provide_data": [("data", (1, 1))], "provide_label": [("softmax_label", (1, 1))]}
        batch = mx.io.DataBatch([mx.nd.ones((1, 1))], [mx.nd.ones((1, 1))], bucket_key=key, **shapes)
        module.forward_backward(batch)
        module.update()
    assert value_of(module) == -sum(expected(DYADIC, 0, 5))
    assert scheduler.state_dict(module)["step"] == 5


def test_a_store_and_an_updater_without_a_trainer() -> None:
    scheduler, weight = LRScheduler(DYADIC), mx.nd.zeros(1)
    store = mx.kv.create("local")
    store.set_optimizer(mx.optimizer.SGD(lr_scheduler=scheduler))
    store.init(0, weight)
    updater = mx.optimizer.get_updater(mx.optimizer.SGD(lr_scheduler=scheduler))
    for _ in range(4):
        store.push(0, mx.nd.ones(1))
    for _ in range(3):
        updater(0, mx.nd.ones(1), weight)
    pulled = mx.nd.zeros(1)
    store.pull(0, out=pulled)
    assert (pulled.asscalar(), weight.asscalar()) == (-sum(expected(DYADIC, 0, 4)), -sum(expected(DYADIC, 0, 3)))
    assert (scheduler.state_dict(store)["step"], scheduler.state_dict(updater)["step"]) == (4, 3)


# --- mixed precision --------------------------------------------------------------------------------------------------


def trained_with_loss_scaling() -> list[float]:
    """Return the weight after each of six batches; the scaled gradients of the first two overflow float16."""
    amp.init("float16")
    weight = gluon.Parameter("weight", shape=(1,), init="zeros", dtype="float16")
    weight.initialize()
    options = {"lr_scheduler": LRScheduler(DYADIC), "multi_precision": True}
    trainer = gluon.Trainer([weight], "sgd", options)
    amp.init_trainer(trainer)
    found = []
    for _ in range(6):
        with autograd.record(), amp.scale_loss(weight.data().sum(), trainer) as loss:
            autograd.backward(loss)
        trainer.step(1)
        found.append(float(weight.data().asscalar()))
    return found


def test_an_update_that_loss_scaling_skips_is_none() -> None:
    right = [float(np.float16(-sum(expected(DYADIC, 0, updates)))) for updates in (0, 0, 1, 2, 3, 4)]
    assert in_new_process(trained_with_loss_scaling) == right


# --- reading ----------------------------------------------------------------------------------------------------------


def test_asking_is_pure() -> None:
    scheduler = LRScheduler(SCHEDULE)
    before = scheduler.__getstate__()
    for num_update in (1000, 3, 0, 47, 48, 1, 1, 10**12):
        rate = scheduler(num_update)
        assert type(rate) is float
        assert rate == SCHEDULE(max(num_update - 1, 0))
    assert type(scheduler(COUNT)) is float
    assert scheduler.__getstate__() == before


def test_before_the_first_update_the_rate_is_the_first_one() -> None:
    assert LRScheduler(falling)(0) == LRScheduler(falling)(1) == falling(0)


def test_asking_in_between_does_not_disturb_a_run() -> None:
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler)
    found = []
    for number in range(UPDATES):
        scheduler(number * 7 % 61)
        found += run.rates(1)
    assert found == expected(SCHEDULE)


def test_what_is_not_a_count_is_refused() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected an integer num_update; got 2\.5"):
        LRScheduler(SCHEDULE)(2.5)  # type: ignore[arg-type]


# --- base_lr ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["adam", "lamb", "rmsprop", "nadam", "adamax", "signum"])
def test_a_default_learning_rate_is_not_used_and_one_warning_says_so(optimizer: str) -> None:
    scheduler = LRScheduler(SCHEDULE)
    with pytest.warns(UserWarning, match=r"learning_rate 0\.0\d+ is not used, .* pass learning_rate=None") as caught:
        made = mx.optimizer.create(optimizer, lr_scheduler=scheduler)
    assert len(caught) == 1
    assert made.learning_rate == SCHEDULE(0) == scheduler.base_lr


def test_adam_moves_by_the_schedule() -> None:
    run = Run(LRScheduler(lrcore.Constant(0.1)), "adam", learning_rate=None)
    assert run.rates(1) == pytest.approx([0.1], rel=1e-4)  # not the 0.001 of Adam


# --- states -----------------------------------------------------------------------------------------------------------


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9},
    "nag": {"momentum": 0.9},
    "adam": {"learning_rate": None},
    "adagrad": {},
    "lamb": {"learning_rate": None},
}


def finish(folder: Path, weights: list[float], optimizer: str, schedule: Any, *, sync: bool) -> list[list[float]]:
    """In a new process, load the file of each update but the last and train to the end; return the weights of each run."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for made, weight in enumerate(weights[:-1], 1):
            scheduler = LRScheduler(schedule)
            run = Run(scheduler, optimizer, **OPTIMIZERS[optimizer])
            run.weight.set_data(mx.nd.array([weight]))
            run.trainer.load_states(str(folder / str(made)))
            if sync:
                scheduler.sync(run.trainer)
                assert run.trainer.optimizer.lr_scheduler is scheduler
            found.append(run.weights(len(weights) - made))
    return found


@pytest.mark.parametrize("sync", [True, False])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_interrupted_after_any_update_and_resumed_in_a_new_process(optimizer: str, sync: bool, tmp_path: Path) -> None:
    schedule = lrcore.Function(falling) if optimizer == "nag" else SCHEDULE
    run = Run(LRScheduler(schedule), optimizer, **OPTIMIZERS[optimizer])
    whole = []
    for made in range(1, UPDATES + 1):
        whole += run.weights(1)
        run.trainer.save_states(str(tmp_path / str(made)))
    rests = in_new_process(partial(finish, sync=sync), tmp_path, whole, optimizer, schedule)
    assert rests == [whole[made:] for made in range(1, UPDATES)]


def finish_without_states(states: list[Any], weights: list[float]) -> list[list[float]]:
    """Resume as `finish` does, with a stateless optimizer: a checkpoint is the weight and the scheduler's state."""
    found = []
    for made, state in enumerate(states[:-1], 1):
        scheduler = LRScheduler(SCHEDULE)
        run = Run(scheduler)
        run.weight.set_data(mx.nd.array([weights[made - 1]]))
        scheduler.load_state_dict(state, run.trainer)
        found.append(run.weights(UPDATES - made))
    return found


def test_interrupted_after_any_update_and_resumed_without_the_optimizers_states() -> None:
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler)
    whole, states = [], []
    for _ in range(UPDATES):
        whole += run.weights(1)
        states.append(scheduler.state_dict(run.trainer))
    rests = in_new_process(finish_without_states, json.loads(json.dumps(states)), whole)
    assert rests == [whole[made:] for made in range(1, UPDATES)]


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("kvstore", ["device", "local", None])
def test_states_resume_on_every_store(devices: int, kvstore: str | None, tmp_path: Path) -> None:
    path = str(tmp_path / "states")
    options: dict[str, Any] = {"devices": [mx.cpu(number) for number in range(devices)], "kvstore": kvstore}
    run = Run(LRScheduler(SCHEDULE), **options)
    run.weights(20)
    run.trainer.save_states(path)
    scheduler = LRScheduler(SCHEDULE)
    resumed = Run(scheduler, **options)
    resumed.trainer.load_states(path)
    scheduler.sync(resumed.trainer)
    assert resumed.rates(20) == expected(SCHEDULE, 20, 40)


DEVICES = [mx.cpu(number) for number in range(4)]


@pytest.mark.parametrize(
    ("before", "after"),
    [([3], [0]), ([0], [3]), ([0], [0, 1]), ([0, 1], [1]), ([0, 1], [2, 3])],
)
@pytest.mark.parametrize("kvstore", ["device", None])
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
def test_states_resume_on_another_device(
    kvstore: str | None, before: list[int], after: list[int], tmp_path: Path
) -> None:
    path = str(tmp_path / "states")
    whole = Run(LRScheduler(SCHEDULE), "adam", learning_rate=None).weights(40)
    run = Run(LRScheduler(SCHEDULE), "adam", [DEVICES[one] for one in before], kvstore, learning_rate=None)
    assert run.weights(20) == whole[:20]
    run.trainer.save_states(path)

    scheduler = LRScheduler(SCHEDULE)
    resumed = Run(scheduler, "adam", [DEVICES[one] for one in after], kvstore, learning_rate=None)
    resumed.weight.set_data(mx.nd.array([whole[19]]))
    resumed.trainer.load_states(path)
    scheduler.sync(resumed.trainer)
    assert resumed.weights(20) == whole[20:]


def test_states_on_another_device_count_afresh_without_sync(tmp_path: Path) -> None:
    path = str(tmp_path / "states")
    run = Run(LRScheduler(SCHEDULE), devices=[mx.cpu(3)])
    run.weights(20)
    run.trainer.save_states(path)
    resumed = Run(LRScheduler(SCHEDULE), devices=[mx.cpu(0)])
    resumed.trainer.load_states(path)
    assert resumed.rates(3) == [np.float32(SCHEDULE(19))] * 3, "MXNet counts on: the docstring can say so"


def test_the_state_is_the_same_as_in_every_adapter() -> None:
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler)
    run.weights(12)
    state = scheduler.state_dict(run.trainer)
    assert state == lrcore.save_state(12, SCHEDULE) == json.loads(json.dumps(state))
    assert scheduler.state_dict(run.trainer.optimizer) == state


def test_a_state_of_another_adapter_is_continued() -> None:
    for made in range(UPDATES):
        scheduler = LRScheduler(SCHEDULE)
        run = Run(scheduler)
        for _ in range(2):  # a second load changes nothing
            scheduler.load_state_dict({**lrcore.save_state(made, SCHEDULE), "last_epoch": made}, run.trainer)
        assert run.rates(3) == expected(SCHEDULE, made, made + 3)


def test_a_state_may_be_loaded_before_the_weights_are_made() -> None:
    net = gluon.nn.Dense(1, use_bias=False)
    net.initialize(mx.init.Zero())
    scheduler = LRScheduler(SCHEDULE)
    trainer = gluon.Trainer(net.collect_params(), "sgd", {"lr_scheduler": scheduler})
    scheduler.load_state_dict(lrcore.save_state(9, SCHEDULE), trainer)
    with autograd.record():
        loss = net(mx.nd.ones((1, 1)))
    loss.backward()
    trainer.step(1)
    assert 0.0 - net.weight.data().asscalar() == np.float32(SCHEDULE(9))


@pytest.mark.parametrize("kvstore", ["device", "local", None])
def test_a_state_is_loaded_on_two_devices(kvstore: str | None) -> None:
    scheduler = LRScheduler(PLATEAU)
    run = Run(scheduler, devices=[mx.cpu(0), mx.cpu(1)], kvstore=kvstore)
    for made in (9, 3, 30):
        scheduler.load_state_dict(lrcore.save_state(made, PLATEAU), run.trainer)
        assert run.rates(3) == expected(SCHEDULE, made, made + 3)


def test_a_state_is_continued_in_mid_run() -> None:
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler)
    run.weights(30)
    scheduler.load_state_dict(lrcore.save_state(5, SCHEDULE), run.trainer)
    assert run.rates(10) == expected(SCHEDULE, 5, 15)


def test_sync_sets_the_step_and_makes_the_trainer_follow() -> None:
    run = Run(mx.lr_scheduler.FactorScheduler(5))
    run.weights(4)
    scheduler = LRScheduler(SCHEDULE)
    scheduler.sync(run.trainer)
    assert run.rates(3) == expected(SCHEDULE, 4, 7)
    scheduler.sync(run.trainer, COUNT)
    assert run.rates(3) == expected(SCHEDULE, 40, 43)
    assert type(scheduler.state_dict(run.trainer)["step"]) is int


def loaded_with(policy: Any, path: Path) -> tuple[LRScheduler, Run]:
    """Save the states of one run, load them into a run with another schedule, and return its scheduler and that run."""
    saved = Run(LRScheduler(SCHEDULE))
    saved.weights(20)
    saved.trainer.save_states(str(path))
    saved.trainer.optimizer.lr_scheduler = None  # the saved scheduler does not exist in another process
    scheduler = LRScheduler(OTHER, on_mismatch=policy)
    run = Run(scheduler)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run.trainer.load_states(str(path))
    return scheduler, run


def test_another_schedule_is_an_error_that_names_the_first_difference(tmp_path: Path) -> None:
    scheduler, run = loaded_with("error", tmp_path / "states")
    found = run.trainer.optimizer.lr_scheduler
    with pytest.raises(
        lrcore.ScheduleError, match=r"LRScheduler: the saved schedule is not .* at step 0 it gives 0\.0 "
    ):
        scheduler.sync(run.trainer)
    assert run.trainer.optimizer.lr_scheduler is found
    assert scheduler.schedule == OTHER


def test_another_schedule_is_kept_from_the_checkpoint(tmp_path: Path) -> None:
    scheduler, run = loaded_with("keep_checkpoint", tmp_path / "states")
    scheduler.sync(run.trainer)
    assert run.rates(10) == expected(SCHEDULE, 20, 30)


def test_another_schedule_is_used_from_the_configuration(tmp_path: Path) -> None:
    scheduler, run = loaded_with("use_config", tmp_path / "states")
    scheduler.sync(run.trainer)
    assert run.rates(10) == expected(OTHER, 20, 30)
    assert scheduler.state_dict(run.trainer)["step"] == 30


def warnings_of_load_states(path: str, schedule: lrcore.Schedule, policy: Any) -> list[str]:
    """Load saved states into a run with `schedule` and return the warnings."""
    scheduler = LRScheduler(schedule, on_mismatch=policy)
    run = Run(scheduler)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run.trainer.load_states(path)
    return [str(one.message) for one in caught]


def test_load_states_that_drops_another_schedule_is_not_silent(tmp_path: Path) -> None:
    path = str(tmp_path / "states")
    run = Run(LRScheduler(SCHEDULE))
    run.weights(10)
    run.trainer.save_states(path)
    for schedule, policy, warned in (
        (SCHEDULE, "error", False),
        (OTHER, "error", True),
        (OTHER, "use_config", True),
        (OTHER, "keep_checkpoint", False),
    ):
        said = in_new_process(warnings_of_load_states, path, schedule, policy)
        assert len(said) == warned
        assert all("has another schedule than the configured one" in text for text in said)


def a_function(numerator: float) -> lrcore.Function:
    """Return a schedule whose function cannot be pickled and has the same name for any numerator."""
    return lrcore.Function(lambda step: numerator / (step + 1))


@pytest.mark.parametrize("changed", [False, True])
def test_load_states_notices_that_a_function_was_rewritten(tmp_path: Path, changed: bool) -> None:
    saved = Run(LRScheduler(a_function(0.1)))
    saved.weights(20)
    saved.trainer.save_states(str(tmp_path / "states"))
    saved.trainer.optimizer.lr_scheduler = None  # the saved scheduler does not exist in another process
    del saved
    gc.collect()
    scheduler = LRScheduler(a_function(0.2 if changed else 0.1))
    run = Run(scheduler)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run.trainer.load_states(str(tmp_path / "states"))
    said = [str(one.message) for one in caught]
    assert len(said) == changed
    if not changed:
        scheduler.sync(run.trainer)
        return
    assert "changed since (the saved schedule is not the configured one: at step 0, " in said[0]
    for _ in range(2):
        with pytest.raises(lrcore.ScheduleError, match=r"at step 0, .* it gave 0\.1 and the configured one gives 0\.2"):
            scheduler.sync(run.trainer)
    scheduler.on_mismatch = "use_config"
    scheduler.sync(run.trainer)
    assert run.rates(1) == expected(a_function(0.2), 20, 21)


def test_a_state_of_several_schedules_is_refused() -> None:
    scheduler = LRScheduler(SCHEDULE, on_mismatch="keep_checkpoint")
    run = Run(scheduler)
    with pytest.raises(lrcore.ScheduleError, match=r"expected a state of one schedule; got one of \[Cosine"):
        scheduler.load_state_dict(lrcore.save_state(3, [SCHEDULE, OTHER]), run.trainer)
    assert run.rates(3) == expected(SCHEDULE, 0, 3)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        (None, "expected a state saved by lrcore"),
        ({"step": 3}, "expected a state saved by lrcore"),
        ({**lrcore.save_state(3, SCHEDULE), "step": -1}, "step: expected an integer >= 0, .*; got -1"),
        (lrcore.save_state(3, OTHER), "the saved schedule is not the configured one"),
    ],
)
def test_a_state_that_cannot_be_used_changes_nothing(state: Any, problem: str) -> None:
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler)
    run.weights(10)
    with pytest.raises(lrcore.ScheduleError, match=problem):
        scheduler.load_state_dict(state, run.trainer)
    assert run.rates(5) == expected(SCHEDULE, 10, 15)


def test_arguments_that_cannot_be_used() -> None:
    with pytest.raises(
        lrcore.ScheduleError, match="expected one of error, keep_checkpoint, use_config, same_past; got 'raise'"
    ):
        LRScheduler(SCHEDULE, on_mismatch="raise")  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match=r"expected a lrcore schedule or a function of the step; got 0\.1"):
        LRScheduler(0.1)  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match=r"got a FactorScheduler, which counts from 1; pass from_native"):
        LRScheduler(mx.lr_scheduler.FactorScheduler(5))  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match=r"first: expected 0 or 1; got 2"):
        LRScheduler(SCHEDULE, first=2)
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler)
    for step in (-1, 2.5, True):
        with pytest.raises(lrcore.ScheduleError, match="step: expected an integer >= 0"):
            scheduler.sync(run.trainer, step)  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match=r"expected a gluon.Trainer, a Module .* got 'trainer'"):
        scheduler.state_dict("trainer")
    with pytest.raises(lrcore.ScheduleError, match="expected a trainer that follows this scheduler"):
        LRScheduler(SCHEDULE).state_dict(run.trainer)


# --- pickles ----------------------------------------------------------------------------------------------------------


def test_a_scheduler_can_be_pickled() -> None:
    for schedule in (SCHEDULE, lrcore.Function(falling).warmup(3), PLATEAU):
        scheduler = LRScheduler(schedule, on_mismatch="use_config", first=0)
        copy = pickle.loads(pickle.dumps(scheduler))
        assert copy.__getstate__() == scheduler.__getstate__()
        assert [copy(n) for n in range(UPDATES)] == [scheduler(n) for n in range(UPDATES)]


@pytest.mark.parametrize("schedule", [lrcore.Function(lambda step: 0.5 / (step + 1)), PLATEAU])
def test_an_optimizer_can_be_copied(schedule: Any) -> None:
    scheduler = LRScheduler(schedule, on_mismatch="use_config", first=0)
    copied = copy.deepcopy(mx.optimizer.SGD(lr_scheduler=scheduler)).lr_scheduler
    assert copied.__getstate__() == scheduler.__getstate__()
    if schedule is PLATEAU:
        copied.report(0.5)
        assert scheduler.plateau_state == PLATEAU.initial()
        scheduler.report(0.6)


def test_a_lambda_is_taken_from_the_scheduler_in_use(tmp_path: Path) -> None:
    path = str(tmp_path / "states")

    def made() -> Run:
        return Run(LRScheduler(lambda step: 0.5 / (step + 1)))

    run = made()
    run.weights(3)
    run.trainer.save_states(path)
    run.trainer.optimizer.lr_scheduler = None  # the saved scheduler does not exist in another process
    resumed = made()
    resumed.trainer.load_states(path)
    assert resumed.rates(3) == [float(np.float32(0.5 / (step + 1))) for step in (3, 4, 5)]


def test_a_lambda_in_a_long_schedule_is_not_taken_from_one_that_ends_otherwise() -> None:
    def long(last: float) -> lrcore.Schedule:
        steps = lrcore.PiecewiseConstant(boundaries=range(1, 100), values=[0.1] * 99 + [last])
        return lrcore.Join([steps, lrcore.Function(lambda step: 0.5)], boundaries=[200])

    saved = pickle.dumps(LRScheduler(long(0.2)))
    other = LRScheduler(long(0.3))
    assert repr(other.schedule) == repr(long(0.2))
    with pytest.raises(
        lrcore.ScheduleError, match=r"expected a scheduler in use that follows Join.*; got none"
    ) as found:
        pickle.loads(saved)
    assert len(str(found.value)) < 600


def test_a_lambda_is_not_sent_to_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMLC_ROLE", "worker")
    with pytest.raises(
        lrcore.ScheduleError, match=r"expected a function that can be pickled, .*servers; got .*<lambda>"
    ):
        pickle.dumps(LRScheduler(lambda step: 0.1))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
@pytest.mark.parametrize("kvstore", ["device", None])
def test_a_lambda_resumes_on_two_devices(kvstore: str | None, tmp_path: Path) -> None:
    path = str(tmp_path / "states")
    devices = [mx.cpu(0), mx.cpu(1)]
    scheduler = LRScheduler(lambda step: 1.0 - step / 64)
    run = Run(scheduler, devices=devices, kvstore=kvstore)
    run.weights(3)
    run.trainer.save_states(path)
    run.weights(5)
    run.trainer.load_states(path)
    scheduler.sync(run.trainer)
    assert run.rates(3) == expected(DYADIC, 3, 6)


def test_a_lambda_that_is_not_in_use_is_missed_before_anything_changes(tmp_path: Path) -> None:
    path = str(tmp_path / "states")
    run = Run(LRScheduler(lambda step: 0.1))
    run.weights(3)
    run.trainer.save_states(path)
    run.trainer.optimizer.lr_scheduler = None
    resumed = Run(LRScheduler(SCHEDULE))
    resumed.weights(5)
    with pytest.raises(lrcore.ScheduleError, match=r"expected a scheduler in use that follows .*<lambda>.*; got none"):
        resumed.trainer.load_states(path)
    assert resumed.rates(3) == expected(SCHEDULE, 5, 8)


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "0.1", None])
@pytest.mark.parametrize("failing", [0, 5])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "lamb", "lars", "lbsgd"])
def test_a_function_that_fails_changes_nothing_and_the_run_goes_on(optimizer: str, failing: int, wrong: Any) -> None:
    options: Any = {"warmup_epochs": 0} if optimizer == "lbsgd" else OPTIMIZERS.get(optimizer, {})
    first = int(optimizer != "lbsgd")
    whole = Run(LRScheduler(SCHEDULE, first=first), optimizer, **options).weights(15)
    broken: list[bool] = []
    scheduler = LRScheduler(lambda step: wrong if step == failing and broken else SCHEDULE(step), first=first)
    run = Run(scheduler, optimizer, **options)
    assert run.weights(failing) == whole[:failing]
    weight, state = run.weight.data().asscalar(), scheduler.state_dict(run.trainer)
    broken.append(True)
    for _ in range(2):
        with pytest.raises(lrcore.ScheduleError, match=f"expected a finite number at step {failing}"):
            run.update()
        assert run.weight.data().asscalar() == weight
        assert scheduler.state_dict(run.trainer) == state
    broken.clear()
    assert run.weights(15 - failing) == whole[failing:]


def test_a_function_that_raises_leaves_the_counts_of_all_weights() -> None:
    broken = [True]

    def rate(step: int) -> float:
        if step == 7 and broken:
            raise ZeroDivisionError
        return DYADIC(step)

    weights = [gluon.Parameter(f"weight{number}", shape=(1,), init="zeros") for number in range(6)]
    for weight in weights:
        weight.initialize(ctx=[mx.cpu(0), mx.cpu(1)])

    class Halved(LRScheduler):
        def __call__(self, num_update: int) -> float:
            return super().__call__(num_update) / 2

    scheduler = Halved(rate)
    trainer = gluon.Trainer(weights, "sgd", {"lr_scheduler": scheduler}, update_on_kvstore=False)

    def update() -> None:
        with autograd.record():
            losses = [weight.data(device).sum() for weight in weights for device in (mx.cpu(0), mx.cpu(1))]
        autograd.backward(losses)
        trainer.step(2)

    for _ in range(7):
        update()
    with pytest.raises(ZeroDivisionError):
        update()
    assert scheduler.state_dict(trainer)["step"] == 7
    broken.clear()
    for _ in range(3):
        update()
    assert {data.asscalar() for weight in weights for data in weight.list_data()} == {-sum(expected(DYADIC, 0, 10)) / 2}


def test_a_store_that_updates_prints_the_error_and_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    broken = [True]
    scheduler = LRScheduler(lambda step: float("nan") if step == 4 and broken else SCHEDULE(step))
    run = Run(scheduler, devices=[mx.cpu(0), mx.cpu(1)], update_on_kvstore=True)
    assert run.rates(6) == [*expected(SCHEDULE, 0, 4), 0.0, 0.0], "MXNet raises now: the docstring can say so"
    assert [one.exc_type for one in printed] == [lrcore.ScheduleError] * 2
    broken.clear()
    assert run.rates(5) == expected(SCHEDULE, 4, 9)


# --- plateaus ---------------------------------------------------------------------------------------------------------


def train_on_plateau(run: Run, scheduler: LRScheduler, first: int = 0, last: int = len(LOSSES)) -> list[float]:
    found = []
    for loss in LOSSES[first:last]:
        found += run.rates(6)
        scheduler.report(loss)
    return found


def test_a_plateau_scales_the_updates_that_follow() -> None:
    scheduler = LRScheduler(PLATEAU)
    found = train_on_plateau(Run(scheduler), scheduler)
    state, right = PLATEAU.initial(), []
    for epoch, loss in enumerate(LOSSES):
        right += [float(np.float32(PLATEAU.value(step, state))) for step in range(6 * epoch, 6 * epoch + 6)]
        state = PLATEAU.update(state, loss)
    assert found == right
    assert state.scale < 1


def finish_on_plateau(folder: Path, states: list[Any]) -> list[list[float]]:
    """In a new process, resume from each epoch, by `load_states` and by `load_state_dict`, and train to the end."""
    found = []
    for epoch, state in enumerate(states):
        for way in ("states", "state_dict"):
            scheduler = LRScheduler(PLATEAU)
            run = Run(scheduler)
            if way == "states":
                run.trainer.load_states(str(folder / str(epoch)))
                scheduler.sync(run.trainer)
            else:
                scheduler.load_state_dict(state, run.trainer)
            found.append(train_on_plateau(run, scheduler, first=epoch))
    return found


def test_a_plateau_interrupted_after_any_epoch(tmp_path: Path) -> None:
    scheduler = LRScheduler(PLATEAU)
    run = Run(scheduler)
    whole, states = [], []
    for epoch in range(len(LOSSES)):
        run.trainer.save_states(str(tmp_path / str(epoch)))
        states.append(scheduler.state_dict(run.trainer))
        whole += train_on_plateau(run, scheduler, epoch, epoch + 1)
    rests = in_new_process(finish_on_plateau, tmp_path, json.loads(json.dumps(states)))
    assert rests == [whole[6 * epoch :] for epoch in range(len(LOSSES)) for _ in range(2)]


def test_a_report_to_a_scheduler_that_load_states_replaced_is_warned_of(tmp_path: Path) -> None:
    path = str(tmp_path / "states")
    scheduler = LRScheduler(PLATEAU)
    run = Run(scheduler)
    train_on_plateau(run, scheduler, last=3)
    run.trainer.save_states(path)
    run.trainer.load_states(path)
    run.rates(6)
    with pytest.warns(UserWarning, match=r"no trainer has asked this scheduler since: .* call sync\(trainer\)"):
        scheduler.report(LOSSES[3])
    scheduler.sync(run.trainer)
    scheduler.report(LOSSES[4])


@pytest.mark.parametrize("by_sync", [False, True])
def test_another_mode_forgets_the_best_metric_aloud_and_keeps_the_rate(tmp_path: Path, *, by_sync: bool) -> None:
    """The best metric of the other mode would be compared in the wrong direction."""
    higher, lower = (lrcore.Plateau(OTHER, factor=0.5, patience=0, mode=mode) for mode in ("max", "min"))
    saved = LRScheduler(higher)
    run = Run(saved)
    run.rates(2)
    for metric in (-3.0, -4.0):
        saved.report(metric)
    configured = LRScheduler(lower, on_mismatch="use_config")
    message = r"the plateau's mode was 'max' and is 'min': best -3\.0 becomes inf"
    if by_sync:  # `run.trainer` has the saved scheduler, as after `load_states`
        with pytest.warns(UserWarning, match=message):
            configured.sync(run.trainer)
    else:
        state = saved.state_dict(run.trainer)
        run = Run(configured)
        with pytest.warns(UserWarning, match=message):
            configured.load_state_dict(state, run.trainer)
    rate = saved(3)
    for metric, expected_rate in ((-2.0, rate), (-2.5, rate), (-2.4, rate / 2)):
        configured.report(metric)
        assert configured(3) == expected_rate


def test_a_plateau_that_is_never_told_is_warned_of_once() -> None:
    scheduler = LRScheduler(PLATEAU)
    scheduler(1)
    scheduler(10_000)
    with pytest.warns(UserWarning, match=r"10,000 updates .* told no metric, .*; call report\(metric\)"):
        scheduler(10_001)  # MXNet counts from 1
    scheduler(30_000)
    never_told, told = (
        lrcore.save_state(9_990, PLATEAU, PLATEAU.initial()._replace(reports=n).to_dict()) for n in (0, 3)
    )
    for state, due in ((never_told, 10_000), (told, 19_990)):
        scheduler = LRScheduler(PLATEAU)
        scheduler.load_state_dict(state, Run(scheduler).trainer)
        for one in (copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler)), scheduler):
            one(due)
            with pytest.warns(UserWarning, match="told no metric"):
                one(due + 1)
    scheduler.load_state_dict(told, Run(scheduler).trainer)
    scheduler.report(0.5)
    scheduler(30_000)
    begun = LRScheduler(PLATEAU)
    begun(50_001)  # the first call of a trainer with begin_num_update=50_000
    begun(60_000)
    LRScheduler(SCHEDULE)(30_000)


def test_a_metric_may_be_an_array_of_mxnet() -> None:
    scheduler = LRScheduler(lrcore.Plateau(OTHER, factor=0.5, patience=0))
    for loss in (mx.nd.array([0.5]), mx.nd.array([[0.6]]), mx.np.array(0.7)):
        scheduler.report(loss)
    assert scheduler(9) == 0.0625
    with pytest.raises(lrcore.ScheduleError, match="expected a metric that is one number"):
        scheduler.report(mx.nd.zeros(2))


def test_a_metric_without_a_plateau_is_refused() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"report: expected a lrcore.Plateau, .* got Constant"):
        LRScheduler(OTHER).report(0.5)
    scheduler = LRScheduler(PLATEAU)
    before = scheduler.__getstate__()
    with pytest.raises(lrcore.ScheduleError, match="expected a metric that is one number"):
        scheduler.report("low")
    assert scheduler.__getstate__() == before


# --- importing --------------------------------------------------------------------------------------------------------


def error_of_import(before: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", f"{before}\nimport lrcore_mxnet"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    return run.stderr.splitlines()[-1]


@pytest.mark.parametrize("words", ["module 'numpy' has no attribute", "np.bool was removed in the NumPy 2.0 release:"])
def test_a_numpy_that_is_too_new_is_one_sentence(words: str) -> None:
    gone = f"import numpy\ndef gone(name):\n  raise AttributeError({words!r}, name)\nnumpy.__getattr__ = gone"
    said = error_of_import(gone)
    assert said.startswith("ImportError: lrcore_mxnet: MXNet ") and 'run: pip install "numpy<1.24"' in said


def test_a_missing_mxnet_is_one_sentence() -> None:
    said = error_of_import("import sys\nsys.modules['mxnet'] = None")
    assert said.endswith('lrcore_mxnet: needs MXNet, which is not installed; run: pip install "lrcore[mxnet]"')
