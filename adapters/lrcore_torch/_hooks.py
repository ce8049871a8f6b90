"""Calls a scheduler back when its optimizer loads a state or is given a parameter group; finds wrapped optimizers."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from torch.optim import Optimizer


def wrapped_optimizers(optimizer: Any) -> Iterator[Any]:
    """The optimizer, the one that it wraps, and so on: trainers, Lookahead and SAM keep the inner one as an attribute."""
    seen: set[int] = set()
    while optimizer is not None and id(optimizer) not in seen:
        yield optimizer
        seen.add(id(optimizer))
        held = getattr(optimizer, "__dict__", {}).values()
        inner = next((one for one in held if isinstance(one, Optimizer)), None)
        optimizer = getattr(optimizer, "optimizer", None) if inner is None else inner


# --- loading ----------------------------------------------------------------------------------------------------------


def call_around_loading(optimizer: Optimizer, before: Any, after: Any) -> None:
    """Call two methods around every `load_state_dict` of the optimizer; their object is referenced weakly.

    Args:
        optimizer: the optimizer, or a wrapper. Some wrappers do not call `Optimizer.__init__`, which makes the hooks; then
            those of the optimizer inside are used.
        before: is given the state that is loaded, and returns the one to load instead.
        after: is given nothing.
    """
    has_hooks = (one for one in wrapped_optimizers(optimizer) if hasattr(one, "_optimizer_load_state_dict_post_hooks"))
    found = next(has_hooks, None)
    if found is None:
        return
    first, last = weakref.WeakMethod(before), weakref.WeakMethod(after)
    for hook in (
        found.register_load_state_dict_pre_hook(lambda _, state: _call_if_alive(first, state)),
        found.register_load_state_dict_post_hook(lambda _: _call_if_alive(last)),
    ):
        weakref.finalize(before.__self__, hook.remove).atexit = False  # a freed scheduler leaves no hook behind


def shared_groups_owner(optimizer: Any) -> Any:
    """The optimizer inside a wrapper that keeps a reference to that optimizer's list of groups; None if it keeps none."""
    own = getattr(optimizer, "__dict__", {}).get("param_groups")
    inner = [one for one in wrapped_optimizers(optimizer) if one is not optimizer]
    return inner[0] if inner and own is not None and own is getattr(inner[0], "param_groups", None) else None


# --- adding a group ---------------------------------------------------------------------------------------------------


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


def _call_if_alive(reference: weakref.WeakMethod[Any], *arguments: Any) -> Any:
    method = reference()
    return None if method is None else method(*arguments)
