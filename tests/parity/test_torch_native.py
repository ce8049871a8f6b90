"""PyTorch's schedulers and what `from_native` makes of them, stepped through a run of an optimizer with two groups."""

from __future__ import annotations

import itertools
import math
import pickle
import random
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as native
from torch.optim.swa_utils import SWALR

import lrcore
import lrcore_torch
from tests.parity.comparison import DIFFERENCES, Conformance, known_difference

UPDATES = 90
EXACT = 1e-11
RATES = (0.5, 0.2)
GROUPS = range(len(RATES))

Options = dict[str, Any]
Part = tuple[type, Options]


@dataclass(frozen=True)
class Fading:
    """A factor that falls with the step; the part 1 - 1 / size of it stays."""

    speed: float
    size: float = 1.0

    def __call__(self, step: float) -> float:
        return 1 + (1 / (1 + self.speed * step) - 1) / self.size


FADING = [Fading(speed / 16, size) for speed in (0, 1, 2, 5, 30) for size in (1, 2, 10, -20)]
LENGTHS = [0, 1, 2, 5, 40, 80, 200, -3, 7.5]
CYCLE: dict[str, list[Any]] = {
    "base_lr": [0.1, [0.1, 0.7]],
    "max_lr": [0.5],
    "step_size_up": [1, 7, 40, 3.7],
    "step_size_down": [None, 9, 2.3],
    "base_momentum": [0.8],
    "max_momentum": [0.9, [0.85, 0.99]],
}

# Every option of each class, varied; the grid is all combinations.
GRIDS: dict[type, list[dict[str, list[Any]]]] = {
    native.LambdaLR: [{"lr_lambda": [*FADING, [Fading(0.1), Fading(0.4)]]}],
    native.MultiplicativeLR: [{"lr_lambda": [*FADING, [Fading(0.1), Fading(0.4)]]}],
    native.StepLR: [{"step_size": [1, 2, 7, 30, 80, 2.5, -6], "gamma": [0.1, 0.5, 0.9, 0, -0.5, 1.2]}],
    native.MultiStepLR: [
        {
            "milestones": [[10], [0, 30], [60, 15, 60], [20, 20, 20], [-4, 1, 2, 3], [5.5, 50], []],
            "gamma": [0.1, 0.5, 0, -0.5, 1.5],
        }
    ],
    native.ConstantLR: [{"factor": [1 / 3, 0.1, 1.0, 1e-3], "total_iters": LENGTHS}],
    native.LinearLR: [{"start_factor": [1 / 3, 1.0, 1e-3], "end_factor": [1.0, 0.5, 0.0], "total_iters": LENGTHS}],
    native.ExponentialLR: [{"gamma": [0.0, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0, 1.01, 1.5, -0.5, -1.0, 0.3]}],
    native.PolynomialLR: [{"total_iters": LENGTHS, "power": [0, 0.5, 0.9, 1.0, 2, 7.5]}],
    native.CosineAnnealingLR: [{"T_max": [1, 2, 3, 20, 61, 200, -9, 7.5], "eta_min": [0, 0.01, 0.3, 0.7, -0.1]}],
    native.CosineAnnealingWarmRestarts: [
        {"T_0": [1, 7, 20, 200], "T_mult": [1, 2, 3], "eta_min": [0, 0.01, 0.3, 0.7]},
    ],
    native.CyclicLR: [
        {**CYCLE, "mode": ["triangular", "triangular2"]},
        {**CYCLE, "step_size_up": [1, 7, 2.5], "step_size_down": [0]},
        {**CYCLE, "mode": ["exp_range"], "gamma": [0.97, 1.01]},
        {**CYCLE, "scale_fn": [Fading(0.1)], "scale_mode": ["cycle", "iterations"]},
    ],
    native.OneCycleLR: [
        {
            "max_lr": [0.5, [0.5, 0.3]],
            "total_steps": [UPDATES, 400],
            "pct_start": [0.3, 0.0, 0.47, 0.8],
            "anneal_strategy": ["cos", "linear"],
            "three_phase": [False, True],
        },
        {
            "max_lr": [0.5],
            "total_steps": [UPDATES],
            "div_factor": [1.0, 4.0],
            "final_div_factor": [100.0, 0.5],
            "base_momentum": [0.8, [0.1, 0.2]],
            "max_momentum": [0.9, [0.85, 0.99]],
        },
        {"max_lr": [0.5], "epochs": [10], "steps_per_epoch": [9, 12], "pct_start": [1.0, 0.25]},
    ],
    SWALR: [
        {
            "swa_lr": [0.05, 0.0, [0.3, 0.9]],
            "anneal_epochs": [0, 1, 2, 30, 89, 200],
            "anneal_strategy": ["cos", "linear"],
        }
    ],
}

SHARE = st.floats(0.0, 1.0)
SOME_SHARE = st.floats(0.01, 1.0)
STEPS = st.integers(0, 120)
SOME_STEPS = st.integers(1, 120)
SPEED = st.builds(Fading, st.floats(0, 2), st.floats(1, 10))
GAMMA = st.floats(-1.0, 1.05)

