"""The numbers and shapes of a description, and the schedule with another one in the place of one of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from lrcore.errors import ScheduleError
from lrcore.files.lengths import _lengths_of, _lengths_of_kind
from lrcore.files.placement import BESIDE
from lrcore.files.reader import from_dict
from lrcore.records import annotations_of
from lrcore.schedules.kinds import KINDS, Constant, Join
from lrcore.schedules.schedule import Schedule

_KEPT = 4  # schedules whose changed forms are remembered
_LEAST_GROWTH = 1.05  # cycles that grow more slowly are too many to lay out

Plain = dict[str, Any]
Path = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Family:
    """The schedules that differ from the one that was meant in one number.

    Attributes:
        place: the number's place, in the words of a file.
        was: the number that was meant.
        whole: whether it is a whole number.
        length: whether it is a length or a place in time.
        make: the schedule with another number; None where there is none.
        also: the same in other words: the place, and what to add to the number.
        least: the smallest number there is.
    """

    place: str
    was: float
    whole: bool
    length: bool
    make: Callable[[float], Schedule | None]
    also: tuple[str, float] | None = None
    least: float = 0.0


def built(plain: Plain) -> Schedule | None:
    """The schedule of a description; None where it describes none."""
    try:
        schedule = from_dict(plain)
    except (ScheduleError, OverflowError):
        return None
    return schedule if isinstance(schedule, Schedule) else None


def described(schedule: Schedule) -> Plain | None:
    """The description of a schedule, in full; None where a Python function is inside, which has none."""
    try:
        return full(schedule.to_dict())
    except ScheduleError:
        return None


def put(plain: Any, path: Path, value: Any) -> Any:
    """A copy of a description with another value in one place."""
    if not path:
        return value
    name, *rest = path
    if isinstance(plain, Mapping):
        return {**plain, name: put(plain.get(name), tuple(rest), value)}
    return [put(one, tuple(rest), value) if number == name else one for number, one in enumerate(plain)]


def at(plain: Any, path: Path) -> Any:
    """The value in one place of a description."""
    for name in path:
        plain = plain[name]
    return plain


def written(path: Path) -> str:
    """A place as errors and overrides write it."""
    text = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)
    return text.removeprefix(".")


@lru_cache(maxsize=_KEPT)
def families(schedule: Schedule) -> tuple[Family, ...]:
    """One family for each number of the description, and for each length that several numbers state together."""
    if (plain := described(schedule)) is None:
        return ()
    together = (*_together(plain), *_stretched(plain, _end(schedule)), *_one_cycle(plain))
    stated = [tuple(one.also[0].split(".")) for one in together if one.place == "total_steps" and one.also]
    return (*together, *(_family(plain, path) for path in numbers(plain) if path not in stated))


def _family(plain: Plain, path: Path) -> Family:
    number = at(plain, path)
    whole = isinstance(number, int)

    @cache  # both clocks of a log ask for the same schedules
    def make(value: float) -> Schedule | None:
        if path[-1] == "length_factor" and 1 < value < _LEAST_GROWTH:
            return None
        return built(put(plain, path, round(value) if whole else float(value)))

    return Family(written(path), number, whole, _is_length(path), make)


def _together(plain: Plain) -> Iterator[Family]:
    """The lengths that a file states as `total_steps`, and ramps within a total that stays."""
    warmup, cooldown, decay = plain.get("warmup"), plain.get("cooldown"), plain.get("decay_steps")
    counts = isinstance(decay, int)
    outside = (warmup or {}).get("steps", 0) + (cooldown or {}).get("steps", 0)
    if counts and outside and (cooldown or {}).get("start") is None:

        @cache
        def total(value: float) -> Schedule | None:
            return built({**plain, "decay_steps": round(value) - outside}) if value >= outside else None

        yield Family("total_steps", decay + outside, True, True, total, ("decay_steps", -outside), outside)
    if counts and warmup:
        kept = decay + warmup["steps"]

        @cache
        def rise(value: float) -> Schedule | None:
            ramp = {**warmup, "steps": round(value)}
            return built({**plain, "warmup": ramp, "decay_steps": kept - round(value)}) if value <= kept else None

        yield Family("warmup.steps", warmup["steps"], True, True, rise, ("decay_steps", -kept))
    if cooldown and cooldown.get("start") is not None:
        end = cooldown["start"] + cooldown["steps"]

        @cache
        def fall(value: float) -> Schedule | None:
            ramp = {**cooldown, "steps": round(value), "start": end - round(value)}
            return built({**plain, "cooldown": ramp}) if value <= end else None

        @cache
        def moved(value: float) -> Schedule | None:
            return built(put(plain, ("cooldown", "start"), round(value) - cooldown["steps"]))

        yield Family("total_steps", end, True, True, moved, ("cooldown.start", -cooldown["steps"]), cooldown["steps"])
        yield Family("cooldown.steps", cooldown["steps"], True, True, fall, ("cooldown.start", -end))


def _end(schedule: Schedule) -> int | None:
    """The update from which the rate stands still; of a `join`, the last boundary, if a constant follows it."""
    if isinstance(schedule, Join) and schedule.boundaries and isinstance(schedule.schedules[-1], Constant):
        return schedule.boundaries[-1] + (schedule.warmup_.steps if schedule.warmup_ else 0)
    return schedule.length


def _stretched(plain: Plain, length: int | None) -> Iterator[Family]:
    """The total of a schedule whose parts share it, as restarts do: its body is as much longer, beside the same warmup."""
    warmup = plain.get("warmup")
    if length is None or warmup is None or "decay_steps" in plain or "cooldown" in plain or length <= warmup["steps"]:
        return
    rise = warmup["steps"]
    body = {name: value for name, value in plain.items() if name != "warmup"}

    def fill(total: float, steps: float) -> Schedule | None:
        if total <= steps:
            return None
        stretched = _longer(body, (total - steps) / (length - rise))
        return built({**stretched, "warmup": {**warmup, "steps": round(steps)}})

    @cache
    def ends(value: float) -> Schedule | None:
        return fill(value, rise)

    @cache
    def rises(value: float) -> Schedule | None:
        return fill(length, value)

    yield Family("total_steps", length, True, True, ends, None, rise + 1)
    yield Family("warmup.steps", rise, True, True, rises, ("total_steps", 0))


def _one_cycle(plain: Plain) -> Iterator[Family]:
    """The total of a one-cycle, whose phases end an update before their share of it."""
    knots = plain.get("boundaries")
    if plain["kind"] != "interpolate" or not isinstance(knots, list) or len(knots) < 3 or knots[0] != 0:
        return
    total = knots[-1] + 1
    if not float(total).is_integer() or total < 2:
        return

    @cache
    def ends(value: float) -> Schedule | None:
        phases = [(one + 1) / total * value - 1 for one in knots[1:-1]]
        return built({**plain, "boundaries": [0.0, *phases, value - 1]}) if value >= 2 and min(phases) >= 0 else None

    yield Family("total_steps", int(total), True, True, ends, None, 2)


def numbers(plain: Any, path: Path = ()) -> Iterator[Path]:
    """The places of the numbers in a description."""
    if isinstance(plain, (dict, list)):
        for name, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
            yield from numbers(value, (*path, name))
    elif isinstance(plain, (int, float)) and not isinstance(plain, bool):
        yield path


def full(plain: Plain) -> Plain:
    """A description with the numbers that have defaults written out, so that they can be changed."""
    kind = KINDS[plain["kind"]]
    filled = {name: value for name, value in kind.defaults().items() if _is_number(value)} | plain
    for name in ("warmup", "cooldown"):
        if name in filled:
            filled[name] = {n: v for n, v in BESIDE[name].defaults().items() if _is_number(v)} | filled[name]  # type: ignore[attr-defined]
    if isinstance(filled.get("schedule"), dict):
        filled["schedule"] = full(filled["schedule"])
    if isinstance(filled.get("schedules"), list):
        filled["schedules"] = [full(one) for one in filled["schedules"]]
    return filled


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_LENGTHS = {name for kind in KINDS for name in _lengths_of_kind(kind)} | {"steps", "start"}


def _is_length(path: Path) -> bool:
    name = next(one for one in reversed(path) if isinstance(one, str))
    return name in _LENGTHS


@lru_cache(maxsize=512)
def longer(schedule: Schedule, k: float) -> Schedule | None:
    """The schedule with all its lengths k times as long: those on the clock of the run, not ticks inside an `every`."""
    plain = described(schedule)
    return None if plain is None else built(_longer(plain, k))


def _longer(plain: Plain, k: float) -> Plain:
    changed = dict(plain)
    for name in _lengths_of_kind(plain["kind"]):
        if name in plain and plain[name] is not None and not (plain["kind"] == "clock" and name == "times"):
            changed[name] = _times(plain[name], k)
    for name in ("warmup", "cooldown"):
        if name in plain:
            names = _lengths_of(BESIDE[name])
            changed[name] = {
                one: _times(value, k) if one in names and value is not None else value
                for one, value in plain[name].items()
            }
    if plain["kind"] not in ("every", "clock"):
        if isinstance(plain.get("schedule"), dict):
            changed["schedule"] = _longer(plain["schedule"], k)
        if isinstance(plain.get("schedules"), list):
            changed["schedules"] = [_longer(one, k) for one in plain["schedules"]]
    return changed


def _times(number: Any, k: float) -> Any:
    if isinstance(number, list):
        return [_times(one, k) for one in number]
    return math.floor(number * k + 0.5) if isinstance(number, int) else number * k


# --- shapes -----------------------------------------------------------------------------------------------------------

_SHAPES = ("linear", "cosine", "constant", "1-sqrt", "1-square", "sine", "log", "exponential")
_POWERS = (2.0, 3.0, 0.5)
_DECAYS: dict[str, tuple[str, Plain]] = {
    "linear": ("linear", {}),
    "cosine": ("cosine", {}),
    "polynomial, power 2": ("polynomial", {"power": 2.0}),
    "polynomial, power 3": ("polynomial", {"power": 3.0}),
    "polynomial, power 0.5": ("polynomial", {"power": 0.5}),
}
_FLAGS = ("staircase", "mirror")


@dataclass(frozen=True, eq=False)
class Reshaped:
    """A schedule with another shape.

    Attributes:
        what: what has another shape, in words.
        place: its place in the file.
        was: the shape that was meant.
        now: the other one.
        schedule: the schedule that has it.
    """

    what: str
    place: str
    was: str
    now: str
    schedule: Schedule


@lru_cache(maxsize=_KEPT)
def reshaped(schedule: Schedule) -> tuple[Reshaped, ...]:
    """The schedule with each other shape of a ramp, form of its decay, and with its flags the other way round."""
    if (plain := described(schedule)) is None:
        return ()
    changes = ((what, place, was, now, built(changed)) for what, place, was, now, changed in _reshaped(plain, ""))
    return tuple(
        Reshaped(what, place, was, now, changed) for what, place, was, now, changed in changes if changed is not None
    )


_Change = tuple[str, str, str, str, Plain]


def _reshaped(plain: Plain, path: str) -> Iterator[_Change]:
    for name in ("warmup", "cooldown"):
        if name in plain:
            for was, now, table in _ramps(plain[name]):
                yield name, f"{path}{name}.shape", was, now, {**plain, name: table}
            if name == "warmup":
                was = str(plain[name].get("shape", "linear"))
                for table in _warmups_of_deepspeed(plain):
                    yield name, f"{path}{name}.shape", was, "log", table
    if "shape" in annotations_of(KINDS[plain["kind"]]):
        for was, now, table in _ramps(plain):
            yield "way between its knots", f"{path}shape", was, now, table
    yield from _decays(plain, path)
    for name in _FLAGS:
        if name in annotations_of(KINDS[plain["kind"]]):
            on = bool(plain.get(name, False))
            yield name, f"{path}{name}", str(on).lower(), str(not on).lower(), {**plain, name: not on}
    if isinstance(plain.get("schedule"), dict):
        for what, place, was_, now, inner in _reshaped(plain["schedule"], f"{path}schedule."):
            yield what, place, was_, now, {**plain, "schedule": inner}
    for number, one in enumerate(plain.get("schedules", ())):
        for what, place, was_, now, inner in _reshaped(one, f"{path}schedules[{number}]."):
            yield what, place, was_, now, put(plain, ("schedules", number), inner)


def _warmups_of_deepspeed(plain: Plain) -> Iterator[Plain]:
    """Warmups of the shape log that reach the top one update early: what follows is then early too, or comes as planned."""
    steps = plain["warmup"]["steps"]
    early = {**_bare(plain["warmup"]), "shape": "log", "steps": max(1, steps - 1)}
    yield {**plain, "warmup": early}
    body = {name: value for name, value in plain.items() if name != "warmup"}
    after = built(body)
    if after is not None and "cooldown" not in plain and steps > 1:
        held = {"kind": "constant", "value": after(0), "warmup": early}
        yield {"kind": "join", "boundaries": [steps], "schedules": [held, body]}


def _bare(table: Plain) -> Plain:
    return {name: value for name, value in table.items() if name not in ("shape", "power")}


def _ramps(table: Plain) -> Iterator[tuple[str, str, Plain]]:
    was = str(table.get("shape", "linear"))
    for shape in _SHAPES:
        if shape != was:
            yield was, shape, {**_bare(table), "shape": shape}
    for power in _POWERS:
        if power != table.get("power"):
            yield was, f"power, power {power:g}", {**_bare(table), "shape": "power", "power": power}


def _decays(plain: Plain, path: str) -> Iterator[_Change]:
    if plain["kind"] not in ("linear", "cosine", "polynomial"):
        return
    bare = {name: value for name, value in plain.items() if name not in ("power", "exponent")}
    for now, (kind, more) in _DECAYS.items():
        if kind != plain["kind"]:
            yield "decay", f"{path}kind", plain["kind"], now, {**bare, "kind": kind, **more}
