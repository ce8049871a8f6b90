"""The table of foreign words: every entry reaches the user, is true of the words that exist, and leads nowhere else."""

from __future__ import annotations

import inspect
import json
import random
import re
from collections.abc import Callable
from typing import Any, get_args

import pytest

import lrcore
from lrcore.files.placement import BESIDE, fields_of
from lrcore.hints import Meaning, did_you_mean, meanings, table
from lrcore.records import Shape
from lrcore.schedules.huggingface import _NAMES
from lrcore.schedules.kinds import KINDS
from tests import foreign_words
from tests.kinds import KINDS as EXAMPLES
from tests.parity.pages import COMMITTED

RECIPES = ("one_cycle", "cyclic", "warmup_stable_decay", "polynomial_cycle", "running_product")
ANY_KIND = {"warmup", "cooldown", "plateau", "total_steps"}
OPTIONS = {option for make in _NAMES.values() for option in inspect.signature(make).parameters}
LEGAL: dict[str, set[str]] = {
    **{kind: {*fields_of(cls), *ANY_KIND} for kind, cls in KINDS.items()},
    **{name: set(fields_of(cls)) for name, cls in BESIDE.items()},
    **{name: set(inspect.signature(getattr(lrcore, name)).parameters) for name in RECIPES},
    "schedule": ANY_KIND,
    "kind": {*KINDS, *ANY_KIND},
    "shape": {*get_args(Shape), "power"},
    "mode": {"min", "max"},
    "from_name": {*OPTIONS, "num_warmup_steps", "num_training_steps"},
    "name": set(_NAMES),
    "lrcore": set(lrcore.__all__),
}
PLAIN: dict[str, dict[str, Any]] = {
    kind: one.to_dict() for one in EXAMPLES.values() if (kind := str(one.__struct_config__.tag)) in KINDS
}
"""A right table of each kind."""


def in_file(place: str, word: str) -> None:
    plain = PLAIN.get(place, PLAIN["constant"])
    if place in KINDS:
        lrcore.from_dict({**plain, word: 1})
    elif place == "cooldown":
        lrcore.from_dict({**plain, place: {"steps": 1, "start": 1, word: 1}})
    elif place in BESIDE:
        lrcore.from_dict({**plain, place: {"steps": 1, word: 1} if place == "warmup" else {word: 1}})
    elif place == "kind":
        lrcore.from_dict({**plain, "kind": word})
    elif place == "shape":
        lrcore.from_dict({**plain, "warmup": {"steps": 1, "shape": word}})
    else:
        lrcore.from_dict({**plain, "plateau": {"mode": word}})


def in_python(place: str, word: str) -> None:
    if place == "lrcore":
        getattr(lrcore, word)
    elif place == "name":
        lrcore.from_name(word, learning_rate=0.1)
    elif place == "from_name":
        lrcore.from_name("constant", learning_rate=0.1, **{word: 1})
    elif place == "plateau":
        UNTYPED.Plateau(lrcore.Constant(0.1), **{word: 1})
    elif place in BESIDE:
        getattr(lrcore.Constant(0.1), place)(**{word: 1})
    else:
        make: Any = KINDS[place] if place in KINDS else getattr(lrcore, place)
        make(**{word: 1})


def message(call: Callable[[str, str], None], place: str, word: str) -> str:
    with pytest.raises((lrcore.ScheduleError, TypeError, AttributeError)) as caught:
        call(place, word)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rows() -> list[tuple[Meaning, str, str]]:
    """Each word of the table at each place where it may be met; `schedule` as all the kinds without a row of their own."""
    found = []
    for meaning in TABLE:
        for word in sorted({word for words in meaning.words.values() for word in words}):
            for place in meaning.places:
                kinds = [kind for kind in KINDS if plain(word) not in map(plain, LEGAL[kind]) and not own(kind, word)]
                found += [(meaning, one, word) for one in (kinds if place == "schedule" else [place])]
    return found


def own(kind: str, word: str) -> bool:
    return stem(word) in OF_PLACE.get(kind, set())