# What changes the rate that it finds.
FACTORS: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    native.MultiplicativeLR: {"lr_lambda": SPEED},
    native.StepLR: {"step_size": SOME_STEPS, "gamma": GAMMA},
    native.MultiStepLR: {"milestones": st.lists(st.integers(-5, 90), max_size=6), "gamma": GAMMA},
    native.ConstantLR: {"factor": SOME_SHARE, "total_iters": STEPS},
    native.LinearLR: {"start_factor": SOME_SHARE, "end_factor": SHARE, "total_iters": STEPS},
    native.ExponentialLR: {"gamma": GAMMA},
    native.PolynomialLR: {"total_iters": STEPS, "power": st.floats(0.05, 6)},
}
SWINGS: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    native.CosineAnnealingLR: {"T_max": SOME_STEPS, "eta_min": st.just(0) | SHARE},
}
OTHERS: dict[type, dict[str, st.SearchStrategy[Any]]] = {
    native.LambdaLR: {"lr_lambda": SPEED},
    native.CosineAnnealingWarmRestarts: {"T_0": SOME_STEPS, "T_mult": st.integers(1, 4), "eta_min": SHARE},
    native.CyclicLR: {
        "base_lr": SHARE,
        "max_lr": SOME_SHARE,
        "step_size_up": SOME_STEPS | st.floats(1, 60).map(lambda steps: round(steps, 3)),
        "step_size_down": st.none() | SOME_STEPS,
        "mode": st.sampled_from(["triangular", "triangular2", "exp_range"]),
        "gamma": st.floats(-1, 1.01),
    },
    native.OneCycleLR: {
        "max_lr": SOME_SHARE,
        "total_steps": st.integers(UPDATES, 500),
        "pct_start": st.floats(0.0, 1.0),
        "anneal_strategy": st.sampled_from(["cos", "linear"]),
        "div_factor": st.floats(1, 100),
        "final_div_factor": st.floats(0.5, 1e5),
        "three_phase": st.booleans(),
    },
    SWALR: {"swa_lr": SHARE, "anneal_epochs": STEPS, "anneal_strategy": st.sampled_from(["cos", "linear"])},
}
RANDOM = FACTORS | SWINGS | OTHERS


def parts_of(options: dict[type, dict[str, st.SearchStrategy[Any]]]) -> st.SearchStrategy[Part]:
    return st.one_of([st.tuples(st.just(cls), st.fixed_dictionaries(options[cls])) for cls in options])


def combinations(cls: type) -> Iterator[Options]:
    for grid in GRIDS[cls]:
        for values in itertools.product(*grid.values()):
            yield dict(zip(grid, values, strict=True))


def optimizer_for(rates: tuple[Any, ...] = RATES) -> torch.optim.Optimizer:
    groups = [{"params": [torch.nn.Parameter(torch.zeros(()))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=rates[0], momentum=0.9, foreach=False)


def sequential(parts: list[Part], milestones: list[int]) -> native.SequentialLR:
    optimizer = optimizer_for()
    return native.SequentialLR(optimizer, [cls(optimizer, **options) for cls, options in parts], milestones)


def chained(parts: list[Part]) -> native.ChainedScheduler:
    optimizer = optimizer_for()
    return native.ChainedScheduler([cls(optimizer, **options) for cls, options in parts])


def run(scheduler: Any, updates: int = UPDATES, parameter: str = "lr") -> list[list[float]]:
    """What the updates to come use, for each group; it ends where the native raises."""
    used: list[list[float]] = [[] for _ in scheduler.optimizer.param_groups]
    for _ in range(updates):
        for numbers, group in zip(used, scheduler.optimizer.param_groups, strict=True):
            numbers.append(float(group[parameter]))
        scheduler.optimizer.step()
        try:
            scheduler.step()
        except (ArithmeticError, ValueError, NotImplementedError):
            break
    return used


def imported(scheduler: Any) -> list[Any]:
    return [lrcore_torch.from_native(scheduler, group=group) for group in GROUPS]


def compare(conformance: Conformance, scheduler: Any) -> None:
    name, fresh = type(scheduler).__name__, imported(scheduler)
    for schedule, rates in zip(fresh, run(scheduler), strict=True):
        conformance.compare(name, schedule, rates, tolerance=EXACT)
        if is_writable(schedule):
            assert lrcore.from_dict(schedule.to_dict()) == schedule
    assert lrcore_torch.native_step(scheduler) == UPDATES
    if not isinstance(scheduler, SWALR):
        assert imported(scheduler) == fresh


def is_writable(schedule: lrcore.Schedule) -> bool:
    return "Function(" not in repr(schedule)


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@pytest.mark.parametrize("cls", GRIDS, ids=lambda cls: cls.__name__)
def test_from_native_gives_the_rates_of_the_native(conformance: Conformance, cls: type) -> None:
    for options in combinations(cls):
        compare(conformance, cls(optimizer_for(), **options))


def test_from_native_gives_a_function_only_for_a_native_with_one() -> None:
    with_functions = {
        cls.__name__
        for cls in GRIDS
        for options in combinations(cls)
        if not is_writable(lrcore_torch.from_native(cls(optimizer_for(), **options)))
        and not options.keys() & {"lr_lambda", "scale_fn"}
    }
    assert not with_functions


@pytest.mark.parametrize("cls", RANDOM, ids=lambda cls: cls.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_from_native_gives_the_rates_of_a_native_with_any_options(
    conformance: Conformance, cls: type, data: st.DataObject
) -> None:
    options = data.draw(st.fixed_dictionaries(RANDOM[cls]))
    compare(conformance, cls(optimizer_for(), **options))


@pytest.mark.parametrize("cls", [native.CyclicLR, native.OneCycleLR], ids=lambda cls: cls.__name__)
def test_from_native_gives_the_momentum_as_a_second_schedule(conformance: Conformance, cls: type) -> None:
    for options in combinations(cls):
        scheduler = cls(optimizer_for(), **options)
        fresh = [lrcore_torch.from_native(scheduler, parameter="momentum", group=group) for group in GROUPS]
        for schedule, momenta in zip(fresh, run(scheduler, UPDATES, "momentum"), strict=True):
            conformance.compare(f"{cls.__name__} (momentum)", schedule, momenta, tolerance=EXACT)
        assert fresh == [lrcore_torch.from_native(scheduler, parameter="momentum", group=group) for group in GROUPS]


def test_from_native_gives_the_momentum_of_an_optimizer_with_betas() -> None:
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(()))])
    scheduler = native.OneCycleLR(optimizer, 0.1, total_steps=50)
    schedule = lrcore_torch.from_native(scheduler, parameter="momentum")
    for step in range(49):
        assert schedule(step) == pytest.approx(optimizer.param_groups[0]["betas"][0], rel=EXACT)
        optimizer.step()
        scheduler.step()


