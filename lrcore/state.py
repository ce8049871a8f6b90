"""What a checkpoint holds, the same in every framework, and what happens when it does not fit the configuration.

A state is a fixed set of plain keys: the version of the format, the step, the schedule as one JSON text, and the state of
a plateau as one JSON text. It goes through `torch.load(weights_only=True)`, JSON, pickle and the distributed
checkpointers, and every adapter reads what another wrote.
"""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import ScheduleError
from lrcore.files.reader import from_dict
from lrcore.hints import did_you_mean
from lrcore.records import short
from lrcore.schedules.plateau import Plateau, carry_over
from lrcore.schedules.schedule import Schedule
from lrcore.schedules.steps import checked_step

Policy: TypeAlias = Literal["error", "keep_checkpoint", "use_config"]

FORMAT = 1
KEYS = ("format", "step", "schedule", "plateau")
POLICIES: tuple[Policy, ...] = ("error", "keep_checkpoint", "use_config")
_SEARCHED_ONE_BY_ONE = 1 << 16
_SEARCHED_CUTS = 1 << 12


class LoadedState(Struct, frozen=True):
    """What a checkpoint says, after the policy has spoken.

    Attributes:
        step: updates already made.
        schedule: what to go on with, in the form in which it was configured: one schedule, a list or a dict.
        plateau: the plain form of a plateau's state, None where there is none.
    """

    step: int
    schedule: Any
    plateau: dict[str, Any] | None


def save_state(step: int, schedule: Any, plateau: Mapping[str, Any] | None = None) -> dict[str, int | str]:
    """The state of a run.

    Args:
        step: updates already made.
        schedule: a schedule or a plateau; a list or a dict of them where an adapter drives several.
        plateau: the plain form of the plateau's state.

    Returns:
        The keys format, step, schedule and plateau, with int and str values only.

    Example:
        >>> from lrcore import Constant
        >>> save_state(7, Constant(0.1))
        {'format': 1, 'step': 7, 'schedule': '{"kind":"constant","value":0.1}', 'plateau': ''}
    """
    return {
        "format": FORMAT,
        "step": checked_step(step, "save_state"),
        "schedule": _text(_described(schedule)),
        "plateau": "" if plateau is None else _text(dict(plateau)),
    }


def load_state(state: Any, schedule: Any, on_mismatch: Policy = "error", where: str = "load_state") -> LoadedState:
    """Read a state that `save_state` made, and compare its schedule with the configured one.

    Args:
        state: what the checkpoint holds.
        schedule: what is configured, in the form that was given to `save_state`.
        on_mismatch: what to do when the two differ: raise ("error"), go on with the saved one ("keep_checkpoint") or
            with the configured one ("use_config"). Two descriptions of the same values do not differ. What a plateau
            remembers and means something else under the configured options begins anew, with a warning.
        where: the caller, for messages.

    Raises:
        ScheduleError: the state is not one of ours, or its schedule differs and the policy is "error"; the message has
            the first step at which the two differ, both values there, and the fields that changed.

    Example:
        >>> from lrcore import Constant
        >>> load_state(save_state(7, Constant(0.1)), Constant(0.1)).step
        7
        >>> load_state(save_state(7, Constant(0.1)), Constant(0.2))
        Traceback (most recent call last):
        lrcore.errors.ScheduleError: load_state: the saved schedule is not the configured one: at step 0 it gives 0.1 and \
the configured one 0.2 (value: 0.1 saved, 0.2 configured); set on_mismatch to keep_checkpoint or use_config
    """
    check_policy(on_mismatch, where)
    step, text, plateau = _plain_state(state, where)
    configured, described = _described(schedule), json.loads(text)
    _name_the_arithmetic(described, configured)
    if described == configured:
        return LoadedState(step, schedule, plateau)
    if on_mismatch == "use_config":
        return LoadedState(step, schedule, _carried_over(plateau, described, schedule, where))
    saved = _rebuilt(described, where)
    difference = _difference(saved, schedule)
    if difference is None:
        return LoadedState(step, schedule, plateau)
    if on_mismatch == "error":
        changes = "; ".join(itertools.islice(_changes(described, configured, ""), 5))
        raise ScheduleError(
            where,
            f"the saved schedule is not the configured one: {difference} ({changes}); "
            "set on_mismatch to keep_checkpoint or use_config",
        )
    if saved is None:
        raise ScheduleError(
            where, f"a Python function cannot be kept from a checkpoint; got {short(text)}; use use_config"
        )
    return LoadedState(step, saved, plateau)


