"""Writes docs/how-to/foreign-words.md from the table that errors read.

`python -m tests.foreign_words` writes the page.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lrcore.hints import Meaning, table
from lrcore.schedules.kinds import KINDS

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "foreign-words.md"
FIRST = ("torch", "Keras", "optax", "MXNet", "Paddle", "Hugging Face")
LAST = "others"
HEAD = """\
# What your framework calls X

The words of frameworks and trainers, and what they are in lrcore. Errors say the same: a file with `T_max` is told what
that is. Written by `nox -s pages` from `lrcore/foreign_words.toml`. "Where" is the kind beside whose fields a word
stands, a table (`warmup`, `cooldown`, `plateau`), the value of `kind`, `shape` or `mode`, or a function of lrcore in Python.

Words that are the same and mean something else: `decay_steps` is the decay alone, where optax's
`warmup_cosine_decay_schedule` counts the warmup too; `eps` of a plateau is a part of the rate, where torch's is a rate;
`boundaries` are the first updates with the new value, where Keras' are the last with the old one.
"""


class Row(NamedTuple):
    """One word of one framework."""

    word: str
    where: str
    here: str


def page() -> str:
    """The whole page."""
    meanings = table()
    names = {name for one in meanings for name in one.words}
    later = sorted(names - {*FIRST, LAST}, key=str.lower)
    parts = [HEAD]
    for name in (*FIRST, *later, LAST):
        title = "Other words that people use" if name == LAST else name
        lines = [f"| {row.word} | {row.where} | {row.here} |" for row in rows(meanings, name)]
        parts.append("\n".join([f"## {title}", "", "| word | where | here |", "|---|---|---|", *lines, ""]))
    return "\n".join(parts)


def rows(meanings: list[Meaning], framework: str) -> list[Row]:
    """The words of one framework, by the alphabet."""
    found = {row for one in meanings for row in _rows(one, framework)}
    return sorted(found, key=lambda row: (row.word.lower(), row.where, row.here))


def _rows(meaning: Meaning, framework: str) -> Iterator[Row]:
    for word in meaning.words.get(framework, []):
        if meaning.says:
            yield Row(f"`{word}`", _where(meaning.places), meaning.sentence(word).removeprefix(f"{word} "))
        else:
            yield Row(f"`{word}`", f"{_where(meaning.places)} in Python", meaning.in_python.replace("{word}", word))


def _where(places: list[str]) -> str:
    if places == ["schedule"]:
        return "any other kind"
    kinds = ", ".join(f"`{place}`" for place in places if place in KINDS)
    others = ", ".join(_NAMES.get(place, f"lrcore.{place}") for place in places if place not in KINDS)
    return ", ".join(part for part in (kinds, others) if part)


_NAMES = {
    "warmup": "`warmup`",
    "cooldown": "`cooldown`",
    "plateau": "`plateau`",
    "kind": "kind",
    "shape": "shape",
    "mode": "mode",
    "schedule": "any other kind",
    "lrcore": "lrcore",
    "name": "name in lrcore.from_name",
}


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
