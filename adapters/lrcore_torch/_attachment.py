"""Calls a scheduler after every update of an optimizer, from torch's hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from lrcore_torch._hooks import wrapped_optimizers

_CHANGES_WITHOUT_HOOK = 32  # more changes of a weight than initialising and loading a model make


class Attachment:
    """Calls a function after every update that an optimizer makes.

    A wrapper such as SAM may be told to update by another method than `step`. So the optimizers inside are hooked, too;
    their updates count unless they belong to a `step` of the outer one.

    Args:
        optimizer: the optimizer, or a wrapper of one.
        after_update: the function; it is given the keyword arguments of the optimizer's `step`.
    """

    def __init__(self, optimizer: Any, after_update: Callable[[Mapping[str, Any]], None]) -> None:
        hooked = [one for one in wrapped_optimizers(optimizer) if hasattr(one, "_optimizer_step_post_hooks")]
        self._after_update = after_update
        self._in_outer_step = False
        self._was_called = False
        self._weights = [weight for group in optimizer.param_groups for weight in group["params"]][:1]
        self._changes = self._count_changes()
        self._hooks = [one.register_step_post_hook(self._after_inner_step) for one in hooked[1:]]
        if hooked:
            self._hooks.append(hooked[0].register_step_post_hook(self._after_outer_step))
        if len(hooked) > 1:
            self._hooks.append(hooked[0].register_step_pre_hook(self._before_outer_step))

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

    def _before_outer_step(self, *_: Any) -> None:
        self._in_outer_step = True

    def _after_outer_step(self, optimizer: Any, _: Any, arguments: Mapping[str, Any]) -> None:
        self._in_outer_step = False
        self._count(optimizer, arguments)

    def _after_inner_step(self, optimizer: Any, _: Any, arguments: Mapping[str, Any]) -> None:
        if not self._in_outer_step:
            self._count(optimizer, arguments)

    def _count(self, optimizer: Any, arguments: Mapping[str, Any]) -> None:
        self._was_called = True
        if not _is_skipped(optimizer, arguments):
            self._after_update(arguments)

    def _count_changes(self) -> int:
        return sum(weight._version for weight in self._weights)  # noqa: SLF001 - torch counts the changes in place


def _is_skipped(optimizer: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a GradScaler makes the optimizer skip this update, because a gradient is not finite.

    GradScaler does not call the `step` of most optimizers then. It does call that of one which can skip by itself, such as
    a fused one: with `found_inf` set during the call or, in a deprecated form, with itself as an argument.
    """
    found: Any = getattr(optimizer, "found_inf", None)
    if found is None and "grad_scaler" in arguments:
        found = sum(arguments["grad_scaler"]._found_inf_per_device(optimizer).values())  # noqa: SLF001
    return bool(found.item()) if isinstance(found, Tensor) else bool(found)
