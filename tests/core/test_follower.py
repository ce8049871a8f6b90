"""The follower: the forms in which it takes a schedule, metrics, states, and the warning that no metric was reported."""

from __future__ import annotations

import copy
import math
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest

import lrcore
from lrcore import Constant, Linear, Plateau, ScheduleError
from lrcore.adapting import Follower, as_schedule, warn

DOWN = Linear(init_value=0.5, end_value=0.0, decay_steps=4)
PLATEAU = Plateau(DOWN, factor=0.5, patience=0)
TEXTS = {
    "toml": 'kind = "linear"\ninit_value = 0.5\nend_value = 0.0\ndecay_steps = 4\n',
    "json": '{"kind": "linear", "init_value": 0.5, "end_value": 0.0, "decay_steps": 4}',
    "yaml": "kind: linear\ninit_value: 0.5\nend_value: 0.0\ndecay_steps: 4\n",
}


def told_twice(follower: Follower) -> Follower:
    return follower.told(0.7, "adapter").told(0.7, "adapter")


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_and_a_path_give_the_schedule(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"schedule.{name}"
    path.write_text(TEXTS[name])
    assert as_schedule(TEXTS[name]) == as_schedule(path) == as_schedule(str(path)) == DOWN
    assert Follower.of(path, "adapter").schedule == DOWN


def test_a_dict_gives_the_schedule_or_the_plateau() -> None:
    assert as_schedule(DOWN.to_dict()) == DOWN
    assert Follower.of(PLATEAU.to_dict(), "adapter").schedule == PLATEAU


def test_the_mappings_and_sequences_of_a_configuration_library_give_the_schedule() -> None:
    import collections

    joined = lrcore.Join([DOWN, Constant(0.1)], boundaries=[2])
    plain = joined.to_dict()
    nested = collections.UserDict(
        {key: collections.UserList(value) if isinstance(value, list) else value for key, value in plain.items()}
    )
    assert as_schedule(nested) == joined


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "linear", "init_valu": 1}, r"adapter\.schedule: .*init_valu"),
        ('{"kind": "linear"', r"adapter\.schedule: expected TOML, JSON or YAML"),
        ("cosine", r"adapter\.schedule: cosine: expected a file that ends in"),
        ("no-such-file.toml", r"adapter\.schedule: no-such-file\.toml: expected a file; there is none"),
        (3, r"adapter\.schedule: expected a lrcore schedule, a function of the step, or .*; got 3"),
        (PLATEAU, r"adapter\.schedule: expected a schedule; got Plateau.*, which needs a metric"),
    ],
)
def test_what_gives_no_schedule_is_refused_in_one_sentence(given: Any, message: str) -> None:
    with pytest.raises(ScheduleError, match=message) as caught:
        as_schedule(given, where="adapter.schedule")
    assert "\n" not in str(caught.value)


def test_a_list_is_followed_only_where_several_may_be() -> None:
    assert Follower.of([DOWN, TEXTS["json"]], "adapter", several=True).schedule == [DOWN, DOWN]
    with pytest.raises(ScheduleError, match="expected a lrcore schedule"):
        Follower.of([DOWN], "adapter")
    with pytest.raises(ScheduleError, match="one schedule for each parameter group; got none"):
        Follower.of([], "adapter", several=True)
    with pytest.raises(ScheduleError, match=r"adapter\[1\]: expected a schedule; got Plateau"):
        Follower.of([DOWN, PLATEAU], "adapter", several=True)


def test_there_is_one_function_of_the_step_for_each_schedule() -> None:
    follower = Follower.of([DOWN, DOWN * 0.5], "adapter", several=True)
    assert [function(1) for function in follower.functions] == [0.375, 0.1875]
    assert Follower.of(DOWN, "adapter").at(1) == 0.375


def test_a_metric_makes_a_new_follower_with_a_lower_rate() -> None:
    follower = Follower.of(PLATEAU, "adapter")
    assert (told_twice(follower).at(1), follower.at(1)) == (0.1875, 0.375)


def test_a_plateau_in_a_dict_is_told_its_metric() -> None:
    follower = told_twice(Follower.beginning({"lr": PLATEAU, "weight_decay": DOWN}))
    assert follower.plateau == PLATEAU
    assert follower.plateau_state is not None
    assert follower.plateau_state.scale == 0.5


def test_a_schedule_refuses_a_metric() -> None:
    with pytest.raises(ScheduleError, match=r"adapter\.report: expected a lrcore\.Plateau, which alone uses metrics"):
        Follower.of(DOWN, "adapter").told(0.7, "adapter")


def test_a_state_is_loaded_into_another_follower() -> None:
    state = told_twice(Follower.of(PLATEAU, "adapter")).state(7)
    follower, step = Follower.of(PLATEAU, "adapter").loaded(state, "error", "adapter")
    assert (step, follower.at(1)) == (7, 0.1875)
    assert follower.state(7) == state


def test_a_state_of_several_schedules_is_refused_where_one_is_followed() -> None:
    state = lrcore.save_state(7, [DOWN, Constant(0.1)])
    with pytest.raises(ScheduleError, match="adapter: expected a state of one schedule, as configured; got"):
        Follower.of(DOWN, "adapter").loaded(state, "keep_checkpoint", "adapter")


def test_a_plateau_that_is_told_nothing_is_reminded_of_once() -> None:
    follower = Follower.of(PLATEAU, "adapter").counting_from(70)
    assert follower.remind(10_069, "adapter", "call report") is follower
    with pytest.warns(UserWarning, match=r"adapter: 10,000 updates were made .*; call report") as caught:
        reminded = follower.remind(10_070, "adapter", "call report")
    assert caught[0].filename == __file__
    assert reminded.remind(10_071, "adapter", "call report") is reminded


@pytest.mark.parametrize(
    "follower", [Follower.of(DOWN, "adapter"), Follower.of(PLATEAU, "adapter").told(1.0, "adapter")]
)
def test_a_follower_that_waits_for_no_metric_reminds_of_nothing(follower: Follower) -> None:
    assert follower.counting_from(3).remind(10**9, "adapter", "call report") == follower


def test_a_loaded_plateau_that_was_told_nothing_goes_on_waiting() -> None:
    state = Follower.of(PLATEAU, "adapter").state(8_000)
    assert Follower.of(PLATEAU, "adapter").loaded(state, "error", "adapter")[0].report_due == 10_000


def test_a_follower_is_copied_and_pickled_whole() -> None:
    follower = told_twice(Follower.of(PLATEAU, "adapter"))
    assert follower.at(1) == 0.1875  # the functions are made
    for other in (copy.deepcopy(follower), pickle.loads(pickle.dumps(follower))):
        assert other == follower
        assert other.at(1) == 0.1875
    assert follower.report_due == math.inf


def test_a_warning_names_the_line_of_the_caller() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn("something")
        lrcore.load_state(
            lrcore.save_state(3, PLATEAU, {**PLATEAU.update(PLATEAU.initial(), 0.5).to_dict()}),
            Plateau(DOWN, factor=0.5, patience=0, mode="max"),
            on_mismatch="use_config",
        )
    assert [one.filename for one in caught] == [__file__] * 2
