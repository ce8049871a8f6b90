"""Pictures of an audit: the intended and the logged rate, the deviation below, and the answer above."""

from __future__ import annotations

import itertools
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrcore.checks.log import Log
from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

_MOST_POINTS = 4_000  # of a curve; more are thinned to the lowest and highest of each stretch
_MARKED = 400  # points up to which each gets a mark
_LINE = 120  # letters of a line of the answer
_LETTER = 0.0115  # the width of a letter of a band's words, as a part of the axes' width
_INTENDED, _LOGGED, _BANDS = "#1f77b4", "#d95f02", ("#7f7f7f", "#2ca02c")
_PAGE_TITLE = "lrcore: logged and intended rate"


@dataclass(frozen=True, eq=False)
class _Band:
    """A part of the log, from one update to another, in words."""

    first: float
    last: float
    words: str


@dataclass(frozen=True, eq=False)
class _Picture:
    """What is drawn, without a word about how.

    Attributes:
        lines: the answer, wrapped.
        updates: of the points of the log, in its order; NaN between two sessions breaks their curve.
        logged: their rates.
        deviations: logged less intended; None where no schedule is known.
        intended: the updates and the rates of the schedule; None where none is known.
        bands: the parts of the log, if there are several.
        log_scale: whether the axis of the rates is logarithmic.
    """

    lines: list[str]
    updates: Numbers
    logged: Numbers
    deviations: Numbers | None
    intended: tuple[Numbers, Numbers] | None
    bands: tuple[_Band, ...]
    log_scale: bool

    @property
    def furthest(self) -> float:
        """The end of the axis of the deviations, not below a millionth of the rates: noise in a last digit is no picture."""
        assert self.deviations is not None
        largest, rates = (float(np.nanmax(np.abs(one))) for one in (self.deviations, self.logged))
        return max(1.1 * largest, 1e-6 * rates, 1e-300)

    @property
    def is_marked(self) -> bool:
        """Whether the points are few enough for a mark at each."""
        return len(self.updates) <= _MARKED


def draw(found: Any, path: str | PathLike[str], *, log_scale: bool = False) -> None:
    """Draw what `audit` or `infer` found.

    Args:
        found: the record; its log, schedule, lag and segments are drawn, and its text stands above.
        path: a file that ends in .png, .svg or .pdf, or in .html: one page that needs no network, to zoom in.
        log_scale: whether the axis of the rates is logarithmic; rates that are not above 0 are left out.

    Raises:
        ScheduleError: another suffix, a place that cannot be written, or no rate above 0 for a logarithmic axis.
        MissingExtraError: without matplotlib, or without bokeh for a page.
    """
    path = Path(path)
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        known, suffix = ", ".join(_WRITERS), path.suffix or "no suffix"
        raise ScheduleError(str(path), f"expected a file that ends in one of {known}; got {suffix!r}")
    if log_scale and not (found.log.values > 0).any():
        raise ScheduleError(str(path), "expected a rate above 0 for a logarithmic axis; got none")
    try:
        writer(_picture(found, log_scale=log_scale), path)
    except OSError as error:
        raise ScheduleError(str(path), f"expected a file that can be written; got: {error.strerror}") from None


# --- what is drawn ----------------------------------------------------------------------------------------------------


def _picture(found: Any, *, log_scale: bool) -> _Picture:
    log: Log = found.log
    lag = found.lag or 0
    updates = np.maximum(log.steps - lag, 0)
    schedule = found.schedule.schedule if isinstance(found.schedule, Plateau) else found.schedule
    deviations = None if schedule is None else log.values - schedule.values(updates)
    rows = _shown(updates, *([log.values] if deviations is None else [log.values, deviations]))
    breaks = np.flatnonzero(np.diff(updates[rows]) < 0) + 1
    return _Picture(
        textwrap.wrap(" ".join(str(found).split()), _LINE),
        np.insert(updates[rows].astype(np.float64), breaks, np.nan),
        np.insert(log.values[rows], breaks, np.nan),
        None if deviations is None else np.insert(deviations[rows], breaks, np.nan),
        None if schedule is None else _intended(schedule, int(updates.max())),
        tuple(_band(one, lag) for one in getattr(found, "segments", ())),
        log_scale,
    )


def _band(segment: Any, lag: int) -> _Band:
    return _Band(float(max(segment.first - lag, 0)), float(max(segment.last - lag, 0)), segment.words)


