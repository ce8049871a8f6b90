"""Suggestions for an unknown word: first from the words of other frameworks, then by spelling.

The table of foreign words is `foreign_words.toml`, beside this module. It is read when the first error needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

_MAX_WORD_LENGTH = 60
"""Characters of a word; a longer text is not compared with the known words."""

_MAX_LENGTH_DIFFERENCE = 4
"""Words that differ more in length are not similar: similar ones differ by two letters at most, and by separators."""


class Meaning(NamedTuple):
    """The meaning in lrcore of a word of other frameworks.

    Attributes:
        words: the words for it, by framework.
        places: where the word may occur: kinds, `warmup`, `plateau`, `kind`, a constructor, ...
        says: what the word is, a clause of which the word is the subject; "" if files know the word.
        in_python: the same for an argument in Python, if it differs.
    """

    words: dict[str, list[str]]
    places: list[str]
    says: str
    in_python: str

    def sentence(self, word: str, *, python: bool = False) -> str:
        """The sentence about this word; "" if lrcore knows the word here."""
        says = self.in_python or _in_python(self.says) if python else self.says
        return f"{word} {says.replace('{word}', word)}" if says else ""


def hint(word: Any, places: Sequence[str], known: Iterable[str], *, python: bool = False) -> str:
    """The advice about an unknown word: "; T_max is `decay_steps`", "; did you mean 'power'?" or nothing.

    Args:
        word: what was found.
        places: where it was found, the narrowest first.
        known: the words that exist there.
        python: whether it is an argument in Python rather than a word of a file.
    """
    known = list(known)
    said = foreign(word, places, known, python=python)
    return f"; {said}" if said else did_you_mean(word, known)


def foreign(word: Any, places: Sequence[str], known: Iterable[str] = (), *, python: bool = False) -> str:
    """What the table says about a word; "" if nothing, or if it is a known word with other separators or capitals."""
    if not isinstance(word, str) or len(word) > _MAX_WORD_LENGTH:
        return ""
    name = re.sub(r"\.v[0-9]+$", "", word).rpartition(".")[2]  # torch.optim.lr_scheduler.StepLR, decaying.v1
    plain, shown = _normalized(name), word.lstrip("-") if word.isprintable() else repr(word)
    if plain in map(_normalized, known):
        return ""
    for place in places:
        words = meanings().get(place, {})
        for spelling in (plain, plain.removesuffix("s"), f"{plain}s"):
            if spelling in words and (said := words[spelling].sentence(shown, python=python)):
                return said
    return ""


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """Suggest the nearest of the known words; "" if none is near, because a wrong hint is worse than none."""
    if not isinstance(word, str) or len(word) > _MAX_WORD_LENGTH:
        return ""
    near = {one: distance for one in known if (distance := _distance(word, one)) is not None}
    best = [one for one in near if near[one] == min(near.values())]
    return f"; did you mean {' or '.join(map(repr, best))}?" if 0 < len(best) <= 2 else ""


def missing_name(module: str, name: str) -> AttributeError:
    """The error for an unknown name of a module, which says what a class of another library is in lrcore."""
    import sys

    here = sys.modules[module]
    known = [] if name.startswith("_") else getattr(here, "__all__", [])
    said = hint(name, ["lrcore", "kind"], known, python=True) if known else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{said}", name=name)


@cache
def meanings() -> dict[str, dict[str, Meaning]]:
    """The meanings of the foreign words at each place, by their normalized spelling."""
    by_place: dict[str, dict[str, Meaning]] = {}
    for meaning in table():
        for place in meaning.places:
            for words in meaning.words.values():
                by_place.setdefault(place, {}).update((_normalized(word), meaning) for word in words)
    return by_place


def table() -> list[Meaning]:
    """The entries of the table, with groups of places expanded."""
    import tomllib
    from importlib.resources import files

    data = tomllib.loads(files("lrcore").joinpath("foreign_words.toml").read_text(encoding="utf-8"))
    groups = data["groups"]
    return [
        Meaning(
            words=one["words"],
            places=[place for name in one["places"] for place in groups.get(name, [name])],
            says=one.get("says", ""),
            in_python=one.get("in_python", ""),
        )
        for one in data["meaning"]
    ]


def _in_python(says: str) -> str:
    """Rewrite a clause about a file as one about a call: `warmup.steps` is `steps` of .warmup(...)."""
    says = re.sub(
        r", or (?:the text|as texts,) ('[^']+') with a \[run\]", r", which run.steps(\1) of a lrcore.Run gives", says
    )
    says = re.sub(r"`(warmup|cooldown)\.(\w+)`", r"`\2` of .\1(...)", says)
    says = re.sub(r"a table `(warmup|cooldown)`( beside a schedule of any kind)?", r".\1(...)", says)
    says = re.sub(r"a table `plateau`.*", "lrcore.Plateau(schedule, ...)", says).replace("= true", "= True")
    return re.sub(r"kind `(\w+)`", lambda match: f"lrcore.{match[1].title().replace('_', '')}", says)


# --- spelling ---------------------------------------------------------------------------------------------------------


def _normalized(word: str) -> str:
    """A word in lower case without separators: T_max, t_max and --t-max are the same."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _distance(word: str, known: str) -> int | None:
    """The number of wrong letters; None if the words are not similar.

    Words are compared part by part, because max_value differs from min_value by two letters and means the opposite.
    """
    if abs(len(word) - len(known)) > _MAX_LENGTH_DIFFERENCE:
        return None
    if _normalized(word) == _normalized(known):
        return 0
    parts, right = re.split("[_-]", word.lower()), re.split("[_-]", known)
    if len(parts) != len(right):
        return 1 if _edit_distance(_normalized(word), _normalized(known), 1) == 1 and len(known) > 4 else None
    wrong = [_edit_distance(part, other, _allowed_edits(other)) for part, other in zip(parts, right, strict=True)]
    total = sum(wrong)
    return (
        total
        if total <= 2 and all(one <= _allowed_edits(other) for one, other in zip(wrong, right, strict=True))
        else None
    )


def _allowed_edits(part: str) -> int:
    """The wrong letters allowed in a part of a word: none in `up`, one in `init`, two in `boundaries`."""
    return 0 if len(part) < 3 else 1 if len(part) < 6 else 2


def _edit_distance(word: str, other: str, most: int) -> int:
    """The edit distance of two words, where a swap of neighbours is one edit; it may be `most` + 1 for any larger one."""
    if abs(len(word) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        earlier, before, row = before, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != right))
            if i > 1 and j > 1 and letter == other[j - 2] and word[i - 2] == right:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
