"""Random runs whose cause is known: what the figures in docs/audit.md are measured over.

A run is a schedule that was meant, and a log of what a trainer did instead. Causes are drawn in turn; the form of the
schedule, the number of points, the digits, the clock and the format of the log at random. The seeds of `TUNING` are for
work on `audit`; the figures that are published come from those of `REPORTED`, which nobody looks at while tuning.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

import lrcore
from lrcore import Schedule

Steps = NDArray[np.int64]
Values = NDArray[np.float64]
Rates = Callable[[Steps], Values]

REPORTED = range(1000)
TUNING = range(1000, 2000)
UNRELATED = "unrelated"
CAUSES = (
    "follows",
    "steps_per_update",
    "lengths",
    "per_epoch",
    "scale",
    "field",
    "shape",
    "first_value",
    "rebound",
    "plateau",
    "segments",
    UNRELATED,
)
DIGITS = ("full", "full", "full", "full", "3", "4", "5", "6", "8", "float32", "float32", "bfloat16")
FORMATS = ("arrays",) * 9 + ("csv", "json", "jsonl")


@dataclass(frozen=True)
class Run:
    """A run whose cause is known.

    Attributes:
        seed: what it was drawn from.
        cause: one of CAUSES.
        constants: what the cause changed, for people.
        form: the form of the schedule.
        schedule: the schedule that was meant.
        steps: the steps of the log.
        values: the rates of the log, rounded as it is written.
        digits: one of DIGITS.
        lag: row n shows the rate of update n - lag.
        format: one of FORMATS.
    """

    seed: int
    cause: str
    constants: dict[str, Any]
    form: str
    schedule: Schedule | lrcore.Plateau
    steps: Steps
    values: Values
    digits: str
    lag: int
    format: str

    @property
    def meant(self) -> Schedule:
        """The schedule without its plateau."""
        return self.schedule.schedule if isinstance(self.schedule, lrcore.Plateau) else self.schedule

    @property
    def updates(self) -> Steps:
        """The updates whose rates the log shows."""
        return self.steps - self.lag

    def source(self, folder: Path) -> Any:
        """What `audit` is given: two arrays, or a file that is written into a folder."""
        return (self.steps, self.values) if self.format == "arrays" else _WRITERS[self.format](self, folder)


@dataclass(frozen=True)
class _Plan:
    """What is known of a run before its cause acts: the updates that are logged, and how long the schedule is."""

    updates: Steps
    total: int
    spacing: int

    @property
    def end(self) -> int:
        """The first update after the run."""
        return int(self.updates[-1]) + 1


@dataclass(frozen=True)
class _Deed:
    """What a cause did: the rates by update, and what it changed."""

    rates: Rates
    constants: dict[str, Any] = field(default_factory=dict)
    plateau: float | None = None


def run(seed: int) -> Run:
    """The run of a seed: always the same one."""
    rng = np.random.default_rng(seed)
    cause = CAUSES[seed % len(CAUSES)]
    while True:
        plan = _plan(rng, cause)
        form = str(rng.choice([name for name in FORMS if cause != "rebound" or name in _ENDING]))
        schedule = FORMS[form](rng, plan.total)
        deed = _DEEDS[cause](rng, schedule, plan)
        if deed is not None:
            break
    lag = int(rng.integers(2))
    plan = _sessions(rng, plan, cause)
    digits = str(rng.choice(DIGITS))
    meant = schedule if deed.plateau is None else lrcore.Plateau(schedule, factor=deed.plateau)
    values = rounded(deed.rates(plan.updates), digits)
    layout = str(rng.choice(FORMATS))
    return Run(seed, cause, deed.constants, form, meant, plan.updates + lag, values, digits, lag, layout)


def rounded(values: Values, digits: str) -> Values:
    """The values as they are written: with some decimal digits, or through a narrower float."""
    if digits == "full":
        return values
    if digits == "float32":
        return _narrow(values).astype(np.float64)
    if digits == "bfloat16":
        bits = _narrow(values).view(np.uint32).astype(np.uint64)
        even = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        return even.astype(np.uint32).view(np.float32).astype(np.float64)
    return np.array([float(f"{one:.{int(digits) - 1}e}") for one in values])


def _narrow(values: Values) -> NDArray[np.float32]:
    largest = np.finfo(np.float32).max / 2  # the bits below bfloat16 may round up
    return np.clip(values, -largest, largest).astype(np.float32)


# --- plans ------------------------------------------------------------------------------------------------------------


def _plan(rng: Generator, cause: str) -> _Plan:
    points = round(math.exp(rng.uniform(math.log(10), math.log(1500))))
    spacing = int(rng.choice([1, 1, 1, 2, 5, 10, 10, 20, 50, 100]))
    first = int(rng.choice([0, 0, spacing]))
    updates = first + spacing * np.arange(points, dtype=np.int64)
    if spacing > 2 and rng.random() < 0.15:
        updates = np.unique(updates + rng.integers(0, spacing, points))
    covered = rng.uniform(1.2, 2.5) if cause == "rebound" else rng.uniform(0.5, 1.25)
    total = max(8, round((int(updates[-1]) + 1) / covered))
    if rng.random() < 0.6 and total > 100:
        total = round(total, -int(math.log10(total)) + 1)
    return _Plan(updates, total, spacing)


def _sessions(rng: Generator, plan: _Plan, cause: str) -> _Plan:
    """Some runs that follow their schedule were resumed from a checkpoint, so that their steps go back once."""
    count = len(plan.updates)
    if cause != "follows" or rng.random() > 0.2:
        return plan
    stop = int(rng.integers(count // 3, count))
    back = int(rng.integers(1, max(2, stop // 2)))
    return replace(plan, updates=np.concatenate([plan.updates[:stop], plan.updates[stop - back :]]))


# --- schedules --------------------------------------------------------------------------------------------------------


def _rate(rng: Generator) -> float:
    """A rate as people write them: one or two digits."""
    digits = int(rng.choice([1, 2, 3, 5, 6, 8])) if rng.random() < 0.6 else int(rng.integers(11, 99)) / 10
    return float(f"{digits * 10.0 ** -int(rng.integers(1, 6)):.2g}")


def _with_warmup(rng: Generator, schedule: Schedule, total: int, *, often: float = 0.75) -> Schedule:
    if rng.random() > often:
        return schedule
    steps = max(1, round(total * float(rng.choice([0.01, 0.02, 0.05, 0.1, 0.2]))))
    first = 0.0 if rng.random() < 0.7 else float(f"{schedule(0) / 10:.2g}")
    return schedule.warmup(steps, init_value=first, shape="linear" if rng.random() < 0.8 else "cosine")


def _decay(rng: Generator, make: Callable[..., Schedule], total: int, **more: Any) -> Schedule:
    """A warmup and a decay that end at `total`."""
    peak = _rate(rng)
    floor = 0.0 if rng.random() < 0.5 else float(f"{peak * float(rng.choice([0.01, 0.05, 0.1])):.2g}")
    bare = _with_warmup(rng, make(init_value=peak, end_value=floor, decay_steps=total, **more), total)
    warmup = bare.warmup_.steps if bare.warmup_ else 0
    shorter: Schedule = bare.replace(decay_steps=max(1, total - warmup))  # type: ignore[call-arg]
    return shorter


def _exponential(rng: Generator, total: int) -> Schedule:
    rate, period = float(rng.choice([0.5, 0.9, 0.96])), max(1, round(total / int(rng.integers(2, 30))))
    return _with_warmup(
        rng, lrcore.Exponential(init_value=_rate(rng), decay_rate=rate, decay_steps=float(period)), total
    )


def _inverse_sqrt(rng: Generator, total: int) -> Schedule:
    warmup = max(2, round(total * float(rng.choice([0.02, 0.05, 0.1]))))
    return lrcore.InverseTime(init_value=_rate(rng), decay_steps=float(warmup), power=0.5).warmup(warmup)


def _wsd(rng: Generator, total: int) -> Schedule:
    peak, warmup = _rate(rng), max(1, round(total * float(rng.choice([0.02, 0.05, 0.1]))))
    decay = max(1, round(total * float(rng.choice([0.1, 0.2, 0.4]))))
    floor = 0.0 if rng.random() < 0.5 else float(f"{peak / 10:.2g}")
    return lrcore.warmup_stable_decay(
        peak_value=peak,
        total_steps=max(total, warmup + decay),
        warmup_steps=warmup,
        decay_steps=decay,
        end_value=floor,
        shape=rng.choice(["linear", "1-sqrt", "cosine"]),
    )


def _restarts(rng: Generator, total: int) -> Schedule:
    peak, period = _rate(rng), max(3, total // int(rng.integers(2, 8)))
    cycle = lrcore.Cosine(init_value=peak, end_value=float(f"{peak / 20:.2g}"), decay_steps=period)
    growth, fall = (float(rng.choice([1, 1, 2])), float(rng.choice([1, 1, 0.5])))
    return _with_warmup(rng, lrcore.Repeat(cycle, length_factor=growth, value_factor=fall), total, often=0.4)


def _stairs(rng: Generator, total: int) -> Schedule:
    peak = _rate(rng)
    if rng.random() < 0.5:
        period = float(max(1, round(total / int(rng.integers(2, 12)))))
        factor = float(rng.choice([0.1, 0.3, 0.5, 0.9]))
        stairs: Schedule = lrcore.Exponential(init_value=peak, decay_rate=factor, decay_steps=period, staircase=True)
    else:
        places = sorted({max(1, round(total * one)) for one in rng.uniform(0.1, 0.95, int(rng.integers(2, 5)))})
        values = [float(f"{peak * 0.1**number:.3g}") for number in range(len(places) + 1)]
        stairs = lrcore.PiecewiseConstant(boundaries=places, values=values)
    return _with_warmup(rng, stairs, total, often=0.4)


def _every(rng: Generator, total: int) -> Schedule:
    tick = max(2, round(total / int(rng.choice([5, 10, 30, 90]))))
    epochs = max(2, total // tick)
    peak = _rate(rng)
    inner: list[Schedule] = [
        lrcore.Cosine(init_value=peak, decay_steps=epochs),
        lrcore.Linear(init_value=peak, end_value=float(f"{peak / 10:.2g}"), decay_steps=epochs),
        lrcore.Exponential(init_value=peak, decay_rate=0.9),
    ]
    return lrcore.Every(inner[int(rng.integers(3))], steps=tick)


def _one_cycle(rng: Generator, total: int) -> Schedule:
    peak = _rate(rng)
    return lrcore.one_cycle(
        init_value=float(f"{peak / 25:.3g}"),
        peak_value=peak,
        end_value=float(f"{peak / 1e4:.3g}"),
        total_steps=total,
        pct_start=float(rng.choice([0.1, 0.25, 0.3])),
        shape="cosine" if rng.random() < 0.7 else "linear",
    )


FORMS: dict[str, Callable[[Generator, int], Schedule]] = {
    "cosine": lambda rng, total: _decay(rng, lrcore.Cosine, total),
    "linear": lambda rng, total: _decay(rng, lrcore.Linear, total),
    "polynomial": lambda rng, total: _decay(rng, lrcore.Polynomial, total, power=float(rng.choice([0.5, 2, 3]))),
    "exponential": _exponential,
    "inverse square root": _inverse_sqrt,
    "WSD": _wsd,
    "restarts": _restarts,
    "stairs": _stairs,
    "every": _every,
    "one-cycle": _one_cycle,
}
_ENDING = ("cosine", "linear", "polynomial", "WSD", "one-cycle")


# --- what a cause does ------------------------------------------------------------------------------------------------


def _follows(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed:
    return _Deed(schedule.values)


def _steps_per_update(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed:
    k = int(rng.choice([2, 2, 3, 4, 6, 8, 16, 32]))
    return _Deed(lambda updates: schedule.values(updates * k), {"k": k})


def _lengths(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed:
    k = float(rng.choice([2, 2, 3, 4, 5, 8, 10, 16, 1.5, 2.5]))
    return _Deed(longer(schedule, k).values, {"k": k})


def _per_epoch(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed:
    k = max(2, round(plan.end / math.exp(rng.uniform(math.log(3), math.log(100)))))
    return _Deed(lambda updates: schedule.values(updates // k), {"k": k})


def _scale(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed:
    factor = float(rng.choice([0.01, 0.1, 0.25, 0.5, 2, 4, 8, 10, 1 / 3, math.sqrt(2)]))
    return _Deed(lambda updates: schedule.values(updates) * factor, {"factor": factor})


def _field(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed | None:
    plain = schedule.to_dict()
    counts = "warmup" in plain and isinstance(plain.get("decay_steps"), int)  # else it is a time constant
    places = [*numbers(plain), *([("total_steps",)] if counts else [])]
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    if place == ("total_steps",):  # the decay, as the warmup stays
        place, changed = ("decay_steps",), _another(rng, plain["decay_steps"])
    elif place == ("warmup", "steps") and counts and rng.random() < 0.5:  # total_steps stays
        changed = _another(rng, plain["warmup"]["steps"])
        plain["decay_steps"] = plain["decay_steps"] + plain["warmup"]["steps"] - changed
    else:
        changed = _another(rng, _at(plain, place))
    return _described(put(plain, place, changed), {"place": ".".join(map(str, place)), "value": changed})


def _another(rng: Generator, number: float) -> float:
    """Another number in the place of one: a whole one for a whole one."""
    if isinstance(number, int):
        ratio = float(rng.choice([0.1, 0.25, 0.5, 0.8, 1.1, 2, 4, 10]))
        return max(0, round(number * ratio)) if rng.random() < 0.8 else number + int(rng.integers(1, 10))
    if number == 0:
        return _rate(rng) / 10
    return float(f"{number * float(rng.choice([0.1, 0.2, 0.5, 0.9, 1.1, 2, 5])):.4g}")


def _shape(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed | None:
    """Another shape of a ramp, another form of a decay, or stairs where none were meant, and the reverse."""
    plain = schedule.to_dict()
    changes = list(_shapes(plain))
    if not changes:
        return None
    table, changed = changes[int(rng.integers(len(changes)))]
    return _described(changed, {"place": table})


def _shapes(plain: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    words = ("linear", "cosine", "1-sqrt", "1-square", "sine", "log")
    for name in ("warmup", "cooldown"):
        for word in words:
            if name in plain and plain[name].get("shape", "linear") != word:
                yield f"{name}.shape", {**plain, name: {**plain[name], "shape": word}}
    if plain["kind"] == "interpolate":
        for word in ("linear", "cosine", "1-sqrt"):
            if plain.get("shape", "linear") != word:
                yield "shape", {**plain, "shape": word}
    if plain["kind"] in ("cosine", "linear", "polynomial"):
        bare = {name: value for name, value in plain.items() if name not in ("power", "exponent")}
        for kind, more in (("cosine", {}), ("linear", {}), ("polynomial", {"power": 2.0})):
            if kind != plain["kind"]:
                yield "kind", {**bare, "kind": kind, **more}
    if plain["kind"] == "exponential":
        yield "staircase", {**plain, "staircase": not plain.get("staircase", False)}
    if isinstance(plain.get("schedule"), dict):
        for place, inner in _shapes(plain["schedule"]):
            yield f"schedule.{place}", {**plain, "schedule": inner}


def _first_value(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed | None:
    first = int(plan.updates[0])
    other = float(rng.choice([0.0, schedule(first) * 0.1, schedule(first) + _rate(rng), 10 * schedule(first)]))
    if other == schedule(first):
        return None
    return _Deed(lambda updates: np.where(updates == first, other, schedule.values(updates)), {"value": other})


def _rebound(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed | None:
    end, warmup = schedule.length or 0, schedule.warmup_.steps if schedule.warmup_ else 0
    period = end - warmup
    if period < 2:
        return None
    how = str(rng.choice(["mirror", "mirror", "restart"]))

    def rates(updates: Steps) -> Values:
        past = np.maximum(updates - warmup, 0)
        inside = past % (2 * period)
        swung = np.minimum(inside, 2 * period - inside) if how == "mirror" else past % period
        return schedule.values(np.where(updates < end, updates, warmup + swung))

    return _Deed(rates, {"how": how})


def _plateau(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed:
    factor = float(rng.choice([0.1, 0.2, 0.5, 0.9, 0.3]))
    count = int(rng.integers(1, 5))
    inside = np.arange(plan.end // 10, max(plan.end // 10 + count, plan.end * 9 // 10))
    places = np.sort(rng.choice(inside, count, replace=False))

    def rates(updates: Steps) -> Values:
        falls = np.searchsorted(places, updates, side="right").astype(np.float64)
        return schedule.values(updates) * factor**falls

    meant = factor if rng.random() < 0.4 else None
    return _Deed(rates, {"factor": factor, "places": places.tolist()}, meant)


def _segments(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed | None:
    """A run that was broken off: its clock lost, moved ahead or back, or the schedule planned for another end."""
    how = str(rng.choice(["lost", "lost", "skipped", "repeated", "horizon", "twice"]))
    first, second = sorted(int(one) for one in rng.integers(plan.end // 5, max(plan.end * 9 // 10, 2), 2))
    if how == "horizon":
        plain = schedule.to_dict()
        if "decay_steps" not in plain or not isinstance(plain["decay_steps"], int):
            return None
        plain["decay_steps"] = _another(rng, plain["decay_steps"])
        later = lrcore.from_dict(plain)
        assert isinstance(later, Schedule)
        return _Deed(lambda updates: np.where(updates < first, schedule.values(updates), later.values(updates)))
    by = int(rng.integers(1, max(2, first)))
    moves = {
        "lost": [(first, -first)],
        "skipped": [(first, by)],
        "repeated": [(first, -by)],
        "twice": [(first, -first), (second, -second)],
    }[how]

    def rates(updates: Steps) -> Values:
        clock = updates.copy()
        for place, move in moves:
            clock = np.where(updates >= place, updates + move, clock)
        return schedule.values(clock)

    return _Deed(rates, {"how": how, "moves": moves})


def _unrelated(rng: Generator, schedule: Schedule, plan: _Plan) -> _Deed:
    how = str(rng.choice(["walk", "waves", "noise", "another", "falling", "disturbed"]))
    x, peak = plan.updates / plan.end, _rate(rng)
    if how == "another":
        other = FORMS[str(rng.choice(list(FORMS)))](rng, max(8, round(plan.total * rng.uniform(0.3, 3))))
        return _Deed(other.values, {"how": how})
    drawn: dict[str, Callable[[], Values]] = {
        "walk": lambda: peak * np.exp(np.cumsum(rng.normal(0, 0.1, len(x)), dtype=np.float64)),
        "waves": lambda: peak * (2 + np.sin(rng.uniform(2, 20) * x + rng.uniform(0, 6)) - rng.uniform(0, 1) * x),
        "noise": lambda: peak * rng.uniform(0.5, 1.5, len(x)),
        "falling": lambda: np.multiply(peak, np.exp(-rng.uniform(0.5, 4) * x ** rng.uniform(0.5, 2))),
        "disturbed": lambda: schedule.values(plan.updates) * (1 + rng.normal(0, 0.05, len(x))) + 1e-3 * peak,
    }
    values = drawn[how]()
    return _Deed(lambda updates: values, {"how": how})


_DEEDS: dict[str, Callable[[Generator, Schedule, _Plan], _Deed | None]] = {
    "follows": _follows,
    "steps_per_update": _steps_per_update,
    "lengths": _lengths,
    "per_epoch": _per_epoch,
    "scale": _scale,
    "field": _field,
    "shape": _shape,
    "first_value": _first_value,
    "rebound": _rebound,
    "plateau": _plateau,
    "segments": _segments,
    UNRELATED: _unrelated,
}


# --- descriptions -----------------------------------------------------------------------------------------------------

LENGTHS = ("decay_steps", "steps", "start", "boundaries", "period", "midpoint")


def numbers(plain: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of the numbers in a description."""
    if isinstance(plain, (dict, list)):
        for name, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from numbers(value, (*place, name))
    elif isinstance(plain, (int, float)) and not isinstance(plain, bool):
        yield place


