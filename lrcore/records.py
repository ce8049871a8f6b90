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
            checked = _checked(field.annotation, given, f"{type(self).__name__}.{field.encode_name}")
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


class _Field(NamedTuple):
    annotation: Any
    encode_name: str
    default: Any


@cache
def _fields(cls: type[Struct]) -> dict[str, _Field]:
    """What is known of each field: its annotation, the name that a file gives it, its default."""
    hints = get_type_hints(cls, include_extras=True)
    return {one.name: _Field(hints[one.name], one.encode_name, one.default) for one in msgspec.structs.fields(cls)}


def _checked(annotation: Any, value: Any, where: str) -> Any:
    """The value as the annotation wants it; an error that names the place otherwise."""
    options = [one for one in get_args(annotation) if one is not type(None)]
    if get_origin(annotation) in (Union, UnionType):  # an annotated type makes the former
        return None if value is None else _checked(options[0], value, where)
    if hasattr(value, "tolist"):  # numbers and arrays of numpy
        value = value.tolist()
    if get_origin(annotation) is tuple:
        if not isinstance(value, Sequence) or isinstance(value, (str, bytes)):
            raise ScheduleError(where, f"expected a list; got {short(value)}")
        return tuple(_checked(options[0], one, f"{where}[{number}]") for number, one in enumerate(value))
    if get_origin(annotation) is Callable or (isinstance(annotation, type) and isinstance(value, annotation)):
        return value
    try:
        return _number(annotation, value) if get_origin(annotation) is Annotated else msgspec.convert(value, annotation)
    except (msgspec.ValidationError, OverflowError):
        raise ScheduleError(
            where, f"expected {_words(annotation)}; got {short(value)}{_nearest(annotation, value)}"
        ) from None


def _number(annotation: Any, value: Any) -> float:
    """A finite number within the annotation's limits; 1e5 is an integer too, and -0.0 is 0.0."""
    if get_args(annotation)[0] is int:
        whole = isinstance(value, float) and value.is_integer()
        count: int = msgspec.convert(int(value) if whole else value, annotation)
        return count
    if isinstance(value, numbers.Real) and not isinstance(value, (bool, int)):
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
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:  # Python writes out no integer of more than 4,300 digits
        text = "a number with too many digits to show"
    return text if len(text) <= 60 else text[:57] + "..."


def digest(plain: dict[str, Any]) -> str:
    """16 hexadecimal digits that are the same for equal plain forms."""
    from hashlib import sha256

    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)
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
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if callable(value):
        raise ScheduleError(
            f"Function({name_of(value)})",
            "a Python function cannot be written to a file, for a file holds no code; keep it in the program",
        )
    return value
