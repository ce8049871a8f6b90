"""How schedules draw themselves: in a notebook, into the axes of matplotlib, in terminals without braille."""

from __future__ import annotations

import itertools
import math
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from click.testing import CliRunner
from hypothesis import given
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import lrcore
from lrcore import Constant, Cosine, Exponential, Function, Linear, PiecewiseConstant, Plateau, Schedule, ScheduleError
from lrcore.show import cli, describe, figure, plot
from tests.kinds import KINDS
from tests.strategies import schedules

COSINE = Cosine(init_value=0.3, end_value=0.03, decay_steps=900).warmup(100).cooldown(200)
STAIRS = Exponential(init_value=0.3, decay_rate=0.5, decay_steps=150, staircase=True)
ROUGH = PiecewiseConstant(boundaries=range(1, 20_001), values=[number * 7919 % 1000 / 1000 for number in range(20_001)])
SVG = "{http://www.w3.org/2000/svg}"
SMALL = 30_000


@pytest.fixture(autouse=True)
def headless() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


def html(thing: Any) -> str:
    return str(thing._repr_html_())


def drawing(thing: Any) -> ET.Element:
    """The picture that a notebook shows, read as XML."""
    picture = ET.fromstring(html(thing)).find(f"{SVG}svg")
    assert picture is not None
    return picture


def points(thing: Any) -> list[tuple[float, float]]:
    """The points of the drawn curve."""
    [curve] = [path for path in drawing(thing).iter(f"{SVG}path") if path.get("stroke-width") == "2"]
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", curve.get("d", ""))]


# --- in a notebook ----------------------------------------------------------------------------------------------------


def test_a_notebook_shows_the_curve_the_phases_and_the_call() -> None:
    texts = [text.text for text in drawing(COSINE).iter(f"{SVG}text")]
    assert {"learning rate", "step", "0.3", "1k"} <= set(texts)
    assert texts[-4:] == ["1", "2", "3", "4"]  # where the phases of the list begin
    items = [item.text for item in ET.fromstring(html(COSINE)).iter("li")]
    assert items == [f"{span}: {words}" for span, words in describe.outline(COSINE)[0]]
    assert items[1] == "steps 100 to 999: cosine fall from 0.3 to 0.03"
    assert f"<code>{COSINE!r}</code>" in html(COSINE)


def test_the_drawn_curve_is_the_schedule() -> None:
    places = points(Linear(init_value=1.0, decay_steps=100))
    assert places[0] == (64, 20)  # the top left corner: step 0, the highest tick
    assert places[-1] == (628, 214)  # the bottom right: 0
    assert places[-2] == (round(64 + 564 / 1.1, 1), 214)
    assert all(x0 <= x1 for (x0, _), (x1, _) in itertools.pairwise(places))


def test_a_notebook_says_when_a_plateau_reduces() -> None:
    text = html(Plateau(COSINE, factor=0.5, patience=3))
    assert "plateau: times 0.5 when more than 3 reports in a row are not better" in text
    assert "cosine fall" in text


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_shown_small(name: str) -> None:
    assert drawing(KINDS[name]) is not None
    assert len(html(KINDS[name])) < SMALL


@given(schedules())
def test_every_schedule_is_shown_small(schedule: Schedule) -> None:
    text = html(schedule)
    assert "No picture" not in text
    assert len(text) < SMALL
    ET.fromstring(text)


def test_the_roughest_curve_is_small_and_shows_its_extremes() -> None:
    for rough in (ROUGH, lrcore.Every(ROUGH, steps=7), lrcore.Repeat(ROUGH, period=777)):
        assert "No picture" not in html(rough)
        assert len(html(rough)) < SMALL
    assert len(html(lrcore.Sum([STAIRS.warmup(number) for number in range(99)]))) < SMALL
    assert "and 19,989 more" in html(ROUGH)
    spike = PiecewiseConstant(boundaries=[50_000, 50_001, 100_000], values=[0.1, 0.9, 0.1, 0.1])
    assert min(y for _, y in points(spike)) < 40
    dip = PiecewiseConstant(boundaries=[50_000, 50_001, 100_000], values=[0.9, 0.1, 0.9, 0.9])
    assert max(y for _, y in points(dip)) > 180


@pytest.mark.parametrize("value", [0.0, 1e-320, 1.7e308, -1.7e308, -0.5])
def test_values_of_any_size_are_drawn(value: float) -> None:
    assert all(20 <= y <= 214 for _, y in points(Constant(value).warmup(10)))


