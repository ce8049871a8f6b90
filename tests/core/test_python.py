"""Schedules as Python objects: how they are called, combined, changed and referred to, and the sentence for each mistake."""

from __future__ import annotations

import copy
import gc
import math
import operator
import re
import weakref
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrcore
from lrcore import (
    Clip,
    Constant,
    Cosine,
    Exponential,
    Function,
    Interpolate,
    Linear,
    PiecewiseConstant,
    Plateau,
    Product,
    Schedule,
    ScheduleError,
    Sum,
)
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.steps import ADAPTERS
from tests.strategies import schedules

DOWN = Linear(init_value=1.0, decay_steps=4)
HALVES = Exponential(init_value=1.0, decay_rate=0.5)
PLATEAU = Plateau(DOWN, factor=0.5, patience=3)
WARM: Any = Cosine(init_value=0.1, decay_steps=100).warmup(10)


UNTYPED: Any = lrcore  # for what a type checker would refuse before


def sentence(call: Callable[[], Any], error: type[Exception] = ScheduleError) -> str:
    with pytest.raises(error) as caught:
        call()
    assert isinstance(caught.value, ScheduleError)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def of_package(name: str) -> Any:
    """An object of a class that a framework's package defines, derived from by a user."""
    theirs = type("Tensor", (), {"__module__": f"{name}.core", "__repr__": lambda self: "tensor(5)"})
    return type("Mine", (theirs,), {"__module__": "user"})()


# --- constructors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: UNTYPED.Cosine(0.1, 0, 100),
            (
                "Cosine: expected its arguments by name; got 3 without one; "
                "write Cosine(init_value=..., end_value=0.0, decay_steps=..., exponent=1.0)"
            ),
        ),
        (
            Cosine,
            (
                "Cosine: expected init_value and decay_steps; got none; "
                "write Cosine(init_value=..., end_value=0.0, decay_steps=..., exponent=1.0)"
            ),
        ),
        (
            lambda: UNTYPED.Linear(init_value=0.1),
            "Linear: expected decay_steps; got none; write Linear(init_value=..., end_value=0.0, decay_steps=...)",
        ),
        (Constant, "Constant: expected value; got none; write Constant(value=...)"),
        (
            lambda: UNTYPED.Constant(0.1, 0.2),
            "Constant: expected only value without a name; got 2 without one; write Constant(value=...)",
        ),
        (
            lambda: UNTYPED.Constant(0.1, value=0.2),
            "Constant: expected value once; got 0.1 and 0.2; write Constant(value=...)",
        ),
        (
            lambda: UNTYPED.PiecewiseConstant([1], [1.0, 2.0]),
            (
                "PiecewiseConstant: expected its arguments by name; got 2 without one; "
                "write PiecewiseConstant(boundaries=..., values=...)"
            ),
        ),
        (
            lambda: UNTYPED.Join([DOWN, DOWN], [3], 5),
            (
                "Join: expected only schedules, boundaries without a name; got 3 without one; "
                "write Join(schedules=..., boundaries=None)"
            ),
        ),
        (
            lambda: UNTYPED.Plateau(DOWN, 0.5),
            "Plateau: expected only schedule without a name; got 2 without one; write",
        ),
        (Plateau, "Plateau: expected schedule; got none; write Plateau(schedule=..., factor=0.1, "),
        (lambda: UNTYPED.Plateau(DOWN, factr=0.5), "Plateau: expected arguments out of schedule, factor, "),
    ],
)
def test_a_wrong_call_is_told_the_class_and_its_form(call: Callable[[], Any], message: str) -> None:
    assert sentence(call).startswith(message)
    assert sentence(call, TypeError).startswith(message)  # as Python's own calls


@pytest.mark.parametrize("kind", [*KINDS.values(), Function, Plateau])
def test_a_call_without_arguments_names_what_is_required(kind: Any) -> None:
    message = sentence(kind)
    required = re.findall(r"(\w+)=\.\.\.", message)
    assert message.startswith(f"{kind.__name__}: expected {' and '.join(required)}; got none; write {kind.__name__}(")


def test_an_error_of_another_origin_is_not_taken_for_a_wrong_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(schedule: Constant) -> Any:
        raise TypeError("of its own")

    monkeypatch.setattr(Constant, "_lower", broken)
    with pytest.raises(TypeError, match=r"^of its own$"):
        Constant(0.1)


