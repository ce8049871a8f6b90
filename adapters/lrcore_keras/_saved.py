"""Stores the state of a callback in the weight files that Keras writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras


class SavedState(keras.layers.Layer):
    """An attribute of an optimizer; Keras saves and loads every attribute that is a Keras object.

    It is a Layer because Keras documents `save_own_variables` and `load_own_variables` for layers. It belongs to no model
    and has no weights.
    """

    def __init__(self, save: Callable[[], Any], load: Callable[[Any], None]) -> None:
        super().__init__()
        self._save = save
        self._load = load

    def attach(self, optimizer: Any) -> None:
        optimizer.lrcore = self

    def save_own_variables(self, store: Any) -> None:
        store["json"] = keras.ops.convert_to_tensor([*json.dumps(self._save()).encode()], "uint8")

    def load_own_variables(self, store: Any) -> None:
        if "json" in set(store.keys()):  # absent if the weights were saved without the callback
            self._load(json.loads(bytes(map(int, store["json"][()]))))