def test_names_given_by_a_user_are_escaped() -> None:
    def function(step: int) -> float:
        return 0.1

    function.__qualname__ = "<script>alert('&')</script>"
    assert "<script>" not in html(Function(function))
    assert "&lt;script&gt;" in html(Function(function))


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        (Function(lambda step: 1 / 0), "No picture: ZeroDivisionError: division by zero"),
        (Function(lambda step: math.nan), "No picture: ScheduleError: "),
        (Constant(0.1) + Function(lambda step: [][step]), "No picture: IndexError: "),
    ],
    ids=["raises", "nan", "inside"],
)
def test_a_schedule_that_cannot_be_drawn_shows_the_reason(thing: Any, text: str) -> None:
    assert text in html(thing)


def test_a_notebook_needs_neither_numpy_nor_matplotlib() -> None:
    program = (
        "import sys, lrcore\ntext = lrcore.Constant(0.1).warmup(5)._repr_html_()\nassert '<svg' in text\n"
        "print([name for name in ('numpy', 'matplotlib', 'plotille', 'click') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, encoding="utf-8")
    assert result.stdout == "[]\n"


# --- into the axes of matplotlib --------------------------------------------------------------------------------------


def drawn(things: Sequence[Any], **options: Any) -> Any:
    axes = Figure().add_subplot()
    for thing in things:
        assert thing.plot(axes=axes, **options) is axes
    return axes


def looks(axes: Any) -> list[tuple[Any, Any]]:
    """What tells the lines of a picture apart beside their width."""
    return [(line.get_color(), line._unscaled_dash_pattern) for line in axes.get_lines()]


def test_plot_gives_axes_that_say_what_they_show() -> None:
    axes: Any = COSINE.plot()
    assert axes is plt.gca()
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "learning rate")
    assert axes.get_title() == repr(COSINE)[:57] + "..."
    assert axes.get_legend() is None
    assert axes.get_xlim() == (0, 1320)
    line: Any = axes.get_lines()[0]
    assert (list(line.get_xdata()), list(line.get_ydata())) == plot.curve(COSINE, 1320)


def test_several_schedules_are_drawn_into_the_same_axes() -> None:
    first: Any = COSINE.plot(label="one")
    second: Any = Constant(0.1).plot(label="$two_")
    assert first is second
    assert first.get_title() == "learning-rate schedules"
    assert [text.get_text() for text in first.get_legend().get_texts()] == ["one", "$two_"]
    assert {line.get_xdata()[-1] for line in first.get_lines()} == {1320}


def test_what_the_user_wrote_into_the_axes_stays() -> None:
    axes: Any = Figure().add_subplot(xlabel="updates", ylabel="weight decay", title="mine")
    axes.plot([0, 1], [0, 1], color="red", label="loss")
    COSINE.plot(axes=axes, label="lr")
    Constant(0.1).plot(axes=axes, label="flat")
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == ("updates", "weight decay", "mine")
    assert axes.get_lines()[0].get_color() == "red"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["lr", "flat", "loss"]


def test_phases_are_marked() -> None:
    axes = drawn([COSINE])
    line, *between = axes.get_lines()
    assert [line.get_xdata()[place] for place in line.get_markevery()] == [100, 1000, 1200]
    [above] = axes.child_axes
    assert [text.get_text() for text in above.get_xticklabels()] == ["cosine fall", "linear fall"]
    assert [upright.get_xdata()[0] for upright in between] == [100, 1000, 1200]
    Constant(0.1).plot(axes=axes)
    assert not axes.child_axes
    assert len(axes.get_lines()) == 2


def test_too_many_phases_are_not_marked() -> None:
    [line] = drawn([ROUGH]).get_lines()
    assert line.get_marker() == "None"


def test_forty_curves_are_told_apart() -> None:
    axes = drawn([Linear(init_value=float(number), decay_steps=100) for number in range(1, 41)])
    assert len({str(look) for look in looks(axes)}) == 40


@pytest.mark.parametrize("count", [2, 3, 5])
def test_curves_that_coincide_are_drawn_with_alternating_dashes(count: int) -> None:
    axes = drawn([COSINE] * count + [Constant(0.1)])
    inked, period = [], 4 * count
    for line in axes.get_lines()[:count]:
        offset, (on, off) = line._unscaled_dash_pattern
        assert on + off == period
        inked.append({at for at in range(period) if (at + offset) % period < on})
    assert set.union(*inked) == set(range(period))
    assert sum(map(len, inked)) == period
    assert axes.get_lines()[count]._unscaled_dash_pattern == (0, None)


def test_a_curve_along_another_leaves_its_edges_to_see() -> None:
    lines = drawn([Constant(0.1).warmup(number) for number in range(5, 11)]).get_lines()
    behind = sorted(lines, key=lambda line: line.get_zorder())
    assert [line.get_linewidth() for line in behind] == sorted((line.get_linewidth() for line in lines), reverse=True)
    assert len({line.get_linewidth() for line in lines}) == 4


