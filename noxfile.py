# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""Every job of the project: `nox` runs the tests, `nox -s demo` trains the same network under all six frameworks.

Frameworks do not share a process or an environment: MXNet needs an old numpy, and importing TensorFlow before Paddle
crashes the interpreter. Each has its own environment here, and what crosses between them is files.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False  # a Python that is not here is one line of the report, in CI as well
nox.options.download_python = "never"

PROJECT = nox.project.load_toml("pyproject.toml")
DEMO = Path("build/demo")
BENCH = Path("build/bench")
DIST = Path("build/dist")
SITE = Path("build/site")
RELEASES = Path("build/releases")
RELEASE_TESTS = ("tests/adapters", "tests/contract", "tests/parity", "tests/training")
MOVE = Path("build/move/run.json")
MOVES = ["torch", "paddle", "optax", "mlx", "check"]

# Everything is tested under the Python that runs nox, the core under the others of these that are found as well.
PYTHONS = ("3.11", "3.12", "3.13")
OTHER_PYTHONS = [version for version in PYTHONS if version != f"{sys.version_info.major}.{sys.version_info.minor}"]

# One table for each framework, with what its tests install.
FRAMEWORKS = nox.project.load_toml("adapters/frameworks.toml")
PINS: dict[str, list[str]] = {name: row["pins"] for name, row in FRAMEWORKS.items()}
PEERS: dict[str, list[str]] = {name: row["peers"] for name, row in FRAMEWORKS.items()}
PACKAGES = {"lrcore", *(f"lrcore_{name}" for name in FRAMEWORKS)}

# What others build on the frameworks: tests/ecosystem/<name> runs with these on top of a framework's pins. None of them
# brings a framework of its own along, since torch and JAX are pinned.
ECOSYSTEM = {
    # Trainers change how they step and save in minor releases; each is tested in the one named here.
    "trainers": (
        "torch",
        [
            "lightning==2.6.*",
            "accelerate==1.15.*",
            "transformers==5.23.*",
            "pytorch-ignite==0.5.*",
            "jsonargparse[signatures]==4.53.*",
            "hydra-core==1.3.*",
            "tensorboard==2.*",
        ],
    ),
    "states": ("optax", ["flax==0.12.*", "orbax-checkpoint==0.12.*", "hydra-core==1.3.*"]),
    # Has to be of TensorFlow's own version.
    "keras2": ("keras", ["tf_keras==2.21.*", "hydra-core==1.3.*", "jsonargparse[signatures]==4.*"]),
    # Paddle has no trainer that reads configurations, so these libraries are tried with it by themselves.
    "configurations": ("paddle", ["hydra-core==1.3.*", "jsonargparse[signatures]==4.*"]),
}

# The libraries of docs/recipes, whose pages are run: small ones together, and by itself one that takes 2.8 GB of disk.
RECIPES = {
    "small": (["tinygrad==0.14.*", "lightgbm==4.7.*", "scikit-learn==1.9.*", "optuna==5.*"], "not mindspore"),
    "mindspore": (["mindspore==2.10.*"], "mindspore"),
}

# Trainers whose own code is run beside their importers: NAME.py in this folder compares, NAME.txt says what pip installs.
LIVE = Path("tests/trainers/live")
TRAINERS = sorted(path.stem for path in LIVE.glob("*.txt"))

# The fastest scheduler without dependencies, which the benchmarks of the core compare with.
RIVAL = "lrsched==0.5.0"
MEASURED = ("core", *PINS)

# Tiny arrays on few cores: more threads only cost. TensorFlow's start-up notes are no news.
ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "TF_ENABLE_ONEDNN_OPTS": "0",
}


def group(name: str) -> tuple[str, ...]:
    """The requirements of one dependency group of pyproject.toml."""
    return nox.project.dependency_groups(PROJECT, name)


def known(session: nox.Session, names: list[str]) -> list[str]:
    """The frameworks asked for, or all of them."""
    unknown = [name for name in names if name not in PINS]
    if unknown:
        session.error(f"frameworks are {', '.join(PINS)}; got {', '.join(unknown)}")
    return names or list(PINS)


def interpreter(version: str) -> str:
    """A Python of this version that runs: on the path, or among those of pyenv, whose commands on the path may refuse.

    The version itself if there is none: nox says then that it is missing, and goes on.
    """
    command = f"python{version}"
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for found in (shutil.which(command), *sorted(root.glob(f"versions/{version}.*/bin/{command}"), reverse=True)):
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return str(found)
    return version


def environments() -> Iterator[str]:
    """The virtual and conda environments in the checkout, whatever they are called: nobody's text to check."""
    for folder, folders, files in os.walk("."):
        if "pyvenv.cfg" in files or "conda-meta" in folders:
            yield os.path.normpath(folder)
            folders.clear()