def put(plain: Any, place: tuple[Any, ...], value: Any) -> Any:
    """A copy of a description with another value in one place."""
    changed = json.loads(json.dumps(plain))
    holder = changed
    for name in place[:-1]:
        holder = holder[name]
    holder[place[-1]] = value
    return changed


def _at(plain: Any, place: tuple[Any, ...]) -> Any:
    for name in place:
        plain = plain[name]
    return plain


def longer(schedule: Schedule, k: float) -> Schedule:
    """The schedule with all its lengths k times as long; what ticks inside an `every` keeps its ticks."""
    plain = schedule.to_dict()
    for place in list(numbers(plain)):
        name = place[-1] if isinstance(place[-1], str) else place[-2]
        if name in LENGTHS and not (plain["kind"] == "every" and place[0] == "schedule"):
            number = _at(plain, place)
            plain = put(plain, place, math.floor(number * k + 0.5) if isinstance(number, int) else number * k)
    changed = lrcore.from_dict(plain)
    assert isinstance(changed, Schedule)
    return changed


def _described(plain: dict[str, Any], constants: dict[str, Any]) -> _Deed | None:
    try:
        changed = lrcore.from_dict(plain)
    except lrcore.ScheduleError:
        return None
    assert isinstance(changed, Schedule)
    return _Deed(changed.values, constants)


# --- files ------------------------------------------------------------------------------------------------------------


def _csv(run: Run, folder: Path) -> Path:
    path = folder / f"{run.seed}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Wall time", "Step", "Value"])
        writer.writerows([1.7e9 + row, step, value] for row, (step, value) in enumerate(_rows(run)))
    return path


def _json(run: Run, folder: Path) -> Path:
    path = folder / f"{run.seed}.json"
    history = [{"step": step, "loss": 1.0, "learning_rate": value} for step, value in _rows(run)]
    path.write_text(json.dumps({"global_step": int(run.steps[-1]), "log_history": history}), encoding="utf-8")
    return path


def _jsonl(run: Run, folder: Path) -> Path:
    path = folder / f"{run.seed}.jsonl"
    lines = [json.dumps({"step": step, "lr": value}) for step, value in _rows(run)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _rows(run: Run) -> list[tuple[int, float]]:
    return list(zip(run.steps.tolist(), run.values.tolist(), strict=True))


_WRITERS: dict[str, Callable[[Run, Path], Path]] = {"csv": _csv, "json": _json, "jsonl": _jsonl}
