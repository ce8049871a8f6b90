"""The points of the curve of a schedule, and its drawing in a terminal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from lrcore.errors import MissingExtraError
from lrcore.schedules.schedule import Schedule

_POINTS = 2_000  # at which a longer schedule is sampled
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
_JUMP_RATIO = 4.0  # a change this many times larger than both its neighbours is a jump

_BLANK, FULL = "\u2800", "\u28ff"
_TICK_ROWS, TICKS = 3, 4
_TICK_COLUMNS = 11
_MANTISSAS = (1.0, 1.2, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.5, 8.0, 10.0)
_PREFIXES = {1e15: "P", 1e12: "T", 1e9: "G", 1e6: "M", 1e3: "k"}

_AXES = str.maketrans("│┤└─┬", "||+-+")
_BRAILLE = range(0x2800, 0x2900)
_DOT_ROWS = (0x09, 0x12, 0x24, 0xC0)  # the bits of the dots in each of the four rows of a braille character
_ASCII = {0b0000: " ", 0b0001: "'", 0b0010: "-", 0b0100: "-", 0b0110: "-", 0b0011: "'", 0b1000: ".", 0b1100: "."}
_OTHER_DOTS = "|"  # for dots that `_ASCII` does not list


def curve(schedule: Schedule, steps: int) -> tuple[list[int], list[float]]:
    """Points whose connecting lines are the picture of a schedule from step 0 to `steps`.

    Where the value jumps there are two points at one step, so that a staircase is drawn as one. A long schedule is
    sampled at about 2,000 irregularly spaced steps, so that a periodic one does not alias.

    Example:
        >>> from lrcore import PiecewiseConstant
        >>> curve(PiecewiseConstant(boundaries=[2], values=[1.0, 0.5]), steps=3)
        ([0, 1, 2, 2, 3], [1.0, 1.0, 1.0, 0.5, 0.5])
    """
    value = schedule.at
    shown = _sampled(schedule, steps)
    values = [value(step) for step in shown]
    xs, ys = [0], values[:1]
    for here in range(1, len(shown)):
        if _jumps(shown, values, here):
            xs.append(shown[here])
            ys.append(values[here - 1])
        xs.append(shown[here])
        ys.append(values[here])
    return xs, ys


def _jumps(steps: Sequence[int], values: Sequence[float], here: int) -> bool:
    """Whether the value jumps from one step to the next: it changes much more than before and after."""

    def change(number: int) -> float:
        inside = 0 < number < len(steps) and steps[number] == steps[number - 1] + 1
        return abs(values[number] - values[number - 1]) if inside else 0.0

    return change(here) > _JUMP_RATIO * max(change(here - 1), change(here + 1))


def _sampled(schedule: Schedule, steps: int) -> Sequence[int]:
    """All steps of a short schedule; of a long one a sample, and the neighbours of each breakpoint."""
    if steps <= _POINTS:
        return range(steps + 1)
    width = steps / _POINTS
    places = {int((number + number * _GOLDEN_RATIO % 1) * width) for number in range(_POINTS)}
    breakpoints = itertools.islice(schedule.timeline.breakpoints(steps + 1), _POINTS)
    near = {step for place in breakpoints for step in (place - 2, place - 1, place, place + 1)}
    return sorted(step for step in places | near | {0, steps} if 0 <= step <= steps)


# --- in a terminal ----------------------------------------------------------------------------------------------------


def in_ascii(picture: str) -> str:
    """Convert a drawing of `in_terminal` to ASCII, for terminals without braille.

    Example:
        >>> in_ascii("0.1 ┤⠤⣀ ⢸")
        '0.1 |-. |'
    """
    return "".join(map(_ascii, picture.translate(_AXES)))


def _ascii(letter: str) -> str:
    """The ASCII character that looks most like a braille character; any other character as it is."""
    dots = ord(letter) - _BRAILLE.start
    if dots not in range(len(_BRAILLE)):
        return letter
    rows = sum(1 << number for number, bits in enumerate(_DOT_ROWS) if dots & bits)
    return _ASCII.get(rows, _OTHER_DOTS)


def in_terminal(schedule: Schedule, steps: int, columns: int, rows: int = TICKS * _TICK_ROWS + 1) -> str:
    """The curve in braille dots, with axes.

    Args:
        schedule: what to draw.
        steps: the last step that is drawn.
        columns: the width in characters, axes included.
        rows: the height of the curve in characters.

    Raises:
        MissingExtraError: without plotille.
    """
    try:
        from plotille import Canvas
    except ImportError as error:
        raise MissingExtraError("lrcore show", package="plotille", extra="cli") from error

    xs, ys = curve(schedule, steps)
    lowest, spacing = value_ticks(min(ys), max(ys))
    labels = [f"{(lowest + tick) * spacing:.6g}" for tick in range(TICKS + 1)]
    margin = max(len(text) for text in (*labels, "step"))
    width = max(columns - margin - 3, 2 * _TICK_COLUMNS)
    dot = 1 / 4 / _TICK_ROWS  # heights are counted in ticks, so that no value overflows
    canvas = Canvas(width, rows, xmin=0, ymin=-dot / 2, xmax=steps * (1 + 1 / width), ymax=rows / _TICK_ROWS - dot / 2)
    heights = [y / spacing - lowest for y in ys]
    for x0, y0, x1, y1 in zip(xs, heights, xs[1:], heights[1:], strict=False):
        canvas.line(x0, y0, x1, y1, color="cyan")
    lines = []
    for number, dots in enumerate(canvas.plot().splitlines()):
        tick, between = divmod(rows - 1 - number, _TICK_ROWS)
        lines.append(f"{'' if between else labels[tick]:>{margin}} {'│' if between else '┤'}{dots}".rstrip(_BLANK))
    return "\n".join([*lines, *_step_axis(steps, margin, width)])


def value_ticks(low: float, high: float) -> tuple[int, float]:
    """The lowest tick of the axis, as a multiple of the spacing, and the spacing of ticks, a round number."""
    low, high = min(low, 0.0), max(high, 0.0)
    spacing = nice(high / TICKS - low / TICKS or 0.25)
    while (lowest := math.floor(low / spacing)) + TICKS < high / spacing * (1 - 1e-12):
        spacing = nice(spacing * 1.01)
    return lowest, spacing


def _step_axis(steps: int, margin: int, width: int) -> list[str]:
    spacing = max(1, math.ceil(nice(steps / max(1, width // _TICK_COLUMNS))))
    line, words = list("─" * width), f"{'step':>{margin}}"
    for step in range(0, steps + 1, spacing):
        column = round(step / (steps * (1 + 1 / width)) * width)
        line[column] = "┬"
        label = short_count(step)
        words = words.ljust(max(0, margin + 2 + column - len(label) // 2)) + label
    return [f"{'':>{margin}} └{''.join(line)}", words]


def nice(least: float) -> float:
    """The smallest round number that is not below `least`."""
    least = max(least, 1e-300)
    power = 10.0 ** math.floor(math.log10(least))
    return next(mantissa * power for mantissa in _MANTISSAS if mantissa * power >= least * (1 - 1e-12))


def short_count(step: int) -> str:
    """Format a count with a unit prefix: 1500 as 1.5k."""
    for size, prefix in _PREFIXES.items():
        if step >= size:
            return f"{step / size:.6g}{prefix}"
    return str(step)
