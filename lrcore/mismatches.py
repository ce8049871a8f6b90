"""How the schedule of a saved state differs from the configured one, and what an error says of it.

The saved one is a description: the plain form of one schedule, or a list or a dict of such. It is compared with the
description of the configured one, and built again where that does not decide.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from lrcore.compare import first_difference
from lrcore.errors import ScheduleError
from lrcore.files.reader import from_dict
from lrcore.records import Record, short
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import Plateau, PlateauOptions, PlateauState, carry_over
from lrcore.schedules.schedule import Cooldown, Schedule, Warmup
from lrcore.schedules.steps import checked_step

_VALUES = "few_values"  # of a Python function, in its description
_CHANGES = 5  # that a message lists at most
_ROUNDING = 1e-14  # by which a function's values may differ between machines, of whose exp or sin it is made


# --- descriptions: the plain form of one schedule, a list or a dict ---------------------------------------------------


def description(schedule: Any) -> Any:
    """The plain form; what holds a Python function is described by its name and a few values, which cannot be rebuilt."""
    if isinstance(schedule, Mapping):
        return {name: description(one) for name, one in schedule.items()}
    if isinstance(schedule, Sequence):
        return [description(one) for one in schedule]
    if isinstance(schedule, Plateau):
        # The arithmetic stands in every state, so that one that was saved before there was a choice is known.
        options = {**_options(schedule), "arithmetic": schedule.arithmetic}
        return {**description(schedule.schedule), "plateau": options}
    try:
        return schedule.to_dict()
    except ScheduleError:
        return {"kind": "function", "python": schedule.in_full(), _VALUES: [list(pair) for pair in schedule.few_values]}


def _options(plateau: Plateau) -> dict[str, Any]:
    return {name: value for name, value in plateau.given().items() if name != "schedule"}


def _is_one(described: Any) -> bool:
    """Whether it describes one schedule or plateau, and no list or dict of them."""
    return isinstance(described, dict) and "kind" in described


def in_form_of(configured: Any, saved: Any) -> Any:
    """A saved description in the form of the configured one: a list of one schedule is that schedule."""
    if isinstance(saved, list) and len(saved) == 1 and _is_one(configured):
        return saved[0]
    if isinstance(configured, list) and len(configured) == 1 and _is_one(saved):
        return [saved]
    if isinstance(saved, dict) and isinstance(configured, dict) and not _is_one(saved):
        return {name: in_form_of(configured.get(name), one) for name, one in saved.items()}
    return saved


def _parts(whole: Any) -> Mapping[str, Any] | None:
    """What is in a list or a dict, by the names that messages give it; None for one schedule."""
    if isinstance(whole, Sequence) and not isinstance(whole, str):
        return {f"group {number}": one for number, one in enumerate(whole)}
    return whole if isinstance(whole, Mapping) and not _is_one(whole) else None


def _same_form(one: Any, other: Any) -> bool:
    some, others = _parts(one), _parts(other)
    if some is None or others is None:
        return some is others
    return isinstance(one, list) == isinstance(other, list) and some.keys() == others.keys()


def _form(described: Any) -> str:
    if isinstance(described, list):
        return f"a list of {len(described)}"
    if _is_one(described):
        return "a plateau" if "plateau" in described else "one schedule"
    return f"a dict of {', '.join(described)}" if isinstance(described, dict) else short(described)


def with_arithmetic(saved: Any, configured: Any) -> Any:
    """A saved description, changed in place: one that names no arithmetic is older than lrcore's own and loads into either."""
    for one, other in zip(plateaus(saved), plateaus(configured), strict=False):
        one.setdefault("arithmetic", "lrcore" if other["arithmetic"] == "lrcore" else "torch")
    return saved


def carried_over(remembered: Any, saved: Any, described: Any, configured: Any, where: str) -> dict[str, Any] | None:
    """What the configured plateau takes over of the state of a saved one."""
    plateau = _plateau_in(configured)
    if remembered is None or plateau is None or saved == described:
        return remembered  # type: ignore[no-any-return]
    return carry_over(remembered, next(iter(plateaus(saved)), None), plateau, where)


def _plateau_in(configured: Any) -> Plateau | None:
    """The one plateau among schedules of any form."""
    if (parts := _parts(configured)) is not None:
        return next(filter(None, map(_plateau_in, parts.values())), None)
    return configured if isinstance(configured, Plateau) else None


def plateaus(described: Any) -> list[Any]:
    """The options of each plateau."""
    if (parts := _parts(described)) is not None:
        return [options for one in parts.values() for options in plateaus(one)]
    table = described.get("plateau") if _is_one(described) else None
    return [table] if isinstance(table, dict) else []