# --- composites -------------------------------------------------------------------------------------------------------

WARMUP: Part = (native.LinearLR, {"start_factor": 0.01, "total_iters": 9})
WAVE: Part = (native.CosineAnnealingLR, {"T_max": 25, "eta_min": 0.01})
SWA: Part = (SWALR, {"swa_lr": 0.05, "anneal_epochs": 10})
FADE: Part = (native.MultiplicativeLR, {"lr_lambda": Fading(0.02, 10)})
ONE_CYCLE: Part = (native.OneCycleLR, {"max_lr": 0.4, "total_steps": 200})
CYCLES: Part = (native.CyclicLR, {"base_lr": 0.1, "max_lr": 0.4, "step_size_up": 5})
SEQUENCES: list[tuple[list[Part], list[int]]] = [
    ([WARMUP, WAVE], [9]),
    ([WARMUP, (native.ExponentialLR, {"gamma": 0.9})], [4]),
    ([WARMUP, (native.ConstantLR, {"total_iters": 0})], [20]),
    ([WARMUP, (native.MultiStepLR, {"milestones": [-2, 0, 30]}), WAVE], [9, 50]),
    ([WAVE, WAVE, WAVE], [25, 50]),
    ([FADE, FADE, FADE], [30, 60]),
    ([WAVE, FADE, SWA], [10, 40]),
    ([SWA, WAVE], [30]),
    ([WARMUP, SWA], [5]),
    ([WARMUP, ONE_CYCLE], [9]),
    ([WAVE, ONE_CYCLE], [80]),
    ([(native.CosineAnnealingLR, {"T_max": 7.5}), ONE_CYCLE], [40]),
    ([ONE_CYCLE, WAVE], [50]),
    ([CYCLES, FADE], [33]),
    ([WARMUP, CYCLES], [9]),
    ([(native.CosineAnnealingWarmRestarts, {"T_0": 7}), (native.StepLR, {"step_size": 3, "gamma": 0.5})], [40]),
    ([(native.LambdaLR, {"lr_lambda": Fading(0.1)}), (native.LambdaLR, {"lr_lambda": Fading(0.9)})], [40]),
    ([WARMUP, WAVE], [0]),
    ([WARMUP, WAVE, SWA], [20, 20]),
    ([WARMUP, WAVE, CYCLES], [-5, 30]),
    ([WAVE], []),
    ([WARMUP, WAVE, (native.PolynomialLR, {"total_iters": 20})], [40, 30]),
    ([(native.PolynomialLR, {"total_iters": 0}), (native.PolynomialLR, {"total_iters": 7.5, "power": 2})], [2]),
]
CHAINS: list[list[Part]] = [
    [WARMUP, (native.ExponentialLR, {"gamma": 0.95})],
    [WARMUP, (native.StepLR, {"step_size": 20}), FADE],
    [WAVE],
    [(native.LambdaLR, {"lr_lambda": Fading(0.1)})],
    [(SWALR, {"swa_lr": 0.05, "anneal_epochs": 100})],
    [(native.PolynomialLR, {"total_iters": 60}), (native.MultiStepLR, {"milestones": [0, 20, 20]})],
    [(native.ConstantLR, {"factor": 0.5, "total_iters": 10}), (native.ConstantLR, {"factor": 0.5, "total_iters": 30})],
    [WARMUP, (native.CosineAnnealingLR, {"T_max": 100})],
    [(native.CosineAnnealingLR, {"T_max": 100}), (native.LinearLR, {"total_iters": 30})],
    [(native.CosineAnnealingLR, {"T_max": 9}), WARMUP],
]


