"""The state in a checkpoint, the same in every framework, and the policies for one that does not match the configuration.

A state is a fixed set of plain keys: the version of the format, the step, the schedule as one JSON text, and the state of
a plateau as one JSON text. It goes through `torch.load(weights_only=True)`, JSON, pickle and the distributed
checkpointers, and every adapter reads what another wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.mismatches import (
    carry_over_plateau,
    description,
    fill_arithmetic,
    match_form,
    mismatches,
    past_of,
    plateau_options,
    rebuild_saved,
    refusal,
)
from lrcore.records import json_text, short
from lrcore.schedules.schedule import Schedule
from lrcore.schedules.steps import checked_step

Policy: TypeAlias = Literal["error", "keep_checkpoint", "use_config", "same_past"]
"""What to do with a state whose schedule is not the configured one: see `load_state`."""

FORMAT = 1
KEYS = ("format", "step", "schedule", "plateau")
POLICIES: tuple[Policy, ...] = ("error", "keep_checkpoint", "use_config", "same_past")


class LoadedState(Struct, frozen=True):
    """The content of a checkpoint, after the policy for mismatches was applied.

    Attributes:
        step: updates already made.
        schedule: what to continue with, in the form in which it was configured: one schedule, a list or a dict.
        plateau: the plain form of a plateau's state; None without a plateau.
    """

    step: int
    schedule: Any
    plateau: dict[str, Any] | None


def save_state(step: int, schedule: Any, plateau: Mapping[str, Any] | None = None) -> dict[str, int | str]:
    """The state of a run.

    A Python function cannot be saved. Of a schedule that contains one the state holds the name and a few values, by which
    it is known again; they are computed when the schedule is saved for the first time.

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
        "schedule": _schedule_text(schedule) or json_text(description(schedule)),
        "plateau": "" if plateau is None else json_text(dict(plateau)),
    }


def load_state(state: Any, schedule: Any, on_mismatch: Policy = "error", where: str = "load_state") -> LoadedState:
    """Read a state that `save_state` made, and compare its schedule with the configured one.

    Two descriptions differ unless it is shown that they give the same value at every step. A Python function counts as
    the same if its name and the values that were saved with it are. A list of one schedule and that schedule are the same.

    Args:
        state: what the checkpoint holds.
        schedule: what is configured, in the form that was given to `save_state`.
        on_mismatch: what to do when the two differ. "error" raises, "keep_checkpoint" goes on with the saved schedule,
            "use_config" with the configured one. "same_past" goes on with the configured one if both have the same values
            at every update already made, and raises otherwise: for a run that is extended or branches off. A plateau
            that has received a metric has the same past only with the same options; one that has reduced nothing may be
            removed. Under "use_config", the parts of a plateau's state that mean something else with the configured options
            are reset, with a warning.
        where: the caller, for messages.

    Raises:
        ScheduleError: the state is not one of ours; or its schedule differs and the policy is "error" or "same_past". The
            message has the first step at which the two differ, both values there, and the fields that changed; or it
            says that the two could not be shown to be equal. Or a Python function would have to be kept.

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
    if text == _schedule_text(schedule):
        return LoadedState(step, schedule, plateau)
    configured = description(schedule)
    saved = match_form(configured, fill_arithmetic(json.loads(text), configured))
    if on_mismatch == "use_config":
        return LoadedState(step, schedule, carry_over_plateau(plateau, saved, configured, schedule, where))
    past = past_of(step, plateau, where) if on_mismatch == "same_past" else None
    found = list(mismatches(saved, configured, schedule, past, where))
    if not found:
        goes_on = past is None or plateau_options(saved) == plateau_options(configured)
        return LoadedState(step, schedule, plateau if goes_on else None)
    if on_mismatch == "keep_checkpoint":
        return LoadedState(step, rebuild_saved(saved, configured, schedule, where), plateau)
    raise ScheduleError(where, refusal(found, saved, configured, step, past))


def check_policy(on_mismatch: Any, where: str) -> None:
    """Refuse a policy that does not exist; adapters call it at construction.

    Raises:
        ScheduleError: it is none of error, keep_checkpoint, use_config and same_past.

    Example:
        >>> check_policy("use_config", "adapter")
    """
    if on_mismatch not in POLICIES:
        hint = did_you_mean(on_mismatch, POLICIES)
        raise ScheduleError(
            f"{where}.on_mismatch", f"expected one of {', '.join(POLICIES)}; got {short(on_mismatch)}{hint}"
        )


def _plain_state(state: Any, where: str) -> tuple[int, str, dict[str, Any] | None]:
    """Check a state, and return its step, the text of its schedule and the state of its plateau."""
    if not isinstance(state, Mapping):
        raise ScheduleError(where, f"expected a state saved by lrcore, a dict; got {short(state)}")
    missing = [key for key in KEYS if key not in state]
    if missing:
        found = ", ".join(map(str, state)) or "no keys"
        native = "; this is the state of a native scheduler" if "last_epoch" in state else ""
        raise ScheduleError(where, f"expected a state saved by lrcore, with {', '.join(KEYS)}; got {found}{native}")
    _check_format(state["format"], f"{where}: format")
    step = checked_step(state["step"], f"{where}: step")
    for key in ("schedule", "plateau"):
        if not isinstance(state[key], str) or not _is_json(state[key] or ("null" if key == "plateau" else "")):
            raise ScheduleError(f"{where}: {key}", f"expected a JSON text; got {short(state[key])}")
    return step, state["schedule"], json.loads(state["plateau"] or "null")


def _check_format(found: Any, where: str) -> None:
    if isinstance(found, int) and found > FORMAT:
        raise ScheduleError(
            where,
            f"expected {FORMAT}; got a state written for lrcore format {found}; install a newer lrcore to read it",
        )
    if found != FORMAT:
        raise ScheduleError(where, f"expected {FORMAT}; got {short(found)}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _schedule_text(schedule: Any) -> str | None:
    """The cached text of one schedule; None for anything else, and if it contains a Python function."""
    if not isinstance(schedule, Schedule):
        return None
    try:
        return schedule.text
    except ScheduleError:
        return None
