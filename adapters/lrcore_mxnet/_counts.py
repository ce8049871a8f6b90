"""The updates that an optimizer of MXNet has counted, for each parameter on each device; MXNet has no public way to set them."""

from __future__ import annotations

from collections import Counter
from types import FrameType
from typing import Any

import mxnet as mx

import lrcore


def optimizer_of(trainer: Any, where: str) -> Any:
    """The optimizer of a Trainer, a Module, a BucketingModule, a KVStore or an Updater, or the optimizer itself."""
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
    return optimizer


def count_from(optimizer: Any, step: int) -> None:
    """Set the number of updates made."""
    optimizer.begin_num_update = optimizer.num_update = step
    for counts in optimizer._all_index_update_counts.values():  # noqa: SLF001
        counts.clear()


def count_on(optimizer: Any, trainer: Any) -> None:
    """Let each device of the trainer count on from what any device has counted: the states may be of other devices."""
    of_device, of_any = optimizer._all_index_update_counts, Counter[Any]()  # noqa: SLF001
    for counts in of_device.values():
        of_any |= Counter(counts)
    for context in getattr(trainer, "_contexts", getattr(trainer, "_context", [])):
        of_device.setdefault(context.device_id, {}).update(of_any)


def take_back_update(asking: FrameType | None) -> None:
    """Uncount the update for which MXNet asks a rate: it counts first, and makes no update after an error.

    Args:
        asking: the frame that called the scheduler. Where no optimizer asks for an update's rate, nothing is done.
    """
    while asking is not None and asking.f_code.co_name != "_get_lrs":
        asking = asking.f_back
    names: dict[str, Any] = {} if asking is None else asking.f_locals
    optimizer: Any = names.get("self")
    if not isinstance(optimizer, mx.optimizer.Optimizer):
        return
    for one in names["indices"]:
        optimizer._index_update_count[one] -= 1  # noqa: SLF001
    devices = optimizer._all_index_update_counts.values()  # noqa: SLF001
    optimizer.num_update = max(optimizer.begin_num_update, *(count for device in devices for count in device.values()))
