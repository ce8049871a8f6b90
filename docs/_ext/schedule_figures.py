"""The directives `schedule` and `change`: a schedule as it is written, and its curve, drawn when the site is built."""

from __future__ import annotations

from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import lrcore
from lrcore.show import describe
from lrcore.show.notebook import svg


class ScheduleFigure(SphinxDirective):
    """Show the TOML text of a schedule file, and under it the curve.

    A file that is wrong makes the build fail, because `lrcore.loads` raises.
    """

    has_content = True
    option_spec: ClassVar = {"steps": directives.nonnegative_int}

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        loaded = lrcore.loads(text)
        code = nodes.literal_block(text, text, language="toml")
        schedule = loaded.schedule if isinstance(loaded, lrcore.Plateau) else loaded
        return [code, _figure(svg(schedule, self.options.get("steps") or describe.display_range(schedule)))]


class ChangeFigure(SphinxDirective):
    """Show Python code that defines the schedules `old` and `new`, and under it both curves, the old one in dashes."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        text = "\n".join(self.content)
        names: dict[str, Any] = {"lrcore": lrcore}
        exec(text, names)  # noqa: S102 - the manual's own code
        old, new = names["old"], names["new"]
        steps = max(map(describe.display_range, (old, new)))
        return [nodes.literal_block(text, text, language="python"), _figure(svg(new, steps, before=old))]


def _figure(picture: str) -> nodes.raw:
    return nodes.raw("", f'<div class="schedule-figure">{picture}</div>', format="html")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("schedule", ScheduleFigure)
    app.add_directive("change", ChangeFigure)
    return {"parallel_read_safe": True}