def _shown(updates: NDArray[np.int64], *curves: Numbers) -> NDArray[np.int64]:
    """The rows that are drawn: all, or the lowest and the highest of each stretch, and where a session ends."""
    count = len(updates)
    if count <= _MOST_POINTS:
        return np.arange(count)
    back = np.flatnonzero(np.diff(updates) < 0)
    stretches = np.array_split(np.arange(count), _MOST_POINTS // (2 * len(curves)))
    extremes = [
        int(rows[place])
        for rows in stretches
        for curve in curves
        for place in (curve[rows].argmin(), curve[rows].argmax())
    ]
    return np.unique([0, count - 1, *back[:_MOST_POINTS], *(back[:_MOST_POINTS] + 1), *extremes])


def _intended(schedule: Schedule, last: int) -> tuple[Numbers, Numbers]:
    """The schedule over the updates of the log: at even steps, and at both sides of its breakpoints."""
    even = np.linspace(0, last, _MOST_POINTS).astype(np.int64)
    breaks = np.array([*itertools.islice(schedule.timeline.breakpoints(last + 1), _MOST_POINTS)], dtype=np.int64)
    steps = np.unique(np.concatenate([even, breaks, np.maximum(breaks - 1, 0)]))
    return steps.astype(np.float64), schedule.values(steps)


# --- matplotlib -------------------------------------------------------------------------------------------------------


def _with_matplotlib(picture: _Picture, path: Path) -> None:
    try:
        from matplotlib.figure import Figure  # not pyplot, which changes global state and may open a window
    except ModuleNotFoundError as error:
        raise MissingExtraError("lrcore.checks", package="matplotlib", extra="plot") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of glyphs that a font lacks
        rows = 1 if picture.deviations is None else 2
        figure = Figure(figsize=(9, 3.2 + 1.4 * rows + 0.2 * len(picture.lines)), layout="constrained")
        axes = figure.subplots(rows, 1, sharex=True, squeeze=False, height_ratios=[3, 1][:rows])[:, 0]
        _draw_rates(axes[0], picture)
        if picture.deviations is not None:
            _draw_deviations(axes[1], picture, picture.deviations)
        for one in axes:
            _draw_bands(one, picture, named=one is axes[0])
            one.grid(visible=True, alpha=0.3)
            one.spines[["top", "right"]].set_visible(False)
        axes[-1].set_xlabel("update")
        answer = figure.suptitle("\n".join(picture.lines), fontsize=10, x=0.01, ha="left")
        answer.set_parse_math(False)
        figure.savefig(path, dpi=150)


def _draw_rates(axes: Any, picture: _Picture) -> None:
    from matplotlib.ticker import EngFormatter

    if picture.intended is not None:
        axes.plot(*picture.intended, color=_INTENDED, linewidth=3, alpha=0.6, label="intended")
    _draw_points(axes, picture, picture.logged)
    axes.set_ylabel("learning rate")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    if picture.log_scale:
        axes.set_yscale("log", nonpositive="mask")
    else:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.legend(frameon=False, fontsize="small", loc="best")


def _draw_points(axes: Any, picture: _Picture, values: Numbers) -> None:
    marker = "o" if picture.is_marked else None
    axes.plot(picture.updates, values, color=_LOGGED, linewidth=1, marker=marker, markersize=2.5, label="logged")


def _draw_deviations(axes: Any, picture: _Picture, deviations: Numbers) -> None:
    axes.axhline(0, color=_INTENDED, linewidth=1, alpha=0.6)
    _draw_points(axes, picture, deviations)
    axes.set_ylabel("logged - intended")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_ylim(-picture.furthest, picture.furthest)


def _draw_bands(axes: Any, picture: _Picture, *, named: bool) -> None:
    """Colour the parts of the log, and write what each is where it fits."""
    low, high = axes.get_xlim()
    for number, band in enumerate(picture.bands if len(picture.bands) > 1 else ()):
        axes.axvspan(band.first, band.last, color=_BANDS[number % 2], alpha=0.08, linewidth=0)
        letters = int((band.last - band.first) / (high - low) / _LETTER)
        if named and letters >= 8:
            text = textwrap.fill(band.words, letters, break_long_words=False)
            place = ((band.first + band.last) / 2, 0.98)
            axes.annotate(
                text, place, xycoords=("data", "axes fraction"), ha="center", va="top", fontsize=8, color="#444444"
            )


# --- bokeh ------------------------------------------------------------------------------------------------------------


def _with_bokeh(picture: _Picture, path: Path) -> None:
    try:
        from bokeh.embed import file_html
        from bokeh.layouts import column
        from bokeh.models import ColumnDataSource
        from bokeh.resources import INLINE
    except ModuleNotFoundError as error:
        raise MissingExtraError("lrcore.checks", package="bokeh", extra="html") from error
    columns = {"update": picture.updates, "logged": picture.logged}
    if picture.deviations is not None:
        columns |= {"deviation": picture.deviations, "intended": picture.logged - picture.deviations}
    figures = list(_figures(picture, ColumnDataSource(columns)))
    page = file_html(column(*figures, sizing_mode="stretch_width"), INLINE, title=_PAGE_TITLE)
    path.write_text(page, encoding="utf-8")


def _figures(picture: _Picture, source: Any) -> Iterator[Any]:
    """The figure of the rates and, where a schedule is known, that of the deviations, which moves along with it."""
    from bokeh.models.annotations import Title

    scale = "log" if picture.log_scale else "linear"
    rates = _figure("learning rate", 420, y_axis_type=scale)
    for line in reversed(picture.lines):
        rates.add_layout(Title(text=line, text_font_style="normal"), "above")
    if picture.intended is not None:
        rates.line(*picture.intended, color=_INTENDED, line_width=4, alpha=0.6, legend_label="intended")
    _add_points(rates, picture, source, "logged")
    _add_bands(rates, picture)
    legend = rates.legend[0]
    legend.orientation, legend.click_policy, legend.border_line_width = "horizontal", "hide", 0
    rates.add_layout(legend, "above")
    yield rates
    if picture.deviations is not None:
        ends = (-picture.furthest, picture.furthest)
        below = _figure("logged - intended", 180, x_range=rates.x_range, y_range=ends, x_axis_label="update")
        below.line([0, float(np.nanmax(picture.updates))], [0, 0], color=_INTENDED, alpha=0.6)
        _add_points(below, picture, source, "deviation")
        below.toolbar_location = None  # the one above acts on both, which share their updates
        yield below


def _figure(label: str, height: int, **options: Any) -> Any:
    from bokeh.models import NumeralTickFormatter, PrintfTickFormatter
    from bokeh.plotting import figure

    tools = "pan,box_zoom,xwheel_zoom,wheel_zoom,reset,save"
    made = figure(height=height, tools=tools, active_scroll="xwheel_zoom", y_axis_label=label, **options)
    made.sizing_mode = "stretch_width"
    made.toolbar.logo = None
    made.toolbar_location = "above"
    made.min_border_left = 90  # so that both frames begin at one place
    made.xaxis.formatter = NumeralTickFormatter(format="0,0")
    made.yaxis.formatter = PrintfTickFormatter(format="%.4g")
    return made


def _add_points(figure: Any, picture: _Picture, source: Any, name: str) -> None:
    """The curve of a column, which shows its numbers under the pointer."""
    from bokeh.models import HoverTool

    legend = {"legend_label": "logged"} if name == "logged" else {}
    figure.line("update", name, source=source, color=_LOGGED, **legend)
    size = 4 if picture.is_marked else 1
    points = figure.scatter("update", name, source=source, color=_LOGGED, size=size, **legend)
    shown = ["logged", *(["intended", "deviation"] if picture.deviations is not None else [])]
    tips = [("update", "@update{0,0}"), *((one, f"@{one}{{%.9g}}") for one in shown)]
    formatters: Any = {f"@{one}": "printf" for one in shown}
    figure.add_tools(HoverTool(renderers=[points], tooltips=tips, formatters=formatters, mode="vline"))


def _add_bands(figure: Any, picture: _Picture) -> None:
    from bokeh.models.annotations import BoxAnnotation, Label

    for number, band in enumerate(picture.bands if len(picture.bands) > 1 else ()):
        colour = _BANDS[number % 2]
        figure.add_layout(BoxAnnotation(left=band.first, right=band.last, fill_color=colour, fill_alpha=0.08))
        place: Any = {"x": band.first, "y": 4, "y_units": "screen"}
        figure.add_layout(Label(**place, text=f" {band.words}", text_font_size="11px", text_color="#444444"))


_WRITERS = {
    ".png": _with_matplotlib,
    ".svg": _with_matplotlib,
    ".pdf": _with_matplotlib,
    ".html": _with_bokeh,
}
