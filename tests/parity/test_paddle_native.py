"""Paddle's schedulers and what `from_native` makes of them, stepped through a run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paddle.optimizer import lr

import lrcore
import lrcore_paddle
from tests.parity.comparison import DIFFERENCES, Conformance, known_difference

UPDATES = 130
EXACT = 1e-11

# Every option of each class, varied; the grid is all combinations.
GRIDS: dict[type, dict[str, list[Any]]] = {
    lr.NoamDecay: {"d_model": [1, 64, 512.0], "warmup_steps": [1, 7, 40, 200], "learning_rate": [0.3, 1.0]},
    lr.PiecewiseDecay: {
        "boundaries": [[10], [0, 30], [15, 15, 60], [40, 20, 90], [10.5, 70], [-3, 50]],
        "values": [[0.5, 0.25, 0.125, 0.1], [1, 2, 4, 8, 16]],
    },
    lr.NaturalExpDecay: {"learning_rate": [0.5, 1], "gamma": [1e-3, 0.1, 0.5, 1.0, 3.0, 7.7, 20, 0.03, 0.9, 900.0]},
    lr.InverseTimeDecay: {"learning_rate": [0.5, 2], "gamma": [0, 1e-3, 0.1, 0.5, 1.0, 3.0, 7.7, 20, 0.03, 0.9]},
    lr.PolynomialDecay: {
        "learning_rate": [0.5],
        "decay_steps": [1, 7, 50, 300],
        "end_lr": [0.0, 1e-4, 0.7],
        "power": [0.5, 1.0, 2.5],
        "cycle": [False, True],
    },
    lr.ExponentialDecay: {"learning_rate": [0.5, 1], "gamma": [0.001, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.999, 0.8]},
    lr.MultiStepDecay: {
        "learning_rate": [0.5],
        "milestones": [[10], [0, 30], [-2, 15, 60], [5.5, 20, 90], [1, 2, 3, 4], ()],
        "gamma": [0.1, 0.5, 0.0, -0.5],
    },
    lr.StepDecay: {"learning_rate": [0.5], "step_size": [1, 2, 7, 30, 60], "gamma": [0.1, 0.5, 0.9, 0, -0.5]},
    lr.CosineAnnealingDecay: {"learning_rate": [0.5, 1], "T_max": [1, 2, 3, 20, 61, 300], "eta_min": [0, 0.01, 0.7]},
    lr.LinearLR: {
        "learning_rate": [0.5],
        "total_steps": [1, 2, 30, 100, 300],
        "start_factor": [0.1, 1 / 3, 1.0],
        "end_factor": [0.0, 0.5, 1.0],
    },
    lr.CosineAnnealingWarmRestarts: {
        "learning_rate": [0.5],
        "T_0": [1, 7, 20, 200],
        "T_mult": [1, 2, 3],
        "eta_min": [0, 0.01, 0.7],
    },
    lr.OneCycleLR: {
        "max_learning_rate": [0.5],
        "total_steps": [131, 200, 400],
        "divide_factor": [25.0, 4],
        "end_learning_rate": [1e-4, 0, 0.6],
        "phase_pct": [0.3, 0.0, 0.45, 0.007],
        "anneal_strategy": ["cos", "linear"],
        "three_phase": [False, True],
    },
    lr.CyclicLR: {
        "base_learning_rate": [0.1],
        "max_learning_rate": [0.5],
        "step_size_up": [1, 7, 40],
        "step_size_down": [None, 3, 50],
        "mode": ["triangular", "triangular2", "exp_range"],
        "exp_gamma": [0.97],
    },
    lr.LinearWarmup: {
        "learning_rate": [0.5, 1],
        "warmup_steps": [1, 2, 7, 30, 90, 200],
        "start_lr": [0.0, 0.1],
        "end_lr": [0.2, 0.5],
    },
}

RATE = st.floats(0.01, 2.0)
STEPS = st.integers(1, 200)
SHARE = st.floats(0.0, 1.0)
RANDOM: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    lr.NoamDecay: {"d_model": st.integers(1, 2000), "warmup_steps": STEPS, "learning_rate": RATE},
    lr.PiecewiseDecay: {
        "boundaries": st.lists(st.integers(-5, 130), min_size=1, max_size=5),
        "values": st.lists(RATE, min_size=6, max_size=7),
    },
    lr.NaturalExpDecay: {"learning_rate": RATE, "gamma": st.floats(1e-4, 30)},
    lr.InverseTimeDecay: {"learning_rate": RATE, "gamma": st.floats(0, 30)},
    lr.PolynomialDecay: {
        "learning_rate": RATE,
        "decay_steps": STEPS,
        "end_lr": SHARE,
        "power": st.floats(0.05, 6),
        "cycle": st.booleans(),
    },
    lr.ExponentialDecay: {"learning_rate": RATE, "gamma": st.floats(0.01, 0.9999)},
    lr.MultiStepDecay: {
        "learning_rate": RATE,
        "milestones": st.lists(st.integers(0, 130), max_size=6, unique=True).map(sorted),
        "gamma": st.floats(-0.99, 0.99),
    },
    lr.StepDecay: {"learning_rate": RATE, "step_size": STEPS, "gamma": st.floats(-0.99, 0.99)},
    lr.CosineAnnealingDecay: {"learning_rate": RATE, "T_max": STEPS, "eta_min": SHARE},
    lr.LinearLR: {
        "learning_rate": RATE,
        "total_steps": STEPS,
        "start_factor": st.floats(0.01, 1),
        "end_factor": SHARE,
    },
    lr.CosineAnnealingWarmRestarts: {
        "learning_rate": RATE,
        "T_0": STEPS,
        "T_mult": st.integers(1, 4),
        "eta_min": SHARE,
    },
    lr.OneCycleLR: {
        "max_learning_rate": RATE,
        "total_steps": st.integers(131, 500),
        "divide_factor": st.floats(1, 100),
        "end_learning_rate": SHARE,
        "phase_pct": st.floats(0.0, 0.49),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "three_phase": st.booleans(),
    },
    lr.CyclicLR: {
        "base_learning_rate": SHARE,
        "max_learning_rate": RATE,
        "step_size_up": STEPS,
        "step_size_down": st.none() | STEPS,
        "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
        "exp_gamma": st.floats(0.9, 1.01),
    },
}


def combinations(cls: type) -> Iterator[dict[str, Any]]:
    grid = GRIDS[cls]
    for values in itertools.product(*grid.values()):
        options = dict(zip(grid, values, strict=True))
        if cls is not lr.PiecewiseDecay or len(options["values"]) > len(options["boundaries"]):
            yield options


def rates(native: lr.LRScheduler, updates: int = UPDATES) -> list[float]:
    """The rates of the updates to come."""
    used = []
    for _ in range(updates):
        used.append(float(native.last_lr))
        native.step()
    return used


def compare(conformance: Conformance, cls: type, options: dict[str, Any]) -> None:
    native = cls(**options)
    fresh = lrcore_paddle.from_native(native)
    conformance.compare(cls.__name__, fresh, rates(native), tolerance=EXACT)
    assert lrcore_paddle.from_native(native) == fresh
    assert lrcore_paddle.native_step(native) == UPDATES
    assert lrcore.from_dict(fresh.to_dict()) == fresh


@pytest.mark.parametrize("cls", GRIDS, ids=lambda cls: cls.__name__)
def test_a_native_and_its_import_give_the_same_rates(conformance: Conformance, cls: type) -> None:
    for options in combinations(cls):
        compare(conformance, cls, options)


@pytest.mark.parametrize("cls", RANDOM, ids=lambda cls: cls.__name__)
@settings(max_examples=40)
@given(data=st.data())
def test_a_native_with_random_options_and_its_import_give_the_same_rates(
    conformance: Conformance, cls: type, data: st.DataObject
) -> None:
    compare(conformance, cls, data.draw(st.fixed_dictionaries(RANDOM[cls])))


INNER: list[tuple[type, dict[str, Any]]] = [
    (lr.NoamDecay, {"d_model": 64, "warmup_steps": 10}),
    (lr.PiecewiseDecay, {"boundaries": [3, 40], "values": [0.5, 0.2, 0.1]}),
    (lr.NaturalExpDecay, {"learning_rate": 0.5, "gamma": 0.1}),
    (lr.PolynomialDecay, {"learning_rate": 0.5, "decay_steps": 20, "cycle": True}),
    (lr.MultiStepDecay, {"learning_rate": 0.5, "milestones": [10, 20]}),
    (lr.StepDecay, {"learning_rate": 0.3, "step_size": 9}),
    (lr.CosineAnnealingDecay, {"learning_rate": 0.5, "T_max": 25}),
    (lr.LinearLR, {"learning_rate": 0.5, "total_steps": 33}),
    (lr.CosineAnnealingWarmRestarts, {"learning_rate": 0.5, "T_0": 20}),
    (lr.CosineAnnealingWarmRestarts, {"learning_rate": 0.5, "T_0": 7, "T_mult": 2}),
    (lr.OneCycleLR, {"max_learning_rate": 0.5, "total_steps": 140}),
    (lr.CyclicLR, {"base_learning_rate": 0.1, "max_learning_rate": 0.5, "step_size_up": 9}),
]


@pytest.mark.parametrize(("cls", "options"), INNER)
@pytest.mark.parametrize("steps", [1, 25])
def test_a_warmup_around_any_scheduler_is_imported(
    conformance: Conformance, cls: type, options: dict[str, Any], steps: int
) -> None:
    native = lr.LinearWarmup(cls(**options), warmup_steps=steps, start_lr=0.0, end_lr=0.5)
    schedule = lrcore_paddle.from_native(native)
    conformance.compare("LinearWarmup", schedule, rates(native), tolerance=EXACT)
    assert lrcore_paddle.from_native(native) == schedule


@pytest.mark.parametrize("number", range(20))
def test_a_python_function_inside_a_native_is_imported_as_a_function(conformance: Conformance, number: int) -> None:
    def factor(step: int) -> float:
        return 1 / (1 + number * step)

    for cls in (lr.LambdaDecay, lr.MultiplicativeDecay):
        native = cls(0.5 + number, factor)
        schedule = lrcore_paddle.from_native(native)
        conformance.compare(cls.__name__, schedule, rates(native, 60), tolerance=EXACT)
        with pytest.raises(lrcore.ScheduleError, match="cannot be written to a file"):
            schedule.to_dict()
    for mode in ("cycle", "iterations"):
        native = lr.CyclicLR(0.1, 0.5, 5, 3 + number, scale_fn=factor, scale_mode=mode)
        conformance.compare("CyclicLR", lrcore_paddle.from_native(native), rates(native, 60), tolerance=EXACT)


METRICS = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.29999, 1.0, -1.0, math.nan, math.inf, -math.inf]), max_size=60)


@settings(max_examples=200)
@given(
    metrics=METRICS,
    options=st.fixed_dictionaries(
        {"learning_rate": RATE},
        optional={
            "mode": st.sampled_from(["min", "max", "MIN"]),
            "factor": st.sampled_from([0.5, 0.1, 0.0]),
            "patience": st.integers(0, 4),
            "threshold": st.sampled_from([1e-4, 0.1, 0.0]),
            "threshold_mode": st.sampled_from(["rel", "abs"]),
            "cooldown": st.integers(0, 3),
            "min_lr": st.sampled_from([0.0, 0.001, 5.0]),
            "epsilon": st.sampled_from([1e-8, 0.01]),
        },
    ),
)
def test_a_native_plateau_and_its_import_reduce_at_the_same_metrics(
    conformance: Conformance, metrics: list[float], options: dict[str, Any]
) -> None:
    native = lr.ReduceOnPlateau(**options)
    plateau: Any = lrcore_paddle.from_native(native)
    state = plateau.initial()
    ours, theirs = [], []
    for metric in metrics:
        native.step(metric)
        state = plateau.update(state, metric)
        ours.append(plateau.value(0, state))
        theirs.append(native.last_lr)
    assert ours == pytest.approx(theirs, rel=EXACT)
    conformance.compare("ReduceOnPlateau", lrcore.Function(ours.__getitem__), theirs, tolerance=EXACT, kind="plateau")
    with pytest.warns(match="has reduced") if native.last_lr != native.base_lr else nullcontext():
        assert lrcore_paddle.from_native(native) == plateau


def test_a_native_plateau_that_has_reduced_its_rate_goes_on_with_ours_as_the_warning_says() -> None:
    native = lr.ReduceOnPlateau(0.5, factor=0.5, patience=0)
    for _ in range(3):
        native.step(0.7)
    with pytest.warns(UserWarning, match=r"reduced its rate from 0\.5 to 0\.125, .*_replace\(scale=0\.25\)"):
        plateau: Any = lrcore_paddle.from_native(native)
    scheduler = lrcore_paddle.LRScheduler(plateau)
    scheduler.load_state_dict(lrcore.save_state(7, plateau, plateau.initial()._replace(scale=0.25).to_dict()))
    assert (scheduler.last_lr, scheduler.last_epoch) == (0.125, 7)


def test_our_own_scheduler_gives_back_its_schedule() -> None:
    schedule = lrcore.Constant(0.1).warmup(5)
    assert lrcore_paddle.from_native(lrcore_paddle.LRScheduler(schedule)) is schedule


OWN_PLATEAU = lrcore_paddle.LRScheduler(lrcore.Plateau(lrcore.Constant(0.1)))


class Own(lr.StepDecay):
    """A user's scheduler with another formula."""

    def get_lr(self) -> float:
        return super().get_lr() / 2


