"""Segments: the log is cut where it first leaves its clock, and each part gets a clock of its own or another horizon."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lrcore.checks.causes.descriptions import families
from lrcore.checks.causes.fields import changes
from lrcore.checks.causes.hypotheses import Case, Hypothesis, Segment, counted, rate, whole_bits

if TYPE_CHECKING:
    from lrcore.checks.causes.rows import Steps, Values

_MOST = 6
_TRIED = 4  # rows by which the offsets are sifted
_ENOUGH = 8.0  # bits that a part has to say beyond its price
_TAIL = 30.0  # bits that rows at the end cost that no part explains
_HORIZONS = ("total_steps", "decay_steps", "cooldown.start", "cooldown.steps")


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows from `first` to before `stop`, their rates, and what they cost."""

    first: int
    stop: int
    curve: Values
    cost: float
    offset: int | None
    words: str


def segments(case: Case) -> Iterator[Hypothesis]:
    """The parts of a log that was broken off, each explained by a clock or a horizon of its own."""
    parts = [_Part(0, case.first_off, case.scheduled[: case.first_off], 0.0, 0, "follows the schedule")]
    if case.first_off == len(case.off):
        return
    if case.first_off == 0:
        parts = []
    while (first := parts[-1].stop if parts else 0) < len(case.off) and len(parts) < _MOST:
        part = _clock(case, first) or (_horizon(case, first) if first else None)
        if part is None:
            break
        parts.append(part)
    if not parts or all(part.offset == 0 for part in parts):
        return
    yield _hypothesis(case, parts)


def _clock(case: Case, first: int) -> _Part | None:
    """The longest run of rows from `first` on that one offset explains, if it says more than it costs."""
    rows, updates = case.rows, case.rows.updates
    best: _Part | None = None
    for offset in _offsets(case, first).tolist():
        clock = updates[first:] + offset
        curve = case.schedule.values(np.maximum(clock, 0))
        fits = (np.abs(curve - rows.values[first:]) <= rows.loosest[first:]) & (clock >= 0)
        stop = first + (int(np.argmin(fits)) if not fits.all() else len(fits))
        price = _price(case, first, offset)
        if stop > first and _tells(case, first, stop, offset) and _says(case, first, stop) >= price + _ENOUGH:
            part = _Part(first, stop, curve[: stop - first], price, offset, _words(case, first, offset))
            if best is None or (stop, -price) > (best.stop, -best.cost):
                best = part
    return best


def _offsets(case: Case, first: int) -> Steps:
    """The offsets that explain the next few rows that say something."""
    rows = case.rows
    update = int(rows.updates[first])
    furthest = int(rows.updates.max()) + (case.schedule.length or int(rows.updates.max())) + 2
    found = np.arange(-update, min(furthest, 4 * 10**6) - update + 1, dtype=np.int64)
    telling = first + np.flatnonzero(rows.telling[first:])[: 2 * _TRIED]
    before = np.maximum(telling - 1, first)  # on a stair, the last row before a change says as much as the change
    for row in np.unique([first, *before, *telling]).tolist():
        shown = case.schedule.values(np.maximum(rows.updates[row] + found, 0))
        kept = found[(np.abs(shown - rows.values[row]) <= rows.loosest[row]) & (rows.updates[row] + found >= 0)]
        if not len(kept):
            break  # the next break comes before this row
        found = kept
    order = np.argsort([_price(case, first, one) for one in found[:2000].tolist()], kind="stable")
    return found[:2000][order][:40]


def _price(case: Case, first: int, offset: int) -> float:
    """The price of a break and an offset: a clock that is lost or right again costs least."""
    rows = case.rows
    place = 2.0 if rows.starts[first] or first == 0 else math.log2(len(rows.values))
    update, before = int(rows.updates[first]), int(rows.updates[first - 1]) if first else -1
    if offset == 0 or -update <= offset <= -before:
        return place + 3.0
    return place + 3.0 + whole_bits(offset)


