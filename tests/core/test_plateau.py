"""The plateau against its own rule and those of the four machines that frameworks have, written here a second time."""

from __future__ import annotations

import json
import math
import pickle
import re
import warnings
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import Constant, Plateau, PlateauState, ScheduleError, adapting

LR = 0.1
PLATEAU_FILE = """
kind = "constant"
value = 0.1

[warmup]
steps = 500

[plateau]
factor = 0.5
patience = 5
"""


@st.composite
def series(draw: Callable[[st.SearchStrategy[Any]], Any]) -> list[float]:
    """Metrics on a coarse grid, where they meet the bar exactly, or anywhere; some NaN and infinite."""
    grid = draw(st.sampled_from([0.01, 0.1, 0.25]))
    ordinary = st.one_of(st.integers(-8, 12).map(lambda n: n * grid), st.floats(-2, 2))
    special = st.sampled_from([math.nan, math.inf, -math.inf, 0.0])
    return draw(st.lists(st.one_of(ordinary, ordinary, ordinary, ordinary, special), min_size=1, max_size=60))


factors = st.sampled_from([0.0, 0.1, 0.5, 0.9])
thresholds = st.sampled_from([0.0, 1e-4, 0.01, 0.1, 0.25, 1.0, -0.1])
limits = st.sampled_from([0.0, 1e-3, 0.02])
epsilons = st.sampled_from([0.0, 1e-8, 1e-3])
waits = st.integers(0, 4)
modes = st.sampled_from(["min", "max"])

torch_options = st.fixed_dictionaries(
    {
        "factor": factors,
        "patience": waits,
        "mode": modes,
        "threshold": thresholds,
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": waits,
        "min_lr": limits,
        "eps": epsilons,
    }
)
keras_options = st.fixed_dictionaries(
    {
        "factor": factors,
        "patience": waits,
        "mode": modes,
        "min_delta": thresholds.map(abs),
        "cooldown": waits,
        "min_lr": limits,
    }
)
optax_options = st.fixed_dictionaries(
    {
        "factor": factors,
        "patience": waits,
        "rtol": thresholds.map(abs),
        "atol": thresholds.map(abs),
        "cooldown": waits,
        "accumulation_size": st.integers(1, 4),
        "min_scale": limits,
    }
)


def scaled(plateau: Plateau, metrics: Sequence[float]) -> list[float]:
    state, rates = plateau.initial(), []
    for step, metric in enumerate(metrics):
        state = plateau.update(state, metric)
        rates.append(plateau.value(step, state))
    return rates


# --- the four machines ------------------------------------------------------------------------------------------------


def torch_rates(
    metrics: Sequence[float],
    *,
    factor: float,
    patience: int,
    mode: str,
    threshold: float,
    threshold_mode: str,
    cooldown: int,
    min_lr: float,
    eps: float,
) -> list[float]:
    lr, best, bad, left, rates = LR, math.inf if mode == "min" else -math.inf, 0, 0, []
    for metric in metrics:
        bar = {
            ("min", "rel"): best * (1.0 - threshold),
            ("min", "abs"): best - threshold,
            ("max", "rel"): best * (threshold + 1.0),
            ("max", "abs"): best + threshold,
        }[mode, threshold_mode]
        if metric < bar if mode == "min" else metric > bar:
            best, bad = metric, 0
        else:
            bad += 1
        if left > 0:
            left -= 1
            bad = 0
        if bad > patience:
            lower = max(lr * factor, min_lr)
            lr = lower if lr - lower > eps else lr
            left, bad = cooldown, 0
        rates.append(lr)
    return rates


def paddle_rates(
    metrics: Sequence[float],
    *,
    factor: float,
    patience: int,
    mode: str,
    threshold: float,
    threshold_mode: str,
    cooldown: int,
    min_lr: float,
    eps: float,
) -> list[float]:
    lr, best, bad, left, rates = LR, None, 0, 0, []
    for metric in metrics:
        if left > 0:
            left -= 1
        else:
            if best is None:
                better = True
            elif mode == "min":
                better = metric < best - (best * threshold if threshold_mode == "rel" else threshold)
            else:
                better = metric > best + (best * threshold if threshold_mode == "rel" else threshold)
            if better:
                best, bad = metric, 0
            else:
                bad += 1
            if bad > patience:
                left, bad = cooldown, 0
                lower = max(lr * factor, min_lr)
                lr = lower if lr - lower > eps else lr
        rates.append(lr)
    return rates


def keras_rates(
    metrics: Sequence[float], *, factor: float, patience: int, mode: str, min_delta: float, cooldown: int, min_lr: float
) -> list[float]:
    lr, best, wait, left, rates = np.float32(LR), None, 0, 0, []
    for metric in metrics:
        if left > 0:
            left -= 1
            wait = 0
        if best is None:
            better = True
        elif mode == "min":
            better = bool(np.float32(metric + min_delta) < np.float32(best))
        else:
            better = bool(np.float32(metric - min_delta) > np.float32(best))
        if better:
            best, wait = metric, 0
        elif left == 0:
            wait += 1
            if wait >= patience and lr > np.float32(min_lr):
                lr = np.float32(max(float(lr) * factor, min_lr))
                left, wait = cooldown, 0
        rates.append(float(lr))
    return rates


