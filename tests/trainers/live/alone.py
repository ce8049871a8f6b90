"""Parts of a package without its top: `import timm` imports its models, which need torchvision; its schedulers need neither."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType


def without_top(name: str) -> None:
    """Let modules of a package be imported without what its __init__.py imports."""
    spec = find_spec(name)
    assert spec is not None
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations or [])
    sys.modules[name] = package
