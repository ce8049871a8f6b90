"""Files of a trainer's own release, loaded without what the trainer imports besides: a whole trainer would take gigabytes."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any


@cache
def unpacked(requirement: str) -> Path:
    """The folder of a release from the package index, unpacked; nothing that it requires is installed."""
    folder = Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), requirement]
    subprocess.run(command, check=True)
    [archive] = folder.iterdir()
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(folder)
        return folder
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def stub(name: str, **members: Any) -> ModuleType:
    """A module that has these members alone, in place of one that is not installed."""
    module = ModuleType(name)
    module.__path__ = []
    vars(module).update(members)
    sys.modules[name] = module
    return module


def loaded(path: Path, name: str) -> ModuleType:
    """A module from its file."""
    spec = util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
