"""Logs of frameworks, public reports and files that are none: what is read, and what is asked for."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lrcore
from lrcore.checks.log import Log
from lrcore.checks.logs import read_log
from tests.checks.write_logs import BATCHES, DATA, SCHEDULE, UPDATES

REPORTS = [path for path in sorted(DATA.glob("reports/*")) if not path.name.endswith((".expected.json", ".toml"))]
EPOCHS = lrcore.Run(updates_per_epoch=BATCHES)


def written(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def follows(log: Log, lag: int) -> bool:
    """Whether row n shows the schedule's value at update n - lag, as far as its digits tell."""
    return bool((abs(log.values - SCHEDULE.values(log.steps - lag)) <= log.tolerances + 1e-15).all())


# --- recordings -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "column", "lag", "known", "rows"),
    [
        ("lightning.csv", None, 0, 0, UPDATES),
        ("lightning-groups.csv", "lr-SGD/pg1", 0, 0, UPDATES),
        ("lightning-accumulated.csv", None, 0, 0, 4 * UPDATES),
        ("transformers.json", None, 1, None, UPDATES),
        ("transformers-resumed.json", None, 1, None, UPDATES),
        ("lines.jsonl", None, 0, None, UPDATES),
    ],
)
def test_a_log_of_a_framework_is_read(name: str, column: str | None, lag: int, known: int | None, rows: int) -> None:
    log = read_log(DATA / name, column=column)
    assert len(log.steps) == rows
    assert log.lag == known
    assert follows(log, lag)


@pytest.mark.parametrize(
    ("name", "column", "lag", "known", "rows"),
    [
        ("torch.tfevents", None, 0, None, UPDATES),
        ("torch-tensors.tfevents", None, 0, None, UPDATES),
        ("keras.tfevents", None, 0, None, UPDATES // BATCHES),
        ("keras-updates.tfevents", "batch_used_learning_rate", 1, 1, UPDATES),
        ("keras-updates.tfevents", "epoch_used_learning_rate", 1, 1, UPDATES // BATCHES),
    ],
)
def test_event_files_of_tensorboard_are_read(
    name: str, column: str | None, lag: int, known: int | None, rows: int
) -> None:
    pytest.importorskip("tensorboard")
    log = read_log(DATA / name, column=column, run=EPOCHS)
    assert len(log.steps) == rows
    assert log.lag == known
    assert follows(log, lag)
    assert "The rates are float32 numbers." in log.notes


def test_the_epochs_of_keras_are_turned_into_updates() -> None:
    log = read_log(DATA / "keras.csv", run=EPOCHS)
    assert log.steps.tolist() == [8, 16, 24, 32, 40]
    assert log.values == pytest.approx([SCHEDULE(BATCHES * epoch) for epoch in range(5)], rel=1e-7)
    assert "Epochs are counted from 0." in log.notes


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("keras.csv", "expected steps; got epochs, in column epoch; give the run, Run(updates_per_epoch=...)"),
        (
            "keras-inside.csv",
            (
                "expected a column of learning rates; got epoch, loss and val_loss; Keras' CSVLogger has no rate of a "
                "schedule inside the optimizer: list the callback lrcore_keras.LRLogger before it"
            ),
        ),
        (
            "lightning-groups.csv",
            "expected one column of learning rates; got lr-SGD/pg1 and lr-SGD/pg2; name one as the column",
        ),
    ],
)
def test_what_a_log_does_not_tell_is_asked_for(name: str, problem: str) -> None:
    with pytest.raises(lrcore.ScheduleError) as error:
        read_log(DATA / name)
    assert str(error.value) == f"{DATA / name}: {problem}"


@pytest.mark.parametrize("path", REPORTS, ids=lambda path: path.name)
def test_public_reports_are_read(path: Path) -> None:
    log = read_log(path)
    assert len(log.steps) >= 24
    assert log.notes == ()
    assert not log.tolerances.any()


# --- forms that are documented ----------------------------------------------------------------------------------------

