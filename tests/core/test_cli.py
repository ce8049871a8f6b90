"""The commands `lrcore show` and `lrcore plot`, and the words and pictures that they make."""

from __future__ import annotations

import ntpath
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given

import lrcore
from lrcore import Constant, Cosine, Exponential, InverseTime, Linear, Plateau, Schedule
from lrcore.curves.formulas import LAST_STEP
from lrcore.show import arguments, cli, describe, plot
from tests import strategies
from tests.kinds import KINDS

COSINE = 'kind = "cosine"\ninit_value = 0.3\nend_value = 0.01\ntotal_steps = 20\n[warmup]\nsteps = 5\n'
ESCAPE = "\x1b"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "schedule.toml"
    path.write_text(COSINE, encoding="utf-8")
    return path


def run(*arguments: object, columns: int = 80, given: str | bytes = "") -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(cli.main, [str(one) for one in arguments], input=given)


def process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lrcore", *map(str, arguments)],
        env={**os.environ, "COLUMNS": "80", **environment},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_tells_phases_values_and_fingerprint(file: Path) -> None:
    result = run("show", file)
    assert result.exit_code == 0
    picture, _, text = result.output.partition("\n\nsteps")
    assert picture.startswith("schedule.toml\n\n  0.3 ┤")
    assert "steps" + text == (
        "steps 0 to 4   linear rise from 0 to 0.3\n"
        "steps 5 to 19  cosine fall from 0.3 to 0.01\n"
        "from step 20   constant 0.01\n"
        "\n"
        "step  0  0\n"
        "step  4  0.24\n"
        "step  5  0.3\n"
        "step 19  0.01316859789\n"
        "step 20  0.01\n"
        "step 22  0.01\n"
        "\n"
        f"fingerprint {lrcore.load(file).fingerprint}\n"
    )


def test_show_draws_up_to_the_step_that_is_asked_for(file: Path) -> None:
    assert "step 40  0.01\n" in run("show", file, "--steps", 40).output
    assert "step 3  0.18\n\nfingerprint" in run("show", file, "--steps", 3).output


