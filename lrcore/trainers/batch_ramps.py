"""Batch sizes that grow, as the knots of a clock of samples: the updates at which the size changes, and the samples before each.

The size is asked before an update, by the samples that were consumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Knots = tuple[tuple[int, int], ...]


def equal_increments(first: int, increment: int, samples: int, last: int) -> Knots:
    """Megatron's --rampup-batch-size: from `first` to `last` by equal increments, spread over so many samples.

    Example:
        >>> equal_increments(2, 2, 20, 6)
        ((5, 10), (8, 22), (9, 28))
    """
    each = samples / ((last - first) // increment)
    knots: list[tuple[int, int]] = []
    update, consumed = 0, 0
    while consumed <= samples and (size := first + int(consumed / each) * increment) < last:
        count = max(1, math.ceil((int(consumed / each) + 1) * each - consumed) // size)
        while consumed + count * size <= samples and int((consumed + count * size) / each) == int(consumed / each):
            count += 1
        update, consumed = update + count, consumed + count * size
        knots.append((update, consumed))
    return (*knots, (update + 1, consumed + last))


def steps(sizes: Sequence[tuple[int, int]]) -> Knots:
    """Sizes from numbers of samples on, the first from 0 on.

    Example:
        >>> steps([(0, 4), (10, 8)])
        ((3, 12), (4, 20))
    """
    knots: list[tuple[int, int]] = []
    update, consumed, size = 0, 0, sizes[0][1]
    for samples, after in sizes[1:]:
        if (count := -(-(samples - consumed) // size)) > 0:
            update, consumed = update + count, consumed + count * size
            knots.append((update, consumed))
        size = after
    return (*knots, (update + 1, consumed + size))


def read_steps(text: str, tokens_per_sample: int) -> list[tuple[int, int]]:
    """The sizes of Megatron's --step-batch-size-schedule, whose places are tokens: "0:768 250B:1536".

    Raises:
        ValueError: it is not written so, or does not begin at 0, or does not rise.
    """
    pairs = [entry.split(":") for entry in text.replace(",", " ").split()]
    sizes = sorted((_amount(place) // tokens_per_sample, _amount(size)) for place, size in pairs)
    places = [place for place, _ in sizes]
    if not places or places[0] != 0 or len(set(places)) < len(places) or min(size for _, size in sizes) < 1:
        raise ValueError
    return sizes


def _amount(text: str) -> int:
    text = text.strip().upper()
    factor = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}.get(text[-1:], 1)
    return int(float(text[:-1] if factor > 1 else text) * factor)
