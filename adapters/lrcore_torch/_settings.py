"""What the code gave to the parameter groups, beside what a saved optimizer state has in its place.

`optimizer.load_state_dict` replaces the groups by the saved ones. A factor that the code gave a group, such as its
`lr_scale`, is not lost or replaced by that unless the scheduler's policy says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import lrcore
from lrcore import adapting
from lrcore_torch._given import OWN, Group, own_rate
from lrcore_torch._plan import Plan, scale

_FACTORS = ("lr_scale", f"{OWN}lr")


def remember_own_numbers(groups: Iterable[Group], plan: Plan) -> None:
    """Keep the numbers that groups were made with where they decide what is driven, as torch keeps `initial_lr`."""
    for group in groups:
        if plan.relative:
            group.setdefault(f"{OWN}lr", own_rate(group))
        for column in plan.columns:
            if column.key in group and OWN + column.key not in group:
                held = group[column.key]
                group[OWN + column.key] = float(held) if column.place is None else tuple(map(float, held))


def warn_of_own_numbers(groups: Sequence[Group], plan: Plan, where: str) -> None:
    """Warn that one schedule overwrites numbers that the code gave to the groups, which differ."""
    rates = [float(group["lr"]) for group in groups]
    distinct = list(dict.fromkeys(rates))
    has_scale = any("lr_scale" in group for group in groups)
    if len(distinct) > 1 and not (plan.relative or has_scale or isinstance(plan.schedule, list)):
        adapting.warn(
            f"{where}: expected groups with one rate, which the schedule overwrites; got {_shown(distinct)}; set "
            "relative=True, an lr_scale in the groups, or a list with a schedule for each group"
        )
    for column in plan.columns:
        if isinstance(column.functions, int):
            own = list(dict.fromkeys(column.own(groups[number]) for number in column.driven))
            if len(own) > 1:
                adapting.warn(
                    f"{where}: expected groups with one {column.key}, which the schedule overwrites; got {_shown(own)}; "
                    "give a list with a schedule for each group"
                )


def _shown(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers[:5]) + (", ..." if len(numbers) > 5 else "")


def fitted_state(
    state: Mapping[str, Any], groups: Sequence[Group], plan: Plan, policy: adapting.Policy, where: str
) -> dict[str, Any]:
    """What the optimizer is to load instead of a saved state, so that each factor of a group is the one that the policy chooses.

    Raises:
        lrcore.ScheduleError: a factor differs, and the policy is "error" or "same_past".
    """
    fitted = [dict(group) for group in state.get("param_groups", ())]
    for number, (group, saved) in enumerate(zip(groups, fitted, strict=False)):
        for key in group:
            if key.startswith(OWN):
                saved.setdefault(key, group[key])
        for key, configured in _factors(group, number, plan).items():
            loaded = _factors(saved, number, plan)[key]
            same = configured == loaded if key in _FACTORS else bool(configured) == bool(loaded)
            if same or policy == "keep_checkpoint":
                continue
            if policy != "use_config":
                raise lrcore.ScheduleError(
                    where,
                    f"expected the {key} that the code gave group {number}, {configured:g}; got {loaded:g} in the saved "
                    "state of the optimizer; set on_mismatch to keep_checkpoint or use_config",
                )
            saved[key] = group.get(key, configured)
    return {**state, "param_groups": fitted}


def _factors(group: Group, number: int, plan: Plan) -> dict[str, float]:
    """What a group multiplies its rate with; and its own number of each key in `also`, which is driven unless it is 0."""
    factors = {"lr_scale": scale(group, number) if "lr_scale" in group else 1.0}
    if plan.relative:
        factors[f"{OWN}lr"] = own_rate(group)
    for column in plan.columns:
        if isinstance(column.functions, int) and column.key in group:
            factors[OWN + column.key] = column.own(group)
    return factors
