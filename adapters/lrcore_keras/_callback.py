"""The callback that writes the rate of a schedule into the optimizer before every update."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import keras

import lrcore
from lrcore import adapting
from lrcore_keras._logger import check_per, log_names
from lrcore_keras._optimizers import (
    accumulation_steps,
    check_keras,
    current_rate,
    has_seen_a_batch,
    inner_optimizers,
    schedule_in,
    set_update_count,
    steps_per_execution,
    update_count,
)
from lrcore_keras._saved import SavedState
from lrcore_keras._schedule import refuse_natives

Per: TypeAlias = Literal["update", "epoch"]


class RateCallback:
    """What the callbacks of Keras 3 and Keras 2 have in common: everything but the class of the framework."""

    WHERE: str
    RATE_NAME: str
    HOW_TO_RESTORE: str
    model: Any
    per: Per
    monitor: str
    on_mismatch: adapting.Policy

    def _configure(self, schedule: Any, per: Per | None, monitor: str, on_mismatch: adapting.Policy) -> None:
        check_per("update" if per is None else per, self.WHERE)
        adapting.check_policy(on_mismatch, self.WHERE)
        refuse_natives(schedule, f"{self.WHERE}.schedule")
        self._follower = adapting.Follower.of(schedule, f"{self.WHERE}.schedule")
        self.per = per or "update"
        self.monitor = monitor
        self.on_mismatch = on_mismatch
        self._epoch = 0
        # The number of epochs reported to the plateau; infinite after `load_state_dict`, whose state does not contain it.
        self._reported_epochs = 0.0
        self._reported_in_epoch = False
        self._step_to_load: int | None = None
        # The optimizer that was driven last; None before the first, and after a state was loaded, which is for the next.
        self._driven: Any = None
        self._state_is_known = False
        self._written_rates: list[float] = []
        self._warned_subjects: set[str] = set()
        if per is None and callable(schedule) and not isinstance(schedule, lrcore.Schedule):
            adapting.warn(
                f"{self.WHERE}.per: the function is called with the number of updates, where Keras' own callback of this "
                'name passes the number of the epoch; give per="epoch" or per="update"'
            )

    # --- called by users ----------------------------------------------------------------------------------------------

    @property
    def schedule(self) -> Any:
        """The schedule or plateau that the callback follows."""
        return self._follower.schedule

    @property
    def plateau_state(self) -> lrcore.PlateauState | None:
        """The state of the plateau; None without one."""
        return self._follower.plateau_state

    def sync(self, step: int | None = None) -> None:
        """Write the rate into the optimizer now.

        Args:
            step: the step of the schedule; default: the number of updates made (per epoch: the number of the epoch).

        Raises:
            lrcore.ScheduleError: no model is set, or its optimizer has a schedule.
        """
        if self.model is None:
            raise lrcore.ScheduleError(self.WHERE, "sync needs a model; got none; call set_model(model) first")
        reached = self._write_rates(None if step is None else adapting.checked_step(step, f"{self.WHERE}.sync"))
        self._follower = self._follower.remind(reached, self.WHERE, "call report(metric) after each evaluation")

    def report(self, metric: Any) -> None:
        """Tell a plateau the metric: the updates that follow are multiplied by its scale.

        The callback does this itself at the end of each epoch whose logs have `monitor`; an epoch without it needs a metric
        reported in it.

        Args:
            metric: a number or a tensor of one element.

        Raises:
            lrcore.ScheduleError: a schedule is followed, not a plateau; or the metric is not one number.
        """
        self._follower = self._follower.told(metric, self.WHERE)
        self._reported_in_epoch = True

    def state_dict(self) -> dict[str, int | str]:
        """The step, the schedule and the state of a plateau, in the format of `lrcore.save_state`, which every adapter reads.

        Per epoch the step is the number of the next epoch; pass it to `fit` as `initial_epoch`.
        """
        return self._follower.state(self._step())

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state: set the optimizer's update counter and rate, now or, if no model is set, when `fit` begins.

        Args:
            state: what `state_dict` of this or another adapter returned.

        Raises:
            lrcore.ScheduleError: the argument is not such a state, or its schedule differs from the configured one (see
                `on_mismatch`).
        """
        optimizer = None if self.model is None else self._checked_optimizer()
        follower, step = self._follower.loaded(state, self.on_mismatch, self.WHERE)
        follower.at(step)  # raises before anything has changed
        self._follow(follower, math.inf)
        if self.per == "epoch":
            self._epoch = self._step_to_load = step
        elif optimizer is None:
            self._step_to_load = step
        else:
            set_update_count(optimizer, step)
        if optimizer is not None:
            self._written_rates = []
            self._write_rates()
            self._driven = None

    # --- hooks called by `fit` ----------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._written_rates = []
        optimizer = self._checked_optimizer()
        if self.per == "update" and self._step_to_load is not None:
            set_update_count(optimizer, self._step_to_load)
            self._step_to_load = None
        self._check_beginning(optimizer)
        if self.per == "epoch":
            return
        batches = steps_per_execution(self.model)
        if any(accumulation_steps(inner) % batches for inner in inner_optimizers(optimizer)):
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
        self._report_monitored({} if logs is None else logs)
        self._reported_in_epoch = False
        optimizer = self._checked_optimizer()
        if logs is not None:
            logs.update(self._logged_rates(optimizer))
        if not any(map(has_seen_a_batch, inner_optimizers(optimizer))):
            self._warn_once(
                "optimizer",
                "that of the model has made no update in a whole epoch; give a LearningRateSchedule to each "
                "optimizer that your training step uses instead",
            )

    # --- internals ----------------------------------------------------------------------------------------------------

    def _follow(self, follower: adapting.Follower, reported_epochs: float) -> None:
        """Go on with the follower of a state; the state belongs to whichever optimizer is trained next."""
        self._follower = follower
        self._reported_epochs = reported_epochs
        self._driven = None
        self._state_is_known = True

    def _begin_with(self, optimizer: Any) -> None:
        """Begin a plateau anew if another optimizer was driven before: its metrics say nothing about this one."""
        if self._follower.plateau is not None and self._driven is not None and self._driven is not optimizer:
            self._follower = adapting.Follower.beginning(self.schedule)
            self._reported_epochs = 0
            self._state_is_known = False

    def _check_beginning(self, optimizer: Any) -> None:
        """Warn if the updates that the optimizer has made do not fit the schedule or the plateau."""
        trained = [inner for inner in inner_optimizers(optimizer) if update_count(inner)]
        if self._state_is_known or not trained:
            return
        if self._follower.plateau is not None and self._driven is not optimizer:
            made = f"{_name(trained[0])} has made {update_count(trained[0])} updates"
            self._warn_once("plateau", f"{made}, but the plateau has been told of no metric; {self.HOW_TO_RESTORE}")
        elif self.per == "update":
            for inner in trained:
                self._check_step(inner, is_ours=self._driven is optimizer)

    def _check_step(self, optimizer: Any, *, is_ours: bool) -> None:
        """Warn if the optimizer was trained with other rates before, or if the schedule has ended with a rate of 0."""
        step, rate = update_count(optimizer), current_rate(optimizer)
        expected = self._follower.at(step - 1)
        begins = f"{_name(optimizer)} has made {step} updates, so the schedule begins at step {step}"
        if not is_ours and not math.isclose(rate, expected, rel_tol=1e-3):
            problem = f"but its last rate was {rate!r} and this schedule has {expected!r} there"
        elif self._is_over(step):
            problem = "where the rate is 0"
        else:
            return
        self._warn_once(
            "step",
            f"{begins}, {problem}; for a new stage compile with a new optimizer, or move the schedule: "
            f"lrcore.Join([lrcore.Constant({rate!r}), schedule], [{step}])",
        )

    def _is_over(self, step: int) -> bool:
        """Whether the schedule has ended with a rate of 0."""
        plateau = self._follower.plateau
        length = (self.schedule if plateau is None else plateau.schedule).length
        return length is not None and step >= length and self._follower.at(step) == 0

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
        if self._follower.plateau is not None and epoch > self._reported_epochs:
            told = f"the plateau has been told of {self._reported_epochs:.0f} epochs; {self.HOW_TO_RESTORE}"
            self._warn_once("plateau", begins + told)
        self._step_to_load = None

    def _step(self) -> int:
        if self.per == "epoch":
            return self._epoch
        if self.model is None:
            return self._step_to_load or 0
        # The maximum, as the count of an optimizer without variables stays 0.
        return max(map(update_count, inner_optimizers(self._checked_optimizer())))

    def _checked_optimizer(self) -> Any:
        """The optimizer of the model, built, with rates that can be written.

        It is read through `self.model` on every call: on the JAX backend this synchronizes the optimizer with the state of
        the training step.
        """
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            raise lrcore.ScheduleError(self.WHERE, "expected a model with an optimizer; got none; call compile first")
        if not inner_optimizers(optimizer) and self.model.built:
            # A MultiOptimizer over a function creates its inner optimizers in `build`.
            optimizer.build(self.model.trainable_variables)
        if not inner_optimizers(optimizer):
            raise lrcore.ScheduleError(
                self.WHERE,
                "expected a MultiOptimizer with optimizers; got one that is not built; build the model before fit",
            )
        for inner in inner_optimizers(optimizer):
            if schedule_in(inner) is not None:
                raise lrcore.ScheduleError(
                    self.WHERE,
                    f"expected an optimizer whose learning_rate is a number; got {_name(inner)} with a schedule of its own; "
                    "drop this callback or that schedule",
                )
        return optimizer

    def _write_rates(self, step: int | None = None) -> int:
        """Write the rates and return the step, the largest if optimizers differ. All rates are computed before any is written."""
        optimizer = self._checked_optimizer()
        optimizers = inner_optimizers(optimizer)
        steps = [self._step_for(inner) if step is None else step for inner in optimizers]
        rates = [self._follower.at(step) for step in steps]
        self._warn_of_other_writers(optimizers)
        for inner, rate in zip(optimizers, rates, strict=True):
            inner.learning_rate = rate
        self._written_rates = [current_rate(inner) for inner in optimizers]
        self._driven = optimizer
        return max(steps)

    def _step_for(self, optimizer: Any) -> int:
        return self._epoch if self.per == "epoch" else update_count(optimizer)

    def _logged_rates(self, optimizer: Any) -> dict[str, float]:
        """The rates written before the last update: another callback may have changed them at the end of the epoch."""
        optimizers = inner_optimizers(optimizer)
        rates = self._written_rates or map(current_rate, optimizers)
        names = log_names(optimizer, self.RATE_NAME)
        return {name: rate for name, rate, inner in zip(names, rates, optimizers, strict=True) if update_count(inner)}

    def _warn_of_other_writers(self, optimizers: list[Any]) -> None:
        for optimizer, written in zip(optimizers, self._written_rates, strict=False):
            if current_rate(optimizer) != written:
                self._warn_once(
                    "learning_rate",
                    f"something else set that of {_name(optimizer)} to {current_rate(optimizer)!r}, where the schedule had "
                    f"set {written!r}; the schedule rules",
                )

    def _report_monitored(self, logs: Mapping[str, float]) -> None:
        """Report the monitored metric to the plateau."""
        if self._follower.plateau is None:
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
            adapting.warn(f"{self.WHERE}: {subject}: {message}")


