"""The plateau: a schedule times a factor that falls now and then, each time by the same ratio."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lrcore.checks.causes.clocks import shortest
from lrcore.checks.causes.hypotheses import Case, Hypothesis, Segment, real_bits

if TYPE_CHECKING:
    from lrcore.checks.causes.rows import Values

_LARGEST = 0.97  # a factor above it explains whatever falls
_MOST_FALLS = 12
_SHOWN = 4


def plateau(case: Case) -> Iterator[Hypothesis]:
    """The ratio of the log to the schedule falls by one factor, at some rows."""
    factors = [case.factor] if case.factor else []
    for factor in [*factors, *_factors(case)]:
        counts = _counts(case, factor)
        if counts is None:
            continue
        curve = case.scheduled * factor**counts
        if case.rows.level(curve) is not None:
            yield _hypothesis(case, factor, counts, curve)
            return


def _ratios(case: Case) -> Values:
    """The log over the schedule; NaN where that is nearly 0."""
    scheduled = case.scheduled
    seen = np.abs(scheduled) > 1e-9 * np.abs(scheduled).max(initial=0.0)
    return np.where(seen, case.rows.values / np.where(seen, scheduled, 1.0), math.nan)


def _factors(case: Case) -> Iterator[float]:
    """What the factor may be: from the first fall, which may be several at once, made exact by all rows."""
    ratios = _ratios(case)
    fallen = ratios[case.off & np.isfinite(ratios)]
    if not len(fallen) or case.first_off == 0 or not 0 < fallen[0] < _LARGEST:
        return
    for falls in (1, 2, 3):
        rough = float(fallen[0]) ** (1 / falls)
        if rough < _LARGEST:
            yield from _exact(case, ratios, rough)


def _exact(case: Case, ratios: Values, rough: float) -> Iterator[float]:
    """The factors near a rough one that all rows allow, in the strictest reading."""
    known = np.isfinite(ratios) & (ratios > 0)
    counts = np.zeros(len(ratios))
    counts[known] = np.round(np.log(ratios[known]) / math.log(rough))
    used = known & (counts > 0)
    if not used.any():
        return
    for widths in case.rows.widths:
        ends = []
        for sign in (-1, 1):
            part = (case.rows.values + sign * widths)[used] / case.scheduled[used]
            ends.append(np.maximum(part, 1e-300) ** (1 / counts[used]))
        low, high = float(np.minimum(*ends).max()), float(np.maximum(*ends).min())
        if low <= high:
            yield shortest(low, high)
            return


def _counts(case: Case, factor: float) -> Values | None:
    """How often the factor has fallen by each row; None where it would have to rise, or falls too often."""
    if not 0 < factor < _LARGEST:
        return None
    ratios = _ratios(case)
    known = np.isfinite(ratios) & (ratios > 0)
    counts = np.zeros(len(ratios))
    counts[known] = np.round(np.log(ratios[known]) / math.log(factor))
    counts[~known] = 0
    filled = np.maximum.accumulate(counts)
    if np.any(filled[known] != counts[known]) or counts.min() < 0 or len(np.unique(counts[known])) > _MOST_FALLS:
        return None
    if counts[np.argmax(known)] != 0:
        return None
    return filled


def _hypothesis(case: Case, factor: float, counts: Values, curve: Values) -> Hypothesis:
    steps, falls = case.rows.log.steps, np.flatnonzero(np.diff(counts) > 0) + 1
    price = 0.0 if factor == case.factor else real_bits(factor, 0.0)
    bounds = [0, *falls.tolist(), len(counts)]
    segments = tuple(
        Segment(int(steps[first]), int(steps[stop - 1]), 0, f"times {factor ** counts[first]:.6g}")
        for first, stop in itertools.pairwise(bounds)
    )
    return Hypothesis(
        "plateau",
        6 + price + (math.log2(len(counts)) + 1) * len(falls),
        curve,
        f"a plateau's factor of {factor:.6g}",
        _sentences(case.factor, factor, _places([int(steps[row]) for row in falls.tolist()])),
        {"factor": factor, "updates": [int(steps[row]) for row in falls]},
        segments,
    )


def _sentences(meant: float | None, factor: float, places: str) -> tuple[str, str]:
    """What is said of a plateau that was meant, of one with another factor, and of one that was not meant."""
    if factor == meant:
        return f"Follows the schedule times its plateau's factor of {factor:.6g} {places} on.", "Nothing is to be done."
    if meant is not None:
        words = f"The plateau's factor is {factor:.6g}, not {meant:.6g}: the rate falls {places} on."
        return words, f"Give the trainer factor = {meant:.6g}, or correct the file."
    return (
        f"A plateau lowers the rate: by a factor of {factor:.6g} {places} on.",
        "A callback or scheduler such as ReduceLROnPlateau acts beside the schedule; take it out, or plan a [plateau].",
    )


def _places(steps: list[int]) -> str:
    """The updates of the falls, in a sentence."""
    shown = [f"{step:,}" for step in steps[:_SHOWN]]
    more = f" and {len(steps) - _SHOWN} more" if len(steps) > _SHOWN else ""
    listed = f"{', '.join(shown[:-1])} and {shown[-1]}" if len(shown) > 1 and not more else ", ".join(shown) + more
    return f"from update{'s' if len(steps) > 1 else ''} {listed}"