def optax_rates(
    metrics: Sequence[float],
    *,
    factor: float,
    patience: int,
    rtol: float,
    atol: float,
    cooldown: int,
    accumulation_size: int,
    min_scale: float,
) -> list[float]:
    single = np.float32
    scale, best, plateau, left, count, mean = single(1), single(math.inf), 0, 0, 0, single(0)
    rates = []
    for metric in metrics:
        count += 1
        mean = (single(count - 1) * mean + single(metric)) / single(count)
        if count == accumulation_size:
            improved = bool(mean < single(1 - rtol) * best - single(atol))
            best = mean if improved else best
            plateau = 0 if improved else plateau + 1
            if left > 0:
                plateau, left = 0, left - 1
            elif plateau == patience:
                scale = np.maximum(scale * single(factor), single(min_scale))
                plateau, left = 0, cooldown
            count, mean = 0, single(0)
        rates.append(LR * float(scale))
    return rates


@given(series(), torch_options)
def test_a_plateau_reduces_when_torch_does(metrics: list[float], native: dict[str, Any]) -> None:
    relative = native["threshold_mode"] == "rel"
    plateau = Plateau(
        Constant(LR),
        factor=native["factor"],
        patience=native["patience"],
        mode=native["mode"],
        rtol=native["threshold"] if relative else 0,
        atol=0 if relative else native["threshold"],
        cooldown=native["cooldown"],
        min_scale=native["min_lr"] / LR,
        eps=native["eps"] / LR,
        arithmetic="torch",
    )
    assert scaled(plateau, metrics) == pytest.approx(torch_rates(metrics, **native), abs=1e-11 * LR)


@given(series(), torch_options)
def test_a_plateau_reduces_when_paddle_does(metrics: list[float], native: dict[str, Any]) -> None:
    relative = native["threshold_mode"] == "rel"
    plateau = Plateau(
        Constant(LR),
        factor=native["factor"],
        patience=native["patience"],
        mode=native["mode"],
        rtol=native["threshold"] if relative else 0,
        atol=0 if relative else native["threshold"],
        cooldown=native["cooldown"],
        min_scale=native["min_lr"] / LR,
        eps=native["eps"] / LR,
        accept_first=True,
        watch_in_cooldown=False,
        arithmetic="paddle" if relative else "torch",
    )
    assert scaled(plateau, metrics) == pytest.approx(paddle_rates(metrics, **native), abs=1e-11 * LR)


@given(series(), keras_options)
def test_a_plateau_reduces_when_keras_does(metrics: list[float], native: dict[str, Any]) -> None:
    plateau = Plateau(
        Constant(LR),
        factor=native["factor"],
        patience=max(native["patience"], 1) - 1,
        mode=native["mode"],
        rtol=0,
        atol=native["min_delta"],
        cooldown=max(native["cooldown"], 1) - 1,
        min_scale=native["min_lr"] / LR,
        accept_first=True,
        arithmetic="keras",
    )
    assert scaled(plateau, metrics) == pytest.approx(keras_rates(metrics, **native), abs=3e-6 * LR)


@given(series(), optax_options)
def test_a_plateau_reduces_when_optax_does(metrics: list[float], native: dict[str, Any]) -> None:
    plateau = Plateau(
        Constant(LR),
        factor=native["factor"],
        patience=native["patience"] - 1,
        rtol=native["rtol"],
        atol=native["atol"],
        cooldown=native["cooldown"],
        min_scale=native["min_scale"],
        accumulate=native["accumulation_size"],
        arithmetic="optax",
    )
    with np.errstate(all="ignore"):
        expected = optax_rates(metrics, **native)
    assert scaled(plateau, metrics) == pytest.approx(expected, abs=3e-6 * LR)


# --- lrcore's own rule -------------------------------------------------------------------------------------------------

margins = st.sampled_from([0.0, 1e-4, 0.01, 0.1, 0.25, 1.0, 2.0])
signs = st.sampled_from([1, -1])


def own_rates(
    metrics: Sequence[float], *, factor: float, patience: int, mode: str, rtol: float, atol: float
) -> list[float]:
    """In the words of the docstring, for a metric of which less is better: more of -m is less of m."""
    sign = 1 if mode == "min" else -1
    lr, best, bad, rates = LR, math.inf, 0, []
    for metric in metrics:
        m = sign * metric
        if m < (best if math.isinf(best) else best - rtol * abs(best) - atol):
            best, bad = m, 0
        else:
            bad += 1
        if bad > patience:
            lr, bad = lr * factor, 0
        rates.append(lr)
    return rates


@given(
    series(),
    st.fixed_dictionaries({"factor": factors, "patience": waits, "mode": modes, "rtol": margins, "atol": margins}),
)
def test_the_relative_margin_is_a_fraction_of_the_best_value(metrics: list[float], options: dict[str, Any]) -> None:
    plateau = Plateau(Constant(LR), **options)
    assert scaled(plateau, metrics) == pytest.approx(own_rates(metrics, **options), abs=1e-11 * LR)