def stem(word: str) -> str:
    return plain(word).removesuffix("s")


def plain(word: str) -> str:
    return re.sub("[^a-z0-9]", "", word.lower())


TABLE = table()
OF_PLACE = {place: {stem(word) for word in known} for place, known in meanings().items()}
FOREIGN = set[str]().union(*OF_PLACE.values())
ROWS = rows()
IN_FILES = [row for row in ROWS if row[1] in {*KINDS, *BESIDE, "kind", "shape", "mode"} and row[0].says]
IN_PYTHON = [row for row in ROWS if row[1] in {*KINDS, *BESIDE, *RECIPES, "from_name", "name", "lrcore"}]


# --- what the table says reaches the user -----------------------------------------------------------------------------


@pytest.mark.parametrize("place", sorted({place for _, place, _ in IN_FILES}))
def test_every_foreign_word_in_a_file_gets_its_sentence(place: str) -> None:
    for meaning, where, word in IN_FILES:
        if where == place:
            assert f"; {word} {meaning.says.replace('{word}', word)}" in message(in_file, place, word)


@pytest.mark.parametrize("place", sorted({place for _, place, _ in IN_PYTHON}))
def test_every_foreign_word_in_python_gets_its_sentence(place: str) -> None:
    for meaning, where, word in IN_PYTHON:
        if where == place:
            said = meaning.sentence(word, python=True)
            assert f"; {said}" in message(in_python, place, word)
            assert not re.search(r"`(warmup|cooldown|plateau)\.|a table `|kind `", said)
            assert "`total_steps`" not in said or place in RECIPES


@pytest.mark.parametrize("word", ["milestone", "milestones", "Milestones", "MILE_STONES", "--milestones"])
def test_capitals_separators_and_plurals_of_a_foreign_word_do_not_count(word: str) -> None:
    assert "is `boundaries`: a boundary is the first update" in message(in_file, "piecewise_constant", word)


@pytest.mark.parametrize(
    "word", ["torch.optim.lr_scheduler.StepLR", "paddle.optimizer.lr.StepDecay", "StepLR", "step_lr"]
)
def test_a_class_may_be_given_with_its_package(word: str) -> None:
    assert f"; {word} is kind `exponential` with `decay_rate` = gamma" in message(in_file, "kind", word)
    assert "decaying.v1 is kind `inverse_time`" in message(in_file, "kind", "decaying.v1")


def test_a_known_word_with_other_separators_is_not_a_foreign_word() -> None:
    assert message(in_python, "lrcore", "WarmupStableDecay").endswith("; did you mean 'warmup_stable_decay'?")
    assert message(in_python, "lrcore", "OneCycle").endswith("; did you mean 'one_cycle'?")
    assert message(in_file, "kind", "InverseTime").endswith("; did you mean 'inverse_time'?")


def test_a_row_for_python_alone_does_not_touch_files() -> None:
    schedule = lrcore.from_dict({"kind": "cosine", "init_value": 0.1, "total_steps": 100})
    assert schedule == lrcore.Cosine(init_value=0.1, decay_steps=100)
    with pytest.raises(
        TypeError, match="total_steps is a word of files; here `decay_steps` is total_steps less warmup"
    ):
        UNTYPED.Cosine(init_value=0.1, total_steps=1000)


# --- what it says is true of the words there are ----------------------------------------------------------------------


def test_every_word_in_backticks_exists_where_the_sentence_sends_its_reader() -> None:
    for meaning in TABLE:
        for says in (meaning.says, meaning.in_python):
            kinds = re.findall(r"kind `(\w+)`", says)
            assert set(kinds) <= set(KINDS), says
            for place in meaning.places:
                legal = {*LEGAL[place], *KINDS, *(field for kind in kinds for field in fields_of(KINDS[kind]))}
                for word in re.findall("`([^`]+)`", says):
                    table_name, _, field = word.partition(".")
                    known = field in LEGAL[table_name] and table_name in BESIDE if field else word in legal
                    assert known, f"{place}: {says}"


