"""The run that moves between frameworks: each phase of it, and the comparison that has to notice a wrong rate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import lrcore
import move_between_frameworks as move


def test_a_phase_goes_on_where_another_framework_stopped(framework: str, tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    done = lrcore.save_state(17, move.SCHEDULE)
    file.write_text(json.dumps({"weights": move.unmoved(17).tolist(), "state": done, "phases": ["numpy"]}))
    if framework not in move.PHASES:
        with pytest.raises(SystemExit, match=f"expected one of {', '.join(move.PHASES)}, check; got"):
            move.main(framework, file)
        return
    move.main(framework, file)
    run = json.loads(file.read_text())
    assert run["phases"] == ["numpy", framework]
    assert run["weights"] == pytest.approx(move.unmoved(17 + move.UPDATES).tolist(), rel=move.TOLERANCE)
    move.main("check", file)


def test_the_comparison_notices_weights_that_are_a_little_off(capsys: pytest.CaptureFixture[str]) -> None:
    run = move.Run(move.unmoved(20).tolist(), lrcore.save_state(20, move.SCHEDULE), ["numpy"])
    move.check(run)
    run.weights = (np.array(run.weights) * (1 + 1e-5)).tolist()
    with pytest.raises(SystemExit):
        move.check(run)
    assert capsys.readouterr().out.count("20 updates in numpy") == 2
