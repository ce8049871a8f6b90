"""What many pieces cost: nothing grows faster than they do, and what can be kept is worked out once.

Calls and comparisons are counted here; `tests/benchmarks/bench_core.py` measures the time.
"""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import (
    Clip,
    Constant,
    Every,
    Function,
    Interpolate,
    Join,
    Linear,
    PiecewiseConstant,
    Plateau,
    Product,
    Repeat,
    Schedule,
    ScheduleError,
    Shift,
    Sum,
)
from lrcore.curves import formulas, pieces
from lrcore.curves.timeline import Timeline
from lrcore.files.formats import first_repeated
from tests.strategies import reread, schedules

ROOT = Path(__file__).parents[2]
FORMATS = ("toml", "json", "yaml")
FEW = 400  # pieces; what is counted below is counted for twice as many, too


def stairs(count: int) -> PiecewiseConstant:
    """A schedule of `count` boundaries."""
    return PiecewiseConstant(
        boundaries=range(10, 10 * count + 1, 10), values=[0.1 / (number + 1) for number in range(count + 1)]
    )


def knots(count: int) -> Interpolate:
    """A broken line of `count` knots."""
    return Interpolate(boundaries=range(0, 10 * count, 10), values=[0.1 + number % 2 for number in range(count)])


def calls(action: Callable[[], Any]) -> int:
    """How many functions an action calls, those written in C among them."""
    count = 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


# --- growth -----------------------------------------------------------------------------------------------------------


def one_by_one(count: int) -> list[Schedule]:
    return [PiecewiseConstant(boundaries=[number + 1], values=[0.0, 1.0]) for number in range(count)]


def read(count: int, format: str) -> Callable[[], Any]:  # noqa: A002 - the word users know
    text = lrcore.dumps(stairs(count), format)
    return lambda: lrcore.loads(text, format)


def wide(count: int) -> Callable[[], Any]:
    text = "\n".join([f"name{number}: 0" for number in range(count)] + ["run: {kind: constant, value: 1}"])
    return lambda: lrcore.loads(text, "yaml", key="run")


def part_of(schedule: Schedule) -> Callable[[], Any]:
    """The whole way from a description to a value, as after unpickling."""
    return lambda: reread(schedule)(7)