def test_every_function_that_is_named_exists() -> None:
    for meaning in TABLE:
        for name in re.findall(r"lrcore\.(\w+)", meaning.says + meaning.in_python + meaning.sentence("x", python=True)):
            assert hasattr(lrcore, name), meaning.says
        for name in re.findall(r" \.(\w+)\(", meaning.sentence("x", python=True)):
            assert hasattr(lrcore.Schedule, name), meaning.says


def test_no_foreign_word_is_a_valid_word_at_its_place() -> None:
    for meaning in TABLE:
        for place in meaning.places:
            legal = {plain(word) for word in (set(KINDS) if place == "kind" else LEGAL[place])}
            legal -= set() if meaning.says else {"totalsteps", "plateau"}  # which Python does not know
            words = {plain(word) for words in meaning.words.values() for word in words}
            assert not words & legal, f"{place}: {words & legal}"


def test_a_word_has_one_meaning_at_a_place() -> None:
    told: dict[tuple[str, str], Meaning] = {}
    for meaning in TABLE:
        for place in meaning.places:
            for word in {plain(word) for words in meaning.words.values() for word in words}:
                assert (place, word) not in told, f"{place}: {word} {meaning.says}"
                told[place, word] = meaning


def test_every_native_that_is_compared_has_an_entry() -> None:
    counts = json.loads(COMMITTED.read_text(encoding="utf-8"))
    kinds = meanings()["kind"]
    for framework in counts.values():
        for native in framework["natives"]:
            name = native.removesuffix(" in float64").removesuffix(" in x64").removesuffix(" (momentum)")
            name = name.removeprefix("transformers ")
            assert plain(name) in kinds or name in KINDS, name


# --- spelling ---------------------------------------------------------------------------------------------------------


def typos(word: str) -> set[str]:
    """The word with a letter left out, doubled, swapped with the next or replaced by another."""
    cut = [(word[:i], word[i:]) for i in range(len(word))]
    wrong = {a + b[1:] for a, b in cut} | {a + b[0] + b for a, b in cut} | {f"{a}x{b[1:]}" for a, b in cut}
    wrong |= {a + b[1] + b[0] + b[2:] for a, b in cut if len(b) > 1}
    return {one for one in wrong - {word} if "_" in one or "_" not in word}


SPELT = {
    **{kind: {*fields_of(cls), *ANY_KIND} for kind, cls in KINDS.items()},
    **{name: set(fields_of(cls)) for name, cls in BESIDE.items()},
    "kind": set(KINDS),
    "shape": set(get_args(Shape)),
}


@pytest.mark.parametrize("place", SPELT)
def test_one_wrong_letter_is_corrected(place: str) -> None:
    for right in SPELT[place]:
        for wrong in typos(right):
            if wrong in SPELT[place] or stem(wrong) in FOREIGN:
                continue
            hint = did_you_mean(wrong, SPELT[place])
            assert repr(right) in hint or min(map(len, re.split("[_-]", right))) < 3, f"{wrong}: {hint}"


@pytest.mark.parametrize("place", SPELT)
def test_two_wrong_letters_are_corrected_or_left_alone(place: str) -> None:
    draw = random.Random(place)
    for right in sorted(SPELT[place]):
        for once in draw.sample(sorted(typos(right)), 6):
            for wrong in draw.sample(sorted(typos(once)), 6):
                if wrong in SPELT[place] or len(wrong) < 5:
                    continue
                hint = did_you_mean(wrong, SPELT[place])
                assert not hint or repr(right) in hint, f"{right} as {wrong}: {hint}"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("bondareis", "boundaries"), ("stairecsae", "staircase"), ("paitance", "patience"), ("lenght_facter", "length_factor"),
        ("dcay_stesp", "decay_steps"), ("inti_vaule", "init_value"), ("accumlat", "accumulate"), ("shedulles", "schedules"),
        ("warm_up", "warmup"), ("initValue", "init_value"), ("Total-Steps", "total_steps"), ("cool_down", "cooldown"),
    ],
)  # fmt: skip
def test_a_misspelt_word_gets_the_nearest_word(wrong: str, right: str) -> None:
    everything = sorted({field for fields in SPELT.values() for field in fields})
    assert did_you_mean(wrong, everything) == f"; did you mean {right!r}?"


