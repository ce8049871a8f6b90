"""The end values of guesses: 0, the value that was seen, or, where the log ends earlier, values that people choose.

The way of a straight line does not tell where it ends: one of half the height is half as long. So an end is guessed such that
the length is whole; between the points all of them give the same rates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from lrcore.checks.forms.description import NONE, Description
from lrcore.checks.forms.points import Points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

Guess = tuple[Description, "Numbers"]

_LENGTHS = ("decay steps", "cooldown steps", "total steps")
_STRETCHES: dict[str, Callable[[float, float, float], float]] = {
    "linear": lambda peak, seen, end: (peak - end) / (peak - seen),
    "1-sqrt": lambda peak, seen, end: ((peak - end) / (peak - seen)) ** 2,
    "1-square": lambda peak, seen, end: ((peak - end) / (peak - seen)) ** 0.5,
    "exponential": lambda peak, seen, end: math.log(end / peak) / math.log(seen / peak),
}
"""How much longer the way to another end is, for the shapes that do not tell where they end."""


def with_ends(points: Points, description: Description, numbers: tuple[float, ...]) -> Iterator[Guess]:
    """The guess with an end of 0 and with its own end; or, where it goes on after the log, with ends that people choose."""
    import numpy as np

    names = [name for name, _ in description.constants]
    found = np.array([_whole(name, number) for name, number in zip(names, numbers, strict=True)], dtype=np.float64)
    if not np.all(np.isfinite(found)):
        return
    if "end" not in names:
        yield description, found
        return
    last, before = map(float, (points.values[-1], points.values[-2]))
    shape = next((shape for shape in _STRETCHES if description.form.endswith(shape)), None)
    if shape is None or last == before:
        if last <= 0.2 * np.abs(points.values).max():
            yield from _ending(description, found, 0.0, None)
        yield description, found
        return
    for end in _ends(float(found[names.index("peak")]), last):
        yield from _ending(description, found, end, shape)
    yield from _until_the_log_ends(points, description, found)


def _whole(name: str, number: float) -> float:
    """A length that is whole but for rounding, as it is: jumps and kinks then lie where they are."""
    length = name.endswith("steps") or name == "start"
    near = length and math.isfinite(number) and abs(number - round(number)) < 1e-3
    return float(round(number)) if near else number


def _ends(peak: float, last: float) -> list[float]:
    """End values that people choose, from 0 up to the last rate."""
    shares = [float(f"{peak * share:.12g}") for share in (0.1, 0.01, 0.001, 0.2, 0.05, 0.5)]
    size = math.floor(math.log10(peak)) if peak > 0 else 0
    plain = [float(f"{digits}e{size - below}") for below in range(7) for digits in range(1, 10)]
    odd = [float(f"{digits / 10}e{size - below}") for below in range(1, 5) for digits in range(11, 100) if digits % 10]
    return [0.0, *(end for end in dict.fromkeys([*shares, last, *plain, *odd]) if end <= last)]


def _ending(description: Description, numbers: Numbers, end: float, shape: str | None) -> Iterator[Guess]:
    """The guess with one end; with a shape, only if the length is then whole."""
    names = [name for name, _ in description.constants]
    found, place = numbers.copy(), names.index("end")
    if shape is not None:
        length = next(index for index, name in enumerate(names) if name in _LENGTHS)
        peak, seen = map(float, (found[names.index("peak")], found[place]))
        if not (seen < peak and end < peak) or (shape == "exponential" and min(end, seen) <= 0):
            return
        ahead = found[names.index("pct_start")] * found[length] if "pct_start" in names else 0.0
        found[length] = ahead + (found[length] - ahead) * _STRETCHES[shape](peak, seen, end)
        if not abs(found[length] - round(found[length])) <= 1e-6 + 1e-8 * found[length]:
            return
        if "pct_start" in names:
            found[names.index("pct_start")] = ahead / found[length]
    found[place] = end
    yield replace(description, given={**description.given, "end": end}), found


def _until_the_log_ends(points: Points, description: Description, numbers: Numbers) -> Iterator[Guess]:
    """The guess of a way that ends with the log."""
    names = [name for name, _ in description.constants]
    found = numbers.copy()
    gone = float(points.steps[-1]) - description.lag - (found[0] if description.before != NONE else 0.0)
    length = next(name for name in names if name in _LENGTHS)
    if "stable steps" in names:
        gone -= round(found[names.index("stable steps")])
    if "pct_start" in names:
        gone += 1
        found[names.index("pct_start")] *= found[names.index(length)] / gone
    found[names.index(length)], found[names.index("end")] = gone, points.values[-1]
    yield replace(description, given={**description.given, length: gone}), found
