"""Pictures of a log beside its schedule: files that hold the answer, and what cannot be drawn."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import lrcore
from lrcore.checks.log import Log
from lrcore.checks.logs import read_log
from lrcore.checks.picture import draw

SCHEDULE = lrcore.Cosine(init_value=1e-3, decay_steps=900).warmup(100)
TYPES = (".png", ".svg", ".pdf", ".html")


@dataclass(frozen=True)
class Part:
    first: int
    last: int
    words: str


@dataclass(frozen=True)
class Found:
    """What a picture asks of a record."""

    log: Log
    schedule: lrcore.Schedule | lrcore.Plateau | None = SCHEDULE
    lag: int | None = None
    segments: tuple[Part, ...] = ()

    def __str__(self) -> str:
        return "From update 500 on it is 500 updates behind: its state was not restored on resume."


def resumed(count: int = 200) -> Found:
    """A run whose schedule begins anew in its middle."""
    steps = np.linspace(0, 999, count).astype(int)
    log = read_log((steps, SCHEDULE.values(np.where(steps < 500, steps, steps - 500))))
    return Found(log, segments=(Part(0, 499, "follows the schedule"), Part(500, 999, "500 updates behind")))


@pytest.mark.parametrize("log_scale", [False, True])
@pytest.mark.parametrize("suffix", TYPES)
def test_a_picture_is_written(suffix: str, log_scale: bool, tmp_path: Path) -> None:
    if suffix == ".html":
        pytest.importorskip("bokeh")
    path = tmp_path / f"picture{suffix}"
    draw(resumed(), path, log_scale=log_scale)
    assert 10_000 < path.stat().st_size < 2_000_000


def test_a_page_holds_all_that_it_needs(tmp_path: Path) -> None:
    pytest.importorskip("bokeh")
    path = tmp_path / "picture.html"
    draw(resumed(), path)
    page = path.read_text(encoding="utf-8")
    assert "its state was not restored on resume" in page
    assert "500 updates behind" in page
    assert re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=", page) == []


@pytest.mark.parametrize("suffix", [".png", ".html"])
@pytest.mark.parametrize(
    "found",
    [
        Found(read_log(([0, 1, 2], [0.1, 0.2, 0.3])), None),
        Found(read_log(([5], [0.1])), lag=1),
        Found(read_log(([5, 6, 5, 6], [0.1, 0.0, 0.1, -0.1]))),
        Found(read_log(([0, 1], [0.0, 0.0])), lrcore.Constant(0.0)),
        Found(read_log(([0, 1], [0.1, 0.1])), lrcore.Plateau(lrcore.Constant(0.1))),
    ],
    ids=["no schedule", "one point", "two sessions", "zeros", "a plateau"],
)
def test_any_log_can_be_drawn(found: Found, suffix: str, tmp_path: Path) -> None:
    if suffix == ".html":
        pytest.importorskip("bokeh")
    path = tmp_path / f"picture{suffix}"
    draw(found, path)
    assert path.exists()


def test_a_long_log_is_thinned_to_what_a_picture_shows(tmp_path: Path) -> None:
    """A single rate that is off stays visible among a hundred thousand."""
    pytest.importorskip("bokeh")
    steps = np.arange(100_000)
    values = np.full(100_000, 0.1)
    values[54_321] = 0.3
    path = tmp_path / "picture.html"
    draw(Found(read_log((steps, values)), lrcore.Constant(0.1)), path)
    assert path.stat().st_size < 2_000_000
    draw(Found(read_log((steps, values)), lrcore.Constant(0.1)), tmp_path / "picture.png")


@pytest.mark.parametrize(
    ("name", "rates", "log_scale", "problem"),
    [
        ("a.gif", [0.1], False, "expected a file that ends in one of .png, .svg, .pdf, .html; got '.gif'"),
        ("a", [0.1], False, "expected a file that ends in one of .png, .svg, .pdf, .html; got 'no suffix'"),
        ("a.png", [0.0], True, "expected a rate above 0 for a logarithmic axis; got none"),
        ("none/a.png", [0.1], False, "expected a file that can be written; got: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    name: str, rates: list[float], log_scale: bool, problem: str, tmp_path: Path
) -> None:
    with pytest.raises(lrcore.ScheduleError) as error:
        draw(Found(read_log(([0], rates))), tmp_path / name, log_scale=log_scale)
    assert str(error.value) == f"{tmp_path / name}: {problem}"


@pytest.mark.parametrize(("suffix", "package", "extra"), [(".png", "matplotlib", "plot"), (".html", "bokeh", "html")])
def test_a_package_that_is_absent_is_named(
    suffix: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (package, f"{package}.figure", f"{package}.embed"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(lrcore.MissingExtraError, match=rf'needs {package}, .*pip install "lrcore\[{extra}\]"'):
        draw(resumed(), tmp_path / f"a{suffix}")