def _tells(case: Case, first: int, stop: int, offset: int) -> bool:
    """Whether enough rows of a part say something: one row alone is explained by some offset or other."""
    rows = case.rows
    telling = int(rows.telling[first:stop].sum())
    if first == 0:
        return telling >= 3
    lost = int(rows.updates[first]) + offset <= int(rows.updates[first]) - int(rows.updates[first - 1])
    return telling >= 2 or (lost and telling >= 1 and stop - first >= 2)


def _says(case: Case, first: int, stop: int) -> float:
    """The bits of the rows in a part."""
    return float(case.rows.bits[-1][first:stop].sum())


def _horizon(case: Case, first: int) -> _Part | None:
    """Another end of the schedule from a row on: what most trainers plan on resume when a run is made longer."""
    where = np.arange(len(case.off)) >= first
    for family in families(case.schedule):
        if family.place.rpartition("].")[2] not in _HORIZONS:
            continue
        for changed in changes(case, family, where):
            whole = changed.schedule.values(case.rows.updates)
            if case.rows.level(whole) is not None:
                continue  # the schedule was another one from the start
            curve = whole[first:]
            price = math.log2(len(case.off)) + 4 + changed.cost
            if _says(case, first, len(case.off)) >= price + _ENOUGH:
                words = f"From update {int(case.rows.log.steps[first]):,} on {changed.sentence}"
                return _Part(first, len(case.off), curve, price, None, words)
    return None


def _words(case: Case, first: int, offset: int) -> str:
    """What the offset of a part means."""
    steps, updates = case.rows.log.steps, case.rows.updates
    step, update = int(steps[first]), int(updates[first])
    before = int(updates[first - 1]) if first else -1
    place = f"From update {step:,} on" if first else f"From its first row, update {step:,}, on"
    if offset == 0:
        return f"{place} it is on the schedule again."
    if first == 0 and abs(offset) == 1:
        way = "ahead" if offset > 0 else "behind"
        return f"{place} it is 1 update {way}: row n shows another update than the clock of the log says, or the scheduler is off by one."
    if offset > 0:
        return f"{place} it is {_updates(offset)} ahead: the scheduler was stepped too often, or updates were skipped."
    lost = -update <= offset <= -max(before, 1) or (first > 0 and offset <= -0.9 * update)
    why = "its state was not restored on resume" if lost else "updates were repeated, or an older state was restored"
    return f"{place} it is {_updates(-offset)} behind: {why}."


def _updates(count: int) -> str:
    return f"{counted(count)} update{'' if count == 1 else 's'}"


def _hypothesis(case: Case, parts: list[_Part]) -> Hypothesis:
    steps, rows = case.rows.log.steps, len(case.off)
    stop = parts[-1].stop
    explained = np.arange(rows) < stop
    curve = np.concatenate([*(part.curve for part in parts), case.rows.values[stop:]])
    shown = [Segment(int(steps[part.first]), int(steps[part.stop - 1]), part.offset, part.words) for part in parts]
    sentences = [part.words for part in parts if part.offset != 0 or part is not parts[0]]
    if stop < rows:
        shown.append(Segment(int(steps[stop]), int(steps[-1]), None, "unexplained"))
        sentences.append(
            f"Unexplained from update {int(steps[stop]):,} on: logged {rate(case.rows.values[stop])}, "
            f"scheduled {rate(case.scheduled[stop])}."
        )
    else:
        sentences.append(_advice(parts))
    left = 0.0 if stop == rows else _TAIL + float(case.rows.bits[-1][stop:].sum())
    return Hypothesis(
        "segments",
        4 + sum(part.cost for part in parts) + left,
        curve,
        _short(parts),
        tuple(sentences),
        {"breaks": [int(steps[part.first]) for part in parts[1:]], "offsets": [part.offset for part in parts]},
        tuple(shown),
        explained,
    )


def _short(parts: list[_Part]) -> str:
    last = parts[-1]
    if last.offset is None:
        return "another end of the schedule later on"
    return f"a clock {_updates(abs(last.offset))} {'behind' if last.offset < 0 else 'ahead'} later on"


def _advice(parts: list[_Part]) -> str:
    if parts[-1].offset is None:
        return "The schedule was planned anew on resume: schedule.extended(...) keeps the past without a jump."
    return "Save and load the scheduler's state with the checkpoint, or set its step to the run's."
