"""Frozen records: constructors check and normalise the fields, and say in one sentence what is wrong."""

from __future__ import annotations

import json
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    Self,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Meta, Struct, StructMeta

from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import ScheduleError, ScheduleTypeError
from lrcore.hints import hint

_UPDATES = {"unit": "updates"}

Number: TypeAlias = Annotated[float, Meta(description="a finite number")]
Positive: TypeAlias = Annotated[float, Meta(gt=0, description="a finite number > 0")]
NotNegative: TypeAlias = Annotated[float, Meta(ge=0, description="a finite number >= 0")]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")]
CycleGrowth: TypeAlias = Annotated[float, Meta(ge=1, le=LAST_STEP, description="a number from 1 to 2**53")]
Time: TypeAlias = Annotated[
    float, Meta(ge=0, le=LAST_STEP, description="a number from 0 to 2**53 (optimizer updates)", extra=_UPDATES)
]
Place: TypeAlias = Annotated[
    float,
    Meta(ge=-LAST_STEP, le=LAST_STEP, description="a number from -2**53 to 2**53 (optimizer updates)", extra=_UPDATES),
]
Period: TypeAlias = Annotated[
    float,
    Meta(ge=1 / LAST_STEP, le=LAST_STEP, description="a number > 0, up to 2**53 (optimizer updates)", extra=_UPDATES),
]
Steps: TypeAlias = Annotated[
    int, Meta(ge=0, le=LAST_STEP, description="an integer >= 0 (optimizer updates, at most 2**53)", extra=_UPDATES)
]
PositiveSteps: TypeAlias = Annotated[
    int, Meta(ge=1, le=LAST_STEP, description="an integer >= 1 (optimizer updates, at most 2**53)", extra=_UPDATES)
]
Offset: TypeAlias = Annotated[
    int,
    Meta(
        ge=-LAST_STEP,
        le=LAST_STEP,
        description="an integer (optimizer updates, at most 2**53, ahead or with a minus behind)",
        extra=_UPDATES,
    ),
]
Shape: TypeAlias = Literal["linear", "cosine", "constant", "1-sqrt", "1-square", "sine", "log", "exponential", "power"]


class KeywordAliases(StructMeta):
    """Lets constructors take the names of the file format: `warmup=` sets the field `warmup_`, since `warmup` is a method."""

    if not TYPE_CHECKING:  # a type checker reads the fields, so that it knows what is made of which arguments

        def __call__(cls, *args: Any, **fields: Any) -> Any:  # noqa: N805 - the class is what is called
            own = cls.__struct_fields__
            renamed = {f"{name}_" if f"{name}_" in own else name: value for name, value in fields.items()}
            unknown = [name for name in renamed if name not in own]
            if unknown:
                known = [name.rstrip("_") for name in own]
                near = hint(unknown[0], places_of(cls), known, python=True)
                raise ScheduleTypeError(
                    cls.__name__, f"expected arguments out of {', '.join(known)}; got {unknown[0]!r}{near}"
                )
            try:
                return super().__call__(*args, **renamed)
            except TypeError:
                problem = _wrong_arguments(cls, args, renamed)
                if problem is None:  # the arguments are right: the TypeError has another cause
                    raise
                raise ScheduleTypeError(cls.__name__, f"{problem}; write {_call_form(cls)}") from None


