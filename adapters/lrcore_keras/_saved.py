"""What a callback remembers, inside the files that Keras writes of a model's weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras


class SavedState(keras.layers.Layer):
    """Stands among the attributes of an optimizer, all of which Keras saves and loads if they are objects of its own.

    A layer, since that is where Keras documents the two methods; it is in no model and holds no weights.
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
        if "json" in set(store.keys()):  # not so in what was saved without the callback
            self._load(json.loads(bytes(map(int, store["json"][()]))))
