"""How far a written rate may be from the true one: the digits of a column, and the numbers of a short float type."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FULL = 15
"""Significant digits from which a float64 is taken to be written in full."""
ROUNDED = 4
"""Significant digits from which a number is taken to be rounded: 0.1 and 3e-4 are round, 1.234e-4 is rounded."""
_ENOUGH = 8  # different numbers of two or three digits that show that a column is rounded
_FLOAT32_DIGITS = (8, 9)  # that the shortest text of a float32 needs


def tolerances(values: NDArray[np.float64], written: Iterable[str | float]) -> tuple[NDArray[np.float64], str]:
    """How far each value of a column may be from the true one, and a sentence about it.

    A writer gives all numbers of a column the same count of significant digits, or the same count of decimals, and may leave
    out zeros at the end. So the digits of a column are the most that a number of it has, and its decimals the most too.

    Args:
        values: the numbers.
        written: the same numbers as they were written, in any order; a float has the digits that it needs.

    Returns:
        Half a unit of the last digit where four to fourteen digits are written; half of what two neighbours of float32 or
        bfloat16 are apart where all numbers are of this type; else 0. The sentence is "" where the digits are full.

    Example:
        >>> import numpy as np
        >>> tolerances(np.array([1.234e-4, 1e-4]), ["1.234e-4", "1e-4"])
        (array([5.e-08, 5.e-08]), 'The rates are written with 4 digits.')
    """
    digits, last, rounded = _written(written)
    if digits >= FULL:
        return _of_short_floats(values)
    if not rounded:
        return _zeros(values), ""
    return _half_units(values, digits, last), f"The rates are written with {digits} digits."


def _written(numbers: Iterable[str | float]) -> tuple[int, int, bool]:
    """The most digits in a column, the power of ten of the last one, and whether its numbers are rounded.

    Two or three digits are those of round numbers, unless there are so many that they must be rounded.
    """
    different = set(numbers)
    most = last = 0
    for number in different:
        digits, place = _digits(number if isinstance(number, str) else repr(float(number)))
        if digits >= FULL:
            return digits, place, False
        if digits:
            most, last = max(most, digits), min(last, place)
    return most, last, most >= ROUNDED or (most > 1 and len(different) >= _ENOUGH)


def _digits(text: str) -> tuple[int, int]:
    """The significant digits of a number, as they are written, and the power of ten of the last; 0 digits for zero."""
    number, _, exponent = text.strip().lower().partition("e")
    whole, _, decimals = number.lstrip("+-").partition(".")
    power = int(exponent or 0)
    if decimals in ("", "0") and whole.strip("0"):  # zeros at the end of 1000 hold places; Python writes it 1000.0
        return len(whole.strip("0")), len(whole) - len(whole.rstrip("0")) + power
    return len((whole + decimals).lstrip("0")), power - len(decimals)


def _half_units(values: NDArray[np.float64], digits: int, last: int) -> NDArray[np.float64]:
    """Half a unit of the last digit: of so many significant digits, or of the last decimal that the column has."""
    import numpy as np

    sizes = np.abs(values)
    with np.errstate(divide="ignore"):
        places = np.where(sizes > 0, np.floor(np.log10(sizes)), -math.inf) - digits + 1
    halves: NDArray[np.float64] = 0.5 * 10.0 ** np.maximum(places, last)
    with np.errstate(over="ignore"):
        near = np.abs(values - values.astype(np.float32)) <= halves
    return halves + _half_steps(values) if digits in _FLOAT32_DIGITS and near.all() else halves


def _of_short_floats(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], str]:
    """What numbers written in full may be off by: nothing, unless all of them are numbers of a shorter type."""
    import numpy as np

    with np.errstate(over="ignore", under="ignore"):
        short = values.astype(np.float32)
    if not np.array_equal(short.astype(np.float64), values):
        return _zeros(values), ""
    if not (short.view(np.uint32) & 0xFFFF).any():
        return _half_steps(values) * 2.0**16, "The rates are bfloat16 numbers."
    return _half_steps(values), "The rates are float32 numbers."


def _half_steps(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half of the distance between neighbours of float32."""
    import numpy as np

    spacing: NDArray[np.float64] = np.spacing(np.abs(values).astype(np.float32)).astype(np.float64)
    return spacing / 2


def _zeros(values: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    return np.zeros(len(values))
