"""`jax.numpy` with a search and gathers that are cheaper in compiled code, for the evaluation of tables."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

_ELEMENTS = jax.lax.GatherDimensionNumbers(offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,))
BUCKET_BITS = 7  # of the mantissa: the 256 entries that each have a row then have buckets of their own, too
BEFORE_ONE = (127 << BUCKET_BITS) - 1  # the exponent of 1.0 is 127
LARGEST = 2**31 - 1


class TableNamespace:
    """`jax.numpy`, with four operations of its own. Every index is within bounds, so gathers need not check."""

    def __getattr__(self, name: str) -> Any:
        return getattr(jnp, name)

    @staticmethod
    def clip(array: jax.Array, low: int, high: int) -> jax.Array:
        return jax.lax.clamp(array.dtype.type(low), array, array.dtype.type(high))

    @staticmethod
    def take(table: Any, indices: jax.Array, *, axis: int) -> jax.Array:
        return _gathered(table, indices[..., None])

    @staticmethod
    def take_columns(rows: Any, indices: jax.Array) -> list[jax.Array]:
        """Gather from one column after another: XLA then fuses the gathers with what is computed from them."""
        places = indices[:, None, None]
        return [_gathered(np.ascontiguousarray(column), places) for column in rows.T]

    @staticmethod
    def searchsorted(starts: Any, entries: jax.Array, *, side: Literal["right"]) -> jax.Array:
        """The number of `starts` <= each entry; `starts` is sorted and begins with 0.

        A bucket of entries says which row its first one may belong to; a binary search goes on from there. Buckets become
        wider with the distance from the nearer end, as rows do, so that most tables need one round.
        """
        buckets = buckets_of(tuple(starts.tolist()))
        strides = np.array([1 << bit for bit in reversed(range(buckets.rounds))], dtype=np.int32)

        def stride_on(row: jax.Array, stride: Any) -> tuple[jax.Array, None]:
            reached = TableNamespace.take(buckets.starts, row + stride, axis=0) <= entries
            return row + reached.astype(jnp.int32) * stride, None

        row = TableNamespace.take(buckets.rows, _bucket_of(jnp, entries, buckets.end), axis=0)
        row, _ = jax.lax.scan(stride_on, row, strides, unroll=True)
        return jnp.minimum(row + 1, len(starts))  # the last entry of all reaches every number


def _gathered(table: Any, places: jax.Array) -> jax.Array:
    """The elements of an array of one dimension; the last axis of `places` holds the index."""
    return jax.lax.gather(jnp.asarray(table), places, _ELEMENTS, (1,), mode="promise_in_bounds")


class Buckets(NamedTuple):
    """The first level of the search.

    Attributes:
        rows: the row of the first entry of each bucket.
        rounds: the rounds of the binary search, in which each adds a power of two to the row or not.
        starts: the first entry of each row; beyond the last row, the largest int32.
        end: the first entry of the last row.
    """

    rows: np.ndarray[Any, Any]
    rounds: int
    starts: np.ndarray[Any, Any]
    end: int


@lru_cache(maxsize=64)
def buckets_of(starts_: tuple[int, ...]) -> Buckets:
    """The buckets of a table's rows; their arrays are made once for each table."""
    starts = np.array(starts_, dtype=np.int32)
    end = int(starts[-1])
    bucket = _bucket_of(np, starts, end)
    rows = np.searchsorted(bucket, np.arange(_bucket_of(np, np.int32(end), end) + 1)) - 1
    rounds = int(np.bincount(bucket).max()).bit_length()
    beyond = np.full(1 << rounds, LARGEST, dtype=np.int32)
    return Buckets(np.maximum(rows, 0).astype(np.int32), rounds, np.concatenate([starts, beyond]), end)


def _bucket_of(xp: Any, entries: Any, end: int) -> Any:
    """The bucket of each entry, rising: by its distance from 0 or, in the second half, from the end."""
    left = xp.maximum(end - entries, 0)
    bucket = _octave_part(xp, xp.minimum(entries, left))
    return xp.where(entries < left, bucket, 2 * int(_octave_part(np, np.array(end))) + 1 - bucket)


def _octave_part(xp: Any, distances: Any) -> Any:
    """The exponent and the leading bits of the distance as a float32: an integer that rises with it, 0 for 0, 1 for 1."""
    single = distances.astype(np.float32)
    bits = single.view(np.int32) if xp is np else jax.lax.bitcast_convert_type(single, jnp.int32)
    return xp.maximum((bits >> (23 - BUCKET_BITS)) - BEFORE_ONE, 0)
