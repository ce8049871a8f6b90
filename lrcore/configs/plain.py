"""Objects that libraries use for configurations, as plain dicts, lists and values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from os import PathLike
from typing import Any

from lrcore.records import without_numpy

MISSING = "???"
"""Stands for a value that a configuration library cannot give."""


def plain(given: Any) -> Any:
    """Copy mappings, namespaces, dataclasses, sequences and arrays to dicts and lists; an enum becomes its value.

    OmegaConf, ml_collections, yacs and mmengine have mappings of their own; argparse gives a namespace, transformers a
    dataclass. What such a mapping cannot give, a reference to nothing, becomes the text "???", as OmegaConf writes it.

    Example:
        >>> from argparse import Namespace
        >>> plain(Namespace(lr=0.1, milestones=(8, 11)))
        {'lr': 0.1, 'milestones': [8, 11]}
    """
    if isinstance(given, Enum):
        return plain(given.value)
    if given is None or isinstance(given, (str, bytes, bool, int, float, PathLike)):
        return given
    if is_dataclass(given) and not isinstance(given, type):
        return {field.name: plain(getattr(given, field.name)) for field in fields(given) if hasattr(given, field.name)}
    if is_mapping(given):
        mapping: Any = given
        return {key: plain(_value(mapping, key)) for key in mapping.keys()}  # noqa: SIM118 - iterating may give others
    if isinstance(given, Sequence):
        return [plain(value) for value in given]
    if hasattr(given, "tolist") and not isinstance(given, type):
        return without_numpy(given)
    if type(given).__name__ in ("Namespace", "SimpleNamespace") or hasattr(given, "model_dump"):
        hidden = "_" if hasattr(given, "model_dump") else "__"  # a namespace may hold an option such as fairseq's _name
        return {name: plain(value) for name, value in vars(given).items() if not name.startswith(hidden)}
    return given


def _value(given: Any, key: Any) -> Any:
    try:
        return given[key]
    except Exception:  # noqa: BLE001 - each library raises an exception of its own for a value that is not there
        return MISSING


def is_mapping(given: Any) -> bool:
    """Whether an object is a mapping, or has the two methods by which dict() copies one."""
    return isinstance(given, Mapping) or (
        not isinstance(given, type) and hasattr(given, "keys") and hasattr(given, "__getitem__")
    )
