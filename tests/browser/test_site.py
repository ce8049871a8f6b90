"""The built site in a real browser: each page at two widths, without an error, a request to the network or a broken link.

`nox -s browser` builds the site and runs this. It needs Chromium, which is a package of Debian.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(__file__).parents[2] / "build" / "site"
SHOTS = SITE.parent / "screenshots"
WIDTHS = {"desktop": 1400, "phone": 420}
PAGES = sorted(SITE.rglob("*.html"))
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # a page that asks the network for anything fails
    "--enable-logging=stderr",
    "--virtual-time-budget=2000",
)
OF_THE_SITE = [page for page in PAGES if page.name not in {"search.html", "genindex.html"}]


def test_there_is_a_site_and_a_browser() -> None:
    assert PAGES, "expected a built site in build/site; got none; run nox -s docs-site"
    assert BROWSER is not None, "expected Chromium on the path; got none; run: apt-get install chromium"


class _Links(HTMLParser):
    """The targets that a page links to, and the names that can be linked to in it."""

    def __init__(self) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.names: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.targets.append(value)
            if value and name in ("id", "name"):
                self.names.add(value)


@cache
def links_of(page: Path) -> _Links:
    links = _Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(SITE)) for page in PAGES])
def test_each_internal_link_leads_somewhere(page: Path) -> None:
    broken = []
    for target in links_of(page).targets:
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        found = file.exists() and (
            not parts.fragment or file.suffix != ".html" or unquote(parts.fragment) in links_of(file).names
        )
        if not found:
            broken.append(target)
    assert broken == []


def test_the_reference_shows_the_arguments_of_every_name() -> None:
    page = (SITE / "_generated" / "reference.html").read_text(encoding="utf-8")
    signatures = [re.sub("<[^>]*>", "", one) for one in re.findall('<dt class="sig.*?</dt>', page, re.DOTALL)]
    assert len(signatures) > 100
    assert [one for one in signatures if "(*args, **kwargs)" in one] == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("page", OF_THE_SITE, ids=[str(page.relative_to(SITE)) for page in OF_THE_SITE])
def test_each_page_renders_without_an_error(page: Path, width: int, tmp_path: Path) -> None:
    name = str(page.relative_to(SITE).with_suffix("")).replace("/", "-")
    shot = SHOTS / f"{name}-{width}.png"
    shot.parent.mkdir(parents=True, exist_ok=True)
    assert BROWSER is not None
    run = subprocess.run(
        [
            BROWSER,
            *OPTIONS,
            f"--user-data-dir={tmp_path}",
            f"--window-size={width},1600",
            f"--screenshot={shot}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert re.findall(r".*CONSOLE.*", run.stderr) == []
    assert shot.stat().st_size > 5_000, "expected a picture of the page; got an empty one"
