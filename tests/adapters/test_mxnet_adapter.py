"""Tests of the MXNet adapter that measure the weights: with SGD and gradient 1 a weight moves by the learning rate."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd, gluon
from mxnet.contrib import amp

import lrcore
import lrcore_mxnet
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


@pytest.mark.parametrize("form", ["path", "Path", "text", "dict", "mapping"])
def test_a_schedule_may_be_a_file_a_text_or_a_dict(form: str, tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(SCHEDULE, format="toml"))
    plain = SCHEDULE.to_dict()
    forms: dict[str, Any] = {
        "path": str(path),
        "Path": path,
        "text": lrcore.dumps(SCHEDULE, format="json"),
        "dict": plain,
        "mapping": MappingProxyType(plain),
    }
    scheduler = LRScheduler(forms[form])
    assert scheduler.schedule == SCHEDULE
    assert Run(scheduler).rates(5) == expected(SCHEDULE, 0, 5)


def test_a_file_with_a_plateau_gives_a_plateau() -> None:
    scheduler = LRScheduler({"kind": "constant", "value": 0.25, "plateau": {"factor": 0.5, "patience": 0}})
    for _ in range(2):
        scheduler.report(1.0)
    assert Run(scheduler).rates(1) == [0.125]


def test_a_schedule_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"lrcore_mxnet\.LRScheduler\.schedule: .*nowhere\.toml"):
        LRScheduler("nowhere.toml")


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
def test_every_store_and_number_of_devices_trains_alike(
    kvstore: str | None, devices: int, update_on_kvstore: bool | None
) -> None:
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


def test_lbsgd_follows_the_schedule_with_first_0() -> None:
    scheduler = LRScheduler(SCHEDULE, first=0)
    run = Run(scheduler, "lbsgd", warmup_epochs=0)
    assert run.rates(30) == expected(SCHEDULE, 0, 30)
    state = scheduler.state_dict(run.trainer)
    assert state["step"] == 30
    resumed = Run(scheduler, "lbsgd", warmup_epochs=0)
    scheduler.load_state_dict(state, resumed.trainer)
    assert resumed.rates(30) == expected(SCHEDULE, 30, 60)


def test_an_optimizer_that_asks_before_it_counts_is_warned_of_once() -> None:
    run = Run(LRScheduler(SCHEDULE), "lbsgd", warmup_epochs=0)
    assert run.trainer.learning_rate == SCHEDULE(0)  # not an update
    with pytest.warns(
        UserWarning, match="LBSGD asks for the rate before it counts the update, .* pass first=0"
    ) as caught:
        run.weights(3)
    assert len(caught) == 1


def test_lr_mult_multiplies_the_rate_before_it_is_rounded() -> None:
    for factor in (1.0, 0.1, 0.0):
        run = Run(LRScheduler(SCHEDULE))
        run.weight.lr_mult = factor
        assert run.rates(UPDATES) == [float(np.float32(SCHEDULE(step) * factor)) for step in range(UPDATES)]


def test_begin_num_update_is_the_step_at_which_the_schedule_begins() -> None:
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
def test_two_workers_and_a_server_follow_and_load_the_schedule(update_on_kvstore: bool) -> None:
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
def test_module_fit_uses_the_schedule(kvstore: str | None) -> None:
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
    assert state["step"] == lrcore_mxnet.native_step(module) == 10

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


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
def test_states_without_a_number_of_updates_are_warned_of(tmp_path: Path) -> None:
    prefix = str(tmp_path / "model")
    trained_module(LRScheduler(DYADIC), 10).save_checkpoint(prefix, 1, save_optimizer_states=True)

    def resumed(**options: Any) -> Any:
        module = mx.mod.Module.load(prefix, 1, load_optimizer_states=True)
        module.bind([("data", (1, 1))], [("softmax_label", (1, 1))])
        module.init_optimizer(optimizer_params=options)
        return module

    with pytest.warns(UserWarning, match=r"no number of updates, so .* step 0; call load_state_dict\(state, module\)"):
        resumed(lr_scheduler=LRScheduler(DYADIC))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        resumed(lr_scheduler=LRScheduler(DYADIC), begin_num_update=10)
        resumed(lr_scheduler=mx.lr_scheduler.FactorScheduler(5))


@pytest.mark.parametrize("kvstore", ["local", None])
def test_a_module_of_svrg_is_counted_where_its_updates_are_made(kvstore: str | None) -> None:
    svrg = pytest.importorskip("mxnet.contrib.svrg_optimization.svrg_module")
    weight, label = mx.sym.var("weight", shape=(1,)), mx.sym.var("softmax_label")
    loss = mx.sym.MakeLoss(mx.sym.broadcast_mul(mx.sym.var("data"), weight) + 0 * label)
    module, scheduler = svrg.SVRGModule(loss, update_freq=1), LRScheduler(DYADIC)
    data = mx.io.NDArrayIter(mx.nd.ones((5, 1)), mx.nd.ones((5, 1)), batch_size=1)
    module.fit(
        data,
        eval_metric=mx.metric.Loss(),
        num_epoch=1,
        kvstore=kvstore,
        optimizer_params={"lr_scheduler": scheduler},
        initializer=mx.init.Zero(),
    )
    assert scheduler.state_dict(module) == lrcore.save_state(5, DYADIC)
    assert lrcore_mxnet.native_step(module) == 5
    scheduler.load_state_dict(lrcore.save_state(40, DYADIC), module)
    before = value_of(module)
    batch = mx.io.DataBatch([mx.nd.ones((1, 1))], [mx.nd.ones((1, 1))])
    module.forward_backward(batch)
    module.update()
    assert before - value_of(module) == DYADIC(40)


def test_a_bucketing_module_counts_over_all_buckets() -> None:
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


def test_a_store_and_an_updater_follow_the_schedule_without_a_trainer() -> None:
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


def test_an_update_that_loss_scaling_skips_is_not_counted() -> None:
    right = [float(np.float16(-sum(expected(DYADIC, 0, updates)))) for updates in (0, 0, 1, 2, 3, 4)]
    assert in_new_process(trained_with_loss_scaling) == right


# --- reading ----------------------------------------------------------------------------------------------------------


def test_asking_changes_nothing() -> None:
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


def test_a_number_that_is_no_count_is_refused() -> None:
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


def test_a_warning_says_that_base_lr_is_unchanged_where_mxnet_prints_the_opposite() -> None:
    """MXNet prints that the rate of the scheduler has been overwritten."""
    scheduler = LRScheduler(lrcore.Exponential(init_value=1.0, decay_rate=0.5, decay_steps=250, staircase=True))
    with pytest.warns(
        UserWarning, match=r"learning_rate 0\.1 is not used, whatever MXNet prints: .*base_lr is still 1\.0"
    ):
        optimizer = mx.optimizer.SGD(learning_rate=0.1, lr_scheduler=scheduler)
    assert optimizer.lr_scheduler.base_lr == optimizer.learning_rate == 1.0


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


def finish(folder: Path, weights: list[float], optimizer: str, schedule: Any) -> list[list[float]]:
    """In a new process, load the file of each update but the last and train to the end; return the weights of each run."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for made, weight in enumerate(weights[:-1], 1):
            scheduler = LRScheduler(schedule)
            run = Run(scheduler, optimizer, **OPTIMIZERS[optimizer])
            run.weight.set_data(mx.nd.array([weight]))
            run.trainer.load_states(str(folder / str(made)))
            if made % 2:
                scheduler.sync(run.trainer)  # changes nothing
            assert run.trainer.optimizer.lr_scheduler is scheduler
            found.append(run.weights(len(weights) - made))
    return found


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_run_that_is_resumed_after_any_update_in_a_new_process_trains_on_as_if_never_stopped(
    optimizer: str, tmp_path: Path
) -> None:
    schedule = lrcore.Function(falling) if optimizer == "nag" else SCHEDULE
    run = Run(LRScheduler(schedule), optimizer, **OPTIMIZERS[optimizer])
    whole = []
    for made in range(1, UPDATES + 1):
        whole += run.weights(1)
        run.trainer.save_states(str(tmp_path / str(made)))
    rests = in_new_process(finish, tmp_path, whole, optimizer, schedule)
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


