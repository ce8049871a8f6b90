"""The operations of `mlx.core` that a table is evaluated with."""

from __future__ import annotations

from typing import Any, Literal

import mlx.core as mx
import numpy as np


class Operations:
    """`mlx.core` under numpy's names. The arrays of a table are converted once, so that no call does it again."""

    def __init__(self) -> None:
        self._converted: dict[int, tuple[Any, mx.array]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(mx, name)

    def _array(self, array: Any) -> mx.array:
        if not isinstance(array, np.ndarray):
            return array
        if id(array) not in self._converted:
            self._converted[id(array)] = array, mx.array(array)  # which keeps the array, and so its id
        return self._converted[id(array)][1]

    def take(self, array: Any, indices: mx.array, *, axis: int) -> mx.array:
        return mx.take(self._array(array), indices, axis=axis)

    def searchsorted(self, starts: Any, entries: mx.array, *, side: Literal["right"]) -> mx.array:
        """The number of `starts` <= each entry."""
        return (mx.expand_dims(entries, 1) >= self._array(starts)).sum(axis=1)

    @staticmethod
    def mod(array: mx.array, divisor: int) -> mx.array:
        return mx.remainder(array, divisor)

    @staticmethod
    def shape(array: mx.array) -> tuple[int, ...]:
        return tuple(array.shape)


def cast(array: mx.array, name: str) -> mx.array:
    """The array in another type, by the name that numpy gives it."""
    return array.astype(getattr(mx, name))
