"""The calls of functions that make schedules: what is wrong with one is said in one sentence, as for the constructor of a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar, get_type_hints

from lrcore.errors import ScheduleError, ScheduleTypeError
from lrcore.hints import hint
from lrcore.records import Check, check_of

P = ParamSpec("P")
R = TypeVar("R")

_TAKES_ANY_NAME = 0x08
"""The flag of a function with **named. The module inspect names it, but takes as long to import as lrcore."""


def explains_arguments(place: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function answer a wrong call in one sentence, with a hint for an unknown argument, as files do.

    Args:
        place: the place of the function's arguments in the table of foreign words.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        parameters = _parameters(getattr(function, "__wrapped__", function), place)

        @wraps(function)
        def explained(*args: P.args, **named: P.kwargs) -> R:
            if problem := parameters.problem(len(args) - parameters.bound, named):
                raise ScheduleTypeError(function.__qualname__, problem)
            return function(*args, **named)

        return explained

    return decorate


class _Parameters(NamedTuple):
    """The parameters of a function, `self` left out.

    Attributes:
        place: the place of the arguments in the table of foreign words.
        bound: 1 for a method, whose first argument is `self`, else 0.
        names: the names.
        placed: those that may be given without a name.
        required: those without a default.
        open_ended: whether the function itself judges arguments of other names.
        form: the shortest right call.
    """

    place: str
    bound: int
    names: Sequence[str]
    placed: Sequence[str]
    required: Sequence[str]
    open_ended: bool
    form: str

    def problem(self, count: int, named: Iterable[str]) -> str:
        """What is wrong with a call of `count` arguments without a name and these with one; "" if nothing is."""
        unknown = [name for name in named if name not in self.names]
        if unknown and not self.open_ended:
            near = hint(unknown[0], [self.place], self.names, python=True)
            return f"expected arguments out of {', '.join(self.names)}; got {unknown[0]!r}{near}"
        if count > len(self.placed):
            expected = f"only {', '.join(self.placed)} without a name" if self.placed else "its arguments by name"
            return f"expected {expected}; got {count} without one; write {self.form}"
        if twice := [name for name in self.placed[:count] if name in named]:
            return f"expected {twice[0]} once; got it twice; write {self.form}"
        if missing := [name for name in self.required if name not in {*self.placed[:count], *named}]:
            near = next(filter(None, (hint(name, [self.place], missing, python=True) for name in unknown)), "")
            return f"expected {' and '.join(missing)}; got none{near or f'; write {self.form}'}"
        return ""


def _parameters(function: Any, place: str) -> _Parameters:
    code = function.__code__
    bound = int(code.co_varnames[:1] == ("self",))
    placed = code.co_varnames[bound : code.co_argcount]
    names = code.co_varnames[bound : code.co_argcount + code.co_kwonlyargcount]
    defaults = function.__defaults__ or ()
    optional = {*placed[len(placed) - len(defaults) :], *(function.__kwdefaults__ or ())}
    required = [name for name in names if name not in optional]
    form = f"{function.__name__}({', '.join(f'{name}=...' for name in required)})"
    return _Parameters(place, bound, names, placed, required, bool(code.co_flags & _TAKES_ANY_NAME), form)


def checks_arguments(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function check its arguments, which are given by name, by their annotations: `Number`, `Steps`, ..."""

    @wraps(function)
    def checked(*args: P.args, **named: P.kwargs) -> R:
        return function(*args, **checked_arguments(function.__name__, function, named))

    return checked


def checked_arguments(where: str, function: Callable[..., Any], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a function, normalised; those that it does not have are left out.

    Raises:
        ScheduleError: an argument is not what its annotation requires.
    """
    checked = {}
    for name, check in _checks(function).items():
        if name in named:
            try:
                checked[name] = check(named[name])
            except ScheduleError as error:
                raise ScheduleError(f"{where}.{name}{error.where}", error.problem) from None
    return checked


@cache
def _checks(function: Callable[..., Any]) -> dict[str, Check]:
    """The check of each argument."""
    hints = get_type_hints(function, include_extras=True)
    return {name: check_of(annotation, name) for name, annotation in hints.items() if name != "return"}
