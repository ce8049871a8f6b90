"""Frozen records whose fields are checked and normalised when they are made, and the words for what is wrong."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct, StructMeta

from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import ScheduleError

Number: TypeAlias = Annotated[float, Meta(description="a finite number")]
Positive: TypeAlias = Annotated[float, Meta(gt=0, description="a finite number > 0")]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0, description="a finite number >= 0")]
CycleGrowth: TypeAlias = Annotated[float, Meta(ge=1, le=LAST_STEP, description="a number from 1 to 2**53")]
Time: TypeAlias = Annotated[float, Meta(ge=0, le=LAST_STEP, description="a number from 0 to 2**53 (optimizer updates)")]
Period: TypeAlias = Annotated[
    float, Meta(ge=1 / LAST_STEP, le=LAST_STEP, description="a number > 0, up to 2**53 (optimizer updates)")
]
Steps: TypeAlias = Annotated[
    int, Meta(ge=0, le=LAST_STEP, description="an integer >= 0 (optimizer updates, at most 2**53)")
]
PositiveSteps: TypeAlias = Annotated[
    int, Meta(ge=1, le=LAST_STEP, description="an integer >= 1 (optimizer updates, at most 2**53)")
]
Shape: TypeAlias = Literal["linear", "cosine", "constant", "1-sqrt", "1-square", "exponential", "power"]


class KeywordAliases(StructMeta):
    """Lets a constructor take the names that files use for the fields whose own name would shadow a method."""

    def __call__(cls, *args: Any, **fields: Any) -> Any:  # noqa: N805 - the class is what is called
        own = cls.__struct_fields__
        renamed = {f"{name}_" if f"{name}_" in own else name: value for name, value in fields.items()}
        unknown = [name for name in renamed if name not in own]
        if unknown:
            known = [name.rstrip("_") for name in own]
            raise TypeError(
                f"{cls.__name__}: expected arguments out of {', '.join(known)}; "
                f"got {unknown[0]!r}{did_you_mean(unknown[0], known)}"
            )
        return super().__call__(*args, **renamed)


class Record(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A frozen record whose fields are checked when it is made: numbers of numpy become plain, -0.0 becomes 0.0."""

    def __post_init__(self) -> None:
        for name, field in _fields(type(self)).items():
            given = getattr(self, name)
            try:
                checked = field.check(given)
            except ScheduleError as error:
                where = f"{type(self).__name__}.{field.encode_name}{error.where}"
                raise ScheduleError(where, error.problem) from None
            if checked is not given:
                msgspec.structs.force_setattr(self, name, checked)

    def given(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by the names of files."""
        fields = _fields(type(self))
        values = [(one, getattr(self, name)) for name, one in fields.items()]
        return {one.encode_name: value for one, value in values if value != one.default}

    def to_dict(self) -> dict[str, Any]:
        """The plain form that a file holds: what differs from the defaults, numbers before tables."""
        plain = {name: _plain(value) for name, value in self.given().items()}
        return dict(sorted(plain.items(), key=lambda item: isinstance(item[1], dict)))


Check: TypeAlias = Callable[[Any], Any]
"""A value as a field wants it, or an error whose place is the one inside the value: "[3]" of a list, "" of a number."""


class _Field(NamedTuple):
    check: Check
    encode_name: str
    default: Any


@cache
def _fields(cls: type[Struct]) -> dict[str, _Field]:
    """What is known of each field: how it is checked, the name that a file gives it, its default."""
    hints = annotations_of(cls)
    return {
        one.name: _Field(_check_of(hints[one.name]), one.encode_name, one.default)
        for one in msgspec.structs.fields(cls)
    }


@cache
def annotations_of(cls: type[Struct]) -> dict[str, Any]:
    """The annotation of each field, with its limits."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hints[name] for name in cls.__struct_fields__}


def _check_of(annotation: Any) -> Check:
    """What an annotation asks of a value; it is worked out once for each field, not for each value."""
    origin, options = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):  # an annotated type makes the former
        check = _check_of(next(one for one in options if one is not type(None)))
        return lambda value: None if value is None else check(value)
    if origin is tuple:
        return partial(_list, options[0], _check_of(options[0]))
    if origin is Annotated:
        return partial(_one, annotation, _whole if options[0] is int else _real)
    return partial(_one, annotation, _as_given if origin is Callable else _instance)