@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
@pytest.mark.parametrize(("parts", "milestones"), SEQUENCES)
def test_from_native_gives_the_rates_of_a_sequence(
    conformance: Conformance, parts: list[Part], milestones: list[int]
) -> None:
    compare(conformance, sequential(parts, milestones))


@given(parts=st.lists(parts_of(RANDOM), min_size=1, max_size=4), data=st.data())
def test_from_native_gives_the_rates_of_any_sequence(
    conformance: Conformance, parts: list[Part], data: st.DataObject
) -> None:
    count = len(parts) - 1
    milestones = data.draw(st.lists(st.integers(-1, UPDATES), min_size=count, max_size=count).map(sorted))
    scheduler = sequential(parts, milestones)
    try:
        imported(scheduler)
    except lrcore.ScheduleError as error:
        assert "divides by 0" in str(error)  # noqa: PT017
    else:
        compare(conformance, scheduler)


@pytest.mark.parametrize("parts", CHAINS)
def test_from_native_gives_the_rates_of_a_chain(conformance: Conformance, parts: list[Part]) -> None:
    compare(conformance, chained(parts))


@given(parts=st.lists(parts_of(FACTORS | SWINGS), min_size=1, max_size=4))
def test_from_native_gives_the_rates_of_any_chain(conformance: Conformance, parts: list[Part]) -> None:
    compare(conformance, chained(parts))


@pytest.mark.parametrize(
    ("parts", "writable"),
    [
        ([WARMUP, (native.CosineAnnealingLR, {"T_max": 9})], True),
        ([WARMUP, (native.CosineAnnealingLR, {"T_max": 8})], False),
        ([WARMUP, WAVE], False),
        ([(native.StepLR, {"step_size": 5}), (native.CosineAnnealingLR, {"T_max": 50})], False),
        ([(native.StepLR, {"step_size": 5}), WARMUP], True),
    ],
)
def test_a_chain_is_a_product_where_a_cosine_is_a_factor_beyond_its_end(parts: list[Part], writable: bool) -> None:
    assert is_writable(lrcore_torch.from_native(chained(parts))) == writable


def test_a_chain_in_which_torch_would_fail_fails_at_each_evaluation() -> None:
    parts: list[Part] = [(native.StepLR, {"step_size": 3}), (native.CosineAnnealingLR, {"T_max": 10 / 3})]
    schedule = lrcore_torch.from_native(chained(parts))
    for step in (11, 40):
        with pytest.raises(
            lrcore.ScheduleError, match=r"ChainedScheduler at step 11: expected a rate; got ZeroDivision"
        ):
            schedule(step)
    assert schedule(9) == pytest.approx(run(chained(parts), 10)[0][9])


def test_a_replayed_chain_is_a_function_of_the_step() -> None:
    """In any order, from any thread, in a copy, with a memory that does not grow."""
    parts: list[Part] = [(native.ExponentialLR, {"gamma": 0.9999}), WAVE]
    schedule, updates = lrcore_torch.from_native(chained(parts)), 3000
    rates = run(chained(parts), updates)[0]
    asked = random.Random(0).sample(range(updates), 100)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(schedule, asked))
    assert found == pytest.approx([rates[step] for step in asked], rel=EXACT)
    assert found == [lrcore_torch.from_native(chained(parts))(step) for step in asked[:3]] + found[3:]
    again = pickle.loads(pickle.dumps(schedule))
    assert again == schedule == lrcore_torch.from_native(chained(parts))
    assert hash(again) == hash(schedule)
    assert [again(step) for step in asked[:3]] == found[:3]
    tracemalloc.start()
    try:
        schedule(2 * updates)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 30_000


def test_from_native_gives_the_rates_of_a_chain_in_a_chain() -> None:
    optimizer = optimizer_for()
    inner = native.ChainedScheduler([native.LinearLR(optimizer), native.StepLR(optimizer, 20)])
    scheduler = native.ChainedScheduler([inner, native.ExponentialLR(optimizer, 0.9)])
    schedule = lrcore_torch.from_native(scheduler)
    assert [schedule(step) for step in range(UPDATES)] == pytest.approx(run(scheduler)[0], rel=EXACT)
    assert lrcore_torch.native_step(scheduler) == UPDATES