class Record(Struct, metaclass=KeywordAliases, frozen=True, kw_only=True, weakref=True, forbid_unknown_fields=True):
    """A frozen record that checks its fields when it is made. numpy numbers become Python numbers, -0.0 becomes 0.0.

    `HOW` is the advice in the error where a field of this type is given something else.
    """

    HOW: ClassVar[str] = ""

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

    def replace(self, **changes: Any) -> Self:
        """The same kind with other arguments: everything is checked anew, and the original stays as it is.

        Args:
            **changes: arguments of the constructor; `warmup=None` and `cooldown=None` take a schedule's ramp away, so that
                `schedule.replace(warmup=None).warmup(500)` has another one.

        Raises:
            ScheduleError: an argument that the kind does not have, or a wrong value.

        Example:
            >>> from lrcore import Cosine
            >>> Cosine(init_value=0.1, decay_steps=100).warmup(10).replace(init_value=0.3)
            Cosine(init_value=0.3, decay_steps=100).warmup(steps=10)
        """
        now = {one.encode_name: getattr(self, name) for name, one in _fields(type(self)).items()}
        return type(self)(**{**now, **changes})

    __replace__ = replace  # what copy.replace of Python 3.13 calls

    def given(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by their names in files."""
        fields = _fields(type(self))
        values = [(one, getattr(self, name)) for name, one in fields.items()]
        return {one.encode_name: value for one, value in values if value != one.default}

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The defaults of the optional fields, by their names in files."""
        fields = _fields(cls).values()
        return {one.encode_name: one.default for one in fields if one.default is not msgspec.NODEFAULT}

    def to_dict(self) -> dict[str, Any]:
        """The dictionary that a file holds: the fields that differ from their defaults, tables last."""
        plain = {name: _plain(value) for name, value in self.given().items()}
        return dict(sorted(plain.items(), key=lambda item: isinstance(item[1], dict)))


Check: TypeAlias = Callable[[Any], Any]
"""Returns the normalised value. Its ScheduleError names the place inside the value: "[3]" in a list, "" for a number."""


class _Field(NamedTuple):
    check: Check
    encode_name: str
    default: Any

    @property
    def is_required(self) -> bool:
        return self.default is msgspec.NODEFAULT


@cache
def _fields(cls: type[Struct]) -> dict[str, _Field]:
    """The check, the name in files and the default of each field."""
    hints = annotations_of(cls)
    return {
        one.name: _Field(check_of(hints[one.name], one.encode_name), one.encode_name, one.default)
        for one in msgspec.structs.fields(cls)
    }


@cache
def annotations_of(cls: type[Struct]) -> dict[str, Any]:
    """The annotation of each field, with its limits."""
    hints = get_type_hints(cls, include_extras=True)
    return {name: hints[name] for name in cls.__struct_fields__}


def check_of(annotation: Any, field: str) -> Check:
    """The check that an annotation stands for; it is built once per field, not per value."""
    origin, options = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):  # `Annotated[...] | None` is a Union, `int | None` a UnionType
        check = check_of(next(one for one in options if one is not type(None)), field)
        return lambda value: None if value is None else check(value)
    if origin is tuple:
        return partial(_list, options[0], check_of(options[0], field))
    if origin is Annotated:
        return partial(_scalar, annotation, _CONVERSIONS.get(options[0], _as_given), field)
    return partial(_scalar, annotation, _as_given if origin is Callable else _instance, field)


def _list(annotation: Any, check: Check, value: Any) -> tuple[Any, ...]:
    """The list as a tuple. Plain numbers are checked all at once; anything unusual is checked one by one."""
    value = without_numpy(value)
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
    """The numbers, checked all at once; None if one is not a plain Python number, or not valid as it is."""
    if not set(map(type, values)) <= {int, float}:
        return None
    try:
        checked: tuple[float, ...] = msgspec.convert(list(values), tuple[annotation, ...])
    except (msgspec.ValidationError, OverflowError):
        return None
    if get_args(annotation)[0] is int:
        return checked
    if not math.isfinite(sum(checked)):  # a number is not finite, or the sum overflows
        return None
    return tuple([one + 0.0 for one in checked]) if 0.0 in checked else checked


def _scalar(annotation: Any, convert: Callable[[Any, Any], Any], field: str, value: Any) -> Any:
    """A value that is not a list, converted; the error says what the annotation requires."""
    value = without_numpy(value)
    try:
        return convert(annotation, value)
    except (msgspec.ValidationError, OverflowError):
        raise ScheduleError(
            "", f"expected {in_words(annotation)}; got {short(value)}{_advice(annotation, value, field)}"
        ) from None


def without_numpy(value: Any) -> Any:
    """A numpy number or array as a Python number or list; anything else as it is."""
    try:
        return value.tolist() if hasattr(value, "tolist") else value
    except Exception:  # noqa: BLE001 - each framework raises an exception of its own for an array without a value
        raise ScheduleError(
            "",
            f"expected a number that is known now; got {short(value)}, which is being traced; build the schedule from "
            "numbers and compute with the rate that its adapter gives, as in scale * learning_rate(count)",
        ) from None


def _as_given(annotation: Any, value: Any) -> Any:
    return value


def _instance(annotation: Any, value: Any) -> Any:
    """A record, a bool, or one of the words of a Literal."""
    if isinstance(annotation, type) and isinstance(value, annotation):
        return value
    return msgspec.convert(value, annotation)