own_options = st.fixed_dictionaries(
    {
        "factor": factors,
        "patience": st.integers(-1, 4),
        "rtol": margins,
        "atol": margins,
        "cooldown": waits,
        "min_scale": limits,
        "accumulate": st.integers(1, 4),
        "accept_first": st.booleans(),
        "watch_in_cooldown": st.booleans(),
    }
)


@given(series(), own_options)
def test_mode_min_of_a_metric_is_mode_max_of_its_negative(metrics: list[float], options: dict[str, Any]) -> None:
    lower, higher = Plateau(Constant(LR), mode="min", **options), Plateau(Constant(LR), mode="max", **options)
    assert scaled(lower, metrics) == scaled(higher, [-metric for metric in metrics])


@given(
    st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=40).map(sorted),
    signs,
    st.integers(0, 5),
    margins,
    margins,
    st.booleans(),
)
def test_metrics_that_get_worse_reduce_after_patience(
    rising: list[float], sign: int, patience: int, rtol: float, atol: float, accept_first: bool
) -> None:
    """Whatever their sign, and however small each step is."""
    plateau = Plateau(
        Constant(1.0),
        mode="min" if sign == 1 else "max",
        factor=0.5,
        patience=patience,
        rtol=rtol,
        atol=atol,
        accept_first=accept_first,
    )
    expected = [0.5 ** (number // (patience + 1)) for number in range(len(rising))]  # the first value is the best one
    assert scaled(plateau, [sign * metric for metric in rising]) == expected


@given(series(), own_options, modes)
def test_the_best_never_becomes_worse(metrics: list[float], options: dict[str, Any], mode: Any) -> None:
    plateau = Plateau(Constant(LR), mode=mode, **{**options, "accept_first": False})
    state = plateau.initial()
    for metric in metrics:
        after = plateau.update(state, metric)
        assert after.best <= state.best if mode == "min" else after.best >= state.best
        state = after


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("arithmetic", ["torch", "keras", "optax", "paddle"])
def test_an_arithmetic_named_after_a_framework_has_its_rule(arithmetic: Any, sign: int) -> None:
    """Each takes a best value below zero for one above it; where all metrics are positive its rule is the same as ours."""
    options: dict[str, Any] = {"factor": 0.5, "patience": 1, "rtol": 0.1, "accept_first": True}
    worse = [sign + number * 0.01 for number in range(30)]
    assert scaled(Plateau(Constant(LR), **options), worse)[-1] < LR / 1000
    assert (scaled(Plateau(Constant(LR), **options, arithmetic=arithmetic), worse)[-1] < LR / 1000) == (sign == 1)


@pytest.mark.parametrize(
    ("arithmetic", "options", "metrics", "is_better"),
    [
        ("keras", {"rtol": 0.0}, [0.7, 0.7], False),  # which float32 rounds down, on both sides
        ("keras", {"rtol": 0.0}, [0.7, 0.7 - 1e-9], False),
        ("lrcore", {"rtol": 0.0}, [0.7, 0.7 - 1e-9], True),
        (
            "optax",
            {"rtol": 0.01},
            [1.2857142686843872, 1.2728570699691772],
            True,
        ),  # single(b * single(0.99)), not b * 0.99
        ("paddle", {"rtol": 0.1}, [1.0], False),  # inf - inf * 0.1
        ("torch", {"rtol": 0.1}, [1.0], True),
    ],
)
def test_at_the_threshold_the_rounding_of_the_named_framework_decides(
    arithmetic: Any, options: dict[str, Any], metrics: list[float], is_better: bool
) -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=0, arithmetic=arithmetic, **options)
    assert scaled(plateau, metrics)[-1] == (LR if is_better else LR / 2)


@pytest.mark.parametrize("best", [0.0, -0.0])
@pytest.mark.parametrize("mode", ["min", "max"])
def test_for_a_best_value_of_0_only_the_absolute_margin_counts(best: float, mode: Any) -> None:
    better = -1e-300 if mode == "min" else 1e-300
    assert scaled(Plateau(Constant(LR), mode=mode, factor=0.5, patience=0, rtol=0.5), [best, better])[-1] == LR
    assert scaled(Plateau(Constant(LR), mode=mode, factor=0.5, patience=0, atol=0.5), [best, better])[-1] == LR / 2


@pytest.mark.parametrize("rtol", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("first", [math.inf, -math.inf, math.nan])
def test_an_infinite_best_value_has_no_margin(first: float, rtol: float) -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=0, rtol=rtol, atol=2.0)
    assert scaled(plateau, [first, 5.0]) == [LR if first == -math.inf else LR / 2, LR / 2]
    arrays = PlateauState._make(map(np.asarray, plateau.initial()))
    with np.errstate(all="raise"):
        after = plateau.transition(np.where)(arrays, np.asarray(5.0))
    assert float(after.best) == 5.0


@pytest.mark.parametrize("name", ["rtol", "atol"])
def test_a_negative_margin_is_refused_except_in_a_frameworks_arithmetic(name: str) -> None:
    options: dict[str, Any] = {name: -0.1}
    with pytest.raises(
        ScheduleError, match=rf"^Plateau\.{name}: expected a number >= 0; got -0\.1; the margin is one of abs"
    ):
        Plateau(Constant(LR), **options)
    with pytest.raises(ScheduleError, match=rf"^plateau\.{name}: expected a number >= 0; got -0\.1"):
        lrcore.from_dict({"kind": "constant", "value": LR, "plateau": options})
    for arithmetic in ("torch", "keras", "optax", "paddle"):
        assert getattr(Plateau(Constant(LR), **options, arithmetic=arithmetic), name) == -0.1


@pytest.mark.parametrize(
    ("patience", "arithmetic", "needed"),
    [(3, "lrcore", 4), (3, "torch", 4), (3, "paddle", 4), (3 - 1, "keras", 3), (3 - 1, "optax", 3)],
)
def test_patience_counts_as_the_docstring_says(patience: int, arithmetic: Any, needed: int) -> None:
    plateau = Plateau(Constant(LR), patience=patience, arithmetic=arithmetic, accept_first=True)
    assert scaled(plateau, [1.0] * (1 + needed))[needed - 1 :] == [LR, pytest.approx(LR / 10)]


# --- the state --------------------------------------------------------------------------------------------------------


def made(options: dict[str, Any]) -> Plateau:
    """With a margin that the rule takes."""
    own = options["arithmetic"] == "lrcore"
    return Plateau(**{**options, **({name: abs(options[name]) for name in ("rtol", "atol")} if own else {})})


plateaus = st.fixed_dictionaries(
    {
        "schedule": st.sampled_from(
            [Constant(LR), Constant(LR).warmup(5), lrcore.Cosine(init_value=LR, decay_steps=30)]
        ),
        "factor": factors,
        "patience": st.integers(-1, 3),
        "mode": modes,
        "rtol": thresholds,
        "atol": thresholds,
        "cooldown": waits,
        "min_scale": limits,
        "eps": epsilons,
        "accumulate": st.integers(1, 4),
        "accept_first": st.booleans(),
        "watch_in_cooldown": st.booleans(),
        "arithmetic": st.sampled_from(["lrcore", "torch", "keras", "optax", "paddle"]),
    }
).map(made)


@given(plateaus, series(), st.integers(0, 60))
def test_a_saved_state_goes_on_as_if_it_had_never_stopped(plateau: Plateau, metrics: list[float], stop: int) -> None:
    state = plateau.initial()
    for metric in metrics[:stop]:
        state = plateau.update(state, metric)
    text = json.dumps(state.to_dict(), allow_nan=False)
    resumed = PlateauState.from_dict(json.loads(text))
    for metric in metrics[stop:]:
        state, resumed = plateau.update(state, metric), plateau.update(resumed, metric)
    assert state.to_dict() == resumed.to_dict()


@given(plateaus, series())
def test_the_value_is_the_schedule_times_a_scale_that_only_falls(plateau: Plateau, metrics: list[float]) -> None:
    state = plateau.initial()
    assert plateau.value(0, state) == plateau.schedule(0)
    for step, metric in enumerate(metrics):
        after = plateau.update(state, metric)
        assert plateau.min_scale <= after.scale <= state.scale
        assert plateau.value(step, after) == plateau.schedule(step) * after.scale
        state = after


@given(plateaus, series())
def test_arrays_follow_the_same_rules(plateau: Plateau, metrics: list[float]) -> None:
    number: Any = np.float32 if plateau.arithmetic in {"keras", "optax"} else np.float64
    step = plateau.transition(np.where)
    state = plateau.initial()
    arrays = PlateauState._make(np.asarray(one, dtype=int if isinstance(one, int) else number) for one in state)
    for metric in metrics:
        given_metric = float(number(metric))
        state = plateau.update(state, given_metric)
        with np.errstate(all="ignore"):
            arrays = step(arrays, np.asarray(metric, dtype=number))
        assert [int(count) for count in (arrays.bad, arrays.cooldown, arrays.reports)] == [
            state.bad,
            state.cooldown,
            state.reports,
        ]
        assert float(arrays.scale) == pytest.approx(state.scale, rel=1e-5)


def test_a_report_leaves_the_state_before_it_as_it_was() -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=0)
    before = plateau.initial()
    first, second = plateau.update(before, 1.0), plateau.update(before, 1.0)
    assert first == second
    assert before == plateau.initial()
    with pytest.raises(AttributeError):
        first.scale = 0.5  # type: ignore[misc]


