"""What a plain scalar of YAML is: a number where people and YAML 1.2 see one, and never another number than that.

PyYAML reads YAML 1.1, to which 3e-4 is text, 0100 is 64 and 1:30 is 90. Here 3e-4 is a number, and what YAML 1.1 would
turn into another number than it says stays a text that knows its line: only where a number is wanted it is an error,
for a larger file may hold a time or a mode of a file elsewhere. Dates stay texts too.
"""

from __future__ import annotations

import re
from typing import Any

PLAIN = "!plain"
"""The tag that a loader gives to every scalar without quotes."""

_WORDS = {
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
    """A text that YAML 1.1 takes for another number than it says.

    Attributes:
        line: where it stands, 1 for the first line.
        reading: how it is read, for an error.
    """

    __slots__ = ("line", "reading")
    line: int
    reading: str


def plain_scalar(text: str, line: int) -> Any:
    """What a scalar without quotes is.

    Example:
        >>> [plain_scalar(text, 1) for text in ("3e-4", "1_000", "0x1F", "yes", "2001-01-01", "0100")]
        [0.0003, 1000, 31, True, '2001-01-01', '0100']
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if _INTEGER.fullmatch(text):
        return _as_integer(text)
    if _LEADING_ZERO.fullmatch(text):
        return _unclear(text, line, _octal(text))
    if _REAL.fullmatch(text):
        return float(text)
    if _CLOCK.fullmatch(text):
        return _unclear(text, line, f"YAML 1.1 reads {text} as {_sixties(text)}, YAML 1.2 as text: write the number")
    return text


def tagged_integer(text: str) -> int:
    """A scalar with the tag `!!int`; a ValueError for one that is none, or that YAML 1.1 reads as another number."""
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text!r} is no integer for !!int")
    return _as_integer(text)


def tagged_real(text: str) -> float:
    """A scalar with the tag `!!float`, as `tagged_integer`."""
    word = _WORDS.get(text)
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


def _octal(text: str) -> str:
    digits = text.replace("_", "")
    decimal = int(digits)
    if set(digits) <= set("+-01234567") and int(digits, 8) != decimal:
        return f"YAML 1.1 reads {text} as {int(digits, 8)}, YAML 1.2 as {decimal}: write one of them"
    return f"a number has no leading zero: write {decimal}"


def _sixties(text: str) -> int | float:
    sign = -1 if text[0] == "-" else 1
    *high, last = text.replace("_", "").lstrip("+-").split(":")
    total: int | float = float(last) if "." in last else int(last)
    for power, part in enumerate(reversed(high), 1):
        total += int(part) * 60**power
    return sign * total