def leave(session: nox.Session) -> None:
    """Give back the disk of an environment that nobody comes back to: all of them together take 11 GB."""
    if os.environ.get("CI"):
        shutil.rmtree(session.virtualenv.location)


@nox.session
def lint(session: nox.Session) -> None:
    """Check format, style, spelling and who imports whom."""
    session.install(*group("lint"))
    foreign = list(environments())
    excluded = [f"--extend-exclude={folder}" for folder in foreign]
    session.run("ruff", "format", "--check", *excluded, ".")
    session.run("ruff", "check", *excluded, ".")
    session.run("codespell", *[f"--skip=./{folder}" for folder in foreign], ".")
    session.run("lint-imports", env={"PYTHONPATH": "adapters"})


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright; frameworks are absent here and checked in their own sessions."""
    session.install("-e", ".[cli,html,plot,tensorboard,yaml]", *group("core"), *group("types"))
    session.run("mypy")
    session.run("pyright")


@nox.session
def core(session: nox.Session) -> None:
    """Test what needs no framework."""
    session.install("-e", ".[cli,html,plot,tensorboard,yaml]", *group("core"))
    session.run("pytest", "--ignore=tests/docs", *session.posargs, env=ENVIRONMENT)
    leave(session)


@nox.session
@nox.parametrize("python", [nox.param(interpreter(version), id=version) for version in OTHER_PYTHONS])
def pythons(session: nox.Session) -> None:
    """Test the core under the other versions of Python; one that is not found is passed over in a line."""
    session.install("-e", ".[cli,plot,yaml]", *group("core"))
    session.run("pytest", "--ignore=tests/docs", *session.posargs, env=ENVIRONMENT)
    leave(session)


@nox.session(default=False)
def deep(session: nox.Session) -> None:
    """Look for counterexamples among new random schedules: 5,000 for each law; `-- --hypothesis-seed=N` repeats a run."""
    session.install("-e", ".[cli,plot,yaml]", *group("core"))
    seed = f"--hypothesis-seed={random.randrange(2**32)}"  # noqa: S311 - shown by the command that is run
    options = (
        session.posargs if any("--hypothesis-seed" in one for one in session.posargs) else [seed, *session.posargs]
    )
    session.run(
        "pytest", "-m", "hypothesis", "--hypothesis-profile=deep", "--ignore=tests/docs", *options, env=ENVIRONMENT
    )


@nox.session
@nox.parametrize("name", list(PINS), ids=list(PINS))
def framework(session: nox.Session, name: str) -> None:
    """Test one adapter: contract, parity with the native schedulers, training, examples in texts, types."""
    session.install("-e", f".[{name}]", *PINS[name], *PEERS[name], *group("framework"))
    session.run("pytest", f"--framework={name}", *session.posargs, env=ENVIRONMENT)
    session.run("mypy", "--follow-imports=silent", f"adapters/lrcore_{name}")
    leave(session)


@nox.session(default=False)
@nox.parametrize(
    ("name", "python"),
    [nox.param(name, interpreter(row["oldest"]["python"]), id=name) for name, row in FRAMEWORKS.items()],
)
def oldest(session: nox.Session, name: str) -> None:
    """Test one adapter with the oldest releases that pyproject.toml allows; `nox -s versions` writes the table."""
    test_release(session, name, "oldest")


@nox.session(default=False)
@nox.parametrize(
    ("name", "python"),
    [nox.param(name, interpreter(row["newest"]["python"]), id=name) for name, row in FRAMEWORKS.items()],
)
def newest(session: nox.Session, name: str) -> None:
    """Test one adapter with the newest releases that were tried; `nox -s versions` writes the table."""
    test_release(session, name, "newest")


def test_release(session: nox.Session, name: str, age: str) -> None:
    """Run the tests of an adapter with the releases in its table of frameworks.toml, and write how many passed."""
    row = FRAMEWORKS[name][age]
    bare = row.get("bare", [])
    session.install("-e", ".[cli,yaml]" if bare else f".[{name},cli,yaml]", *row["pins"], *group("test"))
    if bare:
        session.install("--no-deps", *bare)
        [site] = Path(session.virtualenv.location).glob("lib/python*/site-packages")
        session.run("python", "tests/cuda_stubs.py", str(site / "torch" / "lib"))
    folder = Path(session.create_tmp()) if session.posargs else RELEASES  # a part of the tests is no result
    session.run(
        *("python", "-m", "pytest", "-p", "tests.releases", f"--framework={name}"),
        f"--result={folder / f'{name}-{age}.json'}",
        *(session.posargs or RELEASE_TESTS),
        env=ENVIRONMENT,
    )
    leave(session)


@nox.session(default=False)
def versions(session: nox.Session) -> None:
    """Write docs/versions.md from the results of `oldest` and `newest`."""
    session.install("-e", ".", *group("test"))
    session.run("python", "-m", "tests.releases")


@nox.session
def docs(session: nox.Session) -> None:
    """Run the examples in README.md and in the core's docstrings."""
    session.install("-e", ".[cli,plot,yaml]", *group("docs"))
    session.run("pytest", "tests/docs", *session.posargs, env=ENVIRONMENT)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build the distributions, look inside, and use the wheel in a clean environment, without an extra and with `cli`."""
    session.install(*group("wheel"))
    shutil.rmtree(DIST, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(DIST))
    [source] = DIST.glob("*.tar.gz")
    [built] = DIST.glob("*.whl")
    check_source(session, source)
    check_wheel(session, built)
    clean = Path(session.create_tmp()).resolve() / "clean"
    session.run("python", "-m", "venv", "--clear", str(clean))
    session.run(f"{clean}/bin/pip", "install", "--quiet", str(built), external=True)
    built = built.resolve()
    example, script = Path("examples/schedule.toml").resolve(), Path("tests/use_wheel.py").resolve()
    with session.chdir(clean):
        session.run("bin/python", "-P", str(script), str(example), *sorted(PACKAGES), external=True)
        session.run("bin/pip", "install", "--quiet", f"lrcore[cli] @ {built.as_uri()}", external=True)
        session.run("bin/lrcore", "show", str(example), external=True)


def check_source(session: nox.Session, path: Path) -> None:
    """Nothing that is lying about got into the source distribution."""
    with tarfile.open(path) as archive:
        found = {name.split("/")[1] for name in archive.getnames()}
    stated = set(PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["only-include"])
    if found != stated | {"pyproject.toml", ".gitignore", "PKG-INFO"}:
        session.error(f"{path.name} holds {sorted(found)}")


def check_wheel(session: nox.Session, path: Path) -> None:
    """The wheel holds the core and every adapter, each of them typed, and no `adapters`."""
    names = zipfile.ZipFile(path).namelist()
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    untyped = {package for package in PACKAGES if f"{package}/py.typed" not in names}
    if packages != PACKAGES or untyped:
        session.error(f"{path.name} holds {sorted(packages)}; without py.typed: {sorted(untyped)}")


@nox.session
@nox.parametrize("name", list(ECOSYSTEM), ids=list(ECOSYSTEM))
def ecosystem(session: nox.Session, name: str) -> None:
    """Test an adapter inside what others build on its framework: trainers, checkpoints, Keras 2, configurations."""
    framework, requirements = ECOSYSTEM[name]
    session.install("-e", f".[{framework}]", *PINS[framework], *requirements, *group("test"))
    session.run("pytest", f"tests/ecosystem/{name}", *session.posargs, env=ENVIRONMENT)
    leave(session)


@nox.session(default=False)
@nox.parametrize("name", list(RECIPES), ids=list(RECIPES))
def recipes(session: nox.Session, name: str) -> None:
    """Run the pages of docs/recipes, which use a schedule in libraries that have no adapter."""
    requirements, chosen = RECIPES[name]
    session.install("-e", ".", *requirements, *group("test"))
    session.run("pytest", "tests/recipes", "-k", chosen, *session.posargs, env={**ENVIRONMENT, "DEV": "PYTHON"})


@nox.session(default=False)
@nox.parametrize("name", TRAINERS, ids=TRAINERS)
def trainers(session: nox.Session, name: str) -> None:
    """Compare an importer with the trainer's own code, for random options, and write what was compared; then `nox -s pages`.

    A requirement with `# --no-deps` behind it is installed after the others and alone: it would bring along more than its schedulers
    need. Other options of pip may follow.
    """
    lines = [line.partition("#") for line in (LIVE / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
    usual = [requirement.strip() for requirement, _, options in lines if "--no-deps" not in options]
    session.install("-e", ".[yaml]", *filter(None, usual))
    for requirement, _, options in lines:
        if "--no-deps" in options:
            session.install(*options.split(), requirement.strip())
    session.run("python", "-m", "tests.trainers.live", name, env=ENVIRONMENT)
    leave(session)


@nox.session(default=False)
def pages(session: nox.Session) -> None:
    """Write the pages in docs/: what the last framework sessions compared, trainers, known problems, words, pictures."""
    session.install("-e", ".[cli,yaml]", *group("test"))
    session.run("python", "-m", "tests.parity.pages")
    session.run("python", "-m", "tests.trainers.pages")
    session.run("python", "-m", "tests.known_problems")
    session.run("python", "-m", "tests.foreign_words")
    session.run("python", "-m", "tests.readme_picture")


@nox.session(name="docs-site", default=False)
def docs_site(session: nox.Session) -> None:
    """Build the manual into build/site; a warning of Sphinx is an error."""
    session.install("-e", ".[cli,yaml]", *group("site"))
    session.run("sphinx-build", "--fail-on-warning", "--keep-going", "--fresh-env", "docs", str(SITE), env=ENVIRONMENT)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Build the manual, and look at each page in Chromium, at two widths; pictures go to build/screenshots."""
    session.install("-e", ".[cli,html,yaml]", *group("site"), *group("test"))
    session.run("sphinx-build", "--fail-on-warning", "--quiet", "docs", str(SITE), env=ENVIRONMENT)
    session.run("pytest", "tests/browser", *session.posargs)


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Train the same network under every framework (or those named: `nox -s demo -- torch optax`) and compare."""
    names = known(session, session.posargs)
    shutil.rmtree(DEMO, ignore_errors=True)
    session.install("numpy", *group("demo"))
    session.run("python", "examples/digits.py", str(DEMO / "digits.npz"))
    for name in names:
        session.notify(f"train({name})", posargs=[])
    session.notify("report", posargs=names)


@nox.session(default=False)
@nox.parametrize("name", list(PINS), ids=list(PINS))
def train(session: nox.Session, name: str) -> None:
    """Train the demo's network under one framework and write what was measured; queued by `demo`."""
    result, log = DEMO / f"{name}.json", DEMO / f"{name}-pip.log"
    problem = "the installation failed"
    try:
        session.install("-e", f".[{name}]", *PINS[name], f"--log={log}")
        problem = "the script failed; its message is above this table"
        session.run("python", f"examples/train_{name}.py", str(result), env=ENVIRONMENT)
    except CommandFailed:
        errors = re.findall(r"ERROR: (.*)", log.read_text(encoding="utf-8"))
        reason = ": ".join([problem, *errors[:1]])
        result.write_text(json.dumps({"framework": name, "error": reason}), encoding="utf-8")
        session.error(reason)


