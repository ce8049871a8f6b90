"""All schedules of recognised forms that give every point of a log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lrcore.checks.forms.answers import Answer, priced
from lrcore.checks.forms.description import answer
from lrcore.checks.forms.guesses import Guess, guesses, short_cycles
from lrcore.checks.forms.pieces import Piece, cut
from lrcore.checks.forms.points import Points
from lrcore.checks.forms.stairs import Head, shortest, staircases
from lrcore.schedules.kinds import Cosine, Repeat

_TRIED = 4  # ends of one form; where some fit, all fit, since they differ after the log only


def answers(points: Points, pieces: list[Piece], lags: tuple[int, ...]) -> list[Answer]:
    """All schedules that give every point, the cheapest first: smooth ones, and only if there are none, stairs."""
    found = [one for lag in lags for one in _smooth(points, guesses(points, pieces, lag))]
    if not found:
        heads = ((lag, head) for lag in lags for head in _heads(points, pieces, lag))
        found = [one for lag, head in heads for one in staircases(points, head, lag, _of_epochs)]
    if not found:
        found = _ended_restarts(points, pieces, lags)
    if not found and any(piece.form == "stray" for piece in pieces):
        found = [one for lag in lags for one in _smooth(points, short_cycles(points, lag))]
    return sorted(found, key=lambda one: (one.price, one.lag))


def _ended_restarts(points: Points, pieces: list[Piece], lags: tuple[int, ...]) -> list[Answer]:
    """Restarts that end with a whole cycle, and hold the last rate: transformers' cosine_with_restarts."""
    last = float(points.values[-1])
    count = next((number for number in range(len(points), 0, -1) if points.values[number - 1] != last), 0)
    if sum(piece.form == "cosine" for piece in pieces) < 2 or count < 10:
        return []
    cycles = points.part(slice(0, count))
    kept = [piece for piece in pieces if piece.last < count]
    found = []
    for one in (one for lag in lags for one in _smooth(cycles, guesses(cycles, kept, lag))):
        if isinstance(one.schedule, Repeat) and isinstance(one.schedule.schedule, Cosine):
            ahead = one.schedule.warmup_.steps if one.schedule.warmup_ is not None else 0
            length, over = one.schedule.schedule.decay_steps, int(cycles.steps[-1]) - one.lag - ahead
            whole = one.schedule.cooldown(0, start=ahead + length * (over // length + 1), end_value=last)
            if points.fit(whole.values(points.steps - one.lag)):
                found.append(priced(whole, one.lag))
    return found


def _smooth(points: Points, guessed: Iterator[Guess]) -> list[Answer]:
    """The guesses that can be rounded to schedules."""
    found: list[Answer] = []
    tried: Counter[tuple[str, str]] = Counter()
    for description, guess in guessed:
        key = description.form, description.before
        if description.given and tried[key] >= _TRIED:
            continue
        one = answer(description, guess, points)
        if one is not None:
            found.append(one)
            tried[key] += 2
        tried[key] += bool(description.given)
    return found


def _of_epochs(points: Points) -> list[Answer]:
    """The schedules of one value per epoch."""
    return sorted(_smooth(points, guesses(points, cut(points), 0)), key=lambda one: one.price)


def _heads(points: Points, pieces: list[Piece], lag: int) -> Iterator[Head]:
    """The warmups that may precede stairs."""
    first, second = pieces[0], pieces[1] if len(pieces) > 1 else pieces[0]
    yield Head()
    if second.form != "constant":
        return
    level, value, step = second.numbers[0], float(points.values[0]), int(points.steps[0]) - lag
    if first.form == "linear":
        a, b = first.numbers
        for init in dict.fromkeys((0.0, _init(a + b * lag, level))):
            yield Head(round((level - a) / b) - lag, init, first.last + 1)
    elif first.form == "stray" and value > 0 and step > 0:
        yield Head(round(level * step / value), 0.0, 1)
    elif first.form == "stray" and step == 0 and points.steps[1] - points.steps[0] == 1:
        yield Head(1, value, 1)


def _init(value: float, level: float) -> float:
    """The first value of a warmup, as short as its line tells it."""
    return shortest(value, 1e-12 * abs(level)) if abs(value) > 1e-12 * abs(level) else 0.0
