"""Importing lrcore is cheap, and its packages belong together."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frameworks import NAMES, ROOT, TABLE

HEAVY = (
    "numpy",
    "matplotlib",
    "yaml",
    "plotille",
    "click",
    *(name for row in TABLE.values() for name in row["imports"]),
)
MODULES_AT_MOST = 120
ADAPTERS = [f"lrcore_{name}" for name in NAMES]


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter has loaded after `statement`, less those of a bare one."""
    code = f"import sys; bare = set(sys.modules); sys.path.insert(0, {str(ROOT)!r}); {statement}; print(*set(sys.modules) - bare)"
    run = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_lrcore_loads_no_framework_and_no_numpy() -> None:
    loaded = loaded_by("import lrcore")
    assert "lrcore" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_using_a_schedule_loads_no_numpy() -> None:
    loaded = loaded_by("import lrcore; lrcore.loads('kind = \"constant\"\\nvalue = 0.1')(7)")
    assert loaded.isdisjoint(HEAVY)


def test_importing_lrcore_stays_small() -> None:
    """Modules are counted, because times on a shared machine vary."""
    assert len(loaded_by("import lrcore")) <= MODULES_AT_MOST


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_comes_from_the_same_place_as_the_core(adapter: str) -> None:
    """With a wheel installed beside a checkout, Python may import the core from one and an adapter from the other."""
    core, other = importlib.util.find_spec("lrcore"), importlib.util.find_spec(adapter)
    assert core is not None and core.origin is not None
    assert other is not None and other.origin is not None
    root, place = Path(core.origin).parents[1], Path(other.origin).parents[1]
    assert place in (root, root / "adapters")


@pytest.mark.parametrize("adapter", ADAPTERS)
def test_an_adapter_without_its_framework_says_what_to_install(adapter: str) -> None:
    framework = adapter.removeprefix("lrcore_")
    if importlib.util.find_spec(framework) is not None:
        pytest.fail(f"{framework} is installed: the core is tested without frameworks")
    with pytest.raises(ImportError, match=rf'{adapter}: .* pip install "lrcore\[{framework}\]"'):
        importlib.import_module(adapter)


def test_a_name_for_adapters_is_told_where_it_is() -> None:
    from lrcore import adapting

    for name in adapting.__all__:
        with pytest.raises(AttributeError, match=rf"it is lrcore\.adapting\.{name}, for authors of adapters"):
            getattr(importlib.import_module("lrcore"), name)
