"""A callback that writes the rate of a schedule into the optimizer before every update."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras

import lrcore
from lrcore import adapting
from lrcore_keras._logger import check_per, used_rates
from lrcore_keras._optimizers import (
    accumulation_steps,
    current_rate,
    has_seen_a_batch,
    inner_optimizers,
    is_variable,
    set_update_count,
    update_count,
)
from lrcore_keras._saved import SavedState

WHERE = "lrcore_keras.LearningRateScheduler"


class LearningRateScheduler(keras.callbacks.LearningRateScheduler):
    """Writes schedule(step) into the model's optimizer before every update of `model.fit`.

    The step is the optimizer's count of updates. Micro-batches of `gradient_accumulation_steps` and steps skipped by a
    LossScaleOptimizer do not count, and a restored optimizer continues where it stopped. `initial_epoch` does not change the
    step; the callback warns if training begins at a later epoch with a count of 0, as after every `compile`.

    The callback has no other state, except for that of a `lrcore.Plateau`. Keras saves the plateau's state with the model's
    weights, so `BackupAndRestore` restores it; list this callback before those that save. Call `set_model(model)` before you
    call `load_weights` yourself. `load_model` builds a model without this callback: save `state_dict()` beside the model.

    The logs and History contain the rate used last as `learning_rate`. The callback sets the rate of all optimizers in a
    MultiOptimizer; to give each its own rates, give each its `LearningRateSchedule`.

    With `steps_per_execution` > 1 the updates of one execution share one rate; the callback warns once. It does not set the
    rate of other optimizers that your training step uses; it warns if the model's own optimizer is not used at all. If
    something else changes the rate, it warns once and overwrites that rate.

    In your own training loop: call `set_model(model)` once, `sync()` before each update, and `report(metric)` after each
    evaluation. On the JAX backend the callback makes every batch wait for the one before; a schedule
    inside the optimizer does not.

    Args:
        schedule: a schedule, a `lrcore.Plateau` or a Python function of the step.
        per: "update"; or "epoch", where the step is the number of the epoch as `fit` counts it, `initial_epoch` included.
        monitor: the entry of the logs that is reported to a plateau at the end of each epoch. An epoch without it, such as
            one without validation, reports nothing; the first of these warns. Your own loop gets a warning if it has
            reported nothing after 10,000 updates.
        on_mismatch: what `load_state_dict`, and loading weights, do if the saved schedule differs from this one: "error",
            "keep_checkpoint", "use_config", or "same_past", which continues with this one if it gives the rate of every
            update already made.

    Raises:
        lrcore.ScheduleError: an argument is wrong; before the first update, the optimizer already has a schedule. If the
            schedule raises, the optimizer is unchanged.

    Source: `keras.callbacks.LearningRateScheduler`.

    Example:
        >>> import keras, lrcore, lrcore_keras
        >>> schedule = lrcore.Linear(init_value=0.5, end_value=0.0, decay_steps=4)
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.compile(keras.optimizers.SGD(), loss="mse")
        >>> callback = lrcore_keras.LearningRateScheduler(schedule)
        >>> data = keras.ops.ones((3, 1))
        >>> history = model.fit(data, data, batch_size=1, verbose=0, callbacks=[callback])
        >>> history.history["learning_rate"], callback.state_dict()["step"]
        ([0.25], 3)
    """

    def __init__(
        self,
        schedule: lrcore.Schedule | lrcore.Plateau | Callable[[int], float],
        per: Literal["update", "epoch"] = "update",
        *,
        monitor: str = "val_loss",
        on_mismatch: adapting.Policy = "error",
    ) -> None:
        check_per(per, WHERE)
        adapting.check_policy(on_mismatch, WHERE)
        self.schedule: Any
        super().__init__(schedule if isinstance(schedule, lrcore.Plateau) else adapting.as_schedule(schedule))
        self.per = per
        self.monitor = monitor
        self.on_mismatch: adapting.Policy = on_mismatch
        self._plateau_state = _initial_state(self.schedule)
        # The step from which `sync` warns that the plateau has received no metric.
        self._report_due: float = adapting.report_due(0)
        self._epoch = 0
        # The number of epochs reported to the plateau; infinite after `load_state_dict`, whose state does not contain it.
        self._reported_epochs = 0.0
        self._reported_in_epoch = False
        self._step_to_load: int | None = None
        self._written_rates: list[float] = []
        self._warned_subjects: set[str] = set()

    # --- hooks called by `fit` ----------------------------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        optimizer = getattr(model, "optimizer", None)
        if self._plateau_state is not None and optimizer is not None:
            SavedState(self._state_in_weights, self._load_from_weights).attach(optimizer)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._written_rates = []
        if self.per == "update" and self._step_to_load is not None:
            self._set_step(self._step_to_load)
            self._step_to_load = None
        batches = self.model.steps_per_execution
        if self.per == "update" and any(
            accumulation_steps(optimizer) % batches for optimizer in self._checked_optimizers()
        ):
            self._warn_once(
                "steps_per_execution",
                f"{batches} batches share one rate, since Keras calls back between executions only; "
                "put a LearningRateSchedule into the optimizer for a rate per update",
            )

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not self._written_rates:
            self._check_first_epoch(epoch)
        self._epoch = epoch
        if self.per == "epoch":
            self._write_rates()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if self.per == "update":
            self._write_rates()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch + 1
        self._reported_epochs = epoch + 1
        self._report_metric({} if logs is None else logs)
        self._reported_in_epoch = False
        if logs is not None:
            logs.update(used_rates(self.model.optimizer))
        if not any(map(has_seen_a_batch, self._checked_optimizers())):
            self._warn_once(
                "optimizer",
                "that of the model has made no update in a whole epoch; give a LearningRateSchedule to each "
                "optimizer that your training step uses instead",
            )

    # --- called by users ----------------------------------------------------------------------------------------------

    def sync(self, step: int | None = None) -> None:
        """Write the rate into the optimizer now.

        Args:
            step: the step of the schedule; default: the number of updates made (per epoch: the number of the epoch).

        Raises:
            lrcore.ScheduleError: no model is set, or its optimizer has a schedule.
        """
        if self.model is None:
            raise lrcore.ScheduleError(WHERE, "sync needs a model; got none; call set_model(model) first")
        reached = self._write_rates(step)
        if reached >= self._report_due and self._plateau_state is not None:
            self._report_due = math.inf
            adapting.warn_of_no_report(WHERE, "call report(metric) after each evaluation")

    def report(self, metric: Any) -> None:
        """Tell a plateau the metric: the updates that follow are multiplied by its scale.

        The callback does this itself at the end of each epoch whose logs have `monitor`; an epoch without it needs a metric
        reported in it.

        Args:
            metric: a number or a tensor of one element.

        Raises:
            lrcore.ScheduleError: a schedule is followed, not a plateau; or the metric is not one number.
        """
        if self._plateau_state is None:
            raise lrcore.ScheduleError(
                f"{WHERE}.report", f"expected a lrcore.Plateau, which alone uses metrics; got {self.schedule!r}"
            )
        self._plateau_state = self.schedule.update(self._plateau_state, metric)
        self._report_due = math.inf
        self._reported_in_epoch = True

    def state_dict(self) -> dict[str, int | str]:
        """The step, the schedule and the state of a plateau, in the format of `lrcore.save_state`, which every adapter reads.

        Per epoch the step is the number of the next epoch; pass it to `fit` as `initial_epoch`.
        """
        plateau = None if self._plateau_state is None else self._plateau_state.to_dict()
        return lrcore.save_state(self._step(), self.schedule, plateau)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state: set the optimizer's update counter and rate, now or, if no model is set, when `fit` begins.

        Args:
            state: what `state_dict` of this or another adapter returned.

        Raises:
            lrcore.ScheduleError: the argument is not such a state, or its schedule differs from the configured one (see
                `on_mismatch`).
        """
        if self.model is not None:
            self._checked_optimizers()  # raises before any state changes
        step = self._load_schedule(state)
        self._reported_epochs = math.inf
        if self.per == "epoch":
            self._epoch = self._step_to_load = step
        elif self.model is None:
            self._step_to_load = step
        else:
            self._set_step(step)
        if self.model is not None:
            self._written_rates = []
            self._write_rates()

    # --- internals ----------------------------------------------------------------------------------------------------

    def _load_schedule(self, state: Mapping[str, Any]) -> int:
        """Load the schedule and the plateau's state and return the step; if it raises, nothing has changed."""
        loaded = lrcore.load_state(state, self.schedule, self.on_mismatch, WHERE)
        plateau_state = _initial_state(loaded.schedule)
        if plateau_state is not None and loaded.plateau is not None:
            plateau_state = lrcore.PlateauState.from_dict(loaded.plateau, WHERE)
        self.schedule, self._plateau_state = loaded.schedule, plateau_state
        self._report_due = adapting.report_due(loaded.step, None if loaded.plateau is None else plateau_state)
        return loaded.step

    def _check_first_epoch(self, epoch: int) -> None:
        """Warn if the first epoch of `fit` contradicts the step or the plateau's state."""
        begins = f"training begins with epoch {epoch}, but "
        if self.per == "epoch" and self._step_to_load not in (None, epoch):
            goes_on = f"the state that was loaded goes on with epoch {self._step_to_load}; give that to fit"
            self._warn_once("initial_epoch", begins + goes_on)
        if self.per == "update" and epoch > 0 and self._step() == 0:
            at_0 = (
                "the optimizer has made no update, so the schedule begins at step 0; restore it or call load_state_dict"
            )
            self._warn_once("initial_epoch", begins + at_0)
        if self._plateau_state is not None and epoch > self._reported_epochs:
            told = f"the plateau has been told of {self._reported_epochs:.0f} epochs; call load_state_dict, or "
            self._warn_once("plateau", begins + told + "list this callback before those that save")
        self._step_to_load = None

    def _state_in_weights(self) -> dict[str, int | float | str]:
        return {**self.state_dict(), "epochs": self._reported_epochs}

    def _load_from_weights(self, state: Mapping[str, Any]) -> None:
        """Load all but the step, which Keras restores with the optimizer's counter, including accumulated micro-batches."""
        self._load_schedule(state)
        self._reported_epochs = state["epochs"]

    def _step(self) -> int:
        if self.per == "epoch":
            return self._epoch
        if self.model is None:
            return self._step_to_load or 0
        # The maximum, as the count of an optimizer without variables stays 0.
        return max(map(update_count, self._checked_optimizers()))

    def _set_step(self, step: int) -> None:
        self._checked_optimizers()  # builds a MultiOptimizer if necessary
        set_update_count(self.model.optimizer, step)

    def _step_for(self, optimizer: Any) -> int:
        return self._epoch if self.per == "epoch" else update_count(optimizer)

    def _checked_optimizers(self) -> list[Any]:
        """The optimizers to write to, checked and built.

        They are read through `self.model` on every call: on the JAX backend this synchronizes the optimizer with the state of
        the training step.
        """
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            raise lrcore.ScheduleError(WHERE, "expected a model with an optimizer; got none; call compile first")
        if not inner_optimizers(optimizer) and self.model.built:
            # A MultiOptimizer over a function creates its inner optimizers in `build`.
            optimizer.build(self.model.trainable_variables)
        if not inner_optimizers(optimizer):
            raise lrcore.ScheduleError(
                WHERE,
                "expected a MultiOptimizer with optimizers; got one that is not built; build the model before fit",
            )
        for inner in inner_optimizers(optimizer):
            _check_settable(inner)
        return inner_optimizers(optimizer)

    def _write_rates(self, step: int | None = None) -> int:
        """Write the rates and return the step, the largest if optimizers differ. All rates are computed before any is written."""
        optimizers = self._checked_optimizers()
        steps = [self._step_for(optimizer) if step is None else step for optimizer in optimizers]
        rates = [self._rate_at(step) for step in steps]
        self._warn_of_other_writers(optimizers)
        for optimizer, scheduled in zip(optimizers, rates, strict=True):
            optimizer.learning_rate = scheduled
        self._written_rates = [current_rate(optimizer) for optimizer in optimizers]
        return max(steps)

    def _rate_at(self, step: int) -> float:
        if self._plateau_state is None:
            return self.schedule(step)
        return self.schedule.value(step, self._plateau_state)

    def _warn_of_other_writers(self, optimizers: list[Any]) -> None:
        for optimizer, written in zip(optimizers, self._written_rates, strict=False):
            if current_rate(optimizer) != written:
                self._warn_once(
                    "learning_rate",
                    f"something else set that of {optimizer.name} to {current_rate(optimizer)!r}, where the schedule had set "
                    f"{written!r}; the schedule rules",
                )

    def _report_metric(self, logs: Mapping[str, float]) -> None:
        """Report the monitored metric to the plateau."""
        if self._plateau_state is None:
            return
        if self.monitor in logs:
            self.report(logs[self.monitor])
        elif not self._reported_in_epoch:
            self._warn_once(
                "monitor",
                f"an epoch ended without {self.monitor!r}; its logs have {', '.join(logs) or 'nothing'}, so the plateau was told "
                "no metric; give fit validation_data, or one of them as monitor",
            )

    def _warn_once(self, subject: str, message: str) -> None:
        if subject not in self._warned_subjects:
            self._warned_subjects.add(subject)
            warnings.warn(f"{WHERE}: {subject}: {message}", stacklevel=2)


def _initial_state(schedule: lrcore.Schedule | lrcore.Plateau) -> lrcore.PlateauState | None:
    return schedule.initial() if isinstance(schedule, lrcore.Plateau) else None


def _check_settable(optimizer: Any) -> None:
    if not is_variable(optimizer.learning_rate):
        raise lrcore.ScheduleError(
            WHERE,
            f"expected an optimizer whose learning_rate is a number; got {optimizer.name} with a schedule of its own; "
            "drop this callback or that schedule",
        )