WANDB = """"Step","run-1 - train/learning_rate","run-1 - train/learning_rate__MIN","run-1 - train/learning_rate__MAX"
"0","0.1","0.1","0.1"
"10","0.05","0.05","0.05"
"""
JOINED = """step,lr
0,0.1
1,0.05
step,lr
1,0.05
2,0.025
"""
FORMS = {
    "W&B": (WANDB, [0, 10], [0.1, 0.05]),
    "TensorBoard, CSV": ("Wall time,Step,Value\n1.5,0,0.1\n2.5,10,0.05\n", [0, 10], [0.1, 0.05]),
    "TensorBoard, JSON": ("[[1.5, 0, 0.1], [2.5, 10, 0.05]]", [0, 10], [0.1, 0.05]),
    "JSON lines": (
        '{"step": 0, "lr": 0.1, "loss": NaN}\n\n{"loss": 1}\n{"step": 10, "lr": "5e-2"}',
        [0, 10],
        [0.1, 0.05],
    ),
    "columns": ('{"step": [0, 10], "lr": [0.1, 0.05]}', [0, 10], [0.1, 0.05]),
    "semicolons": ("step;lr\r\n0;0.1\r\n10;0.05\r\n", [0, 10], [0.1, 0.05]),
    "lines that end as on an old Mac": ("step,lr\r0,0.1\r10,0.05\r", [0, 10], [0.1, 0.05]),
    "tabs": ("step\tlr\n0\t0.1\n10\t0.05\n", [0, 10], [0.1, 0.05]),
    "short rows": ("step,lr,loss\n0,0.1\n10,0.05,1.5\n11\n", [0, 10], [0.1, 0.05]),
    "floats as steps": ("step,lr\n0.0,0.1\n1e1,0.05\n", [0, 10], [0.1, 0.05]),
    "joined": (JOINED, [0, 1, 1, 2], [0.1, 0.05, 0.05, 0.025]),
    "a resumed run": ("step,lr\n5,0.1\n6,0.05\n5,0.1\n", [5, 6, 5], [0.1, 0.05, 0.1]),
    "the count of updates": ("_step,train/global_step,lr\n0,7,0.1\n1,8,0.05\n", [7, 8], [0.1, 0.05]),
    "epochs beside steps": ("epoch,step,lr\n0.5,4,0.1\n1.0,8,0.05\n", [4, 8], [0.1, 0.05]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_read(form: str, tmp_path: Path) -> None:
    """By what the file holds, not by its name; rows stay in their order, and those that repeat a step stay."""
    text, steps, rates = FORMS[form]
    log = read_log(written(tmp_path, text, "log.txt"))
    assert log.steps.tolist() == steps
    assert log.values.tolist() == rates


@pytest.mark.parametrize("name", ["trainer_state.json", "metrics.csv"])
def test_the_folder_of_a_run_is_read(name: str, tmp_path: Path) -> None:
    recorded = DATA / {"trainer_state.json": "transformers.json", "metrics.csv": "lightning.csv"}[name]
    written(tmp_path, recorded.read_text(encoding="utf-8"), name)
    assert read_log(tmp_path).values.tolist() == read_log(recorded).values.tolist()


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("epoch,lr\n0,0.1\n1,0.05\n", [8, 16]),
        ("epoch,lr\n1,0.1\n2,0.05\n", [8, 16]),
        ("epoch,lr\n0.25,0.1\n0.5,0.05\n", [2, 4]),
    ],
)
def test_epochs_are_counted_as_the_log_begins(text: str, steps: list[int], tmp_path: Path) -> None:
    assert read_log(written(tmp_path, text), run=EPOCHS).steps.tolist() == steps


def test_two_arrays_are_a_log() -> None:
    log = read_log((np.arange(3), np.array([0.5, 0.25, np.inf], dtype=np.float32)), clock="n-1")
    assert (log.where, log.lag) == ("log", 1)
    assert log.values.tolist() == [0.5, 0.25]
    assert log.notes == ("1 of 3 rows has no rate and is left out.",)
    assert read_log(log) is log
    assert read_log(log, clock="n").lag == 0


@pytest.mark.parametrize(("clock", "lag"), [("n", 0), ("n-1", 1)])
def test_a_clock_that_is_given_replaces_that_of_the_format(clock: str, lag: int) -> None:
    assert read_log(DATA / "lightning.csv", clock=clock).lag == lag