def test_show_finds_a_table_inside_a_larger_file(tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text("[train.schedule]\n" + COSINE.replace("[warmup]", "[train.schedule.warmup]"), encoding="utf-8")
    assert "cosine fall from 0.3 to 0.01" in run("show", path, "--key", "train.schedule").output


def test_show_tells_what_a_plateau_waits_for(file: Path) -> None:
    file.write_text(COSINE + "[plateau]\nfactor = 0.5\npatience = 3\n", encoding="utf-8")
    output = run("show", file).output
    assert (
        "plateau        times 0.5 when more than 3 reports in a row are not better (lower\n"
        "               by 0.0001 of the best)\n"
    ) in output
    assert f"fingerprint {lrcore.load(file).fingerprint}\n" in output


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("name", [name for name in KINDS if name != "function"])
def test_show_keeps_to_the_width_of_the_terminal(name: str, columns: int) -> None:
    width = min(columns, 100)
    for line in cli._shown(name, KINDS[name], None, width):
        assert all(len(re.sub(f"{ESCAPE}[^m]*m", "", part)) <= width for part in line.split("\n"))


def test_show_of_very_many_phases_is_short(file: Path) -> None:
    file.write_text(f'kind = "piecewise_constant"\nboundaries = {[*range(1, 1000)]}\nvalues = {[*range(1000)]}\n')
    output = run("show", file).output
    assert "and 988 more, the last one from step 999\n" in output
    assert len(output.splitlines()) < 60


def test_colours_are_for_terminals(file: Path) -> None:
    assert ESCAPE not in run("show", file).output
    terminal = CliRunner(env={"COLUMNS": "80"}).invoke(cli.main, ["show", str(file)], color=True)
    assert ESCAPE in terminal.output
    plain = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1"}).invoke(cli.main, ["show", str(file)], color=True)
    assert ESCAPE not in plain.output


def test_a_terminal_without_braille_still_gets_the_words(file: Path) -> None:
    result = process("show", file, PYTHONIOENCODING="ascii")
    assert result.returncode == 0
    assert "cosine fall from 0.3 to 0.01" in result.stdout


def test_show_needs_neither_numpy_nor_matplotlib(file: Path) -> None:
    program = (
        "import sys\nfrom lrcore.show.cli import main\n"
        f"main(['show', {str(file)!r}], standalone_mode=False)\n"
        "print([name for name in ('numpy', 'matplotlib') if name in sys.modules], file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, encoding="utf-8")
    assert result.stderr == "[]\n"


# --- files, keys and standard input -----------------------------------------------------------------------------------

LARGER = """
[train.lr]
kind = "constant"
value = 0.1
[[groups]]
name = "head"
"a.b" = {kind = "constant", value = 0.2}
"""


@pytest.fixture
def larger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = Path("run.toml")
    path.write_text(LARGER, encoding="utf-8")
    return path


def shown(*arguments: object, given: str | bytes = "") -> str:
    """The title and the phases that `show` prints."""
    result = run("show", *arguments, given=given)
    assert result.exit_code == 0, result.output
    return f"{result.output.splitlines()[0]}: {re.findall('constant .*', result.output)[0]}"


def test_a_key_stands_behind_its_file(larger: Path) -> None:
    assert shown("run.toml:train.lr") == shown(larger, "--key", "train.lr") == "run.toml:train.lr: constant 0.1"
    assert shown('run.toml:groups[0]."a.b"') == 'run.toml:groups[0]."a.b": constant 0.2'
    assert shown(larger.resolve(), "--key", "groups.0.'a.b'") == "run.toml:groups.0.'a.b': constant 0.2"


def test_an_existing_file_wins_over_a_key(larger: Path) -> None:
    Path("run.toml:train.toml").write_text(LARGER.replace("0.1", "0.7"), encoding="utf-8")
    Path("with: colons.toml").write_text('kind = "constant"\nvalue = 0.3', encoding="utf-8")
    assert shown("with: colons.toml") == "with: colons.toml: constant 0.3"
    assert shown("run.toml:train.toml:train.lr") == "run.toml:train.toml:train.lr: constant 0.7"
    assert shown("run.toml:train.lr") == "run.toml:train.lr: constant 0.1"


def test_file_and_key_are_split_where_neither_file_exists(larger: Path) -> None:
    Path("folder").mkdir()
    assert arguments.sources(["folder:run.toml"], None) == [("folder:run.toml", None)]
    assert arguments.sources(["Absent.TOML:a", "b.yml:c.json:d"], None) == [("Absent.TOML", "a"), ("b.yml", "c.json:d")]


def test_the_letter_of_a_windows_drive_is_not_taken_for_a_file(larger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("C").write_text("", encoding="utf-8")
    monkeypatch.setattr(os.path, "splitdrive", ntpath.splitdrive)
    assert arguments.sources([r"C:\absent.toml:train.lr"], None) == [(r"C:\absent.toml", "train.lr")]
    assert arguments.sources([r"C:\absent.toml"], None) == [(r"C:\absent.toml", None)]
    assert arguments.sources(["C:absent", "run.toml:x"], None) == [("C:absent", None), ("run.toml", "x")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('kind = "constant"\nvalue = 0.5', "0.5"),
        ('{"kind": "constant", "value": 0.25}', "0.25"),
        ("kind: constant\nvalue: 0.125", "0.125"),
    ],
)
def test_standard_input_is_read_in_the_format_that_it_has(text: str, value: str) -> None:
    assert shown("-", given=text) == shown("-", given="\ufeff" + text) == f"standard input: constant {value}"


def test_standard_input_may_have_a_key(larger: Path) -> None:
    assert shown("-:train.lr", given=LARGER) == shown("-", "--key", "train.lr", given=LARGER)
    assert shown("-:train.lr", given=LARGER) == "standard input:train.lr: constant 0.1"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "standard input: expected a schedule; got an empty text"),
        ("# nothing\n", "standard input: kind: required; got none"),
        ("hello", "standard input: expected TOML, JSON or YAML; got text that is not: TOML: Expected '=' after a key"),
        ("[1, 2", "standard input: expected TOML, JSON or YAML; got text that is not: TOML: "),
        (b"\xff", "standard input: expected UTF-8 text; got a wrong byte at position 0"),
        (LARGER, "standard input: kind: required; got none; the table 'train.lr' has one: ask for it by that key"),
        ("[" * 100_000, "standard input: expected at most 100 schedules inside one another; got more"),
    ],
)
def test_an_error_about_standard_input_is_one_line(given: str | bytes, message: str) -> None:
    result = run("show", "-", given=given)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"lrcore: {message}")
    assert result.stderr.count("\n") == 1