def test_a_state_survives_a_checkpoint() -> None:
    plateau = Plateau(Constant(LR), patience=0, accept_first=True)
    state = plateau.update(plateau.initial(), math.nan)
    saved = lrcore.save_state(3, plateau, state.to_dict())
    loaded = lrcore.load_state(json.loads(json.dumps(saved)), plateau)
    assert PlateauState.from_dict(loaded.plateau).to_dict() == state.to_dict()
    assert pickle.loads(pickle.dumps(plateau)) == plateau


# --- another plateau than the saved one ---------------------------------------------------------------------------------

REMEMBERED = PlateauState(best=0.25, bad=2, cooldown=0, scale=0.5, reports=7, mean=0.0)


def went_on(saved: dict[str, Any], configured: dict[str, Any], state: PlateauState = REMEMBERED) -> PlateauState:
    """What the configured plateau goes on with; a warning is an error."""
    checkpoint = lrcore.save_state(70, Plateau(Constant(LR), **saved), state.to_dict())
    loaded = lrcore.load_state(
        json.loads(json.dumps(checkpoint)), Plateau(Constant(LR), **configured), "use_config", "here"
    )
    return PlateauState.from_dict(loaded.plateau)


@pytest.mark.parametrize(
    ("saved", "configured", "state", "expected", "message"),
    [
        (
            {"mode": "max"},
            {"mode": "min"},
            REMEMBERED,
            REMEMBERED._replace(best=math.inf, bad=0),
            "here: the plateau's mode was 'max' and is 'min': best 0.25 becomes inf, bad 2 becomes 0; the scale 0.5 is kept",
        ),
        (
            {},
            {"mode": "max", "cooldown": 2},
            REMEMBERED._replace(cooldown=1),
            REMEMBERED._replace(best=-math.inf, bad=0, cooldown=1),
            "here: the plateau's mode was 'min' and is 'max': best 0.25 becomes -inf",
        ),
        (
            {},
            {"accumulate": 4},
            REMEMBERED,
            REMEMBERED._replace(best=math.inf, bad=0, reports=8),
            "here: the plateau's accumulate was 1 and is 4: best 0.25 becomes inf, bad 2 becomes 0; the scale",
        ),
        (
            {"accumulate": 4},
            {"accumulate": 4, "mode": "max"},
            REMEMBERED._replace(mean=0.5, bad=0),
            REMEMBERED._replace(best=-math.inf, bad=0, reports=8),
            "here: the plateau's mode was 'min' and is 'max': best 0.25 becomes -inf, mean 0.5 becomes 0.0; the scale",
        ),
        (
            {"cooldown": 9},
            {"cooldown": 3},
            REMEMBERED._replace(cooldown=8),
            REMEMBERED._replace(cooldown=3),
            "here: the plateau's cooldown was 9 and is 3: cooldown 8 becomes 3; the scale",
        ),
        (
            {"cooldown": 9, "accumulate": 4},
            {"cooldown": 3},
            REMEMBERED._replace(cooldown=8),
            REMEMBERED._replace(best=math.inf, bad=0, cooldown=3),
            "here: the plateau's accumulate was 4 and is 1, cooldown was 9 and is 3: best 0.25 becomes inf, bad 2 becomes 0, cool",
        ),
        (
            {"cooldown": 9, "accumulate": 4},
            {"cooldown": 3},
            REMEMBERED._replace(cooldown=3),
            REMEMBERED._replace(best=math.inf, bad=0, cooldown=3),
            "here: the plateau's accumulate was 4 and is 1: best 0.25 becomes inf, bad 2 becomes 0; the scale",
        ),
        (
            {"accept_first": True},
            {"accept_first": False},
            REMEMBERED._replace(best=math.nan),
            REMEMBERED._replace(best=math.inf),
            "here: the plateau's accept_first was true and is false: best nan becomes inf; the scale",
        ),
        (
            {"min_scale": 0.1},
            {"min_scale": 0.75},
            REMEMBERED,
            REMEMBERED,
            "here: the saved scale 0.5 is kept, though it lies below min_scale 0.75",
        ),
    ],
)
def test_a_changed_option_resets_what_it_makes_meaningless_and_warns(
    saved: dict[str, Any], configured: dict[str, Any], state: PlateauState, expected: PlateauState, message: str
) -> None:
    with pytest.warns(UserWarning, match=f"^{re.escape(message)}") as said:
        assert went_on(saved, configured, state) == expected
    assert len(said) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"factor": 0.9},
        {"patience": 1},
        {"patience": 50},
        {"rtol": 0.5},
        {"atol": 0.5},
        {"cooldown": 9},
        {"min_scale": 0.5},
        {"eps": 0.1},
        {"accept_first": True},
        {"watch_in_cooldown": False},
        {"arithmetic": "torch"},
        {"arithmetic": "keras"},
    ],
)
def test_a_changed_option_that_keeps_the_meaning_does_not_warn(options: dict[str, Any]) -> None:
    assert went_on({}, options) == REMEMBERED
    assert went_on(options, {}) == REMEMBERED