def _rebuilt(described: Any, where: str) -> Any:
    try:
        return from_dict(described)
    except ScheduleError as error:
        raise ScheduleError(f"{where}: schedule", str(error)) from None


def kept(saved: Any, described: Any, configured: Any, where: str) -> Any:
    """The saved schedules; a Python function only where the configured one is the same."""
    same = _same_form(saved, described)
    if (parts := _parts(saved)) is not None:
        others, lines = (_parts(described) or {}, _parts(configured) or {}) if same else ({}, {})
        named = {name: kept(one, others.get(name), lines.get(name), where) for name, one in parts.items()}
        return list(named.values()) if isinstance(saved, list) else named
    if not _is_function(saved):
        return _rebuilt(saved, where)
    if described is None or not same or any(mismatches(saved, described, configured, None, where)):
        function = short(saved.get("python"))
        raise ScheduleError(
            where, f"a Python function cannot be kept from a checkpoint; got {function}; use use_config"
        )
    return configured


def _is_function(described: Any) -> bool:
    return _is_one(described) and described["kind"] == "function"


# --- mismatches -------------------------------------------------------------------------------------------------------


class Past(Struct, frozen=True):
    """What was done before a state was saved: the policy same_past compares that alone.

    Attributes:
        steps: updates already made.
        reports: metrics that a plateau was told.
        scale: what it had come to multiply the schedule by.
    """

    steps: int
    reports: int = 0
    scale: float = 1.0


def past_of(step: int, plateau: Any, where: str) -> Past:
    """The past of a state, from its step and the plain form of a plateau's state."""
    if plateau is None:
        return Past(step)
    state = PlateauState.from_dict(plateau, where)
    return Past(step, state.reports, state.scale)


class Mismatch(Struct, frozen=True):
    """One way in which the saved schedule is not the configured one, or is not shown to be.

    Attributes:
        words: what a message says.
        step: the first step at which the values differ; None where that is not known.
        shown: whether the two are known to differ.
        in_form: whether both are of one form, so that their fields can be compared.
        keeps: whether the saved one could be kept.
    """

    words: str
    step: int | None = None
    shown: bool = True
    in_form: bool = True
    keeps: bool = True


def mismatches(saved: Any, described: Any, configured: Any, past: Past | None, where: str) -> Iterator[Mismatch]:
    """How the saved schedules differ from the configured ones, of which `described` is the description."""
    if past is not None and past.steps == 0:
        return
    if not _same_form(saved, described):
        yield _of_forms(saved, described)
    elif (parts := _parts(saved)) is not None:
        others, lines = _parts(described) or {}, _parts(configured) or {}
        for name, one in parts.items():
            for mismatch in mismatches(one, others[name], lines[name], past, where):
                yield replace(mismatch, words=f"{name}: {mismatch.words}")
    elif saved != described or _is_function(saved):
        judging = list(_of_plateaus(saved, described, past, where))
        rates = list(_of_rates(saved, described, configured, past, where))
        if judging and rates:
            words = f"{judging[0].words}, and {rates[0].words}"
            yield replace(judging[0], words=words, keeps=rates[0].keeps)
        else:
            yield from judging or rates


def _of_forms(saved: Any, described: Any) -> Mismatch:
    words = f"they are not of one form, for {_form(saved)} was saved and {_form(described)} is configured"
    return Mismatch(words, in_form=False)


def _of_rates(saved: Any, described: Any, configured: Any, past: Past | None, where: str) -> Iterator[Mismatch]:
    """How the schedules themselves differ, plateaus aside."""
    line = configured.schedule if isinstance(configured, Plateau) else configured
    if _is_function(saved):
        yield from _of_functions(saved, described, line, past)
    else:
        rebuilt = _rebuilt(saved, where)
        yield from _of_schedules(rebuilt.schedule if isinstance(rebuilt, Plateau) else rebuilt, line, past)


def _of_schedules(saved: Schedule, configured: Schedule, past: Past | None) -> Iterator[Mismatch]:
    difference = first_difference(saved, configured, until=None if past is None else past.steps)
    if difference is None:
        return
    step, first, second = difference.step, difference.first, difference.second
    if difference.found:
        yield Mismatch(f"at step {step} it gives {first!r} and the configured one {second!r}", step)
    else:
        words = f"no difference was found below step {step}, and not all steps from there on could be compared"
        yield Mismatch(words, shown=False)


