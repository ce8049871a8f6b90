"""What orbax restores without being told the structure of the state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orbax.checkpoint as ocp
import pytest

import lrcore
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


@pytest.mark.parametrize("followed", [SCHEDULE, PLATEAU])
def test_the_state_that_every_adapter_reads_is_saved_as_arrays(tmp_path: Path, followed: Any) -> None:
    run = go_on("sgd, plateau", begun("sgd, plateau"), 0, 20)
    state = lrcore_optax.state_dict(run.opt_state, followed) if followed is PLATEAU else lrcore.save_state(20, SCHEDULE)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "state", lrcore_optax.to_arrays(state))
        checkpointer.wait_until_finished()
        restored = checkpointer.restore(tmp_path / "state")
    opt_state, schedule = lrcore_optax.load_state_dict(begun("sgd, plateau").opt_state, restored, followed)
    assert schedule == followed
    assert lrcore_optax.current_step(opt_state) == 20
    assert followed is SCHEDULE or lrcore_optax.state_dict(opt_state, PLATEAU) == state