def test_a_best_metric_of_nan_is_kept_with_accept_first() -> None:
    state = REMEMBERED._replace(best=math.nan)
    kept = went_on({"accept_first": True}, {"accept_first": True, "patience": 3}, state)
    assert kept.to_dict() == state.to_dict()


def test_a_plateau_without_a_report_resets_nothing() -> None:
    told_nothing = Plateau(Constant(LR), mode="max").initial()
    assert went_on({"mode": "max"}, {"mode": "min"}, told_nothing) == Plateau(Constant(LR)).initial()


@given(series(), series(), own_options, own_options)
def test_a_changed_plateau_goes_on_like_one_that_begins_at_the_kept_scale(
    before: list[float], after: list[float], saved: dict[str, Any], configured: dict[str, Any]
) -> None:
    """With another mode, after any reports: what was learned from them does not matter, and the rate does not jump."""
    old, new = Plateau(Constant(LR), mode="max", **saved), Plateau(Constant(LR), mode="min", **configured)
    state = old.initial()
    for metric in before:
        state = old.update(state, metric)
    checkpoint = lrcore.save_state(9, old, state.to_dict())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        went = PlateauState.from_dict(lrcore.load_state(checkpoint, new, "use_config").plateau)
    assert new.value(9, went) == old.value(9, state)
    begun = new.initial()._replace(scale=went.scale, cooldown=went.cooldown, reports=new.accumulate)
    for metric in after:
        went, begun = new.update(went, metric), new.update(begun, metric)
        assert (went.scale, went.bad) == (begun.scale, begun.bad)