def test_steps_and_log_set_the_axes() -> None:
    axes = drawn([COSINE], steps=1e5, log=True)
    assert axes.get_xlim() == (0, 100_000)
    assert axes.get_yscale() == "log"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "Constant.plot.steps: expected an integer from 1 to 2**53; got 0"),
        ({"steps": 2**60}, "Constant.plot.steps: expected an integer from 1 to 2**53; got 1152921504606846976"),
        ({"steps": 1.5}, "Constant.plot.steps: expected an integer from 1 to 2**53; got 1.5"),
        ({"steps": "x"}, "Constant.plot.steps: expected an integer from 1 to 2**53; got 'x'"),
        ({"steps": True}, "Constant.plot.steps: expected an integer from 1 to 2**53; got true"),
        ({"axes": "x"}, "Constant.plot.axes: expected the axes of matplotlib; got 'x'"),
        ({"axes": Figure()}, "Constant.plot.axes: expected the axes of matplotlib; got <Figure size"),
        (
            {"log": True, "label": "none"},
            "none: expected a value above 0 for a logarithmic axis; got none up to step 100",
        ),
    ],
)
def test_a_wrong_argument_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Constant(0.0).plot(**options)
    assert str(caught.value).startswith(message)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r'^Plateau\.plot: needs matplotlib, .*"lrcore\[plot\]"$'):
        Plateau(COSINE).plot()


def test_what_matplotlib_cannot_draw_is_refused() -> None:
    with pytest.raises(
        ScheduleError, match=r"^huge: expected values up to 1e\+300, which matplotlib can draw; got larger"
    ):
        Constant(-1.7e308).plot(label="huge")


@pytest.mark.parametrize("value", [0.0, 1e-320, 1e300, -1e300])
def test_matplotlib_warns_of_nothing(value: float, tmp_path: Path) -> None:
    names = {"$\\no{$ \u6f22\u5b57": Constant(value).warmup(10), "_b": Linear(init_value=value, decay_steps=1)}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.to_file(names, tmp_path / "curves.png", 20)
        COSINE.plot()


def test_a_name_with_dollar_signs_is_not_read_as_a_formula(tmp_path: Path) -> None:
    r"""matplotlib would take what stands between two $ for one, and refuse this."""
    name = r"$\no{$.toml"
    figure.to_file({name: COSINE}, tmp_path / "title.png", 20)
    figure.to_file({name: COSINE, "other": COSINE}, tmp_path / "legend.png", 20)


# --- in a terminal ----------------------------------------------------------------------------------------------------


def shown(*arguments: str, tmp_path: Path, charset: str = "utf-8") -> str:
    path = tmp_path / "schedule.toml"
    path.write_text(lrcore.dumps(COSINE), encoding="utf-8")
    result = CliRunner(env={"COLUMNS": "60"}, charset=charset).invoke(cli.main, ["show", str(path), *arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("charset", ["ascii", "latin-1", "cp437"])
def test_without_braille_the_curve_is_drawn_in_ascii(charset: str, tmp_path: Path) -> None:
    output = shown(tmp_path=tmp_path, charset=charset)
    assert output.isascii()
    assert "?" not in output
    assert output == shown("--ascii", tmp_path=tmp_path)
    assert not shown(tmp_path=tmp_path).isascii()


@given(schedules())
def test_the_ascii_drawing_has_a_character_wherever_braille_has_a_dot(schedule: Schedule) -> None:
    braille = plot.in_terminal(schedule, describe.display_range(schedule), 70)
    plain = plot.in_ascii(braille)
    assert plain.isascii()
    assert len(plain) == len(braille)
    for before, after in zip(braille, plain, strict=True):
        assert (after == " ") == (before in " \u2800")


def test_the_ascii_drawing_follows_the_curve_within_one_character() -> None:
    assert plot.in_ascii("⠉⠒⠤⣀⠁⠈⠂⠄⡀⢀⠑⢄") == "'--.''--..'."
    assert plot.in_ascii("⡇⢸⣿⠸⢠│┤└─┬") == "||||.||+-+"


@pytest.mark.parametrize("text", ["1000", "1e3", "1_000", "1E+3", "1000.0", "0.1e4"])
def test_steps_are_written_as_in_files(text: str, tmp_path: Path) -> None:
    assert "step 1,000  0.03\n" in shown("--steps", text, tmp_path=tmp_path)


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "1e17", "1e999999", "nan", "inf", "many", ""])
def test_what_is_no_number_of_steps_is_refused(text: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(cli.main, ["show", "schedule.toml", "--steps", text])
    assert result.exit_code == 2
    assert f"'--steps': expected an integer from 1 to 2**53, such as 100_000 or 1e5; got {text!r}" in result.stderr