class Named(lr.StepDecay):
    """A user's scheduler with the formula of its base."""

    name = "a scheduler"


def test_a_subclass_that_changes_no_rate_is_imported_as_its_base() -> None:
    assert lrcore_paddle.from_native(Named(0.1, 3)) == lrcore_paddle.from_native(lr.StepDecay(0.1, 3))


@pytest.mark.parametrize(
    ("native", "message"),
    [
        (
            Own(0.1, 3),
            r"expected one of NoamDecay, .*; got Own; give its formula as lrcore\.Function\(f\), where f\(step\)",
        ),
        (0.1, "got float"),
        (lr.InverseTimeDecay(0.1, -0.3), "expected gamma >= 0"),
        (lr.LinearLR(0.1, 2.5), "expected a whole number of updates as total_steps; got 2.5"),
        (lr.LinearWarmup(lr.ReduceOnPlateau(0.1), 5, 0.0, 0.1), "is told the step as its metric"),
        (lr.LinearWarmup(OWN_PLATEAU, 5, 0.0, 0.1), "expected one schedule inside LinearWarmup; got Plateau"),
    ],
)
def test_what_cannot_be_imported_is_refused_in_one_sentence(native: Any, message: str) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_paddle.from_native(native)


@known_difference("paddle-one-cycle-beyond-its-end")
def test_a_native_one_cycle_holds_its_last_rate() -> None:
    native = lr.OneCycleLR(0.1, 20, anneal_strategy="linear")
    schedule = lrcore_paddle.from_native(native)
    theirs = [*rates(native, 20), native.last_lr]
    assert theirs[19] == pytest.approx(schedule(19))
    assert theirs[20] == pytest.approx(schedule(20))


