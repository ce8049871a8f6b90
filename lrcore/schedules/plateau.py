"""The plateau, which reduces the rate when a metric stops improving: the one thing that is no function of the step.

It is a state machine, `state, metric -> state`, whose options reproduce the plateaus of four frameworks. Its scale
multiplies any schedule. The same code runs on Python's floats and on the arrays of a compiled framework.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from msgspec import Meta

from lrcore.curves.formulas import LAST_STEP
from lrcore.errors import ScheduleError, warn
from lrcore.records import NotNegative, Number, Record, digest, json_text, short
from lrcore.schedules.arithmetic import PlateauArithmetic
from lrcore.schedules.pictures import Pictures
from lrcore.schedules.schedule import Schedule

Value: TypeAlias = Any  # a number, or an array of a compiled framework
Where: TypeAlias = Callable[[Value, Value, Value], Value]

_REPORTS = {"unit": "reports"}

Factor: TypeAlias = Annotated[float, Meta(ge=0, lt=1, description="a number >= 0 and < 1")]
Scale: TypeAlias = Annotated[
    float, Meta(ge=0, le=1, description="a number from 0 to 1, a part of the schedule's value")
]
Patience: TypeAlias = Annotated[int, Meta(ge=-1, description="an integer >= -1 (reports)", extra=_REPORTS)]
Reports: TypeAlias = Annotated[int, Meta(ge=0, description="an integer >= 0 (reports)", extra=_REPORTS)]
Metrics: TypeAlias = Annotated[
    int, Meta(ge=1, le=LAST_STEP, description="an integer >= 1 (metrics, at most 2**53)", extra={"unit": "metrics"})
]
Arithmetic: TypeAlias = Literal["lrcore", "torch", "keras", "optax", "paddle"]

UPDATES_WITHOUT_REPORT = 10_000  # an adapter warns after this many updates without a metric


class PlateauState(NamedTuple):
    """What a `Plateau` remembers between two reports: six plain numbers, immutable; a pytree in JAX.

    Attributes:
        best: the best metric; infinite before the first.
        bad: reports since the last improvement.
        cooldown: reports left until bad ones count again.
        scale: what the schedule is multiplied by.
        reports: how many metrics were reported.
        mean: the mean of the metrics collected for the next judgement; 0 if there are none.
    """

    best: float
    bad: int
    cooldown: int
    scale: float
    reports: int
    mean: float

    def to_dict(self) -> dict[str, int | float | str]:
        """The state as data for strict JSON: a number that is not finite becomes "inf", "-inf" or "nan".

        Example:
            >>> PlateauState(math.inf, 0, 0, 1.0, 0, 0.0).to_dict()
            {'best': 'inf', 'bad': 0, 'cooldown': 0, 'scale': 1.0, 'reports': 0, 'mean': 0.0}
        """
        return {name: value if math.isfinite(value) else str(value) for name, value in self._asdict().items()}

    @classmethod
    def from_dict(cls, plain: Any, where: str = "PlateauState") -> PlateauState:
        """The state that `to_dict` wrote.

        Args:
            plain: a mapping with the six fields.
            where: the caller, for messages.

        Raises:
            ScheduleError: it is not such a state.

        Example:
            >>> state = PlateauState(math.nan, 2, 0, 0.5, 7, 0.0)
            >>> PlateauState.from_dict(state.to_dict())
            PlateauState(best=nan, bad=2, cooldown=0, scale=0.5, reports=7, mean=0.0)
        """
        if not isinstance(plain, Mapping) or set(plain) != set(cls._fields):
            found = ", ".join(map(str, plain)) if isinstance(plain, Mapping) else short(plain)
            raise ScheduleError(
                where, f"expected a plateau's state, with {', '.join(cls._fields)}; got {found or 'no keys'}"
            )
        counts = {name: _checked_count(plain[name], f"{where}.{name}") for name in ("bad", "cooldown", "reports")}
        best, mean, scale = (_float_from_plain(plain[name], f"{where}.{name}") for name in ("best", "mean", "scale"))
        if not 0 <= scale <= 1:
            raise ScheduleError(f"{where}.scale", f"expected a number from 0 to 1; got {short(plain['scale'])}")
        return cls(best=best, mean=mean, scale=scale, **counts)


class PlateauOptions(Record, frozen=True, kw_only=True):
    """What a `[plateau]` table holds: see `Plateau`."""

    factor: Factor = 0.1
    patience: Patience = 10
    mode: Literal["min", "max"] = "min"
    rtol: Number = 1e-4
    atol: Number = 0.0
    cooldown: Reports = 0
    min_scale: Scale = 0.0
    eps: NotNegative = 0.0
    accumulate: Metrics = 1
    accept_first: bool = False
    watch_in_cooldown: bool = True
    arithmetic: Arithmetic = "lrcore"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("rtol", "atol"):
            if self.arithmetic == "lrcore" and getattr(self, name) < 0:
                raise ScheduleError(
                    f"{type(self).__name__}.{name}",
                    f"expected a number >= 0; got {short(getattr(self, name))}; the margin is one of abs(best), so a metric "
                    "below zero needs no negative one; the arithmetic of a native takes it",
                )


class Plateau(PlateauArithmetic, Pictures, PlateauOptions, frozen=True, dict=True):
    """A schedule that is multiplied by `factor` each time a metric has not improved for more than `patience` reports.

    A metric m is better than the best one b if m < b - rtol * abs(b) - atol, with mode max if m > b + rtol * abs(b) + atol;
    NaN is never better. A better metric becomes the best one and resets the count of bad reports; any other report is bad.
    After more than `patience` bad reports in a row the scale is multiplied by `factor`, and counting starts again after
    `cooldown` further reports. A new scale applies to the updates after the report. The state is explicit:
    `state = plateau.update(state, metric)`.

    An adapter warns once when 10,000 updates were made and no metric was reported.

    Args:
        schedule: what is multiplied.
        factor: multiplies the scale at a reduction: 0 <= factor < 1.
        patience: bad reports in a row that are tolerated; 0 reduces at the first. (-1 reduces at each improvement and
            only then, as optax's patience of 0 does.)
        mode: whether a better metric is lower ("min") or higher ("max").
        rtol: the required improvement as a fraction of abs(best), >= 0. For a best value of 0 only atol counts.
        atol: the required improvement as an absolute number, >= 0.
        cooldown: reports after a reduction that count as neither good nor bad.
        min_scale: lower limit of the scale: 0 <= min_scale <= 1.
        eps: a reduction of the scale by this much or less is skipped.
        accumulate: number of metrics that are averaged; their mean counts as one report.
        accept_first: whether the first metric is the best one even if it is infinite or NaN (after which nothing is
            better). Otherwise it is compared with infinity.
        watch_in_cooldown: whether a metric that comes during the cooldown can become the best.
        arithmetic: whose rule says what is better. "lrcore" is the rule above. The name of a framework selects the rule of
            its own plateau, with its rounding. torch: b * (1 - rtol) - atol in float64. optax: the same in float32. paddle:
            b - b * rtol - atol, which is NaN for an infinite b. keras: float32(m + atol) against float32(b * (1 - rtol)).
            By these rules and with a best value below zero, rtol accepts a slightly worse metric as better, so a metric
            that worsens slowly never causes a reduction. They also accept negative margins.

    Raises:
        ScheduleError: a wrong argument.

    Patience beside that of the natives, as the number of bad reports in a row at which a patience of p reduces:

    * here, torch, Paddle: p + 1 ("more than p").
    * Keras: p, and 1 for 0.
    * optax: p; for 0 each better metric reduces.

    A reduction holds for the updates after the report; in optax for the very update that the metric comes with.

    Source, and the options that make the same machine over a constant rate lr:

    * `torch.optim.lr_scheduler.ReduceLROnPlateau(factor, patience, threshold)`: arithmetic="torch", rtol (or with
      threshold_mode abs rtol=0 and atol) = threshold, min_scale = min_lr / lr, eps = eps / lr.
    * `paddle.optimizer.lr.ReduceOnPlateau`: as torch, with accept_first, watch_in_cooldown=False and arithmetic="paddle"
      (for threshold_mode abs "torch").
    * `keras.callbacks.ReduceLROnPlateau(patience, cooldown, min_delta)`: rtol=0, atol=min_delta, accept_first,
      arithmetic="keras"; it judges one report earlier: patience - 1 (at least 0), cooldown - 1 (at least 0).
    * `optax.contrib.reduce_on_plateau`: arithmetic="optax", patience - 1, accumulate=accumulation_size. It reduces the
      update to which the metric is given: update the state first, then ask for the value.

    Example:
        >>> from lrcore import Constant
        >>> plateau = Plateau(Constant(0.1).warmup(2), factor=0.5, patience=1)
        >>> state = plateau.initial()
        >>> for loss in [0.9, 0.8, 0.8, 0.8]:
        ...     state = plateau.update(state, loss)
        >>> state.scale, plateau.value(1, state), plateau.value(4, state)
        (0.5, 0.025, 0.05)

        The same patience of 3, written for each of the machines: how many bad reports it takes.

        >>> def bad_reports(**options):
        ...     plateau, bad = Plateau(Constant(0.1), **options), 0
        ...     state = plateau.update(plateau.initial(), 1.0)
        ...     while state.scale == 1.0:
        ...         state, bad = plateau.update(state, 1.0), bad + 1
        ...     return bad
        >>> bad_reports(patience=3), bad_reports(patience=3, arithmetic="torch")
        (4, 4)
        >>> bad_reports(patience=3 - 1, arithmetic="keras"), bad_reports(patience=3 - 1, arithmetic="optax")
        (3, 3)
    """

    schedule: Schedule

    def __repr__(self) -> str:
        """The call that makes the plateau."""
        return self._call(repr(self.schedule))

    def in_full(self) -> str:
        """The call that makes the plateau, complete: `repr` shortens long lists of its schedule."""
        return self._call(self.schedule.in_full())

    def _call(self, schedule: str) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self._given_options().items())
        return f"Plateau({schedule}{options})"

    def initial(self) -> PlateauState:
        """The state before the first report."""
        return PlateauState(math.inf if self.mode == "min" else -math.inf, 0, 0, 1.0, 0, 0.0)

    def value(self, step: int, state: PlateauState) -> float:
        """The value for the update after `step` updates: schedule(step) * state.scale.

        Raises:
            ScheduleError: `step` is no integer >= 0, or `state` is not a plateau's.
        """
        return self.schedule(step) * _checked_state(state, "Plateau.value").scale

    def update(self, state: PlateauState, metric: Any) -> PlateauState:
        """The state after one more metric.

        Args:
            state: from `initial` or an earlier update; it stays as it is.
            metric: a number, or an array or tensor of one element. NaN and infinities count.

        Raises:
            ScheduleError: the metric is not a number, or `state` is not a plateau's.
        """
        return self._float_transition(_checked_state(state, "Plateau.update"), _as_float(metric))

    def transition(self, where: Where) -> Callable[[PlateauState, Value], PlateauState]:
        """`update` for compiled adapters: the same machine over arrays of any library, without checks.

        The state's fields and the metric are arrays: `PlateauState._make(...)` of them, the counts as integers, the rest
        in the precision to compute with. Only operators and `where` are used.

        Args:
            where: (condition, x, y) -> x where the condition holds, y elsewhere: jax.numpy.where, numpy.where.

        Example:
            >>> import numpy as np
            >>> from lrcore import Constant
            >>> plateau = Plateau(Constant(0.1), factor=0.5, patience=0)
            >>> step = plateau.transition(np.where)
            >>> state = PlateauState._make(map(np.asarray, plateau.initial()))
            >>> state = step(step(state, np.asarray(0.5)), np.asarray(0.6))
            >>> float(state.best), float(state.scale)
            (0.5, 0.5)
        """
        return self._build_transition(where, lambda x: x)

    @cached_property
    def text(self) -> str:
        """The plain form as one JSON text, the same for equal plateaus; it is made once."""
        return json_text(self.to_dict())

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that are the same for equal plateaus, on every machine and in every version."""
        return digest(self.text)

    def to_dict(self) -> dict[str, Any]:
        """The plain form that a file holds: the schedule with a table `plateau`; `lrcore.from_dict` reads it back.

        Raises:
            ScheduleError: a Python function is inside, which cannot be written.
        """
        return {**self.schedule.to_dict(), "plateau": self._given_options()}

    def _given_options(self) -> dict[str, Any]:
        return {name: value for name, value in self.given().items() if name != "schedule"}

    @cached_property
    def _float_transition(self) -> Callable[[PlateauState, float], PlateauState]:
        return self._build_transition(lambda condition, x, y: x if condition else y, _float32)

    def _build_transition(
        self, where: Where, single: Callable[[Value], Value]
    ) -> Callable[[PlateauState, Value], PlateauState]:
        """Build the transition. Arrays cannot branch, so all results are computed and `where` selects."""
        better, size = self._build_comparison(where, single), self.accumulate
        rounded = single if self.arithmetic == "optax" else lambda x: x

        def judge(state: PlateauState, metric: Value) -> PlateauState:
            in_cooldown = state.cooldown > 0
            improved = better(metric, state.best)
            if self.accept_first:
                improved = improved | (state.reports < size)
            best = where(improved, metric, state.best)
            if not self.watch_in_cooldown:
                best = where(in_cooldown, state.best, best)
            bad = where(in_cooldown | improved, 0, state.bad + 1)
            due = bad > self.patience if self.patience >= 0 else improved & (state.cooldown <= 0)
            lower = where(state.scale * self.factor > self.min_scale, state.scale * self.factor, self.min_scale)
            return PlateauState(
                best=best,
                bad=where(due, 0, bad),
                cooldown=where(due, self.cooldown, where(in_cooldown, state.cooldown - 1, 0)),
                scale=where(due & (state.scale - lower > self.eps), lower, state.scale),
                reports=state.reports + 1,
                mean=state.mean,
            )

        def accumulate(state: PlateauState, metric: Value) -> PlateauState:
            count = state.reports % size
            mean = rounded(rounded(rounded(count * state.mean) + rounded(metric)) / (count + 1))
            complete = count == size - 1
            after = judge(state, mean)
            waiting = state._replace(reports=state.reports + 1, mean=mean)
            chosen = (where(complete, x, y) for x, y in zip(after, waiting, strict=True))
            return PlateauState(*chosen)._replace(mean=where(complete, 0.0, mean))

        return judge if size == 1 else accumulate

    def _build_comparison(self, where: Where, single: Callable[[Value], Value]) -> Callable[[Value, Value], Value]:
        """Build the test whether a metric is better than the best one, by the rule of `arithmetic`."""
        sign = 1 if self.mode == "min" else -1
        margin = _Margin(sign * self.rtol, sign * self.atol, where, single)
        threshold, compared = _THRESHOLDS[self.arithmetic], _COMPARED.get(self.arithmetic, _unchanged)
        if self.mode == "min":
            return lambda metric, best: compared(margin, metric) < threshold(margin, best)
        return lambda metric, best: compared(margin, metric) > threshold(margin, best)


class _Margin(NamedTuple):
    """The margins, negative in mode max, and the operations for a rule: `where`, and `single` to round to float32."""

    rtol: float
    atol: float
    where: Where
    single: Callable[[Value], Value]


def _lrcore_threshold(margin: _Margin, best: Value) -> Value:
    """rtol is relative to abs(best), so that the threshold is better than a negative best, too.

    For an infinite best the margin is atol alone.
    """
    size = margin.where(abs(best) < math.inf, abs(best), 0.0)
    return best - margin.rtol * size - margin.atol


def _optax_threshold(margin: _Margin, best: Value) -> Value:
    single = margin.single
    return single(single(single(best) * single(1 - margin.rtol)) - single(margin.atol))


def _unchanged(margin: _Margin, metric: Value) -> Value:
    return metric


# The threshold that a metric has to pass, by arithmetic, in the order of operations of each framework.
_THRESHOLDS: dict[str, Callable[[_Margin, Value], Value]] = {
    "lrcore": _lrcore_threshold,
    "torch": lambda margin, best: best * (1 - margin.rtol) - margin.atol,
    "keras": lambda margin, best: margin.single(best * (1 - margin.rtol)),
    "optax": _optax_threshold,
    "paddle": lambda margin, best: best - best * margin.rtol - margin.atol,
}
# What is compared with the threshold, where it is not the metric itself.
_COMPARED: dict[str, Callable[[_Margin, Value], Value]] = {
    "keras": lambda margin, metric: margin.single(metric + margin.atol),
    "optax": lambda margin, metric: margin.single(metric),
}


def _float32(x: float) -> float:
    """Round to the nearest float32; to infinity beyond the largest."""
    try:
        return float(struct.unpack("f", struct.pack("f", x))[0])
    except OverflowError:
        return math.copysign(math.inf, x)


# --- for adapters: loading a state, missing reports -------------------------------------------------------------------


def carry_over(
    remembered: Mapping[str, Any], saved: Mapping[str, Any] | None, plateau: Plateau, where: str
) -> dict[str, int | float | str]:
    """Convert the state of a saved plateau for one with other options; a warning names what is reset.

    The best metric, the count of bad reports and the partial mean change their meaning with `mode` and `accumulate`, so
    they are reset if one of these changed. A remaining cooldown is limited to the configured one, and a best metric of
    NaN is kept only where `accept_first` allows one. The scale is kept, so that the rate does not jump. All other options
    affect only the reports to come.

    Args:
        remembered: the plain form of the saved plateau's state.
        saved: the options of the saved plateau, without those that have their defaults; None if they are not known.
        plateau: the configured plateau.
        where: the caller, for messages.

    Returns:
        The plain form of the state to continue with.

    Raises:
        ScheduleError: `remembered` is no plateau's state.
    """
    state, initial = PlateauState.from_dict(remembered, where), plateau.initial()
    changes, kept, causes = _changed_options(saved, plateau), state, []
    if saved is None or {"mode", "accumulate"} & changes.keys():
        # `reports % accumulate` metrics are in the partial mean, so a multiple of `accumulate` empties it.
        judgements = -(-state.reports // plateau.accumulate)
        kept = initial._replace(reports=judgements * plateau.accumulate, cooldown=state.cooldown, scale=state.scale)
        causes += ["mode", "accumulate"]
    if math.isnan(kept.best) and not plateau.accept_first:
        kept = kept._replace(best=initial.best)
        causes += ["accept_first"]
    if kept.cooldown > plateau.cooldown:
        kept = kept._replace(cooldown=plateau.cooldown)
        causes += ["cooldown"]
    before, after = state.to_dict(), kept.to_dict()
    reset = [name for name in ("best", "bad", "cooldown", "mean") if before[name] != after[name]]
    if reset and state.reports:
        known = ", ".join(f"{name} {changes[name]}" for name in causes if name in changes)
        why = f"the plateau's {known}" if known else "the options of the saved plateau are not known"
        what = ", ".join(f"{name} {before[name]} becomes {after[name]}" for name in reset)
        warn(f"{where}: {why}: {what}; the scale {state.scale} is kept")
    if state.scale < plateau.min_scale:
        floor = f"though it lies below min_scale {plateau.min_scale}"
        warn(f"{where}: the saved scale {state.scale} is kept, {floor}")
    return after


def _changed_options(saved: Mapping[str, Any] | None, plateau: Plateau) -> dict[str, str]:
    """Describe the options that differ, of those that affect the meaning of a state."""
    defaults, found = PlateauOptions(), {}
    for name in ("mode", "accumulate", "cooldown", "accept_first"):
        old, new = (saved or {}).get(name, getattr(defaults, name)), getattr(plateau, name)
        if saved is not None and old != new:
            found[name] = f"was {short(old)} and is {short(new)}"
    return found


def report_due(step: int, loaded: PlateauState | None = None) -> int:
    """The step at which an adapter warns, with `warn_of_no_report`, unless a metric was reported before.

    An adapter only compares it with the step of each update.

    Args:
        step: updates made when the plateau began, or when its state was loaded.
        loaded: the state that was loaded; None for a new plateau. A state without reports counts from step 0.

    Example:
        >>> report_due(0), report_due(8_000), report_due(8_000, PlateauState(0.5, 0, 0, 1.0, 7, 0.0))
        (10000, 18000, 18000)
        >>> report_due(8_000, PlateauState(math.inf, 0, 0, 1.0, 0, 0.0))
        10000
    """
    waited = loaded is not None and not loaded.reports
    return max(UPDATES_WITHOUT_REPORT + (0 if waited else step), step + 1)


def warn_of_no_report(where: str, call: str) -> None:
    """Warn that no metric was reported to a plateau in many updates.

    Args:
        where: the adapter.
        call: how a metric is reported there.
    """
    warn(
        f"{where}: {UPDATES_WITHOUT_REPORT:,} updates were made and the plateau was told no metric, so it reduces nothing; {call}"
    )


# --- checks -----------------------------------------------------------------------------------------------------------


def _as_float(metric: Any) -> float:
    kind = str(getattr(metric, "dtype", type(metric).__name__))
    if not isinstance(metric, (str, bytes, bytearray)) and "bool" not in kind and "complex" not in kind:
        try:
            return float(metric.item() if hasattr(metric, "item") else metric)
        except Exception:  # noqa: BLE001, S110 - each library raises an exception of its own for several elements
            pass
    raise ScheduleError("Plateau.update", f"expected a metric that is one number; got {short(metric)}")


def _checked_state(state: Any, where: str) -> PlateauState:
    if not isinstance(state, PlateauState):
        raise ScheduleError(where, f"expected a state made by Plateau.initial or update; got {short(state)}")
    return state


def _checked_count(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ScheduleError(where, f"expected an integer >= 0; got {short(value)}")
    return value


def _float_from_plain(value: Any, where: str) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number or (isinstance(value, str) and value in {"inf", "-inf", "nan"}):
        return float(value)
    raise ScheduleError(where, f"expected a number, or inf, -inf or nan as text; got {short(value)}")
