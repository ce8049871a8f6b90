"""What orbax restores without being told the structure of the state."""

from __future__ import annotations

from pathlib import Path

import orbax.checkpoint as ocp

import lrcore_optax
from tests.adapters.optax_runs import PLATEAU, SCHEDULE, begun, go_on


def test_a_state_that_is_restored_without_a_target_can_be_read(tmp_path: Path) -> None:
    """orbax then gives dicts and lists, not the state's own tuples."""
    run = go_on("sgd, plateau", begun("sgd, plateau"), 0, 20)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "checkpoint", run)
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "checkpoint")
    assert lrcore_optax.current_step(restored) == 20
    assert lrcore_optax.current_lr(restored, PLATEAU) == SCHEDULE(19) / 2
    assert lrcore_optax.state_dict(restored, PLATEAU) == lrcore_optax.state_dict(run.opt_state, PLATEAU)
