"""What orbax restores without being told the structure of the state."""

from __future__ import annotations

from pathlib import Path

import orbax.checkpoint as ocp

import lrcore_optax
from tests.adapters.optax_runs import SCHEDULE, begun, go_on


def test_a_state_that_is_restored_without_a_target_can_be_read(tmp_path: Path) -> None:
    """orbax then gives dicts and lists, not the state's own tuples."""
    run = go_on("sgd", begun("sgd"), 0, 7)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "checkpoint", run)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "checkpoint")
    assert lrcore_optax.current_step(restored) == 7
    assert lrcore_optax.current_lr(restored, SCHEDULE) == SCHEDULE(6)