def test_a_plateau_is_found_in_any_form_of_configuration() -> None:
    for form in (lambda plateau: [plateau], lambda plateau: {"relative_lr": plateau, "plateau": Constant(LR)}):
        saved, configured = (form(Plateau(Constant(LR), mode=mode)) for mode in ("max", "min"))
        checkpoint = lrcore.save_state(70, saved, REMEMBERED.to_dict())
        with pytest.warns(UserWarning, match="the plateau's mode was 'max' and is 'min'"):
            loaded = lrcore.load_state(checkpoint, configured, "use_config")
        assert loaded.plateau == REMEMBERED._replace(best=math.inf, bad=0).to_dict()


def halves(step: int) -> float:
    return 0.5**step


def test_the_options_of_a_plateau_over_a_python_function_are_known() -> None:
    saved, configured = (Plateau(lrcore.Function(halves), mode=mode) for mode in ("max", "min"))
    checkpoint = lrcore.save_state(70, saved, REMEMBERED.to_dict())
    assert lrcore.load_state(checkpoint, saved).plateau == REMEMBERED.to_dict()
    with pytest.warns(UserWarning, match="the plateau's mode was 'max' and is 'min'"):
        lrcore.load_state(checkpoint, configured, "use_config")
    nameless = {**checkpoint, "schedule": json.dumps({"kind": "function", "python": repr(saved)})}
    with pytest.warns(UserWarning, match=r"the options of the saved plateau are not known: best 0\.25 becomes inf"):
        lrcore.load_state(nameless, configured, "use_config")


@pytest.mark.parametrize("described", [7, None, [[]], {"plateau": 3}, {"kind": "constant", "value": LR, "plateau": 3}])
def test_a_plateau_goes_on_from_a_state_whose_schedule_cannot_be_read(described: Any) -> None:
    checkpoint = lrcore.save_state(70, Plateau(Constant(LR)), REMEMBERED.to_dict())
    with pytest.warns(UserWarning, match="the options of the saved plateau are not known"):
        loaded = lrcore.load_state(
            {**checkpoint, "schedule": json.dumps(described)}, Plateau(Constant(LR)), "use_config"
        )
    assert loaded.plateau == REMEMBERED._replace(best=math.inf, bad=0).to_dict()


@pytest.mark.parametrize("arithmetic", ["lrcore", "torch"])
def test_a_state_that_names_no_arithmetic_is_older_than_the_choice(arithmetic: Any) -> None:
    configured = Plateau(Constant(LR), patience=3, arithmetic=arithmetic)
    table = {"kind": "constant", "value": LR, "plateau": {"patience": 3}}
    state = {"format": 1, "step": 70, "schedule": json.dumps(table), "plateau": json.dumps(REMEMBERED.to_dict())}
    assert lrcore.load_state(state, configured).plateau == REMEMBERED.to_dict()
    assert json.loads(str(lrcore.save_state(70, configured)["schedule"]))["plateau"]["arithmetic"] == arithmetic
    for saved in (state, lrcore.save_state(70, configured)):
        with pytest.raises(ScheduleError, match="their plateaus differ"):
            lrcore.load_state(saved, Plateau(Constant(LR), patience=3, arithmetic="keras"))


# --- a metric that is never told ----------------------------------------------------------------------------------------


def test_an_adapter_is_to_warn_after_many_updates_without_a_report() -> None:
    never_told = Plateau(Constant(LR)).initial()
    assert adapting.report_due(0) == 10_000
    assert adapting.report_due(7_000) == adapting.report_due(7_000, REMEMBERED) == 17_000
    assert adapting.report_due(7_000, never_told) == 10_000  # it has waited for all of them
    assert adapting.report_due(70_000, never_told) == 70_001  # at an update, not at the load
    message = "adapter: 10,000 updates were made and the plateau was told no metric, so it reduces nothing; call report"
    with pytest.warns(UserWarning, match=f"^{message}$"):
        adapting.warn_of_no_report("adapter", "call report")


