"""Runs the tests of torch and optax on a machine that has a GPU, both frameworks and no network.

`python tests/gpu.py pack` fetches the wheels of what the tests need besides, into build/gpu, where there is a network.
`python tests/gpu.py run` installs them into a folder of their own, in a copy of this checkout on that machine, and runs the tests
there: tensors are on the GPU, and tests/adapters/test_torch_cuda.py records CUDA graphs. The results go to build/releases, from
which `python -m tests.releases` writes docs/versions.md.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "gpu"
WHEELS, SITE = FOLDER / "wheels", FOLDER / "site"
PYTHON = "3.12"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "any")
PACKAGES = {
    "lrcore": ["msgspec", "tomli-w", "click", "plotille", "PyYAML"],
    "tests": ["pytest", "pluggy", "iniconfig", "packaging", "pygments", "hypothesis", "sortedcontainers", "sybil"],
    "optax": ["optax==0.2.8", "absl-py", "chex", "toolz"],
}
FRAMEWORKS = ("torch", "optax")
ROOMS = ("tests/adapters", "tests/contract", "tests/parity", "tests/training")


def pack() -> None:
    """Fetch the wheels, for the Python and the system of that machine."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    target = ["--python-version", PYTHON, "--implementation", "cp", *(f"--platform={name}" for name in PLATFORMS)]
    names = [name for group in PACKAGES.values() for name in group]
    pip("download", "--no-deps", "--only-binary=:all:", *target, "--dest", str(WHEELS), *names)


def run(names: list[str]) -> int:
    """Run the tests of the frameworks; 0 if all passed."""
    shutil.rmtree(SITE, ignore_errors=True)
    pip("install", "--no-index", "--no-deps", "--target", str(SITE), *map(str, WHEELS.glob("*.whl")))
    paths = os.pathsep.join(map(str, (SITE, ROOT, ROOT / "adapters")))
    # JAX would otherwise take most of the GPU's memory at once, also in each process that a test starts.
    environment = os.environ | {"PYTHONPATH": paths, "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    codes = [
        subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "tests.releases", f"--framework={name}"),
                f"--result={ROOT / 'build' / 'releases' / f'{name}-gpu.json'}",
                *ROOMS,
            ],
            cwd=ROOT,
            env=environment,
            check=False,
        ).returncode
        for name in names
    ]
    return max(codes)


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True)


if __name__ == "__main__":
    if sys.argv[1] == "pack":
        pack()
    else:
        sys.exit(run(sys.argv[2:] or list(FRAMEWORKS)))
