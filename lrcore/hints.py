"""What a wrong word was probably meant to be: what frameworks call a thing first, then spelling.

`foreign_words.toml` beside this module is the table. It is read when the first error needs it, and not before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache, wraps
from types import FunctionType
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from lrcore.errors import ScheduleTypeError

P = ParamSpec("P")
R = TypeVar("R")

_LONGEST = 60
"""Characters of a word that is compared with others; a longer one is a text, not a misspelt word."""


_MOST_EXTRA = 4
"""By how many characters words can differ that are the same but for two letters and the signs between their parts."""


class Meaning(NamedTuple):
    """What one word of others is here.

    Attributes:
        words: for each framework the words that it has for this.
        places: where the word may be met: kinds, `warmup`, `plateau`, `kind`, a constructor, ...
        says: what the word is, a clause of which the word is the subject; "" if files know the word.
        in_python: the same for an argument in Python, where that is something else.
    """

    words: dict[str, list[str]]
    places: list[str]
    says: str
    in_python: str

    def sentence(self, word: str, *, python: bool = False) -> str:
        """The clause about this word; "" if it is a right word here."""
        says = self.in_python or _in_python(self.says) if python else self.says
        return f"{word} {says.replace('{word}', word)}" if says else ""


def hint(word: Any, places: Sequence[str], known: Iterable[str], *, python: bool = False) -> str:
    """What to do about a word that does not exist: "; T_max is `decay_steps`", "; did you mean 'power'?" or nothing.

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
    """What the table says of a word at a place; "" if nothing, or if it is a known word that is only written otherwise."""
    if not isinstance(word, str) or len(word) > _LONGEST:
        return ""
    name = re.sub(r"\.v[0-9]+$", "", word).rpartition(".")[2]  # torch.optim.lr_scheduler.StepLR, decaying.v1
    plain, shown = _plain(name), word.lstrip("-") if word.isprintable() else repr(word)
    if plain in map(_plain, known):
        return ""
    for place in places:
        words = meanings().get(place, {})
        for spelling in (plain, plain.removesuffix("s"), f"{plain}s"):
            if spelling in words and (said := words[spelling].sentence(shown, python=python)):
                return said
    return ""


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """The nearest of the known words; nothing if none is near, for a wrong hint is worse than none."""
    if not isinstance(word, str) or len(word) > _LONGEST:
        return ""
    near = {one: distance for one in known if (distance := _distance(word, one)) is not None}
    best = [one for one in near if near[one] == min(near.values())]
    return f"; did you mean {' or '.join(map(repr, best))}?" if 0 < len(best) <= 2 else ""


_FOR_ADAPTERS = {"LoadedState", "Policy", "Table", "as_schedule", "check_policy", "checked_step"}


def missing_name(module: str, name: str) -> AttributeError:
    """The error for a name that a module does not have: what a class of another library is here."""
    import sys

    here = sys.modules[module]
    known = [] if name.startswith("_") else getattr(here, "__all__", [])
    if name in _FOR_ADAPTERS:
        said = f"; it is lrcore.adapting.{name}, for authors of adapters"
    else:
        said = hint(name, ["lrcore", "kind"], known, python=True) if known else ""
    return AttributeError(f"module {module!r} has no attribute {name!r}{said}", name=name)


def explains_arguments(place: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function say what an unknown argument is called here, as files do.

    Args:
        place: the place of the function's arguments in the table.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        code = cast(FunctionType, function).__code__
        known = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        shown = [name for name in known if name != "self"]

        @wraps(function)
        def explained(*args: P.args, **named: P.kwargs) -> R:
            for name in named:
                if name not in known:
                    found = f"got {name!r}{hint(name, [place], shown, python=True)}"
                    expected = f"expected arguments out of {', '.join(shown)}"
                    raise ScheduleTypeError(function.__qualname__, f"{expected}; {found}")
            return function(*args, **named)

        return explained

    return decorate


@cache
def meanings() -> dict[str, dict[str, Meaning]]:
    """For each place what is known of each foreign word, by its plain spelling."""
    by_place: dict[str, dict[str, Meaning]] = {}
    for meaning in table():
        for place in meaning.places:
            for words in meaning.words.values():
                by_place.setdefault(place, {}).update((_plain(word), meaning) for word in words)
    return by_place


def table() -> list[Meaning]:
    """The table as it is written, with groups of places written out."""
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
    """A clause about a file as one about a call: `warmup.steps` is `steps` of .warmup(...)."""
    says = re.sub(r"`(warmup|cooldown)\.(\w+)`", r"`\2` of .\1(...)", says)
    says = re.sub(r"a table `(warmup|cooldown)`( beside a schedule of any kind)?", r".\1(...)", says)
    says = re.sub(r"a table `plateau`.*", "lrcore.Plateau(schedule, ...)", says).replace("= true", "= True")
    return re.sub(r"kind `(\w+)`", lambda match: f"lrcore.{match[1].title().replace('_', '')}", says)


# --- spelling ---------------------------------------------------------------------------------------------------------


def _plain(word: str) -> str:
    """A word without what frameworks write differently: T_max, t_max, --t-max."""
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _distance(word: str, known: str) -> int | None:
    """How many letters are wrong; None if so many that it is another word.

    Words are compared part by part, for max_value has two wrong letters and all of another meaning.
    """
    if abs(len(word) - len(known)) > _MOST_EXTRA:
        return None
    if _plain(word) == _plain(known):
        return 0
    parts, right = re.split("[_-]", word.lower()), re.split("[_-]", known)
    if len(parts) != len(right):
        return 1 if _edits(_plain(word), _plain(known), 1) == 1 and len(known) > 4 else None
    wrong = [_edits(part, other, _may_differ(other)) for part, other in zip(parts, right, strict=True)]
    total = sum(wrong)
    return (
        total
        if total <= 2 and all(one <= _may_differ(other) for one, other in zip(wrong, right, strict=True))
        else None
    )


def _may_differ(part: str) -> int:
    """Wrong letters that a part of a word may have: `up` none, `init` one, `boundaries` two."""
    return 0 if len(part) < 3 else 1 if len(part) < 6 else 2


def _edits(word: str, other: str, most: int) -> int:
    """Letters that were changed, left out, added or swapped with the next; more than `most` if that many are not enough."""
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
