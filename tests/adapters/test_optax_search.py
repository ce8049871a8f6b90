"""The search for a row in a compiled table finds the row that numpy's search finds, in few rounds."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lrcore
from lrcore_optax._namespace import TableNamespace, buckets_of
from tests.accuracy import LAST, LONG, MILLION, telling_steps

SEARCH = jax.jit(lambda starts, entries: TableNamespace.searchsorted(starts, entries, side="right"), static_argnums=0)


class Starts(tuple[int, ...]):
    """Rows as a static argument."""

    __slots__ = ()

    def tolist(self) -> list[int]:
        return list(self)


def found(starts: list[int], entries: list[int]) -> list[int]:
    rows: list[int] = SEARCH(Starts(starts), jnp.asarray(entries, dtype=jnp.int32)).tolist()
    return rows


@settings(max_examples=40)
@given(
    starts=st.lists(st.integers(1, 3000) | st.integers(1, LAST), max_size=15, unique=True),
    some=st.lists(st.integers(0, LAST), min_size=8, max_size=8),
)
def test_any_rows_are_found(starts: list[int], some: list[int]) -> None:
    starts = sorted([0, *starts])
    near = [start + by for start in starts for by in (-1, 0, 1)]
    entries = np.resize(np.clip([*near, *some, LAST], 0, LAST), 64).tolist()
    assert found(starts, entries) == np.searchsorted(starts, entries, side="right").tolist()


@pytest.mark.parametrize("name", [*LONG, *MILLION])
def test_the_rows_of_long_schedules_are_found_in_few_rounds(name: str) -> None:
    schedule = {**LONG, **MILLION}[name]
    starts = lrcore.lower(schedule, method="cubics").starts  # type: ignore[attr-defined]
    steps = telling_steps(schedule, 20_000)
    assert found(starts.tolist(), steps.tolist()) == np.searchsorted(starts, steps, side="right").tolist()
    rounds = buckets_of(tuple(starts.tolist())).rounds
    assert rounds <= {"exponential": 3, "down to float32's smallest": 5, "a hundred pieces": 6, "restless": 7}.get(
        name, 1
    )