LINEAR: dict[str, Callable[[int], Callable[[], Any]]] = {
    "build": lambda count: lambda: stairs(count),
    "build knots": lambda count: lambda: knots(count),
    "toml": lambda count: read(count, "toml"),
    "json": lambda count: read(count, "json"),
    "yaml": lambda count: read(count, "yaml"),
    "yaml with many names": wide,
    "join": lambda count: part_of(Join([Linear(init_value=1.0, decay_steps=9)] * count)),
    "warmup": lambda count: part_of(stairs(count).warmup(5)),
    "cooldown": lambda count: part_of(stairs(count).cooldown(5)),
    "sum of two": lambda count: part_of(stairs(count) + knots(count)),
    "product of two": lambda count: part_of(stairs(count) * knots(count)),
    "sum of many": lambda count: lambda: Sum(one_by_one(count)),
    "product of many": lambda count: lambda: Product(one_by_one(count)),
    "clip": lambda count: part_of(Clip(knots(count), min_value=0.3)),
    "every": lambda count: part_of(Every(knots(count), steps=3)),
    "shift": lambda count: part_of(Shift(knots(count), steps=55)),
    "repeat": lambda count: part_of(Repeat(stairs(count), mirror=True)),
    "cycles that grow": lambda count: part_of(Repeat(Constant(1.0), period=1, length_factor=2 ** (52 / count))),
    "breakpoints": lambda count: lambda: list(stairs(count).timeline.breakpoints(10**9)),
    "values": lambda count: lambda: knots(count).values(np.arange(10 * count)),
    "state": lambda count: lambda: lrcore.load_state(lrcore.save_state(3, stairs(count)), stairs(count)),
    "pickle": lambda count: lambda: pickle.loads(pickle.dumps(stairs(count))),
    "written": lambda count: lambda: [stairs(count).in_full(), *(lrcore.dumps(stairs(count), form) for form in FORMATS)],
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_twice_the_pieces_take_at_most_twice_the_calls(name: str) -> None:
    few, many = LINEAR[name](FEW), LINEAR[name](2 * FEW)
    few()  # the first call may import
    assert calls(many) <= 2.05 * calls(few)


def test_a_schedule_takes_few_calls_for_each_number() -> None:
    assert calls(lambda: stairs(2 * FEW)) - calls(lambda: stairs(FEW)) < FEW / 10


class Counted(float):
    """A time that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other: float) -> bool:
        Counted.comparisons += 1
        return float(self) < other

    def __le__(self, other: float) -> bool:
        Counted.comparisons += 1
        return float(self) <= other

    __gt__ = lambda self, other: not self <= other  # noqa: E731
    __ge__ = lambda self, other: not self < other  # noqa: E731


def test_the_piece_of_a_step_is_found_without_looking_at_every_piece() -> None:
    line = Timeline(tuple(map(Counted, range(1000))), (pieces.Constant(1.0),) * 1000)
    moved = line.before(500), line.before(500.5), line.advanced(400), line.advanced(0)
    assert [len(one.starts) for one in moved] == [500, 501, 600, 1000]
    assert 0 < Counted.comparisons < 80


class Watched:
    """A rising line that counts what it is asked for."""

    period = None
    monotone = True

    def __init__(self) -> None:
        self.bound = self.asked = self.searched = 0

    def bind(self, lib: formulas.Library) -> formulas.TimeFunction:
        self.bound += 1

        def value(t: Any) -> Any:
            self.asked += 1
            return t * 1.0

        return value

    def delayed(self, by: float) -> Watched:
        return self

    def stretched(self, factor: float) -> Watched:
        return self

    def until(self, time: float) -> Watched:
        return self

    def breakpoints(self, first: int, last: int) -> Iterator[int]:
        self.searched += 1
        return iter(())


@pytest.mark.parametrize("count", [4, 100])
def test_a_piece_is_bound_when_it_is_first_asked_for(count: int) -> None:
    watched = [Watched() for _ in range(count)]
    line = Timeline(tuple(range(0, 10 * count, 10)), tuple(watched))
    over_arrays = line.bind(formulas.arrays())
    assert [line.at(15), line.at(16), line.at(35)] == [15.0, 16.0, 35.0]
    assert over_arrays(np.array([15, 16])).tolist() == over_arrays(np.array([15, 16])).tolist() == [15.0, 16.0]
    assert [one.bound for one in watched[:4]] == [0, 2, 0, 1]  # once for each kind of number
    assert not any(one.bound for one in watched[4:])


def test_a_piece_inside_the_limits_is_not_searched_for_the_step_that_leaves_them() -> None:
    inside, across = Watched(), Watched()
    line = Timeline((0, 1000), (inside, across)).clipped(-1.0, 1500.0)
    assert line.starts == (0, 1000, 1500)
    assert inside.asked <= 6


def test_breakpoints_beyond_the_horizon_are_not_asked_for() -> None:
    watched = [Watched() for _ in range(100)]
    line = Timeline(tuple(range(0, 1000, 10)), tuple(watched))
    assert list(line.breakpoints(25)) == [10, 20]
    assert sum(one.searched for one in watched) == 3


class Key:
    """A name that counts how often it is compared with another."""

    comparisons = 0

    def __init__(self, name: int) -> None:
        self.name = name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        Key.comparisons += 1
        return isinstance(other, Key) and self.name == other.name


def test_the_search_for_a_repeated_name_does_not_compare_every_pair() -> None:
    keys = [Key(number) for number in range(1000)]
    assert first_repeated(keys) is None
    assert Key.comparisons < 2000
    assert first_repeated([*keys, Key(7), Key(8)]) == 1000
    assert first_repeated([[1], [1], "a", "b", "a"]) == 4  # what cannot be a key is left to the parser


# --- checks -----------------------------------------------------------------------------------------------------------

plain_numbers = st.one_of(st.integers(0, 10), st.floats(0, 10), st.sampled_from([-0.0, 0, 1e308, 2**53, 1.5e3]))
strange = st.sampled_from(
    [-1, 1.5, -0.5, 2**53 + 1, 10**400, math.nan, math.inf, -math.inf, True, "1", None, [1], Fraction(1, 3), Decimal("0.5"),
     np.float64(0.5), np.int8(3), np.float32(-0.0), np.bool_(True), np.array([1.0]), 1j, object]
)  # fmt: skip
FIELDS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    # One number and a list of them, which two fields ask the same of.
    "values": (lambda one: Constant(one).value, lambda many: given_to(PiecewiseConstant, "values", many).values_),
    "boundaries": (
        lambda one: Linear(init_value=1.0, decay_steps=one).decay_steps,
        lambda many: given_to(PiecewiseConstant, "boundaries", many).boundaries,
    ),
}


def given_to(kind: Any, name: str, many: Sequence[Any]) -> Any:
    """The schedule, with as many of the other field as it needs."""
    other = {"values": [0.1] * (len(many) + 1)} if name == "boundaries" else {"boundaries": range(1, len(many))}
    return kind(**{name: many, **other})


def refused(action: Callable[[], Any]) -> ScheduleError | None:
    try:
        action()
    except ScheduleError as error:
        return error
    return None


@pytest.mark.parametrize("name", FIELDS)
@given(st.data())
def test_a_list_is_checked_as_strictly_as_its_numbers(name: str, data: st.DataObject) -> None:
    one, all_of = FIELDS[name]
    usual: st.SearchStrategy[Any] = plain_numbers if name == "values" else st.integers(0, 2**53)
    numbers: list[Any] = data.draw(st.lists(usual, min_size=1, max_size=8))
    if name == "boundaries" and data.draw(st.booleans()):
        numbers.sort()
    if data.draw(st.booleans()):
        numbers[data.draw(st.integers(0, len(numbers) - 1))] = data.draw(strange)
    errors = [(place, error) for place, given in enumerate(numbers) if (error := refused(partial(one, given)))]
    found = refused(lambda: all_of(numbers))
    if errors:
        place, error = errors[0]
        assert found is not None
        assert (found.where, found.problem) == (f"PiecewiseConstant.{name}[{place}]", error.problem)
        return
    expected = tuple(map(one, numbers))
    if name == "boundaries" and list(expected) != sorted(expected):
        assert found is not None
        assert "as boundaries rise" in found.problem
        return
    checked = all_of(numbers)
    assert checked == expected
    assert [type(number) for number in checked] == [type(number) for number in expected]
    assert [math.copysign(1, number) for number in checked] == [math.copysign(1, number) for number in expected]


@pytest.mark.parametrize("given_as", [list, tuple, np.array, lambda numbers: [np.float64(one) for one in numbers]])
def test_lists_of_any_type_become_tuples_of_plain_numbers(given_as: Callable[[list[Any]], Any]) -> None:
    schedule = PiecewiseConstant(boundaries=given_as([3, 5]), values=given_as([0.5, -0.0, 1.0]))
    assert (schedule.boundaries, schedule.values_) == ((3, 5), (0.5, 0.0, 1.0))
    assert {*map(type, schedule.boundaries)} == {int}
    assert {*map(type, schedule.values_)} == {float}
    assert str(schedule.values_[1]) == "0.0"


def test_numbers_whose_sum_overflows_are_accepted() -> None:
    assert PiecewiseConstant(boundaries=[1], values=[1e308, 1e308])(0) == 1e308


# --- sums and products ------------------------------------------------------------------------------------------------

folded = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, 1e308, -1e308, 5e-324, 1e-200, 1.0, -1.0])
)


@given(
    st.lists(
        st.tuples(st.lists(st.integers(1, 9), unique=True, max_size=4), st.lists(folded, min_size=5, max_size=5)),
        min_size=1,
        max_size=5,
    )
)
def test_constants_are_folded_as_if_all_were_added_anew_at_each_step(
    parts: list[tuple[list[int], list[float]]],
) -> None:
    steps = [PiecewiseConstant(boundaries=sorted(at), values=given[: len(at) + 1]) for at, given in parts]
    total, product = Sum(steps), Product(steps)
    for step in range(11):
        numbers = [part(step) for part in steps]
        exact = sum(map(Fraction, numbers))
        largest = Fraction(sys.float_info.max)
        assert total(step) == float(min(max(exact, -largest), largest))
        multiplied = math.prod(numbers)
        wanted = 0.0 if 0 in numbers else min(max(multiplied, -sys.float_info.max), sys.float_info.max)
        assert product(step) == wanted


@pytest.mark.parametrize("kind", [Sum, Product])
def test_parts_are_combined_in_their_order_whichever_begins_last(kind: type[Sum | Product]) -> None:
    lines = [Linear(init_value=number, end_value=9.0, decay_steps=50) for number in (1.0, 2.0, 3.0)]
    late = Join([Constant(4.0), lines[0]], boundaries=[5])
    _, combined, _ = kind([late, *lines[1:]]).timeline.formulas[:3]
    assert isinstance(combined, pieces.Pointwise)
    assert [part.start for part in combined.formulas if isinstance(part, pieces.Ramp)] == [1.0, 2.0, 3.0]


# --- what is worked out once ------------------------------------------------------------------------------------------


class CountsHashes:
    """A function of the step that counts how often it is hashed."""

    hashed = 0

    def __call__(self, step: int) -> float:
        return 0.5

    def __hash__(self) -> int:
        self.hashed += 1
        return 7


def test_a_hash_is_computed_once() -> None:
    function = CountsHashes()
    inner = Function(function)
    outer = Join([inner] * 50, boundaries=range(1, 50))
    assert len({hash(outer) for _ in range(10)}) == 1
    assert function.hashed == 1


@given(schedules())
def test_equal_schedules_hash_equal_whether_the_hash_was_asked_before(schedule: Schedule) -> None:
    hash(schedule)
    again = reread(schedule)
    assert again == schedule
    assert hash(again) == hash(schedule) == hash(pickle.loads(pickle.dumps(schedule)))
    assert {schedule: 1}[again] == 1


def test_a_hash_depends_on_the_fields_that_are_not_numbers() -> None:
    def knots(shape: Any) -> Interpolate:
        return Interpolate(boundaries=[0, 9], values=[1.0, 2.0], shape=shape)

    shapes = ("linear", "cosine", "constant")
    assert len({knots(shape) for shape in (*shapes, *shapes)}) == 3
    assert len({hash(knots(shape)) for shape in shapes}) == 3


def test_a_schedule_lists_the_schedules_inside_it() -> None:
    parts = (Constant(1.0), stairs(3))
    assert Join(parts, boundaries=[5]).warmup(3).children == Sum(parts).children == parts
    assert Every(parts[1], steps=3).children == parts[1:]
    assert stairs(3).children == ()
    assert Every(Every(parts[1], steps=3), steps=2).depth == 3


def test_a_pickle_carries_no_hash_of_another_process() -> None:
    schedule = Interpolate(boundaries=[0, 9], values=[0.0, 1.0], shape="cosine").warmup(3)
    code = (
        "import pickle, sys\nfrom lrcore import Interpolate\n"
        "schedule = Interpolate(boundaries=[0, 9], values=[0.0, 1.0], shape='cosine').warmup(3)\n"
        "print(hash(schedule), schedule.text, schedule(5), pickle.dumps(schedule).hex(), sep='\\n')"
    )
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    their_hash, text, _, pickled = run.stdout.split("\n")[:4]
    found = pickle.loads(bytes.fromhex(pickled))
    assert int(their_hash) != hash(schedule)  # a text is inside, so that a seed matters
    assert found == schedule
    assert hash(found) == hash(schedule)
    assert {schedule: 1}[found] == 1
    assert found.text == text


def test_the_text_of_a_state_is_made_once_and_complete() -> None:
    schedule = stairs(1000)
    first, second = lrcore.save_state(0, schedule), lrcore.save_state(9, schedule)
    assert first["schedule"] is second["schedule"]
    assert json.loads(str(first["schedule"])) == schedule.to_dict() == json.loads(schedule.text)
    assert first["schedule"] == lrcore.save_state(0, lrcore.from_dict(schedule.to_dict()))["schedule"]
    assert calls(lambda: lrcore.save_state(5, schedule)) < 30


def test_the_state_of_a_plateau_and_of_several_schedules_is_complete() -> None:
    plateau, schedule = Plateau(Constant(0.1), factor=0.5), Constant(0.2)
    described = {"kind": "constant", "plateau": {"arithmetic": "lrcore", "factor": 0.5}, "value": 0.1}
    assert json.loads(str(lrcore.save_state(0, plateau)["schedule"])) == described
    several = lrcore.save_state(0, {"b": schedule, "a": [schedule, plateau]})["schedule"]
    assert json.loads(str(several)) == {"a": [schedule.to_dict(), described], "b": schedule.to_dict()}


def test_a_long_schedule_with_a_function_has_a_complete_state() -> None:
    def with_function(last: float) -> Schedule:
        long = PiecewiseConstant(boundaries=range(1, 100), values=[0.1] * 99 + [last])
        return Join([long, Function(abs)], boundaries=[1000])

    assert repr(with_function(0.1)) == repr(with_function(0.2))
    assert lrcore.save_state(0, with_function(0.1)) != lrcore.save_state(0, with_function(0.2))


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_a_repr_shortens_what_is_long() -> None:
    text = repr(stairs(100_000))
    assert text.startswith(
        "PiecewiseConstant(boundaries=(10, 20, 30, 40, 50, 60, 70, 80, 90, 100, ... 99,990 more), values="
    )
    assert text.endswith(", ... 99,991 more))")
    assert len(text) < 500


@pytest.mark.parametrize(
    "long",
    [
        Join([Constant(0.5)] * 1000, boundaries=range(1, 1000)).warmup(3),
        Sum([stairs(1000), Every(stairs(1000), steps=3)]),
        Plateau(stairs(1000), factor=0.5),
        Join([stairs(1000)]),
    ],
    ids=["join", "sum", "plateau", "join of one"],
)
def test_what_is_long_is_shortened_inside_and_written_in_full_when_asked(long: Any) -> None:
    assert len(repr(long)) < 2000
    assert " more)" in repr(long)
    with pytest.raises(SyntaxError):
        eval(repr(long), vars(lrcore).copy())
    assert eval(long.in_full(), vars(lrcore).copy()) == long


def test_a_list_of_fifty_is_shown_whole() -> None:
    assert eval(repr(stairs(49)), vars(lrcore).copy()) == stairs(49)
    assert repr(stairs(49)) == stairs(49).in_full()
    assert "... 40 more" not in repr(stairs(49))
    assert "... 41 more" in repr(stairs(50))  # of 51 values


def test_an_error_about_a_long_schedule_is_short() -> None:
    with pytest.raises(ScheduleError) as found:
        lrcore.lower(Function(lambda step: 0.1) + stairs(1000))
    assert len(str(found.value)) < 500
    wrong: Any = [0.1] * 1000
    with pytest.raises(ScheduleError, match=r"expected a finite number; got \[0.1, .*\.\.\.$"):
        Constant(wrong)


# --- YAML -------------------------------------------------------------------------------------------------------------

MERGED_BEFORE_IT_IS_READ = """
base: &b {kind: constant}
run: {deep: {deeper: &m {<<: *b, kind: linear, init_value: 1, decay_steps: 5}}}
train: {<<: *m}
"""
TEXTS = [
    lrcore.dumps(stairs(5).warmup(3), "yaml"),
    MERGED_BEFORE_IT_IS_READ,
    "kind: constant\nvalue: 1\nwarmup:\n  steps: 1\n  shape: linear\n  steps: 2",
    "train: {kind: constant, kind: linear}",
    "? [1]\n: 2",
    "kind: [",
    "\tkind: constant",
    "a: *b",
    "a: 'b",
    "- " * 3000,
    "kind: \x07",
    "kind: \ud800",
    "value: !!int ''",
    "value: 2020-13-45",
    "!!set {a, a}",
    "---\na: 1\n---\nb: 1",
]


def outcome(text: str) -> str:
    try:
        return repr(lrcore.loads(text, "yaml", key="train" if "train" in text else None))
    except ScheduleError as error:
        return str(error)


@pytest.mark.parametrize("text", TEXTS, ids=[text[:20].replace("\0", "") for text in TEXTS])
def test_yaml_reads_and_refuses_alike_with_and_without_libyaml(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_libyaml = outcome(text)
    monkeypatch.delattr(yaml, "CSafeLoader")
    monkeypatch.delattr(yaml, "CSafeDumper")
    assert outcome(text) == with_libyaml


def test_yaml_is_read_through_libyaml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("yaml.composer.Composer.get_single_node")  # of PyYAML's own parser
    assert lrcore.loads("kind: constant\nvalue: 1", "yaml") == Constant(1.0)


def test_a_name_given_twice_is_told_with_its_place() -> None:
    text = "train:\n  kind: constant\n  value: 1\n  kind: linear\n"
    assert outcome(text).endswith("key 'kind' is given twice (at line 4, column 3)")


def test_a_table_that_is_merged_before_it_is_read_names_nothing_twice() -> None:
    assert outcome(MERGED_BEFORE_IT_IS_READ) == "Linear(init_value=1.0, decay_steps=5)"


@given(schedules())
def test_yaml_is_written_alike_with_and_without_libyaml(schedule: Schedule) -> None:
    assert lrcore.dumps(schedule, "yaml") == yaml.safe_dump(schedule.to_dict(), sort_keys=False)
