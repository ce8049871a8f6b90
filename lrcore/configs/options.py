"""One table of a configuration: it gives each option in the type that it must have, and remembers which were asked for."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from lrcore.configs.plain import MISSING, plain
from lrcore.configs.references import resolved
from lrcore.errors import ScheduleError
from lrcore.files.yaml_scalars import UnclearNumber
from lrcore.hints import did_you_mean
from lrcore.records import short, without_numpy

REQUIRED: Final[Any] = object()
_UNSET = ("", "none", "null", "~")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


class Options:
    """One table of a configuration.

    The getters take one name or several: the names that versions of a trainer have for the same option. They give the first
    that is set; null counts as not set, a list of one value as the value, and a text that is written like a number as the number.
    Without a default an option is required; the default may be None, so a getter's type is Any. A dash in a name is an underscore.

    Example:
        >>> options = Options({"lr-decay-style": "cosine", "lr": ["1e-4"], "min_lr": None}, "megatron")
        >>> options.number("lr"), options.number("min_lr", default=0.0), options.word("lr_decay_style")
        (0.0001, 0.0, 'cosine')
        >>> options.whole("train_iters")
        Traceback (most recent call last):
        ...
        lrcore.errors.ScheduleError: megatron: train_iters: expected an integer; got none
    """

    def __init__(self, values: Mapping[Any, Any], file: str, place: str = "", root: Options | None = None) -> None:
        self._file, self._place = file, place
        self._values = self._by_name(plain(values))
        self._root = root or self
        self._asked: set[str] = set()
        self._inner: list[Options] = []
        self._own: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"Options({short(self._values)}, {self.where()!r})"

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def where(self, name: str = "") -> str:
        """The place of an option in messages: `ds_config.json: scheduler.params.warmup_num_steps`."""
        place = ".".join(part for part in (self._place, name) if part)
        return f"{self._file}: {place}" if place else self._file

    def error(self, name: str, problem: str) -> ScheduleError:
        """The error about one option."""
        return ScheduleError(self.where(name), problem)

    # --- values -----------------------------------------------------------------------------------------------------

    def given(self, *names: str) -> bool:
        """Whether one of the names is set, and not to null."""
        return self._found(names) is not None

    def is_auto(self, name: str) -> bool:
        """Whether an option is left to another program by the word auto."""
        self._asked.add(name)
        return self._values.get(name) == "auto"

    def is_list(self, name: str) -> bool:
        """Whether an option is written as a list, be it in a text: `cycles=[300, 700]` among flags."""
        value = self.raw(name)
        return isinstance(value, list) or (isinstance(value, str) and value.lstrip()[:1] in ("[", "("))

    def raw(self, *names: str, default: Any = None) -> Any:
        """The value as it was written."""
        found = self._found(names)
        return default if found is None else self._values[found]

    def number(self, *names: str, default: Any = REQUIRED, least: float = -math.inf, above: float = -math.inf) -> Any:
        """A finite number, at least `least` and more than `above`."""
        limit = f" > {above:g}" if above > -math.inf else f" >= {least:g}" if least > -math.inf else ""

        def check(value: Any) -> float:
            number = _number(value)
            if number < least or number <= above:
                raise ValueError
            return number

        return self._get(names, default, f"a number{limit}", check)

    def whole(self, *names: str, default: Any = REQUIRED, least: int = 0, most: float = math.inf) -> Any:
        """An integer of at least `least` and at most `most`; 1000.0 and "1_000" are 1000."""

        def check(value: Any) -> int:
            number = _number(value)
            if not number.is_integer() or not least <= number <= most:
                raise ValueError
            return int(number)

        limits = f" from {least} to {most:,}" if most < math.inf else f" >= {least}" if least > 0 else ""
        return self._get(names, default, f"an integer{limits}", check)

    def flag(self, *names: str, default: Any = False) -> Any:
        """True or false; a flag without a value is true."""
        return self._get(names, default, "true or false", _flag)

    def word(self, *names: str, default: Any = REQUIRED, choices: Sequence[str] | None = None) -> Any:
        """A text; if there are choices, one of them in their spelling, whatever its capitals."""

        def check(value: Any) -> str:
            if not isinstance(value, str):
                raise TypeError
            known = {choice.lower(): choice for choice in choices or ()}
            if choices is not None and value.lower() not in known:
                raise ScheduleError(
                    "", f"expected one of {', '.join(choices)}; got {value!r}{did_you_mean(value, choices)}"
                )
            return known.get(value.lower(), value)

        return self._get(names, default, "a text", check)

    def numbers(self, *names: str, default: Any = REQUIRED) -> Any:
        """A list of finite numbers; one number is a list of one, and a text is split at commas and spaces."""
        return self._get(names, default, "a list of numbers", lambda value: [_number(one) for one in _list(value)])

    def wholes(self, *names: str, default: Any = REQUIRED) -> Any:
        """A list of integers."""

        def check(value: Any) -> list[int]:
            found = [_number(one) for one in _list(value)]
            if not all(one.is_integer() for one in found):
                raise ValueError
            return [int(one) for one in found]

        return self._get(names, default, "a list of integers", check)

    def words(self, *names: str, default: Any = REQUIRED) -> Any:
        """A list of texts."""
        return self._get(names, default, "a list of texts", lambda value: [str(one) for one in _list(value)])

    def values(self, *names: str, default: Any = REQUIRED) -> Any:
        """A list of anything."""
        return self._get(names, default, "a list", _list)

    # --- tables -----------------------------------------------------------------------------------------------------

    def table(self, *names: str, required: bool = False) -> Options:
        """A table inside this one; an empty one where it is not given, unless it is required. A JSON text counts as a table."""
        found = self._found(names)
        if found is None and required:
            raise self.error(names[0], f"expected a table{self._instead(names[0])}; got none")
        value = {} if found is None else self._resolved(self._values[found])
        if isinstance(value, str) and value.lstrip().startswith("{"):
            with suppress(ValueError):
                value = _literal(value)
        if not isinstance(value, Mapping):
            raise self.error(str(found), f"expected a table; got {short(value)}")
        return self._table(value, found or names[0])

    def tables(self, *names: str) -> list[Options]:
        """A list of tables inside this one; one table is a list of one, and nothing an empty list."""
        found = self._found(names)
        value = [] if found is None else self._resolved(self._values[found])
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            with suppress(ValueError):
                value = _literal(value)
        value = [value] if isinstance(value, Mapping) else value
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            raise self.error(str(found), f"expected a list of tables; got {short(value)}")
        return [self._table(one, f"{found}[{number}]") for number, one in enumerate(value)]

    def inside(self, values: Mapping[Any, Any], place: str) -> Options:
        """A table that is a value of this one in another form, such as the second of a pair; `place` is where it stands."""
        return self._table(values, place)

    def first_table(self, *paths: str) -> Options:
        """The first of the tables at these dotted paths that is given; this table itself if none is.

        So an importer takes the whole file as well as the scheduler's part of it.
        """
        for path in paths:
            table, names = self, path.split(".")
            while names and isinstance(table.raw(names[0]), (Mapping, str)) and table._is_table(names[0]):
                table = table.table(names.pop(0))
            if not names:
                return table
        return self

    def own(self, *prefixes: str) -> Options:
        """Say that this table is the scheduler's own, or its options that begin so: what is not used of it becomes a note."""
        self._own = prefixes or ("",)
        return self

    def ignore(self, *names: str) -> None:
        """Say that options change nothing that a schedule could hold, such as a log level."""
        self._asked.update(names)

    def refuse(self, *names: str, why: str, unless: Sequence[Any] = (None, False, 0)) -> None:
        """Refuse options that have no equal, where they are set to something that acts."""
        for name in names:
            self._asked.add(name)
            value = self._values.get(name)
            value = value[0] if isinstance(value, list) and len(value) == 1 else value
            acts = _number_or(value) not in unless and not (
                isinstance(value, str) and value.lower() in (*_UNSET, *_FALSE)
            )
            if acts and value not in ([], {}):
                raise self.error(name, f"{why}; got {short(value)}")

    def unused(self) -> list[str]:
        """The places of the scheduler's own options that were set and that nobody asked for."""
        own = [
            self.where(name).removeprefix(f"{self._file}: ")
            for name, value in self._values.items()
            if self._own is not None and value is not None and name not in self._asked and name.startswith(self._own)
        ]
        return own + [name for inner in self._inner for name in inner.unused()]

    # --- how --------------------------------------------------------------------------------------------------------

    def _by_name(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """The values under their names with underscores; of two spellings the one that is set."""
        if not isinstance(values, Mapping):
            raise self.error("", f"expected a table; got {short(values)}")
        found: dict[str, Any] = {}
        for key, value in values.items():
            name = _name(key)
            if found.get(name) is not None and value is not None and found[name] != value:
                raise self.error(name, f"expected one value; got {short(found[name])} and, as {key}, {short(value)}")
            found[name] = found.get(name) if value is None else value
        return found

    def _found(self, names: Sequence[str]) -> str | None:
        self._asked.update(names)
        return next((name for name in names if self._values.get(name) is not None), None)

    def _get(self, names: Sequence[str], default: Any, expected: str, check: Callable[[Any], Any]) -> Any:
        found = self._found(names)
        value = None if found is None else self._resolved(self._values[found])
        if isinstance(value, list) and len(value) == 1 and not expected.startswith("a list"):
            [value] = value
        if value is None or (isinstance(value, str) and value.lower() in _UNSET and expected != "a text"):
            if default is REQUIRED:
                raise self.error(names[0], f"expected {expected}{self._instead(names[0])}; got none")
            return default
        try:
            return check(value)
        except ScheduleError as error:
            raise self.error(found or "", error.problem) from None
        except (ValueError, TypeError, OverflowError):
            how = "; hand over the resolved configuration" if _unresolved(value) else _reading(value)
            raise self.error(found or "", f"expected {expected}; got {short(value)}{how}") from None

    def _instead(self, name: str) -> str:
        """What was given in its place, if a name is nearly this one."""
        near = [one for one in self._values if one not in self._asked and did_you_mean(one, [name])]
        return f", and {near[0]!r} is no option of that name" if near else ""

    def _table(self, values: Mapping[Any, Any], place: str) -> Options:
        inner = Options(values, self._file, ".".join(part for part in (self._place, place) if part), self._root)
        self._inner.append(inner)
        return inner

    def _is_table(self, name: str) -> bool:
        value = self._resolved(self._values[name])
        return isinstance(value, Mapping) or (isinstance(value, str) and value.lstrip().startswith("{"))

    def _resolved(self, value: Any) -> Any:
        """The value that a reference such as ${optimizer.lr} names, if it is in the same configuration."""
        return resolved(value, self._root._values)  # noqa: SLF001 - of the same class


def _name(key: Any) -> str:
    return str(key).replace("-", "_")


def _unresolved(value: Any) -> bool:
    return isinstance(value, str) and (value in ("auto", MISSING) or "${" in value or value.startswith("!"))


def _reading(value: Any) -> str:
    """How YAML reads a number that it reads as another one than people do."""
    return f"; {value.reading}" if isinstance(value, UnclearNumber) else ""


def _number(value: Any) -> float:
    value = without_numpy(value)
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "("):  # `lr=[1e-4]` among flags
        value = _list(value)
    if isinstance(value, list) and len(value) == 1:
        [value] = value
    if isinstance(value, (bool, UnclearNumber)) or not isinstance(value, (int, float, str)):
        raise TypeError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _number_or(value: Any) -> Any:
    try:
        return _number(value)
    except (ValueError, TypeError, OverflowError):
        return value


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word not in (*_TRUE, *_FALSE):
        raise ValueError
    return word in _TRUE


def _list(value: Any) -> list[Any]:
    if isinstance(value, str):
        text = value.strip()
        value = _literal(text) if text[:1] in ("[", "(") else [part for part in re.split(r"[\s,]+", text) if part]
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _literal(text: str) -> Any:
    """A table or list that was written as JSON or as a Python literal; nothing is executed."""
    try:
        import json

        return json.loads(text)
    except ValueError:
        return _python_literal(text)


def _python_literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError):
        raise ValueError(text) from None