def test_from_native_gives_the_rates_of_our_scheduler_in_a_sequence() -> None:
    optimizer = optimizer_for()
    ours = lrcore_torch.LRScheduler(optimizer, lrcore.Exponential(init_value=1.0, decay_rate=0.9), relative=True)
    scheduler = native.SequentialLR(optimizer, [native.LinearLR(optimizer), ours], [5])
    schedules = imported(scheduler)
    for schedule, rates in zip(schedules, run(scheduler), strict=True):
        assert [schedule(step) for step in range(UPDATES)] == pytest.approx(rates, rel=EXACT)


# --- plateau ----------------------------------------------------------------------------------------------------------

METRICS = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.29999, 1.0, -1.0, math.nan, math.inf, -math.inf]), max_size=60)
PLATEAU = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from(["min", "max"]),
        "factor": st.sampled_from([0.5, 0.1, 0.0, -0.5]),
        "patience": st.integers(0, 4),
        "threshold": st.sampled_from([1e-4, 0.1, 0.0]),
        "threshold_mode": st.sampled_from(["rel", "abs"]),
        "cooldown": st.integers(-1, 3),
        "min_lr": st.sampled_from([0.0, 0.001, 5.0, [0.0, 0.1]]),
        "eps": st.sampled_from([1e-8, 0.01]),
    },
)


@settings(max_examples=150)
@given(metrics=METRICS, options=PLATEAU)
def test_from_native_gives_the_rates_of_a_plateau(
    conformance: Conformance, metrics: list[float], options: Options
) -> None:
    scheduler = native.ReduceLROnPlateau(optimizer_for(), **options)
    plateaus = imported(scheduler)
    states = [plateau.initial() for plateau in plateaus]
    ours: list[list[float]] = [[], []]
    theirs: list[list[float]] = [[], []]
    for metric in metrics:
        scheduler.step(metric)
        for group, plateau in enumerate(plateaus):
            states[group] = plateau.update(states[group], metric)
            ours[group].append(plateau.value(0, states[group]))
            theirs[group].append(scheduler.optimizer.param_groups[group]["lr"])
    for mine, native_rates in zip(ours, theirs, strict=True):
        schedule = lrcore.Function(mine.__getitem__)
        conformance.compare("ReduceLROnPlateau", schedule, native_rates, tolerance=EXACT, kind="plateau")
    again = [lrcore_torch.from_native(scheduler, group=group, base_lr=RATES[group]) for group in GROUPS]
    assert again == plateaus
    assert lrcore_torch.native_step(scheduler) == len(metrics)


@given(metrics=METRICS, options=PLATEAU)
def test_from_native_finds_the_first_rate_of_a_plateau_that_has_reduced_the_only_group(
    metrics: list[float], options: Options
) -> None:
    scheduler = native.ReduceLROnPlateau(optimizer_for((0.5,)), **{**options, "min_lr": 0.001})
    fresh = lrcore_torch.from_native(scheduler)
    for metric in metrics:
        scheduler.step(metric)
    assert lrcore_torch.from_native(scheduler) == fresh


def test_a_plateau_after_a_warmup_begins_at_the_rate_before_the_warmup() -> None:
    optimizer = optimizer_for()
    native.ConstantLR(optimizer, 0.5)
    plateau: Any = lrcore_torch.from_native(native.ReduceLROnPlateau(optimizer))
    assert plateau.schedule == lrcore.Constant(0.5)


# --- part-way ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["cos", "linear"])
def test_from_native_finds_the_first_rate_of_a_swalr_until_its_end(strategy: Any) -> None:
    optimizer = optimizer_for()
    native.ConstantLR(optimizer, 0.3)  # leaves the rates at 0.15 and 0.06, which are not those of the groups
    scheduler = SWALR(optimizer, [0.05, 0.9], 20, strategy)
    fresh = imported(scheduler)
    for step in range(1, 20):
        run(scheduler, 1)
        assert imported(scheduler) == fresh
        assert [schedule(step) for schedule in fresh] == pytest.approx([g["lr"] for g in optimizer.param_groups])
    run(scheduler, 1)
    with pytest.raises(lrcore.ScheduleError, match="got one at its end; give base_lr"):
        imported(scheduler)
    assert lrcore_torch.from_native(scheduler, base_lr=0.15) == fresh[0]


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        WARMUP,
        WAVE,
        SWA,
        (native.ExponentialLR, {"gamma": 0.99}),
        (native.StepLR, {"step_size": 10}),
        (native.PolynomialLR, {"total_iters": 60}),
    ],
)
def test_from_native_reads_rates_that_are_tensors(cls: type, options: Options) -> None:
    scheduler = cls(optimizer_for((torch.tensor(0.5), torch.tensor(0.2))), **options)
    schedules = imported(scheduler)
    for schedule, rates in zip(schedules, run(scheduler), strict=True):
        assert [schedule(step) for step in range(UPDATES)] == pytest.approx(rates, abs=1e-5 * max(rates))