# --- what is no state ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("best", "low", "PlateauState.best: expected a number, or inf, -inf or nan as text; got 'low'"),
        ("best", None, "PlateauState.best: expected a number"),
        ("mean", True, "PlateauState.mean: expected a number"),
        ("bad", 1.5, "PlateauState.bad: expected an integer >= 0; got 1.5"),
        ("cooldown", -1, "PlateauState.cooldown: expected an integer >= 0; got -1"),
        ("reports", True, "PlateauState.reports: expected an integer >= 0; got true"),
        ("scale", 2, "PlateauState.scale: expected a number from 0 to 1; got 2"),
        ("scale", "nan", "PlateauState.scale: expected a number from 0 to 1; got 'nan'"),
    ],
)
def test_a_wrong_saved_state_is_refused(field: str, value: Any, message: str) -> None:
    plain = {**Plateau(Constant(LR)).initial().to_dict(), field: value}
    with pytest.raises(ScheduleError) as caught:
        PlateauState.from_dict(plain)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("plain", [None, {}, {"best": 0.1}, [0.1, 0, 0, 1.0, 0, 0.0]])
def test_something_that_is_not_a_saved_state_is_refused(plain: Any) -> None:
    with pytest.raises(
        ScheduleError, match="expected a plateau's state, with best, bad, cooldown, scale, reports, mean"
    ):
        PlateauState.from_dict(plain)


# --- metrics and options ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [1, 1.0, Fraction(1), np.float32(1), np.int64(1), np.asarray(1.0), np.ones((1, 1))])
def test_a_metric_is_one_number_of_any_library(metric: Any) -> None:
    plateau = Plateau(Constant(LR))
    assert plateau.update(plateau.initial(), metric).best == 1.0


@pytest.mark.parametrize(
    "metric",
    [
        None,
        True,
        "0.5",
        b"0.5",
        1j,
        [0.5],
        np.True_,
        np.complex64(1),
        np.asarray([0.5, 0.6]),
        np.asarray([True]),
        10**400,
    ],
)
def test_something_that_is_not_a_metric_is_refused(metric: Any) -> None:
    plateau = Plateau(Constant(LR))
    with pytest.raises(ScheduleError, match=r"^Plateau\.update: expected a metric that is one number; got "):
        plateau.update(plateau.initial(), metric)


def test_something_that_is_not_a_state_is_refused() -> None:
    plateau = Plateau(Constant(LR))
    wrong: Any = plateau.initial().to_dict()
    with pytest.raises(
        ScheduleError, match=r"^Plateau\.update: expected a state made by Plateau\.initial or update; got"
    ):
        plateau.update(wrong, 0.5)
    with pytest.raises(ScheduleError, match=r"^Plateau\.value: expected a state made by"):
        plateau.value(0, wrong)
    with pytest.raises(ScheduleError, match=r"^step: expected an integer >= 0"):
        plateau.value(-1, plateau.initial())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1.0}, "Plateau.factor: expected a number >= 0 and < 1; got 1.0"),
        ({"factor": math.nan}, "Plateau.factor: expected a number >= 0 and < 1; got nan"),
        ({"factor": -0.5}, "Plateau.factor: expected a number >= 0 and < 1; got -0.5"),
        ({"patience": 2.5}, "Plateau.patience: expected an integer >= -1 (reports); got 2.5"),
        ({"patience": True}, "Plateau.patience: expected an integer >= -1 (reports); got true"),
        ({"patience": -2}, "Plateau.patience: expected an integer >= -1 (reports); got -2"),
        ({"mode": "mni"}, "Plateau.mode: expected one of min, max; got 'mni'; did you mean 'min'?"),
        ({"rtol": math.inf}, "Plateau.rtol: expected a finite number; got inf"),
        ({"atol": "1e-3"}, "Plateau.atol: expected a finite number; got '1e-3'"),
        ({"cooldown": -1}, "Plateau.cooldown: expected an integer >= 0 (reports); got -1"),
        (
            {"min_scale": 1.5},
            "Plateau.min_scale: expected a number from 0 to 1, a part of the schedule's value; got 1.5",
        ),
        ({"eps": -1e-8}, "Plateau.eps: expected a finite number >= 0; got -1e-08"),
        ({"accumulate": 0}, "Plateau.accumulate: expected an integer >= 1"),
        ({"accept_first": 1}, "Plateau.accept_first: expected true or false; got 1"),
        (
            {"arithmetic": "mxnet"},
            "Plateau.arithmetic: expected one of lrcore, torch, keras, optax, paddle; got 'mxnet'",
        ),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Plateau(Constant(LR), **options)
    assert str(caught.value).startswith(message)


def test_something_that_is_not_a_schedule_is_refused() -> None:
    function: Any = math.sqrt
    with pytest.raises(ScheduleError, match=r"^Plateau\.schedule: expected a schedule; .*wrap a Python function"):
        Plateau(function)


def test_a_patience_below_zero_reduces_at_improvements_alone() -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=-1)
    assert scaled(plateau, [1.0, 1.0, 1.0, 0.5, 0.6]) == [0.05, 0.05, 0.05, 0.025, 0.025]


