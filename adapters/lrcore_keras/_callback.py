"""A schedule beside the optimizer: a callback that writes the rate before every update."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras

import lrcore
from lrcore import adapting
from lrcore_keras._logger import check_per, used_rates
from lrcore_keras._optimizers import is_in_use, is_variable, micro_batches, parts, rate, set_updates, updates
from lrcore_keras._saved import SavedState

WHERE = "lrcore_keras.LearningRateScheduler"


class LearningRateScheduler(keras.callbacks.LearningRateScheduler):
    """Writes schedule(step) into the model's optimizer before every update of `model.fit`.

    The step is what the optimizer has counted: micro-batches of `gradient_accumulation_steps` and steps that a
    LossScaleOptimizer skips are none, and a restored optimizer goes on where it was. `initial_epoch` does not move it; a
    warning says so where the optimizer stands at 0, as after every `compile`.

    Nothing else is held, except for the state of a `lrcore.Plateau`. What Keras writes of the model's weights contains it,
    so `BackupAndRestore` brings it back; list this callback before those that save. Before a `load_weights` of your own
    call `set_model(model)`. A model that `load_model` has built does not know this callback: keep `state_dict()` beside it.

    The rate used last is in the logs and History as `learning_rate`. All optimizers in a MultiOptimizer are driven; for
    rates of their own give each its `LearningRateSchedule`.

    `steps_per_execution` > 1 makes several updates between two callbacks, which then share one rate (one warning says so).
    Optimizers that a training step of yours holds beside the model's are not driven (a warning, if the model's own is not
    used at all). When something else changes the rate in between there is one warning, and the schedule rules.

    In a loop of your own: `set_model(model)` once, then `sync()` before each update; `on_epoch_end(epoch, logs)` tells a
    plateau. On the JAX backend every batch waits for the one before; a schedule inside the optimizer costs nothing there.

    Args:
        schedule: a schedule, a `lrcore.Plateau` or a Python function of the step.
        per: "update", or "epoch": then the step is the number of the epoch as `fit` counts it, `initial_epoch` included.
        monitor: the entry of the logs that a plateau is told at the end of each epoch. An epoch without it, such as one
            without validation, tells nothing; the first says so. A loop of your own that does not tell a plateau is warned
            after 10,000 updates.
        on_mismatch: what `load_state_dict`, and what Keras loads of the weights, do with a saved schedule that is not this
            one: "error", "keep_checkpoint", "use_config", or "same_past", which goes on with this one if every update
            already made had its rate.

    Raises:
        lrcore.ScheduleError: a wrong argument; before the first update, an optimizer that already holds a schedule. A
            schedule that fails leaves the optimizer as it was.

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
        self._report_due: float = adapting.report_due(
            0
        )  # the step at which a loop that tells a plateau nothing is warned
        self._epoch = 0
        self._epochs_told = 0.0  # of how many epochs a plateau knows; infinite where a state does not say
        self._step_to_load: int | None = None
        self._written: list[float] = []
        self._warned_of: set[str] = set()

    # --- what fit calls -----------------------------------------------------------------------------------------------

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        optimizer = getattr(model, "optimizer", None)
        if self._plateau_state is not None and optimizer is not None:
            SavedState(self._state_in_weights, self._load_from_weights).attach(optimizer)

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        self._written = []
        if self.per == "update" and self._step_to_load is not None:
            self._set_step(self._step_to_load)
            self._step_to_load = None
        batches = self.model.steps_per_execution
        if self.per == "update" and any(micro_batches(optimizer) % batches for optimizer in self._optimizers()):
            self._warn_once(
                "steps_per_execution",
                f"{batches} batches share one rate, since Keras calls back between executions only; "
                "put a LearningRateSchedule into the optimizer for a rate per update",
            )

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        if not self._written:
            self._check_beginning(epoch)
        self._epoch = epoch
        if self.per == "epoch":
            self._write()

    def on_train_batch_begin(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        if self.per == "update":
            self._write()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._epoch = epoch + 1
        self._epochs_told = epoch + 1
        self._report({} if logs is None else logs)
        if logs is not None:
            logs.update(used_rates(self.model.optimizer))
        if not any(map(is_in_use, self._optimizers())):
            self._warn_once(
                "optimizer",
                "that of the model has made no update in a whole epoch; to each that a training step of your own uses instead "
                "give its LearningRateSchedule",
            )

    # --- what users call ----------------------------------------------------------------------------------------------

    def sync(self, step: int | None = None) -> None:
        """Write the rate into the optimizer now.

        Args:
            step: what to ask the schedule for; default: the updates made (per epoch: the number of the epoch).

        Raises:
            lrcore.ScheduleError: there is no model yet, or its optimizer holds a schedule.
        """
        if self.model is None:
            raise lrcore.ScheduleError(WHERE, "sync needs a model; got none; call set_model(model) first")
        reached = self._write(step)
        if reached >= self._report_due and self._plateau_state is not None:
            self._report_due = math.inf
            adapting.warn_of_no_report(WHERE, f"call on_epoch_end(epoch, logs) with {self.monitor!r} in the logs")

    def state_dict(self) -> dict[str, int | str]:
        """The step, the schedule and the state of a plateau, as `lrcore.save_state`: readable by every adapter.

        Per epoch the step is the number of the next epoch, to be given to `fit` as `initial_epoch`.
        """
        plateau = None if self._plateau_state is None else self._plateau_state.to_dict()
        return lrcore.save_state(self._step(), self.schedule, plateau)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state: set the update counter of the model's optimizer and its rate, at once or when `fit` begins.

        Args:
            state: from `state_dict`, of this adapter or another.

        Raises:
            lrcore.ScheduleError: it is not such a state, or its schedule is not the configured one (see `on_mismatch`).
        """
        if self.model is not None:
            self._optimizers()  # refuses what cannot be driven before anything has changed
        step = self._load(state)
        self._epochs_told = math.inf
        if self.per == "epoch":
            self._epoch = self._step_to_load = step
        elif self.model is None:
            self._step_to_load = step
        else:
            self._set_step(step)
        if self.model is not None:
            self._written = []
            self._write()

    # --- the work -----------------------------------------------------------------------------------------------------

    def _load(self, state: Mapping[str, Any]) -> int:
        """Take the schedule and the plateau's state, or nothing; the step that goes with them."""
        loaded = lrcore.load_state(state, self.schedule, self.on_mismatch, WHERE)
        plateau_state = _initial_state(loaded.schedule)
        if plateau_state is not None and loaded.plateau is not None:
            plateau_state = lrcore.PlateauState.from_dict(loaded.plateau, WHERE)
        self.schedule, self._plateau_state = loaded.schedule, plateau_state
        self._report_due = adapting.report_due(loaded.step, None if loaded.plateau is None else plateau_state)
        return loaded.step

    def _check_beginning(self, epoch: int) -> None:
        """Whether `fit` begins with the epoch that the step and the plateau's state belong to."""
        begins = f"training begins with epoch {epoch}, but "
        if self.per == "epoch" and self._step_to_load not in (None, epoch):
            goes_on = f"the state that was loaded goes on with epoch {self._step_to_load}; give that to fit"
            self._warn_once("initial_epoch", begins + goes_on)
        if self.per == "update" and epoch > 0 and self._step() == 0:
            at_0 = (
                "the optimizer has made no update, so the schedule begins at step 0; restore it or call load_state_dict"
            )
            self._warn_once("initial_epoch", begins + at_0)
        if self._plateau_state is not None and epoch > self._epochs_told:
            told = f"the plateau has been told of {self._epochs_told:.0f} epochs; call load_state_dict, or "
            self._warn_once("plateau", begins + told + "list this callback before those that save")
        self._step_to_load = None

    def _state_in_weights(self) -> dict[str, int | float | str]:
        return {**self.state_dict(), "epochs": self._epochs_told}

    def _load_from_weights(self, state: Mapping[str, Any]) -> None:
        """The step is in the weights as well, and to the micro-batch."""
        self._load(state)
        self._epochs_told = state["epochs"]

    def _step(self) -> int:
        if self.per == "epoch":
            return self._epoch
        if self.model is None:
            return self._step_to_load or 0
        return max(map(updates, self._optimizers()))  # an optimizer without variables makes none

    def _set_step(self, step: int) -> None:
        self._optimizers()  # builds what has to be
        set_updates(self.model.optimizer, step)

    def _step_of(self, optimizer: Any) -> int:
        return self._epoch if self.per == "epoch" else updates(optimizer)

    def _optimizers(self) -> list[Any]:
        """Always through `self.model`: on the JAX backend that is what brings optimizer and training step together."""
        optimizer = getattr(self.model, "optimizer", None)
        if optimizer is None:
            raise lrcore.ScheduleError(WHERE, "expected a model with an optimizer; got none; call compile first")
        if not parts(optimizer) and self.model.built:
            optimizer.build(self.model.trainable_variables)  # a MultiOptimizer over a function has no parts before
        if not parts(optimizer):
            raise lrcore.ScheduleError(
                WHERE,
                "expected a MultiOptimizer with optimizers; got one that is not built; build the model before fit",
            )
        for part in parts(optimizer):
            _check_settable(part)
        return parts(optimizer)

    def _write(self, step: int | None = None) -> int:
        """The step, or the last of several. Everything is computed and checked before anything is written."""
        optimizers = self._optimizers()
        steps = [self._step_of(one) if step is None else step for one in optimizers]
        values = [self._value(one) for one in steps]
        self._notice_other_writers(optimizers)
        for optimizer, value in zip(optimizers, values, strict=True):
            optimizer.learning_rate = value
        self._written = [rate(optimizer) for optimizer in optimizers]
        return max(steps)

    def _value(self, step: int) -> float:
        if self._plateau_state is None:
            return self.schedule(step)
        return self.schedule.value(step, self._plateau_state)

    def _notice_other_writers(self, optimizers: list[Any]) -> None:
        for optimizer, written in zip(optimizers, self._written, strict=False):
            if rate(optimizer) != written:
                self._warn_once(
                    "learning_rate",
                    f"something else set that of {optimizer.name} to {rate(optimizer)!r}, where the schedule had set "
                    f"{written!r}; the schedule rules",
                )

    def _report(self, logs: Mapping[str, float]) -> None:
        """Tell the plateau."""
        if self._plateau_state is None:
            return
        if self.monitor in logs:
            self._plateau_state = self.schedule.update(self._plateau_state, logs[self.monitor])
            self._report_due = math.inf
        else:
            self._warn_once(
                "monitor",
                f"an epoch ended without {self.monitor!r}; its logs have {', '.join(logs) or 'nothing'}, so the plateau was told "
                "no metric; give fit validation_data, or one of them as monitor",
            )

    def _warn_once(self, subject: str, message: str) -> None:
        if subject not in self._warned_of:
            self._warned_of.add(subject)
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
