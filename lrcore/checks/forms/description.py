"""A form with its warmup and its clock: real constants to fit, and the rounding of them to what a person would have written."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lrcore.checks.forms.answers import Answer, priced
from lrcore.checks.forms.fitting import least_squares, misfit, refined, slopes_at
from lrcore.checks.forms.forms import FORMS, GROWTH, RATE, STEPS, Form, exponential_of
from lrcore.checks.forms.points import Points
from lrcore.errors import ScheduleError
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

NONE, ZERO, INIT, HELD = "none", "zero", "init", "held"
"""Before the form: nothing; a warmup from 0; one from another value; its first value, held."""

_DIGITS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16, 17)
_FITTED = 160  # points that constants are fitted to, before all are compared
_ALMOST = 1.3  # misfit of a fit by least squares, where a better one may be within the tolerances


@dataclass(frozen=True)
class Description:
    """What a schedule is, but for its constants.

    Attributes:
        form: a key of `FORMS`.
        before: what precedes it.
        lag: row n of the log shows the rate of update n - lag.
        given: constants that are not fitted, by name.
    """

    form: str
    before: str
    lag: int
    given: dict[str, float] = field(default_factory=dict)

    @property
    def body(self) -> Form:
        """The form without its warmup."""
        return FORMS[self.form]

    @cached_property
    def constants(self) -> tuple[tuple[str, str], ...]:
        """The name and the nature of each constant, those of the warmup first."""
        ahead = {NONE: (), ZERO: (("warmup steps", STEPS),), HELD: (("start", STEPS),)}
        both = (("warmup steps", STEPS), ("warmup init", RATE))
        return (*ahead.get(self.before, both), *self.body.constants)

    def formula(self, steps: Numbers, numbers: Numbers) -> Numbers:
        """The rates at the log's steps."""
        import numpy as np

        at = steps - self.lag
        if self.before == NONE:
            return self.body.value(np.maximum(at, 0.0), *numbers)
        length, rest = numbers[0], numbers[2 if self.before == INIT else 1 :]
        after = self.body.value(np.maximum(at - length, 0.0), *rest)
        if self.before == HELD:
            return after
        init = numbers[1] if self.before == INIT else 0.0
        peak = self.body.value(np.zeros(1), *rest)[0]
        return np.where(at < length, init + (peak - init) * (at / length), after)

    def schedule(self, numbers: Numbers) -> Schedule:
        """The schedule of rounded constants."""
        values = [
            round(number) if nature == STEPS else float(number)
            for number, (_, nature) in zip(numbers, self.constants, strict=True)
        ]
        if self.before == NONE:
            return self.body.schedule(0, *values) if self.body.late else self.body.schedule(*values)
        length = int(values[0])
        rest = values[2 if self.before == INIT else 1 :]
        body = self.body.schedule(length, *rest) if self.body.late else self.body.schedule(*rest)
        if self.before == HELD:
            return _warmed(body, length, float(rest[0]), "constant")
        return _warmed(body, length, values[1] if self.before == INIT else 0.0, "linear")

    def fixed(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Which constants are given."""
        import numpy as np

        return np.array([name in self.given for name, _ in self.constants])


def _warmed(body: Schedule, length: int, init: float, shape: str) -> Schedule:
    """The schedule after a warmup; a cooldown that it has stays where it is."""
    from msgspec.structs import replace

    warmed = replace(body, cooldown_=None).warmup(length, init_value=init, shape=shape)  # type: ignore[arg-type]
    return replace(warmed, cooldown_=body.cooldown_) if body.cooldown_ is not None else warmed


def answer(description: Description, guess: Numbers, points: Points) -> Answer | None:
    """The description with the shortest constants that give every point; None where none do."""
    import numpy as np

    few = points.thinned(_FITTED)
    free = ~description.fixed(guess)
    with np.errstate(all="ignore"):
        numbers, largest = refined(description.formula, guess, free, few)
        if largest > _ALMOST:
            return None
        rounded = _rounded(description, numbers, free, few)
    if rounded is None:
        return None
    return finished(description, rounded, points)


def finished(description: Description, numbers: Numbers, points: Points) -> Answer | None:
    """The schedule of rounded constants, if it gives every point."""
    try:
        schedule = description.schedule(numbers)
        values = schedule.values(points.steps - description.lag)
    except (ScheduleError, ValueError, OverflowError, ZeroDivisionError):
        return None
    return priced(schedule, description.lag) if points.fit(values) else None


def _rounded(description: Description, numbers: Numbers, free: NDArray[np.bool_], points: Points) -> Numbers | None:
    """Each constant in turn as the shortest number with which the others still fit; None if a length is not whole."""
    import numpy as np

    natures = [nature for _, nature in description.constants]
    order = sorted(np.flatnonzero(free), key=lambda index: (natures[index] == GROWTH, natures[index] == STEPS))
    for index in order:
        if natures[index] == GROWTH:
            numbers = _chosen_growth(description, numbers, int(index), points)
            continue
        found = _shortest(description, numbers, free, int(index), points, whole=natures[index] == STEPS)
        if found is None:
            return None
        numbers, free = found, free.copy()
        free[index] = False
    return numbers


def _shortest(
    description: Description, numbers: Numbers, free: NDArray[np.bool_], index: int, points: Points, *, whole: bool
) -> Numbers | None:
    """The constants with one of them rounded as far as the points allow."""
    value, spread = float(numbers[index]), _spread(description, numbers, free, index, points)
    others = free.copy()
    others[index] = False
    for candidate in _candidates(value, whole=whole):
        if abs(candidate - value) <= spread:
            trial = numbers.copy()
            trial[index] = candidate
            fitted, largest = refined(description.formula, trial, others, points)
            if largest <= _ALMOST:
                return fitted
    return None if whole else numbers


def _chosen_growth(description: Description, numbers: Numbers, index: int, points: Points) -> Numbers:
    """The constants with the growth that a factor of few digits gives, if the points allow one."""
    import math

    import numpy as np

    for accuracy in (1e-3, 1e-4, 1e-5, 1e-6, 1e-8):
        chosen = exponential_of(1.0, float(numbers[index]), accuracy)
        trial = numbers.copy()
        trial[index] = math.log(chosen.decay_rate) / chosen.decay_steps
        if np.abs(misfit(description.formula, trial, points)).max() <= 1:
            return trial
    return numbers


def _candidates(value: float, *, whole: bool) -> list[float]:
    """Roundings of a number, the shortest first; 0 before all."""
    rounded = dict.fromkeys(float(f"{value:.{digits - 1}e}") for digits in _DIGITS)
    if whole:
        return [0.0, *(number for number in rounded if number.is_integer()), float(round(value))]
    return [0.0, *rounded]


def _spread(description: Description, numbers: Numbers, free: NDArray[np.bool_], index: int, points: Points) -> float:
    """How far a constant may move, if the others follow, before the points no longer fit."""
    import numpy as np

    slopes = slopes_at(description.formula, numbers, free, points)
    if slopes is None:
        return float("inf")
    place = int(np.count_nonzero(free[:index]))
    own, rest = slopes[:, place], np.delete(slopes, place, axis=1)
    if rest.shape[1]:
        sizes = np.maximum(np.sqrt((rest * rest).sum(axis=0)), 1e-300)
        own = own - (rest / sizes) @ least_squares(rest / sizes, own)
    remaining = float(np.abs(misfit(description.formula, numbers, points)).max())
    alone = float(np.sqrt(own @ own))
    return 3 * (2 + remaining) * float(np.sqrt(len(points))) / alone if alone > 0 else float("inf")