def test_a_run_that_is_resumed_without_the_optimizers_states_trains_on_as_if_never_stopped() -> None:
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
def test_states_of_another_device_go_on_counting(
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
    assert resumed.weights(20) == whole[20:]
    assert scheduler.state_dict(resumed.trainer)["step"] == 40


def test_the_state_is_the_same_as_in_every_adapter() -> None:
    scheduler = LRScheduler(SCHEDULE)
    run = Run(scheduler)
    run.weights(12)
    state = scheduler.state_dict(run.trainer)
    assert state == lrcore.save_state(12, SCHEDULE) == json.loads(json.dumps(state))
    assert scheduler.state_dict(run.trainer.optimizer) == state


def test_a_state_of_another_adapter_is_loaded() -> None:
    for made in range(UPDATES):
        scheduler = LRScheduler(SCHEDULE)
        run = Run(scheduler)
        for _ in range(2):  # a second load changes nothing
            scheduler.load_state_dict({**lrcore.save_state(made, SCHEDULE), "last_epoch": made}, run.trainer)
        assert run.rates(3) == expected(SCHEDULE, made, made + 3)


def test_adam_without_moments_needs_a_shifted_schedule_instead_of_a_loaded_count() -> None:
    def adam(schedule: lrcore.Schedule, state: Any = None) -> list[float]:
        scheduler = LRScheduler(schedule)
        run = Run(scheduler, "adam", learning_rate=None)
        if state:
            scheduler.load_state_dict(state, run.trainer)
        return run.rates(10)

    constant = lrcore.Constant(0.1)
    assert adam(constant, lrcore.save_state(10_000, constant))[0] == pytest.approx(0.1 * 10**0.5, rel=1e-4)
    assert adam(lrcore.Shift(DYADIC, 30)) == pytest.approx(expected(DYADIC, 30, 40), rel=1e-4)


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


def test_a_state_may_be_loaded_in_mid_run() -> None:
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


def saved_states(path: Path, scheduler: Any, updates: int = 20, **options: Any) -> str:
    """Train with a scheduler, save the trainer's states, and return the path of the file."""
    run = Run(scheduler, **options)
    run.weights(updates)
    run.trainer.save_states(str(path))
    return str(path)


def test_states_of_another_schedule_raise_an_error_with_the_first_difference_and_change_nothing(
    tmp_path: Path,
) -> None:
    path = saved_states(tmp_path / "states", LRScheduler(SCHEDULE), momentum=0.9)
    scheduler = LRScheduler(OTHER)
    run = Run(scheduler)
    run.weights(3)
    optimizer = run.trainer.optimizer
    for _ in range(2):
        with pytest.raises(
            lrcore.ScheduleError, match=r"LRScheduler: the saved schedule is not .* at step 0 it gives 0\.0 "
        ):
            run.trainer.load_states(path)
        assert run.trainer.optimizer is optimizer
        assert optimizer.lr_scheduler is scheduler
        assert run.rates(3) == expected(OTHER, 0, 3)


FALLING = lrcore.PiecewiseConstant(
    boundaries=[5], values=[0.5, 0.25]
)  # what FactorScheduler(5, 0.5) gives 10 updates long
OTHERS: dict[str, tuple[Any, lrcore.Schedule]] = {
    "an LRScheduler": (lambda: LRScheduler(SCHEDULE), SCHEDULE),
    "a scheduler of MXNet": (lambda: mx.lr_scheduler.FactorScheduler(5, 0.5, 0.25, base_lr=0.5), FALLING),
    "a fixed rate": (lambda: None, lrcore.Constant(0.01)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_on_mismatch_decides_when_states_with_other_rates_are_loaded(name: str, tmp_path: Path) -> None:
    make, saved = OTHERS[name]
    path = saved_states(tmp_path / "states", make(), 7)
    for policy, schedule in (("keep_checkpoint", saved), ("use_config", OTHER)):
        scheduler = LRScheduler(OTHER, on_mismatch=policy)  # type: ignore[arg-type]
        run = Run(scheduler)
        run.trainer.load_states(path)
        assert run.rates(10) == expected(schedule, 7, 17)
        assert scheduler.state_dict(run.trainer)["step"] == 17
    for policy in ("error", "same_past"):
        run = Run(LRScheduler(OTHER, on_mismatch=policy))  # type: ignore[arg-type]
        with pytest.raises(lrcore.ScheduleError, match="the saved schedule "):
            run.trainer.load_states(path)
        assert run.rates(3) == expected(OTHER, 0, 3)
    goes_on = LRScheduler(saved)
    run = Run(goes_on)
    run.trainer.load_states(path)
    assert run.rates(10) == expected(saved, 7, 17)


def test_states_of_a_native_that_cannot_be_read_go_on_with_the_configured_schedule_if_asked(tmp_path: Path) -> None:
    path = saved_states(tmp_path / "states", mx.lr_scheduler.CosineScheduler(20, base_lr=0.5, warmup_steps=20), 7)
    with pytest.raises(lrcore.ScheduleError, match="MXNet divides by 0"):
        Run(LRScheduler(OTHER)).trainer.load_states(path)
    run = Run(LRScheduler(OTHER, on_mismatch="use_config"))
    run.trainer.load_states(path)
    assert run.rates(3) == expected(OTHER, 7, 10)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
@pytest.mark.parametrize("policy", ["error", "use_config"])
def test_the_checkpoint_handler_of_an_estimator_applies_on_mismatch(policy: Any, tmp_path: Path) -> None:
    estimators = gluon.contrib.estimator

    def fit(scheduler: Any, epochs: int, *, resume: bool) -> Any:
        net = gluon.nn.HybridSequential()
        net.add(gluon.nn.Dense(1, in_units=1))
        net.initialize()
        trainer = gluon.Trainer(net.collect_params(), "sgd", {"lr_scheduler": scheduler})
        estimator = estimators.Estimator(net, gluon.loss.L2Loss(), trainer=trainer)
        data = gluon.data.DataLoader(gluon.data.ArrayDataset(mx.nd.ones((4, 1)), mx.nd.ones((4, 1))), 1)
        handler = estimators.CheckpointHandler(str(tmp_path), resume_from_checkpoint=resume)
        estimator.fit(data, epochs=epochs, event_handlers=[handler])
        return trainer

    fit(mx.lr_scheduler.FactorScheduler(5, 0.5, base_lr=0.5), 1, resume=False)
    scheduler = LRScheduler(OTHER, on_mismatch=policy)
    if policy == "error":
        with pytest.raises(lrcore.ScheduleError, match=r"the saved schedule is not .*; set on_mismatch to"):
            fit(scheduler, 2, resume=True)
    else:
        trainer = fit(scheduler, 2, resume=True)
        assert scheduler.state_dict(trainer) == lrcore.save_state(8, OTHER)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
def test_a_store_and_an_updater_that_load_states_apply_on_mismatch(tmp_path: Path) -> None:
    def stored(scheduler: Any) -> Any:
        store = mx.kv.create("local")
        store.set_optimizer(mx.optimizer.SGD(lr_scheduler=scheduler))
        store.init(0, mx.nd.zeros(1))
        store.push(0, mx.nd.ones(1))
        return store

    path = str(tmp_path / "states")
    stored(mx.lr_scheduler.FactorScheduler(5)).save_optimizer_states(path, dump_optimizer=True)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        stored(LRScheduler(OTHER)).load_optimizer_states(path)
    scheduler = LRScheduler(OTHER, on_mismatch="use_config")
    store = stored(scheduler)
    store.load_optimizer_states(path)
    assert scheduler.state_dict(store) == lrcore.save_state(1, OTHER)

    updater = mx.optimizer.get_updater(mx.optimizer.SGD(lr_scheduler=LRScheduler(OTHER)))
    native = mx.optimizer.get_updater(mx.optimizer.SGD(learning_rate=0.5))
    with pytest.raises(lrcore.ScheduleError, match=r"at step 0 it gives 0\.5 and the configured one 0.25"):
        updater.set_states(native.get_states(dump_optimizer=True))


def test_states_without_an_lrcore_scheduler_are_loaded_as_mxnet_does(tmp_path: Path) -> None:
    path = saved_states(tmp_path / "states", mx.lr_scheduler.FactorScheduler(5, 0.5, base_lr=0.5), 7)
    run = Run(None)
    run.trainer.load_states(path)
    assert run.rates(5) == [0.25, 0.25, 0.25, 0.125, 0.125]


def test_a_trainer_without_a_scheduler_takes_the_one_in_the_states(tmp_path: Path) -> None:
    path = saved_states(tmp_path / "states", LRScheduler(SCHEDULE))
    run = Run(None)
    run.trainer.load_states(path)
    assert run.rates(5) == expected(SCHEDULE, 20, 25)


def test_each_of_two_trainers_keeps_its_own_scheduler(tmp_path: Path) -> None:
    paths = [saved_states(tmp_path / str(number), LRScheduler(one)) for number, one in enumerate((SCHEDULE, OTHER))]
    runs = [Run(LRScheduler(one)) for one in (SCHEDULE, OTHER)]
    for run, path in zip(runs, paths, strict=True):
        run.trainer.load_states(path)
    assert [run.rates(3) for run in runs] == [expected(SCHEDULE, 20, 23), expected(OTHER, 20, 23)]
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        runs[0].trainer.load_states(paths[1])


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # MXNet leaves the file open
@pytest.mark.parametrize("kvstore", ["device", "local", None])
def test_states_that_are_refused_change_nothing_on_two_devices(kvstore: str | None, tmp_path: Path) -> None:
    options: dict[str, Any] = {"devices": [mx.cpu(0), mx.cpu(1)], "kvstore": kvstore, "momentum": 0.9}
    native = mx.lr_scheduler.FactorScheduler(5, 0.5, base_lr=0.5)
    path = saved_states(tmp_path / "states", native, **options)
    whole = Run(LRScheduler(DYADIC), **options).weights(9)
    run = Run(LRScheduler(DYADIC), **options)
    run.weights(4)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        run.trainer.load_states(path)
    assert run.weights(5) == whole[4:]


def test_sync_with_a_trainer_that_follows_another_lrcore_scheduler_applies_on_mismatch() -> None:
    run = Run(LRScheduler(SCHEDULE))
    run.weights(20)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        LRScheduler(OTHER).sync(run.trainer)
    assert run.rates(3) == expected(SCHEDULE, 20, 23)
    LRScheduler(OTHER, on_mismatch="use_config").sync(run.trainer)
    assert run.rates(3) == expected(OTHER, 23, 26)


numerator_now = 0.1


def rewritten(step: int) -> float:
    """A function that can be pickled, whose code changes."""
    return numerator_now / (step + 1)


def save_with_function(path: str, numerator: float) -> None:
    """In another process, where `rewritten` may have other code, save the states of 20 updates with it."""
    global numerator_now  # noqa: PLW0603
    numerator_now = numerator
    saved_states(Path(path), LRScheduler(rewritten))


def a_function(numerator: float) -> lrcore.Function:
    """Return a schedule whose function cannot be pickled and has the same name for any numerator."""
    return lrcore.Function(lambda step: numerator / (step + 1))


@pytest.mark.parametrize("configured", [True, False])
@pytest.mark.parametrize("changed", [False, True])
def test_load_states_notices_that_a_function_was_rewritten(tmp_path: Path, changed: bool, configured: bool) -> None:
    path = str(tmp_path / "states")
    if configured:
        saved_states(tmp_path / "states", LRScheduler(a_function(0.1)))
        run = Run(LRScheduler(a_function(0.2 if changed else 0.1)))
    else:  # pickle stores the function by its name
        in_new_process(save_with_function, path, 0.2 if changed else 0.1)
        run = Run(None)
    if not changed:
        run.trainer.load_states(path)
        assert run.rates(1) == expected(a_function(0.1), 20, 21)
        return
    for _ in range(2):
        with pytest.raises(
            lrcore.ScheduleError, match=r"at step 0, .* it gave 0\.[12] and the configured one gives 0\.[12]"
        ):
            run.trainer.load_states(path)
    if configured:
        scheduler = LRScheduler(a_function(0.2), on_mismatch="use_config")
        run = Run(scheduler)
        run.trainer.load_states(path)
        assert run.rates(1) == expected(a_function(0.2), 20, 21)


def test_a_state_of_several_schedules_is_refused() -> None:
    scheduler = LRScheduler(SCHEDULE, on_mismatch="keep_checkpoint")
    run = Run(scheduler)
    with pytest.raises(lrcore.ScheduleError, match=r"expected a state of one schedule, as configured; got "):
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


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(
        lrcore.ScheduleError, match="expected one of error, keep_checkpoint, use_config, same_past; got 'raise'"
    ):
        LRScheduler(SCHEDULE, on_mismatch="raise")  # type: ignore[arg-type]
    with pytest.raises(lrcore.ScheduleError, match=r"schedule: expected a lrcore schedule, a function .*; got 0\.1"):
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


def test_a_lambda_is_taken_from_the_configured_scheduler(tmp_path: Path) -> None:
    path = str(tmp_path / "states")

    def made() -> Run:
        return Run(LRScheduler(lambda step: 0.5 / (step + 1)))

    run = made()
    run.weights(3)
    run.trainer.save_states(path)
    resumed = made()
    resumed.trainer.load_states(path)
    assert resumed.rates(3) == [float(np.float32(0.5 / (step + 1))) for step in (3, 4, 5)]


def test_a_pickled_lambda_raises_an_error_when_it_is_asked() -> None:
    read = pickle.loads(pickle.dumps(LRScheduler(lambda step: 0.1)))
    with pytest.raises(
        lrcore.ScheduleError, match=r"expected a function that can be pickled; got .*<lambda>.*, of which"
    ):
        read(1)


def test_a_lambda_is_not_sent_to_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMLC_ROLE", "worker")
    with pytest.raises(
        lrcore.ScheduleError, match=r"expected a function that can be pickled, .*servers; got .*<lambda>"
    ):
        pickle.dumps(LRScheduler(lambda step: 0.1))


def test_a_plateau_is_not_sent_to_a_server_which_no_metric_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMLC_ROLE", "worker")
    with pytest.raises(
        lrcore.ScheduleError, match=r"expected a schedule, since the store makes .* update_on_kvstore=False"
    ):
        pickle.dumps(mx.optimizer.SGD(lr_scheduler=LRScheduler(PLATEAU)), 0)  # as a store does
    pickle.dumps(mx.optimizer.SGD(lr_scheduler=LRScheduler(SCHEDULE)), 0)
    pickle.dumps(mx.optimizer.SGD(lr_scheduler=LRScheduler(PLATEAU)))  # as `save_states` does


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


@pytest.mark.parametrize("scheduler", [LRScheduler(SCHEDULE), mx.lr_scheduler.FactorScheduler(5), None])
def test_states_with_a_lambda_that_no_scheduler_follows_raise_an_error_and_change_nothing(
    scheduler: Any, tmp_path: Path
) -> None:
    path = saved_states(tmp_path / "states", LRScheduler(lambda step: 0.1), 3)
    resumed = Run(scheduler)
    optimizer = resumed.trainer.optimizer
    with pytest.raises(
        lrcore.ScheduleError, match=r"the saved schedule is not|expected a function that can be .*<lambda>"
    ):
        resumed.trainer.load_states(path)
    assert resumed.trainer.optimizer is optimizer


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


def test_a_plateau_that_is_resumed_after_any_epoch_trains_on_as_if_never_stopped(tmp_path: Path) -> None:
    scheduler = LRScheduler(PLATEAU)
    run = Run(scheduler)
    whole, states = [], []
    for epoch in range(len(LOSSES)):
        run.trainer.save_states(str(tmp_path / str(epoch)))
        states.append(scheduler.state_dict(run.trainer))
        whole += train_on_plateau(run, scheduler, epoch, epoch + 1)
    rests = in_new_process(finish_on_plateau, tmp_path, json.loads(json.dumps(states)))
    assert rests == [whole[6 * epoch :] for epoch in range(len(LOSSES)) for _ in range(2)]


def test_a_report_after_load_states_scales_the_updates_that_follow(tmp_path: Path) -> None:
    path = str(tmp_path / "states")
    scheduler = LRScheduler(PLATEAU)
    run = Run(scheduler)
    whole = train_on_plateau(run, scheduler, last=3)
    run.trainer.save_states(path)
    whole += train_on_plateau(run, scheduler, first=3)
    run.trainer.load_states(path)
    assert train_on_plateau(run, scheduler, first=3) == whole[18:]


@pytest.mark.parametrize("by_sync", [False, True])
def test_another_mode_resets_the_best_metric_with_a_warning_and_keeps_the_rate(
    tmp_path: Path, *, by_sync: bool
) -> None:
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


def test_a_plateau_that_is_told_no_metric_is_warned_of_once() -> None:
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


def not_initialised() -> int:
    raise ValueError


@pytest.mark.parametrize("horovod", [True, False])
@pytest.mark.parametrize(("workers", "warned"), [(2, 1), (1, 0), (0, 0)])
def test_workers_that_each_report_a_metric_are_warned_once(
    monkeypatch: pytest.MonkeyPatch, workers: int, warned: int, horovod: bool
) -> None:
    if horovod:
        size = (lambda: workers) if workers else not_initialised
        monkeypatch.setitem(sys.modules, "horovod.mxnet", SimpleNamespace(size=size))
    elif workers:
        monkeypatch.setenv("DMLC_ROLE", "worker")
        monkeypatch.setenv("DMLC_NUM_WORKER", str(workers))
    scheduler = LRScheduler(PLATEAU)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler.report(0.5)
        scheduler.report(0.4)
    assert ["report the mean over the workers" in str(one.message) for one in caught] == [True] * warned


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
def test_a_numpy_that_is_too_new_is_refused_in_one_sentence(words: str) -> None:
    gone = f"import numpy\ndef gone(name):\n  raise AttributeError({words!r}, name)\nnumpy.__getattr__ = gone"
    said = error_of_import(gone)
    assert said.startswith("ImportError: lrcore_mxnet: MXNet ") and 'run: pip install "numpy<1.24"' in said


def test_a_missing_mxnet_is_reported_in_one_sentence() -> None:
    said = error_of_import("import sys\nsys.modules['mxnet'] = None")
    assert said.endswith('lrcore_mxnet: needs MXNet, which is not installed; run: pip install "lrcore[mxnet]"')
