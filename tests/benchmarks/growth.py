"""How costs grow with the number of pieces: what is done with a schedule of ever more boundaries, and the fitted power."""

from __future__ import annotations

import json
import math
import pickle
import statistics
import tomllib
from collections.abc import Sequence

import yaml

import lrcore
from lrcore import Clip, Every, Join, Linear, PiecewiseConstant, Schedule
from lrcore.curves.formulas import SCALARS
from lrcore.records import Record, json_text
from tests.benchmarks.measure import Bench, Call, Figure, Spread, alternating, duration

SECTION = "Growth: with which power of the number of pieces a time rises"
FILES = "Files of many pieces"
COUNTS = (1_000, 10_000, 100_000)
DRAWN = (
    "build",
    "load toml",
    "load json",
    "load yaml",
    "lower",
    "first value",
    "first hash",
    "first state",
    "one value",
)
REPETITIONS = 5  # of what takes up to a second each
LINEAR = 1.25  # a mark: large lists miss the processor's caches
CONSTANT = 0.1  # a mark: a bisection takes a step more for twice the pieces


def stairs(count: int) -> Schedule:
    """A schedule that changes after each ten updates."""
    values = [0.1 / (number + 1) for number in range(count + 1)]
    return PiecewiseConstant(boundaries=range(10, 10 * count + 1, 10), values=values)


def with_the_pieces(count: int) -> dict[str, Call]:
    """What has to look at each piece."""
    schedule, same = stairs(count), stairs(count)
    boundaries, values = list(schedule.boundaries), list(schedule.values_)  # type: ignore[attr-defined]
    ramps = [Linear(init_value=1.0 / (number + 1), end_value=0.5, decay_steps=100) for number in range(count)]
    tables = Join(ramps).to_dict()
    texts = {form: lrcore.dumps(schedule, form) for form in ("toml", "json", "yaml")}
    state = lrcore.save_state(5, schedule)
    return {
        "build": Call(lambda: PiecewiseConstant(boundaries=boundaries, values=values)),
        "build a join of ramps": Call(lambda: Join(ramps)),
        "read a join of ramps from a dict": Call(lrcore.from_dict, tables),
        **{f"load {form}": Call(lambda form=form: lrcore.loads(texts[form], form)) for form in texts},
        **{f"write {form}": Call(lambda form=form: lrcore.dumps(schedule, form)) for form in texts},
        "warmup and cooldown": Call(lambda: schedule.warmup(100).cooldown(100)),
        "clip": Call(lambda: Clip(schedule, min_value=1e-3)),
        "every": Call(lambda: Every(schedule, steps=7)),
        "first value": Call(lambda: schedule.timeline.bind(SCALARS)(55)),
        "first hash": Call(lambda: Record.__hash__(schedule)),
        "first state": Call(lambda: json_text(schedule.to_dict())),
        "load a state": Call(lambda: lrcore.load_state(state, schedule)),
        "compare with an equal one": Call(lambda: schedule == same),
        "pickle and back": Call(lambda: pickle.loads(pickle.dumps(schedule))),
        "all steps at which it changes": Call(lambda: list(schedule.timeline.breakpoints(10 * count + 1))),
        "lower": Call(lrcore.lower, schedule),
    }


def whatever_the_pieces(count: int) -> dict[str, Call]:
    """What is worked out once, or looks at few pieces."""
    schedule = stairs(count)
    return {
        "one value": Call(schedule, 10 * count - 5),
        "hash, after the first": Call(hash, schedule),
        "state, after the first": Call(lambda: lrcore.save_state(5, schedule)),
        "repr": Call(repr, schedule),
    }


def growth(bench: Bench) -> None:
    """The time of each operation for ever more pieces, and the parsers of others beside ours."""
    for operations, mark in ((with_the_pieces, LINEAR), (whatever_the_pieces, CONSTANT)):
        by_count = [operations(count) for count in COUNTS]
        for name in by_count[0]:
            times = [median_of(operations[name]) for operations in by_count]
            power = fitted_power(COUNTS, times)
            bench.add(
                Figure(
                    section=SECTION,
                    what=name,
                    spread=Spread(power, power, power),
                    unit="(exponent)",
                    mark=mark,
                    detail=f"{', '.join(map(duration, times))} for {', '.join(f'{count:,}' for count in COUNTS)}",
                )
            )
            if name in DRAWN:
                bench.curve("growth", name, COUNTS, [1e3 * time for time in times])
    beside_parsers(bench, COUNTS[-1])


def beside_parsers(bench: Bench, count: int) -> None:
    """What reading takes beside the parser of each format alone."""
    schedule = stairs(count)
    toml, js, text = (lrcore.dumps(schedule, form) for form in ("toml", "json", "yaml"))
    pairs = {
        "toml to tomllib alone": (lambda: lrcore.loads(toml), lambda: tomllib.loads(toml), 1.6),
        "json to json alone": (lambda: lrcore.loads(js, "json"), lambda: json.loads(js), None),
        "yaml to PyYAML's C loader alone": (
            lambda: lrcore.loads(text, "yaml"),
            lambda: yaml.load(text, yaml.CSafeLoader),
            2.5,
        ),
    }
    for name, (ours, theirs, mark) in pairs.items():
        bench.ratio(FILES, f"load {name}, {count:,} pieces", Call(ours), Call(theirs), mark)


def median_of(call: Call) -> float:
    [times] = alternating(call, repetitions=REPETITIONS)
    return statistics.median(times)


def fitted_power(counts: Sequence[float], times: Sequence[float]) -> float:
    """The exponent of the power law through the points: 1 where twice the pieces take twice the time."""
    return statistics.linear_regression([*map(math.log, counts)], [*map(math.log, times)]).slope
