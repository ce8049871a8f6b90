"""Draws schedules with matplotlib, into a file or into given axes."""

from __future__ import annotations

import bisect
import math
import operator
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import MissingExtraError, ScheduleError
from lrcore.records import short
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.show import describe
from lrcore.show.plot import curve

FILE_TYPES = (".png", ".svg", ".pdf")
_COMMON_TITLE = "learning-rate schedules"
_PHASES_GID = "lrcore phases"
_CURVE_GID = "lrcore curve"
_STYLES = ("solid", "dashed", "dotted", "dashdot")
_WIDTHS, _SINGLE_WIDTH = (3.4, 2.4, 1.6, 1.0), 2.0
_DASH = 4.0
_LARGEST = 1e300  # beyond it the margins of the axes overflow float64
_LEGEND_ROWS = 20
_MAX_NAMES_INSIDE = 8  # a longer legend is put beside the axes
_LETTER_WIDTH = 0.0105  # the width of a letter above the axes, as a fraction of the axes' width


def to_file(schedules: Mapping[str, Schedule], path: Path, steps: int, *, log: bool = False) -> None:
    """Draw schedules into one picture.

    Args:
        schedules: by the names that the legend shows.
        path: a file that ends in .png, .svg or .pdf.
        steps: the last step that is drawn.
        log: whether the axis of the values is logarithmic; values that are not above 0 are left out.

    Raises:
        ScheduleError: another suffix, a place that cannot be written, or no value above 0 for a logarithmic axis.
        MissingExtraError: without matplotlib.
    """
    if path.suffix.lower() not in FILE_TYPES:
        known = ", ".join(FILE_TYPES)
        raise ScheduleError(
            str(path), f"expected a file that ends in one of {known}; got {path.suffix or 'no suffix'!r}"
        )
    with _matplotlib("lrcore plot"):
        from matplotlib.figure import Figure  # not pyplot, which changes global state and may open a window

        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for name, schedule in schedules.items():
            _add(axes, name, schedule, steps, log=log)
        try:
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise ScheduleError(str(path), f"expected a file that can be written; got: {error.strerror}") from None


def into_axes(given: Any, steps: int | None, axes: Any, label: str | None, *, log: bool) -> Any:
    """Draw one schedule into the given axes, or else pyplot's current ones: see `Schedule.plot`."""
    schedule: Schedule = given.schedule if isinstance(given, Plateau) else given
    where = f"{type(given).__name__}.plot"
    with _matplotlib(where):
        if axes is None:
            from matplotlib import pyplot as plt

            axes = plt.gca()
        if not hasattr(axes, "secondary_xaxis"):
            raise ScheduleError(f"{where}.axes", f"expected the axes of matplotlib; got {short(axes)}")
        drawn = [int(line.get_xdata()[-1]) for line in _curves(axes)]
        last = max([describe.display_range(schedule), *drawn]) if steps is None else _checked_steps(steps, where)
        _add(axes, short(given) if label is None else label, schedule, last, log=log)
    return axes


def _checked_steps(steps: Any, where: str) -> int:
    """The number of steps as an int; a whole float such as 1e5 is accepted."""
    whole: Any = int(steps) if isinstance(steps, float) and steps.is_integer() else steps
    if isinstance(whole, bool) or not hasattr(whole, "__index__") or not 1 <= operator.index(whole) <= LAST_STEP:
        raise ScheduleError(f"{where}.steps", f"expected an integer from 1 to 2**53; got {short(steps)}")
    return operator.index(whole)


