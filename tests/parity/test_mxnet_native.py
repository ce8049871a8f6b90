"""MXNet's schedulers and what `from_native` makes of them, asked for every update of a run."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path
from typing import Any

import mxnet as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mxnet.lr_scheduler import CosineScheduler, FactorScheduler, MultiFactorScheduler, PolyScheduler

import lrcore
import lrcore_mxnet
from tests.parity.comparison import DIFFERENCES, Conformance, known_difference

UPDATES = 150
EXACT = 1e-11
USED_DIFFERENCES: set[str] = set()

WARMUPS: list[dict[str, Any]] = [
    {},
    {"warmup_steps": 1, "warmup_begin_lr": 0.01},
    {"warmup_steps": 2},
    {"warmup_steps": 20, "warmup_begin_lr": 0.05},
    {"warmup_steps": 20, "warmup_begin_lr": 0.05, "warmup_mode": "constant"},
    {"warmup_steps": 37, "warmup_begin_lr": -0.1, "warmup_mode": "linear"},
]
GRIDS: dict[type, list[dict[str, Any]]] = {
    FactorScheduler: [
        {"step": 1, "factor": 0.97},
        {"step": 7, "factor": 0.5},
        {"step": 20, "factor": 0.1, "stop_factor_lr": 0.005},
        {"step": 20, "factor": 0.1, "stop_factor_lr": 0.7},
        {"step": 30, "factor": 0},
        {"step": 30, "factor": 1, "base_lr": 1e-9},
        {"step": 250, "factor": 0.5, "base_lr": 1},
    ],
    MultiFactorScheduler: [
        {"step": [15, 30], "factor": 0.5},
        {"step": [1, 2, 3], "factor": 0.1},
        {"step": [19, 20, 21, 100], "factor": 0.3},
        {"step": [10.5, 40], "factor": -0.5},
        {"step": [250, 750, 900], "factor": 0.5, "base_lr": 1},
    ],
    PolyScheduler: [
        {"max_update": 100},
        {"max_update": 100, "pwr": 1, "final_lr": 0.01},
        {"max_update": 149, "pwr": 0.9, "final_lr": 0.7},
        {"max_update": 38, "pwr": 3.5},
        {"max_update": 60, "pwr": 0},
        {"max_update": 10, "pwr": 2, "final_lr": 1e-3},
    ],
    CosineScheduler: [
        {"max_update": 100},
        {"max_update": 149, "final_lr": 0.01},
        {"max_update": 38, "final_lr": 0.9},
        {"max_update": 3},
        {"max_update": 60, "base_lr": 0.3, "final_lr": -0.1},
    ],
}
CASES = [
    pytest.param(cls, {"base_lr": 0.5, **options, **warmup}, id=f"{cls.__name__}-{number}")
    for cls, grid in GRIDS.items()
    for number, (options, warmup) in enumerate(itertools.product(grid, WARMUPS))
    if warmup.get("warmup_begin_lr", 0) <= options.get("base_lr", 0.5)
]

LEVELS = st.floats(0.0, 1.0)
WARMUP_OPTIONS = {
    "warmup_steps": st.integers(0, 60),
    "warmup_begin_lr": st.floats(-0.5, 0.1),
    "warmup_mode": st.sampled_from(["linear", "constant"]),
}
OPTIONS: dict[type, Any] = {
    FactorScheduler: {"step": st.integers(1, 60), "factor": LEVELS, "stop_factor_lr": st.floats(0.0, 0.5)},
    MultiFactorScheduler: {
        "step": st.lists(st.integers(1, 140), min_size=1, max_size=6, unique=True).map(sorted),
        "factor": st.floats(-1.0, 1.0),
    },
    PolyScheduler: {"max_update": st.integers(1, 200), "pwr": st.floats(0.05, 8.0), "final_lr": LEVELS},
    CosineScheduler: {"max_update": st.integers(1, 200), "final_lr": LEVELS},
}


def rates(native: Any, updates: int = UPDATES) -> list[float]:
    return [float(native(number)) for number in range(1, updates + 1)]


@pytest.mark.parametrize(("cls", "options"), CASES)
def test_native_and_import_agree(conformance: Conformance, cls: type, options: dict[str, Any]) -> None:
    schedule = lrcore_mxnet.from_native(cls(**options))
    conformance.compare(cls.__name__, schedule, rates(cls(**options)), tolerance=EXACT)
    assert lrcore.loads(lrcore.dumps(schedule)) == schedule


@pytest.mark.parametrize("cls", OPTIONS)
@settings(max_examples=40)
@given(data=st.data())
def test_any_options_agree(conformance: Conformance, cls: type, data: st.DataObject) -> None:
    options: dict[str, Any] = data.draw(st.fixed_dictionaries({}, optional=WARMUP_OPTIONS)) | {
        "base_lr": data.draw(st.floats(0.1, 1.0))
    }
    options |= data.draw(st.fixed_dictionaries(OPTIONS[cls]))
    if options.get("warmup_steps") == options.get("max_update", -1):
        options["max_update"] += 1
    schedule = lrcore_mxnet.from_native(cls(**options))
    conformance.compare(cls.__name__, schedule, rates(cls(**options)), tolerance=EXACT)
    assert lrcore.from_dict(schedule.to_dict()) == schedule


@pytest.mark.parametrize(("cls", "options"), CASES)
def test_a_native_that_was_asked_before_imports_as_a_fresh_one(cls: type, options: dict[str, Any]) -> None:
    native = cls(**options)
    fresh = lrcore_mxnet.from_native(native)
    for number in (1, 30, 64, 120):
        native(number)
        assert lrcore_mxnet.from_native(native) == fresh


def test_a_rate_that_the_optimizer_replaced_is_the_one_that_is_used() -> None:
    native = FactorScheduler(10, factor=0.5, base_lr=0.1, warmup_steps=5)
    mx.optimizer.Adam(lr_scheduler=native)
    assert native.base_lr == 0.001
    schedule = lrcore_mxnet.from_native(native)
    walked = rates(native)
    assert [schedule(step) for step in range(UPDATES)] == pytest.approx(walked, rel=EXACT)
    assert [lrcore_mxnet.from_native(native)(step) for step in range(40)] == pytest.approx(walked[:40], rel=EXACT)


def test_function_of_num_update_is_asked_one_ahead() -> None:
    schedule = lrcore_mxnet.from_native(lambda number: 0.1 / number)
    assert [schedule(step) for step in (0, 1, 4)] == [0.1, 0.05, 0.02]
    with pytest.raises(lrcore.ScheduleError, match="cannot be written"):
        schedule.to_dict()


def test_own_scheduler_gives_back_its_schedule() -> None:
    schedule = lrcore.Constant(0.1).warmup(5)
    assert lrcore_mxnet.from_native(lrcore_mxnet.LRScheduler(schedule)) is schedule


def test_native_step_is_the_number_of_updates_that_the_optimizer_made() -> None:
    weight = mx.gluon.Parameter("weight", shape=1, init="zeros")
    weight.initialize()
    trainer = mx.gluon.Trainer([weight], "sgd", {"lr_scheduler": FactorScheduler(2)})
    for _ in range(3):
        with mx.autograd.record():
            loss = weight.data().sum()
        loss.backward()
        trainer.step(1)
    assert lrcore_mxnet.native_step(trainer) == lrcore_mxnet.native_step(trainer.optimizer) == 3
    with pytest.raises(lrcore.ScheduleError, match=r"expected a gluon\.Trainer, .* or an optimizer; got <mxnet"):
        lrcore_mxnet.native_step(FactorScheduler(2))


class Raised(FactorScheduler):
    """A user's scheduler that changes when it is asked."""

    def __call__(self, num_update: int) -> float:
        return 1.5 * float(super().__call__(num_update))


