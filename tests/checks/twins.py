"""Which other causes give the very values of a run: such a run cannot be told, and is counted apart.

Values are compared as the log writes them, at each logged row. The other causes are tried with constants that follow from
the run itself: whole factors, the ratio at its highest point, the numbers of the description times those factors, and for
a clock that was moved all moves at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

import lrcore
from lrcore import Schedule
from tests.checks.generator import Run, Steps, Values, _at, _shapes, longer, numbers, put
from tests.checks.generator import rounded as written

FACTORS = (1.5, 2, 3, 4, 5, 8, 10, 16)
_FEW = 12
_TINY = 1e-280


def twins(run: Run) -> set[str]:
    """The causes, other than the run's own, that give its values at each logged row."""
    if run.cause == "follows":
        return set()
    found: set[str] = set()
    for lag in (run.lag, 1 - run.lag):
        if (run.steps - lag).min() >= 0 and _alike(_some_rows(run), lag):
            found |= _alike(run, lag)
        if (run.steps - lag).min() >= 0 and _moved(run, run.steps - lag):
            found.add("segments")
    return found - {run.cause}


def _some_rows(run: Run) -> Run:
    """A run of a few rows, by which most causes are soon out of the question."""
    rows = np.unique(np.linspace(0, len(run.steps) - 1, _FEW).astype(int))
    return replace(run, steps=run.steps[rows], values=run.values[rows])


def _alike(run: Run, lag: int) -> set[str]:
    return {cause for cause, values in _candidates(run, run.steps - lag) if _same(run, values)} - {run.cause}


def _same(run: Run, values: Values) -> bool:
    return bool(np.all(_close(rounded(values, run.digits), run.values)))


def rounded(values: Values, digits: str) -> Values:
    """The values as they are written, to a last bit that `_close` allows for; a text for each takes too long here."""
    if not digits.isdecimal():
        return written(values, digits)
    sizes = np.abs(values)
    units = 10.0 ** (np.floor(np.log10(np.where(sizes < _TINY, 1.0, sizes))) + 1 - int(digits))
    return np.round(values / units) * units


def _close(one: Values, other: Values) -> NDArray[np.bool_]:
    return np.abs(one - other) <= 1e-11 * np.abs(other) + 1e-14 * np.abs(other).max(initial=0.0)


def _candidates(run: Run, updates: Steps) -> Iterator[tuple[str, Values]]:
    meant = run.meant
    values = meant.values(updates)
    yield "follows", values
    if len(updates) > 1:
        yield "first_value", np.concatenate([run.values[:1], values[1:]])
    factors = {*FACTORS, *(float(one) for name, one in run.constants.items() if name in ("k", "factor"))}
    highest = int(np.argmax(np.abs(values)))
    ratios = {run.values[highest] / values[highest]} if values[highest] else set()
    if len(updates) > 1 and values[-1]:
        ratios.add(run.values[-1] / values[-1])
    yield from (("scale", values * factor) for factor in {*factors, *(1 / one for one in factors), *ratios})
    for k in factors:
        if float(k).is_integer():
            yield "steps_per_update", meant.values(updates * int(k))
            yield "per_epoch", meant.values(updates // int(k))
        with suppress(lrcore.ScheduleError):  # a length of 0 where there is none
            yield "lengths", longer(meant, k).values(updates)
    yield "plateau", _fallen(run.values, values)
    yield from _fields(meant, updates, {*factors, *(1 / one for one in factors), *ratios})
    yield from (("shape", one.values(updates)) for one in _described(plain for _, plain in _shapes(meant.to_dict())))
    yield from _rebounds(meant, updates)


def _fallen(logged: Values, values: Values) -> Values:
    """The schedule's values, times a factor that begins with 1 and falls by the same ratio wherever it falls."""
    seen = values != 0
    ratios = np.ones_like(values)
    ratios[seen] = logged[seen] / values[seen]
    below = ratios[ratios < 1 - 1e-3]
    if not len(below) or ratios[0] < 1 - 1e-3:
        return values
    factor = float(below.max())
    if factor <= 0:
        return values
    falls = np.round(np.log(np.maximum(ratios, 1e-30)) / np.log(factor))
    return values * factor ** np.maximum.accumulate(np.maximum(falls, 0))


def _fields(meant: Schedule, updates: Steps, ratios: Iterable[float]) -> Iterator[tuple[str, Values]]:
    plain = meant.to_dict()
    for place in list(numbers(plain)):
        number = _at(plain, place)
        changed = {number * ratio for ratio in ratios} | {0}
        options = {round(one) for one in changed} if isinstance(number, int) else changed
        plains = (put(plain, place, one) for one in options if one == 0 or abs(one) < 1e9)
        yield from (("field", one.values(updates)) for one in _described(plains))


def _described(plains: Iterable[dict[str, object]]) -> Iterator[Schedule]:
    for plain in plains:
        try:
            schedule = lrcore.from_dict(plain)
        except lrcore.ScheduleError:
            continue
        assert isinstance(schedule, Schedule)
        yield schedule


def _rebounds(meant: Schedule, updates: Steps) -> Iterator[tuple[str, Values]]:
    end, warmup = meant.length, meant.warmup_.steps if meant.warmup_ else 0
    if end is None or end - warmup < 2:
        return
    period, past = end - warmup, np.maximum(updates - warmup, 0)
    inside = past % (2 * period)
    for swung in (np.minimum(inside, 2 * period - inside), past % period):
        yield "rebound", meant.values(np.where(updates < end, updates, warmup + swung))


def _moved(run: Run, updates: Steps) -> bool:
    """Whether one move of the clock, from the first row on that differs, gives all rows that follow."""
    rows = np.flatnonzero(~_close(rounded(run.meant.values(updates), run.digits), run.values))
    if not len(rows) or rows[0] == 0:
        return False
    later, logged = updates[rows[0] :], run.values[rows[0] :]
    moves = np.arange(-int(later[0]), int(updates[-1]) + 2)
    for place in {0, len(later) - 1, len(later) // 2}:
        shown = rounded(run.meant.values(later[place] + moves), run.digits)
        moves = moves[_close(shown, np.full_like(shown, logged[place]))]
    return any(bool(np.all(_close(rounded(run.meant.values(later + move), run.digits), logged))) for move in moves[:50])