def test_from_native_gives_the_same_schedule_for_a_restored_native() -> None:
    scheduler = sequential([WARMUP, WAVE], [9])
    fresh = imported(scheduler)
    run(scheduler, 30)
    restored = sequential([WARMUP, WAVE], [9])
    restored.optimizer.load_state_dict(scheduler.optimizer.state_dict())
    restored.load_state_dict(scheduler.state_dict())
    assert imported(restored) == fresh
    assert lrcore_torch.native_step(restored) == 30


# --- ours -------------------------------------------------------------------------------------------------------------


def test_from_native_gives_back_the_schedules_of_our_scheduler() -> None:
    first, second, momentum = lrcore.Constant(0.1).warmup(5), lrcore.Constant(0.3), lrcore.Constant(0.8)
    ours = lrcore_torch.LRScheduler(optimizer_for(), [first, second], also={"momentum": momentum})
    assert imported(ours) == [first, second]
    assert lrcore_torch.from_native(ours, parameter="momentum") is momentum
    plateau = lrcore.Plateau(first, patience=2)
    assert lrcore_torch.from_native(lrcore_torch.LRScheduler(optimizer_for((0.5, 0.5)), plateau)) is plateau


# --- refusals ---------------------------------------------------------------------------------------------------------


class Own(native.StepLR):
    """A user's scheduler: its formula is not known."""


def plateau_that_may_have_reduced() -> native.ReduceLROnPlateau:
    scheduler = native.ReduceLROnPlateau(optimizer_for(), patience=1)
    for metric in (1.0, 1.0, 1.0):
        scheduler.step(metric)
    return scheduler


def with_a_group_added_later() -> native.SequentialLR:
    scheduler = sequential([WARMUP, WAVE], [9])
    scheduler.optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(()))]})
    return scheduler


def same_twice() -> native.SequentialLR:
    optimizer = optimizer_for()
    one, other = native.StepLR(optimizer, 3), native.StepLR(optimizer, 3)
    return native.SequentialLR(optimizer, [one, other, one], [5, 10])


@pytest.mark.parametrize(
    ("make", "arguments", "message"),
    [
        (lambda: Own(optimizer_for(), 3), {}, r"expected one of LambdaLR, .*; got Own; wrap its formula"),
        (lambda: sequential([(Own, {"step_size": 3})], []), {}, "got Own; wrap its formula"),
        (lambda: 3, {}, "got int"),
        (lambda: native.StepLR(optimizer_for(), 3), {"group": 2}, "one of the 2 groups .* from 0 on; got 2"),
        (lambda: native.StepLR(optimizer_for(), 3), {"group": 1.0}, "one of the 2 groups .* from 0 on; got 1.0"),
        (lambda: native.StepLR(optimizer_for(), 3), {"group": "head"}, "one of the 2 groups .* from 0 on; got head"),
        (lambda: native.StepLR(optimizer_for(), 3), {"base_lr": 0.1}, "which a StepLR knows; got 0.1"),
        (lambda: native.StepLR(optimizer_for(), 3), {"parameter": "beta"}, "expected lr or momentum"),
        (lambda: native.StepLR(optimizer_for(), 3), {"parameter": "momentum"}, "expected one of CyclicLR, OneCycleLR"),
        (
            lambda: native.OneCycleLR(optimizer_for(), 0.1, 50, cycle_momentum=False),
            {"parameter": "momentum"},
            "expected a OneCycleLR with cycle_momentum",
        ),
        (
            lambda: lrcore_torch.LRScheduler(optimizer_for((0.5, 0.5)), lrcore.Constant(0.1)),
            {"parameter": "momentum"},
            "expected a scheduler that drives the momentum",
        ),
        (
            lambda: lrcore_torch.LRScheduler(optimizer_for(), lrcore.Plateau(lrcore.Constant(1.0)), relative=True),
            {},
            "expected a plateau that nothing multiplies in group 0; got the factor 0.5",
        ),
        (lambda: native.StepLR(optimizer_for(), 0), {}, "expected a step_size other than 0"),
        (lambda: native.StepLR(optimizer_for(), math.inf), {}, "expected a finite step_size; got inf"),
        (lambda: native.CosineAnnealingLR(optimizer_for(), 0), {}, "expected a T_max other than 0"),
        (lambda: native.PolynomialLR(optimizer_for(), 5, -1), {}, "expected power >= 0"),
        (lambda: native.MultiStepLR(optimizer_for(), [1] * 400, 1e10), {}, "expected a finite number; got inf"),
        (lambda: native.CyclicLR(optimizer_for(), 0.1, 0.5, 20, -5), {}, "down_steps: expected a number from 0"),
        (lambda: native.CyclicLR(optimizer_for(), 0.1, 0.5, 3.7, 0), {}, "a whole number of updates, or halves of one"),
        (lambda: native.ReduceLROnPlateau(optimizer_for(), patience=-1), {}, "expected patience >= 0; got -1"),
        (plateau_that_may_have_reduced, {}, "got one that may have; give base_lr"),
        (with_a_group_added_later, {"group": 2}, "one of the 2 groups that the scheduler was made for"),
        (same_twice, {}, "got the same one twice"),
        (lambda: sequential([WARMUP, WAVE, SWA, FADE], [10, 60, 20]), {}, "rising integers"),
        (lambda: sequential([WARMUP, WAVE], [5.5]), {}, "rising integers"),  # type: ignore[list-item]
        (lambda: sequential([WARMUP, (native.LinearLR, {"total_iters": 0})], [5]), {}, "torch divides by 0"),
        (lambda: sequential([WARMUP, (native.PolynomialLR, {"total_iters": 0})], [5]), {}, "torch divides by 0"),
        (lambda: chained([WARMUP, (native.LambdaLR, {"lr_lambda": Fading(0.1)})]), {}, "got LambdaLR, which over"),
        (lambda: chained([(native.ConstantLR, {"factor": 0}), WAVE]), {}, "expected a factor other than 0"),
        (lambda: chained([SWA, WARMUP]), {}, "got SWALR, which overwrites it"),
    ],
)
def test_from_native_refuses_what_has_no_schedule_and_says_why(
    make: Callable[[], Any], arguments: Options, message: str
) -> None:
    with pytest.raises(lrcore.ScheduleError, match=message):
        lrcore_torch.from_native(make(), **arguments)