def check_policy(on_mismatch: Any, where: str) -> None:
    """Refuse a policy that does not exist; adapters call it when they are made.

    Raises:
        ScheduleError: it is none of error, keep_checkpoint and use_config.

    Example:
        >>> check_policy("use_config", "adapter")
    """
    if on_mismatch not in POLICIES:
        hint = did_you_mean(on_mismatch, POLICIES)
        raise ScheduleError(
            f"{where}.on_mismatch", f"expected one of {', '.join(POLICIES)}; got {short(on_mismatch)}{hint}"
        )


def _plain_state(state: Any, where: str) -> tuple[int, str, dict[str, Any] | None]:
    """The parts of a state, or an error that says what was found instead."""
    if not isinstance(state, Mapping):
        raise ScheduleError(where, f"expected a state saved by lrcore, a dict; got {short(state)}")
    missing = [key for key in KEYS if key not in state]
    if missing:
        found = ", ".join(map(str, state)) or "no keys"
        native = "; this is the state of a native scheduler" if "last_epoch" in state else ""
        raise ScheduleError(where, f"expected a state saved by lrcore, with {', '.join(KEYS)}; got {found}{native}")
    if state["format"] != FORMAT:
        raise ScheduleError(
            f"{where}: format", f"expected {FORMAT}; got {short(state['format'])}; a newer lrcore may read it"
        )
    step = checked_step(state["step"], f"{where}: step")
    for key in ("schedule", "plateau"):
        if not isinstance(state[key], str) or not _is_json(state[key] or ("null" if key == "plateau" else "")):
            raise ScheduleError(f"{where}: {key}", f"expected a JSON text; got {short(state[key])}")
    return step, state["schedule"], json.loads(state["plateau"] or "null")


def _carried_over(remembered: Any, described: Any, configured: Any, where: str) -> dict[str, Any] | None:
    """What the configured plateau takes over of the saved state of a plateau."""
    plateau = _plateau_in(configured)
    if remembered is None or plateau is None:
        return remembered  # type: ignore[no-any-return]
    return carry_over(remembered, _plateau_table(described), plateau, where)


def _plateau_in(configured: Any) -> Plateau | None:
    """The one plateau among schedules of any form."""
    if isinstance(configured, Mapping):
        configured = [*configured.values()]
    if isinstance(configured, Sequence):
        return next(filter(None, map(_plateau_in, configured)), None)
    return configured if isinstance(configured, Plateau) else None


def _plateau_table(described: Any) -> dict[str, Any] | None:
    """The same of what describes them: its options."""
    if isinstance(described, dict) and "kind" in described:
        table = described.get("plateau")
        return table if isinstance(table, dict) else None
    parts = described.values() if isinstance(described, dict) else described if isinstance(described, list) else ()
    return next((table for table in map(_plateau_table, parts) if table is not None), None)


