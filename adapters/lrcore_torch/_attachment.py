"""Calls a scheduler after every update of an optimizer, from torch's hooks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from lrcore_torch._hooks import wrapped_optimizers

_CHANGES_WITHOUT_HOOK = 32  # more changes of a weight than initialising and loading a model make


class Attachment:
    """Calls a function after every update that an optimizer makes.

    One update may run several hooked methods, one inside another: a wrapper calls the optimizer that it wraps, and a
    subclass calls the `step` of its base class. The outermost counts. A wrapper such as SAM also has other methods that
    update; then only the optimizer inside is hooked, and that one counts.

    Args:
        optimizer: the optimizer, or a wrapper of one.
        after_update: the function; it is given the keyword arguments of the optimizer's `step`.
    """

    def __init__(self, optimizer: Any, after_update: Callable[[Mapping[str, Any]], None]) -> None:
        hooked = [one for one in wrapped_optimizers(optimizer) if hasattr(one, "_optimizer_step_post_hooks")]
        self._after_update = after_update
        self._running: list[FrameType] = []  # the calls of hooked methods that are under way, where they may be nested
        self._was_called = False
        self._weights = [weight for group in optimizer.param_groups for weight in group["params"]][:1]
        self._changes = self._count_changes()
        self._hooks = [one.register_step_post_hook(self._after_step) for one in hooked]
        if len(hooked) > 1 or any(map(_calls_its_base, hooked)):
            self._hooks += [one.register_step_pre_hook(self._before_step) for one in hooked]

    def __bool__(self) -> bool:
        """Whether the optimizer, or one inside it, has torch's hooks."""
        return bool(self._hooks)

    def remove(self) -> None:
        """Undo what the constructor did."""
        for hook in self._hooks:
            hook.remove()

    def has_missed_updates(self) -> bool:
        """Whether the weights have changed many times although no hook was ever called."""
        return not self._was_called and self._count_changes() - self._changes > _CHANGES_WITHOUT_HOOK

    def _before_step(self, *_: Any) -> None:
        frame = sys._getframe(1)  # noqa: SLF001 - torch's function around `step`, which runs until the update is made
        while self._running and not _is_inside(frame, self._running[-1]):  # it failed, and is no longer under way
            self._running.pop()
        self._running.append(frame)

    def _after_step(self, optimizer: Any, _: Any, arguments: Mapping[str, Any]) -> None:
        if self._running:
            self._running.pop()
        if not self._running:
            self._was_called = True
            if not _is_skipped(optimizer, arguments):
                self._after_update(arguments)

    def _count_changes(self) -> int:
        return sum(weight._version for weight in self._weights)  # noqa: SLF001 - torch counts the changes in place


def _calls_its_base(optimizer: Any) -> bool:
    """Whether more than one class of the optimizer has a `step`, which torch hooks each."""
    return sum("step" in vars(cls) for cls in type(optimizer).__mro__ if cls is not Optimizer) > 1


def _is_inside(frame: FrameType, outer: FrameType) -> bool:
    """Whether a call is made, directly or not, by another one."""
    caller: FrameType | None = frame
    while caller is not None and caller is not outer:
        caller = caller.f_back
    return caller is outer


def _is_skipped(optimizer: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a GradScaler makes the optimizer skip this update, because a gradient is not finite.

    GradScaler does not call the `step` of most optimizers then. It does call that of one which can skip by itself, such as
    a fused one: with `found_inf` set during the call or, in a deprecated form, with itself as an argument.
    """
    found: Any = getattr(optimizer, "found_inf", None)
    if found is None and "grad_scaler" in arguments:
        found = sum(arguments["grad_scaler"]._found_inf_per_device(optimizer).values())  # noqa: SLF001
    return bool(found.item()) if isinstance(found, Tensor) else bool(found)
