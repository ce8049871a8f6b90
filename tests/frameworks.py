"""The five frameworks as the tests see them: how to import one, its version and the device that it uses."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any


def _torch(torch: Any) -> str:
    return str(torch.cuda.get_device_name()) if torch.cuda.is_available() else ""


def _keras(keras: Any) -> str:
    # Not `keras.distribution`, which the torch backend lacks; TensorFlow's name of a device has a path before it.
    device = str(keras.ops.zeros(1).device).rpartition("device:")[2].lower()
    return "" if device.startswith("cpu") else device


def _optax(optax: Any) -> str:
    import jax

    device = jax.devices()[0]
    return "" if device.platform == "cpu" else str(device.device_kind)


def _mxnet(mxnet: Any) -> str:
    return "gpu(0)" if mxnet.context.num_gpus() else ""


def _paddle(paddle: Any) -> str:
    device = str(paddle.device.get_device())
    return "" if device == "cpu" else device


ACCELERATORS: dict[str, Callable[[Any], str]] = {
    "torch": _torch,
    "keras": _keras,
    "optax": _optax,
    "mxnet": _mxnet,
    "paddle": _paddle,
}


def load(name: str) -> ModuleType:
    """Import one framework. Two of them never share a process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a framework warns of while it is imported is not about lrcore
        return importlib.import_module(name)


def describe(name: str) -> str:
    """One line: the framework, its version, and the device its tests use."""
    module = load(name)
    accelerator = ACCELERATORS[name](module)
    return f"{name} {module.__version__} on {accelerator or 'the CPU: it reports no accelerator'}"