def test_native_step_refuses_what_is_no_scheduler() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected a scheduler of torch\.optim; got float"):
        lrcore_torch.native_step(0.1)


# --- differences ------------------------------------------------------------------------------------------------------


def agree(scheduler: Any, updates: int, until: int = 0) -> None:
    """Assert that native and import agree; that they do so before update `until` is not what is expected to fail."""
    schedule = lrcore_torch.from_native(scheduler)
    theirs = run(scheduler, updates)[0]
    ours = [schedule(step) for step in range(updates)]
    if theirs[:until] != pytest.approx(ours[:until], rel=1e-9):
        pytest.fail("they differ before")
    assert theirs == pytest.approx(ours, rel=1e-9)


@known_difference("torch-one-cycle-beyond-its-end")
@pytest.mark.parametrize(
    "options",
    [{}, {"anneal_strategy": "linear"}, {"anneal_strategy": "linear", "three_phase": True}, {"pct_start": 1.0}],
)
def test_torch_and_ours_agree_on_a_one_cycle_beyond_its_end(options: Options) -> None:
    agree(native.OneCycleLR(optimizer_for(), 0.5, total_steps=20, **options), 21, 20)


@known_difference("torch-constant-from-zero")
def test_torch_and_ours_agree_on_a_constant_from_zero() -> None:
    agree(native.ConstantLR(optimizer_for(), 0.0, 5), 10, 5)


@known_difference("torch-cosine-at-a-real-turn")
@pytest.mark.parametrize(("length", "turn"), [(2.2, 33), (10 / 3, 10)])
def test_torch_and_ours_agree_on_a_cosine_that_turns_between_two_steps(length: Any, turn: int) -> None:
    agree(native.CosineAnnealingLR(optimizer_for(), length, 0.01), turn + 5, turn)


@known_difference("torch-restarts-jumped-to")
@pytest.mark.parametrize(("factor", "restart"), [(3, 121), (10, 111)])
def test_torch_and_ours_agree_on_a_restart_that_is_jumped_to(factor: int, restart: int) -> None:
    scheduler = native.CosineAnnealingWarmRestarts(optimizer_for(), T_0=1, T_mult=factor)
    schedule = lrcore_torch.from_native(scheduler)
    scheduler.step(restart)
    assert scheduler.get_last_lr()[0] == pytest.approx(schedule(restart))


@known_difference("torch-resumed-recursion")
@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (native.StepLR, {"step_size": 3}),
        (native.MultiStepLR, {"milestones": [3]}),
        (native.ConstantLR, {}),
        (native.LinearLR, {"total_iters": 20}),
        (native.ExponentialLR, {"gamma": 0.9}),
        (native.PolynomialLR, {"total_iters": 20}),
        (native.MultiplicativeLR, {"lr_lambda": Fading(0.1)}),
    ],
)
def test_torch_and_ours_agree_on_a_native_that_starts_at_a_later_step(cls: type, options: Options) -> None:
    optimizer = optimizer_for()
    for group in optimizer.param_groups:
        group["initial_lr"] = group["lr"]
    scheduler = cls(optimizer, **options, last_epoch=3)
    schedule = lrcore_torch.from_native(scheduler)
    assert lrcore_torch.native_step(scheduler) == 4
    assert optimizer.param_groups[0]["lr"] == pytest.approx(schedule(4))


@known_difference("torch-growth-beyond-float64")
@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (native.ExponentialLR, {"gamma": 1e10}),
        (native.StepLR, {"step_size": 1, "gamma": 1e10}),
        (native.CyclicLR, {"base_lr": 0.1, "max_lr": 1, "step_size_up": 2, "mode": "exp_range", "gamma": 1e10}),
        (native.CyclicLR, {"base_lr": 0.1, "max_lr": 1, "step_size_up": 0.01, "mode": "triangular2"}),
    ],
)
def test_torch_and_ours_agree_on_growth_beyond_float64(cls: type, options: Options) -> None:
    agree(cls(optimizer_for(), **options), 60, 20)