def _of_functions(saved: Any, described: Any, configured: Schedule, past: Past | None) -> Iterator[Mismatch]:
    """A Python function is known by its name and a few values."""
    values = _few_values(saved)
    for step, value in values:
        if past is None or step < past.steps:
            now = _gives(configured, step, value)
            if now is not None:
                words = f"at step {step}, the first of its few saved values that differs, it gave {value!r}"
                yield Mismatch(f"{words} and the configured one {now}", step, keeps=False)
                return
    if not values:
        words = "of its Python function the state has the name and no values, as earlier versions of lrcore wrote it"
    elif "python" not in described:
        words = "a Python function was saved, of which a few values say too little, and none is configured"
    elif saved["python"] != described["python"]:
        words = "a Python function is known by its name and a few values, and the name is another one"
    else:
        return
    yield Mismatch(words, shown=False, keeps=False)


def _few_values(saved: Any) -> list[tuple[int, float]]:
    """The steps and values in the description of a Python function; none where it holds anything else."""
    pairs = saved.get(_VALUES)
    try:
        return [(checked_step(step), float(value)) for step, value in pairs]
    except (TypeError, ValueError):
        return []


def _gives(schedule: Schedule, step: int, saved: float) -> str | None:
    """What a schedule does at a step, in words; None where it gives the saved value."""
    try:
        value = schedule.at(step)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        return f"raises {type(error).__name__}"
    return f"gives {value!r}" if abs(value - saved) > _ROUNDING * max(abs(value), abs(saved)) else None


def _of_plateaus(saved: Any, described: Any, past: Past | None, where: str) -> Iterator[Mismatch]:
    """Other options mean another past once a metric was reported; no plateau means one if it has reduced the rate."""
    tables = [plain.get("plateau") for plain in (saved, described)]
    one, other = (table if table is None else _all_options(table, where) for table in tables)
    if one == other:
        return
    if past is None:
        yield _of_forms(saved, described) if None in (one, other) else Mismatch("their plateaus differ")
    elif other is None and past.scale != 1:
        yield Mismatch(
            f"the saved plateau had reduced the rate to {past.scale!r} of its schedule, and none is configured"
        )
    elif one and other and past.reports:
        yield Mismatch(f"their plateaus differ, and the saved one had been told {past.reports} metrics")


def _all_options(table: Any, where: str) -> dict[str, Any]:
    """The options of a plateau with the defaults of those that are left out."""
    plateau = _rebuilt({"kind": "constant", "value": 0.0, "plateau": table}, where)
    return {name: getattr(plateau, name) for name in PlateauOptions.__struct_fields__}


# --- words ------------------------------------------------------------------------------------------------------------


def refusal(mismatches: Sequence[Mismatch], saved: Any, described: Any, step: int, past: Past | None) -> str:
    """What differs first, the fields that changed, and the policies that would go on."""
    first = min(mismatches, key=lambda one: (not one.shown, math.inf if one.step is None else one.step))
    differs = "is not the configured one" if first.shown else "could not be shown to be the configured one"
    when = f" at the {step} updates already made" if past else ""
    changes = list(itertools.islice(_changes(saved, described, ""), _CHANGES)) if first.in_form else []
    listed = f" ({'; '.join(changes)})" if changes else ""
    policies = [
        *(["same_past"] if all(one.step is not None and one.step >= step for one in mismatches) else []),
        *(["keep_checkpoint"] if all(one.keeps for one in mismatches) else []),
        "use_config",
    ]
    advice = " or ".join([", ".join(policies[:-1]), policies[-1]] if len(policies) > 1 else policies)
    return f"the saved schedule {differs}{when}: {first.words}{listed}; set on_mismatch to {advice}"


_TABLES: dict[str, type[Record]] = {"warmup": Warmup, "cooldown": Cooldown, "plateau": PlateauOptions}


def _changes(saved: Any, configured: Any, path: str, table: type[Record] = Record) -> Iterator[str]:
    """The fields that differ, innermost first; one that is left out has its default."""
    if isinstance(saved, dict) and isinstance(configured, dict):
        one, other = (KINDS.get(str(plain.get("kind")), table).defaults() | plain for plain in (saved, configured))
        for name in saved | configured:
            if name != _VALUES:
                place = f"{path}.{name}" if path else name
                yield from _changes(one.get(name), other.get(name), place, _TABLES.get(name, Record))
    elif isinstance(saved, list) and isinstance(configured, list) and len(saved) == len(configured):
        for number, (one, other) in enumerate(zip(saved, configured, strict=True)):
            yield from _changes(one, other, f"{path}[{number}]")
    elif saved != configured:
        yield f"{path + ': ' if path else ''}{_saved(saved)} saved, {_saved(configured)} configured"


def _saved(value: Any) -> str:
    return "none" if value is None else short(value)
