"""The methods that draw a schedule or a plateau, with matplotlib or in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Pictures:
    """The methods that draw; they import `lrcore.show` when they are called."""

    __slots__ = ()

    def plot(
        self,
        steps: int | None = None,
        *,
        axes: Axes | None = None,
        label: str | None = None,
        log: bool = False,
    ) -> Axes:
        """Draw the schedule with matplotlib; of a plateau, its schedule before any reduction.

        Several can be drawn into the same axes: `a.plot(); b.plot()`.

        Args:
            steps: the last step that is drawn. Default: the schedule's length and a tenth more.
            axes: where to draw. Default: pyplot's current axes, as `pyplot.plot` does.
            label: its name in the title, and in the legend of several. Default: the call that makes the schedule.
            log: whether the axis of the values is logarithmic.

        Returns:
            The axes.

        Raises:
            ScheduleError: a wrong argument, or no value above 0 for a logarithmic axis.
            MissingExtraError: without matplotlib.

        Example:
            >>> from lrcore import Cosine
            >>> from matplotlib.figure import Figure
            >>> axes = Cosine(init_value=0.3, decay_steps=90).warmup(10).plot(axes=Figure().add_subplot())
            >>> axes.get_xlabel(), axes.get_ylabel()
            ('step', 'learning rate')
        """
        from lrcore.show import figure

        drawn: Axes = figure.into_axes(self, steps, axes, label, log=log)
        return drawn

    def _repr_html_(self) -> str:
        """What a notebook shows: the curve, the phases and the call that makes the schedule."""
        from lrcore.show import notebook

        return notebook.page(self)