def _list(annotation: Any, check: Check, value: Any) -> tuple[Any, ...]:
    """A list as a tuple. Numbers are checked all at once, and one by one only where that finds something unusual."""
    value = _python(value)
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
        raise ScheduleError("", f"expected a list; got {short(value)}")
    if get_origin(annotation) is Annotated and (ordinary := _ordinary_numbers(annotation, value)) is not None:
        return ordinary
    checked = []
    for number, one in enumerate(value):
        try:
            checked.append(check(one))
        except ScheduleError as error:
            raise ScheduleError(f"[{number}]{error.where}", error.problem) from None
    return tuple(checked)


def _ordinary_numbers(annotation: Any, values: Sequence[Any]) -> tuple[float, ...] | None:
    """The numbers as `_whole` and `_real` make them; None unless all are plain Python numbers that need no change."""
    if not set(map(type, values)) <= {int, float}:
        return None
    try:
        checked: tuple[float, ...] = msgspec.convert(list(values), tuple[annotation, ...])
    except (msgspec.ValidationError, OverflowError):
        return None
    if get_args(annotation)[0] is int:
        return checked
    if not math.isfinite(sum(checked)):  # one is not finite, or the sum of large ones is not
        return None
    return tuple([one + 0.0 for one in checked]) if 0.0 in checked else checked


def _one(annotation: Any, convert: Callable[[Any, Any], Any], value: Any) -> Any:
    """A value that is no list."""
    value = _python(value)
    try:
        return convert(annotation, value)
    except (msgspec.ValidationError, OverflowError):
        raise ScheduleError(
            "", f"expected {_words(annotation)}; got {short(value)}{_nearest(annotation, value)}"
        ) from None


def _python(value: Any) -> Any:
    """A number or an array of numpy as Python has it."""
    return value.tolist() if hasattr(value, "tolist") else value


def _as_given(annotation: Any, value: Any) -> Any:
    return value


def _instance(annotation: Any, value: Any) -> Any:
    """A record, a truth value, or one of a few words."""
    if isinstance(annotation, type) and isinstance(value, annotation):
        return value
    return msgspec.convert(value, annotation)


def _whole(annotation: Any, value: Any) -> int:
    """An integer within the annotation's limits; 1e5 is one too."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    count: int = msgspec.convert(value, annotation)
    return count


def _real(annotation: Any, value: Any) -> float:
    """A finite number within the annotation's limits; -0.0 is 0.0."""
    if type(value) not in (float, int) and isinstance(value, numbers.Real) and not isinstance(value, (bool, int)):
        value = float(value)
    number: float = msgspec.convert(value, annotation)
    if not math.isfinite(number):
        raise OverflowError
    return number + 0.0


def _words(annotation: Any) -> str:
    """What the annotation asks for, in words."""
    if get_origin(annotation) is Annotated:
        return str(annotation.__metadata__[0].description)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(get_args(annotation))
    return "true or false" if annotation is bool else f"a {annotation.__name__.lower()}"


def _nearest(annotation: Any, value: Any) -> str:
    """A hint for what was meant."""
    if get_origin(annotation) is Literal:
        return did_you_mean(value, get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Record) and callable(value):
        return "; wrap a Python function in lrcore.Function"
    return ""


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """A hint with the nearest known word, or nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(known), n=1) if isinstance(word, str) else []
    return f"; did you mean {near[0]!r}?" if near else ""


def short(value: Any) -> str:
    """A value as an error shows it."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def json_text(plain: Any) -> str:
    """A plain form as JSON, the same for equal ones: names sorted, no spaces."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """16 hexadecimal digits that are the same for equal texts."""
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()[:16]


def name_of(function: Any) -> str:
    """What a Python function, or an object that is called like one, is called: the same in every process."""
    if isinstance(name := getattr(function, "__qualname__", None), str):
        return name
    if isinstance(function, partial):
        parts = [function.func, *function.args, *function.keywords.values()]
    elif isinstance(function, Struct):
        parts = [getattr(function, field) for field in function.__struct_fields__]
    else:
        parts = list(getattr(function, "__dict__", {}).values())
    shown = [name_of(part) if callable(part) else repr(part) for part in parts if _is_identifying(part)]
    return f"{type(function).__qualname__}({', '.join(shown)})"


def _is_identifying(part: Any) -> bool:
    return callable(part) or isinstance(part, (int, float, str))


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, tuple):  # of one type, as its annotation says
        return [_plain(one) for one in value] if value and isinstance(value[0], Record) else list(value)
    if callable(value):
        raise ScheduleError(
            f"Function({name_of(value)})",
            "a Python function cannot be written to a file, for a file holds no code; keep it in the program",
        )
    return value