@known_difference("paddle-restarts-jumped-to")
@pytest.mark.parametrize(("factor", "restart"), [(3, 121), (10, 111)])
def test_a_native_that_jumps_to_a_restart_has_the_rate_of_the_restart(factor: int, restart: int) -> None:
    native = lr.CosineAnnealingWarmRestarts(0.5, T_0=1, T_mult=factor)
    schedule = lrcore_paddle.from_native(native)
    native.step(restart)
    assert native.last_lr == pytest.approx(schedule(restart))


@known_difference("paddle-resumed-recursion")
@pytest.mark.parametrize("native", [lr.CosineAnnealingDecay(0.5, 20, last_epoch=9), lr.LinearLR(0.5, 20, last_epoch=9)])
def test_a_native_that_starts_part_way_has_the_rate_of_that_step(native: lr.LRScheduler) -> None:
    assert native.last_lr == pytest.approx(lrcore_paddle.from_native(native)(10))


def plateau_rates(metrics: list[float], **options: Any) -> tuple[list[float], list[float], list[float]]:
    """Of the native, of what `from_native` makes of it, and of a plateau of lrcore's own with the same options."""
    native = lr.ReduceOnPlateau(0.5, factor=0.5, threshold=0.1, **options)
    own = lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, rtol=0.1, **options)
    imported, theirs = lrcore_paddle.from_native(native), []
    for metric in metrics:
        native.step(metric)
        theirs.append(native.last_lr)
    return theirs, told(imported, metrics), told(own, metrics)