def test_numbers_beyond_float32_are_infinite_to_it() -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=0, arithmetic="optax")
    assert scaled(plateau, [1e300]) == [0.05]


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_plateau_beside_a_schedule_makes_load_return_a_plateau(tmp_path: Path) -> None:
    path = tmp_path / "schedule.toml"
    path.write_text(PLATEAU_FILE, encoding="utf-8")
    plateau = lrcore.load(path)
    assert plateau == Plateau(Constant(0.1).warmup(500), factor=0.5, patience=5)
    assert repr(plateau) == "Plateau(Constant(value=0.1).warmup(steps=500), factor=0.5, patience=5)"
    assert lrcore.dumps(plateau) == PLATEAU_FILE.lstrip()
    path.write_text("[train]\n" + PLATEAU_FILE.replace("[warm", "[train.warm").replace("[plat", "[train.plat"))
    assert lrcore.load(path, key="train") == plateau


def test_an_empty_plateau_table_is_one_of_defaults() -> None:
    plateau = lrcore.from_dict({"kind": "constant", "value": 0.1, "plateau": {}})
    assert plateau == Plateau(Constant(0.1))
    assert lrcore.loads(lrcore.dumps(plateau)) == plateau


@given(plateaus, st.sampled_from(["toml", "json"]))
def test_a_plateau_goes_through_every_format(plateau: Plateau, format: str) -> None:  # noqa: A002
    read = lrcore.loads(lrcore.dumps(plateau, format), format)
    assert read == plateau
    assert hash(read) == hash(plateau)
    assert read.fingerprint == plateau.fingerprint != plateau.schedule.fingerprint
    assert lrcore.from_dict(plateau.to_dict()) == plateau


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"plateau": {"factr": 0.5}}, "plateau.factr: expected one of factor, patience,"),
        ({"plateau": {"factor": 2}}, "plateau.factor: expected a number >= 0 and < 1; got 2"),
        ({"plateau": 0.5}, "plateau: expected a table; got 0.5"),
        (
            {"plateaus": {}},
            "plateaus: expected one of value, warmup, cooldown, total_steps, plateau, run, format, $schema; got an unknown field",
        ),
    ],
)
def test_a_wrong_plateau_table_is_named(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        lrcore.from_dict({"kind": "constant", "value": 0.1, **wrong})
    assert str(caught.value).startswith(message)


def test_a_plateau_stands_beside_the_outermost_schedule_alone() -> None:
    inner = {"kind": "constant", "value": 0.1, "plateau": {}}
    with pytest.raises(ScheduleError, match=r"^schedule\.plateau: "):
        lrcore.from_dict({"kind": "shift", "steps": 1, "schedule": inner})


# --- where one report decides -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("metrics", [[0.1, 0.1], [0.7, 0.7], [0.1, 0.1 - 1e-10]])
def test_keras_compares_in_float32(metrics: list[float]) -> None:
    """float32(0.1) lies above 0.1 and float32(0.7) below 0.7: rounding one side alone would find them better."""
    plateau = Plateau(Constant(LR), factor=0.5, patience=0, rtol=0, accept_first=True, arithmetic="keras")
    assert scaled(plateau, metrics) == [0.1, 0.05]
    other = Plateau(Constant(LR), factor=0.5, patience=0, rtol=0, accept_first=True)
    assert scaled(other, [0.1, 0.1 - 1e-10]) == [0.1, 0.1]


def test_a_cooldown_holds_where_improvements_reduce() -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=-1, rtol=0, cooldown=2)
    assert scaled(plateau, [1.0, 0.5, 0.25, 0.125, 0.06]) == [0.05, 0.05, 0.05, 0.025, 0.025]


def test_the_first_mean_is_accepted_and_no_later_one() -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=0, rtol=0, accumulate=2, accept_first=True)
    assert scaled(plateau, [math.inf, math.inf]) == [0.1, 0.1]
    assert scaled(plateau, [1.0, 1.0, math.inf, math.inf]) == [0.1, 0.1, 0.1, 0.05]
    assert scaled(plateau.replace(accept_first=False), [math.inf, math.inf]) == [0.1, 0.05]


def test_a_reduction_by_no_more_than_eps_is_left_out() -> None:
    plateau = Plateau(Constant(LR), factor=0.5, patience=0, rtol=0, eps=0.25)
    assert scaled(plateau, [1.0, 1.0, 1.0, 1.0]) == [0.1, 0.05, 0.05, 0.05]
    assert scaled(plateau.replace(eps=0.5), [1.0, 1.0]) == [0.1, 0.1]


@pytest.mark.parametrize(("arithmetic", "mean"), [("lrcore", 0.1), ("torch", 0.1), ("optax", float(np.float32(0.1)))])
def test_a_mean_of_metrics_has_the_precision_of_its_arithmetic(arithmetic: Any, mean: float) -> None:
    plateau = Plateau(Constant(LR), accumulate=2, arithmetic=arithmetic)
    state = plateau.update(plateau.initial(), 0.1)
    assert state.mean == mean
    assert plateau.update(state, 0.1).best == mean