class RootOf(mx.lr_scheduler.LRScheduler):
    """A user's scheduler whose rate is a function of num_update."""

    def __call__(self, num_update: int) -> float:
        return float(self.base_lr) / num_update**0.5


class MultipliedAtEachCall:
    """The FactorScheduler of Dive into Deep Learning, which is no subclass."""

    def __init__(self, factor: float, base_lr: float) -> None:
        self.factor, self.base_lr = factor, base_lr

    def __call__(self, num_update: int) -> float:
        self.base_lr *= self.factor
        return self.base_lr


OWN: dict[str, Any] = {
    "a subclass of FactorScheduler": lambda: Raised(3, 0.5),
    "a subclass of CosineScheduler": lambda: type("Own", (CosineScheduler,), {})(20, base_lr=0.3, final_lr=0.1),
    "a subclass of LRScheduler": lambda: RootOf(base_lr=0.3),
    "any class": lambda: MultipliedAtEachCall(0.9, 2.0),
}


@pytest.mark.parametrize("make", OWN.values(), ids=OWN)
def test_a_scheduler_of_ones_own_gives_the_rates_that_a_trainer_gets_from_it(make: Any) -> None:
    native = make()
    schedule = lrcore_mxnet.from_native(native)
    walked = rates(native)
    assert [schedule(step) for step in (60, 3, 3, 149, 0)] == [walked[step] for step in (60, 3, 3, 149, 0)]
    assert [schedule(step) for step in range(UPDATES)] == walked


