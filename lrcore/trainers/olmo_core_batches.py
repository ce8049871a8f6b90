"""The batch sizes of OLMo-core's BatchSizeSchedulerCallback, each of which multiplies the rate by the root of its growth.

Before an update is loaded the callback asks for the last batch size that is due. A larger one waits until the batches that were
read before are a multiple of the larger one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from lrcore.configs.options import Options


class Stretch(NamedTuple):
    """The updates of one batch size.

    Attributes:
        first: the first update.
        before: the tokens before it.
        size: the tokens of each update.
    """

    first: int
    before: int
    size: int

    def updates_to(self, tokens: int) -> int:
        """The first update at which so many tokens are seen before it."""
        return self.first - (self.before - tokens) // self.size


def callback(options: Options) -> Options | None:
    """The callback's table, if the trainer has one that acts."""
    callbacks = options.table("trainer").table("callbacks")
    for name in callbacks:
        if isinstance(callbacks.raw(name), dict) and callbacks.table(name).given("batch_sizes"):
            found = callbacks.table(name)
            if found.flag("enabled", default=True):
                return found
    return None


def stretches(table: Options) -> list[Stretch]:
    """The batch sizes with the updates from which they hold, in a run of one epoch."""
    sizes, events = table.wholes("batch_sizes"), table.tables("schedule")
    if len(sizes) != len(events) or not sizes or min(sizes) < 1:
        raise table.error("schedule", f"expected one duration for each of {len(sizes)} batch sizes; got {len(events)}")
    if events[0].whole("value") != 0:
        raise events[0].error("value", f"expected 0 for the first batch size; got {events[0].whole('value')}")
    found = [Stretch(0, 0, sizes[0])]
    for size, event in zip(sizes[1:], events[1:], strict=True):
        found.append(_next(found[-1], size, event))
    return found


def _next(last: Stretch, size: int, event: Options) -> Stretch:
    value, unit = event.whole("value", least=1), event.word("unit", choices=["steps", "tokens"])
    first = value if unit == "steps" else last.updates_to(value)
    if max(size, last.size) % min(size, last.size) or size == last.size:
        raise event.error("", f"expected a batch size that is a multiple or a part of {last.size}; got {size}")
    if first <= last.first:
        raise event.error(
            "value", f"expected a place after update {last.first}, where the batch before begins; got {value}"
        )
    tokens = last.before + (first - last.first) * last.size
    waiting = -(tokens // last.size) % max(1, size // last.size)
    return Stretch(first + waiting, tokens + waiting * last.size, size)


def growth(stretch: Stretch, stated: int) -> float:
    """What the rate is multiplied by, beside that of the batch size that the loader states."""
    return math.sqrt(stretch.size / stated)