def test_a_kind_outside_lrcore_is_refused_when_its_class_is_made() -> None:
    def subclass(base: Any) -> Any:
        return type(base)("Own", (base,), {"__module__": "a_program"}, frozen=True, tag="own")

    for base in (Schedule, Cosine):
        assert sentence(partial(subclass, base), TypeError) == (
            "Own: expected one of lrcore's own kinds, because files and states are read back by the name of a kind; "
            f"got a subclass of {base.__name__}; write a formula as lrcore.Function(formula) and a combination of kinds as "
            "a function that returns it, or add the kind to lrcore (CONTRIBUTING.md)"
        )


# --- operators --------------------------------------------------------------------------------------------------------


def test_schedules_add_and_multiply() -> None:
    assert Sum([DOWN, HALVES]) == DOWN + HALVES
    assert Product([DOWN, HALVES]) == DOWN * HALVES
    assert DOWN * 2 == 2 * DOWN == Product([DOWN, Constant(2.0)])
    assert DOWN / 4 == DOWN * 0.25
    assert DOWN + 1 == 1 + DOWN == Sum([DOWN, Constant(1.0)])
    assert DOWN - 0.1 == DOWN + -0.1
    assert -DOWN == DOWN * -1
    assert +DOWN is DOWN
    assert DOWN - HALVES == DOWN + -HALVES
    assert 1 - DOWN == -DOWN + 1


@given(schedules(leaves=2), schedules(leaves=2), st.integers(0, 300), st.floats(-10, 10))
def test_an_operator_is_that_of_the_values(one: Schedule, other: Schedule, step: int, number: float) -> None:
    x, y = one(step), other(step)
    pairs: list[tuple[Schedule, float]] = [
        (one + other, x + y),
        (one - other, x - y),
        (one + number, x + number),
        (one - number, x - number),
        (number - one, number - x),
        (-one, -x),
        *([(one / number, x / number)] if abs(number) > 1e-3 else []),
    ]
    size = max(abs(x), abs(y), abs(number), abs(x / number) if abs(number) > 1e-3 else 0.0)
    assert all(math.isclose(made(step), wanted, rel_tol=0, abs_tol=1e-14 * size) for made, wanted in pairs)


def test_a_sum_of_many_is_one_sum() -> None:
    """More than may be inside one another."""
    many = [Constant(float(number)) for number in range(200)]
    total: Any = sum(many)
    assert total == Sum(many)
    assert sum([DOWN]) is DOWN
    assert sum([DOWN, HALVES]) == DOWN + HALVES


def test_a_sum_with_a_warmup_stays_one_part_of_another() -> None:
    warm = (DOWN + HALVES).warmup(2)
    assert warm + 1 == Sum([warm, Constant(1.0)])
    assert DOWN + Constant(0.0) == Sum([DOWN, Constant(0.0)])


@pytest.mark.parametrize(
    "two", [2, 2.0, np.float64(2), np.float32(2), np.int8(2), np.array(2), np.array(2.0), Fraction(2)]
)
@pytest.mark.parametrize("operate", [operator.mul, operator.add])
def test_a_number_of_any_library_stands_on_either_side(operate: Callable[[Any, Any], Any], two: Any) -> None:
    assert operate(DOWN, two) == operate(two, DOWN) == operate(DOWN, 2.0)
    assert DOWN / two == DOWN * 0.5
    assert two - DOWN == 2.0 - DOWN


WRONG: list[tuple[Any, str]] = [
    ("2", "'2'"),
    (None, "None"),
    (True, "true"),
    (math.nan, "nan"),
    (math.inf, "inf"),
    (10**400, "1" + "0" * 56 + "..."),
    (1j, "1j"),
    ([2], "[2]"),
    (np.ones(2), "array([1., 1.])"),
    (np.ones((2, 2)), "array([[1., 1.], [1., 1.]])"),
]


