"""Apply `on_mismatch` when MXNet loads states.

MXNet replaces the optimizer by the one in the file, and the scheduler with it, without a call to the scheduler that was
configured. Every way of loading goes through `Updater.set_states`: `Trainer.load_states`, with it the Estimator's
CheckpointHandler, `KVStore.load_optimizer_states` and `Module.load_optimizer_states`. That method is extended here.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import mxnet as mx

import lrcore
from lrcore import adapting
from lrcore_mxnet._native import from_native
from lrcore_mxnet._scheduler import LRScheduler
from lrcore_mxnet._update_counts import counting, spread_counts_to_devices

_WHERE = "lrcore_mxnet.LRScheduler"


def apply_policy_to_loaded_states() -> None:
    """Have `Updater.set_states` keep the configured LRScheduler, or raise and change nothing."""
    load = mx.optimizer.Updater.set_states

    @wraps(load)
    def set_states(updater: Any, states: bytes) -> None:
        before = dict(vars(updater))
        load(updater, states)
        try:
            _keep_scheduler(before["optimizer"], updater.optimizer)
        except Exception:
            vars(updater).update(before)
            raise

    mx.optimizer.Updater.set_states = set_states


def _keep_scheduler(configured: Any, loaded: Any) -> None:
    """Have the optimizer from a file follow the scheduler of the configured one; where that is no LRScheduler, its own."""
    if loaded is configured:
        _warn_if_not_counted(counting(configured))
        return
    parameters, configured, loaded = configured.param_dict, counting(configured), counting(loaded)
    schedulers = [optimizer.lr_scheduler for optimizer in (configured, loaded)]
    scheduler = next((one for one in schedulers if isinstance(one, LRScheduler)), None)
    if scheduler is not None:
        scheduler._go_on(_state_of(loaded, scheduler))  # noqa: SLF001 - its own package
        loaded.lr_scheduler = scheduler
        spread_counts_to_devices(loaded, parameters)


def _state_of(optimizer: Any, scheduler: LRScheduler) -> dict[str, int | str]:
    """Return the state of the run that an optimizer from a file belongs to.

    A scheduler of MXNet, or a fixed rate, is described as a schedule, which "use_config" does not need.
    """
    found, step = optimizer.lr_scheduler, optimizer.num_update
    if isinstance(found, LRScheduler):
        return found._saved_state(step)  # noqa: SLF001 - its own package
    if scheduler.on_mismatch == "use_config":
        return lrcore.save_state(step, scheduler.schedule)
    return lrcore.save_state(step, lrcore.Constant(optimizer.lr) if found is None else from_native(found))


def _warn_if_not_counted(optimizer: Any) -> None:
    """Warn that a file without an optimizer, as Module and KVStore write it, has no number of updates either."""
    if isinstance(optimizer.lr_scheduler, LRScheduler) and optimizer.num_update == 0:
        adapting.warn(
            f"{_WHERE}: the states just loaded have no number of updates, so the schedule begins at step 0; call "
            "load_state_dict(state, module), or pass begin_num_update to the optimizer"
        )
