"""Read and set the update counts of an MXNet optimizer.

The optimizer counts the updates of each parameter on each device; `num_update` is the largest count. MXNet has no public
function that sets these counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import FrameType
from typing import Any

import mxnet as mx

import lrcore


def optimizer_of(trainer: Any, where: str) -> Any:
    """Return the optimizer that counts the updates of a Trainer, a Module, a KVStore or an Updater, or the optimizer itself.

    Raises:
        lrcore.ScheduleError: `trainer` has no optimizer, or its distributed store counts the updates on its servers.
    """
    owner = optimizer = getattr(trainer, "_curr_module", trainer)
    if getattr(owner, "_update_on_kvstore", False) and "dist" in owner._kvstore.type:  # noqa: SLF001
        raise lrcore.ScheduleError(
            where,
            f"expected a trainer that counts its updates; got one whose store, {owner._kvstore.type}, makes and counts them "  # noqa: SLF001
            "on its servers; pass update_on_kvstore=False, or load before the first update",
        )
    for name in ("_optimizer", "_updater", "optimizer"):
        optimizer = getattr(optimizer, name, optimizer)
    if not isinstance(optimizer, mx.optimizer.Optimizer):
        raise lrcore.ScheduleError(
            where, f"expected a gluon.Trainer, a Module after init_optimizer, or an optimizer; got {trainer!r}"
        )
    return counting(optimizer)


def counting(optimizer: Any) -> Any:
    """Return the optimizer that makes the updates: SVRGModule's optimizer has another one, `default_opt`, make them."""
    return getattr(optimizer, "default_opt", optimizer)


def set_update_count(optimizer: Any, step: int) -> None:
    """Set the number of updates made to `step`, for every parameter on every device."""
    optimizer.begin_num_update = optimizer.num_update = step
    for counts in optimizer._all_index_update_counts.values():  # noqa: SLF001
        counts.clear()


def spread_counts_to_devices(optimizer: Any, parameters: Mapping[Any, Any]) -> None:
    """Give each device of some Gluon parameters the largest count of each parameter on any device.

    States that were saved on other devices have no counts for the trainer's own, where MXNet would begin anew.
    """
    counts_by_device, largest_counts = optimizer._all_index_update_counts, Counter[Any]()  # noqa: SLF001
    for counts in counts_by_device.values():
        largest_counts |= Counter(counts)
    for device in {device.device_id for parameter in parameters.values() for device in _devices(parameter)}:
        counts_by_device.setdefault(device, {}).update(largest_counts)


def _devices(parameter: Any) -> list[Any]:
    """Return the devices of a Gluon parameter; MXNet 2 has renamed the method."""
    return list(parameter.list_device() if hasattr(parameter, "list_device") else parameter.list_ctx())


def undo_count(caller: FrameType | None) -> None:
    """Undo the count of the update whose rate could not be computed.

    MXNet raises the counts before it asks for the rate, and an exception then prevents the update.

    Args:
        caller: the frame that called the scheduler. The counts stay as they are if it is not inside the optimizer's
            `_get_lrs`, which only an update calls.
    """
    while caller is not None and caller.f_code.co_name != "_get_lrs":
        caller = caller.f_back
    variables: dict[str, Any] = {} if caller is None else caller.f_locals
    optimizer: Any = variables.get("self")
    if not isinstance(optimizer, mx.optimizer.Optimizer):
        return
    for parameter in variables["indices"]:
        optimizer._index_update_count[parameter] -= 1  # noqa: SLF001
    devices = optimizer._all_index_update_counts.values()  # noqa: SLF001
    optimizer.num_update = max(optimizer.begin_num_update, *(count for device in devices for count in device.values()))
