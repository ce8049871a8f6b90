"""Every class of a framework's schedules, and every argument of each, is in the table of foreign words or a word here."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from lrcore.files.placement import BESIDE, fields_of
from lrcore.hints import meanings
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import Plateau
from tests.frameworks import TABLE

CLASSES: list[Any] = [*KINDS.values(), *BESIDE.values(), Plateau]
OURS = {name for cls in CLASSES for name in fields_of(cls)}
INTERNAL = {"args", "kwargs", "cosine_kwargs"}


def natives(framework: str) -> Iterator[tuple[str, Any]]:
    row = TABLE[framework]["natives"]
    for module in map(import_module, row["modules"]):
        for name in dir(module):
            if not name.startswith("_") and re.fullmatch(row["names"], name) and callable(getattr(module, name)):
                yield name, getattr(module, name)


def plain(word: str) -> str:
    return re.sub("[^a-z0-9]", "", word.lower())


def test_every_class_has_an_entry(framework: str) -> None:
    found = [name for name, _ in natives(framework)]
    assert len(found) >= 4
    assert [name for name in found if plain(name) not in meanings()["kind"]] == []


def test_every_argument_has_an_entry(framework: str) -> None:
    known = {word for words in meanings().values() for word in words} | {plain(name) for name in OURS}
    unknown = {
        f"{name}({argument})"
        for name, native in natives(framework)
        for argument in inspect.signature(native).parameters
        if argument not in INTERNAL and plain(argument) not in known
    }
    assert unknown == set()