def _integer(annotation: Any, value: Any) -> int:
    """An integer within the annotation's limits; a float such as 1e5 counts if it is whole."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    count: int = msgspec.convert(value, annotation)
    return count


def _finite_number(annotation: Any, value: Any) -> float:
    """A finite number within the annotation's limits; -0.0 becomes 0.0."""
    if type(value) not in (float, int) and isinstance(value, numbers.Real) and not isinstance(value, (bool, int)):
        value = float(value)
    number: float = msgspec.convert(value, annotation)
    if not math.isfinite(number):
        raise OverflowError
    return number + 0.0


_CONVERSIONS: dict[Any, Callable[[Any, Any], Any]] = {int: _integer, float: _finite_number}


def in_words(annotation: Any) -> str:
    """The values that an annotation allows, in words."""
    if get_origin(annotation) is Annotated:
        return str(annotation.__metadata__[0].description)
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(get_args(annotation))
    if get_origin(annotation) is tuple:
        return f"a list, each {in_words(get_args(annotation)[0])}"
    return "true or false" if annotation is bool else f"a {annotation.__name__.lower()}"


def unit_of(annotation: Any) -> str:
    """What a number of this type, or each of a list, counts: "updates", "reports", "metrics" or ""."""
    if get_origin(annotation) is Annotated:
        return str((annotation.__metadata__[0].extra or {}).get("unit", ""))
    return next(filter(None, map(unit_of, get_args(annotation))), "")


def holds_integers(annotation: Any) -> bool:
    """Whether a type is an integer, or a list of them."""
    return annotation is int or any(map(holds_integers, get_args(annotation)))


def _advice(annotation: Any, value: Any, field: str) -> str:
    """What to write instead, as the end of an error; empty if there is nothing to suggest."""
    if get_origin(annotation) is Literal:
        return hint(value, [field], get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Record) and callable(value):
        return "; wrap a Python function in lrcore.Function"
    if isinstance(value, str) and unit_of(annotation) == "updates":
        return f"; here lengths are numbers: use run.steps({short(value)}) of a lrcore.Run"
    return str(getattr(annotation, "HOW", ""))


def _wrong_arguments(cls: Any, args: Sequence[Any], named: Mapping[str, Any]) -> str | None:
    """What is wrong with the arguments of a constructor: too many, one given twice, or some missing."""
    places: tuple[str, ...] = cls.__match_args__
    if len(args) > len(places):
        expected = f"only {', '.join(places)} without a name" if places else "its arguments by name"
        return f"expected {expected}; got {len(args)} without one"
    placed = places[: len(args)]
    twice = [name for name in placed if name in named]
    if twice:
        return f"expected {twice[0]} once; got {short(args[places.index(twice[0])])} and {short(named[twice[0]])}"
    fields = _fields(cls).items()
    missing = [one.encode_name for name, one in fields if one.is_required and name not in {*placed, *named}]
    return f"expected {' and '.join(missing)}; got none" if missing else None


def _call_form(cls: Any) -> str:
    """The call of a constructor, as an error shows it. Fields that have a method (`warmup_`) are left out."""
    shown = [
        f"{one.encode_name}={'...' if one.is_required else repr(one.default)}"
        for name, one in _fields(cls).items()
        if one.is_required or one.encode_name == name
    ]
    return f"{cls.__name__}({', '.join(shown)})"


def places_of(cls: StructMeta) -> list[str]:
    """The keys under which the table of foreign words lists a class: its kind and `schedule`, or `warmup`, `plateau`."""
    kind = cls.__struct_config__.tag
    return [str(kind), "schedule"] if kind else [cls.__name__.removesuffix("Options").lower()]


def short(value: Any) -> str:
    """The text of a value in an error, at most 60 characters."""
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except ValueError:  # by default Python does not convert integers of more than 4,300 digits
        text = "a number with too many digits to show"
    text = " ".join(text.split()) if "\n" in text else text  # the repr of an array has several lines
    return text if len(text) <= 60 else text[:57] + "..."


def json_text(plain: Any) -> str:
    """Plain data as canonical JSON: equal data gives equal text (names sorted, no spaces)."""
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(text: str) -> str:
    """The first 16 hexadecimal digits of the text's SHA-256."""
    from hashlib import sha256

    return sha256(text.encode()).hexdigest()[:16]


def name_of(function: Any) -> str:
    """The name of a Python function or callable object: the same in every process, so without an address."""
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
    if isinstance(value, tuple):  # its elements have one type, as its annotation says
        return [_plain(one) for one in value] if value and isinstance(value[0], Record) else list(value)
    if callable(value):
        raise ScheduleError(
            f"Function({name_of(value)})",
            "a Python function cannot be written to a file, for a file holds no code; keep it in the program",
        )
    return value