class LearningRateScheduler(RateCallback, keras.callbacks.LearningRateScheduler):
    """Writes schedule(step) into the model's optimizer before every update of `model.fit`.

    The step is the optimizer's count of updates, so a restored optimizer continues where it stopped. Micro-batches of
    `gradient_accumulation_steps` and steps that a LossScaleOptimizer skips do not count. All optimizers of a MultiOptimizer
    get the rate. The logs and History contain the rate of the last update as `learning_rate`.

    Keras saves the state of a plateau with the model's weights: list this callback before those that save, such as
    `BackupAndRestore`. A model from `load_model` has no callback to give that state to; call `set_model(model)`, then
    `model.load_weights(path)` of the same file. A plateau begins anew with another optimizer.

    In your own loop: call `set_model(model)` once, `sync()` before each update, and `report(metric)` after each evaluation.

    Args:
        schedule: a schedule, a `lrcore.Plateau`, a Python function of the step, or the path, text or dict of a schedule file.
        per: "update" (default); or "epoch", where the step is the number of the epoch as `fit` counts it.
        monitor: the entry of the logs that is reported to a plateau at the end of each epoch.
        on_mismatch: what `load_state_dict`, and loading weights, do if the saved schedule differs from this one: "error",
            "keep_checkpoint", "use_config" or "same_past"; see `lrcore.load_state`.

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

    WHERE = "lrcore_keras.LearningRateScheduler"
    RATE_NAME = "learning_rate"
    HOW_TO_RESTORE = (
        "call load_state_dict; or list this callback before those that save; or, after load_model, call set_model(model) "
        "and model.load_weights(path) of the same file"
    )

    def __init__(
        self,
        schedule: adapting.Source | lrcore.Plateau,
        per: Per | None = None,
        *,
        monitor: str = "val_loss",
        on_mismatch: adapting.Policy = "error",
    ) -> None:
        keras.callbacks.Callback.__init__(self)
        self._configure(schedule, per, monitor, on_mismatch)

    def set_model(self, model: Any) -> None:
        check_keras(self, model)
        super().set_model(model)
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None:
            self._begin_with(optimizer)
            if self._follower.plateau is not None:
                SavedState(self._state_in_weights, self._load_from_weights).attach(optimizer)

    def _state_in_weights(self) -> dict[str, int | float | str]:
        return {**self.state_dict(), "epochs": self._reported_epochs}

    def _load_from_weights(self, state: Mapping[str, Any]) -> None:
        """Load all but the step, which Keras restores with the optimizer's counter, including accumulated micro-batches."""
        self._follow(self._follower.loaded(state, self.on_mismatch, self.WHERE)[0], state["epochs"])


def _name(optimizer: Any) -> str:
    return str(getattr(optimizer, "name", None) or type(optimizer).__name__)