def told(plateau: Any, metrics: list[float]) -> list[float]:
    state, found = plateau.initial(), []
    for metric in metrics:
        state = plateau.update(state, metric)
        found.append(plateau.value(0, state))
    return found


WORSE = {"min": [number / 100 - 1 for number in range(30)], "max": [-1 - number / 100 for number in range(30)]}


@known_difference("paddle-plateau-below-zero")
@pytest.mark.parametrize("mode", WORSE)
def test_a_native_plateau_reduces_for_a_metric_below_zero_that_worsens(mode: str) -> None:
    theirs, _, own = plateau_rates(WORSE[mode], mode=mode, patience=1)
    assert theirs == own


@pytest.mark.parametrize("mode", WORSE)
def test_only_our_rule_reduces_for_a_metric_below_zero_that_worsens(mode: str) -> None:
    theirs, imported, own = plateau_rates(WORSE[mode], mode=mode, patience=1)
    assert theirs == imported == [0.5] * 30
    assert own == [0.5 / 2 ** (number // 2) for number in range(30)]


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_the_native_patience_counts_as_ours(patience: int) -> None:
    theirs, imported, own = plateau_rates([1.0] * 9, patience=patience)
    assert theirs == imported == own
    assert theirs.count(0.5) == 1 + patience  # the best one and the bad ones that are tolerated


def test_every_difference_is_shown() -> None:
    shown = {
        "paddle-one-cycle-beyond-its-end",
        "paddle-restarts-jumped-to",
        "paddle-resumed-recursion",
        "paddle-plateau-below-zero",
    }
    assert shown == {row["name"] for row in DIFFERENCES if row["framework"] == "paddle"}