def test_the_rate_that_was_used_is_read_where_a_logger_names_both(tmp_path: Path) -> None:
    """The callback of lrcore_keras writes the rate under its common name too."""
    log = read_log(written(tmp_path, "step,learning_rate,used_learning_rate\n1,0.1,0.2\n"))
    assert (log.values.tolist(), log.lag) == ([0.2], 1)


def test_a_pair_of_names_are_the_columns_of_steps_and_rates(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, "batch,speed\n3,0.1\n4,0.2\n"), column=("batch", "speed"))
    assert (log.steps.tolist(), log.values.tolist()) == ([3, 4], [0.1, 0.2])


def test_a_line_that_was_not_finished_is_left_out(tmp_path: Path) -> None:
    log = read_log(written(tmp_path, '{"step": 0, "lr": 0.1}\n{"step": 1, "lr"'))
    assert log.steps.tolist() == [0]
    assert log.notes == ("The last line is not complete and is left out.",)


# --- precision --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rates", "tolerances"),
    [
        (["0.1", "3e-4", "0.025"], [0, 0, 0]),
        (["1.234e-4", "0.0001", "9.87e-05"], [5e-8] * 3),
        (["0.012340", "0.000120"], [5e-7, 5e-7]),
        (["0.0123456789", "0.0987654321"], [5e-11, 5e-11]),
        (["0.1", "0.010000000000000002"], [0, 0]),
        ([f"{rate}e-05" for rate in range(91, 99)], [5e-6] * 8),
    ],
)
def test_written_digits_are_a_tolerance_from_four_up(rates: list[str], tolerances: list[float], tmp_path: Path) -> None:
    """A writer has one format for a column; two or three digits are those of round numbers unless many rows have them."""
    rows = "\n".join(f"{step},{rate}" for step, rate in enumerate(rates))
    log = read_log(written(tmp_path, f"step,lr\n{rows}\n"))
    assert log.tolerances == pytest.approx(tolerances, rel=1e-6)


@pytest.mark.parametrize("digits", range(2, 15))
def test_what_was_rounded_is_within_the_tolerance(digits: int, tmp_path: Path) -> None:
    steps = np.arange(1, UPDATES)
    values = SCHEDULE.values(steps)
    for form in (f"{{:.{digits}g}}", f"{{:.{digits}f}}", f"{{:.{digits - 1}e}}"):
        rows = "\n".join(f"{step},{form.format(value)}" for step, value in zip(steps, values, strict=True))
        log = read_log(written(tmp_path, f"step,lr\n{rows}\n"))
        assert (abs(log.values - values) <= log.tolerances * (1 + 1e-9)).all(), form


