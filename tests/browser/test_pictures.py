"""The page of an audit in a real browser: it draws, without an error and without a request to the network."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lrcore.checks.picture import draw
from tests.browser.test_site import BROWSER, OPTIONS, SHOTS
from tests.checks.test_picture import resumed


@pytest.mark.parametrize("log_scale", [False, True])
def test_the_page_of_an_audit_draws_without_an_error(log_scale: bool, tmp_path: Path) -> None:
    page, shot = tmp_path / "audit.html", SHOTS / f"audit-{'log' if log_scale else 'linear'}.png"
    shot.parent.mkdir(parents=True, exist_ok=True)
    draw(resumed(), page, log_scale=log_scale)
    assert BROWSER is not None
    run = subprocess.run(
        [
            BROWSER,
            *OPTIONS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1200,700",
            f"--screenshot={shot}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    said = re.findall(r".*CONSOLE.*", run.stderr)
    assert [line for line in said if "INFO" not in line.partition("CONSOLE")[0] or "rror" in line] == []
    assert any("document idle" in line for line in said), "expected bokeh's word that it has drawn"
    assert shot.stat().st_size > 20_000
