"""The picture in README.md is drawn from the file above it: `python -m tests.readme_picture` writes docs/schedule.svg."""

from __future__ import annotations

import re

import lrcore
from lrcore.show import describe
from lrcore.show.notebook import svg
from tests.frameworks import ROOT

PICTURE = ROOT / "docs" / "schedule.svg"


def drawn() -> str:
    """The curve of README's first file."""
    [text] = re.findall(r"```toml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[:1]
    schedule = lrcore.loads(text)
    assert isinstance(schedule, lrcore.Schedule)
    return svg(schedule, describe.display_range(schedule)) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(drawn(), encoding="utf-8")
