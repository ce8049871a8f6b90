"""The operations of `keras.ops` that a table is evaluated with, in every release of Keras since 3.6."""

from __future__ import annotations

from typing import Any, Literal

import keras


def _count_reached(starts: Any, entries: Any, *, side: Literal["right"]) -> Any:
    """The number of `starts` <= each entry."""
    reached = keras.ops.expand_dims(entries, 1) >= starts
    return keras.ops.sum(keras.ops.cast(reached, "int32"), axis=1)


class _Namespace:
    """`keras.ops` with a search that TensorFlow can trace: before 3.12 that of Keras asks a symbolic tensor for its length."""

    searchsorted = staticmethod(_count_reached)

    def __getattr__(self, name: str) -> Any:
        return getattr(keras.ops, name)


_RELEASE = tuple(map(int, keras.__version__.split(".")[:2]))

OPERATIONS: Any = keras.ops if _RELEASE >= (3, 12) else _Namespace()
