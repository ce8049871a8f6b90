"""Puts small stubs in place of the CUDA libraries that a wheel of torch asks for, so that it runs on the CPU without them.

Most releases of torch on PyPI are built with CUDA, whose libraries take gigabytes. `pip install --no-deps torch==2.2.2` leaves
them out, and `python tests/cuda_stubs.py path/to/site-packages/torch/lib` then lets that torch be imported. Each function of a
stub returns 100, CUDA's code for "no device". Needs Linux on x86-64 and the commands ldd, nm and gcc.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

FUNCTION = "\t.globl {0}\n\t.type {0}, @function\n{0}:\tmovl $100, %eax\n\tret\n"


def run(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def absent(library: Path) -> set[str]:
    """The libraries that the loader needs for this one and does not find."""
    return set(re.findall(r"(\S+) => not found", run("ldd", library)))


def present(library: Path) -> set[str]:
    """The libraries outside of torch that the loader finds for this one: those of C and C++, and of CUDA what is installed."""
    return {
        one for one in re.findall(r"=> (/\S+)", run("ldd", library)) if not Path(one).is_relative_to(library.parent)
    }


def functions_of(libraries: Iterable[str | Path]) -> set[str]:
    """The functions that some libraries have."""
    names = "".join(run("nm", "-D", "--defined-only", one) for one in libraries)
    return set(re.findall(r" [TtWwVvuDBRi] ([^\s@]+)", names))


def undefined(library: Path) -> list[tuple[str, str]]:
    """The functions that this library takes from others, and the version that it asks for: the name of a library, or ''."""
    names = run("nm", "-D", "--undefined-only", library)
    return re.findall(r" U (\w+)(?:@(\S+))?$", names, re.MULTILINE)


def build(library: Path, functions: set[str], *, versioned: bool) -> None:
    """Write a library of these functions."""
    with tempfile.TemporaryDirectory() as folder:
        source, script = Path(folder, "stub.s"), Path(folder, "stub.map")
        source.write_text("\t.text\n" + "".join(map(FUNCTION.format, sorted(functions))), encoding="utf-8")
        script.write_text(f"{library.name} {{ global: *; }};\n", encoding="utf-8")
        options = [f"-Wl,--version-script={script}"] if versioned else []
        run("gcc", "-shared", "-nostdlib", f"-Wl,-soname,{library.name}", *options, "-o", library, source)


def main(folder: Path) -> None:
    libraries = list(folder.glob("*.so*"))
    names = set[str]().union(*map(absent, libraries))
    defined = functions_of(libraries) | functions_of(set[str]().union(*map(present, libraries)))
    functions = defaultdict[str, set[str]](set)
    for library in libraries:
        for function, version in undefined(library):
            if version in names or (not version and function not in defined):
                functions[version].add(function)
    unversioned = functions.pop("", set())
    for name in sorted(names):
        # Whichever stub holds a function without a version, the loader finds it.
        build(folder / name, functions[name] or unversioned, versioned=bool(functions[name]))
    print(f"{len(names)} stubs in {folder}: {', '.join(sorted(names))}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
