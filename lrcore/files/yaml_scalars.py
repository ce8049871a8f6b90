"""Reads the plain scalars of YAML as users and YAML 1.2 do.

PyYAML reads YAML 1.1, in which 3e-4 is text, 0100 is 64 and 1:30 is 90. Here 3e-4 is a number. A text that YAML 1.1 reads
as a different number becomes an `UnclearNumber`, a text that knows its line: it is an error only where a number is
expected, because a larger file may hold a time or a file mode elsewhere. Dates stay text, too.
"""

from __future__ import annotations

import re
from typing import Any

PLAIN = "!plain"
"""The tag that a loader gives to every unquoted scalar."""

_NAMED_VALUES = {
    spelling: value
    for word, value in {
        "null": None, "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False,
        ".inf": float("inf"), "+.inf": float("inf"), "-.inf": float("-inf"), ".nan": float("nan"),
    }.items()
    for spelling in (word, word.upper(), re.sub("[a-z]", lambda first: first[0].upper(), word, count=1))
} | {"~": None, "": None}  # fmt: skip
_INTEGER = re.compile(
    r"[-+]?(0|[1-9][0-9]*(_[0-9]+)*|0x[0-9a-fA-F]+(_[0-9a-fA-F]+)*|0o[0-7]+(_[0-7]+)*|0b[01]+(_[01]+)*)"
)
_REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(_[0-9]+)*(\.([0-9]+(_[0-9]+)*)?)?)([eE][-+]?[0-9]+)?")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+")
_CLOCK = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


class UnclearNumber(str):
    """A text that YAML 1.1 reads as a different number.

    Attributes:
        line: its line, 1 for the first one.
        reading: how YAML reads it and what to write, for an error.
    """

    __slots__ = ("line", "reading")
    line: int
    reading: str


def plain_scalar(text: str, line: int) -> Any:
    """The value of an unquoted scalar.

    Example:
        >>> [plain_scalar(text, 1) for text in ("3e-4", "1_000", "0x1F", "yes", "2001-01-01", "0100")]
        [0.0003, 1000, 31, True, '2001-01-01', '0100']
    """
    if text in _NAMED_VALUES:
        return _NAMED_VALUES[text]
    if text[0] not in "0123456789+-.":
        return text
    if _INTEGER.fullmatch(text):
        return _as_integer(text)
    if _LEADING_ZERO.fullmatch(text):
        return _unclear(text, line, _leading_zero_reading(text))
    if _REAL.fullmatch(text):
        return float(text)
    if _CLOCK.fullmatch(text):
        return _unclear(
            text, line, f"YAML 1.1 reads {text} as {_sexagesimal(text)}, YAML 1.2 as text: write the number"
        )
    return text


def tagged_integer(text: str) -> int:
    """The value of a scalar with the tag `!!int`; a ValueError if it is no integer or YAML 1.1 reads another number."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text!r} is no integer for !!int")
    return _as_integer(text)


def tagged_real(text: str) -> float:
    """The value of a scalar with the tag `!!float`, as in `tagged_integer`."""
    word = _NAMED_VALUES.get(text)
    if isinstance(word, float):
        return word
    if not _REAL.fullmatch(text):
        raise ValueError(f"{text!r} is no number for !!float")
    return float(text)


def _as_integer(text: str) -> int:
    return int(text, 0)


def _unclear(text: str, line: int, reading: str) -> UnclearNumber:
    unclear = UnclearNumber(text)
    unclear.line, unclear.reading = line, f"line {line}: {reading}"
    return unclear


def _leading_zero_reading(text: str) -> str:
    digits = text.replace("_", "")
    decimal = int(digits)
    if set(digits) <= set("+-01234567") and int(digits, 8) != decimal:
        return f"YAML 1.1 reads {text} as {int(digits, 8)}, YAML 1.2 as {decimal}: write one of them"
    return f"a number has no leading zero: write {decimal}"


def _sexagesimal(text: str) -> int | float:
    sign = -1 if text[0] == "-" else 1
    *high, last = text.replace("_", "").lstrip("+-").split(":")
    total: int | float = float(last) if "." in last else int(last)
    for power, part in enumerate(reversed(high), 1):
        total += int(part) * 60**power
    return sign * total