@pytest.mark.parametrize(("wrong", "shown"), WRONG, ids=[shown for _, shown in WRONG])
def test_an_operand_that_is_not_a_number_is_named(wrong: Any, shown: str) -> None:
    assert sentence(lambda: DOWN * wrong) == f"schedule * factor: expected a finite number or a schedule; got {shown}"
    assert sentence(lambda: DOWN + wrong) == f"schedule + other: expected a finite number or a schedule; got {shown}"
    assert sentence(lambda: DOWN - wrong) == f"schedule - other: expected a finite number; got {shown}"
    assert sentence(lambda: DOWN / wrong) == f"schedule / divisor: expected a finite number; got {shown}"
    assert sentence(lambda: PLATEAU * wrong).startswith("plateau * factor: expected a finite number or a schedule; got")
    if not isinstance(wrong, list):  # `list * schedule` and `list + schedule` are asked of the list first
        assert sentence(lambda: wrong * DOWN).startswith("schedule * factor: ")
        assert sentence(lambda: wrong + DOWN).startswith("schedule + other: ")


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, 1e-320, np.float32(0)])
def test_a_divisor_without_a_finite_inverse_is_refused(zero: Any) -> None:
    assert sentence(lambda: DOWN / zero).startswith("schedule / divisor: expected a finite number that is not 0; got ")


def test_a_function_is_refused_as_a_factor_until_it_is_wrapped() -> None:
    untyped: Any = math.sqrt
    assert sentence(lambda: DOWN * untyped).endswith("; wrap a Python function in lrcore.Function")
    assert "multiply" not in sentence(lambda: DOWN * untyped)


def test_the_error_for_a_traced_factor_names_the_adapter() -> None:
    message = sentence(lambda: DOWN * of_package("jax"))
    assert message.endswith("got tensor(5); compute with what the adapter gives, lrcore_optax.as_schedule(schedule)")


REFUSED: dict[str, Callable[[Any], Any]] = {
    "{} < other": lambda it: it < 0.1,
    "{} <= other": lambda it: it <= 0.1,
    "{} >= other": lambda it: 0.1 <= it,  # noqa: SIM300 - as an optimizer asks
    "{} > other": lambda it: it > it,
    "float({})": float,
    "int({})": int,
    "abs({})": abs,
    "round({})": round,
    "{} ** other": lambda it: it**2,
    "other ** {}": lambda it: 2**it,
    "{} % other": lambda it: it % 2,
    "other % {}": lambda it: 2 % it,
    "{} // other": lambda it: it // 2,
    "other // {}": lambda it: 2 // it,
    "other / {}": lambda it: 1 / it,
}


@pytest.mark.parametrize("form", REFUSED)
@pytest.mark.parametrize("it", [DOWN, PLATEAU], ids=["schedule", "plateau"])
def test_the_operators_of_numbers_alone_are_refused_in_a_sentence(form: str, it: Any) -> None:
    message = sentence(lambda: REFUSED[form](it), TypeError)
    assert message.startswith(f"{form.format(type(it).__name__)}: expected a number; got {it!r:.57}")
    value = "schedule(step)" if it is DOWN else "plateau.value(step, state)"
    assert value in message.rpartition("; ")[2]


def test_a_schedule_is_refused_as_a_divisor() -> None:
    untyped: Any = HALVES
    assert "in a lrcore.Function" in sentence(lambda: DOWN / untyped)


def test_a_schedule_is_true_and_has_no_length_or_items() -> None:
    assert bool(DOWN)
    assert bool(Constant(0.0))
    untyped: Any = DOWN
    for wrong in (lambda: len(untyped), lambda: iter(untyped), lambda: untyped[3]):
        with pytest.raises(TypeError):
            wrong()


def test_a_plateau_is_scaled_by_its_schedule() -> None:
    assert PLATEAU * 2 == 2 * PLATEAU == Plateau(DOWN * 2, factor=0.5, patience=3)
    assert PLATEAU * HALVES == HALVES * PLATEAU == PLATEAU.replace(schedule=DOWN * HALVES)
    assert PLATEAU / 2 == PLATEAU * 0.5
    assert -PLATEAU == PLATEAU * -1
    state = PLATEAU.initial()._replace(scale=0.25)
    assert (PLATEAU * 3).value(1, state) == pytest.approx(3 * PLATEAU.value(1, state))


