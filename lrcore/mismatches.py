"""Compares the schedule of a saved state with the configured one, and words the error if they differ.

A saved schedule is a description: the plain form of one schedule, or a list or a dict of plain forms. If it differs from
the description of the configured schedule, it is rebuilt and the values are compared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

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

_SAMPLES = "few_values"  # the key of the sample values in the description of a Python function
_MAX_CHANGES = 5  # in a message
_TOLERANCE = 1e-14  # relative, for functions whose exp or sin differs between machines, and for the past of a run


# --- descriptions: the plain form of one schedule, a list or a dict ---------------------------------------------------


def description(schedule: Any) -> Any:
    """The plain form of schedules.

    A schedule with a Python function is described by its name and sample values, and cannot be rebuilt.
    """
    if isinstance(schedule, Mapping):
        return {name: description(one) for name, one in schedule.items()}
    if isinstance(schedule, Sequence):
        return [description(one) for one in schedule]
    if isinstance(schedule, Plateau):
        # The arithmetic is always saved: a state without it is older than the option.
        options = {**_options(schedule), "arithmetic": schedule.arithmetic}
        return {**description(schedule.schedule), "plateau": options}
    try:
        return schedule.to_dict()
    except ScheduleError:
        return {
            "kind": "function",
            "python": schedule.in_full(),
            _SAMPLES: [list(pair) for pair in schedule.few_values],
        }


def _options(plateau: Plateau) -> dict[str, Any]:
    return {name: value for name, value in plateau.given().items() if name != "schedule"}


def _is_single(described: Any) -> bool:
    """Whether it describes one schedule or plateau, not a list or a dict of them."""
    return isinstance(described, dict) and "kind" in described


def match_form(configured: Any, saved: Any) -> Any:
    """Convert a saved description to the form of the configured one: a list of one schedule equals that schedule."""
    if isinstance(saved, list) and len(saved) == 1 and _is_single(configured):
        return saved[0]
    if isinstance(configured, list) and len(configured) == 1 and _is_single(saved):
        return [saved]
    if isinstance(saved, dict) and isinstance(configured, dict) and not _is_single(saved):
        return {name: match_form(configured.get(name), one) for name, one in saved.items()}
    return saved


def _entries(whole: Any) -> Mapping[str, Any] | None:
    """The entries of a list or a dict, by their names in messages; None for one schedule."""
    if isinstance(whole, Sequence) and not isinstance(whole, str):
        return {f"group {number}": one for number, one in enumerate(whole)}
    return whole if isinstance(whole, Mapping) and not _is_single(whole) else None


def _same_form(one: Any, other: Any) -> bool:
    some, others = _entries(one), _entries(other)
    if some is None or others is None:
        return some is others
    return isinstance(one, list) == isinstance(other, list) and some.keys() == others.keys()


def _form(described: Any) -> str:
    if isinstance(described, list):
        return f"a list of {len(described)}"
    if _is_single(described):
        return "a plateau" if "plateau" in described else "one schedule"
    return f"a dict of {', '.join(described)}" if isinstance(described, dict) else short(described)


def fill_arithmetic(saved: Any, configured: Any) -> Any:
    """Fill in the arithmetic of saved plateaus in place.

    A state without one is older than the option. It matches lrcore's arithmetic if that is configured, else torch's.
    """
    for one, other in zip(plateau_options(saved), plateau_options(configured), strict=False):
        one.setdefault("arithmetic", "lrcore" if other["arithmetic"] == "lrcore" else "torch")
    return saved


def carry_over_plateau(
    remembered: Any, saved: Any, described: Any, configured: Any, where: str
) -> dict[str, Any] | None:
    """The state of the saved plateau, converted for the options of the configured one."""
    plateau = _plateau_in(configured)
    if remembered is None or plateau is None or saved == described:
        return remembered  # type: ignore[no-any-return]
    return carry_over(remembered, next(iter(plateau_options(saved)), None), plateau, where)


def _plateau_in(configured: Any) -> Plateau | None:
    """The plateau among configured schedules of any form; None without one."""
    if (parts := _entries(configured)) is not None:
        return next(filter(None, map(_plateau_in, parts.values())), None)
    return configured if isinstance(configured, Plateau) else None


def plateau_options(described: Any) -> list[Any]:
    """The options of each plateau in a description."""
    if (parts := _entries(described)) is not None:
        return [options for one in parts.values() for options in plateau_options(one)]
    table = described.get("plateau") if _is_single(described) else None
    return [table] if isinstance(table, dict) else []


def _rebuilt(described: Any, where: str) -> Any:
    try:
        return from_dict(described)
    except ScheduleError as error:
        raise ScheduleError(f"{where}: schedule", str(error)) from None


def rebuild_saved(saved: Any, described: Any, configured: Any, where: str) -> Any:
    """Rebuild the saved schedules; a Python function is the configured one, which has to be the same."""
    same = _same_form(saved, described)
    if (parts := _entries(saved)) is not None:
        others, lines = (_entries(described) or {}, _entries(configured) or {}) if same else ({}, {})
        named = {name: rebuild_saved(one, others.get(name), lines.get(name), where) for name, one in parts.items()}
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
    return _is_single(described) and described["kind"] == "function"


# --- mismatches -------------------------------------------------------------------------------------------------------


class Past(Struct, frozen=True):
    """The run before a state was saved, to which the policy same_past limits the comparison.

    Attributes:
        steps: updates already made.
        reports: metrics that were reported to the plateau.
        scale: the scale of the plateau.
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
        words: the description in a message.
        step: the first step at which the values differ; None where that is not known.
        shown: whether the two are known to differ.
        in_form: whether both have the same form, so that their fields can be compared.
        keeps: whether the policy keep_checkpoint is possible.
    """

    words: str
    step: int | None = None
    shown: bool = True
    in_form: bool = True
    keeps: bool = True


def mismatches(saved: Any, described: Any, configured: Any, past: Past | None, where: str) -> Iterator[Mismatch]:
    """How the saved schedules differ from the configured ones; `described` is the description of `configured`."""
    if past is not None and past.steps == 0:
        return
    if not _same_form(saved, described):
        yield _form_mismatch(saved, described)
    elif (parts := _entries(saved)) is not None:
        others, lines = _entries(described) or {}, _entries(configured) or {}
        for name, one in parts.items():
            for mismatch in mismatches(one, others[name], lines[name], past, where):
                yield replace(mismatch, words=f"{name}: {mismatch.words}")
    elif saved != described or _is_function(saved):
        of_plateaus = list(_plateau_mismatches(saved, described, past, where))
        of_schedules = list(_schedule_mismatches(saved, described, configured, past, where))
        if of_plateaus and of_schedules:
            words = f"{of_plateaus[0].words}, and {of_schedules[0].words}"
            yield replace(of_plateaus[0], words=words, keeps=of_schedules[0].keeps)
        else:
            yield from of_plateaus or of_schedules


def _form_mismatch(saved: Any, described: Any) -> Mismatch:
    words = f"they are not of one form, for {_form(saved)} was saved and {_form(described)} is configured"
    return Mismatch(words, in_form=False)


def _schedule_mismatches(
    saved: Any, described: Any, configured: Any, past: Past | None, where: str
) -> Iterator[Mismatch]:
    """How the schedules differ, without their plateaus."""
    line = configured.schedule if isinstance(configured, Plateau) else configured
    if _is_function(saved):
        yield from _function_mismatches(saved, described, line, past)
    else:
        rebuilt = _rebuilt(saved, where)
        yield from _value_mismatches(rebuilt.schedule if isinstance(rebuilt, Plateau) else rebuilt, line, past)


def _value_mismatches(saved: Schedule, configured: Schedule, past: Past | None) -> Iterator[Mismatch]:
    # The clock of an extended run may round in the last bit.
    rtol, until = (0.0, None) if past is None else (_TOLERANCE, past.steps)
    difference = first_difference(saved, configured, rtol, until)
    if difference is None:
        return
    step, first, second = difference.step, difference.first, difference.second
    if difference.found:
        yield Mismatch(f"at step {step} it gives {first!r} and the configured one {second!r}", step)
    else:
        words = f"no difference was found below step {step}, and not all steps from there on could be compared"
        yield Mismatch(words, shown=False)


def _function_mismatches(saved: Any, described: Any, configured: Schedule, past: Past | None) -> Iterator[Mismatch]:
    """Compare Python functions by their names and sample values."""
    values = _samples(saved)
    for step, value in values:
        if past is None or step < past.steps:
            now = _described_value(configured, step, value)
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


def _samples(saved: Any) -> list[tuple[int, float]]:
    """The sample steps and values in the description of a Python function; empty if it has none."""
    pairs = saved.get(_SAMPLES)
    try:
        return [(checked_step(step), float(value)) for step, value in pairs]
    except (TypeError, ValueError):
        return []


def _described_value(schedule: Schedule, step: int, saved: float) -> str | None:
    """Describe what a schedule gives at a step; None if it is the saved value."""
    try:
        value = schedule.at(step)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything
        return f"raises {type(error).__name__}"
    return f"gives {value!r}" if abs(value - saved) > _TOLERANCE * max(abs(value), abs(saved)) else None


def _plateau_mismatches(saved: Any, described: Any, past: Past | None, where: str) -> Iterator[Mismatch]:
    """Compare plateaus.

    For the past alone, other options matter only after a report, and a removed plateau only after a reduction.
    """
    tables = [plain.get("plateau") for plain in (saved, described)]
    one, other = (table if table is None else _all_options(table, where) for table in tables)
    if one == other:
        return
    if past is None:
        yield _form_mismatch(saved, described) if None in (one, other) else Mismatch("their plateaus differ")
    elif other is None and past.scale != 1:
        yield Mismatch(
            f"the saved plateau had reduced the rate to {past.scale!r} of its schedule, and none is configured"
        )
    elif one and other and past.reports:
        yield Mismatch(f"their plateaus differ, and the saved one had been told {past.reports} metrics")


def _all_options(table: Any, where: str) -> dict[str, Any]:
    """The options of a plateau, with defaults for those left out."""
    plateau = _rebuilt({"kind": "constant", "value": 0.0, "plateau": table}, where)
    return {name: getattr(plateau, name) for name in PlateauOptions.__struct_fields__}


# --- messages ---------------------------------------------------------------------------------------------------------


def refusal(mismatches: Sequence[Mismatch], saved: Any, described: Any, step: int, past: Past | None) -> str:
    """The text of the error: the first difference, the changed fields, and the policies that would accept the state."""
    first = min(mismatches, key=lambda one: (not one.shown, math.inf if one.step is None else one.step))
    differs = "is not the configured one" if first.shown else "could not be shown to be the configured one"
    when = f" at the {step} updates already made" if past else ""
    changes = itertools.islice(changed_fields(saved, described), _MAX_CHANGES if first.in_form else 0)
    words = [one.words("saved", "configured") for one in changes]
    listed = f" ({'; '.join(words)})" if words else ""
    policies = [
        *(["same_past"] if all(one.step is not None and one.step >= step for one in mismatches) else []),
        *(["keep_checkpoint"] if all(one.keeps for one in mismatches) else []),
        "use_config",
    ]
    advice = " or ".join([", ".join(policies[:-1]), policies[-1]] if len(policies) > 1 else policies)
    kept = f"; saved.extended(at={step}, end=...) or .then keeps the past" if past else ""
    return f"the saved schedule {differs}{when}: {first.words}{listed}; set on_mismatch to {advice}{kept}"


_TABLES: dict[str, type[Record]] = {"warmup": Warmup, "cooldown": Cooldown, "plateau": PlateauOptions}


class ChangedField(NamedTuple):
    """A field in which two descriptions differ: its place, "" for the whole, and what each has there; None for nothing."""

    place: str
    first: Any
    second: Any

    def words(self, first: str, second: str) -> str:
        """The change in words.

        Args:
            first: what the first description is, behind its value.
            second: what the second one is.

        Example:
            >>> ChangedField("warmup.steps", 500, None).words("saved", "configured")
            'warmup.steps: 500 saved, none configured'
        """
        place = f"{self.place}: " if self.place else ""
        return f"{place}{_in_message(self.first)} {first}, {_in_message(self.second)} {second}"


def changed_fields(first: Any, second: Any, path: str = "", table: type[Record] = Record) -> Iterator[ChangedField]:
    """The innermost fields in which two descriptions differ; a field that is left out has its default.

    Args:
        first: a plain form, or lists and dicts of them.
        second: another.
        path: the place of both.
        table: what the fields belong to, where they are no kind's.

    Example:
        >>> one, other = ({"kind": "constant", "value": 0.1, "warmup": {"steps": steps}} for steps in (5, 10))
        >>> list(changed_fields(one, other))
        [ChangedField(place='warmup.steps', first=5, second=10)]
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        one, other = (KINDS.get(str(plain.get("kind")), table).defaults() | dict(plain) for plain in (first, second))
        for name in {**first, **second}:
            if name != _SAMPLES:
                place = f"{path}.{name}" if path else name
                yield from changed_fields(one.get(name), other.get(name), place, _TABLES.get(name, Record))
    elif isinstance(first, list) and isinstance(second, list) and len(first) == len(second):
        for number, (one, other) in enumerate(zip(first, second, strict=True)):
            yield from changed_fields(one, other, f"{path}[{number}]")
    elif first != second:
        yield ChangedField(path, first, second)


def _in_message(value: Any) -> str:
    return "none" if value is None else short(value)
