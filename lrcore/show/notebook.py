"""A schedule in a notebook: its curve as a small SVG, its phases in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import Any

from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.show import describe
from lrcore.show.plot import TICKS, curve, nice, short_count, value_ticks

_WIDTH, _HEIGHT = 640, 250
_LEFT, _TOP, _RIGHT, _BOTTOM = 64, 20, 12, 36
_PLOT_WIDTH, _PLOT_HEIGHT = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
_COLUMNS = 400  # of the curve, each with at most four points: the picture stays small
_STEP_TICKS = 8
_MAX_CHARACTERS = 500  # of a call or an error

Point = tuple[float, float]


def page(given: Any) -> str:
    """The HTML of a schedule or a plateau. If it cannot be drawn, the HTML says why."""
    try:
        body = _body(given)
    except Exception as error:  # noqa: BLE001 - a notebook would show a traceback instead of the object
        body = f"<p>No picture: {escape(f'{type(error).__name__}: {error}'[:_MAX_CHARACTERS])}</p>"
    return f"<div>{body}<p><code>{escape(_call(given))}</code></p></div>"


def _call(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 3] + "..."


def _body(given: Schedule | Plateau) -> str:
    schedule = given.schedule if isinstance(given, Plateau) else given
    rows, more = describe.outline(schedule)
    items = [f"<li>{escape(f'{span}: {words}')}</li>" for span, words in rows]
    notes = [more, f"plateau: {describe.plateau_in_words(given)}" if isinstance(given, Plateau) else ""]
    texts = [f"<p>{escape(note)}</p>" for note in notes if note]
    return f"{svg(schedule, describe.display_range(schedule))}<ol>{''.join(items)}</ol>{''.join(texts)}"


def svg(schedule: Schedule, steps: int) -> str:
    """The curve with axes, and a numbered line where each phase begins.

    Args:
        schedule: what to draw.
        steps: the last step that is drawn.
    """
    xs, ys = curve(schedule, steps)
    lowest, spacing = value_ticks(min(ys), max(ys))
    points = [(_x_of(x, steps), _y_of(y / spacing - lowest)) for x, y in zip(xs, ys, strict=True)]
    path = "L".join(f"{x:g} {y:g}" for x, y in _without_inner_points(_thinned(points)))
    parts = [
        *_value_axis(lowest, spacing),
        *_step_axis(steps),
        *_phase_lines(schedule, steps),
        f'<path d="M{path}" fill="none" stroke="#1f77b4" stroke-width="2" stroke-linejoin="round"/>',
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img" '
        f'style="max-width:100%" font-family="sans-serif" font-size="11" fill="currentColor">'
        f"<title>learning rate</title>{''.join(parts)}</svg>"
    )


# --- axes -------------------------------------------------------------------------------------------------------------


def _x_of(step: float, steps: int) -> float:
    return round(_LEFT + step / steps * _PLOT_WIDTH, 1)


def _y_of(ticks: float) -> float:
    return round(_TOP + (1 - ticks / TICKS) * _PLOT_HEIGHT, 1)


def _value_axis(lowest: int, spacing: float) -> Iterator[str]:
    for tick in range(TICKS + 1):
        y = _y_of(tick)
        yield f'<path d="M{_LEFT} {y:g}H{_WIDTH - _RIGHT}" stroke="currentColor" stroke-opacity="0.15"/>'
        yield _text(_LEFT - 6, y + 4, f"{(lowest + tick) * spacing:.6g}", "end")
    middle = _TOP + _PLOT_HEIGHT / 2
    yield f'<g transform="rotate(-90 12 {middle:g})">{_text(12, middle, "learning rate")}</g>'


def _step_axis(steps: int) -> Iterator[str]:
    spacing = max(1, round(nice(steps / _STEP_TICKS)))
    for step in range(0, steps + 1, spacing):
        yield _text(_x_of(step, steps), _HEIGHT - _BOTTOM + 15, short_count(step))
    yield _text(_LEFT + _PLOT_WIDTH / 2, _HEIGHT - 4, "step")


def _phase_lines(schedule: Schedule, steps: int) -> Iterator[str]:
    """A numbered line at the start of each phase; the list below the picture has the same numbers."""
    firsts = describe.marks(schedule, steps)
    for number, first in enumerate([0, *firsts] if firsts else [], 1):
        x = _x_of(first, steps)
        yield f'<path d="M{x:g} {_TOP}V{_HEIGHT - _BOTTOM}" stroke="currentColor" stroke-opacity="0.5" stroke-dasharray="2 3"/>'
        yield _text(x, _TOP - 6, str(number))


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


# --- the curve --------------------------------------------------------------------------------------------------------


def _thinned(points: Sequence[Point]) -> Iterator[Point]:
    """Keep the first, lowest, highest and last point of each narrow column; no other would be visible."""
    width = _PLOT_WIDTH / _COLUMNS
    for _, column in groupby(points, key=lambda point: int((point[0] - _LEFT) / width)):
        inside = list(column)
        order = range(len(inside))
        kept = {0, min(order, key=lambda at: inside[at][1]), max(order, key=lambda at: inside[at][1]), len(inside) - 1}
        yield from (inside[at] for at in sorted(kept))


def _without_inner_points(points: Iterator[Point]) -> list[Point]:
    """Drop the inner points of horizontal lines."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and kept[-2][1] == kept[-1][1] == point[1]:
            kept.pop()
        kept.append(point)
    return kept
