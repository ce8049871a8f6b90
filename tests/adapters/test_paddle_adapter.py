"""The scheduler in a loop of one's own: its rates, its states, and what is refused."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest

import lrcore
from lrcore_paddle import LRScheduler
from tests.adapters.paddle_runs import (
    LOSSES,
    OTHER,
    PLATEAU,
    SCHEDULE,
    Run,
    expected,
    falling,
    float32,
    in_new_process,
    new_weight,
    train_on_plateau,
)
from tests.kinds import KINDS, UPDATES

COUNT: Any = np.int64(40)  # the count of a trainer that counts with numpy

# Paddle's own code causes these warnings.
pytestmark = [
    pytest.mark.filterwarnings("ignore:To copy construct from a tensor:UserWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:paddle"),
]


# --- the rate of each update ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_update_uses_the_schedule(kind: str) -> None:
    assert Run(LRScheduler(KINDS[kind])).rates(UPDATES) == expected(KINDS[kind])


def test_a_python_function_is_a_schedule() -> None:
    assert Run(LRScheduler(falling)).rates(20) == expected(lrcore.Function(falling), 0, 20)


def test_a_python_function_is_asked_once_for_each_update() -> None:
    asked = []

    def rate(step: int) -> float:
        asked.append(step)
        return 0.5

    run = Run(LRScheduler(rate))
    assert run.rates(5) == [0.5] * 5
    assert asked == [0, 1, 2, 3, 4, 5]


def test_rates_down_to_1e_35_reach_the_weight() -> None:
    values = np.exp(np.random.default_rng(1).uniform(-80, 0, 400)).tolist()
    schedule = lrcore.PiecewiseConstant(boundaries=range(1, 400), values=values)
    assert Run(LRScheduler(schedule)).rates(400) == [float32(value) for value in values]


@pytest.mark.parametrize("optimizer", [paddle.optimizer.Momentum, paddle.optimizer.Adam, paddle.optimizer.AdamW])
def test_momentum_and_adam_use_the_same_rate(optimizer: Any) -> None:
    run = Run(LRScheduler(SCHEDULE), optimizer)
    for step in range(20):
        run.update()
        assert run.optimizer._global_learning_rate().item() == float32(SCHEDULE(step))
        run.scheduler.step()


def test_with_float64_as_the_default_the_rate_is_the_float64_of_the_schedule() -> None:
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


def test_a_last_epoch_that_is_set_acts_on_the_next_update() -> None:
    run = Run(LRScheduler(SCHEDULE))
    run.scheduler.last_epoch = 9
    assert run.rates(3) == expected(SCHEDULE, 9, 12)
    run.scheduler.last_epoch = -1  # begins anew at the next step
    run.scheduler.step()
    assert run.rates(3) == expected(SCHEDULE, 0, 3)
    for wrong in (2.5, -2, "3", paddle.to_tensor(2.0)):
        with pytest.raises(lrcore.ScheduleError, match="step: expected an integer >= 0"):
            run.scheduler.last_epoch = wrong
    assert run.rates(3) == expected(SCHEDULE, 3, 6)


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


def train_as_the_book(run: Run, scheduler: Any) -> list[float]:
    """Train as Dive into Deep Learning does, which knows Paddle's schedulers by their module; return the rates."""
    moved = []
    for epoch in range(20):
        run.weight.set_value(paddle.zeros([]))
        run.update()
        moved.append(0.0 - run.weight.item())
        if scheduler.__module__ == paddle.optimizer.lr.__name__:
            scheduler.step()
        else:
            run.optimizer.set_lr(scheduler(epoch))
    return moved


def test_a_loop_that_knows_paddles_schedulers_by_their_module_steps_ours() -> None:
    scheduler = LRScheduler(SCHEDULE)
    assert train_as_the_book(Run(scheduler), scheduler) == expected(SCHEDULE, 0, 20)
    assert type(pickle.loads(pickle.dumps(scheduler))) is LRScheduler


def test_that_loop_takes_a_schedule_for_a_function_of_the_epoch() -> None:
    assert train_as_the_book(Run(0.5), SCHEDULE) == [0.5, *expected(SCHEDULE, 0, 19)]


def test_a_subclass_with_a_formula_is_refused() -> None:
    with pytest.raises(
        lrcore.ScheduleError, match=r"get_lr: expected no formula in a subclass, .*; got Halved\.get_lr; give"
    ):

        class Halved(LRScheduler):
            def get_lr(self) -> float:
                return super().get_lr() / 2


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


def test_a_native_warmup_may_wrap_the_scheduler() -> None:
    ours = LRScheduler(SCHEDULE)
    run = Run(paddle.optimizer.lr.LinearWarmup(ours, warmup_steps=5, start_lr=0.0, end_lr=0.1))
    assert run.rates(25)[5:] == expected(SCHEDULE, 0, 20)


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


def test_a_run_of_a_native_scheduler_goes_on_with_ours() -> None:
    native = Run(
        paddle.optimizer.lr.LinearWarmup(paddle.optimizer.lr.StepDecay(0.1, 9), 5, 0.0, 0.1), paddle.optimizer.Adam
    )
    native.weights(12)
    run = Run(LRScheduler(SCHEDULE), paddle.optimizer.Adam)
    with pytest.raises(lrcore.ScheduleError, match="use_config goes on from its last_epoch"):
        run.optimizer.set_state_dict(native.optimizer.state_dict())
    run = Run(LRScheduler(SCHEDULE, on_mismatch="use_config"), paddle.optimizer.Adam)
    run.optimizer.set_state_dict(native.optimizer.state_dict())
    assert run.scheduler.last_epoch == 12
    assert run.optimizer.get_lr() == SCHEDULE(12)


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


def test_a_copy_steps_on_its_own() -> None:
    for schedule in (SCHEDULE, lrcore.Function(falling), PLATEAU, [SCHEDULE, OTHER]):
        scheduler = LRScheduler(schedule, last_epoch=8)
        for one in (copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))):
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


def test_a_rate_written_to_last_lr_is_warned_of_once_and_overwritten() -> None:
    run = Run(LRScheduler(OTHER))
    run.scheduler.last_lr = 0.75
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


def test_wrong_arguments_are_refused_in_one_sentence() -> None:
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
    for last_epoch in (-2, 2.5, "3", None, paddle.to_tensor(2.5)):
        with pytest.raises(lrcore.ScheduleError, match=r"last_epoch: expected an integer >= -1; got "):
            LRScheduler(SCHEDULE, last_epoch=last_epoch)  # type: ignore[arg-type]
    scheduler = LRScheduler(SCHEDULE)
    for step in (-1, 2.5, True):
        with pytest.raises(lrcore.ScheduleError, match="step: expected an integer >= 0"):
            scheduler.step(step)  # type: ignore[arg-type]
        assert scheduler.last_epoch == 0


# --- plateaus ---------------------------------------------------------------------------------------------------------


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


def test_a_state_of_the_other_mode_loses_its_best_metric_with_a_warning_and_keeps_the_rate() -> None:
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


def test_without_paddle_the_import_says_what_to_install() -> None:
    code = "import sys; sys.modules['paddle'] = None; import lrcore_paddle"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.rstrip().endswith(
        'lrcore_paddle: needs PaddlePaddle, which is not installed; run: pip install "lrcore[paddle]"'
    )