@pytest.mark.parametrize(
    "operate", [lambda it: it + 1, lambda it: 1 + it, lambda it: DOWN + it, lambda it: it - 1, lambda it: DOWN - it]
)
def test_nothing_is_added_to_a_plateau(operate: Callable[[Any], Any]) -> None:
    assert sentence(lambda: operate(PLATEAU)).endswith("plateau.replace(schedule=plateau.schedule + other)")


# --- replace ----------------------------------------------------------------------------------------------------------


def test_replace_changes_arguments_and_keeps_the_rest() -> None:
    changed = WARM.replace(init_value=np.float32(0.5), end_value=-0.0)
    assert changed == Cosine(init_value=0.5, decay_steps=100).warmup(10)
    assert repr(changed) == "Cosine(init_value=0.5, decay_steps=100).warmup(steps=10)"
    assert WARM.init_value == 0.1
    assert (changed(10), WARM(10)) == (0.5, 0.1)
    assert Clip(DOWN, 0.1).replace(schedule=HALVES, min_value=None) == Clip(HALVES)
    assert PLATEAU.replace(patience=7) == Plateau(DOWN, factor=0.5, patience=7)
    stairs = PiecewiseConstant(boundaries=[5], values=[1.0, 2.0]).replace(values=[3.0, 4.0])
    assert stairs == PiecewiseConstant(boundaries=[5], values=[3.0, 4.0])


@given(schedules())
def test_replacing_nothing_makes_an_equal_one(schedule: Schedule) -> None:
    again = schedule.replace()
    assert again == schedule
    assert again.fingerprint == schedule.fingerprint


def test_copy_replace_is_the_same() -> None:
    replace: Any = getattr(copy, "replace", lambda it, **changes: it.__replace__(**changes))  # new in Python 3.13
    assert replace(WARM, init_value=0.5) == WARM.replace(init_value=0.5)
    assert replace(PLATEAU, factor=0.2) == PLATEAU.replace(factor=0.2)
    assert sentence(lambda: replace(WARM, peak=1)).startswith("Cosine: expected arguments out of ")
    assert sentence(lambda: replace(WARM, decay_steps=-1)).startswith("Cosine.decay_steps: expected an integer >= 0")


def test_a_warmup_is_replaced_by_taking_it_away() -> None:
    assert WARM.replace(warmup=None) == Cosine(init_value=0.1, decay_steps=100)
    assert WARM.replace(warmup=None).warmup(5) == WARM.replace(warmup={"steps": 5})
    cold = Constant(0.1).cooldown(5, start=10)
    assert cold.replace(cooldown=None) == Constant(0.1)
    assert cold.replace(value=0.3)(9) == 0.3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WARM.replace(warmup=5), "Cosine.warmup: expected a warmup; got 5; the method schedule.warmup(steps) "),
        (lambda: WARM.replace(cooldown="x"), "Cosine.cooldown: expected a cooldown; got 'x'; the method schedule.cool"),
        (lambda: WARM.replace(init_valeu=1), "Cosine: expected arguments out of "),
        (lambda: WARM.replace(kind="linear"), "Cosine: expected arguments out of "),
        (lambda: WARM.replace(init_value="a"), "Cosine.init_value: expected a finite number; got 'a'"),
        (lambda: Clip(DOWN, 0.1).replace(max_value=0.05), "Clip.min_value: expected at most max_value (0.05); got 0.1"),
        (lambda: Clip(DOWN).replace(schedule=0.1), "Clip.schedule: expected a schedule; got 0.1"),
        (lambda: PLATEAU.replace(factor=2), "Plateau.factor: expected a number >= 0 and < 1; got 2"),
        (lambda: PLATEAU.replace(init_value=2), "Plateau: expected arguments out of schedule, "),
        (
            lambda: Interpolate(boundaries=[0, 5], values=[1, 2]).replace(values=[1.0]),
            "Interpolate.values: expected 2 (one for each boundary); got 1",
        ),
    ],
)
def test_replace_checks_everything_anew(call: Callable[[], Any], message: str) -> None:
    assert sentence(call).startswith(message)


# --- references -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda: DOWN * 3,
        lambda: Plateau(DOWN),
        lambda: lrcore.lower(Linear(init_value=1.0, decay_steps=9)),
        lambda: lrcore.lower(Cosine(init_value=1.0, decay_steps=10**7)),
    ],
    ids=["schedule", "plateau", "lookup", "cubics"],
)
def test_a_weak_reference_does_not_keep_a_schedule(make: Callable[[], Any]) -> None:
    held = make()
    reference = weakref.ref(held)
    assert reference() is held
    del held
    gc.collect()
    assert reference() is None


