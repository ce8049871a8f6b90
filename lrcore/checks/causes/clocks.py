"""Hypotheses about the clock and the height of a whole run: each a function from a case to what would explain it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from lrcore.checks.causes.descriptions import longer, reshaped
from lrcore.checks.causes.hypotheses import Case, Hypothesis, counted, rate, real_bits, whole_bits

if TYPE_CHECKING:
    from lrcore.checks.causes.rows import Steps, Values

_MOST_STEPS_PER_UPDATE = 4096
_FOLLOWING = 5  # rows from which a first value is known to be apart
_MOST_FIRST = 3  # rows that may be apart before
_TRIED = 400  # candidates that are compared with all rows
_STRETCHES = sorted(
    {top / bottom for bottom in (1, 2, 3, 4) for top in range(1, 33)} | {float(k) for k in range(33, 129)}
)


def steps_per_update(case: Case) -> Iterator[Hypothesis]:
    """S(k t): the scheduler is stepped by each process or micro-batch."""
    updates = case.rows.updates
    most = min(_MOST_STEPS_PER_UPDATE, 2**62 // (int(updates.max(initial=0)) + 1))
    likely = case.survivors(np.arange(2, most + 1), lambda many, update: case.schedule.values(many * update))
    found = [k for k in likely.tolist() if case.rows.level(case.schedule.values(updates * k)) is not None]
    if found := _dense(found):
        k, width = found[0], found[-1] - found[0] + 1
        many = f"at least {counted(k)}" if k < found[-1] == most else _between(found)
        yield Hypothesis(
            "steps_per_update",
            1 + whole_bits(k, width),
            case.schedule.values(updates * k),
            f"{many} steps per update",
            (
                f"The scheduler moves {many} steps per update.",
                "Step it once per update, or double its lengths."
                if found == [2]
                else f"Step it once per update, or give it lengths {many} times as long.",
            ),
            {"k": k, "k_at_most": found[-1]},
        )


def lengths(case: Case) -> Iterator[Hypothesis]:
    """All lengths k times too long: the schedule counts micro-batches or samples, and is asked once per update."""
    rows, few = case.rows, case.rows.updates[case.sample]
    for k in _likely_stretches(case):
        stretched = longer(case.schedule, k)
        if stretched is None or np.any(
            np.abs(stretched.values(few) - rows.values[case.sample]) > rows.loosest[case.sample]
        ):
            continue
        curve = stretched.values(rows.updates)
        if rows.level(curve) is not None:
            whole = float(k).is_integer()
            if k > 1:
                words = f"All lengths are {k:g} times too long."
                advice = f"Divide them by {k:g}, or step the scheduler {k:g} times per update."
            else:
                words = f"All lengths are {1 / k:.6g} times too short."
                advice = f"Multiply them by {1 / k:.6g}."
            yield Hypothesis(
                "lengths",
                (2 if whole else 6) + whole_bits(k),
                curve,
                f"lengths {k:.6g} times as long",
                (words, advice),
                {"k": k},
            )
            return


def _likely_stretches(case: Case) -> list[float]:
    """The stretches with which each row of the sample lies between the rates of updates near t / k, which are cheap to ask."""
    stretches = np.array([k for k in _STRETCHES if k != 1 and not (1 / k).is_integer()])
    near = np.ones(len(stretches), dtype=bool)
    for row in case.sample.tolist():
        middle = np.floor(case.rows.updates[row] / stretches).astype(np.int64)
        around = np.array([case.schedule.values(np.maximum(middle + by, 0)) for by in (-1, 0, 1, 2)])
        value, slack = case.rows.values[row], case.rows.loosest[row] + 1e-6 * case.rows.peak
        near &= (around.min(axis=0) - slack <= value) & (value <= around.max(axis=0) + slack)
    return [float(k) for k in stretches[near]]


def per_epoch(case: Case) -> Iterator[Hypothesis]:
    """S(t // k): the scheduler is stepped once per epoch."""
    updates = case.rows.updates
    last = int(updates.max(initial=0))
    found = case.survivors(
        np.arange(2, max(3, min(last, 10**6) + 1)), lambda many, update: _at_each(case, update // many)
    )
    fitting: list[int] = []
    for k in found[:_TRIED].tolist():
        if case.rows.level(case.schedule.values(updates // k)) is not None:
            fitting.append(k)
    if fitting := _dense(fitting):
        k, width = fitting[0], fitting[-1] - fitting[0] + 1
        yield Hypothesis(
            "per_epoch",
            3 + whole_bits(k, width),
            case.schedule.values(updates // k),
            f"one step in {_to(fitting)} updates",
            (
                f"The scheduler moves once in {_to(fitting)} updates, not at each.",
                "Step it at each update, or write the schedule in epochs inside an `every`.",
            ),
            {"k": k, "k_at_most": fitting[-1]},
        )


def in_stairs(case: Case) -> Iterator[Hypothesis]:
    """S(k (t // k)): the scheduler is asked once per epoch, for the first update of the epoch."""
    updates = case.rows.updates
    most = min(int(updates.max(initial=0)), 10**6)
    found = case.survivors(np.arange(2, most + 1), lambda many, update: _at_each(case, update // many * many))
    curves = ((k, case.schedule.values(updates // k * k)) for k in found[:_TRIED].tolist())
    fitting = [(k, curve) for k, curve in curves if case.rows.level(curve) is not None]
    if fitting:
        (k, curve), last = fitting[0], fitting[-1][0]
        many = _to(sorted({k, last}))
        yield Hypothesis(
            "per_epoch",
            5 + whole_bits(k, last - k + 1),
            curve,
            f"one move in {many} updates",
            (
                f"The rate moves once in {many} updates, to where the schedule is by then.",
                "Set it at each update, or write the schedule in epochs inside an `every`.",
            ),
            {"k": k, "k_at_most": last, "stairs": True},
        )


def _at_each(case: Case, updates: Steps) -> Values:
    """The scheduled rates at updates of which most are the same."""
    different, places = np.unique(updates, return_inverse=True)
    return case.schedule.values(different)[places]


def scale(case: Case) -> Iterator[Hypothesis]:
    """c S(t): another group, another peak, or a rate scaled by the number of processes."""
    factor = shortest_factor(case)
    if factor is None or abs(factor - 1) < 1e-12:
        return
    value, width = factor, _width_of_factor(case)
    words = f"{value:.6g} times the schedule"
    yield Hypothesis(
        "scale",
        3 + real_bits(value, width),
        case.scheduled * value,
        "twice the rate" if value == 2 else f"{value:.6g} times the rate",
        (
            f"The rate is {words}.",
            "It may be that of another group, or scaled by the batch size or the number of processes.",
        ),
        {"factor": value},
    )


def _interval(case: Case) -> tuple[float, float] | None:
    """The factors that fit all rows in the strictest reading that has any."""
    rows, scheduled = case.rows, case.scheduled
    seen = np.abs(scheduled) > 1e-9 * np.abs(scheduled).max(initial=0.0)
    if not seen.any():
        return None
    for widths in rows.widths:
        if np.any(np.abs(rows.values[~seen]) > widths[~seen] + 1e-8 * rows.peak):
            continue
        ends = [(rows.values[seen] + sign * widths[seen]) / scheduled[seen] for sign in (-1, 1)]
        low, high = float(np.minimum(*ends).max()), float(np.maximum(*ends).min())
        if low <= high:
            return low, high
    return None


def shortest_factor(case: Case) -> float | None:
    """The factor with the fewest digits that fits all rows."""
    found = _interval(case)
    if found is None or not 0 < found[1] < math.inf:
        return None
    return shortest(*found)


def _width_of_factor(case: Case) -> float:
    low, high = _interval(case) or (0.0, 0.0)
    return high - low


def shortest(low: float, high: float) -> float:
    """The number with the fewest decimal digits between two."""
    if low <= 0 <= high:
        return 0.0
    middle = (low + high) / 2
    for digits in range(17):
        number = float(f"{middle:.{digits}e}")
        if low <= number <= high:
            return number
    return middle


def shape(case: Case) -> Iterator[Hypothesis]:
    """Another shape of a ramp, another form of the decay, or stairs where none were meant."""
    few = case.sample
    for one in reshaped(case.schedule):
        near = np.abs(one.schedule.values(case.rows.updates[few]) - case.rows.values[few])
        if np.any(near > case.rows.loosest[few]):
            continue
        curve = one.schedule.values(case.rows.updates)
        if case.rows.level(curve) is not None:
            yield Hypothesis(
                "shape",
                8,
                curve,
                f"{one.place} = {one.now}",
                _shape_words(one.what, one.place, one.was, one.now),
                {"place": one.place, "was": one.was, "is": one.now},
            )


def _shape_words(what: str, place: str, was: str, now: str) -> tuple[str, str]:
    if now in ("true", "false"):
        return f"{place} is {now}, not {was}.", f"Write {place} = {now} in the file, or set the trainer's own to {was}."
    hint = "; DeepSpeed's warmup_type is log by default" if what == "warmup" and now == "log" else ""
    word, _, more = now.partition(", ")
    form = f'{place} = "{word}"{f" with {more}" if more else ""}'
    return (
        f"The shape of the {what} is {now}, not {was}{hint}.",
        f"Write {form} in the file, or set the trainer's to {was}.",
    )


def first_value(case: Case) -> Iterator[Hypothesis]:
    """All rows but the first follow; or but the first few."""
    rows, count = case.rows, int(np.flatnonzero(case.off)[-1]) + 1
    if count > _MOST_FIRST or len(rows.values) - count < _FOLLOWING:
        return
    first, step = float(rows.values[0]), int(rows.log.steps[0])
    curve = np.concatenate([rows.values[:count], case.scheduled[count:]])
    which = "Only the first value is" if count == 1 else f"Only the first {count} values are"
    yield Hypothesis(
        "first_value",
        4 + min(float(rows.bits[0][:count].sum()), count * real_bits(first, 0.0)),
        curve,
        f"another first value ({rate(first)})",
        (
            f"{which} apart: at update {step:,} the log has {rate(first)}, scheduled {rate(case.scheduled[0])}.",
            "The optimizer had its own rate before the scheduler first set one; set the rate before the first update.",
        ),
        {"value": first, "scheduled": float(case.scheduled[0]), "rows": count},
        explained=np.arange(len(curve)) >= count,
    )


def starts_over(case: Case) -> Iterator[Hypothesis]:
    """S(t mod k): the scheduler is made anew every k updates, as where it is made inside the loop over epochs."""
    updates = case.rows.updates
    last = int(updates.max(initial=0))
    least = 2 * max(1, int(np.median(np.abs(np.diff(case.rows.log.steps)))))  # closer ones are seen by no two rows
    most = min(last // 2, 10**6)  # a single start again is a lost state
    found = case.survivors(np.arange(least, most + 1), lambda many, update: _at_each(case, update % many))
    for k in found[:_TRIED].tolist():
        curve = case.schedule.values(updates % k)
        if case.rows.level(curve) is not None:
            step = int(case.rows.log.steps[min(case.first_off, len(updates) - 1)])
            words = f"The schedule starts again every {counted(k)} updates, first at update {step:,}: its state is lost each time."
            advice = "Make the scheduler once, before the loop over epochs, and save and load its state."
            yield Hypothesis(
                "segments",
                5 + whole_bits(k),
                curve,
                f"a start again every {counted(k)} updates",
                (words, advice),
                {"every": k},
            )
            return


def rebound(case: Case) -> Iterator[Hypothesis]:
    """The schedule ends, and the rate rises again: it swings back, or starts anew."""
    end = case.schedule.length
    updates = case.rows.updates
    if end is None or end < 2 or int(updates.max(initial=0)) <= end or case.first_off == len(case.off):
        return
    warmup = case.schedule.warmup_.steps if case.schedule.warmup_ else 0
    for how, start, words in (
        ("mirror", warmup, "the rate swings back up, as it came down"),
        ("restart", warmup, "the decay starts again"),
        ("restart", 0, "the schedule starts again"),
        ("hold", warmup, "the rate is back at its peak and stays there"),
    ):
        curve = case.schedule.values(_past_the_end(updates, end, start, how))
        if end - start >= 1 and case.rows.level(curve) is not None:
            yield Hypothesis(
                "rebound",
                6,
                curve,
                f"a rebound past update {counted(end)}",
                (
                    f"The schedule ends at update {counted(end)}, and the run goes on: past the end {words}.",
                    "Stop the run there, plan a longer schedule, or hold the last value, as lrcore does.",
                ),
                {"end": end, "how": how},
            )


def _past_the_end(updates: Steps, end: int, start: int, how: str) -> Steps:
    """The update of the schedule that is shown instead, past its end."""
    period, past = max(1, end - start), np.maximum(updates - start, 0)
    inside = past % (2 * period)
    shown = {"mirror": np.minimum(inside, 2 * period - inside), "restart": past % period, "hold": 0 * past}[how]
    return np.where(updates < end + (how == "hold"), updates, start + shown)


def _dense(found: list[int]) -> list[int]:
    """The numbers, where most of those between the first and the last are among them; else the first alone."""
    return found if not found or 2 * len(found) > found[-1] - found[0] else found[:1]


def _between(found: list[int]) -> str:
    return counted(found[0]) if len(found) == 1 else f"between {counted(found[0])} and {counted(found[-1])}"


def _to(found: list[int]) -> str:
    return counted(found[0]) if len(found) == 1 else f"{counted(found[0])} to {counted(found[-1])}"