def test_standard_input_is_read_as_toml_and_json_without_the_yaml_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert run("show", "-", given='{"kind": "constant", "value": 1}').exit_code == 0
    error = run("show", "-", given="kind: constant").stderr
    assert error.startswith("lrcore: standard input: expected TOML, JSON or YAML; got text that is not: TOML: ")
    assert "; YAML: needs PyYAML, which is not installed" in error


def test_a_closed_standard_input_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for closed in (None, StringIO("")):
        monkeypatch.setattr(sys, "stdin", closed)
        with pytest.raises(
            lrcore.ScheduleError, match=r"^standard input: expected an input that can be read; got: none"
        ):
            lrcore.load("-")


def test_a_process_reads_its_standard_input() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "lrcore", "show", "-"], input=COSINE, capture_output=True, check=True, encoding="utf-8"
    )
    assert "cosine fall from 0.3 to 0.01" in result.stdout


def test_schema_prints_the_schema() -> None:
    assert run("schema").output == Path(lrcore.__file__).with_name("schedule.schema.json").read_text(encoding="utf-8")


# --- errors -----------------------------------------------------------------------------------------------------------


def test_an_error_is_one_line_and_status_2(file: Path) -> None:
    file.write_text(COSINE.replace("end_value", "end_valeu"), encoding="utf-8")
    result = process("show", file)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"lrcore: {file}: end_valeu: expected one of ")
    assert result.stderr.endswith("did you mean 'end_value'?\n")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "absent.toml"], "lrcore: absent.toml: expected a file; there is none\n"),
        (
            ["show", "schedule.txt"],
            "lrcore: schedule.txt: expected a file that ends in one of .toml, .json, .yaml, .yml",
        ),
        (
            ["plot", "schedule.toml", "-o", "curve.jpg"],
            "lrcore: curve.jpg: expected a file that ends in one of .png, .svg",
        ),
        (
            ["plot", "schedule.toml", "-o", "no/curve.png"],
            "lrcore: no/curve.png: expected a file that can be written; got:",
        ),
        (
            ["plot", "schedule.toml", "--key", "x", "-o", "c.png"],
            "lrcore: schedule.toml: x: expected a table of this name",
        ),
        (["show", "schedule.toml:x"], "lrcore: schedule.toml: x: expected a table of this name"),
        (["show", "schedule.toml:"], "lrcore: key: expected the name of a table, as in train.groups[0].schedule"),
        (
            ["show", "schedule.toml:a", "--key", "b"],
            "lrcore: schedule.toml:a: expected a key behind the file or in --key; got both",
        ),
        (
            ["plot", "schedule.toml", "schedule.toml:a", "--key", "b", "-o", "c.png"],
            "lrcore: schedule.toml:a: expected a key behind",
        ),
        (["show", "absent.toml:train.lr"], "lrcore: absent.toml: expected a file; there is none\n"),
        (["show", "absent:x"], "lrcore: absent:x: expected a file that ends in one of .toml"),
        (["show", "x" * 5000], f"lrcore: {'x' * 5000}: expected a file that ends in"),
        (
            ["plot", "-", "-:x", "-o", "c.png"],
            "lrcore: -: expected standard input once, for it can be read only once; got it twice\n",
        ),
        (["plot", "schedule.toml"], "Usage: "),
        (["plot", "-o", "curve.png"], "Usage: "),
        (["show", "schedule.toml", "--steps", "0"], "Usage: "),
        (["draw"], "Usage: "),
    ],
)
def test_wrong_calls_exit_with_status_2(
    arguments: list[str], message: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(file.parent)
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(message)
    assert result.stdout == ""


def test_without_matplotlib_the_extra_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("plot", file, "-o", file.with_suffix(".png"))
    assert result.exit_code == 2
    assert (
        result.stderr
        == 'lrcore: lrcore plot: needs matplotlib, which is not installed; run: pip install "lrcore[plot]"\n'
    )


def test_without_click_the_command_names_the_extra_in_one_line() -> None:
    program = "import sys; sys.modules['click'] = None; from lrcore.__main__ import main; main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, encoding="utf-8")
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr == 'lrcore: needs click, which is not installed; run: pip install "lrcore[cli]"\n'


def test_without_plotille_show_names_the_extra_in_one_line(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotille", None)
    result = run("show", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        'lrcore: lrcore show: needs plotille, which is not installed; run: pip install "lrcore[cli]"\n'
    )


def test_the_version_and_the_help_are_printed() -> None:
    assert run("--version").output == f"lrcore {lrcore.__version__}\n"
    result = run("--help")
    assert result.exit_code == 0
    assert "plot" in result.output
    assert "show" in result.output


# --- plot -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_plot_writes_the_format_of_the_suffix(suffix: str, start: bytes, file: Path) -> None:
    output = file.with_suffix(suffix)
    result = run("plot", file, "-o", output)
    assert result.exit_code == 0, result.stderr
    assert output.read_bytes().startswith(start)


def drawn(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Any:
    """The axes of the figure that a call draws."""
    from matplotlib.figure import Figure

    saved: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: saved.append(figure))
    result = run("plot", *arguments, "-o", "curves.png")
    assert result.exit_code == 0, result.output
    return saved[0].axes[0]


def test_plot_names_each_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = file.with_name("other.toml")
    other.write_text('kind = "constant"\nvalue = 0.1\n[plateau]\n', encoding="utf-8")
    axes = drawn(monkeypatch, file, other)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["schedule.toml", "other.toml"]
    assert [line.get_xdata()[-1] for line in axes.get_lines()] == [100, 100]


def test_plot_takes_a_key_for_each_file(file: Path, larger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = ["run.toml:train.lr", 'run.toml:groups[0]."a.b"', file]
    axes = drawn(monkeypatch, *places)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [*places[:2], "schedule.toml"]
    assert [line.get_ydata()[0] for line in axes.get_lines()] == [0.1, 0.2, 0.0]


def test_plot_tells_files_of_one_name_apart(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = file.parent / "other"
    folder.mkdir()
    other = Path(file.rename(folder / file.name))
    file.write_text(COSINE, encoding="utf-8")
    axes = drawn(monkeypatch, file, other, "--steps", 30)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [str(file), str(other)]
    assert [line.get_xdata()[-1] for line in axes.get_lines()] == [30, 30]


def test_plot_has_a_logarithmic_axis(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert drawn(monkeypatch, file, "--log").get_yscale() == "log"
    assert drawn(monkeypatch, file).get_yscale() == "linear"


# --- curves -----------------------------------------------------------------------------------------------------------


def test_a_staircase_is_drawn_with_upright_steps() -> None:
    stairs = Exponential(init_value=1.0, decay_rate=0.5, decay_steps=3, staircase=True)
    assert plot.curve(stairs, 6) == ([0, 1, 2, 3, 3, 4, 5, 6, 6], [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25])


def test_a_bend_is_not_drawn_as_a_jump() -> None:
    triangle = lrcore.Repeat(Linear(init_value=0.0, end_value=1.0, decay_steps=4), mirror=True)
    assert plot.curve(triangle, 12)[0] == [*range(13)]


def test_a_jump_in_a_long_schedule_is_upright() -> None:
    schedule = lrcore.Join([Cosine(init_value=1.0, decay_steps=1_000_003), Constant(1.0)])
    xs, ys = plot.curve(schedule, 2_000_000)
    assert len(xs) < 5_000
    at_jump = [y for x, y in zip(xs, ys, strict=True) if x == 1_000_003]
    assert at_jump == [pytest.approx(0.0, abs=1e-11), 1.0]


@pytest.mark.parametrize("period", [999, 1000, 1024])
def test_a_periodic_schedule_does_not_alias_when_it_is_sampled(period: int) -> None:
    waves = lrcore.Repeat(Cosine(init_value=1.0, decay_steps=period), value_factor=0.9999)
    _, ys = plot.curve(waves, period * 20_000)
    assert min(ys) < 0.1
    assert sum(y > 0.3 for y in ys) > 300


@given(strategies.schedules())
def test_every_curve_goes_through_the_values(schedule: Schedule) -> None:
    steps = min(describe.display_range(schedule), 500)
    xs, ys = plot.curve(schedule, steps)
    assert xs == sorted(xs)
    last = dict(zip(xs, ys, strict=True))
    assert last == {step: schedule(step) for step in range(steps + 1)}


@given(strategies.schedules())
def test_every_schedule_can_be_shown(schedule: Schedule) -> None:
    lines = "\n".join(cli._shown("x", schedule, None, 80))
    assert "step 0 " in re.sub(" +", " ", lines)


@pytest.mark.parametrize("value", [0.0, 1e-320, 1.7e308, -1.7e308, -0.5])
def test_values_of_any_size_are_drawn(value: float) -> None:
    picture = plot.in_terminal(Constant(value).warmup(10, init_value=0.0), 20, 60)
    assert len(picture.splitlines()) == 15
    assert any("⠀" < letter <= "⣿" for letter in picture)


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "steps"),
    [
        (Constant(0.1), 100),
        (Constant(0.1).warmup(500), 550),
        (Cosine(init_value=0.1, decay_steps=90).warmup(10), 110),
        (Exponential(init_value=0.1, decay_rate=0.1), 2),
        (Exponential(init_value=0.1, decay_rate=0.1, decay_steps=30, staircase=True).warmup(5), 65),
        (Exponential(init_value=0.1, decay_rate=10.0), 2),
        (Exponential(init_value=0.1, decay_rate=0.5, decay_steps=2.0**53), LAST_STEP),
        (InverseTime(init_value=0.1), 9),
        (InverseTime(init_value=0.1, decay_rate=0.5, decay_steps=10, power=0.5), 1980),
        (InverseTime(init_value=0.1, power=1e-3), LAST_STEP),
        (lrcore.Repeat(Cosine(init_value=0.1, decay_steps=10)), 40),
        (lrcore.Repeat(Cosine(init_value=0.1, decay_steps=10), length_factor=2), 150),
        (lrcore.Every(Exponential(init_value=0.1, decay_rate=0.1), steps=100), 200),
        (lrcore.Shift(Exponential(init_value=0.1, decay_rate=0.1), steps=5), 2),
        (lrcore.Join([Linear(init_value=0.1, decay_steps=10), Exponential(init_value=0.1, decay_rate=0.1)]), 12),
        (lrcore.Join([Constant(0.1), Exponential(init_value=0.1, decay_rate=0.1)], [40]), 42),
        (InverseTime(init_value=0.1) * Exponential(init_value=0.1, decay_rate=0.1), 9),
        (lrcore.Function(lambda step: 0.1 / (step + 1)), 1000),
        (lrcore.Function(lambda step: 0.1 / (step + 1), horizon=50), 55),
    ],
    ids=repr,
)
def test_a_schedule_is_shown_until_little_changes(schedule: Schedule, steps: int) -> None:
    assert describe.display_range(schedule) == steps


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("polynomial", ["power 2.5 fall from 0.1 to 0.001", "constant 0.001"]),
        ("exponential", ["exponential from 0.1, times 0.9 per 3.5 steps"]),
        ("staircase", ["exponential from 0.1, times 0.5 every 10 steps"]),
        ("inverse_time", ["cosine rise from 0 to 0.1", "inverse time from 0.1: 0.1 / (1 + t)^0.5, t from step 5"]),
        ("function", ["Function(<lambda>)"]),
        ("sum", ["sum of (linear fall from 0.1 to 0) and (constant 0.01)", "constant 0.01"]),
        ("mirror", ["again every 15 steps, back and forth: cosine fall from 0.1 to 0"]),
        ("every", ["exponential from 0.1, times 0.7 per step, one tick in 12 steps"]),
        (
            "cooldown",
            ["linear rise from 0 to 0.1", "constant 0.1", "1-sqrt fall from 0.1 to 0.0001", "constant 0.0001"],
        ),
    ],
)
def test_each_phase_is_described_in_words(name: str, texts: list[str]) -> None:
    assert [phase.words for phase in describe.phases(KINDS[name])] == texts


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (Cosine(init_value=0.1, decay_steps=10, exponent=2), "cosine (exponent 2) fall from 0.1 to 0"),
        (
            InverseTime(init_value=0.1, decay_rate=0.5, decay_steps=10, staircase=True),
            "inverse time from 0.1: 0.1 / (1 + 0.5 floor(t / 10))",
        ),
        (
            lrcore.Repeat(Cosine(init_value=0.1, decay_steps=10).warmup(5), value_factor=0.5),
            (
                "again every 15 steps, each time multiplied by 0.5: "
                "linear rise from 0 to 0.1 (5 steps), then cosine fall from 0.1 to 0 (10 steps)"
            ),
        ),
        (
            lrcore.Clip(InverseTime(init_value=0.1) + Exponential(init_value=0.1, decay_rate=0.5), 0.01, 0.2),
            (
                "sum of (inverse time from 0.1: 0.1 / (1 + t)) and (exponential from 0.1, times 0.5 per step), "
                "at least 0.01 and at most 0.2"
            ),
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_first_phase_is_described_in_words(schedule: Schedule, text: str) -> None:
    assert describe.phases(schedule)[0].words == text


def test_a_mirrored_cycle_is_described_as_one() -> None:
    schedule = lrcore.Repeat(Cosine(init_value=0.1, decay_steps=10), mirror=True, length_factor=2)
    assert describe.phases(schedule)[1].words == "backwards: cosine fall from 0.1 to 0"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"mode": "max", "rtol": 0, "atol": 0.01, "patience": 0, "cooldown": 2, "min_scale": 0.01},
            (
                "times 0.1 when more than 0 reports in a row are not better (higher by 0.01), "
                "then 2 without counting, down to 0.01 of the schedule"
            ),
        ),
        (
            {"rtol": 0, "accumulate": 4},
            "times 0.1 when more than 10 means of 4 reports in a row are not better (lower)",
        ),
        ({"patience": -1}, "times 0.1 at each better report (lower by 0.0001 of the best)"),
        (
            {"arithmetic": "torch", "patience": 3},
            (
                "times 0.1 when more than 3 reports in a row are not better "
                "(lower by 0.0001 of the best, by the rule of torch)"
            ),
        ),
    ],
)
def test_a_plateau_is_described_in_words(options: dict[str, Any], text: str) -> None:
    assert describe.plateau_in_words(Plateau(Constant(0.1), **options)) == text