def test_the_schedule_of_ones_own_scheduler_trains_resumes_and_is_pickled(tmp_path: Path) -> None:
    def trainer_of(scheduler: Any) -> mx.gluon.Trainer:
        weight = mx.gluon.Parameter("weight", shape=1, init="zeros")
        weight.initialize()
        return mx.gluon.Trainer([weight], "sgd", {"lr_scheduler": scheduler, "learning_rate": None})

    path, native = str(tmp_path / "states"), Raised(3, 0.5)
    scheduler = lrcore_mxnet.LRScheduler(lrcore_mxnet.from_native(native))
    trainer_of(scheduler).save_states(path)
    trainer_of(lrcore_mxnet.LRScheduler(lrcore_mxnet.from_native(Raised(3, 0.5)))).load_states(path)
    with pytest.raises(lrcore.ScheduleError, match="the saved schedule is not the configured one"):
        trainer_of(lrcore_mxnet.LRScheduler(lrcore_mxnet.from_native(Raised(3, 0.4)))).load_states(path)
    copied = pickle.loads(pickle.dumps(scheduler))
    assert [copied(number) for number in range(1, 20)] == rates(native, 19)


@pytest.mark.parametrize(
    ("native", "message"),
    [
        (mx.lr_scheduler.LRScheduler(), "expected one of FactorScheduler, .* function of num_update; got LRScheduler"),
        (CosineScheduler, "got the class CosineScheduler"),
        (3, "got int"),
        (CosineScheduler(20, warmup_steps=20), "MXNet divides by 0; got 20 for both"),
        (PolyScheduler(20, warmup_steps=20), "MXNet divides by 0"),
        (PolyScheduler(20, warmup_steps=20, pwr=0), "MXNet divides by 0"),
        (PolyScheduler(20, pwr=-1), "expected pwr >= 0"),
        (FactorScheduler(2.5, factor=0.5), "expected a whole number of updates as step; got 2.5"),
        (FactorScheduler(2, factor=-0.5), "expected factor >= 0; got -0.5"),
    ],
)
def test_what_cannot_be_imported_is_said(native: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_mxnet.from_native(native)


def asked_past_the_end(cls: type) -> None:
    native = cls(10, base_lr=0.1, final_lr=0.01)
    assert lrcore_mxnet.from_native(native)(19) == native(20)


@known_difference("mxnet-past-the-end")
@pytest.mark.parametrize("cls", [PolyScheduler, CosineScheduler])
def test_fresh_native_past_the_end(cls: type) -> None:
    asked_past_the_end(cls)


@known_difference("mxnet-asked-backwards")
@pytest.mark.parametrize("native", [FactorScheduler(5, 0.5), MultiFactorScheduler([5, 10], 0.5)])
def test_native_asked_backwards(native: Any) -> None:
    schedule = lrcore_mxnet.from_native(native)
    native(30)
    assert native(3) == schedule(2)


def test_every_difference_is_shown() -> None:
    shown = {"mxnet-past-the-end", "mxnet-asked-backwards"}
    assert shown == {row["name"] for row in DIFFERENCES if row["framework"] == "mxnet"}
