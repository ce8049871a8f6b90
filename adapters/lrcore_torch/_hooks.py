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
    """Call two methods around every `load_state_dict` of the optimizer, and of those inside; their object is referenced weakly.

    Args:
        optimizer: the optimizer, or a wrapper. Some wrappers do not call `Optimizer.__init__`, which makes the hooks; and
            some load their own state first, and then that of the optimizer inside.
        before: is given the optimizer that loads and the state, and returns the state to load instead.
        after: is given the optimizer that has loaded.
    """
    first, last = weakref.WeakMethod(before), weakref.WeakMethod(after)
    for one in wrapped_optimizers(optimizer):
        if hasattr(one, "_optimizer_load_state_dict_post_hooks"):
            for hook in (
                one.register_load_state_dict_pre_hook(lambda loading, state: _call_if_alive(first, loading, state)),
                one.register_load_state_dict_post_hook(lambda loaded: _call_if_alive(last, loaded)),
            ):
                weakref.finalize(before.__self__, hook.remove).atexit = False  # a freed scheduler leaves no hook behind


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