# --- the run and other values -----------------------------------------------------------------------------------------

SHARES = 'kind = "cosine"\ninit_value = 0.1\ntotal_steps = "100%"\n[warmup]\nsteps = "2%"\n[run]\ntotal = 1_000\n'


def test_show_tells_each_length_as_it_is_written_and_resolved(tmp_path: Path) -> None:
    path = tmp_path / "shares.toml"
    path.write_text(SHARES)
    assert run("show", path).output.endswith("\nwarmup.steps  2%    = 20\ntotal_steps   100%  = 1,000\n")
    told = run(
        "show", path, "--run", "total=20_000", "--set", "warmup.steps=1 epoch", "--run", "updates_per_epoch=50"
    ).output
    assert told.endswith("\nwarmup.steps  1 epoch  = 50\ntotal_steps   100%     = 20,000\n")


@pytest.mark.parametrize(
    ("option", "value", "phase"),
    [
        ("--set", "init_value=0.25", "cosine fall from 0.25 to 0"),
        ("--set", "warmup=", "steps 0 to 999"),
        ("--set", 'warmup={steps = 5, shape = "cosine"}', "steps 0 to 4"),
        ("--set", "kind=linear", "linear fall from 0.1 to 0"),
        ("--run", "total=5e3", "steps 100 to 4,999"),
        ("--run", "total=30 epochs", "expected the run's updates_per_epoch for '2% of 30 epochs'"),
        ("--run", "totl=5", "did you mean 'total'?"),
        ("--set", "warmp.steps=5", "did you mean 'warmup'?"),
        ("--set", "warmup", "expected NAME=VALUE; got 'warmup'"),
    ],
)
def test_options_change_the_run_and_single_values(tmp_path: Path, option: str, value: str, phase: str) -> None:
    path = tmp_path / "shares.toml"
    path.write_text(SHARES)
    assert phase in run("show", path, option, value).output


def test_a_picture_is_drawn_with_the_same_options(tmp_path: Path) -> None:
    path, picture = tmp_path / "shares.toml", tmp_path / "curve.svg"
    path.write_text(SHARES.partition("[run]")[0])
    assert run("plot", path, "-o", picture).exit_code == 2
    assert run("plot", path, "-o", picture, "--run", "total=500", "--set", "warmup=").exit_code == 0
    assert picture.exists()
