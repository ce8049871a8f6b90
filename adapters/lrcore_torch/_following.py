"""What happens to an optimizer while nobody calls its scheduler: a state is loaded, a group is added."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from torch.optim import Optimizer


def hooked(optimizer: Optimizer) -> Optimizer | None:
    """The optimizer that has torch's hooks: a trainer may wrap it into one that has none, and calls it."""
    inside: Any = optimizer
    while inside is not None and not hasattr(inside, "_optimizer_step_post_hooks"):
        inside = getattr(inside, "optimizer", None)
    return inside  # type: ignore[no-any-return]


def call_after_loading(optimizer: Optimizer, method: Any) -> None:
    """Call a method, as long as its object lives, whenever a state has been loaded into an optimizer with hooks."""
    found, reference = hooked(optimizer), weakref.WeakMethod(method)
    if found is not None:
        hook = found.register_load_state_dict_post_hook(lambda _: _call(reference))
        weakref.finalize(method.__self__, hook.remove).atexit = False  # those that are dropped leave nothing behind


def call_after_adding(optimizer: Optimizer, method: Any) -> None:
    """Call a method, as long as its object lives, whenever a group has been added to an optimizer.

    Torch has no hook for this: the optimizer's method is wrapped, once, as torch's schedulers wrap its `step`.
    """
    if "add_param_group" not in vars(optimizer):
        optimizer.add_param_group = _add_and_call(optimizer)  # type: ignore[method-assign, assignment]
    methods = getattr(optimizer.add_param_group, "methods", [])  # none where somebody else has wrapped it
    methods[:] = [one for one in methods if one() is not None]
    methods.append(weakref.WeakMethod(method))


def _add_and_call(optimizer: Optimizer) -> Callable[[dict[str, Any]], None]:
    add = type(optimizer).add_param_group
    owner = weakref.ref(optimizer)  # which would not be freed if its own method held it
    methods: list[weakref.WeakMethod[Callable[[], None]]] = []

    @functools.wraps(add)
    def add_and_call(param_group: dict[str, Any]) -> None:
        optimizer = owner()
        if optimizer is not None:
            add(optimizer, param_group)
        for reference in methods:
            _call(reference)

    add_and_call.methods = methods  # type: ignore[attr-defined]
    return add_and_call


def _call(reference: weakref.WeakMethod[Any]) -> None:
    method = reference()
    if method is not None:
        method()
