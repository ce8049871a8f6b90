"""What is known of a run: how long it is, and how many updates an epoch, a sample or a token is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal, TypeAlias

from msgspec import Meta

from lrcore.errors import ScheduleError
from lrcore.records import Positive, Record, short, without_numpy
from lrcore.runs.length import PATTERN, Length, exactly, parsed
from lrcore.schedules.kinds import PiecewiseConstant

Count: TypeAlias = Annotated[int, Meta(ge=1, description="an integer >= 1")]
Total: TypeAlias = Annotated[
    object,
    Meta(
        description="a number of updates > 0, or a text such as '90 epochs'",
        extra_json_schema={"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": PATTERN},
    ),
]
BatchSize: TypeAlias = Annotated[
    object,
    Meta(
        description="an integer >= 1, or a piecewise_constant of integers",
        extra_json_schema={"type": ["integer", "object"], "minimum": 1, "required": ["kind", "boundaries", "values"]},
    ),
]
Rounding: TypeAlias = Literal["nearest", "up", "down"]

# The ways to state how many updates an epoch has; a run takes one of them.
_EPOCH_WAYS = {
    "updates_per_epoch": ("updates_per_epoch",),
    "dataset_size": ("dataset_size", "drop_last"),
    "batches_per_epoch": ("batches_per_epoch", "accumulate", "drop_last"),
}
_EPOCH_FIELDS = {name for fields in _EPOCH_WAYS.values() for name in fields}


class Run(Record, frozen=True, kw_only=True, dict=True):
    """What is known of a run, so that lengths can be written as shares, epochs, samples and tokens.

    updates per epoch = `updates_per_epoch`, or dataset_size / batch_size, or batches_per_epoch / accumulate, rounded up,
    since the last short batch makes an update; with `drop_last` it is rounded down.

    Args:
        total: the length of the run: a number of updates or a text, "90 epochs".
        updates_per_epoch: optimizer updates in one epoch; may be real, where short groups are carried over.
        dataset_size: samples in one epoch.
        batch_size: samples in one update: micro-batch times accumulation times processes. Or a `PiecewiseConstant`, or
            its dict, whose boundaries may be texts in updates or samples, for a batch size that grows.
        batches_per_epoch: batches that one process takes from its loader in one epoch: len(loader).
        accumulate: batches that are accumulated for one update.
        drop_last: whether the last short batch, or the last short group of accumulated batches, makes no update.
        tokens_per_sample: tokens in one sample.
        rounding: how a place that is no whole update is rounded: "up", "down" or "nearest" (halves up), the default.

    Raises:
        ScheduleError: a wrong value, or two ways to state the updates of an epoch.

    Example:
        >>> run = Run(total="90 epochs", dataset_size=1_281_167, batch_size=256, drop_last=True)
        >>> run.steps("5 epochs"), run.steps("100%")
        (25020, 450360)
    """

    total: Total | None = None
    updates_per_epoch: Positive | None = None
    dataset_size: Count | None = None
    batch_size: BatchSize | None = None
    batches_per_epoch: Count | None = None
    accumulate: Count | None = None
    drop_last: bool | None = None
    tokens_per_sample: Positive | None = None
    rounding: Rounding | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        ways = [way for way in _EPOCH_WAYS if getattr(self, way) is not None]
        if len(ways) > 1:
            raise ScheduleError(f"Run.{ways[1]}", f"expected one of {', '.join(_EPOCH_WAYS)}; got {' and '.join(ways)}")
        if self._total is not None and not is_total(self.total):
            raise ScheduleError("Run.total", f"expected a length > 0 that is no share; got {short(self.total)}")
        self._batches  # noqa: B018 - raises for a wrong batch size

    def __repr__(self) -> str:
        return f"Run({', '.join(f'{name}={value!r}' for name, value in self.given().items())})"

    def check_acts(self, where: str) -> None:
        """Refuse what has no effect without another argument; a layer may give one alone, the whole run may not.

        Raises:
            ScheduleError: `accumulate` without batches_per_epoch, or `drop_last` without an epoch that it could shorten, or with a
                batch size that changes.
        """
        if self.accumulate is not None and self.batches_per_epoch is None:
            problem = "needs batches_per_epoch; batch_size counts the samples of a whole update"
            raise ScheduleError(f"{where}.accumulate", problem)
        if self.drop_last is not None and self.batches_per_epoch is None and self.dataset_size is None:
            raise ScheduleError(f"{where}.drop_last", "needs dataset_size or batches_per_epoch, which it rounds down")
        if self.drop_last is not None and self._ramps:
            problem = "has no effect with a batch_size that changes, where epochs are counted in samples; leave it out"
            raise ScheduleError(f"{where}.drop_last", problem)

    def steps(self, length: str | float) -> int:
        """The updates that a length takes at the beginning of the run; at least 1, unless it is 0.

        Args:
            length: a number of updates, or a text such as "5 epochs" or "2%".

        Raises:
            ScheduleError: it is no length, or the run does not say what it needs.
        """
        self.check_acts("Run")
        place = self.after(Fraction(0), parsed(length, "Run.steps"), "Run.steps")
        return max(self.rounded(place), 1) if place else 0

    def after(self, place: Fraction, length: Length, where: str, sign: int = 1) -> Fraction:
        """The place in updates, not rounded, that is a length after another place of the run; before it with sign -1.

        Args:
            place: updates since the beginning of the run.
            length: how far it is.
            where: the field, for messages.
            sign: 1 or -1.

        Raises:
            ScheduleError: the run does not say what the unit needs.
        """
        if length.unit == "%":
            if self._total is None:
                raise self._lacks(where, length, "total")
            length = length.share_of(self._total)
        if length.unit == "updates":
            return place + sign * length.amount
        if length.unit == "epochs" and not self._ramps:
            return place + sign * length.amount * self._epoch(where, length)
        samples = self._samples(where, length)
        if self.batch_size is None:
            raise self._lacks(where, length, "batch_size")
        return self._place_of(self._samples_before(place) + sign * samples)

    def rounded(self, place: Fraction) -> int:
        """A place as a whole update."""
        if self.rounding == "up":
            return math.ceil(place)
        return math.floor(place if self.rounding == "down" else place + Fraction(1, 2))

    @cached_property
    def _total(self) -> Length | None:
        return None if self.total is None else parsed(self.total, "Run.total")

    def _epoch(self, where: str, length: Length) -> Fraction:
        """The updates of one epoch."""
        if self.updates_per_epoch is not None:
            return exactly(self.updates_per_epoch)
        if self.batches_per_epoch is not None:
            ratio = Fraction(self.batches_per_epoch, self.accumulate or 1)
        elif self.dataset_size is not None and self.batch_size is not None:
            ratio = Fraction(self.dataset_size, self._batches[0][1])
        else:
            raise self._lacks(where, length, "batch_size" if self.dataset_size is not None else "updates_per_epoch")
        updates = math.floor(ratio) if self.drop_last else math.ceil(ratio)
        if not updates:
            raise ScheduleError(where, f"expected an epoch of at least one update; got {float(ratio):g} with drop_last")
        return Fraction(updates)

    def _samples(self, where: str, length: Length) -> Fraction:
        if length.unit == "samples":
            return length.amount
        needed = {"epochs": "dataset_size", "tokens": "tokens_per_sample"}[length.unit]
        if getattr(self, needed) is None:
            raise self._lacks(where, length, needed)
        size = exactly(getattr(self, needed))
        return length.amount * size if length.unit == "epochs" else length.amount / size

    def _lacks(self, where: str, length: Length, name: str) -> ScheduleError:
        return ScheduleError(
            where,
            f"expected the run's {name} for {length.text!r}; got none; give it in [run] or as run=lrcore.Run({name}=...)",
        )

    # --- batch sizes that change ------------------------------------------------------------------------------------

    @property
    def _ramps(self) -> bool:
        return len(self._batches) > 1

    @cached_property
    def _batches(self) -> tuple[tuple[int, int, Fraction], ...]:
        """The batch sizes: the first update of each, the samples in one update, the samples before it."""
        given = self.batch_size
        if given is None:
            return ()
        if isinstance(given, PiecewiseConstant):
            given = given.to_dict()
        if isinstance(given, Mapping):
            boundaries, sizes = _ramp(given)
        else:
            boundaries, sizes = [], [given]
        return self._resolved(boundaries, [_size(one) for one in sizes])

    def _resolved(self, boundaries: list[Any], sizes: list[int]) -> tuple[tuple[int, int, Fraction], ...]:
        """The batch sizes with their boundaries in whole updates, resolved from left to right."""
        where = "Run.batch_size.boundaries"
        if len(sizes) != len(boundaries) + 1:
            raise ScheduleError(
                "Run.batch_size.values", f"expected {len(boundaries) + 1} (one more than boundaries); got {len(sizes)}"
            )
        found = [(0, sizes[0], Fraction(0))]
        for number, (text, size) in enumerate(zip(boundaries, sizes[1:], strict=True)):
            length, (first, before, samples) = parsed(text, f"{where}[{number}]"), found[-1]
            if length.unit not in ("updates", "samples"):
                raise ScheduleError(f"{where}[{number}]", f"expected updates or samples; got {length.text!r}")
            exact = length.amount if length.unit == "updates" else first + (length.amount - samples) / before
            place = self.rounded(exact)
            if place <= first:
                raise ScheduleError(
                    f"{where}[{number}]", f"expected a place after update {first}; got {length.text!r}, update {place}"
                )
            found.append((place, size, samples + (place - first) * before))
        return tuple(found)

    def _samples_before(self, place: Fraction) -> Fraction:
        first, size, samples = max((one for one in self._batches if one[0] <= place), default=self._batches[0])
        return samples + (place - first) * size

    def _place_of(self, samples: Fraction) -> Fraction:
        first, size, before = max((one for one in self._batches if one[2] <= samples), default=self._batches[0])
        return first + (samples - before) / size


def layered(upper: Run | Mapping[str, Any], lower: Run | None) -> Run:
    """The run that an upper layer, such as the command line, makes of a lower one, such as the file.

    An upper layer that states the updates of an epoch in one way replaces another way of the lower layer.

    Args:
        upper: a run, or arguments of `Run`.
        lower: the run below; None if there is none.

    Raises:
        ScheduleError: as `Run`; or it is neither.

    Example:
        >>> layered({"updates_per_epoch": 7}, Run(total="3 epochs", dataset_size=1_000, batch_size=10))
        Run(total='3 epochs', updates_per_epoch=7.0, batch_size=10)
    """
    given: Any = upper.given() if isinstance(upper, Run) else upper
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ScheduleError("run", f"expected a lrcore.Run or a dict of its arguments; got {short(upper)}")
    below = {} if lower is None else lower.given()
    stated = [fields for fields in _EPOCH_WAYS.values() if any(name in given for name in fields)]
    if stated:
        kept = {name for fields in stated for name in fields}
        below = {name: value for name, value in below.items() if name in kept or name not in _EPOCH_FIELDS}
    if "batch_size" in given:
        below.pop("updates_per_epoch", None)
    return Run(**{**below, **given})


def is_total(value: Any) -> bool:
    """Whether a value is a length that may be the total of a run: more than 0, and no share.

    Example:
        >>> is_total("90 epochs"), is_total("90%")
        (True, False)
    """
    try:
        total = parsed(value)
    except ScheduleError:
        return False
    return total.amount > 0 and total.unit != "%"


def _ramp(given: Mapping[str, Any]) -> tuple[list[Any], list[Any]]:
    if given.get("kind") != "piecewise_constant" or set(given) != {"kind", "boundaries", "values"}:
        raise ScheduleError(
            "Run.batch_size",
            f"expected an integer >= 1, or a piecewise_constant with boundaries and values; got {short(dict(given))}",
        )
    return _list(given["boundaries"], "boundaries"), _list(given["values"], "values")


def _list(given: Any, name: str) -> list[Any]:
    given = without_numpy(given)
    if not isinstance(given, Sequence) or isinstance(given, (str, bytes)):
        raise ScheduleError(f"Run.batch_size.{name}", f"expected a list; got {short(given)}")
    return list(given)


def _size(value: Any) -> int:
    value = without_numpy(value)
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not whole or value < 1:
        raise ScheduleError("Run.batch_size", f"expected an integer >= 1; got {short(value)}")
    return int(value)
