"""Corrected examples for errors, in the syntax of the file and with the values of the user."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

from lrcore.records import Shape
from lrcore.schedules.kinds import KINDS

_EXAMPLE_STEPS = 100
MAX_CHARACTERS = 120
"""The length of an example; a longer one would hide the sentence around it."""

_EXAMPLES: dict[str, dict[str, Any]] = {
    "constant": {"value": 0.1},
    "linear": {"init_value": 0.1, "decay_steps": 1000},
    "polynomial": {"init_value": 0.1, "decay_steps": 1000, "power": 2},
    "cosine": {"init_value": 0.1, "decay_steps": 1000},
    "exponential": {"init_value": 0.1, "decay_rate": 0.99},
    "inverse_time": {"init_value": 0.1},
    "logistic": {"init_value": 0.1, "midpoint": 1000, "decay_steps": 100},
    "piecewise_constant": {"boundaries": [500], "values": [0.1, 0.01]},
    "interpolate": {"boundaries": [0, 500], "values": [0.1, 0.01]},
}
"""An example of each kind that has no child schedules."""


def ramp(name: str, value: Any, beside: Mapping[str, Any], format: str) -> str:  # noqa: A002 - the word users know
    """What to write for a warmup or a cooldown that is not a table.

    Args:
        name: warmup or cooldown.
        value: what the file has instead.
        beside: the table of the schedule.
        format: toml, json, yaml or dict.
    """
    if value is None and (misplaced := {one: beside[one] for one in ("steps", "shape", "power") if one in beside}):
        return f"its fields stand beside it: write {formatted(name, misplaced, format)}"
    if value is None or value is False or _number(value) == 0:
        return f"leave it out for no {name}"
    number, total, note = _number(value), _number(beside.get("total_steps")), ""
    table: dict[str, Any] = {"steps": _EXAMPLE_STEPS}
    if number is not None and number.is_integer():
        table = {"steps": int(number)}
    elif number is not None and 0 < number < 1:
        table = {"steps": _EXAMPLE_STEPS if total is None else round(number * total)}
        note = f", with steps in updates: {value} times those of the run"
    elif isinstance(value, str) and value in get_args(Shape):
        table = {"steps": _EXAMPLE_STEPS, "shape": value}
    if name == "cooldown" and "total_steps" not in beside and not _has_an_end(beside.get("kind")):
        table = {"start": 1000, **table}
    return f"write {formatted(name, table, format)}{note}"


def plateau(value: Any, format: str) -> str:  # noqa: A002
    """What to write for a plateau that is not a table."""
    if value is False or value is None:
        return "leave it out for no plateau"
    number = None if value is True else _number(value)
    table: dict[str, Any] = {"factor": 0.1, "patience": 10}
    if number is not None and 0 <= number < 1:
        table["factor"] = number
    elif number is not None and number.is_integer():
        table["patience"] = int(number)
    elif isinstance(value, str) and value in {"min", "max"}:
        table["mode"] = value
    return f"write {formatted('plateau', table, format)}"


def schedule(name: str, value: Any, format: str) -> str:  # noqa: A002
    """What to write for a schedule that is not a table; `name` is "" for one in a list."""
    if isinstance(value, (list, tuple)):
        return "several schedules are the `schedules` of kind 'join', 'sum' or 'product'"
    return f"write {formatted(name, example_of(value), format)}"


def schedules(value: Any, format: str) -> str:  # noqa: A002
    """What to write for `schedules` that is not a list."""
    only = dict(value) if isinstance(value, Mapping) and "kind" in value else example_of(value)
    text = formatted("schedules", [only], format)
    return (
        f"write {text}"
        if len(text) <= MAX_CHARACTERS
        else f"write {formatted('schedules', [example_of('cosine')], format)}"
    )


def example_of(value: Any) -> dict[str, Any]:
    """An example of the kind that `value` names; for a number, a constant schedule."""
    number = _number(value)
    if number is not None:
        return {"kind": "constant", "value": number}
    kind = value if isinstance(value, str) and value in _EXAMPLES else "cosine"
    return {"kind": kind, **_EXAMPLES[kind]}


def formatted(name: str, value: Any, format: str) -> str:  # noqa: A002
    """Format a field in the syntax of the file, on one line."""
    if format == "toml":
        return f"{name} = {_toml(value)}" if name else _toml(value)
    if format == "yaml":
        return f"{name}: {_yaml(value)}" if name else _yaml(value)
    text = json.dumps(value, default=str) if format == "json" else " ".join(repr(value).split())
    key = json.dumps(name) if format == "json" else repr(name)
    return f"{key}: {text}" if name else text


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + "}"
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, (list, tuple)) else json.dumps(value, default=str)


def _yaml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_yaml(one)}" for name, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_yaml, value))}]"
    return value if isinstance(value, str) and value.replace("_", "").isalpha() else json.dumps(value, default=str)


def _number(value: Any) -> float | None:
    """The number that a value or its text gives; None for a boolean, a number of 2**53 or more, and anything else."""
    try:
        number = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < 2**53 else None


def _has_an_end(kind: Any) -> bool:
    return (
        isinstance(kind, str)
        and kind in KINDS
        and kind in {"linear", "polynomial", "cosine", "piecewise_constant", "interpolate"}
    )
