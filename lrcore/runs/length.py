"""A length as people write it: a number and a unit, "5 epochs", "2%", "1.2e9 tokens"."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import Any, NamedTuple

from lrcore.errors import ScheduleError
from lrcore.records import short, without_numpy

UNITS = ("updates", "epochs", "samples", "tokens", "%")

PATTERN = r"^\s*\+?[0-9._]+([eE][+-]?[0-9]+)?\s*((update|epoch|sample|token)(s|\(s\))?|%)\s*$"
"""The texts that are lengths, for the JSON Schema."""

_WRITTEN = re.compile(
    r"""\s*
    (?P<amount> [+-]? (?: [0-9]+(?:_[0-9]+)* (?: \.[0-9]+(?:_[0-9]+)* )? | \.[0-9]+(?:_[0-9]+)* ) (?: [eE] (?P<exponent> [+-]?[0-9]+ ) )? )
    \s*
    (?: (?P<unit> update|epoch|sample|token ) (?: s | \(s\) )? | (?P<share> % ) )
    \s*""",
    re.VERBOSE,
)
_MAX_CHARACTERS = 60  # of a text; a longer one could name a number that takes very long to compute
_MAX_EXPONENT = 60


class Length(NamedTuple):
    """An amount of a unit, exactly as it was written.

    Attributes:
        amount: a rational number >= 0.
        unit: updates, epochs, samples, tokens or %.
        text: the length as it was written.
    """

    amount: Fraction
    unit: str
    text: str

    def share_of(self, total: Length) -> Length:
        """The length that a share is, in the unit in which the total is stated.

        Example:
            >>> parsed("2%").share_of(parsed("300e9 tokens")).amount
            Fraction(6000000000, 1)
        """
        return Length(total.amount * self.amount / 100, total.unit, f"{self.text} of {total.text}")


def parsed(text: Any, where: str = "length") -> Length:
    """The length that a text or a number of updates states.

    Args:
        text: a number and one of updates, epochs, samples, tokens and %, in singular or plural; or a number of updates.
        where: the place, for messages.

    Raises:
        ScheduleError: it is no such text, or the amount is negative.

    Example:
        >>> parsed("2.5 epochs")
        Length(amount=Fraction(5, 2), unit='epochs', text='2.5 epochs')
    """
    text = without_numpy(text)
    if isinstance(text, (int, float)) and not isinstance(text, bool) and 0 <= text < float("inf"):
        return Length(exactly(text), "updates", str(text))
    match = _match(text)
    if match is None:
        raise ScheduleError(
            where,
            "expected a number of updates, or a number and one of updates, epochs, samples, tokens, %; got "
            f"{short(text)}{_advice(text)}",
        )
    amount = Fraction(match["amount"].replace("_", ""))
    if amount < 0:
        raise ScheduleError(where, f"expected a length >= 0; got {text!r}")
    return Length(amount, "%" if match["share"] else f"{match['unit']}s", match[0].strip())


def exactly(number: float) -> Fraction:
    """The number as it is written in decimals, not the nearest float: 0.1 as a tenth.

    Example:
        >>> exactly(0.1)
        Fraction(1, 10)
    """
    return Fraction(repr(number))


def _match(text: Any) -> re.Match[str] | None:
    """The parts of a text that is a length; None for anything else."""
    if not isinstance(text, str) or len(text) > _MAX_CHARACTERS:
        return None
    match = _WRITTEN.fullmatch(text)
    return None if match is None or abs(int(match["exponent"] or 0)) > _MAX_EXPONENT else match


def _advice(text: Any) -> str:
    try:
        is_number = isinstance(text, str) and math.isfinite(float(text))
    except ValueError:
        return ""
    return "" if not is_number else f"; write {text.strip()} without quotes if it is a number of updates"
