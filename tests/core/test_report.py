"""The demo's report: what it prints, writes and returns for runs that agree and for everything that can go wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import digits
import report
from record import Record
from tests import numpy_trainer

UPDATES = 60
STEP = 37


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The result of a run in which everything is right."""
    path = tmp_path_factory.mktemp("good") / "numpy.json"
    numpy_trainer.train(numpy_trainer.small_digits(epochs=UPDATES // 2), path)
    result: dict[str, Any] = json.loads(path.read_text())
    return result


@pytest.fixture
def folder(good: dict[str, Any], tmp_path: Path) -> Path:
    """A folder with two runs that agree, `first` and `second`."""
    write(tmp_path, good, "first")
    write(tmp_path, good, "second")
    return tmp_path


def write(folder: Path, result: dict[str, Any], name: str, **changes: Any) -> None:
    (folder / f"{name}.json").write_text(json.dumps(result | {"framework": name} | changes))


def changed(values: list[float], step: int, value: float) -> list[float]:
    return [*values[:step], value, *values[step + 1 :]]


def next_float32(value: float) -> float:
    return float(np.nextafter(np.float32(value), np.float32(1)))


def read_report(folder: Path) -> dict[str, Any]:
    written: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return written


def test_runs_that_agree_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(folder), "first", "second"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("  ")[0] == "framework"
    assert [line.split()[0] for line in lines[2:4]] == ["first", "second"]
    assert all("same bits" in line and "agrees" in line for line in lines[2:4])
    assert not any("FAILED" in line for line in lines)


def test_the_report_holds_every_run(folder: Path, good: dict[str, Any]) -> None:
    report.main([str(folder), "first", "second"])
    written = read_report(folder)
    assert written["problems"] == []
    assert written["same_bits"] is True
    assert written["schedule"] == report.SCHEDULE_FILE.read_text()
    assert [run["framework"] for run in written["frameworks"]] == ["first", "second"]
    for run in written["frameworks"]:
        assert {field: run[field] for field in report.FIELDS if field != "framework"} == {
            field: good[field] for field in report.FIELDS if field != "framework"
        }


def test_the_picture_is_a_png(folder: Path) -> None:
    report.main([str(folder), "first", "second"])
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_one_bit_off_at_one_step_is_found(
    folder: Path, good: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    rates = changed(good["learning_rates"], STEP, next_float32(good["learning_rates"][STEP]))
    write(folder, good, "second", learning_rates=rates, adapter_learning_rates=rates)
    assert report.main([str(folder), "first", "second"]) == 1
    assert f"1 ulp at step {STEP}" in capsys.readouterr().out.splitlines()[3]
    written = read_report(folder)
    assert written["same_bits"] is False
    assert written["problems"] == [f"second is 1 ulp from float32(schedule(step)) at step {STEP}"]


def test_an_adapter_that_names_another_rate_is_found(folder: Path, good: dict[str, Any]) -> None:
    words = changed(good["adapter_learning_rates"], STEP, next_float32(good["learning_rates"][STEP]))
    write(folder, good, "second", adapter_learning_rates=words)
    assert report.main([str(folder), "first", "second"]) == 1
    assert read_report(folder)["problems"] == [f"second's adapter is 1 ulp from the rate used at step {STEP}"]


@pytest.mark.parametrize("drift", [0.0011, float("nan")])
def test_losses_that_drift_apart_are_found(folder: Path, good: dict[str, Any], drift: float) -> None:
    write(folder, good, "second", losses=changed(good["losses"], STEP, good["losses"][STEP] + drift))
    assert report.main([str(folder), "first", "second"]) == 1
    [problem] = read_report(folder)["problems"]
    assert f"apart at step {STEP}" in problem


def test_a_run_that_stopped_early_is_found(folder: Path, good: dict[str, Any]) -> None:
    write(folder, good, "second", updates=50, **{name: good[name][:50] for name in report.PER_UPDATE})
    assert report.main([str(folder), "first", "second"]) == 1
    assert read_report(folder)["problems"] == [f"second made 50 updates where others made {UPDATES}"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "was not written"),
        ("{", "is not JSON"),
        ('{"framework": "second", "error": "no wheel for this Python"}', "no wheel for this Python"),
        ('{"framework": "second", "version": "1"}', "lacks device, updates, learning_rates"),
    ],
)
def test_a_framework_without_a_result_is_a_row_with_the_reason(
    folder: Path, text: str | None, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "second.json").unlink()
    if text is not None:
        (folder / "second.json").write_text(text)
    assert report.main([str(folder), "first", "second"]) == 1
    row = capsys.readouterr().out.splitlines()[3]
    assert row.startswith("second")
    assert reason in row
    first, second = read_report(folder)["frameworks"]
    assert first["learning_rate_ulp"] == 0
    assert reason in second["error"]


def test_rates_that_were_not_measured_at_every_update_are_no_result(folder: Path, good: dict[str, Any]) -> None:
    write(folder, good, "second", learning_rates=good["learning_rates"][:-1])
    assert report.main([str(folder), "first", "second"]) == 1
    assert "one value per update in learning_rates" in read_report(folder)["frameworks"][1]["error"]


def test_no_result_at_all_is_a_table_without_a_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([str(folder), "third"]) == 1
    assert "was not written" in capsys.readouterr().out
    assert not (folder / "curves.png").exists()


def test_the_script_returns_the_status(folder: Path) -> None:
    script = Path(report.__file__)
    assert subprocess.run([sys.executable, script, folder, "first"], check=False).returncode == 0
    assert subprocess.run([sys.executable, script, folder, "third"], check=False).returncode == 1


def test_neighbouring_float32_have_neighbouring_ranks() -> None:
    values = [-0.5, np.nextafter(np.float32(-0.5), np.float32(0)), -1e-45, -0.0, 0.0, 1e-45]
    negative, above, *around_zero = report.float32_ranks(values)
    assert above - negative == 1
    assert np.diff(around_zero).tolist() == [1, 1, 1]


def test_progress_says_where_the_run_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record("numpy", "2", "cpu", updates=41)
    for _ in range(41):
        record.update(learning_rate=0.5, adapter_learning_rate=0.5, loss=2.0)
    assert capsys.readouterr().err.splitlines() == [
        "numpy: update   40 of 41, learning rate 0.5000, loss 2.0000",
        "numpy: update   41 of 41, learning rate 0.5000, loss 2.0000",
    ]


def test_a_recorded_float32_is_read_back_exactly(tmp_path: Path) -> None:
    rate = float(np.float32(0.1))
    record = Record("numpy", "2", "cpu", updates=1)
    record.update(learning_rate=rate, adapter_learning_rate=0.1, loss=2.0)
    record.write(tmp_path / "new" / "numpy.json", accuracy=0.5)
    assert json.loads((tmp_path / "new" / "numpy.json").read_text())["learning_rates"] == [rate]


def test_the_task_is_the_same_after_a_file(tmp_path: Path) -> None:
    data = numpy_trainer.small_digits(epochs=2)
    data.save(tmp_path / "digits.npz")
    read = digits.load(tmp_path / "digits.npz")
    assert read.updates == data.updates == 4
    for (images, labels), (read_images, read_labels) in zip(
        data.training_batches(), read.training_batches(), strict=True
    ):
        np.testing.assert_array_equal(images, read_images, strict=True)
        np.testing.assert_array_equal(labels, read_labels, strict=True)
    for array, read_array in zip(sum(data.layers, ()), sum(read.layers, ()), strict=True):
        np.testing.assert_array_equal(array, read_array, strict=True)


def test_a_missing_task_says_how_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"no such file; make it with: python examples/digits\.py"):
        digits.load(tmp_path / "digits.npz")