def inside(*inner: Part, chain: bool = False) -> Callable[[torch.optim.Optimizer], Any]:
    def make(optimizer: torch.optim.Optimizer) -> Any:
        children = [cls(optimizer, **options) for cls, options in inner]
        return native.ChainedScheduler(children) if chain else native.SequentialLR(optimizer, children, [5])

    return make


COMPOSITES = [inside(WARMUP, WAVE), inside(WARMUP, (native.ExponentialLR, {"gamma": 0.9}), chain=True)]


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
@known_difference("torch-composite-first")
@pytest.mark.parametrize("make", COMPOSITES)
def test_torch_and_ours_agree_on_a_composite_as_the_first_child(make: Callable[[Any], Any]) -> None:
    optimizer = optimizer_for()
    agree(native.SequentialLR(optimizer, [make(optimizer), native.StepLR(optimizer, 5)], [12]), 30)


@known_difference("torch-composite-later")
@pytest.mark.parametrize("make", COMPOSITES)
def test_torch_and_ours_agree_on_a_composite_as_a_later_child(make: Callable[[Any], Any]) -> None:
    optimizer = optimizer_for()
    agree(native.SequentialLR(optimizer, [native.StepLR(optimizer, 5), make(optimizer)], [12]), 30, 12)


def test_composites_in_a_sequence_begin_at_their_own_step_0() -> None:
    for make in COMPOSITES:
        alone = lrcore_torch.from_native(make(optimizer_for()))
        optimizer = optimizer_for()
        step = native.StepLR(optimizer, 5)
        schedule = lrcore_torch.from_native(native.SequentialLR(optimizer, [step, make(optimizer)], [12]))
        assert schedule == lrcore.Join([lrcore_torch.from_native(step), alone], boundaries=[12])


def test_constant_from_zero_returns_to_the_base_rate() -> None:
    schedule = lrcore_torch.from_native(native.ConstantLR(optimizer_for(), 0.0, 5))
    assert [schedule(step) for step in (0, 4, 5, 99)] == [0.0, 0.0, 0.5, 0.5]


def plateau_rates(metrics: list[float], **options: Any) -> tuple[list[float], list[float], list[float]]:
    """Of the native, of what `from_native` makes of it, and of a plateau of lrcore's own with the same options."""
    scheduler = native.ReduceLROnPlateau(optimizer_for((0.5,)), factor=0.5, threshold=0.1, **options)
    own = lrcore.Plateau(lrcore.Constant(0.5), factor=0.5, rtol=0.1, **options)
    theirs = []
    for metric in metrics:
        scheduler.step(metric)
        theirs.append(scheduler.optimizer.param_groups[0]["lr"])
    return theirs, told(lrcore_torch.from_native(scheduler, base_lr=0.5), metrics), told(own, metrics)


def told(plateau: Any, metrics: list[float]) -> list[float]:
    state, rates = plateau.initial(), []
    for metric in metrics:
        state = plateau.update(state, metric)
        rates.append(plateau.value(0, state))
    return rates


WORSE = {"min": [number / 100 - 1 for number in range(30)], "max": [-1 - number / 100 for number in range(30)]}


@known_difference("torch-plateau-below-zero")
@pytest.mark.parametrize("mode", WORSE)
def test_torch_and_ours_agree_on_a_plateau_of_a_metric_below_zero(mode: str) -> None:
    theirs, _, own = plateau_rates(WORSE[mode], mode=mode, patience=1)
    assert theirs == own


@pytest.mark.parametrize("mode", WORSE)
def test_plateau_below_zero_reduces_by_our_rule_alone(mode: str) -> None:
    theirs, imported_rates, own = plateau_rates(WORSE[mode], mode=mode, patience=1)
    assert theirs == imported_rates == [0.5] * 30
    assert own == [0.5 / 2 ** (number // 2) for number in range(30)]


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_the_patience_of_torch_counts_as_ours(patience: int) -> None:
    theirs, imported_rates, own = plateau_rates([1.0] * 9, patience=patience)
    assert theirs == imported_rates == own
    assert theirs.count(0.5) == 1 + patience  # the best one and the bad ones that are tolerated


def test_every_difference_is_shown() -> None:
    shown = {
        "torch-one-cycle-beyond-its-end",
        "torch-constant-from-zero",
        "torch-cosine-at-a-real-turn",
        "torch-restarts-jumped-to",
        "torch-resumed-recursion",
        "torch-growth-beyond-float64",
        "torch-composite-first",
        "torch-composite-later",
        "torch-plateau-below-zero",
        "transformers-beyond-the-end",
        "transformers-restart-missed",
        "transformers-polynomial-without-decay",
    }
    assert shown == {row["name"] for row in DIFFERENCES if row["framework"] == "torch"}
