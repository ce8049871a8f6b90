"""Each kind at its informative steps: values that a reader can check by hand."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

import lrcore
from lrcore import (
    Clip,
    Constant,
    Cosine,
    Every,
    Exponential,
    Function,
    Interpolate,
    InverseTime,
    Join,
    Linear,
    PiecewiseConstant,
    Polynomial,
    Product,
    Repeat,
    Schedule,
    Shift,
    Sum,
    adapting,
)
from lrcore.schedules.kinds import KINDS as FILE_KINDS
from tests import oracle, recorded
from tests.frameworks import ROOT
from tests.kinds import KINDS

DOWN = Linear(init_value=1.0, decay_steps=4)  # 1, 0.75, 0.5, 0.25, 0, 0, ...
HALVES = Exponential(init_value=1.0, decay_rate=0.5)  # 1, 0.5, 0.25, ...
UNTYPED: Any = DOWN  # for what a type checker would refuse before
STEPS = PiecewiseConstant(boundaries=[2, 5], values=[4.0, 2.0, 1.0])

AT: list[tuple[Schedule, dict[int, float]]] = [
    (Constant(0.1), {0: 0.1, 10**9: 0.1}),
    (DOWN, {0: 1.0, 1: 0.75, 3: 0.25, 4: 0.0, 5: 0.0}),
    (Linear(init_value=0.0, end_value=8.0, decay_steps=8), {0: 0.0, 1: 1.0, 7: 7.0, 8: 8.0, 9: 8.0}),
    (Polynomial(init_value=1.0, decay_steps=4, power=2), {0: 1.0, 1: 0.5625, 2: 0.25, 3: 0.0625, 4: 0.0, 5: 0.0}),
    (Polynomial(init_value=5.0, end_value=1.0, decay_steps=4, power=0.5), {0: 5.0, 3: 3.0, 4: 1.0}),
    (Cosine(init_value=3.0, end_value=1.0, decay_steps=6), {0: 3.0, 2: 2.5, 3: 2.0, 4: 1.5, 6: 1.0, 7: 1.0}),
    (Cosine(init_value=1.0, decay_steps=4, exponent=2), {0: 1.0, 2: 0.25, 4: 0.0}),
    (HALVES, {0: 1.0, 1: 0.5, 3: 0.125}),
    (Exponential(init_value=1.0, decay_rate=0.25, decay_steps=2), {0: 1.0, 1: 0.5, 2: 0.25}),
    (Exponential(init_value=1.0, decay_rate=0.5, decay_steps=3, staircase=True), {2: 1.0, 3: 0.5, 5: 0.5, 6: 0.25}),
    (Exponential(init_value=1.0, decay_rate=0.5, decay_steps=2.5, staircase=True), {2: 1.0, 3: 0.5, 4: 0.5, 5: 0.25}),
    (Exponential(init_value=1.0, decay_rate=-0.5), {0: 1.0, 1: -0.5, 2: 0.25}),
    (InverseTime(init_value=6.0), {0: 6.0, 1: 3.0, 2: 2.0}),
    (InverseTime(init_value=6.0, power=0.5), {0: 6.0, 3: 3.0, 8: 2.0}),
    (InverseTime(init_value=6.0, decay_rate=2.0, decay_steps=4), {0: 6.0, 2: 3.0, 4: 2.0}),
    (InverseTime(init_value=6.0, decay_steps=4, staircase=True), {3: 6.0, 4: 3.0, 7: 3.0, 8: 2.0}),
    (STEPS, {0: 4.0, 1: 4.0, 2: 2.0, 4: 2.0, 5: 1.0, 99: 1.0}),
    (PiecewiseConstant(boundaries=[], values=[7.0]), {0: 7.0, 9: 7.0}),
    (PiecewiseConstant(boundaries=[0, 3, 3], values=[1.0, 2.0, 3.0, 4.0]), {0: 2.0, 2: 2.0, 3: 4.0}),
    (Interpolate(boundaries=[2, 4, 8], values=[1.0, 3.0, 1.0]), {0: 1.0, 2: 1.0, 3: 2.0, 4: 3.0, 6: 2.0, 8: 1.0, 9: 1.0}),
    (Interpolate(boundaries=[0.5, 2.5], values=[0.0, 4.0]), {0: 0.0, 1: 1.0, 2: 3.0, 3: 4.0}),
    (Interpolate(boundaries=[0, 4], values=[3.0, 5.0], shape="constant"), {0: 3.0, 3: 3.0, 4: 5.0}),
    (Interpolate(boundaries=[0, 4], values=[1.0, 16.0], shape="exponential"), {0: 1.0, 1: 2.0, 2: 4.0, 4: 16.0}),
    (Function(lambda step: 1.0 / (step + 1)), {0: 1.0, 3: 0.25, 99: 0.01}),
    (Function(lambda step: 1.0 * step, horizon=5), {4: 4.0, 5: 5.0, 99: 5.0}),
    (Join([DOWN, HALVES]), {3: 0.25, 4: 1.0, 5: 0.5}),
    (Join([DOWN, HALVES], boundaries=[2]), {1: 0.75, 2: 1.0, 3: 0.5}),
    (Join([Constant(1.0), Constant(2.0), Constant(3.0)], boundaries=[0, 3]), {0: 2.0, 2: 2.0, 3: 3.0}),
    (Sum([DOWN, Constant(1.0), HALVES]), {0: 3.0, 1: 2.25, 4: 1.0625}),
    (Product([DOWN, HALVES]), {0: 1.0, 1: 0.375, 4: 0.0}),
    (Clip(HALVES, min_value=0.2), {2: 0.25, 3: 0.2, 99: 0.2}),
    (Clip(DOWN, min_value=0.1, max_value=0.6), {0: 0.6, 1: 0.6, 2: 0.5, 3: 0.25, 4: 0.1}),
    (Shift(DOWN, 3), {0: 0.25, 1: 0.0}),
    (Repeat(DOWN), {0: 1.0, 3: 0.25, 4: 1.0, 9: 0.75}),
    (Repeat(DOWN, mirror=True), {3: 0.25, 4: 0.0, 5: 0.25, 7: 0.75, 8: 1.0, 9: 0.75}),
    (Repeat(DOWN, length_factor=2), {3: 0.25, 4: 1.0, 5: 0.875, 11: 0.125, 12: 1.0}),
    (Repeat(DOWN, length_factor=2, mirror=True), {4: 0.0, 8: 0.5, 11: 0.875, 12: 1.0}),
    (Repeat(DOWN, value_factor=0.5), {3: 0.25, 4: 0.5, 7: 0.125, 8: 0.25}),
    (Repeat(HALVES, period=2), {1: 0.5, 2: 1.0, 3: 0.5}),
    (Repeat(STEPS, period=2.5), {0: 4.0, 2: 2.0, 3: 4.0, 5: 4.0, 7: 2.0}),
    (Every(HALVES, 3), {0: 1.0, 2: 1.0, 3: 0.5, 6: 0.25}),
    (DOWN.warmup(2), {0: 0.0, 1: 0.5, 2: 1.0, 3: 0.75, 6: 0.0}),
    (DOWN.warmup(2, init_value=0.5, shape="constant"), {0: 0.5, 1: 0.5, 2: 1.0}),
    (Constant(1.0).warmup(4, shape="cosine"), {0: 0.0, 2: 0.5, 4: 1.0}),
    (Constant(1.0).warmup(4, shape="1-sqrt"), {0: 0.0, 3: 0.5, 4: 1.0}),
    (Constant(1.0).warmup(4, shape="1-square"), {0: 0.0, 2: 0.75, 4: 1.0}),
    (Constant(1.0).warmup(4, shape="power", power=2), {0: 0.0, 2: 0.25, 4: 1.0}),
    (Constant(1.0).warmup(2, init_value=0.25, shape="exponential"), {0: 0.25, 1: 0.5, 2: 1.0}),
    (Constant(1.0).cooldown(4, start=10), {9: 1.0, 10: 1.0, 11: 0.75, 14: 0.0, 15: 0.0}),
    (Constant(1.0).cooldown(4, start=10, shape="1-sqrt"), {10: 1.0, 11: 0.5, 14: 0.0}),
    (Constant(1.0).cooldown(4, start=10, shape="1-square"), {10: 1.0, 12: 0.75, 14: 0.0}),
    (Constant(1.0).cooldown(4, start=10, shape="power", power=2), {10: 1.0, 12: 0.25, 14: 0.0}),
    (Constant(1.0).cooldown(4, start=10, end_value=0.5, shape="constant"), {9: 1.0, 10: 0.5, 14: 0.5}),
    (Constant(4.0).cooldown(2, start=10, end_value=1.0, shape="exponential"), {10: 4.0, 11: 2.0, 12: 1.0}),
    (Constant(1.0).cooldown(0, start=10), {9: 1.0, 10: 0.0}),
    (Linear(init_value=4.0, end_value=2.0, decay_steps=2).cooldown(2), {0: 4.0, 2: 2.0, 3: 1.0, 4: 0.0}),
    (Constant(1.0).warmup(2).cooldown(2, start=1), {0: 0.0, 1: 0.5, 2: 0.25, 3: 0.0}),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "values"), AT, ids=[repr(schedule) for schedule, _ in AT])
def test_each_kind_has_the_values_of_its_formula(schedule: Schedule, values: dict[int, float]) -> None:
    assert {step: schedule(step) for step in values} == {
        step: pytest.approx(value, rel=1e-15, abs=0) for step, value in values.items()
    }
    assert schedule.values(list(values)).tolist() == pytest.approx(list(values.values()), rel=1e-15, abs=0)


def test_every_class_of_a_schedule_is_a_kind_of_files_except_function() -> None:
    assert {*Schedule.__subclasses__()} == {*FILE_KINDS.values(), Function}, (
        "add it to KINDS in lrcore/schedules/kinds.py"
    )


@pytest.mark.parametrize("name", FILE_KINDS)
def test_a_kind_is_everywhere_where_kinds_are(name: str) -> None:
    """What CONTRIBUTING.md asks of a new one; what is left to do is in the list that is not empty."""
    cls = FILE_KINDS[name]
    recorded_files = {path.stem for path in recorded.FILES}
    drawn, readme = ((ROOT / path).read_text(encoding="utf-8") for path in ("tests/strategies.py", "README.md"))
    done = {
        "export it in lrcore/__init__.py": getattr(lrcore, cls.__name__, None) is cls
        and cls.__name__ in lrcore.__all__,
        "give its value and its length to the oracle, tests/oracle.py": name in oracle._KINDS
        and name in oracle._LENGTHS,
        "give one of it to tests/kinds.py": cls in map(type, KINDS.values()),
        "draw it in tests/strategies.py": bool(re.search(rf"lrcore\.{cls.__name__}\b", drawn)),
        f"write the least that it takes into tests/data/files/{name}.toml": name in recorded_files,
        f"give the manual docs/format/examples/{name}.toml": (ROOT / f"docs/format/examples/{name}.toml").exists(),
        "name it in README's table of kinds": f"`{name}`" in readme,
    }
    assert [what for what, is_done in done.items() if not is_done] == []


@pytest.mark.parametrize("make", [Linear, Polynomial, Cosine])
def test_a_decay_ends_exactly_at_its_end_value(make: Any) -> None:
    for end in (0.0, 0.1, 1 / 3, 1e-300):
        for count in (1, 3, 7, 10**6):
            schedule = make(init_value=0.7, end_value=end, decay_steps=count)
            assert schedule(0) == 0.7
            assert [schedule(count + later) for later in (0, 1, 10**9)] == [end] * 3


@pytest.mark.parametrize("make", [Linear, Polynomial, Cosine])
def test_a_decay_of_0_updates_is_at_its_end_at_once(make: Any) -> None:
    schedule = make(init_value=0.7, end_value=0.1, decay_steps=0)
    assert schedule(0) == 0.1
    assert schedule.length == 0
    assert schedule.warmup(0)(0) == 0.1
    assert Join([schedule, Constant(0.3)])(0) == 0.3


@pytest.mark.parametrize(
    ("schedule", "length"),
    [
        (Constant(1.0), None),
        (HALVES, None),
        (DOWN, 4),
        (STEPS, 5),
        (Interpolate(boundaries=[0, 2.5], values=[1, 2]), 3),
        (Function(math.sqrt), None),
        (Function(math.sqrt, horizon=9), 9),
        (Join([DOWN, DOWN]), 8),
        (Join([DOWN, DOWN.warmup(3), DOWN]), 15),
        (Join([DOWN, HALVES]), None),
        (DOWN + Constant(1.0), 4),
        (Constant(0.5) + Constant(1.0), None),
        (Constant(0.5) * Constant(1.0), None),
        (Constant(0.5) + Constant(1.0) + DOWN, 4),
        (Constant(0.5).warmup(3) + Constant(1.0), None),
        (DOWN + HALVES, None),
        (DOWN + STEPS, 5),
        (DOWN + Clip(HALVES, min_value=0.01), 7),
        (Clip(DOWN, min_value=0.5), 4),
        (Shift(DOWN, 3), 1),
        (Shift(DOWN, 30), 0),
        (Repeat(DOWN), None),
        (Every(DOWN, 10), 40),
        (DOWN.warmup(3), 7),
        (Constant(1.0).warmup(3), None),
        (Constant(1.0).cooldown(3, start=5), 8),
        (DOWN.warmup(2).cooldown(3), 9),
    ],
    ids=repr,
)
def test_a_schedule_knows_its_length(schedule: Schedule, length: int | None) -> None:
    assert schedule.length == length


def test_a_second_warmup_comes_before_the_first() -> None:
    schedule = Constant(1.0).warmup(2, init_value=0.5).warmup(2)
    assert [schedule(step) for step in range(6)] == [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_warmup_after_a_cooldown_comes_before_both() -> None:
    schedule = Constant(1.0).cooldown(2, start=1).warmup(2)
    assert [schedule(step) for step in range(6)] == [0.0, 0.5, 1.0, 1.0, 0.5, 0.0]


def test_a_second_cooldown_comes_after_the_first() -> None:
    schedule = Constant(1.0).cooldown(2, start=1, end_value=0.5).cooldown(2)
    assert [schedule(step) for step in range(7)] == [1.0, 1.0, 0.75, 0.5, 0.25, 0.0, 0.0]


def test_a_schedule_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        UNTYPED.init_value = 2.0
    with pytest.raises(AttributeError):
        del UNTYPED.decay_steps


def test_a_repr_is_the_call_that_makes_the_schedule() -> None:
    assert (
        repr(Cosine(init_value=0.1, decay_steps=90).warmup(10))
        == "Cosine(init_value=0.1, decay_steps=90).warmup(steps=10)"
    )
    assert repr(STEPS) == "PiecewiseConstant(boundaries=(2, 5), values=(4.0, 2.0, 1.0))"


def test_as_schedule_takes_a_schedule_or_a_function() -> None:
    assert adapting.as_schedule(DOWN) is DOWN
    assert adapting.as_schedule(math.sqrt, horizon=4) == Function(math.sqrt, horizon=4)


def test_a_function_is_asked_with_plain_integers_when_and_only_when_its_value_is_wanted() -> None:
    asked: list[Any] = []

    def function(step: int) -> float:
        asked.append((type(step), step))
        return 1.0

    schedule = Join([Constant(0.5), Function(function)], boundaries=[10])
    assert asked == []
    assert schedule(9) == 0.5
    assert schedule(12) == 1.0
    assert schedule.values([3, 10, 13]).tolist() == [0.5, 1.0, 1.0]
    assert asked == [(int, 2), (int, 0), (int, 3)]


def test_a_join_of_a_thousand_parts_costs_one_bisection() -> None:
    parts = Join([Constant(float(number)) for number in range(1000)], boundaries=range(10, 10_000, 10))
    assert [parts(step) for step in (0, 9, 10, 5005, 9_999, 10**6)] == [0.0, 0.0, 1.0, 500.0, 999.0, 999.0]
    assert len(parts.timeline.starts) == 1000


@pytest.mark.parametrize("inner", [Constant(4.0), DOWN + Constant(3.0)])
@pytest.mark.parametrize("factor", [2.0, 1.0, 0.5, 0.0, -1.0])
def test_each_cycle_is_the_one_before_times_the_factor(inner: Schedule, factor: float) -> None:
    schedule = Repeat(inner, period=5, value_factor=factor)
    assert [schedule(step) for step in (0, 5, 10, 15)] == [4.0, 4.0 * factor, 4.0 * factor**2, 4.0 * factor**3]


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("period", [7, 7.5, 7.3])
@pytest.mark.parametrize("growth", [1, 2])
def test_every_change_of_a_cycle_of_constants_is_a_breakpoint(mirror: bool, period: float, growth: int) -> None:
    pieces = PiecewiseConstant(boundaries=[1, 5], values=[4.0, 2.0, 1.0])
    schedule = Repeat(pieces, period=period, mirror=mirror, length_factor=growth)
    changes = {step for step in range(1, 200) if schedule(step) != schedule(step - 1)}
    breakpoints = list(schedule.timeline.breakpoints(200))
    assert breakpoints == sorted(set(breakpoints))
    assert changes <= set(breakpoints)


def test_decimal_periods_end_where_they_are_written_to_end() -> None:
    """Ten periods of 3.7 updates are 37, though the float nearest to 3.7 is a little more."""
    staircase = Exponential(init_value=1.0, decay_rate=0.5, decay_steps=3.7, staircase=True)
    assert [staircase(step) for step in (36, 37)] == [0.5**9, 0.5**10]
    assert staircase.values([36, 37]).tolist() == [0.5**9, 0.5**10]
    assert 37 in set(staircase.timeline.breakpoints(100))
    thirds = InverseTime(init_value=1.0, decay_steps=100 / 3, staircase=True)
    assert [thirds(step) for step in (99, 100)] == [1 / 3, 1 / 4]
    restarts = Repeat(Linear(init_value=1.0, end_value=0.0, decay_steps=20), period=3.7)
    assert restarts(37) == 1.0


def test_a_real_period_asks_a_cycle_of_one_step_between_its_steps() -> None:
    inner = Repeat(Linear(init_value=1.0, end_value=0.0, decay_steps=1))
    assert [Repeat(inner, period=2.5)(step) for step in range(6)] == [1.0, 1.0, 1.0, 0.5, 0.5, 1.0]
