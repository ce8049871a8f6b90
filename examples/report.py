"""Compare the training runs: one table, report.json and curves.png.

    python examples/report.py build/demo torch keras optax mxnet paddle mlx

reads build/demo/torch.json and so on. It fails (exit status 1) if a framework has no result, if a learning rate that was
used differs in one bit from float32(schedule(step)) or from what the adapter says, or if the losses drift apart.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import lrcore
from curves import plot

SCHEDULE_FILE = Path(__file__).with_name("schedule.toml")
LOSS_TOLERANCE = 1e-3
PER_UPDATE = ("learning_rates", "adapter_learning_rates", "losses")
FIELDS = ("framework", "version", "device", "updates", *PER_UPDATE, "accuracy")
HEADINGS = (
    "framework",
    "version",
    "device",
    "updates",
    "rate used at every update",
    "adapter's word",
    "final loss",
    "test accuracy",
)

Result = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Compare what the folder holds and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the results are, and where report.json and curves.png go")
    parser.add_argument("frameworks", nargs="+", help="the frameworks that should have a result")
    options = parser.parse_args(arguments)

    results = [read_result(options.folder, framework) for framework in options.frameworks]
    schedule = lrcore.load(SCHEDULE_FILE)
    assert isinstance(schedule, lrcore.Schedule)
    report = compare(results, schedule)
    print(table(results), summary(report), sep="\n\n")
    (options.folder / "report.json").write_text(json.dumps(report, indent=1), encoding="utf-8")
    if runs := trained(results):
        plot(runs, options.folder / "curves.png")
    return 1 if report["problems"] else 0


def read_result(folder: Path, framework: str) -> Result:
    """What the framework's run wrote, or {"framework", "error"} with the reason why there is nothing to compare."""
    path = folder / f"{framework}.json"
    try:
        result: Result = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"framework": framework, "error": f"{path} was not written"}
    except ValueError as error:
        return {"framework": framework, "error": f"{path} is not JSON: {error}"}
    if "error" in result:
        return {"framework": framework, "error": str(result["error"])}
    if missing := [field for field in FIELDS if field not in result]:
        return {"framework": framework, "error": f"{path} lacks {', '.join(missing)}"}
    if short := [field for field in PER_UPDATE if not len(result[field]) == result["updates"] > 0]:
        return {"framework": framework, "error": f"{path} does not hold one value per update in {', '.join(short)}"}
    return result


def trained(results: list[Result]) -> list[Result]:
    """The results of the frameworks that did train."""
    return [result for result in results if "error" not in result]


def compare(results: list[Result], schedule: lrcore.Schedule) -> Result:
    """Add to each result how far it is from the schedule, and say what is wrong (`problems` is empty if all is well)."""
    runs = trained(results)
    updates = max((run["updates"] for run in runs), default=0)
    expected = [schedule(step) for step in range(updates)]
    for run in runs:
        run.update(largest_difference("learning_rate", run["learning_rates"], expected))
        run.update(largest_difference("adapter", run["adapter_learning_rates"], run["learning_rates"]))
    distance, step = largest_distance([run["losses"] for run in runs])
    problems = [problem for result in results for problem in find_problems(result, updates)]
    if not distance <= LOSS_TOLERANCE:
        problems.append(f"the losses are {distance:.2g} apart at step {step}; at most {LOSS_TOLERANCE:g} was expected")
    return {
        "schedule": SCHEDULE_FILE.read_text(encoding="utf-8"),
        "fingerprint": schedule.fingerprint,
        "updates": updates,
        "same_bits": bool(runs) and all(run["learning_rate_ulp"] == 0 for run in runs),
        "largest_loss_distance": distance,
        "problems": problems,
        "frameworks": results,
    }


def largest_difference(name: str, used: npt.ArrayLike, expected: npt.ArrayLike) -> Result:
    """How many float32 the two lists differ by where they differ most, and at which step (None: nowhere)."""
    ulp = [abs(a - b) for a, b in zip(float32_ranks(used), float32_ranks(expected), strict=False)]
    largest = max(ulp)
    return {f"{name}_ulp": largest, f"{name}_ulp_step": ulp.index(largest) if largest else None}


def float32_ranks(values: npt.ArrayLike) -> list[int]:
    """Number the float32 in their order, so that neighbours differ by 1; -0.0 comes before 0.0, for bits are compared."""
    bits = np.asarray(values, dtype=np.float32).view(np.int32)
    return [bit if bit >= 0 else -1 - (bit + 2**31) for bit in bits.tolist()]


def largest_distance(losses: list[list[float]]) -> tuple[float, int | None]:
    """The largest distance between any two runs' losses at the same update, and that update's step."""
    if len(losses) < 2:
        return 0.0, None
    common = min(map(len, losses))
    distances = np.ptp(np.array([loss[:common] for loss in losses]), axis=0)
    step = int(np.argmax(distances))
    return float(distances[step]), step


def find_problems(result: Result, updates: int) -> list[str]:
    """What is wrong with one framework's result, in words."""
    name = result["framework"]
    if "error" in result:
        return [f"{name} did not train: {result['error']}"]
    problems = []
    if result["updates"] != updates:
        problems.append(f"{name} made {result['updates']} updates where others made {updates}")
    if ulp := result["learning_rate_ulp"]:
        problems.append(f"{name} is {ulp} ulp from float32(schedule(step)) at step {result['learning_rate_ulp_step']}")
    if ulp := result["adapter_ulp"]:
        problems.append(f"{name}'s adapter is {ulp} ulp from the rate used at step {result['adapter_ulp_step']}")
    return problems


def table(results: list[Result]) -> str:
    """The results as aligned text; a framework that did not train has the reason in place of the numbers."""
    rows = [HEADINGS, *map(cells, results)]
    columns = zip(*(row for row in rows if len(row) == len(HEADINGS)), strict=True)
    widths = [max(map(len, column)) for column in columns]
    widths[0] = max(len(row[0]) for row in rows)
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def cells(result: Result) -> tuple[str, ...]:
    """One row of the table."""
    if "error" in result:
        return result["framework"], f"did not train: {result['error']}"
    return (
        result["framework"],
        result["version"],
        result["device"],
        str(result["updates"]),
        ulp_at_step(result, "learning_rate") or "same bits",
        ulp_at_step(result, "adapter") or "agrees",
        f"{result['losses'][-1]:.6f}",
        f"{result['accuracy']:.2%}",
    )


def ulp_at_step(result: Result, name: str) -> str:
    """The largest difference in words; empty if there is none."""
    ulp, step = result[f"{name}_ulp"], result[f"{name}_ulp_step"]
    return f"{ulp} ulp at step {step}" if ulp else ""


def summary(report: Result) -> str:
    """What the table shows, in sentences, and each problem."""
    names = [run["framework"] for run in trained(report["frameworks"])]
    lines = []
    if report["same_bits"]:
        lines.append(f"At every update the weights moved by float32(schedule(step)), bit for bit: {', '.join(names)}.")
    if len(names) > 1:
        lines.append(f"The losses are at most {report['largest_loss_distance']:.1e} apart at any update.")
    lines += [f"FAILED: {problem}" for problem in report["problems"]]
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
