"""Schedules drawn by matplotlib: into a file, or into the axes of whoever asks."""

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
_SEVERAL = "learning-rate schedules"
_PHASES = "lrcore phases"
_CURVE = "lrcore curve"
_STYLES = ("solid", "dashed", "dotted", "dashdot")
_WIDTHS, _ALONE = (3.4, 2.4, 1.6, 1.0), 2.0
_DASH = 4.0
_LARGEST = 1e300  # beyond it the margins of the axes leave float64
_LEGEND_ROWS = 20
_INSIDE = 8  # so many names find room inside the axes
_LETTER = 0.0105  # the width of a letter above the axes, as a part of theirs


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
        from matplotlib.figure import Figure  # without pyplot: nothing global changes, and no window is wanted

        figure = Figure(figsize=(8, 4.5), layout="constrained")
        axes = figure.add_subplot()
        for name, schedule in schedules.items():
            _add(axes, name, schedule, steps, log=log)
        try:
            figure.savefig(path, dpi=150)
        except OSError as error:
            raise ScheduleError(str(path), f"expected a file that can be written; got: {error.strerror}") from None


def into_axes(given: Any, steps: int | None, axes: Any, label: str | None, *, log: bool) -> Any:
    """Draw one schedule into axes, pyplot's current ones unless others are given: see `Schedule.plot`."""
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
    """A number of steps; 1e5 is one too."""
    whole: Any = int(steps) if isinstance(steps, float) and steps.is_integer() else steps
    if isinstance(whole, bool) or not hasattr(whole, "__index__") or not 1 <= operator.index(whole) <= LAST_STEP:
        raise ScheduleError(f"{where}.steps", f"expected an integer from 1 to 2**53; got {short(steps)}")
    return operator.index(whole)


@contextmanager
def _matplotlib(where: str) -> Iterator[None]:
    """Where matplotlib is used: its absence is one sentence, and it does not warn of letters and sizes."""
    try:
        import matplotlib.figure  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingExtraError(where, package="matplotlib", extra="plot") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _add(axes: Any, name: str, schedule: Schedule, steps: int, *, log: bool) -> None:
    """One more curve, and what the axes say of all that they hold now."""
    xs, ys = curve(schedule, steps)
    if max(map(abs, ys)) > _LARGEST:
        raise ScheduleError(name, f"expected values up to {_LARGEST:g}, which matplotlib can draw; got larger ones")
    if log and max(ys) <= 0:
        raise ScheduleError(name, f"expected a value above 0 for a logarithmic axis; got none up to step {steps:,}")
    firsts = describe.marks(schedule, steps)
    places = [bisect.bisect_right(xs, first) - 1 for first in firsts]
    axes.plot(xs, ys, label=name, gid=_CURVE, marker="o" if places else None, markersize=4, markevery=places)
    if log:
        axes.set_yscale("log", nonpositive="mask")
    else:
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    curves = _curves(axes)
    axes.set_xlim(0, max(line.get_xdata()[-1] for line in curves))
    _tell_apart(curves)
    _mark_phases(axes, schedule if len(curves) == 1 else None, steps)
    _decorate(axes)
    _entitle(axes, curves)


def _curves(axes: Any) -> list[Any]:
    """The lines in the axes that are schedules."""
    return [line for line in axes.get_lines() if line.get_gid() == _CURVE]


def _tell_apart(curves: list[Any]) -> None:
    """A colour and a dash for each curve, and a width, so that one that runs along another leaves its edges to see.

    Curves that are the same throughout share one line in turns.
    """
    import matplotlib as mpl

    colours = mpl.rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    alike: dict[bytes, list[Any]] = {}
    for number, line in enumerate(curves):
        width = _WIDTHS[number % len(_WIDTHS)] if len(curves) > 1 else _ALONE
        style = _STYLES[number // len(colours) % len(_STYLES)]
        line.set(color=colours[number % len(colours)], linestyle=style, linewidth=width, zorder=2 + 1 / width)
        alike.setdefault(line.get_xydata().tobytes(), []).append(line)
    for group in alike.values():
        for place, line in enumerate(group if len(group) > 1 else []):
            line.set(linestyle=(place * _DASH, (_DASH, _DASH * (len(group) - 1))), linewidth=_ALONE)


def _decorate(axes: Any) -> None:
    from matplotlib.ticker import EngFormatter

    axes.set(xlabel=axes.get_xlabel() or "step", ylabel=axes.get_ylabel() or "learning rate")
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _mark_phases(axes: Any, alone: Schedule | None, steps: int) -> None:
    """Lines between the phases of a schedule that is alone in the axes, and their names above where there is room."""
    for artist in list(axes.get_children()):
        if artist.get_gid() == _PHASES:
            artist.remove()
    firsts = [] if alone is None else describe.marks(alone, steps)
    if alone is None or not firsts:
        return
    for first in firsts:
        axes.axvline(first, color="grey", linestyle=":", linewidth=1, gid=_PHASES)
    places, names = [], []
    for first, end, words in describe.phases(alone):
        width = (steps if end is None else min(end, steps)) - first
        name = re.split(r" from |, |: | of \(", words)[0]
        if len(name) * _LETTER < width / steps:
            places.append(first + width / 2)
            names.append(name)
    above = axes.secondary_xaxis("top", gid=_PHASES)
    above.set_xticks(places, names, fontsize="small", color="grey")
    above.tick_params(length=0)
    above.spines["top"].set_visible(False)


def _entitle(axes: Any, curves: list[Any]) -> None:
    """One curve's name is the title; several have a legend. A title of the user's stays."""
    names = [line.get_label() for line in curves]
    if axes.get_title() in {"", names[0]}:
        axes.set_title(names[0] if len(curves) == 1 else _SEVERAL, parse_math=False)
    others = [line for line in axes.get_lines() if line not in curves and not line.get_label().startswith("_")]
    if len(curves) + len(others) == 1:
        return
    outside = {"loc": "center left", "bbox_to_anchor": (1, 0.5)} if len(curves) > _INSIDE else {}
    legend = axes.legend(
        [*curves, *others],
        [*names, *(line.get_label() for line in others)],
        frameon=False,
        fontsize="small",
        ncols=math.ceil(len(curves) / _LEGEND_ROWS),
        **outside,
    )
    for text in legend.get_texts():  # a name may begin with _ and hold a $
        text.set_parse_math(False)