@nox.session(default=False)
def report(session: nox.Session) -> None:
    """Print the demo's table and write build/demo/report.json and curves.png; queued by `demo`."""
    session.install("-e", ".[plot]")
    session.run("python", "examples/report.py", str(DEMO), *known(session, session.posargs), env=ENVIRONMENT)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure costs and errors beside the natives and write docs/benchmarks.md; `-- torch core` measures only those."""
    unknown = [name for name in session.posargs if name not in MEASURED]
    if unknown:
        session.error(f"benchmarks are {', '.join(MEASURED)}; got {', '.join(unknown)}")
    for name in session.posargs or MEASURED:
        session.notify(f"measure({name})", posargs=[])
    session.notify("figures", posargs=session.posargs)


@nox.session(default=False)
@nox.parametrize("name", MEASURED, ids=MEASURED)
def measure(session: nox.Session, name: str) -> None:
    """Run the benchmark of the core or of one framework; queued by `bench`."""
    if name == "core":
        session.install("-e", ".[cli,yaml]", RIVAL)
    else:
        session.install("-e", f".[{name}]", *PINS[name])
    session.run("python", "-m", f"tests.benchmarks.bench_{name}", str(BENCH / f"{name}.json"), env=ENVIRONMENT)


@nox.session(default=False)
def figures(session: nox.Session) -> None:
    """Print what was measured beside its marks, and write the report; queued by `bench`."""
    session.install("-e", ".[plot]")
    session.run("python", "-m", "tests.benchmarks.report", str(BENCH), *session.posargs, env=ENVIRONMENT)


@nox.session(default=False)
def checks(session: nox.Session) -> None:
    """Measure lrcore.audit and lrcore.infer over random runs whose schedule is known, and write the figures into docs/."""
    session.install("-e", ".")
    session.run("python", "-m", "tests.checks.report", "--write", "docs/audit.md", env=ENVIRONMENT)
    session.run("python", "-m", "tests.checks.infer_report", "docs/how-to/find-a-schedule.md", env=ENVIRONMENT)


@nox.session(default=False, venv_backend="none")
def move(session: nox.Session) -> None:
    """Train one run in PyTorch, go on in Paddle, end in JAX and MLX, and compare it with one that never moved."""
    shutil.rmtree(MOVE.parent, ignore_errors=True)
    for name in MOVES:
        session.notify(f"phase({name})", posargs=[])


@nox.session(default=False)
@nox.parametrize("name", MOVES, ids=MOVES)
def phase(session: nox.Session, name: str) -> None:
    """Go on with the run in the framework that is its next, or compare it; queued by `move`."""
    session.install(*(["-e", f".[{name}]", *PINS[name]] if name in PINS else ["-e", "."]))
    session.run("python", "examples/move_between_frameworks.py", name, str(MOVE), env=ENVIRONMENT)
