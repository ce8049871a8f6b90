"""Tests lrcore_keras on the other backends of Keras, one process each, and models moved from one backend to another."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import lrcore

BACKENDS = ("tensorflow", "jax", "torch")
SCHEDULE = lrcore.Cosine(init_value=0.1, end_value=0.001, decay_steps=40).warmup(10)

MODEL = """
import sys
import keras, numpy
import lrcore, lrcore_keras

rows = numpy.eye(60, dtype="float32")
schedule = lrcore.Cosine(init_value=0.1, end_value=0.001, decay_steps=40).warmup(10)


@keras.saving.register_keras_serializable("tests")
def mean_output(target, output):
    return keras.ops.mean(output)


def train(model, rows):
    model.fit(rows, numpy.zeros((len(rows), 1)), batch_size=1, shuffle=False, verbose=0)
"""

FIRST_HALF = (
    MODEL
    + """
model = keras.Sequential([keras.Input((60,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
model.compile(keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(schedule)), loss=mean_output)
train(model, rows[:30])
model.save(sys.argv[1])
"""
)

SECOND_HALF = (
    MODEL
    + """
for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    if "torch" in type(model.optimizer).__module__ and keras.config.backend() != "torch":
        # On torch, Keras 3.15 saves its torch-only optimizer class, whatever the rate; that trains on no other backend.
        model = keras.models.load_model(path, compile=False)
        model.compile(keras.optimizers.SGD(lrcore_keras.LearningRateSchedule(schedule)), loss=mean_output)
        model.optimizer.build(model.trainable_variables)
        model.load_weights(path)
    train(model, rows[30:])
    print(*(0.0 - float(weight) for weight in model.get_weights()[0][:, 0]))
"""
)

LOAD_WITHOUT_THE_ADAPTER = """
import sys
import keras

try:
    keras.models.load_model(sys.argv[1])
except TypeError as error:
    print(error)
"""

IMPORT_WITHOUT_THE_BACKEND = """
import sys

sys.modules["jax"] = None
try:
    import lrcore_keras
except ImportError as error:
    print(type(error).__name__, error)
"""


def run(backend: str, *arguments: str) -> str:
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_on_each(backends: tuple[str, ...], *arguments: str) -> dict[str, str]:
    """Run a command on several backends, two at a time; `{backend}` stands for the name of the backend."""
    commands = [[argument.replace("{backend}", backend) for argument in arguments] for backend in backends]
    with ThreadPoolExecutor(2) as pool:
        outputs = pool.map(lambda backend, command: run(backend, *command), backends, commands)
        return dict(zip(backends, outputs, strict=True))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of models saved after 30 updates, one per backend."""
    folder = tmp_path_factory.mktemp("models")
    run_on_each(BACKENDS, "-c", FIRST_HALF, str(folder / "{backend}.keras"))
    return [str(folder / f"{backend}.keras") for backend in BACKENDS]


def test_the_tests_of_the_adapter_pass_on_the_other_backends() -> None:
    """Run the test files that are written for every backend."""
    tests = Path(__file__).parents[1]
    adapter = (f"adapters/test_keras_{part}.py" for part in ("adapter", "stages", "accuracy"))
    files = (*adapter, "training/test_demo.py")
    options = ("--framework=keras", "-p", "no:cacheprovider", "-q")
    said = run_on_each(BACKENDS[1:], "-m", "pytest", *options, *(str(tests / file) for file in files))
    assert all(" passed" in text for text in said.values())


def test_a_saved_model_goes_on_where_it_was_on_any_backend(models: list[str]) -> None:
    expected = [float(np.float32(SCHEDULE(step))) for step in range(60)]
    for backend, told in run_on_each(BACKENDS, "-c", SECOND_HALF, *models).items():
        for line, model in zip(told.splitlines(), models, strict=True):
            assert [float(word) for word in line.split()] == expected, f"{model} on {backend}"


def test_a_run_interrupted_after_any_update_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    """Another process finishes each run; a plateau is interrupted after epochs. Other backends test every seventh update."""
    for backend in BACKENDS:
        (tmp_path / backend).mkdir()
    script = str(Path(__file__).with_name("keras_processes.py"))
    run_on_each(BACKENDS, script, "save", str(tmp_path / "{backend}"))
    assert run_on_each(BACKENDS, script, "finish", str(tmp_path / "{backend}")) == dict.fromkeys(BACKENDS, "")


def test_loading_a_model_without_the_adapter_gives_the_error_of_keras(models: list[str]) -> None:
    assert "Could not locate class 'LearningRateSchedule'" in run("jax", "-c", LOAD_WITHOUT_THE_ADAPTER, models[1])


def test_a_missing_backend_gives_the_error_of_keras() -> None:
    assert run("jax", "-c", IMPORT_WITHOUT_THE_BACKEND).startswith("ModuleNotFoundError import of jax halted")