@pytest.mark.parametrize(
    "wrong",
    [
        "max_scale",
        "mx_scale",
        "end_valeu_x",
        "down_steps",
        "local_steps",
        "decay_ratio",
        "total_epochs",
        "peak_value",
        "start",
        "op_steps",
        "e_p",
        "watxh_in_coldwn",
        "m_od",
    ],
)
def test_a_word_of_another_meaning_is_not_taken_for_a_misspelling(wrong: str) -> None:
    known = [
        "eps",
        "watch_in_cooldown",
        "mode",
        "min_scale",
        "init_value",
        "up_steps",
        "total_steps",
        "decay_rate",
        "value",
        "shape",
    ]
    assert did_you_mean(wrong, known) == ""


def test_random_words_get_no_suggestion() -> None:
    draw = random.Random(8)
    for place, known in SPELT.items():
        for _ in range(200):
            word = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz_", k=draw.randint(5, 14)))
            assert did_you_mean(word, known) == "", f"{place}: {word}"


def test_two_words_that_are_equally_near_are_both_named() -> None:
    assert did_you_mean("btol", ["rtol", "atol"]) == "; did you mean 'rtol' or 'atol'?"
    assert did_you_mean("tol", ["rtol", "atol", "ptol"]) == ""


@pytest.mark.parametrize("word", ["x" * 10**6, 3, None, "", ["lr"]])
def test_something_that_is_not_a_word_gets_no_hint(word: Any) -> None:
    assert did_you_mean(word, ["decay_steps"]) == ""


# --- arguments in Python ----------------------------------------------------------------------------------------------

UNTYPED: Any = lrcore  # what a type checker would refuse before


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: UNTYPED.Cosine(lr=0.1, T_max=100), "Cosine: .*got 'lr'; lr is `init_value`$"),
        (lambda: UNTYPED.Cosine(init_value=0.1, warmup_steps=5), r"is `steps` of \.warmup\(\.\.\.\)$"),
        (lambda: UNTYPED.Constant(0.1).warmup(num_warmup_steps=5), "Schedule.warmup: .*num_warmup_steps is `steps`"),
        (lambda: UNTYPED.Constant(0.1).warmup(stps=5), r"did you mean 'steps'\?$"),
        (lambda: UNTYPED.Constant(0.1).cooldown(eta_min=5), "Schedule.cooldown: .*eta_min is `end_value`$"),
        (lambda: UNTYPED.Plateau(lrcore.Constant(0.1), min_lr=0.01), "Plateau: .*min_scale = min_lr / learning rate$"),
        (lambda: UNTYPED.one_cycle(max_lr=0.1), "one_cycle: .*max_lr is `peak_value`$"),
        (lambda: UNTYPED.Exponential(step_size=3), "`staircase` = True$"),
    ],
)  # fmt: skip
def test_an_argument_of_another_library_is_named_as_it_is_here(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(TypeError, match=said):
        call()


def test_a_name_that_lrcore_does_not_have_gets_a_hint() -> None:
    with pytest.raises(AttributeError, match=r"'lrcore' has no attribute 'StepLR'; StepLR is lrcore\.Exponential with"):
        lrcore.StepLR  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"Warmup is a method: schedule\.warmup\("):
        lrcore.Warmup  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match=r"did you mean 'Cosine'\?$"):
        lrcore.Cosin  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(lrcore, "__wrapped__")


def test_a_function_that_explains_its_arguments_keeps_its_name_and_signature() -> None:
    assert inspect.signature(lrcore.one_cycle).parameters["pct_start"].default == 0.3
    assert "Rise to a peak" in str(lrcore.one_cycle.__doc__)
    assert list(inspect.signature(lrcore.Schedule.warmup).parameters)[:2] == ["self", "steps"]


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_is_up_to_date() -> None:
    assert foreign_words.PAGE.read_text(encoding="utf-8") == foreign_words.page(), "run nox -s pages"