def test_schedules_are_keys_of_weak_dictionaries() -> None:
    seen: weakref.WeakKeyDictionary[Schedule, int] = weakref.WeakKeyDictionary()
    seen[WARM] = 1
    assert seen[Cosine(init_value=0.1, decay_steps=100).warmup(10)] == 1


# --- steps ------------------------------------------------------------------------------------------------------------

NEEDED = "expected an integer >= 0, the number of updates already made; got "


class Counter:
    """A whole number of another library."""

    def __index__(self) -> int:
        return 3


@pytest.mark.parametrize("three", [3, np.int64(3), np.uint8(3), np.array(3), Counter()])
def test_a_whole_number_of_any_library_is_a_step(three: Any) -> None:
    assert DOWN(three) == 0.25


@pytest.mark.parametrize(
    ("wrong", "shown"),
    [
        (5.0, "5.0"),
        (np.float64(5), "np.float64(5.0)"),
        ("5", "'5'"),
        (None, "None"),
        (-1, "-1"),
        (True, "true"),
        (np.array(5.0), "array(5.)"),
        (np.sin, "<ufunc 'sin'>"),
        ([1, 2], "[1, 2]; ask schedule.values(steps) for several"),
        ((1, 2), "(1, 2); ask schedule.values(steps) for several"),
        (np.array([1, 2]), "array([1, 2]); ask schedule.values(steps) for several"),
    ],
)
def test_something_that_is_not_a_step_is_refused_in_one_sentence(wrong: Any, shown: str) -> None:
    assert sentence(lambda: DOWN(wrong)) == f"step: {NEEDED}{shown}".replace("np.float64(5.0)", repr(np.float64(5)))


@pytest.mark.parametrize(("package", "adapter"), ADAPTERS.items())
def test_the_error_for_a_tensor_as_a_step_names_the_adapter(package: str, adapter: str) -> None:
    tensor, instead = of_package(package), f"use {adapter}, or schedule(int(step)) where the step has a value"
    assert sentence(lambda: DOWN(tensor)) == f"step: {NEEDED}tensor(5); {instead}"
    assert (
        sentence(lambda: DOWN.values(tensor))
        == f"Linear.values: expected integers from 0 to 2**63 - 1; got tensor(5); use {adapter}"
    )
    assert sentence(lambda: PLATEAU.value(tensor, PLATEAU.initial())).endswith(instead)


def test_the_adapters_that_are_named_exist() -> None:
    """Each name is one that its package exports."""
    from tests.frameworks import ROOT

    for adapter in ADAPTERS.values():
        package, name = re.findall(r"^(lrcore_\w+)\.(\w+)", adapter)[0]
        assert f'"{name}"' in (ROOT / "adapters" / package / "__init__.py").read_text(encoding="utf-8")


def test_a_floating_tensor_is_no_step_even_if_its_library_cuts_the_fraction_off() -> None:
    """Paddle's tensors do, so that a loss would be a step."""
    loss: Any = type(
        "Tensor", (), {"dtype": "paddle.float32", "__index__": lambda _: 5, "__repr__": lambda _: "loss"}
    )()
    assert sentence(lambda: DOWN(loss)) == f"step: {NEEDED}loss"


def test_an_array_whose_value_cannot_be_read_is_refused() -> None:
    class Refusing:
        def __index__(self) -> int:
            raise RuntimeError("traced")

        def __array__(self, *_: Any) -> Any:
            raise RuntimeError("traced")

    wrong: Any = Refusing()
    assert sentence(lambda: DOWN(wrong)).startswith(f"step: {NEEDED}<")
    assert sentence(lambda: DOWN.values(wrong)).startswith(
        "Linear.values: expected integers from 0 to 2**63 - 1; got <"
    )
    ragged: Any = [[1], [2, 3]]
    assert (
        sentence(lambda: DOWN.values(ragged))
        == "Linear.values: expected integers from 0 to 2**63 - 1; got [[1], [2, 3]]"
    )