def _name_the_arithmetic(described: Any, configured: Any) -> None:
    """A state that names none is older than lrcore's own, which was torch's then: it loads into either."""
    saved, own = _plateau_table(described), _plateau_table(configured)
    if saved is not None and own is not None:
        saved.setdefault("arithmetic", "lrcore" if own["arithmetic"] == "lrcore" else "torch")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _text(plain: Any) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _described(schedule: Any) -> Any:
    """The plain form; what holds a Python function is described by its names, which can be compared but not rebuilt."""
    if isinstance(schedule, Mapping):
        return {name: _described(one) for name, one in schedule.items()}
    if isinstance(schedule, Sequence):
        return [_described(one) for one in schedule]
    if isinstance(schedule, Plateau):
        # The arithmetic stands in every state, so that one that was saved before there was a choice is known.
        options = {**_options(schedule), "arithmetic": schedule.arithmetic}
        return {**_described(schedule.schedule), "plateau": options}
    try:
        return schedule.to_dict()
    except ScheduleError:
        return {"kind": "function", "python": repr(schedule)}


def _rebuilt(described: Any, where: str) -> Any:
    """The saved schedules; None where a Python function was saved."""
    if isinstance(described, list):
        parts = [_rebuilt(one, where) for one in described]
        return None if None in parts else parts
    if isinstance(described, dict) and "kind" not in described:
        named = {name: _rebuilt(one, where) for name, one in described.items()}
        return None if None in named.values() else named
    if isinstance(described, dict) and described["kind"] == "function":
        return None
    try:
        return from_dict(described)
    except ScheduleError as error:
        raise ScheduleError(f"{where}: schedule", str(error)) from None


def _difference(saved: Any, configured: Any) -> str | None:
    """How two schedules differ, in words; None where they give the same values."""
    if isinstance(saved, Schedule) and isinstance(configured, Schedule):
        for step in _telling_steps(saved, configured):
            if saved(step) != configured(step):
                return f"at step {step} it gives {saved(step)!r} and the configured one {configured(step)!r}"
        return None
    if isinstance(saved, Plateau) and isinstance(configured, Plateau):
        if _options(saved) != _options(configured):
            return "their plateaus differ"
        return _difference(saved.schedule, configured.schedule)
    parts = _parts(saved, configured)
    if parts is None:
        return "they are not of one form"
    found = ((name, _difference(*pair)) for name, *pair in parts)
    return next((f"{name}: {difference}" for name, difference in found if difference), None)


def _options(plateau: Plateau) -> dict[str, Any]:
    return {name: value for name, value in plateau.given().items() if name != "schedule"}


def _parts(saved: Any, configured: Any) -> list[tuple[str, Any, Any]] | None:
    """The schedules of several groups or names, side by side; None where there are not as many of each."""
    if isinstance(saved, list) and isinstance(configured, Sequence) and len(saved) == len(configured):
        return [(f"group {number}", *pair) for number, pair in enumerate(zip(saved, configured, strict=True))]
    if isinstance(saved, dict) and isinstance(configured, Mapping) and saved.keys() == configured.keys():
        return [(name, saved[name], configured[name]) for name in saved]
    return None


def _telling_steps(first: Schedule, second: Schedule) -> Iterator[int]:
    """Steps at which two different schedules differ: the first ones, every cut and its neighbours, then ever larger ones."""
    breakpoints = heapq.merge(*(one.timeline.breakpoints(LAST_STEP) for one in (first, second)))
    yield from range(_SEARCHED_ONE_BY_ONE)
    for cut in itertools.islice(breakpoints, _SEARCHED_CUTS):
        yield from (cut - 1, cut)
    yield from (2**power + offset for power in range(17, 53) for offset in (0, 1))


def _changes(saved: Any, configured: Any, path: str) -> Iterator[str]:
    """The fields that differ, innermost first."""
    if isinstance(saved, dict) and isinstance(configured, dict):
        for name in saved | configured:
            place = f"{path}.{name}" if path else name
            yield from _changes(saved.get(name), configured.get(name), place)
    elif isinstance(saved, list) and isinstance(configured, list) and len(saved) == len(configured):
        for number, (one, other) in enumerate(zip(saved, configured, strict=True)):
            yield from _changes(one, other, f"{path}[{number}]")
    elif saved != configured:
        yield f"{path + ': ' if path else ''}{_saved(saved)} saved, {_saved(configured)} configured"


def _saved(value: Any) -> str:
    return "none" if value is None else short(value)
