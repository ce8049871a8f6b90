"""Hooks that call a scheduler back after `optimizer.load_state_dict` and `optimizer.add_param_group`."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer


def optimizer_with_hooks(optimizer: Optimizer) -> Optimizer | None:
    """The optimizer itself, or the first inside its wrappers that has torch's hooks; None if there is none.

    Some trainers wrap an optimizer into one that does not initialise the hooks.
    """
    inside: Any = optimizer
    while inside is not None and not hasattr(inside, "_optimizer_step_post_hooks"):
        inside = getattr(inside, "optimizer", None)
    return inside  # type: ignore[no-any-return]


def call_after_loading(optimizer: Optimizer, method: Any) -> None:
    """Call a method after every `load_state_dict` of the optimizer; its object is referenced weakly."""
    found, reference = optimizer_with_hooks(optimizer), weakref.WeakMethod(method)
    if found is not None:
        hook = found.register_load_state_dict_post_hook(lambda _: _call_if_alive(reference))
        weakref.finalize(method.__self__, hook.remove).atexit = False  # a freed scheduler leaves no hook behind


def call_after_adding(optimizer: Optimizer, method: Any) -> None:
    """Call a method after every `add_param_group` of the optimizer; its object is referenced weakly.

    Torch has no hook for this, so we wrap the optimizer's method once, as torch's schedulers wrap its `step`.
    """
    if "add_param_group" not in vars(optimizer):
        optimizer.add_param_group = _wrapped_add_param_group(optimizer)  # type: ignore[method-assign, assignment]
    # The attribute is absent if other code wrapped the method.
    methods = getattr(optimizer.add_param_group, "methods", [])
    methods[:] = [one for one in methods if one() is not None]
    methods.append(weakref.WeakMethod(method))


def _wrapped_add_param_group(optimizer: Optimizer) -> Callable[[dict[str, Any]], None]:
    add = type(optimizer).add_param_group
    owner = weakref.ref(optimizer)  # a strong reference would be a cycle, freed only by the collector
    methods: list[weakref.WeakMethod[Callable[[], None]]] = []

    @functools.wraps(add)
    def add_and_call(param_group: dict[str, Any]) -> None:
        optimizer = owner()
        if optimizer is not None:
            add(optimizer, param_group)
        for reference in methods:
            _call_if_alive(reference)

    add_and_call.methods = methods  # type: ignore[attr-defined]
    return add_and_call


def _call_if_alive(reference: weakref.WeakMethod[Any]) -> None:
    method = reference()
    if method is not None:
        method()
