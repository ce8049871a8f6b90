"""The picture of `report.py`: what every framework did at each update, drawn over one another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

DASH = 6  # in line widths


def plot(runs: list[dict[str, Any]], path: Path) -> None:
    """Draw learning rates, losses and how far apart the losses are; `path` names the image file."""
    figure = Figure(figsize=(10, 9), layout="constrained")
    rates, losses, differences = figure.subplots(3, sharex=True, height_ratios=(3, 3, 2))
    draw_together(rates, [run["learning_rates"] for run in runs])
    draw_together(losses, [run["losses"] for run in runs])
    draw_differences(differences, [run["losses"] for run in runs])
    figure.suptitle("One schedule file: every framework's colour takes its turn where the curves coincide", fontsize=12)
    rates.set_ylabel("learning rate, from the weights")
    rates.legend(handles=[Patch(color=f"C{place}", label=run["framework"]) for place, run in enumerate(runs)])
    losses.set(ylabel="training loss of the batch", yscale="log")
    differences.set(ylabel="loss minus their median", xlabel="updates")
    for axes in (rates, losses, differences):
        axes.grid(alpha=0.3)
        axes.margins(x=0.01)
    figure.savefig(path, dpi=120)


def draw_together(axes: Axes, curves: list[list[float]]) -> None:
    """Draw each curve dashed, its dashes in the gaps of the others: equal curves make one line of all colours."""
    for place, curve in enumerate(curves):
        gaps = (DASH * place, (DASH, DASH * (len(curves) - 1)))
        axes.plot(curve, color=f"C{place}", linewidth=1.8, linestyle=gaps if len(curves) > 1 else "solid")


def draw_differences(axes: Axes, curves: list[list[float]]) -> None:
    """Draw each curve minus the median of all, as far as all go."""
    common = min(map(len, curves))
    values = np.array([curve[:common] for curve in curves])
    for place, difference in enumerate(values - np.median(values, axis=0)):
        axes.plot(difference, color=f"C{place}", linewidth=0.8)