@pytest.mark.parametrize(("lost_bits", "name"), [(0, "float32"), (16, "bfloat16")])
def test_short_floats_are_known(lost_bits: int, name: str) -> None:
    steps = np.arange(UPDATES)
    short = SCHEDULE.values(steps).astype(np.float32)
    bits = short.view(np.uint32)
    near = ((bits + (1 << lost_bits) // 2) >> lost_bits << lost_bits).astype(np.uint32).view(np.float32)
    log = read_log((steps, near))
    assert log.notes == (f"The rates are {name} numbers.",)
    assert follows(log, 0)


# --- what is no log ---------------------------------------------------------------------------------------------------

BAD = {
    "empty": ("", "expected a log of learning rates; the file is empty"),
    "names alone": ("step,lr\n", "expected a log of learning rates; got no row"),
    "no rate": (
        "step,loss\n0,1\n",
        "expected a column of learning rates; got step and loss; name the one that holds them as the column",
    ),
    "two rates": (
        "step,lr,base_lr\n0,1,1\n",
        "expected one column of learning rates; got lr and base_lr; name one as the column",
    ),
    "no steps": (
        "loss,lr\n0,1\n",
        "expected a column of steps; got loss and lr; name both columns, that of the steps and that of the rates",
    ),
    "text": ("step,lr\n0,0.1\n1,high\n", "expected numbers in column lr; got 'high' in row 2"),
    "no number": ("step,lr\n0,nan\n1,\n", "expected numbers in column lr; got 2 rows without one"),
    "half a step": ("step,lr\n0.5,0.1\n", "expected whole steps from 0 to 2**53 in column step; got 0.5"),
    "negative": ("step,lr\n-1,0.1\n", "expected whole steps from 0 to 2**53 in column step; got -1.0"),
    "a schedule": (
        'kind = "constant"\nvalue = 0.1\n',
        (
            "expected a log (trainer_state.json, CSV, JSON lines or event files of TensorBoard); got a schedule file; the log "
            "comes first"
        ),
    ),
    "a schedule in JSON": (
        '{"kind": "constant", "value": 0.1}',
        (
            "expected a log (trainer_state.json, CSV, JSON lines or event files of TensorBoard); got a schedule file; the log "
            "comes first"
        ),
    ),
    "prose": (
        "The run went well.\n",
        (
            "expected trainer_state.json, CSV, JSON lines or event files of TensorBoard; got text whose first line names no "
            "columns: 'The run went well.\\n'"
        ),
    ),
    "a cell that does not end": (
        'step,lr\n0,"0.1\n' + "1,0.1\n" * 30_000,
        "expected rows of cells; got line 21,847, which is none: field larger than field limit (131072)",
    ),
    "a name twice": ("step,lr,lr\n0,1,1\n", "expected columns with names of their own; got 'lr' twice"),
    "no objects": ("[1, 2]", "expected rows that are JSON objects; got 1"),
    "no history": ('{"log_history": []}', "expected rows that are JSON objects; got no row"),
    "columns of two lengths": (
        '{"step": [1, 2], "lr": [0.1]}',
        "expected columns of one length; got 2 step, 1 lr",
    ),
    "a wrong line": (
        '{"step": 1, "lr": 0.1}\nStarting\n{"step": 2, "lr": 0.1}',
        (
            "expected trainer_state.json, CSV, JSON lines or event files of TensorBoard; got text that is none, in line 2: "
            "'Starting'"
        ),
    ),
    "evaluations alone": (
        '{"log_history": [{"step": 1, "eval_loss": 0.5}]}',
        "expected a column of learning rates; got step and eval_loss; name the one that holds them as the column",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_log_is_refused_in_a_sentence(case: str, tmp_path: Path) -> None:
    text, problem = BAD[case]
    path = written(tmp_path, text)
    with pytest.raises(lrcore.ScheduleError) as error:
        read_log(path)
    assert str(error.value) == f"{path}: {problem}"


@pytest.mark.parametrize(
    ("source", "options", "problem"),
    [
        ("missing.csv", {}, "missing.csv: expected a file; there is none"),
        (([0, 1], [0.1]), {}, "log: expected as many rates as steps; got 2 steps and 1 rates"),
        (
            ([0, 1], ["a", "b"]),
            {},
            "log: expected the path of a log, or a pair of the steps and the rates; got ['a', 'b']",
        ),
        (7, {}, "log: expected the path of a log, or a pair of the steps and the rates; got 7"),
        (([], []), {}, "log: expected a log of learning rates; got no row"),
        (([0], [0.1]), {"clock": "n+1"}, "log: expected a clock that is 'n' or 'n-1'; got 'n+1'"),
        (([0], [0.1]), {"column": "lr"}, "log: expected no column beside two arrays; got 'lr'"),
    ],
)
def test_a_wrong_argument_is_refused(source: Any, options: dict[str, Any], problem: str) -> None:
    with pytest.raises(lrcore.ScheduleError) as error:
        read_log(source, **options)
    assert str(error.value) == problem


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(lrcore.ScheduleError, match=r"expected a column 'train_los'; .*; did you mean 'train_loss'"):
        read_log(DATA / "lightning-groups.csv", column="train_los")


def test_a_picture_is_no_log(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(lrcore.ScheduleError, match=r"got a file of another kind, which begins with b'.x89PNG"):
        read_log(path)


def test_a_million_rows_are_read_quickly(tmp_path: Path) -> None:
    log, took = timed(written(tmp_path, "step,lr\n" + "5,0.001\n" * 1_000_000))
    assert len(log.steps) == 1_000_000
    assert took < 10  # on a busy machine; alone it takes a tenth


def timed(path: Path) -> tuple[Log, float]:
    start = time.process_time()
    log = read_log(path)
    return log, time.process_time() - start


def test_true_is_no_rate(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "lr": true}\n')
    with pytest.raises(lrcore.ScheduleError, match="expected numbers in column lr; got true in row 1"):
        read_log(path)