@contextmanager
def _matplotlib(where: str) -> Iterator[None]:
    """Raise MissingExtraError without matplotlib; silence its warnings about glyphs and sizes."""
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(where, package="matplotlib", extra="plot") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _add(axes: Any, name: str, schedule: Schedule, steps: int, *, log: bool) -> None:
    """Add a curve to the axes, and update their styles, marks and names."""
    xs, ys = curve(schedule, steps)
    if max(map(abs, ys)) > _LARGEST:
        raise ScheduleError(name, f"expected values up to {_LARGEST:g}, which matplotlib can draw; got larger ones")
    if log and max(ys) <= 0:
        raise ScheduleError(name, f"expected a value above 0 for a logarithmic axis; got none up to step {steps:,}")
    firsts = describe.marks(schedule, steps)
    places = [bisect.bisect_right(xs, first) - 1 for first in firsts]
    axes.plot(xs, ys, label=name, gid=_CURVE_GID, marker="o" if places else None, markersize=4, markevery=places)
    if log:
        axes.set_yscale("log", nonpositive="mask")
    else:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    curves = _curves(axes)
    axes.set_xlim(0, max(line.get_xdata()[-1] for line in curves))
    _style_curves(curves)
    _mark_phases(axes, schedule if len(curves) == 1 else None, steps)
    _decorate(axes)
    _name_curves(axes, curves)


def _curves(axes: Any) -> list[Any]:
    """The lines in the axes that draw schedules."""
    return [line for line in axes.get_lines() if line.get_gid() == _CURVE_GID]


def _style_curves(curves: list[Any]) -> None:
    """Give each curve a colour, a dash style and a width, so that a curve stays visible below another one.

    Identical curves draw their dashes in turns along one line.
    """
    import matplotlib as mpl

    colours = mpl.rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    identical: dict[bytes, list[Any]] = {}
    for number, line in enumerate(curves):
        width = _WIDTHS[number % len(_WIDTHS)] if len(curves) > 1 else _SINGLE_WIDTH
        style = _STYLES[number // len(colours) % len(_STYLES)]
        line.set(color=colours[number % len(colours)], linestyle=style, linewidth=width, zorder=2 + 1 / width)
        identical.setdefault(line.get_xydata().tobytes(), []).append(line)
    for group in identical.values():
        for place, line in enumerate(group if len(group) > 1 else []):
            line.set(linestyle=(place * _DASH, (_DASH, _DASH * (len(group) - 1))), linewidth=_SINGLE_WIDTH)


def _decorate(axes: Any) -> None:
    from matplotlib.ticker import EngFormatter

    axes.set(xlabel=axes.get_xlabel() or "step", ylabel=axes.get_ylabel() or "learning rate")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _mark_phases(axes: Any, alone: Schedule | None, steps: int) -> None:
    """Draw lines between the phases of a schedule that is alone in the axes, and write names above that fit."""
    for artist in list(axes.get_children()):
        if artist.get_gid() == _PHASES_GID:
            artist.remove()
    firsts = [] if alone is None else describe.marks(alone, steps)
    if alone is None or not firsts:
        return
    for first in firsts:
        axes.axvline(first, color="grey", linestyle=":", linewidth=1, gid=_PHASES_GID)
    places, names = [], []
    for first, end, words in describe.phases(alone):
        width = (steps if end is None else min(end, steps)) - first
        name = re.split(r" from |, |: | of \(", words)[0]
        if len(name) * _LETTER_WIDTH < width / steps:
            places.append(first + width / 2)
            names.append(name)
    above = axes.secondary_xaxis("top", gid=_PHASES_GID)
    above.set_xticks(places, names, fontsize="small", color="grey")
    above.tick_params(length=0)
    above.spines["top"].set_visible(False)


def _name_curves(axes: Any, curves: list[Any]) -> None:
    """Show the name of one curve as the title, and of several in a legend. A title set by the user stays."""
    names = [line.get_label() for line in curves]
    if axes.get_title() in {"", names[0]}:
        axes.set_title(names[0] if len(curves) == 1 else _COMMON_TITLE, parse_math=False)
    others = [line for line in axes.get_lines() if line not in curves and not line.get_label().startswith("_")]
    if len(curves) + len(others) == 1:
        return
    outside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(curves) > _MAX_NAMES_INSIDE else {}
    legend = axes.legend(
        [*curves, *others],
        [*names, *(line.get_label() for line in others)],
        frameon=False,
        fontsize="small",
        ncols=math.ceil(len(curves) / _LEGEND_ROWS),
        **outside,
    )
    for text in legend.get_texts():  # a $ in a name is no math
        text.set_parse_math(False)
